/* SPDX-License-Identifier: Apache-2.0 */
/* iptfs connections on a worker, receiving: the vectors of other makes come out octet for octet,
 * and what is wrong is dropped by name.  Every test ends with both balances even. */
#include "tests/unit/iptfs-peer.h"

/* ---- Vectors -------------------------------------------------------------------------------- */

static void expect_inner(const struct iptfs_bed *b, const struct vector *v)
{
	assert_int_equal(b->given.n, v->n_inner);
	for (unsigned i = 0; i < v->n_inner; i++) {
		assert_int_equal(b->given.item[i].size, v->inner[i].size);
		assert_memory_equal(b->given.item[i].octets, v->inner[i].octets, v->inner[i].size);
	}
}

static void test_vectors(void **unused)
{
	(void)unused;
	for (unsigned k = 0; vector_names[k]; k++) {
		struct vector *v = vector_load(vector_names[k]);
		struct iptfs_bed *b = bed_new();
		struct conn *c = vector_conn(b, v, "");

		for (unsigned i = 0; i < v->n_frames; i++)
			bed_receive(b, v->frame[i].octets, v->frame[i].size);
		expect_inner(b, v);
		for (unsigned i = 0; i < b->given.n; i++) {
			const struct kept *du = &b->given.item[i];
			uint32_t has = be32toh(du->outer.key.has);

			assert_true((has & HAS_AGG) && (has & HAS_ESP) && (has & HAS_CONN));
			assert_int_equal(du->outer.key.esp_spi, htobe32(v->spi));
			assert_int_equal(du->outer.key.auth, AUTH_VERIFIED);
			assert_true(be64toh(du->outer.key.esp_seq) > v->seq_in);
			assert_int_equal(!!(has & HAS_UDP), v->udp);
			assert_true(be16toh(du->key.agg_fragments) >= 1);
			assert_true(du->esp_outside);
			assert_true(be32toh(du->outer.key.agg_len) + 14 <=
				    be32toh(du->outer.key.frame_len));
			assert_true(be32toh(du->outer.key.agg_len) > 28);
		}
		/* Once more: every one is a replay, and nothing comes out. */
		for (unsigned i = 0; i < v->n_frames; i++)
			bed_receive(b, v->frame[i].octets, v->frame[i].size);
		assert_int_equal(dropped(b, DROP_ESP_REPLAY) + dropped(b, DROP_ESP_OLD),
				 v->n_frames);
		expect_inner(b, v);
		assert_int_equal(b->w->port[c->port.id].rx_packets, v->n_inner);
		vector_free(v);
		bed_free(b);
	}
}

/* Two neighbours swapped, within the window: nothing is lost, the order is right. */
static void test_vectors_disorder(void **unused)
{
	(void)unused;
	for (unsigned k = 0; vector_names[k]; k++) {
		struct vector *v = vector_load(vector_names[k]);
		struct iptfs_bed *b = bed_new();

		vector_conn(b, v, "");
		for (unsigned i = 0; i < v->n_frames; i++) {
			unsigned at = i ^ 1;

			at = at < v->n_frames ? at : i;
			bed_receive(b, v->frame[at].octets, v->frame[at].size);
		}
		expect_inner(b, v);
		vector_free(v);
		bed_free(b);
	}
}

/* ---- What is collected ---------------------------------------------------------------------- */

