/* SPDX-License-Identifier: Apache-2.0 */
/* From an outer packet to data units: ESP, the reorder window, AGGFRAG. */
#include "datapath/iptfs.h"

#include <errno.h>
#include <linux/if_ether.h>

#include "datapath/spine.h"

static void refuse_aggregate(struct worker *w, struct iptfs *s, struct pkt *p, enum drop_reason why)
{
	iptfs_trouble(s, why);
	drop(w, p, why);
}

/* ---- ESP ----------------------------------------------------------------------------------- */

size_t iptfs_esp_size(const struct pkt *p, bool udp)
{
	const uint8_t *ip = p->data + p->l3;
	size_t end = p->l3 + (ip[0] >> 4 == 4 ? get_be16(ip + 2) : 40u + get_be16(ip + 4));

	if (udp)
		end = MIN(end, (size_t)p->l4 + get_be16(p->data + p->l4 + 4));
	end = MIN(end, (size_t)p->len);
	return end > p->payload ? end - p->payload : 0;
}

/* Where the plain octets may be written: the same place if the frame is this packet's alone, else
 * a fresh frame.  FRAME_NONE: no frame left. */
static uint32_t plain_frame(struct worker *w, const struct pkt *p)
{
	uint32_t f = p->seg[0].frame;

	if (likely(w->frames.umem->refs[f] == 1u + (p->outer_frame == f)))
		return f;
	return frame_alloc(&w->frames);
}

/* After the ICV: what the header says is true, and goes into the record. */
static void collect_esp(struct worker *w, struct iptfs *s, struct pkt *p, uint64_t seq)
{
	struct replay_place place = replay_update(&s->rx.replay, seq);
	struct outer_key *o = &p->outer->key;

	mark_seen(s->rx.mark, s->rx.replay.top);
	o->auth = AUTH_VERIFIED;
	o->esp_seq = htobe64(seq);
	o->esp_gap = htobe32((uint32_t)MIN(place.gap, (uint64_t)UINT32_MAX));
	o->esp_late = htobe32((uint32_t)MIN(place.late, (uint64_t)UINT32_MAX));
	counter_add(&s->n.in_aggregates, 1);
	counter_add(&s->n.in_octets, pkt_octets(p));
	counter_add(&s->n.in_ce, o->ip_ecn == 3);
	trace(w, p, ESP, seq, s->rx.replay.top);
}

/* Opens the ESP packet; slot->payload and size are then its plain payload.  The reason why not
 * otherwise; slot->seq is set once the ICV was right. */
static enum drop_reason open_esp(struct worker *w, struct iptfs *s, struct pkt *p,
				 struct reorder_slot *slot)
{
	struct iptfs_rx *rx = &s->rx;
	enum replay_verdict verdict;
	enum drop_reason why;
	struct esp_plain plain = {0};
	uint32_t f;
	uint8_t *esp;
	size_t size;
	uint64_t seq;

	if (unlikely(p->n_segs > 1)) {
		int error = pkt_linearise(w, p, 1);

		if (error)
			return error == -ENOSPC ? DROP_ESP_LONG : DROP_NO_FRAME;
	}
	esp = p->data + p->payload;
	size = iptfs_esp_size(p, s->udp);
	why = esp_check(&rx->sa, size);
	if (unlikely(why != NO_DROP))
		return why;
	seq = replay_infer(&rx->replay, get_be32(esp + 4));
	verdict = replay_check(&rx->replay, seq);
	if (unlikely(verdict != REPLAY_FRESH))
		return verdict == REPLAY_SEEN ? DROP_ESP_REPLAY : DROP_ESP_OLD;
	f = plain_frame(w, p);
	if (unlikely(f == FRAME_NONE))
		return DROP_NO_FRAME;
	plain.to = f == p->seg[0].frame ? esp + esp_front(&rx->sa)
					: frame_base(w->frames.umem, f) + FRAME_HEADROOM;
	why = esp_open(&rx->sa, seq, esp, size, &plain);
	if (why != DROP_ESP_ICV) {
		collect_esp(w, s, p, seq);
		slot->seq = seq;
	}
	if (unlikely(f != p->seg[0].frame)) {
		frame_unref(&w->frames, p->seg[0].frame);
		p->seg[0] = (struct seg){f, FRAME_HEADROOM, (uint16_t)size};
		p->data = plain.to;
		p->len = (uint32_t)size;
		p->l3 = p->l4 = p->payload = 0; /* its headers are not in front of it any more */
	}
	slot->payload = plain.to;
	slot->size = (uint32_t)plain.size;
	if (unlikely(why == NO_DROP && plain.next_header != AGG_NEXT_HEADER))
		why = plain.next_header == ESP_NEXT_DUMMY ? DROP_ESP_DUMMY : DROP_ESP_NEXT_HEADER;
	return why;
}

