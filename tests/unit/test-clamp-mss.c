/* SPDX-License-Identifier: Apache-2.0 */
/* clamp_mss: what is larger becomes what is said, with the checksum that a full computation gives;
 * everything else stays as it is to the octet.  The octets were written by scapy. */
#include "tests/unit/route-bed.h"

#include "datapath/action.h"
#include "tests/unit/random.h"

static uint8_t frame[400], expected[400];

static size_t from_hex(const char *hex, uint8_t *to)
{
	size_t n = 0;

	for (; hex[0]; hex += 2)
		to[n++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
	return n;
}

/* Clamps `size` octets of `frame`, in segments of `piece`; the result replaces them. */
static void clamp(size_t size, size_t piece, uint32_t mss)
{
	const struct op op = {.kind = ACTION_CLAMP_MSS, .size = sizeof op, .arg = mss};
	struct pkt *p = keyed(bed_pkt(w, frame, size, piece)), *shared = pkt_clone(w, p);

	assert_int_equal(action_class(ACTION_CLAMP_MSS)->run(w, p, &op), ACT_NEXT);
	bed_bytes(w, shared, frame, size); /* others' octets stay as they are */
	assert_int_equal(p->len, size);
	pkt_copy_out(w, p, 0, p->len, frame);
	consume(w, p, CONSUME_TRACED);
	consume(w, shared, CONSUME_TRACED);
}

static const struct {
	const char *what, *before, *after;
} larger[] = {
	{"first",
	 "02000000000102000000006308004500002c0001000040067cc0c0000201cb0071090fa0"
	 "0019000003e80000000060022000667a0000020405b4",
	 "02000000000102000000006308004500002c0001000040067cc0c0000201cb0071090fa0"
	 "0019000003e80000000060022000671a000002040514"},
	{"odd",
	 "0200000000010200000000630800450000300001000040067cbcc0000201cb0071090fa0"
	 "0019000003e80000000070122000a113000001020405b4010402",
	 "0200000000010200000000630800450000300001000040067cbcc0000201cb0071090fa0"
	 "0019000003e80000000070122000411400000102040514010402"},
	{"v6",
	 "02000000000102000000006386dd600000000020064020010db800000000000000000000"
	 "000120010db80001000000000000000000090fa00019000003e80000000080022000dafb"
	 "00000402020405b4030307000000",
	 "02000000000102000000006386dd600000000020064020010db800000000000000000000"
	 "000120010db80001000000000000000000090fa00019000003e80000000080022000db9b"
	 "0000040202040514030307000000"},
	{"two",
	 "0200000000010200000000630800450000390001000040067cb3c0000201cb0071090fa0"
	 "0019000003e80000000070022000760a0000020405b4020405b466617374206f70656e",
	 "0200000000010200000000630800450000390001000040067cb3c0000201cb0071090fa0"
	 "0019000003e80000000070022000774a0000020405140204051466617374206f70656e"},
};

static void lowers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(larger); i++) {
		size_t size = from_hex(larger[i].before, frame);

		assert_int_equal(from_hex(larger[i].after, expected), size);
		clamp(size, sizeof frame, 1300);
		if (memcmp(frame, expected, size))
			fail_msg("%s: not as it should be", larger[i].what);
		clamp(size, sizeof frame, 1400); /* never raised */
		assert_memory_equal(frame, expected, size);
	}
}

/* A checksum that was wrong is as wrong afterwards: the receiver sees the damage. */
static void keeps_damage(void **state)
{
	size_t size = from_hex(larger[0].before, frame);

	(void)state;
	from_hex(larger[0].after, expected);
	frame[14 + 20 + 5] ^= 0x40; /* of the sequence number */
	expected[14 + 20 + 5] ^= 0x40;
	clamp(size, sizeof frame, 1300);
	assert_memory_equal(frame, expected, size);
}

