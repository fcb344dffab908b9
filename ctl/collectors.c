/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/collectors.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ctl/method.h"
#include "ctl/rows.h"
#include "ctl/sample-socket.h"
#include "ctl/sflow.h"

#define AGAIN_NS NSEC_PER_SEC /* until a collector without a route is tried once more */

struct collector {
	struct collector *next;
	struct method to;
	struct ip agent;  /* agent=; family 0: not said */
	struct ip source; /* of the route; family 0: none was found yet */
	int fd;           /* -1: not connected */
	uint64_t again_ns;
	uint64_t n_sent, n_failed;
	int last_error;            /* errno */
	char address[IP_TEXT + 8]; /* IP:PORT */
	char text[COLLECTOR_TEXT]; /* the same, then perhaps ` agent=IP` */
};

/* What a source's samples are counted in. */
struct source {
	uint32_t sequence, pool;
};

struct collectors {
	struct listener listener;
	struct event_base *base;
	struct ofproto *ofproto;
	struct event *flush, *counters;
	struct sample_socket *local; /* NULL: its path is too long */
	struct collector *list;      /* in the order they were added */
	struct buf one, batch;       /* a sample; those that wait */
	uint32_t n_waiting, sequence, uptime_ms, counter_sequence;
	struct source *pool, *by_rule; /* by worker */
	uint64_t started_ns, n_samples, n_unheard, n_datagrams;
};

/* ---- Sending ---- */

static struct ip source_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a = {0};
	socklen_t size = sizeof a;

	if (getsockname(fd, &a.any, &size))
		return (struct ip){0};
	return a.any.sa_family == AF_INET6 ? ip_v6(&a.in6.sin6_addr) : ip_v4(a.in.sin_addr.s_addr);
}

static void hang_up(struct collector *c, int error, uint64_t again_ns)
{
	c->last_error = error;
	c->again_ns = again_ns;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static bool dial(struct collector *c, uint64_t now)
{
	if (c->fd >= 0)
		return true;
	if (now < c->again_ns)
		return false;
	c->fd = socket(c->to.address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, &c->to.address.any, c->to.size)) {
		hang_up(c, errno, now + AGAIN_NS);
		return false;
	}
	c->source = source_of(c->fd);
	return true;
}

static struct ip switch_agent(const struct collectors *c)
{
	const struct collector *first = c->list;

	if (first && first->agent.family)
		return first->agent;
	if (first && first->source.family)
		return first->source;
	return ip_v4(htobe32(INADDR_LOOPBACK));
}

static struct ip agent_of(const struct collectors *cs, const struct collector *c)
{
	return c->agent.family ? c->agent : switch_agent(cs);
}

static void make_datagram(const struct collectors *cs, struct ip agent, struct buf *out)
{
	const struct sflow_datagram d = {.agent = agent,
					 .sequence = cs->sequence,
					 .uptime_ms = cs->uptime_ms,
					 .n_samples = cs->n_waiting};

	out->size = 0;
	sflow_put_header(out, &d);
	buf_octets(out, cs->batch.data, cs->batch.size);
}

/* A refusal by the far host (ECONNREFUSED) or a full queue says nothing about the socket; after
 * anything else it is made anew, since the route or the source address may have gone. */