/* Takes the packet into the reorder window, or drops it. */
static void admit(struct worker *w, struct iptfs *s, struct pkt *p)
{
	struct reorder_slot slot = {.pkt = p, .ns = p->outer->rx_ns};
	enum drop_reason why = open_esp(w, s, p, &slot);

	if (unlikely(why != NO_DROP)) {
		refuse_aggregate(w, s, p, why);
		if (!slot.seq)
			return;
		slot.pkt = NULL; /* its number is taken: nobody shall wait for it */
		p = NULL;
	}
	if (reorder_put(&s->rx.order, &slot))
		return;
	counter_add(&s->n.in_late, 1);
	if (p)
		refuse_aggregate(w, s, p, DROP_AGG_LATE);
}

/* ---- Data units ------------------------------------------------------------------------------ */

/* The virtual Ethernet header of a data unit that begins with `octet`. */
static void begin_virtual(struct pkt *du, uint8_t octet)
{
	memset(du->data, 0, 12);
	put_be16(du->data + 12, octet >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);
	du->seg[0].len = ETH_HLEN_;
	du->len = ETH_HLEN_;
	du->flags |= PKT_VIRTUAL_ETH;
}

static void give(struct worker *w, struct iptfs *s, struct pkt *du, struct batch *out)
{
	const struct pkt *p = s->rx.now.pkt;

	du->flags |= p->flags & PKT_TRACED;
	du->trace_id = p->trace_id;
	counter_add(&s->n.in_dus, 1);
	conn_du(w, s->conn, du, p->outer_frame, out);
}

/* A data unit there was no memory for: it ends before it began, and the balance knows. */
static void lose_du(struct worker *w, struct iptfs *s)
{
	iptfs_trouble(s, DROP_NO_FRAME);
	counter_add(&w->n.made[MADE_DECAP], 1);
	counter_add(&w->n.dropped[DROP_NO_FRAME], 1);
}

/* A whole one: its first octets are copied out; the rest, if any, stays where it is. */
static void give_whole(struct worker *w, struct iptfs *s, struct agg_piece piece, struct batch *out)
{
	uint32_t head = MIN(piece.size, (uint32_t)PKT_HEADERS);
	struct pkt *du = pkt_new(w, FRAME_HEADROOM);

	if (unlikely(!du)) {
		lose_du(w, s);
		return;
	}
	begin_virtual(du, piece.octets[0]);
	memcpy(du->data + ETH_HLEN_, piece.octets, head);
	du->seg[0].len += head;
	du->len += head;
	if (piece.size > head) {
		uint32_t f = s->rx.now.pkt->seg[0].frame;
		ptrdiff_t off = piece.octets - frame_base(w->frames.umem, f);

		frame_ref(&w->frames, f);
		pkt_append(du,
			   (struct seg){f, (uint16_t)(off + head), (uint16_t)(piece.size - head)});
	}
	du->key.agg_fragments = htobe16(1);
	give(w, s, du, out);
}

/* ---- Reassembly ------------------------------------------------------------------------------ */

static void abandon(struct worker *w, struct iptfs_rx *rx)
{
	if (rx->du)
		pkt_free(w, rx->du);
	rx->du = NULL;
}

