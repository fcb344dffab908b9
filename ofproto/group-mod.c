/* SPDX-License-Identifier: Apache-2.0 */
/* The three commands of a group-mod (TS-023, 6.7 and 7.3.4.3), on the stage; and groups out of the
 * store. */
#include <inttypes.h>

#include "lib/log.h"
#include "ofproto/admit.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

/* ---- Steps ----------------------------------------------------------------------------- */

/* One version after the other: `was` NULL, a new group; `comes` NULL, one that goes. */
struct group_step {
	struct step step;
	struct group_entry *was, *comes;
};

static void step_publish(struct ofproto *o, struct step *s)
{
	struct group_step *gs = container_of(s, struct group_step, step);

	if (gs->comes)
		group_publish(&o->dp, gs->comes->group, o->dp.version + 1);
}

static void step_done(struct ofproto *o, struct step *s)
{
	struct group_step *gs = container_of(s, struct group_step, step);

	if (gs->comes)
		group_settle(gs->comes->group);
	if (gs->was) {
		group_withdraw(&o->dp, gs->was->group);
		group_defer(gs->was->group);
		group_entry_free(o, gs->was);
	}
	if (gs->comes)
		gs->comes->in_force = true;
	o->groups.linked = false;
	o->groups.stale = true;
	free(gs);
}

static void step_undo(struct ofproto *o, struct step *s)
{
	struct group_step *gs = container_of(s, struct group_step, step);

	if (gs->comes) {
		group_entry_unstage(o, gs->comes);
		group_free(gs->comes->group);
	}
	if (gs->was)
		group_entry_stage(o, gs->was);
	if (gs->comes)
		group_entry_free(o, gs->comes);
	free(gs);
}

static const struct step_class group_class = {step_publish, step_done, step_undo};

static void remember(struct ofproto *o, uint32_t id, const struct group_entry *e)
{
	struct buf text = {0};
	char name[16];

	snprintf(name, sizeof name, "%" PRIu32, id);
	if (e) {
		const struct port_names *names = port_names;

		port_names = NULL; /* numbers last, names need not */
		buf_printf(&text, "slots=%" PRIu32 ",", e->spec.slots);
		group_format(&e->spec, &text);
		port_names = names;
	}
	change_store(o, store_op_object("group", name, e ? buf_text(&text) : NULL));
	buf_free(&text);
}

static void stage(struct ofproto *o, struct group_entry *was, struct group_entry *comes)
{
	struct group_step *gs = mem_new(sizeof *gs);

	*gs = (struct group_step){{.class = &group_class}, was, comes};
	if (was)
		group_entry_unstage(o, was);
	if (comes)
		group_entry_stage(o, comes);
	change_step(o, &gs->step);
	remember(o, was ? was->spec.id : comes->spec.id, comes);
}

/* ---- Checks: buckets ------------------------------------------------------------------- */

static bool is_port(uint32_t ofport)
{
	return (ofport > 0 && ofport < PORT_MAX) || ofport == OFPP_LOCAL;
}

static bool port_may_exist(uint32_t ofport)
{
	return ofport > 0 && ofport < PORT_MAX;
}

static int check_watch(struct ofproto *o, const struct group_spec *spec,
		       const struct bucket_spec *b, struct refusal *r)
{
	bool watches = b->watch_port != OFPP_ANY || b->watch_group != OFPG_ANY;

	if (watches && (spec->type == OFPGT_ALL || spec->type == OFPGT_INDIRECT))
		return refuse(r, WATCH_UNSUPPORTED, "watch_port",
			      "group %u: a bucket of type %s watches something; select and ff do",
			      spec->id, group_types[spec->type]);
	if (!watches && spec->type == OFPGT_FF)
		return refuse(r, BAD_WATCH, "watch_port",
			      "group %u: a bucket of type ff without watch_port or watch_group is "
			      "never chosen",
			      spec->id);
	if (b->watch_port != OFPP_ANY && !is_port(b->watch_port))
		return refuse(r, BAD_WATCH, "watch_port",
			      "group %u: watch_port:0x%x is no port; its number or name, or LOCAL",
			      spec->id, b->watch_port);
	if (b->watch_group != OFPG_ANY && b->watch_group != spec->id && !o->restoring &&
	    !group_entry_find(o, b->watch_group))
		return refuse(r, BAD_WATCH, "watch_group",
			      "group %u: there is no group %u to watch", spec->id, b->watch_group);
	return 0;
}

