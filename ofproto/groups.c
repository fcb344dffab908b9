/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/groups.h"

#include "lib/hash.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

static struct ofproto *switch_; /* there is one in a process */

void groups_init(struct ofproto *o)
{
	rmap_init(&o->groups.index);
	o->groups.users = mem_new(GROUP_COUNTERS); /* touched as used */
	switch_ = o;
}

static void unlink_entry(struct group_entry *e)
{
	*e->link = e->next;
	if (e->next)
		e->next->link = e->link;
}

void groups_destroy(struct ofproto *o)
{
	struct groups *g = &o->groups;

	while (g->first) {
		struct group_entry *e = g->first;

		if (e->staged)
			group_entry_unstage(o, e);
		group_withdraw(&o->dp, e->group);
		group_defer(e->group); /* workers still turn */
		group_entry_free(o, e);
	}
	rmap_destroy(&g->index);
	free(g->users);
	free(g->free_counter);
	if (switch_ == o)
		switch_ = NULL;
}

/* ---- Counters -------------------------------------------------------------------------- */

static struct group_counters counters_of(const struct ofproto *o, uint32_t counter)
{
	struct group_counters sum = {0};

	for (unsigned i = 0; i < o->dp.n_workers; i++) {
		const struct group_counters *c = &o->dp.worker[i]->group[counter];

		sum.packets += counter_read(&c->packets);
		sum.bytes += counter_read(&c->bytes);
	}
	return sum;
}

static void counter_take(struct ofproto *o, struct group_entry *e, unsigned i)
{
	struct groups *g = &o->groups;

	e->counter[i] = g->n_free ? g->free_counter[--g->n_free] : g->next_counter++;
	e->base[i] = counters_of(o, e->counter[i]);
	g->users[e->counter[i]] = 1;
}

static void counter_release(struct groups *g, uint32_t counter)
{
	if (--g->users[counter])
		return;
	if (g->n_free == g->room_free) {
		g->room_free = MAX(64u, 2 * g->room_free);
		g->free_counter = mem_grow(g->free_counter, g->room_free * sizeof(uint32_t));
	}
	g->free_counter[g->n_free++] = counter;
}

static bool counter_share(struct groups *g, struct group_entry *e, unsigned i,
			  const struct group_entry *like, unsigned k)
{
	if (g->users[like->counter[k]] == UINT8_MAX)
		return false;
	e->counter[i] = like->counter[k];
	e->base[i] = like->base[k];
	g->users[e->counter[i]]++;
	return true;
}

/* ---- Entries --------------------------------------------------------------------------- */

uint32_t group_links(const struct group_spec *spec, uint32_t **id)
{
	uint32_t n = 0, room = 0;

	*id = NULL;
	for (unsigned i = 0; i < spec->n_buckets; i++) {
		const struct bucket_spec *b = &spec->bucket[i];
		size_t most = n + 1 + b->actions.size / sizeof(struct op);

		if (most > room) {
			room = (uint32_t)(2 * most);
			*id = mem_grow(*id, room * sizeof **id);
		}
		if (b->watch_group != OFPG_ANY)
			(*id)[n++] = b->watch_group;
		OP_FOR_EACH(op, b->actions.data, b->actions.size)
		if (op->kind == ACTION_GROUP)
			(*id)[n++] = op->arg;
	}
	return n;
}

static void spec_copy(struct group_spec *to, const struct group_spec *from)
{
	*to = *from;
	to->bucket = mem_new(MAX(1u, from->n_buckets) * sizeof *to->bucket);
	for (unsigned i = 0; i < from->n_buckets; i++) {
		const struct buf *actions = &from->bucket[i].actions;

		to->bucket[i] = from->bucket[i];
		to->bucket[i].actions = (struct buf){0};
		buf_octets(&to->bucket[i].actions, actions->data, actions->size);
	}
}

/* Which bucket of the version before this one goes on from. */
struct heir {
	uint64_t identity;
	unsigned at;
};

static int by_identity(const void *a, const void *b)
{
	const struct heir *x = a, *y = b;

	return (x->identity > y->identity) - (x->identity < y->identity);
}