/* Copies a piece behind what is there. */
static bool append(struct worker *w, struct pkt *du, struct agg_piece piece)
{
	while (piece.size) {
		struct seg *last = &du->seg[du->n_segs - 1];
		uint32_t n = MIN((uint32_t)FRAME_SIZE - last->off - last->len, piece.size);

		memcpy(frame_base(w->frames.umem, last->frame) + last->off + last->len,
		       piece.octets, n);
		last->len += n;
		du->len += n;
		piece.octets += n;
		piece.size -= n;
		if (piece.size) {
			uint32_t f = frame_alloc(&w->frames);

			if (f == FRAME_NONE)
				return false;
			if (pkt_append(du, (struct seg){f, 0, 0})) {
				frame_unref(&w->frames, f);
				return false;
			}
		}
	}
	return true;
}

static void reassemble(struct worker *w, struct iptfs *s, enum agg_what what,
		       struct agg_piece piece)
{
	struct iptfs_rx *rx = &s->rx;

	if (what == AGG_FIRST) {
		rx->n_parts = 0;
		rx->begun_ns = rx->now.ns;
		rx->du = pkt_new(w, FRAME_HEADROOM);
		if (rx->du)
			begin_virtual(rx->du, piece.octets[0]);
		else
			lose_du(w, s);
	}
	rx->n_parts++;
	rx->last_ns = w->now;
	if (rx->du && !append(w, rx->du, piece)) {
		abandon(w, rx);
		lose_du(w, s);
	}
}

static void give_reassembled(struct worker *w, struct iptfs *s, struct batch *out)
{
	struct iptfs_rx *rx = &s->rx;
	struct pkt *du = rx->du;
	uint64_t age_us = (rx->now.ns - MIN(rx->now.ns, rx->begun_ns)) / NSEC_PER_USEC;

	if (!du)
		return;
	rx->du = NULL;
	du->key.agg_fragments = htobe16(rx->n_parts);
	du->key.agg_age_us = htobe32((uint32_t)MIN(age_us, (uint64_t)UINT32_MAX));
	counter_add(&s->n.in_fragmented, 1);
	give(w, s, du, out);
}

/* ---- One aggregate -----------------------------------------------------------------------------
 */

/* Counts the blocks ahead of the walk: rules read the record from the first data unit on. */
static void collect_agg(struct worker *w, struct iptfs *s, struct pkt *p)
{
	const struct agg_header *h = &s->rx.walk.header;
	struct outer_key *o = &p->outer->key;
	struct agg_walk ahead = s->rx.walk;
	struct agg_rx rx = s->rx.agg;
	struct agg_piece piece;

	while (agg_next(&rx, &ahead, &piece) != AGG_END)
		;
	o->has |= htobe32(HAS_AGG | (h->subtype ? HAS_AGG_CC : 0));
	o->agg_offset = htobe16(h->offset);
	o->agg_subtype = h->subtype;
	o->agg_flags = h->flags;
	o->agg_loss_event_rate = htobe32(h->loss_event_rate);
	o->agg_rtt_us = htobe32(h->rtt_us);
	o->agg_dus = htobe16(ahead.n_blocks);
	o->agg_pad = htobe16((uint16_t)ahead.pad);
	trace(w, p, AGG, h->subtype, h->offset);
}

/* Begins with the aggregate that the reorder window gave; false when it is done with at once. */
static bool begin_walk(struct worker *w, struct iptfs *s)
{
	struct iptfs_rx *rx = &s->rx;
	struct agg_piece payload = {rx->now.payload, rx->now.size};
	enum drop_reason why;
	bool aborted;

	if (!rx->now.pkt)
		return false;
	why = agg_begin(&rx->agg, &rx->walk, payload, rx->now.seq, &aborted);
	rx->told = aborted;
	if (aborted) {
		iptfs_trouble(s, rx->walk.error);
		abandon(w, rx);
	}
	if (why != NO_DROP) {
		refuse_aggregate(w, s, rx->now.pkt, why);
		return false;
	}
	collect_agg(w, s, rx->now.pkt);
	return true;
}

static void end_walk(struct worker *w, struct iptfs *s)
{
	struct iptfs_rx *rx = &s->rx;
	enum drop_reason why = rx->walk.error;

	if (why != NO_DROP && !rx->told)
		iptfs_trouble(s, why);
	if (rx->walk.n_pieces) {
		consume(w, rx->now.pkt, CONSUME_DECAP);
	} else if (why != NO_DROP) {
		drop(w, rx->now.pkt, why);
	} else {
		counter_add(&s->n.in_pads, 1);
		consume(w, rx->now.pkt, CONSUME_PAD);
	}
}

