/* SPDX-License-Identifier: Apache-2.0 */
/* set_field: writes a field's bits where its header has them, and keeps the checksums over them
 * right (RFC 1624).
 *
 * Where a field lies is a row of `places`: a header, an offset in it, and the field's lowest bit
 * there.  Rows cover an even number of octets at an even place, as checksums want it.  Fields of
 * no header (metadata, registers …) live in the key alone.  SCTP's CRC32c covers the whole payload,
 * so its ports cannot be set (fields.def). */
#include <errno.h>

#include "datapath/action.h"
#include "lib/csum.h"
#include "lib/openflow.h"

/* ---- In packets ---------------------------------------------------------------------- */

enum header { IN_KEY, IN_ETH, IN_TAG, IN_IPV4, IN_IPV6, IN_ARP, IN_MPLS, IN_L4, IN_ND_OPTION };

enum sums {
	SUM_IPV4 = 1 << 0,   /* the IPv4 header's own */
	SUM_L4 = 1 << 1,     /* of TCP, UDP, ICMP, ICMPv6 */
	SUM_PSEUDO = 1 << 2, /* where it covers the addresses: not of ICMP */
};

struct place {
	uint8_t header, off, size, shift, sums;
};

enum { PROTO_ICMP4 = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58 };

static const struct place places[N_FIELDS] = {
	[FIELD_ETH_DST] = {IN_ETH, 0, 6, 0, 0},
	[FIELD_ETH_SRC] = {IN_ETH, 6, 6, 0, 0},
	[FIELD_VLAN_VID] = {IN_TAG, 14, 2, 0, 0},
	[FIELD_VLAN_PCP] = {IN_TAG, 14, 2, 13, 0},
	[FIELD_IP_DSCP] = {IN_IPV4, 0, 2, 2, SUM_IPV4},
	[FIELD_IP_ECN] = {IN_IPV4, 0, 2, 0, SUM_IPV4},
	[FIELD_NW_TTL] = {IN_IPV4, 8, 2, 8, SUM_IPV4},
	[FIELD_IPV4_SRC] = {IN_IPV4, 12, 4, 0, SUM_IPV4 | SUM_PSEUDO},
	[FIELD_IPV4_DST] = {IN_IPV4, 16, 4, 0, SUM_IPV4 | SUM_PSEUDO},
	[FIELD_IPV6_SRC] = {IN_IPV6, 8, 16, 0, SUM_PSEUDO},
	[FIELD_IPV6_DST] = {IN_IPV6, 24, 16, 0, SUM_PSEUDO},
	[FIELD_IPV6_FLABEL] = {IN_IPV6, 0, 4, 0, 0},
	[FIELD_TCP_SRC] = {IN_L4, 0, 2, 0, SUM_L4},
	[FIELD_TCP_DST] = {IN_L4, 2, 2, 0, SUM_L4},
	[FIELD_UDP_SRC] = {IN_L4, 0, 2, 0, SUM_L4},
	[FIELD_UDP_DST] = {IN_L4, 2, 2, 0, SUM_L4},
	[FIELD_ICMPV4_TYPE] = {IN_L4, 0, 2, 8, SUM_L4},
	[FIELD_ICMPV4_CODE] = {IN_L4, 0, 2, 0, SUM_L4},
	[FIELD_ICMPV6_TYPE] = {IN_L4, 0, 2, 8, SUM_L4},
	[FIELD_ICMPV6_CODE] = {IN_L4, 0, 2, 0, SUM_L4},
	[FIELD_IPV6_ND_TARGET] = {IN_L4, 8, 16, 0, SUM_L4},
	[FIELD_IPV6_ND_SLL] = {IN_ND_OPTION, 2, 6, 0, SUM_L4},
	[FIELD_IPV6_ND_TLL] = {IN_ND_OPTION, 2, 6, 0, SUM_L4},
	[FIELD_ARP_OP] = {IN_ARP, 6, 2, 0, 0},
	[FIELD_ARP_SHA] = {IN_ARP, 8, 6, 0, 0},
	[FIELD_ARP_SPA] = {IN_ARP, 14, 4, 0, 0},
	[FIELD_ARP_THA] = {IN_ARP, 18, 6, 0, 0},
	[FIELD_ARP_TPA] = {IN_ARP, 24, 4, 0, 0},
	[FIELD_MPLS_LABEL] = {IN_MPLS, 0, 4, 12, 0},
	[FIELD_MPLS_TC] = {IN_MPLS, 0, 4, 9, 0},
};

