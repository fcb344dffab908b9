/* SPDX-License-Identifier: Apache-2.0 */
/* The five commands of a flow-mod (TS-023, 6.4 and 7.3.4.2), on the stage. */
#include "ofproto/admit.h"
#include "ofproto/forged.h"
#include "ofproto/guard.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

enum {
	FLAGS_KNOWN = OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP | OFPFF_RESET_COUNTS |
		      OFPFF_NO_PKT_COUNTS | OFPFF_NO_BYT_COUNTS,
	REASON_NONE = 0xff, /* replaced or modified: no flow-removed */
};

/* ---- Steps ------------------------------------------------------------------------------- */

struct flow_step {
	struct step step;
	struct entry *entry;
	uint8_t reason; /* of a removal */
};

static bool has_early(const struct ofproto *o, const struct entry *e)
{
	return o->dp.early && (!e->flow.table || e->flow.table == TABLE_GUARD);
}

static void add_publish(struct ofproto *o, struct step *s)
{
	struct entry *e = container_of(s, struct flow_step, step)->entry;

	if (has_early(o, e) && !e->ended)
		early_insert(o->dp.early, &e->flow.match, e->flow.rule, e->flow.rule->early);
}

static void add_done(struct ofproto *o, struct step *s)
{
	struct flow_step *fs = container_of(s, struct flow_step, step);

	o->flows.slot[fs->entry->flow.rule_id].entry = fs->entry;
	free(fs);
}

static void add_undo(struct ofproto *o, struct step *s)
{
	struct flow_step *fs = container_of(s, struct flow_step, step);

	entry_unstage(o, fs->entry);
	free(fs);
}

static void remove_publish(struct ofproto *o, struct step *s)
{
	struct entry *e = container_of(s, struct flow_step, step)->entry;

	if (has_early(o, e))
		early_remove(o->dp.early, &e->flow.match, e->flow.rule, o->dp.version + 1);
}

static void remove_done(struct ofproto *o, struct step *s)
{
	struct flow_step *fs = container_of(s, struct flow_step, step);

	if (fs->reason != REASON_NONE && fs->entry->flow.flags & OFPFF_SEND_FLOW_REM)
		tell_flow_removed(o, &fs->entry->flow, fs->reason);
	entry_bury(o, fs->entry);
	free(fs);
}

static void remove_undo(struct ofproto *o, struct step *s)
{
	struct flow_step *fs = container_of(s, struct flow_step, step);

	entry_stay(o, fs->entry);
	free(fs);
}

static const struct step_class add_class = {add_publish, add_done, add_undo};
static const struct step_class remove_class = {remove_publish, remove_done, remove_undo};

static void step_new(struct ofproto *o, const struct step_class *class, struct entry *e,
		     uint8_t reason)
{
	struct flow_step *fs = mem_new(sizeof *fs);

	fs->step.class = class;
	fs->entry = e;
	fs->reason = reason;
	change_step(o, &fs->step);
}

/* ---- The store --------------------------------------------------------------------------- */

static struct store_op *remember(struct ofproto *o, const struct entry *e)
{
	const struct port_names *names = port_names;
	const struct flow *f = &e->flow;
	uint64_t now = ofproto_now(o);
	int64_t wall = wall_now(o);
	struct flow_stats stats;
	struct buf text = {0};
	struct store_op *op;

	entry_stats(o, e, &stats);
	port_names = NULL; /* numbers last, names need not */
	flow_format(f, &text);
	port_names = names;
	op = store_op_flow(&(struct store_flow){
		.id = e->key,
		.origin = origin_names[f->origin],
		.text = buf_text(&text),
		.reason = f->reason,
		.created_ns = wall - (int64_t)entry_age(o, e),
		.expires_ns =
			f->expires_ns == TIMER_NEVER ? 0 : wall + (int64_t)(f->expires_ns - now),
		.packets = stats.packets,
		.bytes = stats.bytes,
		.used_ns = wall - (int64_t)stats.idle_ns,
	});
	buf_free(&text);
	return op;
}

static void stage_in(struct ofproto *o, struct entry *e)
{
	entry_stage(o, e);
	step_new(o, &add_class, e, REASON_NONE);
	journal_flow(o, '+', e);
	if (o->store && !o->restoring)
		change_store(o, remember(o, e));
}

