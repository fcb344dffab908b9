/* SPDX-License-Identifier: Apache-2.0 */
/* What rules can match: the key of a data unit and the collected record of its aggregate.
 *
 * A packet's key has two parts.  `struct du_key` is the packet's own: filled by parse.c from the
 * DU's headers, changed by actions and by metadata on the way through the tables.  `struct
 * outer_key` is the aggregate's: filled once when the aggregate arrives, and shared by all its
 * DUs.  Rules match both as if they were one (`struct key`): 64-bit words numbered 0 to 63, the
 * DU's first, the outer's from OUTER_WORD on.  So a classifier needs one 64-bit map to say
 * which words a mask uses, and two pointers to read them from.
 *
 * Members hold network byte order, each value right-aligned in its octets, so that a field of
 * fields.def is an offset and a size, and OXM octets copy in and out.  What a packet does not
 * have is zero.  Whether the outer record has a header at all is said by `outer_key.has`, since
 * zero may be a real value there; rules on such a field match its bit too (field.c). */
#ifndef SLUICE_KEY_H
#define SLUICE_KEY_H

#include "lib/base.h"

struct du_key {
	be64 metadata;
	be64 tunnel_id;
	/* One word of what most rules look at: the fewer words a rule needs, the cheaper it is. */
	be32 in_port;
	be16 eth_type;
	uint8_t ip_proto, ip_frag; /* ip_frag: enum ip_frag */
	be32 in_phy_port, pkt_mark;
	be32 reg[8];
	be32 pkt_len; /* octets, without a virtual Ethernet header */
	union {
		be32 mpls_label;
		struct {
			uint8_t not_isid, pbb_isid[3]; /* where there is no MPLS */
		};
	};
	uint8_t eth_dst[6];
	be16 vlan_vid; /* OFPVID_PRESENT | VID */
	uint8_t eth_src[6];
	uint8_t mpls_tc, mpls_bos;
	be32 ipv6_flabel;
	uint8_t vlan_pcp, ip_dscp, ip_ecn, ip_ttl;
	uint8_t ip_src[16]; /* IPv4 in the first four octets; ARP's spa */
	uint8_t ip_dst[16]; /* ARP's tpa */
	be16 tp_src, tp_dst, tcp_flags;
	uint8_t icmp_type, icmp_code;
	uint8_t hw_src[6]; /* arp_sha, ipv6_nd_sll */
	be16 arp_op;
	uint8_t hw_dst[6]; /* arp_tha, ipv6_nd_tll */
	be16 ipv6_exthdr;
	uint8_t nd_target[16];
	/* Collected, but of this DU: how it came out of its aggregates. */
	be16 agg_fragments; /* aggregates that carried parts of it; 1: whole */
	be16 disagree;      /* enum disagreement bits */
	be32 agg_age_us;    /* from its first fragment's arrival to its last's */
};

/* In tcp_flags, beside its 12 bits: the transport header that ip_proto names is not there: a later
 * fragment, or too few octets.  Matches on fields of transport headers ask that it is 0. */
enum { TP_MISSING = 0x8000 };

/* What parsing writes, or zeroes. */
#define DU_KEY_PARSED offsetof(struct du_key, agg_fragments)

/* All but the Ethernet addresses of what headers say: it lies behind something else now. */
static inline void key_forget_network(struct du_key *k)
{
	k->eth_type = 0;
	k->ip_proto = k->ip_frag = 0;
	k->mpls_label = 0;
	k->vlan_vid = 0;
	k->mpls_tc = k->mpls_bos = 0;
	memset(&k->ipv6_flabel, 0, DU_KEY_PARSED - offsetof(struct du_key, ipv6_flabel));
}

enum ip_frag { IP_FRAG_NONE = 0, IP_FRAG_ANY = 1, IP_FRAG_LATER = 2 };

enum disagreement {
	DISAGREE_DSCP = 1 << 0,   /* outer and inner DSCP differ */
	DISAGREE_FAMILY = 1 << 1, /* outer and inner IP version differ */
	DISAGREE_SOURCE = 1 << 2, /* inner source outside the connection's allow= */
};

