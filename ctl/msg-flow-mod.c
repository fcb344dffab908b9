/* SPDX-License-Identifier: Apache-2.0 */
/* Flow-mod (TS-023, 7.3.4.2).  What can be refused is refused at once; what fails at the commit is
 * an error with the same xid then, so the message's first octets wait with it. */
#include <errno.h>

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

static int flow_mod_check(const struct flow_mod *fm, struct refusal *r)
{
	const uint16_t flags = OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP | OFPFF_RESET_COUNTS |
			       OFPFF_NO_PKT_COUNTS | OFPFF_NO_BYT_COUNTS;

	if (fm->command > OFPFC_DELETE_STRICT)
		return refuse(r, BAD_COMMAND, "command", "flow-mod command %u; there are 0 to %u",
			      fm->command, OFPFC_DELETE_STRICT);
	if (fm->flags & ~flags)
		return refuse(r, BAD_FLAGS, "flags", "flow-mod flags 0x%x; known are 0x%x",
			      fm->flags, flags);
	if (fm->table == TABLE_GUARD) /* the guard's place has no OpenFlow number */
		return refuse(r, BAD_TABLE, "table_id", "table %u does not exist", fm->table);
	return 0;
}

static bool is_delete(const struct flow_mod *fm)
{
	return fm->command == OFPFC_DELETE || fm->command == OFPFC_DELETE_STRICT;
}

int of_get_flow_mod(struct ofconn *c, struct reader *body, struct flow_mod *fm, uint32_t *buffer_id,
		    struct refusal *r)
{
	int error;

	*buffer_id = flow_mod_get_fixed(body, fm);
	error = flow_mod_check(fm, r);
	if (!error)
		error = match_get_oxm(&fm->match, body, r);
	if (is_delete(fm))
		*buffer_id = OFP_NO_BUFFER;
	else if (!error)
		error = instructions_get(body, &fm->instructions, r);
	if (!error) {
		of_note_extension(c, &fm->match);
		of_note_actions(c, &fm->instructions);
	}
	return error;
}

/* With a buffer, its packet goes through the tables once the rule is in effect, as by a packet-out
 * to OFPP_TABLE (TS-023, 7.3.4.2). */
static int change(struct ofconn *c, const struct ofmsg *m, const struct flow_mod *fm,
		  uint32_t buffer_id, struct refusal *r)
{
	struct held_packet *held = NULL;
	struct waiter *w;
	int error;

	if (buffer_id != OFP_NO_BUFFER) {
		held = packet_take(&c->server->buffers, buffer_id, r);
		if (!held)
			return -EINVAL;
	}
	w = of_waiter(c, m, held);
	error = of_waits(w, ofproto_flow_mod(c->server->ofproto, fm, w, r));
	if (error && held)
		packet_put_back(&c->server->buffers, buffer_id, held);
	return error;
}

/* In a bundle a buffer would be emptied by a commit that may fail. */
static int check_bundled(uint32_t buffer_id, struct refusal *r)
{
	if (buffer_id == OFP_NO_BUFFER)
		return 0;
	return refuse(r, BUNDLE_MSG_TYPE, "buffer_id",
		      "a flow-mod with a buffer cannot be in a bundle; without one it can");
}

int msg_flow_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct flow_mod fm;
	uint32_t buffer_id;
	int error;

	flow_mod_init(&fm);
	fm.origin = ORIGIN_CONTROLLER;
	error = of_get_flow_mod(c, &m->body, &fm, &buffer_id, r);
	if (!error && m->part == OFMSG_CHECKED)
		error = check_bundled(buffer_id, r);
	else if (!error)
		error = change(c, m, &fm, buffer_id, r);
	flow_mod_free(&fm);
	return error;
}
