/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

struct audit_file {
	struct audit audit;
	struct audit_counters n;
	int fd;
	char *path;        /* NULL: the standard output */
	bool failing, cut; /* the last one was not written, or not to its end */
};

static int open_append(const char *file, struct refusal *r)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		refuse(r, SYSTEM, "--audit", "%s: %s; choose another with --audit FILE", file,
		       strerror(errno));
	return fd;
}

/* The entry as one line, with its newline; behind half a line with one in front.  NULL: no memory.
 */
static char *line_of(const struct audit_file *f, const json_t *entry, size_t *size)
{
	char *body = json_dumps(entry, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6)),
	     *line = NULL;
	struct timespec now;
	struct tm tm;
	char time[32];
	int n = -1;

	if (body && f->path && body[0] == '{' && body[1] != '}') {
		clock_gettime(CLOCK_REALTIME, &now);
		gmtime_r(&now.tv_sec, &tm);
		strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &tm);
		n = asprintf(&line, "%s{\"time\":\"%s.%03ldZ\",%s\n", f->cut ? "\n" : "", time,
			     now.tv_nsec / 1000000, body + 1);
	} else if (body) {
		n = asprintf(&line, "%s%s\n", f->cut ? "\n" : "", body);
	}
	free(body);
	*size = n < 0 ? 0 : (size_t)n;
	return n < 0 ? NULL : line;
}

/* Said once, and again when it is over: decisions are many when there is trouble. */
static void say_failing(struct audit_file *f, bool failing, const char *why)
{
	const char *where = f->path ? f->path : "standard output";

	if (failing && !f->failing)
		LOG(ERR, "audit: %s: %s; decisions go on without being written", where, why);
	else if (!failing && f->failing)
		LOG(INFO, "audit: %s: decisions are written again; %llu were not", where,
		    (unsigned long long)f->n.failed);
	f->failing = failing;
}

static void write_entry(struct audit *a, json_t *entry)
{
	struct audit_file *f = container_of(a, struct audit_file, audit);
	size_t size;
	char *line = line_of(f, entry, &size);
	ssize_t n;

	do
		n = line ? write(f->fd, line, size) : -1;
	while (n < 0 && line && errno == EINTR);
	if (line && n == (ssize_t)size) {
		f->n.written++;
		f->cut = false;
		say_failing(f, false, NULL);
	} else {
		f->n.failed++;
		f->cut |= n > 0;
		say_failing(f, true,
			    n >= 0 ? "no room for the whole line"
				   : strerror(line ? errno : ENOMEM));
	}
	free(line);
	json_decref(entry);
}

struct audit_file *audit_file_open(const char *file, struct refusal *r)
{
	bool standard = !strcmp(file, "-");
	int fd = standard ? STDOUT_FILENO : open_append(file, r);
	struct audit_file *f;

	if (fd < 0)
		return NULL;
	f = calloc(1, sizeof *f);
	if (!f)
		abort();
	f->audit.write = write_entry;
	f->fd = fd;
	f->path = standard ? NULL : strdup(file);
	if (!standard && !f->path)
		abort();
	return f;
}

void audit_file_free(struct audit_file *f)
{
	if (!f)
		return;
	if (f->path)
		close(f->fd);
	free(f->path);
	free(f);
}

struct audit *audit_file_audit(struct audit_file *f)
{
	return &f->audit;
}

int audit_file_reopen(struct audit_file *f, struct refusal *r)
{
	int fd = f->path ? open_append(f->path, r) : f->fd;

	if (fd < 0)
		return -EINVAL;
	if (f->path)
		close(f->fd);
	f->fd = fd;
	return 0;
}

struct audit_counters audit_file_counters(const struct audit_file *f)
{
	return f->n;
}
