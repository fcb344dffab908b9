/* SPDX-License-Identifier: Apache-2.0 */
/* How matches relate: equal, wider, overlapping, met.  "Covers" and "overlaps not" are certain;
 * where conditions are too much for these few lines, the answer is the one that does no harm. */
#include "datapath/range.h"

static uint64_t word_of(const struct key *key, unsigned i)
{
	return i < OUTER_WORD ? key->du_word[i] : key->outer_word[i - OUTER_WORD];
}

bool match_equal(const struct match *a, const struct match *b)
{
	return !memcmp(a, b, sizeof *a);
}

static struct allowed everything(void)
{
	return (struct allowed){.hi = UINT64_MAX};
}

/* ---- Wider ------------------------------------------------------------------------------- */

/* A condition of `wide` is one of narrow's, or a wider one of its kind. */
static bool other_covered(const struct cond *c, const struct match *narrow)
{
	const struct cond_class *class = cond_class(c->kind);

	for (unsigned i = 0; i < narrow->n_conds; i++) {
		const struct cond *n = &narrow->cond[i];

		if (!memcmp(c, n, sizeof *c))
			return true;
		if (n->kind != c->kind || n->field != c->field || n->field2 != c->field2 ||
		    n->flags != c->flags || !class->covers)
			continue;
		/* Outside of the larger is outside of the smaller. */
		if (c->flags & COND_NEGATED ? class->covers(n, c) : class->covers(c, n))
			return true;
	}
	return false;
}

static bool cond_covered(const struct cond *c, const struct match *narrow)
{
	struct allowed a = everything();

	if (c->kind != COND_RANGE)
		return other_covered(c, narrow);
	allowed_by_bits(&a, narrow, cond_field(c));
	allowed_by_ranges(&a, narrow, cond_field(c));
	return allowed_within(&a, c);
}

static bool bits_cover(const struct match *wide, const struct match *narrow)
{
	for (unsigned i = 0; i < KEY_WORDS; i++) {
		uint64_t mask = word_of(&wide->mask, i);

		if (!mask) /* most of a wide match: the narrow one's memory is not touched */
			continue;
		if ((word_of(&narrow->mask, i) & mask) != mask ||
		    (word_of(&wide->value, i) ^ word_of(&narrow->value, i)) & mask)
			return false;
	}
	return true;
}

/* What narrow's ranges say in bits counts, too. */
static bool bits_cover_implied(const struct match *wide, const struct match *narrow)
{
	struct match implied;

	if (!narrow->n_conds)
		return false;
	implied = *narrow;
	ranges_imply(&implied);
	return bits_cover(wide, &implied);
}

bool match_covers(const struct match *wide, const struct match *narrow)
{
	if (!bits_cover(wide, narrow) && !bits_cover_implied(wide, narrow))
		return false;
	for (unsigned i = 0; i < wide->n_conds; i++)
		if (!cond_covered(&wide->cond[i], narrow))
			return false;
	return true;
}

/* ---- Overlapping ------------------------------------------------------------------------- */

/* The same asked once and negated once, or by their kind. */
static bool other_excludes(const struct cond *x, const struct cond *y)
{
	const struct cond_class *class = cond_class(x->kind);
	struct cond twin = *y;

	if (x->kind != y->kind || x->field != y->field || x->field2 != y->field2)
		return false;
	twin.flags ^= COND_NEGATED;
	if (!memcmp(x, &twin, sizeof twin))
		return true;
	return class->excludes && !((x->flags | y->flags) & COND_NEGATED) && class->excludes(x, y);
}

/* No value of the range's field is allowed by both. */
static bool range_excludes(const struct cond *c, const struct match *a, const struct match *b)
{
	const struct field *f = cond_field(c);
	struct allowed left = everything();

	allowed_by_bits(&left, a, f);
	allowed_by_bits(&left, b, f);
	allowed_by_ranges(&left, a, f);
	allowed_by_ranges(&left, b, f);
	return allowed_none(&left);
}

/* A condition of `a` leaves nothing for `b`. */
static bool cond_excludes(const struct cond *c, const struct match *a, const struct match *b)
{
	if (c->kind == COND_RANGE)
		return range_excludes(c, a, b);
	for (unsigned i = 0; i < b->n_conds; i++)
		if (other_excludes(c, &b->cond[i]))
			return true;
	return false;
}

bool match_overlaps(const struct match *a, const struct match *b)
{
	for (unsigned i = 0; i < KEY_WORDS; i++)
		if ((word_of(&a->value, i) ^ word_of(&b->value, i)) & word_of(&a->mask, i) &
		    word_of(&b->mask, i))
			return false;
	for (unsigned i = 0; i < a->n_conds; i++)
		if (cond_excludes(&a->cond[i], a, b))
			return false;
	for (unsigned i = 0; i < b->n_conds; i++)
		if (b->cond[i].kind == COND_RANGE && cond_excludes(&b->cond[i], b, a))
			return false;
	return true;
}

/* ---- Met --------------------------------------------------------------------------------- */

bool match_met(const struct match *m, struct probe *s)
{
	for (unsigned i = 0; i < KEY_WORDS; i++) {
		uint64_t mask = word_of(&m->mask, i);

		if (mask && (key_word(&s->key, i) ^ word_of(&m->value, i)) & mask)
			return false;
	}
	return !m->n_conds || conds_hold(m->cond, (unsigned)m->n_conds, s);
}

bool match_hits(const struct match *m, const struct key_view *key)
{
	struct probe s = {.key = *key};

	return match_met(m, &s);
}
