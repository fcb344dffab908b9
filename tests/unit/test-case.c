/* SPDX-License-Identifier: Apache-2.0 */
/* Cases in warped time: every transition, and what policy says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/case-bed.h"

/* ---- The way of one attack ----------------------------------------------------------------- */

static void limit_then_drop_then_lifted(void **state)
{
	const struct pretend_rule *r;
	struct attack a;
	double lost;

	(void)state;
	set_up("mode=automatic", "limit=usual then=drop after=4s expire=10s hold=3s");
	a = flood(4000);
	assert_int_equal(said("found"), 1);
	assert_int_equal(said("installed"), 1);
	assert_int_equal(pretend_n_rules(bed.guard), 1);
	r = pretend_rule(bed.guard, 0);
	assert_int_equal(r->rule.action, GUARD_LIMIT);
	/* Nothing lawful came by that connection: the least limit there is. */
	assert_int_equal(r->rule.limit_bps + 6400 * r->rule.limit_pps, 64000);
	assert_int_equal(r->rule.match.value.du.in_port, htobe32(INFECTED));
	seconds(3);
	assert_int_equal(r->rule.action, GUARD_LIMIT);
	seconds(1.5);
	assert_int_equal(r->rule.action, GUARD_DROP);
	assert_int_equal(said("escalated"), 1);
	lost = bed.lost;
	seconds(20);
	assert_true(bed.lost - lost > 20 * 4000 * .99);
	assert_int_equal(pretend_n_rules(bed.guard), 1); /* renewed, not made again */
	assert_true(said("renewed") >= 3 && said("renewed") <= 6);
	flood_ends(&a);
	seconds(2);
	assert_true(is_in_force(0)); /* held */
	seconds(2);
	assert_false(is_in_force(0));
	assert_true(r->removed);
	assert_int_equal(said("lifted"), 1);
	assert_true(bed.lawful_lost == 0);
	assert_int_equal(bed.n_alerts, 4); /* found, installed, escalated, lifted */
	tear_down();
}

/* The signal sees nothing once aggregates are dropped early; the rule's own counters do. */
static void counters_alone_keep_a_rule(void **state)
{
	struct attack a;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s expire=4s hold=2s");
	a = flood(4000);
	assert_int_equal(pretend_rule(bed.guard, 0)->rule.action, GUARD_DROP);
	seconds(3);
	cases_over(bed.cases, bed.p, &a);
	seconds(20);
	assert_true(is_in_force(0));
	bed.flood_pps = 0;
	seconds(4);
	assert_false(is_in_force(0));
	assert_int_equal(said("lifted"), 1);
	tear_down();
}

/* Nobody renews: the rule ends by itself. */
static void without_a_watcher_rules_expire(void **state)
{
	(void)state;
	set_up("mode=automatic", "then=drop after=0s expire=6s");
	flood(4000);
	assert_true(is_in_force(0));
	pretend_tick(bed.guard, bed.now + 5 * NSEC_PER_SEC);
	assert_true(is_in_force(0));
	pretend_tick(bed.guard, bed.now + 6 * NSEC_PER_SEC);
	assert_false(is_in_force(0));
	assert_false(pretend_rule(bed.guard, 0)->removed);
	tear_down();
}

static void what_comes_back_is_held_longer(void **state)
{
	struct attack a;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s hold=2s");
	a = flood(4000);
	flood_ends(&a);
	seconds(2.5);
	assert_int_equal(in_force(), 0);
	seconds(5);
	a = flood(4000);
	assert_int_equal(in_force(), 1);
	flood_ends(&a);
	seconds(2.5);
	assert_int_equal(in_force(), 1);
	/* Within the hold it meets its rule, which stays. */
	a = flood(4000);
	assert_int_equal(said("installed"), 2);
	flood_ends(&a);
	seconds(3);
	assert_int_equal(in_force(), 1);
	seconds(1.5);
	assert_int_equal(in_force(), 0);
	/* Long after, the first hold again. */
	seconds(60);
	a = flood(4000);
	flood_ends(&a);
	seconds(2.5);
	assert_int_equal(in_force(), 0);
	assert_int_equal(said("lifted"), 3);
	tear_down();
}

