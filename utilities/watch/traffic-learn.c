/* SPDX-License-Identifier: Apache-2.0 */
/* What entries learn: once a second each looks at what came, and at each new hour what the last one
 * was like is written down. */
#include <math.h>

#include "utilities/watch/traffic.h"

/* Baselines that nobody asked for yet learn freely for so long. */
#define FREE_S 3600
/* Fading a second: weights of entries (half in 8 s), the way back's (half in two minutes), of what
 * the tail asked for (half in three), of votes (half in one). */
#define FADE_WEIGHT 0.917f
#define FADE_BACK   0.994f
#define FADE_VOTE   0.5f
#define FADE_TAIL   0.8f

/* Who was idle learns in steps of so many seconds. */
enum { HOUR_ENOUGH_S = 600, IDLE_S = 16 };

static bool is_free(const struct traffic *t)
{
	double free_s = t->free_ns == UINT64_MAX ? FREE_S : (double)t->free_ns / NSEC_PER_SEC;

	return !t->loaded && t->second < free_s;
}

void entry_remember(struct traffic *t, const struct entry *e)
{
	double weight = baseline_weight(e->usual);
	struct baseline *b;

	if (weight < 1)
		return;
	b = baselines_put(t->baselines, e->hash, weight);
	if (!b)
		return;
	b->target = e->target;
	memcpy(b->usual, e->usual, sizeof b->usual);
}

/* What was learned when it was here before; else that it has been silent since the beginning. */
void entry_recall(struct traffic *t, struct entry *e)
{
	struct baseline *b = baselines_find(t->baselines, e->hash);

	if (b)
		memcpy(e->usual, b->usual, sizeof e->usual);
	else
		for (unsigned kind = 0; kind < N_ATTACKS; kind++)
			e->usual[kind].seconds = (float)MIN(t->second, (uint32_t)FREE_S);
}

/* Seconds that went by without a packet. */
static void entry_idle(struct traffic *t, struct entry *e)
{
	const struct second nothing = {.free = is_free(t)};
	uint32_t n = MIN(t->second - e->learned_s, (uint32_t)IDLE_S);

	for (unsigned kind = 0; kind < N_ATTACKS; kind++) {
		for (uint32_t i = 0; i < n && e->hold_s[kind] <= t->second; i++)
			usual_learn(&e->usual[kind], &nothing);
		e->credit[kind] *= powf(FADE_TAIL, (float)n);
	}
	e->patience += PATIENCE_S * (float)n;
}

static void kind_second(struct traffic *t, struct entry *e, unsigned kind, double dt)
{
	struct gauge *now = &e->now[kind], *was = &e->second[kind];
	double packets = now->packets + now->doubtful - was->packets - was->doubtful;
	double octets = now->octets + now->doubtful_octets - was->octets - was->doubtful_octets;
	struct second s = {packets / dt, 8 * octets / dt, is_free(t)};

	if (e->hold_s[kind] <= t->second)
		usual_learn(&e->usual[kind], &s);
	e->credit[kind] *= FADE_TAIL;
	e->what[kind].lead *= FADE_VOTE;
	e->what[kind].total *= FADE_VOTE;
	e->where[kind].lead *= FADE_VOTE;
	e->where[kind].total *= FADE_VOTE;
	*was = *now;
}

static void entry_second(struct traffic *t, struct entry *e, double dt)
{
	double all = 0, octets = 0;

	entry_idle(t, e);
	for (unsigned kind = 0; kind < N_ATTACKS; kind++) {
		all += e->now[kind].all - e->second[kind].all;
		octets += e->now[kind].all_octets - e->second[kind].all_octets;
		kind_second(t, e, kind, dt);
	}
	e->patience = MIN(e->patience + PATIENCE_S, (float)PATIENCE);
	if (e->hold_s[ATTACK_OTHER] <= t->second && e->tcp > 0)
		e->tcp_s++;
	e->tcp *= FADE_BACK;
	e->tcp_asked *= FADE_BACK;
	e->learned_s = t->second + 1;
	if (e->target.kind == TARGET_ADDRESS && 8 * octets / dt > t->top_bps) {
		t->top = e->target;
		t->top_pps = all / dt;
		t->top_bps = 8 * octets / dt;
	}
}

static void table_second(struct traffic *t, struct table *table, double dt)
{
	for (uint32_t i = 0; i < space_saving_slots(&table->heavy); i++) {
		if (table->heavy.pinned[i])
			table->heavy.pinned[i]--;
		if (!table->heavy.tag[i] ||
		    (table->touched[i] == table->learned[i] && (t->second + i) % IDLE_S))
			continue;
		table->learned[i] = table->touched[i];
		entry_second(t, &table->entry[i], dt);
	}
	space_saving_decay(&table->heavy, FADE_WEIGHT);
	count_min_decay(&table->rest);
}

/* The hour that ends is written down beside what it was a week ago. */
static void hour_over(struct traffic *t, int hour)
{
	for (unsigned kind = 0; kind < N_TARGETS; kind++) {
		struct table *table = &t->table[kind];

		for (uint32_t i = 0; i < space_saving_slots(&table->heavy); i++) {
			struct entry *e = &table->entry[i];
			struct baseline *b;

			if (!e->hash)
				continue;
			entry_remember(t, e);
			b = baselines_find(t->baselines, e->hash);
			for (unsigned k = 0; b && k < N_ATTACKS; k++) {
				uint8_t *code = &b->hour[k][hour];
				double level = e->usual[k].pps;

				if (e->usual[k].seconds >= HOUR_ENOUGH_S)
					*code = hour_code(*code ? (hour_value(*code) + level) / 2
								: level);
			}
		}
	}
}

static void clock_second(struct traffic *t, uint64_t now_ns)
{
	int64_t wall = t->wall_s_at_zero + (int64_t)(now_ns / NSEC_PER_SEC);
	int hour = (int)((wall / 3600 % WEEK_HOURS + WEEK_HOURS) % WEEK_HOURS);

	if (t->hour == -1)
		return;
	if (t->hour >= 0 && hour != t->hour)
		hour_over(t, t->hour);
	t->hour = hour;
}

void traffic_second(struct traffic *t, uint64_t now_ns)
{
	double dt = (double)(now_ns - t->second_ns) / NSEC_PER_SEC;
	struct second all = {(t->all.packets - t->all_second.packets) / dt,
			     8 * (t->all.octets - t->all_second.octets) / dt, true};

	clock_second(t, now_ns);
	t->pps = all.pps;
	t->bps = all.bps;
	usual_learn(&t->usual_all, &all);
	t->all_second = t->all;
	t->tcp *= FADE_BACK;
	t->tcp_asked *= FADE_BACK;
	t->top_pps = t->top_bps = 0;
	for (unsigned kind = 0; kind < N_TARGETS; kind++)
		table_second(t, &t->table[kind], dt);
	t->second_ns = now_ns;
	t->second++;
}

struct usual traffic_usual(struct traffic *t, const struct entry *e, unsigned kind)
{
	struct usual u = e->usual[kind];
	double level = usual_level(&u), ratio = u.pps > 0 ? u.bps / u.pps : 0;
	const struct baseline *b = t->hour >= 0 ? baselines_find(t->baselines, e->hash) : NULL;

	if (b)
		level = MAX(level, hour_value(b->hour[kind][t->hour]));
	u.pps = (float)level;
	u.bps = (float)(level * ratio);
	return u;
}
