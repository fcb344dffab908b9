/* SPDX-License-Identifier: Apache-2.0 */
/* Sets: values that rules ask for by a name (`ipv4_src=@blocklist`), as many as there may be.
 *
 * A set has a type, which says what its members are: addresses and prefixes, ports, numbers, or
 * pairs.  A *key* is a member's value in words (set-key.c): what text says and what packets carry
 * come to the same key.  A member may have a time at which it ends, and counters; then its set is
 * *extended*, which costs more room.
 *
 * **The table** (set-table.c) is one array of slots, probed linearly from a hash.  A plain set
 * keeps 63 or 64 neighbours in one slot: of addresses the prefixes of six lengths below one node (a
 * bitmap of a binary trie's six levels), of numbers the 64 that differ in the last six bits.  So a
 * lookup asks at most 6 slots for IPv4 and 22 for IPv6, whatever lengths are in the set, and none
 * for levels that nobody uses.  An extended set has a slot for each member and asks once for each
 * length in use: what names hosts alone is asked once.  Nobody can choose collisions (hash.h), and
 * no probe goes further than SET_REACH slots: the table grows before.
 *
 * **Threads.**  Workers look up under RCU, and the control thread alone writes: a member in place
 * (its word is stored last), a whole content by another table, published in one store.  A slot's
 * key never changes, and is never taken out: what is deleted is marked, and forgotten when the
 * table is made anew.  Workers write two things, which is why this is a keyed table in the meaning
 * of ARCHITECTURE: a member's counters, and the time of one that they add again; atomically.
 *
 * What changes the answer of a plain set raises dp->sets_gen behind the change; a lookup in an
 * extended set is fleeting (cond.h). */
#ifndef SLUICE_SET_H
#define SLUICE_SET_H

#include "datapath/key.h"
#include "lib/cursor.h"
#include "lib/rcu.h"
#include "lib/refuse.h"

struct datapath;
struct field;

enum set_type {
	SET_IPV4,
	SET_IPV6,
	SET_PORT,
	SET_NUMBER,
	SET_ETH,
	SET_IPV4_PORT,
	SET_IPV6_PORT,
	SET_IPV4_IPV4,
	SET_IPV6_IPV6,
	N_SET_TYPES
};
extern const char *const set_type_names[N_SET_TYPES + 1]; /* NULL at the end */

enum set_flags { SET_TIMEOUTS = 1 << 0, SET_COUNTERS = 1 << 1 };

enum {
	SETS_MAX = 1024,
	SET_NAME = 32, /* octets of a name with its NUL */
	SET_MEMBERS = 65536,
	SET_MEMBERS_MAX = 1 << 24,
	SET_REACH = 128,
	SET_MEMBER_TEXT = 128,
};

#define SET_TIMEOUT_MAX_MS (30 * 24 * 3600 * 1000ull)
#define SET_FOREVER        ((1ull << 48) - 1) /* an end that never comes, ms */

/* A member's value: IPv4 in the upper half of the first word, IPv6 in two, a number in the last
 * word of its type; a pair is both, one behind the other (set-key.c).  Host order. */
struct set_key {
	uint64_t word[4];
	uint8_t len; /* of a prefix; 0 in types that have none */
};

struct set_member {
	struct set_key key;
	uint64_t ends_ms; /* of the datapath's clock; SET_FOREVER */
	uint64_t packets, bytes;
};

/* ---- Keys, text ------------------------------------------------------------------------- */

/* The type has this many words, and prefixes. */
unsigned set_type_words(enum set_type type);
bool set_type_has_prefixes(enum set_type type);
/* A value of the field (of a pair: of both; f2 NULL: none) can be a member. */
bool set_type_fits(enum set_type type, const struct field *f, const struct field *f2);
const char *set_type_wants(enum set_type type); /* the fields that fit, for messages */
/* What the packet has there.  False: nothing (no tag, no ports in a later fragment). */
bool set_key_of(enum set_type type, const struct key_view *view, const struct field *const f[2],
		struct set_key *key);
/* Clears what is behind the prefix. */
void set_key_cut(enum set_type type, struct set_key *key);
/* One member's text of `size` octets: an address, prefix (bits behind it are cleared), number, or
 * two with `+` between.  -EINVAL. */
