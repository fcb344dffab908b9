/* SPDX-License-Identifier: Apache-2.0 */
/* Groups made of what was given. */
#include <stdlib.h>

#include "datapath/group.h"
#include "lib/hash.h"
#include "lib/openflow.h"
#include "lib/options.h"

static void *new (size_t size)
{
	void *at = calloc(1, MAX(size, (size_t)1));

	if (!at)
		abort();
	return at;
}

void group_spec_free(struct group_spec *spec)
{
	for (unsigned i = 0; i < spec->n_buckets; i++)
		buf_free(&spec->bucket[i].actions);
	free(spec->bucket);
	*spec = (struct group_spec){0};
}

/* ---- Identities ------------------------------------------------------------------------ */

/* The same in every process and version: not hash_bytes(), whose seed is random. */
static uint64_t text_hash(const struct buf *text)
{
	uint64_t h = text->size;

	for (size_t i = 0; i < text->size; i++)
		h = hash_add(h, text->data[i]);
	return hash_mix(h);
}

struct occurrence {
	uint64_t hash;
	unsigned at;
};

static int by_hash(const void *a, const void *b)
{
	const struct occurrence *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

void group_identities(const struct group_spec *spec, uint64_t *identity)
{
	struct occurrence *o = new (spec->n_buckets * sizeof *o);
	const struct port_names *names = port_names;
	unsigned same = 0;

	port_names = NULL; /* numbers last, names need not */
	for (unsigned i = 0; i < spec->n_buckets; i++) {
		const struct buf *actions = &spec->bucket[i].actions;
		struct buf text = {0};

		actions_format(actions->data, actions->size, &text);
		o[i] = (struct occurrence){text_hash(&text), i};
		buf_free(&text);
	}
	port_names = names;
	qsort(o, spec->n_buckets, sizeof *o, by_hash);
	for (unsigned i = 0; i < spec->n_buckets; i++) {
		same = i && o[i].hash == o[i - 1].hash ? same + 1 : 0;
		identity[o[i].at] = same ? hash_mix(o[i].hash + same) : o[i].hash;
	}
	free(o);
}

/* ---- Select's table -------------------------------------------------------------------- */

static struct maglev_backend *backends_of(const struct group_spec *spec)
{
	struct maglev_backend *b = new (spec->n_buckets * sizeof *b);
	uint64_t *identity = new (spec->n_buckets * sizeof *identity);

	group_identities(spec, identity);
	for (unsigned i = 0; i < spec->n_buckets; i++)
		b[i] = (struct maglev_backend){identity[i], spec->bucket[i].weight};
	free(identity);
	return b;
}

uint32_t group_slots(const struct group_spec *spec, uint32_t before)
{
	struct maglev_backend *b = backends_of(spec);
	uint32_t slots = before;

	if (!before || !maglev_fits(before, b, spec->n_buckets))
		slots = maglev_size(b, spec->n_buckets);
	free(b);
	return slots;
}

static void make_table(struct group *g, const struct group_spec *spec)
{
	struct maglev_backend *b;

	if (spec->type != OFPGT_SELECT || !spec->slots)
		return;
	b = backends_of(spec);
	g->n_slots = spec->slots;
	g->slot = new (g->n_slots * sizeof *g->slot);
	maglev_fill(g->slot, g->n_slots, b, spec->n_buckets);
	free(b);
}

/* ---- Groups ---------------------------------------------------------------------------- */

struct group *group_make(const struct group_spec *spec, const uint32_t *counter)
{
	struct group *g = new (sizeof *g);
	struct buf ops = {0};

	g->id = spec->id;
	g->type = spec->type;
	g->counter = counter[0];
	g->n_buckets = spec->n_buckets;
	g->bucket = new (g->n_buckets * sizeof *g->bucket);
	for (unsigned i = 0; i < g->n_buckets; i++) {
		const struct bucket_spec *from = &spec->bucket[i];
		struct group_bucket *b = &g->bucket[i];

		*b = (struct group_bucket){.watch_port = from->watch_port,
					   .watch_group = from->watch_group,
					   .counter = counter[1 + i],
					   .at = (uint32_t)ops.size};
		g->watches |= b->watch_port != OFPP_ANY || b->watch_group != OFPG_ANY;
		actions_as_set(from->actions.data, from->actions.size, &ops);
		b->size = (uint16_t)(ops.size - b->at);
	}
	buf_u64(&ops, 0); /* so that there is memory to point to where no bucket does anything */
	g->ops = ops.data;
	make_table(g, spec);
	return g;
}

void group_free(struct group *g)
{
	if (!g)
		return;
	free(g->bucket);
	free(g->slot);
	free(g->live);
	free(g->dead);
	free(g->ops);
	free(g);
}

static void gone(struct rcu_head *head)
{
	group_free(container_of(head, struct group, rcu));
}

void group_defer(struct group *g)
{
	rcu_defer(&g->rcu, gone);
}
