/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a field's bits where its header has them, and keeps the checksums over them right: the
 * difference is added (RFC 1624; for SCTP's CRC, which is linear, too), so a packet that was broken
 * stays broken, and no payload is read.
 *
 * Where a field lies is a row of `places`: a header, an offset in it, and the field's lowest bit
 * there.  Rows cover an even number of octets at an even place, as checksums want it; ip_proto,
 * which has no such place, is written apart.  Fields of no header (metadata, registers …) live in
 * the key alone. */
#include <errno.h>

#include "datapath/action.h"
#include "datapath/spine.h"
#include "lib/crc32c.h"
#include "lib/csum.h"
#include "lib/openflow.h"

enum header {
	IN_KEY,
	IN_ETH,
	IN_TAG,
	IN_TYPE, /* the Ethernet type behind the tags */
	IN_L3,
	IN_L4,
	IN_ND, /* a neighbour message, as far as its options */
	IN_ND_OPTION,
};

enum sums {
	SUM_IPV4 = 1 << 0,   /* the IPv4 header's own */
	SUM_L4 = 1 << 1,     /* of TCP, UDP, ICMP, ICMPv6 */
	SUM_PSEUDO = 1 << 2, /* where it covers the addresses: not of ICMP */
	SUM_CRC = 1 << 3,    /* SCTP's */
};

struct place {
	uint8_t header, off, size, shift, sums;
};

enum {
	PROTO_HOPOPTS = 0,
	PROTO_ICMP4 = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_ICMP6 = 58,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
};

enum { ETH_IPV4 = 0x0800, ETH_IPV6 = 0x86dd, ND_SIZE = 24 };

static const struct place places[N_FIELDS] = {
	[FIELD_ETH_DST] = {IN_ETH, 0, 6, 0, 0},
	[FIELD_ETH_SRC] = {IN_ETH, 6, 6, 0, 0},
	[FIELD_ETH_TYPE] = {IN_TYPE, 0, 2, 0, 0},
	[FIELD_VLAN_VID] = {IN_TAG, 14, 2, 0, 0},
	[FIELD_VLAN_PCP] = {IN_TAG, 14, 2, 13, 0},
	[FIELD_IP_DSCP] = {IN_L3, 0, 2, 2, SUM_IPV4},
	[FIELD_IP_ECN] = {IN_L3, 0, 2, 0, SUM_IPV4},
	[FIELD_NW_TTL] = {IN_L3, 8, 2, 8, SUM_IPV4},
	[FIELD_IP_PROTO] = {IN_L3, 0, 0, 0, 0}, /* write_proto() */
	[FIELD_IPV4_SRC] = {IN_L3, 12, 4, 0, SUM_IPV4 | SUM_PSEUDO},
	[FIELD_IPV4_DST] = {IN_L3, 16, 4, 0, SUM_IPV4 | SUM_PSEUDO},
	[FIELD_IPV6_SRC] = {IN_L3, 8, 16, 0, SUM_PSEUDO},
	[FIELD_IPV6_DST] = {IN_L3, 24, 16, 0, SUM_PSEUDO},
	[FIELD_IPV6_FLABEL] = {IN_L3, 0, 4, 0, 0},
	[FIELD_TCP_SRC] = {IN_L4, 0, 2, 0, SUM_L4},
	[FIELD_TCP_DST] = {IN_L4, 2, 2, 0, SUM_L4},
	[FIELD_UDP_SRC] = {IN_L4, 0, 2, 0, SUM_L4},
	[FIELD_UDP_DST] = {IN_L4, 2, 2, 0, SUM_L4},
	[FIELD_SCTP_SRC] = {IN_L4, 0, 2, 0, SUM_CRC},
	[FIELD_SCTP_DST] = {IN_L4, 2, 2, 0, SUM_CRC},
	[FIELD_ICMPV4_TYPE] = {IN_L4, 0, 2, 8, SUM_L4},
	[FIELD_ICMPV4_CODE] = {IN_L4, 0, 2, 0, SUM_L4},
	[FIELD_ICMPV6_TYPE] = {IN_L4, 0, 2, 8, SUM_L4},
	[FIELD_ICMPV6_CODE] = {IN_L4, 0, 2, 0, SUM_L4},
	[FIELD_IPV6_ND_TARGET] = {IN_ND, 8, 16, 0, SUM_L4},
	[FIELD_IPV6_ND_SLL] = {IN_ND_OPTION, 2, 6, 0, SUM_L4},
	[FIELD_IPV6_ND_TLL] = {IN_ND_OPTION, 2, 6, 0, SUM_L4},
	[FIELD_ARP_OP] = {IN_L3, 6, 2, 0, 0},
	[FIELD_ARP_SHA] = {IN_L3, 8, 6, 0, 0},
	[FIELD_ARP_SPA] = {IN_L3, 14, 4, 0, 0},
	[FIELD_ARP_THA] = {IN_L3, 18, 6, 0, 0},
	[FIELD_ARP_TPA] = {IN_L3, 24, 4, 0, 0},
	[FIELD_MPLS_LABEL] = {IN_L3, 0, 4, 12, 0},
	[FIELD_MPLS_TC] = {IN_L3, 0, 4, 9, 0},
	[FIELD_MPLS_BOS] = {IN_L3, 0, 4, 8, 0},
	[FIELD_PBB_ISID] = {IN_L3, 0, 4, 0, 0},
};

/* IPv6's places of fields that both versions have. */
static const struct place places6[N_FIELDS] = {
	[FIELD_IP_DSCP] = {IN_L3, 0, 2, 6, 0},
	[FIELD_IP_ECN] = {IN_L3, 0, 2, 4, 0},
	[FIELD_NW_TTL] = {IN_L3, 6, 2, 0, 0},
};

/* The option of a neighbour message that carries this link-layer address (RFC 4861, 4.6.1), the
 * last one within the headers, as parse.c has it: its offset, or 0. */
static uint16_t nd_option(const struct pkt *p, enum field_id id)
{
	uint8_t wanted = id == FIELD_IPV6_ND_SLL ? 1 : 2;
	uint16_t found = 0;

	for (uint32_t at = p->l4 + (uint32_t)ND_SIZE; at + 8 <= p->payload;
	     at += p->data[at + 1] * 8u) {
		if (!p->data[at + 1])
			break;
		if (p->data[at] == wanted && p->data[at + 1] == 1)
			found = (uint16_t)at;
	}
	return found;
}

static bool is_tag(const struct pkt *p, unsigned at)
{
	uint16_t type = p->seg[0].len >= at + 6 ? get_be16(p->data + at) : 0;

	return type == 0x8100 || type == 0x88a8;
}

/* The packet has the header that the field is in: rules' matches say so, buckets and packet-outs
 * have none. */
static bool has_header(const struct pkt *p, const struct field *f)
{
	static const struct outer_key none;
	const struct prereq_facts facts = prereq_facts_of(&p->key, &none);

	return field_is_there(f, &facts);
}

/* Where the header of a place begins in a packet that has it; -EINVAL: its octets are not there. */
static int header_at(const struct pkt *p, const struct place *place, const struct field *f)
{
	int at = 0;

	switch (place->header) {
	case IN_ETH:
		return 0;
	case IN_TAG:
		return is_tag(p, 12) ? 0 : -EINVAL;
	case IN_TYPE:
		for (at = 12; is_tag(p, (unsigned)at);)
			at += 4;
		break;
	case IN_L3:
		at = p->l3;
		break;
	case IN_L4:
		at = p->l4;
		break;
	case IN_ND:
		at = p->payload >= p->l4 + ND_SIZE ? p->l4 : 0;
		break;
	case IN_ND_OPTION:
		at = p->l4 ? nd_option(p, f - fields) : 0;
		break;
	}
	return at ? at : -EINVAL;
}

/* IPv6's extension headers (RFC 8200 4), as parse.c steps over them. */
struct chain {
	uint16_t next_at; /* the octet that says which protocol is behind them */
	bool routed;      /* a routing header has segments left: the destination is not the last */
};

static struct chain chain_of(const struct pkt *p)
{
	uint32_t end = MIN(p->seg[0].len, (uint32_t)PKT_HEADERS), at = p->l3 + 40u;
	struct chain c = {.next_at = p->l3 + 6};

	while (at + 8 <= end) {
		uint32_t size = p->data[at + 1] * 8u + 8;

		switch (p->data[c.next_at]) {
		case PROTO_HOPOPTS:
		case PROTO_DSTOPTS:
			break;
		case PROTO_ROUTING:
			c.routed |= p->data[at + 3];
			break;
		case PROTO_FRAGMENT:
			size = get_be16(p->data + at + 2) >> 3 ? PKT_HEADERS
							       : 8; /* later: no more */
			break;
		case PROTO_AH:
			size = p->data[at + 1] * 4u + 8;
			break;
		default:
			return c;
		}
		c.next_at = (uint16_t)at;
		at += size;
	}
	return c;
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

void set_field_key(struct du_key *key, const struct field_value *v)
{
	uint8_t *at = (uint8_t *)key + v->field->off; /* settable ones lie in the DU's part */

	for (unsigned i = 0; i < v->field->size; i++)
		at[i] = (at[i] & ~v->mask[i]) | (v->value[i] & v->mask[i]);
}

static void fix_l4_sum(struct pkt *p, uint16_t at, const uint8_t *old, const uint8_t *fresh,
		       size_t size)
{
	if (p->key.ip_proto == PROTO_UDP)
		fix_udp_sum(p->data + at, old, fresh, size);
	else
		fix_sum(p->data + at, old, fresh, size);
}

/* Octets of the IP packet from its transport header on. */
static uint32_t l4_size(const struct pkt *p)
{
	const uint8_t *ip = p->data + p->l3;
	uint32_t end = p->l3 + (ip[0] >> 4 == 4 ? get_be16(ip + 2) : 40u + get_be16(ip + 4));

	return end > p->l4 ? end - p->l4 : 0;
}

/* SCTP's checksum after the word of its ports has become `fresh` (RFC 9260, appendix A). */
static void fix_crc(struct pkt *p, const uint8_t old[4], const uint8_t fresh[4])
{
	uint8_t *at = p->data + p->l4 + 8;

	put_le32(at, crc32c_update(get_le32(at), get_le32(old) ^ get_le32(fresh), l4_size(p)));
}

/* How far a place and the checksums over it reach; -EINVAL: they are out of reach. */
static int reach(const struct pkt *p, const struct place *place, uint16_t at, uint16_t sum_at)
{
	if (!(place->sums & SUM_CRC))
		return MAX(at + place->size, sum_at ? sum_at + 2 : 0);
	/* The length that the CRC is over is not in a fragment. */
	return p->key.ip_frag ? -EINVAL : p->l4 + 12;
}

/* 0, -EINVAL, -ENOMEM. */
static int write_place(struct worker *w, struct pkt *p, const struct place *place,
		       const struct field_value *v)
{
	int header = header_at(p, place, v->field), end, error;
	uint16_t sum_at = l4_sum_at(p, place->sums), at;
	uint8_t old[FIELD_SIZE_MAX], fresh[FIELD_SIZE_MAX], ports[4];

	if (header < 0)
		return header;
	if (v->field == &fields[FIELD_IPV6_DST] && sum_at && chain_of(p).routed)
		sum_at = 0;
	at = (uint16_t)header + place->off;
	end = reach(p, place, at, sum_at);
	error = end < 0 ? end : pkt_own(w, p, (uint16_t)end, 0);
	if (error)
		return error;
	memcpy(old, p->data + at, place->size);
	memcpy(ports, p->data + p->l4, sizeof ports);
	merge(place, v, old, fresh);
	memcpy(p->data + at, fresh, place->size);
	if (place->sums & SUM_IPV4)
		fix_sum(p->data + p->l3 + 10, old, fresh, place->size);
	if (sum_at)
		fix_l4_sum(p, sum_at, old, fresh, place->size);
	if (place->sums & SUM_CRC)
		fix_crc(p, ports, p->data + p->l4);
	return 0;
}

/* Where it lies depends on the version and on extension headers; a pseudo-header has it elsewhere.
 * What was the transport header's checksum stays at its place.  0, -EINVAL, -ENOMEM. */
static int write_proto(struct worker *w, struct pkt *p, uint8_t proto)
{
	bool v4 = p->key.eth_type == htobe16(ETH_IPV4);
	uint16_t sum_at = l4_sum_at(p, SUM_PSEUDO), at, end;
	uint8_t old[2], fresh[2];
	int error;

	if (!p->l3)
		return -EINVAL;
	at = v4 ? p->l3 + 9 : chain_of(p).next_at;
	end = MAX(at + 1, sum_at ? sum_at + 2 : 0);
	error = pkt_own(w, p, MAX(end, (uint16_t)(p->l3 + 20)), 0);
	if (error)
		return error;
	if (v4) {
		memcpy(old, p->data + at - 1, 2);
		memcpy(fresh, (uint8_t[]){old[0], proto}, 2);
		fix_sum(p->data + p->l3 + 10, old, fresh, 2);
	}
	memcpy(old, (uint8_t[]){0, p->data[at]}, 2);
	memcpy(fresh, (uint8_t[]){0, proto}, 2);
	if (sum_at)
		fix_l4_sum(p, sum_at, old, fresh, 2);
	p->data[at] = proto;
	return 0;
}

enum act_result set_field_run(struct worker *w, struct pkt *p, const struct field_value *v)
{
	unsigned id = (unsigned)(v->field - fields);
	const struct op op = {.kind = ACTION_SET_FIELD, .arg = id};
	const struct place *place = &places[id];
	int error = 0;

	if (places6[id].header && p->key.eth_type == htobe16(ETH_IPV6))
		place = &places6[id];
	if (place->header != IN_KEY && !has_header(p, v->field))
		error = -EINVAL;
	else if (id == FIELD_IP_PROTO)
		error = write_proto(w, p, v->value[0]);
	else if (place->header != IN_KEY)
		error = write_place(w, p, place, v);
	if (unlikely(error)) {
		drop(w, p, error == -ENOMEM ? DROP_NO_FRAME : DROP_ACTION_INVALID);
		return ACT_DONE;
	}
	set_field_key(&p->key, v);
	if (unlikely(op_reshapes(&op)))
		pkt_reparse(w, p);
	return ACT_NEXT;
}
