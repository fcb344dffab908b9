/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's cache: what the rules stage found for keys that it has seen.
 *
 * The key of an entry is what rules look at: the packet's words under the union of all rules'
 * masks (shape.h), and of an address the longest of the rules' prefixes that it is in (prefixes.h),
 * so that packets which no rule can tell apart share one, sources that never repeat among them.
 * An entry leads to the first rule's program, or to a composed path.  A hit saves the lookups and
 * the composing; a miss is a lookup, never more.
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
 * The worker's alone. */
#ifndef SLUICE_CACHE_H
#define SLUICE_CACHE_H

#include "datapath/table.h"

enum {
	CACHE_BITS = 20,
	CACHE_OCTETS = 1 << CACHE_BITS,
	CACHE_WORDS = 13, /* of a key; where rules look at more, there is no cache */
	CACHE_PATHS = 256,
	CACHE_PATH_OCTETS = 504, /* longer ones are composed each time */
	CACHE_WORTH = 3,         /* in four: fewer found, and lookups alone cost less */
	CACHE_WINDOW = 4096,     /* packets after which the hits are looked at … */
	CACHE_REST = 127,        /* … and windows that it is left alone for */
	CACHE_AHEAD = 8,         /* keys that are looked for together */
};

/* In an entry's epoch, which is even and ends below: it was found; its key has addresses. */
#define CACHE_FOUND 1ull
#define CACHE_WHOLE (1ull << 63)
#define CACHE_NEVER (1ull << 62) /* a key's kind alone: it is in no entry */

struct cache_entry {
	uint64_t epoch;                /* its key's kind, and CACHE_FOUND, in it */
	const struct program *program; /* NULL: a miss in every table that was asked */
	struct path_rule rule;         /* of a plain program */
	uint64_t word[];               /* of its key, in pairs */
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
	bool fits;                         /* rules look at no more words than a key has */
	/* What a key has: of the words that rules look at those without addresses, the packet's own
	 * part first; then a word with the classes of the addresses; then, where one of them is
	 * alone, the words of all of them. */
	uint8_t n_du, n_plain, n_whole; /* up to where each of them goes; the word is n_plain */
	uint8_t at[CACHE_WORDS];        /* where in their part: of n_plain, of addresses */
	uint32_t stride, set_mask;      /* set_mask: of offsets of sets among all octets */
	uint32_t n_asked, n_found;      /* in this window */
	uint32_t n_poor;                /* windows in a row with too few */
	uint32_t rest;                  /* packets to go without */
	const struct prefixes *prefixes[N_ADDRESSES]; /* empty where no rule looks at it */
	uint64_t mask[CACHE_WORDS], secret[CACHE_WORDS + 1];
	uint64_t hits, misses, kept; /* counters */
};

/* A packet's key as the cache sees it. */
struct cache_key {
	struct cache_entry *set;        /* where it is, if it is */
	uint64_t kind;                  /* CACHE_WHOLE, CACHE_NEVER, or 0 */
	uint64_t word[CACHE_WORDS + 2]; /* and one that is 0, for pairs */
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
/* The entries of at most CACHE_AHEAD keys; NULL: a miss, as all packets are that are traced.
 * Programs and rules' figures are on their way then.  Returns how many were found. */
unsigned cache_find(struct worker *w, const struct cache_key key[], unsigned n,
		    const struct cache_entry *e[]);
/* Keeps what a lookup found: `program` is the rule's own, or a path in the arena, which is copied;
 * NULL: nothing was found. */
void cache_keep(struct cache *c, const struct cache_key *key, const struct program *program,
		struct path_rule rule);

#endif
