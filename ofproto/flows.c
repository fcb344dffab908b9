/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/flows.h"

#include "lib/hash.h"
#include "ofproto/memory.h"
#include "ofproto/set-rules.h"
#include "ofproto/shadow.h"
#include "ofproto/state.h"

void flows_init(struct ofproto *o)
{
	struct flows *f = &o->flows;

	rmap_init(&f->index);
	flow_kinds_init(o);
	f->next_key = 1;
	f->slot = mem_new(RULE_IDS * sizeof *f->slot); /* touched as used */
}

void flows_destroy(struct ofproto *o)
{
	struct flows *f = &o->flows;

	for (unsigned t = 0; t < N_TABLES; t++) {
		for (struct entry *e = f->table[t], *next; e; e = next) {
			next = e->next;
			if (!e->leaving) {
				rmap_remove(&f->index, &e->flow.node);
				flow_kind_remove(o, e);
			}
			entry_free(o, e); /* its rule ends with the datapath's table */
		}
		f->table[t] = NULL;
	}
	flow_kinds_destroy(o);
	rmap_destroy(&f->index);
	free(f->slot);
	free(f->free_id);
}

/* ---- Rule ids --------------------------------------------------------------------------- */

static uint32_t id_take(struct flows *f)
{
	uint32_t id = f->n_free_id ? f->free_id[--f->n_free_id] : f->next_id++;

	f->slot[id].users = 1;
	return id;
}

static void id_release(struct flows *f, const struct entry *e)
{
	struct rule_slot *s = &f->slot[e->flow.rule_id];

	if (s->entry == e)
		s->entry = NULL;
	if (--s->users)
		return;
	if (f->n_free_id == f->room_free_id) {
		f->room_free_id = MAX(64u, 2 * f->room_free_id);
		f->free_id = mem_grow(f->free_id, f->room_free_id * sizeof *f->free_id);
	}
	f->free_id[f->n_free_id++] = e->flow.rule_id;
}

/* What all workers have counted for a rule id, ever. */
static struct rule_counters id_counters(const struct ofproto *o, uint32_t id)
{
	struct rule_counters sum = {0};

	for (unsigned i = 0; i < o->dp.n_workers; i++) {
		const struct rule_counters *c = &o->dp.worker[i]->rule[id];

		sum.packets += counter_read(&c->packets);
		sum.bytes += counter_read(&c->bytes);
		sum.used_ns = MAX(sum.used_ns, counter_read(&c->used_ns));
	}
	return sum;
}

/* ---- Entries ---------------------------------------------------------------------------- */

void instructions_copy(struct instructions *to, const struct instructions *from)
{
	*to = *from;
	to->apply = to->write = (struct buf){0};
	buf_octets(&to->apply, from->apply.data, from->apply.size);
	buf_octets(&to->write, from->write.data, from->write.size);
}

bool instructions_output_to(const struct instructions *i, uint32_t ofport)
{
	return actions_output_to(i->apply.data, i->apply.size, ofport) ||
	       actions_output_to(i->write.data, i->write.size, ofport);
}

bool instructions_group_to(const struct instructions *i, uint32_t group)
{
	return actions_group_to(i->apply.data, i->apply.size, group) ||
	       actions_group_to(i->write.data, i->write.size, group);
}

bool flows_full(const struct ofproto *o, bool more)
{
	return (more && o->flows.n_staged >= FLOWS_MAX) ||
	       (!o->flows.n_free_id && o->flows.next_id == RULE_STANDALONE);
}

struct entry *entry_new(struct ofproto *o, const struct flow *like)
{
	struct entry *e = mem_new(sizeof *e);

	e->flow = *like;
	e->flow.reason = mem_text(like->reason);
	instructions_copy(&e->flow.instructions, &like->instructions);
	e->flow.rule = NULL;
	match_hold(&e->flow.match);
	e->key = e->order = o->flows.next_key++;
	if (like->rule_id == RULE_NONE) {
		struct rule_counters now;

		e->flow.rule_id = id_take(&o->flows);
		bucket_reset(&o->dp.bucket[e->flow.rule_id]);
		now = id_counters(o, e->flow.rule_id);
		e->base.packets = now.packets;
		e->base.bytes = now.bytes;
	} else {
		o->flows.slot[like->rule_id].users++;
	}
	return e;
}

