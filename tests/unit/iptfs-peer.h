/* SPDX-License-Identifier: Apache-2.0 */
/* The far end of connections on an iptfs bed: aggregates of vectors, and of its own making.  A test
 * names the connection's options; the keys are here. */
#ifndef SLUICE_IPTFS_PEER_H
#define SLUICE_IPTFS_PEER_H

#include "datapath/iptfs.h"
#include "tests/unit/bed.h"
#include "tests/unit/iptfs-bed.h"
#include "tests/unit/vector.h"

/* ---- Vectors -------------------------------------------------------------------------------- */

static inline void hex(char *to, const uint8_t *data, size_t size)
{
	*to = '\0';
	while (size--)
		to += sprintf(to, "%02x", *data++);
}

/* The connection that a vector's frames are for; `more` options of it. */
static inline struct conn *vector_conn(struct iptfs_bed *b, const struct vector *v,
				       const char *more)
{
	char key[80], auth[80], options[600];
	struct conn *c;
	int n;

	hex(key, v->keys.key, v->keys.key_size);
	hex(auth, v->keys.auth, v->keys.auth_size);
	n = snprintf(
		options, sizeof options,
		"local=10.9.0.2 remote=10.9.0.1 spi-in=%u cipher=%s esn=%s seq-in=%llu encap=%s %s",
		v->spi, v->cipher, v->esn ? "yes" : "no", (unsigned long long)v->seq_in,
		v->udp ? "udp" : "none", more);
	if (*key)
		n += snprintf(options + n, sizeof options - (size_t)n, " key-in=%s", key);
	if (*auth)
		snprintf(options + n, sizeof options - (size_t)n, " auth-key-in=%s", auth);
	c = must_conn(b, options);
	return c;
}

/* ---- Aggregates ------------------------------------------------------------------------------ */

static const char auth_key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/* The sending side of a connection made with auth_key, without a connection. */
static inline void sender(struct esp_sa *sa, uint32_t spi)
{
	struct esp_keys keys = {.auth_size = 32};

	vector_hex(auth_key, keys.auth, sizeof keys.auth);
	*sa = (struct esp_sa){.cipher = esp_cipher_by_name("null-sha256"), .spi = spi, .esn = true};
	assert_int_equal(esp_sa_open(sa, &keys, ESP_SEAL, NULL), 0);
}

static inline struct conn *receiver(struct iptfs_bed *b, const char *more)
{
	char options[400];
	struct conn *c;

	snprintf(options, sizeof options,
		 "local=10.9.0.2 remote=10.9.0.1 spi-in=4096 cipher=null-sha256 auth-key-in=%s %s",
		 auth_key, more);
	c = must_conn(b, options);
	return c;
}

static inline void feed(struct iptfs_bed *b, struct esp_sa *sa, uint64_t seq, struct octets payload)
{
	uint8_t frame[4096];

	bed_receive(b, frame, bed_frame(sa, seq, payload, AGG_NEXT_HEADER, frame));
}

/* A payload with one data unit of 60 octets at `offset`, and nothing behind it. */
static inline struct octets one_du(uint8_t *room, uint16_t offset)
{
	memset(room, 0, AGG_HLEN + offset);
	put_be16(room + 2, offset);
	make_du(room + AGG_HLEN + offset, 60, 1);
	return (struct octets){room, AGG_HLEN + offset + 60u, AGG_HLEN + offset + 60u};
}

#endif
