/* SPDX-License-Identifier: Apache-2.0 */
/* Admission: which rules do not come to exist although they could (ARCHITECTURE, 7).
 *
 * What a match says was held to what packets can be when it was read (match_finish).  Here it is
 * held to what an operator can have meant.  A rule *denies* when the packets that meet it go
 * nowhere: no output, no group with a bucket that has one, no other table.  In the guard a rule
 * denies that ends the path: also a redirect.
 *
 * **How wide.**  The width of a match is counted in bits: how often what it takes of all packets of
 * its kind (IPv4, IPv6) is halved.  A field's mask counts its ones, a range what it leaves of its
 * span; values that nearly all packets have (DSCP 0, no fragment, no tag) and what a negation
 * leaves count as good as nothing.  A rule that denies and is narrowed by less than ADMIT_BITS is
 * *too wide*: `0.0.0.0/0`, both halves of it, `2000::/3`, all that has a tag.  The setting
 * wide-drop says who may have such a rule all the same: nobody, the operator who says `wide=yes`
 * in the rule, or anybody.
 *
 * **What everybody may.**  A rule of priority 0 is what its table does with what no other took
 * (TS-023, 5.4), and may drop it all.  So may a rule in its place: one with exceptions, rules of
 * higher priority that let packets on, and none below it but of priority 0.  In a table behind
 * table 0 that has no such rules, nothing is taken from anybody.
 *
 * Every origin's rules pass here, and rules of the store do not: they were admitted.  Control
 * thread. */
#ifndef SLUICE_OFPROTO_ADMIT_H
#define SLUICE_OFPROTO_ADMIT_H

#include "ofproto/ofproto.h"

enum { ADMIT_BITS = 8 }; /* a 256th of everything */

/* Whether this rule may come, or be so; it is complete, in no table yet. */
int admit(struct ofproto *o, const struct flow *f, struct refusal *r);

/* Whether the rules that a match covers may all be given these instructions at once. */
int admit_covered(struct ofproto *o, const struct flow_mod *fm, struct refusal *r);

struct group_spec;
/* Whether a group may become so: rules lead to it, and where it lets nothing on they deny. */
int admit_group(struct ofproto *o, const struct group_spec *spec, struct refusal *r);

/* By how many bits a match is narrowed beyond IPv4 or IPv6; `in_kind`: beyond its eth_type and
 * ip_proto, whatever they are. */
unsigned match_narrowing(struct ofproto *o, const struct match *m, bool in_kind);

/* It denies; it is its table's default. */
bool admit_denies(const struct ofproto *o, const struct flow *f);
bool admit_is_default(const struct ofproto *o, const struct flow *f);

#endif
