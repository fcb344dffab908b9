/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/match.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <strings.h>

#include "datapath/bpf.h"
#include "datapath/range.h"

#include "lib/openflow.h"

#define FIELD(ID, NAME, CLASS, NUMBER, BITS, MEMBER, SIZE, MASK, PREREQ, KNOWN, TEXT, SET, HAS) \
	[FIELD_##ID] = {NAME, CLASS, NUMBER, BITS,  offsetof(struct key, MEMBER),               \
			SIZE, MASK,  PREREQ, KNOWN, TEXT,                                       \
			SET,  HAS},
const struct field fields[N_FIELDS] = {
#include "datapath/fields.def"
};
#undef FIELD

#define FIELD(ID, NAME, CLASS, NUMBER, BITS, MEMBER, SIZE, MASK, PREREQ, KNOWN, TEXT, SET, HAS) \
	_Static_assert(sizeof(((struct key *)0)->MEMBER) >= (SIZE) && (BITS) <= (SIZE)*8 &&     \
			       (SIZE) <= FIELD_SIZE_MAX,                                        \
		       NAME " lies in its member");                                             \
	_Static_assert(offsetof(struct key, MEMBER) % 8 + (SIZE) <= ((SIZE) > 8 ? 16 : 8),      \
		       NAME " lies in a word, or fills two");                                   \
	_Static_assert(((PREREQ) == PRE_OUTER) == ((HAS) != 0),                                 \
		       NAME " needs the outer record, and says what of it");
#include "datapath/fields.def"
#undef FIELD

/* What others call our fields: Open vSwitch's tools, older OpenFlow, NXM. */
static const struct {
	const char *name;
	enum field_id id;
} aliases[] = {
	{"dl_dst", FIELD_ETH_DST},         {"dl_src", FIELD_ETH_SRC},
	{"dl_type", FIELD_ETH_TYPE},       {"dl_vlan_pcp", FIELD_VLAN_PCP},
	{"nw_proto", FIELD_IP_PROTO},      {"nw_ecn", FIELD_IP_ECN},
	{"nw_src", FIELD_IPV4_SRC},        {"nw_dst", FIELD_IPV4_DST},
	{"ip_src", FIELD_IPV4_SRC},        {"ip_dst", FIELD_IPV4_DST},
	{"ip_ttl", FIELD_NW_TTL},          {"nw_frag", FIELD_IP_FRAG},
	{"tp_src", FIELD_TCP_SRC},         {"tp_dst", FIELD_TCP_DST},
	{"icmp_type", FIELD_ICMPV4_TYPE},  {"icmp_code", FIELD_ICMPV4_CODE},
	{"ipv6_label", FIELD_IPV6_FLABEL}, {"nd_target", FIELD_IPV6_ND_TARGET},
	{"nd_sll", FIELD_IPV6_ND_SLL},     {"nd_tll", FIELD_IPV6_ND_TLL},
	{"tun_id", FIELD_TUNNEL_ID},       {"tun_ipv4_src", FIELD_TUN_SRC},
	{"tun_ipv4_dst", FIELD_TUN_DST},
};

const struct field *field_by_name(const char *name)
{
	static const char *const prefixes[] = {"OXM_OF_", "NXM_NX_", "NXM_OF_"};

	for (unsigned i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncasecmp(name, prefixes[i], strlen(prefixes[i]))) {
			name += strlen(prefixes[i]);
			break;
		}
	for (unsigned i = 0; i < N_FIELDS; i++)
		if (!strcasecmp(name, fields[i].name))
			return &fields[i];
	for (unsigned i = 0; i < ARRAY_SIZE(aliases); i++)
		if (!strcasecmp(name, aliases[i].name))
			return &fields[aliases[i].id];
	return NULL;
}

/* Other codes of the same fields: NXM's, which Open vSwitch's tools write in actions, and of
 * tcp_flags ONF's (EXT-109). */
