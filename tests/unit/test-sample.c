/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling in the datapath: whom it takes, what it says of them, and what becomes of it when there
 * is no room. */
#include "tests/unit/sample-bed.h"

#include <math.h>
#include <pthread.h>

/* ---- Whom it takes -----------------------------------------------------------------------------
 */

static void test_share(void **state)
{
	const uint32_t every = 16;
	const unsigned total = 64000;
	const struct sample_record *r;
	uint64_t n = 0, pool = 0, sum = 0, first = w->sampler.pool;

	(void)state;
	sampling(every, SAMPLE_MAX_MAX);
	for (unsigned i = 0; i < total / 64; i++, now += NSEC_PER_MSEC) {
		send_udp(i % 2 ? 2 : 3, 64);
		turn();
		forget_output();
		for (; (r = next_record()); n++, sum += r->every, pool = r->pool) {
			assert_int_equal(r->every, every);
			assert_true(r->pool > pool);
		}
	}
	assert_int_equal(w->sampler.pool - first, total);
	assert_true(pool <= first + total);
	/* 5 standard deviations of a fair choice. */
	assert_true(fabs((double)sum - total) < 5 * sqrt((double)total * every));
	assert_int_equal(w->sampler.missed, 0);
}

static void test_no_step(void **state)
{
	unsigned n[8] = {0}, all = 0;
	const struct sample_record *r;

	(void)state;
	/* A sender whose every eighth packet is another: it is taken as often as the others. */
	sampling(8, SAMPLE_MAX_MAX);
	for (unsigned i = 0; i < 4000; i++, now += NSEC_PER_MSEC) {
		for (unsigned k = 0; k < 8; k++)
			send_udp((uint8_t)(10 + k), 1);
		turn();
		for (; (r = next_record()); all++)
			n[r->key.du.ip_dst[3] - 10]++;
	}
	assert_true(all > 3000);
	for (unsigned k = 0; k < 8; k++)
		assert_true(n[k] > all / 16 && n[k] < all / 4);
}

static void test_bound(void **state)
{
	enum { MAX = 1000 };
	const struct sample_record *r;
	uint64_t sum = 0, total = 0;
	unsigned a_second[6] = {0};
	uint64_t begin;
	uint32_t every = 1;

	(void)state;
	sampling(1, MAX);
	begin = now;
	for (unsigned i = 0; i < 60000; i++, now += 100 * NSEC_PER_USEC, total += 10) {
		send_udp(3, 10);
		turn();
		for (; (r = next_record()); sum += r->every) {
			assert_true(r->every >= every);
			every = r->every;
			a_second[(r->ns - begin) / NSEC_PER_SEC]++;
		}
	}
	/* 100,000 a second. */
	assert_true(every >= 128 && every <= 512);
	assert_true(a_second[0] <= MAX + MAX / 4);
	for (unsigned i = 1; i < 6; i++)
		assert_true(a_second[i] <= MAX + MAX / 16 && a_second[i] >= MAX / 8);
	assert_true(fabs((double)sum - (double)total) < 5 * sqrt((double)total * every));
	/* Quiet again: N comes back, and is not what a burst left behind. */
	for (unsigned i = 0; i < 2000; i++, now += 10 * NSEC_PER_MSEC) {
		send_udp(3, 1);
		turn();
		while ((r = next_record()))
			every = r->every;
	}
	assert_int_equal(every, 1);
	assert_int_equal(w->sampler.missed, 0);
}

static void test_bound_unasked(void **state)
{
	(void)state;
	/* Nothing came for a long time: N is back for the first packet that comes. */
	sampling(1, 16);
	for (unsigned i = 0; i < 50; i++, now += NSEC_PER_MSEC) {
		send_udp(3, 64);
		turn();
		forget_records();
	}
	assert_true(w->sampler.every >= 64);
	now += 40 * NSEC_PER_SEC;
	send_udp(3, 1);
	turn();
	assert_int_equal(only_record()->every, 1);
}

