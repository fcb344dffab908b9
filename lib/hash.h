/* SPDX-License-Identifier: Apache-2.0 */
/* Hashing of 64-bit words.  Every table keyed by what a stranger sends mixes in `hash_seed`,
 * which is random per process (fixed offline, so that runs repeat), lest he choose his
 * collisions.  The mixer is the finaliser of MurmurHash3 (public domain).
 *
 * Words are added by a product of 128 bits, folded (the scheme of wyhash, public domain): one of 64
 * bits alone lets upper bits of a word reach nothing but upper bits, and two words that differ
 * there can make good for each other under every seed. */
#ifndef SLUICE_HASH_H
#define SLUICE_HASH_H

#include "lib/base.h"

extern uint64_t hash_seed;

/* Sets hash_seed from the kernel's random source.  Called before any thread and before
 * anything is hashed. */
void hash_seed_random(void);

static inline uint64_t hash_mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ull;
	h ^= h >> 33;
	return h;
}

static inline uint64_t hash_add(uint64_t h, uint64_t word)
{
	unsigned __int128 product = (unsigned __int128)(h ^ word) * 0x9e3779b97f4a7c15ull;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t hash_finish(uint64_t h)
{
	return (uint32_t)hash_mix(h);
}

/* Any octets: for names and keys off the packet's path. */
uint32_t hash_bytes(const void *data, size_t size);

#endif
