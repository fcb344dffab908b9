/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of buckets by key: what an attacker fills, and cannot use.
 *
 * A table holds one *word* for each key that is in use: as in bucket.h, the time up to which its
 * tokens are spent, so nothing is refilled and a change of rate needs no conversion; and in the low
 * bits, where the table counts connections, how many its key has.  A key that is not there has a
 * full bucket.  Its memory is fixed when it is made.
 *
 * **A line** is a cache line: three slots of {tag, word}, one word that keys share when all slots
 * are taken, and a word that says that somebody is putting a key in.  A key belongs to one line, so
 * a packet touches one line and changes it by one compare-and-swap.  The tag is 64 bits of a
 * multilinear hash under secrets of this process: two keys whoever chose them (but not knowing the
 * secrets) have the same with a probability of 2^-64; among a million keys, 3 * 10^-8.
 *
 * **What is put out** for a new key is only what the key would have again if it came back: a word
 * that counts nothing and is *full again*, or no later than the line's shared word.  While there is
 * none, a new key is judged by the shared word, a bucket like any other; and a key that comes into
 * a slot goes on from where the shared word stands, if that is later than a full bucket.  So
 * whatever others send, the words that judge one key are a chain in which each begins where the one
 * before it ended, or later: what passes of one key within any time is at most rate times time plus
 * one burst, whoever fills the table.  (The slack: workers' clocks differ by a batch, and what is
 * judged in the very moment in which its key is put in is judged by the shared word once more: one
 * packet a worker.)  And in all no more passes than four such buckets a line.  The price is paid by
 * keys that come while their line is in use: they begin with what the shared word has, not with a
 * full burst.  They lose little by that until more new keys come than lines times four times
 * the rate.  A connection count has no chain: a key that had some in the shared word and then gets
 * a slot may have twice the limit.
 *
 * **Putting in.**  Who puts a key in holds the line's `busy` word, taken by one attempt: who does
 * not get it does not wait, but is judged by the shared word.  The slot's word is KEYED_BUSY while
 * its tag changes.  In one slot time never goes back, and a new key's begins later than the old
 * one's, so no word ever comes again for another key: a compare-and-swap that found its tag between
 * reading the word and swapping it has swapped its own.
 *
 * Beside the lines, touched when a key comes and when one of its packets is dropped, lie the keys'
 * octets and what they lost: for people who ask who it is.
 *
 * Threads: keyed_take(), keyed_give() and keyed_look() from any worker; the rest is the control
 * thread's.  Nothing here waits, allocates or is freed while a worker may see it. */
#ifndef SLUICE_KEYED_H
#define SLUICE_KEYED_H

#include "lib/base.h"

enum {
	KEYED_WAYS = 3,
	KEYED_WORDS = 9, /* of a key, at most */
	KEYED_KEYS_MIN = 64,
	KEYED_KEYS_MAX = 1 << 20,
	KEYED_COUNT_BITS = 14,
	KEYED_COUNT_MAX = (1 << KEYED_COUNT_BITS) - 1,
	KEYED_COUNTING_SHIFT = 8, /* a table that counts has time in units of 256 ns */
};

#define KEYED_BUSY UINT64_MAX

struct keyed_line {
	struct keyed_slot {
		uint64_t tag, word; /* tag 0: nobody's yet */
	} slot[KEYED_WAYS];
	uint64_t shared; /* the word of keys that have no slot */
	uint64_t busy;   /* 1: somebody puts a key in */
} CACHE_ALIGNED;

struct keyed_shape {
	uint32_t n_lines;
	unsigned words; /* of a key */
	bool counts;    /* connections, too */
	uint64_t now;   /* ns: time begins here */
};

struct keyed {
	struct keyed_line *line;
	uint64_t *info; /* `stride` words for each slot: since, dropped, key */
	uint32_t n_lines;
	uint8_t words, stride, count_bits, shift;
	uint64_t epoch_ns;                         /* what makes `now` the table's time */
	unsigned __int128 secret[KEYED_WORDS + 1]; /* of the tag's hash */
	size_t line_size, info_size;
};

/* NULL: no memory.  All of it is touched here, so that no packet waits for a page. */
struct keyed *keyed_create(const struct keyed_shape *shape);
void keyed_destroy(struct keyed *t); /* no worker sees it any more; NULL: nothing */
size_t keyed_octets(const struct keyed *t);

struct keyed_ask {
	const uint64_t *key; /* of the table's words */
	uint64_t now;        /* ns */
	uint64_t cost;       /* of the packet, in the table's unit of time; 0: nothing */
	uint64_t burst;      /* in the same */
	uint32_t room;       /* passes while fewer than these are counted; 0: no matter */
	bool counts;         /* and is counted, if it passes */
};

enum keyed_verdict { KEYED_PASS, KEYED_RATE /* above it */, KEYED_COUNT /* no room */ };

/* `*where` is the word that judged, for keyed_give(): keyed_shared() says whether it is a shared
 * one.  A bucket passes a packet when it holds all it costs (or all it can hold, if that is less:
 * then it owes the rest). */
enum keyed_verdict keyed_take(struct keyed *t, const struct keyed_ask *a, uint32_t *where);
/* One connection less. */
void keyed_give(struct keyed *t, uint32_t where);

static inline bool keyed_shared(uint32_t where)
{
	return where % 4 == KEYED_WAYS;
}

/* The table's time at `now`. */
static inline uint64_t keyed_time(const struct keyed *t, uint64_t now)
{
	return (now + t->epoch_ns) >> t->shift;
}

/* Hashes n words under n + 1 secrets: 64 bits, never 0. */
uint64_t keyed_hash(const unsigned __int128 *secret, const uint64_t *word, unsigned n);
void keyed_secrets(unsigned __int128 *secret, unsigned n, uint64_t salt); /* of this process */
static inline uint64_t keyed_tag(const struct keyed *t, const uint64_t *key)
{
	return keyed_hash(t->secret, key, t->words);
}

/* How a word stands. */
struct keyed_state {
	enum { KEYED_ABSENT, KEYED_KEPT, KEYED_SHARING } how;
	uint64_t left; /* of the burst, in the table's unit */
	uint64_t owes; /* when nothing is left: how long until there is */
	uint32_t count;
	uint64_t dropped, since; /* of a kept one: packets; ns */
	uint64_t key[KEYED_WORDS];
};

/* What would judge a key now.  Changes nothing. */
void keyed_look(const struct keyed *t, const struct keyed_ask *a, struct keyed_state *s);
/* The slot `at` (below keyed_slots()), if a key is there that is in use at `now` or has lost
 * packets. */
bool keyed_slot_state(const struct keyed *t, uint32_t at, const struct keyed_ask *a,
		      struct keyed_state *s);
static inline uint32_t keyed_slots(const struct keyed *t)
{
	return t->n_lines * KEYED_WAYS;
}

/* For keyed-conns.c: the line of a tag, the slot that has it (-1: none), and the attempt to put
 * one in. */
static inline uint32_t keyed_line_of(uint64_t tag, uint32_t n_lines)
{
	return (uint32_t)((tag >> 32) * n_lines >> 32);
}
int keyed_find(const struct keyed_line *l, uint64_t tag);
bool keyed_enter(struct keyed_line *l);
void keyed_leave(struct keyed_line *l);
void *keyed_memory(size_t size); /* zeroes, touched; NULL: none */
void keyed_release(void *memory, size_t size);

#endif
