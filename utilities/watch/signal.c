/* SPDX-License-Identifier: Apache-2.0 */
/* One pipeline's question, asked of each entry of its kind once a window.
 *
 * A window is *above* when what came unasked is over the absolute bounds, over `times` what is
 * usual, and surely so: the number of samples it stands on could hardly have come of what is usual.
 * The square roots of Poisson counts have a variance of a quarter whatever the mean (Anscombe
 * 1948), so twice their difference is in standard deviations.
 *
 * An attack is found when N of the last M windows are above; or when N or more of the last together
 * are above and yet surer (one of them was half empty); or when windows above keep coming back
 * within a minute (pulses).  It is over when nothing like half the bound came for `clear`.
 *
 * What stood still (this process, the gateway, the machine) catches up all at once, and what was
 * usual over seconds comes in one window.  So a silence of everybody belongs to the window in which
 * it ends, and that one does not end before it has had its own time after it. */
#include <math.h>
#include <stdlib.h>

#include "utilities/watch/traffic.h"

/* Of traffic that is answered up to so much may look as if it were not: at 1 in 64 an answer is not
 * always seen in time. */
#define DOUBTED_SHARE 0.125

enum { ATTACKS_MAX = 256, JOINT = 4, PULSES_S = 60, HOLD_S = 2, SLOW_S = 8 };
static const double sure_window = 3.5, sure_joint = 5, sure_bound = 1.5;

struct window {
	double packets, octets, squares, seconds;
};

struct watched {
	uint32_t generation; /* of the entry it is about */
	uint64_t above;      /* the last windows, the newest lowest */
	uint64_t first_ns;   /* when the first of them began */
	struct gauge at;     /* the entry's gauge at the last look */
	double slow_pps;     /* over some SLOW_S */
	uint64_t calm_ns;    /* when that was last about as usual */
	struct window last[JOINT];
	uint16_t attack; /* 1 + its place; 0: none */
};

struct running {
	struct attack attack;
	uint64_t seen_ns; /* something like it */
	bool used;
};

struct signal {
	struct signal_config c;
	uint64_t last_ns, n_attacks, n_unseen; /* attacks beyond ATTACKS_MAX */
	uint32_t n_watched;
	struct watched *watched;
	/* Of each place: the entry's count of touches at the last look, and whether there is
	 * something to look at even without new ones. */
	uint32_t *touched;
	bool *busy;
	struct running running[ATTACKS_MAX];
};

struct signal *signal_create(const struct signal_config *c)
{
	struct signal *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->c = *c;
	return s;
}

void signal_free(struct signal *s)
{
	if (!s)
		return;
	free(s->watched);
	free(s->touched);
	free(s->busy);
	free(s);
}

static void window_add(struct window *to, const struct window *w)
{
	to->packets += w->packets;
	to->octets += w->octets;
	to->squares += w->squares;
	to->seconds += w->seconds;
}

/* How many standard deviations the window's samples are over what `usual` would have brought. */
static double sureness(const struct window *w, double rate, double usual)
{
	double weight = w->squares / w->packets, n = w->packets / weight;
	double expected = usual > 0 && rate > 0 ? n * usual / rate : 0;

	return 2 * (sqrt(n) - sqrt(expected));
}

/* What was learned from few samples may be more by this factor, in so many standard deviations. */
static double unsure(const struct window *w, const struct usual *u, double deviations)
{
	double n = u->pps * u->seconds * w->packets / w->squares;

	return n > 0 ? 1 + deviations / sqrt(n) : 1;
}

/* Over a bound, and not by luck: one standard deviation and a half. */
static bool is_over(const struct window *w, double rate, uint64_t bound)
{
	return rate >= (double)bound && (!bound || sureness(w, rate, (double)bound) >= sure_bound);
}

static bool is_above(const struct signal_config *c, const struct window *w, const struct usual *u,
		     double sure)
{
	double pps = w->packets / w->seconds, bps = 8 * w->octets / w->seconds;

	if (w->packets <= 0 || !is_over(w, pps, c->above_pps) || !is_over(w, bps, c->above_bps))
		return false;
	if (pps >= c->times * u->pps && sureness(w, pps, u->pps * unsure(w, u, 1)) >= sure)
		return true;
	return bps >= c->times * u->bps && sureness(w, bps, u->bps * unsure(w, u, 1)) >= sure;
}

/* Half way down from what would be above, over the last windows: less is no attack any more. */
static bool is_like_it(const struct signal_config *c, const struct watched *d,
		       const struct usual *u)
{
	struct window w = {0};
	double pps, bps, times = (1 + c->times) / 2;

	for (unsigned i = 0; i < JOINT; i++)
		window_add(&w, &d->last[i]);
	if (w.packets <= 0)
		return false;
	pps = w.packets / w.seconds;
	bps = 8 * w.octets / w.seconds;
	times *= unsure(&w, u, 2);
	return 2 * pps >= (double)c->above_pps && 2 * bps >= (double)c->above_bps &&
	       (pps >= times * u->pps || bps >= times * u->bps);
}

