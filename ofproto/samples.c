/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/samples.h"

#include <linux/if_ether.h>
#include <math.h>
#include <unistd.h>

#include "lib/hash.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

/* One turn takes this many of each worker, so that a flood of them starves nobody. */
enum { SAMPLES_A_TURN = 256 };

/* The last records of a worker, whole; as many octets for each as the largest has. */
struct snapshots {
	uint64_t n_taken;
	uint64_t record[SNAPSHOTS][(SAMPLE_RECORD_MAX + 7) / 8];
};

/* A second of the past: of all its records, each with the same chance to be among these. */
struct second {
	uint64_t at; /* of the clock */
	uint32_t n_seen, n;
	uint64_t packets, octets; /* of all that were seen */
	struct past_record record[PAST_PER_S];
};

/* Large, and made when the first record comes. */
struct samples {
	struct snapshots *snapshots[WORKER_MAX];
	struct second *past; /* PAST_S of them: second t has place t % PAST_S */
	uint64_t random;
};

static struct samples *samples_of(struct ofproto *o)
{
	struct samples *s = o->samples;

	if (s)
		return s;
	s = o->samples = mem_new(sizeof *s);
	s->past = mem_new(PAST_S * sizeof *s->past);
	s->random = hash_mix(hash_seed) | 1;
	return s;
}

void samples_destroy(struct ofproto *o)
{
	struct samples *s = o->samples;

	if (!s)
		return;
	for (unsigned i = 0; i < WORKER_MAX; i++)
		free(s->snapshots[i]);
	free(s->past);
	free(s);
	o->samples = NULL;
}

/* ---- Snapshots ---------------------------------------------------------------------------------
 */

static void keep_snapshot(struct samples *s, unsigned worker, const struct sample_record *r)
{
	struct snapshots *n = s->snapshots[worker];

	if (!n)
		n = s->snapshots[worker] = mem_new(sizeof *n);
	memcpy(n->record[n->n_taken++ % SNAPSHOTS], r, sizeof *r + r->size);
}

static int visit_worker(const struct snapshots *n, unsigned worker, uint64_t since_ns,
			struct snapshot_visit *v)
{
	for (uint64_t i = 1; i <= MIN(n->n_taken, (uint64_t)SNAPSHOTS); i++) {
		const struct sample_record *r = (void *)n->record[(n->n_taken - i) % SNAPSHOTS];
		int end;

		if (r->ns < since_ns)
			continue; /* nearly in order: they came as their packets ended */
		end = v->snapshot(v, worker, r);
		if (end)
			return end;
	}
	return 0;
}

void ofproto_snapshots(struct ofproto *o, uint64_t since_ns, struct snapshot_visit *v)
{
	const struct samples *s = o->samples;

	for (unsigned i = 0; s && i < WORKER_MAX; i++)
		if (s->snapshots[i] && visit_worker(s->snapshots[i], i, since_ns, v))
			return;
}

/* ---- The past ----------------------------------------------------------------------------------
 */

static struct ip ip_of(const struct sample_record *r, const uint8_t *octets)
{
	if (!r->l3)
		return (struct ip){0};
	if (r->key.du.eth_type == htobe16(ETH_P_IPV6))
		return ip_v6(octets);
	return (struct ip){.family = 4, .octet = {octets[0], octets[1], octets[2], octets[3]}};
}

static void cut_outer(const struct outer_key *k, struct past_record *p)
{
	uint32_t has = be32toh(k->has);

	if (has & HAS_IPV4) {
		p->outer_src = ip_v4(k->ipv4_src);
		p->outer_dst = ip_v4(k->ipv4_dst);
	} else if (has & HAS_IPV6) {
		p->outer_src = ip_v6(k->ipv6_src);
		p->outer_dst = ip_v6(k->ipv6_dst);
	}
}

