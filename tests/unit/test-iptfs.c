/* SPDX-License-Identifier: Apache-2.0 */
/* iptfs connections on a worker, receiving: the vectors of other makes come out octet for octet,
 * and what is wrong is dropped by name.  Every test ends with both balances even. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "datapath/iptfs.h"
#include "tests/unit/bed.h"
#include "tests/unit/iptfs-bed.h"
#include "tests/unit/vector.h"

static void hex(char *to, const uint8_t *data, size_t size)
{
	*to = '\0';
	while (size--)
		to += sprintf(to, "%02x", *data++);
}

/* ---- Vectors ----------------------------------------------------------------------------------
 */

static struct conn *vector_conn(struct iptfs_bed *b, const struct vector *v, const char *more)
{
	char key[80], auth[80], options[600];
	struct conn *c;
	int n;

	hex(key, v->keys.key, v->keys.key_size);
	hex(auth, v->keys.auth, v->keys.auth_size);
	n = snprintf(
		options, sizeof options,
		"local=10.9.0.2 remote=10.9.0.1 spi-in=%u cipher=%s esn=%s seq-in=%llu encap=%s %s",
		v->spi, v->cipher, v->esn ? "yes" : "no", (unsigned long long)v->seq_in,
		v->udp ? "udp" : "none", more);
	if (*key)
		n += snprintf(options + n, sizeof options - (size_t)n, " key-in=%s", key);
	if (*auth)
		snprintf(options + n, sizeof options - (size_t)n, " auth-key-in=%s", auth);
	c = must_conn(b, options);
	return c;
}

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

/* ---- What is collected ------------------------------------------------------------------------
 */

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

/* ---- What is refused ---------------------------------------------------------------------------
 */

static const char auth_key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/* The sending side of a connection made with auth_key, without a connection. */
static void sender(struct esp_sa *sa, uint32_t spi)
{
	struct esp_keys keys = {.auth_size = 32};

	vector_hex(auth_key, keys.auth, sizeof keys.auth);
	*sa = (struct esp_sa){.cipher = esp_cipher_by_name("null-sha256"), .spi = spi, .esn = true};
	assert_int_equal(esp_sa_open(sa, &keys, ESP_SEAL, NULL), 0);
}

static struct conn *receiver(struct iptfs_bed *b, const char *more)
{
	char options[400];
	struct conn *c;

	snprintf(options, sizeof options,
		 "local=10.9.0.2 remote=10.9.0.1 spi-in=4096 cipher=null-sha256 auth-key-in=%s %s",
		 auth_key, more);
	c = must_conn(b, options);
	return c;
}

static void feed(struct iptfs_bed *b, struct esp_sa *sa, uint64_t seq, struct octets payload)
{
	uint8_t frame[4096];

	bed_receive(b, frame, bed_frame(sa, seq, payload, AGG_NEXT_HEADER, frame));
}

/* A payload with one data unit of 60 octets at `offset`, and nothing behind it. */
static struct octets one_du(uint8_t *room, uint16_t offset)
{
	memset(room, 0, AGG_HLEN + offset);
	put_be16(room + 2, offset);
	make_du(room + AGG_HLEN + offset, 60, 1);
	return (struct octets){room, AGG_HLEN + offset + 60u, AGG_HLEN + offset + 60u};
}

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

/* 70 data units in one aggregate, and no frame for the last ones. */
static void test_many(void **unused)
{
	struct iptfs_bed *b = bed_new();
	uint8_t room[AGG_HLEN + 70 * 20] = {0};
	struct octets payload = {room, sizeof room, sizeof room};
	uint32_t taken[2048], n = 0;
	struct esp_sa sa;

	(void)unused;
	for (unsigned i = 0; i < 70; i++)
		make_du(room + AGG_HLEN + i * 20, 20, 0);
	receiver(b, "");
	sender(&sa, 4096);
	feed(b, &sa, 1, payload);
	assert_int_equal(b->given.n, 70);
	for (unsigned i = 0; i < 70; i++)
		assert_int_equal(be16toh(b->given.item[i].outer.key.agg_dus), 70);
	while (b->w->frames.n_free > 11)
		taken[n++] = frame_alloc(&b->w->frames);
	feed(b, &sa, 2, payload);
	assert_int_equal(b->given.n, 80);
	assert_int_equal(dropped(b, DROP_NO_FRAME), 60);
	while (n)
		frame_unref(&b->w->frames, taken[--n]);
	esp_sa_close(&sa);
	bed_free(b);
}

