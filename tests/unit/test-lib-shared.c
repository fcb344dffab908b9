/* SPDX-License-Identifier: Apache-2.0 */
/* What readers and writers share: RCU, the ring and the map, against twins and with threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "lib/hash.h"
#include "lib/rcu.h"
#include "lib/ring.h"
#include "lib/rmap.h"

/* ------------------------------------------------------------------ RCU */

struct counted {
	struct rcu_head head;
	unsigned *log;
	unsigned nth;
	struct counted *also;
};

static void count(struct rcu_head *head)
{
	struct counted *c = container_of(head, struct counted, head);

	*c->log = *c->log * 10 + c->nth;
	if (c->also)
		rcu_defer(&c->also->head, count);
	free(c);
}

static struct counted *counted(unsigned *log, unsigned nth)
{
	struct counted *c = calloc(1, sizeof *c);

	assert_non_null(c);
	c->log = log;
	c->nth = nth;
	return c;
}

static void deferred_calls_run_in_order(void **state)
{
	struct counted *last;
	unsigned log = 0;

	(void)state;
	rcu_free(NULL);
	rcu_free(malloc(10));
	rcu_reap();
	last = counted(&log, 1);
	last->also = counted(&log, 3);
	last->also->also = counted(&log, 4);
	rcu_defer(&last->head, count);
	rcu_defer(&counted(&log, 2)->head, count);
	assert_int_equal(log, 0);
	rcu_reap();
	assert_int_equal(log, 12); /* what a callback deferred waits for the next one */
	rcu_barrier();
	assert_int_equal(log, 1234);
	rcu_reap();
	assert_int_equal(log, 1234);
}

static void a_registered_caller_waits_for_others_only(void **state)
{
	unsigned log = 0;

	(void)state;
	rcu_register();
	rcu_wait();
	rcu_quiescent();
	rcu_defer(&counted(&log, 4)->head, count);
	rcu_barrier();
	assert_int_equal(log, 4);
	rcu_offline();
	rcu_wait();
	rcu_online();
	rcu_unregister();
	rcu_wait();
}

enum { HELD = 1, RELEASED };

struct holder {
	int step, went_on;
	bool sleep;
};

static void *hold(void *arg)
{
	struct holder *h = arg;

	rcu_register();
	if (h->sleep)
		rcu_offline();
	__atomic_store_n(&h->step, HELD, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&h->step, __ATOMIC_SEQ_CST) != RELEASED)
		sched_yield();
	if (h->sleep)
		rcu_online();
	__atomic_store_n(&h->went_on, 1, __ATOMIC_SEQ_CST);
	rcu_quiescent();
	rcu_unregister();
	return NULL;
}

static void *release_later(void *arg)
{
	struct holder *h = arg;

	for (unsigned i = 0; i < 2000; i++)
		sched_yield();
	__atomic_store_n(&h->step, RELEASED, __ATOMIC_SEQ_CST);
	return NULL;
}

static void hold_until_seen(struct holder *h, pthread_t *thread)
{
	assert_int_equal(pthread_create(thread, NULL, hold, h), 0);
	while (__atomic_load_n(&h->step, __ATOMIC_SEQ_CST) != HELD)
		sched_yield();
}

static void a_wait_lasts_until_readers_are_quiescent(void **state)
{
	struct holder awake = {0}, asleep = {.sleep = true};
	pthread_t a, b, c;

	(void)state;
	hold_until_seen(&asleep, &a);
	rcu_wait(); /* does not wait for one who sleeps */
	assert_int_equal(__atomic_load_n(&asleep.went_on, __ATOMIC_SEQ_CST), 0);
	hold_until_seen(&awake, &b);
	assert_int_equal(pthread_create(&c, NULL, release_later, &awake), 0);
	rcu_wait();
	assert_int_equal(__atomic_load_n(&awake.went_on, __ATOMIC_SEQ_CST), 1);
	release_later(&asleep);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	pthread_join(c, NULL);
}

/* ------------------------------------------------------------------ ring */

