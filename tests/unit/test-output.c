/* SPDX-License-Identifier: Apache-2.0 */
/* Output: ports, reserved ports, and NORMAL, the router behind one of them. */
#include "tests/unit/route-bed.h"

static void add_route(const char *prefix, enum fib_kind kind, int port_id, const char *via)
{
	struct fib_route *r = calloc(1, sizeof *r + sizeof r->path[0]);

	assert_non_null(r);
	assert_true(ip_prefix_parse(prefix, &r->prefix));
	r->kind = kind;
	r->n_paths = kind == FIB_UNICAST;
	r->path[0].ifindex = -1 - port_id;
	if (via)
		assert_true(ip_parse(via, &r->path[0].via));
	fib_route_set(&dp.fib, r);
	free(r);
}

static void add_neigh(const char *ip, int port_id, uint8_t last)
{
	struct fib_neigh n = {.ifindex = -1 - port_id, .mac = {2, 0, 0, 0, 9, last}};

	assert_true(ip_parse(ip, &n.ip));
	fib_neigh_set(&dp.fib, &n);
}

static void output(struct pkt *p, uint32_t ofport)
{
	output_run(w, keyed(p), ofport, OFPCML_NO_BUFFER);
	stage_tx(w);
}

static void normal(const char *dst)
{
	output(udp_packet("192.0.2.1", dst), OFPP_NORMAL);
}

#define DROPPED(REASON) counter_read(&w->n.dropped[DROP_##REASON])

static void normal_routes(void **state)
{
	const struct sent *s;

	(void)state;
	add_route("0.0.0.0/0", FIB_UNICAST, 1, "198.51.100.1");
	add_neigh("198.51.100.1", 1, 7);
	normal("203.0.113.9");
	s = last_sent();
	assert_int_equal(s->ofport, 2);
	assert_int_equal(s->octet[5], 7);
	assert_int_equal(s->octet[11], 2); /* the out-port's own address */
	assert_int_equal(s->octet[14 + 8], 63);
	assert_int_equal(csum(s->octet + 14, 20), 0);
	assert_int_equal(s->len, 62);
}

static void normal_routes_ipv6(void **state)
{
	(void)state;
	add_route("2001:db8::/32", FIB_UNICAST, 1, NULL); /* on link */
	add_neigh("2001:db8::5", 1, 8);
	output(udp_packet("2001:db8:1::1", "2001:db8::5"), OFPP_NORMAL);
	assert_int_equal(last_sent()->ofport, 2);
	assert_int_equal(last_sent()->octet[5], 8);
	assert_int_equal(last_sent()->octet[14 + 7], 63);
}

static void normal_between_layers(void **state)
{
	struct pkt *p;

	(void)state;
	add_route("10.0.0.0/8", FIB_UNICAST, 2, NULL);
	add_route("0.0.0.0/0", FIB_UNICAST, 1, "198.51.100.1");
	add_neigh("198.51.100.1", 1, 7);
	normal("10.1.2.3"); /* a layer-3 port needs no neighbour */
	assert_int_equal(last_sent()->ofport, 3);
	assert_true(last_sent()->flags & PKT_VIRTUAL_ETH);
	p = udp_packet("10.1.2.3", "203.0.113.9");
	memset(p->data, 0, 12);
	p->flags |= PKT_VIRTUAL_ETH;
	p->in_port = 2;
	output(p, OFPP_NORMAL);
	assert_int_equal(last_sent()->ofport, 2);
	assert_false(last_sent()->flags & PKT_VIRTUAL_ETH);
	assert_int_equal(last_sent()->octet[5], 7);
}

static void normal_says_why_not(void **state)
{
	struct pkt *p;

	(void)state;
	normal("203.0.113.9");
	assert_int_equal(DROPPED(NO_ROUTE), 1);
	add_route("203.0.113.0/24", FIB_BLACKHOLE, 0, NULL);
	normal("203.0.113.9");
	assert_int_equal(DROPPED(NO_ROUTE), 2);
	add_route("203.0.113.0/25", FIB_UNICAST, 77, NULL);
	normal("203.0.113.9");
	assert_int_equal(DROPPED(NO_PORT), 1);
	add_route("203.0.113.0/26", FIB_UNICAST, 3, NULL);
	normal("203.0.113.9");
	assert_int_equal(DROPPED(PORT_DOWN), 1);
	add_route("203.0.113.0/27", FIB_UNICAST, 1, NULL);
	normal("203.0.113.9");
	assert_int_equal(DROPPED(NEIGH_UNRESOLVED), 1);
	ports[1].mtu = 40;
	normal("203.0.113.9");
	assert_int_equal(DROPPED(MTU), 1);
	add_route("203.0.113.9/32", FIB_LOCAL, 0, NULL);
	normal("203.0.113.9");
	assert_int_equal(DROPPED(NO_HOST), 1);
	p = udp_packet("192.0.2.1", "203.0.113.8");
	p->data[5] = 66; /* to somebody else's MAC */
	output(p, OFPP_NORMAL);
	assert_int_equal(DROPPED(NOT_OURS), 1);
	p = udp_packet("192.0.2.1", "203.0.113.8");
	p->data[13] = 6; /* ARP */
	output(p, OFPP_NORMAL);
	assert_int_equal(DROPPED(NOT_OURS), 2);
	normal("224.0.0.5");
	assert_int_equal(DROPPED(NOT_OURS), 3);
	assert_int_equal(n_sent, 0);
}

