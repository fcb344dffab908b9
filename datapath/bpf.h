/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of classic BPF: compiled once, shared by all matches that have the same one.
 *
 * A program comes as a tcpdump expression, which libpcap compiles, or as bytecode: in xt_bpf's form
 * (`4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0`), in hexadecimal (16 digits an instruction: code, jt, jf,
 * k) or off the wire.  Before it is taken it is held to bpf_validate()'s rules and ours: at most
 * BPF_INSNS instructions, no jump but forward, so it ends within as many steps.  An expression is
 * read word by word first: it may have numbers, addresses and pcap-filter(7)'s own words, no names,
 * so nothing is ever looked up, neither by DNS nor in /etc.
 *
 * A match holds a program by its handle, a number that is never given again.  Two programs of the
 * same octets and link type are one; the first one's text is shown.  At most BPF_MAX exist.  A rule
 * holds its programs (bpf_hold, bpf_release); one that nobody holds stays until its place is
 * wanted, but at least for the turn of the control loop that it came in (bpf_turn), so that what is
 * being read cannot lose it.  The handle of a program that has gone finds nothing, and its
 * condition never holds.
 *
 * Threads: bpf_run() on workers, under RCU; everything else is the control thread's. */
#ifndef SLUICE_BPF_H
#define SLUICE_BPF_H

#include "lib/cursor.h"
#include "lib/refuse.h"

enum {
	BPF_INSNS = 512,
	BPF_TEXT = 500, /* octets of an expression: libpcap takes 0.1 s for the worst, 0.7 s for
			   1,000 */
	BPF_MAX = 1024,
};

/* What a program sees first. */
enum bpf_link {
	BPF_IP,       /* an IPv4 or IPv6 header (link type raw) */
	BPF_ETHERNET, /* an Ethernet header */
};

/* A program from text, expression or bytecode; its handle.  `field` is for refusals. */
int bpf_parse(enum bpf_link link, const char *text, uint64_t *handle, struct refusal *r);
/* Bytecode in network order, 8 octets an instruction: code, jt, jf, k. */
int bpf_decode(enum bpf_link link, struct reader *code, uint64_t *handle, struct refusal *r);

/* What bpf_parse() reads back: the expression, else bytecode in xt_bpf's form. */
void bpf_format(uint64_t handle, struct buf *text);
bool bpf_has_text(uint64_t handle);
void bpf_encode(uint64_t handle, struct buf *code);
bool bpf_exists(uint64_t handle);
/* Whatever a packet is, the program takes it (1), or does not (0); -1: that depends. */
int bpf_constant(uint64_t handle);

void bpf_hold(uint64_t handle);
void bpf_release(uint64_t handle);
void bpf_turn(void);
unsigned bpf_count(void);

/* Whether the program takes the packet: `size` octets at `data` may be read, a load behind them
 * ends the program, which then does not; `len` is the packet's length. */
bool bpf_run(uint64_t handle, const uint8_t *data, uint32_t size, uint32_t len);

#endif
