/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's cache: with it and without it the rules stage gives the same program and counts the
 * same, whatever is changed meanwhile; and traffic can neither make it grow nor make it costly. */
#include <arpa/inet.h>

#include "tests/unit/route-bed.h"

enum { N_RULES = 64, STEPS = 20000, SOURCES = 8, TOGETHER = 12, N_OF_V6 = 2000 };

static const char *const sources[SOURCES] = {"10.0.0.1", "10.0.0.2", "10.0.1.1",  "10.128.0.1",
					     "77.0.0.1", "77.1.0.1", "202.5.6.7", "202.5.6.6"};

/* Differing in either half. */
static const char *const sources6[SOURCES] = {"2001:db8::1",   "2001:db8::2",  "2001:db8::8001",
					      "2001:db8:1::1", "2001:db9::1",  "fd00::1",
					      "::1",           "2001:db8::1:0"};

static struct rule *rules[N_RULES];
static struct match matches[N_RULES];
static bool odd_masks; /* some are no prefixes: then all addresses are alone */

static unsigned rnd(unsigned n)
{
	return (unsigned)random() % n;
}

static void next_version(void)
{
	w->version = ++dp.version;
}

static void remove_rule(unsigned i)
{
	rcu_set(rules[i]->remove_version, dp.version + 1);
	next_version();
	table_remove(dp.table[rules[i]->table], rules[i]);
	rule_destroy(rules[i]);
	rules[i] = NULL;
}

static void parse_words(struct match *m, char *text)
{
	char *save = NULL;

	*m = (struct match){0};
	for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *value = strchr(word, '=');
		struct refusal r = {0};

		if (value)
			*value++ = '\0';
		if (match_parse_word(m, word, value, &r))
			fail_msg("%s", r.text);
	}
	assert_int_equal(match_finish(m, NULL), 0);
}

static void insert_prior(int32_t priority, unsigned i, unsigned table, const char *match,
			 const char *actions)
{
	struct instructions in = {0};
	char words[300];

	snprintf(words, sizeof words, "%s", match);
	parse_words(&matches[i], words);
	assert_int_equal(instructions_parse(actions, &in, NULL), 0);
	rules[i] = rule_create(&matches[i], priority, i, program_compile(&in));
	instructions_free(&in);
	rules[i]->table = (uint8_t)table;
	rules[i]->add_version = dp.version + 1;
	table_insert(datapath_table(&dp, table), rules[i], &matches[i]);
	next_version();
}

static void insert_rule(unsigned i, unsigned table, const char *match, const char *actions)
{
	insert_prior((int32_t)rnd(5), i, table, match, actions);
}

static void insert_random(unsigned i)
{
	static const unsigned tables[] = {0, 0, 0, 1, 2, TABLE_GUARD};
	static const char *const actions[] = {"drop", "output:2", "set_field:10.0.0.2->ipv4_src",
					      "set_field:7->reg1,output:3",
					      "set_field:10.0.0.0/255.0.0.0->ipv4_src"};
	unsigned table = tables[rnd(6)];
	char match[100], program[100];

	switch (rnd(8)) {
	case 0:
		snprintf(match, sizeof match, rnd(2) ? "ip" : "ipv6");
		break;
	case 6:
		snprintf(match, sizeof match, "ip,nw_dst=%s/%u", sources[rnd(SOURCES)],
			 1 + rnd(32));
		break;
	case 7:
		snprintf(match, sizeof match, "ipv6,ipv6_%s=%s/%u", rnd(2) ? "src" : "dst",
			 sources6[rnd(SOURCES)], rnd(2) ? 1 + rnd(128) : 112 + rnd(17));
		break;
	case 1:
		if (!odd_masks || rnd(40))
			snprintf(match, sizeof match, "ip,nw_src=%s/%u", sources[rnd(SOURCES)],
				 1 + rnd(32));
		else
			snprintf(match, sizeof match, "ip,nw_src=0.0.0.1/0.0.1.%u", rnd(32) | 1);
		break;
	case 2:
		snprintf(match, sizeof match, "udp,tp_dst=%u", 2000 + rnd(2));
		break;
	case 3:
		snprintf(match, sizeof match, "udp,tp_src=%u-%u", 999 + rnd(2), 1000 + rnd(2));
		break;
	case 4:
		snprintf(match, sizeof match, "in_port=%u", 1 + rnd(2));
		break;
	default:
		snprintf(match, sizeof match, "ip,outer_len=%u", 62 + rnd(2));
	}
	snprintf(program, sizeof program, "%s", actions[rnd(5)]);
	if (table == TABLE_GUARD && rnd(2))
		snprintf(program, sizeof program, "pass");
	else if (table < 2 && rnd(3) == 0 && strcmp(program, "drop"))
		snprintf(program + strlen(program), 40, ",goto_table:%u", table + 1);
	insert_rule(i, table, match, program);
}

