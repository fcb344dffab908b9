/* SPDX-License-Identifier: Apache-2.0 */
/* A removed entry leaves a tombstone that is never used again in the same slot array: a reader
 * in the middle of a probe sequence then cannot miss an entry that was inserted before another
 * one of its hash was removed.  Tombstones end when the slots are written anew. */
#include "lib/rmap.h"

#include <stdlib.h>

enum { SLOTS_MIN = 8 };

struct rmap_node rmap_tombstone;

/* What a map without entries points to, so that rmap_init() cannot fail and a lookup after
 * rmap_destroy() finds nothing. */
static struct rmap_slots no_slots = {.mask = 0, .slot = {NULL}};

void rmap_init(struct rmap *m)
{
	*m = (struct rmap){.slots = &no_slots};
}

static void slots_publish(struct rmap *m, struct rmap_slots *fresh)
{
	struct rmap_slots *old = m->slots;

	rcu_set(m->slots, fresh);
	if (old != &no_slots)
		rcu_free(old);
}

void rmap_destroy(struct rmap *m)
{
	slots_publish(m, &no_slots);
	m->n = m->n_used = 0;
}

static void slots_put(struct rmap_slots *s, struct rmap_node *node)
{
	uint32_t at = node->hash;

	while (s->slot[at & s->mask])
		at++;
	rcu_set(s->slot[at & s->mask], node);
}

/* Fresh slots, at most a quarter full with one more entry, without tombstones.  Half full they are
 * written anew: a lookup that finds nothing reads the hash of each entry it passes, so short
 * sequences are worth the memory. */
static void rehash(struct rmap *m)
{
	size_t n = SLOTS_MIN;
	struct rmap_slots *fresh;
	struct rmap_node *node;
	uint32_t position = 0;

	while (n / 4 < (size_t)m->n + 1)
		n *= 2;
	if (n - 1 > UINT32_MAX)
		abort();
	fresh = calloc(1, sizeof *fresh + n * sizeof fresh->slot[0]);
	if (!fresh)
		abort();
	fresh->mask = (uint32_t)(n - 1);
	while ((node = rmap_each(m, &position)))
		slots_put(fresh, node);
	slots_publish(m, fresh);
	m->n_used = m->n;
}

void rmap_insert(struct rmap *m, struct rmap_node *node, uint32_t hash)
{
	uint64_t slots = (uint64_t)m->slots->mask + 1;

	if (((uint64_t)m->n_used + 1) * 2 > slots)
		rehash(m);
	node->hash = hash;
	slots_put(m->slots, node);
	__atomic_store_n(&m->n, m->n + 1, __ATOMIC_RELAXED);
	m->n_used++;
}

/* The slot of an entry; one that is not in the map is the caller's mistake. */
static struct rmap_node **slot_of(struct rmap *m, const struct rmap_node *node)
{
	struct rmap_slots *s = m->slots;

	for (uint32_t at = node->hash;; at++) {
		struct rmap_node **slot = &s->slot[at & s->mask];

		if (*slot == node)
			return slot;
		if (!*slot)
			abort();
	}
}

void rmap_remove(struct rmap *m, struct rmap_node *node)
{
	rcu_set(*slot_of(m, node), &rmap_tombstone);
	__atomic_store_n(&m->n, m->n - 1, __ATOMIC_RELAXED);
}

void rmap_replace(struct rmap *m, struct rmap_node *old, struct rmap_node *fresh)
{
	struct rmap_node **slot = slot_of(m, old);

	/* An entry that was in the map before may still be read by those who found it then. */
	if (fresh->hash != old->hash)
		fresh->hash = old->hash;
	rcu_set(*slot, fresh);
}

struct rmap_node *rmap_each(const struct rmap *m, uint32_t *position)
{
	const struct rmap_slots *s = rcu_get(m->slots);

	while (*position <= s->mask) {
		struct rmap_node *n = rcu_get(s->slot[(*position)++]);

		if (n && n != &rmap_tombstone)
			return n;
	}
	return NULL;
}
