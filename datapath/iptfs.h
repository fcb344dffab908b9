/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the `iptfs` encapsulation: RFC 9347 in ESP, one connection's state.
 *
 * encap-iptfs.c reads options and is the class; iptfs-rx.c takes aggregates apart; iptfs-tx.c puts
 * them together.  Nobody else includes this.  Everything here is touched by the connection's
 * worker alone, counters apart, which anyone may read.
 *
 * **What is counted where.**  An aggregate that gave anything (a data unit, or octets of one)
 * is consumed, whatever else was wrong with it; one that gave nothing is dropped with the reason.
 * A data unit that was lost on the way out of an aggregate never existed for the balance of
 * packets: it is counted by reason here, in `trouble`, once each. */
#ifndef SLUICE_IPTFS_H
#define SLUICE_IPTFS_H

#include "datapath/aggfrag.h"
#include "datapath/conn.h"
#include "datapath/esp.h"
#include "datapath/marks.h"
#include "datapath/reorder.h"
#include "datapath/replay.h"

enum { IPTFS_UDP_PORT = 4500 }; /* RFC 3948 */

struct iptfs_counters {
	uint64_t in_aggregates, in_octets, in_dus, in_fragmented, in_pads, in_lost, in_late, in_ce;
	uint64_t out_aggregates, out_octets, out_dus, out_fragmented, out_pad_octets;
	uint64_t trouble[N_DROPS]; /* aggregates and data units, by reason */
};

struct iptfs_rx {
	struct esp_sa sa; /* no cipher: this direction is left out */
	struct mark *mark;
	struct replay replay;
	struct reorder order;
	uint64_t drop_ns; /* how long what is missing is waited for */
	struct timer timer;
	struct agg_rx agg;
	/* The aggregate that is being taken apart. */
	bool busy, walking, told;
	struct reorder_slot now;
	struct agg_walk walk;
	/* The data unit that is being put together; NULL: none, or there was no frame for it. */
	struct pkt *du;
	uint16_t n_parts;
	uint64_t begun_ns; /* arrival of its first part */
	uint64_t last_ns;  /* when its last part so far was added */
};

struct iptfs_tx {
	struct esp_sa sa;
	struct mark *mark;
	uint64_t seq; /* the last one used */
	struct agg_tx agg;
	uint64_t delay_ns;
	bool fragment, pad;
	bool sending; /* an aggregate is on its way out: what comes back here goes in circles */
	struct timer timer;
	struct pkt *p; /* the aggregate under construction; NULL: none */
};

struct iptfs {
	struct conn *conn;
	bool udp;
	struct iptfs_rx rx;
	struct iptfs_tx tx;
	struct iptfs_counters n;
};

static inline void iptfs_trouble(struct iptfs *s, enum drop_reason reason)
{
	counter_add(&s->n.trouble[reason], 1);
}

/* Octets of the ESP packet behind the last header that was parsed, to the end that the IP (and
 * UDP) length says: a link may have padded the frame. */
size_t iptfs_esp_size(const struct pkt *p, bool udp);
bool iptfs_pop(struct worker *w, struct conn *c, struct pkt *p, struct batch *out);
void iptfs_rx_timer(struct worker *w, struct timer *t);
void iptfs_rx_stop(struct worker *w, struct iptfs *s);

void iptfs_push(struct worker *w, struct conn *c, struct pkt *du);
void iptfs_flush(struct worker *w, struct conn *c);
void iptfs_tx_timer(struct worker *w, struct timer *t);
void iptfs_tx_stop(struct worker *w, struct iptfs *s);
/* Octets from the outer IP header to the first data block. */
size_t iptfs_tx_front(const struct iptfs *s);

#endif
