/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-bench: what a packet costs in memory.  Exit status: 0 done, 1 verdicts differ from the
 * linear twin's (or something could not be set up), 2 wrong usage. */
#include "config.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utilities/bench/bench.h"
#include "utilities/help.h"

enum { DONE, DIFFER, MISUSED };
enum { PATTERNS_MAX = 64, CELLS_MAX = 256 };

const struct scenario *const scenarios[] = {
#define SCENARIO(OBJECT) &OBJECT,
#include "utilities/bench/scenarios.def"
#undef SCENARIO
	NULL};

struct run {
	struct bench_options o;
	const char *pattern[PATTERNS_MAX];
	unsigned n_patterns;
	bool list, differ, callgrind, counted; /* counted: a process of cell_callgrind()'s */
	struct cell *cell;                     /* of the scenario that runs */
	unsigned n_cells;
};

static int misused(const char *text, const char *word)
{
	fprintf(stderr, "sluice-bench: %s%s; see --help\n", text, word);
	return MISUSED;
}

/* ---- Cells -------------------------------------------------------------------------------------
 */

/* A scenario's name, or a pattern of whole names. */
static bool wanted(const struct run *run, const struct scenario *s, const char *name)
{
	for (unsigned i = 0; i < run->n_patterns; i++)
		if (!fnmatch(run->pattern[i], s->name, 0) || !fnmatch(run->pattern[i], name, 0))
			return true;
	return !run->n_patterns;
}

static void add_cell(struct run *run, const struct cell *like)
{
	static const char *const words[] = {"on", "off"};
	struct cell *c = &run->cell[run->n_cells];

	*c = *like;
	snprintf(c->name, sizeof c->name, "%s/%s/%s/%s", c->scenario->name, c->rules->name,
		 c->traffic.class->name, c->scenario->cache ? words[c->cache_off] : "none");
	if (!wanted(run, c->scenario, c->name))
		return;
	if (++run->n_cells == CELLS_MAX)
		bench_die("more than %u cells in %s", CELLS_MAX - 1, c->scenario->name);
}

static void make_cells(struct run *run, const struct scenario *s)
{
	run->n_cells = 0;
	for (const char *const *rules = s->rules; *rules; rules++)
		for (unsigned off = 0; off < (s->cache ? 2 : 1); off++)
			for (const char *const *traffic = s->traffic; *traffic; traffic++)
				add_cell(run, &(struct cell){.scenario = s,
							     .rules = ruleset_by_name(*rules),
							     .cache_off = off,
							     .traffic.class =
								     traffic_by_name(*traffic)});
}

/* Cells with the same rules stand together and share a bed. */
static void open_beds(struct run *run)
{
	for (unsigned i = 0; i < run->n_cells; i++) {
		struct cell *c = &run->cell[i];

		c->bed = i && c[-1].rules == c->rules ? c[-1].bed : bed_open(c->scenario, c->rules);
		traffic_init(&c->traffic, c->bed, c->traffic.class, run->o.seed);
	}
}

static void close_beds(struct run *run)
{
	for (unsigned i = 0; i < run->n_cells; i++)
		if (i + 1 == run->n_cells || run->cell[i + 1].bed != run->cell[i].bed)
			bed_close(run->cell[i].bed);
}

/* ---- Running -----------------------------------------------------------------------------------
 */

static void compare(struct run *run)
{
	for (unsigned i = 0; i < run->n_cells; i++) {
		struct cell *c = &run->cell[i];

		verdicts_take(c, &c->verdicts);
		if (c->verdicts.checksum == c->verdicts.twin)
			continue;
		run->differ = true;
		fprintf(stderr, "sluice-bench: %s: verdicts differ from the linear twin's\n",
			c->name);
	}
}

static void measure(struct run *run)
{
	for (unsigned i = 0; i < run->n_cells; i++)
		cell_size(&run->cell[i], &run->o);
	for (unsigned round = 0; round < run->o.rounds; round++)
		for (unsigned i = 0; i < run->n_cells; i++)
			cell_round(&run->cell[i]);
	for (unsigned i = 0; run->o.stages && i < run->n_cells; i++)
		cell_stages(&run->cell[i]);
	for (unsigned i = 0; run->callgrind && i < run->n_cells; i++)
		if (!cell_callgrind(&run->cell[i], &run->o))
			bench_die("valgrind does not run here; it counts instructions");
}

