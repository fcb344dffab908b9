/* SPDX-License-Identifier: Apache-2.0 */
/* The whole watcher in warped time, from samples to rules, over pipelines in files: the demo's
 * flood, and files that change under it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/watch-bed.h"
#include "utilities/watch/pretend.h"

enum { RECEIVER = 0x0a090002, A = 0x0a010002, SITE = 0x0a020002 };
enum { CONN_A = 11, CONN_CLEAN, CONN_INFECTED, NET = 2 };

static const char udp_line[] = "signal kind=udp above=1kpps times=3 learn=20s clear=3s\n";

static struct {
	char folder[32];
	struct audit audit;
	struct pretend *guard;
	struct watch *w;
	uint64_t now;
	bool flood;
	double lawful, lawful_lost, flood_lost;
	unsigned n_said[16];
} bed;

static const char *const whats[] = {"found", "installed", "escalated", "renewed", "lifted",
				    "over",  "ignored",   "refused",   "proposed"};

static void write_audit(struct audit *a, json_t *entry)
{
	const char *what = json_string_value(json_object_get(entry, "what"));

	(void)a;
	for (unsigned i = 0; i < ARRAY_SIZE(whats); i++)
		bed.n_said[i] += !strcmp(what, whats[i]);
	assert_non_null(json_object_get(entry, "pipeline"));
	assert_non_null(json_object_get(entry, "attack"));
	assert_non_null(json_object_get(entry, "reason"));
	assert_int_equal(json_integer_value(json_object_get(entry, "ns")), bed.now);
	json_decref(entry);
}

static unsigned said(const char *what)
{
	for (unsigned i = 0; i < ARRAY_SIZE(whats); i++)
		if (!strcmp(what, whats[i]))
			return bed.n_said[i];
	return 0;
}

static void put_pipeline(const char *name, const char *signal, const char *rest)
{
	char file[128];
	FILE *f;

	snprintf(file, sizeof file, "%s/%s", bed.folder, name);
	f = fopen(file, "w");
	assert_non_null(f);
	fprintf(f, "%s%s\n", signal, rest);
	fclose(f);
}

static void remove_pipeline(const char *name)
{
	char file[128];

	snprintf(file, sizeof file, "%s/%s", bed.folder, name);
	unlink(file);
}

static int set_up(void **state)
{
	struct watch_config c = {.pipelines = bed.folder, .audit = &bed.audit};
	struct refusal r = {0};

	(void)state;
	memset(&bed, 0, sizeof bed);
	bed.now = 1000 * NSEC_PER_SEC;
	bed.audit.write = write_audit;
	strcpy(bed.folder, "/tmp/sl-watch-XXXXXX");
	if (!mkdtemp(bed.folder))
		return -1;
	put_pipeline("udp.watch", udp_line,
		     "policy mode=automatic\n"
		     "action limit=usual then=drop after=4s expire=10s hold=2s");
	put_pipeline("notes.txt", "", "not a pipeline");
	bed.guard = pretend_create();
	c.actuator = pretend_actuator(bed.guard);
	bed.w = watch_create(&c, &r);
	return bed.w ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	watch_free(bed.w);
	pretend_free(bed.guard);
	remove_pipeline("udp.watch");
	remove_pipeline("bad.watch");
	remove_pipeline("notes.txt");
	return rmdir(bed.folder);
}

/* ---- The demo's traffic -------------------------------------------------------------------- */

static void give(struct watch_sample s, uint32_t conn, double *lost)
{
	s.key.du.in_port = htobe32(conn);
	s.key.du.pkt_len = htobe32(s.length);
	s.collected = conn != NET;
	if (s.collected) {
		s.key.outer.has = htobe32(HAS_CONN | HAS_IPV4);
		put_be32(&s.key.outer.ipv4_src, 0xc6336400 + conn);
	}
	*lost += pretend_sample(bed.guard, &s, NULL);
	watch_sink(bed.w)->sample(watch_sink(bed.w), &s);
}

static void stream(uint64_t ns, uint32_t conn, double *lost)
{
	struct watch_sample s = bed_udp(ns, SITE, RECEIVER, 6202u << 16 | 5202);

	s.length = 1228;
	s.octets = s.packets * s.length;
	give(s, conn, lost);
}

static void tick(void)
{
	for (uint64_t at = 0; at < TRAFFIC_TICK_NS; at += NSEC_PER_MSEC) {
		uint64_t ns = bed.now + at;
		double none = 0;

		if (bed_happens(1400.0 / BED_EVERY, .001)) {
			give(bed_tcp(ns, A, RECEIVER, 16), CONN_A, &bed.lawful_lost);
			bed.lawful += BED_EVERY;
		}
		if (bed_happens(700.0 / BED_EVERY, .001))
			give(bed_tcp(ns, RECEIVER, A, 16), NET, &none);
		if (bed_happens(410.0 / BED_EVERY, .001)) {
			stream(ns, CONN_CLEAN, &bed.lawful_lost);
			bed.lawful += BED_EVERY;
		}
		if (bed.flood && bed_happens(4100.0 / BED_EVERY, .001))
			stream(ns, CONN_INFECTED, &bed.flood_lost);
	}
	bed.now += TRAFFIC_TICK_NS;
	pretend_tick(bed.guard, bed.now);
	watch_tick(bed.w, bed.now);
}

static void seconds(double s)
{
	for (double i = 0; i < 4 * s; i++)
		tick();
}

static const struct pretend_rule *rule(unsigned i)
{
	assert_true(i < pretend_n_rules(bed.guard));
	return pretend_rule(bed.guard, i);
}

/* ---- Tests --------------------------------------------------------------------------------- */

