/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs that are sockets; input-lines.c has those that are files. */
#include "utilities/watch/input.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/options.h"
#include "lib/refuse.h"
#include "utilities/watch/input-lines.h"

enum {
	DATAGRAM_MAX = 65536,
	DATAGRAMS_AT_ONCE = 64, /* of one socket each time the loop comes round */
};

struct input {
	struct inputs *in;
	int fd;
	struct event *event;
	uint32_t dropped; /* by the kernel, as it said last */
	char path[sizeof((struct sockaddr_un *)NULL)->sun_path]; /* to be taken away */
	struct lines *lines;
};

struct inputs {
	struct event_base *base;
	struct sample_sink *to;
	struct sflow_reader *reader;
	struct input_counters n; /* .sflow is the reader's */
	unsigned n_inputs;
	uint16_t udp_port;
	struct input input[INPUT_MAX];
	uint8_t datagram[DATAGRAM_MAX];
};

struct inputs *inputs_create(struct event_base *base, struct sample_sink *to)
{
	struct inputs *in = calloc(1, sizeof *in);

	if (!in)
		abort();
	in->base = base;
	in->to = to;
	in->reader = sflow_reader_create();
	return in;
}

void inputs_free(struct inputs *in)
{
	if (!in)
		return;
	for (unsigned i = 0; i < in->n_inputs; i++) {
		struct input *input = &in->input[i];

		lines_free(input->lines);
		if (!input->event)
			continue;
		event_free(input->event);
		close(input->fd);
		if (input->path[0])
			unlink(input->path);
	}
	sflow_reader_free(in->reader);
	free(in);
}

void inputs_counters(const struct inputs *in, struct input_counters *out)
{
	*out = in->n;
	out->sflow = *sflow_counters(in->reader);
}

uint16_t input_udp_port(const struct inputs *in)
{
	return in->udp_port;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static int no_more(const char *what, struct refusal *r)
{
	return refuse(r, LIMIT, NULL, "%s: %u inputs are read already, and no more than that", what,
		      INPUT_MAX);
}

/* ---- Sockets -------------------------------------------------------------------------------- */

/* SO_RXQ_OVFL: what this socket lost so far, beside the datagram that came after it. */
static void count_drops(struct input *input, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		uint32_t dropped;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&dropped, CMSG_DATA(c), sizeof dropped);
		input->in->n.kernel_drops += dropped - input->dropped;
		input->dropped = dropped;
	}
}

static void datagrams(evutil_socket_t fd, short what, void *arg)
{
	struct input *input = arg;
	struct inputs *in = input->in;
	uint64_t ns = now_ns();

	(void)what;
	for (unsigned i = 0; i < DATAGRAMS_AT_ONCE; i++) {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint32_t))];
		struct iovec iov = {in->datagram, sizeof in->datagram};
		struct msghdr m = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof control};
		ssize_t size = recvmsg(fd, &m, MSG_DONTWAIT);

		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (size < 0) {
			in->n.errors++;
			LOG(WARN, "input: a socket cannot be read: %s; it is tried again",
			    strerror(errno));
			return;
		}
		count_drops(input, &m);
		sflow_read(in->reader, in->datagram, (size_t)size, ns, in->to);
	}
}

/* Takes over `fd`. */
static struct input *add_socket(struct inputs *in, int fd)
{
	struct input *input = &in->input[in->n_inputs++];
	int size = INPUT_RECEIVE_BUFFER, one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof one);
	*input = (struct input){.in = in, .fd = fd};
	input->event = event_new(in->base, fd, EV_READ | EV_PERSIST, datagrams, input);
	if (!input->event || event_add(input->event, NULL))
		abort();
	return input;
}

/* ---- The unix socket ------------------------------------------------------------------------ */

/* A socket that nobody reads is free to replace; another file is not (bind() says so). */
static int clear_path(const struct sockaddr_un *addr, struct refusal *r)
{
	struct stat st;
	int fd, error;

	if (lstat(addr->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refuse(r, SYSTEM, NULL, "%s: %s", addr->sun_path, strerror(errno));
	error = connect(fd, (const struct sockaddr *)addr, sizeof *addr) ? errno : 0;
	close(fd);
	if (!error || error == EAGAIN)
		return refuse(r, OCCUPIED, NULL,
			      "%s: another watcher reads there; end it, or give this one the "
			      "--run-dir of another daemon",
			      addr->sun_path);
	if (error == ECONNREFUSED)
		unlink(addr->sun_path);
	return 0;
}

/* Makes the socket its folder's owner's; or, without the privilege to, its group's, of which this
 * process has to be.  So sluiced writes to it without being root's equal. */
static int give_away(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof((struct sockaddr_un *)NULL)->sun_path + 2];
	struct stat st;

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 1,
		 slash ? path : ".");
	if (stat(folder, &st))
		return -errno;
	if (st.st_uid == geteuid())
		return 0;
	if (!lchown(path, st.st_uid, st.st_gid))
		return 0;
	return lchown(path, (uid_t)-1, st.st_gid) || chmod(path, 0660) ? -errno : 0;
}

