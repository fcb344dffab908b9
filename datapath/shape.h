/* SPDX-License-Identifier: Apache-2.0 */
/* What all rules look at together.
 *
 * A worker that wants to keep an answer keeps it under the bits of the key that some rule looks at:
 * two packets that agree in those meet the same rules.  `struct key_shape` is that union of all
 * tables' masks and of the fields their conditions are about, one immutable object, replaced under
 * RCU when it grows or shrinks.  It is a superset at any time: it grows when a rule is inserted, so
 * before its version is published, and shrinks when one is taken out, so after nobody sees it.
 *
 * A reader reads the tables' version first, the shape then: the shape then covers the version's
 * rules.  What was kept under one shape means nothing under another (`gen` tells them apart).
 *
 * Of addresses it knows more: the prefixes that rules ask for (prefixes.h).  That part is changed
 * in place, and is a superset, too: it grows with a rule, and is made anew when as many rules have
 * gone as are left.
 *
 * A condition of no field (a program that reads octets) adds nothing: its answers are fleeting.
 *
 * Writer: the control thread.  A bit of the union counts its users, so a mask that comes or goes
 * costs as many steps as it has bits, whatever else there is. */
#ifndef SLUICE_SHAPE_H
#define SLUICE_SHAPE_H

#include "datapath/match.h"
#include "datapath/prefixes.h"

enum { ADDRESS_SRC, ADDRESS_DST, N_ADDRESSES };

/* Where they are in a key. */
static const uint16_t address_at[N_ADDRESSES] = {offsetof(struct key, du.ip_src),
						 offsetof(struct key, du.ip_dst)};

struct key_shape {
	uint64_t gen; /* never the same for two */
	unsigned n_words;
	uint8_t at[KEY_WORDS];    /* which words of the key, ascending: n_words of them */
	uint64_t mask[KEY_WORDS]; /* their masks, in the same order; never zero */
	const struct prefixes *prefixes[N_ADDRESSES]; /* as long as this is */
};

/* What one rule looks at. */
struct rule_look {
	struct key mask, value; /* a condition's fields are all ones, and have no value */
	bool all[N_ADDRESSES];  /* a condition looks at the address */
};

struct shapes {
	struct key_shape *published; /* RCU; never NULL */
	uint64_t gen;
	uint32_t users[KEY_WORDS][64]; /* by word and bit */
	uint32_t n_rules, n_gone;      /* n_gone: since prefixes were made anew */
	struct prefixes *prefixes[N_ADDRESSES];
	struct prefixes *old_prefixes[N_ADDRESSES]; /* published still, while new ones are made */
	struct table *tables;                       /* the owner's: whose rules they are */
};

void shapes_init(struct shapes *s);
void shapes_destroy(struct shapes *s);

/* A rule comes or goes.  Publishes when the union changes. */
void shapes_add(struct shapes *s, const struct rule_look *l);
void shapes_remove(struct shapes *s, const struct rule_look *l);

/* True: it is time to say all rules' addresses anew, between the two below. */
bool shapes_grown_old(const struct shapes *s);
void shapes_prefixes_begin(struct shapes *s);
void shapes_prefixes_add(struct shapes *s, const struct rule_look *l);
void shapes_prefixes_end(struct shapes *s);

/* Adds what conditions look at: all of their fields. */
void rule_look_at_conds(struct rule_look *l, const struct cond *c, unsigned n);

#endif
