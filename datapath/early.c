/* SPDX-License-Identifier: Apache-2.0 */
/* The early classifier.
 *
 * An entry stands for one projected match and knows every rule that projects to it: in a heap those
 * that may drop early, in others those with an aggregate meter and those that may shadow either,
 * for the guard and for table 0.  Conditions known early are part of what is projected: entries of
 * the same bits and other conditions stand side by side, EARLY_CONDS of them and as many with
 * aggregate meters, and count where their conditions hold.  Others are left out, so the rule
 * shadows wherever its bits agree. A hundred thousand rules on inner fields alone meet in one entry
 * and cost a reader one record. Rules that drop but need inner fields are in neither: wherever they
 * win, the packet is dropped anyway.
 *
 * What a reader sees of an entry is its newest record not younger than the reader's version. */
#include <stdlib.h>

#include "datapath/table.h"
#include "datapath/tuple-search.h"

enum { LEVEL_TABLE, LEVEL_GUARD, N_LEVELS };
enum { HEAP_OTHER, HEAP_DROP, HEAP_METER, N_HEAPS }; /* by enum early_role */

/* rule->early_heap: 0 when it is in none, else 1 + level * N_HEAPS + heap, and these flags. */
enum {
	ENDS_PATH = 0x80,
	CONDS_LEFT_OUT = 0x40, /* its conditions found no room */
	HEAP_MASK = 0x3f,
};

#define RANK_NONE  (-1)
#define RANK_LEVEL (1ll << 33)
#define RANK_ZERO  (1ll << 31) /* of priority 0 */

struct best {
	int64_t drop_rank, other_rank, meter_rank;
	uint32_t drop_rule, meter_rule, meter;
	uint32_t reserved; /* zero: records are compared as octets */
};

struct record {
	uint64_t version;    /* in force from here on */
	struct record *prev; /* RCU */
	struct best best[N_LEVELS];
	bool ends; /* a rule of the guard ends the path: it shadows table 0 whole */
};

struct heap {
	struct rule **at;
	uint32_t n, room;
};

struct entry {
	struct tuple *tuple;
	uint32_t hash;
	struct record *record; /* RCU; the newest */
	struct heap heap[N_LEVELS][N_HEAPS];
	uint32_t n_ends;
	bool changed; /* it is on the list of entries to prune */
	uint8_t n_conds;
	struct entry *next_changed;
	struct rcu_head rcu;
	const struct cond *cond; /* behind the value */
	uint64_t value[];
};

struct early {
	struct tuples masks;
	uint32_t n_roles; /* rules that drop or ask a meter; read by workers: is there anything? */
	struct entry *changed;
};

/* ---- Projection ----------------------------------------------------------------------- */

bool match_project_early(const struct match *m, struct match *projected)
{
	const uint32_t late = htobe32(HAS_AGG | HAS_AGG_CC);
	uint64_t *mask = (uint64_t *)&projected->mask, *value = (uint64_t *)&projected->value;
	bool whole = true;

	memset(projected, 0, sizeof *projected);
	for (unsigned i = 0; i < N_FIELDS; i++)
		if (fields[i].known <= KNOWN_OUTER)
			memset((uint8_t *)mask + fields[i].off, 0xff, fields[i].size);
	projected->mask.outer.has = ~late;
	for (unsigned i = 0; i < KEY_WORDS; i++) {
		mask[i] &= MATCH_WORD(&m->mask, i);
		value[i] = MATCH_WORD(&m->value, i) & mask[i];
		whole &= mask[i] == MATCH_WORD(&m->mask, i);
	}
	for (unsigned i = 0; i < m->n_conds; i++) {
		if (cond_known_early(&m->cond[i]))
			projected->cond[projected->n_conds++] = m->cond[i];
		else
			whole = false;
	}
	return whole;
}

/* ---- Ranks and heaps ------------------------------------------------------------------ */

static unsigned rule_level(const struct rule *r)
{
	return r->table == TABLE_GUARD ? LEVEL_GUARD : LEVEL_TABLE;
}

static int64_t rule_rank(const struct rule *r)
{
	return r->priority + RANK_ZERO + (r->table == TABLE_GUARD ? RANK_LEVEL : 0);
}

