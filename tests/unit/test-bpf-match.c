/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of BPF in matches: what octets they see, their text, and that they say what plain code
 * says of random packets. */

#include "datapath/bpf.h"
#include "tests/unit/bed.h"

static struct datapath dp;

/* ---- What they see ------------------------------------------------------------------------- */

static struct match match_of(const char *text)
{
	char copy[512], *rest = copy, *name, *value;
	struct match m = {0};
	struct refusal r;

	snprintf(copy, sizeof copy, "%s", text);
	while (match_next_word(&rest, &name, &value, &r) > 0)
		if (match_parse_word(&m, name, value, &r))
			fail_msg("%s: %s", text, r.text);
	assert_int_equal(match_finish(&m, &r), 0);
	return m;
}

static bool met(const char *text, const struct pkt *p)
{
	struct match m = match_of(text);
	struct probe s = {
		.key = key_view_of(&p->key, &p->outer->key), .worker = dp.worker[0], .pkt = p};

	return match_met(&m, &s);
}

/* Ethernet, IPv4 and UDP with `n` octets behind: 0, 1, 2 … */
static size_t make_udp(uint8_t *f, size_t n)
{
	memset(f, 0, 42);
	put_be16(f + 12, 0x0800);
	f[14] = 0x45;
	put_be16(f + 16, (uint16_t)(28 + n));
	f[22] = 64;
	f[23] = 17;
	put_be32(f + 26, 0x0a000001);
	put_be32(f + 30, 0x0a000002);
	put_be16(f + 34, 1234);
	put_be16(f + 36, 53);
	put_be16(f + 38, (uint16_t)(8 + n));
	for (size_t i = 0; i < n; i++)
		f[42 + i] = (uint8_t)i;
	return 42 + n;
}

static struct pkt *pkt_of(const uint8_t *f, size_t size, size_t piece)
{
	struct pkt *p = bed_pkt(dp.worker[0], f, size, piece);

	pkt_parse(dp.worker[0], p);
	return p;
}

static void headers_alone_unless_asked(void **state)
{
	static const size_t pieces[] = {42, 60, 100, 3000};
	uint8_t f[1000];
	size_t size = make_udp(f, 400);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct pkt *p = pkt_of(f, size, pieces[i]);

		assert_true(met("bpf=\"udp dst port 53\"", p));
		assert_false(met("bpf=\"udp dst port 54\"", p));
		assert_true(met("bpf=!\"udp dst port 54\"", p));
		assert_true(met("bpf=\"len == 428\"", p)); /* the IP packet's own length */
		assert_false(met("bpf=\"udp[8] == 0\"", p));
		assert_false(met("bpf=\"udp[8] != 0\"", p));
		assert_true(met("bpf=!\"udp[8] == 0\"", p));
		assert_true(met("bpf=\"udp[8] == 0\",payload=yes", p));
		assert_true(met("bpf=\"udp[8+100] == 100\",payload=yes", p));
		/* 256 octets from the IP header on, and no more, however they lie. */
		assert_true(met("bpf=\"ip[255] == 227\",payload=yes", p));
		assert_false(met("bpf=\"ip[256] == 228\",payload=yes", p));
		/* One may, the other may not. */
		assert_true(met("bpf=\"udp[8] == 0\",payload=yes,bpf=!\"udp[9] == 1\"", p));
		assert_true(met("outer_bpf=\"ether[12:2] == 0x800 and len == 442\"", p));
		assert_false(met("outer_bpf=\"ether[42] == 0\"", p));
		pkt_free(dp.worker[0], p);
	}
	bed_all_home(dp.worker[0]);
}

static void what_is_not_ip_is_not_taken(void **state)
{
	uint8_t f[60] = {[12] = 0x88, [13] = 0xb5, [14] = 0x45};
	struct pkt *p = pkt_of(f, sizeof f, 3000);

	(void)state;
	assert_false(met("bpf=\"1,6 0 0 1\"", p));
	assert_true(met("bpf=!\"1,6 0 0 1\"", p));
	assert_true(met("outer_bpf=\"ether proto 0x88b5\"", p));
	pkt_free(dp.worker[0], p);
}

/* Frames of 60 octets are filled up: that is not the packet's length. */
static void filling_does_not_count(void **state)
{
	uint8_t f[60] = {0};
	struct pkt *p;

	(void)state;
	make_udp(f, 0);
	p = pkt_of(f, sizeof f, 3000);
	assert_true(met("bpf=\"len == 28\"", p));
	assert_false(met("bpf=\"ip[28] == 0\",payload=yes", p));
	pkt_free(dp.worker[0], p);
}

