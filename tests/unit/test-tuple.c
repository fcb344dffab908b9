/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier under rules and packets that are meant to hurt: five-tuples with prefixes, ranges
 * and few values, matches of any fields, nested prefixes, ties, versions; packets drawn near the
 * rules.  What a lookup finds is what looking at every rule finds.  SLUICE_TWIN=N: so many lookups
 * instead of a million.  And what is refused, what the forms of the filter say, what a rule weighs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdlib.h>

#include "datapath/table.h"
#include "datapath/tuple-search.h"
#include "datapath/worker.h"
#include "lib/openflow.h"
#include "random-match.h"
#include "random.h"

enum { RULES = 400, ETH_IPV4 = 0x0800, PROTO_UDP = 17 };

static struct {
	struct table *table;
	struct rule *rule[RULES];
	struct match match[RULES];
	unsigned n, masks; /* rules; how many masks there are to choose from */
	uint32_t next_id;  /* no two visible rules have the same: it decides between equals */
	uint64_t version;
} bed;

/* ---- Rules and packets ---------------------------------------------------------------- */

static void set_prefix(uint8_t *value, uint8_t *mask, unsigned len, uint32_t address)
{
	be32 m = htobe32(len ? ~0u << (32 - len) : 0), v = htobe32(address) & m;

	memcpy(mask, &m, sizeof m);
	memcpy(value, &v, sizeof v);
}

/* One of few addresses, under one of few prefixes: nested ones meet. */
static uint32_t some_address(void)
{
	return 0x0a000000 | (rnd() % 3) << 16 | (rnd() % 3) << 8 | rnd() % 3;
}

static void add_range(struct match *m, enum field_id id)
{
	uint64_t lo = rnd() % 20;
	const struct cond c = {.kind = COND_RANGE,
			       .flags = rnd() % 4 ? 0 : COND_NEGATED,
			       .field = (uint16_t)id,
			       .field2 = N_FIELDS,
			       .range = {lo, lo + rnd() % (rnd() % 2 ? 4 : 60000)}};

	match_add_cond(m, &c, NULL);
}

static void five_tuple(struct match *m, unsigned kind)
{
	static const uint8_t lens[] = {32, 24, 16, 8, 0, 30, 20, 12};

	*m = (struct match){0};
	m->mask.du.eth_type = UINT16_MAX;
	m->value.du.eth_type = htobe16(ETH_IPV4);
	m->mask.du.ip_proto = UINT8_MAX;
	m->value.du.ip_proto = PROTO_UDP;
	set_prefix(m->value.du.ip_src, m->mask.du.ip_src, lens[kind % 8], some_address());
	set_prefix(m->value.du.ip_dst, m->mask.du.ip_dst, lens[kind / 8 % 8], some_address());
	if (kind & 64) {
		m->mask.du.tp_src = UINT16_MAX;
		m->value.du.tp_src = htobe16((uint16_t)(rnd() % 4));
	}
	if (kind & 128) {
		m->mask.du.tp_dst = UINT16_MAX;
		m->value.du.tp_dst = htobe16((uint16_t)(rnd() % 4));
	}
	if (!(rnd() % 8))
		add_range(m, kind & 64 ? FIELD_UDP_DST : FIELD_UDP_SRC);
	if (!(rnd() % 16))
		add_range(m, FIELD_PKT_LEN);
}

static void make_match(struct match *m)
{
	if (rnd() % 8)
		five_tuple(m, rnd() % bed.masks);
	else if (rnd() % 8)
		random_match(m);
	else
		*m = (struct match){0};
}

