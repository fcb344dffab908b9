/* SPDX-License-Identifier: Apache-2.0 */
/* group:N: what the group says (group.h), when the packet comes to it. */
#include <inttypes.h>

#include "datapath/group.h"
#include "lib/openflow.h"
#include "lib/options.h"

static enum act_result run(struct worker *w, struct pkt *p, const struct op *op)
{
	group_run(w, p, op->arg);
	return ACT_DONE;
}

static int put_op(struct buf *ops, uint32_t group, struct refusal *r)
{
	if (group > OFPG_MAX)
		return refuse(r, BAD_OUT_GROUP, "group",
			      "group:0x%" PRIx32 " is no group; 0 to 0x%x are", group, OFPG_MAX);
	op_put(ops, ACTION_GROUP, group, 0);
	return 0;
}

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	uint64_t group;

	if (parse_u64(arg, &group) || group > UINT32_MAX)
		return refuse(r, ACTION_ARGUMENT, "group",
			      "group: '%.32s' is no number of a group; as in group:5", arg);
	return put_op(ops, (uint32_t)group, r);
}

static void format(const struct op *op, struct buf *text)
{
	buf_printf(text, "group:%" PRIu32, op->arg);
}

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	uint32_t group = pull_u32(body);

	if (body->failed || reader_left(body))
		return refuse(r, ACTION_LEN, "group", "a group action has 8 octets");
	return put_op(ops, group, r);
}

static void put(const struct op *op, struct buf *wire)
{
	buf_u32(wire, op->arg);
}

const struct action_class act_group = {
	.name = "group",
	.of_type = OFPAT_GROUP,
	.order = SET_GROUP,
	.outputs = true,
	.run = run,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
};
