/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenFlow tables aside and back: what packets do meanwhile, what the guard and early verdicts
 * go on doing, and that nobody's message finds the rule that does it. */
#include "tests/unit/switch.h"

#include <unistd.h>

#include "tests/unit/store-dir.h"

static struct ofproto *o;
static struct port *in, *out, *routed;

static void give_route(const char *text, bool neigh)
{
	char copy[128], *save = NULL;
	const char *word[8];
	struct words words = {0, word};
	struct refusal r = {0};

	snprintf(copy, sizeof copy, "%s", text);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		word[words.n++] = w;
	if (neigh ? ofproto_add_neigh(o, words, &r) : ofproto_add_route(o, words, &r))
		fail_msg("%s: %s", text, r.text);
}

static void open_ports(void)
{
	in = switch_port(o, "in type=dummy ofport=1 mac=02:00:00:00:00:09");
	out = switch_port(o, "out type=dummy ofport=2");
	routed = switch_port(o, "routed type=dummy ofport=3");
	give_route("10.0.0.0/24 dev=routed", false);
	give_route("10.0.0.2 02:00:00:00:00:02 dev=routed", true);
}

static int switch_begins(void **state)
{
	(void)state;
	o = switch_up(NULL);
	open_ports();
	return 0;
}

static int switch_ends(void **state)
{
	(void)state;
	ofproto_destroy(o);
	return 0;
}

/* The port that a packet from 10.0.0.`src` leaves by: 2, 3; 0: none. */
static unsigned leaves_by(uint8_t src)
{
	unsigned by = 0;

	switch_inject(o, in, src, 2);
	by += switch_taken(out) ? 2 : 0;
	by += switch_taken(routed) ? 3 : 0;
	return by;
}

static void guard(const char *text)
{
	struct refusal r = {0};
	struct flow_mod fm;

	if (flow_parse(text, OFPFC_ADD, &fm, &r))
		fail_msg("%s", r.text);
	fm.reason = "a test";
	fm.expire_ns = 3600 * NSEC_PER_SEC;
	if (ofproto_flow_mod(o, &fm, NULL, &r))
		fail_msg("%s", r.text);
	flow_mod_free(&fm);
}

static void rules_stand_aside_and_hold_again(void **state)
{
	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=65535,ip,actions=output:2");
	switch_flow(o, OFPFC_ADD, "priority=65535,udp,nw_src=10.0.0.7,actions=drop");
	switch_flow(o, OFPFC_DELETE_STRICT, "priority=0");
	assert_int_equal(leaves_by(1), 2);
	assert_false(ofproto_is_standalone(o));
	for (unsigned round = 0; round < 3; round++) {
		ofproto_standalone(o, true);
		ofproto_standalone(o, true); /* said twice is said once */
		assert_true(ofproto_is_standalone(o));
		assert_int_equal(leaves_by(1), 3);
		assert_int_equal(leaves_by(7), 3);
		ofproto_standalone(o, false);
		ofproto_standalone(o, false);
		assert_false(ofproto_is_standalone(o));
		assert_int_equal(leaves_by(1), 2);
	}
	/* One that came meanwhile holds, too. */
	ofproto_standalone(o, true);
	switch_flow(o, OFPFC_ADD, "priority=65535,ip,actions=drop");
	assert_int_equal(leaves_by(1), 3);
	ofproto_standalone(o, false);
	assert_int_equal(leaves_by(1), 0);
}

static void the_guard_goes_on(void **state)
{
	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=5,ip,actions=output:2");
	guard("table=guard,priority=5,udp,nw_src=10.0.0.7,actions=drop");
	guard("table=guard,priority=5,udp,nw_src=10.0.0.8,actions=output:2");
	guard("table=guard,priority=5,udp,nw_src=10.0.0.6,actions=sample:64,pass");
	ofproto_standalone(o, true);
	assert_int_equal(leaves_by(7), 0);
	assert_int_equal(leaves_by(8), 2);
	assert_int_equal(leaves_by(6), 3);
	assert_int_equal(leaves_by(1), 3);
}

