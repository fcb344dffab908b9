/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbours and links of the kernel; routes are in kernel-route.c. */
#include "ofproto/kernel-tables.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "lib/hash.h"
#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

void kernel_tables_init(struct kernel_tables *t)
{
	rmap_init(&t->routes);
	rmap_init(&t->neighs);
}

void kernel_tables_destroy(struct kernel_tables *t)
{
	struct rmap_node *n;
	uint32_t at = 0;

	while ((n = rmap_each(&t->routes, &at))) {
		struct kroute *k = container_of(n, struct kroute, node);

		free(k->route);
		free(k);
	}
	at = 0;
	while ((n = rmap_each(&t->neighs, &at)))
		free(container_of(n, struct kneigh, node));
	rmap_destroy(&t->routes);
	rmap_destroy(&t->neighs);
	while (t->links) {
		struct klink *next = t->links->next;

		free(t->links);
		t->links = next;
	}
}

/* ---- Neighbours
 * ---------------------------------------------------------------------------------- */

enum { NUD_KNOWN = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT };

static struct kneigh *neigh_find(struct kernel_tables *t, const struct ip *ip, int ifindex)
{
	uint32_t hash = ip_hash(ip);
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &t->neighs, hash) {
		struct kneigh *k = container_of(n, struct kneigh, node);

		if (k->ifindex == ifindex && ip_equal(&k->ip, ip))
			return k;
	}
	return NULL;
}

static void neigh_remove(struct ofproto *o, struct kernel_tables *t, struct kneigh *k)
{
	fib_neigh_del(&o->dp.fib, &k->ip, k->ifindex);
	rmap_remove(&t->neighs, &k->node);
	free(k);
}

void kernel_neigh(struct ofproto *o, struct kernel_tables *t, const struct nlmsghdr *h)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(h);
	struct fib_neigh neigh = {0};
	bool has_mac = false;
	const struct nlattr *a;
	struct kneigh *k;

	if (mnl_nlmsg_get_payload_len(h) < sizeof *nd ||
	    (nd->ndm_family != AF_INET && nd->ndm_family != AF_INET6))
		return;
	neigh.ifindex = nd->ndm_ifindex;
	mnl_attr_for_each(a, h, sizeof *nd)
	{
		size_t size = mnl_attr_get_payload_len(a);
		const void *data = mnl_attr_get_payload(a);

		if (mnl_attr_get_type(a) == NDA_DST &&
		    size == (nd->ndm_family == AF_INET ? 4 : 16)) {
			neigh.ip.family = nd->ndm_family == AF_INET ? 4 : 6;
			memcpy(neigh.ip.octet, data, size);
		} else if (mnl_attr_get_type(a) == NDA_LLADDR && size == 6) {
			memcpy(neigh.mac, data, 6);
			has_mac = true;
		}
	}
	if (!neigh.ip.family)
		return;
	k = neigh_find(t, &neigh.ip, neigh.ifindex);
	if (h->nlmsg_type == RTM_DELNEIGH || !has_mac || !(nd->ndm_state & NUD_KNOWN)) {
		if (k)
			neigh_remove(o, t, k);
		return;
	}
	if (!k) {
		k = mem_new(sizeof *k);
		k->ip = neigh.ip;
		k->ifindex = neigh.ifindex;
		rmap_insert(&t->neighs, &k->node, ip_hash(&k->ip));
	}
	k->state = nd->ndm_state;
	k->generation = t->generation;
	fib_neigh_set(&o->dp.fib, &neigh);
}

/* ---- Links
 * --------------------------------------------------------------------------------------- */

static struct klink *link_find(struct kernel_tables *t, int ifindex)
{
	for (struct klink *l = t->links; l; l = l->next)
		if (l->ifindex == ifindex)
			return l;
	return NULL;
}

static void apply(struct ofproto *o, const struct klink *l, struct port *port, bool tell)
{
	bool changed = port->up != l->up || (l->mtu && port->mtu != l->mtu);

	__atomic_store_n(&port->up, l->up, __ATOMIC_RELAXED);
	if (l->mtu)
		__atomic_store_n(&port->mtu, l->mtu, __ATOMIC_RELAXED);
	if (!(port->flags & PORT_L3))
		memcpy(port->mac, l->mac, sizeof port->mac);
	if (changed && tell)
		tell_port_status(o, port, OFPPR_MODIFY);
}

void kernel_link_apply(struct ofproto *o, struct kernel_tables *t, struct port *port)
{
	const struct klink *l = link_find(t, port->ifindex);

	if (l)
		apply(o, l, port, false);
}

static void link_changed(struct ofproto *o, const struct klink *l)
{
	for (struct object *b = o->objects.first; b; b = b->next)
		if (!b->conn && b->port->ifindex == l->ifindex)
			apply(o, l, b->port, true);
}

static void read_link(struct klink *l, const struct nlmsghdr *h)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	const struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof *ifi)
	{
		if (mnl_attr_get_type(a) == IFLA_MTU && mnl_attr_get_payload_len(a) == 4)
			l->mtu = mnl_attr_get_u32(a);
		else if (mnl_attr_get_type(a) == IFLA_ADDRESS && mnl_attr_get_payload_len(a) == 6)
			memcpy(l->mac, mnl_attr_get_payload(a), 6);
	}
	l->admin_up = ifi->ifi_flags & IFF_UP;
	l->up = ifi->ifi_flags & IFF_UP && ifi->ifi_flags & IFF_RUNNING;
}

static void link_remove(struct ofproto *o, struct kernel_tables *t, struct klink *gone)
{
	struct klink **at = &t->links;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	gone->up = false;
	link_changed(o, gone);
	free(gone);
}

bool kernel_link(struct ofproto *o, struct kernel_tables *t, const struct nlmsghdr *h)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	struct klink *l;
	bool was_up;

	/* A bridge speaks of its ports in messages of its own. */
	if (mnl_nlmsg_get_payload_len(h) < sizeof *ifi || ifi->ifi_family != AF_UNSPEC)
		return false;
	l = link_find(t, ifi->ifi_index);
	if (h->nlmsg_type == RTM_DELLINK) {
		if (l)
			link_remove(o, t, l);
		return true;
	}
	if (!l) {
		l = mem_new(sizeof *l);
		l->ifindex = ifi->ifi_index;
		l->next = t->links;
		t->links = l;
		o->objects.retry = true;
	}
	was_up = l->admin_up;
	read_link(l, h);
	l->generation = t->generation;
	link_changed(o, l);
	return was_up && !l->admin_up;
}

/* ---- After a dump
 * --------------------------------------------------------------------------------- */

void kernel_sweep(struct ofproto *o, struct kernel_tables *t)
{
	struct rmap_node *n;
	uint32_t at = 0;

	kernel_routes_sweep(o, t);
	while ((n = rmap_each(&t->neighs, &at))) {
		struct kneigh *k = container_of(n, struct kneigh, node);

		if (k->generation != t->generation)
			neigh_remove(o, t, k);
	}
	for (struct klink *l = t->links, *next; l; l = next) {
		next = l->next;
		if (l->generation != t->generation)
			link_remove(o, t, l);
	}
}
