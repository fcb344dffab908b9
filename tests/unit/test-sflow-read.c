/* SPDX-License-Identifier: Apache-2.0 */
/* sFlow as it is read: expected samples beside octets, and every way to lie that is worth trying.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/sflow.h"
#include "datapath/match.h"
#include "datapath/parse.h"
#include "datapath/sample.h"
#include "lib/sflow.h"
#include "utilities/watch/sample.h"

static struct {
	struct sample_sink sink;
	struct watch_sample sample[64];
	unsigned n;
} got;

static void take(struct sample_sink *s, const struct watch_sample *sample)
{
	(void)s;
	assert_true(sample->packets > 0);
	assert_true(sample->exporter < 1024);
	got.sample[got.n++ % ARRAY_SIZE(got.sample)] = *sample;
}

static struct sflow_reader *reader;

static int up(void **state)
{
	(void)state;
	reader = sflow_reader_create();
	got.sink.sample = take;
	got.n = 0;
	return 0;
}

static int down(void **state)
{
	(void)state;
	sflow_reader_free(reader);
	return 0;
}

/* Octets from malloc, as many as there are, so that a sanitizer sees the first one too far. */
static int read_exactly(const void *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	int error;

	assert_non_null(copy);
	memcpy(copy, data, size);
	error = sflow_read(reader, copy, size, 5 * NSEC_PER_SEC, &got.sink);
	free(copy);
	return error;
}

/* ---- Datagrams in writing: octets as hex, lengths as they come out --------------------------- */

static struct buf wire;

static void put(const char *hex)
{
	for (; *hex; hex++) {
		unsigned v;

		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		buf_u8(&wire, (uint8_t)v);
		hex++;
	}
}

static void head(uint32_t agent, uint32_t sub_agent, uint32_t seq, uint32_t n_samples)
{
	wire.size = 0;
	put("00000005 00000001");
	buf_u32(&wire, agent);
	buf_u32(&wire, sub_agent);
	buf_u32(&wire, seq);
	put("000003e8");
	buf_u32(&wire, n_samples);
}

static size_t begin(uint32_t format)
{
	buf_u32(&wire, format);
	buf_u32(&wire, 0);
	return wire.size;
}

static void end(size_t at)
{
	put_be32(wire.data + at - 4, (uint32_t)(wire.size - at));
	buf_put(&wire, -wire.size & 3);
}

static void record(uint32_t format, const char *hex)
{
	size_t at = begin(format);

	put(hex);
	end(at);
}

/* A compact flow sample up to its records: 1 in 64, from interface 3. */
static size_t flow(uint32_t output, uint32_t n_records)
{
	size_t at = begin(SFLOW_FLOW_SAMPLE);

	put("00000009 00000003 00000040 00001000 00000000 00000003");
	buf_u32(&wire, output);
	buf_u32(&wire, n_records);
	return at;
}

static int read_wire(void)
{
	return read_exactly(wire.data, wire.size);
}

#define ETH "020000000002020000000001"
#define IP4 "450005dc00010000400600000a0000010a000002"
#define TCP "1f900050000000010000000250121000 00000000"

static void flow_sample(void **state)
{
	const struct watch_sample *s = &got.sample[0];

	(void)state;
	wire.size = 0;
	put("00000005 00000001 c0000201 00000007 00000001 00001000 00000001");
	/* flow sample: seq, source, rate, pool, drops, input, output, records */
	put("00000001 00000070 00000009 00000003 00000040 00001000 00000000 00000003 00000004"
	    "00000001");
	/* sampled header: Ethernet, 1518 octets, of which 4 were stripped, 54 are here */
	put("00000001 00000048 00000001 000005ee 00000004 00000036" ETH "0800" IP4 TCP "0000");
	assert_int_equal(read_wire(), 0);
	assert_int_equal(got.n, 1);
	assert_int_equal(s->ns, 5 * NSEC_PER_SEC);
	assert_int_equal(s->packets, 64);
	assert_int_equal(s->length, 1500);
	assert_int_equal(s->octets, 64 * 1500);
	assert_int_equal(s->end, END_SENT);
	assert_int_equal(s->reason, 0xff);
	assert_false(s->collected || s->aggregate || s->by_rule);
	assert_int_equal(be32toh(s->key.du.in_port), 3);
	assert_int_equal(be32toh(s->key.du.pkt_len), 1514);
	assert_int_equal(be16toh(s->key.du.eth_type), 0x0800);
	assert_int_equal(get_be32(s->key.du.ip_dst), 0x0a000002);
	assert_int_equal(s->key.du.ip_proto, 6);
	assert_int_equal(be16toh(s->key.du.tp_src), 8080);
	assert_int_equal(be16toh(s->key.du.tp_dst), 80);
	assert_int_equal(be16toh(s->key.du.tcp_flags), 0x12);
	assert_int_equal(s->key.outer.has, 0);
	assert_int_equal(sflow_counters(reader)->samples, 1);
	assert_int_equal(sflow_counters(reader)->malformed, 0);
}

