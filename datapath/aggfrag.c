/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/aggfrag.h"

/* Big-endian bits [from, from + n) of a 64-bit word, counted from the left. */
static uint32_t bits_of(uint64_t word, unsigned from, unsigned n)
{
	return (uint32_t)(word << from >> (64 - n));
}

static enum drop_reason read_header(struct agg_walk *walk)
{
	struct agg_header *h = &walk->header;
	size_t size = (size_t)(walk->end - walk->at);

	if (size < AGG_HLEN)
		return DROP_AGG_SHORT;
	h->subtype = walk->at[0];
	h->flags = walk->at[1]; /* reserved, or P and E: of no consequence here */
	h->offset = get_be16(walk->at + 2);
	if (h->subtype > 1)
		return DROP_AGG_SUBTYPE;
	if (h->subtype == 0) {
		walk->at += AGG_HLEN;
		return NO_DROP;
	}
	if (size < AGG_CC_HLEN)
		return DROP_AGG_SHORT;
	h->loss_event_rate = get_be32(walk->at + 4);
	h->rtt_us = bits_of(get_be64(walk->at + 8), 0, 22);
	walk->at += AGG_CC_HLEN;
	return NO_DROP;
}

int32_t agg_du_length(const uint8_t *octets, size_t have)
{
	uint32_t ihl;

	switch (octets[0] >> 4) {
	case 4:
		ihl = (octets[0] & 15) * 4u;
		if (ihl < 20)
			return -1;
		if (have < 4)
			return 0;
		return get_be16(octets + 2) < ihl ? -1 : get_be16(octets + 2);
	case 6:
		return have < 6 ? 0 : 40 + get_be16(octets + 4);
	default:
		return -2;
	}
}

void agg_rx_init(struct agg_rx *rx)
{
	*rx = (struct agg_rx){.why = DROP_AGG_ORPHAN};
}

void agg_abort(struct agg_rx *rx, enum drop_reason why)
{
	rx->open = false;
	rx->why = why;
}

/* Completes the length field of an inner packet that was cut inside it, looking at what the
 * payload continues it with. */
static bool learn_total(struct agg_rx *rx, const uint8_t *at, uint32_t size)
{
	uint8_t head[AGG_RUNT];
	uint32_t n = rx->have, add = MIN(AGG_RUNT - n, size);
	int32_t total;

	memcpy(head, rx->runt, n);
	memcpy(head + n, at, add);
	total = agg_du_length(head, n + add);
	if (total < 0)
		return false;
	rx->total = (uint32_t)total;
	return true;
}

/* Whether the payload continues the open packet as BlockOffset says it does.  BlockOffset counts to
 * the next block wherever that is, so it must be exactly what is missing (RFC 9347 2.2, 2.2.3);
 * only a length that 16 bits cannot say is excused. */
static enum drop_reason check_continuation(struct agg_rx *rx, const struct agg_walk *walk)
{
	uint32_t rest = (uint32_t)(walk->end - walk->at), offset = walk->header.offset;
	uint32_t left;

	if (walk->seq != rx->next_seq)
		return DROP_AGG_LOST;
	if (!offset)
		return DROP_AGG_OFFSET;
	if (!rx->total && !learn_total(rx, walk->at, MIN(rest, offset)))
		return DROP_AGG_BLOCK_LENGTH;
	if (!rx->total) /* still too short to tell: then it cannot end here */
		return offset > rest ? NO_DROP : DROP_AGG_OFFSET;
	if (rx->total <= rx->have)
		return DROP_AGG_BLOCK_LENGTH;
	left = rx->total - rx->have;
	return offset == MIN(left, (uint32_t)UINT16_MAX) ? NO_DROP : DROP_AGG_OFFSET;
}

