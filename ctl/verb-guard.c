/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that change the guard. */
#include <ctype.h>
#include <stdlib.h>

#include "ctl/verb.h"
#include "lib/openflow.h"

enum { REASON_MAX = 255 }; /* octets */

#define EXPIRE_DEFAULT_NS (3600 * NSEC_PER_SEC)

/* ---- Words ---- */

/* What FLOW may say here: the guard ends rules by their expiry alone, and tells no controller. */
static int check_words(const struct flow_mod *mod, struct refusal *r)
{
	bool adds = mod->command == OFPFC_ADD;

	if (mod->table != TABLE_GUARD && mod->table != (adds ? 0 : OFPTT_ALL))
		return refuse(r, BAD_TABLE, "table",
			      "this verb is the guard's; rules of table %u are add-flow's and "
			      "del-flows'",
			      mod->table);
	if (mod->hard_timeout)
		return refuse(r, BAD_TIMEOUT, "hard_timeout",
			      "a guard rule ends by --expire, not by hard_timeout");
	if (mod->flags & ~OFPFF_RESET_COUNTS)
		return refuse(r, BAD_FLAGS, "flags",
			      "a guard rule has no flags of OpenFlow's; reset_counts is taken");
	return 0;
}

/* FLOW's words as a flow_mod of the guard's and the caller's origin. */
static int call_flow(struct verb_call *call, uint8_t command, struct flow_mod *mod,
		     struct refusal *r)
{
	char *text = verb_join(call, 0);
	int error = flow_parse(text, command, mod, r);

	free(text);
	if (error)
		return error;
	error = check_words(mod, r);
	if (error)
		flow_mod_free(mod);
	mod->table = TABLE_GUARD;
	mod->origin = call->origin;
	return error;
}

/* One line of at most REASON_MAX octets. */
static int check_reason(const char *reason, struct refusal *r)
{
	if (!*reason || strlen(reason) > REASON_MAX)
		return refuse(r, BAD_VALUE, "--reason",
			      "a reason has 1 to %d octets; this one has %zu", REASON_MAX,
			      strlen(reason));
	for (const unsigned char *c = (const unsigned char *)reason; *c; c++)
		if (iscntrl(*c) || (c[0] == 0xc2 && c[1] < 0xa0)) /* of ASCII, of UTF-8 */
			return refuse(r, BAD_VALUE, "--reason",
				      "a reason is one line; this one has a control character");
	return 0;
}

/* How long the rule lasts, from now: the option's time, or forever, or an hour. */
static int take_expiry(const struct verb_call *call, const char *option, struct flow_mod *mod,
		       struct refusal *r)
{
	const char *text = args_option(&call->args, option);
	bool forever = args_option(&call->args, "--forever");

	if (forever && text)
		return refuse(r, SYNTAX, option, "%s and --forever exclude each other", option);
	if (forever && call->origin != ORIGIN_CLI)
		return refuse(r, NOT_PERMITTED, "--forever",
			      "rules that last forever are the operator's; --expire is at most 7 "
			      "days (168h)");
	mod->expire_ns = forever ? 0 : EXPIRE_DEFAULT_NS;
	if (text && (parse_time(text, &mod->expire_ns) || !mod->expire_ns))
		return refuse(r, BAD_VALUE, option, "%.40s is no time; 60s, 10m, 168h are", text);
	return 0;
}

/* ---- What takes a change back ---- */

/* `table=guard,priority=5,MATCH`: what del-guard wants. */
static void key_text(uint16_t priority, const struct match *m, struct buf *text)
{
	struct buf match = {0};

	match_format(m, &match);
	buf_printf(text, "table=guard,priority=%u%s%s", priority, match.size ? "," : "",
		   buf_text(&match));
	buf_free(&match);
}

static json_t *words_of(const char *verb, struct buf *flow)
{
	json_t *words = json_array();

	if (json_array_append_new(words, json_string(verb)) ||
	    json_array_append_new(words, json_text(buf_text(flow))))
		abort();
	buf_free(flow);
	return words;
}

static void append(json_t *words, const char *word)
{
	if (json_array_append_new(words, json_text(word)))
		abort();
}

/* Puts a rule back as it is now. */
static void undo_by_adding(struct verb_call *call, const struct flow *f)
{
	uint64_t now = ofproto_now(call->daemon->ofproto);
	struct buf flow = {0}, time = {0};
	json_t *words;

	flow_format(f, &flow);
	words = words_of("add-guard", &flow);
	append(words, "--reason");
	append(words, f->reason);
	if (f->expires_ns == TIMER_NEVER) {
		append(words, "--forever");
	} else {
		uint64_t left = f->expires_ns > now ? f->expires_ns - now : 0;

		buf_printf(&time, "%llums", (unsigned long long)(left / NSEC_PER_MSEC + 1));
		append(words, "--expire");
		append(words, buf_text(&time));
	}
	buf_free(&time);
	verb_undo_words(call, words);
}

