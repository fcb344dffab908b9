/* SPDX-License-Identifier: Apache-2.0 */
/* What the control side makes of samples: listeners, snapshots, the past, dry runs, settings.
 * Records are put into a worker's ring as its thread would. */
#include "tests/unit/switch.h"

#include <unistd.h>

#include "ofproto/samples.h"

static struct ofproto *o;

static struct sample_record sample_at(uint64_t ns, uint8_t src, uint8_t dst)
{
	struct sample_record r = {
		.ns = ns,
		.every = 10,
		.length = 100,
		.in_port = 1,
		.out_port = 2,
		.rule_id = RULE_NONE,
		.l3 = 14,
	};

	r.key.du.eth_type = htobe16(0x800);
	r.key.du.ip_proto = 17;
	memcpy(r.key.du.ip_src, (uint8_t[]){10, 0, 0, src}, 4);
	memcpy(r.key.du.ip_dst, (uint8_t[]){10, 0, 1, dst}, 4);
	r.key.du.tp_src = htobe16(1000);
	r.key.du.tp_dst = htobe16(53);
	return r;
}

static void give(const struct sample_record *r)
{
	struct worker *w = ofproto_datapath(o)->worker[0];
	void *to = ring_reserve(&w->samples, sizeof *r);

	assert_non_null(to);
	memcpy(to, r, sizeof *r);
	ring_submit(&w->samples);
}

static void give_n(unsigned n, uint64_t ns, uint8_t dst)
{
	for (unsigned i = 0; i < n; i++) {
		struct sample_record r = sample_at(ns, (uint8_t)i, dst);

		give(&r);
		if (i % 128 == 127)
			ofproto_run(o);
	}
	ofproto_run(o);
}

/* ---- Listeners ------------------------------------------------------------------------------- */

struct ear {
	struct listener listener;
	unsigned n, worker;
	uint32_t every;
};

static void hear(struct listener *l, unsigned worker, const struct sample_record *r)
{
	struct ear *e = container_of(l, struct ear, listener);

	e->n++;
	e->worker = worker;
	e->every = r->every;
}

static void test_listeners(void **state)
{
	struct ear a = {.listener.sample = hear}, b = {.listener.sample = hear, .worker = 9};
	struct listener deaf = {0};

	(void)state;
	ofproto_listen(o, &a.listener);
	ofproto_listen(o, &deaf);
	ofproto_listen(o, &b.listener);
	give_n(3, NSEC_PER_SEC, 1);
	ofproto_unlisten(o, &a.listener);
	give_n(1, NSEC_PER_SEC, 1);
	assert_int_equal(a.n, 3);
	assert_int_equal(b.n, 4);
	assert_int_equal(b.worker, 0);
	assert_int_equal(b.every, 10);
	ofproto_unlisten(o, &deaf);
	ofproto_unlisten(o, &b.listener);
}

