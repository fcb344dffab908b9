/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/meter.h"

#include <errno.h>
#include <sys/mman.h>

#include "datapath/worker.h"
#include "lib/hash.h"

uint32_t meter_hash(uint32_t number)
{
	return hash_finish(hash_add(hash_seed, number));
}

struct meter *meter_find(const struct datapath *dp, uint32_t number)
{
	struct rmap_node *n;

	RMAP_FOR_EACH (n, &dp->meters, meter_hash(number)) {
		struct meter *m = container_of(n, struct meter, node);

		if (m->number == number)
			return m;
	}
	return NULL;
}

const struct meter *meter_of(const struct worker *w, uint32_t number)
{
	const struct meter *m = meter_find(w->dp, number);

	while (m && unlikely(m->since > w->version))
		m = rcu_get(m->before);
	return m;
}

void meter_publish(struct datapath *dp, struct meter *m, uint64_t since)
{
	struct meter *old = meter_find(dp, m->number);

	m->since = since;
	m->before = old;
	m->node.hash = meter_hash(m->number);
	if (old)
		rmap_replace(&dp->meters, &old->node, &m->node);
	else
		rmap_insert(&dp->meters, &m->node, m->node.hash);
}

void meter_settle(struct meter *m)
{
	rcu_set(m->before, NULL);
}

void meter_withdraw(struct datapath *dp, struct meter *m)
{
	if (meter_find(dp, m->number) == m)
		rmap_remove(&dp->meters, &m->node);
}

static void count(struct meter_count *c, uint32_t octets)
{
	counter_add(&c->packets, 1);
	counter_add(&c->bytes, octets);
}

static bool band_passes(struct worker *w, const struct meter *m, const struct meter_band *band,
			uint32_t tokens)
{
	uint32_t at = m->slot * METER_BANDS + band->given;
	struct bucket *b = &w->dp->meter_bucket[at];

	if (unlikely(w->private_trace))
		return bucket_holds(b, &band->rate, w->now);
	return bucket_take(b, &w->meter_lease[at], &band->rate, w->now, tokens);
}

const struct meter_band *meter_run(struct worker *w, const struct pkt *p, const struct meter *m)
{
	struct meter_counters *n = &w->meter[m->slot];
	uint32_t octets = pkt_octets(p), tokens = m->packets ? 1 : octets;

	if (likely(!w->private_trace))
		count(&n->in, octets);
	for (unsigned i = 0; i < m->n_bands; i++) {
		const struct meter_band *band = &m->band[i];

		if (band_passes(w, m, band, tokens))
			continue;
		if (likely(!w->private_trace))
			count(&n->band[band->given], octets);
		return band;
	}
	return NULL;
}

/* Class 1 to 4 in the upper three bits, drop precedence 1 to 3 in the next two, and a zero. */
uint8_t dscp_raise(uint8_t dscp, uint8_t levels)
{
	unsigned class = dscp >> 3, precedence = dscp >> 1 & 3;

	if (class < 1 || class > 4 || !precedence || dscp & 1)
		return dscp;
	return (uint8_t)(class << 3 | MIN(precedence + levels, 3u) << 1);
}

void meter_reset(struct datapath *dp, uint32_t slot)
{
	for (unsigned i = 0; i < METER_BANDS; i++)
		bucket_reset(&dp->meter_bucket[slot * METER_BANDS + i]);
}

int meters_init(struct datapath *dp)
{
	rmap_init(&dp->meters);
	dp->meter_bucket = buckets_reserve(METERS_MAX * METER_BANDS);
	return dp->meter_bucket ? 0 : -ENOMEM;
}

void meters_destroy(struct datapath *dp)
{
	if (dp->meters.slots)
		rmap_destroy(&dp->meters);
	buckets_release(dp->meter_bucket, METERS_MAX * METER_BANDS);
}

int meters_worker_init(struct worker *w)
{
	void *counters = mmap(NULL, METERS_MAX * sizeof *w->meter, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	w->meter = counters == MAP_FAILED ? NULL : counters;
	w->meter_lease = leases_reserve(METERS_MAX * METER_BANDS);
	return w->meter && w->meter_lease ? 0 : -ENOMEM;
}

void meters_worker_destroy(struct worker *w)
{
	if (w->meter)
		munmap(w->meter, METERS_MAX * sizeof *w->meter);
	leases_release(w->meter_lease, METERS_MAX * METER_BANDS);
}
