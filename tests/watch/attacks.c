/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks, as the tools that are sold for them make them. */
#include "tests/watch/scenario.h"

static struct packet against(uint32_t host, uint8_t proto)
{
	return (struct packet){
		.dst = host, .proto = proto, .len = 60, .ttl = 50, .port = WAN, .attack = true};
}

/* Packets one by one, so that each may differ. */
#define EACH(S, WHEN, PPS, T) \
	for (double T = (WHEN).from; (T += draw_gap(S, (double)EVERY / (PPS))) < (WHEN).to;)

static void syn(struct stream *s, uint32_t host, struct span when, double pps)
{
	struct packet p = against(host, P_TCP);

	p.flags = F_SYN;
	p.dport = 443;
	p.len = 40; /* no options: what raw sockets send */
	EACH(s, when, pps, t)
	{
		p.src = draw_host(s);
		p.sport = (uint16_t)draw(s, 65536);
		put(s, &p, t);
	}
}

/* Forged sources, from a few servers with raw sockets: one way, one hop limit.  Large ones come
 * from more places. */
void make_syn_spoofed(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);
	struct packet p = against(SITE + WEB, P_TCP);

	if (sc->size < 10000) {
		syn(s, SITE + WEB, when, sc->size);
		return;
	}
	p.flags = F_SYN;
	p.dport = 443;
	EACH(s, when, sc->size, t)
	{
		p.src = draw_host(s);
		p.ttl = draw_ttl(s);
		p.len = draw(s, 2) ? 40 : 52;
		p.sport = (uint16_t)draw(s, 65536);
		put(s, &p, t);
	}
}

/* True sources whose system makes the packets: nothing in a packet tells it from a customer's.  The
 * host answers; the resets of stacks that never asked come back. */
void make_syn_botnet(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);
	struct packet p = against(SITE + WEB + 1, P_TCP);
	uint32_t bot[600];
	uint8_t ttl[600];

	for (unsigned i = 0; i < 600; i++) {
		bot[i] = draw_host(s);
		ttl[i] = draw_ttl(s);
	}
	p.dport = 443;
	EACH(s, when, sc->size, t)
	{
		unsigned i = draw(s, 600);
		struct packet back;

		p.src = bot[i];
		p.ttl = ttl[i];
		p.flags = F_SYN;
		p.len = 60;
		p.sport = (uint16_t)(32768 + draw(s, 28000));
		put(s, &p, t);
		/* Until the backlog is full the host answers. */
		back = answer(&p, 60);
		back.attack = false;
		back.flags = F_SYN | F_ACK;
		if (!draw(s, 3))
			put(s, &back, t + 0.001);
	}
}

struct amplification {
	uint16_t port;
	unsigned reflectors;
	uint16_t len, more;
	bool fragments; /* three later ones behind each */
};

static void amplify(struct stream *s, const struct scenario *sc, const struct amplification *a)
{
	struct span when = scenario_special(sc);
	struct packet p = against(SITE + WEB + 2, P_UDP);
	uint32_t reflector[2000];
	uint8_t ttl[2000];

	for (unsigned i = 0; i < a->reflectors; i++) {
		reflector[i] = draw_host(s);
		ttl[i] = draw_ttl(s);
	}
	p.sport = a->port;
	p.len = a->len;
	p.len_more = a->more;
	EACH(s, when, sc->size, t)
	{
		unsigned i = draw(s, a->reflectors);

		p.src = reflector[i];
		p.ttl = ttl[i];
		p.dport = sc->size < 10000 ? (uint16_t)(1024 + draw(s, 60000)) : 80;
		p.frag = 0;
		if (a->fragments && draw(s, 3))
			p.frag = IP_FRAG_ANY | (draw(s, 2) ? IP_FRAG_LATER : 0);
		put(s, &p, t);
	}
}

void make_amp_dns(struct stream *s, const struct scenario *sc)
{
	amplify(s, sc, &(struct amplification){53, 1500, 1100, 400, true});
}

void make_amp_ntp(struct stream *s, const struct scenario *sc)
{
	amplify(s, sc, &(struct amplification){123, 400, 468, 0, false});
}

void make_amp_ssdp(struct stream *s, const struct scenario *sc)
{
	amplify(s, sc, &(struct amplification){1900, 2000, 300, 120, false});
}

void make_amp_memcached(struct stream *s, const struct scenario *sc)
{
	amplify(s, sc, &(struct amplification){11211, 60, 1428, 0, false});
}

void make_amp_cldap(struct stream *s, const struct scenario *sc)
{
	amplify(s, sc, &(struct amplification){389, 700, 1450, 50, true});
}

static void udp(struct stream *s, struct packet *p, struct span when, double pps)
{
	EACH(s, when, pps, t)
	{
		p->src = draw_host(s);
		p->sport = (uint16_t)draw(s, 65536);
		p->dport = (uint16_t)draw(s, 65536);
		put(s, p, t);
	}
}

void make_udp_random_sources(struct stream *s, const struct scenario *sc)
{
	struct packet p = against(SITE + WEB + 3, P_UDP);

	p.len = 540;
	udp(s, &p, scenario_special(sc), sc->size);
}

/* True sources, one port, lengths at random: as a well-known family of malware does. */
void make_udp_botnet(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);
	struct packet p = against(SITE + WEB + 4, P_UDP);
	uint32_t bot[300];
	uint8_t ttl[300];

	for (unsigned i = 0; i < 300; i++) {
		bot[i] = draw_host(s);
		ttl[i] = draw_ttl(s);
	}
	p.dport = 443;
	p.len = 64;
	p.len_more = 1200;
	EACH(s, when, sc->size, t)
	{
		unsigned i = draw(s, 300);

		p.src = bot[i];
		p.ttl = ttl[i];
		p.sport = (uint16_t)(20000 + i * 7);
		put(s, &p, t);
	}
}

