/* SPDX-License-Identifier: Apache-2.0 */
/* The parser: expected keys beside octets, and named refusals for broken ones. */
#include "datapath/parse.h"
#include "lib/hash.h"
#include "tests/unit/bed.h"

static struct datapath dp;

static size_t octets_of(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; *hex; hex++) {
		unsigned v;

		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		out[n++] = (uint8_t)v;
		hex++;
	}
	return n;
}

static int parse(const char *hex, struct pkt **p)
{
	uint8_t data[2048];
	size_t n = octets_of(hex, data);

	*p = bed_pkt(dp.worker[0], data, n, 3000);
	return pkt_parse(dp.worker[0], *p);
}

#define ETH         "020000000002 020000000001 "
#define UDP4(TOTAL) "4500" TOTAL "00010000 4011 0000 0a000001 0a000002 "

static void udp4(void **state)
{
	struct pkt *p;

	(void)state;
	assert_int_equal(
		parse(ETH "0800 45b9001e0001000040110000 0a000001 0a000002 04d2 0035 000a 0000 6869"
			  " 000000000000",
		      &p),
		-1);
	assert_int_equal(be16toh(p->key.eth_type), 0x0800);
	assert_int_equal(p->key.ip_dscp, 0x2e);
	assert_int_equal(p->key.ip_ecn, 1);
	assert_int_equal(p->key.ip_ttl, 64);
	assert_int_equal(p->key.ip_proto, 17);
	assert_int_equal(get_be32(p->key.ip_src), 0x0a000001);
	assert_int_equal(get_be32(p->key.ip_dst), 0x0a000002);
	assert_int_equal(be16toh(p->key.tp_src), 1234);
	assert_int_equal(be16toh(p->key.tp_dst), 53);
	assert_int_equal(p->l3, 14);
	assert_int_equal(p->l4, 34);
	assert_int_equal(p->payload, 42);
	assert_int_equal(be32toh(p->key.pkt_len), 50);
	pkt_free(dp.worker[0], p);
}

static void vlan_tcp_with_options(void **state)
{
	struct pkt *p;

	(void)state;
	assert_int_equal(
		parse(ETH "8100 a064 0800 4600002c00010000 4006 0000 0a000001 0a000002 01010101"
			  " 1f90 0050 00000001 00000002 5012 1000 0000 0000",
		      &p),
		-1);
	assert_int_equal(be16toh(p->key.vlan_vid), 0x1064);
	assert_int_equal(p->key.vlan_pcp, 5);
	assert_int_equal(p->l3, 18);
	assert_int_equal(p->l4, 42);
	assert_int_equal(be16toh(p->key.tcp_flags), 0x12);
	assert_int_equal(be16toh(p->key.tp_src), 8080);
	pkt_free(dp.worker[0], p);
}

static void fragments_have_no_ports(void **state)
{
	struct pkt *p;

	(void)state;
	assert_int_equal(
		parse(ETH "0800 4500001e00010005 4011 0000 0a000001 0a000002 04d20035000a00006869",
		      &p),
		-1);
	assert_int_equal(p->key.ip_frag, IP_FRAG_ANY | IP_FRAG_LATER);
	assert_int_equal(p->key.tp_src, 0);
	assert_int_equal(p->l4, 0);
	pkt_free(dp.worker[0], p);
	assert_int_equal(
		parse(ETH "0800 4500001e00012000 4011 0000 0a000001 0a000002 04d20035000a00006869",
		      &p),
		-1);
	assert_int_equal(p->key.ip_frag, IP_FRAG_ANY);
	assert_int_equal(be16toh(p->key.tp_dst), 53);
	pkt_free(dp.worker[0], p);
}

#define A6 "20010db8000000000000000000000001 20010db8000000000000000000000002 "

static void ipv6_with_extensions(void **state)
{
	struct pkt *p;

	(void)state;
	/* hop-by-hop, destination options, fragment (first), UDP */
	assert_int_equal(parse(ETH "86dd 6b9abcde 0020 00 40 " A6
				   "3c00010400000000 2c00010400000000"
				   " 1100000100000001 04d2003500080000",
			       &p),
			 -1);
	assert_int_equal(p->key.ip_dscp, 0x2e);
	assert_int_equal(p->key.ip_ecn, 1);
	assert_int_equal(be32toh(p->key.ipv6_flabel), 0xabcde);
	assert_int_equal(p->key.ip_proto, 17);
	assert_int_equal(p->key.ip_frag, IP_FRAG_ANY);
	assert_int_equal(be16toh(p->key.tp_src), 1234);
	assert_int_equal(p->l4, 14 + 40 + 24);
	pkt_free(dp.worker[0], p);
}

