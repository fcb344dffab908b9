/* SPDX-License-Identifier: Apache-2.0 */
/* sFlow version 5, read: from a datagram of anybody's to samples.
 *
 * A datagram is walked with cursors that end where its lengths say, so a count that lies ends with
 * the octets there are, and the work is bounded by the datagram's size.  A flow sample's records
 * come in any order: they are noted first (rows of `records`, the first of each kind), and applied
 * in the rows' order when the whole sample was found to be sound.
 *
 * Exporters are remembered for their sequence numbers alone: who was silent the longest gives way.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "datapath/match.h"
#include "datapath/parse.h"
#include "datapath/sample.h"
#include "lib/hash.h"
#include "lib/openflow.h"
#include "lib/sflow.h"
#include "utilities/watch/sample.h"

enum {
	EXPORTERS = WATCH_EXPORTERS,
	BUCKETS = 2048,
	NO_EXPORTER = UINT16_MAX,
	GAP_MAX = 1 << 16, /* a larger step in sequence is a restart, not a loss */
	LATE_MAX = 1 << 6, /* a smaller step back is a datagram overtaken by another */
	SAMPLED_IPV4_SIZE = 32,
	SAMPLED_IPV6_SIZE = 56,
};

struct exporter {
	struct ip agent;
	uint32_t sub_agent, seq;
	uint16_t next;         /* in its bucket */
	uint16_t newer, older; /* by when they were heard last */
};

struct sflow_reader {
	struct read_counters n;
	struct exporter exporter[EXPORTERS];
	uint16_t bucket[BUCKETS];
	uint16_t n_exporters, newest, oldest;
};

struct sflow_reader *sflow_reader_create(void)
{
	struct sflow_reader *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	memset(r->bucket, 0xff, sizeof r->bucket);
	r->newest = r->oldest = NO_EXPORTER;
	return r;
}

void sflow_reader_free(struct sflow_reader *r)
{
	free(r);
}

const struct read_counters *sflow_counters(const struct sflow_reader *r)
{
	return &r->n;
}

/* ---- Exporters ---------------------------------------------------------------------------- */

static uint16_t *bucket_of(struct sflow_reader *r, const struct ip *agent, uint32_t sub_agent)
{
	uint32_t hash = hash_finish(hash_add(hash_add(hash_seed, ip_hash(agent)), sub_agent));

	return &r->bucket[hash % BUCKETS];
}

static void age_unlink(struct sflow_reader *r, uint16_t i)
{
	struct exporter *e = &r->exporter[i];

	*(e->newer == NO_EXPORTER ? &r->newest : &r->exporter[e->newer].older) = e->older;
	*(e->older == NO_EXPORTER ? &r->oldest : &r->exporter[e->older].newer) = e->newer;
}

static void age_link(struct sflow_reader *r, uint16_t i)
{
	r->exporter[i].newer = NO_EXPORTER;
	r->exporter[i].older = r->newest;
	*(r->newest == NO_EXPORTER ? &r->oldest : &r->exporter[r->newest].newer) = i;
	r->newest = i;
}

static uint16_t evict(struct sflow_reader *r)
{
	uint16_t i = r->oldest;
	struct exporter *e = &r->exporter[i];
	uint16_t *at = bucket_of(r, &e->agent, e->sub_agent);

	while (*at != i)
		at = &r->exporter[*at].next;
	*at = e->next;
	age_unlink(r, i);
	return i;
}

static uint16_t exporter_heard(struct sflow_reader *r, const struct ip *agent, uint32_t sub_agent,
			       uint32_t seq)
{
	uint16_t *bucket = bucket_of(r, agent, sub_agent), i;
	struct exporter *e;

	for (i = *bucket; i != NO_EXPORTER; i = r->exporter[i].next) {
		int32_t step;

		e = &r->exporter[i];
		if (e->sub_agent != sub_agent || !ip_equal(&e->agent, agent))
			continue;
		step = (int32_t)(seq - e->seq);
		if (step > 0 && step <= GAP_MAX)
			r->n.lost += (uint32_t)step - 1;
		else if (step <= 0 && step > -LATE_MAX && seq)
			seq = e->seq; /* it was counted as lost already */
		e->seq = seq;
		if (r->newest != i) {
			age_unlink(r, i);
			age_link(r, i);
		}
		return i;
	}
	i = r->n_exporters < EXPORTERS ? r->n_exporters++ : evict(r);
	r->exporter[i] = (struct exporter){*agent, sub_agent, seq, *bucket, 0, 0};
	*bucket = i;
	age_link(r, i);
	return i;
}

