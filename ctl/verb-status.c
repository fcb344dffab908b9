/* SPDX-License-Identifier: Apache-2.0 */
/* status: how it stands, in six lines.  The value is collected first; text is made from it alone.
 *
 *	traffic     pps, bps (by counters), usual_pps, usual_bps, learned (the watcher's)
 *	target      text, pps, bps, from: `watcher` or `samples`; null: none
 *	dropping    share (of what left or was dropped), pps, reason (the most)
 *	limits      lines: what stands at a bound
 *	automation  panic, standalone, mode, cases, heard_s (null: never), proposals
 *	change      id, age_s, origin, who, what; null: none
 *	uptime_s, ports, conns, rules, rx, tx, dropped, top_drop: since the start */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/guard.h"
#include "ctl/reading.h"
#include "ctl/rows.h"
#include "ctl/stats.h"
#include "ctl/watcher.h"
#include "lib/openflow.h"
#include "ofproto/flows.h"
#include "ofproto/groups.h"
#include "ofproto/journal.h"
#include "ofproto/samples.h"
#include "ofproto/sets.h"

enum { LIMIT_SETS = 3 }; /* that are named when they are full */

struct status_call {
	struct reading_waiter waiter;
	struct verb_call *call;
};

/* ---- What the watcher says: shown, not believed ---- */

static double number(const json_t *object, const char *key)
{
	double v = json_number_value(json_object_get(object, key));

	return v > 0 ? MIN(v, 1e15) : 0;
}

/* The report, unless it is too old to say what is now. */
static const json_t *fresh_report(struct daemon *d)
{
	const struct watcher *w = watcher_of(d);

	return w->report && ofproto_now(d->ofproto) - w->report_ns < READING_OLD_NS ? w->report
										    : NULL;
}

/* ---- Traffic ---- */

static json_t *traffic_row(struct daemon *d, const struct reading *before,
			   const struct reading *now)
{
	const json_t *said = json_object_get(fresh_report(d), "traffic");
	json_t *row = json_object();

	json_put(row, "seconds", json_real((double)(now->ns - before->ns) / (double)NSEC_PER_SEC));
	json_put(row, "pps", json_real(reading_rate(before, now, before->rx, now->rx)));
	json_put(row, "bps",
		 json_real(8 * reading_rate(before, now, before->rx_bytes, now->rx_bytes)));
	json_put(row, "watched", json_boolean(said));
	json_put(row, "learned", json_boolean(json_is_true(json_object_get(said, "learned"))));
	json_put(row, "usual_pps", json_real(number(said, "usual_pps")));
	json_put(row, "usual_bps", json_real(number(said, "usual_bps")));
	return row;
}

static void traffic_text(const json_t *row, struct buf *text)
{
	buf_printf(text, "traffic     %s packets/s, %s", text_count((uint64_t)number(row, "pps")),
		   text_bits((uint64_t)number(row, "bps")));
	if (!json_is_true(json_object_get(row, "watched")))
		buf_printf(text, "; what is usual nobody knows without a watcher\n");
	else if (!json_is_true(json_object_get(row, "learned")))
		buf_printf(text, "; what is usual is still being learned\n");
	else
		buf_printf(text, "; usual are %s packets/s, %s\n",
			   text_count((uint64_t)number(row, "usual_pps")),
			   text_bits((uint64_t)number(row, "usual_bps")));
}

/* ---- The top target ---- */

struct hit {
	struct ip to;
	uint64_t packets, octets;
};

struct hits {
	struct snapshot_visit visit;
	struct hit *hit;
	size_t n, room;
};

static int add_hit(struct snapshot_visit *v, unsigned worker, const struct sample_record *s)
{
	struct hits *h = container_of(v, struct hits, visit);
	const struct du_key *k = &s->key.du;

	(void)worker;
	if (!s->l3 || s->flags & SAMPLE_BY_RULE)
		return 0;
	if (h->n == h->room) {
		h->room = h->room ? 2 * h->room : 256;
		h->hit = realloc(h->hit, h->room * sizeof *h->hit);
		if (!h->hit)
			abort();
	}
	h->hit[h->n] = (struct hit){.packets = s->every, .octets = (uint64_t)s->every * s->length};
	h->hit[h->n].to.family = k->eth_type == htobe16(0x86dd) ? 6 : 4;
	memcpy(h->hit[h->n].to.octet, k->ip_dst, h->hit[h->n].to.family == 6 ? 16 : 4);
	h->n++;
	return 0;
}

