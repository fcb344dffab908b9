/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/case-state.h"

#include <stdio.h>

static void set_n(json_t *o, const char *key, double n)
{
	json_object_set_new(o, key, json_integer((json_int_t)(n < 9e18 ? n : 9e18)));
}

/* Four digits after the point are enough for people, and the same everywhere. */
static void set_share(json_t *o, const char *key, double n)
{
	json_object_set_new(o, key, json_real((double)(int64_t)(n * 1e4 + 0.5) / 1e4));
}

static json_t *attack_json(const struct case_ *k)
{
	const struct attack *a = &k->a;
	json_t *o = json_object();
	char text[64];

	json_object_set_new(o, "kind", json_string(attack_names[a->kind]));
	json_object_set_new(o, "target", json_string(target_text(&a->target, text)));
	json_object_set_new(o, "goes_on", json_boolean(k->attack_on));
	if (k->adopted)
		return o;
	set_n(o, "first_ns", (double)a->first_ns);
	set_n(o, "found_ns", (double)a->found_ns);
	set_n(o, "pps", a->pps);
	set_n(o, "bps", a->bps);
	set_n(o, "usual_pps", a->usual_pps);
	set_n(o, "usual_bps", a->usual_bps);
	set_n(o, "sources", a->n_sources);
	if (a->answered >= 0)
		set_share(o, "answered", a->answered);
	json_object_set_new(o, "learned", json_boolean(a->learned));
	if (a->why)
		json_object_set_new(o, "why", json_string(a->why));
	return o;
}

static json_t *profile_json(const struct profile *p)
{
	json_t *o = json_object();

	set_share(o, "covers", p->covers);
	set_share(o, "collateral", p->collateral);
	set_n(o, "n_attack", p->n_attack);
	set_n(o, "n_before", p->n_before);
	set_n(o, "n_fields", p->n_fields);
	set_share(o, "before_s", p->before_s);
	set_n(o, "lawful_pps", p->lawful_pps);
	set_n(o, "lawful_bps", p->lawful_bps);
	set_n(o, "attack_pps", p->attack_pps);
	set_n(o, "attack_bps", p->attack_bps);
	return o;
}

static void put_rule(json_t *entry, const struct case_ *k)
{
	struct buf text = {0};

	guard_rule_format(&k->plan.rule, &text);
	json_object_set_new(entry, "rule", json_string(buf_text(&text)));
	buf_free(&text);
	set_n(entry, "expire_s", (double)k->plan.rule.expire_ns / NSEC_PER_SEC);
	set_n(entry, "spared", k->plan.n_spared);
	if (!k->seen)
		return;
	set_n(entry, "packets", (double)k->last.packets);
	set_n(entry, "octets", (double)k->last.octets);
	set_n(entry, "rule_pps", k->pps);
	set_n(entry, "rule_bps", k->bps);
}

static json_t *entry_json(const struct cases *c, const struct case_ *k, const char *what,
			  const char *why)
{
	json_t *entry = json_object();

	set_n(entry, "ns", (double)c->now_ns);
	json_object_set_new(entry, "pipeline", json_string(k->p->name));
	json_object_set_new(entry, "what", json_string(what));
	json_object_set_new(entry, "case", json_integer((json_int_t)k->id));
	json_object_set_new(entry, "attack", attack_json(k));
	if (k->profiled)
		json_object_set_new(entry, "profile", profile_json(&k->profile));
	if (k->profiled || k->adopted)
		put_rule(entry, k);
	json_object_set_new(entry, "reason", json_string(why));
	return entry;
}

void case_say(struct cases *c, const struct case_ *k, const char *what, const char *why)
{
	static const char *const quiet[] = {"renewed", "over", NULL};
	const struct {
		const char *what;
		uint64_t *n;
	} totals[] = {
		{"found", &c->total.found},         {"proposed", &c->total.proposed},
		{"installed", &c->total.installed}, {"renewed", &c->total.renewed},
		{"escalated", &c->total.escalated}, {"refused", &c->total.refused},
		{"lifted", &c->total.lifted},       {"over", &c->total.over},
		{"ignored", &c->total.ignored},
	};
	json_t *entry = entry_json(c, k, what, why);
	bool alert = c->config.alerts != NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(totals); i++)
		if (!strcmp(what, totals[i].what))
			++*totals[i].n;
	for (unsigned i = 0; quiet[i]; i++)
		alert &= strcmp(what, quiet[i]) != 0;
	for (unsigned i = 0; alert && i < k->p->n_alerts; i++)
		c->config.alerts->alert(c->config.alerts, k->p->alert[i], entry);
	if (c->config.audit)
		c->config.audit->write(c->config.audit, entry);
	else
		json_decref(entry);
}

static const char *const states[N_CASE_STATES] = {
	[CASE_NEW] = "new",           [CASE_WAITING] = "waiting", [CASE_IGNORED] = "ignored",
	[CASE_PROPOSED] = "proposed", [CASE_LIMITED] = "limited", [CASE_DROPPED] = "dropped",
	[CASE_LEFT] = "left",
};

static json_t *case_json(const struct case_ *k)
{
	json_t *o = json_object();

	json_object_set_new(o, "case", json_integer((json_int_t)k->id));
	json_object_set_new(o, "pipeline", json_string(k->p->name));
	json_object_set_new(o, "state", json_string(states[k->state]));
	json_object_set_new(o, "attack", attack_json(k));
	if (k->profiled || k->adopted)
		put_rule(o, k);
	if (k->state == CASE_IGNORED)
		json_object_set_new(o, "reason", json_string(k->ignored));
	return o;
}

void cases_report(const struct cases *c, json_t *report)
{
	enum { SHOWN = 32 };
	json_t *list = json_array();
	unsigned rules = 0, proposals = 0;

	for (unsigned i = 0; i < c->n; i++) {
		rules += case_has_rule(c->case_[i]);
		proposals += c->case_[i]->state == CASE_PROPOSED;
		if (i < SHOWN)
			json_array_append_new(list, case_json(c->case_[i]));
	}
	json_object_set_new(report, "automation", json_boolean(c->automation));
	json_object_set_new(report, "n_cases", json_integer(c->n));
	json_object_set_new(report, "rules", json_integer(rules));
	json_object_set_new(report, "proposals", json_integer(proposals));
	json_object_set_new(report, "cases", list);
	json_object_set_new(
		report, "totals",
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "found",
			  (json_int_t)c->total.found, "proposed", (json_int_t)c->total.proposed,
			  "installed", (json_int_t)c->total.installed, "renewed",
			  (json_int_t)c->total.renewed, "escalated", (json_int_t)c->total.escalated,
			  "refused", (json_int_t)c->total.refused, "lifted",
			  (json_int_t)c->total.lifted, "over", (json_int_t)c->total.over, "ignored",
			  (json_int_t)c->total.ignored));
}
