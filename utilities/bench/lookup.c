/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier alone: table_lookup() on keys that the parser has made beforehand. */
#include <stdlib.h>

#include "utilities/bench/bench.h"

struct keys {
	struct du_key du[BENCH_SLICE];
	struct outer_key outer[BENCH_SLICE];
	uint64_t index[BENCH_SLICE];
};

static void lookup_open(struct bed *b)
{
	b->priv = aligned_alloc(CACHE_LINE, ROUND_UP(sizeof(struct keys), CACHE_LINE));
	if (!b->priv)
		bench_die("no memory");
}

static void lookup_close(struct bed *b)
{
	free(b->priv);
}

/* What stands in frames becomes keys, and the frames are free again. */
static void make_keys(struct cell *c)
{
	struct bed *b = c->bed;
	struct keys *k = b->priv;
	struct worker *w = b->w;
	unsigned n = 0;

	w->version = rcu_get(b->dp->version);
	while (b->at < b->n) {
		struct batch batch = {.n = 0};
		struct pkt *p;

		bed_rx(b, &batch);
		stage_parse(w, &batch);
		stage_collect(w, &batch);
		stage_key(w, &batch);
		BATCH_FOR_EACH (p, &batch) {
			k->du[n] = p->key;
			k->outer[n] = p->outer->key;
			k->index[n] = c->traffic.i - b->n + n;
			n++;
			drop(w, p, DROP_RULE);
		}
	}
	b->at = 0;
}

static const struct rule *find(const struct cell *c, unsigned i, bool linear)
{
	const struct keys *k = c->bed->priv;
	const struct table *t = rcu_get(c->bed->dp->table[0]);
	struct probe probe = {.key = key_view_of(&k->du[i], &k->outer[i]),
			      .version = c->bed->w->version,
			      .worker = c->bed->w};

	return linear ? table_lookup_linear(t, &probe) : table_lookup(t, &probe);
}

static void lookups(struct cell *c)
{
	struct bed *b = c->bed;

	for (; b->at < b->n; b->at++) {
		const struct rule *r = find(c, b->at, false);

		c->sum += r ? r->id : 0;
	}
}

static void lookup_verdicts(struct cell *c, struct verdicts *v)
{
	const struct keys *k = c->bed->priv;

	for (unsigned i = 0; i < c->bed->n; i++, v->n++) {
		const struct rule *is = find(c, i, false), *ought = find(c, i, true);

		verdict_add(&v->checksum, &(struct verdict){.index = k->index[i],
							    .rule = is ? is->id : RULE_NONE});
		verdict_add(&v->twin, &(struct verdict){.index = k->index[i],
							.rule = ought ? ought->id : RULE_NONE});
	}
}

const struct scenario scenario_lookup = {
	.name = "lookup",
	.help = "the classifier alone: table_lookup() on keys made beforehand",
	.rules = all_rules,
	.traffic = all_traffic,
	.actions = "drop",
	.open = lookup_open,
	.close = lookup_close,
	.prepare = make_keys,
	.run = lookups,
	.verdicts = lookup_verdicts,
};
