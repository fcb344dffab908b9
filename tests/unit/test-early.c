/* SPDX-License-Identifier: Apache-2.0 */
/* The early verdict.  Random rules of the guard and of table 0, on fields known early and on fields
 * that are not, with conditions of both kinds, come and go in versions.  Whatever the early verdict
 * drops, a full lookup drops too, with any inner packet; it drops exactly when a droppable rule is
 * not shadowed, and asks a meter exactly when a rule with an aggregate meter is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "datapath/table.h"
#include "datapath/worker.h"

static uint64_t seed = 11;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

enum { LIST = 60 };
enum act { ACT_DROPS, ACT_GOES_ON, ACT_FORWARDS, ACT_METERS };

struct listed {
	struct rule *rule;
	struct match match;
	enum act act;
	enum early_role role;
};

static struct early *early;
static struct listed list[LIST];
static unsigned n_listed;
static uint64_t version;

static void set(struct match *m, enum field_id id, uint32_t value)
{
	uint8_t octets[8] = {0};

	octets[fields[id].size - 1] = (uint8_t)value;
	assert_int_equal(match_set(m, &fields[id], octets, NULL, NULL), 0);
}

static void range(struct match *m, enum field_id id, unsigned lo, unsigned hi)
{
	struct refusal r = {0};
	char text[32];

	snprintf(text, sizeof text, "%u-%u", lo, hi);
	if (match_parse_word(m, fields[id].name, text, &r))
		fail_msg("%s", r.text);
}

static void random_conds(struct match *m)
{
	if (!rnd(3))
		range(m, FIELD_OUTER_QUEUE, 0, rnd(2));
	if (!rnd(4))
		range(m, FIELD_OUTER_TTL, 1, 1 + rnd(2));
	if (!rnd(8))
		range(m, FIELD_AGG_DUS, 0, rnd(2));
}

static struct match random_match(void)
{
	static const enum field_id some[] = {FIELD_IN_PORT, FIELD_ESP_SPI,   FIELD_OUTER_DSCP,
					     FIELD_REG0,    FIELD_AGG_FLAGS, FIELD_PKT_MARK};
	struct match m = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(some); i++)
		if (!rnd(i < 3 ? 2 : 5))
			set(&m, some[i], rnd(2) + (some[i] == FIELD_IN_PORT));
	random_conds(&m);
	assert_int_equal(match_finish(&m, NULL), 0);
	return m;
}

static void random_collected(struct key *k)
{
	memset(k, 0, sizeof *k);
	k->outer.has = htobe32(HAS_ETH | HAS_IPV4 | HAS_CONN | (rnd(5) ? HAS_ESP : 0));
	k->du.in_port = htobe32(1 + rnd(2));
	k->outer.esp_spi = htobe32(rnd(2));
	k->outer.ip_dscp = (uint8_t)rnd(2);
	k->outer.queue = htobe16((uint16_t)rnd(3));
	k->outer.ip_ttl = (uint8_t)rnd(3);
}

static void random_inner(struct key *k)
{
	k->du.reg[0] = htobe32(rnd(2));
	k->du.pkt_mark = htobe32(rnd(2));
	k->outer.agg_flags = (uint8_t)rnd(2);
	k->outer.agg_dus = htobe16((uint16_t)rnd(3));
	if (rnd(4))
		k->outer.has |= htobe32(HAS_AGG);
}

static void insert(void)
{
	struct listed *l = &list[n_listed++];
	struct program *program = calloc(1, sizeof *program);
	struct match projected;
	bool guard = rnd(2), whole;

	l->match = random_match();
	l->act = guard ? rnd(3) : rnd(2) ? ACT_DROPS : rnd(2) ? ACT_FORWARDS : ACT_METERS;
	assert_non_null(program);
	program->flags = l->act == ACT_DROPS ? PROGRAM_DROPS : 0;
	program->has_goto = l->act == ACT_GOES_ON;
	l->rule = rule_create(&l->match, (int32_t)rnd(8), rnd(RULE_IDS), program);
	l->rule->table = guard ? TABLE_GUARD : 0;
	l->rule->add_version = version + 1;
	whole = match_project_early(&l->match, &projected);
	l->role = whole && l->act == ACT_DROPS    ? EARLY_DROPS
		  : whole && l->act == ACT_METERS ? EARLY_METERS
						  : EARLY_OTHER;
	program->meter = l->act == ACT_METERS ? l->rule->id + 1 : 0;
	l->rule->early = (uint8_t)l->role;
	early_insert(early, &l->match, l->rule, l->role);
	assert_int_equal(l->rule->early, l->role);
}

static void mark(struct listed *l)
{
	if (l->rule->remove_version != VERSION_NEVER)
		return;
	l->rule->remove_version = version + 1;
	early_remove(early, &l->match, l->rule, version + 1);
}

static void forget(bool failed)
{
	for (unsigned i = 0; i < n_listed;) {
		struct listed *l = &list[i];
		struct rule *r = l->rule;
		bool unborn = failed && r->add_version > version;

		if (unborn && r->remove_version == VERSION_NEVER)
			early_remove(early, &l->match, r, version + 1);
		if (failed && !unborn && r->remove_version == version + 1) {
			r->remove_version = VERSION_NEVER;
			early_insert(early, &l->match, r, l->role);
		}
		if (unborn || r->remove_version <= version) {
			rule_destroy(r);
			*l = list[--n_listed];
		} else {
			i++;
		}
	}
}

static bool hits(const struct match *m, const struct key *k)
{
	const struct key_view view = key_view_of(&k->du, &k->outer);

	return match_hits(m, &view);
}

static bool visible(const struct listed *l, uint64_t at)
{
	return rule_visible(l->rule, at);
}

/* Whether the tables drop an inner packet (a miss counts as not: no rule has said so). */
static bool tables_drop(const struct key *k, uint64_t at)
{
	for (int table = TABLE_GUARD;; table = 0) {
		int32_t best = -1;
		bool drops = false, forwards = false, ties = false;

		for (unsigned i = 0; i < n_listed; i++) {
			const struct listed *l = &list[i];

			if (l->rule->table != table || !visible(l, at) || !hits(&l->match, k) ||
			    l->rule->priority < best)
				continue;
			ties = l->rule->priority == best;
			best = l->rule->priority;
			drops = (!ties || drops) && l->act == ACT_DROPS;
			forwards = (ties && forwards) || l->act == ACT_FORWARDS ||
				   l->act == ACT_METERS;
		}
		if (drops)
			return true;
		if (table == 0 || forwards)
			return false;
	}
}

