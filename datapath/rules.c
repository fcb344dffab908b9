/* SPDX-License-Identifier: Apache-2.0 */
/* The rules stage: guard, table 0, and on as the rules say; each packet leaves it with a program.
 *
 * Most rules end the path at once with an apply list only; their own program is the path.  Other
 * paths are composed: apply lists one behind the other, the action set behind them, in an arena of
 * the worker's that holds one batch.  Should a batch need more than the arena holds, the packets
 * in front are run before the next is composed, so the order stays.
 *
 * In front of it all is the worker's cache (cache.h).
 *
 * Composing changes neither octets nor the packet's key; what an apply list does to the headers
 * (class->compose), and write_metadata, are seen by the tables behind in a copy.  Where the key
 * does not say what an action leaves (op_reshapes: what was behind a tag), the path so far is run
 * on the packet before it goes on to the next table; such a path is composed each time. */
#include "datapath/spine.h"
#include "datapath/tuple-search.h"
#include "lib/openflow.h"

/* A path on its way through the tables. */
struct walk {
	struct batch *front;                        /* packets that go before this one */
	struct du_key key;                          /* as the tables see it */
	const struct op *set[N_FIELDS + N_ACTIONS]; /* the action set, in order of execution */
	uint8_t set_rule[N_FIELDS + N_ACTIONS];     /* index of the rule that wrote it */
	unsigned n_set, n_rules;
	uint16_t size;  /* of ops */
	bool reshaped;  /* the key does not say what the ops leave */
	bool shortened; /* an address is one of which the cache does not know all (shape.h) */
	struct path_rule rules[PATH_RULES];
	uint64_t ops[PATH_OPS / 8];
};

/* In place: a copy would wait for what was just written. */
static inline void probe_init(struct probe *s, struct worker *w, const struct pkt *p,
			      const struct du_key *key)
{
	*s = (struct probe){.key = key_view_of(key, &p->outer->key),
			    .version = w->version,
			    .worker = w,
			    .pkt = p};
}

static void count_table(struct worker *w, unsigned table, bool matched)
{
	counter_add(&w->table[table].lookups, 1);
	if (matched)
		counter_add(&w->table[table].matches, 1);
}

static void looked_up(struct worker *w, const struct pkt *p, unsigned table, const struct rule *r)
{
	count_table(w, table, r);
	if (r)
		trace(w, p, LOOKUP, table, r->id);
	else
		trace(w, p, MISS, table, w->version);
}

static const struct rule *lookup(struct worker *w, const struct pkt *p, unsigned table,
				 const struct du_key *key)
{
	const struct table *t = rcu_get(w->dp->table[table]);
	const struct rule *r;
	struct probe probe;

	probe_init(&probe, w, p, key);
	r = t ? table_lookup(t, &probe) : NULL;
	w->cache.fleeting |= probe.fleeting;
	looked_up(w, p, table, r);
	return r;
}

static ALWAYS_INLINE void count_rule(struct worker *w, const struct pkt *p, uint32_t id)
{
	struct rule_counters *n = &w->rule[id];

	counter_add(&n->packets, 1);
	counter_add(&n->bytes, pkt_octets(p));
	counter_add(&n->used_ns, w->now - n->used_ns);
}

static struct path_rule path_rule(const struct rule *r, unsigned table)
{
	return (struct path_rule){r->id, (uint8_t)table, rule_is_miss(r)};
}

static bool append(struct walk *k, const struct op *op, unsigned rule)
{
	struct op *copy = (void *)((uint8_t *)k->ops + k->size);

	if (k->size + op->size > PATH_OPS)
		return false;
	memcpy(copy, op, op->size);
	copy->flags = (uint8_t)rule;
	k->size += op->size;
	return true;
}

/* Puts an action into the set: in the place of one of its kind (and field), else behind those of
 * its order. */
static bool set_write(struct walk *k, const struct op *op, unsigned rule)
{
	enum set_order order = action_class(op->kind)->order;
	unsigned at = 0;

	for (unsigned i = 0; i < k->n_set; i++) {
		const struct op *other = k->set[i];

		if (op_same_in_set(other, op)) {
			k->set[i] = op;
			k->set_rule[i] = (uint8_t)rule;
			return true;
		}
		if (action_class(other->kind)->order <= order)
			at = i + 1;
	}
	if (k->n_set == ARRAY_SIZE(k->set))
		return false;
	memmove(k->set + at + 1, k->set + at, (k->n_set - at) * sizeof k->set[0]);
	memmove(k->set_rule + at + 1, k->set_rule + at, k->n_set - at);
	k->set[at] = op;
	k->set_rule[at] = (uint8_t)rule;
	k->n_set++;
	return true;
}

