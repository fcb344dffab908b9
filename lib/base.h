/* SPDX-License-Identifier: Apache-2.0 */
/* The few words every file of sluice uses: integer types with a byte order in their name, and
 * the compiler's hints.  Nothing here knows about packets.
 *
 * be16, be32 and be64 hold network byte order.  Conversion happens at the edge only: where a
 * header is read or written (`get_be32`, `put_be32` for unaligned octets, `be32toh` for
 * members of an aligned structure). */
#ifndef SLUICE_BASE_H
#define SLUICE_BASE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t be16;
typedef uint32_t be32;
typedef uint64_t be64;

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define MAX(a, b)                       ((a) > (b) ? (a) : (b))
#define ROUND_UP(x, to)                 (((x) + (to)-1) / (to) * (to))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define CACHE_LINE             64
#define CACHE_ALIGNED          __attribute__((aligned(CACHE_LINE)))
#define ALWAYS_INLINE          inline __attribute__((always_inline))

#define NSEC_PER_USEC 1000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_SEC  1000000000ull

/* Unaligned access to octets of a header, in host order on this side. */
static inline uint16_t get_be16(const void *p)
{
	be16 v;
	memcpy(&v, p, sizeof v);
	return be16toh(v);
}

static inline uint32_t get_be32(const void *p)
{
	be32 v;
	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

static inline uint64_t get_be64(const void *p)
{
	be64 v;
	memcpy(&v, p, sizeof v);
	return be64toh(v);
}

static inline void put_be16(void *p, uint16_t host)
{
	be16 v = htobe16(host);
	memcpy(p, &v, sizeof v);
}

static inline void put_be32(void *p, uint32_t host)
{
	be32 v = htobe32(host);
	memcpy(p, &v, sizeof v);
}

static inline uint32_t get_le32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return le32toh(v);
}

static inline void put_le32(void *p, uint32_t host)
{
	uint32_t v = htole32(host);
	memcpy(p, &v, sizeof v);
}

static inline void put_be64(void *p, uint64_t host)
{
	be64 v = htobe64(host);
	memcpy(p, &v, sizeof v);
}

/* Zeroes, of a size that is known here and a multiple of 8: a few wide stores in a row, where the
 * compiler would take a string instruction that costs as much as a packet's whole parsing. */
#define ZERO_MAX 512
static inline __attribute__((always_inline)) void zero_words(void *p, size_t size)
{
	typedef uint64_t wide __attribute__((vector_size(16), aligned(8), may_alias));
	uint8_t *at = p;

#pragma GCC unroll 32
	for (size_t i = 0; i < ZERO_MAX / sizeof(wide); i++)
		if ((i + 1) * sizeof(wide) <= size)
			*(wide *)(at + i * sizeof(wide)) = (wide){0};
	if (size % sizeof(wide))
		*(uint64_t __attribute__((may_alias)) *)(at + size - 8) = 0;
}

/* The value of a hexadecimal digit, or -1. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Counters that one thread writes and others read: no read-modify-write instruction, no lock. */
static inline void counter_add(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *c)
{
	return __atomic_load_n(c, __ATOMIC_RELAXED);
}

#endif
