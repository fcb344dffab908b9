/* SPDX-License-Identifier: Apache-2.0 */
/* What the switch says unasked: packet-in, flow-removed, port-status (TS-023, 7.4), and who wants
 * to hear it (7.3.10). */
#include "ctl/msg.h"
#include "lib/hash.h"

void async_defaults(struct ofconn_async *a)
{
	const uint32_t ports = 1 << OFPPR_ADD | 1 << OFPPR_DELETE | 1 << OFPPR_MODIFY;

	*a = (struct ofconn_async){
		.packet_in = {1 << OFPR_NO_MATCH | 1 << OFPR_ACTION, 0},
		.port_status = {ports, ports},
		.flow_removed = {1 << OFPRR_IDLE_TIMEOUT | 1 << OFPRR_HARD_TIMEOUT |
					 1 << OFPRR_DELETE | 1 << OFPRR_GROUP_DELETE,
				 0},
	};
}

int msg_get_async_request(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	const struct ofconn_async *a = &ofconn_channel(c)->async;
	struct buf b;

	(void)r;
	of_begin(&b, OFPT_GET_ASYNC_REPLY, m->xid);
	for (unsigned i = 0; i < 2; i++)
		buf_u32(&b, a->packet_in[i]);
	for (unsigned i = 0; i < 2; i++)
		buf_u32(&b, a->port_status[i]);
	for (unsigned i = 0; i < 2; i++)
		buf_u32(&b, a->flow_removed[i]);
	ofconn_send(c, &b);
	return 0;
}

int msg_set_async(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct ofconn_async *a = &ofconn_channel(c)->async;

	(void)r;
	for (unsigned i = 0; i < 2; i++)
		a->packet_in[i] = pull_u32(&m->body);
	for (unsigned i = 0; i < 2; i++)
		a->port_status[i] = pull_u32(&m->body);
	for (unsigned i = 0; i < 2; i++)
		a->flow_removed[i] = pull_u32(&m->body);
	async_changed(c->server);
	return 0;
}

/* Asked of main connections: they stand for their channels. */
static bool wants(const struct ofconn *c, const uint32_t mask[2], uint8_t reason)
{
	if (c->origin == ORIGIN_REQUEST)
		return false;
	return c->state == OFCONN_READY && !c->main && !c->goodbye && reason < 32 &&
	       mask[c->role == OFPCR_ROLE_SLAVE] >> reason & 1;
}

/* Sending never ends a connection, so the list stands still. */
#define FOR_EACH_CONN(C, S) for (struct ofconn *C = (S)->conns; C; C = C->next)

/* Workers tell of invalid TTLs only what somebody hears: a flood of them is no flood of events. */
void async_changed(struct ofserver *s)
{
	bool wanted = false;

	FOR_EACH_CONN(c, s)
	wanted |= wants(c, c->async.packet_in, OFPR_INVALID_TTL);
	ofproto_tell_invalid_ttl(s->ofproto, wanted);
}

static void send_flow_removed(struct ofconn *c, const struct flow_removed *fr)
{
	const struct flow *f = fr->flow;
	struct buf b;

	of_begin(&b, OFPT_FLOW_REMOVED, 0);
	buf_u64(&b, f->cookie);
	buf_u16(&b, f->priority);
	buf_u8(&b, fr->reason);
	buf_u8(&b, f->table);
	of_put_duration(&b, fr->stats->duration_ns);
	buf_u16(&b, f->idle_timeout);
	buf_u16(&b, f->hard_timeout);
	buf_u64(&b, fr->stats->packets);
	buf_u64(&b, fr->stats->bytes);
	if (match_put_oxm(&f->match, &b, !c->extended))
		ofconn_send(c, &b);
	else
		buf_free(&b);
}

void async_flow_removed(struct ofserver *s, const struct flow_removed *fr)
{
	if (!(fr->flow->flags & OFPFF_SEND_FLOW_REM) || fr->flow->table >= OFPTT_MAX)
		return;
	FOR_EACH_CONN(c, s)
	{
		if (wants(c, c->async.flow_removed, fr->reason))
			send_flow_removed(c, fr);
	}
}

/* A field of a packet's key as packet-in says it: the pipeline's own and, to peers that know them,
 * the collected ones; in_port always, the others where they say something. */
static bool packet_in_says(const struct ofconn *c, const struct field *f, const struct key *key)
{
	static const uint8_t zero[16];
	const uint8_t *value = (const uint8_t *)key + f->off;

	switch ((enum field_id)(f - fields)) {
	case FIELD_IN_PORT:
		return true;
	case FIELD_IN_PHY_PORT:
		return key->du.in_phy_port && key->du.in_phy_port != key->du.in_port;
	case FIELD_METADATA:
	case FIELD_TUNNEL_ID:
	case FIELD_PKT_MARK:
	case FIELD_TUN_SRC:
	case FIELD_TUN_DST:
	case FIELD_TUN_IPV6_SRC:
	case FIELD_TUN_IPV6_DST:
	case FIELD_REG0 ... FIELD_REG7:
		return memcmp(value, zero, MIN((size_t)f->size, sizeof zero)) != 0;
	default:
		return f->oxm_class == OFPXMC_EXPERIMENTER && c->extended &&
		       (be32toh(key->outer.has) & f->has) == f->has;
	}
}

