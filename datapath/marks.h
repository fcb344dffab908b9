/* SPDX-License-Identifier: Apache-2.0 */
/* High-water marks of sequence numbers, so that an IV never repeats under a key, whatever crashes.
 *
 * A mark belongs to a key and its salt, named by a fingerprint of both, and outlives the
 * connection: whoever uses the same key again, after a delete, a restart or a power cut, goes on
 * where it stopped.  The file says up to which number a key may have been used; it is written and
 * synced *before* those numbers are.  A thread of its own, never behind a transaction, reserves
 * at least 30 s of traffic ahead (2^16 to 2^28 numbers) once half of a reservation is used; a
 * sender that gets there first has to drop.  For receivers the right edge of the replay window is
 * kept each second.
 *
 * A disk that is full keeps no daemon from starting: the file has its room from the day it was
 * made, and where it cannot be written even so, what was reserved may be used and no more is.
 *
 * The file holds two slots, each with a generation and a checksum, written in turn: a write
 * that power cut short leaves the other one whole.  It is locked by its daemon.
 *
 * Threads.  Claim and release: the control thread.  mark_limit(), mark_use() and mark_seen(): the
 * connection's worker; they are loads and stores.  There is one file for the process. */
#ifndef SLUICE_MARKS_H
#define SLUICE_MARKS_H

#include "lib/refuse.h"

enum { MARK_FINGERPRINT = 16, MARKS_MAX = 16384 };

#define MARK_STEP_MIN (1ull << 16)
#define MARK_STEP_MAX (1ull << 28)

/* One direction of one connection. */
struct mark {
	struct mark *next;
	uint32_t entry; /* its key's place in the file */
	uint64_t max;   /* a sender's: the last number its SA can have */
	/* Shared with the worker. */
	uint64_t limit; /* numbers up to here may be used now */
	uint64_t used;  /* the last one used */
	uint64_t seen;  /* a receiver's: the right edge */
	/* The thread's. */
	uint64_t step;                 /* how many numbers a reservation has */
	uint64_t asked_ns, asked_used; /* of the last reservation, for the rate */
};

/* Opens the file (made when there is none) and starts the thread.  Refuses a file that is another
 * daemon's or whose slots are both broken.  NULL: no file; marks last as long as the process, and
 * senders whose IV must not repeat are refused unless `lax`. */
int marks_open(const char *file, struct refusal *r);
/* Writes what was really used, stops the thread, forgets. */
void marks_close(void);

struct mark_key {
	const void *key, *auth; /* with its salt; the other one, for ciphers that have it */
	size_t key_size, auth_size;
	bool counter; /* an IV must not repeat: refuse where nothing is kept */
	bool esn;
	bool lax; /* offline: a run of packets' time, nothing leaves */
};

/* For a sender: the mark of its key; mark->used is the last number that may have been used before.
 * Numbers are reserved, or will be as soon as the file can be written.  Refuses a key that a live
 * sender has. */
int mark_claim_sender(const struct mark_key *key, struct mark **m, struct refusal *r);
/* For a receiver; mark->seen is where its window restarts.  Several may have one key. */
int mark_claim_receiver(const struct mark_key *key, struct mark **m, struct refusal *r);
/* NULL is fine. */
void mark_release_sender(struct mark *m);
void mark_release_receiver(struct mark *m);

static inline uint64_t mark_limit(const struct mark *m)
{
	return __atomic_load_n(&m->limit, __ATOMIC_ACQUIRE);
}

static inline void mark_use(struct mark *m, uint64_t seq)
{
	__atomic_store_n(&m->used, seq, __ATOMIC_RELAXED);
}

static inline void mark_seen(struct mark *m, uint64_t seq)
{
	__atomic_store_n(&m->seen, seq, __ATOMIC_RELAXED);
}

/* One round of the thread at time `now_ns`: reserves where half is used, writes, publishes.  For
 * tests; -errno when the file could not be written (nothing was published). */
int marks_turn(uint64_t now_ns);

#endif
