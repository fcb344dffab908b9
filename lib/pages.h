/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that packets go through: zeroed, in pages of 2 MiB where the kernel has them to give.  A
 * worker that touches thousands of small pages waits for their translation, more or less by how
 * they happened to lie. */
#ifndef SLUICE_PAGES_H
#define SLUICE_PAGES_H

#include "lib/base.h"

void *pages_alloc(size_t size); /* NULL: no memory */
void pages_free(void *memory, size_t size);

#endif
