/* SPDX-License-Identifier: Apache-2.0 */
/* Samples as sFlow: every structure's octets beside what the standards say; nothing behind the
 * headers leaves; a datagram has room for the largest sample. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "ctl/sflow.h"
#include "datapath/match.h"
#include "lib/openflow.h"

/* Octets that stand behind each record's headers: payload, which must not leave. */
#define CANARY "a payload's own octets"

static union {
	struct sample_record s;
	uint8_t room[sizeof(struct sample_record) + 512];
} record;

static uint8_t from_hex(const char **at)
{
	int high = hex_digit((*at)[0]), low = hex_digit((*at)[1]);

	assert_true(high >= 0 && low >= 0);
	*at += 2;
	return (uint8_t)(high << 4 | low);
}

static size_t hex(const char *text, uint8_t *out)
{
	size_t n = 0;

	while (*text) {
		if (*text == ' ')
			text++;
		else
			out[n++] = from_hex(&text);
	}
	return n;
}

/* A record of these headers, one of 64, in by port 3, out by port 7. */
static struct sample_record *sampled(const char *headers)
{
	struct sample_record *s = &record.s;

	memset(&record, 0, sizeof record);
	*s = (struct sample_record){.pool = 0x100000040,
				    .every = 64,
				    .length = 1000,
				    .in_port = 3,
				    .out_port = 7,
				    .rule_id = 42,
				    .table = 1,
				    .end = SAMPLE_SENT};
	s->size = (uint16_t)hex(headers, s->octet);
	memcpy(s->octet + s->size, CANARY, sizeof CANARY);
	s->key.outer.in_port = htobe32(3);
	s->key.outer.queue = htobe16(2);
	s->key.outer.frame_len = htobe32(1100);
	s->key.du.pkt_len = htobe32(1000);
	return s;
}

static const struct sflow_source source = {0x02000001, 5, 0x40, 9};
static struct buf wire;

static const uint8_t *find(const void *octets, size_t size)
{
	return memmem(wire.data, wire.size, octets, size);
}

static void put(const struct sample_record *s)
{
	wire.size = 0;
	sflow_put_flow(&wire, &source, s);
	assert_null(find(CANARY, sizeof CANARY - 1));
	assert_null(find(CANARY, 4));
}

static void expect_octets(const uint8_t *at, size_t size, const char *expected)
{
	uint8_t octets[2048];
	size_t n = hex(expected, octets);

	for (size_t i = 0; i < n && i < size; i++)
		if (at[i] != octets[i])
			fail_msg("octet %zu: %02x, not %02x", i, at[i], octets[i]);
	assert_int_equal(n, size);
}

/* The whole sample, without its first two words (type, length), which are checked apart. */
static void expect(const char *expected)
{
	assert_int_equal(get_be32(wire.data), 1);
	assert_int_equal(get_be32(wire.data + 4), wire.size - 8);
	expect_octets(wire.data + 8, wire.size - 8, expected);
}

/* The record of a format: its octets, padding included; NULL: not there.  Walks as a reader does.
 */
static const uint8_t *record_of(uint32_t format, size_t *size)
{
	struct reader r = reader_of(wire.data + 8, wire.size - 8);
	const uint8_t *found = NULL;
	uint32_t n;

	pull(&r, 28);
	for (n = pull_u32(&r); n; n--) {
		uint32_t is = pull_u32(&r), length = pull_u32(&r);
		const uint8_t *body = pull(&r, length);

		assert_int_equal(length % 4, 0);
		if (is == format) {
			assert_null(found);
			found = body;
			*size = length;
		}
	}
	assert_false(r.failed);
	assert_int_equal(reader_left(&r), 0);
	return found;
}

static void expect_record(uint32_t format, const char *expected)
{
	size_t size = 0;
	const uint8_t *at = record_of(format, &size);

	assert_non_null(at);
	expect_octets(at, size, expected);
}

static bool there(uint32_t format)
{
	size_t size;

	return record_of(format, &size);
}

/* 10.0.0.1 to 10.0.0.2, UDP 4000 to 53. */
#define IP4 "45000300 00004000 40110000 0a000001 0a000002"
#define UDP "0fa00035 02ec0000"
#define ETH "020000000002 020000000001 "

