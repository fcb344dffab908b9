/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that controllers send out, and what workers tell. */
#include <unistd.h>

#include "datapath/spine.h"
#include "lib/log.h"
#include "ofproto/kernel.h"
#include "ofproto/state.h"

/* ---- packet_out ------------------------------------------------------------------------------ */

enum { OUT_HEADROOM = 64, OUT_MAX = FRAME_SIZE - OUT_HEADROOM };

struct out_call {
	const struct packet_out *po;
	uint32_t in_port; /* port id */
	struct program *program;
};

static struct pkt *build(struct worker *w, const struct packet_out *po, uint32_t in_port)
{
	struct pkt *p = pkt_new(w, OUT_HEADROOM);

	if (!p)
		return NULL;
	memcpy(p->data, po->frame, po->size);
	p->len = po->size;
	p->seg[0].len = po->size;
	pkt_injected(w, p, in_port);
	return p;
}

/* On worker 0, between batches. */
static void run_out(struct worker *w, void *arg)
{
	const struct out_call *call = arg;
	struct pkt *p = build(w, call->po, call->in_port);
	struct batch b = {0};
	int reason;

	if (!p)
		return; /* out of frames: as if the network had lost it */
	reason = pkt_parse(w, p);
	if (reason >= 0) {
		drop(w, p, (enum drop_reason)reason);
		return;
	}
	p->key.in_port = p->outer->key.in_port;
	p->program = call->program;
	p->rule = (struct path_rule){.id = RULE_NONE};
	w->version = rcu_get(w->dp->version);
	b.pkt[b.n++] = p;
	stage_actions(w, &b);
	stage_tx(w);
}

int ofproto_packet_out_check(struct ofproto *o, const struct packet_out *po, struct refusal *r)
{
	const struct switch_limits limits = {.group_exists = group_exists, .to_table = true};

	if (!port_by_ofport(&o->dp, po->in_port) && po->in_port != OFPP_CONTROLLER &&
	    po->in_port != OFPP_ANY)
		return refuse(r, BAD_PORT, "in_port", "there is no port %u", po->in_port);
	if (po->size > OUT_MAX || po->size < ETH_HLEN_)
		return refuse(r, BAD_PACKET, "data", "a frame of %zu octets; %d to %d are accepted",
			      po->size, ETH_HLEN_, OUT_MAX);
	return actions_check_targets(po->ops, po->ops_size, &limits, r);
}

int ofproto_packet_out(struct ofproto *o, const struct packet_out *po, struct refusal *r)
{
	struct instructions i = {.has_apply = true};
	struct out_call call = {.po = po, .in_port = PORT_NONE};
	const struct port *in = port_by_ofport(&o->dp, po->in_port);

	if (ofproto_packet_out_check(o, po, r))
		return -EINVAL;
	if (in)
		call.in_port = in->id;
	buf_octets(&i.apply, po->ops, po->ops_size);
	call.program = program_compile(&i);
	worker_call(o->dp.worker[0], run_out, &call);
	program_free(call.program);
	instructions_free(&i);
	return 0;
}

void ofproto_tell_invalid_ttl(struct ofproto *o, bool wanted)
{
	__atomic_store_n(&o->dp.packet_in_ttl, wanted, __ATOMIC_RELAXED);
}

/* ---- Events -----------------------------------------------------------------------------------
 */

static void tell_packet_in(struct ofproto *o, const struct event_packet_in *pi)
{
	const struct entry *e = entry_by_rule(o, pi->rule_id);

	for (struct listener *l = o->listeners, *next; l; l = next) {
		next = l->next;
		if (l->packet_in)
			l->packet_in(l, pi, e ? &e->flow : NULL);
	}
}

static void run_event(struct ofproto *o, const struct event *event)
{
	const struct event_neigh *n;

	switch (event->kind) {
	case EVENT_PACKET_IN:
		tell_packet_in(o, (const void *)event);
		break;
	case EVENT_NEIGH:
		n = (const void *)event;
		kernel_resolve(o, &n->ip, n->ifindex);
		break;
	case EVENT_SET_ADD:
		sets_fed(o, (const void *)event);
		break;
	default:
		break;
	}
}

/* One turn takes this many of each worker, so that a flood of them starves nobody. */
enum { EVENTS_A_TURN = 256 };

void events_run(struct ofproto *o)
{
	uint64_t n, one = 1;
	bool more = false;

	if (o->dp.event_fd >= 0)
		(void)!read(o->dp.event_fd, &n, sizeof n);
	for (unsigned i = 0; i < o->dp.n_workers; i++) {
		struct ring *events = &o->dp.worker[i]->events;
		const struct event *event;
		uint32_t size;

		for (unsigned k = 0; k < EVENTS_A_TURN && (event = ring_peek(events, &size)); k++) {
			run_event(o, event);
			ring_release(events);
		}
		more |= !ring_empty(events);
	}
	if (more && o->dp.event_fd >= 0)
		(void)!write(o->dp.event_fd, &one, sizeof one);
}
