/* SPDX-License-Identifier: Apache-2.0 */
/* iptfs connections on a worker, sending: what is pushed comes out again at the far end, through
 * loss, duplication and disorder; what leaves looks as asked; no number is used that must not be.
 * Every test ends with both balances even. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "datapath/iptfs.h"
#include "tests/unit/iptfs-bed.h"
#include "tests/unit/random.h"

/* ---- Round trips
 * --------------------------------------------------------------------------------- */

struct shape {
	const char *options;  /* of both sides */
	const char *in, *out; /* keys */
	bool udp, v6;
	unsigned largest;               /* data unit */
	unsigned loss, twice, disorder; /* one in so many; 0: none */
};

struct sent_du {
	uint8_t *octets;
	unsigned size;
	uint64_t first, last; /* aggregates that hold it lie within */
};

/* Brings aggregates from `from` on to the receiver, in the shape's way. */
static void carry(struct iptfs_bed *b, const struct shape *t, uint8_t *lost)
{
	unsigned order[BED_KEPT], n = b->sent.n;

	for (unsigned i = 0; i < n; i++)
		order[i] = i;
	for (unsigned i = 0; t->disorder && i + 1 < n; i += 2)
		if (rnd() % t->disorder == 0) {
			order[i] = i + 1;
			order[i + 1] = i;
		}
	for (unsigned i = 0; i < n; i++) {
		const struct kept *k = &b->sent.item[order[i]];
		uint8_t frame[4096] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};

		if (t->v6)
			put_be16(frame + 12, 0x86dd);
		memcpy(frame + 14, k->octets, k->size);
		lost[order[i] + 1] = t->loss && rnd() % t->loss == 0;
		if (lost[order[i] + 1])
			continue;
		bed_receive(b, frame, 14 + k->size);
		if (t->twice && rnd() % t->twice == 0)
			bed_receive(b, frame, 14 + k->size);
	}
}

static void round_trip(const struct shape *t)
{
	enum { DUS = 400 };
	struct iptfs_bed *b = bed_new();
	struct sent_du du[DUS];
	static uint8_t lost[BED_KEPT + 2];
	char options[800];
	struct conn *out;
	unsigned at = 0, n_sure = 0;

	memset(lost, 0, sizeof lost);
	snprintf(options, sizeof options, "local=%s remote=%s spi-out=4096 %s %s",
		 t->v6 ? "2001:db8::1" : "10.9.0.1", t->v6 ? "2001:db8::2" : "10.9.0.2", t->out,
		 t->options);
	out = must_conn(b, options);
	snprintf(options, sizeof options, "local=%s remote=%s spi-in=4096 %s %s",
		 t->v6 ? "2001:db8::2" : "10.9.0.2", t->v6 ? "2001:db8::1" : "10.9.0.1", t->in,
		 t->options);
	must_conn(b, options);
	for (unsigned i = 0; i < DUS; i++) {
		unsigned most = rnd() % 4 ? MIN(t->largest, 300u) : t->largest;

		du[i].size = 28 + rnd() % (most - 27);
		du[i].octets = malloc(du[i].size);
		make_du(du[i].octets, du[i].size, (uint8_t)i);
		put_be16(du[i].octets + 4, (uint16_t)i);
		du[i].first = b->sent.n + 1;
		bed_push(b, out, du[i].octets, du[i].size);
		if (rnd() % 8 == 0)
			bed_wait(b, 600 * NSEC_PER_USEC);
		else
			stage_tx(b->w);
		du[i].last = b->sent.n + 1;
	}
	bed_wait(b, NSEC_PER_SEC);
	stage_tx(b->w);
	assert_int_equal(b->w->n.consumed[CONSUME_AGGREGATED], DUS);
	carry(b, t, lost);
	/* In order, unchanged; none that lost nothing is missing. */
	for (unsigned i = 0; i < DUS; i++) {
		bool sure = true, came;

		for (uint64_t s = du[i].first; s <= du[i].last; s++)
			sure &= !lost[s];
		n_sure += sure;
		came = at < b->given.n && b->given.item[at].size == du[i].size &&
		       !memcmp(b->given.item[at].octets, du[i].octets, du[i].size);
		at += came;
		if (sure && !t->loss)
			assert_true(came);
		free(du[i].octets);
	}
	assert_int_equal(at, b->given.n);
	assert_true(b->given.n >= n_sure * 9 / 10);
	assert_true(t->loss || b->given.n == DUS);
	assert_true(bed_balanced(b));
	bed_free(b);
}

