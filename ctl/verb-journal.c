/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs on the journal: what was changed by whom, and taking it back. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/flow-set.h"
#include "ctl/verb.h"
#include "lib/openflow.h"

enum { LOG_SHOWN = 20 };

/* ---- log ---- */

struct log_rows {
	struct journal_visit visit;
	uint64_t left;
	bool no_text, no_json;
	struct buf text;
	json_t *list;
};

static void wall_text(int64_t at_ns, char text[32])
{
	time_t seconds = (time_t)(at_ns / (int64_t)NSEC_PER_SEC);
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(text, 32, "%F %T", &tm);
}

/* The next line of a diff, its ports by the names that they have now. */
static bool read_line(const char **diff, struct journal_line *l)
{
	struct flow_mod mod;
	struct refusal r;

	if (!journal_line_read(diff, l))
		return false;
	if (flow_parse(l->flow, OFPFC_ADD, &mod, &r))
		return true;
	free(l->flow);
	l->flow = flow_mod_text(&mod, false);
	flow_mod_free(&mod);
	return true;
}

static void row_text(struct log_rows *rows, const struct journal_entry *e)
{
	const char *diff = e->diff;
	struct journal_line l;
	char at[32];

	wall_text(e->at_ns, at);
	buf_printf(&rows->text, "%" PRId64 "  %s  %s, ", e->id, at, origin_names[e->origin]);
	verb_put_line(&rows->text, e->who, SIZE_MAX);
	buf_printf(&rows->text, ": ");
	verb_put_line(&rows->text, e->what, SIZE_MAX);
	if (e->undone)
		buf_printf(&rows->text, "  (undone by %" PRId64 ")", e->undone);
	buf_printf(&rows->text, "\n");
	for (; read_line(&diff, &l); free(l.flow)) {
		buf_printf(&rows->text, "    %c %s", l.sign, l.flow);
		if (l.reason[0])
			buf_printf(&rows->text, "  # ");
		verb_put_line(&rows->text, l.reason, SIZE_MAX);
		buf_printf(&rows->text, "\n");
	}
	if (e->cut)
		buf_printf(&rows->text, "    … %u rules went and %u came in all\n", e->n_out,
			   e->n_in);
}

static json_t *line_json(const struct journal_line *l)
{
	json_t *row = json_object();

	json_put(row, "flow", json_text(l->flow));
	json_put(row, "origin", json_string(origin_names[l->origin]));
	if (l->reason[0])
		json_put(row, "reason", json_text(l->reason));
	if (l->expires_ns)
		json_put(row, "expires", json_real((double)l->expires_ns / (double)NSEC_PER_SEC));
	return row;
}

static json_t *row_json(const struct journal_entry *e)
{
	json_t *row = json_object(), *out = json_array(), *in = json_array();
	const char *diff = e->diff;
	struct journal_line l;

	json_put(row, "id", json_integer(e->id));
	json_put(row, "time", json_real((double)e->at_ns / (double)NSEC_PER_SEC));
	json_put(row, "origin", json_string(origin_names[e->origin]));
	json_put(row, "who", json_text(e->who));
	json_put(row, "what", json_text(e->what));
	for (; read_line(&diff, &l); free(l.flow))
		json_array_append_new(l.sign == '+' ? in : out, line_json(&l));
	json_put(row, "removed", out);
	json_put(row, "added", in);
	json_put_u64(row, "n_removed", e->n_out);
	json_put_u64(row, "n_added", e->n_in);
	if (e->undoes)
		json_put(row, "undoes", json_integer(e->undoes));
	if (e->undone)
		json_put(row, "undone_by", json_integer(e->undone));
	return row;
}

static int row_entry(struct journal_visit *v, const struct journal_entry *e)
{
	struct log_rows *rows = container_of(v, struct log_rows, visit);

	if (!rows->left--)
		return 1;
	if (!rows->no_text)
		row_text(rows, e);
	if (!rows->no_json)
		json_array_append_new(rows->list, row_json(e));
	return 0;
}

void do_log(struct verb_call *call)
{
	const char *n = args_option(&call->args, "--n");
	struct log_rows rows = {.visit = {row_entry},
				.left = LOG_SHOWN,
				.no_text = call->no_text,
				.no_json = call->no_json};
	struct refusal r = {0};

	if (n && (parse_u64(n, &rows.left) || !rows.left)) {
		refuse(&r, BAD_VALUE, "--n", "%.40s is no number of changes; 1 to %u are kept", n,
		       JOURNAL_MAX);
		verb_refuse(call, &r);
		return;
	}
	rows.list = json_array();
	ofproto_journal(call->daemon->ofproto, &rows.visit);
	verb_done(call, &rows.text, rows.list);
}

/* ---- undo ---- */

