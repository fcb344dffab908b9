/* SPDX-License-Identifier: Apache-2.0 */
/* Message handlers: what the rows of messages.def and multiparts.def name, each in a file msg-*.c.
 *
 * A handler reads msg->body by cursor (the row has checked sizes), acts, and sends its reply if
 * there is one.  A negative return with *r filled becomes an OFPT_ERROR; then nothing was changed
 * and nothing sent.  A multipart handler's body begins behind ofp_multipart_request. */
#ifndef SLUICE_CTL_MSG_H
#define SLUICE_CTL_MSG_H

#include "ctl/ofconn.h"

typedef int ofmsg_handler(struct ofconn *c, struct ofmsg *m, struct refusal *r);

struct ofmsg_row {
	const char *name;
	uint16_t size, more;
	bool writes;
	ofmsg_handler *handle;
};

#define MESSAGE(TYPE, SIZE, MORE, WRITES, HANDLER) ofmsg_handler HANDLER;
#include "ctl/messages.def"
#undef MESSAGE
#define MULTIPART(TYPE, SIZE, MORE, HANDLER) ofmsg_handler HANDLER;
#include "ctl/multiparts.def"
#undef MULTIPART
#define EXPERIMENT(EXPERIMENTER, TYPE, SIZE, MORE, WRITES, HANDLER) ofmsg_handler HANDLER;
#include "ctl/experimenters.def"
#undef EXPERIMENT

#define EXP_MULTIPART(TYPE, SIZE, MORE, HANDLER) ofmsg_handler HANDLER;
#include "ctl/exp-multiparts.def"
#undef EXP_MULTIPART

/* Dispatch: refuses what no row allows, else calls the handler. */
int ofmsg_handle(struct ofconn *c, struct ofmsg *m, struct refusal *r);
/* The same with the row at hand, and m->body where the handler begins. */
int ofmsg_handle_row(struct ofconn *c, const struct ofmsg_row *row, struct ofmsg *m,
		     struct refusal *r);
const struct ofmsg_row *ofmsg_row(uint8_t type); /* NULL: none */
bool ofmsg_size_fits(const struct ofmsg_row *row, size_t size);
/* A message that may change something, while too much is staged: the connection waits first. */
bool ofmsg_waits(struct ofconn *c, uint8_t type);

/* For a change that a message asks for: should its commit fail, the message is answered with an
 * error, of which it keeps the octets.  One that was refused at once is ended here instead.  A
 * message of a bundle has none of its own: NULL.  `held` (or NULL) goes through the tables after
 * the change, and is freed then; it is left alone when the message is refused at once. */
struct waiter *of_waiter(struct ofconn *c, const struct ofmsg *m, struct held_packet *held);
void of_waiter_end(struct waiter *waiter);
/* Of a change that was asked for with it: ends it when that was refused; the change's own return.
 */
int of_waits(struct waiter *waiter, int error);

/* The first message of a peer: agrees on a version, or refuses in words and says goodbye. */
void ofmsg_first(struct ofconn *c, const uint8_t *octets, size_t size);
void ofmsg_hello(struct ofconn *c); /* ours */

/* The connection ends, and with it what its bundles hold. */
void bundles_discard(struct ofconn *c);
/* A second has passed: bundles that were left alone end. */
void bundles_tick(struct ofconn *c);
/* The server ends: commits that wait go with it.  Its connections have ended. */
void commits_end(struct ofserver *s);

/* Asynchronous messages to everyone who wants them (struct listener of ofproto.h). */
void async_flow_removed(struct ofserver *s, const struct flow_removed *fr);
void async_packet_in(struct ofserver *s, const struct event_packet_in *pi, const struct flow *flow);
void async_port_status(struct ofserver *s, const struct port *port, uint8_t reason);
void async_defaults(struct ofconn_async *a);
/* A connection has another role or other wishes, or is gone. */
void async_changed(struct ofserver *s);

/* What is behind a flow-mod's header.  The buffer: of a delete none, whatever it says. */
int of_get_flow_mod(struct ofconn *c, struct reader *body, struct flow_mod *fm, uint32_t *buffer_id,
		    struct refusal *r);
/* struct ofp_flow_stats; false (and nothing written) for what the peer could not read. */
bool of_put_flow(const struct ofconn *c, const struct flow *f, const struct flow_stats *stats,
		 struct buf *b);

/* Port numbers of OpenFlow messages. */
void of_put_port(struct buf *b, const struct port *port); /* struct ofp_port */
/* The next OpenFlow port after number `*ofport` (begin with 0); NULL after LOCAL. */
const struct port *of_next_port(struct ofserver *s, uint32_t *ofport);

/* One message of a request for table features: refused when it asks for what there is not. */
int table_features_ask(struct ofconn *c, const struct reader *body, struct refusal *r);
/* Whether it says what can be said (OFPTFFC_*). */
int table_features_check(struct reader body, unsigned n_tables, struct refusal *r);

/* Behind an error, to who wants it: struct sluice_refusal. */
void ext_reason(struct ofconn *c, const struct oferror *e, const struct refusal *r);

/* ext-list.c: a name in so many octets; the last one has to be zero.  And back. */
int ext_get_name(struct reader *body, char *name, size_t room, struct refusal *r);
void ext_put_name(struct buf *b, const char *name, size_t room);
/* A reason of `size` octets, 0 among them, with zeros to a multiple of 8; room: GUARD_REASON_MAX
 * and a zero. */
int ext_get_reason(struct reader *body, uint16_t size, char *reason, struct refusal *r);

/* A long answer of our experimenter: entries that begin with their length, made at once and sent as
 * the peer takes them.  ext_list_send() takes the list, and refuses when all peers' hold too much;
 * ext_list_room() is what it may hold. */
struct ext_list {
	struct ofreply reply;
	struct buf entries;
	size_t at, begin;
};
enum { DUMPS_OCTETS = 64 * 1024 * 1024 }; /* all dumps on their way, of all peers */
struct ext_list *ext_list_begin(const struct ofmsg *m, uint32_t exp_type);
struct buf *ext_entry_begin(struct ext_list *list); /* behind its length */
void ext_entry_end(struct ext_list *list);          /* pads it to 8 octets */
int ext_list_send(struct ofconn *c, struct ext_list *list, struct refusal *r);
size_t ext_list_room(const struct ofconn *c);

/* A rule that standard messages can say (TS-023 decoders stop at what they do not know). */
bool of_flow_is_standard(const struct flow *f);
/* The peer speaks of our fields, or of our actions: it is told of them, too. */
void of_note_extension(struct ofconn *c, const struct match *m);
void of_note_actions(struct ofconn *c, const struct instructions *i);
void of_put_duration(struct buf *b, uint64_t duration_ns);

#endif
