/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side of an AF_XDP queue, against a kernel that is played here: rings in plain
 * memory, frames taken and given back in any order. */
#include "tests/unit/ports-fixture.h"

#include "datapath/afxdp.h"

/* A ring of either kind, with both indices. */
struct memory {
	uint32_t producer, consumer, flags;
	struct xdp_desc desc[XSK_RING];
};

struct kernel {
	struct memory fill, tx, done, rx;
	uint32_t frame[2 * XSK_RING]; /* taken from the fill ring, not yet given back */
	unsigned n;
	uint64_t sent[2 * XSK_RING]; /* taken from the tx ring, not yet completed */
	unsigned n_sent;
	uint32_t seed;
};

static struct kernel k;
static struct afxdp_queue a;
static struct queue q;

static void ring(struct memory *m, void *prod_or_cons, bool we_produce)
{
	struct xsk_ring_prod *r = prod_or_cons; /* both kinds have one shape */

	*r = (struct xsk_ring_prod){
		.mask = XSK_RING - 1,
		.size = XSK_RING,
		.producer = &m->producer,
		.consumer = &m->consumer,
		.flags = &m->flags,
		.ring = m->desc,
		.cached_cons = we_produce ? XSK_RING : 0,
	};
}

static struct bench *queue_new(bool segments)
{
	struct bench *t = bench_new(true);

	memset(&k, 0, sizeof k);
	k.seed = 1;
	a = (struct afxdp_queue){.xsk = {.fd = -1, .segments = segments}};
	ring(&k.fill, &a.xsk.fill, true);
	ring(&k.tx, &a.xsk.tx, true);
	ring(&k.done, &a.xsk.done, false);
	ring(&k.rx, &a.xsk.rx, false);
	a.held = calloc(t->dp.umem.n, sizeof a.held[0]);
	t->port = (struct port){.name = "p1", .id = 1, .n_queues = 1, .dp = &t->dp, .queue = &q};
	q = (struct queue){.port = &t->port, .fd = -1, .priv = &a};
	return t;
}

static void queue_free(struct bench *t)
{
	afxdp_give_back(t->w, &a);
	free(a.held);
	bench_free(t);
}

static uint32_t chance(uint32_t n)
{
	k.seed = k.seed * 1664525 + 1013904223;
	return (k.seed >> 8) % n;
}

static void kernel_takes_fill(void)
{
	while (k.fill.consumer != k.fill.producer) {
		uint64_t addr = ((uint64_t *)k.fill.desc)[k.fill.consumer++ & (XSK_RING - 1)];

		assert_int_equal(addr % FRAME_SIZE, 0);
		k.frame[k.n++] = (uint32_t)(addr / FRAME_SIZE);
	}
}

/* A packet of `segs` descriptors, frames in any order. */
static void kernel_receives(const struct bench *t, unsigned segs, uint16_t len)
{
	for (unsigned i = 0; i < segs; i++) {
		unsigned at = chance(k.n);
		uint32_t f = k.frame[at];

		k.frame[at] = k.frame[--k.n];
		memset(frame_base(&t->dp.umem, f) + 256, (int)(i + 1), len);
		k.rx.desc[k.rx.producer++ & (XSK_RING - 1)] = (struct xdp_desc){
			(uint64_t)f * FRAME_SIZE + 256, len, i + 1 < segs ? XDP_PKT_CONTD : 0};
	}
}

static void kernel_sends(unsigned max)
{
	for (; max && k.tx.consumer != k.tx.producer; max--)
		k.sent[k.n_sent++] = k.tx.desc[k.tx.consumer++ & (XSK_RING - 1)].addr;
}

static void kernel_completes(unsigned max)
{
	for (; max && k.n_sent; max--) {
		unsigned at = chance(k.n_sent);

		((uint64_t *)k.done.desc)[k.done.producer++ & (XSK_RING - 1)] = k.sent[at];
		k.sent[at] = k.sent[--k.n_sent];
	}
}

static unsigned rx(struct bench *t, struct batch *b)
{
	b->n = 0;
	return afxdp_rx(t->w, &q, b);
}

static void tx(struct bench *t, struct pkt *p)
{
	q.out.pkt[q.out.n++] = p;
	afxdp_tx(t->w, &q);
	assert_int_equal(q.out.n, 0);
}

static struct pkt *packet(struct bench *t, unsigned segs, uint16_t len)
{
	struct pkt *p = pkt_new(t->w, FRAME_HEADROOM);

	memset(p->data, 7, len);
	p->seg[0].len = len;
	p->len = len;
	for (unsigned i = 1; i < segs; i++)
		assert_int_equal(pkt_append(p, (struct seg){frame_alloc(&t->w->frames), 0, len}),
				 0);
	return p;
}

