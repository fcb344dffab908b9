/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: what is written down of each change, that it is there after a restart and is not
 * when the change was not, and that an entry is taken back whole or not at all. */
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ofproto/flows.h"
#include "ofproto/journal.h"
#include "ofproto/store.h"
#include "store-dir.h"
#include "verb-bed.h"

static void sync_it(struct ofproto *o)
{
	struct refusal r = {0};

	if (ofproto_sync(o, &r))
		fail_msg("%s", r.text);
}

/* One change as `who` asks for it, committed. */
static void change_as(struct ofproto *o, const char *who, uint8_t command, const char *text)
{
	const struct actor actor = {.origin = ORIGIN_CLI, .who = who, .what = text};

	ofproto_actor(o, &actor);
	assert_int_equal(ofproto_actor_entry(o), 0);
	switch_flow(o, command, text);
	assert_int_not_equal(ofproto_actor_entry(o), 0);
	ofproto_actor(o, NULL);
	sync_it(o);
}

struct listing {
	struct journal_visit visit;
	struct buf text;
};

static int list_one(struct journal_visit *v, const struct journal_entry *e)
{
	struct listing *l = container_of(v, struct listing, visit);
	struct journal_line line;
	const char *diff = e->diff;

	buf_printf(&l->text, "%d %s %s", (int)e->id, origin_names[e->origin], e->who);
	if (e->undoes)
		buf_printf(&l->text, " undoes=%d", (int)e->undoes);
	if (e->undone)
		buf_printf(&l->text, " undone=%d", (int)e->undone);
	if (e->cut)
		buf_printf(&l->text, " cut -%u +%u", e->n_out, e->n_in);
	else
		for (; journal_line_read(&diff, &line); free(line.flow))
			buf_printf(&l->text, " %c{%s}", line.sign, line.flow);
	buf_printf(&l->text, "\n");
	return 0;
}

static const char *journal(struct ofproto *o)
{
	static struct listing l;

	buf_free(&l.text);
	l = (struct listing){.visit = {list_one}};
	ofproto_journal(o, &l.visit);
	return buf_text(&l.text);
}

static enum refusal_code undo(struct ofproto *o, int64_t id)
{
	const struct actor actor = {
		.origin = ORIGIN_CLI, .who = "undo", .what = "undo", .undoes = id};
	struct refusal r = {0};

	ofproto_actor(o, &actor);
	ofproto_undo(o, id, NULL, &r);
	ofproto_actor(o, NULL);
	sync_it(o);
	return r.code;
}

#define BEGIN                 "table=0,priority=0 actions=NORMAL\n"
#define assert_flows(o, text) assert_string_equal(switch_dump(o, NULL, false), text)

/* Somebody else acts, answered while another's change has to wait. */
struct other {
	struct waiter waiter;
	struct ofproto *o;
};

static void acts(struct waiter *w, int error, const struct refusal *r)
{
	struct ofproto *o = container_of(w, struct other, waiter)->o;
	const struct actor actor = {
		.origin = ORIGIN_CONTROLLER, .gathers = true, .who = "other", .what = "other"};

	(void)r;
	assert_int_equal(error, 0);
	ofproto_actor(o, &actor);
	switch_flow(o, OFPFC_ADD, "priority=1,udp actions=drop");
	ofproto_actor(o, NULL);
}

static void test_who_waits_acts_on(void **state)
{
	const struct actor me = {
		.origin = ORIGIN_CLI, .who = "me", .what = "add-port", .undo = "[]"};
	struct ofproto *o = switch_up(file);
	struct other other = {{.done = acts}, o};

	(void)state;
	switch_port(o, "p1 type=dummy");
	sync_it(o);
	assert_int_equal(ofproto_del_port(o, "p1", &other.waiter, NULL), 0);
	ofproto_actor(o, &me);
	switch_port(o, "p1 type=dummy"); /* not before the other has gone */
	ofproto_actor(o, NULL);
	sync_it(o);
	assert_string_equal(journal(o),
			    "2 cli me\n"
			    "1 controller other +{table=0,priority=1,udp actions=drop}\n");
	ofproto_destroy(o);
}

