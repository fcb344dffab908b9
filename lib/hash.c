/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/hash.h"

#include <sys/random.h>

uint64_t hash_seed = 0x5ca1ab1e0ddba11ull;

void hash_seed_random(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, 0) == sizeof seed)
		hash_seed = seed;
}

uint32_t hash_bytes(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t h = hash_seed ^ size, word;

	for (; size >= 8; p += 8, size -= 8) {
		memcpy(&word, p, 8);
		h = hash_add(h, word);
	}
	word = 0;
	if (size)
		memcpy(&word, p, size);
	return hash_finish(hash_add(h, word));
}
