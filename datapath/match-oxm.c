/* SPDX-License-Identifier: Apache-2.0 */
/* Matches as OXM (TS-023, 7.2.3): class 16 bits, field 7, has-mask 1, length 8, then value and
 * mask.  Experimenter fields (7.2.3.8) have their experimenter's id, counted by the length, in
 * front of the value.
 *
 * Conditions are fields of our experimenter too, without has-mask: 60 a range, 61 a set, 62 a
 *program of BPF, 63 a set of pairs.  Behind the experimenter's id:
 *
 *	flags    8  1: negated; of 62 also 2: of the frame as it arrived, 4: payload=yes
 *	number   8  the target field's; of 62: 0
 *	class   16  the target field's; of 62: 0
 *	id      32  the target field's experimenter, if its class is 0xffff
 *	argument    of 60: the least and the largest value, each as long as the field's;
 *	            of 62: an octet of form (0: an expression, as text; 1: instructions of 8 octets:
 *	            code, jt, jf, k in network order), then that;
 *	            of 61 and 63: cond-set.c
 *
 * Prerequisites of the target come first, as the field's own would.  What does not fit in the 255
 * octets of a field cannot be said on the wire, and its match is left out of answers. */
#include "datapath/match.h"

#include "lib/openflow.h"

static int unknown_field(uint16_t oxm_class, uint8_t number, uint32_t experimenter,
			 struct refusal *r)
{
	if (oxm_class == OFPXMC_EXPERIMENTER)
		return refuse(r, BAD_FIELD, NULL,
			      "field %u of experimenter 0x%08x is unknown; those of 0x%08x that "
			      "table features list would be accepted",
			      number, experimenter, SLUICE_EXPERIMENTER);
	return refuse(
		r, BAD_FIELD, NULL,
		"field %u of OXM class 0x%04x is unknown; those that table features list would be "
		"accepted",
		number, oxm_class);
}

int field_get_oxm(struct reader *wire, struct field_value *v, struct refusal *r)
{
	uint16_t oxm_class = pull_u16(wire);
	uint8_t number = pull_u8(wire), size = pull_u8(wire);
	struct reader body = pull_reader(wire, size);
	uint32_t experimenter = 0;
	size_t want;

	if (wire->failed)
		return refuse(r, MATCH_LEN, NULL, "an OXM field is longer than the list it is in");
	v->has_mask = number & 1;
	number >>= 1;
	if (oxm_class == OFPXMC_EXPERIMENTER)
		experimenter = pull_u32(&body);
	if (body.failed)
		return refuse(r, MATCH_LEN, NULL,
			      "an experimenter's OXM field of %u octets is too short for its id",
			      size);
	v->field = field_by_oxm(oxm_class, number, experimenter);
	if (!v->field)
		return unknown_field(oxm_class, number, experimenter, r);
	want = v->field->size * (v->has_mask ? 2u : 1u);
	if (reader_left(&body) != want)
		return refuse(r, MATCH_LEN, v->field->name,
			      "%s has %zu octets of value and mask; %zu would be accepted",
			      v->field->name, reader_left(&body), want);
	memcpy(v->value, pull(&body, v->field->size), v->field->size);
	if (v->has_mask)
		memcpy(v->mask, pull(&body, v->field->size), v->field->size);
	else
		field_ones(v->field, v->mask);
	return 0;
}

void field_put_oxm(const struct field *f, const uint8_t *value, const uint8_t *mask,
		   struct buf *wire)
{
	bool experimenter = f->oxm_class == OFPXMC_EXPERIMENTER;
	uint8_t ones[FIELD_SIZE_MAX];
	bool exact;

	field_ones(f, ones);
	exact = true;
	for (unsigned i = 0; mask && i < f->size; i++)
		exact &= (mask[i] & ones[i]) == ones[i];
	buf_u16(wire, f->oxm_class);
	buf_u8(wire, (uint8_t)(f->oxm_field << 1 | !exact));
	buf_u8(wire, (uint8_t)(f->size * (exact ? 1 : 2) + (experimenter ? 4 : 0)));
	if (experimenter)
		buf_u32(wire, SLUICE_EXPERIMENTER);
	for (unsigned i = 0; i < f->size; i++)
		buf_u8(wire, value[i] & ones[i]);
	for (unsigned i = 0; !exact && i < f->size; i++)
		buf_u8(wire, mask[i] & ones[i]);
}

/* The kind of condition that the next field is, or N_CONDS. */
static unsigned cond_next(struct reader oxm)
{
	uint16_t oxm_class = pull_u16(&oxm);
	uint8_t number = pull_u8(&oxm);
	unsigned kind = 0;

	pull_u8(&oxm);
	if (oxm_class != OFPXMC_EXPERIMENTER || pull_u32(&oxm) != SLUICE_EXPERIMENTER || number & 1)
		return N_CONDS;
	while (kind < N_CONDS && !(cond_class(kind)->get && cond_class(kind)->oxm == number >> 1))
		kind++;
	return kind;
}

static int get_target(struct reader *body, struct cond *c, struct refusal *r)
{
	uint8_t number = pull_u8(body);
	uint16_t oxm_class = pull_u16(body);
	uint32_t experimenter = oxm_class == OFPXMC_EXPERIMENTER ? pull_u32(body) : 0;
	const struct field *f;

	c->field = N_FIELDS;
	if (body->failed)
		return refuse(r, MATCH_LEN, NULL, "a %s ends before it says of which field it is",
			      cond_class(c->kind)->name);
	if (c->kind == COND_BPF)
		return oxm_class || number ? refuse(r, BAD_VALUE, "bpf",
						    "a program is of no field; 0 for its "
						    "class and number would be accepted")
					   : 0;
	f = field_by_oxm(oxm_class, number, experimenter);
	if (!f)
		return unknown_field(oxm_class, number, experimenter, r);
	c->field = (uint16_t)(f - fields);
	return 0;
}

