/* SPDX-License-Identifier: Apache-2.0 */
/* When a switch goes on without its controllers, and when no more; in time that the test makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/fail-mode.h"
#include "tests/unit/stub-ofproto.h"

enum { AFTER = 15 };

static struct ofproto *o;
static struct fail_mode f;

static int set_up(void **state)
{
	(void)state;
	o = stub_create();
	o->settings.fail_after_s = AFTER;
	f = (struct fail_mode){.ofproto = o};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stub_destroy(o);
	return 0;
}

/* After so many seconds, one at a time. */
static bool alone_after(unsigned seconds, bool wanted, bool there)
{
	fail_mode_run(&f, wanted, there);
	while (seconds--) {
		o->now_ns += NSEC_PER_SEC;
		fail_mode_run(&f, wanted, there);
	}
	return o->standalone;
}

static void without_a_controller_for_so_long(void **state)
{
	(void)state;
	assert_false(alone_after(AFTER - 1, true, false));
	assert_true(alone_after(1, true, false));
	assert_true(alone_after(1000, true, false));
	/* Back at once; and the time begins anew when it is lost again. */
	assert_false(alone_after(0, true, true));
	assert_false(alone_after(1000, true, true));
	assert_false(alone_after(AFTER - 1, true, false));
	assert_false(alone_after(0, true, true));
	assert_false(alone_after(AFTER - 1, true, false));
	assert_true(alone_after(1, true, false));
}

static void nobody_is_missed_who_is_not_wanted(void **state)
{
	(void)state;
	assert_false(alone_after(1000, false, false));
	assert_true(alone_after(AFTER, true, false));
	assert_false(alone_after(0, false, false)); /* del-controller */
	assert_false(alone_after(1000, false, false));
}

static void secure_changes_nothing(void **state)
{
	(void)state;
	o->settings.fail_secure = true;
	assert_false(alone_after(1000, true, false));
	/* The setting holds for what is missing already, either way. */
	o->settings.fail_secure = false;
	assert_true(alone_after(0, true, false));
	o->settings.fail_secure = true;
	assert_false(alone_after(0, true, false));
}

static void at_once_if_that_is_asked_for(void **state)
{
	(void)state;
	o->settings.fail_after_s = 0;
	assert_true(alone_after(0, true, false));
	o->settings.fail_after_s = 3600;
	assert_false(alone_after(0, true, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_a_controller_for_so_long, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(nobody_is_missed_who_is_not_wanted, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(secure_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(at_once_if_that_is_asked_for, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
