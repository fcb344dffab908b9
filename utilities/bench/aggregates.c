/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/bench/aggregates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/aggfrag.h"
#include "datapath/esp.h"
#include "lib/csum.h"

enum { SPI = 0x1001, IP_HLEN = 20 };

#define LOCAL  0x0a090002u /* 10.9.0.2 */
#define REMOTE 0x0a090001u

struct sender {
	struct esp_sa sa;
	uint64_t seq;
};

void aggregates_open(struct bed *b)
{
	struct sender *s = calloc(1, sizeof *s);
	struct esp_keys keys = {.key_size = 20};
	struct refusal r = {0};
	char hex[41];

	if (!s)
		bench_die("no memory");
	b->priv = s;
	for (unsigned i = 0; i < keys.key_size; i++) {
		keys.key[i] = (uint8_t)(i * 7 + 1);
		snprintf(hex + 2 * i, 3, "%02x", keys.key[i]);
	}
	s->sa.cipher = esp_cipher_by_name("aes128gcm");
	s->sa.spi = SPI;
	s->sa.esn = true;
	if (esp_sa_open(&s->sa, &keys, ESP_SEAL, &r))
		bench_die("%s", r.text);
	bed_verb(
		b,
		"add-conn agg type=iptfs local=10.9.0.2 remote=10.9.0.1 spi-in=%u cipher=aes128gcm "
		"key-in=%s ofport=%u",
		SPI, hex, AGG_OFPORT);
}

void aggregates_close(struct bed *b)
{
	struct sender *s = b->priv;

	esp_sa_close(&s->sa);
	free(s);
}

static void write_outer(uint8_t *frame, uint32_t src, uint16_t id)
{
	static const uint8_t head[14 + IP_HLEN] = {2, 0, 0,    0, 1, 2, 2, 0, 0, 0, 0,  1,
						   8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 50};

	memcpy(frame, head, sizeof head);
	frame[15] = AGG_DSCP << 2;
	put_be16(frame + 18, id);
	put_be32(frame + 26, src);
	put_be32(frame + 30, LOCAL);
}

static void finish_outer(uint8_t *frame, size_t esp_size)
{
	be16 sum;

	put_be16(frame + 16, (uint16_t)(IP_HLEN + esp_size));
	sum = csum(frame + 14, IP_HLEN);
	memcpy(frame + 24, &sum, 2);
}

/* The AGGFRAG payload (RFC 9347 6.1): sub-type 0, the first block begins at once. */
static size_t write_units(struct cell *c, uint8_t *to)
{
	uint8_t frame[BENCH_FRAME], *at = to;

	memset(at, 0, AGG_HLEN);
	at += AGG_HLEN;
	for (unsigned i = 0; i < AGG_UNITS; i++) {
		uint16_t id = (uint16_t)c->traffic.i;
		struct flow5 f;
		uint32_t size;

		c->traffic.class->make(&c->traffic, &f);
		c->traffic.i++;
		size = bed_udp(&f, id, frame) - ETH_HLEN_;
		memcpy(at, frame + ETH_HLEN_, size);
		at += size;
	}
	return (size_t)(at - to);
}

static uint32_t seal(struct cell *c, uint8_t *frame)
{
	struct sender *s = c->bed->priv;
	uint8_t *esp = frame + ETH_HLEN_ + IP_HLEN;
	size_t size = write_units(c, esp + esp_front(&s->sa));

	size = esp_seal(&s->sa, ++s->seq, esp, size, AGG_NEXT_HEADER);
	if (!size)
		bench_die("an aggregate cannot be sealed");
	finish_outer(frame, size);
	return (uint32_t)(ETH_HLEN_ + IP_HLEN + size);
}

uint32_t aggregate_write(struct cell *c, uint8_t *frame)
{
	write_outer(frame, REMOTE, (uint16_t)c->traffic.i);
	return seal(c, frame);
}

uint32_t aggregate_write_from(struct cell *c, uint8_t *frame)
{
	enum { SIZE = AGG_UNITS * 46 + 40 }; /* nobody opens it */
	uint16_t id = (uint16_t)c->traffic.i;
	struct sender *s = c->bed->priv;
	uint8_t *esp = frame + ETH_HLEN_ + IP_HLEN;
	struct flow5 f;

	c->traffic.class->make(&c->traffic, &f);
	c->traffic.i++;
	write_outer(frame, f.src, id);
	put_be32(esp, SPI);
	put_be32(esp + 4, (uint32_t)++s->seq);
	finish_outer(frame, SIZE);
	return ETH_HLEN_ + IP_HLEN + SIZE;
}
