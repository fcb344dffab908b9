/* SPDX-License-Identifier: Apache-2.0 */
/* The unix datagram socket that samples always go to, if somebody has bound it.
 *
 * The local watcher binds RUN_DIR/samples.sock; sluiced connects to it when it has something to
 * send, and again once a second while nobody is there.  The kernel queues few datagrams of a unix
 * socket, so those that it does not take wait here, in order, until it does; when these are full,
 * what comes is lost and counted.  Nothing blocks and nothing is logged.
 *
 * The control thread's. */
#ifndef SLUICE_CTL_SAMPLE_SOCKET_H
#define SLUICE_CTL_SAMPLE_SOCKET_H

#include <event2/event.h>

#include "lib/base.h"

enum { SAMPLE_SOCKET_WAITING = 256 }; /* datagrams of at most SFLOW_DATAGRAM_MAX octets */

struct sample_socket;

struct sample_socket_counters {
	uint64_t sent, lost; /* datagrams; lost: no room, or who was there has gone */
	bool connected;
};

/* `path` is copied; NULL when it is too long for a socket. */
struct sample_socket *sample_socket_create(struct event_base *base, const char *path);
void sample_socket_destroy(struct sample_socket *s); /* NULL: nothing */

/* Somebody is there, or may be by now; `now` in ns, on a clock that does not go back. */
bool sample_socket_wanted(struct sample_socket *s, uint64_t now);
void sample_socket_send(struct sample_socket *s, const void *data, size_t size, uint64_t now);
struct sample_socket_counters sample_socket_counters(const struct sample_socket *s);

#endif