/* XDR's opaque<>: its length, so many octets, and zeros up to a multiple of four. */
static struct reader pull_opaque(struct reader *r)
{
	uint32_t size = pull_u32(r);
	struct reader body = pull_reader(r, size);

	pull(r, -size & 3);
	return body;
}

/* ---- Records of a flow sample --------------------------------------------------------------- */

/* Without what a link layer has in front. */
static void set_length(struct watch_sample *s, uint32_t length)
{
	s->length = length;
	s->octets = s->packets * length;
}

/* Ports are known from a transport header's first four octets, though the parser wants all of it:
 * a foreign router may have cut between. */
static void cut_ports(const struct headers *h, struct du_key *k)
{
	bool ports = k->ip_proto == IPPROTO_TCP || k->ip_proto == IPPROTO_UDP ||
		     k->ip_proto == IPPROTO_SCTP;

	if (!ports || h->l4 || k->ip_frag & IP_FRAG_LATER || h->size - h->payload < 4)
		return;
	memcpy(&k->tp_src, h->data + h->payload, 2);
	memcpy(&k->tp_dst, h->data + h->payload + 2, 2);
}

static int get_header(struct reader *body, struct watch_sample *s)
{
	static const uint8_t firsts[] = {
		[SFLOW_HEADER_ETHERNET] = HEADERS_ETHERNET + 1,
		[SFLOW_HEADER_IPV4] = HEADERS_IPV4 + 1,
		[SFLOW_HEADER_IPV6] = HEADERS_IPV6 + 1,
		[SFLOW_HEADER_MPLS] = HEADERS_MPLS + 1,
	};
	uint32_t protocol = pull_u32(body), whole = pull_u32(body), stripped = pull_u32(body);
	uint32_t size = pull_u32(body);
	const uint8_t *data = pull(body, size);
	struct headers h;
	uint32_t link;

	if (!data || size > UINT16_MAX)
		return -EINVAL;
	if (protocol >= ARRAY_SIZE(firsts) || !firsts[protocol])
		return -ENOENT;
	whole -= MIN(whole, stripped);
	whole = MAX(whole, size);
	/* What the packet's own headers say of lengths was never checked by who sampled it (and a
	 * host's large segments are longer than any frame): no limit but the octets there are. */
	h = (struct headers){.data = data, .size = size, .whole = UINT32_MAX, .cut = true};
	if (headers_parse(&h, (enum headers_first)(firsts[protocol] - 1), &s->key.du) ==
	    HEADERS_PARSED)
		cut_ports(&h, &s->key.du);
	link = protocol != SFLOW_HEADER_ETHERNET ? 0 : h.l3 ? h.l3 : h.payload;
	s->key.du.pkt_len = htobe32(whole);
	set_length(s, whole - link);
	return 0;
}

/* What sampled_ipv4 and sampled_ipv6 have in common. */
struct sampled_ip {
	uint32_t length, protocol, tp_src, tp_dst, flags, tos;
	const uint8_t *src, *dst; /* not NULL */
};

static int get_sampled_ip(struct reader *body, unsigned address, struct sampled_ip *ip)
{
	ip->length = pull_u32(body);
	ip->protocol = pull_u32(body);
	ip->src = pull(body, address);
	ip->dst = pull(body, address);
	ip->tp_src = pull_u32(body);
	ip->tp_dst = pull_u32(body);
	ip->flags = pull_u32(body);
	ip->tos = pull_u32(body);
	return body->failed ? -EINVAL : 0;
}

