/* SPDX-License-Identifier: Apache-2.0 */
/* All of the control side's state, shared by the files behind ofproto.h and by nobody else.  The
 * control thread's. */
#ifndef SLUICE_OFPROTO_STATE_H
#define SLUICE_OFPROTO_STATE_H

#include <errno.h>
#include <stdio.h>

#include "datapath/worker.h"
#include "lib/openflow.h"
#include "ofproto/change.h"
#include "ofproto/counts.h"
#include "ofproto/flows.h"
#include "ofproto/group-entry.h"
#include "ofproto/journal-entry.h"
#include "ofproto/limiters.h"
#include "ofproto/meters.h"
#include "ofproto/objects.h"
#include "ofproto/ofproto.h"
#include "ofproto/sets.h"
#include "ofproto/store.h"
#include "ofproto/timeouts.h"
#include "ofproto/undo-later.h"

struct kernel;

struct ofproto {
	struct datapath dp;
	bool offline, lab_null;
	bool has_datapath; /* it is initialised */
	unsigned panic;    /* as it was last said in the log */
	bool restoring;    /* what is made comes from the store: not written again */
	uint64_t now_ns;   /* offline; otherwise the clock is read */
	int epoll_fd;
	struct flows flows;
	struct meters meters;
	struct groups groups;
	struct changes changes;
	struct timeouts timeouts;
	struct counts counts;
	struct journal journal;
	struct undo_laters undo_laters;
	struct objects objects;
	struct limiters limiters;
	struct sets sets;
	struct store *store;   /* NULL: none (offline) */
	struct kernel *kernel; /* NULL: none (offline) */
	struct switch_settings settings;
	struct rule *standalone; /* standalone.c's, in the stage; NULL: none */
	struct listener *listeners;
	struct tracer *tracer;   /* NULL: none yet */
	struct samples *samples; /* NULL: none yet */
};

/* The wall clock, ns since 1970; packets' time offline. */
int64_t wall_now(const struct ofproto *o);

void tell_flow_removed(struct ofproto *o, const struct flow *f, uint8_t reason);
void tell_port_status(struct ofproto *o, const struct port *p, uint8_t reason);

/* ports.c: lends port names to the text of rules; NULL: no more. */
void ports_name(struct ofproto *o);

/* port-mod.c: remembers a port's OFPPC_*; 0: none.  Joins a change that is being made. */
void port_config_keep(struct ofproto *o, const char *name, uint32_t config);
int port_configs_restore(struct ofproto *o, struct refusal *r);
void port_config_restore(struct port *port, uint32_t config); /* NULL: nothing */

/* packets.c: what workers have told since the last time. */
void events_run(struct ofproto *o);

/* samples.c: the same for what they sampled. */
void samples_run(struct ofproto *o);
void samples_destroy(struct ofproto *o);

/* settings.c */
void settings_defaults(struct ofproto *o);
void settings_init(struct ofproto *o);
int settings_restore(struct ofproto *o,
		     struct refusal *r); /* and makes a dpid when there is none */

/* trace.c */
void tracer_destroy(struct ofproto *o);

/* flow-mod.c: by name; ORIGIN_CLI for one that is not known. */
uint8_t origin_by_name(const char *name);
/* flow-mod.c: takes a rule out, as a timeout does (OFPRR_*); joins the open group. */
void flow_remove(struct ofproto *o, struct entry *e, uint8_t reason);
/* The same, to join a change that is being made: without change_staged(). */
void flow_stage_out(struct ofproto *o, struct entry *e, uint8_t reason);
/* What of an end needs no disk: no packet meets the rule from the next batch on. */
void flow_end(struct ofproto *o, struct entry *e);
/* The same for every rule that names a group (OFPG_ANY: any group). */
void flows_leave_group(struct ofproto *o, uint32_t group);
/* A rule from the store. */
int flow_restore(struct ofproto *o, const struct store_flow *f, struct refusal *r);

#endif
