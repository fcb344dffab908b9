/* SPDX-License-Identifier: Apache-2.0 */
/* What rules of the guard do: whose comes first, what each action leads to, what they shadow, what
 * they may not do, and that they are the same after a restart. */
#include "tests/unit/switch.h"

#include <unistd.h>

#include "datapath/sample.h"
#include "datapath/spine.h"
#include "ofproto/state.h"

static struct ofproto *o;
static struct datapath *dp;
static struct worker *w;
static struct port *in, *out[6]; /* [n]: OpenFlow number 10 + n */

static void open_ports(void)
{
	char words[40];

	in = switch_port(o, "in type=dummy ofport=1");
	for (unsigned i = 0; i < ARRAY_SIZE(out); i++) {
		snprintf(words, sizeof words, "out%u type=dummy ofport=%u", i, 10 + i);
		out[i] = switch_port(o, words);
	}
}

static int set_up(void **state)
{
	(void)state;
	o = switch_up(NULL);
	dp = ofproto_datapath(o);
	w = dp->worker[0];
	open_ports();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ofproto_destroy(o);
	return 0;
}

static int try_guard(uint8_t command, uint8_t origin, const char *text, struct refusal *r)
{
	struct flow_mod fm;
	char flow[200];
	int error;

	snprintf(flow, sizeof flow, "table=guard,%s", text);
	error = flow_parse(flow, command, &fm, r);
	if (error)
		return error;
	fm.origin = origin;
	fm.reason = "a test";
	fm.expire_ns = 3600 * NSEC_PER_SEC;
	error = ofproto_flow_mod(o, &fm, NULL, r);
	flow_mod_free(&fm);
	return error;
}

static void guard(uint8_t origin, const char *text)
{
	struct refusal r = {0};

	if (try_guard(OFPFC_ADD, origin, text, &r))
		fail_msg("%s: %s", text, r.text);
}

static void unguard(uint8_t origin, const char *text)
{
	struct refusal r = {0};

	if (try_guard(OFPFC_DELETE_STRICT, origin, text, &r))
		fail_msg("%s: %s", text, r.text);
}

/* The guard's rules and table 0's, as text with what they counted, the first match first. */
static const char *counted(uint8_t table)
{
	struct flow_filter f;

	flow_filter_init(&f);
	f.table = table;
	return switch_dump(o, &f, true);
}

/* Where a packet leaves; -1: nowhere. */
static int leaves_by(uint8_t src, uint8_t dst)
{
	int by = -1;

	switch_inject(o, in, src, dst);
	for (unsigned i = 0; i < ARRAY_SIZE(out); i++)
		if (switch_taken(out[i]))
			by = 10 + (int)i;
	return by;
}

static void origins_come_in_their_order(void **state)
{
	(void)state;
	switch_flow(o, OFPFC_ADD, "udp,actions=output:15");
	/* The later comes first, whatever its priority. */
	guard(ORIGIN_REQUEST, "priority=65535,udp,actions=output:10");
	assert_int_equal(leaves_by(1, 2), 10);
	guard(ORIGIN_WATCH, "priority=300,udp,actions=output:11");
	assert_int_equal(leaves_by(1, 2), 11);
	guard(ORIGIN_BGP, "priority=200,udp,actions=output:12");
	assert_int_equal(leaves_by(1, 2), 12);
	guard(ORIGIN_CLI, "priority=1,udp,actions=output:13");
	assert_int_equal(leaves_by(1, 2), 13);
	/* Within an origin priority decides. */
	guard(ORIGIN_CLI, "priority=2,udp,nw_src=10.0.0.1,actions=output:14");
	assert_int_equal(leaves_by(1, 2), 14);
	assert_int_equal(leaves_by(3, 2), 13);
	/* One rule, and nothing behind it: what lost has counted what it once won. */
	assert_string_equal(counted(TABLE_GUARD),
			    "n=1 table=guard,priority=2,udp,ipv4_src=10.0.0.1 actions=output:out4\n"
			    "n=2 table=guard,priority=1,udp actions=output:out3\n"
			    "n=1 table=guard,priority=200,udp actions=output:out2\n"
			    "n=1 table=guard,priority=300,udp actions=output:out1\n"
			    "n=1 table=guard,priority=65535,udp actions=output:out0\n");
	unguard(ORIGIN_CLI, "priority=2,udp,nw_src=10.0.0.1");
	unguard(ORIGIN_CLI, "priority=1,udp");
	assert_int_equal(leaves_by(1, 2), 12);
}