/* ------------------------------------------------------------------ */

static void the_fill_ring_takes_half_of_the_pool(void **state)
{
	struct bench *t = queue_new(true);
	struct batch b;

	(void)state;
	assert_int_equal(rx(t, &b), 0);
	assert_int_equal(k.fill.producer, 512); /* of 1024 */
	assert_int_equal(afxdp_frames_held(t->w, &q), 512);
	assert_int_equal(t->w->frames.n_free, 512);
	kernel_takes_fill();
	assert_int_equal(rx(t, &b), 0);
	assert_int_equal(k.fill.producer, 512); /* the kernel has them still */
	queue_free(t);
}

static void packets_of_several_descriptors_are_one(void **state)
{
	struct bench *t = queue_new(true);
	struct batch b;

	(void)state;
	rx(t, &b);
	kernel_takes_fill();
	kernel_receives(t, 1, 60);
	kernel_receives(t, 3, 3840);
	assert_int_equal(rx(t, &b), 4);
	assert_int_equal(b.n, 2);
	assert_int_equal(b.pkt[0]->len, 60);
	assert_int_equal(b.pkt[1]->len, 3 * 3840);
	assert_int_equal(b.pkt[1]->n_segs, 3);
	assert_int_equal(b.pkt[1]->data[0], 1);
	assert_int_equal(b.pkt[1]->seg[2].off, 256);
	assert_int_equal(t->w->port[1].rx_bytes, 60 + 3 * 3840);
	pkt_free(t->w, b.pkt[0]);
	pkt_free(t->w, b.pkt[1]);

	/* The rest of a packet may come later. */
	kernel_receives(t, 2, 100);
	k.rx.producer--;
	assert_int_equal(rx(t, &b), 1);
	assert_int_equal(b.n, 0);
	k.rx.producer++;
	assert_int_equal(rx(t, &b), 1);
	assert_int_equal(b.n, 1);
	assert_int_equal(b.pkt[0]->len, 200);
	pkt_free(t->w, b.pkt[0]);

	/* More segments than a packet can have. */
	kernel_receives(t, PKT_SEGS + 2, 10);
	assert_int_equal(rx(t, &b), PKT_SEGS + 2);
	assert_int_equal(b.n, 0);
	assert_int_equal(t->w->n.dropped[DROP_RX_TRUNCATED], 1);
	queue_free(t);
}

static void without_packets_descriptors_wait(void **state)
{
	struct bench *t = queue_new(true);
	uint32_t kept = t->w->n_free_pkts;
	struct batch b;

	(void)state;
	rx(t, &b);
	kernel_takes_fill();
	for (unsigned i = 0; i < 70; i++)
		kernel_receives(t, 1, 60);
	t->w->n_free_pkts = 3;
	assert_int_equal(rx(t, &b), 3);
	assert_int_equal(b.n, 3);
	for (unsigned i = 0; i < 3; i++)
		pkt_free(t->w, b.pkt[i]);
	t->w->n_free_pkts = kept;
	assert_int_equal(rx(t, &b), 64);
	for (unsigned i = 0; i < 64; i++)
		pkt_free(t->w, b.pkt[i]);
	assert_int_equal(rx(t, &b), 3);
	for (unsigned i = 0; i < 3; i++)
		pkt_free(t->w, b.pkt[i]);
	assert_int_equal(t->w->n.rx, 70);
	queue_free(t);
}

static void segments_leave_as_the_socket_can(void **state)
{
	struct bench *t = queue_new(true);
	struct pkt *p;

	(void)state;
	p = packet(t, 3, 100);
	p->seg[1].len = 0; /* of no octets: the kernel would refuse it */
	p->len -= 100;
	tx(t, p);
	assert_int_equal(k.tx.producer, 2);
	assert_int_equal(k.tx.desc[0].options, XDP_PKT_CONTD);
	assert_int_equal(k.tx.desc[0].addr % FRAME_SIZE, FRAME_HEADROOM);
	assert_int_equal(k.tx.desc[1].options, 0);
	tx(t, packet(t, 17, 100)); /* more than a socket buffer takes: copied into one */
	assert_int_equal(k.tx.producer, 3);
	assert_int_equal(k.tx.desc[2].len, 1700);
	assert_int_equal(t->w->port[1].tx_packets, 2);
	queue_free(t);

	t = queue_new(false);
	tx(t, packet(t, 2, 100));
	assert_int_equal(k.tx.producer, 1);
	assert_int_equal(k.tx.desc[0].len, 200);
	tx(t, packet(t, 2, 3000)); /* more than one frame holds */
	assert_int_equal(k.tx.producer, 1);
	assert_int_equal(t->w->n.dropped[DROP_TX_LONG], 1);
	assert_int_equal(t->w->port[1].tx_dropped, 1);
	queue_free(t);
}

