/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of one mask and one value stand in a chain, best first: `next` leads to lower precedence,
 * and a slot of the tuple space holds the first.  A replaced rule and its successor are both in it,
 * with visibilities that exclude each other.  Inserting walks the chain, so it costs O(rules with
 * this very mask and value); that is two or three where rules are replaced, and may be some
 * thousands (of different priorities) before it is felt.
 *
 * A packet walks a chain to the first rule that is visible and whose conditions hold; one without
 * conditions ends the walk.  So what costs is conditions: CHAIN_CONDS rules that have any in a
 * chain, DEPTH_MAX over the longest chains of all masks, beyond which a rule is refused.  A range
 * spreads such rules over more masks and values by the bits that all its numbers share. */
#include "datapath/table.h"

#include <errno.h>
#include <stdlib.h>

#include "datapath/tuple-search.h"

enum { CHAIN_CONDS = 64, DEPTH_MAX = 512, RANGE_STEP = 4 /* bits that ranges are rounded to */ };

const char *const origin_names[N_ORIGINS + 1] = {"cli",     "bgp",        "watch",
						 "request", "controller", NULL};

struct table {
	struct tuples space;
	unsigned n_rules;      /* read by workers: an empty table is skipped */
	uint32_t depth;        /* the sum of its tuples' */
	struct shapes *shapes; /* NULL: nobody wants to know */
	struct table *next;    /* of those that share it */
};

struct table *table_create(void)
{
	struct table *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	tuples_init(&t->space);
	return t;
}

/* ---- What rules look at ----------------------------------------------------------------- */

void table_share(struct table *t, struct shapes *shapes)
{
	t->shapes = shapes;
	t->next = shapes->tables;
	shapes->tables = t;
}

static void share_no_more(struct table *t)
{
	struct table **at = &t->shapes->tables;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->shapes = NULL;
}

static void rule_look_of(const struct rule *r, struct rule_look *l)
{
	const struct tuple *tuple = r->tuple;

	*l = (struct rule_look){0};
	rule_look_at_conds(l, rule_conds(r), r->n_conds);
	for (unsigned i = 0; i < tuple->n_words; i++) {
		((uint64_t *)&l->mask)[tuple->at[i]] |= tuple->mask[i];
		((uint64_t *)&l->value)[tuple->at[i]] = r->value[i];
	}
}

/* What a rule looks at comes into the union, or leaves it. */
static void shape_rule(struct table *t, const struct rule *r,
		       void (*change)(struct shapes *, const struct rule_look *))
{
	struct rule_look l;

	if (!t->shapes)
		return;
	rule_look_of(r, &l);
	change(t->shapes, &l);
}

static void renew_prefixes(struct shapes *s)
{
	shapes_prefixes_begin(s);
	for (const struct table *t = s->tables; t; t = t->next) {
		uint32_t position = 0;
		const struct rule *r;

		while ((r = tuples_each(&t->space, &position)))
			for (; r; r = r->next) {
				struct rule_look l;

				rule_look_of(r, &l);
				shapes_prefixes_add(s, &l);
			}
	}
	shapes_prefixes_end(s);
}

void table_destroy(struct table *t)
{
	uint32_t position = 0;
	struct rule *r, *next;

	if (!t)
		return;
	while ((r = tuples_each(&t->space, &position)))
		for (; r; r = next) {
			next = r->next;
			shape_rule(t, r, shapes_remove);
			rule_destroy(r);
		}
	if (t->shapes)
		share_no_more(t);
	tuples_destroy(&t->space);
	free(t);
}

/* ---- Rules ---------------------------------------------------------------------------- */

/* The bits that all numbers of a range share, as bits that the match asks for beside its own. */
static void narrow(struct match *m, const struct cond *c)
{
	const struct field *f = &fields[c->field];
	uint64_t differ = c->range.lo ^ c->range.hi;
	unsigned same = f->bits - (differ ? 64 - (unsigned)__builtin_clzll(differ) : 0);
	uint64_t ones = f->bits < 64 ? (1ull << f->bits) - 1 : UINT64_MAX, mask;

	same -= same % RANGE_STEP;
	if (!same)
		return;
	mask = same == f->bits ? ones : ones & ~(ones >> same);
	for (unsigned i = 0; i < f->size; i++) {
		uint8_t *had = (uint8_t *)&m->mask + f->off + i;
		uint8_t octet = (uint8_t)(mask >> 8 * (f->size - 1u - i)) & (uint8_t) ~*had;

		*had |= octet;
		((uint8_t *)&m->value)[f->off + i] |=
			octet & (uint8_t)(c->range.lo >> 8 * (f->size - 1u - i));
	}
}

/* The match as it is hashed: `m` itself, or in `room` one with what its ranges imply. */
static const struct match *hashed_match(const struct match *m, struct match *room)
{
	bool narrowed = false;

	for (unsigned i = 0; i < m->n_conds; i++) {
		const struct cond *c = &m->cond[i];

		if (c->kind != COND_RANGE || c->flags & COND_NEGATED || c->field >= N_FIELDS)
			continue;
		if (!narrowed)
			*room = *m;
		narrowed = true;
		narrow(room, c);
	}
	return narrowed ? room : m;
}

