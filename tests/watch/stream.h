/* SPDX-License-Identifier: Apache-2.0 */
/* Sampled packets made to order: the blocks that scenarios are built of.
 *
 * What a sampler of 1 in EVERY shows of a flow is what is made here: of each packet it is decided
 * at random whether it was seen, so a connection of twelve packets mostly leaves nothing, and what
 * is seen of a flood says little about any one of its sources.  A stream is made in any order and
 * sorted by time in the end.  Every number comes from the stream's seed.  Each packet carries a
 * label; the watcher never gets to see it. */
#ifndef SLUICE_TESTS_WATCH_STREAM_H
#define SLUICE_TESTS_WATCH_STREAM_H

#include "utilities/watch/sample.h"

enum { EVERY = 64 };
enum { P_ICMP = 1, P_TCP = 6, P_UDP = 17, P_GRE = 47, P_ESP = 50 };
enum { F_FIN = 1, F_SYN = 2, F_RST = 4, F_PSH = 8, F_ACK = 16 };
/* Ports of the gateway; from CONN on they are connections (tunnels). */
enum { WAN = 1, NET = 2, CONN = 100 };

struct packet {
	uint64_t ns;
	uint32_t src, dst;
	uint16_t sport, dport, len, len_more; /* len_more: up to so many octets longer, at random */
	uint16_t flags;
	uint8_t proto, ttl, frag, icmp_type, port;
	bool v6, attack;
};

struct stream {
	struct packet *packet;
	size_t n, room;
	uint64_t state; /* of its random numbers */
};

void stream_begin(struct stream *s, uint64_t seed);
void stream_free(struct stream *s);
void stream_sort(struct stream *s);
void stream_sample(const struct packet *p, struct watch_sample *out);

uint32_t draw(struct stream *s, uint32_t below); /* 0 … below-1 */
double draw_unit(struct stream *s);              /* [0, 1) */
/* A time with the mean of `mean` (exponential). */
double draw_gap(struct stream *s, double mean);
/* Somebody on the Internet: no address of ours, nothing reserved. */
uint32_t draw_host(struct stream *s);
/* A hop limit as it arrives from far away: 64, 128 or 255 less a few hops. */
uint8_t draw_ttl(struct stream *s);

/* Times in seconds. */
struct span {
	double from, to;
};
/* The packet is sampled for sure, at `t`. */
void put(struct stream *s, const struct packet *p, double t);
/* A flow of `pps` packets a second; evenly, as a Poisson process. */
void flow(struct stream *s, const struct packet *like, struct span when, double pps);
/* The same in bursts, as bulk transfers come: the rate changes each 100 ms, up to threefold. */
void bursts(struct stream *s, const struct packet *like, struct span when, double pps);
/* The same, and `back` beside it, that is one for each `per`: answers follow what they answer. */
struct transfer {
	struct packet there, back;
	double per;
};
void transfer(struct stream *s, const struct transfer *t, struct span when, double pps);
/* So many packets within the time; each is sampled or not. */
void some(struct stream *s, const struct packet *like, struct span when, double n);

/* The packet the other way. */
struct packet answer(const struct packet *p, uint16_t len);

/* A TCP connection of so many packets up (with the request and the handshake) and down. */
struct tcp {
	uint32_t client, server;
	uint16_t sport, dport;
	double up, down, seconds;
	uint16_t up_len, down_len;
	unsigned syns;   /* the request is repeated: 1 is none */
	bool refused;    /* nothing but requests */
	uint8_t in, out; /* ports that client's and server's packets come by */
	bool v6;
};
void tcp(struct stream *s, const struct tcp *c, double at);

#endif
