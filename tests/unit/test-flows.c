/* SPDX-License-Identifier: Apache-2.0 */
/* The five commands, timeouts in warped time, and that workers do what the rules say. */
#include "switch.h"

static int up(void **state)
{
	struct ofproto *o = switch_up(NULL);

	switch_flow(o, OFPFC_DELETE, "");
	*state = o;
	return 0;
}

static int down(void **state)
{
	ofproto_destroy(*state);
	return 0;
}

#define assert_flows(o, text) assert_string_equal(switch_dump(o, NULL, false), text)

static void test_begins_with_normal(void **state)
{
	struct ofproto *o = switch_up(NULL);

	(void)state;
	assert_flows(o, "table=0,priority=0 actions=NORMAL\n");
	ofproto_destroy(o);
}

static void test_add_and_order(void **state)
{
	struct ofproto *o = *state;

	switch_flow(o, OFPFC_ADD, "table=1,priority=5 actions=drop");
	switch_flow(o, OFPFC_ADD, "priority=1 actions=drop");
	switch_flow(o, OFPFC_ADD, "priority=3,ip actions=drop");
	switch_flow(o, OFPFC_ADD, "priority=3,arp actions=drop");
	assert_flows(o, "table=0,priority=3,ip actions=drop\n"
			"table=0,priority=3,arp actions=drop\n"
			"table=0,priority=1 actions=drop\n"
			"table=1,priority=5 actions=drop\n");
	/* The same match and priority again replaces. */
	switch_flow(o, OFPFC_ADD, "cookie=9,priority=3,ip actions=output:1");
	assert_flows(o, "table=0,priority=3,arp actions=drop\n"
			"cookie=0x9,table=0,priority=3,ip actions=output:1\n"
			"table=0,priority=1 actions=drop\n"
			"table=1,priority=5 actions=drop\n");
}

static void test_overlap(void **state)
{
	struct ofproto *o = *state;

	switch_flow(o, OFPFC_ADD, "priority=3,ip,nw_src=10.0.0.0/8 actions=drop");
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "check_overlap,priority=3,udp actions=drop"),
			 REFUSED_OVERLAP);
	assert_int_equal(
		switch_refuses(o, OFPFC_ADD,
			       "check_overlap,priority=3,ip,nw_src=10.0.0.0/8 actions=drop"),
		REFUSED_OVERLAP);
	switch_flow(o, OFPFC_ADD, "check_overlap,priority=4,udp actions=drop");
	switch_flow(o, OFPFC_ADD, "check_overlap,priority=3,ip,nw_src=11.0.0.0/8 actions=drop");
	switch_flow(o, OFPFC_ADD, "table=1,check_overlap,priority=3,udp actions=drop");
}

static void test_modify(void **state)
{
	struct ofproto *o = *state;

	switch_flow(o, OFPFC_ADD, "cookie=1,priority=3,ip,nw_src=10.0.0.0/8 actions=drop");
	switch_flow(o, OFPFC_ADD, "cookie=2,priority=3,ip,nw_src=11.0.0.0/8 actions=drop");
	switch_flow(o, OFPFC_ADD, "cookie=3,priority=3,arp actions=drop");
	switch_flow(o, OFPFC_MODIFY, "ip actions=output:1");
	assert_flows(o, "cookie=0x1,table=0,priority=3,ip,ipv4_src=10.0.0.0/8 actions=output:1\n"
			"cookie=0x2,table=0,priority=3,ip,ipv4_src=11.0.0.0/8 actions=output:1\n"
			"cookie=0x3,table=0,priority=3,arp actions=drop\n");
	switch_flow(o, OFPFC_MODIFY, "cookie=2/-1,ip actions=output:2");
	switch_flow(o, OFPFC_MODIFY, "strict priority=3,ip actions=output:3"); /* no such rule */
	switch_flow(o, OFPFC_MODIFY, "strict priority=4,arp actions=output:3");
	switch_flow(o, OFPFC_MODIFY, "table=1 actions=output:3");
	assert_flows(o, "cookie=0x1,table=0,priority=3,ip,ipv4_src=10.0.0.0/8 actions=output:1\n"
			"cookie=0x2,table=0,priority=3,ip,ipv4_src=11.0.0.0/8 actions=output:2\n"
			"cookie=0x3,table=0,priority=3,arp actions=drop\n");
	switch_flow(o, OFPFC_MODIFY, "strict priority=3,arp actions=output:3");
	assert_non_null(strstr(switch_dump(o, NULL, false), "arp actions=output:3"));
}

