/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded single-producer single-consumer ring of variable-length records, lock-free.
 *
 * A record is `size` octets, 8-aligned.  The producer reserves, writes and submits; the consumer
 * peeks and releases.  A full ring refuses (NULL): what cannot be said is counted by the
 * caller, never waited for.  Each side owns its own index and reads the other's. */
#ifndef SLUICE_RING_H
#define SLUICE_RING_H

#include "lib/base.h"

struct ring {
	uint8_t *data;
	uint32_t size;               /* a power of two */
	CACHE_ALIGNED uint32_t head; /* the producer's: octets ever written, mod 2^32 */
	uint32_t reserved;           /* the producer's: where the open reservation ends */
	CACHE_ALIGNED uint32_t tail; /* the consumer's */
};

int ring_init(struct ring *r, uint32_t size); /* -ENOMEM; size is rounded up to a power of two */
void ring_destroy(struct ring *r);

void *ring_reserve(struct ring *r, uint32_t size); /* NULL when full or size + 8 > half the ring */
void ring_submit(struct ring *r);                  /* publishes the reservation */

const void *ring_peek(struct ring *r, uint32_t *size); /* the oldest record; NULL when empty */
void ring_release(struct ring *r);                     /* done with what ring_peek gave */

/* The producer's: octets that the consumer has not released. */
static inline uint32_t ring_used(const struct ring *r)
{
	return r->head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
}

static inline bool ring_empty(const struct ring *r)
{
	return __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) ==
	       __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
}

#endif
