/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for ports and for connections, which are ports too. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/rows.h"
#include "ctl/verb.h"

typedef int (*add_fn)(struct ofproto *o, struct words words, struct waiter *w, struct refusal *r);
typedef int (*del_fn)(struct ofproto *o, const char *name, struct waiter *w, struct refusal *r);

static void run_add(struct verb_call *call, add_fn add, const char *undo)
{
	const char *confirm = args_option(&call->args, "--confirm"), *word[ARGS_MAX + 2];
	struct words words = {call->args.n, word};
	struct waiter *w = verb_waiter(call);
	struct refusal r = {0};
	char text[64];

	memcpy(word, call->args.word, call->args.n * sizeof *word);
	if (args_option(&call->args, "--force"))
		word[words.n++] = "force=yes";
	if (confirm) {
		snprintf(text, sizeof text, "confirm=%s", confirm);
		word[words.n++] = text;
	}
	verb_undo(call, undo, call->args.word[0]);
	verb_waits(call, w, add(call->daemon->ofproto, words, w, &r), &r);
}

static void run_del(struct verb_call *call, del_fn del)
{
	struct waiter *w = verb_waiter(call);
	struct refusal r = {0};

	verb_waits(call, w, del(call->daemon->ofproto, call->args.word[0], w, &r), &r);
}

static void run_list(struct verb_call *call, bool conns)
{
	struct port **ports = ports_sorted(call->daemon->ofproto, conns);
	json_t *list = json_array();
	struct buf text = {0};

	for (struct port **p = ports; *p; p++) {
		buf_printf(&text, "%s\n", (*p)->name);
		json_array_append_new(list, json_text((*p)->name));
	}
	free(ports);
	verb_done(call, &text, list);
}

static void run_show(struct verb_call *call, bool conns)
{
	struct ofproto *o = call->daemon->ofproto;
	const char *name = call->args.n ? call->args.word[0] : NULL;
	struct port **ports = ports_sorted(o, conns);
	json_t *list = json_array();
	struct buf text = {0};
	struct refusal r = {0};

	for (struct port **p = ports; *p; p++) {
		json_t *row;

		if (name && strcmp(name, (*p)->name))
			continue;
		row = port_row(o, *p);
		port_row_text(row, &text);
		json_array_append_new(list, row);
	}
	free(ports);
	if (!name || json_array_size(list)) {
		verb_done(call, &text, list);
		return;
	}
	json_decref(list);
	buf_free(&text);
	refuse(&r, NOT_FOUND, name, "no %s is named %.40s; %s says which there are",
	       conns ? "connection" : "port", name, conns ? "list-conns" : "list-ports");
	verb_refuse(call, &r);
}

void do_add_port(struct verb_call *call)
{
	run_add(call, ofproto_add_port, "del-port");
}

void do_del_port(struct verb_call *call)
{
	run_del(call, ofproto_del_port);
}

void do_list_ports(struct verb_call *call)
{
	run_list(call, false);
}

void do_show_port(struct verb_call *call)
{
	run_show(call, false);
}

void do_add_conn(struct verb_call *call)
{
	run_add(call, ofproto_add_conn, "del-conn");
}

void do_del_conn(struct verb_call *call)
{
	run_del(call, ofproto_del_conn);
}

void do_list_conns(struct verb_call *call)
{
	run_list(call, true);
}

void do_show_conn(struct verb_call *call)
{
	run_show(call, true);
}
