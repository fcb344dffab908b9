/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of changes: commit, then publish, then answer; a failed commit undoes its group and what
 * stands on it; what was answered is there after a restart, also after kill -9. */
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ofproto/journal.h"
#include "ofproto/meters.h"
#include "ofproto/store.h"
#include "store-dir.h"

struct answer {
	struct waiter waiter;
	unsigned n;
	int error;
	enum refusal_code code;
};

static void answered(struct waiter *w, int error, const struct refusal *r)
{
	struct answer *a = container_of(w, struct answer, waiter);

	a->n++;
	a->error = error;
	a->code = error ? r->code : REFUSED_NOTHING;
}

static void flow_with(struct ofproto *o, uint8_t command, const char *text, struct answer *a)
{
	struct refusal r = {0};

	*a = (struct answer){.waiter.done = answered};
	if (switch_try_flow(o, command, text, &a->waiter, &r))
		fail_msg("%s: %s", text, r.text);
}

static void sync_it(struct ofproto *o)
{
	struct refusal r = {0};

	if (ofproto_sync(o, &r))
		fail_msg("%s", r.text);
}

#define BEGIN                 "table=0,priority=0 actions=NORMAL\n"
#define assert_flows(o, text) assert_string_equal(switch_dump(o, NULL, false), text)

static void test_commit_then_publish_then_answer(void **state)
{
	struct ofproto *o = switch_up(file);
	struct pollfd p = {.fd = ofproto_fd(o), .events = POLLIN};
	struct answer a, b;

	(void)state;
	flow_with(o, OFPFC_ADD, "priority=1 actions=drop", &a);
	flow_with(o, OFPFC_MODIFY, "strict priority=1 actions=output:1", &b);
	assert_flows(o, BEGIN); /* not before its commit */
	while (!a.n) {
		uint64_t now = ofproto_now(o), due = ofproto_deadline(o);

		poll(&p, 1,
		     due == TIMER_NEVER ? 10000
		     : due > now        ? (int)((due - now) / 1000000) + 1
					: 0);
		ofproto_run(o);
	}
	assert_int_equal(a.error, 0);
	assert_true(a.n == 1 && b.n == 1 && !b.error);
	assert_flows(o, "table=0,priority=1 actions=output:1\n" BEGIN);
	ofproto_barrier(o, &a.waiter); /* nothing to wait for */
	assert_int_equal(a.n, 2);
	ofproto_destroy(o);
}

static void test_within_a_group(void **state)
{
	struct ofproto *o = switch_up(file);

	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=1 actions=drop");
	switch_flow(o, OFPFC_ADD, "priority=1 actions=output:1");
	switch_flow(o, OFPFC_MODIFY, "actions=output:2");
	switch_flow(o, OFPFC_DELETE, "strict priority=0");
	switch_flow(o, OFPFC_ADD, "priority=2 actions=drop");
	switch_flow(o, OFPFC_DELETE, "strict priority=2");
	sync_it(o);
	assert_flows(o, "table=0,priority=1 actions=output:2\n");
	ofproto_destroy(o);
	o = switch_up(file);
	assert_flows(o, "table=0,priority=1 actions=output:2\n");
	ofproto_destroy(o);
}

static void test_failure_undoes(void **state)
{
	static const char *const words[] = {"dpid=77"};
	struct ofproto *o = switch_up(file);
	struct answer a, b, c, d, e;
	struct refusal r = {0};
	uint64_t dpid = ofproto_settings(o)->dpid;

	(void)state;
	switch_port(o, "p0 type=dummy");
	switch_flow(o, OFPFC_ADD, "cookie=1,priority=1,ip actions=drop");
	switch_flow(o, OFPFC_ADD, "cookie=2,priority=2,arp actions=drop");
	sync_it(o);
	disk_full(true);
	flow_with(o, OFPFC_ADD, "cookie=3,priority=3,udp actions=drop", &a);
	flow_with(o, OFPFC_DELETE, "cookie=2", &b);
	flow_with(o, OFPFC_MODIFY, "ip actions=output:1", &c);
	d = e = (struct answer){.waiter.done = answered};
	assert_int_equal(switch_try_words(o, "p1 type=dummy", &d.waiter, &r), 0);
	assert_int_equal(ofproto_del_port(o, "p0", NULL, &r), 0);
	assert_int_equal(ofproto_set_switch(o, (struct words){1, words}, &e.waiter, &r), 0);
	assert_int_equal(ofproto_sync(o, &r), -EIO);
	assert_int_equal(r.code, REFUSED_STORE);
	assert_true(a.n == 1 && b.n == 1 && c.n == 1 && d.n == 1 && e.n == 1);
	assert_true(a.code == REFUSED_STORE && d.code == REFUSED_STORE && e.error == -EIO);
	assert_flows(o, "cookie=0x2,table=0,priority=2,arp actions=drop\n"
			"cookie=0x1,table=0,priority=1,ip actions=drop\n" BEGIN);
	assert_null(ofproto_port(o, "p1"));
	assert_non_null(ofproto_port(o, "p0"));
	assert_true(ofproto_settings(o)->dpid == dpid);
	disk_full(false);
	/* Everything works on, on the old ground. */
	flow_with(o, OFPFC_MODIFY, "arp actions=output:1", &a);
	assert_int_equal(switch_port(o, "p1 type=dummy")->ofport, 2);
	sync_it(o);
	assert_int_equal(a.error, 0);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_flows(o, "cookie=0x2,table=0,priority=2,arp actions=output:p0\n"
			"cookie=0x1,table=0,priority=1,ip actions=drop\n" BEGIN);
	assert_int_equal(ofproto_port(o, "p1")->ofport, 2);
	ofproto_destroy(o);
}

