/* SPDX-License-Identifier: Apache-2.0 */
/* Group-mods and their multiparts, octet by octet, and what of a stranger's lengths is refused. */
#include "openflow-fixture.h"

#include "lib/openflow.h"

#define ADD "04 0f 0050 00000005 0000 01 00 00000007"
/* Weight 2, watching port 3, output to 1; weight 0x1ff, watching group 9, nothing. */
#define BUCKETS                                                                     \
	"0020 0002 00000003 ffffffff 00000000 0000 0010 00000001 ffff 000000000000" \
	"0010 01ff ffffffff 00000009 00000000"                                      \
	"0010 0001 ffffffff ffffffff 00000000"

static void what_is_given_is_read_back(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	const struct group_spec *g = &t->o->group;

	(void)state;
	peer_send(&p, ADD BUCKETS);
	EXPECT(&p, "");
	assert_int_equal(t->o->n_group_mods, 1);
	assert_int_equal(g->id, 7);
	assert_int_equal(g->type, OFPGT_SELECT);
	assert_int_equal(g->n_buckets, 3);
	assert_int_equal(g->bucket[0].weight, 2);
	assert_int_equal(g->bucket[0].watch_port, 3);
	assert_int_equal(g->bucket[0].watch_group, OFPG_ANY);
	assert_int_equal(g->bucket[1].watch_group, 9);
	assert_int_equal(g->bucket[1].actions.size, 0);
	peer_send(&p, "04 12 0010 00000006 0007 0000 00000000");
	EXPECT(&p, "04 13 0058 00000006 0007 0000 00000000 0048 01 00 00000007" BUCKETS);
	peer_send(&p, "04 12 0018 00000006 0006 0000 00000000 00000007 00000000");
	EXPECT(&p, "04 13 0068 00000006 0006 0000 00000000"
		   "0058 0000 00000007 00000003 00000000 000000000000000c 000000000000000e"
		   "00000002 00000009"
		   "0000000000000005 0000000000000006 0000000000000007 0000000000000008"
		   "0000000000000000 0000000000000000");
	peer_send(&p, "04 12 0018 00000006 0006 0000 00000000 00000008 00000000");
	EXPECT(&p, "04 13 0010 00000006 0006 0000 00000000"); /* no such group */
	peer_end(&p);
	bench_end(t);
}

/* Of a delete nothing but the command and the id is read. */
static void deletes(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	peer_send(&p, "04 0f 0010 00000005 0002 ff 00 fffffffc");
	peer_send(&p, "04 0f 0018 00000005 0002 00 00 00000001 0008 0000 00000000");
	EXPECT(&p, "");
	assert_int_equal(t->o->n_group_mods, 2);
	peer_end(&p);
	bench_end(t);
}

static void lengths_that_lie(void **state)
{
	static const struct {
		const char *error, *size, *message;
	} cases[] = {
		/* Shorter than itself, not in eights, beyond the message, half a bucket. */
		{"0006 000c", "002c",
		 "04 0f 0020 00000005 0000 00 00 00000001"
		 "0008 0000 ffffffff ffffffff 00000000"},
		{"0006 000c", "002c",
		 "04 0f 0020 00000005 0000 00 00 00000001"
		 "0000 0000 ffffffff ffffffff 00000000"},
		{"0006 000c", "002c",
		 "04 0f 0020 00000005 0000 00 00 00000001"
		 "0014 0000 ffffffff ffffffff 00000000"},
		{"0006 000c", "002c",
		 "04 0f 0020 00000005 0000 00 00 00000001"
		 "0018 0000 ffffffff ffffffff 00000000"},
		{"0006 000c", "002c",
		 "04 0f 0020 00000005 0000 00 00 00000001"
		 "ffff 0000 ffffffff ffffffff 00000000"},
		{"0006 000c", "0024", "04 0f 0018 00000005 0000 00 00 00000001 0010 0000 ffffffff"},
		{"0006 000c", "0034",
		 "04 0f 0028 00000005 0000 00 00 00000001"
		 "0014 0000 ffffffff ffffffff 00000000 0000000000000000"},
		/* An action that reaches out of its bucket into the next. */
		{"0002 0001", "0044",
		 "04 0f 0038 00000005 0000 00 00 00000001"
		 "0018 0000 ffffffff ffffffff 00000000 0000 0010 00000001"
		 "0010 0000 ffffffff ffffffff 00000000"},
		/* A bucket where an action should be. */
		{"0002 0001", "003c",
		 "04 0f 0030 00000005 0000 00 00 00000001"
		 "0020 0000 ffffffff ffffffff 00000000"
		 "0010 0000 ffffffff ffffffff 00000000"},
		{"0006 000b", "001c", "04 0f 0010 00000005 0003 00 00 00000001"},
		{"0006 000a", "001c", "04 0f 0010 00000005 0000 04 00 00000001"},
		{"0006 0008", "001c", "04 0f 0010 00000005 0001 00 00 00000001"},
	};
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[512];

		snprintf(want, sizeof want, "04 01 %s 00000005 %s %s", cases[i].size,
			 cases[i].error, cases[i].message);
		peer_send(&p, cases[i].message);
		EXPECT(&p, want);
	}
	assert_int_equal(t->o->n_group_mods, 0);
	peer_end(&p);
	bench_end(t);
}

/* An error at the commit carries the message that it is about. */
static void failed_commit(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	t->o->defer = true;
	peer_send(&p, "04 0f 0010 00000005 0000 00 00 00000001");
	EXPECT(&p, "");
	assert_int_equal(p.c->n_waiters, 1);
	stub_done(t->o, -EIO);
	EXPECT(&p, "04 01 001c 00000005 0005 0000 04 0f 0010 00000005 0000 00 00 00000001");
	assert_int_equal(p.c->n_waiters, 0);
	peer_end(&p);
	bench_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_is_read_back),
		cmocka_unit_test(deletes),
		cmocka_unit_test(lengths_that_lie),
		cmocka_unit_test(failed_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