/* A frame that someone else reads too is decrypted elsewhere. */
static void test_shared_frame(void **unused)
{
	struct vector *v = vector_load("a-small-aggregated");
	struct iptfs_bed *b = bed_new();
	struct batch in = {.n = 1}, out = {0};
	struct conn *c = vector_conn(b, v, "");
	struct pkt *p = pkt_new(b->w, FRAME_HEADROOM), *clone;

	(void)unused;
	memcpy(p->data, v->frame[0].octets, v->frame[0].size);
	p->len = p->seg[0].len = (uint16_t)v->frame[0].size;
	pkt_injected(b->w, p, PORT_NONE);
	clone = pkt_clone(b->w, p);
	in.pkt[0] = p;
	stage_parse(b->w, &in);
	stage_collect(b->w, &in);
	assert_true(c->class->pop(b->w, c, p, &out));
	assert_true(out.n > 3);
	for (unsigned i = 0; i < out.n; i++) {
		uint8_t du[2000];

		pkt_copy_out(b->w, out.pkt[i], ETH_HLEN_, out.pkt[i]->len - ETH_HLEN_, du);
		assert_memory_equal(du, v->inner[i].octets, v->inner[i].size);
		drop(b->w, out.pkt[i], DROP_RULE);
	}
	assert_memory_equal(clone->data, v->frame[0].octets, v->frame[0].size);
	drop(b->w, clone, DROP_RULE);
	vector_free(v);
	bed_free(b);
}

/* Large data units share the aggregate's frame: it is free when the last of them is, not before. */
static void test_frame_lives(void **unused)
{
	struct iptfs_bed *b = bed_new();
	struct conn *c = receiver(b, "");
	uint8_t room[AGG_HLEN + 3 * 400] = {0}, frame[4096], du[400];
	struct octets payload = {room, sizeof room, sizeof room};
	struct batch in = {.n = 1}, out = {0};
	struct pkt *p = pkt_new(b->w, FRAME_HEADROOM);
	uint32_t taken[2048], n = 0;
	struct esp_sa sa;

	(void)unused;
	for (uint8_t i = 0; i < 3; i++)
		make_du(room + AGG_HLEN + i * 400, 400, i);
	sender(&sa, 4096);
	p->len = (uint32_t)bed_frame(&sa, 1, payload, AGG_NEXT_HEADER, frame);
	p->seg[0].len = (uint16_t)p->len;
	memcpy(p->data, frame, p->len);
	pkt_injected(b->w, p, PORT_NONE);
	in.pkt[0] = p;
	stage_parse(b->w, &in);
	stage_collect(b->w, &in);
	assert_true(c->class->pop(b->w, c, p, &out));
	assert_int_equal(out.n, 3);
	drop(b->w, out.pkt[0], DROP_RULE);
	drop(b->w, out.pkt[1], DROP_RULE);
	while (b->w->frames.n_free) { /* whoever gets a frame writes over it */
		taken[n] = frame_alloc(&b->w->frames);
		memset(frame_base(&b->dp.umem, taken[n++]), 0xee, FRAME_SIZE);
	}
	assert_int_equal(out.pkt[2]->n_segs, 2);
	pkt_copy_out(b->w, out.pkt[2], ETH_HLEN_, sizeof du, du);
	assert_memory_equal(du, room + AGG_HLEN + 800, sizeof du);
	while (n)
		frame_unref(&b->w->frames, taken[--n]);
	drop(b->w, out.pkt[2], DROP_RULE);
	esp_sa_close(&sa);
	bed_free(b);
}

static uint32_t take_frames(struct iptfs_bed *b, uint32_t leave, uint32_t *taken)
{
	uint32_t n = 0;

	while (b->w->frames.n_free > leave)
		taken[n++] = frame_alloc(&b->w->frames);
	return n;
}

