/* SPDX-License-Identifier: Apache-2.0 */
/* What a stranger who forges aggregates can move, and what not: an aggregate meter by what is known
 * before decryption, and nothing else.  Costs are printed, not judged: what is judged is that the
 * real connection keeps its goodput. */
#include "tests/unit/switch.h"

#include <time.h>

#include "datapath/iptfs.h"
#include "lib/csum.h"
#include "ofproto/meters.h"
#include "ofproto/sets.h"
#include "tests/unit/iptfs-bed.h"

#define KEY "000102030405060708090a0b0c0d0e0f10111213"
#define CONN \
	"conn c type=iptfs local=10.9.0.2 remote=10.9.0.1 spi-in=256 cipher=aes128gcm key-in=" KEY
#define FIRST 100 /* sequence number */

enum { DU = 1200 };

static struct ofproto *o;
static struct port *wan, *lan;
static struct iptfs *state;
static struct esp_sa good, bad;
static uint64_t seq;

static void sender(struct esp_sa *sa, uint8_t change)
{
	struct esp_keys keys = {.key_size = 20};

	for (unsigned i = 0; i < 20; i++)
		keys.key[i] = (uint8_t)(i ^ change);
	*sa = (struct esp_sa){.cipher = esp_cipher_by_name("aes128gcm"), .spi = 256, .esn = true};
	assert_int_equal(esp_sa_open(sa, &keys, ESP_SEAL, NULL), 0);
}

static void mod(uint16_t command, const char *text)
{
	struct meter_config m = {0};
	struct refusal r = {0};

	if (meter_parse(text, &m, &r) || ofproto_meter_mod(o, command, &m, NULL, &r))
		fail_msg("%s: %s", text, r.text);
}

static int begin(void **unused)
{
	(void)unused;
	o = switch_up(NULL);
	lan = switch_port(o, "lan type=dummy ofport=1");
	wan = switch_port(o, "wan type=dummy ofport=2");
	switch_port(o, CONN " ofport=3 replay=64 reorder=3");
	state = ofproto_conn(o, "c")->state;
	switch_flow(o, OFPFC_DELETE, "");
	mod(OFPMC_ADD, "meter=1,pktps,stats,bands=type=drop,rate=1000000");
	switch_flow(o, OFPFC_ADD, "priority=1,in_port=3,actions=meter:1,limit:1000000pps,output:1");
	sender(&good, 0);
	sender(&bad, 1);
	seq = FIRST;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	esp_sa_close(&good);
	esp_sa_close(&bad);
	ofproto_destroy(o);
	return 0;
}

static struct worker *worker(void)
{
	return ofproto_datapath(o)->worker[0];
}

static uint64_t dropped_by(enum drop_reason reason)
{
	return counter_read(&worker()->n.dropped[reason]);
}

/* An aggregate of one DU, from the far end's address or another. */
struct forged {
	uint8_t octet[4096];
	size_t size;
};

static void aggregate(struct forged *f, struct esp_sa *sa, uint64_t number, uint8_t source)
{
	uint8_t payload[4 + DU] = {0};
	be16 sum = 0;

	make_du(payload + 4, DU, 7);
	f->size = bed_frame(sa, number, (struct octets){payload, sizeof payload, sizeof payload},
			    144, f->octet);
	f->octet[29] = source;
	memcpy(f->octet + 24, &sum, 2);
	sum = csum(f->octet + 14, 20);
	memcpy(f->octet + 24, &sum, 2);
}

static void arrive(const struct forged *f)
{
	assert_int_equal(dummy_inject(wan, f->octet, f->size), 0);
	worker()->now = ofproto_now(o);
	while (worker_turn(worker()))
		;
}

/* From the far end; the number of DUs that left for the LAN. */
static unsigned send_good(void)
{
	struct forged f;

	aggregate(&f, &good, seq++, 1);
	arrive(&f);
	return switch_taken(lan);
}

static struct meter_stats meter_stats;

static int take_stats(struct meter_visit *v, const struct meter_config *m,
		      const struct meter_stats *s)
{
	(void)v, (void)m;
	meter_stats = *s;
	return 0;
}

