/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to a packet's sender: a TCP reset, an ICMP or ICMPv6 "destination unreachable".
 *
 * An answer goes where the packet came from: back out of its in-port, behind the same Ethernet and
 * VLAN headers with the addresses swapped; into the connection, when the packet was one's data
 * unit.  Nothing is looked up for it, so a forged source draws no traffic elsewhere than whence it
 * came.
 *
 * Who may be answered is decided here (RFC 1812 4.3.2.7, RFC 4443 2.4(e)): not ICMP errors, not
 * redirects, nothing to or from a broadcast or multicast address of either layer, no source that
 * is not one host's, no later fragment, no header whose checksum is wrong; a reset answers
 * neither resets nor fragments.
 *
 * A reset comes from the address that was asked for.  An ICMP error comes from an address of our
 * own on the port, and where there is none (a switch's port, a connection) from the address that
 * was asked for, as bridges do it.  It quotes the headers and, behind an IP header whose payload is
 * not known, eight octets (RFC 792): less than RFC 1812 4.3.2.3 and RFC 4443 3.1 would like, but
 * all that a sender needs to find its socket; no payload is sent on.
 *
 * How many answers there are is the caller's affair.  Worker. */
#ifndef SLUICE_ANSWER_H
#define SLUICE_ANSWER_H

#include "datapath/pkt.h"

enum answer_kind {
	ANSWER_AUTO, /* TCP: a reset; others: prohibited */
	ANSWER_RST,
	ANSWER_ADMIN, /* administratively prohibited (RFC 1812 5.2.7.1, RFC 4443 3.1) */
	ANSWER_PORT,
	ANSWER_HOST,
	ANSWER_NET,
	N_ANSWERS
};

/* Whether the packet may be answered so, and has all that an answer says back. */
bool answer_allowed(const struct worker *w, const struct pkt *p, enum answer_kind kind);
/* Makes the answer to a packet that may be answered, counts it (MADE_REJECTED) and sends it.  `p`
 * stays the caller's. */
void answer_send(struct worker *w, const struct pkt *p, enum answer_kind kind);

#endif
