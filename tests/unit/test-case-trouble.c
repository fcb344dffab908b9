/* SPDX-License-Identifier: Apache-2.0 */
/* Cases in warped time: refusals, panic, restarts, reloads, and attacks that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/case-bed.h"

/* ---- What goes wrong ----------------------------------------------------------------------- */

static void refusals_are_tried_again_less_and_less(void **state)
{
	(void)state;
	set_up("mode=automatic", "then=drop after=0s");
	pretend_refuse(bed.guard, "the guard is full");
	flood(4000);
	seconds(30);
	assert_true(said("refused") >= 4 && said("refused") <= 6);
	assert_string_equal(reason("refused"), "the guard is full");
	pretend_refuse(bed.guard, NULL);
	seconds(35);
	assert_int_equal(in_force(), 1);
	tear_down();
}

static void what_somebody_took_away_stays_away(void **state)
{
	struct attack a;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s hold=1s");
	a = flood(4000);
	seconds(2);
	pretend_undo(bed.guard, 0);
	seconds(30);
	assert_int_equal(in_force(), 0);
	assert_string_equal(reason("over"), "somebody took the rule away");
	/* Not for this attack; for the next. */
	flood_ends(&a);
	seconds(1);
	flood(4000);
	assert_int_equal(in_force(), 1);
	tear_down();
}

static void a_switch_that_forgot_is_told_again(void **state)
{
	(void)state;
	set_up("mode=automatic", "then=drop after=0s");
	flood(4000);
	seconds(2);
	pretend_undo(bed.guard, 0);
	cases_connected(bed.cases);
	tick();
	assert_int_equal(in_force(), 1);
	assert_int_equal(said("installed"), 2);
	tear_down();
}

/* Also when only the rule's counters knew that it went on. */
static void what_it_forgot_is_told_without_a_signal_too(void **state)
{
	struct attack a;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s hold=4s");
	a = flood(4000);
	seconds(2);
	cases_over(bed.cases, bed.p, &a);
	seconds(2);
	pretend_undo(bed.guard, 0);
	cases_connected(bed.cases);
	seconds(2);
	assert_int_equal(in_force(), 1);
	assert_int_equal(said("over"), 0);
	tear_down();
}

static void panic_stops_automation(void **state)
{
	(void)state;
	set_up("mode=automatic", "then=drop after=0s expire=4s");
	cases_set_automation(bed.cases, false);
	flood(4000);
	seconds(10);
	assert_int_equal(said("found"), 1);
	assert_int_equal(pretend_n_rules(bed.guard), 0);
	cases_set_automation(bed.cases, true);
	seconds(1);
	assert_int_equal(in_force(), 1);
	cases_set_automation(bed.cases, false);
	seconds(5);
	assert_int_equal(in_force(), 0); /* not renewed */
	cases_set_automation(bed.cases, true);
	seconds(1);
	assert_int_equal(in_force(), 1);
	tear_down();
}

static void an_attack_that_changes_gets_another_rule(void **state)
{
	struct attack a;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s");
	a = flood(4000);
	seconds(3);
	bed.flood_conn = 14;
	for (unsigned i = 0; i < 60; i++) {
		cases_goes_on(bed.cases, bed.p, &a);
		tick();
	}
	assert_int_equal(in_force(), 1);
	assert_int_equal(pretend_rule(bed.guard, 1)->rule.match.value.du.in_port, htobe32(14));
	tear_down();
}

/* What changes for a moment does not take the rule's place. */
static void a_moments_change_is_none(void **state)
{
	struct attack a;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s");
	a = flood(4000);
	seconds(6);
	bed.flood_conn = 14;
	bed.flood_pps = 30000;
	for (unsigned i = 0; i < 40; i++) {
		cases_goes_on(bed.cases, bed.p, &a);
		tick();
		if (i < 10)
			continue;
		bed.flood_conn = INFECTED;
		bed.flood_pps = 4000;
	}
	assert_int_equal(pretend_n_rules(bed.guard), 1);
	assert_int_equal(said("lifted"), 0);
	tear_down();
}

