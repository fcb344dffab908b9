/* SPDX-License-Identifier: Apache-2.0 */
/* From octets to a key: Ethernet, VLAN tags, MPLS, ARP, IPv4 with options, IPv6 with extension
 * headers, fragments, TCP, UDP, SCTP, ICMP, ICMPv6 with neighbour discovery.
 *
 * The parsers run one behind the other over a cursor that ends with the packet's headers (256
 * octets, one segment) or a sample's, test each length before they look, and fill the key as they
 * go.  A broken IP header is a reason to drop.  A transport header that is cut short is not: its
 * fields stay zero, as for a later fragment. */
#include "datapath/parse.h"

#include "datapath/spine.h"
#include "lib/hash.h"
#include "lib/openflow.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

enum { PARSE_OK = HEADERS_PARSED };

struct parse {
	const uint8_t *at, *end; /* end of the octets that may be looked at */
	struct headers *h;
	struct du_key *k;
};

static size_t left(const struct parse *c)
{
	return (size_t)(c->end - c->at);
}

/* Too few octets: because the packet ends here, or because headers may not go further? */
static int too_short(const struct parse *c, enum drop_reason reason)
{
	return c->h->cut ? DROP_HEADERS_TOO_LONG : (int)reason;
}

static uint16_t offset(const struct parse *c)
{
	return (uint16_t)(c->at - c->h->data);
}

static int parse_ethernet(struct parse *c)
{
	const uint8_t *eth = c->at;
	uint16_t type;

	if (left(c) < ETH_HLEN)
		return DROP_ETH_SHORT;
	memcpy(c->k->eth_dst, eth, 6);
	memcpy(c->k->eth_src, eth + 6, 6);
	type = get_be16(eth + 12);
	c->at += ETH_HLEN;
	/* The outermost tag is what vlan_vid matches; further ones are passed over to find IP. */
	for (unsigned n = 0; type == ETH_P_8021Q || type == ETH_P_8021AD; n++) {
		uint16_t tci;

		if (left(c) < 4)
			return too_short(c, DROP_ETH_SHORT);
		tci = get_be16(c->at);
		if (n == 0) {
			c->k->vlan_vid = htobe16(OFPVID_PRESENT | (tci & 0xfff));
			c->k->vlan_pcp = tci >> 13;
		}
		type = get_be16(c->at + 2);
		c->at += 4;
	}
	c->k->eth_type = htobe16(type);
	return PARSE_OK;
}

static void parse_mpls(struct parse *c)
{
	uint32_t entry;

	if (left(c) < 4)
		return;
	entry = get_be32(c->at);
	c->k->mpls_label = htobe32(entry >> 12);
	c->k->mpls_tc = entry >> 9 & 7;
	c->k->mpls_bos = entry >> 8 & 1;
	c->h->l3 = offset(c);
	c->at += 4;
}

/* An I-TAG: 3 bits of priority, 5 of flags, the I-SID, then the addresses of the frame inside
 * (IEEE 802.1Q, 9.7). */
static void parse_pbb(struct parse *c)
{
	if (left(c) < 4)
		return;
	memcpy(c->k->pbb_isid, c->at + 1, 3);
	c->h->l3 = offset(c);
	c->at += MIN(left(c), 16u);
}

static void parse_arp(struct parse *c)
{
	const uint8_t *arp = c->at;

	/* Ethernet and IPv4 alone (RFC 826): hardware type 1, sizes 6 and 4. */
	if (left(c) < 28 || get_be16(arp) != 1 || get_be16(arp + 2) != ETH_P_IP || arp[4] != 6 ||
	    arp[5] != 4)
		return;
	c->h->l3 = offset(c);
	memcpy(&c->k->arp_op, arp + 6, 2);
	memcpy(c->k->hw_src, arp + 8, 6);
	memcpy(c->k->ip_src, arp + 14, 4);
	memcpy(c->k->hw_dst, arp + 18, 6);
	memcpy(c->k->ip_dst, arp + 24, 4);
	c->at += 28;
}

