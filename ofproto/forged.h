/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that a forger would turn against others (ARCHITECTURE, 3 and 7).
 *
 * `set_add` writes down what a packet says of itself, and a plain frame says what its sender likes:
 * where a rule that denies (admit.h) asks for that set, one packet with another's address, or to
 * another's, cuts the other off.  So the two together are refused, whichever comes last, unless the
 * rule that adds says `unverified=yes`, or takes only what came out of a connection (conn_auth=1,
 * or in_port of one that receives): that somebody answers for.  What the switch itself wrote there
 * (ports, connections, registers, marks) no sender chooses.
 *
 * Limits by key need no word, although a forger can spend another's tokens: they never hold back
 * more than what is above the rate while it is, and they are what holds forgers back.  What
 * aggregates may do before they are verified is meters.h's.  Control thread. */
#ifndef SLUICE_OFPROTO_FORGED_H
#define SLUICE_OFPROTO_FORGED_H

#include "ofproto/ofproto.h"

/* It adds to sets. */
bool forged_feeds(const struct instructions *i);
/* Whether the rule may come, beside those that are there. */
int forged_admit(struct ofproto *o, const struct flow *f, struct refusal *r);

#endif
