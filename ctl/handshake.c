/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/handshake.h"

#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/tls.h"
#include "ctl/turn.h"

struct handshake {
	struct handshakes *all;
	struct handshake *next, **link;
	SSL *ssl;
	int fd;
	bool ready; /* for a step */
	struct event *io, *deadline;
	struct handshake_end end;
	char remote[128];
};

static void on_next(evutil_socket_t fd, short what, void *arg);

void handshakes_init(struct handshakes *h, struct event_base *base)
{
	*h = (struct handshakes){.base = base, .last = &h->first};
	h->next = evtimer_new(base, on_next, h);
	if (!h->next)
		abort();
}

void handshakes_free(struct handshakes *h)
{
	event_free(h->next);
}

static void set_ready(struct handshake *hs, bool ready)
{
	hs->all->n_ready += (unsigned)ready - (unsigned)hs->ready;
	hs->ready = ready;
}

/* Everything but the session and the descriptor. */
static void handshake_free(struct handshake *hs)
{
	set_ready(hs, false);
	*hs->link = hs->next;
	if (hs->next)
		hs->next->link = hs->link;
	else
		hs->all->last = hs->link;
	hs->all->n--;
	event_free(hs->io);
	event_free(hs->deadline);
	free(hs);
}

static void handshake_drop(struct handshake *hs)
{
	SSL_free(hs->ssl);
	close(hs->fd);
	handshake_free(hs);
}

static void handshake_fail(struct handshake *hs, const char *why)
{
	struct handshake_end end = hs->end;
	char remote[sizeof hs->remote];

	memcpy(remote, hs->remote, sizeof remote);
	handshake_drop(hs);
	end.end(end.arg, NULL, remote, why);
}

static void handshake_done(struct handshake *hs)
{
	struct handshake_end end = hs->end;
	char remote[sizeof hs->remote];
	/* Deferred: writing to such a bufferevent may otherwise call back before it returns. */
	struct bufferevent *bev =
		bufferevent_openssl_socket_new(hs->all->base, hs->fd, hs->ssl, BUFFEREVENT_SSL_OPEN,
					       BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);

	if (!bev)
		abort();
	memcpy(remote, hs->remote, sizeof remote);
	handshake_free(hs);
	end.end(end.arg, bev, remote, "");
}

/* ---- Steps ------------------------------------------------------------------------------- */

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct handshake *hs = arg;

	(void)fd;
	(void)what;
	set_ready(hs, true);
	if (!event_pending(hs->all->next, EV_TIMEOUT, NULL))
		turn_rest(hs->all->next, 0);
}

static void wait_for(struct handshake *hs, short what)
{
	event_assign(hs->io, hs->all->base, hs->fd, what, on_io, hs);
	event_add(hs->io, NULL);
}

static void step(struct handshake *hs)
{
	char why[160];
	int ret;

	set_ready(hs, false);
	ERR_clear_error();
	ret = SSL_do_handshake(hs->ssl);
	switch (SSL_get_error(hs->ssl, ret)) {
	case SSL_ERROR_NONE:
		handshake_done(hs);
		break;
	case SSL_ERROR_WANT_READ:
		wait_for(hs, EV_READ);
		break;
	case SSL_ERROR_WANT_WRITE:
		wait_for(hs, EV_WRITE);
		break;
	default:
		tls_why_not(hs->ssl, why, sizeof why);
		handshake_fail(hs, why);
	}
}

static void on_next(evutil_socket_t fd, short what, void *arg)
{
	struct handshakes *h = arg;
	struct handshake *hs = h->first, *next;
	uint64_t began = turn_busy_ns(), before = h->busy_ns, rest = 0;

	(void)fd;
	(void)what;
	for (; hs && h->busy_ns < HANDSHAKES_BUSY_NS; hs = next) {
		next = hs->next;
		if (!hs->ready)
			continue;
		step(hs);
		h->busy_ns = before + turn_busy_ns() - began;
	}
	if (h->busy_ns >= HANDSHAKES_BUSY_NS) {
		rest = h->busy_ns;
		h->busy_ns = 0;
	}
	if (rest || h->n_ready)
		turn_rest(h->next, rest);
}

/* ---- Who comes --------------------------------------------------------------------------- */

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	handshake_fail(arg, "the TLS handshake was not done in time");
}

static void make_room(struct handshakes *h)
{
	struct handshake *hs = h->first;

	if (h->n < HANDSHAKES_MAX)
		return;
	while (hs->ready && hs->next)
		hs = hs->next;
	handshake_fail(hs, "its TLS handshake is not done, and others are waiting");
}

void handshake_begin(struct handshakes *h, int fd, SSL *ssl, const char *remote,
		     const struct handshake_end *end)
{
	const struct timeval deadline = {HANDSHAKE_S, 0};
	struct handshake *hs = calloc(1, sizeof *hs);

	if (!hs)
		abort();
	make_room(h);
	hs->all = h;
	hs->fd = fd;
	hs->ssl = ssl;
	hs->end = *end;
	snprintf(hs->remote, sizeof hs->remote, "%s", remote);
	SSL_set_accept_state(ssl);
	hs->io = event_new(h->base, fd, EV_READ, on_io, hs);
	hs->deadline = evtimer_new(h->base, on_deadline, hs);
	if (!SSL_set_fd(ssl, fd) || !hs->io || !hs->deadline)
		abort();
	event_add(hs->io, NULL);
	evtimer_add(hs->deadline, &deadline);
	hs->link = h->last;
	*h->last = hs;
	h->last = &hs->next;
	h->n++;
}

void handshakes_forget(struct handshakes *h, const void *arg)
{
	struct handshake *next;

	for (struct handshake *hs = h->first; hs; hs = next) {
		next = hs->next;
		if (hs->end.arg == arg)
			handshake_drop(hs);
	}
}
