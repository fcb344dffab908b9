/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/limiters.h"

#include <ctype.h>
#include <inttypes.h>

#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

#define SWEEP_NS NSEC_PER_SEC

enum { WORDS_MAX = 16 };

struct limiter_entry {
	struct limiter_entry *next;
	struct limiter *limiter;      /* as staged */
	struct limiter_counters base; /* what its number had counted before */
	bool leaving;
};

static struct ofproto *lends; /* whose names limiter_number() knows */

/* ---- Finding ----------------------------------------------------------------------------- */

static struct limiter_entry *find(struct ofproto *o, enum limiter_kind kind, const char *name)
{
	for (struct limiter_entry *e = o->limiters.first; e; e = e->next)
		if (!e->leaving && e->limiter->kind == kind && !strcmp(e->limiter->name, name))
			return e;
	return NULL;
}

static int number_of(enum limiter_kind kind, const char *name)
{
	const struct limiter_entry *e = find(lends, kind, name);

	return e ? (int)e->limiter->number : -1;
}

const struct limiter *ofproto_limiter(struct ofproto *o, enum limiter_kind kind, const char *name)
{
	const struct limiter_entry *e = find(o, kind, name);

	return e ? e->limiter : NULL;
}

void ofproto_limiters(struct ofproto *o, enum limiter_kind kind, struct limiter_visit *v)
{
	for (struct limiter_entry *e = o->limiters.first; e; e = e->next)
		if (!e->leaving && e->limiter->kind == kind && v->limiter(v, e->limiter))
			return;
}

static void sum(const struct ofproto *o, uint32_t number, struct limiter_counters *n)
{
	*n = (struct limiter_counters){0};
	for (unsigned i = 0; i < o->dp.n_workers; i++) {
		const struct limiter_counters *w = &o->dp.worker[i]->limiter[number];

		n->passed += counter_read(&w->passed);
		n->dropped += counter_read(&w->dropped);
		n->shared += counter_read(&w->shared);
	}
}

void ofproto_limiter_counters(struct ofproto *o, const struct limiter *l,
			      struct limiter_counters *n)
{
	const struct limiter_entry *e = find(o, l->kind, l->name);

	sum(o, l->number, n);
	if (!e)
		return;
	n->passed -= e->base.passed;
	n->dropped -= e->base.dropped;
	n->shared -= e->base.shared;
}

/* The first rule that names it, as staged; counts them all. */
static const struct entry *user_of(struct ofproto *o, uint32_t number, uint32_t *n)
{
	const struct entry *first = NULL;

	*n = 0;
	for (unsigned t = 0; t < N_TABLES; t++)
		for (const struct entry *e = o->flows.table[t]; e; e = e->next) {
			const struct buf *ops = &e->flow.instructions.apply;

			if (e->leaving || !actions_limit_by(ops->data, ops->size, number))
				continue;
			first = first ? first : e;
			++*n;
		}
	return first;
}

uint32_t ofproto_limiter_rules(struct ofproto *o, const struct limiter *l)
{
	uint32_t n;

	user_of(o, l->number, &n);
	return n;
}

int limiters_check(struct ofproto *o, const struct instructions *i, struct refusal *r)
{
	OP_FOR_EACH(op, i->apply.data, i->apply.size)
	{
		enum limiter_kind kind = op->kind == ACTION_LIMITER ? LIMITER : CONNLIMIT;
		const char *name = (const char *)op->data;
		const struct limiter_entry *e;

		if (op->kind != ACTION_LIMITER && op->kind != ACTION_CONNLIMIT)
			continue;
		e = find(o, kind, name);
		if (!e || e->limiter->number != op->arg)
			return refuse(r, NOT_FOUND, limiter_kinds[kind],
				      "the rule names a %s %s that is no more; said again it would "
				      "take the one that there is",
				      limiter_kinds[kind], name);
	}
	return 0;
}

/* ---- Steps ------------------------------------------------------------------------------- */

struct limiter_step {
	struct step step;
	struct limiter_entry *entry;
	struct limiter *before, *fresh; /* of a change */
};

static void unlink_entry(struct ofproto *o, struct limiter_entry *e)
{
	struct limiter_entry **link = &o->limiters.first;

	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	if (!e->next)
		o->limiters.tail = link;
}

static void limiter_free(struct limiter *l)
{
	keyed_destroy(l->keys);
	conns_destroy(l->conns);
	free(l);
}

