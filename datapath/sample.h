/* SPDX-License-Identifier: Apache-2.0 */
/* Samples: one packet in so many, its headers and what became of it.
 *
 * Sampled are DUs (and plain frames) once they have a key, and aggregates that end before they
 * give any: an early verdict, a failed ICV, a full ring.  All of a worker's are one pool.  The
 * choice is made in stage_sample(), between key and rules, so what arrived is seen as it
 * arrived; the packet carries its slot, and the record leaves when the packet ends, so
 * what became of it is known: a port, a reason to drop, the rule that decided.
 *
 * Of a packet that is copied for several outputs the end is the original's, by the last of them;
 * one handed over for an output of another worker's ends as if it had got there, whatever that
 * worker does.  What sluice itself begins (aggregates, a controller's packets but those to TABLE)
 * is nobody's sample; what the kernel sends into a connection is one from LOCAL.  A frame without a
 * whole Ethernet header gives none.
 *
 * A record holds headers, never payload: it is cut after the last protocol header that the parser
 * understood.  It goes into the worker's ring `samples`; the control thread reads it
 * (ofproto/samples.h), exports it and keeps it for a while.  A full ring or no free slot is
 * counted (`missed`), never waited for.  The control thread is woken for the first record and then
 * at most each SAMPLE_TELL_MS, so that a thousand a second do not wake it a thousand times; without
 * packets nobody is woken.
 *
 * **Rate.**  Each packet is taken with a probability of 1 in `every` (so that no sender can march
 * in step).  When they come faster than dp->sample_max a second, N is doubled, and comes back by
 * halves while there are few; each record says the rate and the pool in force when it was taken, so
 * sums over records stay true.  dp->sample_every 0: off.
 */
#ifndef SLUICE_SAMPLE_H
#define SLUICE_SAMPLE_H

#include "datapath/key.h"
#include "datapath/pkt.h"
#include "datapath/timer.h"

enum {
	SAMPLE_SLOTS = 256,      /* sampled packets of a worker that have not ended yet */
	SAMPLE_RING = 1 << 20,   /* octets */
	SAMPLE_EVERY = 64,       /* a new daemon's rate */
	SAMPLE_MAX_PER_S = 1000, /* … and bound, per worker */
	SAMPLE_EVERY_MAX = 1 << 24,
	SAMPLE_MAX_MAX = 1000000,
	SAMPLE_TELL_MS = 10,
};

enum sample_end { SAMPLE_SENT, SAMPLE_DROPPED, SAMPLE_CONSUMED };

enum sample_flags {
	SAMPLE_AGGREGATE = 1 << 0,   /* ended as an aggregate: key.du is the outer packet's */
	SAMPLE_VIRTUAL_ETH = 1 << 1, /* its Ethernet header is not on any wire */
	SAMPLE_BY_RULE = 1 << 2,     /* a rule asked for it (action sample): not of the pool */
};

struct sample_record {
	uint64_t ns;       /* when it was taken, on the worker's clock */
	uint64_t pool;     /* packets of the pool so far */
	uint32_t seq;      /* of this worker's records, from 1 */
	uint32_t missed;   /* samples of this worker that were lost, so far */
	uint32_t every;    /* it stands for so many */
	uint32_t length;   /* the packet's octets, without a virtual Ethernet header */
	uint32_t in_port;  /* OpenFlow number, host order */
	uint32_t out_port; /* where it was sent (also into a connection); OFPP_ANY: nowhere */
	uint32_t rule_id;  /* the last rule on its path; RULE_NONE */
	uint8_t table;     /* … and its table */
	uint8_t end;       /* enum sample_end */
	uint8_t reason;    /* enum drop_reason, enum consume_reason */
	uint8_t flags;     /* enum sample_flags */
	uint16_t size;     /* octets of headers that follow */
	uint16_t l3;       /* where the IP header begins in them; 0: there is none */
	struct key key;    /* as it arrived: the DU's headers, the collected record */
	uint8_t octet[];   /* an Ethernet header first, as in struct pkt */
};

enum { SAMPLE_RECORD_MAX = sizeof(struct sample_record) + PKT_HEADERS };

struct worker;
struct pending; /* sample.c's: a record on its way to its end */

/* A worker's sampler.  The first members are what every batch looks at. */
struct sampler {
	uint32_t every; /* in force: a packet is taken with a probability of 1 in so many; 0: off */
	uint64_t skip;  /* the next one is taken after so many, itself counted */
	uint64_t check_ns; /* when rate and settings are looked at next */
	uint64_t pool;
	uint64_t random;
	struct sample_rate {
		uint32_t asked;       /* the pool's `every` as it was set */
		uint32_t shift;       /* how often it was doubled */
		uint32_t n;           /* taken in this window */
		uint64_t from_ns;     /* when the window began */
	} rate, rule_rate;            /* the pool's; of what rules asked for */
	uint32_t seq, missed, n_free; /* missed: `status` reads it, too */
	uint64_t tell_ns;             /* when the control thread may be woken again */
	struct timer tell;            /* … and is, for records that came before */
	uint16_t free[SAMPLE_SLOTS];
	struct pending *slot; /* SAMPLE_SLOTS of them */
};

int sampler_init(struct sampler *s, unsigned id); /* -ENOMEM */
void sampler_destroy(struct sampler *s);

/* An action asks: the packet is taken with a probability of 1 in `every` (0 and 1: always), as
 * SAMPLE_BY_RULE, whatever the sampler itself does with it.  The same bound holds.  Worker. */
void sample_by_rule(struct worker *w, struct pkt *p, uint32_t every);

/* What packets and ports tell the sampler.  Worker. */
struct program;
void sample_path(struct worker *w, struct pkt *p, const struct program *program);
void sample_output(struct worker *w, struct pkt *p, uint32_t ofport);
void sample_end(struct worker *w, struct pkt *p, enum sample_end end, uint8_t reason);
/* A packet that is dropped before stage_sample() saw it. */
void sample_drop(struct worker *w, struct pkt *p, enum drop_reason reason);

#endif
