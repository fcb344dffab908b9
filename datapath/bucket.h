/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets that several workers share, each with a lease.
 *
 * A bucket is one word: the time up to which its tokens are spent.  At `now` it holds what `now`
 * minus that word buys, at most the burst; spending moves the word on.  So nothing has to be
 * refilled, a bucket of zeroes is full, and a change of rate needs no conversion.  A worker takes
 * from it by compare-and-swap, at most 1/64 of the burst ahead of what the packet in its hand
 * costs, and keeps the rest as its *lease*: most packets touch nothing that others write, and what
 * all workers hold unspent stays a small part of the burst.
 *
 * A packet passes while there is anything left, and may spend more than that: then the bucket is in
 * debt, and nothing passes until time has paid.  The sum over all workers is at most rate times
 * time, plus the burst, plus one packet.
 *
 * The bucket is of all workers; the lease of its worker alone.  The control thread makes a bucket
 * new with bucket_reset(): its generation tells the workers that their leases are void. */
#ifndef SLUICE_BUCKET_H
#define SLUICE_BUCKET_H

#include "lib/base.h"

enum { BUCKET_SHARE = 64, BUCKET_FRACTION = 16 /* bits of a nanosecond */ };

struct bucket {
	uint64_t spent; /* until when, ns, from a zero that no clock reaches; 0: full */
	uint32_t gen;
};

struct lease {
	uint64_t credit; /* ns << BUCKET_FRACTION */
	uint32_t gen;
};

struct bucket_rate {
	uint64_t cost;     /* of one token: ns << BUCKET_FRACTION */
	uint64_t burst_ns; /* time in which the bucket fills; at least 1 */
	uint64_t lease_ns;
};

/* `per_s` a second of what a token is `worth` (octets of 8 bits: 8), `burst` at most; none is 0,
 * and a burst is less than BUCKET_BURST_S seconds' worth. */
enum { BUCKET_BURST_S = 1000 };
struct bucket_rate bucket_rate(uint64_t per_s, uint64_t burst, unsigned worth);

/* Spends `tokens` (up to 65,535) at `now`, ns; false: the packet is above the rate.  Worker. */
bool bucket_take(struct bucket *b, struct lease *l, const struct bucket_rate *rate, uint64_t now,
		 uint32_t tokens);
/* Whether the next packet would pass, leases apart; nothing is spent.  Any thread. */
bool bucket_holds(const struct bucket *b, const struct bucket_rate *rate, uint64_t now);
/* Full again.  Control thread. */
void bucket_reset(struct bucket *b);

/* Address space for `n` of them, zeroes; a page comes to be when its first one is used.  NULL: no
 * room. */
struct bucket *buckets_reserve(size_t n);
void buckets_release(struct bucket *b, size_t n);
struct lease *leases_reserve(size_t n);
void leases_release(struct lease *l, size_t n);

#endif
