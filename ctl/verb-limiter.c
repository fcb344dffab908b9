/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for limits by key: limiters and connection limits. */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/limiters.h"
#include "ctl/rows.h"
#include "ctl/stats.h"
#include "ctl/verb.h"

enum { DUMP_ROWS = 20, DUMP_ROWS_MAX = 10000 };

static const struct {
	const char *add, *mod, *del;
} names[] = {
	[LIMITER] = {"add-limiter", "mod-limiter", "del-limiter"},
	[CONNLIMIT] = {"add-connlimit", "mod-connlimit", "del-connlimit"},
};

static struct words words_of(const struct verb_call *call)
{
	return (struct words){call->args.n, call->args.word};
}

/* [VERB, NAME, WORD…] as the limit is now; of a change only what can be changed. */
static void undo_by(struct verb_call *call, const char *verb, const struct limiter *l, bool whole)
{
	json_t *words = json_array();
	struct buf text = {0};
	char *save = NULL;

	json_array_append_new(words, json_text(verb));
	json_array_append_new(words, json_text(l->name));
	limiter_words(l, &text);
	buf_text(&text);
	for (char *w = strtok_r((char *)text.data, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (whole || (strncmp(w, "by=", 3) && strncmp(w, "keys=", 5)))
			json_array_append_new(words, json_text(w));
	buf_free(&text);
	if (!whole && l->kind == CONNLIMIT && !l->max_conns)
		json_array_append_new(words, json_string("conns=0"));
	if (!whole && l->kind == CONNLIMIT && !l->rate)
		json_array_append_new(words, json_string("new=0"));
	verb_undo_words(call, words);
}

static void run_add(struct verb_call *call, enum limiter_kind kind)
{
	struct waiter *w = verb_waiter(call);
	struct refusal r = {0};

	verb_undo(call, names[kind].del, call->args.word[0]);
	verb_waits(call, w, ofproto_add_limiter(call->daemon->ofproto, kind, words_of(call), w, &r),
		   &r);
}

static void run_mod(struct verb_call *call, enum limiter_kind kind)
{
	struct ofproto *o = call->daemon->ofproto;
	const struct limiter *l = ofproto_limiter(o, kind, call->args.word[0]);
	struct waiter *w = verb_waiter(call);
	struct refusal r = {0};

	if (l)
		undo_by(call, names[kind].mod, l, false);
	verb_waits(call, w, ofproto_mod_limiter(o, kind, words_of(call), w, &r), &r);
}

static void run_del(struct verb_call *call, enum limiter_kind kind)
{
	struct ofproto *o = call->daemon->ofproto;
	const struct limiter *l = ofproto_limiter(o, kind, call->args.word[0]);
	struct waiter *w = verb_waiter(call);
	struct refusal r = {0};

	if (l)
		undo_by(call, names[kind].add, l, true);
	verb_waits(call, w, ofproto_del_limiter(o, kind, call->args.word[0], w, &r), &r);
}

static void run_list(struct verb_call *call, enum limiter_kind kind)
{
	json_t *list = limiters_collect(call->daemon, kind, 0), *row;
	struct buf text = {0};
	size_t i;

	json_array_foreach(list, i, row) limiter_row_text(row, &text);
	verb_done(call, &text, list);
}

static void run_dump(struct verb_call *call, enum limiter_kind kind)
{
	const char *option = args_option(&call->args, "--n");
	const struct limiter *l = ofproto_limiter(call->daemon->ofproto, kind, call->args.word[0]);
	struct refusal r = {0};
	struct buf text = {0};
	uint64_t n = DUMP_ROWS;
	json_t *row;

	if (option && (parse_u64(option, &n) || !n || n > DUMP_ROWS_MAX))
		refuse(&r, BAD_VALUE, "--n", "--n %.20s; 1 to %d are accepted", option,
		       DUMP_ROWS_MAX);
	else if (!l)
		refuse(&r, NOT_FOUND, "name", "there is no %s %.40s; list-%ss says which there are",
		       limiter_kinds[kind], call->args.word[0], limiter_kinds[kind]);
	if (r.code) {
		verb_refuse(call, &r);
		return;
	}
	row = limiter_row(call->daemon, l, (unsigned)n);
	limiter_row_text(row, &text);
	verb_done(call, &text, row);
}

void do_add_limiter(struct verb_call *call)
{
	run_add(call, LIMITER);
}

void do_mod_limiter(struct verb_call *call)
{
	run_mod(call, LIMITER);
}

void do_del_limiter(struct verb_call *call)
{
	run_del(call, LIMITER);
}

void do_list_limiters(struct verb_call *call)
{
	run_list(call, LIMITER);
}

void do_dump_limiter(struct verb_call *call)
{
	run_dump(call, LIMITER);
}

void do_add_connlimit(struct verb_call *call)
{
	run_add(call, CONNLIMIT);
}

void do_mod_connlimit(struct verb_call *call)
{
	run_mod(call, CONNLIMIT);
}

void do_del_connlimit(struct verb_call *call)
{
	run_del(call, CONNLIMIT);
}

void do_list_connlimits(struct verb_call *call)
{
	run_list(call, CONNLIMIT);
}

void do_dump_connlimit(struct verb_call *call)
{
	run_dump(call, CONNLIMIT);
}
