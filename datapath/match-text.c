/* SPDX-License-Identifier: Apache-2.0 */
/* Matches as FLOW text: ovs-ofctl's grammar with OXM's names and its own.  field-text.c has the
 * values. */
#include "datapath/match.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/openflow.h"
#include "lib/options.h"

/* ovs-ofctl's short words. */
static const struct short_word {
	const char *name;
	uint16_t eth_type;
	int ip_proto; /* -1: any */
} short_words[] = {
	{"icmp", 0x0800, 1},   {"tcp", 0x0800, 6},    {"udp", 0x0800, 17},  {"sctp", 0x0800, 132},
	{"icmp6", 0x86dd, 58}, {"tcp6", 0x86dd, 6},   {"udp6", 0x86dd, 17}, {"sctp6", 0x86dd, 132},
	{"ip", 0x0800, -1},    {"ipv6", 0x86dd, -1},  {"arp", 0x0806, -1},  {"rarp", 0x8035, -1},
	{"mpls", 0x8847, -1},  {"mplsm", 0x8848, -1}, {"ipv4", 0x0800, -1}, {"icmpv6", 0x86dd, 58},
};

static bool all_ones(const struct match *m, const struct field *f)
{
	uint8_t ones[FIELD_SIZE_MAX];

	field_ones(f, ones);
	return !memcmp(field_in(&m->mask, f), ones, f->size);
}

/* Sets what a word implies; what was said before must not contradict it. */
static int imply(struct match *m, enum field_id id, uint16_t value, const char *word,
		 struct refusal *r)
{
	const struct field *f = &fields[id];
	uint8_t octets[2];

	field_put_number(f, value, octets);
	/* nw_src before its eth_type: IPv4's or ARP's, not a prefix of an IPv6 address. */
	if (id == FIELD_ETH_TYPE && value == 0x86dd && !m->mask.du.eth_type &&
	    (get_be32(m->mask.du.ip_src) || get_be32(m->mask.du.ip_dst)))
		return refuse(r, BAD_PREREQ, word,
			      "%s contradicts nw_src or nw_dst; ipv6_src and ipv6_dst would be "
			      "accepted",
			      word);
	if (!all_ones(m, f))
		return match_set(m, f, octets, NULL, r);
	if (memcmp(field_in(&m->value, f), octets, f->size))
		return refuse(r, BAD_PREREQ, word,
			      f->text == TEXT_HEX ? "%s needs %s to be 0x%x, but it is 0x%" PRIx64
						  : "%s needs %s to be %u, but it is %" PRIu64,
			      word, f->name, value, field_number(f, field_in(&m->value, f)));
	return 0;
}

/* What a field's name says beside its value: udp_dst is of UDP, of either IP. */
static int imply_for(struct match *m, const struct field *f, struct refusal *r)
{
	const struct prereq *p = &prereqs[f->prereq];
	uint16_t eth_type = p->eth_type[0] == p->eth_type[1] ? p->eth_type[0] : 0;
	uint8_t type = p->icmp_type[0] == p->icmp_type[1] ? p->icmp_type[0] : 0;
	int error = 0;

	if (eth_type)
		error = imply(m, FIELD_ETH_TYPE, eth_type, f->name, r);
	if (!error && p->ip_proto)
		error = imply(m, FIELD_IP_PROTO, p->ip_proto, f->name, r);
	if (!error && type)
		error = imply(m, FIELD_ICMPV6_TYPE, type, f->name, r);
	if (f->prereq == PRE_VLAN && !m->mask.du.vlan_vid) {
		m->value.du.vlan_vid = htobe16(OFPVID_PRESENT);
		m->mask.du.vlan_vid = htobe16(OFPVID_PRESENT);
	}
	return error;
}

static int set_short_word(struct match *m, const char *word, struct refusal *r)
{
	int error;

	for (unsigned i = 0; i < ARRAY_SIZE(short_words); i++) {
		const struct short_word *s = &short_words[i];

		if (strcmp(word, s->name))
			continue;
		error = imply(m, FIELD_ETH_TYPE, s->eth_type, word, r);
		if (!error && s->ip_proto >= 0)
			error = imply(m, FIELD_IP_PROTO, (uint16_t)s->ip_proto, word, r);
		return error;
	}
	return -ENOENT;
}

