/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: framing, hellos, echoes, refusals, barriers, slow and broken peers. */
#include "tests/unit/openflow-fixture.h"

static void hellos_agree(void **state)
{
	static const char *const good[] = {
		"04 00 0008 00000007",                    /* 1.3 alone */
		"05 00 0008 00000007",                    /* 1.4: down to 1.3 */
		"06 00 0010 00000007 0001 0008 00000052", /* 1.5, bitmap has 1.3 */
		"01 00 0010 00000007 0001 0008 00000012", /* 1.0, bitmap has 1.3 */
		"04 00 0018 00000007 0009 0005 ff000000 0001 0008 00000010", /* unknown element */
		"04 00 000c 00000007 00010002",                              /* malformed element */
	};
	struct bench *t = bench_new();

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		struct peer p = peer_new(t);

		peer_send(&p, good[i]);
		EXPECT(&p, HELLO);
		assert_int_equal(p.c->state, OFCONN_READY);
		peer_end(&p);
	}
	bench_end(t);
}

static void other_versions_are_refused_in_words(void **state)
{
	static const char *const bad[] = {
		"01 00 0008 00000007", "03 00 0008 00000007",
		"06 00 0010 00000007 0001 0008 00000042", /* a bitmap without 1.3 */
		"04 05 0008 00000007",                    /* no hello at all */
	};
	struct bench *t = bench_new();

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		static const uint8_t incompatible[] = {0, 0, 0, 7, 0, 0, 0, 0};
		struct peer p = peer_new(t);
		uint8_t octets[512];
		ssize_t n;

		peer_send(&p, bad[i]);
		n = peer_read(&p, octets, sizeof octets);
		/* Our hello, then HELLO_FAILED, INCOMPATIBLE and words. */
		assert_true(n > 16 + 12 + 16);
		assert_int_equal(octets[16 + 1], OFPT_ERROR);
		assert_int_equal(get_be16(octets + 16 + 2), n - 16);
		assert_memory_equal(octets + 16 + 4, incompatible, sizeof incompatible);
		for (ssize_t j = 28; j < n; j++)
			assert_true(octets[j] >= ' ' && octets[j] < 0x7f);
		assert_true(peer_ended(&p));
		peer_end(&p);
	}
	bench_end(t);
}

static void echoes_come_back(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	peer_send(&p, "04 02 0008 00000005");
	EXPECT(&p, "04 03 0008 00000005");
	peer_send(&p, "04 02 000b 00000006 aabbcc");
	EXPECT(&p, "04 03 000b 00000006 aabbcc");
	peer_send(&p, "04 03 0008 00000006");
	peer_send(&p, "04 01 000c 00000006 0001 0001");
	peer_send(&p, "04 00 0008 00000007");
	EXPECT(&p, "");
	assert_int_equal(p.c->n_rx, 6);
	peer_end(&p);
	bench_end(t);
}

/* Whole messages come out of pieces and of heaps. */
static void framing(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	uint8_t octets[64];
	size_t n = octets_of("04 02 000b 00000006 aabbcc 04 02 0008 00000007", octets, 64);

	(void)state;
	for (size_t i = 0; i < n; i++)
		peer_write(&p, octets + i, 1);
	EXPECT(&p, "04 03 000b 00000006 aabbcc 04 03 0008 00000007");
	peer_send(&p, "04 02 0008 00000008 04 02 0008 00000009 04");
	EXPECT(&p, "04 03 0008 00000008 04 03 0008 00000009");
	/* A message of the greatest size. */
	uint8_t *big = calloc(1, 65535);
	memcpy(big, "\x04\x02\xff\xff\0\0\0\1", 8);
	peer_write(&p, big + 1, 65534);
	uint8_t *reply = calloc(1, 70000);
	size_t got = 0;
	for (unsigned i = 0; i < 100 && got < 65535; i++)
		got += (size_t)peer_read(&p, reply + got, 70000 - got);
	big[1] = OFPT_ECHO_REPLY;
	assert_int_equal(got, 65535);
	assert_memory_equal(reply, big, 65535);
	free(big);
	free(reply);
	peer_end(&p);
	bench_end(t);
}

