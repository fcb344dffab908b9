/* SPDX-License-Identifier: Apache-2.0 */
/* Reasons to drop that no other unit brings about: each caused once, and counted under its name. */
#include "tests/unit/switch.h"

#include "datapath/spine.h"
#include "lib/csum.h"

static struct ofproto *o;
static struct datapath *dp;
static struct worker *w;
static struct port *in, *out;

static uint64_t dropped(enum drop_reason reason)
{
	return counter_read(&w->n.dropped[reason]);
}

static void turns(void)
{
	w->now = ofproto_now(o);
	while (worker_turn(w))
		;
}

/* An IPv4 frame to the in-port's MAC. */
struct shape {
	uint32_t src, dst;
	uint8_t proto;
	uint16_t frag;
	bool spoil_checksum;
	const char *payload; /* octets, 40 at most */
	size_t payload_size;
};

static void inject(struct shape s)
{
	uint8_t f[80] = {0};
	uint8_t *ip = f + 14;
	be16 sum;

	memcpy(f, in->mac, 6);
	f[6] = 2;
	put_be16(f + 12, 0x800);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(20 + s.payload_size));
	put_be16(ip + 6, s.frag);
	ip[8] = 64;
	ip[9] = s.proto;
	put_be32(ip + 12, s.src ? s.src : 0x0a000001);
	put_be32(ip + 16, s.dst);
	sum = csum(ip, 20);
	memcpy(ip + 10, &sum, 2);
	ip[10] ^= s.spoil_checksum;
	if (s.payload)
		memcpy(ip + 20, s.payload, s.payload_size);
	assert_int_equal(dummy_inject(in, f, 14 + 20 + s.payload_size), 0);
	turns();
}

static void expect(enum drop_reason reason, struct shape s)
{
	uint64_t before = dropped(reason);

	inject(s);
	assert_int_equal(dropped(reason), before + 1);
}

static void routing(void **state)
{
	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=1,actions=NORMAL");
	expect(DROP_NO_ROUTE, (struct shape){.dst = 0xc6336401});
	expect(DROP_NEIGH_UNRESOLVED, (struct shape){.dst = 0x0a020009});
	expect(DROP_MARTIAN, (struct shape){.src = 0x7f000001, .dst = 0x0a020001});
	expect(DROP_IP_CHECKSUM, (struct shape){.dst = 0x0a020001, .spoil_checksum = true});
	expect(DROP_NO_PORT, (struct shape){.dst = 0x0a030001});
	out->up = false;
	expect(DROP_PORT_DOWN, (struct shape){.dst = 0x0a020001});
	out->up = true;
	inject((struct shape){.dst = 0x0a020001});
	assert_int_equal(switch_taken(out), 1);
	switch_flow(o, OFPFC_ADD, "priority=2,actions=LOCAL");
	expect(DROP_NO_HOST, (struct shape){.dst = 0x0a020001});
	switch_flow(o, OFPFC_DELETE, "");
}

/* Sixty-five tables on one path would be needed for its rules; long lists do it for its ops. */
static void path_too_long(void **state)
{
	struct buf text = {0};

	(void)state;
	switch_flow(o, OFPFC_ADD, "table=0,actions=write_metadata:1,goto_table:1");
	for (unsigned table = 1; table < 8; table++) {
		text.size = 0;
		buf_printf(&text, "table=%u,actions=", table);
		for (unsigned i = 0; i < 60; i++)
			buf_printf(&text, "set_field:%u->reg0,", i);
		buf_printf(&text, table < 7 ? "goto_table:%u" : "output:2", table + 1);
		switch_flow(o, OFPFC_ADD, buf_text(&text));
	}
	buf_free(&text);
	expect(DROP_PATH_TOO_LONG, (struct shape){.dst = 0x0a020001});
	switch_flow(o, OFPFC_DELETE, "table=255");
	switch_flow(o, OFPFC_DELETE, "");
}

static void controllers_ring_full(void **state)
{
	uint64_t before;

	(void)state;
	switch_flow(o, OFPFC_ADD, "actions=CONTROLLER:65535");
	for (unsigned i = 0; i < 5000 && !dropped(DROP_PACKET_IN_FULL); i++)
		inject((struct shape){.dst = 0x0a020001});
	assert_true(dropped(DROP_PACKET_IN_FULL) > 0);
	assert_true(counter_read(&w->n.consumed[CONSUME_TO_CONTROLLER]) > 100);
	ofproto_run(o); /* reads them: there is room again */
	before = counter_read(&w->n.consumed[CONSUME_TO_CONTROLLER]);
	inject((struct shape){.dst = 0x0a020001});
	assert_int_equal(counter_read(&w->n.consumed[CONSUME_TO_CONTROLLER]), before + 1);
	switch_flow(o, OFPFC_DELETE, "");
}