/* Bits of a rule where it asks for any, of small numbers or of another rule elsewhere. */
static void near_rule(struct key *k)
{
	const struct match *m = bed.n ? &bed.match[rnd() % bed.n] : NULL;
	const struct match *other = bed.n ? &bed.match[rnd() % bed.n] : NULL;
	uint64_t *to = (uint64_t *)k;

	memset(k, 0, sizeof *k);
	k->du.eth_type = htobe16(ETH_IPV4);
	k->du.ip_proto = PROTO_UDP;
	set_prefix(k->du.ip_src, k->du.nd_target, 32, some_address());
	set_prefix(k->du.ip_dst, k->du.nd_target, 32, some_address());
	k->du.tp_src = htobe16((uint16_t)(rnd() % (rnd() % 2 ? 5 : 65536)));
	k->du.tp_dst = htobe16((uint16_t)(rnd() % (rnd() % 2 ? 5 : 65536)));
	k->du.pkt_len = htobe32(rnd() % 30);
	for (unsigned i = 0; m && i < KEY_WORDS; i++) {
		uint64_t mask = MATCH_WORD(&m->mask, i);

		to[i] = (to[i] & ~mask) | MATCH_WORD(&m->value, i);
		mask = rnd() % 4 ? 0 : MATCH_WORD(&other->mask, i);
		to[i] = (to[i] & ~mask) | (MATCH_WORD(&other->value, i) & mask);
	}
}

/* ---- The twin ------------------------------------------------------------------------- */

static uint64_t look(unsigned times)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < times; i++) {
		struct key k;
		struct probe p = {.key = key_view_of(&k.du, &k.outer),
				  .version = bed.version - (bed.version > 1 && !(rnd() % 4)) +
					     !(rnd() % 8)};
		const struct rule *r;

		near_rule(&k);
		r = table_lookup(bed.table, &p);
		assert_ptr_equal(r, table_lookup_linear(bed.table, &p));
		found += r != NULL;
	}
	return found;
}

static void add(const struct match *m, int32_t priority, uint32_t id)
{
	struct rule *r;

	if (bed.n == RULES || table_admits(bed.table, m, NULL))
		return;
	r = rule_create(m, priority, id, NULL);
	r->add_version = bed.version + 1;
	table_insert(bed.table, r, m);
	bed.rule[bed.n] = r;
	bed.match[bed.n++] = *m;
}

static void change(void)
{
	struct rule *r = bed.n ? bed.rule[rnd() % bed.n] : NULL;
	struct match m;

	if (r && rnd() % 3 == 0 && r->remove_version == VERSION_NEVER) {
		r->remove_version = bed.version + 1;
		if (rnd() % 2)
			return;
		for (unsigned i = 0; i < bed.n; i++)
			if (bed.rule[i] == r)
				m = bed.match[i];
		add(&m, r->priority, r->id);
		return;
	}
	make_match(&m);
	add(&m, (int32_t)(rnd() % (rnd() % 2 ? 4 : 60000)), bed.next_id++ % RULE_IDS);
}

/* Takes out what nobody sees from `version` on, or all. */
static void forget(bool all)
{
	for (unsigned i = 0; i < bed.n;) {
		if (!all && bed.rule[i]->remove_version > bed.version) {
			i++;
			continue;
		}
		table_remove(bed.table, bed.rule[i]);
		rule_destroy(bed.rule[i]);
		bed.rule[i] = bed.rule[--bed.n];
		bed.match[i] = bed.match[bed.n];
	}
}

static void lookup_is_a_look_at_all(void **state)
{
	const char *asked = getenv("SLUICE_TWIN");
	uint64_t times = asked ? strtoull(asked, NULL, 10) : 1000000, found = 0;

	(void)state;
	bed.version = 1;
	for (uint64_t done = 0; done < times; done += 3 * 64) {
		if (!bed.table) {
			bed.table = table_create();
			bed.masks = 1 << rnd() % 9;
		}
		for (unsigned i = rnd() % 16; i-- > 0;)
			change();
		found += look(64);
		bed.version++;
		found += look(64);
		forget(false);
		found += look(64);
		if (rnd() % 100)
			continue;
		forget(true);
		assert_int_equal(table_n_rules(bed.table), 0);
		assert_int_equal(table_n_masks(bed.table), 0);
		found += look(8);
		if (rnd() % 2) {
			table_destroy(bed.table);
			bed.table = NULL;
		}
		rcu_barrier();
	}
	assert_true(found > times / 2);
	forget(true);
	table_destroy(bed.table);
	bed.table = NULL;
	rcu_barrier();
}

/* ---- The filter ----------------------------------------------------------------------- */