static void a_message_shorter_than_its_header_ends_the_connection(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t), bystander = peer_ready(t);

	(void)state;
	peer_send(&p, "04 02 0007 00000006 04 02 0008 00000007");
	EXPECT(&p, "04 01 0014 00000006 0001 0006 04 02 0007 00000006");
	assert_true(peer_ended(&p));
	peer_send(&bystander, "04 02 0008 00000005");
	EXPECT(&bystander, "04 03 0008 00000005");
	peer_end(&p);
	peer_end(&bystander);
	bench_end(t);
}

/* Each is refused with its type and code, and the connection goes on. */
static void refusals_have_type_and_code(void **state)
{
	static const struct {
		const char *message, *type_code;
	} cases[] = {
		{"05 02 0008 00000009", "0001 0000"}, /* BAD_VERSION */
		{"04 1e 0008 00000009", "0001 0001"}, /* BAD_TYPE: past the last */
		{"04 06 0008 00000009", "0001 0001"}, /* BAD_TYPE: a switch's own */
		{"04 ff 0008 00000009", "0001 0001"},
		{"04 05 0009 00000009 00", "0001 0006"},                 /* BAD_LEN: exact */
		{"04 0e 0010 00000009 0000000000000000", "0001 0006"},   /* BAD_LEN: flow-mod */
		{"04 04 0010 00000009 00002320 00000001", "0001 0003"},  /* BAD_EXPERIMENTER */
		{"04 04 0010 00000009 534c5543 0000ffff", "0001 0004"},  /* BAD_EXP_TYPE */
		{"04 12 0010 00000009 0063 0000 00000000", "0001 0002"}, /* BAD_MULTIPART */
		{"04 12 0018 00000009 ffff 0000 00000000 00002320 00000001", "0001 0003"},
		{"04 12 0011 00000009 0000 0000 00000000 00", "0001 0006"},
		{"04 12 0010 00000009 0001 0001 00000000",
		 "0001 000d"}, /* MULTIPART_BUFFER_OVERFLOW */
		{"04 12 0018 00000009 000c 0000 00000000 0000000000000000",
		 "000d 0003"},                                  /* BAD_LEN */
		{"04 09 000c 00000009 0001 0080", "000a 0000"}, /* SWITCH_CONFIG_FAILED BAD_FLAGS */
		{"04 18 0018 00000009 00000004 00000000 0000000000000001",
		 "000b 0002"},                                            /* BAD_ROLE */
		{"04 0f 0010 00000009 0001 00 00 00000001", "0006 0008"}, /* UNKNOWN_GROUP */
		{"04 0f 0010 00000009 0000 04 00 00000001", "0006 000a"}, /* BAD_TYPE */
		{"04 0f 0010 00000009 0003 00 00 00000001", "0006 000b"}, /* BAD_COMMAND */
		{"04 1d 0010 00000009 0000 0001 00000001", "000c 000a"},  /* OUT_OF_METERS */
		{"04 1d 0010 00000009 0001 0001 00000001", "000c 0003"},  /* UNKNOWN_METER */
		{"04 1d 0010 00000009 0003 0001 00000001", "000c 0004"},  /* BAD_COMMAND */
		{"04 11 0010 00000009 40 000000 00000000", "0008 0000"},  /* TABLE_MOD BAD_TABLE */
		{"04 11 0010 00000009 00 000000 00000004", "0008 0001"},  /* TABLE_MOD BAD_CONFIG */
		{"04 16 0010 00000009 00000063 00000000", "0009 0000"},   /* QUEUE_OP BAD_PORT */
	};
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[256];
		uint8_t octets[64];
		size_t n = octets_of(cases[i].message, octets, sizeof octets);

		snprintf(want, sizeof want, "04 01 %04zx 00000009 %s %s", n + 12,
			 cases[i].type_code, cases[i].message);
		peer_send(&p, cases[i].message);
		EXPECT(&p, want);
	}
	assert_int_equal(p.c->n_errors, ARRAY_SIZE(cases));
	assert_int_equal(p.c->state, OFCONN_READY);
	assert_int_equal(t->o->n_flow_mods, 0);
	peer_end(&p);
	bench_end(t);
}

