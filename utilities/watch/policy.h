/* SPDX-License-Identifier: Apache-2.0 */
/* Policy: what a pipeline permits about an attack.
 *
 * A plan is the rule that may be made, the passes in front of it for what must be spared, whether
 * it may become a drop, and the numbers in a sentence; or why nothing may be done.  Nothing here
 * knows of other cases, or of time. */
#ifndef SLUICE_WATCH_POLICY_H
#define SLUICE_WATCH_POLICY_H

#include "utilities/watch/pipeline.h"

enum { POLICY_SPARED = 16 }; /* passes in front of one rule */

struct plan {
	struct guard_rule rule;
	bool may_drop;
	unsigned n_spared;
	struct guard_rule spared[POLICY_SPARED];
	char why[160]; /* when nothing may be done, or no drop */
};

/* False: nothing may be done. */
bool policy_plan(const struct pipeline *p, const struct attack *a, const struct profile *pr,
		 struct plan *out);
/* Whether rule->match is narrow enough and spares what it must: fills the passes.  For rules that
 * are there already. */
bool policy_spare(const struct pipeline *p, struct plan *plan);

/* Narrower matches come first: the number of bits that a match looks at, above a base. */
uint16_t policy_priority(const struct match *m);

/* `PIPELINE KIND TARGET` at the head of a reason, read back.  False: it is none of ours. */
struct owner {
	char pipeline[PIPELINE_NAME];
	unsigned kind;
	struct target target;
};
bool policy_owner(const struct guard_rule *rule, struct owner *out);

#endif