enum drop_reason agg_begin(struct agg_rx *rx, struct agg_walk *walk, struct agg_piece payload,
			   uint64_t seq, bool *aborted)
{
	enum drop_reason reason;
	uint32_t rest, skip;

	*walk = (struct agg_walk){
		.at = payload.octets,
		.end = payload.octets + payload.size,
		.seq = seq,
		.error = NO_DROP,
	};
	*aborted = false;
	reason = read_header(walk);
	rest = reason == NO_DROP ? (uint32_t)(walk->end - walk->at) : 0;
	skip = MIN(rest, walk->header.offset);
	if (rx->open && reason == NO_DROP && seq == rx->next_seq && !walk->header.offset &&
	    (!rest || walk->at[0] >> 4 == 0)) {
		rx->next_seq++; /* nothing but padding may stand between fragments */
		return NO_DROP;
	}
	if (rx->open) {
		enum drop_reason why =
			reason == NO_DROP ? check_continuation(rx, walk) : DROP_AGG_LOST;

		if (why == NO_DROP) {
			walk->more = skip;
			rx->next_seq++;
			return NO_DROP;
		}
		agg_abort(rx, why);
		*aborted = true;
		walk->error = why;
	}
	walk->skip = skip;
	return reason;
}

static enum agg_what continue_packet(struct agg_rx *rx, struct agg_walk *walk,
				     struct agg_piece *piece)
{
	*piece = (struct agg_piece){walk->at, walk->more};
	if (rx->have < AGG_RUNT)
		memcpy(rx->runt + rx->have, walk->at, MIN(AGG_RUNT - rx->have, walk->more));
	rx->have += walk->more;
	walk->at += walk->more;
	walk->more = 0;
	walk->n_pieces++;
	if (rx->total && rx->have >= rx->total) {
		rx->open = false;
		rx->why = DROP_AGG_ORPHAN;
		return AGG_LAST;
	}
	return AGG_MORE;
}

static enum agg_what end_walk(struct agg_walk *walk, enum drop_reason why)
{
	if (why != NO_DROP)
		walk->error = why;
	walk->at = walk->end;
	return AGG_END;
}

enum agg_what agg_next(struct agg_rx *rx, struct agg_walk *walk, struct agg_piece *piece)
{
	uint32_t rest = (uint32_t)(walk->end - walk->at);
	int32_t total;

	if (walk->more)
		return continue_packet(rx, walk, piece);
	if (walk->skip) {
		if (walk->error == NO_DROP)
			walk->error = rx->why;
		walk->at += walk->skip;
		rest -= walk->skip;
		walk->skip = 0;
	}
	if (!rest)
		return AGG_END;
	if (walk->at[0] >> 4 == 0) {
		walk->pad = rest;
		return end_walk(walk, NO_DROP);
	}
	total = agg_du_length(walk->at, rest);
	if (total < 0)
		return end_walk(walk, total == -1 ? DROP_AGG_BLOCK_LENGTH : DROP_AGG_BLOCK_TYPE);
	walk->n_blocks++;
	walk->n_pieces++;
	rx->why = DROP_AGG_ORPHAN;
	*piece = (struct agg_piece){walk->at, total ? MIN(rest, (uint32_t)total) : rest};
	walk->at += piece->size;
	if (total && piece->size == (uint32_t)total)
		return AGG_WHOLE;
	rx->open = true;
	rx->have = piece->size;
	rx->total = (uint32_t)total;
	rx->next_seq = walk->seq + 1;
	memcpy(rx->runt, piece->octets, MIN(piece->size, (uint32_t)AGG_RUNT));
	return AGG_FIRST;
}

/* ---- Together ----------------------------------------------------------------------------- */

void agg_tx_begin(struct agg_tx *tx, uint32_t left)
{
	tx->fill = 0;
	tx->offset = left;
}

uint32_t agg_tx_take(struct agg_tx *tx, uint32_t size, uint32_t done, bool fragment)
{
	uint32_t room = tx->room - tx->fill, n = MIN(room, size - done);

	if (!done && n < size && (!fragment || n < AGG_RUNT))
		return 0;
	tx->fill += n;
	return n;
}

void agg_tx_header(const struct agg_tx *tx, uint8_t header[AGG_HLEN])
{
	header[0] = header[1] = 0;
	put_be16(header + 2, (uint16_t)MIN(tx->offset, (uint32_t)UINT16_MAX));
}
