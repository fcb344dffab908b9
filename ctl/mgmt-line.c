/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/mgmt-line.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/rpc.h"
#include "ctl/verb.h"
#include "lib/log.h"

/* Octets of an answer.  Shorter ones are copied, several to a block, and never refused for want of
 * room: what they tell of has been done. */
enum { ANSWER_LONG = 4096 };

struct line {
	struct line *next;
	struct asker *asker; /* NULL: has gone */
	bool batch;
	unsigned n, n_left;
	char *answer[]; /* of n, in the order of the requests; NULL: none, or none is wanted */
};

struct request {
	struct verb_call call;
	struct line *line;
	size_t index;
	json_t *root;      /* keeps the words alive */
	const char **word; /* of the call */
};

/* ---- Answers ----------------------------------------------------------------------------- */

void asker_init(struct asker *a)
{
	a->last = &a->first;
}

static struct line *line_new(struct asker *a, bool batch, size_t n)
{
	struct line *l = calloc(1, sizeof *l + n * sizeof l->answer[0]);

	if (!l)
		abort();
	l->asker = a;
	l->batch = batch;
	l->n = l->n_left = (unsigned)n;
	*a->last = l;
	a->last = &l->next;
	a->n_lines++;
	return l;
}

static void line_free(struct line *l)
{
	for (unsigned i = 0; i < l->n; i++)
		free(l->answer[i]);
	free(l);
}

static char *text_of(json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);

	if (!text)
		abort();
	json_decref(answer);
	return text;
}

/* The same answer without what there is no room for. */
static char *refused_for_room(json_t *id)
{
	struct refusal r;

	refuse(&r, LIMIT, "",
	       "answers that nobody fetched are too long, and yours the longest; fetch them, then "
	       "ask again");
	return text_of(rpc_answer(id, "error", rpc_error(RPC_REFUSED, r.text, &r)));
}

/* One request of a line has its answer, which is taken, or wants none (NULL). */
static void line_answer(struct line *l, size_t index, json_t *answer)
{
	struct asker *a = l->asker;

	if (answer && a) {
		json_t *id = json_incref(json_object_get(answer, "id"));
		char *text = text_of(answer);

		if (!a->room(a) && strlen(text) >= ANSWER_LONG) {
			free(text);
			text = refused_for_room(id);
		}
		json_decref(id);
		l->answer[index] = text;
		a->held += strlen(text);
	} else {
		json_decref(answer);
	}
	if (--l->n_left)
		return;
	if (a)
		a->ready(a);
	else
		line_free(l);
}

static void free_text(const void *data, size_t size, void *text)
{
	(void)data, (void)size;
	free(text);
}

static void line_write(struct line *l, struct evbuffer *out)
{
	const char *before = l->batch ? "[" : "", *behind = l->batch ? "]\n" : "\n";
	bool any = false;

	for (unsigned i = 0; i < l->n; i++) {
		char *text = l->answer[i];

		if (!text)
			continue;
		evbuffer_add(out, before, strlen(before));
		l->asker->held -= strlen(text);
		if (strlen(text) < ANSWER_LONG) {
			evbuffer_add(out, text, strlen(text));
		} else {
			evbuffer_add_reference(out, text, strlen(text), free_text, text);
			l->answer[i] = NULL;
		}
		before = ",";
		any = true;
	}
	if (any)
		evbuffer_add(out, behind, strlen(behind));
}

bool line_leave(struct asker *a, struct evbuffer *out)
{
	struct line *l = a->first;

	if (!l || l->n_left)
		return false;
	a->first = l->next;
	if (!a->first)
		a->last = &a->first;
	a->n_lines--;
	line_write(l, out);
	line_free(l);
	return true;
}

void line_fault(struct asker *a, int code, const char *message)
{
	line_answer(line_new(a, false, 1), 0,
		    rpc_answer(NULL, "error", rpc_error(code, message, NULL)));
}

void asker_end(struct asker *a)
{
	struct line *l = a->first, *next, *under_way = a->line;
	json_t *requests = a->requests;
	size_t at = a->at;

	a->first = NULL;
	a->last = &a->first;
	a->n_lines = 0;
	a->held = 0;
	a->requests = NULL;
	for (; l; l = next) {
		next = l->next;
		l->asker = NULL;
		if (!l->n_left)
			line_free(l);
	}
	for (; at < json_array_size(requests); at++)
		line_answer(under_way, at, NULL);
	json_decref(requests);
}

/* ---- Requests ---------------------------------------------------------------------------- */

