/* SPDX-License-Identifier: Apache-2.0 */
/* What has not proven itself is set aside: every kind of change, as if it had never been; what is
 * older than a minute of life stays; nothing of it is lost. */
#include "faulty-disk.h"
#include "ofproto/journal.h"
#include "ofproto/meters.h"
#include "ofproto/sets.h"
#include "ofproto/state.h"
#include "ofproto/store-file.h"
#include "ofproto/store-past.h"
#include "store-dir.h"

#define BEGIN   "table=0,priority=0 actions=NORMAL\n"
#define dump(o) switch_dump(o, NULL, false)

static char aside[160];

static int set_up_aside(void **state)
{
	int error = set_up(state);

	snprintf(aside, sizeof aside, "%s-aside", file);
	return error;
}

static int tear_down_aside(void **state)
{
	disk_begin(DISK_SOUND, 0);
	unlink(aside);
	return tear_down(state);
}

static struct ofproto *up(const char *db, bool set_aside)
{
	const struct ofproto_config config = {.db = db, .n_workers = 1, .set_aside = set_aside};
	struct refusal r = {0};
	struct ofproto *o = ofproto_create(&config, &r);

	if (!o)
		fail_msg("%s", r.text);
	return o;
}

static void sync_it(struct ofproto *o)
{
	struct refusal r = {0};

	if (ofproto_sync(o, &r))
		fail_msg("%s", r.text);
}

static void flush(struct ofproto *o)
{
	o->counts.next_ns = ofproto_now(o);
	ofproto_run(o);
	sync_it(o);
}

/* A minute of life. */
static void live(struct ofproto *o)
{
	for (unsigned i = 0; i <= PAST_FLUSHES; i++)
		flush(o);
}

static void meter_mod(struct ofproto *o, uint16_t command, const char *text)
{
	struct refusal r = {0};
	struct meter_config m;

	assert_int_equal(meter_parse(text, &m, &r), 0);
	if (ofproto_meter_mod(o, command, &m, NULL, &r))
		fail_msg("%s", r.text);
}

static void set_switch(struct ofproto *o, const char *word)
{
	struct refusal r = {0};

	if (ofproto_set_switch(o, (struct words){1, &word}, NULL, &r))
		fail_msg("%s", r.text);
}

/* What is old, and proven. */
static struct ofproto *begin(void)
{
	struct ofproto *o = up(file, false);

	switch_port(o, "p1 type=dummy");
	switch_port(o, "p2 type=dummy");
	meter_mod(o, OFPMC_ADD, "meter=1,bands=type=drop,rate=5");
	meter_mod(o, OFPMC_ADD, "meter=2,bands=type=drop,rate=5");
	set_switch(o, "fail-mode=secure");
	switch_flow(o, OFPFC_ADD, "cookie=1,priority=1,udp actions=drop");
	switch_flow(o, OFPFC_ADD, "cookie=2,priority=2,udp actions=output:p1");
	switch_flow(o, OFPFC_ADD, "cookie=3,priority=3,udp,idle_timeout=500 actions=drop");
	sync_it(o);
	live(o);
	return o;
}

#define OLD                                                                 \
	"cookie=0x3,table=0,idle_timeout=500,priority=3,udp actions=drop\n" \
	"cookie=0x2,table=0,priority=2,udp actions=output:p1\n"             \
	"cookie=0x1,table=0,priority=1,udp actions=drop\n" BEGIN

static void change(struct ofproto *o)
{
	struct refusal r = {0};

	switch_flow(o, OFPFC_DELETE, "cookie=1");
	switch_flow(o, OFPFC_MODIFY, "strict priority=2,udp actions=output:p2");
	switch_flow(o, OFPFC_ADD, "cookie=9,priority=9,tcp actions=drop");
	switch_flow(o, OFPFC_ADD, "cookie=8,priority=8,tcp actions=drop");
	switch_flow(o, OFPFC_DELETE, "cookie=8"); /* never was */
	meter_mod(o, OFPMC_DELETE, "meter=1");
	meter_mod(o, OFPMC_MODIFY, "meter=2,bands=type=drop,rate=7");
	meter_mod(o, OFPMC_ADD, "meter=3,bands=type=drop,rate=5");
	switch_port(o, "p3 type=dummy");
	assert_int_equal(ofproto_del_port(o, "p1", NULL, &r), 0);
	set_switch(o, "fail-mode=standalone");
	sync_it(o);
}