static void first_headers(void **state)
{
	const struct watch_sample *s = got.sample;
	size_t at;

	(void)state;
	head(0xc0000201, 0, 1, 5);
	at = flow(0, 1); /* IPv6, cut within its UDP header */
	record(SFLOW_SAMPLED_HEADER,
	       "0000000c 00000578 00000000 0000002c 60000000 0550 11 40"
	       "20010db8000000000000000000000001 20010db8000000000000000000000002 04d20035");
	end(at);
	at = flow(SFLOW_OUTPUT_DROPPED | SFLOW_DROPPED_ACL, 1); /* MPLS */
	record(SFLOW_SAMPLED_HEADER, "0000000d 00000100 00000000 00000004 0000a140");
	end(at);
	at = flow(SFLOW_OUTPUT_SEVERAL | 2, 2); /* fields instead of a header; a VLAN beside */
	record(SFLOW_SAMPLED_IPV4, "00000054 00000001 0a000001 0a000002 00000008 00000000 00000000"
				   "000000b9");
	record(SFLOW_EXTENDED_SWITCH, "00000064 00000005 00000000 00000000");
	end(at);
	at = flow(SFLOW_INTERFACE_UNKNOWN, 1); /* 802.11: not for us */
	record(SFLOW_SAMPLED_HEADER, "00000006 00000100 00000000 00000004 00000000");
	end(at);
	at = flow(4, 1); /* an IP header that contradicts itself is a packet all the same */
	record(SFLOW_SAMPLED_HEADER, "00000001 00000040 00000000 00000024" ETH "0800"
				     "f50005dc00010000400600000a0000010a0000020000");
	end(at);
	assert_int_equal(read_wire(), 0);
	assert_int_equal(got.n, 4);
	assert_int_equal(sflow_counters(reader)->ignored, 1);
	assert_int_equal(s[0].length, 1400);
	assert_int_equal(s[0].end, END_UNKNOWN);
	assert_int_equal(s[0].key.du.ip_proto, 17);
	assert_int_equal(be16toh(s[0].key.du.eth_type), 0x86dd);
	assert_int_equal(be16toh(s[0].key.du.tp_src), 1234);
	assert_int_equal(be16toh(s[0].key.du.tp_dst), 53);
	assert_int_equal(be16toh(s[1].key.du.eth_type), 0x8847);
	assert_int_equal(be32toh(s[1].key.du.mpls_label), 10);
	assert_int_equal(s[1].end, END_DROPPED);
	assert_int_equal(s[1].reason, 0xff);
	assert_int_equal(s[2].length, 84);
	assert_int_equal(s[2].end, END_SENT);
	assert_int_equal(s[2].key.du.icmp_type, 8);
	assert_int_equal(s[2].key.du.ip_dscp, 0x2e);
	assert_int_equal(be16toh(s[2].key.du.vlan_vid), 0x1064);
	assert_int_equal(s[2].key.du.vlan_pcp, 5);
	assert_int_equal(s[3].length, 64 - 14);
}

