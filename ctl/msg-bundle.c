/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles (ONF TS-012, 7.3.9, and EXT-230 for OpenFlow 1.3): messages that take effect together,
 * in the order they were added, or not at all.
 *
 * A bundle holds flow-mods, group-mods, meter-mods, port-mods and packet-outs as they came; each is
 * decoded when it is added, so that what is malformed is refused there and then, and stays out,
 * while the bundle is as it was (6.9.3).  The commit is bundle.h's.
 *
 * A port's configuration is no part of the tables' version, so port-mods are not for atomic
 * bundles.  What takes a packet from a buffer is not for bundles: a commit may fail, and buffers
 * are not kept for long.
 *
 * A bundle that an add names and nobody opened is opened by it; one that is still open may be
 * committed.  Who says what does not fit to a bundle's state or flags loses it (7.3.9), and so does
 * who leaves it alone for BUNDLE_IDLE_S, who is told (OFPBFC_TIMEOUT).  What bundles hold is
 * bounded by connection and over all, and goes with the connection. */
#include <errno.h>
#include <stdlib.h>

#include "ctl/bundle.h"

enum {
	BUNDLE_MESSAGES = 32768,           /* of one; a commit holds the control thread up */
	BUNDLE_PACKETS = 256,              /* packet-outs of one, each handed to a worker */
	BUNDLE_OCTETS = 8 * 1024 * 1024,   /* of a connection's bundles */
	BUNDLES_OCTETS = 32 * 1024 * 1024, /* of all connections' */
	BUNDLE_FLAGS = OFPBF_ATOMIC | OFPBF_ORDERED,
	BUNDLE_IDLE_S = 10, /* as Open vSwitch has it */
};

/* ---- A connection's bundles -------------------------------------------------------------- */

static struct bundle **find(struct ofconn *c, uint32_t id)
{
	struct bundle **b = &c->bundles;

	while (*b && (*b)->id != id)
		b = &(*b)->next;
	return b;
}

void bundle_free(struct bundle *b)
{
	if (!b)
		return;
	b->server->bundle_octets -= b->messages.size;
	buf_free(&b->messages);
	free(b);
}

/* It is the connection's no more. */
static struct bundle *bundle_take(struct ofconn *c, struct bundle **at)
{
	struct bundle *b = *at;

	*at = b->next;
	c->n_bundles--;
	c->bundle_octets -= b->messages.size;
	return b;
}

static void bundle_lose(struct ofconn *c, struct bundle **at)
{
	bundle_free(bundle_take(c, at));
}

void bundles_discard(struct ofconn *c)
{
	while (c->bundles)
		bundle_lose(c, &c->bundles);
}

void bundles_tick(struct ofconn *c)
{
	for (struct bundle **at = &c->bundles, *b; (b = *at);) {
		struct refusal r;

		if (++b->idle_s <= BUNDLE_IDLE_S) {
			at = &b->next;
			continue;
		}
		refuse(&r, BUNDLE_TIMEOUT, "bundle_id",
		       "bundle %u was left alone for %u seconds, and is gone", b->id,
		       BUNDLE_IDLE_S);
		ofconn_refuse(c, b->opened, b->opened_size, &r);
		bundle_lose(c, at);
	}
}

/* By message m. */
static int bundle_open(struct ofconn *c, const struct ofmsg *m, uint32_t id, uint16_t flags,
		       struct refusal *r)
{
	struct bundle **at = find(c, id), *b;

	if (*at) {
		bundle_lose(c, at);
		return refuse(r, BUNDLE_EXISTS, "bundle_id",
			      "there was a bundle %u already, which is gone now", id);
	}
	if (flags & ~BUNDLE_FLAGS)
		return refuse(r, BUNDLE_FLAGS, "flags", "bundle flags 0x%x; known are 0x%x", flags,
			      BUNDLE_FLAGS);
	if (c->n_bundles == OFCONN_BUNDLES)
		return refuse(r, OUT_OF_BUNDLES, "bundle_id",
			      "there are %u bundles, as many as a connection may have",
			      c->n_bundles);
	b = calloc(1, sizeof *b);
	if (!b)
		abort();
	b->server = c->server;
	b->id = id;
	b->flags = flags;
	b->opened_size = MIN((size_t)m->size, sizeof b->opened);
	memcpy(b->opened, m->octets, b->opened_size);
	b->next = c->bundles;
	c->bundles = b;
	c->n_bundles++;
	return 0;
}