/* Options of a neighbour solicitation or advertisement (RFC 4861 4.6). */
static void parse_nd(struct parse *c)
{
	bool solicit = c->k->icmp_type == 135;

	if (left(c) < 24 || c->k->icmp_code != 0)
		return;
	memcpy(c->k->nd_target, c->at + 8, 16);
	c->at += 24;
	while (left(c) >= 8) {
		size_t size = c->at[1] * 8u;

		if (!size || size > left(c))
			return;
		if (c->at[0] == 1 && solicit && size == 8)
			memcpy(c->k->hw_src, c->at + 2, 6);
		if (c->at[0] == 2 && !solicit && size == 8)
			memcpy(c->k->hw_dst, c->at + 2, 6);
		c->at += size;
	}
}

static void parse_icmp(struct parse *c, bool v6)
{
	if (left(c) < 4)
		return;
	c->h->l4 = offset(c);
	c->k->icmp_type = c->at[0];
	c->k->icmp_code = c->at[1];
	if (v6 && (c->at[0] == 135 || c->at[0] == 136))
		parse_nd(c);
	else
		c->at += MIN(left(c), 8u);
}

static void parse_transport(struct parse *c)
{
	static const uint8_t sizes[256] = {
		[IPPROTO_TCP] = 20, [IPPROTO_UDP] = 8, [IPPROTO_SCTP] = 12};
	uint8_t proto = c->k->ip_proto, size = sizes[proto];

	c->h->payload = offset(c);
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
		parse_icmp(c, proto == IPPROTO_ICMPV6);
	} else if (size && left(c) >= size) {
		c->h->l4 = offset(c);
		memcpy(&c->k->tp_src, c->at, 2);
		memcpy(&c->k->tp_dst, c->at + 2, 2);
		if (proto == IPPROTO_TCP) {
			unsigned header = (c->at[12] >> 4) * 4u;

			c->k->tcp_flags = htobe16(get_be16(c->at + 12) & 0xfff);
			size = (uint8_t)MIN(MAX(header, 20u), left(c));
		}
		c->at += size;
	}
}

static int parse_ipv4(struct parse *c)
{
	const uint8_t *ip = c->at;
	uint32_t total, header;
	uint16_t frag;

	if (left(c) < 20)
		return too_short(c, DROP_IP_SHORT);
	header = (ip[0] & 0xf) * 4u;
	total = get_be16(ip + 2);
	if (ip[0] >> 4 != 4 || header < 20 || total < header)
		return DROP_IP_HEADER;
	if (left(c) < header)
		return too_short(c, DROP_IP_SHORT);
	if (total > c->h->whole - offset(c))
		return DROP_IP_SHORT;
	c->h->l3 = offset(c);
	c->k->ip_dscp = ip[1] >> 2;
	c->k->ip_ecn = ip[1] & 3;
	c->k->ip_ttl = ip[8];
	c->k->ip_proto = ip[9];
	memcpy(c->k->ip_src, ip + 12, 4);
	memcpy(c->k->ip_dst, ip + 16, 4);
	frag = get_be16(ip + 6);
	if (frag & 0x3fff)
		c->k->ip_frag = IP_FRAG_ANY | (frag & 0x1fff ? IP_FRAG_LATER : 0);
	if (total < left(c))
		c->end = ip + total; /* link padding is nobody's header */
	c->at += header;
	return PARSE_OK;
}

/* Where an extension header should stand (RFC 8200 4.1); destination options may stand in front of
 * a routing header, or last. */
static unsigned exthdr_rank(uint8_t next, unsigned highest)
{
	switch (next) {
	case IPPROTO_HOPOPTS:
		return 1;
	case IPPROTO_DSTOPTS:
		return highest <= 2 ? 2 : 7;
	case IPPROTO_ROUTING:
		return 3;
	case IPPROTO_FRAGMENT:
		return 4;
	case IPPROTO_AH:
		return 5;
	case IPPROTO_ESP:
		return 6;
	default:
		return 0; /* none, or the end of them */
	}
}

