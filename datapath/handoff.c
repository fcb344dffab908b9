/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/handoff.h"

#include <errno.h>
#include <stdlib.h>

#include "datapath/spine.h"

/* One frame on its way; a packet of several is several parcels, all but the last with `more`. */
struct parcel {
	struct handoff_to to;
	uint32_t frame, in_port, flow_hash_memo, trace_id;
	uint16_t off, len;
	uint8_t flags;
	bool more;
};

/* From worker A to worker B.  Indices run freely; each is written by one side. */
struct pair {
	CACHE_ALIGNED uint32_t full_head; /* A: parcels ever sent */
	uint32_t empty_tail;              /* A: empty frames ever taken */
	bool sent;                        /* A: since its last flush */
	CACHE_ALIGNED uint32_t full_tail; /* B: parcels ever received */
	uint32_t empty_head;              /* B: empty frames ever given */
	uint32_t lent;                    /* B: its frames that are on this pair's rings */
	CACHE_ALIGNED struct parcel full[HANDOFF_SLOTS];
	uint32_t empty[HANDOFF_SLOTS];
};

struct handoff_pairs {
	struct pair *pair[WORKER_MAX][WORKER_MAX]; /* [from][to] */
};

int handoff_create(struct datapath *dp)
{
	dp->handoff = calloc(1, sizeof *dp->handoff);
	if (!dp->handoff)
		return -ENOMEM;
	for (unsigned from = 0; from < dp->n_workers; from++)
		for (unsigned to = 0; to < dp->n_workers; to++) {
			struct pair *pair;

			if (from == to)
				continue;
			pair = aligned_alloc(CACHE_LINE, ROUND_UP(sizeof *pair, CACHE_LINE));
			if (!pair)
				return -ENOMEM;
			memset(pair, 0, sizeof *pair);
			dp->handoff->pair[from][to] = pair;
		}
	return 0;
}

void handoff_destroy(struct datapath *dp)
{
	if (!dp->handoff)
		return;
	for (unsigned from = 0; from < WORKER_MAX; from++)
		for (unsigned to = 0; to < WORKER_MAX; to++)
			free(dp->handoff->pair[from][to]);
	free(dp->handoff);
	dp->handoff = NULL;
}

/* Copies the packet into `n` of the receiver's empty frames, one parcel each. */
static void pack(struct worker *w, struct pair *pair, const struct pkt *p, struct handoff_to to)
{
	const uint32_t room = FRAME_SIZE - FRAME_HEADROOM;
	uint32_t head = pair->full_head, tail = pair->empty_tail, done = 0;

	do {
		uint32_t frame = pair->empty[tail++ % HANDOFF_SLOTS],
			 part = MIN(room, p->len - done);

		pkt_copy_out(w, p, done, part, frame_base(&w->dp->umem, frame) + FRAME_HEADROOM);
		/* Lent to us, record and all, until the parcel is sent. */
		if (!done)
			w->dp->umem.outer[frame] = *p->outer;
		done += part;
		pair->full[head++ % HANDOFF_SLOTS] = (struct parcel){
			.to = to,
			.frame = frame,
			.in_port = p->in_port,
			.flow_hash_memo = p->flow_hash_memo,
			.trace_id = p->trace_id,
			.off = FRAME_HEADROOM,
			.len = (uint16_t)part,
			.flags = p->flags,
			.more = done < p->len,
		};
	} while (done < p->len);
	__atomic_store_n(&pair->empty_tail, tail, __ATOMIC_RELEASE);
	__atomic_store_n(&pair->full_head, head, __ATOMIC_RELEASE);
	pair->sent = true;
}

/* Records don't travel: the packet is taken as having got where it was sent.  Should the other
 * worker drop it after all, counters know it and samples don't. */
static void end_sample(struct worker *w, struct pkt *p, uint32_t port_id)
{
	const struct port *port = port_get(w->dp, port_id);

	if (port && port->flags & PORT_CONN)
		sample_end(w, p, SAMPLE_CONSUMED, CONSUME_AGGREGATED);
	else
		sample_end(w, p, SAMPLE_SENT, 0);
}

void handoff_send(struct worker *w, unsigned to_worker, struct pkt *p, struct handoff_to to)
{
	struct pair *pair = w->dp->handoff->pair[w->id][to_worker];
	const uint32_t room = FRAME_SIZE - FRAME_HEADROOM;
	uint32_t n = (p->len + room - 1) / room;
	uint32_t empty = __atomic_load_n(&pair->empty_head, __ATOMIC_ACQUIRE) - pair->empty_tail;
	uint32_t full = pair->full_head - __atomic_load_n(&pair->full_tail, __ATOMIC_ACQUIRE);

	if (n > empty || n > HANDOFF_SLOTS - full) {
		drop(w, p, DROP_HANDOFF_FULL);
		return;
	}
	trace(w, p, HANDOFF, to_worker, to.id);
	pack(w, pair, p, to);
	if (unlikely(p->sample))
		end_sample(w, p, to.id);
	pkt_free(w, p);
}

/* Rebuilds the packet that begins at parcel `*tail`; NULL when it had to be dropped. */
static struct pkt *unpack(struct worker *w, struct pair *pair, uint32_t *tail)
{
	const struct parcel *first = &pair->full[*tail % HANDOFF_SLOTS], *parcel;
	struct pkt *p = pkt_alloc(w);

