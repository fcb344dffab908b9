/* SPDX-License-Identifier: Apache-2.0 */
/* Lawful peaks: what each is in reality, easy and on a bad day. */
#include "tests/watch/scenario.h"

static bool hard(const struct scenario *sc)
{
	return sc->size == 1;
}

/* A page is linked from a busy one: fifteen connections a second become hundreds, all complete.
 * Hard: thousands at once, and the server does not keep up: two of five requests are repeated, one
 * in seven people gives up. */
void make_flash_crowd(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);

	for (double t = when.from; t < when.to;) {
		double ramp = hard(sc) ? 1 : MIN(1.0, 0.05 + (t - when.from) / 15);
		struct tcp c = {.client = draw_host(s),
				.server = SITE + WEB,
				.sport = (uint16_t)(20000 + draw(s, 40000)),
				.dport = 443,
				.up = 6 + draw_gap(s, 10),
				.down = 8 + draw_gap(s, 25),
				.seconds = 0.3 + draw_gap(s, hard(sc) ? 8 : 3),
				.up_len = 350,
				.down_len = 1350,
				.syns = 1,
				.in = WAN,
				.out = NET};

		t += draw_gap(s, 1 / (ramp * (hard(sc) ? 2500 : 900)));
		if (hard(sc) && draw(s, 5) < 2)
			c.syns = 2 + draw(s, 3);
		if (hard(sc) && !draw(s, 7)) {
			c.refused = true;
			c.syns = 4;
		}
		tcp(s, &c, t);
	}
}

static struct packet data(uint32_t from, uint32_t to, uint8_t proto)
{
	return (struct packet){.src = from,
			       .dst = to,
			       .sport = 443,
			       .dport = 51000,
			       .proto = proto,
			       .flags = proto == P_TCP ? F_ACK : 0,
			       .len = 1400,
			       .ttl = 56,
			       .port = to >> 16 == SITE >> 16 ? WAN : NET};
}

/* Both ways of a bulk transfer: so many packets a second one way, one in `per` back. */
static void both(struct stream *s, const struct packet *p, struct span when, double pps, double per)
{
	struct transfer t = {*p, answer(p, p->proto == P_TCP ? 52 : 80), per};

	transfer(s, &t, when, pps);
}

/* Ten seconds down, ten up, as fast as it goes: six TCP connections with one server.  Hard: one
 * QUIC flow that acknowledges every tenth packet. */
void make_speed_test(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);
	struct span down = {when.from, when.from + 12}, up = {when.from + 13, when.from + 25};
	uint32_t client = SITE + OFFICE + 5, server = draw_host(s);
	unsigned n = hard(sc) ? 1 : 6;

	for (unsigned i = 0; i < n; i++) {
		struct packet p = data(server, client, hard(sc) ? P_UDP : P_TCP);

		p.dport = (uint16_t)(51000 + i);
		both(s, &p, down, 40000.0 / n, hard(sc) ? 10 : 3);
		p = data(client, server, hard(sc) ? P_UDP : P_TCP);
		both(s, &p, up, 30000.0 / n, hard(sc) ? 10 : 3);
	}
}

/* The night's copy goes out in one connection.  Hard: it is read back, and the receiver's card
 * merges segments, so that only every twentieth is acknowledged. */
void make_backup(struct stream *s, const struct scenario *sc)
{
	uint32_t far = draw_host(s);
	struct packet out = data(SITE + BACKUP, far, P_TCP), in = data(far, SITE + BACKUP, P_TCP);

	if (hard(sc))
		both(s, &in, scenario_special(sc), 35000, 20);
	else
		both(s, &out, scenario_special(sc), 25000, 2);
}

/* A match begins: hundreds at home watch, a few seconds' worth at a time, from one network's caches
 * over QUIC.  Hard: a low-latency stream over RTP that only gets reports back. */
