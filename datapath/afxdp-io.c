/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/afxdp.h"

#include <errno.h>
#include <sys/socket.h>

enum {
	FILL_BATCH = 64, /* the fill ring is topped up by this many at least */
	/* Descriptors a packet may have: a socket buffer takes 17 fragments and its head; of the
	 * drivers with zero copy the poorest that takes several at all takes more than four. */
	COPY_SEGS = 16,
	ZEROCOPY_SEGS = 4,
	KICKS = 4, /* system calls a turn: in copy mode each moves at most 32 frames */
};

/* ---- Frames to and from the kernel ------------------------------------------------------ */

static void give(struct afxdp_queue *a, uint32_t frame)
{
	a->held[frame]++;
}

/* The frame of an address that the kernel returned; FRAME_NONE: it never had it. */
static uint32_t take(struct worker *w, struct afxdp_queue *a, uint64_t addr)
{
	uint64_t frame = addr / FRAME_SIZE;

	if (unlikely(frame >= w->frames.umem->n || !a->held[frame])) {
		counter_add(&a->n_bad, 1);
		return FRAME_NONE;
	}
	a->held[frame]--;
	return (uint32_t)frame;
}

/* Completions: what the kernel has sent comes home. */
static unsigned reap(struct worker *w, struct afxdp_queue *a)
{
	struct xsk_ring_cons *ring = &a->xsk.done;
	uint32_t at = 0, n = xsk_ring_cons__peek(ring, XSK_RING, &at);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t f = take(w, a, *xsk_ring_cons__comp_addr(ring, at + i));

		if (f == FRAME_NONE)
			continue;
		frame_unref(&w->frames, f);
		a->n_tx--;
	}
	if (n)
		xsk_ring_cons__release(ring, n);
	return n;
}

/* Keeps the kernel in frames to receive into: half of the worker's pool, shared by its queues, but
 * never the last eighth, which what is on its way needs for headers and copies. */
static void fill(struct worker *w, struct afxdp_queue *a)
{
	uint32_t total = w->frames.n_total, free = w->frames.n_free, at = 0, n;
	uint32_t target = MIN(total / 2 / MAX(w->n_rxq, 1u), (uint32_t)XSK_RING);

	if (a->n_rx + MIN(FILL_BATCH, target) > target || free <= total / 8)
		return;
	n = MIN(target - a->n_rx, free - total / 8);
	n = MIN(n, xsk_prod_nb_free(&a->xsk.fill, n));
	if (!n || xsk_ring_prod__reserve(&a->xsk.fill, n, &at) != n)
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t f = frame_alloc(&w->frames);

		give(a, f);
		*xsk_ring_prod__fill_addr(&a->xsk.fill, at + i) = (uint64_t)f * FRAME_SIZE;
	}
	a->n_rx += n;
	xsk_ring_prod__submit(&a->xsk.fill, n);
}

/* ---- Receive ---------------------------------------------------------------------------- */

/* One descriptor: the packet's next segment. */
static void add_segment(struct worker *w, struct afxdp_queue *a, const struct xdp_desc *d)
{
	struct pkt *p = a->partial;
	uint32_t f = take(w, a, d->addr);

	if (f == FRAME_NONE) {
		a->cut = true;
		return;
	}
	a->n_rx--;
	if (pkt_append(p, (struct seg){f, d->addr % FRAME_SIZE, (uint16_t)d->len})) {
		frame_unref(&w->frames, f);
		a->cut = true;
	}
	if (p->n_segs == 1)
		p->data = frame_base(w->frames.umem, p->seg[0].frame) + p->seg[0].off;
}

static void end_packet(struct worker *w, struct queue *q, struct batch *b)
{
	struct afxdp_queue *a = q->priv;
	struct pkt *p = a->partial;

	a->partial = NULL;
	if (!p->n_segs) {
		pkt_free(w, p);
		return;
	}
	if (unlikely(a->cut)) {
		pkt_received(w, q, p);
		drop(w, p, DROP_RX_TRUNCATED);
		return;
	}
	b->pkt[b->n++] = p;
}

