/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/policy.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	PRIORITY_BASE = 1000,
	PASS_BASE = 20000,
	FLOOR_BPS = 64000, /* no limit is below: a trickle shows whether it goes on */
	FLOOR_PPS = 10,
	BEFORE_MIN_S = 10, /* so long must have been looked at, if there was little to see */
	BEFORE_MIN = 50,
};
#define USUAL_ROOM 1.5 /* a limit to the usual leaves so much */
#define COVERS_MIN 0.3 /* a rule that hits less of the attack is not worth its place */

uint16_t policy_priority(const struct match *m)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(m->mask.du_word); i++)
		bits += (unsigned)__builtin_popcountll(m->mask.du_word[i]) +
			(unsigned)__builtin_popcountll(m->mask.outer_word[i]);
	return (uint16_t)(PRIORITY_BASE + bits);
}

/* ---- Prefixes ---------------------------------------------------------------------------- */

enum relation { APART, OVERLAPS, WITHIN };

/* A match's address field (octets of ip_src or ip_dst) and a prefix. */
static enum relation relate(const struct match *m, size_t off, const struct ip_prefix *p)
{
	const uint8_t *value = (const uint8_t *)&m->value + off;
	const uint8_t *mask = (const uint8_t *)&m->mask + off;
	be16 eth_type = htobe16(p->ip.family == 4 ? 0x0800 : 0x86dd);
	bool within = m->mask.du.eth_type != 0;
	unsigned left = p->len;

	if (m->mask.du.eth_type && m->value.du.eth_type != eth_type)
		return APART;
	for (unsigned i = 0; left; i++, left -= MIN(left, 8u)) {
		uint8_t ones = left >= 8 ? 0xff : (uint8_t) ~(0xff >> left);

		if ((value[i] ^ p->ip.octet[i]) & mask[i] & ones)
			return APART;
		within &= (mask[i] & ones) == ones;
	}
	return within ? WITHIN : OVERLAPS;
}

/* The part of `m` within the prefix, which it overlaps. */
static void intersect(struct match *m, size_t off, const struct ip_prefix *p)
{
	uint8_t *value = (uint8_t *)&m->value + off, *mask = (uint8_t *)&m->mask + off;
	unsigned left = p->len;

	m->value.du.eth_type = htobe16(p->ip.family == 4 ? 0x0800 : 0x86dd);
	m->mask.du.eth_type = UINT16_MAX;
	for (unsigned i = 0; left; i++, left -= MIN(left, 8u)) {
		mask[i] |= left >= 8 ? 0xff : (uint8_t) ~(0xff >> left);
		value[i] |= p->ip.octet[i] & mask[i];
	}
}

/* Passes for the prefixes that overlap; false when the rule lies within one, or they are many. */
static bool spare_list(const struct prefix_list *l, size_t off, const char *name, struct plan *plan)
{
	char text[PREFIX_TEXT];

	for (unsigned i = 0; i < l->n; i++) {
		enum relation how = relate(&plan->rule.match, off, &l->prefix[i]);
		struct guard_rule *pass = &plan->spared[plan->n_spared];

		if (how == APART)
			continue;
		if (how == WITHIN) {
			snprintf(plan->why, sizeof plan->why, "it lies within %s=%s", name,
				 ip_prefix_text(&l->prefix[i], text));
			return false;
		}
		if (plan->n_spared == POLICY_SPARED) {
			snprintf(plan->why, sizeof plan->why,
				 "more than %d prefixes of %s= would have to be spared",
				 POLICY_SPARED, name);
			return false;
		}
		*pass = plan->rule;
		intersect(&pass->match, off, &l->prefix[i]);
		pass->action = GUARD_PASS;
		pass->limit_bps = pass->limit_pps = 0;
		pass->priority = (uint16_t)(PASS_BASE + policy_priority(&pass->match));
		plan->n_spared++;
	}
	return true;
}

static unsigned ones_in_front(const uint8_t *mask)
{
	unsigned n = 0;

	while (n < 128 && mask[n / 8] & 0x80 >> n % 8)
		n++;
	return n;
}

bool policy_spare(const struct pipeline *p, struct plan *plan)
{
	const struct match *m = &plan->rule.match;
	bool v4 = m->value.du.eth_type == htobe16(0x0800);
	unsigned len = ones_in_front(m->mask.du.ip_dst), narrow = v4 ? p->narrow_v4 : p->narrow_v6;

	plan->n_spared = 0;
	/* A connection or a port is a bound of its own; a rule without any would be everything. */
	if (len < narrow && !(m->mask.du.in_port && !len)) {
		snprintf(plan->why, sizeof plan->why, "its target is a /%u, and narrow=%u", len,
			 narrow);
		return false;
	}
	return spare_list(&p->protect, offsetof(struct key, du.ip_dst), "protect", plan) &&
	       spare_list(&p->allow, offsetof(struct key, du.ip_src), "allow", plan);
}

/* ---- Plans ------------------------------------------------------------------------------- */

