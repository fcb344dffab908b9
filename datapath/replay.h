/* SPDX-License-Identifier: Apache-2.0 */
/* The anti-replay window of one inbound SA (RFC 4303 3.4.3), with 64-bit sequence numbers.
 *
 * The window holds the last `size` numbers up to the highest that an authenticated packet ever
 * carried.  The order of use is fixed: replay_infer() gives the 64-bit number that the 32 bits on
 * the wire stand for (RFC 4303 Appendix A2.2), replay_check() refuses what cannot be new before any
 * octet is decrypted, and replay_update() is called only after the ICV has passed.  Nothing an
 * unauthenticated packet says moves it.
 *
 * Owned by the connection's worker.  Pure: no packet, no clock. */
#ifndef SLUICE_REPLAY_H
#define SLUICE_REPLAY_H

#include "lib/base.h"

enum { REPLAY_MIN = 64, REPLAY_MAX = 4096 };

struct replay {
	uint64_t top;  /* the highest number authenticated; 0: none yet */
	uint32_t size; /* of the window, a multiple of 64 */
	bool esn;
	uint64_t seen[REPLAY_MAX / 64]; /* number n is bit n % size */
};

enum replay_verdict { REPLAY_FRESH, REPLAY_SEEN, REPLAY_OLD };

/* `size` within REPLAY_MIN and REPLAY_MAX, rounded up to a multiple of 64.  `top`: the last number
 * known to have been used (0 for a new SA); it and all before it count as seen. */
void replay_init(struct replay *r, uint32_t size, bool esn, uint64_t top);

/* The whole number of a packet whose header says `low`.  0, which no packet carries, when it would
 * lie before the first. */
uint64_t replay_infer(const struct replay *r, uint32_t low);

enum replay_verdict replay_check(const struct replay *r, uint64_t seq);

/* What a packet's place tells: how many numbers are missing just before it, and how far behind
 * the highest it came. */
struct replay_place {
	uint64_t gap, late;
};

/* Marks `seq`, fresh and authenticated, as seen. */
struct replay_place replay_update(struct replay *r, uint64_t seq);

#endif
