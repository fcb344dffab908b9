/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the afxdp port: what its control side (port-afxdp.c) and its worker's side (afxdp-io.c)
 * share.  Nobody else includes this.
 *
 * Who has a frame.  A frame in the fill ring, with the driver, in the rx ring, in the tx ring or
 * on its way out is the kernel's: `held` counts, per frame, how many descriptors name it there.
 * Each of those counts as one reference, which goes over to the received packet or is given back
 * on completion; when the port closes, what is still held is given back. */
#ifndef SLUICE_AFXDP_H
#define SLUICE_AFXDP_H

#include "datapath/port.h"
#include "datapath/steer.h"
#include "datapath/worker.h"
#include "datapath/xsk.h"

struct afxdp_queue {
	struct xsk xsk;
	uint16_t *held;      /* by frame: descriptors with the kernel that name it */
	uint32_t n_rx, n_tx; /* frames with the kernel: to receive into; to be sent */
	struct pkt *partial; /* its last descriptors have not arrived yet */
	bool cut;            /* partial has lost some: more segments than a packet can have */
	bool stuck; /* the kernel refuses to send (link down …) until it is asked again */
	uint64_t n_wakeups,
		n_bad; /* system calls; descriptors that named a frame we had not given */
};

struct afxdp {
	struct steer *steer;
	int promiscuous; /* descriptor; -1: not */
	enum steer_host host;
	bool generic, busy_poll;
	bool vlan_stripping; /* the interface did it before we came */
	unsigned channels;
	char driver[32];
	char why[192]; /* how it came to its mode */
	unsigned n;    /* queues opened */
	struct afxdp_queue queue[];
};

unsigned afxdp_rx(struct worker *w, struct queue *q, struct batch *b);
void afxdp_tx(struct worker *w, struct queue *q);
void afxdp_kick(struct worker *w, struct queue *q);
uint32_t afxdp_frames_held(const struct worker *w, const struct queue *q);

/* Gives back every frame of a queue whose socket is closed.  Owner, or while it stands still. */
void afxdp_give_back(struct worker *w, struct afxdp_queue *a);

#endif