#define GCM_KEY "000102030405060708090a0b0c0d0e0f01020304"
#define KEY256  "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"

static void test_round_trips(void **unused)
{
	static const char in[] = "key-in=" GCM_KEY, out[] = "key-out=" GCM_KEY;
	static const char in256[] = "cipher=chacha20poly1305 key-in=" KEY256 "01020304";
	static const char out256[] = "cipher=chacha20poly1305 key-out=" KEY256 "01020304";
	static const char in_null[] = "cipher=null-sha256 auth-key-in=" KEY256;
	static const char out_null[] = "cipher=null-sha256 auth-key-out=" KEY256;
	static const struct shape shapes[] = {
		{"", in, out, .largest = 1400},
		{"", in, out, .largest = 9000, .twice = 5, .disorder = 3},
		{"", in, out, .largest = 1400, .loss = 20},
		{"", in, out, .largest = 9000, .loss = 10, .twice = 5, .disorder = 3},
		{"encap=udp esn=no", in, out, .largest = 3000, .udp = true, .disorder = 2},
		{"delay=0", in256, out256, .largest = 1500},
		{"size=500 pad=yes", in_null, out_null, .largest = 4000},
		{"size=128", in_null, out_null, .largest = 2000, .disorder = 2},
		{"size=3800 fragment=no", in, out, .largest = 1500, .disorder = 2},
		{"reorder=0", in, out, .largest = 9000},
		{"encap=udp", in, out, .largest = 3000, .v6 = true},
		{"size=3000", in, out, .largest = 65000},
	};

	(void)unused;
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++)
		round_trip(&shapes[i]);
}

/* ---- Sending
 * -------------------------------------------------------------------------------------- */

static void test_push_refused(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *in, *out;
	uint8_t du[2000];

	(void)unused;
	in = must_conn(b, "local=10.9.0.2 remote=10.9.0.1 spi-in=4096 key-in=" GCM_KEY);
	make_du(du, sizeof du, 1);
	bed_push(b, in, du, 100); /* 2000, says its header */
	assert_int_equal(dropped(b, DROP_CONN_ONEWAY), 1);
	out = must_conn(b,
			"local=10.9.0.2 remote=10.9.0.1 spi-out=5000 fragment=no key-out=" GCM_KEY);
	bed_push(b, out, du, 2000);
	assert_int_equal(dropped(b, DROP_TOO_BIG), 1);
	bed_push(b, out, du, 100);
	assert_int_equal(dropped(b, DROP_IP_SHORT), 1);
	du[0] = 0x25;
	bed_push(b, out, du, 100);
	assert_int_equal(dropped(b, DROP_NOT_IP), 1);
	assert_int_equal(b->w->n.made[MADE_GENERATED], 0);
	bed_free(b);
}

/* No number that is not reserved, none twice, and none in the middle of a data unit. */
static void test_sequence_limits(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *c =
		must_conn(b, "local=10.9.0.2 remote=10.9.0.1 spi-out=5000 key-out=" GCM_KEY);
	struct iptfs *s = c->state;
	uint8_t du[9000];

	(void)unused;
	make_du(du, sizeof du, 1);
	s->tx.mark->limit = 5; /* 9000 octets need seven */
	bed_push(b, c, du, sizeof du);
	assert_int_equal(dropped(b, DROP_SEQ_UNRESERVED), 1);
	assert_int_equal(b->sent.n, 0);
	make_du(du, 1400, 1);
	for (unsigned i = 0; i < 10; i++)
		bed_push(b, c, du, 1400);
	bed_wait(b, NSEC_PER_SEC);
	assert_true(b->sent.n >= 3 && b->sent.n <= 5);
	assert_true(dropped(b, DROP_SEQ_UNRESERVED) > 1);
	s->tx.mark->limit = s->tx.mark->max = s->tx.seq + 1;
	bed_push(b, c, du, 1400);
	assert_int_equal(dropped(b, DROP_SEQ_EXHAUSTED), 1);
	bed_free(b);
}

