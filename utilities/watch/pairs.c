/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/pairs.h"

#include <stdlib.h>

enum { WAYS = 4, TICKS_A_SECOND = 4, FIRST = 1, KNOWN = 2, DOUBT = 4, DOUBTS = 48 };

struct pair {
	uint16_t tag;
	uint16_t tick; /* when it was last seen, modulo */
	/* Per direction: whether the first of its kind came, KNOWN, and in steps of DOUBT how many
	 * came that nobody had asked for: at most as many as an answer asks for, and DOUBTS. */
	uint16_t seen[2];
	float credit[2]; /* packets that this direction still may send */
};
_Static_assert(sizeof(struct pair) * WAYS == CACHE_LINE, "a line holds the ways of a set");

struct pairs {
	uint32_t n_sets;
	struct pair *pair;
};

struct pairs *pairs_create(uint32_t n_pairs)
{
	struct pairs *p = malloc(sizeof *p);
	size_t size = n_pairs * sizeof(struct pair);

	if (!p)
		abort();
	p->n_sets = n_pairs / WAYS;
	p->pair = aligned_alloc(CACHE_LINE, size);
	if (!p->pair)
		abort();
	memset(p->pair, 0, size);
	return p;
}

void pairs_free(struct pairs *p)
{
	free(p->pair);
	free(p);
}

size_t pairs_memory(const struct pairs *p)
{
	return sizeof *p + (size_t)p->n_sets * WAYS * sizeof(struct pair);
}

/* The pair's place; cleared when it is new or was silent for too long. */
static struct pair *place(struct pairs *p, uint64_t hash, uint16_t tick)
{
	struct pair *set = &p->pair[(hash >> 32 & (p->n_sets - 1)) * WAYS], *oldest = set;
	const uint16_t life = (uint16_t)(PAIR_LIFE_NS / NSEC_PER_SEC * TICKS_A_SECOND);
	uint16_t tag = (uint16_t)hash | 1;

	for (struct pair *e = set; e < set + WAYS; e++) {
		if (e->tag == tag) {
			oldest = e;
			if ((uint16_t)(tick - e->tick) <= life)
				return e;
			break;
		}
		if (!e->tag || (uint16_t)(tick - e->tick) > (uint16_t)(tick - oldest->tick))
			oldest = e;
	}
	*oldest = (struct pair){.tag = tag};
	return oldest;
}

struct pair_seen pairs_sample(struct pairs *p, const struct pair_use *use, uint64_t now_ns)
{
	uint16_t tick = (uint16_t)(now_ns / (NSEC_PER_SEC / TICKS_A_SECOND));
	struct pair *e = place(p, use->hash, tick);
	float *credit = &e->credit[use->way], *other = &e->credit[!use->way];
	struct pair_seen seen = {.unasked = use->packets, .known = e->seen[use->way] & KNOWN};

	e->tick = tick;
	e->seen[use->way] |= KNOWN;
	if (use->counts_first && !(e->seen[use->way] & FIRST)) {
		e->seen[use->way] |= FIRST;
		seen.first = true;
	}
	if (use->may_be_asked) {
		float used = MIN(*credit, use->packets);

		*credit -= used;
		seen.unasked -= used;
		if (seen.unasked > 0 &&
		    (float)(e->seen[use->way] / DOUBT) < MIN(use->asks, (float)DOUBTS)) {
			e->seen[use->way] += DOUBT;
			seen.doubtful = seen.known;
		}
	}
	if (use->asks > 0) {
		/* At most four samples' worth: a pause does not save up for a flood. */
		*other = MIN(*other + use->asks * use->packets, 4 * use->asks * use->packets);
		seen.cleared = e->seen[!use->way] / DOUBT;
		e->seen[!use->way] %= DOUBT;
	}
	return seen;
}
