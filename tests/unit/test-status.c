/* SPDX-License-Identifier: Apache-2.0 */
/* status: rates between two readings, what the watcher said, and six lines whatever it said. */
#include "tests/unit/verb-bed.h"

#include "ctl/reading.h"
#include "ctl/watcher.h"

static struct daemon d;
static struct port *in;

static int set_up(void **state)
{
	(void)state;
	d = (struct daemon){.ofproto = switch_up(NULL), .offline = true};
	in = switch_port(d.ofproto, "in type=dummy");
	switch_port(d.ofproto, "out type=dummy");
	switch_flow(d.ofproto, OFPFC_ADD, "priority=1,udp actions=output:out");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	readings_free(&d);
	watcher_free(&d);
	ofproto_destroy(d.ofproto);
	return 0;
}

static void pass_time(uint64_t ns)
{
	ofproto_set_now(d.ofproto, ofproto_now(d.ofproto) + ns);
}

/* The value, borrowed until the next call; text must be six lines of printable characters. */
static const json_t *status(void)
{
	static json_t *value;
	struct said s;
	const char *text;
	unsigned lines = 0;

	json_decref(value);
	say(&s, &d, ORIGIN_CLI, "status");
	assert_non_null(s.result);
	text = json_string_value(json_object_get(s.result, "text"));
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		lines += *c == '\n';
		assert_true(*c >= ' ' || *c == '\n');
		assert_int_not_equal(*c, 0x7f);
	}
	assert_int_equal(lines, 6);
	value = json_incref(json_object_get(s.result, "json"));
	said_free(&s);
	return value;
}

static double number(const json_t *row, const char *part, const char *key)
{
	return json_number_value(json_object_get(json_object_get(row, part), key));
}

static const char *word(const json_t *row, const char *part, const char *key)
{
	const char *s = json_string_value(json_object_get(json_object_get(row, part), key));

	return s ? s : "";
}

static void inject(unsigned n, uint8_t dst)
{
	while (n--)
		switch_inject(d.ofproto, in, 1, dst);
}

/* What status says contains this. */
static void says_text(const char *wanted)
{
	struct said s;
	const char *text;

	say(&s, &d, ORIGIN_CLI, "status");
	text = json_string_value(json_object_get(s.result, "text"));
	if (!strstr(text, wanted))
		fail_msg("no \"%s\" in:\n%s", wanted, text);
	said_free(&s);
}

/* ------------------------------------------------------------------ tests */

static void rates_are_between_two_readings(void **state)
{
	const json_t *row;

	(void)state;
	inject(5, 2);
	row = status(); /* the first reading: no time has passed */
	assert_true(number(row, "traffic", "pps") == 0);
	assert_true(json_is_false(json_object_get(json_object_get(row, "traffic"), "watched")));
	inject(30, 2);
	pass_time(2 * NSEC_PER_SEC);
	row = status();
	assert_true(number(row, "traffic", "pps") == 15);
	assert_true(number(row, "traffic", "bps") == 15 * 60 * 8);
	assert_true(number(row, "dropping", "share") == 0);
	assert_string_equal(word(row, "dropping", "reason"), "");
	assert_int_equal(json_integer_value(json_object_get(row, "rx")), 35);
	says_text("dropped     nothing now; 0 packets since the start\n");
	/* Soon after, it is still compared with a reading that is some time ago. */
	inject(10, 2);
	pass_time(NSEC_PER_SEC / 2);
	assert_true(number(status(), "traffic", "pps") == 20);
	inject(5, 2);
	pass_time(NSEC_PER_SEC / 2);
	assert_true(number(status(), "traffic", "pps") == 15);
	/* One that is too old says nothing about now. */
	inject(1000, 2);
	pass_time(11 * NSEC_PER_SEC);
	assert_true(number(status(), "traffic", "pps") == 0);
}

static void what_is_dropped_has_a_share_and_a_reason(void **state)
{
	const json_t *row;

	(void)state;
	says(&d, ORIGIN_CLI, "block|ip,nw_dst=10.0.0.3");
	inject(100, 3);
	status();
	inject(30, 2);
	inject(10, 3);
	pass_time(NSEC_PER_SEC);
	row = status();
	assert_true(number(row, "dropping", "share") == 0.25);
	assert_true(number(row, "dropping", "pps") == 10);
	assert_string_equal(word(row, "dropping", "reason"), "rule");
	assert_int_equal(json_integer_value(json_object_get(row, "dropped")), 110);
	assert_string_equal(json_string_value(json_object_get(row, "top_drop")), "rule");
}

static void report(const char *text)
{
	struct refusal r = {0};

	if (watcher_report(&d, text, &r))
		fail_msg("%s", r.text);
}

static void what_is_usual_is_the_watchers(void **state)
{
	const json_t *row;

	(void)state;
	says_text("; what is usual nobody knows without a watcher\n");
	report("{\"traffic\":{\"learned\":false,\"usual_pps\":3}}");
	says_text("; what is usual is still being learned\n");
	report("{\"traffic\":{\"learned\":true,\"usual_pps\":1200.4,\"usual_bps\":4.2e6,"
	       "\"top\":\"10.9.0.2\",\"top_pps\":900,\"top_bps\":3e6}}");
	says_text("; usual are 1,200 packets/s, 4.2 Mb/s\n");
	says_text("top target  10.9.0.2: 900 packets/s, 3.0 Mb/s\n");
	row = status();
	assert_string_equal(word(row, "target", "from"), "watcher");
	assert_true(number(row, "target", "pps") == 900);
	pass_time(10 * NSEC_PER_SEC); /* what is old is not now */
	row = status();
	assert_true(json_is_null(json_object_get(row, "target")));
	assert_true(json_is_false(json_object_get(json_object_get(row, "traffic"), "watched")));
}

