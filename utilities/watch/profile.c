/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest match that covers an attack with the least collateral.
 *
 * A search that only ever narrows: it begins with the attack's own match (target and class) and
 * adds the one condition that helps most, until none helps.  A condition is a row of `candidates`
 * with a value that is frequent among the attack's samples.  A match is judged by
 *
 *	(1 − covers) + 4 · collateral + the cost of its conditions
 *
 * where `covers` is the match's share of the excess: the rate since the attack began less the
 * rate before, so that lawful packets among the attack's samples weigh nothing.  Costs say how
 * willingly a field is used: where a packet entered is worth more than what its sender wrote. */
#include <stdlib.h>

#include "utilities/watch/recent.h"
#include "utilities/watch/decide.h"

enum {
	ATTACK_SAMPLES = 2048,
	BEFORE_SAMPLES = 4096,
	STEPS_MAX = 6,
	FREQUENT = 12,   /* values of a field that are looked at */
	BEFORE_FEW = 64, /* fewer lawful samples than these: the latest ones count as well */
	ONSET_FEW = 4,   /* samples that a moment's rate stands on, at least */
	ALL = FIELD_SIZE_MAX * 8,
};
#define ONSET_STEP_NS (2 * NSEC_PER_SEC)
#define ONSET_FAR_NS  (60 * NSEC_PER_SEC)

static const struct candidate {
	enum field_id field;
	unsigned prefix; /* bits from the left; ALL: the whole field */
	uint16_t mask;   /* of tcp_flags; 0: by prefix */
	double cost;
} candidates[] = {
	{FIELD_ETH_TYPE, ALL, 0, .005},       {FIELD_IP_PROTO, ALL, 0, .005},
	{FIELD_IN_PORT, ALL, 0, .010},        {FIELD_UDP_SRC, ALL, 0, .010},
	{FIELD_UDP_DST, ALL, 0, .010},        {FIELD_TCP_DST, ALL, 0, .010},
	{FIELD_TCP_SRC, ALL, 0, .012},        {FIELD_TCP_FLAGS, 0, 0x12, .010}, /* syn, ack */
	{FIELD_TCP_FLAGS, 0, 0x17, .012}, /* fin, syn, rst, ack */
	{FIELD_ICMPV4_TYPE, ALL, 0, .010},    {FIELD_ICMPV6_TYPE, ALL, 0, .010},
	{FIELD_IP_FRAG, ALL, 0, .010},        {FIELD_IPV4_DST, ALL, 0, .010},
	{FIELD_IPV6_DST, ALL, 0, .010},       {FIELD_OUTER_IPV4_SRC, ALL, 0, .011},
	{FIELD_OUTER_IPV4_SRC, 24, 0, .013},  {FIELD_OUTER_IPV6_SRC, ALL, 0, .011},
	{FIELD_OUTER_IPV6_SRC, 64, 0, .013},  {FIELD_IPV4_SRC, ALL, 0, .015},
	{FIELD_IPV4_SRC, 24, 0, .015},        {FIELD_IPV4_SRC, 16, 0, .016},
	{FIELD_IPV6_SRC, ALL, 0, .015},       {FIELD_IPV6_SRC, 64, 0, .015},
	{FIELD_IPV6_SRC, 48, 0, .016},        {FIELD_VLAN_VID, ALL, 0, .015},
	{FIELD_OUTER_VLAN_VID, ALL, 0, .015}, {FIELD_OUTER_MPLS_LABEL, ALL, 0, .015},
	{FIELD_OUTER_PORT, ALL, 0, .018},     {FIELD_OUTER_DSCP, ALL, 0, .020},
	{FIELD_DISAGREE, ALL, 0, .020},       {FIELD_PKT_LEN, ALL, 0, .020},
	{FIELD_IP_DSCP, ALL, 0, .025},        {FIELD_NW_TTL, ALL, 0, .025},
	{FIELD_OUTER_TTL, ALL, 0, .025},      {FIELD_ETH_SRC, ALL, 0, .025},
};

