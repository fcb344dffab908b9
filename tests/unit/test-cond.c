/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges in matches: their text and their one form, what is refused, and how matches with ranges
 * relate: against every value of a field of six bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "datapath/match.h"
#include "datapath/parse.h"
#include "lib/openflow.h"

static int parse(const char *text, struct match *m, struct refusal *r)
{
	char *copy = strdup(text), *rest = copy, *name, *value;
	int more;

	*m = (struct match){0};
	*r = (struct refusal){0};
	while ((more = match_next_word(&rest, &name, &value, r)) > 0) {
		int error = match_parse_word(m, name, value, r);

		if (error) {
			free(copy);
			return error;
		}
	}
	free(copy);
	return more ? more : match_finish(m, r);
}

static void reads_as(const char *text, const char *canonical)
{
	struct buf out = {0};
	struct match m, again;
	struct refusal r;

	if (parse(text, &m, &r))
		fail_msg("%s: %s", text, r.text);
	match_format(&m, &out);
	assert_string_equal(buf_text(&out), canonical);
	if (parse(canonical, &again, &r))
		fail_msg("%s: %s", canonical, r.text);
	assert_true(match_equal(&m, &again));
	again = m;
	assert_int_equal(match_finish(&again, &r), 0); /* again does no harm */
	assert_true(match_equal(&m, &again));
	buf_free(&out);
}

static void refused(const char *text, const char *field, const char *accepted)
{
	struct match m;
	struct refusal r;

	if (parse(text, &m, &r) != -EINVAL)
		fail_msg("%s was accepted", text);
	assert_int_equal(r.code, REFUSED_BAD_VALUE);
	assert_string_equal(r.field, field);
	if (!strstr(r.text, accepted))
		fail_msg("%s: %s, without '%s'", text, r.text, accepted);
}

static void one_form(void **state)
{
	(void)state;
	reads_as("pkt_len=64-127", "pkt_len=64-127");
	reads_as("udp,udp_dst=1000-1999", "udp,udp_dst=1000-1999");
	reads_as("tp_dst=1000-1999,udp", "udp,udp_dst=1000-1999");
	reads_as("nw_src=10.0.0.1-10.0.0.3,arp", "arp,arp_spa=10.0.0.1-10.0.0.3");
	reads_as("tcp,tp_src=!80", "tcp,tcp_src=!80");
	reads_as("sctp,sctp_dst=!80-90", "sctp,sctp_dst=!80-90");
	reads_as("ip,ip_ttl=1-5,nw_tos=184", "ip,ip_dscp=46,nw_ttl=1-5");
	reads_as("outer_ttl=250-255,outer_udp_dst=4500-4501",
		 "outer_ttl=250-255,outer_udp_dst=4500-4501");
	reads_as("agg_len=0-200", "agg_len=0-200");
	reads_as("esp_spi=0x100-0x1fe", "esp_spi=0x100-0x1fe");
	/* One value is bits, a block is a mask where there are masks. */
	reads_as("tcp,tcp_dst=80-80", "tcp,tcp_dst=80");
	reads_as("ip,nw_src=10.0.0.0-10.0.0.255", "ip,ipv4_src=10.0.0.0/24");
	reads_as("ip,nw_src=10.0.0.1-10.0.0.9", "ip,ipv4_src=10.0.0.1-10.0.0.9");
	reads_as("ip,nw_src=!10.0.0.0/8", "ip,ipv4_src=!10.0.0.0-10.255.255.255");
	reads_as("ip,nw_dst=!10.0.0.1", "ip,ipv4_dst=!10.0.0.1");
	/* What is excluded at an end is a range. */
	reads_as("tcp,tcp_dst=!0-1023", "tcp,tcp_dst=1024-65535");
	reads_as("tcp,tcp_dst=!65535", "tcp,tcp_dst=0-65534");
	reads_as("pkt_len=!0-99", "pkt_len=100-65597");
	reads_as("pkt_len=100-9999999", "pkt_len=100-65597");
	/* Several say one thing. */
	reads_as("tcp,tcp_dst=1-100,tcp_dst=50-200", "tcp,tcp_dst=50-100");
	reads_as("tcp,tcp_dst=!1-100,tcp_dst=!101-200", "tcp,tcp_dst=!1-200");
	reads_as("tcp,tcp_dst=80,tcp_dst=1-100,tcp_dst=!81", "tcp,tcp_dst=80");
	reads_as("tcp,tcp_dst=10-20,tcp_dst=!10-18", "tcp,tcp_dst=19-20");
	reads_as("tcp,tcp_dst=10-20,tcp_dst=!11-20", "tcp,tcp_dst=10");
	/* VLANs of a range are tags that are there. */
	reads_as("dl_vlan=100-200", "vlan_vid=0x1000/0x1000,vlan_vid=0x1064-0x10c8");
	reads_as("dl_vlan=!5", "vlan_vid=0x1000/0x1000,vlan_vid=!0x1005");
	reads_as("dl_vlan=7-7", "vlan_vid=0x1007");
	reads_as("outer_vlan_vid=0x1001-0x1003", "outer_vlan_vid=0x1001-0x1003");
	reads_as("ip,ip_proto=!6", "ip,ip_proto=!6");
}

