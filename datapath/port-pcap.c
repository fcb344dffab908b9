/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/port-pcap.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "datapath/port-copy.h"

enum { SNAPLEN = 262144 };

struct capture {
	pcap_t *in;
	const struct pcap_pkthdr *next; /* read ahead; NULL: none */
	const uint8_t *octets;
	uint64_t shift; /* live: what turns a recorded time into worker time, mod 2^64 */
	bool shifted, broken;
	pcap_t *out_link;
	pcap_dumper_t *out;
	uint64_t epoch; /* live: what turns worker time into the time of day */
	uint8_t copy[PORT_OCTETS_MAX];
};

static uint64_t stamp(const struct pcap_pkthdr *h)
{
	/* Opened with nanosecond precision: tv_usec holds nanoseconds. */
	return (uint64_t)h->ts.tv_sec * NSEC_PER_SEC + (uint64_t)h->ts.tv_usec;
}

static void read_ahead(struct capture *c)
{
	struct pcap_pkthdr *h;
	int got = c->in ? pcap_next_ex(c->in, &h, &c->octets) : PCAP_ERROR_BREAK;

	c->next = got == 1 ? h : NULL;
	c->broken = got == PCAP_ERROR;
}

static void pcap_port_close(struct port *port)
{
	struct capture *c = port->priv;

	if (c->out)
		pcap_dump_close(c->out);
	if (c->out_link)
		pcap_close(c->out_link);
	if (c->in)
		pcap_close(c->in);
	if (port->queue && port->queue[0].fd >= 0)
		close(port->queue[0].fd);
	free(c);
	port->priv = NULL;
}

static bool is_raw(int link)
{
	return link == DLT_RAW || link == DLT_IPV4 || link == DLT_IPV6;
}

/* `link` is what the user said (0 ethernet, 1 raw), or -1; becomes what the file is. */
static int open_in(struct capture *c, const char *file, int *link, struct refusal *r)
{
	char error[PCAP_ERRBUF_SIZE];
	int dlt;

	c->in = pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, error);
	if (!c->in)
		return refuse(r, SYSTEM, "in", "%s", error);
	dlt = pcap_datalink(c->in);
	if (dlt != DLT_EN10MB && !is_raw(dlt))
		return refuse(r, BAD_VALUE, "in",
			      "%s holds link type %d; ethernet (1) and raw IP (101) are read", file,
			      dlt);
	if (*link >= 0 && (*link == 1) != is_raw(dlt))
		return refuse(r, BAD_VALUE, "link", "%s is a capture of link=%s", file,
			      is_raw(dlt) ? "raw" : "ethernet");
	*link = is_raw(dlt);
	read_ahead(c);
	if (c->broken)
		return refuse(r, SYSTEM, "in", "%s: %s", file, pcap_geterr(c->in));
	return 0;
}

static int open_out(struct capture *c, const char *file, int link, struct refusal *r)
{
	c->out_link = pcap_open_dead_with_tstamp_precision(link == 1 ? DLT_RAW : DLT_EN10MB,
							   SNAPLEN, PCAP_TSTAMP_PRECISION_NANO);
	if (!c->out_link)
		return refuse(r, SYSTEM, "out", "no memory to write %s", file);
	c->out = pcap_dump_open(c->out_link, file);
	if (!c->out)
		return refuse(r, SYSTEM, "out", "%s", pcap_geterr(c->out_link));
	return 0;
}

