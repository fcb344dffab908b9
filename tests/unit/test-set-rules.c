/* SPDX-License-Identifier: Apache-2.0 */
/* Sets behind rules: what counts in them and feeds them, and what must not. */
#include "tests/unit/switch.h"

#include "ofproto/sets.h"
#include "ofproto/trace.h"

static struct ofproto *o;
static struct port *in, *out;

static int up(void **state)
{
	(void)state;
	o = switch_up(NULL);
	in = switch_port(o, "in type=dummy ofport=1");
	out = switch_port(o, "out type=dummy ofport=2");
	switch_flow(o, OFPFC_DELETE, "");
	return 0;
}

static int down(void **state)
{
	(void)state;
	ofproto_destroy(o);
	return 0;
}

static void add_set(const char *name, const char *type, const char *option, const char *content)
{
	const char *words[] = {name, type, option};
	struct refusal r = {0};

	if (ofproto_add_set(o, (struct words){3, words}, content, NULL, &r))
		fail_msg("%s: %s", name, r.text);
}

/* One that looks for packets of a set does not count them there. */
static void a_trace_counts_in_no_set(void **state)
{
	struct flow_mod fm;
	struct set_member m;
	struct refusal r = {0};

	(void)state;
	add_set("s", "type=ipv4", "counters=yes", "10.0.0.1\n");
	switch_flow(o, OFPFC_ADD, "actions=output:2");
	assert_int_equal(flow_parse("ip,ipv4_src=@s", OFPFC_DELETE, &fm, &r), 0);
	assert_int_equal(ofproto_trace_next(o, &fm.match, 3, &r), 0);
	flow_mod_free(&fm);
	switch_inject(o, in, 1, 2);
	switch_inject(o, in, 7, 2);
	assert_int_equal(ofproto_datapath(o)->worker[0]->trace_left, 2); /* it was found */
	assert_true(ofproto_set_member(o, "s", "10.0.0.1", &m));
	assert_int_equal(m.packets, 0);
	switch_flow(o, OFPFC_ADD, "ip,ipv4_src=@s,actions=output:2");
	switch_inject(o, in, 1, 2);
	assert_true(ofproto_set_member(o, "s", "10.0.0.1", &m));
	assert_int_equal(m.packets, 1);
	assert_int_equal(switch_taken(out), 3);
}

/* From 10.0.0.1 to 10.0.0.2, UDP, from port 7 to 9; or a later fragment of that. */
static void inject(bool fragment)
{
	uint8_t f[60] = {2, 0, 0,  0,  0, 9, 2,  0, 0, 0, 0,  8, 8, 0, 0x45, 0, 0, 46, 0, 0,
			 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0,    7, 0, 9,  0, 26};

	f[21] = fragment;
	assert_int_equal(dummy_inject(in, f, sizeof f), 0);
	ofproto_datapath(o)->worker[0]->now = ofproto_now(o);
	while (worker_turn(ofproto_datapath(o)->worker[0]))
		;
	ofproto_run(o);
}

static uint64_t members(const char *name)
{
	struct set_state s;

	assert_true(ofproto_set_state(o, name, &s));
	return s.n;
}

/* A later fragment has no ports: it adds none, nor is any of it in a set or not. */
static void a_fragment_feeds_no_ports(void **state)
{
	struct set_member m;

	(void)state;
	add_set("ports", "type=port", "timeout=60", NULL);
	add_set("pairs", "type=ipv4+port", "timeout=60", NULL);
	add_set("hosts", "type=ipv4", "timeout=60", NULL);
	switch_flow(o, OFPFC_ADD,
		    "udp,actions=set_add(ports,udp_dst),set_add(pairs,ipv4_src+udp_src),"
		    "set_add(hosts,ipv4_src),output:2");
	inject(true);
	assert_int_equal(members("hosts"), 1);
	assert_int_equal(members("ports"), 0);
	assert_int_equal(members("pairs"), 0);
	inject(false);
	assert_true(ofproto_set_member(o, "ports", "9", &m));
	assert_true(ofproto_set_member(o, "pairs", "10.0.0.1+7", &m));
	switch_flow(o, OFPFC_ADD, "priority=40000,udp,udp_dst=!@ports,actions=drop");
	inject(true);
	assert_int_equal(switch_taken(out), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_trace_counts_in_no_set, up, down),
		cmocka_unit_test_setup_teardown(a_fragment_feeds_no_ports, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