static const struct {
	const char *what, *octets;
} same[] = {
	{"small", "02000000000102000000006308004500002c0001000040067cc0c0000201cb0071090fa0"
		  "0019000003e800000000600220006a16000002040218"},
	{"none", "02000000000102000000006308004500002c0001000040067cc0c0000201cb0071090fa0"
		 "0019000003e800000000600220006a30000004020000"},
	{"noopt", "0200000000010200000000630800450000280001000040067cc4c0000201cb0071090fa0"
		  "0019000003e800000000500220007e360000"},
	{"no syn", "02000000000102000000006308004500002c0001000040067cc0c0000201cb0071090fa0"
		   "0019000003e80000000060102000666c0000020405b4"},
	{"rst", "02000000000102000000006308004500002c0001000040067cc0c0000201cb0071090fa0"
		"0019000003e8000000006006200066760000020405b4"},
	{"a first fragment",
	 "02000000000102000000006308004500002c0001200040065cc0c0000201cb0071090fa0"
	 "0019000003e80000000060022000667a0000020405b4"},
	{"a later one", "02000000000102000000006308004500002c0001000340067cbdc0000201cb0071090fa0"
			"0019000003e8000000006002200000000000020405b4"},
	{"UDP", "02000000000102000000006308004500002a000700003c1180b1c0000201cb00710903e8"
		"07d0001669f5736563726574207061796c6f6164"},
};

static void leaves(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(same); i++) {
		size_t size = from_hex(same[i].octets, frame);

		memcpy(expected, frame, size);
		clamp(size, sizeof frame, 1300);
		if (memcmp(frame, expected, size))
			fail_msg("%s: was changed", same[i].what);
	}
}

/* Options that contradict themselves, one octet at a time. */
static void malformed(void **state)
{
	static const uint8_t options[][4] = {
		{2, 5, 5, 0xb4}, {2, 3, 5, 0xb4}, {2, 0, 5, 0xb4}, {2, 1, 5, 0xb4},
		{3, 0, 2, 4},    {8, 200, 2, 4},  {1, 1, 1, 2},    {0, 2, 4, 5},
	};
	size_t size = from_hex(larger[0].before, frame);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		memcpy(frame + 14 + 40, options[i], 4);
		memcpy(expected, frame, size);
		clamp(size, sizeof frame, 48);
		assert_memory_equal(frame, expected, size);
	}
	/* A header longer than the packet, and one shorter than itself. */
	from_hex(larger[0].before, frame);
	for (unsigned words = 0; words < 16; words++) {
		frame[14 + 20 + 12] = (uint8_t)(words << 4);
		memcpy(expected, frame, size);
		clamp(size, sizeof frame, 48);
		if (words != 6)
			assert_memory_equal(frame, expected, size);
		from_hex(larger[0].before, frame);
	}
}

/* Headers that do not lie in one segment are left alone; nothing is read behind it. */
static void segments(void **state)
{
	size_t size = from_hex(larger[3].before, frame);

	(void)state;
	for (size_t piece = 54; piece < 62; piece++) {
		memcpy(expected, frame, size);
		clamp(size, piece, 48);
		assert_memory_equal(frame, expected, size);
	}
	from_hex(larger[3].after, expected);
	clamp(size, 62, 1300);
	assert_memory_equal(frame, expected, size);
}

/* Whatever the options are: lengths and other octets stay, and sums that were right are so. */
static void random_options(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t size = 14 + 20 + 60;
		uint8_t *ip = frame + 14, *tcp = ip + 20;
		be16 sum = 0;

		from_hex(larger[0].before, frame);
		put_be16(ip + 2, 80);
		put_be16(ip + 10, 0);
		sum = csum(ip, 20);
		memcpy(ip + 10, &sum, 2);
		tcp[12] = 0xf0;
		for (unsigned i = 20; i < 60; i++)
			tcp[i] = (uint8_t)(rnd() % 3 ? rnd() % 6 : rnd());
		memset(tcp + 16, 0, 2);
		sum = csum_finish(csum_add(csum_pseudo(ip + 12, ip + 16, 4, 6, 60), tcp, 60));
		memcpy(tcp + 16, &sum, 2);
		clamp(size, sizeof frame, 500);
		memcpy(&sum, tcp + 16, 2);
		memset(tcp + 16, 0, 2);
		assert_int_equal(sum, csum_finish(csum_add(csum_pseudo(ip + 12, ip + 16, 4, 6, 60),
							   tcp, 60)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lowers, route_up, route_down),
		cmocka_unit_test_setup_teardown(keeps_damage, route_up, route_down),
		cmocka_unit_test_setup_teardown(leaves, route_up, route_down),
		cmocka_unit_test_setup_teardown(malformed, route_up, route_down),
		cmocka_unit_test_setup_teardown(segments, route_up, route_down),
		cmocka_unit_test_setup_teardown(random_options, route_up, route_down),
	};

	return cmocka_run_group_tests_name("clamp_mss", tests, NULL, NULL);
}
