/* SPDX-License-Identifier: Apache-2.0 */
/* Protected sets: what no rule may cut off. */
#include "tests/unit/verb-bed.h"

#include "ofproto/sets.h"

static struct daemon d;

#define CLI        ORIGIN_CLI
#define WATCH      ORIGIN_WATCH
#define CONTROLLER ORIGIN_CONTROLLER

static int set_up(void **state)
{
	(void)state;
	d = (struct daemon){.ofproto = switch_up(NULL), .offline = true};
	switch_port(d.ofproto, "in type=dummy");
	says(&d, CLI, "add-set|home|type=ipv4|protected=yes");
	says(&d, CLI, "add-set|home6|type=ipv6|protected=yes");
	says(&d, CLI, "set-add|home|192.0.2.7|198.51.100.0/24");
	says(&d, CLI, "set-add|home6|2001:db8::7|2001:db8:1::/48");
	says(&d, CLI, "add-set|bad|type=ipv4");
	says(&d, CLI, "add-set|pairs|type=ipv4+port");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ofproto_destroy(d.ofproto);
	return 0;
}

static struct refusal why;

static enum refusal_code tries(uint8_t origin, const char *text)
{
	struct flow_mod fm;

	why = (struct refusal){0};
	if (!flow_parse(text, OFPFC_ADD, &fm, &why)) {
		fm.origin = origin;
		fm.reason = fm.table == TABLE_GUARD ? "test" : NULL;
		fm.expire_ns = fm.table == TABLE_GUARD ? NSEC_PER_SEC : 0;
		ofproto_flow_mod(d.ofproto, &fm, NULL, &why);
		flow_mod_free(&fm);
	}
	return why.code;
}

/* From every origin, in every word for a drop; by this field. */
static void keeps(const char *match, const char *field)
{
	static const struct {
		uint8_t origin;
		const char *before, *behind;
	} ways[] = {
		{CLI, "", "actions=drop"},
		{CLI, "wide=yes,", "actions=drop"},
		{CONTROLLER, "priority=1,", "actions=drop"},
		{CONTROLLER, "table=3,", "actions=clear_actions"},
		{CONTROLLER, "", "actions=reject"},
		{WATCH, "table=guard,", "actions=drop"},
		{CLI, "table=guard,", "actions=output:in"},
	};
	char text[200];

	/* Table 3 would otherwise have no rule to take from. */
	assert_int_equal(tries(CONTROLLER, "table=3,priority=0,actions=NORMAL"), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		snprintf(text, sizeof text, "%s%s,%s", ways[i].before, match, ways[i].behind);
		if (tries(ways[i].origin, text) != REFUSED_PROTECTED || strcmp(why.field, field))
			fail_msg("%s: %s, field %s: %s", text, refusal_name(why.code), why.field,
				 why.text);
	}
}

static void admits(const char *match)
{
	char text[200];

	snprintf(text, sizeof text, "%s,actions=drop", match);
	if (tries(CONTROLLER, text))
		fail_msg("%s: %s", text, why.text);
}

/* ------------------------------------------------------------------ tests */

static void what_the_protected_say_and_hear(void **state)
{
	(void)state;
	keeps("ip,nw_src=192.0.2.7", "ipv4_src");
	keeps("ip,nw_dst=192.0.2.7", "ipv4_dst");
	keeps("tcp,nw_dst=192.0.2.7,tcp_dst=22", "ipv4_dst");
	keeps("ip,nw_dst=192.0.0.0/16", "ipv4_dst");
	keeps("ip,nw_dst=198.51.100.128/25", "ipv4_dst");
	keeps("ip,nw_src=192.0.2.1-192.0.2.9", "ipv4_src");
	keeps("ip,nw_src=192.0.2.7,nw_dst=203.0.113.1", "ipv4_src");
	keeps("ip,nw_src=198.51.100.0/24,nw_dst=192.0.2.7", "ipv4_src");
	keeps("ip,nw_dst=0.0.0.7/0.0.0.255", "ipv4_dst");
	keeps("arp,arp_tpa=192.0.2.7", "ipv4_dst");
	keeps("ipv6,ipv6_src=2001:db8::/32", "ipv6_src");
	keeps("ipv6,ipv6_dst=2001:db8:1:2::/64", "ipv6_dst");
	keeps("outer_ipv4_src=192.0.2.7", "outer_ipv4_src");
	keeps("outer_ipv6_dst=2001:db8::7", "outer_ipv6_dst");
	keeps("icmp6,icmp_type=135,icmp_code=0,nd_target=2001:db8::7", "ipv6_nd_target");
}

static void whole_protocols(void **state)
{
	(void)state;
	keeps("udp", "match");
	keeps("arp", "match");
	keeps("icmp6", "match");
	keeps("tcp,tcp_flags=+ack", "match");
	admits("udp,udp_dst=11211");
	admits("in_port=in");
	admits("dl_type=0x88cc");
	admits("udp,nw_src=!@home,nw_dst=!@home");
	keeps("udp,nw_src=!@home", "match");
	keeps("udp,nw_src=!@bad,nw_dst=!@bad", "match");
}

