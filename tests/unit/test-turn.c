/* SPDX-License-Identifier: Apache-2.0 */
/* Whose turn it is: small pieces by number, large ones one at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "ctl/turn.h"

struct worker {
	struct turn turn;
	unsigned left, done;
	bool is_large;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void work(void *arg)
{
	struct worker *w = arg;

	while (w->left && !turn_waits(&w->turn) && turn_goes_on(&w->turn)) {
		uint64_t begin = now_ns(CLOCK_THREAD_CPUTIME_ID);

		while (w->is_large && now_ns(CLOCK_THREAD_CPUTIME_ID) - begin < TURN_LARGE_NS)
			;
		w->left--;
		w->done++;
	}
	turn_end(&w->turn);
}

static void worker_new(struct worker *w, struct turns *all, struct event_base *base, unsigned left)
{
	*w = (struct worker){.left = left};
	turn_init(&w->turn, all, base, work, w);
}

/* One round: what is ready now. */
static void round_of(struct event_base *base)
{
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* The same of who rests: what is ready next. */
static void next_round_of(struct event_base *base)
{
	event_base_loop(base, EVLOOP_ONCE);
}

static void small_pieces_are_counted(void **state)
{
	struct event_base *base = event_base_new();
	struct turns all = {0};
	struct worker w[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		worker_new(&w[i], &all, base, 2 * TURN_PIECES + 1);
		work(&w[i]);
		assert_in_range(w[i].done, 1, TURN_PIECES);
		assert_true(turn_waits(&w[i].turn));
	}
	for (unsigned i = 0; i < 1000 && (w[0].left || w[1].left); i++) {
		const unsigned before[] = {w[0].done, w[1].done};

		round_of(base);
		assert_in_range(w[0].done - before[0], 0, TURN_PIECES);
		assert_in_range(w[1].done - before[1], 0, TURN_PIECES);
	}
	assert_int_equal(w[0].left + w[1].left, 0);
	round_of(base);
	for (unsigned i = 0; i < 2; i++) {
		assert_false(turn_waits(&w[i].turn));
		turn_free(&w[i].turn);
	}
	event_base_free(base);
}

/* Each has one before anybody knows; from then on a round has one of all of them, in order, and
 * behind it is a rest as long. */
static void large_pieces_go_one_at_a_time(void **state)
{
	enum { N = 3, PIECES = 4 };
	struct event_base *base = event_base_new();
	struct turns all = {0};
	struct worker w[N];
	unsigned done = N;
	uint64_t began;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		worker_new(&w[i], &all, base, PIECES);
		w[i].is_large = true;
		work(&w[i]);
		assert_int_equal(w[i].done, 1);
	}
	began = now_ns(CLOCK_MONOTONIC);
	while (done < N * PIECES) {
		unsigned sum = 0, least = PIECES, most = 0;

		next_round_of(base);
		for (unsigned i = 0; i < N; i++) {
			sum += w[i].done;
			least = MIN(least, w[i].done);
			most = MAX(most, w[i].done);
		}
		assert_in_range(sum - done, 0, 1);
		assert_in_range(most - least, 0, 1);
		done = sum;
	}
	assert_int_equal(done, N * PIECES);
	assert_true(now_ns(CLOCK_MONOTONIC) - began >=
		    2ull * (N * (PIECES - 1) - 1) * TURN_LARGE_NS);
	/* And then they are in nobody's way. */
	while (all.large)
		next_round_of(base);
	assert_null(all.first);
	for (unsigned i = 0; i < N; i++)
		turn_free(&w[i].turn);
	event_base_free(base);
}

/* Whoever goes, or has nothing to do when it is called, is in nobody's way. */
static void the_next_is_called(void **state)
{
	enum { N = 4 };
	struct event_base *base = event_base_new();
	struct turns all = {0};
	struct worker w[N];

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		worker_new(&w[i], &all, base, 100);
		w[i].is_large = true;
		work(&w[i]);
	}
	while (w[2].turn.state != TURN_QUEUED || w[3].turn.state != TURN_QUEUED)
		next_round_of(base);
	assert_non_null(all.large);
	turn_free(&w[2].turn); /* from the queue */
	w[1].left = 0;         /* nothing to do after all */
	turn_free(&w[0].turn); /* it may be the one whose turn it is */
	w[3].left = 1;
	while (w[3].left || all.large)
		next_round_of(base);
	assert_null(all.first);
	turn_free(&w[1].turn);
	turn_free(&w[3].turn);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_pieces_are_counted),
		cmocka_unit_test(large_pieces_go_one_at_a_time),
		cmocka_unit_test(the_next_is_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
