/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/stub-ofproto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/openflow.h"
#include "ofproto/groups.h"
#include "ofproto/journal.h"
#include "ofproto/limiters.h"
#include "ofproto/meters.h"
#include "ofproto/samples.h"
#include "ofproto/sets.h"
#include "ofproto/undo-later.h"

struct ofproto *stub_create(void)
{
	struct ofproto *o = calloc(1, sizeof *o);

	if (!o || datapath_init(&o->dp, &(struct datapath_config){
						.n_workers = 1, .n_frames = 64, .offline = true}))
		abort();
	o->settings.dpid = 0x0000abcdef012345;
	o->settings.probe_s = STUB_PROBE_S;
	o->waiting_end = &o->waiting;
	o->now_ns = 100 * NSEC_PER_SEC;
	return o;
}

static void forget(struct ofproto *o, unsigned id)
{
	if (!o->flow[id])
		return;
	instructions_free(&o->flow[id]->instructions);
	free(o->flow[id]);
	o->flow[id] = NULL;
}

void stub_destroy(struct ofproto *o)
{
	stub_done(o, 0);
	group_spec_free(&o->group);
	for (unsigned i = 0; i < STUB_FLOWS; i++)
		forget(o, i);
	for (unsigned i = 0; i < PORT_MAX; i++) {
		free(o->dp.port[i]);
		o->dp.port[i] = NULL;
	}
	o->dp.local = NULL;
	datapath_destroy(&o->dp);
	rcu_barrier();
	free(o);
}

void ofproto_tell_invalid_ttl(struct ofproto *o, bool wanted)
{
	o->tell_invalid_ttl = wanted;
}

static void wait_for(struct ofproto *o, struct waiter *w)
{
	if (!w)
		return;
	w->next = NULL;
	*o->waiting_end = w;
	o->waiting_end = &w->next;
	if (!o->defer)
		stub_done(o, 0);
}

void stub_done(struct ofproto *o, int error)
{
	struct waiter *w = o->waiting, *next;
	struct refusal r;

	refuse(&r, STORE, NULL, "the disk is full");
	o->waiting = NULL;
	o->waiting_end = &o->waiting;
	for (; w; w = next) {
		next = w->next;
		o->n_dones++;
		w->done(w, error, error ? &r : NULL);
	}
}

struct port *stub_port(struct ofproto *o, uint32_t ofport, const char *name)
{
	struct port *port = calloc(1, sizeof *port);
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

	if (!port)
		abort();
	snprintf(port->name, sizeof port->name, "%s", name);
	memcpy(port->mac, mac, sizeof mac);
	port->ofport = ofport;
	port->up = true;
	port->dp = &o->dp;
	port->id = ofport < PORT_MAX ? ofport : PORT_MAX - 1;
	o->dp.port[port->id] = port;
	if (ofport < PORT_MAX)
		o->dp.ofport_id[ofport] = port->id;
	else
		o->dp.local = port;
	return port;
}

struct datapath *ofproto_datapath(struct ofproto *o)
{
	return &o->dp;
}

uint64_t ofproto_now(const struct ofproto *o)
{
	return o->now_ns;
}

const struct switch_settings *ofproto_settings(const struct ofproto *o)
{
	return &o->settings;
}

void ofproto_standalone(struct ofproto *o, bool on)
{
	o->standalone = on;
}

bool ofproto_is_standalone(const struct ofproto *o)
{
	return o->standalone;
}

unsigned ofproto_n_tables(const struct ofproto *o)
{
	(void)o;
	return 3;
}

void ofproto_barrier(struct ofproto *o, struct waiter *w)
{
	wait_for(o, w);
}

int ofproto_sync(struct ofproto *o, struct refusal *r)
{
	(void)r;
	stub_done(o, 0);
	return 0;
}

bool ofproto_is_behind(const struct ofproto *o, bool own)
{
	return o->behind && (own || !o->behind_own);
}

