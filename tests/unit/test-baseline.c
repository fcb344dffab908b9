/* SPDX-License-Identifier: Apache-2.0 */
/* What is learned and how fast; what is kept of those that went; the file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/watch-bed.h"
#include "utilities/watch/traffic.h"

static void learn(struct usual *u, double pps, bool free, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++)
		usual_learn(u, &(struct second){pps, 8000 * pps, free});
}

static void near(double a, double b)
{
	assert_true(a > 0.95 * b && a < 1.05 * b);
}

/* At first a mean of all that came. */
static void free_learning(void **state)
{
	struct usual u = {0};

	(void)state;
	learn(&u, 1000, true, 10);
	near(usual_level(&u), 1000);
	near(u.bps, 8e6);
	learn(&u, 0, true, 10);
	near(usual_level(&u), 500);
}

/* Nothing teaches faster than the bounds, however much comes. */
static void bounded_growth(void **state)
{
	struct usual u = {0}, ramp = {0};

	(void)state;
	learn(&u, 1000, true, 3600);
	learn(&u, 1e6, false, 600);
	assert_true(usual_level(&u) < 1200);
	learn(&u, 1e6, false, 3000);
	assert_true(usual_level(&u) > 1000 && usual_level(&u) < 2200);
	/* Slower than the level's bound, but not than the long run's: a day's ramp. */
	learn(&ramp, 1000, true, 7 * 86400);
	for (unsigned hour = 0; hour < 24; hour++)
		learn(&ramp, 1000 * (1 + 0.5 * hour), false, 3600);
	assert_true(usual_level(&ramp) < 3600);
	/* And down it is quick. */
	learn(&u, 100, false, 3 * 3600);
	assert_true(usual_level(&u) < 300);
}

static void hours_scale(void **state)
{
	(void)state;
	assert_int_equal(hour_code(0), 1);
	assert_true(hour_value(1) == 0);
	for (double pps = 0.1; pps < 1e8; pps *= 1.37) {
		double back = hour_value(hour_code(pps));

		assert_true(back > pps * 0.95 && back < pps * 1.05);
	}
	assert_int_equal(hour_code(1e30), 255);
}

static void lightest_gives_way(void **state)
{
	struct baselines *b = baselines_create(8);
	struct baseline *one;

	(void)state;
	for (unsigned i = 1; i <= 8; i++) {
		one = baselines_put(b, i, 10.0 * i);
		assert_non_null(one);
		one->usual[0].long_pps = 10.0f * (float)i;
	}
	assert_null(baselines_put(b, 100, 5));
	assert_null(baselines_find(b, 100));
	assert_non_null(baselines_put(b, 101, 15));
	assert_null(baselines_find(b, 1));
	assert_non_null(baselines_find(b, 2));
	assert_ptr_equal(baselines_put(b, 2, 0), baselines_find(b, 2));
	baselines_free(b);
}

enum { TARGET = 0x0a090002, SOURCE = 0x0a020002 };

static void stream(struct traffic *t, uint64_t *now, double pps, unsigned seconds)
{
	for (unsigned i = 0; i < seconds * 100; i++) {
		*now += 10 * NSEC_PER_MSEC;
		if (bed_happens(pps / BED_EVERY, 0.01)) {
			struct watch_sample s = bed_udp(*now, SOURCE, TARGET, 5u << 16 | 6);

			traffic_sample(t, &s);
		}
		traffic_tick(t, *now);
	}
}

static struct entry *entry_at(struct traffic *t)
{
	struct target target;
	int slot;

	assert_true(target_parse("10.9.0.2", &target));
	slot = space_saving_find(&t->table[TARGET_ADDRESS].heavy, target_hash(&target));
	assert_true(slot >= 0);
	return &t->table[TARGET_ADDRESS].entry[slot];
}

/* What an hour was like holds in the same hour of the next week, not in others. */
static void hours_of_the_week(void **state)
{
	struct traffic *t = traffic_create();
	uint64_t now = 0, week = WEEK_HOURS * 3600 * NSEC_PER_SEC;
	struct entry *e;

	(void)state;
	traffic_set_wall(t, 1000 * 3600);
	stream(t, &now, 3000, 3590);
	e = entry_at(t);
	near(traffic_usual(t, e, ATTACK_UDP).pps, 3000);
	stream(t, &now, 50, 4 * 3600); /* quick hours: the level follows */
	assert_true(traffic_usual(t, e, ATTACK_UDP).pps < 500);
	now = week + 300 * NSEC_PER_SEC;
	stream(t, &now, 50, 10);
	assert_true(traffic_usual(t, e, ATTACK_UDP).pps > 2000);
	now = week + 5 * 3600 * NSEC_PER_SEC;
	stream(t, &now, 50, 10);
	assert_true(traffic_usual(t, e, ATTACK_UDP).pps < 500);
	traffic_free(t);
}

static char file[] = "/tmp/sluice-baseline.XXXXXX";

static long size_of(const char *name)
{
	FILE *f = fopen(name, "rb");
	long size;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	fclose(f);
	return size;
}

static void write_octet(const char *name, long at, int change)
{
	FILE *f = fopen(name, "r+b");
	int c;

	assert_non_null(f);
	fseek(f, at, SEEK_SET);
	c = fgetc(f);
	fseek(f, at, SEEK_SET);
	fputc(c ^ change, f);
	fclose(f);
}

/* Saved and read back under another seed; every octet that is changed, every cut is refused. */
static void saved_and_refused(void **state)
{
	struct traffic *t = traffic_create();
	uint64_t now = 0, seed = hash_seed;
	struct refusal r = {0};
	long size;
	int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	stream(t, &now, 3000, 30);
	assert_int_equal(traffic_save(t, file), 0);
	traffic_free(t);
	size = size_of(file);
	hash_seed ^= 0x1234567;
	t = traffic_create();
	assert_int_equal(traffic_load(t, file, &r), 0);
	now = 0;
	stream(t, &now, 3000, 1);
	assert_true(traffic_usual(t, entry_at(t), ATTACK_UDP).pps > 2000);
	traffic_free(t);
	hash_seed = seed;
	t = traffic_create();
	for (long at = 0; at < size; at += 1 + size / 400) {
		write_octet(file, at, 0x55);
		/* Seconds and the sum over all are not covered by a check of their own. */
		if (at < 16 || at >= (long)(24 + sizeof(struct usual))) {
			r.text[0] = 0;
			assert_true(traffic_load(t, file, &r) < 0);
			assert_true(r.text[0] != 0 && !t->loaded);
		}
		write_octet(file, at, 0x55);
	}
	for (long cut = size - 1; cut >= 0; cut -= 1 + size / 50) {
		assert_int_equal(truncate(file, cut), 0);
		assert_true(traffic_load(t, file, &r) < 0);
	}
	unlink(file);
	assert_int_equal(traffic_load(t, file, &r), -ENOENT);
	assert_true(traffic_save(t, "/nowhere/at/all") < 0);
	traffic_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_learning),     cmocka_unit_test(bounded_growth),
		cmocka_unit_test(hours_scale),       cmocka_unit_test(lightest_gives_way),
		cmocka_unit_test(hours_of_the_week), cmocka_unit_test(saved_and_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
