/* SPDX-License-Identifier: Apache-2.0 */
/* From octets to a key, without a packet: the parser that stage_parse() runs on every packet, for
 * whoever has only a header: a sample of a foreign router, a snapshot.
 *
 * Key and offsets are filled as far as the octets go, also when a reason to drop is returned.  No
 * state, any thread. */
#ifndef SLUICE_PARSE_H
#define SLUICE_PARSE_H

#include "datapath/key.h"

enum headers_first { HEADERS_ETHERNET, HEADERS_IPV4, HEADERS_IPV6, HEADERS_MPLS };

enum { HEADERS_PARSED = -1 };

struct headers {
	const uint8_t *data;
	uint32_t size;  /* octets that may be looked at */
	uint32_t whole; /* octets of the packet from data on: as many, or more */
	bool cut;       /* too few octets: it goes on, but headers may not */
	/* Found: offsets from data. */
	uint16_t l3, l4;  /* 0: there is none, or nothing stands before it */
	uint16_t payload; /* where the last parsed header ends */
};

/* Fills `k`, whose protocol fields are zero, with what stands in `h`, and h's offsets (all zero
 * before).  Without an Ethernet header the key's eth_type says what the first header is.
 * HEADERS_PARSED, or the enum drop_reason that a packet with these headers ends with. */
int headers_parse(struct headers *h, enum headers_first first, struct du_key *k);

#endif
