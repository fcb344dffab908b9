/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/run-replay.h"

#include <errno.h>
#include <stdio.h>

#include "utilities/watch/audit.h"
#include "utilities/watch/pretend.h"

struct rerun {
	struct sample_sink sink;
	struct replay replay;
	struct alert_sink alerts;
	struct pretend *guard;
	struct watch *watch;
	uint64_t now;
	uint64_t n, packets;
	double lost;
};

static void on_sample(struct sample_sink *sink, const struct watch_sample *s)
{
	struct rerun *run = container_of(sink, struct rerun, sink);
	struct sample_sink *to = watch_sink(run->watch);

	run->n++;
	run->packets += s->packets;
	run->lost += pretend_sample(run->guard, s, NULL);
	to->sample(to, s);
}

static void tick(struct rerun *run, uint64_t now_ns)
{
	run->now = now_ns;
	pretend_tick(run->guard, now_ns);
	watch_tick(run->watch, now_ns);
}

static void on_tick(struct replay *replay, uint64_t now_ns)
{
	tick(container_of(replay, struct rerun, replay), now_ns);
}

static void no_alert(struct alert_sink *s, const char *to, const json_t *entry)
{
	(void)s;
	(void)to;
	(void)entry;
}

static bool rules_held(const struct pretend *p)
{
	for (unsigned i = 0; i < pretend_n_rules(p); i++)
		if (!pretend_rule(p, i)->ended_ns)
			return true;
	return false;
}

static void summary(const struct rerun *run, const struct read_counters *n, struct audit *to)
{
	json_t *read =
		json_pack("{s:I, s:I, s:I, s:I, s:I}", "datagrams", (json_int_t)n->datagrams,
			  "samples", (json_int_t)n->samples, "malformed", (json_int_t)n->malformed,
			  "ignored", (json_int_t)n->ignored, "lost", (json_int_t)n->lost);

	to->write(to, json_pack("{s:I, s:s, s:{s:I, s:I, s:f, s:o, s:o, s:o}}", "ns",
				(json_int_t)run->now, "what", "summary", "summary", "samples",
				(json_int_t)run->n, "packets", (json_int_t)run->packets, "lost",
				run->lost, "read", read, "rules", pretend_report(run->guard),
				"watch", watch_report(run->watch, run->now)));
}

static int run_whole(struct rerun *run, struct sflow_reader *reader, struct refusal *r)
{
	int error = replay_run(&run->replay, reader, &run->sink, r);

	for (uint64_t end = run->now + RUN_ON_NS;
	     !error && run->now < end && rules_held(run->guard);)
		tick(run, run->now + TRAFFIC_TICK_NS);
	return error;
}

static int run_with(const struct run_replay *what, struct audit *audit, struct refusal *r)
{
	struct rerun run = {.sink = {on_sample}, .alerts = {no_alert}, .guard = pretend_create()};
	const struct watch_config config = {.pipelines = what->pipelines,
					    .actuator = pretend_actuator(run.guard),
					    .audit = audit,
					    .alerts = &run.alerts};
	struct sflow_reader *reader = sflow_reader_create();
	int error = -EINVAL;

	run.replay = (struct replay){what->file, TRAFFIC_TICK_NS, on_tick};
	run.watch = watch_create(&config, r);
	if (run.watch) {
		traffic_set_wall(watch_traffic(run.watch), 0); /* a capture has the wall's time */
		error = what->state ? traffic_load(watch_traffic(run.watch), what->state, r) : 0;
		if (!error)
			error = run_whole(&run, reader, r);
		if (!error)
			summary(&run, sflow_counters(reader), audit);
		watch_free(run.watch);
	}
	sflow_reader_free(reader);
	pretend_free(run.guard);
	return error;
}

int run_replay(const struct run_replay *run, struct refusal *r)
{
	struct audit_file *audit = audit_file_open(run->audit ? run->audit : "-", r);
	int error = audit ? run_with(run, audit_file_audit(audit), r) : -EINVAL;

	if (!error && audit_file_counters(audit).failed)
		error = refuse(r, SYSTEM, "--audit", "not all decisions could be written");
	audit_file_free(audit);
	return error;
}
