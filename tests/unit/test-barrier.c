/* SPDX-License-Identifier: Apache-2.0 */
/* Ten thousand flow-mods and one barrier: when it is answered they are in effect in every worker,
 * and there after a restart.  Workers run on their threads and have the old verdicts in their
 * caches; whatever is sent from within the answer meets the new rules. */
#include <time.h>

#include "store-dir.h"

enum { WORKERS = 4, FLOWS = 10000 };

struct bed {
	struct ofproto *o;
	struct port *in, *out[2];
};

static struct bed bed_up(void)
{
	static const int cpus[WORKERS] = {-1, -1, -1, -1};
	const struct ofproto_config config = {.db = file, .n_workers = WORKERS, .cpus = cpus};
	struct refusal r = {0};
	struct bed b = {.o = ofproto_create(&config, &r)};

	if (!b.o)
		fail_msg("%s", r.text);
	return b;
}

static void bed_ports(struct bed *b)
{
	uint32_t seen = 0;

	b->in = switch_port(b->o, "in type=dummy queues=4");
	b->out[0] = switch_port(b->o, "p2 type=dummy queues=4");
	b->out[1] = switch_port(b->o, "p3 type=dummy queues=4");
	for (unsigned i = 0; i < WORKERS; i++)
		seen |= 1u << b->in->queue[i].owner;
	assert_int_equal(seen, (1u << WORKERS) - 1); /* each has a queue of it */
}

/* UDP from port `i` + 1. */
static void inject(struct bed *b, unsigned queue, unsigned i)
{
	uint8_t f[60] = {2, 0, 0,  0,  0,    9,    2,  0, 0, 0, 0,  8, 8, 0, 0x45, 0, 0, 46, 0, 0,
			 0, 0, 64, 17, 0x66, 0xbd, 10, 0, 0, 1, 10, 0, 0, 2, 0,    0, 0, 9,  0, 26};

	put_be16(f + 34, (uint16_t)(i + 1));
	assert_int_equal(dummy_inject_queue(b->in, queue, f, sizeof f), 0);
}

/* A worker that has just begun has no room yet for what others hand to it. */
static uint64_t not_handed(const struct bed *b)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		n += counter_read(&ofproto_datapath(b->o)->worker[i]->n.dropped[DROP_HANDOFF_FULL]);
	return n;
}

/* Of one flow, through one worker. */
static void check_one(struct bed *b, unsigned queue, unsigned i, unsigned way)
{
	bool there = false;

	for (time_t end = time(NULL) + 60; !there; assert_true(time(NULL) < end)) {
		uint64_t lost = not_handed(b);

		inject(b, queue, i);
		while (!there && not_handed(b) == lost && time(NULL) < end) {
			there = switch_taken(b->out[way]);
			assert_int_equal(switch_taken(b->out[!way]), 0);
		}
	}
}

/* Some of the flows, through each worker: all leave by `way`, none by the other. */
static void check(struct bed *b, unsigned way)
{
	for (unsigned i = 0; i < FLOWS; i += 311)
		for (unsigned q = 0; q < WORKERS; q++)
			check_one(b, q, i, way);
}

struct barrier {
	struct waiter waiter;
	struct bed *b;
	unsigned way;
	bool done;
};

/* Where the reply would be written. */
static void answered(struct waiter *w, int error, const struct refusal *r)
{
	struct barrier *barrier = container_of(w, struct barrier, waiter);

	(void)r;
	assert_int_equal(error, 0);
	check(barrier->b, barrier->way);
	barrier->done = true;
}

static void all_flows(struct bed *b, uint8_t command, unsigned way)
{
	struct barrier barrier = {.waiter.done = answered, .b = b, .way = way};
	char text[96];

	for (unsigned i = 0; i < FLOWS; i++) {
		snprintf(text, sizeof text, "%sudp,tp_src=%u actions=output:%s",
			 command == OFPFC_MODIFY ? "strict " : "", i + 1, way ? "p3" : "p2");
		switch_flow(b->o, command, text);
	}
	assert_false(barrier.done);
	ofproto_barrier(b->o, &barrier.waiter);
	assert_int_equal(ofproto_sync(b->o, NULL), 0);
	assert_true(barrier.done);
}

static void test_in_effect(void **state)
{
	struct bed b = bed_up();
	struct refusal r = {0};
	struct barrier again = {.waiter.done = answered, .b = &b};

	(void)state;
	bed_ports(&b);
	switch_flow(b.o, OFPFC_DELETE, "");
	all_flows(&b, OFPFC_ADD, 0);
	all_flows(&b, OFPFC_MODIFY, 1);
	all_flows(&b, OFPFC_ADD, 0); /* takes their place */
	/* A rule above them all is in their way at once, for flows that workers know. */
	switch_flow(b.o, OFPFC_ADD, "priority=40000,ip actions=output:p3");
	again.way = 1;
	ofproto_barrier(b.o, &again.waiter);
	assert_int_equal(ofproto_sync(b.o, &r), 0);
	assert_true(again.done);
	ofproto_destroy(b.o);
	/* In effect before the first packet. */
	b = bed_up();
	b.in = ofproto_port(b.o, "in");
	b.out[0] = ofproto_port(b.o, "p2");
	b.out[1] = ofproto_port(b.o, "p3");
	check(&b, 1);
	ofproto_destroy(b.o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_effect, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
