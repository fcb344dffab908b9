/* SPDX-License-Identifier: Apache-2.0 */
/* The store's insides, of its own files (store*.c) alone.
 *
 * The connection to SQLite is the starter's until the first commit, then the store thread's. */
#ifndef SLUICE_OFPROTO_STORE_FILE_H
#define SLUICE_OFPROTO_STORE_FILE_H

#include <pthread.h>
#include <sqlite3.h>

#include "ofproto/store-past.h"
#include "ofproto/store.h"

struct store {
	sqlite3 *db;
	char *file;
	sqlite3_stmt *put[N_STORE_WHATS]; /* by store_what */
	struct past past;                 /* the thread's */
	int fd;                           /* eventfd: through */
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct store_op *ops; /* to commit; the thread's until `through` */
	bool waiting, through, stop;
	int error;
	char why[200];
};

int store_run(struct store *s, const char *sql);        /* SQLite's code */
int64_t store_number(struct store *s, const char *sql); /* its first column; -1: none */
/* Made when there is none; nobody else's. */
int store_make_private(const char *file, struct refusal *r);

#endif
