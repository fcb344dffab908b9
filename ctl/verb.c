/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verb.h"

#include <stdlib.h>

struct verb_waiter {
	struct waiter waiter;
	struct verb_call *call;
	struct buf text; /* of the answer; not allocated: none */
	json_t *value;   /* NULL: none */
};

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

void verb_undo_words(struct verb_call *call, json_t *words)
{
	if (!call->undo)
		call->undo = json_array();
	if (json_array_append_new(call->undo, words))
		abort();
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
