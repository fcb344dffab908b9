/* SPDX-License-Identifier: Apache-2.0 */
/* A receiver of our traffic asks that it stop, or slow down, for a while (lib/openflow-ext.h). What
 * it asks becomes a rule of the guard of origin `request`, admitted like any: within its quota,
 * never against what is protected.  Who may ask, the connection says: a method with origin=request.
 */
#include <errno.h>
#include <inttypes.h>

#include "ctl/guard-words.h"
#include "ctl/msg.h"

struct request {
	uint8_t what, unit;
	uint64_t rate;
	char reason[GUARD_REASON_MAX + 1];
	struct flow_mod fm;
};

static int get_request(struct reader *body, struct request *q, struct refusal *r)
{
	uint16_t size;

	q->what = pull_u8(body);
	q->unit = pull_u8(body);
	q->fm.priority = pull_u16(body);
	q->fm.expire_ns = pull_u32(body) * NSEC_PER_MSEC;
	q->rate = pull_u64(body);
	size = pull_u16(body);
	pull(body, 6);
	if (q->what > SLUICE_REQUEST_SLOW || q->unit > SLUICE_UNIT_BITS)
		return refuse(r, EXT_VALUE, "what",
			      "request %u in unit %u; to stop (%d) and to slow down (%d), in "
			      "packets (%d) or bits (%d), would be accepted",
			      q->what, q->unit, SLUICE_REQUEST_STOP, SLUICE_REQUEST_SLOW,
			      SLUICE_UNIT_PACKETS, SLUICE_UNIT_BITS);
	if (ext_get_reason(body, size, q->reason, r))
		return -EINVAL;
	if (!size && q->fm.expire_ns)
		return refuse(
			r, BAD_VALUE, "reason",
			"a request without a reason; one of up to %d octets would be accepted",
			GUARD_REASON_MAX);
	return match_get_oxm(&q->fm.match, body, r);
}

/* No instruction drops. */
static int say_actions(struct request *q, struct refusal *r)
{
	char words[64];

	if (q->what == SLUICE_REQUEST_STOP)
		return 0;
	snprintf(words, sizeof words, "limit:%" PRIu64 "%s", q->rate,
		 q->unit == SLUICE_UNIT_BITS ? "bps" : "pps");
	return instructions_parse(words, &q->fm.instructions, r);
}

/* Without a lifetime what was asked is taken back. */
static int get_rule(struct ofconn *c, struct ofmsg *m, struct request *q, struct refusal *r)
{
	if (c->origin != ORIGIN_REQUEST)
		return refuse(
			r, NOT_PERMITTED, "origin",
			"this connection may not ask; one of a method with origin=request may");
	if (get_request(&m->body, q, r))
		return -EINVAL;
	of_note_extension(c, &q->fm.match);
	q->fm.table = TABLE_GUARD;
	q->fm.origin = c->origin;
	q->fm.command = q->fm.expire_ns ? OFPFC_ADD : OFPFC_DELETE_STRICT;
	q->fm.reason = q->reason;
	return q->fm.expire_ns ? say_actions(q, r) : 0;
}

int msg_request(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct request q = {0};
	struct waiter *w;
	int error;

	flow_mod_init(&q.fm);
	error = get_rule(c, m, &q, r);
	if (!error) {
		w = of_waiter(c, m, NULL);
		error = of_waits(w, ofproto_flow_mod(c->server->ofproto, &q.fm, w, r));
	}
	flow_mod_free(&q.fm);
	return error;
}
