/* SPDX-License-Identifier: Apache-2.0 */
/* One field's value and mask as text: numbers, addresses, ports of the switch, words, flags. */
#include "datapath/match.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "lib/addr.h"
#include "lib/openflow.h"
#include "lib/options.h"

const struct port_names *port_names;

/* ---- Ports --------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t ofport;
} reserved_ports[] = {
	{"IN_PORT", OFPP_IN_PORT}, {"TABLE", OFPP_TABLE}, {"NORMAL", OFPP_NORMAL},
	{"FLOOD", OFPP_FLOOD},     {"ALL", OFPP_ALL},     {"CONTROLLER", OFPP_CONTROLLER},
	{"LOCAL", OFPP_LOCAL},     {"ANY", OFPP_ANY},
};

static bool is_word(const char *text)
{
	if (!isalpha((unsigned char)*text))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("_-.@", *text))
			return false;
	return true;
}

bool port_parse(const char *text, uint32_t *ofport)
{
	size_t size = strlen(text);
	char name[64];
	uint64_t n;

	if (size >= 2 && size < sizeof name + 2 && text[0] == '"' && text[size - 1] == '"') {
		memcpy(name, text + 1, size - 2);
		name[size - 2] = '\0';
		return port_names && port_names->number(name, ofport);
	}
	if (!parse_u64(text, &n)) {
		*ofport = (uint32_t)n;
		return n <= UINT32_MAX;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(reserved_ports); i++)
		if (!strcasecmp(text, reserved_ports[i].name)) {
			*ofport = reserved_ports[i].ofport;
			return true;
		}
	return port_names && port_names->number(text, ofport);
}

void port_format(uint32_t ofport, struct buf *text)
{
	const char *name = NULL;
	uint32_t back;

	for (unsigned i = 0; i < ARRAY_SIZE(reserved_ports); i++)
		if (ofport == reserved_ports[i].ofport) {
			buf_printf(text, "%s", reserved_ports[i].name);
			return;
		}
	if (port_names)
		name = port_names->name(ofport);
	/* A name that would be read as something else stays a number. */
	if (name && is_word(name) && port_parse(name, &back) && back == ofport)
		buf_printf(text, "%s", name);
	else
		buf_printf(text, "%" PRIu32, ofport);
}

/* ---- Values -------------------------------------------------------------------------- */

/* ip_frag's words, as ovs-fields(7) has them. */
static const struct {
	const char *name;
	uint8_t value, mask;
} frag_words[] = {
	{"no", IP_FRAG_NONE, 3},         {"yes", IP_FRAG_ANY, IP_FRAG_ANY},
	{"first", IP_FRAG_ANY, 3},       {"later", IP_FRAG_ANY | IP_FRAG_LATER, 3},
	{"not_later", 0, IP_FRAG_LATER},
};

/* One value or mask, without a slash.  False when it is none. */
static bool parse_one(const struct field *f, const char *text, uint8_t *octets)
{
	uint32_t port;
	struct ip ip;
	uint64_t n;

	switch (f->text) {
	case TEXT_ETH:
		return eth_parse(text, octets);
	case TEXT_IPV4:
	case TEXT_IPV6:
		if (!ip_parse(text, &ip) || ip.family != (f->text == TEXT_IPV4 ? 4 : 6))
			return false;
		memcpy(octets, ip.octet, f->size);
		return true;
	case TEXT_PORT:
		if (!port_parse(text, &port))
			return false;
		put_be32(octets, port);
		return true;
	default:
		if (parse_u64(text, &n) || (f->size < 8 && n >> f->size * 8))
			return false;
		field_put_number(f, n, octets);
		return true;
	}
}

/* A prefix length of an IP field. */
static bool parse_prefix(const struct field *f, const char *text, uint8_t *mask)
{
	uint64_t len;

	if ((f->text != TEXT_IPV4 && f->text != TEXT_IPV6) || parse_u64(text, &len) ||
	    len > f->size * 8u)
		return false;
	field_prefix(f, (unsigned)len, mask);
	return true;
}

/* `+syn-ack`: these flags set and those not.  False when it is something else. */
static bool parse_tcp_flags(const char *text, uint8_t *value, uint8_t *mask)
{
	static const char *const names[] = {"fin", "syn", "rst", "psh", "ack",
					    "urg", "ece", "cwr", "ns"};
	uint16_t set = 0, known = 0;

	while (*text) {
		char sign = *text++;
		size_t size = strcspn(text, "+-");
		unsigned i = 0;

		while (i < ARRAY_SIZE(names) &&
		       (strlen(names[i]) != size || memcmp(names[i], text, size)))
			i++;
		if ((sign != '+' && sign != '-') || i == ARRAY_SIZE(names) || known >> i & 1)
			return false;
		known |= 1u << i;
		set |= sign == '+' ? 1u << i : 0;
		text += size;
	}
	put_be16(value, set & known);
	put_be16(mask, known);
	return known;
}

static const char *value_form(const struct field *f)
{
	if (f == &fields[FIELD_TCP_FLAGS])
		return "flags with + or -, each once, nor a number of 12 bits";
	switch (f->text) {
	case TEXT_ETH:
		return "xx:xx:xx:xx:xx:xx";
	case TEXT_IPV4:
		return "an IPv4 address";
	case TEXT_IPV6:
		return "an IPv6 address";
	case TEXT_PORT:
		return "a port's number or name";
	case TEXT_WORD:
		return "no, yes, first, later or not_later";
	default:
		return "a number that fits its bits";
	}
}

