/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-ctl: one verb to a running daemon.
 *
 * Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/file.h"
#include "ctl/mgmt.h"
#include "utilities/help.h"
#include "utilities/lab.h"
#include "utilities/live.h"
#include "utilities/panic.h"

enum { DONE, REFUSED, MISUSED, NO_DAEMON };

struct client {
	const char *run_dir;
	bool json;
	unsigned timeout_ms;
};

/* On stderr, and so the exit status: a line for people, an object for programs. */
static int told(const struct client *c, int status, const char *code, const char *field,
		const char *reason)
{
	if (c->json) {
		json_t *data = json_pack("{s:s, s:s, s:s}", "code", code, "field", field, "reason",
					 reason);

		json_dumpf(data, stderr, JSON_COMPACT);
		fputc('\n', stderr);
		json_decref(data);
	} else if (status == REFUSED) {
		fprintf(stderr, "sluice-ctl: %s: %s\n", code, reason);
	} else {
		fprintf(stderr, "sluice-ctl: %s\n", reason);
	}
	return status;
}

static int misused(const struct client *c, const char *why)
{
	return told(c, MISUSED, "syntax", "", why);
}

static int refused_answer(const struct client *c, const json_t *error)
{
	const json_t *data = json_object_get(error, "data");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *code = json_string_value(json_object_get(data, "code"));
	const char *field = json_string_value(json_object_get(data, "field"));
	json_int_t rpc = json_integer_value(json_object_get(error, "code"));

	return told(c, rpc == -32601 || rpc == -32602 ? MISUSED : REFUSED, code ? code : "protocol",
		    field ? field : "", message ? message : "no reason was given");
}

