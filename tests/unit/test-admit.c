/* SPDX-License-Identifier: Apache-2.0 */
/* Admission: what is too wide, for whom, and what is everyday. */
#include "tests/unit/verb-bed.h"

#include "ctl/watcher.h"

static struct daemon d;

#define CLI        ORIGIN_CLI
#define WATCH      ORIGIN_WATCH
#define CONTROLLER ORIGIN_CONTROLLER

static int set_up(void **state)
{
	(void)state;
	d = (struct daemon){.ofproto = switch_up(NULL), .offline = true};
	switch_port(d.ofproto, "in type=dummy");
	says(&d, CLI, "set-switch|wide-drop=asked");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	watcher_free(&d);
	ofproto_destroy(d.ofproto);
	return 0;
}

static enum refusal_code tries(uint8_t origin, uint8_t command, const char *text)
{
	struct refusal r = {0};
	struct flow_mod fm;

	if (!flow_parse(text, command, &fm, &r)) {
		fm.origin = origin;
		fm.reason = fm.table == TABLE_GUARD ? "test" : NULL;
		fm.expire_ns = fm.table == TABLE_GUARD ? NSEC_PER_SEC : 0;
		ofproto_flow_mod(d.ofproto, &fm, NULL, &r);
		flow_mod_free(&fm);
	}
	if (r.code)
		assert_true(strlen(r.text) + 1 < sizeof r.text); /* not cut off */
	return r.code;
}

#define ADMITS(ORIGIN, TEXT)   assert_int_equal(tries(ORIGIN, OFPFC_ADD, TEXT), 0)
#define TOO_WIDE(ORIGIN, TEXT) assert_int_equal(tries(ORIGIN, OFPFC_ADD, TEXT), REFUSED_TOO_WIDE)

/* ------------------------------------------------------------------ tests */

static void all_traffic_in_other_words(void **state)
{
	static const char *const matches[] = {
		"",
		"ip",
		"ipv6",
		"ip,nw_dst=0.0.0.0/0",
		"ip,nw_src=0.0.0.0/1",
		"ip,nw_src=128.0.0.0/1,nw_dst=128.0.0.0/1",
		"ip,nw_src=0.0.0.1/0.0.0.1",
		"ip,nw_src=0.0.0.0-223.255.255.255",
		"ip,nw_src=!10.0.0.0/8",
		"ipv6,ipv6_dst=2000::/3",
		"ip,nw_ttl=1-255",
		"ip,nw_ttl=!1",
		"ip,ip_dscp=0",
		"ip,nw_ecn=0",
		"ip,ip_frag=no",
		"ip,ip_frag=not_later",
		"ipv6,ipv6_label=0",
		"pkt_len=60-1514",
		"pkt_len=!1514",
		"outer_len=64-9000",
		"vlan_vid=0x1000/0x1000",
		"vlan_vid=0",
		"dl_vlan=!1",
		"dl_vlan=1-4094",
		"dl_dst=00:00:00:00:00:00/01:00:00:00:00:00",
		"metadata=0",
		"reg0=0,pkt_mark=0",
		"tun_id=0",
		"outer_dscp=0",
		"conn_auth=1",
		"outer_ip_version=4",
		"ip,bpf=\"ip\"",
		"ip,bpf=!\"host 192.0.2.1\"",
		"outer_bpf=\"ip or ip6\"",
	};
	char text[160];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(matches); i++) {
		const uint8_t origins[] = {CLI, CONTROLLER};

		for (unsigned k = 0; k < ARRAY_SIZE(origins); k++) {
			snprintf(text, sizeof text, "%s actions=drop", matches[i]);
			if (tries(origins[k], OFPFC_ADD, text) != REFUSED_TOO_WIDE)
				fail_msg("%s: not too wide", text);
			snprintf(text, sizeof text, "%s actions=NORMAL", matches[i]);
			ADMITS(origins[k], text);
			snprintf(text, sizeof text, "%s actions=drop", matches[i]);
			assert_int_equal(tries(origins[k], OFPFC_MODIFY_STRICT, text),
					 REFUSED_TOO_WIDE);
			snprintf(text, sizeof text, "%s", matches[i]);
			assert_int_equal(tries(origins[k], OFPFC_DELETE_STRICT, text), 0);
		}
		snprintf(text, sizeof text, "table=guard,%s actions=drop", matches[i]);
		TOO_WIDE(CLI, text);
		TOO_WIDE(WATCH, text);
	}
}

