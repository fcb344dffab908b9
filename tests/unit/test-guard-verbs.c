/* SPDX-License-Identifier: Apache-2.0 */
/* The guard over management: who may say what, how long it holds, what takes it back. */
#include "tests/unit/verb-bed.h"

#include "ctl/watcher.h"

static struct daemon d;
static struct port *in;

#define CLI   ORIGIN_CLI
#define WATCH ORIGIN_WATCH
#define HOUR  (3600 * NSEC_PER_SEC)

static int set_up(void **state)
{
	(void)state;
	d = (struct daemon){.ofproto = switch_up(NULL), .offline = true};
	in = switch_port(d.ofproto, "in type=dummy");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	watcher_free(&d);
	ofproto_destroy(d.ofproto);
	return 0;
}

static void pass_time(uint64_t ns)
{
	ofproto_set_now(d.ofproto, ofproto_now(d.ofproto) + ns);
}

/* How many guard rules there are; *row is the first, borrowed until the next call. */
static unsigned guard(json_t **row)
{
	static json_t *rows;

	json_decref(rows);
	rows = asks(&d, CLI, "dump-flows|--guard");
	if (row)
		*row = json_array_get(rows, 0);
	return (unsigned)json_array_size(rows);
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

static uint64_t number_of(const json_t *row, const char *key)
{
	return (uint64_t)json_number_value(json_object_get(row, key));
}

/* ------------------------------------------------------------------ tests */

static void a_rule_has_origin_reason_and_expiry(void **state)
{
	json_t *row, *rows;

	(void)state;
	says(&d, WATCH,
	     "add-guard|cookie=7,udp,nw_dst=10.0.0.2 actions=drop|--reason|a flood|"
	     "--expire|60s");
	says(&d, CLI, "add-flow|udp actions=NORMAL");
	assert_int_equal(guard(&row), 1);
	assert_string_equal(text_of(row, "origin"), "watch");
	assert_string_equal(text_of(row, "reason"), "a flood");
	assert_string_equal(text_of(row, "match"), "udp,ipv4_dst=10.0.0.2");
	assert_string_equal(text_of(row, "actions"), "drop");
	assert_string_equal(text_of(row, "table"), "guard");
	assert_int_equal(number_of(row, "expires_s"), 60);
	assert_int_equal(number_of(row, "cookie"), 7);
	assert_int_equal(number_of(row, "priority"), 32768);
	rows = asks(&d, CLI, "dump-flows|--all");
	assert_int_equal(json_array_size(rows), 3); /* with the new switch's own */
	json_decref(rows);
	rows = asks(&d, CLI, "dump-flows");
	assert_int_equal(json_array_size(rows), 2);
	json_decref(rows);
	pass_time(59 * NSEC_PER_SEC);
	assert_int_equal(guard(NULL), 1);
	pass_time(NSEC_PER_SEC);
	assert_int_equal(guard(NULL), 0);
}

static void without_an_expiry_it_lasts_an_hour(void **state)
{
	json_t *row;

	(void)state;
	says(&d, CLI, "add-guard|udp actions=drop|--reason|why not");
	guard(&row);
	assert_int_equal(number_of(row, "expires_s"), 3600);
	says(&d, CLI, "add-guard|udp actions=drop|--reason|why not|--forever");
	guard(&row);
	assert_null(json_object_get(row, "expires_s"));
	pass_time(200 * HOUR);
	assert_int_equal(guard(NULL), 1);
}

static void what_a_rule_must_not_be_is_refused(void **state)
{
	char text[400] = "add-guard|udp actions=drop|--reason|";

	(void)state;
	refuses(&d, CLI, "add-guard|udp actions=drop", "syntax");
	refuses(&d, CLI, "add-guard|udp|--reason|x", "syntax");
	refuses(&d, CLI, "add-guard|udp actions=drop|--reason=", "bad-value");
	refuses(&d, CLI, "add-guard|udp actions=drop|--reason|two\nlines", "bad-value");
	refuses(&d, CLI,
		"add-guard|udp actions=drop|--reason|a \xc2\x9b"
		"31m",
		"bad-value");
	memset(text + strlen(text), 'x', 256);
	refuses(&d, CLI, text, "bad-value");
	text[strlen(text) - 1] = '\0';
	says(&d, CLI, text);
	refuses(&d, CLI, "add-guard|udp actions=drop|--reason|x|--expire|soon", "bad-value");
	refuses(&d, CLI, "add-guard|udp actions=drop|--reason|x|--expire|0", "bad-value");
	refuses(&d, CLI, "add-guard|udp actions=drop|--reason|x|--expire|169h", "limit");
	refuses(&d, CLI, "add-guard|udp actions=drop|--reason|x|--expire|1h|--forever", "syntax");
	refuses(&d, WATCH, "add-guard|udp actions=drop|--reason|x|--forever", "not-permitted");
	refuses(&d, CLI, "add-guard|table=3,udp actions=drop|--reason|x", "bad-table");
	refuses(&d, CLI, "del-guard|table=3,udp", "bad-table");
	refuses(&d, CLI, "add-guard|hard_timeout=9,udp actions=drop|--reason|x", "bad-timeout");
	refuses(&d, CLI, "add-guard|send_flow_rem,udp actions=drop|--reason|x", "bad-flags");
	assert_int_equal(guard(NULL), 1);
}

/* Its counters, age and place go on; actions, reason and expiry are the new ones. */
static void adding_again_renews(void **state)
{
	json_t *row, *answer;

	(void)state;
	says(&d, CLI, "add-guard|udp actions=drop|--reason|whose number is given again");
	switch_inject(d.ofproto, in, 1, 2);
	says(&d, CLI, "del-guard|udp");
	says(&d, WATCH, "add-guard|udp actions=drop|--reason|first|--expire|60s");
	switch_inject(d.ofproto, in, 1, 2);
	switch_inject(d.ofproto, in, 1, 2);
	pass_time(50 * NSEC_PER_SEC);
	answer =
		asks(&d, WATCH, "add-guard|cookie=9,udp actions=drop|--reason|second|--expire|60s");
	assert_true(json_is_true(json_object_get(answer, "renewed")));
	json_decref(answer);
	switch_inject(d.ofproto, in, 1, 2);
	assert_int_equal(guard(&row), 1);
	assert_int_equal(number_of(row, "packets"), 3);
	assert_int_equal(number_of(row, "bytes"), 180);
	assert_int_equal(number_of(row, "expires_s"), 60);
	assert_int_equal(number_of(row, "duration_ns"), 50 * NSEC_PER_SEC);
	assert_int_equal(number_of(row, "cookie"), 9);
	assert_string_equal(text_of(row, "reason"), "second");
	pass_time(59 * NSEC_PER_SEC);
	assert_int_equal(guard(NULL), 1);
	pass_time(NSEC_PER_SEC);
	assert_int_equal(guard(NULL), 0);
}

/* One match and priority, two origins: two rules; the operator's comes first. */
static void origins_do_not_touch_each_other(void **state)
{
	json_t *row;

	(void)state;
	says(&d, WATCH, "add-guard|udp actions=drop|--reason|a flood");
	says(&d, CLI, "add-guard|udp actions=drop|--reason|by hand");
	assert_int_equal(guard(&row), 2);
	assert_string_equal(text_of(row, "origin"), "cli");
	switch_inject(d.ofproto, in, 1, 2);
	guard(&row);
	assert_int_equal(number_of(row, "packets"), 1);

	refuses(&d, WATCH, "del-guard|udp|--origin|cli", "not-permitted");
	says(&d, WATCH, "del-guard|udp");
	refuses(&d, WATCH, "del-guard|udp", "not-found");
	assert_int_equal(guard(&row), 1);
	assert_string_equal(text_of(row, "origin"), "cli");

	says(&d, WATCH, "add-guard|tcp actions=drop|--reason|a flood");
	refuses(&d, CLI, "del-guard|tcp", "not-found");
	refuses(&d, CLI, "del-guard|tcp|--origin|controller", "bad-value");
	refuses(&d, CLI, "del-guard|tcp|--origin|bgp", "not-found");
	refuses(&d, CLI, "del-guard|cookie=1,tcp|--origin|watch", "not-found");
	refuses(&d, CLI, "del-guard|priority=5,tcp|--origin|watch", "not-found");
	says(&d, CLI, "del-guard|tcp|--origin|watch");
	says(&d, CLI, "del-guard|udp");
	assert_int_equal(guard(NULL), 0);
}

static void the_watcher_may_only_watch(void **state)
{
	static const char *const forbidden[] = {
		"add-flow|udp actions=drop",
		"del-flows|--all",
		"mod-flows|table=guard,udp actions=drop",
		"set-switch|dpid=1",
		"add-port|p type=dummy",
		"del-port|in",
		"confirm",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(forbidden); i++)
		refuses(&d, WATCH, forbidden[i], "not-permitted");
	says(&d, WATCH, "list-ports");
	says(&d, WATCH, "dump-flows");
	says(&d, WATCH, "drops");
}

/* A full share takes no more, but what is there is renewed. */
static void a_full_share_is_renewed(void **state)
{
	char text[120];

	(void)state;
	for (unsigned i = 1; i <= 4096; i++) {
		snprintf(text, sizeof text, "add-guard|priority=%u,udp actions=drop|--reason|x", i);
		says(&d, WATCH, text);
	}
	refuses(&d, WATCH, "add-guard|priority=4097,udp actions=drop|--reason|x", "limit");
	says(&d, WATCH, "add-guard|priority=4096,udp actions=drop|--reason|again");
	says(&d, CLI, "add-guard|priority=4097,udp actions=drop|--reason|x");
}

/* Each answer leaves what takes it back. */
static void run_undo(const struct said *s)
{
	const json_t *words = json_array_get(s->call.undo, 0);
	char text[400] = "";
	json_t *word;
	size_t i;

	assert_int_equal(json_array_size(s->call.undo), 1);
	json_array_foreach(words, i, word) snprintf(text + strlen(text), sizeof text - strlen(text),
						    "%s%s", i ? "|" : "", json_string_value(word));
	says(&d, CLI, text);
}

static void changes_are_taken_back(void **state)
{
	struct said s;
	json_t *row;

	(void)state;
	say(&s, &d, CLI,
	    "add-guard|cookie=3,priority=5,ip,nw_src=10.0.0.1 actions=drop|--reason|one");
	run_undo(&s);
	said_free(&s);
	assert_int_equal(guard(NULL), 0);

	says(&d, CLI, "add-guard|cookie=3,priority=5,udp actions=drop|--reason|one|--expire|90s");
	pass_time(30 * NSEC_PER_SEC);
	say(&s, &d, CLI, "add-guard|priority=5,udp actions=drop|--reason|two|--forever");
	run_undo(&s);
	said_free(&s);
	guard(&row);
	assert_string_equal(text_of(row, "reason"), "one");
	assert_int_equal(number_of(row, "cookie"), 3);
	assert_int_equal(number_of(row, "expires_s"), 60);

	says(&d, CLI, "add-guard|priority=5,udp actions=drop|--reason|two|--forever");
	say(&s, &d, CLI, "del-guard|priority=5,udp");
	run_undo(&s);
	said_free(&s);
	assert_int_equal(guard(&row), 1);
	assert_string_equal(text_of(row, "reason"), "two");
	assert_null(json_object_get(row, "expires_s"));
}

/* What a rule says of the one that hides it: that one's match, or "". */
static const char *hider(const json_t *rows, const char *match, const char *table)
{
	json_t *row, *by;
	size_t i, k;

	json_array_foreach(rows, i, row)
	{
		json_t *t = json_object_get(row, "table");
		const char *name = json_is_string(t) ? json_string_value(t) : "0";

		if (strcmp(text_of(row, "match"), match) || strcmp(name, table))
			continue;
		if (!json_object_get(row, "hidden_by"))
			return "";
		json_array_foreach(rows, k,
				   by) if (number_of(by, "id") ==
					   number_of(row, "hidden_by")) return text_of(by, "match");
	}
	return "?";
}

/* Named is the highest that leaves a rule no packet. */
static void hidden_rules_say_by_what(void **state)
{
	json_t *rows;

	(void)state;
	says(&d, WATCH, "add-guard|udp,nw_dst=10.0.0.2 actions=drop|--reason|x");
	says(&d, CLI, "add-guard|priority=1,ip,nw_dst=10.0.0.2 actions=pass|--reason|x");
	says(&d, WATCH, "add-guard|udp,nw_dst=10.0.0.3 actions=drop|--reason|x");
	says(&d, CLI, "add-flow|udp,nw_dst=10.0.0.3,tp_dst=7 actions=NORMAL");
	says(&d, CLI, "add-flow|udp,nw_dst=10.0.0.2,tp_dst=7 actions=NORMAL");
	says(&d, CLI, "add-flow|priority=5,tcp,tp_dst=7 actions=NORMAL");
	says(&d, CLI, "add-flow|priority=6,tcp actions=NORMAL");
	says(&d, CLI, "add-flow|priority=6,tcp,tp_dst=9 actions=NORMAL");
	rows = asks(&d, CLI, "dump-flows|--all");
	assert_string_equal(hider(rows, "udp,ipv4_dst=10.0.0.2", "guard"), "ip,ipv4_dst=10.0.0.2");
	assert_string_equal(hider(rows, "udp,ipv4_dst=10.0.0.3", "guard"), "");
	assert_string_equal(hider(rows, "udp,ipv4_dst=10.0.0.3,udp_dst=7", "0"),
			    "udp,ipv4_dst=10.0.0.3");
	/* The guard's drop never comes to act there, for pass goes before it to table 0. */
	assert_string_equal(hider(rows, "udp,ipv4_dst=10.0.0.2,udp_dst=7", "0"), "");
	assert_string_equal(hider(rows, "tcp,tcp_dst=7", "0"), "tcp");
	assert_string_equal(hider(rows, "tcp,tcp_dst=9", "0"), ""); /* of equals none is higher */
	json_decref(rows);
}

/* ------------------------------------------------------------------ block */

static void what_is_blocked_lasts_an_hour(void **state)
{
	json_t *answer, *row;

	(void)state;
	answer = asks(&d, CLI, "block|ip,nw_dst=10.0.0.2");
	assert_string_equal(text_of(answer, "rule"),
			    "table=guard,priority=32768,ip,ipv4_dst=10.0.0.2");
	assert_string_equal(text_of(answer, "actions"), "drop");
	assert_string_equal(text_of(answer, "undo"),
			    "sluice-ctl del-guard table=guard,priority=32768,ip,ipv4_dst=10.0.0.2");
	assert_int_equal(number_of(answer, "expires_s"), 3600);
	row = json_object_get(answer, "dry_run");
	assert_true(json_is_false(json_object_get(row, "evidence")));
	json_decref(answer);
	guard(&row);
	assert_string_equal(text_of(row, "origin"), "cli");
	assert_string_equal(text_of(row, "reason"), "blocked by the operator");
	assert_int_equal(number_of(row, "expires_s"), 3600);
	switch_inject(d.ofproto, in, 1, 2);
	guard(&row);
	assert_int_equal(number_of(row, "packets"), 1);
	says(&d, CLI, "del-guard|table=guard,priority=32768,ip,ipv4_dst=10.0.0.2");
	assert_int_equal(guard(NULL), 0);
}

static void a_block_says_how_long_and_how_much(void **state)
{
	json_t *row;

	(void)state;
	says(&d, CLI, "block|udp,tp_dst=53|--for|10m|--limit|5kpps|--reason|too many questions");
	guard(&row);
	assert_int_equal(number_of(row, "expires_s"), 600);
	assert_string_equal(text_of(row, "actions"), "limit:5kpps");
	assert_string_equal(text_of(row, "reason"), "too many questions");
	says(&d, CLI, "block|udp,tp_dst=53|--forever");
	assert_int_equal(guard(&row), 1);
	assert_null(json_object_get(row, "expires_s"));
	assert_string_equal(text_of(row, "actions"), "drop");
	refuses(&d, CLI, "block|udp,tp_dst=53|--forever|--for|1h", "syntax");
	refuses(&d, CLI, "block|udp,tp_dst=53|--for|8d", "bad-value");
	refuses(&d, CLI, "block|udp,tp_dst=53|--for|169h", "limit");
	refuses(&d, CLI, "block|udp,tp_dst=53|--limit|much", "bad-value");
	refuses(&d, CLI, "block|udp,tp_dst=53|--limit|1kpps,output:1", "bad-value");
	refuses(&d, CLI, "block|udp,tp_dst=53 actions=output:1", "syntax");
	refuses(&d, CLI, "block|udp,tp_dst=53|--reason=", "bad-value");
	refuses(&d, CLI, "block|table=0,tcp,tp_dst=53,nw_tos=3|--for|x", "bad-value");
	refuses(&d, CLI, "block|table=1,tcp,tp_dst=53", "bad-table");
	refuses(&d, WATCH, "block|tcp,tp_dst=53", "not-permitted");
	assert_int_equal(guard(NULL), 1);
}

/* Fewer than eight bits narrow it, whatever kind of packets it names. */
static void nearly_everything_needs_force(void **state)
{
	static const char *const wide[] = {
		"block|priority=1",
		"block|ip",
		"block|udp",
		"block|ip,nw_src=128.0.0.0/1",
		"block|ip,nw_src=10.0.0.0/7",
		"block|ipv6,ipv6_src=2000::/3",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(wide); i++)
		refuses(&d, CLI, wide[i], "needs-force");
	assert_int_equal(guard(NULL), 0);
	says(&d, CLI, "block|ip,nw_src=10.0.0.0/8");
	says(&d, CLI, "block|in_port=in");
	says(&d, CLI, "block|udp|--force");
	assert_int_equal(guard(NULL), 3);
}

/* ------------------------------------------------------------------ panic */

static void panic_ends_automation(void **state)
{
	struct panic_page page = {.magic = PANIC_MAGIC};
	json_t *answer;

	(void)state;
	ofproto_datapath(d.ofproto)->panic = &page;
	for (unsigned state_ = PANIC_PASS; state_ <= PANIC_DETACH; state_++) {
		panic_set(&page, state_);
		refuses(&d, WATCH, "add-guard|udp actions=drop|--reason|x", "not-permitted");
		refuses(&d, WATCH, "propose|udp actions=drop|--reason|x", "not-permitted");
		says(&d, CLI, "add-guard|udp actions=drop|--reason|x");
		says(&d, CLI, "del-guard|udp");
		answer = asks(&d, WATCH, "watch-report|{}");
		assert_true(json_is_false(json_object_get(answer, "automation")));
		json_decref(answer);
	}
	panic_set(&page, 0);
	says(&d, WATCH, "add-guard|udp actions=drop|--reason|x");
	answer = asks(&d, WATCH, "watch-report|{}");
	assert_true(json_is_true(json_object_get(answer, "automation")));
	json_decref(answer);
	ofproto_datapath(d.ofproto)->panic = NULL;
}

/* ------------------------------------------------------------------ proposals */

static unsigned proposals(json_t **row)
{
	static json_t *rows;

	json_decref(rows);
	rows = asks(&d, CLI, "proposals");
	if (row)
		*row = json_array_get(rows, 0);
	return (unsigned)json_array_size(rows);
}

static void what_is_accepted_is_the_watchers(void **state)
{
	json_t *row;

	(void)state;
	says(&d, WATCH, "propose|cookie=4,udp actions=drop|--reason|a flood|--expire|60s");
	assert_int_equal(guard(NULL), 0);
	pass_time(20 * NSEC_PER_SEC);
	assert_int_equal(proposals(&row), 1);
	assert_string_equal(text_of(row, "flow"),
			    "cookie=0x4,table=guard,priority=32768,udp actions=drop");
	assert_string_equal(text_of(row, "reason"), "a flood");
	assert_string_equal(text_of(row, "origin"), "watch");
	assert_int_equal(number_of(row, "expire_s"), 60);
	assert_int_equal(number_of(row, "age_s"), 20);
	assert_int_equal(number_of(row, "ends_s"), 40);
	refuses(&d, WATCH, "accept|1", "not-permitted");
	refuses(&d, WATCH, "reject|1", "not-permitted");
	refuses(&d, CLI, "accept|2", "not-found");
	refuses(&d, CLI, "accept|x", "not-found");
	says(&d, CLI, "accept|1");
	assert_int_equal(proposals(NULL), 0);
	refuses(&d, CLI, "accept|1", "not-found");
	assert_int_equal(guard(&row), 1);
	assert_string_equal(text_of(row, "origin"), "watch");
	assert_string_equal(text_of(row, "reason"), "a flood");
	assert_int_equal(number_of(row, "expires_s"), 60);
	assert_int_equal(number_of(row, "cookie"), 4);
}

static void what_is_rejected_is_not_proposed_again(void **state)
{
	(void)state;
	says(&d, WATCH, "propose|udp actions=drop|--reason|a flood|--expire|60s");
	says(&d, CLI, "reject|1");
	assert_int_equal(proposals(NULL), 0);
	refuses(&d, CLI, "accept|1", "not-found");
	refuses(&d, WATCH, "propose|udp actions=drop|--reason|again|--expire|60s", "exists");
	says(&d, WATCH, "propose|tcp actions=drop|--reason|another|--expire|60s");
	pass_time(60 * NSEC_PER_SEC);
	says(&d, WATCH, "propose|udp actions=drop|--reason|again|--expire|60s");
	assert_int_equal(proposals(NULL), 1);
}

static void proposals_end_and_are_renewed(void **state)
{
	json_t *row;

	(void)state;
	says(&d, WATCH, "propose|udp actions=drop|--reason|a flood|--expire|60s");
	pass_time(40 * NSEC_PER_SEC);
	says(&d, WATCH, "propose|udp actions=drop|--reason|more of it|--expire|60s");
	pass_time(59 * NSEC_PER_SEC);
	assert_int_equal(proposals(&row), 1);
	assert_int_equal(number_of(row, "id"), 1);
	assert_string_equal(text_of(row, "reason"), "more of it");
	pass_time(NSEC_PER_SEC);
	assert_int_equal(proposals(NULL), 0);
	refuses(&d, CLI, "accept|1", "not-found");
}

/* Of 64 that wait none gives way; of those that were rejected the oldest does. */
static void proposals_are_bounded(void **state)
{
	char text[120];

	(void)state;
	for (unsigned i = 1; i <= 64; i++) {
		snprintf(text, sizeof text, "propose|priority=%u,udp actions=drop|--reason|x", i);
		says(&d, WATCH, text);
	}
	refuses(&d, WATCH, "propose|tcp actions=drop|--reason|x", "limit");
	says(&d, WATCH, "propose|priority=3,udp actions=drop|--reason|renewed");
	says(&d, CLI, "reject|7");
	says(&d, WATCH, "propose|tcp actions=drop|--reason|x");
	refuses(&d, WATCH, "propose|ip,nw_proto=9 actions=drop|--reason|x", "limit");
	assert_int_equal(proposals(NULL), 64);
	refuses(&d, CLI, "accept|7", "not-found");
	says(&d, CLI, "accept|65");
}

static void what_could_not_be_installed_is_not_proposed(void **state)
{
	(void)state;
	refuses(&d, WATCH, "propose|udp actions=drop", "syntax");
	refuses(&d, WATCH, "propose|udp actions=write_actions(drop)|--reason|x",
		"unsupported-instruction");
	refuses(&d, WATCH, "propose|udp actions=drop|--reason|x|--expire|169h", "limit");
	refuses(&d, WATCH, "propose|udp actions=drop|--reason|x\x1b[0m", "bad-value");
	assert_int_equal(proposals(NULL), 0);
}

/* ------------------------------------------------------------------ reports */

static void a_report_is_an_object_of_the_watchers(void **state)
{
	static char text[WATCH_REPORT_MAX + 64];
	struct refusal r = {0};

	(void)state;
	refuses(&d, CLI, "watch-report|{}", "not-permitted");
	refuses(&d, WATCH, "watch-report|[]", "bad-value");
	refuses(&d, WATCH, "watch-report|{", "bad-value");
	refuses(&d, WATCH, "watch-report|{\"a\":1,\"a\":2}", "bad-value");
	assert_null(watcher_of(&d)->report);
	pass_time(NSEC_PER_SEC);
	says(&d, WATCH, "watch-report|{\"cases\":3}");
	assert_int_equal(number_of(d.watcher->report, "cases"), 3);
	assert_int_equal(d.watcher->report_ns, ofproto_now(d.ofproto));
	refuses(&d, WATCH, "watch-report|nothing", "bad-value");
	assert_int_equal(number_of(d.watcher->report, "cases"), 3);

	strcpy(text, "{\"a\":\"");
	memset(text + 6, 'x', WATCH_REPORT_MAX - 8);
	strcpy(text + WATCH_REPORT_MAX - 2, "\"}");
	assert_int_equal(watcher_report(&d, text, &r), 0);
	strcpy(text + WATCH_REPORT_MAX - 2, "x\"}");
	assert_int_not_equal(watcher_report(&d, text, &r), 0);
	assert_int_equal(r.code, REFUSED_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_rule_has_origin_reason_and_expiry, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_an_expiry_it_lasts_an_hour, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_a_rule_must_not_be_is_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(adding_again_renews, set_up, tear_down),
		cmocka_unit_test_setup_teardown(origins_do_not_touch_each_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_watcher_may_only_watch, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_share_is_renewed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changes_are_taken_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hidden_rules_say_by_what, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_blocked_lasts_an_hour, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_block_says_how_long_and_how_much, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(nearly_everything_needs_force, set_up, tear_down),
		cmocka_unit_test_setup_teardown(panic_ends_automation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_accepted_is_the_watchers, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_is_rejected_is_not_proposed_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(proposals_end_and_are_renewed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(proposals_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_could_not_be_installed_is_not_proposed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_report_is_an_object_of_the_watchers, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
