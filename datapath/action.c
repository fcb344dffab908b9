/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/action.h"

#include <errno.h>
#include <stdlib.h>

#include "datapath/table.h"
#include "lib/hash.h"
#include "lib/openflow.h"

#define ACTION(ID, OBJECT) extern const struct action_class OBJECT;
#include "datapath/actions.def"
#undef ACTION

static const struct action_class *const classes[N_ACTIONS] = {
#define ACTION(ID, OBJECT) [ACTION_##ID] = &OBJECT,
#include "datapath/actions.def"
#undef ACTION
};

const struct action_class *action_class(enum action_kind kind)
{
	return classes[kind];
}

/* What the octets behind a changed type or protocol say, only they know. */
bool op_reshapes(const struct op *op)
{
	if (op->kind != ACTION_SET_FIELD)
		return classes[op->kind]->reshapes;
	switch (op->arg) {
	case FIELD_ETH_TYPE:
	case FIELD_IP_PROTO:
	case FIELD_ICMPV6_TYPE:
	case FIELD_ICMPV6_CODE:
		return true;
	default:
		return false;
	}
}

struct op *op_put(struct buf *ops, enum action_kind kind, uint32_t arg, size_t data_size)
{
	size_t size = ROUND_UP(sizeof(struct op) + data_size, 8);
	struct op *op = buf_put(ops, size);

	op->kind = (uint8_t)kind;
	op->size = (uint16_t)size;
	op->arg = arg;
	return op;
}

bool actions_output_to(const void *ops, size_t size, uint32_t ofport)
{
	OP_FOR_EACH(op, ops, size)
	if (op->kind == ACTION_OUTPUT && op->arg == ofport)
		return true;
	return false;
}

bool actions_group_to(const void *ops, size_t size, uint32_t group)
{
	OP_FOR_EACH(op, ops, size)
	if (op->kind == ACTION_GROUP && (group == OFPG_ANY || op->arg == group))
		return true;
	return false;
}

/* Another of its kind (and field) follows, or a group where this is an output. */
static bool is_replaced(const struct op *op, const void *ops, size_t size)
{
	OP_FOR_EACH(other, ops, size)
	{
		if (op->kind == ACTION_OUTPUT && other->kind == ACTION_GROUP)
			return true;
		if (other > op && op_same_in_set(op, other))
			return true;
	}
	return false;
}

void actions_as_set(const void *ops, size_t size, struct buf *set)
{
	for (unsigned order = 0; order < N_SET_ORDERS; order++)
		OP_FOR_EACH(op, ops, size)
	if (classes[op->kind]->order == order && !is_replaced(op, ops, size))
		buf_octets(set, op, op->size);
}

void instructions_free(struct instructions *i)
{
	buf_free(&i->apply);
	buf_free(&i->write);
	*i = (struct instructions){0};
}

/* ---- Programs ------------------------------------------------------------------------ */

static bool any_effect(const struct buf *ops)
{
	OP_FOR_EACH(op, ops->data, ops->size)
	if (classes[op->kind]->outputs || classes[op->kind]->effects || classes[op->kind]->tells)
		return true;
	return false;
}

static struct program *program_new(const struct instructions *i)
{
	const struct op meter = {.kind = ACTION_METER, .size = sizeof meter, .arg = i->meter};
	size_t head = i->meter ? sizeof meter : 0;
	struct program *p = calloc(1, sizeof *p + head + i->apply.size + i->write.size);

	if (!p)
		abort();
	p->clear = i->clear;
	p->has_goto = i->has_goto;
	p->goto_table = i->goto_table;
	p->meter = i->meter;
	p->metadata = htobe64(i->metadata & i->metadata_mask);
	p->metadata_mask = htobe64(i->metadata_mask);
	p->apply_size = (uint16_t)(head + i->apply.size);
	p->write_size = (uint16_t)i->write.size;
	memcpy(p->ops, &meter, head);
	if (i->apply.size)
		memcpy(p->ops + head, i->apply.data, i->apply.size);
	if (i->write.size)
		memcpy(p->ops + p->apply_size, i->write.data, i->write.size);
	if (!i->has_goto && !i->write.size) {
		if (!i->meter && !any_effect(&i->apply))
			p->flags |= PROGRAM_DROPS;
		if (!i->clear && !i->metadata_mask)
			p->flags |= PROGRAM_PLAIN;
	}
	return p;
}

/* All there are: most rules of a set do the same. */
static struct rmap programs;

static size_t program_size(const struct program *p)
{
	return (size_t)p->apply_size + p->write_size;
}

static uint32_t program_hash(const struct program *p)
{
	uint64_t h = hash_add(hash_seed, hash_bytes(p, offsetof(struct program, users)));

	return hash_finish(hash_add(h, hash_bytes(p->ops, program_size(p))));
}

/* Padding is zero: it comes from calloc(). */
static bool program_equal(const struct program *a, const struct program *b)
{
	return !memcmp(a, b, offsetof(struct program, users)) &&
	       !memcmp(a->ops, b->ops, program_size(a));
}

struct program *program_compile(const struct instructions *i)
{
	struct program *p = program_new(i);
	uint32_t hash = program_hash(p);
	struct rmap_node *n;

