/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs between the watcher and the operator: reports, and rules that wait for a yes. */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/guard.h"
#include "ctl/watcher.h"
#include "lib/openflow.h"

/* The answer says whether automation may be on. */
void do_watch_report(struct verb_call *call)
{
	struct daemon *d = call->daemon;
	struct refusal r = {0};
	json_t *value;

	if (call->origin != ORIGIN_WATCH)
		refuse(&r, NOT_PERMITTED, call->verb->name,
		       "watch-report is the watcher's, over watch.sock; `status` shows what it "
		       "said");
	else
		watcher_report(d, call->args.word[0], &r);
	if (r.code) {
		verb_refuse(call, &r);
		return;
	}
	value = json_object();
	json_put(value, "automation", json_boolean(!ofproto_panic(d->ofproto)));
	verb_done(call, NULL, value);
}

/* ---- Proposals ---- */

/* As flow_format() says it, without its table. */
static void rule_text(const struct flow_mod *mod, struct buf *text)
{
	const struct flow flow = {.match = mod->match,
				  .instructions = mod->instructions,
				  .table = TABLE_GUARD,
				  .priority = mod->priority,
				  .cookie = mod->cookie,
				  .idle_timeout = mod->idle_timeout};

	flow_format(&flow, text);
}

static json_t *proposal_row(const struct proposal *p, uint64_t now)
{
	json_t *row = json_object();
	struct buf text = {0};

	json_put_u64(row, "id", p->id);
	json_put(row, "origin", json_string(origin_names[p->mod.origin]));
	rule_text(&p->mod, &text);
	json_put(row, "flow", json_text(buf_text(&text)));
	text.size = 0;
	match_format(&p->mod.match, &text);
	json_put(row, "match", json_text(buf_text(&text)));
	text.size = 0;
	instructions_format(&p->mod.instructions, &text);
	json_put(row, "actions", json_text(buf_text(&text)));
	buf_free(&text);
	json_put_u64(row, "priority", p->mod.priority);
	json_put_u64(row, "cookie", p->mod.cookie);
	json_put(row, "reason", json_text(p->mod.reason));
	json_put(row, "expire_s", json_real((double)p->mod.expire_ns / (double)NSEC_PER_SEC));
	json_put(row, "age_s", json_real((double)(now - p->made_ns) / (double)NSEC_PER_SEC));
	json_put(row, "ends_s", json_real((double)(p->ends_ns - now) / (double)NSEC_PER_SEC));
	return row;
}

static void proposal_text(const struct proposal *p, uint64_t now, struct buf *text)
{
	buf_printf(text,
		   "%" PRIu64 ": %s, %" PRIu64 " s ago, ends in %" PRIu64 " s, for %" PRIu64 " s: ",
		   p->id, origin_names[p->mod.origin], (now - p->made_ns) / (uint64_t)NSEC_PER_SEC,
		   (p->ends_ns - now) / (uint64_t)NSEC_PER_SEC,
		   p->mod.expire_ns / (uint64_t)NSEC_PER_SEC);
	rule_text(&p->mod, text);
	buf_printf(text, " # %s\n", p->mod.reason);
}

void do_propose(struct verb_call *call)
{
	struct daemon *d = call->daemon;
	struct proposal *p = NULL;
	struct refusal r = {0};
	struct flow_mod mod;

	if (!guard_rule_asked(call, &mod, &r)) {
		p = watcher_propose(d, &mod, &r);
		flow_mod_free(&mod);
	}
	if (p) {
		struct buf text = {0};

		buf_printf(&text, "proposal %" PRIu64 "\n", p->id);
		verb_done(call, &text, proposal_row(p, ofproto_now(d->ofproto)));
	} else {
		verb_refuse(call, &r);
	}
}

void do_proposals(struct verb_call *call)
{
	struct daemon *d = call->daemon;
	uint64_t now = ofproto_now(d->ofproto);
	json_t *list = json_array();
	struct buf text = {0};

	watcher_waiting(d); /* what has ended goes */
	for (struct proposal *p = watcher_of(d)->proposals; p; p = p->next) {
		if (p->rejected)
			continue;
		proposal_text(p, now, &text);
		if (json_array_append_new(list, proposal_row(p, now)))
			abort();
	}
	verb_done(call, &text, list);
}

void do_accept(struct verb_call *call)
{
	struct daemon *d = call->daemon;
	struct refusal r = {0};
	struct proposal *p = watcher_find(d, call->args.word[0], &r);

	if (!p)
		verb_refuse(call, &r);
	else if (!guard_install(call, &p->mod, NULL, json_object()))
		watcher_forget(d, p); /* otherwise it waits on */
}

void do_reject(struct verb_call *call)
{
	struct refusal r = {0};
	struct proposal *p = watcher_find(call->daemon, call->args.word[0], &r);

	if (!p) {
		verb_refuse(call, &r);
		return;
	}
	p->rejected = true;
	verb_done(call, NULL, NULL);
}
