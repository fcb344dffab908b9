/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines' files: what they say, and every refusal with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/watch-bed.h"
#include "utilities/watch/pipeline.h"

#define SIGNAL "signal kind=udp target=address above=2kpps\n"

static struct refusal r;

static struct pipeline *parse_as(const char *file, const char *text)
{
	struct pipeline_text t = {.file = file, .text = text, .size = strlen(text)};

	memset(&r, 0, sizeof r);
	return pipeline_parse(&t, &r);
}

static struct pipeline *parse(const char *text)
{
	struct pipeline *p = parse_as("/etc/sluice/watch/udp.watch", text);

	if (!p)
		fail_msg("%s", r.text);
	return p;
}

static void a_signal_is_enough(void **state)
{
	struct pipeline *p = parse("# a comment\n\n  signal kind=udp # another\n");

	(void)state;
	assert_string_equal(p->name, "udp");
	assert_int_equal(p->mode, MODE_MONITOR);
	assert_int_equal(p->signal.kind, ATTACK_UDP);
	assert_int_equal(p->max_rules, 16);
	assert_int_equal(p->narrow_v4, 32);
	assert_int_equal(p->narrow_v6, 128);
	assert_true(p->collateral == .01 && !p->beyond_limit);
	assert_true(p->limit_usual && !p->then_drop);
	assert_int_equal(p->expire_ns, 60 * NSEC_PER_SEC);
	assert_int_equal(p->hold_ns, 10 * NSEC_PER_SEC);
	assert_int_equal(p->allow.n + p->protect.n + p->n_alerts, 0);
	pipeline_free(p);
	p = parse("signal kind=udp target=prefix");
	assert_int_equal(p->narrow_v4, 24);
	assert_int_equal(p->narrow_v6, 64);
	pipeline_free(p);
}

static void all_is_read(void **state)
{
	struct pipeline *p = parse(
		"action limit=8mbps then=drop after=3s expire=2m hold=0s "
		"alert='syslog,webhook:http://127.0.0.1:8/x?a=b,command:/bin/say it'\n"
		"policy mode=automatic allow=10.9.0.53,2001:db8::/32 protect=10.9.1.0/24 "
		"max-rules=1024 collateral=0.25% beyond=limit narrow=16,48\n"
		"signal kind=syn target=prefix above=2kpps,10mbps times=3 of=2/3 window=500ms "
		"learn=1h clear=30s\n");

	(void)state;
	assert_int_equal(p->mode, MODE_AUTOMATIC);
	assert_int_equal(p->signal.kind, ATTACK_SYN);
	assert_int_equal(p->signal.above_bps, 10000000);
	assert_int_equal(p->allow.n, 2);
	assert_int_equal(p->allow.prefix[0].len, 32);
	assert_int_equal(p->allow.prefix[1].len, 32);
	assert_int_equal(p->allow.prefix[1].ip.family, 6);
	assert_int_equal(p->protect.n, 1);
	assert_int_equal(p->max_rules, 1024);
	assert_true(p->collateral > .002499 && p->collateral < .002501);
	assert_true(p->beyond_limit);
	assert_int_equal(p->narrow_v4, 16);
	assert_int_equal(p->narrow_v6, 48);
	assert_false(p->limit_usual);
	assert_true(p->limit.n == 8000000 && !p->limit.packets);
	assert_true(p->then_drop);
	assert_int_equal(p->after_ns, 3 * NSEC_PER_SEC);
	assert_int_equal(p->expire_ns, 120 * NSEC_PER_SEC);
	assert_int_equal(p->hold_ns, 0);
	assert_int_equal(p->n_alerts, 3);
	assert_string_equal(p->alert[0], "syslog");
	assert_string_equal(p->alert[1], "webhook:http://127.0.0.1:8/x?a=b");
	assert_string_equal(p->alert[2], "command:/bin/say it");
	pipeline_free(p);
}

