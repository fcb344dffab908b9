/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: for each shape of attack the match that an operator would write, and for random ones
 * never more than the attack, and an estimate that is true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/watch-bed.h"
#include "utilities/watch/classify.h"
#include "utilities/watch/decide.h"
#include "utilities/watch/recent.h"

enum { TARGET = 0x0a090002, PEER = 0x0a010002, SITE = 0x0a020002, FIRST_S = 100, NOW_S = 102 };
enum { CLEAN_CONN = 12, INFECTED_CONN = 13, NET = 1 };

/* Makes one sample at `ns`. */
typedef void (*make_fn)(struct watch_sample *s, uint64_t ns);

static void by_conn(struct watch_sample *s, uint32_t conn, uint32_t outer_src, uint8_t dscp)
{
	s->collected = true;
	s->key.du.in_port = htobe32(conn);
	s->key.outer.has = htobe32(HAS_CONN | HAS_IPV4 | HAS_ESP | HAS_AGG);
	s->key.outer.in_port = htobe32(NET);
	s->key.outer.conn_id = htobe32(conn);
	s->key.outer.ip_version = 4;
	s->key.outer.ip_dscp = dscp;
	s->key.outer.ip_ttl = 63;
	put_be32(&s->key.outer.ipv4_src, outer_src);
	put_be32(&s->key.outer.ipv4_dst, 0xcb007101);
	s->key.outer.esp_spi = htobe32(0x1000 + conn);
}

static void of_length(struct watch_sample *s, uint32_t length)
{
	s->length = length;
	s->octets = s->packets * length;
	s->key.du.pkt_len = htobe32(length);
	s->key.du.ip_ttl = 61;
}

/* What A does: bulk TCP both ways of a request, from its own connection. */
static void lawful_tcp(struct watch_sample *s, uint64_t ns)
{
	unsigned what = rnd() % 100;

	*s = bed_tcp(ns, PEER + rnd() % 40, TARGET, what < 3 ? 2 : 16);
	s->key.du.tp_src = htobe16((uint16_t)(32768 + rnd() % 20000));
	by_conn(s, 11, 0xc633640b, 0);
	of_length(s, what < 3 ? 60 : what < 40 ? 52 : 1452);
}

static void lawful_stream(struct watch_sample *s, uint64_t ns)
{
	*s = bed_udp(ns, SITE, TARGET, 6202u << 16 | 5202);
	by_conn(s, CLEAN_CONN, 0xc633640c, 0);
	of_length(s, 1228);
}

static void lawful_dns(struct watch_sample *s, uint64_t ns)
{
	*s = bed_udp(ns, 0x08080800 | rnd() % 4, TARGET, 53u << 16 | (20000 + rnd() % 20000));
	by_conn(s, 11, 0xc633640b, 0);
	of_length(s, 80 + rnd() % 300);
}

static void lawful(struct watch_sample *s, uint64_t ns)
{
	unsigned what = rnd() % 100;

	(what < 70 ? lawful_tcp : what < 98 ? lawful_stream : lawful_dns)(s, ns);
}

/* ---- Attacks ----------------------------------------------------------------------------- */

/* The demo's: what the infected site sends is the clean site's stream to the octet. */
static void twin_site(struct watch_sample *s, uint64_t ns)
{
	lawful_stream(s, ns);
	by_conn(s, INFECTED_CONN, 0xc633640d, 14);
}

static void syn_flood(struct watch_sample *s, uint64_t ns)
{
	*s = bed_tcp(ns, rnd(), TARGET, 2);
	by_conn(s, 11, 0xc633640b, 0);
	s->key.du.tp_src = htobe16((uint16_t)rnd());
	of_length(s, 40);
	s->key.du.ip_ttl = (uint8_t)(32 + rnd() % 200);
}

static void amplification(struct watch_sample *s, uint64_t ns)
{
	*s = bed_udp(ns, rnd(), TARGET, 123u << 16 | (rnd() & 0xffff));
	by_conn(s, 11, 0xc633640b, 0);
	of_length(s, 468);
	s->key.du.ip_ttl = (uint8_t)(32 + rnd() % 200);
}