static void test_what_came_and_went(void **state)
{
	struct ofproto *o = switch_up(file);
	const char *text;

	(void)state;
	change_as(o, "a", OFPFC_ADD, "priority=1,udp actions=drop");
	change_as(o, "b", OFPFC_MODIFY, "udp actions=NORMAL");
	switch_flow(o, OFPFC_ADD, "priority=9 actions=drop"); /* nobody's: not written down */
	sync_it(o);
	change_as(o, "c", OFPFC_ADD, "priority=1,udp actions=NORMAL"); /* as it is: renewed */
	change_as(o, "d", OFPFC_DELETE, "udp");
	text = "4 cli d -{table=0,priority=1,udp actions=NORMAL}\n"
	       "2 cli b -{table=0,priority=1,udp actions=drop}"
	       " +{table=0,priority=1,udp actions=NORMAL}\n"
	       "1 cli a +{table=0,priority=1,udp actions=drop}\n";
	assert_string_equal(journal(o), text);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_string_equal(journal(o), text);
	change_as(o, "e", OFPFC_DELETE, "strict priority=9");
	assert_non_null(strstr(journal(o), "5 cli e -{table=0,priority=9 actions=drop}\n"));
	ofproto_destroy(o);
}

static void test_undo(void **state)
{
	struct ofproto *o = switch_up(file);

	(void)state;
	change_as(o, "a", OFPFC_ADD, "priority=1,udp actions=drop");
	change_as(o, "b", OFPFC_MODIFY, "udp actions=NORMAL");
	assert_int_equal(undo(o, 1), REFUSED_IN_USE); /* b stands on it */
	assert_flows(o, "table=0,priority=1,udp actions=NORMAL\n" BEGIN);
	assert_int_equal(undo(o, 2), REFUSED_NOTHING);
	assert_flows(o, "table=0,priority=1,udp actions=drop\n" BEGIN);
	assert_int_equal(undo(o, 2), REFUSED_EXISTS);  /* once */
	assert_int_equal(undo(o, 3), REFUSED_NOTHING); /* but its undoing can be undone */
	assert_flows(o, "table=0,priority=1,udp actions=NORMAL\n" BEGIN);
	assert_int_equal(undo(o, 99), REFUSED_NOT_FOUND);
	assert_non_null(strstr(journal(o), "3 cli undo undoes=2 undone=4 "));
	change_as(o, "c", OFPFC_DELETE, "");
	assert_flows(o, "");
	ofproto_destroy(o);
	o = switch_up(file);
	assert_int_equal(undo(o, 5), REFUSED_NOTHING); /* also after a restart */
	assert_flows(o, "table=0,priority=1,udp actions=NORMAL\n" BEGIN);
	change_as(o, "d", OFPFC_DELETE, "udp");
	change_as(o, "e", OFPFC_ADD, "priority=1,udp actions=output:7");
	assert_int_equal(undo(o, 7), REFUSED_IN_USE); /* its place is another's now */
	assert_flows(o, "table=0,priority=1,udp actions=output:7\n" BEGIN);
	ofproto_destroy(o);
}

/* What went comes again with what is left of its time, its origin and its reason. */
static void test_undo_keeps_expiry(void **state)
{
	const struct actor actor = {.origin = ORIGIN_WATCH, .who = "w", .what = "guard"};
	struct ofproto *o = switch_up(file);
	struct journal_line line;
	struct refusal r = {0};
	struct flow_mod fm;
	const char *diff;

	(void)state;
	assert_int_equal(flow_parse("table=guard,udp actions=drop", OFPFC_ADD, &fm, &r), 0);
	fm.origin = ORIGIN_WATCH;
	fm.reason = "two\tparts\nof it";
	fm.expire_ns = 100 * NSEC_PER_SEC;
	ofproto_actor(o, &actor);
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	ofproto_actor(o, NULL);
	sync_it(o);
	fm.command = OFPFC_DELETE_STRICT;
	ofproto_actor(o, &actor);
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	ofproto_actor(o, NULL);
	sync_it(o);
	assert_int_equal(undo(o, 2), REFUSED_NOTHING);
	diff = ofproto_journal_entry(o, 3)->diff;
	assert_true(journal_line_read(&diff, &line));
	assert_int_equal(line.sign, '+');
	assert_int_equal(line.origin, ORIGIN_WATCH);
	assert_string_equal(line.reason, "two parts of it");
	assert_in_range(line.expires_ns - ofproto_journal_entry(o, 3)->at_ns, 90 * NSEC_PER_SEC,
			100 * NSEC_PER_SEC);
	free(line.flow);
	assert_non_null(ofproto_guard_flow(o, ORIGIN_WATCH, fm.priority, &fm.match));
	assert_int_equal(undo(o, 3), REFUSED_NOTHING); /* and goes again, whoever says so */
	assert_null(ofproto_guard_flow(o, ORIGIN_WATCH, fm.priority, &fm.match));
	flow_mod_free(&fm);
	ofproto_destroy(o);
}