static const struct {
	uint16_t oxm_class;
	uint8_t oxm_field;
	enum field_id id;
} other_codes[] = {
	{OFPXMC_EXPERIMENTER, 42, FIELD_TCP_FLAGS}, {OFPXMC_NXM_0, 1, FIELD_ETH_DST},
	{OFPXMC_NXM_0, 2, FIELD_ETH_SRC},           {OFPXMC_NXM_0, 3, FIELD_ETH_TYPE},
	{OFPXMC_NXM_0, 6, FIELD_IP_PROTO},          {OFPXMC_NXM_0, 7, FIELD_IPV4_SRC},
	{OFPXMC_NXM_0, 8, FIELD_IPV4_DST},          {OFPXMC_NXM_0, 9, FIELD_TCP_SRC},
	{OFPXMC_NXM_0, 10, FIELD_TCP_DST},          {OFPXMC_NXM_0, 11, FIELD_UDP_SRC},
	{OFPXMC_NXM_0, 12, FIELD_UDP_DST},          {OFPXMC_NXM_0, 13, FIELD_ICMPV4_TYPE},
	{OFPXMC_NXM_0, 14, FIELD_ICMPV4_CODE},      {OFPXMC_NXM_0, 15, FIELD_ARP_OP},
	{OFPXMC_NXM_0, 16, FIELD_ARP_SPA},          {OFPXMC_NXM_0, 17, FIELD_ARP_TPA},
	{OFPXMC_NXM_1, 16, FIELD_TUNNEL_ID},        {OFPXMC_NXM_1, 17, FIELD_ARP_SHA},
	{OFPXMC_NXM_1, 18, FIELD_ARP_THA},          {OFPXMC_NXM_1, 19, FIELD_IPV6_SRC},
	{OFPXMC_NXM_1, 20, FIELD_IPV6_DST},         {OFPXMC_NXM_1, 21, FIELD_ICMPV6_TYPE},
	{OFPXMC_NXM_1, 22, FIELD_ICMPV6_CODE},      {OFPXMC_NXM_1, 23, FIELD_IPV6_ND_TARGET},
	{OFPXMC_NXM_1, 24, FIELD_IPV6_ND_SLL},      {OFPXMC_NXM_1, 25, FIELD_IPV6_ND_TLL},
	{OFPXMC_NXM_1, 27, FIELD_IPV6_FLABEL},      {OFPXMC_NXM_1, 28, FIELD_IP_ECN},
};

const struct field *field_by_oxm(uint16_t oxm_class, uint8_t oxm_field, uint32_t experimenter)
{
	bool ours = oxm_class != OFPXMC_EXPERIMENTER || experimenter == SLUICE_EXPERIMENTER;
	bool others = oxm_class != OFPXMC_EXPERIMENTER || experimenter == ONF_EXPERIMENTER;

	for (unsigned i = 0; ours && i < N_FIELDS; i++)
		if (fields[i].oxm_class == oxm_class && fields[i].oxm_field == oxm_field)
			return &fields[i];
	for (unsigned i = 0; others && i < ARRAY_SIZE(other_codes); i++)
		if (other_codes[i].oxm_class == oxm_class && other_codes[i].oxm_field == oxm_field)
			return &fields[other_codes[i].id];
	return NULL;
}

void field_ones(const struct field *f, uint8_t *mask)
{
	unsigned spare = f->size * 8u - f->bits;

	for (unsigned i = 0; i < f->size; i++) {
		mask[i] = spare >= 8 ? 0 : 0xff >> spare;
		spare -= MIN(spare, 8u);
	}
}

void field_prefix(const struct field *f, unsigned bits, uint8_t *mask)
{
	memset(mask, 0, f->size);
	for (unsigned bit = 0; bit < bits; bit++) {
		unsigned at = f->size * 8u - f->bits + bit;

		mask[at / 8] |= (uint8_t)(0x80 >> at % 8);
	}
}

/* Bits of its octets that are not the field's (TP_MISSING beside tcp_flags) do not count.  Most
 * fields of most matches are zero: those are looked at once. */