/* NTP's answers of any length, said to be "other": protocol and port are found. */
static void any_answers(struct watch_sample *s, uint64_t ns)
{
	amplification(s, ns);
	of_length(s, 60 + rnd() % 1300);
	s->key.du.ip_ttl = (uint8_t)rnd();
}

static void random_udp(struct watch_sample *s, uint64_t ns)
{
	*s = bed_udp(ns, rnd(), TARGET, rnd());
	of_length(s, 60 + rnd() % 1300);
	s->key.du.ip_ttl = (uint8_t)(32 + rnd() % 200);
}

static void one_source(struct watch_sample *s, uint64_t ns)
{
	*s = bed_udp(ns, 0xc0a80107, TARGET, rnd());
	of_length(s, 60 + rnd() % 1300);
}

static void one_network(struct watch_sample *s, uint64_t ns)
{
	*s = bed_udp(ns, 0xc0a80100 | rnd() % 256, TARGET, rnd());
	of_length(s, 60 + rnd() % 1300);
}

static void carpet(struct watch_sample *s, uint64_t ns)
{
	*s = bed_udp(ns, rnd(), (TARGET & ~0xffu) | rnd() % 256, 11211u << 16 | (rnd() & 0xffff));
	of_length(s, 1400);
}

static void icmp_flood(struct watch_sample *s, uint64_t ns)
{
	*s = bed_sample(ns, rnd(), TARGET, 1);
	s->key.du.icmp_type = 8;
	of_length(s, 84);
}

static void fragments(struct watch_sample *s, uint64_t ns)
{
	*s = bed_sample(ns, rnd(), TARGET, 17);
	s->key.du.ip_frag = IP_FRAG_ANY | IP_FRAG_LATER;
	of_length(s, 1500);
}

/* ---- The bed ----------------------------------------------------------------------------- */

static struct recent *recent;

/* `per_s` samples a second of [from_s, to_s). */
static void feed(make_fn make, double from_s, double to_s, double per_s)
{
	for (double at = from_s; at < to_s; at += 1 / per_s) {
		struct watch_sample s;

		make(&s, (uint64_t)(at * NSEC_PER_SEC));
		recent_sample(recent, &s);
	}
}

static struct attack attack_of(unsigned kind, const char *target, uint32_t word)
{
	struct attack a = {
		.kind = (uint8_t)kind, .first_ns = FIRST_S * NSEC_PER_SEC, .answered = -1};

	assert_true(target_parse(target, &a.target));
	target_match(&a.target, &a.match);
	class_match(kind, word, &a.match);
	return a;
}

/* A hundred seconds of the lawful, then two of both. */
static struct profile profile_of(make_fn make, const struct attack *a)
{
	struct profile p;

	recent = recent_create();
	recent_tick(recent, 0);
	feed(lawful, 0, FIRST_S, 30);
	for (double at = FIRST_S; at < NOW_S; at += .25) {
		feed(lawful, at, at + .25, 30);
		feed(make, at, at + .25, 200);
	}
	recent_tick(recent, NOW_S * NSEC_PER_SEC);
	profile_make(recent, a, &p);
	recent_free(recent);
	return p;
}

static const char *text_of(const struct match *m)
{
	static char text[400];
	struct buf b = {0};

	match_format(m, &b);
	snprintf(text, sizeof text, "%s", buf_text(&b));
	buf_free(&b);
	return text;
}

/* The text says the same match. */
static void reads_back(const struct match *m)
{
	char text[400], *at = text, *word;
	struct match back = {0};

	snprintf(text, sizeof text, "%s", text_of(m));
	while ((word = strsep(&at, ",")) && *word) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		assert_int_equal(match_parse_word(&back, word, value, NULL), 0);
	}
	assert_int_equal(match_finish(&back, NULL), 0);
	assert_true(match_equal(&back, m));
}

/* What the match hits of a thousand fresh ones. */
static double share_hit(const struct match *m, make_fn make)
{
	unsigned hit = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct watch_sample s;
		struct key_view view = key_view_of(&s.key.du, &s.key.outer);

		make(&s, 0);
		hit += match_hits(m, &view);
	}
	return hit / 1000.0;
}

