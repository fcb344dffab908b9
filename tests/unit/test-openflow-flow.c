/* SPDX-License-Identifier: Apache-2.0 */
/* Flow-mods, flow and aggregate statistics, flow-removed, octet by octet (TS-023, 7.3.4.2, 7.3.5.2,
 * 7.3.5.3, 7.4.2). */
#include "tests/unit/openflow-fixture.h"

#define IN_PORT_1 "8000 00 04 00000001"
#define IPV4      "8000 0a 02 0800"
#define NET_10    "8000 17 08 0a000000 ff000000"
/* in_port=1,eth_type=0x0800,ipv4_src=10.0.0.0/8: 30 octets, padded to 32. */
#define MATCH   "0001 001e" IN_PORT_1 IPV4 NET_10 "0000"
#define NOTHING "0001 0004 00000000"
/* apply_actions(output:2). */
#define APPLY "0004 0018 00000000 0000 0010 00000002 0000 000000000000"
#define ADD(XID)                                                                  \
	"04 0e 0068" XID "00000000000000c0 0000000000000000 00 00 003c 012c 0064" \
	"ffffffff ffffffff ffffffff 0001 0000" MATCH APPLY

static void a_flow_mod_arrives_as_it_was_sent(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	const struct flow_mod *fm = &t->o->last;

	(void)state;
	peer_send(&p, ADD("00000001"));
	EXPECT(&p, "");
	assert_int_equal(t->o->n_flow_mods, 1);
	assert_int_equal(fm->command, OFPFC_ADD);
	assert_int_equal(fm->origin, ORIGIN_CONTROLLER);
	assert_int_equal(fm->table, 0);
	assert_int_equal(fm->cookie, 0xc0);
	assert_int_equal(fm->idle_timeout, 60);
	assert_int_equal(fm->hard_timeout, 300);
	assert_int_equal(fm->priority, 100);
	assert_int_equal(fm->flags, OFPFF_SEND_FLOW_REM);
	assert_int_equal(fm->out_port, OFPP_ANY);
	assert_int_equal(fm->out_group, OFPG_ANY);
	assert_int_equal(be32toh(fm->match.value.du.in_port), 1);
	assert_int_equal(be32toh(fm->match.mask.du.in_port), UINT32_MAX);
	assert_int_equal(be16toh(fm->match.value.du.eth_type), 0x0800);
	assert_int_equal(fm->match.value.du.ip_src[0], 10);
	assert_int_equal(get_be32(fm->match.mask.du.ip_src), 0xff000000);
	/* A delete of everything. */
	peer_send(&p, "04 0e 0038 00000002 0000000000000001 0000000000000003 ff 03 0000 0000 0000"
		      "ffffffff 00000002 00000003 0000 0000" NOTHING);
	EXPECT(&p, "");
	assert_int_equal(fm->command, OFPFC_DELETE);
	assert_int_equal(fm->table, OFPTT_ALL);
	assert_int_equal(fm->cookie, 1);
	assert_int_equal(fm->cookie_mask, 3);
	assert_int_equal(fm->out_port, 2);
	assert_int_equal(fm->out_group, 3);
	peer_end(&p);
	bench_end(t);
}

#define FLOW_MOD(TABLE, COMMAND, BUFFER, FLAGS)                                   \
	"0000000000000000 0000000000000000" TABLE COMMAND "0000 0000 0000" BUFFER \
	"ffffffff ffffffff" FLAGS "0000"

/* A refused flow-mod reaches nobody; the error quotes it. */
static void bad_flow_mods_are_refused(void **state)
{
	static const struct {
		const char *body, *type_code;
	} cases[] = {
		{FLOW_MOD("00", "05", "ffffffff", "0000") NOTHING, "0005 0006"}, /* BAD_COMMAND */
		{FLOW_MOD("00", "00", "ffffffff", "0020") NOTHING, "0005 0007"}, /* BAD_FLAGS */
		{FLOW_MOD("00", "00", "00000001", "0000") NOTHING,
		 "0001 0008"}, /* BUFFER_UNKNOWN */
		{FLOW_MOD("fe", "00", "ffffffff", "0000") NOTHING, "0005 0002"}, /* BAD_TABLE_ID */
		{FLOW_MOD("02", "00", "ffffffff", "0000") NOTHING, "0005 0001"}, /* TABLE_FULL */
		{FLOW_MOD("00", "00", "ffffffff", "0000") "0000 0004 00000000", "0004 0000"},
		{FLOW_MOD("00", "00", "ffffffff", "0000") "0001 0003 00000000", "0004 0001"},
		{FLOW_MOD("00", "00", "ffffffff", "0000") "0001 0010 00000000", "0004 0001"},
		{FLOW_MOD("00", "00", "ffffffff", "0000") "0001 000c 8000fe04 00000000 00000000",
		 "0004 0006"}, /* BAD_FIELD */
		{FLOW_MOD("00", "00", "ffffffff", "0000") "0001 000c 80000004 00000001 00000000"
							  "0009 0008 00000000",
		 "0003 0000"}, /* UNKNOWN_INST */
	};
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t octets[256];
		char want[1024], message[512];
		size_t n = 8 + octets_of(cases[i].body, octets, sizeof octets), kept = 0, at;

		snprintf(message, sizeof message, "04 0e %04zx 00000009 %s", n, cases[i].body);
		for (at = 0; message[at] && kept < 2 * 64; at++)
			kept += message[at] != ' ';
		snprintf(want, sizeof want, "04 01 %04zx 00000009 %s %.*s", 12 + MIN(n, (size_t)64),
			 cases[i].type_code, (int)at, message);
		peer_send(&p, message);
		EXPECT(&p, want);
	}
	assert_int_equal(t->o->n_flow_mods, 0);
	peer_end(&p);
	bench_end(t);
}

