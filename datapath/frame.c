/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/frame.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/pages.h"

int umem_create(struct umem *u, uint32_t n)
{
	u->n = n;
	u->base = pages_alloc((size_t)n * FRAME_SIZE);
	u->refs = pages_alloc(n * sizeof *u->refs);
	u->outer = pages_alloc(n * sizeof *u->outer);
	if (!u->base || !u->refs || !u->outer) {
		umem_destroy(u);
		return -ENOMEM;
	}
	return 0;
}

void umem_destroy(struct umem *u)
{
	pages_free(u->base, (size_t)u->n * FRAME_SIZE);
	pages_free(u->refs, u->n * sizeof *u->refs);
	pages_free(u->outer, u->n * sizeof *u->outer);
	*u = (struct umem){0};
}

int frame_pool_init(struct frame_pool *pool, struct umem *u, struct frame_range range)
{
	pool->umem = u;
	pool->free = calloc(range.n, sizeof *pool->free);
	if (!pool->free)
		return -ENOMEM;
	pool->n_free = pool->n_total = range.n;
	/* The stack's top is the lowest index, so that a quiet daemon touches few pages. */
	for (uint32_t i = 0; i < range.n; i++)
		pool->free[i] = range.first + range.n - 1 - i;
	return 0;
}

void frame_pool_destroy(struct frame_pool *pool)
{
	free(pool->free);
	*pool = (struct frame_pool){0};
}
