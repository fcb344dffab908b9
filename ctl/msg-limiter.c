/* SPDX-License-Identifier: Apache-2.0 */
/* Limits by key (lib/openflow-ext.h): made, changed, deleted, listed.  What a message says becomes
 * the words that the verbs take, and the same checks (ofproto/limiters.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "ctl/msg.h"
#include "ofproto/limiters.h"

struct limiter_mod {
	uint8_t command, kind, unit;
	uint32_t keys, conns, idle_ms;
	uint64_t rate, burst;
	char name[32], by[KEYED_BY_TEXT];
};

struct said {
	unsigned n;
	const char *word[8];
	char text[8][KEYED_BY_TEXT + 8];
};

static void say(struct said *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct said *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(s->text[s->n], sizeof s->text[0], fmt, args);
	va_end(args);
	s->word[s->n] = s->text[s->n];
	s->n++;
}

static void say_limiter(struct said *s, const struct limiter_mod *lm)
{
	bool bits = lm->unit == SLUICE_UNIT_BITS;

	say(s, "rate=%" PRIu64 "%s", lm->rate, bits ? "bps" : "pps");
	if (lm->burst)
		say(s, "burst=%" PRIu64 "%s", lm->burst, bits ? "b" : "p");
}

/* 0 takes a bound away that there was. */
static void say_connlimit(struct said *s, const struct limiter_mod *lm)
{
	bool modifies = lm->command == SLUICE_LIMITER_MODIFY;

	if (lm->conns || modifies)
		say(s, "conns=%" PRIu32, lm->conns);
	if (lm->rate || modifies)
		say(s, "new=%" PRIu64, lm->rate);
	if (lm->burst)
		say(s, "burst=%" PRIu64, lm->burst);
	if (lm->idle_ms)
		say(s, "idle=%" PRIu32 "ms", lm->idle_ms);
}

static struct words words_of(struct said *s, const struct limiter_mod *lm)
{
	s->n = 0;
	say(s, "%s", lm->name);
	if (lm->command == SLUICE_LIMITER_ADD) {
		say(s, "by=%s", lm->by);
		if (lm->keys)
			say(s, "keys=%" PRIu32, lm->keys);
	}
	if (lm->kind == SLUICE_CONNLIMIT)
		say_connlimit(s, lm);
	else
		say_limiter(s, lm);
	return (struct words){s->n, s->word};
}

static int get_mod(struct reader *body, struct limiter_mod *lm, struct refusal *r)
{
	size_t size;

	lm->command = pull_u8(body);
	lm->kind = pull_u8(body);
	lm->unit = pull_u8(body);
	pull(body, 1);
	lm->keys = pull_u32(body);
	lm->rate = pull_u64(body);
	lm->burst = pull_u64(body);
	lm->conns = pull_u32(body);
	lm->idle_ms = pull_u32(body);
	if (ext_get_name(body, lm->name, sizeof lm->name, r))
		return -EINVAL;
	size = reader_left(body);
	if (size >= sizeof lm->by)
		return refuse(r, EXT_VALUE, "by",
			      "%zu octets of fields; up to %zu would be accepted", size,
			      sizeof lm->by - 1);
	if (size)
		memcpy(lm->by, pull(body, size), size);
	lm->by[size] = '\0';
	if (lm->command > SLUICE_LIMITER_DELETE || lm->kind > SLUICE_CONNLIMIT ||
	    lm->unit > SLUICE_UNIT_BITS)
		return refuse(r, EXT_VALUE, "command",
			      "command %u, kind %u, unit %u; up to 2, 1 and 1 would be accepted",
			      lm->command, lm->kind, lm->unit);
	return 0;
}

int msg_limiter_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct ofproto *o = c->server->ofproto;
	struct limiter_mod lm;
	struct waiter *w;
	struct said s;
	int error;

	if (get_mod(&m->body, &lm, r))
		return -EINVAL;
	w = of_waiter(c, m, NULL);
	if (lm.command == SLUICE_LIMITER_ADD)
		error = ofproto_add_limiter(o, lm.kind, words_of(&s, &lm), w, r);
	else if (lm.command == SLUICE_LIMITER_MODIFY)
		error = ofproto_mod_limiter(o, lm.kind, words_of(&s, &lm), w, r);
	else
		error = ofproto_del_limiter(o, lm.kind, lm.name, w, r);
	return of_waits(w, error);
}

/* ---- Seeing ------------------------------------------------------------------------------ */

struct list {
	struct limiter_visit visit;
	struct ofproto *ofproto;
	struct ext_list *list;
};

static int list_limiter(struct limiter_visit *v, const struct limiter *l)
{
	struct list *list = container_of(v, struct list, visit);
	struct buf *b = ext_entry_begin(list->list), by = {0};
	struct limiter_counters n;

	ofproto_limiter_counters(list->ofproto, l, &n);
	buf_u8(b, l->kind);
	buf_u8(b, l->packets ? SLUICE_UNIT_PACKETS : SLUICE_UNIT_BITS);
	buf_u32(b, l->n_keys);
	buf_u64(b, l->rate);
	buf_u64(b, l->burst);
	buf_u32(b, l->max_conns);
	buf_u32(b, l->kind == CONNLIMIT ? (uint32_t)(l->idle_ns / NSEC_PER_MSEC) : 0);
	buf_u32(b, ofproto_limiter_rules(list->ofproto, l));
	buf_u32(b, 0);
	buf_u64(b, n.passed);
	buf_u64(b, n.dropped);
	buf_u64(b, n.shared);
	ext_put_name(b, l->name, sizeof((struct sluice_limiter *)0)->name);
	keyed_by_format(&l->by, &by);
	buf_octets(b, by.data, by.size);
	buf_free(&by);
	ext_entry_end(list->list);
	return 0;
}

int exp_multipart_limiters(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct list list = {
		{list_limiter}, c->server->ofproto, ext_list_begin(m, SLUICE_MP_LIMITERS)};

	for (unsigned kind = 0; kind < N_LIMITER_KINDS; kind++)
		ofproto_limiters(list.ofproto, kind, &list.visit);
	return ext_list_send(c, list.list, r);
}