/* ---- Shapes ------------------------------------------------------------------------------ */

static void every_shape_has_its_match(void **state)
{
	static const struct shape {
		make_fn make;
		unsigned kind;
		const char *target;
		uint32_t word;
		const char *match;
	} shapes[] = {
		{twin_site, ATTACK_UDP, "10.9.0.2", 17 << 16, "in_port=13,udp,nw_dst=10.9.0.2"},
		{syn_flood, ATTACK_SYN, "10.9.0.2", 6 << 16,
		 "tcp,nw_dst=10.9.0.2,tcp_flags=+syn-ack,pkt_len=40"},
		{amplification, ATTACK_AMPLIFICATION, "10.9.0.2", 17 << 16 | 123,
		 "udp,nw_dst=10.9.0.2,tp_src=123"},
		{amplification, ATTACK_AMPLIFICATION, "10.9.0.2", 17 << 16,
		 "udp,nw_dst=10.9.0.2,tp_src=123"},
		{any_answers, ATTACK_OTHER, "10.9.0.2", 0, "udp,nw_dst=10.9.0.2,tp_src=123"},
		{random_udp, ATTACK_UDP, "10.9.0.2", 17 << 16, "in_port=1,udp,nw_dst=10.9.0.2"},
		{carpet, ATTACK_UDP, "10.9.0.0/24", 17 << 16, "in_port=1,udp,nw_dst=10.9.0.0/24"},
		{icmp_flood, ATTACK_ICMP, "10.9.0.2", 1 << 16, "icmp,nw_dst=10.9.0.2"},
		{one_source, ATTACK_UDP, "10.9.0.2", 17 << 16, NULL},
		{one_network, ATTACK_UDP, "10.9.0.2", 17 << 16, NULL},
		{fragments, ATTACK_FRAGMENT, "10.9.0.2", 17 << 16,
		 "ip,nw_dst=10.9.0.2,ip_frag=later"},
		{twin_site, ATTACK_UDP, "conn:13", 17 << 16, "in_port=13,udp"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct shape *s = &shapes[i];
		struct attack a = attack_of(s->kind, s->target, s->word);
		struct profile p = profile_of(s->make, &a);
		struct match want = s->match ? (struct match){0} : p.match;
		char text[200], *at = text, *word;

		snprintf(text, sizeof text, "%s", s->match ? s->match : "");
		while (s->match && (word = strsep(&at, ","))) {
			char *value = strchr(word, '=');

			if (value)
				*value++ = '\0';
			assert_int_equal(match_parse_word(&want, word, value, NULL), 0);
		}
		assert_int_equal(match_finish(&want, NULL), 0);
		if (!match_equal(&want, &p.match))
			fail_msg("shape %u: %s, not %s (covers %.2f, costs %.4f)", i,
				 text_of(&p.match), s->match, p.covers, p.collateral);
		assert_true(match_covers(&a.match, &p.match));
		reads_back(&p.match);
		assert_true(p.covers > 0.95);
		assert_true(p.collateral < 0.01);
		assert_true(share_hit(&p.match, s->make) > 0.95);
		assert_true(share_hit(&p.match, lawful) < 0.01);
		assert_true(p.n_attack >= 50);
		/* An idle connection has nobody else on it. */
		assert_true(p.n_before > 1000 || a.target.kind == TARGET_CONN);
	}
}

/* Half of it where nobody else is, half among the clean site's own. */
static void two_places(struct watch_sample *s, uint64_t ns)
{
	lawful_stream(s, ns);
	if (rnd() % 2)
		by_conn(s, INFECTED_CONN, 0xc633640c, 0);
}

static void stream_of_two_lengths(struct watch_sample *s, uint64_t ns)
{
	lawful_stream(s, ns);
	if (rnd() % 2)
		of_length(s, 600);
}

/* The length helps at first, and is needless once the connection is said. */
static void what_became_needless_goes(void **state)
{
	struct attack a = attack_of(ATTACK_UDP, "10.9.0.2", 17 << 16);
	struct profile p;

	(void)state;
	recent = recent_create();
	recent_tick(recent, 0);
	feed(stream_of_two_lengths, 0, NOW_S, 30);
	feed(two_places, FIRST_S, NOW_S, 300);
	profile_make(recent, &a, &p);
	recent_free(recent);
	assert_string_equal(text_of(&p.match), "udp,in_port=13,ipv4_dst=10.9.0.2");
	assert_int_equal(p.n_fields, 1);
	assert_true(p.covers > .4 && p.covers < .6);
}

/* Three lawful packets for each of the attack: its samples are mostly not its own. */
static void a_small_attack_among_much_is_covered(void **state)
{
	struct attack a = attack_of(ATTACK_UDP, "10.9.0.2", 17 << 16);
	struct profile p;

	(void)state;
	recent = recent_create();
	recent_tick(recent, 0);
	feed(lawful_stream, 0, NOW_S, 150);
	feed(twin_site, FIRST_S, NOW_S, 50);
	profile_make(recent, &a, &p);
	recent_free(recent);
	assert_string_equal(text_of(&p.match), "udp,in_port=13,ipv4_dst=10.9.0.2");
	assert_true(p.covers > .95);
}

static void much_tcp_and_two_streams(struct watch_sample *s, uint64_t ns)
{
	unsigned what = rnd() % 100;

	(what < 85 ? lawful_tcp : lawful_stream)(s, ns);
	if (what >= 90)
		by_conn(s, 15, 0xc633640f, 0);
}

static void scattered(struct watch_sample *s, uint64_t ns)
{
	random_udp(s, ns);
	by_conn(s, 11 + rnd() % 5, rnd(), (uint8_t)(rnd() % 64));
}

/* Most of the samples by the clean site's connection are its own: to hit them covers nothing. */
static void what_was_there_before_covers_nothing(void **state)
{
	struct attack a = attack_of(ATTACK_UDP, "10.9.0.2", 17 << 16);
	struct profile p;

	(void)state;
	recent = recent_create();
	recent_tick(recent, 0);
	feed(much_tcp_and_two_streams, 0, NOW_S, 600);
	feed(scattered, FIRST_S, NOW_S, 40);
	profile_make(recent, &a, &p);
	recent_free(recent);
	if (share_hit(&p.match, scattered) < .9)
		fail_msg("%s covers %.2f, costs %.3f", text_of(&p.match), p.covers, p.collateral);
}

/* ---- Properties -------------------------------------------------------------------------- */

/* A lawful and an attacking population, each a random few fields' worth apart. */
static struct watch_sample pattern[2];
static uint32_t noise[2]; /* which fields are not the pattern's but any */

static void of_pattern(struct watch_sample *s, uint64_t ns, unsigned which)
{
	*s = pattern[which];
	s->ns = ns;
	if (noise[which] & 1)
		put_be32(s->key.du.ip_src, rnd());
	if (noise[which] & 2)
		s->key.du.tp_src = htobe16((uint16_t)rnd());
	if (noise[which] & 4)
		s->key.du.tp_dst = htobe16((uint16_t)rnd());
	if (noise[which] & 8)
		of_length(s, 60 + rnd() % 1400);
	if (noise[which] & 16)
		s->key.du.ip_ttl = (uint8_t)rnd();
	if (noise[which] & 32)
		s->key.du.in_port = htobe32(1 + rnd() % 5);
}

static void random_lawful(struct watch_sample *s, uint64_t ns)
{
	/* Some of what is lawful looks like the attack: that is what collateral is. */
	of_pattern(s, ns, rnd() % 8 == 0 && noise[0] & 64);
}

static void random_attack(struct watch_sample *s, uint64_t ns)
{
	of_pattern(s, ns, 1);
}

static void random_pattern(unsigned which)
{
	struct watch_sample *s = &pattern[which];

	noise[which] = rnd();
	*s = bed_udp(0, 0x0a020000 + rnd() % 3, TARGET, (rnd() % 3) << 16 | (5000 + rnd() % 2));
	by_conn(s, 11 + rnd() % 2, 0xc633640b + rnd() % 2, (uint8_t)(rnd() % 2));
	of_length(s, 400 + rnd() % 2 * 800);
}

static void estimates_are_true_and_rules_narrow(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		struct attack a = attack_of(ATTACK_UDP, "10.9.0.2", 17 << 16);
		struct profile p;
		double cost, covers;

		random_pattern(0);
		random_pattern(1);
		recent = recent_create();
		recent_tick(recent, 0);
		feed(random_lawful, 0, FIRST_S, 30);
		feed(random_lawful, FIRST_S, NOW_S, 30);
		feed(random_attack, FIRST_S, NOW_S, 150);
		recent_tick(recent, NOW_S * NSEC_PER_SEC);
		profile_make(recent, &a, &p);
		recent_free(recent);
		assert_true(match_covers(&a.match, &p.match));
		reads_back(&p.match);
		cost = share_hit(&p.match, random_lawful);
		covers = share_hit(&p.match, random_attack);
		/* Three standard deviations of a thousand, and of what it stood on. */
		if (cost > p.collateral + .06 || cost < p.collateral - .06)
			fail_msg("mix %u: %s costs %.3f, and was thought to cost %.3f", i,
				 text_of(&p.match), cost, p.collateral);
		if (covers > p.covers + .12 || covers < p.covers - .12)
			fail_msg("mix %u: %s covers %.3f, and was thought to cover %.3f", i,
				 text_of(&p.match), covers, p.covers);
	}
}

