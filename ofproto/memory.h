/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the control side: what runs out aborts the program, for there is nothing sensible that
 * a half-made rule could do.  Not for packets' paths, which never allocate. */
#ifndef SLUICE_OFPROTO_MEMORY_H
#define SLUICE_OFPROTO_MEMORY_H

#include <stdlib.h>

#include "lib/base.h"

/* Zeroed. */
static inline void *mem_new(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

static inline void *mem_grow(void *old, size_t size)
{
	void *p = realloc(old, size);

	if (!p)
		abort();
	return p;
}

/* NULL stays NULL. */
static inline char *mem_text(const char *text)
{
	return text ? strcpy(mem_new(strlen(text) + 1), text) : NULL;
}

/* For text that may hold keys. */
static inline void mem_wipe_text(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

#endif
