/* SPDX-License-Identifier: Apache-2.0 */
/* Whom we dial, and when again. */
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "ctl/of-method.h"
#include "lib/log.h"

enum { BACKOFF_MS = 1000, BACKOFF_MAX_MS = 8000 };

/* Many switches lose one controller at one time: they do not come back at one time, too. */
unsigned openflow_pause_ms(unsigned n_failures, uint32_t chance)
{
	unsigned ms = BACKOFF_MS << MIN(n_failures ? n_failures - 1 : 0, 8u);

	ms = MIN(ms, (unsigned)BACKOFF_MAX_MS);
	return ms - (unsigned)((uint64_t)ms * chance >> 34); /* up to a quarter less */
}

static void dial_later(struct of_method *m)
{
	uint32_t chance = 0;
	struct timeval tv;
	unsigned ms;

	if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != sizeof chance)
		chance = 0;
	ms = openflow_pause_ms(++m->n_failures, chance);
	tv = (struct timeval){ms / 1000, ms % 1000 * 1000};
	event_add(m->again, &tv);
	openflow_mind_fail_mode(m->of);
}

static void dialled_ended(struct ofconn *c, void *arg)
{
	struct of_method *m = arg;

	if (m->main)
		auxiliary_ended(m, c);
	else
		auxiliaries_stop(m);
	m->conn = NULL;
	if (c->last_error[0])
		memcpy(m->last_error, c->last_error, sizeof m->last_error);
	if (c->greeted)
		m->n_failures = 0;
	else if (!c->last_error[0])
		snprintf(m->last_error, sizeof m->last_error, "it hung up before any hello");
	dial_later(m);
}

static void dialled_ready(struct ofconn *c, void *arg)
{
	struct of_method *m = arg;

	(void)c;
	if (m->main) {
		auxiliary_ready(m);
		return;
	}
	auxiliaries_begin(m);
	openflow_mind_fail_mode(m->of);
}

static void dial_failed(struct of_method *m, const char *why)
{
	/* The same again and again is said at its beginning. */
	if (m->n_failures < 2 || strcmp(m->last_error, why))
		LOG(INFO, "openflow: %s: cannot connect: %s; it is dialled again", m->text, why);
	snprintf(m->last_error, sizeof m->last_error, "%s", why);
	if (m->dialling)
		bufferevent_free(m->dialling);
	m->dialling = NULL;
	event_del(m->deadline);
	dial_later(m);
}

static void dial_event(struct bufferevent *bev, short what, void *arg)
{
	struct of_method *m = arg;
	char why[160];

	if (!(what & BEV_EVENT_CONNECTED)) {
		tls_why(bev, what, why, sizeof why);
		dial_failed(m, why);
		return;
	}
	method_no_delay(m, bufferevent_getfd(bev));
	event_del(m->deadline);
	m->dialling = NULL;
	m->conn = method_conn(m, bev, m->text);
	if (!m->conn) {
		dial_later(m);
		return;
	}
	m->conn->main = m->main ? m->main->conn : NULL;
	m->conn->auxiliary_id = m->auxiliary_id;
	m->conn->ended = dialled_ended;
	m->conn->ready = dialled_ready;
	m->conn->told_arg = m;
}

static void dial_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dial_failed(arg, "no answer");
}

static struct bufferevent *dial_bev(struct of_method *m, struct refusal *r)
{
	struct event_base *base = m->of->server.base;
	SSL *ssl;

	if (!m->method.tls)
		return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	ssl = method_session(m, r);
	return ssl ? bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
						    BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS)
		   : NULL;
}

static void dial(evutil_socket_t fd, short what, void *arg)
{
	struct of_method *m = arg;
	const struct timeval deadline = {OFCONN_HANDSHAKE_S, 0};
	struct refusal r = {.text = "no memory"};

	(void)fd;
	(void)what;
	m->dialling = dial_bev(m, &r);
	if (!m->dialling) {
		dial_failed(m, r.text);
		return;
	}
	bufferevent_setcb(m->dialling, NULL, NULL, dial_event, m);
	event_add(m->deadline, &deadline);
	bufferevent_enable(m->dialling, EV_WRITE);
	/* A failure at once is told by the callback, which frees it. */
	if (bufferevent_socket_connect(m->dialling, &m->method.address.any, (int)m->method.size) &&
	    m->dialling)
		dial_failed(m, strerrordesc_np(errno));
}

void method_dial(struct of_method *m)
{
	const struct timeval now = {0, 0};

	m->again = event_new(m->of->server.base, -1, 0, dial, m);
	m->deadline = event_new(m->of->server.base, -1, 0, dial_deadline, m);
	if (!m->again || !m->deadline)
		abort();
	if (!m->main)
		event_add(m->again, &now);
}