void make_live_event(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);

	for (unsigned i = 0; i < 240; i++) {
		struct packet p = data(0x1f0d0000 + draw(s, 16), SITE + HOMES + 1 + i, P_UDP);
		double begin = when.from + draw_gap(s, 5);

		p.dport = (uint16_t)(50000 + i);
		if (hard(sc)) {
			p.sport = 3478;
			p.len = 1150;
			both(s, &p, (struct span){begin, when.to}, 500, 28);
			continue;
		}
		for (double t = begin; t < when.to; t += 4)
			both(s, &p, (struct span){t, MIN(t + 1.5, when.to)}, 1100, 6);
	}
}

/* Patch day: every machine of the office fetches from a few caches.  Hard: they share among each
 * other and with strangers, over UDP. */
void make_software_update(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);

	for (unsigned i = 0; i < 200; i++) {
		uint32_t client = SITE + OFFICE + 1 + i;
		double begin = when.from + draw_gap(s, 8);
		struct span on = {begin, MIN(when.to, begin + 10 + draw_gap(s, 15))};
		struct packet p = data(0x1f0d0100 + draw(s, 8), client, P_TCP);

		p.dport = (uint16_t)(50000 + i);
		if (!hard(sc)) {
			both(s, &p, on, 250, 2.5);
			continue;
		}
		for (unsigned peer = 0; peer < 8; peer++) {
			p = data(draw_host(s), client, P_UDP);
			p.sport = p.dport = 7680;
			both(s, &p, on, 40, 1.5 + draw_unit(s) * 3);
		}
	}
}

/* Everybody's caches expire: the resolver asks twelve times as much of the whole Internet.  Hard:
 * thirty times, every fourth answer comes twice because the question was repeated, large ones in
 * fragments; and the site's own names are asked for as much. */
void make_dns_peak(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);
	double qps = hard(sc) ? 8000 : 3000;

	for (double t = when.from; (t += draw_gap(s, 1 / qps)) < when.to;) {
		struct packet up = data(SITE + RESOLVER, 0x17000000 + draw(s, 60000) * 977, P_UDP);
		struct span soon = {t, t + 0.2};
		struct packet down;

		up.sport = (uint16_t)(1024 + draw(s, 60000));
		up.dport = 53;
		up.len = 75;
		down = answer(&up, (uint16_t)(120 + draw(s, 600)));
		some(s, &up, (struct span){t, t + 0.001}, hard(sc) && !draw(s, 4) ? 2 : 1);
		if (hard(sc) && !draw(s, 12)) {
			down.len = 1480;
			down.frag = IP_FRAG_ANY;
			some(s, &down, soon, 1);
			down.frag |= IP_FRAG_LATER;
			down.len = 600;
		}
		some(s, &down, soon, hard(sc) && !draw(s, 4) ? 2 : 1);
		if (!hard(sc) || draw(s, 2))
			continue;
		up = data(draw_host(s), SITE + NAMES, P_UDP);
		up.sport = (uint16_t)(1024 + draw(s, 60000));
		up.dport = 53;
		up.len = 75;
		down = answer(&up, 300);
		some(s, &up, (struct span){t, t + 0.001}, 1);
		some(s, &down, (struct span){t, t + 0.01}, 1);
	}
}

/* The site's clock is in a pool that sends everybody here for a while.  Hard: all of them are
 * routers that ask from port 123, and one in ten asks too often and gets nothing. */
void make_ntp_peak(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);

	for (double t = when.from;
	     (t += draw_gap(s, 1 / (hard(sc) ? 9000.0 : 4000.0))) < when.to;) {
		struct packet ask = data(draw_host(s), SITE + CLOCK, P_UDP), back;

		ask.sport = hard(sc) || !draw(s, 2) ? 123 : (uint16_t)(1024 + draw(s, 60000));
		ask.dport = 123;
		ask.len = 76;
		ask.ttl = draw_ttl(s);
		back = answer(&ask, 76);
		some(s, &ask, (struct span){t, t + 0.001}, 1);
		if (!hard(sc) || draw(s, 10))
			some(s, &back, (struct span){t, t + 0.001}, 1);
	}
}

/* A branch copies its disks through the tunnel: ESP, acknowledged inside.  Hard: a tunnel over UDP
 * from an address that was never seen, with few acknowledgements. */
