/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/change.h"

#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

/* How long the first change of a group waits for company. */
#define GATHER_NS NSEC_PER_MSEC
/* How long everybody waits for the disk on one request's behalf. */
#define SOON_MS 50

static void group_init(struct change_group *g)
{
	*g = (struct change_group){0};
	g->waiters_tail = &g->waiters;
	g->ops_tail = &g->ops;
}

void changes_init(struct ofproto *o)
{
	group_init(&o->changes.open);
	group_init(&o->changes.flight);
	o->changes.seal_ns = TIMER_NEVER;
}

uint64_t change_version(const struct ofproto *o)
{
	/* A group without steps (counters) has no version of its own: workers' caches stay. */
	return o->dp.version + (o->changes.in_flight && o->changes.flight.first ? 2 : 1);
}

void change_step(struct ofproto *o, struct step *s)
{
	struct change_group *g = &o->changes.open;

	s->next = NULL;
	s->prev = g->last;
	if (g->last)
		g->last->next = s;
	else
		g->first = s;
	g->last = s;
	g->n++;
}

size_t changes_staged(const struct ofproto *o)
{
	return o->changes.open.n + o->changes.flight.n;
}

bool ofproto_is_behind(const struct ofproto *o, bool own)
{
	return changes_staged(o) >= (own ? 1 : 4) * CHANGES_BEHIND;
}

void change_store(struct ofproto *o, struct store_op *op)
{
	struct change_group *g = &o->changes.open;

	if (!o->store || o->restoring || o->changes.unwritten) {
		store_ops_free(op);
		return;
	}
	*g->ops_tail = op;
	g->ops_tail = &op->next;
}

/* Answers everyone; their done() may make changes, which join the then open group. */
static void answer(struct waiter *w, int error, const struct refusal *r)
{
	while (w) {
		struct waiter *next = w->next;

		w->done(w, error, r);
		w = next;
	}
}

/* The last step first, down to `until`, which stays; NULL: all. */
static void undo(struct ofproto *o, const struct change_group *g, const struct step *until)
{
	for (struct step *s = g->last, *before; s != until; s = before) {
		before = s->prev;
		s->class->undo(o, s);
	}
}

static void publish(struct ofproto *o)
{
	struct change_group g = o->changes.flight;
	struct step *s, *next;

	for (s = g.first; s; s = s->next)
		if (s->class->publish)
			s->class->publish(o, s);
	if (g.first)
		rcu_set(o->dp.version, o->dp.version + 1);
	o->changes.in_flight = false;
	group_init(&o->changes.flight);
	if (g.first) {
		rcu_wait();
		if (o->dp.early)
			early_prune(o->dp.early, o->dp.version);
	}
	for (s = g.first; s; s = next) {
		next = s->next;
		s->class->done(o, s);
	}
	o->changes.n_committed++;
	answer(g.waiters, 0, NULL);
	rcu_reap();
}

/* Said once, until a commit succeeds: who waits is told each time. */
static void tell_failure(const struct changes *c, const struct refusal *r)
{
	if (!c->failing)
		LOG(WARN,
		    "store: %s; changes on their way were taken back, counters are not kept, and "
		    "so it goes until it can be written",
		    r->text);
}

static void fail(struct ofproto *o, int error, const struct refusal *r)
{
	struct change_group flight = o->changes.flight, open = o->changes.open;

	tell_failure(&o->changes, r);
	o->changes.failing = true;
	undo(o, &open, NULL);
	undo(o, &flight, NULL);
	store_ops_free(open.ops);
	group_init(&o->changes.open);
	group_init(&o->changes.flight);
	o->changes.in_flight = false;
	o->changes.seal_ns = TIMER_NEVER;
	o->changes.hurry = false;
	o->changes.n_failed++;
	counts_failed(o);
	answer(flight.waiters, error, r);
	answer(open.waiters, error, r);
	rcu_reap();
}

/* The open group goes on its way; nothing is in flight. */
static void seal(struct ofproto *o)
{
	struct changes *c = &o->changes;

	journal_close(o);
	c->flight = c->open;
	group_init(&c->open);
	c->in_flight = true;
	c->n_sealed++;
	c->hurry = false;
	c->seal_ns = TIMER_NEVER;
	if (c->flight.ops)
		store_commit(o->store, c->flight.ops);
	else
		publish(o);
}

/* The open group has something to commit, or `w` to tell. */
static void join(struct ofproto *o, struct waiter *w)
{
	struct changes *c = &o->changes;

	if (w) {
		w->next = NULL;
		*c->open.waiters_tail = w;
		c->open.waiters_tail = &w->next;
	}
	c->open.used = true;
	if (!o->store && !c->in_flight && !c->together)
		seal(o);
	else if (c->seal_ns == TIMER_NEVER)
		c->seal_ns = ofproto_now(o) + GATHER_NS;
}