/* None is 0. */
static int32_t rank_priority(int64_t rank)
{
	return rank < 0 ? 0 : (int32_t)(rank % RANK_LEVEL - RANK_ZERO);
}

static void heap_put(struct heap *h, uint32_t at, struct rule *r)
{
	h->at[at] = r;
	r->early_at = at;
}

static void heap_up(struct heap *h, uint32_t at, struct rule *r)
{
	for (; at && h->at[(at - 1) / 2]->priority < r->priority; at = (at - 1) / 2)
		heap_put(h, at, h->at[(at - 1) / 2]);
	heap_put(h, at, r);
}

static void heap_down(struct heap *h, uint32_t at, struct rule *r)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < h->n && h->at[child + 1]->priority > h->at[child]->priority)
			child++;
		if (child >= h->n || h->at[child]->priority <= r->priority)
			break;
		heap_put(h, at, h->at[child]);
		at = child;
	}
	heap_put(h, at, r);
}

static void heap_insert(struct heap *h, struct rule *r)
{
	if (h->n == h->room) {
		h->room = MAX(4u, h->room * 2);
		h->at = reallocarray(h->at, h->room, sizeof h->at[0]);
		if (!h->at)
			abort();
	}
	heap_up(h, h->n++, r);
}

static void heap_remove(struct heap *h, const struct rule *r)
{
	uint32_t at = r->early_at;
	struct rule *last = h->at[--h->n];

	if (at == h->n)
		return;
	if (at && h->at[(at - 1) / 2]->priority < last->priority)
		heap_up(h, at, last);
	else
		heap_down(h, at, last);
}

/* ---- Entries -------------------------------------------------------------------------- */

static bool same_conds(const struct entry *entry, const struct match *projected)
{
	return entry->n_conds == projected->n_conds &&
	       !memcmp(entry->cond, projected->cond, entry->n_conds * sizeof entry->cond[0]);
}

static struct entry *entry_new(struct tuple *t, const struct match *projected,
			       const uint64_t *value)
{
	size_t conds = projected->n_conds * sizeof(struct cond);
	struct entry *entry = calloc(1, sizeof *entry + t->n_words * sizeof *value + conds);

	if (!entry)
		abort();
	entry->tuple = t;
	memcpy(entry->value, value, t->n_words * sizeof *value);
	entry->n_conds = (uint8_t)projected->n_conds;
	entry->cond = memcpy(entry->value + t->n_words, projected->cond, conds);
	return entry;
}

static bool has_meters(const struct entry *entry)
{
	return entry->heap[LEVEL_TABLE][HEAP_METER].n;
}

/* The entries over the same bits: the one of the same conditions, and how many others have some. */
struct siblings {
	struct entry *same;
	unsigned n_meters, n_others; /* with and without rules that have an aggregate meter */
};

static struct siblings siblings_of(const struct early *e, const struct tuple *t,
				   const struct match *projected)
{
	uint32_t hash = tuples_hash(&e->masks, t, projected), position = 0;
	struct siblings s = {0};
	uint64_t value[KEY_WORDS];
	struct entry *entry;

	match_pack(projected, t->words, value);
	while ((entry = tuples_item(&e->masks, hash, &position))) {
		if (entry->tuple != t || !tuple_equal(t, entry->value, value))
			continue;
		if (same_conds(entry, projected))
			s.same = entry;
		else if (entry->n_conds)
			*(has_meters(entry) ? &s.n_meters : &s.n_others) += 1;
	}
	return s;
}

/* Lists with aggregate meters have places of their own, so that a rule that was let in finds room
 * again whatever comes first after a restart. */
static bool has_room(const struct siblings *s, unsigned heap)
{
	if (heap != HEAP_METER)
		return s->n_others < EARLY_CONDS;
	return s->n_meters < EARLY_CONDS && s->n_meters + s->n_others < 2 * EARLY_CONDS;
}

