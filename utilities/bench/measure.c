/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <time.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

#include "datapath/cache.h"
#include "utilities/bench/bench.h"

enum {
	NS_A_PACKET = 100, /* how far the worker's clock goes on for each */
	WARM = 8192,       /* packets before a round, at least … */
	WARM_MAX = 131072, /* … and at most: all flows, where there are so many */
	ROUND_NS = 200000000,
};

static uint64_t cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* ---- The spine ------------------------------------------------------------------------------- */

static void run_spine(struct cell *c)
{
	struct bed *b = c->bed;

	while (b->at < b->n) {
		b->w->now += BATCH_MAX * NS_A_PACKET;
		worker_turn(b->w);
	}
}

static void run(struct cell *c)
{
	if (c->scenario->run)
		c->scenario->run(c);
	else
		run_spine(c);
}

static void settle(struct cell *c)
{
	if (c->scenario->settle)
		c->scenario->settle(c);
}

/* What counts: the one function inside which --callgrind collects. */
__attribute__((noinline)) static void bench_measured(struct cell *c)
{
	run(c);
	__asm__ volatile("" ::: "memory");
}

static void switch_cache(const struct cell *c)
{
	rcu_set(c->bed->dp->cache_off, c->cache_off);
}

static uint64_t packets_of(const struct cell *c, uint64_t frames)
{
	return frames * MAX(c->scenario->packets_per_frame, 1u);
}

static uint64_t frames_of(const struct cell *c, uint64_t packets)
{
	return MAX(packets / MAX(c->scenario->packets_per_frame, 1u), 1u);
}

/* `n` frames, not timed. */
static void warm(struct cell *c, uint64_t n)
{
	switch_cache(c);
	for (uint64_t done = 0; done < n; done += c->bed->n) {
		bed_write(c->bed, c, (unsigned)MIN(n - done, (uint64_t)BENCH_SLICE));
		run(c);
		settle(c);
	}
}

/* Flows that repeat: all of them once; and until a cache (cache.h) has seen what traffic it is. */
static uint64_t warming(const struct cell *c)
{
	uint64_t flows = MIN(c->traffic.class->flows, (uint64_t)WARM_MAX),
		 n = MAX(flows, (uint64_t)WARM);

	if (c->scenario->cache && !c->cache_off)
		n = MAX(n, (uint64_t)16 * CACHE_WINDOW);
	return frames_of(c, n);
}

/* Nanoseconds of CPU for `n` frames. */
static uint64_t timed(struct cell *c, uint64_t n)
{
	uint64_t ns = 0;

	for (uint64_t done = 0; done < n; done += c->bed->n) {
		uint64_t from;

		bed_write(c->bed, c, (unsigned)MIN(n - done, (uint64_t)BENCH_SLICE));
		from = cpu_now();
		bench_measured(c);
		ns += cpu_now() - from;
		settle(c);
	}
	return ns;
}

/* What other cells left in the cache. */
static void forget(struct cell *c)
{
	struct cache *cache = &c->bed->w->cache;

	cache_destroy(cache);
	if (cache_init(cache))
		bench_die("no memory");
}

void cell_round(struct cell *c)
{
	uint64_t frames = frames_of(c, c->packets), n = packets_of(c, frames);
	const struct cache *cache = &c->bed->w->cache;

	forget(c);
	warm(c, warming(c));
	c->n_hits -= cache->hits;
	c->ns[c->n_rounds++] = (double)timed(c, frames) / (double)n;
	c->n_hits += cache->hits;
	c->n_timed += n;
}

void cell_size(struct cell *c, const struct bench_options *o)
{
	uint64_t ns;

	c->packets = o->packets;
	if (o->packets_given)
		return;
	warm(c, BENCH_SLICE);
	ns = timed(c, BENCH_SLICE) / packets_of(c, BENCH_SLICE);
	c->packets = MIN(c->packets, MAX(ROUND_NS / MAX(ns, 1u), (uint64_t)BENCH_SLICE));
}

/* ---- By stage ----------------------------------------------------------------------------------
 */

