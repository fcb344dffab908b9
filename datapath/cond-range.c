/* SPDX-License-Identifier: Apache-2.0 */
/* A range of a number: `udp_dst=1000-1999`, `pkt_len=0-63`, `nw_src=10.0.0.1-10.0.0.9`; negated
 * `!1000-1999`, and of one value or prefix `!80`, `!10.0.0.0/8`.
 *
 * All fields of up to 64 bits that are numbers or IPv4 addresses have ranges.  Sets of bits
 * (tcp_flags, ip_frag, agg_flags, disagree) have masks instead, ports of the switch names. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "datapath/range.h"
#include "lib/addr.h"
#include "lib/openflow.h"
#include "lib/options.h"

static bool holds(const struct cond *c, struct probe *s)
{
	const struct field *f = &fields[c->field];
	uint64_t n = field_number(f, field_at(&s->key, f));

	return n >= c->range.lo && n <= c->range.hi;
}

static bool has_ranges(const struct field *f)
{
	switch ((enum field_id)(f - fields)) {
	case FIELD_TCP_FLAGS:
	case FIELD_AGG_FLAGS:
	case FIELD_DISAGREE:
		return false;
	default:
		break;
	}
	switch (f->text) {
	case TEXT_DECIMAL:
	case TEXT_HEX:
	case TEXT_VLAN:
		return f->bits > 1 && f->bits <= 64;
	case TEXT_IPV4:
		return true;
	default:
		return false;
	}
}

/* ---- Text -------------------------------------------------------------------------------- */

static bool parse_end(const struct field *f, const char *text, uint64_t *n)
{
	struct ip ip;

	if (f->text != TEXT_IPV4)
		return !parse_u64(text, n);
	if (!ip_parse(text, &ip) || ip.family != 4)
		return false;
	*n = get_be32(ip.octet);
	return true;
}

static void format_end(const struct field *f, uint64_t n, struct buf *text)
{
	if (f->text == TEXT_IPV4)
		buf_printf(text, "%u.%u.%u.%u", (unsigned)(n >> 24), (unsigned)(n >> 16 & 255),
			   (unsigned)(n >> 8 & 255), (unsigned)(n & 255));
	else
		buf_printf(text, f->text == TEXT_DECIMAL ? "%" PRIu64 : "0x%" PRIx64, n);
}

static int bad_range(const struct field *f, const char *value, struct refusal *r)
{
	uint64_t lo, hi;
	struct buf ends = {0};
	int error;

	field_span(f, &lo, &hi);
	format_end(f, lo, &ends);
	buf_printf(&ends, " to ");
	format_end(f, hi, &ends);
	error = refuse(r, BAD_VALUE, f->name,
		       "%s: '%.48s' is no range; LO-HI within %s, the smaller one first, would be "
		       "accepted",
		       f->name, value, buf_text(&ends));
	buf_free(&ends);
	return error;
}

/* One value or, of an address, a prefix: what a `!` may stand before. */
static bool parse_single(const struct field *f, const char *text, struct cond *c)
{
	uint8_t value[FIELD_SIZE_MAX], mask[FIELD_SIZE_MAX];
	uint64_t ones = f->bits < 64 ? (1ull << f->bits) - 1 : UINT64_MAX, w;

	if (field_parse(f, text, value, mask, NULL))
		return false;
	w = field_number(f, mask);
	c->range.lo = field_number(f, value);
	c->range.hi = c->range.lo | (ones & ~w);
	return !((ones & ~w) & ((ones & ~w) + 1)); /* a prefix */
}

/* Whether the range can hold and be missed; cuts off what no packet has. */
static int check_range(const struct field *f, const char *value, struct cond *c, struct refusal *r)
{
	uint64_t lo, hi;

	field_span(f, &lo, &hi);
	if (c->range.lo > c->range.hi)
		return bad_range(f, value, r);
	if (c->range.lo > hi || c->range.hi < lo)
		return refuse(r, BAD_VALUE, f->name,
			      "no packet has a %s in %.48s; from %" PRIu64 " to %" PRIu64
			      " would be accepted",
			      f->name, value, lo, hi);
	if (c->range.lo <= lo && c->range.hi >= hi)
		return refuse(
			r, BAD_VALUE, f->name,
			c->flags & COND_NEGATED
				? "%s: nothing is outside of %.48s; a smaller range would be "
				  "accepted"
				: "%s: %.48s is every value there is; leaving it out would be "
				  "accepted",
			f->name, value);
	c->range.lo = MAX(c->range.lo, lo);
	c->range.hi = MIN(c->range.hi, hi);
	return 0;
}

