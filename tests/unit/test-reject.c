/* SPDX-License-Identifier: Apache-2.0 */
/* reject: the answers' octets, who gets none, how many there are, and where they go.  The octets
 * were written by scapy. */
#include "tests/unit/route-bed.h"

#include "datapath/action.h"
#include "datapath/answer.h"

static uint8_t frame[400];

static size_t from_hex(const char *hex)
{
	size_t n = 0;

	for (; hex[0]; hex += 2)
		frame[n++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
	return n;
}

static void add_route(const char *prefix, bool own, int port_id)
{
	struct fib_route *r = calloc(1, sizeof *r + sizeof r->path[0]);

	assert_non_null(r);
	assert_true(ip_prefix_parse(prefix, &r->prefix));
	r->kind = FIB_LOCAL;
	r->own = own;
	r->n_paths = 1;
	r->path[0].ifindex = -1 - port_id;
	fib_route_set(&dp.fib, r);
	free(r);
}

#define DROPPED(REASON) counter_read(&w->n.dropped[DROP_##REASON])
#define REJECTED()      counter_read(&w->n.made[MADE_REJECTED])

/* Rejects `hex`, received by port `in`. */
static void reject(const char *hex, enum answer_kind kind, uint32_t in)
{
	const struct op op = {.kind = ACTION_REJECT, .size = sizeof op, .arg = kind};
	struct pkt *p = bed_pkt(w, frame, from_hex(hex), sizeof frame);

	p->in_port = in;
	if (in == 2)
		p->flags |= PKT_VIRTUAL_ETH;
	p = keyed(p);
	assert_int_equal(action_class(ACTION_REJECT)->run(w, p, &op), ACT_DONE);
	stage_tx(w);
}

static void expect_sent(const char *what, const char *hex)
{
	const struct sent *s = last_sent();
	size_t size = from_hex(hex);

	if (s->len != size)
		fail_msg("%s: %u octets instead of %zu", what, s->len, size);
	if (memcmp(s->octet, frame, MIN(size, sizeof s->octet)))
		fail_msg("%s: other octets", what);
}

static const struct {
	const char *what;
	enum answer_kind kind;
	const char *rejected, *answer;
} answers[] = {
	{"a SYN", ANSWER_AUTO,
	 "02000000000102000000006308004500002f000700003c0680b7c0000201cb0071090fa0"
	 "0019000003e80000000060022000a2140000020405b4616263",
	 "0200000000630200000000010800450000280000400040063cc5cb007109c00002010019"
	 "0fa000000000000003ec501400009e200000"},
	{"data with ACK", ANSWER_RST,
	 "02000000000102000000006308004500002f000700003c0680b7c0000201cb0071090fa0"
	 "0019000003e8fffffffe50182000ecec000061626364656667",
	 "0200000000630200000000010800450000280000400040063cc5cb007109c00002010019"
	 "0fa0fffffffe0000000050040000a21d0000"},
	{"a FIN at the sequence's end", ANSWER_AUTO,
	 "020000000001020000000063080045000028000700003c0680bec0000201cb0071090fa0"
	 "0019ffffffff0000000050012000821f0000",
	 "0200000000630200000000010800450000280000400040063cc5cb007109c00002010019"
	 "0fa0000000000000000050140000a20c0000"},
	{"a SYN behind an IPv6 option", ANSWER_AUTO,
	 "02000000000102000000006386dd60000000001e3c3c20010db800000000000000000000"
	 "000120010db800010000000000000000000906000104000000000fa00019000003e80000"
	 "000050022000a84900007879",
	 "02000000006302000000000186dd600000000014064020010db800010000000000000000"
	 "000920010db800000000000000000000000100190fa000000000000003eb5014000040b0"
	 "0000"},
	{"UDP", ANSWER_AUTO,
	 "02000000000102000000006308004500002a000700003c1180b1c0000201cb00710903e8"
	 "07d0001669f5736563726574207061796c6f6164",
	 "020000000063020000000001080045c000380000400040013bfacb007109c0000201030d"
	 "872f000000004500002a000700003c1180b1c0000201cb00710903e807d0001669f5"},
	{"UDP over IPv6", ANSWER_ADMIN,
	 "02000000000102000000006386dd600000000016113c20010db800000000000000000000"
	 "000120010db800010000000000000000000903e807d000160c8473656372657420706179"
	 "6c6f6164",
	 "02000000006302000000000186dd6000000000383a4020010db800010000000000000000"
	 "000920010db80000000000000000000000010101bded00000000600000000016113c2001"
	 "0db800000000000000000000000120010db800010000000000000000000903e807d00016"
	 "0c84"},
	{"UDP over IPv6, no host", ANSWER_HOST,
	 "02000000000102000000006386dd600000000016113c20010db800000000000000000000"
	 "000120010db800010000000000000000000903e807d000160c8473656372657420706179"
	 "6c6f6164",
	 "02000000006302000000000186dd6000000000383a4020010db800010000000000000000"
	 "000920010db80000000000000000000000010103bdeb00000000600000000016113c2001"
	 "0db800000000000000000000000120010db800010000000000000000000903e807d00016"
	 "0c84"},
	{"GRE in a VLAN", ANSWER_AUTO,
	 "0200000000010200000000638100600508004500002400070000402f7c99c0000201cb00"
	 "710930313233343536373839616263646566",
	 "02000000006302000000000181006005080045c000380000400040013bfacb007109c000"
	 "0201030d3022000000004500002400070000402f7c99c0000201cb007109303132333435"
	 "3637"},
};

static void octets(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
		uint64_t before = DROPPED(REJECT), made = REJECTED();

		reject(answers[i].rejected, answers[i].kind, 0);
		assert_int_equal(DROPPED(REJECT), before + 1);
		assert_int_equal(REJECTED(), made + 1);
		assert_int_equal(last_sent()->ofport, 1);
		expect_sent(answers[i].what, answers[i].answer);
	}
	assert_int_equal(n_sent, ARRAY_SIZE(answers));
}

