/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vector.h"

#include <jansson.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

const char *const vector_names[] = {
	"a-small-aggregated",
	"b-fragmented-500",
	"c-dontfrag-1400",
	"d-inner6",
	"e-null-sha256",
	"g-natt",
	"m-pads",
	"m-runts",
	"m-whole-then-begun",
	"m-congestion",
	"m-esn-gcm",
	"m-esn-null",
	"m-gmac128",
	"m-gmac256",
	"m-chacha",
	"m-cbc",
	"m-cbc-noesn",
	NULL,
};

static void need(bool ok, const char *name, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "vector %s: %s\n", name, what);
	abort();
}

static void path_of(const char *name, const char *suffix, char path[512])
{
	const char *src = getenv("srcdir");

	snprintf(path, 512, "%s/tests/vectors/%s.%s", src ? src : ".", name, suffix);
}

size_t vector_hex(const char *text, uint8_t *to, size_t room)
{
	size_t n = strlen(text) / 2;

	if (n > room)
		abort();
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	return n;
}

static const char *string(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void load_sa(struct vector *v, const json_t *o)
{
	const char *alg = string(o, "alg");

	v->spi = (uint32_t)json_integer_value(json_object_get(o, "spi"));
	v->esn = json_is_true(json_object_get(o, "esn"));
	v->udp = json_is_array(json_object_get(o, "encap"));
	v->seq_in = (uint64_t)json_integer_value(json_object_get(o, "seq_in"));
	v->keys.key_size = vector_hex(string(o, "key"), v->keys.key, ESP_KEY_MAX);
	snprintf(v->cipher, sizeof v->cipher, "%s",
		 strcmp(alg, "gcm")       ? alg
		 : v->keys.key_size == 16 ? "aes128gcm"
					  : "aes256gcm");
	if (!*alg)
		snprintf(v->cipher, sizeof v->cipher, "%s", string(o, "cipher"));
	v->keys.key_size += vector_hex(string(o, "salt"), v->keys.key + v->keys.key_size, 4);
	v->keys.auth_size = vector_hex(string(o, "auth_key"), v->keys.auth, ESP_KEY_MAX);
}

static void load_inner(struct vector *v, const json_t *o, const char *name)
{
	const json_t *list = json_object_get(o, "inner_sent");

	need(json_array_size(list) <= VECTOR_INNER, name, "too many inner packets");
	v->n_inner = (unsigned)json_array_size(list);
	for (unsigned i = 0; i < v->n_inner; i++) {
		const char *hex = json_string_value(json_array_get(list, i));

		v->inner[i].octets = malloc(strlen(hex) / 2);
		v->inner[i].size = vector_hex(hex, v->inner[i].octets, strlen(hex) / 2);
	}
}

static void load_frames(struct vector *v, const char *name)
{
	char path[512], error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const u_char *data;
	pcap_t *pcap;

	path_of(name, "pcap", path);
	pcap = pcap_open_offline(path, error);
	need(pcap, name, error);
	while (pcap_next_ex(pcap, &h, &data) == 1) {
		need(v->n_frames < VECTOR_FRAMES, name, "too many frames");
		v->frame[v->n_frames].octets = malloc(h->caplen);
		memcpy(v->frame[v->n_frames].octets, data, h->caplen);
		v->frame[v->n_frames].ns = (uint64_t)h->ts.tv_sec * NSEC_PER_SEC +
					   (uint64_t)h->ts.tv_usec * NSEC_PER_USEC;
		v->frame[v->n_frames++].size = h->caplen;
	}
	pcap_close(pcap);
}

struct vector *vector_load(const char *name)
{
	struct vector *v = calloc(1, sizeof *v);
	char path[512];
	json_t *o;

	path_of(name, "json", path);
	o = json_load_file(path, 0, NULL);
	need(o, name, "its .json cannot be read");
	load_sa(v, o);
	load_inner(v, o, name);
	load_frames(v, name);
	json_decref(o);
	return v;
}

void vector_free(struct vector *v)
{
	for (unsigned i = 0; i < v->n_frames; i++)
		free(v->frame[i].octets);
	for (unsigned i = 0; i < v->n_inner; i++)
		free(v->inner[i].octets);
	free(v);
}