void ofproto_begin(struct ofproto *o)
{
	if (o->together++)
		abort();
}

void ofproto_commit(struct ofproto *o, struct waiter *w)
{
	o->together--;
	o->n_committed++;
	wait_for(o, w);
}

void ofproto_abandon(struct ofproto *o)
{
	o->together--;
	o->n_abandoned++;
}

void flow_mod_init(struct flow_mod *fm)
{
	*fm = (struct flow_mod){.priority = 0x8000, .out_port = OFPP_ANY, .out_group = OFPG_ANY};
}

void flow_mod_free(struct flow_mod *fm)
{
	instructions_free(&fm->instructions);
}

static void take(struct buf *to, const struct buf *from)
{
	*to = (struct buf){0};
	buf_octets(to, from->data, from->size);
}

/* Adds append; deletes of any kind empty the table; the rest changes nothing. */
int ofproto_flow_mod(struct ofproto *o, const struct flow_mod *fm, struct waiter *w,
		     struct refusal *r)
{
	unsigned id = 0;

	if (fm->table == 2)
		return refuse(r, TABLE_FULL, "table", "table 2 is always full here");
	o->n_flow_mods++;
	o->last = *fm;
	if (fm->command >= OFPFC_DELETE) {
		for (id = 0; id < STUB_FLOWS; id++)
			forget(o, id);
	} else if (fm->command == OFPFC_ADD) {
		while (id < STUB_FLOWS - 1 && o->flow[id])
			id++;
		forget(o, id);
		o->flow[id] = calloc(1, sizeof *o->flow[id]);
		if (!o->flow[id])
			abort();
		*o->flow[id] = (struct flow){.match = fm->match,
					     .instructions = fm->instructions,
					     .table = fm->table,
					     .origin = fm->origin,
					     .priority = fm->priority,
					     .cookie = fm->cookie,
					     .idle_timeout = fm->idle_timeout,
					     .hard_timeout = fm->hard_timeout,
					     .flags = fm->flags,
					     .created_ns = o->now_ns,
					     .rule_id = id};
		take(&o->flow[id]->instructions.apply, &fm->instructions.apply);
		take(&o->flow[id]->instructions.write, &fm->instructions.write);
	}
	wait_for(o, w);
	return 0;
}

int ofproto_undo_later(struct ofproto *o, uint64_t ends_ns, int64_t *id, struct refusal *r)
{
	(void)o, (void)ends_ns, (void)r;
	*id = 0;
	return 0;
}

void ofproto_undo_never(struct ofproto *o, int64_t id)
{
	(void)o, (void)id;
}

void ofproto_actor(struct ofproto *o, const struct actor *a)
{
	(void)o, (void)a;
}

void flow_filter_init(struct flow_filter *f)
{
	*f = (struct flow_filter){.table = OFPTT_ALL, .out_port = OFPP_ANY, .out_group = OFPG_ANY};
}

void ofproto_flows(struct ofproto *o, const struct flow_filter *filter, struct flow_visit *v)
{
	for (unsigned i = 0; i < STUB_FLOWS; i++) {
		const struct flow *f = o->flow[i];

		if (f && (filter->table == OFPTT_ALL || filter->table == f->table) &&
		    !((f->cookie ^ filter->cookie) & filter->cookie_mask) &&
		    match_covers(&filter->match, &f->match) && v->flow(v, f, &o->stats))
			return;
	}
}

const struct flow *ofproto_flow(struct ofproto *o, uint32_t rule_id, struct flow_stats *stats)
{
	*stats = o->stats;
	return rule_id < STUB_FLOWS ? o->flow[rule_id] : NULL;
}

void ofproto_table_stats(const struct ofproto *o, unsigned table, struct table_stats *stats)
{
	(void)o;
	*stats = (struct table_stats){
		.n_active = table + 1, .n_lookups = 0x1000 + table, .n_matches = 0x2000 + table};
}

