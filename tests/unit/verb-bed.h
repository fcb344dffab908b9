/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for units: a switch, offline in warped time or with a store, calls as text, answers as
 * values. */
#ifndef SLUICE_TESTS_VERB_BED_H
#define SLUICE_TESTS_VERB_BED_H

#include "tests/unit/switch.h"

#include "ctl/rows.h"
#include "ctl/verb.h"

struct said {
	struct verb_call call;
	const char *word[32];
	char copy[512];
	bool answered;
	json_t *result; /* NULL: refused */
	struct refusal refusal;
};

static inline void said_done(struct verb_call *call, json_t *result)
{
	struct said *s = container_of(call, struct said, call);

	assert_false(s->answered);
	s->answered = true;
	s->result = result;
}

static inline void said_refused(struct verb_call *call, const struct refusal *r)
{
	struct said *s = container_of(call, struct said, call);

	assert_false(s->answered);
	s->answered = true;
	s->refusal = *r;
}

/* One call, its words separated by `|`; said_free() the answer. */
static inline void say(struct said *s, struct daemon *d, uint8_t origin, const char *text)
{
	char *save = NULL, *verb;

	*s = (struct said){
		.call = {
			.daemon = d, .origin = origin, .done = said_done, .refused = said_refused}};
	assert_true(strlen(text) < sizeof s->copy);
	strcpy(s->copy, text);
	verb = strtok_r(s->copy, "|", &save);
	for (char *w; (w = strtok_r(NULL, "|", &save));)
		s->word[s->call.words.n++] = w;
	s->call.words.word = s->word;
	assert_non_null(verb_find(verb));
	verb_run(verb_find(verb), &s->call);
	if (!s->answered) /* offline a commit is at once */
		ofproto_sync(d->ofproto, NULL);
	assert_true(s->answered);
}

static inline void said_free(struct said *s)
{
	json_decref(s->call.undo);
	json_decref(s->result);
}

static inline void says(struct daemon *d, uint8_t origin, const char *text)
{
	struct said s;

	say(&s, d, origin, text);
	if (!s.result)
		fail_msg("%s: %s", text, s.refusal.text);
	said_free(&s);
}

/* The `json` of the answer: json_decref() it. */
static inline json_t *asks(struct daemon *d, uint8_t origin, const char *text)
{
	struct said s;
	json_t *value;

	say(&s, d, origin, text);
	if (!s.result)
		fail_msg("%s: %s", text, s.refusal.text);
	value = json_incref(json_object_get(s.result, "json"));
	said_free(&s);
	return value;
}

/* Refused with this code; *field_of what was at fault. */
static inline void refuses(struct daemon *d, uint8_t origin, const char *text, const char *code)
{
	struct said s;

	say(&s, d, origin, text);
	if (s.result)
		fail_msg("%s: not refused", text);
	if (strcmp(refusal_name(s.refusal.code), code))
		fail_msg("%s: %s, not %s: %s", text, refusal_name(s.refusal.code), code,
			 s.refusal.text);
	assert_null(strchr(s.refusal.text, '\n'));
	said_free(&s);
}

#endif
