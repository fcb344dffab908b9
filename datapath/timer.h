/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: one wheel per worker, on the worker's clock, in ticks of 50 µs.
 *
 * A timer is embedded in what it serves, belongs to one worker, and is set, moved and cancelled
 * in constant time.  Deadlines beyond the wheel (about 0.4 s) stay in their slot for several
 * rounds.  timer_run() fires what is due at or before `now`, in order of deadline (ticks; ties
 * in the order they were set), so offline runs repeat exactly.  Real time and packets' time look
 * alike: only worker->now differs. */
#ifndef SLUICE_TIMER_H
#define SLUICE_TIMER_H

#include "lib/base.h"

struct worker;

enum { WHEEL_SLOTS = 8192 };
#define TICK_NS     (50 * NSEC_PER_USEC)
#define TIMER_NEVER UINT64_MAX

struct timer {
	struct timer *next, **link; /* link: the pointer that points here; NULL when not set */
	uint64_t tick;
	void (*fire)(struct worker *w, struct timer *t);
};

struct wheel {
	uint64_t tick; /* everything up to here has fired */
	unsigned n;
	struct timer *slot[WHEEL_SLOTS];
	struct timer **tail[WHEEL_SLOTS];
	uint64_t used[WHEEL_SLOTS / 64];
};

void wheel_init(struct wheel *wheel, uint64_t now_ns);
/* (Re)arms at `deadline_ns`, rounded up to a tick; in the past: at the next run. */
void timer_set(struct wheel *wheel, struct timer *t, uint64_t deadline_ns);
void timer_cancel(struct wheel *wheel, struct timer *t);

static inline bool timer_is_set(const struct timer *t)
{
	return t->link != NULL;
}

/* Fires what is due by now_ns; timers may be set and cancelled from within. */
void timer_run(struct worker *w, struct wheel *wheel, uint64_t now_ns);
/* A time not after the next deadline (exact within one round); TIMER_NEVER when none is set. */
uint64_t timer_next(const struct wheel *wheel);

#endif
