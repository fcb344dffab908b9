/* SPDX-License-Identifier: Apache-2.0 */
/* The journal from inside: for the files that make changes and commit them.
 *
 * The entry of the open group is open too: what is staged is added to it, and it is complete when
 * the group is sealed or somebody else acts.  Its operation for the store is in the group from
 * the beginning, and is filled in then.  Control thread. */
#ifndef SLUICE_OFPROTO_JOURNAL_ENTRY_H
#define SLUICE_OFPROTO_JOURNAL_ENTRY_H

#include "ofproto/journal.h"

struct entry;
struct kept_entry;

struct journal {
	struct kept_entry *newest, *oldest;
	struct kept_entry *open; /* of the open group; changes are added to it */
	struct store_op *op;     /* … in the store: filled in when it is closed */
	uint32_t n;
	size_t octets;
	int64_t next_id, trimmed; /* the store has none below */
	const struct actor *actor;
};

/* A change is about to be staged: it has an entry, if somebody acts. */
void journal_touch(struct ofproto *o);
/* A rule comes ('+') or goes ('-'), staged. */
void journal_flow(struct ofproto *o, char sign, const struct entry *e);
/* What is in the open entry so far; NULL: there is none. */
const struct journal_entry *journal_open(struct ofproto *o);
/* The open group is sealed: its entry is complete. */
void journal_close(struct ofproto *o);
/* Takes a diff back as far as nobody else has changed its places; between begin and commit. `late`:
 * what came may have expired meanwhile. */
void undo_what_stands(struct ofproto *o, const char *diff, int64_t at_ns, bool late);
int journal_restore(struct ofproto *o, struct refusal *r);
void journal_destroy(struct ofproto *o);

#endif