static void a_ring_keeps_its_limits(void **state)
{
	struct ring r;
	uint32_t size;
	void *p;

	(void)state;
	assert_int_equal(ring_init(&r, (UINT32_C(1) << 31) + 1), -ENOMEM);
	assert_int_equal(ring_init(&r, 100), 0);
	assert_int_equal(r.size, 128);
	assert_true(ring_empty(&r));
	assert_null(ring_peek(&r, &size));
	ring_release(&r);
	assert_null(ring_reserve(&r, 57));
	assert_null(ring_reserve(&r, UINT32_MAX));
	ring_submit(&r);
	assert_true(ring_empty(&r));

	/* A refusal cancels the reservation before it. */
	assert_non_null(ring_reserve(&r, 56));
	assert_null(ring_reserve(&r, 57));
	ring_submit(&r);
	assert_true(ring_empty(&r));

	/* A reservation that is made again replaces the first; none is published unsubmitted. */
	assert_non_null(ring_reserve(&r, 56));
	p = ring_reserve(&r, 3);
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % 8, 0);
	memcpy(p, "abc", 3);
	assert_true(ring_empty(&r));
	ring_submit(&r);
	assert_false(ring_empty(&r));
	assert_memory_equal(ring_peek(&r, &size), "abc", 3);
	assert_int_equal(size, 3);
	assert_memory_equal(ring_peek(&r, &size), "abc", 3);
	assert_non_null(ring_reserve(&r, 56));
	ring_submit(&r);
	assert_null(ring_reserve(&r, 56));
	ring_submit(&r);
	assert_non_null(ring_reserve(&r, 40)); /* fills it to the last octet */
	ring_submit(&r);
	assert_null(ring_reserve(&r, 0));
	ring_release(&r);
	assert_non_null(ring_peek(&r, &size));
	assert_int_equal(size, 56);
	ring_destroy(&r);
}

/* A queue of sizes and first octets; what a record holds follows from both. */
struct twin {
	struct {
		uint32_t size;
		uint8_t first;
	} record[64];
	unsigned head, tail;
};

static void assert_oldest(struct ring *r, struct twin *t)
{
	uint32_t size;
	const uint8_t *p = ring_peek(r, &size);

	assert_int_equal(ring_empty(r), t->head == t->tail);
	if (t->head == t->tail) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % 8, 0);
	assert_int_equal(size, t->record[t->tail % 64].size);
	for (uint32_t i = 0; i < size; i++)
		assert_int_equal(p[i], (uint8_t)(t->record[t->tail % 64].first + i));
	ring_release(r);
	t->tail++;
}

static void a_ring_equals_a_queue(void **state)
{
	struct twin t = {0};
	unsigned full = 0, done = 0;
	struct ring r;

	(void)state;
	assert_int_equal(ring_init(&r, 256), 0);
	r.head = r.tail = r.reserved = UINT32_MAX - 1023; /* the counts pass 2^32 */
	for (unsigned i = 0; i < 200000; i++) {
		uint32_t size = (uint32_t)random() % 121;
		uint8_t first = (uint8_t)random(), *p;

		if (random() & 1) {
			assert_oldest(&r, &t);
			continue;
		}
		p = ring_reserve(&r, size);
		if (!p) {
			full++;
			assert_true(t.head != t.tail); /* an empty ring takes every size */
			continue;
		}
		for (uint32_t j = 0; j < size; j++)
			p[j] = (uint8_t)(first + j);
		if (random() % 8 == 0)
			continue; /* abandoned */
		ring_submit(&r);
		t.record[t.head % 64].size = size;
		t.record[t.head++ % 64].first = first;
		done++;
	}
	assert_true(full > 1000 && done > 50000);
	while (t.head != t.tail)
		assert_oldest(&r, &t);
	assert_true(ring_empty(&r));
	ring_destroy(&r);
}

enum { N_RECORDS = 100000 };

static void *produce(void *arg)
{
	struct ring *r = arg;

	for (uint32_t i = 0; i < N_RECORDS;) {
		uint32_t size = 4 + i * 7 % 90;
		uint8_t *p = ring_reserve(r, size);

		if (!p) {
			sched_yield();
			continue;
		}
		memset(p, (int)(i & 0xff), size);
		memcpy(p, &i, 4);
		ring_submit(r);
		i++;
	}
	return NULL;
}

