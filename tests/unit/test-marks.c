/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence marks: whatever ends the process, no number is given out twice under a key.  Daemons are
 * children that end without a word; the file is read here by a reader of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "datapath/marks.h"

enum { SLOT = 64 + MARKS_MAX * 32 };

static char file[256];

static int setup(void **unused)
{
	const char *folder = getenv("TMPDIR");
	int fd;

	(void)unused;
	snprintf(file, sizeof file, "%s/marks-XXXXXX", folder ? folder : "/tmp");
	fd = mkstemp(file);
	return fd < 0 || close(fd);
}

static int teardown(void **unused)
{
	(void)unused;
	marks_close();
	return unlink(file);
}

static struct mark_key key_of(uint8_t tag)
{
	static uint8_t octets[256][36];

	memset(octets[tag], tag, sizeof octets[tag]);
	return (struct mark_key){
		.key = octets[tag], .auth = "", .key_size = 20, .counter = true, .esn = true};
}

static struct mark *sender(uint8_t tag)
{
	struct mark_key key = key_of(tag);
	struct refusal r = {0};
	struct mark *m = NULL;

	if (mark_claim_sender(&key, &m, &r))
		fail_msg("%s", r.text);
	return m;
}

/* The highest reservation that the file holds for its n-th key, by the newest slot's header alone.
 */
static uint64_t on_disk(unsigned n)
{
	uint8_t head[2][64], entry[32];
	int fd = open(file, O_RDONLY), newest;

	assert_int_equal(pread(fd, head[0], 64, 0), 64);
	if (pread(fd, head[1], 64, SLOT) != 64)
		memset(head[1], 0, 64);
	newest = get_be64(head[1] + 8) > get_be64(head[0] + 8);
	assert_true(n < get_be32(head[newest] + 16));
	assert_int_equal(pread(fd, entry, 32, newest * SLOT + 64 + n * 32), 32);
	close(fd);
	return get_be64(entry + 16);
}

/* ---- Lives ---------------------------------------------------------------------------------- */

/* A daemon's life in a child that ends as by SIGKILL: sends `n` packets as fast as it may, or until
 * its numbers are out, and tells the first and the last number it used. */
struct life {
	uint64_t first, last, unreserved;
};

static struct life live_and_die(uint64_t n)
{
	int tell[2];
	struct life life = {0};
	pid_t pid;

	assert_int_equal(pipe(tell), 0);
	pid = fork();
	if (!pid) {
		struct mark *m;

		if (marks_open(file, NULL))
			_exit(1);
		m = sender(1);
		life.first = m->used + 1;
		for (uint64_t i = 0; i < n; i++) {
			if (m->used >= mark_limit(m)) {
				life.unreserved++;
				continue;
			}
			mark_use(m, m->used + 1);
		}
		life.last = m->used;
		_exit(write(tell[1], &life, sizeof life) != sizeof life);
	}
	assert_int_equal(read(tell[0], &life, sizeof life), sizeof life);
	waitpid(pid, NULL, 0);
	close(tell[0]);
	close(tell[1]);
	return life;
}

static void test_crashes(void **unused)
{
	uint64_t last = 0;

	(void)unused;
	for (unsigned i = 0; i < 20; i++) {
		struct life life = live_and_die(i * 40000);

		assert_true(life.first > last);
		assert_true(life.last <= on_disk(0));
		last = MAX(last, life.last);
	}
}

/* Everything that was ever given out is in the file first. */
static void test_ahead(void **unused)
{
	struct mark *m;

	(void)unused;
	assert_int_equal(marks_open(file, NULL), 0);
	m = sender(1);
	assert_int_equal(m->used, 0);
	assert_true(mark_limit(m) >= MARK_STEP_MIN);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t limit = mark_limit(m);

		assert_true(on_disk(0) >= limit);
		mark_use(m, m->used + (limit - m->used) * 3 / 4);
		assert_int_equal(marks_turn(i * 10 * NSEC_PER_SEC), 0);
		assert_true(mark_limit(m) - m->used >= MARK_STEP_MIN / 2);
	}
	mark_release_sender(m);
}