/* What the stage gave a packet, and what it counted. */
struct outcome {
	uint32_t which; /* of the batch, from 1 */
	size_t size;
	uint8_t ops[PATH_OPS];
	struct path_rule path[PATH_RULES];
	unsigned n_path;
};

struct seen {
	uint64_t dropped[N_DROPS], rule[N_RULES], lookups[4], matches[4];
	unsigned n, n_long;
	struct outcome outcome[TOGETHER];
};

static void count(struct seen *s, int sign)
{
	static const unsigned tables[] = {0, 1, 2, TABLE_GUARD};

	for (unsigned i = 0; i < N_DROPS; i++)
		s->dropped[i] += (uint64_t)sign * w->n.dropped[i];
	for (unsigned i = 0; i < N_RULES; i++)
		s->rule[i] += (uint64_t)sign * w->rule[i].packets;
	for (unsigned i = 0; i < 4; i++) {
		s->lookups[i] += (uint64_t)sign * w->table[tables[i]].lookups;
		s->matches[i] += (uint64_t)sign * w->table[tables[i]].matches;
	}
}

static void see(struct seen *s, struct batch *b)
{
	memset(s, 0, sizeof *s);
	count(s, -1);
	stage_rules(w, b);
	count(s, 1);
	for (s->n = 0; s->n < b->n; s->n++) {
		struct outcome *o = &s->outcome[s->n];
		const struct pkt *p = b->pkt[s->n];

		o->which = p->flow_hash_memo;
		o->size = p->program->apply_size;
		memcpy(o->ops, p->program->ops, o->size);
		o->n_path = p->program->rules ? p->program->n_rules : 1;
		memcpy(o->path, p->program->rules ? p->program->rules : &p->rule,
		       o->n_path * sizeof o->path[0]);
		s->n_long += o->n_path > 1;
	}
	stage_actions(w, b);
	stage_tx(w);
}

static void set_address(uint8_t *to, unsigned n, bool v6)
{
	memset(to, 0, 16);
	assert_int_equal(
		inet_pton(v6 ? AF_INET6 : AF_INET, (v6 ? sources6 : sources)[n % SOURCES], to), 1);
}

static struct pkt *random_packet(uint32_t n)
{
	struct pkt *p = keyed(udp_packet("10.0.0.1", "192.0.2.2"));
	bool v6 = n < N_OF_V6;

	if (v6)
		p->key.eth_type = htobe16(0x86dd);
	set_address(p->key.ip_src, n, v6);
	n /= SOURCES;
	set_address(p->key.ip_dst, n % 4 * 2, v6);
	p->key.tp_src = htobe16((uint16_t)(999 + n % 3));
	p->key.tp_dst = htobe16((uint16_t)(2000 + n / 3 % 2));
	p->key.in_port = htobe32(1 + n / 6 % 2);
	p->outer->key.frame_len = htobe32(62 + n / 12 % 2);
	return p;
}

static void random_batch(struct batch *b, const uint32_t *n, unsigned of)
{
	*b = (struct batch){.n = of};
	for (unsigned i = 0; i < of; i++) {
		b->pkt[i] = random_packet(n[i]);
		b->pkt[i]->flow_hash_memo = i + 1;
	}
}

static void compare(void)
{
	static struct seen with, without;
	unsigned different = 0;

	srandom(11);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned of = 1 + rnd(TOGETHER);
		uint32_t n[TOGETHER];
		struct batch b;

		n[0] = rnd(3) ? N_OF_V6 : 0;
		for (unsigned i = of; i--;)
			n[i] = n[0] + rnd(N_OF_V6);
		if (!rnd(150)) {
			unsigned i = rnd(N_RULES);

			if (rules[i])
				remove_rule(i);
			else
				insert_random(i);
		}
		if (!rnd(200))
			dp.sets_gen++;
		if (!rnd(50))
			w->cache.rest = 0;
		dp.cache_off = false;
		random_batch(&b, n, of);
		see(&with, &b);
		dp.cache_off = true;
		random_batch(&b, n, of);
		see(&without, &b);
		assert_memory_equal(&with, &without, sizeof with);
		different += with.n_long;
	}
	assert_true(different > STEPS / 20);
	assert_true(w->cache.hits > STEPS / 5);
	for (unsigned i = 0; i < N_RULES; i++)
		if (rules[i])
			remove_rule(i);
	dp.cache_off = false;
}

