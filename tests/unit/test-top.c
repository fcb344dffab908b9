/* SPDX-License-Identifier: Apache-2.0 */
/* What operators read from samples: rates by any fields, an address's fate, dry runs.  Records are
 * put into a worker's ring as its thread would. */
#include "tests/unit/switch.h"

#include "ctl/dry-run.h"
#include "ctl/stats.h"
#include "ctl/top.h"
#include "ctl/why.h"
#include "ofproto/samples.h"

static struct daemon d;

static int set_up(void **state)
{
	(void)state;
	d.ofproto = switch_up(NULL);
	ofproto_set_now(d.ofproto, 100 * NSEC_PER_SEC);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ofproto_destroy(d.ofproto);
	return 0;
}

/* UDP 10.0.0.SRC to 10.0.1.DST, 100 octets, one of 10, `age` seconds ago. */
static struct sample_record udp(uint8_t src, uint8_t dst, unsigned age)
{
	struct sample_record r = {
		.ns = ofproto_now(d.ofproto) - age * NSEC_PER_SEC,
		.every = 10,
		.length = 100,
		.in_port = 1,
		.out_port = 2,
		.rule_id = RULE_NONE,
		.l3 = 14,
	};

	r.key.du.in_port = htobe32(1);
	r.key.du.eth_type = htobe16(0x800);
	r.key.du.ip_proto = 17;
	memcpy(r.key.du.ip_src, (uint8_t[]){10, 0, 0, src}, 4);
	memcpy(r.key.du.ip_dst, (uint8_t[]){10, 0, 1, dst}, 4);
	r.key.du.tp_src = htobe16(1000 + src);
	r.key.du.tp_dst = htobe16(53);
	return r;
}

static struct sample_record dropped(struct sample_record r, enum drop_reason reason)
{
	r.end = SAMPLE_DROPPED;
	r.reason = reason;
	r.out_port = OFPP_ANY;
	return r;
}

/* It came out of an aggregate between these. */
static struct sample_record carried(struct sample_record r, uint32_t src, uint32_t dst)
{
	r.key.outer.has = htobe32(HAS_IPV4 | HAS_CONN | HAS_ESP);
	r.key.outer.ipv4_src = htobe32(src);
	r.key.outer.ipv4_dst = htobe32(dst);
	return r;
}

static void give(struct sample_record r, unsigned n)
{
	struct worker *w = ofproto_datapath(d.ofproto)->worker[0];

	while (n--) {
		void *to = ring_reserve(&w->samples, sizeof r);

		assert_non_null(to);
		memcpy(to, &r, sizeof r);
		ring_submit(&w->samples);
		if (n % 128 == 0)
			ofproto_run(d.ofproto);
	}
}

static json_t *top(const char *by, uint64_t seconds, uint64_t n)
{
	struct refusal r = {0};
	json_t *value = top_collect(&d, by, seconds, n, &r);
	struct buf text = {0};

	if (!value)
		fail_msg("%s", r.text);
	top_text(value, &text);
	assert_true(text.size);
	buf_free(&text);
	return value;
}

static double real(const json_t *object, const char *key)
{
	return json_real_value(json_object_get(object, key));
}

static const json_t *row(const json_t *value, size_t i)
{
	return json_array_get(json_object_get(value, "rows"), i);
}

static const char *value_of(const json_t *row, const char *name)
{
	return json_str(json_object_get(row, "values"), name);
}

static void assert_near(double is, double wanted)
{
	if (is < 0.999 * wanted || is > 1.001 * wanted)
		fail_msg("%f, not %f", is, wanted);
}