/* An expanded flow sample with all that a sluice says. */
static void put_ours(void)
{
	struct key k = {0};
	size_t at = begin(SFLOW_EXPANDED_FLOW_SAMPLE), in;

	put("00000001 00000000 00000003 00000040 00001000 00000000 00000000 fffffffe"
	    "00000001 00000102 00000004");
	record(SFLOW_SAMPLED_HEADER, "0000000b 00000578 00000000 00000028" IP4 TCP);
	record(SFLOW_IPV4_TUNNEL_INGRESS, "00000000 00000011 01020304 01020305 00001194 00001194"
					  "00000000 00000000");
	in = begin(SFLOW_OURS_COLLECTED);
	buf_u32(&wire, 0);
	k.outer.ipv4_src = htobe32(0xc6336412);
	k.outer.ip_dscp = 14;
	k.outer.conn_id = htobe32(9);
	k.du.agg_fragments = htobe16(2);
	for (unsigned i = 0; i < N_FIELDS; i++)
		if (i == FIELD_OUTER_IPV4_SRC || i == FIELD_OUTER_DSCP || i == FIELD_CONN_ID ||
		    i == FIELD_AGG_FRAGMENTS || i == FIELD_IPV4_DST)
			field_put_oxm(&fields[i], field_in(&k, &fields[i]), NULL, &wire);
	put("ffff fe 05 534c5543 07"); /* a field of times to come */
	put_be32(wire.data + in, (uint32_t)(wire.size - in - 4));
	end(in);
	in = begin(SFLOW_OURS_END);
	put("00000001 00000004 00000000 0000002a 00000005 6561726c79"); /* early */
	buf_put(&wire, 3);
	end(in);
	end(at);
}

static void sluices(void **state)
{
	const struct watch_sample *s = &got.sample[0];
	const struct outer_key *o = &s->key.outer;

	(void)state;
	head(0xc0000201, 0, 1, 1);
	put_ours();
	assert_int_equal(read_wire(), 0);
	assert_int_equal(got.n, 1);
	assert_true(s->collected);
	assert_true(s->by_rule);
	assert_false(s->aggregate);
	assert_int_equal(s->packets, 1);
	assert_int_equal(s->octets, 1400);
	assert_int_equal(s->end, END_DROPPED);
	assert_int_equal(s->reason, DROP_EARLY);
	assert_int_equal(be32toh(s->key.du.in_port), 0xfffffffe);
	assert_int_equal(be32toh(o->ipv4_src), 0xc6336412);
	assert_int_equal(o->ipv4_dst, 0); /* the standard structure stands behind ours */
	assert_int_equal(o->ip_dscp, 14);
	assert_int_equal(be32toh(o->conn_id), 9);
	assert_int_equal(be16toh(s->key.du.agg_fragments), 2);
	assert_int_equal(be32toh(o->has), HAS_IPV4 | HAS_CONN | HAS_AGG);
	assert_int_equal(get_be32(s->key.du.ip_dst),
			 0x0a000002); /* of the header, never of a TLV */
}

/* What the switch's own writer says of a record is what comes out here. */
static void as_written(void **state)
{
	const struct sflow_datagram d = {{.octet = {192, 0, 2, 1}, .family = 4}, 1, 1000, 2};
	const struct sflow_source from = {2u << 24 | 1, 7, 4096, 0};
	uint64_t room[(sizeof(struct sample_record) + 64) / 8] = {0};
	struct sample_record *r = (void *)room;
	const struct watch_sample *s = got.sample;
	struct outer_key *o = &r->key.outer;
	struct headers h = {.data = r->octet, .size = 54, .whole = 1514, .cut = true};

	(void)state;
	wire.size = 0;
	put(ETH "0800" IP4 TCP);
	memcpy(r->octet, wire.data, 54);
	assert_int_equal(headers_parse(&h, HEADERS_ETHERNET, &r->key.du), HEADERS_PARSED);
	r->key.du.in_port = r->key.du.in_phy_port = htobe32(3);
	r->key.du.pkt_len = htobe32(1500);
	r->key.du.disagree = htobe16(DISAGREE_DSCP);
	r->every = 64;
	r->length = 1500;
	r->in_port = 3;
	r->out_port = 4;
	r->size = 54;
	r->l3 = 14;
	r->flags = SAMPLE_VIRTUAL_ETH;
	o->has = htobe32(HAS_IPV4 | HAS_UDP | HAS_CONN | HAS_ESP | HAS_AGG | HAS_ETH);
	o->in_port = htobe32(1);
	o->ipv4_src = htobe32(0xc6336412);
	o->ip_dscp = 14;
	o->ip_ttl = 61;
	o->udp_dst = htobe16(4500);
	o->conn_id = htobe32(9);
	o->auth = AUTH_VERIFIED;
	o->esp_seq = htobe64(0x100000002);
	o->esp_gap = htobe32(5);
	o->agg_dus = htobe16(7);
	wire.size = 0;
	sflow_put_header(&wire, &d);
	sflow_put_flow(&wire, &from, r);
	/* A frame that is dropped. */
	r->flags = 0;
	r->end = SAMPLE_DROPPED;
	r->reason = DROP_RULE;
	r->length = 1514;
	r->key.du.pkt_len = htobe32(1514);
	sflow_put_flow(&wire, &from, r);
	assert_int_equal(read_wire(), 0);
	assert_int_equal(got.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(s[i].packets, 64);
		assert_int_equal(s[i].length, 1500);
		assert_int_equal(s[i].end, i ? END_DROPPED : END_SENT);
		assert_int_equal(s[i].reason, i ? DROP_RULE : 0xff);
		assert_true(s[i].collected);
		assert_memory_equal(&s[i].key.outer, o, sizeof *o);
	}
	assert_memory_equal(&s[1].key.du, &r->key.du, sizeof r->key.du);
	/* Of the first, the Ethernet header was on no wire. */
	memset(r->key.du.eth_src, 0, 6);
	memset(r->key.du.eth_dst, 0, 6);
	r->key.du.pkt_len = htobe32(1500);
	assert_memory_equal(&s[0].key.du, &r->key.du, sizeof r->key.du);
}