static void plain_frame(void **state)
{
	struct sample_record *s = sampled(ETH "0800" IP4 UDP);

	(void)state;
	s->key.outer.has = htobe32(HAS_ETH);
	memcpy(s->key.outer.eth_dst, (uint8_t[]){2, 0, 0, 0, 0, 2}, 6);
	memcpy(s->key.outer.eth_src, (uint8_t[]){2, 0, 0, 0, 0, 1}, 6);
	put(s);
	expect(/* sequence, source, rate, pool, drops, input, output, records */
	       "00000005 02000001 00000040 00000040 00000009 00000003 00000007 00000003"
	       /* raw header: Ethernet, with its FCS 1004 octets, 4 stripped, 42 of them here */
	       "00000001 0000003c 00000001 000003ec 00000004 0000002a" ETH "0800" IP4 UDP "0000"
	       /* collected: outer_port, _queue, _len, _eth_dst, _eth_src, pkt_len */
	       "07ed9001 00000050 0000004a"
	       "ffff0208534c5543 00000003 ffff0406534c5543 0002 ffff0608534c5543 0000044c"
	       "ffff080a534c5543 020000000002 ffff0a0a534c5543 020000000001"
	       "ffff4e08534c5543 000003e8 0000"
	       /* end: sent, no flags, table 1, rule 42, no reason */
	       "07ed9002 00000014 00000000 00000000 00000001 0000002a 00000000");
}

static void tags_and_labels(void **state)
{
	struct sample_record *s = sampled(ETH "88a8a064 81000065 0800" IP4 UDP);

	(void)state;
	s->key.du.vlan_vid = htobe16(OFPVID_PRESENT | 0x64);
	s->key.du.vlan_pcp = 5;
	put(s);
	expect_record(SFLOW_EXTENDED_SWITCH, "00000064 00000005 ffffffff ffffffff");
	expect_record(SFLOW_EXTENDED_VLAN_TUNNEL, "00000002 88a8a064 81000065");
	assert_false(there(SFLOW_EXTENDED_MPLS));

	s = sampled(ETH "81000064 0800" IP4 UDP);
	s->key.du.vlan_vid = htobe16(OFPVID_PRESENT | 0x64);
	put(s);
	expect_record(SFLOW_EXTENDED_SWITCH, "00000064 00000000 ffffffff ffffffff");
	assert_false(there(SFLOW_EXTENDED_VLAN_TUNNEL));

	s = sampled(ETH "8847 0001003f 000021ff" IP4 UDP); /* labels 16 and, the last, 2 */
	s->key.du.eth_type = htobe16(0x8847);
	put(s);
	expect_record(SFLOW_EXTENDED_MPLS, "00000000 00000002 0001003f 000021ff 00000000");
	assert_false(there(SFLOW_EXTENDED_SWITCH));

	s = sampled(ETH "8847 0001003f 00"); /* cut within the stack */
	s->key.du.eth_type = htobe16(0x8847);
	put(s);
	expect_record(SFLOW_EXTENDED_MPLS, "00000000 00000001 0001003f 00000000");
}

/* A DU of connection 9, out of ESP in UDP over IPv4, with a VLAN tag on the way. */
static struct sample_record *du(void)
{
	struct sample_record *s = sampled("000000000000 000000000000 0800" IP4 UDP);
	struct outer_key *o = &s->key.outer;

	s->flags = SAMPLE_VIRTUAL_ETH;
	s->in_port = 9;
	s->l3 = 14;
	s->key.du.eth_type = htobe16(0x800);
	s->key.du.ip_proto = 17;
	s->key.du.ip_dscp = 16;
	s->key.du.ip_ecn = 2;
	memcpy(s->key.du.ip_src, (uint8_t[]){10, 0, 0, 1}, 4);
	memcpy(s->key.du.ip_dst, (uint8_t[]){10, 0, 0, 2}, 4);
	s->key.du.tp_src = htobe16(4000);
	s->key.du.tp_dst = htobe16(53);
	o->has = htobe32(HAS_ETH | HAS_VLAN | HAS_IPV4 | HAS_UDP | HAS_CONN | HAS_ESP | HAS_AGG);
	o->vlan_vid = htobe16(OFPVID_PRESENT | 0x123);
	o->vlan_pcp = 3;
	o->ip_version = 4;
	o->ip_dscp = 46;
	o->ip_ecn = 1;
	o->ip_ttl = 61;
	o->auth = AUTH_VERIFIED;
	o->ipv4_src = htobe32(0xc0000201);
	o->ipv4_dst = htobe32(0xc0000202);
	o->udp_src = htobe16(4500);
	o->udp_dst = htobe16(4501);
	o->conn_id = htobe32(9);
	o->esp_spi = htobe32(0x101);
	o->esp_seq = htobe64(0x100000007);
	o->agg_dus = htobe16(3);
	s->key.du.agg_fragments = htobe16(2);
	return s;
}

