/* SPDX-License-Identifier: Apache-2.0 */
/* The watcher's hand on a running sluiced: RUN_DIR/watch.sock (ctl/mgmt.h has the protocol).
 *
 * Everything is asynchronous on one libevent base.  *Calls* (add-guard, del-guard, propose) wait
 * in a bounded queue, go out in order, at most SWITCH_FLIGHT_MAX at a time, and are answered one by
 * one; a later put of the same rule takes the place of one that has not gone out.  Besides, the
 * guard is read (dump-flows --guard) every SWITCH_READ_NS while a rule of ours is there or asked
 * for, and every SWITCH_IDLE_NS otherwise; a report for `status` is sent each second.
 *
 * **A lost connection** is dialled again after 100 ms, and less and less often, at least once a
 * second.  Calls that have not been answered go out again (adding a guard rule again renews it),
 * unless they are older than SWITCH_CALL_NS: those are refused.  After each connect the guard is
 * read first and what is of origin `watch` is given to `adopt`, then the queue goes on.  A sluiced
 * that does not answer for SWITCH_ANSWER_NS is hung up on.
 *
 * **Panic** shows in refusals `not-permitted` of field `panic` and in the answers to watch-report
 * (`automation`); the owner hears of it, once, and again when it is over.
 *
 * Time comes in by switch_tick().  Names of ports are asked for at each connect (guard-text.h).
 * Single thread. */
#ifndef SLUICE_WATCH_SWITCH_H
#define SLUICE_WATCH_SWITCH_H

#include <event2/event.h>

#include "utilities/watch/decide.h"

enum {
	SWITCH_QUEUE_MAX = 256, /* calls that wait; one more is refused */
	SWITCH_FLIGHT_MAX = 32,
	SWITCH_RULES_MAX = 1024,     /* of the guard, that are remembered */
	SWITCH_LINE_MAX = 16 << 20,  /* octets of an answer */
	SWITCH_OUTPUT_MAX = 1 << 20, /* octets that sluiced has not read yet; more wait as calls */
};
#define SWITCH_READ_NS   (500 * NSEC_PER_MSEC)
#define SWITCH_IDLE_NS   (5 * NSEC_PER_SEC)
#define SWITCH_REPORT_NS NSEC_PER_SEC
#define SWITCH_CALL_NS   (10 * NSEC_PER_SEC)
#define SWITCH_ANSWER_NS (3 * NSEC_PER_SEC)

/* Whom the link serves; `arg` goes with each call. */
struct switch_owner {
	void (*adopt)(void *arg, const struct guard_rule *rule);
	void (*connected)(void *arg); /* all was adopted */
	void (*automation)(void *arg, bool on);
	json_t *(*report)(void *arg); /* a new reference; NULL: none now */
	void *arg;
};

struct switch_link;
/* Dials at the first tick.  NULL: `path` is longer than a socket's can be. */
struct switch_link *switch_create(struct event_base *base, const char *path,
				  const struct switch_owner *owner, uint64_t now_ns,
				  struct refusal *r);
void switch_free(struct switch_link *s); /* nobody is called any more; NULL: nothing */
struct actuator *switch_actuator(struct switch_link *s);
/* What is due, at least every SWITCH_TICK_NS. */
void switch_tick(struct switch_link *s, uint64_t now_ns);
#define SWITCH_TICK_NS (50 * NSEC_PER_MSEC)

struct switch_state {
	bool connected;                       /* and the guard has been read */
	uint64_t n_connects;                  /* that got so far */
	uint64_t n_calls, n_refused, n_again; /* answered; of them refused; sent more than once */
	unsigned n_queued, n_rules;
};
void switch_state(const struct switch_link *s, struct switch_state *out);

#endif
