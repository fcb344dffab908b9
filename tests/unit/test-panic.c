/* SPDX-License-Identifier: Apache-2.0 */
/* Panic: a page that is believed only within its bounds; workers, ports and verbs that go by it. */
#include "tests/unit/verb-bed.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datapath/spine.h"
#include "lib/panic.h"
#include "ofproto/journal.h"

static char dir[] = "/tmp/sluice-panic-XXXXXX", file[60];
static struct panic_page *page;

static int set_up(void **state)
{
	(void)state;
	strcpy(strrchr(dir, '-'), "-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/panic", dir);
	page = panic_open(dir, true);
	assert_non_null(page);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	panic_close(page);
	unlink(file);
	rmdir(dir);
	return 0;
}

/* ---- The page ----------------------------------------------------------------------------- */

static void two_see_the_same_page(void **state)
{
	struct panic_page *other = panic_open(dir, false);
	struct stat st;

	(void)state;
	assert_non_null(other);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(panic_state(page), 0);
	panic_set(other, PANIC_PASS);
	assert_true(panic_on(&page->pass));
	assert_int_equal(panic_state(page), PANIC_PASS);
	panic_set(other, PANIC_DETACH | PANIC_PASS);
	assert_int_equal(panic_state(page), PANIC_DETACH | PANIC_PASS);
	panic_close(other);
	/* It outlives whoever maps it. */
	panic_close(page);
	page = panic_open(dir, true);
	assert_int_equal(panic_state(page), PANIC_DETACH | PANIC_PASS);
	panic_set(page, 0);
	assert_int_equal(panic_state(page), 0);
}

