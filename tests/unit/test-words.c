/* SPDX-License-Identifier: Apache-2.0 */
/* Lines as words, and words against a verb's usage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/file.h"
#include "ctl/usage.h"
#include "ctl/words.h"

static struct refusal r;

/* ------------------------------------------------------------------ words */

/* Splits and shows as `[word@column]…`, or the column and reason of a refusal. */
static const char *split(const char *line)
{
	static char shown[1024];
	struct line_words w;
	unsigned column = 0;
	size_t n = 0;

	shown[0] = '\0';
	if (line_words_split(&w, line, strlen(line), &column, &r))
		snprintf(shown, sizeof shown, "%u: %s", column, r.text);
	else
		for (unsigned i = 0; i < w.n; i++)
			n += (size_t)snprintf(shown + n, sizeof shown - n, "[%s@%u]", w.word[i],
					      w.column[i]);
	line_words_free(&w);
	return shown;
}

static void lines_split_as_in_a_shell(void **state)
{
	(void)state;
	assert_string_equal(split(""), "");
	assert_string_equal(split("  \t "), "");
	assert_string_equal(split("# all of it"), "");
	assert_string_equal(split("add-port p1  type=pcap"), "[add-port@1][p1@10][type=pcap@14]");
	assert_string_equal(split("a # b"), "[a@1]");
	assert_string_equal(split("a#b #c"), "[a#b@1]");
	assert_string_equal(split("'a b' \"c 'd'\""), "[a b@1][c 'd'@7]");
	assert_string_equal(split("x'y z'w"), "[xy zw@1]");
	assert_string_equal(split("\"a\\\"b\\\\c\\d\""), "[a\"b\\c\\d@1]");
	assert_string_equal(split("'a\\'"), "[a\\@1]");
	assert_string_equal(split("a\\ b \\#c"), "[a b@1][#c@6]");
	assert_string_equal(split("'' \"\""), "[@1][@4]");
	assert_string_equal(split("a\r"), "[a@1]");
}

static void bad_lines_say_where(void **state)
{
	char many[2 * LINE_WORDS_MAX + 3], *at = many;

	(void)state;
	assert_string_equal(split("ab 'cd"), "4: the quote ' does not end on its line");
	assert_string_equal(split("ab c\"d"), "5: the quote \" does not end on its line");
	assert_string_equal(split("ab \\"),
			    "4: a backslash at the end of a line: commands are one line");
	for (unsigned i = 0; i <= LINE_WORDS_MAX; i++)
		at = stpcpy(at, "a ");
	assert_string_equal(split(many), "129: more than 64 words in a line");
	many[2 * LINE_WORDS_MAX] = '\0';
	assert_memory_equal(split(many), "[a@1]", 5);
}

static void nul_is_no_text(void **state)
{
	struct line_words w;
	unsigned column = 0;

	(void)state;
	assert_int_not_equal(line_words_split(&w, "a\0b", 3, &column, &r), 0);
	assert_int_equal(column, 2);
	line_words_free(&w);
}

/* ------------------------------------------------------------------ usage */

static struct args args;

static int parse(const char *usage, const char *line)
{
	static struct line_words w;
	unsigned column;

	line_words_free(&w);
	memset(&r, 0, sizeof r);
	assert_int_equal(line_words_split(&w, line, strlen(line), &column, &r), 0);
	return args_parse(&args, usage, w.n, w.word, &r);
}

static void words_are_counted(void **state)
{
	(void)state;
	assert_int_equal(parse("", ""), 0);
	assert_int_not_equal(parse("", "a"), 0);
	assert_string_equal(r.text, "one word too many: a");
	assert_int_equal(args.bad, 0);
	assert_int_equal(parse("NAME", "a"), 0);
	assert_string_equal(args.word[0], "a");
	assert_int_not_equal(parse("NAME", ""), 0);
	assert_string_equal(r.text, "NAME is missing");
	assert_int_not_equal(parse("NAME", "a b"), 0);
	assert_int_equal(args.bad, 1);
	assert_int_equal(parse("[NAME]", ""), 0);
	assert_int_equal(parse("[NAME]", "a"), 0);
	assert_int_not_equal(parse("[NAME]", "a b"), 0);
	assert_int_equal(parse("NAME type=TYPE [KEY=VALUE]…", "a b c d e"), 0);
	assert_int_equal(args.n, 5);
	assert_int_not_equal(parse("NAME type=TYPE [KEY=VALUE]…", "a"), 0);
	assert_string_equal(r.text, "type=TYPE is missing");
	assert_int_not_equal(parse("FLOW…", ""), 0);
	assert_int_equal(parse("FLOW…", "a b"), 0);
}

