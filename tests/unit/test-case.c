/* SPDX-License-Identifier: Apache-2.0 */
/* Cases in warped time: every transition, with a guard that pretends and signals said by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/watch-bed.h"
#include "utilities/watch/case.h"
#include "utilities/watch/classify.h"
#include "utilities/watch/pretend.h"

enum { TARGET = 0x0a090002, SITE = 0x0a020002, CLEAN = 12, INFECTED = 13 };
#define TICK      (250 * NSEC_PER_MSEC)
#define LEARNED_S 60

static struct {
	struct audit audit;
	struct alert_sink alerts;
	struct pretend *guard;
	struct recent *recent;
	struct cases *cases;
	struct pipeline *p;
	uint64_t now;
	json_t *said; /* audit entries */
	unsigned n_alerts;
	double flood_pps, lost, lawful_lost;
	uint32_t flood_conn;
	unsigned n_flood; /* of more than one target: 10.9.0.2 and on */
} bed;

static void write_audit(struct audit *a, json_t *entry)
{
	(void)a;
	json_array_append_new(bed.said, entry);
}

static void take_alert(struct alert_sink *s, const char *to, const json_t *entry)
{
	(void)s;
	assert_string_equal(to, "syslog");
	assert_non_null(json_object_get(entry, "what"));
	bed.n_alerts++;
}

static struct pipeline *pipeline_of(const char *name, const char *policy, const char *action)
{
	char text[512], file[64];
	struct pipeline_text t = {.file = file, .text = text};
	struct refusal r = {0};
	struct pipeline *p;

	snprintf(file, sizeof file, "%s.watch", name);
	snprintf(text, sizeof text,
		 "signal kind=udp target=address above=500pps learn=10s clear=2s\n"
		 "policy %s\naction alert=syslog %s\n",
		 policy, action);
	t.size = strlen(text);
	p = pipeline_parse(&t, &r);
	if (!p)
		fail_msg("%s", r.text);
	return p;
}

/* A packet of the clean site's stream, or of the infected one's. */
static struct watch_sample packet(uint32_t conn, uint32_t to)
{
	struct watch_sample s = bed_udp(bed.now, SITE, to, 6202u << 16 | 5202);

	s.packets = 10;
	s.length = 1228;
	s.octets = s.packets * s.length;
	s.key.du.pkt_len = htobe32(s.length);
	s.key.du.in_port = htobe32(conn);
	return s;
}

/* `pps` for a tick, spread over it. */
static void send_packets(uint32_t conn, uint32_t to, double pps, double *lost)
{
	double per_tick = pps / 10 / 4;

	for (double i = 0; i < per_tick; i++) {
		struct watch_sample s = packet(conn, to);

		s.ns = bed.now - TICK + (uint64_t)(i / per_tick * TICK);
		recent_sample(bed.recent, &s);
		*lost += pretend_sample(bed.guard, &s, NULL);
	}
}

/* One tick of traffic and of the cases. */
static void tick(void)
{
	bed.now += TICK;
	send_packets(CLEAN, TARGET, 400, &bed.lawful_lost);
	for (unsigned i = 0; bed.flood_pps > 0 && i < bed.n_flood; i++)
		send_packets(bed.flood_conn, TARGET + i, bed.flood_pps, &bed.lost);
	recent_tick(bed.recent, bed.now);
	pretend_tick(bed.guard, bed.now);
	cases_tick(bed.cases, bed.now);
}

static void seconds(double s)
{
	for (double i = 0; i < 4 * s; i++)
		tick();
}

static void set_up_cases(void)
{
	struct watch_config config = {.actuator = pretend_actuator(bed.guard),
				      .audit = &bed.audit,
				      .alerts = &bed.alerts};

	bed.cases = cases_create(&config, bed.recent);
}

