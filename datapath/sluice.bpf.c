/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The XDP program in front of an afxdp port: to the socket or to the kernel.
 *
 *	host=none	everything to the socket
 *	host=kernel	to the socket: unicast IP to the port's MAC whose destination is not this
 *			host's (sluice forwards it), or that a connection claims (its aggregates);
 *			to the kernel: all else (ARP, neighbour discovery, multicast, VLAN-tagged
 *			frames, ssh, BGP, IKE …)
 *
 *	host=rules	as host=kernel, but what is addressed to this host goes to the socket too,
 *ARP and discovery apart: rules see it before it goes to LOCAL
 *
 * A queue without a socket passes to the kernel.  Later fragments have no ports or SPI: those of
 *ESP and of other protocols than UDP go where their address and protocol is claimed. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "datapath/steer-abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEER_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_LOCAL_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct steer_local);
	__type(value, __u32);
} local SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_CONNS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct steer_claim);
	__type(value, __u32);
} conns SEC(".maps");

struct steer_settings settings;

enum { IP_MF_OFFSET = 0x3fff, NAT_T = 4500, EXT_HEADERS = 6 };

#define IPPROTO_ESP_ 50

/* An IP packet's destination and where what follows its header begins.  What lies at a computed
 * offset is read by bpf_xdp_load_bytes(): without CAP_PERFMON, which the daemon does not keep, the
 * verifier forbids arithmetic on packet pointers. */
struct destination {
	struct steer_claim claim; /* local, proto, family set */
	__u32 l4;                 /* from the Ethernet header's first octet */
	int fragment;
};

static __always_inline int claimed(const struct steer_claim *claim)
{
	return bpf_map_lookup_elem(&conns, claim) != NULL;
}

/* The claim with its SPI; zero is none (in UDP: IKE's marker, RFC 3948 2.2). */
static __always_inline int claimed_spi(struct xdp_md *ctx, struct steer_claim *claim, __u32 at)
{
	__be32 spi;

	if (bpf_xdp_load_bytes(ctx, at, &spi, sizeof spi) || !spi)
		return 0;
	claim->id = spi;
	return claimed(claim);
}

static __always_inline int udp_claimed(struct xdp_md *ctx, struct destination *d)
{
	struct udphdr udp;

	if (d->fragment || bpf_xdp_load_bytes(ctx, d->l4, &udp, sizeof udp))
		return 0;
	d->claim.udp_dst = udp.dest;
	if (udp.dest != bpf_htons(NAT_T))
		return claimed(&d->claim);
	if (udp.len == bpf_htons(sizeof udp + 1)) /* a keepalive, RFC 3948 2.3 */
		return claimed(&d->claim);
	return claimed_spi(ctx, &d->claim, d->l4 + sizeof udp);
}

static __always_inline int connection_claims(struct xdp_md *ctx, struct destination *d)
{
	if (d->claim.proto == IPPROTO_UDP)
		return udp_claimed(ctx, d);
	if (d->claim.proto == IPPROTO_ESP_ && !d->fragment)
		return claimed_spi(ctx, &d->claim, d->l4);
	return claimed(&d->claim);
}

static __always_inline int read_ipv4(struct destination *d, void *at, void *end)
{
	struct iphdr *ip = at;

	if ((void *)(ip + 1) > end || ip->ihl < 5)
		return -1;
	__builtin_memcpy(d->claim.local, &ip->daddr, 4);
	d->claim.family = 4;
	d->claim.proto = ip->protocol;
	d->fragment = (ip->frag_off & bpf_htons(IP_MF_OFFSET)) != 0;
	d->l4 = ETH_HLEN + ip->ihl * 4;
	return (ip->daddr & bpf_htonl(0xffff0000)) == bpf_htonl(0xa9fe0000) ? -1
									    : 0; /* link-local */
}

static __always_inline int is_extension(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_FRAGMENT;
}

/* Behind extension headers (RFC 8200 4) is the protocol; -1: too many of them, or cut short. */
static __always_inline int skip_extensions(struct xdp_md *ctx, struct destination *d)
{
	for (int i = 0; i < EXT_HEADERS; i++) {
		__u8 h[8];

		/* What is behind a fragment's header is a header in the first alone. */
		if (d->fragment || !is_extension(d->claim.proto))
			return 0;
		if (bpf_xdp_load_bytes(ctx, d->l4, h, sizeof h))
			return -1;
		d->fragment = d->claim.proto == IPPROTO_FRAGMENT;
		d->l4 += d->fragment ? 8 : (h[1] + 1) * 8;
		d->claim.proto = h[0];
	}
	return d->fragment || !is_extension(d->claim.proto) ? 0 : -1;
}

static __always_inline int read_ipv6(struct destination *d, void *at, void *end)
{
	struct ipv6hdr *ip = at;
	__u8 *dst = d->claim.local;

	if ((void *)(ip + 1) > end)
		return -1;
	__builtin_memcpy(dst, &ip->daddr, 16);
	d->claim.family = 6;
	d->claim.proto = ip->nexthdr;
	d->l4 = ETH_HLEN + sizeof *ip;
	/* Multicast and link-local destinations are the host's own business. */
	return dst[0] == 0xff || (dst[0] == 0xfe && (dst[1] & 0xc0) == 0x80) ? -1 : 0;
}

/* The kernel answers for its addresses, with host=rules too (RFC 4861). */
static __always_inline int is_discovery(struct xdp_md *ctx, const struct destination *d)
{
	__u8 type;

	return d->claim.proto == IPPROTO_ICMPV6 && d->claim.family == 6 && !d->fragment &&
	       !bpf_xdp_load_bytes(ctx, d->l4, &type, sizeof type) && type >= 133 && type <= 137;
}

static __always_inline int for_sluice(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct destination d = {};
	struct steer_local key = {};

	if ((void *)(eth + 1) > end)
		return 0;
	for (int i = 0; i < ETH_ALEN; i++)
		if (eth->h_dest[i] != settings.mac[i])
			return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if (read_ipv4(&d, eth + 1, end))
			return 0;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		if (read_ipv6(&d, eth + 1, end))
			return 0;
	} else {
		return 0;
	}
	__builtin_memcpy(key.addr, d.claim.local, 16);
	key.family = d.claim.family;
	if (!bpf_map_lookup_elem(&local, &key))
		return 1;
	if (d.claim.family == 6 && skip_extensions(ctx, &d))
		return 0;
	if (settings.host == STEER_HOST_RULES)
		return !is_discovery(ctx, &d);
	return connection_claims(ctx, &d);
}

SEC("xdp.frags")
int sluice_steer(struct xdp_md *ctx)
{
	if (settings.host != STEER_HOST_NONE && !for_sluice(ctx))
		return XDP_PASS;
	return bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_PASS);
}

char license_of[] SEC("license") = "Dual BSD/GPL";
