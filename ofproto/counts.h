/* SPDX-License-Identifier: Apache-2.0 */
/* What rules have counted goes to the store by and by, so that a daemon that was killed goes on
 * from where it was, to within one *flush*.
 *
 * Every COUNTS_S seconds all rules are looked at, COUNTS_SLICE ids in one group of changes, and
 * those that packets have met since the last time are written: packets, octets, when the last one
 * came.  In order, at the end, all are.  A flush that the store refuses is made up for by the next
 * one.  With each flush the store hears that the switch lives (store-past.h).  Control thread. */
#ifndef SLUICE_OFPROTO_COUNTS_H
#define SLUICE_OFPROTO_COUNTS_H

#include "ofproto/ofproto.h"

enum { COUNTS_S = 10, COUNTS_SLICE = 4096 };

struct counts {
	uint64_t next_ns;  /* when the next flush begins */
	uint64_t group;    /* the number of the group that has this flush's last slice */
	uint32_t at;       /* the next rule id; 0: no flush is on its way */
	bool all, all_now; /* whether all that counted are written, for something was not: next, now
			    */
};

void counts_run(struct ofproto *o);
uint64_t counts_deadline(const struct ofproto *o);
void counts_failed(struct ofproto *o); /* a group was not written */
void counts_finish(struct ofproto *o); /* joins all that is missing to the open group */

#endif