static void cut(struct ofproto *o, const struct sample_record *r, struct past_record *p)
{
	const struct entry *e = entry_by_rule(o, r->rule_id);

	*p = (struct past_record){
		.ns = r->ns,
		.src = ip_of(r, r->key.du.ip_src),
		.dst = ip_of(r, r->key.du.ip_dst),
		.sport = be16toh(r->key.du.tp_src),
		.dport = be16toh(r->key.du.tp_dst),
		.proto = r->key.du.ip_proto,
		.end = r->end,
		.reason = r->reason,
		.flags = r->flags,
		.in_port = r->in_port,
		.out_port = r->out_port,
		.rule_id = r->rule_id,
		.rule_key = e ? e->key : 0,
		.packets = r->every,
		.octets = (uint64_t)r->every * r->length,
	};
	cut_outer(&r->key.outer, p);
}

static uint32_t below(struct samples *s, uint32_t n)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (uint32_t)(((s->random >> 32) * n) >> 32);
}

/* The record's second; NULL: it is older than what is kept. */
static struct second *second_of(struct samples *s, uint64_t ns)
{
	uint64_t at = ns / NSEC_PER_SEC;
	struct second *t = &s->past[at % PAST_S];

	if (t->at > at)
		return NULL;
	if (t->at < at) {
		t->at = at;
		t->n_seen = t->n = 0;
		t->packets = t->octets = 0;
	}
	return t;
}

static void keep_past(struct ofproto *o, struct samples *s, const struct sample_record *r)
{
	struct second *t = second_of(s, r->ns);
	uint32_t at;

	if (!t || r->flags & SAMPLE_BY_RULE)
		return;
	t->packets += r->every;
	t->octets += (uint64_t)r->every * r->length;
	at = t->n_seen++ < PAST_PER_S ? t->n++ : below(s, t->n_seen);
	if (at < PAST_PER_S)
		cut(o, r, &t->record[at]);
}

/* Those that were kept stand for all: their sums are the second's. */
static int visit_second(const struct second *t, uint64_t since_ns, struct past_visit *v)
{
	uint64_t packets = 0, octets = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		packets += t->record[i].packets;
		octets += t->record[i].octets;
	}
	for (uint32_t i = 0; i < t->n; i++) {
		struct past_record r = t->record[i];
		int end;

		r.packets = (uint64_t)llround((double)r.packets * (double)t->packets /
					      (double)MAX(packets, 1u));
		r.octets = (uint64_t)llround((double)r.octets * (double)t->octets /
					     (double)MAX(octets, 1u));
		end = r.ns >= since_ns ? v->record(v, &r) : 0;
		if (end)
			return end;
	}
	return 0;
}

void ofproto_past(struct ofproto *o, uint64_t since_ns, struct past_visit *v)
{
	uint64_t now = ofproto_now(o) / NSEC_PER_SEC, at = now < PAST_S ? 0 : now - PAST_S + 1;
	const struct samples *s = o->samples;

	for (at = MAX(at, since_ns / NSEC_PER_SEC); s && at <= now; at++) {
		const struct second *t = &s->past[at % PAST_S];

		if (t->at == at && visit_second(t, since_ns, v))
			return;
	}
}

/* ---- Dry runs ----------------------------------------------------------------------------------
 */

/* Addresses that were seen: open addressing, twice as large as it ever gets full. */
struct ip_set {
	struct ip *slot;
	uint32_t size, n; /* a power of two */
};

static void ip_set_add(struct ip_set *set, const struct ip *ip)
{
	uint32_t at = ip_hash(ip);

	if (!ip->family)
		return;
	while (set->slot[at & (set->size - 1)].family) {
		if (ip_equal(&set->slot[at & (set->size - 1)], ip))
			return;
		at++;
	}
	set->slot[at & (set->size - 1)] = *ip;
	set->n++;
}

struct dry {
	struct snapshot_visit visit;
	const struct match *match;
	struct dry_run *out;
	struct ip_set sources, targets;
	uint64_t now;
};

