/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verb.h"

#include <ctype.h>
#include <stdlib.h>

struct verb_waiter {
	struct waiter waiter;
	struct verb_call *call;
	struct buf text; /* of the answer; not allocated: none */
	json_t *value;   /* NULL: none */
};

/* As long as a key and made like one: it may stand behind a misspelt name. */
static bool may_be_key(const char *value)
{
	return strspn(value + (!strncmp(value, "0x", 2) ? 2 : 0), "0123456789abcdefABCDEF") >= 32;
}

void verb_put_line(struct buf *text, const char *word, size_t max)
{
	size_t n = strlen(word);

	if (n > max)
		for (n = max; n && (word[n] & 0xc0) == 0x80;) /* whole characters */
			n--;
	for (size_t i = 0; i < n; i++) {
		/* U+0080 to U+009F: control characters, too */
		bool c1 = (uint8_t)word[i] == 0xc2 && (uint8_t)word[i + 1] < 0xa0;

		i += c1;
		buf_printf(text, "%c", c1 || iscntrl((uint8_t)word[i]) ? '?' : word[i]);
	}
	if (word[n])
		buf_printf(text, "…");
}

/* The content of a file, which is the last word. */
static bool is_content(const struct verb *v, const struct verb_call *call, unsigned i)
{
	const char *word = call->words.word[i];
	bool behind = false;

	for (unsigned k = 0; k < i; k++)
		behind |= !strcmp(call->words.word[k], "--");
	return v->flags & VERB_FILE && i + 1 == call->words.n &&
	       (behind || strchr(word, '\n') || !strncmp(v->usage, "FILE", 4));
}

void verb_shown(const struct verb *v, const struct verb_call *call, struct buf *text)
{
	buf_printf(text, "%s", v->name);
	for (unsigned i = 0; i < call->words.n && text->size < 400; i++) {
		const char *word = call->words.word[i], *equals = strchr(word, '=');
		const char *key = strstr(word, "key");
		size_t name = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-_");

		if (v->flags & VERB_FILE && !strcmp(word, "--"))
			continue;
		buf_printf(text, " ");
		if (is_content(v, call, i))
			buf_printf(text, "(%zu octets)", strlen(word));
		else if (equals && ((key && key < equals) || may_be_key(equals + 1)))
			buf_printf(text, "%.*s=…", (int)MIN(name, 40u), word);
		else if (may_be_key(word))
			buf_printf(text, "…");
		else
			verb_put_line(text, word, 200);
	}
}

/* The handler acts in the name of `who`.  The call, and who, may be gone when it returns. */
static void run_as(const struct verb *v, struct verb_call *call, const struct actor *who)
{
	struct ofproto *o = call->daemon->ofproto;
	struct actor actor = *who;

	call->actor = &actor;
	ofproto_actor(o, &actor);
	verb_handlers[v - verbs](call);
	ofproto_actor(o, NULL);
	free((char *)(uintptr_t)actor.undo);
}

/* A change of whoever called. */
static void run_change(const struct verb *v, struct verb_call *call)
{
	struct buf what = {0};
	char who[sizeof call->who];
	struct actor actor = {
		.origin = call->origin, .whole = args_option(&call->args, "--confirm"), .who = who};

	memcpy(who, call->who, sizeof who);
	verb_shown(v, call, &what);
	actor.what = buf_text(&what);
	run_as(v, call, &actor);
	buf_free(&what);
}

void verb_run(const struct verb *v, struct verb_call *call)
{
	struct refusal r = {0};

	call->verb = v;
	if (call->origin == ORIGIN_WATCH && !(v->flags & VERB_WATCH)) {
		refuse(&r, NOT_PERMITTED, v->name,
		       "%s is not for the watcher; it may look, use the guard, and propose",
		       v->name);
		verb_refuse(call, &r);
		return;
	}
	call->misused = args_parse(&call->args, v->usage, call->words.n, call->words.word, &r);
	if (call->misused)
		verb_refuse(call, &r);
	else if (v->flags & VERB_CHANGES && call->actor)
		run_as(v, call, call->actor);
	else if (v->flags & VERB_CHANGES)
		run_change(v, call);
	else
		verb_handlers[v - verbs](call);
}

