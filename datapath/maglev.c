/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/maglev.h"

#include <stdlib.h>

#include "lib/hash.h"

/* Whose turn it is: the backend with the least `due`; equal ones by their seed, lest the order of
 * the list matter. */
struct turn {
	uint64_t due, every; /* a weight of 1 is due every 2^40 */
	uint64_t seed;
	uint32_t next; /* in its permutation */
	uint16_t backend;
};

/* How many backends each size is for. */
static const struct {
	uint32_t slots;
	unsigned backends;
} sizes[] = {{16381, 12}, {65521, 256}, {MAGLEV_SLOTS_MAX, MAGLEV_BACKENDS}};

bool maglev_fits(uint32_t size, const struct maglev_backend *backend, unsigned n)
{
	uint64_t sum = 0, least = UINT64_MAX;
	unsigned i = 0;

	while (i < ARRAY_SIZE(sizes) && sizes[i].slots != size)
		i++;
	if (i == ARRAY_SIZE(sizes) || n > sizes[i].backends)
		return false;
	for (i = 0; i < n; i++) {
		sum += backend[i].weight;
		if (backend[i].weight)
			least = MIN(least, backend[i].weight);
	}
	return !sum || least * size >= sum;
}

uint32_t maglev_size(const struct maglev_backend *backend, unsigned n)
{
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		if (maglev_fits(sizes[i].slots, backend, n))
			return sizes[i].slots;
	return 0;
}

static bool before(const struct turn *a, const struct turn *b)
{
	return a->due != b->due ? a->due < b->due : a->seed < b->seed;
}

static void sift_down(struct turn *heap, unsigned n, unsigned at)
{
	struct turn t = heap[at];

	for (;;) {
		unsigned child = 2 * at + 1;

		if (child >= n)
			break;
		if (child + 1 < n && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &t))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = t;
}

static uint32_t scramble(uint64_t seed, unsigned round, uint32_t half)
{
	return (uint32_t)(((seed >> 8 * round ^ half) * 0x9e3779b97f4a7c15ull) >> 36);
}

/* The k-th slot of a backend's permutation: a Feistel network over the numbers of so many bits,
 * walked until it is below the size.  The paper's own permutations are arithmetic progressions; two
 * whose steps are alike collide all along, and then several per cent move. */
static uint32_t permute(uint64_t seed, unsigned bits, uint32_t size, uint32_t k)
{
	unsigned low = bits / 2;
	uint32_t low_mask = (1u << low) - 1, high_mask = (1u << (bits - low)) - 1;

	do {
		uint32_t l = k & low_mask, h = k >> low;

		for (unsigned round = 0; round < 4; round += 2) {
			h ^= scramble(seed, round, l) & high_mask;
			l ^= scramble(seed, round + 1, h) & low_mask;
		}
		k = h << low | l;
	} while (k >= size);
	return k;
}

/* The k-th turn of a weight is due at (k + 1/2) / weight. */
static unsigned take_seats(struct turn *heap, const struct maglev_backend *b, unsigned n)
{
	unsigned seats = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t every;

		if (!b[i].weight)
			continue;
		every = (1ull << 40) / b[i].weight;
		heap[seats++] = (struct turn){
			.due = every / 2,
			.every = every,
			.seed = b[i].seed,
			.backend = (uint16_t)i,
		};
	}
	for (unsigned i = seats / 2; i-- > 0;)
		sift_down(heap, seats, i);
	return seats;
}

void maglev_fill(uint16_t *slot, uint32_t size, const struct maglev_backend *backend, unsigned n)
{
	struct turn *heap = calloc(n ? n : 1, sizeof *heap);
	unsigned seats, bits = 0;
	uint32_t at;

	if (!heap)
		abort();
	while (size >> bits)
		bits++;
	for (uint32_t i = 0; i < size; i++)
		slot[i] = MAGLEV_NONE;
	seats = take_seats(heap, backend, n);
	for (uint32_t filled = 0; seats && filled < size; filled++) {
		struct turn *t = &heap[0];

		do
			at = permute(t->seed, bits, size, t->next++);
		while (slot[at] != MAGLEV_NONE);
		slot[at] = t->backend;
		t->due += t->every;
		sift_down(heap, seats, 0);
	}
	free(heap);
}
