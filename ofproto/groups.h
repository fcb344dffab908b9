/* SPDX-License-Identifier: Apache-2.0 */
/* Groups as operators and controllers see them (TS-023, 5.6, 6.7 and 7.3.4.3).
 *
 * A group-mod is checked against the groups as staged, joins the open group of changes (change.h),
 * and is published with it: first groups, then rules, so that a rule never names a group that is
 * not there.  Deleting a group deletes the rules that use it; one that another group forwards to,
 * or watches, stays.  What was given is read back as given.  Groups are objects of the store, in
 * the text that group_parse() reads; their counters begin anew with the daemon.
 *
 * Modified, a group keeps its counters and age, and so do those of its buckets whose actions stay.
 * Select's table keeps its size as long as it suits, over restarts, too, so that few flows move.
 *
 * Control thread. */
#ifndef SLUICE_OFPROTO_GROUPS_H
#define SLUICE_OFPROTO_GROUPS_H

#include "datapath/group.h"
#include "ofproto/ofproto.h"

struct group_mod {
	uint16_t command;       /* OFPGC_* */
	struct group_spec spec; /* of deletes the id alone: OFPG_ALL for every group */
};

void group_mod_free(struct group_mod *gm);

/* The switch copies what it keeps.  `w` as ofproto_flow_mod() has it. */
int ofproto_group_mod(struct ofproto *o, const struct group_mod *gm, struct waiter *w,
		      struct refusal *r);

/* GROUP text, ovs-ofctl's: `group_id=1,type=select,bucket=weight:2,actions=output:1,bucket=…`. Of
 * deletes group_id alone, or nothing for all. */
int group_parse(const char *text, uint16_t command, struct group_mod *gm, struct refusal *r);
/* One line that group_parse() reads back. */
void group_format(const struct group_spec *spec, struct buf *text);
extern const char *const group_types[]; /* by OFPGT_*; NULL at the end */

struct group_stats {
	uint32_t refs; /* rules and groups that name it */
	uint64_t duration_ns;
	struct group_counters total;
	const struct group_counters *bucket; /* of each */
	const bool *live;                    /* of each */
};

/* Every published group, or the one with this id, in order of ids; a non-zero return ends it. */
struct group_visit {
	int (*group)(struct group_visit *v, const struct group_spec *spec,
		     const struct group_stats *stats);
};
void ofproto_groups(struct ofproto *o, uint32_t id, struct group_visit *v);
/* As staged; NULL: there is none.  And how many rules and groups name it. */
const struct group_spec *ofproto_group(const struct ofproto *o, uint32_t id, uint32_t *refs);

struct group_totals {
	uint32_t groups, buckets, slots; /* as staged */
	uint64_t n_refused;              /* for want of room */
};
struct group_totals ofproto_group_totals(const struct ofproto *o);

#endif
