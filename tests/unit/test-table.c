/* SPDX-License-Identifier: Apache-2.0 */
/* The rule table against a list: random rules over a few masks and small values, so that they
 * overlap and chain; inserted, replaced, removed and given up in versions, looked up in the
 * published version, in the one before and in the one to come.  And with threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "datapath/table.h"

static uint64_t seed = 1;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

enum { N_MASKS = 14, LIST = 600 };

struct listed {
	struct rule *rule;
	struct match match;
};

static struct table *table;
static struct listed list[LIST];
static unsigned n_listed;
static uint64_t version;

/* Mask number `n`: which of a few fields take part, some of them only by their low bit. */
static struct match random_match(unsigned n)
{
	struct match m = {0};

	if (n & 1) {
		m.mask.du.in_port = 0xffffffff;
		m.value.du.in_port = rnd(3);
	}
	if (n & 2) {
		memset(m.mask.du.ip_src, n & 8 ? 1 : 0xff, 4);
		memset(m.value.du.ip_src, (int)rnd(2), 4);
	}
	if (n & 4) {
		m.mask.outer.esp_spi = n & 8 ? 2 : 0xffffffff;
		m.value.outer.esp_spi = rnd(2) * 2;
	}
	return m;
}

static void random_key(struct key *k)
{
	memset(k, 0, sizeof *k);
	k->du.in_port = rnd(3);
	memset(k->du.ip_src, (int)rnd(2), 4);
	k->outer.esp_spi = rnd(4);
	k->du.reg[7] = rnd(1000); /* asked for by nobody */
}

static void insert(struct match m, int32_t priority)
{
	static uint32_t id;
	struct rule *r = rule_create(&m, priority, id++ % RULE_IDS, NULL);

	r->add_version = version + 1;
	table_insert(table, r, &m);
	list[n_listed++] = (struct listed){r, m};
}

static struct listed *random_live(void)
{
	struct listed *l = n_listed ? &list[rnd(n_listed)] : NULL;

	return l && l->rule->remove_version == VERSION_NEVER ? l : NULL;
}

static void change(void)
{
	struct listed *l = random_live();

	switch (rnd(4)) {
	case 0:
		if (l)
			rcu_set(l->rule->remove_version, version + 1);
		break;
	case 1:
		if (l && n_listed < LIST) {
			rcu_set(l->rule->remove_version, version + 1);
			insert(l->match, l->rule->priority);
		}
		break;
	default:
		if (n_listed < LIST) {
			struct match m = random_match(rnd(N_MASKS));

			insert(m, (int32_t)rnd(20));
		}
	}
}

/* Takes out what no version from `v` on can see. */
static void forget(bool failed)
{
	for (unsigned i = 0; i < n_listed;) {
		struct rule *r = list[i].rule;

		if (failed && r->remove_version == version + 1)
			rcu_set(r->remove_version, VERSION_NEVER);
		if (failed ? r->add_version > version : r->remove_version <= version) {
			table_remove(table, r);
			rule_destroy(r);
			list[i] = list[--n_listed];
		} else {
			i++;
		}
	}
}

static bool hits(const struct match *m, const struct key *k)
{
	const uint64_t *value = (const void *)&m->value, *mask = (const void *)&m->mask;
	const uint64_t *key = (const void *)k;

	for (unsigned i = 0; i < KEY_WORDS; i++)
		if ((key[i] & mask[i]) != value[i])
			return false;
	return true;
}

static const struct rule *twin(const struct key *k, uint64_t at)
{
	const struct rule *best = NULL;

	for (unsigned i = 0; i < n_listed; i++) {
		const struct rule *r = list[i].rule;

		if (r->add_version > at || r->remove_version <= at || !hits(&list[i].match, k))
			continue;
		if (!best || r->priority > best->priority ||
		    (r->priority == best->priority &&
		     (r->add_version < best->add_version ||
		      (r->add_version == best->add_version && r->id < best->id))))
			best = r;
	}
	return best;
}

