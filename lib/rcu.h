/* SPDX-License-Identifier: Apache-2.0 */
/* Read-copy-update for sluice: liburcu's QSBR flavour behind eight words.
 *
 * Readers are workers (and any thread that walks a datapath table).  A reader registers once,
 * dereferences with rcu_get() between two quiescent points, and says rcu_quiescent() when it
 * holds no pointer; before it sleeps it goes rcu_offline() and after it rcu_online().  Only
 * `worker.c` does so on the datapath.  Writers are one thread per table (the control thread):
 * they publish with rcu_set() and free by rcu_defer(), which runs the callback after every
 * reader has passed a quiescent point, in the thread that calls rcu_reap().
 *
 * Built with ThreadSanitizer, which cannot see into liburcu, the same words are backed by the
 * small model in rcu.c (one counter per reader, sequentially consistent): it is slower and has
 * the same contract. */
#ifndef SLUICE_RCU_H
#define SLUICE_RCU_H

#include "lib/base.h"

#define rcu_get(p)    __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_set(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)

void rcu_register(void);
void rcu_unregister(void);
void rcu_quiescent(void);
void rcu_offline(void);
void rcu_online(void);

/* Blocks until every reader registered and online has been quiescent once.  A registered caller
 * counts as quiescent. */
void rcu_wait(void);

/* Embedded in what is to be freed. */
struct rcu_head {
	struct rcu_head *next;
	void (*fn)(struct rcu_head *);
};

/* Runs fn(head) after a grace period.  Writer side; any thread.  Never blocks. */
void rcu_defer(struct rcu_head *head, void (*fn)(struct rcu_head *));

/* free(p) after a grace period; p may be NULL.  Never blocks; aborts when memory runs out. */
void rcu_free(void *p);

/* Runs the callbacks that are due: waits for one grace period if any are pending.  The control
 * thread calls it after it has published; rcu_barrier() runs all until none is left. */
void rcu_reap(void);
void rcu_barrier(void);

#endif