static void whatever_the_watcher_says_it_is_six_lines(void **state)
{
	static const char *const odd[] = {
		"{}",
		"{\"traffic\":5,\"pipelines\":[],\"n_cases\":\"x\"}",
		"{\"traffic\":{\"learned\":true,\"usual_pps\":1e308,\"usual_bps\":-4,\"top\":"
		"\"a\\nb\\u001b[31m\\u007f\",\"top_pps\":1e300},\"n_cases\":1e300,"
		"\"pipelines\":{\"automatic\":1e99}}",
		"{\"traffic\":{\"top\":\"\",\"top_pps\":1}}",
		"{\"traffic\":{\"top\":"
		"\"äääääääääääääääääääääääääääääääääääääääääääääääääääääääää\","
		"\"top_pps\":1}}",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
		report(odd[i]);
		status();
	}
	says_text("top target  ää");
}

static void automation_is_said(void **state)
{
	struct panic_page page = {.magic = PANIC_MAGIC};

	(void)state;
	says_text("automation  no watcher\n");
	report("{\"pipelines\":{\"monitor\":2,\"ask\":0,\"automatic\":0},\"n_cases\":0}");
	says_text("automation  monitor, 0 cases under way, heard 0 s ago\n");
	report("{\"pipelines\":{\"monitor\":2,\"ask\":1,\"automatic\":0},\"n_cases\":1}");
	says(&d, ORIGIN_WATCH, "propose|udp actions=drop|--reason|x");
	pass_time(3 * NSEC_PER_SEC);
	says_text("automation  ask, 1 case under way, heard 3 s ago; 1 proposal waits for accept "
		  "or reject\n");
	report("{\"pipelines\":{\"monitor\":2,\"ask\":1,\"automatic\":1},\"n_cases\":2}");
	ofproto_datapath(d.ofproto)->panic = &page;
	panic_set(&page, PANIC_PASS);
	says_text(
		"automation  PANIC pass, so it is off (sluice-ctl panic off); automatic, 2 cases");
	assert_string_equal(word(status(), "automation", "panic"), "pass");
	ofproto_datapath(d.ofproto)->panic = NULL;
	assert_true(
		json_is_false(json_object_get(json_object_get(status(), "automation"), "panic")));
	assert_true(number(status(), "automation", "cases") == 2);
}

static bool is_limit(const char *wanted)
{
	const json_t *limits = json_object_get(status(), "limits");
	json_t *line;
	size_t i;

	json_array_foreach(limits, i,
			   line) if (strstr(json_string_value(line), wanted)) return true;
	return false;
}

static void what_is_at_a_limit_is_said(void **state)
{
	struct datapath *dp = ofproto_datapath(d.ofproto);
	struct worker *w = dp->worker[0];
	char text[120];

	(void)state;
	says_text("at a limit  nothing\n");
	for (unsigned i = 1; i <= 3686; i++) {
		snprintf(text, sizeof text, "add-guard|priority=%u,udp actions=drop|--reason|x", i);
		says(&d, ORIGIN_WATCH, text);
	}
	says_text("at a limit  nothing\n");
	says(&d, ORIGIN_WATCH, "add-guard|priority=3687,udp actions=drop|--reason|x");
	says_text("at a limit  watch has 3687 of 4096 rules in the guard\n");
	for (unsigned i = 1; i <= 58; i++) {
		snprintf(text, sizeof text, "propose|priority=%u,udp actions=drop|--reason|x", i);
		says(&d, ORIGIN_WATCH, text);
	}
	assert_true(is_limit("58 of 64 proposals wait"));

	w->n.dropped[DROP_NO_FRAME] += 1000; /* long ago */
	pass_time(11 * NSEC_PER_SEC);
	status();
	w->n.dropped[DROP_HANDOFF_FULL] += 50;
	w->sampler.missed += 7;
	pass_time(NSEC_PER_SEC);
	assert_false(is_limit("no free frame"));
	pass_time(20 * NSEC_PER_SEC);
	status();
	w->n.dropped[DROP_HANDOFF_FULL] += 50;
	w->sampler.missed += 7;
	pass_time(NSEC_PER_SEC);
	says_text("did not keep up: 50 packets/s are dropped; samples: 7 were lost; watch has");
}

/* Without a watcher, the samples say where it goes. */
static void the_top_target_is_by_samples(void **state)
{
	const json_t *row;

	(void)state;
	says_text("top target  none: nothing was sampled lately\n");
	ofproto_datapath(d.ofproto)->sample_every = 1;
	pass_time(NSEC_PER_SEC);
	inject(3, 2);
	inject(5, 3);
	inject(4, 9);
	pass_time(NSEC_PER_SEC / 2);
	row = status();
	assert_string_equal(word(row, "target", "text"), "10.0.0.3");
	assert_string_equal(word(row, "target", "from"), "samples");
	assert_true(number(row, "target", "pps") > 0);
	pass_time(3 * NSEC_PER_SEC);
	assert_true(json_is_null(json_object_get(status(), "target")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rates_are_between_two_readings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_dropped_has_a_share_and_a_reason, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_is_usual_is_the_watchers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(whatever_the_watcher_says_it_is_six_lines, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(automation_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_at_a_limit_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_top_target_is_by_samples, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
