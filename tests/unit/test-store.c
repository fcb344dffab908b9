/* SPDX-License-Identifier: Apache-2.0 */
/* The store: what was answered is there, whatever happens; a commit that fails changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "lib/base.h"
#include "ofproto/store.h"

static char directory[64], file[128];

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/sluice-store-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof file, "%s/db", directory);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	char path[160];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(suffixes); i++) {
		snprintf(path, sizeof path, "%s%s", file, suffixes[i]);
		unlink(path);
	}
	return rmdir(directory);
}

static struct store *open_store(void)
{
	struct refusal r = {0};
	struct store *s = store_open(file, &r);

	if (!s)
		fail_msg("%s", r.text);
	return s;
}

static int commit(struct store *s, struct store_op *ops, struct refusal *r)
{
	struct pollfd p = {.fd = store_fd(s), .events = POLLIN};
	int error;

	store_commit(s, ops);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(store_result(s, &error, r));
	assert_false(store_result(s, &error, r));
	return error;
}

struct tally {
	struct store_visit visit;
	int64_t n, last_id;
	char text[256];
	struct store_flow flow;
};

static int count_flow(struct store_visit *v, const struct store_flow *f, struct refusal *r)
{
	struct tally *t = container_of(v, struct tally, visit);

	(void)r;
	t->n++;
	assert_int_equal(f->id, t->last_id + 1); /* no gap: in the order of commits */
	t->last_id = f->id;
	t->flow = *f;
	snprintf(t->text, sizeof t->text, "%s|%s|%s", f->origin, f->reason ? f->reason : "-",
		 f->text);
	return 0;
}

static int count_object(struct store_visit *v, const char *name, const char *text,
			struct refusal *r)
{
	struct tally *t = container_of(v, struct tally, visit);
	size_t n = strlen(t->text);

	(void)r;
	t->n++;
	snprintf(t->text + n, sizeof t->text - n, "%s=%s;", name, text);
	return 0;
}

static struct tally flows_of(struct store *s)
{
	struct tally t = {.visit.flow = count_flow};

	assert_int_equal(store_load_flows(s, &t.visit, NULL), 0);
	return t;
}

static struct tally objects_of(struct store *s, const char *kind)
{
	struct tally t = {.visit.object = count_object};

	assert_int_equal(store_load_objects(s, kind, &t.visit, NULL), 0);
	return t;
}

static struct store_op *flow(int64_t id)
{
	return store_op_flow(&(struct store_flow){
		.id = id,
		.origin = "cli",
		.text = "table=0,priority=1 actions=drop",
		.reason = id % 2 ? "why not" : NULL,
		.created_ns = 1700000000000000000 + id,
		.expires_ns = id,
	});
}

static void test_keeps(void **state)
{
	struct store *s = open_store();
	struct store_op *ops = flow(1);
	struct tally t;
	struct stat st;

	(void)state;
	ops->next = store_op_object("port", "p2", "p2\ntype=dummy\n");
	ops->next->next = store_op_object("port", "p1", "p1\ntype=dummy\n");
	ops->next->next->next = store_op_object("conn", "c", "c\n");
	assert_int_equal(commit(s, ops, NULL), 0);
	ops = store_op_flow_count(
		&(struct store_flow){.id = 1, .packets = 7, .bytes = UINT64_MAX, .used_ns = 12});
	ops->next = store_op_object("port", "p2", "p2 changed");
	ops->next->next = store_op_object("conn", "c", NULL);
	assert_int_equal(commit(s, ops, NULL), 0);
	store_close(s);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	s = open_store();
	t = flows_of(s);
	assert_int_equal(t.n, 1);
	assert_string_equal(t.text, "cli|why not|table=0,priority=1 actions=drop");
	assert_int_equal(t.flow.created_ns, 1700000000000000001);
	assert_int_equal(t.flow.expires_ns, 1);
	assert_int_equal(t.flow.packets, 7);
	assert_true(t.flow.bytes == UINT64_MAX);
	assert_int_equal(t.flow.used_ns, 12);
	assert_string_equal(objects_of(s, "port").text, "p2=p2 changed;p1=p1\ntype=dummy\n;");
	assert_int_equal(objects_of(s, "conn").n, 0);
	assert_int_equal(commit(s, store_op_flow_del(1), NULL), 0);
	assert_int_equal(flows_of(s).n, 0);
	store_close(s);
}