static void in_file(const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* The wall's clock was set back by an hour, or not set yet after a restart: neither a rule that is
 * restored nor one that comes back lasts longer for it. */
static void test_clock_set_back(void **state)
{
	const struct actor actor = {.origin = ORIGIN_WATCH, .who = "w", .what = "guard"};
	struct ofproto *o = switch_up(file);
	struct journal_line line;
	struct refusal r = {0};
	struct flow_mod fm;
	const struct flow *f;
	const char *diff;
	char sql[256];

	(void)state;
	assert_int_equal(flow_parse("table=guard,udp actions=drop", OFPFC_ADD, &fm, &r), 0);
	fm.origin = ORIGIN_WATCH;
	fm.reason = "why";
	fm.expire_ns = 100 * NSEC_PER_SEC;
	ofproto_actor(o, &actor);
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	ofproto_actor(o, NULL);
	sync_it(o);
	ofproto_destroy(o);
	in_file("UPDATE flow SET created = created + 3600000000000, expires = expires + "
		"3600000000000 WHERE expires != 0");
	o = switch_up(file);
	f = ofproto_guard_flow(o, ORIGIN_WATCH, fm.priority, &fm.match);
	assert_non_null(f);
	assert_in_range(f->expires_ns - ofproto_now(o), 1, 100 * NSEC_PER_SEC);
	fm.command = OFPFC_DELETE_STRICT;
	ofproto_actor(o, &actor);
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	ofproto_actor(o, NULL);
	sync_it(o);
	diff = ofproto_journal_entry(o, 2)->diff;
	assert_true(journal_line_read(&diff, &line));
	free(line.flow);
	ofproto_destroy(o);
	snprintf(sql, sizeof sql,
		 "UPDATE journal SET at = at + 3600000000000, diff = replace(diff, '%lld', '%lld')",
		 (long long)line.expires_ns, (long long)line.expires_ns + 3600000000000);
	in_file(sql);
	o = switch_up(file);
	assert_int_equal(undo(o, 2), REFUSED_NOTHING);
	f = ofproto_guard_flow(o, ORIGIN_WATCH, fm.priority, &fm.match);
	assert_non_null(f);
	assert_in_range(f->expires_ns - ofproto_now(o), 1, 100 * NSEC_PER_SEC);
	flow_mod_free(&fm);
	ofproto_destroy(o);
}

static void guard_add(struct ofproto *o, const char *what, unsigned priority)
{
	struct refusal r = {0};
	struct flow_mod fm;
	char text[80];

	snprintf(text, sizeof text, "table=guard,priority=%u,%s actions=drop", priority, what);
	assert_int_equal(flow_parse(text, OFPFC_ADD, &fm, &r), 0);
	fm.reason = "why";
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	flow_mod_free(&fm);
}

static bool guard_has(struct ofproto *o, const char *what)
{
	struct match m = {0};

	assert_int_equal(match_parse_word(&m, what, NULL, NULL), 0);
	assert_int_equal(match_finish(&m, NULL), 0);
	return ofproto_guard_flow(o, ORIGIN_CLI, 1, &m);
}

/* The share of the guard is full when the second is to come back: all is as it was, it is no
 * change, and it can be undone later. */
static void test_refused_half_way(void **state)
{
	struct ofproto *o = switch_up(file);

	(void)state;
	guard_add(o, "tcp", 1);
	guard_add(o, "udp", 1);
	change_as(o, "a", OFPFC_DELETE, "table=guard");
	for (unsigned i = 0; i < GUARD_RULES - 1; i++)
		guard_add(o, "icmp", i + 2);
	sync_it(o);
	assert_int_equal(undo(o, 1), REFUSED_LIMIT);
	assert_false(guard_has(o, "tcp") || guard_has(o, "udp"));
	assert_null(strstr(journal(o), "undo"));
	switch_flow(o, OFPFC_DELETE, "table=guard");
	sync_it(o);
	assert_int_equal(undo(o, 1), REFUSED_NOTHING);
	assert_true(guard_has(o, "tcp") && guard_has(o, "udp"));
	ofproto_destroy(o);
}

/* Whatever stands in the words, one line each, without what moves a terminal. */
static void test_shown_on_one_line(void **state)
{
	static const char *const word[] = {"udp,\n\33[2J\302\2331m",
					   "key=00112233445566778899aabbccddeeff",
					   "00112233445566778899aabbccddeeff"};
	const struct actor actor = {.origin = ORIGIN_CLI, .who = "a\nb", .what = "\33[2Jc"};
	struct ofproto *o = switch_up(file);
	struct daemon d = {.ofproto = o};
	struct verb_call call = {.words = {3, (const char **)(uintptr_t)word}};
	struct buf text = {0};
	struct said s;

	(void)state;
	verb_shown(verb_find("add-guard"), &call, &text);
	assert_string_equal(buf_text(&text), "add-guard udp,??[2J?1m key=… …");
	text.size = 0;
	verb_put_line(&text, "aéé", 4); /* whole characters */
	assert_string_equal(buf_text(&text), "aé…");
	ofproto_actor(o, &actor);
	switch_flow(o, OFPFC_ADD, "priority=1 actions=drop");
	ofproto_actor(o, NULL);
	sync_it(o);
	say(&s, &d, ORIGIN_CLI, "log");
	assert_non_null(strstr(json_string_value(json_object_get(s.result, "text")),
			       "cli, a?b: ?[2Jc\n    + table=0,priority=1 actions=drop\n"));
	said_free(&s);
	buf_free(&text);
	ofproto_destroy(o);
}

/* A controller's thousand messages of one commit are one entry; more than a diff holds is counted,
 * and cannot be taken back. */
static void test_gathered_and_cut(void **state)
{
	const struct actor actor = {
		.origin = ORIGIN_CONTROLLER, .gathers = true, .who = "tcp", .what = "flow-mod"};
	struct ofproto *o = switch_up(file);
	char text[64];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < (round ? DIFF_LINES + 1 : 3); i++) {
			snprintf(text, sizeof text, "table=%u,priority=%u actions=drop", round,
				 i + 1);
			ofproto_actor(o, &actor);
			switch_flow(o, OFPFC_ADD, text);
			ofproto_actor(o, NULL);
		}
		sync_it(o);
	}
	snprintf(text, sizeof text, "2 controller tcp cut -0 +%u\n", DIFF_LINES + 1);
	assert_int_equal(strncmp(journal(o), text, strlen(text)), 0);
	assert_non_null(strstr(journal(o), "1 controller tcp +{table=0,priority=1 "));
	assert_int_equal(undo(o, 2), REFUSED_LIMIT);
	assert_int_equal(undo(o, 1), REFUSED_NOTHING);
	assert_null(strstr(switch_dump(o, NULL, false), "table=0,priority=2 "));
	ofproto_destroy(o);
	o = switch_up(file);
	assert_non_null(strstr(journal(o), text));
	ofproto_destroy(o);
}

