/* SPDX-License-Identifier: Apache-2.0 */
/* Actions and instructions: text, octets from TS-023 7.2.4 and 7.2.5, every refusal, admission. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "datapath/action.h"
#include "lib/openflow.h"

/* The switch's own, of another file; nothing here runs an output. */
__attribute__((weak)) void output_run(struct worker *w, struct pkt *p, uint32_t ofport,
				      uint16_t max_len)
{
	(void)w, (void)p, (void)ofport, (void)max_len;
	abort();
}

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

static int get(const char *hex, struct instructions *i, struct refusal *r)
{
	uint8_t *octets = malloc(strlen(hex) + 1); /* of the exact size: sanitizers see overruns */
	size_t size = unhex(hex, octets);
	struct reader wire;
	int error;

	octets = realloc(octets, size ? size : 1);
	wire = reader_of(octets, size);
	*r = (struct refusal){0};
	error = instructions_get(&wire, i, r);
	free(octets);
	return error;
}

static void says(const struct instructions *i, const char *text)
{
	struct buf out = {0};

	instructions_format(i, &out);
	assert_string_equal(buf_text(&out), text);
	buf_free(&out);
}

static void reads_as(const char *text, const char *canonical)
{
	struct instructions i;
	struct refusal r = {0};

	if (instructions_parse(text, &i, &r))
		fail_msg("%s: %s", text, r.text);
	says(&i, canonical);
	instructions_free(&i);
	if (instructions_parse(canonical, &i, &r))
		fail_msg("%s: %s", canonical, r.text);
	says(&i, canonical);
	instructions_free(&i);
}

static void text_reads_back(void **state)
{
	(void)state;
	reads_as("", "drop");
	reads_as("drop", "drop");
	reads_as("2", "output:2");
	reads_as("output:2:65509,IN_PORT:5,output:3:0", "output:2:65509,IN_PORT:5,output:3");
	reads_as("output:2,output=3, output:4", "output:2,output:3,output:4");
	reads_as("normal,FLOOD,ALL,LOCAL,in_port,TABLE", "NORMAL,FLOOD,ALL,LOCAL,IN_PORT,TABLE");
	reads_as("controller", "CONTROLLER:65535");
	reads_as("CONTROLLER:128,output:CONTROLLER:5", "CONTROLLER:128,CONTROLLER:5");
	reads_as("controller(max_len=100)", "CONTROLLER:100");
	reads_as("set_field:10.0.0.1->nw_src", "set_field:10.0.0.1->ipv4_src");
	reads_as("set_field:2001:db8::1->ipv6_dst", "set_field:2001:db8::1->ipv6_dst");
	reads_as("set_field:00:11:22:33:44:55->eth_dst", "set_field:00:11:22:33:44:55->eth_dst");
	reads_as("set_field:0x5/0xf->reg0", "set_field:0x5/0xf->reg0");
	reads_as("set_field:10.1.0.0/16->ipv4_dst", "set_field:10.1.0.0/16->ipv4_dst");
	reads_as("set_field:4101->vlan_vid", "set_field:0x1005->vlan_vid");
	reads_as("mod_vlan_vid:5,mod_vlan_pcp:3,mod_nw_tos:184,mod_nw_ecn:1",
		 "set_field:0x1005->vlan_vid,set_field:3->vlan_pcp,set_field:46->ip_dscp,"
		 "set_field:1->ip_ecn");
	reads_as("mod_dl_src:00:11:22:33:44:55,mod_nw_dst:1.2.3.4",
		 "set_field:00:11:22:33:44:55->eth_src,set_field:1.2.3.4->ipv4_dst");
	reads_as("push_vlan:0x8100,push_vlan:34984", "push_vlan:0x8100,push_vlan:0x88a8");
	reads_as("pop_vlan,strip_vlan", "pop_vlan,pop_vlan");
	reads_as("dec_ttl,dec_nw_ttl,mod_nw_ttl:64,set_nw_ttl:1",
		 "dec_ttl,dec_ttl,mod_nw_ttl:64,mod_nw_ttl:1");
	reads_as("set_mpls_label:7,set_mpls_tc:3", "set_field:7->mpls_label,set_field:3->mpls_tc");
	reads_as("goto_table:5,write_metadata:7/0xff,clear_actions,meter:3,"
		 "write_actions(dec_ttl,output:2),output:1",
		 "meter:3,output:1,clear_actions,write_actions(dec_ttl,output:2),"
		 "write_metadata:0x7/0xff,goto_table:5");
	reads_as("write_metadata:0xf5/0x0f", "write_metadata:0x5/0xf");
	reads_as("apply_actions(output:1),write_metadata:7", "output:1,write_metadata:0x7");
	reads_as("limit:10mbps", "limit:10mbps");
	reads_as("limit:10000kbps,burst=2000kb,output:1", "limit:10mbps,burst=2mb,output:1");
	reads_as("limit(5000pps,burst=64p),sample:64", "limit:5kpps,burst=64p,sample:64");
	reads_as("limit:1mbps,burst=8b", "limit:1mbps,burst=8b");
	reads_as("limit:1500kbps,burst=1gb", "limit:1500kbps,burst=1gb");
	reads_as("clamp_mss=1360,NORMAL", "clamp_mss:1360,NORMAL");
	reads_as("reject", "reject");
	reads_as("reject(icmp-port)", "reject:icmp-port");
	reads_as("pass", "pass");
	reads_as("goto_table:0", "pass");
	reads_as("limit:200pps,pass", "limit:200pps");
}

