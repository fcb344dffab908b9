/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/bench/bench.h"

const struct scenario scenario_forward = {
	.name = "forward",
	.help = "rules send frames out by a port that only recycles them",
	.rules = all_rules,
	.traffic = all_traffic,
	.actions = "output:2",
	.cache = true,
};
