/* SPDX-License-Identifier: Apache-2.0 */
/* A range of a number: `udp_dst=1000-1999`, `pkt_len=0-63`. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "datapath/match.h"
#include "lib/options.h"

static uint64_t number_at(const uint8_t *at, unsigned size)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < size; i++)
		n = n << 8 | at[i];
	return n;
}

/* A field's octets in the packet: those of the DU's part and of the outer part lie apart. */
static const uint8_t *field_at(const struct key_view *key, const struct field *f)
{
	unsigned part = f->off / (OUTER_WORD * 8);

	return (const uint8_t *)key->part[part] + f->off % (OUTER_WORD * 8);
}

static bool holds(const struct cond *c, struct probe *s)
{
	const struct field *f = &fields[c->field];
	uint64_t n = number_at(field_at(&s->key, f), f->size);

	return n >= c->range.lo && n <= c->range.hi;
}

static int parse(const struct field *f, const char *value, struct cond *c, struct refusal *r)
{
	const char *dash = strchr(value, '-');
	uint64_t ones;
	char head[32];

	if (!dash || dash == value || f->text != TEXT_DECIMAL ||
	    (size_t)(dash - value) >= sizeof head)
		return -ENOENT;
	snprintf(head, sizeof head, "%.*s", (int)(dash - value), value);
	ones = f->bits < 64 ? (1ull << f->bits) - 1 : UINT64_MAX;
	if (parse_u64(head, &c->range.lo) || parse_u64(dash + 1, &c->range.hi) ||
	    c->range.lo > c->range.hi || c->range.hi > ones)
		return refuse(r, BAD_VALUE, f->name,
			      "%s: '%.48s' is no range; two numbers of up to %" PRIu64
			      ", the smaller one first, would be accepted",
			      f->name, value, ones);
	return 0;
}

static void format(const struct cond *c, struct buf *text)
{
	buf_printf(text, "%" PRIu64 "-%" PRIu64, c->range.lo, c->range.hi);
}

static bool covers(const struct cond *wide, const struct cond *narrow)
{
	return wide->range.lo <= narrow->range.lo && narrow->range.hi <= wide->range.hi;
}

static bool excludes(const struct cond *a, const struct cond *b)
{
	return a->range.hi < b->range.lo || b->range.hi < a->range.lo;
}

const struct cond_class cond_range = {
	.name = "range",
	.holds = holds,
	.parse = parse,
	.format = format,
	.covers = covers,
	.excludes = excludes,
};
