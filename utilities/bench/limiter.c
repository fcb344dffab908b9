/* SPDX-License-Identifier: Apache-2.0 */
/* A limit for each source and port: the rate is so high that nothing is dropped, but every packet
 * is asked for.  Sources that never repeat want more keys than there are. */
#include "utilities/bench/bench.h"

static const char *const rules[] = {"1", "1000x8", NULL};
static const char *const traffic[] = {"1", "1000", "100000", "spoof", NULL};

static void limiter_open(struct bed *b)
{
	bed_verb(b, "add-limiter each by=src,dport rate=100mpps");
}

const struct scenario scenario_limiter = {
	.name = "limiter",
	.help = "as forward, behind a limiter by source and port that lets everything pass",
	.rules = rules,
	.traffic = traffic,
	.actions = "limiter:each,output:2",
	.cache = true,
	.open = limiter_open,
};
