/* SPDX-License-Identifier: Apache-2.0 */
/* What a case is made of, for the files that are `cases`: case.c (states), case-rule.c (its rule in
 * the guard), case-adopt.c (restarts, reloads, panic) and case-say.c (audit and report).  Nobody
 * else includes this. */
#ifndef SLUICE_WATCH_CASE_STATE_H
#define SLUICE_WATCH_CASE_STATE_H

#include "utilities/watch/case.h"

struct case_ {
	uint64_t id;
	const struct pipeline *p;
	struct attack a;   /* as it was said last */
	bool attack_on;    /* the signal says that it goes on */
	bool adopted;      /* from a rule in the guard; the attack's figures are not known */
	bool accepted;     /* by an operator, now or before a restart: not proposed again */
	bool restore;      /* the rule was lost by the switch, and is put anew */
	uint8_t state;     /* enum case_state */
	uint64_t state_ns; /* since when */

	struct profile profile;
	bool profiled;
	struct plan plan;  /* its rule is the one in the guard, or that will be */
	char ignored[160]; /* why, as it was said last */
	uint64_t said_ns;  /* … and when */
	uint64_t next_ns;  /* not to be tried, asked or looked at again before */
	unsigned n_refused, n_proposed;
	bool asked; /* a put or a proposal has not been answered, since asked_ns */
	uint64_t asked_ns;
	bool pass_refused; /* of the last put: the rule must not stand without it */

	/* The rule in the guard. */
	bool seen;                        /* its counters could be read */
	uint64_t put_ns, missing_ns;      /* the last put; since when it is not there (0: it is) */
	struct guard_counters last, base; /* base: at base_ns, for the rate */
	uint64_t base_ns;
	double pps, bps, peak_pps, peak_bps;
	bool rate_known;
	uint64_t misses_ns; /* since when the rule hardly hits the attack; 0: it does */
	uint64_t active_ns; /* when the attack was last seen, by signal or rule */
	uint64_t hold_ns;
};

/* A lift that is remembered: what comes back soon is held longer. */
struct lifted {
	uint64_t cookie, ns, hold_ns;
};

struct cases {
	struct watch_config config;
	struct recent *recent;
	uint64_t now_ns, next_id;
	bool automation;
	unsigned n_profiles; /* of this tick */
	unsigned n;
	struct case_ *case_[CASES_MAX];
	unsigned n_lifted;
	struct lifted lifted[CASES_LIFTED];
	struct {
		uint64_t found, proposed, installed, renewed, escalated, refused, lifted, over,
			ignored;
	} total;
};

static inline bool case_has_rule(const struct case_ *k)
{
	return k->state == CASE_LIMITED || k->state == CASE_DROPPED;
}

static inline void case_enter(struct cases *c, struct case_ *k, enum case_state state)
{
	k->state = (uint8_t)state;
	k->state_ns = c->now_ns;
}

/* case.c */
struct case_ *case_find(struct cases *c, const struct pipeline *p, unsigned kind,
			const struct target *t);
struct case_ *case_make(struct cases *c, const struct pipeline *p, const struct attack *a);
void case_close(struct cases *c, struct case_ *k); /* frees */

/* case-rule.c */
void case_put(struct cases *c, struct case_ *k); /* passes first, then the rule */
void case_propose(struct cases *c, struct case_ *k);
void case_remove(struct cases *c, struct case_ *k); /* from the guard */
void case_done(void *cases, void *which, const char *refused);
void case_read(struct cases *c, struct case_ *k); /* counters */
/* Neither the signal nor the counters have shown the attack for hold=. */
bool case_quiet(const struct cases *c, const struct case_ *k);
/* Another case has this rule in force or has asked for it, or its rule hits nearly all that this
 * one would; NULL: none. */
const struct case_ *case_twin(const struct cases *c, const struct case_ *k);
unsigned case_rules(const struct cases *c, const struct pipeline *p);
void case_lift(struct cases *c, struct case_ *k, const char *why); /* frees */

/* case-say.c: one line of the audit log, the alert that goes with it, the total. */
void case_say(struct cases *c, const struct case_ *k, const char *what, const char *why);

#endif
