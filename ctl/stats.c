/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/rows.h"
#include "ctl/verb.h"
#include "datapath/worker.h"
#include "ofproto/groups.h"
#include "ofproto/limiters.h"
#include "ofproto/meters.h"
#include "ofproto/sets.h"

struct name_text {
	const char *name, *text;
};

static const struct name_text drop_names[N_DROPS] = {
#define DROP(ID, NAME, TEXT) [DROP_##ID] = {NAME, TEXT},
#include "datapath/drops.def"
};
static const struct name_text consume_names[N_CONSUMES] = {
#define CONSUME(ID, NAME, TEXT) [CONSUME_##ID] = {NAME, TEXT},
#include "datapath/drops.def"
};
static const struct name_text made_names[N_MADES] = {
#define MADE(ID, NAME, TEXT) [MADE_##ID] = {NAME, TEXT},
#include "datapath/drops.def"
};

/* What only the worker may read, fetched in one go. */
struct snapshot {
	struct worker_held held;
};

static void take_snapshot(struct worker *w, void *arg)
{
	worker_held(w, &((struct snapshot *)arg)->held);
}

static uint64_t total(const uint64_t *counter, unsigned n)
{
	uint64_t sum = 0;

	while (n--)
		sum += counter_read(&counter[n]);
	return sum;
}

static json_t *worker_row(struct worker *w, uint64_t *held)
{
	json_t *row = json_object(), *frames = json_object(), *cache = json_object();
	struct snapshot s = {0};

	worker_call(w, take_snapshot, &s);
	*held += s.held.packets_held;
	json_put_u64(row, "worker", w->id);
	json_put_u64(row, "packets", counter_read(&w->n.rx));
	json_put_u64(row, "tx", counter_read(&w->n.tx));
	json_put_u64(row, "made", total(w->n.made, N_MADES));
	json_put_u64(row, "dropped", total(w->n.dropped, N_DROPS));
	json_put_u64(row, "consumed", total(w->n.consumed, N_CONSUMES));
	json_put_u64(row, "busy_ns", counter_read(&w->n.busy_ns));
	json_put_u64(row, "idle_ns", counter_read(&w->n.idle_ns));
	json_put_u64(row, "turns", counter_read(&w->n.turns));
	json_put_u64(row, "sleeps", counter_read(&w->n.sleeps));
	json_put_u64(cache, "hits", counter_read(&w->cache.hits));
	json_put_u64(cache, "misses", counter_read(&w->cache.misses));
	json_put_u64(cache, "kept", counter_read(&w->cache.kept));
	json_put(row, "cache", cache);
	json_put_u64(row, "packets_held", s.held.packets_held);
	json_put_u64(frames, "free", s.held.frames_free);
	json_put_u64(frames, "devices", s.held.frames_devices);
	json_put_u64(frames, "handoff", s.held.frames_handoff);
	json_put_u64(frames, "held", s.held.frames_held);
	json_put_u64(frames, "total", s.held.frames_total);
	json_put(row, "frames", frames);
	return row;
}

/* Sums of one array of counters over the workers, by name; those of none are left out unless `all`.
 */
static json_t *sums(const struct datapath *dp, const struct name_text *names, unsigned n,
		    size_t offset)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < n; i++) {
		uint64_t sum = 0;

		for (unsigned w = 0; w < dp->n_workers; w++) {
			const void *base = (const char *)dp->worker[w] + offset;

			sum += counter_read((const uint64_t *)base + i);
		}
		json_put_u64(object, names[i].name, sum);
	}
	return object;
}

static json_t *balance(const struct datapath *dp, uint64_t held)
{
	json_t *packets = json_object();
	uint64_t rx = 0, tx = 0;

	for (unsigned i = 0; i < dp->n_workers; i++) {
		rx += counter_read(&dp->worker[i]->n.rx);
		tx += counter_read(&dp->worker[i]->n.tx);
	}
	json_put_u64(packets, "rx", rx);
	json_put(packets, "made", sums(dp, made_names, N_MADES, offsetof(struct worker, n.made)));
	json_put_u64(packets, "tx", tx);
	json_put(packets, "dropped",
		 sums(dp, drop_names, N_DROPS, offsetof(struct worker, n.dropped)));
	json_put(packets, "consumed",
		 sums(dp, consume_names, N_CONSUMES, offsetof(struct worker, n.consumed)));
	json_put_u64(packets, "held", held);
	return packets;
}

static json_t *port_rows(struct daemon *d, bool conns)
{
	struct port **ports = ports_sorted(d->ofproto, conns);
	json_t *list = json_array();

	for (struct port **p = ports; *p; p++)
		json_array_append_new(list, port_row(d->ofproto, *p));
	free(ports);
	return list;
}

static json_t *meters_collect(struct daemon *d)
{
	struct meter_totals totals = ofproto_meter_totals(d->ofproto);
	json_t *object = json_object();

	json_put_u64(object, "n", totals.n);
	json_put_u64(object, "max", METERS_MAX);
	json_put_u64(object, "refused", totals.n_refused);
	return object;
}