static void test_delete(void **state)
{
	struct ofproto *o = *state;

	switch_flow(o, OFPFC_ADD, "cookie=1,priority=3,ip,nw_src=10.0.0.0/8 actions=output:1");
	switch_flow(o, OFPFC_ADD, "cookie=0x12,priority=3,udp actions=output:2");
	switch_flow(o, OFPFC_ADD, "table=4,priority=3,arp actions=write_actions(output:2)");
	switch_flow(o, OFPFC_DELETE, "strict priority=3,ip"); /* another match */
	switch_flow(o, OFPFC_DELETE, "cookie=2/0xff,ip");     /* another cookie */
	switch_flow(o, OFPFC_DELETE, "table=1");
	switch_flow(o, OFPFC_DELETE, "out_port=7");
	assert_flows(o, "cookie=0x1,table=0,priority=3,ip,ipv4_src=10.0.0.0/8 actions=output:1\n"
			"cookie=0x12,table=0,priority=3,udp actions=output:2\n"
			"table=4,priority=3,arp actions=write_actions(output:2)\n");
	switch_flow(o, OFPFC_DELETE, "out_port=2");
	assert_flows(o, "cookie=0x1,table=0,priority=3,ip,ipv4_src=10.0.0.0/8 actions=output:1\n");
	switch_flow(o, OFPFC_DELETE, "strict priority=3,ip,nw_src=10.0.0.0/8");
	assert_flows(o, "");
	switch_flow(o, OFPFC_ADD, "cookie=0x12 actions=drop");
	switch_flow(o, OFPFC_DELETE, "cookie=2/0xf");
	assert_flows(o, "");
}

static void test_refusals(void **state)
{
	struct ofproto *o = *state;
	struct refusal r = {0};
	struct flow_mod fm;

	assert_int_equal(switch_refuses(o, OFPFC_ADD, "table=255 actions=drop"), REFUSED_BAD_TABLE);
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "table=5 actions=goto_table:5"),
			 REFUSED_BAD_GOTO);
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "actions=output:5000"), REFUSED_BAD_OUT_PORT);
	flow_mod_init(&fm);
	fm.command = 5;
	assert_int_not_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_BAD_COMMAND);
	fm.command = OFPFC_ADD;
	fm.flags = 0x20;
	assert_int_not_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_BAD_FLAGS);
	assert_flows(o, "");
}

static void test_guard(void **state)
{
	struct ofproto *o = *state;
	struct flow_filter guard;
	struct refusal r = {0};
	struct flow_mod fm;

	assert_int_equal(flow_parse("table=guard,priority=1,udp actions=drop", OFPFC_ADD, &fm, &r),
			 0);
	fm.origin = ORIGIN_CONTROLLER;
	assert_int_not_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_BAD_TABLE);
	fm.origin = ORIGIN_WATCH;
	assert_int_not_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	assert_string_equal(r.field, "reason");
	fm.reason = "a flood";
	fm.expire_ns = NSEC_PER_SEC;
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	flow_mod_free(&fm);

	switch_flow(o, OFPFC_DELETE, ""); /* a controller's clean-up */
	assert_flows(o, "");
	flow_filter_init(&guard);
	guard.table = TABLE_GUARD;
	assert_string_equal(switch_dump(o, &guard, false),
			    "table=guard,priority=1,udp actions=drop\n");
	ofproto_set_now(o, ofproto_now(o) + NSEC_PER_SEC);
	assert_string_equal(switch_dump(o, &guard, false), "");
}