/* What table 0 would drop before decryption is NORMAL's now. */
static void nothing_of_table_0_drops_early(void **state)
{
	struct datapath *dp = ofproto_datapath(o);
	struct du_key du = {0};
	struct outer_key outer = {0};
	const struct key_view key = key_view_of(&du, &outer);
	struct early_verdict v;
	struct match m = {0};
	struct refusal r;

	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=65535,outer_dscp=46,actions=drop");
	assert_int_equal(match_parse_word(&m, "outer_dscp", "46", &r), 0);
	assert_int_equal(match_finish(&m, &r), 0);
	memcpy(&outer, m.value.outer_word, sizeof outer);
	for (unsigned round = 0; round < 2; round++) {
		assert_true(early_lookup(dp->early,
					 &(struct probe){.key = key, .version = dp->version}, &v));
		ofproto_standalone(o, true);
		assert_false(early_lookup(dp->early,
					  &(struct probe){.key = key, .version = dp->version}, &v));
		ofproto_standalone(o, false);
	}
	assert_true(
		early_lookup(dp->early, &(struct probe){.key = key, .version = dp->version}, &v));
}

/* No delete, no change and no walk meets it, and it is none of the rules' number. */
static void no_message_finds_it(void **state)
{
	struct flow_mod fm;
	struct refusal r;
	struct table_stats before, after;

	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=65535,actions=drop");
	ofproto_table_stats(o, 0, &before);
	ofproto_standalone(o, true);
	ofproto_table_stats(o, 0, &after);
	assert_int_equal(before.n_active, after.n_active);
	assert_null(strstr(switch_dump(o, NULL, false), "65536"));
	flow_mod_init(&fm);
	fm.command = OFPFC_DELETE;
	fm.table = OFPTT_ALL;
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	assert_string_equal(switch_dump(o, NULL, false), "");
	assert_int_equal(leaves_by(1), 3);
	switch_flow(o, OFPFC_MODIFY, "actions=drop");
	assert_int_equal(leaves_by(1), 3);
	ofproto_standalone(o, false);
	assert_int_equal(leaves_by(1), 0);
}

/* Neither a setting nor a rule: a restart begins with the tables. */
static void a_restart_begins_with_the_rules(void **state)
{
	const char *const words[] = {"fail-mode=standalone", "probe=7", "fail-after=0"};
	struct refusal r = {0};
	char rules[8192];

	(void)state;
	o = switch_up(file);
	switch_flow(o, OFPFC_ADD, "priority=5,ip,actions=drop");
	assert_int_equal(ofproto_set_switch(o, (struct words){3, words}, NULL, &r), 0);
	ofproto_standalone(o, true);
	assert_int_equal(ofproto_sync(o, &r), 0);
	snprintf(rules, sizeof rules, "%s", switch_dump(o, NULL, false));
	ofproto_destroy(o);
	o = switch_up(file);
	assert_false(ofproto_is_standalone(o));
	assert_string_equal(switch_dump(o, NULL, false), rules);
	assert_int_equal(ofproto_settings(o)->probe_s, 7);
	assert_int_equal(ofproto_settings(o)->fail_after_s, 0);
	ofproto_destroy(o);
}

/* What cannot be written is refused; this has nothing to write. */
static void a_full_disk_keeps_nobody_from_it(void **state)
{
	struct refusal r = {0};

	(void)state;
	o = switch_up(file);
	assert_int_equal(ofproto_sync(o, &r), 0);
	disk_full(true);
	ofproto_standalone(o, true);
	assert_int_equal(ofproto_sync(o, &r), 0);
	assert_true(ofproto_is_standalone(o));
	/* Nor is it undone by a change that fails behind it. */
	switch_flow(o, OFPFC_ADD, "priority=5,ip,actions=drop");
	assert_int_not_equal(ofproto_sync(o, &r), 0);
	assert_true(ofproto_is_standalone(o));
	/* In one group with such a change it fails, and can be said again. */
	switch_flow(o, OFPFC_ADD, "priority=5,ip,actions=drop");
	ofproto_standalone(o, false);
	assert_int_not_equal(ofproto_sync(o, &r), 0);
	assert_true(ofproto_is_standalone(o));
	ofproto_standalone(o, false);
	assert_int_equal(ofproto_sync(o, &r), 0);
	assert_false(ofproto_is_standalone(o));
	disk_full(false);
	ofproto_destroy(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rules_stand_aside_and_hold_again, switch_begins,
						switch_ends),
		cmocka_unit_test_setup_teardown(the_guard_goes_on, switch_begins, switch_ends),
		cmocka_unit_test_setup_teardown(nothing_of_table_0_drops_early, switch_begins,
						switch_ends),
		cmocka_unit_test_setup_teardown(no_message_finds_it, switch_begins, switch_ends),
		cmocka_unit_test_setup_teardown(a_restart_begins_with_the_rules, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_keeps_nobody_from_it, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
