/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-off: packets cross to the worker that owns a queue, whole, in order, none lost unseen; and
 * every frame is at home in the end.  Turn by turn, then with threads (for ThreadSanitizer). */
#include "datapath/handoff.h"
#include "tests/unit/bed.h"

#include <time.h>

static struct datapath dp;
static struct port sink, source;
static uint64_t to_send, n_sent, n_seen, next_seen, rng = 1;

static uint32_t octets_of(uint64_t i)
{
	return 64 + (uint32_t)(i * 7919 % 9000);
}

static uint8_t octet_of(uint64_t i, uint32_t at)
{
	return (uint8_t)(i * 31 + at);
}

/* A source that makes packets 0, 1, 2 … and sends them all to the sink's queue. */
static unsigned source_rx(struct worker *w, struct queue *q, struct batch *b)
{
	unsigned burst = 1 + (unsigned)(rng = rng * 6364136223846793005ull + 1) / 7 % 20, n = 0;

	(void)q;
	(void)b;
	for (; n < burst && __atomic_load_n(&to_send, __ATOMIC_ACQUIRE); n++) {
		uint32_t size = octets_of(n_sent), done = 0;
		struct pkt *p = pkt_new(w, FRAME_HEADROOM);

		if (!p)
			break;
		while (done < size) {
			uint32_t f = done ? frame_alloc(&w->frames) : p->seg[0].frame;
			uint32_t part = MIN(size - done, (uint32_t)FRAME_SIZE - FRAME_HEADROOM);
			uint8_t *at = frame_base(w->frames.umem, f) + FRAME_HEADROOM;

			assert_true(f != FRAME_NONE);
			for (uint32_t k = 0; k < part; k++)
				at[k] = octet_of(n_sent, done + k);
			memset(at, 0, done ? 0 : 14); /* no header that parses */
			if (done)
				pkt_append(p, (struct seg){f, FRAME_HEADROOM, (uint16_t)part});
			else
				p->len = p->seg[0].len = (uint16_t)part;
			done += part;
		}
		put_be64(p->data, n_sent);
		pkt_injected(w, p, PORT_NONE);
		n_sent++;
		__atomic_store_n(&to_send, to_send - 1, __ATOMIC_RELEASE);
		port_output_queue(w, p, &sink.queue[0]);
	}
	return n;
}

static void no_tx(struct worker *w, struct queue *q)
{
	(void)w;
	q->out.n = 0;
}

static void sink_tx(struct worker *w, struct queue *q)
{
	for (unsigned i = 0; i < q->out.n; i++) {
		struct pkt *p = q->out.pkt[i];
		uint64_t at = get_be64(p->data);
		uint8_t last;

		assert_true(at >= next_seen); /* in order; gaps are HANDOFF_FULL */
		assert_int_equal(p->len, octets_of(at));
		pkt_copy_out(w, p, p->len - 1, 1, &last);
		assert_int_equal(last,
				 octet_of(at, (p->len - 1) % (FRAME_SIZE - FRAME_HEADROOM) +
						      (p->len - 1) / (FRAME_SIZE - FRAME_HEADROOM) *
							      (FRAME_SIZE - FRAME_HEADROOM)));
		next_seen = at + 1;
		pkt_sent(w, q, p, false);
		__atomic_store_n(&n_seen, n_seen + 1, __ATOMIC_RELEASE);
	}
	q->out.n = 0;
}

static const struct port_class source_class = {.name = "source", .rx = source_rx, .tx = no_tx};
static const struct port_class sink_class = {.name = "sink", .tx = sink_tx};

static void ports_up(bool threads)
{
	n_sent = n_seen = next_seen = 0;
	bed_up(&dp, 2);
	if (threads) {
		assert_int_equal(worker_start(dp.worker[1], -1), 0);
		assert_int_equal(worker_start(dp.worker[0], -1), 0);
	}
	source = (struct port){.name = "source", .ofport = 1, .up = true, .class = &source_class};
	sink = (struct port){.name = "sink", .ofport = 2, .up = true, .class = &sink_class};
	assert_int_equal(port_queues(&source, 1), 0);
	assert_int_equal(port_queues(&sink, 1), 0);
	assert_int_equal(datapath_add_port(&dp, &source), 0);
	assert_int_equal(datapath_add_port(&dp, &sink), 0);
	assert_int_equal(source.queue[0].owner, 0);
	assert_int_equal(sink.queue[0].owner, 1);
}