/* There is something to say about lawful packets: some were seen, or nobody sent any for long. */
static bool has_evidence(const struct profile *pr)
{
	return pr->n_before >= BEFORE_MIN || pr->before_s >= BEFORE_MIN_S;
}

static void set_limit(const struct pipeline *p, const struct attack *a, const struct profile *pr,
		      struct guard_rule *rule)
{
	bool packets = a->kind == ATTACK_SYN || (p->signal.above_pps && !p->signal.above_bps);
	double usual = packets ? pr->lawful_pps : pr->lawful_bps;

	rule->limit_bps = rule->limit_pps = 0;
	if (!p->limit_usual) {
		*(p->limit.packets ? &rule->limit_pps : &rule->limit_bps) = p->limit.n;
		return;
	}
	if (!has_evidence(pr) && a->learned)
		usual = packets ? a->usual_pps : a->usual_bps;
	else if (!has_evidence(pr))
		usual = packets ? (double)p->signal.above_pps : (double)p->signal.above_bps;
	usual = MIN(usual * USUAL_ROOM, 1e12);
	/* Round numbers are read more easily. */
	if (packets)
		rule->limit_pps = MAX((uint64_t)usual, (uint64_t)FLOOR_PPS);
	else
		rule->limit_bps = MAX((uint64_t)usual / 1000 * 1000, (uint64_t)FLOOR_BPS);
}

/* The share of lawful packets that the limit costs: what it lets pass is shared alike. */
static double cost_of_limit(const struct guard_rule *rule, const struct profile *pr)
{
	double limit = rule->limit_pps ? (double)rule->limit_pps : (double)rule->limit_bps;
	double rate = rule->limit_pps ? pr->attack_pps : pr->attack_bps;

	return rate > limit ? pr->collateral * (1 - limit / rate) : 0;
}

static bool weigh(const struct pipeline *p, const struct profile *pr, struct plan *plan)
{
	double limited = cost_of_limit(&plan->rule, pr);

	plan->may_drop = p->then_drop;
	if (pr->covers < COVERS_MIN) {
		snprintf(plan->why, sizeof plan->why,
			 "no match covers more than %.0f%% of it without costing more",
			 100 * pr->covers);
		return false;
	}
	if (!has_evidence(pr)) {
		plan->may_drop = false;
		snprintf(plan->why, sizeof plan->why,
			 "%u lawful samples of %.0f s say too little for a drop", pr->n_before,
			 pr->before_s);
		return true;
	}
	if (pr->collateral <= p->collateral)
		return true;
	plan->may_drop = false;
	snprintf(plan->why, sizeof plan->why,
		 "a drop would cost %.2f%% of the lawful packets, the limit %.2f%%; "
		 "collateral=%.4g%%",
		 100 * pr->collateral, 100 * limited, 100 * p->collateral);
	return limited <= p->collateral || p->beyond_limit;
}

static void say(const struct pipeline *p, const struct attack *a, const struct profile *pr,
		struct guard_rule *rule)
{
	char target[64];

	snprintf(rule->reason, sizeof rule->reason,
		 "%s %s %s: %.1f kpps, %.2f Mbit/s, usual %.1f kpps; covers %.0f%%, costs %.2f%% "
		 "by %u+%u samples",
		 p->name, attack_names[a->kind], target_text(&a->target, target), a->pps / 1e3,
		 a->bps / 1e6, a->usual_pps / 1e3, 100 * pr->covers, 100 * pr->collateral,
		 pr->n_attack, pr->n_before);
}

bool policy_plan(const struct pipeline *p, const struct attack *a, const struct profile *pr,
		 struct plan *out)
{
	struct guard_rule *rule = &out->rule;

	memset(out, 0, sizeof *out);
	rule->cookie = pipeline_cookie(p->name, &a->target, a->kind);
	rule->match = pr->match;
	rule->priority = policy_priority(&rule->match);
	rule->expire_ns = p->expire_ns;
	set_limit(p, a, pr, rule);
	say(p, a, pr, rule);
	if (!policy_spare(p, out) || !weigh(p, pr, out))
		return false;
	if (out->may_drop && !p->after_ns) {
		rule->action = GUARD_DROP;
		rule->limit_bps = rule->limit_pps = 0;
	}
	return true;
}

/* ---- Owners ------------------------------------------------------------------------------ */

bool policy_owner(const struct guard_rule *rule, struct owner *out)
{
	char kind[32], target[64];
	const char *colon;

	/* An IPv6 target has colons of its own: the last word before ": " ends with one. */
	if (sscanf(rule->reason, "%31s %31s %63s", out->pipeline, kind, target) != 3)
		return false;
	colon = strrchr(target, ':');
	if (!colon || colon[1])
		return false;
	target[colon - target] = '\0';
	for (out->kind = 0; out->kind < N_ATTACKS; out->kind++)
		if (!strcmp(kind, attack_names[out->kind]))
			break;
	return out->kind < N_ATTACKS && target_parse(target, &out->target) &&
	       rule->cookie == pipeline_cookie(out->pipeline, &out->target, out->kind);
}
