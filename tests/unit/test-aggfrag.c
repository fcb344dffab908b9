/* SPDX-License-Identifier: Apache-2.0 */
/* AGGFRAG payloads: RFC 9347 Appendix A, every way a payload can contradict itself, and random
 * round trips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "datapath/aggfrag.h"

enum { ROOM = 70000 };

/* A receiver that keeps what comes out: lengths, and the octets of the last whole packet. */
struct sink {
	struct agg_rx rx;
	uint64_t seq;
	unsigned n, n_aborted, lengths[300];
	enum drop_reason error; /* of the last payload */
	uint32_t pad, pieces;
	uint32_t fill;
	uint8_t packet[ROOM];
};

static struct sink *sink_new(void)
{
	struct sink *s = calloc(1, sizeof *s);

	agg_rx_init(&s->rx);
	s->seq = 1;
	return s;
}

static void keep(struct sink *s, struct agg_piece p)
{
	assert_true(s->fill + p.size <= ROOM);
	memcpy(s->packet + s->fill, p.octets, p.size);
	s->fill += p.size;
}

static void feed(struct sink *s, const uint8_t *payload, size_t size)
{
	/* A copy of exactly its size, so that a sanitizer sees every octet read beyond. */
	uint8_t *exact = malloc(size ? size : 1);
	struct agg_walk walk;
	struct agg_piece piece;
	enum agg_what what;
	bool aborted;

	memcpy(exact, payload, size);
	s->error = agg_begin(&s->rx, &walk, (struct agg_piece){exact, (uint32_t)size}, s->seq++,
			     &aborted);
	s->n_aborted += aborted;
	s->pad = s->pieces = 0;
	if (s->error != NO_DROP) {
		free(exact);
		return;
	}
	while ((what = agg_next(&s->rx, &walk, &piece)) != AGG_END) {
		assert_true(piece.size > 0);
		if (what == AGG_WHOLE || what == AGG_FIRST)
			s->fill = 0;
		keep(s, piece);
		if (what == AGG_WHOLE || what == AGG_LAST)
			s->lengths[s->n++ % ARRAY_SIZE(s->lengths)] = s->fill;
	}
	s->error = walk.error;
	s->pad = walk.pad;
	s->pieces = walk.n_pieces;
	free(exact);
}

/* An IPv4 or IPv6 packet of `size` octets whose octets tell its number. */
static void make_du(uint8_t *du, unsigned size, unsigned family, uint8_t tag)
{
	for (unsigned i = 0; i < size; i++)
		du[i] = (uint8_t)(tag + i * 7);
	du[0] = family == 4 ? 0x45 : 0x60;
	if (family == 4)
		put_be16(du + 2, (uint16_t)size);
	else
		put_be16(du + 4, (uint16_t)(size - 40));
}

static uint8_t *header(uint8_t *p, uint16_t offset)
{
	p[0] = p[1] = 0;
	put_be16(p + 2, offset);
	return p + AGG_HLEN;
}

/* Inner 750, 750, 60, 240 and 3000 octets in payloads of 1404: BlockOffsets 0, 100, 2000, 600. */
static void test_golden(void **unused)
{
	static const unsigned sizes[] = {750, 750, 60, 240, 3000};
	static const uint16_t offsets[] = {0, 100, 2000, 600};
	struct agg_tx tx = {.room = 1400};
	struct sink *s = sink_new();
	uint8_t payload[4][1404] = {{0}}, du[3000];
	unsigned n = 0;

	(void)unused;
	agg_tx_begin(&tx, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		make_du(du, sizes[i], 4, (uint8_t)i);
		for (uint32_t done = 0, take; done < sizes[i]; done += take) {
			uint32_t at = tx.fill;

			take = agg_tx_take(&tx, sizes[i], done, true);
			memcpy(payload[n] + AGG_HLEN + at, du + done, take);
			if (take)
				continue;
			agg_tx_header(&tx, payload[n++]);
			agg_tx_begin(&tx, done ? sizes[i] - done : 0);
		}
	}
	agg_tx_header(&tx, payload[n++]);
	assert_int_equal(n, 4);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(get_be16(payload[i] + 2), offsets[i]);
		feed(s, payload[i], sizeof payload[i]); /* the last one ends in a pad block */
		assert_int_equal(s->error, NO_DROP);
	}
	assert_int_equal(s->pad, 800);
	assert_int_equal(s->n, 5);
	for (unsigned i = 0; i < s->n; i++)
		assert_int_equal(s->lengths[i], sizes[i]);
	assert_memory_equal(s->packet, du, 3000);
	free(s);
}

