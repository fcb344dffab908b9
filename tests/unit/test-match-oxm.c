/* SPDX-License-Identifier: Apache-2.0 */
/* OXM against octets written from TS-023 7.2.3, and there and back. */
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

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		out[n++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
		hex++;
	}
	return n;
}

static int get(const char *hex, struct match *m, struct refusal *r)
{
	uint8_t *octets = malloc(strlen(hex) + 1); /* of the exact size: sanitizers see overruns */
	size_t size = unhex(hex, octets);
	struct reader wire;
	int error;

	octets = realloc(octets, size ? size : 1);
	wire = reader_of(octets, size);
	*r = (struct refusal){0};
	error = match_get_oxm(m, &wire, r);
	if (!error)
		assert_int_equal(reader_left(&wire), 0);
	free(octets);
	return error;
}

/* The same match as text, both ways. */
static void says(const char *hex, const char *text)
{
	struct buf out = {0}, wire = {0};
	uint8_t octets[512];
	size_t size = unhex(hex, octets);
	struct match m;
	struct refusal r;

	if (get(hex, &m, &r))
		fail_msg("%s: %s", text, r.text);
	match_format(&m, &out);
	assert_string_equal(buf_text(&out), text);
	assert_true(match_put_oxm(&m, &wire, false));
	assert_int_equal(wire.size, size);
	assert_memory_equal(wire.data, octets, size);
	buf_free(&out);
	buf_free(&wire);
}

static void octets_of_the_standard(void **state)
{
	(void)state;
	says("0001 0004 00000000", "");
	says("0001 000c 80000004 00000003 00000000", "in_port=3");
	/* ETH_TYPE, IP_PROTO, IPV4_SRC with its mask, TCP_DST: 4 + 6 + 5 + 12 + 6 = 33. */
	says("0001 0021 80000a02 0800 80001401 06 80001708 0a000000 ff000000 80001c02 0050"
	     "00000000000000",
	     "tcp,ipv4_src=10.0.0.0/8,tcp_dst=80");
	says("0001 000a 80000c02 1005 000000000000", "vlan_vid=0x1005");
	says("0001 000c 80000d04 1000 1000 00000000", "vlan_vid=0x1000/0x1000");
	says("0001 000a 80000c02 0000 000000000000", "vlan_vid=0x0");
	says("0001 0018 80000510 0000000000000005 0000000000000fff", "metadata=0x5/0xfff");
}

/* Experimenter fields: the id counts, and only the value part doubles. */
static void octets_of_experimenter_fields(void **state)
{
	(void)state;
	says("0001 000d ffff1805 534c5543 2e 000000", "outer_dscp=46");
	says("0001 0014 ffff330c 534c5543 00000100 0000ff00 00000000", "esp_spi=0x100/0xff00");
	says("0001 0014 ffff340c 534c5543 0000000000000007 00000000", "esp_seq=7");
}

static void octets_of_conditions(void **state)
{
	(void)state;
	says("0001 001f 80000a02 0800 80001401 06 ffff780c 534c5543 00 0e 8000 03e8 07cf 00",
	     "tcp,tcp_dst=1000-1999");
	says("0001 0016 ffff780e 534c5543 01 0e ffff 534c5543 05 09 0000", "outer_ttl=!5-9");
	says("0001 0013 ffff7c0b 534c5543 00 00 0000 00 6970 0000000000", "bpf=\"ip\"");
	says("0001 0013 ffff7c0b 534c5543 03 00 0000 00 6970 0000000000", "outer_bpf=!\"ip\"");
	says("0001 0013 ffff7c0b 534c5543 04 00 0000 00 6970 0000000000", "bpf=\"ip\",payload=yes");
	says("0001 0019 ffff7c11 534c5543 01 00 0000 01 0006000000000001 00000000000000",
	     "bpf=!\"1,6 0 0 1\"");
}

