/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that controllers were told of and have not decided about (TS-023, 6.1.2 and 7.4.1).
 *
 * A packet of which a rule sends max_len octets (all but OFPCML_NO_BUFFER) is held here whole, and
 * its packet-in names the buffer; a packet-out or flow-mod that names it gets the packet.  Once:
 * then the buffer is empty.  A buffer that nobody asks for is given to another packet after
 * PACKET_BUFFER_NS and is unknown from then on; when all are younger, or a packet is too long, its
 * packet-in carries the whole of it and names none.
 *
 * One pool serves all connections of a server.  Control thread. */
#ifndef SLUICE_CTL_PACKET_BUFFERS_H
#define SLUICE_CTL_PACKET_BUFFERS_H

#include "lib/refuse.h"

enum { PACKET_BUFFERS = 256, PACKET_BUFFER_OCTETS = 4096 };
#define PACKET_BUFFER_NS (2 * NSEC_PER_SEC)

struct held_packet {
	uint32_t in_port; /* OpenFlow's number */
	uint16_t size;
	uint8_t octet[];
};

struct packet_buffers {
	struct packet_buffer {
		uint32_t id;
		uint64_t since_ns;
		struct held_packet *packet; /* NULL: empty */
	} buffer[PACKET_BUFFERS];
	uint32_t n_held; /* numbers, ever */
};

void packet_buffers_free(struct packet_buffers *b);
/* The buffer's id; OFP_NO_BUFFER: there is no room for it. */
uint32_t packet_hold(struct packet_buffers *b, uint64_t now_ns, uint32_t in_port, const void *frame,
		     size_t size);
/* The packet is the caller's then, to be freed; NULL and a refusal (BUFFER_UNKNOWN,
 * BUFFER_EMPTY) otherwise. */
struct held_packet *packet_take(struct packet_buffers *b, uint32_t id, struct refusal *r);
/* Back where it was: what it was taken for is refused. */
void packet_put_back(struct packet_buffers *b, uint32_t id, struct held_packet *p);

#endif
