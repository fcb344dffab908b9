/* SPDX-License-Identifier: Apache-2.0 */
/* Flow records as pmacct's JSON lines: NetFlow v5, v9 and IPFIX by way of nfacctd.
 *
 * A record stands for all packets of its flow since the last one, and becomes one sample of their
 * mean length at the time it came.  Its names are pmacct's (print plugin, version 1.7); numbers
 * may be written as strings, as pmacct does with some.  What a record does not say is zero. */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "lib/openflow.h"
#include "lib/options.h"
#include "utilities/watch/input.h"
#include "utilities/watch/sample.h"

/* A whole number that is not negative, in either spelling.  Absent: zero. */
static bool get_number(const json_t *record, const char *name, uint64_t max, uint64_t *v)
{
	const json_t *value = json_object_get(record, name);

	*v = 0;
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		*v = (uint64_t)json_integer_value(value);
	else if (json_is_string(value) ? parse_u64(json_string_value(value), v) : value != NULL)
		return false;
	return *v <= max;
}

static bool get_address(const json_t *record, const char *name, struct ip *ip)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text && ip_parse(text, ip);
}

/* A number, or a name of pmacct's.  Names that are not here are protocol 0: their octets count. */
static bool get_protocol(const json_t *record, uint8_t *proto)
{
	static const struct {
		const char *name;
		uint8_t number;
	} names[] = {
		{"tcp", IPPROTO_TCP},   {"udp", IPPROTO_UDP},   {"icmp", IPPROTO_ICMP},
		{"sctp", IPPROTO_SCTP}, {"gre", IPPROTO_GRE},   {"ipv6-icmp", IPPROTO_ICMPV6},
		{"esp", IPPROTO_ESP},   {"ah", IPPROTO_AH},     {"ipencap", IPPROTO_IPIP},
		{"igmp", IPPROTO_IGMP}, {"ipv6", IPPROTO_IPV6}, {"udplite", IPPROTO_UDPLITE},
		{"ospf", 89},           {"pim", IPPROTO_PIM},   {"vrrp", 112},
	};
	const char *text = json_string_value(json_object_get(record, "ip_proto"));
	uint64_t v;

	*proto = 0;
	if (get_number(record, "ip_proto", 0xff, &v)) {
		*proto = (uint8_t)v;
		return true;
	}
	for (unsigned i = 0; text && i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i].name))
			*proto = names[i].number;
	return text;
}

/* Ports, flags, or what ICMP has: NetFlow has its type and code in the destination port. */
static bool get_transport(const json_t *record, struct du_key *k)
{
	uint64_t src, dst, flags;

	if (!get_protocol(record, &k->ip_proto) ||
	    !get_number(record, "port_src", UINT16_MAX, &src) ||
	    !get_number(record, "port_dst", UINT16_MAX, &dst) ||
	    !get_number(record, "tcp_flags", UINT16_MAX, &flags))
		return false;
	if (k->ip_proto == IPPROTO_ICMP || k->ip_proto == IPPROTO_ICMPV6) {
		k->icmp_type = (uint8_t)(dst >> 8);
		k->icmp_code = (uint8_t)dst;
		return true;
	}
	k->tp_src = htobe16((uint16_t)src);
	k->tp_dst = htobe16((uint16_t)dst);
	if (k->ip_proto == IPPROTO_TCP)
		k->tcp_flags = htobe16(flags & 0xfff);
	return true;
}

static bool get_key(const json_t *record, struct du_key *k)
{
	uint64_t tos, port, vlan;

	if (!get_transport(record, k) || !get_number(record, "tos", 0xff, &tos) ||
	    !get_number(record, "iface_in", UINT32_MAX, &port) ||
	    !get_number(record, "vlan", 0xfff, &vlan))
		return false;
	k->ip_dscp = (uint8_t)(tos >> 2);
	k->ip_ecn = tos & 3;
	k->in_port = k->in_phy_port = htobe32((uint32_t)port);
	if (vlan)
		k->vlan_vid = htobe16((uint16_t)(OFPVID_PRESENT | vlan));
	return true;
}

/* Packets and octets, times the rate that pmacct was told of and has not multiplied with (then it
 * says 1, and 0 where it was told of none). */
static bool get_counts(const json_t *record, struct watch_sample *s)
{
	uint64_t rate, length;

	if (!get_number(record, "packets", INT64_MAX, &s->packets) ||
	    !get_number(record, "bytes", INT64_MAX, &s->octets) ||
	    !get_number(record, "sampling_rate", UINT32_MAX, &rate))
		return false;
	length = s->packets ? s->octets / s->packets : 0;
	rate = MAX(rate, 1u);
	if (length > UINT32_MAX || __builtin_mul_overflow(s->packets, rate, &s->packets) ||
	    __builtin_mul_overflow(s->octets, rate, &s->octets))
		return false;
	s->length = (uint32_t)length;
	s->key.du.pkt_len = htobe32(s->length);
	return true;
}

/* 0, -ENOENT (not for us) or -EINVAL. */
static int get_record(const json_t *record, struct watch_sample *s)
{
	struct du_key *k = &s->key.du;
	struct ip src, dst;

	if (!json_object_get(record, "ip_src") || !json_object_get(record, "ip_dst") ||
	    !json_object_get(record, "packets"))
		return -ENOENT;
	if (!get_address(record, "ip_src", &src) || !get_address(record, "ip_dst", &dst) ||
	    src.family != dst.family || !get_key(record, k) || !get_counts(record, s))
		return -EINVAL;
	k->eth_type = htobe16(dst.family == 4 ? 0x0800 : 0x86dd);
	memcpy(k->ip_src, src.octet, sizeof k->ip_src);
	memcpy(k->ip_dst, dst.octet, sizeof k->ip_dst);
	return s->packets ? 0 : -ENOENT;
}

int flow_json_read(const char *line, size_t size, uint64_t ns, struct read_counters *n,
		   struct sample_sink *to)
{
	struct watch_sample s = {.ns = ns, .exporter = EXPORTER_JSON, .reason = 0xff};
	json_t *record = NULL;
	int error = -EINVAL;

	n->lines++;
	if (size <= INPUT_LINE_MAX)
		record = json_loadb(line, size, 0, NULL);
	if (record)
		error = get_record(record, &s);
	json_decref(record);
	if (!error) {
		n->records++;
		to->sample(to, &s);
	} else if (error == -EINVAL) {
		n->malformed++;
	} else {
		n->ignored++;
	}
	return error == -EINVAL ? error : 0;
}
