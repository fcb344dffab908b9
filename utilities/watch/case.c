/* SPDX-License-Identifier: Apache-2.0 */
/* The states of a case, and what moves it from one to another. */
#include <stdio.h>
#include <stdlib.h>

#include "utilities/watch/case-state.h"

#define SAMPLES_WAIT_NS (3 * NSEC_PER_SEC)  /* then a profile is made of what there is */
#define AGAIN_NS        (5 * NSEC_PER_SEC)  /* what was ignored, or misses, is looked at again */
#define SAY_AGAIN_NS    (60 * NSEC_PER_SEC) /* why something is ignored is said again */
#define TAKEN_NS        (2 * NSEC_PER_SEC)  /* a rule missing for so long was taken away */
#define APPEAR_NS       (10 * NSEC_PER_SEC) /* a rule is there so soon, or is put again */
#define ANSWER_NS       (20 * NSEC_PER_SEC) /* so long an answer is waited for */
#define MISSES_NS       (3 * NSEC_PER_SEC)
#define COMES_BACK      10 /* an attack within so many holds of its end */

/* ---- Making, finding, ending ------------------------------------------------------------- */

struct cases *cases_create(const struct watch_config *config, struct recent *recent)
{
	struct cases *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->config = *config;
	c->recent = recent;
	c->automation = true;
	if (config->actuator) {
		config->actuator->done = case_done;
		config->actuator->done_arg = c;
	}
	return c;
}

void cases_free(struct cases *c)
{
	if (c->config.actuator)
		c->config.actuator->done = NULL;
	for (unsigned i = 0; i < c->n; i++)
		free(c->case_[i]);
	free(c);
}

static bool same_target(const struct target *a, const struct target *b)
{
	return a->kind == b->kind && a->port == b->port && a->prefix.len == b->prefix.len &&
	       ip_equal(&a->prefix.ip, &b->prefix.ip);
}

struct case_ *case_find(struct cases *c, const struct pipeline *p, unsigned kind,
			const struct target *t)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->case_[i]->p == p && c->case_[i]->a.kind == kind &&
		    same_target(&c->case_[i]->a.target, t))
			return c->case_[i];
	return NULL;
}

/* What ended a short while ago and comes back is held longer than before. */
static uint64_t hold_of(const struct cases *c, const struct case_ *k)
{
	uint64_t cookie = pipeline_cookie(k->p->name, &k->a.target, k->a.kind);
	uint64_t hold = k->p->hold_ns;

	for (unsigned i = 0; i < MIN(c->n_lifted, CASES_LIFTED); i++) {
		const struct lifted *l = &c->lifted[i];

		if (l->cookie == cookie && c->now_ns < l->ns + COMES_BACK * l->hold_ns)
			hold = MAX(hold, MIN(2 * l->hold_ns, CASE_HOLD_GROWS * k->p->hold_ns));
	}
	return hold;
}

struct case_ *case_make(struct cases *c, const struct pipeline *p, const struct attack *a)
{
	struct case_ *k;

	if (c->n == CASES_MAX)
		return NULL;
	k = calloc(1, sizeof *k);
	if (!k)
		abort();
	k->id = ++c->next_id;
	k->p = p;
	k->a = *a;
	k->state_ns = k->active_ns = c->now_ns;
	k->hold_ns = hold_of(c, k);
	c->case_[c->n++] = k;
	return k;
}

void case_close(struct cases *c, struct case_ *k)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->case_[i] == k)
			c->case_[i] = c->case_[--c->n];
	free(k);
}

/* ---- What signals say -------------------------------------------------------------------- */

/* What comes to the target from here on is no picture of the lawful. */
static void exclude(struct cases *c, const struct pipeline *p, const struct attack *a)
{
	uint64_t margin = 2 * p->signal.window_ns;
	struct match target;

	target_match(&a->target, &target);
	recent_exclude(c->recent, &target, a->first_ns > margin ? a->first_ns - margin : 0,
		       MAX(recent_now(c->recent), c->now_ns));
}

void cases_found(struct cases *c, const struct pipeline *p, const struct attack *a)
{
	struct case_ *k = case_find(c, p, a->kind, &a->target);

	c->now_ns = MAX(c->now_ns, a->found_ns);
	exclude(c, p, a);
	if (k) { /* it came back before its rule was lifted, or the rule was adopted */
		k->a = *a;
		k->attack_on = true;
		k->adopted = false;
		return;
	}
	k = case_make(c, p, a);
	if (!k)
		return; /* seen in the figures; a thousand attacks are as many as are dealt with */
	k->attack_on = true;
	case_say(c, k, "found", a->why ? a->why : "");
}

void cases_goes_on(struct cases *c, const struct pipeline *p, const struct attack *a)
{
	struct case_ *k = case_find(c, p, a->kind, &a->target);

	exclude(c, p, a);
	if (!k) {
		cases_found(c, p, a);
		return;
	}
	k->a = *a;
	k->attack_on = true;
}