static uint64_t metered(uint32_t number)
{
	struct meter_visit v = {take_stats};

	meter_stats = (struct meter_stats){0};
	ofproto_meters(o, number, &v);
	return meter_stats.in.packets;
}

static enum refusal_code refused(const char *flow)
{
	return switch_refuses(o, OFPFC_ADD, flow);
}

/* ---- Nothing unauthenticated moves a state ------------------------------------------------ */

static uint64_t rule_packets(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < 8; i++)
		n += counter_read(&worker()->rule[i].packets);
	return n;
}

/* Right SPI and source, any number, another key; of each kind of state: nothing has moved. */
static void forgeries_move_nothing(void **unused)
{
	static const uint64_t numbers[] = {
		1, FIRST - 1, FIRST + 3, FIRST + 30, FIRST + 5000, 1ull << 31, (1ull << 32) + 7};
	struct replay replay;
	struct reorder order;
	uint64_t credit, buckets, rules, dus, wheel = 0;

	(void)unused;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send_good(), 1);
	replay = state->rx.replay;
	order = state->rx.order;
	credit = worker()->meter_lease[0].credit;
	rules = rule_packets();
	dus = counter_read(&worker()->port[ofproto_port(o, "c")->id].rx_packets);
	buckets = ofproto_datapath(o)->meter_bucket[0].spent;
	assert_int_equal(metered(1), 3);
	for (unsigned i = 0; i < 20 * ARRAY_SIZE(numbers); i++) {
		struct forged f;

		aggregate(&f, &bad, numbers[i % ARRAY_SIZE(numbers)] + i, 1);
		arrive(&f);
		wheel += switch_taken(lan);
	}
	assert_int_equal(wheel, 0);
	assert_true(dropped_by(DROP_ESP_ICV) > 0);
	assert_int_equal(dropped_by(DROP_ESP_ICV) + dropped_by(DROP_ESP_OLD) +
				 dropped_by(DROP_ESP_REPLAY),
			 20 * ARRAY_SIZE(numbers));
	/* Replay and reorder. */
	assert_memory_equal(&state->rx.replay, &replay, sizeof replay);
	assert_memory_equal(&state->rx.order, &order, sizeof order);
	assert_null(state->rx.timer.link);
	/* Rules, and so whatever actions feed: sets, requests, limits, meters of any kind. */
	assert_int_equal(rule_packets(), rules);
	assert_int_equal(metered(1), 3);
	assert_int_equal(worker()->meter_lease[0].credit, credit);
	assert_int_equal(ofproto_datapath(o)->meter_bucket[0].spent, buckets);
	/* The connection's own figures. */
	assert_int_equal(counter_read(&worker()->port[ofproto_port(o, "c")->id].rx_packets), dus);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(send_good(), 1);
}

/* Sets on collected data act before decryption; what they meet there counts in no member, and
 * set_add is fed by data units alone. */
static void forgeries_feed_no_set(void **unused)
{
	static const char *const from[] = {"from", "type=ipv4", "counters=yes"};
	static const char *const seen[] = {"seen", "type=ipv4", "timeout=60s"};
	struct set_state set;
	struct set_member m;
	struct refusal r = {0};
	struct forged f;

	(void)unused;
	if (ofproto_add_set(o, (struct words){3, from}, "10.9.0.66\n10.9.0.1\n", NULL, &r) ||
	    ofproto_add_set(o, (struct words){3, seen}, NULL, NULL, &r))
		fail_msg("%s", r.text);
	switch_flow(o, OFPFC_ADD, "priority=8,outer_ipv4_src=10.9.0.66,actions=drop");
	switch_flow(o, OFPFC_ADD,
		    "priority=2,ip,in_port=3,outer_ipv4_src=@from,actions=set_add(seen,ipv4_src),"
		    "output:1");
	for (unsigned i = 0; i < 40; i++) {
		aggregate(&f, &bad, 5000 + i, i % 2 ? 1 : 66);
		arrive(&f);
	}
	assert_int_equal(dropped_by(DROP_EARLY), 20);
	assert_int_equal(dropped_by(DROP_ESP_ICV), 20);
	assert_true(ofproto_set_member(o, "from", "10.9.0.66", &m) && !m.packets);
	assert_true(ofproto_set_member(o, "from", "10.9.0.1", &m) && !m.packets);
	ofproto_run(o);
	assert_true(ofproto_set_state(o, "seen", &set) && !set.n);
	assert_int_equal(send_good(), 1);
	ofproto_run(o);
	assert_true(ofproto_set_member(o, "from", "10.9.0.1", &m) && m.packets);
	assert_true(ofproto_set_state(o, "seen", &set) && set.n == 1);
}