static void data_unit(void **state)
{
	struct sample_record *s = du();

	(void)state;
	put(s);
	expect_octets(wire.data + 8 + 20, 8, "00000009 00000007");
	/* IPv4, of 1000 octets, none stripped, 28 of them here. */
	expect_record(SFLOW_SAMPLED_HEADER, "0000000b 000003e8 00000000 0000001c" IP4 UDP);
	/* 1100 octets without 18 of link, UDP, addresses, ports, no flags, DSCP and ECN. */
	expect_record(SFLOW_IPV4_TUNNEL_INGRESS,
		      "0000043a 00000011 c0000201 c0000202 00001194 00001195 00000000 000000b9");
	/* The DU's own header again: 1000 octets, UDP, addresses, ports, no flags, DSCP and ECN. */
	expect_record(SFLOW_SAMPLED_IPV4,
		      "000003e8 00000011 0a000001 0a000002 00000fa0 00000035 00000000 00000042");
	assert_false(there(SFLOW_SAMPLED_IPV6));
	assert_false(there(SFLOW_IPV6_TUNNEL_INGRESS));
	assert_false(there(SFLOW_EXTENDED_SWITCH)); /* the DU has no tag */
	assert_false(there(SFLOW_EXTENDED_VLAN_TUNNEL));
	expect_record(SFLOW_OURS_COLLECTED,
		      "0000015b"
		      "ffff0208534c5543 00000003 ffff0406534c5543 0002 ffff0608534c5543 0000044c"
		      "ffff080a534c5543 000000000000 ffff0a0a534c5543 000000000000"
		      "ffff0c06534c5543 1123 ffff0e05534c5543 03"
		      "ffff1605534c5543 04 ffff1805534c5543 2e ffff1a05534c5543 01"
		      "ffff1c05534c5543 3d ffff1e05534c5543 00"
		      "ffff2208534c5543 c0000201 ffff2408534c5543 c0000202"
		      "ffff2a06534c5543 1194 ffff2c06534c5543 1195"
		      "ffff2e08534c5543 00000009 ffff3005534c5543 01 ffff3208534c5543 00000101"
		      "ffff340c534c5543 0000000100000007 ffff3608534c5543 00000000"
		      "ffff3808534c5543 00000000 ffff3a05534c5543 00 ffff3c05534c5543 00"
		      "ffff3e06534c5543 0000 ffff4406534c5543 0003 ffff4606534c5543 0000"
		      "ffff4806534c5543 0002 ffff4a08534c5543 00000000 ffff4c06534c5543 0000"
		      "ffff4e08534c5543 000003e8 ffff5008534c5543 00000000 00");

	s->key.outer.has |= htobe32(HAS_QINQ);
	s->key.outer.qinq_vid = htobe16(OFPVID_PRESENT | 0x45);
	put(s);
	expect_record(SFLOW_EXTENDED_VLAN_TUNNEL, "00000002 88a86123 81000045");
}

static void data_unit_over_ipv6(void **state)
{
	struct sample_record *s = sampled("000000000000 000000000000 86dd"
					  "60000000 03bc 3a40 20010db8000000000000000000000001"
					  "20010db8000000000000000000000002 80000000");

	(void)state;
	s->flags = SAMPLE_VIRTUAL_ETH;
	s->l3 = 14;
	s->key.du.eth_type = htobe16(0x86dd);
	s->key.du.ip_proto = 58;
	s->key.du.icmp_type = 128;
	memcpy(s->key.du.ip_src, s->octet + 14 + 8, 16);
	memcpy(s->key.du.ip_dst, s->octet + 14 + 24, 16);
	s->key.outer.has = htobe32(HAS_IPV6 | HAS_CONN | HAS_ESP);
	memcpy(s->key.outer.ipv6_src, (uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = 0xa}, 16);
	memcpy(s->key.outer.ipv6_dst, (uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = 0xb}, 16);
	put(s);
	expect_record(SFLOW_SAMPLED_HEADER, "0000000c 000003e8 00000000 0000002c"
					    "60000000 03bc 3a40 20010db8000000000000000000000001"
					    "20010db8000000000000000000000002 80000000");
	expect_record(SFLOW_IPV6_TUNNEL_INGRESS,
		      "0000044c 00000032 20010db800000000000000000000000a"
		      "20010db800000000000000000000000b 00000000 00000000 00000000 00000000");
	expect_record(SFLOW_SAMPLED_IPV6,
		      "000003e8 0000003a 20010db8000000000000000000000001"
		      "20010db8000000000000000000000002 00000080 00000000 00000000 00000000");
	assert_false(there(SFLOW_IPV4_TUNNEL_INGRESS));
	assert_false(there(SFLOW_SAMPLED_IPV4));
}

