/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of a search, in two forms with one result: steps of one tuple, and vectors of four.
 * (Vectors of eight, AVX-512, cost the same: most of it is fetching the filter's words.) */
#include "datapath/tuple-search.h"

#if defined(__x86_64__) && !defined(SLUICE_TSAN)
#include <immintrin.h>
#define HAVE_VECTORS 1
#endif

enum { MIX = 0x9e3779b1 }; /* odd, near the golden ratio */

/* ---- Anywhere ------------------------------------------------------------------------- */

static uint64_t nh(uint64_t x, uint64_t salt)
{
	return (uint64_t)((uint32_t)x + (uint32_t)salt) * (uint32_t)((x >> 32) + (salt >> 32));
}

static inline uint32_t lane_hash(const struct tuple_lanes *l, unsigned n_pairs, unsigned lane,
				 const uint64_t *key)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < n_pairs; i++, l++, key += 2)
		h += nh(key[0] & l->mask[0][lane], l->salt[0][lane]) +
		     nh(key[1] & l->mask[1][lane], l->salt[1][lane]);
	h = (uint64_t)(uint32_t)(h ^ h >> 32) * (uint32_t)MIX;
	return (uint32_t)(h ^ h >> 32);
}

uint32_t tuple_hash(const struct tuple_list *l, uint32_t place, const uint64_t *key)
{
	return lane_hash(l->lanes + (size_t)(place / TUPLE_LANES) * l->stride,
			 l->n_pairs[place / TUPLE_LANES], place % TUPLE_LANES, key);
}

static uint32_t chunk_size(const struct tuple_search *c)
{
	return MIN(c->n - c->at, (uint32_t)TUPLE_CHUNK);
}

static unsigned group_pairs(const struct tuple_list *l, uint32_t at)
{
	return __atomic_load_n(&l->n_pairs[at / TUPLE_LANES], __ATOMIC_RELAXED);
}

static void filter_plain(struct tuple_search *c)
{
	const struct tuple_list *l = c->list;
	uint32_t n = chunk_size(c);

	c->pass = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = c->at + i;
		uint32_t h = lane_hash(l->lanes + (size_t)(at / TUPLE_LANES) * l->stride,
				       group_pairs(l, at), at % TUPLE_LANES, c->key);
		uint64_t word = filter_word(c->slots, h);

		c->hash[i] = h;
		c->pass |= ((word >> h % 64) & (word >> (h >> 6) % 64) & 1) << i;
	}
}

static bool always(void)
{
	return true;
}

/* ---- Vectors -------------------------------------------------------------------------- */

#ifdef HAVE_VECTORS

/* Lanes behind the last tuple hold anything. */
static uint64_t chunk_mask(const struct tuple_search *c)
{
	return ~0ull >> (64 - chunk_size(c));
}

__attribute__((target("avx2"))) static inline __m256i nh_avx2(__m256i h, uint64_t key,
							      const uint64_t *mask,
							      const uint64_t *salt)
{
	__m256i x = _mm256_and_si256(_mm256_set1_epi64x((long long)key),
				     _mm256_load_si256((const void *)mask));

	x = _mm256_add_epi32(x, _mm256_load_si256((const void *)salt));
	return _mm256_add_epi64(h, _mm256_mul_epu32(x, _mm256_srli_epi64(x, 32)));
}

/* Four tuples: their hashes into `hash`, and who passes. */
__attribute__((target("avx2"))) static inline unsigned four_avx2(const struct tuple_search *c,
								 __m256i h, uint32_t *hash)
{
	const struct tuple_slots *s = c->slots;
	const __m256i low = _mm256_set1_epi64x(UINT32_MAX), six = _mm256_set1_epi64x(63);
	__m256i word, at;

	h = _mm256_mul_epu32(_mm256_xor_si256(h, _mm256_srli_epi64(h, 32)),
			     _mm256_set1_epi64x((uint32_t)MIX));
	h = _mm256_and_si256(_mm256_xor_si256(h, _mm256_srli_epi64(h, 32)), low);
	_mm_store_si128((void *)hash, _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(
					      h, _mm256_setr_epi32(0, 2, 4, 6, 0, 0, 0, 0))));
	at = _mm256_srli_epi64(_mm256_mul_epu32(h, _mm256_set1_epi64x(s->n_filter)), 32);
	word = _mm256_i64gather_epi64((const long long *)s->filter, at, 8);
	word = _mm256_and_si256(
		_mm256_srlv_epi64(word, _mm256_and_si256(h, six)),
		_mm256_srlv_epi64(word, _mm256_and_si256(_mm256_srli_epi64(h, 6), six)));
	return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_slli_epi64(word, 63)));
}

__attribute__((target("avx2"))) static void filter_avx2(struct tuple_search *c)
{
	const struct tuple_list *l = c->list;
	const struct tuple_lanes *lanes = l->lanes + (size_t)(c->at / TUPLE_LANES) * l->stride;
	uint32_t n = chunk_size(c);
	uint64_t pass = 0;

	for (uint32_t i = 0; i < n; i += TUPLE_LANES, lanes += l->stride) {
		unsigned n_pairs = group_pairs(l, c->at + i);
		__m256i h[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};

		for (unsigned j = 0; j < 2 * n_pairs; j++) {
			const uint64_t *mask = lanes[j / 2].mask[j % 2];
			const uint64_t *salt = lanes[j / 2].salt[j % 2];

			h[0] = nh_avx2(h[0], c->key[j], mask, salt);
			h[1] = nh_avx2(h[1], c->key[j], mask + 4, salt + 4);
		}
		pass |= (uint64_t)four_avx2(c, h[0], c->hash + i) << i;
		pass |= (uint64_t)four_avx2(c, h[1], c->hash + i + 4) << (i + 4);
	}
	c->pass = pass & chunk_mask(c);
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

#endif

/* ---- Choosing ------------------------------------------------------------------------- */

const struct tuple_filter_form tuple_filter_forms[] = {
	{"plain", always, filter_plain},
#ifdef HAVE_VECTORS
	{"avx2", has_avx2, filter_avx2},
#endif
};
const unsigned n_tuple_filter_forms = ARRAY_SIZE(tuple_filter_forms);

void (*tuple_filter)(struct tuple_search *c);

void tuple_filter_choose(void)
{
	void (*best)(struct tuple_search * c) = filter_plain;

	if (tuple_filter)
		return;

	for (unsigned i = 0; i < n_tuple_filter_forms; i++)
		if (tuple_filter_forms[i].works())
			best = tuple_filter_forms[i].filter;
	tuple_filter = best;
}