static void what_cannot_be_is_refused(void **state)
{
	struct match m;
	struct refusal r;

	(void)state;
	refused("pkt_len=99971", "pkt_len", "up to 65597 would be accepted");
	refused("pkt_len=70000-80000", "pkt_len", "to 65597 would be accepted");
	refused("agg_len=65576", "agg_len", "up to 65575");
	refused("tcp,tcp_dst=20-10", "tcp_dst", "LO-HI within 0 to 65535");
	refused("tcp,tcp_dst=10-70000", "tcp_dst", "LO-HI within 0 to 65535");
	refused("tcp,tcp_dst=10-", "tcp_dst", "LO-HI");
	refused("tcp,tcp_dst=-10", "tcp_dst", "LO-HI");
	refused("tcp,tcp_dst=a-b", "tcp_dst", "LO-HI");
	refused("tcp,tcp_dst=!http", "tcp_dst", "!VALUE, !LO-HI");
	refused("tcp,tcp_dst=0-65535", "tcp_dst", "leaving it out");
	refused("tcp,tcp_dst=!0-65535", "tcp_dst", "a smaller range");
	refused("tcp,tcp_dst=80,tcp_dst=100-200", "tcp_dst", "ranges that share one");
	refused("tcp,tcp_dst=80,tcp_dst=!80", "tcp_dst", "ranges that share one");
	refused("tcp,tcp_dst=1-9,tcp_dst=10-20", "tcp_dst", "ranges that share one");
	refused("tcp,tcp_dst=10-20,tcp_dst=!5-15,tcp_dst=!16-30", "tcp_dst",
		"ranges that share one");
	refused("ip,nw_src=10.0.0.0/8,nw_src=11.0.0.1-11.0.0.9", "ipv4_src",
		"ranges that share one");
	refused("ip,nw_src=10.0.0.9-10.0.0.1", "ipv4_src", "LO-HI within 0.0.0.0 to");
	refused("dl_vlan=9-4096", "dl_vlan", "LO-HI within 0 to 4095");
	refused("dl_vlan=0xffff,dl_vlan=1-2", "vlan_vid", "ranges that share one");
	refused("in_port=!5", "in_port", "a value would be accepted");
	refused("tcp,tcp_flags=!2", "tcp_flags", "a value would be accepted");
	refused("conn_auth=2", "conn_auth", "up to 1");
	refused("outer_ip_version=5", "outer_ip_version", "one of them");
	refused("outer_ip_version=6,outer_ipv4_src=10.0.0.1", "outer_ip_version", "one of them");
	refused("outer_df=1,outer_flabel=1", "outer_ip_version", "one of them");
	refused("ip,ip_frag=2/3", "ip_frag", "later or not_later");
	refused("tcp,tcp_dst=80,ip_frag=later", "ip_frag", "not_later");
	refused("udp6,udp_dst=1-9,ip_frag=later", "ip_frag", "not_later");
	refused("icmp,icmp_type=0,ip_frag=later", "ip_frag", "not_later");
	assert_int_equal(parse("tcp_dst=1-9", &m, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_BAD_PREREQ);
	assert_int_equal(parse("tcp,tcp_dst=!1,tcp_dst=!3,tcp_dst=!5,tcp_dst=!7,tcp_dst=!9,"
			       "tcp_dst=!11,tcp_dst=!13,tcp_dst=!15,tcp_dst=!17",
			       &m, &r),
			 -EINVAL);
	assert_int_equal(parse("bpf=\"ip", &m, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_SYNTAX);
}

/* ---- Fragments ----------------------------------------------------------------------------- */

static bool frame_hits(const char *text, const uint8_t *frame, size_t size)
{
	struct headers h = {.data = frame, .size = (uint32_t)size, .whole = (uint32_t)size};
	struct outer_key outer = {0};
	struct du_key du = {0};
	struct key_view view = key_view_of(&du, &outer);
	struct refusal r;
	struct match m;

	headers_parse(&h, HEADERS_ETHERNET, &du);
	if (parse(text, &m, &r))
		fail_msg("%s: %s", text, r.text);
	return match_hits(&m, &view);
}

/* What a transport header would say is not known of a later fragment, nor of one that is cut short:
 * zeros are not its values. */
static void a_later_fragment_has_no_ports(void **state)
{
	static const char *const transport[] = {
		"tcp_dst=0", "tcp_dst=0-1023", "tcp_dst=!80",
		"tcp_src=0", "tcp_flags=-syn", "tcp_flags=0/0xfff",
	};
	uint8_t f[14 + 40 + 8 + 20];

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned part = 0; part < 4; part++) {
			/* Whole, first, later, cut short.  Ports 80, flags ACK. */
			size_t at = v6 ? 54 : 34, size;
			char text[80];

			memset(f, 0, sizeof f);
			put_be16(f + 12, v6 ? 0x86dd : 0x0800);
			f[14] = v6 ? 0x60 : 0x45;
			f[v6 ? 20 : 23] = 6;
			if (v6 && (part == 1 || part == 2)) {
				f[20] = 44;
				f[at] = 6;
				put_be16(f + at + 2, part == 1 ? 1 : 80);
				at += 8;
			} else if (!v6) {
				put_be16(f + 20, part == 1 ? 0x2000 : part == 2 ? 10 : 0);
			}
			put_be16(f + at, 80);
			put_be16(f + at + 2, 80);
			f[at + 12] = 0x50;
			f[at + 13] = 0x10;
			size = at + (part == 3 ? 4 : 20);
			put_be16(f + (v6 ? 18 : 16), (uint16_t)(size - (v6 ? 54 : 14)));
			for (unsigned i = 0; i < ARRAY_SIZE(transport); i++) {
				snprintf(text, sizeof text, "tcp%s,%s", v6 ? "6" : "",
					 transport[i]);
				assert_true(frame_hits(text, f, size) ==
					    (part < 2 && (i == 1 || i == 4)));
			}
			snprintf(text, sizeof text, "tcp%s,tcp_dst=79-81,tcp_flags=+ack-syn",
				 v6 ? "6" : "");
			assert_true(frame_hits(text, f, size) == (part < 2));
			assert_true(frame_hits(v6 ? "tcp6" : "tcp", f, size));
			snprintf(text, sizeof text, "%s,ip_frag=%s", v6 ? "ipv6" : "ip",
				 part == 1   ? "first"
				 : part == 2 ? "later"
					     : "no");
			assert_true(frame_hits(text, f, size));
			snprintf(text, sizeof text, "%s,ip_frag=not_later", v6 ? "ipv6" : "ip");
			assert_true(frame_hits(text, f, size) == (part != 2));
			snprintf(text, sizeof text, "%s,ip_frag=yes", v6 ? "ipv6" : "ip");
			assert_true(frame_hits(text, f, size) == (part == 1 || part == 2));
		}
}

/* ---- Against every value ------------------------------------------------------------------- */

enum { VALUES = 64 };

struct said {
	struct match match;
	bool allows[VALUES];
	bool masked;
};

/* A few words about outer_dscp, and what they say of each value by themselves.  False: nothing is
 * left, and the match was refused. */
static bool random_said(struct said *s)
{
	char text[256] = "";
	bool any = false;
	struct refusal r;
	size_t at = 0;

	s->masked = random() % 3 == 0;
	for (unsigned v = 0; v < VALUES; v++)
		s->allows[v] = true;
	if (s->masked) {
		unsigned mask = (unsigned)random() % 64, value = (unsigned)random() & mask;

		at += (size_t)snprintf(text, sizeof text, "outer_dscp=%u/%u,", value, mask);
		for (unsigned v = 0; v < VALUES; v++)
			s->allows[v] &= (v & mask) == value;
	}
	for (unsigned n = (unsigned)random() % 4; n--;) {
		unsigned lo = (unsigned)random() % 64, hi = lo + (unsigned)random() % (64 - lo);
		bool negated = random() % 2;

		if (!lo && hi == 63)
			continue;
		at += (size_t)snprintf(text + at, sizeof text - at, "outer_dscp=%s%u-%u,",
				       negated ? "!" : "", lo, hi);
		for (unsigned v = 0; v < VALUES; v++)
			s->allows[v] &= (v >= lo && v <= hi) != negated;
	}
	for (unsigned v = 0; v < VALUES; v++)
		any |= s->allows[v];
	if (parse(text, &s->match, &r) == 0)
		return true;
	if (any && r.code != REFUSED_DUP_FIELD)
		fail_msg("%s: %s", text, r.text);
	return false;
}

static bool hits(const struct match *m, unsigned dscp)
{
	struct outer_key outer = {.has = htobe32(HAS_CONN), .ip_dscp = (uint8_t)dscp};
	struct du_key du = {0};
	struct key_view view = key_view_of(&du, &outer);

	return match_hits(m, &view);
}

static void check_pair(const struct said *a, const struct said *b)
{
	bool within = true, meet = false, same = true;

	for (unsigned v = 0; v < VALUES; v++) {
		within &= a->allows[v] || !b->allows[v];
		meet |= a->allows[v] && b->allows[v];
		same &= a->allows[v] == b->allows[v];
	}
	assert_true(match_overlaps(&a->match, &b->match) == match_overlaps(&b->match, &a->match));
	if (match_covers(&a->match, &b->match))
		assert_true(within);
	if (!match_overlaps(&a->match, &b->match))
		assert_false(meet);
	if (match_equal(&a->match, &b->match))
		assert_true(same);
	if (a->masked || b->masked)
		return;
	/* Of ranges alone nothing is left open. */
	assert_true(match_covers(&a->match, &b->match) ==
		    (within && (b->match.mask.outer.has || !a->match.mask.outer.has)));
	assert_true(match_overlaps(&a->match, &b->match) == meet);
	if (a->match.mask.outer.has && b->match.mask.outer.has)
		assert_true(match_equal(&a->match, &b->match) == same);
}

static void relations_agree_with_every_value(void **state)
{
	struct said a, b;
	unsigned n = 0;

	(void)state;
	srandom(3);
	for (unsigned i = 0; i < 60000; i++) {
		if (!random_said(&a))
			continue;
		for (unsigned v = 0; v < VALUES; v++)
			if (hits(&a.match, v) != a.allows[v])
				fail_msg("value %u", v);
		if (!random_said(&b))
			continue;
		check_pair(&a, &b);
		n++;
	}
	assert_true(n > 10000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_form),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(a_later_fragment_has_no_ports),
		cmocka_unit_test(relations_agree_with_every_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