/* What fails at the commit is said with the flow-mod's xid, before the barrier's reply. */
static void failed_commits_are_errors(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	t->o->defer = true;
	peer_send(&p, ADD("00000005"));
	peer_send(&p, "04 14 0008 00000006");
	EXPECT(&p, "");
	stub_done(t->o, -5);
	EXPECT(&p, "04 01 004c 00000005 0005 0000 04 0e 0068 00000005 00000000000000c0"
		   "0000000000000000 00 00 003c 012c 0064 ffffffff ffffffff ffffffff 0001 0000"
		   "0001 001e" IN_PORT_1 "8000 0a 02"
		   "04 15 0008 00000006");
	/* And nobody is told when the peer has gone. */
	peer_send(&p, ADD("00000005"));
	ofconn_end(p.c, "");
	stub_done(t->o, -5);
	peer_end(&p);
	bench_end(t);
}

#define STATS_REQUEST(TYPE, XID, TABLE, MATCH_)                                         \
	"04 12 0038" XID TYPE "0000 00000000" TABLE "000000 ffffffff ffffffff 00000000" \
	"0000000000000000 0000000000000000" MATCH_

static void statistics_have_every_octet(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	t->o->stats = (struct flow_stats){
		.packets = 7, .bytes = 0x300, .duration_ns = 5 * NSEC_PER_SEC + 6};
	peer_send(&p, ADD("00000001"));
	peer_send(&p, STATS_REQUEST("0001", "00000002", "ff", NOTHING));
	EXPECT(&p, "04 13 0078 00000002 0001 0000 00000000"
		   "0068 00 00 00000005 00000006 0064 003c 012c 0001 00000000"
		   "00000000000000c0 0000000000000007 0000000000000300" MATCH APPLY);
	peer_send(&p, STATS_REQUEST("0002", "00000003", "00", NOTHING));
	EXPECT(&p, "04 13 0028 00000003 0002 0000 00000000"
		   "0000000000000007 0000000000000300 00000001 00000000");
	/* Another table has none; a table that is not there is refused. */
	peer_send(&p, STATS_REQUEST("0001", "00000004", "01", NOTHING));
	EXPECT(&p, "04 13 0010 00000004 0001 0000 00000000");
	peer_send(&p, STATS_REQUEST("0001", "00000005", "fe", NOTHING));
	EXPECT(&p,
	       "04 01 0044 00000005 0001 0009" STATS_REQUEST("0001", "00000005", "fe", NOTHING));
	peer_end(&p);
	bench_end(t);
}

/* 3,000 rules: pages of at most 64 KiB, all but the last with REPLY_MORE, made as the peer reads.
 */
static void long_replies_come_in_pages(void **state)
{
	enum { RULES = 3000, ENTRY = 104 };
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	uint8_t add[256], *in = malloc(1 << 20);
	size_t n = octets_of(ADD("00000001"), add, sizeof add), got = 0, at = 0, entries = 0;
	unsigned pages = 0;
	bool more = true;

	(void)state;
	for (unsigned i = 0; i < RULES; i++)
		peer_write(&p, add, n);
	peer_send(&p, STATS_REQUEST("0001", "00000002", "ff", NOTHING));
	assert_true(ofconn_output(p.c) < OFCONN_OUTPUT_PAGES + UINT16_MAX);
	assert_non_null(p.c->reply);
	while (more) {
		uint16_t size;

		while (got < at + 16 || got < at + get_be16(in + at + 2)) {
			ssize_t some = peer_read(&p, in + got, (1 << 20) - got);

			assert_true(some > 0);
			got += (size_t)some;
		}
		size = get_be16(in + at + 2);
		more = in[at + 11] & OFPMPF_REPLY_MORE;
		assert_int_equal((size - 16) % ENTRY, 0);
		entries += (size - 16u) / ENTRY;
		at += size;
		pages++;
	}
	assert_int_equal(entries, RULES);
	assert_int_equal(pages, 5);
	assert_null(p.c->reply);
	free(in);
	peer_end(&p);
	bench_end(t);
}

/* A peer that goes away in the middle of a dump. */
static void a_dump_cut_short(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	uint8_t add[256];
	size_t n = octets_of(ADD("00000001"), add, sizeof add);

	(void)state;
	for (unsigned i = 0; i < 4000; i++)
		peer_write(&p, add, n);
	peer_send(&p, STATS_REQUEST("0001", "00000002", "ff", NOTHING));
	assert_non_null(p.c->reply);
	assert_true(t->server.dump_octets > 0);
	peer_end(&p);
	bench_end(t);
}

