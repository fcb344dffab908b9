/* SPDX-License-Identifier: Apache-2.0 */
/* TLS handshakes of those who came to a listener.
 *
 * Until a handshake is done nobody knows who is there, and each costs memory and arithmetic.  So
 * there are HANDSHAKES_MAX at one time, where the oldest that does not wait for us gives way, and
 * each has HANDSHAKE_S seconds from its first octet to its last.  What has come is worked on in
 * steps, the oldest handshake first; after HANDSHAKES_BUSY_NS of the thread's own time comes a rest
 * as long, whoever knocks: that is everybody else's.  While HANDSHAKES_READY wait for a step,
 * nobody else should be accepted.  No octet of OpenFlow is read before its end. */
#ifndef SLUICE_CTL_HANDSHAKE_H
#define SLUICE_CTL_HANDSHAKE_H

#include <event2/bufferevent.h>
#include <openssl/ssl.h>

#include "lib/base.h"

enum {
	HANDSHAKES_MAX = 64,
	HANDSHAKES_READY = 16,
	HANDSHAKE_S = 5,
	HANDSHAKES_BUSY_NS = 1000 * 1000,
};

struct handshake;

struct handshakes {
	struct event_base *base;
	struct handshake *first, **last; /* the oldest first */
	unsigned n, n_ready;
	uint64_t busy_ns;   /* since the last rest */
	struct event *next; /* step; pending: not before */
};

/* Told once for each: `bev` is the caller's now, or NULL and why not. */
struct handshake_end {
	void (*end)(void *arg, struct bufferevent *bev, const char *remote, const char *why);
	void *arg;
};

void handshakes_init(struct handshakes *h, struct event_base *base);
void handshakes_free(struct handshakes *h); /* there is none left */
/* Takes the descriptor and the session. */
void handshake_begin(struct handshakes *h, int fd, SSL *ssl, const char *remote,
		     const struct handshake_end *end);
/* Forgets those of `arg`, which hears nothing. */
void handshakes_forget(struct handshakes *h, const void *arg);

static inline bool handshakes_busy(const struct handshakes *h)
{
	return h->n_ready >= HANDSHAKES_READY;
}

#endif