static void wide_rules_are_not_made(void **state)
{
	struct attack a;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s");
	a = attack_on(0);
	a.target.kind = TARGET_PREFIX;
	a.target.prefix.len = 24;
	a.target.prefix.ip = ip_v4(htobe32(TARGET & ~0xffu));
	target_match(&a.target, &a.match);
	bed.flood_pps = 4000;
	bed.n_flood = 20;
	seconds(1);
	cases_found(bed.cases, bed.p, &a);
	seconds(1);
	assert_int_equal(pretend_n_rules(bed.guard), 0);
	assert_string_equal(reason("ignored"), "its target is a /24, and narrow=32");
	tear_down();
}

/* ---- Restarts and reloads ------------------------------------------------------------------ */

static void a_restarted_watcher_knows_its_rules(void **state)
{
	struct guard_rule rule, stray;
	struct attack a;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s expire=20s hold=3s");
	a = flood(4000);
	seconds(2);
	cases_free(bed.cases);
	set_up_cases();
	rule = pretend_rule(bed.guard, 0)->rule;
	stray = rule;
	rule.expire_ns = 5 * NSEC_PER_SEC; /* what is left of it */
	cases_tick(bed.cases, bed.now);
	cases_adopt(bed.cases, bed.p, &rule);
	tick();
	assert_true(pretend_rule(bed.guard, 0)->n_puts >= 2); /* more than half was over */
	seconds(8);
	assert_true(is_in_force(0)); /* by its counters */
	cases_found(bed.cases, bed.p, &a);
	seconds(6);
	assert_int_equal(said("found"), 1); /* the same case */
	flood_ends(&a);
	seconds(4);
	assert_false(is_in_force(0));
	assert_int_equal(said("lifted"), 1);
	/* Whose cookie does not fit is none of ours. */
	stray.cookie++;
	pretend_actuator(bed.guard)->put(pretend_actuator(bed.guard), &stray, NULL);
	assert_int_equal(in_force(), 1);
	cases_adopt(bed.cases, bed.p, &stray);
	assert_int_equal(in_force(), 0);
	tear_down();
}

static void a_rule_whose_attack_ended_meanwhile_is_lifted(void **state)
{
	struct guard_rule rule;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s expire=60s hold=3s");
	flood(4000);
	bed.flood_pps = 0;
	cases_free(bed.cases);
	set_up_cases();
	rule = pretend_rule(bed.guard, 0)->rule;
	cases_tick(bed.cases, bed.now);
	cases_adopt(bed.cases, bed.p, &rule);
	seconds(2.5);
	assert_true(is_in_force(0));
	seconds(1);
	assert_false(is_in_force(0));
	tear_down();
}

static void a_reload_keeps_cases(void **state)
{
	struct pipeline *now;
	struct attack a;

	(void)state;
	set_up("mode=automatic", "then=drop after=0s expire=60s hold=2s");
	a = flood(4000);
	now = pipeline_of("udp", "mode=automatic allow=192.0.2.1",
			  "then=drop after=0s expire=30s hold=2s");
	cases_pipeline(bed.cases, bed.p, now, false);
	pipeline_free(bed.p);
	bed.p = now;
	assert_int_equal(in_force(), 2); /* the pass that it demands now */
	assert_int_equal(pretend_rule(bed.guard, 0)->expires_ns, bed.now + 30 * NSEC_PER_SEC);
	seconds(5);
	assert_int_equal(said("found"), 1);
	flood_ends(&a);
	seconds(3);
	assert_int_equal(in_force(), 0);
	tear_down();

	set_up("mode=automatic", "then=drop after=0s");
	flood(4000);
	now = pipeline_of("udp", "mode=monitor", "then=drop after=0s");
	cases_pipeline(bed.cases, bed.p, now, false);
	pipeline_free(bed.p);
	bed.p = now;
	assert_int_equal(in_force(), 0);
	assert_string_equal(reason("lifted"), "its pipeline only monitors now");
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_are_tried_again_less_and_less),
		cmocka_unit_test(what_somebody_took_away_stays_away),
		cmocka_unit_test(a_switch_that_forgot_is_told_again),
		cmocka_unit_test(what_it_forgot_is_told_without_a_signal_too),
		cmocka_unit_test(panic_stops_automation),
		cmocka_unit_test(a_moments_change_is_none),
		cmocka_unit_test(wide_rules_are_not_made),
		cmocka_unit_test(an_attack_that_changes_gets_another_rule),
		cmocka_unit_test(a_restarted_watcher_knows_its_rules),
		cmocka_unit_test(a_rule_whose_attack_ended_meanwhile_is_lifted),
		cmocka_unit_test(a_reload_keeps_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
