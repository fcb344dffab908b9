/* SPDX-License-Identifier: Apache-2.0 */
/* Slots are probed linearly from the first of a bucket, up to one that was never used.  One whose
 * item has gone may be used again: no item ever moves, and one that takes another's place does so
 * in the same slot, so a reader in the middle of a sequence misses nothing it may see. */
#include "datapath/tuple-search.h"

#include <stdlib.h>

enum {
	BUCKETS_MIN = 2,
	SLOTS_FULL = 7,     /* tenths */
	BUCKETS_KEPT = 256, /* buckets that are no loss */
	FILTER_BITS = 32,   /* for each item, when slots are made; half that when they are full */
};

char tuple_gone;

static struct tuple_list no_list;
static uint64_t no_filter;
static struct tuple_slots no_slots = {.n_buckets = 1, .n_filter = 1, .filter = &no_filter};

static void *allocate(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

/* Zeroes at a cache line's begin. */
static void *allocate_lines(size_t size)
{
	void *p = aligned_alloc(CACHE_LINE, ROUND_UP(size, CACHE_LINE));

	if (!p)
		abort();
	return memset(p, 0, ROUND_UP(size, CACHE_LINE));
}

uint64_t match_words(const struct match *m)
{
	uint64_t words = 0;

	for (unsigned i = 0; i < KEY_WORDS; i++)
		if (MATCH_WORD(&m->mask, i))
			words |= 1ull << i;
	return words;
}

void match_pack(const struct match *m, uint64_t words, uint64_t *value)
{
	for (; words; words &= words - 1) {
		unsigned i = (unsigned)__builtin_ctzll(words);

		*value++ = MATCH_WORD(&m->value, i) & MATCH_WORD(&m->mask, i);
	}
}

/* ---- The list ------------------------------------------------------------------------- */

/* A unit's place among the packed ones; it gets one when it has none. */
static unsigned unit_place(struct tuples *s, unsigned unit)
{
	if (!(s->unit_used[unit / 64] >> unit % 64 & 1)) {
		s->unit_used[unit / 64] |= 1ull << unit % 64;
		s->unit_place[unit] = (uint8_t)s->n_units;
		s->unit[s->n_units++] = (uint16_t)unit;
	}
	return s->unit_place[unit];
}

/* The packed words of a tuple's mask into `mask`; returns how many pairs that is. */
static unsigned mask_pack(struct tuples *s, const struct tuple *t, uint64_t mask[KEY_WORDS])
{
	unsigned n = 0;

	memset(mask, 0, KEY_WORDS * sizeof *mask);
	for (unsigned i = 0; i < t->n_words; i++)
		for (unsigned j = 0; j < 4; j++) {
			uint16_t bits;
			unsigned place;

			memcpy(&bits, (const uint8_t *)&t->mask[i] + 2 * j, sizeof bits);
			if (!bits)
				continue;
			place = unit_place(s, 4u * t->at[i] + j);
			mask[place / 4] |= (uint64_t)bits << place % 4 * 16;
			n = MAX(n, place / 8 + 1);
		}
	return n;
}

/* Writes a tuple's lane.  Pairs behind its last one add nothing to its hash. */
static void lane_fill(struct tuple_lanes *l, const struct tuple *t, unsigned lane,
		      const uint64_t *mask)
{
	uint64_t salt = t->salt;

	for (unsigned i = 0; i < 2u * t->n_pairs; i++) {
		salt = hash_mix(salt + i + 1);
		l[i / 2].mask[i % 2][lane] = mask[i];
		l[i / 2].salt[i % 2][lane] = salt;
	}
}

static unsigned n_chunks(unsigned n)
{
	return ROUND_UP(n, TUPLE_CHUNK) / TUPLE_CHUNK;
}

/* An empty list of `room` tuples of up to `stride` pairs, over the units there are now. */
static struct tuple_list *list_new(const struct tuples *s, unsigned room, unsigned stride)
{
	unsigned words = ROUND_UP(s->n_units, 8) / 4, groups = ROUND_UP(room, TUPLE_LANES) / 8;
	size_t n_lanes = (size_t)groups * stride;
	struct tuple_list *l;
	size_t size = sizeof *l + n_lanes * sizeof l->lanes[0] +
		      room * (sizeof l->tuple[0] + sizeof l->bound[0]) +
		      n_chunks(room) * sizeof l->limit[0] + groups;

	l = allocate_lines(size);
	l->room = room;
	l->stride = stride;
	l->n_units = s->n_units;
	l->n_words = words;
	for (unsigned i = 0; i < 4 * words; i++)
		l->unit[i] = (uint16_t)(2 * s->unit[i < s->n_units ? i : 0]);
	l->tuple = (void *)(l->lanes + n_lanes);
	l->limit = (void *)(l->tuple + room);
	l->bound = l->limit + n_chunks(room);
	l->n_pairs = (void *)(l->bound + room);
	for (unsigned i = 0; i < n_chunks(room); i++)
		l->limit[i] = INT64_MIN;
	return l;
}

/* The tuple goes up to `bound`; so does everything in front of its chunk's end. */
static void limit_raise(struct tuple_list *l, unsigned place, int64_t bound)
{
	__atomic_store_n(&l->bound[place], bound, __ATOMIC_RELAXED);
	for (unsigned i = place / TUPLE_CHUNK + 1; i-- > 0 && l->limit[i] < bound;)
		__atomic_store_n(&l->limit[i], bound, __ATOMIC_RELAXED);
}

static void list_append(struct tuples *s, struct tuple_list *l, struct tuple *t)
{
	unsigned group = l->n / TUPLE_LANES;
	uint64_t mask[KEY_WORDS];

	mask_pack(s, t, mask);
	t->place = l->n;
	l->tuple[l->n] = t;
	if (l->n_pairs[group] < t->n_pairs)
		__atomic_store_n(&l->n_pairs[group], (uint8_t)t->n_pairs, __ATOMIC_RELAXED);
	lane_fill(l->lanes + (size_t)group * l->stride, t, l->n % TUPLE_LANES, mask);
	limit_raise(l, l->n, t->bound);
	rcu_set(l->n, l->n + 1);
}

static int by_bound(const void *a, const void *b)
{
	const struct tuple *x = *(struct tuple *const *)a, *y = *(struct tuple *const *)b;

	if (x->bound != y->bound)
		return x->bound > y->bound ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static void tuple_free(struct rcu_head *head)
{
	free(container_of(head, struct tuple, rcu));
}

/* Publishes the list anew: sorted, with room, `more` behind it, and without tuples that have no
 * items. */
static void list_renew(struct tuples *s, struct tuple *more)
{
	struct tuple_list *old = s->list, *fresh;
	unsigned n = 0, stride = more ? more->n_pairs : 1;
	struct tuple **sorted = allocate((old->n + 1) * sizeof *sorted);

	for (unsigned i = 0; i < old->n; i++) {
		struct tuple *t = old->tuple[i];

		if (t->n) {
			sorted[n++] = t;
			stride = MAX(stride, t->n_pairs);
		} else {
			rmap_remove(&s->by_mask, &t->node);
			rcu_defer(&t->rcu, tuple_free);
		}
	}
	qsort(sorted, n, sizeof *sorted, by_bound);
	if (more)
		sorted[n++] = more;
	fresh = list_new(s, n + n / 2 + 1, stride);
	for (unsigned i = 0; i < n; i++)
		list_append(s, fresh, sorted[i]);
	free(sorted);
	s->n_raised = s->n_since = 0;
	rcu_set(s->list, fresh);
	if (old != &no_list)
		rcu_free(old);
}

void tuples_init(struct tuples *s)
{
	*s = (struct tuples){.list = &no_list, .slots = &no_slots};
	rmap_init(&s->by_mask);
	tuple_filter_choose();
}

void tuples_destroy(struct tuples *s)
{
	for (unsigned i = 0; i < s->list->n; i++)
		free(s->list->tuple[i]);
	if (s->list != &no_list)
		rcu_free(s->list);
	if (s->slots != &no_slots)
		rcu_free(s->slots);
	rmap_destroy(&s->by_mask);
	tuples_init(s);
}

static uint32_t mask_hash(const struct match *m, uint64_t words)
{
	uint64_t h = hash_add(hash_seed, words);

	for (; words; words &= words - 1)
		h = hash_add(h, MATCH_WORD(&m->mask, __builtin_ctzll(words)));
	return hash_finish(h);
}

static bool mask_is(const struct tuple *t, const struct match *m)
{
	for (unsigned i = 0; i < t->n_words; i++)
		if (t->mask[i] != MATCH_WORD(&m->mask, t->at[i]))
			return false;
	return true;
}

struct tuple *tuples_find(const struct tuples *s, const struct match *m)
{
	uint64_t words = match_words(m);
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &s->by_mask, mask_hash(m, words)) {
		struct tuple *t = container_of(n, struct tuple, node);

		if (t->words == words && mask_is(t, m))
			return t;
	}
	return NULL;
}

static struct tuple *tuple_new(struct tuples *s, const struct match *m, uint64_t words)
{
	size_t n = (size_t)__builtin_popcountll(words);
	struct tuple *t = allocate(sizeof *t + n * sizeof t->mask[0]);
	uint64_t mask[KEY_WORDS];

	t->bound = INT64_MIN;
	t->number = ++s->next_number;
	t->salt = hash_mix(hash_seed + t->number * 0x9e3779b97f4a7c15ull);
	t->words = words;
	for (; words; words &= words - 1) {
		t->at[t->n_words] = (uint8_t)__builtin_ctzll(words);
		t->mask[t->n_words] = MATCH_WORD(&m->mask, t->at[t->n_words]);
		t->n_words++;
	}
	t->n_pairs = (uint16_t)mask_pack(s, t, mask);
	return t;
}

struct tuple *tuples_get(struct tuples *s, const struct match *m)
{
	struct tuple *t = tuples_find(s, m);
	struct tuple_list *l;
	bool anew = !s->n && s->n_units;

	if (t)
		return t;
	if (anew) { /* nobody looks at anything: units are found anew, and no list knows them yet */
		list_renew(s, NULL);
		s->n_units = 0;
		memset(s->unit_used, 0, sizeof s->unit_used);
	}
	l = s->list;
	t = tuple_new(s, m, match_words(m));
	if (!anew && l->n < l->room && t->n_pairs <= l->stride && s->n_units == l->n_units)
		list_append(s, l, t);
	else
		list_renew(s, t);
	rmap_insert(&s->by_mask, &t->node, mask_hash(m, t->words));
	return t;
}

uint32_t tuples_hash(const struct tuples *s, const struct tuple *t, const struct match *m)
{
	struct key_view view = key_view_of(&m->value.du, &m->value.outer);
	struct tuple_search c;

	tuple_search_begin(&c, s, &view);
	return tuple_hash(s->list, t->place, c.key);
}

void tuples_raise(struct tuples *s, struct tuple *t, int64_t bound)
{
	if (t->bound < bound) {
		t->bound = bound;
		limit_raise(s->list, t->place, bound);
		s->n_raised++;
	}
	if (s->n_raised && ++s->n_since > s->list->n && s->list->n > TUPLE_LANES)
		list_renew(s, NULL);
}

bool tuples_ended(struct tuples *s)
{
	return ++s->n_ended > s->n_items && s->n > TUPLE_CHUNK;
}

void tuples_bounds_begin(struct tuples *s)
{
	for (unsigned i = 0; i < s->list->n; i++)
		s->list->tuple[i]->bound = INT64_MIN;
}

void tuples_bounds_end(struct tuples *s)
{
	s->n_ended = 0;
	list_renew(s, NULL);
}

/* ---- Slots ---------------------------------------------------------------------------- */

static uint32_t n_slots(const struct tuple_slots *s)
{
	return s->n_buckets * BUCKET_SLOTS;
}

/* Slots are numbered as they are probed: the n-th for this hash. */
static struct tuple_bucket *probe(struct tuple_slots *s, uint32_t hash, uint32_t nth)
{
	uint64_t bucket = (uint64_t)hash_scale(hash, s->n_buckets) + nth / BUCKET_SLOTS;

	return &s->bucket[bucket < s->n_buckets ? bucket : bucket - s->n_buckets];
}

static void slot_fill(struct tuple_slots *s, uint32_t hash, void *item, int32_t rank)
{
	uint64_t *filter = &s->filter[hash_scale(hash, s->n_filter)];

	for (uint32_t nth = 0;; nth++) {
		struct tuple_bucket *b = probe(s, hash, nth);
		unsigned i = nth % BUCKET_SLOTS;

		if (b->item[i] && b->item[i] != &tuple_gone)
			continue;
		__atomic_store_n(&b->hash[i], hash, __ATOMIC_RELAXED);
		__atomic_store_n(&b->rank[i], rank, __ATOMIC_RELAXED);
		rcu_set(b->item[i], item);
		break;
	}
	__atomic_store_n(filter, *filter | filter_bits(hash), __ATOMIC_RELAXED);
}

/* Slots for twice the items there are, and a filter without what has gone. */
static void slots_renew(struct tuples *s)
{
	uint32_t buckets = MAX((s->n_items + 1) * 2 / BUCKET_SLOTS, (uint32_t)BUCKETS_MIN);
	uint32_t filter = MAX((s->n_items + 1) * FILTER_BITS / 64, 1u);
	struct tuple_slots *old = s->slots, *fresh;
	size_t size = buckets * sizeof fresh->bucket[0];

	fresh = allocate_lines(sizeof *fresh + size + filter * sizeof fresh->filter[0]);
	fresh->n_buckets = buckets;
	fresh->n_filter = filter;
	fresh->filter = (void *)((uint8_t *)fresh->bucket + size);
	for (uint32_t i = 0; old != &no_slots && i < n_slots(old); i++) {
		const struct tuple_bucket *b = &old->bucket[i / BUCKET_SLOTS];
		void *item = b->item[i % BUCKET_SLOTS];

		if (item && item != &tuple_gone)
			slot_fill(fresh, b->hash[i % BUCKET_SLOTS], item,
				  b->rank[i % BUCKET_SLOTS]);
	}
	s->n_filled = s->n_items;
	rcu_set(s->slots, fresh);
	if (old != &no_slots)
		rcu_free(old);
}

void tuples_insert(struct tuples *s, struct tuple *t, uint32_t hash, void *item, int32_t rank)
{
	if (s->slots == &no_slots || (s->n_filled + 1) * 10 > n_slots(s->slots) * SLOTS_FULL)
		slots_renew(s);
	slot_fill(s->slots, hash, item, rank);
	s->n_filled++;
	s->n_items++;
	s->n += !t->n++;
}

/* Where an item is; one that is not there is the caller's mistake. */
static struct tuple_bucket *bucket_of(struct tuples *s, uint32_t hash, const void *item,
				      unsigned *slot)
{
	for (uint32_t nth = 0;; nth++) {
		struct tuple_bucket *b = probe(s->slots, hash, nth);

		*slot = nth % BUCKET_SLOTS;
		if (b->item[*slot] == item)
			return b;
		if (!b->item[*slot])
			abort();
	}
}

void tuples_replace(struct tuples *s, uint32_t hash, const void *old, void *fresh, int32_t rank)
{
	unsigned slot;
	struct tuple_bucket *b = bucket_of(s, hash, old, &slot);

	__atomic_store_n(&b->rank[slot], rank, __ATOMIC_RELAXED);
	rcu_set(b->item[slot], fresh);
}

void tuples_remove(struct tuples *s, struct tuple *t, uint32_t hash, const void *item)
{
	unsigned slot;
	struct tuple_bucket *b = bucket_of(s, hash, item, &slot);

	rcu_set(b->item[slot], (void *)&tuple_gone);
	s->n_items--;
	if (!--t->n) {
		t->bound = INT64_MIN;
		if (--s->n < s->list->n / 2)
			list_renew(s, NULL);
	}
	if ((s->n_items + 1) * 8 < s->slots->n_buckets && s->slots->n_buckets > BUCKETS_KEPT)
		slots_renew(s);
}

void *tuples_item(const struct tuples *s, uint32_t hash, uint32_t *position)
{
	struct tuple_slots *slots = s->slots;

	while (slots != &no_slots && *position < n_slots(slots)) {
		const struct tuple_bucket *b = probe(slots, hash, *position);
		unsigned i = (*position)++ % BUCKET_SLOTS;

		if (!b->item[i])
			break;
		if (b->item[i] != &tuple_gone && b->hash[i] == hash)
			return b->item[i];
	}
	return NULL;
}

void *tuples_each(const struct tuples *s, uint32_t *position)
{
	const struct tuple_slots *slots = rcu_get(s->slots);

	while (slots != &no_slots && *position < n_slots(slots)) {
		uint32_t at = (*position)++;
		void *item = rcu_get(slots->bucket[at / BUCKET_SLOTS].item[at % BUCKET_SLOTS]);

		if (item && item != &tuple_gone)
			return item;
	}
	return NULL;
}