static void the_demos_flood_is_found_told_apart_and_lifted(void **state)
{
	struct match want = {0};
	const struct pretend_rule *r;
	json_t *report;
	uint64_t began;

	(void)state;
	seconds(60);
	assert_int_equal(pretend_n_rules(bed.guard), 0);
	began = bed.now;
	bed.flood = true;
	seconds(2);
	r = rule(0);
	assert_true(r->made_ns - began <= 2 * NSEC_PER_SEC);
	assert_int_equal(match_parse_word(&want, "udp", NULL, NULL), 0);
	assert_int_equal(match_parse_word(&want, "in_port", "13", NULL), 0);
	assert_int_equal(match_parse_word(&want, "nw_dst", "10.9.0.2", NULL), 0);
	assert_int_equal(match_finish(&want, NULL), 0);
	assert_true(match_equal(&r->rule.match, &want));
	seconds(28);
	assert_int_equal(r->rule.action, GUARD_DROP);
	assert_true(bed.flood_lost > 4100 * 27);
	report = watch_report(bed.w, bed.now);
	assert_int_equal(json_integer_value(json_object_get(report, "rules")), 1);
	assert_true(json_is_true(json_object_get(report, "automation")));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(report, "pipelines"),
							    "automatic")),
			 1);
	json_decref(report);
	bed.flood = false;
	seconds(3 + 2 + 2); /* clear, hold, and what a window takes */
	assert_true(r->removed);
	assert_int_equal(pretend_n_rules(bed.guard), 1);
	assert_true(bed.lawful_lost == 0);
	assert_int_equal(said("found"), 1);
	assert_int_equal(said("installed"), 1);
	assert_int_equal(said("escalated"), 1);
	assert_int_equal(said("lifted"), 1);
	report = watch_report(bed.w, bed.now);
	assert_int_equal(json_integer_value(json_object_get(report, "n_cases")), 0);
	json_decref(report);
}

static void files_are_read_again(void **state)
{
	struct refusal r = {0};

	(void)state;
	seconds(40);
	bed.flood = true;
	seconds(2);
	assert_int_equal(rule(0)->ended_ns, 0);
	/* A file that is refused, of a pipeline that is there: as it was. */
	put_pipeline("udp.watch", udp_line, "policy mode=automtic");
	put_pipeline("bad.watch", "signal kin=udp\n", "");
	assert_int_not_equal(watch_reload(bed.w, &r), 0);
	assert_non_null(strstr(r.text, "/bad.watch:1:8: "));
	seconds(3);
	assert_int_equal(rule(0)->ended_ns, 0);
	/* Another action, the same signal: the case goes on. */
	remove_pipeline("bad.watch");
	put_pipeline("udp.watch", udp_line, "policy mode=automatic\naction expire=20s hold=2s");
	assert_int_equal(watch_reload(bed.w, &r), 0);
	assert_int_equal(rule(0)->expires_ns, bed.now + 20 * NSEC_PER_SEC);
	seconds(10);
	assert_int_equal(said("found"), 1);
	/* Another signal: the case goes on by its rule's counters, or is found again. */
	put_pipeline("udp.watch", "signal kind=udp above=1kpps times=3 learn=20s clear=4s\n",
		     "policy mode=automatic\naction expire=20s hold=2s");
	assert_int_equal(watch_reload(bed.w, &r), 0);
	seconds(20);
	assert_int_equal(rule(0)->ended_ns, 0);
	assert_int_equal(pretend_n_rules(bed.guard), 1);
	/* No pipeline, no rule. */
	remove_pipeline("udp.watch");
	assert_int_equal(watch_reload(bed.w, &r), 0);
	assert_true(rule(0)->removed);
	/* The folder itself. */
	put_pipeline("udp.watch", udp_line, "");
	assert_int_equal(watch_reload(bed.w, &r), 0);
}

/* The watcher is killed under the flood, and another begins without a memory. */
static void another_watcher_takes_over(void **state)
{
	struct watch_config c = {.pipelines = bed.folder,
				 .actuator = pretend_actuator(bed.guard),
				 .audit = &bed.audit};
	struct guard_rule found;
	struct refusal r = {0};

	(void)state;
	seconds(40);
	bed.flood = true;
	seconds(8);
	watch_free(bed.w);
	bed.w = watch_create(&c, &r);
	assert_non_null(bed.w);
	found = rule(0)->rule;
	found.expire_ns = rule(0)->expires_ns - bed.now;
	watch_tick(bed.w, bed.now);
	watch_adopt(bed.w, &found);
	watch_connected(bed.w);
	seconds(60);
	assert_int_equal(rule(0)->ended_ns, 0);
	assert_true(rule(0)->n_puts > 8);
	bed.flood = false;
	seconds(8);
	assert_true(rule(0)->removed);
	/* What no pipeline wants is taken away. */
	strcpy(found.reason, "nobody udp 10.9.0.2: x");
	pretend_actuator(bed.guard)->put(pretend_actuator(bed.guard), &found, NULL);
	watch_adopt(bed.w, &found);
	assert_true(rule(1)->removed);
	assert_true(bed.lawful_lost == 0);
}

static void no_folder_is_refused(void **state)
{
	struct watch_config c = {.pipelines = "/tmp/sl-there-is-none"};
	struct refusal r = {0};

	(void)state;
	assert_null(watch_create(&c, &r));
	assert_non_null(strstr(r.text, "/tmp/sl-there-is-none: "));
	assert_non_null(strstr(r.text, "accepted: a folder of NAME.watch files"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_demos_flood_is_found_told_apart_and_lifted,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_are_read_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_watcher_takes_over, set_up, tear_down),
		cmocka_unit_test(no_folder_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