static void test_collected(void **unused)
{
	struct vector *v = vector_load("m-congestion");
	struct iptfs_bed *b = bed_new();
	const struct outer_key *o;

	(void)unused;
	vector_conn(b, v, "");
	bed_receive(b, v->frame[0].octets, v->frame[0].size);
	o = &b->given.item[0].outer.key;
	assert_int_equal(be64toh(o->esp_seq), 1);
	assert_int_equal(o->agg_subtype, 1);
	assert_true(be32toh(o->has) & HAS_AGG_CC);
	assert_int_equal(be32toh(o->agg_loss_event_rate), 1000);
	assert_int_equal(be32toh(o->agg_rtt_us), 20000);
	assert_int_equal(be16toh(o->agg_dus), 2); /* one whole, one begun */
	assert_int_equal(be16toh(b->given.item[0].key.agg_fragments), 1);
	b->w->now += 3 * NSEC_PER_MSEC;
	bed_receive(b, v->frame[1].octets, v->frame[1].size);
	assert_int_equal(b->given.n, 3);
	o = &b->given.item[1].outer.key; /* that of the aggregate with its last octet */
	assert_int_equal(be64toh(o->esp_seq), 2);
	assert_int_equal(o->agg_flags, 3);
	assert_int_equal(be16toh(o->agg_offset), 600);
	assert_int_equal(be16toh(o->agg_dus), 1);
	assert_int_equal(be16toh(b->given.item[1].key.agg_fragments), 2);
	assert_int_equal(be32toh(b->given.item[1].key.agg_age_us), 3000);
	vector_free(v);
	bed_free(b);

	v = vector_load("m-pads"); /* a gap, then the late one */
	b = bed_new();
	vector_conn(b, v, "");
	bed_receive(b, v->frame[0].octets, v->frame[0].size);
	assert_int_equal(be16toh(b->given.item[0].outer.key.agg_pad), 200);
	bed_receive(b, v->frame[2].octets, v->frame[2].size);
	bed_receive(b, v->frame[1].octets, v->frame[1].size);
	for (unsigned i = 3; i < v->n_frames; i++)
		bed_receive(b, v->frame[i].octets, v->frame[i].size);
	expect_inner(b, v);
	assert_int_equal(b->w->n.consumed[CONSUME_PAD], 3);
	vector_free(v);
	bed_free(b);
}

/* ---- What is refused ------------------------------------------------------------------------ */

static void test_esp_refused(void **unused)
{
	struct iptfs_bed *b = bed_new();
	uint8_t room[200], frame[4096];
	struct octets du = one_du(room, 0);
	struct esp_sa sa;
	size_t size;

	(void)unused;
	receiver(b, "replay=64");
	sender(&sa, 4096);
	size = bed_frame(&sa, 100, du, AGG_NEXT_HEADER, frame);
	frame[60] ^= 1;
	bed_receive(b, frame, size);
	assert_int_equal(dropped(b, DROP_ESP_ICV), 1);
	frame[60] ^= 1; /* what is forged has moved nothing: this one is still fresh */
	bed_receive(b, frame, size);
	assert_int_equal(b->given.n, 1);
	bed_receive(b, frame, size);
	assert_int_equal(dropped(b, DROP_ESP_REPLAY), 1);
	/* Left of the window: with ESN that number belongs to the next 2^32 (RFC 4303 A2.2). */
	feed(b, &sa, 36, du);
	assert_int_equal(dropped(b, DROP_ESP_ICV), 2);

	bed_receive(b, frame, bed_frame(&sa, 101, du, ESP_NEXT_DUMMY, frame));
	assert_int_equal(dropped(b, DROP_ESP_DUMMY), 1);
	bed_receive(b, frame, bed_frame(&sa, 102, du, 4, frame));
	assert_int_equal(dropped(b, DROP_ESP_NEXT_HEADER), 1);
	feed(b, &sa, 103, du); /* nobody waits for the two numbers before */
	assert_int_equal(b->given.n, 2);

	/* The IP length decides, not the frame's: link padding is nobody's, a short one is short.
	 */
	size = bed_frame(&sa, 104, du, AGG_NEXT_HEADER, frame);
	memset(frame + size, 0xee, 20);
	bed_receive(b, frame, size + 20);
	assert_int_equal(b->given.n, 3);
	size = bed_frame(&sa, 105, du, AGG_NEXT_HEADER, frame);
	put_be16(frame + 16, (uint16_t)(get_be16(frame + 16) - 1));
	bed_receive(b, frame, size);
	assert_int_equal(dropped(b, DROP_ESP_ALIGN), 1);
	put_be16(frame + 16, 20 + 8 + 16);
	bed_receive(b, frame, size);
	assert_int_equal(dropped(b, DROP_ESP_SHORT), 1);

	/* Padding that contradicts itself, behind a right ICV. */
	size = bed_frame(&sa, 106, (struct octets){room, 0, 61}, AGG_NEXT_HEADER, frame);
	frame[14 + 20 + 8 + 61] = 9;
	sa.cipher->seal(&sa, 106, frame + 34, 64);
	bed_receive(b, frame, size);
	assert_int_equal(dropped(b, DROP_ESP_PAD), 1);

	/* Another SPI is another's, or nobody's: a plain frame. */
	sa.spi = 4097;
	feed(b, &sa, 107, du);
	assert_int_equal(b->given.item[3].outer.conn, CONN_NONE);
	esp_sa_close(&sa);
	bed_free(b);
}

