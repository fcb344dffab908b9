/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/esp.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

static struct esp_aad {
	uint8_t octet[12];
	int size;
} aad_of(const struct esp_sa *sa, uint64_t seq)
{
	struct esp_aad aad;

	/* RFC 4106 5: SPI, then the sequence number as wide as it is counted. */
	put_be32(aad.octet, sa->spi);
	if (sa->esn)
		put_be64(aad.octet + 4, seq);
	else
		put_be32(aad.octet + 4, (uint32_t)seq);
	aad.size = sa->esn ? 12 : 8;
	return aad;
}

/* ---- AES-GCM (RFC 4106) and ChaCha20-Poly1305 (RFC 7634): one shape ---------------------- */

static bool aead_start(struct esp_sa *sa, const uint8_t *iv, bool seal)
{
	uint8_t nonce[12];

	memcpy(nonce, sa->salt, 4);
	memcpy(nonce + 4, iv, 8);
	return EVP_CipherInit_ex(sa->ctx, NULL, NULL, NULL, nonce, seal) == 1;
}

static bool aead_seal(struct esp_sa *sa, uint64_t seq, uint8_t *esp, size_t size)
{
	struct esp_aad aad = aad_of(sa, seq);
	uint8_t *text = esp + ESP_HLEN + 8;
	int n;

	put_be64(esp + ESP_HLEN, seq);
	return aead_start(sa, esp + ESP_HLEN, true) &&
	       EVP_EncryptUpdate(sa->ctx, NULL, &n, aad.octet, aad.size) == 1 &&
	       EVP_EncryptUpdate(sa->ctx, text, &n, text, (int)size) == 1 &&
	       EVP_EncryptFinal_ex(sa->ctx, text + size, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(sa->ctx, EVP_CTRL_AEAD_GET_TAG, 16, text + size) == 1;
}

static bool aead_open(struct esp_sa *sa, uint64_t seq, const uint8_t *esp, size_t size, uint8_t *to)
{
	struct esp_aad aad = aad_of(sa, seq);
	const uint8_t *text = esp + ESP_HLEN + 8;
	uint8_t tag[16];
	int n;

	memcpy(tag, text + size, sizeof tag);
	return aead_start(sa, esp + ESP_HLEN, false) &&
	       EVP_DecryptUpdate(sa->ctx, NULL, &n, aad.octet, aad.size) == 1 &&
	       EVP_DecryptUpdate(sa->ctx, to, &n, text, (int)size) == 1 &&
	       EVP_CIPHER_CTX_ctrl(sa->ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1 &&
	       EVP_DecryptFinal_ex(sa->ctx, to + size, &n) == 1;
}

/* ---- AES-GMAC (RFC 4543): everything is additional data ---------------------------------- */

static bool gmac_update(struct esp_sa *sa, uint64_t seq, const uint8_t *esp, size_t size, bool seal)
{
	struct esp_aad aad = aad_of(sa, seq);
	int n;

	return aead_start(sa, esp + ESP_HLEN, seal) &&
	       EVP_CipherUpdate(sa->ctx, NULL, &n, aad.octet, aad.size) == 1 &&
	       EVP_CipherUpdate(sa->ctx, NULL, &n, esp + ESP_HLEN, (int)(8 + size)) == 1;
}

static bool gmac_seal(struct esp_sa *sa, uint64_t seq, uint8_t *esp, size_t size)
{
	uint8_t *end = esp + ESP_HLEN + 8 + size;
	int n;

	put_be64(esp + ESP_HLEN, seq);
	return gmac_update(sa, seq, esp, size, true) &&
	       EVP_EncryptFinal_ex(sa->ctx, end, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(sa->ctx, EVP_CTRL_AEAD_GET_TAG, 16, end) == 1;
}

static bool gmac_open(struct esp_sa *sa, uint64_t seq, const uint8_t *esp, size_t size, uint8_t *to)
{
	const uint8_t *text = esp + ESP_HLEN + 8;
	uint8_t tag[16], none[16];
	int n;

	memcpy(tag, text + size, sizeof tag);
	if (!gmac_update(sa, seq, esp, size, false) ||
	    EVP_CIPHER_CTX_ctrl(sa->ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) != 1 ||
	    EVP_DecryptFinal_ex(sa->ctx, none, &n) != 1)
		return false;
	memmove(to, text, size);
	return true;
}

/* ---- HMAC-SHA-256-128 (RFC 4868), alone (RFC 2410) or over AES-CBC (RFC 3602) ------------- */

/* Covers SPI to next header and, with ESN, the high half of the sequence number behind it (RFC 4303
 * 2.2.1). */
static bool hmac_of(struct esp_sa *sa, uint64_t seq, const uint8_t *esp, size_t size, uint8_t *mac)
{
	uint8_t high[4];
	size_t n;

	put_be32(high, (uint32_t)(seq >> 32));
	return EVP_MAC_init(sa->mac, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(sa->mac, esp, size) == 1 &&
	       (!sa->esn || EVP_MAC_update(sa->mac, high, sizeof high) == 1) &&
	       EVP_MAC_final(sa->mac, mac, &n, 32) == 1 && n == 32;
}

static bool hmac_seal(struct esp_sa *sa, uint64_t seq, uint8_t *esp, size_t size)
{
	uint8_t mac[32];

	if (!hmac_of(sa, seq, esp, esp_front(sa) + size, mac))
		return false;
	memcpy(esp + esp_front(sa) + size, mac, sa->cipher->icv);
	return true;
}

static bool hmac_check(struct esp_sa *sa, uint64_t seq, const uint8_t *esp, size_t size)
{
	uint8_t mac[32];

	return hmac_of(sa, seq, esp, esp_front(sa) + size, mac) &&
	       !CRYPTO_memcmp(mac, esp + esp_front(sa) + size, sa->cipher->icv);
}

static bool null_open(struct esp_sa *sa, uint64_t seq, const uint8_t *esp, size_t size, uint8_t *to)
{
	if (!hmac_check(sa, seq, esp, size))
		return false;
	memmove(to, esp + ESP_HLEN, size);
	return true;
}

/* The IV must be unpredictable: the sequence number encrypted under the key (NIST SP 800-38A,
 * appendix C), which is what CBC makes of a first block in front with a zero IV. */
static bool cbc_seal(struct esp_sa *sa, uint64_t seq, uint8_t *esp, size_t size)
{
	static const uint8_t zero[16];
	uint8_t *iv = esp + ESP_HLEN;
	int n;

	put_be64(iv, 0);
	put_be64(iv + 8, seq);
	return EVP_CipherInit_ex(sa->ctx, NULL, NULL, NULL, zero, 1) == 1 &&
	       EVP_EncryptUpdate(sa->ctx, iv, &n, iv, (int)(16 + size)) == 1 &&
	       hmac_seal(sa, seq, esp, size);
}

static bool cbc_open(struct esp_sa *sa, uint64_t seq, const uint8_t *esp, size_t size, uint8_t *to)
{
	uint8_t iv[16];
	int n;

	if (!hmac_check(sa, seq, esp, size))
		return false;
	memcpy(iv, esp + ESP_HLEN, sizeof iv);
	return EVP_CipherInit_ex(sa->ctx, NULL, NULL, NULL, iv, 0) == 1 &&
	       EVP_DecryptUpdate(sa->ctx, to, &n, esp + ESP_HLEN + 16, (int)size) == 1;
}

/* ---- The table --------------------------------------------------------------------------- */

static const struct esp_cipher ciphers[] = {
	{"aes128gcm", 16, 4, 0, 8, 16, 4, true, "AES-128-GCM", NULL, aead_seal, aead_open},
	{"aes256gcm", 32, 4, 0, 8, 16, 4, true, "AES-256-GCM", NULL, aead_seal, aead_open},
	{"aes128gmac", 16, 4, 0, 8, 16, 4, true, "AES-128-GCM", NULL, gmac_seal, gmac_open},
	{"aes256gmac", 32, 4, 0, 8, 16, 4, true, "AES-256-GCM", NULL, gmac_seal, gmac_open},
	{"chacha20poly1305", 32, 4, 0, 8, 16, 4, true, "ChaCha20-Poly1305", NULL, aead_seal,
	 aead_open},
	{"null-sha256", 0, 0, 32, 0, 16, 4, false, NULL, "SHA256", hmac_seal, null_open},
	{"aes128cbc-sha256", 16, 0, 32, 16, 16, 16, false, "AES-128-CBC", "SHA256", cbc_seal,
	 cbc_open},
};

const char *const esp_cipher_names = "aes128gcm, aes256gcm, aes128gmac, aes256gmac, "
				     "chacha20poly1305, null-sha256, aes128cbc-sha256";

const struct esp_cipher *esp_cipher_by_name(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ciphers); i++)
		if (!strcmp(ciphers[i].name, name))
			return &ciphers[i];
	return NULL;
}

static int open_cipher(struct esp_sa *sa, const uint8_t *key, enum esp_direction dir)
{
	EVP_CIPHER *evp = EVP_CIPHER_fetch(NULL, sa->cipher->evp, NULL);
	bool ok;

	sa->ctx = EVP_CIPHER_CTX_new();
	ok = evp && sa->ctx &&
	     EVP_CipherInit_ex(sa->ctx, evp, NULL, key, NULL, dir == ESP_SEAL) == 1 &&
	     EVP_CIPHER_CTX_set_padding(sa->ctx, 0) == 1;
	EVP_CIPHER_free(evp);
	return ok ? 0 : -1;
}

static int open_mac(struct esp_sa *sa, const uint8_t *key)
{
	EVP_MAC *evp = EVP_MAC_fetch(NULL, "HMAC", NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)sa->cipher->digest,
						 0),
		OSSL_PARAM_construct_end(),
	};
	bool ok;

	sa->mac = evp ? EVP_MAC_CTX_new(evp) : NULL;
	ok = sa->mac && EVP_MAC_init(sa->mac, key, sa->cipher->auth_key, params) == 1;
	EVP_MAC_free(evp);
	return ok ? 0 : -1;
}

