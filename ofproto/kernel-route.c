/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of the kernel (rtnetlink(7), RTM_NEWROUTE). */
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "datapath/steer.h"
#include "lib/hash.h"
#include "ofproto/kernel-tables.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

/* A message, read. */
struct said {
	struct ip_prefix prefix;
	uint32_t table, metric;
	int kind; /* enum fib_kind; -1: none of ours */
	bool own; /* an address, where the kernel has broadcast and anycast ones too */
	unsigned n_paths;
	struct fib_path path[FIB_PATHS];
};

static int kind_of(uint8_t type)
{
	switch (type) {
	case RTN_UNICAST:
		return FIB_UNICAST;
	case RTN_LOCAL:
	case RTN_BROADCAST:
	case RTN_ANYCAST:
		return FIB_LOCAL;
	case RTN_BLACKHOLE:
		return FIB_BLACKHOLE;
	case RTN_UNREACHABLE:
		return FIB_UNREACHABLE;
	case RTN_PROHIBIT:
		return FIB_PROHIBIT;
	default:
		return -1;
	}
}

static struct ip read_ip(const struct nlattr *a, uint8_t family)
{
	size_t size = family == AF_INET ? 4 : 16;
	struct ip ip = {.family = family == AF_INET ? 4 : 6};

	memcpy(ip.octet, mnl_attr_get_payload(a), MIN(size, mnl_attr_get_payload_len(a)));
	return ip;
}

static struct ip read_via(const struct nlattr *a)
{
	const struct rtvia *via = mnl_attr_get_payload(a);
	size_t size = mnl_attr_get_payload_len(a);
	struct ip ip = {0};

	if (size < sizeof *via)
		return ip;
	ip.family = via->rtvia_family == AF_INET ? 4 : 6;
	memcpy(ip.octet, via->rtvia_addr, MIN(size - sizeof *via, ip.family == 4 ? 4u : 16u));
	return ip;
}

static void read_multipath(struct said *s, const struct nlattr *a, uint8_t family)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(a);
	int left = mnl_attr_get_payload_len(a);

	for (; RTNH_OK(hop, left) && s->n_paths < FIB_PATHS;
	     left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		struct fib_path path = {.ifindex = hop->rtnh_ifindex, .weight = hop->rtnh_hops + 1};
		const struct nlattr *h = (const void *)RTNH_DATA(hop);
		int size = hop->rtnh_len - (int)RTNH_LENGTH(0);

		for (; mnl_attr_ok(h, size); size -= MNL_ALIGN(h->nla_len), h = mnl_attr_next(h)) {
			if (mnl_attr_get_type(h) == RTA_GATEWAY)
				path.via = read_ip(h, family);
			else if (mnl_attr_get_type(h) == RTA_VIA)
				path.via = read_via(h);
		}
		if (!(hop->rtnh_flags & RTNH_F_DEAD))
			s->path[s->n_paths++] = path;
	}
}

static void read_attribute(struct said *s, struct fib_path *one, const struct nlattr *a,
			   uint8_t family)
{
	switch (mnl_attr_get_type(a)) {
	case RTA_DST:
		s->prefix.ip = read_ip(a, family);
		break;
	case RTA_TABLE:
		s->table = mnl_attr_get_u32(a);
		break;
	case RTA_PRIORITY:
		s->metric = mnl_attr_get_u32(a);
		break;
	case RTA_OIF:
		one->ifindex = (int)mnl_attr_get_u32(a);
		break;
	case RTA_GATEWAY:
		one->via = read_ip(a, family);
		break;
	case RTA_VIA:
		one->via = read_via(a);
		break;
	case RTA_MULTIPATH:
		read_multipath(s, a, family);
		break;
	default:
		break;
	}
}

static bool read_route(const struct nlmsghdr *h, struct said *s)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	struct fib_path one = {.weight = 1};
	const struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(h) < sizeof *rt ||
	    (rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6) ||
	    rt->rtm_flags & RTM_F_CLONED || rt->rtm_tos)
		return false;
	*s = (struct said){.table = rt->rtm_table,
			   .kind = kind_of(rt->rtm_type),
			   .own = rt->rtm_type == RTN_LOCAL};
	s->prefix.ip.family = rt->rtm_family == AF_INET ? 4 : 6;
	s->prefix.len = rt->rtm_dst_len;
	mnl_attr_for_each(a, h, sizeof *rt) read_attribute(s, &one, a, rt->rtm_family);
	if (!s->n_paths && one.ifindex && !(rt->rtm_flags & RTNH_F_DEAD))
		s->path[s->n_paths++] = one;
	return s->kind >= 0 && (s->table == RT_TABLE_MAIN || s->table == RT_TABLE_LOCAL);
}

/* ---- Entries ------------------------------------------------------------------------------------
 */

static uint32_t prefix_hash(const struct ip_prefix *p)
{
	return hash_finish(hash_add(ip_hash(&p->ip), p->len));
}

static bool same_prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && ip_equal(&a->ip, &b->ip);
}

