/* SPDX-License-Identifier: Apache-2.0 */
/* The switch on a disk that fails: killed before, in and after each write, the power cut at each,
 * no room, syncs that fail, a disk that does not answer.  What was answered is there; nothing is
 * there by half; who asks hears it; packets go on. */
#include <poll.h>
#include <sys/wait.h>
#include <time.h>

#include "faulty-disk.h"
#include "ofproto/groups.h"
#include "ofproto/journal.h"
#include "ofproto/meters.h"
#include "ofproto/sets.h"
#include "ofproto/state.h"
#include "store-dir.h"

/* ---- Changes of many kinds ---------------------------------------------------------------- */

enum { GROUPS = 3 };

static void must(int error, const struct refusal *r)
{
	if (error)
		fail_msg("%s", r->text);
}

static int group_mod(struct ofproto *o, const char *text, struct refusal *r)
{
	struct group_mod gm;
	int error = group_parse(text, OFPGC_ADD, &gm, r);

	if (!error)
		error = ofproto_group_mod(o, &gm, NULL, r);
	group_mod_free(&gm);
	return error;
}

static int meter_mod(struct ofproto *o, const char *text, struct refusal *r)
{
	struct meter_config m;
	int error = meter_parse(text, &m, r);

	return error ? error : ofproto_meter_mod(o, OFPMC_ADD, &m, NULL, r);
}

/* Change `g` has a port, a meter, a group, a member of a set, a rule that stands on them, a rule in
 * the place of the one before, and its entry in the journal. */
static void change(struct ofproto *o, unsigned g)
{
	const struct actor actor = {.who = "test", .what = "change"};
	const char *set[] = {"s", "type=ipv4"}, *member;
	struct refusal r = {0};
	char text[160];

	ofproto_actor(o, &actor);
	if (g == 1)
		must(ofproto_add_set(o, (struct words){2, set}, NULL, NULL, &r), &r);
	snprintf(text, sizeof text, "p%u type=dummy ofport=%u", g, g);
	must(switch_try_words(o, text, NULL, &r), &r);
	snprintf(text, sizeof text, "meter=%u,bands=type=drop,rate=5", g);
	must(meter_mod(o, text, &r), &r);
	snprintf(text, sizeof text, "group_id=%u,type=indirect,bucket=actions=output:%u", g, g);
	must(group_mod(o, text, &r), &r);
	snprintf(text, sizeof text, "10.0.0.%u", g);
	member = text;
	must(ofproto_set_add(o, "s", (struct words){1, &member}, NULL, &r), &r);
	snprintf(text, sizeof text,
		 "cookie=%u,table=1,priority=%u,ip,nw_src=@s actions=meter:%u,group:%u", g, g, g,
		 g);
	switch_flow(o, OFPFC_ADD, text);
	snprintf(text, sizeof text, "cookie=%u,table=2 actions=output:%u", g, g);
	switch_flow(o, OFPFC_ADD, text);
	ofproto_actor(o, NULL);
}

struct seen {
	struct flow_visit visit;
	unsigned n, last, latest; /* of table 1; of table 2 */
};

static int see(struct flow_visit *v, const struct flow *f, const struct flow_stats *stats)
{
	struct seen *s = container_of(v, struct seen, visit);

	(void)stats;
	if (f->table == 1) {
		s->n++;
		s->last = MAX(s->last, (unsigned)f->cookie);
	} else if (f->table == 2) {
		assert_int_equal(s->latest, 0); /* one alone */
		s->latest = (unsigned)f->cookie;
	}
	return 0;
}

static bool is_there(struct ofproto *o, unsigned g)
{
	struct refusal r;
	char text[32];
	bool in;

	snprintf(text, sizeof text, "p%u", g);
	in = ofproto_port(o, text);
	assert_int_equal(!!ofproto_meter(o, g), in);
	assert_int_equal(!!ofproto_group(o, g, NULL), in);
	assert_int_equal(!!ofproto_journal_entry(o, g), in);
	snprintf(text, sizeof text, "10.0.0.%u", g);
	if (ofproto_set_test(o, "s", text, &in, &r))
		in = false;
	snprintf(text, sizeof text, "p%u", g);
	assert_int_equal(!!ofproto_port(o, text), in);
	return in;
}

