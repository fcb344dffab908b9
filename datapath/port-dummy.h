/* SPDX-License-Identifier: Apache-2.0 */
/* The dummy port: injects and captures, for tests.
 *
 *	type=dummy [link=ethernet|raw] [mac=MAC] [mtu=N] [queues=N]
 *
 * dummy_inject() puts a frame into the port's input, where the worker's next turn finds it;
 * what the switch outputs to the port waits in its output until dummy_take() asks.  Both are
 * rings with room for DUMMY_RING octets per queue, so a worker's thread may run meanwhile, and
 * nothing is allocated on a packet's path.  One thread injects and takes. */
#ifndef SLUICE_PORT_DUMMY_H
#define SLUICE_PORT_DUMMY_H

#include "datapath/port.h"

enum { DUMMY_RING = 4 << 20, DUMMY_QUEUES = 8 };

struct dummy_frame {
	uint64_t ns; /* outputs: the worker's clock when it was sent */
	uint32_t size;
	uint16_t queue;
	uint8_t octet[]; /* from the Ethernet header on; link=raw: from the IP header on */
};

extern const struct port_class port_dummy;

/* A frame as it would come from the wire, into queue 0, or the queue said.  -EMSGSIZE, -ENOBUFS,
 * -EINVAL for a port of another type or no such queue. */
int dummy_inject(struct port *port, const void *frame, size_t size);
int dummy_inject_queue(struct port *port, unsigned queue, const void *frame, size_t size);

/* The oldest output (queue 0's first), valid until dummy_release(); NULL: none. */
const struct dummy_frame *dummy_take(struct port *port);
void dummy_release(struct port *port);

#endif
