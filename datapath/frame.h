/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: the memory that packets live in.
 *
 * One UMEM holds every frame of the daemon: `n` chunks of FRAME_SIZE octets, handed to AF_XDP as
 * they are.  A frame is named by its index; its reference count and, where it came with an
 * aggregate, the collected record (`struct outer`) that its data units share sit in parallel arrays
 * by the same index, never in the chunk, so that no packet can write over them.
 *
 * Ownership.  Each frame has a home worker; only that worker allocates it, changes its count
 * and frees it.  A packet that moves to another worker is copied into a frame of the receiver's
 * (handoff.h).  Hence no atomics here.  For every worker, at every batch edge,
 *
 *	free + in fill rings + in rx rings + held + (tx submitted - completed) = total
 *
 * which tests/ hold to.  A count above one means shared: read only (pkt_own() copies). */
#ifndef SLUICE_FRAME_H
#define SLUICE_FRAME_H

#include "datapath/key.h"

enum {
	FRAME_SIZE = 4096,    /* one page: igb and jumbo frames want no less */
	FRAME_HEADROOM = 256, /* what XDP leaves in front of a received frame */
	FRAME_NONE = -1u,
};

struct umem {
	uint8_t *base;
	uint32_t n;
	/* By frame. */
	uint32_t *refs;
	struct outer *outer;
};

struct frame_pool {
	struct umem *umem;
	uint32_t *free; /* a stack of indices */
	uint32_t n_free, n_total;
};

/* `n` frames of zeroed memory, page-aligned; -ENOMEM. */
int umem_create(struct umem *u, uint32_t n);
void umem_destroy(struct umem *u);

struct frame_range {
	uint32_t first, n;
};

/* Gives a worker a range of frames; -ENOMEM. */
int frame_pool_init(struct frame_pool *pool, struct umem *u, struct frame_range range);
void frame_pool_destroy(struct frame_pool *pool);

/* FRAME_NONE when the pool is empty; the count is one. */
static inline uint32_t frame_alloc(struct frame_pool *pool)
{
	uint32_t f;

	if (unlikely(!pool->n_free))
		return FRAME_NONE;
	f = pool->free[--pool->n_free];
	pool->umem->refs[f] = 1;
	return f;
}

static inline void frame_ref(struct frame_pool *pool, uint32_t f)
{
	pool->umem->refs[f]++;
}

static inline void frame_unref(struct frame_pool *pool, uint32_t f)
{
	if (!--pool->umem->refs[f])
		pool->free[pool->n_free++] = f;
}

static inline uint8_t *frame_base(const struct umem *u, uint32_t f)
{
	return u->base + (size_t)f * FRAME_SIZE;
}

#endif
