/* SPDX-License-Identifier: Apache-2.0 */
/* The words of limits by key. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "ofproto/limiters.h"

#define PACKETS_MAX 100000000ull    /* a second: 10 ns each */
#define BITS_MAX    100000000000ull /* a second */
#define NEW_MAX     100000ull /* connections a second and key: 39 units of their table's time */

static uint64_t default_burst(bool packets, uint64_t rate)
{
	return MAX(rate / 10, packets ? 10 : 10 * 1514 * 8);
}

static int check_rate(const struct limiter *l, const char *key, struct refusal *r)
{
	uint64_t least = l->packets ? 1 : 1000;
	uint64_t most = l->kind == CONNLIMIT ? NEW_MAX : l->packets ? PACKETS_MAX : BITS_MAX;
	char a[RATE_TEXT], b[RATE_TEXT], c[RATE_TEXT];

	if (l->rate >= least && l->rate <= most)
		return 0;
	return refuse(r, BAD_VALUE, key, "%s=%s; %s to %s would be accepted", key,
		      rate_text((struct rate){l->rate, l->packets}, a),
		      rate_text((struct rate){least, l->packets}, b),
		      rate_text((struct rate){most, l->packets}, c));
}

/* rate=: 5kpps, 10mbps.  new=: 20, 20/s or 20pps; of a change 0, too: none any more. */
static int read_rate(struct limiter *l, struct options *opt, bool fresh, struct refusal *r)
{
	const char *key = l->kind == LIMITER ? "rate" : "new", *text = option(opt, key);
	struct rate rate = {0};
	char word[32];

	if (!text)
		return 0;
	if (l->kind == CONNLIMIT && !fresh && !strcmp(text, "0")) {
		l->rate = l->burst = 0;
		return 0;
	}
	snprintf(word, sizeof word, "%.30s", text);
	if (l->kind == CONNLIMIT && strspn(text, "0123456789") == strcspn(text, "/") &&
	    (!strchr(text, '/') || !strcmp(strchr(text, '/'), "/s")))
		snprintf(word, sizeof word, "%.*spps", (int)MIN(strcspn(text, "/"), 20u), text);
	if (parse_rate(word, &rate) || (l->kind == CONNLIMIT && !rate.packets))
		return refuse(r, BAD_VALUE, key, "%s=%.32s is no rate; as in %s", key, text,
			      l->kind == LIMITER ? "10mbps, 500kbps, 5kpps, 200pps" : "20/s");
	l->rate = rate.n;
	l->packets = rate.packets;
	l->burst = default_burst(l->packets, l->rate);
	return check_rate(l, key, r);
}

/* `100p`, `800kb` as with action limit; of connections a bare number, too. */
static int read_burst(struct limiter *l, struct options *opt, struct refusal *r)
{
	const char *text = option(opt, "burst");
	struct rate burst = {0};
	char word[40];
	bool bare;

	if (!text)
		return 0;
	if (!l->rate)
		return refuse(r, BAD_VALUE, "burst", "burst= belongs to %s=, and there is none",
			      l->kind == LIMITER ? "rate" : "new");
	bare = !text[strspn(text, "0123456789")];
	snprintf(word, sizeof word, "%.24s%s", text, !bare ? "ps" : l->packets ? "pps" : "bps");
	if (parse_rate(word, &burst) || burst.packets != l->packets ||
	    burst.n < (l->packets ? 1 : 8) || burst.n / l->rate >= BUCKET_BURST_S)
		return refuse(r, BAD_VALUE, "burst",
			      "burst=%.24s; %s, of less than %d seconds' worth, is accepted", text,
			      l->packets ? "packets, as in 100p" : "at least 8 bits, as in 800kb",
			      BUCKET_BURST_S);
	l->burst = burst.n;
	return 0;
}

