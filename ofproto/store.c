/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ofproto/memory.h"
#include "ofproto/store-file.h"
#include "ofproto/store-past.h"

enum { SCHEMA = 6 };

/* ---- The file ---------------------------------------------------------------------------- */

static const char *const statements[] = {
	[STORE_OBJECT_PUT] = "INSERT INTO object(kind, name, text) VALUES(?1, ?2, ?3) "
			     "ON CONFLICT(kind, name) DO UPDATE SET text = excluded.text",
	[STORE_OBJECT_DEL] = "DELETE FROM object WHERE kind = ?1 AND name = ?2",
	[STORE_FLOW_PUT] =
		"INSERT OR REPLACE INTO flow(origin, reason, text, id, created, expires, packets, "
		"bytes, used) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[STORE_FLOW_DEL] = "DELETE FROM flow WHERE id = ?4",
	[STORE_FLOW_COUNT] = "UPDATE flow SET packets = ?7, bytes = ?8, used = ?9 WHERE id = ?4",
	[STORE_LIVES] = "DELETE FROM past WHERE seq <= ?4",
	[STORE_PROVEN] = "DELETE FROM past",
	[STORE_JOURNAL_PUT] = "INSERT INTO journal VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[STORE_JOURNAL_TRIM] = "DELETE FROM journal WHERE id < ?4",
	[STORE_SET_PUT] = "INSERT INTO set_content(name, members) VALUES(?1, ?2) "
			  "ON CONFLICT(name) DO UPDATE SET members = excluded.members",
	[STORE_SET_DEL] = "DELETE FROM set_content WHERE name = ?1",
	[STORE_SET_LOG] = "INSERT INTO set_log(name, members) VALUES(?1, ?2)",
	[STORE_SET_TRIM] = "DELETE FROM set_log WHERE name = ?1",
};

/* The parent directory's entry for a fresh file has to last as well. */
static void sync_directory(const char *file)
{
	char *copy = mem_text(file);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(copy);
}

int store_make_private(const char *file, struct refusal *r)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return refuse(r, STORE, "db", "%s: %s", file, strerror(errno));
	if (fchmod(fd, 0600))
		refuse(r, STORE, "db", "%s: cannot make it private: %s", file, strerror(errno));
	/* Closed before SQLite locks it: closing drops a process's locks. */
	close(fd);
	sync_directory(file);
	return 0;
}

