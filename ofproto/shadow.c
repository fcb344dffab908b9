/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/shadow.h"

#include "ofproto/memory.h"
#include "ofproto/state.h"

static bool can_shadow(const struct ofproto *o, const struct entry *e)
{
	const struct program *p = e->flow.rule->program;

	return entry_in_force(o, e) && !(p->flags & PROGRAM_DROPS);
}

static int by_rank(const void *a, const void *b)
{
	const struct rule *x = ((const struct shadow *)a)->rule;
	const struct rule *y = ((const struct shadow *)b)->rule;

	if (x->table != y->table)
		return x->table == TABLE_GUARD ? -1 : 1;
	return (x->priority < y->priority) - (x->priority > y->priority);
}

static void gather(struct ofproto *o, struct shadows *s)
{
	static const uint8_t tables[] = {TABLE_GUARD, 0};

	s->known = true;
	s->shadow = mem_new(SHADOWS_MAX * sizeof *s->shadow);
	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++)
		for (struct entry *e = o->flows.table[tables[i]]; e; e = e->next) {
			if (!can_shadow(o, e))
				continue;
			if (s->n == SHADOWS_MAX) {
				s->n = 0;
				return;
			}
			s->shadow[s->n].rule = e->flow.rule;
			match_project_early(&e->flow.match, &s->shadow[s->n++].projected);
		}
	qsort(s->shadow, s->n, sizeof *s->shadow, by_rank);
}

uint32_t shadow_of(struct ofproto *o, struct shadows *s, const struct entry *e)
{
	const struct rule *r = e->flow.rule;

	if (!r->early)
		return RULE_NONE;
	if (!s->known)
		gather(o, s);
	for (unsigned i = 0; i < s->n; i++) {
		const struct rule *by = s->shadow[i].rule;

		/* What goes on from the guard leaves table 0 to itself. */
		if (by->table == r->table
			    ? by->priority > r->priority
			    : by->table == TABLE_GUARD && !rcu_get(by->program)->has_goto)
			if (match_covers(&s->shadow[i].projected, &e->flow.match))
				return by->id;
	}
	return RULE_NONE;
}

/* ---- Hidden rules ---- */

static int by_priority(const void *a, const void *b)
{
	int32_t x = (*(const struct entry *const *)a)->flow.rule->priority;
	int32_t y = (*(const struct entry *const *)b)->flow.rule->priority;

	return (x < y) - (x > y);
}

static void gather_hiders(struct ofproto *o, struct hiders *h, uint8_t table)
{
	*h = (struct hiders){.known = true, .table = table};
	for (struct entry *e = o->flows.table[table]; e; e = e->next) {
		if (!entry_in_force(o, e))
			continue;
		if (h->n == SHADOWS_MAX) {
			h->n = 0;
			return;
		}
		h->entry[h->n++] = e;
	}
	if (h->n)
		qsort(h->entry, h->n, sizeof h->entry[0], by_priority);
}

static const struct entry *hider_here(const struct hiders *h, const struct entry *e)
{
	for (unsigned i = 0; i < h->n; i++) {
		const struct entry *by = h->entry[i];

		if (by->flow.rule->priority <= e->flow.rule->priority)
			return NULL;
		if (match_covers(&by->flow.match, &e->flow.match))
			return by;
	}
	return NULL;
}

/* What a higher rule of the guard sends on to table 0, no lower one of the guard takes. */
static const struct entry *hider_in_guard(const struct hiders *h, const struct entry *e)
{
	for (unsigned i = 0; i < h->n; i++) {
		const struct entry *by = h->entry[i];

		if (by->flow.rule->program->has_goto) {
			if (match_overlaps(&by->flow.match, &e->flow.match))
				return NULL;
		} else if (match_covers(&by->flow.match, &e->flow.match)) {
			return by;
		}
	}
	return NULL;
}

uint32_t hider_of(struct ofproto *o, struct shadows *s, const struct entry *e)
{
	const struct entry *by = NULL;

	if (!s->same.known || s->same.table != e->flow.table)
		gather_hiders(o, &s->same, e->flow.table);
	if (!s->same.n)
		return RULE_NONE;
	if (!s->guard.known)
		gather_hiders(o, &s->guard, TABLE_GUARD);
	if (!e->flow.table)
		by = hider_in_guard(&s->guard, e);
	if (!by)
		by = hider_here(&s->same, e);
	return by ? by->flow.rule_id : RULE_NONE;
}

void shadows_free(struct shadows *s)
{
	free(s->shadow);
}
