/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/pkt.h"

#include <errno.h>

#include "datapath/worker.h"

const struct reason_text drop_reasons[N_DROPS] = {
#define DROP(ID, NAME, TEXT) [DROP_##ID] = {NAME, TEXT},
#include "datapath/drops.def"
};
const struct reason_text consume_reasons[N_CONSUMES] = {
#define CONSUME(ID, NAME, TEXT) [CONSUME_##ID] = {NAME, TEXT},
#include "datapath/drops.def"
};
const struct reason_text made_reasons[N_MADES] = {
#define MADE(ID, NAME, TEXT) [MADE_##ID] = {NAME, TEXT},
#include "datapath/drops.def"
};

struct pkt *pkt_new(struct worker *w, uint16_t headroom)
{
	uint32_t f = frame_alloc(&w->frames);
	struct pkt *p;

	if (f == FRAME_NONE)
		return NULL;
	p = pkt_alloc(w);
	if (!p) {
		frame_unref(&w->frames, f);
		return NULL;
	}
	p->n_segs = 1;
	p->seg[0] = (struct seg){f, headroom, 0};
	p->data = frame_base(w->frames.umem, f) + headroom;
	return p;
}

struct pkt *pkt_clone(struct worker *w, const struct pkt *p)
{
	struct pkt *c = pkt_alloc(w);

	if (!c)
		return NULL;
	memcpy(c, p, offsetof(struct pkt, own));
	if (p->outer == &p->own) {
		c->own = p->own;
		c->outer = &c->own;
	}
	c->sample = 0; /* one end is told of: the original's */
	memcpy(c->seg, p->seg, p->n_segs * sizeof p->seg[0]);
	for (unsigned i = 0; i < c->n_segs; i++)
		frame_ref(&w->frames, c->seg[i].frame);
	if (c->outer_frame != FRAME_NONE)
		frame_ref(&w->frames, c->outer_frame);
	counter_add(&w->n.made[MADE_CLONE], 1);
	return c;
}

/* Moves the first `n` octets of segment 0 to a frame of their own; the rest of that segment, if
 * any, stays where it is as a segment behind. */
static int own_head(struct worker *w, struct pkt *p, uint16_t n)
{
	struct seg head = p->seg[0];
	bool split = head.len > n;
	uint32_t f;

	if (split && p->n_segs == PKT_SEGS)
		return -ENOMEM;
	f = frame_alloc(&w->frames);
	if (f == FRAME_NONE)
		return -ENOMEM;
	memcpy(frame_base(w->frames.umem, f) + FRAME_HEADROOM, p->data, MIN(n, head.len));
	if (split) {
		memmove(p->seg + 2, p->seg + 1, (p->n_segs - 1) * sizeof p->seg[0]);
		p->seg[1] = (struct seg){head.frame, head.off + n, head.len - n};
		p->n_segs++;
	} else {
		frame_unref(&w->frames, head.frame);
	}
	p->seg[0] = (struct seg){f, FRAME_HEADROOM, MIN(n, head.len)};
	p->data = frame_base(w->frames.umem, f) + FRAME_HEADROOM;
	return 0;
}

int pkt_own(struct worker *w, struct pkt *p, uint16_t n, uint16_t headroom)
{
	const struct seg *head = &p->seg[0];

	if (unlikely(n > head->len))
		return -EINVAL;
	/* A frame that only this packet names (as its segment, and maybe as its record's home) is
	 * its own, with all octets in front. */
	if (likely(w->frames.umem->refs[head->frame] == 1 + (p->outer_frame == head->frame) &&
		   head->off >= headroom))
		return 0;
	return own_head(w, p, MAX(n, MIN(head->len, PKT_HEADERS)));
}

uint8_t *pkt_push(struct worker *w, struct pkt *p, uint16_t n)
{
	if (pkt_own(w, p, 0, n))
		return NULL;
	p->data -= n;
	p->seg[0].off -= n;
	p->seg[0].len += n;
	p->len += n;
	p->l3 += p->l3 ? n : 0;
	p->l4 += p->l4 ? n : 0;
	p->payload += n;
	return p->data;
}

