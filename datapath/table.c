/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of one mask and one value stand in a chain, best first: `next` leads to lower precedence,
 * and the subtable's hash holds the first.  A replaced rule and its successor are both in it, with
 * visibilities that exclude each other.  Inserting walks the chain, so it costs O(rules with
 * this very mask and value); that is two or three where rules are replaced, and may be some
 * thousands (of different priorities) before it is felt. */
#include "datapath/table.h"

#include <stdlib.h>

#include "datapath/subtable.h"

const char *const origin_names[N_ORIGINS + 1] = {"cli",     "bgp",        "watch",
						 "request", "controller", NULL};

struct table {
	struct subtables masks;
	unsigned n_rules;      /* read by workers: an empty table is skipped */
	struct shapes *shapes; /* NULL: nobody wants to know */
};

struct table *table_create(void)
{
	struct table *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	subtables_init(&t->masks);
	return t;
}

void table_share(struct table *t, struct shapes *shapes)
{
	t->shapes = shapes;
}

/* What a rule looks at comes into the union, or leaves it. */
static void shape_rule(struct table *t, const struct rule *r,
		       void (*change)(struct shapes *, const struct key *))
{
	const struct subtable *s = r->subtable;
	struct key mask;

	if (!t->shapes)
		return;
	conds_mask(r->conds, r->n_conds, &mask);
	for (unsigned i = 0; i < s->n_words; i++)
		((uint64_t *)&mask)[s->at[i]] |= s->mask[i];
	change(t->shapes, &mask);
}

static struct rule *rule_of(struct rmap_node *node)
{
	return container_of(node, struct rule, node);
}

void table_destroy(struct table *t)
{
	const struct subtable_list *l;

	if (!t)
		return;
	l = t->masks.list;
	for (unsigned i = 0; i < l->n; i++) {
		struct rmap_node *node;
		uint32_t position = 0;

		while ((node = rmap_each(&l->slot[i].subtable->map, &position))) {
			struct rule *next;

			for (struct rule *r = rule_of(node); r; r = next) {
				next = r->next;
				shape_rule(t, r, shapes_remove);
				rule_destroy(r);
			}
		}
	}
	subtables_destroy(&t->masks);
	free(t);
}

struct rule *rule_create(const struct match *m, int32_t priority, uint32_t id,
			 struct program *program)
{
	uint64_t words = match_words(m);
	size_t n = (size_t)__builtin_popcountll(words), conds = m->n_conds * sizeof m->cond[0];
	struct rule *r = calloc(1, sizeof *r + n * sizeof r->value[0] + conds);

	if (!r)
		abort();
	r->id = id;
	r->priority = priority;
	r->remove_version = VERSION_NEVER;
	r->program = program;
	match_pack(m, words, r->value);
	r->n_conds = (uint8_t)m->n_conds;
	if (conds)
		r->conds = memcpy(r->value + n, m->cond, conds);
	return r;
}

void rule_destroy(struct rule *r)
{
	program_free(r->program);
	free(r);
}

/* Whether `a` goes before `b`: priority, then age; ids make it total. */
static bool rule_beats(const struct rule *a, const struct rule *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->add_version != b->add_version)
		return a->add_version < b->add_version;
	return a->id < b->id;
}

/* The chain for a value, or NULL. */
static struct rule *chain_find(const struct subtable *s, const uint64_t *value, uint32_t hash)
{
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &s->map, hash)
		if (subtable_equal(s, rule_of(n)->value, value))
			return rule_of(n);
	return NULL;
}

