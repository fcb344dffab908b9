/* SPDX-License-Identifier: Apache-2.0 */
/* A meter whose rate is so high that nothing is dropped, but every packet is asked for. */
#include "utilities/bench/bench.h"

static const char *const rules[] = {"1", "1000x8", NULL};
static const char *const traffic[] = {"1", "1000", "100000", "spoof", NULL};

static void meter_open(struct bed *b)
{
	bed_verb(b, "add-meter meter=1,pktps,bands=type=drop,rate=100000000");
}

const struct scenario scenario_meter = {
	.name = "meter",
	.help = "as forward, behind a meter that lets everything pass",
	.rules = rules,
	.traffic = traffic,
	.actions = "meter:1,output:2",
	.cache = true,
	.open = meter_open,
};
