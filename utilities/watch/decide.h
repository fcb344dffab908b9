/* SPDX-License-Identifier: Apache-2.0 */
/* Decision: from an attack to a rule, and back.
 *
 * A *pipeline* is a file of three lines, in the words of the configuration language
 * (examples/watch; pipeline.h has every option):
 *
 *	signal kind=udp target=address above=2kpps times=3 of=2/3 window=500ms learn=1h clear=30s
 *	policy mode=automatic allow=10.9.0.53 protect=10.9.1.0/24 max-rules=16 collateral=1%
 *	action limit=usual then=drop after=10s expire=60s hold=20s alert=syslog,command:FILE
 *
 * `mode` is monitor (the default: say, do nothing), ask (propose; an operator accepts) or
 * automatic.  `allow` names sources that no rule may hit, `protect` targets that no rule may touch:
 * a rule that lies within them is not made, one that overlaps them gets a `pass` in front.
 * `collateral` is the share of lawful packets, by the samples from before, that a rule may cost.
 * Several pipelines run side by side, each with its quota.
 *
 * A *profile* is the smallest match (over DU and collected fields together) that covers the attack
 * with the least collateral; never wider than the attack's own match.
 *
 * A *case* is one attack that a pipeline deals with: found → installed (limit) → escalated (drop)
 * → lifted.  It ends when the rule's own counters and the signal both say that it is over; the rule
 * is renewed before its expiry as long as they do not, and expires by itself when nobody does.
 *
 * What touches a switch goes through `struct actuator`: the management socket, or a replay's
 * pretence.  Every decision is one line of the audit log, with the numbers it was taken on.  Single
 * thread. */
#ifndef SLUICE_WATCH_DECIDE_H
#define SLUICE_WATCH_DECIDE_H

#include <jansson.h>

#include "utilities/watch/detect.h"

enum mode { MODE_MONITOR, MODE_ASK, MODE_AUTOMATIC };
/* GUARD_PASS is what a pipeline's rule must spare: a narrower match in front of it. */
enum guard_action { GUARD_LIMIT, GUARD_DROP, GUARD_PASS };

/* What a pipeline wants in the guard.  The cookie says whose it is: the pipeline's hash above, the
 * attack's target and kind below; so a watcher that starts anew knows its own. */
struct guard_rule {
	uint64_t cookie;
	struct match match;
	uint16_t priority;
	uint8_t action;                /* enum guard_action */
	uint64_t limit_bps, limit_pps; /* of GUARD_LIMIT: one of them, the other is 0 */
	uint64_t expire_ns;            /* from now */
	char reason[200]; /* `PIPELINE KIND TARGET: …`: for people, and read back by restarts */
};
/* FLOW text: `cookie=0x…,priority=N,MATCH,actions=limit:8mbps` (or `limit:5kpps`, drop, pass). */
void guard_rule_format(const struct guard_rule *rule, struct buf *text);

struct guard_counters {
	uint64_t packets, octets; /* that the rule matched, since it was made */
};

/* Something that has a guard.  Calls do not block: what they ask for is done, or fails, later; what
 * is known of a rule is as old as its last reading. */
struct actuator {
	/* Installs, or renews and changes (same match and priority).  done() may come at once. */
	void (*put)(struct actuator *a, const struct guard_rule *rule, void *case_);
	void (*remove)(struct actuator *a, const struct guard_rule *rule);
	void (*propose)(struct actuator *a, const struct guard_rule *rule, void *case_);
	/* False: it is not there (expired, undone, not yet there). */
	bool (*counters)(struct actuator *a, const struct guard_rule *rule,
			 struct guard_counters *out);
	/* Set by the decider: how a put or propose went.  `refused` NULL: it is in force. */
	void (*done)(void *arg, void *case_, const char *refused);
	void *done_arg;
};

/* Where decisions are written: one JSON object each (taken).  Has "ns", "pipeline", "what"
 * (found, proposed, installed, renewed, escalated, refused, lifted, over, ignored), "attack",
 * "rule" (FLOW text), "reason", and the numbers. */
struct audit {
	void (*write)(struct audit *a, json_t *entry);
};

struct alert_sink {
	/* `to` is one word of alert=; the same (pipeline, target, what) is said once. */
	void (*alert)(struct alert_sink *s, const char *to, const json_t *entry);
};

/* ---- Profile ---------------------------------------------------------------------------- */

/* Samples that profiles stand on: the last ones, and a picture of those from before. */
struct recent; /* recent.h */

struct profile {
	struct match match;
	double covers;     /* share of the attack that it hits: of what came beyond the usual */
	double collateral; /* share of the lawful packets to the same target that it hits */
	unsigned n_attack, n_before;   /* samples it stands on */
	unsigned n_fields;             /* that narrow it beyond the attack's own match */
	double before_s;               /* how long a time the lawful samples are from */
	double lawful_pps, lawful_bps; /* of what it hits, before */
	double attack_pps, attack_bps; /* … and since */
};
/* Uses samples since a->first_ns as the attack's (lawful ones are among them: what came at the same
 * rate before is taken off), and those before as lawful. */
void profile_make(const struct recent *r, const struct attack *a, struct profile *out);

/* ---- Pipelines --------------------------------------------------------------------------- */

struct watch_config {
	const char *pipelines; /* a folder of NAME.watch files */
	struct actuator *actuator;
	struct audit *audit;
	struct alert_sink *alerts;
};

/* The whole: samples in, decisions out. */
struct watch;
struct watch *watch_create(const struct watch_config *c, struct refusal *r); /* NULL: refused */
void watch_free(struct watch *w); /* rules stay, and expire */
struct sample_sink *watch_sink(struct watch *w);
void watch_tick(struct watch *w, uint64_t now_ns); /* every TRAFFIC_TICK_NS */
/* Reads the folder again.  A file that is refused leaves its pipeline as it was; cases go on. */
int watch_reload(struct watch *w, struct refusal *r);
struct traffic *watch_traffic(struct watch *w);
/* A rule of ours was found in the guard: its case goes on.  What no pipeline wants is removed. */
void watch_adopt(struct watch *w, const struct guard_rule *rule);
/* The switch was reached (again), and all of ours in it was adopted: cases whose rule is not there
 * put it anew.  A rule that vanishes at any other time was taken away by somebody, and is left
 * alone until its attack is over. */
void watch_connected(struct watch *w);
/* Automation off and on again (panic): nothing is put while it is off. */
void watch_set_automation(struct watch *w, bool on);
/* For status: pipelines by mode, cases under way, totals. */
json_t *watch_report(struct watch *w, uint64_t now_ns);

#endif
