/* SPDX-License-Identifier: Apache-2.0 */
/* What became of each packet, and what should have. */
#include "lib/hash.h"
#include "utilities/bench/bench.h"

enum {
	VERDICTS_MAX = 4096,
	VERDICTS_MIN = 256,
	LINEAR_MAX = 4000000, /* rules looked at by the twin, in all */
};

/* A sum, so that the order in which packets end does not matter. */
void verdict_add(uint64_t *checksum, const struct verdict *v)
{
	uint64_t h = hash_add(0, v->index);

	h = hash_add(h, (uint64_t)v->rule << 32 | v->end);
	*checksum += hash_mix(hash_add(h, v->detail));
}

/* The packet's number, which IP carries as its identification. */
static uint64_t index_of(const struct sample_record *s)
{
	return s->l3 && s->l3 + 6u <= s->size ? get_be16(s->octet + s->l3 + 4) : UINT64_MAX;
}

static struct verdict seen(const struct sample_record *s)
{
	return (struct verdict){index_of(s), s->rule_id, s->end,
				s->end == SAMPLE_SENT ? s->out_port : s->reason};
}

/* Where the rule sends it: its first output; all buckets of a group lead to one port. */
static uint32_t output_of(const struct program *program)
{
	OP_FOR_EACH(op, program->ops, program->apply_size)
	if (op->kind == ACTION_OUTPUT || op->kind == ACTION_GROUP)
		return op->kind == ACTION_OUTPUT ? op->arg : (uint32_t)OUT_OFPORT;
	return 0;
}

static struct verdict expected(const struct cell *c, const struct sample_record *s)
{
	const struct table *t = c->bed->dp->table[0];
	struct probe probe = {.key = key_view_of(&s->key.du, &s->key.outer),
			      .version = c->bed->w->version};
	const struct rule *r = t ? table_lookup_linear(t, &probe) : NULL;
	struct verdict v = {index_of(s), r ? r->id : RULE_NONE, SAMPLE_DROPPED, DROP_TABLE_MISS};

	if (!r)
		return v;
	if (!output_of(r->program)) {
		v.detail = s->flags & SAMPLE_AGGREGATE ? DROP_EARLY : DROP_RULE;
		return v;
	}
	v.end = SAMPLE_SENT;
	v.detail = output_of(r->program);
	return v;
}

static void read_samples(struct cell *c, struct verdicts *v)
{
	struct ring *ring = &c->bed->w->samples;
	const struct sample_record *s;
	uint32_t size;

	while ((s = ring_peek(ring, &size))) {
		struct verdict is = seen(s), ought = expected(c, s);

		verdict_add(&v->checksum, &is);
		verdict_add(&v->twin, &ought);
		v->n++;
		ring_release(ring);
	}
}

/* Every packet is sampled while this runs: the clock goes on so far that no bound is met. */
static void sampled(struct cell *c, struct verdicts *v)
{
	struct worker *w = c->bed->w;

	while (c->bed->at < c->bed->n) {
		w->now += NSEC_PER_SEC / 100;
		worker_turn(w);
		read_samples(c, v);
	}
}

static unsigned how_many(const struct cell *c)
{
	unsigned rules = MAX(bed_n_rules(c->bed), 1u), n = LINEAR_MAX / rules;

	n = MAX(MIN(n, (unsigned)VERDICTS_MAX), (unsigned)VERDICTS_MIN);
	return c->scenario->packets_per_frame ? n / c->scenario->packets_per_frame : n;
}

/* The sampler looks at its settings a few times a second. */
static void sample_every(struct cell *c, uint32_t every, uint32_t max)
{
	struct batch nothing = {.n = 0};

	c->bed->dp->sample_every = every;
	c->bed->dp->sample_max = max;
	c->bed->w->now += NSEC_PER_SEC;
	stage_sample(c->bed->w, &nothing);
}

void verdicts_take(struct cell *c, struct verdicts *v)
{
	uint32_t every = c->bed->dp->sample_every, max = c->bed->dp->sample_max;
	unsigned n = how_many(c);

	*v = (struct verdicts){0};
	if (c->scenario->no_verdicts)
		return;
	rcu_set(c->bed->dp->cache_off, c->cache_off);
	sample_every(c, 1, SAMPLE_MAX_MAX);
	while (n) {
		unsigned part = MIN(n, (unsigned)BENCH_SLICE);

		bed_write(c->bed, c, part);
		if (c->scenario->verdicts)
			c->scenario->verdicts(c, v);
		else
			sampled(c, v);
		if (c->scenario->settle)
			c->scenario->settle(c);
		n -= part;
	}
	c->bed->n = 0; /* keys made of frames are no frames any more */
	sample_every(c, every, max);
}
