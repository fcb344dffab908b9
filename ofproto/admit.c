/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/admit.h"

#include <linux/if_ether.h>

#include "datapath/bpf.h"
#include "ofproto/forged.h"
#include "ofproto/protect.h"
#include "ofproto/state.h"

/* ---- How narrow ---------------------------------------------------------------------------- */

enum {
	KIND_BITS = 8,       /* a kind of packet that is neither IPv4 nor IPv6; fragments */
	CONTENT_BITS = 32,   /* what is in a set, or a program takes, is looked at by itself */
	LEN_ORDINARY = 1518, /* octets that packets have at the most, nearly everywhere */
};

/* Fields that are zero in nearly all packets, or everywhere. */
static bool is_usually_zero(enum field_id id)
{
	switch (id) {
	case FIELD_METADATA:
	case FIELD_VLAN_PCP:
	case FIELD_IP_DSCP:
	case FIELD_IP_ECN:
	case FIELD_IPV6_FLABEL:
	case FIELD_TUNNEL_ID:
	case FIELD_TUN_SRC:
	case FIELD_TUN_DST:
	case FIELD_TUN_IPV6_SRC:
	case FIELD_TUN_IPV6_DST:
	case FIELD_PKT_MARK:
	case FIELD_OUTER_VLAN_PCP:
	case FIELD_OUTER_DSCP:
	case FIELD_OUTER_ECN:
	case FIELD_OUTER_FLABEL:
	case FIELD_ESP_GAP:
	case FIELD_ESP_LATE:
	case FIELD_AGG_FLAGS:
	case FIELD_DISAGREE:
		return true;
	default:
		return id >= FIELD_REG0 && id <= FIELD_REG7;
	}
}

static bool is_zero(const uint8_t *octets, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (octets[i])
			return false;
	return true;
}

static unsigned mask_bits(const struct match *m, const struct field *f)
{
	const uint8_t *mask = field_in(&m->mask, f);
	uint8_t ones[FIELD_SIZE_MAX];
	unsigned bits = 0;

	field_ones(f, ones);
	for (unsigned i = 0; i < f->size; i++)
		bits += (unsigned)__builtin_popcount(mask[i] & ones[i]);
	return bits;
}

static unsigned field_bits(const struct match *m, enum field_id id)
{
	const struct field *f = &fields[id];
	const uint8_t *value = field_in(&m->value, f);
	unsigned bits = mask_bits(m, f);

	if (is_usually_zero(id))
		return is_zero(value, f->size) ? 0 : MAX(bits, (unsigned)KIND_BITS);
	switch (id) {
	case FIELD_ETH_TYPE:
		return get_be16(value) == ETH_P_IP || get_be16(value) == ETH_P_IPV6 ? 0 : KIND_BITS;
	case FIELD_IP_FRAG:
		return *value ? KIND_BITS : 0;
	case FIELD_VLAN_VID:
	case FIELD_OUTER_VLAN_VID:
	case FIELD_OUTER_QINQ_VID:
		if (is_zero(value, f->size)) /* no tag */
			return 0;
		return bits - !!(get_be16(field_in(&m->mask, f)) & OFPVID_PRESENT);
	case FIELD_OUTER_IP_VERSION:
	case FIELD_OUTER_DF:
	case FIELD_CONN_AUTH:
	case FIELD_MPLS_BOS:
		return 0;
	default:
		return bits;
	}
}

/* How often the span is halved until as little is left. */
static unsigned halvings(uint64_t span, uint64_t left)
{
	uint64_t times = left ? span / left : span;

	return times ? 63u - (unsigned)__builtin_clzll(times) : 0;
}

/* Values from lo to hi. */
static uint64_t n_values(uint64_t lo, uint64_t hi)
{
	return lo > hi ? 0 : hi - lo + (hi - lo != UINT64_MAX);
}

/* What is everywhere: TCP, UDP and ICMP of both families, behind an Ethernet header. */
static const uint8_t ordinary[][78] = {
#define ETHERNET(TYPE) 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, (TYPE) >> 8, (TYPE)&0xff
#define IPV4(PROTO)                                                                                \
	ETHERNET(ETH_P_IP), 0x45, 0, 0, 64, 0, 1, 0x40, 0, 64, PROTO, 0, 0, 192, 0, 2, 7, 198, 51, \
		100, 9
#define IPV6(PROTO)                                                                               \
	ETHERNET(ETH_P_IPV6), 0x60, 0, 0, 0, 0, 24, PROTO, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, \
		0, 0, 0, 0, 0, 0, 7, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9
	{IPV4(6), 0xc0, 1, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0},
	{IPV4(17), 0xc0, 1, 0, 53, 0, 44},
	{IPV4(1), 8},
	{IPV6(6), 0xc0, 1, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0},
	{IPV6(17), 0xc0, 1, 0, 53, 0, 24},
	{IPV6(58), 128},
};

