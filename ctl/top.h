/* SPDX-License-Identifier: Apache-2.0 */
/* Rates by any fields, from the header snapshots of the last seconds (ofproto/samples.h).
 *
 * `by` is names of fields.def, with commas between, a prefix length behind a slash where the field
 * can have a mask (`ipv4_dst/24,udp_src`); and `src`, `dst`, `sport`, `dport` for those of any
 * family or protocol.  A packet that lacks a field is counted with `-` there.  The value's shape:
 *
 *	seconds, samples                the span that was asked for, and snapshots within it
 *	packets_per_s, bits_per_s       of all of them, estimated
 *	n_rows                          how many there are; `rows` has the largest
 *	rows: packets_per_s, bits_per_s, share (of the packets, 0 to 1), samples,
 *	      dropped (share of its packets), reason (the main one's word, where any was dropped),
 *	      values {name: text}
 *
 * Snapshots are few in number (SNAPSHOTS a worker): under load a worker's rate is that of the part
 * of the span that they reach back to.  What rules asked for is left out.  Control thread. */
#ifndef SLUICE_CTL_TOP_H
#define SLUICE_CTL_TOP_H

#include "ctl/mgmt.h"

enum {
	TOP_COLUMNS = 6,
	TOP_SECONDS = 10,
	TOP_SECONDS_MAX = 900,
	TOP_ROWS = 10,
	TOP_ROWS_MAX = 1000
};

/* NULL and a refusal, or a new value. */
json_t *top_collect(struct daemon *d, const char *by, uint64_t seconds, uint64_t n_rows,
		    struct refusal *r);
void top_text(const json_t *value, struct buf *text);

#endif
