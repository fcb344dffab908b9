/* SPDX-License-Identifier: Apache-2.0 */
/* What a sample never holds: an octet of payload, of whatever kind the packet is, however short it
 * was cut, inside a connection and outside. */
#include "tests/unit/sample-bed.h"

/* ---- What it never holds ------------------------------------------------------------------------
 */

/* A header of each kind, and how many octets of it are headers; canaries follow. */
static const struct {
	const char *what;
	uint16_t type;
	uint8_t proto;
	uint16_t frag;
	uint8_t size, l4[60];
	unsigned headers; /* behind Ethernet's */
} shapes[] = {
	{"UDP", 0x800, 17, 0, 8, {0, 1, 0, 2}, 28},
	{"TCP", 0x800, 6, 0, 20, {0, 1, 0, 2, [12] = 0x50, 2}, 40},
	{"TCP options", 0x800, 6, 0, 24, {0, 1, 0, 2, [12] = 0x60, 2, [20] = 2, 4, 5, 180}, 44},
	{"ICMP", 0x800, 1, 0, 8, {8}, 28},
	{"SCTP", 0x800, 132, 0, 12, {0, 1, 0, 2}, 32},
	{"ESP", 0x800, 50, 0, 0, {0}, 20},
	{"unknown", 0x800, 99, 0, 0, {0}, 20},
	{"IP in IP", 0x800, 4, 0, 0, {0}, 20},
	{"first fragment", 0x800, 17, 0x2000, 8, {0, 1, 0, 2}, 28},
	{"later fragment", 0x800, 17, 0x0010, 0, {0}, 20},
	{"IPv6 UDP", 0x86dd, 17, 0, 8, {0, 1, 0, 2}, 48},
	{"IPv6 options", 0x86dd, 60, 0, 16, {17, 0, 1, 4, [8] = 0, 1, 0, 2}, 56},
	{"IPv6 later fragment", 0x86dd, 44, 0, 8, {17, 0, 0, 16}, 48},
	{"neighbour", 0x86dd, 58, 0, 24, {135}, 64},
	{"no IP", 0x88b5, 0, 0, 0, {0}, 0},
	{"MPLS", 0x8847, 0, 0, 4, {0}, 4},
};

static size_t make_shape(unsigned i, uint8_t *f, size_t payload)
{
	size_t l3 = shapes[i].type == 0x800 ? 20 : shapes[i].type == 0x86dd ? 40 : 0;
	size_t n = 14 + l3 + shapes[i].size;

	memset(f, 0, n);
	memcpy(f, lan->mac, 6);
	f[6] = 2;
	put_be16(f + 12, shapes[i].type);
	if (l3 == 20) {
		f[14] = 0x45;
		put_be16(f + 16, (uint16_t)(20 + shapes[i].size + payload));
		put_be16(f + 20, shapes[i].frag);
		f[22] = 64;
		f[23] = shapes[i].proto;
		put_be32(f + 26, 0x0a010001);
		put_be32(f + 30, 0x0a020005);
		sum_ipv4(f + 14);
	} else if (l3) {
		f[14] = 0x60;
		put_be16(f + 18, (uint16_t)(shapes[i].size + payload));
		f[20] = shapes[i].proto;
		f[21] = 64;
		f[22] = f[38] = 0xfd;
	}
	memcpy(f + 14 + l3, shapes[i].l4, shapes[i].size);
	for (size_t at = n; at < n + payload; at++)
		f[at] = (uint8_t)CANARY[(at - n) % 8];
	return n + payload;
}

static unsigned check_canaries(unsigned headers)
{
	const struct sample_record *r;
	unsigned n = 0;

	for (; (r = next_record()); n++) {
		assert_false(has_canary(&r->key, sizeof r->key));
		assert_false(has_canary(r->octet, r->size));
		if (headers != -1u)
			assert_int_equal(r->size, 14 + headers);
	}
	return n;
}

