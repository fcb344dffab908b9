/* SPDX-License-Identifier: Apache-2.0 */
/* A set's members: slots of words, probed linearly.
 *
 * A slot's first word is zero while it is free, and is stored last.
 *
 *	plain:     last word of the node's key, with a tag | its other words | bitmap
 *	extended:  end (48 bits), length, tag | the key's words | packets | octets
 *
 * A *node* of a plain set is what its slot's bitmap is of.  Of prefixes: those of lengths base to
 * base + 5 that begin with the node's `base` bits: bit 2^d - 1 + b is the prefix of length base + d
 * whose d bits behind the base are b.  Levels are laid so that the last one ends at 32 (128): base
 * is 6 * level - 3, and level 0 has the lengths 0 to 2.  Of other values: the 64 that differ in the
 * last six bits.  The tag (level + 1, or 1) takes those bits' place in the key. */
#include <errno.h>
#include <stdlib.h>

#include "datapath/set.h"
#include "lib/hash.h"

enum {
	SLOTS_LEAST = 16,
	LENGTHS = 129,
	NODE_BITS = 6,
	TAG_BITS = 16,    /* of an extended slot's first word: length and tag */
	REFRESH_MS = 100, /* a member's end is not written more often than so */
};

/* New tables are filled to 6/10, and made anew when they are filled to 2/3. */
#define SLOTS_FOR(n)      ((n)*10 / 6)
#define SLOTS_FULL(slots) ((uint64_t)(slots)*2 / 3)

struct set_table {
	uint8_t type, flags;
	uint8_t others, stride; /* words of a slot: of the key behind the first; in all */
	uint64_t tag_mask;
	uint32_t n_slots, n_used; /* n_used: with a key, marked ones too */
	uint64_t n;               /* members */
	uint64_t in_use[3];     /* bits: levels (plain prefixes), lengths (extended) with members */
	uint32_t n_of[LENGTHS]; /* … and how many members each has */
	uint64_t slot[];
};

/* What a slot is found by. */
struct place {
	uint64_t first, other[4];
	unsigned bit, level; /* of a plain set; of an extended one level is the length */
};

