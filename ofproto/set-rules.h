/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules ask for what is in sets, and which add to sets what senders wrote: two lists of the
 * stage's rules, so that a member or a rule that comes is held against those few alone (protect.h,
 * forged.h).  Control thread. */
#ifndef SLUICE_OFPROTO_SET_RULES_H
#define SLUICE_OFPROTO_SET_RULES_H

#include "ofproto/flows.h"

/* The condition asks whether a value is in a set. */
bool cond_asks_set(const struct cond *c);
/* A rule that denies (admit.h) and asks for what is in the set; NULL: none does. */
const struct flow *set_denier(struct ofproto *o, uint64_t set);

/* A rule comes into the stage, or leaves it. */
void set_rules_add(struct ofproto *o, struct entry *e);
void set_rules_remove(struct entry *e);

#endif
