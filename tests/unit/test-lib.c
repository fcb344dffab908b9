/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, checksums, cursors and hashes against known values and naive twins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/addr.h"
#include "lib/csum.h"
#include "lib/cursor.h"
#include "lib/hash.h"

static void addresses_round_trip(void **state)
{
	static const char *const good[] = {"0.0.0.0",     "10.1.2.3", "255.255.255.255", "::",
					   "2001:db8::1", "fe80::1",  "::ffff:192.0.2.1"};
	char buf[IP_TEXT];
	struct ip ip;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(ip_parse(good[i], &ip));
		assert_int_equal(ip.family, strchr(good[i], ':') ? 6 : 4);
		assert_string_equal(ip_text(&ip, buf), good[i]);
	}
	assert_true(ip_parse("10.1.2.3", &ip));
	assert_int_equal(ip_as_v4(&ip), htobe32(0x0a010203));
	struct ip same = ip_v4(htobe32(0x0a010203));
	assert_true(ip_equal(&ip, &same));
	assert_int_equal(ip_hash(&ip), ip_hash(&same));
	struct ip other = ip_v6(ip.octet);
	assert_false(ip_equal(&ip, &other));
	assert_int_not_equal(ip_hash(&ip), ip_hash(&other));
	ip = (struct ip){0};
	assert_string_equal(ip_text(&ip, buf), "none");
}

static void bad_addresses_are_refused(void **state)
{
	static const char *const bad[] = {"",         "10.1.2",    "10.1.2.3.4", "10.1.2.256",
					  " 1.2.3.4", "1.2.3.4 ",  "1.2.3.4/8",  "01.2.3.4",
					  ":",        "1::2::3",   "12345::",    "fe80::1%eth0",
					  "::1/128",  "localhost", "0x0a010203"};
	struct ip ip = ip_v4(7), before = ip;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(ip_parse(bad[i], &ip));
		assert_true(ip_equal(&ip, &before));
	}
}

static bool within(const char *addr, const char *prefix)
{
	struct ip_prefix p;
	struct ip ip;

	assert_true(ip_parse(addr, &ip));
	assert_true(ip_prefix_parse(prefix, &p));
	return ip_in_prefix(&ip, &p);
}

static void prefixes(void **state)
{
	static const char *const bad[] = {"",
					  "/8",
					  "10.0.0.0/",
					  "10.0.0.0/33",
					  "10.0.0.0/-1",
					  "10.0.0.0/8 ",
					  "10.0.0.0/+8",
					  "10.0.0.0/08",
					  "::/129",
					  "::/1280",
					  "10.0.0.0/8/8",
					  "10.0.0.0/a",
					  "00000000000000000000000000000000000000000000000000::/8"};
	struct ip_prefix p = {.len = 77};
	char buf[PREFIX_TEXT];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(ip_prefix_parse(bad[i], &p));
	assert_int_equal(p.len, 77);
	assert_true(ip_prefix_parse("10.0.0.1", &p));
	assert_string_equal(ip_prefix_text(&p, buf), "10.0.0.1/32");
	assert_true(ip_prefix_parse("2001:db8::/0", &p));
	assert_string_equal(ip_prefix_text(&p, buf), "2001:db8::/0");
	assert_true(ip_prefix_parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &p));
	assert_string_equal(ip_prefix_text(&p, buf), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");

	assert_true(within("10.200.0.1", "10.0.0.0/8"));
	assert_true(within("10.200.0.1", "10.1.2.3/8"));
	assert_false(within("11.0.0.1", "10.0.0.0/8"));
	assert_true(within("10.0.1.255", "10.0.0.0/23"));
	assert_false(within("10.0.2.0", "10.0.0.0/23"));
	assert_true(within("1.2.3.4", "0.0.0.0/0"));
	assert_false(within("::1", "0.0.0.0/0"));
	assert_true(within("1.2.3.4", "1.2.3.4"));
	assert_false(within("1.2.3.5", "1.2.3.4/32"));
	assert_true(within("2001:db8:8000::", "2001:db8:8000::/33"));
	assert_false(within("2001:db8::", "2001:db8:8000::/33"));
	assert_false(within("::2", "::3/128"));
}

