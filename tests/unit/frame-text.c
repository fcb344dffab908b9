/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/frame-text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/addr.h"

enum kind {
	ETH,
	VLAN,
	SVLAN,
	MPLS,
	MPLSM,
	PBB,
	ARP,
	IP4,
	IP6,
	HOP,
	DST,
	RT,
	FRAG,
	AH,
	TCP,
	UDP,
	SCTP,
	ICMP,
	ICMP6,
	NS,
	NA,
	DATA,
	N_KINDS
};

/* What the layer in front calls it. */
static const struct {
	const char *name;
	uint16_t type;
	int proto; /* -1: it is none of IP's */
} kinds[N_KINDS] = {
	[ETH] = {"eth", 0x6558, -1},
	[VLAN] = {"vlan", 0x8100, -1},
	[SVLAN] = {"svlan", 0x88a8, -1},
	[MPLS] = {"mpls", 0x8847, -1},
	[MPLSM] = {"mplsm", 0x8848, -1},
	[PBB] = {"pbb", 0x88e7, -1},
	[ARP] = {"arp", 0x0806, -1},
	[IP4] = {"ip4", 0x0800, 4},
	[IP6] = {"ip6", 0x86dd, 41},
	[HOP] = {"hop", 0, 0},
	[DST] = {"dst", 0, 60},
	[RT] = {"rt", 0, 43},
	[FRAG] = {"frag", 0, 44},
	[AH] = {"ah", 0, 51},
	[TCP] = {"tcp", 0, 6},
	[UDP] = {"udp", 0, 17},
	[SCTP] = {"sctp", 0, 132},
	[ICMP] = {"icmp", 0, 1},
	[ICMP6] = {"icmp6", 0, 58},
	[NS] = {"ns", 0, 58},
	[NA] = {"na", 0, 58},
	[DATA] = {"data", 0x88b5, 253},
};

struct layer {
	enum kind kind;
	char args[160];
	size_t at;
};

struct build {
	struct frame_octets f;
	struct layer layer[16];
	unsigned n;
	const struct layer *now;
};

/* The text behind `key=`, or NULL. */
static const char *arg(const struct layer *l, const char *key)
{
	static char value[64];
	size_t n = strlen(key);

	for (const char *at = l->args; *at;) {
		size_t size = strcspn(at, ",");

		if (!strncmp(at, key, n) && at[n] == '=') {
			snprintf(value, sizeof value, "%.*s", (int)(size - n - 1), at + n + 1);
			return value;
		}
		at += size + (at[size] == ',');
	}
	return NULL;
}

static uint64_t number(const struct layer *l, const char *key, uint64_t otherwise)
{
	const char *text = arg(l, key);
	char *end;
	uint64_t n;

	if (!text)
		return otherwise;
	n = strtoull(text, &end, 0);
	if (*end)
		fail_msg("%s=%s is no number", key, text);
	return n;
}

static void put(struct build *b, uint64_t value, unsigned octets)
{
	if (b->f.size + octets > FRAME_TEXT_MAX)
		fail_msg("a frame too long");
	while (octets--)
		b->f.at[b->f.size++] = (uint8_t)(value >> 8 * octets);
}

static void put_eth(struct build *b, const char *key, const char *otherwise)
{
	const char *text = arg(b->now, key);
	uint8_t eth[6];

	if (!eth_parse(text ? text : otherwise, eth))
		fail_msg("%s=%s is no address", key, text);
	for (unsigned i = 0; i < 6; i++)
		put(b, eth[i], 1);
}

static void put_addr(struct build *b, const char *key, const char *otherwise)
{
	const char *text = arg(b->now, key);
	struct ip ip;

	if (!ip_parse(text ? text : otherwise, &ip))
		fail_msg("%s=%s is no address", key, text);
	for (unsigned i = 0; i < (ip.family == 4 ? 4 : 16); i++)
		put(b, ip.octet[i], 1);
}

static void put_type(struct build *b)
{
	put(b, number(b->now, "type", b->now[1].kind < N_KINDS ? kinds[b->now[1].kind].type : 0),
	    2);
}

static void put_next(struct build *b)
{
	int proto = kinds[b->now[1].kind].proto;

	put(b, number(b->now, "proto", proto < 0 ? 253 : (unsigned)proto), 1);
}

