/* SPDX-License-Identifier: Apache-2.0 */
/* Cases in warped time: a guard that pretends, a lawful stream and a flood, signals said by hand.
 * What was audited is kept. */
#ifndef SLUICE_TESTS_CASE_BED_H
#define SLUICE_TESTS_CASE_BED_H

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

static inline void write_audit(struct audit *a, json_t *entry)
{
	(void)a;
	json_array_append_new(bed.said, entry);
}

static inline void take_alert(struct alert_sink *s, const char *to, const json_t *entry)
{
	(void)s;
	assert_string_equal(to, "syslog");
	assert_non_null(json_object_get(entry, "what"));
	bed.n_alerts++;
}

static inline struct pipeline *pipeline_of(const char *name, const char *policy, const char *action)
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
static inline struct watch_sample packet(uint32_t conn, uint32_t to)
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
static inline void send_packets(uint32_t conn, uint32_t to, double pps, double *lost)
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
static inline void tick(void)
{
	bed.now += TICK;
	send_packets(CLEAN, TARGET, 400, &bed.lawful_lost);
	for (unsigned i = 0; bed.flood_pps > 0 && i < bed.n_flood; i++)
		send_packets(bed.flood_conn, TARGET + i, bed.flood_pps, &bed.lost);
	recent_tick(bed.recent, bed.now);
	pretend_tick(bed.guard, bed.now);
	cases_tick(bed.cases, bed.now);
}

static inline void seconds(double s)
{
	for (double i = 0; i < 4 * s; i++)
		tick();
}

static inline void set_up_cases(void)
{
	struct watch_config config = {.actuator = pretend_actuator(bed.guard),
				      .audit = &bed.audit,
				      .alerts = &bed.alerts};

	bed.cases = cases_create(&config, bed.recent);
}

static inline void set_up(const char *policy, const char *action)
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

static inline void tear_down(void)
{
	cases_free(bed.cases);
	recent_free(bed.recent);
	pretend_free(bed.guard);
	pipeline_free(bed.p);
	json_decref(bed.said);
}

static inline struct attack attack_on(unsigned i)
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
static inline struct attack flood(double pps)
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
static inline void flood_ends(const struct attack *a)
{
	bed.flood_pps = 0;
	seconds(2);
	cases_over(bed.cases, bed.p, a);
}

/* How often it was said, and the last entry. */
static inline unsigned said(const char *what)
{
	unsigned n = 0;
	size_t i;
	json_t *entry;

	json_array_foreach(bed.said, i, entry) n +=
		!strcmp(json_string_value(json_object_get(entry, "what")), what);
	return n;
}

static inline const json_t *last_said(const char *what)
{
	const json_t *last = NULL, *entry;
	size_t i;

	json_array_foreach(bed.said, i,
			   entry) if (!strcmp(json_string_value(json_object_get(entry, "what")),
					      what)) last = entry;
	assert_non_null(last);
	return last;
}

static inline const char *reason(const char *what)
{
	return json_string_value(json_object_get(last_said(what), "reason"));
}

static inline bool is_in_force(unsigned i)
{
	return i < pretend_n_rules(bed.guard) && !pretend_rule(bed.guard, i)->ended_ns;
}

static inline unsigned in_force(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < pretend_n_rules(bed.guard); i++)
		n += is_in_force(i);
	return n;
}

#endif