void make_vpn_bulk(struct stream *s, const struct scenario *sc)
{
	struct packet p = data(0xc6336460, SITE + TUNNEL, P_ESP);

	p.sport = p.dport = 0;
	if (hard(sc)) {
		p = data(draw_host(s), SITE + TUNNEL, P_UDP);
		p.sport = 40123;
		p.dport = 51820;
	}
	both(s, &p, scenario_special(sc), hard(sc) ? 30000 : 20000, hard(sc) ? 15 : 4);
}

/* A game opens: thousands of players from everywhere, small packets both ways.  Hard: it is full,
 * and those who wait in front ask again and again and hear nothing. */
void make_game_launch(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);
	unsigned players = 900;

	for (unsigned i = 0; i < players; i++) {
		struct packet p = data(draw_host(s), SITE + GAME, P_UDP), back;
		struct span on = {when.from + draw_gap(s, 6), when.to};

		p.sport = (uint16_t)(1024 + draw(s, 60000));
		p.dport = 27015;
		p.len = 60;
		p.len_more = 80;
		p.ttl = draw_ttl(s);
		back = answer(&p, 150);
		back.len_more = 250;
		flow(s, &p, on, 30);
		flow(s, &back, on, 22);
	}
	for (unsigned i = 0; hard(sc) && i < 700; i++) {
		struct packet p = data(draw_host(s), SITE + GAME, P_UDP);

		p.dport = 27015;
		p.len = 53;
		flow(s, &p, (struct span){when.from + draw_gap(s, 6), when.to}, 1);
	}
}

/* A company-wide conference at the site's own server: everybody sends and gets.  Hard: three
 * hundred of the office listen to one elsewhere, and only report on what they got. */
void make_conference(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);

	for (unsigned i = 0; i < 120; i++) {
		struct span on = {when.from + draw_gap(s, 5), when.to};
		struct packet p = data(draw_host(s), SITE + SFU, P_UDP);

		p.dport = 10000;
		p.sport = (uint16_t)(1024 + draw(s, 60000));
		p.len = 250;
		p.len_more = 900;
		if (hard(sc)) {
			p = data(0x1f0d0200, SITE + OFFICE + 1 + i, P_UDP);
			p.sport = 3478;
			p.dport = (uint16_t)(50000 + i);
			p.len = 1000;
			both(s, &p, on, 350, 22);
		} else {
			both(s, &p, on, 150, 0.5);
		}
	}
}

/* Monitoring looks for all that is alive: echo requests out, replies in.  Hard: a third of the
 * hosts are gone, and routers on the way say so for one in thirty. */
void make_ping_sweep(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);

	for (double t = when.from; (t += draw_gap(s, 1 / 6000.0)) < when.to;) {
		struct packet p = data(SITE + MONITOR, draw_host(s), P_ICMP);
		struct packet back = answer(&p, 84);

		p.icmp_type = 8;
		p.len = 84;
		some(s, &p, (struct span){t, t + 0.001}, 1);
		if (hard(sc) && !draw(s, 30)) {
			back.icmp_type = 3;
			back.src = draw_host(s);
		} else if (hard(sc) && !draw(s, 3)) {
			continue;
		}
		some(s, &back, (struct span){t, t + 0.3}, 1);
	}
}

/* A contest ends tonight: many people upload pictures at once.  Hard: over lines of little loss, so
 * that the server acknowledges only every sixteenth packet. */
void make_upload_event(struct stream *s, const struct scenario *sc)
{
	struct span when = scenario_special(sc);

	for (double t = when.from; (t += draw_gap(s, 1 / 60.0)) < when.to - 2;) {
		struct tcp c = {.client = draw_host(s),
				.server = SITE + WEB + 9,
				.sport = (uint16_t)(20000 + draw(s, 40000)),
				.dport = 443,
				.up = 300 + draw_gap(s, 200),
				.seconds = 2 + draw_gap(s, 4),
				.up_len = 1400,
				.down_len = 52,
				.syns = 1,
				.in = WAN,
				.out = NET};

		c.down = c.up / (hard(sc) ? 16 : 3);
		tcp(s, &c, t);
	}
}
