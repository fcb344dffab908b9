/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int read_all(FILE *f, size_t max, char **content, size_t *size)
{
	size_t room = 4096, n = 0, got;
	char *data = malloc(room);

	while (data && (got = fread(data + n, 1, room - n - 1, f)) > 0) {
		char *more = data;

		n += got;
		if (n > max)
			break;
		if (n + 1 == room)
			more = realloc(data, room *= 2);
		if (!more)
			abort();
		data = more;
	}
	if (!data)
		abort();
	data[n] = '\0';
	*content = data;
	*size = n;
	return ferror(f) ? -errno : n > max ? -EFBIG : 0;
}

int file_read(const char *file, size_t max, char **content, size_t *size, struct refusal *r)
{
	bool standard = !strcmp(file, "-");
	FILE *f = standard ? stdin : fopen(file, "re");
	size_t n = 0;
	int error;

	*content = NULL;
	if (!f)
		return refuse(r, SYSTEM, file, "%s: %s", file, strerror(errno));
	error = read_all(f, max, content, &n);
	if (!standard)
		fclose(f);
	if (size)
		*size = n;
	if (!error)
		return 0;
	free(*content);
	*content = NULL;
	if (error == -EFBIG)
		return refuse(r, LIMIT, file, "%s is longer than %zu octets", file, max);
	return refuse(r, SYSTEM, file, "%s: %s", file, strerror(-error));
}
