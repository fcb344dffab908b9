/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's routes, neighbours, addresses and links, over rtnetlink.
 *
 * They are the kernel's: who wants to change them uses ip, FRR or BIRD.  Here they are dumped once
 * and then followed, and the FIB holds what the main and local tables say.  When the kernel has
 * dropped news (ENOBUFS), everything is dumped again and what it no longer says is taken out.
 *
 * Neighbours are the kernel's to resolve: it is asked to when a worker misses one, and again
 * while one on a port of ours is stale, so that it does not forget them.
 *
 * The control thread's.  Offline and without rights there is none (NULL), and nothing happens. */
#ifndef SLUICE_OFPROTO_KERNEL_H
#define SLUICE_OFPROTO_KERNEL_H

#include "ofproto/ofproto.h"

struct kernel;

struct kernel *kernel_open(struct ofproto *o, struct refusal *r); /* and reads everything */
void kernel_close(struct ofproto *o);
int kernel_fd(const struct kernel *k);
void kernel_run(struct ofproto *o);
uint64_t kernel_deadline(const struct ofproto *o);

/* EVENT_NEIGH: please resolve. */
void kernel_resolve(struct ofproto *o, const struct ip *ip, int ifindex);

/* A port is there: its link's state is looked up. */
void kernel_port_added(struct ofproto *o, struct port *port);
/* What the XDP program is to send to us. */
void kernel_conn_added(struct ofproto *o, const struct conn_id *id);
void kernel_conn_gone(struct ofproto *o, const struct conn_id *id);

#endif