static int open_files(struct port *port, struct options *o, struct refusal *r)
{
	static const char *const links[] = {"ethernet", "raw", NULL};
	const char *in = option(o, "in"), *out = option(o, "out"), *mac = option(o, "mac");
	struct capture *c = port->priv;
	unsigned word = 0;
	uint64_t mtu = 0;
	int link;

	if (option_word(o, "link", links, &word, r) ||
	    option_u64(o, "mtu", (struct range){68, 65535}, &mtu, r))
		return -EINVAL;
	if (mac && !eth_parse(mac, port->mac))
		return refuse(r, BAD_VALUE, "mac",
			      "'%s' is no MAC address (like 02:00:00:00:00:01)", mac);
	if (!in && !out)
		return refuse(r, SYNTAX, "in",
			      "a pcap port without in=FILE and out=FILE does nothing");
	link = option(o, "link") ? (int)word : -1;
	if ((in && open_in(c, in, &link, r)) || (out && open_out(c, out, link, r)))
		return -EINVAL;
	if (link == 1)
		port->flags |= PORT_L3;
	port->mtu = (uint32_t)mtu;
	port->up = true;
	if (port_queues(port, 1))
		return refuse(r, SYSTEM, "in", "no memory for the port's queue");
	return 0;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static int pcap_port_open(struct port *port, struct options *o, struct refusal *r)
{
	struct capture *c = port->priv = calloc(1, sizeof *c);

	if (!c)
		return refuse(r, SYSTEM, "in", "no memory for the port");
	if (open_files(port, o, r)) {
		pcap_port_close(port);
		return -EINVAL;
	}
	if (o->offline)
		return 0;
	c->epoch = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC);
	if (c->next)
		port->queue[0].fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return 0;
}

bool pcap_next_time(struct port *port, uint64_t *ns)
{
	const struct capture *c = port->priv;

	if (!c->next)
		return false;
	*ns = stamp(c->next) + c->shift;
	return true;
}

/* Live: wakes the worker when the next packet is due. */
static void arm(const struct capture *c, int fd)
{
	uint64_t due = c->next ? MAX(stamp(c->next) + c->shift, 1u) : 0;
	struct itimerspec t = {
		.it_value = {(time_t)(due / NSEC_PER_SEC), (long)(due % NSEC_PER_SEC)}};

	/* A due time of zero disarms; a setting also makes the descriptor unreadable. */
	if (fd >= 0)
		timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static unsigned pcap_port_rx(struct worker *w, struct queue *q, struct batch *b)
{
	struct capture *c = q->port->priv;
	unsigned max = w->dp->offline ? 1 : BATCH_MAX, n = 0;

	if (!c->next)
		return 0;
	if (!w->dp->offline && !c->shifted) {
		c->shift = w->now - stamp(c->next);
		c->shifted = true;
	}
	for (; n < max && c->next && stamp(c->next) + c->shift <= w->now; n++) {
		port_receive(w, q, b,
			     (struct wire_octets){c->octets, c->next->caplen, c->next->len});
		read_ahead(c);
		if (c->broken)
			counter_add(&w->port[q->port->id].rx_errors, 1);
	}
	if (!w->dp->offline && (n || !c->next))
		arm(c, q->fd);
	return n;
}

static void write_out(struct capture *c, uint64_t ns, uint32_t size)
{
	struct pcap_pkthdr h = {.caplen = size, .len = size};

	h.ts.tv_sec = (time_t)(ns / NSEC_PER_SEC);
	h.ts.tv_usec = (suseconds_t)(ns % NSEC_PER_SEC);
	pcap_dump((uint8_t *)c->out, &h, c->copy);
}

static void pcap_port_tx(struct worker *w, struct queue *q)
{
	struct capture *c = q->port->priv;
	struct pkt *p;

	BATCH_FOR_EACH (p, &q->out) {
		uint32_t size = port_copy_out(w, q, p, c->copy);

		if (!size)
			continue;
		if (c->out && ferror(pcap_dump_file(c->out))) {
			counter_add(&w->port[q->port->id].tx_errors, 1);
			drop(w, p, DROP_TX_ERROR);
			continue;
		}
		if (c->out)
			write_out(c, w->now + c->epoch, size);
		pkt_sent(w, q, p, false);
	}
	q->out.n = 0;
	/* Live, somebody may be looking at the file. */
	if (c->out && !w->dp->offline)
		pcap_dump_flush(c->out);
}

static void pcap_port_status(const struct port *port, struct report *r)
{
	const struct capture *c = port->priv;

	if (c->in)
		r->string(r, "input",
			  c->broken ? pcap_geterr(c->in)
			  : c->next ? "playing"
				    : "at its end");
	if (c->out && ferror(pcap_dump_file(c->out)))
		r->string(r, "output", "the file cannot be written");
}

const struct port_class port_pcap = {
	.name = "pcap",
	.open = pcap_port_open,
	.close = pcap_port_close,
	.rx = pcap_port_rx,
	.tx = pcap_port_tx,
	.status = pcap_port_status,
};
