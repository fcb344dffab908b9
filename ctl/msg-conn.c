/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and what they counted (lib/openflow-ext.h). */
#include "ctl/msg.h"
#include "datapath/conn.h"
#include "datapath/datapath.h"

struct readings {
	struct report report;
	struct buf *b;
};

static void put_number(struct report *r, const char *key, uint64_t value)
{
	struct buf *b = container_of(r, struct readings, report)->b;

	ext_put_name(b, key, sizeof((struct sluice_reading *)0)->name);
	buf_u64(b, value);
}

static void put_string(struct report *r, const char *key, const char *value)
{
	(void)r, (void)key, (void)value; /* words are for people */
}

static void put_counters(struct buf *b, const struct port_counters *n)
{
	buf_u64(b, n->rx_packets);
	buf_u64(b, n->rx_bytes);
	buf_u64(b, n->tx_packets);
	buf_u64(b, n->tx_bytes);
	buf_u64(b, n->rx_dropped);
	buf_u64(b, n->tx_dropped);
	buf_u64(b, n->rx_errors);
	buf_u64(b, n->tx_errors);
	buf_u64(b, n->n_early);
	buf_u64(b, n->early_bytes);
}

static void list_conn(struct ext_list *list, const struct datapath *dp, const struct conn *c)
{
	struct buf *b = ext_entry_begin(list);
	struct readings readings = {{put_number, put_string}, b};
	struct port_counters n;

	datapath_port_counters(dp, c->port.id, &n);
	buf_u8(b, c->port.up);
	buf_u8(b, c->local.family);
	buf_u32(b, c->port.ofport);
	buf_u32(b, c->has_in ? be32toh(c->in_id.id) : 0);
	buf_u32(b, 0);
	buf_octets(b, c->local.octet, sizeof c->local.octet);
	buf_octets(b, c->remote.octet, sizeof c->remote.octet);
	put_counters(b, &n);
	ext_put_name(b, c->port.name, sizeof((struct sluice_conn *)0)->name);
	ext_put_name(b, c->class->name, sizeof((struct sluice_conn *)0)->type);
	if (c->class->status)
		c->class->status(c, &readings.report);
	ext_entry_end(list);
}

int exp_multipart_conns(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct ext_list *list = ext_list_begin(m, SLUICE_MP_CONNS);
	const struct port *p;

	for (uint32_t at = 0; (p = of_next_port(c->server, &at));)
		if (p->flags & PORT_CONN)
			list_conn(list, ofproto_datapath(c->server->ofproto),
				  container_of(p, struct conn, port));
	return ext_list_send(c, list, r);
}
