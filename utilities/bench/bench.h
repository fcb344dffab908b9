/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-bench: what a packet costs in memory, on one core, without input or output.
 *
 * A *scenario* (a row of scenarios.def, one file) runs over *rule sets* (rules.c) and *traffic*
 * (traffic.c); each combination, with the workers' cache on or off, is a *cell*, named
 * SCENARIO/RULES/TRAFFIC/CACHE.  Cells of one scenario and one rule set share a *bed*: an offline
 * switch with one worker, two ports of the bench's own, and the rules, put there as an operator's
 * are.
 *
 * **What is timed.**  A slice of BENCH_SLICE packets is written into frames of the worker's UMEM,
 * outside the measurement, as a full rx ring would hold them; then worker_turn() polls the bench's
 * port, which hands over batches of 64, and runs them through the real spine to their end, where
 * the output port only recycles.  That second part is timed by the thread's CPU clock, once a
 * slice.  A round is as many slices as give the packets asked for; rounds of all cells of a
 * scenario are interleaved, and the median and the quartiles of a cell's rounds are shown.  Stages
 * are timed by the processor's counter in rounds of their own.
 *
 * **What is compared.**  Each cell's first packets go the same way with every packet sampled, and
 * what became of each (rule, reason or output) is hashed with its number; the linear twin of the
 * rule table answers for the same keys, and both checksums must be equal.
 *
 * One thread; a bed is used by one cell at a time. */
#ifndef SLUICE_UTILITIES_BENCH_H
#define SLUICE_UTILITIES_BENCH_H

#include "datapath/spine.h"
#include "ofproto/ofproto.h"

enum {
	BENCH_SLICE = 2048, /* packets written at once: what a port's rx ring holds */
	BENCH_FRAME = 2048, /* octets of the longest frame */
	ROUNDS_MAX = 999,
	IN_OFPORT = 1,
	OUT_OFPORT = 2,
};

struct bed;
struct verdicts;
struct scenario;
struct cell;

/* ---- Traffic (traffic.c) ------------------------------------------------------------------- */

/* An IPv4 packet over UDP, as generators make it; host order. */
struct flow5 {
	uint32_t src, dst;
	uint16_t sport, dport;
};

/* A rule as generators see it: how many leading bits of each part it looks at (0: none). */
struct five_tuple {
	struct flow5 value;
	uint8_t src_bits, dst_bits, sport_bits, dport_bits;
};

struct traffic {
	const struct traffic_class *class;
	const struct five_tuple *tuple; /* the rule set's */
	unsigned n_tuples;
	uint64_t i; /* packets made so far */
	uint64_t random;
};

struct traffic_class {
	const char *name;
	uint64_t flows; /* 0: they never repeat */
	const char *help;
	/* The next packet; the same for the same seed and number. */
	void (*make)(struct traffic *t, struct flow5 *f);
};

extern const struct traffic_class traffic_classes[]; /* ends with a NULL name */
const struct traffic_class *traffic_by_name(const char *name);
void traffic_init(struct traffic *t, const struct bed *b, const struct traffic_class *class,
		  uint64_t seed);
uint32_t traffic_random(struct traffic *t);

/* ---- Rule sets (rules.c) --------------------------------------------------------------------- */

struct ruleset {
	const char *name;
	unsigned n, masks; /* masks: as intended; the table is asked what there are */
	const char *help;
	void (*make)(struct bed *b);
};

extern const struct ruleset rulesets[]; /* ends with a NULL name */
const struct ruleset *ruleset_by_name(const char *name);

/* ---- Beds (bed.c) ------------------------------------------------------------------------------
 */

struct bed {
	struct ofproto *ofproto;
	struct datapath *dp;
	struct worker *w;
	struct port in, out;
	const struct scenario *scenario;
	const struct ruleset *rules;
	struct five_tuple *tuple; /* of the rules, for generators */
	unsigned n_tuples;
	struct bed_slot {
		uint32_t frame;
		uint16_t size;
	} slot[BENCH_SLICE]; /* written, not yet handed over: [at, n) */
	unsigned at, n;
	void *priv; /* the scenario's */
};