int store_run(struct store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

int64_t store_number(struct store *s, const char *sql)
{
	sqlite3_stmt *q = NULL;
	int64_t n = -1;

	if (!sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) && sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

/* No page of it is torn or lost. */
static bool is_sound(struct store *s)
{
	return store_number(s, "SELECT count(*) FROM pragma_quick_check(1) "
			       "WHERE quick_check <> 'ok'") == 0;
}

/* What SQLite says, and what would do. */
static int unusable(struct store *s, int error, struct refusal *r)
{
	const char *advice = "--db takes another file";

	if (error == SQLITE_NOTADB || error == SQLITE_CORRUPT)
		advice = "it is damaged or no store: put a copy in its place, or move it away "
			 "to begin anew";
	else if (error == SQLITE_FULL || error == SQLITE_IOERR)
		advice = "is its disk full?";
	return refuse(r, STORE, "db", "%s: %s; %s", s->file, sqlite3_errstr(error), advice);
}

/* Schemas, each from the one before: what a file of an older version lacks. */
static const char *const schemas[SCHEMA] = {
	"CREATE TABLE object(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
	" name TEXT NOT NULL, text TEXT NOT NULL, UNIQUE(kind, name));"
	"CREATE TABLE flow(id INTEGER PRIMARY KEY, origin TEXT NOT NULL, reason TEXT,"
	" text TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" packets INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0);"
	"PRAGMA user_version = 1;",
	"CREATE TABLE journal(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, origin TEXT NOT NULL,"
	" who TEXT NOT NULL, what TEXT NOT NULL, undo TEXT, diff TEXT NOT NULL,"
	" n_out INTEGER NOT NULL, n_in INTEGER NOT NULL, undoes INTEGER NOT NULL);"
	"PRAGMA user_version = 2;",
	"CREATE TABLE set_content(name TEXT PRIMARY KEY, members BLOB NOT NULL);"
	"CREATE TABLE set_log(seq INTEGER PRIMARY KEY, name TEXT NOT NULL,"
	" members BLOB NOT NULL);"
	"CREATE INDEX set_log_name ON set_log(name);"
	"PRAGMA user_version = 3;",
	("ALTER TABLE flow ADD COLUMN used INTEGER NOT NULL DEFAULT 0;"
	 "PRAGMA user_version = 4;"),
	(PAST_SCHEMA "PRAGMA user_version = 5;"),
	(PAST_SETS_SCHEMA "PRAGMA user_version = 6;"),
};

static int upgrade(struct store *s, int version)
{
	int error = store_run(s, "BEGIN");

	for (; !error && version < SCHEMA; version++)
		error = store_run(s, schemas[version]);
	return error ? error : store_run(s, "COMMIT");
}

/* Deleted keys are overwritten (secure_delete), in the file as soon as it is checkpointed. */
static int set_up(struct store *s, const char *file, struct refusal *r)
{
	int version, error;

	error = store_run(
		s,
		"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		"PRAGMA secure_delete=ON; BEGIN EXCLUSIVE; COMMIT;");
	if (error == SQLITE_BUSY)
		return refuse(r, OCCUPIED, "db",
			      "%s is in use by another daemon; --db takes another file", file);
	if (error)
		return unusable(s, error, r);
	version = (int)store_number(s, "PRAGMA user_version");
	if (version > SCHEMA)
		return refuse(r, STORE, "db",
			      "%s was written by a newer version (schema %d, known is %d); run "
			      "that version, or --db takes another file",
			      file, version, SCHEMA);
	if (!version && store_number(s, "SELECT count(*) FROM sqlite_master"))
		return refuse(r, STORE, "db",
			      "%s is another program's database; --db takes another file", file);
	if (version >= 0)
		error = upgrade(s, version);
	for (unsigned i = 0; !error && i < ARRAY_SIZE(statements); i++)
		error = sqlite3_prepare_v2(s->db, statements[i], -1, &s->put[i], NULL);
	return error || !is_sound(s) ? unusable(s, error ? error : SQLITE_CORRUPT, r) : 0;
}

static void *store_main(void *arg);

struct store *store_open(const char *file, struct refusal *r)
{
	struct store *s = mem_new(sizeof *s);
	bool memory = !strcmp(file, ":memory:");

	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* statistics that nobody reads cost a lock */
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->cond, NULL);
	s->file = mem_text(file);
	s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!memory && store_make_private(file, r))
		goto refused;
	if (s->fd < 0 ||
	    sqlite3_open_v2(file, &s->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL)) {
		refuse(r, STORE, "db", "%s: cannot open it", file);
		goto refused;
	}
	if (set_up(s, file, r))
		goto refused;
	if (pthread_create(&s->thread, NULL, store_main, s)) {
		refuse(r, SYSTEM, "db", "no thread for the store");
		goto refused;
	}
	s->threaded = true;
	return s;
refused:
	store_close(s);
	return NULL;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->threaded) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_broadcast(&s->cond);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(s->put); i++)
		sqlite3_finalize(s->put[i]);
	sqlite3_close(s->db);
	if (s->fd >= 0)
		close(s->fd);
	store_ops_free(s->ops);
	pthread_cond_destroy(&s->cond);
	pthread_mutex_destroy(&s->lock);
	free(s->file);
	free(s);
}

/* ---- Committing -------------------------------------------------------------------------- */

static int write_journal(sqlite3_stmt *q, const struct store_journal *j)
{
	const char *text[] = {j->origin, j->who, j->what, j->undo, j->diff};
	const int64_t number[] = {j->n_out, j->n_in, j->undoes};
	int error;

	sqlite3_bind_int64(q, 1, j->id);
	sqlite3_bind_int64(q, 2, j->at_ns);
	for (int i = 0; i < (int)ARRAY_SIZE(text); i++)
		sqlite3_bind_text(q, 3 + i, text[i], -1, SQLITE_STATIC);
	for (int i = 0; i < (int)ARRAY_SIZE(number); i++)
		sqlite3_bind_int64(q, 8 + i, number[i]);
	error = sqlite3_step(q) == SQLITE_DONE ? 0 : -EIO;
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return error;
}

static int write_set(sqlite3_stmt *q, const struct store_op *op)
{
	int error;

	sqlite3_bind_text(q, 1, op->name, -1, SQLITE_STATIC);
	if (sqlite3_bind_parameter_count(q) > 1)
		sqlite3_bind_blob64(q, 2, op->blob.data, op->blob.size, SQLITE_STATIC);
	error = sqlite3_step(q) == SQLITE_DONE ? 0 : -EIO;
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return error;
}

