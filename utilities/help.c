/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/help.h"

#include "datapath/conn.h"

/* What the rows of other lists add to a verb's help: types of ports and connections. */
#define ENCAP(OBJECT) extern const struct encap_class OBJECT;
#include "datapath/encaps.def"
#undef ENCAP

static const struct {
	const char *name, *help;
} port_types[] = {
#define PORT_TYPE(OBJECT, HELP) {#OBJECT, HELP},
#include "datapath/ports.def"
#undef PORT_TYPE
};

static const struct encap_class *const encaps[] = {
#define ENCAP(OBJECT) &OBJECT,
#include "datapath/encaps.def"
#undef ENCAP
};

/* Lines for people, each with a newline in front. */
static void more_help(const struct verb *v, void (*put)(const char *text, FILE *out), FILE *out)
{
	for (size_t i = 0; v == &verbs[VERB_ID_add_port] && i < ARRAY_SIZE(port_types); i++) {
		put("\ntype=", out);
		put(port_types[i].name + strlen("port_"), out);
		put(": ", out);
		put(port_types[i].help, out);
	}
	for (size_t i = 0; v == &verbs[VERB_ID_add_conn] && i < ARRAY_SIZE(encaps); i++) {
		put("\ntype=", out);
		put(encaps[i]->name, out);
		put("\n", out);
		put(encaps[i]->help, out);
	}
}

/* Lists of verbs: a row is a heading or a verb. */
static const struct list_row {
	const char *heading; /* NULL: a verb's row */
	const struct verb *verb;
} list_rows[] = {
#define SECTION(TITLE)                     {TITLE, NULL},
#define VERB(ID, NAME, USAGE, FLAGS, HELP) {NULL, &verbs[VERB_ID_##ID]},
#include "ctl/verbs.def"
#undef VERB
};

static void plain(const char *text, FILE *out)
{
	fputs(text, out);
}

const struct option_row daemon_options[] = {
	{"--run-dir", "DIR",
	 "where mgmt.sock and openflow.sock are (default: $SLUICE_RUN_DIR, or /run/sluice)"},
	{"--db", "FILE|:memory:", "the store (default: " LOCALSTATEDIR "/lib/sluice/sluice.db)"},
	{"--config", "FILE", "verbs of sluice-ctl, one a line; all are applied, or none"},
	{"--listen", "METHOD",
	 "an OpenFlow controller to dial or to wait for, in the words of add-controller as one "
	 "argument; may be repeated"},
	{"--workers", "CPULIST", "one worker a CPU, as 0-3,6 (default: one worker, on any CPU)"},
	{"--spin", "USEC",
	 "how long a worker that had work looks for more before it sleeps, for CPUs of its own "
	 "(default: 0)"},
	{"--log", "SPEC", "what is logged: LEVEL or MODULE:LEVEL, comma-separated"},
	{"--detach", NULL, "go to the background once ready; the log goes to syslog"},
	{"--pidfile", "FILE", "write the process number there"},
	{"--lab-null", NULL, "allow NULL encryption without integrity: for laboratories only"},
	{"--offline", "FILE",
	 "run a configuration on captures: no root, no sockets; print a report"},
	{"--json", NULL, "the report of --offline as JSON"},
	{"--help", NULL, "this text"},
	{"--version", NULL, "the version"},
	{NULL, NULL, NULL},
};

const struct option_row ctl_options[] = {
	{"-r, --run-dir", "DIR",
	 "the daemon's run directory (default: $SLUICE_RUN_DIR, or /run/sluice)"},
	{"--json", NULL, "answers, and refusals, as JSON"},
	{"--timeout", "SECONDS", "how long to wait for the answer (default: 30)"},
	{"--help", NULL, "this text; `help VERB` or `VERB --help`: a verb's"},
	{"--version", NULL, "the version"},
	{NULL, NULL, NULL},
};