static uint64_t lost(void)
{
	return counter_read(&dp.worker[0]->n.dropped[DROP_HANDOFF_FULL]);
}

static void bed_down(void)
{
	bed_all_home(dp.worker[0]);
	bed_all_home(dp.worker[1]);
	free(source.queue);
	free(sink.queue);
	datapath_destroy(&dp);
}

static void ports_down(void)
{
	assert_int_equal(n_seen + lost(), n_sent);
	datapath_del_port(&dp, &source);
	datapath_del_port(&dp, &sink);
	bed_down();
}

static void turn_by_turn(void **state)
{
	(void)state;
	ports_up(false);
	worker_turn(dp.worker[1]); /* lends its first frames */
	to_send = 5000;
	while (to_send || n_seen + lost() < n_sent) {
		worker_turn(dp.worker[0]);
		if (n_sent % 3 || !to_send)
			worker_turn(dp.worker[1]);
	}
	assert_true(n_seen > 4000);
	ports_down();
}

/* A receiver that stands still makes the sender drop, by name, and nothing else. */
static void full(void **state)
{
	(void)state;
	ports_up(false);
	worker_turn(dp.worker[1]);
	to_send = 3000;
	while (to_send)
		worker_turn(dp.worker[0]);
	assert_true(lost() > 1000);
	while (n_seen + lost() < n_sent)
		worker_turn(dp.worker[1]);
	ports_down();
}

/* A port deleted while packets are on their way to it. */
static void target_gone(void **state)
{
	(void)state;
	ports_up(false);
	worker_turn(dp.worker[1]);
	to_send = 10;
	while (to_send)
		worker_turn(dp.worker[0]);
	datapath_del_port(&dp, &sink);
	worker_turn(dp.worker[1]);
	assert_int_equal(counter_read(&dp.worker[1]->n.dropped[DROP_PORT_GONE]), 10);
	datapath_del_port(&dp, &source);
	bed_down();
}

/* Ports come and go while workers run. */
static void with_threads(void **state)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	(void)state;
	ports_up(true);
	__atomic_store_n(&to_send, 200000, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 20000; i++) {
		worker_wake(dp.worker[0]); /* the source has no descriptor to sleep on */
		nanosleep(&pause, NULL);
		if (__atomic_load_n(&n_seen, __ATOMIC_ACQUIRE) >= 2000)
			break;
	}
	assert_true(__atomic_load_n(&n_seen, __ATOMIC_ACQUIRE) >= 2000);
	datapath_del_port(&dp, &source);
	while (__atomic_load_n(&n_seen, __ATOMIC_ACQUIRE) + lost() < n_sent)
		nanosleep(&pause, NULL);
	datapath_del_port(&dp, &sink);
	worker_stop(dp.worker[0]);
	worker_stop(dp.worker[1]);
	bed_down();
}

/* Who floods a receiver does not keep another sender's packet waiting. */
static void one_floods(void **state)
{
	const struct handoff_to to = {HANDOFF_DECAP, 0, 1, 0};
	const uint8_t frame[60] = {0};
	struct port port = {.gen = 1};
	unsigned n_seen_of[2] = {0};
	struct batch b;

	(void)state;
	bed_up(&dp, 3);
	dp.port[0] = &port;
	handoff_flush(dp.worker[2]); /* lends */
	for (unsigned i = 0; i < 301; i++) {
		struct worker *w = dp.worker[i == 300];
		struct pkt *p = bed_pkt(w, frame, sizeof frame, sizeof frame);

		p->trace_id = w->id;
		handoff_send(w, 2, p, to);
	}
	for (unsigned turn = 0; turn < 3; turn++) {
		struct pkt *p;

		b.n = 0;
		assert_true(handoff_receive(dp.worker[2], &b));
		BATCH_FOR_EACH (p, &b) {
			n_seen_of[p->trace_id]++;
			drop(dp.worker[2], p, DROP_RULE);
		}
	}
	assert_int_equal(n_seen_of[1], 1);
	assert_true(n_seen_of[0] >= BATCH_MAX);
	dp.port[0] = NULL;
	datapath_destroy(&dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turn_by_turn), cmocka_unit_test(full),
		cmocka_unit_test(target_gone),  cmocka_unit_test(one_floods),
		cmocka_unit_test(with_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