/* An error carries 64 octets of a long message. */
static void errors_quote_64_octets(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	uint8_t message[200] = {4, 99, 0, 200, 0, 0, 0, 9}, octets[512];

	(void)state;
	peer_write(&p, message, sizeof message);
	assert_int_equal(peer_read(&p, octets, sizeof octets), 12 + 64);
	assert_memory_equal(octets + 12, message, 64);
	peer_end(&p);
	bench_end(t);
}

static void a_barrier_holds_back_what_follows(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	t->o->defer = true;
	peer_send(&p, "04 14 0008 0000000a 04 02 0008 0000000b");
	EXPECT(&p, "");
	stub_done(t->o, 0);
	EXPECT(&p, "04 15 0008 0000000a 04 03 0008 0000000b");
	/* Two in a row, and a peer that leaves in between. */
	peer_send(&p, "04 14 0008 0000000c 04 14 0008 0000000d");
	stub_done(t->o, 0);
	EXPECT(&p, "04 15 0008 0000000c");
	stub_done(t->o, 0);
	EXPECT(&p, "04 15 0008 0000000d");
	peer_send(&p, "04 14 0008 0000000e");
	close(p.fd);
	turn(t);
	stub_done(t->o, 0);
	turn(t);
	assert_int_equal(p.c->state, OFCONN_ENDED);
	ofconn_unref(p.c);
	/* And one whose connection ends before its barrier is done. */
	p = peer_ready(t);
	peer_send(&p, "04 14 0008 0000000e");
	ofconn_end(p.c, "");
	stub_done(t->o, 0);
	peer_end(&p);
	bench_end(t);
}

/* Only what changes something waits, and nothing is said of it. */
static void changes_wait_while_too_many_are_on_their_way(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	t->o->defer = t->o->behind = true;
	peer_send(&p, "04 02 0008 0000000a");
	EXPECT(&p, "04 03 0008 0000000a");
	peer_send(&p, "04 11 0010 0000000b 00 000000 00000000 04 02 0008 0000000c");
	EXPECT(&p, "");
	assert_true(p.c->barrier);
	/* Others were faster, and it waits again. */
	stub_done(t->o, 0);
	EXPECT(&p, "");
	t->o->behind = false;
	stub_done(t->o, 0);
	EXPECT(&p, "04 03 0008 0000000c");
	/* Who has nothing there himself comes through sooner. */
	t->o->behind = t->o->behind_own = true;
	peer_send(&p,
		  "04 0e 0038 0000000d 0000000000000000 0000000000000000 00 00 0000 0000 0005"
		  "ffffffff ffffffff ffffffff 0000 0000 0001 0004 00000000 04 02 0008 0000000e");
	EXPECT(&p, "04 03 0008 0000000e");
	peer_send(&p, "04 11 0010 0000000f 00 000000 00000000 04 02 0008 00000010");
	EXPECT(&p, "");
	stub_done(t->o, 0);
	EXPECT(&p, "04 03 0008 00000010");
	peer_end(&p);
	bench_end(t);
}

/* A peer that sends and never reads is not read from either. */
static void a_reader_that_never_reads_costs_bounded_memory(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t), bystander = peer_ready(t);
	static uint8_t echo[32768] = {4, 2, 0x80, 0, 0, 0, 0, 1};
	size_t at = 0;

	(void)state;
	for (unsigned i = 0; i < 4096; i++) {
		ssize_t n = send(p.fd, echo + at, sizeof echo - at, MSG_DONTWAIT);

		if (n > 0)
			at = (at + (size_t)n) % sizeof echo;
		event_base_loop(t->base, EVLOOP_NONBLOCK);
	}
	assert_true(ofconn_output(p.c) >= OFCONN_OUTPUT_REPLY);
	assert_true(ofconn_output(p.c) < OFCONN_OUTPUT_REPLY + 2 * sizeof echo);
	peer_send(&bystander, "04 02 0008 00000005");
	EXPECT(&bystander, "04 03 0008 00000005");
	peer_end(&bystander);
	ofconn_end(p.c, "");
	peer_end(&p);
	bench_end(t);
}

