/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ofconn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/confirms.h"
#include "ctl/msg.h"
#include "ctl/tls.h"
#include "lib/log.h"

static void ofconn_readable(struct bufferevent *bev, void *arg);
static void ofconn_writable(struct bufferevent *bev, void *arg);
static void ofconn_event(struct bufferevent *bev, short what, void *arg);
static void ofconn_tick(evutil_socket_t fd, short what, void *arg);
static void ofconn_turn(void *arg);

struct ofconn *ofconn_create(struct ofserver *server, struct bufferevent *bev, const char *method,
			     const char *remote)
{
	struct ofconn *c = calloc(1, sizeof *c);
	struct timeval second = {1, 0};

	if (!c)
		abort();
	c->server = server;
	c->bev = bev;
	c->method = method;
	c->refs = 1;
	c->origin = ORIGIN_CONTROLLER;
	c->role = OFPCR_ROLE_EQUAL;
	c->miss_send_len = OFP_DEFAULT_MISS_SEND_LEN;
	c->since_ns = ofproto_now(server->ofproto);
	async_defaults(&c->async);
	snprintf(c->remote, sizeof c->remote, "%s", remote);
	c->link = &server->conns;
	c->next = server->conns;
	if (c->next)
		c->next->link = &c->next;
	server->conns = c;
	server->n_conns++;

	c->timer = event_new(server->base, -1, EV_PERSIST, ofconn_tick, c);
	if (!c->timer)
		abort();
	turn_init(&c->turn, &server->turns, server->base, ofconn_turn, c);
	event_add(c->timer, &second);
	bufferevent_setcb(bev, ofconn_readable, ofconn_writable, ofconn_event, c);
	bufferevent_setwatermark(bev, EV_READ, 0, OFCONN_INPUT);
	bufferevent_setwatermark(bev, EV_WRITE, OFCONN_OUTPUT_PAGES / 3, 0);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	ofmsg_hello(c);
	return c;
}

void ofconn_ref(struct ofconn *c)
{
	c->refs++;
}

void ofconn_unref(struct ofconn *c)
{
	if (!--c->refs)
		free(c);
}

static void reply_end(struct ofconn *c)
{
	struct ofreply *reply = c->reply;

	if (!reply)
		return;
	c->reply = NULL;
	buf_free(&reply->page);
	reply->end(c, reply);
}

void ofconn_log(const struct ofconn *c, const char *what)
{
	if (c->visitor)
		LOG(DEBUG, "openflow: %s: %s", c->remote, what);
	else
		LOG(INFO, "openflow: %s: %s", c->remote, what);
}

void ofconn_end(struct ofconn *c, const char *why)
{
	if (c->state == OFCONN_ENDED)
		return;
	if (*why)
		LOG(INFO, "openflow: %s: disconnected: %s", c->remote, why);
	else if (c->greeted)
		ofconn_log(c, "disconnected");
	if (*why)
		snprintf(c->last_error, sizeof c->last_error, "%s", why);
	c->state = OFCONN_ENDED;
	reply_end(c);
	bundles_discard(c);
	confirms_free(&c->confirms);
	event_free(c->timer);
	turn_free(&c->turn);
	tls_close(c->bev);
	bufferevent_free(c->bev);
	c->bev = NULL;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->server->n_conns--;
	async_changed(c->server);
	if (c->ended)
		c->ended(c, c->told_arg);
	ofconn_unref(c);
}

/* ---- Out -------------------------------------------------------------------------------- */

size_t ofconn_output(const struct ofconn *c)
{
	return c->bev ? evbuffer_get_length(bufferevent_get_output(c->bev)) : 0;
}

void of_begin(struct buf *b, enum ofp_type type, uint32_t xid)
{
	*b = (struct buf){0};
	buf_u8(b, OFP13_VERSION);
	buf_u8(b, (uint8_t)type);
	buf_u16(b, 0);
	buf_u32(b, xid);
}

void ofconn_send(struct ofconn *c, struct buf *b)
{
	if (c->state != OFCONN_ENDED) {
		put_be16(b->data + offsetof(struct ofp_header, length), (uint16_t)b->size);
		bufferevent_write(c->bev, b->data, b->size);
		c->n_tx++;
	}
	buf_free(b);
}

void ofconn_send_error(struct ofconn *c, const struct oferror *e)
{
	struct buf b;

	of_begin(&b, OFPT_ERROR, e->xid);
	buf_u16(&b, e->type);
	buf_u16(&b, e->code);
	if (e->type == OFPET_EXPERIMENTER)
		buf_u32(&b, e->experimenter);
	buf_octets(&b, e->data, e->size);
	ofconn_send(c, &b);
	c->n_errors++;
}