static void test_off(void **state)
{
	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	send_udp(2, 3);
	turn();
	forget_records();
	sampling(0, SAMPLE_MAX_MAX);
	send_udp(2, 100);
	turn();
	assert_null(next_record());
	assert_int_equal(w->sampler.n_free, SAMPLE_SLOTS);
}

/* ---- What became of them -----------------------------------------------------------------------
 */

static void test_ends(void **state)
{
	static const struct {
		uint8_t dst, cookie;
		enum sample_end end;
		unsigned reason;
		uint32_t out_port;
	} cases[] = {
		{2, 2, SAMPLE_SENT, 0, 2},
		{3, 3, SAMPLE_DROPPED, DROP_RULE, OFPP_ANY},
		{4, 4, SAMPLE_DROPPED, DROP_TABLE_MISS, OFPP_ANY},
		{5, 5, SAMPLE_CONSUMED, CONSUME_AGGREGATED, 10},
		{6, 6, SAMPLE_CONSUMED, CONSUME_TO_CONTROLLER, OFPP_ANY},
		{7, 7, SAMPLE_DROPPED, DROP_PORT_GONE, OFPP_ANY},
		{8, 8, SAMPLE_SENT, 0, 3},
		{9, 19, SAMPLE_SENT, 0, 2},
		{77, 1, SAMPLE_DROPPED, DROP_NO_ROUTE, OFPP_ANY},
	};

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sample_record *r;

		send_udp(cases[i].dst, 1);
		turn();
		r = only_record();
		assert_int_equal(r->end, cases[i].end);
		assert_int_equal(r->reason, cases[i].reason);
		assert_int_equal(r->out_port, cases[i].out_port);
		assert_int_equal(r->rule_id, rule_of(cases[i].cookie));
		assert_int_equal(r->table, cases[i].cookie == 19 ? 3 : 0);
		assert_int_equal(r->in_port, 1);
		assert_int_equal(r->key.du.in_port, htobe32(1));
		assert_int_equal(r->key.outer.in_port, htobe32(1));
		assert_int_equal(r->key.du.ip_dst[3], cases[i].dst);
		assert_int_equal(r->length, 42 + 64);
		assert_int_equal(r->ns, now);
		assert_int_equal(r->flags, 0);
	}
	forget_output();
}

/* The rule that limits, not the last one on the path. */
static void test_limited(void **state)
{
	const struct sample_record *r;

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	send_udp(20, 3);
	turn();
	do {
		r = next_record();
		assert_non_null(r);
	} while (r->reason != DROP_LIMIT);
	assert_int_equal(r->end, SAMPLE_DROPPED);
	assert_int_equal(r->rule_id, rule_of(20));
	assert_int_equal(r->table, 0);
	forget_records();
	forget_output();
}

/* One aggregate of a data unit to 10.2.0.5, as it left for the far end. */
static size_t aggregate(uint8_t *f)
{
	const struct dummy_frame *d;
	size_t n;

	forget_output();
	send_udp(5, 1);
	turn();
	forget_records();
	d = dummy_take(wan);
	assert_non_null(d);
	n = d->size;
	memcpy(f, d->octet, n);
	dummy_release(wan);
	return n;
}

static const struct sample_record *arrives(const uint8_t *f, size_t n)
{
	assert_int_equal(dummy_inject(wan, f, n), 0);
	turn();
	return only_record();
}

static void test_data_unit(void **state)
{
	const struct sample_record *r;
	uint8_t f[2000];
	size_t n;

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	n = aggregate(f);
	r = arrives(f, n);
	assert_int_equal(r->flags, SAMPLE_VIRTUAL_ETH);
	assert_int_equal(r->in_port, 11);
	assert_int_equal(r->end, SAMPLE_SENT);
	assert_int_equal(r->out_port, 1);
	assert_int_equal(r->length, 28 + 64);
	assert_int_equal(r->size, 14 + 28);
	assert_int_equal(r->l3, 14);
	assert_int_equal(r->key.outer.auth, AUTH_VERIFIED);
	assert_int_equal(be32toh(r->key.outer.esp_spi), 0x1234);
	assert_int_equal(be32toh(r->key.outer.in_port), 2);
	/* The same once more: it gives nothing. */
	r = arrives(f, n);
	assert_int_equal(r->flags, SAMPLE_AGGREGATE);
	assert_int_equal(r->end, SAMPLE_DROPPED);
	assert_int_equal(r->reason, DROP_ESP_REPLAY);
	assert_int_equal(r->rule_id, RULE_NONE);
}