/* A sample, with the packets that it stands for, and whether the match so far hits it. */
struct pick {
	const struct watch_sample *s;
	double packets;
	bool in;
};

struct picks {
	unsigned n;
	struct pick *pick;
	double seconds;
};

struct condition {
	const struct field *field;
	double cost;
	uint8_t value[FIELD_SIZE_MAX], mask[FIELD_SIZE_MAX];
};

struct score {
	double covers, collateral, costs;
};

struct search {
	const struct attack *a;
	struct picks attack, before;
	double to_target; /* lawful packets */
	double excess;    /* packets a second of the attack's own match */
	bool by_excess;   /* less what came before */
	struct match match;
	struct score score;
	unsigned n;
	struct condition condition[STEPS_MAX];
};

/* What a condition must reach: a share of what is covered, and to be judged better. */
struct bounds {
	double keep, least;
};

static double judge(const struct score *s)
{
	return 1 - s->covers + 4 * s->collateral + s->costs;
}

/* ---- Samples ----------------------------------------------------------------------------- */

struct gather {
	struct recent_query query;
	struct picks *to;
	unsigned room;
};

static void gather_one(struct recent_query *q, const struct watch_sample *s, double packets)
{
	struct gather *g = container_of(q, struct gather, query);

	if (g->to->n < g->room)
		g->to->pick[g->to->n++] = (struct pick){s, packets, true};
}

/* At most `max` of those found, evenly. */
static void thin(struct picks *p, unsigned max)
{
	double step = (double)p->n / max;

	if (p->n <= max)
		return;
	for (unsigned i = 0; i < max; i++) {
		p->pick[i] = p->pick[(unsigned)(i * step)];
		p->pick[i].packets *= step;
	}
	p->n = max;
}

static void gather(const struct recent *r, struct gather *g)
{
	g->room = RECENT_RING + RECENT_EPOCHS * RECENT_GROUPS * RECENT_KEPT;
	g->to->pick = malloc(g->room * sizeof *g->to->pick);
	if (!g->to->pick)
		abort();
	g->query.found = gather_one;
	recent_each(r, &g->query);
}

/* Of the attack's kind, between two times: whether it was surely more than twice the usual. */
static bool was_much(const struct search *s, const struct picks *p, uint64_t from, uint64_t to)
{
	double packets = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++) {
		const struct watch_sample *one = p->pick[i].s;
		const struct key_view view = key_view_of(&one->key.du, &one->key.outer);

		if (one->ns < from || one->ns >= to || !match_hits(&s->a->match, &view))
			continue;
		packets += p->pick[i].packets;
		n++;
	}
	return n >= ONSET_FEW && packets * NSEC_PER_SEC / (double)(to - from) > 2 * s->a->usual_pps;
}

/* Where samples are few, the first window that is surely above comes late: the attack began where
 * much of its kind did. */
static uint64_t onset(const struct search *s, const struct picks *before, uint64_t since)
{
	uint64_t at = s->a->first_ns, first = MAX(since, at - MIN(at, ONSET_FAR_NS));

	while (s->a->learned && at >= first + ONSET_STEP_NS &&
	       was_much(s, before, at - ONSET_STEP_NS, at))
		at -= ONSET_STEP_NS;
	return at;
}

/* Lawful samples to the target.  What came just before the attack's onset may have been its
 * beginning still: it is left out where enough is left without it. */
