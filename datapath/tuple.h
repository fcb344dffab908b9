/* SPDX-License-Identifier: Apache-2.0 */
/* Tuple space: the masks in use, and one hash of all values under them.
 *
 * The rule tables and the early classifier search the same way.  A tuple is a mask that some item
 * has.  A search hashes the key under every tuple's mask and looks for items with that hash, tuples
 * in about descending order of their `bound`, sixteen to thirty-two at a time, until its best beats
 * the limit of what is left.  How much work that is depends on the number of tuples (TUPLES_MAX at
 * most), not on what is in them, nor on what arrives.
 *
 * Three things make a tuple cost some dozen instructions:
 * - The key is packed first: of its 16-bit units only those that some mask looks at, in the order
 *   in which they came up.  An IPv4 five-tuple is eight of them, two words, one multiplication.
 * - A filter of a few bits for each item says of nearly all hashes that nobody has them.
 * - All tuples share one array of slots, four to a cache line, each with its item's hash and rank:
 *   what is not the item, or too low to matter, is not touched.
 *
 * Every tuple has salts of its own, made from `hash_seed`: nobody outside can choose keys whose
 * hashes meet.
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
	TUPLE_CHUNK = 32,  /* tuples that are searched before the limit is looked at */
	BUCKET_SLOTS = 4,
	SEARCH_HITS = 2 * TUPLE_CHUNK,
	UNITS_MAX = KEY_WORDS * 4,
};

#define MATCH_WORD(K, I) (((const uint64_t *)(K))[I])

struct tuple {
	struct rmap_node node; /* by mask; the writer's, like most of it */
	struct rcu_head rcu;
	int64_t bound;    /* no item of it exceeds this */
	uint64_t words;   /* bit i: word i takes part */
	uint32_t n;       /* items */
	uint32_t place;   /* in the list */
	uint64_t number;  /* its salts come from it */
	uint16_t n_pairs; /* of packed words that its hash takes */
	uint16_t n_words;
	uint16_t depth;        /* the owner's: see table.c */
	uint8_t at[KEY_WORDS]; /* which words of the key, ascending; readers compare by them */
	uint64_t mask[];
};

/* Two packed words of a tuple. */
struct tuple_pair {
	uint64_t mask[2], salt[2];
};

struct tuple_list {
	uint32_t n; /* rcu_get: a tuple may be put behind the last */
	uint32_t room, stride /* pairs to a tuple */, n_units, n_words /* packed, even */;
	uint16_t unit[UNITS_MAX]; /* octets from the key's begin; n_words * 4 of them */
	struct tuple **tuple;
	uint8_t *n_pairs;
	int64_t *limit; /* by chunk: nothing in it or behind it exceeds this */
	struct tuple_pair pair[];
};

struct tuple_slot {
	void *item; /* RCU; NULL: never used; tuple_gone */
	uint32_t hash;
	int32_t rank; /* the item is not above it */
};

struct tuple_slots {
	uint32_t n_buckets, n_filter; /* of four slots; words */
	uint64_t *filter;
	struct tuple_slot slot[] CACHE_ALIGNED;
};

