/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/rcu.h"

#include <pthread.h>
#include <stdlib.h>

#ifdef SLUICE_TSAN

#include <sched.h>

/* The model: every reader holds the number of the period it was last seen quiescent in, 0
 * while it is offline.  A writer begins a new period and waits until no reader holds an older
 * one.  Exchanges, because a plain store may pass the reader's next load. */
struct model_reader {
	uint64_t period;
	struct model_reader *next;
};

static uint64_t period = 1;
static pthread_mutex_t readers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct model_reader *readers;
static _Thread_local struct model_reader self;

void rcu_quiescent(void)
{
	uint64_t now = __atomic_load_n(&period, __ATOMIC_SEQ_CST);

	__atomic_exchange_n(&self.period, now, __ATOMIC_SEQ_CST);
}

void rcu_online(void)
{
	rcu_quiescent();
}

void rcu_offline(void)
{
	__atomic_exchange_n(&self.period, 0, __ATOMIC_SEQ_CST);
}

void rcu_register(void)
{
	pthread_mutex_lock(&readers_lock);
	self.next = readers;
	readers = &self;
	pthread_mutex_unlock(&readers_lock);
	rcu_online();
}

void rcu_unregister(void)
{
	struct model_reader **at = &readers;

	/* Offline first: whoever holds the lock may be waiting for this reader. */
	rcu_offline();
	pthread_mutex_lock(&readers_lock);
	while (*at != &self)
		at = &(*at)->next;
	*at = self.next;
	pthread_mutex_unlock(&readers_lock);
}

static bool in_the_way(struct model_reader *r, uint64_t now)
{
	uint64_t seen = __atomic_load_n(&r->period, __ATOMIC_SEQ_CST);

	return seen && seen < now;
}

void rcu_wait(void)
{
	bool was_online = __atomic_load_n(&self.period, __ATOMIC_SEQ_CST);
	uint64_t now;

	if (was_online)
		rcu_offline();
	pthread_mutex_lock(&readers_lock);
	now = __atomic_add_fetch(&period, 1, __ATOMIC_SEQ_CST);
	for (struct model_reader *r = readers; r; r = r->next)
		while (in_the_way(r, now))
			sched_yield();
	pthread_mutex_unlock(&readers_lock);
	if (was_online)
		rcu_online();
}

#else

/* liburcu has a structure of this name for its own call_rcu(), which is not used here. */
#define rcu_head liburcu_head
#include <urcu/urcu-qsbr.h>
#undef rcu_head

void rcu_register(void)
{
	urcu_qsbr_register_thread();
}

void rcu_unregister(void)
{
	urcu_qsbr_unregister_thread();
}

void rcu_quiescent(void)
{
	urcu_qsbr_quiescent_state();
}

void rcu_offline(void)
{
	urcu_qsbr_thread_offline();
}

void rcu_online(void)
{
	urcu_qsbr_thread_online();
}

/* liburcu takes a registered caller offline for the time it waits. */
void rcu_wait(void)
{
	urcu_qsbr_synchronize_rcu();
}

#endif

/* Callbacks that no rcu_reap() has taken yet, oldest first. */
static pthread_mutex_t pending_lock = PTHREAD_MUTEX_INITIALIZER;
static struct rcu_head *pending, **pending_end = &pending;

void rcu_defer(struct rcu_head *head, void (*fn)(struct rcu_head *))
{
	head->next = NULL;
	head->fn = fn;
	pthread_mutex_lock(&pending_lock);
	*pending_end = head;
	pending_end = &head->next;
	pthread_mutex_unlock(&pending_lock);
}

struct deferred_free {
	struct rcu_head head;
	void *p;
};

static void free_now(struct rcu_head *head)
{
	struct deferred_free *d = container_of(head, struct deferred_free, head);

	free(d->p);
	free(d);
}

void rcu_free(void *p)
{
	struct deferred_free *d;

	if (!p)
		return;
	d = malloc(sizeof *d);
	if (!d)
		abort();
	d->p = p;
	rcu_defer(&d->head, free_now);
}

static bool reap(void)
{
	struct rcu_head *head, *next;

	pthread_mutex_lock(&pending_lock);
	head = pending;
	pending = NULL;
	pending_end = &pending;
	pthread_mutex_unlock(&pending_lock);
	if (!head)
		return false;
	rcu_wait();
	for (; head; head = next) {
		/* The callback may free what embeds the head. */
		next = head->next;
		head->fn(head);
	}
	return true;
}

void rcu_reap(void)
{
	reap();
}

void rcu_barrier(void)
{
	/* Callbacks may defer others. */
	while (reap())
		;
}