void cases_over(struct cases *c, const struct pipeline *p, const struct attack *a)
{
	struct case_ *k = case_find(c, p, a->kind, &a->target);

	exclude(c, p, a);
	if (!k)
		return;
	k->a = *a;
	k->attack_on = false;
}

/* ---- Decisions --------------------------------------------------------------------------- */

static bool make_profile(struct cases *c, const struct attack *a, struct profile *out)
{
	if (c->n_profiles == CASES_PROFILES)
		return false;
	c->n_profiles++;
	profile_make(c->recent, a, out);
	return true;
}

static void ignore(struct cases *c, struct case_ *k, const char *why)
{
	/* Numbers in it change; what it begins with is what it is about. */
	bool say = strncmp(k->ignored, why, 12) || c->now_ns >= k->said_ns + SAY_AGAIN_NS;

	case_enter(c, k, CASE_IGNORED);
	k->next_ns = c->now_ns + AGAIN_NS;
	snprintf(k->ignored, sizeof k->ignored, "%s", why);
	if (!say)
		return;
	k->said_ns = c->now_ns;
	case_say(c, k, "ignored", why);
}

/* Whether the case may have a rule beside those of others. */
static bool has_place(struct cases *c, struct case_ *k)
{
	const struct case_ *twin = case_twin(c, k);
	char why[100];

	if (twin)
		snprintf(why, sizeof why, "a rule of pipeline %s is there for it", twin->p->name);
	else if (case_rules(c, k->p) >= k->p->max_rules)
		snprintf(why, sizeof why, "the pipeline has as many rules as it may: max-rules=%u",
			 k->p->max_rules);
	else
		return true;
	ignore(c, k, why);
	return false;
}

static void try(struct cases *c, struct case_ *k)
{
	if (!c->automation || c->now_ns < k->next_ns || !has_place(c, k))
		return;
	if (k->p->mode == MODE_ASK && !k->accepted)
		case_propose(c, k);
	else
		case_put(c, k);
}

static void decide(struct cases *c, struct case_ *k)
{
	bool may = policy_plan(k->p, &k->a, &k->profile, &k->plan);

	k->profiled = true;
	if (!may) {
		ignore(c, k, k->plan.why);
		return;
	}
	if (k->p->mode == MODE_MONITOR || !c->config.actuator) {
		ignore(c, k, "mode=monitor: nothing is done; this rule would be made");
		return;
	}
	if (k->state != CASE_WAITING)
		case_enter(c, k, CASE_WAITING);
	k->next_ns = c->now_ns;
	try(c, k);
}

static void step_new(struct cases *c, struct case_ *k)
{
	struct profile profile;

	if (c->now_ns < k->next_ns || !make_profile(c, &k->a, &profile))
		return;
	k->profile = profile;
	if (profile.n_attack >= CASE_SAMPLES || c->now_ns >= k->state_ns + SAMPLES_WAIT_NS)
		decide(c, k);
}

/* ---- With a rule in the guard ------------------------------------------------------------ */

/* The rule is gone, and not by our hand.  True: the case is no more what it was. */
static bool step_missing(struct cases *c, struct case_ *k)
{
	uint64_t since = k->missing_ns;

	if (!since)
		return false;
	if (c->now_ns >= k->put_ns + k->plan.rule.expire_ns) {
		if (k->attack_on) {
			case_enter(c, k, CASE_WAITING);
			return true;
		}
		case_say(c, k, "over", "the rule has expired");
		case_close(c, k);
		return true;
	}
	if (k->seen && c->now_ns >= since + TAKEN_NS) {
		case_enter(c, k, CASE_LEFT);
		case_say(c, k, "over", "somebody took the rule away");
		return true;
	}
	if (!k->seen && c->now_ns >= k->put_ns + APPEAR_NS) {
		case_say(c, k, "refused", "the rule did not appear in the guard");
		case_enter(c, k, CASE_WAITING);
		return true;
	}
	return false;
}

static bool above_limit(const struct case_ *k)
{
	const struct guard_rule *rule = &k->plan.rule;

	if (!k->rate_known)
		return false;
	return rule->limit_pps ? k->pps > (double)rule->limit_pps
			       : k->bps > (double)rule->limit_bps;
}

/* The signal sees an attack that the rule hardly hits. */
static bool misses(const struct case_ *k)
{
	const struct signal_config *s = &k->p->signal;
	double pps = k->a.pps - k->a.usual_pps, bps = k->a.bps - k->a.usual_bps;

	return k->attack_on && k->rate_known &&
	       pps >= MAX((double)s->above_pps, k->a.usual_pps) / 2 &&
	       bps >= MAX((double)s->above_bps, k->a.usual_bps) / 2 && k->pps < pps / 2 &&
	       k->bps < bps / 2;
}

