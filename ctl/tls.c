/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/tls.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/tls-load.h"
#include "lib/addr.h"
#include "lib/log.h"

struct tls {
	char *file[TLS_FILES];    /* as tls_file() orders them; [0] NULL: nothing is set */
	struct tls_loaded loaded; /* ctx NULL: nothing is loaded */
	struct tls_stamp tried[TLS_FILES];
	time_t loaded_at;
	unsigned generation;
	char problem[320]; /* of the last try; empty: none */
};

struct tls *tls_create(void)
{
	struct tls *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	return t;
}

void tls_forget(struct tls *t)
{
	for (unsigned i = 0; i < TLS_FILES; i++) {
		free(t->file[i]);
		t->file[i] = NULL;
	}
	SSL_CTX_free(t->loaded.ctx);
	t->loaded = (struct tls_loaded){0};
	t->problem[0] = '\0';
}

void tls_destroy(struct tls *t)
{
	if (!t)
		return;
	tls_forget(t);
	free(t);
}

static struct tls_files files_of(const struct tls *t)
{
	return (struct tls_files){t->file[0], t->file[1], t->file[2], t->file[3]};
}

static void take_names(struct tls *t, const struct tls_files *files)
{
	tls_forget(t);
	for (unsigned i = 0; i < TLS_FILES; i++) {
		const char *file = tls_file(files, i);

		t->file[i] = file ? strdup(file) : NULL;
		if (file && !t->file[i])
			abort();
	}
}

static void take_effect(struct tls *t, const struct tls_loaded *loaded)
{
	SSL_CTX_free(t->loaded.ctx);
	t->loaded = *loaded;
	memcpy(t->tried, loaded->stamp, sizeof t->tried);
	t->loaded_at = time(NULL);
	t->generation++;
	t->problem[0] = '\0';
}

int tls_set(struct tls *t, const struct tls_files *files, struct refusal *r)
{
	struct tls_loaded loaded;
	int error = tls_load(files, &loaded, r);

	if (error)
		return error;
	take_names(t, files);
	take_effect(t, &loaded);
	return 0;
}

/* The files as they are now; what was loaded stays when they are no good. */
static int load_again(struct tls *t, struct refusal *r)
{
	struct tls_files files = files_of(t);
	struct tls_loaded loaded;

	for (unsigned i = 0; i < TLS_FILES; i++)
		if (t->file[i])
			tls_stamp(t->file[i], &t->tried[i]);
	if (tls_load(&files, &loaded, r)) {
		snprintf(t->problem, sizeof t->problem, "%s", r->text);
		LOG(ERR, "tls: %s; %s", r->text,
		    t->loaded.ctx ? "what was read before stays in effect"
				  : "until that is mended nobody connects by ssl: or pssl:");
		return -EINVAL;
	}
	take_effect(t, &loaded);
	LOG(INFO, "tls: key, certificate, CA and CRL are read");
	return 0;
}

void tls_expect(struct tls *t, const struct tls_files *files)
{
	struct refusal r = {0};

	take_names(t, files);
	load_again(t, &r);
}

bool tls_is_set(const struct tls *t)
{
	return t->file[0];
}

int tls_reload(struct tls *t, struct refusal *r)
{
	if (!tls_is_set(t))
		return refuse(r, NOT_FOUND, "",
			      "there is no key and certificate yet; set-tls says which");
	return load_again(t, r);
}

unsigned tls_generation(const struct tls *t)
{
	return t->generation;
}

/* Changed since they were read, or since they last could not be. */
static bool files_changed(const struct tls *t)
{
	for (unsigned i = 0; i < TLS_FILES; i++) {
		struct tls_stamp now;

		if (!t->file[i])
			continue;
		tls_stamp(t->file[i], &now);
		if (memcmp(&now, &t->tried[i], sizeof now))
			return true;
	}
	return false;
}

/* ---- Sessions --------------------------------------------------------------------------- */

/* The address that is dialled, as a certificate has it. */
static void dialled_address(const struct method *m, char text[IP_TEXT])
{
	const struct sockaddr_in *in = (const void *)&m->address;
	const struct sockaddr_in6 *in6 = (const void *)&m->address;
	struct ip ip = m->address.any.sa_family == AF_INET ? ip_v4(in->sin_addr.s_addr)
							   : ip_v6(&in6->sin6_addr);

	ip_text(&ip, text);
}

