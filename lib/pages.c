/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pages.h"

#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

void *pages_alloc(size_t size)
{
	size_t room = ROUND_UP(size, HUGE_PAGE) + HUGE_PAGE;
	uint8_t *at = mmap(NULL, room, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before, behind;

	if (at == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)at % HUGE_PAGE;
	behind = room - before - ROUND_UP(size, HUGE_PAGE);
	if (before)
		munmap(at, before);
	if (behind)
		munmap(at + room - behind, behind);
	madvise(at + before, ROUND_UP(size, HUGE_PAGE), MADV_HUGEPAGE); /* without, it works too */
	return at + before;
}

void pages_free(void *memory, size_t size)
{
	if (memory)
		munmap(memory, ROUND_UP(size, HUGE_PAGE));
}
