/* SPDX-License-Identifier: Apache-2.0 */
/* set_field as an action: what may be set, text and wire form.  write-field.c does it. */
#include "datapath/action.h"
#include "lib/openflow.h"

static struct field_value value_of(const struct op *op)
{
	struct field_value v = {.field = &fields[op->arg]};

	memcpy(v.value, op->data, v.field->size);
	memcpy(v.mask, op->data + v.field->size, v.field->size);
	return v;
}

bool set_field_is_masked(const struct op *op)
{
	const struct field *f = &fields[op->arg];
	uint8_t ones[FIELD_SIZE_MAX];

	field_ones(f, ones);
	return memcmp(op->data + f->size, ones, f->size) != 0;
}

bool set_field_by_load(const struct op *op)
{
	return fields[op->arg].settable == SET_BY_LOAD || set_field_is_masked(op);
}

int set_field_put(struct buf *ops, const struct field_value *v, struct refusal *r)
{
	const struct field *f = v->field;
	uint8_t ones[FIELD_SIZE_MAX];
	struct op *op;

	field_ones(f, ones);
	if (!f->settable)
		return refuse(r, SET_TYPE, f->name, "set_field: %s can be matched but not set",
			      f->name);
	for (unsigned i = 0; i < f->size; i++)
		if (v->value[i] & ~ones[i] || v->value[i] & ~v->mask[i])
			return refuse(
				r, SET_ARGUMENT, f->name,
				"set_field: %s has value bits outside its %u bits or its mask",
				f->name, f->bits);
	if (f->text == TEXT_VLAN && v->mask[0] & 0x10 && !(v->value[0] & 0x10))
		return refuse(
			r, SET_ARGUMENT, f->name,
			"set_field: %s without the bit 0x1000 would take the tag away; pop_vlan "
			"does that",
			f->name);
	op = op_put(ops, ACTION_SET_FIELD, (uint32_t)(f - fields), 2u * f->size);
	memcpy(op->data, v->value, f->size);
	for (unsigned i = 0; i < f->size; i++)
		op->data[f->size + i] = v->mask[i] & ones[i];
	return 0;
}

static void compose(const struct op *op, struct du_key *key)
{
	struct field_value v = value_of(op);

	set_field_key(key, &v);
}

static enum act_result run(struct worker *w, struct pkt *p, const struct op *op)
{
	struct field_value v = value_of(op);

	return set_field_run(w, p, &v);
}

static int validate(const struct op *op, struct match *state, struct refusal *r)
{
	struct field_value v = value_of(op);
	const struct field *f = v.field;
	uint8_t *known = (uint8_t *)&state->mask + f->off;

	if (!match_meets(state, f))
		return refuse(r, MATCH_INCONSISTENT, f->name,
			      "set_field: the match lacks what %s needs: %s", f->name,
			      field_needs(f));
	if (f->text == TEXT_VLAN && !(state->value.du.vlan_vid & htobe16(OFPVID_PRESENT)))
		return refuse(
			r, MATCH_INCONSISTENT, f->name,
			"set_field: the match does not say that there is a tag; after push_vlan or "
			"with vlan_vid=0x1000/0x1000 it would be accepted");
	set_field_key(&state->value.du, &v);
	for (unsigned i = 0; i < f->size; i++)
		known[i] |= v.mask[i];
	return 0;
}

/* `VALUE[/MASK]->FIELD` */
static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	const char *arrow = strstr(arg, "->");
	struct field_value v = {0};
	char value[100];
	int error;

	if (!arrow || (size_t)(arrow - arg) >= sizeof value)
		return refuse(r, SYNTAX, "set_field",
			      "set_field:%.64s is not of the form VALUE[/MASK]->FIELD", arg);
	memcpy(value, arg, (size_t)(arrow - arg));
	value[arrow - arg] = '\0';
	v.field = field_by_name(arrow + 2);
	if (!v.field)
		return refuse(r, SET_TYPE, "set_field", "set_field: '%.64s' is no field",
			      arrow + 2);
	error = field_parse(v.field, value, v.value, v.mask, r);
	if (error && r)
		r->code = REFUSED_SET_ARGUMENT;
	return error ? error : set_field_put(ops, &v, r);
}

static void format(const struct op *op, struct buf *text)
{
	struct field_value v = value_of(op);

	buf_printf(text, "set_field:");
	field_format(v.field, v.value, v.mask, text);
	buf_printf(text, "->%s", v.field->name);
}

/* One OXM field and padding to 8.  Version 1.3 has no mask here; action-wire.c reads other forms.
 */
static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	size_t size = reader_left(body);
	struct field_value v;
	int error = field_get_oxm(body, &v, r);

	if (error) {
		if (r)
			r->code = r->code == REFUSED_BAD_FIELD ? REFUSED_SET_TYPE : REFUSED_SET_LEN;
		return error;
	}
	if (reader_left(body) >= 8 || size % 8 != 4)
		return refuse(r, SET_LEN, v.field->name,
			      "a set_field action has more than its field and padding to 8 octets");
	if (v.field->settable == SET_BY_LOAD)
		return refuse(
			r, SET_TYPE, v.field->name,
			"set_field: %s is no header's (TS-023, 7.2.5); Nicira's reg_load2 would "
			"be accepted",
			v.field->name);
	if (v.has_mask)
		return refuse(
			r, SET_ARGUMENT, v.field->name,
			"set_field with a mask is not of OpenFlow 1.3; Nicira's reg_load2 would be "
			"accepted");
	return set_field_put(ops, &v, r);
}

static void put(const struct op *op, struct buf *wire)
{
	struct field_value v = value_of(op);

	field_put_oxm(v.field, v.value, v.mask, wire);
}

const struct action_class act_set_field = {
	.name = "set_field",
	.of_type = OFPAT_SET_FIELD,
	.order = SET_SET,
	.compose = compose,
	.run = run,
	.validate = validate,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
};
