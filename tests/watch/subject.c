/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/watch/subject.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "utilities/watch/pipeline.h"
#include "datapath/pkt.h"
#include "utilities/watch/pretend.h"

/* ---- Pipelines --------------------------------------------------------------------------- */

static void must(bool so, const char *what)
{
	if (so)
		return;
	perror(what);
	exit(99);
}

/* A word of the line that is another one here. */
static const char *changed(const char *word)
{
	if (!strncmp(word, "learn=", 6))
		return "learn=" SUBJECT_LEARN;
	if (!strncmp(word, "mode=", 5))
		return "mode=automatic";
	return strncmp(word, "alert=", 6) ? word : "";
}

static void copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "re"), *out = fopen(to, "we");
	char line[1024];

	must(in && out, from);
	while (fgets(line, sizeof line, in)) {
		char *at = line, *word;

		if (line[0] == '#')
			continue;
		line[strcspn(line, "\n")] = 0;
		while ((word = strsep(&at, " ")))
			fprintf(out, "%s ", changed(word));
		fprintf(out, "\n");
	}
	fclose(in);
	must(!fclose(out), to);
}

static void each_file(const char *folder, void (*visit)(const char *, const char *, const char *),
		      const char *other)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	must(dir, folder);
	while ((entry = readdir(dir)))
		if (strstr(entry->d_name, ".watch"))
			visit(folder, entry->d_name, other);
	closedir(dir);
}

static void copy(const char *from, const char *name, const char *to)
{
	char source[600], target[600];

	snprintf(source, sizeof source, "%s/%s", from, name);
	snprintf(target, sizeof target, "%s/%s", to, name);
	copy_file(source, target);
}

static void remove_one(const char *folder, const char *name, const char *unused)
{
	char file[600];

	(void)unused;
	snprintf(file, sizeof file, "%s/%s", folder, name);
	unlink(file);
}

char *subject_pipelines(const char *examples)
{
	char folder[] = "/tmp/sluice-score.XXXXXX", *name;

	must(mkdtemp(folder), folder);
	each_file(examples, copy, folder);
	name = strdup(folder);
	must(name, "strdup");
	return name;
}

void subject_pipelines_remove(char *folder)
{
	each_file(folder, remove_one, NULL);
	rmdir(folder);
	free(folder);
}

/* ---- The whole watcher ------------------------------------------------------------------- */

struct watched {
	struct subject subject; /* first */
	struct pretend *guard;
	struct watch *watch;
	struct audit audit;
	struct alert_sink alerts;
};

static void no_audit(struct audit *a, json_t *entry)
{
	(void)a;
	json_decref(entry);
}

static void no_alert(struct alert_sink *a, const char *to, const json_t *entry)
{
	(void)a;
	(void)to;
	(void)entry;
}

static void watch_is_over(struct subject *u)
{
	struct watched *w = (struct watched *)u;

	watch_free(w->watch);
	pretend_free(w->guard);
	free(w);
}

static bool watch_hits(const struct subject *u, unsigned i, const struct watch_sample *s)
{
	const struct pretend_rule *rule = pretend_rule(((const struct watched *)u)->guard, i);
	struct key_view key = key_view_of(&s->key.du, &s->key.outer);

	return !rule->ended_ns && rule->rule.action != GUARD_PASS &&
	       match_hits(&rule->rule.match, &key);
}

static void watch_sees(struct subject *u, struct watch_sample *s)
{
	struct watched *w = (struct watched *)u;
	double lost = pretend_sample(w->guard, s, NULL);
	struct sample_sink *sink = watch_sink(w->watch);

	if (lost > 0 && lost >= (double)s->packets) {
		s->end = END_DROPPED;
		s->reason = DROP_RULE;
	}
	sink->sample(sink, s);
}

static void watch_ticks(struct subject *u, uint64_t now_ns)
{
	struct watched *w = (struct watched *)u;

	pretend_tick(w->guard, now_ns);
	watch_tick(w->watch, now_ns);
}

static unsigned watch_n_rules(const struct subject *u)
{
	return pretend_n_rules(((const struct watched *)u)->guard);
}

static unsigned watch_in_force(const struct subject *u)
{
	const struct watched *w = (const struct watched *)u;
	unsigned n = 0;

	for (unsigned i = 0; i < pretend_n_rules(w->guard); i++)
		n += !pretend_rule(w->guard, i)->ended_ns;
	return n;
}

static uint64_t watch_made(const struct subject *u, unsigned i)
{
	return pretend_rule(((const struct watched *)u)->guard, i)->made_ns;
}

static void watch_text(const struct subject *u, unsigned i, char *text, size_t room)
{
	const struct pretend_rule *rule = pretend_rule(((const struct watched *)u)->guard, i);
	struct buf flow = {0};

	guard_rule_format(&rule->rule, &flow);
	snprintf(text, room, "%.*s", (int)flow.size, (const char *)flow.data);
	buf_free(&flow);
}

struct subject *subject_watch(const char *examples)
{
	struct watched *w = calloc(1, sizeof *w);
	struct watch_config config = {0};
	struct refusal r = {0};
	char *folder = subject_pipelines(examples);

	must(w, "calloc");
	w->subject = (struct subject){watch_is_over,  watch_sees,    watch_hits, watch_ticks,
				      watch_in_force, watch_n_rules, watch_made, watch_text};
	w->guard = pretend_create();
	w->audit.write = no_audit;
	w->alerts.alert = no_alert;
	config.pipelines = folder;
	config.actuator = pretend_actuator(w->guard);
	config.audit = &w->audit;
	config.alerts = &w->alerts;
	w->watch = watch_create(&config, &r);
	if (!w->watch) {
		fprintf(stderr, "%s\n", r.text);
		exit(99);
	}
	watch_connected(w->watch);
	subject_pipelines_remove(folder);
	return &w->subject;
}
