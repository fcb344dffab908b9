/* SPDX-License-Identifier: Apache-2.0 */
/* ESP against packets that others made (tests/vectors): every cipher opens them, and seals the same
 * octets where the IV is the sequence number.  Then what is not right is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "datapath/aggfrag.h"
#include "datapath/replay.h"
#include "tests/unit/vector.h"

static void sa_open(struct esp_sa *sa, const struct vector *v, enum esp_direction dir)
{
	struct refusal r = {0};

	*sa = (struct esp_sa){
		.cipher = esp_cipher_by_name(v->cipher), .spi = v->spi, .esn = v->esn};
	assert_non_null(sa->cipher);
	assert_int_equal(esp_sa_open(sa, &v->keys, dir, &r), 0);
}

/* Ethernet, IPv4 without options, maybe UDP. */
static uint8_t *esp_of(const struct vector *v, unsigned i, size_t *size)
{
	size_t front = 14 + 20 + (v->udp ? 8 : 0);

	*size = 14 + get_be16(v->frame[i].octets + 16) - front;
	return v->frame[i].octets + front;
}

static void test_vectors(void **unused)
{
	(void)unused;
	for (unsigned k = 0; vector_names[k]; k++) {
		struct vector *v = vector_load(vector_names[k]);
		bool ours = !v->keys.key_size || !strncmp(vector_names[k], "m-", 2);
		struct esp_sa in, out;
		struct replay replay;

		sa_open(&in, v, ESP_OPEN);
		sa_open(&out, v, ESP_SEAL);
		replay_init(&replay, 64, v->esn, v->seq_in);
		assert_true(v->n_frames > 1);
		for (unsigned i = 0; i < v->n_frames; i++) {
			uint8_t plain[4096], again[4096];
			struct esp_plain p = {.to = plain};
			size_t size, front = esp_front(&in);
			uint8_t *esp = esp_of(v, i, &size);
			uint64_t seq = replay_infer(&replay, get_be32(esp + 4));

			assert_int_equal(get_be32(esp), v->spi);
			assert_int_equal(replay_check(&replay, seq), REPLAY_FRESH);
			assert_int_equal(esp_check(&in, size), NO_DROP);
			assert_int_equal(esp_open(&in, seq, esp, size, &p), NO_DROP);
			assert_int_equal(p.next_header, AGG_NEXT_HEADER);
			replay_update(&replay, seq);
			memcpy(again + front, plain, p.size);
			assert_int_equal(esp_seal(&out, seq, again, p.size, AGG_NEXT_HEADER), size);
			if (ours && in.cipher->iv != 16) /* IV: none, or the sequence number */
				assert_memory_equal(again, esp, size);
			/* In place gives the same. */
			p.to = esp + front;
			memcpy(again, plain, p.size);
			assert_int_equal(esp_open(&in, seq, esp, size, &p), NO_DROP);
			assert_memory_equal(esp + front, again, p.size);
		}
		esp_sa_close(&in);
		esp_sa_close(&out);
		vector_free(v);
	}
}

static const char *const ciphers[] = {"aes128gcm",       "aes256gcm",        "aes128gmac",
				      "aes256gmac",      "chacha20poly1305", "null-sha256",
				      "aes128cbc-sha256"};

struct pair {
	struct esp_sa in, out;
};

static void pair_open(struct pair *p, const char *name, bool esn)
{
	const struct esp_cipher *c = esp_cipher_by_name(name);
	struct esp_keys keys = {.key_size = c->key + c->salt, .auth_size = c->auth_key};

	memset(keys.key, 7, sizeof keys.key);
	memset(keys.auth, 9, sizeof keys.auth);
	p->in = p->out = (struct esp_sa){.cipher = c, .spi = 0x1234, .esn = esn};
	assert_int_equal(esp_sa_open(&p->in, &keys, ESP_OPEN, NULL), 0);
	assert_int_equal(esp_sa_open(&p->out, &keys, ESP_SEAL, NULL), 0);
}

static void pair_close(struct pair *p)
{
	esp_sa_close(&p->in);
	esp_sa_close(&p->out);
}

/* Any bit flipped anywhere, another number, another key: never opened.  Every length round-trips.
 */