static bool any_exists(uint32_t id)
{
	(void)id;
	return true;
}

static struct ofproto *asked; /* for may_link(), while it is asked */
static uint32_t asked_id;

/* A link to itself is a loop, found as such. */
static bool may_link(uint32_t id)
{
	return id == asked_id || group_entry_find(asked, id);
}

static int check_bucket(struct ofproto *o, const struct group_spec *spec, unsigned i,
			struct refusal *r)
{
	const struct bucket_spec *b = &spec->bucket[i];
	const struct switch_limits limits = {
		.port_exists = port_may_exist,
		.group_exists = o->restoring ? any_exists : may_link,
	};

	if (b->weight && spec->type != OFPGT_SELECT)
		return refuse(r, INVALID_GROUP, "weight",
			      "group %u: bucket %u has a weight; those of type select have one",
			      spec->id, i);
	if (check_watch(o, spec, b, r))
		return -EINVAL;
	OP_FOR_EACH(op, b->actions.data, b->actions.size)
	if (action_class(op->kind)->order == SET_NEVER)
		return refuse(r, BAD_ACTION, action_class(op->kind)->name,
			      "group %u: %s cannot be in a bucket, which is an action set; in the "
			      "apply list of a rule it would be accepted",
			      spec->id, action_class(op->kind)->name);
	asked = o;
	asked_id = spec->id;
	return actions_check_targets(b->actions.data, b->actions.size, &limits, r);
}

/* ---- Checks: chains -------------------------------------------------------------------- */

/* Where groups lead: from each to those that its buckets forward to or watch. */
struct chain {
	struct ofproto *o;
	const struct group_spec *spec; /* in the place of the staged one with its id */
	uint32_t height;               /* of that; 0: it is what we look for */
	uint32_t depth;
	bool loop, deep;
};

static uint32_t height_below(struct chain *c, const struct group_spec *spec);

static uint32_t follow(struct chain *c, uint32_t id)
{
	struct group_entry *e;

	if (id == c->spec->id) {
		c->loop |= !c->height;
		return c->height;
	}
	e = group_entry_find(c->o, id);
	if (e && !e->height)
		e->height = height_below(c, &e->spec);
	return e ? e->height : 0;
}

/* How many groups a packet may run through one in the other, from this one on. */
static uint32_t height_below(struct chain *c, const struct group_spec *spec)
{
	uint32_t height = 0;

	if (c->depth == GROUP_DEPTH || c->loop) {
		c->deep = true;
		return 1;
	}
	c->depth++;
	for (unsigned i = 0; i < spec->n_buckets; i++) {
		const struct bucket_spec *b = &spec->bucket[i];

		if (b->watch_group != OFPG_ANY)
			height = MAX(height, follow(c, b->watch_group));
		OP_FOR_EACH(op, b->actions.data, b->actions.size)
		if (op->kind == ACTION_GROUP)
			height = MAX(height, follow(c, op->arg));
	}
	c->depth--;
	return height + 1;
}

static void forget_heights(struct ofproto *o)
{
	for (struct group_entry *e = o->groups.first; e; e = e->next)
		e->height = 0;
}

/* With what the group becomes, chains of others through it are not too long, either. */
static bool others_too_deep(struct chain *c)
{
	forget_heights(c->o);
	for (struct group_entry *e = c->o->groups.first; e && !c->deep; e = e->next)
		if (e->staged && e->n_links && e->spec.id != c->spec->id)
			c->deep |= height_below(c, &e->spec) > GROUP_DEPTH;
	return c->deep;
}

static uint32_t count_links(const struct group_spec *spec)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < spec->n_buckets; i++)
		n += (spec->bucket[i].watch_group != OFPG_ANY) +
		     actions_group_to(spec->bucket[i].actions.data, spec->bucket[i].actions.size,
				      OFPG_ANY);
	return n;
}