void entry_free(struct ofproto *o, struct entry *e)
{
	timeout_cancel(o, e);
	match_release(&e->flow.match);
	id_release(&o->flows, e);
	instructions_free(&e->flow.instructions);
	free((char *)e->flow.reason);
	free(e);
}

/* The guard's order is by origin, then priority (DESIGN: cli > bgp > watch > request). */
static int32_t precedence(uint8_t table, uint8_t origin, uint16_t priority)
{
	return table == TABLE_GUARD ? (ORIGIN_CONTROLLER - origin) << 16 | priority : priority;
}

static int32_t rule_priority(const struct flow *f)
{
	return precedence(f->table, f->origin, f->priority);
}

static uint32_t index_hash(uint8_t table, int32_t priority, const struct match *m)
{
	const uint64_t *value = (const uint64_t *)&m->value, *mask = (const uint64_t *)&m->mask;
	uint64_t h = hash_add(hash_seed, (uint64_t)table << 32 | (uint32_t)priority);

	for (unsigned i = 0; i < KEY_WORDS; i++)
		if (mask[i])
			h = hash_add(hash_add(hash_add(h, i), mask[i]), value[i]);
	for (unsigned i = 0; i < m->n_conds * sizeof m->cond[0] / 8; i++) {
		uint64_t word;

		memcpy(&word, (const uint8_t *)m->cond + i * 8, 8);
		h = hash_add(h, word);
	}
	return hash_finish(h);
}

static void index_add(struct ofproto *o, struct entry *e)
{
	const struct flow *f = &e->flow;

	rmap_insert(&o->flows.index, &e->flow.node,
		    index_hash(f->table, rule_priority(f), &f->match));
	flow_kind_add(o, e);
	o->flows.n_staged++;
	set_rules_add(o, e);
	meters_used(o, f->instructions.meter, 1);
	if (f->table == TABLE_GUARD)
		o->flows.n_guard[f->origin]++;
}

static void index_remove(struct ofproto *o, struct entry *e)
{
	rmap_remove(&o->flows.index, &e->flow.node);
	flow_kind_remove(o, e);
	o->flows.n_staged--;
	set_rules_remove(e);
	meters_used(o, e->flow.instructions.meter, -1);
	if (e->flow.table == TABLE_GUARD)
		o->flows.n_guard[e->flow.origin]--;
}

static enum early_role early_role(const struct ofproto *o, const struct flow *f,
				  const struct program *program)
{
	struct match projected;

	if ((f->table && f->table != TABLE_GUARD) || !match_project_early(&f->match, &projected))
		return EARLY_OTHER;
	if (program->flags & PROGRAM_DROPS)
		return EARLY_DROPS;
	return !f->table && meter_is_aggregate(o, f->instructions.meter) ? EARLY_METERS
									 : EARLY_OTHER;
}

void entry_stage(struct ofproto *o, struct entry *e)
{
	struct flow *f = &e->flow;
	struct program *program = program_compile(&f->instructions);
	struct entry **head = &o->flows.table[f->table];

	f->rule = rule_create(&f->match, rule_priority(f), f->rule_id, program);
	f->rule->add_version = change_version(o);
	f->rule->remove_version = VERSION_NEVER;
	f->rule->table = f->table;
	f->rule->origin = f->origin;
	f->rule->early = (uint8_t)early_role(o, f, program);
	table_insert(datapath_table(&o->dp, f->table), f->rule, &f->match);

	e->next = *head;
	e->link = head;
	if (e->next)
		e->next->link = &e->next;
	*head = e;
	index_add(o, e);
	groups_count_rule(o, &f->instructions, 1);
	timeout_set(o, e);
}

static void unlink_entry(struct entry *e)
{
	*e->link = e->next;
	if (e->next)
		e->next->link = e->link;
}

static void take_out(struct ofproto *o, struct entry *e)
{
	table_remove(o->dp.table[e->flow.table], e->flow.rule);
	rule_retire(e->flow.rule);
	unlink_entry(e);
	entry_free(o, e);
}

void entry_unstage(struct ofproto *o, struct entry *e)
{
	index_remove(o, e);
	groups_count_rule(o, &e->flow.instructions, -1);
	take_out(o, e);
}

