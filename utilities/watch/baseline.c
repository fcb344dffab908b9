/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/baseline.h"

#include <math.h>
#include <stdlib.h>

enum { LEVEL_S = 3600, LONG_S = 7 * 86400, WAYS = 8, CODES_AN_OCTAVE = 8, CLIP_PPS = 50 };

/* Growth a second: the level doubles in an hour, the long run grows by half in a day.  From
 * nothing something can grow too: ABSOLUTE packets a second, in an hour. */
#define LEVEL_GROWTH (0.6931 / 3600)
#define LONG_GROWTH  (0.4055 / 86400)
#define ABSOLUTE     (50.0 / 3600)
/* While the first week is under way there is no long run that is worth the name. */
#define LONG_GROWTH_FIRST LEVEL_GROWTH

static double toward(double from, double to, double share, double growth)
{
	double next = from + (to - from) * share;

	return growth > 0 ? MIN(next, from + from * growth + ABSOLUTE) : next;
}

void usual_learn(struct usual *u, const struct second *s)
{
	double pps = s->pps, bps = s->bps, was = u->pps, next;
	double n = MIN(u->seconds + 1, (double)LEVEL_S);
	double n_long = MIN(u->seconds + 1, (double)LONG_S);

	if (!s->free && pps > 2 * was + CLIP_PPS) {
		bps *= (2 * was + CLIP_PPS) / pps;
		pps = 2 * was + CLIP_PPS;
	}
	next = toward(was, pps, 1 / n, s->free ? 0 : LEVEL_GROWTH);
	u->pps = (float)next;
	u->bps = (float)(u->bps + (bps - u->bps) / n);
	u->long_pps = (float)toward(u->long_pps, next, 1 / n_long,
				    s->free               ? 0
				    : u->seconds < LONG_S ? LONG_GROWTH_FIRST
							  : LONG_GROWTH);
	u->seconds = (float)MIN(u->seconds + 1.0, (double)LONG_S);
}

double usual_level(const struct usual *u)
{
	return MIN(u->pps, 2 * u->long_pps);
}

uint8_t hour_code(double pps)
{
	/* 1 is 2^-4 packets a second and less; 255 is 2^27.75. */
	double code = 1 + CODES_AN_OCTAVE * (log2(MAX(pps, 1e-9)) + 4);

	return (uint8_t)MAX(1.0, MIN(255.0, round(code)));
}

double hour_value(uint8_t code)
{
	return code <= 1 ? 0 : exp2((code - 1) / (double)CODES_AN_OCTAVE - 4);
}

struct baselines {
	uint32_t n;
	struct baseline *at;
};

struct baselines *baselines_create(uint32_t n)
{
	struct baselines *b = malloc(sizeof *b);

	if (!b)
		abort();
	b->n = n;
	b->at = calloc(n, sizeof *b->at);
	if (!b->at)
		abort();
	return b;
}

void baselines_free(struct baselines *b)
{
	free(b->at);
	free(b);
}

size_t baselines_memory(const struct baselines *b)
{
	return sizeof *b + b->n * sizeof *b->at;
}

static struct baseline *set_of(struct baselines *b, uint64_t hash)
{
	return &b->at[(hash >> 32 & (b->n / WAYS - 1)) * WAYS];
}

struct baseline *baselines_find(struct baselines *b, uint64_t hash)
{
	struct baseline *set = set_of(b, hash);

	for (unsigned way = 0; way < WAYS; way++)
		if (set[way].hash == hash)
			return &set[way];
	return NULL;
}

double baseline_weight(const struct usual usual[N_ATTACKS])
{
	double sum = 0;

	for (unsigned kind = 0; kind < N_ATTACKS; kind++)
		sum += usual[kind].long_pps;
	return sum;
}

static double weight_of(const struct baseline *b)
{
	return baseline_weight(b->usual);
}

struct baseline *baselines_put(struct baselines *b, uint64_t hash, double weight)
{
	struct baseline *set = set_of(b, hash), *least = NULL, *found = baselines_find(b, hash);

	if (found)
		return found;
	for (unsigned way = 0; way < WAYS; way++) {
		if (!set[way].hash) {
			least = &set[way];
			break;
		}
		if (weight_of(&set[way]) < weight &&
		    (!least || weight_of(&set[way]) < weight_of(least)))
			least = &set[way];
	}
	if (least) {
		memset(least, 0, sizeof *least);
		least->hash = hash;
	}
	return least;
}

struct baseline *baselines_at(struct baselines *b, uint32_t i)
{
	return i < b->n ? &b->at[i] : NULL;
}
