/* SPDX-License-Identifier: Apache-2.0 */
/* Meters, the reader's side (TS-023, 5.7): what rules may let through, over all workers.
 *
 * A meter has up to METER_BANDS bands, each a rate with a token bucket (bucket.h) and what becomes
 * of packets above it: dropped, or, in a class of assured forwarding, given a higher drop
 * precedence (RFC 2597).  The band of the highest rate that a packet exceeds applies; those of
 * higher rates have been paid by it, those of lower ones are not asked.
 *
 * Rules name a meter by its number (op METER at the head of the rule's part of the path); workers
 * find it under RCU for each packet, so neither programs nor what is kept of lookups ever
 * hold one.  A meter is immutable: a change puts another into its place, with the same *slot*,
 * which is where its buckets, each worker's leases and each worker's counters lie in arrays.  A
 * worker that is still of the tables' version before takes the meter before.
 *
 * The unit is the data unit (or plain frame) that meets the rule, or, `aggregate`, the aggregate
 * before its decryption: such a meter is asked by early.c, and its op does nothing.
 *
 * Writer: the control thread (ofproto/meters.h).  Readers: workers. */
#ifndef SLUICE_METER_H
#define SLUICE_METER_H

#include "datapath/action.h"
#include "datapath/bucket.h"
#include "lib/rmap.h"

struct datapath;

enum {
	METERS_MAX = 16384,
	METER_BANDS = 8,
	METER_PREC_MAX = 2, /* AF has three drop precedences: the highest is two above the lowest */
};

struct meter_band {
	struct bucket_rate rate;
	bool drops;
	uint8_t prec_level; /* by how many drop precedences otherwise */
	uint8_t given;      /* its place in the order it was given in: of buckets and counters */
};

struct meter {
	struct rmap_node node; /* in datapath->meters, by number */
	struct rcu_head rcu;
	uint64_t since;       /* the tables' version that it is part of */
	struct meter *before; /* RCU: whose place it took, until no worker is of a version before */
	uint32_t number, slot;
	bool aggregate; /* its unit: aggregates, before decryption */
	bool packets;   /* … and what it counts: packets, or octets */
	uint8_t n_bands;
	struct meter_band band[METER_BANDS]; /* the highest rate first */
};

struct meter_count {
	uint64_t packets, bytes;
};

/* Of one worker, by slot. */
struct meter_counters {
	struct meter_count in;                /* whatever came by */
	struct meter_count band[METER_BANDS]; /* above, in the order they were given in */
};

uint32_t meter_hash(uint32_t number);
/* The newest; NULL: there is none.  RCU reader. */
struct meter *meter_find(const struct datapath *dp, uint32_t number);
/* … and as it is in the worker's version of the tables. */
const struct meter *meter_of(const struct worker *w, uint32_t number);
/* In the place of its like, from the tables' version `since` on.  Control thread. */
void meter_publish(struct datapath *dp, struct meter *m, uint64_t since);
void meter_settle(struct meter *m);                        /* every worker is of that version */
void meter_withdraw(struct datapath *dp, struct meter *m); /* if it is still there */

/* The band that applies to a packet: counts it, and spends what it costs.  NULL: it is above no
 * rate.  A what-if packet (worker->private_trace) neither counts nor spends.  Worker. */
const struct meter_band *meter_run(struct worker *w, const struct pkt *p, const struct meter *m);

/* The class and drop precedence of assured forwarding (RFC 2597, 6) with `levels` more of the
 * latter, at most the highest; other code points stay as they are. */
uint8_t dscp_raise(uint8_t dscp, uint8_t levels);

/* Full buckets for a slot that a new meter gets.  Control thread. */
void meter_reset(struct datapath *dp, uint32_t slot);

int meters_init(struct datapath *dp); /* -ENOMEM */
void meters_destroy(struct datapath *dp);
int meters_worker_init(struct worker *w);
void meters_worker_destroy(struct worker *w);

#endif