static const char udp[] = "02000000000102000000006308004500002a000700003c1180b1c0000201cb00710903e8"
			  "07d0001669f5736563726574207061796c6f6164";

/* The router's own address, where the port has one that is known elsewhere. */
static void own_address(void **state)
{
	static const char answer[] =
		"020000000063020000000001080045c000380000400040014cd2c63364fec00002010303"
		"8739000000004500002a000700003c1180b1c0000201cb00710903e807d0001669f5";

	(void)state;
	add_route("127.0.0.1", true, 0);
	add_route("169.254.1.1", true, 0);
	add_route("198.51.100.255", false, 0);
	add_route("198.51.100.253", true, 1);
	add_route("fe80::1", true, 0);
	add_route("198.51.100.254", true, 0);
	reject(udp, ANSWER_PORT, 0);
	expect_sent("from the port's address", answer);
	assert_true(fib_route_del(&dp.fib, &(struct ip_prefix){ip_v4(htobe32(0xc63364fe)), 32}));
	reject(udp, ANSWER_PORT, 0);
	assert_memory_equal(last_sent()->octet + 26, "\xcb\x00\x71\x09", 4);
}

/* Another length, another checksum: neither in what was captured nor beyond the headers. */
static void no_payload(void **state)
{
	(void)state;
	reject(udp, ANSWER_AUTO, 0);
	assert_null(memmem(last_sent()->octet, last_sent()->len, "secret", 6));
}

static const struct {
	const char *what, *rejected;
} silent[] = {
	{"unreach", "020000000001020000000063080045000038000700003c0180b3c0000201cb0071090301"
		    "302e000000004500002400070000402f7c99c0000201cb0071093031323334353637"},
	{"ttl", "020000000001020000000063080045000038000700003c0180b3c0000201cb0071090b00"
		"282f000000004500002400070000402f7c99c0000201cb0071093031323334353637"},
	{"type19", "02000000000102000000006308004500001c000700003c0180cfc0000201cb0071091300"
		   "ecff00000000"},
	{"l2mc", "ffffffffffff02000000006308004500001c000700003c1180bfc0000201cb0071090035"
		 "003500080169"},
	{"l2srcmc", "020000000001ffffffffffff08004500001c000700003c1180bfc0000201cb0071090035"
		    "003500080169"},
	{"dstmc", "02000000000102000000006308004500001c000100004011d8c5c0000201e00000090035"
		  "003500085d69"},
	{"dstbc", "02000000000102000000006308004500001c000100004011b8cfc0000201ffffffff0035"
		  "003500083d73"},
	{"netbc", "02000000000102000000006308004500001c0001000040118d9cc0000201c63364ff0035"
		  "003500081240"},
	{"src0", "02000000000102000000006308004500001c0001000040113ec700000000cb0071090035"
		 "00350008c36a"},
	{"srclo", "02000000000102000000006308004500001c000100004011bfc57f000001cb0071090035"
		  "003500084469"},
	{"srcmc", "02000000000102000000006308004500001c0001000040115ec5e0000001cb0071090035"
		  "00350008e368"},
	{"later", "02000000000102000000006308004500001c0001000440007cd2c0000201cb0071093031"
		  "323334353637"},
	{"first-tcp", "0200000000010200000000630800450000280001200040065cc4c0000201cb0071090014"
		      "005000000000000000005002200091730000"},
	{"badsum", "02000000000102000000006308004500001c0001000040111234c0000201cb0071090035"
		   "003500080169"},
	{"src::", "02000000000102000000006386dd60000000000811400000000000000000000000000000"
		  "000020010db8000000000000000000000002003500350008d1b9"},
	{"src::1", "02000000000102000000006386dd60000000000811400000000000000000000000000000"
		   "000120010db8000000000000000000000002003500350008d1b8"},
	{"dstff", "02000000000102000000006386dd600000000008114020010db800000000000000000000"
		  "0001ff020000000000000000000000000001003500350008d2b6"},
	{"icmp6err", "02000000000102000000006386dd6000000000083a3c20010db800000000000000000000"
		     "000120010db80001000000000000000000090100a34000000000"},
	{"redirect", "02000000000102000000006386dd6000000000283a3c20010db800000000000000000000"
		     "000120010db800010000000000000000000989001b200000000000000000000000000000"
		     "00000000000000000000000000000000000000000000"},
	{"arp", "0200000000010200000000630806000108000604000102fc00000001c000020200000000"
		"000000000000"},
	{"short", "02000000000102000000006308004500001e0001000040067ccec0000201cb0071093031"
		  "3233343536373839"},
	{"RESET", "020000000001020000000063080045000028000700003c0680bec0000201cb0071090fa0"
		  "001900000005000000005004200082170000"},
};

