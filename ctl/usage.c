/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/usage.h"

#include <stdio.h>

const struct verb verbs[N_VERBS + 1] = {
#define VERB(ID, NAME, USAGE, FLAGS, HELP) [VERB_ID_##ID] = {NAME, USAGE, HELP, FLAGS},
#include "ctl/verbs.def"
#undef VERB
};

#define DOTS "…"

const struct verb *verb_find(const char *name)
{
	for (const struct verb *v = verbs; v->name; v++)
		if (!strcmp(v->name, name))
			return v;
	return NULL;
}

const char *verb_near(const char *name)
{
	const char *names[N_VERBS + 1];

	for (unsigned i = 0; i <= N_VERBS; i++)
		names[i] = verbs[i].name;
	return did_you_mean(name, names);
}

/* A part without its brackets and dots: [at, at + size). */
static void part_fill(struct usage_part *part, const char *at, size_t size)
{
	const char *space;

	if (size > strlen(DOTS) && !memcmp(at + size - strlen(DOTS), DOTS, strlen(DOTS))) {
		part->repeated = true;
		size -= strlen(DOTS);
	}
	if (at[0] == '[') {
		part->optional = true;
		at++;
		size -= 2;
	}
	space = memchr(at, ' ', size);
	part->is_option = size > 2 && at[0] == '-' && at[1] == '-';
	part->has_value = part->is_option && space;
	part->text = at;
	part->size = part->is_option && space ? (size_t)(space - at) : size;
}

bool usage_next(const char **usage, struct usage_part *part)
{
	const char *at = *usage, *end;
	int depth = 0;

	*part = (struct usage_part){0};
	while (*at == ' ')
		at++;
	if (!*at)
		return false;
	for (end = at; *end && (depth || *end != ' '); end++)
		depth += (*end == '[') - (*end == ']');
	part_fill(part, at, (size_t)(end - at));
	*usage = end;
	return true;
}

static bool option_part(const char *usage, const char *word, size_t size, struct usage_part *part)
{
	while (usage_next(&usage, part))
		if (part->is_option && part->size == size && !memcmp(part->text, word, size))
			return true;
	return false;
}

static int refuse_option(const char *usage, const char *word, struct refusal *r)
{
	const char *names[ARG_OPTIONS_MAX + 1] = {NULL}, *near;
	char name[ARG_OPTIONS_MAX][24];
	struct usage_part part;
	unsigned n = 0;

	while (usage_next(&usage, &part)) {
		if (!part.is_option || n == ARG_OPTIONS_MAX)
			continue;
		snprintf(name[n], sizeof name[n], "%.*s", (int)part.size, part.text);
		names[n] = name[n];
		n++;
	}
	near = did_you_mean(word, names);
	if (near)
		return refuse(r, UNKNOWN_WORD, word, "no option %.40s; did you mean %s?", word,
			      near);
	if (n)
		return refuse(r, UNKNOWN_WORD, word, "no option %.40s; there is %s%s", word,
			      names[0], n > 1 ? " and others: see --help" : "");
	return refuse(r, UNKNOWN_WORD, word, "no option %.40s; there are none here", word);
}

/* One word that begins with dashes, and its value; returns how many words it took, or an error. */
static int take_option(struct args *a, const char *usage, const char *const *words, bool last,
		       struct refusal *r)
{
	const char *word = words[0], *equals = strchr(word, '=');
	size_t size = equals ? (size_t)(equals - word) : strlen(word);
	struct usage_part part;

	if (!option_part(usage, word, size, &part))
		return refuse_option(usage, word, r);
	for (unsigned i = 0; i < a->n_options; i++)
		if (a->option[i].size == size && !memcmp(a->option[i].name, word, size))
			return refuse(r, SYNTAX, word, "%.40s is given twice", word);
	if (!part.has_value && equals)
		return refuse(r, SYNTAX, word, "%.*s takes no value", (int)MIN(size, 40u), word);
	if (part.has_value && !equals && last)
		return refuse(r, SYNTAX, word, "%.40s needs a value", word);
	a->option[a->n_options].name = part.text;
	a->option[a->n_options].size = part.size;
	a->option[a->n_options].word = word;
	a->option[a->n_options].value = !part.has_value ? NULL : equals ? equals + 1 : words[1];
	a->n_options++;
	return part.has_value && !equals ? 2 : 1;
}

/* The words that are no options against the parts that are none. */
static int check_words(struct args *a, const char *usage, struct refusal *r)
{
	struct usage_part part;
	unsigned least = 0, most = 0;
	const char *rest = usage;

	while (usage_next(&rest, &part)) {
		if (part.is_option)
			continue;
		most = part.repeated ? ARGS_MAX : MIN(most + 1, (unsigned)ARGS_MAX);
		if (!part.optional && ++least > a->n)
			return refuse(r, SYNTAX, "", "%.*s is missing", (int)part.size, part.text);
	}
	if (a->n <= most)
		return 0;
	a->bad = a->at[most];
	return refuse(r, SYNTAX, a->word[most], "one word too many: %.60s", a->word[most]);
}

int args_parse(struct args *a, const char *usage, unsigned n, const char *const *words,
	       struct refusal *r)
{
	bool options = true;

	*a = (struct args){0};
	for (unsigned i = 0; i < n;) {
		a->bad = i;
		if (options && !strcmp(words[i], "--")) {
			options = false;
			i++;
		} else if (options && !strncmp(words[i], "--", 2)) {
			int taken = take_option(a, usage, words + i, i + 1 == n, r);

			if (taken < 0)
				return taken;
			i += (unsigned)taken;
		} else if (a->n < ARGS_MAX) {
			a->at[a->n] = i;
			a->word[a->n++] = words[i++];
		} else {
			return refuse(r, LIMIT, words[i], "more than %d words", ARGS_MAX);
		}
	}
	a->bad = n;
	return check_words(a, usage, r);
}

const char *args_option(const struct args *a, const char *name)
{
	for (unsigned i = 0; i < a->n_options; i++)
		if (strlen(name) == a->option[i].size &&
		    !memcmp(a->option[i].name, name, a->option[i].size))
			return a->option[i].value ? a->option[i].value : "";
	return NULL;
}

/* Behind `--`, for a file may begin with dashes. */
int args_file(const struct args *a, const char *usage)
{
	struct usage_part part;
	unsigned n = 0;

	for (; usage_next(&usage, &part); n += !part.is_option)
		if (part.size == 4 && !memcmp(part.text, "FILE", 4))
			return n < a->n ? (int)n : -1;
	for (unsigned i = 1; i < a->n; i++)
		if (!strncmp(a->word[i], "file=", 5))
			return (int)i;
	return -1;
}

const char *args_file_name(const struct args *a, int file)
{
	const char *word = a->word[file];

	return strncmp(word, "file=", 5) ? word : word + 5;
}

unsigned args_put_content(const struct args *a, int file, const char *content, const char **words)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n_options; i++) {
		words[n++] = a->option[i].word;
		if (a->option[i].value && !strchr(a->option[i].word, '='))
			words[n++] = a->option[i].value;
	}
	words[n++] = "--";
	for (unsigned i = 0; i < a->n; i++)
		if ((int)i != file || args_file_name(a, file) != a->word[i])
			words[n++] = a->word[i];
	words[n++] = content;
	return n;
}
