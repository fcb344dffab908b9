/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of every type against a naive list; their text; their memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "datapath/set.h"
#include "lib/hash.h"
#include "tests/unit/random.h"

/* ---- The twin: a list ---------------------------------------------------------------------- */

enum { TWIN_MAX = 600 };

struct twin {
	enum set_type type;
	unsigned n;
	struct set_member member[TWIN_MAX];
};

static bool same_key(const struct set_key *a, const struct set_key *b)
{
	return a->len == b->len && !memcmp(a->word, b->word, sizeof a->word);
}

static struct set_member *twin_find(struct twin *t, const struct set_key *key)
{
	for (unsigned i = 0; i < t->n; i++)
		if (same_key(&t->member[i].key, key))
			return &t->member[i];
	return NULL;
}

/* The member that a whole key is in, the longest one; ended ones are none. */
static struct set_member *twin_has(struct twin *t, const struct set_key *key, uint64_t now_ms)
{
	struct set_member *best = NULL;

	for (unsigned i = 0; i < t->n; i++) {
		struct set_member *m = &t->member[i];
		struct set_key cut = *key;

		cut.len = m->key.len;
		set_key_cut(t->type, &cut);
		if (same_key(&cut, &m->key) && m->ends_ms > now_ms &&
		    (!best || m->key.len > best->key.len))
			best = m;
	}
	return best;
}

/* ---- Random keys: near each other, so that lookups hit and prefixes nest --------------------- */

static uint64_t bits_of(unsigned n)
{
	uint64_t v = (uint64_t)rnd() << 32 | rnd();

	return n >= 64 ? v : v & ((1ull << n) - 1);
}

static struct set_key random_key(enum set_type type, bool whole)
{
	static const uint64_t beginnings[] = {0, 0x0a000000, 0xc0a80000, 0xffffffff};
	struct set_key key = {0};
	uint64_t v4 = (beginnings[rnd() % 4] ^ (rnd() % 4 ? bits_of(9) : bits_of(32))) & UINT32_MAX;

	switch (type) {
	case SET_IPV4:
		key.word[0] = v4 << 32;
		key.len = whole ? 32 : (uint8_t)(rnd() % 33);
		break;
	case SET_IPV6:
		key.word[0] = beginnings[rnd() % 4] << 32 ^ (rnd() % 2 ? bits_of(3) : bits_of(64));
		key.word[1] = rnd() % 2 ? bits_of(4) : beginnings[rnd() % 4] << 32 | bits_of(40);
		key.len = whole ? 128 : (uint8_t)(rnd() % 129);
		break;
	case SET_PORT:
		key.word[0] = bits_of(rnd() % 2 ? 9 : 16);
		break;
	case SET_NUMBER:
		key.word[0] = bits_of(rnd() % 2 ? 8 : 64) ^ (rnd() % 2 ? 0 : UINT64_MAX);
		break;
	case SET_ETH:
		key.word[0] = bits_of(rnd() % 2 ? 9 : 48);
		break;
	case SET_IPV4_PORT:
		key.word[0] = (v4 & 0xff0000ff) << 16 | bits_of(3);
		break;
	case SET_IPV4_IPV4:
		key.word[0] = (v4 & 0xff000007) << 32 | bits_of(6);
		break;
	case SET_IPV6_PORT:
		key = (struct set_key){.word = {bits_of(2), bits_of(3), bits_of(8)}};
		break;
	case SET_IPV6_IPV6:
		key = (struct set_key){.word = {bits_of(2), bits_of(2), bits_of(2), bits_of(7)}};
		break;
	default:
		break;
	}
	set_key_cut(type, &key);
	return key;
}

/* ---- Against the twin ---------------------------------------------------------------------- */

static void check_lookups(struct set *s, struct twin *t, uint64_t now_ms, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct set_key key = random_key(s->type, true);
		const struct set_ask ask = {now_ms, true, 1 + rnd() % 1500};
		struct set_member *m = twin_has(t, &key, now_ms);

		if (set_table_has(s->table, &key, &ask) != !!m)
			fail_msg("type %s flags %u: a lookup says %d", set_type_names[s->type],
				 s->flags, !m);
		if (m) {
			m->packets++;
			m->bytes += ask.octets;
		}
	}
}

/* Each member is there as it should be, and no other. */
static void check_members(struct set *s, struct twin *t)
{
	struct set_cursor c = {0};
	struct set_member m;
	unsigned n = 0;

	assert_int_equal(set_table_n(s->table), t->n);
	while (set_table_next(s->table, &c, &m)) {
		struct set_member *twin = twin_find(t, &m.key), got;

		assert_non_null(twin);
		assert_true(set_table_get(s->table, &m.key, &got));
		assert_memory_equal(&got, &m, sizeof m);
		if (s->flags & SET_TIMEOUTS)
			assert_int_equal(m.ends_ms, twin->ends_ms);
		if (s->flags & SET_COUNTERS) {
			assert_int_equal(m.packets, twin->packets);
			assert_int_equal(m.bytes, twin->bytes);
		}
		n++;
	}
	assert_int_equal(n, t->n);
}

