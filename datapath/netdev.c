/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/netdev.h"

#include <errno.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned count_queues(int s, struct ifreq *ifr)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};

	ifr->ifr_data = (void *)&c;
	if (ioctl(s, SIOCETHTOOL, ifr))
		return 1; /* the driver knows of no channels */
	/* Binding at or above this can crash drivers: never count what might be. */
	return MAX(c.combined_count + MIN(c.rx_count, c.tx_count), 1u);
}

static void read_driver(int s, struct ifreq *ifr, struct netdev *n)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	ifr->ifr_data = (void *)&info;
	if (!ioctl(s, SIOCETHTOOL, ifr))
		snprintf(n->driver, sizeof n->driver, "%.31s", info.driver);
}

static int read_link(int s, const char *name, struct netdev *n, struct refusal *r)
{
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, name, strlen(name));
	if (ioctl(s, SIOCGIFINDEX, &ifr))
		return refuse(r, NOT_FOUND, "dev",
			      "there is no interface %s in this network namespace; `ip link' lists "
			      "those that there are",
			      name);
	n->ifindex = ifr.ifr_ifindex;
	if (ioctl(s, SIOCGIFHWADDR, &ifr))
		return refuse(r, SYSTEM, "dev", "%s: no hardware address: %s", name,
			      strerror(errno));
	if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return refuse(r, BAD_VALUE, "dev", "%s is no Ethernet interface (hardware type %d)",
			      name, ifr.ifr_hwaddr.sa_family);
	memcpy(n->mac, ifr.ifr_hwaddr.sa_data, sizeof n->mac);
	if (!ioctl(s, SIOCGIFMTU, &ifr))
		n->mtu = (uint32_t)ifr.ifr_mtu;
	if (!ioctl(s, SIOCGIFFLAGS, &ifr))
		n->up = (ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	n->n_queues = count_queues(s, &ifr);
	read_driver(s, &ifr, n);
	return 0;
}

static bool is_address(const struct sockaddr *sa)
{
	if (sa && sa->sa_family == AF_INET)
		return true;
	return sa && sa->sa_family == AF_INET6 &&
	       !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)sa)->sin6_addr);
}

static bool has_address(const char *name)
{
	struct ifaddrs *all, *a;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (a = all; a && !found; a = a->ifa_next)
		found = !strcmp(a->ifa_name, name) && is_address(a->ifa_addr);
	freeifaddrs(all);
	return found;
}

struct default_search {
	int ifindex;
	bool found;
};

static void see_nexthops(const struct nlattr *attr, struct default_search *d)
{
	const struct rtnexthop *nh = mnl_attr_get_payload(attr);
	int left = mnl_attr_get_payload_len(attr);

	for (; RTNH_OK(nh, left); left -= RTNH_ALIGN(nh->rtnh_len), nh = RTNH_NEXT(nh))
		d->found |= nh->rtnh_ifindex == d->ifindex;
}

static int see_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct default_search *d = arg;
	const struct nlattr *attr;

	if (rtm->rtm_dst_len || rtm->rtm_type != RTN_UNICAST || rtm->rtm_table != RT_TABLE_MAIN)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof *rtm)
	{
		if (mnl_attr_get_type(attr) == RTA_OIF)
			d->found |= mnl_attr_get_u32(attr) == (uint32_t)d->ifindex;
		else if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
			see_nexthops(attr, d);
	}
	return MNL_CB_OK;
}

/* Asks for all routes of a family; false: the kernel did not answer. */
static bool dump_routes(struct mnl_socket *nl, unsigned char family, struct default_search *d)
{
	char buf[32768];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;
	unsigned port = mnl_socket_get_portid(nl);
	int more = MNL_CB_OK;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = family;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof *rtm);
	rtm->rtm_family = family;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return false;
	while (more == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof buf);

		if (n < 0)
			return false;
		more = mnl_cb_run(buf, (size_t)n, family, port, see_route, d);
	}
	return more == MNL_CB_STOP;
}

/* When the kernel does not answer, the interface counts as the one: it costs a `force=yes`. */
static bool carries_default_route(int ifindex)
{
	struct default_search d = {.ifindex = ifindex};
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!nl)
		return true;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || !dump_routes(nl, AF_INET, &d) ||
	    !dump_routes(nl, AF_INET6, &d))
		d.found = true;
	mnl_socket_close(nl);
	return d.found;
}

int netdev_read(const char *name, struct netdev *n, struct refusal *r)
{
	int s, e;

	*n = (struct netdev){0};
	if (!*name || strlen(name) >= IFNAMSIZ)
		return refuse(r, BAD_VALUE, "dev",
			      "'%s' is no name of an interface (1 to %d octets)", name,
			      IFNAMSIZ - 1);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return refuse(r, SYSTEM, "dev", "no socket to ask about %s: %s", name,
			      strerror(errno));
	e = read_link(s, name, n, r);
	close(s);
	if (e)
		return e;
	n->has_address = has_address(name);
	n->default_route = carries_default_route(n->ifindex);
	return 0;
}

int netdev_promiscuous(int ifindex)
{
	struct packet_mreq mr = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: takes no packets */

	if (s >= 0 && !setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof mr))
		return s;
	if (s >= 0)
		close(s);
	return -errno;
}

bool netdev_vlan_stripping(int ifindex, bool strip)
{
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq ifr = {.ifr_data = (void *)&flags};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool changed = false;

	if (s < 0)
		return false;
	if (if_indextoname((unsigned)ifindex, ifr.ifr_name) && !ioctl(s, SIOCETHTOOL, &ifr) &&
	    !!(flags.data & ETH_FLAG_RXVLAN) != strip) {
		flags.cmd = ETHTOOL_SFLAGS;
		flags.data ^= ETH_FLAG_RXVLAN;
		changed = !ioctl(s, SIOCETHTOOL, &ifr);
	}
	close(s);
	return changed;
}