/* The collected fields by their codes: what came with them. */
static bool collects(enum field_id id)
{
	uint8_t tlv[8];
	size_t size;
	const uint8_t *at = record_of(SFLOW_OURS_COLLECTED, &size);

	put_be32(tlv, 0xffff0000u | (uint32_t)fields[id].oxm_field << 9 | (4u + fields[id].size));
	put_be32(tlv + 4, SLUICE_EXPERIMENTER);
	return memmem(at + 4, size - 4, tlv, sizeof tlv);
}

static void dropped_aggregate(void **state)
{
	struct sample_record *s = du();

	(void)state;
	s->flags = SAMPLE_AGGREGATE;
	s->end = SAMPLE_DROPPED;
	s->reason = DROP_EARLY;
	s->key.outer.auth = AUTH_NONE;
	s->key.outer.has &= ~htobe32(HAS_AGG);
	put(s);
	assert_int_equal(get_be32(wire.data + 8 + 24), 0x40000102); /* dropped: ACL */
	assert_false(there(SFLOW_IPV4_TUNNEL_INGRESS));             /* its headers are sampled */
	assert_false(there(SFLOW_SAMPLED_IPV4));
	expect_record(SFLOW_OURS_END,
		      "00000001 00000001 00000001 0000002a 00000005 6561726c79 000000");
	assert_true(collects(FIELD_OUTER_IPV4_SRC));
	assert_true(collects(FIELD_ESP_SPI));
	assert_false(collects(FIELD_ESP_SEQ)); /* nobody has verified it */
	assert_false(collects(FIELD_CONN_AUTH));
	assert_false(collects(FIELD_DISAGREE));
	assert_true(collects(FIELD_PKT_LEN));

	s->key.outer.auth = AUTH_VERIFIED;
	s->key.outer.has |= htobe32(HAS_AGG);
	s->reason = DROP_AGG_SUBTYPE;
	put(s);
	assert_int_equal(get_be32(wire.data + 8 + 24), 0x40000100); /* dropped: unknown */
	assert_true(collects(FIELD_ESP_SEQ));
	assert_true(collects(FIELD_AGG_SUBTYPE));
	assert_false(collects(FIELD_AGG_FRAGMENTS)); /* of a DU; there is none */
}

static void ends(void **state)
{
	/* Codes of the standard: 0 and 1 ICMP's, 257 TTL, 258 ACL, 259 no buffer, 261 shaping,
	 * 262 too big; the rest 256, unknown. */
	static const struct {
		enum drop_reason reason;
		uint32_t code;
	} codes[] = {
		{DROP_NO_ROUTE, 0},       {DROP_NO_PORT, 1},       {DROP_NEIGH_UNRESOLVED, 1},
		{DROP_ESP_ICV, 256},      {DROP_TTL_EXPIRED, 257}, {DROP_RULE, 258},
		{DROP_TABLE_MISS, 258},   {DROP_EARLY, 258},       {DROP_SOURCE_NOT_ALLOWED, 258},
		{DROP_HANDOFF_FULL, 259}, {DROP_TX_FULL, 259},     {DROP_LIMIT, 261},
		{DROP_MTU, 262},          {DROP_TOO_BIG, 262},     {DROP_RX_TRUNCATED, 256}};
	struct sample_record *s = sampled(ETH "0800" IP4 UDP);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++)
		assert_int_equal(sflow_drop_code(codes[i].reason), codes[i].code);
	for (unsigned i = 0; i < N_DROPS; i++)
		assert_true(sflow_drop_code(i) <= SFLOW_DROPPED_TOO_BIG);
	assert_int_equal(sflow_drop_code(N_DROPS), SFLOW_DROPPED_UNKNOWN);

	s->end = SAMPLE_CONSUMED;
	s->reason = CONSUME_TO_CONTROLLER;
	s->out_port = OFPP_CONTROLLER;
	s->in_port = OFPP_LOCAL;
	s->rule_id = UINT32_MAX;
	s->flags = SAMPLE_BY_RULE;
	put(s);
	expect_octets(wire.data + 8 + 20, 8, "3fffffff 3fffffff");
	expect_record(SFLOW_OURS_END, "00000002 00000004 00000001 ffffffff 0000000d"
				      "746f2d636f6e74726f6c6c6572 000000");
	s->out_port = OFPP_ANY;
	put(s);
	expect_octets(wire.data + 8 + 24, 4, "3fffffff");
}

