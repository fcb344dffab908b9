/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only OR Apache-2.0 */
/* What the XDP program and steer.c share: the shapes of map keys and settings.
 *
 * Compiled for BPF and for the host; octets are as in the headers they come from, and padding is
 * spelled out because a map's key is compared whole. */
#ifndef SLUICE_STEER_ABI_H
#define SLUICE_STEER_ABI_H

#include <linux/types.h>

enum { STEER_LOCAL_MAX = 65536, STEER_CONNS_MAX = 65536, STEER_QUEUES_MAX = 64 };

/* Map `local`: an address of this host. */
struct steer_local {
	__u8 addr[16]; /* IPv4 in the first four octets */
	__u32 family;  /* 4 or 6 */
};

/* Map `conns`: what a connection claims; the value counts the connections that do.  With `id` zero
 * (no SPI is): any connection with this address, protocol and port. */
struct steer_claim {
	__u8 local[16];
	__be32 id;
	__be16 udp_dst;
	__u8 proto, family;
};

/* Who gets what is addressed to this host. */
enum steer_host { STEER_HOST_NONE, STEER_HOST_KERNEL, STEER_HOST_RULES };

/* Per instance, in its .bss. */
struct steer_settings {
	__u8 mac[6];
	__u8 host; /* enum steer_host */
	__u8 pad;
};

#endif
