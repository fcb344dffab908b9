/* SPDX-License-Identifier: Apache-2.0 */
/* The vectors of tests/vectors: an SA, its aggregates as frames, and the packets that must come
 * out of them.  Tests alone use it; what is broken ends the test. */
#ifndef SLUICE_VECTOR_H
#define SLUICE_VECTOR_H

#include "datapath/esp.h"

enum { VECTOR_FRAMES = 64, VECTOR_INNER = 128 };

struct vector {
	char cipher[24];
	struct esp_keys keys;
	uint32_t spi;
	bool esn, udp;
	uint64_t seq_in;
	unsigned n_frames, n_inner;
	struct {
		uint8_t *octets;
		size_t size;
		uint64_t ns; /* the capture's time */
	} frame[VECTOR_FRAMES], inner[VECTOR_INNER];
};

extern const char *const vector_names[]; /* all of them; NULL-terminated */

struct vector *vector_load(const char *name);
void vector_free(struct vector *v);
size_t vector_hex(const char *text, uint8_t *to, size_t room);

#endif
