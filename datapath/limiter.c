/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/limiter.h"

#include "datapath/worker.h"

const char *const limiter_kinds[N_LIMITER_KINDS] = {"limiter", "connlimit"};
int (*limiter_number)(enum limiter_kind kind, const char *name);

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16, IP_PROTO_TCP = 6 };

struct keyed_ask limiter_ask(const struct limiter *l, uint64_t now, uint32_t tokens)
{
	uint64_t cost = tokens * l->bucket.cost;
	unsigned shift = BUCKET_FRACTION + l->keys->shift;

	return (struct keyed_ask){
		.now = now,
		.cost = (cost + (1ull << shift) - 1) >> shift,
		.burst = l->burst_time,
	};
}

/* ---- What a trace says ------------------------------------------------------------------- */

static void trace_key(struct worker *w, struct pkt *p, const struct limiter *l, const uint64_t *key)
{
	unsigned at = 1;

	for (unsigned i = 0; i < l->by.n; i++) {
		const struct keyed_field *f = &l->by.field[i];
		unsigned form = key[0] >> 8 * i & 0xff;
		unsigned words = form ? (f->form[form - 1].field->size + 7u) / 8 : 1;
		uint64_t id = (uint64_t)l->number << 32 | i << 16 | form << 8;

		for (unsigned k = 0; k < words; k++)
			trace(w, p, LIMITER_KEY, id | k, key[at + k]);
		at += f->words;
	}
}

void limiter_text_tokens(const struct limiter *l, uint64_t ns, struct buf *text)
{
	uint64_t tokens =
		(uint64_t)((unsigned __int128)ns * l->rate / NSEC_PER_SEC); /* in units of rate */

	buf_printf(text, "%llu of %llu %s", (unsigned long long)MIN(tokens, l->burst),
		   (unsigned long long)l->burst, l->packets ? "packets" : "bits");
}

void limiter_text_key(struct limiter *const *limiters, uint64_t a, uint64_t b, struct buf *text)
{
	const struct limiter *l = limiters[(a >> 32) % LIMITERS];
	unsigned i = a >> 16 & 0xff, form = a >> 8 & 0xff, half = a & 0xff;
	const struct keyed_form *key;
	uint64_t value[2] = {0};

	if (!l || i >= l->by.n || form > l->by.field[i].n_forms || half > 1) {
		buf_printf(text, "the key of a limit that is gone");
		return;
	}
	value[half] = b;
	buf_printf(text, "%s %s: key %s=", limiter_kinds[l->kind], l->name, l->by.field[i].name);
	if (!form) {
		buf_printf(text, "-");
		return;
	}
	key = &l->by.field[i].form[form - 1];
	field_format(key->field, keyed_value(key, value), NULL, text);
	if (key->field->size > 8)
		buf_printf(text, half ? " (lower half)" : " (upper half)");
}

void limiter_text_state(struct limiter *const *limiters, uint64_t a, uint64_t b, struct buf *text)
{
	static const char *const how[] = {"a key that is not kept now", "a kept key",
					  "a key that shares a bucket"};
	const struct limiter *l = limiters[(a >> 32) % LIMITERS];

	if (!l) {
		buf_printf(text, "a limit that is gone");
		return;
	}
	buf_printf(text, "%s %s: %s", limiter_kinds[l->kind], l->name,
		   how[(a >> 16 & 0xff) % ARRAY_SIZE(how)]);
	if (l->max_conns)
		buf_printf(text, ", %u of %u connections", (unsigned)(a & 0xffff), l->max_conns);
	if (!l->rate)
		return;
	buf_printf(text, ", ");
	limiter_text_tokens(l, b, text);
	buf_printf(text, " left");
}

/* A what-if packet spends nothing; a real one is looked at before it does. */
static void trace_limiter(struct worker *w, struct pkt *p, const struct limiter *l,
			  const struct keyed_ask *a)
{
	struct keyed_state s;

	keyed_look(l->keys, a, &s);
	trace_key(w, p, l, a->key);
	trace(w, p, LIMITER, (uint64_t)l->number << 32 | (uint64_t)s.how << 16 | s.count,
	      s.left << l->keys->shift);
}

static bool only_looks(struct worker *w, struct pkt *p, const struct limiter *l,
		       const struct keyed_ask *a)
{
	if (unlikely(p->flags & PKT_TRACED))
		trace_limiter(w, p, l, a);
	return unlikely(w->private_trace);
}

/* ---- Running ----------------------------------------------------------------------------- */

static enum act_result judge(struct worker *w, struct pkt *p, const struct limiter *l,
			     const struct keyed_ask *a)
{
	struct limiter_counters *n = &w->limiter[l->number];
	uint32_t where;
	bool passes;

	if (only_looks(w, p, l, a))
		return ACT_NEXT;
	passes = keyed_take(l->keys, a, &where) == KEYED_PASS;
	counter_add(passes ? &n->passed : &n->dropped, 1);
	if (keyed_shared(where))
		counter_add(&n->shared, 1);
	if (passes)
		return ACT_NEXT;
	if (l->kind == LIMITER)
		drop(w, p, DROP_LIMITER);
	else
		drop(w, p, DROP_CONNLIMIT);
	return ACT_DONE;
}

static const struct limiter *limiter_of(struct worker *w, const struct op *op)
{
	return rcu_get(w->dp->limiter[op->arg % LIMITERS]);
}

/* Nothing that a rule names can be deleted; a packet-out's may be gone by now. */
static enum act_result gone(struct worker *w, struct pkt *p)
{
	drop(w, p, DROP_ACTION_INVALID);
	return ACT_DONE;
}

