/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/cache.h"

#include <errno.h>
#include <stdlib.h>

#include "datapath/worker.h"
#include "lib/hash.h"
#include "lib/pages.h"

enum {
	WAYS = 2,
	MEMORY = CACHE_OCTETS + CACHE_PATHS * sizeof(struct cache_path),
};

int cache_init(struct cache *c)
{
	*c = (struct cache){.epoch = 2, .version = -1ull};
	c->entries = pages_alloc(MEMORY);
	if (!c->entries)
		return -ENOMEM;
	c->paths = (void *)(c->entries + CACHE_OCTETS);
	return 0;
}

void cache_destroy(struct cache *c)
{
	pages_free(c->entries, MEMORY);
	c->entries = NULL;
	c->paths = NULL;
}

/* ---- Epochs ------------------------------------------------------------------------------ */

static void take_addresses(struct cache *c, const struct key_shape *shape)
{
	for (unsigned i = 0; i < N_ADDRESSES; i++) {
		unsigned word = address_at[i] / 8, at = 0;

		while (at < shape->n_words && shape->at[at] != word)
			at++;
		c->address[i].at = (uint8_t)at;
		c->address[i].n = at + 1 < shape->n_words && shape->at[at + 1] == word + 1 ? 2 : 1;
		c->address[i].octets = address_at[i];
		c->address[i].prefixes = at < shape->n_words ? shape->prefixes[i] : NULL;
	}
}

static void take_shape(struct cache *c, const struct key_shape *shape)
{
	uint32_t stride = CACHE_LINE;
	uint64_t secret = hash_seed;

	c->shape = shape->gen;
	c->n_words = (uint8_t)MIN(shape->n_words, CACHE_WORDS + 1u); /* one more: too many */
	if (shape->n_words > CACHE_WORDS)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(c->secret); i++)
		c->secret[i] = secret = hash_mix(secret + i + 1);
	c->n_du = 0;
	for (unsigned i = 0; i < shape->n_words; i++) {
		c->n_du += shape->at[i] < OUTER_WORD;
		c->at[i] = shape->at[i] % OUTER_WORD;
		c->mask[i] = shape->mask[i];
	}
	take_addresses(c, shape);
	c->n_pairs = (uint8_t)((shape->n_words + 1) / 2);
	while (stride < sizeof(struct cache_entry) + c->n_pairs * 2 * sizeof(uint64_t))
		stride *= 2;
	c->set_mask = CACHE_OCTETS / (stride * WAYS) - 1;
	/* Entries of another stride lie across these: none may look like one. */
	if (c->stride != stride)
		memset(c->entries, 0, CACHE_OCTETS);
	c->stride = stride;
}

static void begin_epoch(struct worker *w, struct cache *c, const struct key_shape *shape,
			uint64_t sets_gen)
{
	const struct table *guard = rcu_get(w->dp->table[TABLE_GUARD]);

	c->epoch += 2;
	c->version = w->version;
	c->sets_gen = sets_gen;
	c->guard = guard && table_n_rules(guard);
	for (unsigned i = 0; i < CACHE_PATHS; i++)
		c->paths[i].size = 0;
	if (c->shape != shape->gen)
		take_shape(c, shape);
}

bool cache_begin(struct worker *w, unsigned n)
{
	struct cache *c = &w->cache;
	const struct key_shape *shape;
	uint64_t sets_gen;

	if (unlikely(!c->entries || w->dp->cache_off || w->private_trace))
		return false;
	if (c->rest) {
		c->rest -= MIN(c->rest, n);
		return false;
	}
	shape = tables_shape(w->dp);
	sets_gen = __atomic_load_n(&w->dp->sets_gen, __ATOMIC_ACQUIRE);
	if (unlikely(c->version != w->version || c->sets_gen != sets_gen || c->shape != shape->gen))
		begin_epoch(w, c, shape, sets_gen);
	return c->n_words <= CACHE_WORDS;
}

/* What a window says of the next ones.  New flows, and new keys of old ones, may spoil one, so two
 * in a row are asked for; but not where the other way has just been well. */
static void end_window(struct cache *c)
{
	bool shortened = c->shorten > 0;

	c->shorten -= shortened;
	if (c->n_found >= c->n_asked / 4 * CACHE_WORTH) {
		c->n_poor = shortened;
	} else if (++c->n_poor > 1 && shortened) {
		c->rest = CACHE_REST * CACHE_WINDOW; /* it was not worth it */
	} else if (c->n_poor > 1) {
		c->shorten = CACHE_REST;
		c->n_poor = 0;
	}
	c->n_asked = c->n_found = 0;
}