static void put_link(struct build *b)
{
	const struct layer *l = b->now;

	switch (l->kind) {
	case ETH:
		put_eth(b, "dst", "02:00:00:00:00:02");
		put_eth(b, "src", "02:00:00:00:00:01");
		put_type(b);
		break;
	case VLAN:
	case SVLAN:
		put(b, number(l, "pcp", 0) << 13 | number(l, "cfi", 0) << 12 | number(l, "vid", 5),
		    2);
		put_type(b);
		break;
	case MPLS:
	case MPLSM:
		put(b,
		    number(l, "label", 100) << 12 | number(l, "tc", 0) << 9 |
			    number(l, "bos", l[1].kind != MPLS && l[1].kind != MPLSM) << 8 |
			    number(l, "ttl", 64),
		    4);
		break;
	case PBB:
		put(b, number(l, "pcp", 0) << 29 | number(l, "isid", 7), 4);
		put_eth(b, "dst", "02:00:00:00:00:02");
		put_eth(b, "src", "02:00:00:00:00:01");
		put_type(b);
		break;
	default: /* ARP */
		put(b, 0x0001080006040000 | number(l, "op", 1), 8);
		put_eth(b, "sha", "02:00:00:00:00:01");
		put_addr(b, "spa", "10.0.0.1");
		put_eth(b, "tha", "00:00:00:00:00:00");
		put_addr(b, "tpa", "10.0.0.2");
	}
}

static void put_network(struct build *b)
{
	const struct layer *l = b->now;

	switch (l->kind) {
	case IP4:
		put(b, 0x45 + number(l, "opt", 0) / 4, 1);
		put(b, number(l, "tos", 0), 1);
		put(b, 0, 2);
		put(b, number(l, "id", 0x1234) << 16 | number(l, "frag", 0x4000), 4);
		put(b, number(l, "ttl", 64), 1);
		put_next(b);
		put(b, 0, 2);
		put_addr(b, "src", "10.0.0.1");
		put_addr(b, "dst", "10.0.0.2");
		for (uint64_t i = 0; i < number(l, "opt", 0); i++)
			put(b, 1, 1);
		break;
	case IP6:
		put(b, 6u << 28 | number(l, "tc", 0) << 20 | number(l, "fl", 0), 4);
		put(b, 0, 2);
		put_next(b);
		put(b, number(l, "hop", 64), 1);
		put_addr(b, "src", "2001:db8::1");
		put_addr(b, "dst", "2001:db8::2");
		break;
	case RT: /* one segment, as RFC 6275's type 2 has it */
		put_next(b);
		put(b, 0x020200 | number(l, "left", 0), 3);
		put(b, 0, 4);
		put_addr(b, "last", "2001:db8::77");
		break;
	case FRAG:
		put_next(b);
		put(b, 0, 1);
		put(b, number(l, "off", 1), 2);
		put(b, 0x12345678, 4);
		break;
	case AH:
		put_next(b);
		put(b, 4, 1);
		put(b, 0, 2);
		put(b, 1, 4);
		put(b, 2, 4);
		put(b, 0x1122334455667788, 8);
		put(b, 0x99aabbcc, 4);
		break;
	default: /* HOP, DST: padding */
		put_next(b);
		put(b, 0, 1);
		put(b, 0x010400000000, 6);
	}
}

static void put_transport(struct build *b)
{
	const struct layer *l = b->now;
	uint64_t src = number(l, "src", 1234);

	switch (l->kind) {
	case TCP:
		put(b, src << 16 | number(l, "dst", 80), 4);
		put(b, 0x0000000100000002, 8);
		put(b, (0x5000 | number(l, "flags", 0x12)) << 16 | 0xffff, 4);
		put(b, 0, 4);
		break;
	case UDP:
		put(b, src << 16 | number(l, "dst", 53), 4);
		put(b, 0, 4);
		break;
	case SCTP:
		put(b, src << 16 | number(l, "dst", 2905), 4);
		put(b, 0xcafe, 4);
		put(b, 0, 4);
		break;
	case NS:
	case NA:
		put(b, number(l, "type", l->kind == NS ? 135 : 136), 1);
		put(b, number(l, "code", 0), 1);
		put(b, 0, 6);
		put_addr(b, "target", "fe80::9");
		put(b, l->kind == NS ? 0x0101 : 0x0201, 2);
		put_eth(b, "ll", "02:00:00:00:00:01");
		break;
	default: /* ICMP, ICMP6: an echo */
		put(b, number(l, "type", l->kind == ICMP ? 8 : 128), 1);
		put(b, number(l, "code", 0), 1);
		put(b, 0, 2);
		put(b, 0x00010002, 4);
	}
}

