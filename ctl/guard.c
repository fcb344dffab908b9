/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/guard.h"
#include "ctl/install.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/openflow.h"

/* ---- Words ---- */

static int parse(const struct verb_call *call, const char *text, uint8_t command,
		 struct flow_mod *mod, struct refusal *r)
{
	int error = flow_parse(text, command, mod, r);

	if (error)
		return error;
	error = guard_check_words(mod, r);
	if (error)
		flow_mod_free(mod);
	mod->table = TABLE_GUARD;
	mod->origin = call->origin;
	return error;
}

int guard_flow_text(const struct verb_call *call, const char *text, struct flow_mod *mod,
		    struct refusal *r)
{
	return parse(call, text, OFPFC_ADD, mod, r);
}

int guard_flow(struct verb_call *call, uint8_t command, struct flow_mod *mod, struct refusal *r)
{
	char *text = verb_join(call, 0);
	int error = parse(call, text, command, mod, r);

	free(text);
	return error;
}

int guard_expiry(const struct verb_call *call, const char *option, struct flow_mod *mod,
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
	mod->expire_ns = forever ? 0 : GUARD_EXPIRE_DEFAULT_NS;
	if (text && (parse_time(text, &mod->expire_ns) || !mod->expire_ns))
		return refuse(r, BAD_VALUE, option, "%.40s is no time; 60s, 10m, 168h are", text);
	if (mod->expire_ns > GUARD_EXPIRE_MAX_NS)
		return refuse(r, LIMIT, option,
			      "%.40s is longer than a guard rule lasts: at most 7 days (168h), and "
			      "then it is renewed",
			      text);
	return 0;
}

int guard_rule_asked(struct verb_call *call, struct flow_mod *mod, struct refusal *r)
{
	const char *reason = args_option(&call->args, "--reason");
	int error;

	if (!reason) {
		call->misused = true;
		return refuse(r, SYNTAX, "--reason",
			      "%s wants --reason TEXT: why the rule is there", call->verb->name);
	}
	error = guard_permits(call->daemon->ofproto, call->origin, r);
	if (!error)
		error = guard_flow(call, OFPFC_ADD, mod, r);
	if (error)
		return error;
	mod->reason = reason;
	error = guard_check_reason(reason, r);
	if (!error)
		error = guard_expiry(call, "--expire", mod, r);
	if (error)
		flow_mod_free(mod);
	return error;
}

/* ---- Rules ---- */

void guard_key(uint16_t priority, const struct match *m, struct buf *text)
{
	struct buf match = {0};

	match_format(m, &match);
	buf_printf(text, "table=guard,priority=%u%s%s", priority, match.size ? "," : "",
		   buf_text(&match));
	buf_free(&match);
}

static json_t *words_of(const char *verb, const char *flow)
{
	json_t *words = json_array();

	if (json_array_append_new(words, json_string(verb)) ||
	    json_array_append_new(words, json_text(flow)))
		abort();
	return words;
}

static void append(json_t *words, const char *word)
{
	if (json_array_append_new(words, json_text(word)))
		abort();
}

void guard_undo_adds(struct verb_call *call, const struct flow *f)
{
	uint64_t now = ofproto_now(call->daemon->ofproto);
	struct buf flow = {0}, time = {0};
	json_t *words;

	flow_format(f, &flow);
	words = words_of("add-guard", buf_text(&flow));
	buf_free(&flow);
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

void guard_undo_deletes(struct verb_call *call, uint8_t origin, const char *key)
{
	json_t *words = words_of("del-guard", key);

	if (origin != ORIGIN_CLI) {
		append(words, "--origin");
		append(words, origin_names[origin]);
	}
	verb_undo_words(call, words);
}

/* The journal's number undoes it; where there is no journal, the opposite verb. */
static void say_undo(int64_t entry, const struct flow_mod *mod, struct buf *text, json_t *value)
{
	struct buf undo = {0}, key = {0};

	if (entry) {
		buf_printf(&undo, "sluice-ctl undo %lld", (long long)entry);
		json_put(value, "change", json_integer(entry));
	} else {
		guard_key(mod->priority, &mod->match, &key);
		buf_printf(&undo, "sluice-ctl del-guard %s", buf_text(&key));
	}
	json_put(value, "undo", json_text(buf_text(&undo)));
	if (text->size)
		buf_printf(text, "undo: %s\n", buf_text(&undo));
	buf_free(&undo);
	buf_free(&key);
}

int guard_install(struct verb_call *call, const struct flow_mod *mod, struct buf *text,
		  json_t *value)
{
	struct ofproto *o = call->daemon->ofproto;
	const struct flow *old = ofproto_guard_flow(o, mod->origin, mod->priority, &mod->match);
	bool at_once = call->daemon->offline; /* answered when flow_mod returns */
	struct flow_mod meant = *mod;
	struct install install;
	struct buf key = {0};
	struct refusal r = {0};
	struct waiter *w;
	int error;

	guard_key(mod->priority, &mod->match, &key);
	json_put(value, "rule", json_text(buf_text(&key)));
	json_put(value, "renewed", json_boolean(old));
	if (old)
		guard_undo_adds(call, old);
	else
		guard_undo_deletes(call, mod->origin, buf_text(&key));
	buf_free(&key);
	w = verb_waiter_says(call, text, value);
	if (at_once)
		say_undo(0, mod, verb_waiter_text(w), value);
	error = install_options(call, &install, &r);
	if (!error)
		error = install_rule(call->daemon, &meant, install.confirm_ns, w, &r);
	if (!error && !at_once)
		say_undo(ofproto_actor_entry(o), mod, verb_waiter_text(w), value);
	verb_waits(call, w, error, &r);
	return error;
}