/* write_metadata as an op of the path: outputs before it show what was there before. */
static bool append_metadata(struct walk *k, const struct program *program, unsigned rule)
{
	uint64_t room[3];
	struct op *op = (void *)room;

	if (!program->metadata_mask)
		return true;
	*op = (struct op){.kind = ACTION_SET_FIELD, .size = sizeof room, .arg = FIELD_METADATA};
	memcpy(op->data, &program->metadata, sizeof program->metadata);
	memcpy(op->data + sizeof program->metadata, &program->metadata_mask,
	       sizeof program->metadata_mask);
	k->key.metadata = (k->key.metadata & ~program->metadata_mask) | program->metadata;
	return append(k, op, rule);
}

/* An address is part of it new and part of it as it was: of that, tables behind may tell more than
 * those in front. */
static bool makes_address(const struct op *op)
{
	unsigned off;

	if (op->kind != ACTION_SET_FIELD)
		return false;
	off = fields[op->arg].off;
	return (off == address_at[ADDRESS_SRC] || off == address_at[ADDRESS_DST]) &&
	       set_field_is_masked(op);
}

/* One rule's instructions, in the standard's order (TS-023, 5.5): meter (an op at the head of
 * the apply list), apply, clear, write, metadata, goto. */
static bool add_program(struct walk *k, const struct program *program)
{
	unsigned rule = k->n_rules - 1;

	OP_FOR_EACH(op, program->ops, program->apply_size)
	{
		const struct action_class *class = action_class(op->kind);

		if (!append(k, op, rule))
			return false;
		if (class->compose)
			class->compose(op, &k->key);
		k->reshaped |= op_reshapes(op);
		k->shortened |= makes_address(op);
	}
	if (program->clear)
		k->n_set = 0;
	OP_FOR_EACH(op, program->ops + program->apply_size, program->write_size)
	if (!set_write(k, op, rule))
		return false;
	return append_metadata(k, program, rule);
}

/* Adds a rule to the path; false: the path is too long. */
static bool add_rule(struct worker *w, const struct pkt *p, struct walk *k, const struct rule *r,
		     unsigned table)
{
	count_rule(w, p, r->id);
	if (k->n_rules == PATH_RULES)
		return false;
	k->rules[k->n_rules++] = path_rule(r, table);
	return add_program(k, rcu_get(r->program));
}

/* The action set at the path's end: with a group in it, its output is ignored (TS-023, 5.10). */
static bool append_set(struct walk *k)
{
	bool group = false;

	for (unsigned i = 0; i < k->n_set; i++) {
		enum set_order order = action_class(k->set[i]->kind)->order;

		group |= order == SET_GROUP;
		if ((!group || order != SET_OUTPUT) && !append(k, k->set[i], k->set_rule[i]))
			return false;
	}
	return true;
}

/* The packet is gone already: no reason to drop it. */
enum { PATH_GONE = N_DROPS };

/* Runs the path so far, behind what goes before; the tables behind see what it leaves.  False: the
 * packet is gone. */
static bool run_so_far(struct worker *w, struct pkt *p, struct walk *k)
{
	uint16_t size = k->size;

	stage_actions(w, k->front);
	k->size = 0;
	k->reshaped = false;
	w->cache.fleeting = true;
	if (ops_run(w, p, k->rules, k->ops, size) == ACT_DONE)
		return false;
	k->key = p->key;
	return true;
}

/* Walks on from rule `r` to the path's end.  -1, or the reason to drop the packet. */
static int walk(struct worker *w, struct pkt *p, struct walk *k, const struct rule *r,
		unsigned table)
{
	const struct program *program = rcu_get(r->program);

	k->key = p->key;
	k->n_set = k->n_rules = k->size = 0;
	k->shortened = k->reshaped = false;
	for (;;) {
		if (!add_rule(w, p, k, r, table))
			return DROP_PATH_TOO_LONG;
		if (!program->has_goto)
			break;
		if (unlikely(k->reshaped) && !run_so_far(w, p, k))
			return PATH_GONE;
		table = program->goto_table;
		w->cache.fleeting |= k->shortened;
		r = lookup(w, p, table, &k->key);
		if (!r) {
			p->rule = k->rules[k->n_rules - 1];
			return DROP_TABLE_MISS;
		}
		program = rcu_get(r->program);
	}
	return append_set(k) ? -1 : DROP_PATH_TOO_LONG;
}