/* One that is there and fits the flags, and is to be added to or closed unless it is to be
 * committed; NULL and a refusal otherwise, and then it is there no more. */
static struct bundle *bundle_get(struct ofconn *c, uint32_t id, uint16_t flags, bool commit,
				 struct refusal *r)
{
	struct bundle **at = find(c, id), *b = *at;

	if (!b) {
		refuse(r, BUNDLE_ID, "bundle_id", "there is no bundle %u", id);
		return NULL;
	}
	b->idle_s = 0;
	if (b->closed && !commit)
		refuse(r, BUNDLE_CLOSED, "bundle_id", "bundle %u was closed already; it is gone",
		       id);
	else if (b->flags != flags)
		refuse(r, BUNDLE_FLAGS, "flags",
		       "flags 0x%x; bundle %u was opened with 0x%x, and is gone", flags, id,
		       b->flags);
	else
		return b;
	bundle_lose(c, at);
	return NULL;
}

/* None is known (TS-012, 7.3.9.2): what is left of a message is empty, or refused. */
static int check_properties(const struct reader *body, struct refusal *r)
{
	if (!reader_left(body))
		return 0;
	return refuse(r, BUNDLE_PROPERTY, "properties",
		      "%zu octets of properties; no bundle property is known here",
		      reader_left(body));
}

/* ---- Adding ------------------------------------------------------------------------------ */

static bool is_bundled(uint8_t type)
{
	return type == OFPT_FLOW_MOD || type == OFPT_GROUP_MOD || type == OFPT_METER_MOD ||
	       type == OFPT_PORT_MOD || type == OFPT_PACKET_OUT;
}

/* Everything that can be said of a message without looking at the switch. */
static int check_message(struct ofconn *c, uint16_t flags, struct ofmsg *m, struct refusal *r)
{
	const struct ofmsg_row *row = is_bundled(m->type) ? ofmsg_row(m->type) : NULL;

	if (m->octets[0] != OFP13_VERSION)
		return refuse(r, BAD_VERSION, "version",
			      "a bundled message of version %u; the connection speaks 4",
			      m->octets[0]);
	if (!row)
		return refuse(r, BUNDLE_MSG_TYPE, "type",
			      "message type %u cannot be in a bundle; flow-mods, group-mods, "
			      "meter-mods, port-mods and packet-outs can",
			      m->type);
	if (m->type == OFPT_PORT_MOD && flags & OFPBF_ATOMIC)
		return refuse(r, BUNDLE_MSG_TYPE, "type",
			      "a port-mod takes effect beside the tables; it can be in a bundle "
			      "that is not atomic");
	if (!ofmsg_size_fits(row, m->size))
		return refuse(r, BAD_LEN, "length", "%s of %u octets in a bundle", row->name,
			      m->size);
	m->part = OFMSG_CHECKED;
	return row->handle(c, m, r);
}

/* The message inside: its own length says where it ends, then padding to 8, then properties. */
static int pull_message(struct reader *body, uint32_t xid, struct ofmsg *inner, struct refusal *r)
{
	const uint8_t *octets = body->at;
	size_t left = reader_left(body), size = 0;

	if (left >= sizeof(struct ofp_header))
		size = get_be16(octets + offsetof(struct ofp_header, length));
	if (size < sizeof(struct ofp_header) || size > left)
		return refuse(r, BUNDLE_MSG_LEN, "length",
			      "a message of %zu octets in a bundle-add that has %zu for it", size,
			      left);
	*inner = ofmsg_of(octets, (uint16_t)size);
	if (inner->xid != xid)
		return refuse(r, BUNDLE_MSG_XID, "xid",
			      "xid 0x%x in a bundle-add of xid 0x%x; they are the same", inner->xid,
			      xid);
	pull(body, MIN(ROUND_UP(size, 8), left));
	return check_properties(body, r);
}

static int check_room(const struct ofconn *c, const struct bundle *b, const struct ofmsg *m,
		      struct refusal *r)
{
	const size_t size = m->size;

