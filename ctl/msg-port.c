/* SPDX-License-Identifier: Apache-2.0 */
/* Ports (TS-023, 7.2.1, 7.3.4.3, 7.3.5.6, 7.3.5.7): ports and connections look alike. */
#include <stdlib.h>

#include "ctl/msg.h"

const struct port *of_next_port(struct ofserver *s, uint32_t *ofport)
{
	const struct datapath *dp = ofproto_datapath(s->ofproto);

	while (*ofport < PORT_MAX - 1) {
		const struct port *port = port_by_ofport(dp, ++*ofport);

		if (port && !(port->flags & PORT_INTERNAL))
			return port;
	}
	if (*ofport == OFPP_LOCAL)
		return NULL;
	*ofport = OFPP_LOCAL;
	return port_by_ofport(dp, OFPP_LOCAL);
}

void of_put_port(struct buf *b, const struct port *port)
{
	char name[OFP_MAX_PORT_NAME_LEN] = {0};

	memcpy(name, port->name, strnlen(port->name, sizeof name - 1));
	buf_u32(b, port->ofport);
	buf_u32(b, 0);
	buf_octets(b, port->mac, sizeof port->mac);
	buf_u16(b, 0);
	buf_octets(b, name, sizeof name);
	buf_u32(b, port->config);
	buf_u32(b, !port->up ? OFPPS_LINK_DOWN : port->config & OFPPC_PORT_DOWN ? 0 : OFPPS_LIVE);
	buf_put(b, 6 * 4); /* features and speeds: not known */
}

static void put_port_stats(struct buf *b, struct ofserver *s, const struct port *port)
{
	struct port_counters n;

	datapath_port_counters(ofproto_datapath(s->ofproto), port->id, &n);
	buf_u32(b, port->ofport);
	buf_u32(b, 0);
	buf_u64(b, n.rx_packets);
	buf_u64(b, n.tx_packets);
	buf_u64(b, n.rx_bytes);
	buf_u64(b, n.tx_bytes);
	buf_u64(b, n.rx_dropped);
	buf_u64(b, n.tx_dropped);
	buf_u64(b, n.rx_errors);
	buf_u64(b, n.tx_errors);
	for (unsigned i = 0; i < 4;
	     i++) /* frame, overrun and CRC errors, collisions: not counted */
		buf_u64(b, UINT64_MAX);
	buf_u32(b, UINT32_MAX); /* duration: not known */
	buf_u32(b, UINT32_MAX);
}

/* All ports, one entry each. */
struct port_dump {
	struct ofreply reply;
	uint32_t ofport;
};

static bool port_stats_next(struct ofconn *c, struct ofreply *reply, struct buf *page)
{
	struct port_dump *dump = container_of(reply, struct port_dump, reply);
	const struct port *port = of_next_port(c->server, &dump->ofport);

	if (port)
		put_port_stats(page, c->server, port);
	return port != NULL;
}

static bool port_desc_next(struct ofconn *c, struct ofreply *reply, struct buf *page)
{
	struct port_dump *dump = container_of(reply, struct port_dump, reply);
	const struct port *port = of_next_port(c->server, &dump->ofport);

	if (port)
		of_put_port(page, port);
	return port != NULL;
}

static void port_dump_end(struct ofconn *c, struct ofreply *reply)
{
	(void)c;
	free(container_of(reply, struct port_dump, reply));
}

static int port_dump(struct ofconn *c, const struct ofmsg *m, uint16_t type)
{
	struct port_dump *dump = calloc(1, sizeof *dump);

	if (!dump)
		abort();
	dump->reply.type = type;
	dump->reply.xid = m->xid;
	dump->reply.next = type == OFPMP_PORT_DESC ? port_desc_next : port_stats_next;
	dump->reply.end = port_dump_end;
	ofconn_reply(c, &dump->reply);
	return 0;
}

int multipart_port_desc(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	(void)r;
	return port_dump(c, m, OFPMP_PORT_DESC);
}

/* One port as OpenFlow has it, or NULL. */
static const struct port *port_of(struct ofconn *c, uint32_t ofport)
{
	const struct port *port = port_by_ofport(ofproto_datapath(c->server->ofproto), ofport);

	return port && !(port->flags & PORT_INTERNAL) ? port : NULL;
}

int multipart_port_stats(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint32_t ofport = pull_u32(&m->body);
	const struct port *port;
	struct buf b;

	if (ofport == OFPP_ANY)
		return port_dump(c, m, OFPMP_PORT_STATS);
	port = port_of(c, ofport);
	if (!port)
		return refuse(r, BAD_PORT, "port_no", "port %u does not exist", ofport);
	of_begin_multipart(&b, OFPMP_PORT_STATS, m->xid);
	put_port_stats(&b, c->server, port);
	ofconn_send(c, &b);
	return 0;
}

int msg_port_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct port_mod pm = {.ofport = pull_u32(&m->body)};
	const struct port *port = port_of(c, pm.ofport);
	const uint8_t *hw_addr;
	uint32_t advertise;
	struct waiter *w;

	pull(&m->body, 4);
	hw_addr = pull(&m->body, 6);
	pull(&m->body, 2);
	pm.config = pull_u32(&m->body);
	pm.mask = pull_u32(&m->body);
	advertise = pull_u32(&m->body);
	if (!port)
		return refuse(r, PORT_MOD_PORT, "port_no", "port %u does not exist", pm.ofport);
	if (!hw_addr || memcmp(hw_addr, port->mac, sizeof port->mac))
		return refuse(r, PORT_MOD_ADDRESS, "hw_addr", "this is not the address of port %u",
			      pm.ofport);
	if (advertise)
		return refuse(r, PORT_MOD_ADVERTISE, "advertise",
			      "port %u advertises what its interface does; 0 leaves it so",
			      pm.ofport);
	if (m->part == OFMSG_CHECKED)
		return 0;
	w = of_waiter(c, m, NULL);
	return of_waits(w, ofproto_port_mod(c->server->ofproto, &pm, w, r));
}

/* ---- Queues: there are none (TS-023, 7.3.5.8 and 7.3.6) --------------------------------- */

static int check_queue_port(struct ofconn *c, uint32_t ofport, struct refusal *r)
{
	if (ofport != OFPP_ANY && !port_of(c, ofport))
		return refuse(r, QUEUE_PORT, "port", "port %u does not exist", ofport);
	return 0;
}

int multipart_queue(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint32_t ofport = pull_u32(&m->body), queue = pull_u32(&m->body);
	int error = check_queue_port(c, ofport, r);
	struct buf b;

	if (error)
		return error;
	if (queue != OFPQ_ALL)
		return refuse(r, BAD_QUEUE, "queue_id", "port %u has no queue %u", ofport, queue);
	of_begin_multipart(&b, OFPMP_QUEUE, m->xid);
	ofconn_send(c, &b);
	return 0;
}

int msg_queue_get_config_request(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint32_t ofport = pull_u32(&m->body);
	int error = check_queue_port(c, ofport, r);
	struct buf b;

	if (error)
		return error;
	of_begin(&b, OFPT_QUEUE_GET_CONFIG_REPLY, m->xid);
	buf_u32(&b, ofport);
	buf_u32(&b, 0);
	ofconn_send(c, &b);
	return 0;
}
