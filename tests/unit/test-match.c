/* SPDX-License-Identifier: Apache-2.0 */
/* Matches: what is refused, what text means, and that text reads back to the same match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "datapath/match.h"
#include "lib/openflow.h"
#include "random-match.h"

/* Reads `word,name=value,…` and finishes. */
static int parse(const char *text, struct match *m, struct refusal *r)
{
	char *copy = strdup(text), *rest = copy, *word;
	int error = 0;

	*m = (struct match){0};
	*r = (struct refusal){0};
	while (!error && (word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		error = *word ? match_parse_word(m, word, value, r) : 0;
	}
	free(copy);
	return error ? error : match_finish(m, r);
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
	buf_free(&out);
}

static void refused(const char *text, enum refusal_code code, const char *field)
{
	struct match m;
	struct refusal r;

	if (parse(text, &m, &r) != -EINVAL)
		fail_msg("%s was accepted", text);
	if (r.code != code)
		fail_msg("%s: %s: %s", text, refusal_name(r.code), r.text);
	assert_string_equal(r.field, field);
	assert_null(strchr(r.text, '\n'));
}

static void names_are_known(void **state)
{
	(void)state;
	assert_ptr_equal(field_by_name("dl_src"), &fields[FIELD_ETH_SRC]);
	assert_ptr_equal(field_by_name("OXM_OF_IPV4_DST"), &fields[FIELD_IPV4_DST]);
	assert_ptr_equal(field_by_name("NXM_NX_REG3"), &fields[FIELD_REG3]);
	assert_ptr_equal(field_by_name("tun_id"), &fields[FIELD_TUNNEL_ID]);
	assert_ptr_equal(field_by_name("nd_sll"), &fields[FIELD_IPV6_ND_SLL]);
	assert_null(field_by_name("actions"));
	for (unsigned i = 0; i < N_FIELDS; i++)
		assert_ptr_equal(field_by_name(fields[i].name), &fields[i]);
}

static void text_reads_back(void **state)
{
	(void)state;
	reads_as("", "");
	reads_as("ip", "ip");
	reads_as("tcp,nw_src=10.1.2.3/8,tp_dst=80", "tcp,ipv4_src=10.0.0.0/8,tcp_dst=80");
	reads_as("tp_dst=53,nw_dst=10.0.0.1,udp", "udp,ipv4_dst=10.0.0.1,udp_dst=53");
	reads_as("udp_dst=53,ipv6_src=2001:db8::/32", "udp6,udp_dst=53,ipv6_src=2001:db8::/32");
	reads_as("arp,nw_src=10.0.0.1,nw_proto=1", "arp,arp_op=1,arp_spa=10.0.0.1");
	reads_as("nw_src=10.0.0.1,arp", "arp,arp_spa=10.0.0.1");
	reads_as("arp_spa=10.0.0.1", "arp,arp_spa=10.0.0.1");
	reads_as("sctp6,tp_src=7", "sctp6,sctp_src=7");
	reads_as("ip,nw_proto=47", "ip,ip_proto=47");
	reads_as("dl_type=0x88cc", "eth_type=0x88cc");
	reads_as("dl_type=0x800,nw_proto=6,tcp", "tcp");
	reads_as("icmp,icmp_type=8,icmp_code=0", "icmp,icmpv4_type=8,icmpv4_code=0");
	reads_as("icmp6,icmp_type=135", "icmp6,icmpv6_type=135");
	reads_as("nd_sll=00:11:22:33:44:55,nd_target=fe80::1",
		 "icmp6,icmpv6_type=135,ipv6_nd_target=fe80::1,ipv6_nd_sll=00:11:22:33:44:55");
	reads_as("in_port=3", "in_port=3");
	reads_as("in_port=local", "in_port=LOCAL");
	reads_as("in_port=0xfffffffd", "in_port=CONTROLLER");
	reads_as("dl_vlan=5", "vlan_vid=0x1005");
	reads_as("dl_vlan=0xffff", "vlan_vid=0x0");
	reads_as("dl_vlan_pcp=3,dl_vlan=5", "vlan_vid=0x1005,vlan_pcp=3");
	reads_as("dl_vlan=5,dl_vlan_pcp=3", "vlan_vid=0x1005,vlan_pcp=3");
	reads_as("vlan_pcp=3", "vlan_vid=0x1000/0x1000,vlan_pcp=3");
	reads_as("vlan_tci=0x1000/0x1000", "vlan_vid=0x1000/0x1000");
	reads_as("vlan_tci=0xb005", "vlan_vid=0x1005,vlan_pcp=5");
	reads_as("vlan_tci=0", "vlan_vid=0x0");
	reads_as("vlan_vid=0x1005/0x1fff", "vlan_vid=0x1005");
	reads_as("dl_dst=01:00:00:00:00:00/01:00:00:00:00:00",
		 "eth_dst=01:00:00:00:00:00/01:00:00:00:00:00");
	reads_as("ip,nw_tos=184,nw_ecn=1", "ip,ip_dscp=46,ip_ecn=1");
	reads_as("ip,nw_src=10.0.0.1/255.0.0.255", "ip,ipv4_src=10.0.0.1/255.0.0.255");
	reads_as("ip,ip_frag=first", "ip,ip_frag=first");
	reads_as("ip,ip_frag=not_later", "ip,ip_frag=not_later");
	reads_as("tcp,tcp_flags=+syn-ack", "tcp,tcp_flags=0x2/0x12");
	reads_as("metadata=0x5/0xff,reg0=7,tun_id=9", "metadata=0x5/0xff,tunnel_id=0x9,reg0=0x7");
	reads_as("ip,nw_src=0.0.0.0/0", "ip");
	reads_as("mpls,mpls_label=100", "mpls,mpls_label=100");
	reads_as("rarp", "rarp");
}

static void outer_fields_imply_presence(void **state)
{
	struct match m;
	struct refusal r;

	(void)state;
	reads_as("outer_ipv4_src=10.0.0.0/8,outer_dscp=0",
		 "outer_dscp=0,outer_ipv4_src=10.0.0.0/8");
	reads_as("tun_src=10.0.0.1", "tun_src=10.0.0.1");
	/* The same place: once its presence is asked for, the plain name says less. */
	reads_as("tun_dst=10.0.0.1,outer_df=1", "outer_df=1,outer_ipv4_dst=10.0.0.1");
	reads_as("esp_spi=0x100,agg_loss_event_rate=7/0xff,disagree=0x1/0x1",
		 "esp_spi=0x100,agg_loss_event_rate=0x7/0xff,disagree=0x1/0x1");
	reads_as("outer_ipv4_src=0.0.0.0/0", "");
	assert_int_equal(parse("outer_vlan_pcp=0", &m, &r), 0);
	assert_int_equal(be32toh(m.value.outer.has), HAS_VLAN);
	assert_int_equal(be32toh(m.mask.outer.has), HAS_VLAN);
	assert_int_equal(parse("outer_df=0,esp_spi=1,pkt_len=9", &m, &r), 0);
	assert_int_equal(be32toh(m.mask.outer.has), HAS_IPV4 | HAS_ESP);
}

static void refusals(void **state)
{
	struct match m = {0};
	struct refusal r;

	(void)state;
	refused("tcp_dst=80", REFUSED_BAD_PREREQ, "tcp_dst");
	refused("udp_dst=80", REFUSED_BAD_PREREQ, "udp_dst");
	refused("ip,tp_dst=80", REFUSED_BAD_PREREQ, "tcp_dst");
	refused("tp_dst=80", REFUSED_BAD_PREREQ, "tcp_dst");
	refused("nw_src=10.0.0.1", REFUSED_BAD_PREREQ, "ipv4_src");
	refused("ip_dscp=5", REFUSED_BAD_PREREQ, "ip_dscp");
	refused("udp,tcp_dst=80", REFUSED_BAD_PREREQ, "tcp_dst");
	refused("tcp,udp", REFUSED_BAD_PREREQ, "udp");
	refused("ipv6,nw_src=10.0.0.1", REFUSED_BAD_PREREQ, "ipv4_src");
	refused("nw_src=10.0.0.1,ipv6", REFUSED_BAD_PREREQ, "ipv6");
	refused("icmp6,icmpv6_type=128,nd_target=::1", REFUSED_BAD_PREREQ, "ipv6_nd_target");
	refused("icmp6,icmpv6_type=136,nd_sll=00:00:00:00:00:01", REFUSED_BAD_PREREQ,
		"ipv6_nd_sll");
	refused("nd_target=::1,icmpv6_code=1", REFUSED_BAD_PREREQ, "ipv6_nd_target");
	refused("mpls_label=5", REFUSED_BAD_PREREQ, "mpls_label");
	refused("dl_vlan=0xffff,vlan_pcp=1", REFUSED_BAD_PREREQ, "vlan_pcp");
	refused("tcp,tp_dst=80,tcp_dst=81", REFUSED_DUP_FIELD, "tcp_dst");
	refused("in_port=1,in_port=1", REFUSED_DUP_FIELD, "in_port");
	refused("tun_src=10.0.0.1,outer_ipv4_src=10.0.0.1", REFUSED_DUP_FIELD, "outer_ipv4_src");
	refused("ip,ip_dscp=64", REFUSED_BAD_VALUE, "ip_dscp");
	refused("tcp,tp_dst=65536", REFUSED_BAD_VALUE, "tcp_dst");
	refused("tcp,tp_dst=http", REFUSED_BAD_VALUE, "tcp_dst");
	refused("vlan_vid=5", REFUSED_BAD_VALUE, "vlan_vid");
	refused("dl_vlan=4096", REFUSED_BAD_VALUE, "dl_vlan");
	refused("vlan_tci=0x10000", REFUSED_BAD_VALUE, "vlan_tci");
	refused("vlan_tci=0x2000/0x2000", REFUSED_BAD_MASK, "vlan_tci");
	refused("ip,nw_tos=185", REFUSED_BAD_VALUE, "nw_tos");
	refused("ip,nw_src=::1", REFUSED_BAD_VALUE, "ipv4_src");
	refused("ip,nw_src=10.0.0.0/33", REFUSED_BAD_MASK, "ipv4_src");
	refused("dl_src=00:11:22:33:44", REFUSED_BAD_VALUE, "eth_src");
	refused("in_port=eth9", REFUSED_BAD_VALUE, "in_port");
	refused("ip,ip_frag=maybe", REFUSED_BAD_VALUE, "ip_frag");
	refused("eth_type=0x800/0xff00", REFUSED_BAD_MASK, "eth_type");
	refused("in_port", REFUSED_SYNTAX, "in_port");
	refused("dl_vlan=", REFUSED_SYNTAX, "dl_vlan");
	assert_int_equal(parse("idle_timeout=5", &m, &r), -ENOENT);
	assert_int_equal(parse("tcp=5", &m, &r), -ENOENT);
}

static void set_refuses_octets(void **state)
{
	static const uint8_t ten[4] = {10, 1, 0, 0}, eight[4] = {255, 0, 0, 0};
	static const uint8_t wide[4] = {0, 0x10, 0, 0}, vid[2] = {0, 5}, type[2] = {8, 0};
	struct match m = {0};
	struct refusal r = {0};

	(void)state;
	assert_int_equal(match_set(&m, &fields[FIELD_IPV4_SRC], ten, eight, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_BAD_WILDCARD_MASK);
	assert_int_equal(match_set(&m, &fields[FIELD_MPLS_LABEL], wide, NULL, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_BAD_VALUE);
	assert_int_equal(match_set(&m, &fields[FIELD_VLAN_VID], vid, NULL, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_BAD_VALUE);
	assert_int_equal(match_set(&m, &fields[FIELD_ETH_TYPE], type, vid, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_BAD_MASK);
	assert_true(match_equal(&m, &(struct match){0}));
}

static bool lend_number(const char *name, uint32_t *ofport)
{
	*ofport = !strcmp(name, "wan")     ? 7
		  : !strcmp(name, "8")     ? 9
		  : !strcmp(name, "LOCAL") ? 10
					   : 0;
	return *ofport;
}

static const char *lend_name(uint32_t ofport)
{
	return ofport == 7 ? "wan" : ofport == 9 ? "8" : ofport == 10 ? "LOCAL" : NULL;
}

static void port_names_are_lent(void **state)
{
	static const struct port_names names = {lend_number, lend_name};

	(void)state;
	port_names = &names;
	reads_as("in_port=wan", "in_port=wan");
	reads_as("in_port=\"wan\"", "in_port=wan");
	reads_as("in_port=7", "in_port=wan");
	/* Names that read as something else are shown as numbers. */
	reads_as("in_port=\"8\"", "in_port=9");
	reads_as("in_port=10", "in_port=10");
	reads_as("in_port=8", "in_port=8");
	refused("in_port=lan", REFUSED_BAD_VALUE, "in_port");
	port_names = NULL;
}

/* Random matches: text says them all, and the relations agree with the definition. */
static void random_matches_round_trip(void **state)
{
	struct buf text = {0};
	struct match m, again;
	struct refusal r;

	(void)state;
	srandom(1);
	for (unsigned i = 0; i < 20000; i++) {
		random_match(&m);
		text.size = 0;
		match_format(&m, &text);
		if (parse(buf_text(&text), &again, &r))
			fail_msg("%s: %s", buf_text(&text), r.text);
		if (!match_equal(&m, &again))
			fail_msg("%s reads back differently", buf_text(&text));
	}
	buf_free(&text);
}

static void relations_agree(void **state)
{
	struct match a, b, wide;
	struct key_view view;
	unsigned n_overlap = 0;

	(void)state;
	srandom(2);
	for (unsigned i = 0; i < 20000; i++) {
		random_match(&a);
		random_match(&b);
		assert_true(match_covers(&a, &a));
		assert_true(match_overlaps(&a, &a));
		view = key_view_of(&a.value.du, &a.value.outer);
		assert_true(match_hits(&a, &view));
		assert_true(match_covers(&(struct match){0}, &a));
		if (match_covers(&a, &b)) /* then whatever b hits, a hits */
			assert_true(match_hits(
				&a, &(struct key_view){{b.value.du_word, b.value.outer_word}}));
		assert_int_equal(match_overlaps(&a, &b), match_overlaps(&b, &a));
		n_overlap += match_overlaps(&a, &b);
		wide = a;
		memset(&wide.mask.du, 0, sizeof wide.mask.du);
		memset(&wide.value.du, 0, sizeof wide.value.du);
		assert_true(match_covers(&wide, &a));
		assert_true(match_covers(&a, &wide) == match_equal(&a, &wide));
	}
	assert_in_range(n_overlap, 100, 19900);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_known),
		cmocka_unit_test(text_reads_back),
		cmocka_unit_test(outer_fields_imply_presence),
		cmocka_unit_test(refusals),
		cmocka_unit_test(set_refuses_octets),
		cmocka_unit_test(port_names_are_lent),
		cmocka_unit_test(random_matches_round_trip),
		cmocka_unit_test(relations_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