static void change(struct set *s, struct twin *t, uint64_t now_ms)
{
	struct set_member m = {random_key(s->type, false), SET_FOREVER, 0, 0}, *twin;
	int put;

	if (s->flags & SET_TIMEOUTS && rnd() % 4)
		m.ends_ms = now_ms + 1 + rnd() % 5000;
	twin = twin_find(t, &m.key);
	if (rnd() % 3 == 0) {
		bool was = set_table_del(s->table, &m.key);

		/* What ended may be gone already. */
		if (!twin || twin->ends_ms > now_ms)
			assert_int_equal(was, twin != NULL);
		if (twin)
			*twin = t->member[--t->n];
		return;
	}
	if (!twin && t->n == TWIN_MAX)
		return;
	put = set_put(s, &m, now_ms);
	assert_int_equal(put, !twin || twin->ends_ms <= now_ms);
	if (!twin)
		t->member[t->n++] = m;
	else if (put)
		*twin = m;
	else
		twin->ends_ms = m.ends_ms;
}

static void forget_ended(struct set *s, struct twin *t, uint64_t now_ms)
{
	uint32_t at = rnd() % set_table_slots(s->table);

	for (unsigned i = 0; i < t->n;)
		if (t->member[i].ends_ms <= now_ms)
			t->member[i] = t->member[--t->n];
		else
			i++;
	set_table_sweep(s->table, &at, UINT32_MAX, now_ms);
}

static void run_twin(enum set_type type, unsigned flags, unsigned rounds)
{
	struct set *s = set_create(type, flags);
	struct twin *t = calloc(1, sizeof *t);
	uint64_t now_ms = 1000;

	assert_true(s && t);
	t->type = type;
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned k = rnd() % 60; k; k--)
			change(s, t, now_ms);
		check_lookups(s, t, now_ms, 100);
		now_ms += rnd() % 500;
		check_lookups(s, t, now_ms, 20);
		if (rnd() % 8 == 0) {
			forget_ended(s, t, now_ms);
			set_tidy(s, now_ms);
		}
		if (rnd() % 8 == 0 && !(flags & SET_TIMEOUTS))
			check_members(s, t);
	}
	forget_ended(s, t, now_ms);
	check_members(s, t);
	/* All gone, and gone from memory. */
	while (t->n)
		assert_true(set_table_del(s->table, &t->member[--t->n].key));
	check_members(s, t);
	check_lookups(s, t, now_ms, 100);
	set_tidy(s, now_ms);
	assert_true(set_table_octets(s->table) < 4096);
	set_destroy(s);
	free(t);
	rcu_barrier();
}

static void every_type_is_as_the_list_is(void **state)
{
	(void)state;
	for (unsigned type = 0; type < N_SET_TYPES; type++)
		for (unsigned flags = 0; flags < 4; flags++)
			run_twin(type, flags, 150);
}

/* Nested prefixes of every length, of which the longest end first. */
static void every_length_at_once(enum set_type type, unsigned width)
{
	struct set *s = set_create(type, SET_TIMEOUTS | SET_COUNTERS);
	struct set *plain = set_create(type, 0);
	const struct set_key all = random_key(type, true);
	struct set_member m;

	for (unsigned len = 0; len <= width; len++) {
		m = (struct set_member){.key = all, .ends_ms = 1000 - len};
		m.key.len = (uint8_t)len;
		set_key_cut(type, &m.key);
		assert_int_equal(set_put(s, &m, 0), 1);
		assert_int_equal(set_put(plain, &m, 0), 1);
	}
	for (unsigned now = 1000 - width - 1; now < 1000; now++)
		assert_true(set_table_has(s->table, &all, &(struct set_ask){now, true, 100}));
	assert_false(set_table_has(s->table, &all, &(struct set_ask){1000, true, 100}));
	for (unsigned len = width + 1; len-- > 0;) {
		struct set_key near = all;

		/* Differs in the bit behind `len`: of the prefixes up to it, alone. */
		if (len < width)
			near.word[len / 64] ^= 1ull << (63 - len % 64);
		assert_true(set_table_has(plain->table, &near, &(struct set_ask){0}));
		m.key = all;
		m.key.len = (uint8_t)len;
		set_key_cut(type, &m.key);
		assert_true(set_table_get(s->table, &m.key, &m));
		assert_int_equal(m.packets, 1);
		assert_true(set_table_del(plain->table, &m.key));
	}
	assert_false(set_table_has(plain->table, &all, &(struct set_ask){0}));
	set_destroy(s);
	set_destroy(plain);
	rcu_barrier();
}