static void gather_before(struct search *s, const struct recent *r)
{
	uint64_t since = MIN(recent_since(r), s->a->first_ns), to = s->a->first_ns, gap;
	struct picks *before = &s->before;
	struct match target;
	struct gather g = {.to = before};
	unsigned n = 0;

	target_match(&s->a->target, &target);
	g.query.match = &target;
	g.query.to_ns = to;
	g.query.lawful = true;
	gather(r, &g);
	to = onset(s, before, since);
	for (gap = MIN((to - since) / 3, 90 * NSEC_PER_SEC); gap;
	     gap = gap < NSEC_PER_SEC ? 0 : gap / 4) {
		n = 0;
		for (unsigned i = 0; i < before->n; i++)
			n += before->pick[i].s->ns < to - gap;
		if (n >= BEFORE_FEW && n >= before->n / 2)
			break;
	}
	n = 0;
	for (unsigned i = 0; i < before->n; i++)
		if (before->pick[i].s->ns < to - gap)
			before->pick[n++] = before->pick[i];
	before->n = n;
	thin(before, BEFORE_SAMPLES);
	before->seconds = (double)recent_lawful_ns(r, &target, since, to - gap) / NSEC_PER_SEC;
}

static void gather_attack(struct search *s, const struct recent *r)
{
	struct gather g = {.to = &s->attack};

	g.query.match = &s->a->match;
	g.query.from_ns = s->a->first_ns;
	g.query.to_ns = UINT64_MAX;
	gather(r, &g);
	thin(&s->attack, ATTACK_SAMPLES);
	s->attack.seconds =
		(double)(MAX(recent_now(r), s->a->first_ns) - s->a->first_ns) / NSEC_PER_SEC;
	s->attack.seconds = MAX(s->attack.seconds, 0.1);
}

/* ---- Conditions -------------------------------------------------------------------------- */

static bool has_field(const struct watch_sample *s, const struct field *f)
{
	return (be32toh(s->key.outer.has) & f->has) == f->has;
}

static bool hits(const struct condition *c, const struct watch_sample *s)
{
	const uint8_t *at = field_in(&s->key, c->field);

	for (unsigned i = 0; i < c->field->size; i++)
		if ((at[i] ^ c->value[i]) & c->mask[i])
			return false;
	return has_field(s, c->field);
}

static double rate(const struct picks *p, const struct condition *c)
{
	double packets = 0;

	for (unsigned i = 0; i < p->n; i++)
		if (p->pick[i].in && (!c || hits(c, p->pick[i].s)))
			packets += p->pick[i].packets;
	return p->seconds > 0 ? packets / p->seconds : 0;
}

/* The match so far with `c` (or as it is), of which `now` came since. */
static struct score score_of(const struct search *s, const struct condition *c, double now)
{
	double before = rate(&s->before, c);
	struct score score = {.costs = s->score.costs + (c ? c->cost : 0)};

	score.covers = (now - (s->by_excess ? before : 0)) / s->excess;
	score.covers = MAX(MIN(score.covers, 1.0), 0.0);
	if (s->to_target > 0)
		score.collateral = before * s->before.seconds / s->to_target;
	return score;
}

static struct score score(const struct search *s, const struct condition *c)
{
	return score_of(s, c, rate(&s->attack, c));
}

/* Whether it would help if no lawful packet were like it.  What does not is not compared with those
 * from before, which are the most: how many values there are to look at is the sender's choice. */
static bool may_help(const struct search *s, const struct condition *c, double now,
		     const struct bounds *b)
{
	struct score most = {.covers = MIN(now / s->excess, 1.0),
			     .costs = s->score.costs + c->cost};

	return most.covers >= b->keep * s->score.covers && judge(&most) < b->least;
}

/* The mask of a candidate; false when the match says as much already. */
static bool candidate_mask(const struct candidate *c, const struct match *m, uint8_t *mask)
{
	const struct field *f = &fields[c->field];
	const uint8_t *octets = field_in(&m->mask, f);
	uint8_t set[FIELD_SIZE_MAX];
	unsigned left = c->prefix;
	bool more = false;

	field_ones(f, mask);
	for (unsigned i = 0; i < f->size; i++)
		set[i] = octets[i] & mask[i];
	if (c->mask)
		put_be16(mask, c->mask);
	else
		for (unsigned i = 0; i < f->size; i++, left -= MIN(left, 8u))
			mask[i] &= left >= 8 ? 0xff : (uint8_t) ~(0xff >> left);
	for (unsigned i = 0; i < f->size; i++) {
		if (set[i] & ~mask[i])
			return false;
		more |= mask[i] & ~set[i];
	}
	return more;
}

