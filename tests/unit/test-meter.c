/* SPDX-License-Identifier: Apache-2.0 */
/* A meter's rate over all workers, its bands, its op at the head of a path; and how meters are
 * added, changed, deleted, with the rules that use them. */
#include "tests/unit/switch.h"

#include <unistd.h>

#include "datapath/spine.h"
#include "ofproto/meters.h"
#include "ofproto/state.h"
#include "tests/unit/bed.h"
#include "tests/unit/random.h"

enum { WORKERS = 3 };

/* ---- What workers do ---------------------------------------------------------------------- */

static struct datapath dp;
static struct meter *meter;

static int set_up(void **state)
{
	(void)state;
	bed_up(&dp, WORKERS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WORKERS; i++)
		bed_all_home(dp.worker[i]);
	datapath_destroy(&dp);
	free(meter);
	meter = NULL;
	return 0;
}

/* A meter of bands {rate in packets or octets a second, burst, drops}, the highest rate first. */
struct want {
	uint64_t rate, burst;
	bool drops;
};

static void make(bool packets, const struct want *want, unsigned n)
{
	if (meter) {
		rmap_remove(&dp.meters, &meter->node);
		free(meter);
	}
	meter = calloc(1, sizeof *meter);
	assert_non_null(meter);
	*meter = (struct meter){.number = 77, .slot = 5, .packets = packets, .n_bands = (uint8_t)n};
	for (unsigned i = 0; i < n; i++)
		meter->band[i] = (struct meter_band){
			.rate = bucket_rate(packets ? want[i].rate : want[i].rate * 8,
					    packets ? want[i].burst : want[i].burst * 8,
					    packets ? 1 : 8),
			.drops = want[i].drops,
			.prec_level = 1,
			.given = (uint8_t)(n - 1 - i)};
	meter_reset(&dp, meter->slot);
	rmap_insert(&dp.meters, &meter->node, meter_hash(77));
}

enum outcome { PASSED, REMARKED, DROPPED };

/* A UDP packet of the class AF21 by worker `i`: what the op makes of it. */
static enum outcome meet(unsigned i, uint64_t now, size_t size)
{
	static const struct op op = {.kind = ACTION_METER, .size = sizeof op, .arg = 77};
	uint8_t f[1600] = {2, 0, 0, 0,  0,  9, 2, 0,  0, 0, 0, 8,  8, 0, 0x45, 18 << 2, 0, 0, 0,
			   0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,    0,       7, 0, 9};
	struct worker *w = dp.worker[i];
	enum outcome outcome;
	struct batch b;

	put_be16(f + 16, (uint16_t)(size - 14));
	put_be16(f + 38, (uint16_t)(size - 34));
	f[25] = f[24] = 0;
	{
		uint32_t sum = 0;

		for (unsigned k = 14; k < 34; k += 2)
			sum += get_be16(f + k);
		put_be16(f + 24, (uint16_t) ~(sum % 0xffff));
	}
	w->now = now;
	b = (struct batch){.n = 1, .pkt = {bed_pkt(w, f, size, size)}};
	stage_parse(w, &b);
	assert_int_equal(b.n, 1);
	stage_collect(w, &b);
	stage_key(w, &b);
	assert_int_equal(b.pkt[0]->key.ip_dscp, 18);
	if (action_class(ACTION_METER)->run(w, b.pkt[0], &op) == ACT_DONE)
		return DROPPED;
	outcome = b.pkt[0]->key.ip_dscp == 18 ? PASSED : REMARKED;
	if (outcome == REMARKED) {
		assert_int_equal(b.pkt[0]->key.ip_dscp, 20);
		assert_int_equal(b.pkt[0]->data[15], 20 << 2);
	}
	consume(w, b.pkt[0], CONSUME_TRACED);
	return outcome;
}

static uint64_t n_of(const struct meter_count *c, bool bytes)
{
	return counter_read(bytes ? &c->bytes : &c->packets);
}