static unsigned look(uint64_t at, unsigned times)
{
	unsigned found = 0;

	while (times--) {
		struct key k;
		struct key_view view = key_view_of(&k.du, &k.outer);
		const struct rule *r;

		random_key(&k);
		r = twin(&k, at);
		assert_ptr_equal(table_lookup(table, &(struct probe){.key = view, .version = at}),
				 r);
		assert_ptr_equal(
			table_lookup_linear(table, &(struct probe){.key = view, .version = at}), r);
		found += r != NULL;
	}
	return found;
}

/* A table's life, emptied now and then, from a seed; returns how often there was a rule. */
static unsigned life(uint64_t from)
{
	unsigned found = 0;

	seed = from;
	table = table_create();
	version = 1;
	for (unsigned round = 0; round < 1500; round++) {
		for (unsigned i = rnd(12); i-- > 0;)
			change();
		found += look(version, 16);
		if (!rnd(5)) {
			forget(true); /* the commit failed */
			found += look(version, 8);
			continue;
		}
		version++;
		found += look(version - 1, 12); /* a batch that began before */
		found += look(version, 8);
		forget(false);
		found += look(version, 16);
		assert_int_equal(table_n_rules(table), n_listed);
		if (!(round % 64))
			rcu_barrier();
		if (!rnd(40)) {
			while (n_listed) {
				table_remove(table, list[--n_listed].rule);
				rule_destroy(list[n_listed].rule);
			}
			assert_int_equal(table_n_masks(table), 0);
		}
	}
	table_destroy(table);
	n_listed = 0;
	rcu_barrier();
	return found;
}

static void table_equals_a_list(void **state)
{
	unsigned found = 0;

	(void)state;
	for (uint64_t n = 1; n <= 12; n++)
		found += life(n);
	assert_true(found > 12 * 30000);
}

/* Some thousands of one mask and value: the first visible one is the best. */
static void chains_are_in_order(void **state)
{
	struct match m = {.mask.du.in_port = 0xffffffff, .value.du.in_port = 7};
	struct du_key du = {.in_port = 7};
	struct outer_key outer = {0};
	struct key_view view = key_view_of(&du, &outer);
	enum { N = 4000 };
	static struct rule *rule[N];

	(void)state;
	table = table_create();
	for (unsigned i = 0; i < N; i++) {
		rule[i] = rule_create(&m, (int32_t)(i * 17 % N), i, NULL);
		table_insert(table, rule[i], &m);
	}
	assert_int_equal(table_n_masks(table), 1);
	for (int32_t best = N - 1; best >= 0; best--) {
		const struct rule *r =
			table_lookup(table, &(struct probe){.key = view, .version = 0});

		assert_int_equal(r->priority, best);
		table_remove(table, rule[r->id]);
		rule_destroy(rule[r->id]);
	}
	assert_null(table_lookup(table, &(struct probe){.key = view, .version = 0}));
	assert_int_equal(table_n_masks(table), 0);
	table_destroy(table);
	rcu_barrier();
}

/* A rule of one word, alone in the table. */
static void only_rule_is_found(unsigned word)
{
	struct match m = {0};
	struct key k = {0};
	struct key_view view = key_view_of(&k.du, &k.outer);
	struct rule *r;

	((uint64_t *)&m.mask)[word] = 0xffffffff;
	((uint64_t *)&m.value)[word] = 5;
	r = rule_create(&m, 1, 0, NULL);
	table_insert(table, r, &m);
	for (unsigned i = 0; i < KEY_WORDS; i++)
		((uint64_t *)&k)[i] = i == word ? 5 : 1000 + i;
	assert_ptr_equal(table_lookup(table, &(struct probe){.key = view, .version = 0}), r);
	table_remove(table, r);
	rule_destroy(r);
}

/* What the rules before looked at is forgotten when the last of them has gone. */
static void a_table_begins_anew(void **state)
{
	(void)state;
	table = table_create();
	for (unsigned word = 0; word < OUTER_WORD + OUTER_WORDS; word++)
		if (word % OUTER_WORD < (word < OUTER_WORD ? DU_WORDS : OUTER_WORDS))
			only_rule_is_found(word);
	table_destroy(table);
	rcu_barrier();
}

