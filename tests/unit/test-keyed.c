/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of buckets by key: exact as long as no line is full; when it is, one key passes no more
 * than one bucket, whoever fills the table; what is counted is never put out; several threads at
 * the same keys. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "datapath/keyed-conns.h"
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

/* What lawful keys lose while random sources come: a hundred of them at a tenth of their rate, in a
 * table for 1,024 keys whose slots 1,500 sources fill a millisecond.  Returns packets of 10,000. */
static unsigned lost_by(unsigned strangers_per_ms)
{
	struct keyed *t = table(512, false);
	uint64_t now = NSEC_PER_SEC;
	unsigned lost = 0, n = 0;

	for (unsigned ms = 0; ms < 200; ms++)
		for (unsigned i = 0; i < 10; i++, now += NSEC_PER_MSEC / 10) {
			for (unsigned k = 0; k < strangers_per_ms / 10; k++)
				take(t, packets, 1ull << 40 | rnd(), now);
			if (ms >= 100 && ++n) /* the table is as full as it will be */
				lost += take(t, packets, (ms * 10 + i) % 100, now) != KEYED_PASS;
		}
	keyed_destroy(t);
	return lost * 10000 / n;
}

static void what_lawful_keys_lose(void **state)
{
	static const unsigned most[][2] = {{0, 0}, {400, 0}, {1500, 500}, {6000, 9000}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(most); i++) {
		unsigned lost = lost_by(most[i][0]);

		print_message("%u strangers a ms, %u slots: lawful keys lose %.2f%%\n", most[i][0],
			      512 * KEYED_WAYS, lost / 100.0);
		assert_in_range(lost, 0, most[i][1]);
	}
}

