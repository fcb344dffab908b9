/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/sample-socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/sflow.h"

struct datagram {
	uint16_t size;
	uint8_t octet[SFLOW_DATAGRAM_MAX];
};

struct sample_socket {
	struct event_base *base;
	struct sockaddr_un address;
	int fd;             /* connected; -1: nobody is there */
	uint64_t again_ns;  /* when to look again */
	struct event *room; /* until the kernel takes more; NULL when not connected */
	struct sample_socket_counters n;
	unsigned first, n_waiting;
	struct datagram waiting[SAMPLE_SOCKET_WAITING];
};

struct sample_socket *sample_socket_create(struct event_base *base, const char *path)
{
	struct sample_socket *s;

	if (strlen(path) >= sizeof s->address.sun_path)
		return NULL;
	s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->base = base;
	s->fd = -1;
	s->address.sun_family = AF_UNIX;
	strcpy(s->address.sun_path, path);
	return s;
}

/* What waits was for the one who has gone. */
static void hang_up(struct sample_socket *s, uint64_t again_ns)
{
	if (s->room)
		event_free(s->room);
	s->room = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->n.lost += s->n_waiting;
	s->n_waiting = 0;
	s->again_ns = again_ns;
}

void sample_socket_destroy(struct sample_socket *s)
{
	if (!s)
		return;
	hang_up(s, 0);
	free(s);
}

/* 0: taken; EAGAIN: later; else nobody is there. */
static int give(const struct sample_socket *s, const void *data, size_t size)
{
	ssize_t n;

	do
		n = send(s->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? 0 : errno == EAGAIN || errno == ENOBUFS ? EAGAIN : errno;
}

static void has_room(evutil_socket_t fd, short what, void *arg)
{
	struct sample_socket *s = arg;
	int error = 0;

	(void)fd;
	(void)what;
	while (s->n_waiting && !error) {
		const struct datagram *d = &s->waiting[s->first];

		error = give(s, d->octet, d->size);
		if (error)
			break;
		s->n.sent++;
		s->first = (s->first + 1) % SAMPLE_SOCKET_WAITING;
		s->n_waiting--;
	}
	if (error == EAGAIN)
		event_add(s->room, NULL);
	else if (error)
		hang_up(s, 0);
}

static bool dial(struct sample_socket *s)
{
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return false;
	if (connect(s->fd, (const struct sockaddr *)&s->address, sizeof s->address))
		return false;
	s->room = event_new(s->base, s->fd, EV_WRITE, has_room, s);
	if (!s->room)
		abort();
	return true;
}

bool sample_socket_wanted(struct sample_socket *s, uint64_t now)
{
	if (s->fd >= 0)
		return true;
	if (now < s->again_ns)
		return false;
	if (dial(s))
		return true;
	hang_up(s, now + NSEC_PER_SEC);
	return false;
}

static void wait_for_room(struct sample_socket *s, const void *data, size_t size)
{
	struct datagram *d;

	if (s->n_waiting == SAMPLE_SOCKET_WAITING || size > SFLOW_DATAGRAM_MAX) {
		s->n.lost++;
		return;
	}
	d = &s->waiting[(s->first + s->n_waiting++) % SAMPLE_SOCKET_WAITING];
	d->size = (uint16_t)size;
	memcpy(d->octet, data, size);
	event_add(s->room, NULL);
}

void sample_socket_send(struct sample_socket *s, const void *data, size_t size, uint64_t now)
{
	int error;

	if (!sample_socket_wanted(s, now))
		return;
	error = s->n_waiting ? EAGAIN : give(s, data, size);
	if (!error) {
		s->n.sent++;
	} else if (error == EAGAIN) {
		wait_for_room(s, data, size);
	} else {
		s->n.lost++;
		hang_up(s, 0); /* another may have bound the path meanwhile */
	}
}

struct sample_socket_counters sample_socket_counters(const struct sample_socket *s)
{
	struct sample_socket_counters n = s->n;

	n.connected = s->fd >= 0;
	return n;
}