	if (b && b->n == BUNDLE_MESSAGES)
		return refuse(r, BUNDLE_FULL, "message",
			      "bundle %u holds %u messages, as many as it may", b->id, b->n);
	if (b && b->n_packets == BUNDLE_PACKETS && m->type == OFPT_PACKET_OUT)
		return refuse(r, BUNDLE_FULL, "message",
			      "bundle %u holds %u packet-outs, as many as it may", b->id,
			      b->n_packets);
	if (c->bundle_octets + size > BUNDLE_OCTETS)
		return refuse(r, BUNDLE_FULL, "message",
			      "this connection's bundles hold %zu octets; %d are accepted",
			      c->bundle_octets, BUNDLE_OCTETS);
	if (c->server->bundle_octets + size > BUNDLES_OCTETS)
		return refuse(r, BUNDLE_FULL, "message",
			      "bundles of all peers hold %zu octets; add again later",
			      c->server->bundle_octets);
	return 0;
}

int msg_bundle_add(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint32_t id = pull_u32(&m->body);
	uint16_t flags = (pull_u16(&m->body), pull_u16(&m->body));
	struct bundle *b = *find(c, id);
	struct ofmsg inner;
	int error;

	if (b && !bundle_get(c, id, flags, false, r))
		return -EINVAL;
	error = pull_message(&m->body, m->xid, &inner, r);
	if (!error)
		error = check_message(c, flags, &inner, r);
	if (!error)
		error = check_room(c, b, &inner, r);
	if (!error && !b)
		error = bundle_open(c, m, id, flags, r);
	if (error)
		return error;
	b = *find(c, id);
	buf_octets(&b->messages, inner.octets, inner.size);
	b->n++;
	b->n_packets += inner.type == OFPT_PACKET_OUT;
	c->bundle_octets += inner.size;
	c->server->bundle_octets += inner.size;
	return 0;
}

/* ---- Control ----------------------------------------------------------------------------- */

void bundle_reply_send(struct ofconn *c, const struct bundle_reply *reply)
{
	uint32_t xid = get_be32(reply->octets + offsetof(struct ofp_header, xid));
	struct buf b;

	of_begin(&b, reply->octets[1], xid);
	if (reply->octets[1] == OFPT_EXPERIMENTER) {
		buf_u32(&b, ONF_EXPERIMENTER);
		buf_u32(&b, ONF_ET_BUNDLE_CONTROL);
	}
	buf_u32(&b, reply->id);
	buf_u16(&b, (uint16_t)(reply->type + 1));
	buf_u16(&b, reply->flags);
	ofconn_send(c, &b);
}

/* Whatever becomes of it, it is gone then. */
static int bundle_end(struct ofconn *c, const struct bundle_reply *like, struct refusal *r)
{
	if (!bundle_get(c, like->id, like->flags, true, r))
		return -EINVAL;
	bundle_commit(c, bundle_take(c, find(c, like->id)), like);
	return 0;
}

static int bundle_close(struct ofconn *c, const struct bundle_reply *like, struct refusal *r)
{
	struct bundle *b = bundle_get(c, like->id, like->flags, false, r);

	if (b)
		b->closed = true;
	return b ? 0 : -EINVAL;
}

static int bundle_discard(struct ofconn *c, const struct bundle_reply *like, struct refusal *r)
{
	struct bundle **at = find(c, like->id);

	if (!*at)
		return refuse(r, BUNDLE_ID, "bundle_id", "there is no bundle %u", like->id);
	bundle_lose(c, at);
	return 0;
}

int msg_bundle_control(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct bundle_reply reply = {.size = MIN((size_t)m->size, sizeof reply.octets)};
	int error;

	memcpy(reply.octets, m->octets, reply.size);
	reply.id = pull_u32(&m->body);
	reply.type = pull_u16(&m->body);
	reply.flags = pull_u16(&m->body);
	error = check_properties(&m->body, r);
	if (error)
		return error;
	switch (reply.type) {
	case OFPBCT_OPEN_REQUEST:
		error = bundle_open(c, m, reply.id, reply.flags, r);
		break;
	case OFPBCT_CLOSE_REQUEST:
		error = bundle_close(c, &reply, r);
		break;
	case OFPBCT_COMMIT_REQUEST:
		return bundle_end(c, &reply, r);
	case OFPBCT_DISCARD_REQUEST:
		error = bundle_discard(c, &reply, r);
		break;
	default:
		return refuse(r, BUNDLE_TYPE, "type",
			      "bundle control %u; open, close, commit and discard are 0, 2, 4 and "
			      "6",
			      reply.type);
	}
	if (!error)
		bundle_reply_send(c, &reply);
	return error;
}
