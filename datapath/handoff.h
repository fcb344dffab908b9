/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-off: a packet moves to the worker that owns its connection or queue.
 *
 * For each ordered pair of workers there are two single-producer single-consumer rings: `full`
 * carries packets there, `empty` brings free frames of the receiver's back, so that the sender can
 * copy into them.  Hence frames never change their home, counts stay plain, and a receiver that
 * does not keep up makes the sender drop (HANDOFF_FULL) instead of wait.  Rings are drained and
 * refilled at the batch edge; an eventfd wakes a sleeper.
 *
 * What is carried names its target by id and generation: a target deleted meanwhile is a named
 * drop, never a stale pointer. */
#ifndef SLUICE_HANDOFF_H
#define SLUICE_HANDOFF_H

#include "datapath/pkt.h"

enum handoff_kind {
	HANDOFF_DECAP, /* an aggregate, to its connection's owner: target is the connection */
	HANDOFF_TX,    /* a packet, to the owner of a queue: target is the port */
};

enum { HANDOFF_SLOTS = 512 };

struct handoff_to {
	enum handoff_kind kind;
	uint32_t id, gen;
	uint16_t queue;
};

struct datapath;

int handoff_create(struct datapath *dp); /* all pairs; -ENOMEM */
void handoff_destroy(struct datapath *dp);

/* Takes p: copies it for worker `to_worker`, or drops it. */
void handoff_send(struct worker *w, unsigned to_worker, struct pkt *p, struct handoff_to to);
/* Takes in what others sent, until the empty batch `b` is full of aggregates to decapsulate (outer
 * records copied along); the rest goes into outboxes.  Each sender is first in its turn, so that
 * one that fills the batch does not starve the others.  Returns how many arrived. */
unsigned handoff_receive(struct worker *w, struct batch *b);
/* Batch edge: give senders frames again, wake who was sent to. */
void handoff_flush(struct worker *w);
/* Something has come that is not received yet. */
bool handoff_waiting(const struct worker *w);
/* Frames of worker `w`'s on its peers' rings, and packets on their way to it, for the balance. */
void handoff_held(const struct worker *w, uint32_t *n_frames, uint32_t *n_packets);

#endif