	if (!programs.slots)
		rmap_init(&programs);
	RMAP_FOR_EACH (n, &programs, hash) {
		struct program *other = container_of(n, struct program, node);

		if (program_equal(p, other)) {
			free(p);
			other->users++;
			return other;
		}
	}
	p->users = 1;
	rmap_insert(&programs, &p->node, hash);
	return p;
}

void program_free(struct program *p)
{
	if (p && p->users) {
		if (--p->users)
			return;
		rmap_remove(&programs, &p->node);
		if (!programs.n)
			rmap_destroy(&programs);
	}
	free(p);
}

/* ---- Admission ----------------------------------------------------------------------- */

static int check_output(uint32_t port, const struct switch_limits *limits, struct refusal *r)
{
	if (port == OFPP_TABLE && !limits->to_table)
		return refuse(r, BAD_OUT_PORT, "output",
			      "output to TABLE is for packet-outs; a rule says goto_table:N");
	if (port && port < OFPP_MAX && limits->port_exists && !limits->port_exists(port))
		return refuse(r, BAD_OUT_PORT, "output", "there is no port %u", port);
	return 0;
}

static int check_target(const struct op *op, const struct switch_limits *limits, struct refusal *r)
{
	if (op->kind == ACTION_OUTPUT)
		return check_output(op->arg, limits, r);
	if (op->kind == ACTION_GROUP && limits->group_exists && !limits->group_exists(op->arg))
		return refuse(r, BAD_OUT_GROUP, "group", "there is no group %u", op->arg);
	return 0;
}

int actions_check_targets(const void *ops, size_t size, const struct switch_limits *limits,
			  struct refusal *r)
{
	OP_FOR_EACH(op, ops, size)
	if (check_target(op, limits, r))
		return -EINVAL;
	return 0;
}

/* What ends the path has nothing behind it, in its list or in other tables. */
static int check_end(const struct instructions *i, const struct op *op, struct refusal *r)
{
	const uint8_t *end = i->apply.data + i->apply.size;

	if (!classes[op->kind]->ends ||
	    ((const uint8_t *)op + op->size == end && !i->write.size && !i->has_goto))
		return 0;
	return refuse(r, BAD_ACTION, classes[op->kind]->name,
		      "%s ends the path; as the last action, without write_actions or goto_table, "
		      "it would be accepted",
		      classes[op->kind]->name);
}

static int check_op(const struct op *op, struct match *state, const struct switch_limits *limits,
		    struct refusal *r)
{
	const struct action_class *class = classes[op->kind];
	int error = class->validate ? class->validate(op, state, r) : 0;

	return error ? error : check_target(op, limits, r);
}

static int check_actions(const struct instructions *i, const struct match *m,
			 const struct switch_limits *limits, struct refusal *r)
{
	struct match state = *m;
	int error;

	OP_FOR_EACH(op, i->apply.data, i->apply.size)
	{
		error = check_op(op, &state, limits, r);
		error = error ? error : check_end(i, op, r);
		if (error)
			return error;
	}
	OP_FOR_EACH(op, i->write.data, i->write.size)
	if (classes[op->kind]->order == SET_NEVER)
		return refuse(r, BAD_ACTION, classes[op->kind]->name,
			      "%s cannot be in an action set; in the apply list it would be "
			      "accepted",
			      classes[op->kind]->name);
	/* An action set is run in its own order (TS-023, 5.10). */
	for (unsigned order = 0; order < N_SET_ORDERS; order++)
		OP_FOR_EACH(op, i->write.data, i->write.size)
		{
			error = classes[op->kind]->order == order ? check_op(op, &state, limits, r)
								  : 0;
			if (error)
				return error;
		}
	return 0;
}

int instructions_validate(const struct instructions *i, const struct match *m,
			  const struct switch_limits *limits, struct refusal *r)
{
	if (i->meter && !(limits->meter_exists && limits->meter_exists(i->meter)))
		return refuse(r, UNKNOWN_METER, "meter", "there is no meter %u", i->meter);
	if (i->has_goto && !i->goto_table && limits->table != TABLE_GUARD)
		return refuse(r, BAD_GOTO, "goto_table",
			      "pass (goto_table:0) is for the guard; from table %u a higher table "
			      "would be accepted",
			      limits->table);
	if (i->has_goto && i->goto_table && i->goto_table <= limits->table)
		return refuse(
			r, BAD_GOTO, "goto_table",
			"goto_table:%u goes back or nowhere from table %u; a higher table would "
			"be accepted",
			i->goto_table, limits->table);
	if (i->has_goto && i->goto_table >= limits->n_tables)
		return refuse(r, BAD_GOTO, "goto_table", "there is no table %u; %u is the last one",
			      i->goto_table, limits->n_tables - 1u);
	if (i->apply.size + i->write.size > PATH_OPS / 2)
		return refuse(r, TOO_MANY_ACTIONS, NULL,
			      "the rule's actions take %zu octets; up to %d would be accepted",
			      i->apply.size + i->write.size, PATH_OPS / 2);
	return check_actions(i, m, limits, r);
}