/* Each origin has its share of the guard, whatever the others have. */
static void test_guard_quota(void **state)
{
	struct ofproto *o = *state;
	struct refusal r = {0};
	struct flow_mod fm;
	unsigned n = 0;

	assert_int_equal(flow_parse("table=guard,udp actions=drop", OFPFC_ADD, &fm, &r), 0);
	fm.origin = ORIGIN_BGP;
	fm.reason = "many";
	fm.expire_ns = GUARD_EXPIRE_MAX_NS;
	for (fm.priority = 1; fm.priority < 10000; fm.priority++, n++)
		if (ofproto_flow_mod(o, &fm, NULL, &r))
			break;
	assert_int_equal(n, 4096);
	assert_int_equal(r.code, REFUSED_LIMIT);
	fm.origin = ORIGIN_WATCH;
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	fm.command = OFPFC_DELETE; /* its own, nobody else's */
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	fm.origin = ORIGIN_BGP;
	fm.command = OFPFC_ADD;
	assert_int_not_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	fm.command = OFPFC_DELETE;
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	fm.command = OFPFC_ADD;
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	flow_mod_free(&fm);
}

static void test_filter(void **state)
{
	struct ofproto *o = *state;
	struct flow_filter f;
	struct refusal r = {0};

	switch_flow(o, OFPFC_ADD, "cookie=1,ip actions=output:1");
	switch_flow(o, OFPFC_ADD, "cookie=2,table=1,udp actions=output:2");
	flow_filter_init(&f);
	f.out_port = 2;
	assert_string_equal(switch_dump(o, &f, false),
			    "cookie=0x2,table=1,priority=32768,udp actions=output:2\n");
	flow_filter_init(&f);
	f.table = 0;
	assert_string_equal(switch_dump(o, &f, false),
			    "cookie=0x1,table=0,priority=32768,ip actions=output:1\n");
	flow_filter_init(&f);
	f.cookie = 2;
	f.cookie_mask = 3;
	assert_string_equal(switch_dump(o, &f, false),
			    "cookie=0x2,table=1,priority=32768,udp actions=output:2\n");
	flow_filter_init(&f);
	assert_int_equal(match_parse_word(&f.match, "udp", NULL, &r), 0);
	assert_int_equal(match_finish(&f.match, &r), 0);
	assert_string_equal(switch_dump(o, &f, false),
			    "cookie=0x2,table=1,priority=32768,udp actions=output:2\n");
}

/* ---- Early ----------------------------------------------------------------------------------- */

struct shades {
	struct flow_visit visit;
	char text[256];
};

static int shade(struct flow_visit *v, const struct flow *f, const struct flow_stats *stats)
{
	struct shades *s = container_of(v, struct shades, visit);
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof s->text - n, "%llu%s%s ", (unsigned long long)f->cookie,
		 stats->early ? "e" : "", stats->shadowed_by == RULE_NONE ? "" : "s");
	return 0;
}

static void test_early(void **state)
{
	struct ofproto *o = *state;
	struct shades s = {.visit.flow = shade};
	struct flow_filter all;
	struct refusal r = {0};
	struct flow_mod fm;

	flow_filter_init(&all);
	switch_flow(o, OFPFC_ADD, "cookie=1,priority=9,outer_dscp=46 actions=drop");
	switch_flow(o, OFPFC_ADD, "cookie=2,priority=8,ip,outer_dscp=40 actions=output:1");
	switch_flow(o, OFPFC_ADD, "cookie=3,priority=7,outer_dscp=40,outer_ttl=3 actions=drop");
	switch_flow(o, OFPFC_ADD, "cookie=4,priority=6,udp actions=drop");
	switch_flow(o, OFPFC_ADD, "cookie=5,table=1,outer_dscp=46 actions=drop");
	ofproto_flows(o, &all, &s.visit);
	assert_string_equal(s.text, "1e 2 3s 4 5 ");
	/* What ends the path in the guard shadows table 0. */
	assert_int_equal(
		flow_parse("table=guard,outer_dscp=46 actions=output:1", OFPFC_ADD, &fm, &r), 0);
	fm.reason = "redirected";
	assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
	flow_mod_free(&fm);
	s.text[0] = 0;
	ofproto_flows(o, &all, &s.visit);
	assert_string_equal(s.text, "1s 2 3s 4 5 ");
}

/* ---- What ends by itself ----------------------------------------------------------------------
 */

