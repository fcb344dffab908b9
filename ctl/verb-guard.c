/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that change the guard. */
#include "ctl/guard.h"
#include "lib/openflow.h"

/* ---- add-guard, del-guard ---- */

void do_add_guard(struct verb_call *call)
{
	struct refusal r = {0};
	struct flow_mod mod;

	if (guard_rule_asked(call, &mod, &r)) {
		verb_refuse(call, &r);
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
