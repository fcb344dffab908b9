/* SPDX-License-Identifier: Apache-2.0 */
/* Signals in warped time: what is found, how soon, what is not, and when it is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/watch-bed.h"

enum { TARGET = 0x0a090002, CLEAN = 0x0a020002 };
#define STEP (NSEC_PER_MSEC)

struct bed {
	struct attack_sink sink; /* first */
	struct traffic *t;
	struct signal *s;
	uint64_t now;
	unsigned n_found, n_over, n_goes_on;
	struct attack found; /* the last */
	uint64_t over_ns;
};

static void on_found(struct attack_sink *sink, struct attack *a)
{
	struct bed *b = (struct bed *)sink;

	b->n_found++;
	b->found = *a;
}

static void on_goes_on(struct attack_sink *sink, struct attack *a)
{
	struct bed *b = (struct bed *)sink;

	b->n_goes_on++;
	b->found = *a;
}

static void on_over(struct attack_sink *sink, struct attack *a)
{
	struct bed *b = (struct bed *)sink;

	assert_int_equal(a->id, b->found.id);
	b->n_over++;
	b->over_ns = b->now;
}

static struct bed bed_make(const char *line)
{
	struct bed b = {.sink = {on_found, on_goes_on, on_over}, .now = 1000 * NSEC_PER_SEC};
	struct signal_config c;

	signal_line(&c, line);
	b.t = traffic_create();
	b.s = signal_create(&c);
	return b;
}

static void bed_end(struct bed *b)
{
	signal_free(b->s);
	traffic_free(b->t);
}

/* A millisecond of whatever the test adds; ticks where they belong. */
static void bed_step(struct bed *b)
{
	b->now += STEP;
	if (b->now % TRAFFIC_TICK_NS)
		return;
	traffic_tick(b->t, b->now);
	signal_tick(b->s, b->t, b->now, &b->sink);
}

/* A one-way stream at `pps`, sampled 1 in 64. */
static void stream(struct bed *b, double pps)
{
	struct watch_sample s;

	if (!bed_happens(pps / BED_EVERY, 0.001))
		return;
	s = bed_udp(b->now, CLEAN, TARGET, 6202u << 16 | 5202);
	traffic_sample(b->t, &s);
}

static void run_stream(struct bed *b, double pps, double seconds)
{
	for (unsigned i = 0; i < seconds * 1000; i++) {
		stream(b, pps);
		bed_step(b);
	}
}

static const char udp_line[] = "kind=udp target=address above=1kpps times=3 learn=10s clear=10s";

/* A flood that imitates a one-way stream of 4 Mbit/s, four times as much on top, 1 in 64. */
static void imitated_stream(void **state)
{
	unsigned n_late = 0;

	(void)state;
	for (unsigned run = 0; run < 100; run++) {
		struct bed b = bed_make(udp_line);
		uint64_t begin;

		run_stream(&b, 417, 10 + run % 10 * 0.3);
		assert_int_equal(b.n_found, 0);
		begin = b.now;
		run_stream(&b, 5 * 417, 4);
		n_late += !b.n_found || b.found.found_ns > begin + 2 * NSEC_PER_SEC;
		if (b.n_found) {
			assert_int_equal(b.n_found, 1);
			assert_true(b.found.learned && b.found.answered <= 0.01);
			assert_true(b.found.usual_pps > 200 && b.found.usual_pps < 800);
			assert_true(b.found.match.value.du.ip_proto == 17);
			assert_true(b.found.first_ns <= b.found.found_ns);
		}
		run_stream(&b, 417, 14);
		assert_int_equal(b.n_over, b.n_found);
		bed_end(&b);
	}
	assert_true(n_late <= 8);
}

static void not_before_learned(void **state)
{
	struct bed b = bed_make(udp_line);

	(void)state;
	run_stream(&b, 5000, 9);
	assert_int_equal(b.n_found, 0);
	run_stream(&b, 5000, 9);
	assert_int_equal(b.n_found, 0); /* it was always so */
	bed_end(&b);
	b = bed_make(udp_line);
	run_stream(&b, 417, 5);
	run_stream(&b, 20000, 4.9);
	assert_int_equal(b.n_found, 0); /* who knows */
	run_stream(&b, 200000, 2);
	assert_int_equal(b.n_found, 1);
	bed_end(&b);
}