static void forms_of_the_filter_agree(void **state)
{
	struct tuples space;
	static int item[1000];

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		unsigned n = 1 + rnd() % (round % 10 ? 60 : 1000);
		struct match m;

		tuples_init(&space);
		for (unsigned i = 0; i < n; i++) {
			struct tuple *t;

			if (round % 3)
				five_tuple(&m, rnd() % 256);
			else
				random_match(&m);
			t = tuples_get(&space, &m);
			tuples_insert(&space, t, tuples_hash(&space, t, &m), &item[i], 0);
			tuples_raise(&space, t, rnd() % 100);
			bed.match[i % RULES] = m;
		}
		bed.n = MIN(n, (unsigned)RULES);
		for (unsigned i = 0; i < 200; i++) {
			static struct tuple_search plain, other;
			struct key k;
			struct key_view view = key_view_of(&k.du, &k.outer);

			near_rule(&k);
			tuple_search_begin(&plain, &space, &view);
			while (tuple_search_more(&plain)) {
				tuple_filter_forms[0].filter(&plain);
				for (unsigned f = 1; f < n_tuple_filter_forms; f++) {
					if (!tuple_filter_forms[f].works())
						continue;
					other = plain;
					memset(other.hash, 0, sizeof other.hash);
					other.pass = 0;
					if (!plain.at)
						memset(other.key, 0, sizeof other.key);
					tuple_filter_forms[f].filter(&other);
					assert_int_equal(other.pass, plain.pass);
					assert_memory_equal(other.hash, plain.hash,
							    sizeof plain.hash[0] *
								    MIN(plain.n - plain.at,
									(uint32_t)TUPLE_CHUNK));
				}
			}
		}
		tuples_destroy(&space);
		rcu_barrier();
	}
	bed.n = 0;
}

/* ---- Refusals ------------------------------------------------------------------------- */

static void masks_are_bounded(void **state)
{
	struct match m = {0};
	struct refusal why = {0};

	(void)state;
	bed.table = table_create();
	bed.version = 0;
	for (unsigned i = 1; i <= TUPLES_MAX; i++) {
		struct rule *r;

		m.mask.du.reg[0] = htobe32(i);
		assert_int_equal(table_admits(bed.table, &m, &why), 0);
		r = rule_create(&m, (int32_t)i, i, NULL);
		table_insert(bed.table, r, &m);
	}
	assert_int_equal(table_admits(bed.table, &m, &why), 0); /* a mask that is there */
	m.mask.du.reg[0] = htobe32(TUPLES_MAX + 1);
	assert_int_not_equal(table_admits(bed.table, &m, &why), 0);
	assert_int_equal(why.code, REFUSED_TOO_MANY_MASKS);
	table_destroy(bed.table);
	bed.table = NULL;
	rcu_barrier();
}

static void range_match(struct match *m, uint64_t lo, uint64_t hi)
{
	const struct cond c = {
		.kind = COND_RANGE, .field = FIELD_PKT_LEN, .field2 = N_FIELDS, .range = {lo, hi}};

	*m = (struct match){0};
	assert_int_equal(match_add_cond(m, &c, NULL), 0);
}

/* What differs in a condition alone is asked one by one; a range's common bits spread. */
static void conditions_are_bounded(void **state)
{
	struct refusal why = {0};
	struct match m;
	unsigned n = 0;

	(void)state;
	bed.table = table_create();
	for (uint32_t i = 0; i < 100; i++) {
		range_match(&m, i, 0x80000000u + i);
		if (table_admits(bed.table, &m, &why))
			break;
		table_insert(bed.table, rule_create(&m, 5, n++, NULL), &m);
	}
	assert_int_equal(n, 64);
	assert_int_equal(why.code, REFUSED_COMPILE_BUDGET);
	range_match(&m, 0, 0x80000000u);
	assert_int_not_equal(table_admits(bed.table, &m, &why), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		range_match(&m, i * 256 + 3, i * 256 + 250);
		assert_int_equal(table_admits(bed.table, &m, &why), 0);
		table_insert(bed.table, rule_create(&m, 6, n++, NULL), &m);
	}
	assert_int_equal(table_n_masks(bed.table), 2);
	table_destroy(bed.table);
	bed.table = NULL;
	rcu_barrier();
}

/* ---- Weight and time ------------------------------------------------------------------ */