static void what_is_narrow_enough(void **state)
{
	static const char *const matches[] = {
		"ip,nw_dst=10.0.0.0/8",
		"ip,nw_src=16.0.0.0/4,nw_dst=16.0.0.0/4",
		"ip,nw_src=10.0.0.1-10.0.0.9",
		"ipv6,ipv6_src=2001::/16",
		"udp",
		"arp",
		"in_port=in",
		"dl_src=02:00:00:00:00:01",
		"dl_vlan=7",
		"dl_vlan=10-20",
		"outer_dscp=14",
		"ip,ip_dscp=10",
		"ip,ip_frag=later",
		"pkt_len=1514",
		"bpf=\"udp port 53\"",
		"conn_id=9",
	};
	char text[160];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(matches); i++) {
		snprintf(text, sizeof text, "%s actions=drop", matches[i]);
		ADMITS(CONTROLLER, text);
		snprintf(text, sizeof text, "table=guard,%s actions=drop", matches[i]);
		ADMITS(WATCH, text);
	}
}

static void what_denies(void **state)
{
	(void)state;
	says(&d, CLI, "add-group|group_id=1,type=all");
	says(&d, CLI, "add-group|group_id=2,type=all,bucket=output:in");
	TOO_WIDE(CLI, "ip,actions=reject");
	TOO_WIDE(CLI, "ip,actions=limit:1mbps");
	TOO_WIDE(CLI, "ip,actions=set_field:1->nw_ttl");
	TOO_WIDE(CLI, "ip,actions=clear_actions");
	TOO_WIDE(CLI, "ip,actions=group:1");
	ADMITS(CLI, "ip,actions=group:2");
	ADMITS(CLI, "ip,actions=write_actions(output:in)");
	ADMITS(CLI, "ip,actions=CONTROLLER");
	ADMITS(CLI, "ip,actions=goto_table:5");
	/* In the guard a redirect is the end, too. */
	TOO_WIDE(CLI, "table=guard,ip,actions=output:in");
	TOO_WIDE(WATCH, "table=guard,ip,actions=reject");
	ADMITS(WATCH, "table=guard,ip,actions=limit:1gbps");
	ADMITS(WATCH, "table=guard,ip,actions=pass");
}

static void a_default_is_everyday(void **state)
{
	(void)state;
	ADMITS(CONTROLLER, "priority=0,actions=drop");
	ADMITS(CONTROLLER, "priority=0,ip,actions=drop");
	ADMITS(CONTROLLER, "table=4,priority=0,actions=drop");
	ADMITS(CONTROLLER, "priority=0,actions=NORMAL");
	/* Alone it takes all from the table's miss. */
	TOO_WIDE(CONTROLLER, "priority=1,actions=drop");
	ADMITS(CONTROLLER, "priority=9,udp,actions=NORMAL");
	ADMITS(CONTROLLER, "priority=1,actions=drop");
	ADMITS(CONTROLLER, "priority=2,ip,actions=drop");
	TOO_WIDE(CONTROLLER, "priority=3,ipv6,actions=drop"); /* nothing of it is let on */
	TOO_WIDE(CONTROLLER, "priority=10,ip,actions=drop");
	/* Behind table 0 there is nobody to take it from before there is a rule. */
	ADMITS(CONTROLLER, "table=1,priority=5,actions=drop");
	ADMITS(CONTROLLER, "table=2,priority=4,udp,actions=NORMAL");
	TOO_WIDE(CONTROLLER, "table=2,priority=5,actions=drop");
	ADMITS(CONTROLLER, "table=3,priority=0,actions=NORMAL");
	TOO_WIDE(CONTROLLER, "table=3,priority=5,actions=drop");
}

/* No instruction at all in a later table runs the action set (TS-023, 5.10). */
static void the_end_of_an_action_set(void **state)
{
	(void)state;
	ADMITS(CONTROLLER, "table=2,priority=4,udp,actions=NORMAL");
	TOO_WIDE(CONTROLLER, "table=2,priority=5,actions=");
	ADMITS(CONTROLLER, "priority=7,actions=write_actions(output:in),goto_table:2");
	ADMITS(CONTROLLER, "table=2,priority=5,actions=");
	TOO_WIDE(CONTROLLER, "table=2,priority=6,actions=clear_actions");
}