struct ear {
	struct listener listener;
	unsigned n;
	uint8_t reason;
	uint64_t cookie, packets, duration_ns;
};

static void hear(struct listener *l, const struct flow_removed *fr)
{
	struct ear *e = container_of(l, struct ear, listener);

	e->n++;
	e->reason = fr->reason;
	e->cookie = fr->flow->cookie;
	e->packets = fr->stats->packets;
	e->duration_ns = fr->stats->duration_ns;
}

static void test_timeouts(void **state)
{
	struct ofproto *o = *state;
	struct ear ear = {.listener.flow_removed = hear};
	struct port *p = switch_port(o, "p1 type=dummy");
	uint64_t start = ofproto_now(o);

	ofproto_listen(o, &ear.listener);
	switch_flow(o, OFPFC_ADD, "cookie=1,send_flow_rem,hard_timeout=5,priority=1 actions=drop");
	switch_flow(o, OFPFC_ADD,
		    "cookie=2,send_flow_rem,idle_timeout=3,priority=2,ip actions=drop");
	switch_flow(o, OFPFC_ADD,
		    "cookie=3,idle_timeout=1,priority=3,arp actions=drop"); /* says nothing */
	ofproto_set_now(o, start + 2 * NSEC_PER_SEC);
	assert_int_equal(ear.n, 0);
	assert_null(strstr(switch_dump(o, NULL, false), "arp"));
	switch_inject(o, p, 1, 2); /* it is used: three seconds more */
	ofproto_set_now(o, start + 4 * NSEC_PER_SEC);
	assert_int_equal(ear.n, 0);
	/* Time leaps: each ends at its own time. */
	ofproto_set_now(o, start + 60 * NSEC_PER_SEC);
	assert_int_equal(ear.n, 2);
	assert_int_equal(ear.cookie, 2);
	assert_int_equal(ear.reason, OFPRR_IDLE_TIMEOUT);
	assert_int_equal(ear.packets, 1);
	assert_int_equal(ear.duration_ns / NSEC_PER_SEC, 5);
	assert_flows(o, "");
	ofproto_unlisten(o, &ear.listener);
}

static void test_removed_reasons(void **state)
{
	struct ofproto *o = *state;
	struct ear ear = {.listener.flow_removed = hear};

	ofproto_listen(o, &ear.listener);
	switch_flow(o, OFPFC_ADD, "cookie=7,send_flow_rem actions=drop");
	switch_flow(o, OFPFC_ADD,
		    "cookie=8,send_flow_rem actions=drop"); /* replaced: nothing is said */
	switch_flow(o, OFPFC_MODIFY, "actions=output:1");
	assert_int_equal(ear.n, 0);
	switch_flow(o, OFPFC_DELETE, "");
	assert_int_equal(ear.n, 1);
	assert_int_equal(ear.cookie, 8);
	assert_int_equal(ear.reason, OFPRR_DELETE);
	switch_flow(o, OFPFC_ADD, "cookie=9,send_flow_rem,hard_timeout=1 actions=drop");
	ofproto_set_now(o, ofproto_now(o) + NSEC_PER_SEC);
	assert_int_equal(ear.reason, OFPRR_HARD_TIMEOUT);
	ofproto_unlisten(o, &ear.listener);
}

static void test_confirm(void **state)
{
	struct ofproto *o = *state;
	struct refusal r = {0};

	switch_port(o, "p1 type=dummy confirm=5");
	ofproto_set_now(o, ofproto_now(o) + 4 * NSEC_PER_SEC);
	assert_non_null(ofproto_port(o, "p1"));
	ofproto_set_now(o, ofproto_now(o) + 1 * NSEC_PER_SEC);
	assert_null(ofproto_port(o, "p1"));
	switch_port(o, "p1 type=dummy confirm=5");
	assert_int_equal(ofproto_confirm(o, &r), 0);
	ofproto_set_now(o, ofproto_now(o) + 9 * NSEC_PER_SEC);
	assert_non_null(ofproto_port(o, "p1"));
	assert_int_not_equal(ofproto_confirm(o, &r), 0);
}

/* ---- Packets ----------------------------------------------------------------------------------
 */

