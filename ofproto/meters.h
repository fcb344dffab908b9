/* SPDX-License-Identifier: Apache-2.0 */
/* Meters, the control side (TS-023, 5.7, 7.3.4.4, 7.3.5.11 to 13): added, changed, deleted, read.
 *
 * A meter is remembered as it was given (`struct meter_config`: flags, bands in their order) and
 * compiled into a `struct meter` for the workers (datapath/meter.h).  Changes are steps of the
 * open group like those of rules: staged, committed, published, or undone; in the store a meter is
 * its text, by its number.  Rules hold a meter by its number alone; how many in the stage do is
 * counted, and deleting a meter deletes them (TS-023, 6.4).
 *
 * **Units.**  A rate is kilobits (1,000) or packets a second, a burst kilobits or packets; without
 * one, or where the flag OFPMF_BURST is not set, it is a tenth of a second's worth, at least ten
 * full frames.  Octets are those that counters count.  All meters count, whether OFPMF_STATS was
 * set or not; the flag is read back as given.  Counters begin again with the daemon.
 *
 * **Aggregates.**  SLUICE_METER_AGGREGATE makes the unit the aggregate: asked before decryption
 * (datapath/early.c), dropping only.  What it counts is not authenticated: whoever forges an
 * SPI spends it.  Hence a rule with one is refused (meters_admit) unless all its match is known
 * early and, where it covers a connection that receives, unless it says unverified=yes.
 *
 * Limits: METERS_MAX meters, METER_BANDS bands each; what is above is refused, and counted.
 * Control thread. */
#ifndef SLUICE_OFPROTO_METERS_H
#define SLUICE_OFPROTO_METERS_H

#include "datapath/meter.h"
#include "ofproto/ofproto.h"

struct meter_band_config {
	uint16_t type;        /* OFPMBT_* */
	uint8_t prec_level;   /* dscp_remark */
	uint32_t rate, burst; /* in the meter's unit; burst 0: none was given */
};

struct meter_config {
	uint32_t number;
	uint16_t flags; /* OFPMF_*, SLUICE_METER_AGGREGATE */
	unsigned n_bands;
	struct meter_band_config band[METER_BANDS];
};

struct meter_stats {
	uint32_t n_flows;
	uint64_t duration_ns;
	struct meter_count in, band[METER_BANDS];
};

/* The lines that people and the store write: `meter=1,kbps,burst,stats,bands=type=drop,rate=1000,
 * burst_size=100,type=dscp_remark,rate=500,prec_level=1`, as ovs-ofctl has it, and `aggregate`.
 * parse() checks the words; meter_check() what they mean. */
int meter_parse(const char *text, struct meter_config *m, struct refusal *r);
/* `meter=N`, `all`, or nothing: OFPM_ALL. */
int meter_parse_which(const char *text, uint32_t *number, struct refusal *r);
void meter_format(const struct meter_config *m, struct buf *text);
int meter_check(const struct meter_config *m, struct refusal *r);

/* One meter-mod, from any side: OFPMC_*.  A delete takes the number alone, OFPM_ALL for all. */
int ofproto_meter_mod(struct ofproto *o, uint16_t command, const struct meter_config *m,
		      struct waiter *w, struct refusal *r);

/* The meters in the stage, by number; `number` is one's or OFPM_ALL.  A non-zero return ends the
 * walk. */
struct meter_visit {
	int (*meter)(struct meter_visit *v, const struct meter_config *m,
		     const struct meter_stats *s);
};
void ofproto_meters(struct ofproto *o, uint32_t number, struct meter_visit *v);
const struct meter_config *ofproto_meter(const struct ofproto *o, uint32_t number); /* NULL: none */

struct meter_totals {
	uint32_t n;
	uint64_t n_refused; /* for want of room */
};
struct meter_totals ofproto_meter_totals(const struct ofproto *o);

/* ---- For the files beside it ---- */

struct meter_entry;

struct meters {
	struct rmap by_number; /* struct meter_entry, in the stage */
	uint32_t n, n_slots, n_free, *free_slot;
	uint32_t n_aggregate;
	uint64_t n_refused;
};

void meters_up(struct ofproto *o);
void meters_down(struct ofproto *o); /* workers have gone */
int meters_restore(struct ofproto *o, struct refusal *r);

/* Whether the stage has what a rule's instructions name, and an aggregate meter may be used by
 * such a rule. */
int meters_admit(struct ofproto *o, const struct flow *f, struct refusal *r);
/* … and the opposite question, for a connection that comes. */
int meters_admit_conn(struct ofproto *o, const struct conn *c, struct refusal *r);
/* A rule in the stage uses the meter, or does no longer. */
void meters_used(struct ofproto *o, uint32_t number, int by);
bool meter_is_aggregate(const struct ofproto *o, uint32_t number);

#endif