void ofconn_refuse(struct ofconn *c, const uint8_t *offending, size_t size, const struct refusal *r)
{
	struct oferror e = {.xid = get_be32(offending + offsetof(struct ofp_header, xid)),
			    .data = offending,
			    .size = MIN(size, (size_t)OFCONN_ERROR_DATA)};

	refusal_openflow(r->code, &e.type, &e.code);
	if (e.type == OFPET_BUNDLE_FAILED && offending[1] == OFPT_EXPERIMENTER) {
		e.type = OFPET_EXPERIMENTER;
		e.code = (uint16_t)(e.code + ONFERR_BUNDLE);
		e.experimenter = ONF_EXPERIMENTER;
	}
	LOG(DEBUG, "openflow: %s: refused message type %u: %s: %s", c->remote, offending[1],
	    refusal_name(r->code), r->text);
	snprintf(c->last_error, sizeof c->last_error, "%s: %.120s", refusal_name(r->code), r->text);
	ofconn_send_error(c, &e);
	if (c->reasons)
		ext_reason(c, &e, r);
}

/* ---- Long replies ----------------------------------------------------------------------- */

void of_begin_multipart(struct buf *b, uint16_t type, uint32_t xid)
{
	of_begin(b, OFPT_MULTIPART_REPLY, xid);
	buf_u16(b, type);
	buf_u16(b, 0);
	buf_put(b, 4);
}

static void begin_page(struct buf *b, const struct ofreply *reply)
{
	of_begin_multipart(b, reply->type, reply->xid);
	if (reply->type == OFPMP_EXPERIMENTER) {
		buf_u32(b, SLUICE_EXPERIMENTER);
		buf_u32(b, reply->exp_type);
	}
}

/* Sends the page up to `size`; what is behind begins the next one. */
static void reply_page(struct ofconn *c, struct ofreply *reply, size_t size)
{
	struct buf next;

	begin_page(&next, reply);
	buf_octets(&next, reply->page.data + size, reply->page.size - size);
	put_be16(reply->page.data + offsetof(struct ofp_multipart_request, flags),
		 OFPMPF_REPLY_MORE);
	reply->page.size = size;
	ofconn_send(c, &reply->page);
	reply->page = next;
}

static void reply_run(struct ofconn *c)
{
	struct ofreply *reply = c->reply;

	while (ofconn_output(c) < OFCONN_OUTPUT_PAGES) {
		size_t before = reply->page.size;

		if (!reply->next(c, reply, &reply->page)) {
			ofconn_send(c, &reply->page);
			reply_end(c);
			return;
		}
		if (reply->page.size <= UINT16_MAX)
			continue;
		if (reply->page.size - before > UINT16_MAX - sizeof(struct ofp_multipart_request) -
							sizeof(struct sluice_multipart_header)) {
			LOG(WARN, "openflow: %s: an entry too long for a message is left out",
			    c->remote);
			reply->page.size = before;
			continue;
		}
		reply_page(c, reply, before);
	}
}

void ofconn_reply(struct ofconn *c, struct ofreply *reply)
{
	begin_page(&reply->page, reply);
	c->reply = reply;
	reply_run(c);
}

/* ---- In --------------------------------------------------------------------------------- */

/* True while the next message has to wait. */
static bool ofconn_held_back(const struct ofconn *c)
{
	return c->state == OFCONN_ENDED || c->goodbye || c->barrier || c->reply ||
	       turn_waits(&c->turn) || c->n_waiters >= OFCONN_WAITERS ||
	       ofconn_output(c) >= OFCONN_OUTPUT_REPLY;
}

struct ofmsg ofmsg_of(const uint8_t *octets, uint16_t size)
{
	return (struct ofmsg){.type = octets[1],
			      .size = size,
			      .xid = get_be32(octets + offsetof(struct ofp_header, xid)),
			      .octets = octets,
			      .body = reader_of(octets + sizeof(struct ofp_header),
						size - sizeof(struct ofp_header))};
}

static void ofconn_message(struct ofconn *c, const uint8_t *octets, uint16_t size)
{
	struct ofmsg m = ofmsg_of(octets, size);
	struct refusal r = {0};

	c->n_rx++;
	if (c->state == OFCONN_HELLO)
		ofmsg_first(c, octets, size);
	else if (ofmsg_handle(c, &m, &r))
		ofconn_refuse(c, octets, size, &r);
}

/* Where a message ends can no longer be told: say so, and part. */
static void ofconn_misframed(struct ofconn *c, const uint8_t *header)
{
	struct refusal r;

	refuse(&r, BAD_LEN, "length", "a message of %u octets is shorter than its header of %zu",
	       get_be16(header + offsetof(struct ofp_header, length)), sizeof(struct ofp_header));
	ofconn_refuse(c, header, sizeof(struct ofp_header), &r);
	c->goodbye = true;
}

