/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's cache: what the rules stage found for keys that it has seen.
 *
 * The key of an entry is what rules look at: the packet's words under the union of all rules'
 * masks (table.h's struct key_shape), so that packets which no rule can tell apart share one.  An
 * entry leads to the first rule's program, or to a composed path.  A hit saves the lookups and the
 * composing; a miss is a lookup, never more.
 *
 * **What is in it is never wrong.**  An entry is of one *epoch*: a table version, a generation of
 * the sets, a union of masks.  When one of them has changed, the epoch is raised and nothing of
 * before is found any more.  Within a version neither a rule nor its program ends (they are freed
 * after a grace period behind the next one), hence the pointers.  A lookup whose answer may change
 * without a new version says so (probe->fleeting) and is not kept; limits, meters, groups are run
 * with the program, each time.
 *
 * **Nobody can make it grow or be of harm.**  Its memory is fixed: CACHE_OCTETS of entries, two
 * ways a set, and CACHE_PATHS paths, each distinct one once.  An entry that was found since a miss
 * last looked for room is passed over once, so traffic that never repeats does not sweep out what
 * does.  And where fewer than CACHE_WORTH in four are found, the cache is left alone for a while:
 * then a packet costs its lookup and nothing else.
 *
 * **Sources that never repeat are known all the same.**  Where too few are found, what a key has of
 * an address is the longest of the rules' prefixes that it is in (prefixes.h), and nothing behind
 * it.  Keys say which of the two they are, so entries of both stand side by side.
 *
 * The worker's alone. */
#ifndef SLUICE_CACHE_H
#define SLUICE_CACHE_H

#include "datapath/table.h"

enum {
	CACHE_OCTETS = 1 << 20,
	CACHE_WORDS = 13, /* of a key; where rules look at more, there is no cache */
	CACHE_PATHS = 256,
	CACHE_PATH_OCTETS = 504, /* longer ones are composed each time */
	CACHE_WORTH = 3,         /* in four: fewer found, and lookups alone cost less */
	CACHE_WINDOW = 4096,     /* packets after which the hits are looked at … */
	CACHE_REST = 127,        /* … and windows until another way is tried again */
};

/* In an entry's epoch, which is even and ends below the kind. */
#define CACHE_FOUND 1ull
enum { CACHE_KIND_SHIFT = 48 };

struct cache_entry {
	uint64_t epoch;                /* its key's kind above it, and CACHE_FOUND */
	const struct program *program; /* NULL: a miss in every table that was asked */
	struct path_rule rule;         /* of a plain program */
	uint64_t word[];               /* as many as are pairs */
};

/* One of the cache's copies of composed paths. */
struct cache_path {
	uint32_t hash;
	uint16_t size; /* 0: free */
	uint64_t room[CACHE_PATH_OCTETS / 8];
};

struct cache {
	uint8_t *entries; /* of `stride` octets; NULL: there is none */
	struct cache_path *paths;
	uint64_t epoch;
	uint64_t version, sets_gen, shape; /* what the epoch stands for */
	bool guard;                        /* the guard is asked first */
	bool fleeting;                     /* the lookup under way may not be kept */
	uint8_t n_words, n_du; /* words of a key; the first of them of the packet's own part */
	uint8_t n_pairs;
	uint8_t at[CACHE_WORDS]; /* where in their part */
	uint32_t stride, set_mask;
	uint32_t n_asked, n_found; /* in this window */
	uint32_t n_poor;           /* windows in a row with too few */
	uint32_t rest;             /* packets to go without, … */
	uint32_t shorten;          /* … and windows with addresses shortened */
	struct {
		const struct prefixes *prefixes; /* NULL: no rule looks at it */
		uint8_t at, n;                   /* its words in a key */
		uint16_t octets;                 /* where it is in the packet's own part */
	} address[N_ADDRESSES];
	uint64_t mask[CACHE_WORDS], secret[CACHE_WORDS + 1];
	uint64_t hits, misses, kept; /* counters */
};

/* A packet's key as the cache sees it. */
struct cache_key {
	uint64_t hash;
	uint64_t kind; /* where addresses are shortened: to how many bits; above an epoch's */
	uint64_t word[CACHE_WORDS + 1]; /* of an odd number of words one more, which is 0 */
};

int cache_init(struct cache *c); /* -ENOMEM */
void cache_destroy(struct cache *c);

/* Before a batch of `n`: whether the cache is to be asked. */
bool cache_begin(struct worker *w, unsigned n);
/* Behind it: how many were asked for and found. */
void cache_end(struct cache *c, unsigned asked, unsigned found);
/* The keys of packets; their entries are on their way into the processor then. */
void cache_prepare(const struct cache *c, struct pkt *const pkt[], unsigned n,
		   struct cache_key key[]);
/* NULL: a miss. */
const struct cache_entry *cache_find(struct cache *c, const struct cache_key *key);
/* Keeps what a lookup found: `program` is the rule's own, or a path in the arena, which is copied;
 * NULL: nothing was found. */
void cache_keep(struct cache *c, const struct cache_key *key, const struct program *program,
		struct path_rule rule);

#endif
