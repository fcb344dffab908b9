/* SPDX-License-Identifier: Apache-2.0 */
/* Limits by key as values and text.  A row:
 *
 *	kind, name, words      the words behind the name that would make it
 *	rules                  that name it
 *	keys, octets           as many keys as it was made for; its memory
 *	in_use                 keys with anything spent or counted now (walks the table)
 *	connections            of a connection limit: that count now
 *	passed, dropped        packets (of a connection limit: TCP segments and SYNs)
 *	shared                 … of them judged by a bucket that keys share, the table being full
 *there hottest                if asked for: the keys that lost most packets, then those with least
 *left: key {name: text}, dropped, dropped_per_s (since it came), age_s, left, burst (packets, or
 *bits), connections
 *
 * Control thread. */
#ifndef SLUICE_CTL_LIMITERS_H
#define SLUICE_CTL_LIMITERS_H

#include "ctl/mgmt.h"
#include "ofproto/limiters.h"

/* With its `most` hottest keys (0: none). */
json_t *limiter_row(struct daemon *d, const struct limiter *l, unsigned most);
void limiter_row_text(const json_t *row, struct buf *text);
json_t *limiters_collect(struct daemon *d, enum limiter_kind kind, unsigned most);

#endif