/* Workers may be at it until a grace period has passed. */
static void unmake(struct ofproto *o, struct limiter_entry *e)
{
	unlink_entry(o, e);
	rcu_set(o->dp.limiter[e->limiter->number], NULL);
	rcu_wait();
	limiter_free(e->limiter);
	free(e);
}

static void add_done(struct ofproto *o, struct step *s)
{
	(void)o;
	free(container_of(s, struct limiter_step, step));
}

static void add_undo(struct ofproto *o, struct step *s)
{
	struct limiter_step *ls = container_of(s, struct limiter_step, step);

	unmake(o, ls->entry);
	free(ls);
}

static void del_done(struct ofproto *o, struct step *s)
{
	add_undo(o, s);
}

static void del_undo(struct ofproto *o, struct step *s)
{
	struct limiter_step *ls = container_of(s, struct limiter_step, step);

	(void)o;
	ls->entry->leaving = false;
	free(ls);
}

static void mod_publish(struct ofproto *o, struct step *s)
{
	struct limiter_step *ls = container_of(s, struct limiter_step, step);

	rcu_set(o->dp.limiter[ls->fresh->number], ls->fresh);
}

static void mod_done(struct ofproto *o, struct step *s)
{
	struct limiter_step *ls = container_of(s, struct limiter_step, step);

	(void)o;
	free(ls->before); /* the tables are the fresh one's */
	free(ls);
}

static void mod_undo(struct ofproto *o, struct step *s)
{
	struct limiter_step *ls = container_of(s, struct limiter_step, step);

	(void)o;
	ls->entry->limiter = ls->before;
	free(ls->fresh);
	free(ls);
}

static const struct step_class add_class = {NULL, add_done, add_undo};
static const struct step_class del_class = {NULL, del_done, del_undo};
static const struct step_class mod_class = {mod_publish, mod_done, mod_undo};

static struct limiter_step *step_new(struct ofproto *o, const struct step_class *class,
				     struct limiter_entry *e)
{
	struct limiter_step *ls = mem_new(sizeof *ls);

	ls->step.class = class;
	ls->entry = e;
	change_step(o, &ls->step);
	return ls;
}

static void remember(struct ofproto *o, const struct limiter *l)
{
	struct buf text = {0};

	if (!o->store || o->restoring)
		return;
	limiter_words(l, &text);
	change_store(o, store_op_object(limiter_kinds[l->kind], l->name, buf_text(&text)));
	buf_free(&text);
}

/* ---- Making one -------------------------------------------------------------------------- */

static int check_name(struct ofproto *o, enum limiter_kind kind, const char *name,
		      struct refusal *r)
{
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
			return refuse(r, BAD_VALUE, "name",
				      "%.40s: names are letters, digits, and any of -_.", name);
	if (!*name || strlen(name) >= LIMITER_NAME)
		return refuse(r, BAD_VALUE, "name", "'%.40s': names have 1 to %d characters", name,
			      LIMITER_NAME - 1);
	if (find(o, kind, name))
		return refuse(r, EXISTS, "name", "there is a %s %s already; mod-%s changes it",
			      limiter_kinds[kind], name, limiter_kinds[kind]);
	return 0;
}

static int take_number(struct ofproto *o, struct limiter *l, struct refusal *r)
{
	while (l->number < LIMITERS && o->dp.limiter[l->number])
		l->number++;
	return l->number < LIMITERS
		       ? 0
		       : refuse(r, LIMIT, "name",
				"there are %d limits by key, as many as there can be", LIMITERS);
}

static uint64_t octets_of(const struct limiter *l)
{
	return keyed_octets(l->keys) + (l->conns ? l->conns->size : 0);
}

uint64_t ofproto_limiters_octets(const struct ofproto *o)
{
	uint64_t n = 0;

	for (const struct limiter_entry *e = o->limiters.first; e; e = e->next)
		n += octets_of(e->limiter);
	return n;
}

/* A limiter's table has three slots for two keys that are in use at once, a connection limit's
 * three for each, for connections push one another out and keys with connections cannot be
 * (keyed.h). */
static int make_tables(struct ofproto *o, struct limiter *l, struct refusal *r)
{
	const struct keyed_shape shape = {
		.n_lines = l->kind == CONNLIMIT ? l->n_keys : l->n_keys / 2,
		.words = l->by.words,
		.counts = l->kind == CONNLIMIT,
		.now = ofproto_now(o),
	};

	l->keys = keyed_create(&shape);
	if (l->kind == CONNLIMIT)
		l->conns = conns_create((l->n_keys + KEYED_WAYS - 1) / KEYED_WAYS);
	if (l->keys && (l->kind != CONNLIMIT || l->conns))
		return 0;
	return refuse(r, SYSTEM, "keys", "keys=%u: there is no memory for so many", l->n_keys);
}

