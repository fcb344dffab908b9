/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/port.h"

#include <errno.h>
#include <stdlib.h>

#include "datapath/handoff.h"
#include "datapath/spine.h"
#include "datapath/worker.h"
#include "lib/openflow.h"

#define PORT_TYPE(OBJECT, HELP) extern const struct port_class OBJECT;
#include "datapath/ports.def"
#undef PORT_TYPE

static const struct port_class *const classes[] = {
#define PORT_TYPE(OBJECT, HELP) &OBJECT,
#include "datapath/ports.def"
#undef PORT_TYPE
};

const struct port_class *port_class_by_name(const char *type)
{
	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		if (!strcmp(classes[i]->name, type))
			return classes[i];
	return NULL;
}

int port_queues(struct port *port, unsigned n)
{
	port->queue = calloc(n, sizeof *port->queue);
	if (!port->queue)
		return -ENOMEM;
	port->n_queues = n;
	for (unsigned i = 0; i < n; i++) {
		port->queue[i].port = port;
		port->queue[i].index = (uint16_t)i;
		port->queue[i].fd = -1;
	}
	return 0;
}

void pkts_received(struct worker *w, struct queue *q, struct pkt *const pkt[], unsigned n)
{
	struct port_counters *count = &w->port[q->port->id];
	be32 ofport = htobe32(q->port->ofport);
	be16 index = htobe16(q->index);
	uint32_t id = q->port->id;
	uint64_t bytes = 0, now = w->now;

	for (unsigned i = 0; i < n; i++) {
		struct pkt *p = pkt[i];
		uint32_t octets = pkt_octets(p);
		struct outer *outer = pkt_outer_begin(p, now);

		outer->key.frame_len = htobe32(octets);
		outer->key.in_port = ofport;
		outer->key.queue = index;
		p->in_port = id;
		bytes += octets;
	}
	for (unsigned i = 0; unlikely(w->trace_left) && i < n; i++) {
		trace_begin(w, pkt[i]);
		trace(w, pkt[i], RX, id, pkt_octets(pkt[i]));
	}
	counter_add(&w->n.rx, n);
	counter_add(&count->rx_packets, n);
	counter_add(&count->rx_bytes, bytes);
}

void pkt_received(struct worker *w, struct queue *q, struct pkt *p)
{
	pkts_received(w, q, &p, 1);
}

void pkt_made(struct worker *w, struct pkt *p, uint32_t in_port, enum made_reason reason)
{
	const struct port *port = port_get(w->dp, in_port);

	pkt_outer_begin(p, w->now);
	p->outer->key.frame_len = htobe32(pkt_octets(p));
	p->outer->key.in_port = htobe32(port ? port->ofport : OFPP_CONTROLLER);
	p->in_port = in_port;
	p->flags |= PKT_COUNTED;
	counter_add(&w->n.made[reason], 1);
}

void pkt_injected(struct worker *w, struct pkt *p, uint32_t in_port)
{
	pkt_made(w, p, in_port, MADE_INJECTED);
	if (unlikely(w->trace_left))
		trace_begin(w, p);
	trace(w, p, RX, in_port, pkt_octets(p));
}

void pkt_sent(struct worker *w, struct queue *q, struct pkt *p, bool frames_taken)
{
	struct port_counters *n = &w->port[q->port->id];

	counter_add(&w->n.tx, 1);
	counter_add(&n->tx_packets, 1);
	counter_add(&n->tx_bytes, pkt_octets(p));
	if (unlikely(p->sample))
		sample_end(w, p, SAMPLE_SENT, 0);
	if (frames_taken)
		p->n_segs = 0;
	pkt_free(w, p);
}

static void enqueue(struct worker *w, struct queue *q, struct pkt *p)
{
	if (q->out.n == BATCH_MAX)
		q->port->class->tx(w, q);
	q->out.pkt[q->out.n++] = p;
	if (!q->dirty) {
		q->dirty = true;
		q->next_dirty = w->dirty;
		w->dirty = q;
	}
}

void port_output_queue(struct worker *w, struct pkt *p, struct queue *q)
{
	if (q->owner != w->id)
		handoff_send(w, q->owner, p,
			     (struct handoff_to){HANDOFF_TX, q->port->id, q->port->gen, q->index});
	else if (q->port->flags & PORT_CONN)
		container_of(q->port, struct conn, port)
			->class->push(w, container_of(q->port, struct conn, port), p);
	else
		enqueue(w, q, p);
}

void port_output(struct worker *w, struct pkt *p, struct port *port)
{
	struct queue *q = &port->queue[port->n_queues > 1 ? pkt_flow_hash(p) % port->n_queues : 0];

	trace(w, p, OUTPUT, port->id, pkt_octets(p));
	if (unlikely(p->sample))
		sample_output(w, p, port->ofport);
	if (unlikely(w->private_trace)) {
		consume(w, p, CONSUME_TRACED);
		return;
	}
	if (unlikely(!port->up)) {
		drop(w, p, DROP_PORT_DOWN);
		return;
	}
	if (port_forbids(port, OFPPC_PORT_DOWN | OFPPC_NO_FWD)) {
		drop(w, p, DROP_PORT_CONFIG);
		return;
	}
	if (!(port->flags & PORT_L3))
		p->flags &= (uint8_t)~PKT_VIRTUAL_ETH; /* from here on it is on a wire */
	port_output_queue(w, p, q);
}

void stage_tx(struct worker *w)
{
	/* Connections first: what they let go is for the outboxes. */
	for (unsigned i = 0; i < w->n_conn; i++)
		if (w->conn[i]->class->flush)
			w->conn[i]->class->flush(w, w->conn[i]);
	while (w->dirty) {
		struct queue *q = w->dirty;

		w->dirty = q->next_dirty;
		q->dirty = false;
		if (q->out.n)
			q->port->class->tx(w, q);
	}
}
