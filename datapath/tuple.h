/* SPDX-License-Identifier: Apache-2.0 */
/* Tuple space: the masks in use, and one hash of all values under them.
 *
 * The rule tables and the early classifier search the same way.  A tuple is a mask that some item
 * has.  A search hashes the key under every tuple's mask and looks for items with that hash, tuples
 * in about descending order of their `bound`, a chunk at a time, until its best beats the limit of
 * what is left.  How much work that is depends on the number of tuples (TUPLES_MAX at
 * most), not on what is in them, nor on what arrives.
 *
 * Three things make a tuple cost some dozen instructions:
 * - The key is packed first: of its octets only those that some mask looks at, in the order in
 *   which they came up.  An IPv4 five-tuple is sixteen of them, two words.
 * - A filter of a few bits for each item says of nearly all hashes that nobody has them.
 * - All tuples share one array of slots, four to a cache line, each with its item's hash and rank:
 *   what is not the item, or too low to matter, is not touched.
 *
 * Every tuple has salts of its own, made from `hash_seed`: nobody outside can choose keys whose
 * hashes meet.  The hash is NH (RFC 4418, 5.2.2: sums of products of halves), whose collisions do
 * not depend on the keys, and then mixed.
 *
 * The list (masks, salts, order) and the slots are replaced under RCU.  In place changes only what
 * a reader of a published version cannot miss: a slot is filled, or emptied, for an item that no
 * reader may see yet, or any more; a tuple is put behind the last; limits are raised.  Limits are
 * exact upwards and lazy downwards: a stale one costs a probe.
 *
 * Readers: workers, under RCU.  Writer: the control thread alone; its operations cost O(1) on
 * average, and O(items) when slots or bounds are made anew (some ms for 100,000). */
#ifndef SLUICE_TUPLE_H
#define SLUICE_TUPLE_H

#include "datapath/match.h"
#include "lib/hash.h"
#include "lib/rmap.h"

enum {
	TUPLES_MAX = 1024, /* masks that a table admits */
	TUPLE_LANES = 8,
	TUPLE_CHUNK = 32, /* tuples that are searched before the limit is looked at */
	BUCKET_SLOTS = 4,
	SEARCH_HITS = 8, /* that are gathered before the best of them is looked for */
	KEY_OCTETS = KEY_WORDS * 8,
	PACK_FROM = 16,
	PACK_TO = 32, /* octets that one step of packing looks at, and may fill */
};

#define MATCH_WORD(K, I) (((const uint64_t *)(K))[I])

struct tuple {
	struct rmap_node node; /* by mask; the writer's, like most of it */
	struct rcu_head rcu;
	int64_t bound;          /* no item of it exceeds this */
	uint64_t words;         /* bit i: word i takes part */
	uint32_t n;             /* items */
	uint32_t place;         /* in the list */
	uint64_t number;        /* the first one is 1 */
	uint64_t salt;          /* what its salts come from */
	uint16_t n_packed;      /* packed words that its hash takes */
	uint16_t n_words, n_du; /* n_du: the first of them, of the packet's own part */
	uint16_t depth;         /* the owner's: see table.c */
	uint8_t at[KEY_WORDS];  /* which words of the key, ascending; readers compare by them */
	uint64_t mask[];
};

/* A packed word of eight tuples: what one step of vectors takes.  Even tuples have the lanes of the
 * first half, odd ones those of the other (tuple_lane), so that hashes need no sorting. */
struct tuple_lanes {
	uint64_t mask[TUPLE_LANES], salt[TUPLE_LANES];
} CACHE_ALIGNED;

/* From a block of the key's octets to one of packed ones.  Control is as PSHUFB has it: where each
 * packed octet comes from; 0x80: not from here. */
struct pack_step {
	uint8_t control[PACK_TO];
	uint8_t part, from; /* of the key: which part, and its octet */
	bool last;          /* the packed block is complete */
} CACHE_ALIGNED;

struct tuple_list {
	uint32_t n; /* rcu_get: a tuple may be put behind the last */
	uint32_t room, stride /* packed words of eight tuples */, n_octets /* packed */, n_steps;
	struct pack_step *step;
	struct tuple **tuple;
	int64_t *limit;    /* by chunk: nothing in it or behind it exceeds this */
	int64_t *bound;    /* by tuple: nothing in it does */
	uint8_t *n_packed; /* by eight tuples: of the longest */
	struct tuple_lanes lanes[];
};

/* A cache line.  One that is full goes on in the next. */
struct tuple_bucket {
	uint32_t hash[BUCKET_SLOTS];
	int32_t rank[BUCKET_SLOTS]; /* the item is not above it */
	void *item[BUCKET_SLOTS];   /* RCU; NULL: never used; tuple_gone */
} CACHE_ALIGNED;

struct tuple_slots {
	uint32_t n_buckets, n_filter; /* n_filter: words */
	uint32_t *filter;
	struct tuple_bucket bucket[];
};

struct tuples {
	struct tuple_list *list;   /* RCU; never NULL */
	struct tuple_slots *slots; /* RCU; never NULL */
	struct rmap by_mask;
	uint32_t n, n_items;        /* tuples that have items; items */
	uint32_t n_filled;          /* slots that are not free for good */
	uint32_t n_ended;           /* items that ended since the bounds were looked for */
	uint32_t n_raised, n_since; /* bounds raised since the list was sorted; calls since */
	uint64_t next_number;
	uint16_t n_octets;
	uint16_t octet[KEY_OCTETS];       /* of the key, in the order in which they came up */
	uint16_t octet_place[KEY_OCTETS]; /* the other way round, for those that are in it … */
	bool octet_used[KEY_OCTETS];      /* … which these are */
};

void tuples_init(struct tuples *s);
void tuples_destroy(struct tuples *s); /* items are the caller's; no reader is left */

/* The words that a match's mask uses. */
uint64_t match_words(const struct match *m);
/* The values of the words in `words`, in ascending order. */
void match_pack(const struct match *m, uint64_t words, uint64_t *value);

/* The tuple of a match's mask, made (empty) when there is none. */
struct tuple *tuples_get(struct tuples *s, const struct match *m);
struct tuple *tuples_find(const struct tuples *s, const struct match *m); /* or NULL */

/* The hash of a match's value. */
uint32_t tuples_hash(const struct tuples *s, const struct tuple *t, const struct match *m);

/* Items by hash.  `rank` prunes searches: see tuple_bucket. */
void tuples_insert(struct tuples *s, struct tuple *t, uint32_t hash, void *item, int32_t rank);
void tuples_replace(struct tuples *s, uint32_t hash, const void *old, void *fresh, int32_t rank);
void tuples_remove(struct tuples *s, struct tuple *t, uint32_t hash, const void *item);
/* The tuple has an item up to `bound`: before readers may see it. */
void tuples_raise(struct tuples *s, struct tuple *t, int64_t bound);
/* An item has ended.  True: time to say all items' bounds anew, between the two below. */
bool tuples_ended(struct tuples *s);
void tuples_bounds_begin(struct tuples *s);
void tuples_bounds_end(struct tuples *s);

/* The items of a hash, one after the other, and every item; `position` begins at 0.  NULL: no more.
 * The writer's; the second one is for readers too. */
void *tuples_item(const struct tuples *s, uint32_t hash, uint32_t *position);
void *tuples_each(const struct tuples *s, uint32_t *position);

/* … and what is said between those two. */
static inline void tuple_bound(struct tuple *t, int64_t bound)
{
	t->bound = MAX(t->bound, bound);
}

extern char tuple_gone; /* what was in this slot has gone */

#endif
