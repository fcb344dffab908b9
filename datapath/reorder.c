/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/reorder.h"

void reorder_init(struct reorder *o, uint32_t window, uint64_t base)
{
	o->window = MIN(window, (uint32_t)REORDER_MAX);
	o->n = 0;
	o->want = 0;
	o->release = base;
}

bool reorder_put(struct reorder *o, const struct reorder_slot *slot)
{
	uint64_t seq = slot->seq;

	/* The first packet begins the count, unless one just before it may be on its way. */
	if (!o->want)
		o->want = seq <= o->release + o->window + 1 ? o->release + 1 : seq;
	if (seq < o->want)
		return false;
	if (seq > o->window)
		o->release = MAX(o->release, seq - o->window - 1);
	o->slot[o->n++] = *slot;
	return true;
}

bool reorder_take(struct reorder *o, struct reorder_slot *slot, uint64_t *lost)
{
	uint64_t next = UINT64_MAX;
	unsigned at = 0;

	if (!o->n)
		return false;
	for (unsigned i = 0; i < o->n; i++)
		if (o->slot[i].seq < next) {
			next = o->slot[i].seq;
			at = i;
		}
	if (next > o->want && o->release >= o->want) {
		uint64_t skip = MIN(next, o->release + 1) - o->want;

		*lost += skip;
		o->want += skip;
	}
	if (next != o->want)
		return false;
	*slot = o->slot[at];
	o->slot[at] = o->slot[--o->n];
	o->want++;
	return true;
}

void reorder_expire(struct reorder *o, uint64_t ns)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->slot[i].ns <= ns)
			o->release = MAX(o->release, o->slot[i].seq - 1);
}

uint64_t reorder_oldest(const struct reorder *o)
{
	uint64_t oldest = UINT64_MAX;

	for (unsigned i = 0; i < o->n; i++)
		oldest = MIN(oldest, o->slot[i].ns);
	return oldest;
}