/* ---- Aggregate meters --------------------------------------------------------------------- */

static void they_act_before_decryption(void **unused)
{
	const struct port_counters *conn = &worker()->port[ofproto_port(o, "c")->id];
	struct forged f;
	unsigned n = 0;

	(void)unused;
	mod(OFPMC_ADD, "meter=2,aggregate,pktps,burst,bands=type=drop,rate=10,burst_size=4");
	switch_flow(o, OFPFC_ADD, "priority=2,in_port=3,unverified=yes,actions=meter:2,output:1");
	for (unsigned i = 0; i < 10; i++)
		n += send_good();
	assert_int_equal(n, 4); /* once, not for the aggregate and for its DU */
	assert_int_equal(metered(2), 10);
	assert_int_equal(meter_stats.band[0].packets, 6);
	assert_int_equal(dropped_by(DROP_EARLY_METER), 6);
	assert_int_equal(counter_read(&conn->n_early), 6);
	aggregate(&f, &good, seq, 1);
	assert_int_equal(counter_read(&conn->early_bytes), 6 * f.size);
	assert_int_equal(meter_stats.in.bytes, 10 * f.size);
	/* The rule counts a DU each that passed, and an aggregate each that was dropped. */
	assert_string_equal(switch_dump(o, NULL, true),
			    "n=10 table=0,unverified=yes,priority=2,in_port=c "
			    "actions=meter:2,output:lan\n"
			    "n=0 table=0,priority=1,in_port=c "
			    "actions=meter:1,limit:1mpps,output:lan\n");
	assert_int_equal(dropped_by(DROP_ESP_ICV), 0);
	/* Plain frames are no aggregates: no meter of them is asked. */
	switch_flow(o, OFPFC_ADD, "priority=3,in_port=1,actions=meter:2,output:2");
	for (unsigned i = 0; i < 10; i++)
		switch_inject(o, lan, 1, 2);
	assert_int_equal(switch_taken(wan), 10);
	assert_int_equal(metered(2), 10);
}

/* What unverified=yes says: a forger with the far end's address spends it.  From elsewhere not. */
static void forgeries_spend_what_is_unverified(void **unused)
{
	struct forged f;
	unsigned n = 0;

	(void)unused;
	mod(OFPMC_ADD, "meter=2,aggregate,pktps,burst,bands=type=drop,rate=10,burst_size=4");
	switch_flow(o, OFPFC_ADD,
		    "priority=2,esp_spi=256,outer_ipv4_src=10.9.0.1,unverified=yes,"
		    "actions=meter:2,output:1");
	for (unsigned i = 0; i < 20; i++) {
		aggregate(&f, &bad, 5000 + i, 66);
		arrive(&f);
	}
	assert_int_equal(metered(2), 0);
	assert_int_equal(send_good(), 1);
	for (unsigned i = 0; i < 20; i++) {
		aggregate(&f, &bad, 5000 + i, 1);
		arrive(&f);
	}
	for (unsigned i = 0; i < 10; i++)
		n += send_good();
	assert_int_equal(n, 0);
	assert_int_equal(metered(2), 31);
}

