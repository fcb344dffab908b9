/* SPDX-License-Identifier: Apache-2.0 */
/* One OpenFlow connection: octets in, whole messages to their handlers, replies out.
 *
 * A connection is born when a bufferevent is connected (openflow.c listens and dials), says hello,
 * and is READY once both hellos agree on 1.3.  Messages are handled one after the other, in the
 * order they came.  Five things hold the next one back, and with it the reading of the socket
 * (libevent stops at OFCONN_INPUT octets): a barrier, or a large bundle's commit, that is not done,
 * changes on their way that are too many for one more (ofproto_is_behind), a multipart reply whose
 * pages are not all out, a peer that does not read what it asked for, and a turn that is over
 * (turn.h).  So a peer's memory is bounded by its own slowness, a barrier orders what the standard
 * says it orders, and nobody waits for all that somebody else has sent.
 *
 * A handler gets one message and answers now (of_begin … ofconn_send), later (a waiter that holds a
 * reference, ofconn_ref), page by page (ofconn_reply), or by a refusal, which becomes an
 * OFPT_ERROR with the first octets of the message.  A refused message changes nothing, and
 * the connection stays.
 *
 * Life: references.  The socket holds one, and each waiter one; the socket's goes when the peer
 * does (the state is then OFCONN_ENDED, and sending does nothing).  Control thread only. */
#ifndef SLUICE_CTL_OFCONN_H
#define SLUICE_CTL_OFCONN_H

#include <event2/bufferevent.h>

#include "ctl/method.h"
#include "ctl/openflow.h"
#include "ctl/packet-buffers.h"
#include "ctl/turn.h"
#include "lib/cursor.h"
#include "lib/openflow-ext.h"
#include "lib/openflow.h"

enum {
	OFCONN_INPUT = 128 * 1024, /* read ahead, at most; more than one message */
	OFCONN_WAITERS = 8192,     /* flow-mods on their way to the store */
	OFCONN_OUTPUT_REPLY =
		1024 * 1024, /* above this nothing is handled, packet-ins are dropped */
	OFCONN_OUTPUT_PAGES = 192 * 1024,    /* a long reply waits for the peer above this */
	OFCONN_OUTPUT_MAX = 8 * 1024 * 1024, /* above this the peer is given up */
	OFCONN_HANDSHAKE_S = 5,
	OFCONN_ERROR_DATA = 64,
	OFCONN_BUNDLES = 16,
	OFCONN_AUX = METHOD_AUX, /* auxiliary connections */
};

enum ofconn_state { OFCONN_HELLO, OFCONN_READY, OFCONN_ENDED };

/* What a controller wants to hear, by role: [0] equal and master, [1] slave (TS-023, 7.3.10). */
struct ofconn_async {
	uint32_t packet_in[2], port_status[2], flow_removed[2];
};

struct ofconn;

/* What all connections of a server share. */
struct ofserver {
	struct event_base *base;
	struct ofproto *ofproto;
	struct ofconn *conns;
	unsigned n_conns;
	bool has_generation;
	uint64_t generation;
	uint64_t n_packet_in_dropped; /* by peers that do not read */
	size_t dump_octets;           /* held by flow dumps on their way */
	size_t bundle_octets;         /* held by bundles of all connections */
	struct packet_buffers buffers;
	struct turns turns;
	struct commits {
		struct commit *now, *first; /* of large bundles: under way; that wait */
		struct turn turn;
	} commits;
};

/* A long reply on its way: made entry by entry as the peer takes it. */
struct ofreply {
	uint16_t type; /* OFPMP_* */
	uint32_t xid;
	/* Appends the next entry to `page`; false when there is none. */
	bool (*next)(struct ofconn *c, struct ofreply *reply, struct buf *page);
	void (*end)(struct ofconn *c, struct ofreply *reply); /* frees it; also when cut short */
	struct buf page;
	uint32_t exp_type; /* of OFPMP_EXPERIMENTER: ours */
};

