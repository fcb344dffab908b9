/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that look random and are the same in every run (xorshift64). */
#ifndef SLUICE_TESTS_RANDOM_H
#define SLUICE_TESTS_RANDOM_H

#include "lib/base.h"

static inline uint32_t rnd(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

#endif
