/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/sflow.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "datapath/match.h"
#include "lib/openflow.h"

enum {
	TAGS_MAX = 8,    /* VLAN tags of a frame that are told */
	LABELS_MAX = 16, /* … and MPLS labels */
	TAG_SIZE = 4,
};

static bool has(const struct sample_record *s, uint32_t bits)
{
	return (be32toh(s->key.outer.has) & bits) == bits;
}

/* What a reader may look at: the headers as they stood on the wire. */
static struct reader headers(const struct sample_record *s)
{
	unsigned skip = s->flags & SAMPLE_VIRTUAL_ETH ? MIN(s->size, (unsigned)ETH_HLEN) : 0;

	return reader_of(s->octet + skip, MIN(s->size - skip, (unsigned)SFLOW_HEADER_MAX));
}

static bool has_ethernet(const struct sample_record *s)
{
	return !(s->flags & SAMPLE_VIRTUAL_ETH) && s->size >= ETH_HLEN;
}

static void pad(struct buf *to)
{
	buf_put(to, ROUND_UP(to->size, 4u) - to->size);
}

/* ---- The sampled header ---- */

static uint32_t header_protocol(const struct sample_record *s)
{
	struct reader r = headers(s);

	if (has_ethernet(s))
		return SFLOW_HEADER_ETHERNET;
	switch (s->flags & SAMPLE_VIRTUAL_ETH ? pull_u8(&r) >> 4 : 0) {
	case 4:
		return SFLOW_HEADER_IPV4;
	case 6:
		return SFLOW_HEADER_IPV6;
	default:
		return 0;
	}
}

static bool there_header(const struct sample_record *s)
{
	return header_protocol(s);
}

/* An Ethernet frame's length is told with its FCS, which is stripped: as the standard has it. */
static void put_header(struct buf *to, const struct sample_record *s)
{
	struct reader r = headers(s);
	uint32_t stripped = has_ethernet(s) ? ETH_FCS_LEN : 0;

	buf_u32(to, header_protocol(s));
	buf_u32(to, s->length + stripped);
	buf_u32(to, stripped);
	buf_u32(to, (uint32_t)reader_left(&r));
	buf_octets(to, r.at, reader_left(&r));
}

/* ---- Tags and labels ---- */

static bool is_tag(uint32_t tpid)
{
	return tpid == ETH_P_8021Q || tpid == ETH_P_8021AD;
}

/* The frame's VLAN tags, TPID and TCI each, the outermost first; *r behind the EtherType. */
static unsigned get_tags(const struct sample_record *s, struct reader *r, uint32_t *tag)
{
	uint16_t type;
	unsigned n = 0;

	*r = headers(s);
	pull(r, 2 * ETH_ALEN);
	for (type = pull_u16(r); is_tag(type) && n < TAGS_MAX; type = pull_u16(r))
		tag[n++] = (uint32_t)type << 16 | pull_u16(r);
	return r->failed ? 0 : n;
}

static bool there_switch(const struct sample_record *s)
{
	return has_ethernet(s) && s->key.du.vlan_vid;
}

/* The way out is not known when the sample is taken: actions may change tags. */
static void put_switch(struct buf *to, const struct sample_record *s)
{
	buf_u32(to, be16toh(s->key.du.vlan_vid) & 0xfff);
	buf_u32(to, s->key.du.vlan_pcp);
	buf_u32(to, UINT32_MAX);
	buf_u32(to, UINT32_MAX);
}

static unsigned vlan_stack(const struct sample_record *s, uint32_t *tag)
{
	const struct outer_key *o = &s->key.outer;
	struct reader r;

	if (has_ethernet(s))
		return get_tags(s, &r, tag);
	if (!has(s, HAS_VLAN | HAS_QINQ))
		return 0;
	/* Of a DU the aggregate's, from the record: it keeps no TPIDs and one PCP. */
	tag[0] = (uint32_t)ETH_P_8021AD << 16 | (uint32_t)o->vlan_pcp << 13 |
		 (be16toh(o->vlan_vid) & 0xfff);
	tag[1] = (uint32_t)ETH_P_8021Q << 16 | (be16toh(o->qinq_vid) & 0xfff);
	return 2;
}

static bool there_vlan_tunnel(const struct sample_record *s)
{
	uint32_t tag[TAGS_MAX];

	return vlan_stack(s, tag) >= 2;
}

static void put_vlan_tunnel(struct buf *to, const struct sample_record *s)
{
	uint32_t tag[TAGS_MAX];
	unsigned n = vlan_stack(s, tag);

	buf_u32(to, n);
	for (unsigned i = 0; i < n; i++)
		buf_u32(to, tag[i]);
}

