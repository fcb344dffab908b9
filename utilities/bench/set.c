/* SPDX-License-Identifier: Apache-2.0 */
/* A rule that asks a set of 1,000,000 prefixes, as a blocklist is: what is in it is dropped, the
 * rest leaves. */
#include <stdio.h>

#include "ofproto/sets.h"
#include "utilities/bench/bench.h"

enum { MEMBERS = 1000000 };

static const char *const rules[] = {"set", NULL};
static const char *const traffic[] = {"1", "1000", "spoof", "meet", "miss", NULL};

/* Half of them single addresses, half /24 to /31; outside 10.0.0.0/8, which plain traffic has. */
static void make_prefix(struct traffic *t, struct five_tuple *u)
{
	*u = (struct five_tuple){.src_bits = 32};
	if (traffic_random(t) & 1)
		u->src_bits = (uint8_t)(24 + traffic_random(t) % 8);
	do
		u->value.src = traffic_random(t) & (uint32_t)(0xffffffffull << (32 - u->src_bits));
	while (u->value.src >> 24 == 10 || u->value.src >> 17 == 0xc612 >> 1);
}

static void set_open(struct bed *b)
{
	struct traffic t = {.random = 0x9e3779b97f4a7c15ull};
	struct buf text = {0};
	struct refusal r = {0};

	for (unsigned i = 0; i < MEMBERS; i++) {
		struct five_tuple u;

		make_prefix(&t, &u);
		bed_remember(b, &u);
		buf_printf(&text, "%u.%u.%u.%u/%u\n", u.value.src >> 24, u.value.src >> 16 & 255,
			   u.value.src >> 8 & 255, u.value.src & 255, u.src_bits);
	}
	bed_verb(b, "add-set blocked type=ipv4 max=%u", MEMBERS);
	if (ofproto_set_load(b->ofproto, "blocked", buf_text(&text), NULL, &r))
		bench_die("a set of %u prefixes: %s", MEMBERS, r.text);
	buf_free(&text);
}

const struct scenario scenario_set = {
	.name = "set",
	.help = "a rule drops what is in a set of 1,000,000 prefixes, all else leaves; meet: each "
		"source "
		"is in it, miss: none",
	.rules = rules,
	.traffic = traffic,
	.actions = "output:2",
	.cache = true,
	.open = set_open,
};