static int check_chains(struct ofproto *o, const struct group_spec *spec, struct refusal *r)
{
	struct chain c = {.o = o, .spec = spec};

	if (!count_links(spec) || o->restoring)
		return 0;
	forget_heights(o);
	c.height = height_below(&c, spec);
	if (c.loop)
		return refuse(r, GROUP_LOOP, "group",
			      "group %u: its buckets lead back to it, at once or by other groups",
			      spec->id);
	if (c.deep || others_too_deep(&c))
		return refuse(r, CHAINING, "group",
			      "group %u: with it groups would be chained more than %u deep",
			      spec->id, GROUP_DEPTH);
	return 0;
}

/* ---- Checks: groups -------------------------------------------------------------------- */

static int check_type(const struct group_spec *spec, struct refusal *r)
{
	unsigned most = spec->type == OFPGT_SELECT ? GROUP_SELECT_BUCKETS : GROUP_ALL_BUCKETS;

	if (spec->type > OFPGT_FF)
		return refuse(r, GROUP_TYPE, "type", "group type %u; there are 0 to %u", spec->type,
			      OFPGT_FF);
	if (spec->id > OFPG_MAX)
		return refuse(r, INVALID_GROUP, "group_id",
			      "0x%x is no group's number; 0 to 0x%x are", spec->id, OFPG_MAX);
	if (spec->type == OFPGT_INDIRECT && spec->n_buckets != 1)
		return refuse(r, INVALID_GROUP, "bucket",
			      "group %u: %u buckets; a group of type indirect has one", spec->id,
			      spec->n_buckets);
	if (spec->n_buckets > most)
		return refuse(r, OUT_OF_BUCKETS, "bucket",
			      "group %u: %u buckets; up to %u are accepted of type %s", spec->id,
			      spec->n_buckets, most, group_types[spec->type]);
	return 0;
}

static int check_room(struct ofproto *o, const struct group_spec *spec,
		      const struct group_entry *was, struct refusal *r)
{
	const struct groups *g = &o->groups;
	uint64_t slots = g->n_slots + spec->slots - (was ? was->spec.slots : 0);

	if (!was && g->n_staged >= GROUPS_MAX)
		return refuse(r, OUT_OF_GROUPS, "group_id",
			      "group %u: there are %u groups, as many as the switch holds",
			      spec->id, g->n_staged);
	if (g->n_buckets + spec->n_buckets - (was ? was->spec.n_buckets : 0) > GROUP_BUCKETS_TOTAL)
		return refuse(r, OUT_OF_BUCKETS, "bucket",
			      "group %u: all groups together hold %u buckets; %u there are already",
			      spec->id, GROUP_BUCKETS_TOTAL, g->n_buckets);
	if (slots > GROUP_SLOTS_TOTAL)
		return refuse(r, OUT_OF_BUCKETS, "bucket",
			      "group %u: the tables of select groups would have %" PRIu64
			      " slots; up to %u are held",
			      spec->id, slots, GROUP_SLOTS_TOTAL);
	return 0;
}

/* Also settles the size of select's table. */
static int check(struct ofproto *o, struct group_spec *spec, const struct group_entry *was,
		 struct refusal *r)
{
	if (check_type(spec, r))
		return -EINVAL;
	for (unsigned i = 0; i < spec->n_buckets; i++)
		if (check_bucket(o, spec, i, r))
			return -EINVAL;
	if (check_chains(o, spec, r))
		return -EINVAL;
	if (spec->type == OFPGT_SELECT) {
		spec->slots =
			group_slots(spec, was && was->spec.slots ? was->spec.slots : spec->slots);
		if (!spec->slots)
			return refuse(r, WEIGHT_UNSUPPORTED, "weight",
				      "group %u: a bucket's weight is less than one part in %u of "
				      "all weights",
				      spec->id, GROUP_SLOTS_MOST);
	} else {
		spec->slots = 0;
	}
	return check_room(o, spec, was, r);
}

/* ---- Commands -------------------------------------------------------------------------- */