/* The same match and priority of two origins are two rules. */
static void origins_do_not_meet(void **state)
{
	(void)state;
	guard(ORIGIN_WATCH, "priority=5,udp,actions=drop");
	guard(ORIGIN_CLI, "priority=5,udp,actions=output:10");
	assert_int_equal(leaves_by(1, 2), 10);
	unguard(ORIGIN_CLI, "priority=5,udp");
	assert_int_equal(leaves_by(1, 2), -1);
	assert_string_equal(counted(TABLE_GUARD), "n=1 table=guard,priority=5,udp actions=drop\n");
}

static void what_ends_the_path_ends_it(void **state)
{
	(void)state;
	switch_flow(o, OFPFC_ADD, "udp,actions=output:15");
	guard(ORIGIN_CLI, "udp,nw_src=10.0.0.1,actions=drop");
	guard(ORIGIN_CLI, "udp,nw_src=10.0.0.2,actions=limit:1pps,burst=2p,output:10");
	assert_int_equal(leaves_by(1, 9), -1);
	assert_int_equal(counter_read(&w->n.dropped[DROP_RULE]), 1);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(leaves_by(2, 9), i < 2 ? 10 : -1);
	assert_int_equal(counter_read(&w->n.dropped[DROP_LIMIT]), 2);
	assert_non_null(strstr(counted(0), "n=0 table=0,priority=32768,udp"));
}

static void the_rest_goes_on_to_table_0(void **state)
{
	static const char *const actions[] = {"pass", "limit:1kpps", "sample:100000",
					      "set_field:0x7->pkt_mark",
					      "limit:1mbps,set_field:0x7->pkt_mark,sample:9"};
	char text[100];

	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=1,udp,actions=output:10");
	switch_flow(o, OFPFC_ADD, "priority=2,udp,pkt_mark=7,actions=output:11");
	for (unsigned i = 0; i < ARRAY_SIZE(actions); i++) {
		snprintf(text, sizeof text, "udp,actions=%s", actions[i]);
		guard(ORIGIN_WATCH, text);
		assert_int_equal(leaves_by(1, 2), strstr(actions[i], "mark") ? 11 : 10);
		/* The same rule, renewed each time: it counts on. */
		snprintf(text, sizeof text, "n=%u table=guard,priority=32768,udp actions=%s\n",
			 i + 1, actions[i]);
		assert_string_equal(counted(TABLE_GUARD), text);
	}
	assert_non_null(strstr(counted(0), "n=2 table=0,priority=2"));
	assert_non_null(strstr(counted(0), "n=3 table=0,priority=1"));
}

static void a_reject_ends_here(void **state)
{
	struct refusal r;

	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=1,udp,actions=output:10");
	guard(ORIGIN_WATCH, "udp,nw_src=10.0.0.1,actions=sample:100000,reject");
	assert_int_equal(leaves_by(1, 2), -1);
	assert_int_equal(switch_taken(in), 1);
	assert_int_equal(counter_read(&w->n.dropped[DROP_REJECT]), 1);
	assert_int_equal(leaves_by(2, 2), 10);
	assert_int_equal(try_guard(OFPFC_ADD, ORIGIN_CLI, "udp,actions=reject,pass", &r), -EINVAL);
	assert_int_equal(try_guard(OFPFC_ADD, ORIGIN_CLI, "udp,actions=reject,sample:5", &r),
			 -EINVAL);
	guard(ORIGIN_CLI, "tcp,actions=clamp_mss:1360");
	assert_non_null(strstr(counted(TABLE_GUARD), "tcp actions=clamp_mss:1360\n"));
}

static void what_is_above_a_limit_stays_here(void **state)
{
	(void)state;
	switch_flow(o, OFPFC_ADD, "udp,actions=output:10");
	guard(ORIGIN_WATCH, "udp,actions=limit:10pps,burst=3p");
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(leaves_by(1, 2), i < 3 ? 10 : -1);
	ofproto_set_now(o, ofproto_now(o) + NSEC_PER_SEC / 10);
	assert_int_equal(leaves_by(1, 2), 10);
	assert_int_equal(counter_read(&w->n.dropped[DROP_LIMIT]), 2);
}

