/* SPDX-License-Identifier: Apache-2.0 */
/* From data units to an outer packet.  A data unit's octets are copied into the aggregate under
 * construction at once, so nothing is queued: an aggregate leaves when it is full, when its delay
 * is over, or, without delay, at the end of the batch. */
#include "datapath/iptfs.h"

#include <linux/if_ether.h>

#include "datapath/spine.h"
#include "lib/csum.h"

static size_t ip_size(const struct conn *c)
{
	return c->remote.family == 4 ? 20 : 40;
}

size_t iptfs_tx_front(const struct iptfs *s)
{
	return ip_size(s->conn) + (s->udp ? 8 : 0) + esp_front(&s->tx.sa) + AGG_HLEN;
}

/* ---- Outer headers -----------------------------------------------------------------------------
 */

/* RFC 791; DF set, and nothing of the inner headers is mapped (RFC 9347 2.2.5 to 2.2.7); the ECN
 * field is always Not-ECT. */
static void write_ipv4(const struct conn *c, uint8_t *ip, uint8_t proto, size_t size)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = (uint8_t)(c->outer_dscp << 2);
	put_be16(ip + 2, (uint16_t)size);
	put_be16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, c->local.octet, 4);
	memcpy(ip + 16, c->remote.octet, 4);
	be16 sum = csum(ip, 20);

	memcpy(ip + 10, &sum, 2);
}

static void write_ipv6(const struct conn *c, uint8_t *ip, uint8_t proto, size_t size)
{
	put_be32(ip, 6u << 28 | (uint32_t)c->outer_dscp << 22);
	put_be16(ip + 4, (uint16_t)(size - 40));
	ip[6] = proto;
	ip[7] = 64;
	memcpy(ip + 8, c->local.octet, 16);
	memcpy(ip + 24, c->remote.octet, 16);
}

/* RFC 3948 2.1: the checksum is zero over IPv4; IPv6 wants one. */
static void write_udp(const struct conn *c, uint8_t *udp, size_t size)
{
	put_be16(udp, IPTFS_UDP_PORT);
	put_be16(udp + 2, IPTFS_UDP_PORT);
	put_be16(udp + 4, (uint16_t)size);
	put_be16(udp + 6, 0);
	if (c->remote.family == 6) {
		uint32_t sum = csum_pseudo(c->local.octet, c->remote.octet, 16, 17, (uint32_t)size);
		be16 value = csum_finish(csum_add(sum, udp, size));

		value = value ? value : 0xffff;
		memcpy(udp + 6, &value, 2);
	}
}

static void write_headers(const struct iptfs *s, struct pkt *p, size_t esp_size)
{
	const struct conn *c = s->conn;
	uint8_t *ip = p->data + ETH_HLEN_, proto = s->udp ? 17 : 50;
	size_t head = ip_size(c), size = head + (s->udp ? 8 : 0) + esp_size;

	memset(p->data, 0, 12);
	put_be16(p->data + 12, c->remote.family == 4 ? ETH_P_IP : ETH_P_IPV6);
	if (s->udp)
		write_udp(c, ip + head, 8 + esp_size);
	if (c->remote.family == 4)
		write_ipv4(c, ip, proto, size);
	else
		write_ipv6(c, ip, proto, size);
	p->len = (uint32_t)(ETH_HLEN_ + size);
	p->seg[0].len = (uint16_t)p->len;
	p->flags |= PKT_VIRTUAL_ETH;
}

/* ---- The aggregate under construction
 * ------------------------------------------------------------ */

static void send_aggregate(struct worker *w, struct iptfs *s)
{
	struct iptfs_tx *tx = &s->tx;
	struct pkt *p = tx->p;
	uint8_t *blocks = p->data + ETH_HLEN_ + iptfs_tx_front(s);
	uint8_t *payload = blocks - AGG_HLEN, *esp = payload - esp_front(&tx->sa);
	size_t size;

	tx->p = NULL;
	if (tx->pad && tx->agg.fill < tx->agg.room) {
		memset(blocks + tx->agg.fill, 0, tx->agg.room - tx->agg.fill);
		counter_add(&s->n.out_pad_octets, tx->agg.room - tx->agg.fill);
		tx->agg.fill = tx->agg.room;
	}
	agg_tx_header(&tx->agg, payload);
	mark_use(tx->mark, ++tx->seq);
	size = esp_seal(&tx->sa, tx->seq, esp, AGG_HLEN + tx->agg.fill, AGG_NEXT_HEADER);
	if (unlikely(!size)) {
		counter_add(&w->n.made[MADE_GENERATED], 1);
		iptfs_trouble(s, DROP_CRYPTO);
		drop(w, p, DROP_CRYPTO);
		return;
	}
	write_headers(s, p, size);
	counter_add(&s->n.out_aggregates, 1);
	counter_add(&s->n.out_octets, pkt_octets(p));
	tx->sending = true;
	conn_transmit(w, s->conn, p);
	tx->sending = false;
}

