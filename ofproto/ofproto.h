/* SPDX-License-Identifier: Apache-2.0 */
/* The switch as its operators and controllers see it: rules, ports, connections, settings.
 *
 * `struct ofproto` is the control side's whole state, of the control thread alone.  It compiles
 * what it is told into datapath objects and publishes them; it remembers them in the store.
 *
 * **How a change goes.**  A change is checked against the state as staged (published plus what is
 * on its way), applied to the stage, and joins the open *group*.  A few milliseconds later, or at a
 * barrier, the group is sealed and handed to the store thread, which commits it; then the control
 * thread publishes it (one store of the table version) and answers everyone who waits. One group is
 * in flight at a time; the next is open meanwhile.  A failed commit undoes the group and everything
 * that stands on it, and answers an error.  So: commit, then publish, then answer; what was
 * answered survives kill -9.
 *
 * **Answers.**  A change takes a `struct waiter` (or NULL): its done() is called once, after
 * publication or failure.  A refusal is immediate and calls nobody.
 *
 * Offline there is no store and no thread: commit is at once.
 *
 * The event loop is the caller's: it calls ofproto_run() when ofproto_fd() is readable or
 * ofproto_deadline() has come. */
#ifndef SLUICE_OFPROTO_H
#define SLUICE_OFPROTO_H

#include "datapath/datapath.h"
#include "lib/options.h"

struct ofproto;
struct sample_record;

struct ofproto_config {
	const char *db; /* file, ":memory:" */
	bool offline;   /* no kernel, no store, packets' time */
	bool lab_null;  /* NULL without integrity may be asked for */
	unsigned n_workers;
	uint32_t spin_us;         /* that a worker stays awake after work */
	const int *cpus;          /* of n_workers; -1: anywhere */
	struct panic_page *panic; /* outlives the switch; NULL: none */
	bool set_aside; /* it crashed again and again: what has not proven itself is set aside */
};

/* Opens the store, brings back what it holds (ports, connections, rules; in effect before the first
 * packet), starts the workers.  NULL and a refusal otherwise. */
struct ofproto *ofproto_create(const struct ofproto_config *config, struct refusal *r);
void ofproto_destroy(struct ofproto *o); /* flushes counters, keeps the store's content */
struct datapath *ofproto_datapath(struct ofproto *o);

int ofproto_fd(const struct ofproto *o);
uint64_t ofproto_deadline(const struct ofproto *o); /* ns, of ofproto_now(); TIMER_NEVER */
void ofproto_run(struct ofproto *o);           /* commits done, events, timeouts, kernel's news */
uint64_t ofproto_now(const struct ofproto *o); /* ns: monotonic, or packets' time offline */
void ofproto_set_now(struct ofproto *o, uint64_t ns); /* offline and tests */

struct waiter {
	struct waiter *next;
	/* error 0: durable, and in effect in every worker.  Called once; may free the waiter. */
	void (*done)(struct waiter *w, int error, const struct refusal *r);
};

/* Calls w->done when everything before it is durable and in effect; seals the open group. */
void ofproto_barrier(struct ofproto *o, struct waiter *w);
/* More is staged than should be added to: a rule that is changed has its memory until the disk has
 * it, and one flow-mod may change all of them.  Better is to ask for a change behind a barrier: who
 * has changes on their way (`own`) at once, others when it is four times as much.  Far above,
 * flow-mods are refused (those of a bundle, which cannot wait). */
enum { CHANGES_BEHIND = 1 << 15 };
bool ofproto_is_behind(const struct ofproto *o, bool own);
/* The same, waiting here (start, configuration files, tests). */
int ofproto_sync(struct ofproto *o, struct refusal *r);

/* Several changes together or not at all: those after begin join one group (one version of the
 * tables, one entry of the journal), without waiters of their own.  Then either commit, whose w is
 * told like that of any change, or abandon, which takes all of them back at once.  Nothing else
 * happens in between, ofproto_run() least of all; begin does not nest. */
void ofproto_begin(struct ofproto *o);
void ofproto_commit(struct ofproto *o, struct waiter *w);
void ofproto_abandon(struct ofproto *o);

/* What the panic page says (enum panic_state); 0: nothing.  For status: panic_text(). */
unsigned ofproto_panic(const struct ofproto *o);
/* Does what it says, after a change and at the start: ports let go of their interfaces, or take
 * them again.  Refuses with the first port that could not. */
int ofproto_panic_run(struct ofproto *o, struct refusal *r);
/* Writes it: the same as `sluice-ctl panic` does without us.  Refused where there is no page. */
int ofproto_panic_set(struct ofproto *o, unsigned state, struct refusal *r);

/* ---- Rules ---------------------------------------------------------------------------- */

/* A rule as it was installed. */
struct flow {
	struct rmap_node node;
	struct match match;
	struct instructions instructions;
	uint8_t table, origin;
	uint16_t priority;
	uint64_t cookie;
	uint16_t idle_timeout, hard_timeout, flags; /* seconds, 0: none; OFPFF_* */
	bool unverified; /* forgeries may spend its aggregate meter, fill its sets (forged.h) */
	bool wide;       /* wide=yes: that it drops nearly everything is meant (admit.h) */
	uint64_t created_ns;
	uint64_t expires_ns; /* --expire: TIMER_NEVER; guard rules always have one unless forever */
	const char *reason;  /* why it is there; may be NULL */
	uint32_t rule_id;
	struct rule *rule;
};

