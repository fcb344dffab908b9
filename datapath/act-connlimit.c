/* SPDX-License-Identifier: Apache-2.0 */
/* connlimit:NAME: each key's TCP connections at one time, and new ones a second (limiter.h). */
#include "datapath/limiter.h"
#include "lib/openflow.h"

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	return limiter_parse(CONNLIMIT, arg, ops, r);
}

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	return limiter_get(CONNLIMIT, body, ops, r);
}

const struct action_class act_connlimit = {
	.name = "connlimit",
	.of_type = OFPAT_EXPERIMENTER,
	.exp_type = SLUICE_AT_CONNLIMIT,
	.order = SET_NEVER,
	.run = connlimit_run,
	.parse = parse,
	.format = limiter_format,
	.get = get,
	.put = limiter_put,
};