static int check_octets(const struct ofproto *o, const struct limiter *l, struct refusal *r)
{
	uint64_t there = ofproto_limiters_octets(o), most = o->limiters.octets_most;

	if (there + octets_of(l) <= most)
		return 0;
	return refuse(r, LIMIT, "keys",
		      "keys=%u take %" PRIu64 " KiB, and of %" PRIu64 " KiB for all limits by key "
		      "%" PRIu64 " are left",
		      l->n_keys, octets_of(l) >> 10, most >> 10, (most - MIN(there, most)) >> 10);
}

static struct limiter *limiter_new(struct ofproto *o, enum limiter_kind kind, struct words words,
				   struct refusal *r)
{
	struct limiter *l = mem_new(sizeof *l);
	uint64_t keys = LIMITER_KEYS;
	struct options opt;
	int error = options_parse(&opt, words.n - 1, words.word + 1, r);

	l->kind = kind;
	l->idle_ns = CONNLIMIT_IDLE_NS;
	memcpy(l->name, words.word[0], strlen(words.word[0]));
	if (!error) {
		error = limiter_read(l, &opt, true, &keys, r);
		options_free(&opt);
	}
	l->n_keys = (uint32_t)keys;
	if (!error && !take_number(o, l, r) && !make_tables(o, l, r) && !check_octets(o, l, r))
		return l;
	limiter_free(l);
	return NULL;
}

int ofproto_add_limiter(struct ofproto *o, enum limiter_kind kind, struct words words,
			struct waiter *w, struct refusal *r)
{
	struct limiter_entry *e;
	struct limiter *l;

	if (!words.n || strchr(words.word[0], '='))
		return refuse(r, SYNTAX, "name", "NAME key=value … is expected");
	if (check_name(o, kind, words.word[0], r))
		return -EINVAL;
	l = limiter_new(o, kind, words, r);
	if (!l)
		return -EINVAL;
	e = mem_new(sizeof *e);
	e->limiter = l;
	sum(o, l->number, &e->base);
	*o->limiters.tail = e;
	o->limiters.tail = &e->next;
	if (l->conns)
		o->limiters.sweep_ns = MIN(o->limiters.sweep_ns, ofproto_now(o) + SWEEP_NS);
	rcu_set(o->dp.limiter[l->number], l);
	step_new(o, &add_class, e);
	remember(o, l);
	change_staged(o, w);
	return 0;
}

/* ---- Changing and deleting --------------------------------------------------------------- */

static struct limiter_entry *named(struct ofproto *o, enum limiter_kind kind, const char *name,
				   struct refusal *r)
{
	struct limiter_entry *e = find(o, kind, name);

	if (!e)
		refuse(r, NOT_FOUND, "name", "there is no %s %.40s", limiter_kinds[kind], name);
	return e;
}

/* What cannot change says so in words of its own. */
static int check_same(const struct limiter *l, struct options *opt, struct refusal *r)
{
	static const char *const fixed[] = {"by", "keys"};

	for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
		if (option(opt, fixed[i]))
			return refuse(r, BAD_VALUE, fixed[i],
				      "%s= of %s cannot change without losing its keys; make "
				      "another",
				      fixed[i], l->name);
	return 0;
}

static struct limiter *changed(const struct limiter *before, struct words words, struct refusal *r)
{
	struct limiter *l = mem_new(sizeof *l);
	struct options opt;
	int error = options_parse(&opt, words.n - 1, words.word + 1, r);

	*l = *before;
	if (!error) {
		error = check_same(before, &opt, r);
		if (!error)
			error = limiter_read(l, &opt, false, NULL, r);
		options_free(&opt);
	}
	if (!error && l->packets != before->packets)
		error = refuse(r, BAD_VALUE, "rate", "%s counts %s; a rate in %s would be accepted",
			       l->name, before->packets ? "packets" : "bits",
			       before->packets ? "pps" : "bps");
	if (!error)
		return l;
	free(l);
	return NULL;
}

int ofproto_mod_limiter(struct ofproto *o, enum limiter_kind kind, struct words words,
			struct waiter *w, struct refusal *r)
{
	struct limiter_entry *e;
	struct limiter_step *ls;
	struct limiter *fresh;

	if (words.n < 2)
		return refuse(r, SYNTAX, "name", "NAME and what is to change are expected");
	e = named(o, kind, words.word[0], r);
	fresh = e ? changed(e->limiter, words, r) : NULL;
	if (!fresh)
		return -EINVAL;
	ls = step_new(o, &mod_class, e);
	ls->before = e->limiter;
	ls->fresh = e->limiter = fresh;
	remember(o, fresh);
	change_staged(o, w);
	return 0;
}

