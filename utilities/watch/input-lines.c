/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/input-lines.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/refuse.h"
#include "utilities/watch/input.h"

enum {
	READ_AT_ONCE = 65536,
	LOOKS_PER_SECOND = 5, /* at a file */
};

struct lines {
	struct lines_to to;
	struct event *event; /* of the stream's octets, or the file's next look */
	int fd;              /* -1: the file is not there yet */
	bool is_file;
	char *file;  /* NULL: the standard input, of which there is no other */
	off_t at;    /* octets of the file that were read */
	size_t size; /* of the line that has begun */
	bool skip;   /* … whose rest is passed over */
	char text[INPUT_LINE_MAX + 1];
};

void lines_free(struct lines *l)
{
	if (!l)
		return;
	if (l->event)
		event_free(l->event);
	if (l->fd > STDIN_FILENO)
		close(l->fd);
	free(l->file);
	free(l);
}

static void end_line(struct lines *l)
{
	if (!l->skip)
		l->to.line(l->to.arg, l->text, l->size);
	l->size = 0;
	l->skip = false;
}

static void take(struct lines *l, const char *octets, size_t size)
{
	const char *end = octets + size;

	while (octets < end) {
		const char *newline = memchr(octets, '\n', (size_t)(end - octets));
		size_t n = (size_t)((newline ? newline : end) - octets);

		n = l->skip ? 0 : MIN(n, sizeof l->text - l->size);
		memcpy(l->text + l->size, octets, n);
		l->size += n;
		if (l->size == sizeof l->text && !l->skip) {
			end_line(l);
			l->skip = true;
		}
		if (!newline)
			return;
		end_line(l);
		octets = newline + 1;
	}
}

/* Octets read; 0 at the end (as it is now); -EAGAIN, or another -errno, which is counted. */
static ssize_t read_some(struct lines *l)
{
	static char octets[READ_AT_ONCE];
	ssize_t size = read(l->fd, octets, sizeof octets);

	if (size > 0) {
		l->at += size;
		take(l, octets, (size_t)size);
	} else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
		size = -EAGAIN;
	} else if (size < 0) {
		size = -errno;
		++*l->to.errors;
		LOG(WARN, "input: %s: %s", l->file ? l->file : "standard input",
		    strerror(-(int)size));
	}
	return size;
}

/* ---- Streams -------------------------------------------------------------------------------- */

static void stream_readable(evutil_socket_t fd, short what, void *arg)
{
	struct lines *l = arg;

	ssize_t size = read_some(l);

	(void)fd, (void)what;
	if (size > 0 || size == -EAGAIN)
		return;
	/* A FIFO is held open for writing too, and has no end. */
	if (l->size)
		end_line(l);
	event_del(l->event);
	LOG(INFO, "input: the standard input is at its end");
}

/* ---- Files ---------------------------------------------------------------------------------- */

static void look_after(struct lines *l, unsigned us)
{
	struct timeval t = {0, us};

	if (evtimer_add(l->event, &t))
		abort();
}

/* Another file of this name, or the first one that there is: from its beginning. */
static bool open_file(struct lines *l)
{
	int fd = open(l->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return false;
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = fd;
	l->at = 0;
	l->size = 0;
	l->skip = false;
	return true;
}

/* At the file's end: is there something else to read? */
static bool begin_anew(struct lines *l)
{
	struct stat here, there;

	if (l->fd < 0)
		return l->file && open_file(l);
	if (fstat(l->fd, &here))
		return false;
	if (here.st_size < l->at) {
		l->at = lseek(l->fd, 0, SEEK_SET);
		l->size = 0;
		l->skip = false;
		return true;
	}
	if (!l->file || stat(l->file, &there) ||
	    (there.st_ino == here.st_ino && there.st_dev == here.st_dev))
		return false;
	return open_file(l);
}

static void file_look(evutil_socket_t fd, short what, void *arg)
{
	struct lines *l = arg;
	ssize_t size = l->fd < 0 ? 0 : read_some(l);
	bool more = size > 0 || (!size && begin_anew(l));

	(void)fd, (void)what;
	look_after(l, more ? 0 : 1000000 / LOOKS_PER_SECOND);
}

/* What is there is past; a line of it that is not ended yet too. */
static void pass_over(struct lines *l)
{
	char last = '\n';

	l->at = lseek(l->fd, 0, SEEK_END);
	if (l->at > 0 && pread(l->fd, &last, 1, l->at - 1) == 1)
		l->skip = last != '\n';
}

/* ---- Both ----------------------------------------------------------------------------------- */

static int open_what(struct lines *l, const char *file, struct refusal *r)
{
	struct stat st;

	if (!strcmp(file, "-")) {
		l->fd = STDIN_FILENO;
		if (fstat(l->fd, &st))
			return refuse(r, SYSTEM, "json", "standard input: %s", strerror(errno));
		l->is_file = S_ISREG(st.st_mode);
		return 0;
	}
	l->file = strdup(file);
	if (!l->file)
		abort();
	l->is_file = true;
	if (stat(file, &st))
		return errno == ENOENT ? 0
				       : refuse(r, SYSTEM, "json", "%s: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return refuse(r, BAD_VALUE, "json",
			      "%s is neither a file nor a FIFO; these and - would be accepted",
			      file);
	l->is_file = S_ISREG(st.st_mode);
	/* Open for writing too: it has no end when its writers go. */
	l->fd = open(file, (l->is_file ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC);
	if (l->fd < 0)
		return refuse(r, SYSTEM, "json", "%s: %s", file, strerror(errno));
	if (l->is_file)
		pass_over(l);
	return 0;
}

struct lines *lines_open(struct event_base *base, const char *file, struct lines_to to,
			 struct refusal *r)
{
	struct lines *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	l->to = to;
	l->fd = -1;
	if (open_what(l, file, r)) {
		lines_free(l);
		return NULL;
	}
	if (l->is_file)
		l->event = evtimer_new(base, file_look, l);
	else
		l->event = event_new(base, l->fd, EV_READ | EV_PERSIST, stream_readable, l);
	if (!l->event)
		abort();
	if (l->is_file)
		look_after(l, 0);
	else if (event_add(l->event, NULL))
		abort();
	return l;
}
