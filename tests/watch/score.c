/* SPDX-License-Identifier: Apache-2.0 */
/* How good detection is: every scenario of kinds.def through the whole watcher, in warped time.
 *
 *	score [--runs N] [--first N] [--only NAME] [--signals] [--table]
 *
 * srcdir in the environment says where the tree is, for examples/watch.
 *
 * An attack is *found* when a rule that hits it is put while it lasts; a rule is *false* when it
 * hits nothing of an attack, or when there is no attack.
 *
 * Covered is the share of the attack's packets that rules hit while one was in force; collateral
 * the share of lawful packets, whoever they are for, that they hit then; beside it the share of
 * those to the attacked addresses.  That one is large where only requests tell an attack: a limit
 * on connection requests hits lawful ones too.
 *
 * Exit 1: recall under 95 %, a false rule, or collateral over 1 %.
 * --signals scores what the signals say, as if each attack's own match were the rule.
 * Labels stay here. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/watch/scenario.h"
#include "tests/watch/subject.h"

static const double recall_wanted = 0.95, collateral_allowed = 0.01;

static struct {
	unsigned first, runs;
	const char *only;
	bool signals, table;
	const char *examples;
} options = {.runs = 1};

struct result {
	bool found;
	double after_s, covered, collateral, of_target;
	unsigned n_rules, n_false;
	char text[160], why_false[160];
};

static struct totals {
	unsigned attacks, found, rules, false_rules;
	double worst_collateral, worst_of_target;
	double cpu_s, samples;
} totals;

/* Packets while a rule was in force, and those that any rule hit; of the attack, each rule's. */
static struct {
	double attack, lawful, target; /* target: the lawful ones to attacked addresses */
} in_force, any_hit;
static double met[SUBJECT_RULES];

/* The site's addresses that are attacked; of IPv6 ones behind those of IPv4. */
static bool attacked[2 << 16];

static bool *attacked_at(const struct packet *p)
{
	return &attacked[(p->v6 << 16) | (p->dst & 0xffff)];
}

static void note_attacked(const struct stream *s)
{
	memset(attacked, 0, sizeof attacked);
	for (size_t i = 0; i < s->n; i++)
		if (s->packet[i].attack)
			*attacked_at(&s->packet[i]) = true;
}

static void count(struct subject *u, const struct packet *p, const struct watch_sample *s)
{
	bool hit = false;

	if (!u->n_in_force(u))
		return;
	for (unsigned i = 0; i < MIN(u->n_rules(u), (unsigned)SUBJECT_RULES); i++) {
		if (!u->hits(u, i, s))
			continue;
		hit = true;
		met[i] += p->attack ? EVERY : 0;
	}
	*(p->attack ? &in_force.attack : &in_force.lawful) += EVERY;
	if (hit)
		*(p->attack ? &any_hit.attack : &any_hit.lawful) += EVERY;
	if (p->attack || !*attacked_at(p))
		return;
	in_force.target += EVERY;
	any_hit.target += hit ? EVERY : 0;
}

static void play(struct subject *u, const struct stream *s, double end)
{
	uint64_t last = (uint64_t)(end * (double)NSEC_PER_SEC);
	struct watch_sample sample;
	size_t i = 0;

	for (uint64_t tick = TRAFFIC_TICK_NS; tick <= last; tick += TRAFFIC_TICK_NS) {
		for (; i < s->n && s->packet[i].ns < tick; i++) {
			stream_sample(&s->packet[i], &sample);
			count(u, &s->packet[i], &sample);
			u->sample(u, &sample);
		}
		u->tick(u, tick);
	}
}

