/* SPDX-License-Identifier: Apache-2.0 */
/* What members of sets are: from text, from a packet's fields, and back. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "datapath/match.h"
#include "datapath/set.h"
#include "lib/addr.h"
#include "lib/openflow.h"

/* What a type is made of: one part, or two. */
enum part { PART_NONE, PART_IPV4, PART_IPV6, PART_PORT, PART_NUMBER, PART_ETH };

static const struct {
	enum part part[2];
	uint8_t words;
	bool prefixes;
	const char *wants;
} types[N_SET_TYPES] = {
	[SET_IPV4] = {{PART_IPV4, PART_NONE}, 1, true, "a field of an IPv4 address"},
	[SET_IPV6] = {{PART_IPV6, PART_NONE}, 2, true, "a field of an IPv6 address"},
	[SET_PORT] = {{PART_PORT, PART_NONE}, 1, false, "a TCP, UDP or SCTP port"},
	[SET_NUMBER] = {{PART_NUMBER, PART_NONE}, 1, false, "a number of up to 64 bits"},
	[SET_ETH] = {{PART_ETH, PART_NONE}, 1, false, "a field of an Ethernet address"},
	[SET_IPV4_PORT] = {{PART_IPV4, PART_PORT}, 1, false, "as in ipv4_src+tcp_dst"},
	[SET_IPV6_PORT] = {{PART_IPV6, PART_PORT}, 3, false, "as in ipv6_src+tcp_dst"},
	[SET_IPV4_IPV4] = {{PART_IPV4, PART_IPV4}, 1, false, "as in ipv4_src+ipv4_dst"},
	[SET_IPV6_IPV6] = {{PART_IPV6, PART_IPV6}, 4, false, "as in ipv6_src+ipv6_dst"},
};

const char *const set_type_names[N_SET_TYPES + 1] = {
	"ipv4",      "ipv6",      "port",      "number",    "eth",
	"ipv4+port", "ipv6+port", "ipv4+ipv4", "ipv6+ipv6", NULL,
};

unsigned set_type_words(enum set_type type)
{
	return types[type].words;
}

bool set_type_has_prefixes(enum set_type type)
{
	return types[type].prefixes;
}

const char *set_type_wants(enum set_type type)
{
	return types[type].wants;
}

static unsigned width_of(enum set_type type)
{
	return type == SET_IPV4 ? 32 : 128;
}

bool set_name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789-_.");

	return n && !name[n] && n < SET_NAME && name[0] != '-';
}

/* ---- Parts ------------------------------------------------------------------------------- */

static bool is_port(const struct field *f)
{
	return f->bits == 16 && f->text == TEXT_DECIMAL &&
	       (f->prereq == PRE_TCP || f->prereq == PRE_UDP || f->prereq == PRE_SCTP ||
		f->has == HAS_UDP);
}

static bool part_fits(enum part part, const struct field *f)
{
	switch (part) {
	case PART_NONE:
		return !f;
	case PART_IPV4:
		return f && f->text == TEXT_IPV4;
	case PART_IPV6:
		return f && f->text == TEXT_IPV6;
	case PART_PORT:
		return f && is_port(f);
	case PART_NUMBER:
		return f && f->bits <= 64 &&
		       (f->text == TEXT_DECIMAL || f->text == TEXT_HEX || f->text == TEXT_VLAN ||
			f->text == TEXT_PORT);
	case PART_ETH:
		return f && f->text == TEXT_ETH;
	}
	return false;
}

bool set_type_fits(enum set_type type, const struct field *f, const struct field *f2)
{
	return part_fits(types[type].part[0], f) && part_fits(types[type].part[1], f2);
}

/* Puts a part's one or two words into the key, behind those that are there. */
static void add_part(enum part part, const uint64_t value[2], struct set_key *key, unsigned *words)
{
	switch (part) {
	case PART_NONE:
		break;
	case PART_IPV6:
		key->word[(*words)++] = value[0];
		key->word[(*words)++] = value[1];
		break;
	default:
		key->word[(*words)++] = value[0];
	}
}

/* IPv4's pairs fit in one word, which is what tables want. */
static void fold(enum set_type type, struct set_key *key)
{
	if (type == SET_IPV4) {
		key->word[0] <<= 32;
	} else if (type == SET_IPV4_PORT) {
		key->word[0] = key->word[0] << 16 | key->word[1];
		key->word[1] = 0;
	} else if (type == SET_IPV4_IPV4) {
		key->word[0] = key->word[0] << 32 | key->word[1];
		key->word[1] = 0;
	}
}

