/* SPDX-License-Identifier: Apache-2.0 */
/* A switch that samples, for two units: ports, connections that lead into one another by way of
 * whoever takes what left by `wan` and puts it back, a rule for every kind of end.  Time is made
 * up. */
#ifndef SLUICE_TESTS_SAMPLE_BED_H
#define SLUICE_TESTS_SAMPLE_BED_H

#include "tests/unit/switch.h"

#include "datapath/sample.h"
#include "datapath/spine.h"

#define CANARY    "\xca\xfe\xd0\x0d\xfe\xed\xfa\xce"
#define AUTH_REST "11111111111111111111111111111111111111111111111111111111111111"
#define AUTH      "11" AUTH_REST

static struct ofproto *o;
static struct datapath *dp;
static struct worker *w;
static struct port *lan, *wan;
static uint64_t now;

/* ---- The switch, its packets, its records ------------------------------------------------------
 */

static inline void sampling(uint32_t every, uint32_t max)
{
	dp->sample_every = every;
	dp->sample_max = max;
	now += NSEC_PER_SEC;
}

static inline void turn(void)
{
	w->now = now;
	while (worker_turn(w))
		;
}

static inline void sum_ipv4(uint8_t *ip)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += get_be16(ip + i);
	put_be16(ip + 10, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
}

/* Ethernet, IPv4 and UDP to 10.2.0.`dst`, then `payload` octets of canaries. */
static inline size_t make_udp(uint8_t *f, uint8_t dst, size_t payload)
{
	size_t n = 14 + 20 + 8 + payload;

	memset(f, 0, n);
	memcpy(f, lan->mac, 6);
	f[6] = 2;
	put_be16(f + 12, 0x800);
	f[14] = 0x45;
	put_be16(f + 16, (uint16_t)(28 + payload));
	f[22] = 64;
	f[23] = 17;
	put_be32(f + 26, 0x0a010001);
	put_be32(f + 30, 0x0a020000u | dst);
	put_be16(f + 34, 1000);
	put_be16(f + 36, 2000);
	put_be16(f + 38, (uint16_t)(8 + payload));
	sum_ipv4(f + 14);
	for (size_t at = 42; at + 8 <= n; at += 8)
		memcpy(f + at, CANARY, 8);
	return n;
}

static inline void send_udp(uint8_t dst, unsigned n)
{
	static uint8_t f[2000];
	size_t size = make_udp(f, dst, 64);

	while (n--)
		assert_int_equal(dummy_inject(lan, f, size), 0);
}

static inline void forget_output(void)
{
	switch_taken(lan);
	switch_taken(wan);
}

/* The oldest record, a copy; NULL: there is none. */
static inline const struct sample_record *next_record(void)
{
	static uint64_t copy[(SAMPLE_RECORD_MAX + 7) / 8];
	const struct sample_record *r;
	uint32_t size;

	r = ring_peek(&w->samples, &size);
	if (!r)
		return NULL;
	assert_int_equal(size, sizeof *r + r->size);
	memcpy(copy, r, size);
	ring_release(&w->samples);
	return (void *)copy;
}

static inline void forget_records(void)
{
	while (next_record())
		;
}

/* The one that there is. */
static inline const struct sample_record *only_record(void)
{
	const struct sample_record *r = next_record();

	assert_non_null(r);
	assert_true(ring_empty(&w->samples));
	return r;
}

struct rule_of {
	struct flow_visit visit;
	uint64_t cookie;
	uint32_t id;
};

static inline int rule_of_one(struct flow_visit *v, const struct flow *f,
			      const struct flow_stats *stats)
{
	struct rule_of *r = container_of(v, struct rule_of, visit);

	(void)stats;
	if (f->cookie == r->cookie)
		r->id = f->rule_id;
	return 0;
}

static inline uint32_t rule_of(uint64_t cookie)
{
	struct rule_of r = {.visit.flow = rule_of_one, .cookie = cookie, .id = RULE_NONE};
	struct flow_filter all;

	flow_filter_init(&all);
	ofproto_flows(o, &all, &r.visit);
	assert_int_not_equal(r.id, RULE_NONE);
	return r.id;
}