static void what_is_no_page_is_refused_or_made_anew(void **state)
{
	struct panic_page *other;
	int fd;

	(void)state;
	panic_set(page, PANIC_PASS);
	for (unsigned i = 0; i < 5; i++) {
		if (i == 0)
			assert_int_equal(truncate(file, 100), 0); /* nobody looks at the rest */
		else if (i == 1)
			page->magic = 1;
		else if (i < 4)
			assert_int_equal(chmod(file, i == 2 ? 0620 : 0602), 0); /* anybody's word */
		else
			assert_true(!unlink(file) && !symlink("/dev/null", file));
		assert_null(panic_open(dir, false));
		assert_int_equal(errno, i == 4 ? ELOOP : EPROTO);
		other = panic_open(dir, true);
		assert_non_null(other);
		assert_int_equal(panic_state(other), 0);
		panic_close(page);
		page = other;
	}
	if (!geteuid()) { /* a stranger's, who may write to the folder */
		assert_int_equal(chown(file, 65534, (gid_t)-1), 0);
		assert_null(panic_open(dir, false));
		assert_int_equal(errno, EPERM);
		assert_int_equal(chown(dir, 65534, (gid_t)-1), 0);
		other = panic_open(dir, false);
		assert_non_null(other);
		panic_close(other);
		assert_int_equal(chown(dir, 0, (gid_t)-1), 0);
	}
	unlink(file);
	assert_null(panic_open(dir, false));
	assert_int_equal(errno, ENOENT);
	fd = open(file, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_null(panic_open(dir, false)); /* empty */
	assert_int_equal(errno, EPROTO);
}

static unsigned n_links(void)
{
	struct panic_link link;
	uint32_t at = 0;
	unsigned n = 0;

	while (panic_link_next(page, &at, &link)) {
		assert_true(link.ifindex);
		n++;
	}
	return n;
}

static void links_come_and_go(void **state)
{
	struct panic_link link;
	uint32_t at = 0;

	(void)state;
	assert_int_equal(n_links(), 0);
	assert_int_equal(panic_link_add(page, 4, 40), 0);
	assert_int_equal(panic_link_add(page, 5, 50), 0);
	assert_int_equal(panic_link_add(page, 4, 41), 0); /* the same interface's next */
	assert_int_equal(n_links(), 2);
	assert_true(panic_link_next(page, &at, &link));
	assert_int_equal(link.ifindex, 4);
	assert_int_equal(link.link_id, 41);
	panic_link_del(page, 4);
	panic_link_del(page, 9);
	assert_int_equal(n_links(), 1);
	for (unsigned i = 0; i < PANIC_LINKS - 1; i++)
		assert_int_equal(panic_link_add(page, 100 + i, i), 0);
	assert_int_equal(panic_link_add(page, 1, 1), -ENOSPC);
	assert_int_equal(n_links(), PANIC_LINKS);
	page->n_links = UINT32_MAX; /* whoever writes it may lie */
	assert_int_equal(n_links(), PANIC_LINKS);
	panic_links_forget(page);
	assert_int_equal(n_links(), 0);
}

static void states_have_words(void **state)
{
	(void)state;
	assert_null(panic_text(0));
	assert_non_null(strstr(panic_text(PANIC_PASS), "bypassed"));
	assert_non_null(strstr(panic_text(PANIC_DETACH), "kernel"));
	assert_ptr_equal(panic_text(PANIC_DETACH | PANIC_PASS), panic_text(PANIC_DETACH));
}

/* ---- The switch --------------------------------------------------------------------------- */

static struct daemon d;

static struct ofproto *up(void)
{
	const struct ofproto_config config = {.offline = true, .n_workers = 1, .panic = page};
	struct refusal r = {0};

	d = (struct daemon){.ofproto = ofproto_create(&config, &r), .offline = true};
	assert_non_null(d.ofproto);
	ofproto_set_now(d.ofproto, NSEC_PER_SEC);
	return d.ofproto;
}

static void rules_are_bypassed_from_the_next_turn(void **state)
{
	struct ofproto *o = up();
	struct port *in = switch_port(o, "in type=dummy ofport=1");
	const struct worker *w = ofproto_datapath(o)->worker[0];
	const uint64_t *by_rule = &w->n.dropped[DROP_RULE];
	struct buf text = {0};

	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=9,udp,actions=drop");
	switch_inject(o, in, 1, 2);
	assert_int_equal(*by_rule, 1);
	panic_set(page, PANIC_PASS);
	switch_inject(o, in, 1, 2);
	assert_int_equal(*by_rule, 1);
	assert_int_equal(w->n.dropped[DROP_NOT_OURS], 1); /* NORMAL's word */
	assert_int_equal(ofproto_trace(o, "in_port=1,udp", &text, NULL), 0);
	assert_non_null(strstr(buf_text(&text), "output to NORMAL"));
	buf_free(&text);
	panic_set(page, 0);
	switch_inject(o, in, 1, 2);
	assert_int_equal(*by_rule, 2);
	ofproto_destroy(o);
}

/* A port with something to let go of. */
static int hooked, hook_error;

static int hook(struct port *port, bool on)
{
	(void)port;
	if (on && hook_error)
		return hook_error;
	hooked = on;
	return 0;
}

static struct port_class with_hook;

static void ports_let_go_and_take_again(void **state)
{
	struct ofproto *o = up();
	struct port *p = switch_port(o, "in type=dummy");
	struct refusal r = {0};

	(void)state;
	with_hook = *p->class;
	with_hook.hook = hook;
	p->class = &with_hook;
	hooked = 1;
	hook_error = 0;
	panic_set(page, PANIC_PASS);
	assert_int_equal(ofproto_panic_run(o, &r), 0);
	assert_int_equal(hooked, 1);
	panic_set(page, PANIC_DETACH);
	assert_int_equal(ofproto_panic_run(o, &r), 0);
	assert_int_equal(hooked, 0);
	/* Taken off by somebody, and said and taken back meanwhile: hooked all the same. */
	panic_set(page, 0);
	hook_error = -EBUSY;
	assert_int_equal(ofproto_panic_run(o, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_SYSTEM);
	assert_string_equal(r.field, "in");
	hook_error = 0;
	assert_int_equal(ofproto_panic_run(o, &r), 0);
	assert_int_equal(hooked, 1);
	hooked = 0;
	assert_int_equal(ofproto_panic_run(o, &r), 0);
	assert_int_equal(hooked, 1);
	ofproto_destroy(o);
}

/* Whoever reads the log learns of it, also when no verb said it. */
static void it_is_in_the_journal(void **state)
{
	const struct ofproto_config config = {.db = ":memory:", .n_workers = 1, .panic = page};
	struct refusal r = {0};
	struct ofproto *o = ofproto_create(&config, &r);

	(void)state;
	assert_non_null(o);
	panic_set(page, PANIC_PASS);
	assert_int_equal(ofproto_panic_run(o, &r), 0);
	panic_set(page, 0);
	assert_int_equal(ofproto_panic_run(o, &r), 0);
	assert_int_equal(ofproto_panic_run(o, &r), 0);
	assert_int_equal(ofproto_sync(o, &r), 0);
	assert_string_equal(ofproto_journal_entry(o, 1)->what, "panic pass");
	assert_string_equal(ofproto_journal_entry(o, 2)->what, "panic off");
	assert_null(ofproto_journal_entry(o, 3));
	ofproto_destroy(o);
}

static enum refusal_code refused(uint8_t origin, const char *text)
{
	struct said s;
	enum refusal_code code;

	say(&s, &d, origin, text);
	assert_null(s.result);
	code = s.refusal.code;
	said_free(&s);
	return code;
}

static void shows(const char *want)
{
	json_t *row = asks(&d, ORIGIN_CLI, "show");
	const json_t *panic = json_object_get(row, "panic");

	if (want)
		assert_string_equal(json_string_value(panic), want);
	else
		assert_true(json_is_false(panic));
	json_decref(row);
}

static void verbs_say_and_hear_it(void **state)
{
	static const char add[] = "add-guard|udp,actions=drop|--reason|flood|--expire|60s";

	(void)state;
	up();
	shows(NULL);
	says(&d, ORIGIN_CLI, "panic|pass");
	assert_int_equal(panic_state(page), PANIC_PASS);
	shows("pass");
	/* Automation is off; the operator is not. */
	assert_int_equal(refused(ORIGIN_WATCH, add), REFUSED_NOT_PERMITTED);
	says(&d, ORIGIN_CLI, add);
	says(&d, ORIGIN_CLI, "panic|detach");
	assert_int_equal(panic_state(page), PANIC_PASS | PANIC_DETACH);
	shows("detach");
	assert_int_equal(refused(ORIGIN_WATCH, add), REFUSED_NOT_PERMITTED);
	assert_int_equal(refused(ORIGIN_CLI, "panic|attach"), REFUSED_BAD_VALUE);
	says(&d, ORIGIN_CLI, "panic|off");
	assert_int_equal(panic_state(page), 0);
	shows(NULL);
	says(&d, ORIGIN_WATCH, add);
	ofproto_destroy(d.ofproto);
	/* Offline there is none. */
	d.ofproto = switch_up(NULL);
	assert_int_equal(refused(ORIGIN_CLI, "panic|pass"), REFUSED_NOT_HERE);
	ofproto_destroy(d.ofproto);
}

int main(void)
{
#define UNIT(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		UNIT(two_see_the_same_page),
		UNIT(what_is_no_page_is_refused_or_made_anew),
		UNIT(links_come_and_go),
		UNIT(states_have_words),
		UNIT(rules_are_bypassed_from_the_next_turn),
		UNIT(ports_let_go_and_take_again),
		UNIT(it_is_in_the_journal),
		UNIT(verbs_say_and_hear_it),
	};

	return cmocka_run_group_tests_name("panic", tests, NULL, NULL);
}
