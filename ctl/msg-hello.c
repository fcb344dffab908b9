/* SPDX-License-Identifier: Apache-2.0 */
/* Hello (TS-023, 7.5.1): we say 1.3 alone, and agree when the peer speaks it too. */
#include <stdio.h>

#include "ctl/msg.h"
#include "lib/log.h"

enum { OUR_VERSIONS = 1 << OFP13_VERSION };

void ofmsg_hello(struct ofconn *c)
{
	struct buf b;

	of_begin(&b, OFPT_HELLO, ofconn_xid(c));
	buf_u16(&b, OFPHET_VERSIONBITMAP);
	buf_u16(&b, 8);
	buf_u32(&b, OUR_VERSIONS);
	ofconn_send(c, &b);
}

/* The versions a hello offers: its bitmap's first word, or all up to its header's version.
 * Elements of other types, and malformed ones, say nothing. */
static uint32_t hello_versions(uint8_t version, struct reader elements)
{
	uint32_t up_to = version >= 31 ? UINT32_MAX : (2u << version) - 1;

	while (reader_left(&elements) >= 4) {
		uint16_t type = pull_u16(&elements), size = pull_u16(&elements);
		struct reader body = pull_reader(&elements, size < 4 ? SIZE_MAX : size - 4u);

		if (type == OFPHET_VERSIONBITMAP && reader_left(&body) >= 4)
			return pull_u32(&body);
		pull(&elements, MIN((size_t)(ROUND_UP(size, 8) - size), reader_left(&elements)));
	}
	return up_to;
}

static void hello_failed(struct ofconn *c, uint32_t xid, uint16_t code, const char *words)
{
	const struct oferror e = {.type = OFPET_HELLO_FAILED,
				  .code = code,
				  .xid = xid,
				  .data = words,
				  .size = strlen(words)};

	snprintf(c->last_error, sizeof c->last_error, "%s", words);
	LOG(INFO, "openflow: %s: %s", c->remote, words);
	ofconn_send_error(c, &e);
	c->goodbye = true;
}

void ofmsg_first(struct ofconn *c, const uint8_t *octets, size_t size)
{
	const size_t head = sizeof(struct ofp_header);
	uint32_t xid = get_be32(octets + offsetof(struct ofp_header, xid));
	char words[160];

	if (octets[1] == OFPT_ERROR) { /* the peer refused our hello */
		c->goodbye = true;
		return;
	}
	if (octets[1] != OFPT_HELLO) {
		snprintf(words, sizeof words,
			 "message type %u before any hello; a connection begins with OFPT_HELLO",
			 octets[1]);
		hello_failed(c, xid, OFPHFC_INCOMPATIBLE, words);
		return;
	}
	if (!(hello_versions(octets[0], reader_of(octets + head, size - head)) & OUR_VERSIONS)) {
		snprintf(
			words, sizeof words,
			"no version in common: sluice speaks OpenFlow 1.3 (version 4), the hello's "
			"version is %u",
			octets[0]);
		hello_failed(c, xid, OFPHFC_INCOMPATIBLE, words);
		return;
	}
	c->state = OFCONN_READY;
	c->greeted = true;
	ofconn_log(c, "connected");
	if (c->ready)
		c->ready(c, c->told_arg);
}

/* Any later hello says nothing new. */
int msg_hello(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	(void)c;
	(void)m;
	(void)r;
	return 0;
}