static void a_rule_asks_for_samples(void **state)
{
	const struct sample_record *s;
	uint32_t size;

	(void)state;
	switch_flow(o, OFPFC_ADD, "udp,actions=output:10");
	guard(ORIGIN_CLI, "udp,nw_src=10.0.0.1,actions=sample:1");
	assert_int_equal(leaves_by(2, 3), 10);
	assert_true(ring_empty(&w->samples));
	assert_int_equal(leaves_by(1, 3), 10);
	s = ring_peek(&w->samples, &size);
	assert_non_null(s);
	assert_true(s->flags & SAMPLE_BY_RULE);
	assert_int_equal(s->every, 1);
	assert_int_equal(s->out_port, 10);
	assert_int_equal(get_be32(s->octet + s->l3 + 12), 0x0a000001);
}

/* Of the early verdict by outer DSCP. */
static bool drops_early(uint8_t dscp)
{
	struct du_key du = {0};
	struct outer_key outer = {0};
	const struct key_view key = key_view_of(&du, &outer);
	struct early_verdict v;
	struct match m;
	struct refusal r;
	char text[8];

	memset(&m, 0, sizeof m);
	snprintf(text, sizeof text, "%u", dscp);
	assert_int_equal(match_parse_word(&m, "outer_dscp", text, &r), 0);
	assert_int_equal(match_finish(&m, &r), 0);
	memcpy(&outer, m.value.outer_word, sizeof outer);
	return early_lookup(dp->early, &(struct probe){.key = key, .version = dp->version}, &v);
}

struct shades {
	struct flow_visit visit;
	char text[100];
};

static int shade(struct flow_visit *v, const struct flow *f, const struct flow_stats *stats)
{
	struct shades *s = container_of(v, struct shades, visit);
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof s->text - n, "%llu%s%s ", (unsigned long long)f->cookie,
		 stats->early ? "e" : "", stats->shadowed_by == RULE_NONE ? "" : "s");
	return 0;
}

static void shades_are(uint8_t table, const char *want)
{
	struct shades s = {.visit.flow = shade};
	struct flow_filter f;

	flow_filter_init(&f);
	f.table = table;
	ofproto_flows(o, &f, &s.visit);
	assert_string_equal(s.text, want);
}

/* In the guard any higher rule that is not a drop; table 0 only by what ends the path. */
static void what_goes_on_shadows_the_guard_alone(void **state)
{
	static const char *const above[] = {"pass", "limit:1mbps", "sample:5",
					    "set_field:1->pkt_mark"};
	char text[100];

	(void)state;
	guard(ORIGIN_WATCH, "cookie=1,priority=5,outer_dscp=46,actions=drop");
	switch_flow(o, OFPFC_ADD, "cookie=2,priority=5,outer_dscp=10,actions=drop");
	shades_are(TABLE_GUARD, "1e ");
	assert_true(drops_early(46));
	for (unsigned i = 0; i < ARRAY_SIZE(above); i++) {
		snprintf(text, sizeof text, "cookie=3,priority=1,actions=%s", above[i]);
		guard(ORIGIN_CLI, text);
		shades_are(TABLE_GUARD, "3 1s ");
		assert_false(drops_early(46));
		shades_are(0, "2e 0 ");
		assert_true(drops_early(10));
	}
	/* Below it, nothing. */
	guard(ORIGIN_CLI, "cookie=4,priority=9,outer_dscp=46,actions=drop");
	shades_are(TABLE_GUARD, "4e 3 1s ");
	assert_true(drops_early(46));
	guard(ORIGIN_CLI, "cookie=3,priority=1,actions=output:10");
	shades_are(0, "2s 0 ");
	assert_false(drops_early(10));
}

static void what_the_guard_does_not_do(void **state)
{
	static const struct {
		const char *actions;
		enum refusal_code code;
	} bad[] = {
		{"goto_table:1", REFUSED_UNSUP_INSTRUCTION},
		{"clear_actions", REFUSED_UNSUP_INSTRUCTION},
		{"write_actions(output:10)", REFUSED_UNSUP_INSTRUCTION},
		{"write_metadata:1", REFUSED_UNSUP_INSTRUCTION},
		{"meter:1,pass", REFUSED_UNSUP_INSTRUCTION},
		{"dec_ttl", REFUSED_BAD_ACTION},
		{"set_field:9->ip_dscp", REFUSED_BAD_ACTION},
		{"push_vlan:0x8100,output:10", REFUSED_BAD_ACTION},
		{"output:10,output:11", REFUSED_BAD_ACTION},
		{"output:10,limit:1mbps", REFUSED_BAD_ACTION},
		{"output:10,pass", REFUSED_BAD_GOTO},
	};
	char text[100];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct refusal r = {0};

		snprintf(text, sizeof text, "udp,actions=%s", bad[i].actions);
		if (!try_guard(OFPFC_ADD, ORIGIN_CLI, text, &r))
			fail_msg("%s was accepted", text);
		if (r.code != bad[i].code)
			fail_msg("%s: %s: %s", text, refusal_name(r.code), r.text);
		assert_null(strchr(r.text, '\n'));
	}
	assert_string_equal(counted(TABLE_GUARD), "");
	/* And only the guard passes on to table 0. */
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "udp,actions=pass"), REFUSED_BAD_GOTO);
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "table=3,udp,actions=limit:1mbps,pass"),
			 REFUSED_BAD_GOTO);
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "udp,actions=write_actions(limit:1mbps)"),
			 REFUSED_BAD_ACTION);
}