struct tuples {
	struct tuple_list *list;   /* RCU; never NULL */
	struct tuple_slots *slots; /* RCU; never NULL */
	struct rmap by_mask;
	uint32_t n, n_items; /* tuples that have items; items */
	uint32_t n_filled;   /* slots that are not free for good */
	uint32_t n_ended;    /* items that ended since the bounds were looked for */
	uint32_t n_raised;   /* bounds raised since the list was sorted */
	uint64_t next_number;
	uint16_t n_units;
	uint16_t unit[UNITS_MAX];      /* of the key, in the order in which they came up */
	uint8_t unit_place[UNITS_MAX]; /* the other way round, for those that are in it */
	uint64_t unit_used[UNITS_MAX / 64];
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

/* Items by hash.  `rank` prunes searches: see tuple_slot. */
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

static inline int32_t slot_rank(const struct tuple_slot *s)
{
	return __atomic_load_n(&s->rank, __ATOMIC_RELAXED);
}

/* ---- Searching ------------------------------------------------------------------------ */

struct tuple_hit {
	int32_t rank;
	const struct tuple_slot *slot;
	const struct tuple *tuple;
};

struct tuple_search {
	const struct tuple_list *list;
	const struct tuple_slots *slots;
	uint32_t n, at;  /* tuples; where the chunk begins */
	uint32_t bucket; /* where the tuple at hand goes on */
	bool again;      /* … because there was no room */
	uint64_t pass;   /* tuples of the chunk that the filter lets through */
	unsigned n_hits;
	uint32_t hash[TUPLE_CHUNK];
	struct tuple_hit hit[SEARCH_HITS];
	uint64_t key[KEY_WORDS];
};

static inline uint32_t pairs_hash(const struct tuple_pair *p, unsigned n, const uint64_t *key)
{
	__extension__ typedef unsigned __int128 wide;
	uint64_t h = 0;

	for (unsigned i = 0; i < n; i++, p++, key += 2) {
		wide product = (wide)((key[0] & p->mask[0]) ^ p->salt[0]) *
			       ((key[1] & p->mask[1]) ^ p->salt[1]);

		h += (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return (uint32_t)(h ^ h >> 32);
}

/* n numbers from 0, chosen by a hash's upper bits. */
static inline uint32_t hash_scale(uint32_t hash, uint32_t n)
{
	return (uint32_t)((uint64_t)hash * n >> 32);
}

static inline uint64_t unit_of(const struct key_view *key, uint16_t octets)
{
	uint16_t unit;

	memcpy(&unit,
	       (const uint8_t *)key->part[octets / (OUTER_WORD * 8)] + octets % (OUTER_WORD * 8),
	       sizeof unit);
	return unit;
}

static inline void tuple_search_begin(struct tuple_search *c, const struct tuples *s,
				      const struct key_view *key)
{
	const struct tuple_list *l = rcu_get(s->list);

	c->list = l;
	c->slots = rcu_get(s->slots);
	c->n = rcu_get(l->n);
	c->at = 0u - TUPLE_CHUNK;
	for (unsigned i = 0; i < l->n_words; i++)
		c->key[i] = unit_of(key, l->unit[4 * i]) | unit_of(key, l->unit[4 * i + 1]) << 16 |
			    unit_of(key, l->unit[4 * i + 2]) << 32 |
			    unit_of(key, l->unit[4 * i + 3]) << 48;
}

/* Goes to the next chunk, the first at first.  False: there is none. */
static inline bool tuple_search_more(struct tuple_search *c)
{
	c->at += TUPLE_CHUNK;
	return c->at < c->n;
}

/* Nothing in this chunk or behind it exceeds this. */
static inline int64_t tuple_search_limit(const struct tuple_search *c)
{
	return __atomic_load_n(&c->list->limit[c->at / TUPLE_CHUNK], __ATOMIC_RELAXED);
}

/* Both bits of a hash in its word of the filter. */
static inline uint64_t filter_bits(uint32_t hash)
{
	return 1ull << hash % 64 | 1ull << (hash >> 6) % 64;
}

static inline uint64_t filter_word(const struct tuple_slots *s, uint32_t hash)
{
	return __atomic_load_n(&s->filter[hash_scale(hash, s->n_filter)], __ATOMIC_RELAXED);
}

/* Hashes the key under `n` tuples' masks; bit i says that somebody may have the hash of tuple i. */
static inline __attribute__((always_inline)) uint64_t tuple_search_pass(struct tuple_search *c,
									const struct tuple_pair *p,
									const uint8_t *n_pairs,
									unsigned n, unsigned stride)
{
	uint64_t pass = 0;

	for (unsigned i = 0; i < n; i++, p += stride) {
		uint32_t h = pairs_hash(p, stride == 1 ? 1 : n_pairs[i], c->key);
		uint64_t word = filter_word(c->slots, h);

		c->hash[i] = h;
		pass |= ((word >> h % 64) & (word >> (h >> 6) % 64) & 1) << i;
	}
	return pass;
}

static inline uint32_t tuple_search_bucket(const struct tuple_search *c, uint64_t pass)
{
	return hash_scale(c->hash[__builtin_ctzll(pass)], c->slots->n_buckets) * BUCKET_SLOTS;
}

/* Looks through the chunk. */
static inline void tuple_search_filter(struct tuple_search *c)
{
	const struct tuple_list *l = c->list;
	const struct tuple_pair *p = l->pair + (size_t)c->at * l->stride;
	const uint8_t *n_pairs = l->n_pairs + c->at;
	uint32_t n = MIN(c->n - c->at, (uint32_t)TUPLE_CHUNK);

	if (likely(l->stride == 1))
		c->pass = tuple_search_pass(c, p, n_pairs, n, 1);
	else
		c->pass = tuple_search_pass(c, p, n_pairs, n, l->stride);
	c->again = false;
	if (c->pass & (c->pass - 1))
		for (uint64_t pass = c->pass; pass; pass &= pass - 1)
			__builtin_prefetch(&c->slots->slot[tuple_search_bucket(c, pass)]);
}

/* Adds the slots that have the hash of a tuple and may hold an item of `floor` or more.  False:
 * there was no room for one, and the tuple is to be looked at again from `c->bucket` on. */
static inline bool tuple_search_slots(struct tuple_search *c, unsigned i, int64_t floor)
{
	const struct tuple_slots *s = c->slots;
	uint32_t at = c->bucket, end = s->n_buckets * BUCKET_SLOTS;

	for (uint32_t left = end; left--;) {
		const struct tuple_slot *slot = &s->slot[at];
		int32_t rank = slot_rank(slot);

		if (!rcu_get(slot->item))
			break;
		if (__atomic_load_n(&slot->hash, __ATOMIC_RELAXED) == c->hash[i] && rank >= floor) {
			if (c->n_hits == SEARCH_HITS) {
				c->bucket = at;
				return false;
			}
			c->hit[c->n_hits].rank = rank;
			c->hit[c->n_hits].slot = slot;
			c->hit[c->n_hits++].tuple = c->list->tuple[c->at + i];
		}
		at = at + 1 == end ? 0 : at + 1;
	}
	return true;
}

/* The chunk's slots whose hash agrees (their items need not) and whose rank is `floor` at least: as
 * many as there is room for in c->hit.  Returns how many; 0: there are no more in this chunk. */
static inline unsigned tuple_search_gather(struct tuple_search *c, int64_t floor)
{
	c->n_hits = 0;
	for (; c->pass; c->pass &= c->pass - 1) {
		if (!c->again)
			c->bucket = tuple_search_bucket(c, c->pass);
		c->again = !tuple_search_slots(c, (unsigned)__builtin_ctzll(c->pass), floor);
		if (c->again)
			break;
	}
	return c->n_hits;
}

/* The key agrees with a value under the tuple's mask. */
static inline bool tuple_hits(const struct tuple *t, const struct key_view *key,
			      const uint64_t *value)
{
	uint64_t diff = 0;

	for (unsigned i = 0; i < t->n_words; i++)
		diff |= (key_word(key, t->at[i]) & t->mask[i]) ^ value[i];
	return !diff;
}

static inline bool tuple_equal(const struct tuple *t, const uint64_t *a, const uint64_t *b)
{
	return !memcmp(a, b, t->n_words * sizeof *a);
}

#endif
