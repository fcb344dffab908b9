/* SPDX-License-Identifier: Apache-2.0 */
/* The outer stage: what a frame says before anything is taken out of it.
 *
 * Every frame's record gets its Ethernet and VLAN part; one that a connection claims also gets its
 * outer IP and UDP part.  What a format itself says (SPI, sequence, AGGFRAG) is added by the
 * format when it knows it to be true. */
#include "datapath/spine.h"
#include "lib/openflow.h"

#include <linux/if_ether.h>

/* Addresses and tag lie in a frame's key as they do in a record; behind them it has MPLS. */
enum {
	LINK_DU = offsetof(struct du_key, eth_dst),
	LINK_OUTER = offsetof(struct outer_key, eth_dst),
	LINK_OCTETS = 16,
};
_Static_assert(offsetof(struct du_key, vlan_vid) - LINK_DU ==
			       offsetof(struct outer_key, vlan_vid) - LINK_OUTER &&
		       offsetof(struct du_key, eth_src) - LINK_DU ==
			       offsetof(struct outer_key, eth_src) - LINK_OUTER &&
		       offsetof(struct outer_key, qinq_vid) - LINK_OUTER == LINK_OCTETS - 2 &&
		       offsetof(struct du_key, mpls_tc) - LINK_DU == LINK_OCTETS - 2,
	       "one copy takes them");

static ALWAYS_INLINE void collect_link(const struct pkt *p, struct outer_key *o)
{
	uint32_t has = HAS_ETH;

	memcpy((uint8_t *)o + LINK_OUTER, (const uint8_t *)&p->key + LINK_DU, LINK_OCTETS);
	o->qinq_vid = 0;
	if (unlikely(p->key.vlan_vid)) {
		has |= HAS_VLAN;
		o->vlan_pcp = p->key.vlan_pcp;
		/* parse.c has seen that a second tag, if its type says so, is whole. */
		if (get_be16(p->data + 16) == ETH_P_8021Q && p->seg[0].len >= 22) {
			has |= HAS_QINQ;
			o->qinq_vid = htobe16(OFPVID_PRESENT | (get_be16(p->data + 18) & 0xfff));
		}
	}
	if (unlikely(p->key.eth_type == htobe16(ETH_P_MPLS_UC)) && p->l3) {
		has |= HAS_MPLS;
		o->mpls_label = p->key.mpls_label;
		o->mpls_tc = p->key.mpls_tc;
	}
	o->has |= htobe32(has);
}

static void collect_network(const struct pkt *p, struct outer_key *o)
{
	const uint8_t *ip = p->data + p->l3;
	uint32_t has;

	o->ip_dscp = p->key.ip_dscp;
	o->ip_ecn = p->key.ip_ecn;
	o->ip_ttl = p->key.ip_ttl;
	if (p->key.eth_type == htobe16(ETH_P_IP)) {
		has = HAS_IPV4;
		o->ip_version = 4;
		o->ip_df = ip[6] >> 6 & 1;
		memcpy(&o->ipv4_src, p->key.ip_src, 4);
		memcpy(&o->ipv4_dst, p->key.ip_dst, 4);
		o->agg_len = htobe32(get_be16(ip + 2));
	} else {
		has = HAS_IPV6;
		o->ip_version = 6;
		o->ipv6_flabel = p->key.ipv6_flabel;
		memcpy(o->ipv6_src, p->key.ip_src, 16);
		memcpy(o->ipv6_dst, p->key.ip_dst, 16);
		o->agg_len = htobe32(40u + get_be16(ip + 4));
	}
	if (p->l4 && p->key.ip_proto == 17) {
		has |= HAS_UDP;
		o->udp_src = p->key.tp_src;
		o->udp_dst = p->key.tp_dst;
	}
	o->has |= htobe32(has);
}

/* Whose packet is it: the connection's by address and identifier (*c), nobody's (a plain frame), or
 * one that ends here: false. */
static bool find_claimant(struct worker *w, struct pkt *p, struct conn_id *id, struct conn **c)
{
	struct conn *end;

	*c = NULL;
	if (p->key.eth_type == htobe16(ETH_P_IP))
		id->local = (struct ip){.family = 4};
	else if (p->key.eth_type == htobe16(ETH_P_IPV6))
		id->local = (struct ip){.family = 6};
	else
		return true;
	memcpy(id->local.octet, p->key.ip_dst, 16);
	id->proto = p->key.ip_proto;
	id->udp_dst = 0;
	id->id = 0;
	if (conn_identify(p, id)) {
		*c = conn_find(w->dp, id);
		if (*c && (*c)->bound_port != PORT_NONE && (*c)->bound_port != p->in_port)
			*c = NULL;
		end = *c;
	} else {
		end = conn_end_find(w->dp, id);
	}
	if (unlikely(end && p->key.ip_frag)) {
		drop(w, p, DROP_OUTER_FRAGMENT);
		return false;
	}
	if (unlikely(end && !*c && end->class->keepalive && end->class->keepalive(p))) {
		consume(w, p, CONSUME_KEEPALIVE);
		return false;
	}
	return true;
}

static void collect_conn(struct worker *w, struct pkt *p, struct conn *c, const struct conn_id *id)
{
	struct outer *o = p->outer;

	collect_network(p, &o->key);
	o->conn = c->port.id;
	o->gen = c->port.gen;
	o->key.has |= htobe32(HAS_CONN);
	o->key.conn_id = htobe32(c->port.ofport);
	o->key.tunnel_id = htobe64(be32toh(id->id));
	if (c->class->collect)
		c->class->collect(p, &o->key);
	trace(w, p, CONN, o->conn, be32toh(id->id));
}

void stage_collect(struct worker *w, struct batch *b)
{
	bool conns = rmap_count(&w->dp->conns);
	struct pkt *p;
	unsigned n = 0;

	b->claimed = false;
	BATCH_FOR_EACH (p, b) {
		struct conn_id id;
		struct conn *c;

		if (!(p->flags & PKT_VIRTUAL_ETH))
			collect_link(p, &p->outer->key);
		if (conns && p->l3) {
			if (!find_claimant(w, p, &id, &c))
				continue;
			if (c)
				collect_conn(w, p, c, &id);
			b->claimed |= !!c;
		}
		b->pkt[n++] = p;
	}
	b->n = n;
}
