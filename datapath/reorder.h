/* SPDX-License-Identifier: Apache-2.0 */
/* The reorder window of one inbound SA (RFC 9347 2.2.3, 2.5).
 *
 * Of the standard's two ways this is B: outer packets are put in order first, then taken apart, so
 * that what comes out is never reordered by us; the price is that a lost one delays its
 * followers until the window slides past it or the drop timer ends the wait.  The window slides by
 * sequence: a packet `window` + 1 numbers ahead of a missing one gives that one up.  What comes
 * after it was given up is late, and refused.
 *
 * Pure: it holds what the caller gives it, by number, and knows time only as the caller tells. */
#ifndef SLUICE_REORDER_H
#define SLUICE_REORDER_H

#include "lib/base.h"

enum { REORDER_MAX = 64 };

struct pkt;

struct reorder_slot {
	struct pkt *pkt; /* NULL: a number that carried nothing for us */
	uint64_t seq;
	uint64_t ns; /* when it came */
	uint8_t *payload;
	uint32_t size;
};

struct reorder {
	uint32_t window;
	unsigned n;
	uint64_t want;    /* the number that is next; 0: nothing came yet */
	uint64_t release; /* numbers up to here are not waited for */
	struct reorder_slot slot[REORDER_MAX + 1];
};

/* `base`: the last number known to have been used before. */
void reorder_init(struct reorder *o, uint32_t window, uint64_t base);

/* Takes a packet in.  False: it is late.  After each put, take until there is none. */
bool reorder_put(struct reorder *o, const struct reorder_slot *slot);

/* The next in order, if it is there or what is missing before it was given up; *lost is increased
 * by the numbers given up. */
bool reorder_take(struct reorder *o, struct reorder_slot *slot, uint64_t *lost);

/* Gives up what packets that came at or before `ns` are waiting for. */
void reorder_expire(struct reorder *o, uint64_t ns);

/* When the packet came that has waited longest; UINT64_MAX when none waits. */
uint64_t reorder_oldest(const struct reorder *o);

#endif