/* ADD and MODIFY. */
static int put(struct ofproto *o, const struct group_mod *gm, struct refusal *r)
{
	struct group_entry *was = group_entry_find(o, gm->spec.id), *comes;
	struct group_spec spec = gm->spec;

	if (was && gm->command == OFPGC_ADD)
		return refuse(r, GROUP_EXISTS, "group_id", "there is a group %u already", spec.id);
	if (!was && gm->command == OFPGC_MODIFY)
		return refuse(r, UNKNOWN_GROUP, "group_id", "there is no group %u", spec.id);
	if (check(o, &spec, was, r) || (was && admit_group(o, &spec, r)))
		return -EINVAL;
	comes = group_entry_new(o, &spec, was);
	if (!comes)
		return refuse(r, OUT_OF_BUCKETS, "bucket",
			      "group %u: too many buckets are on their way out; ask again later",
			      spec.id);
	stage(o, was, comes);
	return 0;
}

static bool links_to(const struct group_spec *spec, uint32_t id)
{
	for (unsigned i = 0; i < spec->n_buckets; i++)
		if (spec->bucket[i].watch_group == id ||
		    actions_group_to(spec->bucket[i].actions.data, spec->bucket[i].actions.size,
				     id))
			return true;
	return false;
}

static int check_unlinked(struct ofproto *o, uint32_t id, struct refusal *r)
{
	if (!o->groups.n_links)
		return 0;
	for (const struct group_entry *e = o->groups.first; e; e = e->next)
		if (e->staged && e->n_links && links_to(&e->spec, id))
			return refuse(r, CHAINED_GROUP, "group_id",
				      "group %u: group %u forwards to it or watches it; delete or "
				      "modify that one first",
				      id, e->spec.id);
	return 0;
}

static int delete_all(struct ofproto *o)
{
	struct group_entry *next;

	flows_leave_group(o, OFPG_ANY);
	for (struct group_entry *e = o->groups.first; e; e = next) {
		next = e->next;
		if (e->staged)
			stage(o, e, NULL);
	}
	return 0;
}

static int delete_one(struct ofproto *o, uint32_t id, struct refusal *r)
{
	struct group_entry *e = group_entry_find(o, id);

	if (id > OFPG_MAX)
		return refuse(r, INVALID_GROUP, "group_id",
			      "0x%x is no group's number; 0 to 0x%x are, or all", id, OFPG_MAX);
	if (!e)
		return 0; /* no error (TS-023, 6.7) */
	if (check_unlinked(o, id, r))
		return -EINVAL;
	if (e->refs)
		flows_leave_group(o, id);
	stage(o, e, NULL);
	return 0;
}

int ofproto_group_mod(struct ofproto *o, const struct group_mod *gm, struct waiter *w,
		      struct refusal *r)
{
	int error;

	if (gm->command > OFPGC_DELETE)
		return refuse(r, GROUP_COMMAND, "command",
			      "group-mod command %u; there are 0 to %u", gm->command, OFPGC_DELETE);
	if (gm->command != OFPGC_DELETE)
		error = put(o, gm, r);
	else if (gm->spec.id == OFPG_ALL)
		error = delete_all(o);
	else
		error = delete_one(o, gm->spec.id, r);
	if (!error)
		change_staged(o, w);
	else if (r)
		o->groups.n_refused +=
			r->code == REFUSED_OUT_OF_GROUPS || r->code == REFUSED_OUT_OF_BUCKETS;
	return error;
}

/* ---- Restart --------------------------------------------------------------------------- */

struct restore {
	struct store_visit visit;
	struct ofproto *o;
};

static int restore_one(struct store_visit *v, const char *name, const char *text, struct refusal *r)
{
	struct ofproto *o = container_of(v, struct restore, visit)->o;
	struct group_mod gm;
	struct refusal why = {0};
	int error = group_parse(text, OFPGC_ADD, &gm, &why);

	(void)r;
	if (!error) {
		error = put(o, &gm, &why);
		group_mod_free(&gm);
	}
	if (error)
		LOG(ERR, "groups: group %s is not restored: %s", name, why.text);
	return 0;
}

/* In no order that chains would want, so they are not looked at: they were when they were made. */
int groups_restore(struct ofproto *o, struct refusal *r)
{
	struct restore restore = {.visit.object = restore_one, .o = o};

	return store_load_objects(o->store, "group", &restore.visit, r);
}
