/* SPDX-License-Identifier: Apache-2.0 */
/* The arena of libcrypto's memory: everything comes from it, blocks do not overlap, what is freed
 * is wiped, it is in no dump and locked; and the AEAD ciphers take nothing from it per packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <openssl/evp.h>

#include "datapath/esp.h"
#include "datapath/secrets.h"
#include "tests/unit/random.h"

static int locked;

static int setup(void **unused)
{
	(void)unused;
	if (secrets_init())
		return -1;
	locked = secrets_lock();
	return 0;
}

static void test_blocks(void **unused)
{
	enum { BLOCKS = 300 };
	uint8_t *block[BLOCKS] = {0};
	size_t size[BLOCKS] = {0};

	(void)unused;
	for (unsigned n = 0; n < 30000; n++) {
		unsigned i = rnd() % BLOCKS;
		size_t want = rnd() % 16 ? rnd() % 500 : rnd() % 70000;

		for (size_t k = 0; k < size[i]; k += 1 + size[i] / 7)
			assert_int_equal(block[i][k], (uint8_t)i);
		if (rnd() % 2) {
			block[i] = OPENSSL_realloc(block[i], want);
		} else {
			OPENSSL_free(block[i]);
			block[i] = OPENSSL_malloc(want);
		}
		size[i] = want;
		if (!want)
			continue;
		assert_true(secrets_hold(block[i]) && secrets_hold(block[i] + want - 1));
		assert_int_equal((uintptr_t)block[i] % 16, 0);
		memset(block[i], (int)i, want);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		OPENSSL_free(block[i]);
	assert_null(OPENSSL_malloc((size_t)SECRETS_SIZE));
	assert_null(OPENSSL_malloc(SIZE_MAX));
}

static void test_wiped(void **unused)
{
	volatile uint8_t *key = OPENSSL_malloc(100);

	(void)unused;
	memset((uint8_t *)key, 0xa5, 100);
	OPENSSL_free((uint8_t *)key);
	for (unsigned i = 0; i < 100; i++) /* the arena's, not the heap's: it may be looked at */
		assert_int_equal(key[i], 0);
}

/* What the kernel says of the mapping. */
static void test_mapping(void **unused)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	void *inside = OPENSSL_malloc(10);
	bool there = false, dontdump = false;
	unsigned long kb = 0, total = 0;
	char line[400];

	(void)unused;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			there = secrets_hold((void *)from);
		else if (there && sscanf(line, "Locked: %lu kB", &kb) == 1)
			total += kb;
		else if (there && !strncmp(line, "VmFlags:", 8))
			dontdump = strstr(line, " dd") != NULL;
	}
	fclose(f);
	assert_true(dontdump);
	assert_true(locked || total >= 256);
	OPENSSL_free(inside);
}

static void test_no_allocation(void **unused)
{
	static const char *const names[] = {"aes128gcm", "aes256gcm", "aes128gmac", "aes256gmac",
					    "chacha20poly1305"};

	(void)unused;
	for (unsigned k = 0; k < ARRAY_SIZE(names); k++) {
		const struct esp_cipher *c = esp_cipher_by_name(names[k]);
		struct esp_sa in = {.cipher = c, .esn = true}, out = in;
		struct esp_keys keys = {.key_size = c->key + c->salt};
		uint8_t esp[1500], plain[1500];
		uint64_t before;

		assert_int_equal(esp_sa_open(&in, &keys, ESP_OPEN, NULL), 0);
		assert_int_equal(esp_sa_open(&out, &keys, ESP_SEAL, NULL), 0);
		assert_true(secrets_hold(in.ctx) && secrets_hold(out.ctx));
		before = secrets_allocations();
		for (uint64_t seq = 1; seq < 1000; seq++) {
			struct esp_plain p = {.to = plain};
			size_t size = esp_seal(&out, seq, esp, 1400, 144);

			esp[40] ^= seq % 3 == 0; /* forged ones allocate nothing either */
			assert_int_equal(esp_open(&in, seq, esp, size, &p),
					 seq % 3 ? NO_DROP : DROP_ESP_ICV);
		}
		assert_int_equal(secrets_allocations(), before);
		esp_sa_close(&in);
		esp_sa_close(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_wiped),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_no_allocation),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
