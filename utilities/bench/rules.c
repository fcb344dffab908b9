/* SPDX-License-Identifier: Apache-2.0 */
/* Rule sets.  All are the same in every run; what their rules do is the scenario's. */
#include <string.h>

#include "utilities/bench/bench.h"

enum { PRIORITY = 32768 };

static void make_none(struct bed *b)
{
	(void)b;
}

static void make_1(struct bed *b)
{
	/* A connection's port alone would drop its aggregates before they are opened. */
	bed_flow(b, "in_port=%u%s,actions=%s", bed_in_ofport(b),
		 b->scenario->in_ofport ? ",udp" : "", b->scenario->actions);
}

/* A source address; a destination port; a source port; and all else. */
static void make_3(struct bed *b)
{
	bed_tuple(b, 30, &(struct five_tuple){.value.src = 0x0a010007, .src_bits = 32});
	bed_tuple(b, 20, &(struct five_tuple){.value.dport = 80, .dport_bits = 16});
	bed_tuple(b, 10, &(struct five_tuple){.value.sport = 53, .sport_bits = 16});
	bed_flow(b, "priority=1,actions=%s", b->scenario->actions);
}

/* Destination ports 1 to 1,000, each with one of eight conditions beside it. */
static void make_1000x8(struct bed *b)
{
	static const struct {
		const char *text;
		struct five_tuple t;
	} masks[] = {
		{"", {.dport_bits = 16}},
		{",nw_src=10.1.0.0/16", {{.src = 0x0a010000}, .src_bits = 16, .dport_bits = 16}},
		{",nw_src=10.0.0.0/8", {{.src = 0x0a000000}, .src_bits = 8, .dport_bits = 16}},
		{",nw_ttl=64", {.dport_bits = 16}},
		{",nw_tos=0", {.dport_bits = 16}},
		{",nw_dst=10.2.0.0/16", {{.dst = 0x0a020000}, .dst_bits = 16, .dport_bits = 16}},
		{",nw_src=10.1.0.0/16,nw_ttl=64",
		 {{.src = 0x0a010000}, .src_bits = 16, .dport_bits = 16}},
		{",nw_dst=10.2.0.2", {{.dst = 0x0a020002}, .dst_bits = 32, .dport_bits = 16}},
	};

	for (unsigned i = 1; i <= 1000; i++) {
		struct five_tuple t = masks[i % 8].t;

		bed_flow(b, "in_port=%u,udp,tp_dst=%u%s,actions=%s", bed_in_ofport(b), i,
			 masks[i % 8].text, b->scenario->actions);
		t.value.dport = (uint16_t)i;
		bed_remember(b, &t);
	}
}

/* The first 1,000 flows of plain traffic. */
static void make_1000five(struct bed *b)
{
	for (unsigned i = 1; i <= 1000; i++)
		bed_tuple(b, PRIORITY,
			  &(struct five_tuple){
				  {0x0a010002, 0x0a020002, 1024, (uint16_t)i}, 32, 32, 16, 16});
}

static uint32_t prefix(uint32_t value, unsigned bits)
{
	return bits ? value & (uint32_t)(0xffffffffull << (32 - bits)) : 0;
}

/* 64 masks: eight lengths of source prefix, four of destination prefix, destination port with and
 * without source port.  Values are few where the mask is short, so that rules lie one over the
 * other, and plain traffic meets some of each kind. */
static void make_x64(struct bed *b)
{
	static const uint8_t src_bits[] = {0, 8, 12, 16, 20, 24, 28, 32},
			     dst_bits[] = {0, 16, 24, 32};
	struct traffic t = {.random = 0x9e3779b97f4a7c15ull};

	while (bed_n_rules(b) < b->rules->n) {
		unsigned mask = b->n_tuples % 64;
		struct five_tuple u = {
			.value.src = 0x0a010000u ^ (traffic_random(&t) & 0x00070fff),
			.value.dst = 0x0a020002u ^ (traffic_random(&t) & 0x00030303),
			.value.sport = (uint16_t)(1024 + traffic_random(&t) % 1024),
			.value.dport = (uint16_t)(1 + traffic_random(&t) % 1000),
			.src_bits = src_bits[mask % 8],
			.dst_bits = dst_bits[mask / 8 % 4],
			.sport_bits = mask / 32 ? 16 : 0,
			.dport_bits = 16,
		};

		u.value.src = prefix(u.value.src, u.src_bits);
		u.value.dst = prefix(u.value.dst, u.dst_bits);
		bed_tuple(b, 1 + traffic_random(&t) % 20, &u);
	}
}

/* What aggregates of the bench have in common. */
static void make_outer1(struct bed *b)
{
	bed_flow(b, "priority=10,outer_dscp=14,actions=%s", b->scenario->actions);
}

/* Outer sources that send nothing, in seven masks, in front of the rule that is met. */
static void make_outer1000x8(struct bed *b)
{
	static const char *const more[] = {"",
					   ",outer_ttl=9",
					   ",outer_ecn=3",
					   ",outer_df=1",
					   ",outer_ttl=9,outer_ecn=3",
					   ",outer_ttl=9,outer_df=1",
					   ",outer_ecn=3,outer_df=1"};

	for (unsigned i = 0; i < 999; i++)
		bed_flow(b, "priority=%u,tun_src=203.0.%u.%u%s,actions=%s", 100 + i, 112 + i / 250,
			 1 + i % 250, more[i % ARRAY_SIZE(more)], b->scenario->actions);
	make_outer1(b);
}

/* What the scenario's set holds is dropped. */
static void make_set(struct bed *b)
{
	bed_flow(b, "priority=10,ip,nw_src=@blocked,actions=drop");
	bed_flow(b, "priority=1,actions=%s", b->scenario->actions);
}

const struct ruleset rulesets[] = {
	{"none", 0, 0, "no rules", make_none},
	{"1", 1, 1, "one rule: the input port", make_1},
	{"3", 4, 4, "a source address; a destination port; a source port; all else", make_3},
	{"1000x8", 1000, 8, "1,000 destination ports in 8 masks", make_1000x8},
	{"1000five", 1000, 1, "1,000 five-tuples", make_1000five},
	{"10000x64", 10000, 64, "10,000 rules over addresses and ports in 64 masks", make_x64},
	{"100000x64", 100000, 64, "100,000 of them", make_x64},
	{"outer1", 1, 1, "one rule on the outer DSCP", make_outer1},
	{"outer1000x8", 1000, 8, "999 rules on outer sources in 7 masks, and that one",
	 make_outer1000x8},
	{"set", 2, 2, "one rule on a set of sources, and all else", make_set},
	{NULL, 0, 0, NULL, NULL},
};

const struct ruleset *ruleset_by_name(const char *name)
{
	for (const struct ruleset *r = rulesets; r->name; r++)
		if (!strcmp(r->name, name))
			return r;
	bench_die("no rule set is called %s", name);
}
