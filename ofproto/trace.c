/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/trace.h"

#include <ctype.h>

#include "datapath/spine.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

#define FETCH_NS (5 * NSEC_PER_MSEC)
#define LOOK_NS  (60 * NSEC_PER_SEC) /* tracing costs every packet something: not for ever */

enum { FRAMES = 64, RECORDS_MAX = 16384, RECORDS_YOUNG = 4096 };

struct tracer {
	struct datapath dp; /* what the private worker sees */
	struct umem umem;
	struct worker *worker;
	struct match match; /* of real packets */
	bool looking;
	uint64_t fetch_ns, until_ns;
	struct trace_record *record;
	size_t n, room;
};

static struct tracer *tracer_of(struct ofproto *o)
{
	struct tracer *t = o->tracer;

	if (t)
		return t;
	t = o->tracer = mem_new(sizeof *t);
	t->fetch_ns = TIMER_NEVER;
	t->dp.n_workers = 1;
	if (umem_create(&t->umem, FRAMES))
		abort();
	t->dp.umem = t->umem;
	t->worker = aligned_alloc(CACHE_LINE, ROUND_UP(sizeof *t->worker, CACHE_LINE));
	if (!t->worker || worker_init(t->worker, &t->dp, 0))
		abort();
	t->worker->private_trace = true;
	return t;
}

void tracer_destroy(struct ofproto *o)
{
	struct tracer *t = o->tracer;

	if (!t)
		return;
	match_release(&t->match);
	worker_destroy(t->worker);
	free(t->worker);
	umem_destroy(&t->umem);
	free(t->record);
	free(t);
	o->tracer = NULL;
}

/* ---- Text -------------------------------------------------------------------------------------
 */

static void record_text(struct ofproto *o, const struct trace_record *r, struct buf *text)
{
	const struct entry *e = NULL;

	if (r->point == TRACE_LOOKUP)
		e = entry_by_rule(o, (uint32_t)r->b);
	else if (r->point == TRACE_EARLY_DROP || r->point == TRACE_EARLY_METER)
		e = entry_by_rule(o, (uint32_t)r->a);
	trace_text(&o->dp, r, text);
	if (e) {
		buf_printf(text, ": ");
		flow_format(&e->flow, text);
	}
	buf_printf(text, "\n");
}

/* ---- What if ----------------------------------------------------------------------------------
 */

struct what_if {
	struct match match; /* what FLOW text said */
	uint8_t frame[TRACE_FRAME];
	size_t size;
	const struct port *in;
	bool aggregate; /* a connection claimed it */
};

static bool read_hex(const char *text, struct what_if *wi)
{
	size_t n = 0;

	for (; *text; text++) {
		if (isspace((unsigned char)*text))
			continue;
		if (hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0 || n == TRACE_FRAME)
			return false;
		wi->frame[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
		text++;
	}
	wi->size = n;
	return n >= ETH_HLEN_;
}

static int read_flow(const char *text, struct what_if *wi, struct refusal *r)
{
	struct flow_mod fm;
	int error = flow_parse(text, OFPFC_DELETE, &fm, r);

	if (error)
		return error;
	wi->match = fm.match;
	flow_mod_free(&fm);
	return 0;
}

/* FLOW; octets in hexadecimal; or `in_port=…` and, behind a comma or blank, octets. */
static int read_packet(struct ofproto *o, const char *text, struct what_if *wi, struct refusal *r)
{
	const char *octets = strpbrk(text, ", ");
	uint32_t in_port;
	int error = 0;

	if (!read_hex(text, wi)) {
		if (octets && !strncmp(text, "in_port=", 8) && read_hex(octets + 1, wi)) {
			char *head = mem_text(text);

			head[octets - text] = '\0';
			error = read_flow(head, wi, r);
			free(head);
		} else {
			error = read_flow(text, wi, r);
			if (!error)
				wi->size = trace_compose(&wi->match.value.du, wi->frame);
		}
	}
	if (error || !wi->match.mask.du.in_port)
		return error;
	in_port = be32toh(wi->match.value.du.in_port);
	wi->in = port_by_ofport(&o->dp, in_port);
	return wi->in || in_port == OFPP_CONTROLLER
		       ? 0
		       : refuse(r, BAD_PORT, "in_port", "there is no port %u", in_port);
}

/* What the text says beyond the octets: metadata, registers, how the DU came out. */
static void overlay(uint64_t *to, const uint64_t *value, const uint64_t *mask, size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] = (to[i] & ~mask[i]) | value[i];
}