static void the_miss_entry_is_known(void **state)
{
	struct match any = {0}, some = {.mask.du.in_port = 1};
	struct rule *r[3] = {rule_create(&any, 0, 0, NULL), rule_create(&any, 1, 1, NULL),
			     rule_create(&some, 0, 2, NULL)};

	(void)state;
	table = table_create();
	table_insert(table, r[0], &any);
	table_insert(table, r[1], &any);
	table_insert(table, r[2], &some);
	assert_true(rule_is_miss(r[0]));
	assert_false(rule_is_miss(r[1]));
	assert_false(rule_is_miss(r[2]));
	table_destroy(table);
	rcu_barrier();
}

/* One writer publishes; in every version exactly one rule of priority 2 matches the key, and one of
 * priority 1 beneath it, in another mask, all the time.  Readers must find the former. */
#ifdef SLUICE_TSAN
enum { VERSIONS = 300 };
#else
enum { VERSIONS = 3000 };
#endif

static struct {
	struct table *table;
	uint64_t version;
	unsigned started; /* readers that look */
	bool stop;
} shared;

static void *reader(void *arg)
{
	struct du_key du = {.in_port = 5, .reg = {1, 2, 3}};
	struct outer_key outer = {0};
	struct key_view view = key_view_of(&du, &outer);
	uint64_t *n = arg;

	rcu_register();
	__atomic_fetch_add(&shared.started, 1, __ATOMIC_RELAXED);
	while (!*n || !__atomic_load_n(&shared.stop, __ATOMIC_RELAXED)) {
		uint64_t at = rcu_get(shared.version);

		for (unsigned i = 0; i < 8; i++, ++*n) {
			const struct rule *r = table_lookup(
				shared.table, &(struct probe){.key = view, .version = at});

			if (!r || r->priority != 2 || r->id != at % 4)
				abort();
		}
		rcu_quiescent();
	}
	rcu_unregister();
	return NULL;
}

static struct rule *shared_insert(const struct match *m, int32_t priority, uint64_t at)
{
	struct rule *r = rule_create(m, priority, (uint32_t)(at % 4), NULL);

	r->add_version = at;
	table_insert(shared.table, r, m);
	return r;
}

static void readers_see_whole_versions(void **state)
{
	static const uint32_t masks[3] = {0xffffffff, 0xffff, 7};
	struct match low = {.mask.du.reg[1] = 3, .value.du.reg[1] = 2};
	struct rule *old, *fresh;
	uint64_t n[2] = {0};
	pthread_t thread[2];

	(void)state;
	shared.table = table_create();
	shared.version = 1;
	shared_insert(&low, 1, 0);
	old = shared_insert(&low, 2, 1);
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, reader, &n[i]);
	while (__atomic_load_n(&shared.started, __ATOMIC_RELAXED) < 2)
		sched_yield();
	for (uint64_t v = 2; v < VERSIONS; v++) {
		struct match m = {0}, noise = {.mask.du.reg[2] = 0xffffffff};
		struct rule *other, *unborn;

		m.mask.du.in_port = masks[v % 3];
		m.value.du.in_port = 5 & m.mask.du.in_port;
		noise.value.du.reg[2] = (uint32_t)v;
		fresh = shared_insert(v % 5 ? &m : &low, 2, v);
		unborn = shared_insert(&m, 3, v + 1);
		other = shared_insert(&noise, (int32_t)(v % 9), v);
		rcu_set(other->remove_version, v);
		rcu_set(old->remove_version, v);
		table_remove(shared.table, unborn);
		rcu_set(shared.version, v);
		rcu_wait();
		table_remove(shared.table, old);
		table_remove(shared.table, other);
		rcu_wait();
		rule_destroy(old);
		rule_destroy(other);
		rule_destroy(unborn);
		rcu_reap();
		old = fresh;
	}
	__atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_true(n[0] && n[1]);
	table_destroy(shared.table);
	rcu_barrier();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_equals_a_list),
		cmocka_unit_test(chains_are_in_order),
		cmocka_unit_test(a_table_begins_anew),
		cmocka_unit_test(the_miss_entry_is_known),
		cmocka_unit_test(readers_see_whole_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
