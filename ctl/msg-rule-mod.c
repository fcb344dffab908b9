/* SPDX-License-Identifier: Apache-2.0 */
/* A flow-mod with what ours can say beside it (lib/openflow-ext.h): a dry run, an expiry, a time to
 * confirm, the guard.  Whose rule it is in the guard, the connection says, and no message. */
#include <errno.h>

#include "ctl/confirms.h"
#include "ctl/guard-words.h"
#include "ctl/msg.h"
#include "ofproto/journal.h"
#include "ofproto/samples.h"

enum { CONFIRMS_MAX = 1024 }; /* of a connection */

struct rule_mod {
	uint32_t flags, expire_ms, confirm_ms;
	char reason[GUARD_REASON_MAX + 1];
	struct flow_mod fm;
};

static int get_options(struct reader *body, struct rule_mod *rm, struct refusal *r)
{
	const uint32_t known = SLUICE_RULE_DRY_RUN | SLUICE_RULE_GUARD | SLUICE_RULE_WIDE |
			       SLUICE_RULE_UNVERIFIED | SLUICE_RULE_FOREVER;
	uint16_t size;

	rm->flags = pull_u32(body);
	rm->expire_ms = pull_u32(body);
	rm->confirm_ms = pull_u32(body);
	size = pull_u16(body);
	pull(body, 2);
	if (rm->flags & ~known)
		return refuse(r, EXT_VALUE, "flags", "flags 0x%x; known are 0x%x", rm->flags,
			      known);
	return ext_get_reason(body, size, rm->reason, r);
}

/* Of the guard, and of the tables. */
static int check_guard(struct ofconn *c, struct rule_mod *rm, struct refusal *r)
{
	struct flow_mod *fm = &rm->fm;

	if (c->origin == ORIGIN_CONTROLLER)
		return refuse(r, NOT_PERMITTED, "origin",
			      "this connection may put nothing into the guard; one of a method "
			      "with origin= may");
	if (fm->command != OFPFC_ADD && fm->command != OFPFC_DELETE_STRICT)
		return refuse(r, BAD_COMMAND, "command",
			      "command %u in the guard; add (%d) and delete-strict (%d) would be "
			      "accepted",
			      fm->command, OFPFC_ADD, OFPFC_DELETE_STRICT);
	if (rm->confirm_ms)
		return refuse(r, EXT_VALUE, "confirm_ms",
			      "rules of the guard expire, and are renewed by adding them again");
	if (!fm->table) /* 254 is no number that a message may say */
		fm->table = TABLE_GUARD;
	if (guard_permits(c->server->ofproto, c->origin, r) || guard_check_words(fm, r))
		return -EINVAL;
	fm->table = TABLE_GUARD;
	fm->origin = c->origin;
	if (!rm->expire_ms && !(rm->flags & SLUICE_RULE_FOREVER))
		fm->expire_ns = GUARD_EXPIRE_DEFAULT_NS;
	return 0;
}

static int check_tables(struct ofconn *c, const struct rule_mod *rm, struct refusal *r)
{
	if (rm->flags & SLUICE_RULE_FOREVER)
		return refuse(r, EXT_VALUE, "flags",
			      "forever is for the guard; elsewhere it is so without a word");
	if (rm->confirm_ms && confirms_n(c->confirms) >= CONFIRMS_MAX)
		return refuse(r, LIMIT, "confirm_ms",
			      "%d rules of this connection wait to be confirmed already",
			      CONFIRMS_MAX);
	return 0;
}

static int get_rule(struct ofconn *c, struct ofmsg *m, struct rule_mod *rm, struct refusal *r)
{
	uint32_t buffer_id;

	if (get_options(&m->body, rm, r))
		return -EINVAL;
	if (reader_left(&m->body) < sizeof(struct ofp_flow_mod) - sizeof(struct ofp_header))
		return refuse(r, BAD_LEN, "length", "%zu octets of a flow-mod; it has %zu or more",
			      reader_left(&m->body),
			      sizeof(struct ofp_flow_mod) - sizeof(struct ofp_header));
	if (of_get_flow_mod(c, &m->body, &rm->fm, &buffer_id, r))
		return -EINVAL;
	if (buffer_id != OFP_NO_BUFFER)
		return refuse(r, EXT_VALUE, "buffer_id", "buffers are a plain flow-mod's");
	if ((rm->expire_ms || rm->confirm_ms) && rm->fm.command != OFPFC_ADD)
		return refuse(r, EXT_VALUE, "expire_ms", "only what comes expires, or waits");
	rm->fm.wide = rm->flags & SLUICE_RULE_WIDE;
	rm->fm.unverified = rm->flags & SLUICE_RULE_UNVERIFIED;
	rm->fm.reason = *rm->reason ? rm->reason : NULL;
	rm->fm.expire_ns = rm->expire_ms * NSEC_PER_MSEC;
	return rm->flags & SLUICE_RULE_GUARD ? check_guard(c, rm, r) : check_tables(c, rm, r);
}

