/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/pretend.h"

#include <stdlib.h>

struct pretend {
	struct actuator actuator;
	uint64_t now_ns;
	unsigned n, n_proposals;
	struct pretend_rule rule[PRETEND_RULES];
	struct {
		struct guard_rule rule;
		void *case_;
	} proposal[PRETEND_PROPOSALS];
	const char *refusing;
};

static struct pretend *of(struct actuator *a)
{
	return container_of(a, struct pretend, actuator);
}

static struct pretend_rule *find(struct pretend *p, const struct guard_rule *rule)
{
	for (unsigned i = 0; i < p->n; i++)
		if (!p->rule[i].ended_ns && p->rule[i].rule.priority == rule->priority &&
		    match_equal(&p->rule[i].rule.match, &rule->match))
			return &p->rule[i];
	return NULL;
}

static void end(struct pretend_rule *r, uint64_t now_ns, bool removed)
{
	r->ended_ns = MAX(now_ns, 1u);
	r->removed = removed;
}

static double burst(const struct guard_rule *rule)
{
	return (double)(rule->limit_pps ? rule->limit_pps : rule->limit_bps);
}

/* NULL: there is no room. */
static struct pretend_rule *make(struct pretend *p, const struct guard_rule *rule)
{
	struct pretend_rule *r = find(p, rule);

	if (!r && p->n == PRETEND_RULES)
		return NULL;
	if (!r) {
		r = &p->rule[p->n++];
		*r = (struct pretend_rule){.made_ns = p->now_ns, .fed_ns = p->now_ns};
		r->tokens = burst(rule);
	}
	if (r->n_puts && burst(rule) != burst(&r->rule))
		r->tokens = burst(rule);
	r->rule = *rule;
	r->expires_ns = p->now_ns + rule->expire_ns;
	r->n_puts++;
	return r;
}

static void put(struct actuator *a, const struct guard_rule *rule, void *case_)
{
	struct pretend *p = of(a);
	const char *refused = p->refusing;

	if (!refused && !make(p, rule))
		refused = "the guard is full";
	if (a->done)
		a->done(a->done_arg, case_, refused);
}

static void take_away(struct actuator *a, const struct guard_rule *rule)
{
	struct pretend *p = of(a);
	struct pretend_rule *r = find(p, rule);

	if (r)
		end(r, p->now_ns, true);
}

static void propose(struct actuator *a, const struct guard_rule *rule, void *case_)
{
	struct pretend *p = of(a);
	const char *refused = p->refusing;

	if (!refused && p->n_proposals == PRETEND_PROPOSALS)
		refused = "too many proposals";
	if (!refused) {
		p->proposal[p->n_proposals].rule = *rule;
		p->proposal[p->n_proposals++].case_ = case_;
	}
	if (a->done)
		a->done(a->done_arg, case_, refused);
}

static bool counters(struct actuator *a, const struct guard_rule *rule, struct guard_counters *out)
{
	const struct pretend_rule *r = find(of(a), rule);

	if (!r)
		return false;
	*out = (struct guard_counters){(uint64_t)r->packets, (uint64_t)r->octets};
	return true;
}

struct pretend *pretend_create(void)
{
	struct pretend *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->actuator = (struct actuator){
		.put = put, .remove = take_away, .propose = propose, .counters = counters};
	return p;
}

void pretend_free(struct pretend *p)
{
	free(p);
}

struct actuator *pretend_actuator(struct pretend *p)
{
	return &p->actuator;
}

void pretend_tick(struct pretend *p, uint64_t now_ns)
{
	p->now_ns = MAX(p->now_ns, now_ns);
	for (unsigned i = 0; i < p->n; i++)
		if (!p->rule[i].ended_ns && p->rule[i].expires_ns <= p->now_ns)
			end(&p->rule[i], p->rule[i].expires_ns, false);
}

/* What a limit lets pass of so many packets. */
static double take_tokens(struct pretend_rule *r, const struct watch_sample *s, double packets)
{
	double per_packet = r->rule.limit_pps ? 1 : 8.0 * MAX(s->length, 1u), passed;

	if (s->ns > r->fed_ns)
		r->tokens += burst(&r->rule) * (double)(s->ns - r->fed_ns) / NSEC_PER_SEC;
	r->tokens = MIN(r->tokens, burst(&r->rule));
	r->fed_ns = MAX(r->fed_ns, s->ns);
	passed = MIN(packets, r->tokens / per_packet);
	r->tokens -= passed * per_packet;
	return passed;
}

double pretend_sample(struct pretend *p, const struct watch_sample *s,
		      const struct pretend_rule **by)
{
	struct key_view view = key_view_of(&s->key.du, &s->key.outer);
	struct pretend_rule *hit = NULL;
	double packets = (double)s->packets, lost = 0;

	pretend_tick(p, s->ns);
	for (unsigned i = 0; i < p->n; i++)
		if (!p->rule[i].ended_ns && match_hits(&p->rule[i].rule.match, &view) &&
		    (!hit || p->rule[i].rule.priority > hit->rule.priority))
			hit = &p->rule[i];
	if (by)
		*by = hit;
	if (!hit)
		return 0;
	hit->packets += packets;
	hit->octets += (double)s->octets;
	if (hit->rule.action == GUARD_DROP)
		lost = packets;
	else if (hit->rule.action == GUARD_LIMIT)
		lost = packets - take_tokens(hit, s, packets);
	hit->lost += lost;
	return lost;
}

unsigned pretend_n_rules(const struct pretend *p)
{
	return p->n;
}

const struct pretend_rule *pretend_rule(const struct pretend *p, unsigned i)
{
	return &p->rule[i];
}

json_t *pretend_report(const struct pretend *p)
{
	json_t *rules = json_array();

	for (unsigned i = 0; i < p->n; i++) {
		const struct pretend_rule *r = &p->rule[i];
		struct buf text = {0};

		guard_rule_format(&r->rule, &text);
		json_array_append_new(
			rules, json_pack("{s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I}", "rule",
					 buf_text(&text), "reason", r->rule.reason, "made_ns",
					 (json_int_t)r->made_ns, "ended_ns",
					 (json_int_t)r->ended_ns, "end",
					 !r->ended_ns ? "in force"
					 : r->removed ? "removed"
						      : "expired",
					 "packets", (json_int_t)r->packets, "octets",
					 (json_int_t)r->octets, "lost", (json_int_t)r->lost));
		buf_free(&text);
	}
	return rules;
}

void pretend_refuse(struct pretend *p, const char *why)
{
	p->refusing = why;
}

unsigned pretend_n_proposals(const struct pretend *p)
{
	return p->n_proposals;
}

const struct guard_rule *pretend_proposal(const struct pretend *p, unsigned i)
{
	return &p->proposal[i].rule;
}

void pretend_accept(struct pretend *p, unsigned i)
{
	make(p, &p->proposal[i].rule);
	p->n_proposals--;
	memmove(&p->proposal[i], &p->proposal[i + 1], (p->n_proposals - i) * sizeof p->proposal[0]);
}

void pretend_undo(struct pretend *p, unsigned i)
{
	if (!p->rule[i].ended_ns)
		end(&p->rule[i], p->now_ns, true);
}