static bool any_bit(const struct key *key, const struct field *f)
{
	const uint8_t *at = field_in(key, f);
	uint8_t ones[FIELD_SIZE_MAX], any = 0;

	for (unsigned i = 0; i < f->size; i++)
		any |= at[i];
	if (!any)
		return false;
	field_ones(f, ones);
	for (unsigned i = 0; i < f->size; i++)
		if (at[i] & ones[i])
			return true;
	return false;
}

/* A VLAN id without OFPVID_PRESENT matches nothing (TS-023, table 13). */
static bool vlan_impossible(const uint8_t *value, const uint8_t *mask)
{
	uint16_t v = get_be16(value), m = mask ? get_be16(mask) : UINT16_MAX;

	return (m & OFPVID_PRESENT) && !(v & OFPVID_PRESENT) && (v & m);
}

void field_span(const struct field *f, uint64_t *lo, uint64_t *hi)
{
	*lo = 0;
	*hi = f->bits < 64 ? (1ull << f->bits) - 1 : UINT64_MAX;
	switch ((enum field_id)(f - fields)) {
	case FIELD_VLAN_VID:
	case FIELD_OUTER_VLAN_VID:
	case FIELD_OUTER_QINQ_VID:
		*lo = OFPVID_PRESENT; /* of a tag that is there */
		break;
	case FIELD_PKT_LEN:
	case FIELD_OUTER_LEN:
		*hi = PKT_LEN_MAX;
		break;
	case FIELD_AGG_LEN:
		*hi = IP_LEN_MAX;
		break;
	case FIELD_OUTER_IP_VERSION:
		*lo = 4;
		*hi = 6;
		break;
	case FIELD_CONN_AUTH:
		*hi = AUTH_VERIFIED;
		break;
	case FIELD_AGG_SUBTYPE:
		*hi = 1; /* RFC 9347 6.1 */
		break;
	case FIELD_DISAGREE:
		*hi = DISAGREE_DSCP | DISAGREE_FAMILY | DISAGREE_SOURCE;
		break;
	default:
		break;
	}
}

/* The least number that value and mask allow must be one that packets can have. */
static bool check_span(const struct field *f, const uint8_t *value, struct refusal *r)
{
	uint64_t lo, hi, n;

	if (f->bits > 64)
		return true;
	field_span(f, &lo, &hi);
	n = field_number(f, value);
	if (n <= hi)
		return true;
	refuse(r, BAD_VALUE, f->name,
	       "no packet has a %s of %" PRIu64 "; up to %" PRIu64 " would be accepted", f->name, n,
	       hi);
	return false;
}

static int check_value(const struct field *f, const uint8_t *value, const uint8_t *mask,
		       struct refusal *r)
{
	uint8_t ones[FIELD_SIZE_MAX];

	field_ones(f, ones);
	for (unsigned i = 0; i < f->size; i++)
		if (value[i] & ~ones[i])
			return refuse(r, BAD_VALUE, f->name, "%s has a value of more than %u bits",
				      f->name, f->bits);
	for (unsigned i = 0; mask && i < f->size; i++) {
		if (f->mask == MASK_NONE && (mask[i] & ones[i]) != ones[i])
			return refuse(r, BAD_MASK, f->name,
				      "%s cannot have a mask; an exact value would be accepted",
				      f->name);
		if (value[i] & ~mask[i])
			return refuse(
				r, BAD_WILDCARD_MASK, f->name,
				"%s has value bits outside its mask; zeros there would be accepted",
				f->name);
	}
	if (!check_span(f, value, r))
		return -EINVAL;
	if (f->text == TEXT_VLAN && vlan_impossible(value, mask))
		return refuse(
			r, BAD_VALUE, f->name,
			"%s lacks the bit 0x1000 that says a tag is present, so it could match "
			"nothing; 0x%04x would be accepted",
			f->name, get_be16(value) | OFPVID_PRESENT);
	return 0;
}

