/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: every line is looked at before the first one is run; then they run in order,
 * and a refusal takes back what the lines before it did. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/collectors.h"
#include "ctl/file.h"
#include "ctl/flow-set.h"
#include "ctl/limiters.h"
#include "ctl/rows.h"
#include "ctl/verb.h"
#include "ctl/words.h"
#include "lib/openflow.h"
#include "ofproto/groups.h"
#include "ofproto/meters.h"
#include "ofproto/sets.h"
#include "lib/log.h"

enum { CONTENT_MAX = 512 << 20 }; /* of a file that a line names */

struct config_line {
	struct verb_call call;
	const struct verb *verb;
	unsigned number;
	struct line_words words;
	char *content; /* of the file that a word names */
	const char *word[LINE_WORDS_MAX + 2];
	bool finished, refused, skipped;
	struct refusal refusal;
};

struct config {
	struct daemon *daemon;
	unsigned n, room;
	struct config_line **line;
};

static void config_free(struct config *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		line_words_free(&c->line[i]->words);
		json_decref(c->line[i]->call.undo);
		free(c->line[i]->content);
		free(c->line[i]);
	}
	free(c->line);
}

/* Where the refusal's field stands in the line; else its first argument. */
static unsigned field_column(const struct line_words *w, const char *field)
{
	for (unsigned i = 1; *field && i < w->n; i++) {
		const char *at = strstr(w->word[i], field);

		if (at && (at == w->word[i] || strchr(" ,:(=", at[-1])))
			return w->column[i] + (unsigned)(at - w->word[i]);
	}
	return w->column[w->n > 1];
}

/* ---- Reading ---- */