/* No more than so many, in memory and in the file. */
static void test_bounded(void **state)
{
	struct ofproto *o = switch_up(file);
	sqlite3 *db = NULL;
	sqlite3_stmt *q = NULL;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < JOURNAL_MAX + 5; i++) {
		const struct actor actor = {.origin = ORIGIN_CLI, .who = "a", .what = "b"};

		ofproto_actor(o, &actor);
		switch_flow(o, OFPFC_ADD,
			    i % 2 ? "priority=1 actions=drop" : "priority=1 actions=NORMAL");
		ofproto_actor(o, NULL);
	}
	sync_it(o);
	for (const char *c = journal(o); *c; c++)
		n += *c == '\n';
	assert_int_equal(n, JOURNAL_MAX);
	assert_null(ofproto_journal_entry(o, 5));
	assert_non_null(ofproto_journal_entry(o, 6));
	change_as(o, "c", OFPFC_DELETE, "");
	ofproto_destroy(o);
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM journal", -1, &q, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	assert_in_range(sqlite3_column_int(q, 0), JOURNAL_MAX, JOURNAL_MAX + 1);
	sqlite3_finalize(q);
	sqlite3_close(db);
}

/* The end of what was put in for a while is written down as expiry's; other timeouts are not. */
static void test_expiry(void **state)
{
	struct ofproto *o = switch_up(file);
	struct refusal r = {0};
	struct flow_mod fm;

	(void)state;
	assert_int_equal(flow_parse("priority=5 actions=drop", OFPFC_ADD, &fm, &r), 0);
	fm.expire_ns = 1;
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	flow_mod_free(&fm);
	sync_it(o);
	ofproto_run(o);
	sync_it(o);
	assert_flows(o, BEGIN);
	assert_string_equal(journal(o), "1 cli expiry -{table=0,priority=5 actions=drop}\n");
	ofproto_destroy(o);
}

