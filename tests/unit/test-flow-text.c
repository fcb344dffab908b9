/* SPDX-License-Identifier: Apache-2.0 */
/* FLOW text: what is read is written so that it reads the same; what is wrong is refused. */
#include "switch.h"

#include "ofproto/state.h"

static struct flow flow_of(const struct flow_mod *fm)
{
	return (struct flow){
		.match = fm->match,
		.instructions = fm->instructions,
		.table = fm->table,
		.priority = fm->priority,
		.cookie = fm->cookie,
		.idle_timeout = fm->idle_timeout,
		.hard_timeout = fm->hard_timeout,
		.flags = fm->flags,
	};
}

static void format(const char *text, struct buf *out)
{
	struct refusal r = {0};
	struct flow_mod fm;
	struct flow f;

	if (flow_parse(text, OFPFC_ADD, &fm, &r))
		fail_msg("%s: %s", text, r.text);
	f = flow_of(&fm);
	flow_format(&f, out);
	flow_mod_free(&fm);
}

static void test_round_trip(void **state)
{
	static const char *const flows[] = {
		"actions=drop",
		"priority=0 actions=NORMAL",
		"table=3,priority=7,ip,nw_src=10.0.0.0/8,actions=output:2",
		"cookie=0xdeadbeef,idle_timeout=10,hard_timeout=20,send_flow_rem,tcp,tp_dst=80 "
		"actions=1,2",
		"table=guard,priority=1,udp6,ipv6_dst=2001:db8::/32 actions=drop",
		" in_port=1 , dl_vlan=5 , actions=strip_vlan,output:3",
		"ip,outer_dscp=46,agg_fragments=2 actions=goto_table:5",
		"table=1,ip actions=set_field:1->reg0,write_metadata:1/0xff,goto_table:2",
		"duration=3s,table=0,n_packets=5,n_bytes=6,idle_age=2,priority=3,arp "
		"actions=CONTROLLER:64",
		"check_overlap,reset_counts,no_packet_counts,no_byte_counts,icmp actions=IN_PORT",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flows); i++) {
		struct buf one = {0}, two = {0};

		format(flows[i], &one);
		format(buf_text(&one), &two);
		assert_string_equal(buf_text(&one), buf_text(&two));
		buf_free(&one);
		buf_free(&two);
	}
}

static void test_exact(void **state)
{
	struct buf text = {0};

	(void)state;
	format("cookie=1,table=2,ip,nw_dst=10.1.0.0/16,priority=9 actions=drop", &text);
	assert_string_equal(buf_text(&text),
			    "cookie=0x1,table=2,priority=9,ip,ipv4_dst=10.1.0.0/16 actions=drop");
	buf_free(&text);
	format("actions=drop", &text);
	assert_string_equal(buf_text(&text), "table=0,priority=32768 actions=drop");
	buf_free(&text);
}

static void test_commands(void **state)
{
	struct refusal r = {0};
	struct flow_mod fm;

	(void)state;
	assert_int_equal(flow_parse("strict priority=5,ip", OFPFC_DELETE, &fm, &r), 0);
	assert_int_equal(fm.command, OFPFC_DELETE_STRICT);
	assert_int_equal(fm.table, OFPTT_ALL);
	assert_int_equal(fm.priority, 5);
	flow_mod_free(&fm);
	assert_int_equal(flow_parse("strict actions=drop", OFPFC_MODIFY, &fm, &r), 0);
	assert_int_equal(fm.command, OFPFC_MODIFY_STRICT);
	flow_mod_free(&fm);
	assert_int_equal(flow_parse("", OFPFC_DELETE, &fm, &r), 0);
	assert_int_equal(fm.table, OFPTT_ALL);
	flow_mod_free(&fm);
	assert_int_equal(flow_parse("cookie=5/0xf,table=2,out_port=3", OFPFC_DELETE, &fm, &r), 0);
	assert_true(fm.cookie == 5 && fm.cookie_mask == 0xf && fm.out_port == 3 && fm.table == 2);
	flow_mod_free(&fm);
	assert_int_equal(flow_parse("cookie=5,out_port=LOCAL", OFPFC_DELETE, &fm, &r), 0);
	assert_true(fm.cookie_mask == UINT64_MAX && fm.out_port == OFPP_LOCAL);
	flow_mod_free(&fm);
	assert_int_equal(flow_parse("cookie=5/-1 actions=drop", OFPFC_MODIFY, &fm, &r), 0);
	assert_true(fm.cookie_mask == UINT64_MAX);
	flow_mod_free(&fm);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		uint8_t command;
		enum refusal_code code;
		const char *field;
	} cases[] = {
		{"ip", OFPFC_ADD, REFUSED_SYNTAX, "actions"},
		{"ip actions=drop", OFPFC_DELETE, REFUSED_SYNTAX, "actions"},
		{"prioriti=1 actions=drop", OFPFC_ADD, REFUSED_UNKNOWN_WORD, "prioriti"},
		{"priority=65536 actions=drop", OFPFC_ADD, REFUSED_BAD_VALUE, "priority"},
		{"priority=x actions=drop", OFPFC_ADD, REFUSED_BAD_VALUE, "priority"},
		{"priority actions=drop", OFPFC_ADD, REFUSED_BAD_VALUE, "priority"},
		{"table=254 actions=drop", OFPFC_ADD, REFUSED_BAD_TABLE, "table"},
		{"table=256 actions=drop", OFPFC_ADD, REFUSED_BAD_VALUE, "table"},
		{"cookie=1/1 actions=drop", OFPFC_ADD, REFUSED_SYNTAX, "cookie"},
		{"send_flow_rem=1 actions=drop", OFPFC_ADD, REFUSED_SYNTAX, "send_flow_rem"},
		{"idle_timeout=70000 actions=drop", OFPFC_ADD, REFUSED_BAD_VALUE, "idle_timeout"},
		{"out_port=nowhere", OFPFC_DELETE, REFUSED_BAD_OUT_PORT, "out_port"},
		{"strict ip actions=drop", OFPFC_ADD, REFUSED_UNKNOWN_WORD, "strict"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct refusal r = {0};
		struct flow_mod fm;

		assert_int_not_equal(flow_parse(cases[i].text, cases[i].command, &fm, &r), 0);
		if (r.code != cases[i].code || strcmp(r.field, cases[i].field))
			fail_msg("%s: %s %s: %s", cases[i].text, refusal_name(r.code), r.field,
				 r.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
