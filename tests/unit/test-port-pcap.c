/* SPDX-License-Identifier: Apache-2.0 */
/* The pcap port: files written here, by hand and by the port itself. */
#include "tests/unit/ports-fixture.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <unistd.h>

#include "datapath/port-pcap.h"

static char in_file[64], out_file[64], in_option[80], out_option[80];

static int names(void **state)
{
	(void)state;
	snprintf(in_file, sizeof in_file, "test-port-pcap-in.%d.pcap", getpid());
	snprintf(out_file, sizeof out_file, "test-port-pcap-out.%d.pcap", getpid());
	snprintf(in_option, sizeof in_option, "in=%s", in_file);
	snprintf(out_option, sizeof out_option, "out=%s", out_file);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	remove(in_file);
	remove(out_file);
	return 0;
}

/* A file header (microseconds or nanoseconds) and records of `size` octets, the i-th stamped
 * 1,000,000,000 s + i * 500 units. */
struct sample {
	uint32_t magic, link, n, caplen, len;
	uint8_t first; /* octet of each packet */
};

static void write_sample(const struct sample *s)
{
	uint32_t header[6] = {s->magic, 2 | 4 << 16, 0, 0, 262144, s->link};
	FILE *f = fopen(in_file, "wb");
	uint8_t octet[2048] = {0};

	assert_non_null(f);
	assert_int_equal(fwrite(header, sizeof header, 1, f), 1);
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t record[4] = {1000000000, i * 500, s->caplen, s->len};

		octet[0] = s->first;
		octet[19] = (uint8_t)i;
		assert_int_equal(fwrite(record, sizeof record, 1, f), 1);
		assert_int_equal(fwrite(octet, s->caplen, 1, f), 1);
	}
	assert_int_equal(fclose(f), 0);
}

static const struct sample raw_ns = {0xa1b23c4d, 101, 3, 20, 20, 0x45};
static const struct sample eth_us = {0xa1b2c3d4, 1, 3, 60, 60, 0x02};

static void offline_gives_one_due_packet_a_call(void **state)
{
	struct bench *t = bench_new(true);
	const uint64_t start = 1000000000 * NSEC_PER_SEC;
	struct batch b;
	uint64_t ns;

	(void)state;
	write_sample(&raw_ns);
	assert_int_equal(bench_open(t, "pcap", OPTIONS(in_option)), 0);
	assert_true(t->port.flags & PORT_L3);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(pcap_next_time(&t->port, &ns));
		assert_int_equal(ns, start + i * 500);
		t->w->now = ns - 1;
		assert_int_equal(bench_rx(t, &b), 0);
		t->w->now = start + 5000;
		assert_int_equal(bench_rx(t, &b), 1);
		assert_int_equal(b.n, 1);
		assert_int_equal(b.pkt[0]->len, 34);
		assert_int_equal(b.pkt[0]->data[14 + 19], i);
		assert_int_equal(b.pkt[0]->outer->rx_ns, start + 5000);
		pkt_free(t->w, b.pkt[0]);
	}
	assert_false(pcap_next_time(&t->port, &ns));
	assert_int_equal(bench_rx(t, &b), 0);
	bench_close(t);
	bench_free(t);
}

static void microseconds_are_read_as_such(void **state)
{
	struct bench *t = bench_new(true);
	uint64_t ns;
	struct batch b;

	(void)state;
	write_sample(&eth_us);
	assert_int_equal(bench_open(t, "pcap", OPTIONS(in_option, "link=ethernet")), 0);
	assert_false(t->port.flags & PORT_L3);
	t->w->now = UINT64_MAX;
	assert_int_equal(bench_rx(t, &b), 1);
	assert_int_equal(b.pkt[0]->len, 60);
	pkt_free(t->w, b.pkt[0]);
	assert_true(pcap_next_time(&t->port, &ns));
	assert_int_equal(ns, 1000000000 * NSEC_PER_SEC + 500000);
	bench_close(t);
	bench_free(t);
}

static void live_plays_with_recorded_spacing(void **state)
{
	struct bench *t = bench_new(false);
	struct batch b;

	(void)state;
	write_sample(&eth_us); /* 500 µs apart */
	assert_int_equal(bench_open(t, "pcap", OPTIONS(in_option)), 0);
	assert_true(t->port.queue[0].fd >= 0);
	t->w->now = 7 * NSEC_PER_SEC;
	assert_int_equal(bench_rx(t, &b), 1);
	pkt_free(t->w, b.pkt[0]);
	t->w->now += 499999;
	assert_int_equal(bench_rx(t, &b), 0);
	t->w->now += 1;
	assert_int_equal(bench_rx(t, &b), 1);
	pkt_free(t->w, b.pkt[0]);
	t->w->now += 9000000;
	assert_int_equal(bench_rx(t, &b), 1);
	pkt_free(t->w, b.pkt[0]);
	assert_int_equal(bench_rx(t, &b), 0);
	bench_close(t);
	bench_free(t);
}

