/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of buckets by key: exact as long as no line is full; when it is, one key passes no more
 * than one bucket, whoever fills the table; what is counted is never put out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "datapath/bucket.h"
#include "datapath/keyed.h"
#include "tests/unit/random.h"

enum { WORDS = 3 };

static struct keyed *table(uint32_t n_lines, bool counts)
{
	struct keyed *t = keyed_create(&(struct keyed_shape){n_lines, WORDS, counts, NSEC_PER_SEC});

	assert_non_null(t);
	return t;
}

/* Packets at 1 ms each, ten at once, in a table that does not count. */
static const struct keyed_ask packets = {.cost = NSEC_PER_MSEC, .burst = 10 * NSEC_PER_MSEC};

static enum keyed_verdict take(struct keyed *t, struct keyed_ask a, uint64_t id, uint64_t now)
{
	const uint64_t key[WORDS] = {1, id, id >> 32};
	uint32_t where;

	a.key = key;
	a.now = now;
	return keyed_take(t, &a, &where);
}

static uint32_t where_of(struct keyed *t, struct keyed_ask a, uint64_t id, uint64_t now)
{
	const uint64_t key[WORDS] = {1, id, id >> 32};
	uint32_t where = 0;

	a.key = key;
	a.now = now;
	assert_int_equal(keyed_take(t, &a, &where), KEYED_PASS);
	return where;
}

static struct keyed_state look(struct keyed *t, struct keyed_ask a, uint64_t id, uint64_t now)
{
	const uint64_t key[WORDS] = {1, id, id >> 32};
	struct keyed_state s;

	a.key = key;
	a.now = now;
	keyed_look(t, &a, &s);
	return s;
}

/* ---- One key ------------------------------------------------------------------------------ */

static void a_key_has_a_burst_and_then_its_rate(void **state)
{
	struct keyed *t = table(64, false);
	uint64_t now = 5 * NSEC_PER_SEC;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(take(t, packets, 7, now), KEYED_PASS);
	assert_int_equal(take(t, packets, 7, now), KEYED_RATE);
	assert_int_equal(take(t, packets, 7, now + NSEC_PER_MSEC - 1), KEYED_RATE);
	assert_int_equal(take(t, packets, 7, now + NSEC_PER_MSEC), KEYED_PASS);
	assert_int_equal(take(t, packets, 7, now + NSEC_PER_MSEC), KEYED_RATE);
	/* Another has its own. */
	assert_int_equal(take(t, packets, 8, now), KEYED_PASS);
	assert_int_equal(look(t, packets, 8, now).left, 9 * NSEC_PER_MSEC);
	assert_int_equal(look(t, packets, 7, now + NSEC_PER_MSEC).dropped, 3);
	assert_int_equal(look(t, packets, 9, now).how, KEYED_ABSENT);
	assert_int_equal(look(t, packets, 9, now).left, packets.burst);
	keyed_destroy(t);
}

/* A packet that costs more than the bucket can hold passes a full one, which owes the rest. */
static void what_is_larger_than_the_burst_is_owed(void **state)
{
	const struct keyed_ask big = {.cost = 50, .burst = 10};
	struct keyed *t = table(64, false);

	(void)state;
	assert_int_equal(take(t, big, 1, 1000), KEYED_PASS);
	assert_int_equal(take(t, big, 1, 1049), KEYED_RATE);
	assert_int_equal(look(t, big, 1, 1000).owes, 40);
	assert_int_equal(take(t, big, 1, 1050), KEYED_PASS);
	keyed_destroy(t);
}

/* A slower rate does not forgive, a faster one does not take; time set back or far ahead, neither.
 */
static void rates_and_time_may_change(void **state)
{
	struct keyed_ask slow = packets;
	struct keyed *t = table(64, false);
	uint64_t now = 5 * NSEC_PER_SEC;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(take(t, packets, 7, now), KEYED_PASS);
	slow.cost *= 10;
	slow.burst *= 10;
	assert_int_equal(take(t, slow, 7, now + 9 * NSEC_PER_MSEC), KEYED_RATE);
	assert_int_equal(take(t, slow, 7, now + 10 * NSEC_PER_MSEC), KEYED_PASS);
	assert_int_equal(take(t, packets, 7, now), KEYED_RATE);
	assert_int_equal(take(t, packets, 7, 0), KEYED_RATE);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(take(t, packets, 7, UINT64_MAX >> 2), KEYED_PASS);
	assert_int_equal(take(t, packets, 7, UINT64_MAX >> 2), KEYED_RATE);
	assert_int_equal(take(t, packets, 7, now), KEYED_RATE);
	keyed_destroy(t);
}

