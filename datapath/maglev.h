/* SPDX-License-Identifier: Apache-2.0 */
/* Maglev's consistent hashing (Eisenbud et al., NSDI 2016, 3.4): a table of slots, each of which
 * names a backend.
 *
 * Every backend has a permutation of all slots, made of its seed alone; they take turns, and each
 * takes the first slot of its permutation that is still free, until none is.  So each gets its
 * share almost exactly, and when one comes or goes the others keep nearly all they had.  Turns come
 * as often as weights say.
 *
 * What a flow meets is then the slot of its hash.  The size is a prime, large enough that shares
 * are within 1 % of what they should be, and that with one of n equal backends at most 1 % of the
 * flows move beside its own: that takes the more slots a backend the more backends there are. */
#ifndef SLUICE_MAGLEV_H
#define SLUICE_MAGLEV_H

#include "lib/base.h"

enum {
	MAGLEV_BACKENDS = 4096, /* at most */
	MAGLEV_SLOTS_MAX = 524287,
	MAGLEV_NONE = 0xffff, /* a slot of nobody's: no backend has a weight */
};

struct maglev_backend {
	uint64_t seed;   /* its identity: equal ones must not be in one table */
	uint32_t weight; /* 0: gets nothing */
};

/* A size for these backends: the smallest of a few primes that has what is promised above, and a
 * slot at least for each that has a weight; 0: there is none, weights are too far apart.  Another
 * size moves nearly every flow, so who changes a table keeps its size while maglev_fits(). */
uint32_t maglev_size(const struct maglev_backend *backend, unsigned n);
bool maglev_fits(uint32_t size, const struct maglev_backend *backend, unsigned n);

/* Fills slot[0, size).  Off the packets' path: some n log n steps. */
void maglev_fill(uint16_t *slot, uint32_t size, const struct maglev_backend *backend, unsigned n);

/* The slot of a hash. */
static inline uint32_t maglev_at(uint32_t hash, uint32_t size)
{
	return (uint32_t)((uint64_t)hash * size >> 32);
}

#endif