static void test_makes_private(void **state)
{
	struct stat st;
	FILE *f;

	(void)state;
	f = fopen(file, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(chmod(file, 0644), 0);
	store_close(open_store());
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* Another process: locks are per process. */
static void test_second_daemon(void **state)
{
	struct store *s = open_store();
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		struct refusal r = {0};

		_exit(store_open(file, &r) || r.code != REFUSED_OCCUPIED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	store_close(s);
	store_close(open_store()); /* free again */
}

/* The disk is full: a group that cannot be written is refused whole, and the next one may succeed.
 */
static void test_full(void **state)
{
	struct store *s = open_store();
	struct rlimit limit, small;
	struct refusal r = {0};
	struct store_op *ops = NULL;
	struct stat st;
	char wal[160];

	(void)state;
	assert_int_equal(commit(s, flow(1), NULL), 0);
	snprintf(wal, sizeof wal, "%s-wal", file);
	assert_int_equal(stat(wal, &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = (rlim_t)st.st_size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int64_t i = 1000; i > 1; i--) {
		struct store_op *op = flow(i);

		op->next = ops;
		ops = op;
	}
	assert_int_equal(commit(s, ops, &r), -EIO);
	assert_int_equal(r.code, REFUSED_STORE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(flows_of(s).n, 1);
	assert_int_equal(commit(s, flow(2), NULL), 0);
	store_close(s);
	s = open_store();
	assert_int_equal(flows_of(s).n, 2);
	store_close(s);
}

static void test_newer(void **state)
{
	char command[256];
	struct refusal r = {0};

	(void)state;
	store_close(open_store());
	/* user_version: octets 60 to 63 of the file's header, big endian */
	snprintf(command, sizeof command,
		 "printf '\\0\\0\\0\\143' | dd of=%s bs=1 seek=60 conv=notrunc 2>&1 >&2", file);
	assert_int_equal(system(command), 0);
	assert_null(store_open(file, &r));
	assert_int_equal(r.code, REFUSED_STORE);
	assert_non_null(strstr(r.text, "newer"));
}

static void shell(const char *format)
{
	char command[400];

	snprintf(command, sizeof command, format, file);
	assert_int_equal(system(command), 0);
}

/* One line that says what to do; and the file is left as it was. */
static void test_not_ours(void **state)
{
	struct refusal r = {0};
	sqlite3 *db;

	(void)state;
	shell("echo 'this is a letter to a friend, longer than nothing' >%s");
	assert_null(store_open(file, &r));
	assert_int_equal(r.code, REFUSED_STORE);
	assert_non_null(strstr(r.text, "begin anew"));
	assert_null(strchr(r.text, '\n'));
	shell("grep -q 'a letter' %s");
	unlink(file);
	assert_int_equal(sqlite3_open(file, &db), 0);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE letter(a)", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	assert_null(store_open(file, &r));
	assert_non_null(strstr(r.text, "another program's"));
}

/* A page in the middle is garbage: said at the start, not when it is needed. */
static void test_damaged(void **state)
{
	struct store *s = open_store();
	struct refusal r = {0};

	(void)state;
	for (int64_t i = 1; i < 300; i++)
		assert_int_equal(commit(s, flow(i), NULL), 0);
	store_close(s);
	shell("dd if=/dev/zero of=%s bs=4096 seek=5 count=1 conv=notrunc 2>/dev/null");
	assert_null(store_open(file, &r));
	assert_int_equal(r.code, REFUSED_STORE);
	assert_non_null(strstr(r.text, "put a copy in its place"));
}

/* What was deleted cannot be read in the file any more: it may have been a key. */
static void test_forgets(void **state)
{
	struct store *s = open_store();

	(void)state;
	assert_int_equal(commit(s, store_op_object("conn", "c", "c\nkey-in=c0ffee\n"), NULL), 0);
	store_close(s);
	shell("grep -q c0ffee %s");
	s = open_store();
	assert_int_equal(commit(s, store_op_object("conn", "c", NULL), NULL), 0);
	store_close(s);
	shell("! grep -q c0ffee %s");
}

/* Commits flow after flow, and says so after each answer. */
static void commit_forever(int out)
{
	struct store *s = open_store();
	int64_t id = flows_of(s).last_id;

	for (;;) {
		struct store_op *op = flow(++id);

		op->next = store_op_object("setting", "last", "some text");
		if (commit(s, op, NULL) || write(out, &id, sizeof id) != sizeof id)
			_exit(1);
	}
}

/* Killed at any moment: what was answered is there, and nothing out of order. */
static void test_killed(void **state)
{
	int64_t answered = 0;
	struct store *s;

	(void)state;
	srandom(20);
	for (unsigned round = 0; round < 12; round++) {
		unsigned n = (unsigned)random() % 30;
		int64_t id, held;
		int pipes[2];
		pid_t pid;

		assert_int_equal(pipe(pipes), 0);
		pid = fork();
		if (!pid) {
			close(pipes[0]);
			commit_forever(pipes[1]);
		}
		close(pipes[1]);
		for (unsigned i = 0; i <= n; i++) {
			assert_int_equal(read(pipes[0], &id, sizeof id), sizeof id);
			answered = id;
		}
		for (volatile long spin = random() % 2000000; spin > 0; spin--)
			; /* somewhere in the next commit */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(pipes[0], &id, sizeof id) == sizeof id)
			answered = id;
		close(pipes[0]);
		s = open_store();
		held = flows_of(s).n;
		store_close(s);
		assert_true(held == answered || held == answered + 1);
	}
	assert_true(answered > 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keeps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_makes_private, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_second_daemon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_newer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forgets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
