/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/meters.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

/* A meter in the stage, or on its way out. */
struct meter_entry {
	struct rmap_node node;
	struct meter_config config;
	struct meter *meter; /* as staged last */
	uint32_t slot, n_flows;
	uint64_t created_ns;
	struct meter_counters base; /* what workers had counted in the slot when it began */
};

static struct meter_entry *entry_at(struct rmap_node *n)
{
	return container_of(n, struct meter_entry, node);
}

static struct meter_entry *find(const struct ofproto *o, uint32_t number)
{
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &o->meters.by_number, meter_hash(number))
		if (entry_at(n)->config.number == number)
			return entry_at(n);
	return NULL;
}

const struct meter_config *ofproto_meter(const struct ofproto *o, uint32_t number)
{
	const struct meter_entry *e = find(o, number);

	return e ? &e->config : NULL;
}

bool meter_is_aggregate(const struct ofproto *o, uint32_t number)
{
	const struct meter_entry *e = number ? find(o, number) : NULL;

	return e && e->config.flags & SLUICE_METER_AGGREGATE;
}

void meters_used(struct ofproto *o, uint32_t number, int by)
{
	struct meter_entry *e = number ? find(o, number) : NULL;

	/* A rule of the store may name a meter that could not be restored. */
	if (e && (by > 0 || e->n_flows))
		e->n_flows += (uint32_t)by;
}

/* ---- What workers run ------------------------------------------------------------------- */

#define FRAME_BITS (1514 * 8)

static struct bucket_rate band_rate(const struct meter_config *m, const struct meter_band_config *b)
{
	bool packets = m->flags & OFPMF_PKTPS;
	uint64_t unit = packets ? 1 : 1000, rate = b->rate * unit;
	uint64_t burst = MAX(rate / 10, packets ? 10u : 10u * FRAME_BITS);

	if (m->flags & OFPMF_BURST && b->burst)
		burst = b->burst * unit;
	return bucket_rate(rate, burst, packets ? 1 : 8);
}

static int by_rate(const struct meter_config *m, const struct meter_band *a, unsigned given)
{
	return m->band[a->given].rate >= m->band[given].rate;
}

static struct meter *compile(const struct meter_config *m, uint32_t slot)
{
	struct meter *meter = mem_new(sizeof *meter);

	meter->number = m->number;
	meter->slot = slot;
	meter->aggregate = m->flags & SLUICE_METER_AGGREGATE;
	meter->packets = m->flags & OFPMF_PKTPS;
	for (unsigned i = 0; i < m->n_bands; i++) {
		unsigned at = meter->n_bands++;

		for (; at && !by_rate(m, &meter->band[at - 1], i); at--)
			meter->band[at] = meter->band[at - 1];
		meter->band[at] = (struct meter_band){
			.rate = band_rate(m, &m->band[i]),
			.drops = m->band[i].type == OFPMBT_DROP,
			.prec_level = m->band[i].prec_level,
			.given = (uint8_t)i,
		};
	}
	return meter;
}

static void meter_gone(struct rcu_head *head)
{
	free(container_of(head, struct meter, rcu));
}

/* ---- Slots and counters ----------------------------------------------------------------- */

static bool slot_take(struct meters *m, uint32_t *slot)
{
	if (m->n_free)
		*slot = m->free_slot[--m->n_free];
	else if (m->n_slots < METERS_MAX)
		*slot = m->n_slots++;
	else
		return false;
	return true;
}

static void slot_release(struct meters *m, uint32_t slot)
{
	if (!m->free_slot)
		m->free_slot = mem_new(METERS_MAX * sizeof *m->free_slot);
	m->free_slot[m->n_free++] = slot;
}

static struct meter_count sum(const struct ofproto *o, uint32_t slot, int band)
{
	struct meter_count all = {0};

	for (unsigned i = 0; i < o->dp.n_workers; i++) {
		const struct meter_counters *n = &o->dp.worker[i]->meter[slot];
		const struct meter_count *c = band < 0 ? &n->in : &n->band[band];

		all.packets += counter_read(&c->packets);
		all.bytes += counter_read(&c->bytes);
	}
	return all;
}

static struct meter_count since(struct meter_count now, const struct meter_count *base)
{
	return (struct meter_count){now.packets - base->packets, now.bytes - base->bytes};
}

static void bands_begin(const struct ofproto *o, struct meter_entry *e)
{
	for (int i = 0; i < METER_BANDS; i++)
		e->base.band[i] = sum(o, e->slot, i);
}

/* ---- Steps ------------------------------------------------------------------------------ */

struct meter_step {
	struct step step;
	struct meter_entry *entry;
	struct meter *fresh, *old;  /* as the step found and left it */
	struct meter_config before; /* of a change */
	struct meter_counters base;
};

static struct meter_step *step_of(struct step *s)
{
	return container_of(s, struct meter_step, step);
}

static void stage_enter(struct ofproto *o, struct meter_entry *e)
{
	rmap_insert(&o->meters.by_number, &e->node, meter_hash(e->config.number));
	o->meters.n++;
	o->meters.n_aggregate += meter_is_aggregate(o, e->config.number);
}