/* The program takes all of one family's. */
static bool takes_the_ordinary(const struct cond *c)
{
	unsigned n = ARRAY_SIZE(ordinary) / 2, size = sizeof ordinary[0];
	unsigned skip = c->flags & COND_OUTER ? 0 : ETH_HLEN, taken[2] = {0};

	for (unsigned i = 0; i < 2 * n; i++)
		taken[i / n] += bpf_run(c->bpf, ordinary[i] + skip, size - skip, size - skip);
	return taken[0] == n || taken[1] == n;
}

static unsigned cond_bits(struct ofproto *o, const struct cond *c)
{
	uint64_t lo, hi, span, within;

	if (c->kind != COND_RANGE)
		return c->flags & COND_NEGATED || (c->kind == COND_BPF && takes_the_ordinary(c)) ||
				       (c->kind == COND_SET && protect_set_is_wide(o, c->set))
			       ? 0
			       : CONTENT_BITS;
	field_span(cond_field(c), &lo, &hi);
	if (hi == PKT_LEN_MAX || hi == IP_LEN_MAX)
		hi = LEN_ORDINARY;
	span = n_values(lo, hi);
	within = n_values(MAX(lo, c->range.lo), MIN(hi, c->range.hi));
	return halvings(span, c->flags & COND_NEGATED ? span - within : within);
}

unsigned match_narrowing(struct ofproto *o, const struct match *m, bool in_kind)
{
	struct field_set set = match_fields(m);
	unsigned bits = 0;

	for (unsigned i = 0; i < N_FIELDS; i++)
		if (field_set_has(&set, i) &&
		    !(in_kind && (i == FIELD_ETH_TYPE || i == FIELD_IP_PROTO)))
			bits += field_bits(m, i);
	for (unsigned i = 0; i < m->n_conds; i++)
		bits += cond_bits(o, &m->cond[i]);
	return bits;
}

/* ---- What it does to them -------------------------------------------------------------------- */

static const struct group_spec *instead; /* of the group with its id, while admit_group() asks */
static uint64_t walk;                    /* so that each group is looked at once */

static bool walk_ops(const struct ofproto *o, const struct buf *ops);

static bool walk_group(const struct ofproto *o, uint32_t id)
{
	struct group_entry *g = group_entry_find(o, id);
	const struct group_spec *spec;

	if (!g || g->walked == walk)
		return false;
	g->walked = walk;
	spec = instead && instead->id == id ? instead : &g->spec;
	for (unsigned i = 0; i < spec->n_buckets; i++)
		if (walk_ops(o, &spec->bucket[i].actions))
			return true;
	return false;
}

static bool walk_ops(const struct ofproto *o, const struct buf *ops)
{
	OP_FOR_EACH(op, ops->data, ops->size)
	{
		const struct action_class *class = action_class(op->kind);

		if (op->kind == ACTION_GROUP ? walk_group(o, op->arg)
					     : class->outputs && !class->ends)
			return true;
	}
	return false;
}

/* Some of them take a packet on, at once or by a group that does. */
static bool ops_let_on(const struct ofproto *o, const struct buf *ops)
{
	walk++;
	return walk_ops(o, ops);
}

bool admit_denies(const struct ofproto *o, const struct flow *f)
{
	const struct instructions *i = &f->instructions;

	if (i->has_goto)
		return false;
	return f->table == TABLE_GUARD || (!ops_let_on(o, &i->apply) && !ops_let_on(o, &i->write));
}

/* A rule of a table before it fills the action set, which is run where the path ends. */
static bool ends_an_action_set(const struct ofproto *o, const struct flow *f)
{
	if (f->instructions.clear || f->table == TABLE_GUARD)
		return false;
	for (unsigned t = 0; t < f->table; t++)
		for (const struct entry *e = o->flows.table[t]; e; e = e->next)
			if (!e->leaving && ops_let_on(o, &e->flow.instructions.write))
				return true;
	return false;
}

/* What its table does with what no other rule took: the table's miss, or what stands in its place
 * below all rules that let packets on. */