void entry_leave(struct ofproto *o, struct entry *e)
{
	e->leaving = true;
	index_remove(o, e);
	groups_count_rule(o, &e->flow.instructions, -1);
	timeout_cancel(o, e);
	if (!e->ended)
		rcu_set(e->flow.rule->remove_version, change_version(o));
}

void entry_over(struct ofproto *o, struct entry *e)
{
	if (e->ended)
		return;
	e->ended = true;
	rcu_set(e->flow.rule->remove_version, o->dp.version);
	/* No version is published: this makes workers' caches begin anew. */
	sets_changed(&o->dp);
}

void entry_stay(struct ofproto *o, struct entry *e)
{
	e->leaving = false;
	if (!e->ended)
		rcu_set(e->flow.rule->remove_version, VERSION_NEVER);
	index_add(o, e);
	groups_count_rule(o, &e->flow.instructions, 1);
	timeout_set(o, e);
}

void entry_bury(struct ofproto *o, struct entry *e)
{
	take_out(o, e);
}

struct entry *entry_find(struct ofproto *o, uint8_t table, uint8_t origin, uint16_t priority,
			 const struct match *m)
{
	int32_t rank = precedence(table, origin, priority);
	uint32_t hash = index_hash(table, rank, m);
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &o->flows.index, hash) {
		struct entry *e = container_of(n, struct entry, flow.node);

		if (e->flow.table == table && rule_priority(&e->flow) == rank &&
		    match_equal(&e->flow.match, m))
			return e;
	}
	return NULL;
}

struct entry *entry_by_rule(struct ofproto *o, uint32_t rule_id)
{
	return rule_id < o->flows.next_id ? o->flows.slot[rule_id].entry : NULL;
}

bool entry_in_force(const struct ofproto *o, const struct entry *e)
{
	return rule_visible(e->flow.rule, o->dp.version);
}

uint64_t entry_age(const struct ofproto *o, const struct entry *e)
{
	return ofproto_now(o) - e->flow.created_ns + e->older_ns;
}

void entry_stats(struct ofproto *o, const struct entry *e, struct flow_stats *stats)
{
	struct rule_counters c = id_counters(o, e->flow.rule_id);
	uint64_t now = ofproto_now(o);

	*stats = (struct flow_stats){
		.packets = c.packets - e->base.packets,
		.bytes = c.bytes - e->base.bytes,
		.duration_ns = entry_age(o, e),
		.early = e->flow.rule->early,
		.shadowed_by = RULE_NONE,
		.hidden_by = RULE_NONE,
	};
	/* An id that was another rule's before may have been used before this one was made. */
	if (c.used_ns > e->flow.created_ns)
		stats->idle_ns = now > c.used_ns ? now - c.used_ns : 0;
	else if (e->restored)
		stats->idle_ns = e->quiet_ns + (now - o->timeouts.since_ns);
	else
		stats->idle_ns = stats->duration_ns;
}

const struct flow *ofproto_flow(struct ofproto *o, uint32_t rule_id, struct flow_stats *stats)
{
	const struct entry *e = entry_by_rule(o, rule_id);

	if (!e || !entry_in_force(o, e))
		return NULL;
	entry_stats(o, e, stats);
	return &e->flow;
}

const struct flow *ofproto_guard_flow(struct ofproto *o, uint8_t origin, uint16_t priority,
				      const struct match *m)
{
	const struct entry *e = entry_find(o, TABLE_GUARD, origin, priority, m);

	return e ? &e->flow : NULL;
}

static bool ops_equal(const struct buf *a, const struct buf *b)
{
	return a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}

static bool instructions_equal(const struct instructions *a, const struct instructions *b)
{
	return a->clear == b->clear && a->has_goto == b->has_goto &&
	       (!a->has_goto || a->goto_table == b->goto_table) && a->meter == b->meter &&
	       a->metadata == b->metadata && a->metadata_mask == b->metadata_mask &&
	       ops_equal(&a->apply, &b->apply) && ops_equal(&a->write, &b->write);
}

