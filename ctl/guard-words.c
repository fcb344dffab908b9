/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule that is asked for the guard may say, from a verb or from a message. */
#include "ctl/guard-words.h"

#include <ctype.h>

#include "lib/openflow.h"

/* What FLOW may say here: the guard ends rules by their expiry alone, and tells no controller. */
int guard_check_words(const struct flow_mod *mod, struct refusal *r)
{
	bool adds = mod->command == OFPFC_ADD;

	if (mod->table != TABLE_GUARD && mod->table != (adds ? 0 : OFPTT_ALL))
		return refuse(r, BAD_TABLE, "table",
			      "this verb is the guard's; rules of table %u are add-flow's and "
			      "del-flows'",
			      mod->table);
	if (mod->hard_timeout)
		return refuse(r, BAD_TIMEOUT, "hard_timeout",
			      "a guard rule ends by --expire, not by hard_timeout");
	if (mod->flags & ~OFPFF_RESET_COUNTS)
		return refuse(r, BAD_FLAGS, "flags",
			      "a guard rule has no flags of OpenFlow's; reset_counts is taken");
	return 0;
}

int guard_check_reason(const char *reason, struct refusal *r)
{
	if (!*reason || strlen(reason) > GUARD_REASON_MAX)
		return refuse(r, BAD_VALUE, "reason",
			      "a reason has 1 to %d octets; this one has %zu", GUARD_REASON_MAX,
			      strlen(reason));
	for (const unsigned char *c = (const unsigned char *)reason; *c; c++)
		if (iscntrl(*c) || (c[0] == 0xc2 && c[1] < 0xa0)) /* of ASCII, of UTF-8 */
			return refuse(r, BAD_VALUE, "reason",
				      "a reason is one line; this one has a control character");
	return 0;
}

int guard_permits(const struct ofproto *o, uint8_t origin, struct refusal *r)
{
	if (origin != ORIGIN_WATCH || !ofproto_panic(o))
		return 0;
	return refuse(r, NOT_PERMITTED, "panic",
		      "panic is on, so automation is off; `sluice-ctl panic off` ends it");
}