	do {
		struct seg seg;

		parcel = &pair->full[(*tail)++ % HANDOFF_SLOTS];
		pair->lent--;
		seg = (struct seg){parcel->frame, parcel->off, parcel->len};
		w->frames.umem->refs[seg.frame] = 1;
		if (!p || pkt_append(p, seg))
			frame_unref(&w->frames, seg.frame);
	} while (parcel->more);
	if (!p) {
		counter_add(&w->n.dropped[DROP_NO_PACKET], 1);
		return NULL;
	}
	p->data = frame_base(w->frames.umem, first->frame) + first->off;
	p->flags = first->flags & (uint8_t)~PKT_KEYED;
	p->in_port = first->in_port;
	p->trace_id = first->trace_id;
	p->outer_frame = first->frame;
	p->outer = &w->frames.umem->outer[first->frame];
	frame_ref(&w->frames, first->frame);
	if (pkt_parse(w, p) >= 0) {
		/* It parsed before it was sent, or was made here: only actions can have spoiled it.
		 */
		drop(w, p, DROP_ACTION_INVALID);
		return NULL;
	}
	p->flow_hash_memo = first->flow_hash_memo;
	return p;
}

static void deliver(struct worker *w, struct pkt *p, struct handoff_to to, struct batch *b)
{
	struct port *port = port_get(w->dp, to.id);

	if (!port || port->gen != to.gen)
		drop(w, p, to.kind == HANDOFF_DECAP ? DROP_CONN_GONE : DROP_PORT_GONE);
	else if (to.kind == HANDOFF_DECAP)
		b->pkt[b->n++] = p;
	else
		port_output_queue(w, p, &port->queue[to.queue]);
}

static unsigned receive_from(struct worker *w, struct pair *pair, struct batch *b)
{
	uint32_t tail = pair->full_tail, head = __atomic_load_n(&pair->full_head, __ATOMIC_ACQUIRE);
	unsigned n = 0;

	for (; tail != head && b->n < BATCH_MAX; n++) {
		struct handoff_to to = pair->full[tail % HANDOFF_SLOTS].to;
		struct pkt *p = unpack(w, pair, &tail);

		if (p)
			deliver(w, p, to, b);
	}
	__atomic_store_n(&pair->full_tail, tail, __ATOMIC_RELEASE);
	return n;
}

unsigned handoff_receive(struct worker *w, struct batch *b)
{
	unsigned n = 0, n_workers = w->dp->n_workers, first = w->handoff_first++;

	for (unsigned i = 0; i < n_workers; i++) {
		unsigned from = (first + i) % n_workers;

		if (from != w->id)
			n += receive_from(w, w->dp->handoff->pair[from][w->id], b);
	}
	return n;
}

/* Lends a sender frames until its ring is full, as long as enough are left at home. */
static void lend(struct worker *w, struct pair *pair)
{
	uint32_t head = pair->empty_head;

	if (pair->lent >= HANDOFF_SLOTS / 2)
		return;
	while (pair->lent < HANDOFF_SLOTS && w->frames.n_free > w->frames.n_total / 4) {
		pair->empty[head++ % HANDOFF_SLOTS] = frame_alloc(&w->frames);
		pair->lent++;
	}
	__atomic_store_n(&pair->empty_head, head, __ATOMIC_RELEASE);
}

void handoff_flush(struct worker *w)
{
	for (unsigned i = 0; i < w->dp->n_workers; i++) {
		struct pair *to;

		if (i == w->id)
			continue;
		lend(w, w->dp->handoff->pair[i][w->id]);
		to = w->dp->handoff->pair[w->id][i];
		if (to->sent) {
			to->sent = false;
			worker_wake(w->dp->worker[i]);
		}
	}
}

bool handoff_waiting(const struct worker *w)
{
	for (unsigned from = 0; from < w->dp->n_workers; from++) {
		const struct pair *pair = w->dp->handoff->pair[from][w->id];

		if (from != w->id &&
		    __atomic_load_n(&pair->full_head, __ATOMIC_ACQUIRE) != pair->full_tail)
			return true;
	}
	return false;
}

void handoff_held(const struct worker *w, uint32_t *n_frames, uint32_t *n_packets)
{
	*n_frames = *n_packets = 0;
	for (unsigned from = 0; from < w->dp->n_workers; from++) {
		const struct pair *pair = w->dp->handoff->pair[from][w->id];
		uint32_t head;

		if (from == w->id)
			continue;
		*n_frames += pair->lent;
		head = __atomic_load_n(&pair->full_head, __ATOMIC_ACQUIRE);
		for (uint32_t i = pair->full_tail; i != head; i++)
			*n_packets += !pair->full[i % HANDOFF_SLOTS].more;
	}
}

void stage_handoff(struct worker *w, struct batch *b)
{
	unsigned n = 0;
	struct pkt *p;

	if (w->dp->n_workers == 1)
		return;
	BATCH_FOR_EACH (p, b) {
		const struct conn *c;

		if (p->outer->conn != CONN_NONE) {
			c = conn_get(w->dp, p->outer->conn, p->outer->gen);
			if (c && c->owner != w->id) {
				handoff_send(w, c->owner, p,
					     (struct handoff_to){HANDOFF_DECAP, c->port.id,
								 c->port.gen, 0});
				continue;
			}
		}
		b->pkt[n++] = p;
	}
	b->n = n;
}
