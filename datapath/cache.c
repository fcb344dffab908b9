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

static ALWAYS_INLINE unsigned pairs(unsigned n_words)
{
	return (n_words + 1) / 2;
}

/* ---- Epochs ------------------------------------------------------------------------------ */

static const struct prefixes no_prefixes;

/* The address that a word of the key is of; N_ADDRESSES: of none. */
static unsigned address_of(unsigned word)
{
	unsigned i = 0;

	while (i < N_ADDRESSES && word - address_at[i] / 8 >= PREFIX_OCTETS / 8u)
		i++;
	return i;
}

static void take_words(struct cache *c, const struct key_shape *shape)
{
	unsigned whole = 0, n = 0;

	for (unsigned i = 0; i < N_ADDRESSES; i++)
		c->prefixes[i] = &no_prefixes;
	for (unsigned i = 0; i < shape->n_words; i++)
		whole += address_of(shape->at[i]) < N_ADDRESSES;
	c->n_du = 0;
	c->n_plain = (uint8_t)(shape->n_words - whole);
	c->n_whole = (uint8_t)shape->n_words;
	whole = c->n_plain;
	for (unsigned i = 0; i < shape->n_words; i++) {
		unsigned address = address_of(shape->at[i]);
		unsigned to = address < N_ADDRESSES ? whole++ : n++;

		if (address < N_ADDRESSES)
			c->prefixes[address] = shape->prefixes[address];
		else
			c->n_du += shape->at[i] < OUTER_WORD;
		c->at[to] = shape->at[i] % OUTER_WORD;
		c->mask[to] = shape->mask[i];
	}
}

static void take_shape(struct cache *c, const struct key_shape *shape)
{
	uint32_t stride = CACHE_LINE;
	uint64_t secret = hash_seed;

	c->shape = shape->gen;
	c->fits = shape->n_words <= CACHE_WORDS;
	if (!c->fits)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(c->secret); i++)
		c->secret[i] = secret = hash_mix(secret + i + 1) | 1;
	take_words(c, shape);
	while (stride < sizeof(struct cache_entry) + pairs(c->n_whole + 1) * 2 * sizeof(uint64_t))
		stride *= 2;
	c->set_mask = CACHE_OCTETS - stride * WAYS;
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
	return c->fits;
}

/* What a window says of the next ones.  New flows, and new keys of old ones, may spoil one, so two
 * in a row are asked for. */
static void end_window(struct cache *c)
{
	c->n_poor = c->n_found < c->n_asked / 4 * CACHE_WORTH ? c->n_poor + 1 : 0;
	if (c->n_poor > 1)
		c->rest = CACHE_REST * CACHE_WINDOW;
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

static ALWAYS_INLINE struct cache_entry *set_of(const struct cache *c, uint64_t hash)
{
	return (void *)(c->entries + (hash >> (64 - CACHE_BITS) & c->set_mask));
}

static struct cache_entry *other_way(const struct cache *c, struct cache_entry *e)
{
	return (void *)((uint8_t *)e + c->stride);
}

/* Multiply-shift (Dietzfelbinger and others, 1997): the high bits of a sum of products with secret
 * odd numbers are universal, so nobody can choose what collides; and no step waits for another. */
static ALWAYS_INLINE uint64_t hash_words(const struct cache *c, const struct cache_key *key,
					 unsigned n)
{
	uint64_t hash = 0;

#pragma GCC unroll 8
	for (unsigned i = 0; i < n; i++)
		hash += key->word[i] * c->secret[i];
	return hash;
}

/* The words of a part of the key, from word i to word n. */
static ALWAYS_INLINE void take_part(const struct cache *c, const void *part, struct cache_key *key,
				    unsigned i, unsigned n)
{
	const uint64_t *from = part;

#pragma GCC unroll 8
	for (; i < n; i++)
		key->word[i] = from[c->at[i]] & c->mask[i];
}

/* Of an address that is alone the class says nothing: it is in the key itself.  What is traced is
 * to show its lookups. */
static __attribute__((noinline)) void take_more(const struct cache *c, const struct pkt *p,
						struct cache_key *key)
{
	const uint64_t *from = (const uint64_t *)&p->key;
	unsigned i = c->n_plain;

	key->kind = p->flags & PKT_TRACED ? CACHE_NEVER : CACHE_WHOLE;
	for (; i < c->n_whole; i++)
		key->word[i + 1] = from[c->at[i]] & c->mask[i];
	key->word[i + 1] = 0;
	key->set = set_of(c, hash_words(c, key, i + 1));
}

/* The packet in front, since most of a batch have something in common. */
struct last {
	uint64_t address[2];
	unsigned class;
};

static ALWAYS_INLINE unsigned classify(const struct prefixes *prefixes, const uint8_t *address,
				       struct last *last)
{
	uint64_t word[2];

	memcpy(word, address, sizeof word);
	if ((word[0] ^ last->address[0]) | (word[1] ^ last->address[1])) {
		memcpy(last->address, word, sizeof word);
		last->class = prefixes_class(prefixes, address);
	}
	return last->class;
}

/* `n_plain` known to the compiler: no loops. */
static ALWAYS_INLINE void prepare(const struct cache *c, struct pkt *const pkt[], unsigned n,
				  struct cache_key key[], unsigned n_plain)
{
	static const uint8_t zero[PREFIX_OCTETS];
	const struct prefixes *to_src = c->prefixes[ADDRESS_SRC],
			      *to_dst = c->prefixes[ADDRESS_DST];
	struct last src = {.class = prefixes_class(to_src, zero)};
	struct last dst = {.class = prefixes_class(to_dst, zero)};

	for (unsigned i = 0; i < n; i++) {
		const struct pkt *p = pkt[i];
		unsigned s = classify(to_src, p->key.ip_src, &src);
		unsigned d = classify(to_dst, p->key.ip_dst, &dst);

		if (likely(c->n_du == n_plain)) {
			take_part(c, &p->key, &key[i], 0, n_plain);
		} else {
			take_part(c, &p->key, &key[i], 0, c->n_du);
			take_part(c, &p->outer->key, &key[i], c->n_du, n_plain);
		}
		key[i].word[n_plain] = (uint64_t)d << 32 | s;
		key[i].word[n_plain + 1] = 0;
		if (unlikely(((s | d) & PREFIX_ALONE) | (p->flags & PKT_TRACED))) {
			take_more(c, p, &key[i]);
		} else {
			key[i].kind = 0;
			key[i].set = set_of(c, hash_words(c, &key[i], n_plain + 1));
		}
		__builtin_prefetch(key[i].set);
	}
}

void cache_prepare(const struct cache *c, struct pkt *const pkt[], unsigned n,
		   struct cache_key key[])
{
	switch (c->n_plain) {
	case 1:
		return prepare(c, pkt, n, key, 1);
	case 2:
		return prepare(c, pkt, n, key, 2);
	case 3:
		return prepare(c, pkt, n, key, 3);
	default:
		return prepare(c, pkt, n, key, c->n_plain);
	}
}

static ALWAYS_INLINE bool entry_is(const struct cache_entry *e, uint64_t epoch,
				   const struct cache_key *key, unsigned n_pairs)
{
	typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));
	const pair *a = (const pair *)e->word, *b = (const pair *)key->word;
	pair differ = {(e->epoch & ~CACHE_FOUND) ^ (epoch | key->kind)};