/* OXM of our experimenter: esp_spi = 0x1001. */
#define ESP_SPI "0001 0010 ffff 32 08 534c5543 00001001"

/* Rules on our fields are for peers that used them; aggregates count them always. */
static void what_a_peer_cannot_read_is_left_out(void **state)
{
	struct bench *t = bench_new();
	struct peer ours = peer_ready(t), plain = peer_ready(t);

	(void)state;
	peer_send(&ours,
		  "04 0e 0040 00000001 0000000000000000 0000000000000000 00 00 0000 0000 0001"
		  "ffffffff ffffffff ffffffff 0001 0000" ESP_SPI);
	assert_int_equal(t->o->n_flow_mods, 1);
	peer_send(&plain, STATS_REQUEST("0001", "00000002", "ff", NOTHING));
	EXPECT(&plain, "04 13 0010 00000002 0001 0000 00000000");
	peer_send(&plain, STATS_REQUEST("0002", "00000003", "ff", NOTHING));
	EXPECT(&plain, "04 13 0028 00000003 0002 0000 00000000"
		       "0000000000000000 0000000000000000 00000001 00000000");
	peer_send(&ours, STATS_REQUEST("0001", "00000002", "ff", NOTHING));
	EXPECT(&ours, "04 13 0050 00000002 0001 0000 00000000"
		      "0040 00 00 00000000 00000000 0001 0000 0000 0001 00000000"
		      "0000000000000000 0000000000000000 0000000000000000" ESP_SPI);
	async_flow_removed(&t->server, &(struct flow_removed){t->o->flow[0], &t->o->stats, 2});
	EXPECT(&plain, "");
	EXPECT(&ours, "04 0b 0040 00000000 0000000000000000 0001 02 00 00000000 00000000 0000 0000"
		      "0000000000000000 0000000000000000" ESP_SPI);
	peer_end(&ours);
	peer_end(&plain);
	bench_end(t);
}

#define LIMITED                                                              \
	"0001 0004 00000000 0004 0028 00000000 ffff 0020 534c5543 0001 0000" \
	"00000000 0000000000001388 0000000000000000"

/* And so are rules with actions of ours: limit:5kpps. */
static void actions_of_ours_are_for_who_uses_them(void **state)
{
	struct bench *t = bench_new();
	struct peer ours = peer_ready(t), plain = peer_ready(t);

	(void)state;
	peer_send(&ours,
		  "04 0e 0060 00000001 0000000000000000 0000000000000000 00 00 0000 0000 0001"
		  "ffffffff ffffffff ffffffff 0001 0000" LIMITED);
	assert_int_equal(t->o->n_flow_mods, 1);
	peer_send(&plain, STATS_REQUEST("0001", "00000002", "ff", NOTHING));
	EXPECT(&plain, "04 13 0010 00000002 0001 0000 00000000");
	peer_send(&ours, STATS_REQUEST("0001", "00000002", "ff", NOTHING));
	EXPECT(&ours, "04 13 0070 00000002 0001 0000 00000000"
		      "0060 00 00 00000000 00000000 0001 0000 0000 0001 00000000"
		      "0000000000000000 0000000000000000 0000000000000000" LIMITED);
	peer_end(&ours);
	peer_end(&plain);
	bench_end(t);
}

static void flow_removed_is_for_those_who_want_it(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	struct flow_stats stats = {.packets = 1, .bytes = 64, .duration_ns = 61 * NSEC_PER_SEC};
	struct flow_removed fr = {NULL, &stats, OFPRR_IDLE_TIMEOUT};

	(void)state;
	peer_send(&p, ADD("00000001"));
	fr.flow = t->o->flow[0];
	async_flow_removed(&t->server, &fr);
	EXPECT(&p, "04 0b 0050 00000000 00000000000000c0 0064 00 00 0000003d 00000000 003c 012c"
		   "0000000000000001 0000000000000040" MATCH);
	/* Without SEND_FLOW_REM, and for reasons that are not asked for, nothing. */
	t->o->flow[0]->flags = 0;
	async_flow_removed(&t->server, &fr);
	t->o->flow[0]->flags = OFPFF_SEND_FLOW_REM;
	peer_send(&p, "04 1c 0020 00000005 00000003 00000000 00000007 00000000 0000000e 00000000");
	async_flow_removed(&t->server, &fr);
	EXPECT(&p, "");
	peer_end(&p);
	bench_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_mod_arrives_as_it_was_sent),
		cmocka_unit_test(bad_flow_mods_are_refused),
		cmocka_unit_test(failed_commits_are_errors),
		cmocka_unit_test(statistics_have_every_octet),
		cmocka_unit_test(long_replies_come_in_pages),
		cmocka_unit_test(a_dump_cut_short),
		cmocka_unit_test(what_a_peer_cannot_read_is_left_out),
		cmocka_unit_test(actions_of_ours_are_for_who_uses_them),
		cmocka_unit_test(flow_removed_is_for_those_who_want_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
