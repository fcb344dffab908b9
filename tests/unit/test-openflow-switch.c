/* SPDX-License-Identifier: Apache-2.0 */
/* Ports, tables, packets and what is not there, octet by octet (TS-023, 7.2.1, 7.3.5, 7.3.7, 7.4).
 */
#include "tests/unit/openflow-fixture.h"

#define REQUEST(XID, TYPE) "04 12 0010" XID TYPE "0000 00000000"
#define P1                                                                        \
	"00000001 00000000 020000000001 0000 70310000 00000000 00000000 00000000" \
	"00000000 00000004 00000000 00000000 00000000 00000000 00000000 00000000"
/* Fifteen octets of a longer name; its link is down. */
#define P2                                                                        \
	"00000007 00000000 020000000001 0000 61626364 65666768 696a6b6c 6d6e6f00" \
	"00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000"
#define PLOCAL                                                                    \
	"fffffffe 00000000 020000000001 0000 686f7374 00000000 00000000 00000000" \
	"00000000 00000004 00000000 00000000 00000000 00000000 00000000 00000000"

static struct bench *bench_with_ports(void)
{
	struct bench *t = bench_new();

	stub_port(t->o, 1, "p1");
	stub_port(t->o, 7, "abcdefghijklmnopqrstuvwxyz")->up = false;
	stub_port(t->o, 9, "tun")->flags = PORT_INTERNAL;
	stub_port(t->o, OFPP_LOCAL, "host");
	return t;
}

static void ports_are_described(void **state)
{
	struct bench *t = bench_with_ports();
	struct peer p = peer_ready(t);
	struct port *p1 = t->o->dp.port[1];

	(void)state;
	peer_send(&p, REQUEST("00000001", "000d"));
	EXPECT(&p, "04 13 00d0 00000001 000d 0000 00000000" P1 P2 PLOCAL);
	async_port_status(&t->server, p1, OFPPR_DELETE);
	EXPECT(&p, "04 0c 0050 00000000 01 00000000000000" P1);
	async_port_status(&t->server, t->o->dp.port[9],
			  OFPPR_ADD); /* internal: nobody's business */
	EXPECT(&p, "");
	peer_end(&p);
	bench_end(t);
}

static void ports_are_counted(void **state)
{
	struct bench *t = bench_with_ports();
	struct peer p = peer_ready(t);
	struct worker *w = t->o->dp.worker[0];

	(void)state;
	w->port[1] = (struct port_counters){.rx_packets = 1,
					    .tx_packets = 2,
					    .rx_bytes = 3,
					    .tx_bytes = 4,
					    .rx_dropped = 5,
					    .tx_dropped = 6,
					    .rx_errors = 7,
					    .tx_errors = 8};
	peer_send(&p, "04 12 0018 00000001 0004 0000 00000000 00000001 00000000");
	EXPECT(&p, "04 13 0080 00000001 0004 0000 00000000 00000001 00000000"
		   "0000000000000001 0000000000000002 0000000000000003 0000000000000004"
		   "0000000000000005 0000000000000006 0000000000000007 0000000000000008"
		   "ffffffffffffffff ffffffffffffffff ffffffffffffffff ffffffffffffffff"
		   "ffffffff ffffffff");
	/* All of them: three entries. */
	peer_send(&p, "04 12 0018 00000002 0004 0000 00000000 ffffffff 00000000");
	uint8_t octets[1024];
	assert_int_equal(peer_read(&p, octets, sizeof octets), 16 + 3 * 112);
	peer_send(&p, "04 12 0018 00000003 0004 0000 00000000 00000009 00000000"); /* BAD_PORT */
	EXPECT(&p, "04 01 0024 00000003 0001 000b"
		   "04 12 0018 00000003 0004 0000 00000000 00000009 00000000");
	peer_end(&p);
	bench_end(t);
}

#define PORT_MOD(PORT, ETH, CONFIG, ADVERTISE) \
	"04 10 0028 00000009" PORT "00000000" ETH "0000" CONFIG "00000067" ADVERTISE "00000000"

