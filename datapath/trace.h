/* SPDX-License-Identifier: Apache-2.0 */
/* Trace: what happened to one packet, stage by stage.
 *
 * Any stage says trace(w, p, POINT, a, b): for a packet that is not traced it costs one test.
 * Records are binary, two numbers each, in a ring of the worker; they become text only when
 * someone looks (trace_text).  The same stages serve the what-if trace, which runs a packet
 * through a private worker that has no ports.  No payload octet is ever recorded. */
#ifndef SLUICE_TRACE_H
#define SLUICE_TRACE_H

#include "datapath/pkt.h"

enum trace_point {
#define TRACE(ID, TEXT) TRACE_##ID,
#include "datapath/traces.def"
#undef TRACE
	N_TRACES
};

struct trace_record {
	uint64_t ns;
	uint32_t id; /* the packet's trace id */
	uint16_t point, worker;
	uint64_t a, b;
};

void trace_add(struct worker *w, uint32_t id, enum trace_point point, uint64_t a, uint64_t b);

#define trace(w, p, POINT, a, b)                                                                  \
	do {                                                                                      \
		if (unlikely((p)->flags & PKT_TRACED))                                            \
			trace_add(w, (p)->trace_id, TRACE_##POINT, (uint64_t)(a), (uint64_t)(b)); \
	} while (0)

/* A worker that was asked for the next packets of a match (worker->trace_match) traces everything
 * from rx on and lets go, at the key, of what does not match: records count only for ids that
 * have a MATCHED one.  Data units carry on their aggregate's id. */
void trace_begin(struct worker *w, struct pkt *p);
void trace_keyed(struct worker *w, struct pkt *p);

struct datapath;
struct buf;
/* One line of text, names resolved (ports, connections, reasons) as far as the datapath knows. */
void trace_text(const struct datapath *dp, const struct trace_record *r, struct buf *text);

#endif