void json_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(object, key, value))
		abort();
}

json_t *json_text(const char *text)
{
	json_t *s = json_string(text);

	if (!s) { /* not UTF-8: what is not ASCII becomes a question mark */
		char *copy = strdup(text);

		for (char *c = copy; c && *c; c++)
			if (*c & 0x80)
				*c = '?';
		s = copy ? json_string(copy) : NULL;
		free(copy);
	}
	if (!s)
		abort();
	return s;
}

void verb_done(struct verb_call *call, struct buf *text, json_t *value)
{
	json_t *result = json_object();

	if (text) {
		json_put(result, "text", json_text(buf_text(text)));
		buf_free(text);
	}
	if (value)
		json_put(result, "json", value);
	call->done(call, result);
}

void verb_refuse(struct verb_call *call, const struct refusal *r)
{
	call->refused(call, r);
}

static void waiter_done(struct waiter *w, int error, const struct refusal *r)
{
	struct verb_waiter vw = *container_of(w, struct verb_waiter, waiter);

	free(container_of(w, struct verb_waiter, waiter));
	if (error) {
		buf_free(&vw.text);
		json_decref(vw.value);
		verb_refuse(vw.call, r);
	} else {
		verb_done(vw.call, vw.text.size ? &vw.text : NULL, vw.value);
	}
}

struct waiter *verb_waiter_says(struct verb_call *call, struct buf *text, json_t *value)
{
	struct verb_waiter *vw = calloc(1, sizeof *vw);

	if (!vw)
		abort();
	vw->call = call;
	vw->waiter.done = waiter_done;
	vw->value = value;
	if (text) {
		vw->text = *text;
		*text = (struct buf){0};
	}
	return &vw->waiter;
}

struct buf *verb_waiter_text(struct waiter *w)
{
	return &container_of(w, struct verb_waiter, waiter)->text;
}

struct waiter *verb_waiter(struct verb_call *call)
{
	return verb_waiter_says(call, NULL, NULL);
}

void verb_waits(struct verb_call *call, struct waiter *w, int error, const struct refusal *r)
{
	struct verb_waiter *vw = container_of(w, struct verb_waiter, waiter);

	if (!error)
		return;
	buf_free(&vw->text);
	json_decref(vw->value);
	free(vw);
	verb_refuse(call, r);
}

void verb_undo(struct verb_call *call, const char *verb, const char *word)
{
	json_t *one = json_array();

	if (json_array_append_new(one, json_text(verb)) ||
	    (word && json_array_append_new(one, json_text(word))))
		abort();
	verb_undo_words(call, one);
}

/* All of it or nothing: half an undo is none. */
static void tell_undo(struct verb_call *call)
{
	char *text;

	if (!call->actor)
		return;
	text = json_dumps(call->undo, JSON_COMPACT);
	if (text && strlen(text) > UNDO_OCTETS) {
		free(text);
		text = NULL;
	}
	free((char *)(uintptr_t)call->actor->undo);
	call->actor->undo = text;
}

void verb_undo_list(struct verb_call *call, json_t *list)
{
	if (!call->undo)
		call->undo = json_array();
	if (json_array_extend(call->undo, list))
		abort();
	json_decref(list);
	tell_undo(call);
}

void verb_undo_words(struct verb_call *call, json_t *words)
{
	json_t *list = json_array();

	if (json_array_append_new(list, words))
		abort();
	verb_undo_list(call, list);
}

char *verb_join(const struct verb_call *call, unsigned first)
{
	struct buf text = {0};
	char *copy;

	for (unsigned i = first; i < call->args.n; i++)
		buf_printf(&text, "%s%s", i > first ? " " : "", call->args.word[i]);
	copy = strdup(buf_text(&text));
	buf_free(&text);
	if (!copy)
		abort();
	return copy;
}

void (*const verb_handlers[N_VERBS])(struct verb_call *call) = {
#define VERB(ID, NAME, USAGE, FLAGS, HELP) [VERB_ID_##ID] = do_##ID,
#include "ctl/verbs.def"
#undef VERB
};