static int get_ip(struct reader *body, struct watch_sample *s, unsigned address)
{
	struct du_key *k = &s->key.du;
	struct sampled_ip ip;

	if (s->length)
		return 0; /* the header itself was there */
	if (get_sampled_ip(body, address, &ip))
		return -EINVAL;
	k->eth_type = htobe16(address == 4 ? 0x0800 : 0x86dd);
	memcpy(k->ip_src, ip.src, address);
	memcpy(k->ip_dst, ip.dst, address);
	k->ip_proto = (uint8_t)ip.protocol;
	k->ip_dscp = ip.tos >> 2 & 0x3f;
	k->ip_ecn = ip.tos & 3;
	if (ip.protocol == IPPROTO_ICMP || ip.protocol == IPPROTO_ICMPV6) {
		k->icmp_type = (uint8_t)ip.tp_src;
		k->icmp_code = (uint8_t)ip.tp_dst;
	} else {
		k->tp_src = htobe16((uint16_t)ip.tp_src);
		k->tp_dst = htobe16((uint16_t)ip.tp_dst);
	}
	if (ip.protocol == IPPROTO_TCP)
		k->tcp_flags = htobe16(ip.flags & 0xfff);
	k->pkt_len = htobe32(ip.length);
	set_length(s, ip.length);
	return 0;
}

static int get_ipv4(struct reader *body, struct watch_sample *s)
{
	return get_ip(body, s, 4);
}

static int get_ipv6(struct reader *body, struct watch_sample *s)
{
	return get_ip(body, s, 16);
}

static int get_switch(struct reader *body, struct watch_sample *s)
{
	uint32_t vid = pull_u32(body), pcp = pull_u32(body);

	if (s->key.du.vlan_vid || !vid || vid > 0xfff)
		return 0;
	s->key.du.vlan_vid = htobe16((uint16_t)(OFPVID_PRESENT | vid));
	s->key.du.vlan_pcp = pcp < 8 ? (uint8_t)pcp : 0;
	return 0;
}

static int get_vlans(struct reader *body, struct watch_sample *s)
{
	uint32_t n = pull_u32(body), first = pull_u32(body);
	struct outer_key *o = &s->key.outer;

	if (!n)
		return 0;
	if (body->failed)
		return -EINVAL;
	s->collected = true;
	o->has |= htobe32(HAS_VLAN);
	o->vlan_vid = htobe16((uint16_t)(OFPVID_PRESENT | (first & 0xfff)));
	o->vlan_pcp = first >> 13 & 7;
	if (n > 1) {
		uint32_t second = pull_u32(body);

		o->has |= htobe32(HAS_QINQ);
		o->qinq_vid = htobe16((uint16_t)(OFPVID_PRESENT | (second & 0xfff)));
	}
	return body->failed ? -EINVAL : 0;
}

static int get_tunnel(struct reader *body, struct watch_sample *s, unsigned address)
{
	struct outer_key *o = &s->key.outer;
	struct sampled_ip ip;

	if (get_sampled_ip(body, address, &ip))
		return -EINVAL;
	s->collected = true;
	o->has |= htobe32(address == 4 ? HAS_IPV4 : HAS_IPV6);
	memcpy(address == 4 ? (uint8_t *)&o->ipv4_src : o->ipv6_src, ip.src, address);
	memcpy(address == 4 ? (uint8_t *)&o->ipv4_dst : o->ipv6_dst, ip.dst, address);
	o->ip_version = address == 4 ? 4 : 6;
	o->ip_dscp = ip.tos >> 2 & 0x3f;
	o->ip_ecn = ip.tos & 3;
	if (ip.protocol == IPPROTO_UDP) {
		o->has |= htobe32(HAS_UDP);
		o->udp_src = htobe16((uint16_t)ip.tp_src);
		o->udp_dst = htobe16((uint16_t)ip.tp_dst);
	}
	return 0;
}

static int get_tunnel4(struct reader *body, struct watch_sample *s)
{
	return get_tunnel(body, s, 4);
}

static int get_tunnel6(struct reader *body, struct watch_sample *s)
{
	return get_tunnel(body, s, 16);
}

static int get_vni(struct reader *body, struct watch_sample *s)
{
	s->collected = true;
	s->key.outer.tunnel_id = s->key.du.tunnel_id = htobe64(pull_u32(body));
	return 0;
}

/* Collected fields as an opaque of OXM TLVs (docs/sflow.md): those of the outer record, and those
 * of the DU that are in no header.  Fields that are not known here are passed over. */