/* `dl_vlan=[!]LO[-HI]`: VLAN ids without the bit of presence. */
static int set_vlan_range(struct match *m, const char *value, struct refusal *r)
{
	const char *from = value + (*value == '!'), *dash = strchr(from, '-');
	uint64_t lo, hi;
	char head[16], text[40];

	snprintf(head, sizeof head, "%.*s", dash ? (int)(dash - from) : 15, from);
	if ((dash && dash - from > 15) || parse_u64(head, &lo) || lo > 0xfff ||
	    (dash && parse_u64(dash + 1, &hi)) || (dash && (hi > 0xfff || hi < lo)))
		return refuse(r, BAD_VALUE, "dl_vlan",
			      "dl_vlan: '%.32s' is no range of VLANs; LO-HI within 0 to 4095, the "
			      "smaller one first, would be accepted",
			      value);
	snprintf(text, sizeof text, "%s0x%x-0x%x", *value == '!' ? "!" : "",
		 (unsigned)lo | OFPVID_PRESENT, (unsigned)(dash ? hi : lo) | OFPVID_PRESENT);
	return match_parse_word(m, "vlan_vid", text, r);
}

/* dl_vlan (0xffff: none) and vlan_tci say less or more than one field. */
static int set_vlan(struct match *m, const char *key, const char *value, struct refusal *r)
{
	const char *slash = strchr(value, '/');
	uint64_t tci, mask = UINT16_MAX;
	char head[16], text[40];
	int error = 0;

	if (!strcmp(key, "dl_vlan") && (*value == '!' || strchr(value, '-')))
		return set_vlan_range(m, value, r);
	snprintf(head, sizeof head, "%.*s", slash ? (int)(slash - value) : 15, value);
	if (parse_u64(head, &tci) || tci > UINT16_MAX ||
	    (slash && (parse_u64(slash + 1, &mask) || mask > UINT16_MAX)))
		return refuse(r, BAD_VALUE, key, "%s: '%.32s' is not a number of 16 bits", key,
			      value);
	if (!strcmp(key, "dl_vlan")) {
		if (tci > 0xfff && tci != UINT16_MAX)
			return refuse(r, BAD_VALUE, key,
				      "dl_vlan: %" PRIu64
				      " is no VLAN; 0 to 4095, or 0xffff for none",
				      tci);
		tci = tci == UINT16_MAX ? 0 : tci | OFPVID_PRESENT;
		mask = slash ? mask | OFPVID_PRESENT : 0x1fff;
	} else if (tci == 0 && mask == UINT16_MAX) {
		mask = 0x1fff; /* no tag has no priority */
	} else if (mask >> 13 != 0 && mask >> 13 != 7) {
		return refuse(r, BAD_MASK, key,
			      "vlan_tci: a mask over a part of the priority; none or all of 0xe000 "
			      "would be accepted");
	}
	snprintf(text, sizeof text, "0x%x/0x%x", (unsigned)(tci & 0x1fff),
		 (unsigned)(mask & 0x1fff));
	if (mask & 0x1fff)
		error = match_parse_word(m, "vlan_vid", text, r);
	snprintf(text, sizeof text, "%u", (unsigned)tci >> 13);
	return error || mask >> 13 != 7 ? error : match_parse_word(m, "vlan_pcp", text, r);
}

static int set_nw_tos(struct match *m, const char *value, struct refusal *r)
{
	uint64_t tos;
	uint8_t dscp;

	if (parse_u64(value, &tos) || tos > UINT8_MAX || tos & 3)
		return refuse(
			r, BAD_VALUE, "nw_tos",
			"nw_tos: '%.32s' is no ToS octet without its ECN bits; a multiple of 4 up "
			"to 252 would be accepted",
			value);
	dscp = (uint8_t)(tos >> 2);
	return match_set(m, &fields[FIELD_IP_DSCP], &dscp, NULL, r);
}