static void put_data(struct build *b, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		put(b, 0xa0 + i, 1);
}

static void put_layer(struct build *b)
{
	enum kind kind = b->now->kind;

	if (kind == DATA)
		put_data(b, number(b->now, "size", 16));
	else if (kind <= ARP)
		put_link(b);
	else if (kind <= AH)
		put_network(b);
	else
		put_transport(b);
}

/* ---- Lengths and checksums ------------------------------------------------------------------ */

static uint32_t sum_of(uint32_t sum, const uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	return sum;
}

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Bit by bit, as RFC 9260's appendix A says it. */
static uint32_t crc32c(const uint8_t *at, size_t size)
{
	uint32_t crc = ~0u;

	for (; size--; at++) {
		crc ^= *at;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

static void finish_transport(struct build *b, const struct layer *ip, const struct layer *l)
{
	uint8_t *at = b->f.at + l->at, *head = b->f.at + ip->at;
	size_t size = b->f.size - l->at;
	size_t sum_at = l->kind == TCP ? 16 : l->kind == UDP ? 6 : 2;
	uint32_t sum = (uint32_t)size, crc;

	if (l->kind == UDP)
		put_be16(at + 4, (uint16_t)size);
	if (l->kind == SCTP) {
		crc = crc32c(at, size);
		for (unsigned i = 0; i < 4; i++)
			at[8 + i] = (uint8_t)(crc >> 8 * i);
		return;
	}
	/* The protocol that the last header in front of it says, and the last destination. */
	sum += ip->kind == IP4 ? head[9] : l - 1 == ip ? head[6] : b->f.at[l[-1].at];
	sum = ip->kind == IP4 ? sum_of(sum, head + 12, 8) : sum_of(sum, head + 8, 16);
	if (ip->kind == IP6) {
		const uint8_t *last = head + 24;

		for (const struct layer *rt = ip + 1; rt < l; rt++)
			if (rt->kind == RT && b->f.at[rt->at + 3])
				last = b->f.at + rt->at + 8;
		sum = sum_of(sum, last, 16);
	}
	sum = folded(sum_of(l->kind == ICMP ? 0 : sum, at, size));
	if (l->kind == UDP)
		sum = number(l, "sum", sum ? sum : 0xffff);
	put_be16(at + sum_at, (uint16_t)sum);
}

static void finish(struct build *b)
{
	const struct layer *ip = NULL;

	for (const struct layer *l = b->layer; l < b->layer + b->n; l++) {
		uint8_t *at = b->f.at + l->at;

		if (l->kind == IP4) {
			put_be16(at + 2, (uint16_t)(b->f.size - l->at));
			put_be16(at + 10, folded(sum_of(0, at, (at[0] & 0xf) * 4u)));
		} else if (l->kind == IP6) {
			put_be16(at + 4, (uint16_t)number(l, "len", b->f.size - l->at - 40));
		} else if (ip && l->kind >= TCP && l->kind <= NA) {
			finish_transport(b, ip, l);
		}
		ip = l->kind == IP4 || l->kind == IP6 ? l : ip;
	}
}

static void read_layer(struct build *b, const char *word)
{
	struct layer *l = &b->layer[b->n++];
	size_t size = strcspn(word, ":");

	if (b->n == ARRAY_SIZE(b->layer))
		fail_msg("more layers than 15");
	for (l->kind = 0; l->kind < N_KINDS; l->kind++)
		if (strlen(kinds[l->kind].name) == size &&
		    !strncmp(word, kinds[l->kind].name, size))
			break;
	if (l->kind == N_KINDS)
		fail_msg("%s is no layer", word);
	snprintf(l->args, sizeof l->args, "%s", word[size] ? word + size + 1 : "");
}

struct frame_octets frame_of(const char *text)
{
	struct build b = {0};
	char copy[512], *save = NULL;

	snprintf(copy, sizeof copy, "%s", text);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		read_layer(&b, word);
	if (b.layer[b.n - 1].kind != DATA && b.layer[b.n - 1].kind < NS)
		read_layer(&b, "data");
	b.layer[b.n].kind = DATA;
	for (unsigned i = 0; i < b.n; i++) {
		b.now = &b.layer[i];
		b.layer[i].at = b.f.size;
		put_layer(&b);
	}
	/* Inside out: what is inside another IP packet is part of that one. */
	finish(&b);
	return b.f;
}