static void a_ring_carries_between_threads(void **state)
{
	pthread_t thread;
	struct ring r;

	(void)state;
	assert_int_equal(ring_init(&r, 1024), 0);
	assert_int_equal(pthread_create(&thread, NULL, produce, &r), 0);
	for (uint32_t i = 0; i < N_RECORDS;) {
		uint32_t size, got;
		const uint8_t *p = ring_peek(&r, &size);

		if (!p) {
			sched_yield();
			continue;
		}
		memcpy(&got, p, 4);
		assert_int_equal(got, i);
		assert_int_equal(size, 4 + i * 7 % 90);
		if (size > 4)
			assert_int_equal(p[size - 1], i & 0xff);
		ring_release(&r);
		i++;
	}
	pthread_join(thread, NULL);
	assert_true(ring_empty(&r));
	ring_destroy(&r);
}

/* ------------------------------------------------------------------ map */

struct thing {
	struct rmap_node node;
	uint32_t key;
	uint32_t check; /* ~key while it lives */
	struct rcu_head head;
};

enum { N_KEYS = 3000 };

/* Few hashes for the high keys, so that entries share them, and one at the end of any table. */
static uint32_t hash_of(uint32_t key)
{
	return key < 2000 ? hash_finish(key) : key < 2500 ? UINT32_MAX : key % 7;
}

static struct thing *thing(uint32_t key)
{
	struct thing *t = calloc(1, sizeof *t);

	assert_non_null(t);
	t->key = key;
	t->check = ~key;
	return t;
}

static struct thing *lookup(const struct rmap *m, uint32_t key)
{
	struct rmap_node *n;

	RMAP_FOR_EACH (n, m, hash_of(key)) {
		struct thing *t = container_of(n, struct thing, node);

		if (t->key == key)
			return t;
	}
	return NULL;
}

static void assert_same(const struct rmap *m, struct thing *const *twin)
{
	uint32_t position = 0, n = 0;
	struct rmap_node *node;

	for (uint32_t key = 0; key < N_KEYS; key++) {
		assert_ptr_equal(lookup(m, key), twin[key]);
		n += !!twin[key];
	}
	assert_int_equal(m->n, n);
	while ((node = rmap_each(m, &position))) {
		struct thing *t = container_of(node, struct thing, node);

		assert_ptr_equal(twin[t->key], t);
		n--;
	}
	assert_int_equal(n, 0);
	assert_true(!m->n || (uint64_t)m->n_used * 4 <= ((uint64_t)m->slots->mask + 1) * 3);
}

/* One step of a random walk; `fill_up` is the chance in 4 that an absent key is inserted. */
static void step(struct rmap *m, struct thing **twin, long fill_up)
{
	uint32_t key = (uint32_t)random() % N_KEYS;
	struct thing *t = twin[key];

	assert_ptr_equal(lookup(m, key), t);
	if (!t && random() % 4 < fill_up) {
		twin[key] = thing(key);
		rmap_insert(m, &twin[key]->node, hash_of(key));
	} else if (t && random() % 3 == 0) {
		twin[key] = thing(key);
		rmap_replace(m, &t->node, &twin[key]->node);
		rcu_free(t);
	} else if (t && random() % 4 >= fill_up) {
		rmap_remove(m, &t->node);
		rcu_free(t);
		twin[key] = NULL;
	}
	assert_ptr_equal(lookup(m, key), twin[key]);
}

static void a_map_equals_an_array(void **state)
{
	static struct thing *twin[N_KEYS];
	uint32_t position = 0, most;
	struct rmap_node *node;
	struct rmap m;

	(void)state;
	rmap_init(&m);
	assert_same(&m, twin);
	for (unsigned i = 0; i < 40000; i++) {
		step(&m, twin, i < 20000 ? 3 : 1);
		if (i % 5000 == 0)
			assert_same(&m, twin);
	}
	assert_same(&m, twin);
	most = m.slots->mask;
	assert_true(most >= 1023);
	while ((node = rmap_each(&m, &position))) {
		struct thing *t = container_of(node, struct thing, node);

		rmap_remove(&m, node);
		twin[t->key] = NULL;
		free(t);
	}
	assert_int_equal(m.n, 0);
	assert_same(&m, twin);
	/* Inserts and removes alone do not let it grow. */
	for (unsigned i = 0; i < 10000; i++) {
		struct thing *t = thing(i % N_KEYS);

		rmap_insert(&m, &t->node, hash_of(t->key));
		rmap_remove(&m, &t->node);
		rcu_free(t);
	}
	assert_true(m.slots->mask <= 15);
	rmap_destroy(&m);
	assert_null(lookup(&m, 1));
	rcu_barrier();
}