struct flow_stats {
	uint64_t packets, bytes, duration_ns, idle_ns;
	bool early;           /* drops before decryption */
	uint32_t shadowed_by; /* rule id that keeps a drop from being early; RULE_NONE */
	uint32_t hidden_by;   /* rule id that leaves no packet for this one; RULE_NONE (shadow.h) */
};

/* The longest life of a guard rule that has an end; to last longer it is renewed, by adding it
 * again: its counters go on. */
#define GUARD_EXPIRE_MAX_NS (7 * 24 * 3600 * NSEC_PER_SEC)

/* One flow-mod, from any side (ofp_flow_mod, TS-023 7.3.4.2).  The switch copies what it keeps. */
struct flow_mod {
	uint8_t command; /* OFPFC_* */
	uint8_t table;   /* OFPTT_ALL for deletes; TABLE_GUARD only for guard origins */
	uint16_t priority;
	uint64_t cookie, cookie_mask;
	uint16_t idle_timeout, hard_timeout, flags;
	uint32_t out_port, out_group;
	struct match match;
	struct instructions instructions;
	bool unverified, wide;
	bool again; /* added, it is the rule that is there, renewed: whatever its flags say, it does
		     * not overlap itself, and its counters and its age go on */
	uint8_t origin;
	uint64_t expire_ns; /* from now; 0: never (in the guard: the operator's only) */
	const char *reason; /* the guard's always have one */
};

void flow_mod_init(struct flow_mod *fm); /* add, table 0, priority 0x8000, any port and group */
/* Deletes just the rule that `was` adds; there is nothing to free. */
void flow_mod_delete(struct flow_mod *gone, const struct flow_mod *was);
void flow_mod_free(struct flow_mod *fm);

int ofproto_flow_mod(struct ofproto *o, const struct flow_mod *fm, struct waiter *w,
		     struct refusal *r);
/* Whether it would be refused; nothing is changed. */
int ofproto_flow_try(struct ofproto *o, const struct flow_mod *fm, struct refusal *r);

/* The rule that `fm` adds is there, as it says, and not on its way out. */
bool ofproto_flow_stands(struct ofproto *o, const struct flow_mod *fm);

/* FLOW text: ovs-ofctl's syntax, one rule (`table=0,priority=5,ip,nw_src=10.0.0.0/8,
 * actions=output:2`).  `command` decides whether actions are needed or allowed; strict ones are
 * chosen by the word `strict` in front, as ovs-ofctl has options for. */
int flow_parse(const char *text, uint8_t command, struct flow_mod *fm, struct refusal *r);
/* One line that flow_parse() reads back. */
void flow_format(const struct flow *f, struct buf *text);

struct flow_filter {
	uint8_t table; /* OFPTT_ALL: all of OpenFlow's; TABLE_GUARD: the guard */
	uint32_t out_port, out_group;
	uint64_t cookie, cookie_mask;
	struct match match; /* non-strict */
	bool plain; /* for walks that must be short: stats is NULL, and thousands come unsorted */
};
void flow_filter_init(struct flow_filter *f);

/* Every published rule that the filter lets through, by table and descending priority.  The
 * callback must not change rules; a non-zero return ends the walk. */
struct flow_visit {
	int (*flow)(struct flow_visit *v, const struct flow *f, const struct flow_stats *stats);
};
void ofproto_flows(struct ofproto *o, const struct flow_filter *filter, struct flow_visit *v);
/* The rule in force with an id, and its counters, for walks that go on later; NULL when it is gone.
 */
const struct flow *ofproto_flow(struct ofproto *o, uint32_t rule_id, struct flow_stats *stats);

/* The guard's rule of an origin with exactly this priority and match, as staged; NULL: none. */
const struct flow *ofproto_guard_flow(struct ofproto *o, uint8_t origin, uint16_t priority,
				      const struct match *m);

struct table_stats {
	uint32_t n_active;
	uint32_t n_masks, n_refused; /* see table_admits() */
	uint64_t n_lookups, n_matches;
};
unsigned ofproto_n_tables(const struct ofproto *o);
void ofproto_table_stats(const struct ofproto *o, unsigned table, struct table_stats *stats);

/* ---- Ports, connections, settings ----------------------------------------------------- */

/* `words` are the verb's: `NAME key=value …`.  What succeeds is remembered in the store. */
struct words {
	unsigned n;
	const char *const *word;
};
int ofproto_add_port(struct ofproto *o, struct words words, struct waiter *w, struct refusal *r);
int ofproto_del_port(struct ofproto *o, const char *name, struct waiter *w, struct refusal *r);
int ofproto_add_conn(struct ofproto *o, struct words words, struct waiter *w, struct refusal *r);
int ofproto_del_conn(struct ofproto *o, const char *name, struct waiter *w, struct refusal *r);
int ofproto_add_route(struct ofproto *o, struct words words,
		      struct refusal *r); /* offline, tests */
