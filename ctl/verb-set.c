/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs on sets. */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/verb.h"
#include "ofproto/sets.h"

/* Of an old content, so many members can be brought back by `undo`; so many words a verb of it. */
enum { UNDO_MEMBERS = 1000, UNDO_WORDS = 6, SORTED_MAX = 65536 };

/* ---- Members as text ----------------------------------------------------------------------- */

struct row {
	struct set_member member;
};

struct rows {
	struct set_visit visit;
	struct row *row;
	size_t n, room;
};

static void row_member(struct set_visit *v, const struct set_member *m)
{
	struct rows *rows = container_of(v, struct rows, visit);

	if (rows->n == rows->room) {
		rows->room = rows->room ? 2 * rows->room : 64;
		rows->row = realloc(rows->row, rows->room * sizeof *rows->row);
		if (!rows->row)
			abort();
	}
	rows->row[rows->n++].member = *m;
}

static int by_key(const void *a, const void *b)
{
	const struct set_key *x = &((const struct row *)a)->member.key;
	const struct set_key *y = &((const struct row *)b)->member.key;

	for (unsigned i = 0; i < ARRAY_SIZE(x->word); i++)
		if (x->word[i] != y->word[i])
			return x->word[i] < y->word[i] ? -1 : 1;
	return (int)x->len - (int)y->len;
}

/* What is in it, in order unless they are many. */
static void rows_of(struct rows *rows, struct ofproto *o, const char *name)
{
	*rows = (struct rows){.visit.member = row_member};
	ofproto_set_members(o, name, &rows->visit);
	if (rows->n && rows->n <= SORTED_MAX)
		qsort(rows->row, rows->n, sizeof rows->row[0], by_key);
}

/* As set-add and files take it. */
static void put_member(const struct set_state *s, const struct set_member *m, uint64_t now_ms,
		       struct buf *text)
{
	char word[SET_MEMBER_TEXT];

	buf_printf(text, "%s", set_key_text(s->type, &m->key, word));
	if (!(s->flags & SET_TIMEOUTS))
		return;
	if (m->ends_ms == SET_FOREVER)
		buf_printf(text, s->timeout_ms ? ",timeout=0" : "");
	else /* 0 would be for ever: not for one that ends just now */
		buf_printf(text, ",timeout=%" PRIu64,
			   m->ends_ms > now_ms ? (m->ends_ms - now_ms + 999) / 1000 : 1);
}

/* ---- What takes changes back ---------------------------------------------------------------- */

static json_t *undo_words(const char *verb, const char *name)
{
	json_t *words = json_array();

	if (json_array_append_new(words, json_text(verb)) ||
	    json_array_append_new(words, json_text(name)))
		abort();
	return words;
}

/* The old content comes again; false: it is too much. */
static bool undo_content(struct verb_call *call, const struct set_state *s)
{
	struct ofproto *o = call->daemon->ofproto;
	uint64_t now_ms = ofproto_now_ms(o);
	struct buf text = {0};
	struct rows rows;
	json_t *words;

	if (s->n > UNDO_MEMBERS)
		return false;
	rows_of(&rows, o, s->name);
	for (size_t i = 0; i < rows.n; i++) {
		put_member(s, &rows.row[i].member, now_ms, &text);
		buf_printf(&text, "\n");
	}
	words = undo_words("set-load", s->name);
	json_array_append_new(words, json_text(buf_text(&text)));
	verb_undo_words(call, words);
	buf_free(&text);
	free(rows.row);
	return true;
}

/* The members that the words name and that are there (`there`) or are not, in words of a verb. */
static void undo_members(struct verb_call *call, const struct set_state *s, const char *verb,
			 bool there)
{
	struct ofproto *o = call->daemon->ofproto;
	json_t *words = NULL;
	unsigned n = 0;

	for (unsigned i = 1; i < call->args.n; i++) {
		const char *word = call->args.word[i];
		struct set_member m;
		struct buf text = {0};

		if (ofproto_set_member(o, s->name, word, &m) != there)
			continue;
		if (!words)
			words = undo_words(verb, s->name);
		if (there)
			put_member(s, &m, ofproto_now_ms(o), &text);
		else
			buf_octets(&text, word, strcspn(word, ","));
		json_array_append_new(words, json_text(buf_text(&text)));
		buf_free(&text);
		if (++n % UNDO_WORDS == 0) {
			verb_undo_words(call, words);
			words = NULL;
		}
	}
	if (words)
		verb_undo_words(call, words);
}

/* ---- Verbs ---------------------------------------------------------------------------------- */

