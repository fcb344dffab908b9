/* SPDX-License-Identifier: Apache-2.0 */
/* Where keys live: one arena for all of libcrypto's memory, locked, in no core dump, wiped when
 * freed.
 *
 * libcrypto keeps keys and key schedules wherever its allocator puts them, and copies them as it
 * likes; so all of it comes from here (CRYPTO_set_mem_functions), TLS included.  Blocks are of
 * powers of two, from free lists; the arena is address space that is touched, and locked, as it
 * is used.  A full arena gives NULL, which libcrypto reports as any lack of memory.
 *
 * Threads: any, under one lock.  AEAD ciphers allocate nothing per packet and never come here on a
 * packet's path; HMAC does. */
#ifndef SLUICE_SECRETS_H
#define SLUICE_SECRETS_H

#include "lib/base.h"

enum { SECRETS_SIZE = 64 << 20 };

/* Before anything else uses libcrypto: first in main().  -ENOMEM; -EBUSY: it was used already. */
int secrets_init(void);

/* Locks what is in use and what will be: in the process that stays (a fork's child has no locked
 * memory).  -errno when that is not permitted here; secrets work on, unlocked. */
int secrets_lock(void);

bool secrets_hold(const void *p);   /* whether p lies in the arena */
uint64_t secrets_allocations(void); /* blocks given out so far */

#endif
