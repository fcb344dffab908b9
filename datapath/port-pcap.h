/* SPDX-License-Identifier: Apache-2.0 */
/* The pcap port: a capture file as input, a capture file as output.
 *
 *	type=pcap [in=FILE] [out=FILE] [link=ethernet|raw] [mac=MAC] [mtu=N]
 *
 * Files are read and written by libpcap (pcap and, for input, pcapng), with nanosecond stamps.
 * `link` is that of the input file where there is one; a raw file's packets begin with the IP
 * header.  Without out= what is sent is counted and gone.
 *
 * Time.  Offline the clock is the packets' own: the runner asks pcap_next_time() and sets
 * worker->now; rx then gives what is due, one packet a call, so that timers run in between.  In a
 * live daemon a capture plays with its recorded spacing from when the port is first polled.
 * Outputs are stamped with worker->now, live shifted to the time of day. */
#ifndef SLUICE_PORT_PCAP_H
#define SLUICE_PORT_PCAP_H

#include "datapath/port.h"

extern const struct port_class port_pcap;

/* When the next packet of in= is due, in ns; false when there is none (any more).  The port's
 * worker, or anyone while it stands still. */
bool pcap_next_time(struct port *port, uint64_t *ns);

#endif