static bool there_mpls(const struct sample_record *s)
{
	uint16_t type = be16toh(s->key.du.eth_type);

	return has_ethernet(s) && (type == ETH_P_MPLS_UC || type == ETH_P_MPLS_MC);
}

static void put_mpls(struct buf *to, const struct sample_record *s)
{
	uint32_t tag[TAGS_MAX], label = 0;
	struct reader r;
	size_t count_at;
	unsigned n = 0;

	get_tags(s, &r, tag);
	buf_u32(to, SFLOW_ADDRESS_UNKNOWN); /* next hop */
	count_at = to->size;
	buf_u32(to, 0);
	while (n < LABELS_MAX && reader_left(&r) >= 4 && !(label & 0x100)) {
		label = pull_u32(&r);
		buf_u32(to, label);
		n++;
	}
	put_be32(to->data + count_at, n);
	buf_u32(to, 0); /* out stack: none is known */
}

/* ---- The aggregate around a DU ---- */

static bool there_tunnel4(const struct sample_record *s)
{
	return !(s->flags & SAMPLE_AGGREGATE) && has(s, HAS_IPV4);
}

static bool there_tunnel6(const struct sample_record *s)
{
	return !(s->flags & SAMPLE_AGGREGATE) && has(s, HAS_IPV6);
}

/* Octets of the outer IP packet: the record has those of its frame. */
static uint32_t outer_length(const struct sample_record *s)
{
	uint32_t frame = be32toh(s->key.outer.frame_len), link = 0;

	if (has(s, HAS_ETH))
		link = ETH_HLEN + TAG_SIZE * (has(s, HAS_VLAN) + has(s, HAS_QINQ));
	return frame > link ? frame - link : 0;
}

static uint32_t outer_protocol(const struct sample_record *s)
{
	return has(s, HAS_UDP) ? 17 : has(s, HAS_ESP) ? 50 : 0;
}

/* What sampled_ipv4 and sampled_ipv6 end with: ports, TCP flags, TOS or traffic class. */
static void put_tunnel_rest(struct buf *to, const struct outer_key *o)
{
	buf_u32(to, be16toh(o->udp_src));
	buf_u32(to, be16toh(o->udp_dst));
	buf_u32(to, 0);
	buf_u32(to, (uint32_t)o->ip_dscp << 2 | o->ip_ecn);
}

static void put_tunnel4(struct buf *to, const struct sample_record *s)
{
	const struct outer_key *o = &s->key.outer;

	buf_u32(to, outer_length(s));
	buf_u32(to, outer_protocol(s));
	buf_octets(to, &o->ipv4_src, 4);
	buf_octets(to, &o->ipv4_dst, 4);
	put_tunnel_rest(to, o);
}

static void put_tunnel6(struct buf *to, const struct sample_record *s)
{
	const struct outer_key *o = &s->key.outer;

	buf_u32(to, outer_length(s));
	buf_u32(to, outer_protocol(s));
	buf_octets(to, o->ipv6_src, 16);
	buf_octets(to, o->ipv6_dst, 16);
	put_tunnel_rest(to, o);
}

/* ---- The packet's own IP header, beside an aggregate's ---- */

static bool there_ip(const struct sample_record *s, uint16_t type)
{
	return (there_tunnel4(s) || there_tunnel6(s)) && s->l3 &&
	       be16toh(s->key.du.eth_type) == type;
}

static bool there_ipv4(const struct sample_record *s)
{
	return there_ip(s, ETH_P_IP);
}

static bool there_ipv6(const struct sample_record *s)
{
	return there_ip(s, ETH_P_IPV6);
}

static void put_ip(struct buf *to, const struct sample_record *s, unsigned address)
{
	const struct du_key *k = &s->key.du;
	uint32_t whole = s->length + (s->flags & SAMPLE_VIRTUAL_ETH ? ETH_HLEN : 0);
	bool icmp = k->ip_proto == IPPROTO_ICMP || k->ip_proto == IPPROTO_ICMPV6;

	buf_u32(to, whole > s->l3 ? whole - s->l3 : 0);
	buf_u32(to, k->ip_proto);
	buf_octets(to, k->ip_src, address);
	buf_octets(to, k->ip_dst, address);
	buf_u32(to, icmp ? k->icmp_type : be16toh(k->tp_src));
	buf_u32(to, icmp ? k->icmp_code : be16toh(k->tp_dst));
	buf_u32(to, be16toh(k->tcp_flags) & 0xfff);
	buf_u32(to, (uint32_t)k->ip_dscp << 2 | k->ip_ecn);
}

static void put_ipv4(struct buf *to, const struct sample_record *s)
{
	put_ip(to, s, 4);
}