/* One group in flight, another standing on it: both fall. */
static int meter_mod(struct ofproto *o, uint16_t command, const char *text)
{
	struct refusal r = {0};
	struct meter_config m;

	assert_int_equal(meter_parse(text, &m, &r), 0);
	return ofproto_meter_mod(o, command, &m, NULL, &r);
}

static void meter_is(struct ofproto *o, uint32_t number, const char *want)
{
	const struct meter_config *m = ofproto_meter(o, number);
	struct buf text = {0};

	assert_int_equal(!m, !want);
	if (!m)
		return;
	meter_format(m, &text);
	assert_string_equal(buf_text(&text), want);
	buf_free(&text);
}

static void test_failure_undoes_meters(void **state)
{
	struct ofproto *o = switch_up(file);
	struct refusal r = {0};
	struct answer a;

	(void)state;
	assert_int_equal(meter_mod(o, OFPMC_ADD, "meter=1,bands=type=drop,rate=5"), 0);
	assert_int_equal(meter_mod(o, OFPMC_ADD, "meter=2,bands=type=drop,rate=5"), 0);
	flow_with(o, OFPFC_ADD, "priority=1,ip actions=meter:1,output:1", &a);
	sync_it(o);
	disk_full(true);
	assert_int_equal(meter_mod(o, OFPMC_ADD, "meter=3,bands=type=drop,rate=5"), 0);
	flow_with(o, OFPFC_ADD, "priority=2,ip actions=meter:3,output:1", &a);
	assert_int_equal(meter_mod(o, OFPMC_MODIFY, "meter=3,bands=type=drop,rate=6"), 0);
	assert_int_equal(meter_mod(o, OFPMC_MODIFY, "meter=2,bands=type=drop,rate=6"), 0);
	assert_int_equal(meter_mod(o, OFPMC_MODIFY, "meter=1,bands=type=drop,rate=6"), 0);
	assert_int_equal(meter_mod(o, OFPMC_DELETE, "meter=1"), 0);
	assert_int_equal(meter_mod(o, OFPMC_ADD, "meter=1,bands=type=drop,rate=7"), 0);
	assert_int_equal(meter_mod(o, OFPMC_DELETE, "meter=2"), 0);
	meter_is(o, 1, "meter=1,bands=type=drop,rate=7");
	meter_is(o, 2, NULL);
	assert_int_equal(ofproto_sync(o, &r), -EIO);
	assert_int_equal(a.code, REFUSED_STORE);
	meter_is(o, 1, "meter=1,bands=type=drop,rate=5");
	meter_is(o, 2, "meter=2,bands=type=drop,rate=5");
	meter_is(o, 3, NULL);
	assert_flows(o, "table=0,priority=1,ip actions=meter:1,output:1\n" BEGIN);
	disk_full(false);
	/* Everything works on, and the workers' meters are the old ones. */
	assert_non_null(meter_find(ofproto_datapath(o), 1));
	assert_null(meter_find(ofproto_datapath(o), 3));
	assert_int_equal(meter_mod(o, OFPMC_DELETE, "meter=1"), 0);
	sync_it(o);
	assert_flows(o, BEGIN);
	assert_null(meter_find(ofproto_datapath(o), 1));
	ofproto_destroy(o);
	o = switch_up(file);
	meter_is(o, 1, NULL);
	meter_is(o, 2, "meter=2,bands=type=drop,rate=5");
	ofproto_destroy(o);
}

