/* SPDX-License-Identifier: Apache-2.0 */
/* The actions stage, and output with its reserved ports. */

#include "datapath/group.h"
#include "datapath/spine.h"
#include "lib/openflow.h"

/* The last op that takes the packet somewhere: behind it nothing can show any more, or may. */
static const struct op *last_output(const struct program *program)
{
	const struct op *last = NULL;

	OP_FOR_EACH(op, program->ops, program->apply_size)
	if (action_class(op->kind)->outputs) {
		last = op;
		if (action_class(op->kind)->ends)
			break;
	}
	return last;
}

/* One that could not be made is a packet that was made and dropped, so that the balance holds and
 * the loss has a name. */
struct pkt *copy_for_output(struct worker *w, const struct pkt *p)
{
	struct pkt *copy = pkt_clone(w, p);

	if (copy)
		return copy;
	counter_add(&w->n.made[MADE_CLONE], 1);
	counter_add(&w->n.dropped[DROP_NO_PACKET], 1);
	return NULL;
}

/* Controllers hear of TTLs that run out, and an action of the program's may find one. */
static bool may_tell(const struct worker *w, const struct program *program)
{
	if (likely(!__atomic_load_n(&w->dp->packet_in_ttl, __ATOMIC_RELAXED)))
		return false;
	OP_FOR_EACH(op, program->ops, program->apply_size)
	if (action_class(op->kind)->tells)
		return true;
	return false;
}

/* A path without output: its meters are met all the same (TS-023, 5.7), and what outlasts the
 * packet happens; everything, where it shows which TTL runs out (5.12).  Takes p. */
static void drop_path(struct worker *w, struct pkt *p, const struct program *program)
{
	bool all = may_tell(w, program);

	OP_FOR_EACH(op, program->ops, program->apply_size)
	{
		const struct action_class *class = action_class(op->kind);

		if (!all && op->kind != ACTION_METER && !class->effects)
			continue;
		if (program->rules)
			p->rule = program->rules[op->flags];
		if (class->run(w, p, op) == ACT_DONE)
			return;
	}
	drop(w, p, DROP_RULE);
}

/* What outlasts the packet and stands behind its last output is run while the packet is here. */
static void run_effects(struct worker *w, struct pkt *p, const struct program *program,
			const struct op *behind)
{
	OP_FOR_EACH(op, program->ops, program->apply_size)
	if (op > behind && unlikely(action_class(op->kind)->effects)) {
		trace(w, p, ACTION, op->kind, op->arg);
		action_class(op->kind)->run(w, p, op);
	}
}

/* Says whose action it is, and runs it on the packet or, if others follow its output, on a copy. */
static enum act_result run_op(struct worker *w, struct pkt *p, const struct path_rule *rules,
			      const struct op *op)
{
	const struct action_class *class = action_class(op->kind);
	struct pkt *to = p;

	trace(w, p, ACTION, op->kind, op->arg);
	if (rules)
		p->rule = rules[op->flags];
	if (class->outputs)
		to = copy_for_output(w, p);
	return to && class->run(w, to, op) == ACT_DONE && to == p ? ACT_DONE : ACT_NEXT;
}

enum act_result ops_run(struct worker *w, struct pkt *p, const struct path_rule *rules,
			const void *ops, size_t size)
{
	group_budget_begin(&w->group_budget);
	OP_FOR_EACH(op, ops, size)
	if (run_op(w, p, rules, op) == ACT_DONE)
		return ACT_DONE;
	return ACT_NEXT;
}

/* Takes p. */
static void run_program(struct worker *w, struct pkt *p)
{
	const struct program *program = p->program;
	const struct op *last = last_output(program);

	if (unlikely(p->sample))
		sample_path(w, p, program);
	if (!last) {
		drop_path(w, p, program);
		return;
	}
	group_budget_begin(&w->group_budget);
	OP_FOR_EACH(op, program->ops, program->apply_size)
	{
		if (op != last) {
			if (run_op(w, p, program->rules, op) == ACT_DONE)
				return;
			continue;
		}
		trace(w, p, ACTION, op->kind, op->arg);
		if (program->rules)
			p->rule = program->rules[op->flags];
		run_effects(w, p, program, last);
		action_class(op->kind)->run(w, p, op);
		return;
	}
}

void stage_actions(struct worker *w, struct batch *b)
{
	struct pkt *p;

	BATCH_FOR_EACH (p, b)
		run_program(w, p);
	b->n = 0;
	w->path_used = 0; /* the programs in the arena have been run */
}

/* ---- Output --------------------------------------------------------------------------- */

