/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of all lengths share one hash; a bitmap per family says which lengths are worth a probe,
 * and a lookup goes through it from the longest. */
#include "datapath/fib.h"

#include <stdlib.h>

#include "lib/hash.h"

enum { OWN_TRIES = 8 };

void fib_init(struct fib *f)
{
	*f = (struct fib){0};
	rmap_init(&f->route);
	rmap_init(&f->neigh);
	rmap_init(&f->own);
}

void fib_destroy(struct fib *f)
{
	fib_clear(f);
	rmap_destroy(&f->route);
	rmap_destroy(&f->neigh);
	rmap_destroy(&f->own);
}

/* The address under a prefix length: the bits behind it become zero. */
static struct ip ip_masked(const struct ip *ip, unsigned len)
{
	struct ip m = {.family = ip->family};

	memcpy(m.octet, ip->octet, len / 8);
	if (len % 8)
		m.octet[len / 8] = (uint8_t)(ip->octet[len / 8] & (0xff00 >> len % 8));
	return m;
}

static uint32_t prefix_hash(const struct ip *masked, unsigned len)
{
	uint64_t half[2];

	memcpy(half, masked->octet, sizeof half);
	return hash_finish(hash_add(hash_add(hash_add(hash_seed, half[0]), half[1]),
				    (uint64_t)masked->family << 8 | len));
}

static uint32_t neigh_hash(const struct ip *ip, int ifindex)
{
	return prefix_hash(ip, 0) ^ (uint32_t)hash_mix((uint32_t)ifindex);
}

static struct fib_route *route_find(const struct fib *f, const struct ip *masked, unsigned len)
{
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &f->route, prefix_hash(masked, len)) {
		struct fib_route *r = container_of(n, struct fib_route, node);

		if (r->prefix.len == len && ip_equal(&r->prefix.ip, masked))
			return r;
	}
	return NULL;
}

static void route_free(struct rcu_head *head)
{
	free(container_of(head, struct fib_route, rcu));
}

static uint32_t own_hash(int ifindex, uint8_t family)
{
	return (uint32_t)hash_mix((uint64_t)(uint32_t)ifindex << 8 | family);
}

static void own_free(struct rcu_head *head)
{
	free(container_of(head, struct fib_own, rcu));
}

/* A route that is an address of ours is found by its interface too. */
static void own_set(struct fib *f, struct fib_route *r)
{
	struct fib_own *own;

	r->is_own = NULL;
	if (!r->own || r->kind != FIB_LOCAL || !r->n_paths ||
	    r->prefix.len != (r->prefix.ip.family == 4 ? 32 : 128))
		return;
	own = calloc(1, sizeof *own);
	if (!own)
		abort();
	own->ip = r->prefix.ip;
	own->ifindex = r->path[0].ifindex;
	r->is_own = own;
	rmap_insert(&f->own, &own->node, own_hash(own->ifindex, own->ip.family));
}

static void own_remove(struct fib *f, struct fib_route *r)
{
	if (!r->is_own)
		return;
	rmap_remove(&f->own, &r->is_own->node);
	rcu_defer(&r->is_own->rcu, own_free);
}

static void neigh_free(struct rcu_head *head)
{
	free(container_of(head, struct fib_neigh, rcu));
}

/* How many routes have this length; the bitmap follows. */
static void count_length(struct fib *f, const struct ip_prefix *p, int change)
{
	uint32_t *n = p->ip.family == 4 ? &f->n_len4[p->len] : &f->n_len6[p->len];
	uint64_t *bits = p->ip.family == 4 ? &f->lens4 : &f->lens6[p->len / 64];
	uint64_t bit = 1ull << p->len % 64;

	*n += (uint32_t)change;
	rcu_set(*bits, *n ? *bits | bit : *bits & ~bit);
}

void fib_route_set(struct fib *f, const struct fib_route *r)
{
	size_t size = sizeof *r + r->n_paths * sizeof r->path[0];
	struct fib_route *fresh = malloc(size), *old;

	if (!fresh)
		abort();
	memcpy(fresh, r, size);
	fresh->prefix.ip = ip_masked(&r->prefix.ip, r->prefix.len);
	own_set(f, fresh);
	old = route_find(f, &fresh->prefix.ip, fresh->prefix.len);
	if (old) {
		own_remove(f, old);
		rmap_replace(&f->route, &old->node, &fresh->node);
		rcu_defer(&old->rcu, route_free);
		return;
	}
	rmap_insert(&f->route, &fresh->node, prefix_hash(&fresh->prefix.ip, fresh->prefix.len));
	count_length(f, &fresh->prefix, 1);
}

static void route_remove(struct fib *f, struct fib_route *r)
{
	own_remove(f, r);
	count_length(f, &r->prefix, -1);
	rmap_remove(&f->route, &r->node);
	rcu_defer(&r->rcu, route_free);
}