static void test_refused(void **unused)
{
	(void)unused;
	for (unsigned k = 0; k < ARRAY_SIZE(ciphers) * 2; k++) {
		struct pair p;
		uint8_t esp[300], copy[300], plain[300];
		struct esp_plain out = {.to = plain};
		uint64_t seq = 5ull << 32 | 77;

		pair_open(&p, ciphers[k / 2], k & 1);
		for (size_t n = 0; n < 100; n++) {
			size_t size;

			memset(esp, (int)n, sizeof esp);
			size = esp_seal(&p.out, seq, esp, n, 59);
			assert_true(size && size <= sizeof esp);
			assert_int_equal(esp_check(&p.in, size), NO_DROP);
			assert_int_equal(esp_open(&p.in, seq, esp, size, &out), NO_DROP);
			assert_int_equal(out.size, n);
			assert_int_equal(out.next_header, ESP_NEXT_DUMMY);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(plain[i], n);
		}
		size_t size = esp_seal(&p.out, seq, esp, 50, 144);

		for (size_t bit = 0; bit < size * 8; bit++) {
			if (!p.in.cipher->digest && bit < 64)
				continue; /* AEAD: the header's octets come from the SA and `seq` */
			memcpy(copy, esp, size);
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(esp_open(&p.in, seq, copy, size, &out), DROP_ESP_ICV);
		}
		assert_int_equal(esp_open(&p.in, seq, esp, size, &out), NO_DROP);
		if (k & 1) /* the high half is not on the wire, but under the ICV */
			assert_int_equal(esp_open(&p.in, seq + (1ull << 32), esp, size, &out),
					 DROP_ESP_ICV);
		pair_close(&p);
	}
}

static void test_lengths(void **unused)
{
	(void)unused;
	for (unsigned k = 0; k < ARRAY_SIZE(ciphers); k++) {
		struct pair p;
		size_t around;

		pair_open(&p, ciphers[k], true);
		around = esp_front(&p.in) + 16;
		for (size_t n = 0; n < around + 2; n++)
			assert_int_equal(esp_check(&p.in, n), DROP_ESP_SHORT);
		assert_int_equal(esp_check(&p.in, around + 2), DROP_ESP_ALIGN);
		assert_int_equal(esp_check(&p.in, around + p.in.cipher->align), NO_DROP);
		for (size_t n = 0; n < 2000; n++) {
			size_t max = esp_payload_max(&p.in, n), a = p.in.cipher->align;

			if (max) /* it fits, and one more octet does not */
				assert_true(ROUND_UP(max + 2, a) + around <= n &&
					    ROUND_UP(max + 3, a) + around > n);
			else
				assert_true(around + a > n);
		}
		pair_close(&p);
	}
}

/* Padding that is not 1, 2, 3 …, or longer than the packet (RFC 4303 2.4), behind a right ICV. */
static void test_padding(void **unused)
{
	struct pair p;
	uint8_t esp[100], plain[100];
	struct esp_plain out = {.to = plain};
	static const struct {
		uint8_t tail[4];
		enum drop_reason want;
	} cases[] = {
		{{1, 2, 2, 144}, NO_DROP},      {{1, 1, 2, 144}, DROP_ESP_PAD},
		{{0, 1, 2, 144}, DROP_ESP_PAD}, {{0, 0, 255, 144}, DROP_ESP_PAD},
		{{9, 9, 0, 144}, NO_DROP},      {{0, 2, 1, 144}, DROP_ESP_PAD},
	};

	(void)unused;
	pair_open(&p, "null-sha256", false);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(esp, 0, sizeof esp);
		put_be32(esp, 0x1234);
		put_be32(esp + 4, 1);
		memcpy(esp + ESP_HLEN + 8, cases[i].tail, 4);
		assert_true(p.out.cipher->seal(&p.out, 1, esp, 12));
		assert_int_equal(esp_open(&p.in, 1, esp, ESP_HLEN + 12 + 16, &out), cases[i].want);
	}
	pair_close(&p);
}

static void test_keys(void **unused)
{
	struct esp_sa sa = {.cipher = esp_cipher_by_name("aes128gcm")};
	struct esp_keys keys = {.key_size = 16};
	struct refusal r = {0};

	(void)unused;
	assert_true(esp_sa_open(&sa, &keys, ESP_OPEN, &r) < 0);
	assert_int_equal(r.code, REFUSED_BAD_VALUE);
	assert_string_equal(r.field, "key-in");
	sa.cipher = esp_cipher_by_name("null-sha256");
	keys.key_size = 0;
	assert_true(esp_sa_open(&sa, &keys, ESP_SEAL, &r) < 0);
	assert_string_equal(r.field, "auth-key-out");
	assert_null(esp_cipher_by_name("null"));
	esp_sa_close(&sa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lengths), cmocka_unit_test(test_padding),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
