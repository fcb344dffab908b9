/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/lab-ca.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/addr.h"

enum { PATH_SIZE = 4096, DAY_S = 86400 };

struct ca {
	EVP_PKEY *key;
	X509 *cert;
};

static int no_path(const char *path, struct refusal *r)
{
	return refuse(r, SYSTEM, "DIR", "%s: %s", path, strerrordesc_np(errno));
}

static bool path_of(char path[PATH_SIZE], const char *dir, const char *name, const char *file)
{
	return snprintf(path, PATH_SIZE, "%s/%s%s%s", dir, name, file ? "/" : "",
			file ? file : "") < PATH_SIZE;
}

/* ---- Files ------------------------------------------------------------------------------ */

/* What a file is made of: one of them. */
struct pem_object {
	EVP_PKEY *key;
	X509 *cert;
	X509_CRL *crl;
};

static int put_object(FILE *f, const struct pem_object *what)
{
	if (what->key)
		return PEM_write_PrivateKey(f, what->key, NULL, NULL, 0, NULL, NULL);
	return what->cert ? PEM_write_X509(f, what->cert) : PEM_write_X509_CRL(f, what->crl);
}

/* A new file, or (a list) one in the place of another. */
static int write_pem(const char *path, const struct pem_object *what, struct refusal *r)
{
	char fresh[PATH_SIZE + 8];
	int fd, bad = 1;
	FILE *f;

	snprintf(fresh, sizeof fresh, "%s%s", path, what->crl ? ".new" : "");
	if (what->crl)
		unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  what->key ? 0600 : 0644);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return no_path(fresh, r);
	bad = put_object(f, what) != 1;
	bad |= fflush(f) || fsync(fd);
	bad |= fclose(f) != 0;
	if (bad || (what->crl && rename(fresh, path)))
		return no_path(path, r);
	return 0;
}

static int read_pem(const char *path, struct pem_object *what, struct refusal *r)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return no_path(path, r);
	if (what->key) {
		EVP_PKEY_free(what->key);
		what->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	} else if (what->crl) {
		X509_CRL_free(what->crl);
		what->crl = PEM_read_X509_CRL(f, NULL, NULL, NULL);
	} else {
		what->cert = PEM_read_X509(f, NULL, NULL, NULL);
	}
	fclose(f);
	ERR_clear_error();
	if (what->key || what->cert || what->crl)
		return 0;
	return refuse(r, BAD_VALUE, "DIR", "%s is none of what add-certificate makes", path);
}

/* ---- Certificates ----------------------------------------------------------------------- */

static int failed(const char *what, struct refusal *r)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());
	int error = refuse(r, SYSTEM, "", "%s: %s", what, why ? why : "libcrypto failed");

	ERR_clear_error();
	return error;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool good;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	good = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return good;
}

/* Of the issuer, valid from an hour ago (clocks differ) or, when it has expired already, from
 * before that. */
static X509 *cert_new(EVP_PKEY *key, const char *name, int days, const X509 *issuer)
{
	X509 *x = X509_new();
	BIGNUM *serial = BN_new();
	X509_NAME *subject = x ? X509_get_subject_name(x) : NULL;

	if (!x || !serial || X509_set_version(x, X509_VERSION_3) != 1 ||
	    BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1 ||
	    !BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) ||
	    !X509_gmtime_adj(X509_getm_notBefore(x),
			     -3600 + MIN((long)days, 0L) * DAY_S - DAY_S * (days < 0)) ||
	    !X509_gmtime_adj(X509_getm_notAfter(x), (long)days * DAY_S) ||
	    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
				       (const uint8_t *)"sluice laboratory", -1, -1, 0) != 1 ||
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1,
				       0) != 1 ||
	    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject) != 1 ||
	    X509_set_pubkey(x, key) != 1) {
		X509_free(x);
		x = NULL;
	}
	BN_free(serial);
	return x;
}

static X509 *ca_cert(EVP_PKEY *key, int days)
{
	X509 *x = cert_new(key, "laboratory CA", days, NULL);

	if (x && add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    add_extension(x, x, NID_subject_key_identifier, "hash") &&
	    X509_sign(x, key, EVP_sha256()))
		return x;
	X509_free(x);
	return NULL;
}

/* `IP:192.0.2.1,DNS:controller`, from the same without what they are; the name alone without any.
 */
static bool alternative_names(const struct lab_machine *m, char *text, size_t room)
{
	char copy[1024], *at = copy, *word;
	size_t n = (size_t)snprintf(text, room, "DNS:%s", m->name);

	if (m->reached_at && strlen(m->reached_at) >= sizeof copy)
		return false;
	strcpy(copy, m->reached_at ? m->reached_at : "");
	while ((word = strsep(&at, ","))) {
		struct ip ip;

		if (!*word)
			continue;
		if (n >= room || strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					      "0123456789.:-_") != strlen(word))
			return false;
		n += (size_t)snprintf(text + n, room - n, ",%s:%s",
				      ip_parse(word, &ip) ? "IP" : "DNS", word);
	}
	return n < room;
}

