/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: who changed what, and what takes it back.
 *
 * An *entry* is one change as somebody asked for it: when, by which origin, who (a peer of a
 * socket, a file, expiry), in which words, and its *diff*: the rules that went and came, as lines
 * that flow_parse() reads.  What is no rule (a port, a setting) has the verbs that undo it
 * instead.  Controllers' messages of one commit are one entry, so that a thousand of them are not a
 * thousand entries.
 *
 * **Who acts.**  The caller of changes says so around them with ofproto_actor(); what it points at
 * is borrowed until then.  Without an actor nothing is written down, but for rules with an expiry
 * that end: those are expiry's.
 *
 * An entry is a step of the group its change is in: committed with it, or never there.  The last
 * JOURNAL_MAX entries (and JOURNAL_OCTETS of diffs and undos) are kept, in memory and in the store;
 * a diff of more than DIFF_LINES lines is counted, not kept, and cannot be undone.  Offline there
 * is no journal.  Control thread. */
#ifndef SLUICE_OFPROTO_JOURNAL_H
#define SLUICE_OFPROTO_JOURNAL_H

#include "ofproto/ofproto.h"

enum { JOURNAL_MAX = 1000, JOURNAL_OCTETS = 16 << 20, DIFF_LINES = 1000 };

struct actor {
	uint8_t origin;
	bool gathers;     /* the changes of one commit are one entry */
	bool whole;       /* a rule that is renewed is news, too: it may be taken back */
	const char *who;  /* `uid 0, pid 71`, `tcp:127.0.0.1:6653` */
	const char *what; /* the words, without keys */
	const char *undo; /* what else takes it back: opaque to us; NULL: the diff alone */
	int64_t undoes;   /* the entry that it takes back; 0: none */
};
/* From here on changes are this actor's; NULL: nobody's. */
void ofproto_actor(struct ofproto *o, const struct actor *a);
/* The number of the entry that the actor's changes so far are in; 0: none (offline, no change). */
int64_t ofproto_actor_entry(const struct ofproto *o);

struct journal_entry {
	int64_t id;
	int64_t at_ns; /* since 1970 */
	uint8_t origin;
	const char *who, *what, *undo;
	const char *diff;       /* lines, see journal_line_read() */
	uint32_t n_out, n_in;   /* rules that went and came */
	bool cut;               /* more than the diff holds */
	int64_t undoes, undone; /* the entry it took back; the one that took it back; 0 */
};

/* The newest first; a non-zero return ends the walk. */
struct journal_visit {
	int (*entry)(struct journal_visit *v, const struct journal_entry *e);
};
void ofproto_journal(struct ofproto *o, struct journal_visit *v);
const struct journal_entry *ofproto_journal_entry(struct ofproto *o, int64_t id); /* NULL: none */

/* One line of a diff: `+` or `-`, origin, expiry, reason, FLOW.  False at the diff's end. */
struct journal_line {
	char sign;
	uint8_t origin;
	int64_t expires_ns; /* since 1970; 0: never */
	char reason[256];   /* empty: none */
	char *flow;         /* free() it */
};
bool journal_line_read(const char **diff, struct journal_line *l);

/* Takes an entry's rules back, all or none: those that came go, those that went come again with
 * what is left of their time.  Refused when a rule is no more as the entry left it. */
int ofproto_undo(struct ofproto *o, int64_t id, struct waiter *w, struct refusal *r);

#endif
