/* SPDX-License-Identifier: Apache-2.0 */
/* What sets are, and what is in them, for whoever asks. */
#include "ofproto/sets.h"

#include <stdlib.h>

#include "ofproto/state.h"

static void state_of(const struct set_entry *e, struct set_state *state)
{
	const char *spec = strchr(e->text, '\n');

	*state = (struct set_state){
		.name = e->set->name,
		.spec = spec ? spec + 1 : "",
		.type = e->set->type,
		.flags = e->set->flags,
		.n = set_table_n(e->set->table),
		.max = e->set->max,
		.octets = set_table_octets(e->set->table),
		.timeout_ms = e->set->timeout_ms,
		.n_full = e->n_full,
		.n_kept_out = e->n_kept_out,
		.protects = e->set->protects,
	};
}

bool ofproto_set_state(struct ofproto *o, const char *name, struct set_state *state)
{
	struct set_entry *e = set_entry_find(o, name);

	if (e)
		state_of(e, state);
	return e;
}

static int by_name(const void *a, const void *b)
{
	const struct set_entry *const *x = a, *const *y = b;

	return strcmp((*x)->set->name, (*y)->set->name);
}

void ofproto_sets(struct ofproto *o, struct set_visit *v)
{
	struct set_entry *list[SETS_MAX];
	struct set_state state;
	unsigned n = 0;

	for (unsigned i = 0; i < SETS_MAX; i++)
		if (o->sets.entry[i] && !o->sets.entry[i]->leaving)
			list[n++] = o->sets.entry[i];
	qsort(list, n, sizeof list[0], by_name);
	for (unsigned i = 0; i < n; i++) {
		state_of(list[i], &state);
		v->set(v, &state);
	}
}

void ofproto_set_members(struct ofproto *o, const char *name, struct set_visit *v)
{
	struct set_entry *e = set_entry_find(o, name);
	uint64_t now_ms = ofproto_now_ms(o);
	struct set_cursor c = {0};
	struct set_member m;

	while (e && set_table_next(e->set->table, &c, &m))
		if (m.ends_ms > now_ms)
			v->member(v, &m);
}

int ofproto_set_test(struct ofproto *o, const char *name, const char *member, bool *in,
		     struct refusal *r)
{
	struct set_entry *e = set_entry_get(o, name, r);
	const struct set_ask ask = {.now_ms = ofproto_now_ms(o)};
	struct set_key key;

	if (!e)
		return -EINVAL;
	if (set_key_parse(e->set->type, member, strlen(member), &key))
		return refuse(r, BAD_VALUE, "member",
			      "'%.60s' is no member of %s, whose type is %s", member, name,
			      set_type_names[e->set->type]);
	if (!strchr(member, '/')) {
		*in = set_table_has(e->set->table, &key, &ask);
		return 0;
	}
	/* A lookup asks for hosts: a prefix is in what is as wide, or wider. */
	while (!(*in = set_has(o, e->set, &key)) && key.len) {
		key.len--;
		set_key_cut(e->set->type, &key);
	}
	return 0;
}

bool ofproto_set_member(struct ofproto *o, const char *name, const char *member,
			struct set_member *m)
{
	struct set_entry *e = set_entry_find(o, name);
	struct set_key key;

	return e && !set_key_parse(e->set->type, member, strcspn(member, ","), &key) &&
	       set_table_get(e->set->table, &key, m) && m->ends_ms > ofproto_now_ms(o);
}

uint64_t ofproto_sets_lost(const struct ofproto *o)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < o->dp.n_workers; i++)
		n += counter_read(&o->dp.worker[i]->sets_lost);
	return n;
}
