/* SPDX-License-Identifier: Apache-2.0 */
/* Baselines: what is usual for one target and kind, and how it is learned.
 *
 * Three memories of packets a second.  *Level* is a running mean that becomes an exponential one of
 * an hour.  *Long* is the same over a week.  *Hours* is what the level was in each hour of the
 * week, one octet each on a logarithmic scale.  Usual is the level, but no more than twice the long
 * run; or what this hour of last week was, if that is more (evenings are known after a week).
 *
 * Learning is bounded, lest an attack teach itself to be usual: once a baseline is free no longer,
 * the level at most doubles in an hour, and the long run grows by half in a day; a second counts
 * for at most twice what is usual; and a target that is above does not learn at all (held).  Going
 * down is quick.
 *
 * Entries of targets come and go; `struct baselines` keeps what those that went had learned: fixed
 * memory, the lightest of a set gives way.  Single thread. */
#ifndef SLUICE_WATCH_BASELINE_H
#define SLUICE_WATCH_BASELINE_H

#include "utilities/watch/detect.h"

enum { WEEK_HOURS = 168 };

struct usual {
	float pps, bps; /* the level; bits beside it follow its packets */
	float long_pps; /* the long run */
	float seconds;  /* that the level stands on, at most LEVEL_S */
};

/* One second of a target: what came, and whether any of the bounds holds yet. */
struct second {
	double pps, bps;
	bool free;
};
void usual_learn(struct usual *u, const struct second *s);
/* The level as the long run allows it. */
double usual_level(const struct usual *u);

/* An octet of the logarithmic scale: 0 is "not known", steps of an eighth of an octave. */
uint8_t hour_code(double pps);
double hour_value(uint8_t code);

struct baseline {
	uint64_t hash; /* of the target, with this process's seed; 0: free */
	struct target target;
	struct usual usual[N_ATTACKS];
	uint8_t hour[N_ATTACKS][WEEK_HOURS];
};

struct baselines;
struct baselines *baselines_create(uint32_t n); /* a power of two; aborts without memory */
void baselines_free(struct baselines *b);
size_t baselines_memory(const struct baselines *b);
/* NULL: nothing is known of it. */
struct baseline *baselines_find(struct baselines *b, uint64_t hash);
/* Finds or makes; a lighter one of the set gives way, NULL when all are heavier than `weight`. */
struct baseline *baselines_put(struct baselines *b, uint64_t hash, double weight);
double baseline_weight(const struct usual usual[N_ATTACKS]);
/* The i-th place, for files; NULL behind the last. */
struct baseline *baselines_at(struct baselines *b, uint32_t i);

#endif