static void test_failure_of_what_it_stands_on(void **state)
{
	struct ofproto *o = switch_up(file);
	const struct actor actor = {.who = "test", .what = "change"};
	struct answer a, b, c, barrier = {.waiter.done = answered};
	struct refusal r = {0};

	(void)state;
	disk_full(true);
	ofproto_actor(o, &actor);
	flow_with(o, OFPFC_ADD, "cookie=1,priority=1,ip actions=drop", &a);
	ofproto_barrier(o, &barrier.waiter); /* on its way */
	flow_with(o, OFPFC_MODIFY, "ip actions=output:1", &b);
	flow_with(o, OFPFC_DELETE, "", &c);
	assert_int_not_equal(ofproto_sync(o, &r), 0);
	disk_full(false);
	assert_true(a.n == 1 && b.n == 1 && c.n == 1 && barrier.n == 1);
	assert_true(a.error && b.error && c.error && barrier.error);
	assert_flows(o, BEGIN);
	assert_null(ofproto_journal_entry(o, 1)); /* what never happened is not written down */
	assert_null(ofproto_journal_entry(o, 2));
	ofproto_actor(o, NULL);
	switch_flow(o, OFPFC_ADD, "cookie=5,priority=1,ip actions=drop");
	sync_it(o);
	assert_flows(o, "cookie=0x5,table=0,priority=1,ip actions=drop\n" BEGIN);
	ofproto_destroy(o);
}

static void test_restart(void **state)
{
	static const char *const words[] = {"fail-mode=secure"};
	struct ofproto *o = switch_up(file);
	struct flow_filter guard;
	struct refusal r = {0};
	struct flow_mod fm;
	uint64_t dpid = ofproto_settings(o)->dpid;

	(void)state;
	assert_true(dpid && dpid != 1);
	switch_flow(o, OFPFC_DELETE, "");
	switch_port(o, "p2 type=dummy ofport=9");
	switch_port(o, "p1 type=dummy");
	switch_flow(o, OFPFC_ADD,
		    "cookie=3,table=2,priority=4,in_port=p2,idle_timeout=100,send_flow_rem,ip "
		    "actions=output:p1");
	switch_flow(o, OFPFC_ADD, "hard_timeout=1000,priority=6 actions=drop");
	switch_flow(o, OFPFC_ADD, "hard_timeout=1,priority=7 actions=drop");
	assert_int_equal(flow_parse("table=guard,udp actions=drop", OFPFC_ADD, &fm, &r), 0);
	fm.origin = ORIGIN_BGP;
	fm.reason = "said so";
	fm.expire_ns = 1000 * NSEC_PER_SEC;
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	flow_mod_free(&fm);
	assert_int_equal(ofproto_set_switch(o, (struct words){1, words}, NULL, &r), 0);
	sync_it(o);
	ofproto_destroy(o);

	o = switch_up(file);
	assert_non_null(strstr(switch_dump(o, NULL, false), "hard_timeout=1,")); /* not over yet */
	assert_non_null(
		strstr(switch_dump(o, NULL, false),
		       "cookie=0x3,table=2,idle_timeout=100,send_flow_rem,priority=4,ip,in_port="));
	assert_non_null(strstr(switch_dump(o, NULL, false), "hard_timeout=1000"));
	assert_null(strstr(switch_dump(o, NULL, false), "NORMAL")); /* deleted, it stays deleted */
	flow_filter_init(&guard);
	guard.table = TABLE_GUARD;
	assert_non_null(strstr(switch_dump(o, &guard, false), "table=guard,priority=32768,udp"));
	assert_int_equal(ofproto_port(o, "p2")->ofport, 9);
	assert_int_equal(ofproto_port(o, "p1")->ofport, 1);
	assert_string_equal(ofproto_port_spec(o, ofproto_port(o, "p1")), "p1 type=dummy ofport=1");
	assert_true(ofproto_settings(o)->dpid == dpid && ofproto_settings(o)->fail_secure);
	ofproto_destroy(o);
}