/* The arena's next octets; NULL when they don't fit. */
static void *arena(struct worker *w, size_t size)
{
	uint8_t *at = (uint8_t *)w->path + w->path_used;

	size = ROUND_UP(size, 8);
	if (w->path_used + size > sizeof w->path)
		return NULL;
	w->path_used += (uint32_t)size;
	return at;
}

/* A walk's result as a program in the arena; NULL: no room. */
static const struct program *keep(struct worker *w, const struct walk *k)
{
	size_t rules = k->n_rules * sizeof k->rules[0];
	struct program *program = arena(w, sizeof *program + k->size + rules);

	if (!program)
		return NULL;
	*program = (struct program){
		.n_rules = (uint8_t)k->n_rules,
		.apply_size = k->size,
		.rules = rules ? (void *)(program->ops + k->size) : NULL,
	};
	memcpy(program->ops, k->ops, k->size);
	memcpy(program->ops + k->size, k->rules, rules);
	return program;
}

/* Makes a walk the packet's program.  When the arena is full, the packets in front (what `b` holds
 * by now) are run first.  -1, or the reason to drop the packet. */
static int take_path(struct worker *w, struct batch *b, struct pkt *p, const struct walk *k)
{
	p->program = keep(w, k);
	if (unlikely(!p->program)) {
		stage_actions(w, b);
		b->n = 0;
		p->program = keep(w, k);
	}
	return p->program ? -1 : DROP_PATH_TOO_LONG;
}

static int compose(struct worker *w, struct batch *b, struct pkt *p, const struct rule *r,
		   unsigned table)
{
	struct walk k;
	int reason;

	k.front = b;
	reason = walk(w, p, &k, r, table);

	return reason < 0 ? take_path(w, b, p, &k) : reason;
}

/* What panic puts in the place of all rules: output to NORMAL. */
static int bypass(struct worker *w, struct batch *b, struct pkt *p)
{
	static const struct op normal = {
		.kind = ACTION_OUTPUT, .size = sizeof normal, .arg = OFPP_NORMAL};
	struct walk k;

	k.n_rules = k.size = 0;
	append(&k, &normal, 0);
	p->rule = (struct path_rule){.id = RULE_NONE};
	return take_path(w, b, p, &k);
}

/* ---- The cache --------------------------------------------------------------------------- */

/* Of a path of several rules, of the guard, or of none. */
static __attribute__((noinline)) int count_path(struct worker *w, const struct pkt *p)
{
	const struct program *program = p->program;
	const struct path_rule *rule = program && program->rules ? program->rules : &p->rule;
	unsigned n = program && program->rules ? program->n_rules : 1;

	if (w->cache.guard && (!program || rule->table != TABLE_GUARD))
		count_table(w, TABLE_GUARD, false);
	if (!program) {
		count_table(w, 0, false);
		return DROP_TABLE_MISS;
	}
	for (unsigned i = 0; i < n; i++) {
		count_table(w, rule[i].table, true);
		count_rule(w, p, rule[i].id);
	}
	return -1;
}

static ALWAYS_INLINE void take_entry(struct pkt *p, const struct cache_entry *e)
{
	p->program = e->program;
	p->rule = e->rule;
}

/* What find_program() does, of an entry that was taken: the same figures, the same end.  What met a
 * rule of table 0 and no other is counted there later, by *plain. */
static ALWAYS_INLINE int count_entry(struct worker *w, struct pkt *p, unsigned *plain)
{
	const struct program *program = p->program;

	if (unlikely(!program || program->rules || p->rule.table || w->cache.guard))
		return count_path(w, p);
	(*plain)++;
	count_rule(w, p, p->rule.id);
	return -1;
}

/* ---- Lookups ------------------------------------------------------------------------------- */

/* A packet that the cache does not know, and the lookup of the rule that it meets first. */
struct asked {
	struct probe probe;
	unsigned table;
	struct tuple_search search;
};

static void ask(struct worker *w, const struct pkt *p, struct asked *a)
{
	const struct table *guard = rcu_get(w->dp->table[TABLE_GUARD]);

	probe_init(&a->probe, w, p, &p->key);
	a->table = guard && table_n_rules(guard) ? TABLE_GUARD : 0;
	table_lookup_begin(&a->search, rcu_get(w->dp->table[a->table]), &a->probe);
}

/* The rule; NULL: none. */
static const struct rule *answer(struct worker *w, const struct pkt *p, struct asked *a)
{
	const struct rule *r = table_lookup_end(&a->search, &a->probe);

	w->cache.fleeting = a->probe.fleeting;
	looked_up(w, p, a->table, r);
	if (r || a->table != TABLE_GUARD)
		return r;
	a->table = 0;
	return lookup(w, p, 0, &p->key);
}