static void test_no_frame(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *c =
		must_conn(b, "local=10.9.0.2 remote=10.9.0.1 spi-out=5000 key-out=" GCM_KEY);
	uint8_t du[100];
	uint32_t taken[2048], n = 0;

	(void)unused;
	make_du(du, sizeof du, 1);
	while (b->w->frames.n_free > 1) /* one for the data unit */
		taken[n++] = frame_alloc(&b->w->frames);
	bed_push(b, c, du, sizeof du);
	assert_int_equal(dropped(b, DROP_NO_FRAME), 1);
	while (n)
		frame_unref(&b->w->frames, taken[--n]);
	bed_free(b);
}

static void turn_all(struct iptfs_bed *b, uint64_t ns)
{
	for (unsigned k = 0; k < 3; k++)
		for (unsigned i = 0; i < b->dp.n_workers; i++) {
			b->dp.worker[i]->now += k ? 0 : ns;
			worker_turn(b->dp.worker[i]);
		}
}

/* The connection is another worker's, for what goes in and for what comes out. */
static void test_workers(void **unused)
{
	enum { DUS = 100 };
	struct iptfs_bed *b = bed_new_workers(2);
	struct conn *out, *in;
	uint8_t du[300];

	(void)unused;
	out = must_conn(b, "local=10.9.0.1 remote=10.9.0.2 spi-out=4096 key-out=" GCM_KEY);
	assert_int_equal(out->owner, 1);
	assert_int_equal(b->out.queue[0].owner, 0);
	b->dp.next_owner++;
	in = must_conn(b, "local=10.9.0.2 remote=10.9.0.1 spi-in=4096 key-in=" GCM_KEY);
	assert_int_equal(in->owner, 1);
	make_du(du, sizeof du, 1);
	turn_all(b, 0); /* workers give each other frames to copy into */
	for (unsigned i = 0; i < DUS; i++)
		bed_push(b, out, du, sizeof du);
	turn_all(b, 0);
	turn_all(b, NSEC_PER_MSEC);
	assert_int_equal(b->dp.worker[1]->n.consumed[CONSUME_AGGREGATED], DUS);
	assert_true(b->sent.n > 10);
	for (unsigned i = 0; i < b->sent.n; i++) {
		uint8_t frame[2000] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};

		memcpy(frame + 14, b->sent.item[i].octets, b->sent.item[i].size);
		bed_spine(b, frame, 14 + b->sent.item[i].size);
	}
	turn_all(b, 0);
	assert_int_equal(b->dp.worker[1]->n.made[MADE_DECAP], DUS);
	assert_int_equal(b->dp.worker[1]->port[in->port.id].rx_packets, DUS);
	bed_free(b);
}

static bool never_seal(struct esp_sa *sa, uint64_t seq, uint8_t *esp, size_t size)
{
	(void)sa, (void)seq, (void)esp, (void)size;
	return false;
}

static void test_library_refuses(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *c =
		must_conn(b, "local=10.9.0.2 remote=10.9.0.1 spi-out=5000 key-out=" GCM_KEY);
	struct iptfs *s = c->state;
	struct esp_cipher broken = *s->tx.sa.cipher;
	uint8_t du[100];

	(void)unused;
	broken.seal = never_seal;
	s->tx.sa.cipher = &broken;
	make_du(du, sizeof du, 1);
	bed_push(b, c, du, sizeof du);
	bed_wait(b, NSEC_PER_SEC);
	assert_int_equal(dropped(b, DROP_CRYPTO), 1);
	assert_int_equal(b->sent.n, 0);
	bed_free(b);
}

