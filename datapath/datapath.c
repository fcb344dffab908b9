/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/datapath.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "datapath/handoff.h"
#include "datapath/worker.h"
#include "lib/hash.h"
#include "lib/openflow.h"

enum { FRAMES_PER_WORKER = 16384, FRAMES_OFFLINE = 4096 };

int datapath_init(struct datapath *dp, const struct datapath_config *config)
{
	uint32_t frames = config->n_frames;

	memset(dp, 0, sizeof *dp);
	dp->offline = config->offline;
	dp->n_workers = config->n_workers;
	dp->spin_ns = config->spin_us * NSEC_PER_USEC;
	dp->event_fd = -1;
	dp->panic_pass = &dp->calm;
	dp->sample_max = SAMPLE_MAX_PER_S;
	dp->reject_max = REJECT_MAX_PER_S;
	if (!dp->offline)
		hash_seed_random();
	if (!dp->n_workers || dp->n_workers > WORKER_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < PORT_MAX; i++)
		dp->ofport_id[i] = PORT_NONE;
	if (!frames)
		frames = dp->offline ? FRAMES_OFFLINE : FRAMES_PER_WORKER * dp->n_workers;
	rmap_init(&dp->conns);
	rmap_init(&dp->conn_ends);
	rmap_init(&dp->groups);
	rmap_init(&dp->by_ifindex);
	fib_init(&dp->fib);
	shapes_init(&dp->shapes);
	dp->early = early_create();
	dp->bucket = buckets_reserve(RULE_IDS);
	dp->reject = buckets_reserve(1);
	if (meters_init(dp) || !dp->bucket || !dp->reject || umem_create(&dp->umem, frames) ||
	    handoff_create(dp) ||
	    (!dp->offline && (dp->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)) {
		datapath_destroy(dp);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < dp->n_workers; i++) {
		struct worker *w = aligned_alloc(CACHE_LINE, ROUND_UP(sizeof *w, CACHE_LINE));

		if (!w || worker_init(w, dp, i)) {
			free(w);
			datapath_destroy(dp);
			return -ENOMEM;
		}
		dp->worker[i] = w;
	}
	return 0;
}

void datapath_destroy(struct datapath *dp)
{
	uint32_t at = 0;
	struct rmap_node *node;

	for (unsigned i = 0; i < WORKER_MAX; i++)
		if (dp->worker[i]) {
			worker_stop(dp->worker[i]);
			worker_destroy(dp->worker[i]);
			free(dp->worker[i]);
		}
	for (unsigned i = 0; i < N_TABLES; i++)
		if (dp->table[i])
			table_destroy(dp->table[i]);
	shapes_destroy(&dp->shapes);
	if (dp->early)
		early_destroy(dp->early);
	buckets_release(dp->bucket, RULE_IDS);
	meters_destroy(dp);
	buckets_release(dp->reject, 1);
	handoff_destroy(dp);
	fib_destroy(&dp->fib);
	while ((node = rmap_each(&dp->by_ifindex, &at))) {
		rmap_remove(&dp->by_ifindex, node);
		free(container_of(node, struct if_port, node));
	}
	rmap_destroy(&dp->by_ifindex);
	rmap_destroy(&dp->conns);
	rmap_destroy(&dp->conn_ends);
	rmap_destroy(&dp->groups);
	if (dp->event_fd >= 0)
		close(dp->event_fd);
	rcu_barrier();
	umem_destroy(&dp->umem);
}

struct table *datapath_table(struct datapath *dp, unsigned table)
{
	struct table *t = dp->table[table];

	if (!t) {
		t = table_create();
		table_share(t, &dp->shapes);
		rcu_set(dp->table[table], t);
	}
	return t;
}

const struct key_shape *tables_shape(const struct datapath *dp)
{
	return rcu_get(dp->shapes.published);
}

/* ---- Ports ------------------------------------------------------------------------------ */

struct port *port_by_ofport(const struct datapath *dp, uint32_t ofport)
{
	if (ofport == OFPP_LOCAL)
		return rcu_get(dp->local);
	return ofport < PORT_MAX
		       ? port_get(dp, __atomic_load_n(&dp->ofport_id[ofport], __ATOMIC_RELAXED))
		       : NULL;
}

struct port *port_by_ifindex(const struct datapath *dp, int ifindex)
{
	uint32_t hash = hash_finish(hash_add(hash_seed, (uint64_t)ifindex));
	struct rmap_node *n;

	if (ifindex < 0) /* no kernel: routes name ports by id */
		return port_get(dp, (uint32_t)(-1 - ifindex));
	RMAP_FOR_EACH (n, &dp->by_ifindex, hash) {
		struct if_port *i = container_of(n, struct if_port, node);

		if (i->ifindex == ifindex)
			return rcu_get(i->port);
	}
	return NULL;
}

int datapath_bind_ifindex(struct datapath *dp, int ifindex, struct port *port)
{
	struct if_port *i = calloc(1, sizeof *i);

	if (!i)
		return -ENOMEM;
	i->ifindex = ifindex;
	i->port = port;
	rmap_insert(&dp->by_ifindex, &i->node, hash_finish(hash_add(hash_seed, (uint64_t)ifindex)));
	return 0;
}

static void if_port_free(struct rcu_head *head)
{
	free(container_of(head, struct if_port, rcu));
}

static void unbind_port(struct datapath *dp, const struct port *port)
{
	struct rmap_node *node;
	uint32_t at = 0;

	while ((node = rmap_each(&dp->by_ifindex, &at))) {
		struct if_port *i = container_of(node, struct if_port, node);

		if (i->port != port)
			continue;
		rmap_remove(&dp->by_ifindex, node);
		rcu_defer(&i->rcu, if_port_free);
	}
}

static void worker_add_port(struct worker *w, void *arg)
{
	struct port *port = arg;

	w->port[port->id] = (struct port_counters){0};
	if (port->class->rx)
		for (unsigned i = 0; i < port->n_queues; i++)
			if (port->queue[i].owner == w->id)
				w->rxq[w->n_rxq++] = &port->queue[i];
}

/* The worker lets go of the port's queues; packets that wait in their outboxes are dropped. */
static void worker_del_port(struct worker *w, void *arg)
{
	const struct port *port = arg;
	struct queue **link = &w->dirty;
	unsigned n = 0;

	while (*link)
		if ((*link)->port == port)
			*link = (*link)->next_dirty;
		else
			link = &(*link)->next_dirty;
	for (unsigned i = 0; i < w->n_rxq; i++)
		if (w->rxq[i]->port != port)
			w->rxq[n++] = w->rxq[i];
	w->n_rxq = n;
	for (unsigned i = 0; i < port->n_queues; i++) {
		struct queue *q = &port->queue[i];

		if (q->owner != w->id)
			continue;
		for (unsigned k = 0; k < q->out.n; k++)
			drop(w, q->out.pkt[k], DROP_PORT_GONE);
		q->out.n = 0;
		q->dirty = false;
	}
}

/* A free id: the next generation of it. */
static int port_publish(struct datapath *dp, struct port *port)
{
	for (uint32_t id = 0; id < PORT_MAX; id++) {
		if (dp->port[id])
			continue;
		port->id = id;
		port->gen = ++dp->gen;
		port->dp = dp;
		for (unsigned i = 0; i < dp->n_workers; i++)
			worker_call(dp->worker[i], worker_add_port, port);
		rcu_set(dp->port[id], port);
		if (port->ofport < PORT_MAX && !(port->flags & PORT_INTERNAL))
			__atomic_store_n(&dp->ofport_id[port->ofport], id, __ATOMIC_RELAXED);
		return 0;
	}
	return -ENOSPC;
}

int datapath_add_port(struct datapath *dp, struct port *port)
{
	int error;

	for (unsigned i = 0; i < port->n_queues; i++)
		port->queue[i].owner = (uint16_t)(dp->next_owner++ % dp->n_workers);
	error = port_publish(dp, port);
	if (!error && port->ifindex > 0 && !(port->flags & PORT_INTERNAL))
		error = datapath_bind_ifindex(dp, port->ifindex, port);
	return error;
}

static void port_unpublish(struct datapath *dp, struct port *port)
{
	unbind_port(dp, port);
	if (port->ofport < PORT_MAX && dp->ofport_id[port->ofport] == port->id)
		__atomic_store_n(&dp->ofport_id[port->ofport], PORT_NONE, __ATOMIC_RELAXED);
	rcu_set(dp->port[port->id], NULL);
}

void datapath_del_port(struct datapath *dp, struct port *port)
{
	port_unpublish(dp, port);
	if (dp->local == port)
		rcu_set(dp->local, NULL);
	rcu_wait();
	for (unsigned i = 0; i < dp->n_workers; i++)
		worker_call(dp->worker[i], worker_del_port, port);
}

/* ---- Connections ------------------------------------------------------------------------- */

static void worker_add_conn(struct worker *w, void *arg)
{
	struct conn *c = arg;

	w->conn[w->n_conn++] = c;
	c->class->start(w, c);
}

static void worker_del_conn(struct worker *w, void *arg)
{
	struct conn *c = arg;
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_conn; i++)
		if (w->conn[i] != c)
			w->conn[n++] = w->conn[i];
	w->n_conn = n;
	c->class->stop(w, c);
}

