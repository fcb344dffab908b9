/* SPDX-License-Identifier: Apache-2.0 */
/* Packing, hashing and the filter of a search, in three forms with one result: steps of one tuple,
 * and vectors of eight, which are hashed as two halves or as one. */
#include "datapath/tuple-search.h"

enum { MIX = 0x9e3779b1 }; /* odd, near the golden ratio */

static uint32_t chunk_size(const struct tuple_search *c)
{
	return MIN(c->n - c->at, (uint32_t)TUPLE_CHUNK);
}

/* The words of eight tuples, and how many there are of the longest. */
static const struct tuple_lanes *lanes_of(const struct tuple_list *l, uint32_t at)
{
	return l->lanes + (size_t)(at / TUPLE_LANES) * l->stride;
}

static unsigned words_of(const struct tuple_list *l, uint32_t at)
{
	return __atomic_load_n(&l->n_packed[at / TUPLE_LANES], __ATOMIC_RELAXED);
}

static inline const uint8_t *step_from(const struct pack_step *s, const struct key_view *key)
{
	return (const uint8_t *)key->part[s->part] + s->from;
}

/* ---- Anywhere ------------------------------------------------------------------------- */

void tuple_pack(const struct tuple_list *l, const struct key_view *key, uint64_t *packed)
{
	uint8_t *to = (uint8_t *)packed;

	memset(to, 0, ROUND_UP(l->n_octets, PACK_TO));
	for (unsigned i = 0; i < l->n_steps; i++) {
		const struct pack_step *s = &l->step[i];
		const uint8_t *from = step_from(s, key);

		for (unsigned j = 0; j < PACK_TO; j++)
			if (s->control[j] < PACK_FROM)
				to[j] = from[s->control[j]];
		to += s->last ? PACK_TO : 0;
	}
}

static uint64_t nh(uint64_t x, uint64_t salt)
{
	return (uint64_t)((uint32_t)x + (uint32_t)salt) * (uint32_t)((x >> 32) + (salt >> 32));
}

uint32_t tuple_hash(const struct tuple_list *l, uint32_t place, const uint64_t *packed)
{
	const struct tuple_lanes *lanes = lanes_of(l, place);
	unsigned n = words_of(l, place), lane = tuple_lane(place);
	uint64_t sum = 0;
	uint32_t h;

	for (unsigned i = 0; i < n; i++)
		sum += nh(packed[i] & lanes[i].mask[lane], lanes[i].salt[lane]);
	h = (uint32_t)(sum ^ sum >> 32) * MIX;
	return h ^ h >> 15;
}

static void filter_plain(struct tuple_search *c)
{
	uint32_t n = chunk_size(c);

	if (!c->at)
		tuple_pack(c->list, c->view, c->key);
	c->pass = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t h = tuple_hash(c->list, c->at + i, c->key);
		uint32_t bits = filter_bits(h);

		c->hash[i] = h;
		c->pass |= (uint64_t)((filter_word(c->slots, h) & bits) == bits) << i;
	}
}

static bool always(void)
{
	return true;
}

/* ---- Vectors -------------------------------------------------------------------------- */

#ifdef HAVE_VECTORS

#define AVX2 __attribute__((target("avx2"))) static inline

AVX2 void pack_avx2(const struct tuple_list *l, const struct key_view *key, uint64_t *packed)
{
	const struct pack_step *s = l->step, *end = s + l->n_steps;
	__m256i *to = (void *)packed;

	while (s < end) {
		__m256i block = _mm256_setzero_si256();

		do {
			__m256i from = _mm256_broadcastsi128_si256(
				_mm_loadu_si128((const void *)step_from(s, key)));

			block = _mm256_or_si256(
				block, _mm256_shuffle_epi8(
					       from, _mm256_load_si256((const void *)s->control)));
		} while (!s++->last);
		_mm256_store_si256(to++, block);
	}
}

AVX2 __m256i nh_avx2(__m256i sum, __m256i key, const uint64_t *mask, const uint64_t *salt)
{
	__m256i x = _mm256_and_si256(key, _mm256_load_si256((const void *)mask));

	x = _mm256_add_epi32(x, _mm256_load_si256((const void *)salt));
	return _mm256_add_epi64(sum, _mm256_mul_epu32(x, _mm256_srli_epi64(x, 32)));
}

/* Eight hashes: even tuples' sums folded into lower halves, odd ones' into upper ones. */
AVX2 __m256i mix_avx2(__m256i even, __m256i odd)
{
	__m256i h = _mm256_blend_epi32(_mm256_xor_si256(even, _mm256_srli_epi64(even, 32)),
				       _mm256_xor_si256(odd, _mm256_slli_epi64(odd, 32)), 0xaa);

	h = _mm256_mullo_epi32(h, _mm256_set1_epi32((int)MIX));
	return _mm256_xor_si256(h, _mm256_srli_epi32(h, 15));
}

