/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/verb.h"
#include "lib/csum.h"
#include "lib/openflow.h"
#include "utilities/bench/bench.h"

enum { TEXT_MAX = 1024, WORDS_MAX = 40 };

void bench_die(const char *format, ...)
{
	va_list args;

	fputs("sluice-bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* ---- Ports ----------------------------------------------------------------------------------- */

static unsigned slots_rx(struct worker *w, struct queue *q, struct batch *batch)
{
	struct bed *b = container_of(q->port, struct bed, in);

	(void)w;
	return bed_rx(b, batch);
}

static void recycle_tx(struct worker *w, struct queue *q)
{
	struct pkt *p;

	BATCH_FOR_EACH (p, &q->out)
		pkt_sent(w, q, p, false);
	q->out.n = 0;
}

static const struct port_class port_slots = {.name = "bench", .rx = slots_rx, .tx = recycle_tx},
			       port_sink = {.name = "bench", .tx = recycle_tx};

unsigned bed_rx(struct bed *b, struct batch *batch)
{
	struct worker *w = b->w;

	while (b->at < b->n && batch->n < BATCH_MAX) {
		const struct bed_slot *slot = &b->slot[b->at];
		struct pkt *p = pkt_alloc(w);

		if (unlikely(!p))
			bench_die("the worker has no packets left");
		b->at++;
		p->n_segs = 1;
		p->seg[0] = (struct seg){slot->frame, FRAME_HEADROOM, slot->size};
		p->data = frame_base(w->frames.umem, slot->frame) + FRAME_HEADROOM;
		p->len = slot->size;
		batch->pkt[batch->n++] = p;
	}
	pkts_received(w, &b->in.queue[0], batch->pkt, batch->n);
	return batch->n;
}

static void add_port(struct bed *b, struct port *port, const struct port_class *class)
{
	bool in = port == &b->in;

	snprintf(port->name, sizeof port->name, "%s", in ? "in" : "out");
	port->class = class;
	port->ofport = in ? IN_OFPORT : OUT_OFPORT;
	port->up = true;
	if (port_queues(port, 1) || datapath_add_port(b->dp, port))
		bench_die("no memory for a port");
}

/* ---- Frames ---------------------------------------------------------------------------------- */

uint32_t bed_udp(const struct flow5 *f, uint16_t id, uint8_t *frame)
{
	static const uint8_t head[60] = {2, 0, 0,    0, 1, 2,  2, 0, 0, 0, 0,  1,
					 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17};
	uint8_t *ip = frame + 14;
	be16 sum;

	memcpy(frame, head, sizeof head);
	put_be16(ip + 4, id);
	put_be32(ip + 12, f->src);
	put_be32(ip + 16, f->dst);
	sum = csum(ip, 20);
	memcpy(ip + 10, &sum, 2);
	put_be16(ip + 20, f->sport);
	put_be16(ip + 22, f->dport);
	put_be16(ip + 24, 26);
	return sizeof head;
}

static uint32_t write_udp(struct cell *c, uint8_t *frame)
{
	uint16_t id = (uint16_t)c->traffic.i;
	struct flow5 f;

	c->traffic.class->make(&c->traffic, &f);
	c->traffic.i++;
	return bed_udp(&f, id, frame);
}

void bed_write(struct bed *b, struct cell *c, unsigned n)
{
	const struct scenario *s = c->scenario;

	b->at = 0;
	for (b->n = 0; b->n < MIN(n, (unsigned)BENCH_SLICE); b->n++) {
		struct bed_slot *slot = &b->slot[b->n];
		uint8_t *to;

		slot->frame = frame_alloc(&b->w->frames);
		if (slot->frame == FRAME_NONE)
			bench_die("the worker has no frames left");
		to = frame_base(b->w->frames.umem, slot->frame) + FRAME_HEADROOM;
		slot->size = (uint16_t)(s->frame ? s->frame(c, to) : write_udp(c, to));
	}
	if (s->prepare)
		s->prepare(c);
}

/* ---- Rules -------------------------------------------------------------------------------------
 */

void bed_flow(struct bed *b, const char *format, ...)
{
	struct refusal r = {0};
	struct flow_mod fm;
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (flow_parse(text, OFPFC_ADD, &fm, &r))
		bench_die("%s: %s", text, r.text);
	fm.wide = true;
	if (ofproto_flow_mod(b->ofproto, &fm, NULL, &r))
		bench_die("%s: %s", text, r.text);
	flow_mod_free(&fm);
}

static void no_rules(struct bed *b)
{
	struct refusal r = {0};
	struct flow_mod fm;

	flow_mod_init(&fm);
	fm.command = OFPFC_DELETE;
	fm.table = OFPTT_ALL;
	if (ofproto_flow_mod(b->ofproto, &fm, NULL, &r))
		bench_die("%s", r.text);
}

static const char *dotted(uint32_t ip, char text[16])
{
	snprintf(text, 16, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
	return text;
}

void bed_remember(struct bed *b, const struct five_tuple *t)
{
	enum { FIRST = 1024 }; /* room doubles from here */
	unsigned n = b->n_tuples;

	if (!n || (n >= FIRST && !(n & (n - 1))))
		b->tuple = reallocarray(b->tuple, n ? 2 * n : FIRST, sizeof *b->tuple);
	if (!b->tuple)
		bench_die("no memory");
	b->tuple[b->n_tuples++] = *t;
}

void bed_tuple(struct bed *b, unsigned priority, const struct five_tuple *t)
{
	struct buf text = {0};
	char ip[16];

	buf_printf(&text, "priority=%u,in_port=%u,udp", priority, bed_in_ofport(b));
	if (t->src_bits)
		buf_printf(&text, ",nw_src=%s/%u", dotted(t->value.src, ip), t->src_bits);
	if (t->dst_bits)
		buf_printf(&text, ",nw_dst=%s/%u", dotted(t->value.dst, ip), t->dst_bits);
	if (t->sport_bits)
		buf_printf(&text, ",tp_src=%u", t->value.sport);
	if (t->dport_bits)
		buf_printf(&text, ",tp_dst=%u", t->value.dport);
	bed_flow(b, "%s,actions=%s", buf_text(&text), b->scenario->actions);
	buf_free(&text);
	bed_remember(b, t);
}

static struct table *table0(const struct bed *b)
{
	return b->dp->table[0];
}

unsigned bed_in_ofport(const struct bed *b)
{
	return b->scenario->in_ofport ? b->scenario->in_ofport : IN_OFPORT;
}

unsigned bed_n_rules(const struct bed *b)
{
	return table0(b) ? table_n_rules(table0(b)) : 0;
}

unsigned bed_n_masks(const struct bed *b)
{
	return table0(b) ? table_n_masks(table0(b)) : 0;
}

/* ---- Verbs
 * --------------------------------------------------------------------------------------- */

struct said {
	struct verb_call call;
	char *text;
	const char *word[WORDS_MAX];
	bool answered;
};

static void said_done(struct verb_call *call, json_t *result)
{
	container_of(call, struct said, call)->answered = true;
	json_decref(result);
}

static void said_refused(struct verb_call *call, const struct refusal *r)
{
	bench_die("%s: %s", call->verb ? call->verb->name : "a verb", r->text);
}

void bed_verb(struct bed *b, const char *format, ...)
{
	struct daemon d = {.ofproto = b->ofproto, .offline = true};
	struct said s = {.call = {.daemon = &d, .done = said_done, .refused = said_refused}};
	char *save = NULL, *name, *word;
	va_list args;

	va_start(args, format);
	if (vasprintf(&s.text, format, args) < 0)
		bench_die("no memory");
	va_end(args);
	name = strtok_r(s.text, " ", &save);
	while ((word = strtok_r(NULL, " ", &save)) && s.call.words.n < WORDS_MAX)
		s.word[s.call.words.n++] = word;
	s.call.words.word = s.word;
	if (!name || !verb_find(name))
		bench_die("no verb %s", name ? name : "");
	verb_run(verb_find(name), &s.call);
	if (!s.answered)
		bench_die("%s was not answered", name);
	json_decref(s.call.undo);
	free(s.text);
}

/* ---- Beds
 * ---------------------------------------------------------------------------------------- */

struct bed *bed_open(const struct scenario *s, const struct ruleset *rules)
{
	const struct ofproto_config config = {
		.db = ":memory:", .offline = true, .lab_null = true, .n_workers = 1};
	struct bed *b = calloc(1, sizeof *b);
	struct refusal r = {0};

	if (!b)
		bench_die("no memory");
	b->scenario = s;
	b->rules = rules;
	b->ofproto = ofproto_create(&config, &r);
	if (!b->ofproto)
		bench_die("%s", r.text);
	ofproto_set_now(b->ofproto, NSEC_PER_SEC);
	b->dp = ofproto_datapath(b->ofproto);
	b->w = b->dp->worker[0];
	b->w->now = NSEC_PER_SEC;
	add_port(b, &b->in, &port_slots);
	add_port(b, &b->out, &port_sink);
	no_rules(b); /* a new switch has one */
	if (s->open)
		s->open(b);
	rules->make(b);
	ofproto_run(b->ofproto);
	/* A switch makes its thread a reader; there may be several beds, and they take turns. */
	rcu_unregister();
	return b;
}

void bed_close(struct bed *b)
{
	rcu_register();
	if (b->scenario->close)
		b->scenario->close(b);
	datapath_del_port(b->dp, &b->in);
	datapath_del_port(b->dp, &b->out);
	free(b->in.queue);
	free(b->out.queue);
	ofproto_destroy(b->ofproto);
	free(b->tuple);
	free(b);
}