static void test_packets(void **state)
{
	struct ofproto *o = *state;
	struct port *p1 = switch_port(o, "p1 type=dummy"),
		    *p2 = switch_port(o, "p2 type=dummy ofport=7");

	assert_int_equal(p1->ofport, 1);
	switch_flow(o, OFPFC_ADD, "priority=1,ip,nw_src=10.0.0.1 actions=output:7");
	switch_inject(o, p1, 1, 2);
	switch_inject(o, p1, 1, 2);
	switch_inject(o, p1, 3, 2); /* a miss */
	assert_int_equal(switch_taken(p2), 2);
	/* Modified: counters stay; asked to, they begin again; replaced, the same. */
	switch_flow(o, OFPFC_MODIFY, "ip actions=drop");
	switch_inject(o, p1, 1, 2);
	assert_int_equal(switch_taken(p2), 0);
	assert_string_equal(switch_dump(o, NULL, true),
			    "n=3 table=0,priority=1,ip,ipv4_src=10.0.0.1 actions=drop\n");
	switch_flow(o, OFPFC_MODIFY, "reset_counts,ip actions=output:7");
	switch_inject(o, p1, 1, 2);
	assert_int_equal(switch_taken(p2), 1);
	assert_string_equal(switch_dump(o, NULL, true),
			    "n=1 table=0,priority=1,ip,ipv4_src=10.0.0.1 actions=output:p2\n");
	switch_flow(o, OFPFC_ADD, "priority=1,ip,nw_src=10.0.0.1 actions=output:7");
	assert_string_equal(switch_dump(o, NULL, true),
			    "n=1 table=0,priority=1,ip,ipv4_src=10.0.0.1 actions=output:p2\n");
	switch_flow(o, OFPFC_ADD, "reset_counts,priority=1,ip,nw_src=10.0.0.1 actions=output:7");
	assert_string_equal(switch_dump(o, NULL, true),
			    "n=0 table=0,reset_counts,priority=1,ip,ipv4_src=10.0.0.1 "
			    "actions=output:p2\n");
	/* An id that comes back counts from zero. */
	switch_inject(o, p1, 1, 2);
	switch_flow(o, OFPFC_DELETE, "");
	switch_inject(o, p1, 1, 2);
	assert_int_equal(switch_taken(p2), 1);
	for (unsigned i = 0; i < 4; i++) {
		char text[80];

		snprintf(text, sizeof text, "priority=%u actions=output:7", i + 1);
		switch_flow(o, OFPFC_ADD, text);
	}
	assert_null(strstr(switch_dump(o, NULL, true), "n=1"));
}

static void test_packet_out(void **state)
{
	struct ofproto *o = *state;
	struct port *p1 = switch_port(o, "p1 type=dummy");
	uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5};
	struct packet_out po = {.in_port = OFPP_CONTROLLER, .frame = frame, .size = sizeof frame};
	struct refusal r = {0};
	struct buf ops = {0};

	assert_int_equal(actions_parse("output:1", &ops, &r), 0);
	po.ops = ops.data;
	po.ops_size = ops.size;
	assert_int_equal(ofproto_packet_out(o, &po, &r), 0);
	assert_memory_equal(dummy_take(p1)->octet, frame, sizeof frame);
	dummy_release(p1);
	po.in_port = 99;
	assert_int_not_equal(ofproto_packet_out(o, &po, &r), 0);
	assert_int_equal(r.code, REFUSED_BAD_PORT);
	buf_free(&ops);
	/* To the tables: it meets their rules. */
	assert_int_equal(actions_parse("TABLE", &ops, &r), 0);
	po.in_port = OFPP_CONTROLLER;
	po.ops = ops.data;
	po.ops_size = ops.size;
	switch_flow(o, OFPFC_ADD, "in_port=CONTROLLER actions=output:1");
	assert_int_equal(ofproto_packet_out(o, &po, &r), 0);
	assert_int_equal(switch_taken(p1), 1);
	buf_free(&ops);
}