static void test_aggregate(void **state)
{
	const struct sample_record *r;
	uint8_t f[2000];
	size_t n;

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	n = aggregate(f);
	f[n - 1] ^= 1;
	r = arrives(f, n);
	assert_int_equal(r->flags, SAMPLE_AGGREGATE);
	assert_int_equal(r->end, SAMPLE_DROPPED);
	assert_int_equal(r->reason, DROP_ESP_ICV);
	assert_int_equal(r->in_port, 2);
	assert_int_equal(r->length, n);
	assert_int_equal(r->size, 34);
	assert_int_equal(r->key.du.ip_proto, 50);
	assert_int_equal(be64toh(r->key.du.tunnel_id), 0x1234);
	assert_int_equal(r->key.outer.auth, AUTH_NONE);
	f[n - 1] ^= 1;
	switch_flow(o, OFPFC_ADD,
		    "cookie=50,priority=50,in_port=11,tun_src=192.0.2.1,actions=drop");
	r = arrives(f, n);
	assert_int_equal(r->flags, SAMPLE_AGGREGATE);
	assert_int_equal(r->reason, DROP_EARLY);
	assert_int_equal(r->rule_id, rule_of(50));
	assert_int_equal(r->table, 0);
	assert_int_equal(be32toh(r->key.outer.conn_id), 11);
	switch_flow(o, OFPFC_DELETE, "cookie=50/-1");
}

/* A source that the connection does not allow: a data unit that no stage has parsed. */
static void test_not_allowed(void **state)
{
	const struct sample_record *r;
	uint8_t f[2000];
	size_t n;

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	send_udp(15, 1); /* from 10.1.0.1 to a connection whose far end allows 10.9.0.0/16 alone */
	turn();
	forget_records();
	n = dummy_take(wan)->size;
	memcpy(f, dummy_take(wan)->octet, n);
	dummy_release(wan);
	r = arrives(f, n);
	assert_int_equal(r->flags, SAMPLE_VIRTUAL_ETH);
	assert_int_equal(r->reason, DROP_SOURCE_NOT_ALLOWED);
	assert_int_equal(r->in_port, 13);
	assert_int_equal(r->key.du.ip_src[1], 1);
	assert_int_equal(r->key.du.tp_dst, htobe16(2000));
	assert_int_equal(r->size, 14 + 28);
}

static void test_kernel(void **state)
{
	struct port *tun = ofproto_port(o, "tun");
	const struct sample_record *r;
	uint8_t f[2000];
	size_t n = make_udp(f, 2, 64);

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	/* As ofproto/conns.c makes one for kernel=NAME. */
	tun->forward_to = &ofproto_conn(o, "ta")->port;
	tun->ofport = OFPP_LOCAL;
	assert_int_equal(dummy_inject(tun, f + 14, n - 14), 0);
	turn();
	r = only_record();
	assert_int_equal(r->in_port, OFPP_LOCAL);
	assert_int_equal(r->end, SAMPLE_CONSUMED);
	assert_int_equal(r->reason, CONSUME_AGGREGATED);
	assert_int_equal(r->out_port, 10);
	assert_int_equal(r->rule_id, RULE_NONE);
	assert_int_equal(r->flags, SAMPLE_VIRTUAL_ETH);
	assert_int_equal(r->key.du.tp_dst, htobe16(2000));
	tun->forward_to = NULL;
	tun->ofport = 4;
	forget_output();
}

