/* SPDX-License-Identifier: Apache-2.0 */
/* The worst traffic that was found: every generator is measured, the slowest is what counts. */
#include "utilities/bench/bench.h"

static const char *const rules[] = {"10000x64", "1000x8", "3", NULL};
static const char *const traffic[] = {"100000", "spoof", "explode", "cross",
				      "near",   "meet",  "miss",    NULL};

const struct scenario scenario_worst = {
	.name = "worst",
	.help = "dropped frames whose generator, of all there are, is the slowest",
	.rules = rules,
	.traffic = traffic,
	.actions = "drop",
	.cache = true,
	.slowest = true,
};