struct rule *rule_create(const struct match *m, int32_t priority, uint32_t id,
			 struct program *program)
{
	struct match room;
	const struct match *hashed = hashed_match(m, &room);
	uint64_t words = match_words(hashed);
	size_t n = (size_t)__builtin_popcountll(words), conds = m->n_conds * sizeof m->cond[0];
	struct rule *r = calloc(1, sizeof *r + n * sizeof r->value[0] + conds);

	if (!r)
		abort();
	r->id = id;
	r->priority = priority;
	r->remove_version = VERSION_NEVER;
	r->program = program;
	r->n_words = (uint8_t)n;
	r->n_conds = (uint8_t)m->n_conds;
	match_pack(hashed, words, r->value);
	memcpy(r->value + n, m->cond, conds);
	return r;
}

void rule_destroy(struct rule *r)
{
	program_free(r->program);
	free(r);
}

struct retired {
	struct rcu_head rcu;
	struct rule *rule;
};

static void retired_end(struct rcu_head *head)
{
	struct retired *d = container_of(head, struct retired, rcu);

	rule_destroy(d->rule);
	free(d);
}

void rule_retire(struct rule *r)
{
	struct retired *d = malloc(sizeof *d);

	if (!d)
		abort();
	d->rule = r;
	rcu_defer(&d->rcu, retired_end);
}

/* Whether `a` goes before `b`: priority, then age; ids make it total. */
static bool rule_beats(const struct rule *a, const struct rule *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->add_version != b->add_version)
		return a->add_version < b->add_version;
	return a->id < b->id;
}

/* ---- The writer's side ---------------------------------------------------------------- */

/* The chain for a value, or NULL. */
static struct rule *chain_find(const struct tuples *s, const struct tuple *t, uint32_t hash,
			       const uint64_t *value)
{
	uint32_t position = 0;
	struct rule *r;

	while ((r = tuples_item(s, hash, &position)))
		if (r->tuple == t && tuple_equal(t, r->value, value))
			return r;
	return NULL;
}

/* Rules of a chain that have conditions and are not leaving. */
static unsigned chain_conds(const struct rule *r)
{
	unsigned n = 0;

	for (; r; r = r->next)
		n += r->n_conds && r->remove_version == VERSION_NEVER;
	return n;
}

static int mask_admits(const struct table *t, struct refusal *r)
{
	if (t->space.n < TUPLES_MAX)
		return 0;
	return refuse(r, TOO_MANY_MASKS, "match",
		      "the table's rules have %u different masks, as many as it searches; a rule "
		      "with the mask of another would be accepted",
		      t->space.n);
}

int table_admits(const struct table *t, const struct match *m, struct refusal *r)
{
	struct match room;
	const struct match *hashed = hashed_match(m, &room);
	const struct tuple *tuple = t ? tuples_find(&t->space, hashed) : NULL;
	uint64_t value[KEY_WORDS];
	unsigned n = 0;

	if (!t)
		return 0;
	if ((!tuple || !tuple->n) && mask_admits(t, r))
		return -EINVAL;
	if (!m->n_conds)
		return 0;
	if (tuple) {
		match_pack(hashed, tuple->words, value);
		n = chain_conds(
			chain_find(&t->space, tuple, tuples_hash(&t->space, tuple, hashed), value));
	}
	if (n >= CHAIN_CONDS)
		return refuse(r, COMPILE_BUDGET, "match",
			      "%u rules differ from this one in their ranges, sets and programs "
			      "alone, as many as a packet is asked; one set would be accepted",
			      n);
	if (n >= (tuple ? tuple->depth : 0u) && t->depth >= DEPTH_MAX)
		return refuse(
			r, COMPILE_BUDGET, "match",
			"the table's rules have as many ranges, sets and programs as a packet "
			"is asked (%d); a rule with the mask of others but another value would "
			"be accepted",
			DEPTH_MAX);
	return 0;
}

/* The tuple's longest chain is known to have at least so many conditions. */
static void deepen(struct table *t, struct tuple *tuple, unsigned depth)
{
	if (depth <= tuple->depth)
		return;
	t->depth += depth - tuple->depth;
	tuple->depth = (uint16_t)MIN(depth, UINT16_MAX);
}

void table_insert(struct table *t, struct rule *r, const struct match *m)
{
	struct match room;
	const struct match *hashed = hashed_match(m, &room);
	struct tuple *tuple = tuples_get(&t->space, hashed);
	struct rule *head;

	r->tuple = tuple;
	r->hash = tuples_hash(&t->space, tuple, hashed);
	head = chain_find(&t->space, tuple, r->hash, r->value);
	shape_rule(t, r, shapes_add);
	if (!head) {
		r->next = NULL;
		tuples_insert(&t->space, tuple, r->hash, r, r->priority);
	} else if (rule_beats(r, head)) {
		r->next = head;
		tuples_replace(&t->space, r->hash, head, r, r->priority);
	} else {
		struct rule **at = &head->next;

		while (*at && rule_beats(*at, r))
			at = &(*at)->next;
		r->next = *at;
		rcu_set(*at, r);
	}
	tuples_raise(&t->space, tuple, r->priority);
	if (r->n_conds)
		deepen(t, tuple, chain_conds(head && head != r->next ? head : r));
	__atomic_store_n(&t->n_rules, t->n_rules + 1, __ATOMIC_RELEASE);
}

