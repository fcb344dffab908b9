/* SPDX-License-Identifier: Apache-2.0 */
/* The management socket.  A peer's lines are answered in the order they came, whatever order their
 * verbs finish in: each *line* holds one request, or a batch of them, and leaves when it is at
 * the head of its peer's queue and all its requests have answered.  A line whose peer has gone
 * stays until then, and its answers go nowhere. */
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

#include "ctl/mgmt-socket.h"
#include "ctl/rpc.h"
#include "ctl/turn.h"
#include "ctl/verb.h"
#include "lib/log.h"

#define TOO_LONG "a line of more than 64 MiB"

struct line {
	struct line *next;
	struct peer *peer; /* NULL: has gone */
	bool batch;
	unsigned n_left;
	json_t *answers; /* an array, in the order of the requests; null: none is wanted */
};

struct request {
	struct verb_call call;
	struct line *line;
	size_t index;
	json_t *root;      /* keeps the words alive */
	const char **word; /* of the call */
};

struct peer {
	struct peer *next, **link;
	struct mgmt *mgmt;
	struct bufferevent *bev;
	struct line *first, **last;
	unsigned n_lines;
	size_t scanned; /* octets of input known to hold no end of a line */
	bool reading, closing;
	bool asked; /* a whole line has come */
	/* A batch on its way: the next request is `batch_at`.  NULL: none. */
	json_t *batch;
	struct line *batch_line;
	size_t batch_at;
	struct turn turn;
	struct ucred who;
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

static void line_answer(struct line *l, size_t index, json_t *answer);

/* What is left of a batch is not run. */
static void batch_drop(struct peer *p)
{
	if (!p->batch)
		return;
	for (size_t i = p->batch_at; i < json_array_size(p->batch); i++)
		line_answer(p->batch_line, i, NULL);
	json_decref(p->batch);
}

static void peer_free(struct peer *p)
{
	for (struct line *l = p->first; l;) {
		struct line *next = l->next;

		l->peer = NULL;
		if (!l->n_left) {
			json_decref(l->answers);
			free(l);
		}
		l = next;
	}
	batch_drop(p);
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
	if (p->closing && !turn_waits(&p->turn) && !p->n_lines &&
	    !evbuffer_get_length(bufferevent_get_output(p->bev)))
		peer_free(p);
}

static void line_write(struct peer *p, const struct line *l)
{
	struct evbuffer *out = bufferevent_get_output(p->bev);
	json_t *wanted = json_array(), *answer;
	size_t i;
	char *text;

	json_array_foreach(l->answers, i, answer)
	{
		if (!json_is_null(answer))
			json_array_append(wanted, answer);
	}
	answer = l->batch ? wanted : json_array_get(wanted, 0);
	text = json_array_size(wanted) ? json_dumps(answer, JSON_COMPACT) : NULL;
	if (text) {
		evbuffer_add(out, text, strlen(text));
		evbuffer_add(out, "\n", 1);
	}
	free(text);
	json_decref(wanted);
}

/* Sends what is at the head and done. */
static void peer_flush(struct peer *p)
{
	while (p->first && !p->first->n_left) {
		struct line *l = p->first;

		p->first = l->next;
		if (!p->first)
			p->last = &p->first;
		p->n_lines--;
		line_write(p, l);
		json_decref(l->answers);
		free(l);
	}
	if (p->reading)
		return;
	peer_read(p);
	peer_end_if_idle(p);
}

/* One request of a line has its answer, or wants none (NULL). */
static void line_answer(struct line *l, size_t index, json_t *answer)
{
	json_array_set_new(l->answers, index, answer ? answer : json_null());
	if (--l->n_left)
		return;
	if (l->peer) {
		peer_flush(l->peer);
	} else {
		json_decref(l->answers);
		free(l);
	}
}

/* ---- Requests ---- */

static void request_end(struct request *q, const char *key, json_t *part)
{
	json_t *id = json_object_get(q->root, "id");

	if (id)
		line_answer(q->line, q->index, rpc_answer(id, key, part));
	else
		line_answer(q->line, q->index, NULL);
	if (!id)
		json_decref(part);
	for (unsigned i = 0; i < q->call.words.n; i++) /* a word may be a key */
		explicit_bzero((char *)(uintptr_t)q->word[i], strlen(q->word[i]));
	json_decref(q->call.undo);
	json_decref(q->root);
	free(q->word);
	free(q);
}

static void request_done(struct verb_call *call, json_t *result)
{
	request_end(container_of(call, struct request, call), "result", result);
}

static void request_refused(struct verb_call *call, const struct refusal *r)
{
	request_end(container_of(call, struct request, call), "error",
		    rpc_error(call->misused ? RPC_PARAMS : RPC_REFUSED, r->text, r));
}

/* Who changed what; keys stay out of the log. */
static void log_change(const struct verb *v, const struct verb_call *call)
{
	struct buf text = {0};

	verb_shown(v, call, &text);
	LOG(INFO, "mgmt: %s, %s: %s", origin_names[call->origin], call->who, buf_text(&text));
	buf_free(&text);
}

static void request_words(struct request *q, const json_t *params)
{
	unsigned n = (unsigned)json_array_size(params);

	q->word = calloc(n + 1, sizeof *q->word);
	if (!q->word)
		abort();
	for (unsigned i = 0; i < n; i++)
		q->word[i] = json_string_value(json_array_get(params, i));
	q->call.words = (struct words){n, q->word};
}

static void request_run(struct peer *p, struct line *l, size_t index, json_t *root)
{
	struct refusal r = {0};
	const char *fault = rpc_request_fault(root, &r);
	json_t *id = json_object_get(root, "id"), *params = json_object_get(root, "params");
	const char *method = json_string_value(json_object_get(root, "method"));
	const struct verb *v = fault ? NULL : verb_find(method);
	struct request *q;

	if (!v) {
		json_t *error = rpc_error(fault ? RPC_INVALID : RPC_NO_METHOD,
					  fault ? fault : "no such verb", NULL);

		line_answer(l, index, rpc_answer(fault ? NULL : id, "error", error));
		return;
	}
	q = calloc(1, sizeof *q);
	if (!q)
		abort();
	q->line = l;
	q->index = index;
	q->root = json_incref(root);
	if (json_is_object(params)) {
		const char *want = json_string_value(json_object_get(params, "want"));

		q->call.no_json = want && !strcmp(want, "text");
		q->call.no_text = want && !strcmp(want, "json");
		params = json_object_get(params, "words");
	}
	request_words(q, params);
	q->call.daemon = p->mgmt->daemon;
	q->call.origin = p->mgmt->origin;
	snprintf(q->call.who, sizeof q->call.who, "uid %u, pid %d", (unsigned)p->who.uid,
		 (int)p->who.pid);
	q->call.done = request_done;
	q->call.refused = request_refused;
	if (v->flags & VERB_CHANGES)
		log_change(v, &q->call);
	verb_run(v, &q->call);
}

static struct line *line_new(struct peer *p, bool batch, size_t n)
{
	struct line *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	l->peer = p;
	l->batch = batch;
	l->n_left = (unsigned)n;
	l->answers = json_array();
	while (n--)
		json_array_append_new(l->answers, json_null());
	*p->last = l;
	p->last = &l->next;
	p->n_lines++;
	return l;
}

static void line_fault(struct peer *p, int code, const char *message)
{
	line_answer(line_new(p, false, 1), 0,
		    rpc_answer(NULL, "error", rpc_error(code, message, NULL)));
}

static void line_run(struct peer *p, const char *text, size_t size)
{
	json_error_t error;
	json_t *root;
	size_t n;

	if (rpc_values(text, size) > MGMT_VALUES_MAX) {
		line_fault(p, RPC_INVALID, "a line of more than 2097152 values");
		return;
	}
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	n = json_array_size(root);
	if (!root) {
		line_fault(p, RPC_PARSE, error.text);
	} else if (!json_is_array(root)) {
		request_run(p, line_new(p, false, 1), 0, root);
	} else if (!n || n > MGMT_BATCH_MAX) {
		line_fault(p, RPC_INVALID,
			   n ? "a batch of more than 256 requests" : "an empty batch");
	} else {
		p->batch = json_incref(root);
		p->batch_line = line_new(p, true, n);
		p->batch_at = 0;
	}
	json_decref(root);
}

/* ---- Peers ---- */

static bool peer_full(const struct peer *p)
{
	return turn_waits(&p->turn) || p->n_lines >= MGMT_IN_FLIGHT_MAX ||
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
	line_fault(p, RPC_INVALID, why);
}

static void batch_next(struct peer *p)
{
	json_t *batch = p->batch;
	size_t i = p->batch_at++;
	bool last = p->batch_at == json_array_size(batch);

	if (last)
		p->batch = NULL;
	request_run(p, p->batch_line, i, json_array_get(batch, i));
	if (last)
		json_decref(batch);
}

/* One request of a batch, or one line of the input; false when there is no whole one. */
static bool peer_next(struct peer *p)
{
	size_t size;
	char *text;

	if (p->batch) {
		batch_next(p);
		return true;
	}
	text = peer_line(p, &size);
	if (!text)
		return false;
	p->asked = true;
	if (size > MGMT_LINE_MAX)
		line_fault(p, RPC_INVALID, TOO_LONG);
	else if (strspn(text, " \t\r") < size)
		line_run(p, text, size);
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
	    (unsigned)most->who.uid, (int)most->who.pid, sum, longest);
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
	    (unsigned)oldest->who.uid, (int)oldest->who.pid);
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
	p->who = who;
	p->last = &p->first;
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
