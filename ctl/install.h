/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs that install rules share: --expire, --confirm, --dry-run.
 *
 * --expire ends a rule by itself.  --confirm installs it to expire soon; `confirm` gives it the
 * time that was meant.  --dry-run installs nothing: it says whether the rule would be refused, and
 * what it would have met (dry-run.h).  Control thread. */
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

/* Answers a dry run of one rule; frees it. */
void install_dry_run(struct verb_call *call, struct flow_mod *mod);

#endif
