/* SPDX-License-Identifier: Apache-2.0 */
/* Frames as text, for tables of what goes in and what comes out: layers in order, each a word with
 * what differs from its defaults.
 *
 *	eth vlan:vid=5,pcp=3 ip4:ttl=9,dst=10.0.0.9 tcp:dst=80
 *
 * Types, protocols and lengths follow from the next layer unless said (type=, proto=), checksums
 *are computed over the whole, by code that is not the datapath's.  Whatever has layers ends with 16
 * octets of payload.
 *
 *	eth        dst src type        arp       op sha spa tha tpa
 *	vlan svlan vid pcp cfi type    ip4       tos id frag ttl proto src dst opt
 *	mpls mplsm label tc bos ttl    ip6       tc fl hop proto len src dst
 *	           type (of the next)  hop dst frag(off) rt(left) ah    (IPv6 extension headers)
 *	pbb        pcp isid dst src    tcp       src dst flags
 *	           type                udp       src dst sum
 *	data       size                sctp      src dst
 *	                               icmp icmp6 type code
 *	                               ns na     target ll
 *
 * `type` of vlan, pbb: of what follows; of mpls: none is on the wire, it says how to go on. */
#ifndef SLUICE_TESTS_FRAME_TEXT_H
#define SLUICE_TESTS_FRAME_TEXT_H

#include "lib/base.h"

enum { FRAME_TEXT_MAX = 512 };

struct frame_octets {
	uint8_t at[FRAME_TEXT_MAX];
	size_t size;
};

/* Fails the test when the text is none. */
struct frame_octets frame_of(const char *text);

#endif
