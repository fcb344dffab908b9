/* SPDX-License-Identifier: Apache-2.0 */
/* The watcher's parts put together: samples into traffic and memory, signals into cases. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"
#include "utilities/watch/case.h"

enum { PIPELINES_MAX = 64 };

/* A pipeline at work. */
struct run {
	struct attack_sink sink;
	struct watch *w;
	struct pipeline *p;
	struct signal *s;
	bool kept; /* of a reload */
};

struct watch {
	struct sample_sink sink;
	struct watch_config config;
	struct traffic *traffic;
	struct recent *recent;
	struct cases *cases;
	uint64_t n_samples;
	unsigned n;
	struct run *run[PIPELINES_MAX];
};

/* ---- Signals ----------------------------------------------------------------------------- */

static void on_found(struct attack_sink *s, struct attack *a)
{
	struct run *run = container_of(s, struct run, sink);

	cases_found(run->w->cases, run->p, a);
}

static void on_goes_on(struct attack_sink *s, struct attack *a)
{
	struct run *run = container_of(s, struct run, sink);

	cases_goes_on(run->w->cases, run->p, a);
}

static void on_over(struct attack_sink *s, struct attack *a)
{
	struct run *run = container_of(s, struct run, sink);

	cases_over(run->w->cases, run->p, a);
}

/* ---- Pipelines --------------------------------------------------------------------------- */

static struct run *run_find(struct watch *w, const char *name)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!strcmp(w->run[i]->p->name, name))
			return w->run[i];
	return NULL;
}

static void run_free(struct run *run)
{
	signal_free(run->s);
	pipeline_free(run->p);
	free(run);
}

/* Takes p. */
static int run_add(struct watch *w, struct pipeline *p, struct refusal *r)
{
	struct run *run;

	if (w->n == PIPELINES_MAX) {
		refuse(r, LIMIT, p->name, "pipeline %s is one too many; at most %d are accepted",
		       p->name, PIPELINES_MAX);
		pipeline_free(p);
		return -EINVAL;
	}
	run = calloc(1, sizeof *run);
	if (!run)
		abort();
	*run = (struct run){
		.sink = {.found = on_found, .goes_on = on_goes_on, .over = on_over},
		.w = w,
		.p = p,
		.s = signal_create(&p->signal),
		.kept = true,
	};
	w->run[w->n++] = run;
	return 0;
}

static bool same_signal(const struct signal_config *a, const struct signal_config *b)
{
	return a->kind == b->kind && a->target == b->target && a->above_pps == b->above_pps &&
	       a->above_bps == b->above_bps && a->times == b->times && a->n == b->n &&
	       a->m == b->m && a->window_ns == b->window_ns && a->learn_ns == b->learn_ns &&
	       a->clear_ns == b->clear_ns;
}

/* Takes p. */
static void run_replace(struct run *run, struct pipeline *p)
{
	bool same = same_signal(&run->p->signal, &p->signal);

	cases_pipeline(run->w->cases, run->p, p, !same);
	if (!same) {
		signal_free(run->s);
		run->s = signal_create(&p->signal);
	}
	pipeline_free(run->p);
	run->p = p;
	run->kept = true;
}

static int read_file(struct watch *w, const char *name, struct refusal *r)
{
	char file[512], bare[PIPELINE_NAME];
	struct pipeline *p;
	struct run *run;

	snprintf(bare, sizeof bare, "%.*s", (int)MIN(strlen(name) - 6, sizeof bare - 1), name);
	run = run_find(w, bare);
	if (run)
		run->kept = true;
	if (snprintf(file, sizeof file, "%s/%s", w->config.pipelines, name) >= (int)sizeof file)
		return refuse(r, LIMIT, NULL, "%.60s/%.60s: the name is too long",
			      w->config.pipelines, name);
	p = pipeline_read(file, r);
	if (!p)
		return -EINVAL;
	if (!run)
		return run_add(w, p, r);
	run_replace(run, p);
	return 0;
}

static void drop_runs(struct watch *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n; i++) {
		if (w->run[i]->kept) {
			w->run[n++] = w->run[i];
			continue;
		}
		cases_pipeline(w->cases, w->run[i]->p, NULL, true);
		run_free(w->run[i]);
	}
	w->n = n;
}