bool fib_route_del(struct fib *f, const struct ip_prefix *prefix)
{
	struct ip masked = ip_masked(&prefix->ip, prefix->len);
	struct fib_route *r = route_find(f, &masked, prefix->len);

	if (r)
		route_remove(f, r);
	return r;
}

static struct fib_neigh *neigh_find(const struct fib *f, const struct ip *ip, int ifindex)
{
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &f->neigh, neigh_hash(ip, ifindex)) {
		struct fib_neigh *found = container_of(n, struct fib_neigh, node);

		if (found->ifindex == ifindex && ip_equal(&found->ip, ip))
			return found;
	}
	return NULL;
}

void fib_neigh_set(struct fib *f, const struct fib_neigh *n)
{
	struct fib_neigh *fresh = malloc(sizeof *fresh), *old = neigh_find(f, &n->ip, n->ifindex);

	if (!fresh)
		abort();
	*fresh = *n;
	if (old) {
		rmap_replace(&f->neigh, &old->node, &fresh->node);
		rcu_defer(&old->rcu, neigh_free);
	} else {
		rmap_insert(&f->neigh, &fresh->node, neigh_hash(&n->ip, n->ifindex));
	}
}

bool fib_neigh_del(struct fib *f, const struct ip *ip, int ifindex)
{
	struct fib_neigh *n = neigh_find(f, ip, ifindex);

	if (!n)
		return false;
	rmap_remove(&f->neigh, &n->node);
	rcu_defer(&n->rcu, neigh_free);
	return true;
}

void fib_clear(struct fib *f)
{
	struct rmap_node *n;
	uint32_t position = 0;

	while ((n = rmap_each(&f->route, &position)))
		route_remove(f, container_of(n, struct fib_route, node));
	position = 0;
	while ((n = rmap_each(&f->neigh, &position))) {
		rmap_remove(&f->neigh, n);
		rcu_defer(&container_of(n, struct fib_neigh, node)->rcu, neigh_free);
	}
}

/* The longest match among the lengths of one word of a bitmap, which begins at `base`. */
static const struct fib_route *lookup_lengths(const struct fib *f, const struct ip *dst,
					      uint64_t bits, unsigned base)
{
	while (bits) {
		unsigned top = 63 - (unsigned)__builtin_clzll(bits);
		struct ip masked = ip_masked(dst, base + top);
		const struct fib_route *r = route_find(f, &masked, base + top);

		if (r)
			return r;
		bits &= ~(1ull << top);
	}
	return NULL;
}

const struct fib_route *fib_lookup(const struct fib *f, const struct ip *dst)
{
	const struct fib_route *r;

	if (dst->family == 4)
		return lookup_lengths(f, dst, rcu_get(f->lens4), 0);
	for (unsigned i = 3; i-- > 0;) {
		r = lookup_lengths(f, dst, rcu_get(f->lens6[i]), i * 64);
		if (r)
			return r;
	}
	return NULL;
}

const struct fib_neigh *fib_neigh_find(const struct fib *f, const struct ip *ip, int ifindex)
{
	return neigh_find(f, ip, ifindex);
}

static bool is_narrow(const struct ip *ip)
{
	static const uint8_t loopback[16] = {[15] = 1};

	if (ip->family == 4)
		return ip->octet[0] == 127 || (ip->octet[0] == 169 && ip->octet[1] == 254);
	return !memcmp(ip->octet, loopback, 16) ||
	       (ip->octet[0] == 0xfe && (ip->octet[1] & 0xc0) == 0x80);
}

bool fib_own_address(const struct fib *f, int ifindex, uint8_t family, struct ip *ip)
{
	unsigned left = OWN_TRIES;
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &f->own, own_hash(ifindex, family)) {
		const struct fib_own *own = container_of(n, struct fib_own, node);

		if (own->ifindex == ifindex && own->ip.family == family && !is_narrow(&own->ip)) {
			*ip = own->ip;
			return true;
		}
		if (!--left)
			break;
	}
	return false;
}

/* A path without a weight counts as one of weight 1, as the kernel's do. */
static uint32_t path_weight(const struct fib_path *p)
{
	return p->weight ? p->weight : 1;
}

const struct fib_path *fib_path_choose(const struct fib_route *r, uint32_t flow_hash)
{
	uint64_t total = 0, at;

	if (r->n_paths <= 1)
		return r->n_paths ? &r->path[0] : NULL;
	for (unsigned i = 0; i < r->n_paths; i++)
		total += path_weight(&r->path[i]);
	/* Mixed again: queues are chosen by the same hash. */
	at = (hash_mix(flow_hash) >> 32) * total >> 32;
	for (unsigned i = 0; i < r->n_paths - 1; i++) {
		if (at < path_weight(&r->path[i]))
			return &r->path[i];
		at -= path_weight(&r->path[i]);
	}
	return &r->path[r->n_paths - 1];
}