static void test_old(void **unused)
{
	struct iptfs_bed *b = bed_new();
	uint8_t room[200];
	struct octets du = one_du(room, 0);
	struct esp_sa sa;

	(void)unused;
	receiver(b, "esn=no replay=128 reorder=0");
	sender(&sa, 4096);
	sa.esn = false;
	feed(b, &sa, 200, du);
	feed(b, &sa, 72, du);
	assert_int_equal(dropped(b, DROP_ESP_OLD), 1);
	feed(b, &sa, 73, du); /* within the replay window, but no longer waited for */
	assert_int_equal(dropped(b, DROP_AGG_LATE), 1);
	esp_sa_close(&sa);
	bed_free(b);
}

static void test_agg_refused(void **unused)
{
	struct iptfs_bed *b = bed_new();
	uint8_t room[400];
	struct octets du;
	struct esp_sa sa;
	uint64_t seq = 1;

	(void)unused;
	receiver(b, "");
	sender(&sa, 4096);
	feed(b, &sa, seq++, (struct octets){room, 3, 3});
	assert_int_equal(dropped(b, DROP_AGG_SHORT), 1);
	one_du(room, 0);
	room[0] = 2;
	feed(b, &sa, seq++, (struct octets){room, 64, 64});
	assert_int_equal(dropped(b, DROP_AGG_SUBTYPE), 1);
	room[0] = 0;
	room[4] = 0x75;
	feed(b, &sa, seq++, (struct octets){room, 64, 64});
	assert_int_equal(dropped(b, DROP_AGG_BLOCK_TYPE), 1);
	room[4] = 0x44;
	feed(b, &sa, seq++, (struct octets){room, 64, 64});
	assert_int_equal(dropped(b, DROP_AGG_BLOCK_LENGTH), 1);
	one_du(room, 0);
	put_be16(room + 2, 1000);
	feed(b, &sa, seq++, (struct octets){room, 64, 64});
	assert_int_equal(dropped(b, DROP_AGG_ORPHAN), 1);

	/* A begun one, and what does not continue it. */
	du = one_du(room, 0);
	put_be16(room + AGG_HLEN + 2, 300);
	feed(b, &sa, seq++, du);
	put_be16(room + 2, 239);
	feed(b, &sa, seq++, du);
	assert_int_equal(dropped(b, DROP_AGG_OFFSET), 1);

	/* A middle that is lost: waited for, until the window has passed it. */
	put_be16(room + 2, 0);
	feed(b, &sa, seq, du);
	put_be16(room + 2, 240);
	seq += 2;
	for (unsigned i = 0; i < 4; i++)
		feed(b, &sa, seq++, du);
	assert_int_equal(dropped(b, DROP_AGG_LOST), 4);
	assert_int_equal(b->given.n, 0);

	/* One that came after it was given up. */
	feed(b, &sa, seq - 5, du);
	assert_int_equal(dropped(b, DROP_AGG_LATE), 1);
	assert_true(bed_balanced(b));
	esp_sa_close(&sa);
	bed_free(b);
}

static void test_timers(void **unused)
{
	struct iptfs_bed *b = bed_new();
	uint8_t room[400];
	struct octets du = one_du(room, 0);
	struct esp_sa sa;

	(void)unused;
	receiver(b, "drop-timer=10ms");
	sender(&sa, 4096);
	feed(b, &sa, 1, du);
	feed(b, &sa, 3, du); /* 2 is missing: held */
	assert_int_equal(b->given.n, 1);
	assert_true(bed_balanced(b));
	bed_wait(b, 9 * NSEC_PER_MSEC);
	assert_int_equal(b->w->n.made[MADE_DECAP], 1);
	bed_wait(b, NSEC_PER_MSEC); /* given up: its data unit goes on to the rules */
	assert_int_equal(b->w->n.made[MADE_DECAP], 2);
	feed(b, &sa, 2, du);
	assert_int_equal(dropped(b, DROP_AGG_LATE), 1);

	put_be16(room + AGG_HLEN + 2, 300); /* begun, and never continued in time */
	feed(b, &sa, 4, du);
	bed_wait(b, 11 * NSEC_PER_MSEC);
	assert_true(bed_balanced(b));
	put_be16(room + 2, 240);
	feed(b, &sa, 5, du);
	assert_int_equal(dropped(b, DROP_AGG_TIMEOUT), 1);

	put_be16(room + 2, 0); /* at the same tick as its deadline, the timer comes first */
	feed(b, &sa, 6, du);
	bed_wait(b, 10 * NSEC_PER_MSEC);
	put_be16(room + 2, 240);
	feed(b, &sa, 7, du);
	assert_int_equal(dropped(b, DROP_AGG_TIMEOUT), 2);

	put_be16(room + 2, 0); /* deleted in the middle of both */
	feed(b, &sa, 8, du);
	feed(b, &sa, 10, du);
	esp_sa_close(&sa);
	bed_free(b);
}