static void with_and_without(void **state)
{
	(void)state;
	odd_masks = false;
	compare();
}

static void with_and_without_addresses(void **state)
{
	(void)state;
	odd_masks = true;
	compare();
}

/* One packet of a source, through the rules; whether the cache knew it. */
static bool hit(uint32_t src)
{
	struct pkt *p = keyed(udp_packet("10.0.0.1", "192.0.2.2"));
	struct batch b = {.n = 1, .pkt = {p}};
	uint64_t before = w->cache.hits;

	put_be32(p->key.ip_src, src);
	stage_rules(w, &b);
	if (b.n)
		stage_actions(w, &b);
	return w->cache.hits > before;
}

/* Fills `packets` with sources of one set of the cache. */
static void of_one_set(struct pkt **packets, unsigned n)
{
	struct cache_key key;
	const struct cache_entry *set = NULL;
	uint32_t src = 0x0a000001;

	assert_true(cache_begin(w, 1));
	for (unsigned i = 0; i < n; src += 2) {
		packets[i] = keyed(udp_packet("10.0.0.1", "192.0.2.2"));
		put_be32(packets[i]->key.ip_src, src);
		cache_prepare(&w->cache, &packets[i], 1, &key);
		if (set && key.set != set) {
			drop(w, packets[i], DROP_RULE);
			continue;
		}
		set = key.set;
		i++;
	}
}

/* What is found and what is kept in one batch: an entry that has to go says what it said to those
 * who had found it. */
static void a_set_that_overflows(void **state)
{
	uint32_t src[4];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		struct batch b = {.n = ARRAY_SIZE(src)};

		/* Where a mask is no prefix, each source has an entry of its own. */
		insert_prior(1, 0, 0, "ip,nw_src=0.0.0.1/0.0.0.1", "output:3");
		insert_prior(1, 5, 0, "ip,nw_src=255.255.255.255", "output:3");
		of_one_set(b.pkt, b.n);
		for (unsigned i = 0; i < b.n; i++)
			src[i] = get_be32(b.pkt[i]->key.ip_src);
		for (unsigned i = 0; i < b.n; i++) {
			char match[40];

			snprintf(match, sizeof match, "ip,nw_src=%u.%u.%u.%u", src[i] >> 24,
				 src[i] >> 16 & 255, src[i] >> 8 & 255, src[i] & 255);
			insert_prior(2, 1 + i, 0, match, i % 2 ? "output:2" : "output:3");
		}
		for (unsigned i = 0; i < 6; i++) /* two have both ways, and were found */
			hit(src[2 + i % 2]);
		assert_true(hit(src[2]) && hit(src[3]));
		if (round) /* the other way is the next to go */
			w->cache.kept++;
		stage_rules(w, &b);
		assert_int_equal(b.n, 4);
		for (unsigned i = 0; i < b.n; i++)
			assert_int_equal(b.pkt[i]->rule.id, 1 + i);
		stage_actions(w, &b);
		stage_tx(w);
		for (unsigned i = 0; i < 6; i++)
			remove_rule(i);
	}
}

/* One that is traced shows its lookups: it is not asked for, and not kept. */
static void what_is_traced_is_not_in_it(void **state)
{
	uint64_t kept, hits;

	(void)state;
	insert_rule(0, 0, "ip,nw_src=10.0.0.0/8", "drop");
	for (unsigned i = 0; i < 2; i++) {
		struct batch b = {.n = 1, .pkt = {keyed(udp_packet("10.0.0.1", "192.0.2.2"))}};

		hit(0x0a000001 + i);
		kept = w->cache.kept;
		hits = w->cache.hits;
		b.pkt[0]->flags |= PKT_TRACED;
		if (i)
			put_be32(b.pkt[0]->key.ip_src, 0x0b000001);
		stage_rules(w, &b);
		assert_int_equal(w->cache.hits, hits);
		assert_int_equal(w->cache.kept, kept);
		if (b.n)
			stage_actions(w, &b);
	}
	remove_rule(0);
}

