/* SPDX-License-Identifier: Apache-2.0 */
/* A select group of four buckets, which all lead to the one port there is. */
#include "utilities/bench/bench.h"

static const char *const rules[] = {"1", "1000x8", NULL};
static const char *const traffic[] = {"1", "1000", "100000", "spoof", NULL};

static void group_open(struct bed *b)
{
	bed_verb(b, "add-group group_id=1,type=select"
		    ",bucket=output:2,bucket=set_field:1->ip_dscp,output:2"
		    ",bucket=set_field:2->ip_dscp,output:2,bucket=set_field:3->ip_dscp,output:2");
}

const struct scenario scenario_group = {
	.name = "group",
	.help = "as forward, by a select group of four buckets, three of which set the DSCP",
	.rules = rules,
	.traffic = traffic,
	.actions = "group:1",
	.cache = true,
	.open = group_open,
};