/* ipv6_exthdr (TS-023, 7.2.3.8) while extension headers are passed. */
struct exthdrs {
	unsigned highest; /* rank so far */
	unsigned n_dest;
	uint16_t flags; /* enum ofp_ipv6exthdr_flags */
};

static void exthdr_seen(struct exthdrs *e, uint8_t next)
{
	static const uint16_t bits[] = {0,           OFPIEH_HOP,  OFPIEH_DEST, OFPIEH_ROUTER,
					OFPIEH_FRAG, OFPIEH_AUTH, OFPIEH_ESP,  OFPIEH_DEST};
	unsigned rank = exthdr_rank(next, e->highest);
	uint16_t bit = next == IPPROTO_NONE ? OFPIEH_NONEXT : bits[rank];
	bool dest = bit == OFPIEH_DEST;

	e->n_dest += dest;
	if (dest ? e->n_dest > 2 : e->flags & bit)
		e->flags |= OFPIEH_UNREP;
	if (rank && rank < e->highest)
		e->flags |= OFPIEH_UNSEQ;
	e->highest = MAX(e->highest, rank);
	e->flags |= bit;
}

static int parse_ipv6(struct parse *c)
{
	const uint8_t *ip = c->at;
	struct exthdrs seen = {0};
	uint32_t total;
	uint8_t next;

	if (left(c) < 40)
		return too_short(c, DROP_IP_SHORT);
	total = 40u + get_be16(ip + 4);
	if (ip[0] >> 4 != 6)
		return DROP_IP_HEADER;
	if (total > c->h->whole - offset(c))
		return DROP_IP_SHORT;
	c->h->l3 = offset(c);
	c->k->ip_dscp = (get_be16(ip) >> 6) & 0x3f;
	c->k->ip_ecn = (ip[1] >> 4) & 3;
	c->k->ipv6_flabel = htobe32(get_be32(ip) & 0xfffff);
	c->k->ip_ttl = ip[7];
	memcpy(c->k->ip_src, ip + 8, 16);
	memcpy(c->k->ip_dst, ip + 24, 16);
	if (total < left(c))
		c->end = ip + total;
	next = ip[6];
	c->at += 40;
	/* Extension headers (RFC 8200 4), until one is none or is cut short. */
	for (;;) {
		size_t size;

		c->k->ip_proto = next;
		exthdr_seen(&seen, next);
		c->k->ipv6_exthdr = htobe16(seen.flags);
		if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS) {
			size = left(c) >= 2 ? (c->at[1] + 1u) * 8 : 8;
		} else if (next == IPPROTO_AH) {
			size = left(c) >= 2 ? (c->at[1] + 2u) * 4 : 8;
		} else if (next == IPPROTO_FRAGMENT) {
			size = 8;
		} else {
			return PARSE_OK;
		}
		if (size > left(c))
			return too_short(c, DROP_IP_SHORT);
		if (next == IPPROTO_FRAGMENT) {
			uint16_t frag = get_be16(c->at + 2);

			if (frag & ~6u)
				c->k->ip_frag = IP_FRAG_ANY | (frag >> 3 ? IP_FRAG_LATER : 0);
		}
		next = c->at[0];
		c->at += size;
		if (c->k->ip_frag & IP_FRAG_LATER) {
			c->k->ip_proto = next;
			return PARSE_OK;
		}
	}
}

uint32_t pkt_flow_hash_find(const struct du_key *k)
{
	uint64_t word, h = hash_seed;
	uint32_t ports;

	for (unsigned i = 0; i < 4; i++) {
		/* Addresses of 16 octets each, adjacent in the key; zero behind an IPv4 one. */
		memcpy(&word, (i < 2 ? k->ip_src : k->ip_dst) + i % 2 * 8, 8);
		h = hash_add(h, word);
	}
	/* Fragments of one packet stay together: only the first has ports, so none counts them. */
	ports = k->ip_frag ? 0 : (uint32_t)k->tp_src << 16 | k->tp_dst;
	h = hash_add(h, (uint64_t)k->ip_proto << 32 | ports);
	if (!k->ip_proto)
		memcpy(&word, k->eth_src, 8), h = hash_add(h, word);
	return MAX(hash_finish(h), 1u);
}