int ofproto_add_neigh(struct ofproto *o, struct words words, struct refusal *r);
int ofproto_set_switch(struct ofproto *o, struct words words, struct waiter *w, struct refusal *r);
/* Keeps the ports that were made with confirm=SECONDS; otherwise they are taken back then. */
int ofproto_confirm(struct ofproto *o, struct refusal *r);

/* One port-mod (TS-023, 7.3.4.3), of what is sluice's: OFPPC_* where the mask has a bit. */
struct port_mod {
	uint32_t ofport, config, mask;
};
int ofproto_port_mod(struct ofproto *o, const struct port_mod *pm, struct waiter *w,
		     struct refusal *r);

struct port *ofproto_port(struct ofproto *o, const char *name); /* NULL: none; also connections */
struct conn *ofproto_conn(struct ofproto *o, const char *name);
/* The text a port or connection was made from, keys replaced by `key=…`. */
const char *ofproto_port_spec(struct ofproto *o, const struct port *port);

/* Who may have rules that drop nearly everything (admit.h). */
enum wide_drop { WIDE_DROP_NEVER, WIDE_DROP_ASKED, WIDE_DROP_ANY };
extern const char *const wide_drop_names[]; /* NULL at the end */

struct switch_settings {
	uint64_t dpid;
	bool fail_secure;
	bool packet_in_headers; /* packet-in=headers */
	uint32_t sample_every;  /* sample=N; 0: off */
	uint32_t sample_max;    /* sample-max=N: a second and worker, at most */
	uint32_t reject_max;    /* reject-max=N: answers a second, at most; 0: none */
	enum wide_drop wide_drop;
	uint32_t guard_max;    /* guard-max=N: rules of an origin in the guard */
	uint32_t probe_s;      /* probe=SECONDS: a controller's silence before it is asked */
	uint32_t fail_after_s; /* fail-after=SECONDS: without a controller, before fail-mode */
};
const struct switch_settings *ofproto_settings(const struct ofproto *o);

/* The OpenFlow tables aside, and back: a rule of our own that no message reaches stands above those
 * of table 0 and says NORMAL.  The guard goes on.  It is in no store: a switch begins with its
 * tables. */
void ofproto_standalone(struct ofproto *o, bool on);
bool ofproto_is_standalone(const struct ofproto *o);

/* Names that the control sockets want to find again after a restart, by kind ("controller"), each
 * with a text; NULL: no more. */
void ofproto_keep(struct ofproto *o, const char *kind, const char *name, const char *text,
		  struct waiter *w);
struct kept_visit {
	void (*one)(struct kept_visit *v, const char *name, const char *text);
};
/* Each of a kind, in the order they came; at the start, before the first change. */
int ofproto_kept(struct ofproto *o, const char *kind, struct kept_visit *v, struct refusal *r);

/* ---- Packets to and from controllers ---------------------------------------------------- */

/* Runs ops on a frame (ofp_packet_out): in_port is an OpenFlow number (OFPP_CONTROLLER: none). */
struct packet_out {
	uint32_t in_port;
	const void *frame;
	size_t size;
	const void *ops;
	size_t ops_size;
};
int ofproto_packet_out(struct ofproto *o, const struct packet_out *po, struct refusal *r);
/* What of that can be refused, by what is staged now. */
int ofproto_packet_out_check(struct ofproto *o, const struct packet_out *po, struct refusal *r);
/* Packets whose TTL runs out are told of (OFPR_INVALID_TTL) instead of dropped; from the next batch
 * on. */
void ofproto_tell_invalid_ttl(struct ofproto *o, bool wanted);

/* ---- News for the control sockets ------------------------------------------------------- */

struct flow_removed {
	const struct flow *flow;
	const struct flow_stats *stats;
	uint8_t reason; /* OFPRR_* */
};

/* One per server (OpenFlow, management): called on the control thread. */
struct listener {
	struct listener *next;
	void (*flow_removed)(struct listener *l, const struct flow_removed *fr);
	void (*packet_in)(struct listener *l, const struct event_packet_in *pi,
			  const struct flow *flow);
	void (*port_status)(struct listener *l, const struct port *port,
			    uint8_t reason); /* OFPPR_* */
	/* A record as a worker took it (datapath/sample.h), valid during the call. */
	void (*sample)(struct listener *l, unsigned worker, const struct sample_record *s);
};
void ofproto_listen(struct ofproto *o, struct listener *l);
void ofproto_unlisten(struct ofproto *o, struct listener *l);

/* ---- Seeing ------------------------------------------------------------------------------ */

/* What would happen to a packet that is never sent: FLOW text (in_port=…,ip,…) or a frame in
 * hexadecimal; text comes out, stage by stage. */
int ofproto_trace(struct ofproto *o, const char *packet, struct buf *text, struct refusal *r);
/* The next real packets that match: records them for `n` packets. */
int ofproto_trace_next(struct ofproto *o, const struct match *m, unsigned n, struct refusal *r);
void ofproto_trace_read(struct ofproto *o, struct buf *text);

#endif
