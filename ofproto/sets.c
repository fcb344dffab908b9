/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/sets.h"

#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/protect.h"
#include "ofproto/state.h"

static struct ofproto *named; /* whose sets text names: there is one switch in a process */

uint64_t ofproto_now_ms(const struct ofproto *o)
{
	return ofproto_now(o) / NSEC_PER_MSEC;
}

/* ---- Finding ------------------------------------------------------------------------------ */

struct set_entry *set_entry_find(struct ofproto *o, const char *name)
{
	for (unsigned i = 0; i < SETS_MAX; i++) {
		struct set_entry *e = o->sets.entry[i];

		if (e && !e->leaving && !strcmp(e->set->name, name))
			return e;
	}
	return NULL;
}

struct set_entry *set_entry_by_id(const struct ofproto *o, uint64_t id)
{
	struct set_entry *e = o->sets.entry[id % SETS_MAX];

	return e && e->set->id == id ? e : NULL;
}

struct set_entry *set_entry_get(struct ofproto *o, const char *name, struct refusal *r)
{
	struct set_entry *e = set_entry_find(o, name);

	if (!e)
		refuse(r, NOT_FOUND, "name", "there is no set %.40s", name);
	return e;
}

static const struct set *set_by_name(const char *name)
{
	struct set_entry *e = set_entry_find(named, name);

	return e ? e->set : NULL;
}

static const struct set *set_by_id(uint64_t id)
{
	struct set_entry *e = set_entry_by_id(named, id);

	return e ? e->set : NULL;
}

static uint64_t names_now_ms(void)
{
	return ofproto_now_ms(named);
}

/* ---- Rules that name sets ----------------------------------------------------------------- */

static bool ops_name(const struct buf *ops, uint64_t id)
{
	OP_FOR_EACH(op, ops->data, ops->size)
	if (op_set(op) == id)
		return true;
	return false;
}

static bool cond_is_set(const struct cond *c)
{
	return c->kind == COND_SET || c->kind == COND_SET_PAIR;
}

static bool flow_names(const struct flow *f, uint64_t id)
{
	for (unsigned i = 0; i < f->match.n_conds; i++)
		if (cond_is_set(&f->match.cond[i]) && f->match.cond[i].set == id)
			return true;
	return ops_name(&f->instructions.apply, id) || ops_name(&f->instructions.write, id);
}

/* A rule of the stage that names the set; NULL: none does. */
static const struct flow *user_of(struct ofproto *o, uint64_t id)
{
	for (unsigned t = 0; t < N_TABLES; t++)
		for (struct entry *e = o->flows.table[t]; e; e = e->next)
			if (!e->leaving && flow_names(&e->flow, id))
				return &e->flow;
	return NULL;
}

bool ofproto_set_is_asked(struct ofproto *o, const char *name)
{
	const struct set_entry *e = set_entry_find(o, name);

	return e && user_of(o, e->set->id);
}

static int check_id(struct ofproto *o, uint64_t id, struct refusal *r)
{
	struct set_entry *e = set_entry_by_id(o, id);

	if (e && !e->leaving)
		return 0;
	return refuse(r, NOT_FOUND, "set", "the rule names a set that is no more");
}

int sets_check(struct ofproto *o, const struct match *m, const struct instructions *i,
	       struct refusal *r)
{
	for (unsigned k = 0; k < m->n_conds; k++)
		if (cond_is_set(&m->cond[k]) && check_id(o, m->cond[k].set, r))
			return -EINVAL;
	OP_FOR_EACH(op, i->apply.data, i->apply.size)
	if (op_set(op) && check_id(o, op_set(op), r))
		return -EINVAL;
	OP_FOR_EACH(op, i->write.data, i->write.size)
	if (op_set(op) && check_id(o, op_set(op), r))
		return -EINVAL;
	return 0;
}

/* ---- Steps -------------------------------------------------------------------------------- */

struct entry_step {
	struct step step;
	struct set_entry *entry;
};

static void set_entry_free(struct set_entry *e)
{
	set_destroy(e->set);
	set_table_free(e->pending);
	free(e->text);
	free(e);
}