/* One second on, nine off: found, and held over the pauses when clear= is longer than they are. */
static void pulses(void **state)
{
	struct bed b = bed_make("kind=udp above=1kpps times=3 learn=10s clear=12s");

	(void)state;
	run_stream(&b, 417, 12);
	for (unsigned i = 0; i < 6; i++) {
		run_stream(&b, 6000, 1);
		run_stream(&b, 417, 9);
	}
	assert_int_equal(b.n_found, 1);
	assert_int_equal(b.n_over, 0);
	run_stream(&b, 417, 5);
	assert_int_equal(b.n_over, 1);
	bed_end(&b);
}

/* Pulses too short for two windows in a row. */
static void short_pulses(void **state)
{
	struct bed b = bed_make("kind=udp above=1kpps times=3 of=4/6 learn=10s clear=20s");

	(void)state;
	run_stream(&b, 417, 12.3);
	for (unsigned i = 0; i < 20; i++) {
		run_stream(&b, 3000, 0.3);
		run_stream(&b, 417, 4.7);
	}
	assert_int_equal(b.n_found, 1);
	assert_non_null(strstr(b.found.why, "again"));
	bed_end(&b);
}

static const char stall_line[] =
	"kind=udp above=1kpps times=3 of=2/3 window=250ms learn=10s clear=10s";

/* Nothing comes for so long; with `ticks`, it is the gateway that stands still, else the watcher.
 * Then all of it at once, in a tenth of a second, while the stream goes on. */
static void stand_still(struct bed *b, double pps, unsigned ms, bool ticks)
{
	unsigned waiting = 0;

	for (unsigned i = 0; i < ms; i++) {
		waiting += bed_happens(pps / BED_EVERY, 0.001);
		if (ticks)
			bed_step(b);
		else
			b->now += STEP;
	}
	for (unsigned left = 100; left; left--) {
		unsigned n = waiting / left;

		waiting -= n;
		while (n--) {
			struct watch_sample s = bed_udp(b->now, CLEAN, TARGET, 6202u << 16 | 5202);

			traffic_sample(b->t, &s);
		}
		run_stream(b, pps, 0.001);
	}
}

/* What stood still catches up: that is no attack, wherever windows end, and however often. */
static void standstill(void **state)
{
	(void)state;
	for (unsigned run = 0; run < 20; run++) {
		struct bed b = bed_make(stall_line);

		run_stream(&b, 4000, 12);
		for (unsigned i = 0; i < 12; i++) {
			stand_still(&b, 4000, 800 + rnd() % 1700, i & 1);
			run_stream(&b, 4000, 1 + rnd() % 2000 * 0.001);
		}
		assert_int_equal(b.n_found, 0);
		bed_end(&b);
	}
}

/* A flood that begins while nobody says anything is found, and has begun when it did. */
static void out_of_silence(void **state)
{
	(void)state;
	for (unsigned run = 0; run < 20; run++) {
		struct bed b = bed_make(stall_line);
		uint64_t begin;

		run_stream(&b, 417, 12);
		run_stream(&b, 0, 3 + run * 0.03);
		begin = b.now;
		run_stream(&b, 20000, 1.5);
		assert_int_equal(b.n_found, 1);
		assert_true(b.found.found_ns <= begin + 5 * NSEC_PER_SEC / 4);
		assert_true(b.found.first_ns + 5 * NSEC_PER_SEC > begin);
		run_stream(&b, 0, 12);
		assert_int_equal(b.n_over, 1);
		bed_end(&b);
	}
}

/* An agent that says each second what it has is looked at, whether windows are shorter or longer.
 */
static void by_the_second(void **state)
{
	static const char *const lines_of[] = {
		stall_line, "kind=udp above=1kpps times=3 of=2/3 window=2s learn=10s clear=10s"};

	(void)state;
	for (unsigned line = 0; line < ARRAY_SIZE(lines_of); line++) {
		struct bed b = bed_make(lines_of[line]);

		run_stream(&b, 417, 12);
		for (unsigned i = 0; i < 20; i++)
			stand_still(&b, i < 10 ? 417 : 20000, 900, true);
		assert_int_equal(b.n_found, 1);
		bed_end(&b);
	}
}

