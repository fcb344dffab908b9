/* SPDX-License-Identifier: Apache-2.0 */
/* Sketches against exact counts of the same random streams: the bounds that sketch.h promises. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/random.h"
#include "utilities/watch/sketch.h"

enum { KEYS = 20000, EVENTS = 400000 };

static uint32_t exact[KEYS];

/* A heavy-tailed choice: key k about as 1/k. */
static unsigned zipf(void)
{
	return (unsigned)MIN(exp(rnd() / 4294967296.0 * log(KEYS)) - 1, KEYS - 1.0);
}

static uint64_t key_hash(unsigned key)
{
	return sketch_hash(7, key, 1);
}

static void space_saving_bounds(void **state)
{
	struct space_saving s;
	float *set_sum;
	bool fresh;

	(void)state;
	space_saving_init(&s, 1024);
	set_sum = calloc(s.n_sets, sizeof *set_sum);
	memset(exact, 0, sizeof exact);
	for (unsigned i = 0; i < EVENTS; i++) {
		unsigned key = zipf();
		int slot = space_saving_add(&s, key_hash(key), 1, &fresh);

		assert_true(slot >= 0 && s.tag[slot] == key_hash(key));
		set_sum[(unsigned)slot / SPACE_WAYS]++;
		exact[key]++;
	}
	for (unsigned key = 0; key < KEYS; key++) {
		int slot = space_saving_find(&s, key_hash(key));

		/* What is heavier than its set's share is there, never too low, at most the share
		 * too high. */
		if (slot < 0)
			continue;
		assert_true(s.weight[slot] >= (float)exact[key]);
		assert_true(s.weight[slot] <=
			    (float)exact[key] + set_sum[(unsigned)slot / SPACE_WAYS] / SPACE_WAYS);
	}
	for (unsigned key = 0; key < 20; key++)
		assert_true(space_saving_find(&s, key_hash(key)) >= 0);
	space_saving_decay(&s, 0.5f);
	assert_true(s.weight[space_saving_find(&s, key_hash(0))] <= (float)exact[0]);
	free(set_sum);
	space_saving_free(&s);
}

static void space_saving_pins(void **state)
{
	struct space_saving s;
	bool fresh;
	int slot;

	(void)state;
	space_saving_init(&s, SPACE_WAYS);
	for (unsigned key = 0; key < SPACE_WAYS; key++) {
		assert_true(space_saving_least(&s, key_hash(key)) == 0);
		slot = space_saving_add(&s, key_hash(key), (float)key + 1, &fresh);
		assert_true(fresh);
		s.pinned[slot] = key < 3;
	}
	/* The lightest that is not pinned goes. */
	assert_true(space_saving_least(&s, key_hash(100)) == 4);
	slot = space_saving_add(&s, key_hash(100), 1, &fresh);
	assert_true(fresh && s.weight[slot] == 5 && space_saving_find(&s, key_hash(3)) < 0);
	memset(s.pinned, 1, SPACE_WAYS);
	assert_int_equal(space_saving_add(&s, key_hash(101), 1, &fresh), -1);
	assert_true(space_saving_find(&s, key_hash(101)) < 0);
	space_saving_free(&s);
}

static void count_min_bounds(void **state)
{
	struct count_min c;
	unsigned far = 0;

	(void)state;
	count_min_init(&c, 4096);
	memset(exact, 0, sizeof exact);
	for (unsigned i = 0; i < EVENTS; i++) {
		unsigned key = zipf();

		exact[key]++;
		assert_true(count_min_add(&c, key_hash(key), 1) >= exact[key]);
	}
	for (unsigned key = 0; key < KEYS; key++) {
		uint32_t estimate = count_min_read(&c, key_hash(key));

		assert_true(estimate >= exact[key]);
		/* e/columns of the sum, but for one in e^rows. */
		far += estimate > exact[key] + (uint32_t)(2.72 * EVENTS / 4096);
	}
	assert_true(far <= KEYS / 50);
	for (unsigned i = 0; i < 200; i++)
		count_min_decay(&c);
	assert_int_equal(count_min_read(&c, key_hash(0)), 0);
	count_min_add(&c, key_hash(5), UINT32_MAX);
	assert_int_equal(count_min_add(&c, key_hash(5), 9), UINT32_MAX);
	count_min_free(&c);
}

static void distinct_bounds(void **state)
{
	static const unsigned counts[] = {0, 1, 10, 100, 1000, 10000, 1000000};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		double worst = 0, sum = 0;

		for (unsigned run = 0; run < 16; run++) {
			struct distinct d = {0};
			double error;

			for (unsigned k = 0; k < counts[i]; k++)
				for (unsigned again = 0; again < (counts[i] < 9999 ? 3 : 1);
				     again++)
					distinct_add(&d, sketch_hash(run + 1, k, 0));
			error = counts[i] ? distinct_count(&d) / counts[i] - 1 : distinct_count(&d);
			worst = MAX(worst, fabs(error));
			sum += error;
		}
		assert_true(worst < 0.36);         /* four standard errors */
		assert_true(fabs(sum / 16) < 0.1); /* and no drift */
	}
}

static void seed_moves_everything(void **state)
{
	uint64_t was = hash_seed, a = key_hash(1);

	(void)state;
	hash_seed ^= 1;
	assert_true(key_hash(1) != a);
	hash_seed = was;
	assert_true(key_hash(1) == a && key_hash(2) != a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(space_saving_bounds),   cmocka_unit_test(space_saving_pins),
		cmocka_unit_test(count_min_bounds),      cmocka_unit_test(distinct_bounds),
		cmocka_unit_test(seed_moves_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
