/* SPDX-License-Identifier: Apache-2.0 */
/* The last minute of the store, so that a change under which the switch crashes can be set aside.
 *
 * Triggers write down, with each change of a rule or an object, the statement that undoes it, in
 * the same transaction.  A change has *proven* itself when the switch has lived with it for a
 * minute, counted in flushes (counts.h): then its statement is forgotten.  So no clock says what is
 * old, but life: three crashes in a row prove nothing.
 *
 * After crashes, store_set_aside() undoes what has not proven itself, the last first.  Before, all
 * of the store is copied to FILE-aside, and the rules that go and come are an entry of the journal,
 * which `undo` takes back like any other.
 *
 * What a set held before another content took its place is kept beside its statement, as it was.
 *
 * Not undone: that a connection went (its keys would have to stay); the dpid that a new switch gave
 * itself.  No more is kept than PAST_MAX statements, as whole flushes, and what many changes leave
 * between two is cut into several; and contents of sets of 64 MiB and one more.  Where more is
 * changed in a minute, less than a minute of it can be set aside. */
#ifndef SLUICE_OFPROTO_STORE_PAST_H
#define SLUICE_OFPROTO_STORE_PAST_H

#include "lib/refuse.h"

struct store;

enum { PAST_FLUSHES = 6, PAST_MAX = 100000 }; /* at least a minute, of ten seconds each */

struct past {
	int64_t last[PAST_FLUSHES]; /* the last statement at each of the latest flushes */
	unsigned at;                /* the oldest of them */
	unsigned n;                 /* since, about: a change is one or two */
};

/* A trigger names the columns as they are in this schema: who adds one makes it anew. */
#define PAST_SCHEMA                                                                               \
	"CREATE TABLE past(seq INTEGER PRIMARY KEY AUTOINCREMENT, undo TEXT NOT NULL);"           \
	"CREATE TRIGGER flow_came AFTER INSERT ON flow BEGIN INSERT INTO past(undo)"              \
	" VALUES('DELETE FROM flow WHERE id = '||new.id); END;"                                   \
	"CREATE TRIGGER flow_went AFTER DELETE ON flow BEGIN INSERT INTO past(undo)"              \
	" VALUES('INSERT INTO flow(id, origin, reason, text, created, expires, packets, bytes,"   \
	" used) VALUES('||old.id||','||quote(old.origin)||','||quote(old.reason)||','||"          \
	"quote(old.text)||','||old.created||','||old.expires||','||old.packets||','||old.bytes||" \
	"','||old.used||')'); END;"                                                               \
	"CREATE TRIGGER object_came AFTER INSERT ON object"                                       \
	" WHEN new.kind <> 'setting' OR new.name NOT IN ('begun', 'dpid') BEGIN"                  \
	" INSERT INTO past(undo) VALUES('DELETE FROM object WHERE seq = '||new.seq); END;"        \
	"CREATE TRIGGER object_went AFTER DELETE ON object WHEN old.kind <> 'conn' BEGIN"         \
	" INSERT INTO past(undo) VALUES('INSERT INTO object(seq, kind, name, text) VALUES('||"    \
	"old.seq||','||quote(old.kind)||','||quote(old.name)||','||quote(old.text)||')'); END;"   \
	"CREATE TRIGGER object_changed AFTER UPDATE OF text ON object"                            \
	" WHEN old.kind <> 'conn' AND old.text <> new.text BEGIN"                                 \
	" INSERT INTO past(undo) VALUES('UPDATE object SET text = '||quote(old.text)||"           \
	"' WHERE seq = '||old.seq); END;"

/* Of sets: changes of members, and contents.  A statement and its content have one number. */
#define PAST_CONTENT                                                                      \
	" BEGIN DELETE FROM past WHERE seq <= (SELECT max(seq) FROM past_set)"            \
	" AND (SELECT sum(length(members)) FROM past_set) > 67108864;"                    \
	"INSERT INTO past(undo) VALUES('');"                                              \
	"INSERT INTO past_set VALUES(last_insert_rowid(), old.name, old.members);"        \
	"UPDATE past SET undo = 'INSERT OR REPLACE INTO set_content SELECT name, members" \
	" FROM past_set WHERE seq = '||seq WHERE seq = last_insert_rowid(); END;"
#define PAST_SETS_SCHEMA                                                                       \
	"CREATE TABLE past_set(seq INTEGER PRIMARY KEY, name TEXT NOT NULL,"                   \
	" members BLOB NOT NULL);"                                                             \
	"CREATE TRIGGER past_went AFTER DELETE ON past BEGIN"                                  \
	" DELETE FROM past_set WHERE seq = old.seq; END;"                                      \
	"CREATE TRIGGER members_came AFTER INSERT ON set_log BEGIN INSERT INTO past(undo)"     \
	" VALUES('DELETE FROM set_log WHERE seq = '||new.seq); END;"                           \
	"CREATE TRIGGER members_went AFTER DELETE ON set_log BEGIN INSERT INTO past(undo)"     \
	" VALUES('INSERT INTO set_log(seq, name, members) VALUES('||old.seq||','||"            \
	"quote(old.name)||','||quote(old.members)||')'); END;"                                 \
	"CREATE TRIGGER content_came AFTER INSERT ON set_content BEGIN INSERT INTO past(undo)" \
	" VALUES('DELETE FROM set_content WHERE name = '||quote(new.name)); END;"              \
	"CREATE TRIGGER content_changed AFTER UPDATE ON set_content" PAST_CONTENT              \
	"CREATE TRIGGER content_went AFTER DELETE ON set_content" PAST_CONTENT

/* Another flush is there: the last statement that is a minute old.  The store thread's. */
int64_t past_proven(struct store *s);

struct store_aside {
	unsigned n_out, n_in, n_other; /* rules that went and came; changes of other things */
	int64_t entry;                 /* of the journal; 0: none, for there was nothing */
	char copy[4200];               /* where all of it is; empty: not copied */
};

/* Before the first commit.  Refused, nothing is undone. */
int store_set_aside(struct store *s, struct store_aside *aside, struct refusal *r);

#endif
