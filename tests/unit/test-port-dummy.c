/* SPDX-License-Identifier: Apache-2.0 */
/* The dummy port, and with it what all copying ports share. */
#include "tests/unit/ports-fixture.h"

#include "datapath/port-dummy.h"

static void octets(uint8_t *to, size_t size, uint8_t seed)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(seed + i * 7);
}

static void frames_go_in_and_out_unchanged(void **state)
{
	struct bench *t = bench_new(true);
	static const size_t sizes[] = {1, 60, 1514, 3840, 3841, 9014, PORT_OCTETS_MAX};
	uint8_t *frame = malloc(PORT_OCTETS_MAX);
	struct batch b;

	(void)state;
	assert_int_equal(bench_open(t, "dummy", OPTIONS("mac=02:00:00:00:00:01")), 0);
	assert_int_equal(t->port.mac[5], 1);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct dummy_frame *f;

		octets(frame, sizes[i], (uint8_t)i);
		assert_int_equal(dummy_inject(&t->port, frame, sizes[i]), 0);
		assert_int_equal(bench_rx(t, &b), 1);
		assert_int_equal(b.n, 1);
		assert_int_equal(b.pkt[0]->len, sizes[i]);
		assert_int_equal(b.pkt[0]->in_port, t->port.id);
		assert_int_equal(be32toh(b.pkt[0]->outer->key.frame_len), sizes[i]);
		assert_memory_equal(b.pkt[0]->data, frame, MIN(sizes[i], 256u));
		t->w->now = 1000 + i;
		bench_tx(t, b.pkt[0]);
		f = dummy_take(&t->port);
		assert_non_null(f);
		assert_int_equal(f->size, sizes[i]);
		assert_int_equal(f->ns, 1000 + i);
		assert_memory_equal(f->octet, frame, sizes[i]);
		dummy_release(&t->port);
		assert_null(dummy_take(&t->port));
	}
	assert_int_equal(t->w->n.rx, ARRAY_SIZE(sizes));
	assert_int_equal(t->w->n.tx, ARRAY_SIZE(sizes));
	assert_int_equal(dummy_inject(&t->port, frame, PORT_OCTETS_MAX + 1), -EMSGSIZE);
	bench_close(t);
	bench_free(t);
	free(frame);
}

static void raw_ports_have_a_virtual_header(void **state)
{
	static const uint8_t ip4[20] = {0x45, 0, 0, 20}, ip6[40] = {0x60}, other[20] = {0x10};
	static const uint8_t arp[14] = {[12] = 0x08, [13] = 0x06};
	struct bench *t = bench_new(true);
	struct batch b;
	struct pkt *p;

	(void)state;
	assert_int_equal(bench_open(t, "dummy", OPTIONS("link=raw")), 0);
	assert_true(t->port.flags & PORT_L3);
	assert_int_equal(dummy_inject(&t->port, ip4, sizeof ip4), 0);
	assert_int_equal(dummy_inject(&t->port, ip6, sizeof ip6), 0);
	assert_int_equal(dummy_inject(&t->port, other, sizeof other), 0);
	assert_int_equal(dummy_inject(&t->port, other, 0), 0);
	assert_int_equal(bench_rx(t, &b), 4);
	assert_int_equal(b.n, 2);
	assert_int_equal(t->w->n.dropped[DROP_NOT_IP], 2);
	assert_int_equal(b.pkt[0]->len, 34);
	assert_true(b.pkt[0]->flags & PKT_VIRTUAL_ETH);
	assert_int_equal(get_be16(b.pkt[0]->data + 12), 0x0800);
	assert_int_equal(get_be16(b.pkt[1]->data + 12), 0x86dd);
	assert_int_equal(t->w->port[1].rx_bytes, 20 + 40 + 20);
	bench_tx(t, b.pkt[0]);
	assert_int_equal(dummy_take(&t->port)->size, 20);
	assert_memory_equal(dummy_take(&t->port)->octet, ip4, 20);
	dummy_release(&t->port);

	/* What is no IP packet cannot go there. */
	pkt_free(t->w, b.pkt[1]);
	p = pkt_new(t->w, FRAME_HEADROOM);
	memcpy(p->data, arp, sizeof arp);
	p->seg[0].len = sizeof arp;
	p->len = sizeof arp;
	bench_tx(t, p);
	assert_null(dummy_take(&t->port));
	assert_int_equal(t->w->n.dropped[DROP_NOT_IP], 3);
	bench_close(t);
	bench_free(t);
}