/* … and that for longer than it takes to count a pulse: its kind has changed. */
static bool has_changed(struct cases *c, struct case_ *k)
{
	if (!misses(k))
		k->misses_ns = 0;
	else if (!k->misses_ns)
		k->misses_ns = c->now_ns;
	return k->misses_ns && c->now_ns >= k->misses_ns + MISSES_NS;
}

/* By the latest samples: another rule takes the place of one that misses, and an adopted rule gets
 * its numbers. */
static void look_again(struct cases *c, struct case_ *k, bool changed)
{
	struct attack lately = k->a;
	struct profile profile;
	struct plan plan;
	bool same;

	lately.first_ns = MAX(lately.first_ns, c->now_ns - MIN(c->now_ns, AGAIN_NS - NSEC_PER_SEC));
	if (!make_profile(c, &lately, &profile))
		return;
	k->next_ns = c->now_ns + AGAIN_NS;
	if (profile.n_attack < CASE_SAMPLES || !policy_plan(k->p, &k->a, &profile, &plan))
		return;
	same = match_equal(&plan.rule.match, &k->plan.rule.match);
	if (same) {
		plan.rule.action = k->plan.rule.action;
	} else if (changed) {
		case_remove(c, k);
		case_say(c, k, "lifted", "the attack has changed, and the rule hardly hits it");
		k->peak_pps = k->peak_bps = 0;
		k->accepted = false;
		case_enter(c, k, CASE_WAITING);
	} else {
		return;
	}
	k->plan = plan;
	k->profile = profile;
	k->profiled = true;
	if (same)
		return;
	k->next_ns = c->now_ns;
	try(c, k);
}

static void step_rule(struct cases *c, struct case_ *k)
{
	bool changed;

	case_read(c, k);
	if (step_missing(c, k))
		return;
	if (case_quiet(c, k)) {
		case_lift(c, k, "quiet, by the signal and by the rule's counters");
		return;
	}
	if (!c->automation || k->asked || c->now_ns < k->next_ns)
		return;
	if (k->state == CASE_LIMITED && k->plan.may_drop && above_limit(k) &&
	    c->now_ns >= k->state_ns + k->p->after_ns) {
		k->plan.rule.action = GUARD_DROP;
		case_put(c, k);
		return;
	}
	if (c->now_ns >= k->put_ns + k->plan.rule.expire_ns / 2) {
		case_put(c, k);
		return;
	}
	changed = has_changed(c, k);
	if (k->attack_on && !k->adopted && (!k->profiled || changed))
		look_again(c, k, changed);
}

/* An operator's acceptance shows in the guard.  What nobody answered is proposed again, each time
 * after twice as long. */
static void step_proposed(struct cases *c, struct case_ *k)
{
	struct actuator *a = c->config.actuator;
	struct guard_counters now;

	if (!a->counters(a, &k->plan.rule, &now)) {
		if (c->now_ns >=
		    k->state_ns + (k->plan.rule.expire_ns << MIN(k->n_proposed - 1, 6u)))
			case_enter(c, k, CASE_WAITING);
		return;
	}
	k->put_ns = c->now_ns;
	k->active_ns = c->now_ns;
	k->accepted = true;
	k->seen = k->rate_known = false;
	case_enter(c, k, k->plan.rule.action == GUARD_DROP ? CASE_DROPPED : CASE_LIMITED);
	case_say(c, k, "installed", "an operator accepted");
}

static void step(struct cases *c, struct case_ *k)
{
	if (k->asked && c->now_ns >= k->asked_ns + ANSWER_NS)
		k->asked = false;
	if (!k->attack_on && !case_has_rule(k) && !(k->restore && !case_quiet(c, k))) {
		if (k->asked)
			return;
		case_say(c, k, "over", "the signal is below its bounds");
		case_close(c, k);
		return;
	}
	switch ((enum case_state)k->state) {
	case CASE_NEW:
		step_new(c, k);
		break;
	case CASE_WAITING:
		if (!k->asked)
			try(c, k);
		break;
	case CASE_IGNORED:
		if (k->p->mode != MODE_MONITOR)
			step_new(c, k);
		break;
	case CASE_PROPOSED:
		step_proposed(c, k);
		break;
	case CASE_LIMITED:
	case CASE_DROPPED:
		step_rule(c, k);
		break;
	case CASE_LEFT:
	case N_CASE_STATES:
		break;
	}
}

void cases_tick(struct cases *c, uint64_t now_ns)
{
	c->now_ns = now_ns;
	c->n_profiles = 0;
	/* A case that ends puts the last one into its place, which has had its turn. */
	for (unsigned i = c->n; i--;)
		step(c, c->case_[i]);
}
