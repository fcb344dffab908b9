/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for files of rules: all of a file happens, at once, or nothing. */
#include <stdlib.h>

#include "ctl/flow-set.h"
#include "ctl/verb.h"

/* The rules of the file against those in force; `keep`: others stay. */
static void run_file(struct verb_call *call, bool keep)
{
	struct ofproto *o = call->daemon->ofproto;
	struct flow_set file, now;
	struct flow_change *changes;
	struct refusal r = {0};
	size_t n;

	if (flow_set_read(&file, call->args.word[0], &r)) {
		verb_refuse(call, &r);
		return;
	}
	if (!keep && !file.n && !args_option(&call->args, "--all")) {
		refuse(&r, NEEDS_FORCE, "FILE",
		       "there is no rule in it, so every rule would go and all traffic stop; say "
		       "--all when you mean it");
		verb_refuse(call, &r);
		return;
	}
	flow_set_current(&now, o);
	n = flow_set_diff(&now, &file, keep, &changes);
	if (n) {
		struct waiter *w = verb_waiter(call);

		verb_waits(call, w, flow_changes_apply(o, changes, n, w, &r), &r);
	} else {
		verb_done(call, NULL, NULL);
	}
	free(changes);
	flow_set_free(&file);
	flow_set_free(&now);
}

void do_add_flows(struct verb_call *call)
{
	run_file(call, true);
}

void do_replace_flows(struct verb_call *call)
{
	run_file(call, false);
}

static void diff_row(struct buf *text, json_t *list, char sign, const char *flow)
{
	if (!flow)
		return;
	buf_printf(text, "%c%s\n", sign, flow);
	json_array_append_new(list, json_text(flow));
}

void do_diff_flows(struct verb_call *call)
{
	json_t *diff = json_object(), *goes = json_array(), *comes = json_array();
	struct flow_set file, now;
	struct flow_change *changes;
	struct buf text = {0};
	struct refusal r = {0};
	size_t n;

	json_put(diff, "remove", goes);
	json_put(diff, "add", comes);
	if (flow_set_read(&file, call->args.word[0], &r)) {
		json_decref(diff);
		verb_refuse(call, &r);
		return;
	}
	flow_set_current(&now, call->daemon->ofproto);
	n = flow_set_diff(&now, &file, false, &changes);
	for (size_t i = 0; i < n; i++) {
		diff_row(&text, goes, '-', changes[i].was ? changes[i].was->text : NULL);
		diff_row(&text, comes, '+', changes[i].comes ? changes[i].comes->text : NULL);
	}
	free(changes);
	flow_set_free(&file);
	flow_set_free(&now);
	verb_done(call, &text, diff);
}
