/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/spine.h"

/* Where its headers are is known as long as it is whole: conditions on the outer packet read them
 * beside each data unit. */
static void outer_place(const struct worker *w, struct pkt *p)
{
	if (p->outer != &w->frames.umem->frame[p->seg[0].frame].outer)
		return;
	p->outer->off = p->seg[0].off;
	p->outer->headers = MIN(p->payload, p->seg[0].len);
}

/* Plain frames pass through; an aggregate gives its data units, as many as `out` has room for.
 * `in->at` and `in->popping` remember the place, so that an aggregate of 70 DUs is no special case;
 * by then the aggregate may have been consumed, so the packet is not looked at again. */
bool stage_decap(struct worker *w, struct batch *in, struct batch *out)
{
	for (; in->at < in->n; in->at++) {
		struct pkt *p = in->pkt[in->at];
		struct conn *c = in->popping;

		if (out->n == BATCH_MAX)
			return false;
		if (!c && p->outer->conn == CONN_NONE) {
			out->pkt[out->n++] = p;
			continue;
		}
		if (!c)
			c = conn_get(w->dp, p->outer->conn, p->outer->gen);
		if (unlikely(!c)) {
			drop(w, p, DROP_CONN_GONE);
			continue;
		}
		if (!in->popping && p->n_segs)
			outer_place(w, p);
		in->popping = c->class->pop(w, c, p, out) ? NULL : c;
		if (in->popping)
			return false;
	}
	in->n = in->at = 0;
	return true;
}