/* What the classifier should say, from its definition. */
struct should {
	bool drop;
	int32_t meter; /* the priority of the rule whose meter is to be asked; -1: none */
};

static struct should should(const struct key *k, uint64_t at)
{
	int32_t drop[2] = {-1, -1}, other[2] = {-1, -1}, meter = -1;
	struct should s;
	bool ends = false;

	for (unsigned i = 0; i < n_listed; i++) {
		const struct listed *l = &list[i];
		unsigned level = l->rule->table == TABLE_GUARD;
		struct match projected;

		match_project_early(&l->match, &projected);
		if (!visible(l, at) || !hits(&projected, k))
			continue;
		if (l->role == EARLY_DROPS)
			drop[level] = MAX(drop[level], l->rule->priority);
		else if (l->role == EARLY_METERS)
			meter = MAX(meter, l->rule->priority);
		else if (l->act != ACT_DROPS)
			other[level] = MAX(other[level], l->rule->priority);
		ends |= level && l->act == ACT_FORWARDS;
	}
	s.drop = drop[1] > other[1] || (!ends && drop[0] > MAX(other[0], meter));
	s.meter = !s.drop && !ends && meter > MAX(drop[0], other[0]) ? meter : -1;
	return s;
}

static const struct rule *rule_by_id(uint32_t id)
{
	for (unsigned i = 0; i < n_listed; i++)
		if (list[i].rule->id == id)
			return list[i].rule;
	fail();
	return NULL;
}

static unsigned asked;

static void check_meter(const struct early_verdict *v, const struct should *s)
{
	assert_int_equal(!v->meter, s->meter < 0);
	if (!v->meter)
		return;
	assert_int_equal(v->meter, v->meter_rule + 1);
	assert_int_equal(rule_by_id(v->meter_rule)->priority, s->meter);
	asked++;
}

