/* SPDX-License-Identifier: Apache-2.0 */
/* What the switch is: features (TS-023, 7.3.1) and its configuration (7.3.2). */
#include "ctl/msg.h"

int msg_features_request(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	const struct ofproto *o = c->server->ofproto;
	struct buf b;

	(void)r;
	of_begin(&b, OFPT_FEATURES_REPLY, m->xid);
	buf_u64(&b, ofproto_settings(o)->dpid);
	buf_u32(&b, PACKET_BUFFERS);
	buf_u8(&b, (uint8_t)ofproto_n_tables(o));
	buf_u8(&b, c->auxiliary_id);
	buf_u16(&b, 0);
	buf_u32(&b, OFPC_FLOW_STATS | OFPC_TABLE_STATS | OFPC_PORT_STATS | OFPC_GROUP_STATS);
	buf_u32(&b, 0);
	ofconn_send(c, &b);
	return 0;
}

int msg_get_config_request(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct buf b;

	(void)r;
	of_begin(&b, OFPT_GET_CONFIG_REPLY, m->xid);
	buf_u16(&b, OFPC_FRAG_NORMAL);
	buf_u16(&b, ofconn_channel(c)->miss_send_len);
	ofconn_send(c, &b);
	return 0;
}

int msg_set_config(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint16_t flags = pull_u16(&m->body), miss_send_len = pull_u16(&m->body);

	if (flags != OFPC_FRAG_NORMAL)
		return refuse(
			r, CONFIG_FLAGS, "flags",
			"configuration flags 0x%x; fragments are handled as OFPC_FRAG_NORMAL (0)",
			flags);
	ofconn_channel(c)->miss_send_len = miss_send_len;
	return 0;
}