/* ovs-ofctl's names for places that several protocols share: the protocol said so far decides, and
 * the one said later must fit (match_finish). */
static const struct field *shared_field(const struct match *m, const char *key)
{
	static const struct {
		const char *name;
		enum field_id id, arp, udp, sctp, icmp6;
	} shared[] = {
		{"nw_src", FIELD_IPV4_SRC, FIELD_ARP_SPA, 0, 0, 0},
		{"nw_dst", FIELD_IPV4_DST, FIELD_ARP_TPA, 0, 0, 0},
		{"tp_src", FIELD_TCP_SRC, 0, FIELD_UDP_SRC, FIELD_SCTP_SRC, 0},
		{"tp_dst", FIELD_TCP_DST, 0, FIELD_UDP_DST, FIELD_SCTP_DST, 0},
		{"icmp_type", FIELD_ICMPV4_TYPE, 0, 0, 0, FIELD_ICMPV6_TYPE},
		{"icmp_code", FIELD_ICMPV4_CODE, 0, 0, 0, FIELD_ICMPV6_CODE},
		{"nw_proto", FIELD_IP_PROTO, FIELD_ARP_OP, 0, 0, 0},
	};
	uint16_t eth_type = be16toh(m->value.du.eth_type);

	for (unsigned i = 0; i < ARRAY_SIZE(shared); i++) {
		enum field_id id = shared[i].id;

		if (strcmp(key, shared[i].name))
			continue;
		if (eth_type == 0x0806 && shared[i].arp)
			id = shared[i].arp;
		else if (m->value.du.ip_proto == 17 && shared[i].udp)
			id = shared[i].udp;
		else if (m->value.du.ip_proto == 132 && shared[i].sctp)
			id = shared[i].sctp;
		else if (m->value.du.ip_proto == 58 && shared[i].icmp6)
			id = shared[i].icmp6;
		return &fields[id];
	}
	return NULL;
}

/* Sets what a field's name says, unless it is a name of several fields whose protocol is not known
 * yet: match_finish() sees to the rest. */
static int imply_known(struct match *m, const struct field *f, bool shared, struct refusal *r)
{
	if (shared && !(f->prereq == PRE_IPV4 || f->prereq == PRE_ARP ? m->mask.du.eth_type
								      : m->mask.du.ip_proto))
		return 0;
	return imply_for(m, f, r);
}

int match_name_field(struct match *m, const char *name, const struct field **f, struct refusal *r)
{
	const struct field *found = shared_field(m, name);
	bool shared = found;

	found = found ? found : field_by_name(name);
	if (!found)
		return refuse(r, UNKNOWN_WORD, name, "'%.40s' is no field", name);
	*f = found;
	return imply_known(m, found, shared, r);
}

/* A value that is a condition; -ENOENT: it is none. */
static int set_cond(struct match *m, const struct field *f, const char *value, struct refusal *r)
{
	struct cond c = {.field = (uint16_t)(f - fields), .field2 = N_FIELDS};
	int error = -ENOENT;

	if (*value == '!') {
		c.flags = COND_NEGATED;
		value++;
	}
	for (; c.kind < N_CONDS; c.kind++) {
		const struct cond_class *class = cond_class(c.kind);

		error = class->parse ? class->parse(f, value, &c, r) : -ENOENT;
		if (error != -ENOENT)
			break;
	}
	if (error == -ENOENT && c.flags)
		return refuse(r, BAD_VALUE, f->name,
			      "%s: '!%.48s' is no range and no set, and %s has no other "
			      "negation; a value would be accepted",
			      f->name, value, f->name);
	return error ? error : match_add_cond(m, &c, r);
}

/* A word that is a condition of no field; -ENOENT: it is none. */
static int set_cond_word(struct match *m, const char *key, const char *value, struct refusal *r)
{
	int error = -ENOENT;

	for (unsigned kind = 0; error == -ENOENT && kind < N_CONDS; kind++) {
		const struct cond_class *class = cond_class(kind);

		if (class->parse_word)
			error = class->parse_word(m, key, value, r);
	}
	return error;
}

