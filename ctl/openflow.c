/* SPDX-License-Identifier: Apache-2.0 */
/* Methods: who listens, who is dialled and when again; and the news from ofproto for everyone. */
#include "ctl/openflow.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/method.h"
#include "ctl/msg.h"
#include "ctl/ofconn.h"
#include "lib/addr.h"
#include "lib/log.h"

enum {
	CONNECTIONS_MAX = 256, /* of listeners; dialled ones are as many as there are methods */
	BACKOFF_MAX_S = 8,
	BACKLOG = 128,
};

/* One method as added: a listener with any number of connections, or one that is dialled. */
struct of_method {
	struct openflow *of;
	struct of_method *next;
	struct method method;
	struct evconnlistener *listener;
	struct bufferevent *dialling; /* until it is connected */
	struct ofconn *conn;          /* dialled; NULL: none */
	struct event *again;          /* to dial, or to accept, after a failure */
	unsigned backoff_s;
	char last_error[160];
	char text[];
};

struct openflow {
	struct ofserver server;
	struct listener news;
	struct of_method *methods;
};

/* ---- News ------------------------------------------------------------------------------- */

static void news_flow_removed(struct listener *l, const struct flow_removed *fr)
{
	async_flow_removed(&container_of(l, struct openflow, news)->server, fr);
}

static void news_packet_in(struct listener *l, const struct event_packet_in *pi,
			   const struct flow *flow)
{
	async_packet_in(&container_of(l, struct openflow, news)->server, pi, flow);
}

static void news_port_status(struct listener *l, const struct port *port, uint8_t reason)
{
	async_port_status(&container_of(l, struct openflow, news)->server, port, reason);
}

/* ---- Listening -------------------------------------------------------------------------- */

static void no_delay(evutil_socket_t fd, const struct method *m)
{
	int on = 1;

	if (!m->local)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void remote_text(const struct of_method *m, const struct sockaddr *address, char *text,
			size_t room)
{
	char ip[IP_TEXT];

	if (m->method.local) {
		snprintf(text, room, "%s", m->text);
	} else if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;
		struct ip v4 = ip_v4(in->sin_addr.s_addr);

		snprintf(text, room, "tcp:%s:%u", ip_text(&v4, ip), be16toh(in->sin_port));
	} else {
		const struct sockaddr_in6 *in6 = (const void *)address;
		struct ip v6 = ip_v6(&in6->sin6_addr);

		snprintf(text, room, "tcp:[%s]:%u", ip_text(&v6, ip), be16toh(in6->sin6_port));
	}
}

/* Room for one more: at the bound, the oldest that has not said hello gives way (connections are
 * listed the newest first). */
static bool make_room(struct ofserver *s)
{
	struct ofconn *oldest = NULL;

	if (s->n_conns < CONNECTIONS_MAX)
		return true;
	for (struct ofconn *c = s->conns; c; c = c->next) {
		if (c->state == OFCONN_HELLO)
			oldest = c;
	}
	if (oldest)
		ofconn_end(oldest, "no hello yet, and others are waiting");
	return oldest != NULL;
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		     int size, void *arg)
{
	struct of_method *m = arg;
	struct ofserver *s = &m->of->server;
	struct bufferevent *bev;
	char remote[128];

	(void)listener;
	(void)size;
	remote_text(m, address, remote, sizeof remote);
	bev = make_room(s) ? bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE) : NULL;
	if (!bev) {
		LOG(WARN, "openflow: %s: refused: there are %u connections", remote, s->n_conns);
		close(fd);
		return;
	}
	no_delay(fd, &m->method);
	ofconn_create(s, bev, m->text, remote)->visitor = m->method.local;
}

/* No descriptor is left, or no memory: the queue of the listener can wait a second. */
static void accept_failed(struct evconnlistener *listener, void *arg)
{
	struct of_method *m = arg;
	const struct timeval second = {1, 0};

	LOG(WARN, "openflow: %s: cannot accept: %s; trying again in a second", m->text,
	    strerrordesc_np(EVUTIL_SOCKET_ERROR()));
	evconnlistener_disable(listener);
	event_add(m->again, &second);
}

static void accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct of_method *m = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(m->listener);
}

static int method_listen(struct of_method *m, struct refusal *r)
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

/* ---- Dialling --------------------------------------------------------------------------- */

/* Again in 1, 2, 4, then every 8 seconds. */
static void dial_later(struct of_method *m)
{
	struct timeval tv;

	m->backoff_s = m->backoff_s ? MIN(m->backoff_s * 2, (unsigned)BACKOFF_MAX_S) : 1;
	tv = (struct timeval){m->backoff_s, 0};
	event_add(m->again, &tv);
}

static void dialled_ended(struct ofconn *c, void *arg)
{
	struct of_method *m = arg;

	m->conn = NULL;
	if (c->last_error[0])
		memcpy(m->last_error, c->last_error, sizeof m->last_error);
	if (c->greeted)
		m->backoff_s = 0;
	dial_later(m);
}

static void dial_failed(struct of_method *m, const char *why)
{
	snprintf(m->last_error, sizeof m->last_error, "%s", why);
	LOG(INFO, "openflow: %s: cannot connect: %s", m->text, why);
	if (m->dialling)
		bufferevent_free(m->dialling);
	m->dialling = NULL;
	dial_later(m);
}