static void rates(void **state)
{
	struct sample_record six = udp(9, 9, 1), asked = udp(1, 1, 1), old = udp(1, 1, 11);
	json_t *v;

	(void)state;
	give(old, 50);
	give(udp(1, 1, 3), 20);
	give(udp(2, 1, 2), 10);
	give(dropped(udp(3, 2, 1), DROP_RULE), 5);
	give(dropped(udp(3, 2, 1), DROP_MTU), 1);
	give(udp(3, 2, 1), 2);
	six.key.du.eth_type = htobe16(0x86dd);
	memset(six.key.du.ip_dst, 0xfd, 16);
	six.length = 1000;
	give(six, 1);
	asked.flags = SAMPLE_BY_RULE;
	give(asked, 100);

	v = top("dst", 10, 2);
	assert_int_equal(json_u64(v, "samples"), 39);
	assert_int_equal(json_u64(v, "n_rows"), 3);
	assert_int_equal(json_array_size(json_object_get(v, "rows")), 2);
	assert_near(real(v, "packets_per_s"), 39);
	assert_near(real(v, "bits_per_s"), 38 * 800 + 8000);
	assert_string_equal(value_of(row(v, 0), "dst"), "10.0.1.1");
	assert_near(real(row(v, 0), "packets_per_s"), 30);
	assert_near(real(row(v, 0), "bits_per_s"), 30 * 800);
	assert_near(real(row(v, 0), "share"), 30 / 39.0);
	assert_true(real(row(v, 0), "dropped") == 0);
	assert_null(json_object_get(row(v, 0), "reason"));
	assert_string_equal(value_of(row(v, 1), "dst"), "10.0.1.2");
	assert_near(real(row(v, 1), "dropped"), 6 / 8.0);
	assert_string_equal(json_str(row(v, 1), "reason"), "rule");
	json_decref(v);

	v = top("ipv4_src/31", 10, 10);
	assert_string_equal(value_of(row(v, 0), "ipv4_src/31"), "10.0.0.0/31");
	assert_string_equal(value_of(row(v, 1), "ipv4_src/31"), "10.0.0.2/31");
	assert_near(real(row(v, 1), "packets_per_s"), 18);
	json_decref(v);

	v = top("dst,ipv4_src/24,tcp_dst,dport", 5, 10);
	assert_string_equal(value_of(row(v, 0), "ipv4_src/24"), "10.0.0.0/24");
	assert_string_equal(value_of(row(v, 0), "tcp_dst"), "-");
	assert_string_equal(value_of(row(v, 0), "dport"), "53");
	assert_near(real(row(v, 0), "packets_per_s"), 60);
	assert_string_equal(value_of(row(v, 2), "dst"), "fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd");
	assert_string_equal(value_of(row(v, 2), "ipv4_src/24"), "-");
	json_decref(v);
}

/* Snapshots that do not reach back to the span's begin: the rate is that of what they reach. */
static void rates_under_load(void **state)
{
	json_t *v;

	(void)state;
	give(udp(1, 1, 2), SNAPSHOTS - 1);
	v = top("dst", 10, 1); /* one less than full: all of the span */
	assert_near(real(v, "packets_per_s"), (SNAPSHOTS - 1));
	json_decref(v);
	give(udp(1, 1, 2), 1);
	v = top("dst", 10, 1);
	assert_near(real(v, "packets_per_s"), SNAPSHOTS * 10 / 2);
	json_decref(v);
	d.started_ns = ofproto_now(d.ofproto) - NSEC_PER_SEC; /* it runs for a second only */
	v = top("dst", 10, 1);
	assert_near(real(v, "packets_per_s"), SNAPSHOTS * 10 / 1);
	json_decref(v);
	d.started_ns = 0;
}

static void refused(const char *by, enum refusal_code code)
{
	struct refusal r = {0};

	assert_null(top_collect(&d, by, 10, 10, &r));
	assert_int_equal(r.code, code);
}

static void what_top_refuses(void **state)
{
	(void)state;
	refused("", REFUSED_SYNTAX);
	refused("dst,", REFUSED_SYNTAX);
	refused("a_name_that_is_longer_than_any_field_could_have", REFUSED_SYNTAX);
	refused("ipv4dst", REFUSED_UNKNOWN_WORD);
	refused("dst/24", REFUSED_BAD_MASK);
	refused("in_port/4", REFUSED_BAD_MASK);
	refused("ipv4_dst/33", REFUSED_BAD_MASK);
	refused("ipv4_dst/", REFUSED_BAD_MASK);
	refused("ipv4_dst/0", REFUSED_BAD_MASK);
	refused("dst,dst,dst,dst,dst,dst,dst", REFUSED_LIMIT);
}

static json_t *why(const char *address)
{
	struct refusal r = {0};
	json_t *value = why_collect(&d, address, &r);

	if (!value)
		fail_msg("%s", r.text);
	return value;
}

static void expect_text(json_t *value, const char *expected)
{
	struct buf text = {0};

	why_text(value, &text);
	assert_string_equal(buf_text(&text), expected);
	buf_free(&text);
	json_decref(value);
}

struct first {
	struct flow_visit visit;
	uint32_t id;
};

static int take_id(struct flow_visit *v, const struct flow *f, const struct flow_stats *stats)
{
	(void)stats;
	container_of(v, struct first, visit)->id = f->rule_id;
	return 1;
}

static uint32_t first_rule(void)
{
	struct first first = {.visit.flow = take_id};
	struct flow_filter filter;

	flow_filter_init(&filter);
	ofproto_flows(d.ofproto, &filter, &first.visit);
	return first.id;
}

