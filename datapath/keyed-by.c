/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/keyed-by.h"

#include <errno.h>
#include <stdio.h>

#include "lib/openflow.h"
#include "lib/options.h"

enum {
	ETH_IPV4 = 0x0800,
	ETH_IPV6 = 0x86dd,
	ETH_ARP = 0x0806,
	ETH_MPLS = 0x8847,
	ETH_MPLS_MULTICAST = 0x8848,
	PROTO_ICMP4 = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ICMP6 = 58,
	PROTO_SCTP = 132,
};

static const struct {
	const char *name;
	unsigned n;
	enum field_id form[KEYED_FORMS];
} families[] = {
	{"src", 2, {FIELD_IPV4_SRC, FIELD_IPV6_SRC}},
	{"dst", 2, {FIELD_IPV4_DST, FIELD_IPV6_DST}},
	{"sport", 3, {FIELD_TCP_SRC, FIELD_UDP_SRC, FIELD_SCTP_SRC}},
	{"dport", 3, {FIELD_TCP_DST, FIELD_UDP_DST, FIELD_SCTP_DST}},
};

/* ---- Text -------------------------------------------------------------------------------- */

static int find_forms(struct keyed_field *f, struct refusal *r)
{
	const char *near, *names[N_FIELDS + ARRAY_SIZE(families) + 1];
	const struct field *field = field_by_name(f->name);
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(families); i++) {
		names[n++] = families[i].name;
		if (strcmp(f->name, families[i].name))
			continue;
		for (unsigned k = 0; k < families[i].n; k++)
			f->form[f->n_forms++].field = &fields[families[i].form[k]];
		return 0;
	}
	if (field) {
		f->form[f->n_forms++].field = field;
		return 0;
	}
	for (unsigned i = 0; i < N_FIELDS; i++)
		names[n++] = fields[i].name;
	names[n] = NULL;
	near = did_you_mean(f->name, names);
	return refuse(r, UNKNOWN_WORD, "by", "by=: there is no field %s%s%s%s", f->name,
		      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static void mask_all(struct keyed_form *form)
{
	field_ones(form->field, (uint8_t *)form->mask);
}

/* The first `bits` of the field. */
static int mask_prefix(struct keyed_form *form, const char *text, size_t size, struct refusal *r)
{
	const struct field *f = form->field;
	uint8_t *mask = (uint8_t *)form->mask;
	uint64_t bits = 0;
	char word[8];

	snprintf(word, sizeof word, "%.*s", (int)MIN(size, sizeof word - 1), text);
	if (f->mask == MASK_NONE)
		return refuse(r, BAD_MASK, "by", "by=: %s cannot have a prefix length", f->name);
	if (size >= sizeof word || parse_u64(word, &bits) || !bits || bits > f->bits)
		return refuse(r, BAD_MASK, "by",
			      "by=: %s/%s is no prefix length; 1 to %u are accepted", f->name, word,
			      f->bits);
	for (unsigned bit = 0; bit < bits; bit++) {
		unsigned at = f->size * 8u - f->bits + bit;

		mask[at / 8] |= (uint8_t)(0x80 >> at % 8);
	}
	form->bits = (uint8_t)(bits < f->bits ? bits : 0);
	return 0;
}

/* `/24` of one form, `/24/64` of two. */
static int read_lengths(struct keyed_field *f, const char *text, size_t size, struct refusal *r)
{
	const char *end = text + size;
	unsigned n = 0;

	for (const char *at = text; at < end; at++)
		n += *at == '/';
	if (n && n != f->n_forms)
		return refuse(r, BAD_MASK, "by", "by=: %s%.*s; %s would be accepted", f->name,
			      (int)MIN(size, 40u), text,
			      f->n_forms == 1   ? "one prefix length"
			      : f->n_forms == 2 ? "two, for IPv4 and for IPv6, as in /24/64,"
						: "no prefix length");
	for (unsigned i = 0; i < f->n_forms; i++) {
		const char *slash = n ? memchr(text + 1, '/', (size_t)(end - text - 1)) : NULL;
		const char *stop = slash ? slash : end;

		if (!n)
			mask_all(&f->form[i]);
		else if (mask_prefix(&f->form[i], text + 1, (size_t)(stop - text - 1), r))
			return -EINVAL;
		f->words = MAX(f->words, (f->form[i].field->size + 7u) / 8);
		text = stop;
	}
	return 0;
}

static int parse_field(struct keyed_field *f, const char *text, size_t size, struct refusal *r)
{
	size_t name = strcspn(text, "/,+");

	*f = (struct keyed_field){0};
	if (!name || name >= sizeof f->name)
		return refuse(r, SYNTAX, "by",
			      "by= wants names of fields with commas between, as in src/24/64 or "
			      "ipv4_dst,tcp_dst");
	memcpy(f->name, text, name);
	return find_forms(f, r) || read_lengths(f, text + name, size - name, r) ? -EINVAL : 0;
}

int keyed_by_parse(const char *text, struct keyed_by *by, struct refusal *r)
{
	*by = (struct keyed_by){.words = 1};
	for (;; text++) {
		size_t size = strcspn(text, ",+");

		if (by->n == KEYED_FIELDS)
			return refuse(r, LIMIT, "by", "by=: at most %d fields at once",
				      KEYED_FIELDS);
		if (parse_field(&by->field[by->n], text, size, r))
			return -EINVAL;
		by->words += by->field[by->n++].words;
		text += size;
		if (!*text)
			return 0;
	}
}

_Static_assert(1 + KEYED_FIELDS * 2 <= KEYED_WORDS, "any four fields are a key");

void keyed_by_format(const struct keyed_by *by, struct buf *text)
{
	for (unsigned i = 0; i < by->n; i++) {
		const struct keyed_field *f = &by->field[i];
		bool prefix = false;

		buf_printf(text, "%s%s", i ? "," : "", f->name);
		for (unsigned k = 0; k < f->n_forms; k++)
			prefix |= f->form[k].bits;
		for (unsigned k = 0; prefix && k < f->n_forms; k++)
			buf_printf(text, "/%u",
				   f->form[k].bits ? f->form[k].bits : f->form[k].field->bits);
	}
}

/* ---- Keys of packets --------------------------------------------------------------------- */

static bool is_proto(const struct du_key *k, uint8_t proto)
{
	return k->ip_proto == proto && !(k->tcp_flags & htobe16(TP_MISSING)) &&
	       (k->eth_type == htobe16(ETH_IPV4) || k->eth_type == htobe16(ETH_IPV6));
}

static bool is_nd(const struct du_key *k, uint8_t type)
{
	return is_proto(k, PROTO_ICMP6) && k->icmp_type == type && !k->icmp_code;
}

/* The packet has what the field needs (match_meets() of a key that is known whole). */
static bool has_field(const struct field *f, const struct du_key *k, const struct outer_key *outer)
{
	unsigned eth = be16toh(k->eth_type);

	switch (f->prereq) {
	case PRE_NONE:
		return true;
	case PRE_VLAN:
		return k->vlan_vid & htobe16(OFPVID_PRESENT);
	case PRE_IP:
		return eth == ETH_IPV4 || eth == ETH_IPV6;
	case PRE_IPV4:
		return eth == ETH_IPV4;
	case PRE_IPV6:
		return eth == ETH_IPV6;
	case PRE_ARP:
		return eth == ETH_ARP;
	case PRE_MPLS:
		return eth == ETH_MPLS || eth == ETH_MPLS_MULTICAST;
	case PRE_TCP:
		return is_proto(k, PROTO_TCP);
	case PRE_UDP:
		return is_proto(k, PROTO_UDP);
	case PRE_SCTP:
		return is_proto(k, PROTO_SCTP);
	case PRE_ICMP4:
		return eth == ETH_IPV4 && is_proto(k, PROTO_ICMP4);
	case PRE_ICMP6:
		return eth == ETH_IPV6 && is_proto(k, PROTO_ICMP6);
	case PRE_ND:
		return is_nd(k, 135) || is_nd(k, 136);
	case PRE_ND_SOL:
		return is_nd(k, 135);
	case PRE_ND_ADV:
		return is_nd(k, 136);
	case PRE_OUTER:
		return (be32toh(outer->has) & f->has) == f->has;
	}
	return false;
}

static const uint8_t *octets_of(const struct field *f, const struct key_view *view)
{
	size_t part = f->off / (OUTER_WORD * 8);

	return (const uint8_t *)view->part[part] + f->off % (OUTER_WORD * 8);
}

void keyed_key(const struct keyed_by *by, const struct key_view *view, uint64_t *key)
{
	const struct du_key *du = (const void *)view->part[0];
	const struct outer_key *outer = (const void *)view->part[1];
	unsigned at = 1;

	memset(key, 0, by->words * sizeof *key);
	for (unsigned i = 0; i < by->n; i++) {
		const struct keyed_field *f = &by->field[i];

		for (unsigned k = 0; k < f->n_forms; k++) {
			const struct keyed_form *form = &f->form[k];
			uint64_t value[2] = {0};

			if (!has_field(form->field, du, outer))
				continue;
			memcpy(value, octets_of(form->field, view), form->field->size);
			key[0] |= (uint64_t)(k + 1) << 8 * i;
			for (unsigned w = 0; w < f->words; w++)
				key[at + w] = value[w] & form->mask[w];
			break;
		}
		at += f->words;
	}
}

void keyed_key_format(const struct keyed_by *by, const uint64_t *key, struct buf *text)
{
	unsigned at = 1;

	for (unsigned i = 0; i < by->n; i++) {
		const struct keyed_field *f = &by->field[i];
		unsigned form = key[0] >> 8 * i & 0xff;

		buf_printf(text, "%s%s=", i ? "," : "", f->name);
		if (form && form <= f->n_forms)
			field_format(f->form[form - 1].field, (const uint8_t *)&key[at],
				     f->form[form - 1].bits
					     ? (const uint8_t *)f->form[form - 1].mask
					     : NULL,
				     text);
		else
			buf_printf(text, "-");
		at += f->words;
	}
}