int match_set(struct match *m, const struct field *f, const uint8_t *value, const uint8_t *mask,
	      struct refusal *r)
{
	uint8_t *v = (uint8_t *)&m->value + f->off, *w = (uint8_t *)&m->mask + f->off;
	int error = check_value(f, value, mask, r);

	if (error)
		return error;
	if (any_bit(&m->mask, f))
		return refuse(r, DUP_FIELD, f->name,
			      "%s, or a field that shares its place, is given twice", f->name);
	memcpy(v, value, f->size);
	field_ones(f, w);
	for (unsigned i = 0; mask && i < f->size; i++)
		w[i] &= mask[i];
	if (any_bit(&m->mask, f)) {
		m->value.outer.has |= htobe32(f->has);
		m->mask.outer.has |= htobe32(f->has);
		if (field_is_transport(f))
			m->mask.du.tcp_flags |= htobe16(TP_MISSING);
	}
	return 0;
}

/* The exact value a match demands, or -1. */
static int eth_type_of(const struct match *m)
{
	return m->mask.du.eth_type == UINT16_MAX ? be16toh(m->value.du.eth_type) : -1;
}

bool match_meets(const struct match *m, const struct field *f)
{
	const struct du_key *value = &m->value.du, *mask = &m->mask.du;
	const struct prereq_facts demanded = {
		.eth_type = eth_type_of(m),
		.ip_proto = mask->ip_proto == UINT8_MAX ? value->ip_proto : -1,
		.icmp_type =
			mask->icmp_type == UINT8_MAX && !value->icmp_code ? value->icmp_type : -1,
		.vlan = value->vlan_vid & htobe16(OFPVID_PRESENT),
		.in_port = mask->in_port == UINT32_MAX,
		.outer = be32toh(m->value.outer.has),
	};

	return field_is_there(f, &demanded);
}

/* tun_src and its kin lie where outer_ipv4_src does, but do not ask whether that header is there.
 */
static bool is_alias_of_outer(const struct match *m, enum field_id id)
{
	uint32_t has = be32toh(m->value.outer.has);

	if (id == FIELD_TUN_SRC || id == FIELD_TUN_DST)
		return has & HAS_IPV4;
	if (id == FIELD_TUN_IPV6_SRC || id == FIELD_TUN_IPV6_DST)
		return has & HAS_IPV6;
	return false;
}

struct field_set match_fields(const struct match *m)
{
	struct field_set set = {0};

	for (unsigned i = 0; i < N_FIELDS; i++)
		if (any_bit(&m->mask, &fields[i]) && match_meets(m, &fields[i]) &&
		    !is_alias_of_outer(m, i))
			field_set_add(&set, i);
	return set;
}

/* The field that somebody meant who filled its place without its prerequisites. */
static const struct field *orphan(const struct match *m, const struct key *left)
{
	static const uint16_t eth_types[] = {ETH_P_IP, ETH_P_IPV6, ETH_P_ARP, ETH_P_MPLS_UC};
	const struct field *found = NULL;

	for (unsigned i = 0; !found && i < ARRAY_SIZE(eth_types) && eth_type_of(m) < 0; i++) {
		struct match guess = *m;

		guess.value.du.eth_type = htobe16(eth_types[i]);
		guess.mask.du.eth_type = UINT16_MAX;
		for (unsigned j = 0; j < N_FIELDS; j++)
			if (any_bit(left, &fields[j]) && match_meets(&guess, &fields[j]))
				found = &fields[j];
	}
	for (unsigned i = 0; !found && i < N_FIELDS; i++)
		if (any_bit(left, &fields[i]))
			found = &fields[i];
	return found;
}

/* Octets that a packet has at the least with the headers that are asked for, whatever port it comes
 * from: a shorter one is dropped before any rule. */