static bool expect_peer(SSL *ssl, const struct method *m)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char address[IP_TEXT];
	struct ip ip;

	if (m->peer[0] && ip_parse(m->peer, &ip))
		return X509_VERIFY_PARAM_set1_ip_asc(param, m->peer) == 1;
	if (m->peer[0]) {
		X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_WILDCARDS);
		return X509_VERIFY_PARAM_set1_host(param, m->peer, 0) == 1;
	}
	if (m->passive)
		return true;
	dialled_address(m, address);
	return X509_VERIFY_PARAM_set1_ip_asc(param, address) == 1;
}

SSL *tls_session(struct tls *t, const struct method *m, struct refusal *r)
{
	struct refusal unread;
	SSL *ssl;

	if (tls_is_set(t) && files_changed(t))
		load_again(t, &unread);
	if (!t->loaded.ctx) {
		refuse(r, NOT_HERE, "method", "no TLS: %s",
		       tls_is_set(t) ? t->problem : "set-tls has not said which key to use");
		return NULL;
	}
	ssl = SSL_new(t->loaded.ctx);
	if (!ssl || !expect_peer(ssl, m)) {
		SSL_free(ssl);
		ERR_clear_error();
		refuse(r, SYSTEM, "method", "no memory for TLS");
		return NULL;
	}
	return ssl;
}

bool tls_trusts(const struct tls *t, SSL *ssl, char *why, size_t room)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *peer = SSL_get0_peer_certificate(ssl);
	bool good = false;

	snprintf(why, room, "there is no key and certificate any more");
	if (ctx && peer && t->loaded.ctx &&
	    X509_STORE_CTX_init(ctx, SSL_CTX_get_cert_store(t->loaded.ctx), peer,
				SSL_get_peer_cert_chain(ssl)) == 1) {
		X509_STORE_CTX_set_default(ctx, SSL_is_server(ssl) ? "ssl_client" : "ssl_server");
		good = X509_verify_cert(ctx) == 1;
		snprintf(why, room, "%s",
			 X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

/* ---- In words --------------------------------------------------------------------------- */

static void name_text(const X509_NAME *name, char *text, size_t room)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	/* Control characters and what is not ASCII are escaped. */
	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(bio, text, (int)room - 1);
	text[MAX(n, 0)] = '\0';
	BIO_free(bio);
}

void tls_subject(struct bufferevent *bev, char *text, size_t room)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	const X509 *peer = ssl ? SSL_get0_peer_certificate(ssl) : NULL;

	text[0] = '\0';
	if (peer)
		name_text(X509_get_subject_name(peer), text, room);
}

/* `error` is OpenSSL's, `system` an errno; 0: none. */
static void why_text(const SSL *ssl, unsigned long error, int system, char *text, size_t room)
{
	long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
	const char *reason = error ? ERR_reason_error_string(error) : NULL;

	if (verified != X509_V_OK && reason)
		snprintf(text, room, "the peer's certificate: %s",
			 X509_verify_cert_error_string(verified));
	else if (reason)
		snprintf(text, room, "TLS: %s", reason);
	else
		snprintf(text, room, "%s", system ? strerrordesc_np(system) : "the peer hung up");
}

void tls_why(struct bufferevent *bev, short event, char *text, size_t room)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	unsigned long error = ssl ? bufferevent_get_openssl_error(bev) : 0;
	int system = event & BEV_EVENT_EOF ? 0 : EVUTIL_SOCKET_ERROR();

	why_text(ssl, error, system, text, room);
	while (ssl && bufferevent_get_openssl_error(bev))
		;
}

void tls_why_not(const SSL *ssl, char *text, size_t room)
{
	int system = errno;

	why_text(ssl, ERR_peek_last_error(), system, text, room);
	ERR_clear_error();
}

void tls_close(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	if (!ssl || !SSL_is_init_finished(ssl))
		return;
	ERR_clear_error();
	SSL_shutdown(ssl); /* it says goodbye, if there is room, and waits for nobody */
	ERR_clear_error();
}

void tls_status(const struct tls *t, struct tls_status *s)
{
	const X509 *own = t->loaded.ctx ? SSL_CTX_get0_certificate(t->loaded.ctx) : NULL;

	*s = (struct tls_status){
		.files = files_of(t),
		.loaded = t->loaded.ctx != NULL,
		.loaded_at = t->loaded_at,
		.crl_expires = t->loaded.crl_expires,
		.n_revoked = t->loaded.n_revoked,
		.problem = t->problem[0] ? t->problem : NULL,
	};
	if (!own)
		return;
	name_text(X509_get_subject_name(own), s->subject, sizeof s->subject);
	name_text(X509_get_issuer_name(own), s->issuer, sizeof s->issuer);
	s->expires = tls_time(X509_get0_notAfter(own));
}