/* `left`: what is still to go of the data unit that goes on. */
static bool begin_aggregate(struct worker *w, struct iptfs *s, uint32_t left)
{
	struct iptfs_tx *tx = &s->tx;

	tx->p = pkt_new(w, FRAME_HEADROOM);
	if (!tx->p)
		return false;
	agg_tx_begin(&tx->agg, left);
	if (tx->delay_ns)
		timer_set(&w->wheel, &tx->timer, w->now + tx->delay_ns);
	return true;
}

/* ---- One data unit
 * --------------------------------------------------------------------------------- */

/* The length of the IP packet behind the last link header; 0 and a reason when there is none. */
static uint32_t du_size(struct worker *w, struct pkt *du, enum drop_reason *why)
{
	uint8_t head[AGG_RUNT];
	int32_t size;
	int broken = du->flags & PKT_KEYED ? -1 : pkt_parse(w, du);

	*why = broken < 0 ? DROP_NOT_IP : (enum drop_reason)broken;
	if (broken >= 0)
		return 0;
	if (du->l3 < ETH_HLEN_ || du->l3 + sizeof head > du->seg[0].len)
		return 0;
	switch (get_be16(du->data + du->l3 - 2)) {
	case ETH_P_IP:
	case ETH_P_IPV6:
		break;
	default:
		return 0;
	}
	memcpy(head, du->data + du->l3, sizeof head);
	size = agg_du_length(head, sizeof head);
	if (size <= 0)
		return 0;
	*why = DROP_IP_SHORT;
	return (uint32_t)size <= du->len - du->l3 ? (uint32_t)size : 0;
}

/* Why a data unit of `size` octets cannot be taken now; NO_DROP.  All numbers it may need are there
 * before its first octet is placed, so that none is cut off in its middle. */
static enum drop_reason may_take(const struct iptfs_tx *tx, uint32_t size)
{
	uint64_t limit = mark_limit(tx->mark), need = 2 + size / tx->agg.room;

	if (!tx->fragment && size > tx->agg.room)
		return DROP_TOO_BIG;
	if (unlikely(tx->mark->max - tx->seq < need))
		return DROP_SEQ_EXHAUSTED;
	return unlikely(limit - tx->seq < need || limit < tx->seq) ? DROP_SEQ_UNRESERVED : NO_DROP;
}

static bool place(struct worker *w, struct iptfs *s, const struct pkt *du, uint32_t size)
{
	struct iptfs_tx *tx = &s->tx;
	uint32_t done = 0, n_parts = 0;

	while (done < size) {
		uint8_t *to;
		uint32_t n, at;

		if (!tx->p && !begin_aggregate(w, s, done ? size - done : 0))
			return false;
		at = tx->agg.fill;
		n = agg_tx_take(&tx->agg, size, done, tx->fragment);
		if (!n) {
			send_aggregate(w, s);
			continue;
		}
		to = tx->p->data + ETH_HLEN_ + iptfs_tx_front(s) + at;
		pkt_copy_out(w, du, du->l3 + done, n, to);
		done += n;
		n_parts++;
	}
	if (tx->agg.fill == tx->agg.room)
		send_aggregate(w, s);
	counter_add(&s->n.out_fragmented, n_parts > 1);
	return true;
}

void iptfs_push(struct worker *w, struct conn *c, struct pkt *du)
{
	struct iptfs *s = c->state;
	struct port_counters *n = &w->port[c->port.id];
	enum drop_reason why = NO_DROP;
	uint32_t size = 0;

	if (unlikely(!s->tx.sa.cipher))
		why = DROP_CONN_ONEWAY;
	else if (unlikely(s->tx.sending ||
			  (du->in_port == c->port.id && !(du->flags & PKT_DECAPPED))))
		why = DROP_IN_PORT; /* its own aggregate, or one around it: the way to the far end
				     * leads through it */
	else
		size = du_size(w, du, &why);
	if (size)
		why = may_take(&s->tx, size);
	if (why == NO_DROP && !place(w, s, du, size))
		why = DROP_NO_FRAME;
	if (unlikely(why != NO_DROP)) {
		iptfs_trouble(s, why);
		counter_add(&n->tx_dropped, 1);
		drop(w, du, why);
		return;
	}
	counter_add(&s->n.out_dus, 1);
	counter_add(&n->tx_packets, 1);
	counter_add(&n->tx_bytes, size);
	consume(w, du, CONSUME_AGGREGATED);
}

void iptfs_tx_timer(struct worker *w, struct timer *t)
{
	struct iptfs *s = container_of(t, struct iptfs, tx.timer);

	if (s->tx.p)
		send_aggregate(w, s);
}

void iptfs_flush(struct worker *w, struct conn *c)
{
	struct iptfs *s = c->state;

	if (s->tx.p && !s->tx.delay_ns)
		send_aggregate(w, s);
}

void iptfs_tx_stop(struct worker *w, struct iptfs *s)
{
	timer_cancel(&w->wheel, &s->tx.timer);
	if (s->tx.p)
		send_aggregate(w, s);
}