static int by_target(const void *a, const void *b)
{
	return memcmp(&((const struct hit *)a)->to, &((const struct hit *)b)->to,
		      sizeof(struct ip));
}

#define TARGET_WINDOW_NS (2 * NSEC_PER_SEC)

/* Over the samples of the last seconds. */
static json_t *target_by_samples(struct daemon *d)
{
	uint64_t now = ofproto_now(d->ofproto);
	struct hits h = {.visit = {add_hit}};
	struct hit best = {0}, sum = {0};
	const double s = (double)TARGET_WINDOW_NS / (double)NSEC_PER_SEC;
	char text[IP_TEXT];
	json_t *row;

	ofproto_snapshots(d->ofproto, now - MIN(now, TARGET_WINDOW_NS), &h.visit);
	if (h.n)
		qsort(h.hit, h.n, sizeof *h.hit, by_target);
	for (size_t i = 0; i < h.n; i++) {
		if (!i || by_target(&sum, &h.hit[i]))
			sum = (struct hit){.to = h.hit[i].to};
		sum.packets += h.hit[i].packets;
		sum.octets += h.hit[i].octets;
		if (sum.packets > best.packets)
			best = sum;
	}
	free(h.hit);
	if (!best.packets)
		return json_null();
	row = json_object();
	json_put(row, "text", json_string(ip_text(&best.to, text)));
	json_put(row, "pps", json_real((double)best.packets / s));
	json_put(row, "bps", json_real(8 * (double)best.octets / s));
	json_put(row, "from", json_string("samples"));
	return row;
}

static json_t *target_row(struct daemon *d)
{
	const json_t *said = json_object_get(fresh_report(d), "traffic");
	const char *top = json_string_value(json_object_get(said, "top"));
	json_t *row;

	if (!top || number(said, "top_pps") <= 0)
		return target_by_samples(d);
	row = json_object();
	json_put(row, "text", json_text(top));
	json_put(row, "pps", json_real(number(said, "top_pps")));
	json_put(row, "bps", json_real(number(said, "top_bps")));
	json_put(row, "from", json_string("watcher"));
	return row;
}

static void target_text(const json_t *row, struct buf *text)
{
	buf_printf(text, "top target  ");
	if (json_is_null(row)) {
		buf_printf(text, "none: nothing was sampled lately\n");
	} else {
		verb_put_line(text, json_str(row, "text"), 60);
		buf_printf(text, ": %s packets/s, %s\n", text_count((uint64_t)number(row, "pps")),
			   text_bits((uint64_t)number(row, "bps")));
	}
}

/* ---- What is dropped ---- */

static json_t *dropping_row(const struct reading *before, const struct reading *now)
{
	json_t *row = json_object();
	uint64_t sum = 0, most = 0, left = now->tx - before->tx;
	unsigned top = 0;

	for (unsigned i = 0; i < N_DROPS; i++) {
		uint64_t n = now->dropped[i] - before->dropped[i];

		sum += n;
		if (n > most) {
			most = n;
			top = i;
		}
	}
	json_put(row, "share", json_real(sum ? (double)sum / (double)(sum + left) : 0));
	json_put(row, "pps", json_real(reading_rate(before, now, 0, sum)));
	if (most) {
		json_put(row, "reason", json_string(drop_reason_name(top)));
		json_put(row, "text", json_string(drop_reason_text(top)));
	}
	return row;
}

static void dropping_text(const json_t *status, struct buf *text)
{
	const json_t *row = json_object_get(status, "dropping");
	uint64_t pps = (uint64_t)(number(row, "pps") + 0.5);

	if (*json_str(row, "reason"))
		buf_printf(text, "dropped     %.1f %%, %s packets/s; most by %s: %s\n",
			   100 * number(row, "share"), text_count(pps), json_str(row, "reason"),
			   json_str(row, "text"));
	else
		buf_printf(text, "dropped     nothing now; %s packets since the start\n",
			   text_count(json_u64(status, "dropped")));
}

