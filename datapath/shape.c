/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/shape.h"

#include <stdlib.h>

#include "lib/rcu.h"

static uint64_t mask_word(const struct key *mask, unsigned i)
{
	return ((const uint64_t *)mask)[i];
}

static void publish(struct shapes *s)
{
	struct key_shape *old = s->published, *fresh = calloc(1, sizeof *fresh);

	if (!fresh)
		abort();
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
	rcu_set(s->published, fresh);
	rcu_free(old);
}

void shapes_init(struct shapes *s)
{
	*s = (struct shapes){0};
	publish(s);
}

void shapes_destroy(struct shapes *s)
{
	rcu_free(s->published);
	s->published = NULL;
}

void shapes_add(struct shapes *s, const struct key *mask)
{
	bool grows = false;

	for (unsigned i = 0; i < KEY_WORDS; i++)
		for (uint64_t left = mask_word(mask, i); left; left &= left - 1)
			grows |= !s->users[i][__builtin_ctzll(left)]++;
	if (grows)
		publish(s);
}

void shapes_remove(struct shapes *s, const struct key *mask)
{
	bool shrinks = false;

	for (unsigned i = 0; i < KEY_WORDS; i++)
		for (uint64_t left = mask_word(mask, i); left; left &= left - 1)
			shrinks |= !--s->users[i][__builtin_ctzll(left)];
	if (shrinks)
		publish(s);
}

static void add_field(unsigned id, struct key *mask)
{
	if (id < N_FIELDS)
		memset((uint8_t *)mask + fields[id].off, 0xff, fields[id].size);
}

void conds_mask(const struct cond *c, unsigned n, struct key *mask)
{
	*mask = (struct key){0};
	for (unsigned i = 0; i < n; i++) {
		add_field(c[i].field, mask);
		add_field(c[i].field2, mask);
	}
}