int match_parse_word(struct match *m, const char *key, const char *value, struct refusal *r)
{
	uint8_t octets[FIELD_SIZE_MAX], mask[FIELD_SIZE_MAX];
	const struct field *f = shared_field(m, key);
	bool shared = f;
	bool special =
		!strcmp(key, "dl_vlan") || !strcmp(key, "vlan_tci") || !strcmp(key, "nw_tos");
	int error = 0;

	f = f || special ? f : field_by_name(key);
	if (!f && !special) {
		error = set_cond_word(m, key, value, r);
		if (error != -ENOENT)
			return error;
	}
	if (!value || !*value) {
		error = set_short_word(m, key, r);
		if (error != -ENOENT || (!f && !special))
			return error;
		return refuse(r, SYNTAX, key, "%s has no value; %s=VALUE would be accepted", key,
			      key);
	}
	if (!strcmp(key, "nw_tos"))
		return set_nw_tos(m, value, r);
	if (special)
		return set_vlan(m, key, value, r);
	if (!f)
		return -ENOENT;
	error = set_cond(m, f, value, r);
	if (error != -ENOENT)
		return error ? error : imply_known(m, f, shared, r);
	error = field_parse(f, value, octets, mask, r);
	if (error)
		return error;
	if (f == &fields[FIELD_ETH_TYPE] || f == &fields[FIELD_IP_PROTO] ||
	    f == &fields[FIELD_ICMPV6_TYPE]) {
		/* May repeat what another word implied. */
		error = shared ? 0 : imply_for(m, f, r);
		return error ? error : imply(m, f - fields, field_number(f, octets), f->name, r);
	}
	/* A tag whose presence vlan_pcp implied. */
	if (f == &fields[FIELD_VLAN_VID] && m->mask.du.vlan_vid == htobe16(OFPVID_PRESENT) &&
	    m->mask.du.vlan_pcp && octets[0] & 0x10)
		m->mask.du.vlan_vid = m->value.du.vlan_vid = 0;
	error = imply_known(m, f, shared, r);
	return error ? error : match_set(m, f, octets, mask, r);
}

/* Those that payload=yes is said of stand in front of it, the others behind. */
static void format_conds(const struct match *m, const char *comma, struct buf *text)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		const uint8_t want = pass ? 0 : COND_PAYLOAD;
		bool any = false;

		for (unsigned i = 0; i < m->n_conds; i++) {
			if ((m->cond[i].flags & COND_PAYLOAD) != want)
				continue;
			buf_printf(text, "%s", comma);
			cond_format(&m->cond[i], text);
			comma = ",";
			any = true;
		}
		if (any && want)
			buf_printf(text, ",payload=yes");
	}
}

void match_format(const struct match *m, struct buf *text)
{
	struct field_set set = match_fields(m);
	const char *comma = "";

	for (unsigned i = 0; field_set_has(&set, FIELD_ETH_TYPE) && i < ARRAY_SIZE(short_words);
	     i++) {
		const struct short_word *s = &short_words[i];

		if (be16toh(m->value.du.eth_type) != s->eth_type ||
		    (s->ip_proto >= 0 &&
		     (!field_set_has(&set, FIELD_IP_PROTO) || m->value.du.ip_proto != s->ip_proto)))
			continue;
		buf_printf(text, "%s", s->name);
		comma = ",";
		field_set_remove(&set, FIELD_ETH_TYPE);
		if (s->ip_proto >= 0)
			field_set_remove(&set, FIELD_IP_PROTO);
	}
	for (unsigned i = 0; i < N_FIELDS; i++) {
		if (!field_set_has(&set, i))
			continue;
		buf_printf(text, "%s%s=", comma, fields[i].name);
		field_format(&fields[i], field_in(&m->value, &fields[i]),
			     field_in(&m->mask, &fields[i]), text);
		comma = ",";
	}
	format_conds(m, comma, text);
}