static void multicast_and_ethernet(void **state)
{
	static const char *const bad[] = {"",
					  "02:00:00:00:00",
					  "02:00:00:00:00:0",
					  "02-00-00-00-00-01",
					  "02:00:00:00:00:0g",
					  "02:00:00:00:00:001",
					  "2:0:0:0:0:1",
					  "02:00:00:00:00:01:02"};
	static const struct {
		const char *text;
		bool multicast;
	} cases[] = {{"224.0.0.1", true},  {"239.255.0.1", true}, {"240.0.0.1", false},
		     {"223.1.1.1", false}, {"ff02::1", true},     {"fe80::1", false}};
	uint8_t eth[6] = {1, 2, 3, 4, 5, 6};
	char buf[ETH_TEXT];
	struct ip ip;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(ip_parse(cases[i].text, &ip));
		assert_int_equal(ip_is_multicast(&ip), cases[i].multicast);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(eth_parse(bad[i], eth));
	assert_string_equal(eth_text(eth, buf), "01:02:03:04:05:06");
	assert_true(eth_is_multicast(eth));
	assert_true(eth_parse("02:aB:Cd:ef:09:90", eth));
	assert_string_equal(eth_text(eth, buf), "02:ab:cd:ef:09:90");
	assert_false(eth_is_multicast(eth));
}

/* RFC 1071, 4.1, octet by octet. */
static uint16_t naive_csum(const uint8_t *p, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

static void fill(uint8_t *p, size_t size)
{
	/* Runs of ones make carries. */
	int ones = random() % 3;

	for (size_t i = 0; i < size; i++)
		p[i] = ones ? (uint8_t)random() : 0xff;
}

static void csum_equals_its_twin(void **state)
{
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	uint8_t room[2100];

	(void)state;
	/* The example of RFC 1071, 3. */
	assert_int_equal(be16toh(csum(example, sizeof example)), (uint16_t)~0xddf2);
	assert_int_equal(csum(example, 0), 0xffff);
	for (unsigned i = 0; i < 20000; i++) {
		size_t at = (size_t)random() % 9, size = (size_t)random() % (i % 8 ? 100 : 2048);
		size_t cut = (size_t)random() % (size + 1) & ~(size_t)1;
		uint32_t sum;

		fill(room, at + size);
		sum = csum_add(0, room + at, cut);
		sum = csum_add(sum, room + at + cut, size - cut);
		assert_int_equal(be16toh(csum_finish(sum)), naive_csum(room + at, size));
		assert_int_equal(be16toh(csum(room + at, size)), naive_csum(room + at, size));
	}
}

static void csum_update_equals_a_fresh_sum(void **state)
{
	uint8_t data[128], fresh[64];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		size_t at = 2 + (size_t)random() % 30 * 2, size = (size_t)random() % 32 * 2;
		be16 sum;

		fill(data, sizeof data);
		data[0] = 1; /* all zeros have two sums */
		fill(fresh, size);
		sum = csum(data, sizeof data);
		sum = csum_update(sum, data + at, fresh, size);
		memcpy(data + at, fresh, size);
		assert_int_equal(sum, csum(data, sizeof data));
	}
}

/* The example of RFC 1624, 4: equation 3 gives 0x0000 where equation 2 gave 0xffff. */
static void csum_update_knows_its_zero(void **state)
{
	const uint8_t old[] = {0x55, 0x55}, fresh[] = {0x32, 0x85};

	(void)state;
	assert_int_equal(csum_update(htobe16(0xdd2f), old, fresh, 2), 0);
}

static void csum_pseudo_is_the_header_s_sum(void **state)
{
	uint8_t v6[40] = {0}, v4[12] = {192, 0, 2, 1, 198, 51, 100, 7, 0, IPPROTO_UDP, 0x12, 0x34};

	(void)state;
	assert_int_equal(csum_finish(csum_pseudo(v4, v4 + 4, 4, IPPROTO_UDP, 0x1234)),
			 csum(v4, sizeof v4));
	fill(v6, 32);
	put_be32(v6 + 32, 0x12345);
	v6[39] = IPPROTO_TCP;
	assert_int_equal(csum_finish(csum_pseudo(v6, v6 + 16, 16, IPPROTO_TCP, 0x12345)),
			 csum(v6, sizeof v6));
}

static void a_reader_never_passes_its_end(void **state)
{
	static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
	struct reader r = reader_of(data, sizeof data), inner;

	(void)state;
	assert_int_equal(pull_u8(&r), 1);
	assert_int_equal(pull_u16(&r), 0x0203);
	assert_int_equal(pull_u32(&r), 0x04050607);
	assert_true(pull_u64(&r) == 0x08090a0b0c0d0e0full);
	assert_int_equal(reader_left(&r), 2);
	inner = pull_reader(&r, 1);
	assert_int_equal(pull_u8(&inner), 16);
	assert_int_equal(pull_u8(&inner), 0);
	assert_true(inner.failed);
	assert_false(r.failed);
	assert_int_equal(pull_u16(&r), 0);
	assert_true(r.failed);
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(pull_u8(&r), 0); /* one octet is left, but it stays failed */
	assert_null(pull(&r, 0));
	inner = pull_reader(&r, 1);
	assert_true(inner.failed);

	r = reader_of(data, 4);
	assert_null(pull(&r, SIZE_MAX));
	assert_true(r.failed);
	r = reader_of(NULL, 0);
	assert_non_null(pull(&r, 0));
	assert_false(r.failed);
	assert_int_equal(pull_u8(&r), 0);
	assert_true(r.failed);
}