/* Headers that are none: nothing is read beyond them. */
static void cut_headers(void **state)
{
	struct sample_record *s = sampled("02000000");

	(void)state;
	s->key.du.vlan_vid = htobe16(OFPVID_PRESENT | 1);
	s->key.du.eth_type = htobe16(0x8847);
	put(s);
	assert_false(there(SFLOW_SAMPLED_HEADER));
	assert_false(there(SFLOW_EXTENDED_SWITCH));
	assert_false(there(SFLOW_EXTENDED_MPLS));
	s = sampled(ETH "8100"); /* a tag that is not there */
	s->key.du.vlan_vid = htobe16(OFPVID_PRESENT | 1);
	put(s);
	assert_false(there(SFLOW_EXTENDED_VLAN_TUNNEL));
	s = sampled(ETH "88a80064 8100"); /* a second one without its TCI */
	put(s);
	assert_false(there(SFLOW_EXTENDED_VLAN_TUNNEL));
	s = sampled("020000");
	s->flags = SAMPLE_VIRTUAL_ETH;
	put(s);
	assert_false(there(SFLOW_SAMPLED_HEADER));
	s->size = 14;
	put(s);
	assert_false(there(SFLOW_SAMPLED_HEADER));
}

static void largest(void **state)
{
	static const uint8_t qinq[] = {0x88, 0xa8, 0, 1};
	struct sample_record *s = sampled(ETH);
	size_t size;

	(void)state;
	s->size = 300; /* more than is sent */
	for (unsigned i = 12; i + 4 <= 300; i += 4)
		memcpy(s->octet + i, qinq, 4);
	s->key.du.eth_type = htobe16(0x8847);
	s->key.du.vlan_vid = htobe16(OFPVID_PRESENT | 1);
	s->key.outer.has = UINT32_MAX;
	s->end = SAMPLE_DROPPED;
	for (s->reason = 0; s->reason < N_DROPS; s->reason++) {
		put(s);
		assert_true(there(SFLOW_IPV4_TUNNEL_INGRESS) && there(SFLOW_IPV6_TUNNEL_INGRESS));
		assert_true(wire.size <= SFLOW_DATAGRAM_MAX - SFLOW_HEADER_SIZE_MAX);
	}
	for (unsigned i = 0; i < 300; i += 4) /* labels without an end */
		memset(s->octet + i, 0, 4);
	put_be16(s->octet + 12, 0x8847);
	put(s);
	assert_int_equal(get_be32(record_of(SFLOW_EXTENDED_MPLS, &size) + 4), 16);
	assert_true(wire.size <= SFLOW_DATAGRAM_MAX - SFLOW_HEADER_SIZE_MAX);
}

static void counters_and_datagram(void **state)
{
	const struct sflow_interface i = {.index = 3,
					  .sequence = 2,
					  .type = SFLOW_IF_ETHERNET,
					  .up = 1,
					  .rx_octets = 0x100000001,
					  .tx_octets = 0x200000002,
					  .rx_packets = 0x300000003,
					  .tx_packets = 4,
					  .rx_dropped = 5,
					  .tx_dropped = 6,
					  .rx_errors = 7,
					  .tx_errors = 8};
	struct sflow_datagram d = {ip_v4(htobe32(0xc0000205)), 17, 60000, 2};

	(void)state;
	wire.size = 0;
	sflow_put_interface(&wire, &i);
	expect_octets(wire.data, wire.size,
		      "00000002 0000006c 00000002 00000003 00000001 00000001 00000058"
		      "00000003 00000006 0000000000000000 00000000 00000003"
		      "0000000100000001 00000003 ffffffff ffffffff 00000005 00000007 ffffffff"
		      "0000000200000002 00000004 ffffffff ffffffff 00000006 00000008 00000000");
	wire.size = 0;
	sflow_put_header(&wire, &d);
	expect_octets(wire.data, wire.size,
		      "00000005 00000001 c0000205 00000000 00000011 0000ea60 00000002");
	wire.size = 0;
	d.agent = ip_v6((uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = 5});
	sflow_put_header(&wire, &d);
	expect_octets(wire.data, wire.size,
		      "00000005 00000002 20010db8000000000000000000000005 00000000 00000011"
		      "0000ea60 00000002");
	assert_int_equal(wire.size, SFLOW_HEADER_SIZE_MAX);
}

static int tear_down(void **state)
{
	(void)state;
	buf_free(&wire);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_frame),
		cmocka_unit_test(tags_and_labels),
		cmocka_unit_test(data_unit),
		cmocka_unit_test(data_unit_over_ipv6),
		cmocka_unit_test(dropped_aggregate),
		cmocka_unit_test(ends),
		cmocka_unit_test(cut_headers),
		cmocka_unit_test(largest),
		cmocka_unit_test(counters_and_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