static void normal_lets_no_ttl_run_out(void **state)
{
	(void)state;
	add_route("0.0.0.0/0", FIB_UNICAST, 2, NULL);
	add_route("10.0.0.1/32", FIB_LOCAL, 2, NULL);
	rcu_set(dp.local, &ports[2]);
	for (uint8_t ttl = 0; ttl < 3; ttl++) {
		struct pkt *p = udp_packet("192.0.2.1", "203.0.113.9");
		struct pkt *q = udp_packet("192.0.2.1", "10.0.0.1");
		be16 sum = 0;

		p->data[14 + 8] = ttl;
		memcpy(p->data + 14 + 10, &sum, 2);
		sum = csum(p->data + 14, 20);
		memcpy(p->data + 14 + 10, &sum, 2);
		output(p, OFPP_NORMAL);
		assert_int_equal(n_sent, ttl + (ttl == 2));
		q->data[14 + 8] = ttl; /* for this host it does not matter */
		memset(q->data + 14 + 10, 0, 2);
		sum = csum(q->data + 14, 20);
		memcpy(q->data + 14 + 10, &sum, 2);
		output(q, OFPP_NORMAL);
		assert_int_equal(n_sent, ttl + 1 + (ttl == 2));
		assert_int_equal(last_sent()->octet[14 + 8], ttl);
	}
	assert_int_equal(DROPPED(TTL_EXPIRED), 2);
}

static void normal_routes_no_martians(void **state)
{
	static const char *const pairs[][2] = {
		{"127.0.0.1", "203.0.113.9"},   {"192.0.2.1", "127.0.0.1"},
		{"224.0.0.1", "203.0.113.9"},   {"255.255.255.255", "203.0.113.9"},
		{"192.0.2.1", "0.0.0.0"},       {"192.0.2.1", "255.255.255.255"},
		{"169.254.1.1", "203.0.113.9"}, {"::1", "2001:db8::5"},
		{"fe80::1", "2001:db8::5"},     {"ff02::1", "2001:db8::5"},
		{"2001:db8::5", "fe80::1"},     {"2001:db8::5", "::"},
	};

	(void)state;
	add_route("0.0.0.0/0", FIB_UNICAST, 2, NULL);
	add_route("::/0", FIB_UNICAST, 2, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++) {
		output(udp_packet(pairs[i][0], pairs[i][1]), OFPP_NORMAL);
		assert_int_equal(DROPPED(MARTIAN), i + 1);
	}
	assert_int_equal(n_sent, 0);
}

static unsigned events(uint32_t kind)
{
	const struct event *e;
	unsigned n = 0;
	uint32_t size;

	while ((e = ring_peek(&w->events, &size))) {
		assert_int_equal(e->kind, kind);
		assert_int_equal(e->size, size);
		n++;
		ring_release(&w->events);
	}
	return n;
}

static void resolution_is_asked_for_sparingly(void **state)
{
	(void)state;
	add_route("10.0.0.0/8", FIB_UNICAST, 1, NULL);
	for (unsigned i = 0; i < 5; i++)
		normal("10.0.0.1");
	assert_int_equal(events(EVENT_NEIGH), 1);
	w->now += 99 * NSEC_PER_MSEC;
	normal("10.0.0.1");
	assert_int_equal(events(EVENT_NEIGH), 0);
	w->now += NSEC_PER_MSEC;
	normal("10.0.0.1");
	assert_int_equal(events(EVENT_NEIGH), 1);
	for (unsigned i = 0; i < 2000; i++) { /* a scan */
		char ip[IP_TEXT];

		snprintf(ip, sizeof ip, "10.1.%u.%u", i / 256, i % 256);
		normal(ip);
	}
	assert_in_range(events(EVENT_NEIGH), 1, NEIGH_SLOTS);
}

