/* SPDX-License-Identifier: Apache-2.0 */
/* What the units of port classes share: a datapath of one worker that nothing runs, and a port
 * of a class opened from text.  Each unit includes it once. */
#ifndef SLUICE_TESTS_PORTS_FIXTURE_H
#define SLUICE_TESTS_PORTS_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "datapath/port-copy.h"

struct bench {
	struct datapath dp;
	struct worker *w;
	struct port port;
	struct refusal r;
};

static inline struct bench *bench_new(bool offline)
{
	struct bench *t = calloc(1, sizeof *t);

	assert_non_null(t);
	assert_int_equal(datapath_init(&t->dp, &(struct datapath_config){.n_workers = 1,
									 .n_frames = 1024,
									 .offline = offline}),
			 0);
	t->w = t->dp.worker[0];
	return t;
}

/* 0, or a refusal in t->r.  At most eight words. */
static inline int bench_open(struct bench *t, const char *type, const char *const *words)
{
	struct options o;
	unsigned n = 0;
	int e;

	while (words[n])
		n++;
	t->port = (struct port){.name = "p1", .id = 1, .gen = 1, .ofport = 7, .dp = &t->dp};
	t->port.class = port_class_by_name(type);
	assert_non_null(t->port.class);
	assert_int_equal(options_parse(&o, n, words, &t->r), 0);
	o.offline = t->dp.offline;
	e = t->port.class->open(&t->port, &o, &t->r);
	if (!e) {
		e = options_finish(&o, &t->r);
		assert_int_equal(e, 0);
	}
	options_free(&o);
	return e;
}

static inline void bench_close(struct bench *t)
{
	t->port.class->close(&t->port);
	free(t->port.queue);
	t->port.queue = NULL;
}

static inline void bench_free(struct bench *t)
{
	/* Whatever a port did, every frame and packet came home. */
	assert_int_equal(t->w->frames.n_free, t->w->frames.n_total);
	assert_int_equal(t->w->n_free_pkts, t->w->n_pkts);
	datapath_destroy(&t->dp);
	free(t);
}

static inline unsigned bench_rx(struct bench *t, struct batch *b)
{
	b->n = 0;
	return t->port.class->rx(t->w, &t->port.queue[0], b);
}

static inline void bench_tx(struct bench *t, struct pkt *p)
{
	struct queue *q = &t->port.queue[0];

	q->out.pkt[q->out.n++] = p;
	t->port.class->tx(t->w, q);
	assert_int_equal(q->out.n, 0);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