void table_insert(struct table *t, struct rule *r, const struct match *m)
{
	struct subtable *s = subtables_get(&t->masks, m);
	uint32_t hash = subtable_hash(s, r->value);
	struct rule *head = chain_find(s, r->value, hash);

	r->subtable = s;
	r->node.hash = hash;
	shape_rule(t, r, shapes_add);
	if (r->priority > s->bound)
		subtables_bound(&t->masks, s, r->priority);
	if (!head) {
		r->next = NULL;
		rmap_insert(&s->map, &r->node, hash);
	} else if (rule_beats(r, head)) {
		r->next = head;
		rmap_replace(&s->map, &head->node, &r->node);
	} else {
		struct rule **at = &head->next;

		while (*at && rule_beats(*at, r))
			at = &(*at)->next;
		r->next = *at;
		rcu_set(*at, r);
	}
	s->n++;
	__atomic_store_n(&t->n_rules, t->n_rules + 1, __ATOMIC_RELEASE);
}

/* The highest priority in a subtable: the heads of its chains know. */
static int64_t bound_of(const struct subtable *s)
{
	int64_t bound = INT64_MIN;
	struct rmap_node *node;
	uint32_t position = 0;

	while ((node = rmap_each(&s->map, &position)))
		bound = MAX(bound, rule_of(node)->priority);
	return bound;
}

void table_remove(struct table *t, struct rule *r)
{
	struct subtable *s = r->subtable;
	struct rule *head = chain_find(s, r->value, r->node.hash);

	shape_rule(t, r, shapes_remove);
	if (head != r) {
		struct rule **at = &head->next;

		while (*at != r)
			at = &(*at)->next;
		rcu_set(*at, r->next);
	} else if (r->next) {
		rmap_replace(&s->map, &r->node, &r->next->node);
	} else {
		rmap_remove(&s->map, &r->node);
	}
	__atomic_store_n(&t->n_rules, t->n_rules - 1, __ATOMIC_RELEASE);
	if (!--s->n)
		subtables_drop(&t->masks, s);
	else if (subtable_entry_ended(s))
		subtables_bound(&t->masks, s, bound_of(s));
}

static bool rule_met(const struct rule *r, struct probe *s)
{
	return rule_visible(r, s->version) && (!r->n_conds || conds_hold(r->conds, r->n_conds, s));
}

const struct rule *table_lookup(const struct table *t, struct probe *probe)
{
	const struct subtable_list *l = rcu_get(t->masks.list);
	const struct rule *best = NULL;
	uint64_t value[KEY_WORDS];

	for (unsigned i = 0; i < l->n; i++) {
		const struct subtable *s = l->slot[i].subtable;
		const struct rule *r;

		if (best && l->slot[i].bound < best->priority)
			break;
		r = chain_find(s, value, subtable_mask(s, &probe->key, value));
		while (r && !rule_met(r, probe))
			r = rcu_get(r->next);
		if (r && (!best || rule_beats(r, best)))
			best = r;
	}
	return best;
}

static bool rule_hits(const struct rule *r, const struct key_view *key)
{
	const struct subtable *s = r->subtable;

	for (unsigned i = 0; i < s->n_words; i++)
		if ((key_word(key, s->at[i]) & s->mask[i]) != r->value[i])
			return false;
	return true;
}

const struct rule *table_lookup_linear(const struct table *t, struct probe *s)
{
	const struct subtable_list *l = rcu_get(t->masks.list);
	const struct rule *best = NULL;

	for (unsigned i = 0; i < l->n; i++) {
		struct rmap_node *node;
		uint32_t position = 0;

		while ((node = rmap_each(&l->slot[i].subtable->map, &position)))
			for (const struct rule *r = rule_of(node); r; r = rcu_get(r->next))
				if (rule_hits(r, &s->key) && rule_met(r, s) &&
				    (!best || rule_beats(r, best)))
					best = r;
	}
	return best;
}

unsigned table_n_rules(const struct table *t)
{
	return __atomic_load_n(&t->n_rules, __ATOMIC_ACQUIRE);
}

unsigned table_n_masks(const struct table *t)
{
	return rcu_get(t->masks.list)->n;
}

bool rule_is_miss(const struct rule *r)
{
	return !r->priority && !r->subtable->n_words;
}
