/* SPDX-License-Identifier: Apache-2.0 */
/* Groups (TS-023, 7.3.4.2): none can be made yet, so there is room for none, nothing to modify, and
 * deleting leaves what was. */
#include "ctl/msg.h"

int msg_group_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint16_t command = pull_u16(&m->body);
	uint8_t type = pull_u8(&m->body);
	uint32_t group;

	(void)c;
	pull(&m->body, 1);
	group = pull_u32(&m->body);
	switch (command) {
	case OFPGC_ADD:
	case OFPGC_MODIFY:
		if (type > OFPGT_FF)
			return refuse(r, GROUP_TYPE, "type", "group type %u; there are 0 to %u",
				      type, OFPGT_FF);
		if (command == OFPGC_ADD)
			return refuse(r, OUT_OF_GROUPS, "group_id",
				      "group %u: this switch holds no groups", group);
		return refuse(r, UNKNOWN_GROUP, "group_id", "group %u does not exist", group);
	case OFPGC_DELETE:
		return 0;
	default:
		return refuse(r, GROUP_COMMAND, "command",
			      "group-mod command %u; there are 0 to %u", command, OFPGC_DELETE);
	}
}

/* A reply whose body is `octets` zeros: an empty list, or features of nothing. */
static int reply_zeros(struct ofconn *c, uint16_t type, uint32_t xid, size_t octets)
{
	struct buf b;

	of_begin_multipart(&b, type, xid);
	if (octets)
		buf_put(&b, octets);
	ofconn_send(c, &b);
	return 0;
}

int multipart_group(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	(void)r;
	return reply_zeros(c, OFPMP_GROUP, m->xid, 0);
}

int multipart_group_desc(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	(void)r;
	return reply_zeros(c, OFPMP_GROUP_DESC, m->xid, 0);
}

int multipart_group_features(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	(void)r;
	return reply_zeros(c, OFPMP_GROUP_FEATURES, m->xid, sizeof(struct ofp_group_features));
}