static void test_header(void **unused)
{
	struct sink *s = sink_new();
	uint8_t p[100] = {0};

	(void)unused;
	feed(s, p, 3);
	assert_int_equal(s->error, DROP_AGG_SHORT);
	feed(s, p, 0);
	assert_int_equal(s->error, DROP_AGG_SHORT);
	feed(s, p, 4); /* empty: RFC 9347 2.2.4 */
	assert_int_equal(s->error, NO_DROP);
	p[0] = 1;
	feed(s, p, 23);
	assert_int_equal(s->error, DROP_AGG_SHORT);
	p[0] = 2;
	feed(s, p, 50);
	assert_int_equal(s->error, DROP_AGG_SUBTYPE);
	free(s);
}

/* Sub-type 1 (RFC 9347 6.1.2): P and E set, fields at their places, blocks behind 24 octets. */
static void test_congestion_control(void **unused)
{
	uint8_t p[24 + 40] = {1, 3, 0, 0, 0, 0, 1, 0};
	struct agg_rx rx;
	struct agg_walk walk;
	struct agg_piece piece;
	bool aborted;

	(void)unused;
	put_be64(p + 8, 0x12345ull << 42 | 0x155555ull << 21 | 0x0aaaaa);
	make_du(p + 24, 40, 6, 9);
	agg_rx_init(&rx);
	assert_int_equal(agg_begin(&rx, &walk, (struct agg_piece){p, sizeof p}, 1, &aborted),
			 NO_DROP);
	assert_int_equal(walk.header.subtype, 1);
	assert_int_equal(walk.header.flags, 3);
	assert_int_equal(walk.header.loss_event_rate, 256);
	assert_int_equal(walk.header.rtt_us, 0x12345);
	assert_int_equal(agg_next(&rx, &walk, &piece), AGG_WHOLE);
	assert_int_equal(piece.size, 40);
	assert_ptr_equal(piece.octets, p + 24);
	assert_int_equal(agg_next(&rx, &walk, &piece), AGG_END);
}

/* A good packet, then each broken block: the good one comes out, the rest is named and ends. */
static void test_blocks(void **unused)
{
	static const struct {
		uint8_t octets[8];
		enum drop_reason want;
	} cases[] = {
		{{0x45, 0, 0, 0}, DROP_AGG_BLOCK_LENGTH},  /* Total Length 0 */
		{{0x45, 0, 0, 19}, DROP_AGG_BLOCK_LENGTH}, /* below the header */
		{{0x46, 0, 0, 20}, DROP_AGG_BLOCK_LENGTH}, /* below a header with options */
		{{0x44, 0, 0, 40}, DROP_AGG_BLOCK_LENGTH}, /* IHL 4 */
		{{0x40, 0, 0, 40}, DROP_AGG_BLOCK_LENGTH}, /* IHL 0 */
		{{0x10}, DROP_AGG_BLOCK_TYPE},
		{{0x20}, DROP_AGG_BLOCK_TYPE},
		{{0x30}, DROP_AGG_BLOCK_TYPE},
		{{0x50}, DROP_AGG_BLOCK_TYPE},
		{{0x70}, DROP_AGG_BLOCK_TYPE},
		{{0x80}, DROP_AGG_BLOCK_TYPE},
		{{0x9f}, DROP_AGG_BLOCK_TYPE},
		{{0xf0}, DROP_AGG_BLOCK_TYPE},
	};

	(void)unused;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sink *s = sink_new();
		uint8_t p[200] = {0}, *blocks = header(p, 0);

		make_du(blocks, 50, 4, 1);
		memcpy(blocks + 50, cases[i].octets, 8);
		feed(s, p, sizeof p);
		assert_int_equal(s->error, cases[i].want);
		assert_int_equal(s->n, 1);
		assert_false(s->rx.open);
		free(s);
	}
}

