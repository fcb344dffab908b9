/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/port-copy.h"

/* Appends `n` octets in frames of their own; false when frames or segments are out. */
static bool append_copy(struct worker *w, struct pkt *p, const uint8_t *octet, uint32_t n)
{
	while (n) {
		uint16_t part = (uint16_t)MIN(n, (uint32_t)FRAME_SIZE);
		uint32_t f = frame_alloc(&w->frames);

		if (f == FRAME_NONE)
			return false;
		memcpy(frame_base(w->frames.umem, f), octet, part);
		if (pkt_append(p, (struct seg){f, 0, part})) {
			frame_unref(&w->frames, f);
			return false;
		}
		octet += part;
		n -= part;
	}
	return true;
}

/* The first segment: a virtual Ethernet header where the port has none, and what fits. */
static uint32_t fill_first(const struct port *port, struct pkt *p, const uint8_t *octet, uint32_t n)
{
	uint32_t eth = port->flags & PORT_L3 ? ETH_HLEN_ : 0;
	uint32_t part = MIN(n, FRAME_SIZE - FRAME_HEADROOM - eth);

	if (eth) {
		memset(p->data, 0, ETH_HLEN_);
		put_be16(p->data + 12, n && octet[0] >> 4 == 6 ? 0x86dd : 0x0800);
		p->flags |= PKT_VIRTUAL_ETH;
	}
	memcpy(p->data + eth, octet, part);
	p->seg[0].len = (uint16_t)(eth + part);
	p->len = eth + part;
	return part;
}

void port_receive(struct worker *w, struct queue *q, struct batch *b, struct wire_octets o)
{
	struct pkt *p = o.size <= PORT_OCTETS_MAX ? pkt_new(w, FRAME_HEADROOM) : NULL;
	uint32_t first;

	if (!p) {
		counter_add(&w->port[q->port->id].rx_dropped, 1);
		return;
	}
	first = fill_first(q->port, p, o.octet, o.size);
	if (!append_copy(w, p, o.octet + first, o.size - first)) {
		pkt_free(w, p);
		counter_add(&w->port[q->port->id].rx_dropped, 1);
		return;
	}
	pkt_received(w, q, p);
	if (o.wire_len > o.size)
		drop(w, p, DROP_RX_TRUNCATED);
	else if (q->port->flags & PORT_L3 &&
		 (!o.size || (o.octet[0] >> 4 != 4 && o.octet[0] >> 4 != 6)))
		drop(w, p, DROP_NOT_IP);
	else
		b->pkt[b->n++] = p;
}

/* What does not go to the wire of a layer-3 port: its Ethernet header.  -1: not an IP packet. */
static int32_t unsent(const struct port *port, const struct pkt *p)
{
	uint16_t type = p->seg[0].len >= ETH_HLEN_ ? get_be16(p->data + 12) : 0;

	if (!(port->flags & PORT_L3))
		return 0;
	return type == 0x0800 || type == 0x86dd ? ETH_HLEN_ : -1;
}

uint32_t port_copy_out(struct worker *w, const struct queue *q, struct pkt *p, uint8_t *to)
{
	int32_t skip = unsent(q->port, p);
	uint32_t size;

	if (skip < 0) {
		drop(w, p, DROP_NOT_IP);
		return 0;
	}
	size = p->len - (uint32_t)skip;
	if (size > PORT_OCTETS_MAX) {
		drop(w, p, DROP_TX_LONG);
		return 0;
	}
	pkt_copy_out(w, p, (uint32_t)skip, size, to);
	return size;
}