static void fates(void **state)
{
	struct sample_record by_rule, early;
	struct refusal r = {0};

	(void)state;
	switch_flow(d.ofproto, OFPFC_ADD, "priority=7,udp actions=drop");
	by_rule = dropped(udp(1, 1, 2), DROP_RULE);
	by_rule.rule_id = first_rule();
	give(by_rule, 3);
	give(dropped(udp(1, 1, 2), DROP_TX_FULL), 1);
	give(carried(udp(1, 1, 2), 0xc0000201, 0xc0000202), 5);
	give(udp(2, 2, 2), 7); /* others' */
	early = dropped(udp(0, 0, 1), DROP_EARLY);
	early.flags = SAMPLE_AGGREGATE;
	memcpy(early.key.du.ip_src, (uint8_t[]){192, 0, 2, 1}, 4);
	memcpy(early.key.du.ip_dst, (uint8_t[]){192, 0, 2, 2}, 4);
	give(carried(early, 0xc0000201, 0xc0000202), 4);
	early.key.du.ip_src[3] = 9; /* who carried nothing of it */
	early.key.du.ip_dst[3] = 3;
	give(carried(early, 0xc0000209, 0xc0000203), 2);

	expect_text(
		why("10.0.1.1"),
		"10.0.1.1, the last 15 minutes\n"
		"to it: arrived 90, delivered 50, lost 40 (estimated from 9 samples)\n"
		"              30  rule                 a rule without output: dropped as the rule "
		"says (3 samples)\n"
		"              10  tx-full              the port's transmit ring is full (1 "
		"sample)\n"
		"              30  by table=0,priority=7,udp actions=drop (rule, 3 samples)\n"
		"from it: nothing was seen\n"
		"192.0.2.1 carried 50 of its packets; 40 of its aggregates were dropped unopened "
		"(4 "
		"samples)\n");
	expect_text(
		why("192.0.2.2"),
		"192.0.2.2, the last 15 minutes\n"
		"to it: nothing was seen\n"
		"from it: nothing was seen\n"
		"as an outer address: arrived 90, delivered 50, lost 40 (estimated from 9 "
		"samples)\n"
		"              40  early                an early verdict: a rule on outer fields "
		"drops it before decryption (4 samples)\n");
	switch_flow(d.ofproto, OFPFC_DELETE, "udp");
	switch_flow(d.ofproto, OFPFC_ADD, "priority=8,tcp actions=drop"); /* gets the id again */
	assert_int_equal(first_rule(), by_rule.rule_id);
	expect_text(
		why("10.0.0.0/31"),
		"10.0.0.0/31, the last 15 minutes\n"
		"to it: nothing was seen\n"
		"from it: arrived 90, delivered 50, lost 40 (estimated from 9 samples)\n"
		"              30  rule                 a rule without output: dropped as the rule "
		"says (3 samples)\n"
		"              10  tx-full              the port's transmit ring is full (1 "
		"sample)\n"
		"              30  by a rule that is there no more (rule, 3 samples)\n"
		"192.0.2.1 carried 50 of its packets; 40 of its aggregates were dropped unopened "
		"(4 "
		"samples)\n");
	assert_null(why_collect(&d, "somewhere", &r));
	assert_int_equal(r.code, REFUSED_BAD_VALUE);
}

static void dry_runs(void **state)
{
	struct flow_mod mod;
	struct buf text = {0};
	struct refusal r = {0};
	json_t *value;

	(void)state;
	assert_int_equal(flow_parse("udp,nw_src=10.0.0.0/30", OFPFC_DELETE, &mod, &r), 0);
	give(udp(1, 1, 12), 10);
	give(dropped(udp(2, 1, 3), DROP_TX_FULL), 20);
	give(udp(5, 1, 3), DRY_RUN_EVIDENCE - 31);
	value = dry_run_collect(&d, &mod.match);
	dry_run_text(value, &text);
	assert_string_equal(buf_text(&text),
			    "no evidence: 99 packets seen lately, and it wants 100\n");
	json_decref(value);
	give(udp(5, 1, 3), 1);
	value = dry_run_collect(&d, &mod.match);
	text.size = 0;
	dry_run_text(value, &text);
	assert_string_equal(
		buf_text(&text),
		"of 100 packets seen in the last 12 s it would have hit 30: 30.0 % of "
		"packets, 30.0 % of octets, 2 sources to 1 target, 200 (estimated) already "
		"dropped\n");
	assert_true(json_is_true(json_object_get(value, "evidence")));
	assert_near(real(value, "share"), 0.3);
	json_decref(value);
	buf_free(&text);
	flow_mod_free(&mod);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rates_under_load, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_top_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(dry_runs, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