int input_unix(struct inputs *in, const char *path, struct refusal *r)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, error;
	mode_t mask;

	if (in->n_inputs == INPUT_MAX)
		return no_more(path, r);
	if (!*path || strlen(path) >= sizeof addr.sun_path)
		return refuse(r, BAD_VALUE, NULL,
			      "'%s': a socket's path has 1 to %zu octets, and this has %zu", path,
			      sizeof addr.sun_path - 1, strlen(path));
	strcpy(addr.sun_path, path);
	if (clear_path(&addr, r))
		return -EINVAL;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mask = umask(0177);
	error = fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof addr) ? errno : 0;
	umask(mask);
	if (!error) {
		error = -give_away(path);
		if (!error) {
			strcpy(add_socket(in, fd)->path, path);
			return 0;
		}
		unlink(path);
	}
	if (fd >= 0)
		close(fd);
	return refuse(r, SYSTEM, NULL,
		      "%s: %s; a folder of this user's, or one that a group of its may write "
		      "to, would be accepted",
		      path, strerror(error));
}

/* ---- UDP ------------------------------------------------------------------------------------ */

static int bad_where(const char *where, struct refusal *r)
{
	return refuse(r, BAD_VALUE, "sflow",
		      "'%s' is not where sFlow could come; PORT, IP:PORT and [IP]:PORT would be "
		      "accepted, for example 6343",
		      where);
}

static int parse_where(const char *where, struct ip *ip, uint16_t *port, struct refusal *r)
{
	const char *colon = strrchr(where, ':'), *from = where, *to = colon;
	char text[IP_TEXT];
	uint64_t number;

	*ip = (struct ip){0};
	if (parse_u64(colon ? colon + 1 : where, &number) || number > UINT16_MAX)
		return bad_where(where, r);
	*port = (uint16_t)number;
	if (!colon)
		return 0;
	if (*where == '[') {
		from++;
		to--;
		if (to < from || *to != ']')
			return bad_where(where, r);
	}
	if ((size_t)(to - from) >= sizeof text)
		return bad_where(where, r);
	memcpy(text, from, (size_t)(to - from));
	text[to - from] = 0;
	if (!ip_parse(text, ip) || (ip->family == 6) != (*where == '['))
		return bad_where(where, r);
	return 0;
}

/* An unbound socket of the address's family; of no address both families', where there are both. */
static int udp_socket(struct sockaddr_in6 *v6, struct sockaddr_in *v4, const struct ip *ip)
{
	int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, zero = 0;
	int fd = ip->family == 4 ? -1 : socket(AF_INET6, type, 0);

	if (fd < 0 && ip->family != 6) {
		v6->sin6_family = 0;
		memcpy(&v4->sin_addr, ip->octet, 4);
		return socket(AF_INET, type, 0);
	}
	memcpy(&v6->sin6_addr, ip->octet, 16);
	if (fd >= 0 && !ip->family)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	return fd;
}

int input_udp(struct inputs *in, const char *where, struct refusal *r)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6}, bound;
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	socklen_t size = sizeof bound;
	uint16_t port;
	struct ip ip;
	int fd, error;

	if (in->n_inputs == INPUT_MAX)
		return no_more(where, r);
	if (parse_where(where, &ip, &port, r))
		return -EINVAL;
	v6.sin6_port = v4.sin_port = htobe16(port);
	fd = udp_socket(&v6, &v4, &ip);
	if (fd < 0)
		error = errno;
	else if (v6.sin6_family)
		error = bind(fd, (const struct sockaddr *)&v6, sizeof v6) ? errno : 0;
	else
		error = bind(fd, (const struct sockaddr *)&v4, sizeof v4) ? errno : 0;
	if (error) {
		if (fd >= 0)
			close(fd);
		return refuse(r, SYSTEM, "sflow", "UDP %s: %s", where, strerror(error));
	}
	add_socket(in, fd);
	/* The port is at the same place in both families. */
	if (!getsockname(fd, (struct sockaddr *)&bound, &size))
		in->udp_port = be16toh(bound.sin6_port);
	return 0;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

static void line(void *arg, const char *text, size_t size)
{
	struct inputs *in = arg;

	flow_json_read(text, size, now_ns(), &in->n.json, in->to);
}

int input_json(struct inputs *in, const char *file, struct refusal *r)
{
	struct lines_to to = {line, in, &in->n.errors};
	struct lines *lines;

	if (in->n_inputs == INPUT_MAX)
		return no_more(file, r);
	lines = lines_open(in->base, file, to, r);
	if (!lines)
		return -EINVAL;
	in->input[in->n_inputs++] = (struct input){.in = in, .fd = -1, .lines = lines};
	return 0;
}
