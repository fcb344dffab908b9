/* SPDX-License-Identifier: Apache-2.0 */
/* limit: what passes is the rate, whichever worker the packets come by; what workers hold stays
 * small; a renewed rule goes on with its bucket, a new one has a full one. */
#include "tests/unit/switch.h"

#include <pthread.h>

#include "datapath/spine.h"
#include "tests/unit/bed.h"
#include "tests/unit/random.h"

enum { ID = 7, WORKERS = 2 };

static struct datapath dp;
static struct buf ops;

static int set_up(void **state)
{
	(void)state;
	bed_up(&dp, WORKERS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_free(&ops);
	for (unsigned i = 0; i < WORKERS; i++)
		bed_all_home(dp.worker[i]);
	datapath_destroy(&dp);
	return 0;
}

static const struct op *limit(const char *text)
{
	struct refusal r = {0};

	buf_free(&ops);
	ops = (struct buf){0};
	if (actions_parse(text, &ops, &r))
		fail_msg("%s: %s", text, r.text);
	return (const void *)ops.data;
}

/* A packet of `size` octets by worker `i` at `now`; whether it passes. */
static bool passes(const struct op *op, unsigned i, uint64_t now, size_t size)
{
	static const uint8_t octets[2000];
	struct worker *w = dp.worker[i];
	struct pkt *p = bed_pkt(w, octets, size, size);
	bool next;

	w->now = now;
	p->rule = (struct path_rule){.id = ID};
	next = action_class(ACTION_LIMIT)->run(w, p, op) == ACT_NEXT;
	if (next)
		consume(w, p, CONSUME_TRACED);
	return next;
}

static uint64_t dropped(void)
{
	return counter_read(&dp.worker[0]->n.dropped[DROP_LIMIT]) +
	       counter_read(&dp.worker[1]->n.dropped[DROP_LIMIT]);
}

/* ---- The rate ----------------------------------------------------------------------------- */

enum pattern { FIRST_ALONE, BY_TURNS, HALF_AND_HALF, AT_RANDOM, N_PATTERNS };

static unsigned choose(enum pattern pattern, uint64_t ns)
{
	switch (pattern) {
	case BY_TURNS:
		return ns / (10 * NSEC_PER_MSEC) % 2;
	case HALF_AND_HALF:
		return ns > 5 * NSEC_PER_SEC;
	case AT_RANDOM:
		return rnd() % 2;
	default:
		return 0;
	}
}

struct load {
	const char *limit;
	double per_s;      /* what the text says, in octets or packets */
	double burst_s;    /* … and for how long the burst would last */
	unsigned gap_ns;   /* between packets */
	unsigned min, max; /* octets */
	bool packets;
};

static void leases_are_small(double burst_s)
{
	for (unsigned i = 0; i < WORKERS; i++)
		assert_true((double)dp.worker[i]->lease[ID].credit / 65536 <=
			    burst_s * 1e9 / BUCKET_SHARE + 1);
}

/* What has passed within ten seconds, after the burst; leases are looked at all the time. */
static double offer(const struct load *l, enum pattern pattern)
{
	const struct op *op = limit(l->limit);
	uint64_t start = 3 * NSEC_PER_SEC, end = start + 10 * NSEC_PER_SEC, now = start;
	double sum = 0;

	bucket_reset(&dp.bucket[ID]);
	for (unsigned n = 0; n < 100000 && passes(op, n % WORKERS, start, l->max); n++)
		;
	/* The other worker may have a lease of it left. */
	while (passes(op, 0, start, l->min) || passes(op, 1, start, l->min))
		;
	for (; now < end; now += l->gap_ns) {
		size_t size = l->min + rnd() % (l->max - l->min + 1);

		if (passes(op, choose(pattern, now - start), now, size))
			sum += l->packets ? 1 : (double)size;
		leases_are_small(l->burst_s);
	}
	return sum;
}

static void what_passes_is_the_rate(void **state)
{
	static const struct load loads[] = {
		{"limit:1mbps", 125000, 0.12112, 1000000, 60, 1514, false},
		{"limit:1mbps,burst=20kb", 125000, 0.02, 1000000, 1000, 1000, false},
		{"limit:64kbps", 8000, 1.8925, 5000000, 60, 1514, false},
		{"limit:80mbps", 10000000, 0.1, 50000, 60, 1514, false},
		{"limit:5kpps", 5000, 0.1, 50000, 60, 60, true},
		{"limit:200pps", 200, 0.1, 1000000, 60, 60, true},
		{"limit:200pps,burst=1p", 200, 0.005, 1000000, 60, 60, true},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(loads); i++)
		for (enum pattern p = 0; p < N_PATTERNS; p++) {
			double want = loads[i].per_s * 10, got = offer(&loads[i], p);

			if (got < want * 0.98 || got > want * 1.02)
				fail_msg("%s, pattern %u: %.0f instead of %.0f", loads[i].limit, p,
					 got, want);
		}
	assert_true(dropped() > 0);
}

static void below_the_rate_nothing_is_dropped(void **state)
{
	const struct op *op = limit("limit:1mbps");

	(void)state;
	/* 1000 octets in 8.4 ms are 952 kbit/s. */
	for (uint64_t now = 1; now < 10 * NSEC_PER_SEC; now += 8400000) {
		assert_true(passes(op, rnd() % WORKERS, now, 1000));
		leases_are_small(0.12112);
	}
	assert_int_equal(dropped(), 0);
}

static void a_burst_passes_at_once(void **state)
{
	const struct op *op = limit("limit:100pps,burst=64p");
	unsigned n = 0;

	(void)state;
	/* At the very beginning of time, too. */
	for (unsigned i = 0; i < 200; i++)
		n += passes(op, i % WORKERS, 0, 60);
	assert_int_equal(n, 64);
	assert_int_equal(dropped(), 200 - 64);
	/* A packet larger than the burst passes, and is paid for. */
	op = limit("limit:8kbps,burst=8b");
	bucket_reset(&dp.bucket[ID]);
	assert_true(passes(op, 0, NSEC_PER_SEC, 1000));
	assert_false(passes(op, 1, NSEC_PER_SEC * 199 / 100, 60));
	assert_true(passes(op, 1, NSEC_PER_SEC * 201 / 100, 60));
}

/* What a worker still holds of the bucket before is void. */
static void a_new_bucket_ends_leases(void **state)
{
	const struct op *op = limit("limit:64pps,burst=640p");
	unsigned n = 0;

	(void)state;
	assert_true(passes(op, 0, NSEC_PER_SEC, 60));
	assert_true(dp.worker[0]->lease[ID].credit > 0);
	bucket_reset(&dp.bucket[ID]);
	for (unsigned i = 0; i < 700; i++)
		n += passes(op, 0, NSEC_PER_SEC, 60);
	assert_int_equal(n, 640);
}

/* What no rule asks for, and what is never sent, spends nothing. */
static void only_rules_packets_spend(void **state)
{
	const struct op *op = limit("limit:1pps,burst=1p");
	struct worker *w = dp.worker[0];
	static const uint8_t octets[60];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct pkt *p = bed_pkt(w, octets, sizeof octets, sizeof octets);

		p->rule.id = i % 2 ? ID : RULE_NONE;
		w->private_trace = i % 2;
		assert_int_equal(action_class(ACTION_LIMIT)->run(w, p, op), ACT_NEXT);
		w->private_trace = false;
		consume(w, p, CONSUME_TRACED);
	}
	assert_true(passes(op, 0, NSEC_PER_SEC, 60));
	assert_false(passes(op, 0, NSEC_PER_SEC, 60));
}

