/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/traffic.h"

#include <stdlib.h>

#include "datapath/pkt.h"

/* Fixed sizes: about 40 MB in all. */
enum { N_PAIRS = 1 << 18, N_BASELINES = 1 << 13 };
static const struct {
	uint32_t entries, columns;
} sizes[N_TARGETS] = {
	[TARGET_ADDRESS] = {1 << 13, 1 << 16},
	[TARGET_PREFIX] = {1 << 12, 1 << 15},
	[TARGET_CONN] = {1 << 11, 1 << 12},
	[TARGET_PORT] = {1 << 9, 1 << 10},
};

/* What the tail asks for: about as many packets as it sends, so a little more than that; a bare
 * acknowledgement (no longer than ACK_LENGTH) is for what a sender has much more of. */
#define TAIL_ASKS     2
#define TAIL_ASKS_ACK 24
#define ACK_LENGTH    80
/* A lawful connection shows at least three packets behind its request. */
#define SYN_ASKS 3
/* Later fragments of the largest datagram. */
#define FRAGMENTS 44
/* What one sample may stand for: an exporter's lie must not fill sums for good. */
#define PACKETS_MAX 1e7

struct traffic *traffic_create(void)
{
	struct traffic *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	for (unsigned kind = 0; kind < N_TARGETS; kind++) {
		struct table *table = &t->table[kind];

		space_saving_init(&table->heavy, sizes[kind].entries);
		count_min_init(&table->rest, sizes[kind].columns);
		table->entry = calloc(sizes[kind].entries, sizeof *table->entry);
		table->touched = calloc(sizes[kind].entries, sizeof *table->touched);
		table->learned = calloc(sizes[kind].entries, sizeof *table->learned);
		if (!table->entry || !table->touched || !table->learned)
			abort();
	}
	t->pairs = pairs_create(N_PAIRS);
	t->baselines = baselines_create(N_BASELINES);
	t->hour = -1;
	t->free_ns = UINT64_MAX;
	return t;
}

void traffic_free(struct traffic *t)
{
	if (!t)
		return;
	for (unsigned kind = 0; kind < N_TARGETS; kind++) {
		space_saving_free(&t->table[kind].heavy);
		count_min_free(&t->table[kind].rest);
		free(t->table[kind].entry);
		free(t->table[kind].touched);
		free(t->table[kind].learned);
	}
	pairs_free(t->pairs);
	baselines_free(t->baselines);
	free(t);
}

size_t traffic_memory(const struct traffic *t)
{
	size_t size = sizeof *t + pairs_memory(t->pairs) + baselines_memory(t->baselines);

	for (unsigned kind = 0; kind < N_TARGETS; kind++)
		size += space_saving_memory(&t->table[kind].heavy) +
			count_min_memory(&t->table[kind].rest) +
			space_saving_slots(&t->table[kind].heavy) *
				(sizeof(struct entry) + 2 * sizeof(uint32_t));
	return size;
}

uint64_t target_hash(const struct target *t)
{
	uint64_t word[2];

	if (t->kind >= TARGET_CONN)
		return sketch_hash(t->kind, t->port, 0);
	memcpy(word, t->prefix.ip.octet, sizeof word);
	return sketch_hash((uint64_t)t->kind << 8 | t->prefix.ip.family, word[0], word[1]);
}

static struct target address_of(const uint8_t *octet, bool v6)
{
	struct target t = {.kind = TARGET_ADDRESS};

	t.prefix.len = v6 ? 128 : 32;
	t.prefix.ip.family = v6 ? 6 : 4;
	memcpy(t.prefix.ip.octet, octet, v6 ? 16 : 4);
	return t;
}

static struct target prefix_of(const struct target *address)
{
	struct target t = *address;
	bool v6 = t.prefix.ip.family == 6;

	t.kind = TARGET_PREFIX;
	t.prefix.len = v6 ? 64 : 24;
	memset(t.prefix.ip.octet + t.prefix.len / 8, 0, 16 - t.prefix.len / 8);
	return t;
}

static struct entry *entry_find(struct table *table, uint64_t hash)
{
	int slot = space_saving_find(&table->heavy, hash);

	return slot < 0 ? NULL : &table->entry[slot];
}

/* The target's entry; a new one when it is heavier than the lightest.  NULL: it is one of the rest.
 */
static struct entry *entry_of(struct traffic *t, const struct target *target, uint64_t hash,
			      float weight)
{
	struct table *table = &t->table[target->kind];
	int slot = space_saving_find(&table->heavy, hash);
	struct entry *e;
	bool fresh;

	if (slot >= 0) {
		table->heavy.weight[slot] += weight;
		table->touched[slot]++;
		return &table->entry[slot];
	}
	if ((float)count_min_add(&table->rest, hash, (uint32_t)weight) <
	    space_saving_least(&table->heavy, hash))
		return NULL;
	slot = space_saving_add(&table->heavy, hash, weight, &fresh);
	if (slot < 0)
		return NULL;
	e = &table->entry[slot];
	if (e->hash)
		entry_remember(t, e);
	memset(e, 0, sizeof *e);
	e->target = *target;
	e->hash = hash;
	e->generation = ++t->generation;
	e->patience = PATIENCE;
	e->learned_s = t->second;
	table->touched[slot]++;
	entry_recall(t, e);
	return e;
}