/* The same as text, by name of what is wrong. */
static void conditions_are_refused(void **state)
{
	static const struct {
		const char *hex;
		enum refusal_code code;
	} bad[] = {
		/* No such flag; a program of a field; payload of the outer packet. */
		{"0001 0016 ffff780e 534c5543 81 0e ffff 534c5543 05 09 0000", REFUSED_BAD_VALUE},
		{"0001 0013 ffff7c0b 534c5543 00 01 0000 00 6970 0000000000", REFUSED_BAD_VALUE},
		{"0001 0013 ffff7c0b 534c5543 06 00 0000 00 6970 0000000000", REFUSED_BAD_VALUE},
		/* No such form; nothing in it; a name; half an instruction. */
		{"0001 0013 ffff7c0b 534c5543 00 00 0000 02 6970 0000000000", REFUSED_MATCH_LEN},
		{"0001 0011 ffff7c09 534c5543 00 00 0000 00 00000000000000", REFUSED_MATCH_LEN},
		{"0001 0013 ffff7c0b 534c5543 00 00 0000 00 6162 0000000000", REFUSED_BAD_VALUE},
		{"0001 0013 ffff7c0b 534c5543 00 00 0000 01 0006 0000000000", REFUSED_MATCH_LEN},
		/* Too short for flags, for a class, for ends; ends the wrong way round. */
		{"0001 000c ffff7804 534c5543 00000000", REFUSED_MATCH_LEN},
		{"0001 000f ffff7807 534c5543 00 0e 80 00", REFUSED_MATCH_LEN},
		{"0001 001d 80000a02 0800 80001401 06 ffff780a 534c5543 00 0e 8000 03e8 000000",
		 REFUSED_MATCH_LEN},
		{"0001 001f 80000a02 0800 80001401 06 ffff780c 534c5543 00 0e 8000 07cf 03e8 00",
		 REFUSED_BAD_VALUE},
		/* Without, or before, what the field needs; of no field; of one without ranges. */
		{"0001 0014 ffff780c 534c5543 00 0e 8000 03e8 07cf 00000000", REFUSED_BAD_PREREQ},
		{"0001 0014 ffff780c 534c5543 00 7f 8000 03e8 07cf 00000000", REFUSED_BAD_FIELD},
		{"0001 0018 ffff7810 534c5543 00 00 8000 00000001 00000002", REFUSED_BAD_VALUE},
	};
	struct match m;
	struct refusal r;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		if (get(bad[i].hex, &m, &r) != -EINVAL)
			fail_msg("%s was accepted", bad[i].hex);
		if (r.code != bad[i].code)
			fail_msg("%s: %s: %s", bad[i].hex, refusal_name(r.code), r.text);
	}
}

/* What 255 octets do not hold is not said at all: never a wider match. */
static void long_programs_are_left_out(void **state)
{
	struct match m = {0};
	struct buf text = {0}, wire = {0};

	(void)state;
	buf_printf(&text, "\"port 1");
	for (unsigned i = 2; i < 40; i++)
		buf_printf(&text, " or port %u", i * 7);
	buf_printf(&text, "\"");
	assert_int_equal(match_parse_word(&m, "bpf", buf_text(&text), NULL), 0);
	assert_int_equal(match_parse_word(&m, "pkt_len", "60-70", NULL), 0);
	assert_int_equal(match_finish(&m, NULL), 0);
	assert_false(match_put_oxm(&m, &wire, false));
	assert_int_equal(wire.size, 0);
	/* Nor are conditions said to peers that never used our fields. */
	m = (struct match){0};
	assert_int_equal(match_parse_word(&m, "pkt_len", "60-70", NULL), 0);
	assert_int_equal(match_finish(&m, NULL), 0);
	assert_false(match_put_oxm(&m, &wire, true));
	assert_int_equal(wire.size, 0);
	buf_free(&text);
	buf_free(&wire);
}

static void other_codes_are_read(void **state)
{
	struct match m;
	struct refusal r;

	(void)state;
	assert_ptr_equal(field_by_oxm(OFPXMC_NXM_0, 7, 0), &fields[FIELD_IPV4_SRC]);
	assert_ptr_equal(field_by_oxm(OFPXMC_NXM_1, 20, 0), &fields[FIELD_IPV6_DST]);
	assert_null(field_by_oxm(OFPXMC_NXM_0, 4, 0)); /* vlan_tci: two of our fields */
	assert_null(field_by_oxm(OFPXMC_EXPERIMENTER, 42, 0x2320));
	/* NXM_NX_TUN_ID, and ONF's experimenter form of tcp_flags, as Open vSwitch's tools have
	 * them. */
	assert_int_equal(get("0001 0010 00012008 0000000000000009", &m, &r), 0);
	assert_int_equal(be64toh(m.value.du.tunnel_id), 9);
	assert_int_equal(get("0001 001b 80000a02 0800 80001401 06 ffff5508 4f4e4600 0002 0012"
			     "0000000000",
			     &m, &r),
			 0);
	assert_int_equal(be16toh(m.mask.du.tcp_flags), 0x12 | TP_MISSING);
}

static void refused(const char *hex, enum refusal_code code)
{
	struct match m;
	struct refusal r;

	assert_int_equal(get(hex, &m, &r), -EINVAL);
	if (r.code != code)
		fail_msg("%s: %s: %s", hex, refusal_name(r.code), r.text);
}