static unsigned look(uint64_t at, unsigned times)
{
	unsigned drops = 0;

	while (times--) {
		struct early_verdict verdict;
		struct should want;
		struct key k;
		struct key_view view = key_view_of(&k.du, &k.outer);
		bool drop;

		random_collected(&k);
		drop = early_lookup(early, &(struct probe){.key = view, .version = at}, &verdict);
		want = should(&k, at);
		assert_int_equal(drop, want.drop);
		check_meter(&verdict, &want);
		for (unsigned i = 0; drop && i < 4; i++) {
			struct key du = k;

			random_inner(&du);
			assert_true(tables_drop(&du, at));
		}
		drops += drop;
	}
	return drops;
}

static void never_drops_what_the_tables_let_pass(void **state)
{
	unsigned drops = 0;

	(void)state;
	early = early_create();
	version = 1;
	for (unsigned round = 0; round < 6000; round++) {
		bool failed = !rnd(6);

		for (unsigned i = rnd(5); i-- > 0;) {
			if (n_listed && rnd(n_listed) > rnd(10))
				mark(&list[rnd(n_listed)]);
			else if (n_listed < LIST)
				insert();
		}
		drops += look(version, 3);
		if (failed) {
			forget(true);
			drops += look(version, 3);
			continue;
		}
		version++;
		drops += look(version - 1, 3);
		drops += look(version, 3);
		early_prune(early, version);
		forget(false);
		drops += look(version, 3);
		if (!(round % 16))
			rcu_barrier();
	}
	assert_in_range(drops, 5000, 60000);
	assert_in_range(asked, 2000, 60000);
	for (unsigned i = 0; i < n_listed; i++)
		rule_destroy(list[i].rule);
	early_destroy(early);
	rcu_barrier();
	n_listed = 0;
}

/* Rules on inner fields alone all project to one value: each costs a logarithm, not a chain. */
static void many_rules_meet_in_one_entry(void **state)
{
	enum { N = 100000 };
	struct match inner = {0}, outer = {0};
	struct rule **rule = calloc(N + 1, sizeof *rule);
	struct early_verdict verdict;
	struct key k = {.outer.has = htobe32(HAS_CONN | HAS_ESP)};
	struct key_view view = key_view_of(&k.du, &k.outer);

	(void)state;
	assert_non_null(rule);
	early = early_create();
	set(&inner, FIELD_REG0, 1);
	set(&outer, FIELD_ESP_SPI, 0);
	assert_int_equal(match_finish(&outer, NULL), 0);
	for (uint32_t i = 0; i < N; i++) {
		rule[i] = rule_create(&inner, (int32_t)(i * 7919 % N), i, NULL);
		early_insert(early, &inner, rule[i], false);
	}
	rule[N] = rule_create(&outer, N / 2, N, NULL);
	early_insert(early, &outer, rule[N], true);
	assert_false(early_lookup(early, &(struct probe){.key = view, .version = 0}, &verdict));
	for (uint32_t i = 0; i < N; i++)
		if (rule[i]->priority >= N / 2)
			early_remove(early, &inner, rule[i], 1);
	assert_false(early_lookup(early, &(struct probe){.key = view, .version = 0}, &verdict));
	assert_true(early_lookup(early, &(struct probe){.key = view, .version = 1}, &verdict));
	assert_int_equal(verdict.drop_rule, N);
	early_prune(early, 1);
	assert_true(early_lookup(early, &(struct probe){.key = view, .version = 1}, &verdict));
	early_remove(early, &outer, rule[N], 2);
	early_prune(early, 2);
	assert_false(early_lookup(early, &(struct probe){.key = view, .version = 2}, &verdict));
	assert_int_equal(verdict.drop_rule, RULE_NONE);
	for (uint32_t i = 0; i <= N; i++)
		rule_destroy(rule[i]);
	early_destroy(early);
	free(rule);
	rcu_barrier();
}

