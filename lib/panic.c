/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/panic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOAD(WORD)         __atomic_load_n(&(WORD), __ATOMIC_ACQUIRE)
#define STORE(WORD, VALUE) __atomic_store_n(&(WORD), (VALUE), __ATOMIC_RELEASE)

/* Maps an open file that has the right size and owner, and that he alone can write to, since root
 * does as it says; -1 and EPROTO or EPERM otherwise. */
static int map(int fd, uid_t owner, struct panic_page **page)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st))
		return -1;
	if (st.st_uid && st.st_uid != geteuid() && st.st_uid != owner) {
		errno = EPERM; /* whose it is could cut it short under us */
		return -1;
	}
	if (!S_ISREG(st.st_mode) || st.st_mode & (S_IWGRP | S_IWOTH) ||
	    st.st_size != (off_t)sizeof **page) {
		errno = EPROTO;
		return -1;
	}
	at = mmap(NULL, sizeof **page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -1;
	*page = at;
	return 0;
}

static struct panic_page *open_old(const char *path, uid_t owner)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), error;
	struct panic_page *page = NULL;

	if (fd < 0)
		return NULL;
	error = map(fd, owner, &page) ? errno : 0;
	close(fd);
	if (page && LOAD(page->magic) != PANIC_MAGIC) {
		panic_close(page);
		page = NULL;
		error = EPROTO;
	}
	errno = error;
	return page;
}

/* In the place of what was there: whoever has mapped that keeps it. */
static struct panic_page *open_new(const char *path)
{
	struct panic_page *page = NULL;
	int fd, error;

	if (unlink(path) && errno != ENOENT)
		return NULL;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	/* Every octet is there from now on: a full file system is told here, not by a signal. */
	error = posix_fallocate(fd, 0, sizeof *page);
	if (!error && map(fd, geteuid(), &page))
		error = errno;
	close(fd);
	if (page)
		STORE(page->magic, PANIC_MAGIC);
	errno = error;
	return page;
}

struct panic_page *panic_open(const char *run_dir, bool make)
{
	struct panic_page *page;
	struct stat st;
	char path[4096];

	if ((size_t)snprintf(path, sizeof path, "%s/panic", run_dir) >= sizeof path) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	if (stat(run_dir, &st))
		return NULL;
	page = open_old(path, st.st_uid);
	return page || !make ? page : open_new(path);
}

void panic_close(struct panic_page *p)
{
	if (p)
		munmap(p, sizeof *p);
}

unsigned panic_state(const struct panic_page *p)
{
	return (LOAD(p->pass) ? PANIC_PASS : 0) | (LOAD(p->detach) ? PANIC_DETACH : 0);
}

void panic_set(struct panic_page *p, unsigned state)
{
	STORE(p->pass, !!(state & PANIC_PASS));
	STORE(p->detach, !!(state & PANIC_DETACH));
	/* The daemon names a link, then looks at the flag; we set the flag, then look at links. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

const char *panic_text(unsigned state)
{
	if (state & PANIC_DETACH)
		return "PANIC: detached, the kernel forwards and sluice does nothing; automation "
		       "is off.  `sluice-ctl panic off` ends it";
	if (state & PANIC_PASS)
		return "PANIC: rules are bypassed, packets go by routes alone; automation is off.  "
		       "`sluice-ctl panic off` ends it";
	return NULL;
}

/* ---- Links ------------------------------------------------------------------------------- */

int panic_link_add(struct panic_page *p, uint32_t ifindex, uint32_t link_id)
{
	uint32_t slot = PANIC_LINKS;

	for (uint32_t i = 0; i < PANIC_LINKS; i++) {
		if (LOAD(p->link[i].ifindex) == ifindex) {
			slot = i;
			break;
		}
		if (!LOAD(p->link[i].ifindex) && slot == PANIC_LINKS)
			slot = i;
	}
	if (slot == PANIC_LINKS)
		return -ENOSPC;
	STORE(p->link[slot].link_id, link_id);
	STORE(p->link[slot].ifindex, ifindex);
	if (LOAD(p->n_links) <= slot)
		STORE(p->n_links, slot + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return 0;
}

void panic_link_del(struct panic_page *p, uint32_t ifindex)
{
	for (uint32_t i = 0; i < PANIC_LINKS; i++)
		if (LOAD(p->link[i].ifindex) == ifindex)
			STORE(p->link[i].ifindex, 0);
}

void panic_links_forget(struct panic_page *p)
{
	for (uint32_t i = 0; i < PANIC_LINKS; i++)
		STORE(p->link[i].ifindex, 0);
	STORE(p->n_links, 0);
}

bool panic_link_next(const struct panic_page *p, uint32_t *at, struct panic_link *link)
{
	uint32_t n = MIN(LOAD(p->n_links), (uint32_t)PANIC_LINKS);

	while (*at < n) {
		const struct panic_link *slot = &p->link[(*at)++];

		*link = (struct panic_link){LOAD(slot->ifindex), LOAD(slot->link_id)};
		if (link->ifindex)
			return true;
	}
	return false;
}