/* Seconds pass without waiting for them. */
static void pass(struct peer *p, unsigned seconds)
{
	while (seconds-- && p->c->state != OFCONN_ENDED) {
		event_active(p->c->timer, EV_TIMEOUT, 0);
		turn(p->bench);
	}
}

static void silence_is_probed_and_ends(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	pass(&p, STUB_PROBE_S - 1);
	EXPECT(&p, "");
	pass(&p, 1);
	EXPECT(&p, "04 02 0008 00000002");
	peer_send(&p, "04 03 0008 00000002");
	pass(&p, STUB_PROBE_S);
	EXPECT(&p, "04 02 0008 00000003");
	pass(&p, STUB_PROBE_S - 1);
	assert_int_equal(p.c->state, OFCONN_READY);
	pass(&p, 1);
	assert_int_equal(p.c->state, OFCONN_ENDED);
	assert_true(peer_ended(&p));
	peer_end(&p);
	bench_end(t);
}

/* However it dribbles: a hello is whole in time, or never. */
static void hellos_have_a_deadline(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_new(t);

	(void)state;
	for (unsigned i = 0; i < OFCONN_HANDSHAKE_S; i++) {
		assert_int_equal(p.c->state, OFCONN_HELLO);
		peer_write(&p, &"\4\0\0\10\0\0\0"[i], 1);
		pass(&p, 1);
	}
	assert_int_equal(p.c->state, OFCONN_ENDED);
	peer_end(&p);
	bench_end(t);
}

static void output_that_nobody_takes_ends(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);
	static uint8_t echo[32768] = {4, 2, 0x80, 0, 0, 0, 0, 1};

	(void)state;
	while (ofconn_output(p.c) < OFCONN_OUTPUT_REPLY) {
		if (send(p.fd, echo, sizeof echo, MSG_DONTWAIT) != sizeof echo)
			break;
		turn(t);
	}
	assert_true(ofconn_output(p.c) > 0);
	pass(&p, 2 * STUB_PROBE_S - 1);
	assert_int_equal(p.c->state, OFCONN_READY);
	pass(&p, 1);
	assert_int_equal(p.c->state, OFCONN_ENDED);
	peer_end(&p);
	bench_end(t);
}

static void roles(void **state)
{
	struct bench *t = bench_new();
	struct peer a = peer_ready(t), b = peer_ready(t);

	(void)state;
	peer_send(&a, "04 18 0018 00000001 00000000 00000000 0000000000000000"); /* NOCHANGE */
	EXPECT(&a, "04 19 0018 00000001 00000001 00000000 ffffffffffffffff");
	peer_send(&a, "04 18 0018 00000002 00000002 00000000 0000000000000005"); /* MASTER */
	EXPECT(&a, "04 19 0018 00000002 00000002 00000000 0000000000000005");
	peer_send(&b, "04 18 0018 00000003 00000002 00000000 0000000000000004"); /* STALE */
	EXPECT(&b, "04 01 0024 00000003 000b 0000"
		   "04 18 0018 00000003 00000002 00000000 0000000000000004");
	peer_send(&b, "04 18 0018 00000004 00000002 00000000 0000000000000006");
	EXPECT(&b, "04 19 0018 00000004 00000002 00000000 0000000000000006");
	assert_int_equal(a.c->role, OFPCR_ROLE_SLAVE);
	/* Generations are serial numbers: they wrap, and half of all are ahead. */
	peer_send(&b, "04 18 0018 00000004 00000002 00000000 8000000000000006"); /* just not */
	EXPECT(&b, "04 01 0024 00000004 000b 0000"
		   "04 18 0018 00000004 00000002 00000000 8000000000000006");
	peer_send(&b, "04 18 0018 00000004 00000002 00000000 8000000000000005");
	EXPECT(&b, "04 19 0018 00000004 00000002 00000000 8000000000000005");
	peer_send(&b, "04 18 0018 00000004 00000002 00000000 fffffffffffffffe");
	EXPECT(&b, "04 19 0018 00000004 00000002 00000000 fffffffffffffffe");
	peer_send(&b, "04 18 0018 00000004 00000002 00000000 0000000000000001");
	EXPECT(&b, "04 19 0018 00000004 00000002 00000000 0000000000000001");
	peer_send(&b, "04 18 0018 00000004 00000002 00000000 ffffffffffffffff");
	EXPECT(&b, "04 01 0024 00000004 000b 0000"
		   "04 18 0018 00000004 00000002 00000000 ffffffffffffffff");
	/* Neither equal nor "no change" has one. */
	peer_send(&b, "04 18 0018 00000004 00000001 00000000 0000000000000000");
	EXPECT(&b, "04 19 0018 00000004 00000001 00000000 0000000000000001");
	/* IS_SLAVE for what changes the switch, an answer for what asks. */
	peer_send(&a, "04 11 0010 00000005 00 000000 00000000");
	EXPECT(&a, "04 01 001c 00000005 0001 000a 04 11 0010 00000005 00 000000 00000000");
	peer_send(&a, "04 07 0008 00000006");
	EXPECT(&a, "04 08 000c 00000006 0000 0080");
	peer_end(&a);
	peer_end(&b);
	bench_end(t);
}