static void refusals(void **state)
{
	(void)state;
	refused("", REFUSED_MATCH_LEN);
	refused("0001", REFUSED_MATCH_LEN);
	refused("0000 0058 00000000", REFUSED_MATCH_TYPE);
	refused("0001 0003 00000000", REFUSED_MATCH_LEN);
	refused("0001 000c 80000004 00000003", REFUSED_MATCH_LEN);          /* no padding */
	refused("0001 0010 80000004 00000003", REFUSED_MATCH_LEN);          /* beyond the message */
	refused("0001 0007 800000 00", REFUSED_MATCH_LEN);                  /* half a header */
	refused("0001 000c 80000005 00000003 00000000", REFUSED_MATCH_LEN); /* beyond the match */
	refused("0001 000b 80000003 000003 0000000000", REFUSED_MATCH_LEN); /* in_port of 3 */
	refused("0001 000a 80000b02 0800 000000000000", REFUSED_MATCH_LEN); /* mask bit, no mask */
	refused("0001 000a ffff1802 534c 000000000000", REFUSED_MATCH_LEN); /* half an id */
	refused("0001 000c ffff1804 534c5543 00000000", REFUSED_MATCH_LEN); /* id, no value */
	refused("0001 000c 80007c04 00000003 00000000", REFUSED_BAD_FIELD); /* number */
	refused("0001 000c 80020004 00000003 00000000", REFUSED_BAD_FIELD); /* class */
	refused("0001 000d ffff1805 00002320 2e 000000", REFUSED_BAD_FIELD); /* experimenter */
	refused("0001 000d fffffe05 534c5543 2e 000000", REFUSED_BAD_FIELD); /* its number */
	refused("0001 000c 80000b04 0800 ff00 00000000", REFUSED_BAD_MASK);
	refused("0001 000c 80000d04 1005 1000 00000000", REFUSED_BAD_WILDCARD_MASK);
	refused("0001 000a 80000c02 2005 000000000000", REFUSED_BAD_VALUE);
	refused("0001 000a 80000c02 0005 000000000000", REFUSED_BAD_VALUE);
	refused("0001 0014 80000004 00000003 80000004 00000003 00000000", REFUSED_DUP_FIELD);
	refused("0001 0009 80001401 06 00000000000000", REFUSED_BAD_PREREQ);
	/* A prerequisite that comes too late. */
	refused("0001 000f 80001401 06 80000a02 0800 00", REFUSED_BAD_PREREQ);
	refused("0001 0015 80000a02 0800 80001401 11 80001c02 0050 000000", REFUSED_BAD_PREREQ);
}

static void standard_only_says_all_or_nothing(void **state)
{
	static const uint8_t dscp = 46;
	struct match m = {0};
	struct buf wire = {0};

	(void)state;
	assert_int_equal(
		match_set(&m, &fields[FIELD_REG0], (const uint8_t[4]){0, 0, 0, 1}, NULL, NULL), 0);
	assert_true(match_put_oxm(&m, &wire, true)); /* NXM counts as standard */
	assert_int_equal(wire.size, 16);
	wire.size = 0;
	assert_int_equal(match_set(&m, &fields[FIELD_OUTER_DSCP], &dscp, NULL, NULL), 0);
	assert_false(match_put_oxm(&m, &wire, true));
	assert_int_equal(wire.size, 0);
	assert_true(match_put_oxm(&m, &wire, false));
	assert_int_equal(wire.size, 24);
	buf_free(&wire);
}

static void random_matches_round_trip(void **state)
{
	struct buf wire = {0};
	struct match m, again;
	struct refusal r;

	(void)state;
	srandom(3);
	for (unsigned i = 0; i < 20000; i++) {
		struct reader reader;

		random_match(&m);
		wire.size = 0;
		assert_true(match_put_oxm(&m, &wire, false));
		assert_int_equal(wire.size % 8, 0);
		reader = reader_of(wire.data, wire.size);
		if (match_get_oxm(&again, &reader, &r))
			fail_msg("%s", r.text);
		assert_true(match_equal(&m, &again));
		assert_int_equal(reader_left(&reader), 0);
	}
	buf_free(&wire);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_of_the_standard),
		cmocka_unit_test(octets_of_experimenter_fields),
		cmocka_unit_test(octets_of_conditions),
		cmocka_unit_test(conditions_are_refused),
		cmocka_unit_test(long_programs_are_left_out),
		cmocka_unit_test(other_codes_are_read),
		cmocka_unit_test(refusals),
		cmocka_unit_test(standard_only_says_all_or_nothing),
		cmocka_unit_test(random_matches_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