/* Neither keys that differ in one bit of two words nor runs of numbers share tags. */
static void tags_differ(void **state)
{
	struct keyed *t = table(64, false);
	uint64_t tag[4096];

	(void)state;
	for (unsigned i = 0; i < 4096; i++) {
		const uint64_t key[WORDS] = {1, 1ull << i % 64, 1ull << i / 64};

		tag[i] = keyed_tag(t, key);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(tag[i], tag[k]);
	}
	keyed_destroy(t);
}

/* ---- The twin ------------------------------------------------------------------------------ */

struct exact {
	uint64_t from; /* tokens begin here */
};

static bool exact_take(struct exact *e, const struct keyed_ask *a, uint64_t now)
{
	uint64_t from = now > a->burst ? MAX(e->from, now - a->burst) : e->from;

	if (from + MIN(a->cost, a->burst) > now)
		return false;
	e->from = from + a->cost;
	return true;
}

static void the_table_is_the_same_as_exact_buckets(void **state)
{
	enum { KEYS = 1000 };
	static struct exact exact[KEYS];
	struct keyed *t = table(65536, false);
	uint64_t now = NSEC_PER_SEC;
	unsigned passed = 0;

	(void)state;
	memset(exact, 0, sizeof exact);
	for (unsigned i = 0; i < 2000000; i++) {
		struct keyed_ask a = packets;
		/* Some keys are heavy. */
		uint64_t id = rnd() % 4 ? rnd() % 10 : rnd() % KEYS;

		a.cost = 1 + rnd() % (3 * NSEC_PER_MSEC);
		now += rnd() % 100000;
		if (i % 100000 == 99999)
			now += 20 * NSEC_PER_MSEC;
		if (exact_take(&exact[id], &a, now) != (take(t, a, id, now) == KEYED_PASS))
			fail_msg("packet %u of key %u", i, (unsigned)id);
		passed += exact[id].from > 0;
	}
	assert_true(passed > 0);
	keyed_destroy(t);
}

/* ---- The table is full ---------------------------------------------------------------------- */

/* Some heavy sources that come, rest in the hope of being forgotten, and come again, in a table of
 * `lines`, beside `others` packets of random sources for each of theirs: of none passes more than
 * rate times time and a burst, in any time that is looked at. */
enum { HEAVY = 8 };

struct heavy {
	uint64_t passed, window, since, rests;
};

static void step_heavy(struct keyed *t, struct heavy *h, uint64_t id, uint64_t now)
{
	if (now < h->rests)
		return;
	if (rnd() % 100 == 0)
		h->rests = now + rnd() % (3 * packets.burst);
	if (take(t, packets, id, now) == KEYED_PASS) {
		h->passed++;
		h->window++;
	}
	if (h->window > (now - h->since) / packets.cost + 10)
		fail_msg("source %u: %u packets in %u us", (unsigned)id, (unsigned)h->window,
			 (unsigned)((now - h->since) / 1000));
	if (rnd() % 200 == 0) {
		h->window = 0;
		h->since = now;
	}
}

static void check_heavy(uint32_t lines, unsigned others)
{
	struct heavy heavy[HEAVY] = {0};
	struct keyed *t = table(lines, false);
	uint64_t begin = NSEC_PER_SEC, now = begin, strangers = 0;

	for (unsigned i = 0; i < HEAVY; i++)
		heavy[i].since = begin;
	for (unsigned i = 0; i < 200000; i++) {
		now += rnd() % 80000;
		step_heavy(t, &heavy[i % HEAVY], i % HEAVY + 1, now);
		for (unsigned k = 0; k < others; k++)
			strangers += take(t, packets, 1ull << 40 | rnd(), now) == KEYED_PASS;
	}
	for (unsigned i = 0; i < HEAVY; i++)
		assert_in_range(heavy[i].passed, 1, (now - begin) / packets.cost + 10);
	/* All of them together: four buckets a line. */
	assert_true(strangers <= 4ull * lines * ((now - begin) / packets.cost + 10));
	keyed_destroy(t);
}

