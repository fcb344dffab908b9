/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic: what strangers send.
 *
 * The plain ones take the flows of the rule sets in turn, which is the worst order for a memory of
 * flows; `spoof` never repeats a source; the others know the rules, as an attacker may, and choose
 * packets that cost as much as they can. */
#include <string.h>

#include "utilities/bench/bench.h"

enum { PORTS = 1000 }; /* destination ports of plain traffic, beginning with 1 */

#define NET_SRC 0x0a010000u /* 10.1.0.0/16 */
#define DST     0x0a020002u /* 10.2.0.2 */

/* xorshift64*. */
uint32_t traffic_random(struct traffic *t)
{
	t->random ^= t->random >> 12;
	t->random ^= t->random << 25;
	t->random ^= t->random >> 27;
	return (uint32_t)((t->random * 0x2545f4914f6cdd1dull) >> 32);
}

static void make_plain(struct traffic *t, struct flow5 *f)
{
	uint32_t flow = (uint32_t)(t->i % t->class->flows);

	*f = (struct flow5){
		.src = NET_SRC + 2 + (flow / PORTS & 0xffff),
		.dst = DST,
		.sport = (uint16_t)(1024 + (flow / PORTS & 1023)),
		.dport = (uint16_t)(1 + flow % PORTS),
	};
}

static void make_spoof(struct traffic *t, struct flow5 *f)
{
	uint32_t r = traffic_random(t);

	*f = (struct flow5){
		.src = traffic_random(t),
		.dst = DST,
		.sport = (uint16_t)r,
		.dport = (uint16_t)(1 + (r >> 16) % PORTS),
	};
}

/* `value` of `width` bits, with bit `bit` (0: the first) turned over and those behind it random; as
 * it is when there is no such bit. */
static uint32_t differ(struct traffic *t, uint32_t value, unsigned width, unsigned bit)
{
	uint32_t low;

	if (bit >= width)
		return value;
	low = (uint32_t)((1ull << (width - 1 - bit)) - 1);
	return (value ^ (low + 1)) ^ (traffic_random(t) & low);
}

static const struct five_tuple *any_tuple(struct traffic *t)
{
	return &t->tuple[traffic_random(t) % t->n_tuples];
}

/* Values of a rule where it has them, of nobody where it has none. */
static struct flow5 meet(struct traffic *t, const struct five_tuple *of)
{
	struct flow5 f = of->value;

	if (of->src_bits < 32)
		f.src ^= traffic_random(t) & (uint32_t)(0xffffffffull >> of->src_bits);
	if (of->dst_bits < 32)
		f.dst ^= traffic_random(t) & (uint32_t)(0xffffffffull >> of->dst_bits);
	if (of->sport_bits < 16)
		f.sport ^= (uint16_t)(traffic_random(t) & 0xffffu >> of->sport_bits);
	if (of->dport_bits < 16)
		f.dport ^= (uint16_t)(traffic_random(t) & 0xffffu >> of->dport_bits);
	return f;
}

/* One more combination of "the first bit that differs" a packet: a cache that keeps masks as wide
 * as needed to tell packets from rules needs another mask for each.  Each part is of a rule that
 * looks at it. */
static void make_explode(struct traffic *t, struct flow5 *f)
{
	struct flow5 of[4];
	bool three = t->n_tuples <= 8;

	for (unsigned i = 0; i < 4; i++)
		of[i] = three ? t->tuple[i % t->n_tuples].value : any_tuple(t)->value;
	for (unsigned i = 0; three && i < t->n_tuples; i++) {
		const struct five_tuple *u = &t->tuple[i];

		of[0].src = u->src_bits ? u->value.src : of[0].src;
		of[1].sport = u->sport_bits ? u->value.sport : of[1].sport;
		of[2].dport = u->dport_bits ? u->value.dport : of[2].dport;
	}
	f->src = differ(t, of[0].src, 32, (unsigned)(t->i % 33));
	f->sport = (uint16_t)differ(t, of[1].sport, 16, (unsigned)(t->i / 33 % 17));
	f->dport = (uint16_t)differ(t, of[2].dport, 16, (unsigned)(t->i / (33 * 17) % 17));
	f->dst = three ? DST : differ(t, of[3].dst, 32, traffic_random(t) % 33);
}

/* Each part is of another rule: all tuples have something of it, none has all. */
static void make_cross(struct traffic *t, struct flow5 *f)
{
	f->src = meet(t, any_tuple(t)).src;
	f->dst = meet(t, any_tuple(t)).dst;
	f->sport = meet(t, any_tuple(t)).sport;
	f->dport = meet(t, any_tuple(t)).dport;
}

/* A rule's packet but for the last bit that it looks at, in one part. */
static void make_near(struct traffic *t, struct flow5 *f)
{
	const struct five_tuple *u = any_tuple(t);

	*f = meet(t, u);
	for (unsigned tries = 0, part = traffic_random(t); tries < 4; tries++, part++) {
		if (part % 4 == 0 && u->src_bits)
			f->src ^= 1u << (32 - u->src_bits);
		else if (part % 4 == 1 && u->dst_bits)
			f->dst ^= 1u << (32 - u->dst_bits);
		else if (part % 4 == 2 && u->sport_bits)
			f->sport ^= (uint16_t)(1u << (16 - u->sport_bits));
		else if (part % 4 == 3 && u->dport_bits)
			f->dport ^= (uint16_t)(1u << (16 - u->dport_bits));
		else
			continue;
		return;
	}
}

/* Packets that meet a rule each, with all else different each time. */
static void make_meet(struct traffic *t, struct flow5 *f)
{
	*f = meet(t, any_tuple(t));
}

/* Nothing that any rule of ours looks at. */
static void make_miss(struct traffic *t, struct flow5 *f)
{
	*f = (struct flow5){
		.src = 0xc6120000u | (traffic_random(t) & 0x1ffff), /* 198.18.0.0/15 */
		.dst = 0xc6120000u | (traffic_random(t) & 0x1ffff),
		.sport = (uint16_t)(0xc000 | traffic_random(t)),
		.dport = (uint16_t)(0xc000 | traffic_random(t)),
	};
}

const struct traffic_class traffic_classes[] = {
	{"1", 1, "one flow", make_plain},
	{"1000", 1000, "1,000 flows in turn", make_plain},
	{"100000", 100000, "100,000 flows in turn", make_plain},
	{"spoof", 0, "never-repeating sources", make_spoof},
	{"explode", 0, "each packet differs from rules at other bits than the one before",
	 make_explode},
	{"cross", 0, "each part of another rule", make_cross},
	{"near", 0, "a rule's packet but for the last bit it looks at", make_near},
	{"meet", 0, "a rule's packet, all else different each time", make_meet},
	{"miss", 0, "addresses and ports of no rule", make_miss},
	{NULL, 0, NULL, NULL},
};

const struct traffic_class *traffic_by_name(const char *name)
{
	for (const struct traffic_class *c = traffic_classes; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	bench_die("no traffic is called %s", name);
}

void traffic_init(struct traffic *t, const struct bed *b, const struct traffic_class *class,
		  uint64_t seed)
{
	static const struct five_tuple nothing;

	*t = (struct traffic){
		.class = class,
		.tuple = b->n_tuples ? b->tuple : &nothing,
		.n_tuples = b->n_tuples ? b->n_tuples : 1,
		.random = (seed + 1) * 0x9e3779b97f4a7c15ull | 1,
	};
}