void do_add_set(struct verb_call *call)
{
	int file = args_file(&call->args, call->verb->usage);
	const char *word[ARGS_MAX], *content = NULL;
	struct refusal r = {0};
	struct waiter *w;
	unsigned n = 0, all = call->args.n;

	/* Where a file is named, its content is the last word. */
	if (file >= 0 && (unsigned)file + 1 == all) {
		refuse(&r, NOT_HERE, "file", "%s without its content: sluice-ctl reads it",
		       call->args.word[file]);
		verb_refuse(call, &r);
		return;
	}
	if (file >= 0)
		content = call->args.word[--all];
	for (unsigned i = 0; i < all; i++)
		if ((int)i != file)
			word[n++] = call->args.word[i];
	verb_undo(call, "del-set", word[0]);
	w = verb_waiter(call);
	verb_waits(call, w,
		   ofproto_add_set(call->daemon->ofproto, (struct words){n, word}, content, w, &r),
		   &r);
}

void do_del_set(struct verb_call *call)
{
	struct ofproto *o = call->daemon->ofproto;
	const char *name = call->args.word[0];
	struct set_state s;
	struct refusal r = {0};
	struct waiter *w;

	if (ofproto_set_state(o, name, &s) && s.n <= UNDO_MEMBERS) {
		json_t *words = undo_words("add-set", name);
		const char *at = s.spec;

		while (*at) {
			size_t n = strcspn(at, "\n");

			json_array_append_new(words, json_stringn(at, n));
			at += n + (at[n] == '\n');
		}
		verb_undo_words(call, words);
		if (s.n)
			undo_content(call, &s);
	}
	w = verb_waiter(call);
	verb_waits(call, w, ofproto_del_set(o, name, w, &r), &r);
}

/* How many different members the words name that are there (`there`) or are not. */
static unsigned count_members(const struct verb_call *call, const struct set_state *s, bool there)
{
	struct set_key key[ARGS_MAX];
	struct set_member m;
	unsigned n = 0;

	for (unsigned i = 1; i < call->args.n; i++) {
		const char *word = call->args.word[i];
		bool before = false;

		if (set_key_parse(s->type, word, strcspn(word, ","), &key[n]))
			continue;
		for (unsigned k = 0; k < n; k++)
			before |= !memcmp(&key[k], &key[n], sizeof key[n]);
		n += !before &&
		     ofproto_set_member(call->daemon->ofproto, s->name, word, &m) == there;
	}
	return n;
}

static void change_members(struct verb_call *call, bool add)
{
	struct ofproto *o = call->daemon->ofproto;
	const char *name = call->args.word[0];
	struct words members = {call->args.n - 1, call->args.word + 1};
	json_t *value = json_object();
	struct refusal r = {0};
	struct set_state s;
	struct waiter *w;

	if (ofproto_set_state(o, name, &s)) {
		undo_members(call, &s, add ? "set-del" : "set-add", !add);
		if (add && s.flags & SET_TIMEOUTS) /* those end when they would have */
			undo_members(call, &s, "set-add", true);
		json_put_u64(value, add ? "added" : "deleted", count_members(call, &s, !add));
	}
	w = verb_waiter_says(call, NULL, value);
	verb_waits(call, w,
		   add ? ofproto_set_add(o, name, members, w, &r)
		       : ofproto_set_del(o, name, members, w, &r),
		   &r);
}

void do_set_add(struct verb_call *call)
{
	change_members(call, true);
}

void do_set_del(struct verb_call *call)
{
	change_members(call, false);
}

static void load(struct verb_call *call, const char *content)
{
	struct ofproto *o = call->daemon->ofproto;
	const char *name = call->args.word[0];
	struct buf text = {0};
	struct refusal r = {0};
	struct set_state s;
	struct waiter *w;

	if (ofproto_set_state(o, name, &s) && !undo_content(call, &s))
		buf_printf(&text,
			   "the old content had %" PRIu64
			   " members: undo does not bring back more than %d\n",
			   s.n, UNDO_MEMBERS);
	w = verb_waiter_says(call, &text, NULL);
	verb_waits(call, w, ofproto_set_load(o, name, content, w, &r), &r);
}

/* Lines without a member: blanks and comments. */
static bool is_empty(const char *content)
{
	while (*content) {
		content += strspn(content, " \t\r\n");
		if (*content && *content != '#')
			return false;
		content += strcspn(content, "\n");
	}
	return true;
}

/* A list whose download failed is the same to rules as nobody. */
void do_set_load(struct verb_call *call)
{
	struct ofproto *o = call->daemon->ofproto;
	const char *name = call->args.word[0];
	bool undoes = call->actor && call->actor->undoes;
	struct refusal r = {0};

	if (!undoes && is_empty(call->args.word[1]) && ofproto_set_is_asked(o, name)) {
		refuse(&r, NEEDS_FORCE, "FILE",
		       "there is no member in it, and a rule asks set %.40s; set-flush empties it",
		       name);
		verb_refuse(call, &r);
		return;
	}
	load(call, call->args.word[1]);
}

void do_set_flush(struct verb_call *call)
{
	load(call, "");
}