/* Any attack's match, any samples: what comes out is within it, and has its prerequisites. */
static void no_sample_widens_a_match(void **state)
{
	static const char *const targets[] = {"10.9.0.2",      "10.9.0.0/24", "2001:db8::1",
					      "2001:db8::/64", "conn:12",     "port:1"};

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		unsigned kind = rnd() % N_ATTACKS;
		const char *target = targets[rnd() % ARRAY_SIZE(targets)];
		struct attack a = attack_of(
			kind, target,
			rnd() % 2 ? 0
				  : class_word(strchr(target, '/') == NULL && rnd() % 2, 17, 53));
		struct profile p;

		recent = recent_create();
		for (unsigned j = 0; j < 400; j++) {
			struct watch_sample s =
				bed_sample(j * (NOW_S * NSEC_PER_SEC / 400), 0, TARGET, 17);

			for (unsigned k = 0; k < 40; k++)
				((uint8_t *)&s.key)[rnd() % sizeof s.key] = (uint8_t)rnd();
			/* Most of them to the target, so that there is something to choose from. */
			for (unsigned k = 0; k < sizeof s.key && rnd() % 8; k++)
				((uint8_t *)&s.key)[k] =
					(((uint8_t *)&s.key)[k] & ~((uint8_t *)&a.match.mask)[k]) |
					((uint8_t *)&a.match.value)[k];
			s.key.outer.has &= htobe32(2047);
			recent_sample(recent, &s);
		}
		profile_make(recent, &a, &p);
		recent_free(recent);
		assert_true(match_covers(&a.match, &p.match));
		reads_back(&p.match);
	}
}

