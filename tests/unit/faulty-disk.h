/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that fails where a test says: SQLite's default VFS, with a finger on each operation that
 * changes a file (write, truncate, sync, delete).
 *
 * Operations are counted from disk_begin() on.  From the one with the number `at` on, the disk does
 * as `fault` says: the process is killed before it, in the middle of it (half of the octets are
 * there), or the power goes (what was not synced is there or not, as a coin says for each write);
 * or it has no room, or its syncs fail; or a sync does not return until disk_release(). */
#ifndef SLUICE_TESTS_FAULTY_DISK_H
#define SLUICE_TESTS_FAULTY_DISK_H

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum disk_fault {
	DISK_SOUND,
	DISK_KILLED,
	DISK_TORN,
	DISK_POWER_CUT,
	DISK_FULL,
	DISK_SYNC_FAILS,
	DISK_STALLED
};

struct disk_file {
	sqlite3_file base;
	sqlite3_file *real;
};

/* What a write that is not synced replaced. */
struct disk_write {
	struct disk_write *next;
	sqlite3_file *real;
	sqlite3_int64 offset, size_before;
	int size, size_old;
	unsigned char old[];
};

static struct {
	sqlite3_vfs vfs, *real;
	_Atomic enum disk_fault fault;
	_Atomic unsigned long n, at;
	struct disk_write *unsynced;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	atomic_bool stalls;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static inline void disk_die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static inline void disk_remember(sqlite3_file *real, int size, sqlite3_int64 offset)
{
	struct disk_write *w = calloc(1, sizeof *w + (size_t)size);

	w->real = real;
	w->offset = offset;
	w->size = size;
	real->pMethods->xFileSize(real, &w->size_before);
	w->size_old = (int)(w->size_before <= offset          ? 0
			    : w->size_before - offset >= size ? size
							      : w->size_before - offset);
	if (w->size_old)
		real->pMethods->xRead(real, w->old, w->size_old, offset);
	w->next = disk.unsynced;
	disk.unsynced = w;
}

static inline void disk_synced(const sqlite3_file *real)
{
	for (struct disk_write **link = &disk.unsynced, *w; (w = *link);) {
		if (w->real != real) {
			link = &w->next;
			continue;
		}
		*link = w->next;
		free(w);
	}
}

/* The newest first, so that older ones are what they were. */
static inline void disk_lose(void)
{
	static const unsigned char zeros[1 << 16];

	srandom((unsigned)disk.at);
	for (struct disk_write *w = disk.unsynced; w; w = w->next) {
		const sqlite3_io_methods *m = w->real->pMethods;

		if (random() % 2)
			continue;
		if (w->size_old)
			m->xWrite(w->real, w->old, w->size_old, w->offset);
		if (w->size > w->size_old && w->size - w->size_old <= (int)sizeof zeros)
			m->xWrite(w->real, zeros, w->size - w->size_old, w->offset + w->size_old);
	}
	disk_die();
}

/* The next operation: whether it comes to its turn to fail. */
static inline enum disk_fault disk_next(void)
{
	enum disk_fault fault = disk.n++ + 1 >= disk.at ? disk.fault : DISK_SOUND;

	if (fault == DISK_KILLED)
		disk_die();
	if (fault == DISK_POWER_CUT)
		disk_lose();
	return fault;
}

static inline sqlite3_file *disk_real(sqlite3_file *f)
{
	return ((struct disk_file *)f)->real;
}

static inline int disk_close(sqlite3_file *f)
{
	sqlite3_file *real = disk_real(f);
	int error = 0;

	disk_synced(real);
	if (real->pMethods)
		error = real->pMethods->xClose(real);
	free(real);
	return error;
}

static inline int disk_read(sqlite3_file *f, void *to, int size, sqlite3_int64 offset)
{
	return disk_real(f)->pMethods->xRead(disk_real(f), to, size, offset);
}

static inline int disk_write(sqlite3_file *f, const void *from, int size, sqlite3_int64 offset)
{
	sqlite3_file *real = disk_real(f);
	enum disk_fault fault = disk_next();

	if (fault == DISK_FULL)
		return SQLITE_FULL;
	if (fault == DISK_TORN) {
		real->pMethods->xWrite(real, from, size / 2, offset);
		disk_die();
	}
	disk_remember(real, size, offset);
	return real->pMethods->xWrite(real, from, size, offset);
}

static inline int disk_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	disk_next();
	return disk_real(f)->pMethods->xTruncate(disk_real(f), size);
}