static void neighbour_solicitation(void **state)
{
	struct pkt *p;

	(void)state;
	assert_int_equal(parse(ETH "86dd 60000000 0020 3a ff " A6 "8700000000000000"
				   "fe800000000000000000000000000009 0101020000000011",
			       &p),
			 -1);
	assert_int_equal(p->key.icmp_type, 135);
	assert_int_equal(p->key.nd_target[15], 9);
	assert_int_equal(p->key.hw_src[5], 0x11);
	pkt_free(dp.worker[0], p);
}

static void arp_and_mpls(void **state)
{
	struct pkt *p;

	(void)state;
	assert_int_equal(
		parse("ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a000001"
		      " 000000000000 0a000002",
		      &p),
		-1);
	assert_int_equal(be16toh(p->key.arp_op), 1);
	assert_int_equal(get_be32(p->key.ip_src), 0x0a000001);
	assert_int_equal(get_be32(p->key.ip_dst), 0x0a000002);
	assert_int_equal(p->key.hw_src[5], 1);
	pkt_free(dp.worker[0], p);
	assert_int_equal(parse(ETH "8847 000647ff 00000000", &p), -1);
	assert_int_equal(be32toh(p->key.mpls_label), 0x64);
	assert_int_equal(p->key.mpls_tc, 3);
	assert_int_equal(p->key.mpls_bos, 1);
	pkt_free(dp.worker[0], p);
}

static void refusals(void **state)
{
	static const struct {
		const char *hex;
		int reason;
	} cases[] = {
		{"020000000002 0200", DROP_ETH_SHORT},
		{ETH "8100 00", DROP_ETH_SHORT},
		{ETH "0800 4500", DROP_IP_SHORT},
		{ETH "0800 4500001e00010000401100000a0000010a00000204d2", DROP_IP_SHORT},
		{ETH "0800 3500001400010000401100000a0000010a000002", DROP_IP_HEADER},
		{ETH "0800 4400001400010000401100000a0000010a000002", DROP_IP_HEADER},
		{ETH "0800 4500001300010000401100000a0000010a000002", DROP_IP_HEADER},
		{ETH "86dd 6000", DROP_IP_SHORT},
		{ETH "86dd 40000000 0000 11 40 " A6, DROP_IP_HEADER},
		{ETH "86dd 60000000 0010 11 40 " A6 "0000", DROP_IP_SHORT},
		{ETH "86dd 60000000 0008 00 40 " A6 "11ff000000000000", DROP_IP_SHORT},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pkt *p;

		assert_int_equal(parse(cases[i].hex, &p), cases[i].reason);
		pkt_free(dp.worker[0], p);
	}
}

/* Headers that go on beyond 256 octets. */
static void headers_too_long(void **state)
{
	struct worker *w = dp.worker[0];
	uint8_t data[600];
	size_t n = octets_of(ETH "86dd 60000000 0200 00 40 " A6, data);
	struct pkt *p;

	(void)state;
	memset(data + n, 0, sizeof data - n);
	data[n] = 60;
	data[n + 1] = 40; /* 328 octets of options */
	p = bed_pkt(w, data, n + 512, 3000);
	assert_int_equal(pkt_parse(w, p), DROP_HEADERS_TOO_LONG);
	pkt_free(w, p);
}

/* A header alone, as samples have it: any first header, cut anywhere without harm. */
static void headers_alone(void **state)
{
	uint8_t data[256];
	uint32_t n = (uint32_t)octets_of("4500 05dc 00010000 4006 0000 0a000001 0a000002"
					 "1f90 0050 00000001 00000002 5012 1000 0000 0000",
					 data);
	struct headers h = {.data = data, .size = n, .whole = 1500, .cut = true};
	struct du_key k = {0};

	(void)state;
	assert_int_equal(headers_parse(&h, HEADERS_IPV4, &k), HEADERS_PARSED);
	assert_int_equal(be16toh(k.eth_type), 0x0800);
	assert_int_equal(be16toh(k.tp_dst), 80);
	assert_int_equal(be16toh(k.tcp_flags), 0x12);
	assert_int_equal(h.l4, 20);
	assert_int_equal(h.payload, 40);
	/* The transport header is cut off: its place is known. */
	h = (struct headers){.data = data, .size = 26, .whole = 1500, .cut = true};
	k = (struct du_key){0};
	assert_int_equal(headers_parse(&h, HEADERS_IPV4, &k), HEADERS_PARSED);
	assert_int_equal(k.ip_proto, 6);
	assert_int_equal(k.tp_dst, 0);
	assert_int_equal(h.l4, 0);
	assert_int_equal(h.payload, 20);
	h = (struct headers){.data = data, .size = 12, .whole = 1500, .cut = true};
	assert_int_equal(headers_parse(&h, HEADERS_IPV4, &k), DROP_HEADERS_TOO_LONG);
	h = (struct headers){.data = data, .size = n, .whole = n};
	assert_int_equal(headers_parse(&h, HEADERS_IPV4, &k), DROP_IP_SHORT);

	n = (uint32_t)octets_of("60000000 0008 11 40 " A6 "04d2003500080000", data);
	h = (struct headers){.data = data, .size = n, .whole = n};
	k = (struct du_key){0};
	assert_int_equal(headers_parse(&h, HEADERS_IPV6, &k), HEADERS_PARSED);
	assert_int_equal(be16toh(k.eth_type), 0x86dd);
	assert_int_equal(be16toh(k.tp_src), 1234);

	n = (uint32_t)octets_of("0000a140", data);
	h = (struct headers){.data = data, .size = n, .whole = n};
	k = (struct du_key){0};
	assert_int_equal(headers_parse(&h, HEADERS_MPLS, &k), HEADERS_PARSED);
	assert_int_equal(be16toh(k.eth_type), 0x8847);
	assert_int_equal(be32toh(k.mpls_label), 10);
	assert_int_equal(h.payload, 4);
}

