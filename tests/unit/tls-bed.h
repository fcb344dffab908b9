/* SPDX-License-Identifier: Apache-2.0 */
/* A laboratory in a folder of its own, a switch with TLS on the loopback, and OpenSSL as its peer
 * on either side, in one thread: the peer's turn, then the switch's.  Each unit includes it once.
 */
#ifndef SLUICE_TESTS_TLS_BED_H
#define SLUICE_TESTS_TLS_BED_H

#include "tests/unit/openflow-fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include "ctl/lab-ca.h"
#include "ctl/openflow.h"
#include "ctl/tls.h"

struct lab {
	struct bench *t;
	struct openflow *of;
	char dir[40], method[40];
	uint16_t port;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static const char *lab_file(const struct lab *l, const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", l->dir, name);
	return path;
}

/* `names` is where it is reached; NULL: the loopback. */
static inline void lab_machine(const struct lab *l, const char *name, const char *names, int days)
{
	const struct lab_machine m = {l->dir, name, names ? names : "127.0.0.1,::1", days};
	struct refusal r;

	if (lab_machine_make(&m, &r))
		fail_msg("%s", r.text);
}

static int lab_set_tls(const struct lab *l, const char *name, struct refusal *r)
{
	char key[160], cert[160], ca[160], crl[160], path[128];
	struct tls_files files = {key, cert, ca, crl};

	snprintf(key, sizeof key, "%s/key.pem", lab_file(l, name, path));
	snprintf(cert, sizeof cert, "%s/cert.pem", path);
	snprintf(ca, sizeof ca, "%s/ca.pem", path);
	snprintf(crl, sizeof crl, "%s/crl.pem", path);
	return tls_set(openflow_tls(l->of), &files, r);
}

static uint16_t free_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (void *)&in, sizeof in), 0);
	assert_int_equal(getsockname(fd, (void *)&in, &size), 0);
	close(fd);
	return ntohs(in.sin_port);
}

/* With a CA and a switch. */
static struct lab lab_new(void)
{
	struct lab l = {.t = bench_new(), .dir = "/tmp/sluice-lab-XXXXXX"};
	struct refusal r;

	assert_non_null(mkdtemp(l.dir));
	assert_int_equal(lab_ca_make(l.dir, 10, &r), 0);
	lab_machine(&l, "switch", NULL, 10);
	l.of = openflow_create(l.t->base, l.t->o);
	if (lab_set_tls(&l, "switch", &r))
		fail_msg("%s", r.text);
	l.port = free_port();
	snprintf(l.method, sizeof l.method, "pssl:%u:127.0.0.1", l.port);
	return l;
}

/* Another CA, in its folder. */
static inline struct lab lab_other(const struct lab *l)
{
	struct lab other = {.t = l->t};
	struct refusal r;

	snprintf(other.dir, sizeof other.dir, "%.30s/other", l->dir);
	assert_int_equal(lab_ca_make(other.dir, 10, &r), 0);
	return other;
}

/* And it listens. */
static inline struct lab lab_listening(void)
{
	struct lab l = lab_new();
	struct refusal r;

	if (openflow_add(l.of, l.method, "", &r))
		fail_msg("%s", r.text);
	return l;
}

static void lab_end(struct lab *l)
{
	openflow_destroy(l->of);
	nftw(l->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	bench_end(l->t);
}

struct seen {
	unsigned n_connected, n_turned_away;
	char last_error[160], subject[96], remote[256];
};

static void see(void *arg, const struct openflow_peer *p)
{
	struct seen *s = arg;

	s->n_connected += p->connected;
	s->n_turned_away += p->n_turned_away;
	if (p->last_error)
		snprintf(s->last_error, sizeof s->last_error, "%s", p->last_error);
	if (p->subject)
		snprintf(s->subject, sizeof s->subject, "%s", p->subject);
	if (p->remote)
		snprintf(s->remote, sizeof s->remote, "%s", p->remote);
}

static inline struct seen lab_see(const struct lab *l)
{
	struct seen s = {0};

	openflow_peers(l->of, see, &s);
	return s;
}

/* ---- The peer --------------------------------------------------------------------------- */

/* Which certificate it shows (NULL: none), whom it trusts, up to which version it speaks. */
struct client_is {
	const char *folder, *ca;
	int version; /* the only one; 0: any */
};

struct client {
	const struct lab *lab;
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	bool ended; /* by the switch */
};

static SSL_CTX *client_ctx(const struct lab *l, const struct client_is *is)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	char path[128], name[64];

	assert_non_null(ctx);
	SSL_CTX_set_security_level(ctx, 0);
	if (is->version) {
		SSL_CTX_set_min_proto_version(ctx, is->version);
		SSL_CTX_set_max_proto_version(ctx, is->version);
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_load_verify_file(ctx, lab_file(l, is->ca ? is->ca : "ca/cert.pem", path));
	if (is->folder) {
		snprintf(name, sizeof name, "%s/cert.pem", is->folder);
		assert_int_equal(SSL_CTX_use_certificate_file(ctx, lab_file(l, name, path),
							      SSL_FILETYPE_PEM),
				 1);
		snprintf(name, sizeof name, "%s/key.pem", is->folder);
		assert_int_equal(
			SSL_CTX_use_PrivateKey_file(ctx, lab_file(l, name, path), SSL_FILETYPE_PEM),
			1);
	}
	return ctx;
}

static inline int connect_to(const struct lab *l)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(l->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (void *)&in, sizeof in), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static struct client client_on(const struct lab *l, const struct client_is *is, int fd)
{
	struct client c = {.lab = l, .ctx = client_ctx(l, is), .fd = fd};
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

	c.ssl = SSL_new(c.ctx);
	assert_non_null(c.ssl);
	SSL_set_fd(c.ssl, fd);
	return c;
}

/* One step that did not work: true when there is another. */
static bool client_goes_on(struct client *c, int result)
{
	int why = SSL_get_error(c->ssl, result);
	struct pollfd p = {c->fd, POLLIN, 0};

	ERR_clear_error();
	turn(c->lab->t);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
		poll(&p, 1, 1);
		return true;
	}
	c->ended = true;
	return false;
}

/* Until the handshake is done, a hello was said, and one came; or the switch said no. */
static bool client_hello(struct client *c)
{
	static const uint8_t hello[] = {4, 0, 0, 8, 0, 0, 0, 1};
	bool said = false;
	uint8_t octets[64];

	for (unsigned i = 0; i < 10000; i++) {
		int n;

		if (!SSL_is_init_finished(c->ssl))
			n = SSL_do_handshake(c->ssl);
		else if (!said)
			said = (n = SSL_write(c->ssl, hello, sizeof hello)) > 0;
		else if ((n = SSL_read(c->ssl, octets, sizeof octets)) > 0)
			return turn(c->lab->t), true;
		if (n <= 0 && !client_goes_on(c, n))
			return false;
	}
	fail_msg("10 s in vain");
	return false;
}

/* What the switch did to a connection that was good. */
static inline bool client_is_ended(struct client *c)
{
	uint8_t octets[64];

	for (unsigned i = 0; i < 50 && !c->ended; i++) {
		int n = SSL_read(c->ssl, octets, sizeof octets);

		if (n <= 0)
			client_goes_on(c, n);
	}
	return c->ended;
}

static void client_end(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
	turn(c->lab->t);
}

static inline struct client client_new(const struct lab *l, const struct client_is *is)
{
	struct client c = client_on(l, is, connect_to(l));

	SSL_set_connect_state(c.ssl);
	return c;
}

#endif