bool early_admits_meter(const struct early *e, const struct match *m)
{
	struct match projected;
	const struct tuple *t;
	struct siblings s;

	match_project_early(m, &projected);
	t = tuples_find(&e->masks, &projected);
	if (!projected.n_conds || !t)
		return true;
	s = siblings_of(e, t, &projected);
	if (s.same)
		return has_meters(s.same) || s.n_meters < EARLY_CONDS;
	return has_room(&s, HEAP_METER);
}

/* NULL: there are as many conditions over these bits as can be. */
static struct entry *entry_get(struct early *e, const struct match *projected, unsigned heap)
{
	struct tuple *t = tuples_get(&e->masks, projected);
	struct siblings s = siblings_of(e, t, projected);
	uint64_t value[KEY_WORDS];
	struct entry *entry;

	if (s.same)
		return s.same;
	if (projected->n_conds && !has_room(&s, heap))
		return NULL;
	match_pack(projected, t->words, value);
	entry = entry_new(t, projected, value);
	entry->hash = tuples_hash(&e->masks, t, projected);
	tuples_insert(&e->masks, t, entry->hash, entry, 0);
	return entry;
}

static void entry_free(struct rcu_head *head)
{
	struct entry *entry = container_of(head, struct entry, rcu);

	for (unsigned i = 0; i < N_LEVELS * N_HEAPS; i++)
		free(entry->heap[i / N_HEAPS][i % N_HEAPS].at);
	free(entry);
}

static int64_t heap_rank(const struct heap *h)
{
	return h->n ? rule_rank(h->at[0]) : RANK_NONE;
}

/* Makes what the heaps hold visible from `version` on. */
static void entry_publish(struct early *e, struct entry *entry, uint64_t version)
{
	struct record *old = entry->record, *fresh = calloc(1, sizeof *fresh);

	if (!fresh)
		abort();
	fresh->version = old ? MAX(version, old->version) : version;
	fresh->ends = entry->n_ends;
	for (unsigned i = 0; i < N_LEVELS; i++) {
		const struct heap *drop = &entry->heap[i][HEAP_DROP];
		const struct heap *meter = &entry->heap[i][HEAP_METER];

		fresh->best[i] = (struct best){
			.drop_rank = heap_rank(drop),
			.other_rank = heap_rank(&entry->heap[i][HEAP_OTHER]),
			.meter_rank = heap_rank(meter),
			.drop_rule = drop->n ? drop->at[0]->id : RULE_NONE,
			.meter_rule = meter->n ? meter->at[0]->id : RULE_NONE,
			.meter = meter->n ? meter->at[0]->program->meter : 0,
		};
	}
	if (old && old->ends == fresh->ends && !memcmp(old->best, fresh->best, sizeof old->best)) {
		free(fresh);
		return;
	}
	/* One record per version: an unpublished one is written anew. */
	fresh->prev = old && old->version == fresh->version ? old->prev : old;
	rcu_set(entry->record, fresh);
	if (old && old->version == fresh->version)
		rcu_free(old);
	if (!entry->changed) {
		entry->changed = true;
		entry->next_changed = e->changed;
		e->changed = entry;
	}
}

static int64_t best_rank(const struct best *b)
{
	return MAX(b->drop_rank, MAX(b->other_rank, b->meter_rank));
}

/* The highest rank that any reader may still see in each tuple. */
static void find_bounds(struct early *e)
{
	struct entry *entry;
	uint32_t position = 0;

	tuples_bounds_begin(&e->masks);
	while ((entry = tuples_each(&e->masks, &position)))
		for (const struct record *r = entry->record; r; r = r->prev)
			for (unsigned i = 0; i < N_LEVELS; i++)
				tuple_bound(entry->tuple, best_rank(&r->best[i]));
	tuples_bounds_end(&e->masks);
}

/* ---- The writer's side ---------------------------------------------------------------- */

struct early *early_create(void)
{
	struct early *e = calloc(1, sizeof *e);

	if (!e)
		abort();
	tuples_init(&e->masks);
	return e;
}

void early_destroy(struct early *e)
{
	uint32_t position = 0;
	struct entry *entry;

	while ((entry = tuples_each(&e->masks, &position))) {
		struct record *prev;

		for (struct record *r = entry->record; r; r = prev) {
			prev = r->prev;
			free(r);
		}
		entry_free(&entry->rcu);
	}
	tuples_destroy(&e->masks);
	free(e);
}

