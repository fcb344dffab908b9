/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of the control connections: one key, one certificate, and whom the switch trusts.
 *
 * TLS 1.2 and 1.3 by OpenSSL, always mutual: a peer without a certificate of the given CA is
 * refused whichever side dialled.  With a CRL, a certificate that it names is refused, and so is
 * everyone once the CRL is older than it says it may get.  Who dials asks for the address that it
 * dialled in the peer's certificate, or for the method's `peer=NAME`.  No session is resumed and
 * nothing is renegotiated: each connection is looked at anew.
 *
 * **Files.**  The four are read together, checked together, and take effect together.  They are
 * looked at again for each new connection: when one of them has changed, all are read anew; what
 * cannot be read or does not fit leaves what was there in effect, and the log says so.  Connections
 * stay, but for those that the new CA or CRL no longer trusts (tls_trusts).
 *
 * The private key's octets are wiped once libcrypto has them, whose memory is the secrets' arena
 * (datapath/secrets.h).  Control thread only. */
#ifndef SLUICE_CTL_TLS_H
#define SLUICE_CTL_TLS_H

#include <event2/bufferevent.h>
#include <openssl/ssl.h>
#include <time.h>

#include "ctl/method.h"

struct tls;

struct tls *tls_create(void);
void tls_destroy(struct tls *t);

/* Names of files, PEM all of them; borrowed. */
struct tls_files {
	const char *key, *certificate, *ca;
	const char *crl; /* NULL: none */
};

/* These from now on, if they are good. */
int tls_set(struct tls *t, const struct tls_files *files, struct refusal *r);
/* These from now on (a start): what is wrong with them is said in the log, and they are tried again
 * for each connection. */
void tls_expect(struct tls *t, const struct tls_files *files);
void tls_forget(struct tls *t);
bool tls_is_set(const struct tls *t);
/* Reads the files anew. */
int tls_reload(struct tls *t, struct refusal *r);
/* How often files took effect. */
unsigned tls_generation(const struct tls *t);

/* A session for a new connection by `m`, of which the bufferevent takes care; NULL: refused. */
SSL *tls_session(struct tls *t, const struct method *m, struct refusal *r);
/* Whether a connection's peer would be let in now; otherwise why not. */
bool tls_trusts(const struct tls *t, SSL *ssl, char *why, size_t room);

/* The peer's name as its certificate has it (RFC 4514); "" without TLS. */
void tls_subject(struct bufferevent *bev, char *text, size_t room);
/* Why a connection ended or did not come about, after BEV_EVENT_ERROR or BEV_EVENT_EOF. */
void tls_why(struct bufferevent *bev, short event, char *text, size_t room);
/* Why a handshake by hand failed, right after it did. */
void tls_why_not(const SSL *ssl, char *text, size_t room);
/* Tells the peer that nothing more will come, before the bufferevent is freed. */
void tls_close(struct bufferevent *bev);

struct tls_status {
	struct tls_files files;
	bool loaded;
	char subject[128], issuer[128];
	time_t expires, loaded_at;
	time_t crl_expires; /* 0: no CRL, or one that does not say */
	unsigned n_revoked;
	const char *problem; /* of the last try; NULL: none */
};
void tls_status(const struct tls *t, struct tls_status *s);

#endif
