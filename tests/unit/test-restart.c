/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on over a restart: times by the wall clock, counters to within one flush, files of
 * older versions. */
#include <poll.h>
#include <sqlite3.h>

#include "ofproto/state.h"
#include "store-dir.h"

#define BEGIN "table=0,priority=0 actions=NORMAL\n"

static const uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5};

static void sync_it(struct ofproto *o)
{
	struct refusal r = {0};

	if (ofproto_sync(o, &r))
		fail_msg("%s", r.text);
}

/* A file as a switch left it whose rules are these, last used and made so long ago. */
struct was {
	int64_t id;
	const char *text;
	int64_t made_s, used_s, ends_s; /* ago; in; 0: never */
	uint64_t packets;
};

static void left_behind(const struct was *was, unsigned n)
{
	struct ofproto *o = switch_up(file);
	int64_t now = wall_now(o);

	for (unsigned i = 0; i < n; i++)
		change_store(
			o,
			store_op_flow(&(struct store_flow){
				.id = was[i].id,
				.origin = "cli",
				.text = was[i].text,
				.created_ns = now - was[i].made_s * (int64_t)NSEC_PER_SEC,
				.used_ns = was[i].used_s
						   ? now - was[i].used_s * (int64_t)NSEC_PER_SEC
						   : 0,
				.expires_ns = was[i].ends_s
						      ? now + was[i].ends_s * (int64_t)NSEC_PER_SEC
						      : 0,
				.packets = was[i].packets}));
	sync_it(o);
	ofproto_destroy(o);
}

/* Hard and idle timeouts and ends went on while nobody was there.  Of an idle one the store knows
 * the last packet to within a flush of ten seconds. */
static void test_times_go_on(void **state)
{
	static const struct was was[] = {
		{10, "table=1,priority=10,hard_timeout=100 actions=drop", .made_s = 99},
		{11, "table=1,priority=11,hard_timeout=100 actions=drop", .made_s = 101},
		{12, "table=1,priority=12,idle_timeout=100 actions=drop", 900, .used_s = 108},
		{13, "table=1,priority=13,idle_timeout=100 actions=drop", 900, .used_s = 112},
		{14, "table=1,priority=14,idle_timeout=100 actions=drop", 900, .used_s = 5},
		{15, "table=1,priority=15,idle_timeout=100 actions=drop", .made_s = 108},
		{16, "table=1,priority=16,idle_timeout=100 actions=drop", .made_s = 112},
		{17, "table=1,priority=17,udp actions=drop", 900, .ends_s = -1},
		{18, "table=1,priority=18,udp actions=drop", 900, .ends_s = 50},
		{19, "table=1,priority=19,hard_timeout=200,idle_timeout=100 actions=drop", 201,
		 .used_s = 1},
	};
	struct ofproto *o;

	(void)state;
	left_behind(was, ARRAY_SIZE(was));
	o = switch_up(file);
	assert_string_equal(switch_dump(o, NULL, false),
			    BEGIN "table=1,priority=18,udp actions=drop\n"
				  "table=1,idle_timeout=100,priority=15 actions=drop\n"
				  "table=1,idle_timeout=100,priority=14 actions=drop\n"
				  "table=1,idle_timeout=100,priority=12 actions=drop\n"
				  "table=1,hard_timeout=100,priority=10 actions=drop\n");
	ofproto_destroy(o);
}

struct idle {
	struct flow_visit visit;
	uint64_t ns, packets;
};

static int see_idle(struct flow_visit *v, const struct flow *f, const struct flow_stats *s)
{
	struct idle *idle = container_of(v, struct idle, visit);

	if (f->priority == 0)
		return 0;
	idle->ns = s->idle_ns;
	idle->packets = s->packets;
	return 0;
}

static struct idle idle_of(struct ofproto *o)
{
	struct idle idle = {.visit.flow = see_idle};
	struct flow_filter all;

	flow_filter_init(&all);
	ofproto_flows(o, &all, &idle.visit);
	return idle;
}

/* A rule that is changed keeps the time of its last packet, over a restart, too; a packet after
 * the restart ends the idleness of before. */
static void test_idle_lasts(void **state)
{
	static const struct was was[] = {
		{10, "priority=5,idle_timeout=100 actions=output:1", 900, 60, .packets = 3}};
	struct ofproto *o;
	struct port *in, *out;
	struct idle idle;

	(void)state;
	left_behind(was, 1);
	for (unsigned i = 0; i < 2; i++) {
		o = switch_up(file);
		idle = idle_of(o);
		assert_int_equal(idle.packets, 3);
		/* Less the flush, each time. */
		assert_true(idle.ns / NSEC_PER_SEC >= 50 - i * 11 &&
			    idle.ns / NSEC_PER_SEC <= 52 - i * 10);
		switch_flow(o, OFPFC_MODIFY, "strict priority=5 actions=output:2");
		sync_it(o);
		assert_true(idle_of(o).ns >= idle.ns);
		ofproto_destroy(o);
	}
	o = switch_up(file);
	in = switch_port(o, "in type=dummy");
	out = switch_port(o, "out type=dummy");
	sync_it(o);
	assert_int_equal(dummy_inject(in, frame, sizeof frame), 0);
	while (!switch_taken(out))
		;
	while (idle_of(o).packets != 4)
		;
	assert_true(idle_of(o).ns < 10 * NSEC_PER_SEC);
	ofproto_destroy(o);
}

