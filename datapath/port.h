/* SPDX-License-Identifier: Apache-2.0 */
/* Ports: where packets come from and go to.
 *
 * A port is an OpenFlow port: a name, a number, counters, queues.  Each (port, queue) has one
 * owning worker, for rx and tx alike; port_output() puts a packet into the queue's outbox when
 * this worker owns it and hands it over otherwise (handoff.h).  Connections are ports as well
 * (conn.h embeds one), with one queue owned by the connection's worker.
 *
 * Types are rows of ports.def naming a `struct port_class` each.  Only ports make system calls.
 *
 * Threads and life.  The control thread opens a port (class->open), publishes it in
 * datapath->port[] under RCU, tells the owning workers by mail to poll its queues, and undoes
 * that in the opposite order before class->close and the memory's end.  `id` indexes every
 * per-port array; with `gen` it names the port in what outlives a batch. */
#ifndef SLUICE_PORT_H
#define SLUICE_PORT_H

#include "datapath/pkt.h"
#include "lib/options.h"
#include "lib/rcu.h"

enum { PORT_MAX = 4096, PORT_NAME = 32, PORT_QUEUES = 64, PORT_NONE = -1u };

enum port_flags {
	PORT_L3 = 1 << 0,       /* carries IP packets without Ethernet */
	PORT_INTERNAL = 1 << 1, /* no OpenFlow port (a connection's tun) */
	PORT_CONN = 1 << 2,     /* embedded in a struct conn */
};

struct port;

struct queue {
	struct port *port;
	uint16_t index;
	uint16_t owner;   /* worker id */
	int fd;           /* to poll() for input; -1: none */
	struct batch out; /* the owner's: packets to send at the batch edge */
	bool dirty;       /* on the owner's list of outboxes to flush */
	struct queue *next_dirty;
	void *priv; /* the class's */
};

/* Key and value pairs of a status report, without this layer knowing JSON. */
struct report {
	void (*number)(struct report *r, const char *key, uint64_t value);
	void (*string)(struct report *r, const char *key, const char *value);
};

struct port_class {
	const char *name; /* as in type= */
	/* Reads its options (options_finish is the caller's), opens the device, sets up the queues
	 * (queue[i], n_queues, fd) and mac, mtu, ifindex, flags.  Control thread.  On refusal
	 * nothing is left behind. */
	int (*open)(struct port *port, struct options *o, struct refusal *r);
	/* The opposite; no worker polls any more.  Control thread.  NULL: nothing to do. */
	void (*close)(struct port *port);
	/* Up to BATCH_MAX received packets into an empty batch: data, len, segments set, in_port
	 * and the outer record's rx part by pkts_received().  Owner.  Also reaps completions and
	 * refills. Returns how many frames it moved in any direction: 0 lets the worker think of
	 * sleep. */
	unsigned (*rx)(struct worker *w, struct queue *q, struct batch *b);
	/* Sends or drops every packet of q->out and empties it; counts port tx.  Owner. */
	void (*tx)(struct worker *w, struct queue *q);
	/* Asks the kernel to go on (need-wakeup), once per loop turn.  Owner; NULL: never. */
	void (*kick)(struct worker *w, struct queue *q);
	/* Puts what takes packets from the kernel on the interface (again), or takes it off: then
	 * the kernel has them.  All else stays.  0, or -errno.  Control thread.  NULL: none. */
	int (*hook)(struct port *port, bool on);
	/* Readings of its own for show-port (mode, why).  Control thread; NULL: none. */
	void (*status)(const struct port *port, struct report *r);
	/* Frames of worker `w` that the device holds (fill and rx rings, tx not completed).  For
	 * the balance; NULL: none.  Owner, or anyone while the worker stands still. */
	uint32_t (*frames_held)(const struct worker *w, const struct queue *q);
};

struct port {
	char name[PORT_NAME];
	uint32_t id, gen;
	uint32_t ofport;
	int ifindex; /* 0: no kernel interface */
	uint8_t mac[6];
	uint16_t flags;
	uint32_t mtu;           /* octets of IP packet; 0: no limit */
	bool up;                /* link and administrative state, kept by the control thread */
	uint32_t config;        /* OFPPC_*: what a controller forbids it; workers read it */
	uint32_t config_staged; /* … once what is on its way is in effect */
	const struct port_class *class;
	struct datapath *dp;
	unsigned n_queues;
	struct queue *queue;     /* n_queues of them, allocated by class->open with port_queues() */
	struct port *forward_to; /* what it receives goes straight there, past the rules: the
				  * connection of a kernel= tun.  NULL: none */
	void *priv;              /* the class's */
	struct rcu_head rcu;
};

/* What routes and neighbours call its interface: the kernel's index, or -1 - id. */
static inline int port_device(const struct port *port)
{
	return port->ifindex > 0 ? port->ifindex : -1 - (int)port->id;
}

/* Whether a controller forbids it any of `what` (OFPPC_*). */
static inline bool port_forbids(const struct port *port, uint32_t what)
{
	return unlikely(__atomic_load_n(&port->config, __ATOMIC_RELAXED) & what);
}

/* Counters per port and worker; sums are made when someone asks. */
struct port_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_dropped, tx_dropped; /* drops at the port itself: no frame, ring full … */
	uint64_t rx_errors, tx_errors;
	uint64_t n_early, early_bytes; /* of a connection: aggregates dropped before decryption */
};

const struct port_class *port_class_by_name(
	const char *type); /* rows of ports.def; NULL: unknown */

/* Allocates n queues; the class sets fd and priv of each.  Owners are spread by the caller of
 * class->open.  -ENOMEM. */
int port_queues(struct port *port, unsigned n);

/* What every class calls for received packets, in arrival order: gives each its collected record
 * (in the first segment's frame), with port, queue, time and length, and counts rx.  A packet of
 * a PORT_L3 port holds a virtual Ethernet header already. */
void pkts_received(struct worker *w, struct queue *q, struct pkt *const pkt[], unsigned n);
void pkt_received(struct worker *w, struct queue *q, struct pkt *p);
/* The same for a packet that no port received (packet-out, tests): in_port is a port id or
 * PORT_NONE; counted as MADE_INJECTED. */
void pkt_injected(struct worker *w, struct pkt *p, uint32_t in_port);
/* The same for what else began here, as `reason` says; no trace begins with it. */
void pkt_made(struct worker *w, struct pkt *p, uint32_t in_port, enum made_reason reason);
/* After the kernel or file took the packet: counts tx and frees it, or leaves the frames to the
 * caller's ring (frames_taken) and frees the rest. */
void pkt_sent(struct worker *w, struct queue *q, struct pkt *p, bool frames_taken);

/* Sends p by `port` (a pointer valid in this batch): takes the packet.  Queue by flow hash;
 * a virtual Ethernet header comes off for PORT_L3.  Worker. */
void port_output(struct worker *w, struct pkt *p, struct port *port);
/* The same by a queue of the port: to its outbox, its connection, or its owner. */
void port_output_queue(struct worker *w, struct pkt *p, struct queue *q);

#endif
