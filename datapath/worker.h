/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: the threads that run packets to completion.
 *
 * A worker owns its queues, connections, frames, packets, timers and counters; nothing here is
 * locked.  One turn of worker_turn() drains its mailbox and the hand-off rings, polls each queue
 * and runs what came through the spine, fires timers, flushes outboxes, and passes a quiescent
 * point of RCU.  A worker with nothing to do goes offline and sleeps in ppoll() until a frame,
 * a message or the next timer.  Only worker.c knows RCU's states.
 *
 * The control thread speaks to a worker by mail (worker_mail: run this, there), and hears of it by
 * events, records in a ring with an eventfd.  Offline and in tests there is no thread: the
 * caller sets `now` and calls worker_turn().
 *
 * Counters are written by their worker alone, with relaxed stores, and read by anyone. */
#ifndef SLUICE_WORKER_H
#define SLUICE_WORKER_H

#include <pthread.h>

#include "datapath/cache.h"
#include "datapath/conn.h"
#include "datapath/datapath.h"
#include "datapath/group.h"
#include "datapath/meter.h"
#include "datapath/sample.h"
#include "datapath/timer.h"
#include "datapath/trace.h"
#include "lib/ring.h"

enum { WORKER_MAX = 32, PATH_ARENA = 64 << 10, NEIGH_SLOTS = 256, SET_ASKED = 1024 };

struct worker_counters {
	uint64_t rx, tx; /* packets; with the four below: the balance */
	uint64_t dropped[N_DROPS];
	uint64_t consumed[N_CONSUMES];
	uint64_t made[N_MADES];
	uint64_t busy_ns, idle_ns, turns, sleeps;
};

struct rule_counters {
	uint64_t packets, bytes, used_ns; /* used_ns: the last packet's time; 0: never */
};

/* Mail: a message to a worker.  run() is called on its thread between batches; the sender owns the
 * memory until then (and learns of it by what run() does). */
struct mail {
	struct mail *next;
	void (*run)(struct worker *w, struct mail *m);
};

/* What this worker holds of dp->reject, at the rate it last looked up. */
struct reject_bound {
	uint32_t max;
	struct bucket_rate rate;
	struct lease lease;
};

enum { REJECT_MAX_PER_S = 1000, REJECT_MAX_MAX = 1000000 };

struct worker {
	struct datapath *dp;
	unsigned id;
	uint64_t now;     /* ns; monotonic, or the packets' time offline */
	uint64_t version; /* of the tables, for this batch */
	bool bypass;      /* panic, for this turn: no rules, no early verdicts */
	struct frame_pool frames;
	struct pkt *pkts; /* the pool's memory */
	struct pkt **free_pkt;
	uint32_t n_free_pkts, n_pkts;
	struct wheel wheel;

	struct queue **rxq; /* queues it polls */
	unsigned n_rxq;
	struct queue *dirty;
	unsigned handoff_first; /* whose turn it is to be received from first */
	struct conn **conn;     /* connections it owns, for flush() */
	unsigned n_conn;

	struct worker_counters n;
	struct port_counters *port;       /* by port id */
	struct rule_counters *rule;       /* by rule id; reserved address space, touched as used */
	struct lease *lease;              /* by rule id, likewise: what it holds of dp->bucket */
	struct lease *meter_lease;        /* … and of dp->meter_bucket */
	struct meter_counters *meter;     /* by meter's slot, likewise */
	struct group_counters *group;     /* by counter, of groups and their buckets, likewise */
	struct group_budget group_budget; /* what the packet at hand may still cost */
	struct limiter_counters limiter[LIMITERS]; /* by number */
	struct reject_bound reject;
	struct {
		uint64_t lookups, matches;
	} table[N_TABLES];

	struct ring events;  /* to the control thread */
	struct ring traces;  /* struct trace_record */
	struct ring samples; /* struct sample_record */
	struct sampler sampler;
	struct cache cache;                /* of what the rules stage found */
	uint64_t path[PATH_ARENA / 8];     /* rules.c: this batch's composed path programs */
	uint32_t path_used;                /* octets of it in use */
	uint64_t neigh_asked[NEIGH_SLOTS]; /* fib.c: when resolution was last asked for, by hash */
	struct set_asked {
		uint32_t hash, ms;
	} set_asked[SET_ASKED];          /* act-set-add.c: members lately asked for */
	uint64_t sets_now;               /* … the turn that sets_asks is of */
	uint32_t sets_asks;              /* … of this turn */
	uint64_t sets_lost;              /* … a counter: members that were not asked for */
	const struct match *trace_match; /* which packets to trace; NULL: none */
	unsigned trace_left;             /* how many more of them */
	uint32_t trace_id;               /* the last one given out */

	pthread_mutex_t mail_lock; /* taken when mail is there, not per batch */
	struct mail *mail, **mail_tail;
	int event_fd;  /* wakes it */
	bool sleeping; /* senders look at it */
	bool threaded; /* a thread of its own runs it */
	bool stop;
	bool news; /* events to tell of at the batch edge */
	unsigned empty_turns;
	uint64_t awake_until; /* it does not sleep before */
	bool private_trace;   /* a what-if worker: no ports, no state moves */
	pthread_t thread;
};

/* Memory, rings and descriptors; -errno.  Its frames come from dp->umem, an equal share each. */
int worker_init(struct worker *w, struct datapath *dp, unsigned id);
void worker_destroy(struct worker *w);
int worker_start(struct worker *w, int cpu); /* cpu -1: anywhere */
void worker_stop(struct worker *w);          /* and joins */

uint64_t clock_now(void); /* ns, CLOCK_MONOTONIC */

/* One turn; returns how much was done (0: nothing).  The thread's loop, offline and tests. */
unsigned worker_turn(struct worker *w);
/* When the next turn is due at the latest: a timer's deadline, or TIMER_NEVER. */
uint64_t worker_next(const struct worker *w);

/* A packet without segments from the worker's pool; NULL (counted nowhere: the caller names the
 * drop) when the pool is empty. */
static inline struct pkt *pkt_alloc(struct worker *w)
{
	struct pkt *p;

	if (unlikely(!w->n_free_pkts))
		return NULL;
	p = w->free_pkt[--w->n_free_pkts];
	/* What every stage may read before it is written; the rest of the key is written whole. */
	zero_words(p, offsetof(struct pkt, key));
	p->outer_frame = FRAME_NONE;
	p->in_port = PORT_NONE;
	p->rule.id = RULE_NONE;
	zero_words((uint8_t *)&p->key + DU_KEY_PARSED, sizeof p->key - DU_KEY_PARSED);
	return p;
}

void worker_mail(struct worker *w, struct mail *m); /* any thread */
void worker_wake(struct worker *w);
/* Runs fn(w, arg) on the worker's thread and waits for it (offline: at once).  Control thread. */
void worker_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);

/* What the balance needs, beyond counters.  Worker's thread, or while it stands still. */
struct worker_held {
	uint32_t frames_free, frames_devices, frames_handoff, frames_held, frames_total;
	uint32_t packets_held; /* outboxes, connections, hand-off rings */
};
void worker_held(const struct worker *w, struct worker_held *held);

#endif
