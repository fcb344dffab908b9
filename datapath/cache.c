/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/cache.h"

#include <errno.h>
#include <stdlib.h>

#include "datapath/worker.h"
#include "lib/hash.h"

enum { WAYS = 2 };

int cache_init(struct cache *c)
{
	*c = (struct cache){.epoch = 2, .version = -1ull};
	c->entries = aligned_alloc(CACHE_LINE, CACHE_OCTETS);
	c->paths = calloc(CACHE_PATHS, sizeof *c->paths);
	if (!c->entries || !c->paths) {
		cache_destroy(c);
		return -ENOMEM;
	}
	memset(c->entries, 0, CACHE_OCTETS);
	return 0;
}

void cache_destroy(struct cache *c)
{
	free(c->entries);
	free(c->paths);
	c->entries = NULL;
	c->paths = NULL;
}

/* ---- Epochs ------------------------------------------------------------------------------ */

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

void cache_end(struct cache *c, unsigned asked, unsigned found)
{
	c->n_asked += asked;
	c->n_found += found;
	counter_add(&c->hits, found);
	counter_add(&c->misses, asked - found);
	if (c->n_asked < CACHE_WINDOW)
		return;
	if (c->n_found < c->n_asked / CACHE_WORTH) /* it was not worth it */
		c->rest = CACHE_REST * CACHE_WINDOW;
	c->n_asked = c->n_found = 0;
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
	uint64_t hash = 0;

	for (unsigned i = 0; i < 2u * c->n_pairs; i += 2) {
		unsigned __int128 product = (unsigned __int128)(key->word[i] ^ c->secret[i]) *
					    (key->word[i + 1] ^ c->secret[i + 1]);

		hash ^= (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return hash ^ hash >> 32; /* sets go by the low bits, which a product mixes least */
}

void cache_prepare(const struct cache *c, const struct pkt *p, struct cache_key *key)
{
	const uint64_t *from = (const uint64_t *)&p->key;
	unsigned i = 0;

	for (; i < c->n_du; i++)
		key->word[i] = from[c->at[i]] & c->mask[i];
	from = (const uint64_t *)&p->outer->key;
	for (; i < c->n_words; i++)
		key->word[i] = from[c->at[i]] & c->mask[i];
	key->word[i] = 0;
	key->hash = hash_words(c, key);
	__builtin_prefetch(set_of(c, key));
}

static bool entry_is(const struct cache *c, const struct cache_entry *e,
		     const struct cache_key *key)
{
	typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));
	const pair *a = (const pair *)e->word, *b = (const pair *)key->word;
	pair differ = {(e->epoch & ~CACHE_FOUND) ^ c->epoch};

	for (unsigned i = 0; i < c->n_pairs; i++)
		differ |= a[i] ^ b[i];
	return !(differ[0] | differ[1]);
}

const struct cache_entry *cache_find(struct cache *c, const struct cache_key *key)
{
	struct cache_entry *e = set_of(c, key);

	if (!entry_is(c, e, key)) {
		e = other_way(c, e);
		if (!entry_is(c, e, key))
			return NULL;
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

	way[1] = other_way(c, way[0]);
	for (unsigned i = 0; i < WAYS; i++)
		if ((way[i]->epoch & ~CACHE_FOUND) != c->epoch)
			return way[i];
	for (unsigned i = 0; i < WAYS; i++)
		if (!(way[i]->epoch & CACHE_FOUND))
			return way[i];
	way[key->hash >> 40 & 1]->epoch &= ~CACHE_FOUND;
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
	e->epoch = c->epoch;
	e->program = program;
	e->rule = rule;
	memcpy(e->word, key->word, c->n_pairs * 2 * sizeof e->word[0]);
	counter_add(&c->kept, 1);
}
