/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32c (Castagnoli's polynomial, RFC 9260 appendix A), as SCTP has it, changed in place.
 *
 * The CRC is linear: that of a message of which some bits are turned differs by the CRC of these
 * bits alone, and zeros behind them multiply by a power of x.  So what a change does to a checksum
 * is known from the change and the message's length; the rest of it is not read.
 *
 * Pure functions, any thread. */
#ifndef SLUICE_CRC32C_H
#define SLUICE_CRC32C_H

#include "lib/base.h"

/* The CRC, which was `crc`, of `size` octets (4 at least) when the first four are turned by `diff`.
 * All as SCTP writes them: least significant octet first. */
uint32_t crc32c_update(uint32_t crc, uint32_t diff, size_t size);

#endif