static void every_refusal_says_where_and_what(void **state)
{
	static const struct {
		const char *text, *refused;
	} bad[] = {
		{"", "u.watch:1:1: no signal line; accepted: signal kind="},
		{"# nothing\n\n", "u.watch:2:1: no signal line"},
		{SIGNAL "polcy mode=ask",
		 "u.watch:2:1: no line begins with 'polcy'; accepted: signal, policy, action; did "
		 "you mean policy?"},
		{SIGNAL "reaction limit=usual", "u.watch:2:1: no line begins with 'reaction'; "},
		{SIGNAL "\n" SIGNAL, "u.watch:3:1: a second signal line; line 1 is the first"},
		{SIGNAL "policy 'mode=ask", "u.watch:2:8: the quote ' does not end on its line"},
		{SIGNAL "policy mode", "u.watch:2:8: 'mode' has no '='"},
		{SIGNAL "policy mode=ask mode=ask", "u.watch:2:8: option mode is given twice"},
		{SIGNAL "policy =x", "u.watch:2:8: word 1 does not begin with an option's name"},
		{SIGNAL "policy narrow=24 mode=auto",
		 "u.watch:2:18: option mode: 'auto' is not one of: monitor, ask, automatic"},
		{SIGNAL "policy mode=automtic", "did you mean automatic?"},
		{SIGNAL "policy colateral=1%",
		 "u.watch:2:8: option colateral is not known here; did you mean collateral?"},
		{SIGNAL "policy limit=usual", "u.watch:2:8: option limit is not known here"},
		{SIGNAL "policy collateral=1",
		 "u.watch:2:8: option collateral: '1' is no share; accepted: 0% to 100%, as 1% or "
		 "0.5%"},
		{SIGNAL "policy collateral=%", "'%' is no share"},
		{SIGNAL "policy collateral=.5%", "'.5%' is no share"},
		{SIGNAL "policy collateral=1.%", "'1.%' is no share"},
		{SIGNAL "policy collateral=101%", "'101%' is no share"},
		{SIGNAL "policy collateral=-1%", "'-1%' is no share"},
		{SIGNAL "policy collateral=99999999999999999999999%", "is no share"},
		{SIGNAL "policy allow=10.0.0.0/8,10.0.0.0/33",
		 "u.watch:2:25: option allow: '10.0.0.0/33' is no prefix; accepted: 10.0.0.0/8, "
		 "2001:db8::/32 with commas between, or @FILE"},
		{SIGNAL "policy allow=", "u.watch:2:8: option allow: '' is no prefix"},
		{SIGNAL "policy protect=10.0.0.1,",
		 "u.watch:2:25: option protect: '' is no prefix"},
		{SIGNAL "policy protect=@list",
		 "u.watch:2:8: option protect: @FILE is not accepted here; prefixes are"},
		{SIGNAL "policy max-rules=0",
		 "u.watch:2:8: option max-rules: '0' is not a number from 1 to 1024"},
		{SIGNAL "policy max-rules=1025", "is not a number from 1 to 1024"},
		{SIGNAL "policy beyond=drop", "u.watch:2:8: option beyond: 'drop' is not one of: "},
		{SIGNAL "policy narrow=33", "u.watch:2:8: option narrow: '33' is no prefix length"},
		{SIGNAL "policy narrow=24,129", "'24,129' is no prefix length; accepted: 0 to 32"},
		{SIGNAL "policy narrow=,64", "',64' is no prefix length"},
		{SIGNAL "policy narrow=x", "'x' is no prefix length"},
		{SIGNAL "action limit=usul",
		 "u.watch:2:8: option limit: 'usul' is no rate; accepted: usual, or 1kbps to"},
		{SIGNAL "action limit=0pps", "'0pps' is no rate"},
		{SIGNAL "action limit=999bps", "'999bps' is no rate"},
		{SIGNAL "action limit=1001gbps", "'1001gbps' is no rate"},
		{SIGNAL "action then=pass", "u.watch:2:8: option then: 'pass' is not one of: drop"},
		{SIGNAL "action after=5s",
		 "u.watch:2:8: option after: it says when then=drop comes, and that is not there"},
		{SIGNAL "action expire=1s",
		 "u.watch:2:8: option expire: '1s' is out of bounds; accepted: 2s to 24h"},
		{SIGNAL "action expire=25h", "'25h' is out of bounds"},
		{SIGNAL "action expire=soon", "u.watch:2:8: option expire: 'soon' is not a time"},
		{SIGNAL "action hold=25h", "'25h' is out of bounds; accepted: 0s to 24h"},
		{SIGNAL "action then=drop after=25h", "u.watch:2:18: option after: '25h' is out"},
		{SIGNAL "action alert=syslog,mail:me",
		 "u.watch:2:21: option alert: 'mail' is not known; accepted, with commas "
		 "between: syslog, webhook:URL, command:FILE"},
		{SIGNAL "action alert=", "u.watch:2:8: option alert: '' is not known"},
		{SIGNAL "action alert=webhook:", "option alert: webhook: the URL is refused"},
		{SIGNAL "action alert=webhook:https:///s3cret", "it has no host"},
		{SIGNAL "action alert=syslog,command:say",
		 "u.watch:2:21: option alert: command:say: a program's whole path is expected"},
		{SIGNAL "action alert=syslog,syslog,syslog,syslog,syslog,syslog,syslog,syslog,"
			"syslog",
		 "option alert: one word too many; at most 8 are accepted"},
		{"signal kind=udb", "u.watch:1:8: option kind: 'udb' is not one of: "},
		{"signal target=address", "u.watch:1:8: a signal without kind="},
		{"signal kind=udp abov=1kpps",
		 "u.watch:1:17: option abov is not known here; did you mean above?"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct pipeline *p = parse_as("u.watch", bad[i].text);

		if (p)
			fail_msg("%s was accepted", bad[i].text);
		assert_true(r.code != REFUSED_NOTHING);
		if (!strstr(r.text, bad[i].refused))
			fail_msg("%s: %s, not %s", bad[i].text, r.text, bad[i].refused);
		assert_memory_equal(r.text, "u.watch:", 8);
	}
}

/* What --help-pipeline says: the default of a word, given, changes nothing; its example is taken.
 */
static const struct {
	const char *line, *key, *usual, *example;
} words[] = {
#define PIPELINE_WORD(LINE, KEY, FORM, DEFAULT, EXAMPLE, HELP) {LINE, KEY, DEFAULT, EXAMPLE},
#include "utilities/watch/pipeline.def"
};

static struct pipeline *parse_word(unsigned i, const char *value)
{
	bool is_signal = !strcmp(words[i].line, "signal");
	char text[256];

	snprintf(text, sizeof text, "signal %s%s%s %s=%s%s\n",
		 strcmp(words[i].key, "kind") ? "kind=udp" : "", is_signal ? "" : "\n",
		 is_signal ? "" : words[i].line, words[i].key, value,
		 strcmp(words[i].key, "after") ? "" : " then=drop");
	return parse(text);
}

static void help_is_true(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		struct pipeline *plain, *said;

		pipeline_free(parse_word(i, words[i].example));
		if (!*words[i].usual)
			continue;
		plain = parse(strcmp(words[i].key, "after")
				      ? "signal kind=udp\n"
				      : "signal kind=udp\naction then=drop\n");
		said = parse_word(i, words[i].usual);
		if (memcmp(plain, said, sizeof *plain))
			fail_msg("%s= is not %s by default", words[i].key, words[i].usual);
		pipeline_free(plain);
		pipeline_free(said);
	}
}

