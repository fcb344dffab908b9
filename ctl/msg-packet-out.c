/* SPDX-License-Identifier: Apache-2.0 */
/* Packet-out (TS-023, 7.3.7): of a frame that it brings, or of one that is held here. */
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

		error = send_out(c, &po, buffer_id, r);
	}
	buf_free(&ops);
	return error;
}
