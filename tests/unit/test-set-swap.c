/* SPDX-License-Identifier: Apache-2.0 */
/* A set is changed under its readers: they see all of one content or all of the other, and what is
 * there throughout is always found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "datapath/set.h"

enum { READERS = 2, ROUNDS = 200, MEMBERS = 500 };

static struct set *set;
static bool stop;
static uint64_t looks[READERS], wrong[READERS];

static struct set_key key_of(uint64_t n)
{
	return (struct set_key){.word = {n << 32}, .len = 32};
}

/* Contents are the even or the odd numbers below 2 * MEMBERS; number 1 << 20 is in both. */
static void look(unsigned id)
{
	const struct set_table *t = rcu_get(set->table);
	const struct set_ask ask = {.now_ms = 1, .count = true, .octets = 60};
	struct set_key key = key_of(1 << 20);
	unsigned even = 0, odd = 0;

	if (!set_table_has(t, &key, &ask))
		wrong[id]++;
	for (unsigned i = 0; i < MEMBERS; i++) {
		key = key_of(2 * i);
		even += set_table_has(t, &key, &ask);
		key = key_of(2 * i + 1);
		odd += set_table_has(t, &key, &ask);
	}
	if (even + odd != MEMBERS || (even && odd))
		wrong[id]++;
	key = key_of(1 << 20);
	set_table_prolong(t, &key, 1, SET_FOREVER / 2);
	counter_add(&looks[id], 1);
}

static void *reader(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;

	rcu_register();
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		look(id);
		rcu_quiescent();
	}
	rcu_unregister();
	return NULL;
}

static void put(struct set_table *t, uint64_t n)
{
	const struct set_member m = {.key = key_of(n), .ends_ms = SET_FOREVER / 4};

	assert_int_equal(set_table_put(t, &m), 1);
}

static void run(unsigned flags)
{
	pthread_t thread[READERS];

	set = set_create(SET_IPV4, flags);
	stop = false;
	for (unsigned round = 0; round <= ROUNDS; round++) {
		struct set_table *t = set_table_create(SET_IPV4, flags, MEMBERS + 1);

		put(t, 1 << 20);
		for (unsigned i = 0; i < MEMBERS; i++)
			put(t, 2 * i + round % 2);
		set_replace(set, t);
		for (uint64_t i = 0; !round && i < READERS; i++)
			assert_int_equal(
				pthread_create(&thread[i], NULL, reader, (void *)(uintptr_t)i), 0);
		/* Single members beside, until the table has grown twice, and out again. */
		for (unsigned i = 0; i < 2 * MEMBERS; i++) {
			const struct set_member m = {.key = key_of((2u << 20) + i * 64),
						     .ends_ms = SET_FOREVER / 4};

			assert_int_equal(set_put(set, &m, 1), 1);
		}
		for (unsigned i = 0; i < 2 * MEMBERS; i++) {
			const struct set_key key = key_of((2u << 20) + i * 64);

			assert_true(set_table_del(set->table, &key));
		}
		set_tidy(set, 1);
		rcu_reap();
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	rcu_offline();
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(wrong[i], 0);
		assert_true(looks[i]);
	}
	rcu_online();
	set_destroy(set);
	rcu_barrier();
}

static void plain(void **state)
{
	(void)state;
	run(0);
}

static void with_time_and_counters(void **state)
{
	(void)state;
	run(SET_TIMEOUTS | SET_COUNTERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(with_time_and_counters),
	};

	rcu_register();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