static uint64_t counted(int band, bool bytes)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < WORKERS; i++) {
		const struct meter_counters *n = &dp.worker[i]->meter[5];

		sum += n_of(band < 0 ? &n->in : &n->band[band], bytes);
	}
	return sum;
}

enum pattern { FIRST_ALONE, BY_TURNS, MOVED, AT_RANDOM, N_PATTERNS };

static unsigned choose(enum pattern pattern, uint64_t ns)
{
	switch (pattern) {
	case BY_TURNS:
		return ns / (10 * NSEC_PER_MSEC) % WORKERS;
	case MOVED:
		return (unsigned)(ns / (4 * NSEC_PER_SEC));
	case AT_RANDOM:
		return rnd() % WORKERS;
	default:
		return 0;
	}
}

/* Ten seconds of three times the rate, after the burst. */
static uint64_t offer(enum pattern pattern, uint64_t gap_ns, size_t size)
{
	uint64_t start = 3 * NSEC_PER_SEC, n = 0;

	for (unsigned idle = 0, i = 0; idle < 64; i++)
		idle = meet(i % WORKERS, start, size) == DROPPED ? idle + 1 : 0;
	for (uint64_t ns = 0; ns < 10 * NSEC_PER_SEC; ns += gap_ns)
		n += meet(choose(pattern, ns), start + ns, size) == PASSED;
	return n;
}

static void what_passes_is_the_rate(void **state)
{
	static const struct want packets[] = {{2000, 200, true}},
				 octets[] = {{125000, 15140, true}};

	(void)state;
	for (enum pattern p = 0; p < N_PATTERNS; p++) {
		make(true, packets, 1);
		assert_in_range(offer(p, NSEC_PER_SEC / 6000, 60), 19600, 20400);
		make(false, octets, 1);
		assert_in_range(offer(p, NSEC_PER_SEC / 750, 500) * 500, 1225000, 1275000);
	}
}

/* Above 1000 a second the drop precedence rises, above 2000 is dropped: of 3000. */
static void the_highest_band_exceeded_applies(void **state)
{
	static const struct want bands[] = {{2000, 1, true}, {1000, 1, false}};
	unsigned n[3] = {0};
	uint64_t before[3];

	(void)state;
	make(true, bands, 2);
	for (int i = 0; i < 3; i++)
		before[i] = counted(i - 1, false);
	for (unsigned i = 0; i < 30000; i++)
		n[meet(rnd() % WORKERS, NSEC_PER_SEC + i * (NSEC_PER_SEC / 3000), 60)]++;
	assert_in_range(n[PASSED], 9800, 10200);
	assert_in_range(n[REMARKED], 9800, 10200);
	assert_in_range(n[DROPPED], 9800, 10200);
	/* Counted by the order in which they were given: here the lower rate first. */
	assert_int_equal(counted(-1, false) - before[0], 30000);
	assert_int_equal(counted(0, false) - before[1], n[REMARKED]);
	assert_int_equal(counted(1, false) - before[2], n[DROPPED]);
	assert_int_equal(counted(1, true), n[DROPPED] * 60);
	assert_int_equal(counted(-1, true), 30000 * 60);
}

/* RFC 2597, 6; what is no assured forwarding keeps its code point. */
static void drop_precedence_rises_within_its_class(void **state)
{
	(void)state;
	for (unsigned class = 1; class <= 4; class ++)
		for (unsigned level = 1; level <= 3; level++)
			for (unsigned more = 1; more <= METER_PREC_MAX; more++)
				assert_int_equal(dscp_raise((uint8_t)(class << 3 | level << 1),
							    (uint8_t)more),
						 class << 3 | MIN(level + more, 3u) << 1);
	for (unsigned dscp = 0; dscp < 64; dscp++) {
		unsigned class = dscp >> 3, level = dscp >> 1 & 3;

		if (class >= 1 && class <= 4 && level && !(dscp & 1))
			continue;
		assert_int_equal(dscp_raise((uint8_t)dscp, 2), dscp);
	}
}

