/* SPDX-License-Identifier: Apache-2.0 */
/* Marks of crashes: which ends leave one, and when they are a loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/crash.h"

static char file[64];

static int set_up(void **state)
{
	int fd;

	(void)state;
	snprintf(file, sizeof file, "/tmp/sluice-crash-XXXXXX");
	fd = mkstemp(file);
	return fd < 0 || close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(file);
}

/* Where nobody may write: no null pointer, which a sanitizer would see first. */
static void *write_nowhere(void *arg)
{
	volatile int *nowhere =
		mmap(NULL, sizeof *nowhere, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*nowhere = 1;
	return arg;
}

enum end { BY_KILL, BY_TERM, BY_WRITE, BY_THREAD, BY_ABORT, BY_EXIT, BY_STACK };

static int use_stack(int n)
{
	volatile char much[4096];

	much[0] = (char)n;
	return n ? use_stack(n + 1) + much[0] : 0;
}

static void live(enum end end)
{
	const struct rlimit no_core = {0, 0};
	pthread_t thread;
	pid_t pid = fork();
	int status;

	if (pid) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(end == BY_EXIT || !WIFEXITED(status) || WEXITSTATUS(status));
		return;
	}
	setrlimit(RLIMIT_CORE, &no_core);
	for (int sig = 1; sig < SIGRTMIN; sig++)
		signal(sig, SIG_DFL); /* CMocka has its own */
	if (crash_watch(file))
		_exit(0);
	if (end == BY_KILL)
		raise(SIGKILL);
	if (end == BY_TERM)
		raise(SIGTERM);
	if (end == BY_WRITE)
		write_nowhere(NULL);
	if (end == BY_THREAD && !pthread_create(&thread, NULL, write_nowhere, NULL))
		pthread_join(thread, NULL);
	if (end == BY_ABORT)
		abort();
	if (end == BY_STACK)
		_exit(use_stack(1));
	crash_unwatch();
	_exit(0);
}

static int loop(void)
{
	int sig = 0;
	bool is;

	assert_int_equal(crash_watch(file), 0);
	is = crash_loop(&sig);
	crash_unwatch();
	return is ? sig : 0;
}

static void test_which(void **state)
{
	static const enum end ends[] = {BY_KILL, BY_TERM, BY_EXIT};

	(void)state;
	for (unsigned i = 0; i < 3 * ARRAY_SIZE(ends); i++)
		live(ends[i % ARRAY_SIZE(ends)]);
	assert_int_equal(loop(), 0);
	live(BY_WRITE);
	live(BY_THREAD);
	assert_int_equal(loop(), 0);
	live(BY_KILL);
	live(BY_STACK);
	assert_int_equal(loop(), SIGSEGV);
	live(BY_ABORT);
	assert_int_equal(loop(), SIGABRT);
	assert_int_equal(crash_watch(file), 0);
	crash_forget();
	crash_unwatch();
	assert_int_equal(loop(), 0);
	live(BY_ABORT);
	live(BY_ABORT);
	assert_int_equal(loop(), 0);
	live(BY_ABORT);
	assert_int_equal(loop(), SIGABRT);
}

/* More crashes than there are places: the newest count. */
static void test_many(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * CRASH_MARKS; i++) {
		live(i < 2 * CRASH_MARKS - 1 ? BY_ABORT : BY_WRITE);
		assert_int_equal(!!loop(), i >= 2);
	}
	assert_int_equal(loop(), SIGSEGV);
}

/* The marks as if the first `n` were made so long before. */
static void age(unsigned n, int64_t ns)
{
	int fd = open(file, O_RDWR);

	for (unsigned i = 0; i < n; i++) {
		int64_t at;

		assert_int_equal(pread(fd, &at, 8, i * 16), 8);
		at -= ns;
		assert_int_equal(pwrite(fd, &at, 8, i * 16), 8);
	}
	close(fd);
}

static void test_within_a_minute(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		live(BY_ABORT);
	age(1, 50 * (int64_t)NSEC_PER_SEC);
	assert_int_equal(loop(), SIGABRT);
	age(1, 10 * (int64_t)NSEC_PER_SEC);
	assert_int_equal(loop(), 0);
	/* However long ago it was. */
	age(3, 5000 * (int64_t)NSEC_PER_SEC);
	age(1, -40 * (int64_t)NSEC_PER_SEC);
	assert_int_equal(loop(), SIGABRT);
}

/* There is room for all marks from the beginning: a disk that is full later hides none.  What is
 * no file of marks says nothing, and is no harm. */
static void test_file(void **state)
{
	struct stat st;

	(void)state;
	live(BY_EXIT);
	assert_int_equal(stat(file, &st), 0);
	assert_true(st.st_size == CRASH_MARKS * 16 && st.st_blocks > 0);
	assert_int_equal(truncate(file, 5), 0);
	assert_int_equal(loop(), 0);
	assert_true(crash_watch("/nowhere/at/all") < 0);
	assert_false(crash_loop(&(int){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_which, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_within_a_minute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
