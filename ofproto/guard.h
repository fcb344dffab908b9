/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule of the guard may do.
 *
 * The guard stands in front of table 0 and is for short work: `drop` and `output:PORT` (redirect)
 * end the path; `limit`, `limiter`, `connlimit`, `sample`, set_field to pkt_mark and `pass` go on
 * to table 0.  In a rule that goes on this is its goto_table: it is put there when the rule is
 * installed, and not shown.
 *
 * Control thread. */
#ifndef SLUICE_OFPROTO_GUARD_H
#define SLUICE_OFPROTO_GUARD_H

#include "ofproto/ofproto.h"

/* Refuses what the guard does not do; makes a rule that has no end of its own go on to table 0. */
int guard_complete(struct instructions *i, struct refusal *r);

#endif
