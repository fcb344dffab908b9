/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/store-past.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "ofproto/journal.h"
#include "ofproto/memory.h"
#include "ofproto/store-file.h"

int64_t past_proven(struct store *s)
{
	struct past *p = &s->past;
	int64_t proven = p->last[p->at];

	p->n = 0;
	p->last[p->at] = store_number(s, "SELECT max(seq) FROM past");
	p->at = (p->at + 1) % PAST_FLUSHES;
	/* Too many: the oldest flushes that are left make room. */
	for (unsigned i = 0; i < PAST_FLUSHES &&
			     p->last[(p->at + PAST_FLUSHES - 1) % PAST_FLUSHES] - proven > PAST_MAX;
	     i++)
		proven = MAX(proven, p->last[(p->at + i) % PAST_FLUSHES]);
	return proven;
}

/* ---- Setting aside ------------------------------------------------------------------------ */

static void copy_all(struct store *s, struct store_aside *aside)
{
	sqlite3_stmt *q = NULL;
	struct refusal r = {0};
	int error = SQLITE_ERROR;

	if (!strcmp(s->file, ":memory:") ||
	    (size_t)snprintf(aside->copy, sizeof aside->copy, "%s-aside", s->file) >=
		    sizeof aside->copy) {
		aside->copy[0] = '\0';
		return;
	}
	unlink(aside->copy);
	if (!store_make_private(aside->copy, &r) &&
	    !sqlite3_prepare_v2(s->db, "VACUUM INTO ?1", -1, &q, NULL)) {
		sqlite3_bind_text(q, 1, aside->copy, -1, SQLITE_STATIC);
		error = sqlite3_step(q);
	}
	sqlite3_finalize(q);
	if (error == SQLITE_DONE)
		return;
	LOG(WARN, "store: no copy of what is set aside: %s: %s", aside->copy,
	    r.text[0] ? r.text : sqlite3_errmsg(s->db));
	unlink(aside->copy);
	aside->copy[0] = '\0';
}

static void triggers(struct store *s, bool on)
{
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, (int)on, NULL);
}

static int undo_all(struct store *s, struct store_aside *aside)
{
	sqlite3_stmt *q = NULL;
	struct buf all = {0};
	int step = SQLITE_ERROR, error = 0;

	if (!sqlite3_prepare_v2(s->db, "SELECT undo FROM past ORDER BY seq DESC", -1, &q, NULL))
		while ((step = sqlite3_step(q)) == SQLITE_ROW) {
			const char *undo = (const char *)sqlite3_column_text(q, 0);

			aside->n_other += !strstr(undo, " flow");
			buf_octets(&all, undo, strlen(undo) + 1);
		}
	sqlite3_finalize(q);
	triggers(s, false); /* nobody undoes this */
	for (size_t at = 0; step == SQLITE_DONE && !error && at < all.size;
	     at += strlen((const char *)all.data + at) + 1)
		error = store_run(s, (const char *)all.data + at);
	triggers(s, true);
	if (all.data)
		explicit_bzero(all.data, all.size);
	buf_free(&all);
	return step == SQLITE_DONE ? error : SQLITE_ERROR;
}

/* Lines as journal_line_read() has them. */
static void put_lines(struct store *s, char sign, const char *sql, unsigned *n, struct buf *diff)
{
	sqlite3_stmt *q = NULL;

	if (!sqlite3_prepare_v2(s->db, sql, -1, &q, NULL))
		while (sqlite3_step(q) == SQLITE_ROW) {
			const char *reason = (const char *)sqlite3_column_text(q, 2);

			if ((*n)++ >= DIFF_LINES)
				continue;
			buf_printf(diff, "%c%s\t%" PRId64 "\t", sign, sqlite3_column_text(q, 0),
				   (int64_t)sqlite3_column_int64(q, 1));
			for (unsigned i = 0; reason && reason[i] && i < 255; i++)
				buf_printf(diff, "%c", (uint8_t)reason[i] < ' ' ? ' ' : reason[i]);
			buf_printf(diff, "\t%s\n", sqlite3_column_text(q, 3));
		}
	sqlite3_finalize(q);
}

static int write_entry(struct store *s, struct store_aside *aside)
{
	struct buf diff = {0};
	sqlite3_stmt *q = NULL;
	struct timespec t;
	int error;

	put_lines(s, '-',
		  "SELECT origin, expires, reason, text FROM was WHERE id NOT IN "
		  "(SELECT id FROM flow)",
		  &aside->n_out, &diff);
	put_lines(s, '+',
		  "SELECT origin, expires, reason, text FROM flow WHERE id NOT IN "
		  "(SELECT id FROM was)",
		  &aside->n_in, &diff);
	if (!aside->n_out && !aside->n_in && !aside->n_other)
		return 0;
	clock_gettime(CLOCK_REALTIME, &t);
	aside->entry = store_number(s, "SELECT coalesce(max(id), 0) + 1 FROM journal");
	error = sqlite3_prepare_v2(s->db,
				   "INSERT INTO journal VALUES(?1, ?2, 'cli', 'sluiced', "
				   "'set aside after crashes', NULL, ?3, ?4, ?5, 0)",
				   -1, &q, NULL);
	if (!error) {
		sqlite3_bind_int64(q, 1, aside->entry);
		sqlite3_bind_int64(q, 2, (int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
		sqlite3_bind_text(q, 3, buf_text(&diff), -1, SQLITE_STATIC);
		sqlite3_bind_int64(q, 4, aside->n_out);
		sqlite3_bind_int64(q, 5, aside->n_in);
		error = sqlite3_step(q) == SQLITE_DONE ? 0 : SQLITE_ERROR;
	}
	sqlite3_finalize(q);
	buf_free(&diff);
	return error;
}

int store_set_aside(struct store *s, struct store_aside *aside, struct refusal *r)
{
	int error;

	*aside = (struct store_aside){0};
	if (!store_number(s, "SELECT count(*) FROM past")) /* a copy of before stays what it is */
		return 0;
	copy_all(s, aside);
	error = store_run(s, "PRAGMA temp_store = MEMORY; BEGIN;"
			     "CREATE TEMP TABLE was AS SELECT * FROM flow");
	if (!error)
		error = undo_all(s, aside);
	if (!error)
		error = write_entry(s, aside);
	if (!error)
		error = store_run(s, "DELETE FROM past; DROP TABLE temp.was; COMMIT");
	if (!error)
		return 0;
	refuse(r, STORE, "db", "%s: %s", s->file, sqlite3_errmsg(s->db));
	store_run(s, "ROLLBACK");
	return -EIO;
}