static void no_packet(void **state)
{
	uint32_t n = w->n_free_pkts;

	(void)state;
	switch_flow(o, OFPFC_ADD, "actions=output:2,output:3");
	w->n_free_pkts = 1; /* one to receive with, none to copy */
	inject((struct shape){.dst = 0x0a020001});
	assert_int_equal(dropped(DROP_NO_PACKET), 1);
	w->n_free_pkts = n;
	switch_taken(out);
	switch_flow(o, OFPFC_DELETE, "");
}

static const char conn[] = "conn c type=iptfs local=192.0.2.1 remote=192.0.2.2 spi-in=0x1000 "
			   "cipher=null-sha256 encap=%s auth-key-in="
			   "0102030405060708091011121314151617181920212223242526272829303132";

static void conn_up(const char *encap)
{
	struct refusal r = {0};
	char words[300];

	snprintf(words, sizeof words, conn, encap);
	if (switch_try_words(o, words, NULL, &r))
		fail_msg("%s: %s", r.field, r.text);
}

static void conn_down(void)
{
	struct refusal r = {0};

	assert_int_equal(ofproto_del_conn(o, "c", NULL, &r), 0);
}

static void outer_packets(void **state)
{
	static const char esp[] = "\0\0\x10\0\0\0\0\1aaaabbbbccccdddd";
	static const char udp[] = "\x11\x94\x11\x94\0\x09\0\0\xff";
	uint64_t before;

	(void)state;
	conn_up("none");
	/* The first fragment names its SPI, later ones only their end. */
	expect(DROP_OUTER_FRAGMENT, (struct shape){.dst = 0xc0000201,
						   .proto = 50,
						   .frag = 0x2000,
						   .payload = esp,
						   .payload_size = 24});
	expect(DROP_OUTER_FRAGMENT, (struct shape){.dst = 0xc0000201,
						   .proto = 50,
						   .frag = 0x0003,
						   .payload = esp,
						   .payload_size = 24});
	expect(DROP_ESP_SHORT,
	       (struct shape){.dst = 0xc0000201, .proto = 50, .payload = esp, .payload_size = 16});
	/* Somebody else's SPI is a plain frame. */
	expect(DROP_TABLE_MISS, (struct shape){.dst = 0xc0000201,
					       .proto = 50,
					       .payload = "\0\0\x20\0\0\0\0\1",
					       .payload_size = 8});
	conn_down();
	conn_up("udp");
	before = counter_read(&w->n.consumed[CONSUME_KEEPALIVE]);
	inject((struct shape){.dst = 0xc0000201, .proto = 17, .payload = udp, .payload_size = 9});
	assert_int_equal(counter_read(&w->n.consumed[CONSUME_KEEPALIVE]), before + 1);
	/* To another address it is nobody's. */
	expect(DROP_TABLE_MISS,
	       (struct shape){.dst = 0xc0000202, .proto = 17, .payload = udp, .payload_size = 9});
	conn_down();
}

/* Deleted while one of its aggregates waits for a gap to close. */
static void conn_gone(void **state)
{
	struct batch b = {.n = 0};
	struct pkt *p = pkt_new(w, FRAME_HEADROOM);

	(void)state;
	conn_up("none");
	p->seg[0].len = 60;
	p->len = 60;
	memset(p->data, 0, 60);
	pkt_injected(w, p, in->id);
	p->outer->conn = ofproto_conn(o, "c")->port.id;
	p->outer->gen = ofproto_conn(o, "c")->port.gen;
	b.pkt[b.n++] = p;
	conn_down();
	spine_decap(w, &b);
	assert_int_equal(dropped(DROP_CONN_GONE), 1);
}

static int up(void **state)
{
	static const char *const routes[][2] = {{"10.2.0.0/16", "dev=out"},
						{"10.3.0.0/16", "dev=gone"}};
	static const char *const neigh[] = {"10.2.0.1", "02:00:00:00:00:09", "dev=out"};
	struct refusal r = {0};

	(void)state;
	o = switch_up(NULL);
	dp = ofproto_datapath(o);
	w = dp->worker[0];
	in = switch_port(o, "in type=dummy ofport=1 mac=02:00:00:00:00:01");
	out = switch_port(o, "out type=dummy ofport=2 mac=02:00:00:00:00:02");
	switch_port(o, "third type=dummy ofport=3");
	switch_port(o, "gone type=dummy ofport=4");
	for (unsigned i = 0; i < ARRAY_SIZE(routes); i++)
		assert_int_equal(ofproto_add_route(o, (struct words){2, routes[i]}, &r), 0);
	assert_int_equal(ofproto_add_neigh(o, (struct words){3, neigh}, &r), 0);
	assert_int_equal(ofproto_del_port(o, "gone", NULL, &r), 0);
	switch_flow(o, OFPFC_DELETE, "");
	return 0;
}

static int down(void **state)
{
	(void)state;
	ofproto_destroy(o);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routing),
		cmocka_unit_test(path_too_long),
		cmocka_unit_test(controllers_ring_full),
		cmocka_unit_test(no_packet),
		cmocka_unit_test(outer_packets),
		cmocka_unit_test(conn_gone),
	};

	return cmocka_run_group_tests(tests, up, down);
}
