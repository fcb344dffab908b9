/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/refuse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/openflow.h"

static const struct {
	const char *name;
	uint16_t type, code;
} rows[N_REFUSALS] = {
	[REFUSED_NOTHING] = {"ok", 0, 0},
#define REFUSAL(ID, NAME, OF_TYPE, OF_CODE) [REFUSED_##ID] = {NAME, OF_TYPE, OF_CODE},
#include "lib/refusals.def"
#undef REFUSAL
};

int refuse_as(struct refusal *r, enum refusal_code code, const char *field, const char *fmt, ...)
{
	va_list args;

	if (!r)
		return -EINVAL;
	r->code = code;
	snprintf(r->field, sizeof r->field, "%s", field ? field : "");
	va_start(args, fmt);
	vsnprintf(r->text, sizeof r->text, fmt, args);
	va_end(args);
	return -EINVAL;
}

const char *refusal_name(enum refusal_code code)
{
	return code < N_REFUSALS ? rows[code].name : "unknown";
}

void refusal_openflow(enum refusal_code code, uint16_t *type, uint16_t *of_code)
{
	code = code < N_REFUSALS ? code : REFUSED_SYSTEM;
	*type = rows[code].type;
	*of_code = rows[code].code;
}

/* Levenshtein distance of two short words; words longer than the row are never near. */
static unsigned edit_distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned row[64];

	if (na >= ARRAY_SIZE(row) || nb >= ARRAY_SIZE(row))
		return UINT32_MAX;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned above = row[j];
			unsigned change = corner + (a[i - 1] != b[j - 1]);

			row[j] = MIN(MIN(row[j - 1], above) + 1, change);
			corner = above;
		}
	}
	return row[nb];
}

const char *did_you_mean(const char *word, const char *const *words)
{
	const char *best = NULL;
	unsigned least = (unsigned)strlen(word) / 3 + 2;

	for (; *words; words++) {
		unsigned d = edit_distance(word, *words);

		if (d < least) {
			least = d;
			best = *words;
		}
	}
	return best;
}