static int is_pipeline(const struct dirent *e)
{
	size_t size = strlen(e->d_name);

	return e->d_name[0] != '.' && size > 6 && !strcmp(e->d_name + size - 6, ".watch");
}

int watch_reload(struct watch *w, struct refusal *r)
{
	struct dirent **list;
	struct refusal why;
	int error = 0, n;

	if (!w->config.pipelines)
		return 0;
	n = scandir(w->config.pipelines, &list, is_pipeline, alphasort);
	if (n < 0)
		return refuse(r, SYSTEM, NULL, "%.200s: %s; accepted: a folder of NAME.watch files",
			      w->config.pipelines, strerror(errno));
	for (unsigned i = 0; i < w->n; i++)
		w->run[i]->kept = false;
	for (int i = 0; i < n; i++) {
		why = (struct refusal){0};
		if (read_file(w, list[i]->d_name, &why)) {
			LOG(WARN, "watch: %s", why.text);
			if (!error)
				*r = why;
			error = -EINVAL;
		}
		free(list[i]);
	}
	free(list);
	drop_runs(w);
	return error;
}

/* ---- The whole --------------------------------------------------------------------------- */

static void on_sample(struct sample_sink *s, const struct watch_sample *sample)
{
	struct watch *w = container_of(s, struct watch, sink);

	w->n_samples++;
	traffic_sample(w->traffic, sample);
	recent_sample(w->recent, sample);
}

struct watch *watch_create(const struct watch_config *c, struct refusal *r)
{
	struct watch *w = calloc(1, sizeof *w);

	if (!w)
		abort();
	w->sink.sample = on_sample;
	w->config = *c;
	w->traffic = traffic_create();
	w->recent = recent_create();
	w->cases = cases_create(c, w->recent);
	if (watch_reload(w, r)) {
		watch_free(w);
		return NULL;
	}
	return w;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	cases_free(w->cases);
	for (unsigned i = 0; i < w->n; i++)
		run_free(w->run[i]);
	recent_free(w->recent);
	traffic_free(w->traffic);
	free(w);
}

struct sample_sink *watch_sink(struct watch *w)
{
	return &w->sink;
}

void watch_tick(struct watch *w, uint64_t now_ns)
{
	traffic_tick(w->traffic, now_ns);
	recent_tick(w->recent, now_ns);
	for (unsigned i = 0; i < w->n; i++)
		signal_tick(w->run[i]->s, w->traffic, now_ns, &w->run[i]->sink);
	cases_tick(w->cases, now_ns);
}

struct traffic *watch_traffic(struct watch *w)
{
	return w->traffic;
}

void watch_adopt(struct watch *w, const struct guard_rule *rule)
{
	struct owner owner;
	struct run *run = NULL;

	if (policy_owner(rule, &owner))
		run = run_find(w, owner.pipeline);
	cases_adopt(w->cases, run ? run->p : NULL, rule);
}

void watch_connected(struct watch *w)
{
	cases_connected(w->cases);
}

void watch_set_automation(struct watch *w, bool on)
{
	cases_set_automation(w->cases, on);
}

json_t *watch_report(struct watch *w, uint64_t now_ns)
{
	unsigned by_mode[3] = {0};
	struct traffic_total total;
	json_t *report = json_object();
	char top[64];

	for (unsigned i = 0; i < w->n; i++)
		by_mode[w->run[i]->p->mode]++;
	traffic_total(w->traffic, &total);
	json_object_set_new(report, "ns", json_integer((json_int_t)now_ns));
	json_object_set_new(report, "samples", json_integer((json_int_t)w->n_samples));
	json_object_set_new(report, "pipelines",
			    json_pack("{s:i, s:i, s:i}", "monitor", (int)by_mode[MODE_MONITOR],
				      "ask", (int)by_mode[MODE_ASK], "automatic",
				      (int)by_mode[MODE_AUTOMATIC]));
	json_object_set_new(report, "traffic",
			    json_pack("{s:f, s:f, s:f, s:f, s:b, s:s, s:f, s:f}", "pps", total.pps,
				      "bps", total.bps, "usual_pps", total.usual_pps, "usual_bps",
				      total.usual_bps, "learned", total.learned, "top",
				      target_text(&total.top, top), "top_pps", total.top_pps,
				      "top_bps", total.top_bps));
	cases_report(w->cases, report);
	return report;
}
