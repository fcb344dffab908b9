/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/sample.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <math.h>
#include <stdlib.h>

#include "datapath/spine.h"
#include "lib/hash.h"
#include "lib/openflow.h"

enum {
	CHECKS = 16,          /* of rates and settings, a second */
	BURST = 16,           /* the part of a second's bound that may come at once */
	EVERY_LAST = 1 << 30, /* the bound raises N no further */
	DOUBLINGS = 3,        /* at once, at most: a worker's clock stands still in a batch */
};

/* A record whose packet has not ended yet. */
struct pending {
	uint16_t next; /* another one of the same packet: its number; 0: none */
	uint64_t room[(SAMPLE_RECORD_MAX + 7) / 8];
};

static struct sample_record *record_of(struct pending *slot)
{
	return (void *)slot->room;
}

/* Slots are numbered from 1. */
static struct pending *slot_get(struct worker *w, unsigned number)
{
	return &w->sampler.slot[number - 1];
}

static void tell_due(struct worker *w, struct timer *t)
{
	(void)t;
	w->sampler.tell_ns = w->now + SAMPLE_TELL_MS * NSEC_PER_MSEC;
	w->news = true;
}

int sampler_init(struct sampler *s, unsigned id)
{
	*s = (struct sampler){
		.random = hash_mix(hash_seed + id) | 1, .skip = 1, .tell.fire = tell_due};
	s->slot = calloc(SAMPLE_SLOTS, sizeof *s->slot);
	if (!s->slot)
		return -ENOMEM;
	while (s->n_free < SAMPLE_SLOTS) {
		s->free[s->n_free] = (uint16_t)(SAMPLE_SLOTS - s->n_free);
		s->n_free++;
	}
	return 0;
}

void sampler_destroy(struct sampler *s)
{
	free(s->slot);
	s->slot = NULL;
}

/* ---- Chance ---------------------------------------------------------------------------------- */

/* xorshift64*: nobody outside sees its output but by what was taken. */
static uint64_t next_random(struct sampler *s)
{
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return s->random * 0x2545f4914f6cdd1dull;
}

/* Until the next one, itself counted.  Geometric: as if each packet was chosen for itself, so that
 * a new rate may begin anywhere and sums of `every` stay true. */
static uint64_t draw(struct sampler *s)
{
	double u = ((double)(next_random(s) >> 11) + 0.5) * 0x1p-53;

	return s->every > 1 ? 1 + (uint64_t)(log(u) / log1p(-1.0 / s->every)) : 1;
}

/* ---- Rate ------------------------------------------------------------------------------------ */

static uint32_t bound(const struct worker *w)
{
	return MAX(__atomic_load_n(&w->dp->sample_max, __ATOMIC_RELAXED), 1u);
}

static void window_begin(struct worker *w, struct sample_rate *r)
{
	r->from_ns = w->now;
	r->n = 0;
}

/* One more was taken.  True when they come faster than the bound allows: N was doubled, more than
 * once where it is far too small. */
static bool rate_up(struct worker *w, struct sample_rate *r)
{
	uint32_t max = bound(w), burst = MAX(max / BURST, 1u);
	uint64_t took = w->now - r->from_ns, due;

	due = (uint64_t)++r->n * NSEC_PER_SEC / max;
	if (r->n <= burst + took * (max - burst) / NSEC_PER_SEC)
		return false;
	for (unsigned i = 0; i < DOUBLINGS && (!i || took << i < due); i++)
		r->shift++;
	window_begin(w, r);
	return true;
}

/* For each second with less than a quarter of the bound N is halved: what comes then is less than
 * half of it.  True when it was. */
static bool rate_down(struct worker *w, struct sample_rate *r)
{
	uint64_t took = (w->now - r->from_ns) / NSEC_PER_SEC;
	bool few = took && r->n / took < (bound(w) + 3) / 4;

	if (!took)
		return false;
	window_begin(w, r);
	if (!few || !r->shift)
		return false;
	r->shift -= (uint32_t)MIN(took, r->shift);
	return true;
}

