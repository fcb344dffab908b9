/* SPDX-License-Identifier: Apache-2.0 */
/* The whole path, under a random life: packets of every kind through ports, rules and a pair of
 * connections whose aggregates are looped back, lost, doubled, swapped and spoiled on the way,
 * while rules and connections come and go.  What must hold at every moment of rest:
 *
 *	rx + made = tx + dropped + consumed + held, and every frame is somewhere;
 *	no stage allocates;
 *	no octet of a payload is in a record, a trace, a sample or a packet-in cut to headers. */
#include "tests/unit/switch.h"

#include "lib/hash.h"

#define CANARY "\xca\xfe\xd0\x0d\xfe\xed\xfa\xce"

static struct ofproto *o;
static struct datapath *dp;
static struct port *lan, *wan;
static uint64_t now = NSEC_PER_SEC, rng = 88172645463325252ull;
static unsigned n_allocations;
static bool on_path;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	n_allocations += on_path;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	n_allocations += on_path;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	n_allocations += on_path;
	return __real_realloc(p, size);
}

static uint32_t rnd(uint32_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 20) % below;
}

static void turns(void)
{
	for (unsigned i = 0; i < dp->n_workers; i++)
		dp->worker[i]->now = now;
	on_path = true;
	for (unsigned idle = 0; idle < 4; idle++)
		for (unsigned i = 0; i < dp->n_workers; i++)
			idle = worker_turn(dp->worker[i]) ? 0 : idle;
	on_path = false;
}

/* ---- Packets --------------------------------------------------------------------------------- */

/* An Ethernet frame with IPv4 or IPv6 and UDP, TCP or nothing known, its payload full of canaries.
 */