static void test_headers_alone(void **state)
{
	uint8_t f[2000];

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++)
		for (unsigned k = 0; k < 3; k++) {
			static const unsigned payloads[] = {8, 400, 1400};
			size_t n = make_shape(i, f, payloads[k]);

			assert_int_equal(dummy_inject(lan, f, n), 0);
			turn();
			if (check_canaries(shapes[i].headers) != 1)
				fail_msg("%s", shapes[i].what);
		}
	forget_output();
}

/* A transport header that the packet has not all of, and every length that cuts one short. */
static void test_cut_short(void **state)
{
	uint8_t f[2000];

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++) {
		size_t whole = make_shape(i, f, 64);

		/* The IP header says less than there is: the rest is link padding. */
		for (unsigned ip = 20; shapes[i].type == 0x800 && ip < 60; ip++) {
			make_shape(i, f, 64);
			/* Canaries where the header would go on. */
			for (unsigned at = 14 + ip; at < whole; at++)
				f[at] = (uint8_t)CANARY[at % 8];
			put_be16(f + 16, (uint16_t)ip);
			sum_ipv4(f + 14);
			assert_int_equal(dummy_inject(lan, f, whole), 0);
			turn();
			assert_int_equal(check_canaries(-1u), 1);
		}
		for (size_t n = 14; n < whole; n++) {
			make_shape(i, f, 64);
			assert_int_equal(dummy_inject(lan, f, n), 0);
		}
		turn();
		assert_int_equal(check_canaries(-1u), whole - 14);
	}
	forget_output();
}

/* Through a connection and back, whole and spoiled: null encryption hides nothing. */
static void test_canaries_inside(void **state)
{
	static uint8_t frames[64][2000];
	size_t sizes[64];
	unsigned n = 0;
	const struct dummy_frame *d;

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	forget_output();
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++)
		if (shapes[i].type == 0x800 && !shapes[i].frag) {
			uint8_t f[2000];

			assert_int_equal(dummy_inject(lan, f, make_shape(i, f, 500)), 0);
		}
	turn();
	assert_true(check_canaries(-1u) > 6);
	for (; (d = dummy_take(wan)) && n < 64; dummy_release(wan), n++) {
		sizes[n] = d->size;
		memcpy(frames[n], d->octet, d->size);
		assert_true(has_canary(frames[n], sizes[n]));
	}
	assert_true(n > 3);
	for (unsigned spoiled = 2; spoiled--;) {
		for (unsigned i = 0; i < n; i++) {
			frames[i][sizes[i] - 1] ^= 1;
			assert_int_equal(dummy_inject(wan, frames[i], sizes[i]), 0);
		}
		turn();
		assert_true(check_canaries(-1u) >= n);
	}
	forget_output();
}

/* A frame that another packet shares is opened into a fresh one, and then broken off: what stands
 * there are no headers. */
static void test_opened_elsewhere(void **state)
{
	struct batch b = {.n = 1};
	const struct dummy_frame *d;
	uint8_t f[2000];
	struct pkt *p;
	uint32_t frame;

	(void)state;
	sampling(1, SAMPLE_MAX_MAX);
	forget_output();
	assert_int_equal(dummy_inject(lan, f, make_shape(0, f, 600)), 0);
	turn();
	forget_records();
	d = dummy_take(wan);
	p = pkt_new(w, FRAME_HEADROOM);
	assert_non_null(p);
	memcpy(p->data, d->octet, d->size);
	p->data[d->size - 1] ^= 1;
	p->len = p->seg[0].len = (uint16_t)d->size;
	pkt_injected(w, p, wan->id);
	p->flags &= (uint8_t)~PKT_COUNTED; /* as if a port had received it */
	frame = p->seg[0].frame;
	frame_ref(&w->frames, frame);
	b.pkt[0] = p;
	spine_run(w, &b);
	assert_int_equal(w->n.dropped[DROP_ESP_ICV], 1);
	frame_unref(&w->frames, frame);
	assert_int_equal(check_canaries(-1u), 0);
	forget_output();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_headers_alone),
		TEST(test_cut_short),
		TEST(test_canaries_inside),
		TEST(test_opened_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