static void port_mods(void **state)
{
	static const struct {
		const char *message, *type_code;
	} cases[] = {
		{PORT_MOD("00000001", "020000000001", "00000000", "00000000"), NULL},
		{PORT_MOD("00000063", "020000000001", "00000000", "00000000"), "0007 0000"},
		{PORT_MOD("00000001", "020000000002", "00000000", "00000000"), "0007 0001"},
		{PORT_MOD("00000001", "020000000001", "00000002", "00000000"), "0007 0002"},
		{PORT_MOD("00000001", "020000000001", "00000000", "00000001"), "0007 0003"},
		{PORT_MOD("00000001", "020000000001", "00000021", "00000000"), NULL},
	};
	struct bench *t = bench_with_ports();
	struct peer p = peer_ready(t);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[256] = "";

		if (cases[i].type_code)
			snprintf(want, sizeof want, "04 01 0034 00000009 %s %s", cases[i].type_code,
				 cases[i].message);
		peer_send(&p, cases[i].message);
		EXPECT(&p, want);
	}
	assert_int_equal(t->o->port_mod.ofport, 1);
	assert_int_equal(t->o->port_mod.config, OFPPC_PORT_DOWN | OFPPC_NO_FWD);
	assert_int_equal(t->o->port_mod.mask, 0x67);
	peer_end(&p);
	bench_end(t);
}

static void queues_groups_and_meters_are_empty(void **state)
{
	static const struct {
		const char *message, *reply;
	} cases[] = {
		{"04 12 0018 00000001 0005 0000 00000000 00000001 ffffffff",
		 "04 13 0010 00000001 0005 0000 00000000"},
		{"04 12 0018 00000001 0005 0000 00000000 ffffffff ffffffff",
		 "04 13 0010 00000001 0005 0000 00000000"},
		{"04 12 0018 00000001 0005 0000 00000000 00000001 00000000", /* BAD_QUEUE */
		 "04 01 0024 00000001 0009 0001 04 12 0018 00000001 0005 0000 00000000 00000001"
		 "00000000"},
		{"04 16 0010 00000001 00000001 00000000", "04 17 0010 00000001 00000001 00000000"},
		{"04 12 0018 00000001 0006 0000 00000000 fffffffc 00000000",
		 "04 13 0010 00000001 0006 0000 00000000"},
		{REQUEST("00000001", "0007"), "04 13 0010 00000001 0007 0000 00000000"},
		{REQUEST("00000001", "0008"),
		 "04 13 0038 00000001 0008 0000 00000000 0000000f 0000000f"
		 "00004000 00004000 00004000 00004000 0fdf9801 0fdf9801 0fdf9801 0fdf9801"},
		{"04 12 0018 00000001 0009 0000 00000000 ffffffff 00000000",
		 "04 13 0010 00000001 0009 0000 00000000"},
		{"04 12 0018 00000001 000a 0000 00000000 ffffffff 00000000",
		 "04 13 0010 00000001 000a 0000 00000000"},
		{"04 12 0018 00000001 000a 0000 00000000 00000001 00000000", /* UNKNOWN_METER */
		 "04 01 0024 00000001 000c 0003 04 12 0018 00000001 000a 0000 00000000 00000001"
		 "00000000"},
		{REQUEST("00000001", "000b"),
		 "04 13 0020 00000001 000b 0000 00000000 00004000 00000006 0000000f 08 02 0000"},
		{"04 0f 0010 00000001 0002 00 00 fffffffc", ""}, /* deleting what is not there */
		{"04 1d 0010 00000001 0002 0000 ffffffff", ""},
	};
	struct bench *t = bench_with_ports();
	struct peer p = peer_ready(t);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		peer_send(&p, cases[i].message);
		EXPECT(&p, cases[i].reply);
	}
	peer_end(&p);
	bench_end(t);
}

static void tables_are_counted(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	peer_send(&p, REQUEST("00000001", "0003"));
	EXPECT(&p, "04 13 0058 00000001 0003 0000 00000000"
		   "00 000000 00000001 0000000000001000 0000000000002000"
		   "01 000000 00000002 0000000000001001 0000000000002001"
		   "02 000000 00000003 0000000000001002 0000000000002002");
	peer_end(&p);
	bench_end(t);
}