static void a_batch_takes_64_and_no_more(void **state)
{
	struct bench *t = bench_new(true);
	uint8_t frame[60] = {0};
	struct batch b;

	(void)state;
	assert_int_equal(bench_open(t, "dummy", OPTIONS("queues=2")), 0);
	assert_int_equal(t->port.n_queues, 2);
	for (unsigned i = 0; i < 70; i++) {
		frame[0] = (uint8_t)i;
		assert_int_equal(dummy_inject(&t->port, frame, sizeof frame), 0);
	}
	assert_int_equal(dummy_inject_queue(&t->port, 2, frame, sizeof frame), -EINVAL);
	assert_int_equal(bench_rx(t, &b), 64);
	for (unsigned i = 0; i < b.n; i++) {
		assert_int_equal(b.pkt[i]->data[0], i);
		pkt_free(t->w, b.pkt[i]);
	}
	assert_int_equal(bench_rx(t, &b), 6);
	assert_int_equal(b.n, 6);
	for (unsigned i = 0; i < b.n; i++)
		pkt_free(t->w, b.pkt[i]);
	assert_int_equal(bench_rx(t, &b), 0);
	bench_close(t);
	bench_free(t);
}

static void without_frames_the_port_counts_a_drop(void **state)
{
	struct bench *t = bench_new(true);
	uint8_t *frame = calloc(1, 9014);
	uint32_t kept = t->w->frames.n_free;
	struct batch b;

	(void)state;
	assert_int_equal(bench_open(t, "dummy", OPTIONS("link=ethernet")), 0);
	for (unsigned left = 0; left < 3; left++) { /* 9014 octets take three frames */
		t->w->frames.n_free = left;
		assert_int_equal(dummy_inject(&t->port, frame, 9014), 0);
		assert_int_equal(bench_rx(t, &b), 1);
		assert_int_equal(b.n, 0);
		assert_int_equal(t->w->frames.n_free, left);
		assert_int_equal(t->w->port[1].rx_dropped, left + 1);
	}
	assert_int_equal(t->w->n.rx, 0);
	t->w->frames.n_free = kept;
	bench_close(t);
	bench_free(t);
	free(frame);
}

static void a_full_output_drops_tx_full(void **state)
{
	struct bench *t = bench_new(true);
	uint8_t *frame = calloc(1, 60000);
	unsigned n = 0;
	struct batch b;

	(void)state;
	assert_int_equal(bench_open(t, "dummy", OPTIONS("link=ethernet")), 0);
	for (; !t->w->n.dropped[DROP_TX_FULL]; n++) {
		assert_true(n * 60000 < 2 * DUMMY_RING);
		assert_int_equal(dummy_inject(&t->port, frame, 60000), 0);
		bench_rx(t, &b);
		bench_tx(t, b.pkt[0]);
	}
	assert_int_equal(t->w->n.tx, n - 1);
	assert_int_equal(t->w->port[1].tx_dropped, 1);
	bench_close(t);
	bench_free(t);
	free(frame);
}

static void bad_options_leave_nothing(void **state)
{
	struct bench *t = bench_new(true);

	(void)state;
	assert_int_equal(bench_open(t, "dummy", OPTIONS("mac=02:00:00:00:00")), -EINVAL);
	assert_int_equal(t->r.code, REFUSED_BAD_VALUE);
	assert_int_equal(bench_open(t, "dummy", OPTIONS("queues=0")), -EINVAL);
	assert_int_equal(bench_open(t, "dummy", OPTIONS("link=token-ring")), -EINVAL);
	bench_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_in_and_out_unchanged),
		cmocka_unit_test(raw_ports_have_a_virtual_header),
		cmocka_unit_test(a_batch_takes_64_and_no_more),
		cmocka_unit_test(without_frames_the_port_counts_a_drop),
		cmocka_unit_test(a_full_output_drops_tx_full),
		cmocka_unit_test(bad_options_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