/* One whole message of the input; false when there is none. */
static bool ofconn_next(struct ofconn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	const uint8_t *octets = evbuffer_pullup(in, sizeof(struct ofp_header));
	uint16_t size;

	if (!octets)
		return false;
	size = get_be16(octets + offsetof(struct ofp_header, length));
	if (size < sizeof(struct ofp_header)) {
		ofconn_misframed(c, octets);
		return false;
	}
	if (c->state == OFCONN_READY && ofmsg_waits(c, octets[1]))
		return false;
	octets = evbuffer_pullup(in, size);
	if (!octets)
		return false;
	ofconn_message(c, octets, size);
	if (c->state != OFCONN_ENDED)
		evbuffer_drain(in, size);
	return true;
}

/* After a goodbye the peer has the error to read before the end. */
static void ofconn_part(struct ofconn *c)
{
	bufferevent_disable(c->bev, EV_READ);
	bufferevent_setwatermark(c->bev, EV_WRITE, 0, 0);
	if (!ofconn_output(c))
		ofconn_end(c, "");
}

/* Nothing is read while messages are held back: left to its watermark, libevent would call for a
 * full input again and again. */
static void ofconn_mind_reading(struct ofconn *c)
{
	bool held_back = ofconn_held_back(c);

	if (c->state == OFCONN_ENDED || held_back == c->deaf)
		return;
	c->deaf = held_back;
	if (held_back)
		bufferevent_disable(c->bev, EV_READ);
	else
		bufferevent_enable(c->bev, EV_READ);
}

static void ofconn_turn(void *arg)
{
	ofconn_go_on(arg);
}

void ofconn_go_on(struct ofconn *c)
{
	if (c->processing || c->state == OFCONN_ENDED)
		return;
	c->processing = true;
	ofconn_ref(c);
	while (!ofconn_held_back(c) && turn_goes_on(&c->turn) && ofconn_next(c))
		;
	turn_end(&c->turn);
	c->processing = false;
	ofconn_mind_reading(c);
	if (c->state != OFCONN_ENDED) {
		if (c->eof && !ofconn_held_back(c))
			c->goodbye = true;
		if (c->goodbye)
			ofconn_part(c);
		else if (ofconn_output(c) > OFCONN_OUTPUT_MAX)
			ofconn_end(c, "it does not read what it is sent");
	}
	ofconn_unref(c);
}

static void ofconn_readable(struct bufferevent *bev, void *arg)
{
	struct ofconn *c = arg;

	(void)bev;
	c->silent_s = 0;
	c->probed = false;
	ofconn_go_on(c);
}

static void ofconn_writable(struct bufferevent *bev, void *arg)
{
	struct ofconn *c = arg;

	(void)bev;
	c->stuck_s = 0;
	if (c->goodbye) {
		ofconn_part(c);
		return;
	}
	if (c->reply)
		reply_run(c);
	ofconn_go_on(c);
}

static void ofconn_event(struct bufferevent *bev, short what, void *arg)
{
	struct ofconn *c = arg;
	char why[160];

	if (what & BEV_EVENT_EOF) {
		/* What came before the end still counts, and the peer may still read. */
		c->eof = true;
		ofconn_go_on(c);
	} else if (what & BEV_EVENT_ERROR) {
		tls_why(bev, what, why, sizeof why);
		ofconn_end(c, why);
	}
}

/* ---- Once a second ---------------------------------------------------------------------- */

static void ofconn_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ofconn *c = arg;
	/* Silence after which we ask; as long again, and it is given up. */
	const unsigned probe_s = ofproto_settings(c->server->ofproto)->probe_s;
	struct buf b;

	(void)fd;
	(void)what;
	bundles_tick(c);
	c->silent_s++;
	c->stuck_s = ofconn_output(c) ? c->stuck_s + 1 : 0;
	if (c->stuck_s >= 2 * probe_s || ofconn_output(c) > OFCONN_OUTPUT_MAX) {
		ofconn_end(c, "it does not read what it is sent");
	} else if (c->state == OFCONN_HELLO || c->goodbye) {
		/* From the first octet on, however slowly they come. */
		if (++c->handshake_s >= OFCONN_HANDSHAKE_S)
			ofconn_end(c, c->goodbye ? "" : "no hello in time");
	} else if (c->silent_s >= 2 * probe_s && !ofconn_held_back(c)) {
		ofconn_end(c, "no answer to an echo request");
	} else if (c->silent_s >= probe_s && !c->probed) {
		c->probed = true;
		of_begin(&b, OFPT_ECHO_REQUEST, ofconn_xid(c));
		ofconn_send(c, &b);
	}
}
