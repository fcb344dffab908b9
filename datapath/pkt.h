/* SPDX-License-Identifier: Apache-2.0 */
/* Packets and batches.
 *
 * A packet is an ordered list of segments, each a piece of a frame.  The first segment holds all
 * headers, within its first PKT_HEADERS octets, and always begins with an Ethernet header: a
 * packet from a layer-3 port or connection gets a *virtual* one (PKT_VIRTUAL_ETH), which is not
 * counted in octets and which output to a layer-3 port takes off again.  So every stage and
 * action sees one shape.
 *
 * The octets in front of a DU belong to its neighbour in the aggregate; who wants to write
 * headers, or in front of them, calls pkt_own() or pkt_push() first, nothing else.  Frames with
 * a count above one are read only.
 *
 * A packet ends in port_tx, in drop() or in consume(), the latter two with a named reason, and
 * nowhere else: all three give its frames back.  Packets belong to the worker whose pool
 * they came from and never leave it (handoff.h copies).
 *
 * The collected record of a plain frame lies in its packet; that of an aggregate goes to its frame
 * when data units come out of it, since they share it (decap.c). */
#ifndef SLUICE_PKT_H
#define SLUICE_PKT_H

#include "datapath/frame.h"

struct worker;
struct conn;

enum {
	PKT_HEADERS = 256,
	PKT_SEGS = 20, /* 65,535 octets in frames of 4,096 with their headroom, and a header */
	BATCH_MAX = 64,
	ETH_HLEN_ = 14,
};

struct seg {
	uint32_t frame;
	uint16_t off, len; /* octets [off, off + len) of the frame */
};

enum pkt_flags {
	PKT_VIRTUAL_ETH = 1 << 0, /* the Ethernet header is not on any wire */
	PKT_TRACED = 1 << 1,
	PKT_KEYED = 1 << 2,    /* key and offsets match the octets */
	PKT_DECAPPED = 1 << 3, /* came out of a connection */
	PKT_COUNTED = 1 << 4,  /* in the samplers' pool, or never to be: it began here */
};

/* A rule that the packet met on its way through the tables. */
struct path_rule {
	uint32_t id; /* RULE_NONE: a packet-out's own actions */
	uint8_t table;
	bool miss; /* the table-miss entry: priority 0, matches everything */
};

/* What is zeroed by wide stores lies so that none of them meets two cache lines. */
#define PKT_ALIGNED __attribute__((aligned(16)))

/* First cache lines: what every stage reads. */
struct pkt {
	uint8_t *data; /* octet 0 of segment 0 */
	uint32_t len;  /* of all segments, Ethernet header included */
	uint8_t n_segs, flags;
	uint16_t l3, l4;               /* offsets from data; 0: there is none */
	uint16_t payload;              /* where the last parsed header ends */
	uint32_t outer_frame;          /* holds a reference to the frame whose record `outer` is;
					  FRAME_NONE: it is its own */
	uint32_t in_port;              /* port id (not OpenFlow number), PORT_NONE for injected */
	struct outer *outer;           /* never NULL after collect */
	const struct program *program; /* set by the rules stage, run by the actions stage */
	struct path_rule rule;         /* whose action runs: for packet-ins */
	uint32_t trace_id;
	uint32_t flow_hash_memo; /* pkt_flow_hash()'s; 0: nobody has asked */
	uint16_t sample;         /* its slot with the sampler (sample.h); 0: none */
	struct du_key key PKT_ALIGNED;
	struct outer own PKT_ALIGNED;
	struct seg seg[PKT_SEGS];
};

struct batch {
	unsigned n;
	bool claimed;         /* there are aggregates among them (stage_collect) */
	unsigned at;          /* decapsulation, which is resumable, has got this far */
	struct conn *popping; /* the connection it stopped in: the packet itself may be gone */
	struct pkt *pkt[BATCH_MAX];
};