static void tunnels_of_others(void **state)
{
	const struct watch_sample *s = got.sample;
	size_t at;

	(void)state;
	head(0xc0000201, 0, 1, 2);
	at = flow(4, 4);
	record(SFLOW_SAMPLED_HEADER, "0000000b 00000578 00000000 00000028" IP4 TCP);
	record(SFLOW_IPV4_TUNNEL_INGRESS, "00000000 00000011 01020304 01020305 00001194 000012b5"
					  "00000000 000000b8");
	record(SFLOW_VNI_INGRESS, "00001234");
	record(SFLOW_EXTENDED_VLAN_TUNNEL, "00000002 88a8a064 81000065");
	end(at);
	at = flow(4, 2);
	record(SFLOW_IPV6_TUNNEL_INGRESS,
	       "00000000 00000032 20010db8000000000000000000000001 20010db8000000000000000000000002"
	       "00000000 00000000 00000000 00000000");
	record(SFLOW_SAMPLED_HEADER, "0000000b 00000578 00000000 00000028" IP4 TCP);
	end(at);
	assert_int_equal(read_wire(), 0);
	assert_int_equal(got.n, 2);
	assert_true(s[0].collected && s[1].collected);
	assert_int_equal(be32toh(s[0].key.outer.has), HAS_IPV4 | HAS_UDP | HAS_VLAN | HAS_QINQ);
	assert_int_equal(be32toh(s[0].key.outer.ipv4_src), 0x01020304);
	assert_int_equal(be16toh(s[0].key.outer.udp_dst), 4789);
	assert_int_equal(s[0].key.outer.ip_dscp, 0x2e);
	assert_int_equal(be64toh(s[0].key.du.tunnel_id), 0x1234);
	assert_int_equal(be16toh(s[0].key.outer.vlan_vid), 0x1064);
	assert_int_equal(s[0].key.outer.vlan_pcp, 5);
	assert_int_equal(be16toh(s[0].key.outer.qinq_vid), 0x1065);
	assert_int_equal(be32toh(s[1].key.outer.has), HAS_IPV6);
	assert_int_equal(s[1].key.outer.ipv6_dst[15], 2);
}

static void not_for_us(void **state)
{
	size_t at;

	(void)state;
	head(0xc0000201, 0, 1, 4);
	record(SFLOW_COUNTER_SAMPLE, "00000001 00000002 00000000");
	record(SFLOW_EXPANDED_COUNTER_SAMPLE, "00000001 00000000 00000002 00000000");
	record(SFLOW_FORMAT(4413, 1), "0102030405");
	at = flow(4, 1); /* another's record alone: nothing to go by */
	record(SFLOW_FORMAT(4413, 2), "01020304");
	end(at);
	assert_int_equal(read_wire(), 0);
	assert_int_equal(got.n, 0);
	assert_int_equal(sflow_counters(reader)->ignored, 4);
	assert_int_equal(sflow_counters(reader)->malformed, 0);
}