static int parse(const struct field *f, const char *value, struct cond *c, struct refusal *r)
{
	const char *dash = strchr(value, '-');
	uint64_t ones;
	char head[32];

	if (!has_ranges(f) || *value == '@')
		return -ENOENT;
	if (!dash) {
		if (!(c->flags & COND_NEGATED))
			return -ENOENT;
		if (!parse_single(f, value, c))
			return refuse(r, BAD_VALUE, f->name,
				      "%s: '!%.48s' is no value to exclude; !VALUE, !LO-HI or, of "
				      "addresses, !PREFIX would be accepted",
				      f->name, value);
		return check_range(f, value, c, r);
	}
	ones = f->bits < 64 ? (1ull << f->bits) - 1 : UINT64_MAX;
	if (dash == value || (size_t)(dash - value) >= sizeof head)
		return bad_range(f, value, r);
	snprintf(head, sizeof head, "%.*s", (int)(dash - value), value);
	if (!parse_end(f, head, &c->range.lo) || !parse_end(f, dash + 1, &c->range.hi) ||
	    c->range.hi > ones)
		return bad_range(f, value, r);
	return check_range(f, value, c, r);
}

static void format(const struct cond *c, struct buf *text)
{
	const struct field *f = &fields[c->field];

	format_end(f, c->range.lo, text);
	if (c->range.lo == c->range.hi)
		return;
	buf_printf(text, "-");
	format_end(f, c->range.hi, text);
}

/* ---- OXM --------------------------------------------------------------------------------- */

static int get(struct cond *c, struct reader *body, struct refusal *r)
{
	const struct field *f = &fields[c->field];
	uint64_t end[2] = {0};
	struct buf said = {0};
	int error;

	if (!has_ranges(f))
		return refuse(r, BAD_VALUE, f->name, "%s has no ranges; values %swould be accepted",
			      f->name, f->mask == MASK_FULL ? "and masks " : "");
	if (reader_left(body) != 2u * f->size)
		return refuse(r, MATCH_LEN, f->name,
			      "a range of %s has %zu octets of ends; %u would be accepted", f->name,
			      reader_left(body), 2u * f->size);
	for (unsigned i = 0; i < 2; i++)
		end[i] = field_number(f, pull(body, f->size));
	c->range.lo = end[0];
	c->range.hi = end[1];
	format(c, &said);
	error = f->bits < 64 && end[1] >> f->bits ? bad_range(f, buf_text(&said), r)
						  : check_range(f, buf_text(&said), c, r);
	buf_free(&said);
	return error;
}

static bool put(const struct cond *c, struct buf *wire)
{
	const struct field *f = &fields[c->field];

	for (unsigned i = f->size; i--;)
		buf_u8(wire, (uint8_t)(c->range.lo >> i * 8));
	for (unsigned i = f->size; i--;)
		buf_u8(wire, (uint8_t)(c->range.hi >> i * 8));
	return true;
}

/* ---- What a match allows ------------------------------------------------------------------- */

static uint64_t ones_of(const struct field *f)
{
	return f->bits < 64 ? (1ull << f->bits) - 1 : UINT64_MAX;
}

void allowed_by_bits(struct allowed *a, const struct match *m, const struct field *f)
{
	uint64_t mask = field_number(f, field_in(&m->mask, f)) & ones_of(f);
	uint64_t value = field_number(f, field_in(&m->value, f)) & mask;

	a->lo = MAX(a->lo, value);
	a->hi = MIN(a->hi, value | (ones_of(f) & ~mask));
}

static void add_hole(struct allowed *a, uint64_t lo, uint64_t hi)
{
	unsigned at = a->n;

	if (a->n == ARRAY_SIZE(a->hole))
		return; /* more holes than two matches have */
	for (; at && a->hole[at - 1].lo > lo; at--)
		a->hole[at] = a->hole[at - 1];
	a->hole[at].lo = lo;
	a->hole[at].hi = hi;
	a->n++;
}

/* Holes that touch become one, those at an end move it, those outside go. */
static void tidy(struct allowed *a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n; i++) {
		uint64_t lo = a->hole[i].lo, hi = a->hole[i].hi;

		if (n && lo <= a->hole[n - 1].hi + (a->hole[n - 1].hi != UINT64_MAX)) {
			a->hole[n - 1].hi = MAX(a->hole[n - 1].hi, hi);
		} else {
			a->hole[n].lo = lo;
			a->hole[n++].hi = hi;
		}
	}
	a->n = n;
	n = 0;
	for (unsigned i = 0; i < a->n && !allowed_none(a); i++) {
		uint64_t lo = a->hole[i].lo, hi = a->hole[i].hi;

		if (hi < a->lo || lo > a->hi)
			continue;
		if (lo <= a->lo && hi >= a->hi) {
			a->lo = 1;
			a->hi = 0;
		} else if (lo <= a->lo) {
			a->lo = hi + 1;
		} else if (hi >= a->hi) {
			a->hi = lo - 1;
		} else {
			a->hole[n].lo = lo;
			a->hole[n++].hi = hi;
		}
	}
	a->n = n;
}

static bool is_range_of(const struct cond *c, const struct field *f)
{
	return c->kind == COND_RANGE && fields[c->field].off == f->off &&
	       fields[c->field].size == f->size;
}

