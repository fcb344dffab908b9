/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/csum.h"

static inline uint64_t word_at(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof w);
	return w;
}

/* One's complement addition modulo 2^64 - 1, of which 2^16 - 1 is a divisor: the carry comes
 * back in at the low end (RFC 1071, 2(B) and 2(C)). */
static inline uint64_t add_carry(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? sum + 1 : sum;
}

static inline uint32_t fold_64(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	return (uint32_t)((sum & UINT32_MAX) + (sum >> 32));
}

static inline uint16_t fold_32(uint32_t sum)
{
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

uint32_t csum_add(uint32_t sum, const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t a = sum, b = 0, tail = 0;

	/* Two chains, because one would wait for its own carry. */
	for (; size >= 32; p += 32, size -= 32) {
		a = add_carry(a, word_at(p));
		b = add_carry(b, word_at(p + 8));
		a = add_carry(a, word_at(p + 16));
		b = add_carry(b, word_at(p + 24));
	}
	for (; size >= 8; p += 8, size -= 8)
		a = add_carry(a, word_at(p));
	if (size) {
		/* Zeros behind the end weigh nothing, whatever the byte order. */
		memcpy(&tail, p, size);
		b = add_carry(b, tail);
	}
	return fold_64(add_carry(a, b));
}

be16 csum_finish(uint32_t sum)
{
	return (be16)~fold_32(sum);
}

uint32_t csum_pseudo(const void *src, const void *dst, size_t addr_size, uint8_t proto,
		     uint32_t len)
{
	uint8_t rest[8] = {0, 0, 0, proto};

	put_be32(rest + 4, len);
	return csum_add(csum_add(csum_add(0, src, addr_size), dst, addr_size), rest, sizeof rest);
}

be16 csum_update(be16 sum, const void *old, const void *fresh, size_t size)
{
	/* HC' = ~(~HC + ~m + m') */
	uint32_t less = (uint16_t)~sum + (uint32_t)(uint16_t)~fold_32(csum_add(0, old, size));

	return csum_finish(csum_add(less, fresh, size));
}
