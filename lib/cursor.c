/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cursor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Room for `size` more octets and a NUL behind them. */
static void buf_reserve(struct buf *b, size_t size)
{
	size_t need, room = MAX(b->room, 64);

	if (__builtin_add_overflow(b->size, size, &need) || ++need > SIZE_MAX / 2)
		abort();
	if (need <= b->room)
		return;
	while (room < need)
		room *= 2;
	b->data = realloc(b->data, room);
	if (!b->data)
		abort();
	b->room = room;
}

void *buf_put(struct buf *b, size_t size)
{
	uint8_t *at;

	buf_reserve(b, size);
	at = b->data + b->size;
	memset(at, 0, size);
	b->size += size;
	return at;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args, again;
	int n;

	buf_reserve(b, 0);
	va_start(args, fmt);
	va_copy(again, args);
	n = vsnprintf((char *)b->data + b->size, b->room - b->size, fmt, args);
	if (n < 0)
		abort();
	if ((size_t)n >= b->room - b->size) {
		buf_reserve(b, (size_t)n);
		vsnprintf((char *)b->data + b->size, b->room - b->size, fmt, again);
	}
	b->size += (size_t)n;
	va_end(again);
	va_end(args);
}

const char *buf_text(struct buf *b)
{
	buf_reserve(b, 0);
	b->data[b->size] = '\0';
	return (const char *)b->data;
}
