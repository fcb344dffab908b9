/* SPDX-License-Identifier: Apache-2.0 */
/* reject: the packet is dropped, and its sender told so.
 *
 *	reject   reject:tcp-rst   reject:icmp-admin   reject:icmp-port   reject:icmp-host
 *	reject:icmp-net
 *
 * Alone it is a reset for TCP, "administratively prohibited" for all else; answer.h says how an
 * answer looks, where it goes, and who gets none.  It ends the path as an output does: nothing
 * stands behind it, no table follows.  It is no early drop, because an answer needs the DU.
 *
 * The answers of all workers are bounded by one bucket (set-switch reject-max=N, a second): whoever
 * forges the source of a flood makes us throw no more than that at somebody else.  What is beyond
 * is dropped without an answer, and has a reason of its own.
 *
 * On the wire (experimenter action 7): enum answer_kind. */
#include "datapath/answer.h"
#include "datapath/worker.h"
#include "lib/openflow.h"

static const char *const words[N_ANSWERS] = {"",          "tcp-rst",   "icmp-admin",
					     "icmp-port", "icmp-host", "icmp-net"};

/* Whether there may be another answer now. */
static bool within_bound(struct worker *w)
{
	struct reject_bound *b = &w->reject;
	uint32_t max = __atomic_load_n(&w->dp->reject_max, __ATOMIC_RELAXED);

	if (!max)
		return false;
	if (unlikely(b->max != max)) {
		b->max = max;
		b->rate = bucket_rate(max, MAX(max / 10, 10u), 1);
	}
	return w->private_trace || bucket_take(w->dp->reject, &b->lease, &b->rate, w->now, 1);
}

static enum act_result run(struct worker *w, struct pkt *p, const struct op *op)
{
	if (!answer_allowed(w, p, op->arg)) {
		drop(w, p, DROP_REJECT);
	} else if (!within_bound(w)) {
		drop(w, p, DROP_REJECT_MAX);
	} else {
		answer_send(w, p, op->arg);
		drop(w, p, DROP_REJECT);
	}
	return ACT_DONE;
}

static int validate(const struct op *op, struct match *state, struct refusal *r)
{
	const struct field *port = &fields[FIELD_TCP_DST];

	if (op->arg != ANSWER_RST || match_meets(state, port))
		return 0;
	return refuse(
		r, MATCH_INCONSISTENT, "reject",
		"reject:tcp-rst: the match lacks what a reset needs: %s; reject alone answers "
		"each packet in its own way",
		field_needs(port));
}

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	for (unsigned i = 0; i < N_ANSWERS; i++)
		if (!strcmp(arg, words[i])) {
			op_put(ops, ACTION_REJECT, i, 0);
			return 0;
		}
	return refuse(r, ACTION_ARGUMENT, "reject",
		      "reject:%.32s is no answer; tcp-rst, icmp-admin, icmp-port, icmp-host, "
		      "icmp-net, or reject alone",
		      arg);
}

static void format(const struct op *op, struct buf *text)
{
	buf_printf(text, op->arg ? "reject:%s" : "reject", words[op->arg]);
}

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	uint16_t kind = pull_u16(body);

	pull(body, 4);
	if (body->failed || reader_left(body))
		return refuse(r, ACTION_LEN, "reject", "a reject action has 16 octets");
	if (kind >= N_ANSWERS)
		return refuse(r, ACTION_ARGUMENT, "reject",
			      "reject: answer %u is unknown; 0 to %d would be accepted", kind,
			      N_ANSWERS - 1);
	op_put(ops, ACTION_REJECT, kind, 0);
	return 0;
}

static void put(const struct op *op, struct buf *wire)
{
	buf_u16(wire, (uint16_t)op->arg);
	buf_put(wire, 4);
}

const struct action_class act_reject = {
	.name = "reject",
	.of_type = OFPAT_EXPERIMENTER,
	.exp_type = SLUICE_AT_REJECT,
	.order = SET_NEVER,
	.outputs = true,
	.ends = true,
	.run = run,
	.validate = validate,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
};
