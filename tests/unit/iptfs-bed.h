/* SPDX-License-Identifier: Apache-2.0 */
/* A worker with iptfs connections, for units and the fuzzer: aggregates go in as frames, data units
 * come out as octets; data units go in, aggregates come out of a port that keeps what it is given.
 */
#ifndef SLUICE_IPTFS_BED_H
#define SLUICE_IPTFS_BED_H

#include "datapath/conn.h"
#include "datapath/esp.h"
#include "datapath/spine.h"
#include "datapath/worker.h"

enum { BED_KEPT = 4096 };

struct kept {
	uint8_t *octets;
	size_t size;
	struct outer outer;
	struct du_key key;
	bool esp_outside; /* a program found ESP in the headers of the frame that it came in */
};

struct kept_list {
	unsigned n;
	struct kept item[BED_KEPT];
};

struct iptfs_bed {
	struct datapath dp;
	struct worker *w;
	struct port out;        /* where the route to every destination leads */
	struct kept_list sent;  /* what left by it, without Ethernet header */
	struct kept_list given; /* data units that pop() gave, without Ethernet header */
};

struct iptfs_bed *bed_new(void);
struct iptfs_bed *bed_new_workers(
	unsigned n);                /* the first one is bed->w; the caller turns the rest */
void bed_free(struct iptfs_bed *b); /* and checks that nothing was lost or leaked */

/* A connection with these options, separated by spaces; NULL and a refusal. */
struct conn *bed_conn(struct iptfs_bed *b, const char *options, struct refusal *r);
/* The same, where a refusal ends the test. */
struct conn *must_conn(struct iptfs_bed *b, const char *options);
void bed_conn_del(struct iptfs_bed *b, struct conn *c);

/* An Ethernet frame arrives. */
void bed_receive(struct iptfs_bed *b, const void *frame, size_t size);
/* The same along the whole path: other workers and the rules get what is theirs. */
void bed_spine(struct iptfs_bed *b, const void *frame, size_t size);
/* An IP packet is to leave by the connection. */
void bed_push(struct iptfs_bed *b, struct conn *c, const void *ip, size_t size);
/* The batch's end, then `ns` later: timers. */
void bed_wait(struct iptfs_bed *b, uint64_t ns);

/* A frame around an ESP packet from 10.9.0.1 to 10.9.0.2 (what bed_conn's users name), sealed by
 * `sa`; returns its size. */
size_t bed_frame(struct esp_sa *sa, uint64_t seq, struct octets payload, uint8_t next_header,
		 uint8_t frame[4096]);

/* An IPv4 packet of `size` octets, filled with `tag` behind its header. */
void make_du(uint8_t *du, unsigned size, uint8_t tag);

static inline uint64_t dropped(const struct iptfs_bed *b, enum drop_reason reason)
{
	return b->w->n.dropped[reason];
}

void kept_clear(struct kept_list *l);
/* rx + made = tx + dropped + consumed + held; frames at home but for those held. */
bool bed_balanced(const struct iptfs_bed *b);

#endif
