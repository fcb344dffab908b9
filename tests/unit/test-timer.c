/* SPDX-License-Identifier: Apache-2.0 */
/* The timer wheel against a twin that looks at every timer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "datapath/timer.h"

enum { N = 200 };

static struct wheel wheel;
static uint64_t now;

struct probe {
	struct timer timer;
	uint64_t tick; /* when it is due; 0: not set */
	bool again;    /* sets itself once more from within */
};
static struct probe probes[N];
static uint64_t last_tick;
static unsigned n_fired;

static uint64_t tick_of(uint64_t ns)
{
	return (ns + TICK_NS - 1) / TICK_NS;
}

static void fire(struct worker *w, struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	(void)w;
	assert_true(p->tick != 0);
	assert_true(p->tick <= now / TICK_NS);
	assert_true(p->tick >= last_tick); /* in order of deadline */
	last_tick = p->tick;
	p->tick = 0;
	n_fired++;
	if (p->again) {
		p->again = false;
		p->tick = last_tick + 3;
		timer_set(&wheel, t, p->tick * TICK_NS);
	}
}

static void random_run(void **state)
{
	(void)state;
	srand(7);
	now = 123 * NSEC_PER_SEC;
	wheel_init(&wheel, now);
	for (unsigned i = 0; i < N; i++)
		probes[i].timer.fire = fire;
	for (unsigned round = 0; round < 20000; round++) {
		struct probe *p = &probes[rand() % N];
		uint64_t due = now + (uint64_t)rand() % (rand() % 8 ? 3000000 : 2000000000);

		if (rand() % 4) {
			timer_set(&wheel, &p->timer, due);
			p->tick = MAX(tick_of(due), now / TICK_NS + 1);
			p->again = rand() % 16 == 0;
		} else {
			timer_cancel(&wheel, &p->timer);
			p->tick = 0;
		}
		if (rand() % 3)
			continue;
		now += (uint64_t)rand() % 400000;
		last_tick = 0;
		timer_run(NULL, &wheel, now);
		for (unsigned i = 0; i < N; i++) {
			assert_int_equal(timer_is_set(&probes[i].timer), probes[i].tick != 0);
			if (probes[i].tick) {
				assert_true(probes[i].tick > now / TICK_NS);
				assert_true(timer_next(&wheel) <= probes[i].tick * TICK_NS);
			}
		}
	}
	assert_true(n_fired > 1000);
}

static void next_is_exact(void **state)
{
	struct timer t = {.fire = fire};

	(void)state;
	wheel_init(&wheel, 0);
	assert_int_equal(timer_next(&wheel), TIMER_NEVER);
	timer_set(&wheel, &t, 1000 * TICK_NS);
	assert_int_equal(timer_next(&wheel), 1000 * TICK_NS);
	timer_set(&wheel, &t, 77 * TICK_NS - 1);
	assert_int_equal(timer_next(&wheel), 77 * TICK_NS);
	timer_cancel(&wheel, &t);
	assert_int_equal(timer_next(&wheel), TIMER_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_run),
		cmocka_unit_test(next_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
