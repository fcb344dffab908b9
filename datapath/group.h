/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFlow groups (TS-023, 5.6), the reader's side: what `group:N` does to a packet.
 *
 * A group is made whole from a `struct group_spec`, never changes (but for `live`, below), and
 * stands in datapath->groups under RCU; modifying one puts another in its place in one store. A
 * rule's op names it by number and looks it up each time it runs, so nothing of it is ever cached.
 * A worker that is still of the tables' version before takes the group before: a packet meets rules
 * and groups of one version.
 *
 *	all            a copy for each bucket, the last gets the packet itself
 *	indirect       its one bucket
 *	select         the bucket of the flow's hash, by Maglev's table (maglev.h)
 *	fast failover  the first bucket that is live
 *
 * A bucket's actions are an action set, sorted when the group is made: set-fields first, at most
 * one output or group last.  What a bucket does to a packet it does to its own copy.
 *
 * **Liveness** (TS-023, 6.5): a port is live while it is there and up; a bucket while the port or
 * the group that it watches is, and always when it watches neither; a group while one of its
 * buckets is.  Workers look at ports themselves, so the batch after the link's news chooses anew.
 *
 * **Select** over what is live: a flow whose bucket is dead probes on through the same table, until
 * it meets a live one.  So flows of live buckets do not move at all, those of the dead one spread
 * by weight, and all come back with it.  Workers probe GROUP_PROBES times; the control thread, once
 * it has heard, publishes the same answers as a table of their own (`live`, RCU), and where so many
 * probes find none the bucket of the next live slot round the table.
 *
 * **Bounds.**  One packet, with its copies, runs through GROUP_RUNS buckets, GROUP_DEPTH groups
 *deep and looks at GROUP_LOOKS buckets for liveness; what is beyond is dropped by name.
 *
 * Counters live in per-worker arrays by number (`counter`), which the control side gives out. */
#ifndef SLUICE_GROUP_H
#define SLUICE_GROUP_H

#include "datapath/action.h"
#include "datapath/maglev.h"
#include "lib/hash.h"
#include "lib/rmap.h"

enum {
	GROUPS_MAX = 16384,
	GROUP_ALL_BUCKETS = 256,       /* of one group; fast failover, too */
	GROUP_SELECT_BUCKETS = 4096,   /* of one select group */
	GROUP_BUCKETS_TOTAL = 1 << 17, /* of all groups */
	GROUP_SLOTS_TOTAL = 64 << 20,  /* of all select groups' tables; two octets each */
	GROUP_COUNTERS = 2 * (GROUPS_MAX + GROUP_BUCKETS_TOTAL), /* some are on their way out */
	GROUP_SLOTS_MOST = MAGLEV_SLOTS_MAX,                     /* of one table */
	GROUP_RUNS = 256,
	GROUP_DEPTH = 16,
	GROUP_LOOKS = 1024,
	GROUP_PROBES = 32,
};

/* ---- As given -------------------------------------------------------------------------- */

struct bucket_spec {
	uint16_t weight;                  /* select's; else 0 */
	uint32_t watch_port, watch_group; /* OFPP_ANY, OFPG_ANY: none */
	struct buf actions;               /* ops, in the order given */
};

struct group_spec {
	uint32_t id;
	uint8_t type;   /* OFPGT_* */
	uint32_t slots; /* of select's table: group_slots() */
	unsigned n_buckets;
	struct bucket_spec *bucket;
};

void group_spec_free(struct group_spec *spec);

/* The table's size for a select group that had `before` slots (0: a new one); 0: there is none,
 * its weights are too far apart. */
uint32_t group_slots(const struct group_spec *spec, uint32_t before);
/* One number for each bucket, made of its actions (as text, so that it lasts) and of how many
 * buckets before it have the same: the others' stay when one comes or goes. */
void group_identities(const struct group_spec *spec, uint64_t *identity);

/* ---- In the datapath ------------------------------------------------------------------- */

struct group_bucket {
	uint32_t watch_port, watch_group;
	uint32_t counter;
	uint32_t at; /* of its ops, in octets */
	uint16_t size;
};

struct group {
	struct rmap_node node; /* in datapath->groups, by group_hash() */
	uint32_t id, counter;
	uint8_t type;
	bool watches; /* a bucket that watches something */
	unsigned n_buckets;
	uint32_t n_slots;
	uint16_t *slot; /* of n_slots: buckets */
	uint16_t *live; /* RCU: the same without the dead; NULL: as `slot` */
	uint8_t *dead;  /* the control thread's: what `live` was made for */
	struct group_bucket *bucket;
	uint8_t *ops;
	uint64_t since;       /* the tables' version that it is part of */
	struct group *before; /* RCU: whose place it took, until no worker is of a version before */
	struct rcu_head rcu;
};

/* Made of `spec`; counter[0] is the group's own number, behind it are its buckets'.  Control
 * thread. */
struct group *group_make(const struct group_spec *spec, const uint32_t *counter);
void group_free(struct group *g);  /* never published */
void group_defer(struct group *g); /* after a grace period */

struct datapath;
struct worker;

static inline uint32_t group_hash(uint32_t id)
{
	return hash_finish(hash_add(hash_seed, id)); /* numbers have patterns: a kind, a VLAN, … */
}

/* The newest; NULL: none.  RCU */
struct group *group_find(const struct datapath *dp, uint32_t id);
/* In the place of its like, from the tables' version `since` on. */
void group_publish(struct datapath *dp, struct group *g, uint64_t since);
void group_settle(struct group *g);                        /* every worker is of that version */
void group_withdraw(struct datapath *dp, struct group *g); /* if it is still there */

/* Brings select groups that watch something up to what is live.  Control thread. */
void group_refresh(struct datapath *dp, struct group *g);
bool group_port_live(const struct datapath *dp, uint32_t ofport);
bool group_bucket_live(const struct datapath *dp, const struct group_bucket *b);

/* ---- Running ---------------------------------------------------------------------------- */

struct group_counters {
	uint64_t packets, bytes;
};
struct group_counters *group_counters_reserve(void); /* NULL: no memory */
void group_counters_release(struct group_counters *c);

struct group_budget {
	uint16_t runs, looks, depth;
};

static inline void group_budget_begin(struct group_budget *b)
{
	*b = (struct group_budget){GROUP_RUNS, GROUP_LOOKS, 0};
}

/* Takes p. */
void group_run(struct worker *w, struct pkt *p, uint32_t id);

#endif
