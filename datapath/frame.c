/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

int umem_create(struct umem *u, uint32_t n)
{
	u->n = n;
	u->base = mmap(NULL, (size_t)n * FRAME_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (u->base == MAP_FAILED) {
		u->base = NULL;
		return -ENOMEM;
	}
	u->frame = calloc(n, sizeof *u->frame);
	if (!u->frame) {
		umem_destroy(u);
		return -ENOMEM;
	}
	return 0;
}

void umem_destroy(struct umem *u)
{
	if (u->base)
		munmap(u->base, (size_t)u->n * FRAME_SIZE);
	free(u->frame);
	*u = (struct umem){0};
}

int frame_pool_init(struct frame_pool *pool, struct umem *u, uint16_t home,
		    struct frame_range range)
{
	pool->umem = u;
	pool->free = calloc(range.n, sizeof *pool->free);
	if (!pool->free)
		return -ENOMEM;
	pool->n_free = pool->n_total = range.n;
	/* The stack's top is the lowest index, so that a quiet daemon touches few pages. */
	for (uint32_t i = 0; i < range.n; i++) {
		uint32_t f = range.first + range.n - 1 - i;

		pool->free[i] = f;
		u->frame[f].home = home;
	}
	return 0;
}

void frame_pool_destroy(struct frame_pool *pool)
{
	free(pool->free);
	*pool = (struct frame_pool){0};
}
