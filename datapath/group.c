/* SPDX-License-Identifier: Apache-2.0 */
/* Groups at work: finding, choosing, running. */
#include "datapath/group.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "datapath/worker.h"
#include "lib/hash.h"
#include "lib/openflow.h"

struct group *group_find(const struct datapath *dp, uint32_t id)
{
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &dp->groups, group_hash(id)) {
		struct group *g = container_of(n, struct group, node);

		if (g->id == id)
			return g;
	}
	return NULL;
}

void group_publish(struct datapath *dp, struct group *g, uint64_t since)
{
	struct group *old = group_find(dp, g->id);

	g->since = since;
	g->before = old;
	g->node.hash = group_hash(g->id);
	if (old)
		rmap_replace(&dp->groups, &old->node, &g->node);
	else
		rmap_insert(&dp->groups, &g->node, group_hash(g->id));
}

void group_settle(struct group *g)
{
	rcu_set(g->before, NULL);
}

void group_withdraw(struct datapath *dp, struct group *g)
{
	if (group_find(dp, g->id) == g)
		rmap_remove(&dp->groups, &g->node);
}

struct group_counters *group_counters_reserve(void)
{
	void *at = mmap(NULL, GROUP_COUNTERS * sizeof(struct group_counters),
			PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

void group_counters_release(struct group_counters *c)
{
	if (c)
		munmap(c, GROUP_COUNTERS * sizeof *c);
}

/* ---- Liveness -------------------------------------------------------------------------- */

bool group_port_live(const struct datapath *dp, uint32_t ofport)
{
	const struct port *port = port_by_ofport(dp, ofport);

	return port && __atomic_load_n(&port->up, __ATOMIC_RELAXED) &&
	       !port_forbids(port, OFPPC_PORT_DOWN);
}

/* Looks at buckets until `looks` is used up; what nobody could look at any more is dead. */
struct look {
	const struct datapath *dp;
	uint16_t looks, depth;
};

static bool any_live(struct look *l, const struct group *g);

static bool is_live(struct look *l, const struct group_bucket *b)
{
	const struct group *g;
	bool live;

	if (b->watch_port == OFPP_ANY && b->watch_group == OFPG_ANY)
		return true;
	if (!l->looks)
		return false;
	l->looks--;
	if (b->watch_port != OFPP_ANY && group_port_live(l->dp, b->watch_port))
		return true;
	if (b->watch_group == OFPG_ANY || l->depth == GROUP_DEPTH)
		return false;
	g = group_find(l->dp, b->watch_group);
	l->depth++;
	live = g && any_live(l, g);
	l->depth--;
	return live;
}

static bool any_live(struct look *l, const struct group *g)
{
	for (unsigned i = 0; i < g->n_buckets; i++)
		if (is_live(l, &g->bucket[i]))
			return true;
	return false;
}

bool group_bucket_live(const struct datapath *dp, const struct group_bucket *b)
{
	struct look l = {dp, GROUP_LOOKS, 0};

	return is_live(&l, b);
}

static bool bucket_live(struct worker *w, const struct group_bucket *b)
{
	struct look l = {w->dp, w->group_budget.looks, 0};
	bool live = is_live(&l, b);

	w->group_budget.looks = l.looks;
	return live;
}

/* ---- Select ---------------------------------------------------------------------------- */

/* Where a flow of slot `at` looks next.  The n-th look of one slot is the same in every worker and
 * for the control thread. */
static uint32_t probe(const struct group *g, uint32_t at, unsigned n)
{
	return maglev_at((uint32_t)hash_mix((uint64_t)n << 32 | at), g->n_slots);
}

/* What the bucket of a packet depends on.  Of a frame that only passes through, its link addresses,
 * too: they may be all that tells flows apart.  Of what is addressed to the port they are the last
 * hop's, and would move its flows when another takes over. */
static uint64_t flow_of(const struct worker *w, struct pkt *p)
{
	const struct port *in = port_get(w->dp, p->in_port);
	uint64_t flow = pkt_flow_hash(p), dst = 0, src = 0;

	if (p->flags & PKT_VIRTUAL_ETH || (in && !memcmp(p->key.eth_dst, in->mac, sizeof in->mac)))
		return flow;
	memcpy(&dst, p->key.eth_dst, sizeof p->key.eth_dst);
	memcpy(&src, p->key.eth_src, sizeof p->key.eth_src);
	return hash_add(hash_add(flow, dst), src);
}

static int select_bucket(struct worker *w, struct pkt *p, const struct group *g)
{
	uint64_t hash = hash_mix((uint64_t)g->id << 32 ^ flow_of(w, p));
	uint32_t at = maglev_at((uint32_t)hash, g->n_slots);
	const uint16_t *live = rcu_get(g->live);
	uint16_t chosen = live ? live[at] : g->slot[at];

	for (unsigned n = 1; chosen != MAGLEV_NONE; n++) {
		if (bucket_live(w, &g->bucket[chosen]))
			return chosen;
		trace(w, p, GROUP_DEAD, g->id, chosen);
		if (n > GROUP_PROBES)
			break;
		chosen = g->slot[probe(g, at, n)];
	}
	return -1;
}

static bool is_dead(const uint8_t *dead, uint16_t bucket)
{
	return bucket == MAGLEV_NONE || dead[bucket];
}

/* For each slot the bucket of the first live one from there on, round the table; MAGLEV_NONE: there
 * is none. */
static void next_live(const struct group *g, const uint8_t *dead, uint16_t *next)
{
	uint16_t live = MAGLEV_NONE;

	for (uint32_t i = 2 * g->n_slots; i-- > 0;) {
		uint16_t b = g->slot[i % g->n_slots];

		live = is_dead(dead, b) ? live : b;
		next[i % g->n_slots] = live;
	}
}

/* What the workers' probing finds; and what it does not. */
static uint16_t refill(const struct group *g, const uint8_t *dead, const uint16_t *next,
		       uint32_t at)
{
	uint16_t b = g->slot[at];

	for (unsigned n = 1; is_dead(dead, b); n++) {
		if (n > GROUP_PROBES)
			return next[probe(g, at, n)];
		b = g->slot[probe(g, at, n)];
	}
	return b;
}

static uint16_t *live_table(const struct group *g, const uint8_t *dead)
{
	uint16_t *live = malloc(g->n_slots * sizeof *live);
	uint16_t *next = malloc(g->n_slots * sizeof *next);

	if (!live || !next)
		abort();
	next_live(g, dead, next);
	for (uint32_t i = 0; i < g->n_slots; i++)
		live[i] = refill(g, dead, next, i);
	free(next);
	return live;
}

void group_refresh(struct datapath *dp, struct group *g)
{
	uint8_t *dead;
	bool any = false;

	if (!g->slot || !g->watches)
		return;
	dead = calloc(g->n_buckets, 1);
	if (!dead)
		abort();
	for (unsigned i = 0; i < g->n_buckets; i++) {
		dead[i] = !group_bucket_live(dp, &g->bucket[i]);
		any |= dead[i];
	}
	if (!g->dead || memcmp(g->dead, dead, g->n_buckets)) {
		uint16_t *old = g->live;

		rcu_set(g->live, any ? live_table(g, dead) : NULL);
		rcu_free(old);
		free(g->dead);
		g->dead = dead;
	} else {
		free(dead);
	}
}

/* ---- Running --------------------------------------------------------------------------- */

static void count(struct worker *w, const struct pkt *p, uint32_t counter)
{
	struct group_counters *n = &w->group[counter];

	counter_add(&n->packets, 1);
	counter_add(&n->bytes, pkt_octets(p));
}

/* Takes p. */
static void run_bucket(struct worker *w, struct pkt *p, const struct group *g, unsigned i)
{
	const struct group_bucket *b = &g->bucket[i];
	const uint8_t *ops = g->ops + b->at;

	if (!w->group_budget.runs) {
		drop(w, p, DROP_GROUP_LIMIT);
		return;
	}
	w->group_budget.runs--;
	count(w, p, b->counter);
	OP_FOR_EACH(op, ops, b->size)
	{
		trace(w, p, ACTION, op->kind, op->arg);
		if (action_class(op->kind)->run(w, p, op) == ACT_DONE)
			return;
	}
	drop(w, p, DROP_RULE);
}

static void run_none(struct worker *w, struct pkt *p, const struct group *g)
{
	trace(w, p, GROUP_NONE, g->id, g->n_buckets);
	drop(w, p, DROP_GROUP_NO_BUCKET);
}

static void run_all(struct worker *w, struct pkt *p, const struct group *g)
{
	for (unsigned i = 0; i + 1 < g->n_buckets && w->group_budget.runs; i++) {
		struct pkt *copy = copy_for_output(w, p);

		trace(w, p, GROUP_ALL, g->id, i);
		if (copy)
			run_bucket(w, copy, g, i);
	}
	trace(w, p, GROUP_ALL, g->id, g->n_buckets - 1);
	run_bucket(w, p, g, g->n_buckets - 1);
}

static void run_select(struct worker *w, struct pkt *p, const struct group *g)
{
	int i = select_bucket(w, p, g);

	if (i < 0) {
		run_none(w, p, g);
		return;
	}
	trace(w, p, GROUP_SELECT, g->id, i);
	run_bucket(w, p, g, (unsigned)i);
}

static void run_failover(struct worker *w, struct pkt *p, const struct group *g)
{
	for (unsigned i = 0; i < g->n_buckets; i++)
		if (bucket_live(w, &g->bucket[i])) {
			trace(w, p, GROUP_FF, g->id, i);
			run_bucket(w, p, g, i);
			return;
		}
	run_none(w, p, g);
}

static void run_type(struct worker *w, struct pkt *p, const struct group *g)
{
	if (!g->n_buckets) {
		run_none(w, p, g);
		return;
	}
	switch (g->type) {
	case OFPGT_ALL:
		run_all(w, p, g);
		break;
	case OFPGT_SELECT:
		run_select(w, p, g);
		break;
	case OFPGT_FF:
		run_failover(w, p, g);
		break;
	default:
		trace(w, p, GROUP_INDIRECT, g->id, 0);
		run_bucket(w, p, g, 0);
	}
}

/* As it is in the worker's version of the tables. */
static const struct group *group_of(const struct worker *w, uint32_t id)
{
	const struct group *g = group_find(w->dp, id);

	while (g && unlikely(g->since > w->version))
		g = rcu_get(g->before);
	return g;
}

void group_run(struct worker *w, struct pkt *p, uint32_t id)
{
	const struct group *g = group_of(w, id);

	if (unlikely(!g)) {
		drop(w, p, DROP_GROUP_GONE);
		return;
	}
	if (unlikely(w->group_budget.depth == GROUP_DEPTH)) {
		drop(w, p, DROP_GROUP_LIMIT);
		return;
	}
	w->group_budget.depth++;
	count(w, p, g->counter);
	run_type(w, p, g);
	w->group_budget.depth--;
}
