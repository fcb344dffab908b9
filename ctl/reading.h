/* SPDX-License-Identifier: Apache-2.0 */
/* Rates: what the counters say now, beside what they said a moment ago.
 *
 * Nothing is read while nobody asks.  Who asks is called back with two readings: at once when there
 * is one of the last READING_OLD_NS, else READING_APART_NS later, by the event loop.  Without a
 * loop (offline, units) it is at once, whatever there is.  Control thread. */
#ifndef SLUICE_CTL_READING_H
#define SLUICE_CTL_READING_H

#include "ctl/mgmt.h"

#define READING_APART_NS (200 * NSEC_PER_MSEC)
#define READING_OLD_NS   (10 * NSEC_PER_SEC)

struct reading {
	uint64_t ns;           /* of ofproto_now(); 0: there is none */
	uint64_t rx, rx_bytes; /* what ports received */
	uint64_t tx;           /* packets that left */
	uint64_t missed;       /* samples that were lost */
	uint64_t dropped[N_DROPS];
};

struct reading_waiter {
	struct reading_waiter *next;
	/* Called once; may free the waiter. */
	void (*done)(struct reading_waiter *w, const struct reading *before,
		     const struct reading *now);
};

void readings_wait(struct daemon *d, struct reading_waiter *w);
/* Who still waits is called now. */
void readings_free(struct daemon *d);

/* A second, of two values of a counter; 0 where there is no time between the readings. */
double reading_rate(const struct reading *before, const struct reading *now, uint64_t was,
		    uint64_t is);

#endif