static void admission(void **unused)
{
	struct refusal r = {0};

	(void)unused;
	mod(OFPMC_ADD, "meter=2,aggregate,pktps,bands=type=drop,rate=10");
	assert_int_equal(refused("actions=meter:2,output:1"), REFUSED_NEEDS_FORCE);
	assert_int_equal(refused("in_port=3,actions=meter:2,output:1"), REFUSED_NEEDS_FORCE);
	assert_int_equal(refused("esp_spi=256,actions=meter:2,output:1"), REFUSED_NEEDS_FORCE);
	assert_int_equal(refused("tunnel_id=256,actions=meter:2,output:1"), REFUSED_NEEDS_FORCE);
	assert_int_equal(refused("outer_ipv4_src=10.9.0.0/16,actions=meter:2,output:1"),
			 REFUSED_NEEDS_FORCE);
	assert_int_equal(refused("outer_len=100-2000,actions=meter:2,output:1"),
			 REFUSED_NEEDS_FORCE);
	/* Of no connection that is there. */
	switch_flow(o, OFPFC_ADD, "priority=7,esp_spi=257,actions=meter:2,output:1");
	switch_flow(o, OFPFC_ADD, "outer_ipv4_src=203.0.113.0/24,actions=meter:2,output:1");
	switch_flow(o, OFPFC_ADD, "in_port=1,actions=meter:2,output:2");
	/* Known too late, in the wrong place. */
	assert_int_equal(refused("unverified=yes,tcp,actions=meter:2,output:1"), REFUSED_BAD_FIELD);
	assert_int_not_equal(switch_try_flow(o, OFPFC_ADD,
					     "unverified=yes,esp_spi=257,reg3=1,actions=meter:2",
					     NULL, &r),
			     0);
	assert_string_equal(r.field, "reg3");
	assert_int_not_equal(switch_try_flow(o, OFPFC_ADD,
					     "unverified=yes,agg_dus=1-3,actions=meter:2", NULL,
					     &r),
			     0);
	assert_string_equal(r.field, "agg_dus");
	assert_int_equal(refused("table=1,unverified=yes,in_port=3,actions=meter:2"),
			 REFUSED_UNSUP_INSTRUCTION);
	/* By way of a change, too. */
	assert_int_not_equal(
		switch_try_flow(o, OFPFC_MODIFY, "in_port=3,actions=meter:2,output:1", NULL, &r),
		0);
	assert_int_equal(r.code, REFUSED_NEEDS_FORCE);
	switch_flow(o, OFPFC_MODIFY, "in_port=3,unverified=yes,actions=meter:2,output:1");
	/* … and of the unit, or of a connection that comes. */
	assert_int_not_equal(
		ofproto_meter_mod(o, OFPMC_MODIFY, &(struct meter_config){.number = 2}, NULL, &r),
		0);
	assert_int_equal(r.code, REFUSED_METER_FLAGS);
	assert_int_not_equal(
		switch_try_words(o,
				 "conn d type=iptfs local=10.9.0.2 remote=10.9.0.4 spi-in=257 "
				 "cipher=aes128gcm key-in=" KEY "11",
				 NULL, &r),
		0);
	memset(&r, 0, sizeof r);
	assert_int_not_equal(
		switch_try_words(o,
				 "conn d type=iptfs local=10.9.0.2 remote=10.9.0.4 spi-in=257 "
				 "cipher=aes128gcm key-in=ff0102030405060708090a0b0c0d0e0f10111213",
				 NULL, &r),
		0);
	assert_int_equal(r.code, REFUSED_IN_USE);
	switch_flow(o, OFPFC_DELETE, "esp_spi=257");
	switch_port(o, "conn d type=iptfs local=10.9.0.2 remote=10.9.0.4 spi-in=257 "
		       "cipher=aes128gcm key-in=ff0102030405060708090a0b0c0d0e0f10111213");
}

static uint64_t idle_ns, n_packets;

static int look(struct flow_visit *v, const struct flow *f, const struct flow_stats *s)
{
	(void)v;
	if (f->priority == 9) {
		idle_ns = s->idle_ns;
		n_packets = s->packets;
	}
	return 0;
}