static void what_is_never_sent_spends_nothing(void **state)
{
	static const struct want one[] = {{1, 1, true}};

	(void)state;
	make(true, one, 1);
	dp.worker[0]->private_trace = true;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(meet(0, NSEC_PER_SEC, 60), PASSED);
	dp.worker[0]->private_trace = false;
	assert_int_equal(counted(-1, false), 0);
	assert_int_equal(meet(0, NSEC_PER_SEC, 60), PASSED);
	assert_int_equal(meet(1, NSEC_PER_SEC, 60), DROPPED);
	dp.worker[0]->private_trace = true;
	assert_int_equal(meet(0, NSEC_PER_SEC, 60), DROPPED); /* it would be */
	dp.worker[0]->private_trace = false;
	assert_int_equal(counted(-1, false), 2);
}

/* ---- The control side --------------------------------------------------------------------- */

static int try(struct ofproto *o, uint16_t command, const char *text, struct refusal *r)
{
	struct meter_config m = {0};
	int error = meter_parse(text, &m, r);

	return error ? error : ofproto_meter_mod(o, command, &m, NULL, r);
}

static void mod(struct ofproto *o, uint16_t command, const char *text)
{
	struct refusal r = {0};

	if (try(o, command, text, &r))
		fail_msg("%s: %s", text, r.text);
}

static enum refusal_code refuses(struct ofproto *o, uint16_t command, const char *text)
{
	struct refusal r = {0};

	if (!try(o, command, text, &r))
		fail_msg("%s: not refused", text);
	assert_true(strlen(r.text) > 0);
	return r.code;
}

struct dump {
	struct meter_visit visit;
	struct buf text;
};

static int dump_one(struct meter_visit *v, const struct meter_config *m,
		    const struct meter_stats *s)
{
	struct dump *d = container_of(v, struct dump, visit);

	meter_format(m, &d->text);
	buf_printf(&d->text, " %u/%u/%u;", s->n_flows, (unsigned)s->in.packets,
		   (unsigned)s->band[0].packets);
	return 0;
}

static void holds(struct ofproto *o, const char *want)
{
	struct dump d = {.visit.meter = dump_one};

	ofproto_meters(o, OFPM_ALL, &d.visit);
	assert_string_equal(buf_text(&d.text), want);
	buf_free(&d.text);
}

#define ONE "meter=1,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=100"

static void meters_are_read_back_as_given(void **state)
{
	static const char *const texts[] = {
		ONE,
		"meter=2",
		"meter=4294901760,pktps,bands=type=dscp_remark,rate=5,prec_level=2",
		"meter=8,pktps,bands=type=dscp_remark,rate=5,prec_level=1,type=drop,rate=3",
		"meter=9,bands=type=drop,rate=7,burst_size=3,type=drop,rate=7",
		"meter=3,pktps,burst,aggregate,bands=type=drop,rate=4294967295,burst_size=1",
	};
	struct refusal r = {0};
	struct meter_config m;
	struct buf text = {0};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(meter_parse(texts[i], &m, &r), 0);
		assert_int_equal(meter_check(&m, &r), 0);
		text.size = 0;
		meter_format(&m, &text);
		assert_string_equal(buf_text(&text), texts[i]);
	}
	/* ovs-ofctl's blanks, its `band`. */
	assert_int_equal(meter_parse("meter=1 kbps burst stats band=type=drop rate=1000 "
				     "burst_size=100",
				     &m, &r),
			 0);
	text.size = 0;
	meter_format(&m, &text);
	assert_string_equal(buf_text(&text), ONE);
	buf_free(&text);
}

