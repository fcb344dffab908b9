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
 * in probe->fleeting, and the answer of that lookup is not kept in the worker's cache.
 *
 * Threads: holds() on workers, under RCU; the rest is the control thread's. */
#ifndef SLUICE_COND_H
#define SLUICE_COND_H

#include "datapath/key.h"
#include "lib/cursor.h"
#include "lib/refuse.h"

struct bpf;
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
	uint16_t field, field2; /* enum field_id; of a pair the second, else N_FIELDS */
	uint16_t reserved;
	union {
		struct {
			uint64_t lo, hi; /* host order, both within */
		} range;
		uint64_t set; /* its number (set.h) */
		const struct bpf *bpf;
	};
};

/* A packet as lookups see it. */
struct probe {
	struct key_view key;
	uint64_t version;      /* of the tables */
	struct worker *worker; /* NULL: nobody's traffic (tests, dry runs): nothing counts */
	const struct pkt *pkt; /* its octets; NULL: only the key is known */
	bool fleeting;         /* out: the same key may be answered otherwise next time */
};

struct cond_class {
	const char *name;
	/* Whether it holds, COND_NEGATED apart.  Bounded work. */
	bool (*holds)(const struct cond *c, struct probe *s);
	/* The value in `field=value` of FLOW text (a leading `!` is taken off): fills the argument
	 * (kind, field and flags are set).  -ENOENT: no value of this kind. */
	int (*parse)(const struct field *f, const char *value, struct cond *c, struct refusal *r);
	/* The value again. */
	void (*format)(const struct cond *c, struct buf *text);
	/* Whatever meets `narrow` meets `wide`: conditions of this kind on the same field. */
	bool (*covers)(const struct cond *wide, const struct cond *narrow);
	/* Nothing can meet both. */
	bool (*excludes)(const struct cond *a, const struct cond *b);
};

const struct cond_class *cond_class(enum cond_kind kind);

/* Adds a condition in its place.  Refuses the ninth, and one that is there already.  */
int match_add_cond(struct match *m, const struct cond *c, struct refusal *r);
/* All hold. */
bool conds_hold(const struct cond *c, unsigned n, struct probe *s);

#endif
