/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules a match covers: the same as by looking at each of them, in the same order, while
 * rules come and go. */
#include "switch.h"

#include "ofproto/state.h"

/* A match of a few fields with few values, so that many cover one another. */
static void some_match(char *text, size_t room)
{
	static const char *const word[][4] = {
		{"", "nw_src=10.0.0.0/8", "nw_src=10.0.0.1", "nw_src=10.0.0.0-10.0.0.2"},
		{"", "nw_dst=10.0.0.1", "nw_dst=10.0.0.0/31", "nw_dst=!10.0.0.1"},
		{"", "udp_dst=1", "udp_dst=1-3", "udp_dst=2"},
		{"", "metadata=1", "metadata=0/1", "metadata=2/2"},
	};
	size_t n = (size_t)snprintf(text, room, "udp");

	for (unsigned i = 0; i < ARRAY_SIZE(word); i++) {
		const char *w = word[i][rand() % 4];

		n += (size_t)snprintf(text + n, room - n, "%s%s", *w ? "," : "", w);
	}
}

static void same_as_one_by_one(struct ofproto *o, const struct match *wide)
{
	size_t n, i = 0;
	struct entry **hit = flow_kinds_covered(o, 0, wide, &n);

	for (const struct entry *e = o->flows.table[0]; e; e = e->next) {
		if (e->leaving || !match_covers(wide, &e->flow.match))
			continue;
		assert_true(i < n);
		assert_ptr_equal(hit[i], e);
		i++;
	}
	assert_int_equal(i, n);
}

static void a_twin_agrees(void **state)
{
	struct ofproto *o = switch_up(NULL);
	unsigned covered = 0;

	(void)state;
	srand(7);
	for (unsigned i = 0; i < 3000; i++) {
		char match[200], text[256];
		bool goes = !(rand() % 4);
		struct refusal r = {0};
		struct flow_mod fm;
		size_t n;

		some_match(match, sizeof match);
		snprintf(text, sizeof text, "priority=%u,%s%s", 1 + (unsigned)rand() % 3, match,
			 goes ? "" : ",actions=output:1");
		if (goes)
			switch_flow(o, OFPFC_DELETE_STRICT, text);
		else
			switch_flow(o, rand() % 8 ? OFPFC_ADD : OFPFC_MODIFY, text);
		some_match(match, sizeof match);
		assert_int_equal(flow_parse(match, OFPFC_DELETE, &fm, &r), 0);
		same_as_one_by_one(o, &fm.match);
		flow_kinds_covered(o, 0, &fm.match, &n);
		covered += n > 1;
		flow_mod_free(&fm);
	}
	assert_true(covered > 100);
	switch_flow(o, OFPFC_DELETE, "udp");
	assert_int_equal(o->flows.n_staged, 1);
	switch_flow(o, OFPFC_DELETE, "");
	assert_null(o->flows.kinds.first[0]);
	ofproto_destroy(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_twin_agrees)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