static void configuration(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	peer_send(&p, "04 05 0008 00000001");
	EXPECT(&p, "04 06 0020 00000001 0000abcdef012345 00000100 03 00 0000 0000000f 00000000");
	peer_send(&p, "04 09 000c 00000002 0000 ffff 04 07 0008 00000003");
	EXPECT(&p, "04 08 000c 00000003 0000 ffff");
	/* The standard's defaults, then what was set. */
	peer_send(&p, "04 1a 0008 00000004");
	EXPECT(&p, "04 1b 0020 00000004 00000003 00000000 00000007 00000007 0000000f 00000000");
	peer_send(&p, "04 1c 0020 00000005 00000001 00000002 00000003 00000004 00000005 00000006"
		      "04 1a 0008 00000006");
	EXPECT(&p, "04 1b 0020 00000006 00000001 00000002 00000003 00000004 00000005 00000006");
	peer_end(&p);
	bench_end(t);
}

/* Thousands of messages of one peer are not in the way of another's. */
static void nobody_waits_for_all_that_another_sent(void **state)
{
	enum { N = 10000 };
	static const uint8_t echo[] = {4, OFPT_ECHO_REQUEST, 0, 8, 0, 0, 0, 7};
	struct bench *t = bench_new();
	struct peer bad = peer_ready(t), good = peer_ready(t);
	uint64_t before = bad.c->n_rx;
	uint8_t octets[65536];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++)
		memcpy(octets + i % 1000 * 8, echo, 8);
	for (unsigned i = 0; i < N / 1000; i++)
		assert_int_equal(write(bad.fd, octets, 8000), 8000);
	assert_int_equal(write(good.fd, echo, 8), 8);
	for (unsigned i = 0; i < 3 && recv(good.fd, octets, 8, MSG_DONTWAIT) != 8; i++)
		event_base_loop(t->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(good.c->n_rx, 2);
	assert_in_range(bad.c->n_rx, before + 1, before + 3 * 256);
	/* And it is answered in full. */
	while (n < N * 8) {
		ssize_t got = peer_read(&bad, octets, sizeof octets);

		assert_true(got >= 0);
		n += (unsigned)got;
	}
	assert_int_equal(n, N * 8);
	peer_end(&bad);
	peer_end(&good);
	bench_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hellos_agree),
		cmocka_unit_test(other_versions_are_refused_in_words),
		cmocka_unit_test(echoes_come_back),
		cmocka_unit_test(framing),
		cmocka_unit_test(a_message_shorter_than_its_header_ends_the_connection),
		cmocka_unit_test(refusals_have_type_and_code),
		cmocka_unit_test(errors_quote_64_octets),
		cmocka_unit_test(a_barrier_holds_back_what_follows),
		cmocka_unit_test(changes_wait_while_too_many_are_on_their_way),
		cmocka_unit_test(a_reader_that_never_reads_costs_bounded_memory),
		cmocka_unit_test(silence_is_probed_and_ends),
		cmocka_unit_test(hellos_have_a_deadline),
		cmocka_unit_test(output_that_nobody_takes_ends),
		cmocka_unit_test(roles),
		cmocka_unit_test(configuration),
		cmocka_unit_test(nobody_waits_for_all_that_another_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