/* Gives p the program that its first rule leads to: -1, or the reason to drop it. */
static int find_program(struct worker *w, struct batch *b, struct pkt *p, const struct rule *r,
			unsigned table)
{
	const struct program *program;

	if (!r)
		return DROP_TABLE_MISS;
	program = rcu_get(r->program);
	if (!(program->flags & PROGRAM_PLAIN))
		return compose(w, b, p, r, table);
	count_rule(w, p, r->id);
	p->rule = path_rule(r, table);
	p->program = program;
	return -1;
}

/* … and keeps it if the answer will be the same next time. */
static int find_and_keep(struct worker *w, struct batch *b, struct pkt *p, struct asked *a,
			 const struct cache_key *key)
{
	const struct rule *r = answer(w, p, a);
	int reason = find_program(w, b, p, r, a->table);

	if (key && !w->cache.fleeting &&
	    (reason < 0 || (reason == DROP_TABLE_MISS && p->rule.id == RULE_NONE)))
		cache_keep(&w->cache, key, reason < 0 ? p->program : NULL, p->rule);
	return reason;
}

/* ---- The stage ------------------------------------------------------------------------------ */

/* Where a rule does nothing but drop, there is nothing to run. */
static ALWAYS_INLINE void pass_on(struct worker *w, struct batch *b, struct pkt *p, int reason)
{
	if (reason < 0) {
		if (!(p->program->flags & PROGRAM_DROPS) || unlikely(p->sample)) {
			b->pkt[b->n++] = p;
			return;
		}
		reason = DROP_RULE;
	}
	if (likely(reason != PATH_GONE))
		drop(w, p, (enum drop_reason)reason);
}

/* A few packets on their way through the stage. */
struct some {
	struct pkt *const *pkt;
	const struct cache_key *key; /* NULL: the cache is not asked */
	const struct cache_entry *entry[CACHE_AHEAD];
	unsigned n, found, plain;
};

/* Some of which the cache does not know.  What it does know is taken first: an answer that is kept
 * may take the place of one. */
static __attribute__((noinline)) void look_up(struct worker *w, struct batch *b, struct some *s)
{
	struct asked asked[CACHE_AHEAD];

	for (unsigned i = 0; i < s->n; i++)
		if (s->entry[i])
			take_entry(s->pkt[i], s->entry[i]);
		else
			ask(w, s->pkt[i], &asked[i]);
	for (unsigned i = 0; i < s->n; i++)
		pass_on(w, b, s->pkt[i],
			s->entry[i] ? count_entry(w, s->pkt[i], &s->plain)
				    : find_and_keep(w, b, s->pkt[i], &asked[i],
						    s->key ? &s->key[i] : NULL));
}

/* Their memory is on its way together. */
static ALWAYS_INLINE void some_rules(struct worker *w, struct batch *b, struct some *s)
{
	unsigned known = s->key ? cache_find(w, s->key, s->n, s->entry) : 0;

	s->found += known;
	if (known < s->n) {
		look_up(w, b, s);
		return;
	}
	for (unsigned i = 0; i < s->n; i++) {
		take_entry(s->pkt[i], s->entry[i]);
		pass_on(w, b, s->pkt[i], count_entry(w, s->pkt[i], &s->plain));
	}
}

static void all_rules(struct worker *w, struct batch *b, struct pkt *const pkt[], unsigned total)
{
	struct cache_key key[BATCH_MAX];
	struct some s = {.key = cache_begin(w, total) ? key : NULL};

	if (s.key)
		cache_prepare(&w->cache, pkt, total, key);
	for (unsigned i = 0; i < total; i += CACHE_AHEAD) {
		s.pkt = pkt + i;
		s.n = MIN(total - i, (unsigned)CACHE_AHEAD);
		some_rules(w, b, &s);
		if (s.key)
			s.key += CACHE_AHEAD;
	}
	counter_add(&w->table[0].lookups, s.plain);
	counter_add(&w->table[0].matches, s.plain);
	if (s.key)
		cache_end(&w->cache, total, s.found);
}

void stage_rules(struct worker *w, struct batch *b)
{
	struct pkt *pkt[BATCH_MAX];
	unsigned total = b->n;

	memcpy(pkt, b->pkt, total * sizeof pkt[0]);
	b->n = 0;
	if (likely(!w->bypass))
		all_rules(w, b, pkt, total);
	for (unsigned i = 0; unlikely(w->bypass) && i < total; i++)
		pass_on(w, b, pkt[i], bypass(w, b, pkt[i]));
}
