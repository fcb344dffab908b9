/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "lib/hash.h"

uint32_t ip_hash(const struct ip *ip)
{
	uint64_t word[2];

	memcpy(word, ip->octet, sizeof word);
	return hash_finish(hash_add(hash_add(hash_add(hash_seed, word[0]), word[1]), ip->family));
}

bool ip_parse(const char *text, struct ip *ip)
{
	struct ip v4 = {.family = 4}, v6 = {.family = 6};

	if (inet_pton(AF_INET, text, v4.octet) == 1)
		*ip = v4;
	else if (inet_pton(AF_INET6, text, v6.octet) == 1)
		*ip = v6;
	else
		return false;
	return true;
}

static unsigned family_bits(const struct ip *ip)
{
	return ip->family == 4 ? 32 : ip->family == 6 ? 128 : 0;
}

/* One to three digits, no sign, no leading zero. */
static bool parse_prefix_len(const char *text, unsigned max, uint8_t *len)
{
	unsigned v = 0;

	if (!*text || strlen(text) > 3 || (text[0] == '0' && text[1]))
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (unsigned)(*text - '0');
	}
	*len = (uint8_t)v;
	return v <= max;
}

bool ip_prefix_parse(const char *text, struct ip_prefix *p)
{
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	struct ip_prefix got;
	char addr[IP_TEXT];

	if (size >= sizeof addr)
		return false;
	memcpy(addr, text, size);
	addr[size] = '\0';
	if (!ip_parse(addr, &got.ip))
		return false;
	got.len = (uint8_t)family_bits(&got.ip);
	if (slash && !parse_prefix_len(slash + 1, got.len, &got.len))
		return false;
	*p = got;
	return true;
}

bool ip_in_prefix(const struct ip *ip, const struct ip_prefix *p)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	if (!ip->family || ip->family != p->ip.family || p->len > family_bits(ip))
		return false;
	if (memcmp(ip->octet, p->ip.octet, whole))
		return false;
	return !rest || !((ip->octet[whole] ^ p->ip.octet[whole]) >> (8 - rest));
}

const char *ip_text(const struct ip *ip, char buf[IP_TEXT])
{
	if (!family_bits(ip))
		strcpy(buf, "none");
	else
		inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->octet, buf, IP_TEXT);
	return buf;
}

const char *ip_prefix_text(const struct ip_prefix *p, char buf[PREFIX_TEXT])
{
	size_t size = strlen(ip_text(&p->ip, buf));

	snprintf(buf + size, PREFIX_TEXT - size, "/%u", p->len);
	return buf;
}

bool ip_is_multicast(const struct ip *ip)
{
	return (ip->family == 4 && ip->octet[0] >> 4 == 0xe) ||
	       (ip->family == 6 && ip->octet[0] == 0xff);
}

bool eth_parse(const char *text, uint8_t eth[6])
{
	uint8_t got[6];

	if (strlen(text) != ETH_TEXT - 1)
		return false;
	for (unsigned i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = hex_digit(text[1]);

		if (high < 0 || low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		got[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(eth, got, 6);
	return true;
}

const char *eth_text(const uint8_t eth[6], char buf[ETH_TEXT])
{
	snprintf(buf, ETH_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", eth[0], eth[1], eth[2], eth[3],
		 eth[4], eth[5]);
	return buf;
}