/* The true bounds: the heads of the chains know. */
static void find_bounds(struct table *t)
{
	uint32_t position = 0;
	struct rule *r;

	tuples_bounds_begin(&t->space);
	while ((r = tuples_each(&t->space, &position)))
		tuple_bound((struct tuple *)r->tuple, r->priority);
	tuples_bounds_end(&t->space);
}

void table_remove(struct table *t, struct rule *r)
{
	struct tuple *tuple = (struct tuple *)r->tuple;
	struct rule *head = chain_find(&t->space, tuple, r->hash, r->value);

	shape_rule(t, r, shapes_remove);
	if (head != r) {
		struct rule **at = &head->next;

		while (*at != r)
			at = &(*at)->next;
		rcu_set(*at, r->next);
	} else if (r->next) {
		tuples_replace(&t->space, r->hash, r, r->next, r->next->priority);
	} else {
		if (tuple->n == 1) {
			t->depth -= tuple->depth;
			tuple->depth = 0;
		}
		tuples_remove(&t->space, tuple, r->hash, r);
	}
	__atomic_store_n(&t->n_rules, t->n_rules - 1, __ATOMIC_RELEASE);
	if (tuples_ended(&t->space))
		find_bounds(t);
	if (t->shapes && shapes_grown_old(t->shapes))
		renew_prefixes(t->shapes);
}

/* ---- The readers' side ---------------------------------------------------------------- */

static inline bool rule_met(const struct rule *r, struct probe *s)
{
	return rule_visible(r, s->version) &&
	       (!r->n_conds || conds_hold(rule_conds(r), r->n_conds, s));
}

/* The better of `best` and what a hit leads to. */
static inline const struct rule *hit_better(const struct tuple_search *c,
					    const struct tuple_hit *hit, const struct rule *best,
					    struct probe *probe)
{
	const struct tuple *tuple = tuple_of(c, hit);
	const struct rule *r = hit->item;

	if (r->tuple != tuple || !tuple_hits(tuple, &probe->key, r->value))
		return best;
	while (r && !rule_met(r, probe))
		r = rcu_get(r->next);
	return r && (!best || rule_beats(r, best)) ? r : best;
}

/* Where the highest rank is. */
static inline unsigned highest(const struct tuple_search *c)
{
	unsigned at = 0;

	for (unsigned i = 1; i < c->n_hits; i++)
		if (c->hit[i].rank > c->hit[at].rank)
			at = i;
	return at;
}

/* The best one is asked first: where it is the packet's, no other rule's memory is touched but that
 * of its equals. */
static inline const struct rule *best_of(struct tuple_search *c, const struct rule *best,
					 struct probe *probe)
{
	for (;;) {
		unsigned at = highest(c);
		struct tuple_hit *hit = &c->hit[at];

		if (best && hit->rank < best->priority)
			break;
		best = hit_better(c, hit, best, probe);
		if (!--c->n_hits)
			break;
		*hit = c->hit[c->n_hits];
	}
	return best;
}

void table_lookup_begin(struct tuple_search *c, const struct table *t, const struct probe *probe)
{
	c->n = c->at = 0;
	if (t)
		tuple_search_begin(c, &t->space, &probe->key);
	if (tuple_search_more(c))
		tuple_search_filter(c);
}

const struct rule *table_lookup_end(struct tuple_search *c, struct probe *probe)
{
	const struct rule *best = NULL;

	while (c->at < c->n) {
		while (c->pass && tuple_search_gather(c, best ? best->priority : INT64_MIN))
			best = best_of(c, best, probe);
		if (!tuple_search_more(c) || (best && tuple_search_limit(c) < best->priority))
			break;
		tuple_search_filter(c);
	}
	return best;
}

const struct rule *table_lookup(const struct table *t, struct probe *probe)
{
	struct tuple_search c;

	table_lookup_begin(&c, t, probe);
	return table_lookup_end(&c, probe);
}

const struct rule *table_lookup_linear(const struct table *t, struct probe *s)
{
	const struct rule *best = NULL, *r;
	uint32_t position = 0;

	while ((r = tuples_each(&t->space, &position)))
		for (; r; r = rcu_get(r->next))
			if (tuple_hits(r->tuple, &s->key, r->value) && rule_met(r, s) &&
			    (!best || rule_beats(r, best)))
				best = r;
	return best;
}

unsigned table_n_rules(const struct table *t)
{
	return __atomic_load_n(&t->n_rules, __ATOMIC_ACQUIRE);
}

unsigned table_n_masks(const struct table *t)
{
	return t->space.n;
}

bool rule_is_miss(const struct rule *r)
{
	return !r->priority && !r->n_words && !r->n_conds;
}
