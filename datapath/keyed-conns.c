/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/keyed-conns.h"

#include <stdlib.h>

/* The word: 36 bits of time (which come again after two years: ages count), 4 of flags, 24 of the
 * key's word; 0: nothing. */
enum {
	WHERE_BITS = 24,
	OPEN = 1 << 24,    /* counted */
	CLOSING = 1 << 25, /* … for a short time yet */
	DOUBTED = 1 << 26, /* went on after its end */
	TIME_SHIFT = 28,
};

#define TIME_MASK ((1ull << (64 - TIME_SHIFT)) - 1)

_Static_assert((uint64_t)KEYED_KEYS_MAX * 4 <= 1u << WHERE_BITS, "a key's word has 24 bits");

struct keyed_conns *conns_create(uint32_t n_lines)
{
	struct keyed_conns *c = aligned_alloc(CACHE_LINE, ROUND_UP(sizeof *c, CACHE_LINE));

	if (!c)
		return NULL;
	*c = (struct keyed_conns){.n_lines = n_lines, .size = n_lines * sizeof *c->line};
	keyed_secrets(c->secret, ARRAY_SIZE(c->secret), 1);
	c->line = keyed_memory(c->size);
	if (c->line)
		return c;
	free(c);
	return NULL;
}

void conns_destroy(struct keyed_conns *c)
{
	if (c)
		keyed_release(c->line, c->size);
	free(c);
}

uint64_t conns_tag(const struct keyed_conns *c, const struct du_key *k)
{
	uint64_t word[CONNS_TUPLE];
	bool turned;
	int order = memcmp(k->ip_src, k->ip_dst, 16);

	turned = order ? order > 0 : be16toh(k->tp_src) > be16toh(k->tp_dst);
	memcpy(word, turned ? k->ip_dst : k->ip_src, 16);
	memcpy(word + 2, turned ? k->ip_src : k->ip_dst, 16);
	word[4] = (uint64_t)k->eth_type << 32 | (uint64_t)(turned ? k->tp_dst : k->tp_src) << 16 |
		  (turned ? k->tp_src : k->tp_dst);
	return keyed_hash(c->secret, word, CONNS_TUPLE);
}

static struct keyed_line *line_of(const struct keyed_conns *c, uint64_t tag)
{
	return &c->line[keyed_line_of(tag, c->n_lines)];
}

static uint64_t stamp(uint64_t now)
{
	return now >> CONNS_UNIT_SHIFT & TIME_MASK;
}

/* For how long it was not seen; what a worker ahead of us has just seen is of now. */
static uint64_t age_of(uint64_t word, uint64_t now)
{
	uint64_t age = (stamp(now) - (word >> TIME_SHIFT)) & TIME_MASK;

	return age > TIME_MASK / 2 ? 0 : age;
}

static uint32_t where_of(uint64_t word)
{
	return word & ((1u << WHERE_BITS) - 1);
}

static uint64_t seen_at(uint64_t word, uint64_t now, bool ends)
{
	uint64_t fresh = (word & ((1ull << TIME_SHIFT) - 1)) | stamp(now) << TIME_SHIFT;

	return ends && !(word & DOUBTED) ? fresh | CLOSING : fresh;
}

enum conns_answer conns_seen(struct keyed_conns *c, uint64_t tag, uint64_t now, bool ends)
{
	struct keyed_line *l = line_of(c, tag);
	int way = keyed_find(l, tag);
	uint64_t old, fresh;

