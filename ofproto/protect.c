/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/protect.h"

#include <linux/if_ether.h>
#include <stdlib.h>

#include "datapath/range.h"
#include "ofproto/admit.h"
#include "ofproto/memory.h"
#include "ofproto/set-rules.h"
#include "ofproto/state.h"

/* ---- Prefixes ------------------------------------------------------------------------------- */

struct prefix {
	uint8_t octet[16];
	unsigned len, size; /* bits; octets: 4 or 16 */
	const struct set *set;
};

/* An address of a member: of a pair the first or the second.  False: it has none. */
static bool member_prefix(const struct set *s, const struct set_key *key, bool second,
			  struct prefix *p)
{
	const uint64_t *word = key->word + 2 * (second && s->type == SET_IPV6_IPV6);

	*p = (struct prefix){.set = s};
	switch ((enum set_type)s->type) {
	case SET_IPV4:
	case SET_IPV4_IPV4:
		put_be32(p->octet, (uint32_t)(second ? word[0] : word[0] >> 32));
		p->size = 4;
		break;
	case SET_IPV4_PORT:
		put_be32(p->octet, (uint32_t)(word[0] >> 16));
		p->size = 4;
		break;
	case SET_IPV6:
	case SET_IPV6_PORT:
	case SET_IPV6_IPV6:
		put_be64(p->octet, word[0]);
		put_be64(p->octet + 8, word[1]);
		p->size = 16;
		break;
	default:
		return false;
	}
	p->len = set_type_has_prefixes(s->type) ? key->len : 8 * p->size;
	return true;
}

/* One is in the other. */
static bool overlap(const struct prefix *a, const struct prefix *b)
{
	unsigned len = MIN(a->len, b->len), bytes = len / 8;

	return a->size == b->size && !memcmp(a->octet, b->octet, bytes) &&
	       (!(len % 8) || !((a->octet[bytes] ^ b->octet[bytes]) >> (8 - len % 8)));
}

/* ---- Who is protected -------------------------------------------------------------------------
 */

struct walk {
	struct ofproto *o;
	unsigned at;
	struct set_cursor cursor;
};

static const struct set_table *members_of(const struct set_entry *e)
{
	return e->pending ? e->pending : e->set->table;
}

static bool protects(const struct set_entry *e)
{
	return e && !e->leaving && e->set->protects;
}

/* The next protected prefix; begins with a walk of zeroes but for `o`. */
static bool next_protected(struct walk *w, struct prefix *p)
{
	for (; w->at < SETS_MAX; w->at++, w->cursor = (struct set_cursor){0}) {
		const struct set_entry *e = w->o->sets.entry[w->at];
		struct set_member m;

		if (protects(e) && set_table_next(members_of(e), &w->cursor, &m))
			return member_prefix(e->set, &m.key, false, p);
	}
	return false;
}

/* All that is protected of a family, in order and apart: many members are looked at. */
typedef unsigned __int128 u128;

struct span {
	u128 lo, hi;
};

struct spans {
	uint64_t gen;
	unsigned n[2], room[2]; /* IPv4, IPv6 */
	struct span *at[2];
};

static struct span span_of(const struct prefix *p)
{
	struct span s = {0};

	for (unsigned i = 0; i < p->size; i++)
		s.lo = s.lo << 8 | p->octet[i];
	s.hi = s.lo | (p->len < 8 * p->size ? ((u128)1 << (8 * p->size - p->len)) - 1 : 0);
	return s;
}

