/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions: what a match asks beyond values and masks.
 *
 * A match is a value and a mask (match.h), which a classifier can hash, and up to MATCH_CONDS
 * conditions, which it cannot: a range of a number, membership in a set, a program of classic BPF.
 * A rule is met when its bits agree and all its conditions hold; where one does not, the next rule
 * in the order of precedence is asked.  So a condition never shadows.
 *
 * A kind is a row of conds.def naming a `struct cond_class` in a file cond-*.c, which knows all
 * of it.  Conditions of a match stand in one order (kind, field, argument), so that equal matches
 * are equal octets, and cheap ones are asked first.
 *
 * What is asked about is a `struct probe`: the packet as a lookup sees it.  A condition whose
 * answer may change while the key stays (a BPF program reads octets, a set's entry expires) says so
 * in probe->fleeting, and the answer of that lookup is not kept in the worker's cache.  One that
 * cannot be answered at all (octets are asked for, and only a key is known) says so in
 * probe->unknown, and does not hold, negated or not.
 *
 * Not every condition is of a field: cond_field() says NULL for those that are not.
 *
 * Threads: holds() on workers, under RCU; the rest is the control thread's. */
#ifndef SLUICE_COND_H
#define SLUICE_COND_H

#include "datapath/key.h"
#include "lib/cursor.h"
#include "lib/refuse.h"

struct field;
struct match;
struct pkt;
struct worker;

enum cond_kind {
#define COND(ID, OBJECT) COND_##ID,
#include "datapath/conds.def"
#undef COND
	N_CONDS
};

enum { MATCH_CONDS = 8 };

enum cond_flags {
	COND_NEGATED = 1 << 0,
	COND_OUTER = 1 << 1,   /* of the frame as it arrived, not of the data unit */
	COND_PAYLOAD = 1 << 2, /* payload=yes: octets behind the headers may be read */
};

/* No padding, unused octets zero: conditions are compared as octets. */
struct cond {
	uint8_t kind, flags;
	uint16_t field, field2; /* enum field_id; N_FIELDS: none.  Of a pair the second, too */
	uint16_t reserved;
	union {
		struct {
			uint64_t lo, hi; /* host order, both within */
		} range;
		uint64_t set; /* its number (set.h) */
		uint64_t bpf; /* its handle (bpf.h) */
	};
};

/* Octets for those who have no packet but a piece of one: a snapshot. */
struct probe_octets {
	const uint8_t *data; /* an Ethernet header first */
	uint32_t size;       /* octets that are known */
	uint32_t len;        /* of the packet, Ethernet header included */
	uint16_t l3;         /* where the IP header begins; 0: there is none */
	bool outer;          /* they are the frame as it arrived */
};

/* A packet as lookups see it. */
struct probe {
	struct key_view key;
	uint64_t version;      /* of the tables */
	struct worker *worker; /* NULL: nobody's traffic (tests, dry runs): nothing counts */
	const struct pkt *pkt; /* its octets; NULL: only the key is known, unless … */
	bool fleeting;         /* out: the same key may be answered otherwise next time */
	bool unknown;          /* out: what is known does not say */
	const struct probe_octets *octets; /* … these are; NULL */
	bool unverified; /* an aggregate before its ICV: what it meets may not count or move */
};

struct cond_class {
	const char *name;
	uint8_t oxm; /* its number among our experimenter's OXM fields */
	/* Whether it holds, COND_NEGATED apart.  Bounded work. */
	bool (*holds)(const struct cond *c, struct probe *s);
	/* The value in `field=value` of FLOW text (a leading `!` is taken off): fills the argument
	 * (kind, field and flags are set).  -ENOENT: no value of this kind. */
	int (*parse)(const struct field *f, const char *value, struct cond *c, struct refusal *r);
	/* A whole word of FLOW text whose name is no field's (`bpf=…`): adds what it says to the
	 * match.  `value` may be NULL.  -ENOENT: the word is not of this kind.  NULL: none is. */
	int (*parse_word)(struct match *m, const char *name, const char *value, struct refusal *r);
	/* The name in front of `=`.  NULL: the field's. */
	const char *(*word)(const struct cond *c);
	/* The value again. */
	void (*format)(const struct cond *c, struct buf *text);
	/* OXM: the argument behind flags and target field (match-oxm.c), which `get` fills from all
	 * of `body`; `put` says false when a field of OXM cannot hold it.  NULL: has no form. */
	int (*get)(struct cond *c, struct reader *body, struct refusal *r);
	bool (*put)(const struct cond *c, struct buf *wire);
	/* What it names: still there; counted as used by a rule more, or less.  NULL: it names
	 * nothing. */
	bool (*exists)(const struct cond *c);
	void (*hold)(const struct cond *c);
	void (*release)(const struct cond *c);
	/* Whatever meets `narrow` meets `wide`: conditions of this kind on the same field. */
	bool (*covers)(const struct cond *wide, const struct cond *narrow);
	/* Nothing can meet both. */
	bool (*excludes)(const struct cond *a, const struct cond *b);
};

const struct cond_class *cond_class(enum cond_kind kind);
/* What it asks is known before decryption, and is the same for all DUs of the aggregate. */
bool cond_known_early(const struct cond *c);
const struct field *cond_field(const struct cond *c); /* NULL: it is of no field */
const char *cond_word(const struct cond *c);          /* what stands in front of `=` */
/* `name=value`, as it is in FLOW text. */
void cond_format(const struct cond *c, struct buf *text);

/* A condition as the two numbers of a trace record, and back; ends of ranges keep 32 bits. */
void cond_pack(const struct cond *c, uint64_t out[2]);
struct cond cond_unpack(const uint64_t in[2]);

/* Adds a condition in its place.  Refuses the ninth, and one that is there already.  */
int match_add_cond(struct match *m, const struct cond *c, struct refusal *r);
/* Refuses a match that names what has gone since it was read. */
int match_exists(const struct match *m, struct refusal *r);
/* Who keeps a match over turns of the control loop (a rule, a proposal) holds what it names, and
 * releases it once. */
void match_hold(const struct match *m);
void match_release(const struct match *m);
/* All hold. */
bool conds_hold(const struct cond *c, unsigned n, struct probe *s);

#endif
