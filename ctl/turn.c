/* SPDX-License-Identifier: Apache-2.0 */
/* A wait is a timer, of no time unless a piece was large: the loop polls all descriptors before it
 * fires.  `large` stays with its owner until then, too. */
#include "ctl/turn.h"

#include <stdlib.h>
#include <time.h>

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

uint64_t turn_busy_ns(void)
{
	return now_ns(CLOCK_THREAD_CPUTIME_ID);
}

void turn_rest(struct event *then, uint64_t ns)
{
	const struct timeval rest = {(time_t)(ns / NSEC_PER_SEC),
				     (suseconds_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC)};

	event_add(then, &rest);
}

static void come_later(struct turn *t, enum turn_state state, uint64_t rest_ns)
{
	t->state = state;
	turn_rest(t->event, rest_ns);
}

static void call_next(struct turns *all)
{
	struct turn *t = all->first;

	all->large = t;
	if (!t)
		return;
	all->first = t->next;
	come_later(t, TURN_CALLED, 0);
}

static void queue(struct turn *t)
{
	struct turn **at = &t->all->first;

	while (*at)
		at = &(*at)->next;
	t->next = NULL;
	*at = t;
	t->state = TURN_QUEUED;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct turn *t = arg;
	struct turns *all = t->all;

	(void)fd;
	(void)what;
	if (t->state == TURN_RESTS && all->large == t)
		call_next(all);
	t->state = TURN_HERE;
	t->come(t->arg); /* it may be gone behind this, and is then nobody's `large` */
	if (all->large == t && t->state == TURN_HERE)
		call_next(all); /* it had nothing to do after all */
}

void turn_init(struct turn *t, struct turns *all, struct event_base *base, void (*come)(void *arg),
	       void *arg)
{
	*t = (struct turn){.all = all, .come = come, .arg = arg};
	t->event = event_new(base, -1, 0, on_event, t);
	if (!t->event)
		abort();
}

void turn_free(struct turn *t)
{
	for (struct turn **at = &t->all->first; *at; at = &(*at)->next) {
		if (*at == t) {
			*at = t->next;
			break;
		}
	}
	if (t->all->large == t)
		call_next(t->all);
	event_free(t->event);
	t->n = 0;
}

/* How long the turn took, or 0.  Large it is by the thread's own time: what else the machine does
 * makes nobody's piece so.  That costs more to ask for, and is asked for where the other says that
 * it matters. */
static uint64_t large_ns(const struct turn *t)
{
	uint64_t ns = now_ns(CLOCK_MONOTONIC) - t->began_ns;

	if (ns < TURN_LARGE_NS || turn_busy_ns() - t->began_busy_ns < TURN_LARGE_NS)
		return 0;
	return ns;
}

static void over(struct turn *t, bool more)
{
	struct turns *all = t->all;
	uint64_t ns = large_ns(t);

	t->n = 0;
	t->is_large = ns;
	if (ns && all->large && all->large != t) {
		queue(t);
		return;
	}
	if (ns)
		all->large = t;
	if (ns || more)
		come_later(t, TURN_RESTS, ns);
	else if (all->large == t)
		call_next(all);
}

bool turn_goes_on(struct turn *t)
{
	struct turns *all = t->all;

	if (t->n) {
		if (t->n++ < TURN_PIECES && now_ns(CLOCK_MONOTONIC) - t->began_ns < TURN_NS)
			return true;
		over(t, true);
		return false;
	}
	if (t->is_large && all->large && all->large != t) {
		queue(t);
		return false;
	}
	if (t->is_large)
		all->large = t;
	t->began_ns = now_ns(CLOCK_MONOTONIC);
	t->began_busy_ns = turn_busy_ns();
	t->n = 1;
	return true;
}

bool turn_large(struct turn *t)
{
	struct turns *all = t->all;

	if (all->large && all->large != t) {
		t->n = 0;
		queue(t);
		return false;
	}
	all->large = t;
	return true;
}

void turn_end(struct turn *t)
{
	if (t->n)
		over(t, false);
}

void turn_later(struct turn *t)
{
	come_later(t, TURN_RESTS, 0);
}
