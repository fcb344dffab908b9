/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for files of rules: all of a file happens, at once, or nothing. */
#include <errno.h>
#include <stdlib.h>

#include "ctl/dry-run.h"
#include "ctl/flow-set.h"
#include "ctl/install.h"

/* What each rule that would come would have met; the first that would be refused is. */
static int dry_run(struct verb_call *call, const struct flow_change *changes, size_t n,
		   struct refusal *r)
{
	json_t *list = json_array();
	struct buf text = {0};

	for (size_t i = 0; i < n; i++) {
		const struct flow_entry *e = changes[i].comes;
		json_t *row;

		if (!e)
			continue;
		if (ofproto_flow_try(call->daemon->ofproto, &e->mod, r)) {
			json_decref(list);
			buf_free(&text);
			return -EINVAL;
		}
		row = json_object();
		json_put(row, "flow", json_text(e->text));
		json_put(row, "dry_run", dry_run_collect(call->daemon, &e->mod.match));
		buf_printf(&text, "%s: ", e->text);
		dry_run_text(json_object_get(row, "dry_run"), &text);
		json_array_append_new(list, row);
	}
	verb_done(call, &text, list);
	return 0;
}

/* All rules that come, to expire as was said. */
static int install(struct verb_call *call, const struct install *i,
		   const struct flow_change *changes, size_t n)
{
	struct daemon *d = call->daemon;
	struct waiter *w = verb_waiter(call);
	struct refusal r = {0};
	unsigned waiting = 0;
	int error;

	for (size_t k = 0; k < n && i->confirm_ns; k++)
		if (changes[k].comes) {
			confirm_add(&d->confirms, d->ofproto,
				    (struct flow_mod *)(uintptr_t)&changes[k].comes->mod,
				    i->confirm_ns);
			waiting++;
		}
	error = flow_changes_apply(d->ofproto, changes, n, w, &r);
	while (error && waiting--)
		confirm_forget(&d->confirms);
	verb_waits(call, w, error, &r);
	return error;
}

static int read_file(struct verb_call *call, bool keep, struct flow_set *file, struct install *i,
		     struct refusal *r)
{
	if (install_options(call, i, r) || flow_set_read(file, call->args.word[0], r))
		return -EINVAL;
	for (size_t k = 0; k < file->n; k++)
		file->entry[k].mod.expire_ns = i->expire_ns;
	if (keep || file->n || args_option(&call->args, "--all"))
		return 0;
	flow_set_free(file);
	return refuse(r, NEEDS_FORCE, "FILE",
		      "there is no rule in it, so every rule would go and all traffic stop; say "
		      "--all when you mean it");
}

/* The rules of the file against those in force; `keep`: others stay. */
static void run_file(struct verb_call *call, bool keep)
{
	struct flow_set file, now;
	struct flow_change *changes;
	struct install i;
	struct refusal r = {0};
	size_t n;

	if (read_file(call, keep, &file, &i, &r)) {
		verb_refuse(call, &r);
		return;
	}
	flow_set_current(&now, call->daemon->ofproto);
	n = flow_set_diff(&now, &file, keep, &changes);
	if (i.dry_run) {
		if (dry_run(call, changes, n, &r))
			verb_refuse(call, &r);
	} else if (n) {
		install(call, &i, changes, n);
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