/* IPv6's places of fields that both versions have. */
static const struct place places6[N_FIELDS] = {
	[FIELD_IP_DSCP] = {IN_IPV6, 0, 2, 6, 0},
	[FIELD_IP_ECN] = {IN_IPV6, 0, 2, 4, 0},
	[FIELD_NW_TTL] = {IN_IPV6, 6, 2, 0, 0},
};

/* The option of a neighbour message that carries this link-layer address (RFC 4861, 4.6.1): its
 * offset, or 0. */
static uint16_t nd_option(const struct pkt *p, enum field_id id)
{
	uint8_t wanted = id == FIELD_IPV6_ND_SLL ? 1 : 2;
	uint32_t end = MIN(p->seg[0].len, (uint32_t)PKT_HEADERS), at = p->l4 + 24u;

	while (at + 8 <= end && p->data[at + 1]) {
		if (p->data[at] == wanted && p->data[at + 1] == 1)
			return (uint16_t)at;
		at += p->data[at + 1] * 8u;
	}
	return 0;
}

/* Where the header of a place begins in this packet; -EINVAL: it has none. */
static int header_at(const struct pkt *p, const struct place *place, const struct field *f)
{
	uint16_t eth_type = be16toh(p->key.eth_type), tag;
	int at = -EINVAL;

	switch (place->header) {
	case IN_ETH:
		return 0;
	case IN_TAG:
		tag = p->seg[0].len >= 18 ? get_be16(p->data + 12) : 0;
		return tag == 0x8100 || tag == 0x88a8 ? 0 : -EINVAL;
	case IN_IPV4:
		at = eth_type == 0x0800 ? p->l3 : 0;
		break;
	case IN_IPV6:
		at = eth_type == 0x86dd ? p->l3 : 0;
		break;
	case IN_ARP:
		at = eth_type == 0x0806 ? p->l3 : 0;
		break;
	case IN_MPLS:
		at = eth_type == 0x8847 || eth_type == 0x8848 ? p->l3 : 0;
		break;
	case IN_L4:
		at = p->key.ip_proto == prereqs[f->prereq].ip_proto ? p->l4 : 0;
		break;
	case IN_ND_OPTION:
		at = p->l4 && p->key.ip_proto == PROTO_ICMP6 ? nd_option(p, f - fields) : 0;
		break;
	}
	return at ? at : -EINVAL;
}

/* The transport checksum that changes with the field: its offset, or 0. */
static uint16_t l4_sum_at(const struct pkt *p, uint8_t sums)
{
	if (!p->l4 || !(sums & (SUM_L4 | SUM_PSEUDO)))
		return 0;
	switch (p->key.ip_proto) {
	case PROTO_TCP:
		return p->l4 + 16;
	case PROTO_UDP:
		return p->l4 + 6;
	case PROTO_ICMP6:
		return p->l4 + 2;
	case PROTO_ICMP4:
		return sums & SUM_L4 ? p->l4 + 2 : 0;
	}
	return 0;
}

static void fix_sum(uint8_t *at, const uint8_t *old, const uint8_t *fresh, size_t size)
{
	be16 sum;

	memcpy(&sum, at, sizeof sum);
	sum = csum_update(sum, old, fresh, size);
	memcpy(at, &sum, sizeof sum);
}

/* UDP's zero says that there is none (RFC 768). */
static void fix_udp_sum(uint8_t *at, const uint8_t *old, const uint8_t *fresh, size_t size)
{
	if (!get_be16(at))
		return;
	fix_sum(at, old, fresh, size);
	if (!get_be16(at))
		put_be16(at, UINT16_MAX);
}

