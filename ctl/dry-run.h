/* SPDX-License-Identifier: Apache-2.0 */
/* What a match would have met, said before it is installed.
 *
 * The verbs that put a rule in somebody's way (`add-flow --dry-run`, `block`, `add-guard
 * --dry-run`) ask here; the answer comes from the header snapshots of the last seconds
 * (ofproto/samples.h).  The value's shape:
 *
 *	evidence      true when at least DRY_RUN_EVIDENCE snapshots were looked at
 *	seconds       age of the oldest of them
 *	snapshots, snapshots_hit             records looked at, and hit
 *	packets, packets_hit, octets, octets_hit   estimates of what they stand for
 *	share         of the packets, 0 to 1
 *	sources, targets                     distinct addresses among the hit
 *	already_dropped                      of packets_hit
 *
 * Text is made from the value alone.  Control thread. */
#ifndef SLUICE_CTL_DRY_RUN_H
#define SLUICE_CTL_DRY_RUN_H

#include "ctl/mgmt.h"

/* A new value. */
json_t *dry_run_collect(struct daemon *d, const struct match *m);
/* One line: `of 4,096 packets seen in the last 12 s it would have hit 300: …`; or `no evidence: …`.
 */
void dry_run_text(const json_t *value, struct buf *text);

#endif