/* Ten times as much within ten minutes: learning must not follow. */
static void slow_ramp(void **state)
{
	struct bed b = bed_make(udp_line);
	uint64_t begin;

	(void)state;
	run_stream(&b, 417, 30);
	begin = b.now;
	for (unsigned i = 0; i < 600 && !b.n_found; i++)
		run_stream(&b, 417 * (1 + 9.0 * i / 600), 1);
	assert_int_equal(b.n_found, 1);
	/* It is known to have begun long before it was found. */
	assert_true(b.found.first_ns + 30 * NSEC_PER_SEC < b.found.found_ns);
	assert_true(b.found.first_ns + 15 * NSEC_PER_SEC > begin);
	assert_true(b.found.pps < 417 * 6);
	bed_end(&b);
}

/* Below the absolute bounds nothing is an attack, however many times usual. */
static void floors(void **state)
{
	struct bed b = bed_make("kind=udp above=4kpps,20mbps times=3 learn=10s clear=10s");

	(void)state;
	run_stream(&b, 50, 12);
	run_stream(&b, 3000, 20);
	assert_int_equal(b.n_found, 0);
	bed_end(&b);
	b = bed_make("kind=udp above=1kpps,200mbps times=3 learn=10s clear=10s");
	run_stream(&b, 50, 12);
	run_stream(&b, 6000, 20); /* 58 Mbit/s */
	assert_int_equal(b.n_found, 0);
	run_stream(&b, 40000, 3);
	assert_int_equal(b.n_found, 1);
	bed_end(&b);
}

/* The prefix sees what no address shows, and leaves to the address what is one's. */
static void carpet(void **state)
{
	struct bed b = bed_make("kind=udp target=prefix above=4kpps times=3 learn=10s clear=10s");
	char text[64];

	(void)state;
	run_stream(&b, 417, 12);
	run_stream(&b, 20000, 10);
	assert_int_equal(b.n_found, 0); /* one address */
	run_stream(&b, 417, 12);
	for (unsigned i = 0; i < 5000; i++) {
		if (bed_happens(20000.0 / BED_EVERY, 0.001)) {
			struct watch_sample s =
				bed_udp(b.now, rnd(), (TARGET & ~255u) | (rnd() & 255), rnd());

			traffic_sample(b.t, &s);
		}
		bed_step(&b);
	}
	assert_int_equal(b.n_found, 1);
	assert_string_equal(target_text(&b.found.target, text), "10.9.0.0/24");
	assert_true(b.found.n_sources > 100);
	bed_end(&b);
}

static void lines(void **state)
{
	static const char *const bad[] = {"target=address",      "kind=smurf",
					  "kind=udp above=5",    "kind=udp above=1kpps,2kpps",
					  "kind=udp times=0.5",  "kind=udp times=x",
					  "kind=udp of=3/2",     "kind=udp of=0/2",
					  "kind=udp of=2/3x",    "kind=udp window=1ms",
					  "kind=udp clear=100ms"};
	struct signal_config c;

	(void)state;
	signal_line(&c, "kind=syn target=prefix above=2kpps,10mbps times=2.5 of=3/5 window=1s "
			"learn=10s clear=1m");
	assert_true(c.kind == ATTACK_SYN && c.target == TARGET_PREFIX && c.above_pps == 2000 &&
		    c.above_bps == 10000000 && c.times == 2.5 && c.n == 3 && c.m == 5 &&
		    c.window_ns == NSEC_PER_SEC && c.learn_ns == 10 * NSEC_PER_SEC &&
		    c.clear_ns == 60 * NSEC_PER_SEC);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		char copy[64], *at = copy, *word;
		const char *words[4];
		struct options o = {0};
		struct refusal r = {0};
		unsigned n = 0;

		snprintf(copy, sizeof copy, "%s", bad[i]);
		while ((word = strsep(&at, " ")))
			words[n++] = word;
		assert_int_equal(options_parse(&o, n, words, &r), 0);
		assert_true(signal_parse(&c, &o, &r) < 0);
		assert_true(r.text[0] != 0);
		options_free(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(imitated_stream), cmocka_unit_test(not_before_learned),
		cmocka_unit_test(pulses),          cmocka_unit_test(short_pulses),
		cmocka_unit_test(slow_ramp),       cmocka_unit_test(floors),
		cmocka_unit_test(carpet),          cmocka_unit_test(lines),
		cmocka_unit_test(standstill),      cmocka_unit_test(out_of_silence),
		cmocka_unit_test(by_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