static void only_a_key_says_nothing(void **state)
{
	struct match m = match_of("bpf=\"udp\""), not_m = match_of("bpf=!\"udp\"");
	struct du_key du = {.eth_type = htobe16(0x0800)};
	struct outer_key outer = {0};
	struct probe s = {.key = key_view_of(&du, &outer)};
	struct key_view view = s.key;

	(void)state;
	assert_false(match_hits(&m, &view));
	assert_false(match_hits(&not_m, &view));
	assert_false(match_met(&not_m, &s));
	assert_true(s.unknown);
	assert_true(s.fleeting);
}

/* A snapshot's headers answer; what they do not have is not known. */
static void snapshots_answer(void **state)
{
	uint8_t f[100];
	struct probe_octets octets = {.data = f, .size = 42, .len = 442, .l3 = 14};
	struct du_key du = {.eth_type = htobe16(0x0800)};
	struct outer_key outer = {0};
	struct probe s = {.key = key_view_of(&du, &outer), .octets = &octets};
	struct match m = match_of("bpf=\"udp dst port 53\"");

	(void)state;
	make_udp(f, 400 - 342);
	put_be16(f + 16, 428);
	assert_true(match_met(&m, &s) && !s.unknown);
	m = match_of("bpf=\"udp dst port 54\"");
	assert_true(!match_met(&m, &s) && !s.unknown);
	m = match_of("bpf=\"udp[8] == 0\"");
	assert_true(!match_met(&m, &s) && !s.unknown);
	m = match_of("bpf=\"udp[8] == 0\",payload=yes");
	assert_true(!match_met(&m, &s) && s.unknown);
	s.unknown = false;
	m = match_of("outer_bpf=!\"ip\"");
	assert_true(!match_met(&m, &s) && s.unknown);
	s.unknown = false;
	octets.outer = true;
	assert_true(!match_met(&m, &s) && !s.unknown);
}

/* ---- Text of matches ----------------------------------------------------------------------- */

static void text_reads_back(void **state)
{
	static const char *const texts[] = {
		"bpf=\"tcp port 80\"",
		"tcp,bpf=!\"tcp port 80 and src net 10.0.0.0/8\",tcp_dst=!443",
		"bpf=\"udp[8] = 0\",payload=yes",
		"bpf=\"udp[8] = 0\",payload=yes,bpf=!\"port 53\",outer_bpf=\"ip6\"",
		"bpf=\"4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0\"",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		struct match m = match_of(texts[i]), again;
		struct buf out = {0};

		match_format(&m, &out);
		again = match_of(buf_text(&out));
		assert_true(match_equal(&m, &again));
		assert_true(match_covers(&m, &again) && match_overlaps(&m, &again));
		buf_free(&out);
	}
	{
		struct match a = match_of("bpf=\"port 53\""), b = match_of("bpf=!\"port 53\"");
		struct match c = match_of("bpf=\"port 54\""),
			     p = match_of("bpf=\"port 53\",payload=yes");

		assert_false(match_overlaps(&a, &b));
		assert_true(match_overlaps(&a, &c));
		assert_false(match_covers(&a, &b) || match_covers(&a, &c) || match_covers(&a, &p));
		assert_true(match_overlaps(&b, &p)); /* they see different octets */
	}
}

static void text_refused(void **state)
{
	static const char *const texts[] = {
		"bpf=",
		"bpf",
		"bpf=\"\"",
		"bpf=!",
		"bpf=!!\"ip\"",
		"payload=yes",
		"outer_bpf=\"ip\",payload=yes",
		"bpf=\"ip\",payload=maybe",
		"bpf=\"ip\"x",
		"bpf=\"ip\",bpf=\"ip\"",
		"bpf=\"ip",
		"bpf=\"i\"p\"",
		"bpf=\"ip\"\"tcp\"",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		char copy[100], *rest = copy, *name, *value;
		struct match m = {0};
		struct refusal r;
		int more, error = 0;

		snprintf(copy, sizeof copy, "%s", texts[i]);
		while (!error && (more = match_next_word(&rest, &name, &value, &r)) > 0)
			error = match_parse_word(&m, name, value, &r);
		if (!error && more >= 0)
			fail_msg("%s was accepted", texts[i]);
	}
}

/* ---- Twins --------------------------------------------------------------------------------- */

/* A random packet, and programs of which plain code knows the answer. */
struct facts {
	uint8_t proto, ttl, flags;
	uint16_t sport, dport, len;
	uint32_t src, dst;
};

