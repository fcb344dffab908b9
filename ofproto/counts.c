/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/counts.h"

#include "ofproto/state.h"

/* True when there was something to write. */
static bool flush_one(struct ofproto *o, struct entry *e, bool all)
{
	struct flow_stats stats;

	entry_stats(o, e, &stats);
	if (e->leaving || !stats.packets || (stats.packets == e->kept_packets && !all))
		return false;
	e->kept_packets = stats.packets;
	change_store(o, store_op_flow_count(&(struct store_flow){
				.id = e->key,
				.packets = stats.packets,
				.bytes = stats.bytes,
				.used_ns = wall_now(o) - (int64_t)stats.idle_ns}));
	return true;
}

void counts_run(struct ofproto *o)
{
	struct counts *c = &o->counts;
	uint64_t now = ofproto_now(o);
	bool any = false;
	uint32_t end;

	if (now < counts_deadline(o))
		return;
	if (!c->at) {
		c->next_ns = now + COUNTS_S * NSEC_PER_SEC;
		c->all_now = c->all;
		c->all = false;
		change_store(o, store_op_lives());
		any = true;
	}
	end = MIN(c->at + COUNTS_SLICE, o->flows.next_id);
	for (; c->at < end; c->at++)
		if (o->flows.slot[c->at].entry)
			any |= flush_one(o, o->flows.slot[c->at].entry, c->all_now);
	if (c->at == o->flows.next_id)
		c->at = 0;
	if (any) {
		c->group = o->changes.n_sealed;
		change_staged(o, NULL);
	}
}

/* One slice a group: others' changes wait for no more than that. */
uint64_t counts_deadline(const struct ofproto *o)
{
	const struct counts *c = &o->counts;

	if (!o->store)
		return TIMER_NEVER;
	if (!c->at)
		return c->next_ns;
	return c->group == o->changes.n_sealed ? TIMER_NEVER : c->next_ns - COUNTS_S * NSEC_PER_SEC;
}

void counts_failed(struct ofproto *o)
{
	o->counts.all = true;
	o->counts.at = 0;
	o->counts.group = UINT64_MAX;
	o->counts.next_ns = ofproto_now(o) + COUNTS_S * NSEC_PER_SEC;
}

void counts_finish(struct ofproto *o)
{
	for (unsigned t = 0; t < N_TABLES; t++)
		for (struct entry *e = o->flows.table[t]; e; e = e->next)
			flush_one(o, e, true);
	change_staged(o, NULL);
}