static void projection_keeps_what_is_known(void **state)
{
	struct match m = {0}, projected;

	(void)state;
	set(&m, FIELD_IN_PORT, 7);
	set(&m, FIELD_ESP_SPI, 9);
	set(&m, FIELD_TUNNEL_ID, 9);
	assert_int_equal(match_finish(&m, NULL), 0);
	assert_true(match_project_early(&m, &projected));
	assert_true(match_equal(&m, &projected));
	memset(&m, 0, sizeof m);
	set(&m, FIELD_AGG_FLAGS, 1);
	set(&m, FIELD_ESP_SEQ, 1);
	assert_int_equal(match_finish(&m, NULL), 0);
	assert_false(match_project_early(&m, &projected));
	assert_int_equal(projected.mask.outer.agg_flags, 0);
	assert_int_equal(projected.mask.outer.esp_seq, 0);
	assert_int_equal(be32toh(projected.mask.outer.has), HAS_ESP);
	assert_int_equal(be32toh(projected.value.outer.has), HAS_ESP);
}

/* Entries of the same bits and other conditions: so many, then a rule has no role.  Those with
 * aggregate meters have as many places of their own, and whoever asks is told before. */
static void conditions_are_bounded(void **state)
{
	enum { OTHER = EARLY_CONDS + 1, METERS, ALL = METERS + EARLY_CONDS + 1 };
	struct match m[ALL] = {0};
	struct rule *rule[ALL];
	struct early_verdict verdict;
	struct key k = {.outer.has = htobe32(HAS_CONN | HAS_ESP)};
	struct key_view view = key_view_of(&k.du, &k.outer);
	struct probe probe = {.key = view, .version = 1};

	(void)state;
	early = early_create();
	for (uint32_t i = 0; i < ALL; i++) {
		bool other = i == OTHER, meters = i >= METERS, fits = meters && i < ALL - 1;
		struct program *program = calloc(1, sizeof *program);

		assert_non_null(program);
		program->flags = other || meters ? 0 : PROGRAM_DROPS;
		program->meter = meters ? 5 : 0;
		range(&m[i], FIELD_OUTER_QUEUE, 100 + i, 100 + i);
		rule[i] = rule_create(&m[i], (int32_t)i, i, program);
		rule[i]->early = other ? EARLY_OTHER : meters ? EARLY_METERS : EARLY_DROPS;
		assert_int_equal(early_admits_meter(early, &m[i]), i < ALL - 1);
		early_insert(early, &m[i], rule[i], rule[i]->early);
		assert_int_equal(rule[i]->early, fits              ? EARLY_METERS
						 : i < EARLY_CONDS ? EARLY_DROPS
								   : EARLY_OTHER);
		/* The other one has no room for its condition: it shadows wherever its bits agree.
		 */
		k.outer.queue = htobe16((uint16_t)(100 + (fits ? i : MIN(i, EARLY_CONDS - 1u))));
		assert_int_equal(early_lookup(early, &probe, &verdict), i <= EARLY_CONDS);
		assert_int_equal(verdict.meter, fits ? 5 : 0);
	}
	/* Who has a place already needs no other. */
	assert_true(early_admits_meter(early, &m[METERS]));
	for (uint32_t i = ARRAY_SIZE(rule); i-- > 0;) {
		early_remove(early, &m[i], rule[i], 2);
		rule_destroy(rule[i]);
	}
	early_prune(early, 2);
	early_destroy(early);
	rcu_barrier();
}

/* A condition that cannot be told yet: its rule has no role, but it shadows. */
static void what_is_not_known_shadows(void **state)
{
	static const struct {
		enum field_id field;
		bool early;
	} conds[] = {{FIELD_OUTER_LEN, true}, {FIELD_ESP_SEQ, false}, {FIELD_TCP_DST, false}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(conds); i++) {
		struct cond c = {.field = (uint16_t)conds[i].field, .field2 = N_FIELDS};

		assert_int_equal(cond_known_early(&c), conds[i].early);
		c = (struct cond){.field = FIELD_OUTER_LEN, .field2 = (uint16_t)conds[i].field};
		assert_int_equal(cond_known_early(&c), conds[i].early);
	}
	assert_true(cond_known_early(
		&(struct cond){.field = N_FIELDS, .field2 = N_FIELDS, .flags = COND_OUTER}));
	assert_false(cond_known_early(&(struct cond){.field = N_FIELDS, .field2 = N_FIELDS}));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_drops_what_the_tables_let_pass),
		cmocka_unit_test(many_rules_meet_in_one_entry),
		cmocka_unit_test(conditions_are_bounded),
		cmocka_unit_test(what_is_not_known_shadows),
		cmocka_unit_test(projection_keeps_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