/* Properties of each table in ascending order, padded to 8 octets, within its length. */
static void table_features_add_up(void **state)
{
	static const uint16_t wanted[] = {0, 2, 4, 6, 8, 10, 12, 14};
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	uint8_t octets[65536], again[sizeof octets];
	struct reader r;
	ssize_t n;

	(void)state;
	peer_send(&p, REQUEST("00000001", "000c"));
	n = peer_read(&p, octets, sizeof octets);
	assert_int_equal(get_be16(octets + 2), n);
	r = reader_of(octets + 16, (size_t)n - 16);
	for (unsigned table = 0; table < 3; table++) {
		uint16_t size = pull_u16(&r);
		struct reader one = pull_reader(&r, size - 2u);

		assert_int_equal(pull_u8(&one), table);
		pull(&one, 61);
		for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
			assert_int_equal(pull_u16(&one), wanted[i]);
			size = pull_u16(&one);
			if (wanted[i] == OFPTFPT_INSTRUCTIONS) /* the last table leads nowhere */
				assert_int_equal(size, 4 + (table == 2 ? 5 : 6) * 4);
			if (wanted[i] == OFPTFPT_NEXT_TABLES)
				assert_int_equal(size, 4 + 2 - table);
			pull(&one, ROUND_UP(size, 8u) - 4u);
		}
		assert_false(one.failed);
		assert_int_equal(reader_left(&one), 0);
	}
	assert_false(r.failed);
	assert_int_equal(reader_left(&r), 0);
	/* In three parts, of which the second is malformed: refused once, and begun anew. */
	peer_send(&p, "04 12 0010 00000002 000c 0001 00000000");
	EXPECT(&p, "");
	peer_send(&p, "04 12 0018 00000002 000c 0001 00000000 0000000000000000");
	EXPECT(&p, "04 01 0024 00000002 000d 0003"
		   "04 12 0018 00000002 000c 0001 00000000 0000000000000000");
	peer_send(&p, "04 12 0018 00000002 000c 0001 00000000 0000000000000000");
	peer_send(&p, REQUEST("00000002", "000c"));
	EXPECT(&p, "");
	peer_send(&p, "04 12 0010 00000002 000c 0001 00000000");
	EXPECT(&p, "");
	peer_send(&p, REQUEST("00000002", "000c"));
	assert_int_equal(peer_read(&p, again, sizeof again), n);
	assert_memory_equal(again + 8, octets + 8, n - 8);
	peer_end(&p);
	bench_end(t);
}

static void a_request_without_end_overflows(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	static const uint8_t part[16] = {4, 0x12, 0, 16, 0, 0, 0, 1, 0, 12, 0, 1};
	uint8_t parts[256 * sizeof part];

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		memcpy(parts + i * sizeof part, part, sizeof part);
	for (unsigned i = 0; i < 64; i++)
		peer_write(&p, parts, sizeof parts);
	EXPECT(&p, "");
	peer_write(&p, parts, sizeof parts); /* one error, whatever more comes */
	EXPECT(&p, "04 01 001c 00000001 0001 000d 04 12 0010 00000001 000c 0001 00000000");
	peer_send(&p, REQUEST("00000001", "000c"));
	EXPECT(&p, "");
	peer_end(&p);
	bench_end(t);
}

static void the_switch_is_described(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	uint8_t octets[2048];

	(void)state;
	peer_send(&p, REQUEST("00000001", "0000"));
	assert_int_equal(peer_read(&p, octets, sizeof octets), 16 + 1056);
	assert_string_equal((char *)octets + 16, "sluice");
	assert_string_equal((char *)octets + 16 + 3 * 256, "none");
	peer_end(&p);
	bench_end(t);
}

#define FRAME      "ffffffffffff 020000000001 0806 0001"
#define OUTPUT_ALL "0000 0010 fffffffc 0000 000000000000"

