/* SPDX-License-Identifier: Apache-2.0 */
/* The actions limiter and connlimit: keys of packets, text and wire, connections from their first
 * segment to their end, floods that fill the tables. */
#include "tests/unit/switch.h"

#include <netinet/in.h>

#include "datapath/spine.h"
#include "ofproto/limiters.h"
#include "tests/unit/bed.h"
#include "tests/unit/random.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

static struct ofproto *o;
static struct worker *w;
static struct buf ops;

static int set_up(void **state)
{
	(void)state;
	o = switch_up(NULL);
	w = ofproto_datapath(o)->worker[0];
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_free(&ops);
	ops = (struct buf){0};
	ofproto_destroy(o);
	return 0;
}

static int try_make(enum limiter_kind kind, const char *text, bool change, struct refusal *r)
{
	char copy[256], *save = NULL;
	const char *word[16];
	struct words words = {0, word};

	snprintf(copy, sizeof copy, "%s", text);
	for (char *c = strtok_r(copy, " ", &save); c; c = strtok_r(NULL, " ", &save))
		word[words.n++] = c;
	return change ? ofproto_mod_limiter(o, kind, words, NULL, r)
		      : ofproto_add_limiter(o, kind, words, NULL, r);
}

static const struct op *make(enum limiter_kind kind, const char *words)
{
	struct refusal r = {0};
	char name[32], text[64];

	if (try_make(kind, words, false, &r))
		fail_msg("%s: %s", words, r.text);
	assert_int_equal(sscanf(words, "%31s", name), 1);
	snprintf(text, sizeof text, "%s:%s", limiter_kinds[kind], name);
	buf_free(&ops);
	ops = (struct buf){0};
	if (actions_parse(text, &ops, &r))
		fail_msg("%s: %s", text, r.text);
	return (const void *)ops.data;
}

static void change(enum limiter_kind kind, const char *words)
{
	struct refusal r = {0};

	if (try_make(kind, words, true, &r))
		fail_msg("%s: %s", words, r.text);
}

/* A packet as its key says, of 60 octets; whether it passes. */
static bool passes(const struct op *op, const struct du_key *key)
{
	static const uint8_t octets[60];
	struct pkt *p = bed_pkt(w, octets, sizeof octets, sizeof octets);
	bool next;

	p->key = *key;
	p->l3 = 14;
	p->l4 = 34;
	w->now = ofproto_now(o);
	next = action_class(op->kind)->run(w, p, op) == ACT_NEXT;
	if (next)
		consume(w, p, CONSUME_TRACED);
	return next;
}

static struct du_key ipv4(uint32_t src, uint8_t proto)
{
	struct du_key k = {.eth_type = htobe16(0x0800), .ip_proto = proto};

	put_be32(k.ip_src, src);
	put_be32(k.ip_dst, 0x0a090002);
	return k;
}

static bool tcp(const struct op *op, uint32_t src, uint16_t port, unsigned flags)
{
	struct du_key k = ipv4(src, IPPROTO_TCP);

	k.tp_src = htobe16(port);
	k.tp_dst = htobe16(80);
	k.tcp_flags = htobe16((uint16_t)flags);
	return passes(op, &k);
}

/* The other direction of the same. */
static bool tcp_back(const struct op *op, uint32_t src, uint16_t port, unsigned flags)
{
	struct du_key k = ipv4(0x0a090002, IPPROTO_TCP);

	put_be32(k.ip_dst, src);
	k.tp_src = htobe16(80);
	k.tp_dst = htobe16(port);
	k.tcp_flags = htobe16((uint16_t)flags);
	return passes(op, &k);
}

static bool opens(const struct op *op, uint32_t src, uint16_t port)
{
	return tcp(op, src, port, SYN) && tcp(op, src, port, ACK);
}

static void later(uint64_t ns)
{
	ofproto_set_now(o, ofproto_now(o) + ns);
}

static uint32_t connections(const char *name)
{
	return conns_n(ofproto_limiter(o, CONNLIMIT, name)->conns);
}

static uint64_t dropped(enum drop_reason reason)
{
	return counter_read(&w->n.dropped[reason]);
}

/* ---- Keys of packets ------------------------------------------------------------------------ */