void flow_stage_out(struct ofproto *o, struct entry *e, uint8_t reason)
{
	entry_leave(o, e);
	step_new(o, &remove_class, e, reason);
	journal_flow(o, '-', e);
	change_store(o, store_op_flow_del(e->key));
}

void flow_end(struct ofproto *o, struct entry *e)
{
	if (has_early(o, e))
		early_remove(o->dp.early, &e->flow.match, e->flow.rule, o->dp.version);
	entry_over(o, e);
}

void flow_remove(struct ofproto *o, struct entry *e, uint8_t reason)
{
	const struct actor expiry = {
		.origin = e->flow.origin, .gathers = true, .who = "expiry", .what = "expired"};

	/* The end of what somebody put in for a while is news; controllers hear of theirs. */
	if (e->flow.expires_ns != TIMER_NEVER && !o->changes.unwritten)
		ofproto_actor(o, &expiry);
	flow_end(o, e);
	flow_stage_out(o, e, reason);
	change_staged(o, NULL);
	ofproto_actor(o, NULL);
}

void flows_leave_group(struct ofproto *o, uint32_t group)
{
	for (unsigned t = 0; t < N_TABLES; t++)
		for (struct entry *e = o->flows.table[t]; e; e = e->next)
			if (!e->leaving && instructions_group_to(&e->flow.instructions, group))
				flow_stage_out(o, e, OFPRR_GROUP_DELETE);
}

/* ---- Checks ------------------------------------------------------------------------------ */

static bool is_delete(const struct flow_mod *fm)
{
	return fm->command == OFPFC_DELETE || fm->command == OFPFC_DELETE_STRICT;
}

static bool port_may_exist(uint32_t ofport)
{
	return ofport > 0 && ofport < PORT_MAX;
}

/* meters_admit() knows. */
static bool may_exist(uint32_t id)
{
	(void)id;
	return true;
}

static int check_instructions(const struct flow_mod *fm, struct refusal *r)
{
	const struct switch_limits limits = {
		.table = fm->table,
		.n_tables = TABLE_MAX,
		.port_exists = port_may_exist,
		.group_exists = group_exists,
		.meter_exists = may_exist,
	};

	return instructions_validate(&fm->instructions, &fm->match, &limits, r);
}

static int check_guard(struct ofproto *o, const struct flow_mod *fm, struct refusal *r)
{
	if (fm->origin >= ORIGIN_CONTROLLER)
		return refuse(r, BAD_TABLE, "table",
			      "table %u is not OpenFlow's: tables are 0 to %u", fm->table,
			      TABLE_MAX - 1);
	if (fm->command != OFPFC_ADD)
		return 0;
	if (!fm->reason)
		return refuse(r, BAD_VALUE, "reason",
			      "a guard rule without a reason; say why it is there");
	if (!fm->expire_ns && fm->origin != ORIGIN_CLI)
		return refuse(r, BAD_VALUE, "expire",
			      "a guard rule of %s without an end; say when it expires",
			      origin_names[fm->origin]);
	if (fm->expire_ns > GUARD_EXPIRE_MAX_NS)
		return refuse(r, LIMIT, "expire",
			      "a guard rule lasts at most 7 days; then renew it");
	if (o->flows.n_guard[fm->origin] >= o->settings.guard_max &&
	    !entry_find(o, TABLE_GUARD, fm->origin, fm->priority, &fm->match))
		return refuse(r, LIMIT, "origin",
			      "%s has %u rules in the guard, and may have %u; set-switch "
			      "guard-max=N says how many, %d at the most",
			      origin_names[fm->origin], o->flows.n_guard[fm->origin],
			      o->settings.guard_max, GUARD_RULES_MAX);
	return 0;
}

static int check(struct ofproto *o, const struct flow_mod *fm, struct refusal *r)
{
	if (fm->command > OFPFC_DELETE_STRICT)
		return refuse(r, BAD_COMMAND, "command",
			      "command %u; add, modify, modify strict, delete and delete strict "
			      "are 0 to 4",
			      fm->command);
	if (fm->flags & ~FLAGS_KNOWN)
		return refuse(r, BAD_FLAGS, "flags", "flags 0x%x; 0x%x are known", fm->flags,
			      FLAGS_KNOWN);
	if (fm->origin >= N_ORIGINS)
		return refuse(r, BAD_VALUE, "origin", "no such origin: %u", fm->origin);
	if (fm->table == OFPTT_ALL && !is_delete(fm))
		return refuse(r, BAD_TABLE, "table", "all tables at once are for deleting only");
	if (fm->table == TABLE_GUARD && check_guard(o, fm, r))
		return -EINVAL;
	if (is_delete(fm))
		return 0;
	if (sets_check(o, &fm->match, &fm->instructions, r) ||
	    limiters_check(o, &fm->instructions, r))
		return -EINVAL;
	return check_instructions(fm, r);
}