static size_t make_frame(uint8_t *f, size_t payload)
{
	bool v6 = rnd(5) == 0;
	static const uint8_t protos[] = {17, 6, 1, 50, 132, 99}, headers[] = {8, 20, 8, 8, 12, 8};
	unsigned proto = v6 ? 0 : rnd(sizeof protos);
	size_t ip = v6 ? 40 : 20, head = 14 + ip + headers[proto], n = head + payload;
	uint32_t sum = 0;

	memset(f, 0, n);
	memcpy(f, lan->mac, 6);
	f[6] = 2;
	put_be16(f + 12, v6 ? 0x86dd : 0x800);
	if (v6) {
		f[14] = 0x60;
		put_be16(f + 18, (uint16_t)(8 + payload));
		f[20] = 17;
		f[21] = 64;
		f[22] = f[38] = 0xfd;
		f[53] = (uint8_t)rnd(4);
	} else {
		f[14] = 0x45;
		f[15] = (uint8_t)(rnd(4) << 2);
		put_be16(f + 16, (uint16_t)(n - 14));
		f[22] = (uint8_t)(1 + rnd(64));
		f[23] = protos[proto];
		put_be32(f + 26, 0x0a010000 | rnd(8));
		put_be32(f + 30, rnd(2) ? 0x0a020000 | rnd(8) : 0x0a630000 | rnd(8));
		for (unsigned i = 14; i < 34; i += 2)
			sum += get_be16(f + i);
		put_be16(f + 24, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
	}
	put_be16(f + 14 + ip, (uint16_t)rnd(4));
	put_be16(f + 14 + ip + 2, (uint16_t)rnd(4));
	put_be16(f + 14 + ip + 4, (uint16_t)(8 + payload));
	for (size_t at = head; at + 8 <= n; at += 8)
		memcpy(f + at, CANARY, 8);
	return n;
}

static void inject(struct port *port, const void *frame, size_t size)
{
	dummy_inject_queue(port, rnd(port->n_queues), frame, size);
}

/* But not where a header says how long it is or what comes next, behind tags too: then payload is a
 * header, and a sample holds it. */
static void spoil(uint8_t *f, size_t at, uint8_t bits)
{
	size_t ip = 14;

	while (get_be16(f + ip - 2) == 0x8100)
		ip += 4;
	if ((at < 12 || at > ip) && at != ip + 9 && at != ip + 32)
		f[at] ^= bits;
}

static void inject_random(void)
{
	static uint8_t f[9200];
	size_t n = make_frame(f, rnd(8) ? rnd(1400) : rnd(8000));

	if (rnd(6) == 0)
		spoil(f, rnd((uint32_t)MIN(n, 60u)), (uint8_t)(1 << rnd(8)));
	if (rnd(10) == 0)
		n = rnd((uint32_t)n);
	if (n)
		inject(lan, f, n);
}

/* What left by `wan` comes back to it, as from the far end: the connection is its own peer. */
static void loop_back(void)
{
	static uint8_t last[9200];
	const struct dummy_frame *d;
	size_t last_size = 0;

	while ((d = dummy_take(wan))) {
		static uint8_t f[9200];
		size_t n = d->size;

		memcpy(f, d->octet, n);
		dummy_release(wan);
		switch (rnd(12)) {
		case 0: /* lost */
			continue;
		case 1: /* spoiled */
			spoil(f, 14 + rnd((uint32_t)n - 14), (uint8_t)(1 + rnd(255)));
			break;
		case 2: /* swapped with the next */
			if (last_size)
				inject(wan, last, last_size);
			memcpy(last, f, n);
			last_size = n;
			continue;
		case 3: /* cut */
			n = 14 + rnd((uint32_t)n - 13);
			break;
		case 4: /* doubled */
			inject(wan, f, n);
			break;
		}
		inject(wan, f, n);
	}
	if (last_size)
		inject(wan, last, last_size);
	while (dummy_take(lan))
		dummy_release(lan);
}

/* ---- What must hold -------------------------------------------------------------------------- */

static uint64_t sum(const uint64_t *n, unsigned size)
{
	uint64_t all = 0;

	while (size--)
		all += counter_read(&n[size]);
	return all;
}

static void check_balance(void)
{
	uint64_t in = 0, out = 0;

	for (unsigned i = 0; i < dp->n_workers; i++) {
		const struct worker *w = dp->worker[i];
		struct worker_held held;

		worker_held(w, &held);
		in += w->n.rx + sum(w->n.made, N_MADES);
		out += w->n.tx + sum(w->n.dropped, N_DROPS) + sum(w->n.consumed, N_CONSUMES) +
		       held.packets_held;
	}
	assert_int_equal(in, out);
}

static bool has_canary(const void *data, size_t size)
{
	return memmem(data, size, CANARY, 8) != NULL;
}

static uint64_t n_samples, n_estimate;

static void check_samples(void)
{
	for (unsigned i = 0; i < dp->n_workers; i++) {
		struct worker *w = dp->worker[i];
		const struct sample_record *r;
		uint32_t size;

		for (; (r = ring_peek(&w->samples, &size)); ring_release(&w->samples)) {
			assert_false(has_canary(r, size));
			n_samples++;
			n_estimate += r->every;
		}
	}
}

/* Nothing that a rule, an export or a person could see of a packet holds its payload. */
static void check_canaries(void)
{
	for (unsigned i = 0; i < dp->n_workers; i++) {
		struct worker *w = dp->worker[i];
		const void *record;
		uint32_t size;

		for (; (record = ring_peek(&w->events, &size)); ring_release(&w->events))
			assert_false(has_canary(record, size));
		for (; (record = ring_peek(&w->traces, &size)); ring_release(&w->traces))
			assert_false(has_canary(record, size));
		for (uint32_t k = 0; k < w->n_pkts; k++)
			assert_false(has_canary(&w->pkts[k].own, sizeof w->pkts[k].own));
	}
	check_samples();
	for (uint32_t f = 0; f < dp->umem.n; f++)
		assert_false(has_canary(&dp->umem.outer[f], sizeof dp->umem.outer[f]));
}

/* ---- Life ------------------------------------------------------------------------------------ */

#define KEY(OCTET)                                                                                \
	OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET \
		OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET OCTET     \
			OCTET OCTET OCTET OCTET

/* Two ends of one pair of SAs, in one switch: what `ta` aggregates, `tb` takes apart. */
static const char *const conns[][2] = {
	{"ta", "conn ta type=iptfs local=192.0.2.1 remote=192.0.2.2 spi-out=0x1234 spi-in=0x4321 "
	       "cipher=null-sha256 auth-key-out=" KEY("11") " auth-key-in=" KEY(
		       "22") " size=900 delay=300us drop-timer=5ms ofport=10"},
	{"tb", "conn tb type=iptfs local=192.0.2.2 remote=192.0.2.1 spi-out=0x4321 spi-in=0x1234 "
	       "cipher=null-sha256 auth-key-out=" KEY("22") " auth-key-in=" KEY(
		       "11") " size=1200 delay=300us drop-timer=5ms ofport=11"},
};

static void conn_up(unsigned i)
{
	struct refusal r = {0};

	if (switch_try_words(o, conns[i][1], NULL, &r))
		fail_msg("%s: %s", r.field, r.text);
}

static void conn_flip(unsigned i)
{
	struct refusal r = {0};

	if (!ofproto_conn(o, conns[i][0]))
		conn_up(i);
	else
		assert_int_equal(ofproto_del_conn(o, conns[i][0], NULL, &r), 0);
}

static void change_rules(void)
{
	static const char *const flows[] = {
		"priority=5,in_port=1,ip,nw_dst=10.2.0.0/16,actions=output:10",
		"priority=5,in_port=1,ipv6,actions=output:10",
		"priority=6,in_port=1,udp,tp_dst=1,actions=sample:3,limit:1mbps,set_field:9->ip_"
		"dscp,output:10,output:2",
		("priority=9,in_port=1,tcp,actions=push_vlan:0x8100,set_field:4101->vlan_vid,"
		 "output:2"),
		"priority=7,in_port=11,actions=output:1,CONTROLLER:200,NORMAL",
		"priority=8,in_port=11,udp,tp_src=1,actions=dec_ttl,output:1",
		"priority=8,in_port=11,udp,tp_src=2,actions=write_metadata:5,goto_table:3",
		"table=3,priority=1,ip,metadata=5,actions=write_actions(dec_ttl,output:1)",
		"priority=20,outer_dscp=2,actions=drop",
		"priority=30,tun_src=192.0.2.1,agg_fragments=3,actions=drop",
		"priority=40,in_port=1,ip,nw_src=10.1.0.3,actions=ALL",
	};
	const char *flow = flows[rnd(ARRAY_SIZE(flows))];
	char match[160];

	if (rnd(3)) {
		switch_flow(o, OFPFC_ADD, flow);
	} else {
		struct refusal r = {0};

		snprintf(match, sizeof match, "%.*s", (int)(strstr(flow, ",actions") - flow), flow);
		/* Non-strict deletes take no priority. */
		switch_try_flow(o, OFPFC_DELETE, strchr(strstr(match, "priority"), ',') + 1, NULL,
				&r);
	}
}

static void random_life(void **state)
{
	(void)state;
	conn_up(0);
	conn_up(1);
	for (unsigned i = 0; i < 3000; i++) {
		for (unsigned k = rnd(90); k; k--)
			inject_random();
		turns();
		loop_back();
		turns();
		now += rnd(2000) * NSEC_PER_USEC;
		check_samples(); /* before the control side has them */
		ofproto_set_now(o, now);
		turns();
		check_samples();
		if (rnd(4) == 0)
			change_rules();
		/* Down, and soon up again: one end, then the other. */
		if (i % 300 == 200 || i % 300 == 220)
			conn_flip(i / 300 % 2);
		if (rnd(8) == 0)
			check_balance();
		if (rnd(64) == 0)
			check_canaries();
	}
	assert_int_equal(n_allocations, 0);
}

static uint64_t total(size_t offset)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < dp->n_workers; i++)
		all += counter_read((const uint64_t *)((const char *)&dp->worker[i]->n + offset));
	return all;
}