/* ---- What policy says ---------------------------------------------------------------------- */

static void monitor_says_and_does_nothing(void **state)
{
	struct attack a;

	(void)state;
	set_up("mode=monitor", "then=drop after=0s");
	a = flood(4000);
	seconds(20);
	assert_int_equal(pretend_n_rules(bed.guard), 0);
	assert_int_equal(said("found"), 1);
	assert_int_equal(said("ignored"), 1);
	assert_non_null(strstr(json_string_value(json_object_get(last_said("ignored"), "rule")),
			       "in_port=13"));
	flood_ends(&a);
	tick();
	assert_int_equal(said("over"), 1);
	tear_down();
}

static void asked_and_accepted(void **state)
{
	struct attack a;

	(void)state;
	set_up("mode=ask", "then=drop after=5s expire=6s hold=2s");
	a = flood(4000);
	seconds(5);
	assert_int_equal(said("proposed"), 1);
	assert_int_equal(pretend_n_rules(bed.guard), 0);
	assert_int_equal(pretend_n_proposals(bed.guard), 1);
	/* Nobody answered while it was there: again, and again after twice as long. */
	seconds(2);
	assert_int_equal(said("proposed"), 2);
	seconds(11);
	assert_int_equal(said("proposed"), 2);
	seconds(2);
	assert_int_equal(said("proposed"), 3);
	assert_int_equal(pretend_n_rules(bed.guard), 0);
	assert_int_equal(pretend_proposal(bed.guard, 0)->action, GUARD_DROP);
	pretend_accept(bed.guard, 0);
	seconds(20);
	assert_int_equal(said("installed"), 1);
	assert_true(is_in_force(0));
	assert_int_equal(said("proposed"), 3);
	flood_ends(&a);
	seconds(3);
	assert_false(is_in_force(0));
	assert_int_equal(said("lifted"), 1);
	tear_down();
}

/* No field tells the flood from the stream: a drop would cost it all. */
static void too_dear_is_ignored(void **state)
{
	(void)state;
	set_up("mode=automatic", "then=drop after=0s");
	bed.flood_conn = CLEAN;
	flood(4000);
	seconds(10);
	assert_int_equal(pretend_n_rules(bed.guard), 0);
	assert_int_equal(said("ignored"), 1);
	assert_non_null(strstr(reason("ignored"), "would cost 100.00%"));
	assert_true(json_real_value(json_object_get(
			    json_object_get(last_said("ignored"), "profile"), "collateral")) > .99);
	tear_down();
}

static void too_dear_is_limited_where_that_is_said(void **state)
{
	const struct guard_rule *rule;

	(void)state;
	set_up("mode=automatic beyond=limit", "then=drop after=1s");
	bed.flood_conn = CLEAN;
	flood(4000);
	seconds(10);
	assert_int_equal(in_force(), 1);
	rule = &pretend_rule(bed.guard, 0)->rule;
	assert_int_equal(rule->action, GUARD_LIMIT);
	assert_int_equal(said("escalated"), 0);
	/* Half as much again as what was usual. */
	assert_true(rule->limit_pps > 540 && rule->limit_pps < 660);
	tear_down();
}

static void caps_hold(void **state)
{
	(void)state;
	set_up("mode=automatic max-rules=2", "then=drop after=0s");
	bed.n_flood = 4;
	flood(2000);
	seconds(2);
	assert_int_equal(said("found"), 4);
	assert_int_equal(in_force(), 2);
	assert_int_equal(said("ignored"), 2);
	assert_non_null(strstr(reason("ignored"), "max-rules=2"));
	tear_down();
}

