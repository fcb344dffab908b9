/* SPDX-License-Identifier: Apache-2.0 */
/* A `signal` line's words, for tests that know that they are right. */
#ifndef SLUICE_TESTS_WATCH_SIGNAL_LINE_H
#define SLUICE_TESTS_WATCH_SIGNAL_LINE_H

#include <stdio.h>
#include <stdlib.h>

#include "utilities/watch/detect.h"

static inline void signal_line(struct signal_config *c, const char *line)
{
	char copy[256], *at = copy, *word;
	const char *words[16];
	struct options o = {0};
	struct refusal r = {0};
	unsigned n = 0;

	snprintf(copy, sizeof copy, "%s", line);
	while ((word = strsep(&at, " ")) && n < 16)
		words[n++] = word;
	if (options_parse(&o, n, words, &r) || signal_parse(c, &o, &r) || options_finish(&o, &r)) {
		fprintf(stderr, "%s: %s\n", line, r.text);
		abort();
	}
	options_free(&o);
}

#endif