static void ports_by_number(void **state)
{
	(void)state;
	output(udp_packet("192.0.2.1", "192.0.2.2"), 2);
	assert_int_equal(last_sent()->ofport, 2);
	output(udp_packet("192.0.2.1", "192.0.2.2"), 1);
	assert_int_equal(DROPPED(IN_PORT), 1);
	output(udp_packet("192.0.2.1", "192.0.2.2"), OFPP_IN_PORT);
	assert_int_equal(last_sent()->ofport, 1);
	output(udp_packet("192.0.2.1", "192.0.2.2"), 4);
	assert_int_equal(DROPPED(PORT_DOWN), 1);
	output(udp_packet("192.0.2.1", "192.0.2.2"), 5);
	assert_int_equal(DROPPED(PORT_GONE), 1);
	output(udp_packet("192.0.2.1", "192.0.2.2"), OFPP_LOCAL);
	assert_int_equal(DROPPED(NO_HOST), 1);
	assert_int_equal(n_sent, 2);
}

static void flood_goes_to_all_others(void **state)
{
	(void)state;
	output(udp_packet("192.0.2.1", "192.0.2.2"), OFPP_FLOOD);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent[0].ofport + sent[1].ofport, 2 + 3);
	ports[2].flags |= PORT_INTERNAL;
	output(udp_packet("192.0.2.1", "192.0.2.2"), OFPP_ALL);
	assert_int_equal(n_sent, 3);
	ports[1].flags |= PORT_INTERNAL;
	output(udp_packet("192.0.2.1", "192.0.2.2"), OFPP_ALL);
	assert_int_equal(DROPPED(PORT_GONE), 1);
	/* Without room for a copy it is a loss with a name, and the last port still gets it. */
	ports[1].flags = ports[2].flags = 0;
	{
		struct pkt *p = udp_packet("192.0.2.1", "192.0.2.2");
		uint32_t n = w->n_free_pkts;

		w->n_free_pkts = 0;
		keyed(p);
		output_run(w, p, OFPP_ALL, 0);
		w->n_free_pkts = n;
		stage_tx(w);
	}
	assert_int_equal(DROPPED(NO_PACKET), 1);
	assert_int_equal(n_sent, 4);
}

static void controllers_get_what_they_asked_for(void **state)
{
	static const struct {
		uint16_t max_len, held;
		bool headers;
	} t[] = {{OFPCML_NO_BUFFER, 62, false},
		 {20, 62, false},
		 {0, 62, false},
		 {OFPCML_NO_BUFFER, 42, true},
		 {20, 20, true}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		struct pkt *p = keyed(udp_packet("192.0.2.1", "192.0.2.2"));
		const struct event_packet_in *e;
		uint32_t size;

		p->rule = (struct path_rule){12, 3, i == 1};
		dp.packet_in_headers = t[i].headers;
		output_run(w, p, OFPP_CONTROLLER, t[i].max_len);
		e = ring_peek(&w->events, &size);
		assert_non_null(e);
		assert_int_equal(size, sizeof *e + t[i].held);
		assert_int_equal(e->held, t[i].held);
		assert_int_equal(e->event.size, size);
		assert_int_equal(e->max_len, t[i].max_len);
		assert_int_equal(e->total_len, 62);
		assert_int_equal(e->rule_id, 12);
		assert_int_equal(e->table, 3);
		assert_int_equal(e->reason, i == 1 ? OFPR_NO_MATCH : OFPR_ACTION);
		assert_int_equal(be32toh(e->key.du.in_port), 1);
		assert_int_equal(e->octet[12], 8);
		ring_release(&w->events);
	}
	assert_int_equal(w->n.consumed[CONSUME_TO_CONTROLLER], ARRAY_SIZE(t));
	while (!DROPPED(PACKET_IN_FULL))
		output(udp_packet("192.0.2.1", "192.0.2.2"), OFPP_CONTROLLER);
}

static void a_rule_may_not_say_table(void **state)
{
	struct pkt *p = keyed(udp_packet("192.0.2.1", "192.0.2.2"));

	(void)state;
	p->rule.id = 5;
	output_run(w, p, OFPP_TABLE, 0);
	assert_int_equal(DROPPED(ACTION_INVALID), 1);
	output(udp_packet("192.0.2.1", "192.0.2.2"), OFPP_TABLE);
	assert_int_equal(DROPPED(TABLE_MISS), 1);
}

#define UNIT(F) cmocka_unit_test_setup_teardown(F, route_up, route_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		UNIT(normal_routes),
		UNIT(normal_routes_ipv6),
		UNIT(normal_between_layers),
		UNIT(normal_says_why_not),
		UNIT(normal_lets_no_ttl_run_out),
		UNIT(normal_routes_no_martians),
		UNIT(resolution_is_asked_for_sparingly),
		UNIT(ports_by_number),
		UNIT(flood_goes_to_all_others),
		UNIT(controllers_get_what_they_asked_for),
		UNIT(a_rule_may_not_say_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
