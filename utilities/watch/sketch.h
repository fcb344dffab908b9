/* SPDX-License-Identifier: Apache-2.0 */
/* Sketches: what can be known of a stream in memory that does not grow with it.
 *
 * `space_saving` finds the heavy keys (Metwally, Agrawal, El Abbadi 2005), set-associative: a key
 * may live in one of SPACE_WAYS slots of its set; a new key takes the lightest one's place and its
 * weight.  So each update costs the same, and what a slot says is at least the key's weight and at
 * most that plus the weight of the set divided by its ways.  `count_min` estimates any key's weight
 * from above (Cormode, Muthukrishnan 2005).  `distinct` counts different keys (HyperLogLog,
 * Flajolet et al. 2007, with linear counting while few were seen).
 *
 * Keys come in as 64-bit hashes made with hash_seed (sketch_hash), so nobody outside can choose his
 * collisions.  All memory is allocated at once.  Single thread. */
#ifndef SLUICE_WATCH_SKETCH_H
#define SLUICE_WATCH_SKETCH_H

#include "lib/hash.h"

/* `salt` keeps kinds of keys apart.  Never 0, which marks a free slot. */
static inline uint64_t sketch_hash(uint64_t salt, uint64_t a, uint64_t b)
{
	uint64_t h = hash_mix(hash_seed + salt);

	h = hash_mix(h ^ a);
	h = hash_mix(h + b);
	return h | (h == 0);
}

enum { SPACE_WAYS = 8 };

struct space_saving {
	uint32_t n_sets; /* a power of two */
	uint64_t *tag;   /* n_sets × SPACE_WAYS hashes; 0: free */
	float *weight;
	uint8_t *pinned; /* slots that may not be given away */
};
void space_saving_init(struct space_saving *s, uint32_t n_slots); /* a power of two ≥ 8; aborts */
void space_saving_free(struct space_saving *s);
static inline uint32_t space_saving_slots(const struct space_saving *s)
{
	return s->n_sets * SPACE_WAYS;
}
/* The key's slot, or -1. */
int space_saving_find(const struct space_saving *s, uint64_t hash);
/* Adds weight; *fresh says that the slot was another key's or free.  -1: every way is pinned. */
int space_saving_add(struct space_saving *s, uint64_t hash, float weight, bool *fresh);
/* The least weight in the key's set that a new key would push out; 0: there is room. */
float space_saving_least(const struct space_saving *s, uint64_t hash);
void space_saving_decay(struct space_saving *s, float factor);
size_t space_saving_memory(const struct space_saving *s);

enum { COUNT_MIN_ROWS = 4 };

struct count_min {
	uint32_t n_columns; /* a power of two */
	uint32_t *cell;
};
void count_min_init(struct count_min *c, uint32_t n_columns);
void count_min_free(struct count_min *c);
/* Conservative: only cells that would say too little are raised.  Returns the new estimate. */
uint32_t count_min_add(struct count_min *c, uint64_t hash, uint32_t weight);
uint32_t count_min_read(const struct count_min *c, uint64_t hash);
void count_min_decay(struct count_min *c); /* to seven eighths */
size_t count_min_memory(const struct count_min *c);

enum { DISTINCT_BITS = 7, DISTINCT_REGISTERS = 1 << DISTINCT_BITS };

struct distinct {
	uint8_t rank[DISTINCT_REGISTERS];
};
static inline void distinct_add(struct distinct *d, uint64_t hash)
{
	uint64_t rest = hash << DISTINCT_BITS | 1ull << (DISTINCT_BITS - 1);
	unsigned i = (unsigned)(hash >> (64 - DISTINCT_BITS));
	uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);

	if (d->rank[i] < rank)
		d->rank[i] = rank;
}
double distinct_count(const struct distinct *d); /* standard error 9 % */

#endif