/* One descriptor that is a packet, as most are.  False: no packet is free. */
static ALWAYS_INLINE bool whole_packet(struct worker *w, struct afxdp_queue *a,
				       const struct xdp_desc *d, struct batch *b)
{
	uint32_t f;
	struct pkt *p;

	if (unlikely(!w->n_free_pkts))
		return false;
	f = take(w, a, d->addr);
	if (unlikely(f == FRAME_NONE))
		return true;
	a->n_rx--;
	p = pkt_alloc(w);
	p->seg[0] = (struct seg){f, d->addr % FRAME_SIZE, (uint16_t)d->len};
	p->n_segs = 1;
	p->len = d->len;
	p->data = w->frames.umem->base + d->addr;
	b->pkt[b->n++] = p;
	return true;
}

/* One descriptor of several.  False: no packet is free. */
static bool piece(struct worker *w, struct queue *q, const struct xdp_desc *d, struct batch *b)
{
	struct afxdp_queue *a = q->priv;

	if (!a->partial) {
		a->partial = pkt_alloc(w);
		a->cut = false;
	}
	if (!a->partial)
		return false;
	add_segment(w, a, d);
	if (!(d->options & XDP_PKT_CONTD))
		end_packet(w, q, b);
	return true;
}

/* Another core's cache has what the kernel has just written: all of it is asked for at once. */
static void prefetch_packets(const struct worker *w, struct xsk_ring_cons *rx, uint32_t at,
			     unsigned n)
{
	const struct umem *u = w->frames.umem;

	for (unsigned i = 0; i < n; i++) {
		uint64_t addr = xsk_ring_cons__rx_desc(rx, at + i)->addr;

		__builtin_prefetch(u->base + addr);
		__builtin_prefetch(&u->refs[addr / FRAME_SIZE]);
	}
}

unsigned afxdp_rx(struct worker *w, struct queue *q, struct batch *b)
{
	struct afxdp_queue *a = q->priv;
	uint32_t at = 0, n, i;
	unsigned moved = reap(w, a), before = b->n;

	n = xsk_ring_cons__peek(&a->xsk.rx, XSK_RING, &at);
	prefetch_packets(w, &a->xsk.rx, at, MIN(n, (unsigned)BATCH_MAX));
	for (i = 0; i < n && b->n < BATCH_MAX; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&a->xsk.rx, at + i);
		bool whole = !a->partial && !(d->options & XDP_PKT_CONTD);

		if (!(likely(whole) ? whole_packet(w, a, d, b) : piece(w, q, d, b)))
			break; /* they wait in the ring */
	}
	pkts_received(w, q, b->pkt + before, b->n - before);
	xsk_ring_cons__cancel(&a->xsk.rx, n - i);
	if (i)
		xsk_ring_cons__release(&a->xsk.rx, i);
	fill(w, a);
	/* What the kernel has not taken yet keeps the worker awake. */
	return moved + i + (!a->stuck && xsk_tx_waiting(&a->xsk));
}

/* ---- Transmit --------------------------------------------------------------------------- */

static unsigned max_segments(const struct xsk *x)
{
	if (!x->segments)
		return 1;
	return x->zerocopy ? ZEROCOPY_SEGS : COPY_SEGS;
}

/* The kernel refuses descriptors of no octets. */
static void remove_empty(struct worker *w, struct pkt *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_segs; i++)
		if (p->seg[i].len)
			p->seg[n++] = p->seg[i];
		else
			frame_unref(&w->frames, p->seg[i].frame);
	p->n_segs = (uint8_t)n;
}