/* ---- Commands ---------------------------------------------------------------------------- */

static struct flow flow_from(const struct ofproto *o, const struct flow_mod *fm)
{
	uint64_t now = ofproto_now(o);

	return (struct flow){
		.match = fm->match,
		.instructions = fm->instructions,
		.table = fm->table,
		.origin = fm->origin,
		.priority = fm->priority,
		.cookie = fm->cookie,
		.idle_timeout = fm->idle_timeout,
		.hard_timeout = fm->hard_timeout,
		.flags = fm->flags,
		.unverified = fm->unverified,
		.wide = fm->wide,
		.created_ns = now,
		.expires_ns = fm->expire_ns ? now + fm->expire_ns : TIMER_NEVER,
		.reason = fm->reason,
		.rule_id = RULE_NONE,
	};
}

/* Whether it may come; `old` has its place, NULL: nobody. */
static int admit_new(struct ofproto *o, const struct flow_mod *fm, const struct entry *old,
		     struct refusal *r)
{
	struct flow flow = flow_from(o, fm);

	if (match_exists(&fm->match, r))
		return -EINVAL;
	if (fm->flags & OFPFF_CHECK_OVERLAP && !fm->again)
		for (struct entry *e = o->flows.table[fm->table]; e; e = e->next)
			if (!e->leaving && e->flow.priority == fm->priority &&
			    match_overlaps(&e->flow.match, &fm->match))
				return refuse(r, OVERLAP, "match",
					      "it overlaps a rule of the same priority %u, and "
					      "check_overlap forbids that",
					      fm->priority);
	if (meters_admit(o, &flow, r) || admit(o, &flow, r))
		return -EINVAL;
	if (flows_full(o, !old && fm->table != TABLE_GUARD))
		return refuse(r, TABLE_FULL, "table",
			      "there are %u rules, as many as the switch holds", o->flows.n_staged);
	return old ? 0 : table_admits(o->dp.table[fm->table], &fm->match, r);
}

static int add(struct ofproto *o, const struct flow_mod *fm, struct refusal *r)
{
	struct entry *old = entry_find(o, fm->table, fm->origin, fm->priority, &fm->match), *fresh;
	struct flow flow = flow_from(o, fm);
	bool renewed = old && (fm->again || fm->table == TABLE_GUARD);
	bool counts_on = old && (fm->again || !(fm->flags & OFPFF_RESET_COUNTS));
	struct refusal why = {0};

	if (admit_new(o, fm, old, &why)) {
		if (why.code == REFUSED_TOO_MANY_MASKS || why.code == REFUSED_COMPILE_BUDGET)
			o->flows.n_refused[fm->table]++;
		if (r)
			*r = why;
		return -EINVAL;
	}
	/* What takes a rule's place goes on from its counters (TS-023, 6.4), but not from its age.
	 * The same rule, renewed, as in the guard, keeps its age and its place among equals, too.
	 */
	if (counts_on)
		flow.rule_id = old->flow.rule_id;
	if (renewed)
		flow.created_ns = old->flow.created_ns;
	fresh = entry_new(o, &flow);
	if (counts_on)
		fresh->base = old->base;
	if (renewed) {
		fresh->order = old->order;
		fresh->older_ns = old->older_ns;
		fresh->quiet_ns = old->quiet_ns;
		fresh->restored = old->restored;
	}
	if (old)
		flow_stage_out(o, old, REASON_NONE);
	stage_in(o, fresh);
	return 0;
}

/* Modified, a rule keeps its word as long as it has an aggregate meter, or adds to sets. */
static bool unverified_after(const struct ofproto *o, const struct flow_mod *fm,
			     const struct entry *old)
{
	return fm->unverified ||
	       (old->flow.unverified &&
		(meter_is_aggregate(o, fm->instructions.meter) || forged_feeds(&fm->instructions)));
}