static void stage_leave(struct ofproto *o, struct meter_entry *e)
{
	o->meters.n_aggregate -= meter_is_aggregate(o, e->config.number);
	o->meters.n--;
	rmap_remove(&o->meters.by_number, &e->node);
}

static void entry_end(struct ofproto *o, struct meter_entry *e)
{
	slot_release(&o->meters, e->slot);
	free(e);
}

static void add_publish(struct ofproto *o, struct step *s)
{
	struct meter *m = step_of(s)->fresh;

	meter_reset(&o->dp, m->slot);
	meter_publish(&o->dp, m, o->dp.version + 1);
}

static void add_done(struct ofproto *o, struct step *s)
{
	(void)o;
	meter_settle(step_of(s)->fresh);
	free(step_of(s));
}

static void add_undo(struct ofproto *o, struct step *s)
{
	struct meter_step *ms = step_of(s);

	stage_leave(o, ms->entry);
	entry_end(o, ms->entry);
	free(ms->fresh);
	free(ms);
}

static void mod_publish(struct ofproto *o, struct step *s)
{
	meter_publish(&o->dp, step_of(s)->fresh, o->dp.version + 1);
}

static void mod_done(struct ofproto *o, struct step *s)
{
	struct meter_step *ms = step_of(s);

	(void)o;
	meter_settle(ms->fresh);
	rcu_defer(&ms->old->rcu, meter_gone);
	free(ms);
}

static void mod_undo(struct ofproto *o, struct step *s)
{
	struct meter_step *ms = step_of(s);
	struct meter_entry *e = ms->entry;

	o->meters.n_aggregate -= meter_is_aggregate(o, e->config.number);
	e->config = ms->before;
	e->base = ms->base;
	e->meter = ms->old;
	o->meters.n_aggregate += meter_is_aggregate(o, e->config.number);
	free(ms->fresh);
	free(ms);
}

static void del_done(struct ofproto *o, struct step *s)
{
	struct meter_step *ms = step_of(s);

	meter_withdraw(&o->dp, ms->old);
	rcu_defer(&ms->old->rcu, meter_gone);
	entry_end(o, ms->entry);
	free(ms);
}

static void del_undo(struct ofproto *o, struct step *s)
{
	struct meter_step *ms = step_of(s);

	stage_enter(o, ms->entry);
	free(ms);
}

static const struct step_class add_class = {add_publish, add_done, add_undo};
static const struct step_class mod_class = {mod_publish, mod_done, mod_undo};
static const struct step_class del_class = {NULL, del_done, del_undo};

static struct meter_step *step_new(struct ofproto *o, const struct step_class *class,
				   struct meter_entry *e)
{
	struct meter_step *ms = mem_new(sizeof *ms);

	ms->step.class = class;
	ms->entry = e;
	ms->old = e->meter;
	change_step(o, &ms->step);
	return ms;
}

static void remember(struct ofproto *o, const struct meter_config *m, bool kept)
{
	struct buf text = {0};
	char name[16];

	snprintf(name, sizeof name, "%" PRIu32, m->number);
	meter_format(m, &text);
	change_store(o, store_op_object("meter", name, kept ? buf_text(&text) : NULL));
	buf_free(&text);
}

/* ---- Commands --------------------------------------------------------------------------- */

static int add(struct ofproto *o, const struct meter_config *m, struct refusal *r)
{
	struct meter_entry *e;
	uint32_t slot;

	if (find(o, m->number))
		return refuse(r, METER_EXISTS, "meter",
			      "there is a meter %" PRIu32 "; mod-meter changes it", m->number);
	if (!slot_take(&o->meters, &slot)) {
		o->meters.n_refused++;
		return refuse(r, OUT_OF_METERS, "meter", "there are %d meters, as many as can be",
			      METERS_MAX);
	}
	e = mem_new(sizeof *e);
	e->config = *m;
	e->slot = slot;
	e->created_ns = ofproto_now(o);
	e->base.in = sum(o, slot, -1);
	bands_begin(o, e);
	step_new(o, &add_class, e)->fresh = e->meter = compile(m, slot);
	stage_enter(o, e);
	remember(o, m, true);
	return 0;
}

static int modify(struct ofproto *o, const struct meter_config *m, struct refusal *r)
{
	struct meter_entry *e = find(o, m->number);
	struct meter_step *ms;

	if (!e)
		return refuse(r, UNKNOWN_METER, "meter", "there is no meter %" PRIu32, m->number);
	if ((e->config.flags ^ m->flags) & SLUICE_METER_AGGREGATE && e->n_flows)
		return refuse(r, METER_FLAGS, "aggregate",
			      "%" PRIu32 " rules use meter %" PRIu32 ", and its unit cannot "
			      "change under them; rates, bursts and bands would be accepted",
			      e->n_flows, m->number);
	ms = step_new(o, &mod_class, e);
	ms->before = e->config;
	ms->base = e->base;
	o->meters.n_aggregate -= meter_is_aggregate(o, m->number);
	e->config = *m;
	o->meters.n_aggregate += meter_is_aggregate(o, m->number);
	ms->fresh = e->meter = compile(m, e->slot);
	bands_begin(o, e); /* other bands: what they count begins anew */
	remember(o, m, true);
	return 0;
}