static void a_change_is_seen_at_once(void **state)
{
	(void)state;
	insert_rule(0, 0, "ip,nw_src=10.0.0.0/8", "drop");
	assert_false(hit(1));
	assert_true(hit(1));
	assert_true(hit(1));
	dp.sets_gen++;
	assert_false(hit(1));
	assert_true(hit(1));
	next_version();
	assert_false(hit(1));
	assert_true(hit(1));
	/* Rules tell two kinds of addresses apart, then three. */
	assert_true(hit(0x01000000));
	assert_false(hit(0x0a000001));
	assert_true(hit(0x0affffff));
	insert_rule(1, 0, "ip,nw_src=10.0.0.1", "drop");
	assert_false(hit(1));
	assert_false(hit(0x0a000001));
	assert_false(hit(0x0affffff));
	assert_true(hit(0x0a000002));
	assert_true(hit(0x01000000));
	remove_rule(0);
	remove_rule(1);
}

/* Rules of one address, and of one whose mask is no prefix, so that all bits of all count. */
static void insert_exact(void)
{
	insert_rule(0, 0, "ip,nw_src=10.0.0.1", "drop");
	insert_rule(1, 0, "ip,nw_src=0.0.0.1/0.0.0.1", "drop");
}

/* Of n sources that never repeat, how many the cache knew. */
static unsigned never_repeating(uint32_t n)
{
	unsigned known = 0;

	for (uint32_t i = 1; i <= n; i++)
		known += hit(i * 0x9e3779b1u);
	return known;
}

/* The port that a packet of a source leaves by. */
static uint32_t out_of(uint32_t src)
{
	struct pkt *p = keyed(udp_packet("10.0.0.1", "192.0.2.2"));
	struct batch b = {.n = 1, .pkt = {p}};
	uint32_t out = 0;

	put_be32(p->key.ip_src, src);
	stage_rules(w, &b);
	assert_int_equal(b.n, 1);
	OP_FOR_EACH(op, p->program->ops, p->program->apply_size)
	if (op->kind == ACTION_OUTPUT)
		out = op->arg;
	stage_actions(w, &b);
	stage_tx(w);
	return out;
}

/* Sources that never repeat have few prefixes; each keeps its rule; and a tree that is full of
 * prefixes that have gone is made anew. */
static void sources_that_never_repeat_are_known(void **state)
{
	enum { N = 20 * CACHE_WINDOW };

	(void)state;
	insert_prior(3, 0, 0, "udp,nw_src=10.1.0.0/16", "output:2");
	insert_prior(2, 1, 0, "ip,nw_src=10.0.0.0/8", "output:3");
	insert_prior(1, 2, 0, "ip", "output:4");
	assert_true(never_repeating(N) > N * 99 / 100);
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(out_of(0x0a010000 + i), 2);
		assert_int_equal(out_of(0x0a000000 + i), 3);
		assert_int_equal(out_of(0x0b010000 + i), 4);
	}
	remove_rule(2);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 2; i < N_RULES; i++) {
			char match[40];

			snprintf(match, sizeof match, "ip,nw_src=%u.%u.%u.%u", round * 8 + i % 8, i,
				 i, i);
			insert_rule(i, i % 3, match, "drop");
		}
		for (unsigned i = 2; i < N_RULES; i++)
			remove_rule(i);
	}
	assert_true(never_repeating(N) > N * 99 / 100);
	remove_rule(0);
	remove_rule(1);
}

/* Sources that table 0 cannot tell apart, and table 1 can when their first octet is another. */
static void an_address_made_of_parts(void **state)
{
	(void)state;
	insert_rule(0, 0, "ip", "set_field:10.0.0.0/255.0.0.0->ipv4_src,goto_table:1");
	insert_rule(1, 1, "ip,nw_src=10.1.0.0/16", "output:2");
	insert_rule(2, 1, "ip,nw_src=10.2.0.0/16", "output:3");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(out_of(0x4d010001), 2);
		assert_int_equal(out_of(0x4d020001), 3);
	}
	for (unsigned i = 0; i < 3; i++)
		remove_rule(i);
}