	if (way < 0)
		return CONNS_NEW;
	old = __atomic_load_n(&l->slot[way].word, __ATOMIC_ACQUIRE);
	do {
		if (old == KEYED_BUSY || !old ||
		    __atomic_load_n(&l->slot[way].tag, __ATOMIC_RELAXED) != tag)
			return CONNS_NEW;
		if (!(old & OPEN))
			return CONNS_AGAIN;
		fresh = seen_at(old, now, ends);
		if (fresh == old)
			break;
	} while (!__atomic_compare_exchange_n(&l->slot[way].word, &old, fresh, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return CONNS_COUNTED;
}

/* The slot for a new one: its own, an empty one, one that was let go, the one seen least recently;
 * of equals any, lest the same always stay.  -1: all of them are changing. */
static int choose(const struct keyed_line *l, const struct conns_entry *e, uint64_t *word)
{
	int best = keyed_find(l, e->tag);
	uint64_t most = 0;

	if (best >= 0) {
		*word = __atomic_load_n(&l->slot[best].word, __ATOMIC_RELAXED);
		return *word & OPEN ? -1 : best; /* somebody else was faster */
	}
	for (unsigned i = 0; i < KEYED_WAYS; i++) {
		unsigned at = (unsigned)(e->tag + i) % KEYED_WAYS;
		uint64_t w = __atomic_load_n(&l->slot[at].word, __ATOMIC_RELAXED);
		uint64_t rank = w & OPEN ? age_of(w, e->now) + 1 : TIME_MASK + !w;

		if (w != KEYED_BUSY && rank > most) {
			best = (int)at;
			most = rank;
			*word = w;
		}
	}
	return best;
}

static bool put(struct keyed_conns *c, struct keyed *keys, const struct conns_entry *e)
{
	struct keyed_line *l = line_of(c, e->tag);
	uint64_t old = 0, fresh = stamp(e->now) << TIME_SHIFT | OPEN | e->where;
	bool done = false;
	int way;

	if (!keyed_enter(l))
		return false;
	way = choose(l, e, &old);
	if (way >= 0 && __atomic_compare_exchange_n(&l->slot[way].word, &old, KEYED_BUSY, false,
						    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		__atomic_store_n(&l->slot[way].tag, e->tag, __ATOMIC_RELAXED);
		__atomic_store_n(&l->slot[way].word, fresh | (e->doubted ? DOUBTED : 0),
				 __ATOMIC_RELEASE);
		done = true;
	}
	keyed_leave(l);
	if (done && old & OPEN)
		keyed_give(keys, where_of(old));
	return done;
}

void conns_put(struct keyed_conns *c, struct keyed *keys, const struct conns_entry *e)
{
	if (!put(c, keys, e))
		keyed_give(keys, e->where);
}

/* ---- Letting go -------------------------------------------------------------------------- */

static void sweep_slot(struct keyed_slot *s, struct keyed *keys, uint64_t now, uint64_t idle_ns)
{
	uint64_t word = __atomic_load_n(&s->word, __ATOMIC_RELAXED), fresh = 0;
	uint64_t most = word & CLOSING ? CONNS_LINGER_NS : idle_ns;

	if (word == KEYED_BUSY || !(word & OPEN))
		return;
	if (age_of(word, now) <= most >> CONNS_UNIT_SHIFT)
		return;
	if (word & CLOSING)
		fresh = word & ~(uint64_t)(OPEN | CLOSING);
	if (__atomic_compare_exchange_n(&s->word, &word, fresh, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		keyed_give(keys, where_of(word));
}

void conns_sweep(struct keyed_conns *c, struct keyed *keys, uint64_t now, uint64_t idle_ns,
		 uint32_t n)
{
	for (; n; n--) {
		struct keyed_line *l = &c->line[c->hand];

		for (unsigned i = 0; i < KEYED_WAYS; i++)
			sweep_slot(&l->slot[i], keys, now, idle_ns);
		c->hand = c->hand + 1 < c->n_lines ? c->hand + 1 : 0;
	}
}

uint32_t conns_n(const struct keyed_conns *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_lines; i++)
		for (unsigned k = 0; k < KEYED_WAYS; k++) {
			uint64_t word = __atomic_load_n(&c->line[i].slot[k].word, __ATOMIC_RELAXED);

			n += word != KEYED_BUSY && word & OPEN;
		}
	return n;
}
