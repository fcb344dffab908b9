/* SPDX-License-Identifier: Apache-2.0 */
/* Which rule keeps a drop from being early (DESIGN: what shadows a drop), and which one hides
 * another whole.
 *
 * For a walk over rules: the rules that can shadow are gathered once, with what of them is known
 * before decryption.  A drop of the guard is shadowed by a higher rule of the guard that does not
 * drop; one of table 0 by a higher rule of table 0 that does not, or by one of the guard that
 * ends the path.  Named is the first that covers the drop whole; where there are more than
 * SHADOWS_MAX that could, none is.
 *
 * A rule is *hidden* when no packet ever comes to it: a higher rule of its table matches all that
 * it matches, or, for table 0, one of the guard does that ends the path.  Named is the highest;
 * where a table has more than SHADOWS_MAX rules, none is.  Control thread. */
#ifndef SLUICE_OFPROTO_SHADOW_H
#define SLUICE_OFPROTO_SHADOW_H

#include "ofproto/flows.h"

enum { SHADOWS_MAX = 256 };

struct shadows {
	unsigned n;
	bool known; /* gathered */
	struct shadow {
		const struct rule *rule;
		struct match projected;
	} * shadow;
	struct hiders {
		unsigned n;
		bool known;
		uint8_t table;
		const struct entry *entry[SHADOWS_MAX]; /* the highest first */
	} guard, same;                                  /* same: the table that is walked */
};

/* RULE_NONE: nothing, or e's drop cannot be early anyhow. */
uint32_t shadow_of(struct ofproto *o, struct shadows *s, const struct entry *e);
/* RULE_NONE: nothing hides e. */
uint32_t hider_of(struct ofproto *o, struct shadows *s, const struct entry *e);
void shadows_free(struct shadows *s);

#endif