int ofproto_del_limiter(struct ofproto *o, enum limiter_kind kind, const char *name,
			struct waiter *w, struct refusal *r)
{
	struct limiter_entry *e = named(o, kind, name, r);
	const struct entry *user;
	struct buf text = {0};
	uint32_t n;

	if (!e)
		return -EINVAL;
	user = user_of(o, e->limiter->number, &n);
	if (user) {
		flow_format(&user->flow, &text);
		refuse(r, IN_USE, "name", "%s %s is used by %u rule%s; delete first: %.160s",
		       limiter_kinds[kind], name, n, n == 1 ? "" : "s", buf_text(&text));
		buf_free(&text);
		return -EINVAL;
	}
	e->leaving = true;
	step_new(o, &del_class, e);
	change_store(o, store_op_object(limiter_kinds[kind], name, NULL));
	change_staged(o, w);
	return 0;
}

/* ---- Connections that ended --------------------------------------------------------------- */

static uint64_t passed(const struct ofproto *o)
{
	struct limiter_counters n;
	uint64_t all = 0;

	for (struct limiter_entry *e = o->limiters.first; e; e = e->next) {
		sum(o, e->limiter->number, &n);
		all += n.passed;
	}
	return all;
}

uint64_t limiters_deadline(const struct ofproto *o)
{
	return o->limiters.sweep_ns;
}

void limiters_run(struct ofproto *o)
{
	struct limiters *ls = &o->limiters;
	uint64_t now = ofproto_now(o), open = 0, n_passed;
	bool any = false;

	/* Offline a capture may be silent for days: time goes by in seconds only while there are
	 * connections. */
	if (o->offline && ls->sweep_ns == TIMER_NEVER && ls->first &&
	    (n_passed = passed(o)) != ls->n_passed) {
		ls->sweep_ns = now + SWEEP_NS;
		ls->n_passed = n_passed;
	}
	if (now < ls->sweep_ns)
		return;
	for (struct limiter_entry *e = ls->first; e; e = e->next) {
		const struct limiter *l = e->limiter;

		if (!l->conns)
			continue;
		any = true;
		conns_sweep(l->conns, l->keys, now, l->idle_ns, l->conns->n_lines);
		open += o->offline ? conns_n(l->conns) : 1;
	}
	ls->sweep_ns = any && open ? now + SWEEP_NS : TIMER_NEVER;
	if (o->offline)
		ls->n_passed = passed(o);
}

/* ---- Beginning and end -------------------------------------------------------------------- */

void limiters_init(struct ofproto *o)
{
	o->limiters.tail = &o->limiters.first;
	o->limiters.sweep_ns = TIMER_NEVER;
	o->limiters.octets_most = LIMITERS_OCTETS;
	lends = o;
	limiter_number = number_of;
}

void limiters_destroy(struct ofproto *o)
{
	while (o->limiters.first) {
		struct limiter_entry *e = o->limiters.first;

		o->limiters.first = e->next;
		limiter_free(e->limiter);
		free(e);
	}
	limiter_number = NULL;
	lends = NULL;
}

struct restore {
	struct store_visit visit;
	struct ofproto *ofproto;
	enum limiter_kind kind;
};

static int restore_one(struct store_visit *v, const char *name, const char *text, struct refusal *r)
{
	struct restore *restore = container_of(v, struct restore, visit);
	char *copy = mem_text(text), *save = NULL;
	const char *word[WORDS_MAX] = {name};
	struct words words = {1, word};
	struct refusal why = {0};

	(void)r;
	for (char *w = strtok_r(copy, " ", &save); w && words.n < WORDS_MAX;
	     w = strtok_r(NULL, " ", &save))
		word[words.n++] = w;
	if (ofproto_add_limiter(restore->ofproto, restore->kind, words, NULL, &why))
		LOG(ERR, "%s %s: not restored: %s", limiter_kinds[restore->kind], name, why.text);
	free(copy);
	return 0;
}

int limiters_restore(struct ofproto *o, struct refusal *r)
{
	struct restore restore = {.visit.object = restore_one, .ofproto = o};
	int error = 0;

	for (unsigned kind = 0; kind < N_LIMITER_KINDS && !error; kind++) {
		restore.kind = kind;
		error = store_load_objects(o->store, limiter_kinds[kind], &restore.visit, r);
	}
	return error;
}
