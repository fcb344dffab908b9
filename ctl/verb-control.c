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
	char method[];
};

static void method_done(struct waiter *w, int error, const struct refusal *r)
{
	struct method_waiter *mw = container_of(w, struct method_waiter, waiter);
	struct verb_call *call = mw->call;

	if (error && mw->added)
		openflow_del(mw->openflow, mw->method, NULL);
	else if (error)
		openflow_add(mw->openflow, mw->method, NULL);
	free(mw);
	if (error)
		verb_refuse(call, r);
	else
		verb_done(call, NULL, NULL);
}

static void run_method(struct verb_call *call, bool add)
{
	const char *method = call->args.word[0];
	struct openflow *of = call->daemon->openflow;
	struct method_waiter *mw;
	struct refusal r = {0};

	if (!of)
		refuse(&r, NOT_HERE, "", "there are no controllers without sockets");
	else if (add)
		openflow_add(of, method, &r);
	else
		openflow_del(of, method, &r);
	if (r.code) {
		verb_refuse(call, &r);
		return;
	}
	mw = calloc(1, sizeof *mw + strlen(method) + 1);
	if (!mw)
		abort();
	mw->waiter.done = method_done;
	mw->call = call;
	mw->openflow = of;
	mw->added = add;
	strcpy(mw->method, method);
	verb_undo(call, add ? "del-controller" : "add-controller", method);
	ofproto_keep(call->daemon->ofproto, "controller", method, add, &mw->waiter);
}

void do_add_controller(struct verb_call *call)
{
	run_method(call, true);
}

void do_del_controller(struct verb_call *call)
{
	run_method(call, false);
}

struct find {
	const char *method;
	bool found;
};

static void find_method(void *arg, const struct openflow_peer *p)
{
	struct find *f = arg;

	f->found |= !strcmp(p->method, f->method);
}

bool controller_there(struct daemon *d, const char *method)
{
	struct find f = {method, false};

	if (d->openflow)
		openflow_peers(d->openflow, find_method, &f);
	return f.found;
}

/* ---- From the store ---- */

struct restore {
	struct kept_visit visit;
	struct daemon *daemon;
};

static void restore_one(struct kept_visit *v, const char *method)
{
	struct daemon *d = container_of(v, struct restore, visit)->daemon;
	struct refusal r = {0};

	if (!controller_there(d, method) && openflow_add(d->openflow, method, &r))
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
