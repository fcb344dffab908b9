/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl/mgmt.h"

struct call {
	int fd;
	uint64_t deadline_ms;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until the socket is ready or time is up. */
static int wait_for(const struct call *c, short events)
{
	struct pollfd fd = {.fd = c->fd, .events = events};
	uint64_t now = now_ms();
	int n;

	if (now >= c->deadline_ms)
		return -ETIMEDOUT;
	n = poll(&fd, 1, (int)MIN(c->deadline_ms - now, 1000000u));
	return n < 0 && errno != EINTR ? -errno : 0;
}

static int dial(struct call *c, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof addr.sun_path)
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	while (connect(c->fd, (struct sockaddr *)&addr, sizeof addr)) {
		if (errno ==
		    EAGAIN) { /* the daemon's backlog is full: there is nothing to poll for */
			if (now_ms() >= c->deadline_ms)
				return -ETIMEDOUT;
			poll(NULL, 0, 10);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* Others may be able to make files in the run directory, while sluiced does not run, but root, we,
 * and the folder's owner are whom keys are told. */
static int look_who(const struct call *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t size = sizeof who;
	char folder[sizeof((struct sockaddr_un *)NULL)->sun_path + 1];
	struct stat st;

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 1,
		 slash ? path : ".");
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) || stat(folder, &st))
		return -errno;
	return !who.uid || who.uid == geteuid() || who.uid == st.st_uid ? 0 : -EPERM;
}

static int send_all(const struct call *c, const char *data, size_t size)
{
	while (size) {
		ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			int error = wait_for(c, POLLOUT);

			if (error)
				return error;
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		} else if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int receive_line(const struct call *c, struct buf *line)
{
	char chunk[65536];

	for (;;) {
		ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
		const char *end = n > 0 ? memchr(chunk, '\n', (size_t)n) : NULL;

		if (n > 0)
			buf_octets(line, chunk, end ? (size_t)(end - chunk) : (size_t)n);
		if (end)
			return 0;
		if (!n)
			return -ECONNRESET;
		if (n < 0 && errno == EAGAIN) {
			int error = wait_for(c, POLLIN);

			if (error)
				return error;
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		}
	}
}

static int read_answer(const char *line, struct mgmt_answer *answer)
{
	json_t *root = json_loads(line, 0, NULL), *part;

	part = json_object_get(root, "error");
	answer->refused = part != NULL;
	if (!part)
		part = json_object_get(root, "result");
	answer->value = json_incref(part);
	json_decref(root);
	return part ? 0 : -EPROTO;
}

int mgmt_call(const char *path, const char *verb, json_t *params, unsigned timeout_ms,
	      struct mgmt_answer *answer)
{
	struct call c = {.fd = -1, .deadline_ms = now_ms() + timeout_ms};
	json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
				    verb, "params", params);
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	struct buf line = {0};
	int error = text ? dial(&c, path) : -EINVAL;

	json_decref(request);
	if (!error)
		error = look_who(&c, path);
	if (!error)
		error = send_all(&c, text, strlen(text));
	if (!error)
		error = send_all(&c, "\n", 1);
	if (!error || error == -EPIPE) /* who is hung up on was told why */
		error = receive_line(&c, &line);
	if (!error)
		error = read_answer(buf_text(&line), answer);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	buf_free(&line);
	if (c.fd >= 0)
		close(c.fd);
	return error;
}