static size_t random_packet(struct facts *k, uint8_t *f)
{
	bool tcp = random() % 2;
	size_t n = (size_t)random() % 60, header = tcp ? 20 : 8;

	*k = (struct facts){.proto = tcp ? 6 : 17,
			    .ttl = (uint8_t)(random() % 8),
			    .flags = (uint8_t)(random() % 32),
			    .sport = (uint16_t)(random() % 8),
			    .dport = (uint16_t)(random() % 8),
			    .len = (uint16_t)(20 + header + n),
			    .src = 0x0a000000 + (uint32_t)(random() % 8),
			    .dst = 0x0a000000 + (uint32_t)(random() % 8)};
	make_udp(f, n + header - 8);
	f[22] = k->ttl;
	f[23] = k->proto;
	put_be16(f + 16, k->len);
	put_be32(f + 26, k->src);
	put_be32(f + 30, k->dst);
	put_be16(f + 34, k->sport);
	put_be16(f + 36, k->dport);
	if (tcp) {
		memset(f + 38, 0, 16);
		f[46] = 0x50;
		f[47] = k->flags;
	}
	return 14 + (size_t)k->len;
}

static bool random_program(const struct facts *k, char *text)
{
	unsigned n = (unsigned)random() % 8;

	switch (random() % 9) {
	case 0:
		sprintf(text, "tcp dst port %u", n);
		return k->proto == 6 && k->dport == n;
	case 1:
		sprintf(text, "port %u", n);
		return k->dport == n || k->sport == n;
	case 2:
		sprintf(text, "ip[8] < %u", n);
		return k->ttl < n;
	case 3:
		sprintf(text, "src host 10.0.0.%u", n);
		return k->src == 0x0a000000 + n;
	case 4:
		sprintf(text, "dst net 10.0.0.%u/30", n & 4);
		return (k->dst & ~3u) == 0x0a000000 + (n & 4);
	case 5:
		n |= 1; /* libpcap's optimiser forgets where headers end after `& 0` */
		sprintf(text, "tcp[tcpflags] & %u != 0", n);
		return k->proto == 6 && k->flags & n;
	case 6:
		sprintf(text, "greater %u", 30 + n * 4);
		return k->len >= 30 + n * 4;
	case 7:
		sprintf(text, "portrange %u-%u", n, n + 2);
		return (k->dport >= n && k->dport <= n + 2) || (k->sport >= n && k->sport <= n + 2);
	default:
		sprintf(text, "udp");
		return k->proto == 17;
	}
}

static bool is_taken(const char *match)
{
	char copy[256], *rest = copy, *name, *value;
	struct match m = {0};
	struct refusal r;

	snprintf(copy, sizeof copy, "%s", match);
	if (match_next_word(&rest, &name, &value, &r) > 0 && !match_parse_word(&m, name, value, &r))
		return true;
	if (!strstr(r.text, "rejects all packets"))
		fail_msg("%s: %s", match, r.text);
	return false;
}

static void programs_say_what_code_says(void **state)
{
	unsigned n_met = 0;

	(void)state;
	srandom(4);
	for (unsigned i = 0; i < 4000; i++) {
		bool want[2], negated = random() % 2, both = random() % 2;
		char text[2][64], match[256];
		struct facts k;
		uint8_t f[200];
		size_t size = random_packet(&k, f);
		struct pkt *p = pkt_of(f, size, 54 + (size_t)random() % 200);

		want[0] = random_program(&k, text[0]);
		want[1] = random_program(&k, text[1]);
		snprintf(match, sizeof match, "bpf=%s\"(%s) %s (%s)\"", negated ? "!" : "", text[0],
			 both ? "and" : "or", text[1]);
		if (!is_taken(match)) { /* no packet can have both */
			pkt_free(dp.worker[0], p);
			continue;
		}
		if (met(match, p) != ((both ? want[0] && want[1] : want[0] || want[1]) != negated))
			fail_msg("%s", match);
		n_met += met(match, p);
		pkt_free(dp.worker[0], p);
		if (i % 16 == 0)
			bpf_turn();
	}
	assert_in_range(n_met, 1000, 3000);
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
	datapath_destroy(&dp);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_alone_unless_asked),
		cmocka_unit_test(what_is_not_ip_is_not_taken),
		cmocka_unit_test(filling_does_not_count),
		cmocka_unit_test(only_a_key_says_nothing),
		cmocka_unit_test(snapshots_answer),
		cmocka_unit_test(text_reads_back),
		cmocka_unit_test(text_refused),
		cmocka_unit_test(programs_say_what_code_says),
	};

	return cmocka_run_group_tests(tests, up, down);
}
