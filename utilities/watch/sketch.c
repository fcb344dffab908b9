/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/sketch.h"

#include <math.h>
#include <stdlib.h>

static void *must_calloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		abort();
	return p;
}

void space_saving_init(struct space_saving *s, uint32_t n_slots)
{
	s->n_sets = n_slots / SPACE_WAYS;
	s->tag = aligned_alloc(CACHE_LINE, n_slots * sizeof *s->tag);
	if (!s->tag)
		abort();
	memset(s->tag, 0, n_slots * sizeof *s->tag);
	s->weight = must_calloc(n_slots, sizeof *s->weight);
	s->pinned = must_calloc(n_slots, sizeof *s->pinned);
}

void space_saving_free(struct space_saving *s)
{
	free(s->tag);
	free(s->weight);
	free(s->pinned);
}

static uint32_t set_of(const struct space_saving *s, uint64_t hash)
{
	return (uint32_t)(hash >> 32 & (s->n_sets - 1)) * SPACE_WAYS;
}

int space_saving_find(const struct space_saving *s, uint64_t hash)
{
	uint32_t base = set_of(s, hash);

	for (unsigned way = 0; way < SPACE_WAYS; way++)
		if (s->tag[base + way] == hash)
			return (int)(base + way);
	return -1;
}

/* The slot that a new key gets: a free one, else the lightest; -1: all are pinned. */
static int victim(const struct space_saving *s, uint64_t hash)
{
	uint32_t base = set_of(s, hash);
	int found = -1;

	for (uint32_t i = base; i < base + SPACE_WAYS; i++) {
		if (!s->tag[i])
			return (int)i;
		if (!s->pinned[i] && (found < 0 || s->weight[i] < s->weight[found]))
			found = (int)i;
	}
	return found;
}

int space_saving_add(struct space_saving *s, uint64_t hash, float weight, bool *fresh)
{
	int slot = space_saving_find(s, hash);

	*fresh = slot < 0;
	if (*fresh) {
		slot = victim(s, hash);
		if (slot < 0)
			return -1;
		s->tag[slot] = hash;
	}
	s->weight[slot] += weight;
	return slot;
}

float space_saving_least(const struct space_saving *s, uint64_t hash)
{
	int slot = victim(s, hash);

	if (slot < 0)
		return HUGE_VALF;
	return s->tag[slot] ? s->weight[slot] : 0;
}

void space_saving_decay(struct space_saving *s, float factor)
{
	for (uint32_t i = 0; i < space_saving_slots(s); i++)
		s->weight[i] *= factor;
}

size_t space_saving_memory(const struct space_saving *s)
{
	return space_saving_slots(s) * (sizeof *s->tag + sizeof *s->weight + sizeof *s->pinned);
}

void count_min_init(struct count_min *c, uint32_t n_columns)
{
	c->n_columns = n_columns;
	c->cell = must_calloc((size_t)n_columns * COUNT_MIN_ROWS, sizeof *c->cell);
}

void count_min_free(struct count_min *c)
{
	free(c->cell);
}

/* Row hashes out of one (Kirsch, Mitzenmacher 2006). */
static uint32_t *cell_of(const struct count_min *c, uint64_t hash, unsigned row)
{
	uint32_t column = (uint32_t)hash + row * ((uint32_t)(hash >> 32) | 1);

	return &c->cell[(size_t)row * c->n_columns + (column & (c->n_columns - 1))];
}

uint32_t count_min_read(const struct count_min *c, uint64_t hash)
{
	uint32_t least = UINT32_MAX;

	for (unsigned row = 0; row < COUNT_MIN_ROWS; row++)
		least = MIN(least, *cell_of(c, hash, row));
	return least;
}

uint32_t count_min_add(struct count_min *c, uint64_t hash, uint32_t weight)
{
	uint32_t least = count_min_read(c, hash), sum;

	if (__builtin_add_overflow(least, weight, &sum))
		sum = UINT32_MAX;
	for (unsigned row = 0; row < COUNT_MIN_ROWS; row++) {
		uint32_t *cell = cell_of(c, hash, row);

		*cell = MAX(*cell, sum);
	}
	return sum;
}

void count_min_decay(struct count_min *c)
{
	for (size_t i = 0; i < (size_t)c->n_columns * COUNT_MIN_ROWS; i++)
		c->cell[i] -= c->cell[i] / 8 + (c->cell[i] != 0);
}

size_t count_min_memory(const struct count_min *c)
{
	return (size_t)c->n_columns * COUNT_MIN_ROWS * sizeof *c->cell;
}

double distinct_count(const struct distinct *d)
{
	const double m = DISTINCT_REGISTERS, alpha = 0.7213 / (1 + 1.079 / m);
	double sum = 0;
	unsigned empty = 0;

	for (unsigned i = 0; i < DISTINCT_REGISTERS; i++) {
		sum += ldexp(1, -d->rank[i]);
		empty += !d->rank[i];
	}
	if (empty && alpha * m * m / sum <= 2.5 * m)
		return m * log(m / empty);
	return alpha * m * m / sum;
}
