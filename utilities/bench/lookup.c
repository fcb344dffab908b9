/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier alone, on keys that the parser has made beforehand, some at a time as the rules
 * stage has it. */
#include <stdlib.h>

#include "datapath/tuple-search.h"
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

static void probe_init(struct probe *probe, const struct cell *c, unsigned i)
{
	const struct keys *k = c->bed->priv;

	*probe = (struct probe){.key = key_view_of(&k->du[i], &k->outer[i]),
				.version = c->bed->w->version,
				.worker = c->bed->w};
}

static void lookups(struct cell *c)
{
	enum { AHEAD = 8 };
	const struct table *t = rcu_get(c->bed->dp->table[0]);
	struct tuple_search search[AHEAD];
	struct probe probe[AHEAD];
	struct bed *b = c->bed;

	while (b->at < b->n) {
		unsigned n = MIN(b->n - b->at, (unsigned)AHEAD);

		for (unsigned i = 0; i < n; i++) {
			probe_init(&probe[i], c, b->at + i);
			table_lookup_begin(&search[i], t, &probe[i]);
		}
		for (unsigned i = 0; i < n; i++) {
			const struct rule *r = table_lookup_end(&search[i], &probe[i]);

			c->sum += r ? r->id : 0;
		}
		b->at += n;
	}
}

static void lookup_verdicts(struct cell *c, struct verdicts *v)
{
	const struct table *t = rcu_get(c->bed->dp->table[0]);
	const struct keys *k = c->bed->priv;

	for (unsigned i = 0; i < c->bed->n; i++, v->n++) {
		const struct rule *is, *ought;
		struct probe probe;

		probe_init(&probe, c, i);
		is = table_lookup(t, &probe);
		ought = table_lookup_linear(t, &probe);

		verdict_add(&v->checksum, &(struct verdict){.index = k->index[i],
							    .rule = is ? is->id : RULE_NONE});
		verdict_add(&v->twin, &(struct verdict){.index = k->index[i],
							.rule = ought ? ought->id : RULE_NONE});
	}
}

const struct scenario scenario_lookup = {
	.name = "lookup",
	.help = "the classifier alone, on keys made beforehand",
	.rules = all_rules,
	.traffic = all_traffic,
	.actions = "drop",
	.open = lookup_open,
	.close = lookup_close,
	.prepare = make_keys,
	.run = lookups,
	.verdicts = lookup_verdicts,
};