int set_key_parse(enum set_type type, const char *text, size_t size, struct set_key *key);
const char *set_key_text(enum set_type type, const struct set_key *key, char text[SET_MEMBER_TEXT]);
bool set_name_ok(const char *name); /* letters, digits, - _ . and at most 31 */

/* ---- Tables ----------------------------------------------------------------------------- */

struct set_table;

/* Room for `n` members; NULL: no memory.  Control thread, or any that owns the table. */
struct set_table *set_table_create(enum set_type type, unsigned flags, uint64_t n);
void set_table_free(struct set_table *t);
/* 1: it is new; 0: it was there, and ends now when this one does; -ENOSPC: another table is due. */
int set_table_put(struct set_table *t, const struct set_member *m);
bool set_table_del(struct set_table *t, const struct set_key *key); /* true: it was there */
/* The same members, with room for them, or for a tenth more; what has ended is left out, counters
 * begin at zero.  NULL: no memory. */
struct set_table *set_table_copy(const struct set_table *t, bool grows, uint64_t now_ms);
/* Adds the counters of `from`'s members to those here. */
void set_table_add_counts(struct set_table *t, const struct set_table *from);
/* Exactly this member: true, and what is known of it. */
bool set_table_get(const struct set_table *t, const struct set_key *key, struct set_member *m);
uint64_t set_table_n(const struct set_table *t); /* members, those that ended and wait included */
size_t set_table_octets(const struct set_table *t);
/* A part of the room is for nothing: a copy would give memory back. */
bool set_table_is_loose(const struct set_table *t);

/* Every member, those that ended too; begins with a zeroed cursor. */
struct set_cursor {
	uint32_t slot;
	uint8_t bit;
};
bool set_table_next(const struct set_table *t, struct set_cursor *c, struct set_member *m);
/* Takes out what has ended, over `n` slots from *at on, which goes round.  How many they were. */
uint64_t set_table_sweep(struct set_table *t, uint32_t *at, uint32_t n, uint64_t now_ms);
uint32_t set_table_slots(const struct set_table *t);

/* A lookup's question beside the key. */
struct set_ask {
	uint64_t now_ms;
	bool count; /* as one packet of so many octets */
	uint32_t octets;
};
/* Reader: the key (whole, not a prefix) is in the set or in a prefix of it. */
bool set_table_has(const struct set_table *t, const struct set_key *key, const struct set_ask *ask);
/* Reader: prolongs a member that has not ended; false: there is none. */
bool set_table_prolong(const struct set_table *t, const struct set_key *key, uint64_t now_ms,
		       uint64_t ends_ms);

/* ---- Sets ------------------------------------------------------------------------------- */

struct set {
	uint64_t id; /* never given twice; its place in dp->set is id % SETS_MAX */
	char name[SET_NAME];
	uint8_t type, flags;      /* enum set_type, set_flags */
	bool protects;            /* protected=yes: the control side's */
	struct set_table *table;  /* RCU; never NULL */
	uint64_t timeout_ms, max; /* of members that say none: 0 for ever; how many members */
	struct rcu_head rcu;
};

/* Control thread: a set by itself, with no members; NULL: no memory. */
struct set *set_create(enum set_type type, unsigned flags);
void set_destroy(struct set *s); /* nobody reads it any more */
/* As set_table_put(), in a larger table where that is due; -ENOSPC: the set has `max` members;
 * -ENOMEM. */
int set_put(struct set *s, const struct set_member *m, uint64_t now_ms);
/* Another content, in one store; takes the table. */
void set_replace(struct set *s, struct set_table *fresh);
/* Gives memory back where much of it is for nothing. */
void set_tidy(struct set *s, uint64_t now_ms);

/* Reader: the set with this id; NULL: it is gone. */
struct set *set_get(const struct datapath *dp, uint64_t id);
/* Writer, behind every change of a content. */
void sets_changed(struct datapath *dp);

/* Names of sets in the text of rules: the control side lends them (NULL: there are no sets).
 * Control thread. */
struct set_names {
	const struct set *(*by_name)(const char *name);
	const struct set *(*by_id)(uint64_t id);
	uint64_t (*now_ms)(void); /* the datapath's clock */
};
extern const struct set_names *set_names;

#endif