/* Ended in order, a daemon's rules go on counting where they were. */
static void test_counters_last(void **state)
{
	static const uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5};
	struct ofproto *o = switch_up(file);
	struct port *in = switch_port(o, "in type=dummy"), *out = switch_port(o, "out type=dummy");
	unsigned n = 0;

	(void)state;
	switch_flow(o, OFPFC_ADD, "in_port=in actions=output:out");
	sync_it(o);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(dummy_inject(in, frame, sizeof frame), 0);
	while (n < 3)
		n += switch_taken(out);
	ofproto_destroy(o);
	for (unsigned i = 0; i < 2; i++) {
		o = switch_up(file);
		assert_non_null(
			strstr(switch_dump(o, NULL, true), "n=3 table=0,priority=32768,in_port="));
		assert_non_null(strstr(switch_dump(o, NULL, true), "n=0 " BEGIN));
		ofproto_destroy(o);
	}
}

/* What cannot be made again keeps its number, and can be deleted. */
static void test_lost(void **state)
{
	struct ofproto *o = switch_up(file);
	char capture[160];
	struct refusal r = {0};
	FILE *f;

	(void)state;
	snprintf(capture, sizeof capture, "%s/in", directory);
	f = fopen(capture, "w");
	assert_non_null(f);
	/* An empty capture: the header alone (pcap, version 2.4, Ethernet). */
	assert_int_equal(
		fwrite("\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0", 24, 1, f), 1);
	fclose(f);
	snprintf(capture, sizeof capture, "p1 type=pcap in=%s/in", directory);
	switch_port(o, capture);
	switch_port(o, "p2 type=dummy");
	sync_it(o);
	ofproto_destroy(o);
	unlink(strchr(capture, '/'));
	o = switch_up(file);
	assert_null(ofproto_port(o, "p1"));
	assert_int_equal(switch_port(o, "p3 type=dummy")->ofport, 3);
	sync_it(o);
	/* It is no connection; and it stays as long as its end is not written. */
	assert_int_not_equal(ofproto_del_conn(o, "p1", NULL, &r), 0);
	disk_full(true);
	assert_int_equal(ofproto_del_port(o, "p1", NULL, &r), 0);
	assert_int_not_equal(ofproto_sync(o, &r), 0);
	disk_full(false);
	assert_int_equal(ofproto_del_port(o, "p1", NULL, &r), 0);
	assert_int_not_equal(ofproto_del_port(o, "p1", NULL, &r), 0);
	assert_int_equal(switch_port(o, "p4 type=dummy")->ofport, 1);
	sync_it(o);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_int_equal(ofproto_port(o, "p4")->ofport, 1);
	ofproto_destroy(o);
}

static int see_gibberish(struct store_visit *v, const struct store_flow *f, struct refusal *r)
{
	(void)v, (void)r;
	return !strcmp(f->text, "gibberish actions=drop");
}

/* A rule that cannot be read (another version wrote it) stays in the store: none takes its place.
 */
static void test_unreadable_stays(void **state)
{
	struct store_flow unreadable = {
		.id = 2, .origin = "cli", .text = "gibberish actions=drop", .created_ns = 1};
	struct store_visit v = {.flow = see_gibberish};
	struct store *s;
	struct ofproto *o = switch_up(file); /* rule 1 is NORMAL */
	struct refusal r = {0};
	int error;

	(void)state;
	ofproto_destroy(o);
	s = store_open(file, &r);
	store_commit(s, store_op_flow(&unreadable));
	store_wait(s);
	assert_true(store_result(s, &error, &r) && !error);
	store_close(s);
	o = switch_up(file);
	switch_flow(o, OFPFC_ADD, "priority=5 actions=drop");
	sync_it(o);
	ofproto_destroy(o);
	s = store_open(file, &r);
	assert_int_equal(store_load_flows(s, &v, &r), 1);
	store_close(s);
}

/* Confirmed is what is written: a port whose confirmation was not still goes when its time comes.
 */
static void test_confirmation_undone(void **state)
{
	struct ofproto *o = switch_up(file);
	struct refusal r = {0};

	(void)state;
	switch_port(o, "p1 type=dummy confirm=1");
	sync_it(o);
	disk_full(true);
	assert_int_equal(ofproto_confirm(o, &r), 0);
	assert_int_not_equal(ofproto_sync(o, &r), 0);
	disk_full(false);
	assert_true(ofproto_deadline(o) <= ofproto_now(o) + NSEC_PER_SEC);
	assert_int_equal(ofproto_confirm(o, &r), 0);
	sync_it(o);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_non_null(ofproto_port(o, "p1"));
	ofproto_destroy(o);
}

/* Rules change while packets go through on a thread of their own: none is lost, none goes
 * elsewhere, and after the answer none goes the old way. */
