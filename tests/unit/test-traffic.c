/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring: kinds, pairs, what is unasked, who is a target, and the bounds of it all. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/watch-bed.h"
#include "datapath/pkt.h"
#include "utilities/watch/traffic.h"

enum { T = 0x0a090035, S = 0x17000001 };

static struct traffic *t;
static uint64_t now;

static int fresh(void **state)
{
	(void)state;
	t = traffic_create();
	now = 100 * NSEC_PER_SEC;
	return 0;
}

static int gone(void **state)
{
	(void)state;
	traffic_free(t);
	return 0;
}

static void see(struct watch_sample s)
{
	s.ns = now;
	traffic_sample(t, &s);
	now += NSEC_PER_MSEC;
	traffic_tick(t, now);
}

static struct entry *entry(const char *text)
{
	struct target target;
	int slot;

	assert_true(target_parse(text, &target));
	slot = space_saving_find(&t->table[target.kind].heavy, target_hash(&target));
	return slot < 0 ? NULL : &t->table[target.kind].entry[slot];
}

static double unasked(const char *target, unsigned kind)
{
	struct entry *e = entry(target);

	assert_non_null(e);
	return e->now[kind].packets;
}

static void kinds(void **state)
{
	struct watch_sample s = bed_tcp(0, S, T, 2);
	struct class c;

	(void)state;
	assert_true(classify(&s.key, &c) && c.kind == ATTACK_SYN && !c.may_be_asked);
	s.key.du.tcp_flags = htobe16(0x12);
	assert_true(classify(&s.key, &c) && c.kind == ATTACK_OTHER && c.tcp && c.asks <= 0);
	s.key.du.tcp_flags = htobe16(0x10);
	assert_true(classify(&s.key, &c) && c.kind == ATTACK_OTHER && c.asks > 0);
	s = bed_udp(0, S, T, 53u << 16 | 4000);
	assert_true(classify(&s.key, &c) && c.kind == ATTACK_AMPLIFICATION && c.back == ATTACK_UDP);
	s = bed_udp(0, S, T, 4000u << 16 | 11211);
	assert_true(classify(&s.key, &c) && c.kind == ATTACK_UDP && c.back == ATTACK_AMPLIFICATION);
	s.key.du.ip_frag = IP_FRAG_ANY | IP_FRAG_LATER;
	assert_true(classify(&s.key, &c) && c.kind == ATTACK_FRAGMENT);
	s = bed_sample(0, S, T, 1);
	s.key.du.icmp_type = 8;
	assert_true(classify(&s.key, &c) && c.kind == ATTACK_ICMP && c.asks > 0);
	s = bed_sample(0, S, T, 47);
	assert_true(classify(&s.key, &c) && c.kind == ATTACK_OTHER && !c.tcp);
	s.key.du.eth_type = htobe16(0x0806);
	assert_false(classify(&s.key, &c));
}

/* The match of a kind is finished OpenFlow: every kind, both families, and without either. */
static void matches(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < N_ATTACKS; kind++)
		for (unsigned word = 0; word < 4; word++) {
			struct match m = {0};
			struct refusal r;

			class_match(kind, word ? class_word(word & 1, word & 2 ? 17 : 6, 53) : 0,
				    &m);
			assert_int_equal(match_finish(&m, &r), 0);
		}
}

/* Answers that were asked for are not held against their target; others are. */
static void asked_and_unasked(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		see(bed_udp(0, T, S, 4000u << 16 | 53));
		see(bed_udp(0, S, T, 53u << 16 | 4000));
	}
	assert_true(unasked("10.9.0.53", ATTACK_AMPLIFICATION) <= 0);
	for (unsigned i = 0; i < 200; i++)
		see(bed_udp(0, S + 1 + i, T, 123u << 16 | 4000));
	assert_true(unasked("10.9.0.53", ATTACK_AMPLIFICATION) > 150 * BED_EVERY);
}

/* What is asked of one service is no excuse for another's. */
static void services_apart(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 600; i++) {
		see(bed_udp(0, T, S, 4000u << 16 | 53));
		see(bed_udp(0, S, T, 1900u << 16 | 4000));
	}
	assert_true(unasked("10.9.0.53", ATTACK_AMPLIFICATION) > 450 * BED_EVERY);
}

/* A pair's answers are worth so many packets, and no more. */
static void credit_runs_out(void **state)
{
	double before;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		see(bed_udp(0, T, S, 4000u << 16 | 5000));
		see(bed_udp(0, S, T, 5000u << 16 | 4000));
	}
	before = unasked("10.9.0.53", ATTACK_UDP);
	for (unsigned i = 0; i < 2000; i++)
		see(bed_udp(0, S, T, 5000u << 16 | 4000));
	assert_true(before <= 0);
	assert_true(unasked("10.9.0.53", ATTACK_UDP) > 1500 * BED_EVERY);
}

