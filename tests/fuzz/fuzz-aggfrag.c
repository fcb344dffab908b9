/* SPDX-License-Identifier: Apache-2.0 */
/* AGGFRAG payloads of a peer that has the key: from behind the ICV through reordering, the walk and
 * reassembly to data units.  An input is a row of payloads: a step of the sequence number (low 3
 * bits; with bit 3, time passes too), a length of 16 bits, octets.  After each input both balances
 * are even and every frame is at home. */
#include <stdint.h>
#include <stdlib.h>

#include "datapath/aggfrag.h"
#include "lib/cursor.h"
#include "tests/unit/iptfs-bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SPI = 4096, PAYLOAD_MAX = 3500 };

static const char options[] =
	"local=10.9.0.2 remote=10.9.0.1 spi-in=4096 cipher=null-sha256 seq-in=0 "
	"auth-key-in=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static void sender(struct esp_sa *sa)
{
	struct esp_keys keys = {.auth_size = 32};

	for (uint8_t i = 0; i < 32; i++)
		keys.auth[i] = i;
	*sa = (struct esp_sa){.cipher = esp_cipher_by_name("null-sha256"), .spi = SPI, .esn = true};
	if (esp_sa_open(sa, &keys, ESP_SEAL, NULL))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct iptfs_bed *bed;
	static struct esp_sa sa;
	struct reader r = reader_of(data, size);
	uint64_t seq = 1;

	if (!bed) {
		bed = bed_new();
		sender(&sa);
	}
	must_conn(bed, options);
	while (reader_left(&r) >= 3 && bed->given.n < BED_KEPT / 2) {
		uint8_t step = pull_u8(&r), frame[4096];
		size_t n = pull_u16(&r);
		struct octets payload;

		n = MIN(n, reader_left(&r));
		n = MIN(n, (size_t)PAYLOAD_MAX);
		payload = (struct octets){(uint8_t *)(uintptr_t)pull(&r, n), n, n};
		bed_receive(bed, frame, bed_frame(&sa, seq, payload, AGG_NEXT_HEADER, frame));
		seq += step & 7;
		if (step & 8)
			bed_wait(bed, (step >> 4) * 3 * NSEC_PER_MSEC);
	}
	bed_conn_del(bed, bed->w->conn[0]);
	kept_clear(&bed->given);
	if (!bed_balanced(bed) || bed->w->frames.n_free != bed->w->frames.n_total)
		abort();
	return 0;
}