/* A file of the version before the journal gets one. */
static void test_older_file(void **state)
{
	struct ofproto *o = switch_up(file);
	sqlite3 *db = NULL;

	(void)state;
	change_as(o, "a", OFPFC_ADD, "priority=1,udp actions=drop");
	ofproto_destroy(o);
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "DROP TABLE journal; DROP TABLE set_content; DROP TABLE "
				      "set_log; DROP TABLE past; DROP TABLE past_set; DROP TRIGGER "
				      "flow_came; DROP "
				      "TRIGGER flow_went; DROP TRIGGER object_came; DROP TRIGGER "
				      "object_went; DROP TRIGGER object_changed; "
				      "ALTER TABLE flow DROP COLUMN used; "
				      "PRAGMA user_version = 1",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	o = switch_up(file);
	assert_flows(o, "table=0,priority=1,udp actions=drop\n" BEGIN);
	assert_string_equal(journal(o), "");
	change_as(o, "b", OFPFC_DELETE, "udp");
	ofproto_destroy(o);
	o = switch_up(file);
	assert_string_equal(journal(o), "1 cli b -{table=0,priority=1,udp actions=drop}\n");
	ofproto_destroy(o);
}

/* A line that lies ends the diff. */
static void test_broken_lines(void **state)
{
	static const char *const broken[] = {
		"", "+", "+cli", "+cli\t5", "+cli\t5\t", "*cli\t0\t\tx", "+cli\t0\tr"};
	const char *diff = "-watch\t7\twhy\tudp actions=drop\n+cli\t0\t\tx\n";
	struct journal_line l;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(broken); i++) {
		const char *at = broken[i];

		assert_false(journal_line_read(&at, &l));
	}
	assert_true(journal_line_read(&diff, &l));
	assert_true(l.sign == '-' && l.origin == ORIGIN_WATCH && l.expires_ns == 7);
	assert_string_equal(l.reason, "why");
	assert_string_equal(l.flow, "udp actions=drop");
	free(l.flow);
	assert_true(journal_line_read(&diff, &l));
	assert_string_equal(l.flow, "x");
	free(l.flow);
	assert_false(journal_line_read(&diff, &l));
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_came_and_went),
		TEST(test_who_waits_acts_on),
		TEST(test_undo),
		TEST(test_undo_keeps_expiry),
		TEST(test_clock_set_back),
		TEST(test_refused_half_way),
		TEST(test_shown_on_one_line),
		TEST(test_gathered_and_cut),
		TEST(test_bounded),
		TEST(test_expiry),
		TEST(test_older_file),
		cmocka_unit_test(test_broken_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
