/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/bucket.h"

#include <sys/mman.h>

/* The bucket's zero lies so far before any clock's that a word of 0 is a full bucket. */
#define BUCKET_EPOCH (1ull << 62)

struct bucket_rate bucket_rate(uint64_t per_s, uint64_t burst, unsigned worth)
{
	struct bucket_rate r = {
		.cost = (worth * NSEC_PER_SEC << BUCKET_FRACTION) / per_s,
		.burst_ns = (uint64_t)((unsigned __int128)burst * NSEC_PER_SEC / per_s),
	};

	r.cost = MAX(r.cost, 1u);
	r.burst_ns = MAX(r.burst_ns, 1u);
	r.lease_ns = r.burst_ns / BUCKET_SHARE;
	return r;
}

/* Takes `need` ns out of the bucket, or up to a lease when it holds so much.  0: there is none. */
static uint64_t take(struct bucket *b, const struct bucket_rate *rate, uint64_t now, uint64_t need)
{
	uint64_t spent = __atomic_load_n(&b->spent, __ATOMIC_RELAXED), from, ns;

	now += BUCKET_EPOCH;
	do {
		from = MAX(spent, now - rate->burst_ns);
		if (from >= now)
			return 0;
		ns = MAX(need, MIN(rate->lease_ns, now - from));
	} while (!__atomic_compare_exchange_n(&b->spent, &spent, from + ns, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return ns;
}

bool bucket_take(struct bucket *b, struct lease *l, const struct bucket_rate *rate, uint64_t now,
		 uint32_t tokens)
{
	uint64_t cost = tokens * rate->cost, ns;
	uint32_t gen = __atomic_load_n(&b->gen, __ATOMIC_RELAXED);

	if (unlikely(l->gen != gen))
		*l = (struct lease){.gen = gen};
	if (l->credit < cost) {
		ns = take(b, rate, now,
			  (cost - l->credit + (1u << BUCKET_FRACTION) - 1) >> BUCKET_FRACTION);
		if (!ns)
			return false;
		l->credit += ns << BUCKET_FRACTION;
	}
	l->credit -= cost;
	return true;
}

bool bucket_holds(const struct bucket *b, const struct bucket_rate *rate, uint64_t now)
{
	uint64_t spent = __atomic_load_n(&b->spent, __ATOMIC_RELAXED);

	now += BUCKET_EPOCH;
	return MAX(spent, now - rate->burst_ns) < now;
}

void bucket_reset(struct bucket *b)
{
	if (!__atomic_load_n(&b->spent, __ATOMIC_RELAXED))
		return; /* a page that nobody touched stays that */
	__atomic_store_n(&b->spent, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&b->gen, b->gen + 1, __ATOMIC_RELAXED);
}

static void *reserve(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

struct bucket *buckets_reserve(size_t n)
{
	return reserve(n * sizeof(struct bucket));
}

void buckets_release(struct bucket *b, size_t n)
{
	if (b)
		munmap(b, n * sizeof *b);
}

struct lease *leases_reserve(size_t n)
{
	return reserve(n * sizeof(struct lease));
}

void leases_release(struct lease *l, size_t n)
{
	if (l)
		munmap(l, n * sizeof *l);
}