static void unfold(enum set_type type, const struct set_key *key, uint64_t part[2][2])
{
	const uint64_t *w = key->word;

	memset(part, 0, 2 * sizeof part[0]);
	part[0][0] = w[0];
	switch (type) {
	case SET_IPV4:
		part[0][0] = w[0] >> 32;
		break;
	case SET_IPV4_PORT:
		part[0][0] = w[0] >> 16;
		part[1][0] = w[0] & UINT16_MAX;
		break;
	case SET_IPV4_IPV4:
		part[0][0] = w[0] >> 32;
		part[1][0] = w[0] & UINT32_MAX;
		break;
	case SET_IPV6_IPV6:
		part[1][1] = w[3];
		/* fall through */
	case SET_IPV6_PORT:
		part[1][0] = w[2];
		/* fall through */
	case SET_IPV6:
		part[0][1] = w[1];
		break;
	default:
		break;
	}
}

void set_key_cut(enum set_type type, struct set_key *key)
{
	unsigned len = key->len;

	if (!types[type].prefixes)
		return;
	for (unsigned i = 0; i < types[type].words; i++) {
		unsigned here = len > i * 64 ? len - i * 64 : 0;

		if (here < 64)
			key->word[i] &= here ? ~(UINT64_MAX >> here) : 0;
	}
}

/* ---- From packets ------------------------------------------------------------------------ */

static bool read_field(const struct key_view *view, const struct field *f, uint64_t value[2])
{
	const struct du_key *du = (const struct du_key *)view->part[0];
	const uint8_t *at = field_at(view, f);

	value[0] = value[1] = 0;
	if (field_is_transport(f) && du->tcp_flags & htobe16(TP_MISSING))
		return false;
	if (f->size == 16) {
		value[0] = get_be64(at);
		value[1] = get_be64(at + 8);
		return true;
	}
	for (unsigned i = 0; i < f->size; i++)
		value[0] = value[0] << 8 | at[i];
	if (f->text != TEXT_VLAN)
		return true;
	/* A tag's number is its twelve bits; where there is no tag, there is no number. */
	if (!(value[0] & OFPVID_PRESENT))
		return false;
	value[0] &= 0xfff;
	return true;
}

bool set_key_of(enum set_type type, const struct key_view *view, const struct field *const f[2],
		struct set_key *key)
{
	unsigned words = 0;
	uint64_t value[2];

	*key = (struct set_key){.len = types[type].prefixes ? (uint8_t)width_of(type) : 0};
	for (unsigned i = 0; i < 2 && f[i]; i++) {
		if (!read_field(view, f[i], value))
			return false;
		add_part(types[type].part[i], value, key, &words);
	}
	fold(type, key);
	return true;
}

/* ---- Text -------------------------------------------------------------------------------- */

/* Digits alone, without a leading zero that others would take for octal. */
static const char *parse_decimal(const char *at, const char *end, uint64_t max, uint64_t *n)
{
	const char *begin = at;

	for (*n = 0; at < end && *at >= '0' && *at <= '9'; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (*n > (max - digit) / 10)
			return NULL;
		*n = *n * 10 + digit;
	}
	return at == begin || (*begin == '0' && at - begin > 1) ? NULL : at;
}

static const char *parse_hex(const char *at, const char *end, uint64_t *n)
{
	const char *begin = at;

	for (*n = 0; at < end && hex_digit(*at) >= 0 && at - begin < 16; at++)
		*n = *n << 4 | (unsigned)hex_digit(*at);
	return at == begin ? NULL : at;
}

static const char *parse_ipv4(const char *at, const char *end, uint64_t *v)
{
	uint64_t octet;

	*v = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (i && (at == end || *at++ != '.'))
			return NULL;
		at = parse_decimal(at, end, 255, &octet);
		if (!at)
			return NULL;
		*v = *v << 8 | octet;
	}
	return at;
}

static const char *parse_ipv6(const char *at, const char *end, uint64_t v[2])
{
	char text[INET6_ADDRSTRLEN];
	uint8_t octets[16];
	size_t n = 0;

	while (at + n < end && (hex_digit(at[n]) >= 0 || at[n] == ':' || at[n] == '.'))
		n++;
	if (n >= sizeof text)
		return NULL;
	memcpy(text, at, n);
	text[n] = '\0';
	if (inet_pton(AF_INET6, text, octets) != 1)
		return NULL;
	v[0] = get_be64(octets);
	v[1] = get_be64(octets + 8);
	return at + n;
}