static int dry_run(struct ofconn *c, const struct ofmsg *m, const struct flow_mod *fm,
		   struct refusal *r)
{
	struct dry_run run = {0};
	struct buf b;

	if (ofproto_flow_try(c->server->ofproto, fm, r))
		return -EINVAL;
	ofproto_dry_run(c->server->ofproto, &fm->match, &run);
	of_begin_ext(&b, SLUICE_ET_DRY_RUN, m->xid);
	buf_u32(&b, run.n >= DRY_RUN_EVIDENCE);
	buf_u32(&b, run.n);
	buf_u32(&b, run.n_hit);
	buf_u32(&b, run.n_unknown);
	buf_u32(&b, run.n_sources);
	buf_u32(&b, run.n_targets);
	buf_u64(&b, run.oldest_ns);
	buf_u64(&b, run.packets);
	buf_u64(&b, run.hit);
	buf_u64(&b, run.octets);
	buf_u64(&b, run.hit_octets);
	buf_u64(&b, run.hit_dropped);
	ofconn_send(c, &b);
	return 0;
}

static int install(struct ofconn *c, const struct ofmsg *m, struct rule_mod *rm, struct refusal *r)
{
	/* An entry of its own in the journal: it may be taken back. */
	const struct actor actor = {
		.origin = c->origin, .whole = true, .who = c->remote, .what = "rule-mod"};
	struct ofproto *o = c->server->ofproto;
	struct waiter *w = of_waiter(c, m, NULL);
	int error;

	if (rm->confirm_ms) {
		ofproto_actor(o, &actor);
		confirm_add(&c->confirms, o, &rm->fm, rm->confirm_ms * NSEC_PER_MSEC);
		error = confirm_install(&c->confirms, o, &rm->fm, w, r);
		ofproto_actor(o, NULL);
	} else {
		error = ofproto_flow_mod(o, &rm->fm, w, r);
	}
	return of_waits(w, error);
}

int msg_rule_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct rule_mod rm = {0};
	int error;

	flow_mod_init(&rm.fm);
	rm.fm.origin = ORIGIN_CONTROLLER;
	error = get_rule(c, m, &rm, r);
	if (!error && rm.flags & SLUICE_RULE_DRY_RUN)
		error = dry_run(c, m, &rm.fm, r);
	else if (!error)
		error = install(c, m, &rm, r);
	flow_mod_free(&rm.fm);
	return error;
}

int msg_confirm(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct waiter *w = of_waiter(c, m, NULL);

	return of_waits(w, confirms_run(&c->confirms, c->server->ofproto, w, r));
}

/* ---- Seeing ------------------------------------------------------------------------------ */

struct rules {
	struct flow_visit visit;
	struct ofconn *conn;
	struct ext_list *list;
	uint64_t now;
};

static uint64_t left_ms(const struct flow *f, uint64_t now)
{
	if (f->expires_ns == TIMER_NEVER)
		return 0;
	return f->expires_ns > now ? (f->expires_ns - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC : 1;
}

static int list_rule(struct flow_visit *v, const struct flow *f, const struct flow_stats *none)
{
	struct rules *rules = container_of(v, struct rules, visit);
	size_t reason = f->reason ? strlen(f->reason) : 0, begin = rules->list->entries.size;
	struct buf *b = ext_entry_begin(rules->list);
	struct flow_stats stats;

	(void)none;
	if (!ofproto_flow(rules->conn->server->ofproto, f->rule_id, &stats)) {
		b->size = begin;
		return 0;
	}
	buf_u8(b, f->origin);
	buf_u8(b, stats.early ? SLUICE_RULE_EARLY : 0);
	buf_u16(b, (uint16_t)reason);
	buf_u16(b, 0);
	buf_u64(b, left_ms(f, rules->now));
	buf_octets(b, f->reason, reason);
	buf_put(b, ROUND_UP(reason, 8u) - reason);
	if (of_put_flow(rules->conn, f, &stats, b))
		ext_entry_end(rules->list);
	else
		b->size = begin;
	return b->size > ext_list_room(rules->conn) ? -ENOBUFS : 0;
}

int exp_multipart_rules(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint8_t which = pull_u8(&m->body);
	struct rules rules = {{list_rule}, c, NULL, ofproto_now(c->server->ofproto)};
	struct flow_filter filter;

	if (which > SLUICE_RULES_GUARD)
		return refuse(r, EXT_VALUE, "which",
			      "rules %u; 0 (the tables) and 1 (the guard) "
			      "would be accepted",
			      which);
	flow_filter_init(&filter);
	filter.plain = true;
	if (which == SLUICE_RULES_GUARD)
		filter.table = TABLE_GUARD;
	rules.list = ext_list_begin(m, SLUICE_MP_RULES);
	ofproto_flows(c->server->ofproto, &filter, &rules.visit);
	return ext_list_send(c, rules.list, r);
}
