/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/tls-load.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY, CERTIFICATE, CA, CRL }; /* of the stamps */

static const char *const words[TLS_FILES] = {"private-key", "certificate", "ca-cert", "crl"};

const char *tls_file(const struct tls_files *files, unsigned i)
{
	return (const char *const[]){files->key, files->certificate, files->ca, files->crl}[i];
}

static void stamp_of(const struct stat *st, struct tls_stamp *stamp)
{
	memset(stamp, 0, sizeof *stamp); /* they are compared as octets */
	stamp->device = st->st_dev;
	stamp->inode = st->st_ino;
	stamp->size = st->st_size;
	stamp->changed = st->st_mtim;
}

bool tls_stamp(const char *file, struct tls_stamp *stamp)
{
	struct stat st;

	memset(stamp, 0, sizeof *stamp);
	if (stat(file, &st))
		return false;
	stamp_of(&st, stamp);
	return true;
}

/* ---- Files ------------------------------------------------------------------------------ */

/* A file of PEM while it is looked at. */
struct pem {
	unsigned which;
	const char *file;
	char *octets;
	size_t size;
	BIO *bio;
};

static int check_file(const struct pem *p, const struct stat *st, struct refusal *r)
{
	if (!S_ISREG(st->st_mode))
		return refuse(r, BAD_VALUE, words[p->which], "%s %s is no plain file",
			      words[p->which], p->file);
	if (st->st_size > TLS_FILE_MAX)
		return refuse(r, LIMIT, words[p->which], "%s %s is longer than %d octets",
			      words[p->which], p->file, TLS_FILE_MAX);
	if (p->which == KEY && st->st_mode & 07)
		return refuse(r, NOT_PERMITTED, words[KEY],
			      "everybody may read or write the private key %s; of mode 0600 "
			      "(chmod 600) it would be accepted",
			      p->file);
	return 0;
}

/* A FIFO or a device would make the control thread wait: it is not opened for long. */
static int pem_read(struct pem *p, struct tls_stamp *stamp, struct refusal *r)
{
	int fd = open(p->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), error = 0;
	struct stat st;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st))
		error = errno;
	else if (check_file(p, &st, r))
		error = -1;
	if (!error) {
		stamp_of(&st, stamp);
		p->octets = malloc((size_t)st.st_size + 1);
		if (!p->octets)
			abort();
		while (p->size < (size_t)st.st_size &&
		       (n = read(fd, p->octets + p->size, (size_t)st.st_size - p->size)) > 0)
			p->size += (size_t)n;
		error = n < 0 ? errno : 0;
	}
	if (fd >= 0)
		close(fd);
	if (error > 0)
		refuse(r, SYSTEM, words[p->which],
		       "%s %s: %s; a file of PEM, on the switch's machine, that who sluiced runs "
		       "as may read would be accepted",
		       words[p->which], p->file, strerrordesc_np(error));
	p->bio = error ? NULL : BIO_new_mem_buf(p->octets, (int)p->size);
	return p->bio ? 0 : -EINVAL;
}

static void pem_end(struct pem *p)
{
	BIO_free(p->bio);
	if (p->octets)
		explicit_bzero(p->octets, p->size);
	free(p->octets);
}

static int refuse_content(const struct pem *p, const char *what, struct refusal *r)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());
	int error = refuse(r, BAD_VALUE, words[p->which], "%s %s: %s%s%s", words[p->which], p->file,
			   what, why ? ": " : "", why ? why : "");

	ERR_clear_error();
	return error;
}

/* ---- What is in them --------------------------------------------------------------------- */

/* Nobody is there to type one. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int take_key(SSL_CTX *ctx, const struct pem *p, struct refusal *r)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(p->bio, NULL, no_password, NULL);
	int error = 0;

	if (!key)
		error = refuse_content(p, "no private key in PEM without a pass phrase", r);
	else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
		error = refuse_content(p, "it is not the certificate's", r);
	EVP_PKEY_free(key);
	return error;
}

static int check_dates(const struct pem *p, const X509 *x, struct refusal *r)
{
	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		return refuse(r, BAD_VALUE, words[p->which], "%s %s has expired", words[p->which],
			      p->file);
	if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		return refuse(r, BAD_VALUE, words[p->which], "%s %s is not valid yet",
			      words[p->which], p->file);
	return 0;
}

/* The switch's own, then those between it and a root. */
static int take_certificate(SSL_CTX *ctx, const struct pem *p, struct refusal *r)
{
	X509 *x = PEM_read_bio_X509(p->bio, NULL, no_password, NULL);
	int error = 0;

	if (!x || SSL_CTX_use_certificate(ctx, x) != 1)
		error = refuse_content(p, "no certificate in PEM that can be used", r);
	else
		error = check_dates(p, x, r);
	X509_free(x);
	for (unsigned n = 0; !error; n++) {
		x = PEM_read_bio_X509(p->bio, NULL, no_password, NULL);
		if (!x)
			break;
		if (n == TLS_CAS_MAX || SSL_CTX_add1_chain_cert(ctx, x) != 1)
			error = refuse_content(p, "its chain is too long", r);
		X509_free(x);
	}
	ERR_clear_error();
	return error;
}

