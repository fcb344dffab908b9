/* SPDX-License-Identifier: Apache-2.0 */
/* A switch without its OpenFlow tables: one rule in table 0, above any that a flow-mod can make.
 *
 * It is no entry (flows.h): no flow-mod, walk, store or journal finds it.  Otherwise it comes and
 * goes as every rule does, with a version of the tables, so that each batch of packets goes all one
 * way; and the early verdict sees that nothing of table 0 drops below it. */
#include "ofproto/memory.h"
#include "ofproto/state.h"

/* Above 16 bits' worth of priorities. */
#define PRIORITY (UINT16_MAX + 1)

struct standalone_step {
	struct step step;
	struct rule *rule;
};

static const struct match everything;

static struct rule *rule_of(struct step *s)
{
	return container_of(s, struct standalone_step, step)->rule;
}

static void take_out(struct ofproto *o, struct rule *rule)
{
	table_remove(o->dp.table[0], rule);
	rule_retire(rule);
}

static void begin_publish(struct ofproto *o, struct step *s)
{
	if (o->dp.early)
		early_insert(o->dp.early, &everything, rule_of(s), EARLY_OTHER);
}

static void begin_done(struct ofproto *o, struct step *s)
{
	(void)o;
	free(container_of(s, struct standalone_step, step));
}

static void begin_undo(struct ofproto *o, struct step *s)
{
	take_out(o, rule_of(s));
	o->standalone = NULL;
	free(container_of(s, struct standalone_step, step));
}

static void end_publish(struct ofproto *o, struct step *s)
{
	if (o->dp.early)
		early_remove(o->dp.early, &everything, rule_of(s), o->dp.version + 1);
}

static void end_done(struct ofproto *o, struct step *s)
{
	take_out(o, rule_of(s));
	free(container_of(s, struct standalone_step, step));
}

static void end_undo(struct ofproto *o, struct step *s)
{
	o->standalone = rule_of(s);
	rcu_set(o->standalone->remove_version, VERSION_NEVER);
	free(container_of(s, struct standalone_step, step));
}

static const struct step_class begin_class = {begin_publish, begin_done, begin_undo};
static const struct step_class end_class = {end_publish, end_done, end_undo};

static struct rule *normal_rule(const struct ofproto *o)
{
	struct flow_mod fm;
	struct refusal r;
	struct rule *rule;

	if (flow_parse("actions=NORMAL", OFPFC_ADD, &fm, &r))
		abort();
	rule = rule_create(&everything, PRIORITY, RULE_STANDALONE,
			   program_compile(&fm.instructions));
	rule->add_version = change_version(o);
	rule->remove_version = VERSION_NEVER;
	rule->origin = ORIGIN_CLI;
	flow_mod_free(&fm);
	return rule;
}

/* With nothing for the store to write: a disk that is full or slow keeps nobody from it. */
static void stage(struct ofproto *o, const struct step_class *class)
{
	struct standalone_step *ss = mem_new(sizeof *ss);

	ss->step.class = class;
	ss->rule = o->standalone;
	change_step(o, &ss->step);
	change_staged(o, NULL);
}

void ofproto_standalone(struct ofproto *o, bool on)
{
	if (on == ofproto_is_standalone(o))
		return;
	if (on) {
		o->standalone = normal_rule(o);
		table_insert(datapath_table(&o->dp, 0), o->standalone, &everything);
		stage(o, &begin_class);
	} else {
		rcu_set(o->standalone->remove_version, change_version(o));
		stage(o, &end_class);
		o->standalone = NULL;
	}
}

bool ofproto_is_standalone(const struct ofproto *o)
{
	return o->standalone;
}