/* What is put out comes back with no more than it had. */
static void nobody_gains_by_being_put_out(void **state)
{
	struct keyed *t = table(1, false);
	uint64_t now = NSEC_PER_SEC;
	unsigned passed = 6;

	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		for (unsigned i = 0; i < id; i++)
			assert_int_equal(take(t, packets, id, now), KEYED_PASS);
	assert_int_equal(look(t, packets, 4, now).how, KEYED_SHARING);
	assert_int_equal(take(t, packets, 4, now), KEYED_PASS);
	/* The shared word has spent one, as the first key has, which goes. */
	assert_int_equal(take(t, packets, 5, now), KEYED_PASS);
	assert_int_equal(look(t, packets, 1, now).how, KEYED_SHARING);
	assert_int_equal(look(t, packets, 1, now).left, 9 * NSEC_PER_MSEC);
	assert_int_equal(look(t, packets, 3, now).how, KEYED_KEPT);
	assert_int_equal(look(t, packets, 3, now).left, 7 * NSEC_PER_MSEC);
	/* At one time no more than four bursts, whoever comes. */
	for (uint64_t id = 6; id < 1000; id++)
		passed += take(t, packets, id, now) == KEYED_PASS;
	assert_in_range(passed, 20, 40 - 2);
	/* What is full again goes without a trace. */
	now += 10 * NSEC_PER_MSEC;
	assert_int_equal(look(t, packets, 1, now).left, 10 * NSEC_PER_MSEC);
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

/* ---- Threads -----------------------------------------------------------------------------------
 */

enum { THREADS = 4, TAKES = 100000 };

static uint64_t shared_clock; /* 2 ns a look */

static uint64_t look_at_clock(void)
{
	return NSEC_PER_SEC + __atomic_fetch_add(&shared_clock, 2, __ATOMIC_RELAXED);
}

struct taker {
	struct keyed *t;
	struct keyed_conns *conns;
	unsigned seed, passed[8];
};

/* Each thread takes for eight keys and strangers, in a table of one line. */
static void *take_many(void *arg)
{
	struct taker *k = arg;
	uint64_t x = k->seed * 0x9e3779b97f4a7c15ull;

	for (unsigned i = 0; i < TAKES; i++) {
		struct keyed_ask a = {.cost = 1000, .burst = 10000};
		uint64_t key[2] = {0};
		uint32_t where;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		key[1] = x % 4 ? x >> 32 & 7 : x;
		a.key = key;
		a.now = look_at_clock();
		if (keyed_take(k->t, &a, &where) == KEYED_PASS && key[1] < 8)
			k->passed[key[1]]++;
	}
	return NULL;
}

static void several_threads_pass_no_more_than_one(void **state)
{
	struct keyed *t = keyed_create(&(struct keyed_shape){1, 2, false, 0});
	struct taker taker[THREADS];
	pthread_t thread[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		taker[i] = (struct taker){.t = t, .seed = i + 1};
		assert_int_equal(pthread_create(&thread[i], NULL, take_many, &taker[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned k = 0; k < 8; k++) {
		unsigned sum = 0;

		for (unsigned i = 0; i < THREADS; i++)
			sum += taker[i].passed[k];
		/* Eight hundred by rate, ten by burst; a thread may look at the clock and then
		 * stand still for as long as others have their turn. */
		assert_in_range(sum, 0, TAKES * THREADS * 2 / 1000 + 10 + 10 * THREADS);
	}
	keyed_destroy(t);
}

/* Connections come, go and are pushed out by several threads; what is counted adds up. */
static void *open_many(void *arg)
{
	struct taker *k = arg;
	uint64_t x = k->seed * 0x9e3779b97f4a7c15ull;

	for (unsigned i = 0; i < TAKES; i++) {
		struct du_key du = {.eth_type = htobe16(0x0800)};
		struct keyed_ask a = {.room = 50, .counts = true};
		uint64_t key[2] = {0}, now = NSEC_PER_SEC + i * 10000ull;
		struct conns_entry e = {.now = now};

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		key[1] = x & 15;
		put_be32(du.ip_src, (uint32_t)(x & 15));
		du.tp_src = (be16)(x >> 40 & 31);
		a.key = key;
		a.now = now;
		e.tag = conns_tag(k->conns, &du);
		if (conns_seen(k->conns, e.tag, now, x >> 20 & 1) == CONNS_COUNTED ||
		    keyed_take(k->t, &a, &e.where) != KEYED_PASS)
			continue;
		conns_put(k->conns, k->t, &e);
		if (i % 1000 == 0 && k->seed == 1)
			conns_sweep(k->conns, k->t, now, NSEC_PER_SEC, 8);
	}
	return NULL;
}

static void several_threads_count_right(void **state)
{
	struct keyed *t = keyed_create(&(struct keyed_shape){4, 2, true, 0});
	struct keyed_conns *conns = conns_create(8);
	struct taker taker[THREADS];
	pthread_t thread[THREADS];
	uint32_t sum = 0;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		taker[i] = (struct taker){.t = t, .conns = conns, .seed = i + 1};
		assert_int_equal(pthread_create(&thread[i], NULL, open_many, &taker[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < t->n_lines; i++) {
		for (unsigned k = 0; k < KEYED_WAYS; k++)
			sum += t->line[i].slot[k].word & KEYED_COUNT_MAX;
		sum += t->line[i].shared & KEYED_COUNT_MAX;
	}
	assert_int_equal(sum, conns_n(conns));
	conns_sweep(conns, t, 1000 * NSEC_PER_SEC, NSEC_PER_SEC, 8);
	assert_int_equal(conns_n(conns), 0);
	conns_destroy(conns);
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
		cmocka_unit_test(what_lawful_keys_lose),
		cmocka_unit_test(nobody_gains_by_being_put_out),
		cmocka_unit_test(what_is_counted_stays_and_is_bounded),
		cmocka_unit_test(asking_leaves_nothing),
		cmocka_unit_test(several_threads_pass_no_more_than_one),
		cmocka_unit_test(several_threads_count_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