static int by_lo(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Prefixes are apart, or one is in the other. */
static unsigned merge(struct span *at, unsigned n)
{
	unsigned kept = 0;

	if (n)
		qsort(at, n, sizeof *at, by_lo);
	for (unsigned i = 0; i < n; i++)
		if (!kept || at[i].lo > at[kept - 1].hi)
			at[kept++] = at[i];
		else
			at[kept - 1].hi = MAX(at[kept - 1].hi, at[i].hi);
	return kept;
}

static const struct spans *spans_of(struct ofproto *o)
{
	struct spans *s = o->sets.spans;
	struct walk w = {.o = o};
	struct prefix p;

	if (s && s->gen == o->sets.gen)
		return s;
	if (!s)
		s = o->sets.spans = mem_new(sizeof *s);
	s->gen = o->sets.gen;
	s->n[0] = s->n[1] = 0;
	while (next_protected(&w, &p)) {
		unsigned v = p.size == 16;

		if (s->n[v] == s->room[v]) {
			s->room[v] = s->room[v] ? 2 * s->room[v] : 64;
			s->at[v] = realloc(s->at[v], s->room[v] * sizeof *s->at[v]);
			if (!s->at[v])
				abort();
		}
		s->at[v][s->n[v]++] = span_of(&p);
	}
	for (unsigned v = 0; v < 2; v++)
		s->n[v] = merge(s->at[v], s->n[v]);
	return s;
}

void protect_free(struct ofproto *o)
{
	for (unsigned v = 0; o->sets.spans && v < 2; v++)
		free(o->sets.spans->at[v]);
	free(o->sets.spans);
}

static bool is_protected(struct ofproto *o, const struct prefix *p)
{
	const struct spans *s = spans_of(o);
	const struct span *at = s->at[p->size == 16], q = span_of(p);
	unsigned lo = 0, hi = s->n[p->size == 16];

	while (lo < hi) { /* the first one that does not end before it */
		unsigned mid = (lo + hi) / 2;

		if (at[mid].hi < q.lo)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n[p->size == 16] && at[lo].lo <= q.hi;
}

bool protect_keeps_out(struct ofproto *o, const struct set *s, const struct set_key *key)
{
	bool pair = s->type == SET_IPV4_IPV4 || s->type == SET_IPV6_IPV6;
	struct prefix p;

	return member_prefix(s, key, false, &p) &&
	       (is_protected(o, &p) ||
		(pair && member_prefix(s, key, true, &p) && is_protected(o, &p)));
}

int protect_check_set(const struct ofproto *o, const struct set *s, struct refusal *r)
{
	unsigned n = 0;

	if (!s->protects)
		return 0;
	for (unsigned i = 0; i < SETS_MAX; i++)
		n += protects(o->sets.entry[i]);
	if ((s->type != SET_IPV4 && s->type != SET_IPV6) || s->flags & SET_TIMEOUTS)
		return refuse(r, BAD_VALUE, "protected",
			      "a protected set is of type ipv4 or ipv6, and its members do not end "
			      "by themselves");
	if (s->max > PROTECTED_MAX)
		return refuse(r, BAD_VALUE, "max",
			      "a protected set has at most %d members; max=%d would be accepted",
			      PROTECTED_MAX, PROTECTED_MAX);
	if (n >= PROTECTED_SETS)
		return refuse(r, LIMIT, "protected",
			      "%u sets are protected, as many as there may be", n);
	return 0;
}

int set_collect(struct set_table **t, const struct set_member *m)
{
	while (set_table_put(*t, m) == -ENOSPC) {
		struct set_table *larger = set_table_copy(*t, true, 0);

		if (!larger)
			return -ENOMEM;
		set_table_free(*t);
		*t = larger;
	}
	return 0;
}

void protect_pending(struct ofproto *o, struct set_entry *e, const struct set_table *t)
{
	struct set_cursor c = {0};
	struct set_member m;

	o->sets.gen++;
	if (!e->set->protects)
		return;
	if (!e->pending)
		e->pending = set_table_copy(e->set->table, true, 0);
	while (set_table_next(t, &c, &m))
		if (!e->pending || set_collect(&e->pending, &m))
			abort();
}

void protect_settled(struct ofproto *o, struct set_entry *e)
{
	o->sets.gen++;
	set_table_free(e->pending);
	e->pending = NULL;
}

/* ---- Sets that rules ask ------------------------------------------------------------------------
 */

/* Exactly the members that contain it: one for each length. */
static bool set_contains(const struct set *s, const struct prefix *p)
{
	struct set_member m;
	struct set_key key = {0};

	if (p->size != (s->type == SET_IPV4 ? 4 : 16))
		return false;
	for (unsigned len = 0; len <= p->len; len++) {
		key.word[0] =
			p->size == 4 ? (uint64_t)get_be32(p->octet) << 32 : get_be64(p->octet);
		key.word[1] = p->size == 4 ? 0 : get_be64(p->octet + 8);
		key.len = (uint8_t)len;
		set_key_cut(s->type, &key);
		if (set_table_get(s->table, &key, &m))
			return true;
	}
	return false;
}

static bool set_overlaps(const struct set *s, bool second, const struct prefix *p)
{
	bool prefixes = set_type_has_prefixes(s->type);
	struct set_cursor c = {0};
	struct set_member m;
	struct prefix q;

	if (prefixes && set_contains(s, p))
		return true;
	if (prefixes && p->len == 8 * p->size)
		return false;
	while (set_table_next(s->table, &c, &m))
		if (member_prefix(s, &m.key, second, &q) && overlap(&q, p))
			return true;
	return false;
}

/* What of all of a set's members has to be known is kept until any set changes. */
static const struct set_facts *facts_of(struct ofproto *o, struct set_entry *e)
{
	struct set_facts *facts = &e->facts;
	bool prefixes = set_type_has_prefixes(e->set->type);
	struct set_cursor c = {0};
	struct set_member m;

	if (facts->gen == o->sets.gen)
		return facts;
	*facts = (struct set_facts){.gen = o->sets.gen};
	while (set_table_next(e->set->table, &c, &m)) {
		facts->wide |= prefixes && m.key.len < ADMIT_BITS;
		facts->meets |= protect_keeps_out(o, e->set, &m.key);
	}
	return facts;
}

/* A member overlaps the prefix. */
static bool set_meets(struct ofproto *o, uint64_t id, bool second, const struct prefix *p)
{
	struct set_entry *e = set_entry_by_id(o, id);

	return e && facts_of(o, e)->meets && set_overlaps(e->set, second, p);
}

/* All of the prefix is in a member. */
static bool set_covers(const struct ofproto *o, uint64_t id, const struct prefix *p)
{
	const struct set_entry *e = set_entry_by_id(o, id);

	return e && set_type_has_prefixes(e->set->type) && set_contains(e->set, p);
}

bool protect_set_is_wide(struct ofproto *o, uint64_t set)
{
	struct set_entry *e = set_entry_by_id(o, set);

	return e && facts_of(o, e)->wide;
}

/* ---- What a match says of an address ------------------------------------------------------------
 */

static bool is_at(uint16_t id, const struct field *f)
{
	return id < N_FIELDS && fields[id].off == f->off && fields[id].size == f->size;
}

static bool is_set(const struct cond *c)
{
	return c->kind == COND_SET || c->kind == COND_SET_PAIR;
}

static bool names(const struct match *m, const struct field *f)
{
	const uint8_t *mask = field_in(&m->mask, f);

	for (unsigned i = 0; i < f->size; i++)
		if (mask[i])
			return true;
	for (unsigned i = 0; i < m->n_conds; i++) {
		const struct cond *c = &m->cond[i];

		if (!(c->flags & COND_NEGATED) && (is_at(c->field, f) || is_at(c->field2, f)))
			return true;
	}
	return false;
}

static bool cond_excludes(struct ofproto *o, const struct cond *c, const struct field *f,
			  const struct prefix *p)
{
	bool negated = c->flags & COND_NEGATED;
	uint64_t lo = get_be32(p->octet), hi = lo | (p->len < 32 ? UINT32_MAX >> p->len : 0);

	if (c->kind == COND_RANGE && p->size == 4)
		return negated ? lo >= c->range.lo && hi <= c->range.hi
			       : hi < c->range.lo || lo > c->range.hi;
	if (!is_set(c))
		return false;
	return negated ? c->kind == COND_SET && set_covers(o, c->set, p)
		       : !set_meets(o, c->set, !is_at(c->field, f), p);
}

/* Packets with an address of the prefix there may meet it. */
static bool hits(struct ofproto *o, const struct match *m, const struct field *f,
		 const struct prefix *p)
{
	const uint8_t *value = field_in(&m->value, f), *mask = field_in(&m->mask, f);

	for (unsigned i = 0; i < f->size; i++) {
		unsigned bits = p->len > 8 * i ? MIN(p->len - 8 * i, 8u) : 0;
		uint8_t ones = (uint8_t)(0xff00 >> bits);

		if ((value[i] ^ p->octet[i]) & mask[i] & ones)
			return false;
	}
	for (unsigned i = 0; i < m->n_conds; i++)
		if ((is_at(m->cond[i].field, f) || is_at(m->cond[i].field2, f)) &&
		    cond_excludes(o, &m->cond[i], f, p))
			return false;
	return true;
}

/* ---- Covering ----------------------------------------------------------------------------------
 */

struct pair {
	enum field_id src, dst;
	uint16_t eth_type[2]; /* 0: of the outer header */
};

static const struct pair pairs[2][2] = {
	{{FIELD_IPV4_SRC, FIELD_IPV4_DST, {ETH_P_IP, ETH_P_ARP}},
	 {FIELD_OUTER_IPV4_SRC, FIELD_OUTER_IPV4_DST, {0}}},
	{{FIELD_IPV6_SRC, FIELD_IPV6_DST, {ETH_P_IPV6, ETH_P_IPV6}},
	 {FIELD_OUTER_IPV6_SRC, FIELD_OUTER_IPV6_DST, {0}}},
};

static bool may_be_of(const struct match *m, const struct pair *pair)
{
	uint16_t type = be16toh(m->value.du.eth_type);

	return !pair->eth_type[0] || !m->mask.du.eth_type || type == pair->eth_type[0] ||
	       type == pair->eth_type[1];
}

/* What a match asks of addresses: looked at once for all that is protected. */
struct asked {
	const struct match *m;
	struct asked_pair {
		bool may_be, src, dst; /* packets of it may meet the match; what it names */
	} pair[2][2];                  /* IPv4, IPv6; in the packet, outside of it */
	bool neighbour;
	bool whole[2]; /* no address is named, and nothing narrow in the family's protocols */
	bool any;      /* it may cover something at all */
};

static struct asked ask(struct ofproto *o, const struct match *m)
{
	const struct field *nd = &fields[FIELD_IPV6_ND_TARGET];
	struct asked a = {.m = m, .neighbour = match_meets(m, nd) && names(m, nd)};
	bool named = false, narrow;

	for (unsigned v = 0; v < 2; v++)
		for (unsigned i = 0; i < 2; i++) {
			struct asked_pair *p = &a.pair[v][i];

			p->may_be = may_be_of(m, &pairs[v][i]);
			p->src = p->may_be && names(m, &fields[pairs[v][i].src]);
			p->dst = p->may_be && names(m, &fields[pairs[v][i].dst]);
			named |= p->src || p->dst;
		}
	narrow = named || match_narrowing(o, m, true) >= ADMIT_BITS;
	for (unsigned v = 0; v < 2; v++)
		a.whole[v] = !narrow && a.pair[v][0].may_be;
	a.any = named || a.neighbour || a.whole[0] || a.whole[1];
	return a;
}

/* The field by which the match covers the prefix; NULL: it does not. */
static const char *covers(struct ofproto *o, const struct asked *a, const struct prefix *p)
{
	unsigned v = p->size == 16;
	const struct field *nd = &fields[FIELD_IPV6_ND_TARGET];

	for (unsigned i = 0; i < 2; i++) {
		const struct field *src = &fields[pairs[v][i].src], *dst = &fields[pairs[v][i].dst];

		if (a->pair[v][i].src && hits(o, a->m, src, p))
			return src->name;
		if (!a->pair[v][i].src && a->pair[v][i].dst && hits(o, a->m, dst, p))
			return dst->name;
	}
	if (v && a->neighbour && hits(o, a->m, nd, p))
		return nd->name;
	if (a->whole[v] && (hits(o, a->m, &fields[pairs[v][0].src], p) ||
			    hits(o, a->m, &fields[pairs[v][0].dst], p)))
		return "match";
	return NULL;
}

static void prefix_text(const struct prefix *p, char text[SET_MEMBER_TEXT])
{
	struct set_key key = {.len = (uint8_t)p->len};

	if (p->size == 4) {
		key.word[0] = (uint64_t)get_be32(p->octet) << 32;
	} else {
		key.word[0] = get_be64(p->octet);
		key.word[1] = get_be64(p->octet + 8);
	}
	set_key_text(p->size == 4 ? SET_IPV4 : SET_IPV6, &key, text);
}

int protect_admits(struct ofproto *o, const struct flow *f, struct refusal *r)
{
	const struct asked a = ask(o, &f->match);
	struct walk w = {.o = o};
	char text[SET_MEMBER_TEXT];
	struct prefix p;

	while (a.any && next_protected(&w, &p)) {
		const char *field = covers(o, &a, &p);

		if (!field)
			continue;
		prefix_text(&p, text);
		return refuse(r, PROTECTED, field,
			      "it would cut off %s, which the set %s protects; a source that it is "
			      "not, or nw_src=!@%s,nw_dst=!@%s, would be accepted",
			      text, p.set->name, p.set->name, p.set->name);
	}
	return 0;
}

/* ---- Members -----------------------------------------------------------------------------------
 */

static int refuse_member(const struct set_entry *e, const struct set_member *m,
			 const struct flow *by, struct refusal *r)
{
	char text[SET_MEMBER_TEXT];
	struct buf flow = {0};

	set_key_text(e->set->type, &m->key, text);
	flow_format(by, &flow);
	if (e->set->protects)
		refuse(r, PROTECTED, "member",
		       "%s cannot be protected: a rule drops it; delete that first: %.140s", text,
		       buf_text(&flow));
	else if (set_type_has_prefixes(e->set->type) && m->key.len < ADMIT_BITS)
		refuse(r, TOO_WIDE, "member",
		       "%s is nearly everything, and a rule drops what is in set %s: %.140s", text,
		       e->set->name, buf_text(&flow));
	else
		refuse(r, PROTECTED, "member",
		       "%s is protected, and a rule drops what is in set %s: %.140s", text,
		       e->set->name, buf_text(&flow));
	buf_free(&flow);
	return -EINVAL;
}

/* The rule would cover a member that is to be protected. */
static bool flow_covers(struct ofproto *o, const struct flow *f, const struct set_entry *e,
			const struct set_table *t, struct set_member *m)
{
	const struct asked a = ask(o, &f->match);
	struct set_cursor c = {0};
	struct prefix p;

	while (a.any && set_table_next(t, &c, m))
		if (member_prefix(e->set, &m->key, false, &p) && covers(o, &a, &p))
			return !admit_is_default(o, f);
	return false;
}

static int admits_protected(struct ofproto *o, const struct set_entry *e, const struct set_table *t,
			    struct refusal *r)
{
	struct set_member m;

	for (unsigned i = 0; i < N_TABLES; i++)
		for (const struct entry *rule = o->flows.table[i]; rule; rule = rule->next)
			if (!rule->leaving && admit_denies(o, &rule->flow) &&
			    flow_covers(o, &rule->flow, e, t, &m))
				return refuse_member(e, &m, &rule->flow, r);
	return 0;
}

int protect_admits_members(struct ofproto *o, struct set_entry *e, const struct set_table *t,
			   struct refusal *r)
{
	const struct flow *denier = set_denier(o, e->set->id);
	struct set_cursor c = {0};
	struct set_member m;
	struct prefix p;

	if (e->set->protects && admits_protected(o, e, t, r))
		return -EINVAL;
	while (denier && set_table_next(t, &c, &m)) {
		if (!member_prefix(e->set, &m.key, false, &p))
			return 0;
		if ((p.len < ADMIT_BITS && !denier->wide) || protect_keeps_out(o, e->set, &m.key))
			return refuse_member(e, &m, denier, r);
	}
	return 0;
}