static void route_to(struct iptfs_bed *b, const char *prefix, const struct conn *c)
{
	union {
		struct fib_route route;
		uint8_t room[sizeof(struct fib_route) + sizeof(struct fib_path)];
	} r = {.route = {.kind = FIB_UNICAST, .n_paths = 1}};

	assert_true(ip_prefix_parse(prefix, &r.route.prefix));
	r.route.path[0] = (struct fib_path){.ifindex = -1 - (int)c->port.id, .weight = 1};
	fib_route_set(&b->dp.fib, &r.route);
}

/* The way to its far end leads through the connection itself: an end, not a circle. */
static void test_own_aggregate(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *c =
		must_conn(b, "local=10.9.0.2 remote=10.9.0.1 spi-out=5000 key-out=" GCM_KEY);
	uint8_t du[100];

	(void)unused;
	route_to(b, "0.0.0.0/0", c);
	make_du(du, sizeof du, 1);
	bed_push(b, c, du, sizeof du);
	bed_wait(b, NSEC_PER_SEC);
	assert_int_equal(dropped(b, DROP_IN_PORT), 1);
	bed_free(b);
}

/* Each of two connections is the other's way to its far end. */
static void test_circle(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *one =
		must_conn(b, "local=10.9.0.2 remote=10.9.0.1 spi-out=5000 key-out=" GCM_KEY);
	struct conn *two = must_conn(b, "local=10.8.0.2 remote=10.8.0.1 spi-out=5001 "
					"key-out=100102030405060708090a0b0c0d0e0f01020304");
	uint8_t du[1500];

	(void)unused;
	route_to(b, "10.9.0.0/16", two);
	route_to(b, "10.8.0.0/16", one);
	make_du(du, sizeof du, 1);
	for (unsigned i = 0; i < 10; i++)
		bed_push(b, one, du, sizeof du);
	assert_true(dropped(b, DROP_IN_PORT) > 0);
	bed_free(b);
}

/* What leaves is what the options ask for: lengths, DF, DSCP, ports, full size. */
static void test_outer_header(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *c;
	uint8_t du[2000];
	const uint8_t *ip;
	uint32_t room;

	(void)unused;
	c = must_conn(
		b,
		"local=10.9.0.2 remote=10.9.0.1 spi-out=5000 encap=udp size=1000 pad=yes dscp=46 "
		"key-out=" GCM_KEY);
	make_du(du, 100, 1);
	bed_push(b, c, du, 100);
	bed_wait(b, 499 * NSEC_PER_USEC);
	assert_int_equal(b->sent.n, 0); /* it waits for company */
	assert_true(bed_balanced(b));
	bed_wait(b, NSEC_PER_USEC);
	assert_int_equal(b->sent.n, 1);
	ip = b->sent.item[0].octets;
	assert_int_equal(b->sent.item[0].size, 1000);
	assert_int_equal(get_be16(ip + 2), 1000);
	assert_int_equal(ip[1], 46 << 2);
	assert_int_equal(get_be16(ip + 6), 0x4000);
	assert_int_equal(ip[9], 17);
	assert_int_equal(get_be32(ip + 12), 0x0a090002);
	assert_int_equal(get_be16(ip + 20), 4500);
	assert_int_equal(get_be16(ip + 22), 4500);
	assert_int_equal(get_be16(ip + 24), 980);
	assert_int_equal(get_be16(ip + 26), 0);
	assert_int_equal(get_be32(ip + 28), 5000);
	assert_int_equal(get_be32(ip + 32), 1);
	assert_int_equal(get_be64(ip + 36), 1); /* the IV is the sequence number */
	make_du(du, 2000, 1);                   /* full ones wait for nobody */
	bed_push(b, c, du, 2000);
	stage_tx(b->w);
	assert_int_equal(b->sent.n, 3);
	bed_wait(b, NSEC_PER_MSEC);
	room = ((struct iptfs *)c->state)->tx.agg.room;
	make_du(du, room, 1); /* not even one that was just filled */
	bed_push(b, c, du, room);
	stage_tx(b->w);
	assert_int_equal(b->sent.n, 5);
	bed_free(b);
}