static void what_a_key_is(void **state)
{
	static const char *const texts[] = {"src/24/64", "dst,dport", "ipv4_src/24,in_port",
					    "conn_id,outer_ipv4_src", "tcp_dst"};
	static const char *const want[] = {"src=10.1.2.0/24", "dst=10.9.0.2,dport=80",
					   "ipv4_src=10.1.2.0/24,in_port=7",
					   "conn_id=5,outer_ipv4_src=192.0.2.1", "tcp_dst=80"};
	static const char *const of_udp[] = {"src=10.1.2.0/24", "dst=10.9.0.2,dport=80",
					     "ipv4_src=10.1.2.0/24,in_port=7",
					     "conn_id=-,outer_ipv4_src=-", "tcp_dst=-"};
	struct outer_key outer = {.has = htobe32(HAS_CONN | HAS_IPV4), .conn_id = htobe32(5)};
	struct du_key k = ipv4(0x0a010203, IPPROTO_TCP);
	struct key_view view = key_view_of(&k, &outer);
	uint64_t key[KEYED_WORDS];

	(void)state;
	put_be32((uint8_t *)&outer.ipv4_src, 0xc0000201);
	k.tp_dst = htobe16(80);
	k.in_port = htobe32(7);
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(texts); i++) {
		const char *expected = i % 2 ? of_udp[i / 2] : want[i / 2];
		struct refusal r = {0};
		struct keyed_by by;
		struct buf text = {0};

		assert_int_equal(keyed_by_parse(texts[i / 2], &by, &r), 0);
		keyed_by_format(&by, &text);
		assert_string_equal(buf_text(&text), texts[i / 2]);
		buf_free(&text);
		text = (struct buf){0};
		k.ip_proto = i % 2 ? IPPROTO_UDP : IPPROTO_TCP;
		outer.has = htobe32(i % 2 ? 0 : HAS_CONN | HAS_IPV4);
		keyed_key(&by, &view, key);
		keyed_key_format(&by, key, &text);
		assert_string_equal(buf_text(&text), expected);
		buf_free(&text);
	}
}

/* Only a neighbour message of IPv6, of code zero, has a target: matches ask the same. */
static void prerequisites_are_those_of_matches(void **state)
{
	static const struct {
		uint16_t eth_type;
		uint8_t type, code;
		const char *target;
	} asked[] = {
		{0x86dd, 135, 0, "ipv6_nd_target=::"}, {0x86dd, 136, 0, "ipv6_nd_target=::"},
		{0x86dd, 135, 1, "ipv6_nd_target=-"},  {0x86dd, 134, 0, "ipv6_nd_target=-"},
		{0x0800, 135, 0, "ipv6_nd_target=-"},
	};
	struct outer_key outer = {0};
	struct keyed_by by;
	struct refusal r;

	(void)state;
	assert_int_equal(keyed_by_parse("ipv6_nd_target", &by, &r), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(asked); i++) {
		struct du_key k = {.eth_type = htobe16(asked[i].eth_type),
				   .ip_proto = IPPROTO_ICMPV6,
				   .icmp_type = asked[i].type,
				   .icmp_code = asked[i].code};
		struct key_view view = key_view_of(&k, &outer);
		uint64_t key[KEYED_WORDS];
		struct buf text = {0};

		keyed_key(&by, &view, key);
		keyed_key_format(&by, key, &text);
		assert_string_equal(buf_text(&text), asked[i].target);
		buf_free(&text);
	}
}

/* What has no such field has one key together; IPv4 and IPv6 are told apart. */
static void packets_without_the_field_share_a_key(void **state)
{
	const struct op *op = make(LIMITER, "x by=src rate=1pps burst=1p");
	struct du_key arp = {.eth_type = htobe16(0x0806)}, odd = {.eth_type = htobe16(0x88b5)};
	struct du_key four = ipv4(0, 17), six = {.eth_type = htobe16(0x86dd), .ip_proto = 17};

	(void)state;
	assert_true(passes(op, &arp));
	assert_false(passes(op, &odd));
	assert_true(passes(op, &four));
	assert_true(passes(op, &six));
	assert_false(passes(op, &six));
	assert_int_equal(dropped(DROP_LIMITER), 2);
}