/* ---- Many threads ------------------------------------------------------------------------- */

enum { THREADS = 4, PACKETS = 200000 };

static struct bucket shared;

struct thread {
	pthread_t thread;
	uint64_t n;
};

/* Each by its own clock, from 0 to a second. */
static void *spend(void *arg)
{
	const struct bucket_rate rate = bucket_rate(100000, 200000, 1);
	struct thread *t = arg;
	struct lease lease = {0};

	for (uint64_t i = 0; i <= PACKETS; i++)
		t->n += bucket_take(&shared, &lease, &rate, i * NSEC_PER_SEC / PACKETS, 1);
	return NULL;
}

static void threads_share_a_bucket(void **state)
{
	struct thread t[THREADS] = {0};
	uint64_t n = 0;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i].thread, NULL, spend, &t[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i].thread, NULL);
		n += t[i].n;
	}
	/* The burst and a second's worth, but for what leases hold: 1/64 of the burst each. */
	assert_in_range(n, 300000 - THREADS * 200000 / BUCKET_SHARE, 300001);
}

static void *spend_and_spend(void *arg)
{
	for (unsigned i = 0; i < 4; i++)
		spend(arg);
	return NULL;
}

/* A rule goes and another gets its id while packets come: nothing but full buckets is seen. */
static void a_bucket_is_made_new_under_load(void **state)
{
	struct thread t[2] = {0};

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i].thread, NULL, spend_and_spend, &t[i]), 0);
	for (unsigned i = 0; i < 1000; i++)
		bucket_reset(&shared);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i].thread, NULL);
	bucket_reset(&shared);
	assert_int_equal(shared.spent, 0);
}

/* ---- Rules come and go ----------------------------------------------------------------------
 */

static unsigned through(struct ofproto *o, struct port *in, struct port *out)
{
	for (unsigned i = 0; i < 30; i++)
		switch_inject(o, in, 1, 2);
	return switch_taken(out);
}

static void a_bucket_is_its_rules(void **state)
{
	struct ofproto *o = switch_up(NULL);
	struct port *in = switch_port(o, "in type=dummy ofport=1");
	struct port *out = switch_port(o, "out type=dummy ofport=2");

	(void)state;
	switch_flow(o, OFPFC_ADD, "udp,actions=limit:10pps,output:2");
	assert_int_equal(through(o, in, out), 10);
	/* Given again, or other actions: the same rule, and the same bucket. */
	switch_flow(o, OFPFC_ADD, "udp,actions=limit:10pps,output:2");
	assert_int_equal(through(o, in, out), 0);
	switch_flow(o, OFPFC_MODIFY, "udp,actions=limit:20pps,output:2");
	assert_int_equal(through(o, in, out), 0);
	/* By the packets' time: a second later, so many. */
	ofproto_set_now(o, ofproto_now(o) + NSEC_PER_SEC / 4);
	assert_int_equal(through(o, in, out), 5);
	/* Another rule, of the same id. */
	switch_flow(o, OFPFC_DELETE, "udp");
	switch_flow(o, OFPFC_ADD, "ip,actions=limit:10pps,output:2");
	assert_int_equal(through(o, in, out), 10);
	assert_int_equal(counter_read(&ofproto_datapath(o)->worker[0]->n.dropped[DROP_LIMIT]),
			 20 + 30 + 30 + 25 + 20);
	ofproto_destroy(o);
}

int main(void)
{
#define UNIT(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		UNIT(what_passes_is_the_rate),
		UNIT(below_the_rate_nothing_is_dropped),
		UNIT(a_burst_passes_at_once),
		UNIT(a_new_bucket_ends_leases),
		UNIT(only_rules_packets_spend),
		cmocka_unit_test(threads_share_a_bucket),
		cmocka_unit_test(a_bucket_is_made_new_under_load),
		cmocka_unit_test(a_bucket_is_its_rules),
	};

	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