static void a_heavy_source_gains_nothing_by_filling_the_table(void **state)
{
	(void)state;
	check_heavy(1, 0);
	check_heavy(1, 1);
	check_heavy(1, 5);
	check_heavy(2, 0);
	check_heavy(2, 5);
	check_heavy(16, 20);
}

/* What is in use stays; what is full again goes first. */
static void nothing_in_use_is_put_out(void **state)
{
	struct keyed *t = table(1, false);
	uint64_t now = NSEC_PER_SEC;

	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		for (unsigned i = 0; i < id; i++)
			assert_int_equal(take(t, packets, id, now), KEYED_PASS);
	assert_int_equal(look(t, packets, 4, now).how, KEYED_SHARING);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(take(t, packets, 4 + i, now), KEYED_PASS);
	assert_int_equal(take(t, packets, 99, now), KEYED_RATE); /* the shared one is spent */
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(look(t, packets, id, now).how, KEYED_KEPT);
	/* 1 ms later the first is full again.  The next to come has its slot, and the shared one's
	 * debt: one token. */
	now += NSEC_PER_MSEC;
	assert_int_equal(take(t, packets, 99, now), KEYED_PASS);
	assert_int_equal(look(t, packets, 99, now).how, KEYED_KEPT);
	assert_int_equal(look(t, packets, 1, now).how, KEYED_SHARING);
	assert_int_equal(take(t, packets, 99, now), KEYED_RATE);
	assert_int_equal(look(t, packets, 2, now).left, 9 * NSEC_PER_MSEC);
	keyed_destroy(t);
}

/* ---- Counting -------------------------------------------------------------------------------- */

static void what_is_counted_stays_and_is_bounded(void **state)
{
	const struct keyed_ask one = {.room = 2, .counts = true};
	struct keyed *t = table(1, true);
	uint32_t where[8];
	uint64_t now = 3 * NSEC_PER_SEC;

	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		where[id] = where_of(t, one, id, now);
	assert_int_equal(where_of(t, one, 1, now), where[1]);
	assert_int_equal(take(t, one, 1, now), KEYED_COUNT);
	/* No slot: they count together. */
	now += 1000 * NSEC_PER_SEC;
	where[4] = where_of(t, one, 4, now);
	where[5] = where_of(t, one, 5, now);
	assert_true(keyed_shared(where[4]) && keyed_shared(where[5]));
	assert_int_equal(take(t, one, 6, now), KEYED_COUNT);
	keyed_give(t, where[4]);
	assert_int_equal(take(t, one, 6, now), KEYED_PASS);
	/* A place for one connection, then for another key. */
	keyed_give(t, where[1]);
	assert_int_equal(take(t, one, 1, now), KEYED_PASS);
	keyed_give(t, where[2]);
	assert_false(keyed_shared(where_of(t, one, 7, now)));
	assert_int_equal(look(t, one, 2, now).how, KEYED_SHARING);
	/* More is given back than there was: nothing. */
	for (unsigned i = 0; i < 5; i++)
		keyed_give(t, where[3]);
	assert_int_equal(look(t, one, 3, now).count, 0);
	keyed_destroy(t);
}

/* To ask whether there is room puts nothing in. */
static void asking_leaves_nothing(void **state)
{
	const struct keyed_ask question = {.room = 1};
	struct keyed *t = table(1, true);

	(void)state;
	for (uint64_t id = 1; id < 100; id++)
		assert_int_equal(take(t, question, id, NSEC_PER_SEC), KEYED_PASS);
	for (unsigned i = 0; i < KEYED_WAYS; i++)
		assert_int_equal(t->line[0].slot[i].tag, 0);
	keyed_destroy(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_has_a_burst_and_then_its_rate),
		cmocka_unit_test(what_is_larger_than_the_burst_is_owed),
		cmocka_unit_test(rates_and_time_may_change),
		cmocka_unit_test(tags_differ),
		cmocka_unit_test(the_table_is_the_same_as_exact_buckets),
		cmocka_unit_test(a_heavy_source_gains_nothing_by_filling_the_table),
		cmocka_unit_test(nothing_in_use_is_put_out),
		cmocka_unit_test(what_is_counted_stays_and_is_bounded),
		cmocka_unit_test(asking_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