static void packets_go_out(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	uint8_t frame[16];

	(void)state;
	peer_send(&p, "04 0d 0038 00000001 ffffffff fffffffd 0010 000000000000" OUTPUT_ALL FRAME);
	EXPECT(&p, "");
	assert_int_equal(t->o->n_packet_outs, 1);
	assert_int_equal(t->o->last_out.in_port, OFPP_CONTROLLER);
	assert_int_equal(t->o->last_out.size, octets_of(FRAME, frame, sizeof frame));
	assert_memory_equal(t->o->last_frame, frame, sizeof frame);
	assert_true(t->o->last_out.ops_size > 0);
	/* BUFFER_UNKNOWN, actions_len beyond the message, no frame, an action cut short. */
	peer_send(&p, "04 0d 0018 00000002 00000001 fffffffd 0000 000000000000");
	EXPECT(&p, "04 01 0024 00000002 0001 0008"
		   "04 0d 0018 00000002 00000001 fffffffd 0000 000000000000");
	peer_send(&p, "04 0d 0018 00000003 ffffffff fffffffd 0008 000000000000");
	EXPECT(&p, "04 01 0024 00000003 0001 0006"
		   "04 0d 0018 00000003 ffffffff fffffffd 0008 000000000000");
	peer_send(&p, "04 0d 0028 00000004 ffffffff fffffffd 0010 000000000000" OUTPUT_ALL);
	EXPECT(&p, "04 01 0034 00000004 0001 000c"
		   "04 0d 0028 00000004 ffffffff fffffffd 0010 000000000000" OUTPUT_ALL);
	peer_send(&p, "04 0d 0020 00000005 ffffffff fffffffd 0008 000000000000 0000 0008 00000001");
	EXPECT(&p, "04 01 002c 00000005 0002 0001 04 0d 0020 00000005 ffffffff fffffffd 0008"
		   "000000000000 0000 0008 00000001");
	assert_int_equal(t->o->n_packet_outs, 1);
	peer_end(&p);
	bench_end(t);
}

static void packets_come_in(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t), slave = peer_ready(t);
	struct event_packet_in *pi = calloc(1, sizeof *pi + 16);
	struct flow flow = {.cookie = 0xc0};

	(void)state;
	pi->total_len = 60;
	pi->max_len = pi->held = 16;
	pi->reason = OFPR_ACTION;
	pi->table = 1;
	pi->key.du.in_port = htobe32(3);
	pi->key.du.in_phy_port = htobe32(3);
	pi->key.du.metadata = htobe64(5);
	octets_of(FRAME, pi->octet, 16);
	peer_send(&slave, "04 18 0018 00000001 00000003 00000000 0000000000000005");
	EXPECT(&slave, "04 19 0018 00000001 00000003 00000000 0000000000000005");
	async_packet_in(&t->server, pi, &flow);
	/* in_port and metadata: 24 octets of match. */
	EXPECT(&p, "04 0a 0042 00000000 ffffffff 003c 01 01 00000000000000c0"
		   "0001 0018 80000004 00000003 80000408 0000000000000005 0000" FRAME);
	EXPECT(&slave, "");
	/* Collected data is for those who know it. */
	p.c->extended = true;
	pi->key.du.metadata = 0;
	pi->key.outer.has = htobe32(HAS_ESP);
	pi->key.outer.esp_spi = htobe32(0x1001);
	async_packet_in(&t->server, pi, NULL);
	uint8_t octets[512];
	assert_true(peer_read(&p, octets, sizeof octets) > 0x42);
	assert_memory_equal(octets + 16, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	assert_non_null(memmem(octets, sizeof octets, "\xff\xff\x32\x08SLUC\0\0\x10\x01", 12));
	free(pi);
	peer_end(&p);
	peer_end(&slave);
	bench_end(t);
}

#define SET_ASYNC(MASTER, SLAVE) \
	"04 1c 0020 00000001" MASTER SLAVE "00000000 00000000 00000000 00000000"

/* FRAME, whole, from port 3. */
static struct event_packet_in *with_invalid_ttl(void)
{
	struct event_packet_in *pi = calloc(1, sizeof *pi + 16);

	pi->total_len = pi->held = 16;
	pi->max_len = OFPCML_NO_BUFFER;
	pi->reason = OFPR_INVALID_TTL;
	pi->key.du.in_port = htobe32(3);
	octets_of(FRAME, pi->octet, 16);
	return pi;
}