/* One write of the whole answer. */
static int print_result(const struct client *c, const json_t *result)
{
	const char *text = json_string_value(json_object_get(result, "text"));
	const json_t *value = json_object_get(result, "json");

	if (!c->json) {
		fputs(text ? text : "", stdout);
	} else if (value || !text) {
		json_t *empty = json_object();

		json_dumpf(value ? value : empty, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		json_decref(empty);
		fputc('\n', stdout);
	} else {
		json_dumpf(result, stdout, JSON_INDENT(2));
		fputc('\n', stdout);
	}
	if (!fflush(stdout) && !ferror(stdout))
		return DONE;
	return told(c, REFUSED, "system", "", strerror(errno));
}

/* The file that an option names; NULL: none. */
static const char *option_path(const struct verb *v, const char *word)
{
	const char *at = strstr(word, "=@"), *equals = strchr(word, '=');

	if (v == &verbs[VERB_ID_set_tls])
		return equals ? equals + 1 : NULL;
	if (v != &verbs[VERB_ID_add_port] && v != &verbs[VERB_ID_add_conn])
		return NULL;
	if (at)
		return at + 2;
	return !strncmp(word, "in=", 3) || !strncmp(word, "out=", 4) ? equals + 1 : NULL;
}

/* Files that a word names are the caller's: `in=x` and `key-in=@x` mean x in this directory. */
static json_t *word_json(const struct verb *v, const char *word)
{
	const char *path = option_path(v, word);
	char cwd[4096], *whole = NULL;
	json_t *s;

	if (path && *path && *path != '/' && getcwd(cwd, sizeof cwd) &&
	    asprintf(&whole, "%.*s%s/%s", (int)(path - word), word, cwd, path) < 0)
		whole = NULL;
	s = json_string(whole ? whole : word);
	if (whole)
		explicit_bzero(whole, strlen(whole));
	free(whole);
	return s;
}

/* The call's words as JSON; NULL: told why not. */
static json_t *make_params(const struct client *c, const struct verb *v, unsigned n,
			   const char *const *words, const struct args *args)
{
	const char *out[ARGS_MAX + 2 * ARG_OPTIONS_MAX + 2];
	int file = v->flags & VERB_FILE ? args_file(args, v->usage) : -1;
	json_t *params = json_array();
	struct refusal r = {0};
	char *content = NULL;

	if (file >= 0) {
		if (file_read(args_file_name(args, file), MGMT_LINE_MAX / 2, &content, NULL, &r)) {
			told(c, REFUSED, refusal_name(r.code), "FILE", r.text);
			json_decref(params);
			return NULL;
		}
		n = args_put_content(args, file, content, out);
		words = out;
	}
	for (unsigned i = 0; i < n; i++) {
		if (json_array_append_new(params, word_json(v, words[i]))) {
			told(c, REFUSED, "bad-value", "", "what is not UTF-8 cannot be sent");
			json_decref(params);
			params = NULL;
			break;
		}
	}
	free(content);
	return params;
}

static int call(const struct client *c, const struct verb *v, json_t *params)
{
	char path[4096], why[4400];
	struct mgmt_answer answer;
	int error, status;

	snprintf(path, sizeof path, "%s/mgmt.sock", c->run_dir);
	params = json_pack("{s:o, s:s}", "words", params, "want", c->json ? "json" : "text");
	error = mgmt_call(path, v->name, params, c->timeout_ms, &answer);
	if (error) {
		snprintf(why, sizeof why, "no daemon at %s: %s; %s", path, strerror(-error),
			 error == -EACCES || error == -EPERM
				 ? "root may speak there, and who sluiced runs as"
				 : "sluiced has to run there; -r DIR names another place");
		if (error == -ETIMEDOUT)
			snprintf(why, sizeof why,
				 "no answer from %s within %u.%03u s (--timeout); whether it was "
				 "done is not known",
				 path, c->timeout_ms / 1000, c->timeout_ms % 1000);
		return told(c, NO_DAEMON, "no-daemon", "", why);
	}
	status = answer.refused ? refused_answer(c, answer.value) : print_result(c, answer.value);
	json_decref(answer.value);
	return status;
}

/* A call that is made again each second. */
struct again {
	const struct client *client;
	const struct verb *verb;
	json_t *params;
};

static int call_again(void *arg)
{
	const struct again *a = arg;

	return call(a->client, a->verb, json_incref(a->params));
}

static int call_live(const struct client *c, const struct verb *v, json_t *params)
{
	struct again again = {c, v, params};
	int status = live(call_again, &again);

	json_decref(params);
	return status;
}

static int unknown_verb(const struct client *c, const char *word)
{
	const char *near = verb_near(word);
	char why[200];

	snprintf(why, sizeof why, "no verb %.60s%s%s%s", word,
		 near ? "; did you mean " : "; sluice-ctl --help lists them", near ? near : "",
		 near ? "?" : "");
	return told(c, MISUSED, "unknown-word", "VERB", why);
}

static int run_lab(const struct client *c, const struct verb *v, const struct args *args)
{
	struct refusal r = {0};
	struct buf text = {0};
	json_t *result;
	int status;

	if (lab_do(v, args, &text, &r)) {
		buf_free(&text);
		return told(c, REFUSED, refusal_name(r.code), r.field, r.text);
	}
	result = json_pack("{s:s}", "text", buf_text(&text));
	status = print_result(c, result);
	json_decref(result);
	buf_free(&text);
	return status;
}

/* Done here.  -1: the daemon is to be asked, too. */
static int run_local(const struct client *c, const struct verb *v, const struct args *args)
{
	struct refusal r = {0};
	struct panic_answer a;
	json_t *result;
	int status;

	if (v != &verbs[VERB_ID_panic])
		return run_lab(c, v, args);
	if (panic_do(c->run_dir, args->word[0], &a, &r))
		return told(c, REFUSED, refusal_name(r.code), r.field, r.text);
	result = json_pack("{s:s, s:o}", "text", buf_text(&a.text), "json", a.value);
	status = strcmp(args->word[0], "off") ? print_result(c, result) : -1;
	json_decref(result);
	buf_free(&a.text);
	return status;
}

static int run_verb(const struct client *c, int n, char **words)
{
	const struct verb *v = verb_find(words[0]);
	struct refusal r = {0};
	struct args args;
	json_t *params;

	if (!v)
		return unknown_verb(c, words[0]);
	for (int i = 1; i < n && strcmp(words[i], "--"); i++) {
		if (!strcmp(words[i], "--help")) {
			help_verb(v, stdout);
			return DONE;
		}
	}
	if (args_parse(&args, v->usage, (unsigned)n - 1, (const char *const *)words + 1, &r)) {
		char why[sizeof r.text + 40];

		snprintf(why, sizeof why, "%s: %s", v->name, r.text);
		told(c, MISUSED, refusal_name(r.code), r.field, why);
		if (!c->json)
			fprintf(stderr, "usage: sluice-ctl %s %s\n", v->name, v->usage);
		return MISUSED;
	}
	if (v->flags & VERB_LOCAL) {
		int status = run_local(c, v, &args);

		if (status >= 0)
			return status;
	}
	params = make_params(c, v, (unsigned)n - 1, (const char *const *)words + 1, &args);
	if (!params)
		return REFUSED;
	if (v->flags & VERB_LIVE && !c->json && isatty(STDOUT_FILENO))
		return call_live(c, v, params);
	return call(c, v, params);
}

static int help(const struct client *c, int n, char **words)
{
	const struct verb *v;

	if (n == 1) {
		help_ctl(stdout);
		return DONE;
	}
	v = verb_find(words[1]);
	if (!v)
		return unknown_verb(c, words[1]);
	help_verb(v, stdout);
	return DONE;
}

static int parse_timeout(const char *text, unsigned *ms)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s > 0) || s > 86400)
		return -EINVAL;
	*ms = (unsigned)(s * 1000);
	return *ms ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"run-dir", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'},
		{"timeout", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},       {NULL, 0, NULL, 0}};
	struct client c = {.run_dir = getenv("SLUICE_RUN_DIR"), .timeout_ms = 30000};
	char why[160];
	int option;

	opterr = 0;
	if (!c.run_dir || !*c.run_dir)
		c.run_dir = "/run/sluice";
	while ((option = getopt_long(argc, argv, "+r:h", options, NULL)) >= 0) {
		switch (option) {
		case 'r':
			c.run_dir = optarg;
			break;
		case 'j':
			c.json = true;
			break;
		case 't':
			if (parse_timeout(optarg, &c.timeout_ms))
				return misused(&c, "--timeout wants seconds (0.001 to 86400)");
			break;
		case 'h':
			help_ctl(stdout);
			return DONE;
		case 'V':
			puts("sluice-ctl (" PACKAGE_STRING ")");
			return DONE;
		default:
			snprintf(why, sizeof why,
				 "no option %.60s, or its value is missing; see --help",
				 argv[optind - 1]);
			return misused(&c, why);
		}
	}
	argc -= optind;
	argv += optind;
	/* `VERB … --json` is what fingers type: allowed at the end, too. */
	while (argc > 1 && !strcmp(argv[argc - 1], "--json")) {
		c.json = true;
		argc--;
	}
	if (!argc)
		return misused(&c, "a verb is missing; see --help");
	if (!strcmp(argv[0], "help"))
		return help(&c, argc, argv);
	return run_verb(&c, argc, argv);
}
