/* SPDX-License-Identifier: Apache-2.0 */
/* set_queue: no port has queues for its output (they are the kernel's, `tc`), so every number is
 * one of no queue (OFPBAC_BAD_QUEUE), and the action exists to say so. */
#include <inttypes.h>
#include <stdlib.h>

#include "datapath/action.h"
#include "lib/openflow.h"
#include "lib/options.h"

static int no_queue(uint32_t queue, struct refusal *r)
{
	return refuse(r, UNKNOWN_QUEUE, "set_queue",
		      "set_queue: no port has a queue %" PRIu32 ", or any; without set_queue it "
		      "would be accepted",
		      queue);
}

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	uint64_t queue;

	(void)ops;
	if (parse_u64(arg, &queue) || queue > UINT32_MAX)
		return refuse(r, ACTION_ARGUMENT, "set_queue", "set_queue: '%.32s' is no number",
			      arg);
	return no_queue((uint32_t)queue, r);
}

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	uint32_t queue = pull_u32(body);

	(void)ops;
	if (body->failed || reader_left(body))
		return refuse(r, ACTION_LEN, "set_queue", "a set_queue action has 8 octets");
	return no_queue(queue, r);
}

const struct action_class act_set_queue = {
	.name = "set_queue",
	.of_type = OFPAT_SET_QUEUE,
	.order = SET_QOS,
	.parse = parse,
	.get = get,
};
