/* SPDX-License-Identifier: Apache-2.0 */
/* The log: its line, its levels, its limit and its two ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/refuse.h"

static struct refusal r;

static char said[64 * 1024];
static int capture_fd, stderr_fd;

static void capture(void)
{
	char file[] = "/tmp/test-lib-XXXXXX";

	capture_fd = mkstemp(file);
	assert_true(capture_fd >= 0);
	unlink(file);
	stderr_fd = dup(STDERR_FILENO);
	/* Appending, so that threads' lines meet in the file and not over each other. */
	fcntl(capture_fd, F_SETFL, O_APPEND);
	dup2(capture_fd, STDERR_FILENO);
}

static unsigned captured(void)
{
	ssize_t size = pread(capture_fd, said, sizeof said - 1, 0);
	unsigned n = 0;

	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	close(capture_fd);
	assert_true(size >= 0);
	said[size] = '\0';
	for (const char *p = said; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static void a_line_has_time_level_and_text(void **state)
{
	const char *shape = "0000-00-00T00:00:00.000Z ";
	static char longer[3000];

	(void)state;
	capture();
	errno = EBUSY;
	LOG(WARN, "store: %s: %d", "a\nb", 7);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(captured(), 1);
	for (unsigned i = 0; shape[i]; i++) {
		if (shape[i] == '0')
			assert_in_range(said[i], '0', '9');
		else
			assert_int_equal(said[i], shape[i]);
	}
	assert_string_equal(said + strlen(shape), "WARN store: a?b: 7\n");
	memset(longer, 'x', sizeof longer - 1);
	capture();
	LOG(ERR, "%s", longer);
	assert_int_equal(captured(), 1);
	assert_non_null(strstr(said, "Z ERR xxxx"));
}

static void say_all(void)
{
	LOG(ERR, "store: one");
	LOG(WARN, "store: two");
	LOG(INFO, "store: three");
	LOG(DEBUG, "store: four");
	LOG(INFO, "sync: five");
	LOG(DEBUG, "sync: six");
}

static void levels_choose(void **state)
{
	static const struct {
		const char *spec, *last;
		unsigned n;
	} cases[] = {
		{"info", "INFO sync: five", 4},        {"debug", "DEBUG sync: six", 6},
		{"err", "ERR store: one", 1},          {"err,sync:debug", "DEBUG sync: six", 3},
		{"store:debug", "INFO sync: five", 5}, {"debug,sync:err", "DEBUG store: four", 4},
	};
	static const char *const bad[] = {"",           "loud",  "store:", ":info",
					  "store:loud", "info,", "INFO"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		/* The sites of say_all() speak at most ten times a second: fewer cases than that.
		 */
		assert_int_equal(log_configure(cases[i].spec, &r), 0);
		capture();
		say_all();
		assert_int_equal(captured(), cases[i].n);
		assert_non_null(strstr(said, cases[i].last));
	}
	assert_int_equal(log_configure("warn", &r), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(log_configure(bad[i], &r), -EINVAL);
		assert_int_equal(r.code, REFUSED_BAD_VALUE);
	}
	assert_int_equal(log_configure("store:loud", &r), -EINVAL);
	assert_non_null(strstr(r.text, "'loud' is not one of err, warn, info, debug"));
	capture();
	say_all();
	assert_int_equal(captured(), 2); /* refused specifications changed nothing */
	assert_int_equal(log_configure("info", &r), 0);
}

static void await_next_second(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec++;
	ts.tv_nsec = 0;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void a_site_is_held_back(void **state)
{
	struct log_site site = {0};

	(void)state;
	await_next_second();
	capture();
	for (unsigned i = 0; i < 15; i++)
		log_line(&site, LOG_INFO_, "flood: %u", i);
	assert_int_equal(captured(), 10);
	assert_non_null(strstr(said, "flood: 9\n"));
	await_next_second();
	capture();
	log_line(&site, LOG_INFO_, "flood: on");
	log_line(&site, LOG_INFO_, "flood: off");
	assert_int_equal(captured(), 2);
	assert_non_null(strstr(said, "flood: on (5 lines like this held back)\n"));
	assert_non_null(strstr(said, "flood: off\n"));
}

static void *speak(void *arg)
{
	struct log_site site;

	(void)arg;
	for (unsigned i = 0; i < 200; i++) {
		memset(&site, 0, sizeof site);
		log_line(&site, LOG_INFO_, "thread: %s", "one whole line of it");
		LOG(INFO, "shared: site");
	}
	return NULL;
}

static void lines_stay_whole(void **state)
{
	pthread_t thread[4];
	unsigned whole = 0;

	(void)state;
	capture();
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, speak, NULL);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	captured();
	for (char *line = strtok(said, "\n"); line; line = strtok(NULL, "\n"))
		whole += !strcmp(line + 25, "INFO thread: one whole line of it");
	assert_int_equal(whole, 800);
}

/* In the C library's place, plain and fortified. */
static char logged[256];
static int logged_priority;

void syslog(int priority, const char *fmt, ...);
void __syslog_chk(int priority, int flag, const char *fmt, ...);

void syslog(int priority, const char *fmt, ...)
{
	va_list args;

	logged_priority = priority;
	errno = EIO;
	va_start(args, fmt);
	vsnprintf(logged, sizeof logged, fmt, args);
	va_end(args);
}

void __syslog_chk(int priority, int flag, const char *fmt, ...)
{
	va_list args;

	(void)flag;
	logged_priority = priority;
	errno = EIO;
	va_start(args, fmt);
	vsnprintf(logged, sizeof logged, fmt, args);
	va_end(args);
}

static void syslog_takes_over(void **state)
{
	(void)state;
	log_to_syslog("test-lib");
	capture();
	errno = EBUSY;
	LOG(WARN, "store: %s", "100%s");
	assert_int_equal(errno, EBUSY);
	assert_int_equal(captured(), 0);
	assert_string_equal(logged, "store: 100%s");
	assert_int_equal(logged_priority, 4);
	log_to_stderr();
	capture();
	LOG(WARN, "store: back");
	assert_int_equal(captured(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_time_level_and_text),
		cmocka_unit_test(levels_choose),
		cmocka_unit_test(a_site_is_held_back),
		cmocka_unit_test(lines_stay_whole),
		cmocka_unit_test(syslog_takes_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