/* A change of rate keeps what is spent; another limiter has keys of its own. */
static void a_changed_rate_keeps_its_keys(void **state)
{
	const struct op *op = make(LIMITER, "x by=src rate=10pps burst=10p");
	struct du_key k = ipv4(1, 17);

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_true(passes(op, &k));
	assert_false(passes(op, &k));
	change(LIMITER, "x rate=1pps burst=10p");
	assert_false(passes(op, &k));
	later(NSEC_PER_SEC - 1);
	assert_false(passes(op, &k));
	later(1);
	assert_true(passes(op, &k));
	change(LIMITER, "x rate=100pps burst=1p");
	later(10 * NSEC_PER_MSEC);
	assert_true(passes(op, &k));
	assert_false(passes(op, &k));
	assert_int_equal(dropped(DROP_LIMITER), 4);
}

static void octets_are_counted_as_bits(void **state)
{
	/* 60 octets each are 480 bits: 1 Mb/s are 2,083 a second. */
	const struct op *op = make(LIMITER, "x by=src rate=1mbps burst=4800b");
	struct du_key k = ipv4(1, 17);
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		n += passes(op, &k);
		later(20000);
	}
	assert_in_range(n, 4166 - 4, 4166 + 10);
}

static void a_what_if_packet_spends_nothing(void **state)
{
	const struct op *op = make(LIMITER, "x by=src rate=1pps burst=1p");
	struct du_key k = ipv4(1, 17);

	(void)state;
	w->private_trace = true;
	for (unsigned i = 0; i < 5; i++)
		assert_true(passes(op, &k));
	w->private_trace = false;
	assert_true(passes(op, &k));
	assert_false(passes(op, &k));
}

/* ---- Text, wire and what is gone --------------------------------------------------------------
 */

static void text_and_wire(void **state)
{
	static const uint8_t want[] = {
		0xff, 0xff, 0, 40, 0x53, 0x4c, 0x55, 0x43, 0, 3, 'w', 'e', 'b',
	};
	struct buf wire = {0}, text = {0}, again = {0};
	struct refusal r = {0};
	struct reader reader;

	(void)state;
	make(LIMITER, "web by=src rate=1kpps");
	actions_put(ops.data, ops.size, &wire);
	assert_int_equal(wire.size, 40);
	assert_memory_equal(wire.data, want, sizeof want);
	reader = reader_of(wire.data, wire.size);
	assert_int_equal(actions_get(&reader, &again, &r), 0);
	actions_format(again.data, again.size, &text);
	assert_string_equal(buf_text(&text), "limiter:web");
	wire.data[9] = 4; /* there is no connection limit of that name */
	reader = reader_of(wire.data, wire.size);
	assert_int_not_equal(actions_get(&reader, &again, &r), 0);
	assert_int_equal(r.code, REFUSED_ACTION_ARGUMENT);
	buf_free(&wire);
	buf_free(&text);
	buf_free(&again);
}

/* A packet-out's limiter may be deleted before it runs. */
static void what_is_gone_drops(void **state)
{
	const struct op *op = make(LIMITER, "x by=src rate=1pps");
	struct du_key k = ipv4(1, 17);
	struct refusal r = {0};

	(void)state;
	assert_int_equal(ofproto_del_limiter(o, LIMITER, "x", NULL, &r), 0);
	assert_false(passes(op, &k));
	assert_int_equal(dropped(DROP_ACTION_INVALID), 1);
	assert_int_not_equal(ofproto_del_limiter(o, LIMITER, "x", NULL, &r), 0);
}

/* ---- Connections ------------------------------------------------------------------------------
 */

static void the_limit_is_of_what_is_open(void **state)
{
	const struct op *op = make(CONNLIMIT, "x by=src conns=3 idle=60s keys=1024");

	(void)state;
	for (uint16_t port = 1; port <= 3; port++)
		assert_true(opens(op, 1, port));
	assert_false(tcp(op, 1, 4, SYN));
	assert_true(opens(op, 2, 4));
	for (uint16_t port = 1; port <= 3; port++) {
		assert_true(tcp(op, 1, port, ACK));
		assert_true(tcp_back(op, 1, port, SYN | ACK));
		assert_true(tcp_back(op, 1, port, ACK));
	}
	assert_int_equal(connections("x"), 4);
	/* Neither other protocols nor later fragments are its business. */
	struct du_key udp = ipv4(1, 17), later_part = ipv4(1, 6);
	later_part.ip_frag = IP_FRAG_ANY | IP_FRAG_LATER;
	later_part.tcp_flags = htobe16(TP_MISSING);
	assert_true(passes(op, &udp));
	assert_true(passes(op, &later_part));
	assert_int_equal(dropped(DROP_CONNLIMIT), 1);
}