static void put_ipv6(struct buf *to, const struct sample_record *s)
{
	put_ip(to, s, 16);
}

/* ---- Ours ---- */

/* Of an aggregate that ended as one, what its format would have said later is not known; before
 * its ICV was right, what it said itself is nobody's word. */
static bool is_collected(const struct field *f, const struct sample_record *s)
{
	enum field_known known = KNOWN_DU;

	if (f->oxm_class != OFPXMC_EXPERIMENTER || !has(s, f->has))
		return false;
	if (s->flags & SAMPLE_AGGREGATE)
		known = s->key.outer.auth == AUTH_VERIFIED ? KNOWN_AGG : KNOWN_OUTER;
	return f->known <= known || !f->has;
}

static bool there_always(const struct sample_record *s)
{
	(void)s;
	return true;
}

static void put_collected(struct buf *to, const struct sample_record *s)
{
	size_t size_at = to->size;

	buf_u32(to, 0);
	for (unsigned i = 0; i < N_FIELDS; i++) {
		if (is_collected(&fields[i], s))
			field_put_oxm(&fields[i], field_in(&s->key, &fields[i]), NULL, to);
	}
	put_be32(to->data + size_at, (uint32_t)(to->size - size_at - 4));
}

static const char *end_reason(const struct sample_record *s)
{
	if (s->end == SAMPLE_DROPPED && s->reason < N_DROPS)
		return drop_reasons[s->reason].name;
	if (s->end == SAMPLE_CONSUMED && s->reason < N_CONSUMES)
		return consume_reasons[s->reason].name;
	return "";
}

static void put_end(struct buf *to, const struct sample_record *s)
{
	const char *reason = end_reason(s);
	const struct sflow_end end = {htobe32(s->end), htobe32(s->flags), htobe32(s->table),
				      htobe32(s->rule_id), htobe32((uint32_t)strlen(reason))};

	buf_octets(to, &end, sizeof end);
	buf_octets(to, reason, strlen(reason));
}

/* ---- The flow sample ---- */

/* In the order in which they stand, which two readers that are not ours need: Wireshark's of 2023
 * does not pass over standard structures that it does not know, so tunnels come behind ours; sfcapd
 * takes the last IP header it finds for the packet's own, so that one comes behind the tunnels. */
static const struct record {
	uint32_t format;
	bool (*there)(const struct sample_record *s);
	void (*put)(struct buf *to, const struct sample_record *s);
} records[] = {
	{SFLOW_SAMPLED_HEADER, there_header, put_header},
	{SFLOW_EXTENDED_SWITCH, there_switch, put_switch},
	{SFLOW_EXTENDED_MPLS, there_mpls, put_mpls},
	{SFLOW_EXTENDED_VLAN_TUNNEL, there_vlan_tunnel, put_vlan_tunnel},
	{SFLOW_OURS_COLLECTED, there_always, put_collected},
	{SFLOW_OURS_END, there_always, put_end},
	{SFLOW_IPV4_TUNNEL_INGRESS, there_tunnel4, put_tunnel4},
	{SFLOW_IPV6_TUNNEL_INGRESS, there_tunnel6, put_tunnel6},
	{SFLOW_SAMPLED_IPV4, there_ipv4, put_ipv4},
	{SFLOW_SAMPLED_IPV6, there_ipv6, put_ipv6},
};

uint32_t sflow_drop_code(enum drop_reason reason)
{
	/* Below 256: codes of ICMP's destination unreachable (RFC 1812 5.2.7.1). */
	static const uint16_t code[N_DROPS] = {
		[DROP_HEADERS_TOO_LONG] = SFLOW_DROPPED_TOO_BIG,
		[DROP_NO_FRAME] = SFLOW_DROPPED_NO_BUFFER,
		[DROP_NO_PACKET] = SFLOW_DROPPED_NO_BUFFER,
		[DROP_EARLY] = SFLOW_DROPPED_ACL,
		[DROP_HANDOFF_FULL] = SFLOW_DROPPED_NO_BUFFER,
		[DROP_ESP_LONG] = SFLOW_DROPPED_TOO_BIG,
		[DROP_SOURCE_NOT_ALLOWED] = SFLOW_DROPPED_ACL,
		[DROP_TOO_BIG] = SFLOW_DROPPED_TOO_BIG,
		[DROP_RULE] = SFLOW_DROPPED_ACL,
		[DROP_TABLE_MISS] = SFLOW_DROPPED_ACL,
		[DROP_EARLY_METER] = SFLOW_DROPPED_SHAPED,
		[DROP_REJECT] = SFLOW_DROPPED_ACL,
		[DROP_REJECT_MAX] = SFLOW_DROPPED_ACL,
		[DROP_LIMIT] = SFLOW_DROPPED_SHAPED,
		[DROP_METER] = SFLOW_DROPPED_SHAPED,
		[DROP_TTL_EXPIRED] = SFLOW_DROPPED_TTL,
		[DROP_NO_PORT] = 1, /* host unreachable; 0, net unreachable, is NO_ROUTE's below */
		[DROP_NEIGH_UNRESOLVED] = 1,
		[DROP_MTU] = SFLOW_DROPPED_TOO_BIG,
		[DROP_PACKET_IN_FULL] = SFLOW_DROPPED_NO_BUFFER,
		[DROP_TX_FULL] = SFLOW_DROPPED_NO_BUFFER,
	};

	if (reason == DROP_NO_ROUTE)
		return 0;
	return reason < N_DROPS && code[reason] ? code[reason] : SFLOW_DROPPED_UNKNOWN;
}

