/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/bench/bench.h"

const char *const all_rules[] = {"1", "3", "1000x8", "1000five", "10000x64", "100000x64", NULL};
const char *const all_traffic[] = {"1", "1000", "100000", "spoof", "explode", NULL};

const struct scenario scenario_drop = {
	.name = "drop",
	.help = "frames come in, rules drop them",
	.rules = all_rules,
	.traffic = all_traffic,
	.actions = "drop",
	.cache = true,
};