static void test_allow(void **unused)
{
	struct iptfs_bed *b = bed_new();
	uint8_t room[400];
	struct octets du = one_du(room, 0);
	struct esp_sa sa;
	struct conn *c = receiver(b, "allow=10.2.0.0/16,10.1.0.0/30,2001:db8::/32");

	(void)unused;
	sender(&sa, 4096);
	feed(b, &sa, 1, du);
	assert_int_equal(b->given.n, 1);
	room[AGG_HLEN + 15] = 9; /* source 10.1.0.9 */
	room[AGG_HLEN + 1] = 0xb8;
	feed(b, &sa, 2, du);
	assert_int_equal(dropped(b, DROP_SOURCE_NOT_ALLOWED), 1);
	bed_conn_del(b, c);
	receiver(b, "allow=10.1.0.0/30 allow-action=mark");
	feed(b, &sa, 3, du);
	assert_int_equal(b->given.n, 2);
	assert_int_equal(be16toh(b->given.item[1].key.disagree), DISAGREE_SOURCE | DISAGREE_DSCP);
	esp_sa_close(&sa);
	bed_free(b);
}

/* A keepalive ends here if a connection in UDP is at its address, and is a plain frame otherwise.
 */
static void test_keepalive(void **unused)
{
	struct iptfs_bed *b = bed_new();
	uint8_t frame[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 29};

	(void)unused;
	frame[22] = 64;
	frame[23] = 17;
	put_be32(frame + 26, 0x0a090001);
	put_be32(frame + 30, 0x0a090002);
	put_be16(frame + 36, 4500);
	put_be16(frame + 38, 9);
	frame[42] = 0xff;
	must_conn(b, "local=10.9.0.2 remote=10.9.0.1 spi-in=5000 "
		     "key-in=000102030405060708090a0b0c0d0e0f01020304");
	bed_receive(b, frame, sizeof frame);
	assert_int_equal(b->given.n, 1);
	receiver(b, "encap=udp");
	bed_receive(b, frame, sizeof frame);
	assert_int_equal(b->w->n.consumed[CONSUME_KEEPALIVE], 1);
	frame[42] = 0xfe;
	bed_receive(b, frame, sizeof frame);
	frame[42] = 0xff;
	frame[33] = 3; /* not our address */
	bed_receive(b, frame, sizeof frame);
	assert_int_equal(b->given.n, 3);
	bed_free(b);
}

/* A what-if packet ends at the connection and moves nothing. */
static void test_what_if(void **unused)
{
	struct vector *v = vector_load("a-small-aggregated");
	struct iptfs_bed *b = bed_new();
	struct conn *c = vector_conn(b, v, "");
	uint8_t du[100];

	(void)unused;
	b->w->private_trace = true;
	bed_receive(b, v->frame[0].octets, v->frame[0].size);
	make_du(du, sizeof du, 1);
	bed_push(b, c, du, sizeof du);
	assert_true(!b->given.n && !c->port.queue[0].dirty);
	b->w->private_trace = false;
	bed_receive(b, v->frame[0].octets, v->frame[0].size);
	assert_true(b->given.n > 0);
	vector_free(v);
	bed_free(b);
}

/* The UDP length ends the ESP packet, though the IP packet goes on. */
static void test_udp_length(void **unused)
{
	struct vector *v = vector_load("g-natt");
	struct iptfs_bed *b = bed_new();
	uint8_t frame[2000] = {0};
	size_t size = v->frame[0].size;

	(void)unused;
	vector_conn(b, v, "");
	memcpy(frame, v->frame[0].octets, size);
	put_be16(frame + 16, (uint16_t)(get_be16(frame + 16) + 4));
	bed_receive(b, frame, size + 4);
	assert_true(b->given.n > 0);
	vector_free(v);
	bed_free(b);
}

