/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a stream or of a file that grows, as they come.
 *
 * A stream (the standard input, a FIFO) is read when there is something; a file is looked at a few
 * times a second, and anew from its beginning when it is another one or shorter than before.
 * Memory is one line's.  A line beyond INPUT_LINE_MAX is handed on as INPUT_LINE_MAX + 1 octets of
 * it, so that whoever takes it counts it as too long; the rest is passed over. */
#ifndef SLUICE_WATCH_INPUT_LINES_H
#define SLUICE_WATCH_INPUT_LINES_H

#include "lib/base.h"

struct event_base;
struct refusal;

struct lines_to {
	void (*line)(void *arg, const char *text, size_t size); /* without its newline */
	void *arg;
	uint64_t *errors; /* reads that failed */
};

struct lines;
/* NULL: refused.  `file` is `-`, a FIFO, or a file that may be yet to come. */
struct lines *lines_open(struct event_base *base, const char *file, struct lines_to to,
			 struct refusal *r);
void lines_free(struct lines *l); /* NULL: nothing */

#endif
