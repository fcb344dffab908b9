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

struct panic_link {
	uint32_t ifindex, link_id; /* ifindex 0: a free slot */
};

struct panic_page {
	uint32_t magic;   /* PANIC_MAGIC once it is filled in */
	uint32_t pass;    /* rules are bypassed; automation is off */
	uint32_t detach;  /* no port has its XDP program; automation is off */
	uint32_t n_links; /* of the array below, at most PANIC_LINKS */
	struct panic_link link[PANIC_LINKS];
};

/* Opens RUN_DIR/panic, makes it (0600, zeroed, PANIC_MAGIC) if it is not there; maps it shared.
 * NULL and errno.  A file of another size or magic, or that is neither root's, ours, nor the
 * folder's owner's, is made anew by the daemon (`make`), refused by others (EPROTO, EPERM). */
struct panic_page *panic_open(const char *run_dir, bool make);
void panic_close(struct panic_page *p);

/* The flags as one word; 0: no panic. */
enum panic_state { PANIC_PASS = 1 << 0, PANIC_DETACH = 1 << 1 };
unsigned panic_state(const struct panic_page *p);
void panic_set(struct panic_page *p, unsigned state); /* everything before is seen with it */
/* One line for people: what holds, and how it ends.  NULL: no panic. */
const char *panic_text(unsigned state);

/* The daemon's part, of its control thread: links come and go; at its start none is left of a
 * daemon's before it.  -ENOSPC: more than PANIC_LINKS. */
int panic_link_add(struct panic_page *p, uint32_t ifindex, uint32_t link_id);
void panic_link_del(struct panic_page *p, uint32_t ifindex);
void panic_links_forget(struct panic_page *p);
/* The next link from *at on, which moves on; false: there is none left. */
bool panic_link_next(const struct panic_page *p, uint32_t *at, struct panic_link *link);

static inline bool panic_on(const uint32_t *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED) != 0;
}

#endif
