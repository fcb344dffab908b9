/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/why.h"

#include <stdlib.h>

#include "ctl/stats.h"
#include "ctl/verb.h"
#include "lib/addr.h"
#include "ofproto/flows.h"
#include "ofproto/samples.h"

enum { RULES_TOLD = 32, OUTERS_TOLD = 8 };

/* An estimate, and the records it stands on. */
struct sum {
	uint64_t packets;
	uint32_t n;
};

struct rule_sum {
	int64_t key;
	uint32_t id;
	uint8_t reason;
	struct sum sum;
};

struct tally {
	struct sum arrived, delivered, lost, reason[N_DROPS];
	uint64_t octets;
	struct rule_sum rule[RULES_TOLD];
	unsigned n_rules;
};

struct why {
	struct past_visit visit;
	struct ip_prefix about;
	struct tally to, from, carried;
	struct outer_sum {
		struct ip ip;
		struct sum carried, early;
	} outer[OUTERS_TOLD];
	unsigned n_outers;
};

static void add(struct sum *s, const struct past_record *r)
{
	s->packets += r->packets;
	s->n++;
}

/* ---- Counting ---- */

/* For these reasons the last rule on the path is the cause. */
static bool by_rule(const struct past_record *r)
{
	return r->rule_key &&
	       (r->reason == DROP_RULE || r->reason == DROP_EARLY || r->reason == DROP_LIMIT ||
		r->reason == DROP_LIMITER || r->reason == DROP_CONNLIMIT ||
		r->reason == DROP_METER || r->reason == DROP_EARLY_METER ||
		r->reason == DROP_REJECT || r->reason == DROP_REJECT_MAX);
}

/* Beyond the bound the first ones told stay: their reasons are counted all the same. */
static void tally_rule(struct tally *t, const struct past_record *r)
{
	unsigned i = 0;

	while (i < t->n_rules && (t->rule[i].key != r->rule_key || t->rule[i].reason != r->reason))
		i++;
	if (i == RULES_TOLD)
		return;
	if (i == t->n_rules)
		t->rule[t->n_rules++] = (struct rule_sum){
			.key = r->rule_key, .id = r->rule_id, .reason = r->reason};
	add(&t->rule[i].sum, r);
}

static void tally(struct tally *t, const struct past_record *r)
{
	add(&t->arrived, r);
	t->octets += r->octets;
	if (r->end != SAMPLE_DROPPED) {
		add(&t->delivered, r);
		return;
	}
	add(&t->lost, r);
	if (r->reason < N_DROPS)
		add(&t->reason[r->reason], r);
	if (by_rule(r))
		tally_rule(t, r);
}

static bool is_about(const struct why *w, const struct ip *ip)
{
	return ip->family && ip_in_prefix(ip, &w->about);
}

static void note_outer(struct why *w, const struct past_record *r)
{
	unsigned i = 0;

	if (!r->outer_src.family)
		return;
	while (i < w->n_outers && !ip_equal(&w->outer[i].ip, &r->outer_src))
		i++;
	if (i == OUTERS_TOLD)
		return;
	if (i == w->n_outers)
		w->outer[w->n_outers++] = (struct outer_sum){.ip = r->outer_src};
	add(&w->outer[i].carried, r);
}

static int count(struct past_visit *v, const struct past_record *r)
{
	struct why *w = container_of(v, struct why, visit);
	bool aggregate = r->flags & SAMPLE_AGGREGATE;
	bool to = is_about(w, &r->dst), from = is_about(w, &r->src);

	if (to && !aggregate)
		tally(&w->to, r);
	if (from && !aggregate)
		tally(&w->from, r);
	if ((to || from) && !aggregate)
		note_outer(w, r);
	if (aggregate ? to || from : is_about(w, &r->outer_src) || is_about(w, &r->outer_dst))
		tally(&w->carried, r);
	return 0;
}

/* An aggregate that was not opened is nobody's packet yet: it counts for who sent it. */
static int count_early(struct past_visit *v, const struct past_record *r)
{
	struct why *w = container_of(v, struct why, visit);

	if (!(r->flags & SAMPLE_AGGREGATE) || r->end != SAMPLE_DROPPED)
		return 0;
	for (unsigned i = 0; i < w->n_outers; i++)
		if (ip_equal(&w->outer[i].ip, &r->src))
			add(&w->outer[i].early, r);
	return 0;
}

/* ---- The value ---- */

static void put_sum(json_t *row, const struct sum *s)
{
	json_put_u64(row, "packets", s->packets);
	json_put_u64(row, "samples", s->n);
}

static json_t *reasons_json(const struct tally *t)
{
	json_t *list = json_array();
	bool told[N_DROPS] = {false};

	for (;;) {
		unsigned most = N_DROPS;
		json_t *row;

		for (unsigned i = 0; i < N_DROPS; i++)
			if (!told[i] && t->reason[i].n &&
			    (most == N_DROPS || t->reason[i].packets > t->reason[most].packets))
				most = i;
		if (most == N_DROPS)
			return list;
		told[most] = true;
		row = json_object();
		json_put(row, "reason", json_string(drop_reasons[most].name));
		json_put(row, "text", json_string(drop_reasons[most].text));
		put_sum(row, &t->reason[most]);
		json_array_append_new(list, row);
	}
}

static int rule_order(const void *a, const void *b)
{
	const struct rule_sum *x = a, *y = b;

	return (x->sum.packets < y->sum.packets) - (x->sum.packets > y->sum.packets);
}