static void modify_one(struct ofproto *o, const struct flow_mod *fm, struct entry *old)
{
	struct flow flow = old->flow;
	struct entry *e;

	flow.instructions = fm->instructions;
	flow.unverified = unverified_after(o, fm, old);
	flow.wide |= fm->wide;
	e = entry_new(o, &flow);
	e->base = old->base;
	e->order = old->order;
	e->older_ns = old->older_ns;
	e->quiet_ns = old->quiet_ns;
	e->restored = old->restored;
	if (fm->flags & OFPFF_RESET_COUNTS) {
		struct flow_stats stats;

		entry_stats(o, old, &stats);
		e->base.packets += stats.packets;
		e->base.bytes += stats.bytes;
	}
	flow_stage_out(o, old, REASON_NONE);
	stage_in(o, e);
}

/* What costs least is asked first: a command may walk a large table for one rule. */
static bool selected(const struct flow_mod *fm, const struct entry *e)
{
	const struct flow *f = &e->flow;

	if (e->leaving || (f->cookie & fm->cookie_mask) != (fm->cookie & fm->cookie_mask))
		return false;
	if (is_delete(fm) &&
	    ((fm->out_group != OFPG_ANY &&
	      !instructions_group_to(&f->instructions, fm->out_group)) ||
	     (fm->out_port != OFPP_ANY && !instructions_output_to(&f->instructions, fm->out_port))))
		return false;
	return fm->table != TABLE_GUARD || f->origin == fm->origin;
}

/* Whether a rule that is to be modified may have the new instructions. */
static int admit_one(struct ofproto *o, const struct flow_mod *fm, const struct entry *e,
		     struct refusal *r)
{
	struct flow flow;

	if (!selected(fm, e))
		return 0;
	flow = e->flow;
	flow.instructions = fm->instructions;
	flow.unverified = unverified_after(o, fm, e);
	flow.wide = fm->wide || (flow.wide && fm->origin == ORIGIN_CLI);
	flow.origin = fm->origin;
	return meters_admit(o, &flow, r) ? -EINVAL : admit(o, &flow, r);
}

/* The same for all that a command selects: before the first one is changed. */
static int admit_all(struct ofproto *o, const struct flow_mod *fm, struct refusal *r)
{
	struct entry *e, **hit;
	int error = 0;
	size_t n;

	if (is_delete(fm))
		return 0;
	if (fm->instructions.meter && !ofproto_meter(o, fm->instructions.meter))
		return meters_admit(o, &(struct flow){.instructions = fm->instructions}, r);
	if (fm->command == OFPFC_MODIFY_STRICT) {
		e = entry_find(o, fm->table, fm->origin, fm->priority, &fm->match);
		return e ? admit_one(o, fm, e, r) : 0;
	}
	if (admit_covered(o, fm, r))
		return -EINVAL;
	hit = flow_kinds_covered(o, fm->table, &fm->match, &n);
	for (size_t i = 0; i < n && !error; i++)
		error = admit_one(o, fm, hit[i], r);
	return error;
}

static void apply_to(struct ofproto *o, const struct flow_mod *fm, struct entry *e)
{
	if (is_delete(fm))
		flow_stage_out(o, e, OFPRR_DELETE);
	else
		modify_one(o, fm, e);
}

/* Modify and delete of one table; new entries come to the front of the list, behind us. */
static void change_table(struct ofproto *o, const struct flow_mod *fm, uint8_t table)
{
	struct entry **hit;
	size_t n;

	if (fm->command == OFPFC_MODIFY_STRICT || fm->command == OFPFC_DELETE_STRICT) {
		struct entry *e = entry_find(o, table, fm->origin, fm->priority, &fm->match);

		if (e && selected(fm, e))
			apply_to(o, fm, e);
		return;
	}
	hit = flow_kinds_covered(o, table, &fm->match, &n);
	for (size_t i = 0; i < n; i++)
		if (selected(fm, hit[i]))
			apply_to(o, fm, hit[i]);
}

/* Twice what may be on its way before, and all rules twice out and in: more is one rule changed
 * again and again.  The guard's are few, and come through. */
static int check_staged(const struct ofproto *o, const struct flow_mod *fm, struct refusal *r)
{
	size_t most = 8 * CHANGES_BEHIND + 4 * (size_t)o->flows.n_staged;

	if (changes_staged(o) < most || fm->table == TABLE_GUARD)
		return 0;
	return refuse(
		r, LIMIT, "",
		"%zu changes of rules are on their way already; when those are written it would "
		"be accepted",
		changes_staged(o));
}