static int parse_l3(struct parse *c)
{
	switch (be16toh(c->k->eth_type)) {
	case ETH_P_IP:
		return parse_ipv4(c);
	case ETH_P_IPV6:
		return parse_ipv6(c);
	case ETH_P_ARP:
		parse_arp(c);
		break;
	case ETH_P_MPLS_UC:
	case ETH_P_MPLS_MC:
		parse_mpls(c);
		break;
	case ETH_P_8021AH:
		parse_pbb(c);
		break;
	}
	return PARSE_OK;
}

/* Ethernet without a tag, and IPv4 without options. */
enum { PLAIN_L3 = ETH_HLEN, PLAIN_L4 = ETH_HLEN + 20 };

/* What most packets are: that, not a fragment, TCP or UDP, all of it there.  The parsers above say
 * the same of them, in three times as many steps; whatever is the least bit different is left to
 * them.  Returns where the last header ends; 0: it is different, and nothing was written. */
static ALWAYS_INLINE uint32_t parse_plain(const uint8_t *d, uint32_t size, uint32_t whole,
					  struct du_key *k)
{
	const uint8_t *ip = d + PLAIN_L3, *l4 = d + PLAIN_L4;
	uint32_t total, header;
	be16 tcp_flags = 0;

	if (size < PLAIN_L4 + 8 || get_be16(d + 12) != ETH_P_IP || ip[0] != 0x45 || ip[6] & 0x3f ||
	    ip[7])
		return 0;
	header = 8;
	if (ip[9] != IPPROTO_UDP) {
		if (ip[9] != IPPROTO_TCP || size < PLAIN_L4 + 20)
			return 0;
		header = (l4[12] >> 4) * 4u;
		if (header < 20)
			return 0;
		tcp_flags = htobe16(get_be16(l4 + 12) & 0xfff);
	}
	total = get_be16(ip + 2);
	if (total < 20 + header || total > whole - ETH_HLEN || size < PLAIN_L4 + header)
		return 0;
	memcpy(k->eth_dst, d, 6);
	memcpy(k->eth_src, d + 6, 6);
	k->eth_type = htobe16(ETH_P_IP);
	k->ip_dscp = ip[1] >> 2;
	k->ip_ecn = ip[1] & 3;
	k->ip_ttl = ip[8];
	k->ip_proto = ip[9];
	memcpy(k->ip_src, ip + 12, 4);
	memcpy(k->ip_dst, ip + 16, 4);
	memcpy(&k->tp_src, l4, 4); /* and tp_dst */
	k->tcp_flags = tcp_flags;
	return PLAIN_L4 + header;
}

static int parse_all(struct headers *h, enum headers_first first, struct du_key *k)
{
	static const uint16_t eth_types[] = {
		[HEADERS_IPV4] = ETH_P_IP,
		[HEADERS_IPV6] = ETH_P_IPV6,
		[HEADERS_MPLS] = ETH_P_MPLS_UC,
	};
	struct parse c = {
		.at = h->data,
		.end = h->data + h->size,
		.h = h,
		.k = k,
	};
	int reason = PARSE_OK;

	if (first == HEADERS_ETHERNET)
		reason = parse_ethernet(&c);
	else
		k->eth_type = htobe16(eth_types[first]);
	if (reason == PARSE_OK)
		reason = parse_l3(&c);
	if (reason == PARSE_OK && k->ip_proto) {
		if (!(k->ip_frag & IP_FRAG_LATER))
			parse_transport(&c);
		if (!h->l4)
			k->tcp_flags = htobe16(TP_MISSING);
	}
	h->payload = offset(&c);
	return reason;
}

int headers_parse(struct headers *h, enum headers_first first, struct du_key *k)
{
	uint32_t end = first == HEADERS_ETHERNET ? parse_plain(h->data, h->size, h->whole, k) : 0;

	if (!end)
		return parse_all(h, first, k);
	h->l3 = PLAIN_L3;
	h->l4 = PLAIN_L4;
	h->payload = (uint16_t)end;
	return PARSE_OK;
}