static void others_are_none_of_it(void **state)
{
	(void)state;
	admits("ip,nw_src=203.0.113.1");
	admits("ip,nw_src=203.0.113.1,nw_dst=192.0.2.7");
	admits("ip,nw_dst=192.0.2.8");
	admits("ip,nw_dst=192.0.2.0/29,nw_dst=!192.0.2.7");
	admits("ip,nw_dst=192.0.2.8-192.0.2.255");
	admits("ipv6,ipv6_dst=2001:db8:2::/48");
	admits("priority=0");
	assert_int_equal(tries(CONTROLLER, "ip,nw_dst=192.0.2.7,actions=NORMAL"), 0);
	assert_int_equal(tries(WATCH, "table=guard,ip,nw_dst=192.0.2.7,actions=limit:1mbps"), 0);
	/* A deleted set protects nobody. */
	says(&d, CLI, "del-set|home");
	admits("ip,nw_src=192.0.2.7");
}

static void sets_in_rules(void **state)
{
	(void)state;
	says(&d, CLI, "set-add|bad|203.0.113.1|192.0.2.0/24");
	keeps("ip,nw_src=@bad", "ipv4_src");
	says(&d, CLI, "set-del|bad|192.0.2.0/24");
	says(&d, CLI, "set-add|bad|198.51.100.9");
	keeps("ip,nw_src=@bad", "ipv4_src");
	says(&d, CLI, "set-del|bad|198.51.100.9");
	says(&d, CLI, "set-add|pairs|192.0.2.7+53");
	keeps("udp,nw_dst+udp_dst=@pairs", "ipv4_dst");
	says(&d, CLI, "set-flush|pairs");
	admits("udp,nw_dst+udp_dst=@pairs");
	admits("ip,nw_src=@bad");
	/* It is asked by a rule that drops. */
	refuses(&d, CLI, "set-add|bad|192.0.2.7", "protected");
	refuses(&d, CLI, "set-add|bad|203.0.113.2|192.0.0.0/8", "protected");
	refuses(&d, CLI, "set-load|bad|198.51.100.1\n", "protected");
	refuses(&d, CLI, "set-add|pairs|198.51.100.1+53", "protected");
	refuses(&d, CLI, "set-add|bad|0.0.0.0/0", "too-wide");
	refuses(&d, CLI, "set-add|bad|64.0.0.0/2", "too-wide");
	says(&d, CLI, "set-add|bad|203.0.113.2");
	says(&d, CLI, "del-flows|ip,nw_src=@bad");
	says(&d, CLI, "set-add|bad|192.0.2.7|64.0.0.0/2");
	says(&d, CLI, "set-switch|wide-drop=asked");
	assert_int_equal(tries(CONTROLLER, "ip,nw_src=@bad,actions=drop"), REFUSED_TOO_WIDE);
	says(&d, CLI, "set-del|bad|64.0.0.0/2");
	assert_int_equal(tries(CONTROLLER, "ip,nw_src=@bad,actions=drop"), REFUSED_PROTECTED);
}

/* Prefixes in one another, at both ends, of both families. */
static void prefixes_in_order(void **state)
{
	static const char *const protects[] = {"0.0.0.0/8", "198.51.100.64/26", "255.255.255.255"};
	static const struct {
		const char *member;
		bool out;
	} rows[] = {
		{"0.1.2.3", true},          {"1.0.0.0", false},           {"198.51.99.255", false},
		{"198.51.100.0", true},     {"198.51.101.0", false},      {"198.51.0.0/16", true},
		{"255.255.255.254", false}, {"255.255.255.254/31", true}, {"192.0.2.6/31", true},
		{"192.0.2.8/31", false},    {"9.0.0.0/8", false}};
	char text[80];

	(void)state;
	switch_flow(d.ofproto, OFPFC_ADD, "ip,nw_src=@bad,actions=drop");
	for (unsigned i = 0; i < ARRAY_SIZE(protects); i++) {
		snprintf(text, sizeof text, "set-add|home|%s", protects[i]);
		says(&d, CLI, text);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof text, "set-add|bad|%s", rows[i].member);
		if (rows[i].out)
			refuses(&d, CLI, text, "protected");
		else
			says(&d, CLI, text);
	}
}

static void a_rule_stands_in_the_way(void **state)
{
	(void)state;
	assert_int_equal(tries(CONTROLLER, "ip,nw_dst=203.0.113.0/24,actions=drop"), 0);
	refuses(&d, CLI, "set-add|home|203.0.113.9", "protected");
	refuses(&d, CLI, "set-load|home|203.0.113.9\n", "protected");
	refuses(&d, CLI, "add-set|--|more|type=ipv4|protected=yes|file=x|203.0.113.9\n",
		"protected");
	says(&d, CLI, "del-flows|ip,nw_dst=203.0.113.0/24");
	says(&d, CLI, "set-add|home|203.0.113.9");
	assert_int_equal(tries(CONTROLLER, "ip,nw_dst=203.0.113.0/24,actions=drop"),
			 REFUSED_PROTECTED);
	says(&d, CLI, "set-del|home|203.0.113.9");
	assert_int_equal(tries(CONTROLLER, "ip,nw_dst=203.0.113.0/24,actions=drop"), 0);
}

