/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/watch/scenario.h"

static const struct scenario kinds[] = {
#define KIND(NAME, ATTACK, SMALL, LARGE, SECONDS)        \
	{#NAME, ATTACK, make_##NAME, SMALL, 0, SECONDS}, \
		{#NAME, ATTACK, make_##NAME, LARGE, 0, SECONDS},
#include "tests/watch/kinds.def"
#undef KIND
};

unsigned scenario_count(void)
{
	return ARRAY_SIZE(kinds);
}

struct scenario scenario_at(unsigned i, unsigned run)
{
	struct scenario sc = kinds[i];

	sc.seed = 1000 * (i / 2 + 1) + 100 * (i % 2) + run;
	return sc;
}

struct span scenario_special(const struct scenario *sc)
{
	return (struct span){SPECIAL_S, SPECIAL_S + sc->seconds};
}

double scenario_end(const struct scenario *sc)
{
	return SPECIAL_S + sc->seconds + AFTER_S;
}

void scenario_make(const struct scenario *sc, struct stream *s)
{
	stream_begin(s, sc->seed);
	background(s, scenario_end(sc));
	sc->make(s, sc);
	stream_sort(s);
	/* Answers may outlast what they answer. */
	while (s->n && s->packet[s->n - 1].ns > (uint64_t)(scenario_end(sc) * (double)NSEC_PER_SEC))
		s->n--;
}