static const char *parse_eth(const char *at, const char *end, uint64_t *v)
{
	*v = 0;
	for (unsigned i = 0; i < 6; i++) {
		if (i && (at == end || *at++ != ':'))
			return NULL;
		if (end - at < 2 || hex_digit(at[0]) < 0 || hex_digit(at[1]) < 0)
			return NULL;
		*v = *v << 8 | (unsigned)(hex_digit(at[0]) << 4 | hex_digit(at[1]));
		at += 2;
	}
	return at;
}

static const char *parse_part(enum part part, const char *at, const char *end, uint64_t v[2])
{
	switch (part) {
	case PART_IPV4:
		return parse_ipv4(at, end, v);
	case PART_IPV6:
		return parse_ipv6(at, end, v);
	case PART_PORT:
		return parse_decimal(at, end, UINT16_MAX, v);
	case PART_NUMBER:
		if (end - at > 2 && at[0] == '0' && at[1] == 'x')
			return parse_hex(at + 2, end, v);
		return parse_decimal(at, end, UINT64_MAX, v);
	case PART_ETH:
		return parse_eth(at, end, v);
	case PART_NONE:
		break;
	}
	return NULL;
}

int set_key_parse(enum set_type type, const char *text, size_t size, struct set_key *key)
{
	const char *at = text, *end = text + size;
	unsigned words = 0;
	uint64_t value[2], len;

	*key = (struct set_key){.len = types[type].prefixes ? (uint8_t)width_of(type) : 0};
	for (unsigned i = 0; i < 2 && types[type].part[i]; i++) {
		value[0] = value[1] = 0;
		if (i && (at == end || *at++ != '+'))
			return -EINVAL;
		at = parse_part(types[type].part[i], at, end, value);
		if (!at)
			return -EINVAL;
		add_part(types[type].part[i], value, key, &words);
	}
	fold(type, key);
	if (at < end && *at == '/' && types[type].prefixes) {
		at = parse_decimal(at + 1, end, width_of(type), &len);
		if (!at)
			return -EINVAL;
		key->len = (uint8_t)len;
		set_key_cut(type, key);
	}
	return at == end ? 0 : -EINVAL;
}

static int format_part(enum part part, const uint64_t v[2], char *text, size_t room)
{
	uint8_t octets[16];
	char ip[IP_TEXT];
	struct ip a;

	switch (part) {
	case PART_IPV4:
		return snprintf(text, room, "%u.%u.%u.%u", (unsigned)(v[0] >> 24 & 0xff),
				(unsigned)(v[0] >> 16 & 0xff), (unsigned)(v[0] >> 8 & 0xff),
				(unsigned)(v[0] & 0xff));
	case PART_IPV6:
		put_be64(octets, v[0]);
		put_be64(octets + 8, v[1]);
		a = ip_v6(octets);
		return snprintf(text, room, "%s", ip_text(&a, ip));
	case PART_ETH:
		return snprintf(text, room, "%02x:%02x:%02x:%02x:%02x:%02x",
				(unsigned)(v[0] >> 40 & 0xff), (unsigned)(v[0] >> 32 & 0xff),
				(unsigned)(v[0] >> 24 & 0xff), (unsigned)(v[0] >> 16 & 0xff),
				(unsigned)(v[0] >> 8 & 0xff), (unsigned)(v[0] & 0xff));
	case PART_PORT:
	case PART_NUMBER:
		return snprintf(text, room, "%" PRIu64, v[0]);
	case PART_NONE:
		break;
	}
	return 0;
}

const char *set_key_text(enum set_type type, const struct set_key *key, char text[SET_MEMBER_TEXT])
{
	uint64_t part[2][2];
	int n;

	unfold(type, key, part);
	n = format_part(types[type].part[0], part[0], text, SET_MEMBER_TEXT);
	if (types[type].part[1]) {
		text[n++] = '+';
		format_part(types[type].part[1], part[1], text + n, (size_t)(SET_MEMBER_TEXT - n));
	} else if (types[type].prefixes && key->len < width_of(type)) {
		snprintf(text + n, (size_t)(SET_MEMBER_TEXT - n), "/%u", key->len);
	}
	return text;
}