enum act_result limiter_run(struct worker *w, struct pkt *p, const struct op *op)
{
	const struct limiter *l = limiter_of(w, op);
	struct key_view view = key_view_of(&p->key, &p->outer->key);
	uint64_t key[KEYED_WORDS];
	struct keyed_ask a;

	if (!l || l->kind != LIMITER)
		return gone(w, p);
	keyed_key(&l->by, &view, key);
	a = limiter_ask(l, w->now, l->packets ? 1 : pkt_octets(p));
	a.key = key;
	return judge(w, p, l, &a);
}

/* A segment of a connection; SYN+ACK opens nothing. */
static enum act_result run_segment(struct worker *w, struct pkt *p, const struct limiter *l,
				   struct keyed_ask *a)
{
	unsigned flags = be16toh(p->key.tcp_flags);
	bool ends = flags & (TCP_FIN | TCP_RST);
	struct limiter_counters *n = &w->limiter[l->number];
	struct conns_entry e = {conns_tag(l->conns, &p->key), w->now, 0, false};
	enum conns_answer known;
	enum keyed_verdict v;

	if (w->private_trace)
		return judge(w, p, l, a);
	known = conns_seen(l->conns, e.tag, w->now, ends);
	if (known == CONNS_COUNTED || ends) {
		counter_add(&n->passed, 1);
		return ACT_NEXT;
	}
	if (unlikely(p->flags & PKT_TRACED))
		trace_limiter(w, p, l, a);
	a->cost = 0;
	a->counts = true;
	v = keyed_take(l->keys, a, &e.where);
	counter_add(v == KEYED_PASS ? &n->passed : &n->dropped, 1);
	if (keyed_shared(e.where))
		counter_add(&n->shared, 1);
	if (v != KEYED_PASS) {
		drop(w, p, DROP_CONNLIMIT);
		return ACT_DONE;
	}
	e.doubted = known == CONNS_AGAIN;
	conns_put(l->conns, l->keys, &e);
	return ACT_NEXT;
}

enum act_result connlimit_run(struct worker *w, struct pkt *p, const struct op *op)
{
	const struct limiter *l = limiter_of(w, op);
	struct key_view view = key_view_of(&p->key, &p->outer->key);
	unsigned flags = be16toh(p->key.tcp_flags);
	uint64_t key[KEYED_WORDS];
	struct keyed_ask a;

	if (!l || l->kind != CONNLIMIT)
		return gone(w, p);
	if (p->key.ip_proto != IP_PROTO_TCP || flags & TP_MISSING)
		return ACT_NEXT;
	/* Without a bound none is counted: a word would hold no more of them than KEYED_COUNT_MAX.
	 */
	if (flags & TCP_SYN ? flags & TCP_ACK : !l->max_conns)
		return ACT_NEXT;
	keyed_key(&l->by, &view, key);
	a = limiter_ask(l, w->now, l->rate ? 1 : 0);
	a.key = key;
	a.room = l->max_conns;
	return flags & TCP_SYN ? judge(w, p, l, &a) : run_segment(w, p, l, &a);
}

/* ---- Ops --------------------------------------------------------------------------------- */

static int put_op(enum limiter_kind kind, const char *name, struct buf *ops, struct refusal *r)
{
	int number = limiter_number ? limiter_number(kind, name) : -1;
	struct op *op;

	if (number < 0)
		return refuse(r, ACTION_ARGUMENT, limiter_kinds[kind],
			      "%s: there is none named '%.32s'; add-%s makes one",
			      limiter_kinds[kind], name, limiter_kinds[kind]);
	op = op_put(ops, kind == LIMITER ? ACTION_LIMITER : ACTION_CONNLIMIT, (uint32_t)number,
		    LIMITER_NAME + 1);
	memcpy(op->data, name, strlen(name));
	return 0;
}

int limiter_parse(enum limiter_kind kind, const char *arg, struct buf *ops, struct refusal *r)
{
	if (!*arg || strlen(arg) >= LIMITER_NAME)
		return refuse(r, ACTION_ARGUMENT, limiter_kinds[kind],
			      "%s: '%.32s' is no name; as in %s:NAME", limiter_kinds[kind], arg,
			      limiter_kinds[kind]);
	return put_op(kind, arg, ops, r);
}

void limiter_format(const struct op *op, struct buf *text)
{
	buf_printf(text, "%s:%s", action_class(op->kind)->name, (const char *)op->data);
}

int limiter_get(enum limiter_kind kind, struct reader *body, struct buf *ops, struct refusal *r)
{
	char name[LIMITER_NAME] = "";
	const void *octets = pull(body, LIMITER_NAME - 1);

	if (!octets || body->failed || reader_left(body))
		return refuse(r, ACTION_LEN, limiter_kinds[kind], "a %s action has 40 octets",
			      limiter_kinds[kind]);
	memcpy(name, octets, LIMITER_NAME - 1);
	return limiter_parse(kind, name, ops, r);
}

void limiter_put(const struct op *op, struct buf *wire)
{
	memcpy(buf_put(wire, LIMITER_NAME - 1), op->data, LIMITER_NAME - 1);
}

bool actions_limit_by(const void *ops, size_t size, uint32_t number)
{
	OP_FOR_EACH(op, ops, size)
	if ((op->kind == ACTION_LIMITER || op->kind == ACTION_CONNLIMIT) && op->arg == number)
		return true;
	return false;
}
