/* SPDX-License-Identifier: Apache-2.0 */
/* Captures of sFlow, read in warped time. */
#include <errno.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <pcap/sll.h>

#include "datapath/parse.h"
#include "lib/refuse.h"
#include "lib/sflow.h"
#include "utilities/watch/sample.h"

enum {
	HEADERS_MAX = 4096, /* octets that the headers in front of a datagram may have */
	UDP_HEADER = 8,
	SFLOW_LEAST = 28, /* a datagram without samples */
};

/* A longer silence than this is not lived through tick by tick: clocks of captures jump. */
static const uint64_t SILENCE_MAX = 7 * 24 * 3600 * NSEC_PER_SEC;

struct clock {
	uint64_t now, next; /* the capture's time, which never goes back; the next tick */
	bool runs;
};

static void clock_to(struct clock *c, struct replay *r, uint64_t ns)
{
	if (!c->runs || (ns > c->now && ns - c->now > SILENCE_MAX))
		c->next = ns + r->tick_ns;
	c->runs = true;
	c->now = MAX(c->now, ns);
	while (r->tick && r->tick_ns && c->next <= c->now) {
		r->tick(r, c->next);
		c->next += r->tick_ns;
	}
}

/* Where IP begins by the link layer, and what is there.  False: no link layer of ours. */
static bool link_header(int link, struct headers *h, enum headers_first *first)
{
	uint32_t skip = 0, type = 0;

	*first = HEADERS_ETHERNET;
	switch (link) {
	case DLT_EN10MB:
		return true;
	case DLT_LINUX_SLL:
		skip = SLL_HDR_LEN;
		type = h->size >= skip ? get_be16(h->data + skip - 2) : 0;
		break;
	case DLT_LINUX_SLL2:
		skip = SLL2_HDR_LEN;
		type = h->size >= skip ? get_be16(h->data) : 0;
		break;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		type = !h->size ? 0 : h->data[0] >> 4 == 6 ? 0x86dd : 0x0800;
		break;
	}
	if (type != 0x0800 && type != 0x86dd)
		return false;
	h->data += skip;
	h->size -= skip;
	h->whole -= MIN(h->whole, skip);
	*first = type == 0x0800 ? HEADERS_IPV4 : HEADERS_IPV6;
	return true;
}

static bool like_sflow(const uint8_t *data, uint32_t size)
{
	return size >= SFLOW_LEAST && get_be32(data) == SFLOW_VERSION &&
	       (get_be32(data + 4) == 1 || get_be32(data + 4) == 2);
}

/* The datagram in a frame, if it is one of sFlow's: to its port, or like it.  Fragments are not put
 * together.  NULL: there is none. */
static const uint8_t *find_datagram(int link, const struct pcap_pkthdr *p, const uint8_t *octets,
				    uint32_t *size)
{
	struct headers h = {.data = octets, .size = p->caplen, .whole = MAX(p->len, p->caplen)};
	struct du_key k = {0};
	enum headers_first first;
	const uint8_t *data;
	uint32_t left;

	if (!link_header(link, &h, &first))
		return NULL;
	left = h.size;
	h.size = MIN(h.size, (uint32_t)HEADERS_MAX);
	h.cut = h.whole > h.size;
	if (headers_parse(&h, first, &k) != HEADERS_PARSED || k.ip_proto != IPPROTO_UDP || !h.l4 ||
	    k.ip_frag)
		return NULL;
	data = h.data + h.l4;
	left -= h.l4; /* the parser found a whole UDP header */
	*size = get_be16(data + 4);
	*size = MIN(*size, left);
	if (*size < UDP_HEADER)
		return NULL;
	data += UDP_HEADER;
	*size -= UDP_HEADER;
	return be16toh(k.tp_dst) == SFLOW_PORT || like_sflow(data, *size) ? data : NULL;
}

static int broken(const struct replay *r, const char *why, struct refusal *refusal)
{
	return refuse(refusal, SYSTEM, "replay",
		      "%s: %s; a capture (pcap, pcapng) would be accepted", r->file, why);
}

static int link_known(const struct replay *r, int link, struct refusal *refusal)
{
	switch (link) {
	case DLT_EN10MB:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return 0;
	}
	return refuse(refusal, BAD_VALUE, "replay",
		      "%s holds link type %d; Ethernet (1), raw IP (101) and Linux cooked (113, "
		      "276) are read",
		      r->file, link);
}

int replay_run(struct replay *r, struct sflow_reader *reader, struct sample_sink *to,
	       struct refusal *refusal)
{
	struct pcap_pkthdr *p;
	struct clock c = {0};
	const uint8_t *octets;
	char why[PCAP_ERRBUF_SIZE];
	int got, link, error = 0;
	pcap_t *in;

	in = pcap_open_offline_with_tstamp_precision(r->file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!in)
		return broken(r, why, refusal);
	link = pcap_datalink(in);
	error = link_known(r, link, refusal);
	while (!error && (got = pcap_next_ex(in, &p, &octets)) != PCAP_ERROR_BREAK) {
		const uint8_t *datagram;
		uint32_t size;

		if (got != 1) {
			error = broken(r, pcap_geterr(in), refusal);
			break;
		}
		/* Opened with nanosecond precision: tv_usec holds nanoseconds. */
		clock_to(&c, r, (uint64_t)p->ts.tv_sec * NSEC_PER_SEC + (uint64_t)p->ts.tv_usec);
		datagram = find_datagram(link, p, octets, &size);
		if (datagram)
			sflow_read(reader, datagram, size, c.now, to);
	}
	if (c.runs)
		clock_to(&c, r, c.next);
	pcap_close(in);
	return error;
}
