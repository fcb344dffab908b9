/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/prereq.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

/* Only a neighbour message of code zero is one (RFC 4861 4.3, 4.4). */
enum { ND_SOLICIT = 135, ND_ADVERT = 136 };

#define IPV4      .eth_type = {ETH_P_IP, ETH_P_IP}
#define IPV6      .eth_type = {ETH_P_IPV6, ETH_P_IPV6}
#define EITHER_IP .eth_type = {ETH_P_IP, ETH_P_IPV6}
#define ND(A, B)  IPV6, .ip_proto = IPPROTO_ICMPV6, .icmp_type = {A, B}

const struct prereq prereqs[N_PREREQS] = {
	[PRE_NONE] = {.text = "nothing"},
	[PRE_IN_PORT] = {.in_port = true, .text = "in_port"},
	[PRE_VLAN] = {.vlan = true, .text = "vlan_vid with a tag present"},
	[PRE_IP] = {EITHER_IP, .text = "ip or ipv6"},
	[PRE_IPV4] = {IPV4, .text = "ip"},
	[PRE_IPV6] = {IPV6, .text = "ipv6"},
	[PRE_ARP] = {.eth_type = {ETH_P_ARP, ETH_P_ARP}, .text = "arp"},
	[PRE_MPLS] = {.eth_type = {ETH_P_MPLS_UC, ETH_P_MPLS_MC}, .text = "mpls or mplsm"},
	[PRE_PBB] = {.eth_type = {ETH_P_8021AH, ETH_P_8021AH}, .text = "eth_type=0x88e7"},
	[PRE_TCP] = {EITHER_IP, .ip_proto = IPPROTO_TCP, .text = "tcp or tcp6"},
	[PRE_UDP] = {EITHER_IP, .ip_proto = IPPROTO_UDP, .text = "udp or udp6"},
	[PRE_SCTP] = {EITHER_IP, .ip_proto = IPPROTO_SCTP, .text = "sctp or sctp6"},
	[PRE_ICMP4] = {IPV4, .ip_proto = IPPROTO_ICMP, .text = "icmp"},
	[PRE_ICMP6] = {IPV6, .ip_proto = IPPROTO_ICMPV6, .text = "icmp6"},
	[PRE_ND] = {ND(ND_SOLICIT, ND_ADVERT),
		    .text = "icmp6 with icmpv6_type 135 or 136 and code 0"},
	[PRE_ND_SOL] = {ND(ND_SOLICIT, ND_SOLICIT),
			.text = "icmp6 with icmpv6_type 135 and code 0"},
	[PRE_ND_ADV] = {ND(ND_ADVERT, ND_ADVERT), .text = "icmp6 with icmpv6_type 136 and code 0"},
	[PRE_OUTER] = {.text = "the outer header"},
};
