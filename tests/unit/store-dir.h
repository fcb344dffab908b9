/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for each test that keeps a store in a file: `file` names the store, and what
 * SQLite and the marks put beside it goes with it. */
#ifndef SLUICE_TESTS_STORE_DIR_H
#define SLUICE_TESTS_STORE_DIR_H

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch.h"

static char directory[64], file[128];

static inline int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/sluice-store-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof file, "%s/db", directory);
	return 0;
}

static inline int tear_down(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", "-marks"};
	char path[160];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(suffixes); i++) {
		snprintf(path, sizeof path, "%s%s", file, suffixes[i]);
		unlink(path);
	}
	return rmdir(directory);
}

/* The store cannot grow any more; or can again. */
static inline void disk_full(bool full)
{
	static struct rlimit before;
	struct rlimit limit;
	struct stat st;
	char wal[160];

	if (!full) {
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		return;
	}
	signal(SIGXFSZ, SIG_IGN);
	snprintf(wal, sizeof wal, "%s-wal", file);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)st.st_size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#endif
