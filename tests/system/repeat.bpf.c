/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The kernel half of `repeat`.  BPF_PROG_RUN hands it live frames that hold what repeat.c gave it;
 * it counts a number up in each and sends it out of a device, as long as no more than the rate's
 * share of the time has been sent. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 ifindex, at;
const volatile __u64 gap_ns; /* between two frames; 0: none */

__u64 sent; /* one processor runs this */

static __u64 next_ns;

/* Whether it is time; what was missed while the machine stood still is not made up for. */
static __always_inline int due(void)
{
	__u64 now;

	if (!gap_ns)
		return 1;
	now = bpf_ktime_get_ns();
	if (now < next_ns)
		return 0;
	next_ns += gap_ns;
	if (now > next_ns + 1000000)
		next_ns = now;
	return 1;
}

SEC("xdp")
int repeat(struct xdp_md *ctx)
{
	__be32 number;

	if (!due())
		return XDP_DROP;
	number = bpf_htonl((__u32)sent++);
	if (bpf_xdp_store_bytes(ctx, at, &number, sizeof number))
		return XDP_ABORTED;
	return bpf_redirect(ifindex, 0);
}

char licence[] SEC("license") = "Dual BSD/GPL";
