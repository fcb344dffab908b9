/* SPDX-License-Identifier: Apache-2.0 */
/* When rules end by themselves: hard and idle timeouts, and --expire.
 *
 * A heap of entries by deadline.  An idle deadline is looked at when it comes: if packets have
 * been there since, it moves.  Ages are differences on the control clock; the store keeps
 * wall-clock times, so a restart changes nothing: hard timeouts go on exactly, idle ones from the
 * last packet that the store knows of (counts.h), and up to one flush later, since there may have
 * been more.
 *
 * A rule whose time is over is in force no more at once, before that is written: when it ends is
 * written already, so a restart ends it again.  It is taken out, and told of, by a change like any
 * other, when the disk answers; without the store where the disk is full. */
#ifndef SLUICE_OFPROTO_TIMEOUTS_H
#define SLUICE_OFPROTO_TIMEOUTS_H

#include "ofproto/ofproto.h"

struct entry;

struct timeouts {
	struct entry **heap; /* [1, n] */
	size_t n, room;
	uint64_t since_ns; /* the daemon's start */
};

void timeouts_destroy(struct ofproto *o);
void timeout_set(struct ofproto *o, struct entry *e); /* (re)computes; nothing when it has none */
void timeout_cancel(struct ofproto *o, struct entry *e);
void timeouts_run(struct ofproto *o);
uint64_t timeouts_deadline(const struct ofproto *o);

#endif
