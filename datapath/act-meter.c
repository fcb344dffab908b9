/* SPDX-License-Identifier: Apache-2.0 */
/* meter: the instruction meter:N as an op, at the head of its rule's part of the path (action.c
 * puts it there, in the order of TS-023, 5.5).  It is no action: neither FLOW text nor a message
 * can have it in a list of actions.
 *
 * What a band remarks is the packet alone: tables behind a goto_table match the code point that
 * it came with, for the path is composed before anything is run. */
#include "datapath/meter.h"
#include "datapath/worker.h"

static bool is_ip(const struct pkt *p)
{
	return p->key.eth_type == htobe16(0x0800) || p->key.eth_type == htobe16(0x86dd);
}

static enum act_result remark(struct worker *w, struct pkt *p, uint8_t levels)
{
	struct field_value v = {.field = &fields[FIELD_IP_DSCP]};
	uint8_t raised = dscp_raise(p->key.ip_dscp, levels);

	if (!is_ip(p) || raised == p->key.ip_dscp)
		return ACT_NEXT;
	v.value[0] = raised;
	field_ones(v.field, v.mask);
	return set_field_run(w, p, &v);
}

static enum act_result run(struct worker *w, struct pkt *p, const struct op *op)
{
	const struct meter *m = meter_of(w, op->arg);
	const struct meter_band *band;

	if (!m || m->aggregate)
		return ACT_NEXT;
	band = meter_run(w, p, m);
	if (!band) {
		trace(w, p, METER_PASS, m->number, 0);
		return ACT_NEXT;
	}
	if (!band->drops) {
		trace(w, p, METER_REMARK, m->number, band->given);
		return remark(w, p, band->prec_level);
	}
	trace(w, p, METER_DROP, m->number, band->given);
	drop(w, p, DROP_METER);
	return ACT_DONE;
}

static int no_action(struct refusal *r)
{
	return refuse(r, BAD_ACTION, "meter",
		      "meter is an instruction; it stands beside the actions of a rule, once");
}

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	(void)arg, (void)ops;
	return no_action(r);
}

static void format(const struct op *op, struct buf *text)
{
	buf_printf(text, "meter:%u", op->arg);
}

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	(void)body, (void)ops;
	return no_action(r);
}

/* Never asked: no list of actions that is written has it. */
static void put(const struct op *op, struct buf *wire)
{
	(void)op, (void)wire;
}

const struct action_class act_meter = {
	.name = "meter",
	.of_type = -1,
	.order = SET_NEVER,
	.run = run,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
};