/* For both sides: a controller listens here and dials there. */
static int machine_cert(const struct lab_machine *m, EVP_PKEY *key, const struct ca *ca, X509 **x,
			struct refusal *r)
{
	char names[2048];

	*x = NULL;
	if (!alternative_names(m, names, sizeof names))
		return refuse(r, BAD_VALUE, "names",
			      "`%.80s' has something that is neither an address nor a name, or is "
			      "too long; 192.0.2.1,controller.lab would be accepted",
			      m->reached_at);
	*x = cert_new(key, m->name, m->days, ca->cert);
	if (*x && add_extension(*x, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(*x, ca->cert, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(*x, ca->cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
	    add_extension(*x, ca->cert, NID_subject_key_identifier, "hash") &&
	    add_extension(*x, ca->cert, NID_authority_key_identifier, "keyid:always") &&
	    add_extension(*x, ca->cert, NID_subject_alt_name, names) &&
	    X509_sign(*x, ca->key, EVP_sha256()))
		return 0;
	X509_free(*x);
	*x = NULL;
	return failed("a certificate", r);
}

/* ---- The list --------------------------------------------------------------------------- */

/* Signed anew, with a number above the last one's, as long as the CA is good. */
static int sign_list(X509_CRL *crl, const struct ca *ca, struct refusal *r)
{
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	ASN1_TIME *now = X509_gmtime_adj(NULL, -3600);
	bool good;

	if (!number)
		number = ASN1_INTEGER_new();
	good = number && now &&
	       ASN1_INTEGER_set_int64(number, (int64_t)ASN1_INTEGER_get(number) + 1) == 1 &&
	       X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, X509V3_ADD_REPLACE) == 1 &&
	       X509_CRL_set1_lastUpdate(crl, now) == 1 &&
	       X509_CRL_set1_nextUpdate(crl, X509_get0_notAfter(ca->cert)) == 1 &&
	       X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, ca->key, EVP_sha256());
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(now);
	return good ? 0 : failed("a revocation list", r);
}

static X509_CRL *list_new(const struct ca *ca)
{
	X509_CRL *crl = X509_CRL_new();

	if (crl && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert)) == 1)
		return crl;
	X509_CRL_free(crl);
	return NULL;
}

static bool list_add(X509_CRL *crl, X509 *cert)
{
	X509_REVOKED *one = X509_REVOKED_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
	bool good = one && now && X509_REVOKED_set_serialNumber(one, X509_get_serialNumber(cert)) &&
		    X509_REVOKED_set_revocationDate(one, now) == 1 &&
		    X509_CRL_add0_revoked(crl, one) == 1;

	if (!good)
		X509_REVOKED_free(one);
	ASN1_TIME_free(now);
	return good;
}

/* In every folder that has one. */
static int write_lists(const char *dir, X509_CRL *crl, struct refusal *r)
{
	DIR *d = opendir(dir);
	char path[PATH_SIZE];
	int error = 0;

	if (!d)
		return no_path(dir, r);
	for (struct dirent *e; !error && (e = readdir(d));)
		if (e->d_name[0] != '.' && path_of(path, dir, e->d_name, "crl.pem") &&
		    !access(path, F_OK))
			error = write_pem(path, &(struct pem_object){.crl = crl}, r);
	closedir(d);
	return error;
}

/* ---- What is asked for ------------------------------------------------------------------ */

static bool name_is_good(const char *name)
{
	return *name && strlen(name) <= 60 && strcmp(name, "ca") &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
		       strlen(name);
}

static int make_dir(const char *path, bool may_be_there, struct refusal *r)
{
	if (!mkdir(path, 0755) || (may_be_there && errno == EEXIST))
		return 0;
	if (errno == EEXIST)
		return refuse(r, EXISTS, "DIR", "%s is there already, and nothing is written over",
			      path);
	return no_path(path, r);
}

static int write_ca(const char *dir, const struct ca *ca, struct refusal *r)
{
	X509_CRL *crl = list_new(ca);
	char key[PATH_SIZE], cert[PATH_SIZE], list[PATH_SIZE];
	int error = -ENAMETOOLONG;

	if (crl && path_of(key, dir, "ca", "key.pem") && path_of(cert, dir, "ca", "cert.pem") &&
	    path_of(list, dir, "ca", "crl.pem"))
		error = sign_list(crl, ca, r);
	else
		failed("a revocation list", r);
	if (!error)
		error = write_pem(key, &(struct pem_object){.key = ca->key}, r);
	if (!error)
		error = write_pem(cert, &(struct pem_object){.cert = ca->cert}, r);
	if (!error)
		error = write_pem(list, &(struct pem_object){.crl = crl}, r);
	X509_CRL_free(crl);
	return error;
}

