/* SPDX-License-Identifier: Apache-2.0 */
/* What alert.c and the two ways that take time share: alert-web.c and alert-command.c.
 *
 * A *way* has a bounded queue of letters and a bounded number under way; `start` sends one, and the
 * way calls letter_end() when it has gone, well or not.  Letters are owned by their way from
 * way_post() on.  Single thread, one libevent base. */
#ifndef SLUICE_WATCH_ALERT_WAY_H
#define SLUICE_WATCH_ALERT_WAY_H

#include "utilities/watch/alert.h"

struct alert_way;

struct letter {
	struct letter *next;
	struct alert_way *way;
	char *to, *text; /* behind the colon; JSON without a newline */
	void *under_way; /* the way's own */
};

struct alert_way {
	struct alerts_config config;
	struct alert_counters *n;
	unsigned max, n_waiting, n_under_way;
	struct letter *first, **last; /* waiting */
	struct letter *under_way;
	void *own; /* what web_init() or command_init() made */
	/* 0: it is under way and letter_end() follows, not before this returns; or -errno, and it
	 * stays the caller's. */
	int (*start)(struct letter *l);
	void (*stop)(struct letter *l); /* at once, without letter_end() */
};

void way_init(struct alert_way *w, const struct alerts_config *c, struct alert_counters *n);
void way_post(struct alert_way *w, const char *to, const char *text);
void way_free(struct alert_way *w);
void letter_end(struct letter *l, bool well);

/* Fill in `max`, `start` and `stop`, after way_init(). */
void web_init(struct alert_way *w);
void web_free(struct alert_way *w);
int web_check(const char *url, struct refusal *r);
void command_init(struct alert_way *w);
void command_free(struct alert_way *w);
int command_check(const char *file, struct refusal *r);

#endif
