/* SPDX-License-Identifier: Apache-2.0 */
/* Flow-mod (TS-023, 7.3.4.2).  What can be refused is refused at once; what fails at the commit is
 * an error with the same xid then, so the message's first octets wait with it. */
#include "ctl/msg.h"
#include "datapath/table.h"

/* Everything but the length of the match and instructions, which are behind. */
static uint32_t flow_mod_get_fixed(struct reader *body, struct flow_mod *fm)
{
	uint32_t buffer_id;

	fm->cookie = pull_u64(body);
	fm->cookie_mask = pull_u64(body);
	fm->table = pull_u8(body);
	fm->command = pull_u8(body);
	fm->idle_timeout = pull_u16(body);
	fm->hard_timeout = pull_u16(body);
	fm->priority = pull_u16(body);
	buffer_id = pull_u32(body);
	fm->out_port = pull_u32(body);
	fm->out_group = pull_u32(body);
	fm->flags = pull_u16(body);
	pull(body, 2);
	return buffer_id;
}

static int flow_mod_check(const struct flow_mod *fm, uint32_t buffer_id, struct refusal *r)
{
	const uint16_t flags = OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP | OFPFF_RESET_COUNTS |
			       OFPFF_NO_PKT_COUNTS | OFPFF_NO_BYT_COUNTS;
	bool deletes = fm->command == OFPFC_DELETE || fm->command == OFPFC_DELETE_STRICT;

	if (fm->command > OFPFC_DELETE_STRICT)
		return refuse(r, BAD_COMMAND, "command", "flow-mod command %u; there are 0 to %u",
			      fm->command, OFPFC_DELETE_STRICT);
	if (fm->flags & ~flags)
		return refuse(r, BAD_FLAGS, "flags", "flow-mod flags 0x%x; known are 0x%x",
			      fm->flags, flags);
	if (!deletes && buffer_id != OFP_NO_BUFFER)
		return refuse(r, BUFFER_UNKNOWN, "buffer_id",
			      "buffer 0x%x is not there; this switch buffers no packets",
			      buffer_id);
	if (fm->table == TABLE_GUARD) /* the guard's place has no OpenFlow number */
		return refuse(r, BAD_TABLE, "table_id", "table %u does not exist", fm->table);
	return 0;
}

static int flow_mod_get(struct ofconn *c, struct reader *body, struct flow_mod *fm,
			struct refusal *r)
{
	uint32_t buffer_id = flow_mod_get_fixed(body, fm);
	int error = flow_mod_check(fm, buffer_id, r);

	if (!error)
		error = match_get_oxm(&fm->match, body, r);
	if (!error && fm->command != OFPFC_DELETE && fm->command != OFPFC_DELETE_STRICT)
		error = instructions_get(body, &fm->instructions, r);
	if (!error) {
		of_note_extension(c, &fm->match);
		of_note_actions(c, &fm->instructions);
	}
	return error;
}

int msg_flow_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct waiter *w;
	struct flow_mod fm;
	int error;

	flow_mod_init(&fm);
	fm.origin = ORIGIN_CONTROLLER;
	error = flow_mod_get(c, &m->body, &fm, r);
	if (!error) {
		w = of_waiter(c, m);
		error = ofproto_flow_mod(c->server->ofproto, &fm, w, r);
		if (error)
			of_waiter_end(w);
	}
	flow_mod_free(&fm);
	return error;
}
