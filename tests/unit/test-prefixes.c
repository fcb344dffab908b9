/* SPDX-License-Identifier: Apache-2.0 */
/* The longest prefix of an address, against the prefixes one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "datapath/prefixes.h"
#include "tests/unit/random.h"

enum { N = 40 };

struct prefix {
	uint8_t value[PREFIX_OCTETS], mask[PREFIX_OCTETS];
	unsigned bits;
};

static unsigned bit_of(const uint8_t *address, unsigned bit)
{
	return address[bit / 8] >> (7 - bit % 8) & 1;
}

static bool begin_alike(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++)
		if (bit_of(a, i) != bit_of(b, i))
			return false;
	return true;
}

static bool is_in(const uint8_t *address, const struct prefix *p)
{
	return begin_alike(address, p->value, p->bits);
}

/* Few different octets, so that prefixes meet. */
static void random_address(uint8_t *address, unsigned octets)
{
	memset(address, 0, PREFIX_OCTETS);
	for (unsigned i = 0; i < octets; i++)
		address[i] = (uint8_t)(rnd() % 4 ? 10 + rnd() % 3 : rnd());
}

static void random_prefix(struct prefix *p, unsigned octets)
{
	random_address(p->value, octets);
	p->bits = rnd() % (8 * octets + 1);
	memset(p->mask, 0, sizeof p->mask);
	for (unsigned i = 0; i < PREFIX_BITS; i++)
		if (i < p->bits)
			p->mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
		else
			p->value[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static unsigned longest(const struct prefix *p, unsigned n, const uint8_t *address)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < n; i++)
		if (is_in(address, &p[i]))
			bits = MAX(bits, p[i].bits);
	return bits;
}

static unsigned bits_of(const struct prefixes *tree, const uint8_t *address)
{
	return tree->bits[prefixes_class(tree, address)];
}

/* Returns how many addresses were alone for want of room. */
static unsigned compare(unsigned octets, unsigned n_prefixes)
{
	struct prefixes *tree = calloc(1, sizeof *tree);
	struct prefix p[N];
	unsigned alone = 0, last_says;
	uint8_t last[PREFIX_OCTETS];

	assert_non_null(tree);
	for (unsigned n = 0; n < n_prefixes; n++) {
		random_prefix(&p[n], octets);
		prefixes_add(tree, p[n].value, p[n].mask);
		memset(last, 0, sizeof last);
		last_says = prefixes_class(tree, last) % PREFIX_ALONE;
		for (unsigned i = 0; i < 100; i++) {
			uint8_t address[PREFIX_OCTETS];
			unsigned says;

			random_address(address, octets);
			if (i % 3 == 0)
				memcpy(address, p[rnd() % (n + 1)].value, rnd() % octets);
			says = prefixes_class(tree, address);
			if (says == PREFIX_ALONE) {
				alone++;
				continue;
			}
			assert_int_equal(tree->bits[says], longest(p, n + 1, address));
			/* One class, one prefix. */
			assert_int_equal(says == last_says,
					 tree->bits[says] == tree->bits[last_says] &&
						 begin_alike(address, last, tree->bits[says]));
			memcpy(last, address, sizeof last);
			last_says = says;
		}
		if (tree->n_nodes + 1 < PREFIX_NODES)
			assert_int_equal(alone, 0);
	}
	free(tree);
	return alone;
}

static void it_is_the_longest(void **state)
{
	unsigned alone = 0;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		compare(4, N / 4);
		alone += compare(4, N);
		alone += compare(PREFIX_OCTETS, N / 4);
	}
	assert_true(alone > 0);
}

