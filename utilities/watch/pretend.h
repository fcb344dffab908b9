/* SPDX-License-Identifier: Apache-2.0 */
/* A guard that pretends: for replays and tests, in warped time.
 *
 * It holds the rules that a watcher puts, takes each sample as so many packets, lets the first rule
 * that hits (by priority) have them, and ends rules when they expire.  Limits are token buckets
 * of a second's worth.  What each rule hit and cost is kept after its end.
 *
 *	struct pretend *p = pretend_create();
 *	config.actuator = pretend_actuator(p);
 *	… lost = pretend_sample(p, sample);  before the watcher sees it
 *	… pretend_tick(p, now);              and at the same times as watch_tick()
 *
 * Single thread. */
#ifndef SLUICE_WATCH_PRETEND_H
#define SLUICE_WATCH_PRETEND_H

#include "utilities/watch/decide.h"

enum { PRETEND_RULES = 1024, PRETEND_PROPOSALS = 64 };

struct pretend_rule {
	struct guard_rule rule;                 /* as it was put last */
	uint64_t made_ns, expires_ns, ended_ns; /* ended_ns 0: it is there */
	double packets, octets;                 /* that it matched */
	double lost;                            /* packets of them that it dropped */
	unsigned n_puts;
	bool removed;    /* ended because somebody said so, not by its expiry */
	double tokens;   /* of a limit: bits or packets */
	uint64_t fed_ns; /* when tokens were last counted */
};

struct pretend;
struct pretend *pretend_create(void);
void pretend_free(struct pretend *p);
struct actuator *pretend_actuator(struct pretend *p);
void pretend_tick(struct pretend *p, uint64_t now_ns);
/* The packets that were lost, of those that the sample stands for.  *by (may be NULL): the rule
 * that hit, or NULL. */
double pretend_sample(struct pretend *p, const struct watch_sample *s,
		      const struct pretend_rule **by);

/* Rules in the order made, those that ended too. */
unsigned pretend_n_rules(const struct pretend *p);
const struct pretend_rule *pretend_rule(const struct pretend *p, unsigned i);
/* An array: FLOW, reason, made, ended, why, packets, octets, lost. */
json_t *pretend_report(const struct pretend *p);

/* What a switch and its operators may do meanwhile. */
void pretend_refuse(struct pretend *p, const char *why); /* puts from now on; NULL: no more */
unsigned pretend_n_proposals(const struct pretend *p);
const struct guard_rule *pretend_proposal(const struct pretend *p, unsigned i);
void pretend_accept(struct pretend *p, unsigned i); /* a proposal, which is then none any more */
void pretend_undo(struct pretend *p, unsigned i);   /* a rule, by its index */

#endif