/* How many changes the file holds: each whole, and none behind one that is not there. */
static unsigned changes_held(void)
{
	struct seen s = {.visit.flow = see};
	struct flow_filter all;
	struct ofproto *o;

	o = switch_up(file);
	flow_filter_init(&all);
	ofproto_flows(o, &all, &s.visit);
	assert_true(s.n == s.last && s.n == s.latest);
	for (unsigned g = 1; g <= GROUPS; g++)
		assert_int_equal(is_there(o, g), g <= s.n);
	ofproto_destroy(o);
	return s.n;
}

/* ---- Killed at each operation -----------------------------------------------------------------
 */

struct said {
	struct waiter waiter;
	int fd;
	uint8_t what;
};

static void say(struct waiter *w, int error, const struct refusal *r)
{
	struct said *s = container_of(w, struct said, waiter);

	(void)r;
	if (!error && write(s->fd, &s->what, 1) != 1)
		_exit(1);
}

/* In a process of its own, on a disk that fails: each answer is an octet to `fd`. */
static void live(int fd, enum disk_fault fault, unsigned long at)
{
	struct said said = {.waiter.done = say, .fd = fd};
	const struct ofproto_config config = {.db = file, .n_workers = 1};
	struct refusal r = {0};
	struct ofproto *o;

	disk_begin(fault, at);
	o = ofproto_create(&config, &r);
	for (unsigned g = 1; o && g <= GROUPS; g++) {
		change(o, g);
		said.what = (uint8_t)g;
		ofproto_barrier(o, &said.waiter);
		ofproto_sync(o, NULL);
	}
	ofproto_destroy(o);
	_exit(o ? 0 : 3);
}

/* The last change that was answered; *status as waitpid() has it. */
static unsigned life(enum disk_fault fault, unsigned long at, int *status)
{
	unsigned answered = 0;
	int pipes[2];
	uint8_t one;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		close(pipes[0]);
		live(pipes[1], fault, at);
	}
	close(pipes[1]);
	while (read(pipes[0], &one, 1) == 1)
		answered = one;
	close(pipes[0]);
	assert_int_equal(waitpid(pid, status, 0), pid);
	return answered;
}

static void remove_files(void)
{
	tear_down(NULL);
	assert_int_equal(mkdir(directory, 0700), 0);
}

/* From a file's first operation to its last, the end in order included; every `step`th of them. */
static void killed_anywhere(enum disk_fault fault, unsigned step)
{
	unsigned held_more = 0, most = 0;
	unsigned long at;
	int status;

	for (at = 1;; at += step) {
		unsigned answered = life(fault, at, &status), held;

		if (WIFEXITED(status))
			break;
		assert_int_equal(WTERMSIG(status), SIGKILL);
		held = changes_held();
		assert_true(held == answered || held == answered + 1);
		held_more += held > answered;
		most = MAX(most, held);
		remove_files();
	}
	/* It lived to its end, and there were many moments to die in: some behind a commit and
	 * before its answer. */
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(changes_held(), GROUPS);
	assert_true(at > 60 && most == GROUPS);
	assert_true(fault != DISK_KILLED || held_more);
}

static void test_killed(void **state)
{
	(void)state;
	killed_anywhere(DISK_KILLED, 1);
}

static void test_torn(void **state)
{
	(void)state;
	killed_anywhere(DISK_TORN, 3);
}

static void test_power_cut(void **state)
{
	(void)state;
	killed_anywhere(DISK_POWER_CUT, 2);
}

/* ---- A disk that lives and does not serve -----------------------------------------------------
 */

struct answer {
	struct waiter waiter;
	unsigned n;
	int error;
	char text[320];
};

static void answered(struct waiter *w, int error, const struct refusal *r)
{
	struct answer *a = container_of(w, struct answer, waiter);

	a->n++;
	a->error = error;
	snprintf(a->text, sizeof a->text, "%s", error ? r->text : "");
}

static void ask(struct ofproto *o, const char *text, struct answer *a)
{
	struct refusal r = {0};

	*a = (struct answer){.waiter.done = answered};
	must(switch_try_flow(o, OFPFC_ADD, text, &a->waiter, &r), &r);
}

/* A frame goes through the worker, on its thread. */
static void assert_forwards(struct port *in, struct port *out)
{
	static const uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5};
	time_t end = time(NULL) + 60;

	assert_int_equal(dummy_inject(in, frame, sizeof frame), 0);
	while (!switch_taken(out))
		assert_true(time(NULL) < end);
}

#define BEGIN    "table=0,priority=0 actions=NORMAL\n"
#define FORWARDS "table=0,priority=5,in_port=in actions=output:out\n"
#define HELD     FORWARDS BEGIN
#define dump(o)  switch_dump(o, NULL, false)

