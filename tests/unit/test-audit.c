/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: whole lines, in order, appended, and rotated by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "utilities/watch/audit.h"

static char dir[] = "/tmp/sl-audit-XXXXXX", path[64], old[64];
static struct refusal r;

static int set_up(void **state)
{
	(void)state;
	log_configure("err", &r);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/audit.json", dir);
	snprintf(old, sizeof old, "%s/audit.json.1", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(old);
	rmdir(dir);
	return 0;
}

static void say(struct audit_file *f, int n)
{
	struct audit *a = audit_file_audit(f);

	a->write(a, json_pack("{s:i, s:s}", "ns", n, "what", "found\n"));
}

/* The file's line `n` as JSON; NULL: there is none. */
static json_t *line(const char *file, unsigned n)
{
	static char text[4096];
	FILE *f = fopen(file, "r");
	json_t *entry = NULL;

	assert_non_null(f);
	for (unsigned i = 0; fgets(text, sizeof text, f); i++) {
		assert_int_equal(text[strlen(text) - 1], '\n');
		if (i == n)
			entry = json_loads(text, 0, NULL);
	}
	fclose(f);
	return entry;
}

static void check(const char *file, unsigned at, int n)
{
	json_t *entry = line(file, at);
	const char *time = json_string_value(json_object_get(entry, "time"));

	assert_non_null(entry);
	assert_int_equal(json_integer_value(json_object_get(entry, "ns")), n);
	assert_string_equal(json_string_value(json_object_get(entry, "what")), "found\n");
	assert_non_null(time);
	assert_int_equal(strlen(time), strlen("2000-01-01T00:00:00.000Z"));
	json_decref(entry);
}

static void decisions_are_appended_a_line_each(void **state)
{
	struct audit_file *f = audit_file_open(path, &r), *again;
	struct stat st;

	(void)state;
	assert_non_null(f);
	say(f, 1);
	say(f, 2);
	again = audit_file_open(path, &r); /* a restart, while the first one still writes */
	say(again, 3);
	say(f, 4);
	for (unsigned i = 0; i < 4; i++)
		check(path, i, (int)i + 1);
	assert_null(line(path, 4));
	assert_int_equal(audit_file_counters(f).written, 3);
	assert_int_equal(audit_file_counters(f).failed, 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0027, 0);
	audit_file_free(again);
	audit_file_free(f);
}

static void a_rotated_log_is_begun_anew_when_asked(void **state)
{
	struct audit_file *f = audit_file_open(path, &r);

	(void)state;
	say(f, 1);
	assert_int_equal(rename(path, old), 0);
	say(f, 2);
	assert_int_equal(audit_file_reopen(f, &r), 0);
	say(f, 3);
	check(old, 0, 1);
	check(old, 1, 2);
	check(path, 0, 3);
	assert_null(line(old, 2));
	assert_null(line(path, 1));
	audit_file_free(f);
}

static void a_place_that_is_none_is_refused(void **state)
{
	struct audit_file *f;

	(void)state;
	memset(&r, 0, sizeof r);
	assert_null(audit_file_open("/nowhere/at/all", &r));
	assert_int_equal(r.code, REFUSED_SYSTEM);
	assert_non_null(strstr(r.text, "/nowhere/at/all"));
	/* A reopening that fails keeps what there is. */
	f = audit_file_open(path, &r);
	say(f, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_not_equal(audit_file_reopen(f, &r), 0);
	say(f, 2);
	assert_int_equal(audit_file_counters(f).written, 2);
	audit_file_free(f);
}

static void what_cannot_be_written_is_counted(void **state)
{
	struct audit_file *f = audit_file_open("/dev/full", &r);

	(void)state;
	if (!f)
		skip();
	log_configure("audit:err", &r);
	say(f, 1);
	assert_int_equal(audit_file_counters(f).failed, 1);
	assert_int_equal(audit_file_counters(f).written, 0);
	audit_file_free(f);
}

/* A full disk is said once, and what fits of a line does not spoil the next. */
static void a_full_disk_costs_what_did_not_fit(void **state)
{
	const struct rlimit small = {40, RLIM_INFINITY}, whole = {RLIM_INFINITY, RLIM_INFINITY};
	int log[2], saved = dup(STDERR_FILENO);
	struct audit_file *f = audit_file_open(path, &r);
	char said[4096] = "";

	(void)state;
	assert_true(saved >= 0 && !pipe(log)); /* of no size that is bounded */
	log_configure("info", &r);
	signal(SIGXFSZ, SIG_IGN);
	dup2(log[1], STDERR_FILENO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	say(f, 1);
	say(f, 2);
	say(f, 3);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
	say(f, 4);
	say(f, 5);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(audit_file_counters(f).failed, 3);
	assert_int_equal(audit_file_counters(f).written, 2);
	assert_null(line(path, 0)); /* half of the first */
	check(path, 1, 4);
	check(path, 2, 5);
	assert_true(read(log[0], said, sizeof said - 1) > 0);
	assert_non_null(strstr(said, "decisions go on without being written"));
	assert_null(strstr(strstr(said, "without being") + 1, "without being"));
	assert_non_null(strstr(said, "decisions are written again; 3 were not"));
	close(log[0]);
	close(log[1]);
	audit_file_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(decisions_are_appended_a_line_each, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_rotated_log_is_begun_anew_when_asked, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_place_that_is_none_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_written_is_counted, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_costs_what_did_not_fit, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