/* A DU that came out of a connection: its record says what the text says. */
static void come_out(struct pkt *p, const struct what_if *wi)
{
	p->flags |= PKT_DECAPPED;
	if (wi->in->flags & PORT_L3)
		p->flags |= PKT_VIRTUAL_ETH;
	p->outer->conn = wi->in->id;
	p->outer->gen = wi->in->gen;
	p->outer->key.has |= htobe32(HAS_CONN);
	p->outer->key.conn_id = htobe32(wi->in->ofport);
}

static void run_stages(struct worker *w, struct pkt *p, struct what_if *wi)
{
	struct batch b = {.n = 1, .pkt = {p}};
	bool du = wi->in && wi->in->flags & PORT_CONN;

	stage_parse(w, &b);
	if (b.n && du)
		come_out(p, wi);
	else
		stage_collect(w, &b);
	if (b.n)
		overlay((uint64_t *)&p->outer->key, wi->match.value.outer_word,
			wi->match.mask.outer_word, OUTER_WORDS);
	stage_early(w, &b);
	if (b.n && !du && p->outer->conn != CONN_NONE) {
		wi->aggregate = true; /* what is inside takes the connection's state to see */
		consume(w, p, CONSUME_TRACED);
		return;
	}
	stage_key(w, &b);
	if (b.n)
		overlay((uint64_t *)&p->key, wi->match.value.du_word, wi->match.mask.du_word,
			DU_WORDS);
	stage_rules(w, &b);
	stage_actions(w, &b);
}

static int run_private(struct ofproto *o, struct what_if *wi, struct refusal *r)
{
	struct tracer *t = o->tracer;
	struct worker *w = t->worker;
	struct pkt *p;

	t->dp = o->dp;
	t->dp.umem = t->umem;
	t->dp.n_workers = 1;
	t->dp.worker[0] = w;
	t->dp.handoff = NULL;
	t->dp.event_fd = -1;
	w->now = ofproto_now(o);
	w->version = o->dp.version;
	w->bypass = panic_on(o->dp.panic_pass);
	p = pkt_new(w, FRAME_HEADROOM);
	if (!p)
		return refuse(r, SYSTEM, "", "no frame to trace with");
	memcpy(p->data, wi->frame, wi->size);
	p->len = (uint32_t)wi->size;
	p->seg[0].len = (uint16_t)wi->size;
	w->trace_left = 1; /* pkt_injected() begins a trace */
	pkt_injected(w, p, wi->in ? wi->in->id : PORT_NONE);
	w->trace_left = 0;
	run_stages(w, p, wi);
	return 0;
}

int ofproto_trace(struct ofproto *o, const char *packet, struct buf *text, struct refusal *r)
{
	struct tracer *t = tracer_of(o);
	struct what_if *wi = mem_new(sizeof *wi);
	int error = read_packet(o, packet, wi, r);
	const void *record;
	uint32_t size;

	if (!error)
		error = run_private(o, wi, r);
	if (!error) {
		while ((record = ring_peek(&t->worker->traces, &size))) {
			record_text(o, record, text);
			ring_release(&t->worker->traces);
		}
		if (wi->aggregate)
			buf_printf(text,
				   "an aggregate: what comes out of it, trace --next shows\n");
		while (ring_peek(&t->worker->events, &size))
			ring_release(&t->worker->events);
	}
	free(wi);
	return error;
}

/* ---- The next real packets ----------------------------------------------------------------------
 */

struct look {
	const struct match *match;
	unsigned n;
};

static void look_for(struct worker *w, void *arg)
{
	const struct look *look = arg;

	w->trace_match = look->match;
	w->trace_left = look->n;
}

