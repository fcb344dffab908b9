/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/protect.h"

#include <linux/if_ether.h>

#include "datapath/range.h"
#include "ofproto/admit.h"
#include "ofproto/memory.h"
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
	struct walk w = {.o = o};
	struct set_cursor c = {0};
	struct set_member m;
	struct prefix p;

	if (facts->gen == o->sets.gen)
		return facts;
	*facts = (struct set_facts){.gen = o->sets.gen};
	while (!facts->wide && set_type_has_prefixes(e->set->type) &&
	       set_table_next(e->set->table, &c, &m))
		facts->wide = m.key.len < ADMIT_BITS;
	while (!facts->meets && next_protected(&w, &p))
		facts->meets = set_overlaps(e->set, false, &p) || set_overlaps(e->set, true, &p);
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

/* The field by which the pair of addresses covers the prefix; N_FIELDS: it does not. */
static enum field_id covers_by(struct ofproto *o, const struct match *m, const struct pair *pair,
			       const struct prefix *p)
{
	const struct field *src = &fields[pair->src], *dst = &fields[pair->dst];
	bool named = names(m, src);

	if (named && hits(o, m, src, p))
		return pair->src;
	if (!named && names(m, dst) && hits(o, m, dst, p))
		return pair->dst;
	return N_FIELDS;
}

/* A match of no address takes the protected's packets with the others'. */
static bool covers_all(struct ofproto *o, const struct match *m, const struct prefix *p)
{
	const struct pair *inner = &pairs[p->size == 16][0];

	if (!may_be_of(m, inner) || match_narrowing(o, m, true) >= ADMIT_BITS)
		return false;
	for (unsigned v = 0; v < 2; v++)
		for (unsigned i = 0; i < 2; i++)
			if (names(m, &fields[pairs[v][i].src]) ||
			    names(m, &fields[pairs[v][i].dst]))
				return false;
	return hits(o, m, &fields[inner->src], p) || hits(o, m, &fields[inner->dst], p);
}

static const char *covers(struct ofproto *o, const struct match *m, const struct prefix *p)
{
	const struct pair *of = pairs[p->size == 16];

	for (unsigned i = 0; i < 2; i++) {
		enum field_id by = may_be_of(m, &of[i]) ? covers_by(o, m, &of[i], p) : N_FIELDS;

		if (by != N_FIELDS)
			return fields[by].name;
	}
	if (p->size == 16 && match_meets(m, &fields[FIELD_IPV6_ND_TARGET]) &&
	    names(m, &fields[FIELD_IPV6_ND_TARGET]) && hits(o, m, &fields[FIELD_IPV6_ND_TARGET], p))
		return fields[FIELD_IPV6_ND_TARGET].name;
	return covers_all(o, m, p) ? "match" : NULL;
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
	struct walk w = {.o = o};
	char text[SET_MEMBER_TEXT];
	struct prefix p;

	while (next_protected(&w, &p)) {
		const char *field = covers(o, &f->match, &p);

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

bool protect_keeps_out(struct ofproto *o, const struct set *s, const struct set_key *key)
{
	struct walk w = {.o = o};
	struct prefix p, q[2];
	unsigned n = member_prefix(s, key, false, &q[0]);

	if (n && (s->type == SET_IPV4_IPV4 || s->type == SET_IPV6_IPV6))
		n += member_prefix(s, key, true, &q[1]);
	while (n && next_protected(&w, &p))
		for (unsigned i = 0; i < n; i++)
			if (overlap(&p, &q[i]))
				return true;
	return false;
}

/* A rule that denies and asks for addresses in the set. */
static const struct flow *denier_of(struct ofproto *o, uint64_t set)
{
	for (unsigned t = 0; t < N_TABLES; t++)
		for (const struct entry *e = o->flows.table[t]; e; e = e->next) {
			const struct match *m = &e->flow.match;

			for (unsigned i = 0; !e->leaving && i < m->n_conds; i++)
				if (is_set(&m->cond[i]) && m->cond[i].set == set &&
				    !(m->cond[i].flags & COND_NEGATED) && admit_denies(o, &e->flow))
					return &e->flow;
		}
	return NULL;
}

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

/* A rule that is there and would cover what is to be protected. */
static const struct flow *coverer_of(struct ofproto *o, const struct prefix *p)
{
	for (unsigned t = 0; t < N_TABLES; t++)
		for (const struct entry *e = o->flows.table[t]; e; e = e->next)
			if (!e->leaving && admit_denies(o, &e->flow) &&
			    covers(o, &e->flow.match, p) && !admit_is_default(o, &e->flow))
				return &e->flow;
	return NULL;
}

int protect_admits_members(struct ofproto *o, struct set_entry *e, const struct set_table *t,
			   struct refusal *r)
{
	const struct flow *denier = denier_of(o, e->set->id), *by;
	bool may_be_wide = denier && denier->wide;
	struct set_cursor c = {0};
	struct set_member m;
	struct prefix p;

	while ((e->set->protects || denier) && set_table_next(t, &c, &m)) {
		if (!member_prefix(e->set, &m.key, false, &p))
			return 0;
		by = e->set->protects ? coverer_of(o, &p) : NULL;
		if (denier &&
		    ((p.len < ADMIT_BITS && !may_be_wide) || protect_keeps_out(o, e->set, &m.key)))
			by = denier;
		if (by)
			return refuse_member(e, &m, by, r);
	}
	return 0;
}