static int write_op(struct store *s, const struct store_op *op)
{
	sqlite3_stmt *q = s->put[op->what];
	const struct store_flow *f = &op->flow;
	int64_t numbers[] = {
		f->id,     f->created_ns, f->expires_ns, (int64_t)f->packets, (int64_t)f->bytes,
		f->used_ns};
	const char *texts[] = {op->kind, op->name, op->text};
	int n = sqlite3_bind_parameter_count(q), error;

	if (op->what == STORE_LIVES)
		numbers[0] = past_proven(s);
	else
		s->past.n += op->what <= STORE_FLOW_DEL || op->what >= STORE_SET_PUT;
	if (op->what == STORE_JOURNAL_PUT)
		return op->journal.who ? write_journal(q, &op->journal) : 0;
	if (op->what >= STORE_SET_PUT)
		return write_set(q, op);
	for (int i = 0; i < (int)ARRAY_SIZE(texts) && i < n; i++)
		sqlite3_bind_text(q, i + 1, texts[i], -1, SQLITE_STATIC);
	for (int i = 0; i < (int)ARRAY_SIZE(numbers) && i + 3 < n; i++)
		sqlite3_bind_int64(q, i + 4, numbers[i]);
	error = sqlite3_step(q) == SQLITE_DONE ? 0 : -EIO;
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return error;
}

static int transact(struct store *s, const struct store_op *ops)
{
	const struct past past = s->past;
	int error = store_run(s, "BEGIN"), system_error;

	for (; ops && !error; ops = ops->next)
		error = write_op(s, ops);
	if (!error && s->past.n > PAST_MAX / PAST_FLUSHES)
		error = write_op(s, &(struct store_op){.what = STORE_LIVES});
	if (!error)
		error = store_run(s, "COMMIT");
	if (!error)
		return 0;
	system_error = sqlite3_system_errno(s->db);
	snprintf(s->why, sizeof s->why, "%s%s%s%s", sqlite3_errmsg(s->db), system_error ? ": " : "",
		 system_error ? strerrordesc_np(system_error) : "",
		 sqlite3_errcode(s->db) == SQLITE_FULL || system_error == ENOSPC
			 ? "; make room and say it again"
			 : "");
	store_run(s, "ROLLBACK");
	s->past = past; /* what was not written was no flush */
	return -EIO;
}

static void *store_main(void *arg)
{
	struct store *s = arg;
	uint64_t one = 1;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->waiting && !s->stop)
			pthread_cond_wait(&s->cond, &s->lock);
		if (!s->waiting)
			break;
		pthread_mutex_unlock(&s->lock);
		s->error = transact(s, s->ops);
		pthread_mutex_lock(&s->lock);
		s->waiting = false;
		s->through = true;
		(void)!write(s->fd, &one, sizeof one);
		pthread_cond_broadcast(&s->cond);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

void store_commit(struct store *s, struct store_op *ops)
{
	pthread_mutex_lock(&s->lock);
	s->ops = ops;
	s->waiting = true;
	pthread_cond_broadcast(&s->cond);
	pthread_mutex_unlock(&s->lock);
}

int store_fd(const struct store *s)
{
	return s->fd;
}

bool store_result(struct store *s, int *error, struct refusal *r)
{
	uint64_t n;
	bool through;

	pthread_mutex_lock(&s->lock);
	through = s->through;
	s->through = false;
	pthread_mutex_unlock(&s->lock);
	if (!through)
		return false;
	(void)!read(s->fd, &n, sizeof n);
	store_ops_free(s->ops);
	s->ops = NULL;
	*error = s->error;
	if (s->error)
		refuse(r, STORE, "", "not written, so not done: %s: %s", s->file, s->why);
	return true;
}

void store_wait(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->waiting)
		pthread_cond_wait(&s->cond, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

bool store_wait_ms(struct store *s, unsigned ms)
{
	struct timespec until;
	bool waiting;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&s->lock);
	while (s->waiting && !pthread_cond_timedwait(&s->cond, &s->lock, &until))
		;
	waiting = s->waiting;
	pthread_mutex_unlock(&s->lock);
	return !waiting;
}

/* ---- Loading ----------------------------------------------------------------------------- */

