/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as octets and as text: Ethernet, IPv4, IPv6, prefixes.
 *
 * `struct ip` holds either family in 16 octets (IPv4 in the first four, the rest zero), so that
 * tables keyed by an address need one shape.  Parsers accept exactly one address, nothing
 * behind it, and return false otherwise; formatters write into the caller's buffer and return it.
 */
#ifndef SLUICE_ADDR_H
#define SLUICE_ADDR_H

#include "lib/base.h"

struct ip {
	uint8_t octet[16];
	uint8_t family; /* 4, 6, or 0 for none */
};

struct ip_prefix {
	struct ip ip;
	uint8_t len;
};

enum { ETH_TEXT = 18, IP_TEXT = 46, PREFIX_TEXT = 50 };

static inline struct ip ip_v4(be32 addr)
{
	struct ip ip = {.family = 4};
	memcpy(ip.octet, &addr, 4);
	return ip;
}

static inline struct ip ip_v6(const void *octets)
{
	struct ip ip = {.family = 6};
	memcpy(ip.octet, octets, 16);
	return ip;
}

static inline be32 ip_as_v4(const struct ip *ip)
{
	be32 v;
	memcpy(&v, ip->octet, 4);
	return v;
}

static inline bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && !memcmp(a->octet, b->octet, 16);
}

uint32_t ip_hash(const struct ip *ip);
bool ip_parse(const char *text, struct ip *ip);              /* either family */
bool ip_prefix_parse(const char *text, struct ip_prefix *p); /* `10.0.0.0/8`; no length: a host */
bool ip_in_prefix(const struct ip *ip, const struct ip_prefix *p);
const char *ip_text(const struct ip *ip, char buf[IP_TEXT]);
const char *ip_prefix_text(const struct ip_prefix *p, char buf[PREFIX_TEXT]);
bool ip_is_multicast(const struct ip *ip);

bool eth_parse(const char *text, uint8_t eth[6]);
const char *eth_text(const uint8_t eth[6], char buf[ETH_TEXT]);

static inline bool eth_is_multicast(const uint8_t eth[6])
{
	return eth[0] & 1;
}

#endif