static void request_end(struct request *q, const char *key, json_t *part)
{
	json_t *id = json_object_get(q->root, "id");

	if (id)
		line_answer(q->line, q->index, rpc_answer(id, key, part));
	else
		line_answer(q->line, q->index, NULL);
	if (!id)
		json_decref(part);
	for (unsigned i = 0; i < q->call.words.n; i++) /* a word may be a key */
		explicit_bzero((char *)(uintptr_t)q->word[i], strlen(q->word[i]));
	json_decref(q->call.undo);
	json_decref(q->root);
	free(q->word);
	free(q);
}
static void request_done(struct verb_call *call, json_t *result)
{
	request_end(container_of(call, struct request, call), "result", result);
}

static void request_refused(struct verb_call *call, const struct refusal *r)
{
	request_end(container_of(call, struct request, call), "error",
		    rpc_error(call->misused ? RPC_PARAMS : RPC_REFUSED, r->text, r));
}

/* Who changed what; keys stay out of the log. */
static void log_change(const struct verb *v, const struct verb_call *call)
{
	struct buf text = {0};

	verb_shown(v, call, &text);
	LOG(INFO, "mgmt: %s, %s: %s", origin_names[call->origin], call->who, buf_text(&text));
	buf_free(&text);
}

static void request_words(struct request *q, const json_t *params)
{
	unsigned n = (unsigned)json_array_size(params);

	q->word = calloc(n + 1, sizeof *q->word);
	if (!q->word)
		abort();
	for (unsigned i = 0; i < n; i++)
		q->word[i] = json_string_value(json_array_get(params, i));
	q->call.words = (struct words){n, q->word};
}

static void request_run(struct line *l, size_t index, json_t *root)
{
	struct refusal r = {0};
	const char *fault = rpc_request_fault(root, &r);
	json_t *id = json_object_get(root, "id"), *params = json_object_get(root, "params");
	const char *method = json_string_value(json_object_get(root, "method"));
	const struct verb *v = fault ? NULL : verb_find(method);
	const struct asker *a = l->asker;
	struct request *q;

	if (!v) {
		json_t *error = rpc_error(fault ? RPC_INVALID : RPC_NO_METHOD,
					  fault ? fault : "no such verb", NULL);

		line_answer(l, index, rpc_answer(fault ? NULL : id, "error", error));
		return;
	}
	q = calloc(1, sizeof *q);
	if (!q)
		abort();
	q->line = l;
	q->index = index;
	q->root = json_incref(root);
	if (json_is_object(params)) {
		const char *want = json_string_value(json_object_get(params, "want"));

		q->call.no_json = want && !strcmp(want, "text");
		q->call.no_text = want && !strcmp(want, "json");
		params = json_object_get(params, "words");
	}
	request_words(q, params);
	q->call.daemon = a->daemon;
	q->call.origin = a->origin;
	snprintf(q->call.who, sizeof q->call.who, "uid %u, pid %d", a->uid, a->pid);
	q->call.done = request_done;
	q->call.refused = request_refused;
	if (v->flags & VERB_CHANGES)
		log_change(v, &q->call);
	verb_run(v, &q->call);
}

static void requests_begin(struct asker *a, json_t *requests, bool batch)
{
	a->requests = json_incref(requests);
	a->line = line_new(a, batch, json_array_size(requests));
	a->at = 0;
}

void line_begin(struct asker *a, const char *text, size_t size)
{
	json_error_t error;
	json_t *root, *one;
	size_t n;

	if (rpc_values(text, size) > MGMT_VALUES_MAX) {
		line_fault(a, RPC_INVALID, "a line of more than 2097152 values");
		return;
	}
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	n = json_array_size(root);
	if (!root) {
		line_fault(a, RPC_PARSE, error.text);
	} else if (!json_is_array(root)) {
		one = json_array();
		json_array_append(one, root);
		requests_begin(a, one, false);
		json_decref(one);
	} else if (!n || n > MGMT_BATCH_MAX) {
		line_fault(a, RPC_INVALID,
			   n ? "a batch of more than 256 requests" : "an empty batch");
	} else {
		requests_begin(a, root, true);
	}
	json_decref(root);
}

bool line_goes_on(const struct asker *a)
{
	return a->requests;
}

bool line_is_long(const struct asker *a)
{
	json_t *method = json_object_get(json_array_get(a->requests, a->at), "method");
	const struct verb *v = json_is_string(method) ? verb_find(json_string_value(method)) : NULL;

	return v && v->flags & VERB_LONG;
}

void line_next(struct asker *a)
{
	json_t *requests = a->requests;
	size_t i = a->at++;
	bool last = a->at == json_array_size(requests);

	if (last)
		a->requests = NULL;
	request_run(a->line, i, json_array_get(requests, i));
	if (last)
		json_decref(requests);
}
