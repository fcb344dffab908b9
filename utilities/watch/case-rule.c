/* SPDX-License-Identifier: Apache-2.0 */
/* A case's rule in the guard: asked for, answered, read, taken away. */
#include <stdio.h>
#include <stdlib.h>

#include "utilities/watch/case-state.h"

enum {
	BACKOFF_S = 1,
	BACKOFF_MAX_S = 60,
	ACTIVE_PART = 20, /* of the rule's peak: less than that is the end of the attack */
	FLOOR_PPS = 5,
	FLOOR_BPS = 20000,
	MEAN_BITS = 4000, /* of a packet, where only one of two bounds is configured */
	OTHERS = 32,      /* rules that are looked at for what they hit of another */
};
#define NEARLY_ALL 0.95

/* ---- Asking ------------------------------------------------------------------------------ */

/* What is handed to the actuator is a number, not a pointer: cases end while it is busy. */
static void *token(const struct case_ *k, bool pass)
{
	return (void *)(uintptr_t)(k->id << 1 | pass);
}

static void ask(struct cases *c, struct case_ *k)
{
	k->asked = true;
	k->asked_ns = c->now_ns;
	k->pass_refused = false;
}

void case_put(struct cases *c, struct case_ *k)
{
	struct actuator *a = c->config.actuator;

	ask(c, k);
	for (unsigned i = 0; i < k->plan.n_spared && !k->pass_refused; i++) {
		struct guard_rule *pass = &k->plan.spared[i];

		pass->expire_ns = k->plan.rule.expire_ns;
		memcpy(pass->reason, k->plan.rule.reason, sizeof pass->reason);
		a->put(a, pass, token(k, true));
	}
	if (!k->pass_refused)
		a->put(a, &k->plan.rule, token(k, false));
}

/* An operator is asked for the last step that policy permits: a drop, where it may be one. */
void case_propose(struct cases *c, struct case_ *k)
{
	struct actuator *a = c->config.actuator;

	if (k->plan.may_drop)
		k->plan.rule.action = GUARD_DROP;
	ask(c, k);
	a->propose(a, &k->plan.rule, token(k, false));
}

/* Another case's rule stands behind the same pass. */
static bool is_shared(const struct cases *c, const struct case_ *k, const struct guard_rule *pass)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct case_ *other = c->case_[i];

		for (unsigned j = 0; other != k && case_has_rule(other) && j < other->plan.n_spared;
		     j++)
			if (match_equal(&other->plan.spared[j].match, &pass->match))
				return true;
	}
	return false;
}

void case_remove(struct cases *c, struct case_ *k)
{
	struct actuator *a = c->config.actuator;

	a->remove(a, &k->plan.rule);
	for (unsigned i = 0; i < k->plan.n_spared; i++)
		if (!is_shared(c, k, &k->plan.spared[i]))
			a->remove(a, &k->plan.spared[i]);
}

/* ---- Answers ----------------------------------------------------------------------------- */

static void on_refused(struct cases *c, struct case_ *k, const char *why)
{
	unsigned wait = BACKOFF_S << MIN(k->n_refused, 6u);

	k->n_refused++;
	k->next_ns = c->now_ns + MIN(wait, BACKOFF_MAX_S + 0u) * NSEC_PER_SEC;
	case_say(c, k, "refused", why);
	if (k->state == CASE_LIMITED)
		k->plan.rule.action = GUARD_LIMIT; /* what is there goes on */
}

static void on_pass_refused(struct cases *c, struct case_ *k, const char *why)
{
	if (k->pass_refused)
		return; /* said already */
	k->pass_refused = true;
	k->asked = false;
	on_refused(c, k, why);
	if (case_has_rule(k))
		case_remove(c, k);
	case_enter(c, k, CASE_WAITING);
}

static void on_installed(struct cases *c, struct case_ *k)
{
	bool drop = k->plan.rule.action == GUARD_DROP;
	const char *what = "installed";

	k->put_ns = k->asked_ns;
	k->missing_ns = 0;
	k->restore = false;
	if (case_has_rule(k))
		what = k->state == CASE_LIMITED && drop ? "escalated" : "renewed";
	if (!case_has_rule(k)) {
		k->seen = k->rate_known = false;
		k->misses_ns = 0;
		k->active_ns = c->now_ns;
	}
	if (strcmp(what, "renewed"))
		case_enter(c, k, drop ? CASE_DROPPED : CASE_LIMITED);
	case_say(c, k, what, k->plan.rule.reason);
}

void case_done(void *cases, void *which, const char *refused)
{
	struct cases *c = cases;
	uint64_t id = (uint64_t)(uintptr_t)which >> 1;
	bool pass = (uintptr_t)which & 1;
	struct case_ *k = NULL;

	for (unsigned i = 0; i < c->n; i++)
		if (c->case_[i]->id == id)
			k = c->case_[i];
	if (!k || (pass && !refused))
		return; /* over since: what was made expires */
	if (pass) {
		on_pass_refused(c, k, refused);
		return;
	}
	k->asked = false;
	if (k->pass_refused) {
		if (!refused)
			case_remove(c, k);
		return;
	}
	if (refused) {
		on_refused(c, k, refused);
		return;
	}
	k->n_refused = 0;
	if (k->state == CASE_WAITING && k->p->mode == MODE_ASK && !k->accepted) {
		case_enter(c, k, CASE_PROPOSED);
		k->n_proposed++;
		case_say(c, k, "proposed", k->plan.rule.reason);
		return;
	}
	on_installed(c, k);
}

/* ---- Reading ----------------------------------------------------------------------------- */

