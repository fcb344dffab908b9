/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/sets.h"

#include <inttypes.h>

#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

enum { SWEEP_SLOTS = 1 << 18, SWEEP_MS = 500, SWEEP_AGAIN_MS = 100 };

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

static struct set_entry *entry_by_id(const struct ofproto *o, uint64_t id)
{
	struct set_entry *e = o->sets.entry[id % SETS_MAX];

	return e && e->set->id == id ? e : NULL;
}

static struct set_entry *find_or_refuse(struct ofproto *o, const char *name, struct refusal *r)
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
	struct set_entry *e = entry_by_id(named, id);

	return e ? e->set : NULL;
}

static uint64_t names_now_ms(void)
{
	return ofproto_now_ms(named);
}

static uint64_t all_octets(const struct ofproto *o)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SETS_MAX; i++)
		if (o->sets.entry[i])
			n += set_table_octets(o->sets.entry[i]->set->table);
	return n;
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

static int check_id(struct ofproto *o, uint64_t id, struct refusal *r)
{
	struct set_entry *e = entry_by_id(o, id);

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

/* Somebody has to look for what ends. */
static void arm(struct ofproto *o, const struct set_entry *e)
{
	if (e->set->flags & SET_TIMEOUTS && set_table_n(e->set->table))
		o->sets.sweep_ns = MIN(o->sets.sweep_ns, ofproto_now(o) + SWEEP_MS * NSEC_PER_MSEC);
}

/* ---- Steps -------------------------------------------------------------------------------- */

struct set_step {
	struct step step;
	struct set_entry *entry;
	struct set_table *table; /* another content; NULL: members */
	enum set_log what;
	unsigned n;
	struct set_member member[];
};

static void step_over(struct set_step *s)
{
	struct set_entry *e = s->entry;

	if (!--e->n_pending)
		e->n_staged = set_table_n(e->set->table);
	free(s);
}

static void members_publish(struct ofproto *o, struct step *step)
{
	struct set_step *s = container_of(step, struct set_step, step);
	struct set *set = s->entry->set;
	uint64_t now_ms = ofproto_now_ms(o);

	for (unsigned i = 0; i < s->n; i++)
		if (s->what == SET_LOG_DEL)
			set_table_del(set->table, &s->member[i].key);
		else if (set_put(set, &s->member[i], now_ms) < 0)
			LOG(ERR, "set %s: no room for a member that was promised one", set->name);
	if (s->what == SET_LOG_DEL)
		set_tidy(set, now_ms);
	sets_changed(&o->dp);
	arm(o, s->entry);
}

static void content_publish(struct ofproto *o, struct step *step)
{
	struct set_step *s = container_of(step, struct set_step, step);

	set_replace(s->entry->set, s->table);
	s->table = NULL;
	sets_changed(&o->dp);
	arm(o, s->entry);
}

static void members_over(struct ofproto *o, struct step *step)
{
	struct set_step *s = container_of(step, struct set_step, step);

	(void)o;
	set_table_free(s->table);
	step_over(s);
}

static void set_entry_free(struct set_entry *e)
{
	set_destroy(e->set);
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
	step_over(container_of(step, struct set_step, step));
}

static void add_undo(struct ofproto *o, struct step *step)
{
	struct set_step *s = container_of(step, struct set_step, step);

	take_away(o, s->entry);
	free(s);
}

static void del_done(struct ofproto *o, struct step *step)
{
	add_undo(o, step);
}

static void del_undo(struct ofproto *o, struct step *step)
{
	struct set_step *s = container_of(step, struct set_step, step);

	(void)o;
	s->entry->leaving = false;
	step_over(s);
}

static const struct step_class members_class = {members_publish, members_over, members_over};
static const struct step_class content_class = {content_publish, members_over, members_over};
static const struct step_class add_class = {NULL, add_done, add_undo};
static const struct step_class del_class = {NULL, del_done, del_undo};

static struct set_step *step_new(const struct step_class *class, struct set_entry *e, unsigned n)
{
	struct set_step *s = mem_new(sizeof *s + n * sizeof s->member[0]);

	s->step.class = class;
	s->entry = e;
	s->n = n;
	return s;
}

static void stage(struct ofproto *o, struct set_step *s)
{
	s->entry->n_pending++;
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
	error = error ? error
		      : option_u64(&opt, "max", (struct range){1, SET_MEMBERS_MAX}, &s->max, r);
	if (!error && timeout_ns / NSEC_PER_MSEC > SET_TIMEOUT_MAX_MS)
		error = refuse(r, BAD_VALUE, "timeout", "a timeout of more than 30 days");
	s->type = (uint8_t)type;
	s->timeout_ms = timeout_ns / NSEC_PER_MSEC;
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
	       like.timeout_ms == e->set->timeout_ms;
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
	if (read_options(&like, words, r) || find_place(o, &like.id, r))
		return NULL;
	set = set_create(like.type, like.flags);
	if (!set) {
		refuse(r, SYSTEM, "", "no memory for a set");
		return NULL;
	}
	set->id = like.id;
	set->max = like.max;
	set->timeout_ms = like.timeout_ms;
	strcpy(set->name, words.word[0]);
	for (unsigned i = 0; i < words.n; i++)
		buf_printf(&text, "%s%s", i ? "\n" : "", words.word[i]);
	e = mem_new(sizeof *e);
	e->set = set;
	e->text = mem_text(buf_text(&text));
	buf_free(&text);
	return e;
}

static void put_content(struct ofproto *o, struct set_entry *e, struct set_table *t)
{
	struct set_step *s = step_new(&content_class, e, 0);

	set_remember_all(o, e, t);
	s->table = t;
	e->n_staged = set_table_n(t);
	stage(o, s);
}

static int check_octets(const struct ofproto *o, const struct set_table *more, struct refusal *r)
{
	if (all_octets(o) + (more ? set_table_octets(more) : 0) <= o->sets.octets_most)
		return 0;
	return refuse(r, LIMIT, "max", "all sets together hold %" PRIu64 " MiB at the most",
		      o->sets.octets_most >> 20);
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
	if ((content && !t) || check_octets(o, t, r)) {
		set_table_free(t);
		set_entry_free(e);
		return -EINVAL;
	}
	o->sets.entry[e->set->id % SETS_MAX] = e;
	rcu_set(o->dp.set[e->set->id % SETS_MAX], e->set); /* no rule asks it yet */
	stage(o, step_new(&add_class, e, 0));
	change_store(o, store_op_object("set", e->set->name, e->text));
	if (t)
		put_content(o, e, t);
	change_staged(o, w);
	return 0;
}

int ofproto_del_set(struct ofproto *o, const char *name, struct waiter *w, struct refusal *r)
{
	struct set_entry *e = find_or_refuse(o, name, r);
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
	stage(o, step_new(&del_class, e, 0));
	set_forget(o, e);
	change_staged(o, w);
	return 0;
}

/* ---- Members ------------------------------------------------------------------------------ */

static void sweep_whole(struct ofproto *o, struct set_entry *e)
{
	uint64_t now_ms = ofproto_now_ms(o);

	if (e->swept_ms && now_ms - e->swept_ms < SWEEP_AGAIN_MS)
		return;
	e->swept_ms = now_ms;
	set_table_sweep(e->set->table, &e->sweep_at, UINT32_MAX, now_ms);
	if (!e->n_pending)
		e->n_staged = set_table_n(e->set->table);
}

static bool is_there(const struct ofproto *o, const struct set *set, const struct set_key *key)
{
	struct set_member was;

	return set_table_get(set->table, key, &was) && was.ends_ms > ofproto_now_ms(o);
}

static int check_room(struct ofproto *o, struct set_entry *e, unsigned fresh, struct refusal *r)
{
	if (e->n_staged + fresh > e->set->max)
		sweep_whole(o, e);
	if (e->n_staged + fresh > e->set->max)
		return refuse(r, LIMIT, "member",
			      "set %s holds %" PRIu64 " members at the most, and has %" PRIu64,
			      e->set->name, e->set->max, e->n_staged);
	return check_octets(o, NULL, r);
}

static int read_members(struct ofproto *o, struct set_entry *e, struct set_step *s,
			struct words members, struct refusal *r)
{
	for (unsigned i = 0; i < members.n; i++) {
		const char *word = members.word[i];

		if (set_member_parse(e->set, word, strlen(word), ofproto_now_ms(o), &s->member[i]))
			return refuse(r, BAD_VALUE, "member",
				      "'%.60s' is no member of %s, whose type is %s%s", word,
				      e->set->name, set_type_names[e->set->type],
				      e->set->flags & SET_TIMEOUTS
					      ? " (with ,timeout=60 behind it or not)"
					      : "");
	}
	return 0;
}

static bool said_before(const struct set_step *s, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (!memcmp(&s->member[k].key, &s->member[i].key, sizeof s->member[i].key))
			return true;
	return false;
}

static int stage_members(struct ofproto *o, struct set_step *s, struct words words,
			 struct refusal *r)
{
	struct set_entry *e = s->entry;
	unsigned fresh = 0;

	if (read_members(o, e, s, words, r))
		return -EINVAL;
	for (unsigned i = 0; i < s->n && s->what == SET_LOG_PUT; i++)
		fresh += !is_there(o, e->set, &s->member[i].key) && !said_before(s, i);
	if (fresh && check_room(o, e, fresh, r))
		return -EINVAL;
	set_remember(o, e, s->what, s->n, s->member);
	e->n_staged += fresh;
	stage(o, s);
	return 0;
}

static int members(struct ofproto *o, const char *name, enum set_log what, struct words words,
		   struct refusal *r)
{
	struct set_entry *e = find_or_refuse(o, name, r);
	struct set_step *s;

	if (!e)
		return -EINVAL;
	s = step_new(&members_class, e, words.n);
	s->what = what;
	if (!stage_members(o, s, words, r))
		return 0;
	free(s);
	return -EINVAL;
}

int ofproto_set_add(struct ofproto *o, const char *name, struct words words, struct waiter *w,
		    struct refusal *r)
{
	if (members(o, name, SET_LOG_PUT, words, r))
		return -EINVAL;
	change_staged(o, w);
	return 0;
}

int ofproto_set_del(struct ofproto *o, const char *name, struct words words, struct waiter *w,
		    struct refusal *r)
{
	if (members(o, name, SET_LOG_DEL, words, r))
		return -EINVAL;
	change_staged(o, w);
	return 0;
}

int ofproto_set_load(struct ofproto *o, const char *name, const char *content, struct waiter *w,
		     struct refusal *r)
{
	struct set_entry *e = find_or_refuse(o, name, r);
	struct set_table *t;

	if (!e)
		return -EINVAL;
	t = set_content_read(e->set, content, ofproto_now_ms(o), r);
	if (!t)
		return -EINVAL;
	if (check_octets(o, t, r)) {
		set_table_free(t);
		return -EINVAL;
	}
	put_content(o, e, t);
	change_staged(o, w);
	return 0;
}

/* Whether packets may add one more: not into places that a change on its way was promised, nor
 * beyond what all sets may take (looked at once a millisecond). */
static bool may_grow(struct ofproto *o, const struct set_entry *e)
{
	uint64_t now = ofproto_now(o);

	if (!o->sets.octets_ns || now - o->sets.octets_ns >= NSEC_PER_MSEC) {
		o->sets.octets = all_octets(o);
		o->sets.octets_ns = now;
	}
	return o->sets.octets <= o->sets.octets_most &&
	       (!e->n_pending || e->n_staged < e->set->max);
}

static int feed(struct ofproto *o, struct set_entry *e, const struct set_member *m)
{
	bool fresh = !is_there(o, e->set, &m->key);
	int put = fresh && !may_grow(o, e) ? -ENOSPC : set_put(e->set, m, ofproto_now_ms(o));

	if (put >= 0)
		e->n_staged = e->n_pending ? e->n_staged + fresh : set_table_n(e->set->table);
	return put;
}

void sets_fed(struct ofproto *o, const struct event_set_add *event)
{
	struct set_entry *e = entry_by_id(o, event->set);
	int put;

	if (!e || e->leaving)
		return;
	put = feed(o, e, &event->member);
	if (put == -ENOSPC) {
		sweep_whole(o, e);
		put = feed(o, e, &event->member);
	}
	e->n_full += put < 0;
	arm(o, e);
}

/* ---- Time --------------------------------------------------------------------------------- */

uint64_t sets_deadline(const struct ofproto *o)
{
	return o->sets.sweep_ns;
}

void sets_run(struct ofproto *o)
{
	uint64_t now = ofproto_now(o), now_ms = now / NSEC_PER_MSEC;

	if (now < o->sets.sweep_ns)
		return;
	o->sets.sweep_ns = TIMER_NEVER;
	for (unsigned i = 0; i < SETS_MAX; i++) {
		struct set_entry *e = o->sets.entry[i];

		if (!e || !(e->set->flags & SET_TIMEOUTS))
			continue;
		if (set_table_sweep(e->set->table, &e->sweep_at, SWEEP_SLOTS, now_ms)) {
			set_tidy(e->set, now_ms);
			if (!e->n_pending)
				e->n_staged = set_table_n(e->set->table);
		}
		arm(o, e);
	}
}

/* ---- Seeing ------------------------------------------------------------------------------- */

static void state_of(const struct set_entry *e, struct set_state *state)
{
	const char *spec = strchr(e->text, '\n');

	*state = (struct set_state){
		.name = e->set->name,
		.spec = spec ? spec + 1 : "",
		.type = e->set->type,
		.flags = e->set->flags,
		.n = set_table_n(e->set->table),
		.max = e->set->max,
		.octets = set_table_octets(e->set->table),
		.timeout_ms = e->set->timeout_ms,
		.n_full = e->n_full,
	};
}

bool ofproto_set_state(struct ofproto *o, const char *name, struct set_state *state)
{
	struct set_entry *e = set_entry_find(o, name);

	if (e)
		state_of(e, state);
	return e;
}

static int by_name(const void *a, const void *b)
{
	const struct set_entry *const *x = a, *const *y = b;

	return strcmp((*x)->set->name, (*y)->set->name);
}

void ofproto_sets(struct ofproto *o, struct set_visit *v)
{
	struct set_entry *list[SETS_MAX];
	struct set_state state;
	unsigned n = 0;

	for (unsigned i = 0; i < SETS_MAX; i++)
		if (o->sets.entry[i] && !o->sets.entry[i]->leaving)
			list[n++] = o->sets.entry[i];
	qsort(list, n, sizeof list[0], by_name);
	for (unsigned i = 0; i < n; i++) {
		state_of(list[i], &state);
		v->set(v, &state);
	}
}

void ofproto_set_members(struct ofproto *o, const char *name, struct set_visit *v)
{
	struct set_entry *e = set_entry_find(o, name);
	uint64_t now_ms = ofproto_now_ms(o);
	struct set_cursor c = {0};
	struct set_member m;

	while (e && set_table_next(e->set->table, &c, &m))
		if (m.ends_ms > now_ms)
			v->member(v, &m);
}

int ofproto_set_test(struct ofproto *o, const char *name, const char *member, bool *in,
		     struct refusal *r)
{
	struct set_entry *e = find_or_refuse(o, name, r);
	const struct set_ask ask = {.now_ms = ofproto_now_ms(o)};
	struct set_key key;

	if (!e)
		return -EINVAL;
	if (set_key_parse(e->set->type, member, strlen(member), &key))
		return refuse(r, BAD_VALUE, "member",
			      "'%.60s' is no member of %s, whose type is %s", member, name,
			      set_type_names[e->set->type]);
	*in = is_there(o, e->set, &key) || set_table_has(e->set->table, &key, &ask);
	return 0;
}

bool ofproto_set_member(struct ofproto *o, const char *name, const char *member,
			struct set_member *m)
{
	struct set_entry *e = set_entry_find(o, name);
	struct set_key key;

	return e && !set_key_parse(e->set->type, member, strcspn(member, ","), &key) &&
	       set_table_get(e->set->table, &key, m) && m->ends_ms > ofproto_now_ms(o);
}

uint64_t ofproto_sets_lost(const struct ofproto *o)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < o->dp.n_workers; i++)
		n += counter_read(&o->dp.worker[i]->sets_lost);
	return n;
}

/* ---- Start and end ------------------------------------------------------------------------ */

void sets_init(struct ofproto *o)
{
	static const struct set_names names = {set_by_name, set_by_id, names_now_ms};

	o->sets.sweep_ns = TIMER_NEVER;
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
		arm(o, e);
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
	if (named == o) {
		named = NULL;
		set_names = NULL;
	}
}