static inline int disk_sync(sqlite3_file *f, int flags)
{
	enum disk_fault fault = disk_next();

	if (fault == DISK_SYNC_FAILS)
		return SQLITE_IOERR_FSYNC;
	pthread_mutex_lock(&disk.lock);
	while (fault == DISK_STALLED && disk.fault == DISK_STALLED) {
		disk.stalls = true;
		pthread_cond_wait(&disk.cond, &disk.lock);
	}
	disk.stalls = false;
	pthread_mutex_unlock(&disk.lock);
	/* Who dies here is a process: what it wrote is there, and a real sync would cost time. */
	(void)flags;
	disk_synced(disk_real(f));
	return SQLITE_OK;
}

static inline int disk_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return disk_real(f)->pMethods->xFileSize(disk_real(f), size);
}

static inline int disk_lock(sqlite3_file *f, int level)
{
	return disk_real(f)->pMethods->xLock(disk_real(f), level);
}

static inline int disk_unlock(sqlite3_file *f, int level)
{
	return disk_real(f)->pMethods->xUnlock(disk_real(f), level);
}

static inline int disk_check(sqlite3_file *f, int *locked)
{
	return disk_real(f)->pMethods->xCheckReservedLock(disk_real(f), locked);
}

static inline int disk_control(sqlite3_file *f, int op, void *arg)
{
	return disk_real(f)->pMethods->xFileControl(disk_real(f), op, arg);
}

static inline int disk_sector(sqlite3_file *f)
{
	return disk_real(f)->pMethods->xSectorSize(disk_real(f));
}

/* Of a plain disk: no promise that a write is whole or in order. */
static inline int disk_character(sqlite3_file *f)
{
	(void)f;
	return 0;
}

/* Version 1: neither shared memory nor mapped files, which a store that is locked does not need. */
static const sqlite3_io_methods disk_methods = {
	.iVersion = 1,
	.xClose = disk_close,
	.xRead = disk_read,
	.xWrite = disk_write,
	.xTruncate = disk_truncate,
	.xSync = disk_sync,
	.xFileSize = disk_size,
	.xLock = disk_lock,
	.xUnlock = disk_unlock,
	.xCheckReservedLock = disk_check,
	.xFileControl = disk_control,
	.xSectorSize = disk_sector,
	.xDeviceCharacteristics = disk_character,
};

static inline int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
			    int *out)
{
	struct disk_file *file = (struct disk_file *)f;
	int error;

	(void)vfs;
	file->real = calloc(1, (size_t)disk.real->szOsFile);
	error = disk.real->xOpen(disk.real, name, file->real, flags, out);
	file->base.pMethods = error ? NULL : &disk_methods;
	if (error)
		free(file->real);
	return error;
}

static inline int disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	disk_next();
	return disk.real->xDelete(disk.real, name, sync);
}

/* In front of the real one from now on.  Once in a process. */
static inline void disk_install(void)
{
	disk.real = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.real;
	disk.vfs.zName = "faulty";
	disk.vfs.szOsFile = sizeof(struct disk_file);
	disk.vfs.xOpen = disk_open;
	disk.vfs.xDelete = disk_delete;
	sqlite3_vfs_register(&disk.vfs, 1);
}

static inline void disk_begin(enum disk_fault fault, unsigned long at)
{
	disk.n = 0;
	disk.at = at;
	disk.fault = fault;
}

static inline void disk_release(void)
{
	pthread_mutex_lock(&disk.lock);
	disk.fault = DISK_SOUND;
	pthread_cond_broadcast(&disk.cond);
	pthread_mutex_unlock(&disk.lock);
}

#endif