/* IPv6 with payload length 0 (a jumbogram's): 40 octets, and the walk goes on behind them. */
static void test_jumbo(void **unused)
{
	struct sink *s = sink_new();
	uint8_t p[200] = {0}, *blocks = header(p, 0);

	(void)unused;
	make_du(blocks, 40, 6, 1);
	make_du(blocks + 40, 60, 4, 2);
	feed(s, p, sizeof p);
	assert_int_equal(s->error, NO_DROP);
	assert_int_equal(s->n, 2);
	assert_int_equal(s->lengths[0], 40);
	assert_int_equal(s->lengths[1], 60);
	free(s);
}

/* Begins a packet of 300 octets with 100 of them; leaves the other 200 in `rest`. */
static struct sink *begun(uint8_t rest[200])
{
	struct sink *s = sink_new();
	uint8_t p[104], du[300];

	make_du(du, 300, 4, 5);
	memcpy(header(p, 0), du, 100);
	memcpy(rest, du + 100, 200);
	feed(s, p, sizeof p);
	assert_int_equal(s->error, NO_DROP);
	assert_true(s->rx.open);
	return s;
}

static void test_continuation(void **unused)
{
	static const struct {
		uint16_t offset;
		uint64_t skip; /* sequence numbers lost in between */
		unsigned octets, n;
		enum drop_reason want;
	} cases[] = {
		{200, 0, 200, 1, NO_DROP},
		{200, 0, 260, 2, NO_DROP},       /* a packet of 60 behind it */
		{200, 1, 260, 1, DROP_AGG_LOST}, /* lost middle: the whole one still comes */
		{200, 1, 200, 0, DROP_AGG_LOST},
		{199, 0, 260, 0, DROP_AGG_OFFSET}, /* smaller than what is missing */
		{201, 0, 261, 1, DROP_AGG_OFFSET}, /* larger */
		{0, 0, 260, 0, DROP_AGG_OFFSET},   /* zero, and not all-pad */
		{60000, 0, 260, 0, DROP_AGG_OFFSET},
		{200, 0, 80, 0, NO_DROP}, /* a third payload will end it */
	};

	(void)unused;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t rest[200], p[400] = {0}, *blocks = header(p, cases[i].offset);
		struct sink *s = begun(rest);
		unsigned at = cases[i].offset == 201 ? 201 : 200;

		memcpy(blocks, rest, 200);
		if (cases[i].octets > 200)
			make_du(blocks + at, 60, 4, 3);
		if (cases[i].offset == 199 || !cases[i].offset)
			blocks[cases[i].offset] = 0xf0; /* what stands there is no packet */
		s->seq += cases[i].skip;
		feed(s, p, AGG_HLEN + cases[i].octets);
		if (cases[i].offset == 199 || !cases[i].offset)
			assert_int_equal(s->error, DROP_AGG_BLOCK_TYPE);
		else
			assert_int_equal(s->error, cases[i].want);
		assert_int_equal(s->n, cases[i].n);
		assert_int_equal(s->n_aborted, cases[i].want != NO_DROP);
		free(s);
	}
}

/* All-pad payloads between fragments are counted along; one out of place is a loss. */
static void test_all_pad(void **unused)
{
	uint8_t rest[200], pad[100] = {0}, p[204];
	struct sink *s = begun(rest);

	(void)unused;
	feed(s, pad, sizeof pad);
	feed(s, pad, AGG_HLEN);
	assert_true(s->rx.open);
	memcpy(header(p, 200), rest, 200);
	feed(s, p, sizeof p);
	assert_int_equal(s->n, 1);
	assert_int_equal(s->lengths[0], 300);
	free(s);

	s = begun(rest);
	s->seq++;
	feed(s, pad, sizeof pad);
	assert_int_equal(s->error, DROP_AGG_LOST);
	assert_int_equal(s->n_aborted, 1);
	free(s);
}

/* BlockOffset without a beginning: skip what is there of it, keep the name of what it was. */
static void test_orphan(void **unused)
{
	struct sink *s = sink_new();
	uint8_t p[200] = {0}, *blocks = header(p, 100);

	(void)unused;
	make_du(blocks + 100, 60, 4, 3);
	feed(s, p, sizeof p);
	assert_int_equal(s->error, DROP_AGG_ORPHAN);
	assert_int_equal(s->n, 1);
	header(p, 60000);
	feed(s, p, sizeof p);
	assert_int_equal(s->error, DROP_AGG_ORPHAN);
	assert_int_equal(s->pieces, 0);
	agg_abort(&s->rx, DROP_AGG_TIMEOUT);
	feed(s, p, sizeof p);
	assert_int_equal(s->error, DROP_AGG_TIMEOUT);
	header(p, 0);
	make_du(blocks, 60, 4, 3);
	feed(s, p, AGG_HLEN + 60); /* a new beginning: what was is forgotten */
	header(p, 60000);
	feed(s, p, sizeof p);
	assert_int_equal(s->error, DROP_AGG_ORPHAN);
	free(s);
}