static int get_collected(struct reader *body, struct watch_sample *s)
{
	struct reader tlvs = pull_opaque(body);
	uint8_t ones[FIELD_SIZE_MAX], *at;
	struct field_value v;

	if (body->failed)
		return -EINVAL;
	for (unsigned n = 0; reader_left(&tlvs); n++) {
		int error = field_get_oxm(&tlvs, &v, NULL);

		if (tlvs.failed || n > N_FIELDS)
			return -EINVAL;
		if (error || v.has_mask ||
		    (v.field->oxm_class != OFPXMC_EXPERIMENTER &&
		     v.field->off < offsetof(struct key, outer) &&
		     v.field != &fields[FIELD_TUNNEL_ID]))
			continue;
		field_ones(v.field, ones);
		at = (uint8_t *)&s->key + v.field->off;
		for (unsigned i = 0; i < v.field->size; i++)
			at[i] = v.value[i] & ones[i];
		s->key.outer.has |= htobe32(v.field->has);
		s->collected = true;
	}
	return 0;
}

static uint8_t reason_of(const uint8_t *name, uint32_t size)
{
	_Static_assert(N_DROPS < 0xff, "0xff: no reason that is known here");

	for (unsigned i = 0; i < N_DROPS; i++)
		if (strlen(drop_reasons[i].name) == size &&
		    !memcmp(drop_reasons[i].name, name, size))
			return (uint8_t)i;
	return 0xff;
}

static int get_end(struct reader *body, struct watch_sample *s)
{
	uint32_t how = pull_u32(body), flags = pull_u32(body), size;
	const uint8_t *reason;

	pull(body, 8); /* table, rule */
	size = pull_u32(body);
	reason = pull(body, size);
	if (!reason)
		return -EINVAL;
	s->aggregate = flags & SAMPLE_AGGREGATE;
	s->by_rule = flags & SAMPLE_BY_RULE;
	s->end = how == SAMPLE_DROPPED ? END_DROPPED : END_SENT;
	if (how == SAMPLE_DROPPED)
		s->reason = reason_of(reason, size);
	if (s->by_rule) {
		s->packets = 1;
		s->octets = s->length;
	}
	return 0;
}

enum { IS_HEADER = 1, IS_OUTER = 2, IS_OURS = 4 };

/* In the order in which they are applied. */
static const struct {
	uint32_t format;
	uint8_t is, least; /* words */
	int (*get)(struct reader *body, struct watch_sample *s);
} records[] = {
	{SFLOW_SAMPLED_HEADER, IS_HEADER, 4, get_header},
	{SFLOW_SAMPLED_IPV4, IS_HEADER, SAMPLED_IPV4_SIZE / 4, get_ipv4},
	{SFLOW_SAMPLED_IPV6, IS_HEADER, SAMPLED_IPV6_SIZE / 4, get_ipv6},
	{SFLOW_EXTENDED_SWITCH, 0, 4, get_switch},
	{SFLOW_EXTENDED_VLAN_TUNNEL, IS_OUTER, 1, get_vlans},
	{SFLOW_IPV4_TUNNEL_INGRESS, IS_OUTER, SAMPLED_IPV4_SIZE / 4, get_tunnel4},
	{SFLOW_IPV6_TUNNEL_INGRESS, IS_OUTER, SAMPLED_IPV6_SIZE / 4, get_tunnel6},
	{SFLOW_VNI_INGRESS, IS_OUTER, 1, get_vni},
	{SFLOW_OURS_COLLECTED, IS_OURS, 1, get_collected},
	{SFLOW_OURS_END, 0, sizeof(struct sflow_end) / 4, get_end},
};

/* ---- Samples ----------------------------------------------------------------------------------
 */