/* A thousand small exchanges, of which rarely both halves are seen. */
static void the_tail(void **state)
{
	double all, left;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		see(bed_udp(0, T, S + rnd() % 100000, 4000u << 16 | 53));
		see(bed_udp(0, S + rnd() % 100000, T, 53u << 16 | 4000));
	}
	all = entry("10.9.0.53")->now[ATTACK_AMPLIFICATION].all;
	left = unasked("10.9.0.53", ATTACK_AMPLIFICATION);
	assert_true(all >= 3000 * BED_EVERY && left < 0.02 * all);
	assert_true(unasked("10.9.0.0/24", ATTACK_AMPLIFICATION) < 0.02 * all);
}

/* A target that answers resets has not asked for what they answer. */
static void resets_ask_for_nothing(void **state)
{
	(void)state;
	/* Somewhere else the way back is seen. */
	for (unsigned i = 0; i < 500; i++) {
		see(bed_tcp(0, T + 1, S, 16));
		see(bed_tcp(0, S, T + 1, 16));
	}
	for (unsigned i = 0; i < 300; i++) {
		see(bed_tcp(0, S + 10 + i, T, 16));
		see(bed_tcp(0, T, S + 10 + i, 4));
	}
	assert_true(unasked("10.9.0.53", ATTACK_OTHER) > 250 * BED_EVERY);
	assert_true(unasked("10.9.0.54", ATTACK_OTHER) < 60 * BED_EVERY);
}

/* Without the way back TCP says nothing. */
static void one_way_tcp(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		see(bed_tcp(0, S, T, 16));
	assert_true(unasked("10.9.0.53", ATTACK_OTHER) <= 0);
}

/* Requests that complete are lawful, those that do not are not. */
static void completed_requests(void **state)
{
	double before;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		see(bed_tcp(0, T, S + i, 16));
		see(bed_tcp(0, S + i, T, 16));
		if (i % 4 == 0)
			see(bed_tcp(0, S + i, T, 2));
	}
	before = unasked("10.9.0.53", ATTACK_SYN);
	assert_true(before < 10 * BED_EVERY);
	for (unsigned i = 0; i < 4000; i++)
		see(bed_tcp(0, rnd(), T, 2));
	assert_true(unasked("10.9.0.53", ATTACK_SYN) > 1000 * BED_EVERY);
}

/* One sample is in its address, prefix and connection or port; what a rule asked for, and what an
 * early verdict ended, in none. */
static void targets(void **state)
{
	struct watch_sample s = bed_udp(0, S, T, 1u << 16 | 2);

	(void)state;
	s.by_rule = true;
	see(s);
	s.by_rule = false;
	s.aggregate = true;
	s.end = END_DROPPED;
	s.reason = DROP_EARLY;
	see(s);
	assert_null(entry("10.9.0.53"));
	s = bed_udp(0, S, T, 1u << 16 | 2);
	see(s);
	s.key.outer.has = htobe32(HAS_CONN);
	s.key.du.in_port = htobe32(77);
	see(s);
	assert_true(unasked("10.9.0.53", ATTACK_UDP) >= BED_EVERY);
	assert_non_null(entry("10.9.0.0/24"));
	assert_non_null(entry("port:1"));
	assert_non_null(entry("conn:77"));
	assert_null(entry("port:77"));
	assert_null(entry("conn:1"));
}

/* More targets than there are entries: the heavy one stays, memory too, and lies about size are
 * cut. */
static void crowds(void **state)
{
	size_t memory = traffic_memory(t);
	struct watch_sample huge = bed_udp(0, S, T + 9, 1);

	(void)state;
	for (unsigned i = 0; i < 400000; i++) {
		see(bed_udp(0, rnd(), 0x0b000000 + rnd() % 10000000, 5));
		if (i % 40 == 0)
			see(bed_udp(0, S, T, 5));
	}
	assert_non_null(entry("10.9.0.53"));
	assert_true(traffic_memory(t) == memory);
	huge.packets = huge.octets = UINT64_MAX;
	huge.length = UINT32_MAX;
	see(huge);
	assert_true(isfinite(unasked("10.9.0.62", ATTACK_UDP)));
	assert_true(entry("10.9.0.62")->now[ATTACK_UDP].octets < 1e12);
}

static void sources_and_totals(void **state)
{
	struct traffic_total total;
	double n;

	(void)state;
	for (unsigned i = 0; i < 2500; i++)
		see(bed_udp(0, S + i % 500, T, 5));
	n = entry_sources(t, entry("10.9.0.53"));
	assert_true(n > 350 && n < 650);
	traffic_total(t, &total);
	assert_true(total.pps > 63000 && total.pps < 65500);
	assert_true(total.top.kind == TARGET_ADDRESS && total.top_bps > 5e8);
	assert_false(total.learned);
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, fresh, gone)
	const struct CMUnitTest tests[] = {
		TEST(kinds),
		TEST(matches),
		TEST(asked_and_unasked),
		TEST(services_apart),
		TEST(credit_runs_out),
		TEST(the_tail),
		TEST(resets_ask_for_nothing),
		TEST(one_way_tcp),
		TEST(completed_requests),
		TEST(targets),
		TEST(crowds),
		TEST(sources_and_totals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
