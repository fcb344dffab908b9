/* SPDX-License-Identifier: Apache-2.0 */
/* sample:N: one in N of the rule's packets is sampled (sample.h), beside what is sampled anyway.
 *
 * On the wire (experimenter action 2): two octets of padding, N. */
#include <inttypes.h>

#include "datapath/worker.h"
#include "lib/openflow.h"
#include "lib/options.h"

enum { EVERY_MAX = 1 << 30 };

static enum act_result run(struct worker *w, struct pkt *p, const struct op *op)
{
	sample_by_rule(w, p, op->arg);
	return ACT_NEXT;
}

static int put_op(struct buf *ops, uint64_t every, struct refusal *r)
{
	if (!every || every > EVERY_MAX)
		return refuse(r, ACTION_ARGUMENT, "sample",
			      "sample: one in %" PRIu64 " packets; 1 to %d would be accepted",
			      every, EVERY_MAX);
	op_put(ops, ACTION_SAMPLE, (uint32_t)every, 0);
	return 0;
}

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	uint64_t every;

	if (parse_u64(arg, &every))
		return refuse(r, ACTION_ARGUMENT, "sample",
			      "sample: '%.32s' is no number; sample:64 is one packet in 64", arg);
	return put_op(ops, every, r);
}

static void format(const struct op *op, struct buf *text)
{
	buf_printf(text, "sample:%" PRIu32, op->arg);
}

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	uint32_t every;

	pull(body, 2);
	every = pull_u32(body);
	if (body->failed || reader_left(body))
		return refuse(r, ACTION_LEN, "sample", "a sample action has 16 octets");
	return put_op(ops, every, r);
}

static void put(const struct op *op, struct buf *wire)
{
	buf_put(wire, 2);
	buf_u32(wire, op->arg);
}

const struct action_class act_sample = {
	.name = "sample",
	.of_type = OFPAT_EXPERIMENTER,
	.exp_type = SLUICE_AT_SAMPLE,
	.order = SET_NEVER,
	.run = run,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
};
