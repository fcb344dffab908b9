/* SPDX-License-Identifier: Apache-2.0 */
/* Limits by key: the named objects behind the actions `limiter:NAME` and `connlimit:NAME`.
 *
 * A *limiter* gives each key (keyed-by.h) a bucket (keyed.h); what is above it is dropped.  A
 * *connection limit* bounds the TCP connections a key has at one time (keyed-conns.h), those it may
 * begin in a second, or both.  Both are numbered together: an op holds the number and the name, and
 * finds the object in the datapath, where the control thread publishes it under RCU.  A change of
 * rate is a new `struct limiter` over the same tables, so no key is lost.
 *
 * **Connection limits.**  A SYN is judged by both bounds and leaves nothing but a spent token of
 * its key's.  A connection counts from its first segment without SYN: the handshake's end, or its
 * next segment if it was there before the limit was (or was forgotten in a flood).  If its key has
 * no room by then, the segment is dropped, too: or else a thousand SYNs sent at once would be a
 * thousand connections.
 *
 * What a packet of a frame that carries nothing sealed says of itself (its addresses) is what
 * somebody wrote there; what is above a data unit (conn_id, outer_ipv4_src) was verified.  Limits
 * run with the rules, behind decapsulation: nothing that is not through its ICV spends anything.
 *
 * Threads: limiter_run() and connlimit_run() on workers; the rest on the control thread. */
#ifndef SLUICE_LIMITER_H
#define SLUICE_LIMITER_H

#include "datapath/action.h"
#include "datapath/bucket.h"
#include "datapath/keyed-by.h"
#include "datapath/keyed-conns.h"

enum { LIMITERS = 256, LIMITER_NAME = 31 /* with its end */, LIMITER_KEYS = 65536 };

#define CONNLIMIT_IDLE_NS (300 * NSEC_PER_SEC)

enum limiter_kind { LIMITER, CONNLIMIT, N_LIMITER_KINDS };
extern const char *const limiter_kinds[N_LIMITER_KINDS]; /* "limiter", "connlimit" */

/* Of one limiter and worker. */
struct limiter_counters {
	uint64_t passed, dropped, shared; /* shared: judged by a word that keys share */
};

struct limiter {
	enum limiter_kind kind;
	uint32_t number;
	char name[LIMITER_NAME];
	struct keyed_by by;
	bool packets;         /* tokens are packets, not octets */
	uint64_t rate, burst; /* a second, and at most: packets or bits; rate 0: none */
	struct bucket_rate bucket;
	uint64_t burst_time; /* in the table's unit */
	uint32_t max_conns;  /* 0: none */
	uint64_t idle_ns;
	uint32_t n_keys; /* as asked for */
	struct keyed *keys;
	struct keyed_conns *conns; /* NULL: connections are not counted */
};

struct worker;

/* What the packet costs, and all else but the key. */
struct keyed_ask limiter_ask(const struct limiter *l, uint64_t now, uint32_t tokens);

/* What a trace says, from the two numbers of its records: `a` begins with the limiter's number. */
void limiter_text_key(struct limiter *const *limiters, uint64_t a, uint64_t b, struct buf *text);
void limiter_text_state(struct limiter *const *limiters, uint64_t a, uint64_t b, struct buf *text);
/* `8 of 10 packets`: how much of the burst `ns` of time are. */
void limiter_text_tokens(const struct limiter *l, uint64_t ns, struct buf *text);

enum act_result limiter_run(struct worker *w, struct pkt *p, const struct op *op);
enum act_result connlimit_run(struct worker *w, struct pkt *p, const struct op *op);

/* ---- Ops: the same for both kinds -------------------------------------------------------- */

/* The control side lends its names: the number of one, -1: none.  NULL: there are none. */
extern int (*limiter_number)(enum limiter_kind kind, const char *name);

int limiter_parse(enum limiter_kind kind, const char *arg, struct buf *ops, struct refusal *r);
void limiter_format(const struct op *op, struct buf *text);
/* Experimenter actions 3 and 4: the name in 30 octets, filled up with zeroes; 40 octets in all. */
int limiter_get(enum limiter_kind kind, struct reader *body, struct buf *ops, struct refusal *r);
void limiter_put(const struct op *op, struct buf *wire);
/* The ops have the limiter of this number. */
bool actions_limit_by(const void *ops, size_t size, uint32_t number);

#endif
