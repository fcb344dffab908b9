/* SPDX-License-Identifier: Apache-2.0 */
/* AGGFRAG payloads (RFC 9347): taking them apart, and laying them out.
 *
 * **Apart.**  Payloads come in sequence order to agg_begin(), one at a time, and agg_next() walks
 * one: each call gives one piece and always advances, so whatever the octets say a walk ends.  A
 * piece is a whole inner packet, or a part of the one under reassembly; where its octets go is the
 * caller's business.  `struct agg_rx` remembers between payloads how much of one inner packet is
 * missing.  One suffices, since fragments have consecutive sequence numbers.
 *
 * Every inconsistency is a drop reason (AGG_*), told once: by agg_begin() when it ends a reassembly
 * or spoils the payload, by agg_next() when a block does.  What follows a broken block header
 * in its payload is lost, since nothing says where the next one begins.
 *
 * **Together.**  `struct agg_tx` counts what is in the payload under construction and what its
 * BlockOffset must say; the caller copies octets.
 *
 * Pure: no packet, no clock, no memory of its own. */
#ifndef SLUICE_AGGFRAG_H
#define SLUICE_AGGFRAG_H

#include "datapath/pkt.h"

enum {
	AGG_NEXT_HEADER = 144,
	AGG_HLEN = 4,     /* sub-type 0 */
	AGG_CC_HLEN = 24, /* sub-type 1: congestion control */
	AGG_RUNT = 6,     /* octets that surely hold a block's length */
	AGG_DU_MAX = 40 + 65535,
};

#define NO_DROP N_DROPS

/* ---- Apart ------------------------------------------------------------------------------- */

struct agg_header { /* RFC 9347 6.1.1, 6.1.2 */
	uint8_t subtype, flags;
	uint16_t offset;
	uint32_t loss_event_rate, rtt_us; /* sub-type 1 */
};

struct agg_rx {
	bool open;         /* an inner packet is being put together */
	uint32_t have;     /* its octets so far */
	uint32_t total;    /* its length; 0: its length field is not complete */
	uint64_t next_seq; /* of the payload that must bring the next ones */
	uint8_t runt[AGG_RUNT];
	enum drop_reason why; /* what a continuation without a beginning is: AGG_ORPHAN, or what
			       * ended the reassembly it belongs to */
};

struct agg_walk {
	struct agg_header header;
	const uint8_t *at, *end;
	uint64_t seq;
	uint32_t more;          /* octets at `at` that continue the open packet */
	uint32_t skip;          /* octets at `at` that continue one we gave up */
	enum drop_reason error; /* what was inconsistent; NO_DROP */
	uint16_t n_blocks;      /* inner packets that begin here */
	uint16_t n_pieces;      /* given to the caller */
	uint32_t pad;           /* octets of padding */
};

enum agg_what {
	AGG_END,   /* nothing more */
	AGG_WHOLE, /* an inner packet */
	AGG_FIRST, /* the beginning of one */
	AGG_MORE,  /* more of it */
	AGG_LAST,  /* its end */
};

struct agg_piece {
	const uint8_t *octets;
	uint32_t size;
};

void agg_rx_init(struct agg_rx *rx);

/* Begins the payload of `size` octets with sequence number `seq`.  Returns AGG_SHORT or AGG_SUBTYPE
 * when it has no usable header (then there is no walk), else NO_DROP.  A reassembly that cannot go
 * on ends here: *aborted tells whether, so that the caller lets go of its octets; walk->error says
 * why. */
enum drop_reason agg_begin(struct agg_rx *rx, struct agg_walk *walk, struct agg_piece payload,
			   uint64_t seq, bool *aborted);
enum agg_what agg_next(struct agg_rx *rx, struct agg_walk *walk, struct agg_piece *piece);
/* Gives up the open packet; what continues it will be called `why`. */
void agg_abort(struct agg_rx *rx, enum drop_reason why);

/* The length of an inner packet by its first `have` octets: 0 when that takes more octets; -1 when
 * they contradict themselves, -2 when it is no IP packet. */
int32_t agg_du_length(const uint8_t *octets, size_t have);

/* ---- Together ----------------------------------------------------------------------------- */

struct agg_tx {
	uint32_t room;   /* octets of data blocks in a payload */
	uint32_t fill;   /* in the payload under construction */
	uint32_t offset; /* its BlockOffset */
};

/* Begins a payload while `left` octets of an inner packet (0: none) are still to go. */
void agg_tx_begin(struct agg_tx *tx, uint32_t left);
/* How many octets of an inner packet of `size` octets, `done` of which are out, go into the
 * payload under construction; 0: it is to be closed first.  A packet is begun only where its length
 * field is not cut. */
uint32_t agg_tx_take(struct agg_tx *tx, uint32_t size, uint32_t done, bool fragment);
/* Writes the sub-type 0 header. */
void agg_tx_header(const struct agg_tx *tx, uint8_t header[AGG_HLEN]);

#endif