static void what_is_spared_passes(void **state)
{
	double lost;

	(void)state;
	set_up("mode=automatic allow=10.2.0.2,192.0.2.0/24,2001:db8::/32", "then=drop after=0s");
	flood(4000);
	/* The rule has no source: each allowed one of its family gets a pass in front. */
	assert_int_equal(in_force(), 3);
	assert_int_equal(pretend_rule(bed.guard, 0)->rule.action, GUARD_PASS);
	assert_int_equal(pretend_rule(bed.guard, 1)->rule.action, GUARD_PASS);
	assert_int_equal(pretend_rule(bed.guard, 2)->rule.action, GUARD_DROP);
	lost = bed.lost;
	seconds(5);
	assert_true(bed.lost == lost); /* the site is allowed */
	tear_down();

	set_up("mode=automatic protect=10.9.0.0/24", "then=drop after=0s");
	flood(4000);
	assert_int_equal(pretend_n_rules(bed.guard), 0);
	assert_string_equal(reason("ignored"), "it lies within protect=10.9.0.0/24");
	tear_down();
}

static void equal_rules_are_made_once(void **state)
{
	struct pipeline *second;
	struct attack a;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s hold=1s");
	second = pipeline_of("second", "mode=automatic", "then=drop after=0s hold=20s");
	a = flood(4000);
	cases_found(bed.cases, second, &a);
	seconds(1);
	assert_int_equal(in_force(), 1);
	assert_string_equal(reason("ignored"), "a rule of pipeline udp is there for it");
	/* The first lets go of it, the second takes it up. */
	cases_pipeline(bed.cases, bed.p, NULL, true);
	assert_int_equal(in_force(), 0);
	seconds(6);
	assert_int_equal(in_force(), 1);
	assert_memory_equal(pretend_rule(bed.guard, 1)->rule.reason, "second udp 10.9.0.2: ", 21);
	cases_pipeline(bed.cases, second, NULL, true);
	pipeline_free(second);
	tear_down();
}

/* What one rule would hit another hits already: it has to wait until that is gone. */
static void covered_attacks_need_no_rule(void **state)
{
	struct pipeline *conns;
	struct attack a, by_conn;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s hold=1s");
	conns = pipeline_of("conns", "mode=automatic", "then=drop after=0s hold=1s");
	a = flood(4000);
	by_conn = a;
	assert_true(target_parse("conn:13", &by_conn.target));
	target_match(&by_conn.target, &by_conn.match);
	cases_found(bed.cases, conns, &by_conn);
	seconds(2);
	assert_int_equal(in_force(), 1);
	assert_string_equal(reason("ignored"), "a rule of pipeline udp is there for it");
	cases_over(bed.cases, bed.p, &a); /* by its name; the flood goes on, to another */
	pretend_undo(bed.guard, 0);
	seconds(8);
	assert_int_equal(in_force(), 1);
	assert_memory_equal(pretend_rule(bed.guard, 1)->rule.reason, "conns udp conn:13: ", 19);
	cases_pipeline(bed.cases, conns, NULL, true);
	pipeline_free(conns);
	tear_down();
}

/* A pulse begins before the rule's counters can show it. */
static void pulses_keep_their_rule(void **state)
{
	struct attack a, idle;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s expire=20s hold=20s");
	a = flood(4000);
	idle = a;
	idle.pps = idle.bps = 0;
	for (unsigned i = 0; i < 120; i++) {
		bool on = i % 20 < 5;

		bed.flood_pps = on ? 4000 : 0;
		cases_goes_on(bed.cases, bed.p, on ? &a : &idle);
		tick();
	}
	assert_int_equal(in_force(), 1);
	assert_int_equal(pretend_n_rules(bed.guard), 1);
	assert_int_equal(said("lifted"), 0);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_then_drop_then_lifted),
		cmocka_unit_test(counters_alone_keep_a_rule),
		cmocka_unit_test(without_a_watcher_rules_expire),
		cmocka_unit_test(what_comes_back_is_held_longer),
		cmocka_unit_test(monitor_says_and_does_nothing),
		cmocka_unit_test(asked_and_accepted),
		cmocka_unit_test(too_dear_is_ignored),
		cmocka_unit_test(too_dear_is_limited_where_that_is_said),
		cmocka_unit_test(caps_hold),
		cmocka_unit_test(what_is_spared_passes),
		cmocka_unit_test(equal_rules_are_made_once),
		cmocka_unit_test(covered_attacks_need_no_rule),
		cmocka_unit_test(pulses_keep_their_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