static void test_trace(void **state)
{
	struct ofproto *o = *state;
	struct port *p1 = switch_port(o, "p1 type=dummy"), *p2 = switch_port(o, "p2 type=dummy");
	struct refusal r = {0};
	struct buf text = {0};

	switch_flow(o, OFPFC_ADD, "priority=5,udp,nw_src=10.0.0.1,tp_dst=53 actions=goto_table:1");
	switch_flow(o, OFPFC_ADD, "table=1,priority=6 actions=output:2");
	assert_int_equal(ofproto_trace(o, "in_port=p1,udp,nw_src=10.0.0.1,tp_dst=53", &text, &r),
			 0);
	assert_non_null(strstr(buf_text(&text), "priority=5,udp"));
	assert_non_null(strstr(buf_text(&text), "priority=6"));
	assert_non_null(strstr(buf_text(&text), "output to p2"));
	assert_int_equal(switch_taken(p2), 0);
	assert_null(strstr(switch_dump(o, NULL, true), "n=1"));
	buf_free(&text);
	assert_int_not_equal(ofproto_trace(o, "in_port=p9", &text, &r), 0);
	/* Octets: an ARP request meets no rule. */
	assert_int_equal(
		ofproto_trace(o,
			      "ffffffffffff 020000000008 0806 0001 0800 06 04 0001 020000000008 "
			      "0a000001 000000000000 0a000002",
			      &text, &r),
		0);
	assert_non_null(strstr(buf_text(&text), "table-miss"));
	buf_free(&text);
	/* Real packets, when they match. */
	struct match m = {0};
	assert_int_equal(match_parse_word(&m, "udp", NULL, &r), 0);
	assert_int_equal(match_finish(&m, &r), 0);
	assert_int_equal(ofproto_trace_next(o, &m, 1, &r), 0);
	switch_inject(o, p1, 1, 2);
	switch_inject(o, p1, 1, 2);
	ofproto_trace_read(o, &text);
	assert_non_null(strstr(buf_text(&text), "packet 1 of worker 0"));
	assert_null(strstr(buf_text(&text), "packet 2 of worker 0"));
	buf_free(&text);
}

