/* SPDX-License-Identifier: Apache-2.0 */
/* Two ports and nothing between them: what one receives, the other sends.
 *
 *	xskloop [-w WORKERS] [-s SECONDS] PORT PORT		PORT: WORD[,WORD]…, as add-port's
 *	xskloop veth1,type=afxdp,mode=copy veth2,type=afxdp,host=none
 *
 * For tests of port classes without a switch.  Says "ready" and the ports' status, runs until
 * SIGTERM, SIGINT or the time is over, then closes the ports and prints what was counted and
 * whether every frame and packet came home.  Exit status: 0 they did, 1 they did not, 2 refused. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "datapath/worker.h"
#include "lib/openflow.h"

static volatile sig_atomic_t over;

static void on_signal(int sig)
{
	over = sig;
}

static void print_number(struct report *r, const char *key, uint64_t value)
{
	(void)r;
	printf(" %s=%llu", key, (unsigned long long)value);
}

static void print_string(struct report *r, const char *key, const char *value)
{
	(void)r;
	printf(" %s='%s'", key, value);
}

static void print_status(const struct port *port)
{
	struct report r = {print_number, print_string};

	printf("%s:", port->name);
	if (port->class->status)
		port->class->status(port, &r);
	printf("\n");
}

/* `NAME,key=value,…`; exits when refused. */
static struct port *open_port(struct datapath *dp, char *text, uint32_t ofport)
{
	struct port *port = calloc(1, sizeof *port);
	const char *words[OPTIONS_MAX], *name = strtok(text, ",");
	struct refusal r = {0};
	struct options o = {.offline = dp->offline};
	unsigned n = 0;

	if (!port || !name)
		exit(2);
	while (n < OPTIONS_MAX && (words[n] = strtok(NULL, ",")))
		n++;
	snprintf(port->name, sizeof port->name, "%s", name);
	port->ofport = ofport;
	port->dp = dp;
	if (options_parse(&o, n, words, &r))
		goto refused;
	port->class = port_class_by_name(option(&o, "type") ? option(&o, "type") : "afxdp");
	if (!port->class || port->class->open(port, &o, &r) || options_finish(&o, &r))
		goto refused;
	options_free(&o);
	port->up = true;
	return port;
refused:
	printf("refused %s: %s: %s\n", name, refusal_name(r.code), r.text);
	exit(2);
}

static void print_counters(const struct datapath *dp, const struct port *port)
{
	struct port_counters n;

	datapath_port_counters(dp, port->id, &n);
	printf("%s: rx=%llu rx_bytes=%llu rx_dropped=%llu tx=%llu tx_bytes=%llu tx_dropped=%llu "
	       "tx_errors=%llu\n",
	       port->name, (unsigned long long)n.rx_packets, (unsigned long long)n.rx_bytes,
	       (unsigned long long)n.rx_dropped, (unsigned long long)n.tx_packets,
	       (unsigned long long)n.tx_bytes, (unsigned long long)n.tx_dropped,
	       (unsigned long long)n.tx_errors);
}

static bool print_balance(const struct datapath *dp)
{
	uint64_t all_rx = 0, all_ends = 0;
	bool even = true;

	for (unsigned i = 0; i < dp->n_workers; i++) {
		const struct worker *w = dp->worker[i];
		struct worker_held held;
		uint64_t ends = w->n.tx;
		uint32_t at_home;

		for (unsigned k = 0; k < N_DROPS; k++) {
			ends += w->n.dropped[k];
			if (w->n.dropped[k])
				printf("dropped %s=%llu\n", drop_reasons[k].name,
				       (unsigned long long)w->n.dropped[k]);
		}
		worker_held(w, &held);
		at_home = held.frames_free + held.frames_handoff;
		printf("worker %u: frames=%u/%u packets=%u/%u rx=%llu ends=%llu sleeps=%llu "
		       "busy_ns=%llu idle_ns=%llu\n",
		       i, at_home, held.frames_total, w->n_free_pkts, w->n_pkts,
		       (unsigned long long)w->n.rx, (unsigned long long)ends,
		       (unsigned long long)w->n.sleeps, (unsigned long long)w->n.busy_ns,
		       (unsigned long long)w->n.idle_ns);
		even = even && at_home == held.frames_total && w->n_free_pkts == w->n_pkts;
		all_rx += w->n.rx;
		all_ends += ends;
	}
	even = even && all_rx == all_ends;
	printf("balance: %s\n", even ? "even" : "LOST");
	return even;
}

static void run(struct datapath *dp, struct port *const port[2], unsigned seconds)
{
	port[0]->forward_to = port[1];
	port[1]->forward_to = port[0];
	for (unsigned i = 0; i < 2; i++) {
		if (datapath_add_port(dp, port[i]))
			exit(2);
		print_status(port[i]);
	}
	for (unsigned i = 0; i < dp->n_workers; i++)
		if (worker_start(dp->worker[i], -1))
			exit(2);
	printf("ready\n");
	if (seconds)
		alarm(seconds);
	while (!over)
		pause();
	for (unsigned i = 0; i < 2; i++)
		print_status(port[i]);
}

int main(int argc, char **argv)
{
	struct datapath_config config = {.n_workers = 1};
	static struct datapath dp;
	unsigned seconds = 0;
	struct port *port[2];
	bool even;
	int c;

	while ((c = getopt(argc, argv, "w:s:")) != -1)
		switch (c) {
		case 'w':
			config.n_workers = (unsigned)atoi(optarg);
			break;
		case 's':
			seconds = (unsigned)atoi(optarg);
			break;
		default:
			return 2;
		}
	if (argc - optind != 2 || datapath_init(&dp, &config))
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGALRM, on_signal);
	for (unsigned i = 0; i < 2; i++)
		port[i] = open_port(&dp, argv[optind + (int)i], i + 1);
	run(&dp, port, seconds);
	/* Each forwards to the other: neither ends before both are out of the switch. */
	for (unsigned i = 0; i < 2; i++)
		datapath_del_port(&dp, port[i]);
	for (unsigned i = 0; i < 2; i++) {
		port[i]->class->close(port[i]);
		free(port[i]->queue);
	}
	for (unsigned i = 0; i < dp.n_workers; i++)
		worker_stop(dp.worker[i]);
	for (unsigned i = 0; i < 2; i++)
		print_counters(&dp, port[i]);
	even = print_balance(&dp);
	return even ? 0 : 1;
}
