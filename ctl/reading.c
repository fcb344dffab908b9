/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/reading.h"

#include <stdlib.h>

#include "datapath/worker.h"

struct readings {
	struct reading last;
	struct reading_waiter *waiting;
	struct event *timer; /* NULL: nobody has waited yet */
};

/* Ports come and go: their sums may shrink. */
static uint64_t received_bytes(struct datapath *dp)
{
	uint64_t sum = 0;

	for (uint32_t id = 0; id < PORT_MAX; id++) {
		struct port *p = port_get(dp, id);
		struct port_counters n;

		if (!p || p->flags & (PORT_INTERNAL | PORT_CONN))
			continue;
		datapath_port_counters(dp, id, &n);
		sum += n.rx_bytes;
	}
	return sum;
}

static void take(struct daemon *d, struct reading *r)
{
	struct datapath *dp = ofproto_datapath(d->ofproto);

	*r = (struct reading){.ns = ofproto_now(d->ofproto), .rx_bytes = received_bytes(dp)};
	for (unsigned i = 0; i < dp->n_workers; i++) {
		const struct worker *w = dp->worker[i];

		r->rx += counter_read(&w->n.rx);
		r->tx += counter_read(&w->n.tx);
		r->missed += __atomic_load_n(&w->sampler.missed, __ATOMIC_RELAXED);
		for (unsigned k = 0; k < N_DROPS; k++)
			r->dropped[k] += counter_read(&w->n.dropped[k]);
	}
}

static void tell_all(struct daemon *d)
{
	struct readings *all = d->readings;
	struct reading before = all->last, now;

	take(d, &now);
	for (struct reading_waiter *w = all->waiting, *next; w; w = next) {
		next = w->next;
		w->done(w, &before, &now);
	}
	all->waiting = NULL;
	if (now.ns - before.ns >= NSEC_PER_SEC) /* so that the next one need not wait */
		all->last = now;
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	tell_all(arg);
}

static void tell_later(struct daemon *d, uint64_t ns)
{
	const struct timeval wait = {0, (suseconds_t)(ns / NSEC_PER_USEC + 1)};

	if (!d->readings->timer)
		d->readings->timer = evtimer_new(d->base, on_timer, d);
	if (!d->readings->timer || evtimer_add(d->readings->timer, &wait))
		abort();
}

void readings_wait(struct daemon *d, struct reading_waiter *w)
{
	uint64_t now = ofproto_now(d->ofproto), age;
	bool waited;

	if (!d->readings)
		d->readings = calloc(1, sizeof *d->readings);
	if (!d->readings)
		abort();
	waited = d->readings->waiting;
	if (!waited && (!d->readings->last.ns || now - d->readings->last.ns > READING_OLD_NS))
		take(d, &d->readings->last);
	age = now - MIN(now, d->readings->last.ns);
	w->next = d->readings->waiting;
	d->readings->waiting = w;
	if (age >= READING_APART_NS || !d->base)
		tell_all(d);
	else if (!waited)
		tell_later(d, READING_APART_NS - age);
}

void readings_free(struct daemon *d)
{
	if (!d->readings)
		return;
	tell_all(d);
	if (d->readings->timer)
		event_free(d->readings->timer);
	free(d->readings);
	d->readings = NULL;
}

double reading_rate(const struct reading *before, const struct reading *now, uint64_t was,
		    uint64_t is)
{
	double s = (double)(now->ns - before->ns) / (double)NSEC_PER_SEC;

	return s > 0 && is > was ? (double)(is - was) / s : 0;
}