bool admit_is_default(const struct ofproto *o, const struct flow *f)
{
	bool has_exceptions = false, needs_some = !f->table;

	if (f->table == TABLE_GUARD)
		return false;
	if (!f->priority)
		return true;
	for (const struct entry *e = o->flows.table[f->table]; e; e = e->next) {
		if (e->leaving || e->flow.priority == f->priority || admit_denies(o, &e->flow) ||
		    !match_overlaps(&e->flow.match, &f->match))
			continue;
		if (e->flow.priority > f->priority)
			has_exceptions = true;
		else if (e->flow.priority)
			return false;
		else
			needs_some = true;
	}
	return has_exceptions || !needs_some;
}

/* ---- Policy ------------------------------------------------------------------------------- */

static bool may_be_wide(const struct ofproto *o, const struct flow *f)
{
	switch (o->settings.wide_drop) {
	case WIDE_DROP_ANY:
		return true;
	case WIDE_DROP_ASKED:
		return f->wide && f->origin == ORIGIN_CLI;
	default:
		return false;
	}
}

static int refuse_wide(const struct ofproto *o, const struct flow *f, struct refusal *r)
{
	const char *way = o->settings.wide_drop == WIDE_DROP_NEVER
				  ? "set-switch wide-drop=asked lets the operator say wide=yes"
			  : f->origin == ORIGIN_CLI ? "wide=yes in the rule says that it is meant"
						    : "set-switch wide-drop=any would let it be";
	struct buf match = {0};

	match_format(&f->match, &match);
	refuse(r, TOO_WIDE, "match",
	       "%.80s may be nearly all traffic, and the rule lets none of it on; an address (of "
	       "at "
	       "least /%d), a port or a connection would be accepted, or priority=0 of an OpenFlow "
	       "table; %s",
	       match.size ? buf_text(&match) : "everything", ADMIT_BITS, way);
	buf_free(&match);
	return -EINVAL;
}

int admit(struct ofproto *o, const struct flow *f, struct refusal *r)
{
	struct refusal why = {0};
	bool wide;

	if (f->wide && f->origin != ORIGIN_CLI)
		return refuse(r, NOT_PERMITTED, "wide", "wide=yes is for the operator to say");
	if (forged_admit(o, f, r))
		return -EINVAL;
	if (!admit_denies(o, f))
		return 0;
	wide = match_narrowing(o, &f->match, false) < ADMIT_BITS && !may_be_wide(o, f);
	if ((!wide && !protect_admits(o, f, &why)) || admit_is_default(o, f) ||
	    ends_an_action_set(o, f))
		return 0;
	if (wide)
		return refuse_wide(o, f, r);
	if (r)
		*r = why;
	return -EINVAL;
}

int admit_covered(struct ofproto *o, const struct flow_mod *fm, struct refusal *r)
{
	const struct flow f = {.match = fm->match,
			       .instructions = fm->instructions,
			       .table = fm->table,
			       .origin = fm->origin,
			       .wide = fm->wide};

	if (!admit_denies(o, &f) || match_narrowing(o, &f.match, false) >= ADMIT_BITS ||
	    may_be_wide(o, &f))
		return 0;
	for (const struct entry *e = o->flows.table[fm->table]; e; e = e->next)
		if (!e->leaving && !admit_denies(o, &e->flow) &&
		    !((e->flow.cookie ^ fm->cookie) & fm->cookie_mask) &&
		    match_covers(&fm->match, &e->flow.match))
			return refuse_wide(o, &f, r);
	return 0;
}

static bool group_lets_on(const struct ofproto *o, uint32_t id)
{
	walk++;
	return walk_group(o, id);
}

/* It let packets on and will not, and the rule may not be so. */
static int admit_user(struct ofproto *o, const struct group_spec *spec, const struct flow *f,
		      struct refusal *why)
{
	bool denied = admit_denies(o, f);
	int error;

	instead = spec;
	error = !denied && admit_denies(o, f) ? admit(o, f, why) : 0;
	instead = NULL;
	return error;
}

int admit_group(struct ofproto *o, const struct group_spec *spec, struct refusal *r)
{
	bool did = group_lets_on(o, spec->id), does;
	struct refusal why = {0};

	instead = spec;
	does = group_lets_on(o, spec->id);
	instead = NULL;
	if (!did || does)
		return 0;
	for (unsigned t = 0; t < N_TABLES; t++)
		for (const struct entry *e = o->flows.table[t]; e; e = e->next)
			if (!e->leaving && instructions_group_to(&e->flow.instructions, OFPG_ANY) &&
			    admit_user(o, spec, &e->flow, &why))
				return refuse(
					r, GROUP_DENIES, "bucket",
					"group %u: no bucket would let a packet on, and a rule "
					"leads to it: %.200s",
					spec->id, why.text);
	return 0;
}