/* Writes a packet's descriptors; false when the ring has no room. */
static bool write_packet(struct afxdp_queue *a, const struct pkt *p)
{
	uint32_t at = 0;

	if (xsk_ring_prod__reserve(&a->xsk.tx, p->n_segs, &at) != p->n_segs)
		return false;
	for (unsigned i = 0; i < p->n_segs; i++) {
		struct xdp_desc *d = xsk_ring_prod__tx_desc(&a->xsk.tx, at + i);

		d->addr = (uint64_t)p->seg[i].frame * FRAME_SIZE + p->seg[i].off;
		d->len = p->seg[i].len;
		d->options = i + 1 < p->n_segs ? XDP_PKT_CONTD : 0;
		give(a, p->seg[i].frame);
	}
	a->n_tx += p->n_segs;
	xsk_ring_prod__submit(&a->xsk.tx, p->n_segs);
	return true;
}

static void send_packet(struct worker *w, struct queue *q, struct pkt *p)
{
	struct afxdp_queue *a = q->priv;

	remove_empty(w, p);
	if (!p->n_segs || pkt_linearise(w, p, max_segments(&a->xsk))) {
		counter_add(&w->port[q->port->id].tx_dropped, 1);
		drop(w, p, DROP_TX_LONG);
		return;
	}
	if (unlikely(!write_packet(a, p))) {
		afxdp_kick(w, q);
		if (!write_packet(a, p)) {
			counter_add(&w->port[q->port->id].tx_dropped, 1);
			drop(w, p, DROP_TX_FULL);
			return;
		}
	}
	pkt_sent(w, q, p, true);
}

void afxdp_tx(struct worker *w, struct queue *q)
{
	struct pkt *p;

	BATCH_FOR_EACH (p, &q->out)
		send_packet(w, q, p);
	q->out.n = 0;
}

/* Whether the kernel should be asked to send.  In zero copy a driver that has taken all may owe
 * completions until it is called again (virtio-net): many are worth a call, a few come with the
 * next packet or when the worker goes to sleep, since poll() calls it too. */
static bool wants_kick(const struct afxdp_queue *a)
{
	return xsk_ring_prod__needs_wakeup(&a->xsk.tx) &&
	       (xsk_tx_waiting(&a->xsk) || (a->xsk.zerocopy && a->n_tx > XSK_RING / 2));
}

/* Copy mode: the system call does the sending, 32 frames at most, and none while the receiver
 * holds too many (EAGAIN): what is left is asked for again next turn. */
static void kick_tx(struct worker *w, struct queue *q)
{
	struct afxdp_queue *a = q->priv;
	bool was_stuck = a->stuck;

	a->stuck = false;
	for (unsigned i = 0; i < KICKS && wants_kick(a); i++) {
		counter_add(&a->n_wakeups, 1);
		if (sendto(a->xsk.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0) {
			if (a->xsk.zerocopy)
				return;
			continue;
		}
		if (errno == EAGAIN || errno == EBUSY || errno == ENOBUFS || errno == EINTR)
			return;
		a->stuck = true;
		if (!was_stuck) /* once, not every turn */
			counter_add(&w->port[q->port->id].tx_errors, 1);
		return;
	}
}

void afxdp_kick(struct worker *w, struct queue *q)
{
	struct afxdp_queue *a = q->priv;

	if (a->n_tx)
		kick_tx(w, q);
	if (a->xsk.busy_poll || xsk_ring_prod__needs_wakeup(&a->xsk.fill)) {
		counter_add(&a->n_wakeups, 1);
		(void)recvfrom(a->xsk.fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	}
}

/* ---- The balance ------------------------------------------------------------------------ */

uint32_t afxdp_frames_held(const struct worker *w, const struct queue *q)
{
	const struct afxdp_queue *a = q->priv;

	(void)w;
	return a->n_rx + a->n_tx + (a->partial ? a->partial->n_segs : 0);
}

void afxdp_give_back(struct worker *w, struct afxdp_queue *a)
{
	if (a->partial)
		pkt_free(w, a->partial);
	a->partial = NULL;
	for (uint32_t f = 0; f < w->frames.umem->n; f++)
		for (; a->held[f]; a->held[f]--)
			frame_unref(&w->frames, f);
	a->n_rx = a->n_tx = 0;
}