static void packet_in_match(const struct ofconn *c, const struct key *key, struct buf *b)
{
	size_t begin = b->size, size;

	buf_u16(b, OFPMT_OXM);
	buf_u16(b, 0);
	for (unsigned i = 0; i < N_FIELDS; i++) {
		if (packet_in_says(c, &fields[i], key))
			field_put_oxm(&fields[i], (const uint8_t *)key + fields[i].off, NULL, b);
	}
	size = b->size - begin;
	put_be16(b->data + begin + 2, (uint16_t)size);
	buf_octets(b, (const uint8_t[8]){0}, ROUND_UP(size, 8) - size);
}

/* How much of it `c` wants: what the rule says or, of what no rule sends, the connection
 * (TS-023, 7.3.2). */
static uint16_t max_len(const struct ofconn *c, const struct event_packet_in *pi)
{
	return pi->reason == OFPR_INVALID_TTL ? c->miss_send_len : pi->max_len;
}

/* What the packets of a flow have in common. */
static uint32_t hash_flow(const struct du_key *k)
{
	struct du_key flow = {.ip_proto = k->ip_proto, .tp_src = k->tp_src, .tp_dst = k->tp_dst};

	memcpy(flow.eth_src, k->eth_src, sizeof flow.eth_src);
	memcpy(flow.eth_dst, k->eth_dst, sizeof flow.eth_dst);
	memcpy(flow.ip_src, k->ip_src, sizeof flow.ip_src);
	memcpy(flow.ip_dst, k->ip_dst, sizeof flow.ip_dst);
	return hash_bytes(&flow, sizeof flow);
}

/* By an auxiliary connection where there are some, a flow's by one of them. */
static struct ofconn *way(struct ofconn *c, const struct du_key *k)
{
	struct ofconn *ready[OFCONN_AUX];
	unsigned n = 0;

	for (unsigned i = 0; i < OFCONN_AUX; i++)
		if (c->aux[i])
			ready[n++] = c->aux[i];
	return n ? ready[hash_flow(k) % n] : c;
}

/* What is in no buffer comes whole; of a part of a packet, as much as is wanted. */
static void send_packet_in(struct ofconn *c, const struct event_packet_in *pi, uint64_t cookie,
			   uint32_t buffer_id)
{
	bool whole = buffer_id == OFP_NO_BUFFER && pi->held == pi->total_len;
	size_t size = whole ? pi->held : MIN(pi->held, max_len(c, pi));
	struct buf b;

	of_begin(&b, OFPT_PACKET_IN, 0);
	buf_u32(&b, buffer_id);
	buf_u16(&b, (uint16_t)MIN(pi->total_len, (uint32_t)UINT16_MAX));
	buf_u8(&b, pi->reason);
	buf_u8(&b, pi->table);
	buf_u64(&b, cookie);
	packet_in_match(c, &pi->key, &b);
	buf_put(&b, 2);
	buf_octets(&b, pi->octet, MIN(size, UINT16_MAX - b.size));
	ofconn_send(way(c, &pi->key.du), &b);
}

/* What a controller may leave here is held, once for all of them; a part of a packet never is. */
static uint32_t hold(struct ofserver *s, const struct event_packet_in *pi)
{
	if (pi->held < pi->total_len)
		return OFP_NO_BUFFER;
	return packet_hold(&s->buffers, ofproto_now(s->ofproto), be32toh(pi->key.du.in_port),
			   pi->octet, pi->held);
}

void async_packet_in(struct ofserver *s, const struct event_packet_in *pi, const struct flow *flow)
{
	uint32_t buffer_id = OFP_NO_BUFFER;
	bool held = false;

	FOR_EACH_CONN(c, s)
	{
		bool all = max_len(c, pi) == OFPCML_NO_BUFFER;

		if (!wants(c, c->async.packet_in, pi->reason))
			continue;
		if (ofconn_output(way(c, &pi->key.du)) >= OFCONN_OUTPUT_REPLY) {
			s->n_packet_in_dropped++;
			continue;
		}
		if (!held && !all)
			buffer_id = hold(s, pi);
		held |= !all;
		send_packet_in(c, pi, flow ? flow->cookie : UINT64_MAX,
			       all ? OFP_NO_BUFFER : buffer_id);
	}
}

void async_port_status(struct ofserver *s, const struct port *port, uint8_t reason)
{
	if (port->flags & PORT_INTERNAL)
		return;
	FOR_EACH_CONN(c, s)
	{
		struct buf b;

		if (!wants(c, c->async.port_status, reason))
			continue;
		of_begin(&b, OFPT_PORT_STATUS, 0);
		buf_u8(&b, reason);
		buf_put(&b, 7);
		of_put_port(&b, port);
		ofconn_send(c, &b);
	}
}
