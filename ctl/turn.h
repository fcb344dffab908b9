/* SPDX-License-Identifier: Apache-2.0 */
/* Fair turns on the control thread: who has a heap of work on it does a piece, and the rest when
 * the others had theirs.
 *
 * Whoever works off what a peer sent asks turn_goes_on() before each piece, and says turn_end()
 * when there is none left.  A turn ends after TURN_PIECES, or after TURN_NS; the peer is told to
 * come again when the loop has looked at everybody's descriptors.  Then the wait of a good peer is
 * bounded by the number of the others, not by what they sent.
 *
 * A piece cannot be cut short, and some are large (a bundle's commit, a dump as JSON).  Peers whose
 * last turn had one go one at a time, in the order they came, and rest behind it for as long as it
 * took: everybody else waits for one large piece, not for one of each, and half of the time is
 * theirs. */
#ifndef SLUICE_CTL_TURN_H
#define SLUICE_CTL_TURN_H

#include <event2/event.h>

#include "lib/base.h"

enum { TURN_PIECES = 256, TURN_NS = 1000 * 1000, TURN_LARGE_NS = 4 * TURN_NS };

struct turn;

/* Those who share the thread; zeros to begin with. */
struct turns {
	struct turn *large; /* of those with large pieces: whose turn it is */
	struct turn *first; /* the others of them, who wait */
};

enum turn_state { TURN_HERE, TURN_RESTS, TURN_QUEUED, TURN_CALLED };

struct turn {
	struct turns *all;
	struct turn *next;
	struct event *event;
	enum turn_state state;
	bool is_large; /* the last turn had a large piece */
	unsigned n;    /* pieces */
	uint64_t began_ns, began_busy_ns;
	void (*come)(void *arg);
	void *arg;
};

/* `come` is called when a turn has come that turn_goes_on() said was not there. */
void turn_init(struct turn *t, struct turns *all, struct event_base *base, void (*come)(void *arg),
	       void *arg);
void turn_free(struct turn *t);

/* True while the peer is told to wait. */
static inline bool turn_waits(const struct turn *t)
{
	return t->state != TURN_HERE;
}

/* Whether one more piece may be done now; not asked of who waits. */
bool turn_goes_on(struct turn *t);
/* The same of a piece that is large, as is known before it; within a turn. */
bool turn_large(struct turn *t);
void turn_end(struct turn *t);
/* Waits, without a turn, until the others had theirs; not of who waits. */
void turn_later(struct turn *t);

/* For pieces of other kinds (handshake.h): the thread's own time, and a rest until an event. */
uint64_t turn_busy_ns(void);
void turn_rest(struct event *then, uint64_t ns);

#endif