/* ---- Limits ---- */

static void PRINTF_LIKE(2, 3) add_limit(json_t *limits, const char *format, ...)
{
	char line[160];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	json_array_append_new(limits, json_string(line));
}

static void limit_frames(const json_t *stats, json_t *limits)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(stats, "workers"), i, row)
	{
		const json_t *frames = json_object_get(row, "frames");

		if (json_u64(frames, "free") * 20 < json_u64(frames, "total"))
			add_limit(limits,
				  "worker %" PRIu64 ": %" PRIu64 " of %" PRIu64 " frames are free",
				  json_u64(row, "worker"), json_u64(frames, "free"),
				  json_u64(frames, "total"));
	}
}

/* Drops that say that something was full, between the readings. */
static void limit_rings(const struct reading *before, const struct reading *now, json_t *limits)
{
	static const unsigned full[] = {DROP_NO_FRAME, DROP_HANDOFF_FULL, DROP_TX_FULL,
					DROP_PACKET_IN_FULL};

	for (unsigned i = 0; i < ARRAY_SIZE(full); i++)
		if (now->dropped[full[i]] > before->dropped[full[i]])
			add_limit(limits, "%s: %s packets/s are dropped", drop_reason_text(full[i]),
				  text_count((uint64_t)reading_rate(before, now,
								    before->dropped[full[i]],
								    now->dropped[full[i]])));
	if (now->missed > before->missed)
		add_limit(limits, "samples: %s were lost",
			  text_count(now->missed - before->missed));
}

struct guard_count {
	struct flow_visit visit;
	unsigned n[N_ORIGINS];
};

static int count_guard(struct flow_visit *v, const struct flow *f, const struct flow_stats *stats)
{
	(void)stats;
	container_of(v, struct guard_count, visit)->n[f->origin]++;
	return 0;
}

static bool nearly(uint64_t n, uint64_t of)
{
	return n * 10 >= of * 9;
}

static void limit_rules(struct daemon *d, uint64_t rules, json_t *limits)
{
	struct guard_count count = {.visit = {count_guard}};
	unsigned waiting = watcher_waiting(d), most = ofproto_settings(d->ofproto)->guard_max;
	struct flow_filter filter;

	flow_filter_init(&filter);
	filter.table = TABLE_GUARD;
	filter.plain = true;
	ofproto_flows(d->ofproto, &filter, &count.visit);
	for (unsigned i = 0; i < N_ORIGINS; i++)
		if (nearly(count.n[i], most))
			add_limit(limits, "%s has %u of %u rules in the guard", origin_names[i],
				  count.n[i], most);
	if (nearly(rules, FLOWS_MAX))
		add_limit(limits, "there are %" PRIu64 " of %u rules", rules, FLOWS_MAX);
	if (nearly(waiting, PROPOSALS_MAX))
		add_limit(limits, "%u of %u proposals wait", waiting, PROPOSALS_MAX);
}

/* `name` of `stats`: n of max, octets of octets_max. */
static void limit_kind(const json_t *stats, const char *name, const char *what, json_t *limits)
{
	const json_t *row = json_object_get(stats, name);
	uint64_t octets = json_u64(row, "octets"), octets_max = json_u64(row, "octets_max");

	if (nearly(json_u64(row, "n"), json_u64(row, "max")))
		add_limit(limits, "there are %" PRIu64 " of %" PRIu64 " %s", json_u64(row, "n"),
			  json_u64(row, "max"), what);
	if (octets_max && nearly(octets, octets_max))
		add_limit(limits, "%s take %" PRIu64 " of %" PRIu64 " MiB", what, octets >> 20,
			  octets_max >> 20);
}

struct limit_sets {
	struct set_visit visit;
	json_t *limits;
	unsigned n;
};

