/* SPDX-License-Identifier: Apache-2.0 */
/* Sets and limits by key among changes that fail, packets that feed sets while a change is on its
 * way, bounds over all of them, and rules that waited longer than what they name. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "ofproto/limiters.h"
#include "ofproto/sets.h"
#include "ofproto/state.h"
#include "store-dir.h"

enum { WORDS = 8 };

/* "NAME key=value …" cut up; the words are good until the next call. */
static struct words cut(const char *text)
{
	static const char *word[WORDS];
	static char copy[256];
	struct words words = {0, word};
	char *save = NULL;

	assert_true(strlen(text) < sizeof copy);
	strcpy(copy, text);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(words.n < WORDS);
		word[words.n++] = w;
	}
	return words;
}

static void ok(int error, const struct refusal *r)
{
	if (error)
		fail_msg("%s", r->text);
}

static void add_set(struct ofproto *o, const char *text)
{
	struct refusal r = {0};

	ok(ofproto_add_set(o, cut(text), NULL, NULL, &r), &r);
}

static void set_add(struct ofproto *o, const char *name, const char *members)
{
	struct refusal r = {0};

	ok(ofproto_set_add(o, name, cut(members), NULL, &r), &r);
}

static int add_limiter(struct ofproto *o, const char *text, struct refusal *r)
{
	return ofproto_add_limiter(o, LIMITER, cut(text), NULL, r);
}

static void sync_it(struct ofproto *o)
{
	struct refusal r = {0};

	ok(ofproto_sync(o, &r), &r);
}

static uint64_t members_of(struct ofproto *o, const char *name)
{
	struct set_state s;

	return ofproto_set_state(o, name, &s) ? s.n : UINT64_MAX;
}

static void words_are(struct ofproto *o, const char *name, const char *want)
{
	const struct limiter *l = ofproto_limiter(o, LIMITER, name);
	struct buf text = {0};

	assert_int_equal(!l, !want);
	if (!l)
		return;
	limiter_words(l, &text);
	assert_string_equal(buf_text(&text), want);
	buf_free(&text);
}

/* Everything that can be done to a set and a limiter, in one group in flight and one on top. */
static void test_failure_undoes(void **state)
{
	struct ofproto *o = switch_up(file);
	struct refusal r = {0};

	(void)state;
	add_set(o, "old type=ipv4");
	set_add(o, "old", "10.0.0.1");
	ok(add_limiter(o, "keep by=src rate=5kpps keys=64", &r), &r);
	ok(add_limiter(o, "gone by=src rate=5kpps keys=64", &r), &r);
	sync_it(o);
	disk_full(true);
	add_set(o, "new type=ipv4");
	set_add(o, "new", "10.0.0.2");
	switch_flow(o, OFPFC_ADD, "priority=3,ip,nw_src=@new actions=drop");
	ok(add_limiter(o, "fresh by=src rate=5kpps keys=64", &r), &r);
	ok(ofproto_mod_limiter(o, LIMITER, cut("keep rate=6kpps"), NULL, &r), &r);
	ok(ofproto_del_limiter(o, LIMITER, "gone", NULL, &r), &r);
	ok(add_limiter(o, "gone by=dst rate=1kpps keys=64", &r), &r);
	o->changes.hurry = true;
	changes_run(o); /* on its way; what comes stands on it */
	assert_true(o->changes.in_flight);
	set_add(o, "new", "10.0.0.3");
	ok(ofproto_set_load(o, "new", "10.0.0.4\n10.0.0.5\n", NULL, &r), &r);
	ok(ofproto_set_load(o, "old", "", NULL, &r), &r);
	ok(ofproto_del_set(o, "old", NULL, &r), &r);
	add_set(o, "old type=port");
	switch_flow(o, OFPFC_ADD, "priority=4,ip actions=limiter:fresh");
	ok(ofproto_mod_limiter(o, LIMITER, cut("fresh rate=7kpps"), NULL, &r), &r);
	ok(ofproto_mod_limiter(o, LIMITER, cut("keep rate=8kpps"), NULL, &r), &r);
	ok(ofproto_del_limiter(o, LIMITER, "keep", NULL, &r), &r);
	assert_int_equal(ofproto_sync(o, &r), -EIO);
	disk_full(false);
	for (unsigned again = 0; again < 2; again++) {
		assert_int_equal(members_of(o, "old"), 1);
		assert_int_equal(members_of(o, "new"), UINT64_MAX);
		words_are(o, "keep", "by=src rate=5kpps keys=64");
		words_are(o, "gone", "by=src rate=5kpps keys=64");
		words_are(o, "fresh", NULL);
		assert_string_equal(switch_dump(o, NULL, false),
				    "table=0,priority=0 actions=NORMAL\n");
		set_add(o, "old", "10.0.0.1"); /* and works on */
		sync_it(o);
		ofproto_destroy(o);
		o = switch_up(file);
	}
	ofproto_destroy(o);
}

