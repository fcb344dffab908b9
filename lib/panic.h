/* SPDX-License-Identifier: Apache-2.0 */
/* The panic page: a few words of memory that daemon and operator share, RUN_DIR/panic.
 *
 * sluiced makes the file, maps it and keeps it up to date; sluice-ctl maps it and writes the two
 * flags, so `panic` works when no thread of the daemon answers.  `pass` is read by each
 * worker at the batch edge.  For `detach` the page names the XDP links, so that sluice-ctl takes
 * them off itself; a daemon that (still or again) runs sees the flag and leaves its ports detached
 * until it is cleared.  The file outlives the daemon: what an operator said holds until he takes it
 * back.  Every word is read and written whole, with relaxed or stronger atomics; nothing in the
 * file is believed without a bound. */
#ifndef SLUICE_PANIC_H
#define SLUICE_PANIC_H

#include "lib/base.h"

enum { PANIC_MAGIC = 0x534c5058, PANIC_LINKS = 1024 };

struct panic_page {
	uint32_t magic;   /* PANIC_MAGIC once it is filled in */
	uint32_t pass;    /* rules are bypassed; automation is off */
	uint32_t detach;  /* no port has its XDP program; automation is off */
	uint32_t n_links; /* of the array below, at most PANIC_LINKS */
	struct {
		uint32_t ifindex, link_id; /* ifindex 0: a free slot */
	} link[PANIC_LINKS];
};

/* Opens RUN_DIR/panic, makes it (0600, zeroed, PANIC_MAGIC) if it is not there; maps it shared.
 * NULL and errno.  A file of another size or magic is made anew by the daemon (`make`), refused by
 * others (EPROTO). */
struct panic_page *panic_open(const char *run_dir, bool make);
void panic_close(struct panic_page *p);

static inline bool panic_on(const uint32_t *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED) != 0;
}

#endif
