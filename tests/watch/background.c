/* SPDX-License-Identifier: Apache-2.0 */
/* The site's ordinary traffic, about 20,000 packets a second both ways: the proportions are those
 * of a mid-sized site's border (mostly TCP and QUIC towards clients, some servers, a resolver, a
 * tunnel), and there is what every border sees: one-way streams, syslog, scans, strays. */
#include "tests/watch/scenario.h"

static void web(struct stream *s, double seconds)
{
	for (double t = 0; (t += draw_gap(s, 1 / 60.0)) < seconds;) {
		struct tcp c = {.client = draw_host(s),
				.server = SITE + WEB + draw(s, 10),
				.sport = (uint16_t)(20000 + draw(s, 40000)),
				.dport = 443,
				.up = 6 + draw_gap(s, 8),
				.down = 6 + draw_gap(s, 20),
				.seconds = 0.3 + draw_gap(s, 3),
				.up_len = 350,
				.down_len = 1300,
				.syns = draw(s, 40) ? 1 : 2,
				.in = WAN,
				.out = NET};

		tcp(s, &c, t);
	}
}

/* People who fetch pages and files, half of them over QUIC. */
static void clients(struct stream *s, double seconds)
{
	for (double t = 0; (t += draw_gap(s, 1 / 30.0)) < seconds;) {
		uint32_t client = SITE + (draw(s, 2) ? OFFICE : HOMES) + 1 + draw(s, 250);
		double n = 20 + draw_gap(s, 150), time = 0.5 + draw_gap(s, 4);
		struct span when = {t, t + time};
		struct packet up = {.src = client,
				    .dst = draw_host(s),
				    .sport = (uint16_t)(20000 + draw(s, 40000)),
				    .dport = 443,
				    .proto = P_UDP,
				    .len = 60,
				    .len_more = 300,
				    .ttl = 63,
				    .port = NET};
		struct packet down = answer(&up, 1250);
		struct tcp c = {.client = client,
				.server = up.dst,
				.sport = up.sport,
				.dport = 443,
				.up = n / 2,
				.down = n,
				.seconds = time,
				.up_len = 200,
				.down_len = 1400,
				.syns = 1,
				.in = NET,
				.out = WAN};

		down.ttl = draw_ttl(s);
		if (draw(s, 2)) {
			tcp(s, &c, t);
			continue;
		}
		some(s, &up, when, n / (3 + draw(s, 6)));
		some(s, &down, when, n);
	}
}

static void names(struct stream *s, double seconds)
{
	/* The resolver asks; a few hundred servers get most of it. */
	for (double t = 0; (t += draw_gap(s, 1 / 250.0)) < seconds;) {
		struct packet up = {.src = SITE + RESOLVER,
				    .dst = 0x17000000 + draw(s, 1 + draw(s, 3000)) * 977,
				    .sport = (uint16_t)(1024 + draw(s, 60000)),
				    .dport = 53,
				    .proto = P_UDP,
				    .len = 70,
				    .len_more = 20,
				    .ttl = 63,
				    .port = NET};
		struct packet down = answer(&up, (uint16_t)(120 + draw(s, 400)));

		down.ttl = 52;
		some(s, &up, (struct span){t, t + 0.001}, 1);
		some(s, &down, (struct span){t + 0.01, t + 0.1}, 1);
	}
	/* And the site's own names are asked for, and its clock. */
	for (unsigned service = 0; service < 2; service++)
		for (double t = 0; (t += draw_gap(s, 1 / 150.0)) < seconds;) {
			struct packet ask = {
				.src = draw_host(s),
				.dst = SITE + (service ? CLOCK : NAMES),
				.sport = (uint16_t)(draw(s, 3) ? 1024 + draw(s, 60000) : 123),
				.dport = service ? 123 : 53,
				.proto = P_UDP,
				.len = service ? 76 : 70,
				.ttl = draw_ttl(s),
				.port = WAN};
			struct packet back = answer(&ask, service ? 76 : 180);

			some(s, &ask, (struct span){t, t + 0.001}, 1);
			some(s, &back, (struct span){t + 0.001, t + 0.002}, 1);
		}
}

static void one_way(struct stream *s, double seconds)
{
	struct span all = {0, seconds};
	struct packet video = {.src = 0xc6336450, /* 198.51.100.80 */
			       .dst = SITE + RECEIVER,
			       .sport = 5004,
			       .dport = 5004,
			       .proto = P_UDP,
			       .len = 1356,
			       .ttl = 57,
			       .port = WAN};
	struct packet syslog = {.src = 0xc6336451,
				.dst = SITE + SYSLOG,
				.sport = 514,
				.dport = 514,
				.proto = P_UDP,
				.len = 150,
				.len_more = 400,
				.ttl = 60,
				.port = WAN};

	flow(s, &video, all, 400);
	bursts(s, &syslog, all, 150);
}

/* Customers behind tunnels: A's TCP and B's one-way stream, as in the demo. */
static void tunnels(struct stream *s, double seconds)
{
	struct span all = {0, seconds};
	struct packet a = {.src = 0x0a010002,
			   .dst = SITE + 2,
			   .sport = 45000,
			   .dport = 5201,
			   .proto = P_TCP,
			   .flags = F_ACK,
			   .len = 1400,
			   .ttl = 62,
			   .port = CONN};
	struct packet b = {.src = 0x0a020002,
			   .dst = SITE + 2,
			   .sport = 6202,
			   .dport = 5202,
			   .proto = P_UDP,
			   .len = 1228,
			   .ttl = 62,
			   .port = CONN + 1};
	struct packet back = answer(&a, 52);
	struct packet bulk = {.src = 0xc6336460,
			      .dst = SITE + TUNNEL,
			      .proto = P_ESP,
			      .len = 1400,
			      .ttl = 55,
			      .port = WAN};
	struct packet bulk_back = answer(&bulk, 120);

	bursts(s, &a, all, 1400);
	bursts(s, &back, all, 500);
	flow(s, &b, all, 417);
	bursts(s, &bulk, all, 300);
	bursts(s, &bulk_back, all, 100);
}

/* What comes to every address there is: scans, strays of other people's attacks, pings. */
static void radiation(struct stream *s, double seconds)
{
	for (double t = 0; (t += draw_gap(s, 1 / 60.0)) < seconds;) {
		struct packet p = {.src = draw_host(s),
				   .dst = SITE + draw(s, 65536),
				   .sport = (uint16_t)draw(s, 65536),
				   .dport = (uint16_t)draw(s, 65536),
				   .proto = P_TCP,
				   .flags = F_SYN,
				   .len = draw(s, 2) ? 40 : 60,
				   .ttl = draw_ttl(s),
				   .port = WAN};

		if (!draw(s, 4))
			p.flags = F_SYN | F_ACK;
		if (!draw(s, 8)) {
			p.proto = P_ICMP;
			p.icmp_type = 8;
		}
		if (!draw(s, 8)) {
			p.proto = P_UDP;
			p.len = 120;
		}
		some(s, &p, (struct span){t, t + 0.001}, 1);
	}
}

void background(struct stream *s, double seconds)
{
	web(s, seconds);
	clients(s, seconds);
	names(s, seconds);
	one_way(s, seconds);
	tunnels(s, seconds);
	radiation(s, seconds);
}