static int get_cond(struct match *m, struct reader *oxm, unsigned kind, struct refusal *r)
{
	struct cond c = {.kind = (uint8_t)kind, .field2 = N_FIELDS};
	uint8_t known = kind == COND_BPF ? COND_NEGATED | COND_OUTER | COND_PAYLOAD : COND_NEGATED;
	const struct field *f;
	struct reader body;
	int error;

	pull(oxm, 3);
	body = pull_reader(oxm, pull_u8(oxm));
	pull(&body, 4);
	c.flags = pull_u8(&body);
	error = get_target(&body, &c, r);
	if (error)
		return error;
	if (c.flags & ~known)
		return refuse(r, BAD_VALUE, cond_word(&c), "flags 0x%x; 0x%x would be accepted",
			      c.flags, c.flags & known);
	f = cond_field(&c);
	if (f && f->prereq != PRE_OUTER && !match_meets(m, f))
		return refuse(r, BAD_PREREQ, f->name,
			      "a %s of %s comes without, or before, what it needs: %s",
			      cond_class(kind)->name, f->name, field_needs(f));
	error = cond_class(kind)->get(&c, &body, r);
	return error ? error : match_add_cond(m, &c, r);
}

/* False, with nothing written, when a field of OXM cannot hold it. */
static bool put_cond(const struct cond *c, struct buf *wire)
{
	const struct cond_class *class = cond_class(c->kind);
	const struct field *f = cond_field(c);
	size_t start = wire->size;

	if (!class->put)
		return false;
	buf_u16(wire, OFPXMC_EXPERIMENTER);
	buf_u8(wire, (uint8_t)(class->oxm << 1));
	buf_u8(wire, 0);
	buf_u32(wire, SLUICE_EXPERIMENTER);
	buf_u8(wire, c->flags);
	buf_u8(wire, f ? f->oxm_field : 0);
	buf_u16(wire, f ? f->oxm_class : 0);
	if (f && f->oxm_class == OFPXMC_EXPERIMENTER)
		buf_u32(wire, SLUICE_EXPERIMENTER);
	if (!class->put(c, wire) || wire->size - start > 4 + UINT8_MAX) {
		wire->size = start;
		return false;
	}
	wire->data[start + 3] = (uint8_t)(wire->size - start - 4);
	return true;
}

static int get_field(struct match *m, struct reader *oxm, struct refusal *r)
{
	unsigned kind = cond_next(*oxm);
	struct field_value v;
	int error;

	if (kind < N_CONDS)
		return get_cond(m, oxm, kind, r);
	error = field_get_oxm(oxm, &v, r);
	if (error)
		return error;
	/* Prerequisites come first (7.2.3.6). */
	if (v.field->prereq != PRE_OUTER && !match_meets(m, v.field))
		return refuse(r, BAD_PREREQ, v.field->name,
			      "%s comes without, or before, what it needs: %s", v.field->name,
			      field_needs(v.field));
	return match_set(m, v.field, v.value, v.has_mask ? v.mask : NULL, r);
}

int match_get_oxm(struct match *m, struct reader *wire, struct refusal *r)
{
	uint16_t type = pull_u16(wire), size = pull_u16(wire);
	struct reader oxm;
	int error;

	*m = (struct match){0};
	if (wire->failed)
		return refuse(r, MATCH_LEN, NULL, "the message ends before its match");
	if (type != OFPMT_OXM)
		return refuse(r, MATCH_TYPE, NULL, "match type %u; 1 (OXM) would be accepted",
			      type);
	if (size < 4)
		return refuse(r, MATCH_LEN, NULL,
			      "a match of %u octets is shorter than its header of 4", size);
	oxm = pull_reader(wire, size - 4u);
	pull(wire, ROUND_UP(size, 8u) - size);
	if (wire->failed)
		return refuse(r, MATCH_LEN, NULL,
			      "a match of %u octets and its padding do not fit in the message",
			      size);
	while (reader_left(&oxm)) {
		error = get_field(m, &oxm, r);
		if (error)
			return error;
	}
	return match_finish(m, r);
}

bool match_put_oxm(const struct match *m, struct buf *wire, bool standard_only)
{
	struct field_set set = match_fields(m);
	size_t start = wire->size, size;

	/* Who reads the match must not take it for a wider one. */
	if (standard_only && m->n_conds)
		return false;
	for (unsigned i = 0; standard_only && i < N_FIELDS; i++)
		if (field_set_has(&set, i) && fields[i].oxm_class == OFPXMC_EXPERIMENTER)
			return false;
	buf_u16(wire, OFPMT_OXM);
	buf_u16(wire, 0);
	for (unsigned i = 0; i < N_FIELDS; i++)
		if (field_set_has(&set, i))
			field_put_oxm(&fields[i], field_in(&m->value, &fields[i]),
				      field_in(&m->mask, &fields[i]), wire);
	for (unsigned i = 0; i < m->n_conds; i++)
		if (!put_cond(&m->cond[i], wire)) {
			wire->size = start;
			return false;
		}
	size = wire->size - start;
	put_be16(wire->data + start + 2, (uint16_t)size);
	buf_put(wire, ROUND_UP(size, 8u) - size);
	return true;
}