static void names_are_simple(void **state)
{
	static const char *const bad[] = {"",
					  "/etc/",
					  ".watch",
					  "a b.watch",
					  "Udp.watch",
					  "a.watch.watch",
					  "abcdefghijklmnopqrstuvwxyz0123456.watch"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_null(parse_as(bad[i], SIGNAL));
		assert_non_null(strstr(r.text, "is no pipeline's; accepted: NAME.watch"));
	}
}

static void too_many_prefixes(void **state)
{
	size_t size = 32 + 8 * (PIPELINE_PREFIXES + 1);
	char *text = malloc(size), *at = text;
	struct pipeline *p;

	(void)state;
	at = stpcpy(at, "signal kind=udp\npolicy allow=");
	for (unsigned i = 0; i < PIPELINE_PREFIXES; i++)
		at = stpcpy(at, i ? ",1.2.3.4" : "1.2.3.4");
	p = parse(text);
	assert_int_equal(p->allow.n, PIPELINE_PREFIXES);
	pipeline_free(p);
	text = realloc(text, size + 16);
	strcat(text, ",1.2.3.4");
	assert_null(parse_as("u.watch", text));
	assert_int_equal(r.code, REFUSED_LIMIT);
	free(text);
}

/* ---- Files ------------------------------------------------------------------------------- */

