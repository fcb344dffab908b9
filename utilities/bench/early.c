/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/bench/aggregates.h"

static const char *const rules[] = {"outer1", "outer1000x8", NULL};
static const char *const traffic[] = {"1", "1000", "spoof", NULL};

const struct scenario scenario_early = {
	.name = "early",
	.help = "aggregates that a rule on an outer field drops before decryption; their outer "
		"sources are the traffic's (a packet is an aggregate)",
	.rules = rules,
	.traffic = traffic,
	.actions = "drop",
	.in_ofport = AGG_OFPORT,
	.open = aggregates_open,
	.close = aggregates_close,
	.frame = aggregate_write_from,
};
