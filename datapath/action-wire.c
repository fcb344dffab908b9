/* SPDX-License-Identifier: Apache-2.0 */
/* Actions and instructions on the wire (TS-023, 7.2.4 and 7.2.5). */
#include <stdlib.h>

#include "datapath/action.h"
#include "lib/openflow.h"

/* ---- Nicira's loads ------------------------------------------------------------------ */

/* OpenFlow 1.3 cannot set a part of a field.  Open vSwitch's tools say that by experimenter actions
 * (its ofp-actions.c: NXAST_REG_LOAD, NXAST_REG_LOAD2), so we read both and write the second. */
enum { NX_EXPERIMENTER = 0x2320, NX_REG_LOAD = 7, NX_REG_LOAD2 = 33 };

static int get_reg_load2(struct reader *body, struct buf *ops, struct refusal *r)
{
	struct field_value v;
	int error = field_get_oxm(body, &v, r);

	if (error) {
		if (r)
			r->code = r->code == REFUSED_BAD_FIELD ? REFUSED_SET_TYPE : REFUSED_SET_LEN;
		return error;
	}
	if (reader_left(body) >= 8)
		return refuse(r, SET_LEN, v.field->name,
			      "reg_load2 has more than its field and padding to 8 octets");
	return set_field_put(ops, &v, r);
}

/* Bits [first, first + n) of a field: n - 1 in the low six bits of the range, first in the others.
 */
static int get_reg_load(struct reader *body, struct buf *ops, struct refusal *r)
{
	uint16_t range = pull_u16(body);
	unsigned first = range >> 6, n = (range & 63) + 1u;
	uint16_t oxm_class = pull_u16(body), number = pull_u16(body) >> 9;
	uint64_t value = pull_u64(body);
	struct field_value v = {.has_mask = true};

	if (body->failed || reader_left(body))
		return refuse(r, ACTION_LEN, "load", "a reg_load action has 24 octets");
	if (oxm_class != OFPXMC_EXPERIMENTER)
		v.field = field_by_oxm(oxm_class, (uint8_t)number, 0);
	if (!v.field)
		return refuse(r, SET_TYPE, "load", "load: field %u of OXM class 0x%04x is unknown",
			      number, oxm_class);
	if (first + n > v.field->bits || (n < 64 && value >> n))
		return refuse(r, SET_ARGUMENT, v.field->name, "load: bits outside %s or the range",
			      v.field->name);
	if (v.field->mask == MASK_NONE && n != v.field->bits)
		return refuse(
			r, SET_ARGUMENT, v.field->name,
			"load: %s is set whole or not at all; all its %u bits would be accepted",
			v.field->name, v.field->bits);
	for (unsigned i = 0; i < n; i++) {
		unsigned bit = first + i, octet = v.field->size - 1u - bit / 8;

		v.mask[octet] |= 1u << bit % 8;
		v.value[octet] |= (value >> i & 1u) << bit % 8;
	}
	return set_field_put(ops, &v, r);
}

/* ---- Actions ------------------------------------------------------------------------- */

static int get_experimenter(struct reader *body, struct buf *ops, struct refusal *r)
{
	uint32_t experimenter = pull_u32(body);
	uint16_t type = pull_u16(body);

	if (body->failed)
		return refuse(r, ACTION_LEN, NULL, "an experimenter action of less than 16 octets");
	if (experimenter == NX_EXPERIMENTER && type == NX_REG_LOAD)
		return get_reg_load(body, ops, r);
	if (experimenter == NX_EXPERIMENTER && type == NX_REG_LOAD2)
		return get_reg_load2(body, ops, r);
	if (experimenter != SLUICE_EXPERIMENTER)
		return refuse(r, ACTION_EXPERIMENTER, NULL,
			      "action %u of experimenter 0x%08x is unknown", type, experimenter);
	for (unsigned i = 0; i < N_ACTIONS; i++)
		if (action_class(i)->of_type == OFPAT_EXPERIMENTER &&
		    action_class(i)->exp_type == type)
			return action_class(i)->get(body, ops, r);
	return refuse(r, ACTION_EXP_TYPE, NULL, "experimenter action %u is unknown", type);
}

static int get_action(struct reader *wire, struct buf *ops, struct refusal *r)
{
	uint16_t type = pull_u16(wire), size = pull_u16(wire);
	struct reader body;

	if (wire->failed || size < 8 || size % 8 || size - 4u > reader_left(wire))
		return refuse(r, ACTION_LEN, NULL,
			      "an action of %u octets; a multiple of 8 within its list would be "
			      "accepted",
			      size);
	body = pull_reader(wire, size - 4u);
	if (type == OFPAT_EXPERIMENTER)
		return get_experimenter(&body, ops, r);
	for (unsigned i = 0; i < N_ACTIONS; i++)
		if (action_class(i)->of_type == type)
			return action_get(i, &body, ops, r);
	return refuse(r, BAD_ACTION, NULL, "actions of type %u are not supported", type);
}

int actions_get(struct reader *wire, struct buf *ops, struct refusal *r)
{
	while (reader_left(wire)) {
		int error = get_action(wire, ops, r);

		if (error)
			return error;
		if (ops->size > PATH_OPS / 2)
			return refuse(r, TOO_MANY_ACTIONS, NULL,
				      "more actions than the %d octets of a rule hold",
				      PATH_OPS / 2);
	}
	return 0;
}

