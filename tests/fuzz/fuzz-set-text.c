/* SPDX-License-Identifier: Apache-2.0 */
/* Sets as operators say them.  A line is a call of sluice-ctl's verbs on sets, or a rule; what
 * stands behind the first NUL is the content of every file they name.
 *
 * What a set was made of, and what dump-set says is in it, make the same set again.  A refusal
 * changes nothing.  What a call says takes it back does, and the call then does the same again.  A
 * member that was accepted is there; set-test says what comparing with each member says. */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/verb.h"
#include "ctl/words.h"
#include "lib/log.h"
#include "lib/openflow.h"
#include "ofproto/sets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(so) ((so) ? (void)0 : fail(__LINE__, #so))

static void fail(int line, const char *what)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

#define TWIN "twin.of-the-fuzzer"

enum { LINES = 24 };

static struct daemon d;

static void set_up(void)
{
	const struct ofproto_config config = {.offline = true, .n_workers = 1};
	struct refusal r;

	log_configure("err", NULL);
	d = (struct daemon){.ofproto = ofproto_create(&config, &r), .offline = true};
	must(d.ofproto);
	ofproto_set_now(d.ofproto, NSEC_PER_SEC);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

struct said {
	struct verb_call call;
	const char *word[LINE_WORDS_MAX + 2];
	json_t *result; /* NULL: refused */
	unsigned answers;
};

static void said_done(struct verb_call *call, json_t *result)
{
	struct said *s = container_of(call, struct said, call);

	s->answers++;
	s->result = result;
}

static void said_refused(struct verb_call *call, const struct refusal *r)
{
	struct said *s = container_of(call, struct said, call);

	s->answers++;
	must(r->code && *r->text);
}

/* True: it was accepted.  said_free() it. */
static bool say(struct said *s, const char *verb)
{
	s->call.daemon = &d;
	s->call.words.word = s->word;
	s->call.done = said_done;
	s->call.refused = said_refused;
	must(verb_find(verb));
	verb_run(verb_find(verb), &s->call);
	must(s->answers == 1);
	return s->result;
}

static void said_free(struct said *s)
{
	json_decref(s->call.undo);
	json_decref(s->result);
}

static bool says(const char *verb, unsigned n, const char *const *words)
{
	struct said s = {.call.words.n = n};
	bool accepted;

	memcpy(s.word, words, n * sizeof *words);
	accepted = say(&s, verb);
	said_free(&s);
	return accepted;
}

/* ---- What there is --------------------------------------------------------------------------- */

struct names {
	struct set_visit visit;
	struct buf *text;
	char name[SET_NAME];
	unsigned n;
};

static void put_members(const char *name, struct buf *text)
{
	struct said s = {.call.words.n = 1, .word = {name}};

	must(say(&s, "dump-set"));
	buf_printf(text, "%s", json_string_value(json_object_get(s.result, "text")));
	said_free(&s);
}

static void put_set(struct set_visit *v, const struct set_state *s)
{
	struct names *all = container_of(v, struct names, visit);

	all->n++;
	snprintf(all->name, sizeof all->name, "%s", s->name);
	buf_printf(all->text, "%s %s:\n", s->name, s->spec);
	put_members(s->name, all->text);
}

static void everything(struct buf *text)
{
	struct names all = {.visit.set = put_set, .text = text};

	ofproto_sets(d.ofproto, &all.visit);
}

static void must_be(const struct buf *before, const char *what)
{
	struct buf now = {0};

	everything(&now);
	if (before->size != now.size || (now.size && memcmp(before->data, now.data, now.size))) {
		fprintf(stderr, "%s:\n%.*s\nnow:\n%.*s\n", what, (int)before->size,
			(char *)before->data, (int)now.size, (char *)now.data);
		abort();
	}
	buf_free(&now);
}

/* ---- There and back -------------------------------------------------------------------------- */

struct texts {
	struct set_visit visit;
	enum set_type type;
};

static void check_text(struct set_visit *v, const struct set_member *m)
{
	enum set_type type = container_of(v, struct texts, visit)->type;
	char text[SET_MEMBER_TEXT];
	struct set_key key;

	set_key_text(type, &m->key, text);
	must(!set_key_parse(type, text, strlen(text), &key));
	must(!memcmp(key.word, m->key.word, sizeof key.word) && key.len == m->key.len);
}

/* `timeout=` and a time that is not 0. */
static bool ends(const char *word)
{
	const char *at = strstr(word, "timeout=");

	return at && strpbrk(at, "123456789");
}

/* The set's words, and its members' text, make another of the kind. */
static void check_twin(const char *name)
{
	struct set_state was, twin;
	struct buf spec = {0}, members = {0}, again = {0};
	const char *word[OPTIONS_MAX + 2] = {TWIN}, *load[2] = {TWIN};
	unsigned n = 1;
	char *save = NULL;

	must(ofproto_set_state(d.ofproto, name, &was));
	ofproto_set_members(d.ofproto, name,
			    &(struct texts){{.member = check_text}, was.type}.visit);
	buf_printf(&spec, "%s", was.spec);
	for (char *w = strtok_r((char *)(uintptr_t)buf_text(&spec), "\n", &save); w;
	     w = strtok_r(NULL, "\n", &save)) {
		must(!ends(w) || was.timeout_ms);
		word[n++] = w;
	}
	must(says("add-set", n, word) && ofproto_set_is(d.ofproto, (struct words){n, word}));
	put_members(name, &members);
	load[1] = buf_text(&members);
	must(says("set-load", 2, load));
	put_members(TWIN, &again);
	must(ofproto_set_state(d.ofproto, name, &was) && ofproto_set_state(d.ofproto, TWIN, &twin));
	must(was.type == twin.type && was.flags == twin.flags && was.max == twin.max &&
	     was.timeout_ms == twin.timeout_ms && !strcmp(buf_text(&members), buf_text(&again)));
	must(says("del-set", 1, word));
	buf_free(&spec);
	buf_free(&members);
	buf_free(&again);
}

static void run_undo(const json_t *undo)
{
	const json_t *call, *word;
	size_t i, k;

	json_array_foreach(undo, i, call)
	{
		struct said s = {0};

		json_array_foreach(call, k, word)
		{
			must(k <= ARRAY_SIZE(s.word));
			if (k)
				s.word[s.call.words.n++] = json_string_value(word);
		}
		must(say(&s, json_string_value(json_array_get(call, 0))));
		said_free(&s);
	}
}

/* ---- Members --------------------------------------------------------------------------------- */

struct finding {
	struct set_visit visit;
	enum set_type type;
	struct set_key key;
	bool found;
};

static void find_in(struct set_visit *v, const struct set_member *m)
{
	struct finding *f = container_of(v, struct finding, visit);
	struct set_key key = f->key;

	if (set_type_has_prefixes(f->type)) {
		if (m->key.len > key.len)
			return;
		key.len = m->key.len;
		set_key_cut(f->type, &key);
	}
	f->found |= !memcmp(key.word, m->key.word, sizeof key.word);
}

static void check_test(const char *name, const char *member, bool in)
{
	struct finding f = {.visit.member = find_in};
	struct set_state s;

	must(ofproto_set_state(d.ofproto, name, &s));
	f.type = s.type;
	must(!set_key_parse(s.type, member, strlen(member), &f.key));
	ofproto_set_members(d.ofproto, name, &f.visit);
	must(f.found == in);
}

static void check_lines(const char *name, const char *content)
{
	for (const char *at = content; at && *at; at = strchr(at, '\n')) {
		char line[256];
		size_t n = strcspn(at += *at == '\n', "#\n");
		struct set_member m;

		while (n && isspace((unsigned char)*at))
			at++, n--;
		while (n && isspace((unsigned char)at[n - 1]))
			n--;
		if (!n)
			continue;
		must(n < sizeof line);
		memcpy(line, at, n);
		line[n] = '\0';
		must(ofproto_set_member(d.ofproto, name, line, &m));
	}
}

static void check_members(const char *verb, const struct said *s)
{
	const struct args *a = &s->call.args;
	int file = args_file(a, s->call.verb->usage);
	struct set_member m;

	if (!strcmp(verb, "set-test"))
		check_test(a->word[0], a->word[1],
			   json_is_true(json_object_get(json_object_get(s->result, "json"), "in")));
	else if (!strcmp(verb, "set-add") || !strcmp(verb, "set-del"))
		for (unsigned i = 1; i < a->n; i++) {
			bool there = ofproto_set_member(d.ofproto, a->word[0], a->word[i], &m);

			must(there == !strcmp(verb, "set-add"));
			must(!there || a->n > 2 || !ends(a->word[i]) || m.ends_ms != SET_FOREVER);
		}
	else if (file >= 0)
		check_lines(a->word[0], a->word[a->n - 1]);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* The call's words, with the content where a file is named. */
static bool fill(struct said *s, const struct verb *v, const struct line_words *w,
		 const char *content)
{
	struct args args;
	struct refusal r;
	int file;

	*s = (struct said){0};
	if (args_parse(&args, v->usage, w->n - 1, w->word + 1, &r))
		return false;
	file = args_file(&args, v->usage);
	s->call.words.n = w->n - 1;
	memcpy(s->word, w->word + 1, s->call.words.n * sizeof s->word[0]);
	if (file >= 0)
		s->call.words.n = args_put_content(&args, file, content, s->word);
	return true;
}

/* Members of the set that the words name; 0: there is none. */
static uint64_t count(const struct said *s)
{
	struct set_state state = {0};

	if (s->call.words.n)
		ofproto_set_state(d.ofproto, s->word[0], &state);
	return state.n;
}

/* What set-add and set-del say they did. */
static void check_count(const struct said *s, uint64_t before)
{
	const json_t *value = json_object_get(s->result, "json");
	const json_t *added = json_object_get(value, "added");
	const json_t *deleted = json_object_get(value, "deleted");

	must(count(s) ==
	     before + (uint64_t)json_integer_value(added) - (uint64_t)json_integer_value(deleted));
}

static void check_call(const struct verb *v, const struct line_words *w, const char *content)
{
	struct buf before = {0}, after = {0};
	struct said s, again;
	uint64_t n;

	if (!fill(&s, v, w, content))
		return;
	everything(&before);
	n = count(&s);
	if (!say(&s, v->name)) {
		must_be(&before, "before a refusal");
	} else {
		check_members(v->name, &s);
		if (!strcmp(v->name, "set-add") || !strcmp(v->name, "set-del"))
			check_count(&s, n);
		if (strcmp(v->name, "del-set") && v->flags & VERB_CHANGES)
			check_twin(s.call.args.word[0]);
		everything(&after);
		if (s.call.undo) {
			run_undo(s.call.undo);
			must_be(&before, "before what was undone");
			must(fill(&again, v, w, content) && say(&again, v->name));
			must_be(&after, "after the first time");
			said_free(&again);
		} else {
			must_be(&before, "before what nothing undoes");
		}
	}
	said_free(&s);
	buf_free(&before);
	buf_free(&after);
}

/* A match that may name sets reads back, as text and on the wire. */
static void check_rule(const char *line, size_t size)
{
	struct flow_mod fm, again;
	struct buf text = {0}, wire = {0};
	struct reader reader;
	struct match match;

	buf_octets(&text, line, size);
	buf_printf(&text, " actions=drop");
	if (memchr(line, '\0', size) || flow_parse(buf_text(&text), OFPFC_ADD, &fm, NULL)) {
		buf_free(&text);
		return;
	}
	text.size = 0;
	match_format(&fm.match, &text);
	buf_printf(&text, " actions=drop");
	must(!flow_parse(buf_text(&text), OFPFC_ADD, &again, NULL));
	must(match_equal(&fm.match, &again.match));
	if (match_put_oxm(&fm.match, &wire, false)) {
		reader = reader_of(wire.data, wire.size);
		must(!match_get_oxm(&match, &reader, NULL) && match_equal(&match, &fm.match));
	}
	flow_mod_free(&again);
	flow_mod_free(&fm);
	buf_free(&text);
	buf_free(&wire);
}

static void one_line(const char *line, size_t size, const char *content)
{
	static const char *const taken[] = {"add-set",  "del-set",   "set-add",  "set-del",
					    "set-load", "set-flush", "set-test", "list-sets",
					    "dump-set", NULL};
	struct line_words w;
	struct refusal r;
	unsigned column;
	bool is_set = false;

	if (!line_words_split(&w, line, size, &column, &r) && w.n) {
		for (unsigned i = 0; taken[i]; i++)
			is_set |= !strcmp(w.word[0], taken[i]);
		if (is_set && !(w.n > 1 && !strcmp(w.word[1], TWIN)))
			check_call(verb_find(w.word[0]), &w, content);
		else
			check_rule(line, size);
	}
	line_words_free(&w);
}

static void forget_sets(void)
{
	struct buf text = {0};
	struct names all;

	do {
		all = (struct names){.visit.set = put_set, .text = &text};
		ofproto_sets(d.ofproto, &all.visit);
		must(!all.n || !ofproto_del_set(d.ofproto, all.name, NULL, NULL));
		ofproto_sync(d.ofproto, NULL);
	} while (all.n);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, '\0', size);
	size_t left = nul ? (size_t)(nul - data) : size;
	const char *at = (const char *)data;
	struct buf content = {0};

	if (!d.ofproto)
		set_up();
	if (nul)
		buf_octets(&content, nul + 1, strnlen((const char *)nul + 1, size - left - 1));
	for (unsigned i = 0; left && i < LINES; i++) {
		const char *end = memchr(at, '\n', left);
		size_t n = end ? (size_t)(end - at) : left;

		one_line(at, n, buf_text(&content));
		at += n + (end != NULL);
		left -= n + (end != NULL);
	}
	forget_sets();
	buf_free(&content);
	return 0;
}
