/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to cases from outside: rules found in the guard, pipelines read again, panic. */
#include <stdio.h>

#include "utilities/watch/case-state.h"

/* A rule that no case of ours stands behind. */
static void remove_stray(struct cases *c, const struct guard_rule *rule)
{
	c->config.actuator->remove(c->config.actuator, rule);
}

/* Why a rule that is there may not stay; NULL: it may.  Fills the passes in front of it. */
static const char *may_stay(const struct cases *c, const struct pipeline *p, struct plan *plan)
{
	if (p->mode == MODE_MONITOR)
		return "its pipeline only monitors now";
	if (!policy_spare(p, plan))
		return plan->why;
	return case_rules(c, p) > p->max_rules ? "the pipeline has more rules than it may" : NULL;
}

static void adopt_new(struct cases *c, const struct pipeline *p, const struct guard_rule *rule,
		      const struct owner *owner)
{
	struct attack a = {.kind = (uint8_t)owner->kind, .target = owner->target, .answered = -1};
	struct case_ *k;
	const char *why;

	target_match(&a.target, &a.match);
	k = case_make(c, p, &a);
	if (!k) {
		remove_stray(c, rule);
		return;
	}
	k->adopted = k->accepted = k->seen = true;
	k->plan.rule = *rule;
	k->plan.rule.expire_ns = p->expire_ns;
	/* As if it had been put when its remaining life was whole. */
	k->put_ns = c->now_ns - MIN(c->now_ns, p->expire_ns - MIN(p->expire_ns, rule->expire_ns));
	k->base_ns = c->now_ns;
	c->config.actuator->counters(c->config.actuator, rule, &k->last);
	k->base = k->last;
	k->plan.may_drop = p->then_drop && rule->action == GUARD_DROP;
	case_enter(c, k, rule->action == GUARD_DROP ? CASE_DROPPED : CASE_LIMITED);
	why = may_stay(c, p, &k->plan);
	if (why)
		case_lift(c, k, why);
	else
		case_say(c, k, "installed", "found in the guard");
}

void cases_adopt(struct cases *c, const struct pipeline *p, const struct guard_rule *rule)
{
	struct owner owner;
	struct case_ *k;

	if (!p || !policy_owner(rule, &owner)) {
		remove_stray(c, rule);
		return;
	}
	if (rule->action == GUARD_PASS)
		return; /* renewed with the rule behind it, or expires */
	k = case_find(c, p, owner.kind, &owner.target);
	if (!k) {
		adopt_new(c, p, rule, &owner);
	} else if ((case_has_rule(k) || k->state == CASE_WAITING || k->state == CASE_PROPOSED) &&
		   match_equal(&k->plan.rule.match, &rule->match)) {
		k->missing_ns = 0;
	} else {
		remove_stray(c, rule);
	}
}

void cases_connected(struct cases *c)
{
	struct actuator *a = c->config.actuator;
	struct guard_counters now;

	for (unsigned i = 0; i < c->n; i++) {
		struct case_ *k = c->case_[i];

		if (!case_has_rule(k) || k->asked || a->counters(a, &k->plan.rule, &now))
			continue;
		k->next_ns = c->now_ns;
		k->restore = true;
		case_enter(c, k, CASE_WAITING);
	}
}

void cases_set_automation(struct cases *c, bool on)
{
	c->automation = on;
}

/* What the new pipeline says about a rule that is there. */
static void repoint(struct cases *c, struct case_ *k, const struct pipeline *now)
{
	const char *why;

	k->p = now;
	if (!case_has_rule(k)) {
		if (k->state != CASE_LEFT) {
			k->next_ns = c->now_ns;
			case_enter(c, k, CASE_NEW);
		}
		return;
	}
	/* Passes that are not wanted any more expire. */
	why = may_stay(c, now, &k->plan);
	if (why) {
		case_lift(c, k, why);
		return;
	}
	k->plan.rule.expire_ns = now->expire_ns;
	k->plan.may_drop &= now->then_drop;
	k->hold_ns = MAX(k->hold_ns, now->hold_ns);
	k->next_ns = 0;
	if (c->automation)
		case_put(c, k); /* with its new life and passes */
}

void cases_pipeline(struct cases *c, const struct pipeline *was, const struct pipeline *now,
		    bool signal_lost)
{
	for (unsigned i = c->n; i--;) {
		struct case_ *k = c->case_[i];

		if (k->p != was)
			continue;
		if (signal_lost)
			k->attack_on = false;
		if (now)
			repoint(c, k, now);
		else if (case_has_rule(k) || k->asked)
			case_lift(c, k, "its pipeline is no more");
		else
			case_close(c, k);
	}
}
