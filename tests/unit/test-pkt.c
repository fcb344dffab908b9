/* SPDX-License-Identifier: Apache-2.0 */
/* Packets: sharing, owning, opening room, and every frame at home afterwards. */
#include "lib/hash.h"
#include "tests/unit/bed.h"

static struct datapath dp;
static uint8_t octets[65000];

static int up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)(i * 7 + (i >> 8));
	bed_up(&dp, 1);
	return 0;
}

static int down(void **state)
{
	(void)state;
	bed_all_home(dp.worker[0]);
	datapath_destroy(&dp);
	return 0;
}

static void own_leaves_a_sole_user_alone(void **state)
{
	struct worker *w = dp.worker[0];
	struct pkt *p = bed_pkt(w, octets, 1000, 3000);
	uint8_t *at = p->data;

	(void)state;
	assert_int_equal(pkt_own(w, p, 100, 64), 0);
	assert_ptr_equal(p->data, at);
	assert_int_equal(pkt_own(w, p, 1001, 0), -EINVAL);
	pkt_free(w, p);
}

static void own_copies_what_is_shared(void **state)
{
	struct worker *w = dp.worker[0];
	struct pkt *p = bed_pkt(w, octets, 1000, 3000), *c = pkt_clone(w, p);

	(void)state;
	assert_int_equal(counter_read(&w->n.made[MADE_CLONE]), 1);
	assert_int_equal(pkt_own(w, c, 100, 0), 0);
	memset(c->data, 0xee, 100);
	bed_bytes(w, p, octets, 1000);
	assert_int_equal(c->n_segs, 2);
	assert_int_equal(c->seg[0].len, PKT_HEADERS);
	pkt_free(w, p);
	assert_int_equal(c->len, 1000);
	assert_int_equal(c->data[100], octets[100]);
	pkt_free(w, c);
}

/* A copy has a record of its own as well: it outlives the packet that it was copied from. */
static void a_clone_keeps_its_record(void **state)
{
	struct worker *w = dp.worker[0];
	struct pkt *p = bed_pkt(w, octets, 1000, 3000), *c;

	(void)state;
	pkt_outer_begin(p, 5)->key.vlan_vid = 7;
	c = pkt_clone(w, p);
	pkt_free(w, p);
	p = bed_pkt(w, octets, 1000, 3000);
	pkt_outer_begin(p, 6);
	assert_int_equal(c->outer->key.vlan_vid, 7);
	assert_int_equal(c->outer->rx_ns, 5);
	pkt_free(w, p);
	pkt_free(w, c);
}

/* Headers pushed in front move others beyond PKT_HEADERS: what was asked for is owned all the same.
 */
static void own_beyond_headers(void **state)
{
	struct worker *w = dp.worker[0];
	struct pkt *p = bed_pkt(w, octets, 1000, 3000), *c = pkt_clone(w, p);
	uint8_t expected[1000];

	(void)state;
	assert_int_equal(pkt_own(w, c, 300, 0), 0);
	assert_int_equal(c->seg[0].len, 300);
	memset(c->data, 0xee, 300);
	pkt_free(w, p);
	memset(expected, 0xee, 300);
	memcpy(expected + 300, octets + 300, 700);
	bed_bytes(w, c, expected, 1000);
	pkt_free(w, c);
}

static void push_opens_room(void **state)
{
	struct worker *w = dp.worker[0];
	struct pkt *p = bed_pkt(w, octets + 40, 500, 3000), *c = pkt_clone(w, p);
	uint8_t *at;

	(void)state;
	p->l3 = 14;
	at = pkt_push(w, p, 40);
	assert_non_null(at);
	memcpy(at, octets, 40);
	bed_bytes(w, p, octets, 540);
	assert_int_equal(p->l3, 54);
	bed_bytes(w, c, octets + 40, 500);
	pkt_pull(p, 40);
	bed_bytes(w, p, octets + 40, 500);
	assert_int_equal(p->l3, 14);
	pkt_free(w, p);
	pkt_free(w, c);
}