/* What stands before a sample's records. */
static void get_ends(struct reader *r, bool expanded, struct watch_sample *s)
{
	uint32_t rate, input, format, output;

	pull(r, expanded ? 12 : 8); /* sequence, source id */
	rate = pull_u32(r);
	pull(r, 8); /* pool, drops */
	if (expanded)
		pull(r, 4); /* format of the input: always an interface */
	input = pull_u32(r);
	format = expanded ? pull_u32(r) : 0;
	output = pull_u32(r);
	if (!expanded) {
		format = output >> 30;
		output &= SFLOW_INTERFACE_UNKNOWN;
	}
	s->packets = MAX(rate, 1u);
	if (input != SFLOW_INTERFACE_UNKNOWN)
		s->key.du.in_port = s->key.du.in_phy_port = htobe32(input);
	if (format == SFLOW_OUTPUT_DROPPED >> 30)
		s->end = END_DROPPED;
	else if (format == SFLOW_OUTPUT_SEVERAL >> 30 ||
		 (!format && output && output != SFLOW_INTERFACE_UNKNOWN))
		s->end = END_SENT;
}

/* Finds the sample's records: 0, or -EINVAL. */
static int find_records(struct reader *r, struct reader found[ARRAY_SIZE(records)])
{
	uint32_t n = pull_u32(r);

	for (; n && !r->failed; n--) {
		uint32_t format = pull_u32(r);
		struct reader body = pull_opaque(r);

		for (unsigned i = 0; !r->failed && i < ARRAY_SIZE(records); i++) {
			if (records[i].format != format)
				continue;
			if (reader_left(&body) < records[i].least * 4u)
				return -EINVAL;
			if (!found[i].at)
				found[i] = body;
		}
	}
	return r->failed ? -EINVAL : 0;
}

/* One flow sample.  0; -ENOENT: sound, and not for us; -EINVAL. */
static int get_flow(struct reader *r, bool expanded, struct watch_sample *s)
{
	struct reader found[ARRAY_SIZE(records)] = {0};
	unsigned have = 0;

	get_ends(r, expanded, s);
	if (find_records(r, found))
		return -EINVAL;
	for (unsigned i = 0; i < ARRAY_SIZE(records); i++)
		have |= found[i].at ? records[i].is : 0;
	if (!(have & IS_HEADER))
		return -ENOENT;
	for (unsigned i = 0; i < ARRAY_SIZE(records); i++) {
		int error;

		if (!found[i].at || (records[i].is == IS_OUTER && have & IS_OURS))
			continue;
		error = records[i].get(&found[i], s);
		if (error)
			return error;
	}
	return 0;
}

static int malformed(struct sflow_reader *r)
{
	r->n.malformed++;
	return -EINVAL;
}

/* The datagram's head up to the number of its samples; false: not sound, or another version. */
static bool get_head(struct sflow_reader *r, struct reader *wire, uint32_t *exporter)
{
	uint32_t version = pull_u32(wire), type = pull_u32(wire), sub_agent, seq;
	unsigned size = type == SFLOW_ADDRESS_IPV4 ? 4 : 16;
	const uint8_t *address = pull(wire, size);
	struct ip agent = {.family = size == 4 ? 4 : 6};

	sub_agent = pull_u32(wire);
	seq = pull_u32(wire);
	pull(wire, 4); /* uptime */
	if (reader_left(wire) < 4 || version != SFLOW_VERSION ||
	    (type != SFLOW_ADDRESS_IPV4 && type != SFLOW_ADDRESS_IPV6))
		return false;
	memcpy(agent.octet, address, size);
	*exporter = exporter_heard(r, &agent, sub_agent, seq);
	return true;
}

int sflow_read(struct sflow_reader *r, const void *datagram, size_t size, uint64_t ns,
	       struct sample_sink *to)
{
	struct reader wire = reader_of(datagram, size);
	uint32_t exporter;

	r->n.datagrams++;
	if (!get_head(r, &wire, &exporter))
		return malformed(r);
	for (uint32_t n = pull_u32(&wire); n; n--) {
		uint32_t format = pull_u32(&wire);
		struct reader body = pull_opaque(&wire);
		struct watch_sample s = {.ns = ns, .exporter = exporter, .reason = 0xff};
		int error = -ENOENT;

		if (wire.failed)
			return malformed(r);
		if (format == SFLOW_FLOW_SAMPLE || format == SFLOW_EXPANDED_FLOW_SAMPLE)
			error = get_flow(&body, format == SFLOW_EXPANDED_FLOW_SAMPLE, &s);
		if (error == -EINVAL)
			return malformed(r);
		if (error) {
			r->n.ignored++;
			continue;
		}
		r->n.samples++;
		to->sample(to, &s);
	}
	return 0;
}
