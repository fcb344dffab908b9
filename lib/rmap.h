/* SPDX-License-Identifier: Apache-2.0 */
/* A hash map of pointers with one writer and any number of RCU readers.
 *
 * The map holds pointers to entries that embed `struct rmap_node`; it owns none of them.  Slots
 * are probed linearly; growing publishes a new slot array and defers the old one's end, so
 * an entry never moves.  Lookups cost one probe sequence, no lock, no store.  Duplicated hashes
 * are allowed: the caller's loop decides which entry is meant.
 *
 *	struct rmap_node *n;
 *	RMAP_FOR_EACH(n, &map, hash) {
 *		struct thing *t = container_of(n, struct thing, node);
 *		if (t->key == key) …
 *	}
 *
 * Threads: lookups from RCU readers and the writer; everything else from the one writer. */
#ifndef SLUICE_RMAP_H
#define SLUICE_RMAP_H

#include "lib/rcu.h"

struct rmap_node {
	uint32_t hash;
};

struct rmap_slots {
	uint32_t mask; /* slots - 1, a power of two less one */
	struct rmap_node *slot[];
};

struct rmap {
	struct rmap_slots *slots; /* RCU; never NULL after rmap_init */
	uint32_t n, n_used;       /* entries; entries and tombstones (writer's) */
};

void rmap_init(struct rmap *m);
void rmap_destroy(struct rmap *m); /* entries are the caller's; frees after a grace period */
void rmap_insert(struct rmap *m, struct rmap_node *node, uint32_t hash);
void rmap_remove(struct rmap *m, struct rmap_node *node);
/* Puts `fresh` into the place of `old` in one store: readers see one or the other. */
void rmap_replace(struct rmap *m, struct rmap_node *old, struct rmap_node *fresh);

extern struct rmap_node rmap_tombstone;

struct rmap_cursor {
	const struct rmap_slots *slots;
	uint32_t at, left;
};

static inline struct rmap_node *rmap_next(struct rmap_cursor *c, uint32_t hash)
{
	for (; c->left; c->left--) {
		struct rmap_node *n = rcu_get(c->slots->slot[c->at & c->slots->mask]);

		c->at++;
		if (!n)
			return NULL;
		if (n != &rmap_tombstone && n->hash == hash) {
			c->left--;
			return n;
		}
	}
	return NULL;
}

static inline struct rmap_cursor rmap_find(const struct rmap *m, uint32_t hash)
{
	const struct rmap_slots *s = rcu_get(m->slots);

	return (struct rmap_cursor){s, hash, s->mask + 1};
}

#define RMAP_FOR_EACH(N, MAP, HASH) \
	for (struct rmap_cursor c_##N = rmap_find(MAP, HASH); ((N) = rmap_next(&c_##N, HASH));)

/* How many entries there are: for readers, whom the members are not for. */
static inline uint32_t rmap_count(const struct rmap *m)
{
	return __atomic_load_n(&m->n, __ATOMIC_RELAXED);
}

/* Every entry, in no order; the writer may remove the current one. */
struct rmap_node *rmap_each(const struct rmap *m, uint32_t *position);

#endif