/* Octets and text of the same instructions; what is read is written again. */
static const struct {
	const char *text, *hex;
} pairs[] = {
	{"drop", ""},
	{"output:2", "0004 0018 00000000  0000 0010 00000002 0000 000000000000"},
	{"output:2:65509", "0004 0018 00000000  0000 0010 00000002 ffe5 000000000000"},
	{"CONTROLLER:128,NORMAL", "0004 0028 00000000  0000 0010 fffffffd 0080 000000000000"
				  "0000 0010 fffffffa 0000 000000000000"},
	{"pop_vlan,push_vlan:0x88a8",
	 "0004 0018 00000000  0012 0008 00000000  0011 0008 88a8 0000"},
	{"copy_ttl_out,copy_ttl_in", "0004 0018 00000000  000b 0008 00000000  000c 0008 00000000"},
	{"set_mpls_ttl:7,dec_mpls_ttl",
	 "0004 0018 00000000  000f 0008 07 000000  0010 0008 00000000"},
	{"push_mpls:0x8848,pop_mpls:0x0800",
	 "0004 0018 00000000  0013 0008 8848 0000  0014 0008 0800 0000"},
	{"push_pbb:0x88e7,pop_pbb", "0004 0018 00000000  001a 0008 88e7 0000  001b 0008 00000000"},
	{"set_field:0x800->eth_type", "0004 0018 00000000  0019 0010 80000a02 0800 000000000000"},
	{"set_field:6->ip_proto", "0004 0018 00000000  0019 0010 80001401 06 00000000000000"},
	{"set_field:9->sctp_src", "0004 0018 00000000  0019 0010 80002202 0009 000000000000"},
	{"set_field:1->mpls_bos", "0004 0018 00000000  0019 0010 80004801 01 00000000000000"},
	{"set_field:5->pbb_isid", "0004 0018 00000000  0019 0010 80004a03 000005 0000000000"},
	/* Not of the standard's set_field: Nicira's. */
	{"set_field:0x7->metadata",
	 "0004 0020 00000000  ffff 0018 00002320 0021 80000408 0000000000000007 0000"},
	{"mod_nw_ttl:5,dec_ttl", "0004 0018 00000000  0017 0008 05 000000  0018 0008 00000000"},
	{"set_field:0x1007->vlan_vid", "0004 0018 00000000  0019 0010 80000c02 1007 000000000000"},
	{"set_field:00:11:22:33:44:55->eth_src",
	 "0004 0018 00000000  0019 0010 80000806 001122334455 0000"},
	{"set_field:::1->ipv6_src",
	 "0004 0020 00000000  0019 0018 80003410 00000000000000000000000000000001"},
	{"limit:5kpps", "0004 0028 00000000  ffff 0020 534c5543 0001 0000 00000000"
			"0000000000001388 0000000000000000"},
	{"limit:10mbps,burst=1mb", "0004 0028 00000000  ffff 0020 534c5543 0001 0001 00000000"
				   "0000000000989680 00000000000f4240"},
	{"sample:64", "0004 0018 00000000  ffff 0010 534c5543 0002 0000 00000040"},
	{"clamp_mss:1360", "0004 0018 00000000  ffff 0010 534c5543 0006 0550 00000000"},
	{"reject", "0004 0018 00000000  ffff 0010 534c5543 0007 0000 00000000"},
	{"reject:icmp-net", "0004 0018 00000000  ffff 0010 534c5543 0007 0005 00000000"},
	{"pass", "0001 0008 00 000000"},
	{"set_field:0x5/0xf->reg0", "0004 0020 00000000  ffff 0018 00002320 0021"
				    "00010108 00000005 0000000f 0000"},
	{"meter:3,output:1,clear_actions,write_actions(output:2),write_metadata:0x5/"
	 "0xff,goto_table:4",
	 "0006 0008 00000003"
	 "0004 0018 00000000  0000 0010 00000001 0000 000000000000"
	 "0005 0008 00000000"
	 "0003 0018 00000000  0000 0010 00000002 0000 000000000000"
	 "0002 0018 00000000 0000000000000005 00000000000000ff"
	 "0001 0008 04 000000"},
};