/* What is more than usual goes to one address: that address's affair, not its prefix's. */
static bool is_one_address(const struct entry *e, unsigned kind, const struct window *w,
			   const struct usual *u)
{
	const struct vote *v = &e->where[kind];
	double pps = w->packets / w->seconds;

	return e->target.kind == TARGET_PREFIX && pps > u->pps &&
	       v->lead > v->total * (1 - u->pps / pps) / 4;
}

/* So many of the last windows together are above; not when one of them has not even half of a
 * bound. */
static bool is_above_together(const struct signal_config *c, const struct watched *d,
			      const struct usual *u, unsigned n)
{
	struct window sum = {0};

	for (unsigned i = 0; i < n; i++) {
		const struct window *w = &d->last[i];

		if (2 * w->packets < (double)c->above_pps * w->seconds ||
		    16 * w->octets < (double)c->above_bps * w->seconds)
			return false;
		window_add(&sum, w);
	}
	return is_above(c, &sum, u, sure_joint);
}

static const char *why_found(const struct signal_config *c, struct watched *d,
			     const struct usual *u)
{
	uint64_t window_ns = MAX(c->window_ns, 1ull);
	unsigned in_minute = (unsigned)MIN(64ull, MAX(1ull, PULSES_S * NSEC_PER_SEC / window_ns));
	uint64_t last_m = d->above & (~0ull >> (64 - c->m));
	uint64_t minute = d->above & (~0ull >> (64 - in_minute));

	if ((unsigned)__builtin_popcountll(last_m) >= c->n)
		return u->pps > 0 ? "many times what is usual came unasked"
				  : "nothing like it came unasked before";
	for (unsigned n = c->n; (d->above & 7) && n <= MIN(c->m, (unsigned)JOINT); n++)
		if (is_above_together(c, d, u, n))
			return "several windows together are surely above";
	if ((unsigned)__builtin_popcountll(minute) >= MAX(3u, c->n + 1))
		return "pulses: it comes back again and again";
	return NULL;
}

static void describe(const struct signal *s, struct traffic *t, const struct entry *e,
		     struct attack *a)
{
	const struct vote *v = &e->what[s->c.kind];

	a->kind = s->c.kind;
	a->target = e->target;
	a->learned = true;
	target_match(&a->target, &a->match);
	class_match(a->kind, v->lead > 0.6f * v->total ? v->word : v->word & 0x80ff0000, &a->match);
	(void)t;
}

static void measure(struct traffic *t, const struct entry *e, const struct window *w,
		    struct attack *a, const struct gauge *was)
{
	struct usual u = traffic_usual(t, e, a->kind);
	double all = e->now[a->kind].all - was->all;

	a->pps = w->packets / w->seconds;
	a->bps = 8 * w->octets / w->seconds;
	a->usual_pps = u.pps;
	a->usual_bps = u.bps;
	a->n_sources = (uint32_t)(0.5 + entry_sources(t, e));
	a->answered = -1;
	if (all > 0 && (w->packets < 0.99 * all || traffic_sees_way_back(t, NULL)))
		a->answered = MAX(0.0, 1 - w->packets / all);
}

static struct running *running_of(struct signal *s, const struct watched *d)
{
	return d->attack ? &s->running[d->attack - 1] : NULL;
}

static void end(struct signal *s, struct watched *d, struct attack_sink *to)
{
	struct running *run = running_of(s, d);

	if (!run)
		return;
	to->over(to, &run->attack);
	run->used = false;
	d->attack = 0;
	d->above = 0;
}

/* A ramp began long before it is above; who asks what was there before must not be given its foot.
 * The slow mean lags by SLOW_S and tells a quarter more from chance half of that later. */
static void keep_calm(const struct signal_config *c, struct watched *d, const struct usual *u,
		      uint64_t now_ns)
{
	const struct window *w = &d->last[0];
	double pps = w->packets / w->seconds;
	double calm = w->packets > 0 ? 1.25 * u->pps * unsure(w, u, 1) : INFINITY;

	d->slow_pps += (pps - d->slow_pps) * MIN(1.0, w->seconds / SLOW_S);
	if (d->slow_pps <= MAX(calm, (double)c->above_pps / 8))
		d->calm_ns = now_ns;
}

static uint64_t began(const struct watched *d)
{
	const uint64_t slow_ns = SLOW_S * NSEC_PER_SEC;

	if (d->first_ns < d->calm_ns + slow_ns / 2)
		return d->first_ns;
	return d->calm_ns - MIN(d->calm_ns, slow_ns + slow_ns / 2);
}

static struct running *begin(struct signal *s, struct watched *d)
{
	for (unsigned i = 0; i < ATTACKS_MAX; i++) {
		struct running *run = &s->running[i];

		if (run->used)
			continue;
		memset(run, 0, sizeof *run);
		run->used = true;
		run->attack.id = ++s->n_attacks;
		run->attack.first_ns = began(d);
		d->attack = (uint16_t)(i + 1);
		return run;
	}
	s->n_unseen++;
	return NULL;
}

