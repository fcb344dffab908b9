/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/kernel.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "datapath/steer.h"
#include "lib/log.h"
#include "ofproto/kernel-tables.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

#define RESYNC_DELAY_NS (50 * NSEC_PER_MSEC) /* lets a burst of changes pass */
#define POKE_NS         (5 * NSEC_PER_SEC)

enum {
	NEWS_BUFFER = 8 << 20, /* of the socket: how far behind we may be */
	NEWS_A_TURN = 512,     /* datagrams read before others get their turn */
	POKES_A_ROUND = 256,
	DUMP_TRIES = 5, /* a dump that changed under our feet is begun again */
};

struct kernel {
	struct mnl_socket *news; /* what changes */
	struct mnl_socket *ask;  /* dumps and requests */
	unsigned seq;
	uint64_t resync_ns; /* TIMER_NEVER: nothing to catch up with */
	uint64_t poke_ns;
	struct kernel_tables tables;
	uint8_t buffer[32 << 10];
};

/* ---- Messages ---------------------------------------------------------------------------------
 */

static void see(struct ofproto *o, const struct nlmsghdr *h)
{
	struct kernel *k = o->kernel;

	switch (h->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (kernel_route(o, &k->tables, h))
			k->resync_ns = MIN(k->resync_ns, ofproto_now(o) + RESYNC_DELAY_NS);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		kernel_neigh(o, &k->tables, h);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		/* The kernel says nothing of IPv4 routes that go with their link. */
		if (kernel_link(o, &k->tables, h))
			k->resync_ns = MIN(k->resync_ns, ofproto_now(o) + RESYNC_DELAY_NS);
		break;
	case RTM_DELADDR: /* nor of those that go with their source address */
		k->resync_ns = MIN(k->resync_ns, ofproto_now(o) + RESYNC_DELAY_NS);
		break;
	default:
		break;
	}
}

static void see_all(struct ofproto *o, const void *data, size_t size)
{
	int left = (int)size;

	for (const struct nlmsghdr *h = data; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		see(o, h);
}

/* ---- Dumps ------------------------------------------------------------------------------------
 */

/* Answers to requests that asked for none (errors): of no interest. */
static void forget_answers(struct kernel *k)
{
	while (recv(mnl_socket_get_fd(k->ask), k->buffer, sizeof k->buffer, MSG_DONTWAIT) > 0)
		;
}

static int dump_answers(struct ofproto *o)
{
	struct kernel *k = o->kernel;
	bool torn = false;

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(k->ask, k->buffer, sizeof k->buffer);
		int left = (int)n;

		if (n < 0)
			return -errno;
		for (const struct nlmsghdr *h = (void *)k->buffer; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != k->seq)
				continue;
			torn |= h->nlmsg_flags & NLM_F_DUMP_INTR;
			if (h->nlmsg_type == NLMSG_ERROR)
				return -EIO;
			if (h->nlmsg_type == NLMSG_DONE)
				return torn ? -EAGAIN : 0;
			see(o, h);
		}
	}
}

static size_t body_size(uint16_t type)
{
	switch (type) {
	case RTM_GETROUTE:
		return sizeof(struct rtmsg);
	case RTM_GETNEIGH:
		return sizeof(struct ndmsg);
	default:
		return sizeof(struct ifinfomsg);
	}
}

/* `family` is the first octet of each of these requests' bodies; a body longer than its type's
 * makes the kernel complain of octets left over. */
static int dump(struct ofproto *o, uint16_t type, uint8_t family)
{
	struct kernel *k = o->kernel;
	int error = -EAGAIN;

	forget_answers(k);
	for (unsigned i = 0; i < DUMP_TRIES && error == -EAGAIN; i++) {
		uint8_t request[512] = {0};
		struct nlmsghdr *h = mnl_nlmsg_put_header(request);
		uint8_t *body = mnl_nlmsg_put_extra_header(h, body_size(type));

		h->nlmsg_type = type;
		h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		h->nlmsg_seq = ++k->seq;
		body[0] = family;
		if (mnl_socket_sendto(k->ask, h, h->nlmsg_len) < 0)
			return -errno;
		error = dump_answers(o);
	}
	return error;
}

static int read_everything(struct ofproto *o)
{
	static const struct {
		uint16_t type;
		uint8_t family;
	} dumps[] = {
		{RTM_GETLINK, AF_UNSPEC}, {RTM_GETROUTE, AF_INET},  {RTM_GETROUTE, AF_INET6},
		{RTM_GETNEIGH, AF_INET},  {RTM_GETNEIGH, AF_INET6},
	};
	struct kernel *k = o->kernel;
	int error = 0;

	k->tables.generation++;
	k->resync_ns = TIMER_NEVER;
	for (unsigned i = 0; !error && i < ARRAY_SIZE(dumps); i++)
		error = dump(o, dumps[i].type, dumps[i].family);
	if (error)
		k->resync_ns = ofproto_now(o) + NSEC_PER_SEC;
	else
		kernel_sweep(o, &k->tables);
	return error;
}

