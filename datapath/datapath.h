/* SPDX-License-Identifier: Apache-2.0 */
/* The datapath: everything workers share.
 *
 * Written by the control thread, read by workers under RCU: ports by id, connections by what their
 * aggregates carry, tables, the FIB, one version number for all tables.  Events go the other
 * way. */
#ifndef SLUICE_DATAPATH_H
#define SLUICE_DATAPATH_H

#include "datapath/bucket.h"
#include "datapath/conn.h"
#include "datapath/fib.h"
#include "datapath/limiter.h"
#include "datapath/set.h"
#include "datapath/table.h"
#include "lib/panic.h"

struct worker;
struct handoff_pairs;

struct datapath {
	uint64_t version;              /* of all tables; rcu_set() publishes */
	struct table *table[N_TABLES]; /* OpenFlow's, and the guard; created as needed, RCU */
	struct shapes shapes;          /* what all tables look at: tables_shape() */
	struct early *early;
	struct bucket *bucket;        /* of action limit, by rule id; reserved address space */
	struct rmap meters;           /* struct meter by number */
	struct bucket *meter_bucket;  /* by meter's slot and band, likewise */
	struct port *port[PORT_MAX];  /* by id, RCU */
	uint32_t ofport_id[PORT_MAX]; /* id by OpenFlow number below PORT_MAX, PORT_NONE: none */
	struct port *local;           /* LOCAL: the host's tun; RCU, NULL: none */
	struct rmap conns;            /* struct conn by in_id */
	struct rmap conn_ends;        /* one of each end, by in_id without its identifier */
	struct rmap groups;           /* struct group by its number (group.h) */
	struct rmap by_ifindex;       /* struct if_port: which port an interface is */
	struct fib fib;
	struct umem umem;
	unsigned n_workers;
	struct worker *worker[33];
	unsigned next_owner; /* whose turn it is to get a queue or a connection */
	uint32_t gen;        /* the last generation given to a port */
	struct handoff_pairs *handoff;
	bool offline;
	struct set *set[SETS_MAX]; /* by id % SETS_MAX, RCU */
	uint64_t sets_gen;         /* raised (rcu_set) behind every change of any set's content */
	uint64_t spin_ns;          /* that a worker stays awake after work */
	bool cache_off;            /* workers look every packet up */
	struct limiter *limiter[LIMITERS]; /* by number, RCU */
	struct panic_page *panic;   /* what operators share with us (lib/panic.h); NULL: nothing */
	const uint32_t *panic_pass; /* rules bypassed: its word, or calm; read once a turn */
	uint32_t calm;              /* … where there is no page */
	bool packet_in_headers;     /* packet-ins are cut after the last protocol header */
	bool packet_in_ttl;         /* some controller asks for OFPR_INVALID_TTL */
	uint32_t sample_every;      /* sample.h: as set, 0: off; the control thread's, relaxed */
	uint32_t sample_max;        /* … at most so many a second and worker */
	struct bucket *reject;      /* of the answers to rejected packets */
	uint32_t reject_max; /* … at most so many a second; the control thread's, relaxed */
	int event_fd;        /* written when a worker has put an event into its ring */
};

/* Which port packets leave by for a kernel interface: an afxdp port, or the connection behind a
 * kernel= tun. */
struct if_port {
	struct rmap_node node;
	int ifindex;
	struct port *port;
	struct rcu_head rcu;
};

struct datapath_config {
	unsigned n_workers;
	uint32_t n_frames; /* 0: as many as suit */
	uint32_t spin_us;  /* that a worker stays awake after work */
	bool offline;
};

int datapath_init(struct datapath *dp, const struct datapath_config *config);
void datapath_destroy(struct datapath *dp);

/* Control thread: a port that class->open has opened becomes part of the switch, and its queues are
 * polled; or the opposite, complete when it returns (workers have let go, a grace period has
 * passed), so that class->close may follow. */
int datapath_add_port(struct datapath *dp, struct port *port); /* sets id, gen; -ENOSPC */
void datapath_del_port(struct datapath *dp, struct port *port);
int datapath_add_conn(struct datapath *dp, struct conn *c); /* -EEXIST: in_id is taken */
void datapath_del_conn(struct datapath *dp, struct conn *c);

/* Packets that the FIB sends to this kernel interface leave by `port`; add_port does it for a
 * port's own interface, the control side for a kernel= tun.  Undone with the port.  -ENOMEM. */
int datapath_bind_ifindex(struct datapath *dp, int ifindex, struct port *port);

/* Sums over workers. */
void datapath_port_counters(const struct datapath *dp, uint32_t port_id, struct port_counters *sum);

static inline struct port *port_get(const struct datapath *dp, uint32_t id)
{
	return id < PORT_MAX ? rcu_get(dp->port[id]) : NULL;
}

/* By OpenFlow number; reserved ports but LOCAL are not among them. */
struct port *port_by_ofport(const struct datapath *dp, uint32_t ofport);
struct port *port_by_ifindex(const struct datapath *dp, int ifindex);

/* What workers tell the control thread.  Records in worker->events. */
enum event_kind {
	EVENT_PACKET_IN,  /* struct event_packet_in, then the octets */
	EVENT_NEIGH,      /* struct event_neigh: please resolve */
	EVENT_CONN_ALERT, /* struct event_conn */
	EVENT_SET_ADD,    /* struct event_set_add: a rule of this packet's adds a member */
};

struct event {
	uint32_t kind, size;
};

struct event_packet_in {
	struct event event;
	uint32_t rule_id;
	uint32_t total_len;
	uint16_t max_len; /* octets for controllers, by the rule, */
	uint16_t held;    /* of so many that follow: all of a packet that may be held */
	uint8_t reason, table;
	uint8_t flags;  /* PKT_VIRTUAL_ETH … */
	struct key key; /* pipeline fields and the collected record */
	uint8_t octet[];
};

struct event_neigh {
	struct event event;
	struct ip ip;
	int ifindex;
};

struct event_conn {
	struct event event;
	uint32_t conn, gen;
	uint32_t what;
};

struct event_set_add {
	struct event event;
	uint64_t set; /* its id */
	struct set_member member;
};

/* Copies an event into the worker's ring and wakes the control thread; false when it is full. */
bool event_send(struct worker *w, const void *event, size_t size, const void *more,
		size_t more_size);

#endif