static void what_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *text;
		enum refusal_code code;
	} bad[] = {
		{"kbps", REFUSED_INVALID_METER},
		{"meter=0", REFUSED_INVALID_METER},
		{"meter=4294901761", REFUSED_INVALID_METER},
		{"meter=controller,kbps", REFUSED_INVALID_METER},
		{"meter=slowpath,kbps", REFUSED_INVALID_METER},
		{"meter=x", REFUSED_BAD_VALUE},
		{"meter=1,kbps,pktps", REFUSED_METER_FLAGS},
		{"meter=1,kpbs", REFUSED_UNKNOWN_WORD},
		{"meter=1,bands=type=drop", REFUSED_METER_RATE},
		{"meter=1,bands=type=drop,rate=0", REFUSED_METER_RATE},
		{"meter=1,bands=type=shape,rate=1", REFUSED_METER_BAND},
		{"meter=1,bands=rate=1", REFUSED_SYNTAX},
		{"meter=1,bands=type=drop,speed=1", REFUSED_UNKNOWN_WORD},
		{"meter=1,burst,bands=type=drop,rate=1,burst_size=1000", REFUSED_METER_BURST},
		{"meter=1,bands=type=dscp_remark,rate=1", REFUSED_METER_BAND_VALUE},
		{"meter=1,bands=type=dscp_remark,rate=1,prec_level=3", REFUSED_METER_BAND_VALUE},
		{"meter=1,aggregate,bands=type=dscp_remark,rate=1,prec_level=1",
		 REFUSED_METER_BAND},
	};
	struct ofproto *o = switch_up(NULL);
	char nine[256] = "meter=1,bands=";

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		if (refuses(o, OFPMC_ADD, bad[i].text) != bad[i].code)
			fail_msg("%s: another code", bad[i].text);
	for (unsigned i = 0; i < 9; i++)
		strcat(nine, "type=drop,rate=1,");
	assert_int_equal(refuses(o, OFPMC_ADD, nine), REFUSED_OUT_OF_BANDS);
	assert_int_equal(refuses(o, OFPMC_MODIFY, "meter=1"), REFUSED_UNKNOWN_METER);
	assert_int_equal(refuses(o, 3, "meter=1"), REFUSED_METER_COMMAND);
	mod(o, OFPMC_DELETE, "meter=1"); /* of none: no error */
	mod(o, OFPMC_ADD, ONE);
	assert_int_equal(refuses(o, OFPMC_ADD, ONE), REFUSED_METER_EXISTS);
	holds(o, ONE " 0/0/0;");
	/* No action: not in a list, not in a set. */
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "actions=apply_actions(meter:1)"),
			 REFUSED_BAD_ACTION);
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "actions=write_actions(meter:1)"),
			 REFUSED_BAD_ACTION);
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "actions=meter:2,output:1"),
			 REFUSED_UNKNOWN_METER);
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "unverified=yes,actions=meter:1,output:1"),
			 REFUSED_BAD_VALUE);
	ofproto_destroy(o);
}

static unsigned through(struct ofproto *o, struct port *in, struct port *out, unsigned n)
{
	while (n--)
		switch_inject(o, in, 1, 2);
	return switch_taken(out);
}

