/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/timer.h"

void wheel_init(struct wheel *wheel, uint64_t now_ns)
{
	*wheel = (struct wheel){.tick = now_ns / TICK_NS};
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		wheel->tail[i] = &wheel->slot[i];
}

static void slot_append(struct wheel *wheel, struct timer *t)
{
	unsigned i = t->tick % WHEEL_SLOTS;

	t->next = NULL;
	t->link = wheel->tail[i];
	*t->link = t;
	wheel->tail[i] = &t->next;
	wheel->used[i / 64] |= 1ull << i % 64;
	wheel->n++;
}

void timer_cancel(struct wheel *wheel, struct timer *t)
{
	unsigned i = t->tick % WHEEL_SLOTS;

	if (!t->link)
		return;
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	else
		wheel->tail[i] = t->link;
	if (!wheel->slot[i])
		wheel->used[i / 64] &= ~(1ull << i % 64);
	t->link = NULL;
	wheel->n--;
}

void timer_set(struct wheel *wheel, struct timer *t, uint64_t deadline_ns)
{
	uint64_t tick = deadline_ns / TICK_NS + (deadline_ns % TICK_NS != 0);

	timer_cancel(wheel, t);
	t->tick = MAX(tick, wheel->tick + 1);
	slot_append(wheel, t);
}

/* The first slot in use at or after tick `from`, within one round; false when none is. */
static bool next_used(const struct wheel *wheel, uint64_t from, uint64_t *tick)
{
	for (unsigned left = WHEEL_SLOTS, step; left; from += step, left -= MIN(left, step)) {
		unsigned i = from % WHEEL_SLOTS;
		uint64_t word = wheel->used[i / 64] >> i % 64;

		if (word) {
			*tick = from + (unsigned)__builtin_ctzll(word);
			return true;
		}
		step = 64 - i % 64;
	}
	return false;
}

static void fire_slot(struct worker *w, struct wheel *wheel, uint64_t tick)
{
	unsigned i = tick % WHEEL_SLOTS;
	struct timer *t = wheel->slot[i], *next;

	/* What fires may set or cancel others, also in this slot: begin again after each. */
	for (; t; t = next) {
		next = t->next;
		if (t->tick > tick)
			continue;
		timer_cancel(wheel, t);
		t->fire(w, t);
		next = wheel->slot[i];
	}
}

void timer_run(struct worker *w, struct wheel *wheel, uint64_t now_ns)
{
	uint64_t now = now_ns / TICK_NS, tick = wheel->tick;

	while (wheel->n && next_used(wheel, tick + 1, &tick) && tick <= now) {
		wheel->tick = tick;
		fire_slot(w, wheel, tick);
	}
	wheel->tick = MAX(wheel->tick, now);
}

uint64_t timer_next(const struct wheel *wheel)
{
	uint64_t tick;

	if (!wheel->n || !next_used(wheel, wheel->tick + 1, &tick))
		return TIMER_NEVER;
	return tick * TICK_NS;
}