static void limit_set(struct set_visit *v, const struct set_state *s)
{
	struct limit_sets *sets = container_of(v, struct limit_sets, visit);

	if (nearly(s->n, s->max) && sets->n++ < LIMIT_SETS)
		add_limit(sets->limits, "set %s has %" PRIu64 " of %" PRIu64 " members", s->name,
			  s->n, s->max);
}

static void limit_objects(struct daemon *d, const json_t *stats, json_t *limits)
{
	struct limit_sets sets = {.visit.set = limit_set, .limits = limits};
	struct group_totals groups = ofproto_group_totals(d->ofproto);

	limit_kind(stats, "groups", "groups", limits);
	limit_kind(stats, "meters", "meters", limits);
	limit_kind(stats, "sets", "sets", limits);
	limit_kind(stats, "limits_by_key", "limits by key", limits);
	if (nearly(groups.buckets, GROUP_BUCKETS_TOTAL))
		add_limit(limits, "groups have %u of %u buckets", groups.buckets,
			  GROUP_BUCKETS_TOTAL);
	ofproto_sets(d->ofproto, &sets.visit);
	if (sets.n > LIMIT_SETS)
		add_limit(limits, "%u more sets are full", sets.n - LIMIT_SETS);
}

static void limits_text(const json_t *limits, struct buf *text)
{
	json_t *line;
	size_t i;

	buf_printf(text, "at a limit  %s", json_array_size(limits) ? "" : "nothing");
	json_array_foreach(limits, i, line)
		buf_printf(text, "%s%s", i ? "; " : "", json_string_value(line));
	buf_printf(text, "\n");
}

/* ---- Automation ---- */

/* The most that one of its pipelines may do. */
static const char *mode_of(const json_t *report)
{
	static const char *const modes[] = {"automatic", "ask", "monitor"};
	const json_t *n = json_object_get(report, "pipelines");

	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
		if (number(n, modes[i]) > 0)
			return modes[i];
	return "no pipeline";
}

static json_t *automation_row(struct daemon *d)
{
	const struct watcher *w = watcher_of(d);
	json_t *row = json_object();

	json_put(row, "panic", panic_json(ofproto_panic(d->ofproto)));
	json_put(row, "standalone", json_boolean(ofproto_is_standalone(d->ofproto)));
	json_put(row, "mode", w->report ? json_string(mode_of(w->report)) : json_null());
	json_put_u64(row, "cases", (uint64_t)number(w->report, "n_cases"));
	json_put_u64(row, "proposals", watcher_waiting(d));
	json_put(row, "heard_s",
		 w->report ? json_real((double)(ofproto_now(d->ofproto) - w->report_ns) /
				       (double)NSEC_PER_SEC)
			   : json_null());
	return row;
}

static void automation_text(const json_t *row, struct buf *text)
{
	const char *panic = json_string_value(json_object_get(row, "panic"));
	const json_t *heard = json_object_get(row, "heard_s");
	uint64_t cases = json_u64(row, "cases"), proposals = json_u64(row, "proposals");

	buf_printf(text, "automation  ");
	if (panic)
		buf_printf(text, "PANIC %s, so it is off (sluice-ctl panic off); ", panic);
	if (json_is_true(json_object_get(row, "standalone")))
		buf_printf(text, "NO CONTROLLER, so OpenFlow's rules are aside (fail-mode); ");
	if (json_is_null(heard))
		buf_printf(text, "no watcher");
	else
		buf_printf(text, "%s, %s case%s under way, heard %.0f s ago", json_str(row, "mode"),
			   text_count(cases), cases == 1 ? "" : "s", json_real_value(heard));
	if (proposals)
		buf_printf(text, "; %s proposal%s for accept or reject", text_count(proposals),
			   proposals == 1 ? " waits" : "s wait");
	buf_printf(text, "\n");
}

/* ---- The last change ---- */

struct last_change {
	struct journal_visit visit;
	json_t *row;
};

