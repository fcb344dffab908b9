/* SPDX-License-Identifier: Apache-2.0 */
/* The words of tcpdump expressions that may be compiled.
 *
 * pcap_compile() looks names up: hosts by DNS, ports, protocols and networks in the system's
 * databases, which may ask servers in turn.  A switch must not wait for those, and a peer must not
 * make it ask.  So an expression is read before: numbers, addresses and the words of
 * pcap-filter(7) that stand for themselves pass; whatever libpcap could take for a name does not.
 *
 * Control thread. */
#ifndef SLUICE_BPF_WORDS_H
#define SLUICE_BPF_WORDS_H

#include "lib/refuse.h"

/* Refuses an expression with a word that is none of these. */
int bpf_check_words(const char *text, struct refusal *r);

#endif
