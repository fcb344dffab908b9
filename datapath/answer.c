/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/answer.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "datapath/spine.h"
#include "datapath/worker.h"
#include "lib/csum.h"

enum { IPV4_LEN = 20, IPV6_LEN = 40, TCP_LEN = 20, ICMP_LEN = 8, QUOTE_MIN = 8 };
enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };
enum { TTL = 64, TOS_CONTROL = 0xc0 /* internetwork control (RFC 1812 4.3.2.5) */, DF = 0x4000 };
enum { ICMP_UNREACHABLE = 3, ICMP6_UNREACHABLE = 1, ICMP6_FIRST_INFO = 128, ICMP6_REDIRECT = 137 };

/* ---- Who may be answered ------------------------------------------------------------------- */

static bool is_v4(const struct pkt *p)
{
	return p->key.eth_type == htobe16(ETH_P_IP);
}

static const uint8_t *ip_of(const struct pkt *p)
{
	return p->data + p->l3;
}

/* An IP header that is all there, right behind Ethernet's and its tags. */
static bool has_ip(const struct pkt *p)
{
	const uint8_t *ip = ip_of(p);

	if (p->l3 < ETH_HLEN || get_be16(ip - 2) != be16toh(p->key.eth_type))
		return false;
	if (is_v4(p))
		return p->seg[0].len >= p->l3 + IPV4_LEN &&
		       p->seg[0].len >= p->l3 + (ip[0] & 0xf) * 4u && !csum(ip, (ip[0] & 0xf) * 4u);
	return p->key.eth_type == htobe16(ETH_P_IPV6) && p->seg[0].len >= p->l3 + IPV6_LEN;
}

static struct ip address(const struct pkt *p, bool source)
{
	const uint8_t *ip = ip_of(p);
	struct ip a = {.family = is_v4(p) ? 4 : 6};

	if (is_v4(p))
		memcpy(a.octet, ip + (source ? 12 : 16), 4);
	else
		memcpy(a.octet, ip + (source ? 8 : 24), 16);
	return a;
}

/* One host's address: not zero, loopback, multicast, reserved or broadcast (RFC 1812 4.3.2.7; RFC
 * 4443 2.4(e.6)), nor what the kernel has as a network's broadcast or anycast address. */
static bool is_one_host(const struct worker *w, const struct ip *a)
{
	static const uint8_t zero[15];
	const struct fib_route *route;

	if (a->family == 4 && (!a->octet[0] || a->octet[0] == 127 || a->octet[0] >= 224))
		return false;
	if (a->family == 6 &&
	    (a->octet[0] == 0xff || (!memcmp(a->octet, zero, 15) && a->octet[15] <= 1)))
		return false;
	route = fib_lookup(&w->dp->fib, a);
	return !route || route->kind != FIB_LOCAL || route->own;
}

/* Errors, and what is not known to be none (RFC 1812 4.3.2.7; RFC 4443 2.4(e.1), (e.2)). */
static bool is_icmp_error(const struct pkt *p)
{
	uint8_t type = p->key.icmp_type;

	if (p->key.ip_proto == IPPROTO_ICMPV6)
		return !p->l4 || type < ICMP6_FIRST_INFO || type == ICMP6_REDIRECT;
	if (p->key.ip_proto == IPPROTO_ICMP)
		return !p->l4 || (type >= 3 && type <= 5) || type == 11 || type == 12 || type > 18;
	return false;
}

static bool takes_reset(const struct pkt *p)
{
	return p->key.ip_proto == IPPROTO_TCP && !p->key.ip_frag && p->l4 &&
	       p->seg[0].len >= p->l4 + TCP_LEN && !(p->data[p->l4 + 13] & RST);
}

bool answer_allowed(const struct worker *w, const struct pkt *p, enum answer_kind kind)
{
	bool reset = kind == ANSWER_RST || (kind == ANSWER_AUTO && p->key.ip_proto == IPPROTO_TCP);
	struct ip src, dst;

	if (!has_ip(p) || !port_get(w->dp, p->in_port))
		return false;
	if (!(p->flags & PKT_VIRTUAL_ETH) &&
	    (eth_is_multicast(p->data) || eth_is_multicast(p->data + 6)))
		return false;
	if (reset ? !takes_reset(p) : p->key.ip_frag & IP_FRAG_LATER || is_icmp_error(p))
		return false;
	src = address(p, true);
	dst = address(p, false);
	return is_one_host(w, &src) && is_one_host(w, &dst);
}

/* ---- The octets ---------------------------------------------------------------------------- */

/* An answer's IP header, `size` octets behind it; returns where those begin. */
static uint8_t *put_ip(uint8_t *at, const struct pkt *p, const struct ip *from, uint8_t proto,
		       size_t size)
{
	struct ip to = address(p, true);
	be16 sum;

	if (from->family == 6) {
		memset(at, 0, IPV6_LEN);
		at[0] = 0x60;
		put_be16(at + 4, (uint16_t)size);
		at[6] = proto;
		at[7] = TTL;
		memcpy(at + 8, from->octet, 16);
		memcpy(at + 24, to.octet, 16);
		return at + IPV6_LEN;
	}
	memset(at, 0, IPV4_LEN);
	at[0] = 0x45;
	at[1] = proto == IPPROTO_ICMP ? TOS_CONTROL : 0;
	put_be16(at + 2, (uint16_t)(IPV4_LEN + size));
	put_be16(at + 6, DF);
	at[8] = TTL;
	at[9] = proto;
	memcpy(at + 12, from->octet, 4);
	memcpy(at + 16, to.octet, 4);
	sum = csum(at, IPV4_LEN);
	memcpy(at + 10, &sum, sizeof sum);
	return at + IPV4_LEN;
}

