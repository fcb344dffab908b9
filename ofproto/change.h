/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of changes: commit, then publish, then answer.
 *
 * A change is applied to the stage as it comes (a rule of the next version is put into its table,
 * a port is opened) and leaves a *step* behind, which knows how to make it final and how to undo
 * it, and one or more operations for the store.  Steps gather in the open group.  Sealed, the
 * group is in flight: the store thread commits its operations.  Then publish() of every step, one
 * store of the tables' version, a grace period, done() of every step, and the waiters.
 *
 * When the commit fails, the steps of the open group and then those of the one in flight are
 * undone, the last one first, for the open group may stand on what failed; everybody who waits is
 * told.
 *
 * Without a store (offline) a group is committed as soon as its change is complete.  All of it is
 * the control thread's.
 *
 * Several changes can be one (ofproto_begin()): the open group is held open meanwhile, and what
 * they staged, which is the end of its steps and operations, can be taken back alone. */
#ifndef SLUICE_OFPROTO_CHANGE_H
#define SLUICE_OFPROTO_CHANGE_H

#include "lib/refuse.h"
#include "ofproto/ofproto.h"
#include "ofproto/store.h"

struct step;

struct step_class {
	/* The group is durable; workers will see the next version right after.  NULL: nothing. */
	void (*publish)(struct ofproto *o, struct step *s);
	/* In effect in every worker.  Frees the step.  Must not make changes. */
	void (*done)(struct ofproto *o, struct step *s);
	/* It never happened.  Frees the step.  Must not make changes. */
	void (*undo)(struct ofproto *o, struct step *s);
};

struct step {
	const struct step_class *class;
	struct step *next, *prev;
};

struct change_group {
	struct step *first, *last;
	struct waiter *waiters, **waiters_tail;
	struct store_op *ops, **ops_tail;
	size_t n;  /* steps */
	bool used; /* there is something to commit or someone to answer */
};

/* Where ofproto_begin() was: what ofproto_abandon() goes back to. */
struct change_mark {
	struct step *last;
	struct store_op **ops_tail;
	uint64_t seal_ns;
	size_t n;
	bool used;
};

struct changes {
	struct change_group open, flight;
	struct change_mark mark;
	bool together; /* between begin and commit: nothing is sealed */
	bool in_flight;
	bool hurry;       /* a barrier: seal as soon as nothing is in flight */
	uint64_t seal_ns; /* when the open group is sealed at the latest */
	uint64_t n_committed, n_failed;
	uint64_t n_sealed; /* groups that are closed: the number of the open one */
	bool failing;      /* the last commit failed */
	bool unwritten;    /* what is staged now is nothing for the store */
};

void changes_init(struct ofproto *o);
/* The tables' version that the open group will publish. */
uint64_t change_version(const struct ofproto *o);

/* A change: first its steps and operations, then change_staged() once; w may be NULL. */
void change_step(struct ofproto *o, struct step *s);
void change_store(struct ofproto *o, struct store_op *op);
void change_staged(struct ofproto *o, struct waiter *w);
/* Steps that are staged and not done: one message may make as many as there are rules. */
size_t changes_staged(const struct ofproto *o);
/* At once, of a group that is nothing for the store and before which nothing is in flight. */
void change_publish(struct ofproto *o);

/* ofproto_sync() for what a request has to wait for before it can be answered; refused when the
 * disk does not answer soon, so that others need not wait with it. */
int ofproto_sync_soon(struct ofproto *o, struct refusal *r);

/* Seals when it is time, finishes what is committed. */
void changes_run(struct ofproto *o);
uint64_t changes_deadline(const struct ofproto *o);

#endif