static void every_length(void **state)
{
	(void)state;
	every_length_at_once(SET_IPV4, 32);
	every_length_at_once(SET_IPV6, 128);
}

/* ---- Limits, time, memory ------------------------------------------------------------------- */

static void a_full_set_takes_no_more(void **state)
{
	struct set *s = set_create(SET_NUMBER, SET_TIMEOUTS);
	struct set_member m = {.ends_ms = 50};

	(void)state;
	s->max = 3;
	for (unsigned i = 0; i < 3; i++) {
		m.key.word[0] = i;
		assert_int_equal(set_put(s, &m, 0), 1);
	}
	m.key.word[0] = 3;
	assert_int_equal(set_put(s, &m, 0), -ENOSPC);
	m.key.word[0] = 1; /* again, with another end */
	m.ends_ms = 60;
	assert_int_equal(set_put(s, &m, 0), 0);
	assert_int_equal(set_table_n(s->table), 3);
	/* What ended gives its place to itself at once, to others when it is swept. */
	m.ends_ms = 90;
	assert_int_equal(set_put(s, &m, 70), 1);
	set_destroy(s);
}

/* Addresses that somebody made up so that their hashes would meet, by whatever is known of the
 * hash: the set takes them, without growing for one line of slots. */
static void made_up_addresses(void **state)
{
	struct set *s = set_create(SET_IPV6, SET_TIMEOUTS);
	struct set_member m = {.key.len = 128, .ends_ms = SET_FOREVER};

	(void)state;
	for (uint64_t i = 0; i < SET_MEMBERS; i++) {
		uint64_t u = i % 256, d = i / 256;

		m.key.word[0] = 0x20010db800000000 ^ u << 56;
		m.key.word[1] = d << 56 | d << 24;
		assert_int_equal(set_put(s, &m, 0), 1);
	}
	assert_in_range(set_table_slots(s->table), SET_MEMBERS, 2 * SET_MEMBERS);
	set_destroy(s);
}

static void packets_prolong_what_has_not_ended(void **state)
{
	struct set *s = set_create(SET_IPV4, SET_TIMEOUTS);
	struct set_member m = {.key = {.word = {1ull << 32}, .len = 32}, .ends_ms = 1000};

	(void)state;
	assert_false(set_table_prolong(s->table, &m.key, 0, 500));
	assert_int_equal(set_put(s, &m, 0), 1);
	assert_true(set_table_prolong(s->table, &m.key, 0, 900)); /* never shorter */
	assert_true(set_table_get(s->table, &m.key, &m) && m.ends_ms == 1000);
	assert_true(set_table_prolong(s->table, &m.key, 0, 1099)); /* not worth a write */
	assert_true(set_table_get(s->table, &m.key, &m) && m.ends_ms == 1000);
	assert_true(set_table_prolong(s->table, &m.key, 999, 1100));
	assert_true(set_table_get(s->table, &m.key, &m) && m.ends_ms == 1100);
	assert_false(set_table_prolong(s->table, &m.key, 1100, 9000));
	assert_true(set_table_del(s->table, &m.key));
	assert_false(set_table_prolong(s->table, &m.key, 0, 9000));
	set_destroy(s);
	rcu_barrier();
}

static size_t octets_a_member(enum set_type type, unsigned flags, unsigned n, bool loaded)
{
	struct set *s = set_create(type, flags);
	uint64_t members;
	size_t most = 0;

	s->max = SET_MEMBERS_MAX;
	if (loaded)
		set_replace(s, set_table_create(type, flags, n));
	for (unsigned i = 0; i < n; i++) {
		struct set_member m = {.ends_ms = SET_FOREVER};

		m.key.word[0] = bits_of(64);
		m.key.word[1] = bits_of(64);
		m.key.len = type == SET_IPV4 ? (uint8_t)(16 + rnd() % 17) : 128;
		if (type == SET_IPV4)
			m.key.word[1] = 0;
		set_key_cut(type, &m.key);
		assert_true(set_put(s, &m, 0) >= 0);
		members = set_table_n(s->table);
		if (i > 1000)
			most = MAX(most, (set_table_octets(s->table) + members - 1) / members);
	}
	if (loaded)
		most = set_table_octets(s->table) / set_table_n(s->table);
	set_destroy(s);
	rcu_barrier();
	return most;
}

/* What is promised: 32 octets a plain IPv4 member, 96 an IPv6 member with a timeout and counters,
 * however the set came to its size. */