static const char *column(sqlite3_stmt *q, int i)
{
	return (const char *)sqlite3_column_text(q, i);
}

int store_load_objects(struct store *s, const char *kind, struct store_visit *v, struct refusal *r)
{
	sqlite3_stmt *q = NULL;
	int step = SQLITE_ERROR, error = 0;

	if (!sqlite3_prepare_v2(s->db, "SELECT name, text FROM object WHERE kind = ?1 ORDER BY seq",
				-1, &q, NULL)) {
		sqlite3_bind_text(q, 1, kind, -1, SQLITE_STATIC);
		while (!error && (step = sqlite3_step(q)) == SQLITE_ROW)
			error = v->object(v, column(q, 0), column(q, 1), r);
	}
	sqlite3_finalize(q);
	if (!error && step != SQLITE_DONE)
		error = unusable(s, step, r);
	return error;
}

int store_load_flows(struct store *s, struct store_visit *v, struct refusal *r)
{
	sqlite3_stmt *q = NULL;
	int step = SQLITE_ERROR, error = 0;

	if (!sqlite3_prepare_v2(
		    s->db,
		    "SELECT id, origin, reason, text, created, expires, packets, bytes, used "
		    "FROM flow ORDER BY id",
		    -1, &q, NULL))
		while (!error && (step = sqlite3_step(q)) == SQLITE_ROW)
			error = v->flow(v,
					&(struct store_flow){
						.id = sqlite3_column_int64(q, 0),
						.origin = column(q, 1),
						.reason = column(q, 2),
						.text = column(q, 3),
						.created_ns = sqlite3_column_int64(q, 4),
						.expires_ns = sqlite3_column_int64(q, 5),
						.packets = (uint64_t)sqlite3_column_int64(q, 6),
						.bytes = (uint64_t)sqlite3_column_int64(q, 7),
						.used_ns = sqlite3_column_int64(q, 8),
					},
					r);
	sqlite3_finalize(q);
	if (!error && step != SQLITE_DONE)
		error = unusable(s, step, r);
	return error;
}

int store_load_journal(struct store *s, struct store_visit *v, struct refusal *r)
{
	sqlite3_stmt *q = NULL;
	int step = SQLITE_ERROR, error = 0;

	if (!sqlite3_prepare_v2(s->db,
				"SELECT id, at, origin, who, what, undo, diff, n_out, n_in, undoes "
				"FROM journal ORDER BY id",
				-1, &q, NULL))
		while (!error && (step = sqlite3_step(q)) == SQLITE_ROW)
			error = v->journal(v,
					   &(struct store_journal){
						   .id = sqlite3_column_int64(q, 0),
						   .at_ns = sqlite3_column_int64(q, 1),
						   .origin = column(q, 2),
						   .who = column(q, 3),
						   .what = column(q, 4),
						   .undo = column(q, 5),
						   .diff = column(q, 6),
						   .n_out = (uint32_t)sqlite3_column_int64(q, 7),
						   .n_in = (uint32_t)sqlite3_column_int64(q, 8),
						   .undoes = sqlite3_column_int64(q, 9),
					   },
					   r);
	sqlite3_finalize(q);
	if (!error && step != SQLITE_DONE)
		error = unusable(s, step, r);
	return error;
}

static int load_blobs(struct store *s, const char *sql, const char *name, struct store_visit *v,
		      struct refusal *r)
{
	sqlite3_stmt *q = NULL;
	int step = SQLITE_ERROR, error = 0;

	if (!sqlite3_prepare_v2(s->db, sql, -1, &q, NULL)) {
		sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
		while (!error && (step = sqlite3_step(q)) == SQLITE_ROW)
			error = v->set(v, sqlite3_column_blob(q, 0),
				       (size_t)sqlite3_column_bytes(q, 0), r);
	}
	sqlite3_finalize(q);
	if (!error && step != SQLITE_DONE)
		error = unusable(s, step, r);
	return error;
}

int store_load_set(struct store *s, const char *name, struct store_visit *v, struct refusal *r)
{
	return load_blobs(s, "SELECT members FROM set_content WHERE name = ?1", name, v, r);
}

int store_load_set_log(struct store *s, const char *name, struct store_visit *v, struct refusal *r)
{
	return load_blobs(s, "SELECT members FROM set_log WHERE name = ?1 ORDER BY seq", name, v,
			  r);
}