/* Ten thousand prefixes in a tree of a few nodes. */
static void what_has_no_room_is_alone(void **state)
{
	static struct prefixes tree;
	struct prefix p = {.bits = 32, .mask = {255, 255, 255, 255}};
	const uint8_t far[PREFIX_OCTETS] = {200, 1, 2, 3}, near[PREFIX_OCTETS] = {10, 0, 0, 2};

	(void)state;
	p.value[0] = 10;
	for (unsigned i = 0; i < 10000; i++) {
		p.value[1] = (uint8_t)(i >> 8);
		p.value[2] = (uint8_t)i;
		p.value[3] = 1;
		prefixes_add(&tree, p.value, p.mask);
	}
	assert_true(tree.n_nodes < PREFIX_NODES);
	assert_int_equal(prefixes_class(&tree, p.value), PREFIX_ALONE);
	assert_int_equal(bits_of(&tree, far), 0);
	assert_int_equal(bits_of(&tree, near), 0);
	prefixes_add(&tree, p.value, (const uint8_t[PREFIX_OCTETS]){254});
	assert_int_equal(prefixes_class(&tree, p.value), PREFIX_ALONE);
	assert_int_equal(bits_of(&tree, near), 7);
}

static void what_is_no_prefix_makes_all_alone(void **state)
{
	static struct prefixes tree;
	const uint8_t value[PREFIX_OCTETS] = {10, 1, 2, 3}, none[PREFIX_OCTETS] = {0};
	const uint8_t far[PREFIX_OCTETS] = {200};
	const uint8_t mask[PREFIX_OCTETS] = {255, 0, 255};

	(void)state;
	prefixes_add(&tree, none, none);
	assert_int_equal(bits_of(&tree, value), 0);
	prefixes_add(&tree, value, (const uint8_t[PREFIX_OCTETS]){255, 255});
	assert_int_equal(bits_of(&tree, value), 16);
	assert_int_equal(bits_of(&tree, far), 0);
	prefixes_add(&tree, value, mask);
	assert_int_equal(prefixes_class(&tree, value), PREFIX_ALONE);
	assert_int_equal(prefixes_class(&tree, far), PREFIX_ALONE);
	prefixes_add(&tree, value, (const uint8_t[PREFIX_OCTETS]){255, 255, 255});
	assert_int_equal(prefixes_class(&tree, value), PREFIX_ALONE);
}

static struct {
	struct prefixes tree;
	bool stop;
} shared;

/* Prefixes of 10.x.y.0/24 come one by one; who looks meanwhile sees the one, the 10.0.0.0/8 around
 * it, or that there is no room. */
static void *reader(void *arg)
{
	uint64_t wrong = 0;

	(void)arg;
	for (uint32_t i = 0; !__atomic_load_n(&shared.stop, __ATOMIC_RELAXED); i++) {
		const uint8_t address[PREFIX_OCTETS] = {10, (uint8_t)(i >> 8), (uint8_t)i, 1};
		unsigned says = prefixes_class(&shared.tree, address);

		wrong += says != PREFIX_ALONE && shared.tree.bits[says] != 8 &&
			 shared.tree.bits[says] != 24;
	}
	return (void *)(uintptr_t)wrong;
}

static void readers_see_whole_prefixes(void **state)
{
	const uint8_t mask[PREFIX_OCTETS] = {255, 255, 255};
	pthread_t thread;
	void *wrong;

	(void)state;
	prefixes_add(&shared.tree, (const uint8_t[PREFIX_OCTETS]){10},
		     (const uint8_t[PREFIX_OCTETS]){255});
	assert_int_equal(pthread_create(&thread, NULL, reader, NULL), 0);
	for (unsigned i = 0; i < 100000; i++) {
		const uint8_t value[PREFIX_OCTETS] = {10, (uint8_t)rnd(), (uint8_t)rnd()};

		prefixes_add(&shared.tree, value, mask);
	}
	__atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, &wrong), 0);
	assert_null(wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_longest),
		cmocka_unit_test(what_has_no_room_is_alone),
		cmocka_unit_test(what_is_no_prefix_makes_all_alone),
		cmocka_unit_test(readers_see_whole_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