static void take_out(struct ofproto *o, struct meter_entry *e)
{
	stage_leave(o, e);
	step_new(o, &del_class, e);
	remember(o, &e->config, false);
}

/* Rules of one meter, or with OFPM_ALL of any, go with it. */
static void take_flows(struct ofproto *o, uint32_t number)
{
	struct entry *next;

	for (unsigned t = 0; t < N_TABLES; t++)
		for (struct entry *e = o->flows.table[t]; e; e = next) {
			uint32_t meter = e->flow.instructions.meter;

			next = e->next;
			if (!e->leaving && meter && (number == OFPM_ALL || meter == number))
				flow_stage_out(o, e, OFPRR_DELETE);
		}
}

static void delete (struct ofproto *o, uint32_t number)
{
	struct meter_entry *e;
	struct rmap_node *n;
	uint32_t at = 0;

	if (number == OFPM_ALL) {
		take_flows(o, number);
		while ((n = rmap_each(&o->meters.by_number, &at)))
			take_out(o, entry_at(n));
		return;
	}
	e = find(o, number);
	if (!e)
		return; /* no error (TS-023, 6.4) */
	if (e->n_flows)
		take_flows(o, number);
	take_out(o, e);
}

int ofproto_meter_mod(struct ofproto *o, uint16_t command, const struct meter_config *m,
		      struct waiter *w, struct refusal *r)
{
	int error = 0;

	if (command > OFPMC_DELETE)
		return refuse(r, METER_COMMAND, "command",
			      "meter-mod command %u; there are 0 to %u", command, OFPMC_DELETE);
	if (command != OFPMC_DELETE)
		error = meter_check(m, r);
	if (error)
		return error;
	if (command == OFPMC_ADD)
		error = add(o, m, r);
	else if (command == OFPMC_MODIFY)
		error = modify(o, m, r);
	else
		delete (o, m->number);
	if (!error)
		change_staged(o, w);
	return error;
}

/* ---- Reading ---------------------------------------------------------------------------- */

static void visit(struct ofproto *o, const struct meter_entry *e, struct meter_visit *v, int *stop)
{
	struct meter_stats s = {.n_flows = e->n_flows,
				.duration_ns = ofproto_now(o) - e->created_ns,
				.in = since(sum(o, e->slot, -1), &e->base.in)};

	for (unsigned i = 0; i < e->config.n_bands; i++)
		s.band[i] = since(sum(o, e->slot, (int)i), &e->base.band[i]);
	*stop = v->meter(v, &e->config, &s);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = (*(struct meter_entry *const *)a)->config.number;
	uint32_t y = (*(struct meter_entry *const *)b)->config.number;

	return (x > y) - (x < y);
}

void ofproto_meters(struct ofproto *o, uint32_t number, struct meter_visit *v)
{
	const struct meter_entry *one = number == OFPM_ALL ? NULL : find(o, number);
	struct meter_entry **list;
	struct rmap_node *node;
	uint32_t at = 0, n = 0;
	int stop = 0;

	if (number != OFPM_ALL) { /* a dump asks for one after the other: not through all of them */
		if (one)
			visit(o, one, v, &stop);
		return;
	}
	list = mem_new((o->meters.n + 1) * sizeof(struct meter_entry *));
	while ((node = rmap_each(&o->meters.by_number, &at)))
		list[n++] = entry_at(node);
	qsort(list, n, sizeof list[0], by_number);
	for (uint32_t i = 0; i < n && !stop; i++)
		visit(o, list[i], v, &stop);
	free(list);
}

struct meter_totals ofproto_meter_totals(const struct ofproto *o)
{
	return (struct meter_totals){o->meters.n, o->meters.n_refused};
}

/* ---- Start and end ---------------------------------------------------------------------- */

void meters_up(struct ofproto *o)
{
	rmap_init(&o->meters.by_number);
}

void meters_down(struct ofproto *o)
{
	struct rmap_node *n;
	uint32_t at = 0;

	while ((n = rmap_each(&o->meters.by_number, &at))) {
		struct meter_entry *e = entry_at(n);

		rmap_remove(&o->meters.by_number, n);
		free(e->meter);
		free(e);
	}
	rmap_destroy(&o->meters.by_number);
	free(o->meters.free_slot);
}

struct restore {
	struct store_visit visit;
	struct ofproto *ofproto;
};

static int restore_one(struct store_visit *v, const char *name, const char *text, struct refusal *r)
{
	struct ofproto *o = container_of(v, struct restore, visit)->ofproto;
	struct meter_config m;
	struct refusal why = {0};

	(void)r;
	if (meter_parse(text, &m, &why) || meter_check(&m, &why) || add(o, &m, &why))
		LOG(ERR, "meter %s: not restored: %s", name, why.text);
	return 0;
}

int meters_restore(struct ofproto *o, struct refusal *r)
{
	struct restore restore = {.visit.object = restore_one, .ofproto = o};

	return store_load_objects(o->store, "meter", &restore.visit, r);
}
