/* SPDX-License-Identifier: Apache-2.0 */
/* Samples as sFlow version 5 (sflow.org, July 2004): octets, no sockets.
 *
 * A datagram is a header and whole samples behind it, which collectors.c gathers.  A flow sample
 * holds the sampled headers and, behind them, what is known beside: one row of sflow.c for each
 * structure.  docs/sflow.md has every octet.  The control thread's; the record is the caller's.
 *
 * **No payload.**  Of a record only its `size` octets leave, which end with the last header, and
 * fields of the collected record. */
#ifndef SLUICE_CTL_SFLOW_H
#define SLUICE_CTL_SFLOW_H

#include "datapath/sample.h"
#include "lib/addr.h"
#include "lib/cursor.h"
#include "lib/sflow.h"

enum { SFLOW_HEADER_SIZE_MAX = 40 }; /* of a datagram, its agent's address an IPv6 one */

/* The datagram's header (agent: a family there must be). */
struct sflow_datagram {
	struct ip agent;
	uint32_t sequence, uptime_ms, n_samples;
};
void sflow_put_header(struct buf *to, const struct sflow_datagram *d);

/* Whose sample it is: counted per source, as the standard has it. */
struct sflow_source {
	uint32_t id;       /* class << 24 | index */
	uint32_t sequence; /* of its samples, from 1 */
	uint32_t pool;     /* packets that could have been sampled */
	uint32_t drops;    /* samples lost for want of room */
};
/* One flow sample with all its records: at most SFLOW_DATAGRAM_MAX - SFLOW_HEADER_SIZE_MAX octets.
 */
void sflow_put_flow(struct buf *to, const struct sflow_source *from, const struct sample_record *s);

/* One counter sample with generic interface counters (RFC 2233's, as the standard has them). */
struct sflow_interface {
	uint32_t index, sequence, type, up;
	uint64_t rx_octets, tx_octets, rx_packets, tx_packets;
	uint32_t rx_dropped, tx_dropped, rx_errors, tx_errors;
};
enum { SFLOW_IF_ETHERNET = 6, SFLOW_IF_TUNNEL = 131 }; /* IANA ifType */
void sflow_put_interface(struct buf *to, const struct sflow_interface *i);

/* The standard's word for why a packet was dropped. */
uint32_t sflow_drop_code(enum drop_reason reason);

#endif
