/* SPDX-License-Identifier: Apache-2.0 */
/* Ports and connections out of the store: made at the start, or as soon as they can be.
 *
 * What cannot be made (its interface is not there yet) stays in the store, keeps its number, is
 * said once, and is tried again whenever a new interface appears. */
#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

struct words object_words(char *text, const char **word, unsigned room)
{
	struct words words = {0, word};
	char *save = NULL;

	for (char *w = strtok_r(text, "\n", &save); w && words.n < room;
	     w = strtok_r(NULL, "\n", &save))
		word[words.n++] = w;
	return words;
}

static void free_lost(struct lost *l)
{
	free(l->name);
	mem_wipe_text(l->text);
	free(l);
}

static int make(struct ofproto *o, const struct lost *l, struct refusal *r)
{
	const char *word[OPTIONS_MAX + 2];
	char *copy = mem_text(l->text);
	size_t size = strlen(copy);
	struct words words = object_words(copy, word, ARRAY_SIZE(word));
	bool restoring = o->restoring;
	int error;

	o->restoring = true; /* it is in the store */
	error = l->conn ? ofproto_add_conn(o, words, NULL, r) : ofproto_add_port(o, words, NULL, r);
	o->restoring = restoring;
	explicit_bzero(copy, size);
	free(copy);
	return error;
}

/* ofport=N of its text, which always has it. */
static uint32_t number_of(const char *text)
{
	const char *at = strstr(text, "\nofport=");
	unsigned long n = at ? strtoul(at + 8, NULL, 10) : 0;

	return n < PORT_MAX ? (uint32_t)n : 0;
}

struct restore {
	struct store_visit visit;
	struct ofproto *ofproto;
	struct lost **tail;
	bool conn;
};

static int restore_one(struct store_visit *v, const char *name, const char *text, struct refusal *r)
{
	struct restore *restore = container_of(v, struct restore, visit);
	struct lost *l = mem_new(sizeof *l);
	struct refusal why = {0};

	(void)r;
	l->name = mem_text(name);
	l->text = mem_text(text);
	l->conn = restore->conn;
	if (!make(restore->ofproto, l, &why)) {
		free_lost(l);
		return 0;
	}
	LOG(ERR, "%s: not there: %s; tried again when an interface appears", name, why.text);
	l->ofport = number_of(text);
	*restore->tail = l;
	restore->tail = &l->next;
	return 0;
}

int objects_restore(struct ofproto *o, struct refusal *r)
{
	struct restore restore = {
		.visit.object = restore_one, .ofproto = o, .tail = &o->objects.lost};
	int error = store_load_objects(o->store, "port", &restore.visit, r);

	restore.conn = true;
	o->objects.retry = false;
	return error ? error : store_load_objects(o->store, "conn", &restore.visit, r);
}

void objects_retry(struct ofproto *o)
{
	struct lost *old, **tail = &o->objects.lost, *next;

	/* What is to be forgotten is gone by then, or is not. */
	if (!o->objects.retry || o->changes.in_flight || o->changes.open.used)
		return;
	o->objects.retry = false;
	old = o->objects.lost;
	o->objects.lost = NULL;
	for (struct lost *l = old; l; l = next) {
		struct refusal why;

		next = l->next;
		l->next = NULL;
		if (make(o, l, &why)) {
			*tail = l;
			tail = &l->next;
			continue;
		}
		LOG(INFO, "%s: there again", l->name);
		port_config_restore(ofproto_port(o, l->name), l->config);
		free_lost(l);
	}
}

struct lost_step {
	struct step step;
	struct lost *lost;
};

static void lost_done(struct ofproto *o, struct step *s)
{
	struct lost_step *ls = container_of(s, struct lost_step, step);
	struct lost **link = &o->objects.lost;

	while (*link != ls->lost)
		link = &(*link)->next;
	*link = ls->lost->next;
	free_lost(ls->lost);
	free(ls);
}

static void lost_undo(struct ofproto *o, struct step *s)
{
	struct lost_step *ls = container_of(s, struct lost_step, step);

	(void)o;
	ls->lost->leaving = false;
	free(ls);
}

static const struct step_class lost_class = {NULL, lost_done, lost_undo};

struct lost *lost_find(struct ofproto *o, const char *name)
{
	struct lost *l = o->objects.lost;

	while (l && (l->leaving || strcmp(l->name, name)))
		l = l->next;
	return l;
}

bool lost_forget(struct ofproto *o, const char *name, bool conn)
{
	struct lost *l = lost_find(o, name);
	struct lost_step *ls;

	if (!l || l->conn != conn)
		return false;
	l->leaving = true;
	ls = mem_new(sizeof *ls);
	*ls = (struct lost_step){{.class = &lost_class}, l};
	change_step(o, &ls->step);
	change_store(o, store_op_object(conn ? "conn" : "port", name, NULL));
	if (l->config)
		port_config_keep(o, name, 0);
	return true;
}

void lost_free(struct ofproto *o)
{
	while (o->objects.lost) {
		struct lost *next = o->objects.lost->next;

		free_lost(o->objects.lost);
		o->objects.lost = next;
	}
}
