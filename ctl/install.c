/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/install.h"

#include <errno.h>

#include "ctl/dry-run.h"

static int time_option(const struct verb_call *call, const char *option, uint64_t *ns,
		       struct refusal *r)
{
	const char *text = args_option(&call->args, option);

	if (!text || (!parse_time(text, ns) && *ns))
		return 0;
	return refuse(r, BAD_VALUE, option, "%.40s is no time; 30 (seconds), 10m, 1h are", text);
}

int install_options(const struct verb_call *call, struct install *i, struct refusal *r)
{
	*i = (struct install){.dry_run = args_option(&call->args, "--dry-run")};
	return time_option(call, "--expire", &i->expire_ns, r)
		       ? -EINVAL
		       : time_option(call, "--confirm", &i->confirm_ns, r);
}

int install_rule(struct daemon *d, struct flow_mod *mod, uint64_t confirm_ns, struct waiter *w,
		 struct refusal *r)
{
	if (!confirm_ns)
		return ofproto_flow_mod(d->ofproto, mod, w, r);
	confirm_add(&d->confirms, d->ofproto, mod, confirm_ns);
	return confirm_install(&d->confirms, d->ofproto, mod, w, r);
}

void install_dry_run(struct verb_call *call, struct flow_mod *mod)
{
	struct refusal r = {0};
	struct buf text = {0};
	json_t *value;

	if (ofproto_flow_try(call->daemon->ofproto, mod, &r)) {
		flow_mod_free(mod);
		verb_refuse(call, &r);
		return;
	}
	value = dry_run_collect(call->daemon, &mod->match);
	flow_mod_free(mod);
	dry_run_text(value, &text);
	verb_done(call, &text, value);
}
