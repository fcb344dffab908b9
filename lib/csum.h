/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3).
 *
 * Sums are over memory as it stands, so nothing is swapped: what csum_finish() gives is stored as
 * it is.  Pure functions, any thread; nothing is owned. */
#ifndef SLUICE_CSUM_H
#define SLUICE_CSUM_H

#include "lib/base.h"

/* One's complement sum of `size` octets added to `sum`; partial sums chain when every part but
 * the last has an even size. */
uint32_t csum_add(uint32_t sum, const void *data, size_t size);
/* Folds and complements: the value to store, in network order as it stands in memory. */
be16 csum_finish(uint32_t sum);

static inline be16 csum(const void *data, size_t size)
{
	return csum_finish(csum_add(0, data, size));
}

/* The pseudo-header's sum (RFC 793 3.1, RFC 8200 8.1): addresses of 4 or 16 octets. */
uint32_t csum_pseudo(const void *src, const void *dst, size_t addr_size, uint8_t proto,
		     uint32_t len);

/* The checksum after `size` octets (even, at an even place) changed from `old` to `fresh`. */
be16 csum_update(be16 sum, const void *old, const void *fresh, size_t size);

#endif