static void sequence(uint32_t agent, uint32_t seq, uint64_t lost)
{
	head(agent, 1, seq, 0);
	assert_int_equal(read_wire(), 0);
	assert_int_equal(sflow_counters(reader)->lost, lost);
}

static void lost_datagrams(void **state)
{
	(void)state;
	sequence(1, 100, 0);
	sequence(1, 101, 0);
	sequence(2, 7, 0); /* another exporter's own */
	sequence(1, 105, 3);
	sequence(1, 104, 3);        /* overtaken */
	sequence(1, 106, 3);        /* … which changes nothing */
	sequence(1, 0x80000000, 3); /* a restart, or a lie: never two thousand millions lost */
	sequence(1, 0x80000002, 4);
	sequence(1, 1, 4);
	sequence(2, 8, 4);
	sequence(3, 0xfffffffe, 4); /* numbers come round */
	sequence(3, 1, 6);
}

static void many_exporters(void **state)
{
	size_t at;

	(void)state;
	for (uint32_t i = 0; i < 4999; i++) {
		sequence(i, 10, 0);
		sequence(4999, 11 + i, 0); /* heard all the time: stays */
	}
	sequence(4999, 20 + 4999, 9);
	sequence(4998, 20, 18); /* one of the last 1,024 */
	sequence(17, 20, 18);   /* given way: as new */
	head(17, 1, 21, 1);
	at = flow(4, 1);
	record(SFLOW_SAMPLED_HEADER, "0000000b 00000578 00000000 00000028" IP4 TCP);
	end(at);
	assert_int_equal(read_wire(), 0);
	head(4999, 1, 20 + 5000, 1);
	at = flow(4, 1);
	record(SFLOW_SAMPLED_HEADER, "0000000b 00000578 00000000 00000028" IP4 TCP);
	end(at);
	assert_int_equal(read_wire(), 0);
	assert_int_equal(got.n, 2);
	assert_int_not_equal(got.sample[0].exporter, got.sample[1].exporter);
}

/* Three samples of every kind of record there is. */
static void put_all(void)
{
	size_t at;

	head(0xc0000201, 0, 1, 3);
	at = flow(4, 6);
	record(SFLOW_SAMPLED_HEADER, "00000001 000005ee 00000004 00000036" ETH "0800" IP4 TCP);
	record(SFLOW_EXTENDED_SWITCH, "00000064 00000005 00000000 00000000");
	record(SFLOW_IPV4_TUNNEL_INGRESS, "00000000 00000011 01020304 01020305 00001194 000012b5"
					  "00000000 000000b8");
	record(SFLOW_VNI_INGRESS, "00001234");
	record(SFLOW_EXTENDED_VLAN_TUNNEL, "00000002 88a8a064 81000065");
	record(SFLOW_SAMPLED_IPV4, "00000054 00000001 0a000001 0a000002 00000008 00000000 00000000"
				   "000000b9");
	end(at);
	put_ours();
	at = flow(4, 1);
	record(SFLOW_SAMPLED_HEADER, "0000000b 00000578 00000000 00000028" IP4 TCP);
	end(at);
}

/* Where each of put_all()'s samples ends, by the lengths in it. */
static unsigned whole_samples(size_t size)
{
	size_t at = 28;
	unsigned n = 0;

	while (at + 8 <= wire.size) {
		at += 8 + ROUND_UP(get_be32(wire.data + at + 4), 4u);
		n += at <= size;
	}
	return n;
}

static void truncated(void **state)
{
	(void)state;
	put_all();
	for (size_t size = 0; size < wire.size; size++) {
		uint64_t malformed = sflow_counters(reader)->malformed;

		got.n = 0;
		assert_int_equal(read_exactly(wire.data, size), -EINVAL);
		assert_int_equal(sflow_counters(reader)->malformed, malformed + 1);
		assert_int_equal(got.n, whole_samples(size));
	}
	got.n = 0;
	assert_int_equal(read_wire(), 0);
	assert_int_equal(got.n, 3);
}

/* Each word in turn says something else.  Whatever comes of it: no octet beyond the datagram is
 * looked at, and each sample is delivered, ignored or part of a malformed datagram. */