static void ca_free(struct ca *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
}

int lab_ca_make(const char *dir, int days, struct refusal *r)
{
	struct ca ca = {.key = EVP_EC_gen("P-256")};
	char path[PATH_SIZE];
	int error;

	ca.cert = ca.key ? ca_cert(ca.key, days) : NULL;
	if (!ca.cert)
		error = failed("a key and a certificate", r);
	else if (!path_of(path, dir, "ca", NULL))
		error = refuse(r, BAD_VALUE, "DIR", "%.60s… is too long", dir);
	else
		error = make_dir(dir, true, r);
	if (!error)
		error = make_dir(path, false, r);
	if (!error)
		error = write_ca(dir, &ca, r);
	ca_free(&ca);
	return error;
}

static int ca_read(const char *dir, struct ca *ca, struct refusal *r)
{
	struct pem_object key = {.key = EVP_PKEY_new()}, cert = {0};
	char path[PATH_SIZE];
	int error = -EINVAL;

	if (!path_of(path, dir, "ca", "key.pem"))
		refuse(r, BAD_VALUE, "DIR", "%.60s… is too long", dir);
	else
		error = read_pem(path, &key, r);
	if (!error && path_of(path, dir, "ca", "cert.pem"))
		error = read_pem(path, &cert, r);
	*ca = (struct ca){key.key, cert.cert};
	if (error)
		ca_free(ca);
	return error;
}

static int list_read(const char *dir, X509_CRL **crl, struct refusal *r)
{
	struct pem_object list = {.crl = X509_CRL_new()};
	char path[PATH_SIZE];
	int error = -EINVAL;

	if (path_of(path, dir, "ca", "crl.pem"))
		error = read_pem(path, &list, r);
	*crl = list.crl;
	return error;
}

static int write_machine(const struct lab_machine *m, const struct ca *ca,
			 const struct pem_object *own, struct refusal *r)
{
	const struct {
		const char *file;
		struct pem_object what;
	} files[] = {{"key.pem", {.key = own->key}},
		     {"cert.pem", {.cert = own->cert}},
		     {"ca.pem", {.cert = ca->cert}},
		     {"crl.pem", {.crl = own->crl}}};
	char path[PATH_SIZE];
	int error = 0;

	if (!path_of(path, m->dir, m->name, NULL))
		return refuse(r, BAD_VALUE, "DIR", "%.60s… is too long", m->dir);
	error = make_dir(path, false, r);
	for (unsigned i = 0; i < ARRAY_SIZE(files) && !error; i++)
		if (path_of(path, m->dir, m->name, files[i].file))
			error = write_pem(path, &files[i].what, r);
	return error;
}

int lab_machine_make(const struct lab_machine *m, struct refusal *r)
{
	struct pem_object own = {0}, one;
	struct ca ca;
	int error;

	if (!name_is_good(m->name))
		return refuse(r, BAD_VALUE, "NAME",
			      "`%.60s': letters, digits, - and _ make a name, 60 at most; ca is "
			      "taken",
			      m->name);
	error = ca_read(m->dir, &ca, r);
	if (error)
		return error;
	own.key = EVP_EC_gen("P-256");
	error = own.key ? machine_cert(m, own.key, &ca, &own.cert, r) : failed("a key", r);
	if (!error)
		error = list_read(m->dir, &own.crl, r);
	one = own;
	if (!error)
		error = write_machine(m, &ca, &one, r);
	EVP_PKEY_free(own.key);
	X509_free(own.cert);
	X509_CRL_free(own.crl);
	ca_free(&ca);
	return error;
}

int lab_machine_revoke(const char *dir, const char *name, struct refusal *r)
{
	struct pem_object cert = {0};
	X509_CRL *crl = NULL;
	X509_REVOKED *there;
	char path[PATH_SIZE];
	struct ca ca;
	int error;

	if (!name_is_good(name) || !path_of(path, dir, name, "cert.pem"))
		return refuse(r, BAD_VALUE, "NAME", "`%.60s' is no machine of %.60s", name, dir);
	error = ca_read(dir, &ca, r);
	if (error)
		return error;
	error = read_pem(path, &cert, r);
	if (!error)
		error = list_read(dir, &crl, r);
	if (!error && X509_CRL_get0_by_cert(crl, &there, cert.cert) == 1)
		error = refuse(r, EXISTS, "NAME", "%s is revoked already", name);
	else if (!error && !list_add(crl, cert.cert))
		error = failed("a revocation list", r);
	if (!error)
		error = sign_list(crl, &ca, r);
	if (!error)
		error = write_lists(dir, crl, r);
	X509_free(cert.cert);
	X509_CRL_free(crl);
	ca_free(&ca);
	return error;
}