#define NEW                                                                 \
	"cookie=0x9,table=0,priority=9,tcp actions=drop\n"                  \
	"cookie=0x3,table=0,idle_timeout=500,priority=3,udp actions=drop\n" \
	"cookie=0x2,table=0,priority=2,udp actions=output:p2\n" BEGIN

static bool rate_is(struct ofproto *o, uint32_t meter, uint32_t rate)
{
	const struct meter_config *m = ofproto_meter(o, meter);

	return m ? m->band[0].rate == rate : !rate;
}

static void assert_old(struct ofproto *o)
{
	assert_string_equal(dump(o), OLD);
	assert_true(ofproto_port(o, "p1") && ofproto_port(o, "p2") && !ofproto_port(o, "p3"));
	assert_true(rate_is(o, 1, 5) && rate_is(o, 2, 5) && rate_is(o, 3, 0));
	assert_true(ofproto_settings(o)->fail_secure);
}

static void assert_new(struct ofproto *o)
{
	assert_string_equal(dump(o), NEW);
	assert_true(!ofproto_port(o, "p1") && ofproto_port(o, "p2") && ofproto_port(o, "p3"));
	assert_true(rate_is(o, 1, 0) && rate_is(o, 2, 7) && rate_is(o, 3, 5));
	assert_false(ofproto_settings(o)->fail_secure);
}

static const struct journal_entry *newest(struct ofproto *o)
{
	const struct journal_entry *e = NULL;

	for (int64_t id = 1; ofproto_journal_entry(o, id); id++)
		e = ofproto_journal_entry(o, id);
	return e;
}

static void set_is(struct ofproto *o, const char *name, const char *members)
{
	struct set_member m;
	struct set_state s;
	unsigned n = 0;
	char word[40];

	assert_int_equal(ofproto_set_state(o, name, &s), 1);
	for (const char *at = members; *at; at += strcspn(at, " "), at += *at == ' ', n++) {
		snprintf(word, sizeof word, "%.*s", (int)strcspn(at, " "), at);
		if (!ofproto_set_member(o, name, word, &m))
			fail_msg("%s is not in %s", word, name);
	}
	assert_int_equal(s.n, n);
}

static void set_holds(struct ofproto *o, const char *name, const char *content)
{
	struct refusal r = {0};

	if (ofproto_set_load(o, name, content, NULL, &r))
		fail_msg("%s", r.text);
	sync_it(o);
}

static void set_begins(struct ofproto *o, const char *name, const char *content)
{
	const char *const word[] = {name, "type=ipv4"};
	struct refusal r = {0};

	if (ofproto_add_set(o, (struct words){2, (const char **)(uintptr_t)word}, content, NULL,
			    &r))
		fail_msg("%s", r.text);
	sync_it(o);
}

static void set_gets(struct ofproto *o, const char *name, const char *member)
{
	struct refusal r = {0};

	assert_int_equal(ofproto_set_add(o, name, (struct words){1, &member}, NULL, &r), 0);
	sync_it(o);
}

/* Members and contents, of sets that stay, go and come: whatever was done to them since. */
static void test_sets(void **state)
{
	static const char *const gone = "10.0.0.1";
	struct refusal r = {0};
	struct ofproto *o;

	(void)state;
	o = up(file, false);
	set_begins(o, "a", "10.0.0.1\n10.0.0.2\n");
	set_gets(o, "a", "10.0.0.3");
	set_begins(o, "b", NULL);
	set_gets(o, "b", "10.1.0.1");
	live(o);
	set_gets(o, "a", "10.0.0.4");
	assert_int_equal(ofproto_set_del(o, "a", (struct words){1, (const char **)&gone}, NULL, &r),
			 0);
	set_holds(o, "a", "10.0.0.9\n");
	flush(o);
	set_gets(o, "a", "10.0.0.8");
	set_holds(o, "a", "10.0.0.7\n");
	set_gets(o, "b", "10.1.0.2");
	assert_int_equal(ofproto_del_set(o, "b", NULL, &r), 0);
	set_begins(o, "c", "10.2.0.1\n");
	set_gets(o, "c", "10.2.0.2");
	ofproto_destroy(o);
	o = up(file, true);
	set_is(o, "a", "10.0.0.1 10.0.0.2 10.0.0.3");
	set_is(o, "b", "10.1.0.1");
	assert_null(set_entry_find(o, "c"));
	/* Nothing of what went is left for one of its name. */
	set_begins(o, "c", NULL);
	ofproto_destroy(o);
	o = up(file, false);
	set_is(o, "c", "");
	ofproto_destroy(o);
	assert_int_equal(rename(aside, file), 0);
	o = up(file, false);
	set_is(o, "a", "10.0.0.7");
	set_is(o, "c", "10.2.0.1 10.2.0.2");
	assert_null(set_entry_find(o, "b"));
	ofproto_destroy(o);
}