static uint32_t doubled(uint32_t every, struct sample_rate *r)
{
	while (r->shift && (uint64_t)every << r->shift > EVERY_LAST)
		r->shift--;
	return every << r->shift;
}

static void rate_apply(struct sampler *s)
{
	s->every = doubled(s->rate.asked, &s->rate);
	s->skip = draw(s);
}

/* Several times a second: what was set, and whether the rate may come back. */
static void check(struct worker *w, struct sampler *s)
{
	uint32_t asked = __atomic_load_n(&w->dp->sample_every, __ATOMIC_RELAXED);

	s->check_ns = w->now + NSEC_PER_SEC / CHECKS;
	if (unlikely(w->private_trace)) /* a what-if packet is nobody's traffic */
		asked = 0;
	if (asked != s->rate.asked) {
		s->rate = (struct sample_rate){.asked = MIN(asked, SAMPLE_EVERY_MAX),
					       .from_ns = w->now};
		rate_apply(s);
	} else if (rate_down(w, &s->rate)) {
		rate_apply(s);
	}
}

/* ---- Records --------------------------------------------------------------------------------- */

static void fill(struct worker *w, const struct pkt *p, struct sample_record *r)
{
	uint16_t type = be16toh(p->key.eth_type);

	*r = (struct sample_record){
		.ns = w->now,
		.length = pkt_octets(p),
		.in_port = be32toh(p->key.in_port),
		.out_port = OFPP_ANY,
		.rule_id = RULE_NONE,
		.flags = p->flags & PKT_VIRTUAL_ETH ? SAMPLE_VIRTUAL_ETH : 0,
		.size = MIN(MIN(p->payload, p->seg[0].len), PKT_HEADERS),
		.l3 = type == ETH_P_IP || type == ETH_P_IPV6 ? p->l3 : 0,
	};
	r->key.du = p->key;
	r->key.outer = p->outer->key;
	memcpy(r->octet, p->data, r->size);
}

/* A record for the packet, which carries it from now on; NULL: no slot is free. */
static struct sample_record *take(struct worker *w, struct pkt *p)
{
	struct sampler *s = &w->sampler;
	struct pending *slot;
	uint16_t number;

	if (!s->n_free) {
		__atomic_store_n(&s->missed, s->missed + 1, __ATOMIC_RELAXED);
		return NULL;
	}
	number = s->free[--s->n_free];
	slot = slot_get(w, number);
	slot->next = p->sample;
	p->sample = number;
	fill(w, p, record_of(slot));
	return record_of(slot);
}

/* One of the pool, of which `pool` have come with it. */
static void take_of_pool(struct worker *w, struct pkt *p, uint64_t pool, uint8_t flags)
{
	struct sampler *s = &w->sampler;
	struct sample_record *r = take(w, p);

	if (r) {
		r->pool = pool;
		r->every = s->every;
		r->flags |= flags;
	}
	if (rate_up(w, &s->rate))
		s->every = doubled(s->rate.asked, &s->rate);
	s->skip = draw(s);
}

void stage_sample(struct worker *w, struct batch *b)
{
	struct sampler *s = &w->sampler;
	unsigned left = b->n;

	if (unlikely(w->now >= s->check_ns))
		check(w, s);
	if (!s->every)
		return;
	while (unlikely(s->skip <= left)) {
		left -= (unsigned)s->skip;
		take_of_pool(w, b->pkt[b->n - left - 1], s->pool + b->n - left, 0);
	}
	s->skip -= left;
	s->pool += b->n;
}

void sample_by_rule(struct worker *w, struct pkt *p, uint32_t every)
{
	struct sampler *s = &w->sampler;
	struct sample_record *r;

	if (unlikely(w->private_trace))
		return;
	rate_down(w, &s->rule_rate);
	every = doubled(MIN(MAX(every, 1u), SAMPLE_EVERY_MAX), &s->rule_rate);
	if ((next_random(s) >> 32) * every >> 32)
		return;
	r = take(w, p);
	if (r) {
		r->pool = s->pool;
		r->every = every;
		r->flags |= SAMPLE_BY_RULE;
		r->rule_id = p->rule.id;
		r->table = p->rule.table;
	}
	rate_up(w, &s->rule_rate);
}