#define TOTAL(MEMBER) total(offsetof(struct worker_counters, MEMBER))

static void it_was_a_life(void **state)
{
	uint64_t pool = 0;

	(void)state;
	assert_true(TOTAL(consumed[CONSUME_DECAP]) > 10000);
	assert_true(TOTAL(consumed[CONSUME_AGGREGATED]) > 10000);
	assert_true(TOTAL(consumed[CONSUME_TO_CONTROLLER]) > 1000);
	assert_true(TOTAL(dropped[DROP_ESP_ICV]) > 100);
	assert_true(TOTAL(dropped[DROP_ESP_REPLAY]) > 100);
	assert_true(TOTAL(dropped[DROP_RULE]) > 100);
	assert_true(TOTAL(dropped[DROP_TABLE_MISS]) + TOTAL(dropped[DROP_NOT_OURS]) > 100);
	assert_true(TOTAL(made[MADE_CLONE]) > 1000);
	assert_true(n_samples > 10000);
	for (unsigned i = 0; i < dp->n_workers; i++)
		pool += dp->worker[i]->sampler.pool;
	assert_true(n_estimate > pool / 10 * 9 && n_estimate < pool / 10 * 11);
}

/* Everything deleted: every frame is at home, every packet free. */
static void all_home(void **state)
{
	struct refusal r = {0};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(conns); i++)
		if (ofproto_conn(o, conns[i][0]))
			assert_int_equal(ofproto_del_conn(o, conns[i][0], NULL, &r), 0);
	turns();
	check_balance();
	for (unsigned i = 0; i < dp->n_workers; i++) {
		const struct worker *w = dp->worker[i];
		struct worker_held held;

		worker_held(w, &held);
		assert_int_equal(held.frames_free + held.frames_handoff, held.frames_total);
		assert_int_equal(held.packets_held, 0);
		assert_int_equal(w->n_free_pkts, w->n_pkts);
		assert_int_equal(w->sampler.n_free, SAMPLE_SLOTS);
	}
}

