/* SPDX-License-Identifier: Apache-2.0 */
/* Units of rules, actions and routing: one worker, four ports that keep what they are given.
 *
 *	id 0, port 1: Ethernet, 02:..:01      id 2, port 3: layer 3, carries IP without Ethernet
 *	id 1, port 2: Ethernet, 02:..:02      id 3, port 4: Ethernet, down */
#ifndef SLUICE_TESTS_ROUTE_BED_H
#define SLUICE_TESTS_ROUTE_BED_H

#include "tests/unit/bed.h"

#include "lib/csum.h"
#include "lib/openflow.h"

enum { N_PORTS = 4, KEPT = 256 };

struct sent {
	uint32_t ofport, len;
	uint8_t flags;
	uint8_t octet[128];
};

static struct datapath dp;
static struct worker *w;
static struct port ports[N_PORTS];
static struct sent sent[KEPT];
static unsigned n_sent;

static void keep_tx(struct worker *me, struct queue *q)
{
	for (unsigned i = 0; i < q->out.n; i++) {
		struct pkt *p = q->out.pkt[i];
		struct sent *s = &sent[n_sent++ % KEPT];

		*s = (struct sent){.ofport = q->port->ofport, .len = p->len, .flags = p->flags};
		pkt_copy_out(me, p, 0, MIN(p->len, (uint32_t)sizeof s->octet), s->octet);
		pkt_sent(me, q, p, false);
	}
	q->out.n = 0;
}

static unsigned no_rx(struct worker *me, struct queue *q, struct batch *b)
{
	(void)me, (void)q, (void)b;
	return 0;
}

static const struct port_class keep_class = {.name = "keep", .rx = no_rx, .tx = keep_tx};

static int route_up(void **state)
{
	(void)state;
	bed_up(&dp, 1);
	w = dp.worker[0];
	w->now = NSEC_PER_SEC;
	n_sent = 0;
	for (uint32_t i = 0; i < N_PORTS; i++) {
		ports[i] = (struct port){.ofport = i + 1,
					 .mac = {2, 0, 0, 0, 0, (uint8_t)(i + 1)},
					 .mtu = 1500,
					 .up = i != 3,
					 .flags = i == 2 ? PORT_L3 : 0,
					 .class = &keep_class};
		assert_int_equal(port_queues(&ports[i], 1), 0);
		assert_int_equal(datapath_add_port(&dp, &ports[i]), 0);
		assert_int_equal(ports[i].id, i);
	}
	return 0;
}

static int route_down(void **state)
{
	uint64_t in = 0, out = 0;

	(void)state;
	stage_tx(w);
	for (unsigned i = 0; i < N_MADES; i++)
		in += w->n.made[i];
	for (unsigned i = 0; i < N_DROPS; i++)
		out += w->n.dropped[i];
	for (unsigned i = 0; i < N_CONSUMES; i++)
		out += w->n.consumed[i];
	assert_int_equal(in + w->n.rx, out + w->n.tx);
	bed_all_home(w);
	for (unsigned i = 0; i < N_PORTS; i++) {
		datapath_del_port(&dp, &ports[i]);
		free(ports[i].queue);
	}
	datapath_destroy(&dp);
	return 0;
}

/* An IPv4 or IPv6 UDP packet in Ethernet, from port 1, to its MAC; TTL 64. */
static inline struct pkt *udp_packet(const char *src, const char *dst)
{
	uint8_t octets[90] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 99}, *ip = octets + 14;
	struct ip from, to;
	struct pkt *p;
	unsigned hlen;
	be16 sum;

	assert_true(ip_parse(src, &from) && ip_parse(dst, &to));
	hlen = to.family == 4 ? 20 : 40;
	put_be16(octets + 12, to.family == 4 ? 0x0800 : 0x86dd);
	if (to.family == 4) {
		put_be32(ip, 0x45000000 | 48);
		put_be32(ip + 8, 0x40110000);
		memcpy(ip + 12, from.octet, 4);
		memcpy(ip + 16, to.octet, 4);
		sum = csum(ip, 20);
		memcpy(ip + 10, &sum, 2);
	} else {
		put_be32(ip, 0x60000000);
		put_be32(ip + 4, 28 << 16 | 17 << 8 | 64);
		memcpy(ip + 8, from.octet, 16);
		memcpy(ip + 24, to.octet, 16);
	}
	put_be32(ip + hlen, 1000 << 16 | 2000);
	put_be32(ip + hlen + 4, 28 << 16);
	p = bed_pkt(w, octets, 14 + hlen + 28, 90);
	p->in_port = 0;
	return p;
}

/* Parsed and keyed, as the rules stage gets it. */
static inline struct pkt *keyed(struct pkt *p)
{
	struct batch b = {.n = 1, .pkt = {p}};

	stage_parse(w, &b);
	stage_key(w, &b);
	assert_int_equal(b.n, 1);
	return p;
}

static inline const struct sent *last_sent(void)
{
	assert_true(n_sent > 0);
	return &sent[(n_sent - 1) % KEPT];
}

#endif