static void dial_event(struct bufferevent *bev, short what, void *arg)
{
	struct of_method *m = arg;

	if (!(what & BEV_EVENT_CONNECTED)) {
		dial_failed(m, what & BEV_EVENT_TIMEOUT ? "no answer"
							: strerrordesc_np(EVUTIL_SOCKET_ERROR()));
		return;
	}
	no_delay(bufferevent_getfd(bev), &m->method);
	bufferevent_set_timeouts(bev, NULL, NULL);
	m->dialling = NULL;
	m->conn = ofconn_create(&m->of->server, bev, m->text, m->text);
	m->conn->ended = dialled_ended;
	m->conn->ended_arg = m;
}

static void dial(evutil_socket_t fd, short what, void *arg)
{
	struct of_method *m = arg;
	const struct timeval deadline = {OFCONN_HANDSHAKE_S, 0};

	(void)fd;
	(void)what;
	m->dialling = bufferevent_socket_new(m->of->server.base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!m->dialling)
		abort();
	bufferevent_setcb(m->dialling, NULL, NULL, dial_event, m);
	bufferevent_set_timeouts(m->dialling, NULL, &deadline);
	bufferevent_enable(m->dialling, EV_WRITE);
	/* A failure at once is told by the callback, which frees it. */
	if (bufferevent_socket_connect(m->dialling, &m->method.address.any, (int)m->method.size) &&
	    m->dialling)
		dial_failed(m, strerrordesc_np(errno));
}

static void method_dial(struct of_method *m)
{
	const struct timeval now = {0, 0};

	m->again = event_new(m->of->server.base, -1, 0, dial, m);
	if (!m->again)
		abort();
	event_add(m->again, &now);
}

/* ---- Methods ---------------------------------------------------------------------------- */

static struct of_method **method_find(struct openflow *of, const char *text)
{
	struct of_method **m = &of->methods;

	while (*m && strcmp((*m)->text, text))
		m = &(*m)->next;
	return m;
}

/* Those that came by a method. */
static void end_conns(struct ofserver *s, const char *method)
{
	struct ofconn *c, *next;

	for (c = s->conns; c; c = next) {
		next = c->next;
		if (c->method == method)
			ofconn_end(c, "");
	}
}

static void method_free(struct of_method *m)
{
	if (m->conn)
		m->conn->ended = NULL;
	end_conns(&m->of->server, m->text);
	if (m->dialling)
		bufferevent_free(m->dialling);
	if (m->again)
		event_free(m->again);
	if (m->listener) {
		if (m->method.local)
			unlink(m->method.address.un.sun_path);
		evconnlistener_free(m->listener);
	}
	free(m);
}

int openflow_add(struct openflow *of, const char *text, struct refusal *r)
{
	struct of_method **end = method_find(of, text), *m;
	struct method method;
	int error;

	if (*end)
		return refuse(r, EXISTS, "method", "%s is there already", text);
	error = method_parse(text, &method, r);
	if (error)
		return error;
	m = calloc(1, sizeof *m + strlen(text) + 1);
	if (!m)
		abort();
	m->of = of;
	m->method = method;
	memcpy(m->text, text, strlen(text) + 1);
	if (method.passive)
		error = method_listen(m, r);
	else
		method_dial(m);
	if (error)
		free(m);
	else
		*end = m;
	return error;
}

int openflow_del(struct openflow *of, const char *text, struct refusal *r)
{
	struct of_method **at = method_find(of, text), *m = *at;

	if (!m)
		return refuse(r, NOT_FOUND, "method", "%s is not there", text);
	*at = m->next;
	method_free(m);
	return 0;
}

static void tell_conn(const struct ofconn *c, void (*fn)(void *arg, const struct openflow_peer *p),
		      void *arg)
{
	struct openflow_peer p = {.method = c->method,
				  .remote = c->remote,
				  .connected = c->state == OFCONN_READY,
				  .since_ns = c->since_ns,
				  .n_rx = c->n_rx,
				  .n_tx = c->n_tx,
				  .n_errors = c->n_errors,
				  .last_error = c->last_error[0] ? c->last_error : NULL};

	fn(arg, &p);
}

void openflow_peers(struct openflow *of, void (*fn)(void *arg, const struct openflow_peer *p),
		    void *arg)
{
	for (const struct of_method *m = of->methods; m; m = m->next) {
		struct openflow_peer p = {.method = m->text,
					  .last_error = m->last_error[0] ? m->last_error : NULL};

		if (!m->conn)
			fn(arg, &p);
	}
	for (const struct ofconn *c = of->server.conns; c; c = c->next)
		tell_conn(c, fn, arg);
}

struct openflow *openflow_create(struct event_base *base, struct ofproto *o)
{
	struct openflow *of = calloc(1, sizeof *of);

	if (!of)
		abort();
	signal(SIGPIPE, SIG_IGN); /* a peer that has gone is an error of write(), no more */
	of->server.base = base;
	of->server.ofproto = o;
	of->news.flow_removed = news_flow_removed;
	of->news.packet_in = news_packet_in;
	of->news.port_status = news_port_status;
	ofproto_listen(o, &of->news);
	return of;
}

void openflow_destroy(struct openflow *of)
{
	struct of_method *m;

	if (!of)
		return;
	ofproto_unlisten(of->server.ofproto, &of->news);
	while ((m = of->methods)) {
		of->methods = m->next;
		method_free(m);
	}
	packet_buffers_free(&of->server.buffers);
	free(of);
}
