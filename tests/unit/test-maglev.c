/* SPDX-License-Identifier: Apache-2.0 */
/* Maglev's table: shares by weight, and how little moves when a backend comes, goes or changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "datapath/maglev.h"
#include "lib/hash.h"

static uint16_t before[MAGLEV_SLOTS_MAX], after[MAGLEV_SLOTS_MAX];
static struct maglev_backend all[MAGLEV_BACKENDS], fewer[MAGLEV_BACKENDS];

static void equal_backends(unsigned n, uint64_t seed)
{
	for (unsigned i = 0; i < n; i++)
		all[i] = (struct maglev_backend){hash_mix(seed * 4096 + i), 1};
}

/* The share of slots that have another backend once `gone` is away. */
static double moved_without(unsigned n, unsigned gone, uint32_t size)
{
	unsigned moved = 0;

	for (unsigned i = 0, k = 0; i < n; i++)
		if (i != gone)
			fewer[k++] = all[i];
	assert_true(maglev_fits(size, fewer, n - 1)); /* the table keeps its size */
	maglev_fill(before, size, all, n);
	maglev_fill(after, size, fewer, n - 1);
	for (uint32_t s = 0; s < size; s++)
		moved += after[s] == MAGLEV_NONE || before[s] != after[s] + (after[s] >= gone);
	return (double)moved / size;
}

/* One of n equal ones away, or back, moves 1/n and at most 1 % more. */
static void test_one_goes(void **state)
{
	static const unsigned counts[] = {2,  3,  4,  5,   7,   8,   10,  12,  15,  16,   20,  21,
					  25, 32, 50, 100, 128, 200, 256, 257, 300, 1000, 4096};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned n = counts[i], rounds = n > 256 ? 1 : n > 20 ? 4 : 50;

		for (unsigned round = 0; round < rounds; round++) {
			double moved;

			equal_backends(n, round + 1);
			moved = moved_without(n, (round * 7 + 1) % n, maglev_size(all, n));
			if (moved > 1.0 / n + 0.01)
				fail_msg("%u backends, round %u: %.4f moved", n, round, moved);
		}
	}
}

/* A backend with the share s away moves s and at most 1 % more; the weights are 1 to 10. */
static void test_one_of_many_weights_goes(void **state)
{
	static const unsigned counts[] = {3, 6, 10, 18, 40, 120};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++)
		for (unsigned round = 0; round < 4; round++) {
			unsigned n = counts[i], gone = round % n;
			uint64_t sum = 0;
			double moved, share;

			equal_backends(n, 77 + round);
			for (unsigned k = 0; k < n; k++)
				sum += all[k].weight = 1 + (uint32_t)hash_mix(k + round) % 10;
			share = (double)all[gone].weight / (double)sum;
			moved = moved_without(n, gone, maglev_size(all, n));
			if (moved > share + 0.01)
				fail_msg("%u weights, round %u: %.4f moved for a share of %.4f", n,
					 round, moved, share);
		}
}

static void test_shares(void **state)
{
	static const unsigned counts[] = {1, 2, 3, 20, 256, 4096};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned n = counts[i], got[MAGLEV_BACKENDS] = {0};
		uint64_t sum = 0;
		uint32_t size;

		equal_backends(n, 5);
		for (unsigned k = 0; k < n; k++)
			sum += all[k].weight = 1 + k % 3;
		size = maglev_size(all, n);
		maglev_fill(before, size, all, n);
		for (uint32_t s = 0; s < size; s++)
			got[before[s]]++;
		for (unsigned k = 0; k < n; k++) {
			double want = (double)size * all[k].weight / (double)sum;

			/* Within 1 % or the slot that cannot be halved. */
			assert_true(got[k] > want * 0.99 - 1 && got[k] < want * 1.01 + 1);
		}
	}
}

/* Only what is in the table counts: not the order of the list, and no weight means no slot. */
static void test_order_and_zero(void **state)
{
	(void)state;
	equal_backends(10, 9);
	all[3].weight = 0;
	maglev_fill(before, 16381, all, 10);
	for (unsigned i = 0; i < 10; i++)
		fewer[i] = all[9 - i];
	maglev_fill(after, 16381, fewer, 10);
	for (uint32_t s = 0; s < 16381; s++) {
		assert_int_not_equal(before[s], 3);
		assert_int_equal(before[s], 9 - after[s]);
	}
	for (unsigned i = 0; i < 10; i++)
		all[i].weight = 0;
	maglev_fill(before, 16381, all, 10);
	for (uint32_t s = 0; s < 16381; s++)
		assert_int_equal(before[s], MAGLEV_NONE);
	maglev_fill(before, 16381, all, 0);
	assert_int_equal(before[0], MAGLEV_NONE);
}

/* Every size is a prime, so that each permutation meets every slot; a seed twice still ends. */
static void test_sizes(void **state)
{
	static const unsigned counts[] = {1, 13, 257};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		uint32_t size;

		equal_backends(counts[i], 1);
		size = maglev_size(all, counts[i]);
		for (uint32_t d = 2; d * d <= size; d++)
			assert_int_not_equal(size % d, 0);
		assert_true(maglev_fits(size, all, counts[i]));
		assert_true(!i || !maglev_fits(size - 2, all, counts[i]));
	}
	equal_backends(3, 1);
	all[0].weight = all[2].weight = UINT16_MAX;
	assert_int_equal(maglev_size(all, 3), MAGLEV_SLOTS_MAX); /* slots for the small one */
	maglev_fill(before, MAGLEV_SLOTS_MAX, all, 3);
	for (uint32_t s = 0, n = 0; s < MAGLEV_SLOTS_MAX; s++) {
		n += before[s] == 1;
		assert_true(s + 1 < MAGLEV_SLOTS_MAX || n == 4);
	}
	for (unsigned i = 1; i < MAGLEV_BACKENDS; i++)
		all[i] = (struct maglev_backend){i, UINT16_MAX};
	all[0].weight = 1;
	assert_int_equal(maglev_size(all, MAGLEV_BACKENDS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_goes), cmocka_unit_test(test_one_of_many_weights_goes),
		cmocka_unit_test(test_shares),   cmocka_unit_test(test_order_and_zero),
		cmocka_unit_test(test_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
