/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/subtable.h"

#include <stdlib.h>

static struct subtable_list no_list;

static void *allocate(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

static struct subtable_list *list_new(unsigned n)
{
	struct subtable_list *l = allocate(sizeof *l + n * sizeof l->slot[0]);

	l->n = n;
	return l;
}

static void list_publish(struct subtables *s, struct subtable_list *fresh)
{
	struct subtable_list *old = s->list;

	rcu_set(s->list, fresh);
	if (old != &no_list)
		rcu_free(old);
}

void subtables_init(struct subtables *s)
{
	s->list = &no_list;
}

static void subtable_free(struct rcu_head *head)
{
	struct subtable *t = container_of(head, struct subtable, rcu);

	rmap_destroy(&t->map);
	free(t);
}

void subtables_destroy(struct subtables *s)
{
	for (unsigned i = 0; i < s->list->n; i++)
		subtable_free(&s->list->slot[i].subtable->rcu);
	list_publish(s, &no_list);
}

uint64_t match_words(const struct match *m)
{
	uint64_t words = 0;

	for (unsigned i = 0; i < KEY_WORDS; i++)
		if (MATCH_WORD(&m->mask, i))
			words |= 1ull << i;
	return words;
}

void match_pack(const struct match *m, uint64_t words, uint64_t *value)
{
	for (; words; words &= words - 1) {
		unsigned i = (unsigned)__builtin_ctzll(words);

		*value++ = MATCH_WORD(&m->value, i) & MATCH_WORD(&m->mask, i);
	}
}

static bool mask_is(const struct subtable *t, const struct match *m)
{
	for (unsigned i = 0; i < t->n_words; i++)
		if (t->mask[i] != MATCH_WORD(&m->mask, t->at[i]))
			return false;
	return true;
}

struct subtable *subtables_find(const struct subtables *s, const struct match *m)
{
	uint64_t words = match_words(m);

	for (unsigned i = 0; i < s->list->n; i++) {
		struct subtable *t = s->list->slot[i].subtable;

		if (t->words == words && mask_is(t, m))
			return t;
	}
	return NULL;
}

/* A new list with `t` at its place by bound, whether or not it was in the old one. */
static void list_place(struct subtables *s, struct subtable *t, bool was_in)
{
	const struct subtable_list *old = s->list;
	struct subtable_list *fresh = list_new(old->n + !was_in);
	bool placed = false;
	unsigned n = 0;

	for (unsigned i = 0; i < old->n; i++) {
		struct subtable *other = old->slot[i].subtable;

		if (other == t)
			continue;
		if (!placed && t->bound > other->bound) {
			fresh->slot[n++] = (struct subtable_slot){t->bound, t};
			placed = true;
		}
		fresh->slot[n++] = old->slot[i];
	}
	if (!placed)
		fresh->slot[n] = (struct subtable_slot){t->bound, t};
	list_publish(s, fresh);
}

struct subtable *subtables_get(struct subtables *s, const struct match *m)
{
	struct subtable *t = subtables_find(s, m);
	uint64_t words = match_words(m);

	if (t)
		return t;
	t = allocate(sizeof *t + (size_t)__builtin_popcountll(words) * sizeof t->mask[0]);
	rmap_init(&t->map);
	t->bound = INT64_MIN;
	t->words = words;
	for (; words; words &= words - 1) {
		t->at[t->n_words] = (uint8_t)__builtin_ctzll(words);
		t->mask[t->n_words] = MATCH_WORD(&m->mask, t->at[t->n_words]);
		t->n_words++;
	}
	list_place(s, t, false);
	return t;
}

void subtables_bound(struct subtables *s, struct subtable *t, int64_t bound)
{
	t->n_ended = 0;
	if (t->bound == bound)
		return;
	t->bound = bound;
	list_place(s, t, true);
}

void subtables_drop(struct subtables *s, struct subtable *t)
{
	const struct subtable_list *old = s->list;
	struct subtable_list *fresh = list_new(old->n - 1);
	unsigned n = 0;

	for (unsigned i = 0; i < old->n; i++)
		if (old->slot[i].subtable != t)
			fresh->slot[n++] = old->slot[i];
	list_publish(s, fresh);
	rcu_defer(&t->rcu, subtable_free);
}

bool subtable_entry_ended(struct subtable *t)
{
	return ++t->n_ended >= t->n;
}