static void who_may_have_it(void **state)
{
	(void)state;
	ADMITS(CLI, "wide=yes,priority=5,ip,actions=drop");
	assert_non_null(strstr(switch_dump(d.ofproto, NULL, false),
			       "table=0,wide=yes,priority=5,ip actions=drop\n"));
	assert_int_equal(tries(WATCH, OFPFC_ADD, "table=guard,wide=yes,ip,actions=drop"),
			 REFUSED_NOT_PERMITTED);
	refuses(&d, CLI, "block|ip", "needs-force");
	says(&d, CLI, "block|ip|--force");
	says(&d, CLI, "set-switch|wide-drop=never");
	assert_int_equal(tries(CLI, OFPFC_ADD, "wide=yes,priority=6,ip,actions=drop"),
			 REFUSED_TOO_WIDE);
	refuses(&d, CLI, "block|ipv6|--force", "too-wide");
	says(&d, CLI, "set-switch|wide-drop=any");
	ADMITS(CONTROLLER, "priority=7,ip,actions=drop");
	ADMITS(WATCH, "table=guard,ip,actions=drop");
	ADMITS(CLI, "priority=8,ip,actions=drop");
	refuses(&d, CLI, "set-switch|wide-drop=sometimes", "bad-value");
}

/* What the operator said of a rule is not the controller's word. */
static void a_controller_modifies(void **state)
{
	(void)state;
	ADMITS(CLI, "wide=yes,priority=5,ip,actions=NORMAL");
	assert_int_equal(tries(CONTROLLER, OFPFC_MODIFY, "ip,actions=drop"), REFUSED_TOO_WIDE);
	assert_int_equal(tries(CONTROLLER, OFPFC_MODIFY_STRICT, "priority=5,ip,actions=drop"),
			 REFUSED_TOO_WIDE);
	assert_int_equal(tries(CLI, OFPFC_MODIFY_STRICT, "priority=5,ip,actions=drop"), 0);
	assert_int_equal(tries(CONTROLLER, OFPFC_MODIFY_STRICT, "priority=5,ip,actions=NORMAL"), 0);
}

/* Each rule of it may be narrow, and the table's miss may drop: all at once is another thing. */
static void all_rules_at_once(void **state)
{
	(void)state;
	ADMITS(CLI, "cookie=7,priority=5,udp,actions=NORMAL");
	assert_int_equal(tries(CLI, OFPFC_MODIFY, "actions=drop"), REFUSED_TOO_WIDE);
	assert_int_equal(tries(CONTROLLER, OFPFC_MODIFY, "ip,actions=drop"), REFUSED_TOO_WIDE);
	assert_int_equal(tries(CONTROLLER, OFPFC_MODIFY, "udp,actions=drop"), 0);
	assert_int_equal(tries(CLI, OFPFC_MODIFY, "ip,actions=drop"), 0); /* it drops already */
	assert_int_equal(tries(CONTROLLER, OFPFC_MODIFY, "cookie=9/-1,actions=drop"), 0);
	assert_int_equal(tries(CLI, OFPFC_MODIFY, "wide=yes,actions=drop"), 0);
}

static void a_proposal_is_checked_as_a_rule_is(void **state)
{
	(void)state;
	refuses(&d, WATCH, "propose|ip actions=drop|--reason|x", "too-wide");
	refuses(&d, WATCH, "add-guard|ip actions=drop|--reason|x", "too-wide");
}

#define FORGED(LINE) assert_int_equal(tries(CLI, OFPFC_ADD, LINE), REFUSED_NEEDS_FORCE)