static void send(struct port *in, struct port *out, unsigned n)
{
	unsigned got = 0;

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(dummy_inject(in, frame, sizeof frame), 0);
	while (got < n)
		got += switch_taken(out);
}

struct kept {
	struct store_visit visit;
	uint64_t packets[100];
};

static int see_kept(struct store_visit *v, const struct store_flow *f, struct refusal *r)
{
	(void)r;
	if (f->id < 100)
		container_of(v, struct kept, visit)->packets[f->id] = f->packets;
	return 0;
}

static struct kept kept(struct ofproto *o)
{
	struct kept k = {.visit.flow = see_kept};

	assert_int_equal(store_load_flows(o->store, &k.visit, NULL), 0);
	return k;
}

/* The flush's time comes; what it writes is through. */
static void flush(struct ofproto *o)
{
	o->counts.next_ns = ofproto_now(o);
	ofproto_run(o);
	if (o->changes.open.used || o->changes.in_flight)
		ofproto_sync(o, NULL);
}

/* What a killed daemon leaves is the last flush: what was counted until then. */
static void test_counters_are_flushed(void **state)
{
	struct ofproto *o = switch_up(file);
	struct port *in = switch_port(o, "in type=dummy"), *out = switch_port(o, "out type=dummy");

	(void)state;
	switch_flow(o, OFPFC_ADD, "in_port=in actions=output:out"); /* 2; NORMAL is 1 */
	sync_it(o);
	assert_true(o->counts.next_ns <= ofproto_now(o) + COUNTS_S * NSEC_PER_SEC);
	send(in, out, 3);
	while (idle_of(o).packets != 3)
		;
	assert_int_equal(kept(o).packets[2], 0);
	flush(o);
	assert_int_equal(kept(o).packets[2], 3);
	assert_true(o->counts.next_ns > ofproto_now(o) + 9 * NSEC_PER_SEC);
	/* Changed, it has what it counted at once, under its new number. */
	send(in, out, 2);
	while (idle_of(o).packets != 5)
		;
	switch_flow(o, OFPFC_MODIFY, "in_port=in actions=output:out,output:out");
	sync_it(o);
	assert_int_equal(kept(o).packets[3], 5);
	/* What could not be written is made up for. */
	send(in, out, 1);
	while (idle_of(o).packets != 6)
		;
	disk_full(true);
	flush(o);
	assert_true(o->changes.failing);
	disk_full(false);
	assert_int_equal(kept(o).packets[3], 5);
	flush(o);
	assert_int_equal(kept(o).packets[3], 6);
	ofproto_destroy(o);
}

/* More rules than a slice: a slice a group, and others' changes in between. */
static void test_many_counters(void **state)
{
	struct ofproto *o = switch_up(file);
	uint64_t groups;
	char text[64];

	(void)state;
	for (unsigned i = 0; i < 2 * COUNTS_SLICE; i++) {
		snprintf(text, sizeof text, "table=1,priority=%u actions=drop", i);
		switch_flow(o, OFPFC_ADD, text);
	}
	sync_it(o);
	for (unsigned i = 0; i < o->flows.next_id; i++)
		o->flows.slot[i].entry->base.packets--; /* each has met one */
	groups = o->changes.n_committed;
	o->counts.next_ns = ofproto_now(o);
	ofproto_run(o);
	while (o->counts.at || o->changes.open.used || o->changes.in_flight) {
		struct pollfd p = {.fd = ofproto_fd(o), .events = POLLIN};

		poll(&p, 1, 1);
		ofproto_run(o);
	}
	assert_int_equal(o->changes.n_committed - groups, 3); /* NORMAL is one more */
	for (unsigned i = 1; i < 100; i++)
		assert_int_equal(kept(o).packets[i], 1);
	ofproto_destroy(o);
}

/* A file of the first version, as it was made then, byte for byte in its schema. */
static void test_first_version(void **state)
{
	static const char made[] =
		"CREATE TABLE object(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
		" name TEXT NOT NULL, text TEXT NOT NULL, UNIQUE(kind, name));"
		"CREATE TABLE flow(id INTEGER PRIMARY KEY, origin TEXT NOT NULL, reason TEXT,"
		" text TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
		" packets INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0);"
		"INSERT INTO object(kind, name, text) VALUES('setting', 'begun', 'yes'),"
		" ('setting', 'dpid', '000000000000004d'),"
		" ('port', 'p9', 'p9\ntype=dummy\nofport=9\n');"
		"INSERT INTO flow VALUES(7, 'cli', NULL, 'priority=3 actions=output:9', 5, 0, 4, "
		"400);"
		"PRAGMA user_version = 1;";
	struct ofproto *o;
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, made, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	for (unsigned i = 0; i < 2; i++) {
		o = switch_up(file);
		assert_string_equal(switch_dump(o, NULL, true),
				    "n=4 table=0,priority=3 actions=output:p9\n");
		assert_int_equal(ofproto_settings(o)->dpid, 0x4d);
		ofproto_destroy(o);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_times_go_on),   TEST(test_idle_lasts),    TEST(test_counters_are_flushed),
		TEST(test_many_counters), TEST(test_first_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