/* ---- add-guard, del-guard ---- */

/* Answers `call` with what was installed and what takes it back. */
static void install(struct verb_call *call, struct flow_mod *mod)
{
	struct ofproto *o = call->daemon->ofproto;
	const struct flow *old = ofproto_guard_flow(o, mod->origin, mod->priority, &mod->match);
	json_t *value = json_object();
	struct buf key = {0};
	struct refusal r = {0};
	struct waiter *w;

	key_text(mod->priority, &mod->match, &key);
	json_put(value, "rule", json_text(buf_text(&key)));
	json_put(value, "renewed", json_boolean(old));
	if (old)
		undo_by_adding(call, old);
	else
		verb_undo(call, "del-guard", buf_text(&key));
	buf_free(&key);
	w = verb_waiter_says(call, NULL, value);
	verb_waits(call, w, ofproto_flow_mod(o, mod, w, &r), &r);
}

void do_add_guard(struct verb_call *call)
{
	const char *reason = args_option(&call->args, "--reason");
	struct refusal r = {0};
	struct flow_mod mod;

	if (!reason) {
		call->misused = true;
		refuse(&r, SYNTAX, "--reason",
		       "add-guard wants --reason TEXT: why the rule is there");
		verb_refuse(call, &r);
		return;
	}
	if (call_flow(call, OFPFC_ADD, &mod, &r)) {
		verb_refuse(call, &r);
		return;
	}
	mod.reason = reason;
	if (check_reason(reason, &r) || take_expiry(call, "--expire", &mod, &r))
		verb_refuse(call, &r);
	else
		install(call, &mod);
	flow_mod_free(&mod);
}

/* The origin whose rule is meant. */
static int take_origin(const struct verb_call *call, struct flow_mod *mod, struct refusal *r)
{
	const char *name = args_option(&call->args, "--origin");

	for (uint8_t i = 0; name && i < ORIGIN_CONTROLLER; i++) {
		if (strcmp(name, origin_names[i]))
			continue;
		mod->origin = i;
		if (i == call->origin || call->origin == ORIGIN_CLI)
			return 0;
		return refuse(r, NOT_PERMITTED, "--origin",
			      "%s may delete rules of its own only, not those of %s",
			      origin_names[call->origin], name);
	}
	if (name)
		return refuse(r, BAD_VALUE, "--origin",
			      "no origin %.40s; the guard has rules of cli, bgp, watch and request",
			      name);
	return 0;
}

static const struct flow *find(struct ofproto *o, const struct flow_mod *mod, uint8_t origin)
{
	const struct flow *f = ofproto_guard_flow(o, origin, mod->priority, &mod->match);

	return f && !((f->cookie ^ mod->cookie) & mod->cookie_mask) ? f : NULL;
}

static int refuse_missing(const struct verb_call *call, const struct flow_mod *mod,
			  struct refusal *r)
{
	for (uint8_t i = 0; i < ORIGIN_CONTROLLER; i++)
		if (call->origin == ORIGIN_CLI && find(call->daemon->ofproto, mod, i))
			return refuse(r, NOT_FOUND, "FLOW",
				      "%s has no such rule in the guard, but %s has: --origin %s",
				      origin_names[mod->origin], origin_names[i], origin_names[i]);
	return refuse(r, NOT_FOUND, "FLOW",
		      "%s has no rule of exactly this match and priority %u in the guard; "
		      "dump-flows --guard shows what is there",
		      origin_names[mod->origin], mod->priority);
}

void do_del_guard(struct verb_call *call)
{
	struct ofproto *o = call->daemon->ofproto;
	struct refusal r = {0};
	const struct flow *f;
	struct flow_mod mod;
	struct waiter *w;

	if (call_flow(call, OFPFC_DELETE_STRICT, &mod, &r)) {
		verb_refuse(call, &r);
		return;
	}
	f = take_origin(call, &mod, &r) ? NULL : find(o, &mod, mod.origin);
	if (f) {
		undo_by_adding(call, f);
		w = verb_waiter(call);
		verb_waits(call, w, ofproto_flow_mod(o, &mod, w, &r), &r);
	} else {
		if (!r.code)
			refuse_missing(call, &mod, &r);
		verb_refuse(call, &r);
	}
	flow_mod_free(&mod);
}