/* A forged packet would choose what is dropped: the two rules do not come together. */
static void a_forger_chooses_no_drop(void **state)
{
	(void)state;
	says(&d, CLI, "add-set|trap|type=ipv4|timeout=60");
	says(&d, CLI, "add-set|marks|type=number|timeout=60");
	ADMITS(CLI, "priority=5,ip,nw_src=@trap,actions=drop");
	ADMITS(CLI, "priority=5,pkt_mark=@marks,actions=drop");
	FORGED("tcp,tcp_dst=22,actions=set_add(trap,ipv4_src),NORMAL");
	FORGED("tcp,tcp_flags=+ack-syn,actions=set_add(trap,ipv4_dst)");
	FORGED("ip,conn_auth=0,actions=set_add(trap,ipv4_src),NORMAL");
	FORGED("ip,nw_dst=@trap,actions=set_add(trap,ipv4_src),NORMAL");
	ADMITS(CONTROLLER, "table=1,ip,nw_dst=10.0.0.1,actions=NORMAL");
	assert_int_equal(
		tries(CONTROLLER, OFPFC_MODIFY, "table=1,ip,actions=set_add(trap,ipv4_src),NORMAL"),
		REFUSED_NEEDS_FORCE);
	/* Who is in there stays; what came out of a connection; what nobody sends; what is meant.
	 */
	ADMITS(CLI, "priority=6,ip,nw_src=@trap,actions=set_add(trap,ipv4_src)");
	ADMITS(CLI, "priority=6,ip,nw_src=@trap,actions=set_add(trap,ipv4_src)");
	ADMITS(CLI, "ip,conn_auth=1,actions=set_add(trap,ipv4_src),NORMAL");
	ADMITS(CLI, "ip,nw_dst=10.0.0.2,actions=set_add(marks,pkt_mark),NORMAL");
	ADMITS(CLI, "unverified=yes,tcp,tcp_dst=22,actions=set_add(trap,ipv4_src),NORMAL");
	assert_non_null(strstr(switch_dump(d.ofproto, NULL, false), "table=0,unverified=yes,"));
	assert_int_equal(
		tries(CLI, OFPFC_MODIFY, "tcp,tcp_dst=22,actions=set_add(trap,ipv4_src),output:1"),
		0);
	ADMITS(CLI, "priority=7,ip,nw_src=@trap,actions=drop");
	assert_int_equal(tries(CLI, OFPFC_ADD, "unverified=yes,udp,actions=NORMAL"),
			 REFUSED_BAD_VALUE);
}

static void nor_does_one_that_was_there_before(void **state)
{
	(void)state;
	says(&d, CLI, "add-set|seen|type=ipv4|timeout=60");
	ADMITS(CLI, "tcp,tcp_dst=22,actions=set_add(seen,ipv4_src),NORMAL");
	FORGED("priority=5,ip,nw_src=@seen,actions=drop");
	refuses(&d, CLI, "block|ip,nw_src=@seen", "needs-force");
	assert_int_equal(tries(WATCH, OFPFC_ADD, "table=guard,ip,nw_dst=@seen,actions=drop"),
			 REFUSED_NEEDS_FORCE);
	ADMITS(CLI, "priority=5,ip,nw_src=!@seen,nw_dst=10.0.0.0/8,actions=drop");
	ADMITS(CLI, "priority=5,ip,nw_src=@seen,actions=NORMAL");
	assert_int_equal(tries(CLI, OFPFC_MODIFY_STRICT, "priority=5,ip,nw_src=@seen,actions=drop"),
			 REFUSED_NEEDS_FORCE);
	assert_int_equal(tries(CLI, OFPFC_DELETE, "tcp,tcp_dst=22"), 0);
	ADMITS(CLI, "priority=5,ip,nw_src=@seen,actions=drop");
}

static void the_setting_is_undone(void **state)
{
	struct said s;

	(void)state;
	say(&s, &d, CLI, "set-switch|wide-drop=never");
	assert_string_equal(json_string_value(json_array_get(json_array_get(s.call.undo, 0), 1)),
			    "wide-drop=asked");
	said_free(&s);
}

#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_traffic_in_other_words),
		TEST(what_is_narrow_enough),
		TEST(what_denies),
		TEST(a_default_is_everyday),
		TEST(the_end_of_an_action_set),
		TEST(who_may_have_it),
		TEST(a_controller_modifies),
		TEST(all_rules_at_once),
		TEST(a_proposal_is_checked_as_a_rule_is),
		TEST(a_forger_chooses_no_drop),
		TEST(nor_does_one_that_was_there_before),
		TEST(the_setting_is_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
