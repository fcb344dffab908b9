/* SPDX-License-Identifier: Apache-2.0 */
/* Tuple space: the masks in use, each with a hash of the values under it.
 *
 * The rule tables and the early classifier search the same way.  A subtable holds all entries of
 * one mask, hashed by the words of their values that the mask covers.  The subtables stand in an
 * array in descending order of `bound`, which nothing in them exceeds: a reader goes through it
 * and stops when its best beats the next bound.  The array is immutable and replaced under
 * RCU; its order needs no lock.
 *
 * Bounds are exact upwards (raised before the entry that needs it is seen) and lazy downwards: an
 * entry's end only counts, and the owner looks for the true bound once it has counted as many as
 * there are entries left.  So a removal costs O(1) on average and a stale bound costs a probe.
 *
 * Readers: workers, under RCU.  Writer: the control thread alone. */
#ifndef SLUICE_SUBTABLE_H
#define SLUICE_SUBTABLE_H

#include "datapath/match.h"
#include "lib/hash.h"
#include "lib/rmap.h"

struct subtable {
	struct rmap map;
	uint64_t words;      /* bit i: word i takes part */
	int64_t bound;       /* writer's; readers take the array's */
	uint32_t n, n_ended; /* writer's: entries; ends since the bound was looked for */
	struct rcu_head rcu;
	unsigned n_words;
	uint8_t at[KEY_WORDS]; /* which words, ascending */
	uint64_t mask[];
};

struct subtable_list {
	unsigned n;
	struct subtable_slot {
		int64_t bound;
		struct subtable *subtable;
	} slot[];
};

struct subtables {
	struct subtable_list *list; /* RCU; never NULL */
};

#define MATCH_WORD(K, I) (((const uint64_t *)(K))[I])

void subtables_init(struct subtables *s);
void subtables_destroy(struct subtables *s); /* entries are the caller's; no reader is left */

/* The words that a match's mask uses. */
uint64_t match_words(const struct match *m);
/* The values of the words in `words`, in ascending order. */
void match_pack(const struct match *m, uint64_t words, uint64_t *value);

/* The subtable for a match's mask, made (empty) when there is none. */
struct subtable *subtables_get(struct subtables *s, const struct match *m);
struct subtable *subtables_find(const struct subtables *s, const struct match *m); /* or NULL */
/* Sets the bound and publishes the order. */
void subtables_bound(struct subtables *s, struct subtable *t, int64_t bound);
/* Takes an empty subtable out; it is freed after a grace period. */
void subtables_drop(struct subtables *s, struct subtable *t);
/* Counts an entry's end.  True: time to look for the true bound. */
bool subtable_entry_ended(struct subtable *t);

static inline uint32_t subtable_hash(const struct subtable *t, const uint64_t *value)
{
	uint64_t h = hash_seed;

	for (unsigned i = 0; i < t->n_words; i++)
		h = hash_add(h, value[i]);
	return hash_finish(h);
}

/* The key's words under the mask, into `value` (KEY_WORDS of room); returns their hash. */
static inline uint32_t subtable_mask(const struct subtable *t, const struct key_view *key,
				     uint64_t *value)
{
	uint64_t h = hash_seed;

	for (unsigned i = 0; i < t->n_words; i++) {
		value[i] = key_word(key, t->at[i]) & t->mask[i];
		h = hash_add(h, value[i]);
	}
	return hash_finish(h);
}

static inline bool subtable_equal(const struct subtable *t, const uint64_t *a, const uint64_t *b)
{
	uint64_t diff = 0;

	for (unsigned i = 0; i < t->n_words; i++)
		diff |= a[i] ^ b[i];
	return !diff;
}

#endif
