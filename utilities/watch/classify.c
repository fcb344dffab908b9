/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/classify.h"

enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

/* How many packets the other way one packet asks for.  Receivers of bulk TCP acknowledge every
 * second segment to every fortieth (offloads); tunnels and QUIC up to every tenth; receivers of
 * conferences and live streams report ten times a second on some hundred packets. */
#define ASKS_TCP 64
#define ASKS_UDP 64
#define ASKS_AMP 8 /* an answer may be several packets; a list of hundreds is the attack itself */

static bool is_amplifier(uint16_t port)
{
	switch (port) {
#define AMPLIFIER(PORT, NAME) case PORT:
#include "utilities/watch/amplifiers.def"
#undef AMPLIFIER
		return true;
	default:
		return false;
	}
}

static void classify_tcp(const struct du_key *du, struct class *c)
{
	unsigned flags = be16toh(du->tcp_flags);

	c->back = ATTACK_OTHER;
	c->asks = ASKS_TCP;
	if ((flags & (SYN | ACK)) == SYN) {
		c->kind = ATTACK_SYN;
		return;
	}
	c->kind = ATTACK_OTHER;
	c->tcp = true;
	c->may_be_asked = true;
	/* A flooded host answers with these itself: they ask for nothing. */
	if (flags & (RST | SYN))
		c->asks = 0;
}

static void classify_udp(const struct du_key *du, struct class *c)
{
	uint16_t from = be16toh(du->tp_src), to = be16toh(du->tp_dst);
	bool from_amp = is_amplifier(from), to_amp = is_amplifier(to);

	c->may_be_asked = true;
	c->kind = from_amp ? ATTACK_AMPLIFICATION : ATTACK_UDP;
	c->back = to_amp ? ATTACK_AMPLIFICATION : ATTACK_UDP;
	c->asks = from_amp || to_amp ? ASKS_AMP : ASKS_UDP;
	if (from_amp || to_amp)
		c->service |= from_amp ? from : to;
	if (from_amp)
		c->word |= from;
}

static void classify_icmp(const struct du_key *du, struct class *c)
{
	bool v6 = du->ip_proto == ICMP6;

	c->kind = c->back = ATTACK_ICMP;
	if (du->icmp_type == (v6 ? 128 : 8))
		c->asks = 1;
	c->may_be_asked = du->icmp_type == (v6 ? 129 : 0);
}

bool classify(const struct key *key, struct class *c)
{
	const struct du_key *du = &key->du;
	bool v6 = du->eth_type == htobe16(0x86dd);

	*c = (struct class){0};
	if (!v6 && du->eth_type != htobe16(0x0800))
		return false;
	c->service = (uint32_t)du->ip_proto << 16;
	c->word = class_word(v6, du->ip_proto, 0);
	if (du->ip_frag & IP_FRAG_LATER) {
		c->kind = c->back = ATTACK_FRAGMENT;
		return true;
	}
	switch (du->ip_proto) {
	case TCP:
		classify_tcp(du, c);
		break;
	case UDP:
		classify_udp(du, c);
		break;
	case ICMP:
	case ICMP6:
		classify_icmp(du, c);
		break;
	default:
		c->kind = c->back = ATTACK_OTHER;
		c->asks = ASKS_UDP;
		c->may_be_asked = true;
	}
	return true;
}

static void match_flags(struct match *m, uint16_t value, uint16_t mask)
{
	m->value.du.tcp_flags = htobe16(value);
	m->mask.du.tcp_flags = htobe16(mask | TP_MISSING);
}

void class_match(unsigned kind, uint32_t word, struct match *m)
{
	uint8_t proto = (uint8_t)(word >> 16);
	uint16_t port = (uint16_t)word;

	if (!m->mask.du.eth_type && word) {
		m->value.du.eth_type = htobe16(word >> 31 ? 0x86dd : 0x0800);
		m->mask.du.eth_type = 0xffff;
	}
	/* Without a family there is no protocol to match on either. */
	if (!m->mask.du.eth_type)
		return;
	if (kind == ATTACK_FRAGMENT) {
		m->value.du.ip_frag = m->mask.du.ip_frag = IP_FRAG_ANY | IP_FRAG_LATER;
		return;
	}
	if (kind == ATTACK_SYN)
		proto = TCP;
	else if (kind == ATTACK_UDP || kind == ATTACK_AMPLIFICATION)
		proto = UDP;
	else if (kind == ATTACK_ICMP)
		proto = m->value.du.eth_type == htobe16(0x86dd) ? ICMP6 : ICMP;
	else if (!word)
		return;
	m->value.du.ip_proto = proto;
	m->mask.du.ip_proto = 0xff;
	if (kind == ATTACK_SYN)
		match_flags(m, SYN, SYN | ACK);
	else if (kind == ATTACK_OTHER && proto == TCP)
		match_flags(m, 0, SYN);
	else if (kind == ATTACK_AMPLIFICATION && port) {
		m->value.du.tp_src = htobe16(port);
		m->mask.du.tp_src = 0xffff;
		m->mask.du.tcp_flags = htobe16(TP_MISSING);
	}
}