static int take_ca(SSL_CTX *ctx, const struct pem *p, struct refusal *r)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	unsigned n = 0;
	int error = 0;
	X509 *x;

	while (!error && (x = PEM_read_bio_X509(p->bio, NULL, no_password, NULL))) {
		if (!X509_check_ca(x))
			error = refuse_content(p, "a certificate that is no CA's", r);
		else if (++n > TLS_CAS_MAX)
			error = refuse_content(p, "more than 64 certificates", r);
		else if (X509_STORE_add_cert(store, x) != 1 || SSL_CTX_add_client_CA(ctx, x) != 1)
			error = refuse_content(p, "a certificate that cannot be used", r);
		X509_free(x);
	}
	if (!error && !n)
		error = refuse_content(p, "no certificate in PEM", r);
	ERR_clear_error();
	return error;
}

/* Whether one of those we trust signed it: otherwise no peer would ever be let in. */
static bool crl_is_ours(X509_STORE *store, X509_CRL *crl)
{
	const X509_NAME *issuer = X509_CRL_get_issuer(crl);
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

		if (x && !X509_NAME_cmp(X509_get_subject_name(x), issuer) &&
		    X509_CRL_verify(crl, X509_get0_pubkey(x)) == 1)
			return true;
	}
	return false;
}

time_t tls_time(const ASN1_TIME *at)
{
	struct tm tm;

	return at && ASN1_TIME_to_tm(at, &tm) == 1 ? timegm(&tm) : 0;
}

static int take_crl(struct tls_loaded *l, const struct pem *p, struct refusal *r)
{
	X509_STORE *store = SSL_CTX_get_cert_store(l->ctx);
	unsigned n = 0;
	int error = 0;
	X509_CRL *crl;

	while (!error && (crl = PEM_read_bio_X509_CRL(p->bio, NULL, no_password, NULL))) {
		const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
		time_t expires = tls_time(next);

		if (!crl_is_ours(store, crl))
			error = refuse_content(p, "no CA of ca-cert has signed it", r);
		else if (next && X509_cmp_current_time(next) < 0)
			error = refuse_content(p, "it has expired; with it nobody would be let in",
					       r);
		else if (++n > TLS_CAS_MAX || X509_STORE_add_crl(store, crl) != 1)
			error = refuse_content(p, "more lists than can be used", r);
		l->n_revoked += (unsigned)MAX(0, sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)));
		if (expires && (!l->crl_expires || expires < l->crl_expires))
			l->crl_expires = expires;
		X509_CRL_free(crl);
	}
	if (!error && !n)
		error = refuse_content(p, "no revocation list in PEM", r);
	ERR_clear_error();
	if (!error)
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return error;
}

static int take(struct tls_loaded *l, const struct pem *p, struct refusal *r)
{
	switch (p->which) {
	case KEY:
		return take_key(l->ctx, p, r);
	case CERTIFICATE:
		return take_certificate(l->ctx, p, r);
	case CA:
		return take_ca(l->ctx, p, r);
	default:
		return take_crl(l, p, r);
	}
}

/* ---- All of it --------------------------------------------------------------------------- */

enum {
	CHAIN_DEPTH = 8,
	CHAIN_OCTETS = 32768, /* that a stranger may send before anything is known of it */
};

/* What a peer may say beside its certificate is little: nothing of the past, nothing again. */
static SSL_CTX *ctx_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (!ctx)
		abort();
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20"); /* of 1.2 */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY); /* a peer's key updates take turns, too */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH);
	SSL_CTX_set_max_cert_list(ctx, CHAIN_OCTETS);
	return ctx;
}

int tls_load(const struct tls_files *files, struct tls_loaded *loaded, struct refusal *r)
{
	/* A key is compared with the certificate, a CRL with the CAs. */
	static const unsigned order[TLS_FILES] = {CERTIFICATE, KEY, CA, CRL};
	int error = 0;

	*loaded = (struct tls_loaded){.ctx = ctx_new()};
	ERR_clear_error();
	for (unsigned i = 0; i < TLS_FILES && !error; i++) {
		struct pem p = {.which = order[i], .file = tls_file(files, order[i])};

		if (!p.file)
			continue;
		error = pem_read(&p, &loaded->stamp[p.which], r);
		if (!error)
			error = take(loaded, &p, r);
		pem_end(&p);
	}
	if (error) {
		SSL_CTX_free(loaded->ctx);
		loaded->ctx = NULL;
	}
	return error;
}