static char folder[] = "/tmp/sl-pipeline-XXXXXX";

static const char *put_file(const char *name, const char *text)
{
	static char file[128];
	FILE *f;

	snprintf(file, sizeof file, "%s/%s", folder, name);
	f = fopen(file, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return file;
}

static void lists_lie_in_files(void **state)
{
	struct pipeline *p;

	(void)state;
	put_file("list", "# ours\n10.0.0.0/8\n\n  2001:db8::1 # a host\n192.0.2.1");
	p = pipeline_read(put_file("u.watch", SIGNAL "policy protect=@list"), &r);
	assert_non_null(p);
	assert_int_equal(p->protect.n, 3);
	assert_int_equal(p->protect.prefix[1].len, 128);
	pipeline_free(p);

	put_file("list", "10.0.0.0/8\n  10.0.0.0/99\n");
	assert_null(pipeline_read(put_file("u.watch", SIGNAL "policy protect=@list"), &r));
	assert_non_null(strstr(r.text, "/list:2:3: '10.0.0.0/99' is no prefix; accepted: "));
	assert_null(pipeline_read(put_file("u.watch", SIGNAL "policy protect=@none"), &r));
	assert_non_null(strstr(r.text, "u.watch:2:8: option protect: "));
	assert_non_null(strstr(r.text, "none"));
	assert_null(pipeline_read("/tmp/sl-there-is-none/u.watch", &r));
	assert_int_equal(r.code, REFUSED_SYSTEM);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char file[128];

	(void)state;
	snprintf(file, sizeof file, "%s/list", folder);
	unlink(file);
	snprintf(file, sizeof file, "%s/u.watch", folder);
	unlink(file);
	return rmdir(folder);
}

/* What is shipped can be read, and does nothing until somebody says so. */
static void examples_monitor(void **state)
{
	static const char *const names[] = {
		"syn",    "amplification",        "udp",       "icmp", "fragments", "other",
		"carpet", "carpet-amplification", "connection"};
	const char *src = getenv("srcdir");

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		struct pipeline *p;
		char file[256];

		snprintf(file, sizeof file, "%s/examples/watch/%s.watch", src ? src : ".",
			 names[i]);
		p = pipeline_read(file, &r);
		if (!p)
			fail_msg("%s", r.text);
		assert_int_equal(p->mode, MODE_MONITOR);
		assert_string_equal(p->name, names[i]);
		pipeline_free(p);
	}
}

static void cookies_differ_and_last(void **state)
{
	struct target a, b;

	(void)state;
	assert_true(target_parse("10.9.0.2", &a) && target_parse("10.9.0.0/24", &b));
	assert_int_equal(pipeline_cookie("udp", &a, ATTACK_UDP),
			 pipeline_cookie("udp", &a, ATTACK_UDP));
	assert_int_equal(pipeline_cookie("udp", &a, ATTACK_UDP) & 0xff, ATTACK_UDP);
	assert_int_not_equal(pipeline_cookie("udp", &a, 2), pipeline_cookie("udp", &b, 2));
	assert_int_not_equal(pipeline_cookie("udp", &a, 2) >> 32,
			     pipeline_cookie("syn", &a, 2) >> 32);
	/* A restarted watcher, of another version too, knows its own. */
	assert_true(pipeline_cookie("udp", &a, ATTACK_UDP) == 0x4abc91846a723802ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_is_enough),
		cmocka_unit_test(all_is_read),
		cmocka_unit_test(every_refusal_says_where_and_what),
		cmocka_unit_test(help_is_true),
		cmocka_unit_test(names_are_simple),
		cmocka_unit_test(too_many_prefixes),
		cmocka_unit_test_setup_teardown(lists_lie_in_files, make_folder, remove_folder),
		cmocka_unit_test(examples_monitor),
		cmocka_unit_test(cookies_differ_and_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
