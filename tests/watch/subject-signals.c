/* SPDX-License-Identifier: Apache-2.0 */
/* The signals alone: what detection says, before anybody decides. */
#include "tests/watch/subject.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "utilities/watch/pipeline.h"

enum { SIGNALS_MAX = 32 };

struct said {
	const struct attack *attack; /* NULL: over */
	struct match match;
	uint64_t made_ns;
	char text[160];
};

struct signals {
	struct subject subject; /* first */
	struct attack_sink sink;
	struct traffic *traffic;
	unsigned n_signals, n, n_in_force;
	struct signal *signal[SIGNALS_MAX];
	struct said said[SUBJECT_RULES];
};

static void on_found(struct attack_sink *sink, struct attack *a)
{
	struct signals *u = container_of(sink, struct signals, sink);
	char target[64];
	struct said *said;

	if (u->n == SUBJECT_RULES)
		return;
	said = &u->said[u->n++];
	u->n_in_force++;
	said->attack = a;
	said->match = a->match;
	said->made_ns = a->found_ns;
	snprintf(said->text, sizeof said->text, "%s %s: %.0f pps, usual %.0f, %u sources, %s",
		 attack_names[a->kind], target_text(&a->target, target), a->pps, a->usual_pps,
		 a->n_sources, a->why);
}

static void on_goes_on(struct attack_sink *sink, struct attack *a)
{
	(void)sink;
	(void)a;
}

static void on_over(struct attack_sink *sink, struct attack *a)
{
	struct signals *u = container_of(sink, struct signals, sink);

	for (unsigned i = 0; i < u->n; i++) {
		if (u->said[i].attack != a)
			continue;
		u->said[i].attack = NULL;
		u->n_in_force--;
	}
}

static void is_over(struct subject *subject)
{
	struct signals *u = (struct signals *)subject;

	for (unsigned i = 0; i < u->n_signals; i++)
		signal_free(u->signal[i]);
	traffic_free(u->traffic);
	free(u);
}

static bool hits(const struct subject *subject, unsigned i, const struct watch_sample *s)
{
	const struct said *said = &((const struct signals *)subject)->said[i];
	struct key_view key = key_view_of(&s->key.du, &s->key.outer);

	return said->attack && match_hits(&said->match, &key);
}

static void sees(struct subject *subject, struct watch_sample *s)
{
	traffic_sample(((struct signals *)subject)->traffic, s);
}

static void ticks(struct subject *subject, uint64_t now_ns)
{
	struct signals *u = (struct signals *)subject;

	traffic_tick(u->traffic, now_ns);
	for (unsigned i = 0; i < u->n_signals; i++)
		signal_tick(u->signal[i], u->traffic, now_ns, &u->sink);
}

static unsigned in_force(const struct subject *u)
{
	return ((const struct signals *)u)->n_in_force;
}

static unsigned n_rules(const struct subject *u)
{
	return ((const struct signals *)u)->n;
}

static uint64_t made(const struct subject *u, unsigned i)
{
	return ((const struct signals *)u)->said[i].made_ns;
}

static void say(const struct subject *u, unsigned i, char *text, size_t room)
{
	snprintf(text, room, "%s", ((const struct signals *)u)->said[i].text);
}

struct subject *subject_signals(const char *examples)
{
	struct signals *u = calloc(1, sizeof *u);
	char *folder = subject_pipelines(examples), file[600];
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!u || !dir)
		abort();
	u->subject = (struct subject){is_over, sees, hits, ticks, in_force, n_rules, made, say};
	u->sink = (struct attack_sink){on_found, on_goes_on, on_over};
	u->traffic = traffic_create();
	while ((entry = readdir(dir))) {
		struct refusal r = {0};
		struct pipeline *p;

		snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
		p = strstr(entry->d_name, ".watch") ? pipeline_read(file, &r) : NULL;
		if (!p || u->n_signals == SIGNALS_MAX)
			continue;
		u->signal[u->n_signals++] = signal_create(&p->signal);
		pipeline_free(p);
	}
	closedir(dir);
	subject_pipelines_remove(folder);
	return &u->subject;
}