/* Ids are given again: the rule is the one that was meant only if its key is. */
static json_t *rule_json(struct daemon *d, const struct rule_sum *s)
{
	struct flow_stats stats;
	const struct flow *f = ofproto_flow(d->ofproto, s->id, &stats);
	json_t *row = json_object();

	json_put_u64(row, "rule_id", s->id);
	json_put(row, "reason", json_string(drop_reasons[s->reason].name));
	put_sum(row, &s->sum);
	if (f && entry_of(f)->key == s->key) {
		struct buf text = {0};

		flow_format(f, &text);
		json_put(row, "flow", json_text(buf_text(&text)));
		buf_free(&text);
		if (f->reason)
			json_put(row, "why", json_text(f->reason));
	}
	return row;
}

static json_t *tally_json(struct daemon *d, struct tally *t)
{
	json_t *row = json_object(), *rules = json_array();

	json_put_u64(row, "samples", t->arrived.n);
	json_put_u64(row, "arrived", t->arrived.packets);
	json_put_u64(row, "delivered", t->delivered.packets);
	json_put_u64(row, "lost", t->lost.packets);
	json_put_u64(row, "octets", t->octets);
	json_put(row, "reasons", reasons_json(t));
	if (t->n_rules)
		qsort(t->rule, t->n_rules, sizeof t->rule[0], rule_order);
	for (unsigned i = 0; i < t->n_rules; i++)
		json_array_append_new(rules, rule_json(d, &t->rule[i]));
	json_put(row, "rules", rules);
	return row;
}

static json_t *outers_json(const struct why *w)
{
	json_t *list = json_array();
	char text[IP_TEXT];

	for (unsigned i = 0; i < w->n_outers; i++) {
		json_t *row = json_object();

		json_put(row, "address", json_string(ip_text(&w->outer[i].ip, text)));
		json_put_u64(row, "packets", w->outer[i].carried.packets);
		json_put_u64(row, "early", w->outer[i].early.packets);
		json_put_u64(row, "early_samples", w->outer[i].early.n);
		json_array_append_new(list, row);
	}
	return list;
}

json_t *why_collect(struct daemon *d, const char *address, struct refusal *r)
{
	struct why *w = calloc(1, sizeof *w);
	json_t *value = NULL;
	char text[PREFIX_TEXT];
	bool host;

	if (!w)
		abort();
	if (!ip_prefix_parse(address, &w->about)) {
		refuse(r, BAD_VALUE, "ADDRESS",
		       "%.60s is no address; IPv4, IPv6 or a prefix of either would be accepted",
		       address);
		free(w);
		return NULL;
	}
	w->visit.record = count;
	ofproto_past(d->ofproto, 0, &w->visit);
	w->visit.record = count_early;
	ofproto_past(d->ofproto, 0, &w->visit);
	value = json_object();
	host = w->about.len == (w->about.ip.family == 4 ? 32 : 128);
	json_put(value, "address",
		 json_string(host ? ip_text(&w->about.ip, text) : ip_prefix_text(&w->about, text)));
	json_put_u64(value, "seconds", PAST_S);
	json_put(value, "to", tally_json(d, &w->to));
	json_put(value, "from", tally_json(d, &w->from));
	json_put(value, "carried", tally_json(d, &w->carried));
	json_put(value, "outers", outers_json(w));
	free(w);
	return value;
}

/* ---- Text ---- */

static const char *samples_text(const json_t *row)
{
	static char text[2][48];
	static unsigned at;
	char *out = text[at++ % 2];
	uint64_t n = json_u64(row, "samples");

	snprintf(out, sizeof text[0], "%s sample%s", text_count(n), n == 1 ? "" : "s");
	return out;
}

static void rules_text(const json_t *rules, struct buf *text)
{
	json_t *row;
	size_t i;

	json_array_foreach(rules, i, row)
	{
		const char *flow = json_str(row, "flow"), *why = json_str(row, "why");

		buf_printf(text, "  %14s  by %s%s%s (%s, %s)\n",
			   text_count(json_u64(row, "packets")),
			   *flow ? flow : "a rule that is there no more", *why ? ": " : "", why,
			   json_str(row, "reason"), samples_text(row));
	}
}

static void tally_text(const json_t *t, const char *what, struct buf *text)
{
	json_t *row;
	size_t i;

	if (!json_u64(t, "samples")) {
		buf_printf(text, "%s: nothing was seen\n", what);
		return;
	}
	buf_printf(text, "%s: arrived %s, delivered %s, lost %s (estimated from %s)\n", what,
		   text_count(json_u64(t, "arrived")), text_count(json_u64(t, "delivered")),
		   text_count(json_u64(t, "lost")), samples_text(t));
	json_array_foreach(json_object_get(t, "reasons"), i, row)
	{
		buf_printf(text, "  %14s  %-20s %s (%s)\n", text_count(json_u64(row, "packets")),
			   json_str(row, "reason"), json_str(row, "text"), samples_text(row));
	}
	rules_text(json_object_get(t, "rules"), text);
}

void why_text(const json_t *value, struct buf *text)
{
	const json_t *carried = json_object_get(value, "carried");
	json_t *row;
	size_t i;

	buf_printf(text, "%s, the last %d minutes\n", json_str(value, "address"), PAST_S / 60);
	tally_text(json_object_get(value, "to"), "to it", text);
	tally_text(json_object_get(value, "from"), "from it", text);
	if (json_u64(carried, "samples"))
		tally_text(carried, "as an outer address", text);
	json_array_foreach(json_object_get(value, "outers"), i, row)
	{
		uint64_t n = json_u64(row, "early_samples");

		buf_printf(text, "%s carried %s of its packets", json_str(row, "address"),
			   text_count(json_u64(row, "packets")));
		if (n)
			buf_printf(text,
				   "; %s of its aggregates were dropped unopened (%s sample%s)",
				   text_count(json_u64(row, "early")), text_count(n),
				   n == 1 ? "" : "s");
		buf_printf(text, "\n");
	}
}
