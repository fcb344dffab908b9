/* SPDX-License-Identifier: Apache-2.0 */
/* What became of an address's packets in the last 15 minutes (ofproto/samples.h: the past).
 *
 * The value's shape:
 *
 *	address, seconds
 *	to, from                  packets of which it is the destination, the source
 *	carried                   aggregates with it as an outer address that ended as such, and
 *packets that came out of its aggregates each: samples, arrived, delivered, lost, octets, reasons:
 *[{reason, text, packets, samples}], the largest first rules: [{rule_id, table, reason, packets,
 *samples, flow, why}]  (flow and why: while the rule is there) outers: [{address, packets, early,
 *early_samples}]  outer addresses whose aggregates carried its packets, and how many of those
 *aggregates were dropped unopened
 *
 * Counts are estimates; `samples` says on how many records each stands.  Control thread. */
#ifndef SLUICE_CTL_WHY_H
#define SLUICE_CTL_WHY_H

#include "ctl/mgmt.h"

/* `address`: an address or a prefix.  NULL and a refusal, or a new value. */
json_t *why_collect(struct daemon *d, const char *address, struct refusal *r);
void why_text(const json_t *value, struct buf *text);

#endif
