/* SPDX-License-Identifier: Apache-2.0 */
/* Matches as OXM (TS-023, 7.2.3): class 16 bits, field 7, has-mask 1, length 8, then value and
 * mask.  Experimenter fields (7.2.3.8) have their experimenter's id, counted by the length, in
 * front of the value. */
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
	exact = !mask || !memcmp(mask, ones, f->size);
	buf_u16(wire, f->oxm_class);
	buf_u8(wire, (uint8_t)(f->oxm_field << 1 | !exact));
	buf_u8(wire, (uint8_t)(f->size * (exact ? 1 : 2) + (experimenter ? 4 : 0)));
	if (experimenter)
		buf_u32(wire, SLUICE_EXPERIMENTER);
	buf_octets(wire, value, f->size);
	if (!exact)
		buf_octets(wire, mask, f->size);
}

static int get_field(struct match *m, struct reader *oxm, struct refusal *r)
{
	struct field_value v;
	int error = field_get_oxm(oxm, &v, r);

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

	/* Conditions have no OXM form yet; who reads the match must not take it for a wider one. */
	if (m->n_conds)
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
	size = wire->size - start;
	put_be16(wire->data + start + 2, (uint16_t)size);
	buf_put(wire, ROUND_UP(size, 8u) - size);
	return true;
}
