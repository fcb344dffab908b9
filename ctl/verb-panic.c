/* SPDX-License-Identifier: Apache-2.0 */
/* panic, where the daemon answers: sluice-ctl has written the page before it asks. */
#include "ctl/verb.h"

static const struct {
	const char *word;
	unsigned state, keeps; /* what it sets, and leaves as it was */
} words[] = {
	{"pass", PANIC_PASS, PANIC_DETACH},
	{"detach", PANIC_DETACH, PANIC_PASS},
	{"off", 0, 0},
};

void do_panic(struct verb_call *call)
{
	struct ofproto *o = call->daemon->ofproto;
	const char *word = call->args.word[0];
	struct refusal r = {0};
	struct buf text = {0};
	json_t *value;
	unsigned i = 0;

	while (i < ARRAY_SIZE(words) && strcmp(word, words[i].word))
		i++;
	if (i == ARRAY_SIZE(words)) {
		refuse(&r, BAD_VALUE, "panic", "panic %.32s; pass, detach or off is expected",
		       word);
		verb_refuse(call, &r);
		return;
	}
	if (ofproto_panic_set(o, words[i].state | (ofproto_panic(o) & words[i].keeps), &r)) {
		verb_refuse(call, &r);
		return;
	}
	value = json_object();
	json_put(value, "panic", json_string(word));
	buf_printf(&text, "%s\n",
		   words[i].state ? panic_text(ofproto_panic(o))
				  : "panic is over: rules are in force, ports are attached");
	verb_done(call, &text, value);
}
