/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice-ctl panic`: what works when the daemon does not.
 *
 * The page RUN_DIR/panic (lib/panic.h) is mapped here and its flags are written.  For `detach` each
 * XDP link that the page names is taken off by its id, which needs root and not the daemon.  It
 * hears of the change when the page is unmapped. */
#ifndef SLUICE_UTILITIES_PANIC_H
#define SLUICE_UTILITIES_PANIC_H

#include <jansson.h>

#include "lib/cursor.h"
#include "lib/refuse.h"

struct panic_answer {
	struct buf text;
	json_t *value;
};

/* `what`: pass, detach, off.  0 and what was done (the caller frees both), or a refusal. */
int panic_do(const char *run_dir, const char *what, struct panic_answer *answer, struct refusal *r);

#endif