static void test_ports(void **state)
{
	struct ofproto *o = *state;
	struct refusal r = {0};

	switch_port(o, "p1 type=dummy");
	switch_port(o, "p2 type=dummy ofport=3");
	assert_int_equal(switch_port(o, "p3 type=dummy")->ofport, 2);
	assert_string_equal(ofproto_port_spec(o, ofproto_port(o, "p3")), "p3 type=dummy ofport=2");
	assert_int_not_equal(switch_try_words(o, "p1 type=dummy", NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_EXISTS);
	assert_int_not_equal(switch_try_words(o, "p4 type=dummy ofport=3", NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_EXISTS);
	assert_int_not_equal(switch_try_words(o, "p4 type=dumy", NULL, &r), 0);
	assert_string_equal(r.field, "type");
	assert_int_not_equal(switch_try_words(o, "p4 type=dummy colour=red", NULL, &r), 0);
	assert_string_equal(r.field, "colour");
	assert_int_not_equal(switch_try_words(o, "p4", NULL, &r), 0);
	assert_int_not_equal(switch_try_words(o, "4 type=dummy", NULL, &r), 0);
	assert_int_not_equal(switch_try_words(o, "local type=dummy", NULL, &r), 0);
	assert_int_not_equal(switch_try_words(o, "p4 type=dummy mtu=1\nofport=9", NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_SYNTAX);
	assert_null(ofproto_port(o, "p4"));
	assert_int_not_equal(ofproto_del_port(o, "p4", NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_NOT_FOUND);
	assert_int_equal(ofproto_del_port(o, "p1", NULL, &r), 0);
	assert_null(ofproto_port(o, "p1"));
	assert_int_equal(switch_port(o, "p1 type=dummy")->ofport, 1);
	/* Names in rules. */
	switch_flow(o, OFPFC_ADD, "in_port=p2 actions=drop");
	assert_non_null(strstr(switch_dump(o, NULL, false), "in_port="));
}

static int add_route(struct ofproto *o, const char *text, struct refusal *r)
{
	char copy[128], *save = NULL;
	const char *word[8];
	struct words words = {0, word};
	bool neigh = !strncmp(text, "neigh ", 6);

	snprintf(copy, sizeof copy, "%s", text + (neigh ? 6 : 0));
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		word[words.n++] = w;
	return neigh ? ofproto_add_neigh(o, words, r) : ofproto_add_route(o, words, r);
}

static void test_routes(void **state)
{
	static const struct {
		const char *text, *field;
	} wrong[] = {
		{"10.0.0.0/33 dev=p2", "prefix"},
		{"10.0.0.0/8", "dev"},
		{"10.0.0.0/8 via 10.x dev=p2", "via"},
		{"10.0.0.0/8 via 10.0.0.1", "dev"},
		{"10.0.0.0/8 dev=p9", "dev"},
		{"10.0.0.0/8 dev=p2 more", "more"},
		{"neigh 10.0.0.2 dev=p2", ""},
		{"neigh 10.0.0 02:00:00:00:00:07 dev=p2", "ip"},
		{"neigh 10.0.0.2 02:00:00 dev=p2", "mac"},
	};
	struct ofproto *o = *state;
	struct port *p1 = switch_port(o, "p1 type=dummy mac=02:00:00:00:00:09");
	struct port *p2 = switch_port(o, "p2 type=dummy mac=02:00:00:00:00:0a");
	struct refusal r = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_not_equal(add_route(o, wrong[i].text, &r), 0);
		if (strcmp(r.field, wrong[i].field))
			fail_msg("%s: %s: %s", wrong[i].text, r.field, r.text);
	}
	switch_flow(o, OFPFC_ADD, "actions=NORMAL");
	assert_int_equal(add_route(o, "10.0.0.0/24 via 10.9.0.1 dev=p2", &r), 0);
	assert_int_equal(add_route(o, "neigh 10.9.0.1 02:00:00:00:00:07 dev=p2", &r), 0);
	assert_int_equal(add_route(o, "10.0.0.77 local", &r), 0);
	switch_inject(o, p1, 1, 2);
	assert_memory_equal(dummy_take(p2)->octet, "\2\0\0\0\0\7\2\0\0\0\0\12", 12);
	dummy_release(p2);
	switch_inject(o, p1, 1, 77);
	assert_int_equal(switch_taken(p2), 0);
}

static void test_settings(void **state)
{
	struct ofproto *o = *state;
	const char *words[] = {"dpid=0x2a", "fail-mode=secure", "packet-in=headers"},
		   *bad = "dpid=xyz";
	struct refusal r = {0};

	assert_int_equal(ofproto_set_switch(o, (struct words){3, words}, NULL, &r), 0);
	assert_int_equal(ofproto_settings(o)->dpid, 42);
	assert_true(ofproto_settings(o)->fail_secure && ofproto_settings(o)->packet_in_headers);
	assert_true(ofproto_datapath(o)->packet_in_headers);
	assert_int_not_equal(ofproto_set_switch(o, (struct words){1, &bad}, NULL, &r), 0);
	bad = "fail-mode=open";
	assert_int_not_equal(ofproto_set_switch(o, (struct words){1, &bad}, NULL, &r), 0);
	assert_int_equal(ofproto_settings(o)->dpid, 42);
}

static void test_tables(void **state)
{
	struct ofproto *o = *state;
	struct table_stats s;

	assert_int_equal(ofproto_n_tables(o), 16);
	switch_flow(o, OFPFC_ADD, "table=253 actions=drop");
	assert_int_equal(ofproto_n_tables(o), 254);
	ofproto_table_stats(o, 253, &s);
	assert_int_equal(s.n_active, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins_with_normal),
		TEST(test_add_and_order),
		TEST(test_overlap),
		TEST(test_modify),
		TEST(test_delete),
		TEST(test_refusals),
		TEST(test_guard),
		TEST(test_guard_quota),
		TEST(test_filter),
		TEST(test_early),
		TEST(test_timeouts),
		TEST(test_removed_reasons),
		TEST(test_confirm),
		TEST(test_packets),
		TEST(test_packet_out),
		TEST(test_trace),
		TEST(test_ports),
		TEST(test_routes),
		TEST(test_settings),
		TEST(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