/* The sum over `size` octets of an upper protocol, with its pseudo-header. */
static be16 upper_sum(const struct pkt *p, const struct ip *from, uint8_t proto, const uint8_t *at,
		      size_t size)
{
	struct ip to = address(p, true);
	size_t addr_size = from->family == 4 ? 4 : 16;

	return csum_finish(csum_add(
		csum_pseudo(from->octet, to.octet, addr_size, proto, (uint32_t)size), at, size));
}

/* Octets of the packet's IP packet, as its header says. */
static uint32_t ip_length(const struct pkt *p)
{
	return is_v4(p) ? get_be16(ip_of(p) + 2) : IPV6_LEN + get_be16(ip_of(p) + 4);
}

/* A reset as RFC 9293 3.10.7.1 wants it: of what the segment acknowledges, else acknowledging all
 * of the segment, SYN and FIN with it. */
static size_t put_reset(uint8_t *at, const struct pkt *p)
{
	const uint8_t *tcp = p->data + p->l4;
	uint32_t end = p->l3 + ip_length(p), begin = p->l4 + (tcp[12] >> 4) * 4u;
	struct ip from = address(p, false);
	uint8_t *l4 = put_ip(at, p, &from, IPPROTO_TCP, TCP_LEN);
	uint32_t len = end > begin ? end - begin : 0;
	be16 sum;

	len += !!(tcp[13] & SYN) + !!(tcp[13] & FIN);
	memset(l4, 0, TCP_LEN);
	memcpy(l4, tcp + 2, 2);
	memcpy(l4 + 2, tcp, 2);
	l4[12] = TCP_LEN / 4 << 4;
	if (tcp[13] & ACK) {
		memcpy(l4 + 4, tcp + 8, 4);
		l4[13] = RST;
	} else {
		put_be32(l4 + 8, get_be32(tcp + 4) + len);
		l4[13] = RST | ACK;
	}
	sum = upper_sum(p, &from, IPPROTO_TCP, l4, TCP_LEN);
	memcpy(l4 + 16, &sum, sizeof sum);
	return (size_t)(l4 + TCP_LEN - at);
}

/* How much of the packet an error quotes, from its IP header on. */
static size_t quoted(const struct pkt *p)
{
	uint32_t end = p->l4 ? p->payload : p->payload + QUOTE_MIN;

	end = MIN(end, p->l3 + ip_length(p));
	return MIN(end, p->seg[0].len) - p->l3;
}

static size_t put_unreachable(const struct worker *w, uint8_t *at, const struct pkt *p,
			      enum answer_kind kind)
{
	static const uint8_t code4[N_ANSWERS] = {13, 13, 13, 3, 1, 0};
	static const uint8_t code6[N_ANSWERS] = {1, 1, 1, 4, 3, 0};
	const struct port *port = port_get(w->dp, p->in_port);
	size_t quote = quoted(p), size = ICMP_LEN + quote;
	bool v4 = is_v4(p);
	struct ip from;
	uint8_t *icmp;
	be16 sum;

	if (!fib_own_address(&w->dp->fib, port_device(port), v4 ? 4 : 6, &from))
		from = address(p, false);
	icmp = put_ip(at, p, &from, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, size);
	memset(icmp, 0, ICMP_LEN);
	icmp[0] = v4 ? ICMP_UNREACHABLE : ICMP6_UNREACHABLE;
	icmp[1] = (v4 ? code4 : code6)[kind];
	memcpy(icmp + ICMP_LEN, ip_of(p), quote);
	sum = v4 ? csum(icmp, size) : upper_sum(p, &from, IPPROTO_ICMPV6, icmp, size);
	memcpy(icmp + 2, &sum, sizeof sum);
	return (size_t)(icmp + size - at);
}

/* ---- Sending ------------------------------------------------------------------------------- */

/* The packet's own headers in front of IP, the other way round. */
static void put_link(uint8_t *at, const struct pkt *p)
{
	memcpy(at, p->data, p->l3);
	memcpy(at, p->data + 6, 6);
	memcpy(at + 6, p->data, 6);
}

void answer_send(struct worker *w, const struct pkt *p, enum answer_kind kind)
{
	struct port *port = port_get(w->dp, p->in_port);
	struct pkt *a = pkt_new(w, FRAME_HEADROOM);
	size_t size = p->l3;

	if (unlikely(!a)) {
		counter_add(&w->n.made[MADE_REJECTED], 1);
		counter_add(&w->n.dropped[DROP_NO_FRAME], 1);
		return;
	}
	if (kind == ANSWER_AUTO)
		kind = p->key.ip_proto == IPPROTO_TCP ? ANSWER_RST : ANSWER_ADMIN;
	put_link(a->data, p);
	size += kind == ANSWER_RST ? put_reset(a->data + size, p)
				   : put_unreachable(w, a->data + size, p, kind);
	a->len = (uint32_t)size;
	a->seg[0].len = (uint16_t)size;
	a->flags = p->flags & PKT_VIRTUAL_ETH;
	pkt_made(w, a, p->in_port, MADE_REJECTED);
	pkt_parse(w, a);
	pkt_key_context(w, a);
	a->flags |= p->flags & PKT_TRACED;
	a->trace_id = p->trace_id;
	trace(w, a, REJECT, a->key.ip_proto, p->in_port);
	port_output(w, a, port);
}
