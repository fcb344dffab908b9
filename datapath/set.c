/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/set.h"

#include <errno.h>
#include <stdlib.h>

#include "datapath/datapath.h"

const struct set_names *set_names;

struct set *set_create(enum set_type type, unsigned flags)
{
	struct set *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->type = type;
	s->flags = (uint8_t)flags;
	s->max = SET_MEMBERS;
	s->table = set_table_create(type, flags, 0);
	if (s->table)
		return s;
	free(s);
	return NULL;
}

void set_destroy(struct set *s)
{
	set_table_free(s->table);
	free(s);
}

/* The same members in another table.  Packets that are counted in the old one until nobody reads it
 * are added to the new one's. */
static void move_to(struct set *s, struct set_table *fresh)
{
	struct set_table *old = s->table;

	rcu_set(s->table, fresh);
	if (!(s->flags & SET_COUNTERS)) {
		rcu_free(old);
		return;
	}
	rcu_wait();
	set_table_add_counts(fresh, old);
	set_table_free(old);
}

void set_replace(struct set *s, struct set_table *fresh)
{
	struct set_table *old = s->table;

	rcu_set(s->table, fresh);
	rcu_free(old);
}

void set_tidy(struct set *s, uint64_t now_ms)
{
	struct set_table *fresh;

	if (!set_table_is_loose(s->table))
		return;
	fresh = set_table_copy(s->table, false, now_ms);
	if (fresh && set_table_octets(fresh) < set_table_octets(s->table))
		move_to(s, fresh);
	else
		set_table_free(fresh);
}

int set_put(struct set *s, const struct set_member *m, uint64_t now_ms)
{
	struct set_member was;
	bool there = set_table_get(s->table, &m->key, &was);
	int put;

	if (there && was.ends_ms <= now_ms) /* it ended: this is another one */
		there = !set_table_del(s->table, &m->key);
	if (!there && set_table_n(s->table) >= s->max)
		return -ENOSPC;
	put = set_table_put(s->table, m);
	if (put == -ENOSPC) {
		struct set_table *fresh = set_table_copy(s->table, true, now_ms);

		if (!fresh)
			return -ENOMEM;
		put = set_table_put(fresh, m);
		move_to(s, fresh);
	}
	return put == -ENOSPC ? -ENOMEM : put;
}

struct set *set_get(const struct datapath *dp, uint64_t id)
{
	struct set *s = rcu_get(dp->set[id % SETS_MAX]);

	return s && s->id == id ? s : NULL;
}

void sets_changed(struct datapath *dp)
{
	rcu_set(dp->sets_gen, dp->sets_gen + 1);
}
