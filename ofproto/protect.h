/* SPDX-License-Identifier: Apache-2.0 */
/* Protected sets: addresses and prefixes that no rule may cut off, whoever asks.
 *
 * A set made with `protected=yes` (type ipv4 or ipv6, no timeouts, at most PROTECTED_MAX members)
 * protects its members.  A rule that denies (admit.h) *covers* one when
 *
 * - a source that the match names (a mask, a range, a set; inside a connection or outside) overlaps
 *   it: what the protected say is not dropped by name;
 * - a destination that the match names (a neighbour's address that is asked for, too) overlaps it,
 *   and no source is named that does not: an attacker's packets to the protected may be dropped;
 * - no address is named, and within its protocol it is narrowed by less than ADMIT_BITS: a whole
 *   protocol is everybody's, a port is not.
 *
 * A match may leave protected addresses out: `nw_src=!@NAME,nw_dst=!@NAME`.  Rules that are their
 * table's default cover nothing.
 *
 * What rules ask sets for is looked at, too: a protected address in a set that a denying rule names
 * is refused, when the member comes and when the rule comes, and packets never add one to any set;
 * a member wider than /8 counts as a match so wide.  A member that would be covered by a rule that
 * is there is refused.  Control thread. */
#ifndef SLUICE_OFPROTO_PROTECT_H
#define SLUICE_OFPROTO_PROTECT_H

#include "ofproto/sets.h"

enum { PROTECTED_MAX = 1024, PROTECTED_SETS = 4 };

/* What a set's options say of protection holds together. */
int protect_check_set(const struct ofproto *o, const struct set *s, struct refusal *r);

/* Whether the rule, which denies, covers none; *field: what it covers one by. */
int protect_admits(struct ofproto *o, const struct flow *f, struct refusal *r);
/* Whether a table's members may come into the set, beside the rules that are there.  `t`: another
 * content, or the members of a step. */
int protect_admits_members(struct ofproto *o, struct set_entry *e, const struct set_table *t,
			   struct refusal *r);
/* A member that packets would add overlaps a protected one. */
bool protect_keeps_out(struct ofproto *o, const struct set *s, const struct set_key *key);
/* One more into a table of the caller's, or into a larger one in its place; -ENOMEM. */
int set_collect(struct set_table **t, const struct set_member *m);
/* The set has a member that takes nearly everything. */
bool protect_set_is_wide(struct ofproto *o, uint64_t set);

/* A set's content changes, by these members or to this content, which protect from now on; it has
 * changed, or stayed as it was. */
void protect_pending(struct ofproto *o, struct set_entry *e, const struct set_table *t);
void protect_settled(struct ofproto *o, struct set_entry *e);
void protect_free(struct ofproto *o);

#endif