static json_t *groups_collect(struct daemon *d)
{
	struct group_totals totals = ofproto_group_totals(d->ofproto);
	json_t *object = json_object();

	json_put_u64(object, "n", totals.groups);
	json_put_u64(object, "max", GROUPS_MAX);
	json_put_u64(object, "buckets", totals.buckets);
	json_put_u64(object, "buckets_max", GROUP_BUCKETS_TOTAL);
	json_put_u64(object, "refused", totals.n_refused);
	return object;
}

struct set_sum {
	struct set_visit visit;
	uint64_t n, members, octets, n_full;
};

static void sum_set(struct set_visit *v, const struct set_state *s)
{
	struct set_sum *sum = container_of(v, struct set_sum, visit);

	sum->n++;
	sum->members += s->n;
	sum->octets += s->octets;
	sum->n_full += s->n_full;
}

static json_t *sets_collect(struct daemon *d)
{
	struct set_sum sum = {.visit.set = sum_set};
	json_t *object = json_object();

	ofproto_sets(d->ofproto, &sum.visit);
	json_put_u64(object, "n", sum.n);
	json_put_u64(object, "max", SETS_MAX);
	json_put_u64(object, "members", sum.members);
	json_put_u64(object, "octets", sum.octets);
	json_put_u64(object, "octets_max", SETS_OCTETS);
	json_put_u64(object, "full", sum.n_full);
	json_put_u64(object, "lost", ofproto_sets_lost(d->ofproto));
	return object;
}

struct limiter_sum {
	struct limiter_visit visit;
	struct ofproto *o;
	struct limiter_counters n;
	uint64_t count;
};

static int sum_limiter(struct limiter_visit *v, const struct limiter *l)
{
	struct limiter_sum *sum = container_of(v, struct limiter_sum, visit);
	struct limiter_counters n;

	ofproto_limiter_counters(sum->o, l, &n);
	sum->count++;
	sum->n.passed += n.passed;
	sum->n.dropped += n.dropped;
	sum->n.shared += n.shared;
	return 0;
}

/* Limiters and connection limits together: they share their bounds. */
static json_t *limits_collect(struct daemon *d)
{
	struct limiter_sum sum = {.visit.limiter = sum_limiter, .o = d->ofproto};
	json_t *object = json_object();

	for (unsigned kind = 0; kind < N_LIMITER_KINDS; kind++)
		ofproto_limiters(d->ofproto, kind, &sum.visit);
	json_put_u64(object, "n", sum.count);
	json_put_u64(object, "max", LIMITERS);
	json_put_u64(object, "octets", ofproto_limiters_octets(d->ofproto));
	json_put_u64(object, "octets_max", LIMITERS_OCTETS);
	json_put_u64(object, "passed", sum.n.passed);
	json_put_u64(object, "dropped", sum.n.dropped);
	json_put_u64(object, "shared", sum.n.shared);
	return object;
}

json_t *stats_collect(struct daemon *d)
{
	const struct datapath *dp = ofproto_datapath(d->ofproto);
	json_t *stats = json_object(), *workers = json_array();
	uint64_t held = 0;

	for (unsigned i = 0; i < dp->n_workers; i++)
		json_array_append_new(workers, worker_row(dp->worker[i], &held));
	json_put(stats, "workers", workers);
	json_put(stats, "packets", balance(dp, held));
	json_put(stats, "ports", port_rows(d, false));
	json_put(stats, "conns", port_rows(d, true));
	json_put(stats, "groups", groups_collect(d));
	json_put(stats, "meters", meters_collect(d));
	json_put(stats, "sets", sets_collect(d));
	json_put(stats, "limits_by_key", limits_collect(d));
	json_put(stats, "sflow", sflow_collect(d));
	return stats;
}

const char *drop_reason_name(unsigned reason)
{
	return drop_names[reason].name;
}

const char *drop_reason_text(unsigned reason)
{
	return drop_names[reason].text;
}

json_t *drops_collect(struct daemon *d, bool all)
{
	const struct datapath *dp = ofproto_datapath(d->ofproto);
	json_t *sum = sums(dp, drop_names, N_DROPS, offsetof(struct worker, n.dropped));
	json_t *list = json_array();

	for (unsigned i = 0; i < N_DROPS; i++) {
		uint64_t n = json_u64(sum, drop_names[i].name);
		json_t *row;

		if (!n && !all)
			continue;
		row = json_object();
		json_put(row, "reason", json_string(drop_names[i].name));
		json_put_u64(row, "packets", n);
		json_put(row, "text", json_string(drop_names[i].text));
		json_array_append_new(list, row);
	}
	json_decref(sum);
	return list;
}

static int rules_flow(struct flow_visit *v, const struct flow *f, const struct flow_stats *stats)
{
	struct flow_rows *rows = container_of(v, struct flow_rows, visit);

	json_array_append_new(rows->list, flow_row_json(rows, f, stats));
	return 0;
}

json_t *rules_collect(struct daemon *d)
{
	struct flow_rows rows = {.visit = {rules_flow}, .now = ofproto_now(d->ofproto)};
	struct flow_filter filter;

	rows.list = json_array();
	flow_filter_init(&filter);
	filter.table = TABLE_GUARD;
	ofproto_flows(d->ofproto, &filter, &rows.visit);
	flow_filter_init(&filter);
	ofproto_flows(d->ofproto, &filter, &rows.visit);
	return rows.list;
}