static __attribute__((noinline)) int pkt_parse_all(struct pkt *p)
{
	struct headers h = {
		.data = p->data,
		.size = MIN(p->seg[0].len, PKT_HEADERS),
		.whole = p->len,
		.cut = p->len > PKT_HEADERS,
	};
	int reason = parse_all(&h, HEADERS_ETHERNET, &p->key);

	p->l3 = h.l3;
	p->l4 = h.l4;
	p->payload = h.payload;
	return reason;
}

static ALWAYS_INLINE int parse(struct worker *w, struct pkt *p)
{
	int reason = PARSE_OK;
	uint32_t end;

	zero_words(&p->key, DU_KEY_PARSED);
	p->key.pkt_len = htobe32(pkt_octets(p));
	p->flow_hash_memo = 0;
	p->flags |= PKT_KEYED;
	end = parse_plain(p->data, MIN(p->seg[0].len, PKT_HEADERS), p->len, &p->key);
	if (likely(end)) {
		p->l3 = PLAIN_L3;
		p->l4 = PLAIN_L4;
		p->payload = (uint16_t)end;
	} else {
		reason = pkt_parse_all(p);
	}
	trace(w, p, PARSE, be16toh(p->key.eth_type), p->key.ip_proto);
	return reason;
}

int pkt_parse(struct worker *w, struct pkt *p)
{
	return parse(w, p);
}

void pkt_reparse(struct worker *w, struct pkt *p)
{
	const size_t first = offsetof(struct du_key, eth_type);
	const size_t again = offsetof(struct du_key, in_phy_port);
	const struct du_key kept = p->key;

	(void)pkt_parse(w, p);
	memcpy(&p->key, &kept, first);
	memcpy((uint8_t *)&p->key + again, (const uint8_t *)&kept + again,
	       offsetof(struct du_key, mpls_label) - again);
}

static be32 ofport_of(const struct worker *w, uint32_t port_id)
{
	const struct port *port = port_get(w->dp, port_id);

	return htobe32(port ? port->ofport : OFPP_CONTROLLER);
}

void pkt_key_context(struct worker *w, struct pkt *p)
{
	p->key.in_port = p->key.in_phy_port = ofport_of(w, p->in_port);
	p->key.tunnel_id = p->outer ? p->outer->key.tunnel_id : 0;
}

/* False: it was dropped. */
static ALWAYS_INLINE bool parse_or_drop(struct worker *w, struct pkt *p)
{
	int reason = parse(w, p);

	if (likely(reason == PARSE_OK))
		return true;
	drop(w, p, (enum drop_reason)reason);
	return false;
}

void stage_parse(struct worker *w, struct batch *b)
{
	unsigned n = 0;
	struct pkt *p;

	BATCH_FOR_EACH (p, b)
		if (p->flags & PKT_KEYED || parse_or_drop(w, p))
			b->pkt[n++] = p;
	b->n = n;
}

/* Data units are parsed here; a plain frame has been since it came. */
void stage_key(struct worker *w, struct batch *b)
{
	uint32_t from = PORT_NONE;
	be32 in_port = htobe32(OFPP_CONTROLLER);
	unsigned n = 0, total = b->n;

	for (unsigned i = 0; i < total; i++) {
		struct pkt *p = b->pkt[i];

		if (unlikely(!(p->flags & PKT_KEYED)) && !parse_or_drop(w, p))
			continue;
		if (unlikely(p->in_port != from)) { /* most of a batch come by one */
			from = p->in_port;
			in_port = ofport_of(w, from);
		}
		p->key.in_port = p->key.in_phy_port = in_port;
		p->key.tunnel_id = p->outer->key.tunnel_id;
		p->flags |= PKT_COUNTED; /* by the stage behind */
		if (unlikely(p->flags & PKT_TRACED))
			trace_keyed(w, p);
		b->pkt[n++] = p;
	}
	b->n = n;
}