void cache_end(struct cache *c, unsigned asked, unsigned found)
{
	c->n_asked += asked;
	c->n_found += found;
	counter_add(&c->hits, found);
	counter_add(&c->misses, asked - found);
	if (c->n_asked >= CACHE_WINDOW)
		end_window(c);
}

/* ---- Entries ----------------------------------------------------------------------------- */

static struct cache_entry *set_of(const struct cache *c, const struct cache_key *key)
{
	return (void *)(c->entries + (size_t)(key->hash & c->set_mask) * WAYS * c->stride);
}

static struct cache_entry *other_way(const struct cache *c, struct cache_entry *e)
{
	return (void *)((uint8_t *)e + c->stride);
}

/* Words in pairs, each with a secret of its place, so that multiplications don't wait for each
 * other and nobody can choose what collides (the scheme of wyhash, public domain). */
static inline uint64_t hash_words(const struct cache *c, const struct cache_key *key)
{
	unsigned n = 2u * c->n_pairs;
	uint64_t hash = 0;

	for (unsigned i = 0; i < n; i += 2) {
		unsigned __int128 product = (unsigned __int128)(key->word[i] ^ c->secret[i]) *
					    (key->word[i + 1] ^ c->secret[i + 1]);

		hash ^= (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return hash ^ hash >> 32; /* sets go by the low bits, which a product mixes least */
}

/* The first `bits` of a word in network order. */
static inline be64 first_bits(unsigned bits)
{
	return htobe64(bits < 64 ? ~(UINT64_MAX >> bits) : UINT64_MAX);
}

/* Leaves of addresses the longest prefix; returns the kind of key that it is. */
static inline uint64_t shorten_addresses(const struct cache *c, const struct pkt *p,
					 struct cache_key *key)
{
	uint64_t kind = 0;

	for (unsigned i = 0; i < N_ADDRESSES; i++) {
		const struct prefixes *prefixes = c->address[i].prefixes;
		uint64_t *word = &key->word[c->address[i].at];
		unsigned bits;

		if (!prefixes)
			continue;
		bits = prefixes_longest(prefixes, (const uint8_t *)&p->key + c->address[i].octets);
		kind = kind << 8 | (bits + 1);
		word[0] &= first_bits(bits);
		if (c->address[i].n == 2)
			word[1] &= first_bits(bits < 64 ? 0 : bits - 64);
	}
	return kind << CACHE_KIND_SHIFT;
}

static ALWAYS_INLINE void take_words(const struct cache *c, const struct pkt *p,
				     struct cache_key *key)
{
	const uint64_t *from = (const uint64_t *)&p->key;
	unsigned n = c->n_words, n_du = c->n_du, i = 0;

	for (; i < n_du; i++)
		key->word[i] = from[c->at[i]] & c->mask[i];
	if (unlikely(i < n)) {
		from = (const uint64_t *)&p->outer->key;
		for (; i < n; i++)
			key->word[i] = from[c->at[i]] & c->mask[i];
	}
	key->word[i] = 0;
}

static ALWAYS_INLINE void key_done(const struct cache *c, struct cache_key *key, uint64_t kind)
{
	key->kind = kind;
	key->hash = hash_words(c, key);
	__builtin_prefetch(set_of(c, key));
}

void cache_prepare(const struct cache *c, struct pkt *const pkt[], unsigned n,
		   struct cache_key key[])
{
	if (unlikely(c->shorten)) {
		for (unsigned i = 0; i < n; i++) {
			take_words(c, pkt[i], &key[i]);
			key_done(c, &key[i], shorten_addresses(c, pkt[i], &key[i]));
		}
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		take_words(c, pkt[i], &key[i]);
		key_done(c, &key[i], 0);
	}
}

static bool entry_is(const struct cache *c, const struct cache_entry *e,
		     const struct cache_key *key)
{
	typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));
	const pair *a = (const pair *)e->word, *b = (const pair *)key->word;
	pair differ = {(e->epoch & ~CACHE_FOUND) ^ (c->epoch | key->kind)};

	for (unsigned i = 0; i < c->n_pairs; i++)
		differ |= a[i] ^ b[i];
	return !(differ[0] | differ[1]);
}

