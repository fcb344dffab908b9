/* SPDX-License-Identifier: Apache-2.0 */
/* The store: what lasts, in one SQLite file.
 *
 * Tables: *objects* (ports, connections, settings) by kind and name, in the words of the
 * verb that made them; *flows* by a number, as FLOW text with what that text does not say; and the
 * *journal* of changes (journal.h).
 * A set's members are a blob and a log of changes of it (set-store.c).  The *past* is what undoes
 * the last minute's changes (store-past.h).
 * There are keys in it: the file's mode is 0600 and no message repeats its content.
 *
 * The file is locked for as long as the daemon lives.  It is written ahead (WAL) with
 * synchronous=FULL: what store_result() called committed survives kill -9 and power loss.
 *
 * Threads.  One transaction at a time: store_commit() hands a list of operations to the store's
 * thread, store_fd() becomes readable when it is through, and store_result() says how it went.  The
 * operations are the store's in between.  store_load_*() are for the start, before the first
 * commit. */
#ifndef SLUICE_OFPROTO_STORE_H
#define SLUICE_OFPROTO_STORE_H

#include "lib/cursor.h"
#include "lib/refuse.h"

struct store;

enum store_what {
	STORE_OBJECT_PUT,
	STORE_OBJECT_DEL,
	STORE_FLOW_PUT,
	STORE_FLOW_DEL,
	STORE_FLOW_COUNT,
	STORE_LIVES,
	STORE_PROVEN,
	STORE_JOURNAL_PUT,
	STORE_JOURNAL_TRIM,
	STORE_SET_PUT,
	STORE_SET_DEL,
	STORE_SET_LOG,
	STORE_SET_TRIM,
	N_STORE_WHATS
};

struct store_flow {
	int64_t id;
	const char *origin; /* origin_names[] */
	const char *text;   /* flow_format() */
	const char *reason; /* NULL: none */
	int64_t created_ns; /* since 1970 */
	int64_t expires_ns; /* since 1970; 0: never */
	uint64_t packets, bytes;
	int64_t used_ns; /* when the last of them came, since 1970; 0: not known */
};

struct store_journal {
	int64_t id, at_ns;                             /* since 1970 */
	const char *origin, *who, *what, *undo, *diff; /* undo NULL: none */
	uint32_t n_out, n_in;
	int64_t undoes;
};

struct store_op {
	struct store_op *next;
	enum store_what what;
	char *kind, *name, *text;     /* of objects; a flow's origin, reason and text */
	struct store_flow flow;       /* numbers only; its strings are the three above */
	struct store_journal journal; /* owns its texts */
	struct buf blob;              /* of sets */
};

struct store_op *store_op_object(const char *kind, const char *name,
				 const char *text); /* NULL: del */
struct store_op *store_op_flow(const struct store_flow *f);
struct store_op *store_op_flow_del(int64_t id);
struct store_op *store_op_flow_count(const struct store_flow *f); /* id, packets, bytes, used_ns */
/* The switch lives: the time of store-past.h goes on.  All that there is has proven itself. */
struct store_op *store_op_lives(void);
struct store_op *store_op_proven(void);
/* An entry to come, which store_op_journal_fill() completes before the commit; or it is none. */
struct store_op *store_op_journal(void);
void store_op_journal_fill(struct store_op *op, const struct store_journal *j);
struct store_op *store_op_journal_trim(int64_t below); /* forgets ids below */
/* A set's members: all of them (NULL: none more), a change of some; blobs are taken. */
struct store_op *store_op_set(const char *name, struct buf *blob);
struct store_op *store_op_set_log(const char *name, struct buf *blob);
struct store_op *store_op_set_trim(const char *name); /* forgets the changes so far */
void store_ops_free(struct store_op *ops);

/* Opens or makes `file` (":memory:": forgotten at the end) and locks it. */
struct store *store_open(const char *file, struct refusal *r);
void store_close(struct store *s); /* waits for what is under way */

/* Each object of a kind, in the order they were made; each flow.  Not zero ends the walk. */
struct store_visit {
	int (*object)(struct store_visit *v, const char *name, const char *text, struct refusal *r);
	int (*flow)(struct store_visit *v, const struct store_flow *f, struct refusal *r);
	int (*journal)(struct store_visit *v, const struct store_journal *j, struct refusal *r);
	int (*set)(struct store_visit *v, const void *blob, size_t size, struct refusal *r);
};
int store_load_objects(struct store *s, const char *kind, struct store_visit *v, struct refusal *r);
int store_load_flows(struct store *s, struct store_visit *v, struct refusal *r);
int store_load_journal(struct store *s, struct store_visit *v,
		       struct refusal *r); /* oldest first */

/* A set's blob, if there is one; the changes behind it in their order. */
int store_load_set(struct store *s, const char *name, struct store_visit *v, struct refusal *r);
int store_load_set_log(struct store *s, const char *name, struct store_visit *v, struct refusal *r);

void store_commit(struct store *s, struct store_op *ops); /* takes them */
int store_fd(const struct store *s);
/* True once per commit, when it is through: *error is 0, or -EIO and *r says why. */
bool store_result(struct store *s, int *error, struct refusal *r);
void store_wait(struct store *s);                 /* until store_result() would say true */
bool store_wait_ms(struct store *s, unsigned ms); /* false: it does not by then */

#endif
