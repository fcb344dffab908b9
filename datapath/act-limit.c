/* SPDX-License-Identifier: Apache-2.0 */
/* limit: a rule's packets at a rate, in bits or packets a second; what is above is dropped.
 *
 *	limit:10mbps   limit:5kpps   limit:10mbps,burst=1mb   limit:200pps,burst=50p
 *
 * One bucket (bucket.h) a rule, by the rule's id: all workers share it, a rule that is modified or
 * renewed goes on with it.  Octets are those that counters count.  Without `burst` it is a tenth
 * of a second's worth, at least ten full frames.
 *
 * On the wire (experimenter action 1): unit (0 packets, 1 bits), rate a second, burst (0: by
 * itself); padding to 32 octets. */
#include <inttypes.h>
#include <stdio.h>

#include "datapath/bucket.h"
#include "datapath/worker.h"
#include "lib/openflow.h"
#include "lib/options.h"

enum unit { PACKETS, BITS };

#define RATE_MAX 1000000000000ull

static const struct {
	const char *rate, *burst;
	uint64_t least, burst_least;
} units[] = {
	[PACKETS] = {"pps", "p", 1, 10},
	[BITS] = {"bps", "b", 1000, 10 * 1514 * 8},
};

/* The op's data; its arg is the unit. */
struct limit {
	uint64_t rate, burst; /* as given; burst 0: by itself */
	struct bucket_rate bucket;
};

static const struct limit *limit_of(const struct op *op)
{
	return (const void *)op->data;
}

static enum act_result run(struct worker *w, struct pkt *p, const struct op *op)
{
	uint32_t id = p->rule.id;

	/* What was never sent spends nothing, and a packet-out's actions are no rule's. */
	if (id == RULE_NONE || w->private_trace)
		return ACT_NEXT;
	if (bucket_take(&w->dp->bucket[id], &w->lease[id], &limit_of(op)->bucket, w->now,
			op->arg == BITS ? pkt_octets(p) : 1))
		return ACT_NEXT;
	drop(w, p, DROP_LIMIT);
	return ACT_DONE;
}

/* ---- Making one -------------------------------------------------------------------------- */

static bool has_limit(const struct buf *ops)
{
	OP_FOR_EACH(op, ops->data, ops->size)
	if (op->kind == ACTION_LIMIT)
		return true;
	return false;
}

static int put_op(struct buf *ops, enum unit unit, const struct limit *given, struct refusal *r)
{
	struct limit l = *given;
	uint64_t burst = l.burst ? l.burst : MAX(l.rate / 10, units[unit].burst_least);
	unsigned octet = unit == BITS ? 8 : 1;
	struct op *op;

	if (l.rate < units[unit].least || l.rate > RATE_MAX)
		return refuse(r, ACTION_ARGUMENT, "limit",
			      "limit: %" PRIu64 "%s; %" PRIu64 " to %llu would be accepted", l.rate,
			      units[unit].rate, units[unit].least, RATE_MAX);
	if (l.burst && (l.burst < octet || l.burst / l.rate >= BUCKET_BURST_S))
		return refuse(r, ACTION_ARGUMENT, "limit",
			      "limit: a burst of %" PRIu64 "%s; from %u%s to less than %d seconds' "
			      "worth would be accepted",
			      l.burst, units[unit].burst, octet, units[unit].burst, BUCKET_BURST_S);
	if (has_limit(ops))
		return refuse(r, ACTION_ARGUMENT, "limit",
			      "limit is given twice; a rule has one bucket, so once is accepted");
	l.bucket = bucket_rate(l.rate, burst, octet);
	op = op_put(ops, ACTION_LIMIT, unit, sizeof l);
	memcpy(op->data, &l, sizeof l);
	return 0;
}

/* ---- Text -------------------------------------------------------------------------------- */

/* A burst is said as what the rate brings in a second: `1mb` of `1mbps`, `50p` of `50pps`. */
static int parse_burst(const char *text, struct rate *burst)
{
	char rate[RATE_TEXT];

	snprintf(rate, sizeof rate, "%.24sps", text);
	return parse_rate(rate, burst);
}

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	const char *comma = strchr(arg, ',');
	size_t size = comma ? (size_t)(comma - arg) : strlen(arg);
	struct limit l = {0};
	struct rate rate, burst;
	char word[32];

	snprintf(word, sizeof word, "%.*s", (int)MIN(size, sizeof word), arg);
	if (parse_rate(word, &rate))
		return refuse(r, ACTION_ARGUMENT, "limit",
			      "limit: '%s' is no rate; as in 10mbps, 500kbps, 5kpps, 200pps", word);
	l.rate = rate.n;
	if (comma && (strncmp(comma, ",burst=", 7) || parse_burst(comma + 7, &burst) ||
		      burst.packets != rate.packets || !burst.n))
		return refuse(r, ACTION_ARGUMENT, "limit",
			      "limit: '%.32s' is no burst; as in burst=%s", comma + 1,
			      rate.packets ? "100p (packets)" : "800kb (bits)");
	if (comma)
		l.burst = burst.n;
	return put_op(ops, rate.packets ? PACKETS : BITS, &l, r);
}

static void format(const struct op *op, struct buf *text)
{
	const struct limit *l = limit_of(op);
	char word[RATE_TEXT];

	buf_printf(text, "limit:%s", rate_text((struct rate){l->rate, op->arg == PACKETS}, word));
	if (!l->burst)
		return;
	rate_text((struct rate){l->burst, op->arg == PACKETS}, word);
	buf_printf(text, ",burst=%.*s", (int)strlen(word) - 2, word); /* without "ps" */
}

/* ---- Wire -------------------------------------------------------------------------------- */

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	uint16_t unit = pull_u16(body);
	struct limit l = {0};

	pull(body, 4);
	l.rate = pull_u64(body);
	l.burst = pull_u64(body);
	if (body->failed || reader_left(body))
		return refuse(r, ACTION_LEN, "limit", "a limit action has 32 octets");
	if (unit > BITS)
		return refuse(r, ACTION_ARGUMENT, "limit",
			      "limit: unit %u; packets are 0, bits are 1", unit);
	return put_op(ops, unit, &l, r);
}

static void put(const struct op *op, struct buf *wire)
{
	buf_u16(wire, (uint16_t)op->arg);
	buf_put(wire, 4);
	buf_u64(wire, limit_of(op)->rate);
	buf_u64(wire, limit_of(op)->burst);
}

const struct action_class act_limit = {
	.name = "limit",
	.of_type = OFPAT_EXPERIMENTER,
	.exp_type = SLUICE_AT_LIMIT,
	.order = SET_NEVER,
	.run = run,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
};