int esp_sa_open(struct esp_sa *sa, const struct esp_keys *keys, enum esp_direction dir,
		struct refusal *r)
{
	const struct esp_cipher *c = sa->cipher;
	const char *way = dir == ESP_SEAL ? "out" : "in";

	if (keys->key_size != (size_t)c->key + c->salt)
		return refuse(r, BAD_VALUE, dir == ESP_SEAL ? "key-out" : "key-in",
			      "key-%s has %zu octets; %s takes %u of key and %u of salt behind it",
			      way, keys->key_size, c->name, c->key, c->salt);
	if (keys->auth_size != c->auth_key)
		return refuse(r, BAD_VALUE, dir == ESP_SEAL ? "auth-key-out" : "auth-key-in",
			      "auth-key-%s has %zu octets; %s takes %u", way, keys->auth_size,
			      c->name, c->auth_key);
	memcpy(sa->salt, keys->key + c->key, c->salt);
	if ((c->evp && open_cipher(sa, keys->key, dir)) ||
	    (c->digest && open_mac(sa, keys->auth))) {
		esp_sa_close(sa);
		return refuse(r, SYSTEM, "cipher", "libcrypto cannot do %s here; other ciphers: %s",
			      c->name, esp_cipher_names);
	}
	return 0;
}

void esp_sa_close(struct esp_sa *sa)
{
	EVP_CIPHER_CTX_free(sa->ctx);
	EVP_MAC_CTX_free(sa->mac);
	OPENSSL_cleanse(sa, sizeof *sa);
}