static void send_to(const struct collectors *cs, struct collector *c, struct buf *out)
{
	uint64_t now = ofproto_now(cs->ofproto);

	if (!dial(c, now)) {
		c->n_failed++;
		return;
	}
	make_datagram(cs, agent_of(cs, c), out);
	if (send(c->fd, out->data, out->size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		c->n_sent++;
		return;
	}
	c->n_failed++;
	c->last_error = errno;
	if (errno != ECONNREFUSED && errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
		hang_up(c, errno, now + AGAIN_NS);
}

static void flush(struct collectors *cs)
{
	struct buf out = {0};

	event_del(cs->flush);
	if (!cs->n_waiting)
		return;
	cs->sequence++;
	cs->uptime_ms = (uint32_t)((ofproto_now(cs->ofproto) - cs->started_ns) / NSEC_PER_MSEC);
	cs->n_datagrams++;
	for (struct collector *c = cs->list; c; c = c->next)
		send_to(cs, c, &out);
	if (cs->local) {
		make_datagram(cs, switch_agent(cs), &out);
		sample_socket_send(cs->local, out.data, out.size, ofproto_now(cs->ofproto));
	}
	cs->batch.size = 0;
	cs->n_waiting = 0;
	buf_free(&out);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

/* ---- Gathering ---- */

static bool anybody(struct collectors *cs)
{
	return cs->list || (cs->local && sample_socket_wanted(cs->local, ofproto_now(cs->ofproto)));
}

/* The sample in cs->one joins those that wait. */
static void gather(struct collectors *cs)
{
	const struct timeval wait = {0, FLUSH_MS * 1000};

	if (cs->batch.size + cs->one.size > SFLOW_DATAGRAM_MAX - SFLOW_HEADER_SIZE_MAX)
		flush(cs);
	if (!cs->n_waiting)
		event_add(cs->flush, &wait);
	buf_octets(&cs->batch, cs->one.data, cs->one.size);
	cs->n_waiting++;
	cs->n_samples++;
}

/* Samples that a rule asked for are none of the worker's pool: a source of their own, whose pool
 * is what its samples stand for. */
static void on_sample(struct listener *l, unsigned worker, const struct sample_record *s)
{
	struct collectors *cs = container_of(l, struct collectors, listener);
	bool by_rule = s->flags & SAMPLE_BY_RULE;
	struct source *source = by_rule ? &cs->by_rule[worker] : &cs->pool[worker];
	struct sflow_source from = {.id = (uint32_t)SFLOW_SOURCE_ENTITY << 24 |
					  (by_rule ? SFLOW_SOURCE_RULES : 0) | (worker + 1),
				    .drops = s->missed};

	source->pool = by_rule ? source->pool + s->every : (uint32_t)s->pool;
	if (!anybody(cs)) {
		cs->n_unheard++;
		return;
	}
	from.sequence = ++source->sequence;
	from.pool = source->pool;
	cs->one.size = 0;
	sflow_put_flow(&cs->one, &from, s);
	gather(cs);
}

static void put_port(struct collectors *cs, const struct port *p)
{
	struct port_counters n;
	struct sflow_interface i = {.index = p->ofport,
				    .sequence = cs->counter_sequence,
				    .type = p->flags & PORT_CONN ? SFLOW_IF_TUNNEL
								 : SFLOW_IF_ETHERNET,
				    .up = p->up};

	datapath_port_counters(ofproto_datapath(cs->ofproto), p->id, &n);
	i.rx_octets = n.rx_bytes;
	i.tx_octets = n.tx_bytes;
	i.rx_packets = n.rx_packets;
	i.tx_packets = n.tx_packets;
	i.rx_dropped = (uint32_t)n.rx_dropped;
	i.tx_dropped = (uint32_t)n.tx_dropped;
	i.rx_errors = (uint32_t)n.rx_errors;
	i.tx_errors = (uint32_t)n.tx_errors;
	cs->one.size = 0;
	sflow_put_interface(&cs->one, &i);
	gather(cs);
}

void collectors_put_counters(struct collectors *cs)
{
	cs->counter_sequence++;
	for (int conns = 0; conns < 2; conns++) {
		struct port **ports = ports_sorted(cs->ofproto, conns);

		for (struct port **p = ports; *p; p++) {
			if ((*p)->ofport < PORT_MAX)
				put_port(cs, *p);
		}
		free(ports);
	}
}

static void on_counters(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	collectors_put_counters(arg);
}

/* ---- Collectors ---- */

static int parse_agent(const char *word, struct ip *agent, struct refusal *r)
{
	if (strncmp(word, "agent=", 6))
		return refuse(r, UNKNOWN_WORD, word,
			      "`%.40s' behind a collector; agent=IP would be accepted", word);
	if (!ip_parse(word + 6, agent))
		return refuse(r, BAD_VALUE, "agent",
			      "agent=%.60s is no address; an IPv4 or IPv6 address would be",
			      word + 6);
	return 0;
}

/* In the one form that is kept and compared. */
static void format(struct collector *c)
{
	const struct sockaddr_in *in = (const void *)&c->to.address;
	const struct sockaddr_in6 *in6 = (const void *)&c->to.address;
	bool v6 = in->sin_family == AF_INET6;
	struct ip ip = v6 ? ip_v6(&in6->sin6_addr) : ip_v4(in->sin_addr.s_addr);
	char text[IP_TEXT];

	snprintf(c->address, sizeof c->address, v6 ? "[%s]:%u" : "%s:%u", ip_text(&ip, text),
		 be16toh(v6 ? in6->sin6_port : in->sin_port));
	snprintf(c->text, sizeof c->text, "%s%s%s", c->address, c->agent.family ? " agent=" : "",
		 c->agent.family ? ip_text(&c->agent, text) : "");
}

static int parse(const char *text, struct collector *c, struct refusal *r)
{
	char copy[COLLECTOR_TEXT], *save = NULL, *address, *word;
	int error;

	*c = (struct collector){.fd = -1};
	if (strlen(text) >= sizeof copy)
		return refuse(r, BAD_VALUE, "COLLECTOR", "a collector of %zu octets is too long",
			      strlen(text));
	strcpy(copy, text);
	address = strtok_r(copy, " ", &save);
	if (!address)
		return refuse(r, SYNTAX, "COLLECTOR", "a collector is IP[:PORT] [agent=IP]");
	error = method_parse_address(address, SFLOW_PORT, &c->to, r);
	while (!error && (word = strtok_r(NULL, " ", &save)))
		error = parse_agent(word, &c->agent, r);
	if (!error)
		format(c);
	return error;
}

static struct collector **find(struct collectors *cs, const struct collector *like)
{
	struct collector **c = &cs->list;

	while (*c && strcmp((*c)->address, like->address))
		c = &(*c)->next;
	return c;
}

bool collectors_there(struct collectors *cs, const char *text)
{
	const struct collector *c;
	struct collector like;

	if (parse(text, &like, NULL))
		return false;
	c = *find(cs, &like);
	return c && !strcmp(c->text, like.text);
}

int collectors_add(struct collectors *cs, const char *text, char kept[COLLECTOR_TEXT],
		   struct refusal *r)
{
	struct collector like, *c, **end = &cs->list;
	const struct timeval every = {COUNTERS_S, 0};
	unsigned n = 0;

	if (parse(text, &like, r))
		return -EINVAL;
	if (*find(cs, &like))
		return refuse(r, EXISTS, "COLLECTOR", "%s is there already", like.address);
	for (; *end; end = &(*end)->next)
		n++;
	if (n >= COLLECTORS_MAX)
		return refuse(r, LIMIT, "COLLECTOR",
			      "there are %d collectors, the most there can be", COLLECTORS_MAX);
	c = malloc(sizeof *c);
	if (!c)
		abort();
	*c = like;
	*end = c;
	memcpy(kept, c->text, sizeof c->text);
	dial(c,
	     ofproto_now(cs->ofproto)); /* its route names the agent from the first datagram on */
	if (!n)
		event_add(cs->counters, &every);
	return 0;
}

static void collector_free(struct collector *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

int collectors_del(struct collectors *cs, const char *text, char kept[COLLECTOR_TEXT],
		   struct refusal *r)
{
	struct collector like, **at, *c;

	if (parse(text, &like, r))
		return -EINVAL;
	at = find(cs, &like);
	c = *at;
	if (!c)
		return refuse(r, NOT_FOUND, "COLLECTOR", "there is no collector %s", like.address);
	*at = c->next;
	memcpy(kept, c->text, sizeof c->text);
	collector_free(c);
	if (!cs->list)
		event_del(cs->counters);
	return 0;
}

void collectors_stats(const struct collectors *cs, struct collectors_stats *stats)
{
	*stats = (struct collectors_stats){
		.samples = cs->n_samples, .unheard = cs->n_unheard, .datagrams = cs->n_datagrams};
	if (cs->local) {
		struct sample_socket_counters n = sample_socket_counters(cs->local);

		stats->watched = n.connected;
		stats->local_sent = n.sent;
		stats->local_lost = n.lost;
	}
}

void collectors_each(const struct collectors *cs,
		     void (*fn)(void *arg, const struct collector_stats *s), void *arg)
{
	for (const struct collector *c = cs->list; c; c = c->next) {
		const struct collector_stats s = {
			.address = c->address,
			.agent = agent_of(cs, c),
			.sent = c->n_sent,
			.failed = c->n_failed,
			.last_error = c->last_error ? strerrordesc_np(c->last_error) : NULL};

		fn(arg, &s);
	}
}

/* ---- Life ---- */

struct collectors *collectors_create(struct event_base *base, struct ofproto *o,
				     const char *socket_path)
{
	struct collectors *cs = calloc(1, sizeof *cs);
	unsigned n = ofproto_datapath(o)->n_workers;

	if (!cs)
		abort();
	cs->base = base;
	cs->ofproto = o;
	cs->started_ns = ofproto_now(o);
	cs->flush = evtimer_new(base, on_flush, cs);
	cs->counters = event_new(base, -1, EV_PERSIST, on_counters, cs);
	cs->pool = calloc(n, sizeof *cs->pool);
	cs->by_rule = calloc(n, sizeof *cs->by_rule);
	if (!cs->flush || !cs->counters || !cs->pool || !cs->by_rule)
		abort();
	cs->local = sample_socket_create(base, socket_path);
	cs->listener.sample = on_sample;
	ofproto_listen(o, &cs->listener);
	return cs;
}

void collectors_destroy(struct collectors *cs)
{
	struct collector *c;

	if (!cs)
		return;
	ofproto_unlisten(cs->ofproto, &cs->listener);
	flush(cs);
	while ((c = cs->list)) {
		cs->list = c->next;
		collector_free(c);
	}
	sample_socket_destroy(cs->local);
	event_free(cs->flush);
	event_free(cs->counters);
	buf_free(&cs->one);
	buf_free(&cs->batch);
	free(cs->pool);
	free(cs->by_rule);
	free(cs);
}
