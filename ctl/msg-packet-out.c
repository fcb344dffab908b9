/* SPDX-License-Identifier: Apache-2.0 */
/* Packet-out (TS-023, 7.3.7): of a frame that it brings, or of one that is held here; in a bundle,
 * what can be refused is refused before all of it is in effect. */
#include <errno.h>
#include <stdlib.h>

#include "ctl/msg.h"

static int send_out(struct ofconn *c, struct packet_out *po, uint32_t buffer_id, struct refusal *r)
{
	struct held_packet *held;
	int error;

	if (buffer_id == OFP_NO_BUFFER)
		return ofproto_packet_out(c->server->ofproto, po, r);
	held = packet_take(&c->server->buffers, buffer_id, r);
	if (!held)
		return -EINVAL;
	po->frame = held->octet;
	po->size = held->size;
	error = ofproto_packet_out(c->server->ofproto, po, r);
	if (error)
		packet_put_back(&c->server->buffers, buffer_id, held);
	else
		free(held);
	return error;
}

/* In a bundle a buffer would be emptied by a commit that may fail. */
static int check_bundled(uint32_t buffer_id, struct refusal *r)
{
	if (buffer_id == OFP_NO_BUFFER)
		return 0;
	return refuse(r, BUNDLE_MSG_TYPE, "buffer_id",
		      "a packet-out of a buffer cannot be in a bundle; one with its frame can");
}

static int packet_out(struct ofconn *c, enum ofmsg_part part, struct packet_out *po,
		      uint32_t buffer_id, struct refusal *r)
{
	switch (part) {
	case OFMSG_CHECKED:
		return check_bundled(buffer_id, r);
	case OFMSG_STAGED:
		return ofproto_packet_out_check(c->server->ofproto, po, r);
	default:
		return send_out(c, po, buffer_id, r);
	}
}

int msg_packet_out(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint32_t buffer_id = pull_u32(&m->body), in_port = pull_u32(&m->body);
	uint16_t actions_len = pull_u16(&m->body);
	struct reader actions;
	struct buf ops = {0};
	int error;

	pull(&m->body, 6);
	if (actions_len > reader_left(&m->body))
		return refuse(r, BAD_LEN, "actions_len",
			      "actions_len %u is more than the %zu octets left of the message",
			      actions_len, reader_left(&m->body));
	actions = pull_reader(&m->body, actions_len);
	error = actions_get(&actions, &ops, r);
	if (!error) {
		struct packet_out po = {.in_port = in_port,
					.frame = m->body.at,
					.size = reader_left(&m->body),
					.ops = ops.data,
					.ops_size = ops.size};

		error = packet_out(c, m->part, &po, buffer_id, r);
	}
	buf_free(&ops);
	return error;
}
