/* SPDX-License-Identifier: Apache-2.0 */
/* An ofproto that remembers what it was told: rules without a datapath behind them, changes that
 * are done when the test says so. */
#ifndef SLUICE_TESTS_STUB_OFPROTO_H
#define SLUICE_TESTS_STUB_OFPROTO_H

#include "datapath/worker.h"
#include "ofproto/groups.h"
#include "ofproto/ofproto.h"

enum { STUB_FLOWS = 4096, STUB_PROBE_S = 30 };

struct ofproto {
	struct datapath dp;
	struct switch_settings settings;
	struct listener *listeners;
	uint64_t now_ns;
	bool tell_invalid_ttl;
	bool defer;      /* waiters wait for stub_done() */
	bool behind;     /* too much is on its way */
	bool behind_own; /* … for who has changes there */
	int together;    /* between ofproto_begin() and its end */
	unsigned n_abandoned, n_committed;
	bool standalone;
	struct waiter *waiting, **waiting_end;
	struct flow *flow[STUB_FLOWS]; /* by rule id */
	struct flow_mod last;          /* its match and scalars */
	struct group_spec group;       /* the last one; no buckets: none */
	unsigned n_group_mods, n_flow_mods, n_packet_outs, n_dones;
	struct packet_out last_out;
	struct port_mod port_mod; /* the last one */
	uint8_t last_frame[256];
	struct flow_stats stats; /* of every rule */
};

struct ofproto *stub_create(void);
void stub_destroy(struct ofproto *o);
/* Everything that waits is done; `error` for flow-mods alone. */
void stub_done(struct ofproto *o, int error);
struct port *stub_port(struct ofproto *o, uint32_t ofport, const char *name);

#endif
