/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a configuration file as words, the way a shell splits them.
 *
 * White space separates; 'single quotes' keep everything, "double quotes" everything but \" and
 * \\; a backslash outside of quotes keeps the next character; `#` where a word could begin starts a
 * comment.  Each word knows the column (in octets, from 1) where it began. */
#ifndef SLUICE_CTL_WORDS_H
#define SLUICE_CTL_WORDS_H

#include "lib/refuse.h"

enum { LINE_WORDS_MAX = 64 };

struct line_words {
	char *text;  /* of all words; owned */
	size_t size; /* of text */
	unsigned n;
	const char *word[LINE_WORDS_MAX];
	unsigned column[LINE_WORDS_MAX];
};

/* Splits `size` octets without a newline among them.  A refusal (a quote that does not end, a NUL
 * octet, too many words) says in *column where.  Free with line_words_free(), refused or not. */
int line_words_split(struct line_words *w, const char *line, size_t size, unsigned *column,
		     struct refusal *r);
void line_words_free(struct line_words *w); /* wipes: a word may be a key */

#endif