/* Traffic that never repeats: the cache is left alone, tried again now and then, and what does
 * repeat beside it is kept. */
static void what_never_repeats(void **state)
{
	enum { PERIOD = (CACHE_REST + 1) * CACHE_WINDOW };
	unsigned asked = 0, hot = 0, all = 0;

	(void)state;
	insert_exact();
	for (uint32_t i = 0; i < 4 * PERIOD; i++) {
		hit(i << 8 | 0x80000000);
		asked += !w->cache.rest;
	}
	assert_in_range(asked, 4 * CACHE_WINDOW, 8 * CACHE_WINDOW);
	for (uint32_t i = 0; i < 5 * PERIOD; i++) {
		bool known = hit(i % 8 ? i % 2048 : i << 8 | 0x90000000);

		if (i < 4 * PERIOD || i % 8 == 0) /* it was at rest, and learns */
			continue;
		hot += known;
		all++;
	}
	assert_true(hot > all * 8 / 10);
	remove_rule(0);
	remove_rule(1);
}

/* A cache full of what was found once takes in what is found now. */
static void what_is_over_gives_way(void **state)
{
	unsigned known = 0;

	(void)state;
	insert_exact();
	for (unsigned round = 0; round < 4; round++)
		for (uint32_t i = 0; i < 8 * CACHE_WINDOW; i++)
			hit(i / 8 | 0xa0000000), known += hit(i / 8 | 0xb0000000);
	assert_true(known > 8 * CACHE_WINDOW);
	for (uint32_t i = 0; i < 4 * CACHE_WINDOW; i++)
		hit(i / 8 | 0xc0000000);
	known = 0;
	for (uint32_t i = 0; i < CACHE_WINDOW; i++)
		known += hit(i / 8 | 0xc0000000);
	assert_true(known > CACHE_WINDOW * 9 / 10);
	remove_rule(0);
	remove_rule(1);
}

/* Keys that differ in one octet of a port or an address spread over the cache as chance would. */
static void keys_spread(void **state)
{
	(void)state;
	insert_rule(0, 0, "udp,in_port=1,nw_src=10.0.0.1,nw_dst=10.0.0.1,tp_src=1,tp_dst=1",
		    "drop");
	insert_rule(1, 0, "ip,nw_src=0.0.0.1/0.0.0.1", "drop");
	for (unsigned shift = 0; shift < 32; shift += 8) {
		unsigned known = 0;

		next_version();
		for (unsigned round = 0; round < 3; round++)
			for (uint32_t i = 0; i < 256; i++)
				known += hit(i << shift);
		assert_true(known > 500);
	}
	remove_rule(0);
	remove_rule(1);
}

/* Rules that look at more words than an entry has: everything is looked up. */
static void too_many_words(void **state)
{
	(void)state;
	insert_rule(0, 0,
		    "udp,in_port=1,reg0=1,reg2=1,reg4=1,reg6=1,pkt_mark=1,metadata=1,tunnel_id=1,"
		    "nw_src=1.1.1.1,nw_dst=1.1.1.1,tp_dst=1,dl_src=02:00:00:00:00:01,pkt_len=60,"
		    "nw_ttl=9",
		    "drop");
	insert_rule(1, 0, "ip", "drop");
	assert_false(hit(1));
	assert_false(hit(1));
	remove_rule(0);
	assert_false(hit(1));
	assert_true(hit(1));
	remove_rule(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(with_and_without, route_up, route_down),
		cmocka_unit_test_setup_teardown(with_and_without_addresses, route_up, route_down),
		cmocka_unit_test_setup_teardown(a_set_that_overflows, route_up, route_down),
		cmocka_unit_test_setup_teardown(what_is_traced_is_not_in_it, route_up, route_down),
		cmocka_unit_test_setup_teardown(a_change_is_seen_at_once, route_up, route_down),
		cmocka_unit_test_setup_teardown(sources_that_never_repeat_are_known, route_up,
						route_down),
		cmocka_unit_test_setup_teardown(an_address_made_of_parts, route_up, route_down),
		cmocka_unit_test_setup_teardown(what_never_repeats, route_up, route_down),
		cmocka_unit_test_setup_teardown(what_is_over_gives_way, route_up, route_down),
		cmocka_unit_test_setup_teardown(keys_spread, route_up, route_down),
		cmocka_unit_test_setup_teardown(too_many_words, route_up, route_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
