/* SPDX-License-Identifier: Apache-2.0 */
/* One action as text and on the wire.  Most have no argument, a TTL or an Ethernet type: they say
 * so (class->form), and it is done here; others have functions of their own. */
#include "datapath/action.h"

#include "lib/openflow.h"
#include "lib/options.h"

static int put_op(enum action_kind kind, uint32_t arg, struct buf *ops, struct refusal *r)
{
	const struct action_class *class = action_class(kind);

	if (class->form == FORM_TYPE && arg != class->types[0] && arg != class->types[1] &&
	    class->types[0])
		return refuse(r, ACTION_ARGUMENT, class->name,
			      "%s: 0x%04x is none of its Ethernet types; 0x%04x or 0x%04x would be "
			      "accepted",
			      class->name, arg, class->types[0], class->types[1]);
	op_put(ops, kind, arg, 0);
	return 0;
}

int action_parse(enum action_kind kind, const char *arg, struct buf *ops, struct refusal *r)
{
	const struct action_class *class = action_class(kind);
	uint64_t n = 0;

	switch (class->form) {
	case FORM_OWN:
		return class->parse(arg, ops, r);
	case FORM_BARE:
		if (*arg)
			return refuse(r, SYNTAX, class->name, "%s takes no argument", class->name);
		break;
	case FORM_TTL:
		if (parse_u64(arg, &n) || n > UINT8_MAX)
			return refuse(r, ACTION_ARGUMENT, class->name,
				      "%s: '%.32s' is no TTL; 0 to 255 would be accepted",
				      class->name, arg);
		break;
	case FORM_TYPE:
		if (parse_u64(arg, &n) || n > UINT16_MAX)
			return refuse(r, ACTION_ARGUMENT, class->name,
				      "%s: '%.32s' is no Ethernet type; 0 to 0xffff are",
				      class->name, arg);
		break;
	}
	return put_op(kind, (uint32_t)n, ops, r);
}

void action_format(const struct op *op, struct buf *text)
{
	const struct action_class *class = action_class(op->kind);

	switch (class->form) {
	case FORM_OWN:
		class->format(op, text);
		break;
	case FORM_BARE:
		buf_printf(text, "%s", class->name);
		break;
	case FORM_TTL:
		buf_printf(text, "%s:%u", class->name, op->arg);
		break;
	case FORM_TYPE:
		buf_printf(text, "%s:0x%04x", class->name, op->arg);
		break;
	}
}

int action_get(enum action_kind kind, struct reader *body, struct buf *ops, struct refusal *r)
{
	const struct action_class *class = action_class(kind);
	uint32_t arg = 0;

	if (class->form == FORM_OWN)
		return class->get(body, ops, r);
	if (reader_left(body) != 4)
		return refuse(r, ACTION_LEN, class->name, "a %s action has 8 octets", class->name);
	if (class->form == FORM_TTL)
		arg = pull_u8(body);
	if (class->form == FORM_TYPE)
		arg = pull_u16(body);
	return put_op(kind, arg, ops, r);
}

void action_put(const struct op *op, struct buf *wire)
{
	const struct action_class *class = action_class(op->kind);

	switch (class->form) {
	case FORM_OWN:
		class->put(op, wire);
		break;
	case FORM_BARE:
		buf_put(wire, 4);
		break;
	case FORM_TTL:
		buf_u8(wire, (uint8_t)op->arg);
		buf_put(wire, 3);
		break;
	case FORM_TYPE:
		buf_u16(wire, (uint16_t)op->arg);
		buf_put(wire, 2);
		break;
	}
}