static void options_are_known_by_the_usage(void **state)
{
	static const char usage[] = "[FLOW]… [--all] [--expire TIME]";

	(void)state;
	assert_int_equal(parse(usage, "a --all b"), 0);
	assert_int_equal(args.n, 2);
	assert_int_equal(args.at[1], 2);
	assert_string_equal(args_option(&args, "--all"), "");
	assert_null(args_option(&args, "--expire"));
	assert_int_equal(parse(usage, "--expire 10m"), 0);
	assert_string_equal(args_option(&args, "--expire"), "10m");
	assert_int_equal(parse(usage, "--expire=10m x"), 0);
	assert_string_equal(args_option(&args, "--expire"), "10m");
	assert_int_equal(args.n, 1);
	assert_int_equal(parse(usage, "-- --all"), 0);
	assert_null(args_option(&args, "--all"));
	assert_string_equal(args.word[0], "--all");
	assert_int_equal(parse("FILE", "-"), 0);
}

static void wrong_options_are_told(void **state)
{
	static const char usage[] = "[FLOW]… [--all] [--expire TIME]";

	(void)state;
	assert_int_not_equal(parse(usage, "x --al"), 0);
	assert_int_equal(r.code, REFUSED_UNKNOWN_WORD);
	assert_int_equal(args.bad, 1);
	assert_string_equal(r.text, "no option --al; did you mean --all?");
	assert_int_not_equal(parse(usage, "--colour"), 0);
	assert_int_not_equal(parse("", "--all"), 0);
	assert_string_equal(r.text, "no option --all; there are none here");
	assert_int_not_equal(parse(usage, "--expire"), 0);
	assert_string_equal(r.text, "--expire needs a value");
	assert_int_not_equal(parse(usage, "--all=1"), 0);
	assert_string_equal(r.text, "--all takes no value");
	assert_int_not_equal(parse(usage, "--all --all"), 0);
	assert_string_equal(r.text, "--all is given twice");
}

/* Every row's usage means what its author thinks: brackets close, names are there. */
static void every_row_is_well_formed(void **state)
{
	(void)state;
	for (const struct verb *v = verbs; v->name; v++) {
		const char *usage = v->usage;
		struct usage_part part;

		while (usage_next(&usage, &part)) {
			assert_true(part.size > 0 && part.size < 24);
			assert_null(memchr(part.text, ']', part.size));
			assert_null(memchr(part.text, '[', part.size));
		}
		assert_ptr_equal(verb_find(v->name), v);
		if (v->flags & VERB_OFFLINE)
			assert_true(v->flags & VERB_CONFIG);
	}
	assert_null(verb_find("no-such"));
	assert_string_equal(verb_near("add-flw"), "add-flow");
}

static void a_files_content_is_no_option(void **state)
{
	const char *words[6];

	(void)state;
	assert_int_equal(parse("FILE", "x"), 0);
	assert_int_equal(args_file(&args, "FILE"), 0);
	assert_int_equal(args_put_content(&args, 0, "--all\n", words), 2);
	assert_int_equal(args_parse(&args, "FILE", 2, words, &r), 0);
	assert_string_equal(args.word[0], "--all\n");
	/* FILE behind a name; file=… among options, which stays. */
	assert_int_equal(parse("NAME FILE", "x y"), 0);
	assert_int_equal(args_file(&args, "NAME FILE"), 1);
	assert_string_equal(args_file_name(&args, 1), "y");
	assert_int_equal(args_put_content(&args, 1, "content", words), 3);
	assert_string_equal(words[1], "x");
	assert_string_equal(words[2], "content");
	assert_int_equal(parse("NAME KEY=VALUE…", "x file=y z=1"), 0);
	assert_int_equal(args_file(&args, "NAME KEY=VALUE…"), 1);
	assert_string_equal(args_file_name(&args, 1), "y");
	assert_int_equal(args_put_content(&args, 1, "content", words), 5);
	assert_string_equal(words[2], "file=y");
	assert_string_equal(words[4], "content");
	assert_int_equal(parse("NAME KEY=VALUE…", "x z=1"), 0);
	assert_int_equal(args_file(&args, "NAME KEY=VALUE…"), -1);
}

/* ------------------------------------------------------------------ files */

static void files_are_read_whole_or_refused(void **state)
{
	char name[] = "/tmp/sl-words-XXXXXX", *content;
	int fd = mkstemp(name);
	size_t size;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 5000), 0);
	assert_int_equal(file_read(name, 5000, &content, &size, &r), 0);
	assert_int_equal(size, 5000);
	assert_int_equal(content[5000], 0);
	free(content);
	assert_int_not_equal(file_read(name, 4999, &content, &size, &r), 0);
	assert_int_equal(r.code, REFUSED_LIMIT);
	assert_null(content);
	close(fd);
	unlink(name);
	assert_int_not_equal(file_read(name, 4999, &content, &size, &r), 0);
	assert_int_equal(r.code, REFUSED_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_split_as_in_a_shell),
		cmocka_unit_test(bad_lines_say_where),
		cmocka_unit_test(nul_is_no_text),
		cmocka_unit_test(words_are_counted),
		cmocka_unit_test(options_are_known_by_the_usage),
		cmocka_unit_test(wrong_options_are_told),
		cmocka_unit_test(every_row_is_well_formed),
		cmocka_unit_test(a_files_content_is_no_option),
		cmocka_unit_test(files_are_read_whole_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
