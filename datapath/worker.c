/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/worker.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "datapath/handoff.h"
#include "datapath/spine.h"
#include "lib/pages.h"

enum {
	PKTS = 8192,
	EVENT_RING = 1 << 20,
	TRACE_RING = 1 << 18,
	SLEEP_FDS = 256,
	EMPTY_TURNS = 32, /* without work before it sleeps: a wake-up costs more than they do */
};

uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static int pkts_init(struct worker *w)
{
	w->n_pkts = w->n_free_pkts = PKTS;
	w->pkts = pages_alloc(PKTS * sizeof *w->pkts);
	w->free_pkt = calloc(PKTS, sizeof(struct pkt *));
	if (!w->pkts || !w->free_pkt)
		return -ENOMEM;
	for (unsigned i = 0; i < PKTS; i++)
		w->free_pkt[i] = &w->pkts[i];
	return 0;
}

int worker_init(struct worker *w, struct datapath *dp, unsigned id)
{
	uint32_t share = dp->umem.n / dp->n_workers;
	void *rules;

	memset(w, 0, sizeof *w);
	w->dp = dp;
	w->id = id;
	w->now = dp->offline ? 0 : clock_now();
	w->mail_tail = &w->mail;
	w->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	pthread_mutex_init(&w->mail_lock, NULL);
	wheel_init(&w->wheel, w->now);
	w->port = calloc(PORT_MAX, sizeof *w->port);
	w->rxq = calloc(PORT_MAX, sizeof(struct queue *));
	w->conn = calloc(PORT_MAX, sizeof(struct conn *));
	/* Address space for every rule id; a page comes to be when its first rule counts. */
	rules = mmap(NULL, RULE_IDS * sizeof *w->rule, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	w->rule = rules == MAP_FAILED ? NULL : rules;
	w->lease = leases_reserve(RULE_IDS);
	w->group = group_counters_reserve();
	if (meters_worker_init(w) || w->event_fd < 0 || !w->port || !w->rxq || !w->conn ||
	    !w->rule || !w->lease || !w->group || pkts_init(w) ||
	    ring_init(&w->events, EVENT_RING) || ring_init(&w->traces, TRACE_RING) ||
	    ring_init(&w->samples, SAMPLE_RING) || sampler_init(&w->sampler, id) ||
	    cache_init(&w->cache) ||
	    frame_pool_init(&w->frames, &dp->umem, (struct frame_range){id * share, share})) {
		worker_destroy(w);
		return -ENOMEM;
	}
	return 0;
}

void worker_destroy(struct worker *w)
{
	if (w->event_fd >= 0)
		close(w->event_fd);
	pthread_mutex_destroy(&w->mail_lock);
	free(w->port);
	free(w->rxq);
	free(w->conn);
	pages_free(w->pkts, PKTS * sizeof *w->pkts);
	free(w->free_pkt);
	if (w->rule)
		munmap(w->rule, RULE_IDS * sizeof *w->rule);
	leases_release(w->lease, RULE_IDS);
	meters_worker_destroy(w);
	group_counters_release(w->group);
	ring_destroy(&w->events);
	ring_destroy(&w->traces);
	ring_destroy(&w->samples);
	sampler_destroy(&w->sampler);
	cache_destroy(&w->cache);
	frame_pool_destroy(&w->frames);
}

/* ---- Mail ------------------------------------------------------------------------------ */

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	/* The receiver says that it sleeps, then looks once more; we have published, then look. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&w->sleeping, __ATOMIC_RELAXED))
		(void)!write(w->event_fd, &one, sizeof one);
}

void worker_mail(struct worker *w, struct mail *m)
{
	m->next = NULL;
	pthread_mutex_lock(&w->mail_lock);
	__atomic_store_n(w->mail_tail, m, __ATOMIC_RELEASE);
	w->mail_tail = &m->next;
	pthread_mutex_unlock(&w->mail_lock);
	worker_wake(w);
}

static unsigned mail_run(struct worker *w)
{
	struct mail *m, *next;
	unsigned n = 0;

	if (likely(!__atomic_load_n(&w->mail, __ATOMIC_ACQUIRE)))
		return 0;
	pthread_mutex_lock(&w->mail_lock);
	m = w->mail;
	w->mail = NULL;
	w->mail_tail = &w->mail;
	pthread_mutex_unlock(&w->mail_lock);
	for (; m; m = next, n++) {
		next = m->next;
		m->run(w, m);
	}
	return n;
}

struct call {
	struct mail mail;
	void (*fn)(struct worker *w, void *arg);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static void call_run(struct worker *w, struct mail *m)
{
	struct call *call = container_of(m, struct call, mail);

	call->fn(w, call->arg);
	pthread_mutex_lock(&call->lock);
	call->done = true;
	pthread_cond_signal(&call->cond);
	pthread_mutex_unlock(&call->lock);
}

void worker_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	struct call call = {.mail.run = call_run, .fn = fn, .arg = arg};

	if (!w->threaded) {
		fn(w, arg);
		return;
	}
	pthread_mutex_init(&call.lock, NULL);
	pthread_cond_init(&call.cond, NULL);
	worker_mail(w, &call.mail);
	pthread_mutex_lock(&call.lock);
	while (!call.done)
		pthread_cond_wait(&call.cond, &call.lock);
	pthread_mutex_unlock(&call.lock);
	pthread_cond_destroy(&call.cond);
	pthread_mutex_destroy(&call.lock);
}

/* ---- Events ---------------------------------------------------------------------------- */

bool event_send(struct worker *w, const void *event, size_t size, const void *more,
		size_t more_size)
{
	uint8_t *to = ring_reserve(&w->events, (uint32_t)(size + more_size));

	if (!to)
		return false;
	memcpy(to, event, size);
	if (more_size)
		memcpy(to + size, more, more_size);
	ring_submit(&w->events);
	w->news = true; /* told at the batch edge: it takes a system call */
	return true;
}

static void tell_news(struct worker *w)
{
	uint64_t one = 1;

	if (w->news && w->dp->event_fd >= 0)
		(void)!write(w->dp->event_fd, &one, sizeof one);
	w->news = false;
}

/* ---- Turns ----------------------------------------------------------------------------- */

static void drop_all(struct worker *w, struct batch *b, enum drop_reason reason)
{
	struct pkt *p;

	BATCH_FOR_EACH (p, b)
		drop(w, p, reason);
	b->n = 0;
}

static unsigned poll_queue(struct worker *w, struct queue *q)
{
	struct batch b;
	unsigned n;

	b.n = b.at = 0;
	n = q->port->class->rx(w, q, &b);
	if (!b.n)
		return n;
	if (port_forbids(q->port, OFPPC_PORT_DOWN | OFPPC_NO_RECV))
		drop_all(w, &b, DROP_PORT_CONFIG);
	else if (q->port->forward_to)
		spine_forward(w, &b, q->port->forward_to);
	else
		spine_run(w, &b);
	return n;
}

static void kick_queues(struct worker *w)
{
	for (unsigned i = 0; i < w->n_rxq; i++)
		if (w->rxq[i]->port->class->kick)
			w->rxq[i]->port->class->kick(w, w->rxq[i]);
}

unsigned worker_turn(struct worker *w)
{
	struct batch b;
	unsigned work;

	w->bypass = panic_on(w->dp->panic_pass);
	work = mail_run(w);
	w->version = rcu_get(w->dp->version);
	if (w->dp->n_workers > 1) {
		b.n = b.at = 0;
		work += handoff_receive(w, &b);
		spine_decap(w, &b);
	}
	for (unsigned i = 0; i < w->n_rxq; i++)
		work += poll_queue(w, w->rxq[i]);
	timer_run(w, &w->wheel, w->now);
	stage_tx(w);
	kick_queues(w);
	if (w->dp->n_workers > 1)
		handoff_flush(w);
	tell_news(w);
	counter_add(&w->n.turns, 1);
	return work;
}

uint64_t worker_next(const struct worker *w)
{
	return timer_next(&w->wheel);
}

static bool may_sleep(struct worker *w)
{
	return !__atomic_load_n(&w->mail, __ATOMIC_ACQUIRE) && !handoff_waiting(w) &&
	       !rcu_get(w->stop);
}

/* Until a frame, a message or the next timer. */
static void worker_sleep(struct worker *w)
{
	struct pollfd fds[SLEEP_FDS] = {{.fd = w->event_fd, .events = POLLIN}};
	uint64_t next = worker_next(w), count;
	struct timespec wait, *timeout = NULL;
	nfds_t n = 1;

	for (unsigned i = 0; i < w->n_rxq && n < ARRAY_SIZE(fds); i++)
		if (w->rxq[i]->fd >= 0)
			fds[n++] = (struct pollfd){.fd = w->rxq[i]->fd, .events = POLLIN};
	if (w->n_rxq >= SLEEP_FDS)
		next = MIN(next, w->now + NSEC_PER_MSEC); /* the rest is looked at by and by */
	if (next != TIMER_NEVER) {
		uint64_t ns = next > w->now ? next - w->now : 0;

		wait = (struct timespec){(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};
		timeout = &wait;
	}
	__atomic_store_n(&w->sleeping, true, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	rcu_offline();
	if (may_sleep(w))
		ppoll(fds, n, timeout, NULL);
	rcu_online();
	__atomic_store_n(&w->sleeping, false, __ATOMIC_RELAXED);
	if (fds[0].revents)
		(void)!read(w->event_fd, &count, sizeof count);
	counter_add(&w->n.sleeps, 1);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	rcu_register();
	w->now = clock_now();
	while (!rcu_get(w->stop)) {
		unsigned work = worker_turn(w);
		uint64_t now = clock_now();

		counter_add(work ? &w->n.busy_ns : &w->n.idle_ns, now - w->now);
		w->now = now;
		rcu_quiescent();
		w->empty_turns = work ? 0 : w->empty_turns + 1;
		if (work)
			w->awake_until = now + w->dp->spin_ns;
		if (w->empty_turns < EMPTY_TURNS || now < w->awake_until)
			continue;
		w->empty_turns = 0;
		worker_sleep(w);
		now = clock_now();
		counter_add(&w->n.idle_ns, now - w->now);
		w->now = now;
	}
	rcu_unregister();
	return NULL;
}

int worker_start(struct worker *w, int cpu)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int error;

	pthread_attr_init(&attr);
	if (cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET((unsigned)cpu, &set);
		pthread_attr_setaffinity_np(&attr, sizeof set, &set);
	}
	w->threaded = true;
	error = pthread_create(&w->thread, &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	if (error)
		w->threaded = false;
	return -error;
}

void worker_stop(struct worker *w)
{
	if (!w->threaded)
		return;
	rcu_set(w->stop, true);
	worker_wake(w);
	pthread_join(w->thread, NULL);
	w->threaded = false;
}

void worker_held(const struct worker *w, struct worker_held *held)
{
	uint32_t frames, packets;

	memset(held, 0, sizeof *held);
	held->frames_free = w->frames.n_free;
	held->frames_total = w->frames.n_total;
	handoff_held(w, &held->frames_handoff, &held->packets_held);
	for (unsigned i = 0; i < w->n_rxq; i++) {
		const struct queue *q = w->rxq[i];

		if (q->port->class->frames_held)
			held->frames_devices += q->port->class->frames_held(w, q);
		held->packets_held += q->out.n;
		for (unsigned k = 0; k < q->out.n; k++)
			held->frames_held += q->out.pkt[k]->n_segs;
	}
	for (unsigned i = 0; i < w->n_conn; i++) {
		const struct conn *c = w->conn[i];

		frames = packets = 0;
		if (c->class->held)
			c->class->held(c, &frames, &packets);
		held->frames_held += frames;
		held->packets_held += packets;
	}
}