struct seen {
	struct report report;
	unsigned n;
	uint64_t in_dus, icv;
};

static void see_number(struct report *r, const char *key, uint64_t value)
{
	struct seen *s = container_of(r, struct seen, report);

	s->n++;
	if (!strcmp(key, "in_dus"))
		s->in_dus = value;
	if (!strcmp(key, "esp-icv"))
		s->icv = value;
}

static void see_string(struct report *r, const char *key, const char *value)
{
	struct seen *s = container_of(r, struct seen, report);

	s->n++;
	assert_true(*key && *value);
	assert_null(strstr(value, auth_key));
}

static void test_status(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *c = receiver(b, "");
	struct seen seen = {.report = {see_number, see_string}};
	uint8_t room[200], frame[4096];
	struct octets du = one_du(room, 0);
	struct esp_sa sa;
	size_t size;

	(void)unused;
	sender(&sa, 4096);
	feed(b, &sa, 1, du);
	size = bed_frame(&sa, 2, du, AGG_NEXT_HEADER, frame);
	frame[50] ^= 1;
	bed_receive(b, frame, size);
	c->class->status(c, &seen.report);
	assert_int_equal(seen.in_dus, 1);
	assert_int_equal(seen.icv, 1);
	assert_true(seen.n > 10);
	esp_sa_close(&sa);
	bed_free(b);
}

/* A receiver that is made again goes on where it was, though its options say an earlier seq-in, as
 * a stored configuration does. */
static void test_seq_in_again(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *c = receiver(b, "seq-in=10");
	uint8_t room[200];
	struct octets du = one_du(room, 0);
	struct esp_sa sa;

	(void)unused;
	sender(&sa, 4096);
	feed(b, &sa, 10, du);
	assert_int_equal(dropped(b, DROP_ESP_REPLAY), 1);
	feed(b, &sa, 11, du);
	feed(b, &sa, 12, du);
	assert_int_equal(b->given.n, 2);
	bed_conn_del(b, c);
	c = receiver(b, "seq-in=10");
	feed(b, &sa, 12, du);
	assert_int_equal(dropped(b, DROP_ESP_REPLAY), 2);
	feed(b, &sa, 13, du);
	assert_int_equal(b->given.n, 3);
	bed_conn_del(b, c);
	receiver(b, "seq-in=20"); /* but a later one counts */
	feed(b, &sa, 14, du);
	assert_int_equal(dropped(b, DROP_ESP_REPLAY), 3);
	esp_sa_close(&sa);
	bed_free(b);
}

/* Many connections with one end are one entry among the ends, whichever of them stay. */
static void test_ends(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *c[3];
	struct conn_id id;

	(void)unused;
	for (unsigned i = 0; i < 3; i++) {
		char options[200];

		snprintf(options, sizeof options,
			 "local=10.9.0.2 remote=10.9.0.1 spi-in=%u cipher=null-sha256 "
			 "auth-key-in=%s",
			 300 + i, auth_key);
		c[i] = must_conn(b, options);
	}
	assert_int_equal(b->dp.conns.n, 3);
	assert_int_equal(b->dp.conn_ends.n, 1);
	id = c[0]->in_id;
	id.id = 0;
	for (unsigned i = 0; i < 3; i++) {
		assert_non_null(conn_end_find(&b->dp, &id));
		bed_conn_del(b, c[i]);
	}
	assert_null(conn_end_find(&b->dp, &id));
	assert_int_equal(b->dp.conn_ends.n, 0);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),      cmocka_unit_test(test_vectors_disorder),
		cmocka_unit_test(test_collected),    cmocka_unit_test(test_esp_refused),
		cmocka_unit_test(test_old),          cmocka_unit_test(test_agg_refused),
		cmocka_unit_test(test_timers),       cmocka_unit_test(test_allow),
		cmocka_unit_test(test_keepalive),    cmocka_unit_test(test_what_if),
		cmocka_unit_test(test_udp_length),   cmocka_unit_test(test_status),
		cmocka_unit_test(test_seq_in_again), cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
