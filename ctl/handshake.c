/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/handshake.h"

#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/tls.h"

struct handshake {
	struct handshakes *all;
	struct handshake *next, **link;
	struct bufferevent *bev;
	struct event *deadline;
	struct handshake_end end;
	char remote[128];
};

void handshakes_init(struct handshakes *h, struct event_base *base)
{
	*h = (struct handshakes){.base = base, .last = &h->first};
}

/* Everything but the bufferevent. */
static void handshake_free(struct handshake *hs)
{
	*hs->link = hs->next;
	if (hs->next)
		hs->next->link = hs->link;
	else
		hs->all->last = hs->link;
	hs->all->n--;
	event_free(hs->deadline);
	free(hs);
}

static void handshake_fail(struct handshake *hs, const char *why)
{
	struct handshake_end end = hs->end;
	char remote[sizeof hs->remote];

	memcpy(remote, hs->remote, sizeof remote);
	bufferevent_free(hs->bev);
	handshake_free(hs);
	end.end(end.arg, NULL, remote, why);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct handshake *hs = arg;
	struct handshake_end end = hs->end;
	char why[160], remote[sizeof hs->remote];

	if (!(what & BEV_EVENT_CONNECTED)) {
		tls_why(bev, what, why, sizeof why);
		handshake_fail(hs, why);
		return;
	}
	memcpy(remote, hs->remote, sizeof remote);
	handshake_free(hs);
	end.end(end.arg, bev, remote, "");
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	handshake_fail(arg, "the TLS handshake was not done in time");
}

void handshake_begin(struct handshakes *h, int fd, SSL *ssl, const char *remote,
		     const struct handshake_end *end)
{
	const struct timeval deadline = {HANDSHAKE_S, 0};
	struct handshake *hs = calloc(1, sizeof *hs);

	if (!hs)
		abort();
	if (h->n == HANDSHAKES_MAX)
		handshake_fail(h->first, "its TLS handshake is not done, and others are waiting");
	hs->all = h;
	hs->end = *end;
	snprintf(hs->remote, sizeof hs->remote, "%s", remote);
	/* Deferred: writing to such a bufferevent may otherwise call back before it returns. */
	hs->bev = bufferevent_openssl_socket_new(h->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
						 BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	hs->deadline = evtimer_new(h->base, on_deadline, hs);
	if (!hs->bev || !hs->deadline)
		abort();
	bufferevent_setcb(hs->bev, NULL, NULL, on_event, hs);
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
		if (hs->end.arg != arg)
			continue;
		bufferevent_free(hs->bev);
		handshake_free(hs);
	}
}
