/* SPDX-License-Identifier: Apache-2.0 */
/* The reorder window against its definition: what comes out is in order; a number that arrives is
 * given out unless the window, or time, had passed it; what never comes is counted once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "datapath/reorder.h"
#include "tests/unit/random.h"

static uint64_t lost;

/* Puts one in; the numbers that come out, in order, to `out`.  -1: it was late. */
static int put(struct reorder *o, uint64_t seq, uint64_t ns, uint64_t *out)
{
	struct reorder_slot slot = {.seq = seq, .ns = ns};
	int n = 0;

	if (!reorder_put(o, &slot))
		return -1;
	while (reorder_take(o, &slot, &lost))
		out[n++] = slot.seq;
	return n;
}

static void test_window(void **unused)
{
	struct reorder o;
	uint64_t out[REORDER_MAX + 1];

	(void)unused;
	lost = 0;
	reorder_init(&o, 3, 0);
	assert_int_equal(put(&o, 2, 0, out), 0); /* a new SA begins with 1 */
	assert_int_equal(put(&o, 1, 0, out), 2);
	assert_int_equal(put(&o, 2, 0, out), -1);
	for (uint64_t seq = 4; seq <= 6; seq++)
		assert_int_equal(put(&o, seq, 0, out), 0); /* three wait for 3 */
	assert_int_equal(put(&o, 7, 0, out), 4);           /* the fourth does not */
	assert_int_equal(out[0], 4);
	assert_int_equal(lost, 1);
	assert_int_equal(put(&o, 3, 0, out), -1);
	assert_int_equal(put(&o, 7, 0, out), -1); /* late by one */
	assert_int_equal(put(&o, 1000, 0, out), 0);
	assert_int_equal(lost, 1 + 1000 - 3 - 8); /* three of those before it may still come */
	assert_int_equal(put(&o, 998, 0, out), 0);
	assert_int_equal(put(&o, 997, 0, out), 2);
	assert_int_equal(put(&o, 999, 0, out), 2);
	assert_int_equal(out[1], 1000);
}

static void test_begin(void **unused)
{
	struct reorder o;
	uint64_t out[REORDER_MAX + 1];

	(void)unused;
	lost = 0;
	reorder_init(&o, 3, 0); /* in the middle of its life: nothing before is missed */
	assert_int_equal(put(&o, 50000, 0, out), 1);
	assert_int_equal(lost, 0);
	reorder_init(&o, 3, 100); /* taken over at 100 */
	assert_int_equal(put(&o, 100, 0, out), -1);
	assert_int_equal(put(&o, 102, 0, out), 0);
	assert_int_equal(put(&o, 101, 0, out), 2);
	reorder_init(&o, 0, 0);
	assert_int_equal(put(&o, 7, 0, out), 1);
	assert_int_equal(put(&o, 9, 0, out), 1);
	assert_int_equal(put(&o, 8, 0, out), -1);
}

static void test_time(void **unused)
{
	struct reorder o;
	struct reorder_slot slot;
	uint64_t out[REORDER_MAX + 1];

	(void)unused;
	lost = 0;
	reorder_init(&o, 8, 0);
	assert_int_equal(put(&o, 1, 10, out), 1);
	assert_int_equal(reorder_oldest(&o), UINT64_MAX);
	assert_int_equal(put(&o, 5, 30, out), 0);
	assert_int_equal(put(&o, 3, 20, out), 0);
	assert_int_equal(reorder_oldest(&o), 20);
	reorder_expire(&o, 19);
	assert_false(reorder_take(&o, &slot, &lost));
	reorder_expire(&o, 20);
	assert_true(reorder_take(&o, &slot, &lost));
	assert_int_equal(slot.seq, 3);
	assert_false(reorder_take(&o, &slot, &lost)); /* 4 may still come */
	assert_int_equal(lost, 1);
	assert_int_equal(put(&o, 4, 31, out), 2);
}

/* Random disorder: with a window as wide as the disorder nothing is lost; with any, order holds. */
static void test_disorder(void **unused)
{
	(void)unused;
	for (unsigned round = 0; round < 300; round++) {
		enum { N = 500 };
		struct reorder o;
		uint64_t seqs[N], out[REORDER_MAX + 1], last = 0;
		unsigned window = rnd() % 9, spread = rnd() % 6, given = 0, late = 0;

		reorder_init(&o, window, 0);
		lost = 0;
		for (unsigned i = 0; i < N; i++)
			seqs[i] = i + 1;
		for (unsigned i = 1; spread && i + spread < N; i += spread + 1) {
			unsigned a = i + rnd() % (spread + 1), b = i + rnd() % (spread + 1);
			uint64_t seq = seqs[a];

			seqs[a] = seqs[b];
			seqs[b] = seq;
		}
		for (unsigned i = 0; i < N; i++) {
			int n = put(&o, seqs[i], 0, out);

			late += n < 0;
			for (int k = 0; k < n; k++, given++) {
				assert_true(out[k] > last);
				last = out[k];
			}
		}
		assert_int_equal(given + late + o.n, N);
		assert_int_equal(lost, late);
		if (spread <= window)
			assert_int_equal(given, N);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_disorder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
