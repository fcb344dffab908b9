/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/iptfs-bed.h"

#include <stdio.h>
#include <stdlib.h>

#include "datapath/marks.h"
#include "datapath/match.h"
#include "lib/csum.h"

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "iptfs bed: %s\n", what);
	abort();
}

/* By outer_bpf, as a rule would ask. */
static bool esp_outside(const struct worker *w, const struct pkt *p)
{
	static const char program[] =
		"\"ip[9] == 50 or ip6[6] == 50 or (udp port 4500 and len > 60)\"";
	struct probe s = {.key = key_view_of(&p->key, &p->outer->key),
			  .worker = (struct worker *)(uintptr_t)w,
			  .pkt = p};
	struct match m = {0};

	need(!match_parse_word(&m, "outer_bpf", program, NULL), "no program");
	return match_met(&m, &s);
}

static struct kept *keep(const struct worker *w, struct kept_list *l, const struct pkt *p)
{
	struct kept *k = &l->item[l->n++];

	need(l->n <= BED_KEPT, "too many packets to keep");
	k->size = p->len - ETH_HLEN_;
	k->octets = malloc(k->size ? k->size : 1);
	pkt_copy_out(w, p, ETH_HLEN_, (uint32_t)k->size, k->octets);
	k->outer = *p->outer;
	k->esp_outside = p->flags & PKT_DECAPPED && esp_outside(w, p);
	k->key = p->key;
	return k;
}

void kept_clear(struct kept_list *l)
{
	while (l->n)
		free(l->item[--l->n].octets);
}

static void out_tx(struct worker *w, struct queue *q)
{
	struct iptfs_bed *b = container_of(q->port, struct iptfs_bed, out);
	struct pkt *p;

	BATCH_FOR_EACH (p, &q->out) {
		keep(w, &b->sent, p);
		pkt_sent(w, q, p, false);
	}
	q->out.n = 0;
}

static const struct port_class out_class = {.name = "keep", .tx = out_tx},
			       conn_class = {.name = "conn"};

struct iptfs_bed *bed_new_workers(unsigned n)
{
	const struct datapath_config config = {
		.n_workers = n, .n_frames = 2048 * n, .offline = true};
	struct iptfs_bed *b = calloc(1, sizeof *b);
	union {
		struct fib_route route;
		uint8_t room[sizeof(struct fib_route) + sizeof(struct fib_path)];
	} r = {0};

	need(b && !datapath_init(&b->dp, &config), "no datapath");
	b->w = b->dp.worker[0];
	for (unsigned i = 0; i < n; i++)
		b->dp.worker[i]->now = NSEC_PER_SEC;
	b->out = (struct port){.class = &out_class, .flags = PORT_L3, .up = true, .ofport = 1};
	need(!port_queues(&b->out, 1) && !datapath_add_port(&b->dp, &b->out), "no port");
	for (unsigned family = 4; family <= 6; family += 2) {
		r.route.prefix.ip.family = (uint8_t)family;
		r.route.kind = FIB_UNICAST;
		r.route.n_paths = 1;
		r.route.path[0] = (struct fib_path){.ifindex = -1 - (int)b->out.id, .weight = 1};
		fib_route_set(&b->dp.fib, &r.route);
	}
	return b;
}

struct iptfs_bed *bed_new(void)
{
	return bed_new_workers(1);
}

bool bed_balanced(const struct iptfs_bed *b)
{
	uint64_t in = 0, out = 0;
	uint32_t frames = 0;

	for (unsigned k = 0; k < b->dp.n_workers; k++) {
		const struct worker_counters *n = &b->dp.worker[k]->n;
		struct worker_held held;

		worker_held(b->dp.worker[k], &held);
		in += n->rx;
		out += n->tx + held.packets_held;
		for (unsigned i = 0; i < N_MADES; i++)
			in += n->made[i];
		for (unsigned i = 0; i < N_DROPS; i++)
			out += n->dropped[i];
		for (unsigned i = 0; i < N_CONSUMES; i++)
			out += n->consumed[i];
		frames += held.frames_total - held.frames_free - held.frames_held -
			  held.frames_handoff;
	}
	return in == out && !frames;
}

void bed_free(struct iptfs_bed *b)
{
	for (unsigned i = 0; i < b->dp.n_workers; i++)
		while (b->dp.worker[i]->n_conn)
			bed_conn_del(b, b->dp.worker[i]->conn[0]);
	need(bed_balanced(b), "the balance of packets or frames is not even");
	for (unsigned i = 0; i < b->dp.n_workers; i++) {
		struct worker_held held;

		worker_held(b->dp.worker[i], &held);
		need(!held.frames_held && !held.packets_held, "frames leaked");
		need(b->dp.worker[i]->n_free_pkts == b->dp.worker[i]->n_pkts, "packets leaked");
	}
	datapath_del_port(&b->dp, &b->out);
	free(b->out.queue);
	datapath_destroy(&b->dp);
	kept_clear(&b->sent);
	kept_clear(&b->given);
	free(b);
	marks_close();
}

/* ---- Connections ------------------------------------------------------------------------- */

struct conn *bed_conn(struct iptfs_bed *b, const char *text, struct refusal *r)
{
	char copy[1024], *at = copy, *word;
	const char *words[OPTIONS_MAX];
	struct conn *c = calloc(1, sizeof *c);
	struct options o;
	unsigned n = 0;
	int error;

