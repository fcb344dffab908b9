/* SPDX-License-Identifier: Apache-2.0 */
/* When rules end by themselves: hard and idle timeouts, and --expire.
 *
 * A heap of entries by deadline.  An idle deadline is looked at when it comes: if packets have
 * been there since, it moves.  Ages are differences on the control clock; the store keeps
 * wall-clock times, so a restart changes nothing about the hard ones, and an idle timeout counts
 * from the restart. */
#ifndef SLUICE_OFPROTO_TIMEOUTS_H
#define SLUICE_OFPROTO_TIMEOUTS_H

#include "ofproto/ofproto.h"

struct entry;

struct timeouts {
	struct entry **heap; /* [1, n] */
	size_t n, room;
	uint64_t since_ns; /* idle times count from here at the earliest: the start */
};

void timeouts_destroy(struct ofproto *o);
void timeout_set(struct ofproto *o, struct entry *e); /* (re)computes; nothing when it has none */
void timeout_cancel(struct ofproto *o, struct entry *e);
void timeouts_run(struct ofproto *o);
uint64_t timeouts_deadline(const struct ofproto *o);

#endif
