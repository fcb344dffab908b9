/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatch: what every message has to pass before its handler sees it. */
#include "ctl/msg.h"

#include <stdlib.h>

#include "lib/log.h"
#include "ofproto/journal.h"

static const struct ofmsg_row rows[] = {
#define MESSAGE(TYPE, SIZE, MORE, WRITES, HANDLER) [TYPE] = {#TYPE, SIZE, MORE, WRITES, HANDLER},
#include "ctl/messages.def"
#undef MESSAGE
};

bool ofmsg_size_fits(const struct ofmsg_row *row, size_t size)
{
	return size == row->size ||
	       (size > row->size && row->more && (size - row->size) % row->more == 0);
}

/* Changes are the controller's; those of one commit are one entry of the journal. */
static int handle_as(struct ofconn *c, const struct ofmsg_row *row, struct ofmsg *m,
		     struct refusal *r)
{
	const struct actor actor = {
		.origin = c->origin, .gathers = true, .who = c->remote, .what = row->name};
	struct ofproto *o = c->server->ofproto;
	int error;

	ofproto_actor(o, &actor);
	error = row->handle(c, m, r);
	ofproto_actor(o, NULL);
	return error;
}

const struct ofmsg_row *ofmsg_row(uint8_t type)
{
	return type < ARRAY_SIZE(rows) && rows[type].handle ? &rows[type] : NULL;
}

/* A peer that may ask us is no controller: it rules nothing, and sees nothing. */
static bool is_for_askers(const struct ofmsg_row *row)
{
	static ofmsg_handler *const theirs[] = {msg_hello,
						msg_error,
						msg_echo_request,
						msg_echo_reply,
						msg_features_request,
						msg_barrier_request,
						msg_experimenter,
						msg_ext_hello,
						msg_request};

	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		if (row->handle == theirs[i])
			return true;
	return false;
}

int ofmsg_handle_row(struct ofconn *c, const struct ofmsg_row *row, struct ofmsg *m,
		     struct refusal *r)
{
	if (!ofmsg_size_fits(row, m->size))
		return refuse(r, BAD_LEN, "length", "%s of %u octets; it has %u%s", row->name,
			      m->size, row->size, row->more ? " or more" : "");
	if (row->writes && ofconn_channel(c)->role == OFPCR_ROLE_SLAVE)
		return refuse(r, IS_SLAVE, "role",
			      "%s from a slave; ask for role equal or master first", row->name);
	if (c->origin == ORIGIN_REQUEST && !is_for_askers(row))
		return refuse(r, NOT_PERMITTED, "origin",
			      "%s from a peer with origin=request; request, barrier, echo and "
			      "features would be accepted",
			      row->name);
	return row->writes ? handle_as(c, row, m, r) : row->handle(c, m, r);
}

int ofmsg_handle(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	const struct ofmsg_row *row = ofmsg_row(m->type);

	if (m->octets[0] != OFP13_VERSION && m->type != OFPT_HELLO)
		return refuse(
			r, BAD_VERSION, "version",
			"version %u in a message of a connection that speaks OpenFlow 1.3 (4)",
			m->octets[0]);
	if (!row)
		return refuse(r, BAD_TYPE, "type", "message type %u is none a switch takes",
			      m->type);
	return ofmsg_handle_row(c, row, m, r);
}

/* ---- Changes under way ------------------------------------------------------------------- */

struct message_waiter {
	struct waiter waiter;
	struct ofconn *conn;
	struct held_packet *held;
	size_t size;
	uint8_t octets[OFCONN_ERROR_DATA];
};

void of_waiter_end(struct waiter *waiter)
{
	struct message_waiter *w;
	struct ofconn *c;

	if (!waiter)
		return;
	w = container_of(waiter, struct message_waiter, waiter);
	c = w->conn;
	c->n_waiters--;
	free(w);
	ofconn_unref(c);
}

int of_waits(struct waiter *waiter, int error)
{
	if (error)
		of_waiter_end(waiter);
	return error;
}

/* As by a packet-out to OFPP_TABLE.  Its port may have gone meanwhile: then so has the packet. */
static void run_held(struct ofproto *o, struct held_packet *held)
{
	struct buf ops = {0};
	struct refusal r;

	if (!actions_parse("TABLE", &ops, &r)) {
		const struct packet_out po = {.in_port = held->in_port,
					      .frame = held->octet,
					      .size = held->size,
					      .ops = ops.data,
					      .ops_size = ops.size};

		if (ofproto_packet_out(o, &po, &r))
			LOG(DEBUG, "openflow: a held packet is lost: %s", r.text);
	}
	buf_free(&ops);
}

static void change_done(struct waiter *waiter, int error, const struct refusal *r)
{
	struct message_waiter *w = container_of(waiter, struct message_waiter, waiter);
	struct ofconn *c = w->conn;

	ofconn_ref(c);
	if (error)
		ofconn_refuse(c, w->octets, w->size, r);
	else if (w->held)
		run_held(c->server->ofproto, w->held);
	free(w->held);
	of_waiter_end(waiter);
	ofconn_go_on(c);
	ofconn_unref(c);
}

struct waiter *of_waiter(struct ofconn *c, const struct ofmsg *m, struct held_packet *held)
{
	struct message_waiter *w;

	if (m->part)
		return NULL;
	w = calloc(1, sizeof *w);
	if (!w)
		abort();
	w->waiter.done = change_done;
	w->conn = c;
	w->held = held;
	w->size = MIN((size_t)m->size, sizeof w->octets);
	memcpy(w->octets, m->octets, w->size);
	ofconn_ref(c);
	c->n_waiters++;
	return &w->waiter;
}
