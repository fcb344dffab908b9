/* SPDX-License-Identifier: Apache-2.0 */
/* Who comes: listeners, with TLS or without. */
#include <errno.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/of-method.h"
#include "lib/addr.h"
#include "lib/log.h"

/* So many are let in before those who were are looked at: a hello that has come already counts
 * before the next ones need room.  With TLS none is while handshakes wait for us. */
enum { BACKLOG = 1024, ACCEPTS_A_TURN = 16, HANDSHAKES_WAIT_US = 1000 };

static void remote_text(const struct of_method *m, const struct sockaddr *address, char *text,
			size_t room)
{
	const char *kind = m->method.tls ? "ssl" : "tcp";
	char ip[IP_TEXT];

	if (m->method.local) {
		snprintf(text, room, "%s", m->text);
	} else if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;
		struct ip v4 = ip_v4(in->sin_addr.s_addr);

		snprintf(text, room, "%s:%s:%u", kind, ip_text(&v4, ip), be16toh(in->sin_port));
	} else {
		const struct sockaddr_in6 *in6 = (const void *)address;
		struct ip v6 = ip_v6(&in6->sin6_addr);

		snprintf(text, room, "%s:[%s]:%u", kind, ip_text(&v6, ip), be16toh(in6->sin6_port));
	}
}

static void accept_plain(struct of_method *m, int fd, const char *remote)
{
	struct bufferevent *bev =
		bufferevent_socket_new(m->of->server.base, fd, BEV_OPT_CLOSE_ON_FREE);

	if (!bev)
		abort();
	method_conn(m, bev, remote);
}

/* A peer that its TLS let in, or one that it kept out. */
static void handshake_done(void *arg, struct bufferevent *bev, const char *remote, const char *why)
{
	struct of_method *m = arg;

	if (bev) {
		method_conn(m, bev, remote);
		return;
	}
	method_turned_away(m, remote, why);
}

static void accept_tls(struct of_method *m, int fd, const char *remote)
{
	const struct handshake_end end = {handshake_done, m};
	struct refusal r = {0};
	SSL *ssl = method_session(m, &r);

	if (ssl) {
		handshake_begin(&m->of->handshakes, fd, ssl, remote, &end);
		return;
	}
	close(fd);
	handshake_done(m, NULL, remote, r.text);
}

static bool must_wait(const struct of_method *m)
{
	return m->method.tls && handshakes_busy(&m->of->handshakes);
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		     int size, void *arg)
{
	struct of_method *m = arg;
	const struct timeval none = {0, 0};
	char remote[128];

	(void)size;
	if (++m->n_accepted == ACCEPTS_A_TURN || must_wait(m)) {
		evconnlistener_disable(listener);
		event_add(m->again, &none);
	}
	remote_text(m, address, remote, sizeof remote);
	method_no_delay(m, fd);
	if (m->method.tls)
		accept_tls(m, fd, remote);
	else
		accept_plain(m, fd, remote);
}

/* No descriptor is left, or no memory: the queue of the listener can wait a second. */
static void accept_failed(struct evconnlistener *listener, void *arg)
{
	struct of_method *m = arg;
	const struct timeval second = {1, 0};

	m->n_accept_failed++;
	snprintf(m->last_error, sizeof m->last_error, "cannot accept: %s",
		 strerrordesc_np(EVUTIL_SOCKET_ERROR()));
	LOG(WARN, "openflow: %s: %s; trying again in a second", m->text, m->last_error);
	evconnlistener_disable(listener);
	event_add(m->again, &second);
}

static void accept_again(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval wait = {0, HANDSHAKES_WAIT_US};
	struct of_method *m = arg;

	(void)fd;
	(void)what;
	m->n_accepted = 0;
	if (must_wait(m))
		event_add(m->again, &wait);
	else
		evconnlistener_enable(m->listener);
}

int method_listen(struct of_method *m, struct refusal *r)
{
	int fd = method_bind(&m->method, r);

	if (fd < 0)
		return fd;
	m->listener =
		evconnlistener_new(m->of->server.base, accepted, m,
				   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (!m->listener) {
		close(fd);
		return refuse(r, SYSTEM, "method", "listen: %s", strerrordesc_np(errno));
	}
	m->again = event_new(m->of->server.base, -1, 0, accept_again, m);
	if (!m->again)
		abort();
	evconnlistener_set_error_cb(m->listener, accept_failed);
	return 0;
}
