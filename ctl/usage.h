/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of verbs.def, and what their usage texts mean.
 *
 * A verb's usage is for people and for this program alike; there is no other list of its arguments:
 *
 *	NAME                 one word that must be there
 *	[NAME]               one that may
 *	NAME… or [NAME]…     one or more; any number
 *	[--flag]             an option
 *	[--option VALUE]     an option with a value (also --option=VALUE)
 *
 * Options may stand anywhere; `--` ends them.  Both ends of the management socket check a call
 * against the same row, so that a slip is told before anything is sent. */
#ifndef SLUICE_CTL_USAGE_H
#define SLUICE_CTL_USAGE_H

#include "lib/refuse.h"

enum { ARGS_MAX = 64, ARG_OPTIONS_MAX = 8 };

enum verb_flags {
	VERB_CHANGES = 1 << 0, /* the switch is not the same afterwards: logged with who asked */
	VERB_CONFIG = 1 << 1,  /* may stand in a configuration file */
	VERB_OFFLINE = 1 << 2, /* … of an --offline run */
	VERB_FILE = 1 << 3,    /* its argument FILE, or file=…, is a file; what is sent is its
				* content; no options */
	VERB_FLOWS = 1 << 4,   /* changes rules */
	VERB_WATCH = 1 << 5,   /* the watcher may, too */
	VERB_LOCAL = 1 << 6,   /* sluice-ctl does it, with no daemon to answer; then it may ask */
	VERB_LIVE = 1 << 7,    /* on a terminal shown again each second, until q */
	VERB_LONG = 1 << 8,    /* may take long: one at a time, of all who ask (turn.h) */
};

struct verb {
	const char *name, *usage, *help; /* help: a line, then perhaps more */
	unsigned flags;
};

enum verb_id {
#define VERB(ID, NAME, USAGE, FLAGS, HELP) VERB_ID_##ID,
#include "ctl/verbs.def"
#undef VERB
	N_VERBS
};
extern const struct verb verbs[N_VERBS + 1];    /* ends with a NULL name */
const struct verb *verb_find(const char *name); /* NULL: none */
const char *verb_near(const char *name);        /* for "did you mean"; NULL: none */

struct args {
	unsigned n;
	const char *word[ARGS_MAX];
	unsigned at[ARGS_MAX]; /* where each stood among the words given */
	unsigned bad; /* of a refusal: which of the words given; their number: one is missing */
	unsigned n_options;
	struct {
		const char *name;  /* as in the usage, with its dashes; may be followed by more */
		size_t size;       /* of the name */
		const char *value; /* NULL: a flag */
		const char *word;  /* as it was given: `--name`, or `--name=value` */
	} option[ARG_OPTIONS_MAX];
};

/* Sorts `n` words by `usage`.  Refuses (SYNTAX, UNKNOWN_WORD) what does not fit. */
int args_parse(struct args *a, const char *usage, unsigned n, const char *const *words,
	       struct refusal *r);

/* The option's value, "" for a flag; NULL when it was not given. */
const char *args_option(const struct args *a, const char *name);

/* Which word of a VERB_FILE call names a file: the one that the usage calls FILE, or `file=…`; -1:
 * none does. */
int args_file(const struct args *a, const char *usage);
const char *args_file_name(const struct args *a, int file);
/* The words of such a call with the file's content as the last one, in place of FILE (`file=…`
 * stays), and its options in front, into `words` (room for two more than there were).  Returns how
 * many. */
unsigned args_put_content(const struct args *a, int file, const char *content, const char **words);

/* Walks a usage text, part by part (for help, completion and args_parse).  False at its end. */
struct usage_part {
	const char *text; /* NAME, --flag, --option; not terminated */
	size_t size;
	bool is_option, has_value, optional, repeated;
};
bool usage_next(const char **usage, struct usage_part *part);

#endif
