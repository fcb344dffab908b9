/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files into memory, for the command line's ends: configuration, rules of add-flows.
 *
 * The caller owns what was read.  Never on the control thread once it serves: a file can block. */
#ifndef SLUICE_CTL_FILE_H
#define SLUICE_CTL_FILE_H

#include "lib/refuse.h"

/* Reads `file` (`-`: standard input), at most `max` octets; *content is terminated, and free()d by
 * the caller; *size (or NULL) without the NUL. */
int file_read(const char *file, size_t max, char **content, size_t *size, struct refusal *r);

#endif
