/* SPDX-License-Identifier: Apache-2.0 */
/* What is not confirmed in time: all is as it was, whichever verb changed it; what others did since
 * stays; a restart changes nothing. */
#include "store-dir.h"
#include "verb-bed.h"

#include <poll.h>

#include "ctl/confirms.h"
#include "ofproto/state.h"

static struct daemon d;

static void up(void)
{
	d = (struct daemon){.ofproto = switch_up(file)};
}

static void down(void)
{
	confirms_free(&d.confirms);
	ofproto_destroy(d.ofproto);
}

static int up_in_a_folder(void **state)
{
	int error = set_up(state);

	up();
	return error;
}

static int down_and_away(void **state)
{
	down();
	return tear_down(state);
}

static void op(const char *line)
{
	says(&d, ORIGIN_CLI, line);
}

/* The guard's rules, and the others. */
static const char *rules(void)
{
	static char text[1 << 14];
	struct flow_filter guard;

	flow_filter_init(&guard);
	guard.table = TABLE_GUARD;
	snprintf(text, sizeof text, "%s", switch_dump(d.ofproto, &guard, false));
	strncat(text, switch_dump(d.ofproto, NULL, false), sizeof text - strlen(text) - 1);
	return text;
}

#define BEGIN    "table=0,priority=0 actions=NORMAL\n"
#define IS(TEXT) assert_string_equal(rules(), TEXT BEGIN)

/* Until nothing waits any more, and no rule expires. */
static void time_passes(void)
{
	time_t end = time(NULL) + 60;

	while (d.ofproto->undo_laters.first || d.ofproto->timeouts.n) {
		struct pollfd p = {.fd = ofproto_fd(d.ofproto), .events = POLLIN};

		poll(&p, 1, 5);
		ofproto_run(d.ofproto);
		assert_true(time(NULL) < end);
	}
	assert_int_equal(ofproto_sync(d.ofproto, NULL), 0);
}

#define OLD  "table=0,priority=3,udp actions=NORMAL\n"
#define NEW  "table=0,priority=3,udp actions=drop\n"
#define MORE "table=0,priority=4,tcp actions=NORMAL\n"

static void what_was_replaced_comes_back(void **state)
{
	static const struct {
		const char *verb, *while_it_waits;
	} row[] = {
		{"add-flow|priority=3,udp,actions=drop", MORE NEW BEGIN},
		{"add-flow|priority=3,udp,actions=NORMAL", MORE OLD BEGIN},
		{"add-flows|--|priority=3,udp,actions=drop\npriority=5,tcp,actions=drop",
		 "table=0,priority=5,tcp actions=drop\n" MORE NEW BEGIN},
		{"mod-flows|udp,actions=drop", MORE NEW BEGIN},
		{"mod-flows|--strict|priority=3,udp,actions=drop", MORE NEW BEGIN},
		{"mod-flows|sctp,actions=drop", MORE OLD BEGIN},
		{"replace-flows|--|priority=3,udp,actions=drop", NEW},
		{"replace-flows|--|priority=4,tcp,actions=NORMAL", MORE},
		{"add-guard|udp,udp_dst=9,actions=drop|--reason|x",
		 "table=guard,priority=32768,udp,udp_dst=9 actions=drop\n" MORE OLD BEGIN},
		{"block|udp,udp_dst=9",
		 "table=guard,priority=32768,udp,udp_dst=9 actions=drop\n" MORE OLD BEGIN},
	};
	char line[200];

	(void)state;
	op("add-flow|priority=3,udp,actions=NORMAL");
	op("add-flow|priority=4,tcp,actions=NORMAL");
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		unsigned verb = (unsigned)strcspn(row[i].verb, "|");

		snprintf(line, sizeof line, "%.*s|--confirm|300ms%s", (int)verb, row[i].verb,
			 row[i].verb + verb);
		op(line);
		assert_string_equal(rules(), row[i].while_it_waits);
		time_passes();
		IS(MORE OLD);
		refuses(&d, ORIGIN_CLI, "confirm", "not-found");
	}
}

static void what_is_confirmed_stays(void **state)
{
	(void)state;
	op("add-flow|priority=3,udp,actions=NORMAL");
	op("mod-flows|udp,actions=drop|--confirm|300ms");
	op("confirm");
	op("replace-flows|--confirm|300ms|--|priority=0,actions=NORMAL\n"
	   "priority=4,tcp,actions=NORMAL");
	op("confirm");
	assert_null(d.ofproto->undo_laters.first);
	assert_int_equal(d.ofproto->timeouts.n, 0);
	IS(MORE);
}