/* SYNs leave nothing: neither a flood of them in one's name nor one from everywhere. */
static void made_up_syns_fill_nothing(void **state)
{
	const struct op *op = make(CONNLIMIT, "x by=src conns=2 keys=64");

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		tcp(op, i % 2 ? 1 : rnd(), (uint16_t)i, SYN);
	assert_int_equal(connections("x"), 0);
	assert_true(opens(op, 1, 1));
	assert_true(opens(op, 1, 2));
}

/* A thousand SYNs at once are not a thousand connections. */
static void those_that_raced_are_not_let_in(void **state)
{
	const struct op *op = make(CONNLIMIT, "x by=src conns=5 keys=1024");
	unsigned n = 0;

	(void)state;
	for (uint16_t port = 1; port <= 100; port++)
		assert_true(tcp(op, 1, port, SYN));
	for (unsigned round = 0; round < 3; round++, later(10 * NSEC_PER_SEC))
		for (uint16_t port = 1; port <= 100; port++)
			n += tcp(op, 1, port, ACK);
	assert_int_equal(n, 3 * 5);
	assert_int_equal(connections("x"), 5);
}

static void how_connections_end(void **state)
{
	const struct op *op = make(CONNLIMIT, "x by=src conns=2 idle=30s keys=1024");

	(void)state;
	assert_true(opens(op, 1, 1) && opens(op, 1, 2));
	/* FIN: it counts for a little while, with its last segments. */
	assert_true(tcp(op, 1, 1, FIN | ACK));
	later(NSEC_PER_SEC);
	assert_true(tcp(op, 1, 1, ACK));
	assert_false(tcp(op, 1, 3, SYN));
	later(4 * NSEC_PER_SEC);
	assert_int_equal(connections("x"), 1);
	assert_true(opens(op, 1, 3));
	/* RST, by the other side. */
	assert_true(tcp_back(op, 1, 2, RST));
	later(4 * NSEC_PER_SEC);
	assert_true(opens(op, 1, 4));
	/* Silence. */
	assert_false(tcp(op, 1, 5, SYN));
	later(20 * NSEC_PER_SEC);
	assert_true(tcp(op, 1, 4, ACK));
	later(13 * NSEC_PER_SEC);
	assert_int_equal(connections("x"), 1);
	assert_true(opens(op, 1, 5));
	later(60 * NSEC_PER_SEC);
	assert_int_equal(connections("x"), 0);
}

/* A FIN that was made up lets a connection out of the count once, and for no longer than it is
 * silent. */
static void made_up_fins_do_not_hide_connections(void **state)
{
	const struct op *op = make(CONNLIMIT, "x by=src conns=2 idle=300s keys=1024");

	(void)state;
	assert_true(opens(op, 1, 1) && opens(op, 1, 2));
	assert_true(tcp(op, 1, 1, FIN | ACK) && tcp(op, 1, 2, RST));
	later(5 * NSEC_PER_SEC);
	assert_int_equal(connections("x"), 0);
	assert_true(tcp(op, 1, 1, ACK) && tcp(op, 1, 2, ACK));
	assert_int_equal(connections("x"), 2);
	assert_true(tcp(op, 1, 1, FIN | ACK) && tcp(op, 1, 2, RST));
	later(60 * NSEC_PER_SEC);
	assert_int_equal(connections("x"), 2);
	assert_false(tcp(op, 1, 3, SYN));
}