/* The place's octets after the field's masked bits were written. */
static void merge(const struct place *place, const struct field_value *v, const uint8_t *old,
		  uint8_t *fresh)
{
	uint64_t value = 0, mask = 0, word = 0;
	const struct field *f = v->field;

	if (place->size == f->size && !place->shift && f->text != TEXT_VLAN) {
		for (unsigned i = 0; i < f->size; i++)
			fresh[i] = (old[i] & ~v->mask[i]) | (v->value[i] & v->mask[i]);
		return;
	}
	for (unsigned i = 0; i < f->size; i++) {
		value = value << 8 | v->value[i];
		mask = mask << 8 | v->mask[i];
	}
	if (f->text == TEXT_VLAN)
		mask &= 0xfff; /* the tag has no bit for its presence */
	for (unsigned i = 0; i < place->size; i++)
		word = word << 8 | old[i];
	word = (word & ~(mask << place->shift)) | (value & mask) << place->shift;
	for (unsigned i = place->size; i--; word >>= 8)
		fresh[i] = (uint8_t)word;
}

static void set_key(struct du_key *key, const struct field_value *v)
{
	uint8_t *at = (uint8_t *)key + v->field->off; /* settable ones lie in the DU's part */

	for (unsigned i = 0; i < v->field->size; i++)
		at[i] = (at[i] & ~v->mask[i]) | (v->value[i] & v->mask[i]);
}

/* 0, -EINVAL, -ENOMEM. */
static int write_place(struct worker *w, struct pkt *p, const struct place *place,
		       const struct field_value *v)
{
	int header = header_at(p, place, v->field), error;
	uint16_t sum_at = l4_sum_at(p, place->sums), at, end;
	uint8_t old[FIELD_SIZE_MAX], fresh[FIELD_SIZE_MAX];

	if (header < 0)
		return header;
	at = (uint16_t)header + place->off;
	end = MAX((uint16_t)(at + place->size), sum_at ? sum_at + 2 : 0);
	error = pkt_own(w, p, end, 0);
	if (error)
		return error;
	memcpy(old, p->data + at, place->size);
	merge(place, v, old, fresh);
	memcpy(p->data + at, fresh, place->size);
	if (place->sums & SUM_IPV4)
		fix_sum(p->data + p->l3 + 10, old, fresh, place->size);
	if (sum_at && p->key.ip_proto == PROTO_UDP)
		fix_udp_sum(p->data + sum_at, old, fresh, place->size);
	else if (sum_at)
		fix_sum(p->data + sum_at, old, fresh, place->size);
	return 0;
}

enum act_result set_field_run(struct worker *w, struct pkt *p, const struct field_value *v)
{
	unsigned id = (unsigned)(v->field - fields);
	const struct place *place = &places[id];
	int error = 0;

	if (places6[id].header && p->key.eth_type == htobe16(0x86dd))
		place = &places6[id];
	if (place->header != IN_KEY)
		error = write_place(w, p, place, v);
	if (unlikely(error)) {
		drop(w, p, error == -ENOMEM ? DROP_NO_FRAME : DROP_ACTION_INVALID);
		return ACT_DONE;
	}
	set_key(&p->key, v);
	return ACT_NEXT;
}

/* ---- As an action -------------------------------------------------------------------- */

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

int set_field_put(struct buf *ops, const struct field_value *v, struct refusal *r)
{
	const struct field *f = v->field;
	uint8_t ones[FIELD_SIZE_MAX];
	struct op *op;

	field_ones(f, ones);
	if (!f->settable)
		return refuse(r, SET_TYPE, f->name, "set_field: %s can be matched but not set%s",
			      f->name,
			      f->prereq == PRE_SCTP ? " (SCTP's checksum covers the payload)" : "");
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

	set_key(key, &v);
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
	set_key(&state->value.du, &v);
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
