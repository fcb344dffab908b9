/* SPDX-License-Identifier: Apache-2.0 */
/* Four PEM files as one SSL_CTX: tls.c's side of the file system.
 *
 * Nothing of what is loaded is changed later: another file makes another one, and sessions keep the
 * one that they began with.  Files are opened so that none can make the control thread wait for
 * long, and read whole, within TLS_FILE_MAX. */
#ifndef SLUICE_CTL_TLS_LOAD_H
#define SLUICE_CTL_TLS_LOAD_H

#include "ctl/tls.h"

enum { TLS_FILES = 4, TLS_FILE_MAX = 1 << 20, TLS_CAS_MAX = 64 };

/* What a file was when it was read: another one in its place differs. */
struct tls_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct tls_loaded {
	SSL_CTX *ctx;
	struct tls_stamp stamp[TLS_FILES];
	time_t crl_expires;
	unsigned n_revoked;
};

/* The names in the order of the stamps. */
const char *tls_file(const struct tls_files *files, unsigned i);
/* The file as it is now; false: it is not there. */
bool tls_stamp(const char *file, struct tls_stamp *stamp);

/* Seconds since 1970; 0: none, or none that can be told. */
time_t tls_time(const ASN1_TIME *at);

/* Reads and checks all of them; on success the caller frees ctx. */
int tls_load(const struct tls_files *files, struct tls_loaded *loaded, struct refusal *r);

#endif