static void vote(struct vote *v, uint32_t word, float weight)
{
	v->total += weight;
	if (v->word == word)
		v->lead += weight;
	else if (v->lead >= weight)
		v->lead -= weight;
	else
		*v = (struct vote){.word = word, .lead = weight - v->lead, .total = v->total};
}

/* What one sample adds to each of its targets. */
struct share {
	const struct class *class;
	uint8_t kind;
	uint32_t what, where;
	uint64_t source;
	float packets, unasked, doubtful, length;
};

static void entry_add(struct traffic *t, struct entry *e, const struct share *s)
{
	struct gauge *g = &e->now[s->kind];

	g->all += s->packets;
	g->all_octets += s->packets * s->length;
	g->doubtful += s->doubtful;
	g->doubtful_octets += s->doubtful * s->length;
	if (e->sources_s[t->second & 1] != t->second) {
		e->sources_s[t->second & 1] = t->second;
		memset(&e->sources[t->second & 1], 0, sizeof e->sources[0]);
	}
	distinct_add(&e->sources[t->second & 1], s->source);
	if (s->unasked <= 0)
		return;
	g->packets += s->unasked;
	g->octets += s->unasked * s->length;
	g->squares += (double)s->unasked * s->packets;
	vote(&e->what[s->kind], s->what, s->unasked);
	vote(&e->where[s->kind], s->where, s->unasked);
}

bool traffic_sees_way_back(const struct traffic *t, const struct entry *e)
{
	/* An attack on a target that was hardly known must not pass for its history. */
	enum { ENOUGH_S = 60 };

	if (e && e->tcp_s >= ENOUGH_S)
		return e->tcp_asked > 0.2 * e->tcp;
	return t->tcp_asked > 0.2 * t->tcp;
}

/* Takes what the tail asked for off the share, at the address and its prefix alike. */
static void use_credit(struct entry *e, struct entry *prefix, struct share *s)
{
	float used = MIN(e ? e->credit[s->kind] : 0, s->unasked);

	if (e)
		e->credit[s->kind] -= used;
	if (prefix)
		prefix->credit[s->kind] = MAX(prefix->credit[s->kind] - used, 0.0f);
	s->unasked -= used;
}

/* Lawful connections complete: each shows more packets than its request. */
static void count_tcp(struct traffic *t, struct entry *e, struct share *s, bool first)
{
	bool sees = traffic_sees_way_back(t, e);

	if (e->hold_s[ATTACK_OTHER] <= t->second) {
		float asked = s->packets - s->unasked - s->doubtful;

		e->tcp += s->packets;
		e->tcp_asked += asked;
		t->tcp += s->packets;
		t->tcp_asked += asked;
	}
	if (first && (s->unasked <= 0 || !sees))
		e->credit[ATTACK_SYN] += SYN_ASKS * s->packets;
	/* Without the way back all TCP looks unasked. */
	if (!sees)
		s->unasked = 0;
}

/* The sample's share that nobody asked for, by what its target has asked for in all. */
static void judge(struct traffic *t, struct entry *e, struct entry *prefix,
		  const struct pair_seen *seen, struct share *s)
{
	const struct class *c = s->class;

	if (c->may_be_asked || c->kind == ATTACK_SYN || c->kind == ATTACK_FRAGMENT)
		use_credit(e, prefix, s);
	if (!e) {
		/* Of one of the rest nothing is known, neither its way back. */
		if (c->tcp)
			s->unasked = 0;
		return;
	}
	if (s->unasked > 0 && seen->doubtful && e->patience >= 1) {
		e->patience--;
		s->doubtful = s->unasked;
		s->unasked = 0;
	}
	if (c->tcp)
		count_tcp(t, e, s, seen->first);
}

/* What an address sends: the first to a pair asks for some of the tail, and what was doubted in
 * vain gives its patience back. */
static void tail_asks(struct traffic *t, const struct target *from, const struct pair_seen *seen,
		      const struct share *s)
{
	const struct class *c = s->class;
	struct target prefix = prefix_of(from);
	struct entry *at[] = {entry_find(&t->table[TARGET_ADDRESS], s->source),
			      entry_find(&t->table[TARGET_PREFIX], target_hash(&prefix))};
	bool bare = c->tcp && s->length <= ACK_LENGTH;
	float asked = 0;

	if (!seen->known)
		asked += (bare ? TAIL_ASKS_ACK : TAIL_ASKS) * s->packets;
	/* The first of those in doubt was counted. */
	if (seen->cleared)
		asked += s->packets;
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		if (at[i])
			at[i]->credit[c->back] += asked;
	if (at[0])
		at[0]->patience = MIN(at[0]->patience + (float)seen->cleared, (float)PATIENCE);
}

