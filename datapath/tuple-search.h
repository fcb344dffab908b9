/* SPDX-License-Identifier: Apache-2.0 */
/* Searching a tuple space (tuple.h): the reader's side, under RCU.
 *
 *	tuple_search_begin(&c, space, &key); // which stays where it is
 *	while (tuple_search_more(&c)) {
 *		if (what I have beats tuple_search_limit(&c))
 *			break;
 *		tuple_search_filter(&c);
 *		while (tuple_search_gather(&c, floor))
 *			look at c.hit[0] to c.hit[c.n_hits - 1]
 *	}
 *
 * A hit is an item whose hash agrees.  Whether its value does (tuple_hits), and whether it is of
 * this tuple, is the caller's to see. */
#ifndef SLUICE_TUPLE_SEARCH_H
#define SLUICE_TUPLE_SEARCH_H

#include "datapath/tuple.h"

/* Loads of vectors are no atomics; of what is 4 octets long, each arrives whole all the same. */
#if defined(__x86_64__) && !defined(SLUICE_TSAN)
#include <immintrin.h>
#define HAVE_VECTORS 1
#endif

struct tuple_hit {
	int32_t rank;
	uint32_t place; /* its tuple's */
	void *item;
};

struct tuple_search {
	const struct tuple_list *list;
	const struct tuple_slots *slots;
	uint32_t n, at; /* tuples; where the chunk begins */
	uint32_t step;  /* buckets that were looked at of the first of them that passes */
	uint64_t pass;  /* tuples of the chunk that the filter lets through */
	unsigned n_hits;
	uint32_t hash[TUPLE_CHUNK] CACHE_ALIGNED;
	struct tuple_hit hit[SEARCH_HITS];
	const struct key_view *view;
	uint64_t key[KEY_WORDS] CACHE_ALIGNED; /* packed, with the first chunk */
};

/* Hashes the key under the chunk's masks into c->hash; bit i of c->pass says that somebody may have
 * the hash of tuple i.  By vectors where the processor has them. */
extern void (*tuple_filter)(struct tuple_search *c);

/* All ways of doing it, for those who choose and those who compare; the first one works anywhere.
 */
struct tuple_filter_form {
	const char *name;
	bool (*works)(void);
	void (*filter)(struct tuple_search *c);
};
extern const struct tuple_filter_form tuple_filter_forms[];
extern const unsigned n_tuple_filter_forms;
void tuple_filter_choose(void);

/* The octets of the key that some mask looks at. */
void tuple_pack(const struct tuple_list *l, const struct key_view *key, uint64_t *packed);
/* The hash of a packed key under one tuple's mask. */
uint32_t tuple_hash(const struct tuple_list *l, uint32_t place, const uint64_t *packed);

/* n numbers from 0, chosen by a hash's upper bits. */
static inline uint32_t hash_scale(uint32_t hash, uint32_t n)
{
	return (uint32_t)((uint64_t)hash * n >> 32);
}

static inline unsigned tuple_lane(unsigned place)
{
	return place % 2 * (TUPLE_LANES / 2) + place % TUPLE_LANES / 2;
}