static struct ofproto *bed(struct port **in, struct port **out)
{
	struct ofproto *o = switch_up(file);

	*in = switch_port(o, "in type=dummy");
	*out = switch_port(o, "out type=dummy");
	switch_flow(o, OFPFC_ADD, "priority=5,in_port=in actions=output:out");
	assert_int_equal(ofproto_sync(o, NULL), 0);
	return o;
}

/* No room at any operation of a change, or its sync fails: refused in words, whole; then it works
 * again, and nothing of the refused ones comes back. */
static void refused_anywhere(enum disk_fault fault, const char *says)
{
	struct port *in, *out;
	struct ofproto *o = bed(&in, &out);
	unsigned n = 0;

	for (unsigned long at = 1;; at++) {
		struct answer a;
		char text[80];

		snprintf(text, sizeof text, "cookie=%lu,priority=9,udp actions=drop", at);
		disk_begin(fault, at);
		ask(o, text, &a);
		ofproto_sync(o, NULL);
		disk_begin(DISK_SOUND, 0);
		assert_int_equal(a.n, 1);
		assert_forwards(in, out);
		if (!a.error)
			break;
		n++;
		assert_non_null(strstr(a.text, "not written, so not done"));
		assert_non_null(strstr(a.text, says));
		assert_null(strchr(a.text, '\n'));
		assert_string_equal(dump(o), HELD);
	}
	assert_true(n > 0);
	switch_flow(o, OFPFC_DELETE, "udp");
	assert_int_equal(ofproto_sync(o, NULL), 0);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_string_equal(dump(o), HELD);
	ofproto_destroy(o);
}

static void test_full(void **state)
{
	(void)state;
	refused_anywhere(DISK_FULL, "full; make room and say it again");
}

static void test_sync_fails(void **state)
{
	(void)state;
	refused_anywhere(DISK_SYNC_FAILS, "disk I/O error");
}

/* A disk without any room: the switch starts as it was, rules that ended meanwhile end, and what
 * ends later ends on time, once, though nothing of it can be written. */
static void test_starts_on_a_full_disk(void **state)
{
	const struct store_flow ended = {.id = 90,
					 .origin = "cli",
					 .text = "table=3,hard_timeout=5 actions=drop",
					 .created_ns = 1};
	struct port *in, *out;
	struct ofproto *o = bed(&in, &out);
	struct refusal r = {0};
	struct flow_mod fm;
	struct answer a;
	uint64_t failed;

	(void)state;
	assert_int_equal(flow_parse("table=guard,tcp actions=drop", OFPFC_ADD, &fm, &r), 0);
	fm.origin = ORIGIN_WATCH;
	fm.reason = "a flood";
	fm.expire_ns = 20 * NSEC_PER_MSEC;
	change_store(o, store_op_flow(&ended));
	assert_int_equal(ofproto_sync(o, &r), 0);
	ofproto_destroy(o);
	disk_begin(DISK_FULL, 1);
	o = switch_up(file);
	assert_string_equal(dump(o), HELD);
	assert_forwards(ofproto_port(o, "in"), ofproto_port(o, "out"));
	ask(o, "priority=9,udp actions=drop", &a);
	assert_int_not_equal(ofproto_sync(o, &r), 0);
	assert_true(a.error);
	/* With room for a moment, a rule for a moment. */
	disk_begin(DISK_SOUND, 0);
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	assert_int_equal(ofproto_sync(o, &r), 0);
	assert_non_null(ofproto_guard_flow(o, ORIGIN_WATCH, fm.priority, &fm.match));
	disk_begin(DISK_FULL, 1);
	failed = o->changes.n_failed;
	while (ofproto_guard_flow(o, ORIGIN_WATCH, fm.priority, &fm.match)) {
		struct pollfd p = {.fd = ofproto_fd(o), .events = POLLIN};

		poll(&p, 1, 1);
		ofproto_run(o);
	}
	assert_true(o->changes.n_failed - failed <= 2);
	assert_string_equal(dump(o), HELD);
	flow_mod_free(&fm);
	ofproto_destroy(o);
	disk_begin(DISK_SOUND, 0);
	o = switch_up(file);
	assert_string_equal(dump(o), HELD);
	ofproto_destroy(o);
}

/* The disk takes a sync and does not answer: packets go on, what is asked that needs no disk is
 * answered, what needs it waits and is answered when the disk is back; nothing waits with it. */