int ofproto_packet_out_check(struct ofproto *o, const struct packet_out *po, struct refusal *r)
{
	(void)o;
	return po->size < 14 ? refuse(r, BAD_PACKET, "frame", "%zu octets are no frame", po->size)
			     : 0;
}

int ofproto_packet_out(struct ofproto *o, const struct packet_out *po, struct refusal *r)
{
	if (ofproto_packet_out_check(o, po, r))
		return -EINVAL;
	o->n_packet_outs++;
	o->last_out = *po;
	memcpy(o->last_frame, po->frame, MIN(po->size, sizeof o->last_frame));
	return 0;
}

int ofproto_port_mod(struct ofproto *o, const struct port_mod *pm, struct waiter *w,
		     struct refusal *r)
{
	if (pm->config & pm->mask & ~0x65u)
		return refuse(r, PORT_MOD_CONFIG, "config", "bits 0x%x", pm->config);
	o->port_mod = *pm;
	wait_for(o, w);
	return 0;
}

void ofproto_listen(struct ofproto *o, struct listener *l)
{
	l->next = o->listeners;
	o->listeners = l;
}

void ofproto_unlisten(struct ofproto *o, struct listener *l)
{
	struct listener **at = &o->listeners;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
}

int ofproto_flow_try(struct ofproto *o, const struct flow_mod *fm, struct refusal *r)
{
	(void)o;
	return fm->table == 2 ? refuse(r, TABLE_FULL, "table", "table 2 is always full here") : 0;
}

bool ofproto_flow_stands(struct ofproto *o, const struct flow_mod *fm)
{
	(void)o, (void)fm;
	return true;
}

void ofproto_dry_run(struct ofproto *o, const struct match *m, struct dry_run *out)
{
	(void)o, (void)m, (void)out;
}

unsigned ofproto_panic(const struct ofproto *o)
{
	(void)o;
	return 0;
}

/* ---- Sets: none ------------------------------------------------------------------------- */

static int no_set(const char *name, struct refusal *r)
{
	return refuse(r, NOT_FOUND, "name", "no set %s", name);
}

int ofproto_add_set(struct ofproto *o, struct words words, const char *content, struct waiter *w,
		    struct refusal *r)
{
	(void)o, (void)content, (void)w;
	return refuse(r, LIMIT, "name", "no room for set %s", words.word[0]);
}

int ofproto_del_set(struct ofproto *o, const char *name, struct waiter *w, struct refusal *r)
{
	(void)o, (void)w;
	return no_set(name, r);
}

bool ofproto_set_is_asked(struct ofproto *o, const char *name)
{
	(void)o, (void)name;
	return false;
}

int ofproto_set_swap(struct ofproto *o, const char *name, const char *other, struct waiter *w,
		     struct refusal *r)
{
	(void)o, (void)other, (void)w;
	return no_set(name, r);
}

int ofproto_set_add(struct ofproto *o, const char *name, struct words members, struct waiter *w,
		    struct refusal *r)
{
	(void)o, (void)members, (void)w;
	return no_set(name, r);
}

int ofproto_set_del(struct ofproto *o, const char *name, struct words members, struct waiter *w,
		    struct refusal *r)
{
	(void)o, (void)members, (void)w;
	return no_set(name, r);
}

bool ofproto_set_state(struct ofproto *o, const char *name, struct set_state *state)
{
	(void)o, (void)name, (void)state;
	return false;
}

void ofproto_sets(struct ofproto *o, struct set_visit *v)
{
	(void)o, (void)v;
}

void ofproto_set_members(struct ofproto *o, const char *name, struct set_visit *v)
{
	(void)o, (void)name, (void)v;
}

uint64_t ofproto_now_ms(const struct ofproto *o)
{
	return o->now_ns / NSEC_PER_MSEC;
}

/* ---- Limits by key: none ---------------------------------------------------------------- */

int ofproto_add_limiter(struct ofproto *o, enum limiter_kind kind, struct words words,
			struct waiter *w, struct refusal *r)
{
	(void)o, (void)kind, (void)w;
	return refuse(r, LIMIT, "name", "no room for %s", words.word[0]);
}

