/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/watch/stream.h"

#include <math.h>
#include <stdlib.h>

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next(struct stream *s)
{
	uint64_t z = s->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

void stream_begin(struct stream *s, uint64_t seed)
{
	*s = (struct stream){.state = seed};
	s->state = next(s); /* or neighbours would be each other's, a step apart */
}

void stream_free(struct stream *s)
{
	free(s->packet);
}

static int by_time(const void *a, const void *b)
{
	const struct packet *x = a, *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

void stream_sort(struct stream *s)
{
	qsort(s->packet, s->n, sizeof *s->packet, by_time);
}

uint32_t draw(struct stream *s, uint32_t below)
{
	return (uint32_t)((next(s) >> 32) * below >> 32);
}

double draw_unit(struct stream *s)
{
	return (double)(next(s) >> 11) / 9007199254740992.0;
}

double draw_gap(struct stream *s, double mean)
{
	return -mean * log(1 - draw_unit(s));
}

uint32_t draw_host(struct stream *s)
{
	/* 11.0.0.0 … 191.255.255.255 without 127/8 and 172/8. */
	for (;;) {
		uint32_t host = (11u << 24) + draw(s, 181u << 24);

		if (host >> 24 != 127 && host >> 24 != 172)
			return host;
	}
}

uint8_t draw_ttl(struct stream *s)
{
	static const uint8_t begin[] = {64, 64, 64, 128, 128, 255};

	return (uint8_t)(begin[draw(s, 6)] - 6 - draw(s, 16));
}

void put(struct stream *s, const struct packet *p, double t)
{
	struct packet *to;

	if (s->n == s->room) {
		s->room = MAX(4096u, 2 * s->room);
		s->packet = realloc(s->packet, s->room * sizeof *s->packet);
		if (!s->packet)
			abort();
	}
	to = &s->packet[s->n++];
	*to = *p;
	to->ns = (uint64_t)(t * (double)NSEC_PER_SEC);
	if (p->len_more)
		to->len = (uint16_t)(p->len + draw(s, p->len_more + 1u));
}

void flow(struct stream *s, const struct packet *like, struct span when, double pps)
{
	if (pps <= 0)
		return;
	for (double t = when.from; (t += draw_gap(s, EVERY / pps)) < when.to;)
		put(s, like, t);
}

void transfer(struct stream *s, const struct transfer *p, struct span when, double pps)
{
	for (double t = when.from; t < when.to; t += 0.1) {
		double now = pps * exp(2.2 * (draw_unit(s) - 0.5)) / 1.2;
		struct span tenth = {t, MIN(t + 0.1, when.to)};

		flow(s, &p->there, tenth, now);
		if (p->per > 0)
			flow(s, &p->back, tenth, now / p->per);
	}
}

void bursts(struct stream *s, const struct packet *like, struct span when, double pps)
{
	struct transfer t = {.there = *like};

	transfer(s, &t, when, pps);
}

void some(struct stream *s, const struct packet *like, struct span when, double n)
{
	/* Skips to the next sampled one. */
	for (double i = draw_gap(s, EVERY); i < n; i += draw_gap(s, EVERY))
		put(s, like, when.from + draw_unit(s) * (when.to - when.from));
}

struct packet answer(const struct packet *p, uint16_t len)
{
	struct packet back = *p;

	back.src = p->dst;
	back.dst = p->src;
	back.sport = p->dport;
	back.dport = p->sport;
	back.len = len;
	back.len_more = 0;
	back.port = p->port == NET ? WAN : NET;
	return back;
}

void tcp(struct stream *s, const struct tcp *c, double at)
{
	struct packet up = {.src = c->client,
			    .dst = c->server,
			    .sport = c->sport,
			    .dport = c->dport,
			    .proto = P_TCP,
			    .len = 60,
			    .flags = F_SYN,
			    .ttl = draw_ttl(s),
			    .port = c->in,
			    .v6 = c->v6};
	struct packet down = answer(&up, 60);
	double wait = 0;

	down.port = c->out;
	down.ttl = 63;
	for (unsigned i = 0; i < c->syns; i++, wait += 1u << i)
		some(s, &up, (struct span){at + wait, at + wait + 0.001}, 1);
	if (c->refused)
		return;
	down.flags = F_SYN | F_ACK;
	some(s, &down, (struct span){at + 0.001, at + 0.002}, 1);
	up.flags = down.flags = F_ACK;
	/* Half of what a client says is bare acknowledgements. */
	up.len = 52;
	some(s, &up, (struct span){at, at + c->seconds}, c->up / 2);
	up.flags = F_PSH | F_ACK;
	up.len = c->up_len;
	some(s, &up, (struct span){at, at + c->seconds}, c->up / 2);
	down.len = c->down_len;
	some(s, &down, (struct span){at, at + c->seconds}, c->down);
}

static void address(uint8_t octet[16], uint32_t host, bool v6)
{
	if (!v6) {
		put_be32(octet, host);
		return;
	}
	/* 2001:db8:N:N::H: a /64 for each /24. */
	put_be32(octet, 0x20010db8);
	put_be32(octet + 4, host >> 8);
	octet[15] = (uint8_t)host;
}

static void outer(struct outer_key *o, uint8_t port)
{
	o->has = htobe32(HAS_CONN | HAS_IPV4 | HAS_ESP);
	o->conn_id = htobe32(port);
	o->in_port = htobe32(WAN);
	o->ip_version = 4;
	o->ip_ttl = 61;
	o->ip_dscp = (uint8_t)(10 + 2 * (port - CONN));
	put_be32(&o->ipv4_src, 0xc633640b + port - CONN); /* 198.51.100.11 … */
	put_be32(&o->ipv4_dst, 0xcb007101);               /* 203.0.113.1 */
	o->esp_spi = htobe32(0x1000u + port - CONN);
	o->tunnel_id = htobe64(0x1000u + port - CONN);
	o->auth = AUTH_VERIFIED;
}

void stream_sample(const struct packet *p, struct watch_sample *out)
{
	struct du_key *du = &out->key.du;

	memset(out, 0, sizeof *out);
	out->ns = p->ns;
	out->packets = EVERY;
	out->length = p->len;
	out->octets = (uint64_t)EVERY * p->len;
	out->end = END_SENT;
	out->reason = 0xff;
	du->eth_type = htobe16(p->v6 ? 0x86dd : 0x0800);
	du->ip_proto = p->v6 && p->proto == P_ICMP ? 58 : p->proto;
	du->ip_ttl = p->ttl;
	du->ip_frag = p->frag;
	du->in_port = htobe32(p->port);
	du->pkt_len = htobe32(p->len + 14u);
	address(du->ip_src, p->src, p->v6);
	address(du->ip_dst, p->dst, p->v6);
	if (p->port >= CONN) {
		outer(&out->key.outer, p->port);
		out->collected = true;
		du->tunnel_id = out->key.outer.tunnel_id;
	}
	if (p->frag & IP_FRAG_LATER)
		return;
	if (p->proto == P_ICMP)
		du->icmp_type = p->icmp_type;
	if (p->proto == P_TCP)
		du->tcp_flags = htobe16(p->flags);
	if (p->proto == P_TCP || p->proto == P_UDP) {
		du->tp_src = htobe16(p->sport);
		du->tp_dst = htobe16(p->dport);
	}
}
