/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of samples: the last ones whole, and a picture of those from before.
 *
 * The last RECENT_RING samples are kept as they came.  What they have displaced is remembered
 * thinly: time is cut into epochs, and an epoch keeps a few samples of each of many groups of
 * targets (by hash of the destination), chosen at random among the group's.  So an attack
 * displaces samples of its own time and target only, and what was lawful there before can
 * still be seen minutes after it began.  A kept sample knows for how many packets it stands.
 *
 * Times during an attack on a target are no picture of what is lawful there: recent_exclude() names
 * them.  Memory is fixed when it is made.  Single thread. */
#ifndef SLUICE_WATCH_RECENT_H
#define SLUICE_WATCH_RECENT_H

#include "datapath/match.h"
#include "utilities/watch/sample.h"

enum {
	RECENT_RING = 16384,
	RECENT_EPOCHS = 16,
	RECENT_GROUPS = 128,
	RECENT_KEPT = 16, /* of a group in an epoch */
	RECENT_EXCLUDED = 64,
};
#define RECENT_EPOCH_NS (15 * NSEC_PER_SEC)

struct recent;
struct recent *recent_create(void); /* aborts without memory */
void recent_free(struct recent *r);
/* Samples of aggregates without a DU, and those that a rule asked for, are passed over. */
void recent_sample(struct recent *r, const struct watch_sample *s);
void recent_tick(struct recent *r, uint64_t now_ns);
/* Between from_ns and to_ns what hits `m` was not lawful, or may not have been. */
void recent_exclude(struct recent *r, const struct match *m, uint64_t from_ns, uint64_t to_ns);

/* Each sample of [from_ns, to_ns) that hits `m`, with the packets that it stands for.  Of `lawful`
 * ones those excluded are left out.  Not in the order of time. */
struct recent_query {
	const struct match *match;
	uint64_t from_ns, to_ns;
	bool lawful;
	void (*found)(struct recent_query *q, const struct watch_sample *s, double packets);
};
void recent_each(const struct recent *r, struct recent_query *q);
/* Since when it has seen anything, or remembers it; UINT64_MAX: nothing yet. */
uint64_t recent_since(const struct recent *r);
uint64_t recent_now(const struct recent *r); /* the latest tick or sample */
/* Of [from_ns, to_ns), how long not all of `m` was excluded. */
uint64_t recent_lawful_ns(const struct recent *r, const struct match *m, uint64_t from_ns,
			  uint64_t to_ns);

#endif
