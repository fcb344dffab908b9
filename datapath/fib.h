/* SPDX-License-Identifier: Apache-2.0 */
/* The forwarding table that NORMAL and outgoing aggregates use: the reader's side of the
 * kernel's main table, neighbours and addresses.
 *
 * The control thread (ofproto/kernel.c over rtnetlink, or add-route and add-neigh offline)
 * writes; workers look up under RCU.  Longest prefix first: one hash probe per prefix length in
 * use.  A route has up to FIB_PATHS next hops, chosen by flow hash.  A next hop names an
 * interface; ports are found by it, a connection by its tun's. */
#ifndef SLUICE_FIB_H
#define SLUICE_FIB_H

#include "datapath/port.h"
#include "lib/addr.h"
#include "lib/rmap.h"

enum { FIB_PATHS = 16 };

enum fib_kind { FIB_UNICAST, FIB_LOCAL, FIB_BLACKHOLE, FIB_UNREACHABLE, FIB_PROHIBIT };

struct fib_path {
	struct ip via; /* family 0: on link */
	int ifindex;   /* the kernel's; or -1 - port id, where there is no kernel (offline) */
	uint16_t weight;
};

struct fib_route {
	struct rmap_node node;
	struct ip_prefix prefix;
	enum fib_kind kind;
	bool own; /* FIB_LOCAL: an address of ours, not a broadcast or anycast one */
	uint32_t metric;
	unsigned n_paths;
	struct fib_own *is_own; /* fib.c's: its entry in fib->own; NULL: none */
	struct rcu_head rcu;
	struct fib_path path[];
};

struct fib_neigh {
	struct rmap_node node;
	struct ip ip;
	int ifindex;
	uint8_t mac[6];
	struct rcu_head rcu;
};

/* An address of ours, by the interface that has it. */
struct fib_own {
	struct rmap_node node;
	struct ip ip;
	int ifindex;
	struct rcu_head rcu;
};

struct fib {
	struct rmap route, neigh;
	struct rmap own; /* fib_own by interface and family; of own routes with one path */
	uint32_t n_len4[33], n_len6[129]; /* routes per prefix length (writer's) */
	uint64_t lens4, lens6[3];         /* bit per length in use; read by workers */
};

void fib_init(struct fib *f);
void fib_destroy(struct fib *f);

/* Writer's side.  Adding replaces what has the same prefix.  -ENOMEM never: allocation aborts. */
void fib_route_set(struct fib *f, const struct fib_route *r); /* copied */
bool fib_route_del(struct fib *f, const struct ip_prefix *prefix);
void fib_neigh_set(struct fib *f, const struct fib_neigh *n); /* copied */
bool fib_neigh_del(struct fib *f, const struct ip *ip, int ifindex);
void fib_clear(struct fib *f);

/* Readers'. */
const struct fib_route *fib_lookup(const struct fib *f, const struct ip *dst);
const struct fib_neigh *fib_neigh_find(const struct fib *f, const struct ip *ip, int ifindex);
/* An address of ours on this interface that senders elsewhere can make something of (not loopback,
 * not link-local); false: there is none among the first few. */
bool fib_own_address(const struct fib *f, int ifindex, uint8_t family, struct ip *ip);
const struct fib_path *fib_path_choose(const struct fib_route *r, uint32_t flow_hash);

/* Sends an IP packet on its way: looks up its destination, sets its Ethernet addresses, outputs it.
 * Takes p.  No TTL is changed.  Drops: NO_ROUTE, NO_PORT, NEIGH_UNRESOLVED (and asks the kernel to
 * resolve it, by an event), NO_HOST for a local destination without a host tun. */
void fib_forward(struct worker *w, struct pkt *p);

/* normal.c: what output to NORMAL does, routing (RFC 1812 5.2, 5.3): IP to the in-port's address or
 * from a layer-3 port.  Decrements the TTL.  Takes p. */
void normal_forward(struct worker *w, struct pkt *p);

#endif
