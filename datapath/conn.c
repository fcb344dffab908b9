/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/conn.h"

#include <linux/if_ether.h>

#include "datapath/spine.h"
#include "lib/hash.h"

#define ENCAP(OBJECT) extern const struct encap_class OBJECT;
#include "datapath/encaps.def"
#undef ENCAP

static const struct encap_class *const classes[] = {
#define ENCAP(OBJECT) &OBJECT,
#include "datapath/encaps.def"
#undef ENCAP
};

const struct encap_class *encap_class_by_name(const char *type)
{
	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		if (!strcmp(classes[i]->name, type))
			return classes[i];
	return NULL;
}

bool conn_identify(const struct pkt *p, struct conn_id *id)
{
	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i]->identify(p, id))
			return true;
	return false;
}

/* ---- Finding ------------------------------------------------------------------------------ */

uint32_t conn_id_hash(const struct conn_id *id)
{
	uint64_t word[2], h = hash_seed;

	memcpy(word, id->local.octet, sizeof word);
	h = hash_add(h, word[0]);
	h = hash_add(h, word[1]);
	h = hash_add(h, (uint64_t)id->id << 32 | (uint32_t)id->udp_dst << 16 |
				(uint32_t)id->proto << 8 | id->local.family);
	return hash_finish(h);
}

bool conn_end_equal(const struct conn_id *a, const struct conn_id *b)
{
	return a->proto == b->proto && a->udp_dst == b->udp_dst && ip_equal(&a->local, &b->local);
}

struct conn *conn_find(const struct datapath *dp, const struct conn_id *id)
{
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &dp->conns, conn_id_hash(id)) {
		struct conn *c = container_of(n, struct conn, node);

		if (c->in_id.id == id->id && conn_end_equal(&c->in_id, id))
			return c;
	}
	return NULL;
}

struct conn *conn_end_find(const struct datapath *dp, const struct conn_id *id)
{
	struct conn_id end = *id;
	struct rmap_node *n;

	end.id = 0;
	RMAP_FOR_EACH (n, &dp->conn_ends, conn_id_hash(&end)) {
		struct conn *c = container_of(n, struct conn, end_node);

		if (conn_end_equal(&c->in_id, id))
			return c;
	}
	return NULL;
}

struct conn *conn_get(const struct datapath *dp, uint32_t port_id, uint32_t gen)
{
	struct port *port = port_get(dp, port_id);

	if (!port || !(port->flags & PORT_CONN) || port->gen != gen)
		return NULL;
	return container_of(port, struct conn, port);
}

/* ---- What every format's pop() and push() end in ------------------------------------------- */

static bool source_allowed(const struct conn *c, const struct ip *source)
{
	for (unsigned i = 0; i < c->n_allow; i++)
		if (ip_in_prefix(source, &c->allow[i]))
			return true;
	return !c->allow;
}

/* How the DU's own header differs from what carried it (enum disagreement). */
static uint16_t disagreement(const struct conn *c, const struct pkt *du)
{
	const struct outer_key *o = &du->outer->key;
	const uint8_t *ip = du->data + ETH_HLEN_;
	size_t have = du->seg[0].len - ETH_HLEN_;
	uint16_t type = get_be16(du->data + 12), bits = 0;
	struct ip source;
	uint8_t dscp;

	if (type == ETH_P_IP && have >= 20) {
		source = (struct ip){.family = 4};
		memcpy(source.octet, ip + 12, 4);
		dscp = ip[1] >> 2;
	} else if (type == ETH_P_IPV6 && have >= 40) {
		source = ip_v6(ip + 8);
		dscp = (get_be16(ip) >> 6) & 0x3f;
	} else {
		return 0;
	}
	if (dscp != o->ip_dscp)
		bits |= DISAGREE_DSCP;
	if (source.family != o->ip_version)
		bits |= DISAGREE_FAMILY;
	if (!source_allowed(c, &source))
		bits |= DISAGREE_SOURCE;
	return bits;
}

void conn_du(struct worker *w, struct conn *c, struct pkt *du, uint32_t agg_frame,
	     struct batch *out)
{
	struct port_counters *n = &w->port[c->port.id];
	uint16_t bits;

	frame_ref(&w->frames, agg_frame);
	du->outer_frame = agg_frame;
	du->outer = &w->frames.umem->outer[agg_frame];
	du->in_port = c->port.id;
	du->flags |= PKT_DECAPPED;
	counter_add(&w->n.made[MADE_DECAP], 1);
	counter_add(&n->rx_packets, 1);
	counter_add(&n->rx_bytes, pkt_octets(du));
	trace(w, du, DU, pkt_octets(du), be16toh(du->key.agg_fragments));
	bits = disagreement(c, du);
	du->key.disagree = htobe16(bits);
	if (unlikely(bits & DISAGREE_SOURCE) && !c->allow_mark) {
		drop(w, du, DROP_SOURCE_NOT_ALLOWED);
		return;
	}
	out->pkt[out->n++] = du;
}

void conn_transmit(struct worker *w, struct conn *c, struct pkt *p)
{
	int reason;

	pkt_outer_begin(p, w->now);
	p->in_port = c->port.id;
	p->flags |= PKT_COUNTED; /* what is in it was */
	counter_add(&w->n.made[MADE_GENERATED], 1);
	reason = pkt_parse(w, p);
	if (unlikely(reason >= 0))
		drop(w, p, (enum drop_reason)reason);
	else
		fib_forward(w, p);
}
