/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/keyed.h"

#include <stdlib.h>

#include "lib/hash.h"
#include "lib/pages.h"

/* Time's zero lies so far back that a word of 0 is a full bucket: 146 years, or 2.3 where time has
 * 50 bits of 256 ns (which last for nine). */
#define EPOCH_NS          (1ull << 62)
#define EPOCH_COUNTING_NS (1ull << 56)

enum { TRIES = 4 }; /* how often a slot may change under us before the shared word judges */

_Static_assert(sizeof(struct keyed_line) == CACHE_LINE, "a line is a cache line");

/* ---- Memory ------------------------------------------------------------------------------ */

void *keyed_memory(size_t size)
{
	void *at = pages_alloc(size);

	if (at)
		memset(at, 0, size); /* all of it is there from the beginning */
	return at;
}

void keyed_release(void *memory, size_t size)
{
	pages_free(memory, size);
}

struct keyed *keyed_create(const struct keyed_shape *shape)
{
	struct keyed *t = aligned_alloc(CACHE_LINE, ROUND_UP(sizeof *t, CACHE_LINE));

	if (!t)
		return NULL;
	*t = (struct keyed){
		.n_lines = shape->n_lines,
		.words = (uint8_t)shape->words,
		.stride = (uint8_t)(2 + shape->words),
		.count_bits = shape->counts ? KEYED_COUNT_BITS : 0,
		.shift = shape->counts ? KEYED_COUNTING_SHIFT : 0,
		.epoch_ns = shape->counts ? EPOCH_COUNTING_NS - shape->now : EPOCH_NS,
	};
	keyed_secrets(t->secret, ARRAY_SIZE(t->secret), 0);
	t->line_size = (size_t)t->n_lines * sizeof *t->line;
	t->info_size = (size_t)keyed_slots(t) * t->stride * sizeof *t->info;
	t->line = keyed_memory(t->line_size);
	t->info = keyed_memory(t->info_size);
	if (!t->line || !t->info) {
		keyed_destroy(t);
		return NULL;
	}
	return t;
}

void keyed_destroy(struct keyed *t)
{
	if (!t)
		return;
	keyed_release(t->line, t->line_size);
	keyed_release(t->info, t->info_size);
	free(t);
}

size_t keyed_octets(const struct keyed *t)
{
	return sizeof *t + t->line_size + t->info_size;
}

/* ---- Tags and lines ---------------------------------------------------------------------- */

void keyed_secrets(unsigned __int128 *secret, unsigned n, uint64_t salt)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t at = hash_mix(hash_seed ^ salt) + 2 * i * 0x9e3779b97f4a7c15ull;

		secret[i] = (unsigned __int128)hash_mix(at) << 64 |
			    hash_mix(at + 0x9e3779b97f4a7c15ull);
	}
}

/* Multilinear hashing: strongly universal in its upper half (Lemire and Kaser, "Strongly universal
 * string hashing is fast", 2014, theorem 3). */
uint64_t keyed_hash(const unsigned __int128 *secret, const uint64_t *word, unsigned n)
{
	unsigned __int128 sum = secret[0];
	uint64_t tag;

	for (unsigned i = 0; i < n; i++)
		sum += secret[i + 1] * word[i];
	tag = (uint64_t)(sum >> 64);
	return tag ? tag : 1;
}

int keyed_find(const struct keyed_line *l, uint64_t tag)
{
	for (int i = 0; i < KEYED_WAYS; i++)
		if (__atomic_load_n(&l->slot[i].tag, __ATOMIC_RELAXED) == tag)
			return i;
	return -1;
}