void actions_put(const void *ops, size_t size, struct buf *wire)
{
	OP_FOR_EACH(op, ops, size)
	{
		const struct action_class *class = action_class(op->kind);
		bool load = op->kind == ACTION_SET_FIELD && set_field_by_load(op);
		size_t start = wire->size, length;

		buf_u16(wire, load ? OFPAT_EXPERIMENTER : (uint16_t) class->of_type);
		buf_u16(wire, 0);
		if (load) {
			buf_u32(wire, NX_EXPERIMENTER);
			buf_u16(wire, NX_REG_LOAD2);
		} else if (class->of_type == OFPAT_EXPERIMENTER) {
			buf_u32(wire, SLUICE_EXPERIMENTER);
			buf_u16(wire, class->exp_type);
		}
		action_put(op, wire);
		length = ROUND_UP(wire->size - start, 8u);
		buf_put(wire, start + length - wire->size);
		put_be16(wire->data + start + 2, (uint16_t)length);
	}
}

/* ---- Instructions -------------------------------------------------------------------- */

static int get_goto(struct reader *body, struct instructions *i, struct refusal *r)
{
	i->goto_table = pull_u8(body);
	i->has_goto = true;
	pull(body, 3);
	if (i->goto_table > OFPTT_MAX)
		return refuse(r, BAD_GOTO, "goto_table", "goto_table:%u is no table",
			      i->goto_table);
	return 0;
}

static int get_metadata(struct reader *body, struct instructions *i)
{
	pull(body, 4);
	i->metadata = pull_u64(body);
	i->metadata_mask = pull_u64(body);
	i->metadata &= i->metadata_mask;
	return 0;
}

static int get_actions(struct reader *body, struct buf *ops, struct refusal *r)
{
	pull(body, 4);
	return body->failed ? 0 : actions_get(body, ops, r);
}

static int get_instruction_body(uint16_t type, struct reader *body, struct instructions *i,
				struct refusal *r)
{
	switch (type) {
	case OFPIT_GOTO_TABLE:
		return get_goto(body, i, r);
	case OFPIT_WRITE_METADATA:
		return get_metadata(body, i);
	case OFPIT_WRITE_ACTIONS:
		i->has_write = true;
		return get_actions(body, &i->write, r);
	case OFPIT_APPLY_ACTIONS:
		i->has_apply = true;
		return get_actions(body, &i->apply, r);
	case OFPIT_CLEAR_ACTIONS:
		i->clear = true;
		pull(body, 4);
		return 0;
	case OFPIT_METER:
		i->meter = pull_u32(body);
		if (!body->failed && !i->meter)
			return refuse(r, UNKNOWN_METER, "meter", "there is no meter 0");
		return 0;
	case OFPIT_EXPERIMENTER:
		return refuse(r, INSTRUCTION_EXPERIMENTER, NULL,
			      "experimenter 0x%08x has no instructions here", pull_u32(body));
	default:
		return refuse(r, BAD_INSTRUCTION, NULL, "instructions of type %u are unknown",
			      type);
	}
}

static int get_instruction(struct reader *wire, struct instructions *i, unsigned *seen,
			   struct refusal *r)
{
	uint16_t type = pull_u16(wire), size = pull_u16(wire);
	struct reader body;
	int error;

	if (wire->failed || size < 8 || size % 8 || size - 4u > reader_left(wire))
		return refuse(
			r, INSTRUCTION_LEN, NULL,
			"an instruction of %u octets; a multiple of 8 within its message would be "
			"accepted",
			size);
	body = pull_reader(wire, size - 4u);
	if (type <= OFPIT_METER && *seen & 1u << type)
		return refuse(r, DUP_INSTRUCTION, NULL, "instruction type %u is given twice", type);
	*seen |= type <= OFPIT_METER ? 1u << type : 0;
	error = get_instruction_body(type, &body, i, r);
	if (error)
		return error;
	if (body.failed || reader_left(&body))
		return refuse(r, INSTRUCTION_LEN, NULL, "instruction type %u cannot have %u octets",
			      type, size);
	return 0;
}

int instructions_get(struct reader *wire, struct instructions *i, struct refusal *r)
{
	unsigned seen = 0;
	int error = 0;

	*i = (struct instructions){0};
	while (!error && reader_left(wire))
		error = get_instruction(wire, i, &seen, r);
	if (error)
		instructions_free(i);
	return error;
}

static void put_actions(uint16_t type, const struct buf *ops, struct buf *wire)
{
	size_t start = wire->size;

	buf_u16(wire, type);
	buf_put(wire, 6);
	actions_put(ops->data, ops->size, wire);
	put_be16(wire->data + start + 2, (uint16_t)(wire->size - start));
}

static void put_header(uint16_t type, uint16_t size, struct buf *wire)
{
	buf_u16(wire, type);
	buf_u16(wire, size);
}

void instructions_put(const struct instructions *i, struct buf *wire)
{
	if (i->meter) {
		put_header(OFPIT_METER, 8, wire);
		buf_u32(wire, i->meter);
	}
	if (i->has_apply)
		put_actions(OFPIT_APPLY_ACTIONS, &i->apply, wire);
	if (i->clear) {
		put_header(OFPIT_CLEAR_ACTIONS, 8, wire);
		buf_put(wire, 4);
	}
	if (i->has_write)
		put_actions(OFPIT_WRITE_ACTIONS, &i->write, wire);
	if (i->metadata_mask) {
		put_header(OFPIT_WRITE_METADATA, 24, wire);
		buf_put(wire, 4);
		buf_u64(wire, i->metadata);
		buf_u64(wire, i->metadata_mask);
	}
	if (i->has_goto) {
		put_header(OFPIT_GOTO_TABLE, 8, wire);
		buf_u8(wire, i->goto_table);
		buf_put(wire, 3);
	}
}
