/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice-watch --replay FILE`: the whole watcher on a capture of sFlow, in the capture's own time,
 * against a guard that pretends (pretend.h); nothing outside is touched.
 *
 * Decisions go to the audit (by default the standard output) as they are taken, without `time`, so
 * that the same capture and pipelines give the same octets.  Behind the capture's end time goes on,
 * without samples, until no rule is held, at most RUN_ON_NS.  The last line is a summary: what was
 * read, what the rules hit and cost, and the watcher's own report. */
#ifndef SLUICE_WATCH_RUN_REPLAY_H
#define SLUICE_WATCH_RUN_REPLAY_H

#include "lib/refuse.h"

#define RUN_ON_NS (600 * NSEC_PER_SEC)

struct run_replay {
	const char *file, *pipelines;
	const char *state; /* what was learned before; NULL: nothing.  It is not written */
	const char *audit; /* NULL: `-` */
};
/* 0, or a refusal. */
int run_replay(const struct run_replay *run, struct refusal *r);

#endif