/* Nothing is read beyond the packet, whatever its octets (run under ASan with exact buffers by the
 * fuzz target; here: no crash, and a reason within bounds). */
static void random_octets(void **state)
{
	struct worker *w = dp.worker[0];
	uint8_t data[300];

	(void)state;
	srand(3);
	for (unsigned i = 0; i < 100000; i++) {
		static const uint16_t types[] = {0x800, 0x86dd, 0x806, 0x8100, 0x8847};
		size_t n = (size_t)rand() % sizeof data;
		struct pkt *p;
		int reason;

		for (size_t k = 0; k < sizeof data; k++)
			data[k] = (uint8_t)rand();
		put_be16(data + 12, types[rand() % 5]);
		data[14] = (uint8_t)(rand() % 2 ? 0x45 : 0x60);
		put_be16(data + 16, (uint16_t)(rand() % 320));
		p = bed_pkt(w, data, n, 3000);
		reason = pkt_parse(w, p);
		assert_in_range(reason + 1, 0, N_DROPS);
		assert_true(p->l3 <= p->len && p->l4 <= p->len && p->payload <= p->len);
		pkt_free(w, p);
	}
}

static int up(void **state)
{
	(void)state;
	bed_up(&dp, 1);
	return 0;
}

static int down(void **state)
{
	(void)state;
	bed_all_home(dp.worker[0]);
	datapath_destroy(&dp);
	return 0;
}

/* A plain packet takes a short way through the parser: it finds what the long way finds, which is
 * taken without the Ethernet header. */
static void plain_packets(void **state)
{
	unsigned plain = 0;

	(void)state;
	srandom(7);
	for (unsigned n = 0; n < 200000; n++) {
		uint8_t f[96] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45}, *ip = f + 14;
		struct headers a = {.data = f}, b = {.data = ip};
		struct du_key ka = {0}, kb = {0};
		int ra, rb;

		for (unsigned i = 15; i < sizeof f; i++)
			f[i] = (uint8_t)random();
		a.size = 14 + (uint32_t)random() % (sizeof f - 13);
		a.whole = a.size + (uint32_t)random() % 8;
		put_be16(ip + 2,
			 (uint16_t)(random() % 5 ? a.whole - 14 - random() % 3 : random() % 99));
		put_be16(ip + 6, (uint16_t)(random() % 5 ? 0x4000 : random()));
		ip[9] = random() % 2 ? 17 : 6;
		if (!(random() % 8))
			f[random() % 40] ^= (uint8_t)(1 << random() % 8);
		f[12] = 8, f[13] = 0;
		ip[32] = (uint8_t)(random() % 4 ? 0x50 : random());
		a.cut = b.cut = a.size < a.whole;
		b.size = a.size - 14;
		b.whole = a.whole - 14;
		ra = headers_parse(&a, HEADERS_ETHERNET, &ka);
		rb = headers_parse(&b, HEADERS_IPV4, &kb);
		assert_int_equal(ra, rb);
		if (ra != HEADERS_PARSED)
			continue;
		plain += a.l4 && ka.ip_proto;
		assert_memory_equal(ka.eth_dst, f, 6);
		assert_memory_equal(ka.eth_src, f + 6, 6);
		memset(ka.eth_dst, 0, 6);
		memset(ka.eth_src, 0, 6);
		assert_memory_equal(&ka, &kb, sizeof ka);
		assert_int_equal(a.l3, b.l3 + 14);
		assert_int_equal(a.l4, b.l4 ? b.l4 + 14 : 0);
		assert_int_equal(a.payload, b.payload + 14);
	}
	assert_true(plain > 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp4),
		cmocka_unit_test(vlan_tcp_with_options),
		cmocka_unit_test(fragments_have_no_ports),
		cmocka_unit_test(ipv6_with_extensions),
		cmocka_unit_test(neighbour_solicitation),
		cmocka_unit_test(arp_and_mpls),
		cmocka_unit_test(refusals),
		cmocka_unit_test(headers_too_long),
		cmocka_unit_test(headers_alone),
		cmocka_unit_test(random_octets),
		cmocka_unit_test(plain_packets),
	};

	return cmocka_run_group_tests(tests, up, down);
}
