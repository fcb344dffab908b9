/* SPDX-License-Identifier: Apache-2.0 */
/* The watcher's hand on sluiced, against a sluiced of a few lines; time is warped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "utilities/watch/guard-text.h"
#include "utilities/watch/switch.h"

enum { TURNS = 10000 };

static struct event_base *base;
static struct switch_link *s;
static struct actuator *a;
static char dir[32], path[64];
static int listener = -1, peer = -1;
static uint64_t now;

/* What the owner heard. */
static unsigned n_adopted, n_connected, n_done, n_off, n_on;
static struct guard_rule adopted;
static void *done_case;
static char done_refused[200];

static void on_adopt(void *arg, const struct guard_rule *rule)
{
	(void)arg;
	assert_int_equal(n_connected, 0);
	n_adopted++;
	adopted = *rule;
}

static void on_connected(void *arg)
{
	(void)arg;
	n_connected++;
}

static void on_automation(void *arg, bool on)
{
	(void)arg;
	if (on)
		n_on++;
	else
		n_off++;
}

static json_t *on_report(void *arg)
{
	(void)arg;
	return json_pack("{s:i}", "cases", 7);
}

static void on_done(void *arg, void *case_, const char *refused)
{
	assert_ptr_equal(arg, &now);
	n_done++;
	done_case = case_;
	snprintf(done_refused, sizeof done_refused, "%s", refused ? refused : "");
}

/* ---- sluiced ----------------------------------------------------------------------------- */

static void serve(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(addr.sun_path, path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(listener, 4), 0);
}

