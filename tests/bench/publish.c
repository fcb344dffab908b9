/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker notices of changes: its CPU time from one batch's edge to the next, while rules
 * come and go.  `make bench-publish` prints, for each phase, packets a second of its CPU time, the
 * longest such time and the 99.99th percentile.
 *
 * The worker is a real one, with its thread.  Its only port hands over 64 packets whenever it is
 * asked, so two of those moments are the edges of a batch; the thread's CPU clock is read there.
 * The store is in memory: what is measured is what a worker does, not what a disk does. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "datapath/spine.h"
#include "lib/openflow.h"
#include "ofproto/ofproto.h"

enum {
	RULES = 1000,      /* there all the time */
	BUNDLE = 100000,   /* rules of one change */
	MODS_PER_S = 1000, /* of the phase with many small ones */
	PHASE_S = 5,
	SLOT_NS = 250, /* of the histogram */
	SLOTS = 1 << 16,
};

static struct port port;
static uint64_t slot[SLOTS], n_batches, longest, last; /* the worker's */
static struct ofproto *ofproto;

static uint64_t cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void batch_ends(void)
{
	uint64_t now = cpu_now(), took = now - last;

	if (last) {
		slot[MIN(took / SLOT_NS, (uint64_t)SLOTS - 1)]++;
		n_batches++;
		longest = MAX(longest, took);
	}
	last = now;
}

/* An IPv4 packet over UDP of one of 4,096 flows. */
static struct pkt *make_packet(struct worker *w)
{
	static const uint8_t head[60] = {2, 0, 0,    0, 1, 2,  2, 0, 0, 0, 0,  1,
					 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17};
	static uint32_t n;
	struct pkt *p = pkt_new(w, FRAME_HEADROOM);

	if (!p)
		return NULL;
	memcpy(p->data, head, sizeof head);
	n = n * 1664525 + 1013904223;
	put_be32(p->data + 26, 0x0a000000 | n >> 26);
	put_be32(p->data + 30, 0x0a010000 | (n >> 20 & 0x3f));
	put_be16(p->data + 36, (uint16_t)(n >> 14 & 0x7ff));
	put_be16(p->data + 38, 26);
	p->seg[0].len = sizeof head;
	p->len = sizeof head;
	return p;
}

static unsigned endless_rx(struct worker *w, struct queue *q, struct batch *b)
{
	batch_ends();
	while (b->n < BATCH_MAX) {
		struct pkt *p = make_packet(w);

		if (!p)
			break;
		pkt_received(w, q, p);
		b->pkt[b->n++] = p;
	}
	return b->n;
}

static void no_tx(struct worker *w, struct queue *q)
{
	(void)w;
	q->out.n = 0;
}

static const struct port_class endless = {.name = "endless", .rx = endless_rx, .tx = no_tx};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "publish: %s: %s\n", what, why);
	exit(1);
}

static void flow(uint8_t command, unsigned n)
{
	struct refusal r = {0};
	struct flow_mod fm;
	char text[160];

	snprintf(text, sizeof text,
		 "priority=%u,udp,nw_src=10.%u.%u.0/24,nw_dst=10.1.0.%u,udp_dst=%u%s", 10 + n % 7,
		 n % 4, n / 256 % 256, n % 64, n / 5 % 2048,
		 command == OFPFC_ADD ? ",actions=drop" : "");
	if (flow_parse(text, command, &fm, &r) || ofproto_flow_mod(ofproto, &fm, NULL, &r))
		die(text, r.text);
	flow_mod_free(&fm);
}

static void settle(void)
{
	struct refusal r = {0};

	if (ofproto_sync(ofproto, &r))
		die("commit", r.text);
}

/* The worker's figures begin anew; read and written without care, for a report. */
static void begin(void)
{
	memset(slot, 0, sizeof slot);
	n_batches = longest = 0;
}

static void end(const char *what, uint64_t began)
{
	uint64_t n = 0, total = 0, left;
	unsigned at = SLOTS;

	for (unsigned i = 0; i < SLOTS; i++) {
		n += slot[i];
		total += slot[i] * (i * SLOT_NS + SLOT_NS / 2);
	}
	for (left = n / 10000; at && slot[at - 1] <= left; at--)
		left -= slot[at - 1];
	printf("%-44s %7.2f s %8.2f Mpps of CPU   99.99 %% %7.1f us   longest %8.1f us\n", what,
	       (double)(clock_now() - began) / 1e9,
	       total ? (double)n * BATCH_MAX * 1e3 / (double)total : 0, at * SLOT_NS / 1e3,
	       (double)longest / 1e3);
	fflush(stdout);
}

/* Changes at a rate, and what a control thread does beside. */
static void run(const char *what, unsigned per_s)
{
	uint64_t began = clock_now(), now;
	unsigned done = 0;

	begin();
	while ((now = clock_now()) - began < PHASE_S * NSEC_PER_SEC) {
		for (; done < (now - began) * per_s / NSEC_PER_SEC; done++)
			flow(done % 2 ? OFPFC_DELETE_STRICT : OFPFC_ADD, RULES + done / 2 % 500);
		ofproto_run(ofproto);
		usleep(200);
	}
	settle();
	end(what, began);
}

static void bundle(const char *what, uint8_t command)
{
	uint64_t began = clock_now();

	begin();
	for (unsigned n = 0; n < BUNDLE; n++)
		flow(command, 10000 + n);
	settle();
	end(what, began);
}

int main(void)
{
	const int anywhere = -1;
	const struct ofproto_config config = {.db = ":memory:", .n_workers = 1, .cpus = &anywhere};
	struct refusal r = {0};

	ofproto = ofproto_create(&config, &r);
	if (!ofproto)
		die("the switch", r.text);
	for (unsigned n = 0; n < RULES; n++)
		flow(OFPFC_ADD, n);
	settle();
	snprintf(port.name, sizeof port.name, "endless");
	port.class = &endless;
	port.ofport = 1;
	port.up = true;
	if (port_queues(&port, 1) || datapath_add_port(ofproto_datapath(ofproto), &port))
		die("the port", "no memory");
	run("1,000 rules, no changes", 0);
	run("1,000 changes a second", MODS_PER_S);
	bundle("100,000 rules come, in one change", OFPFC_ADD);
	run("101,000 rules, no changes", 0);
	bundle("100,000 rules go, in one change", OFPFC_DELETE_STRICT);
	datapath_del_port(ofproto_datapath(ofproto), &port);
	ofproto_destroy(ofproto);
	return 0;
}
