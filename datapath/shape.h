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
 * A condition of no field (a program that reads octets) adds nothing: its answers are fleeting.
 *
 * Writer: the control thread.  A bit of the union counts its users, so a mask that comes or goes
 * costs as many steps as it has bits, whatever else there is. */
#ifndef SLUICE_SHAPE_H
#define SLUICE_SHAPE_H

#include "datapath/match.h"

struct key_shape {
	uint64_t gen; /* never the same for two */
	unsigned n_words;
	uint8_t at[KEY_WORDS];    /* which words of the key, ascending: n_words of them */
	uint64_t mask[KEY_WORDS]; /* their masks, in the same order; never zero */
};

struct shapes {
	struct key_shape *published; /* RCU; never NULL */
	uint64_t gen;
	uint32_t users[KEY_WORDS][64]; /* by word and bit */
};

void shapes_init(struct shapes *s);
void shapes_destroy(struct shapes *s);

/* A mask comes or goes.  Publishes when the union changes. */
void shapes_add(struct shapes *s, const struct key *mask);
void shapes_remove(struct shapes *s, const struct key *mask);

/* The bits that conditions look at: all of their fields'. */
void conds_mask(const struct cond *c, unsigned n, struct key *mask);

#endif