static void hang_up(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void later(uint64_t ns)
{
	now += ns;
	switch_tick(s, now);
	turn();
}

/* What it says next; NULL: nothing. */
static json_t *heard(void)
{
	static char line[1 << 16];
	size_t n = 0;

	for (unsigned i = 0; i < TURNS; i++) {
		ssize_t got;

		turn();
		if (peer < 0)
			peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		got = peer < 0 ? -1 : recv(peer, line + n, 1, 0);
		if (got == 1 && line[n++] == '\n')
			return json_loadb(line, n, 0, NULL);
		if (got != 1 && i > 20 && !n)
			return NULL;
	}
	fail_msg("half a line");
	return NULL;
}

static const char *word(const json_t *call, size_t i)
{
	json_t *words = json_object_get(json_object_get(call, "params"), "words");
	const char *text = json_string_value(json_array_get(words, i));

	return text ? text : "";
}

/* The next call, which must be `method`. */
static json_t *hear(const char *method)
{
	json_t *call = heard();

	assert_non_null(call);
	assert_string_equal(json_string_value(json_object_get(call, "method")), method);
	return call;
}

static void say(const char *text)
{
	assert_int_equal(send(peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	for (unsigned i = 0; i < 5; i++)
		turn();
}

/* Takes the call; `part` is `"result":…` or `"error":…`. */
static void answer(json_t *call, const char *part)
{
	char text[8192];

	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%lld,%s}\n",
		 json_integer_value(json_object_get(call, "id")), part);
	json_decref(call);
	say(text);
}

static void nothing_heard(void)
{
	assert_null(heard());
}

#define OK   "\"result\":{}"
#define NONE "\"result\":{\"json\":[]}"
static const char names[] = "\"result\":{\"json\":{\"ports\":[{\"name\":\"net\",\"ofport\":2}],"
			    "\"conns\":[{\"name\":\"b-infected\",\"ofport\":5}]}}";

static void greet(const char *rows)
{
	later(0);
	answer(hear("show"), names);
	answer(hear("dump-flows"), rows);
}

/* ---- The bed ----------------------------------------------------------------------------- */

static int set_up(void **state)
{
	const struct switch_owner owner = {.adopt = on_adopt,
					   .connected = on_connected,
					   .automation = on_automation,
					   .report = on_report};
	struct refusal r = {0};

	(void)state;
	log_configure("err", &r);
	signal(SIGPIPE, SIG_IGN);
	n_adopted = n_connected = n_done = n_off = n_on = 0;
	strcpy(dir, "/tmp/sl-switch-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/watch.sock", dir);
	now = 1000 * NSEC_PER_SEC;
	serve();
	base = event_base_new();
	s = switch_create(base, path, &owner, now, &r);
	assert_non_null(s);
	a = switch_actuator(s);
	a->done = on_done;
	a->done_arg = &now;
	port_names = &learned_names;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	port_names = NULL;
	switch_free(s);
	event_base_free(base);
	hang_up(&peer);
	hang_up(&listener);
	unlink(path);
	rmdir(dir);
	return 0;
}

static struct guard_rule a_rule(uint16_t priority)
{
	struct guard_rule rule = {.cookie = 0xf00000000000000full,
				  .priority = priority,
				  .action = GUARD_LIMIT,
				  .limit_bps = 8000000,
				  .expire_ns = 60 * NSEC_PER_SEC,
				  .reason = "edge udp 10.9.0.2: 9 times the usual"};
	struct refusal r;

	assert_int_equal(match_parse_word(&rule.match, "udp", NULL, &r), 0);
	assert_int_equal(match_parse_word(&rule.match, "nw_dst", "10.9.0.2", &r), 0);
	assert_int_equal(match_parse_word(&rule.match, "in_port", "5", &r), 0);
	assert_int_equal(match_finish(&rule.match, &r), 0);
	return rule;
}

#define ROW(ORIGIN, PACKETS)                                                                     \
	"{\"flow\":\"cookie=0xf00000000000000f,table=guard,priority=7,x\",\"match\":\"in_port="  \
	"b-infected,udp,nw_dst=10.9.0.2\",\"actions\":\"limit:8mbps,pass\",\"priority\":7,"      \
	"\"cookie\":9223372036854775807,\"origin\":\"" ORIGIN "\",\"reason\":\"edge udp: why\"," \
	"\"expires_ns\":5000000000,\"packets\":" PACKETS ",\"bytes\":900}"

/* ---- Tests ------------------------------------------------------------------------------- */

static void what_is_in_the_guard_is_adopted_first(void **state)
{
	struct guard_rule rule = a_rule(7);
	struct guard_counters n;
	struct switch_state st;

	(void)state;
	greet("\"result\":{\"json\":[" ROW("cli", "1") "," ROW("watch", "12") ",{},3]}");
	assert_int_equal(n_adopted, 1);
	assert_int_equal(n_connected, 1);
	assert_true(match_equal(&adopted.match, &rule.match));
	assert_int_equal(adopted.cookie, rule.cookie);
	assert_int_equal(adopted.priority, 7);
	assert_int_equal(adopted.action, GUARD_LIMIT);
	assert_int_equal(adopted.limit_bps, 8000000);
	assert_int_equal(adopted.expire_ns, 5 * NSEC_PER_SEC);
	assert_string_equal(adopted.reason, "edge udp: why");
	assert_true(a->counters(a, &rule, &n));
	assert_int_equal(n.packets, 12);
	assert_int_equal(n.octets, 900);
	rule.priority = 8;
	assert_false(a->counters(a, &rule, &n));
	switch_state(s, &st);
	assert_true(st.connected);
	assert_int_equal(st.n_rules, 1);
}

static void a_rule_is_put_read_and_removed(void **state)
{
	struct guard_rule rule = a_rule(7);
	struct guard_counters n;
	json_t *call;

	(void)state;
	greet(NONE);
	a->put(a, &rule, &rule);
	call = hear("add-guard");
	assert_string_equal(word(call, 0),
			    "cookie=0xf00000000000000f,priority=7,udp,in_port=b-infected,"
			    "ipv4_dst=10.9.0.2,actions=limit:8mbps");
	assert_string_equal(word(call, 1), "--reason");
	assert_string_equal(word(call, 2), rule.reason);
	assert_string_equal(word(call, 3), "--expire");
	assert_string_equal(word(call, 4), "60000ms");
	later(SWITCH_REPORT_NS);
	/* A reading now would not know of the rule that is on its way. */
	answer(hear("watch-report"), OK);
	nothing_heard();
	assert_int_equal(n_done, 0);
	assert_false(a->counters(a, &rule, &n));
	answer(call, OK);
	assert_int_equal(n_done, 1);
	assert_ptr_equal(done_case, &rule);
	assert_string_equal(done_refused, "");
	assert_true(a->counters(a, &rule, &n));
	assert_int_equal(n.packets, 0);
	later(SWITCH_TICK_NS);
	answer(hear("dump-flows"), "\"result\":{\"json\":[" ROW("watch", "33") "]}");
	assert_true(a->counters(a, &rule, &n));
	assert_int_equal(n.packets, 33);
	a->remove(a, &rule);
	call = hear("del-guard");
	assert_string_equal(word(call, 0), "priority=7,udp,in_port=b-infected,ipv4_dst=10.9.0.2");
	answer(call, "\"error\":{\"message\":\"gone\",\"data\":{\"code\":\"not-found\"}}");
	assert_false(a->counters(a, &rule, &n));
	assert_int_equal(n_done, 1);
}

/* A rule that a reading does not show is not there. */
static void the_guard_is_read_often_only_with_rules(void **state)
{
	struct guard_rule rule = a_rule(7);
	struct guard_counters n;

	(void)state;
	greet("\"result\":{\"json\":[" ROW("watch", "1") "]}");
	later(SWITCH_READ_NS - 1);
	answer(hear("watch-report"), OK); /* the first one is due at once */
	nothing_heard();
	later(1);
	answer(hear("dump-flows"), NONE);
	assert_false(a->counters(a, &rule, &n));
	for (unsigned i = 1; i < SWITCH_IDLE_NS / SWITCH_READ_NS; i++) {
		json_t *call;

		later(SWITCH_READ_NS);
		call = heard();
		if (!call)
			continue;
		assert_string_equal(word(call, 0), "{\"cases\":7}");
		answer(call, OK);
	}
	later(SWITCH_READ_NS);
	answer(hear("dump-flows"), NONE);
}

static void a_refusal_comes_back_and_panic_is_told(void **state)
{
	struct guard_rule rule = a_rule(7);

	(void)state;
	greet(NONE);
	a->propose(a, &rule, &rule);
	answer(hear("propose"),
	       "\"error\":{\"message\":\"too wide\",\"data\":{\"code\":\"limit\"}}");
	assert_string_equal(done_refused, "too wide");
	assert_int_equal(n_off, 0);
	a->put(a, &rule, &rule);
	answer(hear("add-guard"), "\"error\":{\"message\":\"not by you\",\"data\":{\"code\":"
				  "\"not-permitted\",\"field\":\"nw_dst\"}}");
	assert_int_equal(n_off, 0);
	a->put(a, &rule, &rule);
	answer(hear("add-guard"), "\"error\":{\"message\":\"panic\",\"data\":{\"code\":\"not-"
				  "permitted\",\"field\":\"panic\"}}");
	a->put(a, &rule, &rule);
	answer(hear("add-guard"), "\"error\":{\"message\":\"panic\",\"data\":{\"code\":\"not-"
				  "permitted\",\"field\":\"panic\"}}");
	assert_int_equal(n_done, 4);
	assert_string_equal(done_refused, "panic");
	assert_int_equal(n_off, 1);
	assert_int_equal(n_on, 0);
	later(SWITCH_REPORT_NS);
	answer(hear("watch-report"), "\"result\":{\"json\":{\"automation\":false}}");
	assert_int_equal(n_off, 1);
	later(SWITCH_REPORT_NS);
	answer(hear("watch-report"), "\"result\":{\"json\":{\"automation\":true}}");
	assert_int_equal(n_on, 1);
}

static void what_was_not_answered_goes_out_again(void **state)
{
	struct guard_rule first = a_rule(7), second = a_rule(8);
	json_t *call;

	(void)state;
	greet(NONE);
	a->put(a, &first, &first);
	json_decref(hear("add-guard"));
	hang_up(&peer);
	for (unsigned i = 0; i < 5; i++)
		turn();
	a->put(a, &second, &second);
	later(SWITCH_TICK_NS);
	nothing_heard();
	later(2 * SWITCH_TICK_NS);
	n_connected = 0;
	answer(hear("show"), names);
	call = hear("dump-flows");
	nothing_heard(); /* the guard is known first */
	answer(call, NONE);
	call = hear("add-guard");
	assert_non_null(strstr(word(call, 0), "priority=7,"));
	answer(call, OK);
	call = hear("add-guard");
	assert_non_null(strstr(word(call, 0), "priority=8,"));
	answer(call, OK);
	assert_int_equal(n_done, 2);
	assert_ptr_equal(done_case, &second);
}

/* … before what had not gone out at all. */
static void and_in_its_order(void **state)
{
	struct guard_rule rule = a_rule(0);
	unsigned n = 0;

	(void)state;
	greet(NONE);
	for (rule.priority = 1; rule.priority <= SWITCH_FLIGHT_MAX + 8; rule.priority++)
		a->put(a, &rule, NULL);
	for (; n < SWITCH_FLIGHT_MAX; n++)
		json_decref(hear("add-guard"));
	nothing_heard();
	hang_up(&peer);
	for (unsigned i = 0; i < 5; i++)
		turn();
	later(2 * SWITCH_TICK_NS);
	greet(NONE);
	for (n = 1; n <= SWITCH_FLIGHT_MAX + 8; n++) {
		json_t *call = hear("add-guard");
		char priority[32];

		snprintf(priority, sizeof priority, ",priority=%u,", n);
		assert_non_null(strstr(word(call, 0), priority));
		answer(call, OK);
	}
}

static void it_dials_each_second_at_least(void **state)
{
	unsigned tries = 0;

	(void)state;
	hang_up(&listener);
	unlink(path);
	later(0);
	for (unsigned i = 0; i < 20 * 30; i++) /* 30 s of nobody */
		later(SWITCH_TICK_NS);
	serve();
	for (; tries < 22 && peer < 0; tries++) {
		later(SWITCH_TICK_NS);
		peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	assert_in_range(tries, 1, 21);
	answer(hear("show"), names);
	answer(hear("dump-flows"), NONE);
	assert_int_equal(n_connected, 1);
}

static void what_waits_is_bounded_in_number_and_time(void **state)
{
	struct guard_rule rule = a_rule(0);
	struct switch_state st;

	(void)state;
	hang_up(&listener);
	unlink(path);
	later(0);
	for (rule.priority = 1; rule.priority <= SWITCH_QUEUE_MAX; rule.priority++)
		a->put(a, &rule, NULL);
	assert_int_equal(n_done, 0);
	a->put(a, &rule, &rule);
	assert_int_equal(n_done, 1);
	assert_ptr_equal(done_case, &rule);
	later(SWITCH_CALL_NS - 1);
	assert_int_equal(n_done, 1);
	later(1);
	assert_int_equal(n_done, 1 + SWITCH_QUEUE_MAX);
	assert_string_not_equal(done_refused, "");
	switch_state(s, &st);
	assert_int_equal(st.n_queued, 0);
}

static void of_one_rule_the_last_word_counts(void **state)
{
	struct guard_rule rule = a_rule(7), other = a_rule(8);
	struct switch_state st;

	(void)state;
	a->put(a, &rule, &rule);
	a->put(a, &other, &other);
	rule.limit_bps = 0, rule.action = GUARD_DROP;
	a->put(a, &rule, &rule);
	a->remove(a, &other);
	switch_state(s, &st);
	assert_int_equal(st.n_queued, 2);
	greet(NONE);
	json_t *call = hear("add-guard");
	assert_non_null(strstr(word(call, 0), "actions=drop"));
	answer(call, OK);
	call = hear("del-guard");
	assert_non_null(strstr(word(call, 0), "priority=8,"));
	answer(call, OK);
	nothing_heard();
}

static void a_silent_or_lying_sluiced_is_hung_up_on(void **state)
{
	static const char *const lies[] = {"no JSON\n", "{\"id\":99,\"result\":{}}\n",
					   "{\"id\":\"1\",\"result\":{}}\n", "[]\n"};
	struct switch_state st;
	char c;

	(void)state;
	for (unsigned i = 0; i <= ARRAY_SIZE(lies); i++) {
		n_connected = 0;
		later(NSEC_PER_SEC);
		greet(NONE);
		assert_int_equal(n_connected, 1);
		if (i < ARRAY_SIZE(lies)) {
			say(lies[i]);
		} else {
			later(SWITCH_REPORT_NS);
			json_decref(hear("watch-report"));
			later(SWITCH_ANSWER_NS);
			switch_state(s, &st);
			assert_true(st.connected);
			later(1);
		}
		while (recv(peer, &c, 1, 0) == 1)
			;
		assert_int_equal(recv(peer, &c, 1, 0), 0);
		switch_state(s, &st);
		assert_false(st.connected);
		hang_up(&peer);
	}
}

static void rows_of_strangers_are_passed_over(void **state)
{
	static const char *const bad[] = {
		"null",
		"[]",
		"7",
		"{\"origin\":\"watch\"}",
		"{\"origin\":\"watch\",\"match\":\"udp\",\"actions\":\"output:3\",\"priority\":1}",
		"{\"origin\":\"watch\",\"match\":\"udp\",\"actions\":\"limit:\",\"priority\":1}",
		"{\"origin\":\"watch\",\"match\":\"nothing=1\",\"actions\":\"drop\"}",
		"{\"origin\":\"watch\",\"match\":\"tp_dst=1\",\"actions\":\"drop\"}",
		"{\"origin\":\"watch\",\"match\":\"in_port=nobody\",\"actions\":\"drop\"}",
		"{\"origin\":\"watch\",\"match\":\"udp\",\"actions\":\"drop\",\"priority\":65536}",
		"{\"origin\":3,\"match\":4,\"actions\":5,\"priority\":\"x\"}"};
	static const char good[] = "{\"origin\":\"watch\",\"match\":\"\",\"actions\":\"drop\","
				   "\"packets\":-3,\"cookie\":5}";
	struct guard_rule rule;
	struct guard_counters n;
	json_t *row;

	(void)state;
	names_learn(NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		row = json_loads(bad[i], JSON_DECODE_ANY, NULL);
		assert_non_null(row);
		assert_false(guard_row_parse(row, &rule, &n));
		json_decref(row);
	}
	row = json_loads(good, 0, NULL);
	assert_true(guard_row_parse(row, &rule, &n));
	assert_int_equal(n.packets, 0);
	assert_int_equal(rule.cookie, 5);
	json_decref(row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_in_the_guard_is_adopted_first, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_rule_is_put_read_and_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_guard_is_read_often_only_with_rules, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_refusal_comes_back_and_panic_is_told, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_answered_goes_out_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(and_in_its_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_dials_each_second_at_least, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_waits_is_bounded_in_number_and_time, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(of_one_rule_the_last_word_counts, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_silent_or_lying_sluiced_is_hung_up_on, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(rows_of_strangers_are_passed_over, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