const struct option_row watch_options[] = {
	{"--run-dir", "DIR",
	 "sluiced's run directory, for samples.sock and watch.sock (default: $SLUICE_RUN_DIR, or "
	 "/run/sluice)"},
	{"--pipelines", "DIR",
	 "a folder of NAME.watch files (default: " SYSCONFDIR "/sluice/watch.d)"},
	{"--state", "FILE", "what was learned (default: " LOCALSTATEDIR "/lib/sluice-watch/state)"},
	{"--audit", "FILE|-",
	 "decisions, one JSON object a line (default: " LOCALSTATEDIR
	 "/log/sluice-watch/audit.json)"},
	{"--sflow", "[IP:]PORT", "sFlow v5 of other routers, over UDP; may be repeated"},
	{"--json", "FILE|-",
	 "JSON lines of pmacct: a file, a FIFO, or standard input; may be repeated"},
	{"--replay", "FILE",
	 "a capture of sFlow, in its own time and on a guard that pretends: prints decisions, "
	 "touches nothing"},
	{"--log", "SPEC", "what is logged: LEVEL or MODULE:LEVEL, comma-separated"},
	{"--detach", NULL, "go to the background once ready; the log goes to syslog"},
	{"--pidfile", "FILE", "write the process number there"},
	{"--help", NULL, "this text"},
	{"--help-pipeline", NULL, "every word of a pipeline's file, with its default"},
	{"--version", NULL, "the version"},
	{NULL, NULL, NULL},
};

/* ---- Pipelines of sluice-watch ---- */

static const struct pipeline_word {
	const char *line, *key, *form, *usual, *help;
} pipeline_words[] = {
#define PIPELINE_WORD(LINE, KEY, FORM, DEFAULT, EXAMPLE, HELP) {LINE, KEY, FORM, DEFAULT, HELP},
#include "utilities/watch/pipeline.def"
};

static const struct {
	const char *name, *help;
} attacks[] = {
#define ATTACK(ID, NAME, HELP) {NAME, HELP},
#include "utilities/watch/attacks.def"
#undef ATTACK
};

static const char pipeline_text[] =
	"A pipeline is a file NAME.watch of up to three lines; # begins a comment.  Only the "
	"signal\n"
	"has to be there, and without mode= nothing is done but saying what is found.\n";

static const char pipeline_example[] =
	"signal kind=udp target=address above=2kpps times=3 of=2/3 learn=1h clear=10s\n"
	"policy mode=automatic allow=10.9.0.53 protect=10.9.1.0/24 collateral=1%\n"
	"action limit=usual then=drop after=5s expire=60s hold=20s alert=syslog\n";

static const char pipeline_values[] =
	"A RATE is 5kpps or 10mbps (pps, kpps, mpps, bps, kbps, mbps, gbps); a TIME is 500ms, 30s, "
	"10m\nor 1h; a LIST is prefixes with commas between, or @FILE beside the pipeline's, one a "
	"line.\nA webhook gets the decision as JSON by POST (http, https), a command, by its whole "
	"path, on\nits standard input.\n";

static const char *begins_line(const struct pipeline_word *w)
{
	return w == pipeline_words || strcmp(w->line, w[-1].line) ? w->line : NULL;
}

