/* SPDX-License-Identifier: Apache-2.0 */
/* Samples made by hand, for tests of the watcher. */
#ifndef SLUICE_TESTS_WATCH_BED_H
#define SLUICE_TESTS_WATCH_BED_H

#include "tests/unit/random.h"
#include "tests/watch/signal-line.h"

enum { BED_EVERY = 64 };

/* One packet's sample: addresses as 32-bit numbers, by port 1. */
static inline struct watch_sample bed_sample(uint64_t ns, uint32_t from, uint32_t to, uint8_t proto)
{
	struct watch_sample s = {.ns = ns, .packets = BED_EVERY, .length = 1200, .reason = 0xff};

	s.octets = s.packets * s.length;
	s.key.du.eth_type = htobe16(0x0800);
	s.key.du.ip_proto = proto;
	put_be32(s.key.du.ip_src, from);
	put_be32(s.key.du.ip_dst, to);
	s.key.du.in_port = htobe32(1);
	return s;
}

static inline struct watch_sample bed_udp(uint64_t ns, uint32_t from, uint32_t to, unsigned ports)
{
	struct watch_sample s = bed_sample(ns, from, to, 17);

	s.key.du.tp_src = htobe16((uint16_t)(ports >> 16));
	s.key.du.tp_dst = htobe16((uint16_t)ports);
	return s;
}

static inline struct watch_sample bed_tcp(uint64_t ns, uint32_t from, uint32_t to, unsigned flags)
{
	struct watch_sample s = bed_sample(ns, from, to, 6);

	s.key.du.tp_src = htobe16(40000);
	s.key.du.tp_dst = htobe16(443);
	s.key.du.tcp_flags = htobe16((uint16_t)flags);
	return s;
}

/* Whether a Poisson process of `rate` a second does it in `dt` seconds, dt short. */
static inline bool bed_happens(double rate, double dt)
{
	return rnd() < rate * dt * 4294967296.0;
}

#endif
