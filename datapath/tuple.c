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
static uint32_t no_filter;
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

/* An octet's place among the packed ones; it gets one when it has none. */
static unsigned octet_place(struct tuples *s, unsigned octet)
{
	if (!s->octet_used[octet]) {
		s->octet_used[octet] = true;
		s->octet_place[octet] = s->n_octets;
		s->octet[s->n_octets++] = (uint16_t)octet;
	}
	return s->octet_place[octet];
}

/* The packed words of a tuple's mask into `mask`; returns how many there are. */
static unsigned mask_pack(struct tuples *s, const struct tuple *t, uint64_t mask[KEY_WORDS])
{
	uint8_t *octets = (uint8_t *)mask;
	unsigned n = 0;

	memset(mask, 0, KEY_WORDS * sizeof *mask);
	for (unsigned i = 0; i < t->n_words * 8u; i++) {
		uint8_t bits = ((const uint8_t *)t->mask)[i];
		unsigned place;

		if (!bits)
			continue;
		place = octet_place(s, t->at[i / 8] * 8u + i % 8);
		octets[place] = bits;
		n = MAX(n, place / 8 + 1);
	}
	return n;
}

/* Where a block of the key may begin such that it has this octet and is within its part. */
static unsigned block_begin(unsigned octet)
{
	unsigned size = octet < OUTER_WORD * 8 ? sizeof(struct du_key) : sizeof(struct outer_key);

	return MIN(octet % (OUTER_WORD * 8), size - PACK_FROM);
}

/* The steps that fill one block of packed octets; returns how many.  Each takes all that its block
 * of the key has. */
static unsigned block_steps(const uint16_t *octet, unsigned n, struct pack_step *step)
{
	unsigned n_steps = 0;
	uint32_t left = (uint32_t)(1ull << n) - 1;

	while (left) {
		struct pack_step *to = &step[n_steps++];
		unsigned lowest = KEY_OCTETS;

		for (unsigned i = 0; i < n; i++)
			if (left >> i & 1)
				lowest = MIN(lowest, octet[i]);
		to->part = lowest >= OUTER_WORD * 8;
		to->from = (uint8_t)block_begin(lowest);
		memset(to->control, 0x80, sizeof to->control);
		for (unsigned i = 0; i < n; i++) {
			unsigned at = octet[i] - (to->part * OUTER_WORD * 8u + to->from);

			if (!(left >> i & 1) || at >= PACK_FROM)
				continue;
			to->control[i] = (uint8_t)at;
			left &= ~(1u << i);
		}
	}
	step[n_steps - 1].last = true;
	return n_steps;
}

static unsigned pack_steps(const struct tuples *s, struct pack_step *step)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_octets; i += PACK_TO)
		n += block_steps(s->octet + i, MIN(s->n_octets - i, (unsigned)PACK_TO), step + n);
	return n;
}

/* Writes a tuple's lane.  Words behind its last one add nothing to its hash. */
static void lane_fill(struct tuple_lanes *l, const struct tuple *t, unsigned lane,
		      const uint64_t *mask)
{
	uint64_t salt = t->salt;

	for (unsigned i = 0; i < t->n_packed; i++) {
		salt = hash_mix(salt + i + 1);
		l[i].mask[lane] = mask[i];
		l[i].salt[lane] = salt;
	}
}

static unsigned n_chunks(unsigned n)
{
	return ROUND_UP(n, TUPLE_CHUNK) / TUPLE_CHUNK;
}

/* An empty list of `room` tuples of up to `stride` words, over the octets there are now. */
static struct tuple_list *list_new(const struct tuples *s, unsigned room, unsigned stride)
{
	unsigned groups = ROUND_UP(room, TUPLE_LANES) / TUPLE_LANES;
	struct pack_step step[KEY_OCTETS] = {0};
	unsigned n_steps = pack_steps(s, step);
	size_t n_lanes = (size_t)groups * stride;
	struct tuple_list *l;
	size_t size = sizeof *l + n_lanes * sizeof l->lanes[0] + n_steps * sizeof l->step[0] +
		      room * (sizeof l->tuple[0] + sizeof l->bound[0]) +
		      n_chunks(room) * sizeof l->limit[0] + groups;

	l = allocate_lines(size);
	l->room = room;
	l->stride = stride;
	l->n_octets = s->n_octets;
	l->n_steps = n_steps;
	l->step = (void *)(l->lanes + n_lanes);
	memcpy(l->step, step, n_steps * sizeof step[0]);
	l->tuple = (void *)(l->step + n_steps);
	l->limit = (void *)(l->tuple + room);
	l->bound = l->limit + n_chunks(room);
	l->n_packed = (void *)(l->bound + room);
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
	if (l->n_packed[group] < t->n_packed)
		__atomic_store_n(&l->n_packed[group], (uint8_t)t->n_packed, __ATOMIC_RELAXED);
	lane_fill(l->lanes + (size_t)group * l->stride, t, tuple_lane(l->n), mask);
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
	unsigned n = 0, stride = more ? more->n_packed : 1;
	struct tuple **sorted = allocate((old->n + 1) * sizeof *sorted);

	for (unsigned i = 0; i < old->n; i++) {
		struct tuple *t = old->tuple[i];

		if (t->n) {
			sorted[n++] = t;
			stride = MAX(stride, t->n_packed);
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
		t->n_du += t->at[t->n_words] < OUTER_WORD;
		t->n_words++;
	}
	t->n_packed = (uint16_t)mask_pack(s, t, mask);
	return t;
}

struct tuple *tuples_get(struct tuples *s, const struct match *m)
{
	struct tuple *t = tuples_find(s, m);
	struct tuple_list *l;
	bool anew = !s->n && s->n_octets;

	if (t)
		return t;
	if (anew) { /* nobody looks at anything: octets are found anew, and no list knows them yet
		     */
		list_renew(s, NULL);
		s->n_octets = 0;
		memset(s->octet_used, 0, sizeof s->octet_used);
	}
	l = s->list;
	t = tuple_new(s, m, match_words(m));
	if (!anew && l->n < l->room && t->n_packed <= l->stride && s->n_octets == l->n_octets)
		list_append(s, l, t);
	else
		list_renew(s, t);
	rmap_insert(&s->by_mask, &t->node, mask_hash(m, t->words));
	return t;
}

uint32_t tuples_hash(const struct tuples *s, const struct tuple *t, const struct match *m)
{
	struct key_view view = key_view_of(&m->value.du, &m->value.outer);
	uint64_t packed[KEY_WORDS];

	tuple_pack(s->list, &view, packed);
	return tuple_hash(s->list, t->place, packed);
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
	uint32_t *filter = &s->filter[hash_scale(hash, s->n_filter)];

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
	uint32_t filter = MAX((s->n_items + 1) * FILTER_BITS / 32, 1u);
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
