/* SPDX-License-Identifier: Apache-2.0 */
/* Groups are changed, ports go down and up, tables of the live are swapped, under a worker that
 * runs packets through them: each packet ends in one bucket or by name, and no memory is read late.
 */
#include "bed.h"

#include <pthread.h>

#include "datapath/group.h"
#include "lib/openflow.h"

enum { ROUNDS = 300, BUCKETS = 8 };

static struct datapath dp;
static struct port port[BUCKETS];
static bool stop;
static uint64_t n_sent;

/* Its buckets send to ports that are not there: no queue is needed. */
static struct group *make(unsigned type, unsigned first)
{
	struct bucket_spec bucket[BUCKETS];
	struct group_spec spec = {
		.id = 1, .type = (uint8_t)type, .n_buckets = BUCKETS - first, .bucket = bucket};
	uint32_t counter[BUCKETS + 1];
	struct group *g;

	counter[0] = 0;
	for (unsigned i = 0; i < spec.n_buckets; i++) {
		char text[32];

		bucket[i] = (struct bucket_spec){
			.weight = 1, .watch_port = 1 + first + i, .watch_group = OFPG_ANY};
		snprintf(text, sizeof text, "output:%u", 1000 + first + i);
		assert_int_equal(actions_parse(text, &bucket[i].actions, NULL), 0);
		counter[1 + i] = 1 + first + i;
	}
	spec.slots = type == OFPGT_SELECT ? group_slots(&spec, 0) : 0;
	g = group_make(&spec, counter);
	for (unsigned i = 0; i < spec.n_buckets; i++)
		buf_free(&bucket[i].actions);
	return g;
}

static void *reader(void *arg)
{
	struct worker *w = dp.worker[0];
	uint8_t frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};

	(void)arg;
	rcu_register();
	for (uint64_t i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		struct pkt *p;

		memcpy(frame + 7, &i, 4);
		p = bed_pkt(w, frame, sizeof frame, sizeof frame);
		assert_int_equal(pkt_parse(w, p), -1);
		group_budget_begin(&w->group_budget);
		group_run(w, p, 1);
		counter_add(&n_sent, 1);
		if (i % 16 == 0)
			rcu_quiescent();
	}
	rcu_unregister();
	return NULL;
}

static void replace(struct group *g)
{
	struct group *old = group_find(&dp, 1);

	group_publish(&dp, g, 0);
	group_settle(g); /* the worker here is of every version */
	if (old)
		group_defer(old);
}

static void test_swap(void **state)
{
	struct worker *w;
	uint64_t ended = 0;
	pthread_t thread;

	(void)state;
	bed_up(&dp, 1);
	w = dp.worker[0];
	for (unsigned i = 0; i < BUCKETS; i++) {
		port[i] = (struct port){.id = i, .ofport = 1 + i, .up = true, .dp = &dp};
		dp.port[i] = &port[i];
		dp.ofport_id[1 + i] = i;
	}
	replace(make(OFPGT_SELECT, 0));
	assert_int_equal(pthread_create(&thread, NULL, reader, NULL), 0);
	for (unsigned round = 0; round < ROUNDS || counter_read(&n_sent) < 20 * ROUNDS; round++) {
		static const uint8_t types[] = {OFPGT_SELECT, OFPGT_SELECT, OFPGT_FF, OFPGT_ALL};

		if (round % 3 == 0)
			replace(make(types[round / 3 % 4], round / 3 % 3));
		__atomic_store_n(&port[round % BUCKETS].up, round / BUCKETS % 2, __ATOMIC_RELAXED);
		group_refresh(&dp, group_find(&dp, 1));
		rcu_reap();
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	rcu_offline();
	pthread_join(thread, NULL);
	rcu_online();
	ended = w->n.dropped[DROP_PORT_GONE] + w->n.dropped[DROP_GROUP_NO_BUCKET];
	assert_int_equal(ended, n_sent + w->n.made[MADE_CLONE]);
	assert_int_equal(w->group[0].packets, n_sent);
	assert_int_equal(w->n_free_pkts, w->n_pkts);
	group_defer(group_find(&dp, 1));
	group_withdraw(&dp, group_find(&dp, 1));
	memset(dp.port, 0, sizeof dp.port);
	datapath_destroy(&dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_swap)};

	rcu_register();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