static void report(const struct run *run, const struct scenario *s)
{
	unsigned n;

	for (unsigned i = 0; i < run->n_cells; i += n) {
		const struct cell *c = &run->cell[i];

		for (n = 1; s->slowest && i + n < run->n_cells && c[n].bed == c->bed &&
			    c[n].cache_off == c->cache_off;
		     n++)
			;
		if (s->slowest)
			report_slowest(c, n, &run->o);
		else
			report_cell(c, &run->o);
	}
}

static void run_scenario(struct run *run, const struct scenario *s)
{
	make_cells(run, s);
	if (!run->n_cells)
		return;
	if (run->list) {
		printf("%s: %s\n", s->name, s->help);
		for (unsigned i = 0; i < run->n_cells; i++)
			printf("  %s\n", run->cell[i].name);
		return;
	}
	open_beds(run);
	if (run->counted) {
		for (unsigned i = 0; i < run->n_cells; i++) {
			run->cell[i].packets = run->o.packets;
			cell_round(&run->cell[i]);
		}
		close_beds(run);
		return;
	}
	compare(run);
	if (run->o.check) {
		for (unsigned i = 0; i < run->n_cells; i++)
			printf("%s: %u verdicts\n", run->cell[i].name, run->cell[i].verdicts.n);
	} else {
		measure(run);
		report(run, s);
	}
	close_beds(run);
}

/* ---- Options
 * ------------------------------------------------------------------------------------- */

static int number(const char *text, struct range range, uint64_t *out)
{
	uint64_t n;

	if (parse_u64(text, &n) || n < range.min || n > range.max)
		return misused("not a number in bounds: ", text);
	*out = n;
	return 0;
}

static int take_option(struct run *run, int option, const char *word)
{
	uint64_t n = 0;

	switch (option) {
	case 'l':
		run->list = true;
		return 0;
	case 's':
		if (run->n_patterns == PATTERNS_MAX)
			return misused("too many --scenario", "");
		run->pattern[run->n_patterns++] = optarg;
		return 0;
	case 'j':
		run->o.json = true;
		return 0;
	case 'c':
		run->o.check = true;
		return 0;
	case 'n':
		run->o.stages = false;
		return 0;
	case 'g':
		run->callgrind = true;
		return 0;
	case 'G':
		run->counted = true;
		return 0;
	case 'r':
		if (number(optarg, (struct range){1, ROUNDS_MAX}, &n))
			return MISUSED;
		run->o.rounds = (unsigned)n;
		return 0;
	case 'p':
		run->o.packets_given = true;
		return number(optarg, (struct range){1, 1ull << 32}, &run->o.packets);
	case 'S':
		return number(optarg, (struct range){0, UINT32_MAX}, &run->o.seed);
	default:
		return misused("no such option, or its value is missing: ", word);
	}
}

/* Returns -1 to go on, or the status to exit with. */
static int parse_options(int argc, char **argv, struct run *run)
{
	static const struct option options[] = {{"list", no_argument, NULL, 'l'},
						{"scenario", required_argument, NULL, 's'},
						{"json", no_argument, NULL, 'j'},
						{"check", no_argument, NULL, 'c'},
						{"no-stages", no_argument, NULL, 'n'},
						{"callgrind", no_argument, NULL, 'g'},
						{"counted", no_argument, NULL, 'G'},
						{"rounds", required_argument, NULL, 'r'},
						{"packets", required_argument, NULL, 'p'},
						{"seed", required_argument, NULL, 'S'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'V'},
						{NULL, 0, NULL, 0}};
	int option, status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		if (option == 'h') {
			help_bench(stdout);
			return DONE;
		}
		if (option == 'V') {
			puts("sluice-bench (" PACKAGE_STRING ")");
			return DONE;
		}
		status = take_option(run, option, argv[optind - 1]);
		if (status)
			return status;
	}
	return optind < argc ? misused("there are options only: ", argv[optind]) : -1;
}

int main(int argc, char **argv)
{
	static struct run run = {.o = {.rounds = 7, .packets = 131072, .seed = 1, .stages = true}};
	int status = parse_options(argc, argv, &run);

	if (status >= 0)
		return status;
	run.cell = calloc(CELLS_MAX, sizeof *run.cell);
	if (!run.cell)
		bench_die("no memory");
	if (!run.list && !run.o.check && !run.counted)
		report_head(&run.o);
	for (unsigned i = 0; scenarios[i]; i++)
		run_scenario(&run, scenarios[i]);
	free(run.cell);
	return run.differ ? DIFFER : DONE;
}