static void new_ones_have_a_rate(void **state)
{
	const struct op *op = make(CONNLIMIT, "x by=src new=10/s burst=5 keys=1024");
	unsigned n = 0;

	(void)state;
	for (uint16_t i = 0; i < 1000; i++, later(10 * NSEC_PER_MSEC))
		n += tcp(op, 1, i, SYN);
	assert_in_range(n, 103, 106); /* ten seconds and a burst */
	assert_true(tcp(op, 1, 7, ACK));
	assert_true(tcp(op, 2, 7, SYN));
	change(CONNLIMIT, "x new=100/s burst=5");
	for (uint16_t i = n = 0; i < 1000; i++, later(NSEC_PER_MSEC))
		n += tcp(op, 1, i, SYN);
	assert_in_range(n, 98, 106);
}

/* ACKs out of nowhere, from everywhere, fill the table; who is lawful goes on, and comes in. */
/* A limit without conns= counts none: more would be open than a word can count. */
static void without_a_bound_none_is_counted(void **state)
{
	const struct op *op = make(CONNLIMIT, "x by=src new=20/s keys=65536");

	(void)state;
	for (unsigned port = 0; port < KEYED_COUNT_MAX + 100; port++)
		assert_true(tcp(op, 1, (uint16_t)port, ACK));
	assert_int_equal(connections("x"), 0);
	change(CONNLIMIT, "x conns=3");
	for (unsigned port = 0; port < 10; port++)
		assert_int_equal(tcp(op, 1, (uint16_t)port, ACK), port < 3);
	assert_int_equal(connections("x"), 3);
	change(CONNLIMIT, "x conns=0");
	assert_true(tcp(op, 1, 4, ACK));
	assert_int_equal(connections("x"), 3); /* until they were not seen for long enough */
}

static void a_flood_of_acks_puts_nobody_out(void **state)
{
	const struct op *op = make(CONNLIMIT, "x by=src conns=5 idle=300s keys=256");
	unsigned lost = 0, refused = 0, asked = 0;

	(void)state;
	for (uint32_t i = 1; i <= 20; i++)
		assert_true(opens(op, i, 1));
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 500; i++, later(2000))
			tcp(op, 1u << 31 | rnd(), (uint16_t)rnd(), ACK);
		for (uint32_t i = 1; i <= 20; i++)
			lost += !tcp(op, i, 1, ACK);
		asked++;
		refused += !opens(op, 1000 + round, 1);
	}
	/* Each of theirs is counted again after it was pushed out; some find their key's line full
	 * of others' connections at that moment. */
	assert_in_range(lost, 0, 200 * 20 / 100);
	assert_in_range(refused, 0, asked / 50);
	/* No more are counted than there are places. */
	assert_in_range(connections("x"), 1, 258);
	print_message("of %u lawful segments %u lost, of %u new connections %u refused\n",
		      200u * 20u, lost, asked, refused);
}

/* What a key has open at one time while others push it out: whatever passes is counted. */
static void who_fills_the_table_has_no_more_connections(void **state)
{
	const struct op *op = make(CONNLIMIT, "x by=src conns=4 idle=300s keys=64");

	(void)state;
	for (unsigned round = 0; round < 2000; round++, later(NSEC_PER_MSEC)) {
		unsigned n = 0;

		for (unsigned i = 0; i < 50; i++)
			tcp(op, 1u << 31 | rnd(), (uint16_t)rnd(), ACK);
		/* One after the other, nothing between: none is pushed out. */
		for (uint16_t port = 1; port <= 30; port++)
			n += tcp(op, 1, port, ACK);
		assert_in_range(n, 0, 30);
	}
	/* In a table that is not flooded exactly four of thirty pass. */
	later(400 * NSEC_PER_SEC);
	for (unsigned round = 0, n; round < 10; round++) {
		n = 0;
		for (uint16_t port = 1; port <= 30; port++)
			n += tcp(op, 1, port, ACK);
		assert_int_equal(n, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_a_key_is, set_up, tear_down),
		cmocka_unit_test(prerequisites_are_those_of_matches),
		cmocka_unit_test_setup_teardown(packets_without_the_field_share_a_key, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_changed_rate_keeps_its_keys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(octets_are_counted_as_bits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_what_if_packet_spends_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(text_and_wire, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_gone_drops, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_limit_is_of_what_is_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(made_up_syns_fill_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(those_that_raced_are_not_let_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(how_connections_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(made_up_fins_do_not_hide_connections, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(new_ones_have_a_rate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_bound_none_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_of_acks_puts_nobody_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_fills_the_table_has_no_more_connections, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