void help_pipeline(FILE *out)
{
	fprintf(out, "%s\n%s", pipeline_text, pipeline_example);
	for (size_t i = 0; i < ARRAY_SIZE(pipeline_words); i++) {
		const struct pipeline_word *w = &pipeline_words[i];
		int n = begins_line(w) ? fprintf(out, "\n%s\n", w->line) : 0;

		n = fprintf(out, "  %s=%s", w->key, w->form);
		fprintf(out, "%*s%s%s%s%s\n", n < 34 ? 34 - n : 1, "", w->help,
			*w->usual ? " (default " : "", w->usual, *w->usual ? ")" : "");
	}
	fputs("\nkind=\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(attacks); i++)
		fprintf(out, "  %-15s %s\n", attacks[i].name, attacks[i].help);
	fprintf(out, "\n%s", pipeline_values);
}

static void option_lines(const struct option_row *o, FILE *out)
{
	for (; o->name; o++) {
		int n = fprintf(out, "  %s%s%s", o->name, o->value ? " " : "",
				o->value ? o->value : "");

		fprintf(out, "%*s%s\n", n < 26 ? 26 - n : 1, "", o->help);
	}
}

static size_t first_line(const char *help)
{
	return strcspn(help, "\n");
}

void help_ctl(FILE *out)
{
	fputs("usage: sluice-ctl [-r DIR] [--json] [--timeout SECONDS] VERB [ARG]…\n\n", out);
	option_lines(ctl_options, out);
	for (const struct list_row *row = list_rows; row < list_rows + ARRAY_SIZE(list_rows); row++)
		if (row->heading)
			fprintf(out, "\n%s\n", row->heading);
		else
			fprintf(out, "  %-18s %.*s\n", row->verb->name,
				(int)first_line(row->verb->help), row->verb->help);
	fputs("\nexit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon\n", out);
}

void help_verb(const struct verb *v, FILE *out)
{
	fprintf(out, "usage: sluice-ctl %s%s%s\n\n%s", v->name, *v->usage ? " " : "", v->usage,
		v->help);
	more_help(v, plain, out);
	fputc('\n', out);
}

void help_daemon(FILE *out)
{
	fputs("usage: sluiced [OPTION]…\n"
	      "       sluiced --offline FILE [--json]\n\n",
	      out);
	option_lines(daemon_options, out);
}

void help_watch(FILE *out)
{
	fputs("usage: sluice-watch [OPTION]…\n"
	      "       sluice-watch --replay FILE [--pipelines DIR] [--state FILE]\n\n",
	      out);
	option_lines(watch_options, out);
	fputs("\nSIGHUP reads the pipelines again and begins a new audit file of the same name;\n"
	      "SIGTERM ends: what was learned is kept, rules expire by themselves.\n",
	      out);
}

/* ---- Manual pages: roff, with what it would take for commands escaped ---- */

static void roff(const char *text, size_t size, FILE *out)
{
	bool begins = true;

	for (size_t i = 0; i < size; i++) {
		if (begins && (text[i] == '.' || text[i] == '\''))
			fputs("\\&", out);
		if (text[i] == '-')
			fputs("\\-", out);
		else if (text[i] == '\\')
			fputs("\\e", out);
		else if (!strncmp(text + i, "…", strlen("…"))) {
			fputs("\\&...", out);
			i += strlen("…") - 1;
		} else
			fputc(text[i], out);
		begins = text[i] == '\n';
	}
}

static void roff_text(const char *text, FILE *out)
{
	roff(text, strlen(text), out);
}

static void man_pipeline(FILE *out)
{
	roff_text(pipeline_text, out);
	fputs(".PP\n.nf\n", out);
	roff_text(pipeline_example, out);
	fputs(".fi\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(pipeline_words); i++) {
		const struct pipeline_word *w = &pipeline_words[i];

		if (begins_line(w))
			fprintf(out, ".SS %s\n", w->line);
		fputs(".TP\n.B ", out);
		roff_text(w->key, out);
		fputs("=", out);
		roff_text(w->form, out);
		fputc('\n', out);
		roff_text(w->help, out);
		if (*w->usual) {
			fputs(" (default: ", out);
			roff_text(w->usual, out);
			fputc(')', out);
		}
		fputc('\n', out);
	}
	fputs(".SS Kinds\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(attacks); i++) {
		fprintf(out, ".TP\n.B %s\n", attacks[i].name);
		roff_text(attacks[i].help, out);
		fputc('\n', out);
	}
	fputs(".SS Values\n", out);
	roff_text(pipeline_values, out);
}

static void man_head(const char *name, const char *what, FILE *out)
{
	fprintf(out,
		".\\\" Made from the program's own tables.\n.TH %s 8 \"\" \"sluice\"\n.SH NAME\n%s "
		"\\- %s\n",
		name, name, what);
}

static void man_options(const struct option_row *o, FILE *out)
{
	for (; o->name; o++) {
		fputs(".TP\n.B ", out);
		roff_text(o->name, out);
		if (o->value) {
			fputc(' ', out);
			roff_text(o->value, out);
		}
		fputc('\n', out);
		roff_text(o->help, out);
		fputc('\n', out);
	}
}

static void man_verb(const struct verb *v, FILE *out)
{
	const char *rest = v->help + first_line(v->help);

	fputs(".TP\n.B ", out);
	roff_text(v->name, out);
	fputc(' ', out);
	roff_text(v->usage, out);
	fputc('\n', out);
	roff(v->help, first_line(v->help), out);
	fputs(".\n", out);
	if (*rest) {
		fputs(".RS\n.nf\n", out);
		roff_text(rest + 1, out);
		more_help(v, roff_text, out);
		fputs("\n.fi\n.RE\n", out);
	}
}

void man_ctl(FILE *out)
{
	man_head("sluice\\-ctl", "control a running sluiced", out);
	fputs(".SH SYNOPSIS\n.B sluice\\-ctl\n[\\-r DIR] [\\-\\-json] [\\-\\-timeout SECONDS] VERB "
	      "[ARG]...\n.SH DESCRIPTION\nSends one verb to the daemon and prints its answer.  "
	      "What is "
	      "refused changes nothing.\n.SH OPTIONS\n",
	      out);
	man_options(ctl_options, out);
	fputs(".SH VERBS\n", out);
	for (const struct list_row *row = list_rows; row < list_rows + ARRAY_SIZE(list_rows); row++)
		if (row->heading)
			fprintf(out, ".SS %s\n", row->heading);
		else
			man_verb(row->verb, out);
	fputs(".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nrefused: a code and a reason on "
	      "standard "
	      "error\n.TP\n.B 2\nwrong usage\n.TP\n.B 3\nno daemon answers\n"
	      ".SH SEE ALSO\n.BR sluiced (8)\n",
	      out);
}

void man_daemon(FILE *out)
{
	man_head("sluiced", "gateway router between aggregates and data units", out);
	fputs(".SH SYNOPSIS\n.B sluiced\n[\\-\\-run\\-dir DIR] [\\-\\-db FILE|:memory:] "
	      "[\\-\\-config FILE] "
	      "[\\-\\-listen METHOD]...\n[\\-\\-workers CPULIST] [\\-\\-spin USEC] [\\-\\-log "
	      "SPEC] [\\-\\-detach "
	      "\\-\\-pidfile FILE] [\\-\\-lab\\-null]\n.br\n.B sluiced \\-\\-offline\nFILE "
	      "[\\-\\-json]\n"
	      ".SH DESCRIPTION\nTakes aggregates apart into data units, runs rules over what both "
	      "say, and "
	      "forwards.\nThe daemon is ready when mgmt.sock in its run directory accepts.\n"
	      "A configuration file holds verbs of\n.BR sluice\\-ctl (8),\n"
	      "one a line, as a shell would read them; # begins a comment.\n.SH OPTIONS\n",
	      out);
	man_options(daemon_options, out);
	fputs(".SH SEE ALSO\n.BR sluice\\-ctl (8)\n", out);
}

const struct option_row bench_options[] = {
	{"--list", NULL, "scenarios, and the cells they consist of"},
	{"--scenario", "NAME",
	 "a scenario, or a pattern of cells (as 'drop/1000x8/*/on'); may be repeated (default: "
	 "all)"},
	{"--json", NULL, "one object a line, for each cell"},
	{"--rounds", "N", "of each cell, in turn with the others' (default: 7)"},
	{"--packets", "N",
	 "of a round (default: 131072, fewer where that would take longer than 0.2 s)"},
	{"--seed", "N", "the same packets for the same number (default: 1)"},
	{"--no-stages", NULL, "without the rounds that time each stage"},
	{"--callgrind", NULL,
	 "count instructions, too: each cell once more under valgrind, whose processor has no "
	 "AVX-512"},
	{"--check", NULL, "compare verdicts with the linear twin's, and measure nothing"},
	{"--help", NULL, "this text"},
	{"--version", NULL, "the version"},
	{NULL, NULL, NULL},
};

void help_bench(FILE *out)
{
	fputs("usage: sluice-bench [OPTION]…\n\n", out);
	option_lines(bench_options, out);
	fputs("\nexit status: 0 done, 1 verdicts differ from the linear twin's, 2 wrong usage\n",
	      out);
}

void man_bench(FILE *out)
{
	man_head("sluice\\-bench", "what a packet costs in memory", out);
	fputs(".SH SYNOPSIS\n.B sluice\\-bench\n[\\-\\-list] [\\-\\-scenario NAME]... [\\-\\-json] "
	      "[\\-\\-rounds N] [\\-\\-packets N] [\\-\\-seed N]\n[\\-\\-no\\-stages] "
	      "[\\-\\-callgrind] [\\-\\-check]\n.SH DESCRIPTION\nRuns the packet path over frames "
	      "in memory, on one "
	      "core, "
	      "without input or output: each scenario over rule sets and traffic, with the cache "
	      "on "
	      "and off.  A cell is called SCENARIO/RULES/TRAFFIC/CACHE.  What is shown is CPU time "
	      "per packet, the median of rounds that alternate between the cells of a scenario, "
	      "and "
	      "the part of each stage.  What became of the first packets must be what the linear "
	      "twin of the rule table says.\n.SH OPTIONS\n",
	      out);
	man_options(bench_options, out);
	fputs(".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nverdicts differ from the linear "
	      "twin's\n.TP\n.B 2\nwrong usage\n.SH SEE ALSO\n.BR sluiced (8)\n",
	      out);
}

static const char watch_text[] =
	"Reads samples (sFlow v5 of sluiced and of other routers, JSON lines of pmacct), learns "
	"what "
	"is usual for each target, finds floods, and decides by its pipelines what is done: "
	"nothing "
	"but saying so, a proposal, or a rule in the guard of the sluiced whose run directory it "
	"is "
	"given.  Each decision is a line of the audit file, with the numbers it was taken on.\n"
	"Rules have an expiry and are renewed while the attack lasts: without the watcher, or "
	"without its connection, they end by themselves.  It needs no privilege: only the run "
	"directory's sockets.\n";

void man_watch(FILE *out)
{
	man_head("sluice\\-watch", "find floods in samples, and put rules against them", out);
	fputs(".SH SYNOPSIS\n.B sluice\\-watch\n[\\-\\-run\\-dir DIR] [\\-\\-pipelines DIR] "
	      "[\\-\\-state FILE] [\\-\\-audit FILE]\n[\\-\\-sflow [IP:]PORT]... [\\-\\-json "
	      "FILE|\\-]... [\\-\\-log SPEC] [\\-\\-detach \\-\\-pidfile FILE]\n.br\n"
	      ".B sluice\\-watch \\-\\-replay\nFILE [\\-\\-pipelines DIR]\n.SH DESCRIPTION\n",
	      out);
	fputs(watch_text, out);
	fputs(".SH OPTIONS\n", out);
	man_options(watch_options, out);
	fputs(".SH PIPELINES\n", out);
	man_pipeline(out);
	fputs(".SH SIGNALS\n.TP\n.B SIGHUP\nreads the pipelines again, and begins a new audit file "
	      "of the same name; cases under way go on\n.TP\n.B SIGTERM\nkeeps what was learned, "
	      "and ends; rules expire\n"
	      ".SH SEE ALSO\n.BR sluiced (8),\n.BR sluice\\-ctl (8)\n",
	      out);
}

/* ---- Completion ---- */

/* Programs that take options only; most of their values are files. */
static void completion_of(const char *program, const struct option_row *o, FILE *out)
{
	fprintf(out, "complete -o default -W '");
	for (; o->name; o++)
		fprintf(out, "%s ", o->name);
	fprintf(out, "' %s\n", program);
}

void completion(FILE *out)
{
	struct usage_part part;

	fputs("# bash completion, made from the program's own tables\n"
	      "_sluice_ctl()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} verb= i words\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t-r|--run-dir|--timeout) ((i++)) ;;\n\t\t-*) ;;\n"
	      "\t\t*) verb=${COMP_WORDS[i]}; break ;;\n\t\tesac\n\tdone\n\tcase $verb in\n\t'') "
	      "words='help",
	      out);
	for (const struct verb *v = verbs; v->name; v++)
		fprintf(out, " %s", v->name);
	fputs(" --run-dir --json --timeout --help --version' ;;\n", out);
	for (const struct verb *v = verbs; v->name; v++) {
		const char *usage = v->usage;

		fprintf(out, "\t%s) words='--help", v->name);
		while (usage_next(&usage, &part))
			if (part.is_option)
				fprintf(out, " %.*s", (int)part.size, part.text);
		fprintf(out, "'%s ;;\n", v->flags & VERB_FILE ? "; compopt -o default" : "");
	}
	fputs("\thelp) words='", out);
	for (const struct verb *v = verbs; v->name; v++)
		fprintf(out, "%s ", v->name);
	fputs("' ;;\n"
	      "\t*) words= ;;\n\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
	      "complete -F _sluice_ctl sluice-ctl\n",
	      out);
	completion_of("sluiced", daemon_options, out);
	completion_of("sluice-watch", watch_options, out);
	completion_of("sluice-bench", bench_options, out);
}
