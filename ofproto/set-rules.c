/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/set-rules.h"

#include "ofproto/admit.h"
#include "ofproto/forged.h"
#include "ofproto/state.h"

bool cond_asks_set(const struct cond *c)
{
	return (c->kind == COND_SET || c->kind == COND_SET_PAIR) && !(c->flags & COND_NEGATED);
}

static bool asks(const struct match *m)
{
	for (unsigned i = 0; i < m->n_conds; i++)
		if (cond_asks_set(&m->cond[i]))
			return true;
	return false;
}

const struct flow *set_denier(struct ofproto *o, uint64_t set)
{
	for (const struct entry_node *n = o->flows.askers; n; n = n->next) {
		const struct flow *f = &container_of(n, struct entry, asks)->flow;

		for (unsigned i = 0; i < f->match.n_conds; i++)
			if (cond_asks_set(&f->match.cond[i]) && f->match.cond[i].set == set &&
			    admit_denies(o, f))
				return f;
	}
	return NULL;
}

static void add(struct entry_node **first, struct entry_node *n)
{
	n->next = *first;
	n->link = first;
	if (n->next)
		n->next->link = &n->next;
	*first = n;
}

static void take(struct entry_node *n)
{
	if (!n->link)
		return;
	*n->link = n->next;
	if (n->next)
		n->next->link = n->link;
	n->link = NULL;
}

void set_rules_add(struct ofproto *o, struct entry *e)
{
	if (asks(&e->flow.match))
		add(&o->flows.askers, &e->asks);
	if (forged_feeds(&e->flow.instructions))
		add(&o->flows.feeders, &e->feeds);
}

void set_rules_remove(struct entry *e)
{
	take(&e->asks);
	take(&e->feeds);
}