static struct pair_seen pair_of(struct traffic *t, const struct class *c,
				const struct watch_sample *s, const uint64_t hash[2], float packets)
{
	struct pair_use use = {
		.hash = hash_mix((hash[0] + hash[1]) ^ hash_mix(c->service)),
		.way = hash[0] < hash[1],
		.packets = packets,
		.asks = c->asks,
		.may_be_asked = c->may_be_asked,
		.counts_first = c->tcp,
	};

	return pairs_sample(t->pairs, &use, s->ns);
}

/* An early verdict's aggregates are what a rule already takes away, and nothing like them was
 * sampled while their DUs came: no news about the gateway's own address. */
static bool passed_over(const struct watch_sample *s)
{
	return s->by_rule || (s->aggregate && s->end == END_DROPPED &&
			      (s->reason == DROP_EARLY || s->reason == DROP_EARLY_METER));
}

static void hear(struct traffic *t, uint64_t ns)
{
	if (t->heard_ns && ns >= t->heard_ns + SILENCE_NS) {
		t->silent_ns = MAX(t->heard_ns, ns - MIN(ns, SILENCE_MAX_NS));
		t->again_ns = ns;
	}
	t->heard_ns = MAX(t->heard_ns, ns);
}

static void count_all(struct traffic *t, const struct watch_sample *s, float packets)
{
	if (!t->begun) {
		t->begun = true;
		t->begin_ns = t->second_ns = s->ns;
	}
	t->all.packets += packets;
	t->all.octets += (double)packets * s->length;
}

void traffic_sample(struct traffic *t, const struct watch_sample *s)
{
	float packets = (float)MAX(1.0, MIN((double)s->packets, PACKETS_MAX));
	struct target to, prefix, from, by;
	struct class c;
	struct pair_seen seen;
	uint64_t hash[2];
	struct entry *e, *at_prefix;
	struct share share;

	hear(t, s->ns);
	if (passed_over(s))
		return;
	count_all(t, s, packets);
	if (!classify(&s->key, &c))
		return;
	from = address_of(s->key.du.ip_src, c.word >> 31);
	to = address_of(s->key.du.ip_dst, c.word >> 31);
	hash[0] = target_hash(&from);
	hash[1] = target_hash(&to);
	seen = pair_of(t, &c, s, hash, packets);
	share = (struct share){.class = &c,
			       .kind = c.kind,
			       .what = c.word,
			       .where = (uint32_t)hash[1],
			       .source = hash[0],
			       .packets = packets,
			       .unasked = seen.unasked,
			       .length = (float)MIN(s->length, 65535u)};
	if (c.asks > 0 && (!seen.known || seen.cleared))
		tail_asks(t, &from, &seen, &share);
	prefix = prefix_of(&to);
	e = entry_of(t, &to, hash[1], packets);
	at_prefix = entry_of(t, &prefix, target_hash(&prefix), packets);
	judge(t, e, at_prefix, &seen, &share);
	if (e) {
		if (s->key.du.ip_frag == IP_FRAG_ANY && share.unasked <= 0)
			e->credit[ATTACK_FRAGMENT] += FRAGMENTS * packets;
		entry_add(t, e, &share);
	}
	if (at_prefix) {
		/* What others of the prefix have asked for and did not get. */
		use_credit(at_prefix, NULL, &share);
		entry_add(t, at_prefix, &share);
	}
	by = (struct target){.kind = s->key.outer.has & htobe32(HAS_CONN) ? TARGET_CONN
									  : TARGET_PORT,
			     .port = be32toh(s->key.du.in_port)};
	e = entry_of(t, &by, target_hash(&by), packets);
	if (e)
		entry_add(t, e, &share);
}

double entry_sources(const struct traffic *t, const struct entry *e)
{
	double most = 0;

	for (unsigned i = 0; i < 2; i++)
		if (e->sources_s[i] + 1 >= t->second)
			most = MAX(most, distinct_count(&e->sources[i]));
	return most;
}

double traffic_age(const struct traffic *t, uint64_t now_ns)
{
	return t->begun && now_ns > t->begin_ns ? (double)(now_ns - t->begin_ns) / NSEC_PER_SEC : 0;
}

void traffic_learn(struct traffic *t, uint64_t learn_ns)
{
	t->free_ns = MIN(t->free_ns, learn_ns);
}

void traffic_tick(struct traffic *t, uint64_t now_ns)
{
	if (t->begun && now_ns >= t->second_ns + NSEC_PER_SEC)
		traffic_second(t, now_ns);
}

void traffic_set_wall(struct traffic *t, int64_t wall_s_at_zero)
{
	t->wall_s_at_zero = wall_s_at_zero;
	t->hour = -2; /* known from the next second on */
}

void traffic_total(const struct traffic *t, struct traffic_total *out)
{
	*out = (struct traffic_total){
		.pps = t->pps,
		.bps = t->bps,
		.usual_pps = t->usual_all.pps,
		.usual_bps = t->usual_all.bps,
		.top = t->top,
		.top_pps = t->top_pps,
		.top_bps = t->top_bps,
		.learned = t->loaded || (double)t->second * NSEC_PER_SEC >=
						(double)MIN(t->free_ns, 3600 * NSEC_PER_SEC)};
}
