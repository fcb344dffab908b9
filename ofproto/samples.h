/* SPDX-License-Identifier: Apache-2.0 */
/* What workers sampled (datapath/sample.h), on the control side.
 *
 * Three memories of fixed size.  *Listeners* hear of each record as it comes (struct listener's
 * `sample`): sFlow export stands on that.  *Snapshots* are the last SNAPSHOTS records of each
 * worker, whole: dry runs and `top` read them.  *The past* is what `why` reads: 15 minutes of
 * records cut to addresses, ports, length and end, at most PAST_PER_S a second, chosen at random
 * within their second and weighted so that sums stay true.  What a rule asked for
 * (SAMPLE_BY_RULE) is of no pool: listeners and snapshots have it, estimates and the past do not.
 *
 * Estimates are sums of `every` over records.  Control thread. */
#ifndef SLUICE_OFPROTO_SAMPLES_H
#define SLUICE_OFPROTO_SAMPLES_H

#include "datapath/sample.h"
#include "ofproto/ofproto.h"

enum { SNAPSHOTS = 4096, PAST_S = 15 * 60, PAST_PER_S = 128 };

/* Every snapshot not older than `since_ns` (of ofproto_now), the last that ended first within a
 * worker; a non-zero return ends the walk. */
struct snapshot_visit {
	int (*snapshot)(struct snapshot_visit *v, unsigned worker, const struct sample_record *s);
};
void ofproto_snapshots(struct ofproto *o, uint64_t since_ns, struct snapshot_visit *v);

/* What a match would have met among the snapshots. */
struct dry_run {
	uint64_t oldest_ns;          /* age of the oldest snapshot; 0: there are none */
	uint32_t n, n_hit;           /* snapshots looked at, and hit */
	uint32_t n_unknown;          /* … and left out: what is kept of them does not say */
	uint64_t packets, hit;       /* estimates of what they stand for */
	uint64_t octets, hit_octets; /* … in octets */
	uint64_t hit_dropped;        /* of `hit`: what was dropped anyhow */
	uint32_t n_sources;          /* distinct ip_src among the hit, at most n_hit */
	uint32_t n_targets;          /* distinct ip_dst */
};
enum { DRY_RUN_EVIDENCE = 100 }; /* with fewer snapshots than these there is no evidence */
void ofproto_dry_run(struct ofproto *o, const struct match *m, struct dry_run *out);

/* One record of the past. */
struct past_record {
	uint64_t ns;
	struct ip src, dst;             /* the DU's; of a dropped aggregate: the outer ones */
	struct ip outer_src, outer_dst; /* family 0: none */
	uint16_t sport, dport;
	uint8_t proto, end, reason, flags; /* as in struct sample_record */
	uint32_t in_port, out_port, rule_id;
	int64_t rule_key; /* the rule itself: ids are given again (flows.h, entry's key); 0 */
	uint64_t packets, octets; /* what it stands for */
};
struct past_visit {
	int (*record)(struct past_visit *v, const struct past_record *r);
};
/* Those since `since_ns`, second by second, within one in no order. */
void ofproto_past(struct ofproto *o, uint64_t since_ns, struct past_visit *v);

#endif
