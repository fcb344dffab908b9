/* SPDX-License-Identifier: Apache-2.0 */
/* Methods and their connections; and the news from ofproto for everyone. */
#include "ctl/openflow.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/msg.h"
#include "ctl/of-method.h"
#include "lib/log.h"

enum { CONNECTIONS_MAX = 256 }; /* of listeners; dialled ones are as many as there are methods */

/* Who dials counts: see fail-mode.h. */
void openflow_mind_fail_mode(struct openflow *of)
{
	bool wanted = false, there = false;

	for (const struct of_method *m = of->methods; m; m = m->next) {
		wanted |= !m->method.passive;
		there |= m->conn && m->conn->state == OFCONN_READY;
	}
	fail_mode_run(&of->fail_mode, wanted, there);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	openflow_mind_fail_mode(arg);
}

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

/* ---- Connections ------------------------------------------------------------------------ */

void method_no_delay(const struct of_method *m, evutil_socket_t fd)
{
	int on = 1;

	if (!m->method.local)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static struct of_method **method_find(struct openflow *of, const char *text)
{
	struct of_method **m = &of->methods;

	while (*m && strcmp((*m)->text, text))
		m = &(*m)->next;
	return m;
}

void method_turned_away(struct of_method *m, const char *remote, const char *why)
{
	m->n_turned_away++;
	snprintf(m->last_error, sizeof m->last_error, "%.60s: %.90s", remote, why);
	LOG(INFO, "openflow: %s: turned away: %s", remote, why);
}

/* Room for one more: at the bound, the oldest that has not said hello gives way (connections are
 * listed the newest first). */
static bool make_room(struct openflow *of)
{
	struct ofserver *s = &of->server;
	struct ofconn *oldest = NULL;
	struct of_method *m;

	if (s->n_conns < CONNECTIONS_MAX)
		return true;
	for (struct ofconn *c = s->conns; c; c = c->next) {
		if (c->state == OFCONN_HELLO)
			oldest = c;
	}
	if (!oldest)
		return false;
	m = *method_find(of, oldest->method);
	if (m)
		method_turned_away(m, oldest->remote, "no hello yet, and others are waiting");
	ofconn_end(oldest, "");
	return true;
}

/* A handshake that began with the files before is none with those that are in effect. */
static bool is_trusted(const struct of_method *m, struct bufferevent *bev, char *why, size_t room)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	return !ssl || tls_trusts(m->of->tls, ssl, why, room);
}

struct ofconn *method_conn(struct of_method *m, struct bufferevent *bev, const char *remote)
{
	char why[160] = "there are 256 connections, as many as may be";
	struct ofserver *s = &m->of->server;
	struct ofconn *c;

	if (!is_trusted(m, bev, why, sizeof why) || (m->method.passive && !make_room(m->of))) {
		method_turned_away(m, remote, why);
		tls_close(bev);
		bufferevent_free(bev);
		return NULL;
	}
	c = ofconn_create(s, bev, (m->main ? m->main : m)->text, remote);
	tls_subject(bev, c->subject, sizeof c->subject);
	if (c->subject[0]) /* logs and the journal say who it is */
		snprintf(c->remote, sizeof c->remote, "%s %s", remote, c->subject);
	c->origin = m->method.origin;
	c->visitor = m->method.passive && m->method.local;
	return c;
}

SSL *method_session(struct of_method *m, struct refusal *r)
{
	SSL *ssl = tls_session(m->of->tls, &m->method, r);

	openflow_tls_changed(m->of);
	return ssl;
}

/* ---- Methods ---------------------------------------------------------------------------- */

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
	auxiliaries_stop(m);
	for (unsigned i = 0; i < m->method.n_aux && m->aux[i]; i++)
		method_free(m->aux[i]);
	if (m->conn)
		m->conn->ended = m->conn->ready = NULL;
	handshakes_forget(&m->of->handshakes, m);
	end_conns(&m->of->server, m->text);
	if (m->dialling)
		bufferevent_free(m->dialling);
	if (m->again)
		event_free(m->again);
	if (m->deadline)
		event_free(m->deadline);
	if (m->listener) {
		if (m->method.local)
			unlink(m->method.address.un.sun_path);
		evconnlistener_free(m->listener);
	}
	free(m);
}

/* The words behind a method; they are not many. */
static int take_options(struct method *m, const char *options, struct refusal *r)
{
	char copy[256], *at = copy, *word;
	const char *words[4];
	unsigned n = 0;

	if (strlen(options) >= sizeof copy)
		return refuse(r, LIMIT, "method", "options of %zu octets are too long",
			      strlen(options));
	strcpy(copy, options);
	while ((word = strsep(&at, " "))) {
		if (!*word)
			continue;
		if (n == ARRAY_SIZE(words))
			return refuse(r, LIMIT, "method", "more than %zu options",
				      ARRAY_SIZE(words));
		words[n++] = word;
	}
	return method_options(m, n, words, r);
}