/* ---- Memory ------------------------------------------------------------------------------ */

/* A flood of a million samples displaces the ring, not the picture of the time before. */
static void an_attack_does_not_displace_what_was_before(void **state)
{
	struct attack a = attack_of(ATTACK_UDP, "10.9.0.2", 17 << 16);
	struct profile p;

	(void)state;
	recent = recent_create();
	recent_tick(recent, 0);
	feed(lawful, 0, FIRST_S, 30);
	feed(twin_site, FIRST_S, FIRST_S + 60, 5000);
	profile_make(recent, &a, &p);
	assert_true(p.n_before >= 64);
	assert_true(p.before_s > 50 && p.before_s < 100);
	assert_true(p.covers > .95 && p.collateral < .01);
	assert_string_equal(text_of(&p.match), "udp,in_port=13,ipv4_dst=10.9.0.2");
	recent_free(recent);
}

struct sum {
	struct recent_query query;
	double packets;
};

static void add_packets(struct recent_query *q, const struct watch_sample *s, double packets)
{
	(void)s;
	container_of(q, struct sum, query)->packets += packets;
}

/* What is kept stands for all that came, of busy targets and of idle ones. */
static void the_picture_keeps_its_proportions(void **state)
{
	static const double per_s[] = {2000, 20};
	struct match target;
	struct attack a;

	(void)state;
	recent = recent_create();
	for (double at = 0; at < 60; at += 1)
		for (unsigned i = 0; i < 2; i++)
			for (double k = 0; k < per_s[i]; k++) {
				struct watch_sample s =
					bed_udp((uint64_t)((at + k / per_s[i]) * NSEC_PER_SEC),
						SITE, TARGET + i, 1);

				recent_sample(recent, &s);
			}
	for (unsigned i = 0; i < 2; i++) {
		struct sum sum = {.query = {.match = &target,
					    .to_ns = 45 * NSEC_PER_SEC,
					    .found = add_packets}};

		a = attack_of(ATTACK_UDP, i ? "10.9.0.3" : "10.9.0.2", 17 << 16);
		target_match(&a.target, &target);
		recent_each(recent, &sum.query);
		assert_true(sum.packets > .95 * 45 * per_s[i] * BED_EVERY);
		assert_true(sum.packets < 1.05 * 45 * per_s[i] * BED_EVERY);
	}
	recent_free(recent);
}