static void words_that_lie(void **state)
{
	static const uint32_t lies[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff};
	unsigned n_malformed = 0;
	struct buf good = {0};

	(void)state;
	put_all();
	buf_octets(&good, wire.data, wire.size);
	for (size_t at = 0; at < good.size; at += 4) {
		for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
			struct read_counters before = *sflow_counters(reader);
			const struct read_counters *n = sflow_counters(reader);
			int error;

			memcpy(wire.data, good.data, good.size);
			put_be32(wire.data + at, lies[i]);
			got.n = 0;
			error = read_wire();
			assert_true(error == 0 || error == -EINVAL);
			assert_int_equal(n->datagrams, before.datagrams + 1);
			assert_int_equal(n->samples, before.samples + got.n);
			assert_int_equal(n->malformed, before.malformed + (error != 0));
			assert_true(got.n <= 3);
			if (!error && get_be32(wire.data + 24) == 3)
				assert_int_equal(got.n + n->ignored - before.ignored, 3);
			n_malformed += error != 0;
		}
	}
	assert_true(n_malformed > 100);
	/* The count of samples alone. */
	memcpy(wire.data, good.data, good.size);
	put_be32(wire.data + 24, 0xffffffff);
	got.n = 0;
	assert_int_equal(read_wire(), -EINVAL);
	assert_int_equal(got.n, 3);
	buf_free(&good);
}

/* A structure that is shorter than what it is made of. */
static void short_structures(void **state)
{
	static const uint32_t formats[] = {
		SFLOW_SAMPLED_HEADER,  SFLOW_SAMPLED_IPV4,        SFLOW_SAMPLED_IPV6,
		SFLOW_EXTENDED_SWITCH, SFLOW_IPV4_TUNNEL_INGRESS, SFLOW_IPV6_TUNNEL_INGRESS,
		SFLOW_OURS_END};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		size_t at;

		head(1, 1, i + 1, 1);
		at = flow(4, 2);
		record(SFLOW_SAMPLED_HEADER, "0000000b 00000578 00000000 00000028" IP4 TCP);
		record(formats[i], "00000064 00000005");
		end(at);
		assert_int_equal(read_wire(), -EINVAL);
	}
	assert_int_equal(got.n, 0);
}

/* The work is bounded by the octets: a datagram of nothing but the smallest things there are. */
static void small_things(void **state)
{
	size_t at;

	(void)state;
	head(1, 1, 1, 0xffffffff);
	while (wire.size < 65000)
		buf_u64(&wire, 0);
	assert_int_equal(read_wire(), -EINVAL);
	assert_int_equal(got.n, 0);
	head(1, 1, 2, 1);
	at = flow(4, 0xffffffff);
	while (wire.size < 65000)
		buf_u64(&wire, 0);
	end(at);
	assert_int_equal(read_wire(), -EINVAL);
	/* More collected fields than there are fields. */
	head(1, 1, 3, 1);
	at = flow(4, 2);
	record(SFLOW_SAMPLED_HEADER, "0000000b 00000578 00000000 00000028" IP4 TCP);
	size_t in = begin(SFLOW_OURS_COLLECTED);
	put("0000f000");
	while (wire.size < 65000)
		put("00010000");
	end(in);
	end(at);
	assert_int_equal(read_wire(), -EINVAL);
	assert_int_equal(got.n, 0);
	assert_int_equal(sflow_counters(reader)->malformed, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(flow_sample, up, down),
		cmocka_unit_test_setup_teardown(first_headers, up, down),
		cmocka_unit_test_setup_teardown(sluices, up, down),
		cmocka_unit_test_setup_teardown(as_written, up, down),
		cmocka_unit_test_setup_teardown(tunnels_of_others, up, down),
		cmocka_unit_test_setup_teardown(not_for_us, up, down),
		cmocka_unit_test_setup_teardown(lost_datagrams, up, down),
		cmocka_unit_test_setup_teardown(many_exporters, up, down),
		cmocka_unit_test_setup_teardown(truncated, up, down),
		cmocka_unit_test_setup_teardown(words_that_lie, up, down),
		cmocka_unit_test_setup_teardown(short_structures, up, down),
		cmocka_unit_test_setup_teardown(small_things, up, down),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&wire);
	return failed;
}