static int up(void **state)
{
	const struct ofproto_config config = {.offline = true, .n_workers = 2};
	static const char *const routes[][4] = {{"192.0.2.0/24", "dev=wan"},
						{"10.1.0.0/16", "dev=lan"},
						{"10.99.0.0/16", "dev=wan"}};
	static const char *const neighs[][3] = {{"192.0.2.1", "02:00:00:00:00:22", "dev=wan"},
						{"192.0.2.2", "02:00:00:00:00:22", "dev=wan"},
						{"10.1.0.1", "02:00:00:00:00:11", "dev=lan"},
						{"10.99.0.1", "02:00:00:00:00:12", "dev=wan"}};
	struct refusal r = {0};

	(void)state;
	o = ofproto_create(&config, &r);
	assert_non_null(o);
	dp = ofproto_datapath(o);
	ofproto_set_now(o, now);
	lan = switch_port(o, "lan type=dummy ofport=1 mac=02:00:00:00:00:01");
	wan = switch_port(o, "wan type=dummy ofport=2 mac=02:00:00:00:00:22 queues=2");
	for (unsigned i = 0; i < ARRAY_SIZE(routes); i++)
		assert_int_equal(ofproto_add_route(o, (struct words){2, routes[i]}, &r), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(neighs); i++)
		assert_int_equal(ofproto_add_neigh(o, (struct words){3, neighs[i]}, &r), 0);
	dp->packet_in_headers = true;
	dp->sample_every = 3;
	dp->sample_max = SAMPLE_MAX_MAX;
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
		cmocka_unit_test(random_life),
		cmocka_unit_test(it_was_a_life),
		cmocka_unit_test(all_home),
	};

	return cmocka_run_group_tests(tests, up, down);
}