/* More than a turn takes are taken by and by, without a new word from the worker. */
static void test_turns(void **state)
{
	struct ear e = {.listener.sample = hear};

	(void)state;
	ofproto_listen(o, &e.listener);
	for (unsigned i = 0; i < 600; i++) {
		struct sample_record r = sample_at(1, 1, 1);

		give(&r);
	}
	ofproto_run(o);
	assert_true(e.n > 0 && e.n < 600);
	ofproto_run(o);
	ofproto_run(o);
	assert_int_equal(e.n, 600);
	ofproto_unlisten(o, &e.listener);
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

struct look {
	struct snapshot_visit visit;
	unsigned n, stop;
	uint64_t newest, oldest;
	bool order;
};

static int look(struct snapshot_visit *v, unsigned worker, const struct sample_record *r)
{
	struct look *l = container_of(v, struct look, visit);

	assert_int_equal(worker, 0);
	if (!l->n++)
		l->newest = r->ns;
	else
		l->order &= r->ns <= l->oldest;
	l->oldest = r->ns;
	return l->n == l->stop;
}

static struct look snapshots(uint64_t since_ns, unsigned stop)
{
	struct look l = {.visit.snapshot = look, .order = true, .stop = stop};

	ofproto_snapshots(o, since_ns, &l.visit);
	return l;
}

static void test_snapshots(void **state)
{
	struct look l = snapshots(0, 0);

	(void)state;
	assert_int_equal(l.n, 0);
	for (unsigned i = 1; i <= SNAPSHOTS + 100; i++)
		give_n(1, i, 1);
	l = snapshots(0, 0);
	assert_int_equal(l.n, SNAPSHOTS);
	assert_int_equal(l.newest, SNAPSHOTS + 100);
	assert_int_equal(l.oldest, 101);
	assert_true(l.order);
	l = snapshots(SNAPSHOTS, 0);
	assert_int_equal(l.n, 101);
	l = snapshots(0, 7);
	assert_int_equal(l.n, 7);
}

/* ---- The past ------------------------------------------------------------------------------- */

struct sum {
	struct past_visit visit;
	unsigned n, stop;
	uint64_t packets, octets, to_two, newest, oldest;
	struct past_record last;
};

static int add(struct past_visit *v, const struct past_record *r)
{
	struct sum *s = container_of(v, struct sum, visit);

	s->n++;
	s->packets += r->packets;
	s->octets += r->octets;
	s->to_two += r->dst.octet[3] == 2 ? r->packets : 0;
	s->newest = MAX(s->newest, r->ns);
	s->oldest = s->oldest ? MIN(s->oldest, r->ns) : r->ns;
	s->last = *r;
	return s->n == s->stop;
}

static struct sum past(uint64_t since_ns, unsigned stop)
{
	struct sum s = {.visit.record = add, .stop = stop};

	ofproto_past(o, since_ns, &s.visit);
	return s;
}

static void test_past_record(void **state)
{
	struct sample_record r = sample_at(5 * NSEC_PER_SEC, 7, 8);
	struct sum s;

	(void)state;
	ofproto_set_now(o, 5 * NSEC_PER_SEC);
	switch_flow(o, OFPFC_ADD, "cookie=5,priority=5,ip,actions=drop");
	r.end = SAMPLE_DROPPED;
	r.reason = DROP_EARLY;
	r.flags = SAMPLE_AGGREGATE;
	r.rule_id = 1; /* behind the NORMAL that a new switch has */
	r.key.outer.has = htobe32(HAS_IPV6);
	r.key.outer.ipv6_src[0] = 0xfd;
	give(&r);
	ofproto_run(o);
	s = past(0, 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.last.src.family, 4);
	assert_int_equal(s.last.src.octet[3], 7);
	assert_int_equal(s.last.dst.octet[3], 8);
	assert_int_equal(s.last.outer_src.family, 6);
	assert_int_equal(s.last.outer_src.octet[0], 0xfd);
	assert_int_equal(s.last.sport, 1000);
	assert_int_equal(s.last.dport, 53);
	assert_int_equal(s.last.proto, 17);
	assert_int_equal(s.last.end, SAMPLE_DROPPED);
	assert_int_equal(s.last.reason, DROP_EARLY);
	assert_int_equal(s.last.flags, SAMPLE_AGGREGATE);
	assert_int_equal(s.last.in_port, 1);
	assert_int_equal(s.last.out_port, 2);
	assert_int_equal(s.last.rule_id, 1);
	assert_int_not_equal(s.last.rule_key, 0);
	assert_int_equal(s.last.packets, 10);
	assert_int_equal(s.last.octets, 1000);
	assert_int_equal(past(6 * NSEC_PER_SEC, 0).n, 0);
}

/* A second with more than is kept: sums are the whole second's, shares nearly so. */
static void test_past_weights(void **state)
{
	struct sum s;

	(void)state;
	ofproto_set_now(o, 100 * NSEC_PER_SEC);
	for (unsigned i = 0; i < 40; i++) {
		give_n(30, 100 * NSEC_PER_SEC + i, 1);
		give_n(10, 100 * NSEC_PER_SEC + i, 2);
	}
	s = past(0, 0);
	assert_int_equal(s.n, PAST_PER_S);
	assert_true(s.packets > 15900 && s.packets < 16100);
	assert_true(s.octets > 1590000 && s.octets < 1610000);
	assert_true(s.to_two > 2000 && s.to_two < 6400);
	/* The choice is from all of it, not from its beginning. */
	assert_true(s.newest > 100 * NSEC_PER_SEC + 35);
	assert_int_equal(past(0, 3).n, 3);
}

static void test_past_ends(void **state)
{
	struct sample_record r;
	struct sum s;

	(void)state;
	for (unsigned t = 1; t <= PAST_S + 100; t++) {
		ofproto_set_now(o, t * NSEC_PER_SEC);
		give_n(2, t * NSEC_PER_SEC, 1);
	}
	s = past(0, 0);
	assert_int_equal(s.n, 2 * PAST_S);
	assert_int_equal(s.oldest, 101 * NSEC_PER_SEC);
	/* Older than everything that is kept: forgotten, not put in another's place. */
	r = sample_at(50 * NSEC_PER_SEC, 1, 1);
	give(&r);
	/* What a rule asked for is of no pool. */
	r = sample_at((PAST_S + 100) * NSEC_PER_SEC, 1, 1);
	r.flags = SAMPLE_BY_RULE;
	give(&r);
	ofproto_run(o);
	assert_int_equal(past(0, 0).packets, s.packets);
	/* Nothing came since: it ends by itself. */
	ofproto_set_now(o, (PAST_S + 150) * NSEC_PER_SEC);
	assert_int_equal(past(0, 0).n, 2 * (PAST_S - 50));
	ofproto_set_now(o, 3 * PAST_S * NSEC_PER_SEC);
	assert_int_equal(past(0, 0).n, 0);
}

/* ---- Dry runs ------------------------------------------------------------------------------- */

static struct dry_run dry(const char *flow)
{
	struct dry_run d;
	struct refusal r = {0};
	struct flow_mod fm;

	assert_int_equal(flow_parse(flow, OFPFC_DELETE, &fm, &r), 0);
	ofproto_dry_run(o, &fm.match, &d);
	flow_mod_free(&fm);
	return d;
}

static void test_dry_run(void **state)
{
	struct sample_record r;
	struct dry_run d = dry("ip");

	(void)state;
	assert_int_equal(d.n + d.n_hit + d.packets + d.oldest_ns, 0);
	ofproto_set_now(o, 10 * NSEC_PER_SEC);
	give_n(50, 8 * NSEC_PER_SEC, 1);
	give_n(20, 9 * NSEC_PER_SEC, 2);
	for (unsigned i = 0; i < 5; i++) {
		r = sample_at(9 * NSEC_PER_SEC, 1, 2);
		r.end = SAMPLE_DROPPED;
		r.every = 100;
		r.length = 60;
		give(&r);
	}
	r.flags = SAMPLE_BY_RULE;
	give(&r);
	ofproto_run(o);
	d = dry("ip,nw_dst=10.0.1.2");
	assert_int_equal(d.oldest_ns, 2 * NSEC_PER_SEC);
	assert_int_equal(d.n, 75);
	assert_int_equal(d.n_hit, 25);
	assert_int_equal(d.packets, 1200);
	assert_int_equal(d.hit, 700);
	assert_int_equal(d.octets, 70 * 1000 + 5 * 6000);
	assert_int_equal(d.hit_octets, 20 * 1000 + 5 * 6000);
	assert_int_equal(d.hit_dropped, 500);
	assert_int_equal(d.n_sources, 20);
	assert_int_equal(d.n_targets, 1);
	d = dry("udp,tp_dst=53");
	assert_int_equal(d.n_hit, 75);
	assert_int_equal(d.n_sources, 50);
	assert_int_equal(d.n_targets, 2);
	d = dry("ip,nw_dst=10.0.1.3");
	assert_int_equal(d.n_hit + d.hit + d.n_sources, 0);
}

/* ---- Settings ------------------------------------------------------------------------------- */

static int set(const char *word)
{
	struct refusal r = {0};

	return ofproto_set_switch(o, (struct words){1, &word}, NULL, &r);
}

static void test_settings(void **state)
{
	static const char *const wrong[] = {
		"sample=",   "sample=0",           "sample=on",    "sample=1x",
		"sample=-1", "sample=99999999999", "sample-max=0", "sample-max=2000000"};
	const struct datapath *dp = ofproto_datapath(o);

	(void)state;
	/* Offline nobody has asked. */
	assert_int_equal(ofproto_settings(o)->sample_every, 0);
	assert_int_equal(dp->sample_every, 0);
	assert_int_equal(dp->sample_max, SAMPLE_MAX_PER_S);
	assert_int_equal(set("sample=7"), 0);
	assert_int_equal(set("sample-max=50"), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_not_equal(set(wrong[i]), 0);
	assert_int_equal(ofproto_settings(o)->sample_every, 7);
	assert_int_equal(dp->sample_every, 7);
	assert_int_equal(dp->sample_max, 50);
	assert_int_equal(set("sample=off"), 0);
	assert_int_equal(dp->sample_every, 0);
}

static void test_settings_last(void **state)
{
	char db[] = "/tmp/sluice-samples-XXXXXX", marks[64];
	struct refusal r = {0};

	(void)state;
	ofproto_destroy(o);
	close(mkstemp(db));
	unlink(db);
	o = switch_up(db);
	assert_int_equal(ofproto_settings(o)->sample_every, SAMPLE_EVERY);
	assert_int_equal(ofproto_datapath(o)->sample_every, SAMPLE_EVERY);
	assert_int_equal(set("sample=off"), 0);
	assert_int_equal(set("sample-max=9"), 0);
	assert_int_equal(ofproto_sync(o, &r), 0);
	ofproto_destroy(o);
	o = switch_up(db);
	assert_int_equal(ofproto_settings(o)->sample_every, 0);
	assert_int_equal(ofproto_datapath(o)->sample_every, 0);
	assert_int_equal(ofproto_datapath(o)->sample_max, 9);
	unlink(db);
	snprintf(marks, sizeof marks, "%s-marks", db);
	unlink(marks);
}

static int up(void **state)
{
	(void)state;
	o = switch_up(NULL);
	return 0;
}

static int down(void **state)
{
	(void)state;
	ofproto_destroy(o);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_listeners),   TEST(test_turns),        TEST(test_snapshots),
		TEST(test_past_record), TEST(test_past_weights), TEST(test_past_ends),
		TEST(test_dry_run),     TEST(test_settings),     TEST(test_settings_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