static void take_rate(struct case_ *k, uint64_t now_ns)
{
	double seconds = (double)(now_ns - k->base_ns) / NSEC_PER_SEC;

	if (k->last.packets < k->base.packets || k->last.octets < k->base.octets)
		k->base = (struct guard_counters){0}; /* the rule was made anew */
	k->pps = (double)(k->last.packets - k->base.packets) / seconds;
	k->bps = 8 * (double)(k->last.octets - k->base.octets) / seconds;
	k->peak_pps = MAX(k->peak_pps, k->pps);
	k->peak_bps = MAX(k->peak_bps, k->bps);
	k->rate_known = true;
	k->base = k->last;
	k->base_ns = now_ns;
}

/* Above what the rule would hit if there were no attack.  Octets beside packets, since a rule that
 * drops aggregates counts one packet for many. */
static bool rule_active(const struct case_ *k)
{
	double pps = MAX(MAX(k->peak_pps / ACTIVE_PART, 2 * k->profile.lawful_pps), FLOOR_PPS);
	double bps = MAX(MAX(k->peak_bps / ACTIVE_PART, 2 * k->profile.lawful_bps), FLOOR_BPS);
	const struct signal_config *s = &k->p->signal;

	if (!k->rate_known)
		return false;
	if (!k->profiled) { /* what was lawful there is not known: half of what is an attack */
		double above_pps = (double)s->above_pps, above_bps = (double)s->above_bps;

		pps = MAX(pps, (above_pps > 0 ? above_pps : above_bps / MEAN_BITS) / 2);
		bps = MAX(bps, (above_bps > 0 ? above_bps : above_pps * MEAN_BITS) / 2);
	}
	return k->pps > pps || k->bps > bps;
}

void case_read(struct cases *c, struct case_ *k)
{
	struct actuator *a = c->config.actuator;
	struct guard_counters now;

	if (!a->counters(a, &k->plan.rule, &now)) {
		if (!k->missing_ns)
			k->missing_ns = MAX(c->now_ns, 1u);
	} else {
		k->missing_ns = 0;
		k->last = now;
		if (!k->seen) {
			k->seen = true;
			k->base = now;
			k->base_ns = c->now_ns;
		} else if (c->now_ns >= k->base_ns + NSEC_PER_SEC) {
			take_rate(k, c->now_ns);
		}
	}
	if (k->attack_on || rule_active(k))
		k->active_ns = c->now_ns;
}

bool case_quiet(const struct cases *c, const struct case_ *k)
{
	return c->now_ns >= k->active_ns + k->hold_ns;
}

/* ---- Others, and the end ----------------------------------------------------------------- */

static const struct case_ *equal_rule(const struct cases *c, const struct case_ *k)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct case_ *other = c->case_[i];

		if (other != k &&
		    (case_has_rule(other) || other->asked || other->state == CASE_PROPOSED) &&
		    match_equal(&other->plan.rule.match, &k->plan.rule.match))
			return other;
	}
	return NULL;
}

/* How much of what a rule would hit is hit by others already. */
struct overlap {
	struct recent_query query;
	unsigned n;
	const struct case_ *other[OTHERS];
	double packets, hit[OTHERS], any;
};

static void overlap_sample(struct recent_query *q, const struct watch_sample *s, double packets)
{
	struct overlap *o = container_of(q, struct overlap, query);
	struct key_view view = key_view_of(&s->key.du, &s->key.outer);
	bool any = false;

	o->packets += packets;
	for (unsigned i = 0; i < o->n; i++)
		if (match_hits(&o->other[i]->plan.rule.match, &view)) {
			o->hit[i] += packets;
			any = true;
		}
	o->any += any ? packets : 0;
}

/* Those that hit nearly all of it, by the samples: the one that hits most. */
static const struct case_ *covering_rule(const struct cases *c, const struct case_ *k)
{
	struct overlap o = {.query = {.match = &k->plan.rule.match,
				      .from_ns = k->a.first_ns,
				      .to_ns = UINT64_MAX,
				      .found = overlap_sample}};
	unsigned most = 0;

	for (unsigned i = 0; i < c->n && o.n < OTHERS; i++)
		if (c->case_[i] != k && case_has_rule(c->case_[i]) &&
		    match_overlaps(&c->case_[i]->plan.rule.match, o.query.match))
			o.other[o.n++] = c->case_[i];
	if (!o.n)
		return NULL;
	recent_each(c->recent, &o.query);
	for (unsigned i = 1; i < o.n; i++)
		if (o.hit[i] > o.hit[most])
			most = i;
	return o.any > NEARLY_ALL * o.packets ? o.other[most] : NULL;
}

const struct case_ *case_twin(const struct cases *c, const struct case_ *k)
{
	const struct case_ *equal = equal_rule(c, k);

	return equal ? equal : covering_rule(c, k);
}

unsigned case_rules(const struct cases *c, const struct pipeline *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++)
		n += c->case_[i]->p == p && (case_has_rule(c->case_[i]) || c->case_[i]->asked ||
					     c->case_[i]->state == CASE_PROPOSED);
	return n;
}

static void remember_lift(struct cases *c, const struct case_ *k)
{
	struct lifted *l = &c->lifted[c->n_lifted++ % CASES_LIFTED];

	*l = (struct lifted){k->plan.rule.cookie, c->now_ns, k->hold_ns};
}

void case_lift(struct cases *c, struct case_ *k, const char *why)
{
	case_remove(c, k);
	case_say(c, k, "lifted", why);
	remember_lift(c, k);
	case_close(c, k);
}