/* Of what no rule sends, a connection says how much it wants; the rest stays in a buffer. */
static void invalid_ttls_are_of_miss_send_len(void **state)
{
	static const struct {
		const char *config, *want;
	} t[] = {
		{"04 09 000c 00000001 0000 0004",
		 "04 0a 002e 00000000 00000001 0010 02 00 ffffffffffffffff"
		 "0001 000c 80000004 00000003 00000000 0000 ffffffff"},
		{"04 09 000c 00000001 0000 0000",
		 "04 0a 002a 00000000 00000002 0010 02 00 ffffffffffffffff"
		 "0001 000c 80000004 00000003 00000000 0000"},
		{"04 09 000c 00000001 0000 ffff",
		 "04 0a 003a 00000000 ffffffff 0010 02 00 ffffffffffffffff"
		 "0001 000c 80000004 00000003 00000000 0000" FRAME},
	};
	struct bench *b = bench_new();
	struct peer all = peer_ready(b), p = peer_ready(b);
	struct event_packet_in *pi = with_invalid_ttl();

	(void)state;
	peer_send(&p, SET_ASYNC("00000007", "00000000"));
	peer_send(&all, SET_ASYNC("00000007", "00000000"));
	peer_send(&all, t[2].config);
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		peer_send(&p, t[i].config);
		async_packet_in(&b->server, pi, NULL);
		EXPECT(&p, t[i].want);
		EXPECT(&all, t[2].want);
	}
	/* A part of a packet is never held. */
	pi->total_len = 60;
	peer_send(&p, t[0].config);
	async_packet_in(&b->server, pi, NULL);
	EXPECT(&p, "04 0a 002e 00000000 ffffffff 003c 02 00 ffffffffffffffff"
		   "0001 000c 80000004 00000003 00000000 0000 ffffffff");
	packet_buffers_free(&b->server.buffers);
	free(pi);
	peer_end(&p);
	peer_end(&all);
	bench_end(b);
}

/* An invalid TTL is not among the defaults; the datapath tells of it while somebody hears it. */
static void invalid_ttls_are_for_those_who_ask(void **state)
{
	struct bench *t = bench_new();
	struct peer other = peer_ready(t), p = peer_ready(t);
	struct event_packet_in *pi = with_invalid_ttl();
	struct ofproto *o = t->server.ofproto;

	(void)state;
	assert_false(o->tell_invalid_ttl);
	async_packet_in(&t->server, pi, NULL);
	EXPECT(&p, "");
	peer_send(&p, SET_ASYNC("00000007", "00000000"));
	EXPECT(&p, "");
	assert_true(o->tell_invalid_ttl);
	async_packet_in(&t->server, pi, NULL);
	EXPECT(&p, "04 0a 003a 00000000 00000001 0010 02 00 ffffffffffffffff"
		   "0001 000c 80000004 00000003 00000000 0000" FRAME);
	EXPECT(&other, "");
	/* As a slave it does not want to hear it. */
	peer_send(&other, "04 18 0018 00000001 00000002 00000000 0000000000000005");
	EXPECT(&other, "04 19 0018 00000001 00000002 00000000 0000000000000005");
	peer_send(&p, "04 18 0018 00000001 00000003 00000000 0000000000000005");
	EXPECT(&p, "04 19 0018 00000001 00000003 00000000 0000000000000005");
	assert_false(o->tell_invalid_ttl);
	peer_send(&p, SET_ASYNC("00000000", "00000004"));
	EXPECT(&p, "");
	assert_true(o->tell_invalid_ttl);
	peer_end(&p);
	assert_false(o->tell_invalid_ttl);
	packet_buffers_free(&t->server.buffers);
	free(pi);
	peer_end(&other);
	bench_end(t);
}

/* A peer that does not read loses packet-ins, counted, and nothing else. */
static void packet_ins_are_dropped_before_memory_is_lost(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	struct event_packet_in *pi = calloc(1, sizeof *pi + 9000);

	(void)state;
	pi->max_len = pi->held = 9000;
	pi->reason = OFPR_ACTION;
	for (unsigned i = 0; i < 1000; i++)
		async_packet_in(&t->server, pi, NULL);
	assert_true(ofconn_output(p.c) < OFCONN_OUTPUT_REPLY + 10000);
	assert_true(t->server.n_packet_in_dropped > 800);
	free(pi);
	peer_end(&p);
	bench_end(t);
}

