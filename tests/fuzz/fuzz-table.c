/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a rule table: rules of any masks, priorities and ranges come, are replaced, go and
 * are given up, in versions, and lookups say what the list of rules says; by the table, by its own
 * linear walk, and by match_met() here.  What no rule looks at (shape.h) changes no answer.
 *
 * The first octets choose the eight words of a key that rules look at; after them an octet chooses
 * what happens. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(so) ((so) ? (void)0 : fail(__LINE__, #so))

static void fail(int line, const char *what)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

enum { WORDS = 8, LIST = 256, EVENTS = 512, BURSTS = 3, BURST = 100 };

struct listed {
	struct rule *rule;
	struct match match;
};

static struct {
	struct reader octets;
	uint64_t dice; /* 0: all is said by the octets */
	struct table *table;
	struct shapes shapes;
	struct listed list[LIST];
	unsigned n;
	uint64_t version;
	uint32_t next_id;
	uint8_t word[WORDS];
} l;

static uint64_t some_u64(void)
{
	if (!l.dice)
		return pull_u64(&l.octets);
	l.dice ^= l.dice << 13;
	l.dice ^= l.dice >> 7;
	return l.dice ^= l.dice << 17;
}

static unsigned choose(unsigned n)
{
	return (l.dice ? (unsigned)(some_u64() >> 32) : pull_u8(&l.octets)) % n;
}

/* ---- Matches and keys ---------------------------------------------------------------------- */

/* Few values, so that rules and packets meet; all bits take part. */
static uint64_t few_values(void)
{
	static const uint64_t values[] = {
		0, UINT64_MAX, 0x0123456789abcdef, 0x0101010101010101, 0xfedcba9876543210, 1};
	unsigned which = choose(8);

	return which < ARRAY_SIZE(values) ? values[which] : some_u64();
}

static uint64_t some_mask(void)
{
	unsigned bits = choose(65);

	switch (choose(5)) {
	case 0:
		return UINT64_MAX;
	case 1:
		return bits ? ~(UINT64_MAX >> (bits - 1) >> 1) : 0;
	case 2:
		return 1ull << bits % 64;
	case 3:
		return 0xffffffffull << bits % 33;
	default:
		return some_u64();
	}
}

static bool has_ranges(const struct field *f)
{
	return f->bits > 1 && f->bits <= 64 &&
	       (f->text == TEXT_DECIMAL || f->text == TEXT_HEX || f->text == TEXT_VLAN ||
		f->text == TEXT_IPV4);
}

/* Of a word that rules look at. */
static const struct field *some_field(void)
{
	unsigned first = choose(N_FIELDS), word = l.word[choose(WORDS)];

	for (unsigned i = 0; i < N_FIELDS; i++) {
		const struct field *f = &fields[(first + i) % N_FIELDS];

		if (f->off / 8 == word && has_ranges(f))
			return f;
	}
	return &fields[first];
}

/* A range as FLOW text would give it; one that says nothing, or is there already, is left out. */
static void add_range(struct match *m)
{
	const struct field *f = some_field();
	uint64_t lo, hi, span, a = choose(256), b = choose(256);
	struct cond c = {.kind = COND_RANGE, .field = (uint16_t)(f - fields)};

	if (!has_ranges(f))
		return;
	field_span(f, &lo, &hi);
	span = hi - lo;
	c.flags = choose(4) ? 0 : COND_NEGATED;
	c.field2 = N_FIELDS;
	c.range.lo = lo + (span < 256 ? MIN(MIN(a, b), span) : MIN(a, b) * (span / 256));
	c.range.hi = lo + (span < 256 ? MIN(MAX(a, b), span) : MAX(a, b) * (span / 256));
	if (c.range.lo > lo || c.range.hi < hi)
		match_add_cond(m, &c, NULL);
}

static void some_match(struct match *m)
{
	*m = (struct match){0};
	for (unsigned n = choose(4); n; n--) {
		unsigned word = l.word[choose(WORDS)];
		uint64_t mask = some_mask();

		((uint64_t *)&m->mask)[word] = mask;
		((uint64_t *)&m->value)[word] = few_values() & mask;
	}
	for (unsigned n = choose(8); n > 5; n--)
		add_range(m);
}

/* Near an end of the range. */
static void meet_range(struct key *k, const struct cond *c)
{
	const struct field *f = &fields[c->field];
	uint64_t n = (choose(2) ? c->range.lo : c->range.hi) + choose(3) - 1;

	for (unsigned i = 0; i < f->size; i++)
		((uint8_t *)k)[f->off + i] = (uint8_t)(n >> 8 * (f->size - 1u - i));
}

/* Of few values, or as a rule wants it. */
static void some_key(struct key *k)
{
	uint64_t *word = (uint64_t *)k, rest = few_values();
	const struct listed *like = l.n && choose(4) ? &l.list[choose(l.n)] : NULL;

	for (unsigned i = 0; i < KEY_WORDS; i++)
		word[i] = rest;
	for (unsigned i = 0; i < WORDS; i++)
		word[l.word[i]] = few_values();
	for (unsigned i = 0; like && i < KEY_WORDS; i++) {
		word[i] &= ~((const uint64_t *)&like->match.mask)[i];
		word[i] |= ((const uint64_t *)&like->match.value)[i];
	}
	for (unsigned i = 0; like && i < like->match.n_conds; i++)
		meet_range(k, &like->match.cond[i]);
}

/* ---- Lookups --------------------------------------------------------------------------------- */

static bool beats(const struct rule *a, const struct rule *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->add_version != b->add_version ? a->add_version < b->add_version : a->id < b->id;
}

static const struct rule *by_list(const struct key *k, uint64_t version)
{
	const struct key_view view = key_view_of(&k->du, &k->outer);
	const struct rule *best = NULL;

	for (unsigned i = 0; i < l.n; i++) {
		const struct rule *r = l.list[i].rule;

		if (rule_visible(r, version) && (!best || beats(r, best)) &&
		    match_hits(&l.list[i].match, &view))
			best = r;
	}
	return best;
}

static const struct rule *by_table(const struct key *k, uint64_t version)
{
	struct probe probe = {.key = key_view_of(&k->du, &k->outer), .version = version};

	return table_lookup(l.table, &probe);
}

static void look_up(uint64_t version)
{
	struct key k;
	struct probe probe = {.key = key_view_of(&k.du, &k.outer), .version = version};
	const struct key_shape *shape = l.shapes.published;
	uint64_t *word = (uint64_t *)&k, garbage;
	const struct rule *r;

	some_key(&k);
	r = by_list(&k, version);
	must(by_table(&k, version) == r);
	must(table_lookup_linear(l.table, &probe) == r);
	garbage = few_values();
	for (unsigned i = 0, at = 0; i < KEY_WORDS; i++) {
		uint64_t seen = 0;

		if (at < shape->n_words && shape->at[at] == i)
			seen = shape->mask[at++];
		word[i] = (word[i] & seen) | (garbage & ~seen);
	}
	must(by_table(&k, version) == r);
}

/* ---- Changes --------------------------------------------------------------------------------- */

static void insert(const struct match *m, int32_t priority)
{
	struct rule *r;

	if (l.n == LIST || table_admits(l.table, m, NULL))
		return;
	r = rule_create(m, priority, l.next_id++ % RULE_IDS, NULL);
	r->add_version = l.version + 1;
	table_insert(l.table, r, m);
	l.list[l.n++] = (struct listed){r, *m};
}

/* One that no change has taken out yet. */
static struct listed *living(void)
{
	struct listed *one = l.n ? &l.list[choose(l.n)] : NULL;

	return one && one->rule->remove_version == VERSION_NEVER ? one : NULL;
}

static void replace(void)
{
	const struct listed *one = living();
	struct match m;

	if (!one || l.n == LIST)
		return;
	m = one->match;
	rcu_set(one->rule->remove_version, l.version + 1);
	insert(&m, one->rule->priority);
}

static void take_out(unsigned i)
{
	table_remove(l.table, l.list[i].rule);
	rule_destroy(l.list[i].rule);
	l.list[i] = l.list[--l.n];
}

/* The change in the making is published, or it failed; then nobody reads the version before. */
static void end_change(bool failed)
{
	if (!failed)
		l.version++;
	look_up(failed ? l.version : l.version - 1);
	for (unsigned i = 0; i < l.n;) {
		struct rule *r = l.list[i].rule;

		if (failed && r->remove_version == l.version + 1)
			rcu_set(r->remove_version, VERSION_NEVER);
		if (failed ? r->add_version > l.version : r->remove_version <= l.version)
			take_out(i);
		else
			i++;
	}
	must(table_n_rules(l.table) == l.n);
	look_up(l.version);
}

static void insert_any(void)
{
	struct match m;

	some_match(&m);
	insert(&m, (int32_t)choose(8));
}

static void event(void)
{
	struct listed *one;
	struct match m;

	switch (choose(8)) {
	case 0:
	case 1:
		insert_any();
		break;
	case 2: /* another one beside it */
		if ((one = living())) {
			m = one->match;
			insert(&m, (int32_t)choose(8));
		}
		break;
	case 3:
		replace();
		break;
	case 4:
		if ((one = living()))
			rcu_set(one->rule->remove_version, l.version + 1);
		break;
	case 5:
		end_change(!choose(4));
		break;
	default:
		look_up(l.version + choose(2));
	}
}

/* Many events by dice, so that few octets make a table of many masks. */
static void burst(void)
{
	l.dice = 1 + pull_u16(&l.octets);
	for (unsigned n = 0; n < BURST; n++)
		if (choose(3))
			insert_any();
		else
			event();
	l.dice = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	l.octets = reader_of(data, size);
	l.n = 0;
	l.version = 1;
	for (unsigned i = 0; i < WORDS; i++) {
		unsigned word = choose(DU_WORDS + OUTER_WORDS);

		l.word[i] = (uint8_t)(word < DU_WORDS ? word : OUTER_WORD + word - DU_WORDS);
	}
	shapes_init(&l.shapes);
	l.table = table_create();
	table_share(l.table, &l.shapes);
	for (unsigned i = 0, bursts = 0; i < EVENTS && reader_left(&l.octets); i++)
		if (choose(8) || bursts++ >= BURSTS)
			event();
		else
			burst();
	end_change(false);
	while (l.n)
		take_out(l.n - 1);
	must(!table_n_rules(l.table) && !table_n_masks(l.table) && !l.shapes.published->n_words);
	table_destroy(l.table);
	shapes_destroy(&l.shapes);
	rcu_barrier();
	return 0;
}