/* ---- One packet -------------------------------------------------------------------------- */

size_t esp_payload_max(const struct esp_sa *sa, size_t size)
{
	size_t around = esp_front(sa) + sa->cipher->icv;

	if (size < around + sa->cipher->align)
		return 0;
	size -= around;
	return size - size % sa->cipher->align - ESP_TRAILER;
}

size_t esp_seal(struct esp_sa *sa, uint64_t seq, uint8_t *esp, size_t size, uint8_t next_header)
{
	size_t whole = ROUND_UP(size + ESP_TRAILER, sa->cipher->align);
	uint8_t *end = esp + esp_front(sa) + size;
	uint8_t pad = (uint8_t)(whole - size - ESP_TRAILER);

	put_be32(esp, sa->spi);
	put_be32(esp + 4, (uint32_t)seq);
	for (uint8_t i = 1; i <= pad; i++)
		*end++ = i;
	*end++ = pad;
	*end++ = next_header;
	return sa->cipher->seal(sa, seq, esp, whole) ? esp_front(sa) + whole + sa->cipher->icv : 0;
}

enum drop_reason esp_check(const struct esp_sa *sa, size_t size)
{
	size_t around = esp_front(sa) + sa->cipher->icv;

	if (size < around + ESP_TRAILER)
		return DROP_ESP_SHORT;
	return (size - around) % sa->cipher->align ? DROP_ESP_ALIGN : NO_DROP;
}

enum drop_reason esp_open(struct esp_sa *sa, uint64_t seq, const uint8_t *esp, size_t size,
			  struct esp_plain *plain)
{
	size_t text = size - esp_front(sa) - sa->cipher->icv;
	const uint8_t *end = plain->to + text - ESP_TRAILER;
	uint8_t pad;

	if (!sa->cipher->open(sa, seq, esp, text, plain->to))
		return DROP_ESP_ICV;
	pad = end[0];
	plain->next_header = end[1];
	if (pad > text - ESP_TRAILER)
		return DROP_ESP_PAD;
	for (uint8_t i = pad; i; i--)
		if (*--end != i)
			return DROP_ESP_PAD;
	plain->size = text - ESP_TRAILER - pad;
	return NO_DROP;
}
