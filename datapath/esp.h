/* SPDX-License-Identifier: Apache-2.0 */
/* ESP: sealing and opening one packet (RFC 4303), through libcrypto.
 *
 * A cipher is a row of a table in esp.c: sizes, and two functions.  An SA (`struct esp_sa`) is one
 * direction with its key; all libcrypto contexts are made when it opens, so that a packet sets
 * only its nonce.  AEAD ciphers allocate nothing per packet; the HMAC of libcrypto does
 * (from the locked arena of secrets.h), and says so in the manual.
 *
 * On the wire: SPI 4 | sequence 4 | IV | payload, padding 1,2,3…, pad length, next header | ICV.
 * The IV of the counter ciphers is the 64-bit sequence number itself, so that it repeats only if a
 * sequence number does (marks.h sees to that).  With ESN the high 32 bits are not sent but
 * authenticated.
 *
 * Owned by the connection's worker; opened and closed by the control thread. */
#ifndef SLUICE_ESP_H
#define SLUICE_ESP_H

#include "datapath/pkt.h"
#include "lib/refuse.h"

enum {
	ESP_HLEN = 8,
	ESP_TRAILER = 2, /* pad length, next header */
	ESP_KEY_MAX = 32,
	ESP_SALT_MAX = 4,
	ESP_IV_MAX = 16,
	ESP_NEXT_DUMMY = 59, /* RFC 4303 2.6 */
};

/* What functions that find a reason to drop return when there is none. */
#define NO_DROP N_DROPS

struct esp_sa;

struct esp_cipher {
	const char *name;  /* as in cipher= */
	uint8_t key, salt; /* octets of key-in=: the key, then the salt */
	uint8_t auth_key;  /* octets of auth-key-in= */
	uint8_t iv, icv;   /* octets on the wire */
	uint8_t align;     /* payload and trailer are a multiple of it */
	bool counter;      /* an IV must never repeat under a key */
	const char *evp, *digest;
	/* Protects `size` octets behind header and IV in place, and appends the ICV. */
	bool (*seal)(struct esp_sa *sa, uint64_t seq, uint8_t *esp, size_t size);
	/* Checks the ICV and puts the plain octets to `to` (which may be where they came from). */
	bool (*open)(struct esp_sa *sa, uint64_t seq, const uint8_t *esp, size_t size, uint8_t *to);
};

const struct esp_cipher *esp_cipher_by_name(const char *name); /* NULL: unknown */
extern const char *const esp_cipher_names;

struct esp_sa {
	const struct esp_cipher *cipher;
	uint32_t spi;
	bool esn;
	uint8_t salt[ESP_SALT_MAX];
	struct evp_cipher_ctx_st *ctx;
	struct evp_mac_ctx_st *mac;
};

struct esp_keys {
	uint8_t key[ESP_KEY_MAX + ESP_SALT_MAX], auth[ESP_KEY_MAX];
	size_t key_size, auth_size; /* as given; they fit the cipher */
};

enum esp_direction { ESP_OPEN, ESP_SEAL };

/* Fills sa->salt and the contexts from cipher, spi, esn (set before).  `field` is the option at
 * fault in a refusal. */
int esp_sa_open(struct esp_sa *sa, const struct esp_keys *keys, enum esp_direction dir,
		struct refusal *r);
void esp_sa_close(struct esp_sa *sa); /* wipes; a zeroed one is fine */

/* Octets in front of and behind the payload. */
static inline size_t esp_front(const struct esp_sa *sa)
{
	return ESP_HLEN + sa->cipher->iv;
}

/* The largest payload in an ESP packet of at most `size` octets; 0 when none fits. */
size_t esp_payload_max(const struct esp_sa *sa, size_t size);

/* Makes an ESP packet around the `size` octets of payload that stand at esp + esp_front(sa): writes
 * header, IV, trailer and ICV.  The caller has room for them.  Returns the whole size; 0 when the
 * library refused. */
size_t esp_seal(struct esp_sa *sa, uint64_t seq, uint8_t *esp, size_t size, uint8_t next_header);

/* Lengths only, in wire order: NO_DROP, ESP_SHORT or ESP_ALIGN. */
enum drop_reason esp_check(const struct esp_sa *sa, size_t size);

struct esp_plain {
	uint8_t *to; /* where the payload goes: the caller's, or esp + esp_front() to open in place
		      */
	size_t size; /* of the payload */
	uint8_t next_header;
};

/* Opens an ESP packet of `size` octets that passed esp_check().  plain->to has room for size -
 * esp_front(), and holds rubbish when the ICV is wrong.  NO_DROP, ESP_ICV, or ESP_PAD (RFC
 * 4303 2.4; the ICV was right). */
enum drop_reason esp_open(struct esp_sa *sa, uint64_t seq, const uint8_t *esp, size_t size,
			  struct esp_plain *plain);

#endif