/* A packet-in of 16 octets, of which a rule sends `max_len`. */
static struct event_packet_in *packet_in(uint16_t max_len)
{
	struct event_packet_in *pi = calloc(1, sizeof *pi + 16);

	pi->total_len = pi->held = 16;
	pi->max_len = max_len;
	pi->reason = OFPR_ACTION;
	pi->key.du.in_port = htobe32(3);
	octets_of(FRAME, pi->octet, 16);
	return pi;
}

#define IN_PORT_3 "0001 000c 80000004 00000003 00000000"
/* A packet-out to port 1 of buffer 1, and a flow-mod with it. */
#define OUT_OF_1                                                  \
	"04 0d 0028 00000007 00000001 00000003 0010 000000000000" \
	"0000 0010 00000001 0000 000000000000"
#define ADD_WITH_1                                                                            \
	"04 0e 0038 00000008 0000000000000000 0000000000000000 00 00 0000 0000 0005 00000001" \
	"ffffffff ffffffff 0000 0000 0001 0004 00000000"

static void packets_are_held(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	struct event_packet_in *pi = packet_in(4);

	(void)state;
	peer_send(&p, OUT_OF_1); /* BUFFER_UNKNOWN: none yet */
	EXPECT(&p, "04 01 0034 00000007 0001 0008" OUT_OF_1);
	async_packet_in(&t->server, pi, NULL);
	EXPECT(&p, "04 0a 002e 00000000 00000001 0010 01 00 ffffffffffffffff" IN_PORT_3
		   "0000 ffffffff");
	peer_send(&p, OUT_OF_1);
	EXPECT(&p, "");
	assert_int_equal(t->o->n_packet_outs, 1);
	assert_int_equal(t->o->last_out.size, 16);
	assert_memory_equal(t->o->last_frame, pi->octet, 16);
	peer_send(&p, OUT_OF_1); /* BUFFER_EMPTY */
	EXPECT(&p, "04 01 0034 00000007 0001 0007" OUT_OF_1);
	peer_send(&p, ADD_WITH_1);
	EXPECT(&p, "04 01 0044 00000008 0001 0007" ADD_WITH_1);
	assert_int_equal(t->o->n_flow_mods, 0);
	free(pi);
	peer_end(&p);
	packet_buffers_free(&t->server.buffers);
	bench_end(t);
}

/* The packet goes through the tables when the rule is in effect; a refused rule leaves it. */
static void a_rule_takes_what_is_held(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	struct event_packet_in *pi = packet_in(0);

	(void)state;
	async_packet_in(&t->server, pi, NULL);
	EXPECT(&p, "04 0a 002a 00000000 00000001 0010 01 00 ffffffffffffffff" IN_PORT_3 "0000");
	/* To table 2, which is full here; as a delete, which has none; then as it should be. */
	peer_send(&p, "04 0e 0038 00000008 0000000000000000 0000000000000000 02 00 0000 0000 0005"
		      "00000001 ffffffff ffffffff 0000 0000 0001 0004 00000000");
	EXPECT(&p, "04 01 0044 00000008 0005 0001"
		   "04 0e 0038 00000008 0000000000000000 0000000000000000 02 00 0000 0000 0005"
		   "00000001 ffffffff ffffffff 0000 0000 0001 0004 00000000");
	peer_send(&p, "04 0e 0038 00000008 0000000000000000 0000000000000000 00 03 0000 0000 0005"
		      "00000001 ffffffff ffffffff 0000 0000 0001 0004 00000000");
	EXPECT(&p, "");
	t->o->defer = true;
	peer_send(&p, ADD_WITH_1);
	assert_int_equal(t->o->n_packet_outs, 0);
	stub_done(t->o, 0);
	assert_int_equal(t->o->n_packet_outs, 1);
	assert_int_equal(t->o->last_out.in_port, 3);
	assert_memory_equal(t->o->last_frame, pi->octet, 16);
	/* What fails at the commit loses it. */
	async_packet_in(&t->server, pi, NULL);
	EXPECT(&p, "04 0a 002a 00000000 00000002 0010 01 00 ffffffffffffffff" IN_PORT_3 "0000");
	peer_send(&p, "04 0e 0038 00000008 0000000000000000 0000000000000000 00 00 0000 0000 0005"
		      "00000002 ffffffff ffffffff 0000 0000 0001 0004 00000000");
	stub_done(t->o, -EIO);
	assert_int_equal(t->o->n_packet_outs, 1);
	free(pi);
	peer_end(&p);
	packet_buffers_free(&t->server.buffers);
	bench_end(t);
}