static int take_change(struct journal_visit *v, const struct journal_entry *e)
{
	struct last_change *last = container_of(v, struct last_change, visit);
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	last->row = json_object();
	json_put(last->row, "id", json_integer(e->id));
	json_put(last->row, "age_s",
		 json_real((double)t.tv_sec +
			   ((double)t.tv_nsec - (double)e->at_ns) / (double)NSEC_PER_SEC));
	json_put(last->row, "origin", json_string(origin_names[e->origin]));
	json_put(last->row, "who", json_text(e->who));
	json_put(last->row, "what", json_text(e->what));
	return 1;
}

static json_t *change_row(struct daemon *d)
{
	struct last_change last = {.visit = {take_change}};

	ofproto_journal(d->ofproto, &last.visit);
	return last.row ? last.row : json_null();
}

static void change_text(const json_t *row, struct buf *text)
{
	buf_printf(text, "changed     ");
	if (json_is_null(row)) {
		buf_printf(text, "nothing that is remembered\n");
		return;
	}
	buf_printf(text, "%.0f s ago (%" PRIu64 "), by %s, ", number(row, "age_s"),
		   json_u64(row, "id"), json_str(row, "origin"));
	verb_put_line(text, json_str(row, "who"), 60);
	buf_printf(text, ": ");
	verb_put_line(text, json_str(row, "what"), 120);
	buf_printf(text, "\n");
}

/* ---- The whole ---- */

static uint64_t count_rules(struct daemon *d)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ofproto_n_tables(d->ofproto); i++) {
		struct table_stats stats;

		ofproto_table_stats(d->ofproto, i, &stats);
		n += stats.n_active;
	}
	return n;
}

/* Since the start. */
static void put_totals(struct daemon *d, const json_t *stats, const struct reading *now,
		       json_t *row)
{
	const json_t *packets = json_object_get(stats, "packets");
	uint64_t sum = 0, most = 0;

	for (unsigned i = 0; i < N_DROPS; i++) {
		sum += now->dropped[i];
		if (now->dropped[i] > most) {
			most = now->dropped[i];
			json_put(row, "top_drop", json_string(drop_reason_name(i)));
		}
	}
	json_put_u64(row, "uptime_s",
		     (ofproto_now(d->ofproto) - d->started_ns) / (uint64_t)NSEC_PER_SEC);
	json_put_u64(row, "ports", json_array_size(json_object_get(stats, "ports")));
	json_put_u64(row, "conns", json_array_size(json_object_get(stats, "conns")));
	json_put_u64(row, "rules", count_rules(d));
	json_put_u64(row, "rx", json_u64(packets, "rx"));
	json_put_u64(row, "tx", json_u64(packets, "tx"));
	json_put_u64(row, "dropped", sum);
}

static json_t *status_collect(struct daemon *d, const struct reading *before,
			      const struct reading *now)
{
	json_t *row = json_object(), *stats = stats_collect(d), *limits = json_array();

	put_totals(d, stats, now, row);
	json_put(row, "traffic", traffic_row(d, before, now));
	json_put(row, "target", target_row(d));
	json_put(row, "dropping", dropping_row(before, now));
	limit_frames(stats, limits);
	limit_rings(before, now, limits);
	limit_rules(d, json_u64(row, "rules"), limits);
	limit_objects(d, stats, limits);
	json_put(row, "limits", limits);
	json_put(row, "automation", automation_row(d));
	json_put(row, "change", change_row(d));
	json_decref(stats);
	return row;
}

static void status_done(struct reading_waiter *w, const struct reading *before,
			const struct reading *now)
{
	struct status_call *s = container_of(w, struct status_call, waiter);
	json_t *row = status_collect(s->call->daemon, before, now);
	struct buf text = {0};

	traffic_text(json_object_get(row, "traffic"), &text);
	target_text(json_object_get(row, "target"), &text);
	dropping_text(row, &text);
	limits_text(json_object_get(row, "limits"), &text);
	automation_text(json_object_get(row, "automation"), &text);
	change_text(json_object_get(row, "change"), &text);
	verb_done(s->call, &text, row);
	free(s);
}

void do_status(struct verb_call *call)
{
	struct status_call *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->waiter.done = status_done;
	s->call = call;
	readings_wait(call->daemon, &s->waiter);
}