/* The verbs that take an entry back, one behind the other; then the call that asked is answered. */
struct undo_run {
	struct verb_call call;
	struct verb_call *asked;
	struct actor actor; /* owns its texts */
	json_t *verbs;
	size_t at;
	int64_t rules; /* then those of this entry come back, too; 0: it has none */
	const char *word[8];
};

static void undo_next(struct undo_run *u);

static void undo_free(struct undo_run *u)
{
	json_decref(u->call.undo);
	json_decref(u->verbs);
	free((char *)(uintptr_t)u->actor.who);
	free((char *)(uintptr_t)u->actor.what);
	free(u);
}

/* What the rules name is there again. */
static void undo_rules(struct undo_run *u)
{
	struct verb_call *asked = u->asked;
	struct ofproto *o = asked->daemon->ofproto;
	struct waiter *w = verb_waiter(asked);
	struct refusal r = {0};
	int error;

	u->actor.undoes = u->rules;
	ofproto_actor(o, &u->actor);
	error = ofproto_undo(o, u->rules, w, &r);
	ofproto_actor(o, NULL);
	undo_free(u);
	verb_waits(asked, w, error, &r);
}

static void undo_end(struct undo_run *u, const struct refusal *r)
{
	struct verb_call *asked = u->asked;

	if (!r && u->rules) {
		undo_rules(u);
		return;
	}
	undo_free(u);
	if (r)
		verb_refuse(asked, r);
	else
		verb_done(asked, NULL, NULL);
}

static void undo_done(struct verb_call *call, json_t *result)
{
	struct undo_run *u = container_of(call, struct undo_run, call);

	json_decref(result);
	u->at++;
	undo_next(u);
}

static void undo_refused(struct verb_call *call, const struct refusal *r)
{
	undo_end(container_of(call, struct undo_run, call), r);
}

static void undo_next(struct undo_run *u)
{
	json_t *words = json_array_get(u->verbs, u->at);
	const struct verb *v;

	if (!words) {
		undo_end(u, NULL);
		return;
	}
	json_decref(u->call.undo);
	u->call = (struct verb_call){.daemon = u->asked->daemon,
				     .origin = u->actor.origin,
				     .actor = &u->actor,
				     .done = undo_done,
				     .refused = undo_refused};
	for (size_t i = 1; i < json_array_size(words) && i <= ARRAY_SIZE(u->word); i++)
		u->word[u->call.words.n++] = json_string_value(json_array_get(words, i));
	u->call.words.word = u->word;
	v = verb_find(json_string_value(json_array_get(words, 0)));
	verb_run(v, &u->call);
}

/* Deleting a group or a meter deletes its rules; all other changes of rules are undone by their
 * diff alone. */
static bool makes_again(const json_t *list)
{
	const char *verb = json_string_value(json_array_get(json_array_get(list, 0), 0));

	return verb && (!strcmp(verb, "add-group") || !strcmp(verb, "add-meter"));
}

static bool undo_by_verbs(struct verb_call *call, const struct journal_entry *e)
{
	json_t *list = e->undo ? json_loads(e->undo, 0, NULL) : NULL;
	struct undo_run *u;

	if (!json_array_size(list) || (*e->diff && (e->cut || !makes_again(list)))) {
		json_decref(list);
		return false;
	}
	u = calloc(1, sizeof *u);
	if (!u)
		abort();
	u->asked = call;
	u->actor = *call->actor;
	if (*e->diff) {
		u->rules = e->id;
		u->actor.undoes = 0; /* it is undone with its rules, not before */
	}
	u->actor.who = strdup(u->actor.who);
	u->actor.what = strdup(u->actor.what);
	if (!u->actor.who || !u->actor.what)
		abort();
	u->verbs = list;
	undo_next(u);
	return true;
}

void do_undo(struct verb_call *call)
{
	struct ofproto *o = call->daemon->ofproto;
	const struct journal_entry *e;
	struct refusal r = {0};
	struct waiter *w;
	uint64_t id;

	if (parse_u64(call->args.word[0], &id) || id > INT64_MAX) {
		refuse(&r, BAD_VALUE, "ID", "%.40s is no number of a change; see sluice-ctl log",
		       call->args.word[0]);
		verb_refuse(call, &r);
		return;
	}
	e = ofproto_journal_entry(o, (int64_t)id);
	call->actor->undoes = e ? e->id : 0;
	if (e && !e->undone && undo_by_verbs(call, e))
		return;
	if (e && !e->undone && !*e->diff) {
		refuse(&r, NOT_FOUND, "ID",
		       "change %" PRIu64 " (%.100s) has nothing that undoes it", id, e->what);
		verb_refuse(call, &r);
		return;
	}
	w = verb_waiter(call);
	verb_waits(call, w, ofproto_undo(o, (int64_t)id, w, &r), &r);
}
