/* SPDX-License-Identifier: Apache-2.0 */
/* The forwarding table against a list of prefixes; next hops by weight; neighbours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "datapath/fib.h"
#include "lib/hash.h"

static uint64_t seed = 3;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

enum { N_LIST = 300 };

static struct {
	struct ip_prefix prefix;
	uint32_t metric;
} list[N_LIST];
static unsigned n_listed;

/* Few distinct octets, so that prefixes nest. */
static struct ip random_ip(unsigned family)
{
	struct ip ip = {.family = (uint8_t)family};

	for (unsigned i = 0; i < (family == 4 ? 4 : 16); i++)
		ip.octet[i] = (uint8_t)(rnd(4) ? 0 : 0x80 >> rnd(8));
	return ip;
}

static bool covers(const struct ip_prefix *p, const struct ip *ip)
{
	if (p->ip.family != ip->family)
		return false;
	for (unsigned i = 0; i < p->len; i++)
		if ((p->ip.octet[i / 8] ^ ip->octet[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static unsigned listed_at(const struct ip_prefix *p)
{
	unsigned i = 0;

	while (i < n_listed && !(list[i].prefix.len == p->len && covers(p, &list[i].prefix.ip)))
		i++;
	return i;
}

static void change(struct fib *f, uint32_t metric)
{
	unsigned family = rnd(2) ? 4 : 6;
	struct fib_route r = {.metric = metric};
	unsigned at;

	r.prefix.ip = random_ip(family);
	r.prefix.len = (uint8_t)rnd(family == 4 ? 33 : 129);
	if (n_listed && !rnd(3))
		r.prefix = list[rnd(n_listed)].prefix;
	at = listed_at(&r.prefix);
	if (rnd(2)) {
		assert_int_equal(fib_route_del(f, &r.prefix), at < n_listed);
		if (at < n_listed)
			list[at] = list[--n_listed];
	} else if (at < N_LIST) {
		fib_route_set(f, &r);
		list[at].prefix = r.prefix;
		list[at].metric = metric;
		n_listed = at < n_listed ? n_listed : at + 1;
	}
}

static void longest_prefix_wins(void **state)
{
	unsigned found = 0;
	struct fib f;

	(void)state;
	fib_init(&f);
	for (uint32_t round = 1; round <= 20000; round++) {
		change(&f, round);
		for (unsigned i = 0; i < 8; i++) {
			struct ip ip = random_ip(rnd(2) ? 4 : 6);
			const struct fib_route *r = fib_lookup(&f, &ip);
			unsigned best = N_LIST;

			for (unsigned j = 0; j < n_listed; j++)
				if (covers(&list[j].prefix, &ip) &&
				    (best == N_LIST || list[j].prefix.len > list[best].prefix.len))
					best = j;
			assert_int_equal(r != NULL, best < N_LIST);
			if (r) {
				assert_int_equal(r->metric, list[best].metric);
				found++;
			}
		}
		if (!(round % 512))
			rcu_reap();
		if (!(round % 4000)) {
			fib_clear(&f);
			n_listed = 0;
			assert_int_equal(f.lens4 | f.lens6[0] | f.lens6[1] | f.lens6[2], 0);
		}
	}
	assert_true(found > 50000);
	fib_destroy(&f);
	rcu_barrier();
}

static void paths_share_by_weight(void **state)
{
	struct fib_route *r = calloc(1, sizeof *r + 3 * sizeof r->path[0]);
	unsigned n[3] = {0};

	(void)state;
	assert_non_null(r);
	assert_null(fib_path_choose(r, 1));
	r->n_paths = 1;
	assert_ptr_equal(fib_path_choose(r, 0xffffffff), &r->path[0]);
	r->n_paths = 3;
	r->path[0].weight = 1;
	r->path[1].weight = 0; /* counts as 1 */
	r->path[2].weight = 2;
	for (uint32_t hash = 0; hash < 40000; hash++) {
		const struct fib_path *p = fib_path_choose(r, hash);

		assert_ptr_equal(fib_path_choose(r, hash), p);
		n[p - r->path]++;
	}
	assert_in_range(n[0], 9500, 10500);
	assert_in_range(n[1], 9500, 10500);
	assert_in_range(n[2], 19300, 20700);
	free(r);
}

static void neighbours_are_of_an_interface(void **state)
{
	struct fib_neigh n = {.ifindex = 3, .mac = {2, 0, 0, 0, 0, 1}};
	struct fib f;

	(void)state;
	fib_init(&f);
	assert_true(ip_parse("192.0.2.1", &n.ip));
	fib_neigh_set(&f, &n);
	n.ifindex = -1;
	n.mac[5] = 2;
	fib_neigh_set(&f, &n);
	assert_int_equal(fib_neigh_find(&f, &n.ip, 3)->mac[5], 1);
	assert_int_equal(fib_neigh_find(&f, &n.ip, -1)->mac[5], 2);
	n.mac[5] = 9;
	fib_neigh_set(&f, &n);
	assert_int_equal(fib_neigh_find(&f, &n.ip, -1)->mac[5], 9);
	assert_null(fib_neigh_find(&f, &n.ip, 4));
	assert_true(fib_neigh_del(&f, &n.ip, -1));
	assert_false(fib_neigh_del(&f, &n.ip, -1));
	assert_non_null(fib_neigh_find(&f, &n.ip, 3));
	fib_clear(&f);
	assert_null(fib_neigh_find(&f, &n.ip, 3));
	fib_destroy(&f);
	rcu_barrier();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_prefix_wins),
		cmocka_unit_test(paths_share_by_weight),
		cmocka_unit_test(neighbours_are_of_an_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