static void rules_meet_their_meters(void **state)
{
	struct ofproto *o = switch_up(NULL);
	struct port *in = switch_port(o, "in type=dummy ofport=1");
	struct port *out = switch_port(o, "out type=dummy ofport=2");
	const uint64_t *dropped;

	(void)state;
	dropped = &ofproto_datapath(o)->worker[0]->n.dropped[DROP_METER];
	switch_flow(o, OFPFC_DELETE, "");
	mod(o, OFPMC_ADD, "meter=1,pktps,burst,bands=type=drop,rate=10,burst_size=4");
	mod(o, OFPMC_ADD, "meter=2,pktps,burst,bands=type=drop,rate=10,burst_size=2");
	switch_flow(o, OFPFC_ADD, "udp,actions=meter:1,output:2");
	assert_int_equal(through(o, in, out, 10), 4);
	assert_int_equal(counter_read(dropped), 6);
	holds(o, "meter=1,pktps,burst,bands=type=drop,rate=10,burst_size=4 1/10/6;"
		 "meter=2,pktps,burst,bands=type=drop,rate=10,burst_size=2 0/0/0;");
	/* Over two tables: both, and the goto's. */
	ofproto_set_now(o, ofproto_now(o) + 10 * NSEC_PER_SEC);
	switch_flow(o, OFPFC_ADD, "udp,actions=meter:1,goto_table:1");
	switch_flow(o, OFPFC_ADD, "table=1,udp,actions=meter:2,write_actions(output:2)");
	assert_int_equal(through(o, in, out, 10), 2);
	holds(o, "meter=1,pktps,burst,bands=type=drop,rate=10,burst_size=4 1/20/12;"
		 "meter=2,pktps,burst,bands=type=drop,rate=10,burst_size=2 1/4/2;");
	/* Changed: more passes; what it counted goes on, its bands begin anew. */
	mod(o, OFPMC_MODIFY, "meter=2,pktps,burst,bands=type=drop,rate=100,burst_size=90");
	ofproto_set_now(o, ofproto_now(o) + 10 * NSEC_PER_SEC);
	assert_int_equal(through(o, in, out, 10), 4);
	holds(o, "meter=1,pktps,burst,bands=type=drop,rate=10,burst_size=4 1/30/18;"
		 "meter=2,pktps,burst,bands=type=drop,rate=100,burst_size=90 1/8/0;");
	/* A rule without output counts, too. */
	switch_flow(o, OFPFC_ADD, "udp,actions=meter:1");
	assert_int_equal(through(o, in, out, 1), 0);
	holds(o, "meter=1,pktps,burst,bands=type=drop,rate=10,burst_size=4 1/31/19;"
		 "meter=2,pktps,burst,bands=type=drop,rate=100,burst_size=90 1/8/0;");
	/* Deleted, with the rules that use it. */
	mod(o, OFPMC_DELETE, "meter=2");
	assert_string_equal(switch_dump(o, NULL, false),
			    "table=0,priority=32768,udp actions=meter:1\n");
	switch_flow(o, OFPFC_ADD, "priority=1,actions=output:2");
	ofproto_meter_mod(o, OFPMC_DELETE, &(struct meter_config){.number = OFPM_ALL}, NULL, NULL);
	holds(o, "");
	assert_string_equal(switch_dump(o, NULL, false), "table=0,priority=1 actions=output:out\n");
	/* Again: full buckets, counters at zero. */
	mod(o, OFPMC_ADD, "meter=1,pktps,burst,bands=type=drop,rate=10,burst_size=4");
	switch_flow(o, OFPFC_ADD, "udp,actions=meter:1,output:2");
	assert_int_equal(through(o, in, out, 10), 4);
	holds(o, "meter=1,pktps,burst,bands=type=drop,rate=10,burst_size=4 1/10/6;");
	ofproto_destroy(o);
}

static void bands_stand_by_rate(void **state)
{
	struct ofproto *o = switch_up(NULL);
	const struct meter *m;

	(void)state;
	mod(o, OFPMC_ADD,
	    "meter=1,pktps,bands=type=dscp_remark,rate=5,prec_level=2,type=drop,"
	    "rate=500,type=drop,rate=50");
	m = meter_find(ofproto_datapath(o), 1);
	assert_non_null(m);
	assert_int_equal(m->n_bands, 3);
	assert_int_equal(m->band[0].given, 1);
	assert_int_equal(m->band[1].given, 2);
	assert_int_equal(m->band[2].given, 0);
	assert_true(m->band[0].drops && !m->band[2].drops);
	assert_int_equal(m->band[2].prec_level, 2);
	/* No burst was given: a tenth of a second's worth, at least ten packets. */
	assert_int_equal(m->band[0].rate.burst_ns, NSEC_PER_SEC / 10);
	assert_int_equal(m->band[2].rate.burst_ns, 2 * NSEC_PER_SEC);
	ofproto_destroy(o);
}