static int check_tls(const struct openflow *of, const struct method *m, struct refusal *r)
{
	if (!m->tls || tls_is_set(of->tls))
		return 0;
	return refuse(r, NOT_FOUND, "method",
		      "ssl: and pssl: need a key and certificates: `sluice-ctl set-tls` first");
}

static void warn_in_the_clear(const struct of_method *m)
{
	if (!m->method.tls && !m->method.plain && !method_is_near(&m->method))
		LOG(WARN,
		    "openflow: %s: in the clear: whoever is on the way rules the switch, too; ssl: "
		    "instead, or `plain=yes` if that is meant",
		    m->text);
}

int openflow_add(struct openflow *of, const char *text, const char *options, struct refusal *r)
{
	struct of_method **end = method_find(of, text), *m;
	struct method method;
	int error;

	if (*end)
		return refuse(r, EXISTS, "method", "%s is there already", text);
	error = method_parse(text, &method, r);
	if (!error)
		error = take_options(&method, options, r);
	if (!error)
		error = check_tls(of, &method, r);
	if (error)
		return error;
	m = calloc(1, sizeof *m + strlen(text) + strlen(options) + 2);
	if (!m)
		abort();
	m->of = of;
	m->method = method;
	strcpy(m->text, text);
	m->options = m->text + strlen(text) + 1;
	strcpy(m->options, options);
	if (method.passive) {
		error = method_listen(m, r);
	} else {
		method_dial(m);
		auxiliaries_make(m);
	}
	if (error) {
		free(m);
		return error;
	}
	*end = m;
	warn_in_the_clear(m);
	return 0;
}

int openflow_del(struct openflow *of, const char *text, struct refusal *r)
{
	struct of_method **at = method_find(of, text), *m = *at;

	if (!m)
		return refuse(r, NOT_FOUND, "method", "%s is not there", text);
	*at = m->next;
	method_free(m);
	openflow_mind_fail_mode(of);
	return 0;
}

const char *openflow_options(struct openflow *of, const char *text)
{
	const struct of_method *m = *method_find(of, text);

	return m ? m->options : NULL;
}

bool openflow_uses_tls(const struct openflow *of)
{
	for (const struct of_method *m = of->methods; m; m = m->next)
		if (m->method.tls)
			return true;
	return false;
}

struct tls *openflow_tls(struct openflow *of)
{
	return of->tls;
}

void openflow_tls_changed(struct openflow *of)
{
	struct ofconn *c, *next;

	if (of->tls_generation == tls_generation(of->tls))
		return;
	of->tls_generation = tls_generation(of->tls);
	for (c = of->server.conns; c; c = next) {
		SSL *ssl = bufferevent_openssl_get_ssl(c->bev);
		char why[160];

		next = c->next;
		if (ssl && !tls_trusts(of->tls, ssl, why, sizeof why))
			ofconn_end(c, why);
	}
}

static void tell_conn(const struct ofconn *c, void (*fn)(void *arg, const struct openflow_peer *p),
		      void *arg)
{
	struct openflow_peer p = {.method = c->method,
				  .remote = c->remote,
				  .subject = c->subject[0] ? c->subject : NULL,
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
					  .options = m->options,
					  .n_turned_away = m->n_turned_away,
					  .n_accept_failed = m->n_accept_failed,
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
	of->tls = tls_create();
	handshakes_init(&of->handshakes, base);
	of->fail_mode.ofproto = o;
	of->tick = event_new(base, -1, EV_PERSIST, on_tick, of);
	if (!of->tick)
		abort();
	event_add(of->tick, &(struct timeval){1, 0});
	of->news.flow_removed = news_flow_removed;
	of->news.packet_in = news_packet_in;
	of->news.port_status = news_port_status;
	ofproto_listen(o, &of->news);
	return of;
}

static void end_methods(struct openflow *of)
{
	struct of_method *m;

	while ((m = of->methods)) {
		of->methods = m->next;
		method_free(m);
	}
}

void openflow_destroy(struct openflow *of)
{
	if (!of)
		return;
	ofproto_unlisten(of->server.ofproto, &of->news);
	end_methods(of);
	commits_end(&of->server);
	ofproto_sync(of->server.ofproto, NULL); /* who waits knows the server */
	end_methods(of);                        /* one whose end was not written is back */
	handshakes_free(&of->handshakes);
	packet_buffers_free(&of->server.buffers);
	event_free(of->tick);
	tls_destroy(of->tls);
	free(of);
}