	snprintf(copy, sizeof copy, "%s", text);
	while ((word = strsep(&at, " ")))
		if (*word)
			words[n++] = word;
	c->class = encap_class_by_name("iptfs");
	c->bound_port = PORT_NONE;
	c->port.class = &conn_class;
	c->port.ofport = 100 + b->w->n_conn;
	error = options_parse(&o, n, words, r);
	if (!error) {
		o.offline = true;
		error = c->class->open(c, &o, r);
		if (!error && options_finish(&o, r)) {
			c->class->close(c);
			error = -1;
		}
		options_free(&o);
	}
	if (error) {
		need(!c->state && !c->allow, "something was left behind by a refusal");
		free(c);
		return NULL;
	}
	need(!datapath_add_conn(&b->dp, c), "the connection cannot be added");
	return c;
}

struct conn *must_conn(struct iptfs_bed *b, const char *options)
{
	struct refusal r = {0};
	struct conn *c = bed_conn(b, options, &r);

	if (!c)
		fprintf(stderr, "%s: %s\n", r.field, r.text);
	need(c, "a connection was refused");
	return c;
}

void bed_conn_del(struct iptfs_bed *b, struct conn *c)
{
	datapath_del_conn(&b->dp, c);
	stage_tx(b->w);
	c->class->close(c);
	free(c->port.queue);
	free(c);
}

/* ---- Packets ------------------------------------------------------------------------------- */

static struct pkt *make(struct iptfs_bed *b, const void *front, const void *octets, size_t size)
{
	struct pkt *p = pkt_new(b->w, FRAME_HEADROOM);
	size_t at = front ? ETH_HLEN_ : 0;
	uint32_t room = FRAME_SIZE - FRAME_HEADROOM;

	need(p, "no packet");
	if (front)
		memcpy(p->data, front, at);
	for (size_t done = 0; done < size || !p->len;) {
		size_t n = MIN(size - done, room - at);
		struct seg *last = &p->seg[p->n_segs - 1];

		memcpy(frame_base(&b->dp.umem, last->frame) + last->off + at,
		       (const uint8_t *)octets + done, n);
		last->len = (uint16_t)(at + n);
		p->len += last->len;
		done += n;
		if (done < size) {
			uint32_t f = frame_alloc(&b->w->frames);

			need(f != FRAME_NONE && !pkt_append(p, (struct seg){f, FRAME_HEADROOM, 0}),
			     "no frame");
		}
		at = 0;
	}
	pkt_injected(b->w, p, PORT_NONE);
	return p;
}

void bed_receive(struct iptfs_bed *b, const void *frame, size_t size)
{
	struct batch in = {.n = 1}, out;
	bool done;

	in.pkt[0] = make(b, NULL, frame, size);
	stage_parse(b->w, &in);
	stage_collect(b->w, &in);
	do {
		struct pkt *p;

		out.n = out.at = 0;
		done = stage_decap(b->w, &in, &out);
		BATCH_FOR_EACH (p, &out) {
			keep(b->w, &b->given, p);
			consume(b->w, p, CONSUME_TO_CONTROLLER);
		}
	} while (!done);
}

void bed_spine(struct iptfs_bed *b, const void *frame, size_t size)
{
	struct batch in = {.n = 1};

	in.pkt[0] = make(b, NULL, frame, size);
	spine_run(b->w, &in);
}

void bed_push(struct iptfs_bed *b, struct conn *c, const void *ip, size_t size)
{
	uint8_t eth[ETH_HLEN_] = {0};
	struct pkt *p;

	/* What is neither is called ARP. */
	switch (*(const uint8_t *)ip >> 4) {
	case 4:
		put_be16(eth + 12, 0x0800);
		break;
	case 6:
		put_be16(eth + 12, 0x86dd);
		break;
	default:
		put_be16(eth + 12, 0x0806);
	}
	p = make(b, eth, ip, size);
	p->flags |= PKT_VIRTUAL_ETH;
	port_output(b->w, p, &c->port);
}

void bed_wait(struct iptfs_bed *b, uint64_t ns)
{
	stage_tx(b->w);
	b->w->now += ns;
	timer_run(b->w, &b->w->wheel, b->w->now);
	stage_tx(b->w);
}

void make_du(uint8_t *du, unsigned size, uint8_t tag)
{
	static const uint8_t head[20] = {0x45, 0, 0,  0, 0, 0, 0,  0, 64, 17,
					 0,    0, 10, 1, 0, 1, 10, 2, 0,  1};

	memset(du, tag, size);
	memcpy(du, head, sizeof head);
	put_be16(du + 2, (uint16_t)size);
}

size_t bed_frame(struct esp_sa *sa, uint64_t seq, struct octets payload, uint8_t next_header,
		 uint8_t frame[4096])
{
	static const uint8_t head[14 + 20] = {2, 0, 0,    0, 0, 2, 2,  0, 0, 0, 0,  1,
					      8, 0, 0x45, 0, 0, 0, 0,  0, 0, 0, 64, 50,
					      0, 0, 10,   9, 0, 1, 10, 9, 0, 2};
	uint8_t *ip = frame + 14;
	size_t size;
	be16 sum;

	memcpy(frame, head, sizeof head);
	memcpy(ip + 20 + esp_front(sa), payload.data, payload.size);
	size = 20 + esp_seal(sa, seq, ip + 20, payload.size, next_header);
	put_be16(ip + 2, (uint16_t)size);
	sum = csum(ip, 20);
	memcpy(ip + 10, &sum, 2);
	return 14 + size;
}