static bool is_fresh(const struct cache *c, const struct cache_entry *e)
{
	return (e->epoch & ((1ull << CACHE_KIND_SHIFT) - 1) & ~CACHE_FOUND) == c->epoch;
}

static bool is_of_use(const struct cache *c, const struct cache_entry *e)
{
	return is_fresh(c, e) && e->epoch & CACHE_FOUND;
}

/* An entry that is found for the first time takes the first way if what is there was not found, so
 * that what repeats is mostly looked for once. */
static __attribute__((noinline)) struct cache_entry *found_behind(struct cache *c,
								  struct cache_entry *first)
{
	struct cache_entry *e = other_way(c, first);

	if (e->epoch & CACHE_FOUND || is_of_use(c, first))
		return e;
	memcpy(first, e, c->stride);
	return first;
}

const struct cache_entry *cache_find(struct cache *c, const struct cache_key *key)
{
	struct cache_entry *e = set_of(c, key);

	if (!entry_is(c, e, key)) {
		if (!entry_is(c, other_way(c, e), key))
			return NULL;
		e = found_behind(c, e);
	}
	if (!(e->epoch & CACHE_FOUND))
		e->epoch |= CACHE_FOUND;
	return e;
}

/* The entry to write: a stale one, else one that nobody has found lately; NULL: there is none now,
 * but the next to come may have one of them. */
static struct cache_entry *entry_to_write(struct cache *c, const struct cache_key *key)
{
	struct cache_entry *way[WAYS] = {set_of(c, key)};
	unsigned any = key->hash >> 40 & 1;

	way[1] = other_way(c, way[0]);
	for (unsigned i = 0; i < WAYS; i++)
		if (!is_fresh(c, way[i]))
			return way[i];
	for (unsigned i = 0; i < WAYS; i++)
		if (!(way[i ^ any]->epoch & CACHE_FOUND))
			return way[i ^ any];
	way[any]->epoch &= ~CACHE_FOUND;
	return NULL;
}

/* ---- Paths --------------------------------------------------------------------------------- */

/* The rules on a path decide all of it. */
static uint32_t path_hash(const struct program *path)
{
	uint64_t h = hash_seed;

	for (unsigned i = 0; i < path->n_rules; i++)
		h = hash_add(h, (uint64_t)path->rules[i].table << 32 | path->rules[i].id);
	return hash_finish(h);
}

static bool path_is(const struct cache_path *kept, uint32_t hash, const struct program *path)
{
	const struct program *other = (const void *)kept->room;

	if (!kept->size || kept->hash != hash || other->n_rules != path->n_rules)
		return false;
	for (unsigned i = 0; i < path->n_rules; i++)
		if (other->rules[i].id != path->rules[i].id ||
		    other->rules[i].table != path->rules[i].table)
			return false;
	return true;
}

/* The cache's copy of a path in the arena; NULL: no room. */
static const struct program *path_keep(struct cache *c, const struct program *path)
{
	size_t ops = sizeof *path + path->apply_size, rules = path->n_rules * sizeof path->rules[0];
	uint32_t hash = path_hash(path);

	if (ops + rules > CACHE_PATH_OCTETS)
		return NULL;
	for (unsigned i = 0; i < WAYS; i++) {
		struct cache_path *kept = &c->paths[(hash + i) % CACHE_PATHS];
		struct program *copy = (void *)kept->room;

		if (path_is(kept, hash, path))
			return copy;
		if (kept->size)
			continue;
		memcpy(copy, path, ops);
		memcpy((uint8_t *)kept->room + ops, path->rules, rules);
		copy->rules = (const void *)((uint8_t *)kept->room + ops);
		kept->hash = hash;
		kept->size = (uint16_t)(ops + rules);
		return copy;
	}
	return NULL;
}

void cache_keep(struct cache *c, const struct cache_key *key, const struct program *program,
		struct path_rule rule)
{
	struct cache_entry *e = entry_to_write(c, key);

	if (!e)
		return;
	if (program && program->rules) {
		program = path_keep(c, program);
		if (!program)
			return;
	}
	e->epoch = c->epoch | key->kind;
	e->program = program;
	e->rule = rule;
	memcpy(e->word, key->word, c->n_pairs * 2 * sizeof e->word[0]);
	counter_add(&c->kept, 1);
}