static void a_frame_may_be_in_flight_twice(void **state)
{
	struct bench *t = queue_new(true);
	struct pkt *p = packet(t, 1, 100);
	struct pkt *c = pkt_clone(t->w, p);
	struct batch b;

	(void)state;
	rx(t, &b);
	tx(t, p);
	tx(t, c);
	assert_int_equal(a.n_tx, 2);
	kernel_sends(2);
	kernel_completes(1);
	rx(t, &b);
	assert_int_equal(t->w->frames.n_free, 1024 - 512 - 1);
	kernel_completes(1);
	rx(t, &b);
	assert_int_equal(t->w->frames.n_free, 1024 - 512);
	queue_free(t);
}

static void a_full_ring_drops_and_goes_on(void **state)
{
	struct bench *t = queue_new(true);
	struct pkt *first = packet(t, 1, 100);

	(void)state;
	for (unsigned i = 0; i < XSK_RING + 10; i++)
		tx(t, pkt_clone(t->w, first));
	assert_int_equal(t->w->n.dropped[DROP_TX_FULL], 10);
	assert_int_equal(t->w->port[1].tx_dropped, 10);
	assert_int_equal(t->w->n.tx, XSK_RING);
	kernel_sends(5);
	for (unsigned i = 0; i < 6; i++)
		tx(t, pkt_clone(t->w, first));
	assert_int_equal(t->w->n.dropped[DROP_TX_FULL], 11);
	pkt_free(t->w, first);
	queue_free(t);
}

static void what_waits_keeps_the_worker_awake(void **state)
{
	struct bench *t = queue_new(true);
	struct batch b;

	(void)state;
	rx(t, &b);
	tx(t, packet(t, 1, 100));
	assert_int_equal(rx(t, &b), 1);
	/* The system call fails for good here (there is no socket): no use in staying awake. */
	k.tx.flags = XDP_RING_NEED_WAKEUP;
	afxdp_kick(t->w, &q);
	assert_int_equal(t->w->port[1].tx_errors, 1);
	assert_int_equal(a.n_wakeups, 1);
	assert_int_equal(rx(t, &b), 0);
	kernel_sends(1);
	kernel_completes(1);
	assert_int_equal(rx(t, &b), 1);
	afxdp_kick(t->w, &q);
	assert_int_equal(a.n_wakeups, 1); /* nothing is owed */
	queue_free(t);
}

static void addresses_we_never_gave_are_not_believed(void **state)
{
	struct bench *t = queue_new(true);
	struct batch b;

	(void)state;
	rx(t, &b);
	((uint64_t *)k.done.desc)[k.done.producer++] = 1023 * FRAME_SIZE;
	((uint64_t *)k.done.desc)[k.done.producer++] = UINT64_MAX;
	k.rx.desc[k.rx.producer++] = (struct xdp_desc){(uint64_t)5000 * FRAME_SIZE, 60, 0};
	rx(t, &b);
	assert_int_equal(b.n, 0);
	assert_int_equal(a.n_bad, 3);
	queue_free(t);
}

/* Whatever the order of things: free + with the kernel = total, all the time. */
static void frames_are_conserved(void **state)
{
	struct bench *t = queue_new(true);
	struct batch b;

	(void)state;
	for (unsigned turn = 0; turn < 20000; turn++) {
		kernel_takes_fill();
		for (unsigned i = chance(20); i && k.n > 4; i--)
			kernel_receives(t, 1 + chance(4), (uint16_t)(1 + chance(3000)));
		rx(t, &b);
		for (unsigned i = 0; i < b.n; i++)
			if (chance(4))
				tx(t, b.pkt[i]);
			else
				pkt_free(t->w, b.pkt[i]);
		kernel_sends(chance(40));
		kernel_completes(chance(40));
		assert_int_equal(t->w->frames.n_free + afxdp_frames_held(t->w, &q), 1024);
	}
	assert_true(t->w->n.tx > 10000);
	assert_int_equal(a.n_bad, 0);
	queue_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fill_ring_takes_half_of_the_pool),
		cmocka_unit_test(packets_of_several_descriptors_are_one),
		cmocka_unit_test(without_packets_descriptors_wait),
		cmocka_unit_test(segments_leave_as_the_socket_can),
		cmocka_unit_test(a_frame_may_be_in_flight_twice),
		cmocka_unit_test(a_full_ring_drops_and_goes_on),
		cmocka_unit_test(what_waits_keeps_the_worker_awake),
		cmocka_unit_test(addresses_we_never_gave_are_not_believed),
		cmocka_unit_test(frames_are_conserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
