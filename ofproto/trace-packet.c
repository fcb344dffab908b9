/* SPDX-License-Identifier: Apache-2.0 */
/* A packet out of the headers that FLOW text says. */
#include <linux/if_ether.h>
#include <netinet/in.h>

#include "lib/csum.h"
#include "lib/openflow.h"
#include "ofproto/trace.h"

static size_t put_ethernet(const struct du_key *k, uint8_t *f)
{
	size_t n = 12;

	memcpy(f, k->eth_dst, 6);
	memcpy(f + 6, k->eth_src, 6);
	if (be16toh(k->vlan_vid) & OFPVID_PRESENT) {
		put_be16(f + n, ETH_P_8021Q);
		put_be16(f + n + 2, (uint16_t)(k->vlan_pcp << 13 | (be16toh(k->vlan_vid) & 0xfff)));
		n += 4;
	}
	memcpy(f + n, &k->eth_type, 2);
	return n + 2;
}

static size_t put_icmp(const struct du_key *k, uint8_t *f)
{
	f[0] = k->icmp_type;
	f[1] = k->icmp_code;
	if (k->ip_proto != IPPROTO_ICMPV6 || (k->icmp_type != 135 && k->icmp_type != 136))
		return 8;
	/* Neighbour discovery: the target, and the link address as an option (RFC 4861 4.3, 4.4).
	 */
	memcpy(f + 8, k->nd_target, 16);
	f[24] = k->icmp_type == 135 ? 1 : 2;
	f[25] = 1;
	memcpy(f + 26, k->icmp_type == 135 ? k->hw_src : k->hw_dst, 6);
	return 32;
}

/* The header behind IP; *sum: where its checksum is, 0: nowhere. */
static size_t put_transport(const struct du_key *k, uint8_t *f, size_t *sum)
{
	memcpy(f, &k->tp_src, 2);
	memcpy(f + 2, &k->tp_dst, 2);
	switch (k->ip_proto) {
	case IPPROTO_TCP:
		put_be16(f + 12, (uint16_t)(5 << 12 | (be16toh(k->tcp_flags) & 0xfff)));
		*sum = 16;
		return 20;
	case IPPROTO_UDP:
		*sum = 6;
		return 8;
	case IPPROTO_SCTP:
		return 12;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		memset(f, 0, 4);
		*sum = 2;
		return put_icmp(k, f);
	default:
		memset(f, 0, 4);
		return 0;
	}
}

static size_t put_ip_header(const struct du_key *k, uint8_t *f, size_t payload)
{
	uint8_t tos = (uint8_t)(k->ip_dscp << 2 | k->ip_ecn), ttl = k->ip_ttl ? k->ip_ttl : 64;
	be16 sum;

	if (k->eth_type == htobe16(ETH_P_IPV6)) {
		put_be32(f, 6u << 28 | (uint32_t)tos << 20 | be32toh(k->ipv6_flabel));
		put_be16(f + 4, (uint16_t)payload);
		f[6] = k->ip_proto;
		f[7] = ttl;
		memcpy(f + 8, k->ip_src, 16);
		memcpy(f + 24, k->ip_dst, 16);
		return 40;
	}
	f[0] = 0x45;
	f[1] = tos;
	put_be16(f + 2, (uint16_t)(20 + payload));
	if (k->ip_frag)
		put_be16(f + 6, k->ip_frag & IP_FRAG_LATER ? 0x00b9 : 0x2000);
	f[8] = ttl;
	f[9] = k->ip_proto;
	memcpy(f + 12, k->ip_src, 4);
	memcpy(f + 16, k->ip_dst, 4);
	sum = csum(f, 20);
	memcpy(f + 10, &sum, 2);
	return 20;
}

/* `room` octets of IP packet at most; as many as pkt_len says, at least its headers. */
static size_t put_ip(const struct du_key *k, uint8_t *f, size_t room)
{
	bool v6 = k->eth_type == htobe16(ETH_P_IPV6);
	size_t header = v6 ? 40 : 20, sum_at = 0, n, whole = be32toh(k->pkt_len);
	uint8_t *l4 = f + header;
	be16 sum;

	n = k->ip_frag & IP_FRAG_LATER ? 0 : put_transport(k, l4, &sum_at);
	whole = MIN(whole > ETH_HLEN_ ? whole - ETH_HLEN_ : 0, room);
	n = MAX(n, whole > header ? whole - header : 0);
	if (k->ip_proto == IPPROTO_UDP && n >= 8)
		put_be16(l4 + 4, (uint16_t)n);
	if (sum_at) {
		uint32_t pseudo = k->ip_proto == IPPROTO_ICMP
					  ? 0
					  : csum_pseudo(k->ip_src, k->ip_dst, v6 ? 16 : 4,
							k->ip_proto, (uint32_t)n);

		sum = csum_finish(csum_add(pseudo, l4, n));
		memcpy(l4 + sum_at, &sum, 2);
	}
	put_ip_header(k, f, n);
	return header + n;
}

static size_t put_arp(const struct du_key *k, uint8_t *f)
{
	put_be16(f, 1);
	put_be16(f + 2, ETH_P_IP);
	f[4] = 6;
	f[5] = 4;
	memcpy(f + 6, &k->arp_op, 2);
	memcpy(f + 8, k->hw_src, 6);
	memcpy(f + 14, k->ip_src, 4);
	memcpy(f + 18, k->hw_dst, 6);
	memcpy(f + 24, k->ip_dst, 4);
	return 28;
}

size_t trace_compose(const struct du_key *key, uint8_t frame[TRACE_FRAME])
{
	size_t n;

	memset(frame, 0, TRACE_FRAME);
	n = put_ethernet(key, frame);
	switch (be16toh(key->eth_type)) {
	case ETH_P_IP:
	case ETH_P_IPV6:
		return n + put_ip(key, frame + n, TRACE_FRAME - n);
	case ETH_P_ARP:
		return n + put_arp(key, frame + n);
	case ETH_P_8021AH: /* and the frame inside, of which FLOW says nothing */
		memcpy(frame + n + 1, key->pbb_isid, 3);
		return MAX(n + 4 + ETH_HLEN_, MIN(be32toh(key->pkt_len), TRACE_FRAME));
	case ETH_P_MPLS_UC:
	case ETH_P_MPLS_MC:
		put_be32(frame + n, be32toh(key->mpls_label) << 12 | (uint32_t)key->mpls_tc << 9 |
					    (uint32_t)key->mpls_bos << 8 | 64);
		return n + 4;
	default:
		return MAX(n, MIN(be32toh(key->pkt_len), TRACE_FRAME));
	}
}
