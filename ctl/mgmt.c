/* SPDX-License-Identifier: Apache-2.0 */
/* The management socket: who comes, what of each is read, and when; what is in a line is
 * mgmt-line.h's. */
#include "ctl/mgmt.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/mgmt-line.h"
#include "ctl/mgmt-socket.h"
#include "ctl/rpc.h"
#include "ctl/turn.h"
#include "lib/log.h"

#define TOO_LONG "a line of more than 64 MiB"

struct peer {
	struct peer *next, **link;
	struct mgmt *mgmt;
	struct bufferevent *bev;
	struct asker asker;
	size_t scanned; /* octets of input known to hold no end of a line */
	bool reading, closing, gone;
	bool asked; /* a whole line has come */
	struct turn turn;
};

struct mgmt {
	struct daemon *daemon;
	uint8_t origin; /* of what is asked for here */
	struct evconnlistener *listener;
	struct event *again; /* to accept, after a failure or a turn */
	unsigned n_accepted; /* this turn */
	struct peer *peers;  /* the newest first */
	unsigned n_peers;
	struct turns turns;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static void peer_read(struct peer *p);

/* ---- Answers ---- */

static size_t peer_held(const struct peer *p)
{
	return p->gone ? 0 : p->asker.held + evbuffer_get_length(bufferevent_get_output(p->bev));
}

/* It goes with all that is kept for it when nobody is at work on it any more: this round. */
static void peer_hang_up(struct peer *p)
{
	p->gone = true;
	asker_end(&p->asker);
	bufferevent_trigger_event(p->bev, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
}

/* For whom the most is kept; all of it in `sum`. */
static struct peer *peer_with_most(struct mgmt *m, size_t *sum)
{
	struct peer *most = m->peers;

	*sum = 0;
	for (struct peer *p = m->peers; p; p = p->next) {
		*sum += peer_held(p);
		if (peer_held(p) > peer_held(most))
			most = p;
	}
	return most;
}

/* What is kept for all peers together is bounded: for whom it is the most, that one is hung up on,
 * or refused what it asks for now. */
static bool peer_room(struct asker *a)
{
	struct peer *self = container_of(a, struct peer, asker), *most;
	struct mgmt *m = self->mgmt;
	size_t sum;

	while (most = peer_with_most(m, &sum), sum > MGMT_ANSWERS_MAX) {
		if (most == self)
			return false;
		LOG(WARN,
		    "mgmt: uid %u, pid %d: hung up on: peers have not fetched %zu octets of "
		    "answers, it %zu",
		    most->asker.uid, most->asker.pid, sum, peer_held(most));
		m->daemon->n_mgmt_turned_away++;
		peer_hang_up(most);
	}
	return true;
}

static void peer_free(struct peer *p)
{
	asker_end(&p->asker);
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	p->mgmt->n_peers--;
	turn_free(&p->turn);
	bufferevent_free(p->bev);
	free(p);
}

/* One that wants to go, and has nothing more to get, goes. */
static void peer_end_if_idle(struct peer *p)
{
	if (p->closing && !turn_waits(&p->turn) && !p->asker.n_lines &&
	    !evbuffer_get_length(bufferevent_get_output(p->bev)))
		peer_free(p);
}

/* Sends what is at the head and done. */
static void peer_flush(struct asker *a)
{
	struct peer *p = container_of(a, struct peer, asker);

	while (line_leave(a, bufferevent_get_output(p->bev)))
		;
	if (p->reading)
		return;
	peer_read(p);
	peer_end_if_idle(p);
}

/* ---- Peers ---- */

static bool peer_full(const struct peer *p)
{
	return p->gone || turn_waits(&p->turn) || p->asker.n_lines >= MGMT_IN_FLIGHT_MAX ||
	       evbuffer_get_length(bufferevent_get_output(p->bev)) > MGMT_OUTPUT_MAX;
}

/* The next whole line, or NULL; what was looked through once is not again. */
static char *peer_line(struct peer *p, size_t *size)
{
	struct evbuffer *in = bufferevent_get_input(p->bev);
	struct evbuffer_ptr from;

	if (evbuffer_ptr_set(in, &from, p->scanned, EVBUFFER_PTR_SET))
		return NULL;
	if (evbuffer_search_eol(in, &from, NULL, EVBUFFER_EOL_LF).pos < 0) {
		p->scanned = evbuffer_get_length(in);
		return NULL;
	}
	p->scanned = 0;
	return evbuffer_readln(in, size, EVBUFFER_EOL_LF);
}

/* What comes from it is not looked at any more. */
static void peer_too_much(struct peer *p, const char *why)
{
	struct evbuffer *in = bufferevent_get_input(p->bev);

	evbuffer_drain(in, evbuffer_get_length(in));
	p->scanned = 0;
	p->closing = true;
	line_fault(&p->asker, RPC_INVALID, why);
}

/* One request, or what a line of the input says; false when there is nothing to do now. */
static bool peer_next(struct peer *p)
{
	size_t size;
	char *text;

	if (line_goes_on(&p->asker)) {
		if (line_is_long(&p->asker) && !turn_large(&p->turn))
			return false;
		line_next(&p->asker);
		return true;
	}
	text = peer_line(p, &size);
	if (!text)
		return false;
	p->asked = true;
	if (size > MGMT_LINE_MAX)
		line_fault(&p->asker, RPC_INVALID, TOO_LONG);
	else if (strspn(text, " \t\r") < size)
		line_begin(&p->asker, text, size);
	explicit_bzero(text, size);
	free(text);
	return true;
}

/* Runs what has arrived, as far as the bounds and a turn let it. */
static void peer_read(struct peer *p)
{
	struct evbuffer *in = bufferevent_get_input(p->bev);

	p->reading = true;
	while (!peer_full(p) && turn_goes_on(&p->turn) && peer_next(p))
		;
	turn_end(&p->turn);
	if (!peer_full(p) && evbuffer_get_length(in) > MGMT_LINE_MAX)
		peer_too_much(p, TOO_LONG);
	p->reading = false;
	if (p->closing || peer_full(p))
		bufferevent_disable(p->bev, EV_READ);
	else
		bufferevent_enable(p->bev, EV_READ);
}

static void on_turn(void *arg)
{
	struct peer *p = arg;

	peer_read(p);
	peer_end_if_idle(p);
}

/* What all peers together hold in lines that are not whole is bounded: who holds the most goes. */
static void mind_input(struct mgmt *m)
{
	struct peer *most = NULL;
	size_t sum = 0, longest = 0;

	for (struct peer *p = m->peers; p; p = p->next) {
		size_t size = evbuffer_get_length(bufferevent_get_input(p->bev));

		sum += size;
		if (size > longest) {
			longest = size;
			most = p;
		}
	}
	if (sum <= MGMT_INPUT_MAX)
		return;
	LOG(WARN, "mgmt: uid %u, pid %d: hung up on: peers hold %zu octets of lines, it %zu",
	    most->asker.uid, most->asker.pid, sum, longest);
	m->daemon->n_mgmt_turned_away++;
	most->asked = true;
	peer_too_much(most, "lines of all peers together are too long; yours is the longest");
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct peer *p = arg;
	struct mgmt *m = p->mgmt;

	(void)bev;
	peer_read(p);
	mind_input(m);
}

/* All output has gone. */
static void on_write(struct bufferevent *bev, void *arg)
{
	struct peer *p = arg;

	(void)bev;
	peer_read(p);
	peer_end_if_idle(p);
}

static void on_event(struct bufferevent *bev, short events, void *arg)
{
	struct peer *p = arg;

	(void)bev;
	p->closing = true;
	if (events & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		peer_free(p);
	else
		peer_end_if_idle(p);
}

/* In the words of the protocol, as far as they fit: who may not speak is not waited for. */
static void turn_away(struct mgmt *m, int fd, const struct refusal *r)
{
	json_t *answer = rpc_answer(NULL, "error", rpc_error(RPC_REFUSED, r->text, r));
	char *text = json_dumps(answer, JSON_COMPACT);

	LOG(WARN, "mgmt: %s; turned away", r->text);
	m->daemon->n_mgmt_turned_away++;
	if (text && send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		send(fd, "\n", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	json_decref(answer);
	close(fd);
}

/* Room for one more: at the bound, the oldest that has asked nothing yet gives way. */
static bool make_room(struct mgmt *m)
{
	struct peer *oldest = NULL;

	if (m->n_peers < MGMT_PEERS_MAX)
		return true;
	for (struct peer *p = m->peers; p; p = p->next)
		if (!p->asked)
			oldest = p;
	if (!oldest)
		return false;
	LOG(WARN, "mgmt: uid %u, pid %d: hung up on: nothing asked yet, and others are waiting",
	    oldest->asker.uid, oldest->asker.pid);
	m->daemon->n_mgmt_turned_away++;
	peer_free(oldest);
	return true;
}

/* No descriptor is left, or no memory: the queue of the listener can wait a second. */
static void on_accept_failed(struct evconnlistener *listener, void *arg)
{
	const struct timeval second = {1, 0};
	struct mgmt *m = arg;

	m->daemon->n_mgmt_accept_failed++;
	LOG(WARN, "mgmt: cannot accept: %s; trying again in a second",
	    strerrordesc_np(EVUTIL_SOCKET_ERROR()));
	evconnlistener_disable(listener);
	event_add(m->again, &second);
}

static void on_again(evutil_socket_t fd, short events, void *arg)
{
	struct mgmt *m = arg;

	(void)fd;
	(void)events;
	m->n_accepted = 0;
	evconnlistener_enable(m->listener);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
		      int size, void *arg)
{
	const struct timeval patience = {30, 0}, none = {0, 0};
	struct mgmt *m = arg;
	struct refusal r = {0};
	struct ucred who;
	struct peer *p;

	(void)addr;
	(void)size;
	if (++m->n_accepted == MGMT_ACCEPTS_A_TURN) {
		evconnlistener_disable(listener);
		event_add(m->again, &none);
	}
	if (mgmt_socket_peer(fd, m->path, &who))
		refuse(&r, NOT_PERMITTED, "",
		       "uid %u, pid %d: neither root, nor sluiced's user, nor in the group of "
		       "%.100s",
		       (unsigned)who.uid, (int)who.pid, m->path);
	else if (!make_room(m))
		refuse(&r, LIMIT, "", "there are %d connections, as many as may be at one time",
		       MGMT_PEERS_MAX);
	if (r.code) {
		turn_away(m, fd, &r);
		return;
	}
	p = calloc(1, sizeof *p);
	if (!p)
		abort();
	p->mgmt = m;
	p->asker = (struct asker){.daemon = m->daemon,
				  .origin = m->origin,
				  .uid = who.uid,
				  .pid = who.pid,
				  .ready = peer_flush,
				  .room = peer_room};
	asker_init(&p->asker);
	p->bev = bufferevent_socket_new(evconnlistener_get_base(listener), fd,
					BEV_OPT_CLOSE_ON_FREE);
	if (!p->bev)
		abort();
	turn_init(&p->turn, &m->turns, m->daemon->base, on_turn, p);
	p->next = m->peers;
	p->link = &m->peers;
	if (p->next)
		p->next->link = &p->next;
	m->peers = p;
	m->n_peers++;
	bufferevent_setcb(p->bev, on_read, on_write, on_event, p);
	bufferevent_setwatermark(p->bev, EV_READ, 0, 2 * MGMT_LINE_MAX);
	bufferevent_set_timeouts(p->bev, NULL, &patience);
	bufferevent_enable(p->bev, EV_READ | EV_WRITE);
}

/* ---- The socket ---- */

struct mgmt *mgmt_create(struct daemon *d, const char *path, uint8_t origin, struct refusal *r)
{
	int fd = mgmt_socket_bind(path, r);
	struct mgmt *m;

	if (fd < 0)
		return NULL;
	if (origin == ORIGIN_WATCH)
		mgmt_socket_lend(path);
	m = calloc(1, sizeof *m);
	if (!m)
		abort();
	m->daemon = d;
	m->origin = origin;
	strcpy(m->path, path);
	m->listener = evconnlistener_new(d->base, on_accept, m, LEV_OPT_CLOSE_ON_FREE, 64, fd);
	if (!m->listener) {
		refuse(r, SYSTEM, "mgmt.sock", "%s: %s", path, strerror(errno));
		close(fd);
		free(m);
		return NULL;
	}
	m->again = event_new(d->base, -1, 0, on_again, m);
	if (!m->again)
		abort();
	evconnlistener_set_error_cb(m->listener, on_accept_failed);
	return m;
}

void mgmt_destroy(struct mgmt *m)
{
	if (!m)
		return;
	evconnlistener_free(m->listener);
	event_free(m->again);
	while (m->peers)
		peer_free(m->peers);
	unlink(m->path);
	free(m);
}
