/* SPDX-License-Identifier: Apache-2.0 */
/* What is in sets: members that a change puts in or takes out, contents that take another's place,
 * members that packets add; and time, which ends them. */
#include "ofproto/sets.h"

#include <inttypes.h>

#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/protect.h"
#include "ofproto/state.h"

enum { SWEEP_SLOTS = 1 << 18, SWEEP_MS = 500, SWEEP_AGAIN_MS = 100 };

/* ---- Time ------------------------------------------------------------------------------------ */

void sets_arm(struct ofproto *o, const struct set_entry *e)
{
	if (e->set->flags & SET_TIMEOUTS && set_table_n(e->set->table))
		o->sets.sweep_ns = MIN(o->sets.sweep_ns, ofproto_now(o) + SWEEP_MS * NSEC_PER_MSEC);
}

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
		sets_arm(o, e);
	}
}

/* ---- Steps ----------------------------------------------------------------------------------- */

struct set_step {
	struct step step;
	struct set_entry *entry;
	struct set_table *table; /* another content; NULL: members */
	enum set_log what;
	unsigned n;
	struct set_member member[];
};

static void step_over(struct ofproto *o, struct set_step *s)
{
	struct set_entry *e = s->entry;

	if (!--e->n_pending) {
		e->n_staged = set_table_n(e->set->table);
		protect_settled(o, e);
	}
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
	o->sets.gen++;
	sets_changed(&o->dp);
	sets_arm(o, s->entry);
}

static void content_publish(struct ofproto *o, struct step *step)
{
	struct set_step *s = container_of(step, struct set_step, step);

	set_replace(s->entry->set, s->table);
	s->table = NULL;
	o->sets.gen++;
	sets_changed(&o->dp);
	sets_arm(o, s->entry);
}

static void members_over(struct ofproto *o, struct step *step)
{
	struct set_step *s = container_of(step, struct set_step, step);

	set_table_free(s->table);
	step_over(o, s);
}

static const struct step_class members_class = {members_publish, members_over, members_over};
static const struct step_class content_class = {content_publish, members_over, members_over};

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

/* ---- Room ------------------------------------------------------------------------------------ */

static uint64_t all_octets(const struct ofproto *o)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SETS_MAX; i++)
		if (o->sets.entry[i])
			n += set_table_octets(o->sets.entry[i]->set->table);
	return n;
}

int sets_check_octets(const struct ofproto *o, const struct set_table *more, struct refusal *r)
{
	if (all_octets(o) + (more ? set_table_octets(more) : 0) <= o->sets.octets_most)
		return 0;
	return refuse(r, LIMIT, "max", "all sets together hold %" PRIu64 " MiB at the most",
		      o->sets.octets_most >> 20);
}

bool set_has(const struct ofproto *o, const struct set *set, const struct set_key *key)
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
	return sets_check_octets(o, NULL, r);
}

/* ---- Changes --------------------------------------------------------------------------------- */

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

/* As a content of their own. */
static int protect_members(struct ofproto *o, struct set_step *s, struct refusal *r)
{
	const struct set *set = s->entry->set;
	struct set_table *t = set_table_create(set->type, set->flags, s->n);
	int error = t ? 0 : -ENOMEM;

	for (unsigned i = 0; i < s->n && !error; i++)
		error = set_collect(&t, &s->member[i]);
	error = error ? refuse(r, SYSTEM, "", "no memory for members of a set")
		      : protect_admits_members(o, s->entry, t, r);
	if (!error)
		protect_pending(o, s->entry, t);
	set_table_free(t);
	return error;
}

static int stage_members(struct ofproto *o, struct set_step *s, struct words words,
			 struct refusal *r)
{
	struct set_entry *e = s->entry;
	unsigned fresh = 0;

	if (read_members(o, e, s, words, r))
		return -EINVAL;
	for (unsigned i = 0; i < s->n && s->what == SET_LOG_PUT; i++)
		fresh += !set_has(o, e->set, &s->member[i].key) && !said_before(s, i);
	if (fresh && check_room(o, e, fresh, r))
		return -EINVAL;
	if (s->what == SET_LOG_PUT && protect_members(o, s, r))
		return -EINVAL;
	set_remember(o, e, s->what, s->n, s->member);
	e->n_staged += fresh;
	stage(o, s);
	return 0;
}