static void what_a_protected_set_is(void **state)
{
	(void)state;
	refuses(&d, CLI, "add-set|x|type=port|protected=yes", "bad-value");
	refuses(&d, CLI, "add-set|x|type=ipv4|timeout=5|protected=yes", "bad-value");
	refuses(&d, CLI, "add-set|x|type=ipv4|protected=yes|max=1025", "bad-value");
	says(&d, CLI, "add-set|x|type=ipv4|protected=yes|max=3");
	says(&d, CLI, "add-set|y|type=ipv6|protected=yes");
	refuses(&d, CLI, "add-set|z|type=ipv6|protected=yes", "limit");
	says(&d, CLI, "del-set|x");
	says(&d, CLI, "add-set|z|type=ipv6|protected=yes");
}

static void packets_add_none(void **state)
{
	struct port *in = ofproto_port(d.ofproto, "in");
	struct set_state s;

	(void)state;
	says(&d, CLI, "add-set|seen|type=ipv4|timeout=60");
	says(&d, CLI, "set-add|home|10.0.0.2");
	switch_flow(d.ofproto, OFPFC_ADD, "ip,actions=set_add(seen,ipv4_src),NORMAL");
	switch_inject(d.ofproto, in, 1, 9);
	switch_inject(d.ofproto, in, 2, 9);
	ofproto_run(d.ofproto);
	assert_true(ofproto_set_state(d.ofproto, "seen", &s));
	assert_int_equal(s.n, 1);
	assert_int_equal(s.n_kept_out, 1);
}

/* What is on its way protects already. */
static void on_its_way(void **state)
{
	const char *make[] = {"home", "type=ipv4", "protected=yes"}, *member = "192.0.2.7";
	struct refusal r = {0};

	(void)state;
	ofproto_destroy(d.ofproto);
	d.ofproto = switch_up(":memory:");
	assert_int_equal(ofproto_add_set(d.ofproto, (struct words){3, make}, NULL, NULL, &r), 0);
	assert_int_equal(ofproto_set_add(d.ofproto, "home", (struct words){1, &member}, NULL, &r),
			 0);
	assert_int_equal(tries(CONTROLLER, "ip,nw_dst=192.0.2.7,actions=drop"), REFUSED_PROTECTED);
	assert_int_equal(ofproto_sync(d.ofproto, &r), 0);
	assert_int_equal(tries(CONTROLLER, "ip,nw_dst=192.0.2.7,actions=drop"), REFUSED_PROTECTED);
	assert_int_equal(ofproto_set_del(d.ofproto, "home", (struct words){1, &member}, NULL, &r),
			 0);
	assert_int_equal(tries(CONTROLLER, "ip,nw_dst=192.0.2.7,actions=drop"), REFUSED_PROTECTED);
	assert_int_equal(ofproto_sync(d.ofproto, &r), 0);
	assert_int_equal(tries(CONTROLLER, "ip,nw_dst=192.0.2.7,actions=drop"), 0);
}

/* As many as there may be, in contents that come one behind the other before any is in force. */
static void many(void **state)
{
	const char *make[] = {"home", "type=ipv4", "protected=yes"};
	struct refusal r = {0};
	struct buf content = {0};
	char text[64];

	(void)state;
	ofproto_destroy(d.ofproto);
	d.ofproto = switch_up(":memory:");
	assert_int_equal(ofproto_add_set(d.ofproto, (struct words){3, make}, NULL, NULL, &r), 0);
	for (unsigned k = 0; k < 5; k++) {
		content.size = 0;
		for (unsigned i = 0; i < 1024; i++)
			buf_printf(&content, "10.%u.%u.%u\n", k, i / 128, 2 * (i % 128));
		assert_int_equal(ofproto_set_load(d.ofproto, "home", buf_text(&content), NULL, &r),
				 0);
	}
	for (unsigned k = 0; k < 5; k++)
		for (unsigned i = 0; i < 64; i++) {
			snprintf(text, sizeof text, "ip,nw_dst=10.%u.3.%u,actions=drop", k, i);
			assert_int_equal(tries(CONTROLLER, text), i % 2 ? 0 : REFUSED_PROTECTED);
		}
	assert_int_equal(ofproto_sync(d.ofproto, &r), 0);
	assert_int_equal(tries(CONTROLLER, "ip,nw_dst=10.3.3.2,actions=drop"), 0);
	assert_int_equal(tries(CONTROLLER, "ip,nw_dst=10.4.3.2,actions=drop"), REFUSED_PROTECTED);
	buf_free(&content);
}

#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_the_protected_say_and_hear),
		TEST(whole_protocols),
		TEST(others_are_none_of_it),
		TEST(sets_in_rules),
		TEST(prefixes_in_order),
		TEST(a_rule_stands_in_the_way),
		TEST(what_a_protected_set_is),
		TEST(packets_add_none),
		TEST(on_its_way),
		TEST(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
