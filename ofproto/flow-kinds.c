/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/flow-kinds.h"

#include <stdlib.h>

#include "lib/hash.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

struct flow_kind {
	struct rmap_node node; /* by_mask */
	struct flow_kind *next, **link;
	struct entry *first;
	struct key mask;
	uint8_t table;
	bool conds;
};

static uint32_t hash_under(uint64_t begin, const struct key *mask, const struct key *key)
{
	uint64_t h = hash_add(hash_seed, begin);
	const uint64_t *m = (const uint64_t *)mask, *k = (const uint64_t *)key;

	for (unsigned i = 0; i < KEY_WORDS; i++)
		if (m[i])
			h = hash_add(hash_add(h, i), m[i] & k[i]);
	return hash_finish(h);
}

static uint32_t mask_hash(uint8_t table, const struct match *m)
{
	return hash_under(table << 1 | (m->n_conds != 0), &m->mask, &m->mask);
}

static uint32_t value_hash(const struct flow_kind *k, const struct match *m)
{
	return hash_under((uintptr_t)k, &m->mask, &m->value);
}

void flow_kinds_init(struct ofproto *o)
{
	rmap_init(&o->flows.kinds.by_mask);
	rmap_init(&o->flows.kinds.by_value);
}

void flow_kinds_destroy(struct ofproto *o)
{
	rmap_destroy(&o->flows.kinds.by_value);
	rmap_destroy(&o->flows.kinds.by_mask);
	free(o->flows.kinds.hit);
}

static struct flow_kind *find(struct ofproto *o, uint8_t table, const struct match *m)
{
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &o->flows.kinds.by_mask, mask_hash(table, m)) {
		struct flow_kind *k = container_of(n, struct flow_kind, node);

		if (k->table == table && k->conds == (m->n_conds != 0) &&
		    !memcmp(&k->mask, &m->mask, sizeof k->mask))
			return k;
	}
	return NULL;
}

static struct flow_kind *make(struct ofproto *o, uint8_t table, const struct match *m)
{
	struct flow_kind *k = mem_new(sizeof *k), **first = &o->flows.kinds.first[table];

	k->mask = m->mask;
	k->table = table;
	k->conds = m->n_conds;
	k->next = *first;
	k->link = first;
	if (k->next)
		k->next->link = &k->next;
	*first = k;
	rmap_insert(&o->flows.kinds.by_mask, &k->node, mask_hash(table, m));
	return k;
}

void flow_kind_add(struct ofproto *o, struct entry *e)
{
	const struct match *m = &e->flow.match;
	struct flow_kind *k = find(o, e->flow.table, m);

	if (!k)
		k = make(o, e->flow.table, m);
	e->kind = k;
	e->kind_next = k->first;
	e->kind_link = &k->first;
	if (e->kind_next)
		e->kind_next->kind_link = &e->kind_next;
	k->first = e;
	rmap_insert(&o->flows.kinds.by_value, &e->value_node, value_hash(k, m));
}

void flow_kind_remove(struct ofproto *o, struct entry *e)
{
	struct flow_kind *k = e->kind;

	rmap_remove(&o->flows.kinds.by_value, &e->value_node);
	*e->kind_link = e->kind_next;
	if (e->kind_next)
		e->kind_next->kind_link = e->kind_link;
	if (k->first)
		return;
	*k->link = k->next;
	if (k->next)
		k->next->link = k->link;
	rmap_remove(&o->flows.kinds.by_mask, &k->node);
	free(k);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static void look(struct ofproto *o, struct entry *e, const struct match *wide, size_t *n)
{
	struct flow_kinds *k = &o->flows.kinds;

	if (!match_covers(wide, &e->flow.match))
		return;
	if (*n == k->room) {
		k->room = MAX(64u, 2 * k->room);
		k->hit = mem_grow(k->hit, k->room * sizeof(struct entry *));
	}
	k->hit[(*n)++] = e;
}

/* Every bit that the match asks for is one of the kind's. */
static bool has_bits(const struct flow_kind *k, const struct match *wide)
{
	const uint64_t *m = (const uint64_t *)&k->mask, *w = (const uint64_t *)&wide->mask;

	for (unsigned i = 0; i < KEY_WORDS; i++)
		if (w[i] & ~m[i])
			return false;
	return true;
}

static int newest_first(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;

	return (x->key < y->key) - (x->key > y->key);
}

struct entry **flow_kinds_covered(struct ofproto *o, uint8_t table, const struct match *wide,
				  size_t *n)
{
	struct flow_kind *own = wide->n_conds ? NULL : find(o, table, wide);
	struct rmap_node *node;

	*n = 0;
	if (own)
		RMAP_FOR_EACH (node, &o->flows.kinds.by_value, value_hash(own, wide)) {
			struct entry *e = container_of(node, struct entry, value_node);

			if (e->kind == own)
				look(o, e, wide, n);
		}
	for (struct flow_kind *k = o->flows.kinds.first[table]; k; k = k->next)
		/* What a condition implies is in no mask. */
		if (k != own && (k->conds || has_bits(k, wide)))
			for (struct entry *e = k->first; e; e = e->kind_next)
				look(o, e, wide, n);
	if (*n)
		qsort(o->flows.kinds.hit, *n, sizeof(struct entry *), newest_first);
	return o->flows.kinds.hit;
}