/* The window that ends now; the gauge's place moves on. */
static struct window take_window(struct watched *d, const struct gauge *g, double seconds)
{
	struct window w = {g->packets - d->at.packets, g->octets - d->at.octets,
			   g->squares - d->at.squares, seconds};

	memmove(&d->last[1], &d->last[0], sizeof d->last - sizeof d->last[0]);
	d->last[0] = w;
	return w;
}

struct look {
	struct traffic *t;
	struct attack_sink *to;
	uint64_t now_ns;
	double seconds;
	bool believed;
};

static void look_at(struct signal *s, const struct look *l, struct entry *e, struct watched *d)
{
	unsigned kind = s->c.kind;
	struct gauge was = d->at;
	struct window w = take_window(d, &e->now[kind], l->seconds);
	struct running *run = running_of(s, d);
	struct usual u = traffic_usual(l->t, e, kind);
	double asked = e->now[kind].all - was.all - w.packets;
	bool above = l->believed && !is_one_address(e, kind, &w, &u) &&
		     w.packets > DOUBTED_SHARE * asked && is_above(&s->c, &w, &u, sure_window);
	const char *why;

	d->at = e->now[kind];
	if (!run)
		keep_calm(&s->c, d, &u, l->now_ns);
	if (above && !d->above)
		d->first_ns = l->now_ns - (uint64_t)(l->seconds * NSEC_PER_SEC);
	d->above = d->above << 1 | above;
	if (above || run)
		e->hold_s[kind] = l->t->second + HOLD_S;
	if (!run) {
		why = d->above ? why_found(&s->c, d, &u) : NULL;
		run = why ? begin(s, d) : NULL;
		if (!run)
			return;
		run->attack.why = why;
		run->attack.found_ns = run->seen_ns = l->now_ns;
		describe(s, l->t, e, &run->attack);
		measure(l->t, e, &w, &run->attack, &was);
		l->to->found(l->to, &run->attack);
		return;
	}
	if (above || is_like_it(&s->c, d, &u))
		run->seen_ns = l->now_ns;
	measure(l->t, e, &w, &run->attack, &was);
	if (l->now_ns - run->seen_ns >= s->c.clear_ns)
		end(s, d, l->to);
	else
		l->to->goes_on(l->to, &run->attack);
}

static void start(struct signal *s, struct traffic *t, uint64_t now_ns)
{
	s->n_watched = space_saving_slots(&t->table[s->c.target].heavy);
	s->watched = calloc(s->n_watched, sizeof *s->watched);
	s->touched = calloc(s->n_watched, sizeof *s->touched);
	s->busy = calloc(s->n_watched, sizeof *s->busy);
	if (!s->watched || !s->touched || !s->busy)
		abort();
	traffic_learn(t, s->c.learn_ns);
	s->last_ns = now_ns;
}

static bool is_busy(const struct watched *d)
{
	double packets = 0;

	for (unsigned i = 0; i < JOINT; i++)
		packets += d->last[i].packets;
	return d->attack || d->above || packets > 0;
}

/* When the window began that ends now; now_ns: it does not end yet. */
static uint64_t window_from(const struct signal *s, const struct traffic *t, uint64_t now_ns)
{
	uint64_t window_ns = s->c.window_ns;

	if (now_ns < s->last_ns + window_ns)
		return now_ns;
	/* Shorter ones could not make even twice of what is usual; and of two that are noticed the
	 * first one's window has always ended. */
	if (t->again_ns < s->last_ns || t->again_ns - t->silent_ns < window_ns + TRAFFIC_TICK_NS)
		return s->last_ns;
	return now_ns < t->again_ns + window_ns ? now_ns : MIN(s->last_ns, t->silent_ns);
}

void signal_tick(struct signal *s, struct traffic *t, uint64_t now_ns, struct attack_sink *to)
{
	uint64_t from_ns;
	struct table *table = &t->table[s->c.target];
	struct look l = {.t = t, .to = to, .now_ns = now_ns};

	if (!s->watched)
		start(s, t, now_ns);
	from_ns = window_from(s, t, now_ns);
	if (from_ns == now_ns)
		return;
	l.seconds = (double)(now_ns - from_ns) / NSEC_PER_SEC;
	l.believed = t->loaded || traffic_age(t, now_ns) * NSEC_PER_SEC >= (double)s->c.learn_ns;
	s->last_ns = now_ns;
	for (uint32_t i = 0; i < s->n_watched; i++) {
		struct entry *e = &table->entry[i];
		struct watched *d = &s->watched[i];

		if (!s->busy[i] && s->touched[i] == table->touched[i])
			continue;
		s->touched[i] = table->touched[i];
		if (d->generation != e->generation) {
			end(s, d, to);
			memset(d, 0, sizeof *d);
			d->generation = e->generation;
		}
		if (!s->busy[i]) {
			d->calm_ns = now_ns;
			d->slow_pps = 0;
		}
		if (d->attack || d->above)
			table->heavy.pinned[i] = PINNED_S;
		look_at(s, &l, e, d);
		s->busy[i] = is_busy(d);
	}
}
