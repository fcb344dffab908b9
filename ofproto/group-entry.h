/* SPDX-License-Identifier: Apache-2.0 */
/* Groups from inside: for the files that stage changes, restore them, and count rules.
 *
 * An entry is one version of a group: staged (the newest of its id, to be found by it), in force
 * (published), or both.  Entries own numbers of counters, which are shared from one version to the
 * next and given out again when the last has gone.  Control thread. */
#ifndef SLUICE_OFPROTO_GROUP_ENTRY_H
#define SLUICE_OFPROTO_GROUP_ENTRY_H

#include "ofproto/groups.h"

struct group_entry {
	struct rmap_node node;
	struct group_entry *next, **link; /* all of them, the newest first */
	struct group_spec spec;           /* owned */
	struct group *group;
	uint32_t *counter;           /* the group's, then its buckets' */
	struct group_counters *base; /* what they were when it began */
	uint64_t *identity;          /* of its buckets */
	uint64_t created_ns;
	uint32_t refs;    /* rules of the stage that name it */
	uint32_t links;   /* … groups in force, while someone looks */
	uint32_t height;  /* of the chain below it, while someone looks */
	uint32_t n_links; /* groups that its buckets name */
	uint64_t walked;  /* admit.c's */
	bool staged, in_force;
};

struct groups {
	struct group_entry *first;
	struct rmap index; /* staged, by id */
	uint32_t n_staged, n_buckets, n_links;
	uint64_t n_slots, n_refused;
	uint32_t *free_counter, n_free, room_free, next_counter;
	uint8_t *users; /* by counter */
	bool linked;    /* `links` of all are as it is */
	bool stale;     /* a port or group has changed: what is live has to be looked at */
};

void groups_init(struct ofproto *o);
void groups_destroy(struct ofproto *o); /* ports have gone */
int groups_restore(struct ofproto *o, struct refusal *r);
void groups_run(struct ofproto *o); /* brings select groups up to what is live */

/* A rule with these instructions is staged (by = 1) or no more (-1). */
void groups_count_rule(struct ofproto *o, const struct instructions *i, int by);
/* For struct switch_limits: as staged. */
bool group_exists(uint32_t id);

/* groups.c, for group-mod.c. */
struct group_entry *group_entry_find(const struct ofproto *o, uint32_t id);
/* NULL: counters are out.  `like`: the version before, or NULL. */
struct group_entry *group_entry_new(struct ofproto *o, const struct group_spec *spec,
				    const struct group_entry *like);
void group_entry_free(struct ofproto *o, struct group_entry *e);
void group_entry_stage(struct ofproto *o, struct group_entry *e);
void group_entry_unstage(struct ofproto *o, struct group_entry *e);
/* The groups that its buckets forward to or watch, each as often as it is named; free() them. */
uint32_t group_links(const struct group_spec *spec, uint32_t **id);

#endif