static void memory(void **state)
{
	size_t v4 = octets_a_member(SET_IPV4, 0, 200000, false);
	size_t v4_loaded = octets_a_member(SET_IPV4, 0, 200000, true);
	size_t v6 = octets_a_member(SET_IPV6, SET_TIMEOUTS | SET_COUNTERS, 100000, false);

	(void)state;
	print_message(
		"octets a member: IPv4 %zu grown at the worst, %zu loaded; IPv6 with timeout and "
		"counters %zu\n",
		v4, v4_loaded, v6);
	assert_in_range(v4, 16, 32);
	assert_in_range(v4_loaded, 16, 32);
	assert_in_range(v6, 40, 96);
}

/* ---- Text ----------------------------------------------------------------------------------- */

static void text_there_and_back(void **state)
{
	static const struct {
		enum set_type type;
		const char *text, *back; /* NULL: refused; "": the same */
	} cases[] = {
		{SET_IPV4, "10.0.0.1", ""},
		{SET_IPV4, "10.0.0.0/8", ""},
		{SET_IPV4, "10.1.2.3/8", "10.0.0.0/8"},
		{SET_IPV4, "0.0.0.0/0", ""},
		{SET_IPV4, "255.255.255.255/32", "255.255.255.255"},
		{SET_IPV4, "10.0.0.0/33", NULL},
		{SET_IPV4, "10.0.0", NULL},
		{SET_IPV4, "10.0.0.256", NULL},
		{SET_IPV4, "10.0.0.01", NULL},
		{SET_IPV4, "10.0.0.1 ", NULL},
		{SET_IPV4, "10.0.0.1/", NULL},
		{SET_IPV4, "::1", NULL},
		{SET_IPV4, "", NULL},
		{SET_IPV6, "2001:db8::/32", ""},
		{SET_IPV6, "2001:DB8:0::1/128", "2001:db8::1"},
		{SET_IPV6, "2001:db8::ffff/70", "2001:db8::/70"},
		{SET_IPV6, "::/0", ""},
		{SET_IPV6, "::1/129", NULL},
		{SET_IPV6, "1.2.3.4", NULL},
		{SET_PORT, "0", ""},
		{SET_PORT, "65535", ""},
		{SET_PORT, "65536", NULL},
		{SET_PORT, "-1", NULL},
		{SET_NUMBER, "18446744073709551615", ""},
		{SET_NUMBER, "18446744073709551616", NULL},
		{SET_NUMBER, "0x1000", "4096"},
		{SET_NUMBER, "0x", NULL},
		{SET_NUMBER, "0x11111111111111111", NULL},
		{SET_ETH, "02:00:00:00:00:0A", "02:00:00:00:00:0a"},
		{SET_ETH, "02:00:00:00:00", NULL},
		{SET_IPV4_PORT, "192.0.2.1+53", ""},
		{SET_IPV4_PORT, "192.0.2.1", NULL},
		{SET_IPV4_PORT, "192.0.2.1/24+53", NULL},
		{SET_IPV6_PORT, "2001:db8::1+65535", ""},
		{SET_IPV4_IPV4, "10.0.0.1+255.0.0.255", ""},
		{SET_IPV6_IPV6, "::1+2001:db8::ff", ""},
		{SET_IPV6_IPV6, "::1+", NULL},
	};
	char text[SET_MEMBER_TEXT];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *back = cases[i].back;
		struct set_key key;

		if (back && !*back)
			back = cases[i].text;
		if (set_key_parse(cases[i].type, cases[i].text, strlen(cases[i].text), &key)) {
			if (back)
				fail_msg("%s was refused", cases[i].text);
			continue;
		}
		if (!back)
			fail_msg("%s was taken", cases[i].text);
		assert_string_equal(set_key_text(cases[i].type, &key, text), back);
	}
}

static void random_keys_there_and_back(void **state)
{
	char text[SET_MEMBER_TEXT];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		enum set_type type = rnd() % N_SET_TYPES;
		struct set_key key = random_key(type, false), back;

		set_key_text(type, &key, text);
		assert_int_equal(set_key_parse(type, text, strlen(text), &back), 0);
		assert_memory_equal(&back, &key, sizeof key);
	}
}

static void names(void **state)
{
	(void)state;
	assert_true(set_name_ok("bad-guys_2.4"));
	assert_true(set_name_ok("a23456789012345678901234567890A"));
	assert_false(set_name_ok("a23456789012345678901234567890AB"));
	assert_false(set_name_ok(""));
	assert_false(set_name_ok("-x"));
	assert_false(set_name_ok("a b"));
	assert_false(set_name_ok("a,b"));
	assert_false(set_name_ok("a\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_as_the_list_is),
		cmocka_unit_test(every_length),
		cmocka_unit_test(a_full_set_takes_no_more),
		cmocka_unit_test(made_up_addresses),
		cmocka_unit_test(packets_prolong_what_has_not_ended),
		cmocka_unit_test(memory),
		cmocka_unit_test(text_there_and_back),
		cmocka_unit_test(random_keys_there_and_back),
		cmocka_unit_test(names),
	};

	rcu_register();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
