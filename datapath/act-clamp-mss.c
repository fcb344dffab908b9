/* SPDX-License-Identifier: Apache-2.0 */
/* clamp_mss:N: the segment size that a TCP SYN or SYN-ACK announces (RFC 9293, 3.7.1) becomes N
 * where it is larger; never larger than it was.  So connections through a narrow tunnel need no
 * path MTU discovery.
 *
 * It is for both directions and may stand in rules on anything: what is no SYN passes as it is, and
 * so do fragments, packets without the option (whose default is smaller than any N worth saying),
 * options that contradict themselves, and a TCP header that does not end within the first 256
 * octets.  The number has to be said: the port that a packet leaves by is known only later.
 *
 * On the wire (experimenter action 6): N. */
#include <inttypes.h>
#include <netinet/in.h>

#include "datapath/worker.h"
#include "lib/csum.h"
#include "lib/openflow.h"
#include "lib/options.h"

/* What the smallest packet that every host takes leaves for TCP (RFC 791: 68 octets less 40 of
 * headers would be 28; Linux refuses below 48); the longest IPv4 packet less its headers. */
enum { MSS_MIN = 48, MSS_MAX = 65495 };

enum { TCP_HEADER = 20, TCP_SUM = 16, SYN = 0x02, RST = 0x04 };
enum { OPTION_END, OPTION_NOP, OPTION_MSS, OPTION_MSS_SIZE = 4, OPTIONS_SIZE = 40 };

/* Octets of the TCP header, all there in the first segment; 0: no whole header of a SYN. */
static uint16_t syn_header(const struct pkt *p)
{
	uint16_t size;

	if (p->key.ip_proto != IPPROTO_TCP || p->key.ip_frag || !p->l4 ||
	    p->l4 + TCP_HEADER > p->seg[0].len || (p->data[p->l4 + 13] & (SYN | RST)) != SYN)
		return 0;
	size = (p->data[p->l4 + 12] >> 4) * 4u;
	/* Parsing ends the payload's offset with the packet's, and with what may be looked at. */
	return size > TCP_HEADER && p->l4 + size <= MIN(p->payload, p->seg[0].len) ? size : 0;
}

/* Where values above `mss` stand among the options, from the header's beginning; how many.  0 as
 * well when the options contradict themselves. */
static unsigned find_larger(const uint8_t *tcp, uint16_t size, uint16_t mss, uint8_t *found)
{
	unsigned n = 0, at = TCP_HEADER, len;

	for (; at < size && tcp[at] != OPTION_END; at += len) {
		len = 1;
		if (tcp[at] == OPTION_NOP)
			continue;
		if (at + 2 > size || tcp[at + 1] < 2 || at + tcp[at + 1] > size)
			return 0;
		len = tcp[at + 1];
		if (tcp[at] != OPTION_MSS)
			continue;
		if (len != OPTION_MSS_SIZE)
			return 0;
		if (get_be16(tcp + at + 2) > mss)
			found[n++] = (uint8_t)(at + 2);
	}
	return n;
}

/* One value, anywhere: the checksum's words are those around it (RFC 1624). */
static void write_mss(uint8_t *tcp, unsigned at, uint16_t mss)
{
	uint8_t *words = tcp + (at & ~1u), old[4];
	size_t size = at & 1 ? 4 : 2;
	be16 sum;

	memcpy(old, words, size);
	put_be16(tcp + at, mss);
	memcpy(&sum, tcp + TCP_SUM, sizeof sum);
	sum = csum_update(sum, old, words, size);
	memcpy(tcp + TCP_SUM, &sum, sizeof sum);
}

static enum act_result run(struct worker *w, struct pkt *p, const struct op *op)
{
	uint16_t size = syn_header(p), mss = (uint16_t)op->arg;
	uint8_t found[OPTIONS_SIZE / OPTION_MSS_SIZE];
	unsigned n = size ? find_larger(p->data + p->l4, size, mss, found) : 0;

	if (!n)
		return ACT_NEXT;
	if (unlikely(pkt_own(w, p, p->l4 + size, 0))) {
		drop(w, p, DROP_NO_FRAME);
		return ACT_DONE;
	}
	while (n--)
		write_mss(p->data + p->l4, found[n], mss);
	return ACT_NEXT;
}

static int put_op(struct buf *ops, uint64_t mss, struct refusal *r)
{
	if (mss < MSS_MIN || mss > MSS_MAX)
		return refuse(r, ACTION_ARGUMENT, "clamp_mss",
			      "clamp_mss: %" PRIu64 " octets; %d to %d would be accepted", mss,
			      MSS_MIN, MSS_MAX);
	op_put(ops, ACTION_CLAMP_MSS, (uint32_t)mss, 0);
	return 0;
}

static int parse(const char *arg, struct buf *ops, struct refusal *r)
{
	uint64_t mss;

	if (parse_u64(arg, &mss))
		return refuse(r, ACTION_ARGUMENT, "clamp_mss",
			      "clamp_mss: '%.32s' is no number; clamp_mss:1360 is for packets of "
			      "1400 octets of IPv4, 1420 of IPv6",
			      arg);
	return put_op(ops, mss, r);
}

static void format(const struct op *op, struct buf *text)
{
	buf_printf(text, "clamp_mss:%" PRIu32, op->arg);
}

static int get(struct reader *body, struct buf *ops, struct refusal *r)
{
	uint16_t mss = pull_u16(body);

	pull(body, 4);
	if (body->failed || reader_left(body))
		return refuse(r, ACTION_LEN, "clamp_mss", "a clamp_mss action has 16 octets");
	return put_op(ops, mss, r);
}

static void put(const struct op *op, struct buf *wire)
{
	buf_u16(wire, (uint16_t)op->arg);
	buf_put(wire, 4);
}

const struct action_class act_clamp_mss = {
	.name = "clamp_mss",
	.of_type = OFPAT_EXPERIMENTER,
	.exp_type = SLUICE_AT_CLAMP_MSS,
	.order = SET_NEVER,
	.run = run,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
};
