/* SPDX-License-Identifier: Apache-2.0 */
/* A packet's path.
 *
 *	rx → parse → outer (collect) → early verdict → decap (1→N, resumable) → key → sample
 *	   → cache → rules → actions → tx  any stage: drop(pkt, REASON) · trace(pkt, STAGE)
 *
 * spine_run() calls the stages in that order and does nothing else; batches without an aggregate
 * leave out those from the early verdict to decapsulation.  Every stage takes (struct
 * worker *, struct batch *), lets through what goes on (compacting the batch) and ends the rest.
 * No log, allocation, contended lock or system call happens between rx and tx; only ports
 * make system calls. */
#ifndef SLUICE_SPINE_H
#define SLUICE_SPINE_H

#include "datapath/worker.h"

/* Runs a batch of received packets to its end: nothing is left in it. */
void spine_run(struct worker *w, struct batch *b);
/* From decapsulation on: for aggregates that were handed over. */
void spine_decap(struct worker *w, struct batch *b);
/* From the key on: for packets without an aggregate (packet-out to TABLE, timers' DUs). */
void spine_rules(struct worker *w, struct batch *b);
/* What the kernel sent into a connection's tun: past the rules, straight to `to`. */
void spine_forward(struct worker *w, struct batch *b, struct port *to);

/* The stages, in order; each in the file of its name. */
void stage_parse(struct worker *w,
		 struct batch *b); /* parse.c: offsets, refusals of broken headers */
void stage_collect(struct worker *w,
		   struct batch *b); /* collect.c: the outer record, the connection */
void stage_early(struct worker *w, struct batch *b); /* early-stage.c: the early verdict; counts */
void stage_handoff(struct worker *w, struct batch *b); /* handoff.c: to the connection's owner */
bool stage_decap(struct worker *w, struct batch *in,
		 struct batch *out);                  /* decap.c: false: more to come */
void stage_key(struct worker *w, struct batch *b);    /* parse.c: the DU's key */
void stage_sample(struct worker *w, struct batch *b); /* sample.c: one in so many is noted */
void stage_rules(struct worker *w,
		 struct batch *b); /* rules.c: tables, composes the path program */
void stage_actions(struct worker *w, struct batch *b); /* actions.c: runs it */
void stage_tx(struct worker *w);                       /* port.c: flushes outboxes */

/* parse.c for one packet: fills its offsets and its key but for in_port and tunnel_id.  -1, or the
 * enum drop_reason why it cannot be taken further (the caller drops). */
int pkt_parse(struct worker *w, struct pkt *p);
/* … again, when actions have changed what the octets are: what is not of them stays in the key.  A
 * header that contradicts itself is none. */
void pkt_reparse(struct worker *w, struct pkt *p);
/* What parsing cannot see: in_port, tunnel_id. */
void pkt_key_context(struct worker *w, struct pkt *p);

#endif