/* The host's and the controllers' are no interfaces: the packet began or ended in the switch. */
static uint32_t interface(uint32_t ofport)
{
	return ofport && ofport < SFLOW_INTERFACE_UNKNOWN ? ofport : SFLOW_INTERFACE_UNKNOWN;
}

static uint32_t output(const struct sample_record *s)
{
	if (s->end == SAMPLE_DROPPED)
		return SFLOW_OUTPUT_DROPPED | sflow_drop_code(s->reason);
	return interface(s->out_port);
}

void sflow_put_flow(struct buf *to, const struct sflow_source *from, const struct sample_record *s)
{
	size_t size_at, count_at;
	uint32_t n = 0;

	buf_u32(to, SFLOW_FLOW_SAMPLE);
	size_at = to->size;
	buf_u32(to, 0);
	buf_u32(to, from->sequence);
	buf_u32(to, from->id);
	buf_u32(to, s->every);
	buf_u32(to, from->pool);
	buf_u32(to, from->drops);
	buf_u32(to, interface(s->in_port));
	buf_u32(to, output(s));
	count_at = to->size;
	buf_u32(to, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(records); i++) {
		size_t at;

		if (!records[i].there(s))
			continue;
		buf_u32(to, records[i].format);
		at = to->size;
		buf_u32(to, 0);
		records[i].put(to, s);
		pad(to);
		put_be32(to->data + at, (uint32_t)(to->size - at - 4));
		n++;
	}
	put_be32(to->data + count_at, n);
	put_be32(to->data + size_at, (uint32_t)(to->size - size_at - 4));
}

/* ---- Counters and the datagram ---- */

enum { IF_COUNTERS_SIZE = 88 };

void sflow_put_interface(struct buf *to, const struct sflow_interface *i)
{
	buf_u32(to, SFLOW_COUNTER_SAMPLE);
	buf_u32(to, 12 + 8 + IF_COUNTERS_SIZE);
	buf_u32(to, i->sequence);
	buf_u32(to, (uint32_t)SFLOW_SOURCE_INTERFACE << 24 | i->index);
	buf_u32(to, 1);
	buf_u32(to, SFLOW_IF_COUNTERS);
	buf_u32(to, IF_COUNTERS_SIZE);
	buf_u32(to, i->index);
	buf_u32(to, i->type);
	buf_u64(to, 0); /* speed and direction: not known */
	buf_u32(to, 0);
	buf_u32(to, i->up ? 3 : 1); /* bit 0: administrative, bit 1: operational state */
	buf_u64(to, i->rx_octets);
	buf_u32(to, (uint32_t)i->rx_packets);
	buf_u32(to, UINT32_MAX); /* multicast, broadcast: not counted apart */
	buf_u32(to, UINT32_MAX);
	buf_u32(to, i->rx_dropped);
	buf_u32(to, i->rx_errors);
	buf_u32(to, UINT32_MAX); /* unknown protocols */
	buf_u64(to, i->tx_octets);
	buf_u32(to, (uint32_t)i->tx_packets);
	buf_u32(to, UINT32_MAX);
	buf_u32(to, UINT32_MAX);
	buf_u32(to, i->tx_dropped);
	buf_u32(to, i->tx_errors);
	buf_u32(to, 0); /* promiscuous mode */
}

void sflow_put_header(struct buf *to, const struct sflow_datagram *d)
{
	bool v6 = d->agent.family == 6;

	buf_u32(to, SFLOW_VERSION);
	buf_u32(to, v6 ? SFLOW_ADDRESS_IPV6 : SFLOW_ADDRESS_IPV4);
	buf_octets(to, d->agent.octet, v6 ? 16 : 4);
	buf_u32(to, 0); /* sub-agent */
	buf_u32(to, d->sequence);
	buf_u32(to, d->uptime_ms);
	buf_u32(to, d->n_samples);
}