/* The dropping rule alone is kept from idling. */
static void only_the_dropping_rule_is_used(void **unused)
{
	struct flow_visit v = {look};
	struct flow_filter all;
	struct forged f;

	(void)unused;
	flow_filter_init(&all);
	switch_flow(o, OFPFC_ADD,
		    "priority=9,outer_ipv4_src=10.9.0.66,idle_timeout=3,actions=drop");
	for (unsigned i = 0; i < 5; i++) {
		ofproto_set_now(o, ofproto_now(o) + 2 * NSEC_PER_SEC);
		aggregate(&f, &bad, 5000 + i, 66);
		arrive(&f);
		ofproto_flows(o, &all, &v);
		assert_int_equal(n_packets, i + 1);
		assert_int_equal(idle_ns, 0);
		assert_int_equal(send_good(), 1);
	}
	ofproto_set_now(o, ofproto_now(o) + 4 * NSEC_PER_SEC);
	assert_int_equal(send_good(), 1);
	assert_null(strstr(switch_dump(o, NULL, false), "priority=9"));
}

/* ---- Goodput and what it costs ------------------------------------------------------------ */

enum { ROUND = 64, ROUNDS = 60 };

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* `n` frames in rounds: nanoseconds of CPU each; what left is added up. */
static double cost(struct forged *f, unsigned n, unsigned *left)
{
	double spent = 0;

	for (unsigned done = 0; done < n; done += ROUND) {
		double before;

		for (unsigned i = 0; i < ROUND; i++)
			assert_int_equal(dummy_inject(wan, f[done + i].octet, f[done + i].size), 0);
		worker()->now = ofproto_now(o);
		before = cpu_ns();
		while (worker_turn(worker()))
			;
		spent += cpu_ns() - before;
		*left += switch_taken(lan);
	}
	return spent / n;
}

static struct forged *many(struct esp_sa *sa, uint64_t first, uint8_t source)
{
	struct forged *f = calloc(ROUND * ROUNDS, sizeof *f);

	assert_non_null(f);
	for (unsigned i = 0; i < ROUND * ROUNDS; i++)
		aggregate(&f[i], sa, first + i, source);
	return f;
}

/* Forgeries that fail their ICV at half the rate at which they would take a worker whole: as much
 * time for them as for the connection.  Then those of a source that a rule excludes, many times as
 * many as a worker could decrypt. */
static void the_connection_keeps_its_goodput(void **unused)
{
	struct forged *icv = many(&bad, FIRST + 10, 1), *out = many(&bad, FIRST + 10, 66);
	struct forged *all = many(&good, FIRST, 1);
	double good_ns, icv_ns, early_ns;
	unsigned left = 0, half = ROUND * ROUNDS / 2, n;

	(void)unused;
	switch_flow(o, OFPFC_ADD, "priority=9,outer_ipv4_src=10.9.0.66,actions=drop");
	good_ns = cost(all, half, &left);
	assert_int_equal(left, half);
	icv_ns = cost(icv, half, &left);
	early_ns = cost(out, half, &left);
	assert_int_equal(left, half);
	assert_int_equal(dropped_by(DROP_EARLY), half);
	printf("# CPU each: good aggregate %.0f ns, failing ICV %.0f ns, early drop %.0f ns\n",
	       good_ns, icv_ns, early_ns);
	/* Per good one as many forgeries as take half of a worker's time, rounded up. */
	n = (unsigned)(good_ns / icv_ns) + 1;
	left = 0;
	for (unsigned i = 0, bad_at = 0; i < half; i++) {
		for (unsigned k = 0; k < n; k++)
			arrive(&icv[bad_at++ % (ROUND * ROUNDS)]);
		for (unsigned k = 0; k < 50; k++)
			arrive(&out[(i * 50 + k) % (ROUND * ROUNDS)]);
		arrive(&all[half + i]);
		left += switch_taken(lan);
	}
	assert_true(left >= half * 95 / 100);
	assert_int_equal(left, half); /* all of it, in fact */
	/* The excluded never came to the connection. */
	assert_int_equal(dropped_by(DROP_EARLY), half * 51);
	free(icv);
	free(out);
	free(all);
}

int main(void)
{
#define TEST(F) cmocka_unit_test_setup_teardown(F, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(forgeries_move_nothing),
		TEST(forgeries_feed_no_set),
		TEST(they_act_before_decryption),
		TEST(forgeries_spend_what_is_unverified),
		TEST(admission),
		TEST(only_the_dropping_rule_is_used),
		TEST(the_connection_keeps_its_goodput),
	};

	return cmocka_run_group_tests_name("forger", tests, NULL, NULL);
}
