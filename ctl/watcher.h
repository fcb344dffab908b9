/* SPDX-License-Identifier: Apache-2.0 */
/* What the watcher said: its last report, and the rules it proposes.
 *
 * The report is the watcher's own (a JSON object, decide.h's watch_report()), kept as it came with
 * the time it came at; nothing in it is believed beyond being shown.
 *
 * A *proposal* is a guard rule that waits for the operator: accepted, it is installed with the
 * origin of who proposed it and lasts as long as it was to last; it ends after the same time if
 * nobody answers.  One that was rejected stays until its end too, so that the same is not
 * proposed again meanwhile; when room is wanted the rejected go first.  All of it is memory
 * of the control thread, bounded, and gone with the daemon. */
#ifndef SLUICE_CTL_WATCHER_H
#define SLUICE_CTL_WATCHER_H

#include "ctl/mgmt.h"

enum { PROPOSALS_MAX = 64, WATCH_REPORT_MAX = 64 << 10 /* octets of text */ };

struct proposal {
	struct proposal *next; /* the oldest first */
	uint64_t id;           /* from 1 */
	uint64_t made_ns, ends_ns;
	bool rejected;
	struct flow_mod mod; /* owns its reason */
};

struct watcher {
	json_t *report; /* NULL: none came */
	uint64_t report_ns;
	struct proposal *proposals;
	unsigned n;
	uint64_t last_id;
};

/* The daemon's; made when it is first asked for. */
struct watcher *watcher_of(struct daemon *d);
void watcher_free(struct daemon *d);

/* Takes a report's text.  Refuses what is no object, or too long. */
int watcher_report(struct daemon *d, const char *text, struct refusal *r);

/* Proposes a rule, as `mod` says (copied); the same match and priority again is the same proposal,
 * renewed.  NULL: refused. */
struct proposal *watcher_propose(struct daemon *d, const struct flow_mod *mod, struct refusal *r);
/* One that waits, by the text of its id; NULL: refused. */
struct proposal *watcher_find(struct daemon *d, const char *id, struct refusal *r);
/* It was answered: gone. */
void watcher_forget(struct daemon *d, struct proposal *p);
/* How many wait; what has ended is gone by then. */
unsigned watcher_waiting(struct daemon *d);

#endif
