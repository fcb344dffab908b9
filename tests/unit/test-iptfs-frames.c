/* SPDX-License-Identifier: Apache-2.0 */
/* iptfs connections and frames: whose octets a data unit's are, how long they live, and what is
 * lost when there is no frame.  Every test ends with both balances even. */
#include "tests/unit/iptfs-peer.h"

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
	struct pkt *p = pkt_new(b->w, FRAME_HEADROOM), *clone;

	(void)unused;
	vector_conn(b, v, "");
	memcpy(p->data, v->frame[0].octets, v->frame[0].size);
	p->len = p->seg[0].len = (uint16_t)v->frame[0].size;
	pkt_injected(b->w, p, PORT_NONE);
	clone = pkt_clone(b->w, p);
	in.pkt[0] = p;
	stage_parse(b->w, &in);
	stage_collect(b->w, &in);
	assert_true(stage_decap(b->w, &in, &out));
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
	uint8_t room[AGG_HLEN + 3 * 400] = {0}, frame[4096], du[400];
	struct octets payload = {room, sizeof room, sizeof room};
	struct batch in = {.n = 1}, out = {0};
	struct pkt *p = pkt_new(b->w, FRAME_HEADROOM);
	uint32_t taken[2048], n = 0;
	struct esp_sa sa;

	(void)unused;
	receiver(b, "");
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
	assert_true(stage_decap(b->w, &in, &out));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),        cmocka_unit_test(test_shared_frame),
		cmocka_unit_test(test_frame_lives), cmocka_unit_test(test_no_frame),
		cmocka_unit_test(test_pieces),      cmocka_unit_test(test_esp_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