/* hash_scale() */
AVX2 __m256i scale_avx2(__m256i h, uint32_t n)
{
	__m256i by = _mm256_set1_epi64x(n);

	return _mm256_blend_epi32(_mm256_srli_epi64(_mm256_mul_epu32(h, by), 32),
				  _mm256_mul_epu32(_mm256_srli_epi64(h, 32), by), 0xaa);
}

AVX2 unsigned pass_avx2(const struct tuple_slots *s, __m256i h)
{
	const __m256i low = _mm256_set1_epi32(31);
	__m256i word = _mm256_i32gather_epi32((const int *)s->filter, scale_avx2(h, s->n_filter),
					      sizeof s->filter[0]);

	word = _mm256_and_si256(
		_mm256_srlv_epi32(word, _mm256_and_si256(h, low)),
		_mm256_srlv_epi32(word, _mm256_and_si256(_mm256_srli_epi32(h, 5), low)));
	return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_slli_epi32(word, 31)));
}

/* Lanes behind the last tuple hold anything. */
AVX2 void filter_avx2(struct tuple_search *c)
{
	const struct tuple_list *l = c->list;
	const struct tuple_slots *slots = c->slots;
	const struct tuple_lanes *lanes = lanes_of(l, c->at);
	uint32_t n = chunk_size(c), at = c->at;
	uint64_t pass = 0;

	if (!at)
		pack_avx2(l, c->view, c->key);
	for (uint32_t i = 0; i < n; i += TUPLE_LANES, lanes += l->stride) {
		const struct tuple_lanes *lane = lanes, *end = lanes + words_of(l, at + i);
		const uint64_t *word = c->key;
		__m256i even = _mm256_setzero_si256(), odd = even, h;

		for (; lane < end; lane++, word++) {
			__m256i key = _mm256_set1_epi64x((long long)*word);

			even = nh_avx2(even, key, lane->mask, lane->salt);
			odd = nh_avx2(odd, key, lane->mask + 4, lane->salt + 4);
		}
		h = mix_avx2(even, odd);
		_mm256_store_si256((void *)(c->hash + i), h);
		pass |= (uint64_t)pass_avx2(slots, h) << i;
	}
	c->pass = pass & ~0ull >> (64 - n);
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

#define AVX512 __attribute__((target("avx2,avx512f,avx512vl"))) static inline

/* Eight hashes, in the order of tuples. */
AVX512 __m256i mix_avx512(__m512i sum)
{
	/* Of lanes, the lower halves: tuple_lane() times two. */
	const __m512i order = _mm512_setr_epi32(0, 8, 2, 10, 4, 12, 6, 14, 0, 0, 0, 0, 0, 0, 0, 0);
	__m512i h = _mm512_xor_si512(sum, _mm512_srli_epi64(sum, 32));

	h = _mm512_mul_epu32(h, _mm512_set1_epi64(MIX));
	h = _mm512_xor_si512(h, _mm512_srli_epi32(h, 15));
	return _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, h));
}

AVX512 void filter_avx512(struct tuple_search *c)
{
	const struct tuple_list *l = c->list;
	const struct tuple_slots *slots = c->slots;
	const struct tuple_lanes *lanes = lanes_of(l, c->at);
	uint32_t n = chunk_size(c), at = c->at;
	uint64_t pass = 0;

	if (!at)
		pack_avx2(l, c->view, c->key);
	for (uint32_t i = 0; i < n; i += TUPLE_LANES, lanes += l->stride) {
		const struct tuple_lanes *lane = lanes, *end = lanes + words_of(l, at + i);
		const uint64_t *word = c->key;
		__m512i sum = _mm512_setzero_si512();
		__m256i h;

		for (; lane < end; lane++, word++) {
			__m512i x = _mm512_and_si512(_mm512_set1_epi64((long long)*word),
						     _mm512_load_si512(lane->mask));

			x = _mm512_add_epi32(x, _mm512_load_si512(lane->salt));
			sum = _mm512_add_epi64(sum, _mm512_mul_epu32(x, _mm512_srli_epi64(x, 32)));
		}
		h = mix_avx512(sum);
		_mm256_store_si256((void *)(c->hash + i), h);
		pass |= (uint64_t)pass_avx2(slots, h) << i;
	}
	c->pass = pass & ~0ull >> (64 - n);
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       has_avx2();
}

#endif

/* ---- Choosing ------------------------------------------------------------------------- */

const struct tuple_filter_form tuple_filter_forms[] = {
	{"plain", always, filter_plain},
#ifdef HAVE_VECTORS
	{"avx2", has_avx2, filter_avx2},
	{"avx512", has_avx512, filter_avx512},
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