static int members(struct ofproto *o, const char *name, enum set_log what, struct words words,
		   struct refusal *r)
{
	struct set_entry *e = set_entry_get(o, name, r);
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

void set_stage_content(struct ofproto *o, struct set_entry *e, struct set_table *t)
{
	struct set_step *s = step_new(&content_class, e, 0);

	protect_pending(o, e, t);
	set_remember_all(o, e, t);
	s->table = t;
	e->n_staged = set_table_n(t);
	stage(o, s);
}

int ofproto_set_load(struct ofproto *o, const char *name, const char *content, struct waiter *w,
		     struct refusal *r)
{
	struct set_entry *e = set_entry_get(o, name, r);
	struct set_table *t;

	if (!e)
		return -EINVAL;
	t = set_content_read(e->set, content, ofproto_now_ms(o), r);
	if (!t)
		return -EINVAL;
	if (sets_check_octets(o, t, r) || protect_admits_members(o, e, t, r)) {
		set_table_free(t);
		return -EINVAL;
	}
	set_stage_content(o, e, t);
	change_staged(o, w);
	return 0;
}

static int check_swap(const struct set_entry *to, const struct set_entry *from, struct refusal *r)
{
	const struct set *a = to->set, *b = from->set;

	if (a == b || a->type != b->type || a->flags != b->flags || a->protects != b->protects)
		return refuse(r, BAD_VALUE, "other",
			      "sets %s and %s cannot be swapped: two of one type and with the same "
			      "options can",
			      a->name, b->name);
	if (to->n_pending)
		return refuse(
			r, IN_USE, "name",
			"a change of set %s is on its way; behind a barrier it can be swapped",
			a->name);
	if (set_table_n(b->table) > a->max)
		return refuse(r, LIMIT, "other",
			      "set %s holds %" PRIu64 " members at the most, and %s has %" PRIu64,
			      a->name, a->max, b->name, set_table_n(b->table));
	return 0;
}

int ofproto_set_swap(struct ofproto *o, const char *name, const char *other, struct waiter *w,
		     struct refusal *r)
{
	struct set_entry *e[2] = {set_entry_get(o, name, r), NULL};
	struct set_table *t[2] = {NULL, NULL};
	int error = 0;

	e[1] = e[0] ? set_entry_get(o, other, r) : NULL;
	if (!e[0] || !e[1] || check_swap(e[0], e[1], r) || check_swap(e[1], e[0], r))
		return -EINVAL;
	for (unsigned i = 0; i < 2 && !error; i++) {
		t[i] = set_table_copy(e[!i]->set->table, false, ofproto_now_ms(o));
		if (!t[i])
			error = refuse(r, SYSTEM, "", "no memory for a set of this size");
		else if (sets_check_octets(o, t[i], r) || protect_admits_members(o, e[i], t[i], r))
			error = -EINVAL;
	}
	for (unsigned i = 0; i < 2; i++)
		if (error)
			set_table_free(t[i]);
		else
			set_stage_content(o, e[i], t[i]);
	if (!error)
		change_staged(o, w);
	return error;
}

/* ---- Packets --------------------------------------------------------------------------------- */

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
	bool fresh = !set_has(o, e->set, &m->key);
	int put = fresh && !may_grow(o, e) ? -ENOSPC : set_put(e->set, m, ofproto_now_ms(o));

	if (put >= 0)
		e->n_staged = e->n_pending ? e->n_staged + fresh : set_table_n(e->set->table);
	return put;
}

void sets_fed(struct ofproto *o, const struct event_set_add *event)
{
	struct set_entry *e = set_entry_by_id(o, event->set);
	int put;

	if (!e || e->leaving)
		return;
	if (protect_keeps_out(o, e->set, &event->member.key)) {
		e->n_kept_out++;
		return;
	}
	put = feed(o, e, &event->member);
	if (put == -ENOSPC) {
		sweep_whole(o, e);
		put = feed(o, e, &event->member);
	}
	e->n_full += put < 0;
	sets_arm(o, e);
}