static void output_port(struct worker *w, struct pkt *p, struct port *port)
{
	if (!port)
		drop(w, p, DROP_PORT_GONE);
	else
		port_output(w, p, port);
}

static bool floods_to(const struct worker *w, const struct pkt *p, const struct port *port)
{
	return port && port->up && !port_forbids(port, OFPPC_PORT_DOWN | OFPPC_NO_FWD) &&
	       !(port->flags & (PORT_INTERNAL | PORT_CONN)) && port->id != p->in_port &&
	       port != rcu_get(w->dp->local);
}

/* To every port but the one it came from; the last one gets the packet itself. */
static void output_flood(struct worker *w, struct pkt *p)
{
	struct port *to = NULL;

	for (uint32_t id = 0; id < PORT_MAX; id++) {
		struct port *port = port_get(w->dp, id);
		struct pkt *copy;

		if (!floods_to(w, p, port))
			continue;
		if (to) {
			copy = copy_for_output(w, p);
			if (copy)
				port_output(w, copy, to);
		}
		to = port;
	}
	output_port(w, p, to);
}

/* A packet-in: its head, the key and the collected record, as an event.  A packet that controllers
 * may leave in a buffer goes along whole, but where only headers are for them. */
static void packet_in(struct worker *w, struct pkt *p, uint8_t reason, uint16_t max_len)
{
	struct event_packet_in event = {
		.rule_id = p->rule.id,
		.total_len = p->len,
		.max_len = max_len,
		.reason = reason,
		.table = p->rule.table,
		.flags = p->flags,
	};
	uint32_t held = MIN(p->len, (uint32_t)OFPCML_MAX);
	const struct port *in = port_get(w->dp, p->in_port);
	uint8_t octets[OFPCML_MAX];

	if (in && port_forbids(in, OFPPC_NO_PACKET_IN)) {
		drop(w, p, DROP_PORT_CONFIG);
		return;
	}
	if (w->dp->packet_in_headers)
		held = MIN(held, MIN(p->payload, max_len));
	event.held = (uint16_t)held;
	event.event = (struct event){EVENT_PACKET_IN, (uint32_t)sizeof event + held};
	event.key.du = p->key;
	event.key.outer = p->outer->key;
	pkt_copy_out(w, p, 0, held, octets);
	trace(w, p, PACKET_IN, event.reason, max_len);
	if (event_send(w, &event, sizeof event, octets, held))
		consume(w, p, CONSUME_TO_CONTROLLER);
	else
		drop(w, p, DROP_PACKET_IN_FULL);
}

void ttl_invalid(struct worker *w, struct pkt *p)
{
	if (__atomic_load_n(&w->dp->packet_in_ttl, __ATOMIC_RELAXED))
		packet_in(w, p, OFPR_INVALID_TTL, OFPCML_NO_BUFFER);
	else
		drop(w, p, DROP_TTL_EXPIRED);
}

/* Through the tables, from a packet-out (its program is not in the arena); a rule may not say so,
 * lest the packet go in circles. */
static void output_table(struct worker *w, struct pkt *p)
{
	struct batch b = {.n = 1, .pkt = {p}};

	if (p->rule.id == RULE_NONE)
		spine_rules(w, &b);
	else
		drop(w, p, DROP_ACTION_INVALID);
}

static void output_local(struct worker *w, struct pkt *p)
{
	struct port *local = rcu_get(w->dp->local);

	if (local)
		port_output(w, p, local);
	else
		drop(w, p, DROP_NO_HOST);
}

/* To a port of its own number; the standard wants IN_PORT said for the way back (TS-023, 7.2.1). */
static void output_numbered(struct worker *w, struct pkt *p, uint32_t ofport)
{
	struct port *port = port_by_ofport(w->dp, ofport);

	if (port && port->id == p->in_port)
		drop(w, p, DROP_IN_PORT);
	else
		output_port(w, p, port);
}

void output_run(struct worker *w, struct pkt *p, uint32_t ofport, uint16_t max_len)
{
	switch (ofport) {
	case OFPP_IN_PORT:
		output_port(w, p, port_get(w->dp, p->in_port));
		break;
	case OFPP_TABLE:
		output_table(w, p);
		break;
	case OFPP_NORMAL:
		normal_forward(w, p);
		break;
	case OFPP_FLOOD:
	case OFPP_ALL:
		output_flood(w, p);
		break;
	case OFPP_CONTROLLER:
		packet_in(w, p, p->rule.miss ? OFPR_NO_MATCH : OFPR_ACTION, max_len);
		break;
	case OFPP_LOCAL:
		output_local(w, p);
		break;
	default:
		output_numbered(w, p, ofport);
	}
}
