/* SPDX-License-Identifier: Apache-2.0 */
/* Rule tables, the reader's side: which rule a packet meets.
 *
 * A table is a classifier: tuple space search (tuple.h), masks tried in the order of their best
 * priority until none left can win.  Highest priority wins; among equal ones that overlap, the
 * standard leaves it open, and the older rule wins here.
 *
 * What a lookup may cost is bounded by what is admitted, whatever arrives: so many masks, and so
 * many conditions that may have to be asked one by one (table_admits).
 *
 * **Versions.**  A rule is visible to a batch that reads version v when add <= v < remove.  The
 * control thread inserts rules of the next version, marks what they replace, and publishes all at
 * once by storing datapath->version: a batch sees a transaction entirely or not at all.  A
 * failed commit takes the unborn rules out again.
 *
 * **Early.**  Beside the guard and table 0 stands a second classifier, over the same rules
 * projected on the fields and conditions known before decryption.  Its entries hold, per version,
 * the best rule that may drop early, the best one with an aggregate meter (table 0's alone), and
 * the best other one; a packet is dropped, or asked of the meter, only if that rule wins.
 *
 * Readers: workers, under RCU.  Writer: the control thread alone.  Counters live in per-worker
 * arrays by rule id (worker.h), so replacing a rule's actions keeps them. */
#ifndef SLUICE_TABLE_H
#define SLUICE_TABLE_H

#include "datapath/action.h"
#include "datapath/match.h"
#include "datapath/shape.h"
#include "lib/refuse.h"

enum {
	TABLE_MAX = 254,   /* OpenFlow tables 0 to 253 */
	TABLE_GUARD = 254, /* in front of table 0; no OpenFlow number */
	N_TABLES = 255,
	RULE_IDS = 1 << 20, /* rules at one time, over all tables */
	RULE_NONE = -1u,
};

#define VERSION_NEVER UINT64_MAX

enum origin { ORIGIN_CLI, ORIGIN_BGP, ORIGIN_WATCH, ORIGIN_REQUEST, ORIGIN_CONTROLLER, N_ORIGINS };
extern const char *const origin_names[N_ORIGINS + 1]; /* cli, bgp, …; NULL at the end */

struct tuple;

struct rule {
	struct rule *next;         /* RCU: same mask and value, lower precedence */
	const struct tuple *tuple; /* its mask */
	struct program *program;   /* RCU: replaced by modify */
	uint64_t add_version;
	uint64_t remove_version; /* read with rcu_get: VERSION_NEVER until marked */
	uint32_t id;
	int32_t priority;   /* of OpenFlow, or composed of origin and priority in the guard */
	uint32_t hash;      /* of the value under the mask */
	uint32_t early_at;  /* early.c's: its place in a heap */
	uint8_t early_heap; /* early.c's: which heap */
	uint8_t table, origin;
	uint8_t early; /* enum early_role: what it may do before decryption (set when published) */
	uint8_t n_words, n_conds;
	uint64_t value[]; /* of the mask's words, in ascending order; then its conditions */
};

static inline const struct cond *rule_conds(const struct rule *r)
{
	return (const void *)(r->value + r->n_words);
}

struct table;

struct datapath;

/* On its own, or as a part of a datapath: see datapath_table(). */
struct table *table_create(void);
/* What its rules look at is counted in `shapes` too.  While it is empty. */
void table_share(struct table *t, struct shapes *shapes);
void table_destroy(struct table *t); /* with all its rules; after every reader has gone */

/* Whether a rule of this match may be added: a table has at most TUPLES_MAX masks (a range counts
 * as up to five), and the rules with conditions that a packet may have to ask one by one are
 * bounded. `t` may be NULL: none yet.  Writer. */
int table_admits(const struct table *t, const struct match *m, struct refusal *r);

/* A rule in no table yet: owns `program`. */
struct rule *rule_create(const struct match *m, int32_t priority, uint32_t id,
			 struct program *program);
void rule_destroy(struct rule *r); /* never published, or after a grace period */
void rule_retire(struct rule *r);  /* destroys it after a grace period */

/* Writer: visible from add_version on.  The caller sets add_version, table, origin before. */
void table_insert(struct table *t, struct rule *r, const struct match *m);
/* Writer: takes the rule out; the caller retires it.  For a rule that was visible: after
 * its remove_version is published and a grace period, since batches of older versions still
 * need it (and see nothing in its place). */
void table_remove(struct table *t, struct rule *r);

/* Reader: the best rule visible at the probe's version; NULL: a miss. */
const struct rule *table_lookup(const struct table *t, struct probe *s);
/* The same in halves: between them, a packet waits for memory while others begin.  `t` may be
 * NULL. */
struct tuple_search;
void table_lookup_begin(struct tuple_search *c, const struct table *t, const struct probe *s);
const struct rule *table_lookup_end(struct tuple_search *c, struct probe *s);
/* The same by looking at every rule: the oracle of tests. */
const struct rule *table_lookup_linear(const struct table *t, struct probe *s);
unsigned table_n_rules(const struct table *t);
unsigned table_n_masks(const struct table *t);

static inline bool rule_visible(const struct rule *r, uint64_t version)
{
	return r->add_version <= version && version < rcu_get(r->remove_version);
}

/* The table-miss entry: priority 0, matches everything (TS-023, 5.4). */
bool rule_is_miss(const struct rule *r);

/* The tables of a datapath: as needed, made on first use (control thread), and what all of them
 * look at.  A reader takes the tables' version before the shape. */
struct table *datapath_table(struct datapath *dp, unsigned table);
const struct key_shape *tables_shape(const struct datapath *dp);

/* The early classifier. */
struct early;

/* A rule of the guard or table 0 whose match is all known early: it drops, or it has an aggregate
 * meter (program->meter); or neither. */
enum early_role { EARLY_OTHER, EARLY_DROPS, EARLY_METERS };

/* So many lists of conditions that differ over the same bits, and as many again of rules with
 * aggregate meters; a rule beyond them has no role. */
enum { EARLY_CONDS = 32 };

struct early_verdict {
	uint32_t drop_rule; /* RULE_NONE: none */
	uint8_t drop_table;
	int32_t drop_priority, other_priority; /* 0: none matched, too */
	uint32_t meter, meter_rule;            /* meter 0: none is to be asked */
};

struct early *early_create(void);
void early_destroy(struct early *e);
/* Writer: a rule of the guard or table 0 comes or goes at `version`.  Ranks order the guard's rules
 * before table 0's.  What cannot have its role is given EARLY_OTHER (r->early). */
void early_insert(struct early *e, const struct match *m, struct rule *r, enum early_role role);
void early_remove(struct early *e, const struct match *m, struct rule *r, uint64_t version);
/* Writer: a rule with this match and an aggregate meter would find its place. */
bool early_admits_meter(const struct early *e, const struct match *m);
/* Writer, after publishing `version` and a grace period: forgets records nobody can read. */
void early_prune(struct early *e, uint64_t version);
/* Reader: no rule drops or meters early. */
bool early_is_idle(const struct early *e);
/* Reader: true when the packet is to be dropped; else a meter may be to be asked. */
bool early_lookup(const struct early *e, struct probe *s, struct early_verdict *verdict);
/* The match's projection onto fields and conditions known by KNOWN_OUTER; true when nothing was
 * lost. */
bool match_project_early(const struct match *m, struct match *projected);

#endif
