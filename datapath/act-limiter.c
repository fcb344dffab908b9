/* SPDX-License-Identifier: Apache-2.0 */
/* limiter:NAME: each key's packets at a rate of its own; what is above is dropped (limiter.h). */
#include "datapath/limiter.h"
#include "lib/openflow.h"

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	return limiter_parse(LIMITER, arg, ops, r);
}

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	return limiter_get(LIMITER, body, ops, r);
}

const struct action_class act_limiter = {
	.name = "limiter",
	.of_type = OFPAT_EXPERIMENTER,
	.exp_type = SLUICE_AT_LIMITER,
	.order = SET_NEVER,
	.run = limiter_run,
	.parse = parse,
	.format = limiter_format,
	.get = get,
	.put = limiter_put,
};
