/* SPDX-License-Identifier: Apache-2.0 */
/* A datapath for units: workers without threads, packets made of octets. */
#ifndef SLUICE_TESTS_BED_H
#define SLUICE_TESTS_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "datapath/spine.h"
#include "datapath/worker.h"

static inline void bed_up(struct datapath *dp, unsigned n_workers)
{
	const struct datapath_config config = {
		.n_workers = n_workers, .n_frames = 2048 * n_workers, .offline = true};

	assert_int_equal(datapath_init(dp, &config), 0);
}

/* Octets as a packet that was injected; every piece of `piece` octets is a segment. */
static inline struct pkt *bed_pkt(struct worker *w, const void *data, size_t size, size_t piece)
{
	struct pkt *p = pkt_new(w, FRAME_HEADROOM);
	size_t part = MIN(size, piece);

	assert_non_null(p);
	memcpy(p->data, data, part);
	p->seg[0].len = (uint16_t)part;
	p->len = (uint32_t)part;
	for (size_t at = part; at < size; at += part) {
		uint32_t f = frame_alloc(&w->frames);

		assert_true(f != FRAME_NONE);
		part = MIN(size - at, piece);
		memcpy(frame_base(w->frames.umem, f), (const uint8_t *)data + at, part);
		assert_int_equal(pkt_append(p, (struct seg){f, 0, (uint16_t)part}), 0);
	}
	pkt_injected(w, p, PORT_NONE);
	return p;
}

/* All frames are at home and all packets are free. */
static inline void bed_all_home(const struct worker *w)
{
	struct worker_held held;

	worker_held(w, &held);
	assert_int_equal(held.frames_free + held.frames_handoff, held.frames_total);
	assert_int_equal(held.packets_held, 0);
	assert_int_equal(w->n_free_pkts, w->n_pkts);
}

static inline void bed_bytes(const struct worker *w, const struct pkt *p, const void *data,
			     size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	assert_int_equal(p->len, size);
	pkt_copy_out(w, p, 0, (uint32_t)size, copy);
	assert_memory_equal(copy, data, size);
	free(copy);
}

#endif
