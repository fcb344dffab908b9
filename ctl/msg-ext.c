/* SPDX-License-Identifier: Apache-2.0 */
/* Our experimenter's hello and reasons (lib/openflow-ext.h): a peer says that it knows the
 * extension, and is answered with what is in force. */
#include "ctl/msg.h"

void of_begin_ext(struct buf *b, uint32_t exp_type, uint32_t xid)
{
	of_begin(b, OFPT_EXPERIMENTER, xid);
	buf_u32(b, SLUICE_EXPERIMENTER);
	buf_u32(b, exp_type);
}

int msg_ext_hello(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint16_t version = pull_u16(&m->body);
	uint32_t flags;
	struct buf b;

	pull(&m->body, 2); /* who somebody is, is not for him to say */
	flags = pull_u32(&m->body);
	if (!version)
		return refuse(r, EXT_VALUE, "version",
			      "version 0 of the extension; from %d on "
			      "would be accepted",
			      SLUICE_EXT_VERSION);
	c->extended = true;
	c->reasons = flags & SLUICE_HELLO_REASONS;
	of_begin_ext(&b, SLUICE_ET_HELLO, m->xid);
	buf_u16(&b, MIN(version, (uint16_t)SLUICE_EXT_VERSION));
	buf_u8(&b, c->origin == ORIGIN_CONTROLLER ? SLUICE_ORIGIN_NONE : c->origin);
	buf_u8(&b, 0);
	buf_u32(&b, flags & SLUICE_HELLO_REASONS);
	ofconn_send(c, &b);
	return 0;
}

void ext_reason(struct ofconn *c, const struct oferror *e, const struct refusal *r)
{
	struct buf b;

	of_begin_ext(&b, SLUICE_ET_REFUSAL, e->xid);
	buf_u16(&b, e->type);
	buf_u16(&b, e->code);
	buf_u32(&b, 0);
	ext_put_name(&b, refusal_name(r->code), sizeof((struct sluice_refusal *)0)->name);
	ext_put_name(&b, r->field, sizeof((struct sluice_refusal *)0)->field);
	buf_octets(&b, r->text, strlen(r->text));
	ofconn_send(c, &b);
}
