/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a management peer: what each asks, and what it is answered.
 *
 * A *line* holds one request, or a batch of them.  Lines are answered in the order they came,
 * whatever order their verbs finish in: a line leaves when it is at the head of its asker's queue
 * and all its requests have answered.  Answers are octets as soon as they are made, so that what
 * is kept for a peer can be counted; one that there is no room for becomes a refusal.  A line
 * whose asker has gone stays until its requests have answered, and its answers go nowhere.
 *
 * The asker is the socket's peer (mgmt.c), which decides when the next request is run, and hears
 * when one is ready to leave.  Control thread. */
#ifndef SLUICE_CTL_MGMT_LINE_H
#define SLUICE_CTL_MGMT_LINE_H

#include <event2/buffer.h>

#include "ctl/mgmt.h"

struct line;

struct asker {
	struct daemon *daemon;
	uint8_t origin; /* of what it asks for */
	unsigned uid;
	int pid;
	void (*ready)(struct asker *a); /* the first line is answered */
	bool (*room)(struct asker *a);  /* whether one more answer may be kept for it */
	struct line *first, **last;
	unsigned n_lines;
	size_t held; /* octets of answers in lines */
	/* Of the line under way: the next request is `at`.  NULL: there is none. */
	json_t *requests;
	struct line *line;
	size_t at;
};

void asker_init(struct asker *a); /* the rest is zeroes, or the caller's */
/* Nothing more is for it: answers are forgotten, what is left of a line is not run. */
void asker_end(struct asker *a);

/* A line of text.  While it goes on it has requests, each to be run by line_next(). */
void line_begin(struct asker *a, const char *text, size_t size);
bool line_goes_on(const struct asker *a);
bool line_is_long(const struct asker *a); /* the next of them, as far as its verb says */
void line_next(struct asker *a);
/* A line that is answered with an error, whatever it says. */
void line_fault(struct asker *a, int code, const char *message);
/* Moves the first line's answers to `out`; false when there is none that is answered. */
bool line_leave(struct asker *a, struct evbuffer *out);

#endif