static inline void tuple_search_begin(struct tuple_search *c, const struct tuples *s,
				      const struct key_view *key)
{
	c->list = rcu_get(s->list);
	c->slots = rcu_get(s->slots);
	c->n = rcu_get(c->list->n);
	c->at = 0u - TUPLE_CHUNK;
	c->view = key;
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
static inline uint32_t filter_bits(uint32_t hash)
{
	return 1u << hash % 32 | 1u << (hash >> 5) % 32;
}

static inline uint32_t filter_word(const struct tuple_slots *s, uint32_t hash)
{
	return __atomic_load_n(&s->filter[hash_scale(hash, s->n_filter)], __ATOMIC_RELAXED);
}

/* The bucket in which a hash is looked for in the `step`-th place. */
static inline const struct tuple_bucket *tuple_search_bucket(const struct tuple_slots *s,
							     uint32_t hash, uint32_t step)
{
	uint64_t at = (uint64_t)hash_scale(hash, s->n_buckets) + step;

	return &s->bucket[at < s->n_buckets ? at : at - s->n_buckets];
}

/* Looks through the chunk. */
static inline void tuple_search_filter(struct tuple_search *c)
{
	tuple_filter(c);
	c->step = 0;
	/* Mostly one or none passes: of that one, and a wrong one costs less than to ask. */
	__builtin_prefetch(tuple_search_bucket(
		c->slots, c->hash[__builtin_ctzll(c->pass | 1ull << (TUPLE_CHUNK - 1))], 0));
}

/* Which slots of a bucket have the hash, as bits. */
static inline unsigned bucket_same(const struct tuple_bucket *b, uint32_t hash)
{
#ifdef HAVE_VECTORS
	__m128i all = _mm_load_si128((const void *)b->hash);

	return (unsigned)_mm_movemask_ps(
		_mm_castsi128_ps(_mm_cmpeq_epi32(all, _mm_set1_epi32((int)hash))));
#else
	unsigned same = 0;

	for (unsigned j = 0; j < BUCKET_SLOTS; j++)
		same |= (unsigned)(__atomic_load_n(&b->hash[j], __ATOMIC_RELAXED) == hash) << j;
	return same;
#endif
}

/* The chunk's items whose hash agrees and whose rank is `floor` at least: as many as there is room
 * for in c->hit.  Returns how many; 0: there are no more in this chunk. */
static inline unsigned tuple_search_gather(struct tuple_search *c, int64_t floor)
{
	const struct tuple_slots *s = c->slots;
	const int64_t *bound = c->list->bound + c->at;
	uint32_t step = c->step;
	uint64_t pass = c->pass;
	unsigned n = 0;

	while (pass && n + BUCKET_SLOTS <= SEARCH_HITS) {
		unsigned i = (unsigned)__builtin_ctzll(pass);
		const struct tuple_bucket *b = tuple_search_bucket(s, c->hash[i], step);

		if (__atomic_load_n(&bound[i], __ATOMIC_RELAXED) < floor) {
			pass &= pass - 1;
			step = 0;
			continue;
		}
		for (unsigned same = bucket_same(b, c->hash[i]); same; same &= same - 1) {
			unsigned j = (unsigned)__builtin_ctz(same);
			int32_t rank = __atomic_load_n(&b->rank[j], __ATOMIC_RELAXED);
			void *item = rcu_get(b->item[j]);

			if (!item || item == &tuple_gone || rank < floor)
				continue;
			c->hit[n++] = (struct tuple_hit){rank, c->at + i, item};
		}
		if (likely(!rcu_get(b->item[BUCKET_SLOTS - 1])) || ++step == s->n_buckets) {
			pass &= pass - 1;
			step = 0;
		}
	}
	c->step = step;
	c->pass = pass;
	return c->n_hits = n;
}

/* The tuple of a hit. */
static inline const struct tuple *tuple_of(const struct tuple_search *c,
					   const struct tuple_hit *hit)
{
	return c->list->tuple[hit->place];
}

/* The key agrees with a value under the tuple's mask. */
static inline bool tuple_hits(const struct tuple *t, const struct key_view *key,
			      const uint64_t *value)
{
	uint64_t diff = 0;

	unsigned i = 0;

	for (; i < t->n_du; i++)
		diff |= (key->part[0][t->at[i]] & t->mask[i]) ^ value[i];
	for (; i < t->n_words; i++)
		diff |= (key->part[1][t->at[i] - OUTER_WORD] & t->mask[i]) ^ value[i];
	return !diff;
}

static inline bool tuple_equal(const struct tuple *t, const uint64_t *a, const uint64_t *b)
{
	return !memcmp(a, b, t->n_words * sizeof *a);
}

#endif