static void test_stalled(void **state)
{
	struct port *in, *out;
	struct ofproto *o = bed(&in, &out);
	struct refusal r = {0};
	struct answer a, b, barrier = {.waiter.done = answered};

	(void)state;
	switch_port(o, "spare type=dummy");
	must(ofproto_sync(o, &r), &r);
	disk_begin(DISK_STALLED, 1);
	ask(o, "cookie=1,priority=9,udp actions=drop", &a);
	ofproto_barrier(o, &barrier.waiter);
	while (!disk.stalls)
		;
	ask(o, "cookie=2,priority=9,tcp actions=drop", &b);
	assert_int_equal(ofproto_del_port(o, "spare", NULL, &r), 0);
	for (unsigned i = 0; i < 20; i++) {
		ofproto_run(o);
		assert_forwards(in, out);
		assert_string_equal(dump(o), HELD);
		o->objects.retry = true; /* an interface came */
	}
	/* What stands on that which is not written is refused in words. */
	assert_int_not_equal(switch_try_words(o, "spare type=dummy", NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_STORE);
	assert_non_null(strstr(r.text, "the disk does not answer"));
	assert_true(!a.n && !b.n && !barrier.n);
	disk_release();
	assert_int_equal(ofproto_sync(o, &r), 0);
	assert_true(a.n == 1 && !a.error && b.n == 1 && !b.error && barrier.n == 1);
	assert_null(ofproto_port(o, "spare"));
	ofproto_destroy(o);
}

/* Drops all that comes in: by the guard, early, and by table 0. */
static void drops_for_a_while(struct ofproto *o, bool guard)
{
	struct refusal r = {0};
	struct flow_mod fm;

	must(flow_parse(guard ? "table=guard,in_port=in actions=drop"
			      : "priority=9,in_port=in actions=drop",
			OFPFC_ADD, &fm, &r),
	     &r);
	fm.origin = guard ? ORIGIN_WATCH : ORIGIN_CLI;
	fm.reason = guard ? "a flood" : NULL;
	fm.expire_ns = 50 * NSEC_PER_MSEC;
	must(ofproto_flow_mod(o, &fm, NULL, &r), &r);
	must(ofproto_sync(o, &r), &r);
	flow_mod_free(&fm);
}

enum stall { BEFORE_THE_END, BY_THE_END, WHILE_IT_FAILS };

/* What expires stops when its time comes, whatever the disk does not answer: the change of others,
 * the end itself, or another try when the last one failed. */
static void ends_on_time(enum stall stall, bool guard)
{
	static const uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5};
	time_t end = time(NULL) + 60;
	struct port *in, *out;
	struct ofproto *o = bed(&in, &out);
	struct answer a;

	drops_for_a_while(o, guard);
	if (stall == WHILE_IT_FAILS) {
		disk_begin(DISK_FULL, 1);
		ask(o, "cookie=1,priority=1,udp actions=drop", &a);
		assert_int_not_equal(ofproto_sync(o, NULL), 0);
	}
	disk_begin(DISK_STALLED, 1);
	if (stall != BY_THE_END) {
		ask(o, "cookie=1,priority=1,udp actions=drop", &a);
		while (!disk.stalls)
			ofproto_run(o);
	}
	for (bool passed = false; !passed;) {
		struct pollfd p = {.fd = ofproto_fd(o), .events = POLLIN};

		for (unsigned i = 0; i < 8; i++) /* it is in workers' caches, too */
			assert_int_equal(dummy_inject(in, frame, sizeof frame), 0);
		poll(&p, 1, 5);
		passed = switch_taken(out);
		ofproto_run(o);
		assert_true(time(NULL) < end);
	}
	assert_true(early_is_idle(ofproto_datapath(o)->early));
	while (!disk.stalls) /* the end is on its way, too */
		ofproto_run(o);
	assert_string_equal(dump(o), HELD);
	disk_release();
	ofproto_sync(o, NULL);
	assert_forwards(in, out);
	ofproto_destroy(o);
	o = switch_up(file);
	switch_flow(o, OFPFC_DELETE, "udp");
	ofproto_sync(o, NULL);
	assert_string_equal(dump(o), HELD);
	ofproto_destroy(o);
	unlink(file);
}

static void test_ends_on_time(void **state)
{
	(void)state;
	for (enum stall stall = BEFORE_THE_END; stall <= WHILE_IT_FAILS; stall++)
		for (unsigned guard = 0; guard < 2; guard++)
			ends_on_time(stall, guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_torn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_power_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sync_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_starts_on_a_full_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stalled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ends_on_time, set_up, tear_down),
	};

	disk_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