static double share(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static void judge(struct subject *u, const struct scenario *sc, struct result *r)
{
	struct span on = scenario_special(sc);

	*r = (struct result){.after_s = INFINITY};
	r->n_rules = MIN(u->n_rules(u), (unsigned)SUBJECT_RULES);
	for (unsigned i = 0; i < r->n_rules; i++) {
		double made = (double)u->made_ns(u, i) / NSEC_PER_SEC;

		if (!sc->attack || made < on.from || met[i] <= 0) {
			r->n_false++;
			snprintf(r->why_false, sizeof r->why_false, "%.1f s: ", made);
			u->text(u, i, r->why_false + strlen(r->why_false),
				sizeof r->why_false - strlen(r->why_false));
			continue;
		}
		if (made - on.from >= r->after_s)
			continue;
		r->found = true;
		r->after_s = made - on.from;
		u->text(u, i, r->text, sizeof r->text);
	}
	r->covered = share(any_hit.attack, in_force.attack);
	r->collateral = share(any_hit.lawful, in_force.lawful);
	r->of_target = share(any_hit.target, in_force.target);
	totals.attacks += sc->attack;
	totals.found += sc->attack && r->found;
	totals.rules += r->n_rules;
	totals.false_rules += r->n_false;
	totals.worst_collateral = MAX(totals.worst_collateral, r->collateral);
	totals.worst_of_target = MAX(totals.worst_of_target, r->of_target);
}

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void show(const struct scenario *sc, const struct result *r)
{
	char name[48], after[16] = "-", covered[16] = "-", collateral[16] = "-";
	char of_target[16] = "-";

	if (sc->attack)
		snprintf(name, sizeof name, "%s %u/s", sc->name, sc->size);
	else
		snprintf(name, sizeof name, "%s, %s", sc->name, sc->size ? "hard" : "easy");
	if (r->found)
		snprintf(after, sizeof after, "%.2f", r->after_s);
	if (r->n_rules) {
		snprintf(covered, sizeof covered, "%.1f", 100 * r->covered);
		snprintf(collateral, sizeof collateral, "%.2f", 100 * r->collateral);
		snprintf(of_target, sizeof of_target, "%.2f", 100 * r->of_target);
	}
	printf("%-26s %5llu %6s %7s %8s %10s %8s %5u %5u  %s\n", name, (unsigned long long)sc->seed,
	       !sc->attack ? (r->n_rules ? "FALSE" : "-") : (r->found ? "yes" : "NO"), after,
	       covered, collateral, of_target, r->n_rules, r->n_false,
	       r->n_false ? r->why_false : r->text);
}

static void run(unsigned i, unsigned n)
{
	struct scenario sc = scenario_at(i, n);
	struct subject *u;
	struct stream s;
	struct result r;
	double begin;
	bool good;

	if (options.only && strcmp(options.only, sc.name))
		return;
	scenario_make(&sc, &s);
	memset(met, 0, sizeof met);
	memset(&in_force, 0, sizeof in_force);
	memset(&any_hit, 0, sizeof any_hit);
	note_attacked(&s);
	u = options.signals ? subject_signals(options.examples) : subject_watch(options.examples);
	begin = cpu();
	play(u, &s, scenario_end(&sc));
	totals.cpu_s += cpu() - begin;
	totals.samples += (double)s.n;
	judge(u, &sc, &r);
	good = sc.attack ? r.found && !r.n_false && r.collateral <= collateral_allowed : !r.n_rules;
	if (options.table || !good)
		show(&sc, &r);
	u->free(u);
	stream_free(&s);
}

static bool arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--signals"))
			options.signals = true;
		else if (!strcmp(argv[i], "--table"))
			options.table = true;
		else if (!strcmp(argv[i], "--runs") && i + 1 < argc)
			options.runs = (unsigned)atoi(argv[++i]);
		else if (!strcmp(argv[i], "--first") && i + 1 < argc)
			options.first = (unsigned)atoi(argv[++i]);
		else if (!strcmp(argv[i], "--only") && i + 1 < argc)
			options.only = argv[++i];
		else
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	double recall, precision;

	static char examples[600];
	const char *srcdir = getenv("srcdir");

	snprintf(examples, sizeof examples, "%s/examples/watch", srcdir ? srcdir : ".");
	options.examples = examples;
	if (!arguments(argc, argv)) {
		fprintf(stderr,
			"score [--runs N] [--first N] [--only NAME] [--signals] [--table]\n");
		return 2;
	}
	printf("%-26s %5s %6s %7s %8s %10s %8s %5s %5s  %s\n", "scenario", "seed", "found",
	       "after s", "covered%", "collateral%", "target%", "rules", "false",
	       "the first rule, or a false one");
	for (unsigned i = 0; i < scenario_count(); i++)
		for (unsigned n = 0; n < options.runs; n++)
			run(i, options.first + n);
	recall = totals.attacks ? share(totals.found, totals.attacks) : 1;
	precision = totals.rules ? 1 - share(totals.false_rules, totals.rules) : 1;
	printf("%u attacks, %u found: recall %.1f %%; %u rules, %u false: precision %.1f %%; worst "
	       "collateral %.2f %% (%.2f %% of its target's lawful packets); %.2f us of CPU a "
	       "sample\n",
	       totals.attacks, totals.found, 100 * recall, totals.rules, totals.false_rules,
	       100 * precision, 100 * totals.worst_collateral, 100 * totals.worst_of_target,
	       1e6 * share(totals.cpu_s, totals.samples));
	return recall < recall_wanted || totals.false_rules ||
	       totals.worst_collateral > collateral_allowed;
}