bool ofproto_flow_stands(struct ofproto *o, const struct flow_mod *fm)
{
	const struct entry *e = entry_find(o, fm->table, fm->origin, fm->priority, &fm->match);

	return e && e->flow.cookie == fm->cookie && e->flow.idle_timeout == fm->idle_timeout &&
	       e->flow.hard_timeout == fm->hard_timeout && e->flow.flags == fm->flags &&
	       instructions_equal(&e->flow.instructions, &fm->instructions);
}

/* ---- Walking ---------------------------------------------------------------------------- */

void flow_filter_init(struct flow_filter *f)
{
	*f = (struct flow_filter){.table = OFPTT_ALL, .out_port = OFPP_ANY, .out_group = OFPG_ANY};
}

static bool filter_hits(const struct flow_filter *f, const struct flow *flow)
{
	return (flow->cookie & f->cookie_mask) == (f->cookie & f->cookie_mask) &&
	       (f->out_group == OFPG_ANY ||
		instructions_group_to(&flow->instructions, f->out_group)) &&
	       (f->out_port == OFPP_ANY ||
		instructions_output_to(&flow->instructions, f->out_port)) &&
	       match_covers(&f->match, &flow->match);
}

static int by_precedence(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;

	if (x->flow.rule->priority != y->flow.rule->priority)
		return x->flow.rule->priority > y->flow.rule->priority ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

enum { PLAIN_SORTED = 8192 }; /* what takes no time worth saving */

struct found {
	struct entry **entry;
	size_t n, room;
	bool plain;
};

static void find_in_table(struct ofproto *o, unsigned t, const struct flow_filter *f,
			  struct found *found)
{
	found->n = 0;
	for (struct entry *e = o->flows.table[t]; e; e = e->next) {
		if (!entry_in_force(o, e) || !filter_hits(f, &e->flow))
			continue;
		if (found->n == found->room) {
			found->room = MAX(64u, 2 * found->room);
			found->entry = mem_grow(found->entry, found->room * sizeof *found->entry);
		}
		found->entry[found->n++] = e;
	}
	if (found->n && (!found->plain || found->n <= PLAIN_SORTED))
		qsort(found->entry, found->n, sizeof *found->entry, by_precedence);
}

void ofproto_flows(struct ofproto *o, const struct flow_filter *filter, struct flow_visit *v)
{
	unsigned first = filter->table == OFPTT_ALL ? 0 : filter->table;
	unsigned last = filter->table == OFPTT_ALL ? TABLE_MAX - 1 : filter->table;
	struct shadows shadows = {0};
	struct found found = {.plain = filter->plain};
	int stop = 0;

	for (unsigned t = first; t <= last && !stop; t++) {
		find_in_table(o, t, filter, &found);
		for (size_t i = 0; i < found.n && !stop; i++) {
			struct flow_stats stats;

			if (filter->plain) {
				stop = v->flow(v, &found.entry[i]->flow, NULL);
				continue;
			}
			entry_stats(o, found.entry[i], &stats);
			stats.shadowed_by = shadow_of(o, &shadows, found.entry[i]);
			stats.early &= stats.shadowed_by == RULE_NONE;
			stats.hidden_by = hider_of(o, &shadows, found.entry[i]);
			stop = v->flow(v, &found.entry[i]->flow, &stats);
		}
	}
	shadows_free(&shadows);
	free(found.entry);
}

/* As few as most switches have, or up to the highest one in use: controllers ask for each. */
enum { TABLES_SHOWN = 16 };

unsigned ofproto_n_tables(const struct ofproto *o)
{
	unsigned n = TABLE_MAX;

	while (n > TABLES_SHOWN && !o->flows.table[n - 1])
		n--;
	return n;
}

void ofproto_table_stats(const struct ofproto *o, unsigned table, struct table_stats *stats)
{
	*stats = (struct table_stats){0};
	if (table >= N_TABLES)
		return;
	for (const struct entry *e = o->flows.table[table]; e; e = e->next)
		stats->n_active += entry_in_force(o, e);
	stats->n_masks = o->dp.table[table] ? table_n_masks(o->dp.table[table]) : 0;
	stats->n_refused = o->flows.n_refused[table];
	for (unsigned i = 0; i < o->dp.n_workers; i++) {
		stats->n_lookups += counter_read(&o->dp.worker[i]->table[table].lookups);
		stats->n_matches += counter_read(&o->dp.worker[i]->table[table].matches);
	}
}