static void test_live(void **state)
{
	static const uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5};
	struct ofproto *o = switch_up(":memory:");
	struct port *in = switch_port(o, "in type=dummy"), *out[2];
	unsigned n = 0, n_out[2] = {0};

	(void)state;
	out[0] = switch_port(o, "p2 type=dummy");
	out[1] = switch_port(o, "p3 type=dummy");
	switch_flow(o, OFPFC_DELETE, "");
	switch_flow(o, OFPFC_ADD, "in_port=in actions=output:p2");
	sync_it(o);
	for (unsigned i = 1; i <= 200; i++) {
		unsigned way = i % 2;

		for (unsigned k = 0; k < 10; k++)
			n += !dummy_inject(in, frame, sizeof frame);
		/* Half of the time by a new rule above the old one, which then goes. */
		if (i % 4 < 2)
			switch_flow(o, OFPFC_MODIFY,
				    way ? "actions=output:p3" : "actions=output:p2");
		else
			switch_flow(o, OFPFC_ADD,
				    way ? "in_port=in actions=output:p3"
					: "in_port=in actions=output:p2");
		sync_it(o);
		do { /* what came before the answer may go either way */
			n_out[0] += switch_taken(out[0]);
			n_out[1] += switch_taken(out[1]);
		} while (n_out[0] + n_out[1] < n);
		n += !dummy_inject(in, frame, sizeof frame);
		while (!switch_taken(out[way]))
			assert_int_equal(switch_taken(out[!way]), 0);
		n_out[way]++;
	}
	assert_int_equal(n, 200 * 11);
	assert_int_equal(n_out[0] + n_out[1], n);
	ofproto_destroy(o);
}

static void count_for(struct flow_visit *v, struct ofproto *o)
{
	struct flow_filter all;

	flow_filter_init(&all);
	ofproto_flows(o, &all, v);
}

struct count {
	struct flow_visit visit;
	uint64_t n, last;
};

static int count_one(struct flow_visit *v, const struct flow *f, const struct flow_stats *s)
{
	struct count *c = container_of(v, struct count, visit);

	(void)s;
	c->n++;
	c->last = MAX(c->last, f->cookie);
	return 0;
}

static int out;

static void write_answer(struct waiter *w, int error, const struct refusal *r)
{
	uint8_t one = 1;

	(void)w, (void)r;
	if (error || write(out, &one, 1) != 1)
		_exit(1);
}

/* In a process of its own: adds flows for ever, and says each answer by an octet to `out`. */
static void install_forever(uint64_t from)
{
	struct ofproto *o = switch_up(file);
	static struct waiter waiters[100000];

	for (uint64_t i = from; i < ARRAY_SIZE(waiters); i++) {
		char text[80];

		snprintf(text, sizeof text, "cookie=%llu,table=1,priority=%llu actions=drop",
			 (unsigned long long)i, (unsigned long long)i);
		waiters[i].done = write_answer;
		if (switch_try_flow(o, OFPFC_ADD, text, &waiters[i], NULL))
			_exit(1);
		if (i % 3 == 0)
			ofproto_sync(o, NULL);
		ofproto_run(o);
	}
	_exit(2);
}

static void test_killed(void **state)
{
	uint64_t n = 0;

	(void)state;
	srandom(7);
	for (unsigned round = 0; round < 5; round++) {
		struct count c = {.visit.flow = count_one};
		unsigned until = (unsigned)random() % 60;
		struct ofproto *o;
		int pipes[2];
		uint8_t one;
		pid_t pid;

		assert_int_equal(pipe(pipes), 0);
		pid = fork();
		if (!pid) {
			out = pipes[1];
			close(pipes[0]);
			install_forever(n + 1);
		}
		close(pipes[1]);
		for (unsigned i = 0; i <= until; i++) {
			assert_int_equal(read(pipes[0], &one, 1), 1);
			n++;
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(pipes[0], &one, 1) == 1)
			n++;
		close(pipes[0]);
		o = switch_up(file);
		count_for(&c.visit, o);
		ofproto_destroy(o);
		assert_true(c.n >= n + 1); /* and NORMAL */
		assert_true(c.last == c.n - 1);
		n = c.last;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_commit_then_publish_then_answer),
		TEST(test_within_a_group),
		TEST(test_failure_undoes),
		TEST(test_failure_undoes_meters),
		TEST(test_failure_of_what_it_stands_on),
		TEST(test_restart),
		TEST(test_counters_last),
		TEST(test_lost),
		TEST(test_confirmation_undone),
		TEST(test_unreadable_stays),
		TEST(test_live),
		TEST(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
