/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/cond.h"

#include "datapath/match.h"
#include "datapath/worker.h"

#define COND(ID, OBJECT) extern const struct cond_class OBJECT;
#include "datapath/conds.def"
#undef COND

static const struct cond_class *const classes[] = {
#define COND(ID, OBJECT) [COND_##ID] = &(OBJECT),
#include "datapath/conds.def"
#undef COND
};

_Static_assert(sizeof(struct cond) == 24, "conditions are compared as octets");

const struct cond_class *cond_class(enum cond_kind kind)
{
	return classes[kind];
}

const struct field *cond_field(const struct cond *c)
{
	return c->field < N_FIELDS ? &fields[c->field] : NULL;
}

const char *cond_word(const struct cond *c)
{
	const struct cond_class *class = cond_class(c->kind);
	const struct field *f = cond_field(c);

	return class->word ? class->word(c) : f ? f->name : class->name;
}

void cond_format(const struct cond *c, struct buf *text)
{
	buf_printf(text, "%s=%s", cond_word(c), c->flags & COND_NEGATED ? "!" : "");
	cond_class(c->kind)->format(c, text);
}

bool cond_known_early(const struct cond *c)
{
	if (c->field >= N_FIELDS)
		return c->flags & COND_OUTER;
	return fields[c->field].known <= KNOWN_OUTER &&
	       (c->field2 >= N_FIELDS || fields[c->field2].known <= KNOWN_OUTER);
}

static int cond_order(const struct cond *a, const struct cond *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->field != b->field)
		return a->field < b->field ? -1 : 1;
	return memcmp(a, b, sizeof *a);
}

int match_add_cond(struct match *m, const struct cond *c, struct refusal *r)
{
	unsigned at = 0;

	while (at < m->n_conds && cond_order(&m->cond[at], c) < 0)
		at++;
	if (at < m->n_conds && !cond_order(&m->cond[at], c))
		return refuse(r, DUP_FIELD, cond_word(c), "%s has the same %s twice", cond_word(c),
			      cond_class(c->kind)->name);
	if (m->n_conds == MATCH_CONDS)
		return refuse(r, BAD_VALUE, cond_word(c),
			      "a match of more than %d ranges, sets and programs", MATCH_CONDS);
	memmove(m->cond + at + 1, m->cond + at, (m->n_conds - at) * sizeof m->cond[0]);
	m->cond[at] = *c;
	m->n_conds++;
	return 0;
}

void cond_pack(const struct cond *c, uint64_t out[2])
{
	out[0] = c->kind | (uint64_t)c->flags << 8 | (uint64_t)c->field << 16 |
		 (uint64_t)c->field2 << 32;
	out[1] = c->kind == COND_RANGE ? MIN(c->range.lo, (uint64_t)UINT32_MAX) << 32 |
						 MIN(c->range.hi, (uint64_t)UINT32_MAX)
				       : c->set;
}

struct cond cond_unpack(const uint64_t in[2])
{
	struct cond c = {.kind = (uint8_t)in[0],
			 .flags = (uint8_t)(in[0] >> 8),
			 .field = (uint16_t)(in[0] >> 16),
			 .field2 = (uint16_t)(in[0] >> 32)};

	if (c.kind == COND_RANGE) {
		c.range.lo = in[1] >> 32;
		c.range.hi = (uint32_t)in[1];
	} else {
		c.set = in[1];
	}
	return c;
}

static void trace_cond(const struct cond *c, const struct probe *s)
{
	uint64_t said[2];

	if (likely(!s->pkt || !s->worker || !(s->pkt->flags & PKT_TRACED)))
		return;
	cond_pack(c, said);
	trace(s->worker, s->pkt, COND, said[0], said[1]);
}

int match_exists(const struct match *m, struct refusal *r)
{
	for (unsigned i = 0; i < m->n_conds; i++) {
		const struct cond_class *class = cond_class(m->cond[i].kind);

		if (class->exists && !class->exists(&m->cond[i]))
			return refuse(r, NOT_FOUND, cond_word(&m->cond[i]),
				      "%s names a %s that has gone; said again, it would be "
				      "accepted",
				      cond_word(&m->cond[i]), class->name);
	}
	return 0;
}

void match_hold(const struct match *m)
{
	for (unsigned i = 0; i < m->n_conds; i++)
		if (cond_class(m->cond[i].kind)->hold)
			cond_class(m->cond[i].kind)->hold(&m->cond[i]);
}

void match_release(const struct match *m)
{
	for (unsigned i = 0; i < m->n_conds; i++)
		if (cond_class(m->cond[i].kind)->release)
			cond_class(m->cond[i].kind)->release(&m->cond[i]);
}

bool conds_hold(const struct cond *c, unsigned n, struct probe *s)
{
	for (unsigned i = 0; i < n; i++) {
		bool holds = classes[c[i].kind]->holds(&c[i], s);

		if (holds == !!(c[i].flags & COND_NEGATED) || unlikely(s->unknown)) {
			trace_cond(&c[i], s);
			return false;
		}
	}
	return true;
}
