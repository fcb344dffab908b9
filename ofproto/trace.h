/* SPDX-License-Identifier: Apache-2.0 */
/* Trace, the control side: what-if packets, and the next real ones.
 *
 * The what-if trace has a worker of its own (private_trace: ports take nothing from it) over a copy
 * of the datapath's pointers with frames of its own, so the same stages run on the same tables
 * and nothing of the switch moves: no counter, no connection.
 *
 * For real packets every worker is told by mail what to look for; their records are fetched
 * each few milliseconds and kept until somebody reads.  Control thread. */
#ifndef SLUICE_OFPROTO_TRACE_H
#define SLUICE_OFPROTO_TRACE_H

#include "ofproto/ofproto.h"

void trace_run(struct ofproto *o);
uint64_t trace_deadline(const struct ofproto *o);

/* Octets of a packet that has these headers, as far as they are said, into `frame`; returns how
 * many.  Lengths and checksums are right; what is not said is zero (TTL 64). */
enum { TRACE_FRAME = 2048 };
size_t trace_compose(const struct du_key *key, uint8_t frame[TRACE_FRAME]);

#endif
