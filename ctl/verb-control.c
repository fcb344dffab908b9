/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for controllers.  A method begins at once; it is remembered in the store, and ends again
 * when the store refuses. */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/rows.h"
#include "ctl/verb.h"
#include "lib/log.h"

struct method_waiter {
	struct waiter waiter;
	struct verb_call *call;
	struct openflow *openflow;
	bool added;
	char *method, *options;
};

static void method_done(struct waiter *w, int error, const struct refusal *r)
{
	struct method_waiter *mw = container_of(w, struct method_waiter, waiter);
	struct verb_call *call = mw->call;

	if (error && mw->added)
		openflow_del(mw->openflow, mw->method, NULL);
	else if (error)
		openflow_add(mw->openflow, mw->method, mw->options, NULL);
	free(mw->method);
	free(mw->options);
	free(mw);
	if (error)
		verb_refuse(call, r);
	else
		verb_done(call, NULL, NULL);
}

/* What takes an end back has the options that there were. */
static void undo_method(struct verb_call *call, const struct method_waiter *mw)
{
	json_t *words = json_array();
	char *copy = strdup(mw->options), *at = copy, *word;

	if (!copy)
		abort();
	json_array_append_new(words, json_string(mw->added ? "del-controller" : "add-controller"));
	json_array_append_new(words, json_text(mw->method));
	while (!mw->added && (word = strsep(&at, " ")))
		if (*word)
			json_array_append_new(words, json_text(word));
	free(copy);
	verb_undo_words(call, words);
}

static int change_method(struct method_waiter *mw, struct refusal *r)
{
	if (!mw->openflow)
		return refuse(r, NOT_HERE, "", "there are no controllers without sockets");
	return mw->added ? openflow_add(mw->openflow, mw->method, mw->options, r)
			 : openflow_del(mw->openflow, mw->method, r);
}

static void run_method(struct verb_call *call, bool add)
{
	struct openflow *of = call->daemon->openflow;
	struct method_waiter *mw = calloc(1, sizeof *mw);
	const char *method = call->args.word[0];
	const char *was = of && !add ? openflow_options(of, method) : NULL;
	struct refusal r = {0};

	if (!mw)
		abort();
	mw->waiter.done = method_done;
	mw->call = call;
	mw->openflow = of;
	mw->added = add;
	mw->method = strdup(method);
	mw->options = add ? verb_join(call, 1) : strdup(was ? was : "");
	if (!mw->method || !mw->options)
		abort();
	if (change_method(mw, &r)) {
		free(mw->method);
		free(mw->options);
		free(mw);
		verb_refuse(call, &r);
		return;
	}
	undo_method(call, mw);
	ofproto_keep(call->daemon->ofproto, "controller", method, add ? mw->options : NULL,
		     &mw->waiter);
}

void do_add_controller(struct verb_call *call)
{
	run_method(call, true);
}

void do_del_controller(struct verb_call *call)
{
	run_method(call, false);
}

bool controller_there(struct daemon *d, const char *method, const char *options)
{
	const char *was = d->openflow ? openflow_options(d->openflow, method) : NULL;

	return was && !strcmp(was, options);
}

/* ---- From the store ---- */

struct restore {
	struct kept_visit visit;
	struct daemon *daemon;
};

static void restore_one(struct kept_visit *v, const char *method, const char *options)
{
	struct daemon *d = container_of(v, struct restore, visit)->daemon;
	struct refusal r = {0};

	if (!controller_there(d, method, options) && openflow_add(d->openflow, method, options, &r))
		LOG(WARN, "openflow: %s of the store: %s", method, r.text);
}

int controllers_restore(struct daemon *d, struct refusal *r)
{
	struct restore restore = {{restore_one}, d};

	return ofproto_kept(d->ofproto, "controller", &restore.visit, r);
}

/* ---- Showing ---- */

struct peer_list {
	json_t *list;
	struct buf *text;
	uint64_t now;
};

static void list_peer(void *arg, const struct openflow_peer *p)
{
	struct peer_list *l = arg;
	json_t *row = json_object();

	json_put(row, "method", json_text(p->method));
	if (p->remote)
		json_put(row, "remote", json_text(p->remote));
	if (p->options && *p->options)
		json_put(row, "options", json_text(p->options));
	if (p->subject)
		json_put(row, "subject", json_text(p->subject));
	if (p->n_turned_away)
		json_put_u64(row, "turned_away", p->n_turned_away);
	if (p->n_accept_failed)
		json_put_u64(row, "accept_failed", p->n_accept_failed);
	json_put(row, "connected", json_boolean(p->connected));
	json_put_u64(row, "since_ns", p->since_ns);
	json_put_u64(row, "rx_messages", p->n_rx);
	json_put_u64(row, "tx_messages", p->n_tx);
	json_put_u64(row, "errors", p->n_errors);
	if (p->last_error)
		json_put(row, "last_error", json_text(p->last_error));
	json_array_append_new(l->list, row);
	buf_printf(l->text,
		   "%s%s%s: %s, received %" PRIu64 ", sent %" PRIu64 ", errors %" PRIu64 "%s%s\n",
		   p->method, p->remote ? " from " : "", p->remote ? p->remote : "",
		   p->connected ? "connected"
		   : p->remote  ? "connecting"
				: "waiting",
		   p->n_rx, p->n_tx, p->n_errors, p->last_error ? ", last: " : "",
		   p->last_error ? p->last_error : "");
}

json_t *controllers_show(struct daemon *d, struct buf *text)
{
	struct peer_list l = {json_array(), text, 0};

	if (d->openflow)
		openflow_peers(d->openflow, list_peer, &l);
	return l.list;
}

void do_list_controllers(struct verb_call *call)
{
	struct buf text = {0};
	json_t *list = controllers_show(call->daemon, &text);

	verb_done(call, &text, list);
}