static void count_roles(struct early *e, int change)
{
	__atomic_store_n(&e->n_roles, e->n_roles + (uint32_t)change, __ATOMIC_RELEASE);
}

/* The entry of a rule whose conditions found no room: it can shadow, and no more.  NULL: not even
 * that, for it drops wherever it wins. */
static struct entry *insert_without(struct early *e, struct match *projected, struct rule *r)
{
	r->early = EARLY_OTHER;
	if (r->program && r->program->flags & PROGRAM_DROPS)
		return NULL;
	r->early_heap = CONDS_LEFT_OUT;
	projected->n_conds = 0;
	return entry_get(e, projected, HEAP_OTHER);
}

void early_insert(struct early *e, const struct match *m, struct rule *r, enum early_role role)
{
	const struct program *program = r->program;
	unsigned level = rule_level(r);
	struct match projected;
	struct entry *entry;

	r->early_heap = 0;
	if (role == EARLY_OTHER && program && program->flags & PROGRAM_DROPS)
		return;
	match_project_early(m, &projected);
	entry = entry_get(e, &projected, role);
	if (!entry) {
		entry = insert_without(e, &projected, r);
		role = EARLY_OTHER;
	}
	if (!entry)
		return;
	heap_insert(&entry->heap[level][role], r);
	r->early_heap |= (uint8_t)(1 + level * N_HEAPS + role);
	if (role != EARLY_OTHER)
		count_roles(e, 1);
	if (level == LEVEL_GUARD && role == EARLY_OTHER && !(program && program->has_goto)) {
		r->early_heap |= ENDS_PATH;
		entry->n_ends++;
	}
	tuples_raise(&e->masks, entry->tuple, rule_rank(r));
	entry_publish(e, entry, r->add_version);
}

void early_remove(struct early *e, const struct match *m, struct rule *r, uint64_t version)
{
	unsigned at = (r->early_heap & HEAP_MASK) - 1u;
	struct match projected;
	struct entry *entry;

	if (!r->early_heap)
		return;
	match_project_early(m, &projected);
	if (r->early_heap & CONDS_LEFT_OUT)
		projected.n_conds = 0;
	entry = entry_get(e, &projected, at % N_HEAPS);
	heap_remove(&entry->heap[at / N_HEAPS][at % N_HEAPS], r);
	if (at % N_HEAPS != HEAP_OTHER)
		count_roles(e, -1);
	else if (r->early_heap & ENDS_PATH)
		entry->n_ends--;
	r->early_heap = 0;
	entry_publish(e, entry, version);
}

static bool entry_empty(const struct entry *entry)
{
	for (unsigned i = 0; i < N_LEVELS * N_HEAPS; i++)
		if (entry->heap[i / N_HEAPS][i % N_HEAPS].n)
			return false;
	return true;
}

/* Forgets what no reader of `version` or later looks at; true when nothing is left to forget. */
static bool entry_prune(struct early *e, struct entry *entry, uint64_t version)
{
	struct record *keep = entry->record, *prev;

	while (keep && keep->version > version)
		keep = keep->prev;
	if (keep) {
		for (struct record *r = keep->prev; r; r = prev) {
			prev = r->prev;
			rcu_free(r);
		}
		rcu_set(keep->prev, NULL);
	}
	if (keep != entry->record)
		return false;
	if (entry_empty(entry)) {
		tuples_remove(&e->masks, entry->tuple, entry->hash, entry);
		rcu_free(entry->record);
		rcu_defer(&entry->rcu, entry_free);
	} else {
		entry->changed = false;
	}
	if (tuples_ended(&e->masks))
		find_bounds(e);
	return true;
}

void early_prune(struct early *e, uint64_t version)
{
	struct entry *entry = e->changed, *next;

	e->changed = NULL;
	for (; entry; entry = next) {
		next = entry->next_changed;
		if (!entry_prune(e, entry, version)) {
			entry->next_changed = e->changed;
			e->changed = entry;
		}
	}
}

/* ---- The readers' side ---------------------------------------------------------------- */