/* Full tables keep nobody from it, nor from what takes another rule's place. */
static void full_tables_leave_it_room(void **state)
{
	uint32_t n;

	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=7,udp,actions=drop");
	n = o->flows.n_staged;
	o->flows.n_staged = FLOWS_MAX;
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "priority=7,tcp,actions=drop"),
			 REFUSED_TABLE_FULL);
	switch_flow(o, OFPFC_ADD, "priority=7,udp,actions=output:10");
	guard(ORIGIN_WATCH, "udp,tp_src=53,actions=drop");
	guard(ORIGIN_WATCH, "udp,tp_src=53,actions=drop"); /* renewed */
	o->flows.n_staged = n + 1;
}

/* ---- Restart ------------------------------------------------------------------------------ */

static int check_goes_on(struct flow_visit *v, const struct flow *f, const struct flow_stats *s)
{
	bool ends = f->priority <= 2;

	(void)v, (void)s;
	assert_int_equal(f->instructions.has_goto, !ends);
	assert_int_equal(f->rule->program->has_goto, !ends);
	assert_string_equal(f->reason, "a test");
	assert_true(f->expires_ns < TIMER_NEVER);
	return 0;
}

static void a_restart_brings_them_back(void **state)
{
	static const char all[] =
		"n=0 table=guard,priority=6,udp actions=set_field:0x7->pkt_mark,sample:5\n"
		"n=0 cookie=0x5,table=guard,priority=5 actions=pass\n"
		"n=0 table=guard,priority=4,udp actions=limit:10mbps,burst=1mb\n"
		"n=0 table=guard,priority=3,udp actions=limit:200pps\n"
		"n=0 table=guard,priority=2,udp actions=limit:1kpps,output:10\n"
		"n=0 table=guard,priority=1,udp actions=drop\n";
	struct flow_visit check = {.flow = check_goes_on};
	struct flow_filter f;
	char file[] = "/tmp/sluice-guard-XXXXXX", side[60];

	(void)state;
	assert_true(close(mkstemp(file)) == 0);
	flow_filter_init(&f);
	f.table = TABLE_GUARD;
	o = switch_up(file);
	guard(ORIGIN_CLI, "priority=6,udp,actions=set_field:7->pkt_mark,sample:5");
	guard(ORIGIN_CLI, "priority=5,cookie=5,actions=pass");
	guard(ORIGIN_BGP, "priority=4,udp,actions=limit:10mbps,burst=1000kb,pass");
	guard(ORIGIN_WATCH, "priority=3,udp,actions=limit:200pps");
	guard(ORIGIN_REQUEST, "priority=2,udp,actions=limit:1kpps,output:10");
	guard(ORIGIN_REQUEST, "priority=1,udp,actions=drop");
	assert_int_equal(ofproto_sync(o, NULL), 0);
	assert_string_equal(counted(TABLE_GUARD), all);
	for (unsigned i = 0; i < 2; i++) {
		ofproto_destroy(o);
		o = switch_up(file);
		assert_string_equal(counted(TABLE_GUARD), all);
		ofproto_flows(o, &f, &check);
	}
	ofproto_destroy(o);
	unlink(file);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(side, sizeof side, "%s%s", file,
			 (const char *[]){"-marks", "-wal", "-shm"}[i]);
		unlink(side);
	}
}

int main(void)
{
#define UNIT(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		UNIT(origins_come_in_their_order),
		UNIT(origins_do_not_meet),
		UNIT(what_ends_the_path_ends_it),
		UNIT(the_rest_goes_on_to_table_0),
		UNIT(a_reject_ends_here),
		UNIT(what_is_above_a_limit_stays_here),
		UNIT(a_rule_asks_for_samples),
		UNIT(what_goes_on_shadows_the_guard_alone),
		UNIT(full_tables_leave_it_room),
		UNIT(what_the_guard_does_not_do),
		cmocka_unit_test(a_restart_brings_them_back),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