static void nobody(void **state)
{
	uint64_t before = DROPPED(REJECT);

	(void)state;
	add_route("198.51.100.255", false, 0); /* a network's broadcast address */
	for (unsigned i = 0; i < ARRAY_SIZE(silent); i++) {
		reject(silent[i].rejected, ANSWER_AUTO, 0);
		if (n_sent)
			fail_msg("%s is answered", silent[i].what);
	}
	reject(udp, ANSWER_RST, 0);
	reject(udp, ANSWER_AUTO, PORT_NONE); /* a packet-out: nobody to answer to */
	assert_int_equal(n_sent, 0);
	assert_int_equal(REJECTED(), 0);
	assert_int_equal(DROPPED(REJECT), before + ARRAY_SIZE(silent) + 2);
	reject("02000000000102000000006308004500001c000700003c0180cfc0000201cb0071090800"
	       "f7ff00000000",
	       ANSWER_AUTO, 0); /* an echo request is no error */
	assert_int_equal(n_sent, 1);
}

/* Out of a layer-3 port as it came in: without Ethernet. */
static void layer3(void **state)
{
	static const char answer[] =
		"020000000063020000000001080045c000380000400040013bfacb007109c0000201030d"
		"872f000000004500002a000700003c1180b1c0000201cb00710903e807d0001669f5";
	const struct sent *s;
	size_t size;

	(void)state;
	reject(udp, ANSWER_AUTO, 2);
	s = last_sent();
	size = from_hex(answer);
	assert_int_equal(s->ofport, 3);
	assert_true(s->flags & PKT_VIRTUAL_ETH);
	assert_int_equal(s->len, size);
	assert_memory_equal(s->octet + 14, frame + 14, size - 14);
}

static void down(void **state)
{
	(void)state;
	reject(udp, ANSWER_AUTO, 3);
	assert_int_equal(n_sent, 0);
	assert_int_equal(DROPPED(PORT_DOWN), 1);
	assert_int_equal(DROPPED(REJECT), 1);
}

/* A second's worth at once, and then what the time brings. */
static void bound(void **state)
{
	unsigned first;

	(void)state;
	add_route("198.51.100.255", false, 0);
	dp.reject_max = 200;
	for (unsigned i = 0; i < 100; i++)
		reject(udp, ANSWER_AUTO, 0);
	first = n_sent;
	assert_in_range(first, 20, 21);
	assert_int_equal(DROPPED(REJECT), first);
	assert_int_equal(DROPPED(REJECT_MAX), 100 - first);
	for (unsigned i = 0; i < 1000; i++) {
		w->now += NSEC_PER_MSEC;
		reject(udp, ANSWER_AUTO, 0);
	}
	assert_in_range(n_sent, first + 195, first + 201);
	dp.reject_max = 0;
	w->now += NSEC_PER_SEC;
	first = n_sent;
	reject(udp, ANSWER_AUTO, 0);
	assert_int_equal(n_sent, first);
	/* What may not be answered spends nothing. */
	dp.reject_max = 1000;
	for (unsigned i = 0; i < 1000; i++)
		reject(silent[i % ARRAY_SIZE(silent)].rejected, ANSWER_AUTO, 0);
	reject(udp, ANSWER_AUTO, 0);
	assert_int_equal(n_sent, first + 1);
}

