/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals: how "no" travels from the place that knows why to the person who asked.
 *
 * A function that can refuse takes a `struct refusal *` last and returns a negative errno.
 * The place that knows most fills it once with refuse(); those above pass it on untouched.
 * The codes are rows of `refusals.def`: a stable name for machines, and the OpenFlow error that
 * says the same.  A message says what was refused, why, and what would be accepted; one line,
 * no full stop at its end, no secret in it. */
#ifndef SLUICE_REFUSE_H
#define SLUICE_REFUSE_H

#include "lib/base.h"

enum refusal_code {
	REFUSED_NOTHING,
#define REFUSAL(ID, NAME, OF_TYPE, OF_CODE) REFUSED_##ID,
#include "lib/refusals.def"
#undef REFUSAL
	N_REFUSALS
};

struct refusal {
	enum refusal_code code;
	char field[32]; /* the field, option or word at fault; empty where there is none */
	char text[320];
};

/* Fills *r (which may be NULL) and returns -EINVAL, so that callers write
 * `return refuse(r, BAD_FIELD, name, "…")`. */
#define refuse(r, CODE, field, ...) refuse_as(r, REFUSED_##CODE, field, __VA_ARGS__)
int refuse_as(struct refusal *r, enum refusal_code code, const char *field, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

const char *refusal_name(enum refusal_code code);

/* The OpenFlow error type and code (ONF TS-023, 7.4.4) of a refusal. */
void refusal_openflow(enum refusal_code code, uint16_t *type, uint16_t *of_code);

/* The word of `words` (NULL-terminated) nearest to `word` by edit distance, for "did you mean";
 * NULL when none is near. */
const char *did_you_mean(const char *word, const char *const *words);

#endif