int ofproto_mod_limiter(struct ofproto *o, enum limiter_kind kind, struct words words,
			struct waiter *w, struct refusal *r)
{
	(void)o, (void)kind, (void)w;
	return refuse(r, NOT_FOUND, "name", "no %s", words.word[0]);
}

int ofproto_del_limiter(struct ofproto *o, enum limiter_kind kind, const char *name,
			struct waiter *w, struct refusal *r)
{
	(void)o, (void)kind, (void)w;
	return refuse(r, NOT_FOUND, "name", "no %s", name);
}

void ofproto_limiters(struct ofproto *o, enum limiter_kind kind, struct limiter_visit *v)
{
	(void)o, (void)kind, (void)v;
}

void ofproto_limiter_counters(struct ofproto *o, const struct limiter *l,
			      struct limiter_counters *n)
{
	(void)o, (void)l, (void)n;
}

uint32_t ofproto_limiter_rules(struct ofproto *o, const struct limiter *l)
{
	(void)o, (void)l;
	return 0;
}

/* ---- Meters: none, and room for none ---------------------------------------------------- */

int ofproto_meter_mod(struct ofproto *o, uint16_t command, const struct meter_config *m,
		      struct waiter *w, struct refusal *r)
{
	if (command > OFPMC_DELETE)
		return refuse(r, METER_COMMAND, "command", "command %u", command);
	if (command == OFPMC_ADD)
		return refuse(r, OUT_OF_METERS, "meter", "no room for meter %u", m->number);
	if (command == OFPMC_MODIFY)
		return refuse(r, UNKNOWN_METER, "meter", "no meter %u", m->number);
	wait_for(o, w);
	return 0;
}

void ofproto_meters(struct ofproto *o, uint32_t number, struct meter_visit *v)
{
	(void)o, (void)number, (void)v;
}

const struct meter_config *ofproto_meter(const struct ofproto *o, uint32_t number)
{
	(void)o, (void)number;
	return NULL;
}

struct meter_totals ofproto_meter_totals(const struct ofproto *o)
{
	(void)o;
	return (struct meter_totals){0};
}

/* ---- Groups: the last one, which says what it was told */

int ofproto_group_mod(struct ofproto *o, const struct group_mod *gm, struct waiter *w,
		      struct refusal *r)
{
	if (gm->command > OFPGC_DELETE)
		return refuse(r, GROUP_COMMAND, "command", "command %u", gm->command);
	if (gm->command == OFPGC_MODIFY)
		return refuse(r, UNKNOWN_GROUP, "group_id", "no group %u", gm->spec.id);
	if (gm->spec.type > OFPGT_FF && gm->command != OFPGC_DELETE)
		return refuse(r, GROUP_TYPE, "type", "type %u", gm->spec.type);
	group_spec_free(&o->group);
	o->group = gm->spec;
	o->group.bucket = calloc(gm->spec.n_buckets + 1, sizeof *o->group.bucket);
	for (unsigned i = 0; i < gm->spec.n_buckets; i++) {
		o->group.bucket[i] = gm->spec.bucket[i];
		take(&o->group.bucket[i].actions, &gm->spec.bucket[i].actions);
	}
	o->n_group_mods++;
	wait_for(o, w);
	return 0;
}

void ofproto_groups(struct ofproto *o, uint32_t id, struct group_visit *v)
{
	struct group_counters n[8] = {{5, 6}, {7, 8}};
	bool live[8] = {0};
	const struct group_stats stats = {.refs = 3,
					  .duration_ns = 2 * NSEC_PER_SEC + 9,
					  .total = {12, 14},
					  .bucket = n,
					  .live = live};

	if (o->group.n_buckets && o->group.n_buckets <= 8 && (id == OFPG_ALL || id == o->group.id))
		v->group(v, &o->group, &stats);
}