void do_set_test(struct verb_call *call)
{
	const char *name = call->args.word[0], *member = call->args.word[1];
	json_t *value = json_object();
	struct buf text = {0};
	struct refusal r = {0};
	bool in = false;

	if (ofproto_set_test(call->daemon->ofproto, name, member, &in, &r)) {
		json_decref(value);
		verb_refuse(call, &r);
		return;
	}
	json_put(value, "in", json_boolean(in));
	buf_printf(&text, "%s is %sin %s\n", member, in ? "" : "not ", name);
	verb_done(call, &text, value);
}

/* ---- Seeing ---------------------------------------------------------------------------------- */

struct list {
	struct set_visit visit;
	struct buf text;
	json_t *json;
};

static void list_row(struct set_visit *v, const struct set_state *s)
{
	struct list *list = container_of(v, struct list, visit);
	json_t *row = json_object();

	json_put(row, "name", json_text(s->name));
	json_put(row, "type", json_string(set_type_names[s->type]));
	json_put_u64(row, "members", s->n);
	json_put_u64(row, "max", s->max);
	json_put_u64(row, "octets", s->octets);
	if (s->flags & SET_TIMEOUTS)
		json_put(row, "timeout", json_real((double)s->timeout_ms / 1000));
	json_put(row, "counters", json_boolean(s->flags & SET_COUNTERS));
	json_put_u64(row, "full", s->n_full);
	json_put(row, "protected", json_boolean(s->protects));
	json_put_u64(row, "kept_out", s->n_kept_out);
	json_array_append_new(list->json, row);
	buf_printf(&list->text, "%-16s type=%s", s->name, set_type_names[s->type]);
	if (s->flags & SET_TIMEOUTS)
		buf_printf(&list->text, " timeout=%" PRIu64, s->timeout_ms / 1000);
	buf_printf(&list->text, "%s%s members=%" PRIu64 "/%" PRIu64 " octets=%" PRIu64,
		   s->flags & SET_COUNTERS ? " counters" : "", s->protects ? " protected" : "",
		   s->n, s->max, s->octets);
	if (s->n_full)
		buf_printf(&list->text, " full=%" PRIu64, s->n_full);
	if (s->n_kept_out)
		buf_printf(&list->text, " kept_out=%" PRIu64, s->n_kept_out);
	buf_printf(&list->text, "\n");
}

void do_list_sets(struct verb_call *call)
{
	struct list list = {.visit.set = list_row, .json = json_array()};
	uint64_t lost = ofproto_sets_lost(call->daemon->ofproto);
	json_t *value = json_object();

	ofproto_sets(call->daemon->ofproto, &list.visit);
	json_put(value, "sets", list.json);
	json_put_u64(value, "lost", lost);
	if (lost)
		buf_printf(&list.text, "%" PRIu64 " members that packets would add came too fast\n",
			   lost);
	verb_done(call, &list.text, value);
}

static void dump_member(const struct set_state *s, const struct set_member *m, uint64_t now_ms,
			struct buf *text)
{
	put_member(s, m, now_ms, text);
	if (s->flags & SET_COUNTERS)
		buf_printf(text, " # n_packets=%" PRIu64 " n_bytes=%" PRIu64, m->packets, m->bytes);
	buf_printf(text, "\n");
}

static json_t *member_json(const struct set_state *s, const struct set_member *m, uint64_t now_ms)
{
	char word[SET_MEMBER_TEXT];
	json_t *row = json_object();

	json_put(row, "member", json_text(set_key_text(s->type, &m->key, word)));
	if (s->flags & SET_TIMEOUTS && m->ends_ms != SET_FOREVER)
		json_put(row, "left", json_real((double)(m->ends_ms - now_ms) / 1000));
	if (s->flags & SET_COUNTERS) {
		json_put_u64(row, "packets", m->packets);
		json_put_u64(row, "bytes", m->bytes);
	}
	return row;
}

void do_dump_set(struct verb_call *call)
{
	struct ofproto *o = call->daemon->ofproto;
	const char *name = call->args.word[0];
	uint64_t now_ms = ofproto_now_ms(o);
	json_t *list = call->no_json ? NULL : json_array();
	struct refusal r = {0};
	struct buf text = {0};
	struct set_state s;
	struct rows rows;

	if (!ofproto_set_state(o, name, &s)) {
		json_decref(list);
		refuse(&r, NOT_FOUND, "name", "there is no set %.40s", name);
		verb_refuse(call, &r);
		return;
	}
	rows_of(&rows, o, name);
	for (size_t i = 0; i < rows.n; i++) {
		if (!call->no_text)
			dump_member(&s, &rows.row[i].member, now_ms, &text);
		if (list)
			json_array_append_new(list, member_json(&s, &rows.row[i].member, now_ms));
	}
	free(rows.row);
	verb_done(call, &text, list);
}
