/* SPDX-License-Identifier: Apache-2.0 */
/* The rules stage alone, on packets whose keys are there: with the cache what finding costs in it,
 * without it what a lookup costs in its place, the rule's counters included. */
#include <stdlib.h>

#include "utilities/bench/bench.h"

struct ready {
	struct batch batch[BENCH_SLICE / BATCH_MAX];
	unsigned n;
};

static void ready_open(struct bed *b)
{
	b->priv = calloc(1, sizeof(struct ready));
	if (!b->priv)
		bench_die("no memory");
}

static void ready_close(struct bed *b)
{
	free(b->priv);
}

static void make_ready(struct cell *c)
{
	struct bed *b = c->bed;
	struct ready *r = b->priv;

	b->w->version = rcu_get(b->dp->version);
	for (r->n = 0; b->at < b->n; r->n++) {
		struct batch *batch = &r->batch[r->n];

		batch->n = 0;
		bed_rx(b, batch);
		stage_parse(b->w, batch);
		stage_collect(b->w, batch);
		stage_key(b->w, batch);
	}
}

static void find_all(struct cell *c)
{
	struct ready *r = c->bed->priv;

	c->bed->w->path_used = 0;
	for (unsigned i = 0; i < r->n; i++)
		stage_rules(c->bed->w, &r->batch[i]);
}

static void let_go(struct cell *c)
{
	struct ready *r = c->bed->priv;
	struct pkt *p;

	for (unsigned i = 0; i < r->n; i++)
		BATCH_FOR_EACH (p, &r->batch[i])
			drop(c->bed->w, p, DROP_RULE);
	r->n = 0;
}

static uint32_t linear(const struct cell *c, const struct pkt *p)
{
	struct probe probe = {.key = key_view_of(&p->key, &p->outer->key),
			      .version = c->bed->w->version};
	const struct rule *r = table_lookup_linear(rcu_get(c->bed->dp->table[0]), &probe);

	return r ? r->id : RULE_NONE;
}

static void add(struct verdicts *v, uint64_t *checksum, uint32_t rule, unsigned index)
{
	verdict_add(checksum, &(struct verdict){.index = v->n + index, .rule = rule});
}

/* A packet that meets no rule is gone behind the stage; the rest keep their order. */
static void ready_verdicts(struct cell *c, struct verdicts *v)
{
	struct ready *r = c->bed->priv;

	for (unsigned i = 0; i < r->n; i++) {
		struct batch before = r->batch[i], *after = &r->batch[i];
		unsigned left = 0;

		for (unsigned k = 0; k < before.n; k++)
			add(v, &v->twin, linear(c, before.pkt[k]), k);
		stage_rules(c->bed->w, after);
		for (unsigned k = 0; k < before.n; k++) {
			bool there = left < after->n && after->pkt[left] == before.pkt[k];

			add(v, &v->checksum, there ? before.pkt[k]->rule.id : RULE_NONE, k);
			left += there;
		}
		v->n += before.n;
	}
}

const struct scenario scenario_stage_rules = {
	.name = "rules",
	.help = "the rules stage alone, on packets whose keys are there: the cache beside the "
		"lookup",
	.rules = all_rules,
	.traffic = all_traffic,
	.actions = "output:2",
	.cache = true,
	.open = ready_open,
	.close = ready_close,
	.prepare = make_ready,
	.run = find_all,
	.settle = let_go,
	.verdicts = ready_verdicts,
};