/* Goes on with the aggregate until it ends (true) or `out` is full. */
static bool walk_on(struct worker *w, struct iptfs *s, struct batch *out)
{
	struct iptfs_rx *rx = &s->rx;
	struct agg_piece piece;

	while (out->n < BATCH_MAX) {
		enum agg_what what = agg_next(&rx->agg, &rx->walk, &piece);

		if (what == AGG_END) {
			end_walk(w, s);
			return true;
		}
		if (what == AGG_WHOLE)
			give_whole(w, s, piece, out);
		else
			reassemble(w, s, what, piece);
		if (what == AGG_LAST)
			give_reassembled(w, s, out);
	}
	return false;
}

/* Takes apart what the reorder window gives, until there is nothing (true) or `out` is full. */
static bool run(struct worker *w, struct iptfs *s, struct batch *out)
{
	struct iptfs_rx *rx = &s->rx;
	uint64_t lost;

	for (;;) {
		if (rx->walking && !walk_on(w, s, out))
			return false;
		rx->walking = false;
		lost = 0;
		if (!reorder_take(&rx->order, &rx->now, &lost))
			return true;
		counter_add(&s->n.in_lost, lost);
		rx->walking = begin_walk(w, s);
	}
}

/* ---- Time -------------------------------------------------------------------------------------
 */

/* When something is next given up: the packet that waits longest, or else the open data unit. */
static uint64_t deadline(const struct iptfs_rx *rx)
{
	if (rx->order.n)
		return reorder_oldest(&rx->order) + rx->drop_ns;
	return rx->agg.open ? rx->last_ns + rx->drop_ns : TIMER_NEVER;
}

/* A timer that fires early looks again: moving it with every aggregate would cost more. */
static void arm(struct worker *w, struct iptfs_rx *rx)
{
	uint64_t at = deadline(rx);

	if (at != TIMER_NEVER &&
	    (!timer_is_set(&rx->timer) || rx->timer.tick * TICK_NS > at + TICK_NS))
		timer_set(&w->wheel, &rx->timer, at);
}

void iptfs_rx_timer(struct worker *w, struct timer *t)
{
	struct iptfs *s = container_of(t, struct iptfs, rx.timer);
	struct iptfs_rx *rx = &s->rx;
	struct batch b;
	bool done;

	if (w->now >= rx->drop_ns)
		reorder_expire(&rx->order, w->now - rx->drop_ns);
	do {
		b.n = b.at = 0;
		done = run(w, s, &b);
		spine_rules(w, &b);
	} while (!done);
	if (rx->agg.open && !rx->order.n && deadline(rx) <= w->now) {
		agg_abort(&rx->agg, DROP_AGG_TIMEOUT);
		iptfs_trouble(s, DROP_AGG_TIMEOUT);
		abandon(w, rx);
	}
	arm(w, rx);
}

bool iptfs_pop(struct worker *w, struct conn *c, struct pkt *p, struct batch *out)
{
	struct iptfs *s = c->state;

	if (unlikely(w->private_trace)) { /* a what-if packet moves nothing */
		consume(w, p, CONSUME_DECAP);
		return true;
	}
	/* Called again because `out` was full, `p` is a name only: it may have gone already. */
	if (!s->rx.busy)
		admit(w, s, p);
	s->rx.busy = !run(w, s, out);
	if (!s->rx.busy)
		arm(w, &s->rx);
	return !s->rx.busy;
}

void iptfs_rx_stop(struct worker *w, struct iptfs *s)
{
	struct iptfs_rx *rx = &s->rx;

	timer_cancel(&w->wheel, &rx->timer);
	for (unsigned i = 0; i < rx->order.n; i++)
		if (rx->order.slot[i].pkt)
			drop(w, rx->order.slot[i].pkt, DROP_CONN_GONE);
	rx->order.n = 0;
	if (rx->agg.open)
		iptfs_trouble(s, DROP_CONN_GONE);
	abandon(w, rx);
}
