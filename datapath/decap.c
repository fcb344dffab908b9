/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/spine.h"

/* The record goes to the frame that the aggregate came in, for its data units.  Where its headers
 * are is known as long as it is whole: conditions on the outer packet read them beside each data
 * unit. */
static void outer_place(struct worker *w, struct pkt *p)
{
	uint32_t f = p->seg[0].frame;

	if (p->outer == &p->own) {
		w->frames.umem->outer[f] = p->own;
		frame_ref(&w->frames, f);
		p->outer_frame = f;
		p->outer = &w->frames.umem->outer[f];
	}
	if (p->outer_frame != f)
		return;
	p->outer->off = p->seg[0].off;
	p->outer->headers = MIN(p->payload, p->seg[0].len);
}

/* Moves plain frames to `out`, up to the first aggregate. */
static void pass_plain(struct batch *in, struct batch *out)
{
	unsigned at = in->at, to = out->n, end = MIN(in->n, at + BATCH_MAX - to);

	while (at < end && in->pkt[at]->outer->conn == CONN_NONE)
		out->pkt[to++] = in->pkt[at++];
	in->at = at;
	out->n = to;
}

/* Plain frames pass through; an aggregate gives its data units, as many as `out` has room for.
 * `in->at` and `in->popping` remember the place, so that an aggregate of 70 DUs is no special case;
 * by then the aggregate may have been consumed, so the packet is not looked at again. */
bool stage_decap(struct worker *w, struct batch *in, struct batch *out)
{
	for (;; in->at++) {
		struct conn *c = in->popping;
		struct pkt *p;

		if (!c)
			pass_plain(in, out);
		if (in->at == in->n)
			break;
		if (out->n == BATCH_MAX)
			return false;
		p = in->pkt[in->at];
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