static unsigned least_len(const struct match *m)
{
	static const uint8_t transport[256] = {[IPPROTO_TCP] = 20,
					       [IPPROTO_UDP] = 8,
					       [IPPROTO_SCTP] = 12,
					       [IPPROTO_ICMP] = 4,
					       [IPPROTO_ICMPV6] = 4};
	int type = eth_type_of(m);
	unsigned ip = type == ETH_P_IP ? 20 : type == ETH_P_IPV6 ? 40 : 0;
	bool has_transport = m->mask.du.tcp_flags & htobe16(TP_MISSING);

	return ip ? ip + (has_transport ? transport[m->value.du.ip_proto] : 0) : 1;
}

static int check_lengths(const struct match *m, struct refusal *r)
{
	uint64_t least = least_len(m);
	uint64_t most = eth_type_of(m) == ETH_P_IP ? IPV4_LEN_MAX : PKT_LEN_MAX;
	struct allowed a = {.hi = UINT32_MAX};

	allowed_by_bits(&a, m, &fields[FIELD_PKT_LEN]);
	allowed_by_ranges(&a, m, &fields[FIELD_PKT_LEN]);
	if (a.hi >= least && a.lo <= most)
		return 0;
	return refuse(r, BAD_VALUE, fields[FIELD_PKT_LEN].name,
		      "no packet of this kind has such a pkt_len: %" PRIu64 " to %" PRIu64
		      " would be accepted",
		      least, most);
}

/* Programs that take no packet; negated, those that take every one, among IP packets (others are
 * taken by none). */
static int check_programs(const struct match *m, struct refusal *r)
{
	int type = eth_type_of(m);
	bool is_ip = type == ETH_P_IP || type == ETH_P_IPV6;

	for (unsigned i = 0; i < m->n_conds; i++) {
		const struct cond *c = &m->cond[i];
		bool negated = c->flags & COND_NEGATED;

		if (c->kind != COND_BPF || (negated && !is_ip) || bpf_constant(c->bpf) != negated)
			continue;
		return refuse(r, BAD_VALUE, cond_word(c),
			      "%s: no packet meets this program; one that takes some would be "
			      "accepted",
			      cond_word(c));
	}
	return 0;
}

/* The same is asked, and negated. */
static int check_twins(const struct match *m, struct refusal *r)
{
	for (unsigned i = 0; i < m->n_conds; i++) {
		struct cond twin = m->cond[i];

		twin.flags ^= COND_NEGATED;
		for (unsigned k = 0; k < i; k++)
			if (!memcmp(&twin, &m->cond[k], sizeof twin))
				return refuse(r, BAD_VALUE, cond_word(&twin),
					      "%s: nothing is in a %s and not in it; one of the "
					      "two would be accepted",
					      cond_word(&twin), cond_class(twin.kind)->name);
	}
	return 0;
}

static int check_port(const struct match *m, const struct field *f, struct refusal *r)
{
	uint32_t port = get_be32(field_in(&m->value, f));

	if (!any_bit(&m->mask, f) || (port && port < OFPP_MAX) || port == OFPP_LOCAL ||
	    port == OFPP_CONTROLLER)
		return 0;
	return refuse(r, BAD_VALUE, f->name,
		      "no packet comes from port 0x%" PRIx32
		      "; a port's number or name, LOCAL or CONTROLLER would be accepted",
		      port);
}

static int check_kind(const struct match *m, struct refusal *r)
{
	int type = eth_type_of(m);

	if (type == ETH_P_8021Q || type == ETH_P_8021AD)
		return refuse(r, BAD_VALUE, "eth_type",
			      "eth_type is that behind the tags, so it is never 0x%04x; "
			      "vlan_vid=0x1000/0x1000 (any tag) would be accepted",
			      type);
	return check_port(m, &fields[FIELD_IN_PORT], r)
		       ? -EINVAL
		       : check_port(m, &fields[FIELD_IN_PHY_PORT], r);
}