bool keyed_enter(struct keyed_line *l)
{
	uint64_t idle = 0;

	return __atomic_compare_exchange_n(&l->busy, &idle, 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

void keyed_leave(struct keyed_line *l)
{
	__atomic_store_n(&l->busy, 0, __ATOMIC_RELEASE);
}

static uint64_t *info_of(const struct keyed *t, size_t slot)
{
	return t->info + slot * t->stride;
}

/* ---- Words ------------------------------------------------------------------------------- */

static uint64_t time_of(const struct keyed *t, uint64_t word)
{
	return word >> t->count_bits;
}

static uint32_t count_of(const struct keyed *t, uint64_t word)
{
	return (uint32_t)(word & ((1u << t->count_bits) - 1));
}

/* The word after this packet; or why it does not pass. */
static enum keyed_verdict settle(const struct keyed *t, const struct keyed_ask *a, uint64_t *word)
{
	uint64_t now = keyed_time(t, a->now), at = time_of(t, *word);
	uint32_t count = count_of(t, *word);

	if (a->room && count >= a->room)
		return KEYED_COUNT;
	if (a->cost) {
		at = MAX(at, now - a->burst);
		if (at + MIN(a->cost, a->burst) > now)
			return KEYED_RATE;
		at += a->cost;
	}
	*word = at << t->count_bits | (count + a->counts);
	return KEYED_PASS;
}

/* A word that stays that of its key: the line's shared one. */
static enum keyed_verdict take_shared(const struct keyed *t, const struct keyed_ask *a,
				      uint64_t *word)
{
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED), fresh;
	enum keyed_verdict v;

	do {
		fresh = old;
		v = settle(t, a, &fresh);
		if (v != KEYED_PASS || fresh == old)
			return v;
	} while (!__atomic_compare_exchange_n(word, &old, fresh, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return v;
}

/* False: it is another key's by now. */
static bool take_slot(const struct keyed *t, const struct keyed_ask *a, struct keyed_slot *s,
		      uint64_t tag, enum keyed_verdict *v)
{
	uint64_t old = __atomic_load_n(&s->word, __ATOMIC_ACQUIRE), fresh;

	do {
		/* Between reading the word and swapping it: see the header. */
		if (old == KEYED_BUSY || __atomic_load_n(&s->tag, __ATOMIC_RELAXED) != tag)
			return false;
		fresh = old;
		*v = settle(t, a, &fresh);
		if (*v != KEYED_PASS || fresh == old)
			return true;
	} while (!__atomic_compare_exchange_n(&s->word, &old, fresh, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	return true;
}

/* ---- Putting in -------------------------------------------------------------------------- */

/* Where a key begins that comes now: at a full bucket, or where the shared word stands. */
static uint64_t beginning(const struct keyed *t, const struct keyed_line *l,
			  const struct keyed_ask *a)
{
	uint64_t full = keyed_time(t, a->now) - a->burst;

	return MAX(full, time_of(t, __atomic_load_n(&l->shared, __ATOMIC_RELAXED)));
}

/* It has no less than it would have if it came again, and counts nothing: to forget it gives its
 * key nothing. */
static bool is_idle(const struct keyed *t, uint64_t word, uint64_t begins)
{
	return word != KEYED_BUSY && !count_of(t, word) && time_of(t, word) <= begins;
}

/* The idle slot that has been so for longest; -1: none. */
static int idlest(const struct keyed *t, const struct keyed_line *l, uint64_t begins,
		  uint64_t *word)
{
	int best = -1;

	for (int i = 0; i < KEYED_WAYS; i++) {
		uint64_t w = __atomic_load_n(&l->slot[i].word, __ATOMIC_RELAXED);

		if (is_idle(t, w, begins) && (best < 0 || w < *word)) {
			best = i;
			*word = w;
		}
	}
	return best;
}

static void write_down(struct keyed *t, const struct keyed_ask *a, size_t slot)
{
	uint64_t *info = info_of(t, slot);

	/* Whoever reads one of these sees that the word is busy, or has changed. */
	__atomic_store_n(&info[0], a->now, __ATOMIC_RELEASE);
	__atomic_store_n(&info[1], 0, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < t->words; i++)
		__atomic_store_n(&info[2 + i], a->key[i], __ATOMIC_RELEASE);
}

/* The line is ours to put into.  -1: no slot, the shared word judges. */
static int put_in(struct keyed *t, const struct keyed_ask *a, uint64_t tag, enum keyed_verdict *v)
{
	uint32_t at = keyed_line_of(tag, t->n_lines);
	struct keyed_line *l = &t->line[at];
	uint64_t begins = beginning(t, l, a), old = 0, fresh;
	int way = idlest(t, l, begins, &old);

	if (way < 0)
		return -1;
	fresh = MAX(begins, time_of(t, old) + 1) << t->count_bits;
	*v = settle(t, a, &fresh);
	if (*v != KEYED_PASS)
		return way; /* the shared word's debt: nobody is put out for a packet that is
			       dropped */
	if (!a->cost && !a->counts)
		return way;
	if (!__atomic_compare_exchange_n(&l->slot[way].word, &old, KEYED_BUSY, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return -1;
	write_down(t, a, (size_t)at * KEYED_WAYS + (unsigned)way);
	__atomic_store_n(&l->slot[way].tag, tag, __ATOMIC_RELAXED);
	__atomic_store_n(&l->slot[way].word, fresh, __ATOMIC_RELEASE);
	return way;
}

enum keyed_verdict keyed_take(struct keyed *t, const struct keyed_ask *a, uint32_t *where)
{
	uint64_t tag = keyed_tag(t, a->key);
	uint32_t at = keyed_line_of(tag, t->n_lines);
	struct keyed_line *l = &t->line[at];
	enum keyed_verdict v = KEYED_PASS;

	for (unsigned tries = 0; tries < TRIES; tries++) {
		int way = keyed_find(l, tag);

		if (way < 0) {
			if (!keyed_enter(l))
				break;
			way = keyed_find(l, tag);
			if (way < 0) {
				way = put_in(t, a, tag, &v);
				keyed_leave(l);
				if (way < 0)
					break;
				*where = at * 4 + (unsigned)way;
				return v;
			}
			keyed_leave(l);
		}
		if (take_slot(t, a, &l->slot[way], tag, &v)) {
			*where = at * 4 + (unsigned)way;
			if (v != KEYED_PASS)
				__atomic_fetch_add(
					&info_of(t, (size_t)at * KEYED_WAYS + (unsigned)way)[1], 1,
					__ATOMIC_RELAXED);
			return v;
		}
	}
	*where = at * 4 + KEYED_WAYS;
	return take_shared(t, a, &l->shared);
}

void keyed_give(struct keyed *t, uint32_t where)
{
	struct keyed_line *l = &t->line[where / 4];
	uint64_t *word = keyed_shared(where) ? &l->shared : &l->slot[where % 4].word;
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

	/* What counts something is put out by nobody, so the word is its key's still. */
	do {
		if (old == KEYED_BUSY || !count_of(t, old))
			return;
	} while (!__atomic_compare_exchange_n(word, &old, old - 1, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
}

/* ---- Looking ----------------------------------------------------------------------------- */

static void state_of(const struct keyed *t, const struct keyed_ask *a, uint64_t word,
		     struct keyed_state *s)
{
	uint64_t now = keyed_time(t, a->now), at = MAX(time_of(t, word), now - a->burst);

	s->left = now > at ? now - at : 0;
	s->owes = at > now ? at - now : 0;
	s->count = count_of(t, word);
}

bool keyed_slot_state(const struct keyed *t, uint32_t at, const struct keyed_ask *a,
		      struct keyed_state *s)
{
	const struct keyed_slot *slot = &t->line[at / KEYED_WAYS].slot[at % KEYED_WAYS];
	const uint64_t *info = info_of(t, at);
	uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);
	uint64_t tag = __atomic_load_n(&slot->tag, __ATOMIC_ACQUIRE);

	if (!tag || word == KEYED_BUSY)
		return false;
	*s = (struct keyed_state){.how = KEYED_KEPT};
	s->since = __atomic_load_n(&info[0], __ATOMIC_ACQUIRE);
	s->dropped = __atomic_load_n(&info[1], __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < t->words; i++)
		s->key[i] = __atomic_load_n(&info[2 + i], __ATOMIC_ACQUIRE);
	/* Another key came meanwhile: it will be seen the next time. */
	if (__atomic_load_n(&slot->tag, __ATOMIC_ACQUIRE) != tag ||
	    __atomic_load_n(&slot->word, __ATOMIC_RELAXED) == KEYED_BUSY)
		return false;
	state_of(t, a, word, s);
	return true;
}

void keyed_look(const struct keyed *t, const struct keyed_ask *a, struct keyed_state *s)
{
	uint64_t tag = keyed_tag(t, a->key), old = 0;
	uint32_t at = keyed_line_of(tag, t->n_lines);
	const struct keyed_line *l = &t->line[at];
	int way = keyed_find(l, tag);

	if (way >= 0 && keyed_slot_state(t, at * KEYED_WAYS + (unsigned)way, a, s))
		return;
	*s = (struct keyed_state){.how = KEYED_ABSENT};
	state_of(t, a, __atomic_load_n(&l->shared, __ATOMIC_RELAXED), s);
	if (idlest(t, l, beginning(t, l, a), &old) < 0)
		s->how = KEYED_SHARING;
	else
		s->count = 0;
}
