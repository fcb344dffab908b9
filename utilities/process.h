/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a process a daemon: the run directory and its lock, the background, privileges.
 *
 * Order: hold the run directory, detach and drop privileges (before any thread), open everything,
 * then detach_ready().  All on the main thread. */
#ifndef SLUICE_UTILITIES_PROCESS_H
#define SLUICE_UTILITIES_PROCESS_H

#include "lib/refuse.h"

/* Makes `dir` (its parents must be there but for one) and locks it: one daemon a run directory.
 * Returns a descriptor that holds the lock, or refuses. */
int run_dir_hold(const char *dir, struct refusal *r);
/* Makes the directory that `file` (which `option` named) lies in, mode 0700, where it is missing.
 */
int parent_dir_make(const char *file, const char *option, struct refusal *r);

/* Forks.  The parent waits until the child is ready or gone, and exits with 0 or 1; the child
 * returns. */
int detach(struct refusal *r);
/* Nothing, when not detached.  The working directory stays: paths may be relative to it. */
void detach_ready(void);

int pidfile_write(const char *file, struct refusal *r);

/* Not dumpable; memory may be locked without limit. */
void process_harden(void);
/* Keeps NET_ADMIN, NET_RAW, BPF, IPC_LOCK and drops the rest for this thread and those that it
 * makes from now on; nothing when not root.  Root without the rest obeys files' modes like anybody.
 */
int privileges_drop(struct refusal *r);
/* Keeps none, also for programs that are run; nothing when not root, or where one may not. */
void privileges_drop_all(void);

#endif