static bool is_plain(const struct set_table *t)
{
	return !t->flags;
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void store(uint64_t *word, uint64_t v)
{
	__atomic_store_n(word, v, __ATOMIC_RELAXED);
}

/* ---- Places ------------------------------------------------------------------------------- */

static unsigned level_of(unsigned len)
{
	return (len + 3) / NODE_BITS;
}

static unsigned base_of(unsigned level)
{
	return level ? level * NODE_BITS - 3 : 0;
}

/* The upper `n` bits of a word. */
static uint64_t upper(uint64_t word, unsigned n)
{
	return n >= 64 ? word : n ? word >> (64 - n) << (64 - n) : 0;
}

/* The five bits behind the first `base`. */
static unsigned five_bits(const uint64_t *word, unsigned words, unsigned base)
{
	uint64_t at = base < 64 ? word[0] << base : 0;

	if (words > 1 && base >= 64)
		at = word[1] << (base - 64);
	else if (words > 1 && base)
		at |= word[1] >> (64 - base);
	return at >> 59;
}

/* The node of a level that an address is in; its bit is the caller's. */
static void node_place(const struct set_table *t, const struct set_key *key, unsigned level,
		       struct place *p)
{
	unsigned base = base_of(level), words = t->others + 1u;

	p->level = level;
	p->first = upper(key->word[words - 1], words > 1 ? (base > 64 ? base - 64 : 0) : base) |
		   (level + 1);
	if (words > 1)
		p->other[0] = upper(key->word[0], base);
}

static void place_of(const struct set_table *t, const struct set_key *key, struct place *p)
{
	bool prefixes = set_type_has_prefixes(t->type);

	if (!is_plain(t)) {
		p->first = (uint64_t)key->len << 8 | 1;
		p->level = key->len;
		memcpy(p->other, key->word, t->others * sizeof *p->other);
	} else if (prefixes) {
		unsigned level = level_of(key->len), d = key->len - base_of(level);

		node_place(t, key, level, p);
		p->bit = (1u << d) - 1 +
			 (five_bits(key->word, t->others + 1u, base_of(level)) >> (5 - d));
	} else {
		uint64_t last = key->word[t->others];

		p->level = 0;
		p->first = (last & ~63ull) | 1;
		p->bit = last & 63;
		memcpy(p->other, key->word, t->others * sizeof *p->other);
	}
}

static uint32_t slot_hash(const struct set_table *t, uint64_t first, const uint64_t *other)
{
	uint64_t h = hash_add(hash_seed, first & t->tag_mask);

	for (unsigned i = 0; i < t->others; i++)
		h = hash_add(h, load(&other[i]));
	return hash_finish(h);
}

static uint32_t first_slot(const struct set_table *t, const struct place *p)
{
	return (uint32_t)((uint64_t)slot_hash(t, p->first, p->other) * t->n_slots >> 32);
}

static uint64_t *slot_at(const struct set_table *t, uint32_t i)
{
	return (uint64_t *)(uintptr_t)&t->slot[(size_t)i * t->stride];
}

static bool slot_is(const struct set_table *t, const uint64_t *slot, uint64_t first,
		    const struct place *p)
{
	if ((first & t->tag_mask) != p->first)
		return false;
	for (unsigned i = 0; i < t->others; i++)
		if (load(&slot[1 + i]) != p->other[i])
			return false;
	return true;
}

/* The slot of a place; otherwise NULL, and *free is the slot that it would get (NULL: none within
 * reach). */
static uint64_t *find(const struct set_table *t, const struct place *p, uint64_t **free_slot)
{
	uint32_t at = first_slot(t, p);

	if (free_slot)
		*free_slot = NULL;
	for (unsigned i = 0; i < SET_REACH; i++) {
		uint64_t *slot = slot_at(t, at);
		uint64_t first = rcu_get(slot[0]);

		if (!first) {
			if (free_slot)
				*free_slot = slot;
			return NULL;
		}
		if (slot_is(t, slot, first, p))
			return slot;
		at = at + 1 == t->n_slots ? 0 : at + 1;
	}
	return NULL;
}

/* ---- Making ------------------------------------------------------------------------------- */

struct set_table *set_table_create(enum set_type type, unsigned flags, uint64_t n)
{
	uint64_t slots = MAX(SLOTS_FOR(n) + 1, SLOTS_LEAST);
	unsigned words = set_type_words(type), others = flags ? words : words - 1;
	unsigned stride = 1 + others + (!flags ? 1 : flags & SET_COUNTERS ? 2 : 0);
	struct set_table *t;

	if (slots > UINT32_MAX)
		return NULL;
	t = calloc(1, sizeof *t + slots * stride * sizeof t->slot[0]);
	if (!t)
		return NULL;
	t->type = type;
	t->flags = (uint8_t)flags;
	t->others = (uint8_t)others;
	t->stride = (uint8_t)stride;
	t->n_slots = (uint32_t)slots;
	t->tag_mask = flags ? (1ull << TAG_BITS) - 1 : UINT64_MAX;
	return t;
}

void set_table_free(struct set_table *t)
{
	free(t);
}

uint64_t set_table_n(const struct set_table *t)
{
	return t->n;
}

size_t set_table_octets(const struct set_table *t)
{
	return sizeof *t + (size_t)t->n_slots * t->stride * sizeof t->slot[0];
}

uint32_t set_table_slots(const struct set_table *t)
{
	return t->n_slots;
}

bool set_table_is_loose(const struct set_table *t)
{
	/* A plain slot's members may have gone from it while it stays. */
	uint64_t used = MIN(t->n_used, t->n);

	return t->n_slots > 2 * SLOTS_LEAST && SLOTS_FOR(used) * 5 / 4 < t->n_slots;
}

/* ---- Writing ------------------------------------------------------------------------------ */

static void count(struct set_table *t, unsigned level, int more)
{
	uint32_t *n = &t->n_of[level];

	t->n += (uint64_t)(int64_t)more;
	*n += (uint32_t)more;
	if (*n == (more > 0))
		store(&t->in_use[level / 64], t->in_use[level / 64] ^ 1ull << level % 64);
}

static uint64_t *value_of(const struct set_table *t, uint64_t *slot)
{
	return slot + 1 + t->others;
}

/* The slot for a place, made when there is none: bitmap empty, member ended. */
static uint64_t *take_slot(struct set_table *t, const struct place *p)
{
	uint64_t *empty, *slot = find(t, p, &empty);

	if (slot)
		return slot;
	if (!empty || t->n_used >= SLOTS_FULL(t->n_slots))
		return NULL;
	for (unsigned i = 0; i < t->others; i++)
		store(&empty[1 + i], p->other[i]);
	rcu_set(empty[0], p->first);
	t->n_used++;
	return empty;
}

int set_table_put(struct set_table *t, const struct set_member *m)
{
	struct place p = {0};
	uint64_t *slot, *value;
	bool fresh;

	place_of(t, &m->key, &p);
	slot = take_slot(t, &p);
	if (!slot)
		return -ENOSPC;
	value = value_of(t, slot);
	if (is_plain(t)) {
		fresh = !(*value >> p.bit & 1);
		store(value, *value | 1ull << p.bit);
	} else {
		fresh = !(load(&slot[0]) >> TAG_BITS);
		if (fresh && t->flags & SET_COUNTERS) {
			store(&value[0], m->packets);
			store(&value[1], m->bytes);
		}
		rcu_set(slot[0], MAX(m->ends_ms, 1) << TAG_BITS | p.first);
	}
	if (fresh)
		count(t, p.level, 1);
	return fresh;
}

bool set_table_del(struct set_table *t, const struct set_key *key)
{
	struct place p = {0};
	uint64_t *slot, *value;

	place_of(t, key, &p);
	slot = find(t, &p, NULL);
	if (!slot)
		return false;
	value = value_of(t, slot);
	if (is_plain(t) ? !(*value >> p.bit & 1) : !(load(&slot[0]) >> TAG_BITS))
		return false;
	if (is_plain(t))
		store(value, *value & ~(1ull << p.bit));
	else
		store(&slot[0], p.first);
	count(t, p.level, -1);
	return true;
}

uint64_t set_table_sweep(struct set_table *t, uint32_t *at, uint32_t n, uint64_t now_ms)
{
	uint64_t gone = 0;

	if (!(t->flags & SET_TIMEOUTS))
		return 0;
	for (n = MIN(n, t->n_slots); n; n--) {
		uint64_t *slot = slot_at(t, *at < t->n_slots ? *at : (*at = 0));
		uint64_t first = load(&slot[0]);

		*at += 1;
		if (!(first >> TAG_BITS) || first >> TAG_BITS > now_ms)
			continue;
		/* A worker may be prolonging it: then it stays. */
		if (!__atomic_compare_exchange_n(&slot[0], &first, first & t->tag_mask, false,
						 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		count(t, (unsigned)(first >> 8 & 0xff), -1);
		gone++;
	}
	return gone;
}

/* ---- Walking ------------------------------------------------------------------------------ */

/* The key of a node's bit. */
static void node_key(const struct set_table *t, const uint64_t *slot, unsigned bit,
		     struct set_key *key)
{
	unsigned words = t->others + 1u, level, base, d = 0;
	uint64_t behind;

	for (unsigned i = 0; i < t->others; i++)
		key->word[i] = slot[1 + i];
	if (!set_type_has_prefixes(t->type)) {
		key->word[t->others] = (slot[0] & ~63ull) | bit;
		return;
	}
	level = (unsigned)(slot[0] & 31) - 1;
	base = base_of(level);
	key->word[words - 1] = slot[0] & ~31ull;
	while (bit >= (2u << d) - 1)
		d++;
	behind = d ? (uint64_t)(bit - ((1u << d) - 1)) << (64 - d) : 0; /* its d bits, on top */
	key->len = (uint8_t)(base + d);
	if (base < 64)
		key->word[0] |= behind >> base;
	if (words > 1 && base >= 64)
		key->word[1] |= behind >> (base - 64);
	else if (words > 1 && base)
		key->word[1] |= behind << (64 - base);
}

bool set_table_next(const struct set_table *t, struct set_cursor *c, struct set_member *m)
{
	for (; c->slot < t->n_slots; c->slot++, c->bit = 0) {
		uint64_t *slot = slot_at(t, c->slot), first = load(&slot[0]);
		uint64_t *value = value_of(t, slot);

		if (!first)
			continue;
		*m = (struct set_member){.ends_ms = SET_FOREVER};
		if (is_plain(t)) {
			uint64_t left = c->bit < 64 ? *value >> c->bit << c->bit : 0;

			if (!left)
				continue;
			c->bit = (uint8_t)__builtin_ctzll(left);
			node_key(t, slot, c->bit++, &m->key);
			return true;
		}
		if (!(first >> TAG_BITS))
			continue;
		m->key.len = first >> 8 & 0xff;
		memcpy(m->key.word, slot + 1, t->others * sizeof *slot);
		m->ends_ms = first >> TAG_BITS;
		if (t->flags & SET_COUNTERS) {
			m->packets = load(&value[0]);
			m->bytes = load(&value[1]);
		}
		c->slot++;
		return true;
	}
	return false;
}

/* Slots that a copy needs. */
static uint64_t n_places(const struct set_table *t)
{
	uint64_t n = 0;

	if (!is_plain(t))
		return t->n;
	for (uint32_t i = 0; i < t->n_slots; i++) {
		uint64_t *slot = slot_at(t, i);

		n += slot[0] && *value_of(t, slot);
	}
	return n;
}

static bool copy_to(struct set_table *copy, const struct set_table *t, uint64_t now_ms)
{
	struct set_cursor c = {0};
	struct set_member m;

	while (set_table_next(t, &c, &m)) {
		m.packets = m.bytes = 0;
		if (m.ends_ms > now_ms && set_table_put(copy, &m) < 0)
			return false;
	}
	return true;
}

struct set_table *set_table_copy(const struct set_table *t, bool grows, uint64_t now_ms)
{
	uint64_t room = n_places(t);

	if (grows)
		room += room / 10 + SLOTS_LEAST;
	/* Once, as a rule: slots far from their place are rare. */
	for (unsigned tries = 0; tries < 4; tries++, room += room / 4 + 1) {
		struct set_table *copy = set_table_create(t->type, t->flags, room);

		if (!copy || copy_to(copy, t, now_ms))
			return copy;
		set_table_free(copy);
	}
	return NULL;
}

void set_table_add_counts(struct set_table *t, const struct set_table *from)
{
	struct set_cursor c = {0};
	struct set_member m;

	if (!(t->flags & SET_COUNTERS))
		return;
	while (set_table_next(from, &c, &m)) {
		struct place p = {0};
		uint64_t *slot;

		place_of(t, &m.key, &p);
		slot = m.packets ? find(t, &p, NULL) : NULL;
		if (!slot)
			continue;
		__atomic_fetch_add(&value_of(t, slot)[0], m.packets, __ATOMIC_RELAXED);
		__atomic_fetch_add(&value_of(t, slot)[1], m.bytes, __ATOMIC_RELAXED);
	}
}

bool set_table_get(const struct set_table *t, const struct set_key *key, struct set_member *m)
{
	struct place p = {0};
	uint64_t *slot, *value;

	place_of(t, key, &p);
	slot = find(t, &p, NULL);
	if (!slot)
		return false;
	value = value_of(t, slot);
	*m = (struct set_member){.key = *key, .ends_ms = SET_FOREVER};
	if (is_plain(t))
		return *value >> p.bit & 1;
	m->ends_ms = load(&slot[0]) >> TAG_BITS;
	if (t->flags & SET_COUNTERS) {
		m->packets = load(&value[0]);
		m->bytes = load(&value[1]);
	}
	return m->ends_ms;
}

/* ---- Reading ------------------------------------------------------------------------------ */

/* Of a node: the bits of every prefix that an address with these five bits is in. */
static uint64_t path_mask(unsigned five)
{
	uint64_t mask = 0;

	for (unsigned d = 0; d < NODE_BITS; d++)
		mask |= 1ull << ((1u << d) - 1 + (five >> (5 - d)));
	return mask;
}

static bool plain_has(const struct set_table *t, const struct place *p, uint64_t mask)
{
	uint64_t *slot = find(t, p, NULL);

	return slot && load(value_of(t, slot)) & mask;
}

/* All levels are fetched before the first is looked at: their cache misses are one. */
static bool prefixes_have(const struct set_table *t, const struct set_key *key)
{
	struct place p[22];
	uint64_t levels = load(&t->in_use[0]);
	unsigned n = 0;

	for (; levels; levels &= levels - 1, n++) {
		unsigned level = (unsigned)__builtin_ctzll(levels);

		node_place(t, key, level, &p[n]);
		p[n].bit = five_bits(key->word, t->others + 1u, base_of(level));
		__builtin_prefetch(slot_at(t, first_slot(t, &p[n])));
	}
	while (n--)
		if (plain_has(t, &p[n], path_mask(p[n].bit)))
			return true;
	return false;
}

static bool member_has(const struct set_table *t, const struct set_key *key,
		       const struct set_ask *ask)
{
	struct place p = {0};
	uint64_t *slot;

	place_of(t, key, &p);
	slot = find(t, &p, NULL);
	if (!slot || load(&slot[0]) >> TAG_BITS <= ask->now_ms)
		return false;
	if (ask->count && t->flags & SET_COUNTERS) {
		__atomic_fetch_add(&value_of(t, slot)[0], 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&value_of(t, slot)[1], ask->octets, __ATOMIC_RELAXED);
	}
	return true;
}

/* The longest prefix first. */
static bool lengths_have(const struct set_table *t, const struct set_key *key,
			 const struct set_ask *ask)
{
	struct set_key cut = *key;

	for (unsigned i = ARRAY_SIZE(t->in_use); i-- > 0;)
		for (uint64_t left = load(&t->in_use[i]); left;) {
			unsigned bit = 63 - (unsigned)__builtin_clzll(left);

			left &= ~(1ull << bit);
			cut.len = (uint8_t)(i * 64 + bit);
			set_key_cut(t->type, &cut);
			if (member_has(t, &cut, ask))
				return true;
		}
	return false;
}

bool set_table_has(const struct set_table *t, const struct set_key *key, const struct set_ask *ask)
{
	struct place p = {0};

	if (!is_plain(t))
		return lengths_have(t, key, ask);
	if (set_type_has_prefixes(t->type))
		return prefixes_have(t, key);
	place_of(t, key, &p);
	return plain_has(t, &p, 1ull << p.bit);
}

bool set_table_prolong(const struct set_table *t, const struct set_key *key, uint64_t now_ms,
		       uint64_t ends_ms)
{
	struct place p = {0};
	uint64_t *slot, first;

	if (is_plain(t)) {
		struct set_member m;

		return set_table_get(t, key, &m);
	}
	place_of(t, key, &p);
	slot = find(t, &p, NULL);
	first = slot ? load(&slot[0]) : 0;
	if (first >> TAG_BITS <= now_ms)
		return false;
	/* Not more than some times a second: its cache line is everybody's. */
	if (ends_ms < (first >> TAG_BITS) + REFRESH_MS)
		return true;
	/* Somebody else prolonged it, or it was deleted: one of both came last. */
	(void)__atomic_compare_exchange_n(&slot[0], &first, ends_ms << TAG_BITS | p.first, false,
					  __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return true;
}
