/* SPDX-License-Identifier: Apache-2.0 */
/* Limits by key as the operator named them: limiters and connection limits (datapath/limiter.h).
 *
 * One is made of words, kept in the store by its kind and name in the words that would make it
 * again, and given a number that lasts as long as it does.  It is in the datapath from the moment
 * it is staged, for no rule can name it earlier; a change of it is published with its group.  One
 * that a rule names cannot be deleted.  Their tables have their memory from the beginning; together
 * at most LIMITERS_OCTETS, what is above is refused.  Its keys are in memory alone: after a restart
 * every key begins anew, with a full bucket and no connections.
 *
 * All of it is the control thread's. */
#ifndef SLUICE_OFPROTO_LIMITERS_H
#define SLUICE_OFPROTO_LIMITERS_H

#include "datapath/limiter.h"
#include "ofproto/ofproto.h"

#define LIMITERS_OCTETS (1ull << 30) /* of all their tables */

struct limiter_entry;

struct limiters {
	struct limiter_entry *first, **tail;
	uint64_t sweep_ns;    /* when connections that ended are looked for; TIMER_NEVER */
	uint64_t n_passed;    /* offline: what had passed when there was none left */
	uint64_t octets_most; /* LIMITERS_OCTETS */
};

/* `words`: NAME by=FIELDS and, of a limiter, rate=RATE [burst=B] [keys=N]; of a connection limit
 * [conns=N] [new=RATE] [burst=N] [idle=TIME] [keys=N].  A change says what is to be other. */
int ofproto_add_limiter(struct ofproto *o, enum limiter_kind kind, struct words words,
			struct waiter *w, struct refusal *r);
int ofproto_mod_limiter(struct ofproto *o, enum limiter_kind kind, struct words words,
			struct waiter *w, struct refusal *r);
int ofproto_del_limiter(struct ofproto *o, enum limiter_kind kind, const char *name,
			struct waiter *w, struct refusal *r);

/* As staged; NULL: there is none. */
const struct limiter *ofproto_limiter(struct ofproto *o, enum limiter_kind kind, const char *name);
/* The words behind its name that would make it, with spaces between. */
void limiter_words(const struct limiter *l, struct buf *text);
/* What its keys did, over all workers. */
void ofproto_limiter_counters(struct ofproto *o, const struct limiter *l,
			      struct limiter_counters *n);
uint64_t ofproto_limiters_octets(const struct ofproto *o);                  /* of all tables */
uint32_t ofproto_limiter_rules(struct ofproto *o, const struct limiter *l); /* that name it */

struct limiter_visit {
	int (*limiter)(struct limiter_visit *v, const struct limiter *l);
};
/* Each of a kind, in the order they were made; a non-zero return ends the walk. */
void ofproto_limiters(struct ofproto *o, enum limiter_kind kind, struct limiter_visit *v);

/* Every limit that a rule names is there, and is the one that it was written for: a rule that
 * waited (a proposal) may be older than what has its number now. */
int limiters_check(struct ofproto *o, const struct instructions *i, struct refusal *r);

void limiters_init(struct ofproto *o);
void limiters_destroy(struct ofproto *o); /* workers have gone */
int limiters_restore(struct ofproto *o, struct refusal *r);
void limiters_run(struct ofproto *o); /* lets go of connections that ended */
uint64_t limiters_deadline(const struct ofproto *o);

/* limiter-words.c: reads options into l; `fresh` wants what there has to be. */
int limiter_read(struct limiter *l, struct options *opt, bool fresh, uint64_t *keys,
		 struct refusal *r);

#endif