/* One second on, nine off. */
void make_pulse_udp(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);
	struct packet p = against(SITE + WEB + 3, P_UDP);

	p.len = 1028;
	for (double t = when.from + draw_unit(s); t + 1 < when.to; t += 10)
		udp(s, &p, (struct span){t, t + 1}, sc->size);
}

void make_pulse_syn(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);

	for (double t = when.from + draw_unit(s); t + 1 < when.to; t += 10)
		syn(s, SITE + WEB + 5, (struct span){t, t + 1}, sc->size);
}

static void carpet(struct stream *s, const struct scenario *sc, uint16_t sport)
{
	struct span when = scenario_special(sc);
	struct packet p = against(0, P_UDP);
	uint32_t reflector[1500];

	for (unsigned i = 0; i < 1500; i++)
		reflector[i] = draw_host(s);
	p.len = sport ? 1300 : 540;
	EACH(s, when, sc->size, t)
	{
		p.dst = SITE + UNUSED + draw(s, 256);
		p.src = sport ? reflector[draw(s, 1500)] : draw_host(s);
		p.sport = sport ? sport : (uint16_t)draw(s, 65536);
		p.dport = (uint16_t)draw(s, 65536);
		put(s, &p, t);
	}
}

void make_carpet_udp(struct stream *s, const struct scenario *sc)
{
	carpet(s, sc, 0);
}

void make_carpet_dns(struct stream *s, const struct scenario *sc)
{
	carpet(s, sc, 53);
}

/* From next to nothing to all of it, over the whole time. */
void make_ramp_udp(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);
	struct packet p = against(SITE + RECEIVER, P_UDP);

	p.len = 1028;
	for (double t = when.from; t < when.to; t++)
		udp(s, &p, (struct span){t, t + 1},
		    1 + sc->size * (t - when.from) / (when.to - when.from));
}

void make_ramp_syn(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);

	for (double t = when.from; t < when.to; t++)
		syn(s, SITE + WEB + 6, (struct span){t, t + 1},
		    1 + sc->size * (t - when.from) / (when.to - when.from));
}

/* The demo's: the infected site imitates the clean one's stream, by a connection of its own. */
void make_conn_imitated(struct stream *s, const struct scenario *sc)
{
	struct packet p = against(SITE + 2, P_UDP);

	p.src = 0x0a020002;
	p.sport = 6202;
	p.dport = 5202;
	p.len = 1228;
	p.ttl = 62;
	p.port = CONN + 2;
	flow(s, &p, scenario_special(sc), sc->size);
}

void make_conn_syn(struct stream *s, const struct scenario *sc)
{
	struct packet p = against(SITE + WEB + 7, P_TCP);

	p.flags = F_SYN;
	p.dport = 80;
	p.ttl = 62;
	p.port = CONN + 2;
	EACH(s, scenario_special(sc), sc->size, t)
	{
		p.src = 0x0a020000 + draw(s, 256);
		p.sport = (uint16_t)draw(s, 65536);
		put(s, &p, t);
	}
}

/* The host answers some of it. */
void make_icmp_flood(struct stream *s, const struct scenario *sc)
{
	struct packet p = against(SITE + WEB + 8, P_ICMP), back;

	p.icmp_type = 8;
	p.len = sc->size < 10000 ? 84 : 1400;
	EACH(s, scenario_special(sc), sc->size, t)
	{
		p.src = draw_host(s);
		p.ttl = draw_ttl(s);
		put(s, &p, t);
		back = answer(&p, p.len);
		back.icmp_type = 0;
		back.attack = false;
		if (!draw(s, 2))
			put(s, &back, t + 0.001);
	}
}

void make_fragments(struct stream *s, const struct scenario *sc)
{
	struct packet p = against(SITE + WEB + 9, P_UDP);

	p.len = 1500;
	p.frag = IP_FRAG_ANY | IP_FRAG_LATER;
	EACH(s, scenario_special(sc), sc->size, t)
	{
		p.src = draw_host(s);
		put(s, &p, t);
	}
}

/* Acknowledgements of nothing, to a port that is open; the host resets what it does not know. */
void make_ack_flood(struct stream *s, const struct scenario *sc)
{
	struct packet p = against(SITE + WEB + 1, P_TCP), back;

	p.dport = 443;
	EACH(s, scenario_special(sc), sc->size, t)
	{
		p.flags = draw(s, 2) ? F_ACK : F_PSH | F_ACK;
		p.len = 40;
		p.src = draw_host(s);
		p.ttl = draw_ttl(s);
		p.sport = (uint16_t)draw(s, 65536);
		put(s, &p, t);
		back = answer(&p, 40);
		back.flags = F_RST;
		back.attack = false;
		put(s, &back, t + 0.001);
	}
}

void make_gre_flood(struct stream *s, const struct scenario *sc)
{
	struct packet p = against(SITE + WEB + 2, P_GRE);

	p.len = 540;
	EACH(s, scenario_special(sc), sc->size, t)
	{
		p.src = draw_host(s);
		p.ttl = draw_ttl(s);
		put(s, &p, t);
	}
}

void make_udp_v6(struct stream *s, const struct scenario *sc)
{
	struct packet p = against(SITE + WEB + 3, P_UDP);

	p.v6 = true;
	p.len = 1100;
	udp(s, &p, scenario_special(sc), sc->size);
}
