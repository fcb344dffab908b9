/* SPDX-License-Identifier: Apache-2.0 */
/* Steering: which packets the XDP program sends to sluice and which it leaves to the kernel.
 *
 * Every afxdp port runs an instance of one XDP program (sluice.bpf.c), with a socket map and
 * settings of its own.  Two maps serve all instances of the daemon: `local`, the addresses of the
 * host, and `conns`, what the aggregates of connections carry.  With host=kernel a packet to a
 * local address goes to the kernel unless a connection claims it; with host=rules it goes to
 * sluice, whose rules may send it on to LOCAL; with host=none everything goes to sluice and the
 * maps are not asked.
 *
 * The maps are made by whoever needs them first and live as long as the process.  Control thread
 * alone. */
#ifndef SLUICE_STEER_H
#define SLUICE_STEER_H

#include "datapath/conn.h"
#include "datapath/steer-abi.h"

/* The host's addresses, as the kernel tells them.  Adding twice is one entry.  0, or -errno (-EPERM
 * without privileges, -E2BIG when there are too many). */
int steer_local_add(const struct ip *ip);
int steer_local_del(const struct ip *ip);

/* What a connection's aggregates carry, for formats that end at this host.  Each add needs its
 * del. */
int steer_conn_add(const struct conn_id *id);
int steer_conn_del(const struct conn_id *id);

/* One instance of the program, for one interface. */
struct steer;

struct steer_config {
	int ifindex;
	uint8_t mac[6];
	enum steer_host host;
	bool generic; /* attach in generic (skb) mode, else in the driver */
	bool off;     /* load it, but do not attach it yet */
};

/* Loads and attaches, before any socket is bound; the kernel takes the program off when we die.
 * NULL: errno, and what was the matter in `why` of `size` octets. */
struct steer *steer_attach(const struct steer_config *config, char *why, size_t size);
/* After the sockets are closed. */
void steer_detach(struct steer *s);

/* On its interface or off, while sockets and maps stay.  0, or -errno. */
int steer_on(struct steer *s, bool generic);
void steer_off(struct steer *s);
/* The link that holds it on its interface, by the kernel's word, since whoever knows the id may
 * take it off; 0: none. */
uint32_t steer_link_id(const struct steer *s);
/* Takes off a link that another process may own, if it holds a sluice's XDP program on this
 * interface.  0, -ENOENT when there is none (any more), or -errno. */
int steer_take_off(uint32_t link_id, int ifindex);

/* The packets that the program sends to sluice, of an rx queue, go to socket `fd`. */
int steer_socket_set(struct steer *s, unsigned queue, int fd);
void steer_socket_clear(struct steer *s, unsigned queue);

/* What the program says of a frame on queue 0: an XDP action, or -errno.  For tests. */
int steer_try(struct steer *s, const void *frame, uint32_t size);

/* Which XDP program is on an interface; false when there is none. */
bool steer_occupant(int ifindex, char *name, size_t size);

#endif