/* A reservation lasts for 30 s of what was sent, within its bounds. */
static void test_rate(void **unused)
{
	uint64_t now = 1ull << 50; /* far from the thread's own clock */
	struct mark *m;

	(void)unused;
	assert_int_equal(marks_open(file, NULL), 0);
	m = sender(1);
	m->asked_ns = now;
	m->asked_used = 0;
	mark_use(m, 250000);
	assert_int_equal(marks_turn(now + NSEC_PER_SEC), 0);
	assert_true(mark_limit(m) - m->used >= 30 * 250000);
	assert_true(mark_limit(m) - m->used <= MARK_STEP_MAX);
	mark_release_sender(m);
}

static void test_write_fails(void **unused)
{
	pid_t pid = fork();
	int status;

	(void)unused;
	if (!pid) { /* a file that cannot grow, in a process of its own */
		struct rlimit none = {10, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
		struct refusal r = {0};
		struct mark_key key = key_of(2);
		struct mark *m, *other;
		uint64_t limit;

		signal(SIGXFSZ, SIG_IGN);
		if (marks_open(file, NULL))
			_exit(1);
		m = sender(1);
		limit = mark_limit(m);
		setrlimit(RLIMIT_FSIZE, &none);
		mark_use(m, limit);
		if (!marks_turn(1ull << 50) || mark_limit(m) != limit)
			_exit(2);
		/* Another one may be there, and send nothing yet. */
		if (mark_claim_sender(&key, &other, &r) || mark_limit(other) != other->used)
			_exit(3);
		setrlimit(RLIMIT_FSIZE, &all);
		if (marks_turn(2ull << 50) || mark_limit(m) <= limit ||
		    mark_limit(other) <= other->used)
			_exit(4);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* The disk is full when it starts again: it starts, and no number is used again. */
static void test_starts_without_room(void **unused)
{
	uint64_t last = live_and_die(1000).last;
	struct stat st;
	pid_t pid;
	int status;

	(void)unused;
	assert_true(last > 0);
	assert_int_equal(stat(file, &st), 0);
	assert_true(st.st_blocks * 512 >= 2 * SLOT); /* there is room already */
	pid = fork();
	if (!pid) {
		struct rlimit none = {10, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
		struct mark *m;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &none);
		if (marks_open(file, NULL))
			_exit(1);
		m = sender(1);
		if (m->used < last || mark_limit(m) != m->used)
			_exit(2);
		setrlimit(RLIMIT_FSIZE, &all);
		if (marks_turn(1ull << 50) || mark_limit(m) <= m->used)
			_exit(3);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* ---- The file ----------------------------------------------------------------------------------
 */

static void spoil(off_t at)
{
	int fd = open(file, O_RDWR);
	uint8_t octet;

	assert_int_equal(pread(fd, &octet, 1, at), 1);
	octet ^= 0x40;
	assert_int_equal(pwrite(fd, &octet, 1, at), 1);
	close(fd);
}

/* A slot that is broken was the newer one, cut short or spoilt: the other one may be behind it by
 * one reservation, so that much is left out. */
static void test_torn(void **unused)
{
	static const unsigned places[] = {0, 10, 18, 40, 64 + 3, 64 + 20};

	(void)unused;
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		struct refusal r = {0};
		struct life life;

		assert_int_equal(truncate(file, 0), 0);
		assert_int_equal(truncate(file, SLOT + 10), 0); /* its first write was cut short */
		assert_int_equal(live_and_die(1000).first, 1);
		life = live_and_die(1000);
		spoil((off_t)places[i]); /* slot 0 has generation 4: the newest */
		assert_true(live_and_die(1000).first > life.last);
		spoil((off_t)places[i]);
		spoil((off_t)places[i] + SLOT);
		assert_true(marks_open(file, &r) < 0);
		assert_int_equal(r.code, REFUSED_STORE);
	}
}

static void test_locked(void **unused)
{
	pid_t pid;
	int status;

	(void)unused;
	assert_int_equal(marks_open(file, NULL), 0);
	pid = fork();
	if (!pid) {
		struct refusal r = {0};

		_exit(!marks_open(file, &r) || r.code != REFUSED_OCCUPIED);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* ---- Claims
 * -------------------------------------------------------------------------------------- */

static void test_claims(void **unused)
{
	struct mark_key key = key_of(1), other = key_of(1);
	struct refusal r = {0};
	struct mark *m, *again = NULL, *in, *in2;

	(void)unused;
	assert_int_equal(marks_open(file, NULL), 0);
	m = sender(1);
	assert_true(mark_claim_sender(&key, &again, &r) < 0);
	assert_int_equal(r.code, REFUSED_KEY_REUSE);
	other.key_size = 19; /* the salt is part of the name */
	assert_int_equal(mark_claim_sender(&other, &again, &r), 0);
	mark_release_sender(again);

	mark_use(m, 100); /* deleted and made again: goes on, without a gap */
	mark_release_sender(m);
	m = sender(1);
	assert_int_equal(m->used, 100);

	/* The same key's receivers, here, have an edge of their own, which stays. */
	assert_int_equal(mark_claim_receiver(&key, &in, &r), 0);
	assert_int_equal(mark_claim_receiver(&key, &in2, &r), 0);
	assert_int_equal(in->seen, 0);
	mark_seen(in, 5ull << 32);
	mark_seen(in2, 7);
	assert_int_equal(marks_turn(1ull << 50), 0);
	mark_release_receiver(in);
	mark_release_receiver(in2);
	mark_release_sender(m);
	marks_close();
	assert_int_equal(marks_open(file, NULL), 0);
	assert_int_equal(mark_claim_receiver(&key, &in, &r), 0);
	assert_int_equal(in->seen, 5ull << 32);
	mark_release_receiver(in);
	m = sender(1);
	assert_int_equal(m->used, 100);
	mark_release_sender(m);
}

/* Without ESN there are 2^32 numbers under a key, and then none. */
static void test_without_esn(void **unused)
{
	struct mark_key key = key_of(1);
	struct refusal r = {0};
	struct mark *m;

	(void)unused;
	key.esn = false;
	assert_int_equal(marks_open(file, NULL), 0);
	assert_int_equal(mark_claim_sender(&key, &m, &r), 0);
	for (unsigned i = 0; i < 100000 && mark_limit(m) < UINT32_MAX; i++) {
		mark_use(m, mark_limit(m));
		assert_int_equal(marks_turn((1ull << 50) + i * NSEC_PER_MSEC), 0);
	}
	assert_int_equal(mark_limit(m), UINT32_MAX);
	mark_use(m, UINT32_MAX);
	assert_int_equal(marks_turn(1ull << 51), 0);
	assert_int_equal(mark_limit(m), UINT32_MAX);
	mark_release_sender(m);
	assert_true(mark_claim_sender(&key, &m, &r) < 0);
	assert_int_equal(r.code, REFUSED_KEY_REUSE);
}

static void test_no_store(void **unused)
{
	struct mark_key key = key_of(1);
	struct refusal r = {0};
	struct mark *m;

	(void)unused;
	assert_int_equal(marks_open(NULL, NULL), 0);
	assert_true(mark_claim_sender(&key, &m, &r) < 0);
	assert_int_equal(r.code, REFUSED_NOT_HERE);
	key.lax = true; /* offline: nothing leaves */
	assert_int_equal(mark_claim_sender(&key, &m, &r), 0);
	assert_int_equal(mark_limit(m), UINT64_MAX);
	mark_release_sender(m);
	key.lax = key.counter = false; /* no IV to repeat */
	assert_int_equal(mark_claim_sender(&key, &m, &r), 0);
	mark_release_sender(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_crashes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ahead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_starts_without_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_claims, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_esn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_store, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