/* A rule of the guard that is renewed: its time and its reason are as they were. */
static void a_renewed_one_comes_back(void **state)
{
	const struct flow *f;
	struct match m = {0};

	(void)state;
	assert_int_equal(match_parse_word(&m, "udp", NULL, NULL), 0);
	assert_int_equal(match_finish(&m, NULL), 0);
	op("add-guard|priority=7,udp,actions=drop|--reason|old|--forever");
	op("add-guard|priority=7,udp,actions=drop|--reason|new|--expire|10m|--confirm|300ms");
	f = ofproto_guard_flow(d.ofproto, ORIGIN_CLI, 7, &m);
	assert_string_equal(f->reason, "new");
	time_passes();
	f = ofproto_guard_flow(d.ofproto, ORIGIN_CLI, 7, &m);
	assert_non_null(f);
	assert_string_equal(f->reason, "old");
	assert_true(f->expires_ns == TIMER_NEVER);
}

static void what_others_did_stays(void **state)
{
	(void)state;
	op("add-flow|priority=3,udp,actions=NORMAL");
	op("add-flow|priority=4,tcp,actions=NORMAL");
	op("mod-flows|priority=3,udp,actions=drop|--confirm|300ms");
	op("add-flow|cookie=7,priority=3,udp,actions=drop");
	time_passes();
	assert_string_equal(rules(), MORE "cookie=0x7," NEW BEGIN);
	op("mod-flows|priority=3,udp,actions=NORMAL|--confirm|300ms");
	op("del-flows|udp");
	time_passes();
	IS(MORE);
}

/* One on another: all of them go. */
static void one_on_another(void **state)
{
	(void)state;
	op("add-flow|priority=3,udp,actions=NORMAL");
	op("add-flow|priority=3,udp,actions=drop|--confirm|200ms");
	op("mod-flows|udp,actions=output:7|--confirm|600ms");
	time_passes();
	IS(OLD);
}

/* Before its time, and after it. */
static void a_restart_goes_on(void **state)
{
	(void)state;
	op("add-flow|priority=3,udp,actions=NORMAL");
	op("mod-flows|udp,actions=drop|--confirm|300ms");
	down();
	up();
	time_passes();
	IS(OLD);
	op("mod-flows|udp,actions=drop|--confirm|1ms");
	down();
	usleep(2000);
	up();
	assert_int_equal(ofproto_sync(d.ofproto, NULL), 0);
	IS(OLD);
	assert_null(d.ofproto->undo_laters.first);
}

/* What came has expired, and what it replaced comes as soon as it can be written. */
static void a_full_disk_delays_it(void **state)
{
	time_t end = time(NULL) + 60;

	(void)state;
	op("add-flow|priority=3,udp,actions=NORMAL");
	op("mod-flows|udp,actions=drop|--confirm|300ms");
	disk_full(true);
	while (strstr(rules(), "drop") || !d.ofproto->changes.n_failed) {
		ofproto_run(d.ofproto);
		assert_true(time(NULL) < end);
	}
	IS("");
	disk_full(false);
	time_passes();
	IS(OLD);
	down();
	up();
	IS(OLD);
}

static void too_much_is_refused(void **state)
{
	char line[100];

	(void)state;
	for (unsigned i = 0; i < 501; i++) {
		snprintf(line, sizeof line, "priority=3,udp,udp_dst=%u,actions=NORMAL", i);
		switch_flow(d.ofproto, OFPFC_ADD, line);
	}
	assert_int_equal(ofproto_sync(d.ofproto, NULL), 0);
	refuses(&d, ORIGIN_CLI, "mod-flows|udp,actions=drop|--confirm|60", "limit");
	assert_null(d.ofproto->undo_laters.first);
	refuses(&d, ORIGIN_CLI, "confirm", "not-found");
	op("mod-flows|udp,udp_dst=7,actions=drop|--confirm|60");
	assert_non_null(d.ofproto->undo_laters.first);
}

#define TEST(F) cmocka_unit_test_setup_teardown(F, up_in_a_folder, down_and_away)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_replaced_comes_back),
		TEST(what_is_confirmed_stays),
		TEST(a_renewed_one_comes_back),
		TEST(what_others_did_stays),
		TEST(one_on_another),
		TEST(a_restart_goes_on),
		TEST(a_full_disk_delays_it),
		TEST(too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
