/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of numbers in matches: which values of a field a match allows.
 *
 * A match says something of a field by bits (value and mask) and by ranges, plain (`1-100`) and
 * negated (`!50-60`).  `struct allowed` is all of that for one field: a span, and holes in it. Bits
 * whose mask is no prefix count as the span from the least to the largest number they allow, so
 * "nothing is left" is certain, and "something is left" may be wrong.
 *
 * match_finish() brings ranges into one form (ranges_finish), so that equal rules are equal:
 * one plain range at most, which is neither one value (that is bits), nor a block where the field
 * has masks (bits), nor all of the field's values (refused in text); holes lie strictly within,
 * apart from each other.  Relations between matches (match-relate.c) ask the same questions.
 *
 * Pure functions over matches: any thread.  */
#ifndef SLUICE_RANGE_H
#define SLUICE_RANGE_H

#include "datapath/match.h"

struct allowed {
	uint64_t lo, hi; /* both within; nothing at all: lo > hi */
	unsigned n;
	struct {
		uint64_t lo, hi;
	} hole[2 * MATCH_CONDS]; /* ascending; within the span, not at its ends */
};

/* Takes away what the match does not allow of the field at f's place: by bits, by ranges. */
void allowed_by_bits(struct allowed *a, const struct match *m, const struct field *f);
void allowed_by_ranges(struct allowed *a, const struct match *m, const struct field *f);

static inline bool allowed_none(const struct allowed *a)
{
	return a->lo > a->hi;
}

/* Everything that `a` allows lies where the range condition holds. */
bool allowed_within(const struct allowed *a, const struct cond *range);

/* Brings a match's ranges into their form; refuses those that nothing can meet.  Bits and presence
 * are set before. */
int ranges_finish(struct match *m, struct refusal *r);

/* The range conditions' certain bits (common prefixes of both ends) added to the match's. */
void ranges_imply(struct match *m);

#endif