/* Headroom used up: the head moves to a frame of its own. */
static void push_beyond_headroom(void **state)
{
	struct worker *w = dp.worker[0];
	struct pkt *p = bed_pkt(w, octets + 400, 600, 3000);

	(void)state;
	for (int from = 380; from >= 0; from -= 20)
		memcpy(pkt_push(w, p, 20), octets + from, 20);
	bed_bytes(w, p, octets, 1000);
	pkt_free(w, p);
}

static void linearise(void **state)
{
	struct worker *w = dp.worker[0];
	struct pkt *p = bed_pkt(w, octets, 3000, 200);

	(void)state;
	assert_int_equal(p->n_segs, 15);
	assert_int_equal(pkt_linearise(w, p, 1), 0);
	assert_int_equal(p->n_segs, 1);
	bed_bytes(w, p, octets, 3000);
	pkt_free(w, p);
	p = bed_pkt(w, octets, sizeof octets, 3840);
	assert_int_equal(pkt_linearise(w, p, 3), -ENOSPC);
	bed_bytes(w, p, octets, sizeof octets);
	pkt_free(w, p);
}

static void ends_are_counted(void **state)
{
	struct worker *w = dp.worker[0];

	(void)state;
	drop(w, bed_pkt(w, octets, 60, 60), DROP_RULE);
	consume(w, bed_pkt(w, octets, 60, 60), CONSUME_PAD);
	assert_int_equal(counter_read(&w->n.dropped[DROP_RULE]), 1);
	assert_int_equal(counter_read(&w->n.consumed[CONSUME_PAD]), 1);
	assert_string_equal(drop_reasons[DROP_RULE].name, "rule");
}

/* Out of frames: nothing changes, nothing is lost. */
static void out_of_frames(void **state)
{
	struct worker *w = dp.worker[0];
	struct pkt *p = bed_pkt(w, octets, 1000, 3000), *c = pkt_clone(w, p);
	uint32_t taken = 0, *frames = calloc(w->frames.n_total, sizeof *frames);

	(void)state;
	while ((frames[taken] = frame_alloc(&w->frames)) != FRAME_NONE)
		taken++;
	assert_int_equal(pkt_own(w, c, 100, 0), -ENOMEM);
	assert_null(pkt_push(w, c, 20));
	assert_null(pkt_new(w, 0));
	bed_bytes(w, c, octets, 1000);
	while (taken)
		frame_unref(&w->frames, frames[--taken]);
	free(frames);
	pkt_free(w, p);
	pkt_free(w, c);
}

/* What strangers send is hashed by a seed they cannot know; a run of packets' time repeats. */
static void seed_is_random(void **state)
{
	const struct datapath_config offline = {.n_workers = 1, .n_frames = 64, .offline = true},
				     online = {.n_workers = 1, .n_frames = 64};
	static struct datapath other;
	uint64_t seed = hash_seed;

	(void)state;
	assert_int_equal(datapath_init(&other, &offline), 0);
	assert_true(hash_seed == seed);
	datapath_destroy(&other);
	assert_int_equal(datapath_init(&other, &online), 0);
	assert_true(hash_seed != seed);
	datapath_destroy(&other);
	hash_seed = seed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seed_is_random),
		cmocka_unit_test(own_leaves_a_sole_user_alone),
		cmocka_unit_test(own_copies_what_is_shared),
		cmocka_unit_test(a_clone_keeps_its_record),
		cmocka_unit_test(own_beyond_headers),
		cmocka_unit_test(push_opens_room),
		cmocka_unit_test(push_beyond_headroom),
		cmocka_unit_test(linearise),
		cmocka_unit_test(ends_are_counted),
		cmocka_unit_test(out_of_frames),
	};

	return cmocka_run_group_tests(tests, up, down);
}
