/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/recent.h"

#include <stdlib.h>

#include "lib/hash.h"

/* Some of the samples whose targets hash alike, of one epoch. */
struct group {
	uint32_t seen, kept;
	double packets; /* of all that were seen */
	struct watch_sample sample[RECENT_KEPT];
};

struct epoch {
	uint64_t number; /* time / RECENT_EPOCH_NS + 1; 0: nothing was kept yet */
	struct group group[RECENT_GROUPS];
};

struct excluded {
	struct match match;
	uint64_t from_ns, to_ns; /* to_ns 0: free */
};

struct recent {
	uint64_t since_ns, now_ns;
	uint64_t n; /* samples that came; the last RECENT_RING of them are in `ring` */
	uint64_t random;
	struct excluded excluded[RECENT_EXCLUDED];
	struct watch_sample ring[RECENT_RING];
	struct epoch epoch[RECENT_EPOCHS];
};

struct recent *recent_create(void)
{
	struct recent *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	r->since_ns = UINT64_MAX;
	r->random = 0x9e3779b97f4a7c15ull;
	return r;
}

void recent_free(struct recent *r)
{
	free(r);
}

/* xorshift64; nobody gains by guessing it. */
static uint32_t draw(struct recent *r, uint32_t below)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return (uint32_t)((r->random >> 32) * below >> 32);
}

static unsigned group_of(const struct watch_sample *s)
{
	uint64_t h = hash_seed;

	h = hash_add(h, get_be64(s->key.du.ip_dst));
	h = hash_add(h, get_be64(s->key.du.ip_dst + 8));
	return hash_finish(h) % RECENT_GROUPS;
}

/* Into the picture of its time: each of a group's samples stays with the same chance (Vitter's
 * algorithm R). */
static void keep(struct recent *r, const struct watch_sample *s)
{
	uint64_t number = s->ns / RECENT_EPOCH_NS + 1;
	struct epoch *e = &r->epoch[number % RECENT_EPOCHS];
	struct group *g = &e->group[group_of(s)];
	uint32_t at;

	if (e->number > number)
		return;
	if (e->number < number) {
		for (unsigned i = 0; i < RECENT_GROUPS; i++)
			e->group[i].seen = e->group[i].kept = 0;
		e->number = number;
	}
	if (!g->seen++)
		g->packets = 0;
	g->packets += (double)s->packets;
	at = g->kept < RECENT_KEPT ? g->kept++ : draw(r, g->seen);
	if (at < RECENT_KEPT)
		g->sample[at] = *s;
}

void recent_sample(struct recent *r, const struct watch_sample *s)
{
	struct watch_sample *at = &r->ring[r->n % RECENT_RING];

	if (s->aggregate || s->by_rule)
		return;
	if (r->n >= RECENT_RING)
		keep(r, at);
	*at = *s;
	r->n++;
	r->since_ns = MIN(r->since_ns, s->ns);
	r->now_ns = MAX(r->now_ns, s->ns);
}

void recent_tick(struct recent *r, uint64_t now_ns)
{
	r->since_ns = MIN(r->since_ns, now_ns);
	r->now_ns = MAX(r->now_ns, now_ns);
}

uint64_t recent_now(const struct recent *r)
{
	return r->now_ns;
}

uint64_t recent_since(const struct recent *r)
{
	uint64_t reach = (RECENT_EPOCHS - 1) * RECENT_EPOCH_NS, oldest;

	/* The ring may reach further back than the epochs do. */
	if (r->n > RECENT_RING && r->now_ns > reach) {
		oldest = MIN(r->ring[r->n % RECENT_RING].ns, r->now_ns - reach);
		return MAX(r->since_ns, oldest);
	}
	return r->since_ns;
}

void recent_exclude(struct recent *r, const struct match *m, uint64_t from_ns, uint64_t to_ns)
{
	struct excluded *at = r->excluded;

	for (unsigned i = 0; i < RECENT_EXCLUDED; i++) {
		struct excluded *e = &r->excluded[i];

		if (e->to_ns && e->from_ns == from_ns && match_equal(&e->match, m)) {
			e->to_ns = MAX(e->to_ns, to_ns);
			return;
		}
		if (e->to_ns < at->to_ns) /* a free one, or the longest over */
			at = e;
	}
	*at = (struct excluded){*m, from_ns, MAX(to_ns, 1u)};
}

static bool is_excluded(const struct recent *r, const struct watch_sample *s,
			const struct key_view *view)
{
	for (unsigned i = 0; i < RECENT_EXCLUDED; i++) {
		const struct excluded *e = &r->excluded[i];

		if (e->to_ns && s->ns >= e->from_ns && s->ns < e->to_ns &&
		    match_hits(&e->match, view))
			return true;
	}
	return false;
}

static void offer(const struct recent *r, struct recent_query *q, const struct watch_sample *s,
		  double packets)
{
	struct key_view view = key_view_of(&s->key.du, &s->key.outer);

	if (s->ns < q->from_ns || s->ns >= q->to_ns || !match_hits(q->match, &view))
		return;
	if (q->lawful && is_excluded(r, s, &view))
		return;
	q->found(q, s, packets);
}

void recent_each(const struct recent *r, struct recent_query *q)
{
	for (uint64_t i = 0; i < MIN(r->n, (uint64_t)RECENT_RING); i++)
		offer(r, q, &r->ring[i], (double)r->ring[i].packets);
	for (unsigned i = 0; i < RECENT_EPOCHS; i++) {
		const struct epoch *e = &r->epoch[i];

		if (!e->number || e->number * RECENT_EPOCH_NS <= q->from_ns)
			continue;
		for (unsigned j = 0; j < RECENT_GROUPS; j++)
			for (unsigned k = 0; k < e->group[j].kept; k++)
				offer(r, q, &e->group[j].sample[k],
				      e->group[j].packets / e->group[j].kept);
	}
}

uint64_t recent_lawful_ns(const struct recent *r, const struct match *m, uint64_t from_ns,
			  uint64_t to_ns)
{
	uint64_t left = 0, at = from_ns;

	/* From gap to gap: exclusions overlap and are in no order. */
	while (at < to_ns) {
		uint64_t until = at, next = to_ns;

		for (unsigned i = 0; i < RECENT_EXCLUDED; i++) {
			const struct excluded *e = &r->excluded[i];

			if (!e->to_ns || !match_covers(&e->match, m))
				continue;
			if (e->from_ns <= at)
				until = MAX(until, e->to_ns);
			else
				next = MIN(next, e->from_ns);
		}
		if (until > at) {
			at = until;
			continue;
		}
		left += next - at;
		at = next;
	}
	return left;
}
