/* SPDX-License-Identifier: Apache-2.0 */
/* Labelled scenarios: a site's ordinary traffic, and on top of it an attack or a lawful peak.
 *
 * The site is 10.9.0.0/16 behind a gateway of two ports and three connections.  Everything lasts
 * from 0 to `end`; what is special begins at SPECIAL_S, so that much time is there to learn.
 * Each kind of special comes in two variants: for attacks small and large, for peaks easy and
 * hard, where hard is what real ones look like on a bad day: servers that do not keep up, answers
 * that are few.  Seeds are in the table (kinds.def), so anybody can make the same streams. */
#ifndef SLUICE_TESTS_WATCH_SCENARIO_H
#define SLUICE_TESTS_WATCH_SCENARIO_H

#include "tests/watch/stream.h"

enum { SPECIAL_S = 40, AFTER_S = 25 };

/* Hosts of the site, 10.9.0.0 + … */
#define SITE 0x0a090000u
enum {
	WEB = 10, /* … 19: web servers */
	BACKUP = 30,
	GAME = 40,
	SFU = 50, /* of conferences */
	RESOLVER = 53,
	NAMES = 54, /* authoritative */
	MONITOR = 60,
	RECEIVER = 80, /* of one-way streams */
	SYSLOG = 90,
	CLOCK = 123,
	TUNNEL = 200,
	OFFICE = 256,  /* 10.9.1.0/24 */
	HOMES = 512,   /* 10.9.2.0/24 */
	UNUSED = 1024, /* 10.9.4.0/24: servers that are rarely asked */
};

struct scenario {
	const char *name;
	bool attack;
	void (*make)(struct stream *s, const struct scenario *sc);
	unsigned size; /* the variant: packets a second of attacks, 0 easy and 1 hard of peaks */
	uint64_t seed;
	double seconds; /* that the special lasts */
};
/* Two for each row of kinds.def.  Runs differ by their seed. */
unsigned scenario_count(void);
struct scenario scenario_at(unsigned i, unsigned run);

/* When the special is on, and when all ends. */
struct span scenario_special(const struct scenario *sc);
double scenario_end(const struct scenario *sc);
/* Background and special, sorted. */
void scenario_make(const struct scenario *sc, struct stream *s);

void background(struct stream *s, double seconds);
/* attacks.c and peaks.c: one function for each kind. */
#define KIND(NAME, ...) void make_##NAME(struct stream *s, const struct scenario *sc);
#include "tests/watch/kinds.def"
#undef KIND

#endif