static bool apply(struct match *m, const struct condition *c)
{
	uint8_t *value = (uint8_t *)&m->value + c->field->off;
	uint8_t *mask = (uint8_t *)&m->mask + c->field->off;

	/* What is there is narrowed: match_set() takes a field once. */
	memset(value, 0, c->field->size);
	memset(mask, 0, c->field->size);
	return !match_set(m, c->field, c->value, c->mask, NULL) && !match_finish(m, NULL);
}

/* ---- Values ------------------------------------------------------------------------------ */

/* The values that more than one in FREQUENT + 1 of the packets have, and some others: Misra and
 * Gries's count. */
struct frequent {
	unsigned n;
	struct {
		const uint8_t *value; /* in a sample; unmasked */
		double packets;
	} of[FREQUENT];
};

static bool same(const uint8_t *a, const uint8_t *b, const struct condition *c)
{
	for (unsigned i = 0; i < c->field->size; i++)
		if ((a[i] ^ b[i]) & c->mask[i])
			return false;
	return true;
}

static void count(struct frequent *f, const struct condition *c, const struct pick *p)
{
	const uint8_t *value = field_in(&p->s->key, c->field);
	double least = p->packets;
	unsigned n = 0;

	for (unsigned i = 0; i < f->n; i++) {
		if (same(f->of[i].value, value, c)) {
			f->of[i].packets += p->packets;
			return;
		}
		least = MIN(least, f->of[i].packets);
	}
	if (f->n < FREQUENT) {
		f->of[f->n].value = value;
		f->of[f->n++].packets = p->packets;
		return;
	}
	for (unsigned i = 0; i < f->n; i++) {
		f->of[i].packets -= least;
		if (f->of[i].packets > 0)
			f->of[n++] = f->of[i];
	}
	f->n = n;
}

static bool is_zero(const struct condition *c)
{
	for (unsigned i = 0; i < c->field->size; i++)
		if (c->value[i])
			return false;
	return true;
}

/* A zero that says "not there" or "not known" is no condition. */
static bool means_nothing(const struct condition *c)
{
	return is_zero(c) && (c->field->text == TEXT_VLAN || c->field->text == TEXT_PORT ||
			      c->field->text == TEXT_ETH || c->field->text == TEXT_IPV4 ||
			      c->field->text == TEXT_IPV6 || c->field == &fields[FIELD_ETH_TYPE] ||
			      c->field == &fields[FIELD_PKT_LEN]);
}

/* The values that are frequent where the match so far hits. */
static void find_frequent(const struct search *s, const struct condition *c, struct frequent *f)
{
	for (unsigned i = 0; i < s->attack.n; i++)
		if (s->attack.pick[i].in && has_field(s->attack.pick[i].s, c->field))
			count(f, c, &s->attack.pick[i]);
}

/* The best condition that keeps `keep` of what is covered.  False: none is better than none. */
static bool best_condition(const struct search *s, double keep, struct condition *best)
{
	struct bounds b = {keep, judge(&s->score)};
	bool found = false;

	for (unsigned i = 0; i < ARRAY_SIZE(candidates); i++) {
		struct condition c = {.field = &fields[candidates[i].field],
				      .cost = candidates[i].cost};
		struct frequent f = {0};

		if (!match_meets(&s->match, c.field) && c.field->prereq != PRE_OUTER)
			continue;
		if (!candidate_mask(&candidates[i], &s->match, c.mask))
			continue;
		find_frequent(s, &c, &f);
		for (unsigned j = 0; j < f.n; j++) {
			struct score with;
			double now;

			for (unsigned k = 0; k < c.field->size; k++)
				c.value[k] = f.of[j].value[k] & c.mask[k];
			if (means_nothing(&c))
				continue;
			now = rate(&s->attack, &c);
			if (!may_help(s, &c, now, &b))
				continue;
			with = score_of(s, &c, now);
			if (with.covers < keep * s->score.covers || judge(&with) >= b.least)
				continue;
			b.least = judge(&with);
			*best = c;
			found = true;
		}
	}
	return found;
}