/* A snapshot has its packet's headers, so programs of BPF can be asked; it does not have payload,
 * nor, of what came out of a connection, the frame that it came in. */
static bool snapshot_met(const struct sample_record *r, const struct match *m, bool *unknown)
{
	bool conn = be32toh(r->key.outer.has) & HAS_CONN;
	const struct probe_octets octets = {
		.data = r->octet,
		.size = r->size,
		.len = r->length + (r->flags & SAMPLE_VIRTUAL_ETH ? ETH_HLEN : 0),
		.l3 = r->l3,
		.outer = !conn || r->flags & SAMPLE_AGGREGATE,
	};
	struct probe probe = {.key = key_view_of(&r->key.du, &r->key.outer), .octets = &octets};
	bool met = match_met(m, &probe);

	*unknown = probe.unknown;
	return met;
}

static int dry_count(struct snapshot_visit *v, unsigned worker, const struct sample_record *r)
{
	struct dry *d = container_of(v, struct dry, visit);
	struct dry_run *n = d->out;
	uint64_t octets = (uint64_t)r->every * r->length;
	bool unknown, hit;
	struct ip src = ip_of(r, r->key.du.ip_src), dst = ip_of(r, r->key.du.ip_dst);

	(void)worker;
	if (r->flags & SAMPLE_BY_RULE)
		return 0;
	hit = snapshot_met(r, d->match, &unknown);
	if (unknown) {
		n->n_unknown++;
		return 0;
	}
	n->n++;
	n->packets += r->every;
	n->octets += octets;
	n->oldest_ns = MAX(n->oldest_ns, d->now > r->ns ? d->now - r->ns : 1);
	if (!hit)
		return 0;
	n->n_hit++;
	n->hit += r->every;
	n->hit_octets += octets;
	n->hit_dropped += r->end == SAMPLE_DROPPED ? r->every : 0;
	ip_set_add(&d->sources, &src);
	ip_set_add(&d->targets, &dst);
	return 0;
}

void ofproto_dry_run(struct ofproto *o, const struct match *m, struct dry_run *out)
{
	uint32_t size = 2 * SNAPSHOTS;
	struct dry d = {.visit.snapshot = dry_count, .match = m, .out = out, .now = ofproto_now(o)};

	*out = (struct dry_run){0};
	for (unsigned n = 1; n < o->dp.n_workers; n *= 2)
		size *= 2;
	d.sources = (struct ip_set){mem_new(size * sizeof *d.sources.slot), size, 0};
	d.targets = (struct ip_set){mem_new(size * sizeof *d.targets.slot), size, 0};
	ofproto_snapshots(o, 0, &d.visit);
	out->n_sources = d.sources.n;
	out->n_targets = d.targets.n;
	free(d.sources.slot);
	free(d.targets.slot);
}

/* ---- From the workers ---------------------------------------------------------------------------
 */

static void tell_sample(struct ofproto *o, unsigned worker, const struct sample_record *r)
{
	for (struct listener *l = o->listeners, *next; l; l = next) {
		next = l->next;
		if (l->sample)
			l->sample(l, worker, r);
	}
}

void samples_run(struct ofproto *o)
{
	uint64_t one = 1;
	bool more = false;

	for (unsigned i = 0; i < o->dp.n_workers; i++) {
		struct ring *ring = &o->dp.worker[i]->samples;
		const struct sample_record *r;
		uint32_t size;

		for (unsigned k = 0; k < SAMPLES_A_TURN && (r = ring_peek(ring, &size)); k++) {
			keep_snapshot(samples_of(o), i, r);
			keep_past(o, samples_of(o), r);
			tell_sample(o, i, r);
			ring_release(ring);
		}
		more |= !ring_empty(ring);
	}
	if (more && o->dp.event_fd >= 0)
		(void)!write(o->dp.event_fd, &one, sizeof one);
}