void allowed_by_ranges(struct allowed *a, const struct match *m, const struct field *f)
{
	for (unsigned i = 0; i < m->n_conds; i++) {
		const struct cond *c = &m->cond[i];

		if (!is_range_of(c, f))
			continue;
		if (c->flags & COND_NEGATED) {
			add_hole(a, c->range.lo, c->range.hi);
		} else {
			a->lo = MAX(a->lo, c->range.lo);
			a->hi = MIN(a->hi, c->range.hi);
		}
	}
	tidy(a);
}

bool allowed_within(const struct allowed *a, const struct cond *range)
{
	uint64_t lo = MAX(a->lo, range->range.lo), hi = MIN(a->hi, range->range.hi);

	if (allowed_none(a))
		return true;
	if (!(range->flags & COND_NEGATED))
		return lo == a->lo && hi == a->hi;
	if (lo > hi)
		return true;
	for (unsigned i = 0; i < a->n; i++)
		if (a->hole[i].lo <= lo && a->hole[i].hi >= hi)
			return true;
	return false;
}

/* ---- The one form -------------------------------------------------------------------------- */

static void forget_ranges(struct match *m, const struct field *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_conds; i++)
		if (!is_range_of(&m->cond[i], f))
			m->cond[n++] = m->cond[i];
	memset(m->cond + n, 0, (m->n_conds - n) * sizeof m->cond[0]);
	m->n_conds = n;
}

static void set_bits(struct match *m, const struct field *f, uint64_t value, uint64_t mask)
{
	uint8_t *v = (uint8_t *)&m->value + f->off, *w = (uint8_t *)&m->mask + f->off;
	uint64_t others = ~ones_of(f);

	for (unsigned i = f->size; i--; value >>= 8, mask >>= 8, others >>= 8) {
		v[i] = (uint8_t)(value | (v[i] & others));
		w[i] = (uint8_t)(mask | (w[i] & others));
	}
}

static void add_range(struct match *m, const struct field *f, struct cond c)
{
	c.kind = COND_RANGE;
	c.field = (uint16_t)(f - fields);
	c.field2 = N_FIELDS;
	match_add_cond(m, &c, NULL);
}

static int finish_field(struct match *m, const struct field *f, struct refusal *r)
{
	uint64_t mask = field_number(f, field_in(&m->mask, f)) & ones_of(f), block;
	struct allowed bits = {0}, a;

	field_span(f, &bits.lo, &bits.hi);
	allowed_by_bits(&bits, m, f);
	a = bits;
	allowed_by_ranges(&a, m, f);
	/* One value is left, and bits that are no prefix forbid it. */
	if (a.lo == a.hi && (a.lo & mask) != (field_number(f, field_in(&m->value, f)) & mask))
		a.lo = a.hi + 1;
	if (allowed_none(&a))
		return refuse(r, BAD_VALUE, f->name,
			      "%s: no value meets all that is asked of it; ranges that share one "
			      "would be accepted",
			      f->name);
	forget_ranges(m, f);
	if (a.lo == a.hi) {
		set_bits(m, f, a.lo, ones_of(f));
		return 0;
	}
	block = a.hi - a.lo;
	if (!mask && !a.n && f->mask == MASK_FULL && !(block & (block + 1)) && !(a.lo & block)) {
		set_bits(m, f, a.lo, ones_of(f) & ~block);
		return 0;
	}
	if (a.lo != bits.lo || a.hi != bits.hi)
		add_range(m, f, (struct cond){.range = {a.lo, a.hi}});
	for (unsigned i = 0; i < a.n; i++)
		add_range(m, f,
			  (struct cond){.flags = COND_NEGATED,
					.range = {a.hole[i].lo, a.hole[i].hi}});
	return 0;
}

int ranges_finish(struct match *m, struct refusal *r)
{
	const struct match said = *m;

	if (!m->n_conds)
		return 0;
	for (unsigned i = 0; i < said.n_conds; i++) {
		const struct field *f = cond_field(&said.cond[i]);
		int error;

		if (said.cond[i].kind != COND_RANGE)
			continue;
		if (f == &fields[FIELD_VLAN_VID] && !m->mask.du.vlan_vid) {
			m->value.du.vlan_vid = htobe16(OFPVID_PRESENT);
			m->mask.du.vlan_vid = htobe16(OFPVID_PRESENT);
		}
		error = finish_field(m, f, r);
		if (error)
			return error;
	}
	return 0;
}

void ranges_imply(struct match *m)
{
	for (unsigned i = 0; i < m->n_conds; i++) {
		const struct cond *c = &m->cond[i];
		const struct field *f = cond_field(c);
		uint64_t differ, mask, had, value;

		if (c->kind != COND_RANGE || c->flags & COND_NEGATED)
			continue;
		differ = c->range.lo ^ c->range.hi;
		mask = differ ? ones_of(f) & ~(UINT64_MAX >> __builtin_clzll(differ)) : ones_of(f);
		had = field_number(f, field_in(&m->mask, f)) & ones_of(f);
		value = field_number(f, field_in(&m->value, f)) & had;
		set_bits(m, f, value | (c->range.lo & mask & ~had), had | mask);
	}
}

const struct cond_class cond_range = {
	.name = "range",
	.oxm = SLUICE_OXM_RANGE,
	.holds = holds,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
};