enum outer_has {
	HAS_VLAN = 1 << 0,
	HAS_QINQ = 1 << 1,
	HAS_MPLS = 1 << 2,
	HAS_IPV4 = 1 << 3,
	HAS_IPV6 = 1 << 4,
	HAS_UDP = 1 << 5,
	HAS_CONN = 1 << 6, /* it belongs to a connection: conn_id, tunnel_id */
	HAS_ESP = 1 << 7,
	HAS_AGG = 1 << 8,    /* an AGGFRAG payload, after its ICV */
	HAS_AGG_CC = 1 << 9, /* sub-type 1 */
	HAS_ETH = 1 << 10,
};

struct outer_key {
	be32 has;     /* enum outer_has */
	be32 in_port; /* where the frame arrived */
	be32 frame_len;
	be16 queue;
	be16 reserved16;
	uint8_t eth_dst[6];
	be16 vlan_vid; /* OFPVID_PRESENT | VID of the first tag */
	uint8_t eth_src[6];
	be16 qinq_vid; /* of the second tag */
	uint8_t vlan_pcp, mpls_tc, ip_version, ip_dscp, ip_ecn, ip_ttl, ip_df, auth;
	be32 mpls_label; /* the top of the stack */
	be32 ipv6_flabel;
	be32 ipv4_src, ipv4_dst;
	uint8_t ipv6_src[16], ipv6_dst[16];
	be16 udp_src, udp_dst;
	be32 conn_id;
	be64 tunnel_id; /* SPI, VNI, key, label, TEID: what the format carries */
	be64 esp_seq;   /* all 64 bits, after the ICV */
	be32 esp_spi;
	be32 esp_gap;    /* sequence numbers missing just before this one */
	be32 esp_late;   /* how far behind the highest seen */
	be16 agg_offset; /* BlockOffset */
	uint8_t agg_subtype, agg_flags;
	be32 agg_loss_event_rate;
	be32 agg_rtt_us;
	be16 agg_dus, agg_pad; /* blocks that begin here; pad octets */
	be32 agg_len;          /* octets of the outer IP packet, its header included */
};

enum outer_auth { AUTH_NONE = 0, AUTH_VERIFIED = 1 };

enum {
	DU_WORDS = sizeof(struct du_key) / 8,
	OUTER_WORDS = sizeof(struct outer_key) / 8,
	OUTER_WORD = 32, /* the number of the outer part's first word */
	KEY_WORDS = 64,
};

_Static_assert(sizeof(struct du_key) % 8 == 0 && DU_WORDS <= OUTER_WORD, "du_key is words");
_Static_assert(sizeof(struct outer_key) % 8 == 0 && OUTER_WORDS <= KEY_WORDS - OUTER_WORD,
	       "outer_key is words");

/* Both parts at their word numbers: the shape of a match's value and of its mask. */
struct key {
	union {
		struct du_key du;
		uint64_t du_word[OUTER_WORD];
	};
	union {
		struct outer_key outer;
		uint64_t outer_word[KEY_WORDS - OUTER_WORD];
	};
};

/* What a lookup reads from: word i is part[i / OUTER_WORD][i % OUTER_WORD]. */
struct key_view {
	const uint64_t *part[2];
};

static inline struct key_view key_view_of(const struct du_key *du, const struct outer_key *outer)
{
	return (struct key_view){{(const uint64_t *)du, (const uint64_t *)outer}};
}

static inline uint64_t key_word(const struct key_view *v, unsigned i)
{
	return v->part[i / OUTER_WORD][i % OUTER_WORD];
}

enum { CONN_NONE = -1u };

/* The collected record of one received frame: the part that rules match, and what they don't. */
struct outer {
	struct outer_key key;
	uint64_t rx_ns;     /* when it arrived, on the worker's clock */
	uint32_t conn, gen; /* the connection that claims it (conn.h), or CONN_NONE */
	uint8_t early_done; /* the early verdict was given (it is given once) */
	/* Where its octets begin in its frame, and how many are headers that were understood; 0:
	 * not known.  Set before anything is taken out of it (decap.c). */
	uint16_t off, headers;
};

#endif