/* A reader that has passed a slot finds what is inserted behind it, even where a slot before it
 * has become free meanwhile. */
static void a_probe_finds_what_took_a_place(void **state)
{
	struct thing first = {.key = 1}, old = {.key = 2}, fresh = {.key = 2};
	struct rmap_cursor c;
	struct rmap m;

	(void)state;
	rmap_init(&m);
	rmap_insert(&m, &first.node, 5);
	rmap_insert(&m, &old.node, 5);
	c = rmap_find(&m, 5);
	assert_ptr_equal(rmap_next(&c, 5), &first.node);
	rmap_remove(&m, &first.node);
	rmap_insert(&m, &fresh.node, 5);
	rmap_remove(&m, &old.node);
	assert_ptr_equal(rmap_next(&c, 5), &fresh.node);
	assert_null(rmap_next(&c, 5));
	rmap_destroy(&m);
	rcu_barrier();
}

/* The keys below N_STABLE are always in the map, replaced now and then; a reader never misses
 * one, and never sees one that has ended. */
enum { N_STABLE = 64, N_CHURN = 1000, N_ROUNDS = 300 };

struct shared {
	struct rmap map;
	int stop;
	uint64_t n_missed, n_ended, n_seen;
};

static void end_thing(struct rcu_head *head)
{
	struct thing *t = container_of(head, struct thing, head);

	t->check = 0;
	free(t);
}

static void *read_map(void *arg)
{
	struct shared *s = arg;

	rcu_register();
	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		for (uint32_t key = 0; key < N_STABLE + N_CHURN; key += key < N_STABLE ? 1 : 13) {
			struct thing *t = lookup(&s->map, key);

			s->n_missed += key < N_STABLE && !t;
			s->n_ended += t && t->check != ~key;
			counter_add(&s->n_seen, !!t);
		}
		rcu_quiescent();
	}
	rcu_unregister();
	return NULL;
}

static void churn(struct rmap *m)
{
	for (uint32_t key = 0; key < N_STABLE; key++) {
		struct thing *old = lookup(m, key), *fresh = thing(key);

		if (key & 1) {
			rmap_replace(m, &old->node, &fresh->node);
		} else {
			rmap_insert(m, &fresh->node, hash_of(key));
			rmap_remove(m, &old->node);
		}
		rcu_defer(&old->head, end_thing);
	}
	for (uint32_t key = N_STABLE; key < N_STABLE + N_CHURN; key++) {
		struct thing *old = lookup(m, key), *fresh;

		if (old) {
			rmap_remove(m, &old->node);
			rcu_defer(&old->head, end_thing);
		} else if (random() & 1) {
			fresh = thing(key);
			rmap_insert(m, &fresh->node, hash_of(key));
		}
	}
}

static void a_reader_never_misses_what_is_there(void **state)
{
	struct shared s = {0};
	struct rmap_node *node;
	uint32_t position = 0;
	pthread_t thread;

	(void)state;
	rmap_init(&s.map);
	for (uint32_t key = 0; key < N_STABLE; key++)
		rmap_insert(&s.map, &thing(key)->node, hash_of(key));
	assert_int_equal(pthread_create(&thread, NULL, read_map, &s), 0);
	while (!counter_read(&s.n_seen))
		sched_yield();
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		churn(&s.map);
		rcu_reap();
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(s.n_missed, 0);
	assert_int_equal(s.n_ended, 0);
	while ((node = rmap_each(&s.map, &position)))
		free(container_of(node, struct thing, node));
	rmap_destroy(&s.map);
	rcu_barrier();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deferred_calls_run_in_order),
		cmocka_unit_test(a_registered_caller_waits_for_others_only),
		cmocka_unit_test(a_wait_lasts_until_readers_are_quiescent),
		cmocka_unit_test(a_ring_keeps_its_limits),
		cmocka_unit_test(a_ring_equals_a_queue),
		cmocka_unit_test(a_ring_carries_between_threads),
		cmocka_unit_test(a_map_equals_an_array),
		cmocka_unit_test(a_probe_finds_what_took_a_place),
		cmocka_unit_test(a_reader_never_misses_what_is_there),
	};

	srandom(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
