/* SPDX-License-Identifier: Apache-2.0 */
/* Packet-out (TS-023, 7.3.7). */
#include "ctl/msg.h"

int msg_packet_out(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint32_t buffer_id = pull_u32(&m->body), in_port = pull_u32(&m->body);
	uint16_t actions_len = pull_u16(&m->body);
	struct reader actions;
	struct buf ops = {0};
	int error;

	pull(&m->body, 6);
	if (buffer_id != OFP_NO_BUFFER)
		return refuse(r, BUFFER_UNKNOWN, "buffer_id",
			      "buffer 0x%x is not there; this switch buffers no packets",
			      buffer_id);
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

		error = ofproto_packet_out(c->server->ofproto, &po, r);
	}
	buf_free(&ops);
	return error;
}