#define BATCH_FOR_EACH(P, B) \
	for (unsigned i_##P = 0; i_##P < (B)->n && ((P) = (B)->pkt[i_##P], true); i_##P++)

enum drop_reason {
#define DROP(ID, NAME, TEXT) DROP_##ID,
#include "datapath/drops.def"
	N_DROPS
};
enum consume_reason {
#define CONSUME(ID, NAME, TEXT) CONSUME_##ID,
#include "datapath/drops.def"
	N_CONSUMES
};
enum made_reason {
#define MADE(ID, NAME, TEXT) MADE_##ID,
#include "datapath/drops.def"
	N_MADES
};

struct reason_text {
	const char *name, *text;
};
extern const struct reason_text drop_reasons[N_DROPS];
extern const struct reason_text consume_reasons[N_CONSUMES];
extern const struct reason_text made_reasons[N_MADES];

/* A packet of one fresh frame with room for `headroom` octets in front; data points behind them
 * and len is 0.  NULL when frames or packets are out. */
struct pkt *pkt_new(struct worker *w, uint16_t headroom);

/* A fresh record of its own; returns it. */
static ALWAYS_INLINE struct outer *pkt_outer_begin(struct pkt *p, uint64_t now)
{
	struct outer *outer = &p->own;

	zero_words(outer, sizeof *outer);
	outer->rx_ns = now;
	outer->conn = CONN_NONE;
	p->outer = outer;
	return outer;
}

/* Another packet over the same frames (each counted once more); counted as MADE_CLONE. */
struct pkt *pkt_clone(struct worker *w, const struct pkt *p);

/* The first `n` octets, which segment 0 has, become writable, unshared, with at least `headroom`
 * octets of this packet's own in front.  0, or -ENOMEM (nothing changed), or
 * -EINVAL (fewer than n octets). */
int pkt_own(struct worker *w, struct pkt *p, uint16_t n, uint16_t headroom);

/* Opens `n` octets in front of the data (pkt_own included).  NULL when out of memory. */
uint8_t *pkt_push(struct worker *w, struct pkt *p, uint16_t n);
/* Takes `n` octets off the front; they lie within segment 0. */
void pkt_pull(struct pkt *p, uint16_t n);

/* Appends a piece of a frame; the packet takes over one reference to it.  -ENOSPC when it has
 * PKT_SEGS already (the reference stays the caller's). */
int pkt_append(struct pkt *p, struct seg seg);

/* Copies octets [from, from + n) of the packet to `to`; n is within len. */
void pkt_copy_out(const struct worker *w, const struct pkt *p, uint32_t from, uint32_t n,
		  uint8_t *to);
/* One frame (or as many as it takes) of its own instead of many small pieces: at most `max_segs`
 * segments afterwards.  -ENOMEM, -ENOSPC. */
int pkt_linearise(struct worker *w, struct pkt *p, unsigned max_segs);

/* Octets as counters and meters count them: without a virtual Ethernet header. */
static inline uint32_t pkt_octets(const struct pkt *p)
{
	return p->len - (p->flags & PKT_VIRTUAL_ETH ? ETH_HLEN_ : 0);
}

/* Of addresses, protocol and ports, for what spreads flows over queues, next hops and buckets;
 * never 0.  Found when it is first asked for: most packets of a flood never are. */
uint32_t pkt_flow_hash_find(const struct du_key *k);

static inline uint32_t pkt_flow_hash(struct pkt *p)
{
	if (!p->flow_hash_memo)
		p->flow_hash_memo = pkt_flow_hash_find(&p->key);
	return p->flow_hash_memo;
}

/* The ends of a packet (and pkt_free, for ports that have sent it: they count tx). */
void drop(struct worker *w, struct pkt *p, enum drop_reason reason);
void consume(struct worker *w, struct pkt *p, enum consume_reason reason);
void pkt_free(struct worker *w, struct pkt *p);

#endif