static void a_buffer_grows(void **state)
{
	struct buf b = {0};
	struct reader r;

	(void)state;
	assert_string_equal(buf_text(&b), "");
	assert_non_null(buf_put(&b, 0));
	for (unsigned i = 0; i < 1000; i++) {
		buf_u8(&b, (uint8_t)i);
		buf_u16(&b, (uint16_t)i);
		buf_u32(&b, i);
		buf_u64(&b, i * 0x100000001ull);
		buf_octets(&b, "abc", 3);
		buf_octets(&b, NULL, 0);
		memset(buf_put(&b, 2), 0xff, 1);
	}
	r = reader_of(b.data, b.size);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(pull_u8(&r), (uint8_t)i);
		assert_int_equal(pull_u16(&r), i);
		assert_int_equal(pull_u32(&r), i);
		assert_true(pull_u64(&r) == i * 0x100000001ull);
		assert_memory_equal(pull(&r, 3), "abc", 3);
		assert_int_equal(pull_u16(&r), 0xff00);
	}
	assert_false(r.failed);
	assert_int_equal(reader_left(&r), 0);
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
}

static void a_buffer_holds_text(void **state)
{
	char twin[4096] = "";
	struct buf b = {0};

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		buf_printf(&b, "%u,%s;", i, i % 50 ? "x" : "a longer word");
		sprintf(twin + strlen(twin), "%u,%s;", i, i % 50 ? "x" : "a longer word");
		assert_int_equal(b.size, strlen(twin));
	}
	assert_string_equal(buf_text(&b), twin);
	assert_int_equal(b.size, strlen(twin)); /* the NUL is not counted */
	buf_free(&b);
	buf_printf(&b, "%0500d", 7);
	assert_int_equal(b.size, 500);
	assert_int_equal(buf_text(&b)[499], '7');
	buf_free(&b);
}

/* What differs in the upper bits of one word must not be made good by others, whatever the seed. */
static void nobody_chooses_collisions(void **state)
{
	enum { BITS = 6, N = 1 << BITS };
	static uint64_t seen[N * N / 64 * 1024];
	unsigned same = 0;

	(void)state;
	for (uint64_t i = 0; i < N * N; i++) {
		uint64_t u = i % N, d = i / N;
		uint64_t h = hash_add(hash_seed, 0x20010db800000000 ^ u << (64 - BITS));
		uint32_t hash = hash_finish(hash_add(h, d << (64 - BITS) | d << (32 - BITS)));
		uint64_t *word = &seen[hash % (ARRAY_SIZE(seen) * 64) / 64];

		same += *word >> hash % 64 & 1;
		*word |= 1ull << hash % 64;
	}
	assert_in_range(same, 0, 20); /* of 4,096 in as many places as 4,194,304 */
}

static void hashes_depend_on_all_they_are_given(void **state)
{
	uint8_t data[37] = {0};
	uint32_t plain = hash_bytes(data, sizeof data);
	uint64_t seed = hash_seed;

	(void)state;
	for (unsigned i = 0; i < sizeof data; i++) {
		data[i] ^= 1;
		assert_int_not_equal(hash_bytes(data, sizeof data), plain);
		data[i] ^= 1;
		assert_int_not_equal(hash_bytes(data, i), plain);
	}
	assert_int_equal(hash_bytes(data, sizeof data), plain);
	hash_seed_random();
	assert_true(hash_seed != seed);
	assert_int_not_equal(hash_bytes(data, sizeof data), plain);
	hash_seed = seed;
	for (int c = 0; c < 256; c++) {
		const char *digits = "00112233445566778899aAbBcCdDeEfF";
		const char *at = c ? strchr(digits, c) : NULL;

		assert_int_equal(hex_digit((char)c), at ? (int)(at - digits) / 2 : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_round_trip),
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(multicast_and_ethernet),
		cmocka_unit_test(csum_equals_its_twin),
		cmocka_unit_test(csum_update_equals_a_fresh_sum),
		cmocka_unit_test(csum_update_knows_its_zero),
		cmocka_unit_test(csum_pseudo_is_the_header_s_sum),
		cmocka_unit_test(a_reader_never_passes_its_end),
		cmocka_unit_test(a_buffer_grows),
		cmocka_unit_test(a_buffer_holds_text),
		cmocka_unit_test(nobody_chooses_collisions),
		cmocka_unit_test(hashes_depend_on_all_they_are_given),
	};

	srandom(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
