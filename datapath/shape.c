/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/shape.h"

#include <stdlib.h>

#include "lib/rcu.h"

static uint64_t mask_word(const struct key *mask, unsigned i)
{
	return ((const uint64_t *)mask)[i];
}

static void *allocate(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

static void publish(struct shapes *s)
{
	struct key_shape *old = s->published, *fresh = allocate(sizeof *fresh);

	fresh->gen = ++s->gen;
	for (unsigned i = 0; i < KEY_WORDS; i++) {
		uint64_t mask = 0;

		for (unsigned bit = 0; bit < 64; bit++)
			if (s->users[i][bit])
				mask |= 1ull << bit;
		if (!mask)
			continue;
		fresh->at[fresh->n_words] = (uint8_t)i;
		fresh->mask[fresh->n_words++] = mask;
	}
	memcpy(fresh->prefixes, s->prefixes, sizeof fresh->prefixes);
	rcu_set(s->published, fresh);
	rcu_free(old);
}

static void new_prefixes(struct shapes *s)
{
	for (unsigned i = 0; i < N_ADDRESSES; i++)
		s->prefixes[i] = allocate(sizeof *s->prefixes[i]);
}

void shapes_init(struct shapes *s)
{
	*s = (struct shapes){0};
	new_prefixes(s);
	publish(s);
}

void shapes_destroy(struct shapes *s)
{
	for (unsigned i = 0; i < N_ADDRESSES; i++)
		rcu_free(s->prefixes[i]);
	rcu_free(s->published);
	*s = (struct shapes){0};
}

void shapes_prefixes_add(struct shapes *s, const struct rule_look *l)
{
	for (unsigned i = 0; i < N_ADDRESSES; i++)
		if (l->all[i])
			prefixes_add_all(s->prefixes[i]);
		else
			prefixes_add(s->prefixes[i], (const uint8_t *)&l->value + address_at[i],
				     (const uint8_t *)&l->mask + address_at[i]);
}

void shapes_add(struct shapes *s, const struct rule_look *l)
{
	bool grows = false;

	shapes_prefixes_add(s, l);
	s->n_rules++;
	for (unsigned i = 0; i < KEY_WORDS; i++)
		for (uint64_t left = mask_word(&l->mask, i); left; left &= left - 1)
			grows |= !s->users[i][__builtin_ctzll(left)]++;
	if (grows)
		publish(s);
}

void shapes_remove(struct shapes *s, const struct rule_look *l)
{
	bool shrinks = false;

	s->n_rules--;
	s->n_gone++;
	for (unsigned i = 0; i < KEY_WORDS; i++)
		for (uint64_t left = mask_word(&l->mask, i); left; left &= left - 1)
			shrinks |= !--s->users[i][__builtin_ctzll(left)];
	if (shrinks)
		publish(s);
}

bool shapes_grown_old(const struct shapes *s)
{
	return s->n_gone > s->n_rules;
}

void shapes_prefixes_begin(struct shapes *s)
{
	memcpy(s->old_prefixes, s->prefixes, sizeof s->old_prefixes);
	new_prefixes(s);
}

void shapes_prefixes_end(struct shapes *s)
{
	s->n_gone = 0;
	publish(s);
	for (unsigned i = 0; i < N_ADDRESSES; i++)
		rcu_free(s->old_prefixes[i]);
}

static void rule_look_at_field(struct rule_look *l, unsigned id)
{
	if (id >= N_FIELDS)
		return;
	memset((uint8_t *)&l->mask + fields[id].off, 0xff, fields[id].size);
	for (unsigned i = 0; i < N_ADDRESSES; i++)
		l->all[i] |= fields[id].off < address_at[i] + PREFIX_OCTETS &&
			     address_at[i] < fields[id].off + fields[id].size;
}

void rule_look_at_conds(struct rule_look *l, const struct cond *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		rule_look_at_field(l, c[i].field);
		rule_look_at_field(l, c[i].field2);
	}
}