static inline uint64_t ticks(void)
{
#ifdef __x86_64__
	return __rdtsc();
#else
	return clock_now();
#endif
}

struct laps {
	uint64_t at, sum[N_BENCH_STAGES];
};

static inline void lap(struct laps *l, enum bench_stage stage)
{
	uint64_t now = ticks();

	l->sum[stage] += now - l->at;
	l->at = now;
}

/* As spine_run() has it, with a look at the clock behind each stage. */
static void lap_rules(struct worker *w, struct batch *b, struct laps *l)
{
	stage_key(w, b);
	lap(l, BENCH_key);
	stage_sample(w, b);
	lap(l, BENCH_sample);
	stage_rules(w, b);
	lap(l, BENCH_rules);
	stage_actions(w, b);
	lap(l, BENCH_actions);
}

static void lap_spine(struct bed *bed, struct laps *l)
{
	struct batch b = {.n = 0}, dus;
	struct worker *w = bed->w;
	bool done;

	w->version = rcu_get(bed->dp->version);
	l->at = ticks();
	bed_rx(bed, &b);
	lap(l, BENCH_rx);
	stage_parse(w, &b);
	lap(l, BENCH_parse);
	stage_collect(w, &b);
	lap(l, BENCH_collect);
	if (!b.claimed) {
		lap_rules(w, &b, l);
		stage_tx(w);
		lap(l, BENCH_tx);
		return;
	}
	stage_early(w, &b);
	lap(l, BENCH_early);
	stage_handoff(w, &b);
	lap(l, BENCH_handoff);
	b.at = 0;
	b.popping = NULL;
	do {
		dus.n = 0;
		done = stage_decap(w, &b, &dus);
		lap(l, BENCH_decap);
		lap_rules(w, &dus, l);
	} while (!done);
	stage_tx(w);
	lap(l, BENCH_tx);
}

/* Ticks a nanosecond, by the wall clock: both go on while somebody else has the core. */
static double ticks_per_ns(void)
{
	static double rate;
	uint64_t t, ns = clock_now(), from = ticks();

	if (rate > 0)
		return rate;
	while ((t = clock_now()) - ns < 20 * NSEC_PER_MSEC)
		;
	rate = (double)(ticks() - from) / (double)(t - ns);
	return rate;
}

double stage_overhead_ns(void)
{
	enum { TIMES = 100000 };
	struct laps l = {.at = ticks()};
	uint64_t from = l.at;

	for (unsigned i = 0; i < TIMES; i++) {
		lap(&l, BENCH_rx);
		__asm__ volatile("" ::"r"(&l) : "memory");
	}
	return (double)(ticks() - from) / TIMES * N_BENCH_STAGES / BATCH_MAX / ticks_per_ns();
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

enum { BATCHES_MAX = 4096 };

/* The median batch's, of each stage: one in which somebody else had the core tells nothing. */
static void take_medians(struct cell *c, uint64_t (*lap)[BATCHES_MAX], unsigned n)
{
	double packets = (double)packets_of(c, BATCH_MAX) * ticks_per_ns();

	for (unsigned i = 0; i < N_BENCH_STAGES; i++) {
		qsort(lap[i], n, sizeof lap[i][0], by_value);
		c->stage_ns[i] = (double)lap[i][n / 2] / packets;
	}
	c->has_stages = true;
}

void cell_stages(struct cell *c)
{
	static uint64_t laps[N_BENCH_STAGES][BATCHES_MAX];
	unsigned n = (unsigned)MIN(frames_of(c, c->packets) / BATCH_MAX + 1, (uint64_t)BATCHES_MAX);

	if (c->scenario->run)
		return;
	warm(c, warming(c));
	for (unsigned batch = 0; batch < n; batch++) {
		struct laps l = {0};

		if (c->bed->at >= c->bed->n)
			bed_write(c->bed, c, BENCH_SLICE);
		c->bed->w->now += BATCH_MAX * NS_A_PACKET;
		lap_spine(c->bed, &l);
		for (unsigned i = 0; i < N_BENCH_STAGES; i++)
			laps[i][batch] = l.sum[i];
	}
	run(c);
	take_medians(c, laps, n);
}
