/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel has said: its routes, neighbours and links, one entry for each of its own.
 *
 * The FIB wants one answer per prefix; the kernel may have several (the local table before the
 * main one, then by metric).  Each message changes an entry here, and the best of its prefix
 * goes to the FIB.  Entries carry the generation of the last dump that named them: kernel_sweep()
 * takes out those that the newest did not.  kernel.c's alone. */
#ifndef SLUICE_OFPROTO_KERNEL_TABLES_H
#define SLUICE_OFPROTO_KERNEL_TABLES_H

#include "datapath/fib.h"

struct nlmsghdr;
struct ofproto;

struct kroute {
	struct rmap_node node; /* by prefix */
	uint32_t table, generation;
	int device; /* tells apart what the metric does not; 0: nothing */
	bool more;  /* others of the same metric stand behind it */
	struct fib_route *route;
};

struct kneigh {
	struct rmap_node node; /* by address */
	struct ip ip;
	int ifindex;
	uint16_t state; /* NUD_* */
	uint32_t generation;
};

struct klink {
	struct klink *next;
	int ifindex;
	bool up, admin_up;
	uint32_t mtu, generation;
	uint8_t mac[6];
};

struct kernel_tables {
	struct rmap routes, neighs;
	struct klink *links;
	uint32_t generation;
};

void kernel_tables_init(struct kernel_tables *t);
void kernel_tables_destroy(struct kernel_tables *t);

/* RTM_NEW… and RTM_DEL….  True: what they say is not enough, everything has to be read again. */
bool kernel_route(struct ofproto *o, struct kernel_tables *t, const struct nlmsghdr *h);
void kernel_neigh(struct ofproto *o, struct kernel_tables *t, const struct nlmsghdr *h);
bool kernel_link(struct ofproto *o, struct kernel_tables *t, const struct nlmsghdr *h);

/* After a dump: takes out what it did not name. */
void kernel_sweep(struct ofproto *o, struct kernel_tables *t);
void kernel_routes_sweep(struct ofproto *o, struct kernel_tables *t);
/* A port is there: takes over its link's state. */
void kernel_link_apply(struct ofproto *o, struct kernel_tables *t, struct port *port);

#endif
