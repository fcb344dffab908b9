/* SPDX-License-Identifier: Apache-2.0 */
/* 64 octets of each frame are copied: what anything that reads a packet's headers pays for having
 * them in its hands.  A bound to compare with. */
#include <string.h>

#include "utilities/bench/bench.h"

static const char *const rules[] = {"none", NULL}, *const traffic[] = {"spoof", NULL};

static void copy(struct cell *c)
{
	struct bed *b = c->bed;
	struct frame_pool *frames = &b->w->frames;
	uint8_t to[64];

	for (; b->at < b->n; b->at++) {
		uint32_t f = b->slot[b->at].frame;

		memcpy(to, frame_base(frames->umem, f) + FRAME_HEADROOM, sizeof to);
		__asm__ volatile("" ::"r"(to) : "memory");
		frame_unref(frames, f);
	}
}

const struct scenario scenario_copy64 = {
	.name = "copy64",
	.help = "64 octets a frame are copied, and nothing else: a bound to compare with",
	.rules = rules,
	.traffic = traffic,
	.actions = "drop",
	.run = copy,
	.no_verdicts = true,
};
