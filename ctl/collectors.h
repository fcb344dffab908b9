/* SPDX-License-Identifier: Apache-2.0 */
/* Where samples go: sFlow collectors, and the local watcher's socket.
 *
 * Records come from ofproto (struct listener's `sample`), are encoded at once (sflow.h) and
 * gathered into a datagram that leaves when the next sample does not fit or after FLUSH_MS; the
 * timer runs only while something waits.  Each datagram goes to every collector over UDP and to
 * RUN_DIR/samples.sock (sample-socket.h).  While there is nobody to send to, nothing is encoded.
 * With collectors there are counter samples of every port, too, every COUNTERS_S seconds.
 *
 * A collector is `IP[:PORT] [agent=IP]`.  The switch's agent address is the first collector's: its
 * agent=, else the source address of the route to it; 127.0.0.1 while there is none.
 * agent= of another collector holds for what is sent there.
 *
 * Sending never waits and is never logged: what the kernel does not take is counted.  The control
 * thread's. */
#ifndef SLUICE_CTL_COLLECTORS_H
#define SLUICE_CTL_COLLECTORS_H

#include <event2/event.h>

#include "ofproto/ofproto.h"

enum { COLLECTORS_MAX = 16, FLUSH_MS = 50, COUNTERS_S = 20 };

struct collectors;

/* Listens to ofproto; `socket_path` is the local socket's. */
struct collectors *collectors_create(struct event_base *base, struct ofproto *o,
				     const char *socket_path);
void collectors_destroy(struct collectors *c); /* NULL: nothing; before ofproto's end */
/* Counters of every port join what waits: what the timer does every COUNTERS_S. */
void collectors_put_counters(struct collectors *c);

/* One address is one collector: the same twice is refused; who ends it need not say agent=.  `kept`
 * gets its one canonical text, which the store keeps. */
enum { COLLECTOR_TEXT = 128 };
int collectors_add(struct collectors *c, const char *text, char kept[COLLECTOR_TEXT],
		   struct refusal *r);
int collectors_del(struct collectors *c, const char *text, char kept[COLLECTOR_TEXT],
		   struct refusal *r);
bool collectors_there(struct collectors *c, const char *text); /* with the same agent= */

struct collector_stats {
	const char *address; /* IP:PORT */
	struct ip agent;     /* what its datagrams carry */
	uint64_t sent, failed;
	const char *last_error; /* NULL: none */
};
struct collectors_stats {
	uint64_t samples;   /* encoded */
	uint64_t unheard;   /* records while nobody was there */
	uint64_t datagrams; /* made, each for everyone */
	bool watched;       /* somebody has bound the local socket */
	uint64_t local_sent, local_lost;
};
void collectors_stats(const struct collectors *c, struct collectors_stats *stats);
void collectors_each(const struct collectors *c,
		     void (*fn)(void *arg, const struct collector_stats *s), void *arg);

#endif
