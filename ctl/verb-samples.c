/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that read what was sampled: rates, and an address's fate. */
#include "ctl/top.h"
#include "ctl/verb.h"
#include "ctl/why.h"

/* A number of an option; what it was unless given. */
static void take_number(struct verb_call *call, const char *name, uint64_t max, uint64_t *n,
			struct refusal *r)
{
	const char *text = args_option(&call->args, name);

	if (text && (parse_u64(text, n) || !*n || *n > max))
		refuse(r, BAD_VALUE, name, "%s %.20s; 1 to %llu would be accepted", name, text,
		       (unsigned long long)max);
}

void do_top(struct verb_call *call)
{
	const char *by = args_option(&call->args, "--by");
	uint64_t seconds = TOP_SECONDS, n = TOP_ROWS;
	struct refusal r = {0};
	struct buf text = {0};
	json_t *value = NULL;

	take_number(call, "--seconds", TOP_SECONDS_MAX, &seconds, &r);
	take_number(call, "--n", TOP_ROWS_MAX, &n, &r);
	if (!r.code)
		value = top_collect(call->daemon, by ? by : "dst", seconds, n, &r);
	if (!value) {
		verb_refuse(call, &r);
		return;
	}
	top_text(value, &text);
	verb_done(call, &text, value);
}

void do_why(struct verb_call *call)
{
	struct refusal r = {0};
	struct buf text = {0};
	json_t *value = why_collect(call->daemon, call->args.word[0], &r);

	if (!value) {
		verb_refuse(call, &r);
		return;
	}
	why_text(value, &text);
	verb_done(call, &text, value);
}
