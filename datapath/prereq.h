/* SPDX-License-Identifier: Apache-2.0 */
/* What a field needs beside it: prerequisites (TS-023, 7.2.3.6), a row each.
 *
 * Packets and matches are asked the same of the same facts.  A packet's are what it is; a match's
 * are what it demands, and what it leaves open is none.
 *
 * Constant: any thread. */
#ifndef SLUICE_PREREQ_H
#define SLUICE_PREREQ_H

#include "datapath/key.h"
#include "lib/openflow.h"

enum field_prereq {
	PRE_NONE,
	PRE_IN_PORT,
	PRE_VLAN,
	PRE_IP,
	PRE_IPV4,
	PRE_IPV6,
	PRE_ARP,
	PRE_MPLS,
	PRE_PBB,
	PRE_TCP,
	PRE_UDP,
	PRE_SCTP,
	PRE_ICMP4,
	PRE_ICMP6,
	PRE_ND,
	PRE_ND_SOL,
	PRE_ND_ADV,
	PRE_OUTER, /* presence bits of the outer record: the field's `has` */
	N_PREREQS
};

struct prereq {
	uint16_t eth_type[2]; /* one of them (the same twice: just this); 0: any */
	uint8_t icmp_type[2]; /* likewise, of code 0 */
	uint8_t ip_proto;     /* 0: any */
	bool vlan;            /* a tag */
	bool in_port;         /* a port that it came by: any packet's has one */
	const char *text;     /* for messages */
};

extern const struct prereq prereqs[N_PREREQS];

struct prereq_facts {
	int eth_type;
	int ip_proto;   /* -1: its header is cut short, or in another fragment; or not known */
	int icmp_type;  /* -1: its code is not 0; or not known */
	bool vlan;      /* there is a tag */
	bool in_port;   /* … a port that it came by */
	uint32_t outer; /* enum outer_has */
};

static inline struct prereq_facts prereq_facts_of(const struct du_key *k,
						  const struct outer_key *outer)
{
	return (struct prereq_facts){
		.eth_type = be16toh(k->eth_type),
		.ip_proto = k->tcp_flags & htobe16(TP_MISSING) ? -1 : k->ip_proto,
		.icmp_type = k->icmp_code ? -1 : k->icmp_type,
		.vlan = k->vlan_vid & htobe16(OFPVID_PRESENT),
		.in_port = true,
		.outer = be32toh(outer->has),
	};
}

/* All of it but PRE_OUTER's bits, which are the field's. */
static inline bool prereq_met(const struct prereq *p, const struct prereq_facts *k)
{
	if (p->eth_type[0] && k->eth_type != p->eth_type[0] && k->eth_type != p->eth_type[1])
		return false;
	if (p->ip_proto && k->ip_proto != p->ip_proto)
		return false;
	if (p->icmp_type[0] && k->icmp_type != p->icmp_type[0] && k->icmp_type != p->icmp_type[1])
		return false;
	return (!p->vlan || k->vlan) && (!p->in_port || k->in_port);
}

#endif
