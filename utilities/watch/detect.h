/* SPDX-License-Identifier: Apache-2.0 */
/* Detection: what comes to each target, what is usual there, and when it is too much.
 *
 * `struct traffic` measures, once for all pipelines: rates of packets and bits per target and class
 * (attacks.def), how many distinct sources, and what goes back.  A target is an address, a
 * prefix (/24, /64), a connection or a port.  Heavy ones have an entry (Space-Saving: the smallest
 * gives way); a Count-Min sketch knows the rest; distinct counts are sketches too.  Memory is
 * fixed when it is made, whatever arrives.
 *
 * *Usual* is a baseline per target and class that learns by hour of week, and does not learn while
 * the target is above it.  `struct signal` is one pipeline's question (above=, times=, of=N/M …):
 * signal_tick() looks at the entries of its kind once a window and says when an attack
 * begins, goes on, and is over, with N-of-M hysteresis both ways.
 *
 * Time comes in from outside (samples and ticks), so it can be warped.  Single thread. */
#ifndef SLUICE_WATCH_DETECT_H
#define SLUICE_WATCH_DETECT_H

#include "datapath/match.h"
#include "lib/options.h"
#include "utilities/watch/sample.h"

enum target_kind { TARGET_ADDRESS, TARGET_PREFIX, TARGET_CONN, TARGET_PORT, N_TARGETS };
extern const char *const target_kinds[N_TARGETS + 1]; /* address, prefix, … */

struct target {
	uint8_t kind;
	struct ip_prefix prefix; /* of an address: /32, /128 */
	uint32_t port;           /* OpenFlow number of a connection or port */
};
const char *target_text(const struct target *t, char buf[64]);
/* The match that says "to this target", and no more. */
void target_match(const struct target *t, struct match *m);
bool target_parse(const char *text, struct target *t);

/* Kinds of attack: rows of attacks.def. */
enum attack_kind {
#define ATTACK(ID, NAME, TEXT) ATTACK_##ID,
#include "utilities/watch/attacks.def"
#undef ATTACK
	N_ATTACKS
};
extern const char *const attack_names[N_ATTACKS + 1];

/* The `signal` line of a pipeline:
 * kind=WORD target=address|prefix|conn|port above=RATE[,RATE] (packets or bits a second, both
 * bounds hold) times=X (over usual) of=N/M window=TIME learn=TIME (before it may be believed)
 * clear=TIME (below for so long: over). */
struct signal_config {
	uint8_t kind, target;
	uint64_t above_pps, above_bps;
	double times;
	unsigned n, m;
	uint64_t window_ns, learn_ns, clear_ns;
};
int signal_parse(struct signal_config *s, struct options *words, struct refusal *r);

struct attack {
	uint64_t id; /* of this run, from 1 */
	uint8_t kind;
	struct target target;
	struct match match; /* target and class: nothing wider may be done about it */
	uint64_t first_ns;  /* the first window above */
	uint64_t found_ns;  /* N of M */
	double pps, bps, usual_pps, usual_bps;
	uint32_t n_sources; /* distinct, in the last window: an estimate */
	double answered;    /* packets back per packet in; < 0: the way back is not seen */
	bool learned;       /* usual is worth something */
	const char *why;    /* static text: what gave it away */
};

struct attack_sink {
	void (*found)(struct attack_sink *s, struct attack *a);
	void (*goes_on)(struct attack_sink *s, struct attack *a); /* each window; new figures */
	void (*over)(struct attack_sink *s, struct attack *a);    /* freed behind this */
};

struct traffic;
struct traffic *traffic_create(void); /* all the memory there will be; aborts without */
void traffic_free(struct traffic *t);
void traffic_sample(struct traffic *t, const struct watch_sample *s);
void traffic_tick(struct traffic *t, uint64_t now_ns); /* at least every TRAFFIC_TICK_NS */
#define TRAFFIC_TICK_NS (250 * NSEC_PER_MSEC)
size_t traffic_memory(const struct traffic *t); /* octets */

/* Baselines last: one file, written aside and renamed.  A broken one is refused in a line and what
 * it would have said is learned anew.  Wall-clock seconds give the hour of the week. */
int traffic_save(const struct traffic *t, const char *file);
int traffic_load(struct traffic *t, const char *file, struct refusal *r);
void traffic_set_wall(struct traffic *t, int64_t wall_s_at_zero); /* of ns 0 */

/* What is usual and what is now, over all targets: for `status`. */
struct traffic_total {
	double pps, bps, usual_pps, usual_bps;
	struct target top;
	double top_pps, top_bps;
	bool learned;
};
void traffic_total(const struct traffic *t, struct traffic_total *out);

struct signal;
struct signal *signal_create(const struct signal_config *c);
void signal_free(struct signal *s); /* attacks that go on are forgotten, without a word */
void signal_tick(struct signal *s, struct traffic *t, uint64_t now_ns, struct attack_sink *to);

#endif
