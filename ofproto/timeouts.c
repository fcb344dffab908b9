/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/timeouts.h"

#include "ofproto/memory.h"
#include "ofproto/state.h"

/* What ended, and cannot be taken out yet. */
#define AGAIN_NS (100 * NSEC_PER_MSEC)

static void put(struct timeouts *t, struct entry *e, size_t at)
{
	t->heap[at] = e;
	e->heap_at = at;
}

static void sift_up(struct timeouts *t, struct entry *e, size_t at)
{
	for (; at > 1 && t->heap[at / 2]->deadline_ns > e->deadline_ns; at /= 2)
		put(t, t->heap[at / 2], at);
	put(t, e, at);
}

static void sift_down(struct timeouts *t, struct entry *e, size_t at)
{
	for (size_t child; (child = 2 * at) <= t->n; at = child) {
		if (child < t->n && t->heap[child + 1]->deadline_ns < t->heap[child]->deadline_ns)
			child++;
		if (t->heap[child]->deadline_ns >= e->deadline_ns)
			break;
		put(t, t->heap[child], at);
	}
	put(t, e, at);
}

void timeout_cancel(struct ofproto *o, struct entry *e)
{
	struct timeouts *t = &o->timeouts;
	size_t at = e->heap_at;
	struct entry *last;

	if (!at)
		return;
	e->heap_at = 0;
	last = t->heap[t->n--];
	if (last == e)
		return;
	sift_up(t, last, at);
	sift_down(t, last, last->heap_at);
}

/* When each ends, by the flow as it stands at `now`; what is over ends now, not a moment later. */
struct ends {
	uint64_t hard, idle; /* TIMER_NEVER: it does not */
};

static uint64_t end_of(uint64_t now, uint64_t age, uint64_t limit)
{
	return age >= limit ? now : now + (limit - age);
}

static struct ends ends_of(struct ofproto *o, struct entry *e, uint64_t now)
{
	const struct flow *f = &e->flow;
	struct ends ends = {f->expires_ns, TIMER_NEVER};
	struct flow_stats stats;

	if (!f->hard_timeout && !f->idle_timeout)
		return ends;
	entry_stats(o, e, &stats);
	if (f->hard_timeout)
		ends.hard = MIN(ends.hard,
				end_of(now, stats.duration_ns, f->hard_timeout * NSEC_PER_SEC));
	if (f->idle_timeout)
		ends.idle = end_of(now, stats.idle_ns, f->idle_timeout * NSEC_PER_SEC);
	return ends;
}

static void look_at(struct ofproto *o, struct entry *e, uint64_t deadline_ns)
{
	struct timeouts *t = &o->timeouts;

	timeout_cancel(o, e);
	e->deadline_ns = deadline_ns;
	if (e->deadline_ns == TIMER_NEVER)
		return;
	if (t->n + 1 >= t->room) {
		t->room = MAX(64u, 2 * t->room);
		t->heap = mem_grow(t->heap, t->room * sizeof(struct entry *));
	}
	sift_up(t, e, ++t->n);
}

void timeout_set(struct ofproto *o, struct entry *e)
{
	struct ends ends = ends_of(o, e, ofproto_now(o));

	look_at(o, e, MIN(ends.hard, ends.idle));
}

/* Groups fail: ends are none of theirs, but one of their own that is not written. */
static bool must_wait(const struct ofproto *o)
{
	return o->changes.failing && (o->changes.in_flight || o->changes.open.used);
}

void timeouts_run(struct ofproto *o)
{
	struct timeouts *t = &o->timeouts;
	uint64_t now = ofproto_now(o);
	bool waits = must_wait(o);

	o->changes.unwritten = o->changes.failing;
	while (t->n && t->heap[1]->deadline_ns <= now) {
		struct entry *e = t->heap[1];
		struct ends ends = ends_of(o, e, now);

		if (MIN(ends.hard, ends.idle) > now) {
			timeout_set(o, e); /* packets came meanwhile */
		} else if (waits) {
			flow_end(o, e);
			look_at(o, e, now + AGAIN_NS);
		} else {
			flow_remove(o, e,
				    ends.hard <= now ? OFPRR_HARD_TIMEOUT : OFPRR_IDLE_TIMEOUT);
		}
	}
	o->changes.unwritten = false;
	if (o->changes.failing && !waits)
		change_publish(o);
}

uint64_t timeouts_deadline(const struct ofproto *o)
{
	return o->timeouts.n ? o->timeouts.heap[1]->deadline_ns : TIMER_NEVER;
}

void timeouts_destroy(struct ofproto *o)
{
	free(o->timeouts.heap);
	o->timeouts.heap = NULL;
}
