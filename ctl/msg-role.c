/* SPDX-License-Identifier: Apache-2.0 */
/* Roles (TS-023, 6.3.5 and 7.3.9): one master at most; generations keep a late one out. */
#include "ctl/msg.h"

static void others_become_slaves(struct ofconn *master)
{
	for (struct ofconn *c = master->server->conns; c; c = c->next) {
		if (c != master && c->role == OFPCR_ROLE_MASTER)
			c->role = OFPCR_ROLE_SLAVE;
	}
}

int msg_role_request(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct ofserver *s = c->server;
	struct ofconn *channel = ofconn_channel(c);
	uint32_t role = pull_u32(&m->body);
	uint64_t generation;
	struct buf b;

	pull(&m->body, 4);
	generation = pull_u64(&m->body);
	if (role > OFPCR_ROLE_SLAVE)
		return refuse(r, BAD_ROLE, "role", "role %u; there are 0 to %u", role,
			      OFPCR_ROLE_SLAVE);
	if (role == OFPCR_ROLE_MASTER || role == OFPCR_ROLE_SLAVE) {
		/* Serial numbers: they may wrap. */
		if (s->has_generation && (int64_t)(generation - s->generation) < 0)
			return refuse(r, STALE_ROLE, "generation_id",
				      "generation 0x%llx is older than 0x%llx",
				      (unsigned long long)generation,
				      (unsigned long long)s->generation);
		s->has_generation = true;
		s->generation = generation;
	}
	if (role == OFPCR_ROLE_MASTER)
		others_become_slaves(channel);
	if (role != OFPCR_ROLE_NOCHANGE)
		channel->role = role;
	async_changed(s);
	of_begin(&b, OFPT_ROLE_REPLY, m->xid);
	buf_u32(&b, channel->role);
	buf_u32(&b, 0);
	buf_u64(&b, s->has_generation ? s->generation : UINT64_MAX);
	ofconn_send(c, &b);
	return 0;
}