struct bed *bed_open(const struct scenario *s, const struct ruleset *rules);
void bed_close(struct bed *b);
/* FLOW text; what is refused ends the program, with the reason. */
void bed_flow(struct bed *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Generators shall know this rule. */
void bed_remember(struct bed *b, const struct five_tuple *t);
/* Both; the actions are the scenario's. */
void bed_tuple(struct bed *b, unsigned priority, const struct five_tuple *t);
/* A verb of sluice-ctl, its words separated by spaces. */
void bed_verb(struct bed *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
unsigned bed_in_ofport(const struct bed *b);
unsigned bed_n_rules(const struct bed *b);
unsigned bed_n_masks(const struct bed *b);
/* Writes a slice of at most BENCH_SLICE packets. */
void bed_write(struct bed *b, struct cell *c, unsigned n);
/* The port's rx: the next written packets, at most 64. */
unsigned bed_rx(struct bed *b, struct batch *batch);
/* A frame of 60 octets (64 with its checksum) for a flow; `id` goes where IP has its
 * identification, which no rule looks at.  Returns its size. */
uint32_t bed_udp(const struct flow5 *f, uint16_t id, uint8_t *frame);
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- Scenarios ------------------------------------------------------------------------------- */

struct scenario {
	const char *name, *help;
	const char *const *rules;   /* names of rule sets; the first may be "none" */
	const char *const *traffic; /* names of traffic */
	const char *actions;        /* of all rules */
	unsigned in_ofport;         /* where rules see packets come from; 0: IN_OFPORT */
	bool cache;                 /* there are cells with the cache on and with it off */
	bool slowest; /* the slowest of its traffic is what it is about: shown as "worst" */
	/* Whatever the bed needs beside ports and rules: before the rules come.  NULL: nothing. */
	void (*open)(struct bed *b);
	void (*close)(struct bed *b);
	/* The next frame, counted in c->traffic.i; NULL: the traffic's flow over UDP.  Returns its
	 * size. */
	uint32_t (*frame)(struct cell *c, uint8_t *frame);
	/* After a slice was written, outside the measurement.  NULL: nothing. */
	void (*prepare)(struct cell *c);
	/* Takes what was written to its end; timed.  NULL: the spine. */
	void (*run)(struct cell *c);
	/* After `run` and `verdicts`, outside the measurement.  NULL: nothing. */
	void (*settle)(struct cell *c);
	/* NULL where the spine runs: the verdicts of a slice beside the linear twin's, in *v. */
	void (*verdicts)(struct cell *c, struct verdicts *v);
	/* Packets that a frame stands for (data units of an aggregate); 0: one. */
	unsigned packets_per_frame;
	bool no_verdicts; /* there are none */
};

#define SCENARIO(OBJECT) extern const struct scenario OBJECT;
#include "utilities/bench/scenarios.def"
#undef SCENARIO
extern const struct scenario *const scenarios[]; /* ends with NULL */
extern const char *const all_rules[], *const all_traffic[];

/* ---- Verdicts (verdict.c) ----------------------------------------------------------------------
 */

struct verdicts {
	uint64_t checksum, twin;
	unsigned n;
};

enum verdict_end { VERDICT_NONE, VERDICT_DROP, VERDICT_OUTPUT };

struct verdict {
	uint64_t index;
	uint32_t rule;   /* RULE_NONE */
	uint32_t end;    /* enum sample_end */
	uint32_t detail; /* a drop's reason, an output's port */
};

void verdict_add(uint64_t *checksum, const struct verdict *v);
/* Runs the cell's first packets and fills *v. */
void verdicts_take(struct cell *c, struct verdicts *v);

/* ---- Measuring (measure.c)
 * ----------------------------------------------------------------------- */

#define BENCH_STAGES(S) \
	S(rx)           \
	S(parse) S(collect) S(early) S(handoff) S(decap) S(key) S(sample) S(rules) S(actions) S(tx)
enum bench_stage {
#define STAGE(NAME) BENCH_##NAME,
	BENCH_STAGES(STAGE)
#undef STAGE
		N_BENCH_STAGES
};

struct cell {
	const struct scenario *scenario;
	const struct ruleset *rules;
	struct bed *bed;
	struct traffic traffic;
	bool cache_off;
	char name[96];
	uint64_t packets; /* of a round */
	unsigned n_rounds;
	double ns[ROUNDS_MAX];    /* per packet */
	uint64_t n_hits, n_timed; /* of all rounds: packets that the cache knew, and all */
	double stage_ns[N_BENCH_STAGES];
	bool has_stages;
	double instructions; /* per packet; 0: not counted */
	struct verdicts verdicts;
	uint64_t sum; /* what a loop computes, so that it is not left out */
};

struct bench_options {
	unsigned rounds;
	uint64_t packets, seed;
	bool packets_given, json, check, stages;
};

void cell_round(struct cell *c);
/* Chooses how many packets a round has. */
void cell_size(struct cell *c, const struct bench_options *o);
void cell_stages(struct cell *c);
/* Instructions per packet, counted by valgrind in a process that runs this cell alone.  False:
 * there is no valgrind, or it did not say. */
bool cell_callgrind(struct cell *c, const struct bench_options *o);
double stage_overhead_ns(void); /* what timing them adds to a packet, all stages together */

/* ---- Reports (report.c)
 * ---------------------------------------------------------------------------- */

void report_head(const struct bench_options *o);
void report_cell(const struct cell *c, const struct bench_options *o);
/* Of a scenario whose slowest cell is meant: `n` cells of one rule set and cache. */
void report_slowest(const struct cell *c, unsigned n, const struct bench_options *o);

#endif
