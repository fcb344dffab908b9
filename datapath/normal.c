/* SPDX-License-Identifier: Apache-2.0 */
/* NORMAL: the router.  What it does not do yet: ICMP errors (time exceeded, unreachable, too big),
 * redirects, fragmentation; each of these losses has its named reason. */
#include "datapath/worker.h"
#include "lib/csum.h"
#include "lib/openflow.h"

#include <linux/if_ether.h>

enum { IPV4_MIN = 20, IPV6_LEN = 40 };

/* An IP packet for this router: from a layer-3 port, or addressed to the in-port's MAC. */
static bool is_ours(const struct worker *w, const struct pkt *p)
{
	const struct port *in = port_get(w->dp, p->in_port);
	uint16_t type;

	if (p->l3 != ETH_HLEN)
		return false; /* no network header, or one behind a tag: another network's */
	type = get_be16(p->data + 12);
	if (type == ETH_P_IP ? p->seg[0].len < ETH_HLEN + IPV4_MIN
			     : type != ETH_P_IPV6 || p->seg[0].len < ETH_HLEN + IPV6_LEN)
		return false;
	return p->flags & PKT_VIRTUAL_ETH || (in && !memcmp(p->data, in->mac, 6));
}

/* Addresses that must not be routed: "this network", loopback, broadcast, multicast as a source;
 * link-local ones (RFC 1812 5.3.7, RFC 4291 2.5). */
static bool martian4(const uint8_t *src, const uint8_t *dst)
{
	static const uint8_t broadcast[4] = {255, 255, 255, 255};

	return src[0] == 127 || dst[0] == 127 || dst[0] == 0 || src[0] >= 224 ||
	       !memcmp(dst, broadcast, 4) || (src[0] == 169 && src[1] == 254) ||
	       (dst[0] == 169 && dst[1] == 254);
}

static bool martian6(const uint8_t *src, const uint8_t *dst)
{
	static const uint8_t zero[15];
	bool low_src = !memcmp(src, zero, 15) && src[15] <= 1;
	bool low_dst = !memcmp(dst, zero, 15) && dst[15] <= 1;

	return low_src || low_dst || src[0] == 0xff ||
	       (src[0] == 0xfe && (src[1] & 0xc0) == 0x80) ||
	       (dst[0] == 0xfe && (dst[1] & 0xc0) == 0x80);
}

/* 0, or the reason why it cannot be forwarded; the TTL is one less then (RFC 1812 5.3.1). */
static int hop4(struct worker *w, struct pkt *p)
{
	uint8_t *ip = p->data + ETH_HLEN, old[2];
	be16 sum;

	if (ip[16] >> 4 == 14)
		return DROP_NOT_OURS;
	if (martian4(ip + 12, ip + 16))
		return DROP_MARTIAN;
	if (csum(ip, (ip[0] & 0xf) * 4u)) /* RFC 1812 5.2.2 */
		return DROP_IP_CHECKSUM;
	if (ip[8] <= 1)
		return DROP_TTL_EXPIRED;
	if (pkt_own(w, p, ETH_HLEN + IPV4_MIN, 0))
		return DROP_NO_FRAME;
	ip = p->data + ETH_HLEN;
	memcpy(old, ip + 8, 2);
	ip[8]--;
	memcpy(&sum, ip + 10, 2);
	sum = csum_update(sum, old, ip + 8, 2);
	memcpy(ip + 10, &sum, 2);
	return 0;
}

static int hop6(struct worker *w, struct pkt *p)
{
	uint8_t *ip = p->data + ETH_HLEN;

	if (ip[24] == 0xff)
		return DROP_NOT_OURS;
	if (martian6(ip + 8, ip + 24))
		return DROP_MARTIAN;
	if (ip[7] <= 1)
		return DROP_TTL_EXPIRED;
	if (pkt_own(w, p, ETH_HLEN + IPV6_LEN, 0))
		return DROP_NO_FRAME;
	p->data[ETH_HLEN + 7]--;
	return 0;
}

/* Whether the packet is for this host: no hop is taken then. */
static bool is_local(const struct worker *w, const struct pkt *p, bool v4)
{
	const uint8_t *ip = p->data + ETH_HLEN;
	const struct fib_route *route;
	struct ip dst = {.family = v4 ? 4 : 6};

	memcpy(dst.octet, ip + (v4 ? 16 : 24), v4 ? 4 : 16);
	route = fib_lookup(&w->dp->fib, &dst);
	return route && route->kind == FIB_LOCAL;
}

void normal_forward(struct worker *w, struct pkt *p)
{
	bool v4;
	int reason;

	if (!is_ours(w, p)) {
		drop(w, p, DROP_NOT_OURS);
		return;
	}
	v4 = get_be16(p->data + 12) == ETH_P_IP;
	if (is_local(w, p, v4)) {
		output_run(w, p, OFPP_LOCAL, 0);
		return;
	}
	reason = v4 ? hop4(w, p) : hop6(w, p);
	if (reason)
		drop(w, p, (enum drop_reason)reason);
	else
		fib_forward(w, p);
}