/* ---- Neighbours --------------------------------------------------------------------------------
 */

void kernel_resolve(struct ofproto *o, const struct ip *ip, int ifindex)
{
	struct kernel *k = o->kernel;
	uint8_t request[512] = {0};
	struct nlmsghdr *h = mnl_nlmsg_put_header(request);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(h, sizeof *nd);

	if (!k || ifindex <= 0)
		return;
	h->nlmsg_type = RTM_NEWNEIGH;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
	h->nlmsg_seq = ++k->seq;
	nd->ndm_family = ip->family == 4 ? AF_INET : AF_INET6;
	nd->ndm_ifindex = ifindex;
	nd->ndm_flags = NTF_USE;
	mnl_attr_put(h, NDA_DST, ip->family == 4 ? 4 : 16, ip->octet);
	forget_answers(k);
	(void)mnl_socket_sendto(k->ask, h, h->nlmsg_len);
}

static void poke_stale(struct ofproto *o)
{
	struct kernel *k = o->kernel;
	struct rmap_node *node;
	uint32_t at = 0, n = 0;

	while (n < POKES_A_ROUND && (node = rmap_each(&k->tables.neighs, &at))) {
		struct kneigh *neigh = container_of(node, struct kneigh, node);

		if (neigh->state != NUD_STALE || !port_by_ifindex(&o->dp, neigh->ifindex))
			continue;
		kernel_resolve(o, &neigh->ip, neigh->ifindex);
		n++;
	}
}

/* ---- Running -----------------------------------------------------------------------------------
 */

int kernel_fd(const struct kernel *k)
{
	return mnl_socket_get_fd(k->news);
}

static void read_news(struct ofproto *o)
{
	struct kernel *k = o->kernel;

	for (unsigned i = 0; i < NEWS_A_TURN; i++) {
		ssize_t n = recv(kernel_fd(k), k->buffer, sizeof k->buffer, MSG_DONTWAIT);

		if (n > 0) {
			see_all(o, k->buffer, (size_t)n);
			continue;
		}
		if (n < 0 && errno == ENOBUFS) {
			LOG(INFO, "kernel: news were lost; reading everything again");
			k->resync_ns = ofproto_now(o);
			continue;
		}
		break;
	}
}

void kernel_run(struct ofproto *o)
{
	struct kernel *k = o->kernel;
	uint64_t now;

	if (!k)
		return;
	read_news(o);
	now = ofproto_now(o);
	if (now >= k->resync_ns)
		read_everything(o);
	if (now >= k->poke_ns) {
		k->poke_ns = now + POKE_NS;
		poke_stale(o);
	}
}

uint64_t kernel_deadline(const struct ofproto *o)
{
	return o->kernel ? MIN(o->kernel->resync_ns, o->kernel->poke_ns) : TIMER_NEVER;
}

/* ---- Ports and connections ---------------------------------------------------------------------
 */

void kernel_port_added(struct ofproto *o, struct port *port)
{
	if (o->kernel && port->ifindex > 0)
		kernel_link_apply(o, &o->kernel->tables, port);
}

void kernel_conn_added(struct ofproto *o, const struct conn_id *id)
{
	if (!o->offline)
		steer_conn_add(id);
}

void kernel_conn_gone(struct ofproto *o, const struct conn_id *id)
{
	if (!o->offline)
		steer_conn_del(id);
}

/* ---- Start and end -----------------------------------------------------------------------------
 */

static int subscribe(struct kernel *k)
{
	static const int groups[] = {RTNLGRP_LINK,       RTNLGRP_NEIGH,       RTNLGRP_IPV4_ROUTE,
				     RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
	int size = NEWS_BUFFER, fd = mnl_socket_get_fd(k->news);

	if (mnl_socket_bind(k->news, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_bind(k->ask, 0, MNL_SOCKET_AUTOPID))
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++)
		if (mnl_socket_setsockopt(k->news, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i],
					  sizeof groups[i]))
			return -errno;
	return 0;
}

struct kernel *kernel_open(struct ofproto *o, struct refusal *r)
{
	struct kernel *k = mem_new(sizeof *k);
	int error;

	kernel_tables_init(&k->tables);
	k->poke_ns = ofproto_now(o) + POKE_NS;
	k->resync_ns = TIMER_NEVER;
	k->news = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	k->ask = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	o->kernel = k;
	error = k->news && k->ask ? subscribe(k) : -errno;
	if (!error)
		error = read_everything(o);
	if (!error)
		return k;
	refuse(r, SYSTEM, "", "rtnetlink: %s", strerror(-error));
	kernel_close(o);
	return NULL;
}

void kernel_close(struct ofproto *o)
{
	struct kernel *k = o->kernel;

	if (!k)
		return;
	if (k->news)
		mnl_socket_close(k->news);
	if (k->ask)
		mnl_socket_close(k->ask);
	kernel_tables_destroy(&k->tables);
	free(k);
	o->kernel = NULL;
}
