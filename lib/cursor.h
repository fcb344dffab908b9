/* SPDX-License-Identifier: Apache-2.0 */
/* Byte cursors: the one way to walk a message that a stranger wrote, and to write one.
 *
 * A reader never passes its end: a pull beyond it sets `failed`, gives zeros, and stays failed,
 * so a decoder may pull a whole header and test once before it believes any of it. */
#ifndef SLUICE_CURSOR_H
#define SLUICE_CURSOR_H

#include "lib/base.h"

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static inline struct reader reader_of(const void *data, size_t size)
{
	const uint8_t *at = data ? data : ""; /* NULL holds no octets, and no arithmetic */

	return (struct reader){at, at + size, false};
}

static inline size_t reader_left(const struct reader *r)
{
	return r->failed ? 0 : (size_t)(r->end - r->at);
}

/* `size` octets, or NULL (and failed). */
static inline const uint8_t *pull(struct reader *r, size_t size)
{
	const uint8_t *p = r->at;

	if (reader_left(r) < size || r->failed) {
		r->failed = true;
		return NULL;
	}
	r->at += size;
	return p;
}

static inline uint8_t pull_u8(struct reader *r)
{
	const uint8_t *p = pull(r, 1);
	return p ? *p : 0;
}

static inline uint16_t pull_u16(struct reader *r)
{
	const uint8_t *p = pull(r, 2);
	return p ? get_be16(p) : 0;
}

static inline uint32_t pull_u32(struct reader *r)
{
	const uint8_t *p = pull(r, 4);
	return p ? get_be32(p) : 0;
}

static inline uint64_t pull_u64(struct reader *r)
{
	const uint8_t *p = pull(r, 8);
	return p ? get_be64(p) : 0;
}

/* A reader over the next `size` octets, which the outer one then has behind it. */
static inline struct reader pull_reader(struct reader *r, size_t size)
{
	const uint8_t *p = pull(r, size);
	return p ? reader_of(p, size) : (struct reader){NULL, NULL, true};
}

/* A growing buffer; memory that runs out aborts the program (control side only). */
struct buf {
	uint8_t *data;
	size_t size, room;
};

void *buf_put(struct buf *b,
	      size_t size); /* `size` zeroed octets at the end; valid until the next put */
void buf_free(struct buf *b);

static inline void buf_u8(struct buf *b, uint8_t v)
{
	*(uint8_t *)buf_put(b, 1) = v;
}

static inline void buf_u16(struct buf *b, uint16_t v)
{
	put_be16(buf_put(b, 2), v);
}

static inline void buf_u32(struct buf *b, uint32_t v)
{
	put_be32(buf_put(b, 4), v);
}

static inline void buf_u64(struct buf *b, uint64_t v)
{
	put_be64(buf_put(b, 8), v);
}

static inline void buf_octets(struct buf *b, const void *data, size_t size)
{
	if (size)
		memcpy(buf_put(b, size), data, size);
}

/* Text is octets: appends without a terminating NUL; buf_text() gives a C string. */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *buf_text(struct buf *b);

#endif
