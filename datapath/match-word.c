/* SPDX-License-Identifier: Apache-2.0 */
/* FLOW text as words. */
#include "datapath/match.h"

static const char separators[] = ", \t\r\n";

/* The first of `stop` outside of quotes, or the end; NULL: a quote does not end. */
static char *find_outside(char *text, const char *stop)
{
	bool quoted = false;

	for (; *text && (quoted || !strchr(stop, *text)); text++)
		quoted ^= *text == '"';
	return quoted ? NULL : text;
}

int match_next_word(char **text, char **name, char **value, struct refusal *r)
{
	char *word = *text + strspn(*text, separators), *end = find_outside(word, separators);

	if (!*word)
		return 0;
	if (!end)
		return refuse(r, SYNTAX, "", "the quote \" does not end: %.40s", word);
	*text = end + !!*end;
	*end = '\0';
	*name = word;
	*value = strchr(word, '=');
	if (*value)
		*(*value)++ = '\0';
	return 1;
}

char *match_find_actions(char *text)
{
	char *begin = text;

	while (text && *text) {
		size_t n = strncmp(text, "actions=", 8) ? strncmp(text, "action=", 7) ? 0 : 7 : 8;

		if (n && (text == begin || strchr(separators, text[-1]))) {
			*text = '\0';
			return text + n;
		}
		text = find_outside(text, separators);
		if (text && *text)
			text++;
	}
	return NULL;
}
