/* SPDX-License-Identifier: Apache-2.0 */
/* Echo both ways, and errors from the peer (TS-023, 7.4.4, 7.5.2 and 7.5.3). */
#include "ctl/msg.h"
#include "lib/log.h"

int msg_echo_request(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct buf b;

	(void)r;
	of_begin(&b, OFPT_ECHO_REPLY, m->xid);
	buf_octets(&b, m->body.at, reader_left(&m->body));
	ofconn_send(c, &b);
	return 0;
}

/* That it came is all that counts (ofconn_readable). */
int msg_echo_reply(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	(void)c;
	(void)m;
	(void)r;
	return 0;
}

/* Never answered: two peers could go on for ever. */
int msg_error(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint16_t type = pull_u16(&m->body), code = pull_u16(&m->body);

	(void)r;
	LOG(DEBUG, "openflow: %s: it sent error type %u code %u", c->remote, type, code);
	return 0;
}