/* ---- What becomes of the packet ----------------------------------------------------------------
 */

#define PENDING_FOR_EACH(R, W, P)                                                                \
	for (uint16_t n_##R = (P)->sample; n_##R && ((R) = record_of(slot_get(W, n_##R)), true); \
	     n_##R = slot_get(W, n_##R)->next)

void sample_path(struct worker *w, struct pkt *p, const struct program *program)
{
	struct path_rule last =
		program->rules && program->n_rules ? program->rules[program->n_rules - 1] : p->rule;
	struct sample_record *r;

	PENDING_FOR_EACH (r, w, p) {
		r->rule_id = last.id;
		r->table = last.table;
	}
}

void sample_output(struct worker *w, struct pkt *p, uint32_t ofport)
{
	struct sample_record *r;

	PENDING_FOR_EACH (r, w, p)
		r->out_port = ofport;
}

static void tell(struct worker *w, struct sampler *s)
{
	if (w->now >= s->tell_ns)
		tell_due(w, &s->tell);
	else if (!timer_is_set(&s->tell))
		timer_set(&w->wheel, &s->tell, s->tell_ns);
}

static void submit(struct worker *w, struct sample_record *r)
{
	struct sampler *s = &w->sampler;
	size_t size = sizeof *r + r->size;
	void *to = ring_reserve(&w->samples, (uint32_t)size);

	if (!to) {
		__atomic_store_n(&s->missed, s->missed + 1, __ATOMIC_RELAXED);
		return;
	}
	r->seq = ++s->seq;
	r->missed = s->missed;
	memcpy(to, r, size);
	ring_submit(&w->samples);
	tell(w, s);
}

void sample_end(struct worker *w, struct pkt *p, enum sample_end end, uint8_t reason)
{
	struct sampler *s = &w->sampler;

	while (p->sample) {
		struct pending *slot = slot_get(w, p->sample);
		struct sample_record *r = record_of(slot);

		r->end = (uint8_t)end;
		r->reason = reason;
		if (end == SAMPLE_DROPPED)
			r->out_port = OFPP_ANY;
		/* A limit or meter is one rule's, wherever on the path that stood. */
		if (r->rule_id == RULE_NONE ||
		    (end == SAMPLE_DROPPED && (reason == DROP_LIMIT || reason == DROP_METER))) {
			r->rule_id = p->rule.id;
			r->table = p->rule.table;
		}
		submit(w, r);
		s->free[s->n_free++] = p->sample;
		p->sample = slot->next;
	}
}

/* Its key, as far as its octets give one; they are all there still. */
static void parse_late(struct worker *w, struct pkt *p)
{
	uint8_t flags = p->flags;

	if (!(flags & PKT_KEYED)) {
		p->flags &= (uint8_t)~PKT_TRACED; /* no stage of its path */
		pkt_parse(w, p);
		p->flags |= flags;
	}
	pkt_key_context(w, p);
}

void sample_drop(struct worker *w, struct pkt *p, enum drop_reason reason)
{
	struct sampler *s = &w->sampler;
	bool keyed = p->flags & PKT_KEYED;

	if (!s->every || !p->outer || !p->n_segs ||
	    (keyed ? p->payload : p->seg[0].len) < ETH_HLEN_)
		return;
	s->pool++;
	if (likely(--s->skip))
		return;
	parse_late(w, p);
	take_of_pool(w, p, s->pool,
		     p->outer->conn != CONN_NONE && !(p->flags & PKT_DECAPPED) ? SAMPLE_AGGREGATE
									       : 0);
	sample_end(w, p, SAMPLE_DROPPED, (uint8_t)reason);
}
