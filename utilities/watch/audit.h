/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: every decision of the watcher, one JSON object a line, in the order taken.
 *
 *	struct audit_file *f = audit_file_open("/var/log/sluice-watch/audit.json", &refusal);
 *	config.audit = audit_file_audit(f);
 *
 * A line is one write() to a file opened for appending, so lines are whole, also when a rotation
 * or a second reader comes between; nothing is ever written over.  A rotation renames the file and
 * asks for audit_file_reopen(), which makes a new one.  Each entry gets the wall clock's `time` in
 * front.  What cannot be written (a full disk) is counted and said in the log, and the decision
 * stands.  Single thread; the file is the caller's. */
#ifndef SLUICE_WATCH_AUDIT_H
#define SLUICE_WATCH_AUDIT_H

#include "lib/refuse.h"
#include "utilities/watch/decide.h"

struct audit_file;
/* `-` is the standard output, without `time`: a replay's decisions repeat to the octet.  Makes
 * nothing but the file (0640).  NULL: refused. */
struct audit_file *audit_file_open(const char *file, struct refusal *r);
void audit_file_free(struct audit_file *f); /* NULL: nothing */
struct audit *audit_file_audit(struct audit_file *f);
/* The same name again.  On a refusal the old file stays in use. */
int audit_file_reopen(struct audit_file *f, struct refusal *r);

struct audit_counters {
	uint64_t written, failed;
};
struct audit_counters audit_file_counters(const struct audit_file *f);

#endif
