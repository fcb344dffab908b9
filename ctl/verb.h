/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers of verbs share: how they answer, and how they wait.
 *
 * A handler ends in verb_done() or verb_refuse(), once; or it gives verb_waiter(call) to a change
 * of ofproto's and returns: the call is answered when the change is durable and in effect.  Text
 * goes with a value: programs read the value, and no test parses the text. */
#ifndef SLUICE_CTL_VERB_H
#define SLUICE_CTL_VERB_H

#include "ctl/mgmt.h"

/* Handlers: do_add_port() and so on, one per row.  A call may be gone when one returns: undo is set
 * before a change is asked for. */
#define VERB(ID, NAME, USAGE, FLAGS, HELP) void do_##ID(struct verb_call *call);
#include "ctl/verbs.def"
#undef VERB
extern void (*const verb_handlers[N_VERBS])(struct verb_call *call);

/* Answers with text (freed here; NULL: none) and a value (taken; NULL: none). */
void verb_done(struct verb_call *call, struct buf *text, json_t *value);
void verb_refuse(struct verb_call *call, const struct refusal *r);

/* Answers the call when the change is done. */
struct waiter *verb_waiter(struct verb_call *call);
/* The same, with an answer for success: the text (its content is taken; NULL: none) and the value
 * (taken; NULL: none). */
struct waiter *verb_waiter_says(struct verb_call *call, struct buf *text, json_t *value);
/* The text of the answer, to be added to while it is not given. */
struct buf *verb_waiter_text(struct waiter *w);
/* After a change was asked for with `w`: on an error nobody will call it. */
void verb_waits(struct verb_call *call, struct waiter *w, int error, const struct refusal *r);

/* Adds [VERB, WORD] to what takes the call back. */
void verb_undo(struct verb_call *call, const char *verb, const char *word);
void verb_undo_words(struct verb_call *call, json_t *words); /* [VERB, WORD…], taken */
/* Many of them (taken): the journal's text is made once.  Beyond UNDO_OCTETS there is none. */
void verb_undo_list(struct verb_call *call, json_t *list);

enum { UNDO_OCTETS = 1 << 20 };

/* The words that are no options from the `first` on, with spaces between. */
char *verb_join(const struct verb_call *call, unsigned first);

/* At most `max` octets of what somebody else wrote, on one line and without what moves a terminal;
 * … where it was cut. */
void verb_put_line(struct buf *text, const char *word, size_t max);
/* The call as it may be shown and kept: keys are left out, so is the content of files. */
void verb_shown(const struct verb *v, const struct verb_call *call, struct buf *text);

/* JSON strings of what may not be UTF-8. */
json_t *json_text(const char *text);

/* Values that cannot fail to be made; memory that runs out aborts. */
void json_put(json_t *object, const char *key, json_t *value);
/* What is above 2^63 - 1 is said as that: JSON's integers are signed here. */
static inline void json_put_u64(json_t *object, const char *key, uint64_t v)
{
	json_put(object, key, json_integer((json_int_t)MIN(v, (uint64_t)INT64_MAX)));
}

#endif
