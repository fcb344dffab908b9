/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for files of rules: all of a file happens, at once, or nothing. */
#include <errno.h>
#include <stdlib.h>

#include "ctl/dry-run.h"
#include "ctl/flow-set.h"
#include "ctl/install.h"
#include "lib/openflow.h"

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

/* All rules that come, to expire as was said, and what they replace, to come back. */
static void install(struct verb_call *call, const struct install *i,
		    const struct flow_change *changes, size_t n)
{
	struct daemon *d = call->daemon;
	struct waiter *w = verb_waiter(call);
	uint64_t ends_ns = ofproto_now(d->ofproto) + i->confirm_ns;
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
	ofproto_begin(d->ofproto);
	error = flow_changes_make(d->ofproto, changes, n, &r);
	if (!error && i->confirm_ns)
		error = confirm_change(&d->confirms, d->ofproto, ends_ns, &r);
	if (error)
		ofproto_abandon(d->ofproto);
	else
		ofproto_commit(d->ofproto, w);
	while (error && waiting--)
		confirm_forget(&d->confirms);
	verb_waits(call, w, error, &r);
}

static bool covers(const struct flow_mod *mod, const struct flow_mod *f)
{
	bool strict = mod->command == OFPFC_MODIFY_STRICT;

	return f->table == mod->table && !((f->cookie ^ mod->cookie) & mod->cookie_mask) &&
	       (strict ? f->priority == mod->priority && match_equal(&mod->match, &f->match)
		       : match_covers(&mod->match, &f->match));
}

/* Borrows the actions. */
static struct flow_mod modified(const struct flow_mod *f, const struct flow_mod *by)
{
	struct flow_mod mod = *f;

	mod.instructions = by->instructions;
	mod.unverified = by->unverified;
	mod.wide |= by->wide;
	mod.flags |= by->flags & OFPFF_RESET_COUNTS;
	if (by->wide)
		mod.origin = by->origin;
	return mod;
}

void install_modified(struct verb_call *call, const struct install *i, struct flow_mod *mod)
{
	struct flow_change *changes;
	struct flow_entry *comes;
	struct refusal r = {0};
	struct flow_set now;
	size_t n = 0;

	flow_set_current(&now, call->daemon->ofproto);
	changes = calloc(now.n + 1, sizeof *changes);
	comes = calloc(now.n + 1, sizeof *comes);
	if (!changes || !comes)
		abort();
	for (size_t k = 0; k < now.n; k++)
		if (covers(mod, &now.entry[k].mod)) {
			comes[n].mod = modified(&now.entry[k].mod, mod);
			changes[n] = (struct flow_change){&now.entry[k], &comes[n]};
			n++;
		}
	if (ofproto_flow_try(call->daemon->ofproto, mod, &r))
		verb_refuse(call, &r);
	else if (n)
		install(call, i, changes, n);
	else
		verb_done(call, NULL, NULL);
	free(changes);
	free(comes);
	flow_set_free(&now);
	flow_mod_free(mod);
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