static void take_counters(struct ofproto *o, struct group_entry *e, const struct group_entry *like)
{
	unsigned n_like = like ? like->spec.n_buckets : 0;
	struct heir *heir = mem_new(MAX(1u, n_like) * sizeof *heir);

	for (unsigned i = 0; i < n_like; i++)
		heir[i] = (struct heir){like->identity[i], i};
	qsort(heir, n_like, sizeof *heir, by_identity);
	if (!like || !counter_share(&o->groups, e, 0, like, 0))
		counter_take(o, e, 0);
	for (unsigned i = 0; i < e->spec.n_buckets; i++) {
		const struct heir key = {e->identity[i], 0};
		const struct heir *from =
			n_like ? bsearch(&key, heir, n_like, sizeof *heir, by_identity) : NULL;

		if (!from || !counter_share(&o->groups, e, 1 + i, like, 1 + from->at))
			counter_take(o, e, 1 + i);
	}
	free(heir);
}

struct group_entry *group_entry_new(struct ofproto *o, const struct group_spec *spec,
				    const struct group_entry *like)
{
	struct groups *g = &o->groups;
	unsigned n = spec->n_buckets + 1;
	struct group_entry *e;
	uint32_t *links;

	if (GROUP_COUNTERS - g->next_counter + g->n_free < n)
		return NULL;
	e = mem_new(sizeof *e);
	spec_copy(&e->spec, spec);
	e->counter = mem_new(n * sizeof *e->counter);
	e->base = mem_new(n * sizeof *e->base);
	e->identity = mem_new(n * sizeof *e->identity);
	e->created_ns = like ? like->created_ns : ofproto_now(o);
	e->refs = like ? like->refs : 0;
	group_identities(&e->spec, e->identity);
	e->n_links = group_links(&e->spec, &links);
	free(links);
	take_counters(o, e, like);
	e->group = group_make(&e->spec, e->counter);
	e->next = g->first;
	e->link = &g->first;
	if (e->next)
		e->next->link = &e->next;
	g->first = e;
	return e;
}

void group_entry_free(struct ofproto *o, struct group_entry *e)
{
	for (unsigned i = 0; i <= e->spec.n_buckets; i++)
		counter_release(&o->groups, e->counter[i]);
	unlink_entry(e);
	group_spec_free(&e->spec);
	free(e->counter);
	free(e->base);
	free(e->identity);
	free(e);
}

struct group_entry *group_entry_find(const struct ofproto *o, uint32_t id)
{
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &o->groups.index, group_hash(id)) {
		struct group_entry *e = container_of(n, struct group_entry, node);

		if (e->spec.id == id)
			return e;
	}
	return NULL;
}

void group_entry_stage(struct ofproto *o, struct group_entry *e)
{
	struct groups *g = &o->groups;

	e->staged = true;
	rmap_insert(&g->index, &e->node, group_hash(e->spec.id));
	g->n_staged++;
	g->n_buckets += e->spec.n_buckets;
	g->n_links += e->n_links;
	g->n_slots += e->spec.slots;
}

void group_entry_unstage(struct ofproto *o, struct group_entry *e)
{
	struct groups *g = &o->groups;

	e->staged = false;
	rmap_remove(&g->index, &e->node);
	g->n_staged--;
	g->n_buckets -= e->spec.n_buckets;
	g->n_links -= e->n_links;
	g->n_slots -= e->spec.slots;
}

/* ---- Rules that name groups ------------------------------------------------------------ */

bool group_exists(uint32_t id)
{
	return switch_ && group_entry_find(switch_, id);
}

static void count_ops(struct ofproto *o, const struct instructions *i, const struct buf *ops,
		      int by)
{
	OP_FOR_EACH(op, ops->data, ops->size)
	{
		struct group_entry *e;

		if (op->kind != ACTION_GROUP)
			continue;
		/* Once a rule, however often it names it: the first time counts. */
		if (actions_group_to(ops->data, (size_t)((const uint8_t *)op - ops->data),
				     op->arg) ||
		    (ops == &i->write && actions_group_to(i->apply.data, i->apply.size, op->arg)))
			continue;
		e = group_entry_find(o, op->arg);
		/* A rule of the store may name a group that could not be restored. */
		if (e && (by > 0 || e->refs))
			e->refs += (uint32_t)by;
	}
}

