/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The flood's kernel half.  BPF_PROG_RUN hands it live frames one by one; it writes the next packet
 * into each and sends it out of a device.  Frames come back from the page pool with whatever the
 * last reader left in them, so all that matters is written again.
 *
 * The packets are those that sluice-bench's traffic of the same name has
 * (utilities/bench/traffic.c). */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/flood.h"

const volatile __u32 kind, flows, ifindex;
const volatile __u16 mac0, mac1, mac2; /* of the receiver, as it stands in the frame */

__u64 sent; /* one processor runs this */

#define SOURCE      0x0a010002u /* 10.1.0.2 and on */
#define DESTINATION 0x0a020002u /* 10.2.0.2 */

struct wanted {
	__u32 source;
	__u16 from, to;
};

/* Turns over the bit of `value` that has `at` bits of `width` in front of it, and makes those
 * behind it random; with at == width nothing differs. */
static __always_inline __u32 first_difference(__u32 value, __u32 width, __u32 at)
{
	__u32 bit;

	if (at >= width)
		return value;
	bit = 1u << ((width - 1 - at) & 31);
	return value ^ bit ^ (bpf_get_prandom_u32() & (bit - 1));
}

static __always_inline void choose(struct wanted *w, __u64 n)
{
	__u32 flow, random;

	switch (kind) {
	case FLOOD_SPOOF:
		random = bpf_get_prandom_u32();
		w->source = bpf_get_prandom_u32();
		w->from = (__u16)random;
		w->to = (__u16)(1 + (random >> 16) % FLOOD_PORTS);
		break;
	case FLOOD_EXPLODE:
		w->source = first_difference(0x0a010007u, 32, n % 33);
		w->from = (__u16)first_difference(53, 16, n / 33 % 17);
		w->to = (__u16)first_difference(80, 16, n / (33 * 17) % 17);
		break;
	default:
		flow = (__u32)(n % flows);
		w->to = (__u16)(1 + flow % FLOOD_PORTS);
		w->from = (__u16)(1024 + (flow / FLOOD_PORTS & 1023));
		w->source = SOURCE + (flow / FLOOD_PORTS & 0xffff);
	}
}

static __always_inline __u16 header_sum(const struct iphdr *ip)
{
	const __u16 *half = (const void *)ip;
	__u32 sum = 0;

	for (int i = 0; i < 10; i++)
		sum += half[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16) ~(sum + (sum >> 16));
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__u16 *mac = (__u16 *)eth->h_dest;
	struct wanted w = {};

	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	choose(&w, sent++);
	mac[0] = mac0;
	mac[1] = mac1;
	mac[2] = mac2;
	ip->saddr = bpf_htonl(w.source);
	ip->daddr = bpf_htonl(DESTINATION);
	ip->ttl = 64;
	ip->check = 0;
	ip->check = header_sum(ip);
	udp->source = bpf_htons(w.from);
	udp->dest = bpf_htons(w.to);
	return bpf_redirect(ifindex, 0);
}

char licence[] SEC("license") = "Dual BSD/GPL";
