/* SPDX-License-Identifier: Apache-2.0 */
/* The window is a ring of `size` bits: advancing clears the numbers it newly covers, a word at a
 * time, and never moves what it keeps. */
#include "datapath/replay.h"

void replay_init(struct replay *r, uint32_t size, bool esn, uint64_t top)
{
	r->size = ROUND_UP(MIN(MAX(size, (uint32_t)REPLAY_MIN), (uint32_t)REPLAY_MAX), 64);
	r->esn = esn;
	r->top = top;
	memset(r->seen, 0xff, sizeof r->seen);
}

uint64_t replay_infer(const struct replay *r, uint32_t low)
{
	uint64_t high = r->top >> 32;
	uint32_t top = (uint32_t)r->top;
	uint32_t bottom = top - r->size + 1; /* mod 2^32, as the standard has it */

	if (!r->esn)
		return low;
	if (top >= r->size - 1) { /* the window lies within one subspace */
		if (low < bottom)
			high++;
	} else if (low >= bottom) { /* it reaches back into the one before */
		if (!high)
			return 0;
		high--;
	}
	return high << 32 | low;
}

enum replay_verdict replay_check(const struct replay *r, uint64_t seq)
{
	uint32_t bit = seq % r->size;

	if (seq > r->top)
		return REPLAY_FRESH;
	if (!seq || r->top - seq >= r->size)
		return REPLAY_OLD;
	return r->seen[bit / 64] >> (bit % 64) & 1 ? REPLAY_SEEN : REPLAY_FRESH;
}

static void forget(struct replay *r, uint64_t from, uint64_t to)
{
	if (to - from >= r->size) {
		memset(r->seen, 0, sizeof r->seen);
		return;
	}
	while (from < to) {
		uint32_t bit = from % 64, n = (uint32_t)MIN(64 - bit, to - from);

		r->seen[from % r->size / 64] &= ~(UINT64_MAX >> (64 - n) << bit);
		from += n;
	}
}

struct replay_place replay_update(struct replay *r, uint64_t seq)
{
	struct replay_place place = {0};
	uint32_t bit = seq % r->size;

	if (seq > r->top) {
		place.gap = r->top ? seq - r->top - 1 : 0;
		forget(r, r->top + 1, seq + 1);
		r->top = seq;
	} else {
		place.late = r->top - seq;
	}
	r->seen[bit / 64] |= 1ull << (bit % 64);
	return place;
}