static void tell_workers(struct ofproto *o, const struct match *m, unsigned n)
{
	struct look look = {m, n};

	for (unsigned i = 0; i < o->dp.n_workers; i++)
		worker_call(o->dp.worker[i], look_for, &look);
}

int ofproto_trace_next(struct ofproto *o, const struct match *m, unsigned n, struct refusal *r)
{
	struct tracer *t = tracer_of(o);

	if (!n || n > 1000)
		return refuse(r, BAD_VALUE, "n", "%u packets; 1 to 1000 can be traced at a time",
			      n);
	if (t->looking)
		tell_workers(o, NULL, 0); /* they let go of the match before it changes */
	match_release(&t->match);
	t->match = *m;
	match_hold(&t->match);
	t->looking = true;
	t->n = 0;
	t->until_ns = ofproto_now(o) + LOOK_NS;
	t->fetch_ns = o->offline ? TIMER_NEVER : ofproto_now(o) + FETCH_NS;
	tell_workers(o, &t->match, n);
	return 0;
}

static bool same_packet(const struct trace_record *a, const struct trace_record *b)
{
	return a->id == b->id && a->worker == b->worker;
}

static bool wanted(const struct tracer *t, const struct trace_record *r)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->record[i].point == TRACE_MATCHED && same_packet(&t->record[i], r))
			return true;
	return false;
}

/* Forgets what is old and did not match. */
static void make_room(struct tracer *t)
{
	size_t kept = 0, young = t->n - MIN(t->n, RECORDS_YOUNG);
	bool *keep = mem_new(t->n * sizeof *keep);

	for (size_t i = 0; i < t->n; i++)
		keep[i] = i >= young || wanted(t, &t->record[i]);
	for (size_t i = 0; i < t->n; i++)
		if (keep[i])
			t->record[kept++] = t->record[i];
	t->n = kept;
	free(keep);
}

static void fetch(struct ofproto *o, struct tracer *t)
{
	for (unsigned i = 0; i < o->dp.n_workers; i++) {
		struct ring *ring = &o->dp.worker[i]->traces;
		const void *record;
		uint32_t size;

		while ((record = ring_peek(ring, &size))) {
			if (t->n == t->room) {
				t->room = MAX(256u, 2 * t->room);
				t->record = mem_grow(t->record, t->room * sizeof *t->record);
			}
			t->record[t->n++] = *(const struct trace_record *)record;
			ring_release(ring);
			if (t->n >= RECORDS_MAX)
				make_room(t);
			if (t->n >= RECORDS_MAX)
				t->n = 0; /* more matched than anybody will read */
		}
	}
}

static bool all_found(const struct ofproto *o)
{
	for (unsigned i = 0; i < o->dp.n_workers; i++)
		if (__atomic_load_n(&o->dp.worker[i]->trace_left, __ATOMIC_RELAXED))
			return false;
	return true;
}

void trace_run(struct ofproto *o)
{
	struct tracer *t = o->tracer;
	uint64_t now = ofproto_now(o);
	bool found;

	if (!t || now < t->fetch_ns)
		return;
	found = all_found(o);
	fetch(o, t);
	t->fetch_ns = now + FETCH_NS;
	if (found || now >= t->until_ns) {
		tell_workers(o, NULL, 0);
		t->looking = false;
		t->fetch_ns = TIMER_NEVER;
	}
}

uint64_t trace_deadline(const struct ofproto *o)
{
	return o->tracer ? o->tracer->fetch_ns : TIMER_NEVER;
}

void ofproto_trace_read(struct ofproto *o, struct buf *text)
{
	struct tracer *t = tracer_of(o);
	const struct trace_record *last = NULL;

	fetch(o, t);
	for (size_t i = 0; i < t->n; i++) {
		const struct trace_record *r = &t->record[i];

		if (!wanted(t, r))
			continue;
		if (!last || !same_packet(last, r))
			buf_printf(text, "packet %u of worker %u:\n", r->id, r->worker);
		buf_printf(text, "  ");
		record_text(o, r, text);
		last = r;
	}
	t->n = 0;
}
