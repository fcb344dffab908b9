/* SPDX-License-Identifier: Apache-2.0 */
/* sFlow version 5 on the wire: numbers that its writer (ctl/sflow.c) and its reader
 * (utilities/watch/sflow-read.c) share.
 *
 * Sources: sFlow Version 5 (sflow.org, July 2004); sFlow MPLS and VLAN tunnel structures (the
 * same, section 5.3); sFlow Tunnel Structures (sflow.org, November 2012).  All is XDR (RFC 4506):
 * big endian, multiples of four octets, opaque data led by its length.
 *
 * Two structures of our own, under the enterprise number for documentation (RFC 5612), as the
 * project has none: docs/sflow.md has their octets.  */
#ifndef SLUICE_SFLOW_H
#define SLUICE_SFLOW_H

#include "lib/base.h"

enum {
	SFLOW_VERSION = 5,
	SFLOW_PORT = 6343,
	SFLOW_DATAGRAM_MAX = 1400, /* what the writer sends at most */
	SFLOW_HEADER_MAX = 256,    /* octets of a sampled header that the writer sends */
	SFLOW_ENTERPRISE = 32473,
};

#define SFLOW_FORMAT(ENTERPRISE, FORMAT) ((uint32_t)(ENTERPRISE) << 12 | (FORMAT))

enum sflow_sample {
	SFLOW_FLOW_SAMPLE = 1,
	SFLOW_COUNTER_SAMPLE = 2,
	SFLOW_EXPANDED_FLOW_SAMPLE = 3,
	SFLOW_EXPANDED_COUNTER_SAMPLE = 4,
};

enum sflow_record {
	SFLOW_SAMPLED_HEADER = 1,
	SFLOW_SAMPLED_IPV4 = 3,
	SFLOW_SAMPLED_IPV6 = 4,
	SFLOW_EXTENDED_SWITCH = 1001,
	SFLOW_EXTENDED_MPLS = 1006,
	SFLOW_EXTENDED_VLAN_TUNNEL = 1012,
	SFLOW_IPV4_TUNNEL_EGRESS = 1023,
	SFLOW_IPV4_TUNNEL_INGRESS = 1024,
	SFLOW_IPV6_TUNNEL_EGRESS = 1025,
	SFLOW_IPV6_TUNNEL_INGRESS = 1026,
	SFLOW_DECAPSULATE_INGRESS = 1028,
	SFLOW_VNI_INGRESS = 1030,
	SFLOW_OURS_COLLECTED = SFLOW_FORMAT(SFLOW_ENTERPRISE, 1), /* opaque: OXM TLVs */
	SFLOW_OURS_END = SFLOW_FORMAT(SFLOW_ENTERPRISE, 2),
};

/* Of a counter sample (section 5.3, "Counter Data"). */
enum { SFLOW_IF_COUNTERS = 1 };

/* Classes of a data source, in the top octet of its id. */
enum { SFLOW_SOURCE_INTERFACE = 0, SFLOW_SOURCE_ENTITY = 2 };
/* Entities are workers, from 1; with this added: what a worker's rules asked for. */
enum { SFLOW_SOURCE_RULES = 1 << 16 };

enum sflow_address { SFLOW_ADDRESS_UNKNOWN = 0, SFLOW_ADDRESS_IPV4 = 1, SFLOW_ADDRESS_IPV6 = 2 };

enum sflow_header_protocol {
	SFLOW_HEADER_ETHERNET = 1,
	SFLOW_HEADER_MPLS = 13,
	SFLOW_HEADER_IPV4 = 11,
	SFLOW_HEADER_IPV6 = 12,
};

/* Of a flow sample's output: the top two bits say what the rest is. */
enum {
	SFLOW_OUTPUT_DROPPED = 1u << 30, /* … reason */
	SFLOW_OUTPUT_SEVERAL = 2u << 30, /* … how many */
	SFLOW_DROPPED_UNKNOWN = 256,
	SFLOW_DROPPED_TTL = 257,
	SFLOW_DROPPED_ACL = 258,
	SFLOW_DROPPED_NO_BUFFER = 259,
	SFLOW_DROPPED_SHAPED = 261,
	SFLOW_DROPPED_TOO_BIG = 262,
	SFLOW_INTERFACE_UNKNOWN = 0x3fffffff,
};

/* SFLOW_OURS_END: four words and a string; `how` is enum sample_end, `flags` enum sample_flags. */
struct sflow_end {
	be32 how, flags, table, rule_id;
	be32 reason_size; /* then the reason's stable word (drops.def), padded; empty: sent */
};
_Static_assert(sizeof(struct sflow_end) == 20, "as docs/sflow.md has it");

#endif
