/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: one connection a POST, closed behind it.  Nothing of a URL but the host is logged. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <event2/http.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"
#include "utilities/watch/alert-way.h"

enum { HOST_OCTETS = 256, HEADERS_MAX = 16384 };

struct web {
	SSL_CTX *tls;             /* NULL until the first https */
	struct evdns_base *names; /* NULL until the first host that is no address */
};

struct url {
	struct evhttp_uri *parts;
	bool tls;
	uint16_t port;
	struct ip ip;           /* family 0: a name */
	char host[HOST_OCTETS]; /* without brackets */
};

struct post {
	struct letter *letter;
	struct evhttp_connection *conn;
	struct event *end; /* when time is up, or activated by the answer */
	SSL *ssl;          /* the connection's; NULL: http */
	char host[HOST_OCTETS];
	bool well;
	char why[128];
};

/* ---- URLs -------------------------------------------------------------------------------- */

static const char *url_fault(struct url *u, const char *text)
{
	const char *scheme, *host;
	size_t size;
	int port;

	u->parts = strlen(text) < 2048 ? evhttp_uri_parse(text) : NULL;
	if (!u->parts)
		return "it is no URL of fewer than 2048 characters";
	scheme = evhttp_uri_get_scheme(u->parts);
	if (!scheme || (strcasecmp(scheme, "http") && strcasecmp(scheme, "https")))
		return "its scheme is neither http nor https";
	u->tls = !strcasecmp(scheme, "https");
	host = evhttp_uri_get_host(u->parts);
	size = host ? strlen(host) : 0;
	if (!size || size >= sizeof u->host)
		return "it has no host";
	if (evhttp_uri_get_userinfo(u->parts))
		return "it has a user's name in front of the host, which is not supported";
	if (host[0] == '[')
		snprintf(u->host, sizeof u->host, "%.*s", (int)size - 2, host + 1);
	else
		strcpy(u->host, host);
	ip_parse(u->host, &u->ip);
	port = evhttp_uri_get_port(u->parts);
	if (!port || port > UINT16_MAX)
		return "its port is not between 1 and 65535";
	u->port = (uint16_t)(port > 0 ? port : u->tls ? 443 : 80);
	return NULL;
}

static void url_free(struct url *u)
{
	if (u->parts)
		evhttp_uri_free(u->parts);
}

int web_check(const char *url, struct refusal *r)
{
	struct url u = {0};
	const char *fault = url_fault(&u, url);

	url_free(&u);
	if (fault)
		return refuse(
			r, BAD_VALUE, "alert",
			"option alert: webhook: the URL is refused (it is not repeated here): %s; "
			"http[s]://HOST[:PORT]/… is expected",
			fault);
	return 0;
}

/* ---- One POST ---------------------------------------------------------------------------- */

static SSL_CTX *tls_of(struct alert_way *w)
{
	struct web *web = w->own;
	const char *ca = w->config.ca_file;

	if (web->tls)
		return web->tls;
	web->tls = SSL_CTX_new(TLS_client_method());
	if (!web->tls)
		return NULL;
	SSL_CTX_set_min_proto_version(web->tls, TLS1_2_VERSION);
	SSL_CTX_set_verify(web->tls, SSL_VERIFY_PEER, NULL);
	if (ca ? SSL_CTX_load_verify_file(web->tls, ca) != 1
	       : SSL_CTX_set_default_verify_paths(web->tls) != 1)
		LOG(WARN, "alert: no certificates to trust can be read: https will fail");
	return web->tls;
}

/* A TLS connection that believes only a certificate for the URL's host. */
static struct bufferevent *tls_start(struct alert_way *w, const struct url *u, struct post *p)
{
	SSL_CTX *tls = tls_of(w);
	SSL *ssl = tls ? SSL_new(tls) : NULL;
	struct bufferevent *bev;
	bool named =
		ssl && (u->ip.family ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), u->host)
				     : SSL_set1_host(ssl, u->host) &&
					       SSL_set_tlsext_host_name(ssl, u->host));

	bev = named ? bufferevent_openssl_socket_new(
			      w->config.base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
			      BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS)
		    : NULL;
	if (!bev)
		SSL_free(ssl);
	else
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	p->ssl = bev ? ssl : NULL;
	return bev;
}

static struct evdns_base *names_of(struct alert_way *w, const struct url *u)
{
	struct web *web = w->own;