static void test_refused_frames(void **state)
{
	const struct sample_record *r;
	uint8_t f[2000];
	uint64_t pool;
	size_t n;

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	send_udp(3, 1);
	turn();
	forget_records();
	pool = w->sampler.pool;
	make_udp(f, 2, 64);
	r = arrives(f, 40); /* shorter than its IP header says */
	assert_int_equal(r->reason, DROP_IP_SHORT);
	assert_int_equal(r->size, 14);
	assert_int_equal(r->in_port, 2);
	assert_int_equal(r->l3, 0);
	assert_int_equal(r->flags, 0);
	n = make_udp(f, 2, 64);
	assert_int_equal(dummy_inject(wan, f, 13), 0); /* no Ethernet header: no sample */
	turn();
	assert_null(next_record());
	assert_int_equal(w->sampler.pool, pool + 1);
	f[14] = 0x44;
	r = arrives(f, n);
	assert_int_equal(r->reason, DROP_IP_HEADER);
	assert_int_equal(r->size, 14);
	assert_int_equal(w->sampler.pool, pool + 2);
}

/* What sluice begins itself is nobody's traffic: an aggregate without a route, a packet-out. */
static void test_not_ours(void **state)
{
	struct packet_out po = {.in_port = OFPP_CONTROLLER};
	struct refusal r = {0};
	struct buf ops = {0};
	uint8_t f[2000];

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	send_udp(16, 1);
	turn();
	assert_int_equal(only_record()->reason, CONSUME_AGGREGATED);
	assert_int_equal(w->n.dropped[DROP_NO_ROUTE], 1);
	po.frame = f;
	po.size = make_udp(f, 3, 8);
	assert_int_equal(actions_parse("output:99", &ops, &r), 0);
	po.ops = ops.data;
	po.ops_size = ops.size;
	assert_int_equal(ofproto_packet_out(o, &po, &r), 0);
	assert_int_equal(w->n.dropped[DROP_PORT_GONE], 1);
	assert_null(next_record());
	buf_free(&ops);
}

/* ---- No room ------------------------------------------------------------------------------------
 */

static void test_ring_full(void **state)
{
	const struct sample_record *r;
	uint32_t missed = w->sampler.missed, n = 0, seq = w->sampler.seq;

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	for (unsigned i = 0; i < 100; i++) {
		send_udp(3, 64);
		turn();
	}
	missed = w->sampler.missed - missed;
	assert_true(missed > 1000);
	for (; (r = next_record()); n++)
		assert_int_equal(r->seq, ++seq);
	assert_int_equal(n + missed, 6400);
	send_udp(3, 1);
	turn();
	r = only_record();
	assert_int_equal(r->missed, w->sampler.missed);
	assert_int_equal(r->pool, w->sampler.pool);
	assert_int_equal(w->sampler.n_free, SAMPLE_SLOTS);
}

/* More packets wait to be sent than there are slots: each queue's outbox holds a batch. */
static void test_slots_gone(void **state)
{
	enum { QUEUES = 6 };
	uint32_t missed = w->sampler.missed, n = 0;
	struct port *wide = ofproto_port(o, "wide");
	uint8_t f[2000];

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	turn();
	for (unsigned q = 0; q < QUEUES; q++)
		for (unsigned i = 0; i < BATCH_MAX / 2; i++) {
			size_t size = make_udp(f, 12, 8);

			put_be16(f + 34, (uint16_t)(q << 8 | i));
			dummy_inject_queue(wide, q, f, size);
			put_be16(f + 34, (uint16_t)(q << 8 | i | 128));
			dummy_inject_queue(wide, q, f, size);
		}
	w->now = now;
	worker_turn(w);
	missed = w->sampler.missed - missed;
	assert_true(missed > 0);
	while (next_record())
		n++;
	assert_int_equal(n + missed, QUEUES * BATCH_MAX);
	assert_true(n >= SAMPLE_SLOTS);
	assert_int_equal(w->sampler.n_free, SAMPLE_SLOTS);
	turn();
	switch_taken(wide);
}

/* ---- By rule ------------------------------------------------------------------------------------
 */

static struct pkt *some_packet(void)
{
	uint8_t f[200];
	size_t n = make_udp(f, 3, 64);
	struct pkt *p = pkt_new(w, FRAME_HEADROOM);

