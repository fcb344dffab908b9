/* SPDX-License-Identifier: Apache-2.0 */
/* The early verdict on aggregates, before anything is paid for their decryption: they are dropped,
 * asked of a meter, or go on.  early.c has the rules. */
#include "datapath/spine.h"

/* Counts one aggregate, by its outer octets: in the figures of the rule (the only one that it keeps
 * from idling), of the table and of the connection. */
static void drop_early(struct worker *w, struct pkt *p, struct path_rule by,
		       enum drop_reason reason)
{
	struct rule_counters *rule = &w->rule[by.id];
	struct port_counters *conn = &w->port[p->outer->conn];

	counter_add(&rule->packets, 1);
	counter_add(&rule->bytes, pkt_octets(p));
	counter_add(&rule->used_ns, w->now - rule->used_ns);
	counter_add(&w->table[by.table].lookups, 1);
	counter_add(&w->table[by.table].matches, 1);
	counter_add(&conn->n_early, 1);
	counter_add(&conn->early_bytes, pkt_octets(p));
	p->rule = by;
	drop(w, p, reason);
}

/* The rule that wins has an aggregate meter. */
static bool meter_drops(struct worker *w, struct pkt *p, const struct early_verdict *v)
{
	const struct meter *m = meter_of(w, v->meter);
	const struct meter_band *band;

	if (!m || !m->aggregate)
		return false;
	trace(w, p, EARLY_METER, v->meter_rule, v->meter);
	band = meter_run(w, p, m);
	if (!band) {
		trace(w, p, METER_PASS, m->number, 0);
		return false;
	}
	trace(w, p, METER_DROP, m->number, band->given);
	drop_early(w, p, (struct path_rule){v->meter_rule, 0, false}, DROP_EARLY_METER);
	return true;
}

static bool verdict_drops(struct worker *w, struct pkt *p, struct du_key *du)
{
	struct outer *o = p->outer;
	const struct port *conn = port_get(w->dp, o->conn);
	struct probe probe = {.key = key_view_of(du, &o->key),
			      .version = w->version,
			      .worker = w,
			      .pkt = p,
			      .unverified = true};
	struct early_verdict v;

	if (!conn || conn->gen != o->gen)
		return false;
	o->early_done = true;
	du->in_port = htobe32(conn->ofport);
	du->tunnel_id = o->key.tunnel_id;
	if (early_lookup(w->dp->early, &probe, &v)) {
		trace(w, p, EARLY_DROP, v.drop_rule, v.drop_priority);
		drop_early(w, p, (struct path_rule){v.drop_rule, v.drop_table, false}, DROP_EARLY);
		return true;
	}
	if (v.meter)
		return meter_drops(w, p, &v);
	trace(w, p, EARLY_PASS, v.drop_priority, v.other_priority);
	return false;
}

void stage_early(struct worker *w, struct batch *b)
{
	struct du_key du = {0};
	struct pkt *p;
	unsigned n = 0;

	if (early_is_idle(w->dp->early) || w->bypass)
		return;
	BATCH_FOR_EACH (p, b)
		if (p->outer->conn == CONN_NONE || p->outer->early_done ||
		    !verdict_drops(w, p, &du))
			b->pkt[n++] = p;
	b->n = n;
}