/* Fragments of one octet each, so that the length field itself is in pieces. */
static void test_runts(void **unused)
{
	for (unsigned family = 4; family <= 6; family += 2) {
		struct sink *s = sink_new();
		uint8_t du[90], p[10];

		(void)unused;
		make_du(du, sizeof du, family, 8);
		for (unsigned i = 0; i < sizeof du; i++) {
			*header(p, i ? (uint16_t)(sizeof du - i) : 0) = du[i];
			feed(s, p, AGG_HLEN + 1);
			assert_int_equal(s->error, NO_DROP);
		}
		assert_int_equal(s->n, 1);
		assert_memory_equal(s->packet, du, sizeof du);

		/* The rest arrives with a length that its beginning contradicts. */
		*header(p, 0) = 0x45;
		feed(s, p, AGG_HLEN + 1);
		memset(header(p, 6), 0, 6);
		feed(s, p, sizeof p);
		assert_int_equal(s->error, DROP_AGG_BLOCK_LENGTH);
		assert_false(s->rx.open);

		/* The next block is said to begin before the length is known. */
		*header(p, 0) = 0x45;
		feed(s, p, AGG_HLEN + 1);
		memset(header(p, 2), 0, 6);
		feed(s, p, sizeof p);
		assert_int_equal(s->error, DROP_AGG_OFFSET);
		assert_false(s->rx.open);
		free(s);
	}
}

/* The longest packets of both families; the second one's rest does not fit BlockOffset. */
static void test_longest(void **unused)
{
	static const struct {
		unsigned family, size;
	} cases[] = {{4, 65535}, {6, AGG_DU_MAX}};

	(void)unused;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sink *s = sink_new();
		uint8_t *du = malloc(ROOM), p[2004];

		make_du(du, cases[i].size, cases[i].family, 8);
		for (unsigned done = 0, n = 10; done < cases[i].size; done += n, n = 2000) {
			unsigned left = cases[i].size - done;

			n = MIN(n, left);
			memcpy(header(p, done ? (uint16_t)MIN(left, 65535u) : 0), du + done, n);
			feed(s, p, AGG_HLEN + n);
			assert_int_equal(s->error, NO_DROP);
		}
		assert_int_equal(s->n, 1);
		assert_int_equal(s->fill, cases[i].size);
		assert_memory_equal(s->packet, du, cases[i].size);
		free(du);
		free(s);
	}
}

/* A flood of beginnings that are never continued holds one packet's state, and each is named. */
static void test_never_finished(void **unused)
{
	struct sink *s = sink_new();
	uint8_t p[104];

	(void)unused;
	make_du(header(p, 0), 100, 4, 1);
	put_be16(p + AGG_HLEN + 2, 60000);
	for (unsigned i = 0; i < 1000; i++) {
		feed(s, p, sizeof p);
		assert_int_equal(s->error, i ? DROP_AGG_OFFSET : NO_DROP);
	}
	assert_int_equal(s->n, 0);
	assert_int_equal(s->n_aborted, 999);
	free(s);
}

/* A payload of one octet repeated, of every value and a range of offsets, always ends. */
static void test_always_advances(void **unused)
{
	uint8_t p[300];
	struct sink *s = sink_new();

	(void)unused;
	for (unsigned octet = 0; octet < 256; octet++)
		for (unsigned offset = 0; offset < 400; offset += 7) {
			memset(p, (int)octet, sizeof p);
			header(p, (uint16_t)offset);
			feed(s, p, sizeof p);
			s->n = 0;
		}
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_congestion_control),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_jumbo),
		cmocka_unit_test(test_continuation),
		cmocka_unit_test(test_all_pad),
		cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_runts),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_never_finished),
		cmocka_unit_test(test_always_advances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