void groups_count_rule(struct ofproto *o, const struct instructions *i, int by)
{
	count_ops(o, i, &i->apply, by);
	count_ops(o, i, &i->write, by);
}

/* ---- Liveness -------------------------------------------------------------------------- */

void groups_run(struct ofproto *o)
{
	if (!o->groups.stale)
		return;
	o->groups.stale = false;
	for (struct group_entry *e = o->groups.first; e; e = e->next)
		if (e->in_force)
			group_refresh(&o->dp, e->group);
}

/* ---- Seeing ---------------------------------------------------------------------------- */

static struct group_entry *in_force(const struct ofproto *o, uint32_t id)
{
	struct group_entry *staged = group_entry_find(o, id);

	if (staged && staged->in_force)
		return staged;
	for (struct group_entry *e = o->groups.first; e; e = e->next)
		if (e->in_force && e->spec.id == id)
			return e;
	return NULL;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* How many groups name each, once each; again when one has changed, for a dump asks group by group.
 */
static void count_links(struct ofproto *o)
{
	if (o->groups.linked)
		return;
	o->groups.linked = true;
	for (struct group_entry *e = o->groups.first; e; e = e->next)
		e->links = 0;
	for (struct group_entry *e = o->groups.first; e; e = e->next) {
		uint32_t *id, n;

		if (!e->in_force || !e->n_links)
			continue;
		n = group_links(&e->spec, &id);
		qsort(id, n, sizeof *id, by_number);
		for (uint32_t i = 0; i < n; i++) {
			struct group_entry *to = in_force(o, id[i]);

			if (to && (!i || id[i] != id[i - 1]))
				to->links++;
		}
		free(id);
	}
}

static int see(struct ofproto *o, const struct group_entry *e, struct group_visit *v)
{
	unsigned n = e->spec.n_buckets;
	struct group_counters *c = mem_new((n + 1) * sizeof *c);
	bool *live = mem_new(n + 1);
	struct group_stats stats = {.refs = e->refs + e->links,
				    .duration_ns = ofproto_now(o) - e->created_ns,
				    .bucket = c + 1,
				    .live = live};
	int stop;

	for (unsigned i = 0; i <= n; i++) {
		c[i] = counters_of(o, e->counter[i]);
		c[i].packets -= e->base[i].packets;
		c[i].bytes -= e->base[i].bytes;
	}
	for (unsigned i = 0; i < n; i++)
		live[i] = group_bucket_live(&o->dp, &e->group->bucket[i]);
	stats.total = c[0];
	stop = v->group(v, &e->spec, &stats);
	free(c);
	free(live);
	return stop;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = (*(struct group_entry *const *)a)->spec.id;
	uint32_t y = (*(struct group_entry *const *)b)->spec.id;

	return (x > y) - (x < y);
}

void ofproto_groups(struct ofproto *o, uint32_t id, struct group_visit *v)
{
	struct group_entry **list, *e;
	size_t n = 0;

	count_links(o);
	if (id != OFPG_ALL) {
		e = in_force(o, id);
		if (e)
			see(o, e, v);
		return;
	}
	for (e = o->groups.first; e; e = e->next)
		n += e->in_force;
	list = mem_new(MAX(n, (size_t)1) * sizeof(struct group_entry *));
	n = 0;
	for (e = o->groups.first; e; e = e->next)
		if (e->in_force)
			list[n++] = e;
	qsort(list, n, sizeof(struct group_entry *), by_id);
	for (size_t i = 0; i < n && !see(o, list[i], v); i++)
		;
	free(list);
}

const struct group_spec *ofproto_group(const struct ofproto *o, uint32_t id, uint32_t *refs)
{
	const struct group_entry *e = group_entry_find(o, id);

	if (refs)
		*refs = e ? e->refs : 0;
	return e ? &e->spec : NULL;
}

struct group_totals ofproto_group_totals(const struct ofproto *o)
{
	return (struct group_totals){o->groups.n_staged, o->groups.n_buckets,
				     (uint32_t)o->groups.n_slots, o->groups.n_refused};
}
