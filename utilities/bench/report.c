/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utilities/bench/bench.h"

static const char *const stage_names[] = {
#define STAGE(NAME) #NAME,
	BENCH_STAGES(STAGE)
#undef STAGE
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct quartiles {
	double low, median, high;
};

static double at(const double *sorted, unsigned n, double part)
{
	double where = part * (n - 1);
	unsigned i = (unsigned)where;

	return i + 1 < n ? sorted[i] + (where - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

static struct quartiles quartiles_of(const struct cell *c)
{
	double sorted[ROUNDS_MAX];
	unsigned n = c->n_rounds;

	memcpy(sorted, c->ns, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_value);
	return (struct quartiles){at(sorted, n, .25), at(sorted, n, .5), at(sorted, n, .75)};
}

static const char *cache_word(const struct cell *c)
{
	return !c->scenario->cache ? "none" : c->cache_off ? "off" : "on";
}

static bool has_cache(const struct cell *c)
{
	return c->scenario->cache && !c->cache_off && c->n_timed;
}

static double hit_rate(const struct cell *c)
{
	return (double)c->n_hits / (double)c->n_timed;
}

static bool agrees(const struct cell *c)
{
	return c->verdicts.checksum == c->verdicts.twin;
}

/* Two decimals are more than a measurement has. */
static json_t *rounded(double ns)
{
	char text[40];

	snprintf(text, sizeof text, "%.2f", ns);
	return json_real(strtod(text, NULL));
}

static json_t *stages_json(const struct cell *c)
{
	json_t *stages = json_object();

	for (unsigned i = 0; i < N_BENCH_STAGES; i++)
		json_object_set_new(stages, stage_names[i], rounded(c->stage_ns[i]));
	return stages;
}

static void put_checksum(json_t *o, const struct cell *c)
{
	char text[20];

	if (!c->verdicts.n)
		return;
	snprintf(text, sizeof text, "%016llx", (unsigned long long)c->verdicts.checksum);
	json_object_set_new(o, "verdict_checksum", json_string(text));
	json_object_set_new(o, "verdict_packets", json_integer(c->verdicts.n));
	json_object_set_new(o, "verdicts_agree", json_boolean(agrees(c)));
}

static json_t *cell_json(const struct cell *c, const struct bench_options *o)
{
	struct quartiles q = quartiles_of(c);
	json_t *j =
		json_pack("{s:s, s:s, s:i, s:i, s:I, s:s, s:s, s:I, s:i}", "name", c->name,
			  "scenario", c->scenario->name, "rules", (int)bed_n_rules(c->bed), "masks",
			  (int)bed_n_masks(c->bed), "flows", (json_int_t)c->traffic.class->flows,
			  "traffic", c->traffic.class->name, "cache", cache_word(c), "packets",
			  (json_int_t)c->packets, "rounds", (int)c->n_rounds);

	json_object_set_new(j, "rule_set", json_string(c->rules->name));
	json_object_set_new(j, "seed", json_integer((json_int_t)o->seed));
	json_object_set_new(j, "ns_per_packet", rounded(q.median));
	json_object_set_new(j, "ns_quartiles",
			    json_pack("[o, o]", rounded(q.low), rounded(q.high)));
	if (has_cache(c))
		json_object_set_new(j, "hit_rate", rounded(hit_rate(c)));
	if (c->instructions > 0)
		json_object_set_new(j, "instructions_per_packet", rounded(c->instructions));
	if (c->has_stages) {
		json_object_set_new(j, "stages", stages_json(c));
		json_object_set_new(j, "stages_overhead_ns", rounded(stage_overhead_ns()));
	}
	put_checksum(j, c);
	return j;
}

static void print_json(json_t *j)
{
	json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	fputc('\n', stdout);
	fflush(stdout);
	json_decref(j);
}

/* ---- For people -------------------------------------------------------------------------------
 */

void report_head(const struct bench_options *o)
{
	if (o->json)
		return;
	printf("Nanoseconds of one core per packet, in memory: median of %u rounds (quartiles).\n"
	       "Verdicts: what became of the first packets is what the linear twin says.\n\n",
	       o->rounds);
	printf("%-34s %8s %19s %9s %8s  %s\n", "scenario/rules/traffic/cache", "ns", "quartiles",
	       "million/s", "verdicts", "where the time goes (ns)");
}

static void print_stages(const struct cell *c)
{
	for (unsigned i = 0; c->has_stages && i < N_BENCH_STAGES; i++)
		if (c->stage_ns[i] >= 1)
			printf(" %s %.0f", stage_names[i], c->stage_ns[i]);
}

static void print_cell(const struct cell *c, const char *name, const char *more)
{
	struct quartiles q = quartiles_of(c);
	char range[40];

	snprintf(range, sizeof range, "%.1f to %.1f", q.low, q.high);
	printf("%-34s %8.1f %19s %9.2f %8s ", name, q.median, range, 1e3 / q.median,
	       !c->verdicts.n ? "-"
	       : agrees(c)    ? "equal"
			      : "DIFFER");
	print_stages(c);
	if (has_cache(c))
		printf(" hits %.0f %%", 100 * hit_rate(c));
	if (c->instructions > 0)
		printf(" instructions %.0f", c->instructions);
	printf("%s%s\n", *more ? " " : "", more);
	fflush(stdout);
}

void report_cell(const struct cell *c, const struct bench_options *o)
{
	if (o->json)
		print_json(cell_json(c, o));
	else
		print_cell(c, c->name, "");
}

void report_slowest(const struct cell *c, unsigned n, const struct bench_options *o)
{
	json_t *candidates = json_object(), *j;
	const struct cell *worst = c;
	char name[96], more[80];

	for (unsigned i = 0; i < n; i++) {
		double ns = quartiles_of(&c[i]).median;

		json_object_set_new(candidates, c[i].traffic.class->name, rounded(ns));
		worst = ns > quartiles_of(worst).median ? &c[i] : worst;
	}
	snprintf(name, sizeof name, "%s/%s/worst/%s", c->scenario->name, c->rules->name,
		 cache_word(c));
	snprintf(more, sizeof more, "(%s, of %u)", worst->traffic.class->name, n);
	if (!o->json) {
		json_decref(candidates);
		print_cell(worst, name, more);
		return;
	}
	j = cell_json(worst, o);
	json_object_set_new(j, "name", json_string(name));
	json_object_set_new(j, "candidates", candidates);
	print_json(j);
}