static void feed(struct ofproto *o, const char *name, const char *member)
{
	const struct set *set = set_names->by_name(name);
	struct event_set_add event = {.set = set->id, .member.ends_ms = ofproto_now_ms(o) + 60000};

	assert_int_equal(set_key_parse(set->type, member, strlen(member), &event.member.key), 0);
	sets_fed(o, &event);
}

/* What an operator was promised a place for is not pushed out by packets meanwhile. */
static void test_promised_places(void **state)
{
	struct ofproto *o = switch_up(file);
	struct set_member m;
	struct set_state s;

	(void)state;
	add_set(o, "s type=ipv4 timeout=60 max=2");
	sync_it(o);
	feed(o, "s", "10.0.0.1");
	set_add(o, "s", "10.0.0.2");
	feed(o, "s", "10.0.0.3"); /* before that is in force */
	feed(o, "s", "10.0.0.1"); /* what is there may go on */
	sync_it(o);
	assert_true(ofproto_set_member(o, "s", "10.0.0.2", &m));
	assert_false(ofproto_set_member(o, "s", "10.0.0.3", &m));
	assert_true(ofproto_set_state(o, "s", &s));
	assert_true(s.n == 2 && s.n_full == 1);
	ofproto_destroy(o);
}

static void test_bounds_over_all(void **state)
{
	struct ofproto *o = switch_up(file);
	struct refusal r = {0};
	struct set_state s;

	(void)state;
	add_set(o, "s type=ipv4 timeout=60");
	ok(add_limiter(o, "a by=src rate=1kpps keys=64", &r), &r);
	sync_it(o);
	feed(o, "s", "10.0.0.1");
	o->sets.octets_most = 1;
	o->sets.octets_ns = 0;
	feed(o, "s", "10.0.0.2");
	assert_true(ofproto_set_state(o, "s", &s));
	assert_true(s.n == 1 && s.n_full == 1);
	assert_int_not_equal(ofproto_set_add(o, "s", cut("10.0.0.3"), NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_LIMIT);
	o->limiters.octets_most = ofproto_limiters_octets(o) * 2;
	ok(add_limiter(o, "b by=src rate=1kpps keys=64", &r), &r);
	assert_int_not_equal(add_limiter(o, "c by=src rate=1kpps keys=64", &r), 0);
	assert_int_equal(r.code, REFUSED_LIMIT);
	assert_null(ofproto_limiter(o, LIMITER, "c"));
	sync_it(o);
	ofproto_destroy(o);
}

/* A rule in its inner form, from before its limiter went and another took its number. */
static void test_old_rule(void **state)
{
	struct ofproto *o = switch_up(file);
	struct refusal r = {0};
	struct flow_mod fm;

	(void)state;
	ok(add_limiter(o, "x by=src rate=1kpps keys=64", &r), &r);
	ok(flow_parse("ip actions=limiter:x", OFPFC_ADD, &fm, &r), &r);
	ok(ofproto_del_limiter(o, LIMITER, "x", NULL, &r), &r);
	assert_int_not_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_NOT_FOUND);
	sync_it(o);
	ok(add_limiter(o, "y by=src rate=1kpps keys=64", &r), &r);
	assert_int_not_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	ok(add_limiter(o, "x by=src rate=1kpps keys=64", &r), &r); /* of another number */
	assert_int_not_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	flow_mod_free(&fm);
	sync_it(o);
	ofproto_destroy(o);
}

/* A name that is cut to one that is there is none that was asked for. */
static void test_long_name(void **state)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz01234"; /* as long as can be */
	struct buf ops = {0}, wire = {0}, again = {0};
	struct ofproto *o = switch_up(file);
	struct refusal r = {0};
	struct reader reader;
	char text[80];

	(void)state;
	assert_int_equal(strlen(name), SET_NAME - 1);
	snprintf(text, sizeof text, "%s type=ipv4 timeout=60", name);
	add_set(o, text);
	snprintf(text, sizeof text, "set_add(%s,ipv4_src)", name);
	ok(actions_parse(text, &ops, &r), &r);
	actions_put(ops.data, ops.size, &wire);
	assert_int_equal(wire.size, 24 + SET_NAME);
	reader = reader_of(wire.data, wire.size);
	ok(actions_get(&reader, &again, &r), &r);
	wire.data[wire.size - 1] = 'x';
	reader = reader_of(wire.data, wire.size);
	assert_int_not_equal(actions_get(&reader, &again, &r), 0);
	assert_int_equal(r.code, REFUSED_ACTION_ARGUMENT);
	buf_free(&ops);
	buf_free(&wire);
	buf_free(&again);
	ofproto_destroy(o);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_failure_undoes), TEST(test_promised_places), TEST(test_bounds_over_all),
		TEST(test_old_rule),       TEST(test_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