static void there_is_room_for_so_many(void **state)
{
	struct ofproto *o = switch_up(NULL);
	struct meter_config m = {.flags = OFPMF_KBPS};
	struct refusal r = {0};

	(void)state;
	for (m.number = 1; m.number <= METERS_MAX; m.number++)
		assert_int_equal(ofproto_meter_mod(o, OFPMC_ADD, &m, NULL, &r), 0);
	assert_int_not_equal(ofproto_meter_mod(o, OFPMC_ADD, &m, NULL, &r), 0);
	assert_int_equal(r.code, REFUSED_OUT_OF_METERS);
	assert_int_equal(ofproto_meter_totals(o).n, METERS_MAX);
	assert_int_equal(ofproto_meter_totals(o).n_refused, 1);
	m.number = 5;
	assert_int_equal(ofproto_meter_mod(o, OFPMC_DELETE, &m, NULL, &r), 0);
	m.number = METERS_MAX + 1;
	assert_int_equal(ofproto_meter_mod(o, OFPMC_ADD, &m, NULL, &r), 0);
	ofproto_destroy(o);
}

/* ---- The store ---------------------------------------------------------------------------- */

struct answer {
	struct waiter waiter;
	int error, times;
};

static void answered(struct waiter *w, int error, const struct refusal *r)
{
	struct answer *a = container_of(w, struct answer, waiter);

	(void)r;
	a->error = error;
	a->times++;
}

static void meters_last(void **state)
{
	char file[] = "/tmp/test-meter-XXXXXX";
	int fd = mkstemp(file);
	struct answer a = {.waiter.done = answered};
	struct meter_config m;
	struct ofproto *o;
	char beside[64];

	(void)state;
	close(fd);
	o = switch_up(file);
	switch_flow(o, OFPFC_DELETE, "");
	mod(o, OFPMC_ADD, ONE);
	mod(o, OFPMC_ADD, "meter=2,pktps,bands=type=drop,rate=5");
	mod(o, OFPMC_ADD, "meter=3");
	mod(o, OFPMC_MODIFY, "meter=2,pktps,bands=type=drop,rate=6");
	mod(o, OFPMC_DELETE, "meter=3");
	assert_int_equal(meter_parse("meter=7", &m, NULL), 0);
	assert_int_equal(ofproto_meter_mod(o, OFPMC_ADD, &m, &a.waiter, NULL), 0);
	assert_int_equal(a.times, 0); /* durable first */
	switch_flow(o, OFPFC_ADD, "udp,actions=meter:2,output:2");
	ofproto_sync(o, NULL);
	assert_int_equal(a.times, 1);
	assert_int_equal(a.error, 0);
	ofproto_destroy(o);
	o = switch_up(file);
	holds(o, ONE " 0/0/0;meter=2,pktps,bands=type=drop,rate=6 1/0/0;meter=7 0/0/0;");
	assert_string_equal(switch_dump(o, NULL, false),
			    "table=0,priority=32768,udp actions=meter:2,output:2\n");
	assert_non_null(meter_find(ofproto_datapath(o), 2));
	mod(o, OFPMC_DELETE, "meter=2");
	ofproto_sync(o, NULL);
	assert_null(meter_find(ofproto_datapath(o), 2));
	ofproto_destroy(o);
	o = switch_up(file);
	holds(o, ONE " 0/0/0;meter=7 0/0/0;");
	assert_string_equal(switch_dump(o, NULL, false), "");
	ofproto_destroy(o);
	for (unsigned i = 0; i < 4; i++) {
		static const char *const ends[] = {"", "-wal", "-shm", "-marks"};

		snprintf(beside, sizeof beside, "%s%s", file, ends[i]);
		unlink(beside);
	}
}

int main(void)
{
#define UNIT(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		UNIT(what_passes_is_the_rate),
		UNIT(the_highest_band_exceeded_applies),
		cmocka_unit_test(drop_precedence_rises_within_its_class),
		UNIT(what_is_never_sent_spends_nothing),
		cmocka_unit_test(meters_are_read_back_as_given),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(rules_meet_their_meters),
		cmocka_unit_test(bands_stand_by_rate),
		cmocka_unit_test(there_is_room_for_so_many),
		cmocka_unit_test(meters_last),
	};

	return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