static void set_up(const char *policy, const char *action)
{
	memset(&bed, 0, sizeof bed);
	bed.audit.write = write_audit;
	bed.alerts.alert = take_alert;
	bed.said = json_array();
	bed.guard = pretend_create();
	bed.recent = recent_create();
	bed.p = pipeline_of("udp", policy, action);
	bed.flood_conn = INFECTED;
	bed.n_flood = 1;
	bed.now = 1000 * NSEC_PER_SEC;
	recent_tick(bed.recent, bed.now);
	set_up_cases();
	seconds(LEARNED_S);
}

static void tear_down(void)
{
	cases_free(bed.cases);
	recent_free(bed.recent);
	pretend_free(bed.guard);
	pipeline_free(bed.p);
	json_decref(bed.said);
}

static struct attack attack_on(unsigned i)
{
	struct attack a = {.kind = ATTACK_UDP,
			   .target = {.kind = TARGET_ADDRESS, .prefix = {.len = 32}},
			   .first_ns = bed.now,
			   .pps = 4000,
			   .bps = 4000 * 1228 * 8,
			   .usual_pps = 400,
			   .usual_bps = 400 * 1228 * 8,
			   .answered = -1,
			   .learned = true,
			   .why = "the test says so"};

	a.target.prefix.ip = ip_v4(htobe32(TARGET + i));
	target_match(&a.target, &a.match);
	class_match(a.kind, class_word(false, 17, 0), &a.match);
	return a;
}

/* The flood begins; a second later it is found. */
static struct attack flood(double pps)
{
	struct attack first = {0};

	bed.flood_pps = pps;
	seconds(.75);
	for (unsigned i = 0; i < bed.n_flood; i++) {
		struct attack a = attack_on(i);

		a.first_ns = bed.now - 3 * TICK;
		first = i ? first : a;
		cases_found(bed.cases, bed.p, &a);
	}
	tick();
	return first;
}

/* The flood ends; the signal says so after its `clear`. */
static void flood_ends(const struct attack *a)
{
	bed.flood_pps = 0;
	seconds(2);
	cases_over(bed.cases, bed.p, a);
}

/* How often it was said, and the last entry. */
static unsigned said(const char *what)
{
	unsigned n = 0;
	size_t i;
	json_t *entry;

	json_array_foreach(bed.said, i, entry) n +=
		!strcmp(json_string_value(json_object_get(entry, "what")), what);
	return n;
}

static const json_t *last_said(const char *what)
{
	const json_t *last = NULL, *entry;
	size_t i;

	json_array_foreach(bed.said, i,
			   entry) if (!strcmp(json_string_value(json_object_get(entry, "what")),
					      what)) last = entry;
	assert_non_null(last);
	return last;
}

static const char *reason(const char *what)
{
	return json_string_value(json_object_get(last_said(what), "reason"));
}

static bool is_in_force(unsigned i)
{
	return i < pretend_n_rules(bed.guard) && !pretend_rule(bed.guard, i)->ended_ns;
}

static unsigned in_force(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < pretend_n_rules(bed.guard); i++)
		n += is_in_force(i);
	return n;
}

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
	seconds(10);
	assert_int_equal(said("proposed"), 1);
	assert_int_equal(pretend_n_rules(bed.guard), 0);
	assert_int_equal(pretend_n_proposals(bed.guard), 1);
	assert_int_equal(pretend_proposal(bed.guard, 0)->action, GUARD_DROP);
	pretend_accept(bed.guard, 0);
	seconds(20);
	assert_int_equal(said("installed"), 1);
	assert_true(is_in_force(0));
	assert_int_equal(pretend_n_proposals(bed.guard), 0);
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
		cmocka_unit_test(refusals_are_tried_again_less_and_less),
		cmocka_unit_test(what_somebody_took_away_stays_away),
		cmocka_unit_test(a_switch_that_forgot_is_told_again),
		cmocka_unit_test(panic_stops_automation),
		cmocka_unit_test(an_attack_that_changes_gets_another_rule),
		cmocka_unit_test(a_restarted_watcher_knows_its_rules),
		cmocka_unit_test(a_rule_whose_attack_ended_meanwhile_is_lifted),
		cmocka_unit_test(a_reload_keeps_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
