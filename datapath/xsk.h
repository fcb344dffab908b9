/* SPDX-License-Identifier: Apache-2.0 */
/* AF_XDP sockets by the raw kernel interface.
 *
 * libxdp's own set-up cannot ask for what newer kernels have (packets of several descriptors) and
 * attaches a dispatcher; we use only its ring inlines.
 *
 * One memory, the daemon's UMEM, serves every socket with the same addresses, so a frame received
 * on one port is sent by another as it is.  It is registered with the kernel once per port: a
 * port's first socket registers it, the others share that registration, each with fill and
 * completion rings of its own.  (Sockets that share a registration must all be zero copy or all
 * be copying, which ports of different drivers cannot be.)
 *
 * A socket belongs to its queue's worker once the control thread has opened it. */
#ifndef SLUICE_XSK_H
#define SLUICE_XSK_H

#include <xdp/xsk.h>

#include "datapath/frame.h"

/* Descriptors per ring.  The completion ring holds whatever the tx ring can. */
enum { XSK_RING = 2048 };

/* Newer than the headers we build with (Linux 6.6). */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif

struct xsk {
	int fd;
	bool zerocopy; /* as the kernel says it is */
	bool segments; /* a packet may be several descriptors */
	bool busy_poll;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons done, rx; /* done: the completion ring */
	struct {
		void *at;
		size_t size;
	} map[4];
};

struct xsk_config {
	int ifindex;
	unsigned queue;
	const struct umem *umem;
	const struct xsk *share; /* the port's first socket; NULL: this one registers */
	bool zerocopy;           /* ask for it; else for copying */
	bool busy_poll;          /* SO_PREFER_BUSY_POLL */
};

/* Opens, binds, and reads back what it got; prefers several descriptors a packet.  -errno. */
int xsk_open(struct xsk *x, const struct xsk_config *config);
void xsk_close(struct xsk *x); /* also of one that was never opened (all zero, fd -1) */

/* Descriptors of the tx ring that the kernel has not taken. */
static inline uint32_t xsk_tx_waiting(const struct xsk *x)
{
	return *x->tx.producer - __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE);
}

#endif