static void test_options(void **unused)
{
	static const struct {
		const char *options;
		enum refusal_code code;
		const char *field;
	} cases[] = {
		{"remote=10.9.0.1 spi-out=5000 key-out=" GCM_KEY, REFUSED_BAD_VALUE, "local"},
		{"local=10.9.0.1 remote=::1 spi-out=5000 key-out=" GCM_KEY, REFUSED_BAD_VALUE,
		 "remote"},
		{"local=1.1.1.1 remote=2.2.2.2 key-out=" GCM_KEY, REFUSED_BAD_VALUE, "spi-in"},
		{"local=1.1.1.1 remote=2.2.2.2 spi-in=255 key-in=" GCM_KEY, REFUSED_BAD_VALUE,
		 "spi-in"},
		{"local=1.1.1.1 remote=2.2.2.2 spi-in=300 cipher=null", REFUSED_BAD_VALUE,
		 "cipher"},
		{"local=1.1.1.1 remote=2.2.2.2 spi-in=300 key-in=00", REFUSED_BAD_VALUE, "key-in"},
		{"local=1.1.1.1 remote=2.2.2.2 spi-in=300 replay=63 key-in=" GCM_KEY,
		 REFUSED_BAD_VALUE, "replay"},
		{"local=1.1.1.1 remote=2.2.2.2 spi-in=300 allow=10.0.0.0/33 key-in=" GCM_KEY,
		 REFUSED_BAD_VALUE, "allow"},
		{"local=1.1.1.1 remote=2.2.2.2 spi-in=300 spi-out=300 key-in=" GCM_KEY
		 " key-out=" GCM_KEY,
		 REFUSED_KEY_REUSE, "key-out"},
		{"local=1.1.1.1 remote=2.2.2.2 spi-in=300 speed=1 key-in=" GCM_KEY,
		 REFUSED_UNKNOWN_WORD, "speed"},
	};
	static const char sender_options[] =
		"local=1.1.1.1 remote=2.2.2.2 spi-out=300 key-out=" GCM_KEY;
	struct iptfs_bed *b = bed_new();
	struct refusal r;
	struct conn *c;
	uint8_t du[100];

	(void)unused;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(&r, 0, sizeof r);
		assert_null(bed_conn(b, cases[i].options, &r));
		assert_int_equal(r.code, cases[i].code);
		assert_string_equal(r.field, cases[i].field);
	}
	/* Two live senders with one key; then one after the other, whose numbers go on. */
	c = must_conn(b, sender_options);
	assert_non_null(c);
	assert_null(bed_conn(b, sender_options, &r));
	assert_int_equal(r.code, REFUSED_KEY_REUSE);
	make_du(du, sizeof du, 1);
	bed_push(b, c, du, sizeof du);
	bed_conn_del(b, c); /* sends what it had */
	assert_int_equal(b->sent.n, 1);
	c = bed_conn(b, sender_options, &r);
	bed_push(b, c, du, sizeof du);
	bed_wait(b, NSEC_PER_SEC);
	assert_int_equal(b->sent.n, 2);
	assert_int_equal(get_be32(b->sent.item[1].octets + 24), 2);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),     cmocka_unit_test(test_push_refused),
		cmocka_unit_test(test_outer_header),    cmocka_unit_test(test_sequence_limits),
		cmocka_unit_test(test_library_refuses), cmocka_unit_test(test_no_frame),
		cmocka_unit_test(test_own_aggregate),   cmocka_unit_test(test_workers),
		cmocka_unit_test(test_circle),          cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