static void octets_of_the_standard(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(pairs); n++) {
		struct instructions i;
		struct buf wire = {0};
		uint8_t octets[256];
		size_t size = unhex(pairs[n].hex, octets);
		struct refusal r;

		if (get(pairs[n].hex, &i, &r))
			fail_msg("%s: %s", pairs[n].text, r.text);
		says(&i, pairs[n].text);
		instructions_put(&i, &wire);
		assert_int_equal(wire.size, size);
		if (size)
			assert_memory_equal(wire.data, octets, size);
		instructions_free(&i);
		wire.size = 0;
		assert_int_equal(instructions_parse(pairs[n].text, &i, &r), 0);
		instructions_put(&i, &wire);
		assert_int_equal(wire.size, size);
		if (size)
			assert_memory_equal(wire.data, octets, size);
		instructions_free(&i);
		buf_free(&wire);
	}
}

/* max_len means nothing but for CONTROLLER, but what a controller gave is what it reads. */
static void max_len_is_read_back(void **state)
{
	static const char hex[] = "0004 0018 00000000  0000 0010 00000002 0080 000000000000";
	struct instructions i;
	struct buf wire = {0};
	uint8_t octets[256];
	size_t size = unhex(hex, octets);
	struct refusal r;

	(void)state;
	assert_int_equal(get(hex, &i, &r), 0);
	says(&i, "output:2:128");
	instructions_put(&i, &wire);
	assert_int_equal(wire.size, size);
	assert_memory_equal(wire.data, octets, size);
	instructions_free(&i);
	buf_free(&wire);
}

/* What Open vSwitch's tools send for a part of a field, and for `load:`. */
static void loads_are_read(void **state)
{
	static const struct {
		const char *hex, *text;
	} loads[] = {
		{"0003 00010004 0000000000000005", "set_field:0x5/0xf->reg0"},
		{"001f 00010204 0000000000000005", "set_field:0x5->reg1"},
		{"0407 00001004 0000000000000002", "set_field:0.2.0.0/0.255.0.0->ipv4_dst"},
		{"0007 00012610 0000000000000001", "set_field:::1/::ff->ipv6_src"},
		{"1fc0 00012610 0000000000000001", "set_field:8000::/1->ipv6_src"},
		{"003f 80000408 ffffffffffffffff", "set_field:0xffffffffffffffff->metadata"},
	};
	char hex[120];

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(loads); n++) {
		struct instructions i;
		struct refusal r;

		snprintf(hex, sizeof hex, "0004 0020 00000000 ffff 0018 00002320 0007 %s",
			 loads[n].hex);
		if (get(hex, &i, &r))
			fail_msg("%s: %s", hex, r.text);
		says(&i, loads[n].text);
		instructions_free(&i);
	}
}

static void text_refused(const char *text, enum refusal_code code)
{
	struct instructions i;
	struct refusal r = {0};

	if (instructions_parse(text, &i, &r) != -EINVAL)
		fail_msg("%s was accepted", text);
	if (r.code != code)
		fail_msg("%s: %s: %s", text, refusal_name(r.code), r.text);
	assert_null(strchr(r.text, '\n'));
}