static void find_verb(struct config_line *l, const struct daemon *d, struct config_error *e)
{
	const char *name = l->words.word[0], *near;
	unsigned flag = d->offline ? VERB_OFFLINE : VERB_CONFIG;

	l->verb = verb_find(name);
	if (l->verb && (l->verb->flags & flag))
		return;
	e->column = l->words.column[0];
	near = l->verb ? NULL : verb_near(name);
	if (l->verb)
		refuse(&e->refusal, NOT_HERE, name, "%s cannot stand in a configuration file%s",
		       name, d->offline ? " of an --offline run" : "");
	else
		refuse(&e->refusal, UNKNOWN_WORD, name, "no verb %.40s%s%s%s", name,
		       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* Checks the usage and fetches the file that a word may name. */
static void check_words(struct config_line *l, struct config_error *e)
{
	struct args args;
	int file;

	for (unsigned i = 1; i < l->words.n; i++)
		l->word[i - 1] = l->words.word[i];
	l->call.words = (struct words){l->words.n - 1, l->word};
	if (args_parse(&args, l->verb->usage, l->words.n - 1, l->word, &e->refusal)) {
		e->column = l->words.column[MIN(args.bad + 1, l->words.n - 1)];
		return;
	}
	file = l->verb->flags & VERB_FILE ? args_file(&args, l->verb->usage) : -1;
	if (file < 0)
		return;
	if (file_read(args_file_name(&args, file), CONTENT_MAX, &l->content, NULL, &e->refusal))
		e->column = l->words.column[args.at[file] + 1];
	else
		l->call.words.n = args_put_content(&args, file, l->content, l->word);
}

static void line_done(struct verb_call *call, json_t *result)
{
	struct config_line *l = container_of(call, struct config_line, call);

	json_decref(result);
	l->finished = true;
}

static void line_refused(struct verb_call *call, const struct refusal *r)
{
	struct config_line *l = container_of(call, struct config_line, call);

	l->refusal = *r;
	l->finished = l->refused = true;
}

static int read_line(struct config *c, const char *line, size_t size, struct config_error *e)
{
	struct config_line *l = calloc(1, sizeof *l);

	if (!l)
		abort();
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 32;
		c->line = realloc(c->line, c->room * sizeof(struct config_line *));
		if (!c->line)
			abort();
	}
	c->line[c->n++] = l;
	l->number = e->line;
	l->call.daemon = c->daemon;
	l->call.origin = ORIGIN_CLI;
	snprintf(l->call.who, sizeof l->call.who, "configuration, line %u", e->line);
	l->call.done = line_done;
	l->call.refused = line_refused;
	if (line_words_split(&l->words, line, size, &e->column, &e->refusal))
		return -EINVAL;
	if (!l->words.n) {
		line_words_free(&l->words);
		free(l);
		c->n--;
		return 0;
	}
	find_verb(l, c->daemon, e);
	if (!e->refusal.code)
		check_words(l, e);
	return e->refusal.code ? -EINVAL : 0;
}

static int config_read(struct config *c, const char *text, size_t size, struct config_error *e)
{
	for (e->line = 1; size; e->line++) {
		const char *end = memchr(text, '\n', size);
		size_t n = end ? (size_t)(end - text) : size;

		if (read_line(c, text, n, e))
			return -EINVAL;
		text += n + (end != NULL);
		size -= n + (end != NULL);
	}
	return 0;
}

/* ---- Running ---- */

/* One word of what an object was made from against the file's; a key's value is not remembered in
 * what can be shown, so it does not count. */
static bool same_word(const char *was, size_t n, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t key = equals ? (size_t)(equals - word) + 1 : 0;

	if (n == strlen(word) && !memcmp(was, word, n))
		return true;
	return key && n > key && !memcmp(was, word, key) && !strncmp(was + key, "…", strlen("…"));
}

/* The words behind the first one, with spaces between. */
static void rest_of(const struct config_line *l, struct buf *text)
{
	for (unsigned i = 1; i < l->call.words.n; i++)
		buf_printf(text, "%s%s", i > 1 ? " " : "", l->word[i]);
}

static bool controller_already(struct daemon *d, const struct config_line *l)
{
	struct buf text = {0};
	bool there;

	rest_of(l, &text);
	there = controller_there(d, l->word[0], buf_text(&text));
	buf_free(&text);
	return there;
}

static bool collector_already(const struct daemon *d, const struct config_line *l)
{
	struct buf text = {0};
	bool there;

	for (unsigned i = 0; i < l->call.words.n; i++)
		buf_printf(&text, "%s%s", i ? " " : "", l->word[i]);
	there = d->collectors && collectors_there(d->collectors, buf_text(&text));
	buf_free(&text);
	return there;
}

/* The same as its words make, if there were none. */
static bool limiter_already(struct daemon *d, const struct config_line *l, enum limiter_kind kind)
{
	const struct limiter *there = ofproto_limiter(d->ofproto, kind, l->word[0]);
	struct limiter asked = {.kind = kind, .idle_ns = CONNLIMIT_IDLE_NS};
	uint64_t keys = LIMITER_KEYS;
	struct buf text = {0}, was = {0};
	struct options opt;
	bool same = false;

	if (!there || options_parse(&opt, l->call.words.n - 1, l->word + 1, NULL))
		return false;
	if (!limiter_read(&asked, &opt, true, &keys, NULL)) {
		asked.n_keys = (uint32_t)keys;
		limiter_words(&asked, &text);
		limiter_words(there, &was);
		same = !strcmp(buf_text(&text), buf_text(&was));
	}
	options_free(&opt);
	buf_free(&text);
	buf_free(&was);
	return same;
}

/* The very same meter. */
static bool meter_already(const struct daemon *d, const struct config_line *l)
{
	struct buf text = {0}, was = {0};
	const struct meter_config *there = NULL;
	struct meter_config m;
	bool same;

	for (unsigned i = 0; i < l->call.words.n; i++)
		buf_printf(&text, "%s ", l->word[i]);
	if (!meter_parse(buf_text(&text), &m, NULL))
		there = ofproto_meter(d->ofproto, m.number);
	buf_free(&text);
	if (!there)
		return false;
	meter_format(&m, &text);
	meter_format(there, &was);
	same = !strcmp(buf_text(&text), buf_text(&was));
	buf_free(&text);
	buf_free(&was);
	return same;
}

/* The very same group. */
static bool group_already(const struct daemon *d, const struct config_line *l)
{
	struct buf text = {0}, was = {0};
	const struct group_spec *there = NULL;
	struct group_mod gm;
	bool same = false;

	for (unsigned i = 0; i < l->call.words.n; i++)
		buf_printf(&text, "%s ", l->word[i]);
	if (!group_parse(buf_text(&text), OFPGC_ADD, &gm, NULL)) {
		there = ofproto_group(d->ofproto, gm.spec.id, NULL);
		buf_free(&text);
		group_format(&gm.spec, &text);
		if (there)
			group_format(there, &was);
		same = there && !strcmp(buf_text(&text), buf_text(&was));
		group_mod_free(&gm);
	}
	buf_free(&text);
	buf_free(&was);
	return same;
}

/* The same set; its members are the store's, also where the line names a file. */
static bool set_already(const struct daemon *d, const struct config_line *l)
{
	const char *word[LINE_WORDS_MAX + 2];
	struct words words = {0, word};
	struct args args;
	int file;

	if (args_parse(&args, l->verb->usage, l->call.words.n, l->word, NULL))
		return false;
	file = args_file(&args, l->verb->usage);
	for (unsigned i = 0; i < args.n - (file >= 0); i++) /* the last word is the content */
		if ((int)i != file)
			word[words.n++] = args.word[i];
	return words.n && ofproto_set_is(d->ofproto, words);
}

/* A port, connection, set, meter, group, limit, controller or collector of the same words is there
 * already, from the store: nothing to do. */
static bool already_there(struct daemon *d, const struct config_line *l)
{
	bool port = l->verb == &verbs[VERB_ID_add_port], conn = l->verb == &verbs[VERB_ID_add_conn];
	struct port *p = port || conn ? ofproto_port(d->ofproto, l->word[0]) : NULL;
	const char *was;

	if (l->verb == &verbs[VERB_ID_add_limiter])
		return limiter_already(d, l, LIMITER);
	if (l->verb == &verbs[VERB_ID_add_connlimit])
		return limiter_already(d, l, CONNLIMIT);
	if (l->verb == &verbs[VERB_ID_add_set])
		return set_already(d, l);
	if (l->verb == &verbs[VERB_ID_add_meter])
		return meter_already(d, l);
	if (l->verb == &verbs[VERB_ID_add_group])
		return group_already(d, l);
	if (l->verb == &verbs[VERB_ID_add_controller])
		return controller_already(d, l);
	if (l->verb == &verbs[VERB_ID_add_collector])
		return collector_already(d, l);
	if (!p || !(p->flags & PORT_CONN) != port)
		return false;
	was = ofproto_port_spec(d->ofproto, p);
	for (unsigned i = 0; was && i < l->call.words.n; i++) {
		size_t n = strcspn(was, " ");

		if (!same_word(was, n, l->word[i]))
			return false;
		was += n + (was[n] == ' ');
	}
	return was && (!*was || !strncmp(was, "ofport=", 7)); /* a number that it was given */
}

static void finish(struct config *c, struct config_line *l)
{
	struct refusal r = {0};

	if (!l->finished)
		ofproto_sync(c->daemon->ofproto, &r);
	if (!l->finished) { /* never: who waits is told by then */
		LOG(ERR, "config: line %u: no answer: %s", l->number, r.text);
		abort();
	}
}

static void undo_words(struct config *c, const json_t *words)
{
	struct config_line back = {
		.call = {.daemon = c->daemon, .done = line_done, .refused = line_refused}};
	const char *word = json_string_value(json_array_get(words, 1));
	unsigned n = (unsigned)MIN(json_array_size(words), ARRAY_SIZE(back.word));

	for (unsigned i = 1; i < n; i++)
		back.word[i - 1] = json_string_value(json_array_get(words, i));
	back.call.words = (struct words){n - 1, back.word};
	verb_run(verb_find(json_string_value(json_array_get(words, 0))), &back.call);
	finish(c, &back);
	json_decref(back.call.undo);
	if (back.refused)
		LOG(WARN, "config: %s %s is not taken back: %s",
		    json_string_value(json_array_get(words, 0)), word ? word : "",
		    back.refusal.text);
}

static int undo_rules(struct config *c, const struct flow_set *before, struct refusal *r)
{
	struct flow_change *changes;
	struct flow_set now;
	size_t n_changes;
	int error = 0;

	flow_set_current(&now, c->daemon->ofproto);
	n_changes = flow_set_diff(&now, before, false, &changes);
	if (n_changes)
		error = flow_changes_apply(c->daemon->ofproto, changes, n_changes, NULL, r);
	free(changes);
	flow_set_free(&now);
	return error;
}

/* Rules first, since they may name ports; then line by line, the last first; then rules again that
 * name what a line had deleted (a meter, a group). */
static void undo_all(struct config *c, unsigned n, const struct flow_set *before)
{
	struct refusal r = {0};
	int error = undo_rules(c, before, &r);

	while (n-- > 0) {
		json_t *words;
		size_t i;

		json_array_foreach(c->line[n]->call.undo, i, words)
		{
			if (!c->line[n]->refused)
				undo_words(c, words);
		}
	}
	if (error && undo_rules(c, before, &r))
		LOG(WARN, "config: rules are not taken back: %s", r.text);
	ofproto_sync(c->daemon->ofproto, NULL);
}

static int config_run(struct config *c, struct config_error *e)
{
	struct flow_set before;
	unsigned n, failed = c->n;

	flow_set_current(&before, c->daemon->ofproto);
	for (n = 0; n < c->n; n++) {
		struct config_line *l = c->line[n];

		l->skipped = already_there(c->daemon, l);
		if (l->skipped)
			l->finished = true;
		else
			verb_run(l->verb, &l->call);
		if (l->refused)
			break;
	}
	for (unsigned i = 0; i < c->n && i <= n; i++) {
		finish(c, c->line[i]);
		if (c->line[i]->refused && failed == c->n)
			failed = i;
	}
	if (failed < c->n) {
		const struct config_line *l = c->line[failed];

		*e = (struct config_error){l->number, field_column(&l->words, l->refusal.field),
					   l->refusal};
		if (!c->daemon->offline)
			undo_all(c, MIN(n + 1, c->n), &before);
	}
	flow_set_free(&before);
	return failed < c->n ? -EINVAL : 0;
}

int config_apply(struct daemon *d, const char *file, struct config_error *e)
{
	struct config c = {.daemon = d};
	char *text = NULL;
	size_t size = 0;
	int error;

	*e = (struct config_error){0};
	error = file_read(file, 16 << 20, &text, &size, &e->refusal);
	if (!error)
		error = config_read(&c, text, size, e);
	if (!error)
		error = config_run(&c, e);
	config_free(&c);
	if (text)
		explicit_bzero(text, size);
	free(text);
	return error;
}
