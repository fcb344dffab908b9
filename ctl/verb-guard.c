/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that change the guard. */
#include <stdlib.h>

#include "ctl/dry-run.h"
#include "ctl/guard.h"
#include "ctl/install.h"
#include "lib/openflow.h"
#include "ofproto/admit.h"

/* ---- add-guard, del-guard ---- */

void do_add_guard(struct verb_call *call)
{
	struct refusal r = {0};
	struct flow_mod mod;

	if (guard_rule_asked(call, &mod, &r)) {
		verb_refuse(call, &r);
		return;
	}
	if (args_option(&call->args, "--dry-run")) {
		install_dry_run(call, &mod);
		return;
	}
	guard_install(call, &mod, NULL, json_object());
	flow_mod_free(&mod);
}

/* The origin whose rule is meant. */
static int take_origin(const struct verb_call *call, struct flow_mod *mod, struct refusal *r)
{
	const char *name = args_option(&call->args, "--origin");

	for (uint8_t i = 0; name && i < ORIGIN_CONTROLLER; i++) {
		if (strcmp(name, origin_names[i]))
			continue;
		mod->origin = i;
		if (i == call->origin || call->origin == ORIGIN_CLI)
			return 0;
		return refuse(r, NOT_PERMITTED, "--origin",
			      "%s may delete rules of its own only, not those of %s",
			      origin_names[call->origin], name);
	}
	if (name)
		return refuse(r, BAD_VALUE, "--origin",
			      "no origin %.40s; the guard has rules of cli, bgp, watch and request",
			      name);
	return 0;
}

static const struct flow *find(struct ofproto *o, const struct flow_mod *mod, uint8_t origin)
{
	const struct flow *f = ofproto_guard_flow(o, origin, mod->priority, &mod->match);

	return f && !((f->cookie ^ mod->cookie) & mod->cookie_mask) ? f : NULL;
}

static int refuse_missing(const struct verb_call *call, const struct flow_mod *mod,
			  struct refusal *r)
{
	for (uint8_t i = 0; i < ORIGIN_CONTROLLER; i++)
		if (call->origin == ORIGIN_CLI && find(call->daemon->ofproto, mod, i))
			return refuse(r, NOT_FOUND, "FLOW",
				      "%s has no such rule in the guard, but %s has: --origin %s",
				      origin_names[mod->origin], origin_names[i], origin_names[i]);
	return refuse(r, NOT_FOUND, "FLOW",
		      "%s has no rule of exactly this match and priority %u in the guard; "
		      "dump-flows --guard shows what is there",
		      origin_names[mod->origin], mod->priority);
}

void do_del_guard(struct verb_call *call)
{
	struct ofproto *o = call->daemon->ofproto;
	struct refusal r = {0};
	const struct flow *f;
	struct flow_mod mod;
	struct waiter *w;

	if (guard_flow(call, OFPFC_DELETE_STRICT, &mod, &r)) {
		verb_refuse(call, &r);
		return;
	}
	f = take_origin(call, &mod, &r) ? NULL : find(o, &mod, mod.origin);
	if (f) {
		guard_undo_adds(call, f);
		w = verb_waiter(call);
		verb_waits(call, w, ofproto_flow_mod(o, &mod, w, &r), &r);
	} else {
		if (!r.code)
			refuse_missing(call, &mod, &r);
		verb_refuse(call, &r);
	}
	flow_mod_free(&mod);
}

/* ---- block ---- */

/* MATCH with the action that is asked for. */
static int block_mod(struct verb_call *call, struct flow_mod *mod, struct refusal *r)
{
	const char *limit = args_option(&call->args, "--limit");
	char *match = verb_join(call, 0);
	struct buf text = {0};
	struct rate rate;
	int error = 0;

	if (strstr(match, "action"))
		error = refuse(r, SYNTAX, "actions",
			       "block drops, or limits by --limit; add-guard takes actions");
	else if (limit && parse_rate(limit, &rate))
		error = refuse(r, BAD_VALUE, "--limit",
			       "%.40s is no rate; 10mbps, 500kbps, 5kpps are", limit);
	buf_printf(&text, "%s actions=%s%s", match, limit ? "limit:" : "drop", limit ? limit : "");
	free(match);
	if (!error)
		error = guard_flow_text(call, buf_text(&text), mod, r);
	buf_free(&text);
	return error;
}

static int block_asked(struct verb_call *call, struct flow_mod *mod, struct refusal *r)
{
	const char *reason = args_option(&call->args, "--reason");
	int error = block_mod(call, mod, r);

	if (error)
		return error;
	mod->reason = reason ? reason : "blocked by the operator";
	error = guard_check_reason(mod->reason, r);
	if (!error)
		error = guard_expiry(call, "--for", mod, r);
	mod->wide = args_option(&call->args, "--force");
	/* At night a whole protocol is nearly everything, too, and so is a limit on it. */
	if (!error && match_narrowing(call->daemon->ofproto, &mod->match, true) < ADMIT_BITS &&
	    !mod->wide)
		error = refuse(
			r, NEEDS_FORCE, "MATCH",
			"that is nearly everything: name an address (of at least /8), a port "
			"or a connection, or say --force");
	if (error)
		flow_mod_free(mod);
	return error;
}

static void say_blocked(const struct flow_mod *mod, struct buf *text, json_t *value)
{
	struct buf actions = {0}, key = {0};

	guard_key(mod->priority, &mod->match, &key);
	instructions_format(&mod->instructions, &actions);
	json_put(value, "actions", json_text(buf_text(&actions)));
	buf_printf(text, "in force: %s actions=%s, ", buf_text(&key), buf_text(&actions));
	if (mod->expire_ns) {
		double s = (double)mod->expire_ns / (double)NSEC_PER_SEC;

		json_put(value, "expires_s", json_real(s));
		buf_printf(text, "for %.0f s\n", s);
	} else {
		buf_printf(text, "until it is taken back\n");
	}
	buf_free(&actions);
	buf_free(&key);
}

void do_block(struct verb_call *call)
{
	json_t *value, *dry_run;
	struct refusal r = {0};
	struct buf text = {0};
	struct flow_mod mod;

	if (block_asked(call, &mod, &r)) {
		verb_refuse(call, &r);
		return;
	}
	if (args_option(&call->args, "--dry-run")) {
		install_dry_run(call, &mod);
		return;
	}
	value = json_object();
	dry_run = dry_run_collect(call->daemon, &mod.match);
	dry_run_text(dry_run, &text);
	json_put(value, "dry_run", dry_run);
	say_blocked(&mod, &text, value);
	guard_install(call, &mod, &text, value);
	flow_mod_free(&mod);
}