	if (!u->ip.family && !web->names)
		web->names =
			evdns_base_new(w->config.base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
							       EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	return u->ip.family ? NULL : web->names;
}

static void post_free(struct post *p)
{
	if (p->conn)
		evhttp_connection_free(p->conn);
	if (p->end)
		event_free(p->end);
	free(p);
}

/* The answer, or none.  The connection must live on until libevent has returned. */
static void on_answer(struct evhttp_request *q, void *arg)
{
	struct post *p = arg;
	int code = q ? evhttp_request_get_response_code(q) : 0;
	long verify = p->ssl ? SSL_get_verify_result(p->ssl) : X509_V_OK;

	p->well = code >= 200 && code < 300;
	if (verify != X509_V_OK)
		snprintf(p->why, sizeof p->why, "its certificate is refused: %s",
			 X509_verify_cert_error_string(verify));
	else if (code)
		snprintf(p->why, sizeof p->why, "status %d", code);
	else
		snprintf(p->why, sizeof p->why, "no connection, or no answer");
	event_active(p->end, EV_TIMEOUT, 1);
}

static void on_end(evutil_socket_t fd, short events, void *arg)
{
	struct post *p = arg;
	struct letter *l = p->letter;
	bool well = p->well;

	(void)fd;
	(void)events;
	if (!well)
		LOG(WARN, "alert: webhook at %s: %s", p->host, p->why);
	post_free(p);
	letter_end(l, well);
}

static int ask(struct post *p, const struct url *u)
{
	const char *path = evhttp_uri_get_path(u->parts), *query = evhttp_uri_get_query(u->parts);
	struct evhttp_request *q = evhttp_request_new(on_answer, p);
	struct evkeyvalq *headers = q ? evhttp_request_get_output_headers(q) : NULL;
	char host[HOST_OCTETS + 16], *where = NULL;
	int error;

	if (!q || asprintf(&where, "%s%s%s", path && *path ? path : "/", query ? "?" : "",
			   query ? query : "") < 0)
		abort();
	snprintf(host, sizeof host, u->ip.family == 6 ? "[%s]:%u" : "%s:%u", u->host, u->port);
	evhttp_add_header(headers, "Host", host);
	evhttp_add_header(headers, "User-Agent", "sluice-watch");
	evhttp_add_header(headers, "Content-Type", "application/json");
	evhttp_add_header(headers, "Connection", "close");
	evbuffer_add(evhttp_request_get_output_buffer(q), p->letter->text, strlen(p->letter->text));
	error = evhttp_make_request(p->conn, q, EVHTTP_REQ_POST, where);
	free(where);
	return error;
}

static int web_start(struct letter *l)
{
	const struct timeval patience = {ALERT_POST_S, 0};
	struct alert_way *w = l->way;
	struct post *p = calloc(1, sizeof *p);
	struct url u = {0};
	const char *fault = url_fault(&u, l->to);
	struct bufferevent *bev = NULL;
	struct evdns_base *names = fault ? NULL : names_of(w, &u);

	if (!p)
		abort();
	p->letter = l;
	snprintf(p->host, sizeof p->host, "%s", u.host);
	snprintf(p->why, sizeof p->why, "no answer within %d s", ALERT_POST_S);
	p->end = evtimer_new(w->config.base, on_end, p);
	if (!fault && !names && !u.ip.family)
		fault = "no name server is known";
	if (!fault && u.tls && !(bev = tls_start(w, &u, p)))
		fault = "TLS cannot be set up";
	if (!fault)
		p->conn = evhttp_connection_base_bufferevent_new(w->config.base, names, bev, u.host,
								 u.port);
	if (p->conn && p->end) {
		evhttp_connection_set_timeout(p->conn, ALERT_POST_S);
		evhttp_connection_set_max_body_size(p->conn, ALERT_BODY_MAX);
		evhttp_connection_set_max_headers_size(p->conn, HEADERS_MAX);
		l->under_way = p;
		event_add(p->end, &patience);
		if (ask(p, &u))
			fault = "the connection cannot be made";
	} else if (!fault) {
		fault = "no memory";
	}
	url_free(&u);
	if (!fault)
		return 0;
	LOG(WARN, "alert: webhook at %s: %s", p->host, fault);
	post_free(p);
	return -EINVAL;
}

static void web_stop(struct letter *l)
{
	post_free(l->under_way);
}

void web_init(struct alert_way *w)
{
	w->own = calloc(1, sizeof(struct web));
	if (!w->own)
		abort();
	w->max = ALERT_POSTS_MAX;
	w->start = web_start;
	w->stop = web_stop;
}

void web_free(struct alert_way *w)
{
	struct web *web = w->own;

	if (web->names)
		evdns_base_free(web->names, 0);
	SSL_CTX_free(web->tls);
	free(web);
}
