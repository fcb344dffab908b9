/* SPDX-License-Identifier: Apache-2.0 */
/* Cases: one attack that one pipeline deals with, from found to over.
 *
 *	new ─→ waiting ─→ limited ─→ dropped ─→ (lifted)
 *	         │  ↖        │
 *	         │   refused, expired
 *	         ├─→ proposed ─→ limited …   an operator accepted
 *	         ├─→ ignored                 policy says no; asked again as evidence comes
 *	         └─→ left                    somebody took the rule away: not while this attack
 *lasts
 *
 * A case knows its attack by pipeline, kind and target, so an attack that comes back while its rule
 * still holds, and a rule found by a restarted watcher, join the same case.  A rule is renewed at
 * half its life.  It is lifted when neither the signal nor the rule's own counters have shown the
 * attack for the pipeline's hold=; soon after a lift the next hold is twice as long, so that
 * pulses meet a rule.
 *
 * Pipelines and what the configuration names are the caller's and outlive this.  Single thread. */
#ifndef SLUICE_WATCH_CASE_H
#define SLUICE_WATCH_CASE_H

#include "utilities/watch/pipeline.h"
#include "utilities/watch/policy.h"
#include "utilities/watch/recent.h"

enum {
	CASES_MAX = 1024,
	CASES_PROFILES = 4,  /* profiles made in one tick; others wait for the next */
	CASE_SAMPLES = 10,   /* a profile stands on so many, if they come in time */
	CASES_LIFTED = 64,   /* lifts that are remembered */
	CASE_HOLD_GROWS = 8, /* at most so many times hold= */
};

enum case_state {
	CASE_NEW,
	CASE_WAITING,
	CASE_IGNORED,
	CASE_PROPOSED,
	CASE_LIMITED,
	CASE_DROPPED,
	CASE_LEFT,
	N_CASE_STATES
};

struct cases;
struct cases *cases_create(const struct watch_config *config, struct recent *recent);
void cases_free(struct cases *c); /* rules stay, and expire */

/* What a signal of `p` says.  The attack is copied. */
void cases_found(struct cases *c, const struct pipeline *p, const struct attack *a);
void cases_goes_on(struct cases *c, const struct pipeline *p, const struct attack *a);
void cases_over(struct cases *c, const struct pipeline *p, const struct attack *a);
void cases_tick(struct cases *c, uint64_t now_ns); /* after the signals' */

/* Pipeline `was` is `now` from here on; NULL: it is no more, and its rules are lifted.
 * `signal_lost`: the attacks that went on were forgotten. */
void cases_pipeline(struct cases *c, const struct pipeline *was, const struct pipeline *now,
		    bool signal_lost);
/* A rule found in the guard; p NULL: nobody's, it is removed. */
void cases_adopt(struct cases *c, const struct pipeline *p, const struct guard_rule *rule);
void cases_connected(struct cases *c);
void cases_set_automation(struct cases *c, bool on);
/* Members "automation", "cases", "rules", "proposals", "totals". */
void cases_report(const struct cases *c, json_t *report);

#endif