/* There are so many, each for so long; and none for packets that go whole or came in part. */
static void buffers_are_bounded(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	struct event_packet_in *pi = packet_in(OFPCML_NO_BUFFER);
	struct packet_buffers *b = &t->server.buffers;
	uint8_t long_frame[PACKET_BUFFER_OCTETS + 1] = {0};
	struct refusal r;

	(void)state;
	async_packet_in(&t->server, pi, NULL);
	EXPECT(&p,
	       "04 0a 003a 00000000 ffffffff 0010 01 00 ffffffffffffffff" IN_PORT_3 "0000" FRAME);
	pi->max_len = 4;
	pi->held = 4; /* headers alone are for controllers */
	async_packet_in(&t->server, pi, NULL);
	EXPECT(&p, "04 0a 002e 00000000 ffffffff 0010 01 00 ffffffffffffffff" IN_PORT_3
		   "0000 ffffffff");
	for (uint32_t i = 1; i <= PACKET_BUFFERS; i++)
		assert_int_equal(packet_hold(b, 100, 1, "frame", 5), i);
	assert_int_equal(packet_hold(b, 100, 1, "frame", 5), OFP_NO_BUFFER);
	free(packet_take(b, 7, &r)); /* that one is free: two rounds later its number comes */
	assert_int_equal(packet_hold(b, 100, 1, "frame", 5) % PACKET_BUFFERS, 7);
	assert_null(packet_take(b, 7, &r));
	assert_int_equal(r.code, REFUSED_BUFFER_UNKNOWN);
	assert_int_not_equal(packet_hold(b, 100 + PACKET_BUFFER_NS, 1, "frame", 5), OFP_NO_BUFFER);
	assert_int_equal(packet_hold(b, 1e18, 1, long_frame, sizeof long_frame), OFP_NO_BUFFER);
	assert_int_not_equal(packet_hold(b, 1e18, 1, long_frame, sizeof long_frame - 1),
			     OFP_NO_BUFFER);
	/* Numbers go round before they say "none". */
	b->n_held = UINT32_MAX - 2;
	for (unsigned i = 0; i < 4; i++) {
		uint32_t id = packet_hold(b, 3e18, 1, "frame", 5);
		struct held_packet *held = packet_take(b, id, &r);

		assert_true(id > 0 && id <= 1u << 31);
		assert_int_equal(held->size, 5);
		free(held);
	}
	free(pi);
	peer_end(&p);
	packet_buffers_free(b);
	bench_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_described),
		cmocka_unit_test(ports_are_counted),
		cmocka_unit_test(port_mods),
		cmocka_unit_test(queues_groups_and_meters_are_empty),
		cmocka_unit_test(tables_are_counted),
		cmocka_unit_test(table_features_add_up),
		cmocka_unit_test(a_request_without_end_overflows),
		cmocka_unit_test(the_switch_is_described),
		cmocka_unit_test(packets_go_out),
		cmocka_unit_test(packets_come_in),
		cmocka_unit_test(invalid_ttls_are_for_those_who_ask),
		cmocka_unit_test(invalid_ttls_are_of_miss_send_len),
		cmocka_unit_test(packet_ins_are_dropped_before_memory_is_lost),
		cmocka_unit_test(packets_are_held),
		cmocka_unit_test(a_rule_takes_what_is_held),
		cmocka_unit_test(buffers_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
