/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts: what the watcher tells people, by syslog, webhook or command.
 *
 * `alert=` of a pipeline has words of three forms:
 *
 *	syslog              one datagram to the system's log, facility daemon, level warning
 *	webhook:URL         an HTTP POST of the decision as JSON; http and https, the latter with
 *the certificate's chain and name verified; 2xx is good, nothing is followed command:FILE        a
 *program, its whole path, run without a shell and without arguments; the decision as JSON on its
 *standard input, nothing of ours otherwise
 *
 * The same thing (way, pipeline, target, what) is said once in ALERT_INTERVAL_NS of the decisions'
 * own time; how often it was held back stands in the next one's "suppressed".  Nothing here blocks
 * the loop or grows: webhooks and commands each run at most so many at a time, ALERT_QUEUE_MAX
 * wait, and what comes on top is counted as lost.  A URL may hold a token: of it, only the host is
 * ever written to a log.
 *
 * One libevent base, single thread.  Commands are reaped by their number on SIGCHLD, which the
 * alerts take for themselves. */
#ifndef SLUICE_WATCH_ALERT_H
#define SLUICE_WATCH_ALERT_H

#include <event2/event.h>

#include "lib/refuse.h"
#include "utilities/watch/decide.h"

enum {
	ALERT_QUEUE_MAX = 64,     /* alerts that wait, of each of webhook and command */
	ALERT_POSTS_MAX = 8,      /* at a time */
	ALERT_COMMANDS_MAX = 4,   /* at a time */
	ALERT_MEMORY = 256,       /* things that are remembered as said */
	ALERT_POST_S = 5,         /* a POST's time, whole */
	ALERT_BODY_MAX = 1 << 16, /* octets of an answer */
};
#define ALERT_INTERVAL_NS (60 * NSEC_PER_SEC)

struct alerts_config {
	struct event_base *base;
	const char *log_socket; /* NULL: /dev/log */
	const char *ca_file;    /* NULL: the system's */
	unsigned command_ms;    /* a command's time; 0: 10 s */
};

struct alerts;
struct alerts *alerts_create(const struct alerts_config *c); /* never NULL */
/* Ends commands and POSTs that are under way.  NULL: nothing. */
void alerts_free(struct alerts *a);
struct alert_sink *alerts_sink(struct alerts *a);

/* Whether a word of alert= is of one of the forms. */
int alert_check(const char *to, struct refusal *r);

struct alert_counters {
	uint64_t sent, suppressed, failed, lost;
};
void alerts_counters(const struct alerts *a, struct alert_counters *out);
bool alerts_idle(const struct alerts *a); /* nothing waits or is under way */

#endif
