/* SPDX-License-Identifier: Apache-2.0 */
/* The replay window against a naive twin that remembers every number, and the inference of the high
 * 32 bits against the definition: the number nearest to the window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "datapath/replay.h"

static uint64_t state = 0x9e3779b97f4a7c15ull;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

enum { SPAN = 200000 };

static void test_twin(void **unused)
{
	static const uint32_t sizes[] = {64, 128, 192, 1024, 4096};
	uint8_t *seen = calloc(SPAN + 1, 1);

	(void)unused;
	for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct replay r;
		uint64_t top = 0;

		replay_init(&r, sizes[s], true, 0);
		memset(seen, 0, SPAN + 1);
		while (top < SPAN - 10000) {
			int64_t step = (int64_t)(rnd() % 40) - 20;
			int64_t at = (int64_t)top + (rnd() % 16 ? step : step * 300);
			uint64_t seq = at > 0 ? (uint64_t)at : 0;
			enum replay_verdict want = REPLAY_FRESH;

			if (seq <= top && (!seq || top - seq >= sizes[s]))
				want = REPLAY_OLD;
			else if (seen[seq])
				want = REPLAY_SEEN;
			assert_int_equal(replay_check(&r, seq), want);
			if (want != REPLAY_FRESH || rnd() % 8 == 0) /* some fail their ICV */
				continue;
			struct replay_place place = replay_update(&r, seq);

			assert_int_equal(place.gap, top && seq > top ? seq - top - 1 : 0);
			assert_int_equal(place.late, seq < top ? top - seq : 0);
			seen[seq] = 1;
			top = MAX(top, seq);
			assert_int_equal(r.top, top);
		}
	}
	free(seen);
}

/* Whatever lies less than 2^31 ahead, or within the window, is found again from its low 32 bits. */
static void test_infer(void **unused)
{
	static const uint64_t tops[] = {
		1,           62,          63,          64,          0xfffffff0,        0xffffffff,
		0x100000000, 0x10000003e, 0x10000003f, 0x100000040, 0x7fffffffffffff00};

	(void)unused;
	for (unsigned i = 0; i < ARRAY_SIZE(tops); i++) {
		struct replay r;

		replay_init(&r, 64, true, tops[i]);
		for (unsigned n = 0; n < 10000; n++) {
			uint64_t ahead = n < 100 ? n : rnd() & 0x7fffffff, back = rnd() % 64;
			uint64_t seq = tops[i] + ahead;

			assert_int_equal(replay_infer(&r, (uint32_t)seq), seq);
			if (tops[i] >= back)
				assert_int_equal(replay_infer(&r, (uint32_t)(tops[i] - back)),
						 tops[i] - back);
		}
	}
}

static void test_edges(void **unused)
{
	struct replay r;

	(void)unused;
	replay_init(&r, 64, true, 0);
	assert_int_equal(replay_check(&r, 0), REPLAY_OLD); /* the first packet carries 1 */
	assert_int_equal(replay_infer(&r, 0xffffffff), 0); /* before the first */
	assert_int_equal(replay_infer(&r, 1), 1);

	replay_init(&r, 64, false, 0); /* no ESN: the wire's number is the number */
	replay_update(&r, 0xffffffff);
	assert_int_equal(replay_infer(&r, 5), 5);
	assert_int_equal(replay_check(&r, 5), REPLAY_OLD);

	replay_init(&r, 65, true, 1000); /* taken over: everything up to there is seen */
	assert_int_equal(r.size, 128);
	assert_int_equal(replay_check(&r, 1000), REPLAY_SEEN);
	assert_int_equal(replay_check(&r, 873), REPLAY_SEEN);
	assert_int_equal(replay_check(&r, 872), REPLAY_OLD);
	assert_int_equal(replay_check(&r, 1001), REPLAY_FRESH);
	assert_int_equal(replay_update(&r, 1003).gap, 2);
	assert_int_equal(replay_check(&r, 1002), REPLAY_FRESH);
	assert_int_equal(replay_check(&r, 1000), REPLAY_SEEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twin),
		cmocka_unit_test(test_infer),
		cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