/* Of contents no more is kept than there is room for, the latest. */
static void test_large_sets(void **state)
{
	struct ofproto *o = begin();

	(void)state;
	set_begins(o, "a", "10.0.0.1\n");
	live(o);
	switch_flow(o, OFPFC_ADD, "priority=11,tcp actions=drop");
	for (unsigned i = 0; i < 4; i++) {
		struct buf blob = {0};

		memset(buf_put(&blob, 40 << 20), (int)i, 40 << 20);
		change_store(o, store_op_set("a", &blob));
		change_staged(o, NULL);
		sync_it(o);
	}
	assert_true(store_number(o->store, "SELECT sum(length(members)) FROM past_set") <
		    (64 + 40) << 20);
	set_holds(o, "a", "10.0.0.2\n");
	live(o);
	assert_int_equal(store_number(o->store, "SELECT count(*) FROM past_set"), 0);
	ofproto_destroy(o);
}

static void test_set_aside(void **state)
{
	struct ofproto *o = begin();
	uint64_t dpid = ofproto_settings(o)->dpid;
	const struct journal_entry *e;
	struct refusal r = {0};
	struct stat st;

	(void)state;
	change(o);
	assert_new(o);
	ofproto_destroy(o);
	/* An end in order proves nothing. */
	ofproto_destroy(up(file, false));
	o = up(file, true);
	assert_old(o);
	assert_true(ofproto_settings(o)->dpid == dpid);
	e = newest(o);
	assert_non_null(e);
	assert_string_equal(e->what, "set aside after crashes");
	assert_int_equal(e->n_out, 2);
	assert_int_equal(e->n_in, 2);
	/* The rules come back as any change is taken back. */
	assert_int_equal(ofproto_undo(o, e->id, NULL, &r), 0);
	sync_it(o);
	assert_string_equal(dump(o), "cookie=0x9,table=0,priority=9,tcp actions=drop\n"
				     "cookie=0x3,table=0,idle_timeout=500,priority=3,udp "
				     "actions=drop\n"
				     "cookie=0x2,table=0,priority=2,udp actions=output:p2\n" BEGIN);
	ofproto_destroy(o);
	/* All as it was is in the copy, for nobody else to read. */
	assert_int_equal(stat(aside, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(rename(aside, file), 0);
	o = up(file, false);
	assert_new(o);
	ofproto_destroy(o);
}

/* A minute later it has proven itself; part of a minute is none. */
static void test_proven(void **state)
{
	struct ofproto *o = begin();

	(void)state;
	change(o);
	live(o);
	switch_flow(o, OFPFC_ADD, "priority=11,tcp actions=drop");
	sync_it(o);
	for (unsigned i = 0; i < PAST_FLUSHES; i++)
		flush(o);
	ofproto_destroy(o);
	o = up(file, true);
	assert_new(o);
	ofproto_destroy(o);
	/* There is nothing more to set aside, and the copy stays. */
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(unlink(aside), 0);
	o = up(file, true);
	assert_new(o);
	ofproto_destroy(o);
	assert_int_equal(access(aside, F_OK), -1);
}

/* Nothing new is nothing to write: a disk may sleep.  Nor are workers' caches for nothing. */
static void test_nothing(void **state)
{
	struct ofproto *o = begin();
	uint64_t version = ofproto_datapath(o)->version, committed = o->changes.n_committed;

	(void)state;
	disk_begin(DISK_SOUND, 0);
	live(o);
	assert_true(o->changes.n_committed > committed);
	assert_int_equal(disk.n, 0);
	assert_true(ofproto_datapath(o)->version == version);
	ofproto_destroy(o);
}

/* A new switch's own rule and settings are nothing that somebody changed. */
static void test_new(void **state)
{
	(void)state;
	ofproto_destroy(up(file, false));
	for (unsigned i = 0; i < 2; i++) {
		struct ofproto *o = up(file, i);

		assert_string_equal(dump(o), BEGIN);
		assert_int_equal(access(aside, F_OK), -1);
		ofproto_destroy(o);
	}
}

/* Keys of a connection that went are nowhere, so it stays away; one that came goes. */
static void test_connections(void **state)
{
	static const char conn[] =
		"conn c type=iptfs local=192.0.2.1 remote=192.0.2.2 spi-in=300 spi-out=301 "
		"cipher=aes128gcm key-in=000102030405060708090a0b0c0d0e0f10111213 "
		"key-out=c0ffee030405060708090a0b0c0d0e0f10111214";
	struct refusal r = {0};
	struct ofproto *o = up(file, false);
	char command[300];

	(void)state;
	if (switch_try_words(o, conn, NULL, &r))
		fail_msg("%s", r.text);
	sync_it(o);
	ofproto_destroy(o);
	o = up(file, true);
	assert_null(ofproto_conn(o, "c"));
	assert_int_equal(switch_try_words(o, conn, NULL, &r), 0);
	live(o);
	assert_int_equal(ofproto_del_conn(o, "c", NULL, &r), 0);
	sync_it(o);
	ofproto_destroy(o);
	snprintf(command, sizeof command, "! grep -q c0ffee0304 %s", file);
	assert_int_equal(system(command), 0);
	o = up(file, true);
	assert_null(ofproto_conn(o, "c"));
	ofproto_destroy(o);
}

/* Without room nothing is set aside by half; the switch starts, and the next time it is done. */
static void test_full(void **state)
{
	struct ofproto *o = begin();

	(void)state;
	change(o);
	ofproto_destroy(o);
	disk_begin(DISK_FULL, 1);
	o = up(file, true);
	assert_new(o);
	disk_begin(DISK_SOUND, 0);
	ofproto_destroy(o);
	assert_int_equal(access(aside, F_OK), -1);
	o = up(file, true);
	assert_old(o);
	ofproto_destroy(o);
}

/* What could not be written was no flush: that minute is still to come. */
static void test_failing(void **state)
{
	struct ofproto *o = begin();
	struct refusal r = {0};

	(void)state;
	change(o);
	for (unsigned i = 0; i < 2 * PAST_FLUSHES; i++) {
		disk_begin(DISK_FULL, 1);
		switch_flow(o, OFPFC_ADD, "priority=12,udp actions=drop");
		o->counts.next_ns = ofproto_now(o);
		ofproto_run(o);
		assert_int_not_equal(ofproto_sync(o, &r), 0);
		disk_begin(DISK_SOUND, 0);
	}
	flush(o);
	ofproto_destroy(o);
	o = up(file, true);
	assert_old(o);
	ofproto_destroy(o);
}

/* More than a minute may hold: whole flushes go, the oldest first, and what is left is undone. */
static void test_bounded(void **state)
{
	struct ofproto *o = begin();
	char text[64];

	(void)state;
	for (unsigned k = 0; k < 5; k++) {
		for (unsigned i = 0; i < PAST_MAX / 4 + 1; i++) {
			snprintf(text, sizeof text, "%u-%u", k, i);
			change_store(o, store_op_object("controller", text, ""));
		}
		change_staged(o, NULL);
		flush(o);
	}
	assert_true(o->changes.n_failed == 0);
	switch_flow(o, OFPFC_ADD, "priority=11,tcp actions=drop");
	sync_it(o);
	flush(o);
	ofproto_destroy(o);
	o = up(file, true);
	assert_old(o);
	ofproto_destroy(o);
}

/* So it is when all is between two flushes. */
static void test_bounded_between(void **state)
{
	enum { GROUP = PAST_MAX / 10 };
	struct ofproto *o = begin();
	char text[64];

	(void)state;
	for (unsigned k = 0; k < 20; k++) {
		for (unsigned i = 0; i < GROUP; i++) {
			snprintf(text, sizeof text, "%u-%u", k, i);
			change_store(o, store_op_object("controller", text, ""));
		}
		change_staged(o, NULL);
		sync_it(o);
		assert_in_range(store_number(o->store, "SELECT count(*) FROM past"), GROUP,
				PAST_MAX + 2 * GROUP);
	}
	ofproto_destroy(o);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_aside, tear_down_aside)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_set_aside), TEST(test_proven),          TEST(test_nothing),
		TEST(test_new),       TEST(test_connections),     TEST(test_full),
		TEST(test_bounded),   TEST(test_bounded_between), TEST(test_sets),
		TEST(test_failing),   TEST(test_large_sets),
	};

	disk_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
