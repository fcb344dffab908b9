/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/offline.h"

#include <pcap/pcap.h>
#include <stdlib.h>

#include "ctl/file.h"
#include "ctl/limiters.h"
#include "ctl/install.h"
#include "ctl/rows.h"
#include "ctl/stats.h"
#include "ctl/verb.h"
#include "ctl/words.h"
#include "datapath/port-pcap.h"
#include "datapath/worker.h"

#define AFTER_NS (10 * NSEC_PER_SEC) /* how long held packets are waited for */

enum { HOTTEST = 5 /* keys of a limit, in the report */ };

struct run {
	struct daemon d;
	struct worker *w;
	struct port **ports;
	uint64_t now, first;
};

/* ---- The first time stamp, before any port is open ---- */

static uint64_t first_stamp(const char *file)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *in =
		pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, error);
	struct pcap_pkthdr *h;
	const uint8_t *octets;
	uint64_t ns = TIMER_NEVER;

	if (in && pcap_next_ex(in, &h, &octets) == 1)
		ns = (uint64_t)h->ts.tv_sec * NSEC_PER_SEC + (uint64_t)h->ts.tv_usec;
	if (in)
		pcap_close(in);
	return ns;
}

/* What cannot be read here is refused, with its place, when the configuration is applied. */
static uint64_t first_of_line(const char *line, size_t size)
{
	struct line_words words;
	uint64_t ns = TIMER_NEVER;
	unsigned column;

	if (!line_words_split(&words, line, size, &column, NULL) && words.n &&
	    !strcmp(words.word[0], "add-port"))
		for (unsigned i = 1; i < words.n; i++)
			if (!strncmp(words.word[i], "in=", 3))
				ns = first_stamp(words.word[i] + 3);
	line_words_free(&words);
	return ns;
}

static int find_first(const char *file, uint64_t *first, struct refusal *r)
{
	char *text, *at;
	size_t size;

	if (file_read(file, 16 << 20, &text, &size, r))
		return -EINVAL;
	*first = TIMER_NEVER;
	for (at = text; at < text + size;) {
		char *end = memchr(at, '\n', (size_t)(text + size - at));
		size_t n = end ? (size_t)(end - at) : (size_t)(text + size - at);

		*first = MIN(*first, first_of_line(at, n));
		at += n + 1;
	}
	explicit_bzero(text, size);
	free(text);
	if (*first == TIMER_NEVER)
		*first = 0;
	return 0;
}

/* ---- Time ---- */

static void set_now(struct run *run, uint64_t ns)
{
	run->now = MAX(run->now, ns);
	run->w->now = run->now;
	ofproto_set_now(run->d.ofproto, run->now);
}

/* One turn of the worker that polls `queue` alone, or none: so inputs merge in their order, and
 * timers come before packets. */
static void turn(struct run *run, struct queue *queue)
{
	struct queue **all = run->w->rxq;
	unsigned n = run->w->n_rxq;

	run->w->rxq = &queue;
	run->w->n_rxq = queue != NULL;
	worker_turn(run->w);
	run->w->rxq = all;
	run->w->n_rxq = n;
	ofproto_run(run->d.ofproto);
}

static uint64_t next_due(const struct run *run)
{
	return MIN(worker_next(run->w), ofproto_deadline(run->d.ofproto));
}

/* Goes to t by way of every timer that is due until then. */
static void advance(struct run *run, uint64_t t)
{
	uint64_t due;

	while ((due = next_due(run)) <= t) {
		set_now(run, due > run->now ? due : run->now);
		turn(run, NULL);
		if (next_due(run) > run->now)
			continue;
		if (run->now + TICK_NS > t)
			break;
		set_now(run, run->now + TICK_NS);
	}
	set_now(run, t);
}

/* The port whose packet is next, and when; NULL: all inputs are at their end. */
static struct port *next_port(const struct run *run, uint64_t *ns)
{
	struct port *best = NULL;

	*ns = TIMER_NEVER;
	for (struct port **p = run->ports; *p; p++) {
		uint64_t at;

		if ((*p)->class != &port_pcap || !pcap_next_time(*p, &at))
			continue;
		at = MAX(at, run->now);
		if (at < *ns) {
			*ns = at;
			best = *p;
		}
	}
	return best;
}

static bool holds_packets(const struct run *run)
{
	struct worker_held held;

	worker_held(run->w, &held);
	return held.packets_held || held.frames_held; /* frames: parts of packets to come */
}

static void play(struct run *run)
{
	struct port *p;
	uint64_t ns, end;

	while ((p = next_port(run, &ns))) {
		advance(run, ns);
		turn(run, &p->queue[0]);
	}
	end = run->now + AFTER_NS;
	turn(run, NULL);
	while (holds_packets(run) && (ns = next_due(run)) <= end)
		advance(run, MAX(ns, run->now + 1));
	turn(run, NULL);
}

/* ---- The run ---- */

static json_t *make_report(struct run *run, const char *file, uint64_t played)
{
	json_t *report = stats_collect(&run->d);

	json_put(report, "file", json_text(file));
	json_put(report, "seconds", json_real((double)played / NSEC_PER_SEC));
	json_put_u64(report, "first_ns", run->first);
	json_put(report, "rules", rules_collect(&run->d));
	json_put(report, "limiters", limiters_collect(&run->d, LIMITER, HOTTEST));
	json_put(report, "connlimits", limiters_collect(&run->d, CONNLIMIT, HOTTEST));
	json_put(report, "drops", drops_collect(&run->d, false));
	return report;
}

int offline_run(const char *file, bool lab_null, json_t **report, struct config_error *e)
{
	struct ofproto_config config = {
		.db = ":memory:", .offline = true, .lab_null = lab_null, .n_workers = 1};
	struct run run = {.d.offline = true};
	int error;

	*e = (struct config_error){0};
	if (find_first(file, &run.first, &e->refusal))
		return -EINVAL;
	run.d.ofproto = ofproto_create(&config, &e->refusal);
	if (!run.d.ofproto)
		return -EINVAL;
	run.w = ofproto_datapath(run.d.ofproto)->worker[0];
	set_now(&run, run.first);
	run.d.started_ns = run.first;
	error = config_apply(&run.d, file, e);
	if (!error) {
		run.ports = ports_sorted(run.d.ofproto, false);
		turn(&run, NULL);
		play(&run);
		*report = make_report(&run, file, run.now - run.first);
		free(run.ports);
	}
	confirms_free(&run.d.confirms);
	ofproto_destroy(run.d.ofproto);
	return error;
}