/* One connection stands for all that have its end: of a thousand entries with one hash, lookups of
 * others would have to pass by. */
static void end_insert(struct datapath *dp, struct conn *c)
{
	struct conn_id end = c->in_id;

	end.id = 0;
	if (!conn_end_find(dp, &end))
		rmap_insert(&dp->conn_ends, &c->end_node, conn_id_hash(&end));
}

/* Another connection with the same end, to stand for it. */
static struct conn *end_heir(const struct datapath *dp, const struct conn *c)
{
	for (uint32_t id = 0; id < PORT_MAX; id++) {
		struct conn *other = dp->port[id] ? conn_get(dp, id, dp->port[id]->gen) : NULL;

		if (other && other != c && other->has_in &&
		    conn_end_equal(&other->in_id, &c->in_id))
			return other;
	}
	return NULL;
}

static void end_remove(struct datapath *dp, struct conn *c)
{
	struct conn *heir;

	if (conn_end_find(dp, &c->in_id) != c)
		return;
	heir = end_heir(dp, c);
	if (heir)
		rmap_replace(&dp->conn_ends, &c->end_node, &heir->end_node);
	else
		rmap_remove(&dp->conn_ends, &c->end_node);
}

int datapath_add_conn(struct datapath *dp, struct conn *c)
{
	int error;

	if (c->has_in && conn_find(dp, &c->in_id))
		return -EEXIST;
	c->owner = dp->next_owner++ % dp->n_workers;
	c->port.flags |= PORT_CONN;
	if (!c->port.queue && port_queues(&c->port, 1))
		return -ENOMEM;
	c->port.queue[0].owner = (uint16_t)c->owner;
	error = port_publish(dp, &c->port);
	if (error)
		return error;
	worker_call(dp->worker[c->owner], worker_add_conn, c);
	if (c->has_in) {
		rmap_insert(&dp->conns, &c->node, conn_id_hash(&c->in_id));
		end_insert(dp, c);
	}
	return 0;
}

void datapath_del_conn(struct datapath *dp, struct conn *c)
{
	if (c->has_in) {
		rmap_remove(&dp->conns, &c->node);
		end_remove(dp, c);
	}
	port_unpublish(dp, &c->port);
	rcu_wait();
	worker_call(dp->worker[c->owner], worker_del_conn, c);
}

void datapath_port_counters(const struct datapath *dp, uint32_t port_id, struct port_counters *sum)
{
	uint64_t *to = (uint64_t *)sum;

	memset(sum, 0, sizeof *sum);
	for (unsigned i = 0; i < dp->n_workers; i++) {
		const uint64_t *from = (const uint64_t *)&dp->worker[i]->port[port_id];

		for (size_t k = 0; k < sizeof *sum / sizeof *to; k++)
			to[k] += counter_read(&from[k]);
	}
}
