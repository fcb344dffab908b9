/* SPDX-License-Identifier: Apache-2.0 */
/* TLS handshakes of those who came to a listener.
 *
 * Until a handshake is done nobody knows who is there, and each costs memory and arithmetic.  So
 * there are HANDSHAKES_MAX at one time, where the oldest gives way, and each has HANDSHAKE_S
 * seconds from its first octet to its last.  No octet of OpenFlow is read before its end. */
#ifndef SLUICE_CTL_HANDSHAKE_H
#define SLUICE_CTL_HANDSHAKE_H

#include <event2/bufferevent.h>
#include <openssl/ssl.h>

#include "lib/base.h"

enum { HANDSHAKES_MAX = 64, HANDSHAKE_S = 5 };

struct handshake;

struct handshakes {
	struct event_base *base;
	struct handshake *first, **last; /* the oldest first */
	unsigned n;
};

/* Told once for each: `bev` is the caller's now, or NULL and why not. */
struct handshake_end {
	void (*end)(void *arg, struct bufferevent *bev, const char *remote, const char *why);
	void *arg;
};

void handshakes_init(struct handshakes *h, struct event_base *base);
/* Takes the descriptor and the session. */
void handshake_begin(struct handshakes *h, int fd, SSL *ssl, const char *remote,
		     const struct handshake_end *end);
/* Forgets those of `arg`, which hears nothing. */
void handshakes_forget(struct handshakes *h, const void *arg);

#endif
