/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of `struct traffic` (detect.h): what traffic.c measures and signal.c asks about.
 *
 * Each sample is classified (classify.h), its pair says how much of it nobody asked for (pairs.h),
 * and that share is added to its destination's address, prefix, and the connection or port that it
 * came by.  Pairs alone would call the long tail unasked: of a resolver's thousand small exchanges
 * one in 64 packets shows the question or the answer, rarely both.  So what an address sends to
 * pairs that were not known gives it *credit* too, by kind, that is worth little and does
 * not last.
 *
 * An entry's gauges only grow: whoever wants rates keeps what he saw last. */
#ifndef SLUICE_WATCH_TRAFFIC_H
#define SLUICE_WATCH_TRAFFIC_H

#include "utilities/watch/baseline.h"
#include "utilities/watch/classify.h"
#include "utilities/watch/pairs.h"
#include "utilities/watch/sketch.h"

/* The word that most of a stream's weight has (Boyer, Moore 1981): right when one has over half. */
struct vote {
	uint32_t word;
	float lead;  /* its weight beyond the others' */
	float total; /* both fade */
};

/* Of one kind, since the entry began. */
struct gauge {
	double packets, octets; /* that nobody asked for */
	double squares;         /* of the packets each sample stood for: how sure that is */
	/* That may have been asked for: not held against anybody, but part of what is usual. */
	double doubtful, doubtful_octets;
	double all, all_octets; /* asked for or not */
};

/* How many doubtful samples (pairs.h) an address may have before they count, and how fast it may
 * have new ones, a second. */
enum { PATIENCE = 96, PATIENCE_S = 2 };
enum { PINNED_S = 4 }; /* an entry that a signal looks after stays for so many seconds */

struct entry {
	struct target target;
	uint64_t hash;
	uint32_t generation;        /* another one when the place gets another target */
	uint32_t hold_s[N_ATTACKS]; /* no learning before this second (of traffic's clock) */
	struct gauge now[N_ATTACKS];
	struct vote what[N_ATTACKS];    /* family, protocol, service: what a match may say */
	struct vote where[N_ATTACKS];   /* of prefixes, connections and ports: one address? */
	float credit[N_ATTACKS];        /* of addresses: what the tail asked for */
	float patience;                 /* of addresses: samples that may be doubtful */
	float tcp, tcp_asked;           /* fading: is the way back seen here? */
	uint32_t tcp_s;                 /* seconds with TCP that these stand on */
	struct gauge second[N_ATTACKS]; /* `now` as it was when the second began */
	struct usual usual[N_ATTACKS];
	struct distinct sources[2]; /* of this second and of the last */
	uint32_t sources_s[2];      /* … and which seconds those were */
	uint32_t learned_s;         /* the first second that nothing was learned of */
};

struct table {
	struct space_saving heavy;
	struct count_min rest;
	struct entry *entry; /* one per slot of `heavy` */
	/* Entries are large and mostly idle: who looks for those with news compares these. */
	uint32_t *touched, *learned;
};

struct traffic {
	struct table table[N_TARGETS];
	struct pairs *pairs;
	struct baselines *baselines;
	uint64_t begin_ns, second_ns; /* the first sample; when this second began */
	uint32_t second;              /* since begin_ns */
	uint64_t heard_ns;            /* the last sample, of whatever */
	uint64_t silent_ns, again_ns; /* the last silence of everybody: from when, until when */
	bool begun;
	uint64_t free_ns; /* how long baselines learn freely: the least learn= that was asked */
	int64_t wall_s_at_zero;
	int hour;                     /* of the week, or -1: no clock */
	bool loaded;                  /* baselines came from a file: they may be believed at once */
	double tcp, tcp_asked;        /* fading, all over */
	struct gauge all, all_second; /* everything, for status */
	struct usual usual_all;
	double pps, bps; /* in the last second */
	struct target top;
	double top_pps, top_bps;
	uint32_t generation;
};

/* A silence of everybody that is noticed; one that is remembered whole. */
#define SILENCE_NS     (2 * TRAFFIC_TICK_NS)
#define SILENCE_MAX_NS (4 * NSEC_PER_SEC)

/* Seconds of traffic so far. */
double traffic_age(const struct traffic *t, uint64_t now_ns);
/* A signal says from when on it believes: nobody learns freely after that. */
void traffic_learn(struct traffic *t, uint64_t learn_ns);
/* What is usual there now, the hour of the week included. */
struct usual traffic_usual(struct traffic *t, const struct entry *e, unsigned kind);
/* Distinct sources in this second or the last. */
double entry_sources(const struct traffic *t, const struct entry *e);
/* Answers to this entry's TCP go through here too. */
bool traffic_sees_way_back(const struct traffic *t, const struct entry *e);

/* traffic-learn.c: what entries learn, second by second, and what is kept of them. */
void traffic_second(struct traffic *t, uint64_t now_ns);
void entry_remember(struct traffic *t, const struct entry *e);
void entry_recall(struct traffic *t, struct entry *e);

uint64_t target_hash(const struct target *t);

#endif
