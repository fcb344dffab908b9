/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard's verbs share: their words, and how a rule is put there.
 *
 * A rule that is asked for has a reason (one line, at most GUARD_REASON_MAX octets) and an expiry,
 * unless the operator says --forever; it belongs to the origin of the call.  All of it is checked
 * before anything is done.  Control thread. */
#ifndef SLUICE_CTL_GUARD_H
#define SLUICE_CTL_GUARD_H

#include "ctl/guard-words.h"
#include "ctl/verb.h"

/* FLOW in the call's words, for `command`: a flow_mod of the guard, of the call's origin. */
int guard_flow(struct verb_call *call, uint8_t command, struct flow_mod *mod, struct refusal *r);

/* The same of a text that adds a rule. */
int guard_flow_text(const struct verb_call *call, const char *text, struct flow_mod *mod,
		    struct refusal *r);

/* A whole rule: FLOW, --reason, --expire, --forever.  Borrows the reason from the call. */
int guard_rule_asked(struct verb_call *call, struct flow_mod *mod, struct refusal *r);

/* How long it lasts, by --forever or the option of that name; an hour without either. */
int guard_expiry(const struct verb_call *call, const char *option, struct flow_mod *mod,
		 struct refusal *r);

/* `table=guard,priority=5,MATCH`: what del-guard wants. */
void guard_key(uint16_t priority, const struct match *m, struct buf *text);

/* What takes the call back: puts a rule back as it is now; deletes the one of this key. */
void guard_undo_adds(struct verb_call *call, const struct flow *f);
void guard_undo_deletes(struct verb_call *call, uint8_t origin, const char *key);

/* Puts a rule there, as `mod` says, and answers the call: the text (its content is taken; NULL:
 * none) and the value (an object, taken), to which `rule`, `renewed`, `undo` and `change` (the
 * journal's number; absent without one) are added, to a text the undo.  The call may be gone behind
 * this.  An error: it was refused. */
int guard_install(struct verb_call *call, const struct flow_mod *mod, struct buf *text,
		  json_t *value);

#endif