static void cut_packets_are_dropped(void **state)
{
	struct bench *t = bench_new(true);
	struct batch b;

	(void)state;
	write_sample(&(struct sample){0xa1b23c4d, 101, 1, 20, 21, 0x45});
	assert_int_equal(bench_open(t, "pcap", OPTIONS(in_option)), 0);
	t->w->now = UINT64_MAX;
	assert_int_equal(bench_rx(t, &b), 1);
	assert_int_equal(b.n, 0);
	assert_int_equal(t->w->n.rx, 1);
	assert_int_equal(t->w->n.dropped[DROP_RX_TRUNCATED], 1);
	bench_close(t);
	bench_free(t);
}

static void outputs_are_stamped_with_the_workers_clock(void **state)
{
	struct bench *t = bench_new(true);
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const uint8_t *octets;
	struct batch b;
	pcap_t *out;

	(void)state;
	write_sample(&raw_ns);
	assert_int_equal(bench_open(t, "pcap", OPTIONS(in_option, out_option, "link=raw")), 0);
	t->w->now = 1000000001 * NSEC_PER_SEC + 123456789;
	assert_int_equal(bench_rx(t, &b), 1);
	bench_tx(t, b.pkt[0]);
	assert_int_equal(t->w->port[1].tx_bytes, 20);
	bench_close(t);
	bench_free(t);

	out = pcap_open_offline_with_tstamp_precision(out_file, PCAP_TSTAMP_PRECISION_NANO, error);
	assert_non_null(out);
	assert_int_equal(pcap_datalink(out), DLT_RAW);
	assert_int_equal(pcap_next_ex(out, &h, &octets), 1);
	assert_int_equal(h->ts.tv_sec, 1000000001);
	assert_int_equal(h->ts.tv_usec, 123456789);
	assert_int_equal(h->caplen, 20);
	assert_int_equal(octets[0], 0x45);
	assert_int_equal(pcap_next_ex(out, &h, &octets), PCAP_ERROR_BREAK);
	pcap_close(out);
}

static void broken_files_end_and_count(void **state)
{
	struct bench *t = bench_new(true);
	struct batch b;
	uint64_t ns;

	(void)state;
	write_sample(&raw_ns);
	assert_int_equal(truncate(in_file, 24 + 36 + 20), 0); /* one whole record, four octets */
	assert_int_equal(bench_open(t, "pcap", OPTIONS(in_option)), 0);
	t->w->now = UINT64_MAX;
	assert_int_equal(bench_rx(t, &b), 1);
	assert_int_equal(b.n, 1);
	pkt_free(t->w, b.pkt[0]);
	assert_false(pcap_next_time(&t->port, &ns));
	assert_int_equal(t->w->port[1].rx_errors, 1);
	bench_close(t);
	bench_free(t);
}

static void what_cannot_be_written_is_dropped(void **state)
{
	struct bench *t = bench_new(true);
	unsigned sent = 0;

	(void)state;
	assert_int_equal(bench_open(t, "pcap", OPTIONS("out=/dev/full")), 0);
	while (!t->w->n.dropped[DROP_TX_ERROR]) {
		struct pkt *p = pkt_new(t->w, FRAME_HEADROOM);

		assert_true(sent++ < 1000); /* the buffer before the file is not that large */
		memset(p->data, 0, 1500);
		p->seg[0].len = 1500;
		p->len = 1500;
		bench_tx(t, p);
	}
	assert_int_equal(t->w->port[1].tx_errors, 1);
	assert_int_equal(t->w->n.tx, sent - 1);
	bench_close(t);
	bench_free(t);
}

static void refusals_say_what_is_wrong(void **state)
{
	struct bench *t = bench_new(true);

	(void)state;
	remove(in_file);
	assert_int_equal(bench_open(t, "pcap", OPTIONS("mtu=1500")), -EINVAL);
	assert_int_equal(t->r.code, REFUSED_SYNTAX);
	assert_int_equal(bench_open(t, "pcap", OPTIONS(in_option)), -EINVAL);
	assert_int_equal(t->r.code, REFUSED_SYSTEM);
	write_sample(&raw_ns);
	assert_int_equal(bench_open(t, "pcap", OPTIONS(in_option, "link=ethernet")), -EINVAL);
	assert_int_equal(t->r.code, REFUSED_BAD_VALUE);
	write_sample(&(struct sample){0xa1b23c4d, 113, 0, 0, 0, 0}); /* Linux cooked */
	assert_int_equal(bench_open(t, "pcap", OPTIONS(in_option)), -EINVAL);
	assert_int_equal(t->r.code, REFUSED_BAD_VALUE);
	bench_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offline_gives_one_due_packet_a_call),
		cmocka_unit_test(microseconds_are_read_as_such),
		cmocka_unit_test(live_plays_with_recorded_spacing),
		cmocka_unit_test(cut_packets_are_dropped),
		cmocka_unit_test(outputs_are_stamped_with_the_workers_clock),
		cmocka_unit_test(broken_files_end_and_count),
		cmocka_unit_test(what_cannot_be_written_is_dropped),
		cmocka_unit_test(refusals_say_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, names, remove_files);
}