static int read_conns(struct limiter *l, struct options *opt, bool fresh, struct refusal *r)
{
	const struct range range = {fresh, KEYED_COUNT_MAX};

	uint64_t conns = l->max_conns;

	if (l->kind != CONNLIMIT)
		return 0;
	if (option_u64(opt, "conns", range, &conns, r) || option_time(opt, "idle", &l->idle_ns, r))
		return -EINVAL;
	if (l->idle_ns < NSEC_PER_SEC || l->idle_ns > 7 * 24 * 3600 * NSEC_PER_SEC)
		return refuse(r, BAD_VALUE, "idle", "idle=: 1s to 168h would be accepted");
	l->max_conns = (uint32_t)conns;
	return 0;
}

/* What the rate is in the tables' time. */
static void complete(struct limiter *l)
{
	unsigned shift = l->kind == CONNLIMIT ? KEYED_COUNTING_SHIFT : 0;

	if (!l->rate) {
		l->bucket = (struct bucket_rate){0};
		l->burst_time = 0;
		return;
	}
	l->bucket = bucket_rate(l->rate, l->burst, l->packets ? 1 : 8);
	l->burst_time = (l->bucket.burst_ns + (1u << shift) - 1) >> shift;
}

static int read_fresh(struct limiter *l, struct options *opt, uint64_t *keys, struct refusal *r)
{
	const char *by = option(opt, "by");

	if (!by)
		return refuse(r, BAD_VALUE, "by",
			      "by= is missing: what tells keys apart, as in by=src or "
			      "by=ipv4_src/24,tcp_dst");
	if (keyed_by_parse(by, &l->by, r))
		return -EINVAL;
	return option_u64(opt, "keys", (struct range){KEYED_KEYS_MIN, KEYED_KEYS_MAX}, keys, r);
}

int limiter_read(struct limiter *l, struct options *opt, bool fresh, uint64_t *keys,
		 struct refusal *r)
{
	bool packets = l->packets || l->kind == CONNLIMIT;

	if (fresh ? read_fresh(l, opt, keys, r) : 0)
		return -EINVAL;
	l->packets = packets;
	if (read_rate(l, opt, fresh, r) || read_burst(l, opt, r) || read_conns(l, opt, fresh, r) ||
	    options_finish(opt, r))
		return -EINVAL;
	if (l->kind == LIMITER && !l->rate)
		return refuse(r, BAD_VALUE, "rate", "rate= is missing, as in rate=5kpps");
	if (l->kind == CONNLIMIT && !l->rate && !l->max_conns)
		return refuse(r, BAD_VALUE, "conns",
			      "neither conns=N nor new=RATE: it would limit nothing");
	complete(l);
	return 0;
}

static void put_burst(const struct limiter *l, struct buf *text)
{
	char word[RATE_TEXT];

	if (!l->rate || l->burst == default_burst(l->packets, l->rate))
		return;
	rate_text((struct rate){l->burst, l->packets}, word);
	buf_printf(text, " burst=%.*s", (int)strlen(word) - 2, word); /* without "ps" */
}

static void put_time(const char *key, uint64_t ns, struct buf *text)
{
	if (ns % NSEC_PER_SEC)
		buf_printf(text, " %s=%" PRIu64 "ms", key, (uint64_t)(ns / NSEC_PER_MSEC));
	else
		buf_printf(text, " %s=%" PRIu64 "s", key, (uint64_t)(ns / NSEC_PER_SEC));
}

void limiter_words(const struct limiter *l, struct buf *text)
{
	char word[RATE_TEXT];

	buf_printf(text, "by=");
	keyed_by_format(&l->by, text);
	if (l->kind == LIMITER)
		buf_printf(text, " rate=%s", rate_text((struct rate){l->rate, l->packets}, word));
	if (l->max_conns)
		buf_printf(text, " conns=%u", l->max_conns);
	if (l->kind == CONNLIMIT && l->rate)
		buf_printf(text, " new=%" PRIu64 "/s", l->rate);
	put_burst(l, text);
	if (l->kind == CONNLIMIT)
		put_time("idle", l->idle_ns, text);
	buf_printf(text, " keys=%u", l->n_keys);
}