/* No frame for the beginning of a data unit, or for its middle: it is lost by name, its
 * neighbours are not, and its last part is not mistaken for one. */
static void test_no_frame(void **unused)
{
	struct iptfs_bed *b = bed_new();
	uint8_t room[AGG_HLEN + 3000] = {0}, du[9000];
	struct octets payload = {room, sizeof room, sizeof room};
	uint32_t taken[2048], n;
	struct esp_sa sa;
	uint64_t seq = 1;

	(void)unused;
	receiver(b, "");
	sender(&sa, 4096);
	make_du(du, sizeof du, 7);
	for (uint32_t leave = 1; leave <= 4; leave++) {
		n = take_frames(b, leave, taken);
		for (unsigned k = 0; k < 3; k++) {
			put_be16(room + 2, (uint16_t)(k ? 9000 - 3000 * k : 0));
			memcpy(room + AGG_HLEN, du + 3000 * k, 3000);
			feed(b, &sa, seq++, payload);
		}
		while (n)
			frame_unref(&b->w->frames, taken[--n]);
		assert_int_equal(dropped(b, DROP_NO_FRAME), MIN(leave, 3u));
		assert_true(bed_balanced(b));
	}
	assert_int_equal(b->given.n, 1); /* an aggregate's frame and three for the data unit */
	assert_memory_equal(b->given.item[0].octets, du, sizeof du);
	esp_sa_close(&sa);
	bed_free(b);
}

/* An aggregate in several pieces is put together first. */
static void test_pieces(void **unused)
{
	struct vector *v = vector_load("a-small-aggregated");
	struct iptfs_bed *b = bed_new();
	struct batch in = {.n = 1}, out = {0};
	uint32_t taken[2048], n;

	(void)unused;
	vector_conn(b, v, "");
	for (unsigned round = 0; round < 2; round++) {
		in.n = 1;
		in.pkt[0] = bed_pkt(b->w, v->frame[round].octets, v->frame[round].size, 500);
		stage_parse(b->w, &in);
		stage_collect(b->w, &in);
		n = round ? 0 : take_frames(b, 0, taken);
		assert_true(stage_decap(b->w, &in, &out));
		while (n)
			frame_unref(&b->w->frames, taken[--n]);
	}
	assert_int_equal(dropped(b, DROP_NO_FRAME), 1);
	assert_true(b->w->n.consumed[CONSUME_DECAP] == 0 && !out.n); /* 2 waits for 1 */
	bed_receive(b, v->frame[0].octets, v->frame[0].size);
	assert_true(b->given.n > 40);
	vector_free(v);
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

/* An outer packet of several segments that one frame cannot hold. */
static void test_esp_long(void **unused)
{
	static uint8_t frame[9000] = {2,  0,    0, 0, 0,  2, 2, 0, 0, 0,  0,  1, 8,
				      0,  0x45, 0, 0, 0,  0, 0, 0, 0, 64, 50, 0, 0,
				      10, 9,    0, 1, 10, 9, 0, 2, 0, 0,  16};
	struct iptfs_bed *b = bed_new();

	(void)unused;
	receiver(b, "");
	put_be16(frame + 16, sizeof frame - 14);
	bed_receive(b, frame, sizeof frame);
	assert_int_equal(dropped(b, DROP_ESP_LONG), 1);
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
		cmocka_unit_test(test_vectors),     cmocka_unit_test(test_vectors_disorder),
		cmocka_unit_test(test_collected),   cmocka_unit_test(test_esp_refused),
		cmocka_unit_test(test_old),         cmocka_unit_test(test_agg_refused),
		cmocka_unit_test(test_timers),      cmocka_unit_test(test_allow),
		cmocka_unit_test(test_many),        cmocka_unit_test(test_shared_frame),
		cmocka_unit_test(test_frame_lives), cmocka_unit_test(test_no_frame),
		cmocka_unit_test(test_pieces),      cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_what_if),     cmocka_unit_test(test_udp_length),
		cmocka_unit_test(test_status),      cmocka_unit_test(test_seq_in_again),
		cmocka_unit_test(test_esp_long),    cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
