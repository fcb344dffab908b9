/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/bench/aggregates.h"

static const char *const rules[] = {"1", "3", "1000x8", "10000x64", NULL};

const struct scenario scenario_decap_iptfs = {
	.name = "decap-iptfs",
	.help = "sealed aggregates come in and are taken apart; rules drop their data units (a "
		"packet "
		"is one of 24 in an aggregate)",
	.rules = rules,
	.traffic = all_traffic,
	.actions = "drop",
	.in_ofport = AGG_OFPORT,
	.cache = true,
	.open = aggregates_open,
	.close = aggregates_close,
	.frame = aggregate_write,
	.packets_per_frame = AGG_UNITS,
};
