/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs: who asked whom.
 *
 * A packet from S to T asks for packets from T to S: a TCP acknowledgement for the next segments, a
 * DNS query for its answer, a tunnel's packet for the tunnel's other half.  `struct pairs`
 * remembers for pairs of addresses and a service (protocol, and an amplifier's port where there is
 * one) how many packets were asked for in each direction and have not come yet.  What comes beyond
 * that is *unasked*: the measure that detection stands on, since lawful peaks are asked for and
 * floods are not.
 *
 * Credit is in packets, so ends that are sampled at different rates still add up.  It is worth
 * nothing once the pair was silent for PAIR_LIFE_NS.  One cache line is touched; memory is fixed,
 * the longest silent pair of a line gives way.  Single thread. */
#ifndef SLUICE_WATCH_PAIRS_H
#define SLUICE_WATCH_PAIRS_H

#include "lib/hash.h"

#define PAIR_LIFE_NS (8 * NSEC_PER_SEC)

/* What a sample is to its pair. */
struct pair_use {
	uint64_t hash;     /* of addresses and service, the same in both directions */
	unsigned way;      /* 0 or 1: the direction */
	float packets;     /* what the sample stands for */
	float asks;        /* packets of the other direction that each of them asks for; 0: none */
	bool may_be_asked; /* it uses what was asked for */
	bool counts_first; /* it is of the kind that `first` is about */
};

struct pair_seen {
	float unasked; /* packets of it that nobody asked for */
	bool known;    /* this direction was seen before */
	bool first;    /* of the kind that counts_first, in this direction */
	/* Known, not asked for yet, and not often so: at 1 in 64 an answer that is there may not
	 * have been seen.  Whoever can afford it waits with his judgement. */
	bool doubtful;
	unsigned cleared; /* an answer: so many of the other direction were doubted in vain */
};

struct pairs;
struct pairs *pairs_create(uint32_t n_pairs); /* a power of two; aborts without memory */
void pairs_free(struct pairs *p);
struct pair_seen pairs_sample(struct pairs *p, const struct pair_use *use, uint64_t now_ns);
size_t pairs_memory(const struct pairs *p);

#endif
