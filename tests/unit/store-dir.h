/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for each test that keeps a store in a file: `file` names the store, and what
 * SQLite and the marks put beside it goes with it. */
#ifndef SLUICE_TESTS_STORE_DIR_H
#define SLUICE_TESTS_STORE_DIR_H

#include <stdio.h>
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

#endif