struct ofconn {
	struct ofserver *server;
	struct ofconn *next, **link; /* the server's list */
	struct bufferevent *bev;     /* NULL once ended */
	struct event *timer;
	struct turn turn;
	unsigned refs;
	enum ofconn_state state;
	struct ofconn *main; /* it is an auxiliary connection of this one; NULL: it is none */
	struct ofconn *aux[OFCONN_AUX]; /* its own that are READY, by auxiliary id less 1 */
	uint8_t auxiliary_id;           /* 0: a main one */
	const char *method;             /* it came by; lives as long as the socket */
	char remote[240];
	char subject[96]; /* of its certificate; empty: none */
	/* Told once each: hellos are exchanged; the connection ends. */
	void (*ready)(struct ofconn *c, void *arg);
	void (*ended)(struct ofconn *c, void *arg);
	void *told_arg;

	bool processing, deaf, barrier, eof, goodbye, probed, extended, greeted;
	uint8_t origin; /* of what it puts into the guard; ORIGIN_CONTROLLER: it may not */
	struct confirm *confirms; /* its rules that wait (confirms.h) */
	bool reasons;             /* it wants sluice_refusal behind errors */
	bool visitor; /* by a local listener: tools that come and go, not worth a line of the log */
	unsigned n_waiters;
	uint32_t more_xid, more_octets; /* a multipart request in several messages; 0: none */
	bool more_refused;              /* what is still to come of it is not looked at */
	struct ofreply *reply;
	uint32_t xid; /* of our own messages */
	struct bundle *bundles;
	unsigned n_bundles;
	size_t bundle_octets;

	/* Of the main connection, for all of them: ofconn_channel(). */
	uint32_t role; /* OFPCR_ROLE_* */
	struct ofconn_async async;
	uint16_t miss_send_len;

	uint64_t since_ns, n_rx, n_tx, n_errors;
	unsigned handshake_s, silent_s, stuck_s; /* seconds by ofconn_tick() */
	char last_error[160];
};

static inline struct ofconn *ofconn_channel(struct ofconn *c)
{
	return c->main ? c->main : c;
}

/* A message of a bundle is looked at when it is added, and staged with the others at the commit; a
 * packet leaves when all of them are in effect. */
enum ofmsg_part { OFMSG_ALONE, OFMSG_CHECKED, OFMSG_STAGED, OFMSG_IN_EFFECT };

/* A whole message; octets live until the handler returns. */
struct ofmsg {
	uint8_t type;
	enum ofmsg_part part;
	uint16_t size;
	uint32_t xid;
	const uint8_t *octets; /* with the header */
	struct reader body;    /* behind it */
};

struct ofmsg ofmsg_of(const uint8_t *octets, uint16_t size);

/* Takes over a connected bufferevent: says hello. */
struct ofconn *ofconn_create(struct ofserver *server, struct bufferevent *bev, const char *method,
			     const char *remote);
void ofconn_end(struct ofconn *c, const char *why);
void ofconn_log(const struct ofconn *c, const char *what); /* INFO, of visitors DEBUG */
void ofconn_ref(struct ofconn *c);
void ofconn_unref(struct ofconn *c);
/* Handles what was held back; after a barrier or waiter is done. */
void ofconn_go_on(struct ofconn *c);

/* Building a message: header first, length filled in by ofconn_send(), which frees the buf. */
void of_begin(struct buf *b, enum ofp_type type, uint32_t xid);
void ofconn_send(struct ofconn *c, struct buf *b);
size_t ofconn_output(const struct ofconn *c); /* octets the peer has not taken */
static inline uint32_t ofconn_xid(struct ofconn *c)
{
	return ++c->xid;
}

/* Of our experimenter, SLUICE_ET_*. */
void of_begin_ext(struct buf *b, uint32_t exp_type, uint32_t xid);

/* OFPT_ERROR for the message whose first octets are `offending`. */
struct oferror {
	uint16_t type, code;
	uint32_t xid;
	uint32_t experimenter; /* of type OFPET_EXPERIMENTER; `code` is the exp_type then */
	const void *data;
	size_t size;
};
void ofconn_send_error(struct ofconn *c, const struct oferror *e);
void ofconn_refuse(struct ofconn *c, const uint8_t *offending, size_t size,
		   const struct refusal *r);

/* One multipart reply message with `body`, or a long one; a connection has one at a time. */
void of_begin_multipart(struct buf *b, uint16_t type, uint32_t xid);
void ofconn_reply(struct ofconn *c, struct ofreply *reply);

#endif