/* Any four octets of one are too many. */
static inline bool has_canary(const void *data, size_t size)
{
	for (unsigned i = 0; i < 8; i++) {
		char part[4];

		for (unsigned k = 0; k < 4; k++)
			part[k] = CANARY[(i + k) % 8];
		if (memmem(data, size, part, 4))
			return true;
	}
	return false;
}

/* ---- Up and down
 * --------------------------------------------------------------------------------- */

static const char *const conns[] = {
	"conn ta type=iptfs local=192.0.2.1 remote=192.0.2.2 spi-out=0x1234 delay=0us "
	"cipher=null-sha256 auth-key-out=" AUTH " ofport=10",
	"conn tb type=iptfs local=192.0.2.2 remote=192.0.2.1 spi-in=0x1234 "
	"cipher=null-sha256 auth-key-in=" AUTH " ofport=11",
	"conn tc type=iptfs local=192.0.2.1 remote=192.0.2.2 spi-out=0x1235 delay=0us "
	"cipher=null-sha256 auth-key-out=22" AUTH_REST " ofport=12",
	"conn td type=iptfs local=192.0.2.2 remote=192.0.2.1 spi-in=0x1235 allow=10.9.0.0/16 "
	"cipher=null-sha256 auth-key-in=22" AUTH_REST " ofport=13",
	"conn te type=iptfs local=192.0.2.1 remote=203.0.113.1 spi-out=0x1236 delay=0us "
	"cipher=null-sha256 auth-key-out=33" AUTH_REST " ofport=14",
};

static const char *const flows[] = {
	"cookie=2,priority=5,ip,nw_dst=10.2.0.2,actions=output:2",
	"cookie=3,priority=5,ip,nw_dst=10.2.0.3,actions=drop",
	"cookie=4,priority=5,ip,nw_dst=10.2.0.4,actions=goto_table:5",
	"cookie=5,priority=5,ip,in_port=1,nw_dst=10.2.0.5,actions=output:10",
	"cookie=6,priority=5,ip,nw_dst=10.2.0.6,actions=CONTROLLER",
	"cookie=7,priority=5,ip,nw_dst=10.2.0.7,actions=output:99",
	"cookie=8,priority=5,ip,nw_dst=10.2.0.8,actions=output:2,output:3",
	"cookie=9,priority=5,ip,nw_dst=10.2.0.9,actions=write_actions(output:2),goto_table:3",
	"cookie=19,table=3,priority=5,ip,actions=dec_ttl",
	"cookie=11,priority=9,in_port=11,actions=output:1",
	"cookie=12,priority=5,ip,nw_dst=10.2.0.12,actions=IN_PORT",
	"cookie=15,priority=5,ip,nw_dst=10.2.0.15,actions=output:12",
	"cookie=16,priority=5,ip,nw_dst=10.2.0.16,actions=output:14",
	("cookie=20,priority=5,ip,nw_dst=10.2.0.20,"
	 "actions=limit:1pps,burst=1p,write_actions(output:2),goto_table:3"),
	"cookie=1,priority=1,ip,actions=NORMAL",
};

static inline int up(void **state)
{
	static const char *const route[] = {"192.0.2.0/24", "dev=wan"};
	static const char *const neigh[] = {"192.0.2.2", "02:00:00:00:00:22", "dev=wan"};
	struct refusal r = {0};

	(void)state;
	o = switch_up(NULL);
	dp = ofproto_datapath(o);
	w = dp->worker[0];
	now = ofproto_now(o);
	lan = switch_port(o, "lan type=dummy ofport=1 mac=02:00:00:00:00:01");
	wan = switch_port(o, "wan type=dummy ofport=2 mac=02:00:00:00:00:22");
	switch_port(o, "third type=dummy ofport=3");
	switch_port(o, "tun type=dummy ofport=4 link=raw");
	switch_port(o, "wide type=dummy ofport=5 queues=6");
	assert_int_equal(ofproto_add_route(o, (struct words){2, route}, &r), 0);
	assert_int_equal(ofproto_add_neigh(o, (struct words){3, neigh}, &r), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(conns); i++)
		if (switch_try_words(o, conns[i], NULL, &r))
			fail_msg("%s: %s", r.field, r.text);
	for (unsigned i = 0; i < ARRAY_SIZE(flows); i++)
		switch_flow(o, OFPFC_ADD, flows[i]);
	return 0;
}

static inline int down(void **state)
{
	(void)state;
	ofproto_destroy(o);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

#endif
