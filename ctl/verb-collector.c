/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for sFlow collectors.  One is sent to at once and remembered in the store; when the store
 * refuses, that is taken back. */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/collectors.h"
#include "ctl/rows.h"
#include "ctl/stats.h"
#include "ctl/verb.h"
#include "lib/log.h"

struct collector_waiter {
	struct waiter waiter;
	struct verb_call *call;
	struct collectors *collectors;
	bool added;
	char text[COLLECTOR_TEXT];
};

static void collector_done(struct waiter *w, int error, const struct refusal *r)
{
	struct collector_waiter *cw = container_of(w, struct collector_waiter, waiter);
	struct verb_call *call = cw->call;

	if (error && cw->added)
		collectors_del(cw->collectors, cw->text, cw->text, NULL);
	else if (error)
		collectors_add(cw->collectors, cw->text, cw->text, NULL);
	free(cw);
	if (error)
		verb_refuse(call, r);
	else
		verb_done(call, NULL, NULL);
}

static void run_collector(struct verb_call *call, bool add)
{
	struct collectors *cs = call->daemon->collectors;
	struct collector_waiter *cw = calloc(1, sizeof *cw);
	char *words = verb_join(call, 0);
	struct refusal r = {0};

	if (!cw)
		abort();
	if (!cs)
		refuse(&r, NOT_HERE, "", "there are no collectors without sockets");
	else if (add)
		collectors_add(cs, words, cw->text, &r);
	else
		collectors_del(cs, words, cw->text, &r);
	free(words);
	if (r.code) {
		free(cw);
		verb_refuse(call, &r);
		return;
	}
	cw->waiter.done = collector_done;
	cw->call = call;
	cw->collectors = cs;
	cw->added = add;
	verb_undo(call, add ? "del-collector" : "add-collector", cw->text);
	ofproto_keep(call->daemon->ofproto, "collector", cw->text, add ? "" : NULL, &cw->waiter);
}

void do_add_collector(struct verb_call *call)
{
	run_collector(call, true);
}

void do_del_collector(struct verb_call *call)
{
	run_collector(call, false);
}

/* ---- From the store ---- */

struct restore {
	struct kept_visit visit;
	struct daemon *daemon;
};

static void restore_one(struct kept_visit *v, const char *text, const char *nothing)
{
	struct daemon *d = container_of(v, struct restore, visit)->daemon;
	char kept[COLLECTOR_TEXT];
	struct refusal r = {0};

	(void)nothing;
	if (collectors_add(d->collectors, text, kept, &r))
		LOG(WARN, "sflow: collector %s of the store: %s", text, r.text);
}

int collectors_restore(struct daemon *d, struct refusal *r)
{
	struct restore restore = {{restore_one}, d};

	return ofproto_kept(d->ofproto, "collector", &restore.visit, r);
}

/* ---- Showing ---- */

static void list_one(void *arg, const struct collector_stats *s)
{
	json_t *row = json_object();
	char agent[IP_TEXT];

	json_put(row, "collector", json_text(s->address));
	json_put(row, "agent", json_text(ip_text(&s->agent, agent)));
	json_put_u64(row, "sent", s->sent);
	json_put_u64(row, "failed", s->failed);
	if (s->last_error)
		json_put(row, "last_error", json_text(s->last_error));
	json_array_append_new(arg, row);
}

json_t *sflow_collect(struct daemon *d)
{
	json_t *value = json_object(), *list = json_array();
	struct collectors_stats n = {0};

	if (d->collectors) {
		collectors_stats(d->collectors, &n);
		collectors_each(d->collectors, list_one, list);
	}
	json_put_u64(value, "samples", n.samples);
	json_put_u64(value, "unheard", n.unheard);
	json_put_u64(value, "datagrams", n.datagrams);
	json_put(value, "watched", json_boolean(n.watched));
	json_put_u64(value, "local_sent", n.local_sent);
	json_put_u64(value, "local_lost", n.local_lost);
	json_put(value, "collectors", list);
	return value;
}

static void list_text(const json_t *list, struct buf *text)
{
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		const char *error = json_str(row, "last_error");

		buf_printf(text, "%s: agent %s, sent %s, failed %s%s%s\n",
			   json_str(row, "collector"), json_str(row, "agent"),
			   text_count(json_u64(row, "sent")), text_count(json_u64(row, "failed")),
			   *error ? ", last: " : "", error);
	}
}

void sflow_text(const json_t *value, struct buf *text)
{
	buf_printf(text, "sflow: %s samples in %s datagrams; to the local watcher %s%s, lost %s\n",
		   text_count(json_u64(value, "samples")), text_count(json_u64(value, "datagrams")),
		   text_count(json_u64(value, "local_sent")),
		   json_is_true(json_object_get(value, "watched")) ? "" : " (nobody there)",
		   text_count(json_u64(value, "local_lost")));
	list_text(json_object_get(value, "collectors"), text);
}

void do_list_collectors(struct verb_call *call)
{
	json_t *value = sflow_collect(call->daemon);
	json_t *list = json_incref(json_object_get(value, "collectors"));
	struct buf text = {0};

	json_decref(value);
	list_text(list, &text);
	verb_done(call, &text, list);
}
