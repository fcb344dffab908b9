/* SPDX-License-Identifier: Apache-2.0 */
/* A pipeline's file, NAME.watch: three lines of words, in any order; `#` begins a comment.
 *
 *	signal kind=udp above=2kpps     what is an attack; the only line that must be there
 *	policy mode=automatic           what may be done about it
 *	action then=drop expire=60s     how
 *
 * pipeline.def has every option, with its default.
 *
 * LIST is prefixes with commas between, or @FILE (beside the pipeline's file) with one a line.
 * A refusal says FILE:LINE:COLUMN, what is wrong and what would be accepted. */
#ifndef SLUICE_WATCH_PIPELINE_H
#define SLUICE_WATCH_PIPELINE_H

#include "utilities/watch/decide.h"

enum {
	PIPELINE_NAME = 32,
	PIPELINE_ALERTS = 8,
	PIPELINE_PREFIXES = 4096, /* of a list */
	PIPELINE_SIZE = 64 << 10, /* octets of a file */
};

struct prefix_list {
	unsigned n;
	struct ip_prefix *prefix;
};

struct pipeline {
	char name[PIPELINE_NAME]; /* of lower-case letters, digits, - and _ */
	struct signal_config signal;
	uint8_t mode; /* enum mode */
	struct prefix_list allow, protect;
	unsigned max_rules;
	uint8_t narrow_v4, narrow_v6;
	double collateral; /* a share: 0.01 is 1 % */
	bool beyond_limit;
	bool limit_usual;
	struct rate limit; /* unless limit_usual */
	bool then_drop;
	uint64_t after_ns, expire_ns, hold_ns;
	unsigned n_alerts;
	char *alert[PIPELINE_ALERTS];
};

/* `file` is named in refusals; its last part without .watch is the pipeline's name.  A list's @FILE
 * is looked for in `folder`; NULL: refused.  NULL when refused. */
struct pipeline_text {
	const char *file, *folder;
	const char *text;
	size_t size;
};
struct pipeline *pipeline_parse(const struct pipeline_text *t, struct refusal *r);
struct pipeline *pipeline_read(const char *file, struct refusal *r);
void pipeline_free(struct pipeline *p); /* NULL: nothing */

/* Whose rule: the pipeline's name in the upper half, the attack's target and kind in the lower. */
uint64_t pipeline_cookie(const char *name, const struct target *t, unsigned kind);

#endif
