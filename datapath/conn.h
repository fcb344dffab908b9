/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: what aggregates belong to.
 *
 * A connection is a port (its `port` member comes first): a DU's in_port is its connection, and
 * output to one aggregates.  Its encapsulation is a row of encaps.def naming a `struct
 * encap_class`, in one file that knows both directions.
 *
 * One worker owns a connection: replay window, reorder window, reassembly, sequence numbers,
 * rate and timers are touched by that worker alone.  Others find it (conn_find, RCU) and hand
 * packets over by id and generation.  The control thread creates it complete, publishes it, and
 * takes it out in the opposite order; the class's state is freed after the owner has answered
 * `stop` and a grace period has passed. */
#ifndef SLUICE_CONN_H
#define SLUICE_CONN_H

#include "datapath/port.h"
#include "datapath/timer.h"
#include "lib/rmap.h"

/* What finds the connection of an outer packet, in any format. */
struct conn_id {
	struct ip local; /* the outer destination */
	uint8_t proto;   /* outer IP protocol: 50 for ESP, 17 when in UDP … */
	be16 udp_dst;    /* 0 unless proto is 17 */
	be32 id;         /* SPI, VNI, key, label, TEID */
};

struct conn;

struct encap_class {
	const char *name; /* as in type= */
	const char *help; /* its options, one line each, for add-conn's help and man page */
	/* Which connection would claim this outer packet, if there is one?  Its offsets are parsed,
	 * its key is set; *id has local and proto filled in.  False: not this format's.  Worker. */
	bool (*identify)(const struct pkt *p, struct conn_id *id);
	/* For a packet to a connection's end that identify() did not take: is it one of the
	 * format's keepalives, to be consumed without a word?  NULL: there are none.  Worker. */
	bool (*keepalive)(const struct pkt *p);
	/* Adds what the format's clear headers say before any check (an SPI) to the record, with
	 * its presence bits.  NULL: nothing.  Worker. */
	void (*collect)(const struct pkt *p, struct outer_key *o);
	/* Reads its options; fills conn->in_id (has_in), conn->local, conn->remote, port.flags and
	 * state; nothing is left behind on refusal.  Control thread; may load keys, reserve
	 * sequence numbers, and touch files. */
	int (*open)(struct conn *c, struct options *o, struct refusal *r);
	/* Frees state, wipes keys.  Control thread, after `stop` and a grace period. */
	void (*close)(struct conn *c);
	/* The connection begins and ends on its owner: timers.  stop() gives back every held packet
	 * and frame (with a named reason). */
	void (*start)(struct worker *w, struct conn *c);
	void (*stop)(struct worker *w, struct conn *c);
	/* Takes `p`, an aggregate whose outer record is filled (l3, l4 are set), and adds DUs to
	 * `out` by conn_du() until it is full.  Returns true when done with p (it was consumed,
	 * dropped or kept); false: `out` is full, call again with the same p after `out` was
	 * emptied.  Owner. */
	bool (*pop)(struct worker *w, struct conn *c, struct pkt *p, struct batch *out);
	/* Takes one DU (a whole IP packet behind a virtual Ethernet header, or a frame for layer-2
	 * formats); aggregates leave by conn_transmit(), now or from a timer.  Owner. */
	void (*push)(struct worker *w, struct conn *c, struct pkt *du);
	/* End of a batch: what was held back for company may leave.  Owner; NULL: nothing. */
	void (*flush)(struct worker *w, struct conn *c);
	/* Readings for show-conn and stats --json: counters by name.  Control thread, relaxed. */
	void (*status)(const struct conn *c, struct report *r);
	/* Frames and packets the connection holds, for the balance. */
	void (*held)(const struct conn *c, uint32_t *n_frames, uint32_t *n_packets);
};

struct conn {
	struct port port;          /* PORT_CONN; port.priv is unused */
	struct rmap_node node;     /* in datapath->conns, by in_id */
	struct rmap_node end_node; /* in datapath->conn_ends, by in_id without its identifier, where
				    * this connection stands for all that have that end */
	const struct encap_class *class;
	bool has_in;
	struct conn_id in_id;
	struct ip local, remote; /* of the outer packets we send */
	unsigned owner;
	uint8_t outer_dscp;
	uint32_t bound_port;     /* port= : the only port it may arrive on; PORT_NONE: any */
	struct ip_prefix *allow; /* allow= ; NULL: anything */
	unsigned n_allow;
	bool allow_mark;     /* collect the disagreement but do not drop */
	struct port *kernel; /* kernel= : its tun; NULL: none */
	void *state;         /* the class's */
};

const struct encap_class *encap_class_by_name(const char *type); /* rows of encaps.def */

uint32_t conn_id_hash(const struct conn_id *id);
/* The connection that claims an outer packet; RCU reader.  NULL: none. */
struct conn *conn_find(const struct datapath *dp, const struct conn_id *id);

/* Whether two ids differ in the identifier at most. */
bool conn_end_equal(const struct conn_id *a, const struct conn_id *b);

/* Any connection whose aggregates come to the id's address, protocol and port, whatever their
 * identifier (id->id is not looked at); NULL: none. */
struct conn *conn_end_find(const struct datapath *dp, const struct conn_id *id);

/* The connection an outer record names, or NULL when it has gone meanwhile.  Worker. */
struct conn *conn_get(const struct datapath *dp, uint32_t port_id, uint32_t gen);

/* The id of the first format in encaps.def that takes the packet for one of its own. */
bool conn_identify(const struct pkt *p, struct conn_id *id);

/* For pop(): gives a DU its collected record (that of `agg_frame`, one more reference), its
 * in_port and flags, checks allow= against its source, counts it and adds it to `out` (which has
 * room).  `du` begins with a virtual Ethernet header or a real one. */
void conn_du(struct worker *w, struct conn *c, struct pkt *du, uint32_t agg_frame,
	     struct batch *out);

/* For push(): sends a finished outer IP packet (behind a virtual Ethernet header) where the FIB
 * says; counts it as MADE_GENERATED. */
void conn_transmit(struct worker *w, struct conn *c, struct pkt *p);

#endif