/* The pulse before is no lawful traffic. */
static void what_was_excluded_is_not_lawful(void **state)
{
	struct attack a = attack_of(ATTACK_UDP, "10.9.0.2", 17 << 16);
	struct match target;
	struct profile with, without;

	(void)state;
	recent = recent_create();
	recent_tick(recent, 0);
	feed(lawful, 0, FIRST_S, 30);
	feed(twin_site, 20, 40, 100);
	feed(twin_site, FIRST_S, NOW_S, 200);
	profile_make(recent, &a, &with);
	target_match(&a.target, &target);
	recent_exclude(recent, &target, 20 * NSEC_PER_SEC, 30 * NSEC_PER_SEC);
	recent_exclude(recent, &target, 20 * NSEC_PER_SEC, 41 * NSEC_PER_SEC);
	recent_exclude(recent, &target, 35 * NSEC_PER_SEC, 40 * NSEC_PER_SEC);
	recent_exclude(recent, &target, 10 * NSEC_PER_SEC, 21 * NSEC_PER_SEC);
	assert_int_equal(recent_lawful_ns(recent, &target, 0, 100 * NSEC_PER_SEC),
			 69 * NSEC_PER_SEC);
	profile_make(recent, &a, &without);
	recent_free(recent);
	assert_true(with.collateral > .2);
	assert_true(without.collateral < .01 && without.covers > .95);
}

static void nothing_known_is_said(void **state)
{
	struct attack a = attack_of(ATTACK_UDP, "10.9.0.2", 17 << 16);
	struct profile p;

	(void)state;
	recent = recent_create();
	profile_make(recent, &a, &p);
	assert_true(match_equal(&p.match, &a.match));
	assert_int_equal(p.n_attack, 0);
	assert_int_equal(p.n_before, 0);
	assert_true(p.before_s == 0 && p.collateral == 0);
	feed(random_udp, FIRST_S, NOW_S, 100);
	profile_make(recent, &a, &p);
	assert_true(match_equal(&p.match, &a.match));
	assert_true(p.covers == 1);
	recent_free(recent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_has_its_match),
		cmocka_unit_test(what_became_needless_goes),
		cmocka_unit_test(a_small_attack_among_much_is_covered),
		cmocka_unit_test(what_was_there_before_covers_nothing),
		cmocka_unit_test(the_picture_keeps_its_proportions),
		cmocka_unit_test(estimates_are_true_and_rules_narrow),
		cmocka_unit_test(no_sample_widens_a_match),
		cmocka_unit_test(an_attack_does_not_displace_what_was_before),
		cmocka_unit_test(what_was_excluded_is_not_lawful),
		cmocka_unit_test(nothing_known_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
