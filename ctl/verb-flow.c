/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for one rule, or for those that one FLOW covers. */
#include <stdlib.h>

#include "ctl/flow-set.h"
#include "ctl/install.h"
#include "ctl/rows.h"
#include "ctl/verb.h"
#include "lib/openflow.h"

/* FLOW's words as a flow_mod of the operator's; a strict one by its word in front. */
static int call_flow(struct verb_call *call, uint8_t command, struct flow_mod *mod,
		     struct refusal *r)
{
	char *text = verb_join(call, 0);
	int error;

	flow_mod_init(mod);
	error = flow_parse(text, command, mod, r);
	mod->origin = ORIGIN_CLI;
	free(text);
	if (error)
		flow_mod_free(mod);
	return error;
}

static void run_mod(struct verb_call *call, struct flow_mod *mod, uint64_t confirm_ns)
{
	struct waiter *w = verb_waiter(call);
	struct refusal r = {0};
	int error = install_rule(call->daemon, mod, confirm_ns, w, &r);

	flow_mod_free(mod);
	verb_waits(call, w, error, &r);
}

void do_add_flow(struct verb_call *call)
{
	struct install install;
	struct flow_mod mod;
	struct refusal r = {0};

	if (install_options(call, &install, &r) || call_flow(call, OFPFC_ADD, &mod, &r)) {
		verb_refuse(call, &r);
		return;
	}
	mod.expire_ns = install.expire_ns;
	if (install.dry_run) {
		install_dry_run(call, &mod);
		return;
	}
	run_mod(call, &mod, install.confirm_ns);
}

void do_mod_flows(struct verb_call *call)
{
	bool strict = args_option(&call->args, "--strict");
	struct install install;
	struct flow_mod mod;
	struct refusal r = {0};

	if (install_options(call, &install, &r) ||
	    call_flow(call, strict ? OFPFC_MODIFY_STRICT : OFPFC_MODIFY, &mod, &r))
		verb_refuse(call, &r);
	else if (install.dry_run)
		install_dry_run(call, &mod);
	else if (install.confirm_ns)
		install_modified(call, &install, &mod);
	else
		run_mod(call, &mod, 0);
}

void do_del_flows(struct verb_call *call)
{
	bool strict = args_option(&call->args, "--strict");
	struct flow_mod mod;
	struct refusal r = {0};

	if (!call->args.n && !args_option(&call->args, "--all"))
		refuse(&r, NEEDS_FORCE, "--all",
		       "deleting every rule stops all traffic; say --all when you mean it, or a "
		       "FLOW");
	else if (!call_flow(call, strict ? OFPFC_DELETE_STRICT : OFPFC_DELETE, &mod, &r)) {
		run_mod(call, &mod, 0);
		return;
	}
	verb_refuse(call, &r);
}

static int row_flow(struct flow_visit *v, const struct flow *f, const struct flow_stats *stats)
{
	struct flow_rows *rows = container_of(v, struct flow_rows, visit);

	if (!rows->no_text)
		flow_row_text(rows, f, stats);
	if (!rows->no_json && json_array_append_new(rows->list, flow_row_json(rows, f, stats)))
		abort();
	return 0;
}

/* FLOW of dump-flows as a filter; its priority says nothing, as in ovs-ofctl. */
static int call_filter(struct verb_call *call, struct flow_filter *filter, struct refusal *r)
{
	struct flow_mod mod;

	flow_filter_init(filter);
	if (!call->args.n)
		return 0;
	if (call_flow(call, OFPFC_DELETE, &mod, r))
		return -EINVAL;
	filter->table = mod.table;
	filter->out_port = mod.out_port;
	filter->out_group = mod.out_group;
	filter->cookie = mod.cookie;
	filter->cookie_mask = mod.cookie_mask;
	filter->match = mod.match;
	flow_mod_free(&mod);
	return 0;
}

void do_dump_flows(struct verb_call *call)
{
	struct flow_rows rows = {.visit = {row_flow},
				 .now = ofproto_now(call->daemon->ofproto),
				 .no_text = call->no_text,
				 .no_json = call->no_json};
	struct flow_filter filter;
	struct refusal r = {0};

	if (call_filter(call, &filter, &r)) {
		verb_refuse(call, &r);
		return;
	}
	rows.list = json_array();
	if (args_option(&call->args, "--guard")) {
		filter.table = TABLE_GUARD;
	} else if (args_option(&call->args, "--all")) {
		struct flow_filter guard = filter;

		guard.table = TABLE_GUARD;
		ofproto_flows(call->daemon->ofproto, &guard, &rows.visit);
	}
	ofproto_flows(call->daemon->ofproto, &filter, &rows.visit);
	verb_done(call, &rows.text, rows.list);
}
