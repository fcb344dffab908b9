/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs that install rules share: --expire, --confirm, --dry-run.
 *
 * --expire ends a rule by itself.  --confirm installs it to expire soon; `confirm` gives it the
 * time that was meant, and without it what was replaced comes back.  --dry-run installs nothing: it
 * says whether the rule would be refused, and what it would have met (dry-run.h).  Control thread.
 */
#ifndef SLUICE_CTL_INSTALL_H
#define SLUICE_CTL_INSTALL_H

#include "ctl/confirms.h"
#include "ctl/verb.h"

struct install {
	uint64_t expire_ns, confirm_ns; /* 0: not said */
	bool dry_run;
};

/* Of a call's options; --expire is the guard's own affair. */
int install_options(const struct verb_call *call, struct install *i, struct refusal *r);

/* One rule, which waits for `confirm` if confirm_ns is not 0, and is to expire then. */
int install_rule(struct daemon *d, struct flow_mod *mod, uint64_t confirm_ns, struct waiter *w,
		 struct refusal *r);
/* What a modify covers, replaced by itself with the other actions, so that it can wait; answers,
 * and frees it. */
void install_modified(struct verb_call *call, const struct install *i, struct flow_mod *mod);

/* Answers a dry run of one rule; frees it. */
void install_dry_run(struct verb_call *call, struct flow_mod *mod);

#endif