/* Nobody can ask it: no rule in force names it. */
static void take_away(struct ofproto *o, struct set_entry *e)
{
	o->sets.entry[e->set->id % SETS_MAX] = NULL;
	rcu_set(o->dp.set[e->set->id % SETS_MAX], NULL);
	rcu_wait();
	set_entry_free(e);
}

static void add_done(struct ofproto *o, struct step *step)
{
	(void)o;
	free(container_of(step, struct entry_step, step));
}

static void add_undo(struct ofproto *o, struct step *step)
{
	struct entry_step *s = container_of(step, struct entry_step, step);

	take_away(o, s->entry);
	free(s);
}

static void del_done(struct ofproto *o, struct step *step)
{
	add_undo(o, step);
}

static void del_undo(struct ofproto *o, struct step *step)
{
	struct entry_step *s = container_of(step, struct entry_step, step);

	s->entry->leaving = false;
	o->sets.gen++;
	free(s);
}

static const struct step_class add_class = {NULL, add_done, add_undo};
static const struct step_class del_class = {NULL, del_done, del_undo};

static void stage(struct ofproto *o, const struct step_class *class, struct set_entry *e)
{
	struct entry_step *s = mem_new(sizeof *s);

	s->step.class = class;
	s->entry = e;
	change_step(o, &s->step);
}

/* ---- add-set, del-set --------------------------------------------------------------------- */

