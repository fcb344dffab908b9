/* SPDX-License-Identifier: Apache-2.0 */
/* The control copy of the rules.
 *
 * An *entry* is a rule as it was installed, with the datapath's `struct rule` that stands for it.
 * Entries of one OpenFlow table hang in one list: those staged to come, those in force and
 * those staged to go.  The index holds what stands in the stage (not staged to go), by table,
 * priority and match (in the guard by origin, too), for strict commands and replacement.
 *
 * Changing a rule's instructions makes a new entry with the same rule id, of which workers count
 * into the same slot; ids are counted by the entries that use them and given out again
 * when the last has gone.  Counters in workers are never reset: an entry remembers what they were
 * when it began (`base`). */
#ifndef SLUICE_OFPROTO_FLOWS_H
#define SLUICE_OFPROTO_FLOWS_H

#include "ofproto/flow-kinds.h"
#include "ofproto/ofproto.h"

/* A place in a list of entries. */
struct entry_node {
	struct entry_node *next, **link;
};

struct entry {
	struct flow flow;
	struct entry *next, **link; /* of its table, the newest first */
	int64_t key;                /* in the store */
	int64_t order;              /* its age among equals; modified, it keeps it */
	struct {
		uint64_t packets, bytes;
	} base;
	uint64_t older_ns; /* from the store: its age when created_ns was, at the clock's zero */
	uint64_t quiet_ns; /* from the store: how long no packet had met it at the start */
	bool restored;     /* it is from the store: quiet_ns says something */
	uint64_t kept_packets;  /* as the store knows; counts.c */
	uint64_t deadline_ns;   /* timeouts.c */
	size_t heap_at;         /* 1 and up; 0: no timeout */
	struct flow_kind *kind; /* flow-kinds.c: of those with its mask */
	struct entry *kind_next, **kind_link;
	struct rmap_node value_node;
	struct entry_node asks, feeds; /* set-rules.h */
	bool leaving;                  /* staged to go */
	bool ended; /* its time is over: in force no more, whatever becomes of its step */
};

enum {
	FLOWS_MAX = RULE_IDS / 2,
	GUARD_RULES = 4096, /* of an origin, unless guard-max= says otherwise */
	GUARD_RULES_MAX = 65536,
	RULE_STANDALONE = RULE_IDS - 1, /* the id of no entry: standalone.c's */
};

struct flows {
	struct entry *table[N_TABLES];
	struct rmap index;
	struct flow_kinds kinds;
	uint32_t n_staged; /* in the stage, over all tables */
	uint32_t n_guard[N_ORIGINS];
	struct entry_node *askers, *feeders; /* set-rules.h */
	int64_t next_key;
	uint32_t *free_id, n_free_id, room_free_id, next_id;
	struct rule_slot {
		struct entry *entry; /* the newest; NULL: none */
		uint32_t users;
	} * slot;                     /* by rule id */
	uint32_t n_refused[N_TABLES]; /* by table_admits() */
};

void flows_init(struct ofproto *o);
void flows_destroy(struct ofproto *o); /* workers have gone */

/* No room for one more, or (`more` false: it takes another's place, or is the guard's, which has
 * bounds of its own and is not starved by the tables) for those on their way out. */
bool flows_full(const struct ofproto *o, bool more);
/* A copy of `like`, in no table yet.  With rule_id RULE_NONE it gets an id and counts from zero;
 * otherwise it shares that id, and the caller sets `base`. */
struct entry *entry_new(struct ofproto *o, const struct flow *like);
void entry_free(struct ofproto *o, struct entry *e); /* never published, or out of its table */

/* The entry comes with the open group: its rule is compiled and put into the datapath's table. */
void entry_stage(struct ofproto *o, struct entry *e);
void entry_unstage(struct ofproto *o, struct entry *e); /* the opposite: frees it */
/* The entry goes with the open group. */
void entry_leave(struct ofproto *o, struct entry *e);
void entry_stay(struct ofproto *o, struct entry *e); /* the opposite */
void entry_over(struct ofproto *o, struct entry *e); /* its time is over: seen by no lookup */
/* Nobody can see it any more: out of the table, memory after a grace period. */
void entry_bury(struct ofproto *o, struct entry *e);

/* In the stage; NULL: none.  In the guard each origin has rules of its own; elsewhere `origin` says
 * nothing. */
struct entry *entry_find(struct ofproto *o, uint8_t table, uint8_t origin, uint16_t priority,
			 const struct match *m);
/* In force, by rule id; for events. */
struct entry *entry_by_rule(struct ofproto *o, uint32_t rule_id);
uint64_t entry_age(const struct ofproto *o, const struct entry *e); /* ns */
void entry_stats(struct ofproto *o, const struct entry *e, struct flow_stats *stats);

static inline struct entry *entry_of(const struct flow *f)
{
	return container_of(f, struct entry, flow);
}

/* Published, and not published as gone. */
bool entry_in_force(const struct ofproto *o, const struct entry *e);

void instructions_copy(struct instructions *to, const struct instructions *from);
bool instructions_output_to(const struct instructions *i, uint32_t ofport);
bool instructions_group_to(const struct instructions *i, uint32_t group); /* OFPG_ANY: any */

#endif