/* Whether entries of at most this rank can still change the verdict. */
static bool settled(const struct best best[N_LEVELS], int64_t bound)
{
	const struct best *guard = &best[LEVEL_GUARD];

	return bound < best_rank(&best[LEVEL_TABLE]) ||
	       (guard->drop_rank > guard->other_rank && bound < guard->drop_rank);
}

static void take_others(struct best best[N_LEVELS], const struct record *r)
{
	for (unsigned i = 0; i < N_LEVELS; i++)
		best[i].other_rank = MAX(best[i].other_rank, r->best[i].other_rank);
}

static void take_roles(struct best best[N_LEVELS], const struct record *r)
{
	for (unsigned i = 0; i < N_LEVELS; i++) {
		const struct best *from = &r->best[i];

		if (from->drop_rank > best[i].drop_rank) {
			best[i].drop_rank = from->drop_rank;
			best[i].drop_rule = from->drop_rule;
		}
		if (from->meter_rank > best[i].meter_rank) {
			best[i].meter_rank = from->meter_rank;
			best[i].meter_rule = from->meter_rule;
			best[i].meter = from->meter;
		}
	}
}

enum holding { NO, YES, PERHAPS };

static enum holding entry_holds(const struct entry *entry, struct probe *probe)
{
	bool holds;

	if (!entry->n_conds)
		return YES;
	probe->unknown = false;
	holds = conds_hold(entry->cond, entry->n_conds, probe);
	return probe->unknown ? PERHAPS : holds ? YES : NO;
}

/* What an entry says at the probe's version; true: a rule of it ends the path in the guard.  A rule
 * that perhaps matches shadows, but has no role. */
static bool take_entry(const struct entry *entry, const struct tuple *tuple, struct probe *probe,
		       struct best best[N_LEVELS])
{
	const struct record *r;
	enum holding holding;

	if (entry->tuple != tuple || !tuple_hits(tuple, &probe->key, entry->value))
		return false;
	r = rcu_get(entry->record);
	while (r && r->version > probe->version)
		r = rcu_get(r->prev);
	holding = r ? entry_holds(entry, probe) : NO;
	if (holding == NO)
		return false;
	take_others(best, r);
	if (holding == YES)
		take_roles(best, r);
	return r->ends;
}

bool early_is_idle(const struct early *e)
{
	return !__atomic_load_n(&e->n_roles, __ATOMIC_RELAXED);
}

bool early_lookup(const struct early *e, struct probe *probe, struct early_verdict *verdict)
{
	static const struct best none = {.drop_rank = RANK_NONE,
					 .other_rank = RANK_NONE,
					 .meter_rank = RANK_NONE,
					 .drop_rule = RULE_NONE};
	struct best best[N_LEVELS] = {none, none}, *decides;
	struct tuple_search c;
	bool ends = false;
	int64_t other;

	tuple_search_begin(&c, &e->masks, &probe->key);
	while (tuple_search_more(&c) && !settled(best, tuple_search_limit(&c))) {
		tuple_search_filter(&c);
		while (tuple_search_gather(&c, INT64_MIN))
			for (unsigned i = 0; i < c.n_hits; i++)
				ends |= take_entry(c.hit[i].item, tuple_of(&c, &c.hit[i]), probe,
						   best);
	}
	decides = &best[LEVEL_GUARD];
	if (decides->drop_rank <= decides->other_rank) {
		decides = &best[LEVEL_TABLE];
		if (ends)
			decides->other_rank = best[LEVEL_GUARD].other_rank;
	}
	other = MAX(decides->other_rank, decides->meter_rank);
	*verdict = (struct early_verdict){
		.drop_rule = decides->drop_rule,
		.drop_table = decides->drop_rank >= RANK_LEVEL ? TABLE_GUARD : 0,
		.drop_priority = rank_priority(decides->drop_rank),
		.other_priority = rank_priority(other),
		.meter_rule = RULE_NONE,
	};
	if (decides->meter_rank > MAX(decides->drop_rank, decides->other_rank)) {
		verdict->meter = decides->meter;
		verdict->meter_rule = decides->meter_rule;
	}
	return decides->drop_rank > other;
}