void change_staged(struct ofproto *o, struct waiter *w)
{
	journal_touch(o);
	join(o, w);
}

/* ---- Several as one ----------------------------------------------------------------------- */

void ofproto_begin(struct ofproto *o)
{
	struct changes *c = &o->changes;

	journal_close(o); /* what was asked for before stays in an entry of its own */
	c->together = true;
	c->mark = (struct change_mark){c->open.last, c->open.ops_tail, c->seal_ns, c->open.n,
				       c->open.used};
}

void ofproto_commit(struct ofproto *o, struct waiter *w)
{
	o->changes.together = false;
	change_staged(o, w);
}

void ofproto_abandon(struct ofproto *o)
{
	struct changes *c = &o->changes;
	struct change_group *g = &c->open;
	struct change_mark mark = c->mark;

	c->together = false;
	undo(o, g, mark.last);
	g->last = mark.last;
	if (mark.last)
		mark.last->next = NULL;
	else
		g->first = NULL;
	g->n = mark.n;
	g->used = mark.used;
	store_ops_free(*mark.ops_tail);
	*mark.ops_tail = NULL;
	g->ops_tail = mark.ops_tail;
	c->seal_ns = mark.seal_ns;
	rcu_reap();
}

/* ---- By and by ---------------------------------------------------------------------------- */

void change_publish(struct ofproto *o)
{
	if (o->changes.open.used)
		seal(o);
}

void changes_run(struct ofproto *o)
{
	struct changes *c = &o->changes;
	struct refusal r = {0};
	int error;

	if (c->in_flight && o->store && store_result(o->store, &error, &r)) {
		if (error) {
			fail(o, error, &r);
		} else {
			if (c->failing)
				LOG(INFO, "store: it is written again");
			c->failing = false;
			publish(o);
		}
	}
	while (!c->in_flight && c->open.used && (c->hurry || ofproto_now(o) >= c->seal_ns))
		seal(o);
}

uint64_t changes_deadline(const struct ofproto *o)
{
	const struct changes *c = &o->changes;

	if (c->in_flight || !c->open.used)
		return TIMER_NEVER;
	return c->hurry ? ofproto_now(o) : c->seal_ns;
}

void ofproto_barrier(struct ofproto *o, struct waiter *w)
{
	struct changes *c = &o->changes;

	if (!c->in_flight && !c->open.used) {
		w->next = NULL;
		w->done(w, 0, NULL);
		return;
	}
	join(o, w);
	c->hurry = true;
	changes_run(o);
}

struct sync {
	struct waiter waiter;
	struct refusal *refusal;
	int error;
	bool done;
};

static void sync_done(struct waiter *w, int error, const struct refusal *r)
{
	struct sync *s = container_of(w, struct sync, waiter);

	s->done = true;
	s->error = error;
	if (error && r && s->refusal)
		*s->refusal = *r;
}

/* The waiter is of the heap: it may be told long after nobody waits. */
struct soon {
	struct waiter waiter;
	bool left, done;
	int error;
	struct refusal refusal;
};

static void soon_done(struct waiter *w, int error, const struct refusal *r)
{
	struct soon *s = container_of(w, struct soon, waiter);

	if (s->left) {
		free(s);
		return;
	}
	s->done = true;
	s->error = error;
	if (error)
		s->refusal = *r;
}

int ofproto_sync_soon(struct ofproto *o, struct refusal *r)
{
	const struct actor *actor = o->journal.actor; /* who is answered meanwhile may act */
	struct soon *s = mem_new(sizeof *s);
	bool answers = true;
	int error;

	s->waiter.done = soon_done;
	ofproto_barrier(o, &s->waiter);
	while (!s->done && answers) {
		if (o->changes.in_flight)
			answers = store_wait_ms(o->store, SOON_MS);
		changes_run(o);
	}
	if (o->journal.actor != actor)
		ofproto_actor(o, actor);
	s->left = !s->done;
	if (s->left)
		return refuse(
			r, STORE, "",
			"the disk does not answer, and what this stands on is not written yet; "
			"say it again later");
	error = s->error;
	if (error)
		*r = s->refusal;
	free(s);
	return error;
}

int ofproto_sync(struct ofproto *o, struct refusal *r)
{
	struct sync s = {.waiter.done = sync_done, .refusal = r};

	ofproto_barrier(o, &s.waiter);
	while (!s.done) {
		if (o->changes.in_flight)
			store_wait(o->store);
		changes_run(o);
	}
	return s.error;
}
