/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file as it is looked at before anything is run: words, verbs, usages. */
#include <stdint.h>

#include "ctl/usage.h"
#include "ctl/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_line(const char *line, size_t size)
{
	struct line_words w;
	struct refusal r;
	struct args args;
	unsigned column;

	if (!line_words_split(&w, line, size, &column, &r) && w.n) {
		const struct verb *v = verb_find(w.word[0]);

		if (!v)
			verb_near(w.word[0]);
		for (const struct verb *any = v ? v : verbs; any->name; any++)
			args_parse(&args, any->usage, w.n - 1, w.word + 1, &r);
	}
	line_words_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data;

	while (size) {
		const char *end = memchr(at, '\n', size);
		size_t n = end ? (size_t)(end - at) : size;

		one_line(at, n);
		at += n + (end != NULL);
		size -= n + (end != NULL);
	}
	return 0;
}