/* What no packet can have at once. */
static int check_possible(const struct match *m, struct refusal *r)
{
	uint32_t has = be32toh(m->value.outer.has);
	uint8_t version = m->value.outer.ip_version;
	uint8_t frag = m->value.du.ip_frag & m->mask.du.ip_frag;

	if ((has & HAS_IPV4 && has & HAS_IPV6) ||
	    (m->mask.outer.ip_version == 0xf &&
	     (version == 4 ? has & HAS_IPV6 : version != 6 || has & HAS_IPV4)))
		return refuse(r, BAD_VALUE, "outer_ip_version",
			      "an outer header is of IPv4 or of IPv6; fields of one of them would "
			      "be accepted");
	if (frag & IP_FRAG_LATER && m->mask.du.tcp_flags & htobe16(TP_MISSING))
		return refuse(
			r, BAD_VALUE, "ip_frag",
			"a later fragment has no ports, flags or ICMP type; ip_frag=not_later "
			"or a match without those would be accepted");
	if (frag == IP_FRAG_LATER && m->mask.du.ip_frag & IP_FRAG_ANY)
		return refuse(r, BAD_VALUE, "ip_frag",
			      "ip_frag: no fragment is a later one and none; no, yes, first, later "
			      "or not_later would be accepted");
	return check_kind(m, r) || check_lengths(m, r) || check_programs(m, r) || check_twins(m, r)
		       ? -EINVAL
		       : 0;
}

/* The field at the same place whose prerequisites are there: `tp_dst` said before `udp` was taken
 * for TCP's. */
static uint16_t settle(const struct match *m, uint16_t id)
{
	if (id >= N_FIELDS || match_meets(m, &fields[id]))
		return id;
	for (unsigned i = 0; i < N_FIELDS; i++)
		if (fields[i].off == fields[id].off && fields[i].size == fields[id].size &&
		    match_meets(m, &fields[i]))
			return (uint16_t)i;
	return id;
}

static int settle_conds(struct match *m, struct refusal *r)
{
	const struct match said = *m;
	int error = 0;

	m->n_conds = 0;
	memset(m->cond, 0, sizeof m->cond);
	for (unsigned i = 0; !error && i < said.n_conds; i++) {
		struct cond c = said.cond[i];

		c.field = settle(m, c.field);
		c.field2 = settle(m, c.field2);
		error = match_add_cond(m, &c, r);
	}
	return error;
}

/* The first field of a condition, or of a pair's the second; NULL: none. */
static const struct field *cond_part(const struct cond *c, unsigned second)
{
	return !second ? cond_field(c) : c->field2 < N_FIELDS ? &fields[c->field2] : NULL;
}

int match_finish(struct match *m, struct refusal *r)
{
	struct field_set set = match_fields(m);
	struct key left = m->mask; /* bits that no field explains */
	const struct field *f;
	bool transport = false;
	uint32_t has = 0;
	int error = m->n_conds ? settle_conds(m, r) : 0;

	if (error)
		return error;
	for (unsigned i = 0; i < N_FIELDS; i++)
		if (field_set_has(&set, i)) {
			memset((uint8_t *)&left + fields[i].off, 0, fields[i].size);
			has |= fields[i].has;
			transport |= field_is_transport(&fields[i]);
		}
	for (unsigned i = 0; i < 2 * m->n_conds; i++) {
		f = cond_part(&m->cond[i / 2], i % 2);
		has |= f ? f->has : 0;
		transport |= f && field_is_transport(f);
	}
	if (transport)
		m->mask.du.tcp_flags |= htobe16(TP_MISSING);
	m->value.outer.has |= htobe32(has);
	m->mask.outer.has |= htobe32(has);
	f = orphan(m, &left);
	for (unsigned i = 0; !f && i < 2 * m->n_conds; i++) {
		f = cond_part(&m->cond[i / 2], i % 2);
		f = f && !match_meets(m, f) ? f : NULL;
	}
	if (f)
		return refuse(r, BAD_PREREQ, f->name, "%s is matched without what it needs: %s",
			      f->name, field_needs(f));
	error = ranges_finish(m, r);
	return error ? error : check_possible(m, r);
}
