/* SPDX-License-Identifier: Apache-2.0 */
/* Ports that copy: what the pcap, dummy and tun classes share.
 *
 * Their packets come and go as plain octets in somebody's buffer, so each is copied into frames
 * of the worker on the way in and out of them on the way out.  Only AF_XDP does without.
 * Everything here runs on the worker that owns the queue. */
#ifndef SLUICE_PORT_COPY_H
#define SLUICE_PORT_COPY_H

#include "datapath/worker.h"

/* The largest packet that a copying port carries: an IP packet of 65,535 octets behind an Ethernet
 * header with two VLAN tags. */
enum { PORT_OCTETS_MAX = 65535 + 14 + 8 };

struct wire_octets {
	const uint8_t *octet;
	uint32_t size;     /* there */
	uint32_t wire_len; /* as it was on the wire: more than `size` means cut */
};

/* Adds a packet with these octets to `b`, which has room; on a PORT_L3 port behind a virtual
 * Ethernet header.  What was cut is dropped (RX_TRUNCATED), and so is what is neither IPv4 nor
 * IPv6 on a PORT_L3 port (NOT_IP).  Without a free frame or packet it counts as rx_dropped
 * of the port. */
void port_receive(struct worker *w, struct queue *q, struct batch *b, struct wire_octets o);

/* Copies a packet as it goes to the wire to `to` (PORT_OCTETS_MAX octets): on a PORT_L3 port
 * without its Ethernet header.  Returns its size; 0 when it had to be dropped: no IP packet for a
 * PORT_L3 port (NOT_IP), or longer than PORT_OCTETS_MAX (TX_LONG). */
uint32_t port_copy_out(struct worker *w, const struct queue *q, struct pkt *p, uint8_t *to);

#endif
