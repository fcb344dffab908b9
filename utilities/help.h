/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line says of itself: help, manual pages and the shell's completion, all from the
 * rows of verbs.def and one table of options for each program.
 *
 * Everything is written to a stream that the caller owns; nothing is kept. */
#ifndef SLUICE_UTILITIES_HELP_H
#define SLUICE_UTILITIES_HELP_H

#include <stdio.h>

#include "ctl/usage.h"

struct option_row {
	const char *name, *value, *help; /* value NULL: none */
};
extern const struct option_row daemon_options[]; /* ends with a NULL name */
extern const struct option_row ctl_options[];
extern const struct option_row watch_options[];
extern const struct option_row bench_options[];

void help_ctl(FILE *out);
void help_verb(const struct verb *v, FILE *out);
void help_daemon(FILE *out);
void help_watch(FILE *out);
void help_bench(FILE *out);
void help_pipeline(FILE *out);

void man_ctl(FILE *out);
void man_daemon(FILE *out);
void man_watch(FILE *out);
void man_bench(FILE *out);
void completion(FILE *out); /* bash */

#endif