void pkt_pull(struct pkt *p, uint16_t n)
{
	p->data += n;
	p->seg[0].off += n;
	p->seg[0].len -= n;
	p->len -= n;
	p->l3 = p->l3 > n ? p->l3 - n : 0;
	p->l4 = p->l4 > n ? p->l4 - n : 0;
	p->payload = p->payload > n ? p->payload - n : 0;
}

int pkt_append(struct pkt *p, struct seg seg)
{
	if (p->n_segs == PKT_SEGS)
		return -ENOSPC;
	p->seg[p->n_segs++] = seg;
	p->len += seg.len;
	return 0;
}

void pkt_copy_out(const struct worker *w, const struct pkt *p, uint32_t from, uint32_t n,
		  uint8_t *to)
{
	for (unsigned i = 0; n && i < p->n_segs; i++) {
		const struct seg *s = &p->seg[i];
		uint32_t part;

		if (from >= s->len) {
			from -= s->len;
			continue;
		}
		part = MIN(n, s->len - from);
		memcpy(to, frame_base(w->frames.umem, s->frame) + s->off + from, part);
		to += part;
		n -= part;
		from = 0;
	}
}

int pkt_linearise(struct worker *w, struct pkt *p, unsigned max_segs)
{
	struct seg fresh[PKT_SEGS];
	const uint32_t room = FRAME_SIZE - FRAME_HEADROOM;
	unsigned n = (p->len + room - 1) / room;
	uint32_t done = 0;

	if (p->n_segs <= max_segs)
		return 0;
	if (n > max_segs)
		return -ENOSPC;
	for (unsigned i = 0; i < n; i++, done += room) {
		uint32_t f = frame_alloc(&w->frames), part = MIN(room, p->len - done);

		if (f == FRAME_NONE) {
			while (i--)
				frame_unref(&w->frames, fresh[i].frame);
			return -ENOMEM;
		}
		pkt_copy_out(w, p, done, part, frame_base(w->frames.umem, f) + FRAME_HEADROOM);
		fresh[i] = (struct seg){f, FRAME_HEADROOM, (uint16_t)part};
	}
	for (unsigned i = 0; i < p->n_segs; i++)
		frame_unref(&w->frames, p->seg[i].frame);
	memcpy(p->seg, fresh, n * sizeof fresh[0]);
	p->n_segs = (uint8_t)n;
	p->data = frame_base(w->frames.umem, fresh[0].frame) + FRAME_HEADROOM;
	return 0;
}

static ALWAYS_INLINE void let_go(struct worker *w, struct pkt *p)
{
	struct frame_pool *pool = &w->frames;

	if (likely(p->n_segs == 1))
		frame_unref(pool, p->seg[0].frame);
	else
		for (unsigned i = 0; i < p->n_segs; i++)
			frame_unref(pool, p->seg[i].frame);
	if (p->outer_frame != FRAME_NONE)
		frame_unref(pool, p->outer_frame);
	w->free_pkt[w->n_free_pkts++] = p;
}

void pkt_free(struct worker *w, struct pkt *p)
{
	let_go(w, p);
}

/* Somebody is to be told of its end. */
static __attribute__((noinline)) void drop_told(struct worker *w, struct pkt *p,
						enum drop_reason reason)
{
	trace(w, p, DROP, reason, 0);
	if (p->sample)
		sample_end(w, p, SAMPLE_DROPPED, (uint8_t)reason);
	else if (!(p->flags & PKT_COUNTED))
		sample_drop(w, p, reason);
	counter_add(&w->n.dropped[reason], 1);
	let_go(w, p);
}

void drop(struct worker *w, struct pkt *p, enum drop_reason reason)
{
	if (unlikely((p->flags & (PKT_TRACED | PKT_COUNTED)) != PKT_COUNTED || p->sample)) {
		drop_told(w, p, reason);
		return;
	}
	counter_add(&w->n.dropped[reason], 1);
	let_go(w, p);
}

void consume(struct worker *w, struct pkt *p, enum consume_reason reason)
{
	trace(w, p, CONSUME, reason, 0);
	counter_add(&w->n.consumed[reason], 1);
	if (unlikely(p->sample))
		sample_end(w, p, SAMPLE_CONSUMED, (uint8_t)reason);
	pkt_free(w, p);
}
