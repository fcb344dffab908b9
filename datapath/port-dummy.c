/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "datapath/port-copy.h"
#include "datapath/port-dummy.h"

struct dummy_queue {
	struct ring in, out;
};

struct dummy {
	unsigned taken; /* the queue whose output is being looked at */
	struct dummy_queue queue[];
};

static void dummy_close(struct port *port)
{
	struct dummy *d = port->priv;

	for (unsigned i = 0; i < port->n_queues; i++) {
		if (port->queue[i].fd >= 0)
			close(port->queue[i].fd);
		ring_destroy(&d->queue[i].in);
		ring_destroy(&d->queue[i].out);
	}
	free(d);
	port->priv = NULL;
}

static int open_queues(struct port *port, unsigned n, struct refusal *r)
{
	struct dummy *d = calloc(1, sizeof *d + n * sizeof d->queue[0]);
	bool ok = d && !port_queues(port, n);

	port->priv = d;
	for (unsigned i = 0; ok && i < n; i++) {
		port->queue[i].priv = &d->queue[i];
		port->queue[i].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ok = port->queue[i].fd >= 0 && !ring_init(&d->queue[i].in, DUMMY_RING) &&
		     !ring_init(&d->queue[i].out, DUMMY_RING);
	}
	if (ok)
		return 0;
	if (d)
		dummy_close(port);
	return refuse(r, SYSTEM, "queues", "no memory or file descriptors for %u queues", n);
}

static int dummy_open(struct port *port, struct options *o, struct refusal *r)
{
	static const char *const links[] = {"ethernet", "raw", NULL};
	const char *mac = option(o, "mac");
	uint64_t mtu = 0, queues = 1;
	unsigned link = 0;

	if (option_word(o, "link", links, &link, r) ||
	    option_u64(o, "mtu", (struct range){68, 65535}, &mtu, r) ||
	    option_u64(o, "queues", (struct range){1, DUMMY_QUEUES}, &queues, r))
		return -EINVAL;
	if (mac && !eth_parse(mac, port->mac))
		return refuse(r, BAD_VALUE, "mac",
			      "'%s' is no MAC address (like 02:00:00:00:00:01)", mac);
	if (link)
		port->flags |= PORT_L3;
	port->mtu = (uint32_t)mtu;
	port->up = true;
	return open_queues(port, (unsigned)queues, r);
}

static unsigned dummy_rx(struct worker *w, struct queue *q, struct batch *b)
{
	struct dummy_queue *d = q->priv;
	const void *record;
	unsigned n = 0;
	uint64_t rung;
	uint32_t size;

	if (ring_empty(&d->in))
		return 0;
	/* Before the ring is emptied: what is injected meanwhile is found by the next call. */
	(void)!read(q->fd, &rung, sizeof rung);
	while (b->n < BATCH_MAX && (record = ring_peek(&d->in, &size))) {
		const struct dummy_frame *f = record;

		port_receive(w, q, b, (struct wire_octets){f->octet, f->size, f->size});
		ring_release(&d->in);
		n++;
	}
	return n;
}

static void dummy_tx(struct worker *w, struct queue *q)
{
	struct dummy_queue *d = q->priv;
	struct pkt *p;

	BATCH_FOR_EACH (p, &q->out) {
		struct dummy_frame *f = ring_reserve(&d->out, (uint32_t)sizeof *f + p->len);

		if (!f) {
			counter_add(&w->port[q->port->id].tx_dropped, 1);
			drop(w, p, DROP_TX_FULL);
			continue;
		}
		f->ns = w->now;
		f->queue = q->index;
		f->size = port_copy_out(w, q, p, f->octet);
		if (!f->size)
			continue; /* the reservation is void */
		ring_submit(&d->out);
		pkt_sent(w, q, p, false);
	}
	q->out.n = 0;
}

int dummy_inject_queue(struct port *port, unsigned queue, const void *frame, size_t size)
{
	struct dummy_frame *f;
	struct dummy_queue *d;
	uint64_t one = 1;

	if (port->class != &port_dummy || queue >= port->n_queues)
		return -EINVAL;
	if (size > PORT_OCTETS_MAX)
		return -EMSGSIZE;
	d = port->queue[queue].priv;
	f = ring_reserve(&d->in, (uint32_t)(sizeof *f + size));
	if (!f)
		return -ENOBUFS;
	*f = (struct dummy_frame){.size = (uint32_t)size, .queue = (uint16_t)queue};
	memcpy(f->octet, frame, size);
	ring_submit(&d->in);
	return write(port->queue[queue].fd, &one, sizeof one) < 0 ? -errno : 0;
}

int dummy_inject(struct port *port, const void *frame, size_t size)
{
	return dummy_inject_queue(port, 0, frame, size);
}

const struct dummy_frame *dummy_take(struct port *port)
{
	struct dummy *d = port->priv;

	for (d->taken = 0; d->taken < port->n_queues; d->taken++) {
		uint32_t size;
		const void *f = ring_peek(&d->queue[d->taken].out, &size);

		if (f)
			return f;
	}
	return NULL;
}

void dummy_release(struct port *port)
{
	struct dummy *d = port->priv;

	ring_release(&d->queue[d->taken].out);
}

const struct port_class port_dummy = {
	.name = "dummy",
	.open = dummy_open,
	.close = dummy_close,
	.rx = dummy_rx,
	.tx = dummy_tx,
};