/* Behind it nothing is run, whatever the path holds. */
static void ends_the_path(void **state)
{
	struct program *program;
	struct pkt *p = bed_pkt(w, frame, from_hex(udp), sizeof frame);
	struct batch b = {.n = 1};
	struct instructions i;
	struct refusal r;

	(void)state;
	p->in_port = 0;
	assert_int_equal(instructions_parse("output:2,reject,output:2,dec_ttl", &i, &r), 0);
	program = program_compile(&i);
	instructions_free(&i);
	assert_false(program->flags & PROGRAM_DROPS);
	b.pkt[0] = keyed(p);
	p->program = program;
	stage_actions(w, &b);
	stage_tx(w);
	assert_int_equal(n_sent, 2); /* the copy and the answer */
	assert_int_equal(DROPPED(REJECT), 1);
	program_free(program);
}

/* ---- Admission ----------------------------------------------------------------------------- */

/* The code with which a rule is refused; N_REFUSALS: it is accepted. */
static unsigned admit(const char *match, const char *actions)
{
	const struct switch_limits limits = {.n_tables = N_TABLES};
	struct refusal r = {.code = N_REFUSALS};
	struct instructions i = {0};
	char copy[64], *rest = copy, *word;
	struct match m = {0};

	snprintf(copy, sizeof copy, "%s", match);
	while ((word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		assert_int_equal(match_parse_word(&m, word, value, NULL), 0);
	}
	if (!instructions_parse(actions, &i, &r))
		instructions_validate(&i, &m, &limits, &r);
	instructions_free(&i);
	return r.code;
}

static unsigned admit_wire(const char *hex)
{
	struct reader wire;
	struct refusal r = {.code = N_REFUSALS};
	struct buf ops = {0};

	wire = (struct reader){.at = frame, .end = frame + from_hex(hex)};
	actions_get(&wire, &ops, &r);
	buf_free(&ops);
	return r.code;
}

static void admission(void **state)
{
	(void)state;
	assert_int_equal(admit("ip", "reject"), N_REFUSALS);
	assert_int_equal(admit("arp", "reject"), N_REFUSALS);
	assert_int_equal(admit("tcp", "reject:tcp-rst"), N_REFUSALS);
	assert_int_equal(admit("tcp6", "reject:tcp-rst"), N_REFUSALS);
	assert_int_equal(admit("udp", "reject:tcp-rst"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("ip", "reject:tcp-rst"), REFUSED_MATCH_INCONSISTENT);
	assert_int_equal(admit("ip", "output:1,dec_ttl,reject"), N_REFUSALS);
	assert_int_equal(admit("ip", "reject,output:1"), REFUSED_BAD_ACTION);
	assert_int_equal(admit("ip", "reject,reject"), REFUSED_BAD_ACTION);
	assert_int_equal(admit("ip", "reject,goto_table:1"), REFUSED_BAD_ACTION);
	assert_int_equal(admit("ip", "reject,write_actions(output:1)"), REFUSED_BAD_ACTION);
	assert_int_equal(admit("ip", "write_actions(reject)"), REFUSED_BAD_ACTION);
	assert_int_equal(admit("ip", "reject:icmp"), REFUSED_ACTION_ARGUMENT);
	assert_int_equal(admit_wire("ffff0010534c55430007000000000000"), N_REFUSALS);
	assert_int_equal(admit_wire("ffff0010534c55430007000600000000"), REFUSED_ACTION_ARGUMENT);
	assert_int_equal(admit_wire("ffff0018534c554300070001000000000000000000000000"),
			 REFUSED_ACTION_LEN);
	assert_int_equal(admit("ip", "clamp_mss:48"), N_REFUSALS);
	assert_int_equal(admit("ip", "clamp_mss:65495,output:1"), N_REFUSALS);
	assert_int_equal(admit("ip", "clamp_mss:47"), REFUSED_ACTION_ARGUMENT);
	assert_int_equal(admit("ip", "clamp_mss:65496"), REFUSED_ACTION_ARGUMENT);
	assert_int_equal(admit("ip", "clamp_mss"), REFUSED_ACTION_ARGUMENT);
	assert_int_equal(admit("ip", "write_actions(clamp_mss:1360)"), REFUSED_BAD_ACTION);
	assert_int_equal(admit_wire("ffff0010534c55430006002f00000000"), REFUSED_ACTION_ARGUMENT);
	assert_int_equal(admit_wire("ffff0018534c554300060550000000000000000000000000"),
			 REFUSED_ACTION_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(octets, route_up, route_down),
		cmocka_unit_test_setup_teardown(own_address, route_up, route_down),
		cmocka_unit_test_setup_teardown(no_payload, route_up, route_down),
		cmocka_unit_test_setup_teardown(nobody, route_up, route_down),
		cmocka_unit_test_setup_teardown(layer3, route_up, route_down),
		cmocka_unit_test_setup_teardown(down, route_up, route_down),
		cmocka_unit_test_setup_teardown(bound, route_up, route_down),
		cmocka_unit_test(admission),
		cmocka_unit_test_setup_teardown(ends_the_path, route_up, route_down),
	};

	return cmocka_run_group_tests_name("reject", tests, NULL, NULL);
}