static void text_refusals(void **state)
{
	char many[4096] = "1";

	(void)state;
	text_refused("outptu:2", REFUSED_UNKNOWN_WORD);
	text_refused("resubmit(,1)", REFUSED_UNKNOWN_WORD);
	text_refused("group:0xffffff01", REFUSED_BAD_OUT_GROUP);
	text_refused("group:one", REFUSED_ACTION_ARGUMENT);
	text_refused("output:eth9", REFUSED_BAD_OUT_PORT);
	text_refused("output:0", REFUSED_BAD_OUT_PORT);
	text_refused("output:0xffffffff", REFUSED_BAD_OUT_PORT);
	text_refused("output:0xffffff01", REFUSED_BAD_OUT_PORT);
	text_refused("output:2:65536", REFUSED_ACTION_ARGUMENT);
	text_refused("CONTROLLER:65536", REFUSED_ACTION_ARGUMENT);
	text_refused("push_vlan:0x800", REFUSED_ACTION_ARGUMENT);
	text_refused("mod_nw_ttl:256", REFUSED_ACTION_ARGUMENT);
	text_refused("dec_ttl:1", REFUSED_SYNTAX);
	text_refused("pop_vlan:1", REFUSED_SYNTAX);
	text_refused("set_field:5", REFUSED_SYNTAX);
	text_refused("set_field:5->nonsense", REFUSED_SET_TYPE);
	text_refused("set_field:5->in_phy_port", REFUSED_SET_TYPE);
	text_refused("set_field:1->ipv6_exthdr", REFUSED_SET_TYPE);
	text_refused("push_mpls:0x8100", REFUSED_ACTION_ARGUMENT);
	text_refused("push_mpls", REFUSED_ACTION_ARGUMENT);
	text_refused("push_pbb:0x88a8", REFUSED_ACTION_ARGUMENT);
	text_refused("pop_mpls:0x10000", REFUSED_ACTION_ARGUMENT);
	text_refused("set_mpls_ttl:256", REFUSED_ACTION_ARGUMENT);
	text_refused("dec_mpls_ttl:1", REFUSED_SYNTAX);
	text_refused("copy_ttl_in:1", REFUSED_SYNTAX);
	text_refused("copy_ttl_out:1", REFUSED_SYNTAX);
	text_refused("pop_pbb:1", REFUSED_SYNTAX);
	text_refused("set_queue:0", REFUSED_UNKNOWN_QUEUE);
	text_refused("set_queue:x", REFUSED_ACTION_ARGUMENT);
	text_refused("set_mpls_label:1048576", REFUSED_SET_ARGUMENT);
	text_refused("set_field:1->outer_dscp", REFUSED_SET_TYPE);
	text_refused("set_field:64->ip_dscp", REFUSED_SET_ARGUMENT);
	text_refused("set_field:5->vlan_vid", REFUSED_SET_ARGUMENT);
	text_refused("mod_vlan_vid:4096", REFUSED_SET_ARGUMENT);
	text_refused("mod_nw_tos:5", REFUSED_SET_ARGUMENT);
	text_refused("drop,output:1", REFUSED_SYNTAX);
	text_refused("drop,goto_table:1", REFUSED_SYNTAX);
	text_refused("write_actions(drop,output:1)", REFUSED_SYNTAX);
	text_refused("write_actions(output:1", REFUSED_SYNTAX);
	text_refused("write_actions(output:1)x", REFUSED_SYNTAX);
	text_refused("output:1)", REFUSED_SYNTAX);
	text_refused("goto_table:255", REFUSED_SYNTAX);
	text_refused("goto_table:1,goto_table:2", REFUSED_DUP_INSTRUCTION);
	text_refused("write_metadata:x", REFUSED_SYNTAX);
	text_refused("meter:0", REFUSED_UNKNOWN_METER);
	text_refused("limit", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:10", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:10mb", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:mbps", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:-5kbps", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:0pps", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:999bps", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:2tbps", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:99999999999999999999pps", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:5kpps,burst=5kb", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:5kpps,burst=0p", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:5kpps,burst=5mp", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:1mbps,burst=7b", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:1mbps,burst=8kb,burst=8kb", REFUSED_ACTION_ARGUMENT);
	text_refused("limit:1mbps,limit:5kpps", REFUSED_ACTION_ARGUMENT);
	text_refused("sample:0", REFUSED_ACTION_ARGUMENT);
	text_refused("sample:x", REFUSED_ACTION_ARGUMENT);
	text_refused("pass:1", REFUSED_UNKNOWN_WORD);
	text_refused("pass,drop", REFUSED_SYNTAX);
	text_refused("pass,goto_table:1", REFUSED_DUP_INSTRUCTION);
	for (unsigned n = 0; n < 300; n++)
		strcat(many, ",1");
	text_refused(many, REFUSED_TOO_MANY_ACTIONS);
}

static void wire_refused(const char *hex, enum refusal_code code)
{
	struct instructions i;
	struct refusal r;

	if (get(hex, &i, &r) != -EINVAL)
		fail_msg("%s was accepted", hex);
	if (r.code != code)
		fail_msg("%s: %s: %s", hex, refusal_name(r.code), r.text);
	assert_null(i.apply.data);
}

static void instruction_refusals(void **state)
{
	(void)state;
	wire_refused("0001", REFUSED_INSTRUCTION_LEN);
	wire_refused("0001 0004", REFUSED_INSTRUCTION_LEN);
	wire_refused("0001 000c 04 000000 00000000", REFUSED_INSTRUCTION_LEN);
	wire_refused("0001 0010 04 000000", REFUSED_INSTRUCTION_LEN);
	wire_refused("0001 0010 04 000000 0000000000000000", REFUSED_INSTRUCTION_LEN);
	wire_refused("0002 0010 00000000 0000000000000005", REFUSED_INSTRUCTION_LEN);
	wire_refused("0005 0010 00000000 0000000000000000", REFUSED_INSTRUCTION_LEN);
	wire_refused("0001 0008 ff 000000", REFUSED_BAD_GOTO);
	wire_refused("0006 0008 00000000", REFUSED_UNKNOWN_METER);
	wire_refused("0001 0008 04 000000 0001 0008 05 000000", REFUSED_DUP_INSTRUCTION);
	wire_refused("0000 0008 00000000", REFUSED_BAD_INSTRUCTION);
	wire_refused("0007 0008 00000000", REFUSED_BAD_INSTRUCTION);
	wire_refused("ffff 0008 00002320", REFUSED_INSTRUCTION_EXPERIMENTER);
}

/* One action in an apply list. */
static void action_refused(const char *hex, enum refusal_code code)
{
	char instruction[512];
	uint8_t octets[256];

	snprintf(instruction, sizeof instruction, "0004 %04zx 00000000 %s", 8 + unhex(hex, octets),
		 hex);
	wire_refused(instruction, code);
}

static void action_refusals(void **state)
{
	(void)state;
	action_refused("0000 0000 00000000", REFUSED_ACTION_LEN);
	action_refused("0000 0004 00000000", REFUSED_ACTION_LEN);
	action_refused("0000 000c 00000002 00000000 00000000", REFUSED_ACTION_LEN);
	action_refused("0000 0010 00000002", REFUSED_ACTION_LEN);
	action_refused("0000 0008 00000002", REFUSED_ACTION_LEN);
	action_refused("0000 0018 00000002 0000 000000000000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("0011 0010 8100 0000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("0012 0010 00000000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("0017 0010 05 000000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("0018 0010 00000000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("ffff 0008 534c5543", REFUSED_ACTION_LEN);
	action_refused("ffff 0010 00002320 0007 0003 00010004", REFUSED_ACTION_LEN);
	action_refused("ffff 0010 534c5543 0001 0001 00000000", REFUSED_ACTION_LEN);
	action_refused("ffff 0020 534c5543 0001 0002 00000000 0000000000001388 0000000000000000",
		       REFUSED_ACTION_ARGUMENT);
	action_refused("ffff 0020 534c5543 0001 0001 00000000 0000000000000001 0000000000000000",
		       REFUSED_ACTION_ARGUMENT);
	action_refused("ffff 0020 534c5543 0001 0000 00000000 0000000000001388 ffffffffffffffff",
		       REFUSED_ACTION_ARGUMENT);
	action_refused("ffff 0018 534c5543 0002 0000 00000040 0000000000000000",
		       REFUSED_ACTION_LEN);
	action_refused("ffff 0010 534c5543 0002 0000 00000000", REFUSED_ACTION_ARGUMENT);
	action_refused("0000 0010 00000000 0000 000000000000", REFUSED_BAD_OUT_PORT);
	action_refused("0000 0010 ffffffff 0000 000000000000", REFUSED_BAD_OUT_PORT);
	action_refused("0016 0008 ffffff01", REFUSED_BAD_OUT_GROUP);
	action_refused("0016 0010 00000001 00000000 00000000", REFUSED_ACTION_LEN);
	/* The standard's actions: each of its own length alone. */
	action_refused("000b 0010 00000000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("000c 0010 00000000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("000f 0010 40 000000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("0010 0010 00000000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("0013 0010 8847 0000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("0014 0010 0800 0000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("0015 0010 00000000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("001a 0010 88e7 0000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("001b 0010 00000000 0000000000000000", REFUSED_ACTION_LEN);
	action_refused("0013 0008 8100 0000", REFUSED_ACTION_ARGUMENT);
	action_refused("001a 0008 8847 0000", REFUSED_ACTION_ARGUMENT);
	action_refused("0015 0008 00000001", REFUSED_UNKNOWN_QUEUE);
	action_refused("001c 0008 00000001", REFUSED_BAD_ACTION);
	action_refused("0001 0008 00000001", REFUSED_BAD_ACTION);
	action_refused("ffff 0010 00001234 0000 000000000000", REFUSED_ACTION_EXPERIMENTER);
	action_refused("ffff 0010 00002320 0001 000000000000", REFUSED_ACTION_EXPERIMENTER);
	action_refused("ffff 0010 534c5543 ffff 000000000000", REFUSED_ACTION_EXP_TYPE);
	action_refused("0011 0008 0800 0000", REFUSED_ACTION_ARGUMENT);
	action_refused("0019 0010 80007c04 00000000 00000000", REFUSED_SET_TYPE);
	/* Of no header: in_port, in_phy_port, metadata; and what is found out, ipv6_exthdr. */
	action_refused("0019 0010 80000004 00000001 00000000", REFUSED_SET_TYPE);
	action_refused("0019 0010 80000204 00000001 00000000", REFUSED_SET_TYPE);
	action_refused("0019 0010 80000408 0000000000000001", REFUSED_SET_TYPE);
	action_refused("0019 0010 80004e02 0001 000000000000", REFUSED_SET_TYPE);
	action_refused("0019 0010 80005003 000001 0000000000", REFUSED_SET_TYPE);
	action_refused("0019 0010 80004a04 00000001 00000000", REFUSED_SET_LEN);
	action_refused("0019 0010 80004801 02 00000000000000", REFUSED_SET_ARGUMENT);
	action_refused("0019 0010 80000c04 1005 000000000000", REFUSED_SET_LEN);
	action_refused("0019 0010 80000cff 1005 000000000000", REFUSED_SET_LEN);
	action_refused("0019 0018 80000c02 1005 000000000000 0000000000000000", REFUSED_SET_LEN);
	action_refused("0019 0010 80000c02 0005 000000000000", REFUSED_SET_ARGUMENT);
	action_refused("0019 0010 80001001 40 00000000000000", REFUSED_SET_ARGUMENT);
	action_refused("0019 0010 80000d04 1005 1fff 00000000", REFUSED_SET_ARGUMENT);
	action_refused("ffff 0018 00002320 0007 001f 00016a10 0000000000000005", REFUSED_SET_TYPE);
	action_refused("ffff 0018 00002320 0007 001f 0001da10 0000000000000005", REFUSED_SET_TYPE);
	action_refused("ffff 0018 00002320 0007 0003 00010004 0000000000000010",
		       REFUSED_SET_ARGUMENT);
	action_refused("ffff 0018 00002320 0007 0783 00010004 0000000000000001",
		       REFUSED_SET_ARGUMENT);
	action_refused("ffff 0018 00002320 0007 0003 00013a04 0000000000000005",
		       REFUSED_SET_ARGUMENT);
	action_refused("ffff 0018 00002320 0021 00017e04 00000005 000000000000", REFUSED_SET_TYPE);
	action_refused("ffff 0018 00002320 0021 00010104 00000005 000000000000", REFUSED_SET_LEN);
	action_refused("ffff 0020 00002320 0021 00010004 00000005 000000000000 0000000000000000",
		       REFUSED_SET_LEN);
}

static bool port_exists(uint32_t port)
{
	return port < 10;
}

static bool meter_exists(uint32_t meter)
{
	return meter == 3;
}

/* The refusal of a rule in table 2 of 8, or nothing. */
static enum refusal_code admit(const char *match, const char *actions)
{
	static const struct switch_limits limits = {2, 8, port_exists, NULL, meter_exists, false};
	struct match m = {0};
	struct instructions i;
	struct refusal r = {0};
	char copy[200], *rest = copy, *word;

	snprintf(copy, sizeof copy, "%s", match);
	while ((word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (*word)
			assert_int_equal(match_parse_word(&m, word, value, NULL), 0);
	}
	assert_int_equal(match_finish(&m, NULL), 0);
	if (instructions_parse(actions, &i, &r))
		fail_msg("%s: %s", actions, r.text);
	if (instructions_validate(&i, &m, &limits, &r))
		assert_int_not_equal(r.code, REFUSED_NOTHING);
	instructions_free(&i);
	return r.code;
}

static void admission(void **state)
{
	(void)state;
	assert_int_equal(admit("", "output:9,NORMAL,CONTROLLER,meter:3,goto_table:3"), 0);
	assert_int_equal(admit("", "output:10"), REFUSED_BAD_OUT_PORT);
	assert_int_equal(admit("", "write_actions(output:10)"), REFUSED_BAD_OUT_PORT);
	assert_int_equal(admit("", "TABLE"), REFUSED_BAD_OUT_PORT);
	assert_int_equal(admit("", "goto_table:2"), REFUSED_BAD_GOTO);
	assert_int_equal(admit("", "goto_table:8"), REFUSED_BAD_GOTO);
	assert_int_equal(admit("", "meter:4"), REFUSED_UNKNOWN_METER);
	/* Prerequisites, as the actions before leave them. */
	assert_int_equal(admit("ip", "dec_ttl,mod_nw_ttl:5,set_field:1.2.3.4->ipv4_src"), 0);
	assert_int_equal(admit("", "dec_ttl"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("arp", "mod_nw_ttl:5"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("ipv6", "set_field:1.2.3.4->ipv4_src"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("udp", "set_field:5->tcp_dst"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("", "pop_vlan"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("", "mod_vlan_vid:5"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("dl_vlan=5", "pop_vlan"), 0);
	/* Another tag may be behind; the match cannot say. */
	assert_int_equal(admit("dl_vlan=5", "pop_vlan,mod_vlan_vid:5,pop_vlan"), 0);
	assert_int_equal(admit("", "push_vlan:0x8100,mod_vlan_vid:5,mod_vlan_pcp:1,pop_vlan"), 0);
	assert_int_equal(admit("", "pop_mpls:0x0800"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("ip", "pop_mpls:0x0800"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("ip", "dec_mpls_ttl"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("ip", "set_mpls_ttl:3"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("ip", "set_field:1->mpls_bos"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("arp", "copy_ttl_in"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("arp", "copy_ttl_out"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("ip", "pop_pbb"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("ip", "set_field:1->pbb_isid"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("udp", "set_field:1->sctp_dst"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("mpls", "dec_mpls_ttl,copy_ttl_in,pop_mpls:0x0800,dec_ttl"), 0);
	assert_int_equal(admit("mpls", "pop_mpls:0x8847,pop_mpls:0x86dd,dec_ttl"), 0);
	assert_int_equal(admit("mpls", "pop_mpls:0x0800,dec_mpls_ttl"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("", "push_mpls:0x8847,set_mpls_label:9,copy_ttl_out,pop_mpls:0x806"),
			 0);
	assert_int_equal(admit("ip", "push_mpls:0x8847,dec_ttl"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("dl_vlan=5", "push_mpls:0x8847,pop_vlan"),
			 REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("mpls,dl_vlan=5", "pop_mpls:0x800,pop_vlan,dec_ttl"), 0);
	assert_int_equal(admit("", "push_pbb:0x88e7,set_field:5->pbb_isid,pop_pbb"), 0);
	assert_int_equal(admit("ip", "set_field:0x86dd->eth_type,dec_ttl"), 0);
	assert_int_equal(admit("ip", "set_field:0x806->eth_type,dec_ttl"),
			 REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("tcp", "set_field:17->ip_proto,set_field:5->udp_dst"), 0);
	assert_int_equal(admit("icmp6", "set_field:::1->ipv6_nd_target"),
			 REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("icmp6", "set_field:135->icmpv6_type,set_field:::1->ipv6_nd_target"),
			 0);
	/* An action set runs in its own order: the tag is pushed first. */
	assert_int_equal(admit("", "write_actions(mod_vlan_vid:5,push_vlan:0x8100)"), 0);
	assert_int_equal(admit("", "write_actions(mod_vlan_vid:5)"), REFUSED_MATCH_INCONSISTENT);
}

static void sizes_are_bounded(void **state)
{
	struct switch_limits limits = {.n_tables = 1};
	struct instructions i = {0};
	struct match m = {0};
	struct refusal r = {0};

	(void)state;
	for (unsigned n = 0; n < PATH_OPS / 2 / 8; n++)
		op_put(n % 2 ? &i.apply : &i.write, ACTION_OUTPUT, 1, 0);
	assert_int_equal(instructions_validate(&i, &m, &limits, &r), 0);
	op_put(&i.apply, ACTION_OUTPUT, 1, 0);
	assert_int_equal(instructions_validate(&i, &m, &limits, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_TOO_MANY_ACTIONS);
	instructions_free(&i);
}

static uint16_t flags_of(const char *actions)
{
	struct instructions i;
	struct program *p;
	uint16_t flags;

	assert_int_equal(instructions_parse(actions, &i, NULL), 0);
	p = program_compile(&i);
	flags = p->flags;
	/* The meter is an op at the head. */
	assert_int_equal(p->apply_size, i.apply.size + (i.meter ? sizeof(struct op) : 0));
	assert_int_equal(i.meter && ((const struct op *)p->ops)->kind != ACTION_METER, 0);
	assert_int_equal(p->write_size, i.write.size);
	assert_null(p->rules);
	instructions_free(&i);
	program_free(p);
	return flags;
}

static void programs(void **state)
{
	(void)state;
	assert_int_equal(flags_of("drop"), PROGRAM_DROPS | PROGRAM_PLAIN);
	assert_int_equal(flags_of("dec_ttl"), PROGRAM_PLAIN); /* controllers may hear of it */
	assert_int_equal(flags_of("output:1"), PROGRAM_PLAIN);
	assert_int_equal(flags_of("CONTROLLER"), PROGRAM_PLAIN);
	assert_int_equal(flags_of("clear_actions"), PROGRAM_DROPS);
	assert_int_equal(flags_of("goto_table:1"), 0);
	assert_int_equal(flags_of("meter:1"), PROGRAM_PLAIN); /* it counts: no drop alone */
	assert_int_equal(flags_of("meter:1,output:1"), PROGRAM_PLAIN);
	assert_int_equal(flags_of("write_actions(output:1)"), 0);
	assert_int_equal(flags_of("write_metadata:1"), PROGRAM_DROPS);
}

static void outputs_are_found(void **state)
{
	struct instructions i;

	(void)state;
	assert_int_equal(instructions_parse("dec_ttl,output:2,LOCAL", &i, NULL), 0);
	assert_true(actions_output_to(i.apply.data, i.apply.size, 2));
	assert_true(actions_output_to(i.apply.data, i.apply.size, OFPP_LOCAL));
	assert_false(actions_output_to(i.apply.data, i.apply.size, 3));
	assert_false(actions_output_to(i.write.data, i.write.size, 2));
	instructions_free(&i);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_reads_back),      cmocka_unit_test(octets_of_the_standard),
		cmocka_unit_test(max_len_is_read_back), cmocka_unit_test(loads_are_read),
		cmocka_unit_test(text_refusals),        cmocka_unit_test(instruction_refusals),
		cmocka_unit_test(action_refusals),      cmocka_unit_test(admission),
		cmocka_unit_test(sizes_are_bounded),    cmocka_unit_test(programs),
		cmocka_unit_test(outputs_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