/* The length of a mask that is a prefix, or -1. */
static int prefix_len(const struct field *f, const uint8_t *mask)
{
	int len = 0;

	while (len < f->size * 8 && mask[len / 8] >> (7 - len % 8) & 1)
		len++;
	for (int i = len; i < f->size * 8; i++)
		if (mask[i / 8] >> (7 - i % 8) & 1)
			return -1;
	return len;
}

static bool has_bits_beyond(const struct field *f, const uint8_t *value, const uint8_t *mask)
{
	for (unsigned i = 0; i < f->size; i++)
		if (value[i] & ~mask[i])
			return true;
	return false;
}

int field_parse(const struct field *f, const char *text, uint8_t *value, uint8_t *mask,
		struct refusal *r)
{
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	uint8_t ones[FIELD_SIZE_MAX];
	char head[96];

	field_ones(f, ones);
	memcpy(mask, ones, f->size);
	if (f->text == TEXT_WORD)
		for (unsigned i = 0; i < ARRAY_SIZE(frag_words); i++)
			if (!strcmp(text, frag_words[i].name)) {
				*value = frag_words[i].value;
				*mask = frag_words[i].mask;
				return 0;
			}
	if (f == &fields[FIELD_TCP_FLAGS] && parse_tcp_flags(text, value, mask))
		return 0;
	if (size >= sizeof head)
		return refuse(r, BAD_VALUE, f->name,
			      "%s: a value of %zu characters; %s would be "
			      "accepted",
			      f->name, size, value_form(f));
	memcpy(head, text, size);
	head[size] = '\0';
	if (!parse_one(f, head, value))
		return refuse(r, BAD_VALUE, f->name, "%s: '%s' is not %s", f->name, head,
			      value_form(f));
	if (slash && f->mask == MASK_NONE)
		return refuse(r, BAD_MASK, f->name,
			      "%s cannot have a mask; an exact value would be accepted", f->name);
	if (slash && !parse_prefix(f, slash + 1, mask) && !parse_one(f, slash + 1, mask))
		return refuse(r, BAD_MASK, f->name, "%s: '%.64s' is no mask for it", f->name,
			      slash + 1);
	/* 10.1.2.3/8 says 10.0.0.0/8, as with ovs-ofctl; a mask that is no prefix says something
	 * else than was meant (10.1.2.0/0.0.0.255: all that ends in 0). */
	if (slash && ((f->text != TEXT_IPV4 && f->text != TEXT_IPV6) || prefix_len(f, mask) < 0) &&
	    has_bits_beyond(f, value, mask))
		return refuse(r, BAD_WILDCARD_MASK, f->name,
			      "%s: '%.64s' has bits that its mask leaves out; such bits 0, or a "
			      "mask with them, would be accepted",
			      f->name, text);
	for (unsigned i = 0; i < f->size; i++) {
		if ((value[i] | (slash ? 0 : mask[i])) & ~ones[i])
			return refuse(r, BAD_VALUE, f->name, "%s: '%s' has more than its %u bits",
				      f->name, head, f->bits);
		mask[i] &= ones[i];
		value[i] &= mask[i];
	}
	return 0;
}

static void format_one(const struct field *f, const uint8_t *octets, bool hex, struct buf *text)
{
	char addr[IP_TEXT];
	struct ip ip = {.family = f->text == TEXT_IPV4 ? 4 : 6};

	switch (f->text) {
	case TEXT_ETH:
		buf_printf(text, "%s", eth_text(octets, addr));
		break;
	case TEXT_IPV4:
	case TEXT_IPV6:
		memcpy(ip.octet, octets, f->size);
		buf_printf(text, "%s", ip_text(&ip, addr));
		break;
	case TEXT_PORT:
		port_format(get_be32(octets), text);
		break;
	default:
		buf_printf(text, hex ? "0x%" PRIx64 : "%" PRIu64, field_number(f, octets));
	}
}

void field_format(const struct field *f, const uint8_t *value, const uint8_t *mask,
		  struct buf *text)
{
	uint8_t ones[FIELD_SIZE_MAX], own[FIELD_SIZE_MAX], own_mask[FIELD_SIZE_MAX];
	bool exact, hex;

	field_ones(f, ones);
	for (unsigned i = 0; i < f->size; i++) { /* what lies beside the field's bits is not its */
		own[i] = value[i] & ones[i];
		own_mask[i] = mask ? mask[i] & ones[i] : ones[i];
	}
	value = own;
	mask = own_mask;
	exact = !memcmp(mask, ones, f->size);
	hex = !exact || f->text == TEXT_HEX || f->text == TEXT_VLAN;
	if (f->text == TEXT_WORD)
		for (unsigned i = 0; i < ARRAY_SIZE(frag_words); i++)
			if (*value == frag_words[i].value && *mask == frag_words[i].mask) {
				buf_printf(text, "%s", frag_words[i].name);
				return;
			}
	format_one(f, value, hex, text);
	if (exact)
		return;
	if ((f->text == TEXT_IPV4 || f->text == TEXT_IPV6) && prefix_len(f, mask) >= 0) {
		buf_printf(text, "/%d", prefix_len(f, mask));
		return;
	}
	buf_printf(text, "/");
	format_one(f, mask, hex, text);
}
