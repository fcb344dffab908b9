/* SPDX-License-Identifier: Apache-2.0 */
/* A record is a header of eight octets, then its octets padded to eight.  A record never wraps:
 * where it does not fit before the end of the memory, a header with SKIP sends the consumer to
 * the start.  A record of at most half the ring therefore always fits an empty ring. */
#include "lib/ring.h"

#include <errno.h>
#include <stdlib.h>

enum { HEADER = 8 };
#define SKIP UINT32_MAX

static inline uint32_t header_at(const struct ring *r, uint32_t at)
{
	uint32_t size;

	memcpy(&size, r->data + (at & (r->size - 1)), sizeof size);
	return size;
}

static inline void put_header(struct ring *r, uint32_t at, uint32_t size)
{
	memcpy(r->data + (at & (r->size - 1)), &size, sizeof size);
}

/* Octets from `at` to the end of the memory: a multiple of eight, never zero. */
static inline uint32_t before_end(const struct ring *r, uint32_t at)
{
	return r->size - (at & (r->size - 1));
}

int ring_init(struct ring *r, uint32_t size)
{
	uint32_t room = 4 * HEADER;

	*r = (struct ring){0};
	if (size > UINT32_C(1) << 31)
		return -ENOMEM;
	while (room < size)
		room *= 2;
	r->data = malloc(room);
	if (!r->data)
		return -ENOMEM;
	r->size = room;
	return 0;
}

void ring_destroy(struct ring *r)
{
	free(r->data);
	*r = (struct ring){0};
}

void *ring_reserve(struct ring *r, uint32_t size)
{
	uint32_t at = r->head, need, end;
	uint32_t used = at - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);

	/* A refusal leaves nothing for ring_submit(). */
	r->reserved = at;
	if (size > r->size / 2 - HEADER)
		return NULL;
	need = HEADER + ROUND_UP(size, 8);
	end = before_end(r, at);
	if (need > end) {
		if (end + need > r->size - used)
			return NULL;
		put_header(r, at, SKIP);
		at += end;
	} else if (need > r->size - used) {
		return NULL;
	}
	put_header(r, at, size);
	r->reserved = at + need;
	return r->data + (at & (r->size - 1)) + HEADER;
}

void ring_submit(struct ring *r)
{
	__atomic_store_n(&r->head, r->reserved, __ATOMIC_RELEASE);
}

/* Where the oldest record's header is; false when there is none.  A marker is published
 * together with the record behind it. */
static bool oldest(const struct ring *r, uint32_t *at)
{
	*at = r->tail;
	if (__atomic_load_n(&r->head, __ATOMIC_ACQUIRE) == *at)
		return false;
	if (header_at(r, *at) == SKIP)
		*at += before_end(r, *at);
	return true;
}

const void *ring_peek(struct ring *r, uint32_t *size)
{
	uint32_t at;

	if (!oldest(r, &at))
		return NULL;
	*size = header_at(r, at);
	return r->data + (at & (r->size - 1)) + HEADER;
}

void ring_release(struct ring *r)
{
	uint32_t at;

	if (!oldest(r, &at))
		return;
	at += HEADER + ROUND_UP(header_at(r, at), 8);
	__atomic_store_n(&r->tail, at, __ATOMIC_RELEASE);
}
