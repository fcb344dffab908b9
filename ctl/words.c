/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/words.h"

#include <stdlib.h>

struct splitter {
	const char *line;
	size_t size, at;
	char *out;
	unsigned *column;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* What stands between the quote at `at` and its twin. */
static int split_quoted(struct splitter *s, struct refusal *r)
{
	char quote = s->line[s->at];
	size_t began = s->at++;

	for (; s->at < s->size; s->at++) {
		char c = s->line[s->at];

		if (c == quote) {
			s->at++;
			return 0;
		}
		if (quote == '"' && c == '\\' && s->at + 1 < s->size &&
		    (s->line[s->at + 1] == '"' || s->line[s->at + 1] == '\\'))
			c = s->line[++s->at];
		*s->out++ = c;
	}
	*s->column = (unsigned)began + 1;
	return refuse(r, SYNTAX, "", "the quote %c does not end on its line", quote);
}

static int split_word(struct splitter *s, struct refusal *r)
{
	while (s->at < s->size && !is_space(s->line[s->at])) {
		char c = s->line[s->at];
		int error = 0;

		if (c == '\'' || c == '"') {
			error = split_quoted(s, r);
		} else if (c == '\\' && s->at + 1 == s->size) {
			*s->column = (unsigned)s->at + 1;
			error = refuse(r, SYNTAX, "",
				       "a backslash at the end of a line: commands are one line");
		} else {
			s->at += c == '\\';
			*s->out++ = s->line[s->at++];
		}
		if (error)
			return error;
	}
	*s->out++ = '\0';
	return 0;
}

int line_words_split(struct line_words *w, const char *line, size_t size, unsigned *column,
		     struct refusal *r)
{
	struct splitter s = {.line = line, .size = size, .column = column};
	const char *nul = size ? memchr(line, '\0', size) : NULL;

	*w = (struct line_words){.text = calloc(1, size + 1), .size = size + 1};
	if (!w->text)
		abort();
	s.out = w->text;
	if (nul) {
		*column = (unsigned)(nul - line) + 1;
		return refuse(r, SYNTAX, "", "a NUL octet: this is no text");
	}
	for (;;) {
		int error;

		while (s.at < size && is_space(line[s.at]))
			s.at++;
		if (s.at == size || line[s.at] == '#')
			return 0;
		*column = (unsigned)s.at + 1;
		if (w->n == LINE_WORDS_MAX)
			return refuse(r, LIMIT, "", "more than %d words in a line", LINE_WORDS_MAX);
		w->column[w->n] = (unsigned)s.at + 1;
		w->word[w->n++] = s.out;
		error = split_word(&s, r);
		if (error)
			return error;
	}
}

void line_words_free(struct line_words *w)
{
	if (w->text)
		explicit_bzero(w->text, w->size); /* some words are keys */
	free(w->text);
	*w = (struct line_words){0};
}
