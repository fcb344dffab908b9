/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules of a table a match covers, without looking at each.
 *
 * The stage's rules of a table that have one mask, and no conditions, are a *kind*, in which a
 * rule is found by its value; those with conditions are a kind of their own.  A match covers
 * nothing of a kind whose mask lacks bits of its own, what has its value in the kind of its own
 * mask, and perhaps some of the others, which are looked at one by one.  So a thousand loose
 * modifies of a thousand rules are not a million looks.  Control thread. */
#ifndef SLUICE_OFPROTO_FLOW_KINDS_H
#define SLUICE_OFPROTO_FLOW_KINDS_H

#include "ofproto/ofproto.h"

struct entry;
struct flow_kind;

struct flow_kinds {
	struct rmap by_mask;  /* kinds */
	struct rmap by_value; /* entries, by their kind and value */
	struct flow_kind *first[N_TABLES];
	struct entry **hit; /* the last answer */
	size_t room;
};

void flow_kinds_init(struct ofproto *o);
void flow_kinds_destroy(struct ofproto *o);
/* An entry comes into the stage, or leaves it. */
void flow_kind_add(struct ofproto *o, struct entry *e);
void flow_kind_remove(struct ofproto *o, struct entry *e);

/* The table's rules that the match covers, the newest first.  Valid until the next question. */
struct entry **flow_kinds_covered(struct ofproto *o, uint8_t table, const struct match *wide,
				  size_t *n);

#endif
