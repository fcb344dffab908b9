/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice-ctl make-certificates` and its like: files of a laboratory's CA, with no daemon. */
#ifndef SLUICE_UTILITIES_LAB_H
#define SLUICE_UTILITIES_LAB_H

#include "ctl/usage.h"
#include "lib/cursor.h"

/* Does it; 0 and what to do with the files in `text` (the caller frees it), or a refusal. */
int lab_do(const struct verb *v, const struct args *args, struct buf *text, struct refusal *r);

#endif