	assert_non_null(p);
	memcpy(p->data, f, n);
	p->len = p->seg[0].len = (uint16_t)n;
	pkt_injected(w, p, lan->id);
	assert_int_equal(pkt_parse(w, p), -1);
	pkt_key_context(w, p);
	return p;
}

static void test_by_rule(void **state)
{
	struct batch b = {.n = 1};
	const struct sample_record *r;
	unsigned n = 0;

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	b.pkt[0] = some_packet();
	stage_sample(w, &b);
	b.pkt[0]->rule = (struct path_rule){77, 5, false};
	sample_by_rule(w, b.pkt[0], 1);
	sample_by_rule(w, b.pkt[0], 0);
	drop(w, b.pkt[0], DROP_RULE);
	/* Two for the rule, one of the pool. */
	for (; (r = next_record()); n++) {
		assert_int_equal(r->flags, n < 2 ? SAMPLE_BY_RULE : 0);
		assert_int_equal(r->rule_id, 77);
		assert_int_equal(r->table, 5);
		assert_int_equal(r->every, 1);
		assert_int_equal(r->reason, DROP_RULE);
	}
	assert_int_equal(n, 3);
	/* Its own share and its own bound; off or not. */
	sampling(0, 1000);
	w->now = now;
	stage_sample(w, &(struct batch){0});
	for (unsigned i = 0; i < 20000; i++) {
		struct pkt *p = some_packet();

		w->now += 50 * NSEC_PER_USEC;
		sample_by_rule(w, p, 4);
		drop(w, p, DROP_RULE);
		while ((r = next_record()))
			n += r->every;
	}
	now = w->now;
	assert_true(n > 17000 && n < 23000);
	assert_true(w->sampler.rule_rate.shift >= 2);
	assert_int_equal(w->sampler.rate.shift, 0);
}

/* ---- Threads ------------------------------------------------------------------------------------
 */

static void *run_worker(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 2000; i++) {
		now += 100 * NSEC_PER_USEC;
		send_udp(i % 2 ? 2 : 3, 16);
		turn();
		forget_output();
	}
	return NULL;
}

static void test_drain_meanwhile(void **state)
{
	uint32_t seq = w->sampler.seq, n = 0;
	uint32_t missed = w->sampler.missed;
	pthread_t thread;
	bool alive = true;

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	assert_int_equal(pthread_create(&thread, NULL, run_worker, NULL), 0);
	while (alive) {
		const struct sample_record *r;

		alive = pthread_tryjoin_np(thread, NULL) != 0;
		for (; (r = next_record()); n++) {
			assert_int_equal(r->seq, ++seq);
			assert_int_equal(r->key.du.tp_dst, htobe16(2000));
			assert_false(has_canary(r->octet, r->size));
		}
	}
	assert_int_equal(n + w->sampler.missed - missed, 32000);
}

/* ---- Waking -------------------------------------------------------------------------------------
 */

static void test_telling(void **state)
{
	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	turn();
	assert_false(timer_is_set(&w->sampler.tell));
	send_udp(3, 1);
	turn(); /* told at once */
	assert_false(timer_is_set(&w->sampler.tell));
	now += NSEC_PER_MSEC;
	send_udp(3, 20);
	turn(); /* told by and by */
	assert_true(timer_is_set(&w->sampler.tell));
	now += SAMPLE_TELL_MS * NSEC_PER_MSEC;
	turn();
	assert_false(timer_is_set(&w->sampler.tell));
	forget_records();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_share),
		TEST(test_no_step),
		TEST(test_bound),
		TEST(test_bound_unasked),
		TEST(test_off),
		TEST(test_ends),
		TEST(test_limited),
		TEST(test_data_unit),
		TEST(test_aggregate),
		TEST(test_not_allowed),
		TEST(test_kernel),
		TEST(test_refused_frames),
		TEST(test_not_ours),
		TEST(test_ring_full),
		TEST(test_slots_gone),
		TEST(test_by_rule),
		TEST(test_drain_meanwhile),
		TEST(test_telling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