#pragma GCC unroll 4
	for (unsigned i = 0; i < n_pairs; i++)
		differ |= a[i] ^ b[i];
	return !(differ[0] | differ[1]);
}

static bool is_fresh(const struct cache *c, const struct cache_entry *e)
{
	return (e->epoch & ~(CACHE_FOUND | CACHE_WHOLE)) == c->epoch;
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

static ALWAYS_INLINE struct cache_entry *find_one(struct cache *c, uint64_t epoch,
						  const struct cache_key *key, unsigned n_pairs)
{
	struct cache_entry *e = key->set;

	if (unlikely(!entry_is(e, epoch, key, n_pairs))) {
		if (!entry_is(other_way(c, e), epoch, key, n_pairs))
			return NULL;
		e = found_behind(c, e);
	}
	if (unlikely(!(e->epoch & CACHE_FOUND)))
		e->epoch |= CACHE_FOUND;
	return e;
}

static __attribute__((noinline)) struct cache_entry *find_more(struct cache *c,
							       const struct cache_key *key)
{
	return key->kind == CACHE_NEVER ? NULL : find_one(c, c->epoch, key, pairs(c->n_whole + 1u));
}

static ALWAYS_INLINE unsigned find(struct worker *w, const struct cache_key key[], unsigned n,
				   const struct cache_entry *e[], unsigned n_pairs)
{
	const struct rule_counters *rule = w->rule;
	uint64_t epoch = w->cache.epoch;
	unsigned known = 0;

	for (unsigned i = 0; i < n; i++) {
		struct cache_entry *found = unlikely(key[i].kind)
						    ? find_more(&w->cache, &key[i])
						    : find_one(&w->cache, epoch, &key[i], n_pairs);

		e[i] = found;
		if (unlikely(!found))
			continue;
		known++;
		__builtin_prefetch(found->program);
		__builtin_prefetch(&rule[found->rule.id]);
	}
	return known;
}

unsigned cache_find(struct worker *w, const struct cache_key key[], unsigned n,
		    const struct cache_entry *e[])
{
	switch (pairs(w->cache.n_plain + 1u)) {
	case 1:
		return find(w, key, n, e, 1);
	case 2:
		return find(w, key, n, e, 2);
	default:
		return find(w, key, n, e, pairs(w->cache.n_plain + 1u));
	}
}

/* The entry to write: a stale one, else one that nobody has found lately; NULL: there is none now,
 * but the next to come may have one of them. */
static struct cache_entry *entry_to_write(struct cache *c, const struct cache_key *key)
{
	struct cache_entry *way[WAYS] = {key->set};
	unsigned any = c->kept & 1;

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
	struct cache_entry *e = key->kind == CACHE_NEVER ? NULL : entry_to_write(c, key);

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
	memcpy(e->word, key->word,
	       pairs((key->kind ? c->n_whole : c->n_plain) + 1u) * 2 * sizeof e->word[0]);
	counter_add(&c->kept, 1);
}