enum { MANY = 100000, RULE_OCTETS = 256, WORKERS = 2 };

static void many_match(struct match *m, uint32_t i)
{
	five_tuple(m, 0);
	m->n_conds = 0;
	memset(m->cond, 0, sizeof m->cond);
	set_prefix(m->value.du.ip_src, m->mask.du.ip_src, 32, 0x0a000000 + i);
	m->mask.du.tp_src = m->mask.du.tp_dst = UINT16_MAX;
	m->value.du.tp_src = htobe16((uint16_t)i);
	m->value.du.tp_dst = htobe16(80);
}

static struct program *output_program(void)
{
	struct instructions i = {0};
	struct program *p;

	assert_int_equal(instructions_parse("output:2", &i, NULL), 0);
	p = program_compile(&i);
	instructions_free(&i);
	return p;
}

static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* All that a rule of five fields and one output makes resident: itself, its program, the table's
 * and the early classifier's share, its counters of each worker, and what limits would touch. */
/* 10.1.0.0 to 10.1.255.255, and the bit that is 1 in all of them 0: nothing meets both. */
static void a_range_leaves_bits_as_they_are(void **state)
{
	struct match m = {.mask.du.ip_src = {0, 1, 0, 0}};
	const struct cond c = {.kind = COND_RANGE,
			       .field = FIELD_IPV4_SRC,
			       .field2 = N_FIELDS,
			       .range = {0x0a010000, 0x0a01ffff}};
	struct key k = {.du.ip_src = {10, 1, 2, 3}};
	struct probe probe = {.key = key_view_of(&k.du, &k.outer)};
	struct table *t = table_create();

	(void)state;
	assert_int_equal(match_add_cond(&m, &c, NULL), 0);
	table_insert(t, rule_create(&m, 1, 0, NULL), &m);
	assert_false(match_met(&m, &probe));
	assert_null(table_lookup(t, &probe));
	table_destroy(t);
	rcu_barrier();
}

static void a_rule_weighs_little(void **state)
{
	static struct rule *rule[MANY];
	size_t before, weight;
	struct early *early;
	struct match m;

	(void)state;
	rcu_barrier();
	before = in_use();
	bed.table = table_create();
	early = early_create();
	for (uint32_t i = 0; i < MANY; i++) {
		many_match(&m, i);
		rule[i] = rule_create(&m, (int32_t)(rnd() % 60000), i, output_program());
		table_insert(bed.table, rule[i], &m);
		early_insert(early, &m, rule[i], false);
	}
	rcu_barrier();
	weight = (in_use() - before) / MANY;
	weight += WORKERS * (sizeof(struct rule_counters) + sizeof(struct lease));
	weight += sizeof(struct bucket);
#if !defined(__SANITIZE_ADDRESS__) && !defined(SLUICE_TSAN)
	assert_true(before > 0);
	assert_in_range(weight, 100, RULE_OCTETS);
#endif
	print_message("%zu octets a rule\n", weight);
	for (uint32_t i = 0; i < MANY; i++) {
		many_match(&m, i);
		early_remove(early, &m, rule[i], 1);
		table_remove(bed.table, rule[i]);
		rule_destroy(rule[i]);
	}
	early_prune(early, 1);
	early_destroy(early);
	table_destroy(bed.table);
	bed.table = NULL;
	rcu_barrier();
	assert_in_range(in_use() - before + 1, 0, 64 << 10); /* and leaves nothing */
}

static void equal_programs_are_one(void **state)
{
	struct program *a = output_program(), *b = output_program(), *other;
	struct instructions drop = {0};

	(void)state;
	other = program_compile(&drop);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, other);
	program_free(a);
	assert_int_equal(b->apply_size, ((const struct op *)b->ops)->size);
	a = output_program();
	assert_ptr_equal(a, b);
	program_free(a);
	program_free(b);
	program_free(other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_programs_are_one),
		cmocka_unit_test(a_range_leaves_bits_as_they_are),
		cmocka_unit_test(a_rule_weighs_little),
		cmocka_unit_test(forms_of_the_filter_agree),
		cmocka_unit_test(masks_are_bounded),
		cmocka_unit_test(conditions_are_bounded),
		cmocka_unit_test(lookup_is_a_look_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