/* ---- Search ------------------------------------------------------------------------------ */

static void mark(struct picks *p, const struct match *m)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct key_view view = key_view_of(&p->pick[i].s->key.du, &p->pick[i].s->key.outer);

		p->pick[i].in = match_hits(m, &view);
	}
}

/* Makes the match of the first n conditions but `without`.  False: one needs what is not there. */
static bool rebuild(struct search *s, unsigned without)
{
	struct match m = s->a->match;
	double costs = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct condition *c = &s->condition[i];

		if (i == without)
			continue;
		if ((c->field->prereq != PRE_OUTER && !match_meets(&m, c->field)) || !apply(&m, c))
			return false;
		costs += c->cost;
	}
	s->match = m;
	mark(&s->attack, &m);
	mark(&s->before, &m);
	s->score.costs = costs;
	s->score = score(s, NULL);
	return true;
}

/* What a later condition has made needless goes. */
static void prune(struct search *s)
{
	for (unsigned i = s->n; i--;) {
		struct search was = *s;

		if (rebuild(s, i) && judge(&s->score) <= judge(&was.score)) {
			s->n--;
			memmove(&s->condition[i], &s->condition[i + 1],
				(s->n - i) * sizeof s->condition[0]);
			continue;
		}
		s->match = was.match;
		s->score = was.score;
	}
	rebuild(s, UINT32_MAX);
}

static void search(struct search *s)
{
	struct condition c;

	while (s->n < STEPS_MAX) {
		/* Nearly all of the attack if that can be had, else a good part of it. */
		if (!best_condition(s, 0.9, &c) && !best_condition(s, 0.4, &c))
			break;
		s->condition[s->n++] = c;
		if (!rebuild(s, UINT32_MAX)) {
			s->n--;
			rebuild(s, UINT32_MAX);
			break;
		}
	}
	prune(s);
}

static void begin(struct search *s)
{
	double before;

	s->to_target = rate(&s->before, NULL) * s->before.seconds;
	s->match = s->a->match;
	match_finish(&s->match, NULL);
	mark(&s->before, &s->match);
	s->excess = rate(&s->attack, NULL);
	before = rate(&s->before, NULL);
	/* Hardly more than before: the attack is in what came before, or there is none. */
	s->by_excess = s->excess > 1.2 * before;
	if (s->by_excess)
		s->excess -= before;
	s->excess = MAX(s->excess, 1e-9);
	s->score = score(s, NULL);
}

static void figures(const struct picks *p, double *pps, double *bps)
{
	for (unsigned i = 0; p->seconds > 0 && i < p->n; i++) {
		if (!p->pick[i].in)
			continue;
		*pps += p->pick[i].packets / p->seconds;
		*bps += 8.0 * p->pick[i].s->length * p->pick[i].packets / p->seconds;
	}
}

void profile_make(const struct recent *r, const struct attack *a, struct profile *out)
{
	struct search s = {.a = a};

	gather_attack(&s, r);
	gather_before(&s, r);
	*out = (struct profile){
		.n_attack = s.attack.n, .n_before = s.before.n, .before_s = s.before.seconds};
	begin(&s);
	if (s.attack.n)
		search(&s);
	out->match = s.match;
	out->covers = s.score.covers;
	out->collateral = s.score.collateral;
	out->n_fields = s.n;
	figures(&s.before, &out->lawful_pps, &out->lawful_bps);
	figures(&s.attack, &out->attack_pps, &out->attack_bps);
	free(s.attack.pick);
	free(s.before.pick);
}