static int read_options(struct set *s, struct words words, struct refusal *r)
{
	struct words rest = {words.n - 1, words.word + 1};
	uint64_t timeout_ns = 0;
	bool counters = false;
	struct options opt;
	unsigned type = 0;
	int error = options_parse(&opt, rest.n, rest.word, r);

	if (error)
		return error;
	if (!option(&opt, "type"))
		error = refuse(r, BAD_VALUE, "type",
			       "a set without its type; as in type=ipv4, ipv6, port, number, eth, "
			       "ipv4+port");
	error = error ? error : option_word(&opt, "type", set_type_names, &type, r);
	error = error ? error : option_time(&opt, "timeout", &timeout_ns, r);
	error = error ? error : option_bool(&opt, "counters", &counters, r);
	error = error ? error : option_bool(&opt, "protected", &s->protects, r);
	if (s->protects)
		s->max = PROTECTED_MAX;
	error = error ? error
		      : option_u64(&opt, "max", (struct range){1, SET_MEMBERS_MAX}, &s->max, r);
	if (!error && timeout_ns > SET_TIMEOUT_MAX_MS * NSEC_PER_MSEC)
		error = refuse(r, BAD_VALUE, "timeout", "a timeout of more than 30 days");
	s->type = (uint8_t)type;
	s->timeout_ms = (timeout_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC; /* 0 is for ever */
	s->flags = (uint8_t)((option(&opt, "timeout") ? SET_TIMEOUTS : 0) |
			     (counters ? SET_COUNTERS : 0));
	error = error ? error : options_finish(&opt, r);
	options_free(&opt);
	return error;
}

bool ofproto_set_is(struct ofproto *o, struct words words)
{
	const struct set_entry *e = set_entry_find(o, words.word[0]);
	struct set like = {.max = SET_MEMBERS};

	return e && !read_options(&like, words, NULL) && like.type == e->set->type &&
	       like.flags == e->set->flags && like.max == e->set->max &&
	       like.protects == e->set->protects && like.timeout_ms == e->set->timeout_ms;
}

/* A place of which no id was given that somebody may still hold: ids go on. */
static int find_place(struct ofproto *o, uint64_t *id, struct refusal *r)
{
	for (unsigned i = 0; i < SETS_MAX; i++)
		if (!o->sets.entry[i]) {
			*id = ++o->sets.next * SETS_MAX + i;
			return 0;
		}
	return refuse(r, LIMIT, "name", "there are %d sets, as many as there can be", SETS_MAX);
}

static struct set_entry *entry_make(struct ofproto *o, struct words words, struct refusal *r)
{
	struct set like = {.max = SET_MEMBERS}, *set;
	struct set_entry *e;
	struct buf text = {0};

	if (!words.n || !set_name_ok(words.word[0])) {
		refuse(r, BAD_VALUE, "name",
		       "'%.40s' is no name for a set; up to %d letters, digits, '-', '_' and '.'",
		       words.n ? words.word[0] : "", SET_NAME - 1);
		return NULL;
	}
	if (set_entry_find(o, words.word[0])) {
		refuse(r, EXISTS, "name", "there is a set %s already", words.word[0]);
		return NULL;
	}
	if (read_options(&like, words, r) || protect_check_set(o, &like, r) ||
	    find_place(o, &like.id, r))
		return NULL;
	set = set_create(like.type, like.flags);
	if (!set) {
		refuse(r, SYSTEM, "", "no memory for a set");
		return NULL;
	}
	set->id = like.id;
	set->max = like.max;
	set->timeout_ms = like.timeout_ms;
	set->protects = like.protects;
	strcpy(set->name, words.word[0]);
	for (unsigned i = 0; i < words.n; i++)
		buf_printf(&text, "%s%s", i ? "\n" : "", words.word[i]);
	e = mem_new(sizeof *e);
	e->set = set;
	e->text = mem_text(buf_text(&text));
	buf_free(&text);
	return e;
}

int ofproto_add_set(struct ofproto *o, struct words words, const char *content, struct waiter *w,
		    struct refusal *r)
{
	struct set_entry *e = entry_make(o, words, r);
	struct set_table *t = NULL;

	if (!e)
		return -EINVAL;
	if (content)
		t = set_content_read(e->set, content, ofproto_now_ms(o), r);
	if ((content && !t) || sets_check_octets(o, t, r) ||
	    (t && protect_admits_members(o, e, t, r))) {
		set_table_free(t);
		set_entry_free(e);
		return -EINVAL;
	}
	o->sets.entry[e->set->id % SETS_MAX] = e;
	rcu_set(o->dp.set[e->set->id % SETS_MAX], e->set); /* no rule asks it yet */
	stage(o, &add_class, e);
	change_store(o, store_op_object("set", e->set->name, e->text));
	if (t)
		set_stage_content(o, e, t);
	change_staged(o, w);
	return 0;
}

int ofproto_del_set(struct ofproto *o, const char *name, struct waiter *w, struct refusal *r)
{
	struct set_entry *e = set_entry_get(o, name, r);
	const struct flow *user = e ? user_of(o, e->set->id) : NULL;
	struct buf text = {0};

	if (!e)
		return -EINVAL;
	if (user) {
		flow_format(user, &text);
		refuse(r, IN_USE, "name", "set %s is asked by a rule; delete that first: %.160s",
		       name, buf_text(&text));
		buf_free(&text);
		return -EINVAL;
	}
	e->leaving = true;
	o->sets.gen++;
	stage(o, &del_class, e);
	set_forget(o, e);
	change_staged(o, w);
	return 0;
}

/* ---- Start and end ------------------------------------------------------------------------ */

void sets_init(struct ofproto *o)
{
	static const struct set_names names = {set_by_name, set_by_id, names_now_ms};

	o->sets.sweep_ns = TIMER_NEVER;
	o->sets.gen = 1;
	o->sets.octets_most = SETS_OCTETS;
	named = o;
	set_names = &names;
}

struct restore {
	struct store_visit visit;
	struct ofproto *o;
};

static int restore_one(struct store_visit *v, const char *name, const char *text, struct refusal *r)
{
	struct ofproto *o = container_of(v, struct restore, visit)->o;
	const char *word[OPTIONS_MAX + 1];
	char *copy = mem_text(text);
	struct words words = object_words(copy, word, ARRAY_SIZE(word));
	struct refusal why = {0};
	int error = 0;

	if (ofproto_add_set(o, words, NULL, NULL, &why)) {
		LOG(ERR, "set %s: not restored: %s", name, why.text);
	} else {
		struct set_entry *e = set_entry_find(o, name);

		error = set_contents_restore(o, e, r);
		sets_arm(o, e);
	}
	free(copy);
	return error;
}

int sets_restore(struct ofproto *o, struct refusal *r)
{
	struct restore restore = {{.object = restore_one}, o};

	return store_load_objects(o->store, "set", &restore.visit, r);
}

void sets_destroy(struct ofproto *o)
{
	for (unsigned i = 0; i < SETS_MAX; i++)
		if (o->sets.entry[i])
			set_entry_free(o->sets.entry[i]);
	protect_free(o);
	if (named == o) {
		named = NULL;
		set_names = NULL;
	}
}