static int flow_mod(struct ofproto *o, const struct flow_mod *fm, struct waiter *w,
		    struct refusal *r)
{
	int error = check(o, fm, r);

	if (!error)
		error = check_staged(o, fm, r);
	if (error)
		return error;
	if (fm->command != OFPFC_ADD)
		error = admit_all(o, fm, r);
	if (error)
		return error;
	if (fm->command == OFPFC_ADD)
		error = add(o, fm, r);
	else if (fm->table == OFPTT_ALL)
		for (unsigned t = 0; t < TABLE_MAX; t++)
			change_table(o, fm, t);
	else
		change_table(o, fm, fm->table);
	if (!error)
		change_staged(o, w);
	return error;
}

/* A guard rule as it would be put there; what is the caller's stays so: nothing of it is freed. */
static int completed(const struct flow_mod *fm, struct flow_mod *out, struct refusal *r)
{
	*out = *fm;
	return fm->table != TABLE_GUARD || is_delete(fm) ? 0
							 : guard_complete(&out->instructions, r);
}

int ofproto_flow_mod(struct ofproto *o, const struct flow_mod *fm, struct waiter *w,
		     struct refusal *r)
{
	struct flow_mod whole;

	return completed(fm, &whole, r) ? -EINVAL : flow_mod(o, &whole, w, r);
}

int ofproto_flow_try(struct ofproto *o, const struct flow_mod *fm, struct refusal *r)
{
	struct flow_mod whole;

	if (completed(fm, &whole, r) || check(o, &whole, r))
		return -EINVAL;
	if (fm->command != OFPFC_ADD)
		return admit_all(o, &whole, r);
	return admit_new(o, &whole, entry_find(o, fm->table, fm->origin, fm->priority, &fm->match),
			 r);
}

/* ---- Restart ----------------------------------------------------------------------------- */

uint8_t origin_by_name(const char *name)
{
	for (unsigned i = 0; i < N_ORIGINS; i++)
		if (!strcmp(name, origin_names[i]))
			return i;
	return ORIGIN_CLI;
}

/* What is left of a stored rule's time.  The wall's clock may have been set back, or not yet be
 * set: never more than the whole, nor than a guard rule may have. */
static uint64_t time_left(const struct store_flow *f, const struct flow *flow, int64_t wall)
{
	int64_t left = MAX(0, f->expires_ns - MAX(wall, f->created_ns));

	return flow->table == TABLE_GUARD ? MIN((uint64_t)left, GUARD_EXPIRE_MAX_NS)
					  : (uint64_t)left;
}

/* How long no packet had met it.  Those of the last flush interval are not in the store: a rule
 * that was in use never ends early for that. */
static uint64_t quiet(const struct store_flow *f, int64_t wall)
{
	int64_t used = MAX(f->used_ns, f->created_ns) + COUNTS_S * (int64_t)NSEC_PER_SEC;

	return (uint64_t)MAX(0, wall - used);
}

int flow_restore(struct ofproto *o, const struct store_flow *f, struct refusal *r)
{
	uint64_t now = ofproto_now(o), age;
	int64_t wall = wall_now(o);
	struct flow_mod fm;
	struct flow flow;
	struct entry *e;
	int error = flow_parse(f->text, OFPFC_ADD, &fm, r);

	o->flows.next_key = MAX(o->flows.next_key, f->id + 1);
	if (!error && fm.table == TABLE_GUARD) {
		error = guard_complete(&fm.instructions, r);
		if (error)
			flow_mod_free(&fm);
	}
	if (error)
		return error;
	flow = flow_from(o, &fm);
	flow.origin = origin_by_name(f->origin);
	flow.reason = f->reason;
	age = (uint64_t)MAX(0, wall - f->created_ns);
	flow.created_ns = now - MIN(age, now);
	if (f->expires_ns)
		flow.expires_ns = now + time_left(f, &flow, wall);
	e = entry_new(o, &flow);
	e->key = e->order = f->id;
	e->older_ns = age - MIN(age, now);
	e->restored = true;
	e->quiet_ns = quiet(f, wall);
	e->kept_packets = f->packets;
	e->base.packets -= f->packets;
	e->base.bytes -= f->bytes;
	stage_in(o, e);
	flow_mod_free(&fm);
	return 0;
}