/* IPv6 has routes on link of one metric on several devices; otherwise the metric tells. */
static int device_of(const struct said *s)
{
	return s->prefix.ip.family == 6 && s->n_paths == 1 && !s->path[0].via.family
		       ? s->path[0].ifindex
		       : 0;
}

static struct kroute *find(struct kernel_tables *t, const struct said *s)
{
	uint32_t hash = prefix_hash(&s->prefix);
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &t->routes, hash) {
		struct kroute *k = container_of(n, struct kroute, node);

		if (k->table == s->table && k->route->metric == s->metric &&
		    k->device == device_of(s) && same_prefix(&k->route->prefix, &s->prefix))
			return k;
	}
	return NULL;
}

static bool better(const struct kroute *a, const struct kroute *b)
{
	if (a->table != b->table)
		return a->table == RT_TABLE_LOCAL;
	return a->route->metric < b->route->metric;
}

/* The addresses that are the host's are the kernel's packets. */
static void steer(const struct ip_prefix *p, bool local)
{
	if (p->len != (p->ip.family == 4 ? 32 : 128))
		return;
	if (local)
		steer_local_add(&p->ip);
	else
		steer_local_del(&p->ip);
}

static struct kroute *best_of(struct kernel_tables *t, const struct ip_prefix *p)
{
	uint32_t hash = prefix_hash(p);
	struct kroute *best = NULL;
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &t->routes, hash) {
		struct kroute *k = container_of(n, struct kroute, node);

		if (same_prefix(&k->route->prefix, p) && (!best || better(k, best)))
			best = k;
	}
	return best;
}

static bool is_local(struct kernel_tables *t, const struct ip_prefix *p)
{
	const struct kroute *best = best_of(t, p);

	return best && best->route->kind == FIB_LOCAL;
}

/* The best of a prefix goes to the FIB. */
static void choose(struct ofproto *o, struct kernel_tables *t, const struct ip_prefix *p,
		   bool was_local)
{
	const struct kroute *best = best_of(t, p);
	bool local = best && best->route->kind == FIB_LOCAL;

	if (best)
		fib_route_set(&o->dp.fib, best->route);
	else
		fib_route_del(&o->dp.fib, p);
	if (local != was_local)
		steer(p, local);
}

static struct fib_route *route_of(const struct said *s)
{
	struct fib_route *r = mem_new(sizeof *r + s->n_paths * sizeof *r->path);

	r->prefix = s->prefix;
	r->kind = (enum fib_kind)s->kind;
	r->own = s->own;
	r->metric = s->metric;
	r->n_paths = s->n_paths;
	memcpy(r->path, s->path, s->n_paths * sizeof *r->path);
	return r;
}

static void set(struct ofproto *o, struct kernel_tables *t, const struct said *s, struct kroute *k)
{
	bool was_local = is_local(t, &s->prefix);

	if (!k) {
		k = mem_new(sizeof *k);
		k->table = s->table;
		k->device = device_of(s);
		rmap_insert(&t->routes, &k->node, prefix_hash(&s->prefix));
	} else {
		free(k->route);
	}
	k->route = route_of(s);
	k->generation = t->generation;
	choose(o, t, &s->prefix, was_local);
}

static void remove_route(struct ofproto *o, struct kernel_tables *t, struct kroute *k)
{
	struct ip_prefix prefix = k->route->prefix;
	bool was_local = is_local(t, &prefix);

	rmap_remove(&t->routes, &k->node);
	free(k->route);
	free(k);
	choose(o, t, &prefix, was_local);
}

/* A message about some of the next hops of an IPv6 route leaves the others. */
static bool is_whole(const struct kroute *k, const struct said *s)
{
	return s->n_paths >= k->route->n_paths;
}

bool kernel_route(struct ofproto *o, struct kernel_tables *t, const struct nlmsghdr *h)
{
	struct kroute *k;
	struct said s;

	if (!read_route(h, &s))
		return false;
	k = find(t, &s);
	if (h->nlmsg_type == RTM_NEWROUTE) {
		/* Of several IPv4 routes of one metric the first counts: a dump names it first, an
		 * appended one comes behind, any other goes before. */
		bool more = k && k->generation == t->generation && s.prefix.ip.family == 4 &&
			    !(h->nlmsg_flags & NLM_F_REPLACE);

		if (!more || !(h->nlmsg_flags & (NLM_F_APPEND | NLM_F_MULTI)))
			set(o, t, &s, k);
		if (k)
			k->more = more;
		return false;
	}
	if (!k)
		return false;
	if (k->more || !is_whole(k, &s))
		return true;
	remove_route(o, t, k);
	return false;
}

void kernel_routes_sweep(struct ofproto *o, struct kernel_tables *t)
{
	struct rmap_node *n;
	uint32_t at = 0;

	while ((n = rmap_each(&t->routes, &at))) {
		struct kroute *k = container_of(n, struct kroute, node);

		if (k->generation != t->generation)
			remove_route(o, t, k);
	}
}
